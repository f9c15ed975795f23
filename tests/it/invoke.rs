//! `invoke`: scripts that call scripts of the same app.

use picloud::limits::{INVOKE_ARGUMENTS_BYTES_MAX, INVOKE_DEPTH_MAX};
use serde_json::{Value, json};

use crate::support::app::Options;
use crate::support::{Tenant, TestApp, eventually};

impl Tenant {
    async fn callee(&self, source: &str) {
        self.upload("callee", source).await;
    }

    async fn last_record_of(&self, script: &str) -> Option<Value> {
        let listed = self.client.get(&format!("/admin/scripts/{script}/executions")).await.expect(200).json();
        listed["items"].as_array()?.first().cloned()
    }
}

#[tokio::test]
async fn a_call_gives_the_value_of_the_other_script() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.callee("let n = ctx.request.body; #{ twice: n.a * 2, type: ctx.invocation_type, method: ctx.request.method }").await;
    let got = shop.value(r#"invoke::call("callee", #{ a: 21 })"#).await;
    assert_eq!(got, json!({ "twice": 42, "type": "function", "method": "POST" }));
}

#[tokio::test]
async fn a_structured_response_is_a_map_like_any_other() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.callee(r#"if ctx.request.body == 1 { throw #{ statusCode: 403, body: "no" } } #{ statusCode: 201, body: "made" }"#)
        .await;
    assert_eq!(shop.value(r#"invoke::call("callee", 2)"#).await, json!({ "statusCode": 201, "body": "made" }));
    assert_eq!(shop.value(r#"invoke::call("callee", 1)"#).await, json!({ "statusCode": 403, "body": "no" }));
}

#[tokio::test]
async fn how_the_other_script_failed_can_be_caught() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.upload("thrower", "1;\nthrow \"boom\"").await;
    shop.upload_with("burner", "loop {}", json!({ "limits": { "fuel": 2_000_000 } })).await;
    shop.upload_with("eater", "let s = \"x\"; loop { s += s; }", json!({ "limits": { "memory_mb": 8 } })).await;
    shop.upload("useless", "Fn(\"f\")").await;
    for (name, code, part) in [
        ("thrower", "script_error", "thrower, line 2: boom"),
        ("burner", "fuel_exhausted", "fuel"),
        ("eater", "memory_exceeded", "8 MiB"),
        ("useless", "invalid_response", "JSON"),
        ("nobody", "not_found", "`nobody`"),
    ] {
        let caught = shop.caught(&format!(r#"invoke::call("{name}", ())"#)).await;
        assert_eq!(caught["code"], code, "{caught}");
        assert!(caught["message"].as_str().is_some_and(|message| message.contains(part)), "{caught}");
    }
    assert_eq!(shop.caught(r#"invoke::call("thrower", (), #{ timeout: 1 })"#).await["code"], "invalid_argument");
    assert_eq!(shop.caught(r#"invoke::call("thrower", (), #{ timeout_ms: 0 })"#).await["code"], "invalid_argument");
}

#[tokio::test]
async fn the_other_script_ends_within_the_time_it_is_given() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.upload_with("slow", "loop {}", json!({ "limits": { "fuel": 50_000_000_000_u64 } })).await;
    let caught = shop.caught(r#"invoke::call("slow", (), #{ timeout_ms: 50 })"#).await;
    assert_eq!(caught["code"], "deadline_exceeded", "{caught}");
    let limits = json!({ "limits": { "timeout_ms": 300 } });
    shop.run_with(r#"invoke::call("slow", ())"#, limits).await.fails(504, "deadline_exceeded");
}

#[tokio::test]
async fn each_call_has_a_record_of_its_own_under_one_request() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let callee = shop.upload("callee", "log::info(\"inside\"); 1").await;
    let reply = shop.run(r#"invoke::call("callee", ())"#).await.expect(200);
    let own = shop.record(&reply).await;
    let theirs =
        eventually("the inner record", std::time::Duration::from_secs(10), async || shop.last_record_of(&callee.id).await).await;
    assert_ne!(own["id"], theirs["id"]);
    assert_eq!(own["request_id"], theirs["request_id"]);
    assert!(theirs["usage"]["fuel"].as_u64().is_some_and(|fuel| fuel > 0), "{theirs}");
}

#[tokio::test]
async fn scripts_call_each_other_so_deep_and_no_deeper() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.upload("down", r#"let n = ctx.request.body; if n == 0 { "bottom" } else { invoke::call("down", n - 1) }"#).await;
    let from_outside = |n: u32| format!(r#"invoke::call("down", {})"#, n - 1);
    assert_eq!(shop.value(&from_outside(INVOKE_DEPTH_MAX)).await, "bottom");
    let caught = shop.caught(&from_outside(INVOKE_DEPTH_MAX + 1)).await;
    assert!(caught["message"].as_str().is_some_and(|message| message.contains("deeper than 8")), "{caught}");
}

#[tokio::test]
async fn arguments_are_bounded() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.callee("ctx.request.body.len()").await;
    // As JSON it has two quotes more.
    let call = |bytes: usize| format!(r#"let s = ""; s.pad({bytes}, "x"); invoke::call("callee", s)"#);
    assert_eq!(shop.value(&call(INVOKE_ARGUMENTS_BYTES_MAX - 2)).await, INVOKE_ARGUMENTS_BYTES_MAX - 2);
    let refused = shop.caught(&call(INVOKE_ARGUMENTS_BYTES_MAX - 1)).await;
    assert_eq!(refused["code"], "invalid_argument", "{refused}");
}

#[tokio::test]
async fn a_started_script_runs_without_being_waited_for() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.callee(r#"kv::collection("c").set("k", ctx.request.body); ctx.execution_id"#).await;
    let id = shop.value(r#"invoke::start("callee", "later")"#).await;
    let record = app.execution(id.as_str().expect("an id")).await;
    assert_eq!(record["outcome"], "responded");
    assert_eq!(shop.value(r#"kv::collection("c").get("k")"#).await, "later");
    assert_eq!(shop.caught(r#"invoke::start("nobody", ())"#).await["code"], "not_found");
}

#[tokio::test]
async fn scripts_of_another_app_are_not_there() {
    let app = TestApp::start().await;
    let (one, two) = (app.create_app("one").await, app.create_app("two").await);
    one.callee("\"one's\"").await;
    assert_eq!(two.caught(r#"invoke::call("callee", ())"#).await["code"], "not_found");
    two.callee("\"two's\"").await;
    assert_eq!(two.value(r#"invoke::call("callee", ())"#).await, "two's");
}

/// Callers that fill every place they may must not wait for places that only they could give back.
#[tokio::test]
async fn callers_do_not_take_the_places_of_those_they_call() {
    let app = TestApp::start_with(Options { places: 4, ..Options::default() }).await;
    let shop = app.create_app("shop").await;
    shop.callee("let n = 0; for i in 0..20000 { n += i; } n").await;
    shop.deploy("/call", r#"invoke::call("callee", ())"#).await;
    let calls: Vec<_> = (0..24)
        .map(|_| {
            let shop = shop.clone();
            tokio::spawn(async move { shop.get("/call").await.expect(200) })
        })
        .collect();
    for call in calls {
        call.await.expect("a call");
    }
}
