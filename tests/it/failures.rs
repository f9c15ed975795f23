//! The status table: what went wrong, what the caller is told, and what the record keeps.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::cluster::run;
use crate::support::{Client, Options, Tenant, TestApp, eventually};

/// Enough fuel that only the clock ends a loop of a test.
const PLENTY: u64 = 50_000_000_000;

#[tokio::test]
async fn what_a_script_throws_is_422() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    for (source, message) in [
        (r#"throw "no tea left";"#, "no tea left"),
        ("throw 7;", "7"),
        ("throw #{ a: 1 };", r#"{"a":1}"#),
        (r#"throw #{ code: "empty", message: "no tea" };"#, "empty: no tea"),
        ("throw;", "the script threw ()"),
    ] {
        let reply = shop.run(source).await.fails(422, "script_error");
        let record = shop.record(&reply).await;
        assert_eq!(record["outcome"], "script_failed", "{source}");
        assert_eq!(record["status"], 422, "{source}");
        assert_eq!(record["error"]["code"], "script_error", "{source}");
        assert_eq!(record["error"]["message"], message, "{source}");
    }
}

#[tokio::test]
async fn a_runtime_error_is_422() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    for source in [
        "1 / 0",
        "nothing_of_that_name",
        "no_such_function(1)",
        "[1][5]",
        "let x = 1; x.y",
        r#""a" - 1"#,
        "9223372036854775807 + 1",
        r#"parse_int("x")"#,
        "kv::nope(1)",
        "1 << 64 >> -1; 5 % 0",
    ] {
        shop.run(source).await.fails(422, "script_error");
    }
}

#[tokio::test]
async fn the_record_names_script_line_column_and_the_call_chain() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let source = "fn inner(x) {\n    x / 0\n}\nfn outer(x) {\n    inner(x)\n}\n\nlet y = 3;\nouter(y)\n";
    let script = shop.deploy("/deep", source).await;
    let reply = shop.get("/deep").await.fails(422, "script_error");
    let error = shop.record(&reply).await["error"].clone();
    assert_eq!(error["script"], script.name);
    assert_eq!((&error["line"], &error["column"]), (&json!(2), &json!(7)), "{error}");
    assert_eq!(
        error["calls"],
        json!([{ "function": "inner", "line": 5, "column": 5 }, { "function": "outer", "line": 9, "column": 1 }]),
        "innermost first, each with the place it was called from"
    );
    let message = error["message"].as_str().expect("a message");
    assert!(!message.contains("line"), "the place is a field of its own: {message}");
}

#[tokio::test]
async fn a_host_calls_error_has_the_scripts_place() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let reply = shop.run("let c = kv::collection(\"c\");\n\n  c.get(\"\")").await.fails(422, "script_error");
    let error = shop.record(&reply).await["error"].clone();
    assert_eq!(error["line"], 3, "{error}");
    assert!(error["message"].as_str().expect("a message").starts_with("invalid_argument: "), "{error}");
}

#[tokio::test]
async fn a_public_caller_learns_nothing_of_the_script() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let source = "fn secret_function() { throw \"secret-message\"; }\nlet secret_variable = 1;\nsecret_function();";
    shop.deploy("/secretive", source).await;
    let reply = shop.get("/secretive").await.fails(422, "script_error");
    assert_eq!(reply.details(), Value::Null);
    let whole = format!("{} {:?}", reply.text(), reply.headers);
    for secret in ["secret", "line", "column", "throw"] {
        assert!(!whole.contains(secret), "{secret} in {whole}");
    }
    let loud = shop.run(r#"#{ statusCode: "secret" }"#).await.fails(502, "invalid_response");
    assert_eq!(loud.details(), Value::Null);
    assert!(!loud.text().contains("secret"), "{}", loud.text());
}

#[tokio::test]
async fn a_caller_with_log_read_sees_why() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let script = shop.upload("why", "\n  throw \"the reason\";").await;
    let reply = app.post(&format!("/execute/{}", script.id), json!({})).await.fails(422, "script_error");
    let details = reply.details();
    assert!(details.to_string().contains("the reason"), "{details}");
    assert_eq!((&details["line"], &details["column"]), (&json!(2), &json!(3)), "{details}");
}

#[tokio::test]
async fn spent_fuel_is_507() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let reply = shop.run_with("loop {}", json!({ "limits": { "fuel": 5_000_000 } })).await.fails(507, "fuel_exhausted");
    let record = shop.record(&reply).await;
    assert_eq!((&record["outcome"], &record["status"]), (&json!("fuel_exhausted"), &json!(507)));
    let fuel = record["usage"]["fuel"].as_u64().expect("a number");
    assert!((4_500_000..=5_000_000).contains(&fuel), "{fuel}");
}

#[tokio::test]
async fn memory_past_its_bound_is_507() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let reply = shop
        .run_with(r#"let s = "0123456789abcdef"; loop { s += s; }"#, json!({ "limits": { "memory_mb": 16 } }))
        .await
        .fails(507, "memory_exceeded");
    let record = shop.record(&reply).await;
    assert_eq!((&record["outcome"], &record["status"]), (&json!("memory_exceeded"), &json!(507)));
    let peak = record["usage"]["memory_peak_bytes"].as_u64().expect("a number");
    assert!((1 << 20..=16 << 20).contains(&peak), "{peak}");
}

#[tokio::test]
async fn a_passed_deadline_is_504_and_in_time() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.deploy_with("/spin", "loop {}", json!({ "limits": { "fuel": PLENTY, "timeout_ms": 200 } })).await;
    let since = Instant::now();
    let reply = shop.get("/spin").await.fails(504, "deadline_exceeded");
    assert!(since.elapsed() >= Duration::from_millis(200), "{:?}", since.elapsed());
    assert!(since.elapsed() < Duration::from_secs(3), "{:?}", since.elapsed());
    let record = shop.record(&reply).await;
    assert_eq!((&record["outcome"], &record["status"]), (&json!("deadline_exceeded"), &json!(504)));
    let wall = record["usage"]["wall_us"].as_u64().expect("a number");
    assert!((200_000..3_000_000).contains(&wall), "{wall}");
}

#[tokio::test]
async fn the_deadline_also_ends_a_pending_host_call() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.deploy_with("/wait", r#"kv::collection("c").get("k")"#, json!({ "limits": { "timeout_ms": 200 } })).await;
    shop.get("/wait").await.expect(200);

    let mut blocker = app.database.connect().await;
    run(&mut blocker, "BEGIN; LOCK TABLE kv_entries IN ACCESS EXCLUSIVE MODE").await;
    // More calls than the server has connections: none may be lost to an ended invocation.
    let mut ended = Vec::new();
    for _ in 0..3 {
        let calls: Vec<_> = (0..12)
            .map(|_| {
                let shop = shop.clone();
                tokio::spawn(async move { shop.get("/wait").await })
            })
            .collect();
        for call in calls {
            let reply = call.await.expect("a call");
            match reply.status {
                503 => drop(reply.fails(503, "overloaded")),
                _ => ended.push(reply.fails(504, "deadline_exceeded")),
            }
        }
    }
    run(&mut blocker, "ROLLBACK").await;
    assert!(ended.len() >= 8, "{}", ended.len());
    for reply in ended {
        assert_eq!(shop.record(&reply).await["outcome"], "deadline_exceeded");
    }
    shop.get("/wait").await.expect(200);
}

/// What hangs below ended invocations must not take everybody else's connections with it.
#[tokio::test]
async fn host_calls_that_hang_leave_the_control_plane_its_connections() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.deploy_with("/wait", r#"kv::collection("c").get("k")"#, json!({ "limits": { "timeout_ms": 100 } })).await;
    let mut blocker = app.database.connect().await;
    run(&mut blocker, "BEGIN; LOCK TABLE kv_entries IN ACCESS EXCLUSIVE MODE").await;
    for _ in 0..5 {
        for reply in futures_util::future::join_all((0..8).map(|_| shop.get("/wait"))).await {
            assert!([503, 504].contains(&reply.status), "{}", reply.shown());
        }
    }
    app.get("/admin/auth/me").await.expect(200);
    app.create_app("other").await.run("1").await.expect(200);
    run(&mut blocker, "ROLLBACK").await;
    shop.get("/wait").await.expect(200);
}

#[tokio::test]
async fn a_full_node_answers_503_and_when_to_come_back() {
    let app = TestApp::start_with(Options { places: 2, ..Options::default() }).await;
    let (mut holders, mut blocker) = (Vec::new(), app.database.connect().await);
    run(&mut blocker, "BEGIN; LOCK TABLE kv_entries IN ACCESS EXCLUSIVE MODE").await;
    for slug in ["one", "two"] {
        let tenant = app.create_app(slug).await;
        tenant.deploy_with("/wait", r#"kv::collection("c").get("k")"#, json!({ "limits": { "timeout_ms": 20_000 } })).await;
        holders.push(tokio::spawn(async move { tenant.get("/wait").await }));
    }
    eventually("both places are taken", Duration::from_secs(8), async || {
        (app.get("/admin/node").await.json()["running"] == 2).then_some(())
    })
    .await;

    let shop = app.create_app("shop").await;
    shop.deploy("/free", "1").await;
    let refused = shop.get("/free").await.fails(503, "overloaded");
    let after: u64 = refused.header("retry-after").expect("Retry-After").parse().expect("seconds");
    assert!((1..=60).contains(&after), "{after}");
    assert_eq!(app.get("/admin/node").await.json()["refused"], 1);
    let record = shop.record(&refused).await;
    assert_eq!((&record["outcome"], &record["status"]), (&json!("denied"), &json!(503)));

    run(&mut blocker, "ROLLBACK").await;
    for holder in holders {
        holder.await.expect("a call").expect(200);
    }
    shop.get("/free").await.expect(200);
}

/// Half of the places are the most for one app: a burner leaves room for its neighbours.
#[tokio::test]
async fn one_app_cannot_fill_the_node() {
    let app = TestApp::start_with(Options { places: 4, ..Options::default() }).await;
    let (burner, neighbour) = (app.create_app("burner").await, app.create_app("neighbour").await);
    burner.deploy_with("/burn", "loop {}", json!({ "limits": { "fuel": PLENTY, "timeout_ms": 3_000 } })).await;
    neighbour.deploy("/hello", "1").await;
    let burning: Vec<_> = (0..12)
        .map(|_| {
            let burner = burner.clone();
            tokio::spawn(async move { burner.get("/burn").await.status })
        })
        .collect();
    eventually("the burner runs", Duration::from_secs(5), async || {
        (app.get("/admin/node").await.json()["running"] == 2).then_some(())
    })
    .await;
    for _ in 0..20 {
        neighbour.get("/hello").await.expect(200);
    }
    for call in burning {
        let status = call.await.expect("a call");
        assert!([503, 504].contains(&status), "{status}");
    }
}

#[tokio::test]
async fn an_answer_past_its_bound_is_502() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let reply = shop
        .run(r#"let s = "0123456789abcdef"; while s.len() < 5000000 { s += s; } #{ statusCode: 200, body: s }"#)
        .await
        .fails(502, "response_too_large");
    let record = shop.record(&reply).await;
    assert_eq!((&record["outcome"], &record["error"]["code"]), (&json!("script_failed"), &json!("response_too_large")));
    shop.run(r#"let s = ""; s.pad(1000000, "x"); [s, s, s, s, s]"#).await.fails(502, "response_too_large");
}

#[tokio::test]
async fn an_unknown_host_or_route_is_404_and_runs_nothing() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.deploy("/there", "1").await;
    for (host, path) in [
        ("nobody.localhost", "/there"),
        ("localhost", "/there"),
        ("shop.example", "/there"),
        ("127.0.0.1", "/there"),
        ("shop.localhost", "/not-there"),
        ("shop.localhost", "/there/below"),
    ] {
        let reply = app.call(host, "GET", path, "", &[]).await.fails(404, "not_found");
        assert!(reply.header("picloud-execution-id").is_none(), "{host}{path}");
    }
    app.call("SHOP.LocalHost:8080", "GET", "/there", "", &[]).await.expect(200);
}

#[tokio::test]
async fn a_failure_of_ours_is_500_and_shows_an_id_only() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.deploy("/fine", "1").await;
    let mut admin = app.database.connect().await;
    run(&mut admin, "ALTER TABLE script_versions RENAME TO hidden_versions").await;
    let reply = shop.get("/fine").await.fails(500, "internal");
    assert_eq!(reply.details(), Value::Null);
    for inner in ["relation", "script_versions", "sqlx", "SELECT", "database"] {
        assert!(!reply.text().contains(inner), "{}", reply.text());
    }
    run(&mut admin, "ALTER TABLE hidden_versions RENAME TO script_versions").await;
    shop.get("/fine").await.expect(200);
}

#[tokio::test]
async fn a_host_calls_failure_of_ours_can_be_caught_and_tells_nothing() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let mut admin = app.database.connect().await;
    run(&mut admin, "ALTER TABLE kv_entries RENAME TO hidden").await;
    let caught = shop.caught(r#"kv::collection("c").get("k")"#).await;
    assert!(["internal", "unavailable"].contains(&caught["code"].as_str().expect("a code")), "{caught}");
    assert!(!caught.to_string().contains("kv_entries"), "{caught}");
}

#[tokio::test]
async fn neither_trap_can_be_caught_by_a_script() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.run_with("try { loop {} } catch { 1 }", json!({ "limits": { "fuel": 5_000_000 } })).await.fails(507, "fuel_exhausted");
    shop.run_with(
        r#"try { let s = "0123456789abcdef"; loop { s += s; } } catch { 1 }"#,
        json!({ "limits": { "memory_mb": 16 } }),
    )
    .await
    .fails(507, "memory_exceeded");
    shop.run_with("try { loop {} } catch { 1 }", json!({ "limits": { "fuel": PLENTY, "timeout_ms": 100 } }))
        .await
        .fails(504, "deadline_exceeded");
}

#[tokio::test]
async fn eval_is_disabled() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let refused = shop.try_upload("evil", r#"eval("1 + 1")"#, json!({})).await.fails(422, "syntax_error");
    assert_eq!(refused.details()["line"], 1);
    let called = shop.run(r#"let f = Fn("eval"); f.call("1 + 1")"#).await;
    assert_eq!(called.status, 422, "not through a pointer either: {}", called.text());
}

#[tokio::test]
async fn every_answer_of_a_script_carries_its_ids() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    for source in ["1", "throw 1;", "#{ statusCode: \"x\" }", "#{ statusCode: 404 }"] {
        let reply = shop.run(source).await;
        let (execution, request) = (reply.execution_id().to_owned(), reply.header("x-request-id").expect("an id").to_owned());
        assert!(execution.parse::<uuid::Uuid>().is_ok_and(|id| id.get_version_num() == 7), "{execution}");
        let record = shop.record(&reply).await;
        assert_eq!(record["id"], execution);
        assert_eq!(record["app_id"], shop.id);
        if let Some(recorded) = record.get("request_id") {
            assert_eq!(*recorded, request);
        }
    }
    assert_distinct_ids(&app, &shop).await;
}

async fn assert_distinct_ids(app: &Client, shop: &Tenant) {
    shop.deploy("/again", "1").await;
    let mut seen = std::collections::HashSet::new();
    for _ in 0..20 {
        let reply = app.call(&shop.host, "GET", "/again", "", &[("x-request-id", "chosen-by-the-caller")]).await;
        assert!(seen.insert(reply.execution_id().to_owned()));
        assert_ne!(reply.header("x-request-id"), Some("chosen-by-the-caller"));
    }
}
