//! Versions of a script: stored without being active, made active, told apart.

use serde_json::{Value, json};

use crate::support::{Tenant, TestApp};

async fn answer(shop: &Tenant) -> Value {
    shop.get("/v").await.expect(200).json()
}

#[tokio::test]
async fn a_version_is_stored_without_being_active_and_made_active_later() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let script = shop.deploy("/v", "1").await;
    let path = format!("/admin/scripts/{}", script.id);
    let next = json!({ "source": "2", "activate": false, "message": "two" });
    let stored = app.put(&path, next.clone()).await.expect(200).json();
    assert_eq!((&stored["version"], &stored["stored"]), (&json!(1), &json!(2)));
    assert_eq!(answer(&shop).await, 1);
    let again = app.put(&path, next).await.expect(200).json();
    assert_eq!(again["stored"], 2, "the same content is the same version");
    let version = app.get(&format!("{path}/versions/2")).await.expect(200).json();
    assert_eq!((&version["message"], &version["source"]), (&json!("two"), &json!("2")));
    let active = app.post(&format!("{path}/activate"), json!({ "version": 2, "message": "go" })).await.expect(200).json();
    assert_eq!((&active["version"], answer(&shop).await), (&json!(2), json!(2)));
    let deployment = app.get("/admin/apps/shop/deployments").await.expect(200).json()["items"][0].clone();
    assert_eq!((&deployment["cause"], &deployment["message"]), (&json!("version.activate"), &json!("go")));
    app.post(&format!("{path}/activate"), json!({ "version": 1 })).await.expect(200);
    assert_eq!(answer(&shop).await, 1);
    app.post(&format!("{path}/activate"), json!({ "version": 3 })).await.fails(404, "not_found");
}

#[tokio::test]
async fn a_version_that_was_active_comes_back_with_the_modules_of_today() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let module = shop.upload_with("m", "fn f() { 1 }", json!({ "kind": "module" })).await;
    let script = shop.deploy("/v", "import \"m\" as m; m::f()").await;
    let path = format!("/admin/scripts/{}", script.id);
    app.put(&path, json!({ "source": "9" })).await.expect(200);
    app.put(&format!("/admin/scripts/{}", module.id), json!({ "source": "fn f() { 2 }" })).await.expect(200);
    app.post(&format!("{path}/activate"), json!({ "version": 1 })).await.expect(200);
    assert_eq!(answer(&shop).await, 2);
    // A module of a version that is active goes back, too.
    app.post(&format!("/admin/scripts/{}/activate", module.id), json!({ "version": 1 })).await.expect(200);
    assert_eq!(answer(&shop).await, 1);
}

#[tokio::test]
async fn a_module_that_would_break_its_importers_is_not_even_stored() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let module = shop.upload_with("m", "const N = 1;", json!({ "kind": "module" })).await;
    shop.deploy("/v", "import \"m\" as m; m::N").await;
    let path = format!("/admin/scripts/{}", module.id);
    let next = json!({ "source": "import \"m\" as m;", "activate": false });
    app.put(&path, next).await.fails(422, "import_cycle");
    assert_eq!(app.get(&format!("{path}/versions")).await.expect(200).json()["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_capability_that_was_taken_away_keeps_a_version_from_coming_back() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let script = shop.deploy("/v", "kv::collection(\"a\").get(\"b\")").await;
    let path = format!("/admin/scripts/{}", script.id);
    app.put(&path, json!({ "source": "1" })).await.expect(200);
    app.patch("/admin/apps/shop/grants", json!({ "kv": [] })).await.expect(200);
    let refused = app.post(&format!("{path}/activate"), json!({ "version": 1 })).await;
    assert_eq!(refused.fails(422, "not_granted").details()["capability"], "kv");
    assert_eq!(answer(&shop).await, 1);
}

#[tokio::test]
async fn a_version_is_activated_in_the_state_that_was_read() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let script = shop.deploy("/v", "1").await;
    let path = format!("/admin/scripts/{}", script.id);
    let tag = app.get(&path).await.expect(200).header("etag").expect("a tag").to_owned();
    app.put(&path, json!({ "source": "2" })).await.expect(200);
    let request = app.request(reqwest::Method::POST, &format!("{path}/activate")).bearer_auth(&app.token).header("if-match", tag);
    let stale = crate::support::client::send(request.json(&json!({ "version": 1 }))).await;
    stale.fails(412, "precondition_failed");
    assert_eq!(answer(&shop).await, 2);
}

#[tokio::test]
async fn two_versions_are_told_apart() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let script = shop.deploy("/v", "let x = 1;\nx").await;
    let path = format!("/admin/scripts/{}", script.id);
    let next = json!({ "source": "let x = 1;\nkv::collection(\"a\").get(\"b\")", "limits": { "timeout_ms": 50 } });
    app.put(&path, next).await.expect(200);
    let diff = app.get(&format!("{path}/versions/2/diff?against=1")).await.expect(200).json();
    assert_eq!((&diff["before"], &diff["after"], &diff["gained"]), (&json!(1), &json!(2), &json!(["kv"])));
    assert_eq!((&diff["limits_before"]["timeout_ms"], &diff["limits_after"]["timeout_ms"]), (&json!(10_000), &json!(50)));
    assert!(diff["source"].as_str().unwrap().contains("-x\n+kv::collection"), "{diff}");
    let back = app.get(&format!("{path}/versions/1/diff")).await.expect(200).json();
    assert_eq!((&back["before"], &back["lost"]), (&json!(2), &json!(["kv"])));
}
