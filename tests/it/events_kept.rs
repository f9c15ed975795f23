//! How much of events may wait, how much of it one transaction takes, and how long what comes of them is kept, to the
//! millisecond.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use picloud::limits;
use picloud::service::{deliveries, queues, retention, schedules};
use serde_json::{Value, json};

use crate::events_bounds::{letters_of, multiply, stopped};
use crate::support::cluster::run;
use crate::support::events::KEEPS;
use crate::support::{Tenant, TestApp, eventually};

async fn count(app: &TestApp, what: &'static str) -> i64 {
    sqlx::query_scalar(what).fetch_one(&mut app.database.connect().await).await.expect("a count")
}

/// Until so many messages are held for want of a consumer.
async fn held(app: &TestApp, messages: i64) {
    eventually("the messages are held", Duration::from_secs(10), async || {
        let held = count(app, "SELECT count(*) FROM deliveries WHERE state = 'held'").await;
        (held == messages).then_some(())
    })
    .await;
}

/// A handler whose first message is a dead letter, with a key, a record and a log.
async fn dead_letter(shop: &Tenant) -> Value {
    let handler = shop.upload("handler", r#"log::info("here"); throw "no""#).await;
    let trigger = shop.trigger("queue", &handler, json!({ "queue": "q", "max_attempts": 1 })).await;
    shop.send_with("q", json!({ "message": 1, "dedup_key": "k" })).await;
    shop.letters(1).await;
    // What was run is recorded by then.
    shop.client.get(&format!("/admin/scripts/{}/executions", handler.id)).await.expect(200);
    trigger
}

#[tokio::test]
async fn what_is_kept_goes_at_its_time_and_not_before() {
    let app = stopped().await;
    let shop = app.create_app("shop").await;
    dead_letter(&shop).await;
    shop.send("q", json!(2)).await;
    let letters = shop.letters(2).await;
    let resolve = format!("/admin/apps/shop/dead_letters/{}/resolve", letters[0]["id"].as_str().expect("an id"));
    app.post(&resolve, json!({ "reason": "seen" })).await.expect(200);
    shop.send("left-over", json!(3)).await;
    shop.send("waits", json!(4)).await;
    held(&app, 2).await;
    // As a rare race leaves it: nothing is to be done for its event.
    run(&mut app.database.connect().await, "DELETE FROM deliveries WHERE queue = 'left-over'").await;
    let script = letters[0]["script_id"].as_str().expect("an id");
    app.get(&format!("/admin/scripts/{script}/executions")).await.expect(200);

    let start: DateTime<Utc> = app.clock.now();
    let ms = |seconds: i64| seconds * 1_000;
    for (what, kept_ms, before) in [
        // It counts until then, and not at that moment any more.
        ("SELECT count(*) FROM queue_keys", ms(limits::QUEUE_KEY_WINDOW_S) - 1, 1),
        (
            "SELECT count(*) FROM events e WHERE NOT EXISTS (SELECT FROM deliveries d WHERE d.event_id = e.id)",
            ms(limits::EVENT_LEFTOVER_S),
            1,
        ),
        ("SELECT count(*) FROM deliveries WHERE resolved_at IS NOT NULL", ms(limits::DEAD_LETTER_RESOLVED_KEEP_S), 1),
        ("SELECT (SELECT count(*) FROM executions) + (SELECT count(*) FROM logs)", ms(limits::EXECUTION_KEEP_S), 4),
        (
            "SELECT count(*) + (SELECT count(*) FROM attempts) FROM deliveries WHERE state = 'dead'",
            ms(limits::DEAD_LETTER_KEEP_S),
            2,
        ),
    ] {
        for (at_ms, left) in [(kept_ms, before), (kept_ms + 1, 0)] {
            app.clock.advance(start + TimeDelta::milliseconds(at_ms) - app.clock.now());
            retention::sweep(&app.services).await.expect("a sweep");
            assert_eq!(count(&app, what).await, left, "after {at_ms} ms: {what}");
        }
    }
    // What waits for a consumer waits for ever.
    let waiting = "SELECT (SELECT count(*) FROM deliveries WHERE queue = 'waits') + (SELECT count(*) FROM events)";
    assert_eq!(count(&app, waiting).await, 2);
}

#[tokio::test]
async fn a_sweep_of_more_than_a_batch_leaves_nothing_behind() {
    let app = stopped().await;
    let shop = app.create_app("shop").await;
    let trigger = dead_letter(&shop).await;
    let n = limits::SWEEP_BATCH;
    let mut db = app.database.connect().await;
    for more in [
        "queue_keys SELECT (jsonb_populate_record(k, jsonb_build_object('key', n::text))).* FROM queue_keys k",
        "executions SELECT (jsonb_populate_record(x, jsonb_build_object('id', id_at(x.started_at)))).* FROM executions x",
        "events SELECT (jsonb_populate_record(e, jsonb_build_object('id', id_at(e.at)))).* FROM events e",
    ] {
        run(&mut db, &format!("INSERT INTO {more}, generate_series(1, {n}) AS n")).await;
    }
    // One event more than have a letter.
    run(
        &mut db,
        "INSERT INTO events SELECT (jsonb_populate_record(e, jsonb_build_object('id', id_at(e.at)))).* FROM events e LIMIT 1",
    )
    .await;
    multiply(&app, &letters_of(&trigger), n).await;
    // The node's own sweep, which begins at its start, would take a part.
    app.drain();
    app.clock.advance(TimeDelta::seconds(limits::DEAD_LETTER_KEEP_S + 1));
    let swept = retention::sweep(&app.services).await.expect("a sweep");
    // With the minute and the hour of its usage.
    assert_eq!(swept, 4 * (n + 1).unsigned_abs() + 2);
    let left = "SELECT (SELECT count(*) FROM queue_keys) + (SELECT count(*) FROM executions) + (SELECT count(*) FROM logs)
                     + (SELECT count(*) FROM events) + (SELECT count(*) FROM deliveries) + (SELECT count(*) FROM attempts)";
    assert_eq!(count(&app, left).await, 0);
    assert_eq!(retention::sweep(&app.services).await.expect("a sweep"), 0);
}

#[tokio::test]
async fn a_purge_takes_all_that_no_handler_has() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.send("q", json!(1)).await;
    shop.send("other", json!(1)).await;
    held(&app, 2).await;
    let n = limits::SWEEP_BATCH;
    multiply(&app, "d.queue = 'q'", n).await;
    let purge = async || app.post("/admin/apps/shop/queues/q/purge", json!({})).await.expect(200).json();
    assert_eq!(purge().await, json!({ "purged": n + 1 }));
    assert_eq!(purge().await, json!({ "purged": 0 }));
    assert_eq!(count(&app, "SELECT count(*) FROM events").await, 1);
}

#[tokio::test]
async fn a_purge_forgets_the_keys_of_what_it_took() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let send = async |queue: &str, key: &str| shop.send_with(queue, json!({ "message": 1, "dedup_key": key })).await;
    let (purged, elsewhere) = (send("q", "k").await, send("r", "k").await);
    shop.send("q", json!("without a key")).await;
    app.post("/admin/apps/shop/queues/q/purge", json!({})).await.expect(200);
    let anew = send("q", "k").await;
    assert_ne!(anew, purged);
    assert_eq!(send("q", "k").await, anew, "it has the key from then on");
    assert_eq!(send("r", "k").await, elsewhere, "the key of another queue");
    // What was handled before keeps its key.
    shop.trigger("queue", &shop.upload("handler", KEEPS).await, json!({ "queue": "q" })).await;
    assert_eq!(shop.seen(1).await[0]["event"]["id"], anew);
    eventually("it is settled", Duration::from_secs(10), async || {
        let size = queues::size(&app.services, shop.id.parse().expect("an id"), "q").await.expect("a size");
        (size == 0).then_some(())
    })
    .await;
    app.post("/admin/apps/shop/queues/q/purge", json!({})).await.expect(200);
    assert_eq!(send("q", "k").await, anew);
}

/// Adds messages to the queue `q` as `service::queues::send` would, many in one statement, and tells nobody. `about` is an
/// expression of SQL.
async fn add(app: &TestApp, tenant: &Tenant, messages: i64, about: &str) {
    let statement = format!(
        "WITH message AS (SELECT id_at(now()) AS id, '{}'::uuid AS app_id FROM generate_series(1, {messages})), event AS (
             INSERT INTO events (id, app_id, source, op, at, depth, request_id, about)
             SELECT id, app_id, 'queue', 'send', now(), 1, id, {about} FROM message
         )
         INSERT INTO outbox (event_id, app_id, source, op, name, depth, due_at)
         SELECT id, app_id, 'queue', 'send', 'q', 1, now() FROM message",
        tenant.id
    );
    run(&mut app.database.connect().await, &statement).await;
}

#[tokio::test]
async fn events_that_are_relayed_together() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let n = limits::RELAY_BATCH;
    let relay = async || deliveries::relay(&app.services).await.expect("relayed").events;
    // The worker sleeps, once it has looked at what the start and the new app told it: nobody tells it of these.
    eventually("the worker sleeps", Duration::from_secs(10), async || {
        run(&mut app.database.connect().await, "DELETE FROM deliveries; DELETE FROM events; DELETE FROM outbox").await;
        add(&app, &shop, n + 1, "'{}'").await;
        let events = [relay().await, relay().await, relay().await];
        (events == [usize::try_from(n).expect("a count"), 1, 0]).then_some(())
    })
    .await;
    assert_eq!(count(&app, "SELECT count(*) FROM deliveries").await, n + 1);
}

/// However they are added, but for writes to collections: those go on.
#[tokio::test]
async fn events_that_wait() {
    let app = stopped().await;
    let (shop, other, third) = (app.create_app("shop").await, app.create_app("other").await, app.create_app("third").await);
    let work = shop.upload("work", "1").await;
    shop.route(&work, json!({ "path": "/later", "dispatch_mode": "async" })).await;
    shop.trigger("kv", &work, json!({ "collection": "c" })).await;
    let send = async |tenant: &Tenant| {
        app.post(&format!("/admin/apps/{}/queues/q/messages", tenant.slug), json!({ "message": 1 })).await
    };
    add(&app, &shop, limits::EVENTS_WAITING_MAX - 1, "'{}'").await;
    send(&shop).await.expect(201);
    send(&shop).await.fails(503, "overloaded");
    app.post("/admin/apps/shop/topics/t/messages", json!({ "message": 1 })).await.fails(503, "overloaded");
    shop.get("/later").await.fails(503, "overloaded");
    for call in [r#"queue::send("q", 1)"#, r#"pubsub::publish("t", 1)"#, r#"invoke::start("work", ())"#] {
        assert_eq!(shop.caught(call).await["code"], "unavailable", "{call}");
    }
    shop.run(r#"kv::collection("c").set("k", 1)"#).await.expect(200);
    // What they tell: as much as there is room for, and a byte more.
    let told = r#"{"name":"q","message":1,"enqueued_at":"2026-06-01T12:00:00Z"}"#.len();
    let (told, large) = (i64::try_from(told).expect("a length"), 256 << 10);
    for (tenant, over, status) in [(&other, 0, 201), (&third, 1, 503)] {
        add(&app, tenant, limits::EVENTS_WAITING_BYTES_MAX / large - 1, &format!("repeat('x', {large})")).await;
        add(&app, tenant, 1, &format!("repeat('x', {})", large - told + over)).await;
        send(tenant).await.expect(status);
    }
    // Once there is room again, it is found out.
    run(&mut app.database.connect().await, "TRUNCATE outbox, deliveries, attempts, events").await;
    eventually("there is room again", Duration::from_secs(10), async || (send(&shop).await.status == 201).then_some(())).await;
}

#[tokio::test]
async fn schedules_that_fire_together() {
    let app = stopped().await;
    let shop = app.create_app("shop").await;
    // There before handlers count in it at once.
    shop.run(r#"kv::collection("seen").increment("n", 0)"#).await.expect(200);
    shop.trigger("cron", &shop.upload("handler", KEEPS).await, json!({ "schedule": "0 0 13 * * *" })).await;
    let n = usize::try_from(limits::TICK_BATCH).expect("a count");
    let more = format!(
        "WITH more AS (
             INSERT INTO triggers SELECT (jsonb_populate_record(t, jsonb_build_object('id', id_at(t.created_at)))).*
             FROM triggers t, generate_series(1, {n}) RETURNING id
         )
         INSERT INTO trigger_counts (trigger_id, succeeded, failed, dead) SELECT id, 0, 0, 0 FROM more"
    );
    run(&mut app.database.connect().await, &more).await;
    // The worker sleeps: nobody tells it that the clock was moved.
    app.clock.advance(TimeDelta::hours(1));
    for fired in [n, 1, 0] {
        assert_eq!(schedules::fire_due(&app.services).await.expect("fired"), fired);
    }
    shop.seen(n + 1).await;
    shop.settled().await;
    let seen = shop.seen(n + 1).await;
    let events: BTreeSet<_> = seen.iter().map(|seen| seen["event"]["id"].to_string()).collect();
    assert_eq!((seen.len(), events.len()), (n + 1, n + 1));
    for seen in &seen {
        assert_eq!((&seen["event"]["op"], &seen["event"]["attempt"]), (&json!("tick"), &json!(1)), "{seen}");
        assert_eq!(seen["event"]["cron"]["scheduled_at"], "2026-06-01T13:00:00Z");
    }
}
