//! An app at a glance: figures that add up, percentiles of what is known, and no table that is read through for them.

use chrono::TimeDelta;
use picloud::id::AppId;
use picloud::limits::{HEALTH_DEAD_LETTERS_MAX, HEALTH_EXECUTIONS_MAX};
use picloud::model::health::Window;
use picloud::store;
use serde_json::{Value, json};
use sqlx::PgConnection;

use crate::events_bounds::stopped;
use crate::rights::people;
use crate::support::cluster::run;
use crate::support::{Client, TestApp};

async fn health(client: &Client, app: &str, window: &str) -> Value {
    client.get(&format!("/admin/apps/{app}/health?window={window}")).await.expect(200).json()
}

fn series(health: &Value) -> &Vec<Value> {
    health["series"].as_array().expect("a series")
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("no number: {value}"))
}

/// When something was called, and how often.
fn called(health: &Value) -> Vec<(&str, u64)> {
    let busy = series(health).iter().filter(|period| number(&period["calls"]) > 0);
    busy.map(|period| (period["at"].as_str().expect("a time"), number(&period["calls"]))).collect()
}

/// So many records of an app, which took `us`, 2 `us`, 3 `us`, …
async fn record(db: &mut PgConnection, app: &str, outcome: &str, started: &str, us: i64, count: i64) {
    let statement = format!(
        "INSERT INTO executions (id, app_id, script_id, version, request_id, outcome, status, fuel, memory_peak_bytes, host_calls,
                                 bytes_in, bytes_out, wall_us, started_at, logs_dropped)
         SELECT gen_random_uuid(), '{app}', gen_random_uuid(), 1, gen_random_uuid(), '{outcome}', 200, 1, 1, 1, 1, 1, n * {us},
                '{started}', 0
         FROM generate_series(1, {count}) AS n"
    );
    run(db, &statement).await;
}

/// So many dead letters of an app.
async fn die(db: &mut PgConnection, app: &str, resolved: &str, count: i64) {
    let statement = format!(
        "INSERT INTO deliveries (id, app_id, event_id, replay, state, due_at, claims, failed, lost, depth, dead_at, dead_reason,
                                 resolved_at, resolved_reason)
         SELECT gen_random_uuid(), '{app}', gen_random_uuid(), 0, 'dead', '2026-06-01T12:00:00Z', 1, 1, 0, 1,
                '2026-06-01T12:00:00Z', 'attempts_exhausted', {resolved}
         FROM generate_series(1, {count})"
    );
    run(db, &statement).await;
}

#[tokio::test]
async fn figures_add_up_and_every_period_is_told() {
    let app = stopped().await;
    let (shop, other) = (app.create_app("shop").await, app.create_app("other").await);
    shop.deploy("/ok", "1").await;
    shop.deploy("/bad", "throw 1").await;
    other.deploy("/ok", "1").await;
    other.get("/ok").await.expect(200);
    for (path, status) in [("/ok", 200), ("/ok", 200), ("/bad", 422)] {
        shop.get(path).await.expect(status);
    }
    app.advance(TimeDelta::seconds(60));
    shop.get("/ok").await.expect(200);
    app.advance(TimeDelta::seconds(58 * 60));

    let hour = health(&app, "shop", "hour").await;
    assert_eq!((&hour["from"], &hour["to"]), (&json!("2026-06-01T12:00:00Z"), &json!("2026-06-01T12:59:00Z")));
    assert_eq!((&hour["calls"], &hour["failed"], &hour["refused"]), (&json!(4), &json!(1), &json!(0)));
    assert_eq!(series(&hour).len(), 60);
    assert!(series(&hour).is_sorted_by(|one, other| one["at"].as_str() < other["at"].as_str()));
    assert_eq!(called(&hour), [("2026-06-01T12:00:00Z", 3), ("2026-06-01T12:01:00Z", 1)]);
    assert_eq!(series(&hour)[59]["at"], "2026-06-01T12:59:00Z", "the one that runs is the last");
    for field in ["calls", "failed", "fuel"] {
        assert_eq!(series(&hour).iter().map(|period| number(&period[field])).sum::<u64>(), number(&hour[field]), "{field}");
    }
    assert!(number(&hour["fuel"]) > 0);
    assert_eq!((&hour["sample"], &hour["unresolved_dead_letters"]), (&json!(4), &json!(0)));
    assert!(number(&hour["p50_us"]) <= number(&hour["p99_us"]));
    assert_eq!(app.get("/admin/apps/shop/health").await.expect(200).json(), hour, "an hour, unless it is said");

    // A minute on, the first one is out of it.
    app.advance(TimeDelta::seconds(60));
    assert_eq!(called(&health(&app, "shop", "hour").await), [("2026-06-01T12:01:00Z", 1)]);
    let day = health(&app, "shop", "day").await;
    assert_eq!((series(&day).len(), called(&day)), (24, vec![("2026-06-01T12:00:00Z", 4)]));
    assert_eq!((&day["from"], &day["calls"], &day["failed"]), (&json!("2026-05-31T14:00:00Z"), &json!(4), &json!(1)));
    assert_eq!(number(&health(&app, "other", "day").await["calls"]), 1, "each app has its own");
}

#[tokio::test]
async fn what_was_refused_is_counted_and_not_timed() {
    let app = stopped().await;
    let shop = app.create_app("shop").await;
    shop.deploy("/ok", "1").await;
    let empty = health(&app, "shop", "hour").await;
    assert_eq!((&empty["calls"], &empty["sample"]), (&json!(0), &json!(0)));
    assert_eq!((&empty["p50_us"], &empty["p99_us"]), (&Value::Null, &Value::Null));
    // The clock stands still: there is no third request for as long as that.
    app.put("/admin/apps/shop/quota", json!({ "requests_per_s": 2 })).await.expect(200);
    for status in [200, 200, 429] {
        shop.get("/ok").await.expect(status);
    }
    let health = health(&app, "shop", "hour").await;
    assert_eq!((&health["calls"], &health["failed"], &health["refused"]), (&json!(3), &json!(0), &json!(1)));
    assert_eq!(health["sample"], 2);
}

#[tokio::test]
async fn percentiles_are_of_the_newest_executions_of_the_window() {
    let app = stopped().await;
    let (shop, busy) = (app.create_app("shop").await, app.create_app("busy").await);
    let mut db = app.database.connect().await;
    let times = async |slug: &str, window: &str| {
        let health = health(&app, slug, window).await;
        ["sample", "p50_us", "p99_us"].map(|field| number(&health[field]))
    };
    // 10, 20, … 1 000 µs: half of them took no longer than 500, and 99 no longer than 990.
    record(&mut db, &shop.id, "responded", "2026-06-01T11:30:00Z", 10, 100).await;
    record(&mut db, &busy.id, "responded", "2026-06-01T11:30:00Z", 7, 1).await;
    assert_eq!(times("shop", "hour").await, [100, 500, 990]);
    // What was not let in took no time. Failures did.
    record(&mut db, &shop.id, "denied", "2026-06-01T11:30:00Z", 0, 50).await;
    assert_eq!(times("shop", "hour").await, [100, 500, 990]);
    record(&mut db, &shop.id, "script_failed", "2026-06-01T11:01:00Z", 2_000, 1).await;
    assert_eq!(times("shop", "hour").await, [101, 510, 1_000], "the window begins with a minute");
    record(&mut db, &shop.id, "responded", "2026-06-01T11:00:59Z", 3_000, 1).await;
    assert_eq!(times("shop", "hour").await[0], 101);
    assert_eq!(times("shop", "day").await[0], 102);

    let most = HEALTH_EXECUTIONS_MAX;
    assert_eq!(most, 1_000);
    record(&mut db, &busy.id, "responded", "2026-06-01T11:40:00Z", 1, most - 1).await;
    assert_eq!(times("busy", "hour").await, [1_000, 499, 989], "there are two of 7");
    record(&mut db, &busy.id, "responded", "2026-06-01T11:50:00Z", 100_000, most).await;
    assert_eq!(times("busy", "hour").await, [1_000, 50_000_000, 99_000_000], "the newest, and no more");
}

#[tokio::test]
async fn dead_letters_that_nobody_resolved_are_counted_up_to_a_bound() {
    let app = stopped().await;
    let (shop, other) = (app.create_app("shop").await, app.create_app("other").await);
    let mut db = app.database.connect().await;
    let waiting = async || number(&health(&app, "shop", "hour").await["unresolved_dead_letters"]);
    die(&mut db, &shop.id, "'2026-06-01T12:00:00Z', 'done'", 5).await;
    die(&mut db, &other.id, "NULL, NULL", 2).await;
    assert_eq!(waiting().await, 0);
    let most = HEALTH_DEAD_LETTERS_MAX;
    for (more, told) in [(3, 3), (most - 3, most), (1, most)] {
        die(&mut db, &shop.id, "NULL, NULL", more).await;
        assert_eq!(waiting().await, told.unsigned_abs());
    }
}

#[tokio::test]
async fn no_table_is_read_through_for_it() {
    let app = stopped().await;
    let (shop, other) = (app.create_app("shop").await, app.create_app("other").await);
    let mut db = app.database.connect().await;
    for (id, rows) in [(&shop.id, 2_000), (&other.id, 20_000)] {
        record(&mut db, id, "responded", "2026-06-01T11:30:00Z", 1, rows).await;
        die(&mut db, id, "NULL, NULL", rows).await;
        let usage = format!(
            "INSERT INTO usage
             SELECT '{id}', 'minute', timestamptz '2026-06-01T12:00:00Z' - n * interval '1 minute', gen_random_uuid(), 1, 0, 0,
                    1, 1, 1, 1, 1, 1, 1
             FROM generate_series(1, {rows}) AS n"
        );
        run(&mut db, &usage).await;
    }
    for table in ["executions", "deliveries", "usage"] {
        run(&mut db, &format!("ANALYZE {table}")).await;
    }
    let id = shop.id.parse::<AppId>().expect("an id");
    for mode in ["force_custom_plan", "force_generic_plan"] {
        // Scans of this connection alone, and of nothing that was done before.
        let mut db = app.database.connect().await;
        run(&mut db, &format!("SET plan_cache_mode = {mode}; BEGIN")).await;
        for window in Window::ALL {
            let (range, period) = (window.range(app.clock.now()), window.period());
            let from = range.start;
            store::usage::of_app(&mut db, id, period, range, None, window.periods()).await.expect("usage");
            let times = store::health::times(&mut db, id, from, HEALTH_EXECUTIONS_MAX).await.expect("times");
            assert_eq!(times.sample, HEALTH_EXECUTIONS_MAX.unsigned_abs());
            assert_eq!(store::health::unresolved(&mut db, id, HEALTH_DEAD_LETTERS_MAX).await.expect("a count"), 2_000);
        }
        let scans: Vec<(String, i64, i64)> = sqlx::query_as(
            "SELECT relname::text, seq_scan, idx_scan FROM pg_stat_xact_user_tables
             WHERE relname IN ('executions', 'deliveries', 'usage') ORDER BY relname",
        )
        .fetch_all(&mut db)
        .await
        .expect("statistics");
        assert_eq!(scans.len(), 3, "{mode}: {scans:?}");
        assert!(scans.iter().all(|(_, through, by_index)| *through == 0 && *by_index > 0), "{mode}: {scans:?}");
    }
}

#[tokio::test]
async fn who_may_read_the_log_may_see_how_an_app_does() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    people::add(&app, "vera", "member").await;
    let vera = people::login(&app, "vera").await;
    let path = "/admin/apps/shop/health";
    vera.get(path).await.fails(404, "not_found");
    people::admit(&shop, "vera", "viewer").await;
    assert_eq!(health(&vera, "shop", "day").await["calls"], 0);
    people::with_key(&app, &["log:read"]).await.get(path).await.expect(200);
    people::with_key(&app, &["script:read", "app:admin"]).await.get(path).await.fails(403, "forbidden");
    for query in ["?window=week", "?window="] {
        let refused = app.get(&format!("{path}{query}")).await.fails(422, "invalid");
        assert_eq!(refused.details()["field"], "window", "{query}");
    }
    app.get(&format!("{path}?period=hour")).await.fails(422, "invalid");
}
