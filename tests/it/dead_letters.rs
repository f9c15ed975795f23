//! Deliveries that fail: tried again by their policy, then kept, found, replayed, resolved.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use picloud::clock::Clock;
use picloud::limits::DEAD_LETTER_REASON_CHARS_MAX;
use serde_json::{Value, json};

use crate::support::app::Options;
use crate::support::events::KEEPS;
use crate::support::{Tenant, TestApp, eventually};

/// A handler that fails as often as the entry `fail` of `state` says, and counts its runs.
const FLAKY: &str = r#"
    let state = kv::collection("state");
    let runs = state.increment("runs");
    log::info(`run ${runs}`, #{ attempt: ctx.event.attempt });
    if runs <= (state.get("fail") ?? 0) { throw `broken ${runs}`; }
"#;

async fn fail(shop: &Tenant, times: i64) {
    shop.run(&format!(r#"kv::collection("state").set("fail", {times})"#)).await.expect(200);
}

async fn runs(shop: &Tenant) -> Value {
    shop.value(r#"kv::collection("state").get("runs") ?? 0"#).await
}

#[tokio::test]
async fn a_failed_delivery_is_tried_again_after_its_wait_and_no_sooner() {
    let start: DateTime<Utc> = "2026-06-01T12:00:00Z".parse().unwrap();
    let app = TestApp::start_with(Options { clock: Clock::manual(start), ..Options::default() }).await;
    let shop = app.create_app("shop").await;
    let handler = shop.upload("handler", FLAKY).await;
    let policy = json!({ "queue": "q", "max_attempts": 4, "backoff": "linear", "base_delay_ms": 1000, "jitter": false });
    let trigger = shop.trigger("queue", &handler, policy).await;
    fail(&shop, 2).await;
    let id = shop.send("q", json!("m")).await;
    let waits_for = async |attempts: i64| {
        eventually("the attempt has failed", Duration::from_secs(10), async || {
            let row: Option<(i32, DateTime<Utc>)> =
                sqlx::query_as("SELECT failed, due_at FROM deliveries WHERE state = 'due' AND failed = $1")
                    .bind(i32::try_from(attempts).unwrap())
                    .fetch_optional(&mut app.database.connect().await)
                    .await
                    .unwrap();
            row.map(|(_, due_at)| due_at - app.clock.now())
        })
        .await
    };
    assert_eq!(waits_for(1).await, TimeDelta::seconds(1));
    app.advance(TimeDelta::milliseconds(999));
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(runs(&shop).await, 1);
    app.advance(TimeDelta::milliseconds(1));
    assert_eq!(waits_for(2).await, TimeDelta::seconds(2));
    app.advance(TimeDelta::seconds(2));
    shop.settled().await;
    assert_eq!(runs(&shop).await, 3);
    let counts = shop.trigger_now(&trigger).await["counts"].clone();
    assert_eq!((&counts["succeeded"], &counts["failed"], &counts["dead"]), (&json!(1), &json!(2), &json!(0)), "{id}");
    let left: i64 = sqlx::query_scalar("SELECT (SELECT count(*) FROM attempts) + (SELECT count(*) FROM events)")
        .fetch_one(&mut app.database.connect().await)
        .await
        .unwrap();
    assert_eq!(left, 0, "what succeeds leaves nothing behind");
}

#[tokio::test]
async fn a_letter_tells_the_event_and_every_attempt_with_its_error_and_log() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let handler = shop.upload("handler", FLAKY).await;
    let trigger = shop.trigger("queue", &handler, json!({ "queue": "q", "max_attempts": 2, "base_delay_ms": 1 })).await;
    fail(&shop, 9).await;
    let id = shop.send("q", json!({ "order": 7 })).await;
    let listed = shop.letters(1).await.remove(0);
    let letter = shop.letter(&listed).await;
    assert_eq!((&letter["event"]["id"], &letter["event"]["source"]), (&json!(id), &json!("queue")), "{letter}");
    assert_eq!(letter["event"]["queue"]["message"], json!({ "order": 7 }));
    assert_eq!((&letter["trigger_id"], &letter["script_id"]), (&trigger["id"], &json!(handler.id)));
    assert_eq!((&letter["reason"], &letter["attempts"]), (&json!("attempts_exhausted"), &json!(2)));
    assert_eq!((&letter["resolved"], &letter["handler_failed"]), (&Value::Null, &Value::Null));
    let log = letter["attempt_log"].as_array().unwrap();
    assert_eq!(log.len(), 2);
    for (n, attempt) in log.iter().enumerate() {
        let number = n + 1;
        assert_eq!((&attempt["number"], &attempt["outcome"]), (&json!(number), &json!("script_failed")), "{attempt}");
        assert_eq!(attempt["error"]["message"], format!("broken {number}"));
        assert_eq!(attempt["error"]["line"], 5);
        assert_eq!(attempt["logs"][0]["message"], format!("run {number}"));
        assert_eq!(attempt["logs"][0]["data"], json!({ "attempt": number }));
        let record = app.execution(attempt["execution_id"].as_str().unwrap()).await;
        assert_eq!((&record["trigger_id"], &record["attempt"]), (&trigger["id"], &json!(number)), "{record}");
    }
    assert_eq!(listed["last_error"]["message"], "broken 2");
    let count = app.get("/admin/apps/shop/dead_letters/count").await.expect(200).json();
    assert_eq!(count, json!({ "all": 1, "unresolved": 1 }));
    let other = app.create_app("other").await;
    app.get(&format!("/admin/apps/{}/dead_letters/{}", other.slug, letter["id"].as_str().unwrap())).await.expect(404);
    app.post(&format!("/admin/apps/{}/dead_letters/{}/replay", other.slug, letter["id"].as_str().unwrap()), json!({}))
        .await
        .expect(404);
}

#[tokio::test]
async fn a_replay_keeps_the_event_id_and_resolves_the_letter() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let source = format!("{FLAKY}{KEEPS}");
    let handler = shop.upload("handler", &source).await;
    shop.trigger("queue", &handler, json!({ "queue": "q", "max_attempts": 1 })).await;
    fail(&shop, 1).await;
    let id = shop.send("q", json!("m")).await;
    let letter = shop.letters(1).await.remove(0);
    let path = format!("/admin/apps/shop/dead_letters/{}", letter["id"].as_str().unwrap());
    let replayed = app.post(&format!("{path}/replay"), json!({})).await.expect(202).json();
    let seen = shop.seen(1).await;
    assert_eq!((&seen[0]["event"]["id"], &seen[0]["event"]["attempt"]), (&json!(id), &json!(1)));
    let letter = app.get(&path).await.expect(200).json();
    assert_eq!((&letter["replayed_as"], &letter["resolved"]["reason"]), (&replayed["delivery_id"], &json!("replayed")));
    shop.settled().await;
    // Once more, by whoever needs it.
    app.post(&format!("{path}/replay"), json!({})).await.expect(202);
    shop.seen(2).await;
    assert_eq!(app.get("/admin/apps/shop/dead_letters?unresolved=true").await.expect(200).json()["items"], json!([]));
}

#[tokio::test]
async fn many_letters_are_replayed_by_a_filter() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let handler = shop.upload("handler", FLAKY).await;
    shop.trigger("queue", &handler, json!({ "queue": "q", "max_attempts": 1 })).await;
    shop.trigger("pubsub", &handler, json!({ "topic": "t", "max_attempts": 1 })).await;
    fail(&shop, 5).await;
    for n in 0..3 {
        shop.send("q", json!(n)).await;
    }
    for n in 0..2 {
        shop.publish_to("t", json!(n)).await;
    }
    shop.letters(5).await;
    let replay = async |body: Value| app.post("/admin/apps/shop/dead_letters/replay", body).await.expect(200).json();
    assert_eq!(replay(json!({ "source": "queue" })).await, json!({ "replayed": 3, "trigger_gone": 0, "more": false }));
    shop.settled().await;
    assert_eq!(runs(&shop).await, 8);
    assert_eq!(replay(json!({})).await["replayed"], 2);
    shop.settled().await;
    assert_eq!(app.get("/admin/apps/shop/dead_letters/count").await.expect(200).json()["unresolved"], 0);
    app.post("/admin/apps/shop/dead_letters/replay", json!({ "source": "nothing" })).await.expect(422);
}

#[tokio::test]
async fn a_letter_whose_trigger_is_gone_can_only_be_resolved() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let handler = shop.upload("handler", "throw 1").await;
    let trigger = shop.trigger("pubsub", &handler, json!({ "topic": "t", "max_attempts": 1 })).await;
    shop.publish_to("t", json!(1)).await;
    let letter = shop.letters(1).await.remove(0);
    app.delete(&format!("/admin/apps/shop/triggers/{}", trigger["id"].as_str().unwrap())).await.expect(204);
    let path = format!("/admin/apps/shop/dead_letters/{}", letter["id"].as_str().unwrap());
    let refused = app.post(&format!("{path}/replay"), json!({})).await.expect(409).json();
    assert_eq!(refused["error"]["code"], "trigger_gone");
    for reason in ["", "  ", &"x".repeat(DEAD_LETTER_REASON_CHARS_MAX + 1)] {
        app.post(&format!("{path}/resolve"), json!({ "reason": reason })).await.expect(422);
    }
    let reason = "x".repeat(DEAD_LETTER_REASON_CHARS_MAX);
    let resolved = app.post(&format!("{path}/resolve"), json!({ "reason": reason })).await.expect(200).json();
    assert_eq!(resolved["resolved"]["reason"], reason);
    assert!(resolved["resolved"]["by"].is_string());
}

#[tokio::test]
async fn dead_letter_triggers_really_fire() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let (broken, other) = (shop.upload("broken", "throw \"no\"").await, shop.upload("other", "throw \"no\"").await);
    let keeps = shop.upload("keeps", KEEPS).await;
    let trigger = shop.trigger("queue", &broken, json!({ "queue": "q", "max_attempts": 1 })).await;
    shop.trigger("pubsub", &other, json!({ "topic": "t", "max_attempts": 1 })).await;
    shop.trigger("dead_letter", &keeps, json!({ "filter": { "source": "queue" } })).await;
    shop.trigger("dead_letter", &keeps, json!({ "filter": { "trigger_id": trigger["id"] } })).await;
    shop.trigger("dead_letter", &keeps, json!({ "filter": { "script_id": broken.id } })).await;
    shop.trigger("dead_letter", &keeps, json!({})).await;
    let id = shop.send("q", json!({ "n": 1 })).await;
    let seen = shop.seen(4).await;
    shop.settled().await;
    assert_eq!(shop.seen(4).await.len(), 4);
    let letter = shop.letters(1).await.remove(0);
    for seen in &seen {
        let about = &seen["event"]["dead_letter"];
        assert_eq!((&seen["event"]["source"], &seen["event"]["depth"]), (&json!("dead_letter"), &json!(2)), "{seen}");
        assert_eq!((&about["dead_letter_id"], &about["original"]["id"]), (&letter["id"], &json!(id)), "{about}");
        assert_eq!(about["original"]["queue"]["message"], json!({ "n": 1 }));
        assert_eq!((&about["attempts"], &about["last_error"]["message"]), (&json!(1), &json!("no")));
        assert_eq!((&about["trigger_id"], &about["script_id"]), (&trigger["id"], &json!(broken.id)));
        assert!(about["first_attempt_at"].is_string() && about["last_attempt_at"].is_string());
    }
    // Of another source, trigger and script: only the one without a filter.
    shop.publish_to("t", json!(1)).await;
    shop.seen(5).await;
    shop.settled().await;
    assert_eq!(shop.seen(5).await.len(), 5);
}

#[tokio::test]
async fn a_handler_of_dead_letters_that_fails_is_noted_and_nothing_follows() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let broken = shop.upload("broken", "throw \"first\"").await;
    let worse = shop.upload("worse", "throw \"second\"").await;
    shop.trigger("queue", &broken, json!({ "queue": "q", "max_attempts": 1 })).await;
    shop.trigger("dead_letter", &worse, json!({ "max_attempts": 2, "base_delay_ms": 1 })).await;
    shop.send("q", json!(1)).await;
    let letter = shop.letters(1).await.remove(0);
    let noted = eventually("the failure is noted", Duration::from_secs(10), async || {
        let letter = shop.letter(&letter).await;
        (!letter["handler_failed"].is_null()).then_some(letter)
    })
    .await;
    assert_eq!(noted["handler_failed"]["error"]["message"], "second", "{noted}");
    assert_eq!(noted["last_error"]["message"], "first");
    shop.settled().await;
    assert_eq!(shop.letters(1).await.len(), 1);
}

#[tokio::test]
async fn bounds_that_a_handler_reaches_are_failures_of_the_delivery() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let burner = shop.upload_with("burner", "loop {}", json!({ "limits": { "fuel": 2_000_000 } })).await;
    let slow = shop.upload_with("slow", "loop {}", json!({ "limits": { "timeout_ms": 50, "fuel": 50_000_000_000_u64 } })).await;
    let refuses = shop.upload("refuses", "throw #{ statusCode: 403 }").await;
    for (queue, script) in [("a", &burner), ("b", &slow), ("c", &refuses)] {
        shop.trigger("queue", script, json!({ "queue": queue, "max_attempts": 1 })).await;
        shop.send(queue, json!(1)).await;
    }
    let letters = shop.letters(3).await;
    let mut outcomes = Vec::new();
    for letter in &letters {
        outcomes.push(shop.letter(letter).await["attempt_log"][0]["outcome"].as_str().unwrap().to_owned());
    }
    outcomes.sort();
    assert_eq!(outcomes, ["deadline_exceeded", "fuel_exhausted", "script_failed"]);
}

#[tokio::test]
async fn a_replay_that_fails_again_is_another_letter_of_the_same_event() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let broken = shop.upload("broken", "throw 1").await;
    let trigger = shop.trigger("queue", &broken, json!({ "queue": "q", "max_attempts": 2, "base_delay_ms": 1 })).await;
    let event = shop.send("q", json!("m")).await;
    let first = shop.letters(1).await.remove(0);
    // The first one, what came of it, and the first one once more.
    let mut made = vec![first["id"].clone()];
    for (number, which) in [(2, 0), (3, 1), (4, 0)] {
        let path = format!("/admin/apps/shop/dead_letters/{}", made[which].as_str().unwrap());
        let delivery = app.post(&format!("{path}/replay"), json!({})).await.expect(202).json()["delivery_id"].clone();
        assert_eq!(app.get(&path).await.expect(200).json()["replayed_as"], delivery);
        let letters = shop.letters(number).await;
        let letter = letters.iter().find(|letter| letter["id"] == delivery).expect("the delivery is a letter");
        assert_eq!((&letter["event"]["id"], &letter["trigger_id"]), (&json!(event), &trigger["id"]), "{letter}");
        assert_eq!((&letter["attempts"], &letter["resolved"]), (&json!(2), &Value::Null), "{letter}");
        // Its attempts are counted anew, and so says the record of each.
        let log = shop.letter(letter).await["attempt_log"].as_array().unwrap().clone();
        assert_eq!(log.iter().map(|attempt| attempt["number"].clone()).collect::<Vec<_>>(), [json!(1), json!(2)]);
        for attempt in &log {
            let record = app.execution(attempt["execution_id"].as_str().unwrap()).await;
            assert_eq!((&record["attempt"], &record["event_id"]), (&attempt["number"], &json!(event)), "{record}");
        }
        made.push(delivery);
    }
    let numbers: Vec<(uuid::Uuid, i32)> = sqlx::query_as("SELECT id, replay FROM deliveries ORDER BY replay")
        .fetch_all(&mut app.database.connect().await)
        .await
        .unwrap();
    assert_eq!(numbers.iter().map(|(id, _)| json!(id)).collect::<Vec<_>>(), made);
    assert_eq!(numbers.iter().map(|(_, replay)| *replay).collect::<Vec<_>>(), [0, 1, 2, 3]);
    let count = app.get("/admin/apps/shop/dead_letters/count").await.expect(200).json();
    assert_eq!(count, json!({ "all": 4, "unresolved": 2 }));
}

#[tokio::test]
async fn letters_are_found_by_what_they_are_of() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let (one, two) = (shop.upload("one", "throw 1").await, shop.upload("two", "throw 2").await);
    shop.trigger("queue", &one, json!({ "queue": "q", "max_attempts": 1 })).await;
    let topic = shop.trigger("pubsub", &two, json!({ "topic": "t", "max_attempts": 1 })).await;
    shop.trigger("queue", &two, json!({ "queue": "r", "max_attempts": 1 })).await;
    shop.send("q", json!(1)).await;
    shop.publish_to("t", json!(1)).await;
    shop.send("r", json!(1)).await;
    let name = |letter: &Value| {
        let event = &letter["event"];
        event["queue"]["name"].as_str().or(event["pubsub"]["topic"].as_str()).expect("a name").to_owned()
    };
    let letters = shop.letters(3).await;
    let done = letters.iter().find(|letter| name(letter) == "r").expect("a letter")["id"].as_str().unwrap();
    app.post(&format!("/admin/apps/shop/dead_letters/{done}/resolve"), json!({ "reason": "done" })).await.expect(200);
    let (one, two, topic) = (&one.id, &two.id, topic["id"].as_str().unwrap());
    for (query, expected) in [
        (String::new(), vec!["q", "r", "t"]),
        ("unresolved=true".to_owned(), vec!["q", "t"]),
        ("unresolved=false".to_owned(), vec!["q", "r", "t"]),
        ("source=queue".to_owned(), vec!["q", "r"]),
        ("source=pubsub".to_owned(), vec!["t"]),
        ("source=invoke".to_owned(), vec![]),
        (format!("trigger_id={topic}"), vec!["t"]),
        (format!("script_id={one}"), vec!["q"]),
        (format!("script_id={two}"), vec!["r", "t"]),
        (format!("script_id={two}&unresolved=true"), vec!["t"]),
        (format!("script_id={two}&source=queue"), vec!["r"]),
        (format!("script_id={one}&trigger_id={topic}"), vec![]),
    ] {
        // Page by page.
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = app.get(&format!("/admin/apps/shop/dead_letters?{query}&limit=1{cursor}")).await.expect(200).json();
            found.extend(page["items"].as_array().unwrap().iter().map(name));
            let Some(next) = page["cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        found.sort();
        assert_eq!(found, expected, "{query}");
    }
    for wrong in ["source=nothing", "source=dead_letter", "trigger_id=x", "script_id=x", "unresolved=maybe", "resolved=true"] {
        app.get(&format!("/admin/apps/shop/dead_letters?{wrong}")).await.fails(422, "invalid");
    }
}

#[tokio::test]
async fn a_filter_of_letters_must_fit_in_all_its_words() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let (one, two) = (shop.upload("one", "throw 1").await, shop.upload("two", "throw 2").await);
    let keeps = shop.upload("keeps", KEEPS).await;
    shop.trigger("queue", &one, json!({ "queue": "q", "max_attempts": 1 })).await;
    shop.trigger("pubsub", &two, json!({ "topic": "t", "max_attempts": 1 })).await;
    let fits = shop.trigger("queue", &two, json!({ "queue": "r", "max_attempts": 1 })).await;
    shop.trigger("dead_letter", &keeps, json!({ "filter": { "source": "queue", "script_id": two.id } })).await;
    shop.trigger("dead_letter", &keeps, json!({ "filter": { "source": "invoke", "trigger_id": fits["id"] } })).await;
    shop.trigger("dead_letter", &keeps, json!({ "filter": { "script_id": one.id, "trigger_id": fits["id"] } })).await;
    shop.send("q", json!(1)).await;
    shop.publish_to("t", json!(1)).await;
    shop.send("r", json!(1)).await;
    shop.letters(3).await;
    shop.settled().await;
    let seen = shop.seen(1).await;
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!(seen[0]["event"]["dead_letter"]["original"]["queue"]["name"], "r");
    assert_eq!(seen[0]["event"]["dead_letter"]["trigger_id"], fits["id"]);
}

#[tokio::test]
async fn an_execution_is_followed_by_the_attempts_of_its_own_trigger() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let (fails, works) = (shop.upload("fails", "throw 1").await, shop.upload("works", "1").await);
    let dies = shop.trigger("pubsub", &fails, json!({ "topic": "t", "max_attempts": 2, "base_delay_ms": 1 })).await;
    let lives = shop.trigger("pubsub", &works, json!({ "topic": "t" })).await;
    let event = shop.publish_to("t", json!(1)).await;
    let letter = shop.letters(1).await.remove(0);
    shop.settled().await;
    let delivery = json!({ "id": letter["id"], "state": "dead", "attempts": 2, "due_at": null });
    for (script, trigger, attempts, delivery) in [(&fails, &dies, 2, delivery), (&works, &lives, 1, Value::Null)] {
        let listed = app.get(&format!("/admin/scripts/{}/executions", script.id)).await.expect(200).json();
        let ids: Vec<_> = listed["items"].as_array().unwrap().iter().map(|execution| execution["id"].clone()).collect();
        assert_eq!(ids.len(), attempts);
        for id in &ids {
            let record = app.execution(id.as_str().unwrap()).await;
            assert_eq!((&record["event_id"], &record["trigger_id"]), (&json!(event), &trigger["id"]), "{record}");
            let mut own: Vec<_> = record["attempts"].as_array().unwrap().iter().map(|attempt| attempt["id"].clone()).collect();
            // The list has the newest first.
            own.reverse();
            assert_eq!((&own, &record["delivery"]), (&ids, &delivery), "{record}");
        }
    }
}
