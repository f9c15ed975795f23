//! Tokens of subscribers: for which topics, for how long, by whom, and until when.

use std::time::{Duration, Instant};

use picloud::service;
use serde_json::{Value, json};

use super::stream::{Stream, ask};
use super::{register, shop};
use crate::support::client::send;
use crate::support::{Tenant, TestApp};

/// A token of the app for topics; it, and its id.
async fn token(shop: &Tenant, body: Value) -> (String, String) {
    let made = shop.client.post(&format!("/admin/apps/{}/subscriber_tokens", shop.slug), body).await.expect(201).json();
    let text = |field: &str| made[field].as_str().expect("a text").to_owned();
    (text("token"), text("id"))
}

#[tokio::test]
async fn a_token_opens_the_topics_of_its_app_that_it_names() {
    let app = TestApp::start().await;
    let shop = shop(&app, "token").await;
    let other = app.create_app("other").await;
    for topic in ["news.at", "orders"] {
        register(&shop, topic, "token").await;
    }
    register(&other, "news", "token").await;
    let (exact, _) = token(&shop, json!({ "topics": ["news"] })).await;
    let (prefix, _) = token(&shop, json!({ "topics": ["news.*"], "ttl_s": 60 })).await;
    let (every, _) = token(&shop, json!({ "topics": ["*"] })).await;
    send(ask(&shop, "news")).await.fails(401, "unauthenticated");
    for bad in ["x", "picr_", &app.token, &exact.to_uppercase(), &format!("picr_{}", "0".repeat(64))] {
        send(ask(&shop, "news").bearer_auth(bad)).await.fails(401, "unauthenticated");
    }
    send(ask(&other, "news").bearer_auth(&exact)).await.fails(401, "unauthenticated");
    send(ask(&shop, "orders").bearer_auth(&exact)).await.fails(403, "forbidden");
    send(ask(&shop, "news").bearer_auth(&prefix)).await.fails(403, "forbidden");
    for (topic, token) in [("news", &exact), ("news.at", &prefix), ("orders", &every)] {
        let mut streams = [
            Stream::of(ask(&shop, topic).bearer_auth(token)).await,
            Stream::open(&shop, &format!("{topic}?token={token}")).await,
        ];
        shop.publish_to(topic, json!(1)).await;
        for stream in &mut streams {
            assert_eq!(stream.numbers(1).await, [1], "{topic}");
        }
    }
    // What is not there stays so, whatever is shown.
    send(ask(&shop, "none").bearer_auth(&every)).await.fails(404, "not_found");
}

#[tokio::test]
async fn a_token_is_told_once_and_stands_nowhere() {
    let app = TestApp::start().await;
    let shop = shop(&app, "token").await;
    let script = shop.upload("makes", r#"pubsub::subscriber_token(["news", "orders.*"], #{ ttl_s: 60 })"#).await;
    let made = app.post(&format!("/execute/{}", script.id), json!({})).await.expect(200).json();
    let (by_person, id) = token(&shop, json!({ "topics": ["news"] })).await;
    let by_script = made.as_str().expect("a token");
    for token in [by_script, &by_person] {
        assert!(token.starts_with("picr_") && token.len() == 69, "{token}");
        assert_eq!(crate::api_keys::tables_holding(&app, &token[5..]).await, Vec::<String>::new());
    }
    let listed = app.get("/admin/apps/shop/subscriber_tokens").await.expect(200).json()["items"].clone();
    assert_eq!(listed.as_array().expect("a list").len(), 2);
    assert_eq!((&listed[0]["topics"], &listed[0]["made_by_script"]), (&json!(["news", "orders.*"]), &json!(script.id)));
    assert_eq!((&listed[1]["id"], &listed[1]["made_by_script"]), (&json!(id), &Value::Null));
    assert!(listed[0]["made_by"].is_null() && listed[1]["made_by"].is_string(), "{listed}");
    assert!(!listed.to_string().contains("picr_"));
    drop(Stream::of(ask(&shop, "news").bearer_auth(by_script)).await);
}

#[tokio::test]
async fn who_subscribes_with_a_token_that_is_taken_back_is_sent_away() {
    let app = TestApp::start().await;
    let shop = shop(&app, "token").await;
    let (gone, id) = token(&shop, json!({ "topics": ["news"] })).await;
    let (stays, _) = token(&shop, json!({ "topics": ["news"] })).await;
    let mut streams =
        [Stream::of(ask(&shop, "news").bearer_auth(&gone)).await, Stream::of(ask(&shop, "news").bearer_auth(&stays)).await];
    app.delete(&format!("/admin/apps/shop/subscriber_tokens/{id}")).await.expect(204);
    app.delete(&format!("/admin/apps/shop/subscriber_tokens/{id}")).await.fails(404, "not_found");
    let began = Instant::now();
    assert!(streams[0].last_words().await.contains("not yours"));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    send(ask(&shop, "news").bearer_auth(&gone)).await.fails(401, "unauthenticated");
    shop.publish_to("news", json!(1)).await;
    assert_eq!(streams[1].numbers(1).await, [1]);
}

#[tokio::test]
async fn who_subscribes_with_a_token_that_ends_is_sent_away_then() {
    let app = TestApp::start().await;
    let shop = shop(&app, "token").await;
    let (short, _) = token(&shop, json!({ "topics": ["news"], "ttl_s": 2 })).await;
    let mut stream = Stream::of(ask(&shop, "news").bearer_auth(&short)).await;
    shop.publish_to("news", json!(1)).await;
    assert_eq!(stream.numbers(1).await, [1]);
    let began = Instant::now();
    assert!(stream.last_words().await.contains("not yours"));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    send(ask(&shop, "news").bearer_auth(&short)).await.fails(401, "unauthenticated");
    let listed = app.get("/admin/apps/shop/subscriber_tokens").await.expect(200).json();
    assert_eq!(listed["items"], json!([]));
    service::retention::sweep(&app.services).await.expect("a sweep");
    let left: i64 =
        sqlx::query_scalar("SELECT count(*) FROM subscriber_tokens").fetch_one(&mut app.database.connect().await).await.unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn another_access_is_another_company() {
    let app = TestApp::start().await;
    let shop = shop(&app, "public").await;
    let (token, _) = token(&shop, json!({ "topics": ["news"] })).await;
    let mut everybody = Stream::open(&shop, "news").await;
    let mut holder = Stream::of(ask(&shop, "news").bearer_auth(&token)).await;
    register(&shop, "news", "token").await;
    assert!(everybody.last_words().await.contains("not yours"));
    // One who came as everybody was not asked for the token that was shown, and comes again.
    assert!(holder.last_words().await.contains("not yours"));
    let mut holder = Stream::of(ask(&shop, "news").bearer_auth(&token)).await;
    register(&shop, "news", "public").await;
    shop.publish_to("news", json!(1)).await;
    assert_eq!(holder.numbers(1).await, [1]);
    register(&shop, "news", "internal").await;
    assert!(holder.last_words().await.contains("not yours"));
    send(ask(&shop, "news").bearer_auth(&token)).await.fails(404, "not_found");
    let other = app.create_app("other").await;
    register(&other, "news", "public").await;
    let mut stream = Stream::open(&other, "news").await;
    app.delete("/admin/apps/other?force=true").await.expect(204);
    assert!(stream.last_words().await.contains("not yours"));
}

#[tokio::test]
async fn a_script_makes_tokens_for_what_it_is_granted() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    for call in
        [r#""news""#, r#""news", 60"#, r#""news", #{ ttl_s: 60 }"#, r#"["news", "orders.*"], 60"#, r#"["*"], #{}"#, r#"["a"]"#]
    {
        let token = shop.value(&format!("pubsub::subscriber_token({call})")).await;
        assert!(token.as_str().is_some_and(|token| token.starts_with("picr_")), "{call}: {token}");
    }
    for call in [
        r#""""#,
        r#""a*""#,
        r#"[]"#,
        r#"[1]"#,
        r#""a", 0"#,
        r#""a", -1"#,
        r#""a", 86401"#,
        r#""a", #{ ttl: 1 }"#,
        r#""a", #{ ttl_s: "x" }"#,
    ] {
        assert_eq!(shop.caught(&format!("pubsub::subscriber_token({call})")).await["code"], "invalid_argument", "{call}");
    }
    shop.grant(json!({ "pubsub": ["news", "orders.*"] })).await;
    for call in [r#""news""#, r#"["orders.paid", "orders.*", "news"]"#, r#""orders.eu.*""#] {
        assert!(shop.value(&format!("pubsub::subscriber_token({call})")).await.is_string(), "{call}");
    }
    for call in [r#""other""#, r#""*""#, r#""news.*""#, r#"["news", "other"]"#] {
        assert_eq!(shop.caught(&format!("pubsub::subscriber_token({call})")).await["code"], "denied", "{call}");
    }
}
