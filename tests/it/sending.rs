//! What scripts hand on (`queue`, `pubsub`, `dead_letters`, `email`): it arrives, it needs its grant, and arguments that cannot be
//! meant never leave the guest.

use picloud::limits::{HTTP_REQUESTS_PER_INVOCATION_MAX, QUEUE_DELAY_S_MAX, TOPIC_NAME_BYTES_MAX};
use serde_json::{Value, json};

use crate::support::events::KEEPS;
use crate::support::mail::MailServer;
use crate::support::{Options, TestApp};

#[tokio::test]
async fn a_message_that_a_script_sends_is_handled_under_its_request() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let handler = shop.upload("handler", KEEPS).await;
    shop.trigger("queue", &handler, json!({ "queue": "jobs" })).await;
    shop.trigger("pubsub", &handler, json!({ "topic": "news.*" })).await;
    let source = r#"#{
        id: queue::send("jobs", #{ n: 1, list: [1.5, "x", ()] }),
        again: queue::send("jobs", 2, #{ dedup_key: "k" }) == queue::send("jobs", 3, #{ dedup_key: "k" }),
        topic: pubsub::publish("news.all", "hello"),
        alias: pubsub::publish_durable("news.all", "hello"),
    }"#;
    let reply = shop.run(source).await.expect(200);
    let sent = reply.json();
    assert_eq!(sent["again"], true);
    let seen = shop.seen(4).await;
    shop.settled().await;
    assert_eq!(shop.seen(4).await.len(), 4);
    let by_id = |id: &Value| seen.iter().find(|seen| seen["event"]["id"] == *id).unwrap_or_else(|| panic!("{id}"));
    let queue = &by_id(&sent["id"])["event"]["queue"];
    assert_eq!((&queue["name"], &queue["message"]), (&json!("jobs"), &json!({ "n": 1, "list": [1.5, "x", null] })));
    for id in [&sent["topic"], &sent["alias"]] {
        assert_eq!(by_id(id)["event"]["pubsub"]["message"], "hello");
    }
    // One request all the way.
    let record = app.execution(by_id(&sent["id"])["execution"].as_str().unwrap()).await;
    assert_eq!(record["request_id"], shop.record(&reply).await["request_id"]);
}

#[tokio::test]
async fn a_queues_size_is_what_is_not_settled() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let sizes = r#"let before = queue::size("q"); queue::send("q", 1); queue::send("q", 2, #{ delay_s: 60 }); [before, queue::size("q")]"#;
    assert_eq!(shop.value(sizes).await, json!([0, 2]));
}

#[tokio::test]
async fn a_handler_sees_replays_and_resolves_dead_letters() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let broken = shop
        .upload("broken", r#"if ctx.event.queue.message == "bad" && kv::collection("c").get("fixed") == () { throw "no" }"#)
        .await;
    shop.trigger("queue", &broken, json!({ "queue": "q", "max_attempts": 1 })).await;
    shop.send("q", json!("bad")).await;
    shop.send("q", json!("bad")).await;
    shop.letters(2).await;
    let seen = shop.value("dead_letters::list(#{ limit: 1 })").await;
    let first = &seen["items"][0];
    assert_eq!((&first["event"]["queue"]["message"], &first["reason"]), (&json!("bad"), &json!("attempts_exhausted")), "{seen}");
    let id = first["id"].as_str().unwrap();
    let rest = shop.value(&format!("dead_letters::list(#{{ cursor: \"{}\" }})", seen["cursor"].as_str().unwrap())).await;
    assert_eq!(rest["items"].as_array().unwrap().len(), 1);
    let whole = shop.value(&format!("dead_letters::get(\"{id}\")")).await;
    assert_eq!(whole["attempt_log"][0]["error"]["message"], "no");
    assert_eq!(shop.value(r#"dead_letters::get("none")"#).await, Value::Null);
    shop.run(r#"kv::collection("c").set("fixed", true)"#).await.expect(200);
    let delivery = shop.value(&format!("dead_letters::replay(\"{id}\")")).await;
    assert!(delivery.as_str().is_some_and(|delivery| delivery != id));
    shop.settled().await;
    let other = rest["items"][0]["id"].as_str().unwrap();
    let resolve = format!(r#"[dead_letters::resolve("{other}", "not needed"), dead_letters::resolve("{other}", "again")]"#);
    assert_eq!(shop.value(&resolve).await, json!([true, false]));
    assert_eq!(shop.value("dead_letters::list().items.len()").await, 0);
    assert_eq!(shop.value("dead_letters::list(#{ unresolved: false }).items.len()").await, 2);
    // Of another app they are not there.
    let stranger = app.create_app("stranger").await;
    assert_eq!(stranger.value(&format!("dead_letters::get(\"{id}\")")).await, Value::Null);
    assert_eq!(stranger.caught(&format!("dead_letters::replay(\"{id}\")")).await["code"], "not_found");
    assert_eq!(stranger.value("dead_letters::list(#{ unresolved: false }).items.len()").await, 0);
}

#[tokio::test]
async fn what_is_not_granted_is_denied() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.grant(json!({ "queue": ["jobs-*"], "pubsub": ["news"], "dead_letters": ["*"] })).await;
    assert!(shop.value(r#"queue::send("jobs-1", 1)"#).await.is_string());
    assert!(shop.value(r#"pubsub::publish("news", 1)"#).await.is_string());
    for call in [r#"queue::send("other", 1)"#, r#"queue::size("other")"#, r#"pubsub::publish("other", 1)"#] {
        assert_eq!(shop.caught(call).await["code"], "denied", "{call}");
    }
    shop.upload("lists", "dead_letters::list()").await;
    shop.grant(json!({ "dead_letters": [] })).await;
    let refused = shop.try_upload("also", "dead_letters::list()", json!({})).await.expect(422).json();
    assert_eq!(refused["error"]["code"], "not_granted", "{refused}");
    let refused = shop.try_upload("mails", r#"email::send(#{})"#, json!({})).await.expect(422).json();
    assert!(refused["error"]["message"].as_str().unwrap().contains("email"), "{refused}");
}

#[tokio::test]
async fn bounds_of_the_host_reach_the_script() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let topic = |bytes: usize| format!(r#"pubsub::publish("{}", 1)"#, "t".repeat(bytes));
    assert!(shop.value(&topic(TOPIC_NAME_BYTES_MAX)).await.is_string());
    for call in [
        topic(TOPIC_NAME_BYTES_MAX + 1),
        topic(0),
        r#"pubsub::publish("a.*", 1)"#.to_owned(),
        r#"queue::send("", 1)"#.to_owned(),
        format!(r#"queue::send("q", 1, #{{ delay_s: {} }})"#, QUEUE_DELAY_S_MAX + 1),
        r#"dead_letters::list(#{ limit: 101 })"#.to_owned(),
    ] {
        assert_eq!(shop.caught(&call).await["code"], "invalid_argument", "{call}");
    }
}

#[tokio::test]
async fn mail_of_a_script_arrives() {
    let server = MailServer::start();
    let app = TestApp::start_with(Options { smtp: Some(server.settings()), ..Options::default() }).await;
    let shop = app.create_app("shop").await;
    shop.grant(json!({ "email": ["shop@example.com"] })).await;
    let sent = shop
        .value(
            r#"[
                email::send(#{
                    from: "shop@example.com", to: ["ada@example.com", "bob@example.com"], cc: "cyd@example.com",
                    bcc: ["dan@example.com", "eve@example.com"], reply_to: "desk@example.com",
                    subject: "Grüße aus dem Laden", text: "Hi Ada",
                }),
                email::send_html(#{
                    from: "shop@example.com", to: "ada@example.com", cc: ["cyd@example.com", "fay@example.com"],
                    bcc: "dan@example.com", reply_to: "desk@example.com",
                    subject: "Your order", html: "<p>On its way</p>", text: "On its way",
                }),
                email::send_html(#{ from: "shop@example.com", bcc: "dan@example.com", subject: "Alone", html: "<p>Hi</p>" }),
            ]"#,
        )
        .await;
    let taken = server.taken();
    let headers = |taken: &Value, name: &str| -> Vec<String> {
        let all = taken["headers"].as_array().expect("headers").iter().filter(|pair| pair[0] == name);
        all.map(|pair| pair[1].as_str().expect("text").to_owned()).collect()
    };
    // By its id, which is what the function gave: the envelope, the headers, the parts.
    let expected = json!([
        {
            "to": ["ada@example.com", "bob@example.com", "cyd@example.com", "dan@example.com", "eve@example.com"],
            "To": ["ada@example.com, bob@example.com"], "Cc": ["cyd@example.com"], "Reply-To": ["desk@example.com"],
            "Subject": ["Grüße aus dem Laden"],
            "parts": [["text/plain", "Hi Ada\n"]],
        },
        {
            "to": ["ada@example.com", "cyd@example.com", "fay@example.com", "dan@example.com"],
            "To": ["ada@example.com"], "Cc": ["cyd@example.com, fay@example.com"], "Reply-To": ["desk@example.com"],
            "Subject": ["Your order"],
            "parts": [["text/plain", "On its way"], ["text/html", "<p>On its way</p>"]],
        },
        {
            "to": ["dan@example.com"],
            "To": ["undisclosed-recipients:;"], "Cc": [], "Reply-To": [],
            "Subject": ["Alone"],
            "parts": [["text/html", "<p>Hi</p>\n"]],
        },
    ]);
    assert_eq!(taken.len(), 3);
    for (id, expected) in sent.as_array().expect("ids").iter().zip(expected.as_array().expect("a list")) {
        let id = id.as_str().expect("an id").to_owned();
        let mail = taken.iter().find(|taken| headers(taken, "Message-ID") == [id.clone()]).expect("a message of that id");
        assert_eq!((&mail["to"], &mail["parts"]), (&expected["to"], &expected["parts"]), "{mail}");
        for name in ["To", "Cc", "Reply-To", "Subject"] {
            assert_eq!(json!(headers(mail, name)), expected[name], "{name}: {mail}");
        }
        assert_eq!((&mail["from"], headers(mail, "From")), (&json!("shop@example.com"), vec!["shop@example.com".to_owned()]));
        let raw = mail["raw"].as_str().expect("bytes");
        assert!(headers(mail, "Bcc").is_empty() && !raw.contains("dan@") && !raw.contains("eve@"), "{raw}");
    }
    // The node's own sender needs its grant, too.
    let send = r#"email::send(#{ to: "ada@example.com", subject: "s", text: "t" })"#;
    assert_eq!(shop.caught(send).await["code"], "denied");
    assert_eq!(server.taken().len(), 3);
}

#[tokio::test]
async fn mail_without_a_relay_is_not_configured_and_counts_as_a_request() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.grant(json!({ "email": ["*"] })).await;
    let send = r#"email::send(#{ from: "a@example.com", to: "b@example.com", subject: "s", text: "t" })"#;
    assert_eq!(shop.caught(send).await["code"], "not_configured");
    let most = HTTP_REQUESTS_PER_INVOCATION_MAX;
    let many = format!("let last = (); for n in 0..{} {{ try {{ {send} }} catch (e) {{ last = e.code; }} }} last", most + 1);
    assert_eq!(shop.value(&many).await, "limit_exceeded");
}

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
