//! Execution records: what they hold, that none is missing, and what happens when the database cannot keep up.

use std::time::Duration;

use picloud::limits;
use serde_json::json;

use crate::support::cluster::run;
use crate::support::{TestApp, eventually};

#[tokio::test]
async fn a_record_holds_what_the_invocation_used() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let script = shop.deploy("/w", r#"let c = kv::collection("c"); c.set("k", "0123456789"); c.get("k"); log::info("did it"); #{ statusCode: 201, body: "made" }"#).await;
    let reply = shop.post("/w", "hello body", "text/plain").await.expect(201);
    let record = shop.record(&reply).await;
    assert_eq!(record["id"], reply.execution_id());
    assert_eq!((&record["app_id"], &record["script_id"], &record["version"]), (&json!(shop.id), &json!(script.id), &json!(1)));
    assert_eq!((&record["outcome"], &record["status"]), (&json!("responded"), &json!(201)));
    let used = |name: &str| record["usage"][name].as_u64().unwrap_or_else(|| panic!("{name}: {record}"));
    assert!(used("fuel") > 40_000, "two host calls alone charge their base: {record}");
    assert!((1 << 20..=32 << 20).contains(&used("memory_peak_bytes")), "{record}");
    assert_eq!(used("host_calls"), 3, "the log line is one too");
    assert!(used("bytes_in") >= 20 && used("bytes_out") >= 14, "{record}");
    assert!((1..30_000_000).contains(&used("wall_us")), "{record}");
    assert_eq!(record["logs"][0]["message"], "did it");
    let started = chrono::DateTime::parse_from_rfc3339(record["started_at"].as_str().expect("a time")).expect("RFC 3339");
    assert!((app.clock.now() - started.to_utc()).num_seconds().abs() < 60);
}

#[tokio::test]
async fn the_same_run_costs_the_same_fuel() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.deploy("/f", "let x = 0; for i in 0..1000 { x += i; } x").await;
    let mut fuel = std::collections::HashSet::new();
    for _ in 0..5 {
        let reply = shop.get("/f").await.expect(200);
        fuel.insert(shop.record(&reply).await["usage"]["fuel"].as_u64().expect("a number"));
    }
    assert_eq!(fuel.len(), 1, "{fuel:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_concurrent_calls_are_all_recorded() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let script = shop.deploy("/n/:n", "log::info(ctx.request.params.n); ctx.request.params.n").await;
    let calls: Vec<_> = (0..200)
        .map(|n| {
            let shop = shop.clone();
            tokio::spawn(async move {
                let reply = shop.get(&format!("/n/{n}")).await.expect(200);
                (n, reply.execution_id().to_owned())
            })
        })
        .collect();
    for call in calls {
        let (n, id) = call.await.expect("a call");
        let record = app.execution(&id).await;
        assert_eq!(record["outcome"], "responded");
        assert_eq!(record["logs"][0]["message"], n.to_string());
    }
    let page = app.get(&format!("/admin/scripts/{}/executions?limit=200", script.id)).await.expect(200).json();
    assert_eq!(page["items"].as_array().map(Vec::len), Some(200));
    let started: Vec<_> =
        page["items"].as_array().expect("items").iter().map(|record| record["id"].as_str().expect("an id").to_owned()).collect();
    assert!(started.is_sorted_by(|a, b| a > b), "newest first");
}

#[tokio::test]
async fn a_record_can_be_read_as_soon_as_the_answer_is_there() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.deploy("/x", "1").await;
    for _ in 0..20 {
        let reply = shop.get("/x").await.expect(200);
        app.get(&format!("/executions/{}", reply.execution_id())).await.expect(200);
    }
}

/// Log bytes of records that wait to be written are bounded: with the tables locked, the lines past the bound are
/// dropped, counted and shown; and no caller waits for the database.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_queue_cannot_hold_is_dropped_counted_and_shown() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let (line, lines) = (limits::LOG_LINE_BYTES_MAX, limits::LOG_BYTES_PER_INVOCATION_MAX / limits::LOG_LINE_BYTES_MAX);
    shop.deploy("/chatty", &format!(r#"let s = ""; s.pad({line}, "x"); for i in 0..{lines} {{ log::info(s); }} 1"#)).await;
    let fitting = limits::RECORD_QUEUE_LOG_BYTES_MAX / limits::LOG_BYTES_PER_INVOCATION_MAX;
    let node = async || app.get("/admin/node").await.expect(200).json();
    assert_eq!(node().await["recorder"]["dropped_logs"], 0);

    let mut blocker = app.database.connect().await;
    run(&mut blocker, "BEGIN; LOCK TABLE executions, logs IN ACCESS EXCLUSIVE MODE").await;
    let (mut ids, extra) = (Vec::new(), 5);
    for _ in 0..fitting + extra {
        ids.push(shop.get("/chatty").await.expect(200).execution_id().to_owned());
    }
    assert_eq!(node().await["recorder"]["dropped_logs"], extra, "the queue holds {fitting} of these");
    run(&mut blocker, "ROLLBACK").await;

    let (mut kept, mut dropped) = (0, 0);
    for id in &ids {
        let record = app.execution(id).await;
        kept += record["logs"].as_array().map_or(0, Vec::len);
        dropped += record["logs_dropped"].as_u64().unwrap_or(0);
    }
    assert_eq!((kept, dropped), (fitting * lines, (extra * lines) as u64), "every line is kept or counted in its record");
    let after = node().await;
    assert_eq!((&after["recorder"]["dropped"], &after["recorder"]["queued"]), (&json!(0), &json!(0)), "{after}");
}

/// The queue of records is bounded too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_past_the_queue_are_counted() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.deploy("/x", "1").await;
    let mut blocker = app.database.connect().await;
    run(&mut blocker, "BEGIN; LOCK TABLE executions IN ACCESS EXCLUSIVE MODE").await;
    let most = limits::RECORD_QUEUE_EXECUTIONS_MAX + limits::RECORD_BATCH_EXECUTIONS_MAX;
    // Of those that are refused on a busy machine, only some have a record.
    let (mut calls, mut asked) = (0, 0);
    let dropped = async || app.get("/admin/node").await.expect(200).json()["recorder"]["dropped"].as_u64().expect("a number");
    while dropped().await == 0 {
        assert!(calls <= most + 400, "{calls} records wait");
        let burst = (0..400).map(|_| shop.get("/x"));
        for reply in futures_util::future::join_all(burst).await {
            assert!([200, 503].contains(&reply.status), "{}", reply.text());
            calls += usize::from(reply.status == 200);
        }
        asked += 400;
    }
    assert!(asked + 400 >= limits::RECORD_QUEUE_EXECUTIONS_MAX, "dropped after {asked}");
    run(&mut blocker, "ROLLBACK").await;
    let node = eventually("the queue is written", Duration::from_secs(20), async || {
        let node = app.get("/admin/node").await.json();
        (node["recorder"]["queued"] == 0).then_some(node)
    })
    .await;
    let (written, dropped) =
        (node["recorder"]["written"].as_u64().expect("a number"), node["recorder"]["dropped"].as_u64().expect("a number"));
    assert!(
        (calls..=asked).contains(&((written + dropped) as usize)),
        "every call is written or counted: {calls} {asked} {node}"
    );
    let used = app.get("/admin/apps/shop/usage?period=day").await.expect(200).json();
    let counted: u64 = used["items"].as_array().expect("items").iter().filter_map(|item| item["calls"].as_u64()).sum();
    assert_eq!(counted, asked as u64, "usage counts what has no record");
}

#[tokio::test]
async fn the_node_shows_its_recorder() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let reply = shop.run("1").await;
    shop.record(&reply).await;
    let node = app.get("/admin/node").await.expect(200).json();
    assert!(node["recorder"]["written"].as_u64().is_some_and(|written| written >= 1), "{node}");
    assert_eq!(node["recorder"]["dropped"], 0, "{node}");
}
