//! Two nodes on one database: what one of them takes in, leaves behind or fires is handled, and by one of them.

use std::collections::BTreeMap;
use std::time::Duration;

use picloud::limits::DELIVERY_LEASE_MS;
use rustix::process::Signal;
use serde_json::{Value, json};
use sqlx::PgConnection;

use crate::support::cluster::Database;
use crate::support::events::KEEPS;
use crate::support::process::Scratch;
use crate::support::{Client, Server, Tenant, eventually};

/// What needs no lease to end.
const SOON: Duration = Duration::from_secs(30);
/// What a node that is gone had claimed is another's after this, and then it is handled.
const AFTER_A_LEASE: Duration = Duration::from_millis(DELIVERY_LEASE_MS + 8_000);

/// Its first run ends with its node; the next one is quick.
const LINGERS: &str = r#"
    let run = kv::collection("runs").increment("n");
    if run == 1 { loop { } }
    kv::collection("seen").set("e1", #{ run: run, execution: ctx.execution_id });
    "done"
"#;

/// Two nodes, and an app that is asked through the first one.
struct Nodes {
    one: Server,
    two: Server,
    shop: Tenant,
    database: Database,
    _scratches: [Scratch; 2],
}

impl Nodes {
    async fn start() -> Self {
        let (scratches, database) = ([Scratch::new(), Scratch::new()], Database::create().await);
        let one = Server::serve(&scratches[0], &database, &[]).await;
        let two = Server::serve(&scratches[1], &database, &[]).await;
        let shop = one.client.create_app("shop").await;
        // Some of the harness looks into the database.
        let client = Client { database: Some(database.url()), ..one.client.clone() };
        Self { one, two, shop: Tenant { client, ..shop }, database, _scratches: scratches }
    }
}

async fn count(db: &mut PgConnection, statement: &'static str) -> i64 {
    sqlx::query_scalar(statement).fetch_one(db).await.expect("a count")
}

/// What handlers wrote into a collection.
async fn entries(db: &mut PgConnection, collection: &str) -> BTreeMap<String, Value> {
    let rows: Vec<(String, Vec<u8>)> = sqlx::query_as("SELECT key, value FROM kv_entries WHERE collection = $1")
        .bind(collection)
        .fetch_all(db)
        .await
        .expect("entries");
    rows.into_iter().map(|(key, value)| (key, serde_json::from_slice(&value).expect("JSON"))).collect()
}

/// Until no node has asked the database anything for a second.
pub(crate) async fn idle(db: &mut PgConnection) {
    eventually("the nodes are idle", SOON, async || {
        let busy = "SELECT count(*) FROM pg_stat_activity
                    WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name LIKE 'picloud%'
                      AND (state <> 'idle' OR state_change > clock_timestamp() - interval '1 second')";
        (count(&mut *db, busy).await == 0).then_some(())
    })
    .await;
}

/// The connections on which nodes hear of events.
async fn listeners(db: &mut PgConnection) -> Vec<i32> {
    sqlx::query_scalar(
        "SELECT pid FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE 'LISTEN%picloud_events%'",
    )
    .fetch_all(db)
    .await
    .expect("connections")
}

/// Ends the connections on which both nodes hear of events, and waits for those in their place.
async fn deafen(db: &mut PgConnection) {
    let before = listeners(db).await;
    assert_eq!(before.len(), 2, "each node listens");
    let ended: Vec<bool> = sqlx::query_scalar("SELECT pg_terminate_backend(pid) FROM unnest($1::integer[]) AS pid")
        .bind(before.clone())
        .fetch_all(&mut *db)
        .await
        .expect("they may be ended");
    assert_eq!(ended, [true, true]);
    eventually("both listen anew", SOON, async || {
        let now = listeners(&mut *db).await;
        (now.len() == 2 && now.iter().all(|pid| !before.contains(pid))).then_some(())
    })
    .await;
}

/// The first node takes a message in, tells the second one, and is gone before the message is due.
async fn the_second_node_delivers(nodes: Nodes) {
    let mut db = nodes.database.connect().await;
    nodes.shop.send_with("q", json!({ "message": "m", "delay_s": 4 })).await;
    eventually("it is relayed", SOON, async || {
        (count(&mut db, "SELECT count(*) FROM deliveries WHERE state = 'due'").await == 1).then_some(())
    })
    .await;
    // A node that relayed tells the others then: this is what it needs for that.
    tokio::time::sleep(Duration::from_millis(500)).await;
    nodes.one.crash();
    let untouched = count(&mut db, "SELECT count(*) FROM deliveries WHERE state = 'due' AND claims = 0").await;
    assert_eq!(untouched, 1, "the first node was gone before it was due");
    let seen = eventually("the second node handles it at its time", Duration::from_secs(12), async || {
        entries(&mut db, "seen").await.get("e1").cloned()
    })
    .await;
    assert_eq!((&seen["event"]["queue"]["message"], &seen["event"]["attempt"]), (&json!("m"), &json!(1)), "{seen}");
    nodes.two.stop();
}

#[tokio::test]
async fn what_a_killed_node_was_running_is_finished_by_an_idle_one() {
    let nodes = Nodes::start().await;
    let limits = json!({ "limits": { "timeout_ms": 60_000, "fuel": 50_000_000_000_u64 } });
    let work = nodes.shop.upload_with("work", LINGERS, limits).await;
    nodes.shop.route(&work, json!({ "path": "/work", "dispatch_mode": "async" })).await;
    let mut db = nodes.database.connect().await;
    idle(&mut db).await;
    // Otherwise the second node, which is told at once, might be the one that takes it.
    nodes.two.signal(Signal::STOP);
    let accepted = nodes.shop.get("/work").await.expect(202).json();
    let id = accepted["execution_id"].as_str().expect("an id").to_owned();
    eventually("the first node runs it", SOON, async || entries(&mut db, "runs").await.get("n").cloned()).await;
    nodes.two.signal(Signal::CONT);
    nodes.one.crash();
    let seen = eventually("the second node runs it to its end", AFTER_A_LEASE, async || {
        entries(&mut db, "seen").await.get("e1").cloned()
    })
    .await;
    assert_eq!(seen, json!({ "run": 2, "execution": id }));
    // What was cut off has no record, and counts as no attempt.
    let record = nodes.two.client.execution(&id).await;
    assert_eq!((&record["outcome"], &record["attempt"]), (&json!("responded"), &json!(1)), "{record}");
    eventually("nothing is left to do", SOON, async || {
        (count(&mut db, "SELECT count(*) FROM deliveries").await == 0).then_some(())
    })
    .await;
    assert_eq!(count(&mut db, "SELECT count(*) FROM executions WHERE event_id IS NOT NULL").await, 1);
    nodes.two.stop();
}

#[tokio::test]
async fn what_a_killed_node_had_relayed_is_delivered_by_an_idle_one_at_its_time() {
    let nodes = Nodes::start().await;
    let handler = nodes.shop.upload("handler", KEEPS).await;
    nodes.shop.trigger("queue", &handler, json!({ "queue": "q" })).await;
    idle(&mut nodes.database.connect().await).await;
    the_second_node_delivers(nodes).await;
}

#[tokio::test]
async fn a_node_whose_listening_connection_was_ended_hears_the_others_again() {
    let nodes = Nodes::start().await;
    let handler = nodes.shop.upload("handler", KEEPS).await;
    nodes.shop.trigger("queue", &handler, json!({ "queue": "q" })).await;
    let mut db = nodes.database.connect().await;
    idle(&mut db).await;
    deafen(&mut db).await;
    idle(&mut db).await;
    the_second_node_delivers(nodes).await;
}

/// Added by a node that ended before it could tell.
#[tokio::test]
async fn what_nobody_was_told_of_is_found_once_a_connection_was_lost() {
    let nodes = Nodes::start().await;
    let handler = nodes.shop.upload("handler", KEEPS).await;
    nodes.shop.trigger("queue", &handler, json!({ "queue": "q" })).await;
    let mut db = nodes.database.connect().await;
    idle(&mut db).await;
    sqlx::query(
        r#"WITH event AS (
               INSERT INTO events (id, app_id, source, op, at, depth, request_id, about)
               VALUES ($1, $2, 'queue', 'send', now(), 1, $1, '{"name":"q","message":"unheard"}')
           )
           INSERT INTO outbox (event_id, app_id, source, op, name, depth, due_at)
           VALUES ($1, $2, 'queue', 'send', 'q', 1, now())"#,
    )
    .bind(uuid::Uuid::now_v7())
    .bind(nodes.shop.id.parse::<uuid::Uuid>().expect("an id"))
    .execute(&mut db)
    .await
    .expect("an event");
    idle(&mut db).await;
    assert_eq!(count(&mut db, "SELECT count(*) FROM outbox").await, 1, "nobody looked");
    deafen(&mut db).await;
    let seen = eventually("it is handled", SOON, async || entries(&mut db, "seen").await.get("e1").cloned()).await;
    assert_eq!(seen["event"]["queue"]["message"], "unheard", "{seen}");
    nodes.one.stop();
    nodes.two.stop();
}

#[tokio::test]
async fn messages_over_two_nodes_are_handled_once_each_and_by_both() {
    const SENT: usize = 400;
    let nodes = Nodes::start().await;
    eventually("the second node knows the app", SOON, async || {
        (nodes.two.client.get("/admin/apps/shop").await.status == 200).then_some(())
    })
    .await;
    let handler = nodes.shop.upload("handler", r#"kv::collection("runs").increment(ctx.event.id);"#).await;
    // They wait for their consumer: then there is work for both nodes at once.
    let other = Tenant { client: nodes.two.client.clone(), ..nodes.shop.clone() };
    for chunk in (0..SENT).collect::<Vec<_>>().chunks(8) {
        let sends = chunk.iter().map(|n| {
            let by = if n % 2 == 0 { &nodes.shop } else { &other };
            by.send("q", json!(n))
        });
        futures_util::future::join_all(sends).await;
    }
    let trigger = nodes.shop.trigger("queue", &handler, json!({ "queue": "q" })).await;
    let mut db = nodes.database.connect().await;
    eventually("all are settled", Duration::from_secs(90), async || {
        let left = "SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM deliveries)";
        (count(&mut db, left).await == 0).then_some(())
    })
    .await;
    let runs = entries(&mut db, "runs").await;
    assert_eq!(runs.len(), SENT);
    assert!(runs.values().all(|times| *times == json!(1)), "{runs:?}");
    let counts = nodes.shop.trigger_now(&trigger).await["counts"].clone();
    assert_eq!((&counts["succeeded"], &counts["failed"], &counts["dead"]), (&json!(SENT), &json!(0), &json!(0)), "{counts}");

    let written = async |node: &Server| -> u64 {
        let status = node.client.get("/admin/node").await.expect(200).json();
        status["recorder"]["written"].as_u64().expect("a number")
    };
    let by_node = eventually("every run is recorded", SOON, async || {
        let by_node = [written(&nodes.one).await, written(&nodes.two).await];
        (by_node[0] + by_node[1] >= SENT as u64).then_some(by_node)
    })
    .await;
    assert!(by_node[0] > 0 && by_node[1] > 0, "{by_node:?}");
    assert_eq!(by_node[0] + by_node[1], SENT as u64, "{by_node:?}");
    assert_eq!(count(&mut db, "SELECT count(*) FROM executions WHERE event_id IS NOT NULL").await, SENT as i64);
    let twice = "SELECT count(*) FROM (
                     SELECT event_id FROM executions WHERE event_id IS NOT NULL GROUP BY event_id, attempt HAVING count(*) > 1
                 ) AS twice";
    assert_eq!(count(&mut db, twice).await, 0);
    nodes.one.stop();
    nodes.two.stop();
}

/// How often each tick was handled, once there are so many.
async fn ticks(db: &mut PgConnection, least: usize) -> BTreeMap<String, Value> {
    eventually(&format!("{least} ticks are handled"), SOON, async || {
        let ticks = entries(&mut *db, "ticks").await;
        (ticks.len() >= least).then_some(ticks)
    })
    .await
}

#[tokio::test]
async fn a_tick_fires_once_however_many_nodes_look() {
    let nodes = Nodes::start().await;
    let source = r#"kv::collection("ticks").increment(ctx.event.cron.scheduled_at);"#;
    let handler = nodes.shop.upload("handler", source).await;
    nodes.shop.trigger("cron", &handler, json!({ "schedule": "* * * * * *" })).await;
    let mut db = nodes.database.connect().await;
    let early = ticks(&mut db, 8).await;
    // A second event of a tick is handled by now, if there is one.
    let later = ticks(&mut db, early.len() + 2).await;
    assert!(later.values().all(|times| *times == json!(1)), "{later:?}");
    assert!(early.keys().all(|tick| later.contains_key(tick)));
    nodes.one.stop();
    nodes.two.stop();
}
