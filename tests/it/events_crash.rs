//! Killing the server anywhere between a change and its settled delivery loses no event.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;

use crate::support::cluster::Database;
use crate::support::process::Scratch;
use crate::support::{Server, Tenant, eventually};

const ROUNDS: u32 = 300;
const WRITERS: u32 = 3;
/// In so many rounds a kill must have come after each hop.
const HIT_LEAST: i64 = 5;

/// Says in the database where it is: what is claimed can then be told apart by how far its handler had come.
const HANDLER: &str = r#"
    let key = ctx.event.kv.key;
    kv::collection("began").increment(key);
    let n = 0;
    for i in 0..3000 { n += i; }
    kv::collection("done").increment(key);
"#;

/// What a kill left of the way of an event, by the hop that it came after.
#[derive(Debug, Default, Clone, Copy)]
struct Hops {
    committed: i64,
    relayed: i64,
    claimed: i64,
    in_handler: i64,
    handled: i64,
}

impl Hops {
    /// Of that round's events: those of earlier ones may wait for the end of a lease.
    async fn now(database: &Database, round: u32) -> Self {
        let committed = format!(
            "SELECT count(*) FROM outbox o JOIN events e ON e.id = o.event_id WHERE e.about::jsonb ->> 'key' LIKE '{round}-%'"
        );
        let count = format!(
            "SELECT count(*) FROM deliveries d JOIN events e ON e.id = d.event_id
             LEFT JOIN kv_entries b ON b.app_id = d.app_id AND b.collection = 'began' AND b.key = e.about::jsonb ->> 'key'
             LEFT JOIN kv_entries f ON f.app_id = d.app_id AND f.collection = 'done' AND f.key = e.about::jsonb ->> 'key'
             WHERE d.claims <= 1 AND e.about::jsonb ->> 'key' LIKE '{round}-%' AND"
        );
        let mut db = database.connect().await;
        let mut ask = async |statement: String| -> i64 {
            sqlx::query_scalar(sqlx::AssertSqlSafe(statement)).fetch_one(&mut db).await.expect("a count")
        };
        Self {
            committed: ask(committed).await,
            relayed: ask(format!("{count} d.state = 'due'")).await,
            claimed: ask(format!("{count} d.state = 'claimed' AND b.key IS NULL")).await,
            in_handler: ask(format!("{count} d.state = 'claimed' AND b.key IS NOT NULL AND f.key IS NULL")).await,
            handled: ask(format!("{count} d.state = 'claimed' AND f.key IS NOT NULL")).await,
        }
    }

    /// In how many rounds each hop had something.
    fn hit(&mut self, left: Self) {
        for (total, now) in [
            (&mut self.committed, left.committed),
            (&mut self.relayed, left.relayed),
            (&mut self.claimed, left.claimed),
            (&mut self.in_handler, left.in_handler),
            (&mut self.handled, left.handled),
        ] {
            *total += i64::from(now > 0);
        }
    }
}

/// Events with more than one delivery for one trigger.
async fn doubled(database: &Database) -> i64 {
    sqlx::query_scalar(
        "SELECT count(*) FROM (
             SELECT event_id, trigger_id, replay FROM deliveries GROUP BY 1, 2, 3 HAVING count(*) > 1
         ) AS twice",
    )
    .fetch_one(&mut database.connect().await)
    .await
    .expect("a count")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_committed_event_is_delivered_wherever_the_server_is_killed() {
    let (scratch, database) = (Scratch::new(), Database::create().await);
    let written = Arc::new(Mutex::new(BTreeSet::new()));
    let first = Server::serve(&scratch, &database, &[]).await;
    let shop = first.client.create_app("shop").await;
    let handler = shop.upload("handler", HANDLER).await;
    // The policy of everybody: what a kill cuts off counts as no attempt.
    shop.trigger("kv", &handler, json!({ "collection": "orders", "base_delay_ms": 1 })).await;
    shop.deploy("/order/:key", r#"kv::collection("orders").set(ctx.request.params.key, 1)"#).await;
    first.crash();

    let mut hops = Hops::default();
    for round in 0..ROUNDS {
        let server = Server::serve(&scratch, &database, &[]).await;
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (tenant, written) = (Tenant { client: server.client.clone(), ..shop.clone() }, written.clone());
                tokio::spawn(async move {
                    for n in 0.. {
                        let key = format!("{round}-{writer}-{n}");
                        let request = tenant.client.to(&tenant.host, "GET", &format!("/order/{key}"));
                        match request.send().await {
                            Ok(answer) if answer.status() == 200 => written.lock().expect("a lock").insert(key),
                            _ => return,
                        };
                    }
                })
            })
            .collect();
        tokio::time::sleep(Duration::from_micros(rand::random_range(2_000..90_000))).await;
        server.crash();
        for writer in writers {
            writer.await.expect("a writer");
        }
        hops.hit(Hops::now(&database, round).await);
        assert_eq!(doubled(&database).await, 0, "round {round}");
    }
    // Every place where a kill could leave something was met, and not by chance alone.
    for (hop, rounds) in [
        ("after the commit", hops.committed),
        ("after relaying", hops.relayed),
        ("after claiming", hops.claimed),
        ("in the handler", hops.in_handler),
        ("before settling", hops.handled),
    ] {
        assert!(rounds >= HIT_LEAST, "{rounds} kills came {hop}: {hops:?}");
    }

    let server = Server::serve(&scratch, &database, &[]).await;
    let mut db = database.connect().await;
    let left = "SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM deliveries WHERE state <> 'dead')";
    eventually("everything that was left is delivered", Duration::from_secs(120), async || {
        let left: i64 = sqlx::query_scalar(left).fetch_one(&mut db).await.expect("a count");
        (left == 0).then_some(())
    })
    .await;
    let dead: Vec<(String, i32, i32, i32)> =
        sqlx::query_as("SELECT dead_reason, claims, failed, lost FROM deliveries WHERE state = 'dead'")
            .fetch_all(&mut db)
            .await
            .expect("dead letters");
    assert!(dead.is_empty(), "cut off is not failed: {dead:?}");
    let keys = async |collection: &str| -> BTreeSet<String> {
        let rows: Vec<String> = sqlx::query_scalar("SELECT key FROM kv_entries WHERE collection = $1")
            .bind(collection)
            .fetch_all(&mut database.connect().await)
            .await
            .expect("keys");
        rows.into_iter().collect()
    };
    let (orders, done) = (keys("orders").await, keys("done").await);
    assert!(written.lock().expect("a lock").is_subset(&orders));
    assert_eq!(done, orders, "each change that was committed was handled, and nothing else");
    assert!(orders.len() > 200, "{} orders in {hops:?}", orders.len());
    let events: i64 = sqlx::query_scalar("SELECT count(*) FROM events").fetch_one(&mut db).await.expect("a count");
    assert_eq!(events, 0);
    server.stop();
}
