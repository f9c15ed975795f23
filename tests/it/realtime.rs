//! Realtime: who may subscribe to which topic, what they are told and in which order, and what becomes of it when something fails.

mod bounds;
mod deployed;
mod held;
mod nodes;
pub(crate) mod stream;
mod tokens;

use std::time::Duration;

use picloud::model::event::{NewEvent, Source, Target};
use picloud::model::topic::Window;
use picloud::{service, store};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use self::stream::{Stream, WITHIN, ask};
use crate::support::client::send;
use crate::support::events::{KEEPS, origin};
use crate::support::{Tenant, TestApp, eventually};

const PAGE: &str = "https://page.example";

pub(crate) async fn register(shop: &Tenant, topic: &str, access: &str) -> Value {
    let path = format!("/admin/apps/{}/topics/{topic}", shop.slug);
    let reply = shop.client.put(&path, json!({ "access": access })).await;
    assert!(matches!(reply.status, 200 | 201), "{}", reply.shown());
    reply.json()
}

async fn shop(app: &TestApp, access: &str) -> Tenant {
    let shop = app.create_app("shop").await;
    register(&shop, "news", access).await;
    shop
}

#[tokio::test]
async fn a_topic_is_registered_listed_and_taken_back() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    app.get("/admin/apps/shop/topics/news").await.fails(404, "not_found");
    let new = app.put("/admin/apps/shop/topics/news", json!({ "access": "token" })).await.expect(201).json();
    let told = json!({
        "name": "news", "registered": true, "access": "token", "published": 0, "unmatched": 0, "last_at": null, "last_seq": 0, "triggers": 0,
    });
    assert_eq!(new, told);
    assert_eq!(app.get("/admin/apps/shop/topics/news").await.expect(200).json(), told);
    let changed = app.put("/admin/apps/shop/topics/news", json!({ "access": "public" })).await.expect(200).json();
    assert_eq!(changed["access"], "public");
    shop.publish_to("news", json!(1)).await;
    shop.publish_to("other", json!(1)).await;
    let listed = eventually("both are counted", WITHIN, async || {
        let listed = app.get("/admin/apps/shop/topics").await.expect(200).json()["items"].clone();
        (listed[0]["published"] == 1 && listed[1]["published"] == 1).then_some(listed)
    })
    .await;
    let of = |n: usize| ["name", "registered", "access", "last_seq"].map(|field| listed[n][field].clone());
    assert_eq!(of(0), [json!("news"), json!(true), json!("public"), json!(1)]);
    assert_eq!(of(1), [json!("other"), json!(false), json!("internal"), json!(0)]);
    app.delete("/admin/apps/shop/topics/news").await.expect(204);
    app.delete("/admin/apps/shop/topics/news").await.fails(404, "not_found");
    assert_eq!(app.get("/admin/apps/shop/topics/news").await.expect(200).json()["registered"], false);
    for (bad, field) in [(json!({ "access": "secret" }), None), (json!({}), None), (json!({ "access": "public", "x": 1 }), None)]
    {
        let refused = app.put("/admin/apps/shop/topics/news", bad).await.fails(422, "invalid");
        assert!(field.is_none_or(|field: &str| refused.details()["field"] == field));
    }
    let refused = app.put("/admin/apps/shop/topics/a.*", json!({ "access": "public" })).await.fails(422, "invalid");
    assert_eq!(refused.details()["field"], "topic");
}

#[tokio::test]
async fn a_topic_for_triggers_alone_is_answered_as_a_path_that_is_not_there() {
    let app = TestApp::start().await;
    let shop = shop(&app, "internal").await;
    shop.publish_to("counted", json!(1)).await;
    let nothing = shop.get("/nothing").await.fails(404, "not_found");
    for path in ["news", "counted", "none", "", "news/x", "%ff", "a%00b", "a*", &"t".repeat(129)] {
        let reply = send(ask(&shop, path)).await.fails(404, "not_found");
        assert_eq!(reply.message(), nothing.message(), "{path}");
    }
    shop.get("/realtime/other").await.fails(404, "not_found");
    shop.call("POST", "/realtime/topics/none", "", &[]).await.fails(405, "method_not_allowed");
    let kept: i64 =
        sqlx::query_scalar("SELECT count(*) FROM topic_messages").fetch_one(&mut app.database.connect().await).await.unwrap();
    assert_eq!(kept, 0);
}

#[tokio::test]
async fn a_message_is_told_as_it_is_published_with_its_number() {
    let app = TestApp::start().await;
    let shop = shop(&app, "public").await;
    let handler = shop.upload("handler", KEEPS).await;
    shop.trigger("pubsub", &handler, json!({ "topic": "news" })).await;
    shop.publish_to("news", json!("before")).await;
    let mut stream = Stream::open(&shop, "news").await;
    assert_eq!(stream.begun, 1);
    shop.run("pubsub::publish(\"news\", #{ text: \"a\\n\\ndata: x\\r\\u0000\", n: [1, 2.5, ()] })").await.expect(200);
    let event = stream.event().await;
    assert_eq!((event.name.as_str(), event.id), ("message", 2));
    let fields: Vec<_> = event.data.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields, ["message", "published_at", "seq", "topic"]);
    let message = json!({ "text": "a\n\ndata: x\r\u{0}", "n": [1, 2.5, null] });
    assert_eq!((&event.data["topic"], &event.data["seq"], &event.data["message"]), (&json!("news"), &json!(2), &message));
    // Triggers see the same.
    let seen = shop.seen(2).await;
    let seen = seen.iter().find(|seen| seen["event"]["pubsub"]["message"] == message).expect("the message");
    assert_eq!(seen["event"]["pubsub"]["published_at"], event.data["published_at"]);
    // What a person sends may hold line ends between values.
    let path = "/admin/apps/shop/topics/news/messages";
    let request = app.request(reqwest::Method::POST, path).bearer_auth(&app.token).header("content-type", "application/json");
    send(request.body("{\"message\": {\n\"a\":\r\n1}}")).await.expect(201);
    assert_eq!(stream.event().await.data["message"], json!({ "a": 1 }));
}

#[tokio::test]
async fn who_comes_back_is_told_each_message_once_and_in_order() {
    let app = TestApp::start().await;
    let shop = shop(&app, "public").await;
    for n in 1..=9 {
        shop.publish_to("news", json!(n)).await;
    }
    for seen in [0, 1, 5, 8] {
        let mut stream = Stream::after(&shop, "news", seen).await;
        assert_eq!(stream.begun, seen);
        let missed = usize::try_from(9 - seen).unwrap();
        assert_eq!(stream.numbers(missed).await, (seen + 1..=9).collect::<Vec<_>>());
    }
    // One who misses nothing waits, whether the address or the header says so.
    let mut waits = [Stream::after(&shop, "news", 9).await, Stream::open(&shop, "news?last_event_id=9").await];
    let mut behind = Stream::of(ask(&shop, "news?last_event_id=2").header("last-event-id", "7")).await;
    assert_eq!(behind.numbers(2).await, [8, 9]);
    shop.publish_to("news", json!(10)).await;
    for stream in waits.iter_mut().chain([&mut behind]) {
        assert_eq!(stream.numbers(1).await, [10]);
    }
    for bad in ["x", "-1", "1.5", "99999999999999999999"] {
        send(ask(&shop, "news").header("last-event-id", bad)).await.fails(400, "malformed_request");
    }
}

#[tokio::test]
async fn a_number_that_was_never_given_out_begins_anew_and_says_so() {
    let app = TestApp::start().await;
    let shop = shop(&app, "public").await;
    shop.publish_to("news", json!(1)).await;
    let mut stream = Stream::after(&shop, "news", 7).await;
    let event = stream.event().await;
    assert_eq!((event.name.as_str(), event.id, event.data), ("reset", 1, json!({ "seq": 1 })));
    shop.publish_to("news", json!(2)).await;
    assert_eq!(stream.numbers(1).await, [2]);
}

#[tokio::test]
async fn numbers_go_on_when_a_topic_is_registered_anew_and_what_was_kept_is_gone() {
    let app = TestApp::start().await;
    let shop = shop(&app, "public").await;
    shop.publish_to("news", json!(1)).await;
    shop.publish_to("news", json!(2)).await;
    app.delete("/admin/apps/shop/topics/news").await.expect(204);
    shop.publish_to("news", json!("for triggers alone")).await;
    assert_eq!(register(&shop, "news", "public").await["last_seq"], 2);
    shop.publish_to("news", json!(3)).await;
    let mut stream = Stream::after(&shop, "news", 0).await;
    let event = stream.event().await;
    assert_eq!((event.name.as_str(), event.id, event.data), ("gap", 2, json!({ "from": 1, "to": 2 })));
    assert_eq!(stream.numbers(1).await, [3]);
    // One that is for triggers alone in between keeps nothing either.
    register(&shop, "news", "internal").await;
    register(&shop, "news", "public").await;
    let mut stream = Stream::after(&shop, "news", 2).await;
    assert_eq!(stream.event().await.data, json!({ "from": 3, "to": 3 }));
}

#[tokio::test]
async fn what_is_rolled_back_takes_no_number() {
    let app = TestApp::start().await;
    let shop = shop(&app, "public").await;
    let mut stream = Stream::open(&shop, "news").await;
    let message = |text: &str| RawValue::from_string(format!("\"{text}\"")).unwrap();
    let now = app.services.now();
    let event = NewEvent {
        id: picloud::id::EventId::at(now),
        app_id: shop.id.parse().unwrap(),
        source: Source::Pubsub,
        op: "publish",
        at: now,
        origin: origin(),
        about: "{}".to_owned(),
        name: "news".to_owned(),
        due_at: now,
        target: Target::Matching,
    };
    let mut tx = store::begin(&app.services.script_db).await.unwrap();
    let seq = store::topics::publish(&mut tx, &event, &message("never"), Window::at(now)).await.unwrap();
    assert_eq!(seq, Some(1));
    // Whoever publishes next waits for the number.
    let next = tokio::spawn({
        let (services, app_id) = (app.services.clone(), event.app_id);
        async move { service::topics::publish(&services, None, app_id, origin(), "news", b"\"next\"".to_vec()).await }
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!next.is_finished());
    tx.rollback().await.unwrap();
    next.await.unwrap().unwrap();
    let event = stream.event().await;
    assert_eq!((event.id, &event.data["message"]), (1, &json!("next")));
    let events: i64 =
        sqlx::query_scalar("SELECT count(*) FROM topic_messages").fetch_one(&mut app.database.connect().await).await.unwrap();
    assert_eq!(events, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_publishers_at_once_no_number_is_missing_or_out_of_its_order() {
    const PUBLISHERS: usize = 8;
    const EACH: usize = 25;
    let app = TestApp::start().await;
    let shop = shop(&app, "public").await;
    let mut streams = Vec::new();
    for _ in 0..4 {
        streams.push(Stream::open(&shop, "news").await);
    }
    let publishers = (0..PUBLISHERS).map(|publisher| {
        let (services, app_id) = (app.services.clone(), shop.id.parse().unwrap());
        tokio::spawn(async move {
            for n in 0..EACH {
                let message = json!([publisher, n]).to_string().into_bytes();
                service::topics::publish(&services, None, app_id, origin(), "news", message).await.expect("published");
            }
        })
    });
    let publishers: Vec<_> = publishers.collect();
    let mut late = Stream::after(&shop, "news", 0).await;
    for publisher in publishers {
        publisher.await.unwrap();
    }
    let mut orders = Vec::new();
    for stream in streams.iter_mut().chain([&mut late]) {
        let events = stream.events(PUBLISHERS * EACH).await;
        assert_eq!(events.iter().map(|event| event.id).collect::<Vec<_>>(), (1..=(PUBLISHERS * EACH) as u64).collect::<Vec<_>>());
        orders.push(events.into_iter().map(|event| event.data["message"].clone()).collect::<Vec<_>>());
    }
    assert!(orders.windows(2).all(|two| two[0] == two[1]));
    // Of one publisher each comes after the one before.
    for publisher in 0..PUBLISHERS {
        let own: Vec<_> = orders[0].iter().filter(|message| message[0] == publisher).map(|message| message[1].clone()).collect();
        assert_eq!(own, (0..EACH).map(|n| json!(n)).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn nothing_comes_for_so_long_but_a_comment() {
    let app = TestApp::start().await;
    let shop = shop(&app, "public").await;
    let mut stream = Stream::open(&shop, "news").await;
    let began = std::time::Instant::now();
    assert_eq!(stream.block().await.as_deref(), Some(":"));
    let beat = Duration::from_millis(picloud::limits::SUBSCRIBE_HEARTBEAT_MS);
    assert!(began.elapsed() > beat / 2 && began.elapsed() < beat + Duration::from_secs(3), "{:?}", began.elapsed());
    shop.publish_to("news", json!(1)).await;
    assert_eq!(stream.numbers(1).await, [1]);
}

#[tokio::test]
async fn a_node_that_drains_ends_its_streams() {
    let app = TestApp::start().await;
    let shop = shop(&app, "public").await;
    let mut stream = Stream::open(&shop, "news").await;
    app.drain();
    assert!(stream.last_words().await.contains("stopping"));
    let refused = send(ask(&shop, "news")).await.fails(503, "overloaded");
    assert_eq!(refused.header("retry-after"), Some("1"));
}

#[tokio::test]
async fn a_page_may_subscribe_where_the_app_lets_it() {
    let app = TestApp::start().await;
    let shop = shop(&app, "public").await;
    let path = "/realtime/topics/news";
    let asks = [
        ("origin", PAGE),
        ("access-control-request-method", "GET"),
        ("access-control-request-headers", "authorization,last-event-id"),
    ];
    let silent = shop.call("OPTIONS", path, "", &asks).await.expect(204);
    assert!(silent.header("access-control-allow-origin").is_none());
    assert_eq!(silent.header("allow"), Some("GET, HEAD, OPTIONS"));
    app.patch("/admin/apps/shop", json!({ "cors_origins": [PAGE] })).await.expect(200);
    let asked = shop.call("OPTIONS", path, "", &asks).await.expect(204);
    assert_eq!(asked.header("access-control-allow-origin"), Some(PAGE));
    assert!(asked.header("access-control-allow-methods").expect("methods").contains("GET"));
    assert_eq!(asked.header("access-control-allow-headers"), Some("authorization,last-event-id"));
    for (origin, allowed) in [(PAGE, Some(PAGE)), ("https://evil.example", None)] {
        let response = ask(&shop, "news").header("origin", origin).send().await.unwrap();
        let told = response.headers().get("access-control-allow-origin").map(|value| value.to_str().unwrap());
        assert_eq!((response.status().as_u16(), told), (200, allowed), "{origin}");
    }
    let refused = shop.call("GET", "/realtime/topics/none", "", &[("origin", PAGE)]).await.fails(404, "not_found");
    assert_eq!(refused.header("access-control-allow-origin"), Some(PAGE));
    let head = shop.call("HEAD", path, "", &[]).await.expect(200);
    assert_eq!((head.header("content-type"), head.text().as_str()), (Some("text/event-stream"), ""));
    shop.call("HEAD", "/realtime/topics/none", "", &[]).await.expect(404);
    let refused = shop.call("PUT", path, "", &[]).await.fails(405, "method_not_allowed");
    assert_eq!(refused.header("allow"), Some("GET, HEAD, OPTIONS"));
    eventually("who only looked has left", WITHIN, async || (app.services.realtime.subscribers() == 0).then_some(())).await;
}

#[tokio::test]
async fn the_platform_answers_below_realtime_and_no_route_is_made_there() {
    let app = TestApp::start().await;
    let shop = shop(&app, "public").await;
    let script = shop.deploy("/*", r#""script""#).await;
    for path in ["/realtime/x", "/realtime/:a", "/realtime/*", "/realtime/topics/news"] {
        let refused = shop.try_route(&script, json!({ "path": path })).await.fails(422, "invalid");
        assert_eq!(refused.details()["field"], "path", "{path}");
    }
    for path in ["/realtime", "/realtimes/x", "/other/realtime/x"] {
        shop.route(&script, json!({ "path": path })).await;
        assert_eq!(shop.get(path).await.expect(200).json(), "script");
    }
    // One that was made before there was such a rule.
    let mut db = app.database.connect().await;
    sqlx::query("UPDATE routes SET path = '/realtime/x' WHERE path = '/other/realtime/x'").execute(&mut db).await.unwrap();
    app.services.routing.reload(&app.services.db, "localhost").await.unwrap();
    shop.get("/realtime/x").await.fails(404, "not_found");
    drop(Stream::open(&shop, "news").await);
}

#[tokio::test]
async fn a_name_is_whatever_a_path_can_hold() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    for (encoded, name) in [("a%2Fb", "a/b"), ("%C3%BC%20x", "ü x"), ("a.b:c", "a.b:c")] {
        assert_eq!(register(&shop, encoded, "public").await["name"], name);
        let mut stream = Stream::open(&shop, encoded).await;
        shop.publish_to(encoded, json!(1)).await;
        assert_eq!(stream.event().await.data["topic"], name);
    }
    for bad in ["a%00b", "a%0Ab", "%2E%2E"] {
        let refused = app.put(&format!("/admin/apps/shop/topics/{bad}"), json!({ "access": "public" })).await;
        assert!(matches!(refused.status, 404 | 422), "{bad}: {}", refused.shown());
    }
}

#[tokio::test]
async fn whoever_subscribes_to_a_topic_to_which_nothing_happens_asks_nothing() {
    let app = TestApp::start().await;
    let shop = shop(&app, "public").await;
    let mut db = app.database.connect().await;
    let listening = "SELECT count(*) FROM pg_stat_activity
                     WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE 'LISTEN%picloud_topics%'";
    let count: i64 = sqlx::query_scalar(listening).fetch_one(&mut db).await.unwrap();
    assert_eq!(count, 0, "nobody subscribes, and nobody listens");
    let mut stream = Stream::open(&shop, "news").await;
    eventually("nothing is asked for three seconds", WITHIN, async || {
        let busy = "SELECT count(*) FROM pg_stat_activity
                    WHERE datname = current_database() AND application_name LIKE 'picloud%'
                      AND (state <> 'idle' OR state_change > clock_timestamp() - interval '3 seconds')";
        let busy: i64 = sqlx::query_scalar(busy).fetch_one(&mut db).await.expect("a count");
        (busy == 0).then_some(())
    })
    .await;
    shop.publish_to("news", json!(1)).await;
    assert_eq!(stream.numbers(1).await, [1]);
    drop(stream);
    eventually("nobody listens any more", WITHIN, async || {
        let count: i64 = sqlx::query_scalar(listening).fetch_one(&mut db).await.unwrap();
        (count == 0).then_some(())
    })
    .await;
}
