//! The database: an app has its statements, and others have theirs.

use std::time::Duration;

use picloud::limits;
use serde_json::json;
use sqlx::PgConnection;

use super::{Neighbour, SOON, running, set_quota};
use crate::support::cluster::run;
use crate::support::{TestApp, eventually};

/// Statements of scripts that wait for a lock in the database.
async fn waiting(db: &mut PgConnection) -> i64 {
    sqlx::query_scalar(
        "SELECT count(*) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'picloud scripts' AND wait_event_type = 'Lock'",
    )
    .fetch_one(db)
    .await
    .expect("a count")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_has_as_many_statements_at_once_as_its_quota_says_and_not_one_more() {
    let app = TestApp::start().await;
    let (neighbour, hog) = (Neighbour::of(&app).await, app.create_app("hog").await);
    hog.deploy("/count", r#"docs::collection("c").count(#{ n: #{ "$gt": 0 } })"#).await;
    hog.get("/count").await.expect(200);
    let (mut holder, mut watcher) = (app.database.connect().await, app.database.connect().await);
    for statements in [3, 4] {
        set_quota(&hog, json!({ "statements": statements })).await;
        // Whatever reads documents takes as long as this is held.
        run(&mut holder, "BEGIN; LOCK TABLE documents IN ACCESS EXCLUSIVE MODE").await;
        let calls: Vec<_> = (0..8)
            .map(|_| {
                let hog = hog.clone();
                tokio::spawn(async move { hog.get("/count").await })
            })
            .collect();
        running(&hog, 8).await;
        let all_wait = async || (waiting(&mut watcher).await == statements).then_some(());
        eventually(&format!("{statements} statements wait"), SOON, all_wait).await;
        for _ in 0..4 {
            neighbour.is_served(1).await;
            assert_eq!(waiting(&mut watcher).await, statements, "the others wait for these, in the node");
        }
        run(&mut holder, "ROLLBACK").await;
        for call in calls {
            call.await.expect("a call").expect(200);
        }
    }
    neighbour.is_handled(2).await;
    super::at_rest(&app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_stored_waits_for_a_slow_database_as_others_do() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let later = shop.upload("later", "1").await;
    shop.route(&later, json!({ "path": "/later", "dispatch_mode": "async" })).await;
    set_quota(&shop, json!({ "statements": 1 })).await;
    let mut holder = app.database.connect().await;
    run(&mut holder, "BEGIN; LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE").await;
    let calls = [0; 4].map(|_| {
        let shop = shop.clone();
        tokio::spawn(async move { shop.get("/later").await })
    });
    tokio::time::sleep(Duration::from_millis(limits::ADMISSION_WAIT_MS * 3 / 2)).await;
    run(&mut holder, "ROLLBACK").await;
    for call in calls {
        call.await.expect("a call").expect(202);
    }
}
