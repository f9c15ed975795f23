//! Nodes that share a database: what each does, who is there, how one leaves, and which versions may stand beside one another.

use std::time::{Duration, Instant};

use picloud::limits::{DRAIN_DELAY_MS_MAX, NODE_GONE_KEEP_S, NODE_NAME_BYTES_MAX};
use reqwest::Method;
use rustix::process::Signal;
use serde_json::{Value, json};
use sqlx::PgConnection;

use crate::nodes::idle;
use crate::support::client::send;
use crate::support::cluster::{Database, run};
use crate::support::events::KEEPS;
use crate::support::process::{Ended, Scratch, finish, on_database, picloud};
use crate::support::{Client, Server, Tenant, eventually};

const SOON: Duration = Duration::from_secs(30);

async fn node(scratch: &Scratch, database: &Database, name: &str, roles: &str) -> Server {
    let environment = [("PICLOUD_NODE_NAME", name), ("PICLOUD_ROLES", roles)];
    Server::ready(scratch, on_database(scratch, database, &environment).await).await
}

/// The same, with the owner logged in.
async fn administration(scratch: &Scratch, database: &Database, name: &str, roles: &str) -> Server {
    let mut server = node(scratch, database, name, roles).await;
    server.client.login(crate::support::client::USERNAME, crate::support::client::PASSWORD).await;
    server
}

async fn health(base: &str) -> u16 {
    let client = Client::new(base, base);
    send(client.http.get(format!("{base}/healthz"))).await.status
}

async fn listed(client: &Client) -> Vec<Value> {
    client.get("/admin/nodes").await.expect(200).json()["items"].as_array().expect("a list").clone()
}

/// Name and state of each.
async fn states(client: &Client) -> Vec<(String, String)> {
    let word = |node: &Value, name: &str| node[name].as_str().expect("a word").to_owned();
    listed(client).await.iter().map(|node| (word(node, "name"), word(node, "state"))).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(name, state)| ((*name).to_owned(), (*state).to_owned())).collect()
}

async fn number(db: &mut PgConnection, statement: &'static str) -> i64 {
    sqlx::query_scalar(statement).fetch_one(db).await.expect("a number")
}

fn refused(ended: &Ended, code: i32, words: &[&str]) {
    assert_eq!(ended.status.code(), Some(code), "{ended:?}");
    for word in words {
        assert!(ended.stderr.contains(word), "{word}: {ended:?}");
    }
}

#[tokio::test]
async fn a_node_does_what_its_roles_say_and_others_do_the_rest() {
    let (scratches, database) = ([Scratch::new(), Scratch::new(), Scratch::new()], Database::create().await);
    let mut admin = administration(&scratches[0], &database, "admin", "api").await;
    let entry = node(&scratches[1], &database, "entry", "ingress").await;
    assert_eq!(admin.client.data, "", "no data plane, and the ready file says so");
    assert_eq!((health(&admin.client.admin).await, health(&entry.client.admin).await), (200, 200));
    assert_eq!(health(&entry.client.data).await, 200);

    let version = send(entry.client.http.get(format!("{}/version", entry.client.admin))).await.expect(200).json();
    assert_eq!(version["product"], "PiCloud");
    for path in ["/admin/apps", "/limits", "/openapi.json"] {
        entry.client.anonymous(Method::GET, path, None).await.fails(404, "not_found");
    }
    send(entry.client.http.get(format!("{}/", entry.client.admin))).await.fails(404, "not_found");
    assert!(entry.output().contains("roles") && !entry.output().contains("administration "), "{}", entry.output());

    admin.client.data = entry.client.data.clone();
    let shop = admin.client.create_app("shop").await;
    let handler = shop.upload("handler", KEEPS).await;
    shop.trigger("queue", &handler, json!({ "queue": "q" })).await;
    let work = shop.upload("work", r#"queue::send("q", "from a script"); "sent""#).await;
    shop.route(&work, json!({ "path": "/work" })).await;
    eventually("the entry knows the route", SOON, async || (shop.get("/work").await.status == 200).then_some(())).await;
    shop.trigger("cron", &handler, json!({ "schedule": "* * * * * *" })).await;
    let mut db = database.connect().await;
    idle(&mut db).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let waiting = "SELECT (SELECT count(*) FROM outbox) + 1000 * (SELECT count(*) FROM deliveries)";
    assert_eq!(number(&mut db, waiting).await, 1, "nobody relays, and nobody fires a schedule");

    let workers = node(&scratches[2], &database, "workers", "workers").await;
    assert_eq!(workers.client.data, "");
    let seen = "SELECT count(*) FROM kv_entries WHERE collection = 'seen' AND key LIKE 'e%'";
    eventually("it is handled, and ticks are", SOON, async || (number(&mut db, seen).await >= 3).then_some(())).await;
    shop.get("/work").await.expect(200);
    let messages = "SELECT count(*) FROM executions e WHERE e.trigger_id IN (SELECT id FROM triggers WHERE kind = 'queue')";
    eventually("a script on another node is heard", SOON, async || (number(&mut db, messages).await == 2).then_some(())).await;

    let nodes = listed(&admin.client).await;
    let roles: Vec<_> = nodes.iter().map(|node| (node["name"].clone(), node["roles"].clone())).collect();
    let expected =
        [("admin", "api"), ("entry", "ingress"), ("workers", "workers")].map(|(name, role)| (json!(name), json!([role])));
    assert_eq!(roles, expected);
    assert_eq!((&nodes[0]["data"], &nodes[2]["data"]), (&Value::Null, &Value::Null));
    for server in [workers, entry, admin] {
        server.stop();
    }
}

#[tokio::test]
async fn what_waits_for_a_trigger_is_let_go_by_a_node_without_workers() {
    let (scratches, database) = ([Scratch::new(), Scratch::new()], Database::create().await);
    let front = administration(&scratches[0], &database, "front", "ingress,api").await;
    let workers = node(&scratches[1], &database, "workers", "workers").await;
    let shop = front.client.create_app("shop").await;
    let handler = shop.upload("handler", KEEPS).await;
    let trigger = shop.trigger("queue", &handler, json!({ "queue": "q" })).await;
    shop.change_trigger(&trigger, json!({ "enabled": false })).await;
    shop.send("q", json!("patience")).await;
    let mut db = database.connect().await;
    let held = "SELECT count(*) FROM deliveries WHERE state = 'held'";
    eventually("it is held", SOON, async || (number(&mut db, held).await == 1).then_some(())).await;
    shop.change_trigger(&trigger, json!({ "enabled": true })).await;
    let seen = "SELECT count(*) FROM kv_entries WHERE collection = 'seen' AND key LIKE 'e%'";
    eventually("it is handled", SOON, async || (number(&mut db, seen).await == 1).then_some(())).await;
    workers.stop();
    front.stop();
}

#[tokio::test]
async fn roles_are_for_nodes_that_have_others() {
    let scratch = Scratch::prepared().await;
    for arguments in [&["serve", "--embedded", "--roles", "ingress,api"][..], &["dev", "--roles", "ingress,api"]] {
        refused(&finish(picloud(&scratch, arguments)), 2, &["--roles leaves out workers"]);
    }
    refused(&finish(picloud(&scratch, &["serve", "--roles", "ingress,cooking"])), 2, &["ingress, api, workers"]);
}

#[tokio::test]
async fn names_and_delays_have_bounds() {
    let (scratch, database) = (Scratch::prepared().await, Database::create().await);
    let with = async |name: &str, value: &str| on_database(&scratch, &database, &[(name, value)]).await;
    let long = "a".repeat(NODE_NAME_BYTES_MAX + 1);
    for name in [long.as_str(), "my node"] {
        refused(&finish(with("PICLOUD_NODE_NAME", name).await), 2, &["PICLOUD_NODE_NAME"]);
    }
    let delay = (DRAIN_DELAY_MS_MAX + 1).to_string();
    refused(&finish(with("PICLOUD_DRAIN_DELAY_MS", &delay).await), 2, &["PICLOUD_DRAIN_DELAY_MS"]);
    let longest = "a".repeat(NODE_NAME_BYTES_MAX);
    let environment = [("PICLOUD_NODE_NAME", longest.as_str()), ("PICLOUD_DRAIN_DELAY_MS", &DRAIN_DELAY_MS_MAX.to_string())];
    let mut server = Server::serve(&scratch, &database, &environment).await;
    assert_eq!(states(&server.client).await, pairs(&[(&longest, "serving")]));
    // The longest delay is cut short by the second signal.
    server.signal(Signal::TERM);
    eventually("it is leaving", SOON, async || (health(&server.client.data).await == 503).then_some(())).await;
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0), "{}", server.last_words());
}

#[tokio::test]
async fn who_is_there_who_is_gone_and_who_left_is_known_at_once() {
    let (scratches, database) = ([Scratch::new(), Scratch::new(), Scratch::new()], Database::create().await);
    let one = administration(&scratches[0], &database, "one", "ingress,api,workers").await;
    let two = node(&scratches[1], &database, "two", "ingress,api,workers").await;
    let three = node(&scratches[2], &database, "three", "ingress,api,workers").await;
    let client = &one.client;
    let all = [("one", "serving"), ("two", "serving"), ("three", "serving")];
    eventually("all are listed", SOON, async || (states(client).await == pairs(&all)).then_some(())).await;

    let nodes = listed(client).await;
    let (started, seen) = (nodes[1]["started_at"].as_str().expect("a time"), nodes[1]["seen_at"].as_str().expect("a time"));
    assert!(seen > started, "{nodes:?}");
    assert_eq!(nodes.iter().map(|node| node["is_this"] == true).collect::<Vec<_>>(), [true, false, false]);
    assert_eq!(
        (&nodes[1]["version"], &nodes[1]["schema"]),
        (&json!(env!("CARGO_PKG_VERSION")), &json!(picloud::store::schema_version()))
    );
    assert_eq!(nodes[1]["data"], two.client.data.trim_start_matches("http://"));

    two.signal(Signal::STOP);
    assert_eq!(states(client).await[1], pairs(&[("two", "silent")])[0], "connected, and without an answer");
    two.signal(Signal::CONT);
    eventually("it answers again", SOON, async || (states(client).await == pairs(&all)).then_some(())).await;

    three.stop();
    assert_eq!(states(client).await, pairs(&all[..2]), "who leaves is struck out");
    two.crash();
    let gone = [("one", "serving"), ("two", "gone")];
    eventually("it is known to be gone", SOON, async || (states(client).await == pairs(&gone)).then_some(())).await;

    let mut db = database.connect().await;
    run(&mut db, &format!("UPDATE nodes SET gone_at = gone_at - interval '{} seconds'", NODE_GONE_KEEP_S - 60)).await;
    assert_eq!(states(client).await, pairs(&gone), "for an hour it is told of");
    run(&mut db, "UPDATE nodes SET gone_at = gone_at - interval '61 seconds'").await;
    assert_eq!(states(client).await, pairs(&gone[..1]));
    assert_eq!(number(&mut db, "SELECT count(*) FROM nodes").await, 1);
    one.stop();
    assert_eq!(number(&mut db, "SELECT count(*) FROM nodes").await, 0);
}

#[tokio::test]
async fn a_node_that_lost_its_connection_is_listed_again() {
    let (scratches, database) = ([Scratch::new(), Scratch::new()], Database::create().await);
    let one = administration(&scratches[0], &database, "one", "ingress,api,workers").await;
    let two = node(&scratches[1], &database, "two", "ingress").await;
    let all = pairs(&[("one", "serving"), ("two", "serving")]);
    eventually("both are listed", SOON, async || (states(&one.client).await == all).then_some(())).await;
    let mut db = database.connect().await;
    let ids = "SELECT id::text FROM nodes ORDER BY id";
    let before: Vec<String> = sqlx::query_scalar(ids).fetch_all(&mut db).await.expect("ids");
    run(
        &mut db,
        "SELECT pg_terminate_backend(pid) FROM pg_locks
         WHERE locktype = 'advisory' AND objsubid = 2 AND mode = 'ShareLock'
           AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
    )
    .await;
    eventually("both are listed again", SOON, async || (states(&one.client).await == all).then_some(())).await;
    let after: Vec<String> = sqlx::query_scalar(ids).fetch_all(&mut db).await.expect("ids");
    assert_eq!(before, after, "they are the same");
    two.stop();
    one.stop();
}

#[tokio::test]
async fn nodes_that_have_nothing_to_do_ask_nothing() {
    let (scratches, database) = ([Scratch::new(), Scratch::new()], Database::create().await);
    let one = administration(&scratches[0], &database, "one", "ingress,api").await;
    let two = node(&scratches[1], &database, "two", "workers").await;
    let mut db = database.connect().await;
    idle(&mut db).await;
    let last = "SELECT (extract(epoch FROM max(state_change)) * 1000000)::bigint FROM pg_stat_activity
                WHERE datname = current_database() AND application_name LIKE 'picloud%'";
    let before = number(&mut db, last).await;
    tokio::time::sleep(Duration::from_secs(12)).await;
    assert_eq!(number(&mut db, last).await, before, "nothing was asked");
    two.stop();
    one.stop();
}

#[tokio::test]
async fn a_private_node_lists_itself() {
    let scratch = Scratch::prepared().await;
    let server = Server::dev(&scratch).await;
    let nodes = listed(&server.client).await;
    assert_eq!(nodes.len(), 1);
    assert_eq!((&nodes[0]["is_this"], &nodes[0]["state"]), (&json!(true), &json!("serving")));
    server.stop();
}

#[tokio::test]
async fn a_node_that_is_told_to_end_says_so_and_serves_until_others_are_asked() {
    let (scratches, database) = ([Scratch::new(), Scratch::new()], Database::create().await);
    let delay = Duration::from_secs(4);
    let environment = [("PICLOUD_NODE_NAME", "old"), ("PICLOUD_DRAIN_DELAY_MS", "4000")];
    let mut old = Server::serve(&scratches[0], &database, &environment).await;
    let young = administration(&scratches[1], &database, "young", "ingress,api,workers").await;
    let shop = old.client.create_app("shop").await;
    shop.deploy("/", r#""served""#).await;
    assert_eq!((health(&old.client.data).await, health(&old.client.admin).await), (200, 200));

    let since = Instant::now();
    old.signal(Signal::TERM);
    eventually("both planes say so", SOON, async || {
        (health(&old.client.data).await == 503 && health(&old.client.admin).await == 503).then_some(())
    })
    .await;
    assert_eq!(shop.get("/").await.expect(200).json(), "served");
    old.client.get("/admin/apps").await.expect(200);
    let expected = pairs(&[("old", "draining"), ("young", "serving")]);
    eventually("others know", Duration::from_secs(3), async || (states(&young.client).await == expected).then_some(())).await;
    assert!(since.elapsed() < delay, "all that was within the delay");
    assert_eq!(old.wait().code(), Some(0), "{}", old.last_words());
    assert!(since.elapsed() >= delay, "{:?}", since.elapsed());
    assert_eq!(states(&young.client).await, pairs(&[("young", "serving")]));
    young.stop();
}

#[tokio::test]
async fn without_a_delay_the_first_signal_drains_at_once() {
    let (scratch, database) = (Scratch::new(), Database::create().await);
    let mut server = Server::serve(&scratch, &database, &[]).await;
    let since = Instant::now();
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0), "{}", server.last_words());
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
}

/// A database as a later version would leave it.
async fn brought_further(database: &Database, oldest: i64) {
    let mut db = database.connect().await;
    let later = picloud::store::schema_version() + 1;
    run(
        &mut db,
        &format!(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             VALUES ({later}, 'later', true, '\\x00', 0);
             UPDATE schema_compat SET schema = {later}, version = '99.1.0', oldest = {oldest}"
        ),
    )
    .await;
}

#[tokio::test]
async fn a_database_of_a_later_version_is_refused_by_both_names() {
    let (scratch, database) = (Scratch::prepared().await, Database::create().await);
    let own = picloud::store::schema_version();
    brought_further(&database, own + 1).await;
    let ended = finish(on_database(&scratch, &database, &[]).await);
    let (mine, theirs) = (format!("this is picloud {} (schema {own})", env!("CARGO_PKG_VERSION")), format!("schema {}", own + 1));
    refused(&ended, 4, &["picloud 99.1.0", &mine, &theirs, "start 99.1.0"]);
    let mut db = database.connect().await;
    assert_eq!(number(&mut db, "SELECT count(*) FROM nodes").await, 0);
}

#[tokio::test]
async fn a_database_that_was_brought_further_is_used_by_those_that_may_stay() {
    let (scratches, database) = ([Scratch::new(), Scratch::new()], Database::create().await);
    let one = Server::serve(&scratches[0], &database, &[]).await;
    brought_further(&database, picloud::store::schema_version()).await;
    let shop = one.client.create_app("shop").await;
    shop.deploy("/", r#""still here""#).await;
    assert_eq!(shop.get("/").await.expect(200).json(), "still here", "who runs goes on");
    let two = Server::serve(&scratches[1], &database, &[]).await;
    assert!(two.output().contains("brought further by picloud 99.1.0"), "{}", two.output());
    let there = Tenant { client: two.client.clone(), ..shop.clone() };
    assert_eq!(there.get("/").await.expect(200).json(), "still here");
    let mut db = database.connect().await;
    let noted: String = sqlx::query_scalar("SELECT version FROM schema_compat").fetch_one(&mut db).await.expect("a version");
    assert_eq!(noted, "99.1.0", "an older one does not say that it brought the schema");
    two.stop();
    one.stop();
}

#[tokio::test]
async fn the_schema_names_who_brought_it() {
    let database = Database::create().await;
    let mut db = database.connect().await;
    let (schema, version): (i64, String) =
        sqlx::query_as("SELECT schema, version FROM schema_compat").fetch_one(&mut db).await.expect("a row");
    assert_eq!((schema, version.as_str()), (picloud::store::schema_version(), env!("CARGO_PKG_VERSION")));
    let oldest = number(&mut db, "SELECT oldest FROM schema_compat").await;
    assert!((27..=schema).contains(&oldest), "{oldest}");
}
