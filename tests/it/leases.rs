//! Claims: renewed while a handler runs, another's once they are lost, and settled only by who holds them. And deliveries of which
//! nothing can come any more.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use picloud::clock::Clock;
use picloud::egress::{Network, Table};
use picloud::limits::{DELIVERY_LEASE_MS, DELIVERY_LOST_MAX};
use picloud::model::delivery::{Attempt, Claim, DeadReason, End, Settlement};
use picloud::model::event::SendOptions;
use picloud::model::execution::{Failure, FailureCode, Outcome};
use picloud::service::{deliveries, queues};
use picloud::store;
use picloud::store::deliveries::{Claims, Room};
use serde_json::{Value, json};
use sqlx::PgConnection;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::nodes::idle;
use crate::support::events::{KEEPS, origin};
use crate::support::{Options, Tenant, TestApp, eventually};

const SOON: Duration = Duration::from_secs(20);

/// Counts its runs; each waits until the gate is open for its number. The message "last" goes straight through.
const WAITS: &str = r#"
    if ctx.event.queue.message != "last" {
        let run = kv::collection("runs").increment("n");
        http::get(`http://gate.example.com/${run}`, #{ timeout_ms: 30000 });
    }
"#;

/// A server on the other side of scripts' requests: it answers `/n` once it is open for n.
struct Gate {
    open: watch::Sender<u32>,
    network: Network,
}

impl Gate {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address: SocketAddr = "93.184.216.34:80".parse().expect("a socket");
        let mut table = Table::default();
        table.names.insert("gate.example.com".to_owned(), vec![vec![address.ip()]]);
        table.servers.insert(address, listener.local_addr().expect("an address"));
        let (open, opened) = watch::channel(0);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(let_through(stream, opened.clone()));
            }
        });
        Self { open, network: Network::Table(Arc::new(table)) }
    }

    fn open(&self, n: u32) {
        self.open.send_replace(n);
    }

    /// An app whose handler waits at the gate, and its trigger.
    async fn app(&self) -> (TestApp, Tenant, Value) {
        let app = TestApp::start_with(Options { network: self.network.clone(), ..Options::default() }).await;
        let shop = app.create_app("shop").await;
        shop.grant(json!({ "http": ["*"] })).await;
        let handler = shop.upload_with("handler", WAITS, json!({ "limits": { "timeout_ms": 60_000 } })).await;
        let trigger = shop.trigger("queue", &handler, json!({ "queue": "q" })).await;
        (app, shop, trigger)
    }
}

async fn let_through(mut stream: TcpStream, mut opened: watch::Receiver<u32>) {
    let mut bytes = Vec::new();
    while !bytes.windows(4).any(|window| window == b"\r\n\r\n") {
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let head = String::from_utf8_lossy(&bytes).into_owned();
    let number = head.split(' ').nth(1).and_then(|target| target.trim_start_matches('/').parse().ok());
    let number: u32 = number.expect("a number");
    let is_open = opened.wait_for(|open| *open >= number).await.is_ok();
    if is_open {
        let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await;
    }
}

async fn count(db: &mut PgConnection, statement: &'static str) -> i64 {
    sqlx::query_scalar(statement).fetch_one(db).await.expect("a count")
}

/// How often the handler that waits was run.
async fn runs(db: &mut PgConnection) -> i64 {
    let value: Option<Vec<u8>> = sqlx::query_scalar("SELECT value FROM kv_entries WHERE collection = 'runs' AND key = 'n'")
        .fetch_optional(db)
        .await
        .expect("an entry");
    value.map_or(0, |value| serde_json::from_slice(&value).expect("a number"))
}

/// State, claims, failed and lost of the only delivery, while it is there.
async fn only(db: &mut PgConnection) -> Option<(String, i32, i32, i32)> {
    let rows: Vec<(String, i32, i32, i32)> =
        sqlx::query_as("SELECT state, claims, failed, lost FROM deliveries").fetch_all(db).await.expect("rows");
    assert!(rows.len() <= 1, "{rows:?}");
    rows.into_iter().next()
}

fn row(state: &str, claims: i32, failed: i32, lost: i32) -> Option<(String, i32, i32, i32)> {
    Some((state.to_owned(), claims, failed, lost))
}

/// An app with messages that are due, the trigger that they are for, and no workers.
async fn due(messages: usize) -> (TestApp, Tenant, Value) {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let trigger = shop.trigger("queue", &shop.upload("handler", "1").await, json!({ "queue": "q" })).await;
    let id = shop.id.parse().unwrap();
    // Far off, so that the workers relay them and no more.
    let options = || SendOptions { delay_s: Some(3_600), dedup_key: None };
    for n in 0..messages {
        queues::send(&app.services, None, id, origin(), "q", n.to_string().into_bytes(), options()).await.unwrap();
    }
    let mut db = app.database.connect().await;
    eventually("they are relayed", SOON, async || {
        (count(&mut db, "SELECT count(*) FROM deliveries WHERE state = 'due'").await == messages as i64).then_some(())
    })
    .await;
    // What the dispatcher is about to look at it would claim.
    idle(&mut db).await;
    app.drain();
    expire(&mut db).await;
    (app, shop, trigger)
}

/// Ends every wait and every lease.
async fn expire(db: &mut PgConnection) {
    sqlx::query("UPDATE deliveries SET due_at = now() - interval '1 second'").execute(db).await.unwrap();
}

async fn claim_one(app: &TestApp) -> Claim {
    let mut claims = deliveries::claim(&app.services, &Room { total: 16, ..Room::default() }).await.unwrap();
    assert_eq!(claims.len(), 1, "{claims:?}");
    claims.remove(0)
}

async fn settle(app: &TestApp, claim: &Claim, end: End) {
    deliveries::settle(&app.services, &[Settlement { claim: claim.clone(), end }]).await.unwrap();
}

fn failed() -> Attempt {
    Attempt {
        number: 1,
        execution_id: None,
        version: None,
        outcome: Outcome::HostFault,
        error: Failure::new(FailureCode::Internal, "no"),
        logs: Vec::new(),
        started_at: DateTime::UNIX_EPOCH,
        wall_us: 0,
    }
}

#[tokio::test]
async fn a_handler_that_runs_longer_than_a_lease_runs_once() {
    let gate = Gate::new().await;
    let (app, shop, trigger) = gate.app().await;
    let mut db = app.database.connect().await;
    shop.send("q", json!(1)).await;
    eventually("it runs", SOON, async || (runs(&mut db).await == 1).then_some(())).await;
    // No condition is waited for: the time itself is the test.
    tokio::time::sleep(Duration::from_millis(DELIVERY_LEASE_MS + 3_000)).await;
    assert_eq!(only(&mut db).await, row("claimed", 1, 0, 0), "its lease was renewed");
    assert_eq!(runs(&mut db).await, 1);
    gate.open(1);
    shop.settled().await;
    assert_eq!(runs(&mut db).await, 1);
    let counts = shop.trigger_now(&trigger).await["counts"].clone();
    assert_eq!((&counts["succeeded"], &counts["failed"], &counts["dead"]), (&json!(1), &json!(0), &json!(0)), "{counts}");
    eventually("it is recorded", SOON, async || {
        (count(&mut db, "SELECT count(*) FROM executions WHERE outcome = 'completed' AND attempt = 1").await == 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_run_whose_claim_was_lost_meanwhile_settles_nothing() {
    let gate = Gate::new().await;
    let (app, shop, trigger) = gate.app().await;
    let mut db = app.database.connect().await;
    shop.send("q", json!("first")).await;
    eventually("it runs", SOON, async || (runs(&mut db).await == 1).then_some(())).await;
    eventually("it is claimed again, and runs a second time", SOON, async || {
        // Again and again: the node renews what it holds.
        sqlx::query("UPDATE deliveries SET due_at = now() - interval '1 minute' WHERE claims = 1")
            .execute(&mut db)
            .await
            .unwrap();
        app.services.events.wake();
        (runs(&mut db).await == 2).then_some(())
    })
    .await;
    assert_eq!(only(&mut db).await, row("claimed", 2, 0, 1));
    gate.open(1);
    eventually("the first run has ended", SOON, async || {
        (count(&mut db, "SELECT count(*) FROM executions WHERE outcome = 'completed'").await == 1).then_some(())
    })
    .await;
    // Settled after it: what came of the first run is written by then, if anything is.
    shop.send("q", json!("last")).await;
    let succeeded = async || shop.trigger_now(&trigger).await["counts"]["succeeded"].as_i64().expect("a number");
    eventually("a later message is settled", SOON, async || (succeeded().await >= 1).then_some(())).await;
    assert_eq!(only(&mut db).await, row("claimed", 2, 0, 1), "the second run has it");
    assert_eq!(succeeded().await, 1, "the later message alone");
    gate.open(2);
    shop.settled().await;
    assert_eq!((succeeded().await, runs(&mut db).await), (2, 2));
    let counts = shop.trigger_now(&trigger).await["counts"].clone();
    assert_eq!((&counts["failed"], &counts["dead"]), (&json!(0), &json!(0)), "{counts}");
    // The first run was cut off as far as the policy knows: both were the first attempt.
    eventually("all runs are recorded", SOON, async || {
        (count(&mut db, "SELECT count(*) FROM executions WHERE outcome = 'completed' AND attempt = 1").await == 3).then_some(())
    })
    .await;
}

#[tokio::test]
async fn who_lost_a_claim_can_do_nothing_with_it() {
    let (app, shop, trigger) = due(1).await;
    let mut db = app.database.connect().await;
    let first = claim_one(&app).await;
    assert_eq!((first.number, first.lost, first.event.attempt), (1, 0, 1));
    expire(&mut db).await;
    let second = claim_one(&app).await;
    assert_eq!((second.id, second.number, second.lost, second.event.attempt), (first.id, 2, 1, 1));
    for end in [
        End::Succeeded,
        End::Again { at: app.clock.now(), attempt: failed() },
        End::Dead { reason: DeadReason::AttemptsExhausted, attempt: failed() },
        End::Held,
        End::Dropped,
    ] {
        let what = format!("{end:?}");
        settle(&app, &first, end).await;
        assert_eq!(only(&mut db).await, row("claimed", 2, 0, 1), "{what}");
    }
    deliveries::give_back(&app.services, &Claims::of([&first])).await.unwrap();
    assert_eq!(only(&mut db).await, row("claimed", 2, 0, 1), "given back");
    assert_eq!(deliveries::renew(&app.services, &Claims::of([&first])).await.unwrap(), 0);
    assert_eq!(count(&mut db, "SELECT count(*) FROM attempts").await, 0);
    assert_eq!(deliveries::renew(&app.services, &Claims::of([&second])).await.unwrap(), 1);

    // Who holds it fails once; the next claim is the second attempt, under a number of its own.
    settle(&app, &second, End::Again { at: app.clock.now() - TimeDelta::seconds(1), attempt: failed() }).await;
    assert_eq!(only(&mut db).await, row("due", 2, 1, 1));
    let third = claim_one(&app).await;
    assert_eq!((third.number, third.lost, third.event.attempt), (3, 1, 2));
    for claim in [&first, &second, &third, &third] {
        settle(&app, claim, End::Succeeded).await;
    }
    assert_eq!(only(&mut db).await, None);
    let counts = shop.trigger_now(&trigger).await["counts"].clone();
    assert_eq!((&counts["succeeded"], &counts["failed"], &counts["dead"]), (&json!(1), &json!(1), &json!(0)), "{counts}");
}

#[tokio::test]
async fn what_is_given_back_was_neither_lost_nor_attempted() {
    let (app, ..) = due(1).await;
    let mut db = app.database.connect().await;
    let first = claim_one(&app).await;
    deliveries::give_back(&app.services, &Claims::of([&first])).await.unwrap();
    assert_eq!(only(&mut db).await, row("due", 1, 0, 0));
    let second = claim_one(&app).await;
    assert_eq!((second.number, second.lost, second.event.attempt), (2, 0, 1));
    // A number does not come back: who gave it back cannot settle what is another's now.
    settle(&app, &first, End::Succeeded).await;
    assert_eq!(only(&mut db).await, row("claimed", 2, 0, 0));
}

#[tokio::test]
async fn a_delivery_that_was_lost_too_often_is_buried_and_not_run() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.trigger("queue", &shop.upload("handler", KEEPS).await, json!({ "queue": "q" })).await;
    let mut db = app.database.connect().await;
    let most = i32::try_from(DELIVERY_LOST_MAX).unwrap();
    // Claimed by a node that is gone, whose lease has ended: the next claim makes it one more.
    for (message, lost) in [("often", most - 1), ("too often", most)] {
        shop.send_with("q", json!({ "message": message, "delay_s": 3_600 })).await;
        eventually("it is relayed", SOON, async || {
            let done = sqlx::query(
                "UPDATE deliveries SET state = 'claimed', claims = $1::integer + 1, lost = $1::integer,
                        due_at = now() - interval '1 second'
                 WHERE state = 'due'",
            )
            .bind(lost)
            .execute(&mut db)
            .await
            .unwrap();
            (done.rows_affected() == 1).then_some(())
        })
        .await;
    }
    app.services.events.wake();
    let letter = shop.letter(&shop.letters(1).await[0]).await;
    let seen = shop.seen(1).await;
    shop.settled().await;
    assert_eq!((&seen[0]["event"]["queue"]["message"], &seen[0]["event"]["attempt"]), (&json!("often"), &json!(1)));
    assert_eq!((&letter["event"]["queue"]["message"], &letter["reason"]), (&json!("too often"), &json!("abandoned")), "{letter}");
    assert_eq!(letter["attempts"], 0, "{letter}");
    let tried = letter["attempt_log"].as_array().unwrap();
    assert!(tried.iter().all(|attempt| attempt["execution_id"].is_null()), "{letter}");
    app.execution(seen[0]["execution"].as_str().unwrap()).await;
    assert_eq!(count(&mut db, "SELECT count(*) FROM executions WHERE event_id IS NOT NULL").await, 1);
    assert_eq!((shop.seen(1).await.len(), shop.letters(1).await.len()), (1, 1));
}

#[tokio::test]
async fn a_call_whose_script_was_deleted_while_it_waited_is_a_dead_letter() {
    let start: DateTime<Utc> = "2026-06-01T12:00:00Z".parse().unwrap();
    let app = TestApp::start_with(Options { clock: Clock::manual(start), ..Options::default() }).await;
    let shop = app.create_app("shop").await;
    let work = shop.upload("work", r#"throw "no""#).await;
    shop.route(&work, json!({ "path": "/work", "dispatch_mode": "async" })).await;
    shop.get("/work").await.expect(202);
    let mut db = app.database.connect().await;
    eventually("its first attempt has failed", SOON, async || (only(&mut db).await == row("due", 1, 1, 0)).then_some(())).await;
    app.delete(&format!("/admin/scripts/{}", work.id)).await.expect(204);
    app.advance(TimeDelta::seconds(60));
    let letter = shop.letter(&shop.letters(1).await[0]).await;
    assert_eq!((&letter["event"]["source"], &letter["reason"]), (&json!("http"), &json!("script_gone")), "{letter}");
    assert_eq!((&letter["script_id"], &letter["attempts"]), (&json!(work.id), &json!(1)), "{letter}");
    let last = letter["attempt_log"].as_array().unwrap().last().unwrap();
    assert!(last["execution_id"].is_null(), "nothing was run: {letter}");
    shop.settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claimers_at_once_never_get_the_same_delivery() {
    const MESSAGES: usize = 200;
    let (app, ..) = due(MESSAGES).await;
    let room = || Room { total: 16, ..Room::default() };
    // The second one asks while the first one's transaction is open.
    let mut one = store::begin_relaxed(&app.services.db).await.unwrap();
    let mut two = store::begin_relaxed(&app.services.db).await.unwrap();
    let now = app.clock.now();
    let first = store::deliveries::claim(&mut one, now, &room()).await.unwrap();
    let second = tokio::time::timeout(SOON, store::deliveries::claim(&mut two, now, &room())).await.expect("it waits for nobody");
    let second = second.unwrap();
    one.commit().await.unwrap();
    two.commit().await.unwrap();
    assert!(!first.is_empty() && !second.is_empty(), "{} and {}", first.len(), second.len());
    let mut ids: Vec<_> = first.iter().chain(&second).map(|claim| claim.id).collect();

    let claimers: Vec<_> = (0..4)
        .map(|_| {
            let (services, room) = (app.services.clone(), room());
            tokio::spawn(async move {
                let (mut own, mut left) = (Vec::new(), 1_i64);
                while left > 0 {
                    own.extend(deliveries::claim(&services, &room).await.unwrap().iter().map(|claim| claim.id));
                    left = sqlx::query_scalar("SELECT count(*) FROM deliveries WHERE state = 'due'")
                        .fetch_one(&services.db)
                        .await
                        .unwrap();
                }
                own
            })
        })
        .collect();
    for claimer in claimers {
        ids.extend(claimer.await.unwrap());
    }
    assert_eq!(ids.len(), MESSAGES);
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), MESSAGES);
    let once = "SELECT count(*) FROM deliveries WHERE state = 'claimed' AND claims = 1 AND lost = 0";
    assert_eq!(count(&mut app.database.connect().await, once).await, MESSAGES as i64);
}
