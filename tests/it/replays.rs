//! Dead letters that a person mends: another message in place of the one that no handler could take.

use picloud::limits::MESSAGE_BYTES_MAX;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::client::send;
use crate::support::events::KEEPS;
use crate::support::{Reply, Tenant, TestApp};

/// Takes messages whose `n` is not negative, and keeps what it was given.
fn picky(about: &str) -> String {
    format!("if ctx.event.{about}.message.n < 0 {{ throw \"negative\"; }}\n{KEEPS}")
}

async fn replay(shop: &Tenant, letter: &Value, body: Value) -> Reply {
    let id = letter["id"].as_str().expect("an id");
    shop.client.post(&format!("/admin/apps/{}/dead_letters/{id}/replay", shop.slug), body).await
}

#[tokio::test]
async fn a_message_of_a_queue_is_replayed_as_another_one() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let handler = shop.upload("handler", &picky("queue")).await;
    shop.trigger("queue", &handler, json!({ "queue": "q", "max_attempts": 1 })).await;
    let id = shop.send("q", json!({ "n": -1, "b": 2 })).await;
    let letter = shop.letters(1).await.remove(0);
    let replayed = replay(&shop, &letter, json!({ "message": { "n": 1, "b": [1.50] } })).await.expect(202).json();
    let seen = shop.seen(1).await.remove(0)["event"].clone();
    assert_eq!(seen["queue"]["message"], json!({ "n": 1, "b": [1.5] }));
    assert_eq!((&seen["queue"]["name"], &seen["op"], &seen["attempt"]), (&json!("q"), &json!("send"), &json!(1)));
    assert_eq!(seen["queue"]["enqueued_at"], letter["event"]["queue"]["enqueued_at"], "what else it tells stays");
    assert_eq!(seen["depth"], letter["event"]["depth"]);
    assert_ne!(seen["id"], json!(id), "it is another event");
    let after = shop.letter(&letter).await;
    assert_eq!((&after["replayed_as"], &after["resolved"]["reason"]), (&replayed["delivery_id"], &json!("replayed")));
    assert_eq!(after["event"]["queue"]["message"], json!({ "n": -1, "b": 2 }), "what failed is kept as it was");
    shop.settled().await;

    // Once more, and it fails again: another letter, of the new event.
    replay(&shop, &letter, json!({ "message": { "n": -7 } })).await.expect(202);
    let newest = shop.letters(2).await.remove(0);
    assert_eq!(newest["event"]["queue"]["message"], json!({ "n": -7 }));
    assert_eq!(newest["resolved"], Value::Null);
    // Without a word, or with an empty one, it is the event that it was.
    for body in [None, Some(json!({}))] {
        let path = format!("/admin/apps/shop/dead_letters/{}/replay", newest["id"].as_str().expect("an id"));
        app.api(Method::POST, &path, body.as_ref()).await.expect(202);
    }
    let letters = shop.letters(4).await;
    assert_eq!((&letters[0]["event"]["id"], &letters[1]["event"]["id"]), (&newest["event"]["id"], &newest["event"]["id"]));
}

#[tokio::test]
async fn a_message_of_a_topic_goes_to_the_one_that_failed() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let (one, other) = (shop.upload("picky", &picky("pubsub")).await, shop.upload("keeps", KEEPS).await);
    let trigger = shop.trigger("pubsub", &one, json!({ "topic": "t", "max_attempts": 1 })).await;
    shop.trigger("pubsub", &other, json!({ "topic": "t", "max_attempts": 1 })).await;
    shop.publish_to("t", json!({ "n": -1 })).await;
    let letter = shop.letters(1).await.remove(0);
    shop.settled().await;
    assert_eq!(shop.seen(1).await.len(), 1, "the other one took it");
    replay(&shop, &letter, json!({ "message": { "n": 3 } })).await.expect(202);
    shop.settled().await;
    let seen = shop.seen(2).await;
    assert_eq!(seen.len(), 2, "the other one is not told again");
    assert_eq!(seen[1]["event"]["pubsub"]["message"], json!({ "n": 3 }));

    app.delete(&format!("/admin/apps/shop/triggers/{}", trigger["id"].as_str().expect("an id"))).await.expect(204);
    replay(&shop, &letter, json!({ "message": 1 })).await.fails(409, "trigger_gone");
}

#[tokio::test]
async fn a_message_waits_for_the_consumer_that_its_queue_will_have() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let handler = shop.upload("handler", &picky("queue")).await;
    let trigger = shop.trigger("queue", &handler, json!({ "queue": "q", "max_attempts": 1 })).await;
    shop.send("q", json!({ "n": -1 })).await;
    let letter = shop.letters(1).await.remove(0);
    app.delete(&format!("/admin/apps/shop/triggers/{}", trigger["id"].as_str().expect("an id"))).await.expect(204);
    replay(&shop, &letter, json!({ "message": { "n": 5 } })).await.expect(202);
    let queues = app.get("/admin/apps/shop/queues").await.expect(200).json();
    assert_eq!((&queues["items"][0]["name"], &queues["items"][0]["waiting"]), (&json!("q"), &json!(1)), "{queues}");
    shop.trigger("queue", &handler, json!({ "queue": "q", "max_attempts": 1 })).await;
    assert_eq!(shop.seen(1).await[0]["event"]["queue"]["message"], json!({ "n": 5 }));
}

#[tokio::test]
async fn what_is_no_message_replays_nothing() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let handler = shop.upload("handler", "throw 1").await;
    shop.trigger("queue", &handler, json!({ "queue": "q", "max_attempts": 1 })).await;
    shop.trigger("kv", &handler, json!({ "collection": "c", "max_attempts": 1 })).await;
    shop.send("q", json!(1)).await;
    let letter = shop.letters(1).await.remove(0);
    let refused = replay(&shop, &letter, json!({ "message": "x".repeat(MESSAGE_BYTES_MAX) })).await.fails(422, "invalid");
    assert_eq!(refused.details()["field"], "message");
    replay(&shop, &letter, json!({ "mesage": 1 })).await.fails(422, "invalid");
    let path = format!("/admin/apps/shop/dead_letters/{}/replay", letter["id"].as_str().expect("an id"));
    let request = app.request(Method::POST, &path).bearer_auth(&app.token).header("content-type", "text/plain");
    send(request.body("{\"message\":1}")).await.fails(415, "unsupported_media_type");
    assert_eq!(shop.letter(&letter).await["resolved"], Value::Null);

    shop.run(r#"kv::collection("c").set("k", 1)"#).await.expect(200);
    let write = shop.letters(2).await.remove(0);
    assert_eq!(write["event"]["source"], "kv");
    let refused = replay(&shop, &write, json!({ "message": 1 })).await.fails(422, "invalid");
    assert_eq!(refused.details()["field"], "message");
    let other = app.create_app("other").await;
    replay(&other, &letter, json!({ "message": 1 })).await.fails(404, "not_found");
    // The largest there is, and `null`, are messages.
    for message in [json!("x".repeat(MESSAGE_BYTES_MAX - 2)), Value::Null] {
        replay(&shop, &letter, json!({ "message": message })).await.expect(202);
    }
    let told = |letter: &Value| letter["event"]["queue"].get("message").cloned();
    assert!(shop.letters(4).await.iter().any(|letter| told(letter) == Some(Value::Null)));
}

#[tokio::test]
async fn a_mended_replay_is_in_the_audit_log_without_its_message() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let handler = shop.upload("handler", "throw 1").await;
    shop.trigger("queue", &handler, json!({ "queue": "q", "max_attempts": 1 })).await;
    shop.send("q", json!("a")).await;
    let letter = shop.letters(1).await.remove(0);
    let replayed = replay(&shop, &letter, json!({ "message": "s3nt1nel" })).await.expect(202).json();
    let log = app.get("/admin/apps/shop/audit?limit=1").await.expect(200).json();
    let row = &log["items"][0];
    assert_eq!((&row["action"], &row["target"]), (&json!("dead_letter.replay"), &letter["id"]));
    assert_eq!(row["after"]["deliveries"], json!([replayed["delivery_id"]]));
    assert!(row["after"]["event_id"].is_string() && !log.to_string().contains("s3nt1nel"), "{row}");
}
