//! The chain that the log is: the database refuses to rewrite it, and whoever makes it do so is found out.

use std::collections::BTreeSet;

use picloud::model::audit::{Hash, NONE, Row};
use picloud::store::audit::{self, Stored};
use picloud::{limits, service};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::{rows, seq};
use crate::rights::people::text;
use crate::support::TestApp;
use crate::support::client::send;
use crate::support::cluster::run;
use crate::support::process::{Ended, Scratch, finish, picloud};

/// A log of six rows and more.
async fn logged() -> TestApp {
    let app = TestApp::start().await;
    app.create_app("shop").await;
    for n in 0..5 {
        app.put(&format!("/admin/apps/shop/secrets/s{n}"), json!({ "value": "x" })).await.expect(201);
    }
    app
}

#[tokio::test]
async fn the_database_refuses_to_rewrite_the_log() {
    let app = logged().await;
    let before = rows(&app, 0).await;
    let mut db = app.database.connect().await;
    for statement in [
        "UPDATE audit_log SET username = 'somebody'",
        "UPDATE audit_log SET username = 'somebody' WHERE false",
        "DELETE FROM audit_log WHERE seq = 3",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log",
        "TRUNCATE audit_log CASCADE",
    ] {
        let refused = sqlx::query(statement).execute(&mut db).await.expect_err(statement);
        assert!(refused.to_string().contains("append-only"), "{statement}: {refused}");
    }
    assert_eq!(rows(&app, 0).await, before);
}

/// The command, on the database and in the data directory of a node of the test's.
fn verify(scratch: &Scratch, app: &TestApp, args: &[&str]) -> Ended {
    let mut command = picloud(scratch, &["audit", "verify", "--json"]);
    command.args(args).env("DATABASE_URL", app.database.url()).env("PICLOUD_DATA_DIR", app.data_dir());
    finish(command)
}

fn told(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"))
}

#[track_caller]
fn holds(ended: &Ended) -> Value {
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    let told = told(ended);
    assert_eq!(told["fault"], Value::Null, "{told}");
    told
}

/// What is wrong is said for people and for programs, and the exit code says that something is.
#[track_caller]
fn breaks(ended: &Ended, words: &str) {
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert!(ended.stderr.contains(words), "`{words}` in {ended:?}");
    assert!(text(&told(ended)["fault"]).contains(words), "{ended:?}");
}

/// Does what the owner of the database can, and notes the log as it is.
async fn open(db: &mut PgConnection) {
    let statements = "ALTER TABLE audit_log DISABLE TRIGGER audit_log_is_append_only;
                      CREATE TABLE kept AS TABLE audit_log; CREATE TABLE kept_head AS TABLE audit_head";
    run(db, statements).await;
}

/// Puts the log back as it was noted.
async fn restore(db: &mut PgConnection) {
    let statements = "DELETE FROM audit_log; INSERT INTO audit_log SELECT * FROM kept;
                      UPDATE audit_head SET seq = k.seq, hash = k.hash FROM kept_head k";
    run(db, statements).await;
}

async fn stored(db: &mut PgConnection, seq: i64) -> Stored {
    audit::chain(db, seq - 1, 1).await.expect("the log").remove(0)
}

async fn set_hashes(db: &mut PgConnection, row: &Row, previous: &Hash, hash: &Hash) {
    let done = sqlx::query("UPDATE audit_log SET target = $2, previous_hash = $3, hash = $4 WHERE seq = $1")
        .bind(row.seq)
        .bind(row.target.as_str())
        .bind(previous.as_slice())
        .bind(hash.as_slice());
    done.execute(db).await.expect("a row is rewritten");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_done_to_the_log_is_found_and_named() {
    let (app, scratch) = (logged().await, Scratch::new());
    let log = rows(&app, 0).await;
    let last = log.last().map(seq).expect("rows");
    let whole = holds(&verify(&scratch, &app, &[]));
    assert_eq!((&whole["rows"], &whole["head"]), (&json!(last), &log.last().expect("a row")["hash"]));
    assert!(whole["took_ms"].is_u64());
    // A hash that somebody noted is looked for, whichever row had it.
    for row in [&log[0], &log[3], log.last().expect("a row")] {
        holds(&verify(&scratch, &app, &["--expect", text(&row["hash"])]));
    }
    breaks(&verify(&scratch, &app, &["--expect", &"0".repeat(64)]), "no row has the expected hash");

    let mut db = app.database.connect().await;
    open(&mut db).await;
    let cut = format!("the log ends with row {}, and its head says row {last}", last - 1);
    for (statement, words) in [
        ("UPDATE audit_log SET target = 'other' WHERE seq = 3", "row 3 was altered"),
        ("UPDATE audit_log SET at = at + interval '1 microsecond' WHERE seq = 3", "row 3 was altered"),
        ("UPDATE audit_log SET username = 'somebody' WHERE seq = 3", "row 3 was altered"),
        ("UPDATE audit_log SET after = after || ' ' WHERE seq = 2", "row 2 was altered"),
        ("UPDATE audit_log SET before = '{}' WHERE seq = 4", "row 4 was altered"),
        ("UPDATE audit_log SET hash = decode(repeat('ab', 32), 'hex') WHERE seq = 3", "row 3 was altered"),
        ("UPDATE audit_log SET previous_hash = decode(repeat('ab', 32), 'hex') WHERE seq = 3", "row 3 does not follow"),
        ("DELETE FROM audit_log WHERE seq = 1", "row 1 is missing"),
        ("DELETE FROM audit_log WHERE seq = 3", "row 3 is missing: after it comes row 4"),
        ("DELETE FROM audit_log WHERE seq = (SELECT max(seq) FROM audit_log)", cut.as_str()),
        ("DELETE FROM audit_log", "the log ends with row 0"),
        ("UPDATE audit_head SET seq = seq - 1", "the log ends with row"),
        ("UPDATE audit_head SET hash = decode(repeat('ab', 32), 'hex')", "the log ends with row"),
        ("UPDATE audit_log SET seq = seq + 1 WHERE seq = (SELECT max(seq) FROM audit_log)", "is missing"),
    ] {
        run(&mut db, statement).await;
        breaks(&verify(&scratch, &app, &[]), words);
        restore(&mut db).await;
    }
    holds(&verify(&scratch, &app, &[]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_was_hashed_anew_is_found_and_a_whole_log_by_who_noted_a_hash() {
    let (app, scratch) = (logged().await, Scratch::new());
    let noted = holds(&verify(&scratch, &app, &[]))["head"].as_str().expect("a hash").to_owned();
    let mut db = app.database.connect().await;
    open(&mut db).await;

    // One row, with the right hash for what it says now.
    let Stored { mut row, previous_hash, .. } = stored(&mut db, 3).await;
    let previous: Hash = previous_hash.try_into().expect("32 bytes");
    row.target = "other".to_owned();
    set_hashes(&mut db, &row, &previous, &row.hash(&previous)).await;
    breaks(&verify(&scratch, &app, &[]), "row 4 does not follow the row before it");
    restore(&mut db).await;

    // One more at the end, that no head knows.
    run(
        &mut db,
        "INSERT INTO audit_log SELECT (jsonb_populate_record(a, jsonb_build_object('seq', a.seq + 1))).* FROM audit_log a
         WHERE seq = (SELECT max(seq) FROM audit_log)",
    )
    .await;
    let head: i64 = sqlx::query_scalar("SELECT seq FROM audit_head").fetch_one(&mut db).await.expect("a head");
    let Stored { row: last, .. } = stored(&mut db, head).await;
    let Stored { row: more, .. } = stored(&mut db, head + 1).await;
    let before: Hash = stored(&mut db, head).await.previous_hash.try_into().expect("32 bytes");
    let previous = last.hash(&before);
    set_hashes(&mut db, &more, &previous, &more.hash(&previous)).await;
    breaks(&verify(&scratch, &app, &[]), &format!("the log ends with row {}, and its head says row {head}", head + 1));
    restore(&mut db).await;

    // All of it, as the owner of the database can.
    let mut previous = NONE;
    for seq in 1..=head {
        let Stored { mut row, .. } = stored(&mut db, seq).await;
        if seq == 3 {
            row.target = "other".to_owned();
        }
        let hash = row.hash(&previous);
        set_hashes(&mut db, &row, &previous, &hash).await;
        previous = hash;
    }
    sqlx::query("UPDATE audit_head SET hash = $1").bind(previous.as_slice()).execute(&mut db).await.expect("a head");
    holds(&verify(&scratch, &app, &[]));
    breaks(&verify(&scratch, &app, &["--expect", &noted]), "no row has the expected hash");
}

#[tokio::test]
async fn fifty_changes_at_once_keep_the_chain_whole() {
    let app = TestApp::start().await;
    app.create_app("shop").await;
    let before = rows(&app, 0).await.len();
    let changes = (0..50).map(|n| {
        let (method, path, body) = match n % 3 {
            0 => (Method::PUT, format!("/admin/apps/shop/secrets/s{n}"), json!({ "value": "x" })),
            1 => (Method::POST, "/admin/apps".to_owned(), json!({ "slug": format!("app-{n}"), "name": "x" })),
            _ => (Method::POST, "/admin/apps/shop/queues/q/messages".to_owned(), json!({ "message": n })),
        };
        send(app.request(method, &path).bearer_auth(&app.token).json(&body))
    });
    let replies = futures_util::future::join_all(changes).await;
    assert!(replies.iter().all(|reply| reply.status == 201), "{replies:?}");
    let asked: BTreeSet<_> = replies.iter().map(|reply| reply.header("x-request-id").expect("an id").to_owned()).collect();
    let all = rows(&app, 0).await;
    let noted: BTreeSet<_> = all[before..].iter().map(|row| text(&row["request_id"]).to_owned()).collect();
    assert_eq!((noted, all.len()), (asked, before + 50));
    let verified = service::audit::verify(&app.services, None, |_, _| {}).await.expect("the log");
    assert_eq!((verified.fault, verified.rows), (None, i64::try_from(all.len()).expect("a number")));
    assert_eq!(json!(verified.head), all.last().expect("a row")["hash"]);
}

#[tokio::test]
async fn a_log_of_more_rows_than_one_look_takes_is_checked_to_its_end() {
    let app = logged().await;
    let mut db = app.database.connect().await;
    let (batch, first) = (limits::AUDIT_VERIFY_BATCH, rows(&app, 0).await.len());
    let mut row = stored(&mut db, i64::try_from(first).expect("a number")).await.row;
    let hash: Vec<u8> = sqlx::query_scalar("SELECT hash FROM audit_head").fetch_one(&mut db).await.expect("a head");
    let mut previous: Hash = hash.try_into().expect("32 bytes");
    // Just as many as two looks take, as the platform would have written them.
    while row.seq < 2 * batch {
        row.seq += 1;
        let hash = row.hash(&previous);
        audit::append(&mut db, &row, &previous, &hash).await.expect("a row");
        previous = hash;
    }
    let mut looks = Vec::new();
    let verified = service::audit::verify(&app.services, None, |done, all| looks.push((done, all))).await.expect("the log");
    assert_eq!((verified.fault, verified.rows), (None, 2 * batch));
    assert_eq!(looks.len(), 2, "{looks:?}");
    let rotten = format!(
        "ALTER TABLE audit_log DISABLE TRIGGER audit_log_is_append_only; UPDATE audit_log SET target = '' WHERE seq = {}",
        2 * batch
    );
    run(&mut db, &rotten).await;
    let verified = service::audit::verify(&app.services, None, |_, _| {}).await.expect("the log");
    let fault = verified.fault.expect("a fault").to_string();
    assert!(fault.contains(&format!("row {} was altered", 2 * batch)), "{fault}");
}
