//! Test calls: a script run as a request would run it, and everything told about the run.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use picloud::limits::HOST_CALLS_TRACED_MAX;
use reqwest::Method;
use serde_json::{Value, json};

use crate::rights::people;
use crate::support::client::{Script, send};
use crate::support::{Client, Reply, TestApp};

async fn try_out(client: &Client, script: &Script, asked: Value) -> Reply {
    client.post(&format!("/admin/scripts/{}/test", script.id), asked).await
}

async fn tried(client: &Client, script: &Script, asked: Value) -> Value {
    try_out(client, script, asked).await.expect(200).json()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

fn items<'a>(told: &'a Value, field: &str) -> &'a Vec<Value> {
    told[field].as_array().unwrap_or_else(|| panic!("{field}: {told}"))
}

/// The body of an answer that is JSON.
fn body(told: &Value) -> Value {
    serde_json::from_str(text(&told["body"])).expect("JSON")
}

async fn executions(client: &Client, script: &Script) -> Vec<Value> {
    let page = client.get(&format!("/admin/scripts/{}/executions", script.id)).await.expect(200).json();
    items(&page, "items").clone()
}

#[tokio::test]
async fn a_script_sees_the_request_as_it_was_given_and_its_answer_is_told() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let source = r#"
        log::info("hello", #{ n: 1 });
        let seen = #{ type: ctx.invocation_type, id: ctx.execution_id, request: ctx.request };
        #{ statusCode: 201, headers: #{ "x-a": "1" }, body: seen }
    "#;
    let script = shop.upload("things", source).await;
    let asked = json!({
        "method": "PUT",
        "path": "/things/7",
        "query": "x=1&y=a%20b",
        "headers": { "X-B": "2", "Content-Type": "application/json" },
        "params": { "id": "7" },
        "rest": "left/over",
        "body": "{\"n\":1}",
    });
    let told = tried(&app, &script, asked).await;
    assert_eq!((&told["status"], &told["outcome"], &told["version"]), (&json!(201), &json!("responded"), &json!(1)));
    assert_eq!((&told["failure"], &told["body_base64"]), (&Value::Null, &Value::Null));
    assert!(items(&told, "headers").contains(&json!(["x-a", "1"])), "{told}");
    let seen = body(&told);
    assert_eq!((&seen["type"], &seen["id"]), (&json!("http"), &told["execution_id"]));
    let request = json!({
        "method": "PUT",
        "path": "/things/7",
        "query": { "x": "1", "y": "a b" },
        "headers": { "content-type": "application/json", "x-b": "2" },
        "params": { "id": "7" },
        "rest": "left/over",
        "body": { "n": 1 },
        "cookies": {},
        "form": {},
        "remote_addr": "127.0.0.1",
    });
    assert_eq!(seen["request"], request);
    let log = items(&told, "logs");
    assert_eq!((log.len(), &log[0]["message"], &log[0]["data"]), (1, &json!("hello"), &json!({ "n": 1 })));
    assert_eq!((&told["logs_dropped"], &told["calls_dropped"]), (&json!(0), &json!(0)));

    // Nothing at all is a request, too.
    let plain = body(&tried(&app, &script, json!({})).await)["request"].clone();
    assert_eq!((&plain["method"], &plain["path"], &plain["body"]), (&json!("GET"), &json!("/"), &Value::Null));
    assert_eq!((&plain["headers"], &plain["rest"]), (&json!({}), &Value::Null));
}

#[tokio::test]
async fn it_is_recorded_once_as_any_other_call() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let script = shop.upload("counts", r#"log::warn("odd"); kv::collection("c").increment("n")"#).await;
    let told = tried(&app, &script, json!({ "path": "/x" })).await;
    let record = app.execution(text(&told["execution_id"])).await;
    for field in ["version", "outcome", "status", "usage"] {
        assert_eq!(record[field], told[field], "{field}");
    }
    assert_eq!((&record["error"], &record["logs"][0]["message"]), (&told["failure"], &told["logs"][0]["message"]));
    let listed = executions(&app, &script).await;
    assert_eq!(listed.iter().map(|one| &one["id"]).collect::<Vec<_>>(), [&told["execution_id"]]);
    let usage = app.get("/admin/apps/shop/usage?period=day").await.expect(200).json();
    assert_eq!((&usage["items"][0]["calls"], &usage["items"][0]["fuel"]), (&json!(1), &told["usage"]["fuel"]));
    // What it wrote is written.
    assert_eq!(shop.value(r#"kv::collection("c").get("n")"#).await, 1);
}

#[tokio::test]
async fn however_a_script_ends_the_answer_is_200_and_says_so() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let plenty = 50_000_000_000_u64;
    for (name, source, limits, status, code, outcome) in [
        ("throws", "\nthrow \"no tea\";", json!({}), 422, "script_error", "script_failed"),
        ("answers-badly", "#{ statusCode: 99 }", json!({}), 502, "invalid_response", "script_failed"),
        ("burns", "loop {}", json!({ "fuel": 5_000_000 }), 507, "fuel_exhausted", "fuel_exhausted"),
        (
            "grows",
            r#"let s = "0123456789abcdef"; loop { s += s; }"#,
            json!({ "memory_mb": 16 }),
            507,
            "memory_exceeded",
            "memory_exceeded",
        ),
        ("spins", "loop {}", json!({ "fuel": plenty, "timeout_ms": 200 }), 504, "deadline_exceeded", "deadline_exceeded"),
    ] {
        let source = format!("log::info(\"begun\"); {source}");
        let script = shop.upload_with(name, &source, json!({ "limits": limits })).await;
        let told = tried(&app, &script, json!({})).await;
        assert_eq!((&told["status"], &told["outcome"]), (&json!(status), &json!(outcome)), "{name}");
        assert_eq!(told["failure"]["code"], code, "{name}: {told}");
        assert_eq!((&told["headers"], &told["body"], &told["body_base64"]), (&json!([]), &Value::Null, &Value::Null), "{name}");
        assert_eq!(told["logs"][0]["message"], "begun", "{name}");
        assert!(items(&told, "calls").iter().any(|call| call["interface"] == "log" && call["error"].is_null()), "{name}");
        assert_eq!(app.execution(text(&told["execution_id"])).await["error"], told["failure"], "{name}");
        if name == "throws" {
            assert_eq!((&told["failure"]["message"], &told["failure"]["line"]), (&json!("no tea"), &json!(2)), "{told}");
        }
    }
}

#[tokio::test]
async fn host_calls_are_told_in_order_with_what_became_of_them() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.upload("fine", r#"kv::collection("c").get("k")"#).await;
    shop.upload("broken", r#"throw "broken""#).await;
    let source = r#"
        let c = kv::collection("c");
        c.set("k", 1);
        c.get("k");
        try { queue::send("q", 1); } catch (e) { }
        try { c.get(""); } catch (e) { }
        invoke::call("fine", ());
        try { invoke::call("broken", ()); } catch (e) { }
        try { invoke::call("nobody", ()); } catch (e) { }
        "done"
    "#;
    let script = shop.upload("caller", source).await;
    shop.grant(json!({ "queue": ["other"] })).await;
    let told = tried(&app, &script, json!({})).await;
    assert_eq!(told["body"], "\"done\"", "{told}");
    let all = items(&told, "calls");
    assert_eq!(all.len() as u64, told["usage"]["host_calls"].as_u64().expect("a number"));
    let began: Vec<_> = all.iter().map(|call| call["began_us"].as_u64().expect("a number")).collect();
    assert!(began.is_sorted() && all.iter().all(|call| call["took_us"].is_u64()), "{all:?}");
    let sum = |field: &str| all.iter().map(|call| call[field].as_u64().expect("a number")).sum::<u64>();
    assert!(sum("bytes_in") <= told["usage"]["bytes_in"].as_u64().expect("a number"), "{told}");

    let known = all.iter().filter(|call| ["kv", "queue", "invoke"].contains(&text(&call["interface"])));
    let known: Vec<_> = known.collect();
    let names: Vec<_> =
        known.iter().map(|call| (text(&call["interface"]), text(&call["function"]), call["error"].as_str())).collect();
    let expected = [
        ("kv", "set", None),
        ("kv", "get", None),
        ("queue", "send", Some("denied")),
        ("kv", "get", Some("invalid_argument")),
        ("invoke", "call", None),
        ("invoke", "call", Some("script_error")),
        ("invoke", "call", Some("not_found")),
    ];
    assert_eq!(names, expected);
    let bytes = |place: usize| (&known[place]["bytes_out"], &known[place]["bytes_in"]);
    assert_eq!(bytes(0), (&json!(3), &json!(0)), "collection, key and value go out");
    assert_eq!(bytes(1), (&json!(2), &json!(1)), "the value comes in");

    // Nobody watches the others: what they ask of the host is in their records only.
    let direct = app.post(&format!("/execute/{}", script.id), json!({})).await.expect(200);
    assert_eq!(direct.json(), "done");
}

#[tokio::test]
async fn so_many_host_calls_are_told_and_the_others_counted() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let script = shop.upload("logs", r#"for i in 0..parse_int(ctx.request.query.n) { log::info("x"); } "#).await;
    let calls = async |n: usize| {
        let told = tried(&app, &script, json!({ "query": format!("n={n}") })).await;
        let dropped = told["calls_dropped"].as_u64().expect("a number");
        let host_calls = told["usage"]["host_calls"].as_u64().expect("a number");
        assert_eq!(items(&told, "calls").len() as u64 + dropped, host_calls, "{n}");
        (items(&told, "calls").len(), dropped)
    };
    let most = HOST_CALLS_TRACED_MAX;
    assert_eq!(most, 500);
    let (others, _) = calls(0).await;
    assert_eq!(calls(most - others).await, (most, 0));
    assert_eq!(calls(most - others + 1).await, (most, 1));
    assert_eq!(calls(most - others + 7).await, (most, 7));
}

#[tokio::test]
async fn bodies_of_any_bytes_go_in_and_come_out() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let script = shop.upload("echo", "#{ statusCode: 200, body: ctx.request.body }").await;
    let bytes = BASE64.encode([0, 255, 16, 128]);
    let asked = json!({ "headers": { "content-type": "application/octet-stream" }, "body_base64": bytes });
    let told = tried(&app, &script, asked).await;
    assert_eq!((&told["body"], &told["body_base64"]), (&Value::Null, &json!(bytes)));
    assert!(items(&told, "headers").contains(&json!(["content-type", "application/octet-stream"])), "{told}");
    let words = json!({ "headers": { "content-type": "text/plain" }, "body": "grüße\n" });
    let told = tried(&app, &script, words).await;
    assert_eq!((&told["body"], &told["body_base64"]), (&json!("grüße\n"), &Value::Null));
}

#[tokio::test]
async fn a_body_may_be_as_long_as_the_script_lets_it_be() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let limits = json!({ "limits": { "request_body_bytes": 2_000 } });
    let script = shop.upload_with("short", "ctx.request.body.len()", limits).await;
    let long = |bytes: usize| json!({ "headers": { "content-type": "text/plain" }, "body": "x".repeat(bytes) });
    assert_eq!(tried(&app, &script, long(2_000)).await["body"], "2000");
    let refused = try_out(&app, &script, long(2_001)).await.fails(413, "request_too_large");
    assert_eq!(refused.details(), json!({ "bytes_max": 2_000 }));
    assert_eq!(executions(&app, &script).await.len(), 1, "what is refused is not run");
}

#[tokio::test]
async fn nothing_of_a_credential_reaches_the_script() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let script = shop.upload("nosy", "log::info(\"seen\", ctx); ctx").await;
    let path = format!("/admin/scripts/{}/test", script.id);
    // With a bearer, and with the cookie of a browser on our own pages.
    let told = tried(&app, &script, json!({ "headers": { "authorization": "Bearer mine", "cookie": "a=1" } })).await;
    assert_eq!(body(&told)["request"]["headers"]["authorization"], "Bearer mine");
    let request = app.request(Method::POST, &path).header("cookie", format!("picloud_session={}", app.token));
    let request = request.header("sec-fetch-site", "same-origin").header("x-mine", "s3cret").json(&json!({}));
    let by_cookie = send(request).await.expect(200);
    for told in [told.to_string(), by_cookie.text()] {
        assert!(!told.contains(&app.token) && !told.contains("s3cret") && !told.contains("picloud_session"), "{told}");
    }
    for (name, value) in [
        ("authorization", format!("Bearer {}", app.token)),
        ("cookie", format!("a=1; picloud_session={}", app.token)),
        ("connection", "close".to_owned()),
        ("picloud-fuel-used", "1".to_owned()),
    ] {
        let refused = try_out(&app, &script, json!({ "headers": { name: value } })).await.fails(422, "invalid");
        assert_eq!(refused.details()["field"], format!("headers.{name}"));
        assert!(!refused.text().contains(&app.token), "{}", refused.text());
    }
    assert_eq!(executions(&app, &script).await.len(), 2);
}

#[tokio::test]
async fn a_stored_version_runs_beside_the_active_one_with_the_modules_of_now() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let module = shop.upload_with("words", r#"fn word() { "one" }"#, json!({ "kind": "module" })).await;
    let script = shop.deploy("/say", r#"import "words" as words; `first ${words::word()}`"#).await;
    let publish = async |script: &Script, source: &str| {
        app.put(&format!("/admin/scripts/{}", script.id), json!({ "source": source })).await.expect(200);
    };
    publish(&script, r#""second""#).await;
    let say = async |version: Option<i32>| {
        let told = tried(&app, &script, json!({ "version": version })).await;
        (text(&told["body"]).trim_matches('"').to_owned(), told["version"].as_i64().expect("a number"))
    };
    assert_eq!(say(None).await, ("second".to_owned(), 2));
    assert_eq!(say(Some(2)).await, ("second".to_owned(), 2));
    assert_eq!(say(Some(1)).await, ("first one".to_owned(), 1));
    // Nobody who runs imports it any more, so nothing tells that it has changed.
    publish(&module, r#"fn word() { "two" }"#).await;
    assert_eq!(say(Some(1)).await, ("first two".to_owned(), 1));
    assert_eq!(shop.get("/say").await.expect(200).json(), "second", "what runs is what ran");
    let versions: Vec<_> = executions(&app, &script).await.iter().map(|one| one["version"].clone()).collect();
    assert_eq!(versions.iter().filter(|version| **version == json!(1)).count(), 2, "{versions:?}");

    app.delete(&format!("/admin/scripts/{}", module.id)).await.expect(204);
    try_out(&app, &script, json!({ "version": 1 })).await.fails(422, "import_missing");
    try_out(&app, &script, json!({ "version": 3 })).await.fails(404, "not_found");
    assert_eq!(say(None).await, ("second".to_owned(), 2));
}

#[tokio::test]
async fn it_takes_the_right_to_run_and_the_right_to_read_the_log() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let (script, module) =
        (shop.upload("works", "1").await, shop.upload_with("words", "fn word() { 1 }", json!({ "kind": "module" })).await);
    people::add(&app, "ada", "member").await;
    let ada = people::login(&app, "ada").await;
    try_out(&ada, &script, json!({})).await.fails(404, "not_found");
    people::admit(&shop, "ada", "viewer").await;
    try_out(&ada, &script, json!({})).await.fails(403, "forbidden");
    people::admit(&shop, "ada", "editor").await;
    assert_eq!(tried(&ada, &script, json!({})).await["body"], "1");
    let (one, both) =
        (people::with_key(&app, &["script:write"]).await, people::with_key(&app, &["script:write", "log:read"]).await);
    let refused = try_out(&one, &script, json!({})).await.fails(403, "forbidden");
    assert_eq!(refused.details()["scope"], "log:read");
    tried(&both, &script, json!({})).await;
    try_out(&app, &module, json!({})).await.fails(422, "invalid");
    try_out(&app, &script, json!({ "verison": 1 })).await.fails(422, "invalid");
}

#[tokio::test]
async fn a_call_that_the_app_has_no_allowance_for_is_refused_as_any_other() {
    let app = crate::events_bounds::stopped().await;
    let shop = app.create_app("shop").await;
    let script = shop.upload("works", "1").await;
    app.put("/admin/apps/shop/quota", json!({ "requests_per_s": 1 })).await.expect(200);
    tried(&app, &script, json!({})).await;
    let refused = try_out(&app, &script, json!({})).await.fails(429, "rate_limited");
    assert!(refused.header("retry-after").is_some());
}
