//! Chains of events: each way to make an event adds a hop, and past the last one nothing is attempted and nothing lost.

use picloud::limits::{EVENT_DEPTH_LETTERS, EVENT_DEPTH_MAX};
use serde_json::{Value, json};

use crate::support::events::KEEPS;
use crate::support::{Tenant, TestApp};

/// The app's letters, which are on one page.
async fn all_letters(shop: &Tenant) -> Vec<Value> {
    let path = format!("/admin/apps/{}/dead_letters?limit=200", shop.slug);
    let page = shop.client.get(&path).await.expect(200).json();
    assert_eq!(page["cursor"], Value::Null);
    page["items"].as_array().expect("items").clone()
}

/// Handlers that do again what ran them, each in a way of its own.
#[tokio::test]
async fn every_way_to_make_an_event_adds_a_hop() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    for (kind, body, again) in [
        ("kv", json!({ "collection": "c" }), r#"kv::collection("c").increment("n");"#),
        ("docs", json!({ "collection": "d" }), r#"docs::collection("d").create(#{});"#),
        ("files", json!({ "collection": "f" }), r#"files::collection("f").create(random::uuid(), "x");"#),
        ("queue", json!({ "queue": "q" }), r#"queue::send("q", 1);"#),
        ("pubsub", json!({ "topic": "t" }), r#"pubsub::publish("t", 1);"#),
    ] {
        let source = format!(r#"kv::collection("runs").increment("{kind}"); {again}"#);
        shop.trigger(kind, &shop.upload(&format!("again-{kind}"), &source).await, body).await;
        shop.run(again).await.expect(200);
    }
    // Without a trigger.
    shop.upload("starts", r#"kv::collection("runs").increment("start"); invoke::start("starts", ());"#).await;
    shop.run(r#"invoke::start("starts", ());"#).await.expect(200);
    // By a script that the handler calls.
    shop.upload("sends", r#"queue::send("called", 1);"#).await;
    let calls = shop.upload("calls", r#"kv::collection("runs").increment("call"); invoke::call("sends", ());"#).await;
    shop.trigger("queue", &calls, json!({ "queue": "called" })).await;
    shop.run(r#"queue::send("called", 1);"#).await.expect(200);

    shop.letters(7).await;
    shop.settled().await;
    let letters = all_letters(&shop).await;
    let mut sources: Vec<_> = letters.iter().map(|letter| letter["event"]["source"].as_str().expect("a source")).collect();
    sources.sort_unstable();
    assert_eq!(sources, ["docs", "files", "invoke", "kv", "pubsub", "queue", "queue"]);
    for letter in &letters {
        assert_eq!((&letter["reason"], &letter["attempts"]), (&json!("depth_exceeded"), &json!(0)), "{letter}");
        assert_eq!(letter["event"]["depth"], EVENT_DEPTH_MAX + 1, "{letter}");
    }
    let runs = r#"let runs = kv::collection("runs");
        ["kv", "docs", "files", "queue", "pubsub", "start", "call"].map(|way| runs.get(way))"#;
    assert_eq!(shop.value(runs).await, json!(vec![EVENT_DEPTH_MAX; 7]));
}

#[tokio::test]
async fn a_chain_that_is_too_long_ends_as_a_dead_letter_that_says_so() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let again = shop.upload("again", r#"kv::collection("c").increment("n")"#).await;
    let keeps = shop.upload("keeps", KEEPS).await;
    shop.trigger("kv", &again, json!({ "collection": "c" })).await;
    shop.trigger("dead_letter", &keeps, json!({})).await;
    shop.run(r#"kv::collection("c").increment("n")"#).await.expect(200);
    let seen = shop.seen(1).await;
    shop.settled().await;
    let letter = shop.letter(&shop.letters(1).await[0]).await;
    assert_eq!((&letter["reason"], &letter["attempts"]), (&json!("depth_exceeded"), &json!(0)), "{letter}");
    assert_eq!(letter["event"]["depth"], EVENT_DEPTH_MAX + 1);
    assert_eq!(letter["script_id"], json!(again.id));
    assert!(letter["last_error"]["message"].as_str().unwrap().contains("hops"), "{letter}");
    assert_eq!(seen[0]["event"]["dead_letter"]["dead_letter_id"], letter["id"]);
    assert_eq!(shop.value(r#"kv::collection("c").get("n")"#).await, EVENT_DEPTH_MAX + 1);
}

/// Handlers of dead letters that write, too.
#[tokio::test]
async fn a_circle_through_dead_letters_ends() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let broken = shop.upload("broken", "throw 1").await;
    let feeds = shop.upload("feeds", r#"kv::collection("c").increment("n")"#).await;
    shop.trigger("kv", &broken, json!({ "collection": "c", "max_attempts": 1 })).await;
    shop.trigger("dead_letter", &feeds, json!({ "max_attempts": 1 })).await;
    shop.run(r#"kv::collection("c").increment("n")"#).await.expect(200);
    shop.settled().await;
    let letters = all_letters(&shop).await.len();
    assert!((5..=20).contains(&letters), "{letters}");
}

/// And those without a handler are told from those whose handler could not be run.
#[tokio::test]
async fn a_letter_too_deep_for_its_handler_is_marked() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let broken = shop.upload("broken", "throw 1").await;
    let feeds = shop.upload("feeds", r#"kv::collection("c").increment("n"); kv::collection("d").increment("n");"#).await;
    let handled = shop.trigger("kv", &broken, json!({ "collection": "c", "max_attempts": 1 })).await;
    shop.trigger("kv", &broken, json!({ "collection": "d", "max_attempts": 1 })).await;
    shop.trigger("dead_letter", &feeds, json!({ "filter": { "trigger_id": handled["id"] }, "max_attempts": 1 })).await;
    shop.run(r#"kv::collection("c").increment("n")"#).await.expect(200);
    shop.settled().await;
    let letters = all_letters(&shop).await;
    // A letter's handler is one deeper than the letter, and what it writes two. The last handler is as deep as one may be.
    let deepest = EVENT_DEPTH_MAX + EVENT_DEPTH_LETTERS + 1;
    let (mut of_handled, mut of_others) = (Vec::new(), Vec::new());
    for letter in &letters {
        let depth = letter["event"]["depth"].as_u64().expect("a depth");
        let (is_handled, failed) = (letter["trigger_id"] == handled["id"], &letter["handler_failed"]);
        if is_handled {
            of_handled.push(depth)
        } else {
            of_others.push(depth)
        }
        assert_eq!(!failed.is_null(), is_handled && depth == u64::from(deepest), "{letter}");
        assert!(failed.is_null() || failed["error"]["message"].as_str().expect("words").contains("hops"), "{letter}");
    }
    of_handled.sort_unstable();
    of_others.sort_unstable();
    assert_eq!(of_handled, (1..=u64::from(deepest)).step_by(2).collect::<Vec<_>>());
    assert_eq!(of_others, of_handled[1..]);
}

#[tokio::test]
async fn a_handler_that_has_its_letter_replayed_again_and_again_ends() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.trigger("queue", &shop.upload("broken", "throw 1").await, json!({ "queue": "q", "max_attempts": 1 })).await;
    let replays = shop.upload("replays", "dead_letters::replay(ctx.event.dead_letter.dead_letter_id)").await;
    shop.trigger("dead_letter", &replays, json!({ "max_attempts": 1 })).await;
    let id = shop.send("q", json!(1)).await;
    shop.letters(1).await;
    shop.settled().await;
    let letters = all_letters(&shop).await;
    // A letter, its handler, the replay: two hops each time.
    assert_eq!(letters.len(), usize::try_from(EVENT_DEPTH_MAX / 2).expect("a count"));
    for letter in &letters {
        assert_eq!((&letter["event"]["id"], &letter["event"]["depth"]), (&json!(id), &json!(1)), "{letter}");
        assert_eq!(shop.letter(letter).await["event"], letter["event"], "one letter is as the list has it");
    }
    let (last, others): (Vec<_>, Vec<_>) = letters.iter().partition(|letter| letter["resolved"].is_null());
    for letter in others {
        assert_eq!((&letter["resolved"]["reason"], &letter["handler_failed"]), (&json!("replayed"), &Value::Null), "{letter}");
    }
    assert_eq!(last.len(), 1);
    let failed = last[0]["handler_failed"]["error"]["message"].as_str().expect("words");
    assert!(failed.contains("limit_exceeded"), "{failed}");
    // A person may.
    let path = format!("/admin/apps/shop/dead_letters/{}/replay", last[0]["id"].as_str().expect("an id"));
    app.post(&path, json!({})).await.expect(202);
}
