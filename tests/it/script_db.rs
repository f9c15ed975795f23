//! The connections of scripts: what lies aside is used again, and nothing that was given up is.

use std::time::Duration;

use picloud::limits::{DATABASE_SCRIPT_CONNECTIONS_ASIDE_MAX, DATABASE_SCRIPT_CONNECTIONS_MAX};
use picloud::store::{self, ScriptDb};
use sqlx::PgConnection;

use crate::support::{TestApp, eventually};

const SOON: Duration = Duration::from_secs(30);

async fn backend(db: &mut PgConnection) -> i32 {
    sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(db).await.expect("a backend")
}

/// The backend that `use_it` is given.
async fn used_and_done(db: &ScriptDb) -> i32 {
    let mut lent = db.acquire().await.expect("a connection");
    let pid = backend(&mut lent).await;
    lent.done();
    pid
}

async fn scripts_of(app: &TestApp) -> ScriptDb {
    store::for_scripts(&sqlx::PgPool::connect(&app.database.url()).await.expect("the database answers"))
}

#[tokio::test]
async fn a_connection_that_is_done_with_is_the_next_ones() {
    let app = TestApp::start().await;
    let db = scripts_of(&app).await;
    let first = used_and_done(&db).await;
    for _ in 0..3 {
        assert_eq!(used_and_done(&db).await, first);
    }
    assert_eq!((db.size(), db.num_idle()), (1, 0), "it never went back to the pool");
}

#[tokio::test]
async fn a_statement_that_was_given_up_or_failed_leaves_nothing_aside() {
    let app = TestApp::start().await;
    let db = scripts_of(&app).await;
    let mut lent = db.acquire().await.expect("a connection");
    let slow = sqlx::query("SELECT pg_sleep(0.5)").execute(&mut *lent);
    tokio::time::timeout(Duration::from_millis(50), slow).await.expect_err("it sleeps");
    drop(lent);
    // The pool has it once the database has answered; whoever takes it then gets his own answer.
    eventually("the connection is whole again", SOON, async || (db.num_idle() == 1).then_some(())).await;
    let mut lent = db.acquire().await.expect("a connection");
    sqlx::query("SELECT 1 / 0").execute(&mut *lent).await.expect_err("a division by zero");
    drop(lent);
    eventually("the connection is back", SOON, async || (db.num_idle() == 1).then_some(())).await;
    assert!(used_and_done(&db).await > 0);
}

#[tokio::test]
async fn a_few_lie_aside_and_the_rest_goes_back_to_the_pool() {
    let app = TestApp::start().await;
    let db = scripts_of(&app).await;
    let more = DATABASE_SCRIPT_CONNECTIONS_ASIDE_MAX + 1;
    let mut lent = Vec::new();
    for _ in 0..more {
        lent.push(db.acquire().await.expect("a connection"));
    }
    lent.into_iter().for_each(store::Lent::done);
    eventually("one is back", SOON, async || (db.num_idle() == 1).then_some(())).await;
    assert_eq!(db.size() as usize, more);
    db.close().await;
    assert!(db.acquire().await.is_err(), "closed");
}

#[tokio::test]
async fn whoever_waits_at_the_pool_for_the_last_one_gets_it() {
    let app = TestApp::start().await;
    let db = scripts_of(&app).await;
    let mut lent = Vec::new();
    for _ in 0..DATABASE_SCRIPT_CONNECTIONS_MAX {
        lent.push(db.acquire().await.expect("a connection"));
    }
    let (begun, ()) = tokio::join!(store::begin(&db), async {
        tokio::task::yield_now().await;
        lent.pop().expect("one of all").done();
    });
    let mut tx = begun.expect("a transaction");
    assert!(backend(&mut tx).await > 0);
    drop(lent);
}
