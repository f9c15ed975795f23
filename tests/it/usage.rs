//! What apps use: sums that add up whatever becomes of the records, how much of a day's log is kept, how long usage is known.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use chrono::TimeDelta;
use picloud::ingress::Ingress;
use picloud::invoke::Invoker;
use picloud::limits::{LOG_LINE_COST_MIN, RECORD_BYTES, SWEEP_BATCH, USAGE_PERIODS_MAX};
use picloud::model::usage::Period;
use picloud::service::{Services, retention};
use picloud::{api, store};
use serde_json::{Value, json};
use sqlx::PgConnection;
use tokio::net::TcpListener;

use crate::events_bounds::stopped;
use crate::support::app::{sandbox, settings};
use crate::support::cluster::run;
use crate::support::{Client, Tenant, TestApp};

/// All that is counted, but for the peak.
const SUMS: [&str; 9] = ["calls", "failed", "refused", "fuel", "wall_us", "host_calls", "bytes_in", "bytes_out", "log_bytes"];

/// A page's items of the app's usage.
async fn usage(client: &Client, app: &str, query: &str) -> Vec<Value> {
    let page = client.get(&format!("/admin/apps/{app}/usage{query}")).await.expect(200).json();
    page["items"].as_array().expect("items").clone()
}

fn sum(items: &[Value], field: &str) -> u64 {
    items.iter().map(|item| item[field].as_u64().unwrap_or_else(|| panic!("{field}: {item}"))).sum()
}

async fn count(db: &mut PgConnection, what: &'static str) -> i64 {
    sqlx::query_scalar(what).fetch_one(db).await.expect("a count")
}

async fn set_quota(tenant: &Tenant, quota: Value) {
    tenant.client.put(&format!("/admin/apps/{}/quota", tenant.slug), quota).await.expect(200);
}

/// Ids of a script's records, once all that ran is recorded.
async fn records(client: &Client, script: &str) -> Vec<String> {
    let page = client.get(&format!("/admin/scripts/{script}/executions")).await.expect(200).json();
    let items = page["items"].as_array().expect("items").iter();
    items.map(|item| item["id"].as_str().expect("an id").to_owned()).collect()
}

#[tokio::test]
async fn sums_add_up_over_every_period_and_by_script() {
    let app = stopped().await;
    let (shop, other) = (app.create_app("shop").await, app.create_app("other").await);
    let busy = r#"let c = kv::collection("c"); c.set("k", "0123456789"); c.get("k"); log::info("x"); "done""#;
    let (one, two) = (shop.deploy("/one", busy).await, shop.deploy("/two", "1").await);
    other.deploy("/x", "1").await;
    other.get("/x").await.expect(200);
    let mut ran = Vec::new();
    // At noon, a minute later, an hour later, and on the next day.
    for (path, wait_s) in [("/one", 0), ("/one", 0), ("/two", 0), ("/one", 60), ("/two", 3_600), ("/one", 23 * 3_600)] {
        app.advance(TimeDelta::seconds(wait_s));
        let reply = shop.post(path, "a body", "text/plain").await.expect(200);
        ran.push(shop.record(&reply).await["usage"].clone());
    }

    for (period, started) in [
        (
            "minute",
            vec![
                ("2026-06-01T12:00:00Z", 3),
                ("2026-06-01T12:01:00Z", 1),
                ("2026-06-01T13:01:00Z", 1),
                ("2026-06-02T12:01:00Z", 1),
            ],
        ),
        ("hour", vec![("2026-06-01T12:00:00Z", 4), ("2026-06-01T13:00:00Z", 1), ("2026-06-02T12:00:00Z", 1)]),
        ("day", vec![("2026-06-01T00:00:00Z", 5), ("2026-06-02T00:00:00Z", 1)]),
    ] {
        let range = format!("?period={period}&from=2026-06-01T12:00:00Z");
        let all = usage(&app, "shop", &range).await;
        let told: Vec<_> = all
            .iter()
            .map(|item| (item["started_at"].as_str().expect("a time"), item["calls"].as_u64().expect("a number")))
            .collect();
        assert_eq!(told, started, "{period}");
        assert!(all.iter().all(|item| item.get("script_id").is_none()));
        for field in ["fuel", "wall_us", "host_calls", "bytes_in", "bytes_out"] {
            assert_eq!(sum(&all, field), sum(&ran, field), "{period}: {field}");
        }
        let line = LOG_LINE_COST_MIN as u64;
        assert_eq!(sum(&all, "log_bytes"), 6 * RECORD_BYTES + 4 * line, "{period}");
        let peak = |items: &[Value]| items.iter().map(|item| item["memory_peak_bytes"].as_u64().expect("a number")).max();
        assert_eq!(peak(&all), peak(&ran), "{period}");

        let each = usage(&app, "shop", &format!("{range}&by=script")).await;
        let order = |item: &Value| (item["started_at"].to_string(), item["script_id"].to_string());
        assert!(each.is_sorted_by(|a, b| order(a) < order(b)), "{each:?}");
        for field in SUMS {
            assert_eq!(sum(&each, field), sum(&all, field), "{period}: {field}");
        }
        for (script, calls) in [(&one, 4), (&two, 2)] {
            let own = usage(&app, "shop", &format!("{range}&script_id={}", script.id)).await;
            let of_each: Vec<_> = each.iter().filter(|item| item["script_id"] == script.id.as_str()).cloned().collect();
            assert_eq!((sum(&own, "calls"), &own), (calls, &of_each), "{period}");
        }
    }
    // Without a word: the last 24 hours. What is another app's is not among it.
    assert_eq!(sum(&usage(&app, "shop", "").await, "calls"), 2);
    assert_eq!(sum(&usage(&app, "other", "?period=day").await, "calls"), 1);
    assert_eq!(usage(&app, "other", &format!("?period=day&script_id={}", one.id)).await, Vec::<Value>::new());
    app.get("/admin/apps/nobody/usage").await.fails(404, "not_found");
}

#[tokio::test]
async fn pages_follow_each_other_without_a_gap() {
    let app = stopped().await;
    let shop = app.create_app("shop").await;
    for path in ["/one", "/two", "/three"] {
        shop.deploy(path, "1").await;
    }
    for _ in 0..3 {
        for path in ["/one", "/two", "/three"] {
            shop.get(path).await.expect(200);
        }
        app.advance(TimeDelta::seconds(60));
    }
    for (query, items) in [("?period=minute", 3), ("?period=minute&by=script", 9), ("?period=hour", 1)] {
        let whole = usage(&app, "shop", query).await;
        assert_eq!(whole.len(), items, "{query}");
        let (mut walked, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = app.get(&format!("/admin/apps/shop/usage{query}&limit=2{cursor}")).await.expect(200).json();
            walked.extend(page["items"].as_array().expect("items").clone());
            let Some(next) = page["cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(walked, whole, "{query}");
    }
    app.get("/admin/apps/shop/usage?cursor=zz").await.fails(422, "invalid");
}

#[tokio::test]
async fn failures_and_refusals_are_counted_apart() {
    let app = stopped().await;
    let shop = app.create_app("shop").await;
    // The clock stands still: there is no third request for as long as that.
    set_quota(&shop, json!({ "requests_per_s": 2 })).await;
    let throws = shop.deploy("/throws", "throw 1").await;
    let burns = shop.deploy_with("/burns", "loop { }", json!({ "limits": { "fuel": 1_000_000 } })).await;
    shop.get("/throws").await.expect(422);
    shop.get("/burns").await.expect(507);
    shop.get("/throws").await.expect(429);
    let each = usage(&app, "shop", "?by=script").await;
    for (script, told) in [(&throws, [2, 1, 1]), (&burns, [1, 1, 0])] {
        let own = each.iter().find(|item| item["script_id"] == script.id.as_str()).expect("usage of each");
        assert_eq!(["calls", "failed", "refused"].map(|field| own[field].as_u64().expect("a number")), told, "{own}");
    }
    // What was refused has used nothing, and has no record: there may be any number.
    assert_eq!(records(&app, &throws.id).await.len(), 1);
    assert_eq!(sum(&each, "log_bytes"), 2 * RECORD_BYTES);
}

#[tokio::test]
async fn so_many_periods_are_shown_and_not_one_more() {
    let app = stopped().await;
    app.create_app("shop").await;
    let most = USAGE_PERIODS_MAX;
    for period in Period::ALL {
        let from = app.clock.now() - TimeDelta::seconds(period.seconds() * (most - 1));
        let ask = |from: chrono::DateTime<chrono::Utc>| {
            let query = format!("period={}&from={}", period.as_str(), from.format("%Y-%m-%dT%H:%M:%SZ"));
            format!("/admin/apps/shop/usage?{query}")
        };
        app.get(&ask(from)).await.expect(200);
        let refused = app.get(&ask(from - TimeDelta::seconds(period.seconds()))).await.fails(422, "invalid");
        assert_eq!(refused.details(), json!({ "field": "from", "asked": most + 1, "bound": most }));
    }
    for (query, field) in [
        ("?from=2026-06-01T12:00:01Z", "from"),
        ("?from=2026-05-01T00:00:00Z&to=2026-05-01T00:00:00Z", "from"),
        ("?period=week", "period"),
        ("?by=app", "by"),
    ] {
        let refused = app.get(&format!("/admin/apps/shop/usage{query}")).await.fails(422, "invalid");
        assert_eq!(refused.details()["field"], field, "{query}");
    }
    for query in ["?from=yesterday", "?script_id=x", "?since=2026-05-01T00:00:00Z"] {
        app.get(&format!("/admin/apps/shop/usage{query}")).await.fails(422, "invalid");
    }
}

#[tokio::test]
async fn records_are_kept_up_to_the_days_quota_and_usage_beyond() {
    let app = stopped().await;
    let shop = app.create_app("shop").await;
    set_quota(&shop, json!({ "log_bytes_per_day": 2 * RECORD_BYTES })).await;
    let script = shop.deploy("/x", "1").await;
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(shop.get("/x").await.expect(200).execution_id().to_owned());
    }
    // The clock stands still: ids tell nothing of the order.
    let (first, last) = (ids[..2].iter().collect::<BTreeSet<_>>(), &ids[2]);
    assert_eq!(records(&app, &script.id).await.iter().collect::<BTreeSet<_>>(), first, "N is kept, N + 1 is not");
    app.get(&format!("/executions/{last}")).await.fails(404, "not_found");
    let today = usage(&app, "shop", "?period=day").await;
    assert_eq!((sum(&today, "calls"), sum(&today, "log_bytes")), (4, 2 * RECORD_BYTES));
    let node = app.get("/admin/node").await.expect(200).json();
    assert_eq!((&node["recorder"]["records_over_quota"], &node["recorder"]["dropped"]), (&json!(2), &json!(0)), "{node}");

    // More is allowed from now on.
    set_quota(&shop, json!({ "log_bytes_per_day": 3 * RECORD_BYTES })).await;
    for _ in 0..2 {
        shop.get("/x").await.expect(200);
    }
    assert_eq!(records(&app, &script.id).await.len(), 3);
    // The last moment of the day, and the first of the next.
    app.advance(TimeDelta::seconds(12 * 3_600) - TimeDelta::microseconds(1));
    shop.get("/x").await.expect(200);
    assert_eq!(records(&app, &script.id).await.len(), 3);
    app.advance(TimeDelta::microseconds(1));
    shop.get("/x").await.expect(200);
    assert_eq!(records(&app, &script.id).await.len(), 4);
    assert_eq!(sum(&usage(&app, "shop", "?period=day").await, "calls"), 8);
}

#[tokio::test]
async fn log_lines_are_left_out_before_records_are() {
    let app = stopped().await;
    let whole = RECORD_BYTES + LOG_LINE_COST_MIN as u64;
    for (slug, bytes, lines) in [("enough", whole, 1), ("short", whole - 1, 0)] {
        let tenant = app.create_app(slug).await;
        set_quota(&tenant, json!({ "log_bytes_per_day": bytes })).await;
        tenant.deploy("/x", r#"log::info("x"); 1"#).await;
        let reply = tenant.get("/x").await.expect(200);
        let record = tenant.record(&reply).await;
        assert_eq!(record["logs"].as_array().map(Vec::len), Some(lines), "{slug}: {record}");
        assert_eq!(record["logs_dropped"], 1 - lines, "{slug}: {record}");
        let counted = if lines == 1 { whole } else { RECORD_BYTES };
        assert_eq!(sum(&usage(&app, slug, "?period=day").await, "log_bytes"), counted, "{slug}");
    }
}

/// Both planes of another node on the same database, with the same clock.
async fn another_node(app: &TestApp) -> Client {
    async fn serve(router: Router) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move { axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>()).await });
        format!("http://{address}")
    }
    let db = store::connect(app.database.url().parse().expect("a database URL")).await.expect("the database answers");
    let services = Services::connect(db, app.clock.clone(), settings(app.data_dir())).await.expect("services");
    let (services, sandbox) = (Arc::new(services), Arc::new(sandbox(4, app.clock.clone()).await));
    let invoker = Arc::new(Invoker::new(services.clone(), sandbox).expect("an invoker"));
    let data = serve(Router::new().fallback_service(Ingress::new(services.clone(), invoker.clone()))).await;
    let admin = serve(api::router(services, invoker, api::Config::default())).await;
    Client { data, admin, ..app.client.clone() }
}

#[tokio::test]
async fn what_a_node_before_has_kept_of_the_day_counts_for_the_next() {
    let app = stopped().await;
    let shop = app.create_app("shop").await;
    set_quota(&shop, json!({ "log_bytes_per_day": 2 * RECORD_BYTES })).await;
    let script = shop.deploy("/x", "1").await;
    shop.get("/x").await.expect(200);
    assert_eq!(records(&app, &script.id).await.len(), 1);

    let next = Tenant { client: another_node(&app).await, ..shop.clone() };
    for kept in [2, 2] {
        next.get("/x").await.expect(200);
        assert_eq!(records(&next.client, &script.id).await.len(), kept);
    }
    let today = usage(&next.client, "shop", "?period=day").await;
    assert_eq!((sum(&today, "calls"), sum(&today, "log_bytes")), (3, 2 * RECORD_BYTES));
}

#[tokio::test]
async fn what_other_nodes_keep_counts_from_the_next_write_on() {
    let app = stopped().await;
    let shop = app.create_app("shop").await;
    set_quota(&shop, json!({ "log_bytes_per_day": 3 * RECORD_BYTES })).await;
    let script = shop.deploy("/x", "1").await;
    shop.get("/x").await.expect(200);
    assert_eq!(records(&app, &script.id).await.len(), 1);
    let more = format!("UPDATE usage SET calls = calls + 1, log_bytes = log_bytes + {RECORD_BYTES} WHERE period = 'day'");
    run(&mut app.database.connect().await, &more).await;
    for kept in [2, 2] {
        shop.get("/x").await.expect(200);
        assert_eq!(records(&app, &script.id).await.len(), kept);
    }
    assert_eq!(sum(&usage(&app, "shop", "?period=day").await, "log_bytes"), 3 * RECORD_BYTES);
}

#[tokio::test]
async fn usage_that_cannot_be_written_stays_counted() {
    let app = stopped().await;
    let shop = app.create_app("shop").await;
    let script = shop.deploy("/x", "1").await;
    let mut db = app.database.connect().await;
    run(&mut db, "ALTER TABLE usage ADD CONSTRAINT usage_none_check CHECK (calls < 0) NOT VALID").await;
    for _ in 0..2 {
        shop.get("/x").await.expect(200);
    }
    assert_eq!(usage(&app, "shop", "").await, Vec::<Value>::new());
    assert_eq!(records(&app, &script.id).await.len(), 2, "records do not wait for it");
    shop.get("/x").await.expect(200);
    run(&mut db, "ALTER TABLE usage DROP CONSTRAINT usage_none_check").await;
    for period in Period::ALL {
        let all = usage(&app, "shop", &format!("?period={}", period.as_str())).await;
        assert_eq!((sum(&all, "calls"), sum(&all, "log_bytes")), (3, 3 * RECORD_BYTES), "{period:?}");
    }
}

#[tokio::test]
async fn postgresql_tells_what_became_of_a_transaction() {
    let app = stopped().await;
    let (mut one, mut other) = (app.database.connect().await, app.database.connect().await);
    for (end, told) in [("COMMIT", "committed"), ("ROLLBACK", "aborted")] {
        run(&mut one, "BEGIN").await;
        let id = store::usage::transaction(&mut one).await.expect("a number");
        assert_eq!(store::usage::status(&mut other, &id).await.expect("a status").as_deref(), Some("in progress"));
        run(&mut one, end).await;
        assert_eq!(store::usage::status(&mut other, &id).await.expect("a status").as_deref(), Some(told));
    }
    // As it is of one that a crash has undone.
    let later = store::usage::status(&mut other, "4000000000").await.expect("a status");
    assert_eq!(later.as_deref(), Some("aborted"));
}

#[tokio::test]
async fn usage_goes_with_its_app_and_outlives_its_script() {
    let app = stopped().await;
    let (shop, other) = (app.create_app("shop").await, app.create_app("other").await);
    let script = shop.deploy("/x", "1").await;
    other.deploy("/x", "1").await;
    shop.get("/x").await.expect(200);
    other.get("/x").await.expect(200);
    assert_eq!(sum(&usage(&app, "shop", "").await, "calls"), 1);
    app.delete(&format!("/admin/scripts/{}", script.id)).await.expect(204);
    assert_eq!(sum(&usage(&app, "shop", "").await, "calls"), 1);
    shop.deploy("/y", "1").await;
    // Counted, and as a rule not written by the time that its app goes.
    shop.get("/y").await.expect(200);
    app.delete("/admin/apps/shop?force=true").await.expect(204);
    assert_eq!(sum(&usage(&app, "other", "").await, "calls"), 1);
    let mut db = app.database.connect().await;
    assert_eq!(count(&mut db, "SELECT count(*) FROM usage").await, 3, "the other app's");
}

#[tokio::test]
async fn each_period_is_kept_for_its_time() {
    let app = stopped().await;
    let shop = app.create_app("shop").await;
    shop.deploy("/x", "1").await;
    shop.get("/x").await.expect(200);
    assert_eq!(sum(&usage(&app, "shop", "").await, "calls"), 1);
    let mut db = app.database.connect().await;
    // More than a batch of each.
    let more = format!(
        "INSERT INTO usage
         SELECT app_id, period, started_at, gen_random_uuid(), calls, failed, refused, fuel, wall_us, host_calls, bytes_in,
                bytes_out, log_bytes, memory_peak_bytes
         FROM usage, generate_series(1, {SWEEP_BATCH})"
    );
    run(&mut db, &more).await;
    let start = app.clock.now();
    let mut left = 3 * (SWEEP_BATCH + 1);
    for period in Period::ALL {
        let at = period.start(start) + TimeDelta::seconds(period.keep_s());
        app.clock.advance(at - app.clock.now());
        retention::sweep(&app.services).await.expect("a sweep");
        assert_eq!(count(&mut db, "SELECT count(*) FROM usage").await, left, "{period:?}");
        app.clock.advance(TimeDelta::microseconds(1));
        retention::sweep(&app.services).await.expect("a sweep");
        left -= SWEEP_BATCH + 1;
        assert_eq!(count(&mut db, "SELECT count(*) FROM usage").await, left, "{period:?}");
    }
}
