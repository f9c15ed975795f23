//! An app that somebody has locked, to rename or delete it: nobody else waits for that, and its own events go on afterwards.

use std::time::Duration;

use serde_json::json;
use sqlx::PgConnection;

use crate::nodes::idle;
use crate::support::cluster::run;
use crate::support::events::KEEPS;
use crate::support::{Tenant, TestApp, eventually};

const SOON: Duration = Duration::from_secs(20);

/// Locks the app as its deletion does, until `ROLLBACK`.
async fn lock(db: &mut PgConnection, app: &Tenant) {
    run(db, &format!("BEGIN; SELECT FROM apps WHERE id = '{}' FOR UPDATE", app.id)).await;
}

/// Adds a message to the queue `q`, and tells nobody.
async fn add(db: &mut PgConnection, app: &Tenant) {
    let statement = format!(
        r#"WITH event AS (
               INSERT INTO events (id, app_id, source, op, at, depth, request_id, about)
               VALUES (id_at(now()), '{}', 'queue', 'send', now(), 1, id_at(now()), '{{"name":"q","message":1}}') RETURNING *
           )
           INSERT INTO outbox (event_id, app_id, source, op, name, depth, due_at)
           SELECT id, app_id, source, op, 'q', depth, at FROM event"#,
        app.id
    );
    run(db, &statement).await;
}

async fn count(db: &mut PgConnection, what: &'static str) -> i64 {
    sqlx::query_scalar(what).fetch_one(db).await.expect("a count")
}

#[tokio::test]
async fn events_of_an_app_that_was_locked_are_relayed_without_being_told() {
    let app = TestApp::start().await;
    let (shop, other) = (app.create_app("shop").await, app.create_app("other").await);
    for tenant in [&shop, &other] {
        tenant.trigger("queue", &tenant.upload("handler", KEEPS).await, json!({ "queue": "q" })).await;
    }
    let (mut db, mut blocker) = (app.database.connect().await, app.database.connect().await);
    idle(&mut db).await;
    add(&mut db, &shop).await;
    lock(&mut blocker, &shop).await;
    // The other app's message has everybody look.
    other.send("q", json!(2)).await;
    other.seen(1).await;
    assert_eq!(count(&mut db, "SELECT count(*) FROM outbox").await, 1, "the locked app's event is left alone");
    run(&mut blocker, "ROLLBACK").await;
    shop.seen(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_locked_app_has_to_settle_waits_alone() {
    let app = TestApp::start().await;
    let (shop, other) = (app.create_app("shop").await, app.create_app("other").await);
    let limits = json!({ "limits": { "timeout_ms": 60_000, "fuel": 50_000_000_000_u64 } });
    let long = shop.upload_with("long", "let n = 0; for i in 0..6000000 { n += i; }", limits).await;
    let trigger = shop.trigger("queue", &long, json!({ "queue": "q" })).await;
    other.trigger("queue", &other.upload("handler", KEEPS).await, json!({ "queue": "q" })).await;
    // The script is ready to run, so that its app is not needed to begin.
    shop.send("q", json!(1)).await;
    let (mut db, mut blocker) = (app.database.connect().await, app.database.connect().await);
    let claimed = "SELECT count(*) FROM deliveries WHERE state = 'claimed'";
    eventually("its handler has it", SOON, async || (count(&mut db, claimed).await == 1).then_some(())).await;
    lock(&mut blocker, &shop).await;
    // It ends meanwhile, and its settlement would wait for the lock.
    eventually("its handler has ended", SOON, async || {
        let status = app.get("/admin/node").await.expect(200).json();
        (status["events_running"] == 0).then_some(())
    })
    .await;
    other.send("q", json!(2)).await;
    other.seen(1).await;
    other.settled().await;
    assert_eq!(count(&mut db, claimed).await, 1, "the locked app's delivery is not settled");
    run(&mut blocker, "ROLLBACK").await;
    shop.settled().await;
    let counts = shop.trigger_now(&trigger).await["counts"].clone();
    assert_eq!((&counts["succeeded"], &counts["failed"]), (&json!(1), &json!(0)), "{counts}");
}
