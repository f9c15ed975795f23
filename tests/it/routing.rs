//! Which script answers a request, over HTTP. The pure rules have their own property tests beside `model::route`.

use serde_json::{Value, json};

use crate::support::{Tenant, TestApp, raw};

/// Routes a pattern to a script that answers the pattern's own text.
async fn sign(tenant: &Tenant, route: Value) -> Value {
    let label = format!(
        "{} {}{}",
        route["method"].as_str().unwrap_or("ANY"),
        route["host"].as_str().unwrap_or(""),
        route["path"].as_str().expect("a path")
    );
    let script =
        tenant.upload(&format!("sign-{}", uuid::Uuid::now_v7()), &format!("#{{ statusCode: 200, body: `{label}` }}")).await;
    tenant.route(&script, route).await
}

async fn answers(tenant: &Tenant, host: &str, method: &str, path: &str) -> String {
    let reply = tenant.client.call(host, method, path, "", &[]).await;
    if reply.status == 200 {
        reply.text()
    } else {
        format!("{} {}", reply.status, reply.json()["error"]["code"].as_str().unwrap_or("?"))
    }
}

#[tokio::test]
async fn exact_goes_before_param_before_prefix() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    for path in ["/users/*", "/users/:id", "/users/me", "/users/:id/posts", "/users/me/*", "/*"] {
        sign(&shop, json!({ "path": path })).await;
    }
    for (path, expected) in [
        ("/users/me", "ANY /users/me"),
        ("/users/7", "ANY /users/:id"),
        ("/users/7/posts", "ANY /users/:id/posts"),
        ("/users/7/other", "ANY /users/*"),
        ("/users/me/x", "ANY /users/me/*"),
        ("/users/me/posts", "ANY /users/:id/posts"),
        ("/users/7/posts/1", "ANY /users/*"),
        ("/elsewhere/at/all", "ANY /*"),
    ] {
        assert_eq!(answers(&shop, "shop.localhost", "GET", path).await, expected, "{path}");
    }
}

#[tokio::test]
async fn more_literal_leading_segments_go_first() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    for path in ["/a/:x/:y", "/a/b/:y", "/:x/b/c", "/a/*", "/a/b/*"] {
        sign(&shop, json!({ "path": path })).await;
    }
    for (path, expected) in [
        ("/a/b/c", "ANY /a/b/:y"),
        ("/a/x/c", "ANY /a/:x/:y"),
        ("/z/b/c", "ANY /:x/b/c"),
        ("/a/b/c/d", "ANY /a/b/*"),
        ("/a/x/y/z", "ANY /a/*"),
    ] {
        assert_eq!(answers(&shop, "shop.localhost", "GET", path).await, expected, "{path}");
    }
}

#[tokio::test]
async fn a_param_is_one_whole_segment_and_a_prefix_the_strict_subtree() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    for path in ["/p/:id", "/files/*"] {
        sign(&shop, json!({ "path": path })).await;
    }
    for path in ["/p", "/p/", "/p/a/b", "/files", "/files/", "/filesystem", "/P/a", "/"] {
        assert_eq!(answers(&shop, "shop.localhost", "GET", path).await, "404 not_found", "{path}");
    }
    assert_eq!(answers(&shop, "shop.localhost", "GET", "/files/a/b/").await, "ANY /files/*");
    assert_eq!(answers(&shop, "shop.localhost", "GET", "/p/%61").await, "ANY /p/:id");
}

#[tokio::test]
async fn a_method_goes_before_any_and_others_are_405_with_allow() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    sign(&shop, json!({ "path": "/m", "method": "GET" })).await;
    sign(&shop, json!({ "path": "/m", "method": "POST" })).await;
    sign(&shop, json!({ "path": "/both", "method": "get" })).await;
    sign(&shop, json!({ "path": "/both", "method": "ANY" })).await;
    assert_eq!(answers(&shop, "shop.localhost", "GET", "/m").await, "GET /m");
    assert_eq!(answers(&shop, "shop.localhost", "POST", "/m").await, "POST /m");
    assert_eq!(answers(&shop, "shop.localhost", "GET", "/both").await, "get /both");
    assert_eq!(answers(&shop, "shop.localhost", "DELETE", "/both").await, "ANY /both");

    let refused = shop.call("DELETE", "/m", "", &[]).await.fails(405, "method_not_allowed");
    let mut allowed: Vec<_> = refused.header("allow").expect("Allow").split(", ").collect();
    allowed.sort_unstable();
    assert_eq!(allowed, ["GET", "HEAD", "OPTIONS", "POST"]);
}

#[tokio::test]
async fn head_runs_get() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let script = shop.upload("seen", "#{ statusCode: 200, headers: #{ seen: ctx.request.method }, body: \"x\" }").await;
    shop.route(&script, json!({ "path": "/g", "method": "GET" })).await;
    let reply = shop.call("HEAD", "/g", "", &[]).await.expect(200);
    assert!(["GET", "HEAD"].contains(&reply.header("seen").expect("ran")));
    assert!(reply.body.is_empty());
    shop.route(&script, json!({ "path": "/p", "method": "POST" })).await;
    let refused = shop.call("HEAD", "/p", "", &[]).await.expect(405);
    assert!(refused.header("allow").expect("Allow").contains("POST"));
}

#[tokio::test]
async fn options_is_answered_by_the_platform_unless_a_route_takes_it() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    sign(&shop, json!({ "path": "/o", "method": "GET" })).await;
    sign(&shop, json!({ "path": "/own", "method": "OPTIONS" })).await;
    let reply = shop.call("OPTIONS", "/o", "", &[]).await.expect(204);
    assert!(reply.body.is_empty());
    let allow = reply.header("allow").expect("Allow").to_owned();
    assert!(["GET", "HEAD", "OPTIONS"].iter().all(|method| allow.contains(method)) && !allow.contains("POST"), "{allow}");
    assert_eq!(answers(&shop, "shop.localhost", "OPTIONS", "/own").await, "OPTIONS /own");
    assert_eq!(answers(&shop, "shop.localhost", "OPTIONS", "/nothing").await, "404 not_found");
}

#[tokio::test]
async fn a_strict_host_goes_before_a_wildcard_before_any() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    for host in [json!("api.shop.localhost"), json!("*.shop.localhost"), Value::Null] {
        let mut route = json!({ "path": "/h" });
        if !host.is_null() {
            route["host"] = host;
        }
        sign(&shop, route).await;
    }
    for (host, expected) in [
        ("api.shop.localhost", "ANY api.shop.localhost/h"),
        ("API.Shop.LOCALHOST:1234", "ANY api.shop.localhost/h"),
        ("other.shop.localhost", "ANY *.shop.localhost/h"),
        ("shop.localhost", "ANY /h"),
        ("a.b.shop.localhost", "ANY /h"),
        ("xshop.localhost", "404 not_found"),
        ("shop.localhost.evil.example", "404 not_found"),
    ] {
        assert_eq!(answers(&shop, host, "GET", "/h").await, expected, "{host}");
    }
}

#[tokio::test]
async fn a_host_that_is_not_the_apps_is_refused() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    app.create_app("other").await;
    let script = shop.upload("s", "1").await;
    for host in ["other.localhost", "*.localhost", "localhost", "example.org", "*.other.localhost"] {
        let refused = shop.try_route(&script, json!({ "path": "/", "host": host })).await.fails(422, "invalid");
        assert_eq!(refused.details()["field"], "host", "{host}");
    }
}

#[tokio::test]
async fn routes_that_would_tie_are_409_and_name_the_other() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let script = shop.upload("s", "1").await;
    for (first, second) in [
        (json!({ "path": "/a" }), json!({ "path": "/a" })),
        (json!({ "path": "/b/:x" }), json!({ "path": "/b/:y" })),
        (json!({ "path": "/c/*" }), json!({ "path": "/c/*" })),
        (json!({ "path": "/d", "method": "GET" }), json!({ "path": "/d", "method": "get" })),
        (json!({ "path": "/e", "method": "ANY" }), json!({ "path": "/e" })),
        (json!({ "path": "/f", "host": "x.shop.localhost" }), json!({ "path": "/f", "host": "X.shop.localhost" })),
        (json!({ "path": "/g/:x/:y/c" }), json!({ "path": "/g/:x/b/:y" })),
    ] {
        let there = shop.route(&script, first).await;
        let refused = shop.try_route(&script, second.clone()).await.fails(409, "conflict");
        assert_eq!(refused.details()["route"]["id"], there["id"], "{second}");
        assert_eq!(refused.details()["route"]["path"], there["path"], "{second}");
        assert!(refused.message().contains(there["path"].as_str().expect("a path")), "{}", refused.message());
    }
    for fine in [
        json!({ "path": "/a", "method": "GET" }),
        json!({ "path": "/a", "host": "shop.localhost" }),
        json!({ "path": "/b/*" }),
        json!({ "path": "/a/" }),
    ] {
        shop.route(&script, fine).await;
    }
}

#[tokio::test]
async fn two_apps_may_have_the_same_routes() {
    let app = TestApp::start().await;
    let (one, two) = (app.create_app("one").await, app.create_app("two").await);
    one.deploy("/same", r#""one""#).await;
    two.deploy("/same", r#""two""#).await;
    assert_eq!(one.get("/same").await.expect(200).json(), "one");
    assert_eq!(two.get("/same").await.expect(200).json(), "two");
}

#[tokio::test]
async fn of_many_equal_routes_at_once_one_is_made() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let script = shop.upload("s", "1").await;
    let tries: Vec<_> = (0..10)
        .map(|i| {
            let (shop, script) = (shop.clone(), script.clone());
            tokio::spawn(async move { shop.try_route(&script, json!({ "path": format!("/r/:p{i}") })).await.status })
        })
        .collect();
    let mut statuses = Vec::new();
    for attempt in tries {
        statuses.push(attempt.await.expect("a call"));
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [vec![201], vec![409; 9]].concat());
}

#[tokio::test]
async fn malformed_patterns_are_422_and_name_the_field() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let script = shop.upload("s", "1").await;
    for (route, field) in [
        (json!({ "path": "" }), "path"),
        (json!({ "path": "no-slash" }), "path"),
        (json!({ "path": "/a//b" }), "path"),
        (json!({ "path": "/a/../b" }), "path"),
        (json!({ "path": "/a?b" }), "path"),
        (json!({ "path": "/a#b" }), "path"),
        (json!({ "path": "/:" }), "path"),
        (json!({ "path": "/:a/:a" }), "path"),
        (json!({ "path": "/*/b" }), "path"),
        (json!({ "path": "/a*" }), "path"),
        (json!({ "path": "/a b" }), "path"),
        (json!({ "path": "/a\u{0}" }), "path"),
        (json!({ "path": "/a", "method": "GE T" }), "method"),
        (json!({ "path": "/a", "method": "" }), "method"),
        (json!({ "path": "/a", "host": "" }), "host"),
        (json!({ "path": "/a", "host": "a..shop.localhost" }), "host"),
        (json!({ "path": "/a", "host": "http://shop.localhost" }), "host"),
    ] {
        let refused = shop.try_route(&script, route.clone()).await.fails(422, "invalid");
        assert_eq!(refused.details()["field"], field, "{route}: {}", refused.text());
    }
}

#[tokio::test]
async fn malformed_request_paths_are_400() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    sign(&shop, json!({ "path": "/*" })).await;
    for path in ["/%", "/%zz", "/a/%2e%2e/b", "/a/../b", "/./a", "/%ff", "/%00"] {
        // By hand: a client would mend some of these on the way.
        let request = format!("GET {path} HTTP/1.1\r\nhost: shop.localhost\r\nconnection: close\r\n\r\n");
        let answer = String::from_utf8(raw::exchange(&app.data, request.as_bytes()).await).expect("UTF-8");
        assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("\"malformed_path\""), "{path}: {answer}");
    }
}

#[tokio::test]
async fn a_change_of_routes_shows_at_once() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let script = shop.upload("s", "1").await;
    for round in 0..5 {
        let route = shop.route(&script, json!({ "path": "/now" })).await;
        shop.get("/now").await.expect(200);
        app.delete(&format!("/admin/scripts/{}/routes/{}", script.id, route["id"].as_str().expect("an id"))).await.expect(204);
        assert_eq!(shop.get("/now").await.status, 404, "round {round}");
    }
}

#[tokio::test]
async fn a_new_slug_moves_the_app_and_a_deleted_app_is_gone() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.deploy("/x", "1").await;
    app.patch("/admin/apps/shop", json!({ "slug": "store" })).await.expect(200);
    app.call("store.localhost", "GET", "/x", "", &[]).await.expect(200);
    app.call("shop.localhost", "GET", "/x", "", &[]).await.expect(308);
    app.delete("/admin/apps/store?force=true").await.expect(204);
    for host in ["store.localhost", "shop.localhost"] {
        app.call(host, "GET", "/x", "", &[]).await.fails(404, "not_found");
    }
}

#[tokio::test]
async fn match_tells_which_route_would_answer_without_running_it() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let script = shop.upload("s", "throw 1;").await;
    let route = shop.route(&script, json!({ "path": "/users/:id", "method": "GET" })).await;
    let found = app
        .post("/admin/routes:match", json!({ "host": "shop.localhost", "method": "GET", "path": "/users/7" }))
        .await
        .expect(200)
        .json();
    assert_eq!(found["route"]["id"], route["id"], "{found}");
    assert_eq!(found["params"], json!({ "id": "7" }), "{found}");
}

#[tokio::test]
async fn a_module_answers_no_route() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let module = shop.upload_with("lib", "fn f() { 1 }", json!({ "kind": "module" })).await;
    shop.try_route(&module, json!({ "path": "/lib" })).await.expect(422);
}

#[tokio::test]
async fn health_is_answered_on_any_host_unless_an_app_routes_it() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    app.call("127.0.0.1", "GET", "/healthz", "", &[]).await.expect(200);
    app.call("unknown.example", "GET", "/healthz", "", &[]).await.expect(200);
    assert!([200, 404].contains(&shop.get("/healthz").await.status));
}
