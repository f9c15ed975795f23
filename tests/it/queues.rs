//! Queues: delay, deduplication, size, purge; one app's trouble is not another's; counts that add up.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use picloud::clock::Clock;
use picloud::limits::{
    DEAD_LETTER_KEEP_S, DEAD_LETTER_RESOLVED_KEEP_S, EXECUTION_KEEP_S, JSON_DEPTH_MAX, MESSAGE_BYTES_MAX, QUEUE_DELAY_S_MAX,
    QUEUE_KEY_BYTES_MAX, QUEUE_KEY_WINDOW_S, QUEUE_NAME_BYTES_MAX,
};
use picloud::model::event::SendOptions;
use picloud::service::queues;
use serde_json::{Value, json};

use crate::support::app::Options;
use crate::support::events::{KEEPS, origin};
use crate::support::{Tenant, TestApp, eventually};

async fn queue_now(app: &TestApp, name: &str) -> Value {
    let queues = app.get("/admin/apps/shop/queues").await.expect(200).json();
    queues["items"].as_array().unwrap().iter().find(|queue| queue["name"] == name).cloned().unwrap_or_default()
}

#[tokio::test]
async fn a_delayed_message_comes_at_its_time() {
    let start: DateTime<Utc> = "2026-06-01T12:00:00Z".parse().unwrap();
    let app = TestApp::start_with(Options { clock: Clock::manual(start), ..Options::default() }).await;
    let shop = app.create_app("shop").await;
    // Before there is a consumer, too.
    shop.send_with("q", json!({ "message": "early", "delay_s": 60 })).await;
    shop.trigger("queue", &shop.upload("handler", KEEPS).await, json!({ "queue": "q" })).await;
    shop.send_with("q", json!({ "message": "late", "delay_s": 120 })).await;
    eventually("both wait", Duration::from_secs(10), async || (queue_now(&app, "q").await["delayed"] == 2).then_some(())).await;
    app.advance(TimeDelta::milliseconds(59_999));
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(shop.seen(0).await.len(), 0);
    app.advance(TimeDelta::milliseconds(1));
    assert_eq!(shop.seen(1).await[0]["event"]["queue"]["message"], "early");
    // A minute more, before it is settled, would end its lease.
    eventually("one is settled", Duration::from_secs(10), async || {
        let queue = queue_now(&app, "q").await;
        (queue["claimed"] == 0 && queue["delayed"] == 1).then_some(())
    })
    .await;
    app.advance(TimeDelta::seconds(60));
    assert_eq!(shop.seen(2).await[1]["event"]["queue"]["message"], "late");
}

#[tokio::test]
async fn a_key_counts_for_its_window() {
    let start: DateTime<Utc> = "2026-06-01T12:00:00Z".parse().unwrap();
    let app = TestApp::start_with(Options { clock: Clock::manual(start), ..Options::default() }).await;
    let shop = app.create_app("shop").await;
    let send = async |queue: &str, key: &str| shop.send_with(queue, json!({ "message": 1, "dedup_key": key })).await;
    let first = send("q", "k").await;
    assert_eq!(send("q", "k").await, first);
    assert_ne!(send("q", "other").await, first);
    assert_ne!(send("r", "k").await, first);
    app.advance(TimeDelta::seconds(QUEUE_KEY_WINDOW_S - 1));
    assert_eq!(send("q", "k").await, first);
    app.advance(TimeDelta::seconds(1));
    assert_ne!(send("q", "k").await, first);
    let size = queues::size(&app.services, shop.id.parse().unwrap(), "q").await.unwrap();
    assert_eq!(size, 3);
}

/// Senders at once: one of them adds the message, the others learn its id.
#[tokio::test]
async fn of_senders_with_one_key_one_sends() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let id = shop.id.parse().unwrap();
    let options = || SendOptions { delay_s: None, dedup_key: Some("k".into()) };
    let sends = (0..16).map(|_| queues::send(&app.services, None, id, origin(), "q", b"1".to_vec(), options()));
    let ids: Vec<_> = futures_util::future::join_all(sends).await.into_iter().map(|sent| sent.unwrap()).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(queues::size(&app.services, id, "q").await.unwrap(), 1);
}

#[tokio::test]
async fn a_purge_leaves_what_a_handler_has() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    for n in 0..5 {
        shop.send("q", json!(n)).await;
    }
    shop.send_with("q", json!({ "message": 1, "delay_s": 100 })).await;
    shop.send("other", json!(1)).await;
    let purged = app.post("/admin/apps/shop/queues/q/purge", json!({})).await.expect(200).json();
    assert_eq!(purged, json!({ "purged": 6 }));
    let size = async |name: &str| queues::size(&app.services, shop.id.parse().unwrap(), name).await.unwrap();
    assert_eq!((size("q").await, size("other").await), (0, 1));
    let events: i64 =
        sqlx::query_scalar("SELECT count(*) FROM events").fetch_one(&mut app.database.connect().await).await.unwrap();
    assert_eq!(events, 1);
}

#[tokio::test]
async fn a_message_is_bounded() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let id = shop.id.parse().unwrap();
    let send = async |name: &str, bytes: usize, delay_s: i64, key: &str| {
        let options = SendOptions { delay_s: Some(delay_s), dedup_key: Some(key.to_owned()) };
        let message = format!("\"{}\"", "x".repeat(bytes - 2)).into_bytes();
        queues::send(&app.services, None, id, origin(), name, message, options)
            .await
            .map_err(|refused| refused.details.expect("details")["field"].as_str().expect("a field").to_owned())
    };
    let (name, key) = ("q".repeat(QUEUE_NAME_BYTES_MAX), "k".repeat(QUEUE_KEY_BYTES_MAX));
    assert!(send(&name, MESSAGE_BYTES_MAX, QUEUE_DELAY_S_MAX, &key).await.is_ok());
    assert_eq!(send(&format!("{name}q"), 3, 0, "k").await, Err("queue".into()));
    assert_eq!(send("", 3, 0, "k").await, Err("queue".into()));
    assert_eq!(send("q", MESSAGE_BYTES_MAX + 1, 0, "k").await, Err("message".into()));
    assert_eq!(send("q", 3, QUEUE_DELAY_S_MAX + 1, "k").await, Err("delay_s".into()));
    assert_eq!(send("q", 3, -1, "k").await, Err("delay_s".into()));
    assert_eq!(send("q", 3, 0, &format!("{key}k")).await, Err("dedup_key".into()));
    assert_eq!(send("q", 3, 0, "").await, Err("dedup_key".into()));
}

/// Deeper, and nobody could read it: neither the handler nor whoever looks at the dead letter.
#[tokio::test]
async fn a_message_is_nested_no_deeper_than_a_handler_reads() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let id = shop.id.parse().unwrap();
    let handler = r#"
        let inner = ctx.event.queue.message;
        let levels = 0;
        while !inner.is_empty() { inner = inner[0]; levels += 1; }
        kv::collection("seen").set("e1", levels);
        throw "no";
    "#;
    shop.trigger("queue", &shop.upload("handler", handler).await, json!({ "queue": "q", "max_attempts": 1 })).await;
    let send = async |levels: usize| {
        let message = "[".repeat(levels) + &"]".repeat(levels);
        queues::send(&app.services, None, id, origin(), "q", message.into_bytes(), SendOptions::default()).await
    };
    for levels in [JSON_DEPTH_MAX + 1, MESSAGE_BYTES_MAX / 2] {
        let refused = send(levels).await.unwrap_err();
        assert_eq!(refused.details.unwrap(), json!({ "field": "message", "asked": levels, "allowed": JSON_DEPTH_MAX }));
    }
    send(JSON_DEPTH_MAX).await.unwrap();
    assert_eq!(shop.seen(1).await, [json!(JSON_DEPTH_MAX - 1)]);
    let path = "/admin/apps/shop/dead_letters";
    let shown = eventually("there is a letter", Duration::from_secs(10), async || {
        let page = app.get(path).await.expect(200).text();
        page.contains("queue").then_some(page)
    })
    .await;
    assert!(shown.contains(&"[".repeat(JSON_DEPTH_MAX)), "{shown}");
}

/// What is kept for a time goes in its time, and nothing before.
#[tokio::test]
async fn what_was_kept_long_enough_is_deleted() {
    let start: DateTime<Utc> = "2026-06-01T12:00:00Z".parse().unwrap();
    let app = TestApp::start_with(Options { clock: Clock::manual(start), ..Options::default() }).await;
    let shop = app.create_app("shop").await;
    let handler = shop.upload("handler", r#"log::info("here"); throw "no""#).await;
    shop.trigger("queue", &handler, json!({ "queue": "q", "max_attempts": 1 })).await;
    shop.send_with("q", json!({ "message": 1, "dedup_key": "k" })).await;
    shop.send("q", json!(2)).await;
    let letters = shop.letters(2).await;
    let path = format!("/admin/apps/shop/dead_letters/{}/resolve", letters[0]["id"].as_str().unwrap());
    app.post(&path, json!({ "reason": "seen" })).await.expect(200);
    app.get(&format!("/admin/scripts/{}/executions", handler.id)).await.expect(200);
    let left = async || {
        let mut db = app.database.connect().await;
        let mut left = Vec::new();
        for table in ["queue_keys", "executions", "logs", "deliveries", "attempts", "events"] {
            let count = format!("SELECT count(*) FROM {table}");
            left.push(sqlx::query_scalar::<_, i64>(sqlx::AssertSqlSafe(count)).fetch_one(&mut db).await.unwrap());
        }
        left
    };
    let sweep = async || picloud::service::retention::sweep(&app.services).await.unwrap();
    sweep().await;
    assert_eq!(left().await, [1, 2, 2, 2, 2, 2]);
    app.clock.advance(TimeDelta::seconds(QUEUE_KEY_WINDOW_S + 1));
    sweep().await;
    assert_eq!(left().await, [0, 2, 2, 2, 2, 2]);
    app.clock.advance(TimeDelta::seconds(DEAD_LETTER_RESOLVED_KEEP_S));
    sweep().await;
    assert_eq!(left().await, [0, 2, 2, 1, 1, 1]);
    app.clock.advance(TimeDelta::seconds(EXECUTION_KEEP_S));
    sweep().await;
    assert_eq!(left().await, [0, 0, 0, 1, 1, 1]);
    app.clock.advance(TimeDelta::seconds(DEAD_LETTER_KEEP_S));
    sweep().await;
    assert_eq!(left().await, [0, 0, 0, 0, 0, 0]);
}

/// With a trigger of every kind, and after work: what is not asked for is not done.
#[tokio::test]
async fn an_idle_node_asks_the_database_nothing() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    app.put("/admin/apps/shop/secrets/mail", json!({ "value": "secret" })).await.expect(201);
    let handler = shop.upload("handler", "1").await;
    for (kind, body) in [
        ("kv", json!({ "collection": "*" })),
        ("docs", json!({ "collection": "*" })),
        ("files", json!({ "collection": "*" })),
        ("cron", json!({ "schedule": "0 0 0 1 JAN *" })),
        ("pubsub", json!({ "topic": "*" })),
        ("queue", json!({ "queue": "q" })),
        ("email", json!({ "secret": "mail" })),
        ("dead_letter", json!({})),
    ] {
        shop.trigger(kind, &handler, body).await;
    }
    shop.send("q", json!(1)).await;
    shop.send_with("q", json!({ "message": 2, "delay_s": 3600 })).await;
    eventually("one is settled, one waits", Duration::from_secs(10), async || {
        (queue_now(&app, "q").await["delayed"] == 1 && queue_now(&app, "q").await["claimed"] == 0).then_some(())
    })
    .await;
    let mut db = app.database.connect().await;
    eventually("what it used is written", Duration::from_secs(10), async || {
        let calls: Option<i64> =
            sqlx::query_scalar("SELECT sum(calls)::bigint FROM usage WHERE period = 'day'").fetch_one(&mut db).await.unwrap();
        (calls == Some(1)).then_some(())
    })
    .await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    // Statements that a connection of the node began in the meantime.
    let mut begun = async || -> Vec<(i32, Option<DateTime<Utc>>)> {
        sqlx::query_as("SELECT pid, query_start FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY pid")
            .fetch_all(&mut db)
            .await
            .unwrap()
    };
    let before = begun().await;
    tokio::time::sleep(Duration::from_secs(12)).await;
    assert_eq!(begun().await, before);
    assert!(!before.is_empty());
}

async fn fill(app: &TestApp, shop: &Tenant, queue: &str, messages: usize) {
    let id = shop.id.parse().unwrap();
    let send = async |n: usize| {
        queues::send(&app.services, None, id, origin(), queue, n.to_string().into_bytes(), SendOptions::default()).await.unwrap()
    };
    for chunk in (0..messages).collect::<Vec<_>>().chunks(12) {
        futures_util::future::join_all(chunk.iter().map(|n| send(*n))).await;
    }
}

/// A hundred thousand messages, of which every tenth fails for good and every seventh once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_succeeds_and_what_dies_add_up_to_what_was_sent() {
    const SENT: usize = 100_000;
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let handler = r#"
        let n = ctx.event.queue.message;
        if n % 10 == 0 { throw "never"; }
        if n % 7 == 0 && ctx.event.attempt == 1 { throw "not yet"; }
    "#;
    let policy = json!({ "queue": "q", "max_attempts": 2, "base_delay_ms": 1, "jitter": false });
    let trigger = shop.trigger("queue", &shop.upload("handler", handler).await, policy).await;
    let id: uuid::Uuid = shop.id.parse().unwrap();
    // As `service::queues::send` would, many in one statement: what is proven here is what comes after.
    let mut db = app.database.connect().await;
    sqlx::query(
        r#"WITH message AS (SELECT n, id_at(now()) AS id FROM generate_series(1, $2::integer) AS n), event AS (
               INSERT INTO events (id, app_id, source, op, at, depth, request_id, about)
               SELECT id, $1, 'queue', 'send', now(), 1, id, '{"name":"q","message":' || n || '}' FROM message
           )
           INSERT INTO outbox (event_id, app_id, source, op, name, depth, due_at)
           SELECT id, $1, 'queue', 'send', 'q', 1, now() FROM message"#,
    )
    .bind(id)
    .bind(i32::try_from(SENT).unwrap())
    .execute(&mut db)
    .await
    .unwrap();
    let began = Instant::now();
    app.services.events.wake();
    let expected = |dead: usize| json!({ "succeeded": SENT - dead, "dead": dead });
    let counts = eventually("all is settled", Duration::from_secs(600), async || {
        let counts = shop.trigger_now(&trigger).await["counts"].clone();
        let settled = counts["succeeded"].as_u64()? + counts["dead"].as_u64()?;
        tokio::time::sleep(Duration::from_millis(200)).await;
        (settled >= SENT as u64).then_some(counts)
    })
    .await;
    shop.settled().await;
    let dead = SENT / 10;
    assert_eq!(json!({ "succeeded": counts["succeeded"], "dead": counts["dead"] }), expected(dead), "{:?}", began.elapsed());
    let once = (1..=SENT).filter(|n| n % 10 != 0 && n % 7 == 0).count();
    assert_eq!(counts["failed"], json!(once + 2 * dead));
    let letters: i64 =
        sqlx::query_scalar("SELECT count(*) FROM deliveries WHERE state = 'dead'").fetch_one(&mut db).await.unwrap();
    let events: i64 = sqlx::query_scalar("SELECT count(*) FROM events").fetch_one(&mut db).await.unwrap();
    assert_eq!((letters, events), (dead as i64, dead as i64));
}

/// One app's handlers burn and fail; another's are handled as if it were alone: they do not wait for what the first has queued.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_handler_of_one_app_does_not_hold_up_another() {
    let app = TestApp::start_with(Options { places: 4, ..Options::default() }).await;
    let (bad, good) = (app.create_app("bad").await, app.create_app("shop").await);
    let burner =
        bad.upload_with("burner", "loop {}", json!({ "limits": { "timeout_ms": 200, "fuel": 50_000_000_000_u64 } })).await;
    bad.trigger("queue", &burner, json!({ "queue": "q", "max_attempts": 50, "base_delay_ms": 1 })).await;
    good.trigger("queue", &good.upload("handler", KEEPS).await, json!({ "queue": "q" })).await;
    fill(&app, &bad, "q", 600).await;
    // 600 × 0.2 s, one at a time for one app of two places.
    for n in 0..10 {
        good.send("q", json!(n)).await;
    }
    good.seen(10).await;
    let left = queues::size(&app.services, bad.id.parse().unwrap(), "q").await.unwrap();
    assert!(left > 500, "{left} of the other app's are left");
    app.drain();
}

/// While deliveries burn, requests are answered; while requests burn, deliveries are made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neither_requests_nor_deliveries_starve_the_other() {
    let app = TestApp::start_with(Options { places: 4, ..Options::default() }).await;
    let shop = app.create_app("shop").await;
    let limits = json!({ "limits": { "timeout_ms": 300, "fuel": 50_000_000_000_u64 } });
    let burner = shop.upload_with("burner", "loop {}", limits).await;
    shop.route(&burner, json!({ "path": "/burn" })).await;
    shop.trigger("queue", &burner, json!({ "queue": "burn", "max_attempts": 50, "base_delay_ms": 1 })).await;
    shop.trigger("queue", &shop.upload("handler", KEEPS).await, json!({ "queue": "q" })).await;
    shop.deploy("/hello", "1").await;
    fill(&app, &shop, "burn", 200).await;
    for _ in 0..5 {
        shop.get("/hello").await.expect(200);
    }
    let burning: Vec<_> = (0..8)
        .map(|_| {
            let shop = shop.clone();
            tokio::spawn(async move {
                for _ in 0..20 {
                    shop.get("/burn").await;
                }
            })
        })
        .collect();
    let other = app.create_app("other").await;
    other.trigger("queue", &other.upload("handler", KEEPS).await, json!({ "queue": "q" })).await;
    for n in 0..3 {
        other.send("q", json!(n)).await;
    }
    other.seen(3).await;
    for task in burning {
        task.abort();
    }
    app.drain();
}
