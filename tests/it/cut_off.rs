//! A node and its database: cut off for a while, and connections that ended while they rested.
//!
//! What only a network can do (packets that vanish, a node that hangs) is `tests/cluster`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use picloud::limits::{DATABASE_IDLE_IN_TRANSACTION_MS, DATABASE_UNREACHABLE_MS};
use picloud::store;
use serde_json::json;
use sqlx::postgres::PgConnectOptions;
use sqlx::{PgConnection, PgPool};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::Notify;

use crate::realtime::register;
use crate::realtime::stream::Stream;
use crate::support::app::compiled;
use crate::support::cluster::Database;
use crate::support::process::{Scratch, finish, picloud};
use crate::support::{Server, Tenant, TestApp, cache_dir, eventually};

const SOON: Duration = Duration::from_secs(20);

/// The way to the database, which can be cut: then connections end, and new ones end at once. Or nothing comes through any more, and
/// nobody says so.
#[derive(Clone)]
struct Cable {
    url: String,
    is_cut: Arc<AtomicBool>,
    cut: Arc<Notify>,
    stuck: Arc<Notify>,
}

impl Cable {
    async fn lay(database: &Database) -> Self {
        let to: PgConnectOptions = database.url().parse().expect("a URL");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let url = format!("postgres://{}@127.0.0.1:{port}/{}", to.get_username(), database.name);
        let cable = Self { url, is_cut: Arc::default(), cut: Arc::default(), stuck: Arc::default() };
        let laid = cable.clone();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                if !laid.is_cut.load(Ordering::SeqCst) {
                    tokio::spawn(laid.clone().carry(near, to.clone()));
                }
            }
        });
        cable
    }

    /// A node at its end.
    async fn node(&self, scratch: &Scratch) -> Server {
        let mut command = picloud(scratch, &["serve"]);
        compiled().await;
        command.env("DATABASE_URL", &self.url).env("PICLOUD_DATA_DIR", cache_dir());
        Server::launch(scratch, command).await
    }

    async fn carry(self, mut near: TcpStream, to: PgConnectOptions) {
        let dir = to
            .get_socket()
            .map(|dir| dir.display().to_string())
            .or_else(|| to.get_host().starts_with('/').then(|| to.get_host().to_owned()));
        let (cut, stuck) = (self.cut.notified(), self.stuck.notified());
        let carried = async {
            match dir {
                Some(dir) => {
                    let mut far = UnixStream::connect(format!("{dir}/.s.PGSQL.{}", to.get_port())).await?;
                    copy_bidirectional(&mut near, &mut far).await
                }
                None => {
                    let mut far = TcpStream::connect((to.get_host(), to.get_port())).await?;
                    copy_bidirectional(&mut near, &mut far).await
                }
            }
        };
        tokio::select! {
            () = cut => {}
            () = stuck => self.cut.notified().await,
            _ = carried => {}
        }
        drop(near);
    }

    fn cut(&self) {
        self.is_cut.store(true, Ordering::SeqCst);
        self.cut.notify_waiters();
    }

    fn stick(&self) {
        self.stuck.notify_waiters();
    }

    fn mend(&self) {
        self.is_cut.store(false, Ordering::SeqCst);
    }
}

/// What a balancer is told.
async fn health(node: &Server) -> u16 {
    let asked = node.client.http.get(format!("{}/healthz", node.client.data)).send().await;
    asked.expect("the node answers").status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_cut_off_says_so_after_a_while_and_is_back_with_what_it_missed() {
    let (scratches, database) = ([Scratch::new(), Scratch::new()], Database::create().await);
    let cable = Cable::lay(&database).await;
    let node = cable.node(&scratches[0]).await;
    let other = Server::serve(&scratches[1], &database, &[]).await;
    let shop = node.client.create_app("shop").await;
    shop.deploy("/hello", r#""hello""#).await;
    // Its program is held ready from now on.
    shop.get("/hello").await.expect(200);
    assert_eq!(health(&node).await, 200);

    cable.cut();
    let since = Instant::now();
    eventually("it says that it cannot work", SOON, async || (health(&node).await == 503).then_some(())).await;
    assert!(since.elapsed() >= Duration::from_millis(DATABASE_UNREACHABLE_MS), "a moment takes no node out");
    shop.get("/hello").await.expect(200);
    assert_eq!(health(&other).await, 200);
    let there = Tenant { client: other.client.clone(), ..shop.clone() };
    there.deploy("/late", r#""late""#).await;

    cable.mend();
    eventually("it works again", SOON, async || (health(&node).await == 200).then_some(())).await;
    shop.get("/late").await.expect(200);
    assert_eq!(shop.run(r#"kv::collection("a").set("b", 1); kv::collection("a").get("b")"#).await.expect(200).json(), json!(1));
    node.stop();
    other.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn subscribers_of_a_node_that_is_cut_off_go_on_at_another() {
    let (scratches, database) = ([Scratch::new(), Scratch::new()], Database::create().await);
    let cable = Cable::lay(&database).await;
    let node = cable.node(&scratches[0]).await;
    let other = Server::serve(&scratches[1], &database, &[]).await;
    let shop = node.client.create_app("shop").await;
    register(&shop, "news", "public").await;
    let mut stream = Stream::open(&shop, "news").await;
    shop.publish_to("news", json!(1)).await;
    assert_eq!(stream.numbers(1).await, [1]);

    cable.cut();
    eventually("it says that it cannot work", SOON, async || (health(&node).await == 503).then_some(())).await;
    assert!(stream.last_words().await.contains("cannot work just now"));
    let there = Tenant { client: other.client.clone(), ..shop.clone() };
    there.publish_to("news", json!(2)).await;
    let mut stream = Stream::after(&there, "news", 1).await;
    assert_eq!(stream.numbers(1).await, [2]);

    cable.mend();
    eventually("it works again", SOON, async || (health(&node).await == 200).then_some(())).await;
    let mut back = Stream::after(&shop, "news", 1).await;
    there.publish_to("news", json!(3)).await;
    assert_eq!((back.numbers(2).await, stream.numbers(1).await), (vec![2, 3], vec![3]));
    node.stop();
    other.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_back_within_the_bound_takes_no_node_out() {
    let (scratch, database) = (Scratch::new(), Database::create().await);
    let cable = Cable::lay(&database).await;
    let node = cable.node(&scratch).await;
    assert_eq!(health(&node).await, 200);
    cable.cut();
    let since = Instant::now();
    while since.elapsed() < Duration::from_millis(DATABASE_UNREACHABLE_MS / 3) {
        assert_eq!(health(&node).await, 200);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    cable.mend();
    while since.elapsed() < Duration::from_millis(DATABASE_UNREACHABLE_MS + 1_000) {
        assert_eq!(health(&node).await, 200);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    node.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_database_hangs_ends_all_the_same() {
    let (scratch, database) = (Scratch::new(), Database::create().await);
    let cable = Cable::lay(&database).await;
    let node = cable.node(&scratch).await;
    cable.stick();
    node.stop();
}

#[test]
fn a_database_that_takes_connections_and_says_nothing_ends_the_start() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("an address").port();
    let scratch = Scratch::new();
    let mut command = picloud(&scratch, &["serve"]);
    command.env("DATABASE_URL", format!("postgres://nobody@127.0.0.1:{port}/none")).env("PICLOUD_DATA_DIR", cache_dir());
    let ended = finish(command);
    assert_eq!(ended.status.code(), Some(4), "{}", ended.stderr);
    assert!(ended.stderr.contains("does not answer"), "{}", ended.stderr);
}

async fn backends(db: &mut PgConnection) -> Vec<i32> {
    let statement = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'picloud%'";
    sqlx::query_scalar(statement).fetch_all(db).await.expect("connections")
}

#[tokio::test]
async fn connections_that_ended_while_they_rested_fail_no_request() {
    const AT_ONCE: usize = 24;
    let (scratch, database) = (Scratch::new(), Database::create().await);
    let node = Server::serve(&scratch, &database, &[]).await;
    let shop = node.client.create_app("shop").await;
    // A transaction of several statements, and single ones: both ways to have a connection.
    shop.deploy("/count", r#"docs::collection("d").create(#{ a: 1 }); kv::collection("c").increment("n")"#).await;
    let many = || futures_util::future::join_all((0..AT_ONCE).map(|_| shop.get("/count")));
    for reply in many().await {
        reply.expect(200);
    }
    let mut db = database.connect().await;
    let before = backends(&mut db).await;
    assert!(before.len() >= 6, "the pools have filled: {before:?}");
    // As a restart of PostgreSQL does.
    let ended: Vec<bool> = sqlx::query_scalar("SELECT pg_terminate_backend(pid) FROM unnest($1::integer[]) AS pid")
        .bind(before.clone())
        .fetch_all(&mut db)
        .await
        .expect("they may be ended");
    assert!(ended.iter().all(|ended| *ended));
    eventually("the node listens anew", SOON, async || {
        let now = backends(&mut db).await;
        (now.len() >= 2 && now.iter().all(|pid| !before.contains(pid))).then_some(())
    })
    .await;
    for reply in many().await {
        reply.expect(200);
    }
    node.stop();
}

async fn setting(db: &mut PgConnection, name: &str) -> String {
    sqlx::query_scalar("SELECT current_setting($1)").bind(name).fetch_one(db).await.expect("a setting")
}

#[tokio::test]
async fn a_transaction_that_rests_is_ended_but_for_those_that_wait_for_somebody_outside() {
    const NAME: &str = "idle_in_transaction_session_timeout";
    let app = TestApp::start().await;
    let bound = format!("{}s", DATABASE_IDLE_IN_TRANSACTION_MS / 1000);
    let pools: [&PgPool; 2] = [&app.services.db, &app.services.script_db];
    for pool in pools {
        assert_eq!(setting(&mut store::begin(pool).await.expect("a transaction"), NAME).await, bound);
        assert_eq!(setting(&mut store::begin_relaxed(pool).await.expect("a transaction"), NAME).await, bound);
    }
    assert_eq!(setting(&mut store::begin_snapshot(pools[0]).await.expect("a transaction"), NAME).await, "0");
    let mut tx = store::begin(pools[0]).await.expect("a transaction");
    store::allow_rest(&mut tx).await.expect("a setting");
    assert_eq!(setting(&mut tx, NAME).await, "0");
    tx.rollback().await.expect("undone");
    let mut after = store::begin(pools[0]).await.expect("a transaction");
    assert_eq!(setting(&mut after, NAME).await, bound, "only that one waits");
}
