//! Mail that comes in: signed, once, for its trigger.

use hmac::{Hmac, KeyInit as _, Mac as _};
use picloud::limits::EMAIL_SIGNATURE_S;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::support::events::KEEPS;
use crate::support::{Reply, Tenant, TestApp};

const SECRET: &str = "inbound secret";

fn signature(at_s: i64, body: &str, secret: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key will do");
    mac.update(format!("{at_s}.{body}").as_bytes());
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={at_s},v1={hex}")
}

async fn mailbox(shop: &Tenant) -> (Value, String) {
    let put = format!("/admin/apps/{}/secrets/inbound", shop.slug);
    shop.client.put(&put, json!({ "value": SECRET })).await.expect(201);
    let trigger = shop.trigger("email", &shop.upload("handler", KEEPS).await, json!({ "secret": "inbound" })).await;
    let path = trigger["path"].as_str().expect("a path").to_owned();
    (trigger, path)
}

async fn hand_in(shop: &Tenant, path: &str, body: &str, signature: &str) -> Reply {
    shop.call("POST", path, body.to_owned(), &[("picloud-signature", signature)]).await
}

#[tokio::test]
async fn a_signed_message_runs_its_handler_once() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let (_, path) = mailbox(&shop).await;
    let now = app.clock.now().timestamp();
    let mail = json!({
        "from": "ada@example.org", "to": "shop@example.com", "cc": ["b@example.com", "c@example.com"],
        "subject": "Grüße", "text": "hello", "html": "<p>hello</p>", "message_id": "<1@example.org>",
    });
    let body = mail.to_string();
    let first = hand_in(&shop, &path, &body, &signature(now, &body, SECRET)).await.expect(202).json();
    let again = hand_in(&shop, &path, &body, &signature(now - 1, &body, SECRET)).await.expect(202).json();
    assert_eq!(first["event_id"], again["event_id"]);
    let seen = shop.seen(1).await;
    shop.settled().await;
    assert_eq!(shop.seen(1).await.len(), 1);
    let event = &seen[0]["event"];
    assert_eq!((&event["id"], &event["source"]), (&first["event_id"], &json!("email")));
    let about = &event["email"];
    assert_eq!((&about["from"], &about["to"]), (&json!("ada@example.org"), &json!(["shop@example.com"])), "{about}");
    assert_eq!((&about["cc"], &about["subject"]), (&json!(["b@example.com", "c@example.com"]), &json!("Grüße")));
    assert_eq!((&about["text"], &about["html"]), (&json!("hello"), &json!("<p>hello</p>")));
    assert!(about["received_at"].is_string() && about["message_id"] == "<1@example.org>");
    // Without an id of its own a message is known by its signature.
    let body = json!({ "from": "a@b.c", "to": [] }).to_string();
    let signed = signature(now, &body, SECRET);
    let (one, two) =
        (hand_in(&shop, &path, &body, &signed).await.expect(202), hand_in(&shop, &path, &body, &signed).await.expect(202));
    assert_eq!(one.json(), two.json());
    shop.seen(2).await;
}

#[tokio::test]
async fn what_is_not_signed_rightly_is_not_let_in() {
    let app = TestApp::start().await;
    let (shop, other) = (app.create_app("shop").await, app.create_app("other").await);
    let (trigger, path) = mailbox(&shop).await;
    let now = app.clock.now().timestamp();
    let body = json!({ "from": "a@b.c", "to": "d@e.f" }).to_string();
    let right = signature(now, &body, SECRET);
    for wrong in [
        String::new(),
        "nonsense".to_owned(),
        signature(now, &body, "another secret"),
        signature(now, "{}", SECRET),
        signature(now - EMAIL_SIGNATURE_S - 2, &body, SECRET),
        signature(now + EMAIL_SIGNATURE_S + 2, &body, SECRET),
    ] {
        let refused = hand_in(&shop, &path, &body, &wrong).await.expect(401).json();
        assert_eq!(refused["error"]["code"], "unauthenticated", "{wrong}");
    }
    // Of another app, on another trigger, by another method.
    hand_in(&other, &path, &body, &right).await.expect(404);
    let queue = shop.trigger("queue", &shop.upload("other", "1").await, json!({ "queue": "q" })).await;
    let elsewhere = path.replace(trigger["id"].as_str().unwrap(), queue["id"].as_str().unwrap());
    hand_in(&shop, &elsewhere, &body, &right).await.expect(404);
    hand_in(&shop, "/.well-known/picloud/email/x", &body, &right).await.expect(404);
    shop.call("GET", &path, "", &[]).await.expect(405);
    shop.settled().await;
    assert_eq!(shop.seen(0).await.len(), 0);
}

#[tokio::test]
async fn what_is_no_message_is_refused_and_so_is_mail_while_nobody_takes_it() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let (trigger, path) = mailbox(&shop).await;
    let now = app.clock.now().timestamp();
    for (body, part) in [
        ("", "EOF"),
        ("{}", "missing field `from`"),
        (r#"{"from":1,"to":"a"}"#, "invalid type"),
        (r#"{"from":"a","to":"b","attachments":[]}"#, "unknown field `attachments`"),
    ] {
        let refused = hand_in(&shop, &path, body, &signature(now, body, SECRET)).await.expect(422).json();
        assert!(refused["error"]["message"].as_str().unwrap().contains(part), "{refused}");
    }
    shop.change_trigger(&trigger, json!({ "enabled": false })).await;
    let body = json!({ "from": "a@b.c", "to": "d@e.f" }).to_string();
    let refused = hand_in(&shop, &path, &body, &signature(now, &body, SECRET)).await.expect(409).json();
    assert_eq!(refused["error"]["code"], "not_active");
}
