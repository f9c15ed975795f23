//! CORS is a setting of the app; scripts need not know.

use serde_json::json;

use crate::support::{Reply, Tenant, TestApp};

const PAGE: &str = "https://page.example";

async fn preflight(tenant: &Tenant, path: &str, origin: &str, method: &str) -> Reply {
    tenant
        .call(
            "OPTIONS",
            path,
            "",
            &[
                ("origin", origin),
                ("access-control-request-method", method),
                ("access-control-request-headers", "content-type,x-own"),
            ],
        )
        .await
}

fn has_cors(reply: &Reply) -> bool {
    reply.headers.keys().any(|name| name.as_str().starts_with("access-control-"))
}

#[tokio::test]
async fn without_the_setting_there_are_no_cors_headers() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.deploy("/x", "1").await;
    let reply = shop.call("GET", "/x", "", &[("origin", PAGE)]).await.expect(200);
    assert!(!has_cors(&reply), "{reply:?}");
    assert!(!has_cors(&preflight(&shop, "/x", PAGE, "GET").await));
}

#[tokio::test]
async fn a_listed_origin_is_allowed_and_another_is_not() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let script = shop.upload("s", "1").await;
    shop.route(&script, json!({ "path": "/x", "method": "POST" })).await;
    app.patch("/admin/apps/shop", json!({ "cors_origins": [PAGE] })).await.expect(200);

    let asked = preflight(&shop, "/x", PAGE, "POST").await.expect(204);
    assert_eq!(asked.header("access-control-allow-origin"), Some(PAGE));
    assert!(asked.header("access-control-allow-methods").expect("methods").contains("POST"));
    let headers = asked.header("access-control-allow-headers").expect("headers").to_ascii_lowercase();
    assert!(headers.contains("content-type") && headers.contains("x-own"), "{headers}");
    assert!(asked.header("vary").expect("Vary").to_ascii_lowercase().contains("origin"));
    assert!(asked.header("picloud-execution-id").is_none(), "a preflight runs nothing");

    let called = shop.call("POST", "/x", "", &[("origin", PAGE)]).await.expect(200);
    assert_eq!(called.header("access-control-allow-origin"), Some(PAGE));
    assert!(called.header("access-control-allow-credentials").is_none(), "no page gets a visitor's cookies");

    for other in ["https://evil.example", "http://page.example", "https://page.example:444", "null"] {
        let reply = shop.call("POST", "/x", "", &[("origin", other)]).await.expect(200);
        assert!(reply.header("access-control-allow-origin").is_none(), "{other}");
        assert!(preflight(&shop, "/x", other, "POST").await.header("access-control-allow-origin").is_none(), "{other}");
    }
}

#[tokio::test]
async fn a_star_allows_any_origin() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.deploy("/x", "1").await;
    app.patch("/admin/apps/shop", json!({ "cors_origins": ["*"] })).await.expect(200);
    let reply = shop.call("GET", "/x", "", &[("origin", "https://anybody.example")]).await.expect(200);
    assert!(matches!(reply.header("access-control-allow-origin"), Some("*" | "https://anybody.example")));
}

#[tokio::test]
async fn a_page_can_read_failures_and_ids_too() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.deploy("/bad", "throw 1;").await;
    app.patch("/admin/apps/shop", json!({ "cors_origins": [PAGE] })).await.expect(200);
    let failed = shop.call("GET", "/bad", "", &[("origin", PAGE)]).await.fails(422, "script_error");
    assert_eq!(failed.header("access-control-allow-origin"), Some(PAGE));
    let exposed = failed.header("access-control-expose-headers").expect("exposed").to_ascii_lowercase();
    let names = ["picloud-execution-id", "x-request-id", "retry-after"];
    assert!(names.iter().all(|name| exposed.contains(name)), "{exposed}");
    let missing = shop.call("GET", "/nothing", "", &[("origin", PAGE)]).await.fails(404, "not_found");
    assert_eq!(missing.header("access-control-allow-origin"), Some(PAGE));
}
