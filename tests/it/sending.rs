//! What scripts hand on (`queue`, `pubsub`, `dead_letters`, `email`): arguments that cannot be meant never leave the guest.

use serde_json::json;

use crate::support::TestApp;

#[tokio::test]
async fn what_cannot_be_meant_is_refused_by_name() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.grant(json!({ "email": ["*"] })).await;
    for (call, words) in [
        (r#"queue::send("q", |x| x)"#, "the message cannot be sent: a value of type Fn has no JSON form"),
        (r#"queue::send("q", 1, #{ delay: 1 })"#, "unknown option `delay`: known are delay_s, dedup_key"),
        (r#"queue::send("q", 1, #{ delay_s: "1" })"#, "`delay_s` is string: it must be an integer"),
        (r#"queue::send("q", 1, #{ dedup_key: 1 })"#, "`dedup_key` is i64: it must be a string"),
        (r#"let s = "x"; s.pad(262143, "x"); queue::send("q", s)"#, "the message is larger than 262144 bytes as JSON"),
        (r#"pubsub::publish("t", 0.0 / 0.0)"#, "the message cannot be sent: NaN is not a JSON number"),
        (
            r#"let s = "x"; s.pad(262143, "x"); pubsub::publish_durable("t", s)"#,
            "the message is larger than 262144 bytes as JSON",
        ),
        ("dead_letters::list(#{ all: true })", "unknown option `all`: known are limit, cursor, unresolved"),
        ("dead_letters::list(#{ unresolved: 1 })", "`unresolved` is i64: it must be a boolean"),
        (r#"email::send(#{ to: "a@example.com", subject: "s" })"#, "`text` is missing: it must be a string"),
        (r#"email::send(#{ to: "a@example.com", text: "t" })"#, "`subject` is missing: it must be a string"),
        (
            r#"email::send(#{ to: "a@example.com", subject: "s", text: "t", html: "h" })"#,
            "unknown option `html`: known are from, to, cc, bcc, reply_to, subject, text",
        ),
        (r#"email::send(#{ to: 1, subject: "s", text: "t" })"#, "`to` is i64: it must be a string or an array of strings"),
        (r#"email::send(#{ cc: ["a@example.com", 1], subject: "s", text: "t" })"#, "`cc[1]` is i64: it must be a string"),
        (r#"email::send_html(#{ to: "a@example.com", subject: "s", text: "t" })"#, "`html` is missing: it must be a string"),
    ] {
        let source = format!("let caught = (); try {{ {call}; }} catch (e) {{ caught = e; }} #{{ caught: caught }}");
        let caught = shop.run(&source).await.expect(200).json()["caught"].clone();
        assert_eq!(caught, json!({ "code": "invalid_argument", "message": words }), "{call}");
    }
}
