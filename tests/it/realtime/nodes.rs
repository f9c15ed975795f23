//! Two nodes on one database: what one of them takes in is told by both.

use serde_json::json;
use sqlx::PgConnection;

use super::register;
use super::stream::{Stream, WITHIN, ask};
use crate::support::client::send;
use crate::support::cluster::Database;
use crate::support::process::Scratch;
use crate::support::{Server, Tenant, eventually};

/// Ends the connection on which a node hears of messages.
async fn deafen(db: &mut PgConnection) -> usize {
    let ended: Vec<bool> = sqlx::query_scalar(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE 'LISTEN%picloud_topics%'",
    )
    .fetch_all(db)
    .await
    .expect("they may be ended");
    ended.len()
}

#[tokio::test]
async fn what_is_published_on_one_node_is_told_on_the_other_also_by_one_that_was_deaf() {
    let (scratches, database) = ([Scratch::new(), Scratch::new()], Database::create().await);
    let one = Server::serve(&scratches[0], &database, &[]).await;
    let two = Server::serve(&scratches[1], &database, &[]).await;
    let shop = one.client.create_app("shop").await;
    let other = Tenant { client: two.client.clone(), ..shop.clone() };
    register(&shop, "news", "token").await;
    let made = one.client.post("/admin/apps/shop/subscriber_tokens", json!({ "topics": ["news"] })).await.expect(201).json();
    let (token, id) = (made["token"].as_str().expect("a token"), made["id"].as_str().expect("an id"));
    eventually("the second node knows the app", WITHIN, async || {
        let response = ask(&other, "news").bearer_auth(token).send().await.expect("the server answers");
        (response.status().as_u16() == 200).then_some(())
    })
    .await;
    let mut here = Stream::of(ask(&shop, "news").bearer_auth(token)).await;
    let mut there = Stream::of(ask(&other, "news").bearer_auth(token)).await;
    for n in 1..=20 {
        let by = if n % 2 == 0 { &shop } else { &other };
        by.publish_to("news", json!(n)).await;
    }
    for stream in [&mut here, &mut there] {
        let events = stream.events(20).await;
        let told: Vec<_> = events.iter().map(|event| (event.id, event.data["message"].clone())).collect();
        assert_eq!(told, (1..=20).map(|n| (n, json!(n))).collect::<Vec<_>>());
    }
    let mut db = database.connect().await;
    assert_eq!(deafen(&mut db).await, 2, "each node listens while somebody subscribes");
    for n in 21..=30 {
        shop.publish_to("news", json!(n)).await;
    }
    for stream in [&mut here, &mut there] {
        assert_eq!(stream.numbers(10).await, (21..=30).collect::<Vec<_>>());
    }
    // Published by a node that ended before it could tell: found when something else is told.
    sqlx::query(
        "WITH topic AS (
             UPDATE registered_topics SET last_seq = last_seq + 1, published_bytes = published_bytes + 9 RETURNING *
         )
         INSERT INTO topic_messages (app_id, topic, seq, event_id, message, start_bytes, published_at)
         SELECT app_id, name, last_seq, gen_random_uuid(), '\"unheard\"', published_bytes - 9, now() FROM topic",
    )
    .execute(&mut db)
    .await
    .expect("a message");
    shop.publish_to("news", json!(32)).await;
    for stream in [&mut here, &mut there] {
        assert_eq!(stream.numbers(2).await, [31, 32]);
    }
    one.client.delete(&format!("/admin/apps/shop/subscriber_tokens/{id}")).await.expect(204);
    for stream in [&mut here, &mut there] {
        assert!(stream.last_words().await.contains("not yours"));
    }
    send(ask(&other, "news").bearer_auth(token)).await.fails(401, "unauthenticated");
    one.stop();
    two.stop();
}

#[tokio::test]
async fn a_node_that_is_stopped_is_not_held_up_by_its_subscribers() {
    let (scratch, database) = (Scratch::new(), Database::create().await);
    let node = Server::serve(&scratch, &database, &[]).await;
    let shop = node.client.create_app("shop").await;
    register(&shop, "news", "public").await;
    let mut stream = Stream::open(&shop, "news").await;
    let began = std::time::Instant::now();
    let ending = tokio::task::spawn_blocking(move || node.stop());
    assert!(stream.last_words().await.contains("stopping"));
    ending.await.expect("it ends");
    let grace = std::time::Duration::from_millis(picloud::limits::SHUTDOWN_GRACE_MS);
    assert!(began.elapsed() < grace, "{:?}", began.elapsed());
}
