//! What the instance keeps an app from: it loses that at once, and gets it back by no way of its own.

use serde_json::{Value, json};

use crate::rights::people;
use crate::support::{Reply, Tenant, TestApp};

async fn restrict(app: &TestApp, capabilities: &[&str], trigger_kinds: &[&str]) -> Reply {
    let body = json!({ "capabilities": capabilities, "trigger_kinds": trigger_kinds });
    app.put("/admin/apps/shop/restrictions", body).await
}

fn manifest() -> Value {
    json!({
        "scripts": {
            "hello": { "source": "kv::collection(\"c\").has(\"k\")", "routes": [{ "path": "/hello" }] },
            "ticks": { "source": "1", "triggers": [{ "kind": "cron", "schedule": "0 0 0 1 JAN *" }] },
        },
        "grants": { "kv": ["*"], "http": ["api.example.com"] },
    })
}

async fn apply(shop: &Tenant, manifest: &Value) -> Reply {
    shop.client.post("/admin/apps/shop/deployments", json!({ "manifest": manifest })).await
}

#[tokio::test]
async fn what_is_forbidden_ends_at_once_and_is_a_deployment() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    apply(&shop, &manifest()).await.expect(200);
    shop.get("/hello").await.expect(200);
    assert_eq!(
        restrict(&app, &["kv"], &["cron"]).await.expect(200).json(),
        json!({ "capabilities": ["kv"], "trigger_kinds": ["cron"] })
    );
    shop.get("/hello").await.fails(422, "script_error");
    let triggers = app.get("/admin/apps/shop/triggers").await.expect(200).json();
    assert_eq!(triggers["items"][0]["state"], "disabled");
    let grants = app.get("/admin/apps/shop/grants").await.expect(200).json();
    assert_eq!((&grants["kv"], &grants["http"]), (&json!([]), &json!(["api.example.com"])));
    let newest = app.get("/admin/apps/shop/deployments").await.expect(200).json()["items"][0].clone();
    assert_eq!((&newest["cause"], &newest["active"]), (&json!("restrictions.update"), &json!(true)));
    restrict(&app, &[], &[]).await.expect(200);
    let grants = app.get("/admin/apps/shop/grants").await.expect(200).json();
    assert_eq!(grants["kv"], json!([]), "nothing comes back by itself");
    let after = app.get("/admin/apps/shop/deployments").await.expect(200).json()["items"][0].clone();
    assert_eq!(after["deployment"], newest["deployment"], "what changes nothing that runs is no deployment");
}

#[tokio::test]
async fn nothing_brings_back_what_is_forbidden() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    apply(&shop, &manifest()).await.expect(200);
    restrict(&app, &["http"], &["cron"]).await.expect(200);
    people::add(&app, "ada", "member").await;
    people::admit(&shop, "ada", "app_admin").await;
    let ada = people::login(&app, "ada").await;
    let asked = json!({ "capabilities": [], "trigger_kinds": [] });
    ada.put("/admin/apps/shop/restrictions", asked).await.fails(403, "forbidden");

    ada.patch("/admin/apps/shop/grants", json!({ "http": ["*"] })).await.fails(422, "restricted");
    ada.put("/admin/apps/shop/grants", json!({ "http": ["*"] })).await.fails(422, "restricted");
    let triggers = ada.get("/admin/apps/shop/triggers").await.expect(200).json();
    let (id, script) = (triggers["items"][0]["id"].as_str().unwrap(), &triggers["items"][0]["script_id"]);
    ada.patch(&format!("/admin/apps/shop/triggers/{id}"), json!({ "enabled": true })).await.fails(422, "restricted");
    let tick = json!({ "script_id": script, "schedule": "0 0 0 1 FEB *" });
    ada.post("/admin/apps/shop/triggers/cron", tick).await.fails(422, "restricted");
    let queue = json!({ "script_id": script, "queue": "q" });
    ada.post("/admin/apps/shop/triggers/queue", queue).await.expect(201);

    let refused = ada.post("/admin/apps/shop/rollback", json!({ "to": 1 })).await.fails(422, "restricted");
    assert_eq!(
        refused.details()["refused"],
        json!(["a grant of http", "a trigger of the kind cron (script ticks)"]),
        "all that is in the way is named"
    );
    assert!(
        refused.message().contains("the instance does not let the app shop have a grant of http, or a trigger of the kind cron")
    );
    let dry = json!({ "to": 1, "dry_run": true });
    ada.post("/admin/apps/shop/rollback", dry).await.fails(422, "restricted");
    ada.post("/admin/apps/shop/deployments/1/activate", json!({})).await.fails(422, "restricted");
    let body = json!({ "manifest": manifest() });
    ada.post("/admin/apps/shop/plan", body.clone()).await.fails(422, "restricted");
    ada.post("/admin/apps/shop/deployments", body.clone()).await.fails(422, "restricted");
    let mut stored = body;
    stored["activate"] = json!(false);
    ada.post("/admin/apps/shop/deployments", stored).await.fails(422, "restricted");

    let mut without = manifest();
    without["grants"]["http"] = json!([]);
    without["scripts"]["ticks"]["triggers"][0]["enabled"] = json!(false);
    apply(&shop, &without).await.expect(200);
    restrict(&app, &[], &[]).await.expect(200);
    ada.post("/admin/apps/shop/rollback", json!({ "to": 1 })).await.expect(200);
    assert_eq!(ada.get("/admin/apps/shop/grants").await.expect(200).json()["http"], json!(["api.example.com"]));
}

#[tokio::test]
async fn words_that_are_none_are_refused_and_change_nothing() {
    let app = TestApp::start().await;
    app.create_app("shop").await;
    for (capabilities, kinds) in [(&["log"][..], &[][..]), (&[], &["http"]), (&["KV"], &[]), (&[""], &[])] {
        restrict(&app, capabilities, kinds).await.fails(422, "invalid");
    }
    app.put("/admin/apps/shop/restrictions", json!({ "capabilities": [] })).await.fails(422, "invalid");
    let none = json!({ "capabilities": [], "trigger_kinds": [] });
    assert_eq!(app.get("/admin/apps/shop/restrictions").await.expect(200).json(), none);
    let doubled = restrict(&app, &["kv", "http", "kv"], &[]).await.expect(200).json();
    assert_eq!(doubled["capabilities"], json!(["http", "kv"]));
}
