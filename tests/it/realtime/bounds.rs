//! What is kept, and how many there may be: each bound at N and at N + 1.

use chrono::{DateTime, TimeDelta, Utc};
use picloud::clock::Clock;
use picloud::limits;
use picloud::service::realtime::{Full, Refused, subscribe};
use picloud::service::{retention, topics};
use serde_json::{Value, json};
use sqlx::Connection as _;

use super::stream::{Event, Stream, WITHIN, ask};
use super::{register, shop};
use crate::support::app::Options;
use crate::support::client::send;
use crate::support::events::origin;
use crate::support::{Tenant, TestApp, eventually};

pub(super) async fn publish(app: &TestApp, shop: &Tenant, topic: &str, bytes: usize) {
    let message = match bytes {
        1 => b"1".to_vec(),
        more => format!("\"{}\"", "x".repeat(more - 2)).into_bytes(),
    };
    topics::publish(&app.services, None, shop.id.parse().unwrap(), origin(), topic, message).await.expect("published");
}

/// What who has nothing is told first.
async fn first(shop: &Tenant, topic: &str) -> Event {
    Stream::after(shop, topic, 0).await.event().await
}

pub(super) fn gap(to: u64) -> Event {
    Event { name: "gap".to_owned(), id: to, data: json!({ "from": 1, "to": to }) }
}

async fn kept(app: &TestApp) -> i64 {
    let count = sqlx::query_scalar("SELECT count(*) FROM topic_messages");
    count.fetch_one(&mut app.database.connect().await).await.expect("a count")
}

#[tokio::test]
async fn the_newest_so_many_are_kept() {
    let app = TestApp::start().await;
    let shop = shop(&app, "public").await;
    for _ in 0..limits::TOPIC_MESSAGES_KEPT_MAX {
        publish(&app, &shop, "news", 1).await;
    }
    assert_eq!(first(&shop, "news").await.id, 1);
    publish(&app, &shop, "news", 1).await;
    assert_eq!((first(&shop, "news").await, kept(&app).await), (gap(1), limits::TOPIC_MESSAGES_KEPT_MAX));
    // All of what is kept comes, a page after the other.
    let count = usize::try_from(limits::TOPIC_MESSAGES_KEPT_MAX).unwrap();
    let last = limits::TOPIC_MESSAGES_KEPT_MAX.unsigned_abs() + 1;
    assert_eq!(Stream::after(&shop, "news", 1).await.numbers(count).await, (2..=last).collect::<Vec<_>>());
}

#[tokio::test]
async fn messages_are_kept_for_so_long() {
    let start: DateTime<Utc> = "2026-06-01T12:00:00Z".parse().unwrap();
    let app = TestApp::start_with(Options { clock: Clock::manual(start), ..Options::default() }).await;
    let shop = shop(&app, "public").await;
    publish(&app, &shop, "news", 1).await;
    app.advance(TimeDelta::hours(1));
    publish(&app, &shop, "news", 1).await;
    app.advance(TimeDelta::seconds(limits::TOPIC_MESSAGE_KEEP_S - 3_600) - TimeDelta::milliseconds(1));
    assert_eq!(first(&shop, "news").await.id, 1);
    app.advance(TimeDelta::milliseconds(1));
    assert_eq!((first(&shop, "news").await, kept(&app).await), (gap(1), 2));
    retention::sweep(&app.services).await.expect("a sweep");
    assert_eq!((first(&shop, "news").await, kept(&app).await), (gap(1), 1));
    app.advance(TimeDelta::hours(1));
    assert_eq!(first(&shop, "news").await, gap(2));
    retention::sweep(&app.services).await.expect("a sweep");
    assert_eq!((first(&shop, "news").await, kept(&app).await), (gap(2), 0));
    publish(&app, &shop, "news", 1).await;
    assert_eq!(Stream::after(&shop, "news", 2).await.numbers(1).await, [3]);
}

#[tokio::test]
async fn a_sweep_waits_for_nobody_who_deletes_messages_too() {
    let start: DateTime<Utc> = "2026-06-01T12:00:00Z".parse().unwrap();
    let app = TestApp::start_with(Options { clock: Clock::manual(start), ..Options::default() }).await;
    let shop = shop(&app, "public").await;
    for _ in 0..3 {
        publish(&app, &shop, "news", 1).await;
    }
    app.advance(TimeDelta::seconds(limits::TOPIC_MESSAGE_KEEP_S));
    let mut db = app.database.connect().await;
    let mut publisher = db.begin().await.expect("a transaction");
    // As one whose message is one too many, and who goes on to the others once the sweep has come to them.
    sqlx::query("DELETE FROM topic_messages WHERE seq = 2").execute(&mut *publisher).await.expect("deleted");
    let sweep = tokio::time::timeout(WITHIN, retention::sweep(&app.services)).await;
    sweep.expect("it waits for nobody").expect("a sweep");
    sqlx::query("DELETE FROM topic_messages").execute(&mut *publisher).await.expect("no deadlock");
    publisher.rollback().await.expect("rolled back");
    assert_eq!((first(&shop, "news").await, kept(&app).await), (gap(3), 1));
    retention::sweep(&app.services).await.expect("a sweep");
    assert_eq!((first(&shop, "news").await, kept(&app).await), (gap(3), 0));
}

#[tokio::test]
async fn an_apps_topics_share_the_bytes_that_are_kept() {
    let app = TestApp::start().await;
    let shop = shop(&app, "public").await;
    let largest = usize::try_from(limits::TOPIC_BYTES_KEPT_PER_APP_MAX).unwrap() / limits::MESSAGE_BYTES_MAX;
    for _ in 0..largest {
        publish(&app, &shop, "news", limits::MESSAGE_BYTES_MAX).await;
    }
    assert_eq!(first(&shop, "news").await.id, 1);
    publish(&app, &shop, "news", 1).await;
    assert_eq!((first(&shop, "news").await, kept(&app).await), (gap(1), largest as i64));
    // One that is for triggers alone takes no part.
    register(&shop, "internal", "internal").await;
    assert_eq!(first(&shop, "news").await, gap(1));
    register(&shop, "other", "token").await;
    assert_eq!(first(&shop, "news").await, gap(largest as u64 / 2 + 1));
    publish(&app, &shop, "news", 1).await;
    assert_eq!(kept(&app).await, largest as i64 / 2 + 1);
}

#[tokio::test]
async fn so_many_topics_are_registered() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    for n in 0..limits::TOPICS_PER_APP_MAX {
        register(&shop, &format!("t{n}"), "public").await;
    }
    app.put("/admin/apps/shop/topics/more", json!({ "access": "internal" })).await.fails(422, "limit_reached");
    register(&shop, "t0", "token").await;
    app.delete("/admin/apps/shop/topics/t0").await.expect(204);
    register(&shop, "more", "internal").await;
    // A part is as large as the largest message: each of them is kept.
    publish(&app, &shop, "t1", limits::MESSAGE_BYTES_MAX).await;
    assert_eq!(first(&shop, "t1").await.id, 1);
}

#[tokio::test]
async fn so_many_tokens_are_good_at_once() {
    let start: DateTime<Utc> = "2026-06-01T12:00:00Z".parse().unwrap();
    let app = TestApp::start_with(Options { clock: Clock::manual(start), ..Options::default() }).await;
    let shop = app.create_app("shop").await;
    let add = "INSERT INTO subscriber_tokens (id, app_id, token_hash, topics, created_at, expires_at)
               SELECT gen_random_uuid(), $1, sha256(n::text::bytea), '{a}', $2, $2 + interval '1 minute' FROM generate_series(1, $3) AS n";
    sqlx::query(add)
        .bind(shop.id.parse::<uuid::Uuid>().unwrap())
        .bind(start)
        .bind(limits::SUBSCRIBER_TOKENS_PER_APP_MAX - 1)
        .execute(&mut app.database.connect().await)
        .await
        .unwrap();
    let make = json!({ "topics": ["news"] });
    app.post("/admin/apps/shop/subscriber_tokens", make.clone()).await.expect(201);
    app.post("/admin/apps/shop/subscriber_tokens", make.clone()).await.fails(422, "limit_reached");
    assert_eq!(shop.caught(r#"pubsub::subscriber_token("news")"#).await["code"], "limit_exceeded");
    app.advance(TimeDelta::minutes(1));
    app.post("/admin/apps/shop/subscriber_tokens", make).await.expect(201);
}

#[tokio::test]
async fn a_token_that_is_asked_for_has_its_bounds() {
    let app = TestApp::start().await;
    app.create_app("shop").await;
    let refuse = async |body: Value, field: &str| {
        let refused = app.post("/admin/apps/shop/subscriber_tokens", body.clone()).await.fails(422, "invalid");
        assert_eq!(refused.details()["field"], field, "{body}");
    };
    let topics = |count: usize| (0..count).map(|n| format!("t{n}")).collect::<Vec<_>>();
    let most = limits::SUBSCRIBER_TOKEN_TOPICS_MAX;
    for good in [
        json!({ "topics": topics(most) }),
        json!({ "topics": ["t"], "ttl_s": limits::SUBSCRIBER_TOKEN_TTL_S_MIN }),
        json!({ "topics": ["t"], "ttl_s": limits::SUBSCRIBER_TOKEN_TTL_S_MAX }),
    ] {
        app.post("/admin/apps/shop/subscriber_tokens", good).await.expect(201);
    }
    refuse(json!({ "topics": topics(most + 1) }), "topics").await;
    refuse(json!({ "topics": [] }), "topics").await;
    refuse(json!({ "topics": ["a", "b*"] }), "topics[1]").await;
    refuse(json!({ "topics": ["t"], "ttl_s": limits::SUBSCRIBER_TOKEN_TTL_S_MIN - 1 }), "ttl_s").await;
    refuse(json!({ "topics": ["t"], "ttl_s": limits::SUBSCRIBER_TOKEN_TTL_S_MAX + 1 }), "ttl_s").await;
}

#[tokio::test]
async fn so_many_subscribe_to_an_app_and_a_place_that_is_left_is_free() {
    let app = TestApp::start().await;
    let (shop, other) = (shop(&app, "public").await, app.create_app("other").await);
    register(&other, "news", "public").await;
    let mut streams = Vec::new();
    for _ in 0..limits::SUBSCRIBERS_PER_APP_MAX {
        streams.push(Stream::open(&shop, "news").await);
    }
    let refused = send(ask(&shop, "news")).await.fails(503, "overloaded");
    assert_eq!(refused.header("retry-after"), Some(limits::SUBSCRIBER_RETRY_AFTER_S.to_string().as_str()));
    // They take no place of a script, nor of another app.
    assert_eq!(shop.value("1").await, 1);
    drop(Stream::open(&other, "news").await);
    publish(&app, &shop, "news", 1).await;
    for stream in &mut streams {
        assert_eq!(stream.numbers(1).await, [1]);
    }
    streams.pop();
    eventually("the place is free", WITHIN, async || {
        let response = ask(&shop, "news").send().await.expect("the server answers");
        (response.status().as_u16() == 200).then_some(response)
    })
    .await;
}

#[tokio::test]
async fn so_many_subscribe_on_a_node_and_one_app_takes_half_of_them() {
    const PLACES: usize = 4;
    let app = TestApp::start().await;
    let mut held = Vec::new();
    let mut ids = Vec::new();
    for n in 0..3 {
        let tenant = app.create_app(&format!("app-{n}")).await;
        register(&tenant, "news", "public").await;
        ids.push(tenant.id.parse().unwrap());
    }
    let come = async |n: usize| subscribe(&app.services, ids[n], "news", None, None, PLACES).await;
    let full = |refused: Refused| match refused {
        Refused::Full(full) => full,
        other => panic!("{other:?}"),
    };
    for n in [0, 0] {
        held.push(come(n).await.expect("a place"));
    }
    assert_eq!(full(come(0).await.unwrap_err()), Full::App);
    for n in [1, 2] {
        held.push(come(n).await.expect("a place"));
    }
    assert_eq!(full(come(2).await.unwrap_err()), Full::Node);
    held.pop();
    assert!(come(2).await.is_ok());
    assert_eq!(app.services.realtime.subscribers(), PLACES - 1);
}
