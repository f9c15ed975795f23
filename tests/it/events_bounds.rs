//! Every bound of events at N and at N + 1: what triggers and messages may be, pages, and what one request or one attempt does.
//! How much waits and how long things are kept is in `events_kept.rs`.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use picloud::clock::Clock;
use picloud::limits;
use picloud::service::topics;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::bounds::{refused, text};
use crate::event_shapes::{SECRET, hand_in};
use crate::support::app::Options;
use crate::support::cluster::run;
use crate::support::events::{KEEPS, origin};
use crate::support::{Reply, Tenant, TestApp, eventually};

/// A node whose clock stands still until it is advanced.
pub(crate) async fn stopped() -> TestApp {
    let start: DateTime<Utc> = "2026-06-01T12:00:00Z".parse().expect("a time");
    TestApp::start_with(Options { clock: Clock::manual(start), ..Options::default() }).await
}

/// Makes more deliveries, each with an event of its own, like those of which `which` holds: of `d`, and `e`, its event.
pub(crate) async fn multiply(app: &TestApp, which: &str, more: i64) {
    let statement = format!(
        "WITH made AS (
             SELECT d, e, id_at(now()) AS delivery_id, id_at(now()) AS event_id
             FROM deliveries d JOIN events e ON e.id = d.event_id CROSS JOIN generate_series(1, {more}) WHERE {which}
         ), event AS (
             INSERT INTO events
             SELECT new.* FROM made, jsonb_populate_record(made.e, jsonb_build_object('id', made.event_id)) AS new
         )
         INSERT INTO deliveries
         SELECT new.* FROM made,
             jsonb_populate_record(made.d, jsonb_build_object('id', made.delivery_id, 'event_id', made.event_id)) AS new"
    );
    run(&mut app.database.connect().await, &statement).await;
}

/// The letters of a trigger, for [`multiply`].
pub(crate) fn letters_of(trigger: &Value) -> String {
    format!("d.state = 'dead' AND d.trigger_id = '{}'", trigger["id"].as_str().expect("an id"))
}

/// Asserts a refusal of a value past its bound, which it names.
#[track_caller]
fn over(reply: Reply, field: &str, allowed: impl Into<Value>) {
    let (details, allowed): (_, Value) = (reply.fails(422, "invalid").details(), allowed.into());
    assert_eq!((&details["field"], &details["allowed"]), (&json!(field), &allowed), "{details}");
}

#[tokio::test]
async fn triggers_of_an_app() {
    let app = TestApp::start().await;
    let (shop, other) = (app.create_app("shop").await, app.create_app("other").await);
    let handler = shop.upload("handler", "1").await;
    let body = || json!({ "collection": "c" });
    shop.trigger("kv", &handler, body()).await;
    let more = format!(
        "INSERT INTO triggers SELECT (jsonb_populate_record(t, jsonb_build_object('id', gen_random_uuid()))).*
         FROM triggers t, generate_series(1, {})",
        limits::TRIGGERS_PER_APP_MAX - 2
    );
    run(&mut app.database.connect().await, &more).await;
    let last = shop.trigger("kv", &handler, body()).await;
    shop.try_trigger("kv", &handler, body()).await.fails(507, "quota_exceeded");
    let elsewhere = other.upload("handler", "1").await;
    other.trigger("kv", &elsewhere, body()).await;
    app.delete(&format!("/admin/apps/shop/triggers/{}", last["id"].as_str().expect("an id"))).await.expect(204);
    shop.trigger("kv", &handler, body()).await;
}

#[tokio::test]
async fn attempts_and_the_waits_between_them() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let handler = shop.upload("handler", "1").await;
    let longest = limits::DELIVERY_DELAY_MS_MAX;
    for (field, least, most) in
        [("max_attempts", 1, limits::DELIVERY_ATTEMPTS_MAX), ("base_delay_ms", 0, longest), ("max_delay_ms", 1_000, longest)]
    {
        let policy = |value: u32| {
            let mut body = json!({ "collection": "c" });
            body[field] = json!(value);
            body
        };
        for value in [least, most] {
            let trigger = shop.trigger("kv", &handler, policy(value)).await;
            assert_eq!(trigger[field], value, "{trigger}");
            let path = format!("/admin/apps/shop/triggers/{}", trigger["id"].as_str().expect("an id"));
            let mut change = json!({});
            change[field] = json!(most + 1);
            over(app.patch(&path, change).await, field, most);
        }
        over(shop.try_trigger("kv", &handler, policy(most + 1)).await, field, most);
        if let Some(under) = least.checked_sub(1) {
            over(shop.try_trigger("kv", &handler, policy(under)).await, field, most);
        }
    }
}

#[tokio::test]
async fn names_in_triggers_and_of_topics() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let handler = shop.upload("handler", "1").await;
    for (kind, field, n) in [
        ("kv", "collection", limits::COLLECTION_NAME_BYTES_MAX),
        ("docs", "collection", limits::COLLECTION_NAME_BYTES_MAX),
        ("files", "collection", limits::COLLECTION_NAME_BYTES_MAX),
        ("pubsub", "topic", limits::TOPIC_NAME_BYTES_MAX),
        ("queue", "queue", limits::QUEUE_NAME_BYTES_MAX),
    ] {
        let named = |name: String| {
            let mut body = json!({});
            body[field] = json!(name);
            shop.try_trigger(kind, &handler, body)
        };
        // Bytes count, not characters.
        for name in ["n".repeat(n), "é".repeat(n / 2)] {
            named(name.clone()).await.expect(201);
            over(named(name + "n").await, field, n);
        }
        if kind != "queue" {
            let prefix = |bytes: usize| format!("{}.*", "n".repeat(bytes - 2));
            named(prefix(n)).await.expect(201);
            over(named(prefix(n + 1)).await, field, n);
        }
    }
    let n = limits::TOPIC_NAME_BYTES_MAX;
    let publish =
        async |topic: String| app.post(&format!("/admin/apps/shop/topics/{topic}/messages"), json!({ "message": 1 })).await;
    publish("t".repeat(n)).await.expect(201);
    over(publish("t".repeat(n + 1)).await, "topic", n);
}

#[tokio::test]
async fn what_a_script_sends() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let (name, key) = (limits::QUEUE_NAME_BYTES_MAX, limits::QUEUE_KEY_BYTES_MAX);
    // As JSON the message has two quotes more.
    let message = limits::MESSAGE_BYTES_MAX - 2;
    for (call, n) in [
        ("queue::send(TEXT, 1)", name),
        ("queue::size(TEXT)", name),
        (r#"queue::send("q", 1, #{ dedup_key: TEXT })"#, key),
        (r#"queue::send("q", TEXT)"#, message),
        (r#"pubsub::publish("t", TEXT)"#, message),
        (r#"pubsub::publish_durable("t", TEXT)"#, message),
    ] {
        assert_eq!(shop.caught(&call.replace("TEXT", &text(n))).await, Value::Null, "{call}");
        refused(&shop, &call.replace("TEXT", &text(n + 1))).await;
    }
    let delayed = |delay_s: i64| format!(r#"queue::send("q", 1, #{{ delay_s: {delay_s} }})"#);
    for fine in [0, limits::QUEUE_DELAY_S_MAX] {
        assert_eq!(shop.caught(&delayed(fine)).await, Value::Null, "{fine}");
    }
    for wrong in [-1, limits::QUEUE_DELAY_S_MAX + 1] {
        refused(&shop, &delayed(wrong)).await;
    }
}

#[tokio::test]
async fn messages_of_a_topic() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let handler = shop.upload("handler", r#"kv::collection("seen").set("e1", ctx.event.pubsub.message.len())"#).await;
    shop.trigger("pubsub", &handler, json!({ "topic": "t" })).await;
    let id = shop.id.parse().expect("an id");
    let publish = async |bytes: usize| {
        let message = format!("\"{}\"", "x".repeat(bytes - 2)).into_bytes();
        topics::publish(&app.services, None, id, origin(), "t", message)
            .await
            .map_err(|refused| refused.details.expect("details")["field"].as_str().expect("a field").to_owned())
    };
    let n = limits::MESSAGE_BYTES_MAX;
    assert_eq!(publish(n + 1).await, Err("message".into()));
    assert!(publish(n).await.is_ok());
    assert_eq!(shop.seen(1).await, [json!(n - 2)]);
}

/// A large one is read at another time than a small one.
#[tokio::test]
async fn what_an_event_tells_arrives_whole_whatever_its_size() {
    let app = stopped().await;
    let shop = app.create_app("shop").await;
    // What stands around a message; the name has as many bytes as the other.
    shop.send("m", json!("")).await;
    let around: i32 = sqlx::query_scalar("SELECT octet_length(about) FROM events")
        .fetch_one(&mut app.database.connect().await)
        .await
        .expect("an event");
    let n = usize::try_from(limits::CLAIM_ABOUT_BYTES_MAX - around).expect("room for a message");
    let keeps = r#"let text = ctx.event.queue.message; kv::collection("seen").set(`e${text.len()}`, crypto::sha256(text));"#;
    shop.trigger("queue", &shop.upload("handler", keeps).await, json!({ "queue": "q" })).await;
    let sizes = [0, n - 1, n, n + 1, limits::MESSAGE_BYTES_MAX - 2];
    for size in sizes {
        shop.send("q", json!("x".repeat(size))).await;
    }
    let sums = sizes.map(|size| {
        let sum = Sha256::digest("x".repeat(size));
        json!(sum.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
    });
    assert_eq!(shop.seen(sizes.len()).await, sums);
}

#[tokio::test]
async fn schedules_and_zones() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let handler = shop.upload("handler", "1").await;
    let schedule = |chars: usize| format!("{:chars$}", "0 0 0 * * *");
    let n = limits::SCHEDULE_CHARS_MAX;
    let trigger = shop.trigger("cron", &handler, json!({ "schedule": schedule(n) })).await;
    assert_eq!(trigger["schedule"], "0 0 0 * * *");
    over(shop.try_trigger("cron", &handler, json!({ "schedule": schedule(n + 1) })).await, "schedule", n);
    let preview = async |body: Value| app.post("/admin/apps/shop/triggers/cron:preview", body).await;
    let shown = preview(json!({ "schedule": schedule(n) })).await.expect(200).json();
    assert_eq!(shown["next_ticks"].as_array().map(Vec::len), Some(limits::SCHEDULE_PREVIEW_TICKS));
    over(preview(json!({ "schedule": schedule(n + 1) })).await, "schedule", n);
    // No zone has a name that long: one character more is refused for that alone.
    let n = limits::TIMEZONE_CHARS_MAX;
    let zone = |chars: usize| json!({ "schedule": "0 0 0 * * *", "timezone": "Z".repeat(chars) });
    over(shop.try_trigger("cron", &handler, zone(n)).await, "timezone", Value::Null);
    over(shop.try_trigger("cron", &handler, zone(n + 1)).await, "timezone", n);
}

/// A trigger of a topic whose one message is a dead letter.
async fn dead_letter(app: &TestApp) -> (Tenant, Value) {
    let shop = app.create_app("shop").await;
    let broken = shop.upload("broken", r#"if kv::collection("state").get("fixed") == () { throw "no" }"#).await;
    let trigger = shop.trigger("pubsub", &broken, json!({ "topic": "t", "max_attempts": 1 })).await;
    shop.publish_to("t", json!(1)).await;
    shop.letters(1).await;
    (shop, trigger)
}

#[tokio::test]
async fn pages_of_dead_letters() {
    let app = TestApp::start().await;
    let (shop, trigger) = dead_letter(&app).await;
    let n = limits::DEAD_LETTER_PAGE_ITEMS_MAX;
    multiply(&app, &letters_of(&trigger), i64::from(n) + 1).await;
    let list = |limit: u32| format!("dead_letters::list(#{{ limit: {limit} }})");
    for fine in [1, n] {
        let page = shop.value(&format!("let page = {}; [page.items.len(), type_of(page.cursor)]", list(fine))).await;
        assert_eq!(page, json!([fine, "string"]));
    }
    for wrong in [0, n + 1] {
        refused(&shop, &list(wrong)).await;
    }
    assert_eq!(shop.value("dead_letters::list().items.len()").await, 50);
    // A reason is bounded for scripts, too.
    let id = shop.value("dead_letters::list().items[0].id").await;
    let resolve = |chars: usize| format!(r#"dead_letters::resolve({id}, {})"#, text(chars));
    refused(&shop, &resolve(0)).await;
    refused(&shop, &resolve(limits::DEAD_LETTER_REASON_CHARS_MAX + 1)).await;
    assert_eq!(shop.value(&resolve(limits::DEAD_LETTER_REASON_CHARS_MAX)).await, true);
}

#[tokio::test]
async fn a_page_of_dead_letters_ends_at_its_bytes_and_still_walks_everything() {
    let app = TestApp::start().await;
    let (shop, trigger) = dead_letter(&app).await;
    // Four to a page, or not quite.
    let bytes = limits::DEAD_LETTER_PAGE_BYTES_MAX / 4;
    for (bytes, in_all, page) in [(bytes, 12, 4), (bytes + 1, 9, 3), (limits::DEAD_LETTER_PAGE_BYTES_MAX + 1, 3, 1)] {
        let mut db = app.database.connect().await;
        run(&mut db, "DELETE FROM deliveries WHERE id <> (SELECT id FROM deliveries ORDER BY id LIMIT 1)").await;
        run(&mut db, "DELETE FROM events WHERE id NOT IN (SELECT event_id FROM deliveries)").await;
        let frame = r#"{"topic":"t","message":"","published_at":"2026-06-01T12:00:00Z"}"#;
        let padding = bytes - i64::try_from(frame.len()).expect("a length");
        let about = frame.replace(r#""message":""#, &format!(r#""message":"' || repeat('x', {padding}) || '"#));
        run(&mut db, &format!("UPDATE events SET about = '{about}'")).await;
        multiply(&app, &letters_of(&trigger), in_all - 1).await;
        let (mut sizes, mut query) = (Vec::new(), String::new());
        loop {
            let found = app.get(&format!("/admin/apps/shop/dead_letters?limit=200{query}")).await.expect(200).json();
            sizes.push(found["items"].as_array().expect("items").len());
            let Some(cursor) = found["cursor"].as_str() else { break };
            query = format!("&cursor={cursor}");
        }
        assert_eq!(sizes, vec![page; usize::try_from(in_all).expect("a count") / page], "{bytes}");
        let walk = "let sizes = []; let after = ();
            loop {
                let page = dead_letters::list(#{ limit: 100, cursor: after });
                sizes.push(page.items.len()); after = page.cursor;
                if after == () { break; }
            }
            sizes";
        assert_eq!(shop.value(walk).await, json!(sizes));
    }
}

#[tokio::test]
async fn letters_replayed_by_one_request() {
    let app = TestApp::start().await;
    let (shop, trigger) = dead_letter(&app).await;
    let n = limits::DEAD_LETTER_REPLAY_BATCH;
    multiply(&app, &letters_of(&trigger), n).await;
    shop.run(r#"kv::collection("state").set("fixed", true)"#).await.expect(200);
    let replay = async || app.post("/admin/apps/shop/dead_letters/replay", json!({})).await.expect(200).json();
    assert_eq!(replay().await, json!({ "replayed": n, "trigger_gone": 0, "more": true }));
    assert_eq!(replay().await, json!({ "replayed": 1, "trigger_gone": 0, "more": false }));
    shop.settled().await;
    assert_eq!(shop.trigger_now(&trigger).await["counts"]["succeeded"], n + 1);
    let count = app.get("/admin/apps/shop/dead_letters/count").await.expect(200).json();
    assert_eq!(count, json!({ "all": n + 1, "unresolved": 0 }));
}

/// However many there are.
#[tokio::test]
async fn letters_whose_trigger_is_gone_do_not_stand_before_others() {
    let app = TestApp::start().await;
    let (shop, trigger) = dead_letter(&app).await;
    let broken = shop.upload("also-broken", "throw 1").await;
    let gone = shop.trigger("pubsub", &broken, json!({ "topic": "u", "max_attempts": 1 })).await;
    shop.publish_to("u", json!(1)).await;
    shop.letters(2).await;
    let n = limits::DEAD_LETTER_REPLAY_BATCH;
    multiply(&app, &letters_of(&gone), n).await;
    app.delete(&format!("/admin/apps/shop/triggers/{}", gone["id"].as_str().expect("an id"))).await.expect(204);
    shop.run(r#"kv::collection("state").set("fixed", true)"#).await.expect(200);
    let replayed = app.post("/admin/apps/shop/dead_letters/replay", json!({})).await.expect(200).json();
    assert_eq!(replayed, json!({ "replayed": 1, "trigger_gone": n + 1, "more": false }));
    shop.settled().await;
    assert_eq!(shop.trigger_now(&trigger).await["counts"]["succeeded"], 1);
}

#[tokio::test]
async fn the_log_that_an_attempt_keeps() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let broken = r#"for chars in ctx.event.queue.message { let line = ""; line.pad(chars, 'x'); log::info(line); } throw "no""#;
    shop.trigger("queue", &shop.upload("broken", broken).await, json!({ "queue": "q", "max_attempts": 1 })).await;
    // Two lines that fill it; a third before them, or a character more, is left out.
    let half = limits::ATTEMPT_LOG_BYTES_MAX / 2 - limits::LOG_LINE_COST_MIN;
    for (lines, kept) in [
        (vec![half, half], vec![half, half]),
        (vec![half + 1, half], vec![half]),
        (vec![0, half, half], vec![half, half]),
        (vec![half, half, 0], vec![half, 0]),
    ] {
        let id = shop.send("q", json!(lines)).await;
        shop.settled().await;
        let letters = shop.letters(1).await;
        let letter = letters.iter().find(|letter| letter["event"]["id"] == json!(id)).expect("a letter");
        let letter = shop.letter(letter).await;
        let logs = letter["attempt_log"][0]["logs"].as_array().expect("lines");
        let found: Vec<_> = logs.iter().map(|line| line["message"].as_str().expect("text").len()).collect();
        assert_eq!(found, kept, "of {lines:?}");
    }
}

#[tokio::test]
async fn leases() {
    let app = stopped().await;
    let shop = app.create_app("shop").await;
    shop.trigger("queue", &shop.upload("handler", KEEPS).await, json!({ "queue": "q", "max_attempts": 1 })).await;
    shop.send_with("q", json!({ "message": 1, "delay_s": 3600 })).await;
    let lease = TimeDelta::milliseconds(i64::try_from(limits::DELIVERY_LEASE_MS).expect("a time"));
    // As a node leaves it that ends with the claim.
    eventually("it is claimed", Duration::from_secs(10), async || {
        let claimed = sqlx::query("UPDATE deliveries SET state = 'claimed', claims = 1, due_at = $1 WHERE state = 'due'")
            .bind(app.clock.now() + lease)
            .execute(&mut app.database.connect().await)
            .await
            .expect("the database answers");
        (claimed.rows_affected() == 1).then_some(())
    })
    .await;
    app.advance(lease - TimeDelta::milliseconds(1));
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(shop.seen(0).await.len(), 0);
    app.advance(TimeDelta::milliseconds(1));
    assert_eq!(shop.seen(1).await[0]["event"]["attempt"], 1);
}

#[tokio::test]
async fn signatures_of_mail_that_comes_in() {
    let app = stopped().await;
    let shop = app.create_app("shop").await;
    app.put("/admin/apps/shop/secrets/mail", json!({ "value": SECRET })).await.expect(201);
    let trigger = shop.trigger("email", &shop.upload("handler", "1").await, json!({ "secret": "mail" })).await;
    let path = trigger["path"].as_str().expect("a path");
    let (now, n) = (app.clock.now().timestamp(), limits::EMAIL_SIGNATURE_S);
    for (off, status) in [(-n, 202), (n, 202), (-n - 1, 401), (n + 1, 401)] {
        let mail = json!({ "from": "a@example.org", "to": "b@example.com", "subject": off.to_string() });
        hand_in(&shop, path, now + off, &mail).await.expect(status);
    }
    // A message is known by its id for as long as one signature of it may count.
    let mail = json!({ "from": "a@example.org", "to": "b@example.com", "message_id": "<1@example.org>" });
    let handed = async || {
        let at_s = app.clock.now().timestamp();
        hand_in(&shop, path, at_s, &mail).await.expect(202).json()["event_id"].clone()
    };
    let first = handed().await;
    app.advance(TimeDelta::seconds(2 * n) - TimeDelta::milliseconds(1));
    assert_eq!(handed().await, first);
    app.advance(TimeDelta::milliseconds(1));
    assert_ne!(handed().await, first);
}

#[tokio::test]
async fn the_limits_page_shows_the_bounds_of_events() {
    let app = TestApp::start().await;
    let page = app.anonymous(reqwest::Method::GET, "/limits", None).await.expect(200).json();
    let limit = |name: &str| {
        let found = page["items"].as_array().expect("items").iter().find(|limit| limit["name"] == name);
        found.unwrap_or_else(|| panic!("{name}: {page}")).clone()
    };
    for (name, default, ceiling) in [
        ("delivery_attempts", limits::DELIVERY_ATTEMPTS_DEFAULT, limits::DELIVERY_ATTEMPTS_MAX),
        ("delivery_base_delay_ms", limits::DELIVERY_BASE_DELAY_MS_DEFAULT, limits::DELIVERY_DELAY_MS_MAX),
        ("delivery_max_delay_ms", limits::DELIVERY_MAX_DELAY_MS_DEFAULT, limits::DELIVERY_DELAY_MS_MAX),
        ("event_depth", limits::EVENT_DEPTH_MAX, limits::EVENT_DEPTH_CEILING),
        ("triggers", limits::TRIGGERS_PER_APP_MAX as u32, limits::TRIGGERS_CEILING),
    ] {
        assert_eq!((&limit(name)["default"], &limit(name)["ceiling"]), (&json!(default), &json!(ceiling)), "{name}");
    }
    // What scripts have where they name none is the guest's.
    assert_eq!(limit("dead_letter_page_items")["ceiling"], limits::DEAD_LETTER_PAGE_ITEMS_MAX);
    for (name, bound) in [
        ("events_waiting", json!(limits::EVENTS_WAITING_MAX)),
        ("events_waiting_bytes", json!(limits::EVENTS_WAITING_BYTES_MAX)),
        ("event_places_percent", json!(limits::EVENT_PLACES_PERCENT)),
        ("deliveries_claimed", json!(limits::DELIVERIES_CLAIMED_MAX)),
        ("deliveries_claimed_per_app", json!(limits::DELIVERIES_CLAIMED_PER_APP_MAX)),
        ("delivery_lease_ms", json!(limits::DELIVERY_LEASE_MS)),
        ("delivery_lost", json!(limits::DELIVERY_LOST_MAX)),
        ("attempt_log_bytes", json!(limits::ATTEMPT_LOG_BYTES_MAX)),
        ("timezone_chars", json!(limits::TIMEZONE_CHARS_MAX)),
        ("schedule_preview_ticks", json!(limits::SCHEDULE_PREVIEW_TICKS)),
        ("schedule_chars", json!(limits::SCHEDULE_CHARS_MAX)),
        ("queue_name_bytes", json!(limits::QUEUE_NAME_BYTES_MAX)),
        ("topic_name_bytes", json!(limits::TOPIC_NAME_BYTES_MAX)),
        ("message_bytes", json!(limits::MESSAGE_BYTES_MAX)),
        ("queue_delay_s", json!(limits::QUEUE_DELAY_S_MAX)),
        ("queue_key_bytes", json!(limits::QUEUE_KEY_BYTES_MAX)),
        ("queue_key_window_s", json!(limits::QUEUE_KEY_WINDOW_S)),
        ("email_signature_s", json!(limits::EMAIL_SIGNATURE_S)),
        ("dead_letter_reason_chars", json!(limits::DEAD_LETTER_REASON_CHARS_MAX)),
        ("dead_letter_page_bytes", json!(limits::DEAD_LETTER_PAGE_BYTES_MAX)),
        ("dead_letter_replay_batch", json!(limits::DEAD_LETTER_REPLAY_BATCH)),
        ("dead_letter_keep_s", json!(limits::DEAD_LETTER_KEEP_S)),
        ("dead_letter_resolved_keep_s", json!(limits::DEAD_LETTER_RESOLVED_KEEP_S)),
        ("execution_keep_s", json!(limits::EXECUTION_KEEP_S)),
    ] {
        assert_eq!((&limit(name)["default"], &limit(name)["ceiling"]), (&bound, &bound), "{name}");
        assert!(limit(name)["unit"].is_string() && limit(name)["about"].is_string(), "{name}");
    }
}
