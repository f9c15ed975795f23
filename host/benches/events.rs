//! The way of an event: deliveries settled in a second, each in a fresh instance, against a plain queue in the same database that
//! runs nothing; from a write to the start of its handler; what an idle node with triggers asks; what a million deliveries leave.
//!
//!     cargo bench --bench events              # about eight minutes
//!     cargo bench --bench events -- --quick   # one and a half; noisier
//!
//! Needs the PostgreSQL binaries. Node and database share the machine.

mod support;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sqlx::{Connection, PgConnection, PgPool};
use support::{Client, Failure, Node, committed, median, quantile};

const TRIVIAL: &str = "ctx.event.queue.message";

fn main() -> Result<(), Failure> {
    let quick = std::env::args().any(|argument| argument == "--quick");
    tokio::runtime::Runtime::new()?.block_on(bench(quick))
}

async fn bench(quick: bool) -> Result<(), Failure> {
    let (rounds, batch, idle) = if quick { (2, 30_000, Duration::from_secs(15)) } else { (5, 100_000, Duration::from_secs(60)) };
    let dir = tempfile::Builder::new().prefix("picloud-bench").tempdir()?;
    let (postgres, url) = support::postgres(dir.path()).await?;
    let (node, _) = Node::start(dir.path(), &url).await?;
    let client = Client::login(&node).await?;
    let mut db = PgConnection::connect_with(&postgres.connect_options()).await?;
    let pool = sqlx::postgres::PgPoolOptions::new().max_connections(8).connect_with(postgres.connect_options()).await?;
    let app = client.post("/api/v1/admin/apps", json!({ "slug": "bench", "name": "Bench" })).await?;
    let trigger = register(&client, &app, "queue", TRIVIAL, json!({ "queue": "q" })).await?;

    println!("## deliveries settled per second, {rounds} rounds of {batch}");
    deliver(&mut db, &client, &app, &trigger, 5_000).await?;
    let (mut plain, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        plain.push(plain_queue(&pool, batch / 5).await?);
        ours.push(deliver(&mut db, &client, &app, &trigger, batch).await?);
    }
    let (plain, ours) = (median(&mut plain), median(&mut ours));
    println!("a plain queue, eight workers, one statement each, nothing run: {plain:.0}/s");
    println!("PiCloud, relayed, claimed, run in a fresh instance, settled:    {ours:.0}/s, {:.2} of it", ours / plain);

    println!("\n## sent by a script, 100 messages a request, four callers");
    client.deploy(&app, "sends", r#"for n in 0..100 { queue::send("q", n); }"#, "/send").await?;
    let sent = if quick { 20_000 } else { 100_000 };
    println!("sent and settled: {:.0}/s", send(&mut db, &client, &node, &trigger, sent).await?);

    println!("\n## from just before the commit of a write to the start of its handler, one at a time");
    let writes = if quick { 200 } else { 1_000 };
    prepare_latency(&mut db, &client, &app).await?;
    let mut waits = latency(&mut db, &client, &node, writes).await?;
    println!(
        "alone:                                     p50 {:.2} ms, p99 {:.2} ms",
        quantile(&mut waits, 0.5),
        quantile(&mut waits, 0.99)
    );
    break_another_app(&mut db, &client).await?;
    let mut waits = latency(&mut db, &client, &node, writes).await?;
    println!(
        "beside another app's handlers that fail:   p50 {:.2} ms, p99 {:.2} ms",
        quantile(&mut waits, 0.5),
        quantile(&mut waits, 0.99)
    );
    client.delete("/api/v1/admin/apps/broken?force=true").await?;
    sqlx::raw_sql("DROP TRIGGER tell ON events").execute(&mut db).await?;

    every_kind(&client, &app).await?;
    println!("\n## idle for {} s, with a trigger of every kind", idle.as_secs());
    tokio::time::sleep(Duration::from_secs(15)).await;
    let (transactions, ticks) = (committed(&mut db).await?, node.cpu_ticks()?);
    tokio::time::sleep(idle).await;
    let (transactions, ticks) = (committed(&mut db).await? - transactions, node.cpu_ticks()? - ticks);
    let per_second = rustix::param::clock_ticks_per_second() as f64;
    println!("transactions, without the one that asks: {}", (transactions - 1).max(0));
    println!("CPU of the server: {:.3} % of a core", ticks as f64 / per_second / idle.as_secs_f64() * 100.0);

    println!("\n## what deliveries leave: tables with their indexes, MiB");
    println!(
        "{:>10} {:>8} {:>8} {:>10} {:>10} {:>10}",
        "delivered", "events", "outbox", "deliveries", "executions", "per second"
    );
    let steps = if quick { 3 } else { 10 };
    for step in 1..=steps {
        let per_second = deliver(&mut db, &client, &app, &trigger, 100_000.min(batch)).await?;
        let size = |table: &'static str| size_mib(&pool, table);
        let (events, outbox) = (size("events").await?, size("outbox").await?);
        let (deliveries, executions) = (size("deliveries").await?, size("executions").await?);
        let delivered = step * 100_000.min(batch);
        println!("{delivered:>10} {events:>8.1} {outbox:>8.1} {deliveries:>10.1} {executions:>10.1} {per_second:>10.0}");
    }
    node.stop().await?;
    db.close().await?;
    pool.close().await;
    postgres.stop().await;
    Ok(())
}

/// A trigger with a script of its own.
async fn register(client: &Client, app: &Value, kind: &str, source: &str, mut body: Value) -> Result<Value, Failure> {
    let script = client.upload(app, &format!("on-{}", kind.replace('_', "-")), source).await?;
    body["script_id"] = script["id"].clone();
    client.post(&format!("/api/v1/admin/apps/bench/triggers/{kind}"), body).await
}

/// Puts messages into the outbox, as so many sends would, and waits until their deliveries are settled; how many in a second.
async fn deliver(db: &mut PgConnection, client: &Client, app: &Value, trigger: &Value, messages: i32) -> Result<f64, Failure> {
    let before = succeeded(db, trigger).await?;
    fill(db, app, messages).await?;
    let began = Instant::now();
    client.post("/api/v1/admin/apps/bench/queues/q/messages", json!({ "message": 0 })).await?;
    settled(db, trigger, before + i64::from(messages) + 1).await?;
    Ok(f64::from(messages) / began.elapsed().as_secs_f64())
}

/// Puts messages into an app's outbox, and tells nobody.
async fn fill(db: &mut PgConnection, app: &Value, messages: i32) -> Result<(), Failure> {
    sqlx::query(
        r#"WITH message AS (SELECT n, id_at(now()) AS id FROM generate_series(1, $2::integer) AS n), event AS (
               INSERT INTO events (id, app_id, source, op, at, depth, request_id, about)
               SELECT id, $1, 'queue', 'send', now(), 1, id, '{"name":"q","message":' || n || '}' FROM message
           )
           INSERT INTO outbox (event_id, app_id, source, op, name, depth, due_at)
           SELECT id, $1, 'queue', 'send', 'q', 1, now() FROM message"#,
    )
    .bind(app["id"].as_str().unwrap_or_default().parse::<uuid::Uuid>()?)
    .bind(messages)
    .execute(&mut *db)
    .await?;
    Ok(())
}

/// Messages from scripts, by four callers at once, until they are settled.
async fn send(db: &mut PgConnection, client: &Client, node: &Node, trigger: &Value, messages: i64) -> Result<f64, Failure> {
    let before = succeeded(db, trigger).await?;
    let began = Instant::now();
    let callers = (0..4).map(|_| async {
        for _ in 0..messages / 400 {
            client.call(node, "bench", "/send").await?;
        }
        Ok::<_, Failure>(())
    });
    for done in futures_util::future::join_all(callers).await {
        done?;
    }
    settled(db, trigger, before + messages).await?;
    Ok(messages as f64 / began.elapsed().as_secs_f64())
}

async fn settled(db: &mut PgConnection, trigger: &Value, count: i64) -> Result<(), Failure> {
    let began = Instant::now();
    while succeeded(db, trigger).await? < count {
        if began.elapsed() > Duration::from_secs(300) {
            return Err("deliveries are not settled".into());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

async fn succeeded(db: &mut PgConnection, trigger: &Value) -> Result<i64, Failure> {
    let id = trigger["id"].as_str().unwrap_or_default().parse::<uuid::Uuid>()?;
    let (count,): (i64,) =
        sqlx::query_as("SELECT succeeded FROM trigger_counts WHERE trigger_id = $1").bind(id).fetch_one(db).await?;
    Ok(count)
}

/// What a queue of one table does: eight workers, each taking one row at a time in a transaction that does not wait for the disk.
async fn plain_queue(pool: &PgPool, jobs: i32) -> Result<f64, Failure> {
    sqlx::raw_sql("DROP TABLE IF EXISTS jobs; CREATE TABLE jobs (id bigint PRIMARY KEY, payload text NOT NULL)")
        .execute(pool)
        .await?;
    sqlx::query("INSERT INTO jobs SELECT n, n::text FROM generate_series(1, $1::integer) AS n").bind(jobs).execute(pool).await?;
    let began = Instant::now();
    let workers = (0..8).map(|_| async {
        let mut db = pool.acquire().await?;
        sqlx::raw_sql("SET synchronous_commit = off").execute(&mut *db).await?;
        loop {
            let row = sqlx::query(
                "DELETE FROM jobs WHERE id = (SELECT id FROM jobs ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING payload",
            );
            if row.fetch_optional(&mut *db).await?.is_none() {
                return Ok::<_, sqlx::Error>(());
            }
        }
    });
    for done in futures_util::future::join_all(workers).await {
        done?;
    }
    Ok(f64::from(jobs) / began.elapsed().as_secs_f64())
}

/// A handler of writes. An event is deleted when it is settled, so its time is kept aside.
async fn prepare_latency(db: &mut PgConnection, client: &Client, app: &Value) -> Result<(), Failure> {
    sqlx::raw_sql(
        "CREATE TABLE told (id uuid, at timestamptz);
         CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO told VALUES (NEW.id, NEW.at); RETURN NEW; END';
         CREATE TRIGGER tell BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION tell();",
    )
    .execute(&mut *db)
    .await?;
    register(client, app, "kv", "1", json!({ "collection": "c" })).await?;
    client.deploy(app, "writes", r#"kv::collection("c").set("k", random::int(0, 1000000))"#, "/write").await?;
    Ok(())
}

/// An app whose handlers fail, each time at once, for as long as this takes.
async fn break_another_app(db: &mut PgConnection, client: &Client) -> Result<(), Failure> {
    let app = client.post("/api/v1/admin/apps", json!({ "slug": "broken", "name": "Broken" })).await?;
    let script = client.upload(&app, "fails", "let n = 0; for i in 0..20000 { n += i } throw n;").await?;
    let policy = json!({ "script_id": script["id"], "queue": "q", "max_attempts": 100, "base_delay_ms": 0, "max_delay_ms": 0 });
    client.post("/api/v1/admin/apps/broken/triggers/queue", policy).await?;
    fill(db, &app, 2_000).await?;
    client.post("/api/v1/admin/apps/broken/queues/q/messages", json!({ "message": 0 })).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    Ok(())
}

/// Waits between an event's time and the start of its execution, ms.
async fn latency(db: &mut PgConnection, client: &Client, node: &Node, writes: usize) -> Result<Vec<f64>, Failure> {
    sqlx::raw_sql("TRUNCATE told").execute(&mut *db).await?;
    for _ in 0..writes {
        client.call(node, "bench", "/write").await?;
        tokio::time::sleep(Duration::from_millis(15)).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let waits: Vec<f64> = sqlx::query_scalar(
        "SELECT (extract(epoch FROM e.started_at - t.at) * 1000)::float8 FROM told t JOIN executions e ON e.event_id = t.id ORDER BY t.at OFFSET 10",
    )
    .fetch_all(&mut *db)
    .await?;
    if waits.len() + 20 < writes { Err(format!("{} of {writes} writes were handled", waits.len()).into()) } else { Ok(waits) }
}

/// The kinds that are not there yet.
async fn every_kind(client: &Client, app: &Value) -> Result<(), Failure> {
    client.put("/api/v1/admin/apps/bench/secrets/mail", json!({ "value": "secret" })).await?;
    for (kind, body) in [
        ("docs", json!({ "collection": "*" })),
        ("files", json!({ "collection": "*" })),
        ("pubsub", json!({ "topic": "*" })),
        ("email", json!({ "secret": "mail" })),
        ("dead_letter", json!({})),
        ("cron", json!({ "schedule": "0 0 0 1 JAN *" })),
    ] {
        register(client, app, kind, "1", body).await?;
    }
    Ok(())
}

async fn size_mib(pool: &PgPool, table: &str) -> Result<f64, Failure> {
    let (bytes,): (i64,) = sqlx::query_as("SELECT pg_total_relation_size($1::regclass)").bind(table).fetch_one(pool).await?;
    Ok(bytes as f64 / 1_048_576.0)
}
