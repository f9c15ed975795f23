//! Scripts, versions and apps as resources.

use picloud::model::quota::Limits;
use serde_json::{Value, json};

use crate::support::TestApp;

#[tokio::test]
async fn an_upload_answers_with_the_whole_script() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let created = shop
        .upload_with("hello", r#"let c = kv::collection("c"); log::info("x"); 1"#, json!({ "description": "greets" }))
        .await
        .created;
    assert_eq!(created["name"], "hello");
    assert_eq!(created["app_id"], shop.id);
    assert_eq!(created["version"], 1);
    assert_eq!(created["kind"], "endpoint");
    assert_eq!(created["description"], "greets");
    assert_eq!(created["capabilities"], json!(["kv", "log"]));
    assert_eq!(created["limits"], json!(Limits::default()));
    let limits = &created["limits"];
    let told = (&limits["fuel"], &limits["memory_mb"], &limits["timeout_ms"]);
    assert_eq!(told, (&json!(500_000_000), &json!(32), &json!(10_000)));
}

#[tokio::test]
async fn capabilities_are_what_the_names_reach() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    for (i, (source, expected)) in [
        ("1", json!([])),
        ("print(1)", json!(["log"])),
        ("fn f() { kv::collection(\"c\").get(\"k\") } 1", json!(["kv"])),
        ("// kv::collection\n\"kv::x\"", json!([])),
        ("if ctx.request.body == 1 { log::info(\"x\") } |x| kv::collection(x)", json!(["kv", "log"])),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(shop.upload(&format!("c{i}"), source).await.created["capabilities"], expected, "{source}");
    }
}

#[tokio::test]
async fn a_new_version_answers_at_once_and_the_old_one_stays_readable() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let script = shop.deploy("/v", "1").await;
    let path = format!("/admin/scripts/{}", script.id);
    for n in 2..6 {
        let published = app.put(&path, json!({ "source": format!("{n}") })).await.expect(200).json();
        assert_eq!(published["version"], n);
        let reply = shop.get("/v").await.expect(200);
        assert_eq!(reply.json(), n);
        assert_eq!(shop.record(&reply).await["version"], n);
    }
    let read = app.get(&path).await.expect(200).json();
    assert_eq!((&read["version"], &read["source"]), (&json!(5), &json!("5")));
    let versions = app.get(&format!("{path}/versions")).await.expect(200).json();
    assert_eq!(versions["items"].as_array().map(Vec::len), Some(5), "{versions}");
    assert_eq!(app.get(&format!("{path}/versions/1")).await.expect(200).json()["source"], "1");
    app.get(&format!("{path}/versions/6")).await.fails(404, "not_found");
}

#[tokio::test]
async fn limits_stay_unless_a_new_version_changes_them() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let script = shop.upload_with("s", "1", json!({ "limits": { "fuel": 7_000_000 } })).await;
    let path = format!("/admin/scripts/{}", script.id);
    assert_eq!(app.put(&path, json!({ "source": "2" })).await.expect(200).json()["limits"]["fuel"], 7_000_000);
    let changed = app.put(&path, json!({ "source": "2", "limits": { "timeout_ms": 50 } })).await.expect(200).json();
    assert_eq!(changed["limits"], json!(Limits { fuel: 7_000_000, timeout_ms: 50, ..Limits::default() }));
}

#[tokio::test]
async fn a_deleted_script_answers_no_more() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let script = shop.deploy("/gone", "1").await;
    shop.get("/gone").await.expect(200);
    app.delete(&format!("/admin/scripts/{}", script.id)).await.expect(204);
    shop.get("/gone").await.fails(404, "not_found");
    app.get(&format!("/admin/scripts/{}", script.id)).await.fails(404, "not_found");
    app.post(&format!("/execute/{}", script.id), json!({})).await.fails(404, "not_found");
    shop.upload(&script.name, "2").await;
}

#[tokio::test]
async fn an_app_that_holds_scripts_needs_force_to_go() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.upload("s", "1").await;
    app.delete("/admin/apps/shop").await.fails(409, "conflict");
    app.delete("/admin/apps/shop?force=true").await.expect(204);
    app.get("/admin/apps/shop").await.fails(404, "not_found");
    assert_eq!(app.get("/admin/scripts").await.expect(200).json()["items"], json!([]));
}

#[tokio::test]
async fn an_app_is_found_by_id_and_by_slug() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let by_slug = app.get("/admin/apps/shop").await.expect(200).json();
    let by_id = app.get(&format!("/admin/apps/{}", shop.id)).await.expect(200).json();
    assert_eq!(by_slug, by_id);
    assert_eq!((&by_slug["slug"], &by_slug["name"], &by_slug["cors_origins"]), (&json!("shop"), &json!("shop"), &json!([])));
}

#[tokio::test]
async fn lists_walk_every_item_once() {
    let app = TestApp::start().await;
    let (shop, other) = (app.create_app("shop").await, app.create_app("other").await);
    for i in 0..7 {
        shop.upload(&format!("s{i}"), "1").await;
    }
    other.upload("elsewhere", "1").await;
    let (mut seen, mut cursor, mut pages) = (Vec::new(), None::<String>, 0);
    loop {
        let more = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let page = app.get(&format!("/admin/scripts?app=shop&limit=3{more}")).await.expect(200).json();
        seen.extend(
            page["items"].as_array().expect("items").iter().map(|item| item["name"].as_str().expect("a name").to_owned()),
        );
        pages += 1;
        match page["cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    seen.sort_unstable();
    assert_eq!((seen, pages), ((0..7).map(|i| format!("s{i}")).collect(), 3));
    assert!(app.get("/admin/scripts?app=shop").await.json()["items"][0].get("source").is_none(), "lists do not carry sources");
}

#[tokio::test]
async fn check_tells_without_storing() {
    let app = TestApp::start().await;
    let fine = app.post("/admin/scripts/check", json!({ "source": "kv::collection(\"c\")" })).await.expect(200).json();
    assert_eq!(fine["capabilities"], json!(["kv"]), "{fine}");
    assert_eq!((&fine["ok"], &fine["diagnostics"]), (&json!(true), &json!([])), "{fine}");
    let wrong = app.post("/admin/scripts/check", json!({ "source": "let a = 1;\nlet x = ;" })).await.expect(200).json();
    assert_eq!((&wrong["ok"], &wrong["diagnostics"][0]["line"]), (&json!(false), &json!(2)), "{wrong}");
    assert!(wrong["diagnostics"][0]["message"].is_string() && wrong["diagnostics"][0]["column"].is_u64(), "{wrong}");
    assert_eq!(app.get("/admin/scripts").await.expect(200).json()["items"], json!([]));
}

#[tokio::test]
async fn a_module_holds_functions_and_constants_only() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.upload_with("lib", "const A = 1; fn f() { 2 }", json!({ "kind": "module" })).await;
    let refused = shop.try_upload("lib2", "fn f() { 2 }\nf();", json!({ "kind": "module" })).await.fails(422, "syntax_error");
    assert_eq!(refused.details()["line"], 2);
    shop.try_upload("lib3", "let x = 1;", json!({ "kind": "module" })).await.fails(422, "syntax_error");
}

#[tokio::test]
async fn a_direct_call_never_becomes_a_page_of_the_control_plane() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let script = shop.upload("page", r#"#{ statusCode: 200, headers: #{ "content-type": "text/html", "set-cookie": "picloud_session=stolen", "x-own": "kept" }, body: "<script>alert(1)</script>" }"#).await;
    let reply = app.post(&format!("/execute/{}", script.id), json!({})).await.expect(200);
    assert!(reply.text().contains("alert"));
    assert!(reply.header("set-cookie").is_none(), "{reply:?}");
    let policy = reply.header("content-security-policy").unwrap_or_default();
    assert!(
        policy.contains("sandbox") || policy.contains("default-src 'none'") || reply.header("content-disposition").is_some(),
        "{reply:?}"
    );
    assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
}

#[tokio::test]
async fn version_names_product_sdk_api_schema_and_component() {
    let app = TestApp::start().await;
    let version: Value = crate::support::client::send(app.http.get(format!("{}/version", app.admin))).await.expect(200).json();
    for field in ["product", "sdk", "api", "schema", "component"] {
        assert!(version.to_string().contains(field), "{field}: {version}");
    }
    for plane in [&app.data, &app.admin] {
        crate::support::client::send(app.http.get(format!("{plane}/healthz"))).await.expect(200);
    }
}
