//! What handlers see and what functions give, key by key: changing one raises the SDK version.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use picloud::clock::Clock;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::support::app::Options;
use crate::support::client::Script;
use crate::support::events::KEEPS;
use crate::support::{Reply, Tenant, TestApp, eventually};

/// When everything here happens, but for the tick.
const START: &str = "2026-06-01T12:00:00.250Z";
/// When the tick fires that is due a quarter of a second before.
const FIRED: &str = "2026-06-01T12:00:10.250Z";
/// What signs mail that comes in.
pub(crate) const SECRET: &str = "inbound secret";

/// Hands a message in as whoever takes mail would, signed for that time.
pub(crate) async fn hand_in(shop: &Tenant, path: &str, at_s: i64, mail: &Value) -> Reply {
    let body = mail.to_string();
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any key will do");
    mac.update(format!("{at_s}.{body}").as_bytes());
    let signature = format!("t={at_s},v1={}", hex(&mac.finalize().into_bytes()));
    shop.call("POST", path, body, &[("picloud-signature", &signature)]).await
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn is_id(value: &Value) -> bool {
    value.as_str().is_some_and(|id| id.len() == 36 && id.parse::<uuid::Uuid>().is_ok())
}

#[track_caller]
fn keys(map: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = map.as_object().unwrap_or_else(|| panic!("no map: {map}")).keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

/// The one event of that source and op.
#[track_caller]
fn one<'a>(seen: &'a [Value], source: &str, op: &str) -> &'a Value {
    let mut found = seen.iter().map(|seen| &seen["event"]).filter(|event| event["source"] == source && event["op"] == op);
    let event = found.next().unwrap_or_else(|| panic!("no {op} of {source}: {seen:?}"));
    assert!(found.next().is_none(), "{op} of {source} came twice");
    event
}

/// Writes to everything that tells of it, and sends; what the functions gave.
const CAUSES: &str = r#"
    let orders = kv::collection("orders");
    orders.set("a", #{ n: 1 }); orders.set("a", [2.5, "x", ()]); orders.delete("a");
    let users = docs::collection("users");
    users.create(#{ n: 1 }, #{ id: "u" }); users.patch("u", #{ m: 2 }); users.delete("u");
    let pics = files::collection("pics");
    let made = pics.create("a.txt", "one", #{ content_type: "text/plain" });
    let updated = pics.update("a.txt", blob(5, 7));
    pics.delete("a.txt");
    #{
        made: made,
        updated: updated,
        published: pubsub::publish("news", "hello"),
        sent: queue::send("jobs", #{ n: 1 }),
        broken: queue::send("broken", 7),
    }
"#;

/// What was caused, and what is known of it.
struct Caused {
    /// What the script had of it.
    gave: Value,
    /// The trigger of the handler that fails, and its script.
    fails: Value,
    broken: Script,
    /// The events of two messages that came in, the second with as little as may be, and of a schedule that was run by hand.
    mail: Value,
    bare_mail: Value,
    ran: Value,
}

/// Every source in each of its ways, but for the tick: 15 events for a handler that keeps them.
async fn cause(app: &TestApp, shop: &Tenant) -> Caused {
    app.put("/admin/apps/shop/secrets/mail", json!({ "value": SECRET })).await.expect(201);
    let keeps = shop.upload("keeps", KEEPS).await;
    for (kind, body) in [
        ("kv", json!({ "collection": "orders" })),
        ("docs", json!({ "collection": "users" })),
        ("files", json!({ "collection": "pics" })),
        ("pubsub", json!({ "topic": "news" })),
        ("queue", json!({ "queue": "jobs" })),
        ("dead_letter", json!({})),
    ] {
        shop.trigger(kind, &keeps, body).await;
    }
    let mailbox = shop.trigger("email", &keeps, json!({ "secret": "mail" })).await;
    let cron = shop.trigger("cron", &keeps, json!({ "schedule": "*/10 * * * * *", "timezone": "Europe/Berlin" })).await;
    let broken = shop.upload("broken", r#"throw "no""#).await;
    let twice = json!({ "queue": "broken", "max_attempts": 2, "base_delay_ms": 0 });
    let fails = shop.trigger("queue", &broken, twice).await;

    let gave = shop.run(CAUSES).await.expect(200).json();
    let (path, now) = (mailbox["path"].as_str().expect("a path"), app.clock.now().timestamp());
    let mail = json!({
        "from": "ada@example.org", "to": "shop@example.com", "cc": ["b@example.com", "c@example.com"],
        "subject": "Hello", "text": "Hi", "html": "<p>Hi</p>", "message_id": "<1@example.org>",
    });
    let mail = hand_in(shop, path, now, &mail).await.expect(202).json();
    let bare_mail = json!({ "from": "ada@example.org", "to": ["shop@example.com"] });
    let bare_mail = hand_in(shop, path, now, &bare_mail).await.expect(202).json();
    let run = format!("/admin/apps/shop/triggers/{}/run", cron["id"].as_str().expect("an id"));
    let ran = app.post(&run, json!({})).await.expect(202).json();
    for answer in [&mail, &bare_mail, &ran] {
        assert_eq!(keys(answer), ["event_id"]);
    }
    let event = |answer: &Value| answer["event_id"].clone();
    Caused { gave, fails, broken, mail: event(&mail), bare_mail: event(&bare_mail), ran: event(&ran) }
}

#[tokio::test]
async fn the_event_has_exactly_its_fields() {
    let start: DateTime<Utc> = START.parse().expect("a time");
    let app = TestApp::start_with(Options { clock: Clock::manual(start), ..Options::default() }).await;
    let shop = app.create_app("shop").await;
    let caused = cause(&app, &shop).await;
    shop.seen(15).await;
    app.advance(TimeDelta::seconds(10));
    shop.seen(16).await;
    shop.settled().await;
    let seen = shop.seen(16).await;
    assert_eq!(seen.len(), 16);
    for seen in &seen {
        let event = &seen["event"];
        let source = event["source"].as_str().expect("a source");
        let mut expected = vec!["attempt", "depth", "id", "op", "source", "time", source];
        expected.sort_unstable();
        assert_eq!(keys(event), expected);
        assert!(is_id(&event["id"]), "{event}");
        let (depth, time) = (if source == "dead_letter" { 2 } else { 1 }, if event["op"] == "tick" { FIRED } else { START });
        assert_eq!((&event["attempt"], &event["depth"], &event["time"]), (&json!(1), &json!(depth), &json!(time)), "{event}");
        assert_eq!(seen["type"], "event");
    }
    let ids: BTreeSet<_> = seen.iter().map(|seen| seen["event"]["id"].to_string()).collect();
    assert_eq!(ids.len(), seen.len());
    check_kv_and_docs(&seen);
    check_files(&seen, &caused);
    check_schedules(&seen, &caused);
    check_messages(&seen, &caused);
    check_mail(&seen, &caused);
    check_dead_letter(&seen, &caused, &shop.letters(1).await[0]);
}

fn check_kv_and_docs(seen: &[Value]) {
    for (op, value, prev) in [
        ("insert", json!({ "n": 1 }), Value::Null),
        ("update", json!([2.5, "x", null]), json!({ "n": 1 })),
        ("delete", Value::Null, json!([2.5, "x", null])),
    ] {
        let about = json!({ "collection": "orders", "key": "a", "value": value, "prev": prev });
        assert_eq!(one(seen, "kv", op)["kv"], about, "{op}");
    }
    for (op, data, prev_data) in [
        ("insert", json!({ "n": 1 }), Value::Null),
        ("update", json!({ "n": 1, "m": 2 }), json!({ "n": 1 })),
        ("delete", Value::Null, json!({ "n": 1, "m": 2 })),
    ] {
        let about = json!({ "collection": "users", "id": "u", "data": data, "prev_data": prev_data });
        assert_eq!(one(seen, "docs", op)["docs"], about, "{op}");
    }
}

/// The metadata is that which `create` and `update` gave.
fn check_files(seen: &[Value], caused: &Caused) {
    let (made, updated) = (&caused.gave["made"], &caused.gave["updated"]);
    let metadata = ["content_type", "created_at", "id", "name", "revision", "sha256", "size", "updated_at"];
    assert_eq!((keys(made), keys(updated)), (metadata.to_vec(), metadata.to_vec()));
    let revision = START.parse::<DateTime<Utc>>().expect("a time").timestamp_micros();
    for (file, content, revision) in [(made, b"one".as_slice(), revision), (updated, [7; 5].as_slice(), revision + 1)] {
        assert!(is_id(&file["id"]), "{file}");
        let told = json!({
            "id": made["id"],
            "name": "a.txt",
            "content_type": "text/plain",
            "size": content.len(),
            "sha256": hex(&Sha256::digest(content)),
            "revision": revision,
            "created_at": START,
            "updated_at": START,
        });
        assert_eq!(*file, told);
    }
    let with = |file: &Value, prev: &Value| {
        let mut about = file.clone();
        (about["collection"], about["prev"]) = (json!("pics"), prev.clone());
        about
    };
    assert_eq!(one(seen, "files", "insert")["files"], with(made, &Value::Null));
    assert_eq!(one(seen, "files", "update")["files"], with(updated, made));
    assert_eq!(one(seen, "files", "delete")["files"], with(&json!({ "name": "a.txt" }), updated));
}

fn check_schedules(seen: &[Value], caused: &Caused) {
    let about = |scheduled_at: &str, fired_at: &str| {
        let (schedule, timezone) = ("*/10 * * * * *", "Europe/Berlin");
        json!({ "schedule": schedule, "timezone": timezone, "scheduled_at": scheduled_at, "fired_at": fired_at })
    };
    assert_eq!(one(seen, "cron", "tick")["cron"], about("2026-06-01T12:00:10Z", FIRED));
    let ran = one(seen, "cron", "run");
    assert_eq!((&ran["cron"], &ran["id"]), (&about(START, START), &caused.ran));
}

fn check_messages(seen: &[Value], caused: &Caused) {
    let published = one(seen, "pubsub", "publish");
    assert_eq!(published["pubsub"], json!({ "topic": "news", "message": "hello", "published_at": START }));
    assert_eq!(published["id"], caused.gave["published"]);
    let sent = one(seen, "queue", "send");
    assert_eq!(sent["queue"], json!({ "name": "jobs", "message": { "n": 1 }, "enqueued_at": START }));
    assert_eq!(sent["id"], caused.gave["sent"]);
}

fn check_mail(seen: &[Value], caused: &Caused) {
    let of = |id: &Value| {
        let found = seen.iter().map(|seen| &seen["event"]).find(|event| event["id"] == *id).expect("an event");
        assert_eq!((&found["source"], &found["op"]), (&json!("email"), &json!("receive")));
        found["email"].clone()
    };
    let whole = json!({
        "from": "ada@example.org", "to": ["shop@example.com"], "cc": ["b@example.com", "c@example.com"],
        "subject": "Hello", "text": "Hi", "html": "<p>Hi</p>", "message_id": "<1@example.org>", "received_at": START,
    });
    assert_eq!(of(&caused.mail), whole);
    let bare = json!({
        "from": "ada@example.org", "to": ["shop@example.com"], "cc": [],
        "subject": "", "text": null, "html": null, "message_id": null, "received_at": START,
    });
    assert_eq!(of(&caused.bare_mail), bare);
}

fn check_dead_letter(seen: &[Value], caused: &Caused, letter: &Value) {
    let mut about = one(seen, "dead_letter", "dead")["dead_letter"].clone();
    let error = about["last_error"].take();
    assert_eq!(keys(&error), ["code", "column", "line", "message", "script"]);
    assert!(error["column"].is_u64(), "{error}");
    assert_eq!((&error["code"], &error["message"]), (&json!("script_error"), &json!("no")));
    assert_eq!((&error["script"], &error["line"]), (&json!("broken"), &json!(1)));
    let original = json!({
        "id": caused.gave["broken"],
        "source": "queue",
        "op": "send",
        "time": START,
        "depth": 1,
        "queue": { "name": "broken", "message": 7, "enqueued_at": START },
    });
    let told = json!({
        "dead_letter_id": letter["id"],
        "original": original,
        "attempts": 2,
        "reason": "attempts_exhausted",
        "last_error": null,
        "trigger_id": caused.fails["id"],
        "script_id": caused.broken.id,
        "first_attempt_at": START,
        "last_attempt_at": START,
    });
    assert_eq!(about, told);
}

/// Calls every function of `queue`, `pubsub` and `dead_letters`, and says what each gave: a map by its keys and their types.
const EVERY_FUNCTION: &str = r#"
    fn kinds(value) { let found = #{}; for key in value.keys() { found[key] = type_of(value[key]); } found }
    let first = dead_letters::list(#{ limit: 1, unresolved: true });
    let all = dead_letters::list();
    let id = all.items[0].id;
    let other = all.items[1].id;
    let whole = dead_letters::get(id);
    let attempt = whole.attempt_log[0];
    #{
        send: [type_of(queue::send("q", 1)), type_of(queue::send("q", 1, #{ delay_s: 1, dedup_key: "k" }))],
        size: type_of(queue::size("q")),
        publish: type_of(pubsub::publish("t", 1)),
        publish_durable: type_of(pubsub::publish_durable("t", 1)),
        subscriber_token: type_of(pubsub::subscriber_token("t")),
        list: kinds(all),
        list_of_more: kinds(first),
        listed: kinds(all.items[0]),
        get: kinds(whole),
        get_nothing: type_of(dead_letters::get("none")),
        event: kinds(whole.event),
        last_error: kinds(whole.last_error),
        handler_failed: kinds(whole.handler_failed),
        attempt: kinds(attempt),
        line: kinds(attempt.logs[0]),
        replay: type_of(dead_letters::replay(id)),
        replayed_as: type_of(dead_letters::get(id).replayed_as),
        resolved: kinds(dead_letters::get(id).resolved),
        resolve: [dead_letters::resolve(other, "done"), dead_letters::resolve(other, "again")],
    }
"#;

#[tokio::test]
async fn what_the_functions_give_is_pinned() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let broken = shop.upload("broken", r#"log::info("here", #{ n: 1 }); throw "no""#).await;
    shop.trigger("queue", &broken, json!({ "queue": "broken", "max_attempts": 1 })).await;
    shop.trigger("dead_letter", &shop.upload("worse", "throw 1").await, json!({ "max_attempts": 1 })).await;
    for n in 0..2 {
        shop.send("broken", json!(n)).await;
    }
    eventually("the handlers of both letters have failed", Duration::from_secs(10), async || {
        let letters = shop.letters(2).await;
        letters.iter().all(|letter| !letter["handler_failed"].is_null()).then_some(())
    })
    .await;
    let letter = json!({
        "id": "string", "app_id": "string", "event": "map", "trigger_id": "string", "script_id": "string",
        "reason": "string", "attempts": "i64", "last_error": "map",
        "first_attempt_at": "string", "last_attempt_at": "string", "dead_at": "string",
        "resolved": "()", "replayed_as": "()", "handler_failed": "map",
    });
    let mut whole = letter.clone();
    whole["attempt_log"] = json!("array");
    let expected = json!({
        "send": ["string", "string"],
        "size": "i64",
        "publish": "string",
        "publish_durable": "string",
        "subscriber_token": "string",
        "list": { "items": "array", "cursor": "()" },
        "list_of_more": { "items": "array", "cursor": "string" },
        "listed": letter,
        "get": whole,
        "get_nothing": "()",
        "event": { "id": "string", "source": "string", "op": "string", "time": "string", "depth": "i64", "queue": "map" },
        "last_error": { "code": "string", "message": "string", "script": "string", "line": "i64", "column": "i64" },
        "handler_failed": { "at": "string", "error": "map" },
        "attempt": {
            "number": "i64", "execution_id": "string", "version": "i64", "outcome": "string", "error": "map", "logs": "array",
            "started_at": "string", "wall_us": "i64",
        },
        "line": { "at": "string", "level": "string", "message": "string", "data": "map" },
        "replay": "string",
        "replayed_as": "string",
        "resolved": { "at": "string", "by": "()", "reason": "string" },
        "resolve": [true, false],
    });
    assert_eq!(shop.run(EVERY_FUNCTION).await.expect(200).json(), expected);
}
