//! What comes by itself at its time, by the system's clock and with nothing else going on: ticks, delays, retries, and what was
//! written for a caller who had gone.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use sqlx::PgConnection;

use crate::support::cluster::run;
use crate::support::events::KEEPS;
use crate::support::{Tenant, TestApp, eventually};

/// Less than the bound of a script's statements: what waits for a lock meanwhile is not ended for that.
const SOON: Duration = Duration::from_secs(8);

/// [`KEEPS`] with the time. The first attempt of the message "fails" does.
const TIMED: &str = r#"
    let n = kv::collection("seen").increment("n");
    kv::collection("seen").set(`e${n}`, #{ event: ctx.event, at: time::now_ms() });
    if ctx.event.queue.message == "fails" && ctx.event.attempt == 1 { throw "not yet"; }
"#;

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().expect("a time").parse().expect("a time")
}

fn ran_at(seen: &Value) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(seen["at"].as_i64().expect("ms")).expect("a time")
}

async fn count(db: &mut PgConnection, statement: &'static str) -> i64 {
    sqlx::query_scalar(statement).fetch_one(db).await.expect("a count")
}

#[tokio::test]
async fn a_schedule_fires_every_second_by_itself() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let trigger = shop.trigger("cron", &shop.upload("handler", KEEPS).await, json!({ "schedule": "* * * * * *" })).await;
    let (first, second) = (time(&trigger["next_tick_at"]), TimeDelta::seconds(1));
    let seen = eventually("five ticks in a row are handled", Duration::from_secs(20), async || {
        let seen = shop.seen(5).await;
        let ticks: BTreeSet<_> = seen.iter().map(|seen| time(&seen["event"]["cron"]["scheduled_at"])).collect();
        assert_eq!(ticks.len(), seen.len(), "none is handled twice: {seen:?}");
        (0..5).all(|n| ticks.contains(&(first + second * n))).then_some(seen)
    })
    .await;
    for seen in &seen {
        let cron = &seen["event"]["cron"];
        let late = time(&cron["fired_at"]) - time(&cron["scheduled_at"]);
        assert!((TimeDelta::zero()..TimeDelta::milliseconds(900)).contains(&late), "{cron}");
    }
}

#[tokio::test]
async fn a_delayed_message_is_handled_by_itself_after_its_time() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.trigger("queue", &shop.upload("handler", TIMED).await, json!({ "queue": "q" })).await;
    shop.send_with("q", json!({ "message": "late", "delay_s": 1 })).await;
    let seen = shop.seen(1).await;
    let waited = ran_at(&seen[0]) - time(&seen[0]["event"]["queue"]["enqueued_at"]);
    // The handler's time is in whole milliseconds.
    assert!((TimeDelta::milliseconds(999)..TimeDelta::seconds(6)).contains(&waited), "{waited}");
    shop.settled().await;
    assert_eq!(shop.seen(1).await.len(), 1);
}

#[tokio::test]
async fn a_failed_delivery_is_tried_again_by_itself_after_its_wait() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let policy = json!({ "queue": "q", "backoff": "constant", "base_delay_ms": 500, "jitter": false });
    let trigger = shop.trigger("queue", &shop.upload("handler", TIMED).await, policy).await;
    shop.send("q", json!("fails")).await;
    let seen = shop.seen(2).await;
    let waited = ran_at(&seen[1]) - ran_at(&seen[0]);
    assert!((TimeDelta::milliseconds(499)..TimeDelta::seconds(6)).contains(&waited), "{waited}");
    assert_eq!((&seen[0]["event"]["attempt"], &seen[1]["event"]["attempt"]), (&json!(1), &json!(2)));
    assert_eq!(seen[0]["event"]["id"], seen[1]["event"]["id"]);
    shop.settled().await;
    let counts = shop.trigger_now(&trigger).await["counts"].clone();
    assert_eq!((&counts["succeeded"], &counts["failed"], &counts["dead"]), (&json!(1), &json!(1), &json!(0)), "{counts}");
}

/// An app that sends a message in little time and handles it, and how many it has handled.
async fn sender() -> (TestApp, Tenant, usize) {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.trigger("queue", &shop.upload("handler", KEEPS).await, json!({ "queue": "q" })).await;
    shop.deploy_with("/send", r#"queue::send("q", "late");"#, json!({ "limits": { "timeout_ms": 200 } })).await;
    // From here on the script is ready and its app's events are counted: its time is spent on the statement that adds the event.
    eventually("the script runs in its time", SOON, async || (shop.get("/send").await.status == 200).then_some(())).await;
    shop.settled().await;
    let handled = shop.seen(1).await.len();
    (app, shop, handled)
}

/// Sends until there are events whose statements wait for a lock although their calls are over; how many.
async fn forsaken(shop: &Tenant, db: &mut PgConnection) -> usize {
    let waiting = "SELECT count(*) FROM pg_stat_activity
                   WHERE datname = current_database() AND application_name = 'picloud scripts' AND wait_event_type = 'Lock'
                     AND query LIKE '%INSERT INTO outbox%'";
    eventually("a statement waits whose caller is gone", SOON, async || {
        shop.get("/send").await.fails(504, "deadline_exceeded");
        usize::try_from(count(&mut *db, waiting).await).ok().filter(|waiting| *waiting > 0)
    })
    .await
}

/// The first look finds nothing, as the write still waits then: only a later one can.
#[tokio::test]
async fn a_write_that_ends_long_after_its_caller_is_delivered() {
    let (app, shop, handled) = sender().await;
    let (mut db, mut blocker) = (app.database.connect().await, app.database.connect().await);
    // What refers to the app waits at its end, and nobody else does.
    run(&mut blocker, "BEGIN; SELECT id FROM apps FOR UPDATE").await;
    let late = forsaken(&shop, &mut db).await;
    eventually("the workers have looked, and wait again", SOON, async || {
        let busy = "SELECT count(*) FROM pg_stat_activity
                    WHERE datname = current_database() AND application_name = 'picloud'
                      AND (state <> 'idle' OR state_change > clock_timestamp() - interval '500 milliseconds')";
        (count(&mut db, busy).await == 0).then_some(())
    })
    .await;
    assert_eq!(count(&mut db, "SELECT count(*) FROM deliveries").await, 0);
    run(&mut blocker, "ROLLBACK").await;
    shop.seen(handled + late).await;
}
