//! The way of an event: deliveries settled in a second, each in a fresh instance, against a plain queue in the same database that
//! runs nothing; from a write to the start of its handler; what an idle node with triggers asks; what a million deliveries leave.
//!
//!     cargo bench -- events           # about eight minutes
//!     cargo bench -- events --quick   # one and a half; noisier
//!
//! Needs the PostgreSQL binaries. Node and database share the machine.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sqlx::{Connection, PgConnection, PgPool};

use crate::support::asked::Asked;
use crate::support::figures::{Axis, Findings, Line, Plot, Section, Spread, Table, count, significant};
use crate::support::ground::Ground;
use crate::support::queue::{fill, succeeded};
use crate::support::{Client, Failure, Node, quantile};

const TRIVIAL: &str = "ctx.event.queue.message";
const PER_SECOND_GOAL: f64 = 3_000.0;
const WAIT_GOAL_MS: f64 = 10.0;

const TEXT: &str = "\
`picloud serve` and its PostgreSQL on the same cores. *Deliveries settled*: messages that lie in the outbox, as so many \
sends would leave them, until each was relayed, claimed, run by a trivial handler in a fresh instance, recorded and \
settled; beside it a plain queue in the same database (one table, eight workers, one statement for each row, nothing run), \
round by round. *Sent by scripts*: the same from `queue::send`, a hundred sends a request from four callers at once, each \
send committed to disk. *From a write to its handler*: from the time of the write's event, just before its commit, to the \
start of its handler, one at a time; then the same while another app's handlers fail as fast as they can. *Idle*: \
PostgreSQL's own count of transactions with a trigger of every kind registered, and CPU of the server by the kernel's \
count.\n\n\
Goals: at least 3 000 deliveries a second; the handler begins within 10 ms (p99); idle no transaction and less than 0.1 % \
of a core.";

/// Tables that deliveries leave rows in.
const TABLES: [&str; 4] = ["events", "outbox", "deliveries", "executions"];

/// How much is measured.
#[derive(Clone, Copy)]
struct Scale {
    rounds: usize,
    /// Messages of a round.
    batch: i32,
    /// Messages that scripts send.
    sent: i64,
    writes: usize,
    idle: Duration,
    /// Batches after which sizes are read.
    steps: i32,
}

pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let asked = Asked::of_parts(arguments, &[])?;
    tokio::runtime::Runtime::new()?.block_on(bench(&asked))
}

async fn bench(asked: &Asked<'_>) -> Result<(), Failure> {
    let scale = if asked.is_quick {
        Scale { rounds: 2, batch: 30_000, sent: 20_000, writes: 200, idle: Duration::from_secs(15), steps: 3 }
    } else {
        Scale { rounds: 5, batch: 100_000, sent: 100_000, writes: 1_000, idle: Duration::from_secs(60), steps: 10 }
    };
    let ground = Ground::open().await?;
    let (node, _) = ground.start().await?;
    let client = Client::login(&node).await?;
    let mut db = ground.connect().await?;
    let options = ground.postgres.connect_options();
    let pool = sqlx::postgres::PgPoolOptions::new().max_connections(8).connect_with(options).await?;
    let app = client.post("/api/v1/admin/apps", json!({ "slug": "bench", "name": "Bench" })).await?;
    let trigger = register(&client, &app, "queue", TRIVIAL, json!({ "queue": "q" })).await?;
    let mut section = Section::new(50, "The way of an event", TEXT);

    let mut rates = Table::new("", &["settled", "a second", "of a plain queue"]);
    deliver(&mut db, &client, &app, &trigger, 5_000).await?;
    let (mut plain, mut ours) = (Vec::new(), Vec::new());
    for round in 1..=scale.rounds {
        eprintln!("deliveries of {}, round {round} of {}", scale.batch, scale.rounds);
        plain.push(plain_queue(&pool, scale.batch / 5).await?);
        ours.push(deliver(&mut db, &client, &app, &trigger, scale.batch).await?);
    }
    let ratios = Spread::of(ours.iter().zip(&plain).map(|(ours, plain)| ours / plain));
    let (plain, ours) = (Spread::of(plain), Spread::of(ours));
    rates.row(["a plain queue, eight workers, one statement each, nothing run", &plain.to_string(), "1"]);
    rates.row(["deliveries, each in a fresh instance", &ours.to_string(), &ratios.to_string()]);
    goal_per_second(&mut section, "deliveries settled a second", ours.median);

    eprintln!("{} messages sent by scripts", scale.sent);
    client.deploy(&app, "sends", r#"for n in 0..100 { queue::send("q", n); }"#, "/send").await?;
    let sent = send(&mut db, &client, &node, &trigger, scale.sent).await?;
    rates.row(["sent by scripts, 100 a request, four callers", &significant(sent), &significant(sent / plain.median)]);
    rates.note = format!("{} rounds of {} messages.", scale.rounds, count(scale.batch.unsigned_abs().into()));
    goal_per_second(&mut section, "messages sent by scripts and settled a second", sent);
    section.tables.push(rates);

    let mut waits = Table::new("", &["from a write to its handler", "p50 ms", "p99 ms"]);
    prepare_latency(&mut db, &client, &app).await?;
    eprintln!("from a write to its handler, {} writes", scale.writes);
    let alone = wait(&mut waits, "nothing else to do", &mut latency(&mut db, &client, &node, scale.writes).await?);
    section.goal(
        "from a write to its handler, p99",
        &format!("< {WAIT_GOAL_MS} ms"),
        format!("{} ms", significant(alone)),
        alone < WAIT_GOAL_MS,
    );
    eprintln!("the same beside another app's handlers that fail");
    break_another_app(&mut db, &client).await?;
    wait(&mut waits, "beside another app's handlers that fail", &mut latency(&mut db, &client, &node, scale.writes).await?);
    section.tables.push(waits);
    client.delete("/api/v1/admin/apps/broken?force=true").await?;
    sqlx::raw_sql("DROP TRIGGER tell ON events").execute(&mut db).await?;

    every_kind(&client, &app).await?;
    idle(&node, &mut db, scale.idle, &mut section).await?;

    let (table, plot) = growth(&mut db, &client, &app, &trigger, &pool, scale).await?;
    section.tables.push(table);
    section.plots.push(plot);
    node.stop().await?;
    db.close().await?;
    pool.close().await;
    ground.close().await;
    Findings::tell("events", asked, vec![section])
}

fn goal_per_second(section: &mut Section, figure: &str, per_second: f64) {
    let goal = format!("≥ {}", significant(PER_SECOND_GOAL));
    section.goal(figure, &goal, significant(per_second), per_second >= PER_SECOND_GOAL);
}

/// A row of waits; the p99.
fn wait(table: &mut Table, what: &str, waits: &mut [f64]) -> f64 {
    let (p50, p99) = (quantile(waits, 0.5), quantile(waits, 0.99));
    table.row([what, &significant(p50), &significant(p99)]);
    p99
}

/// What a node asks the database while nothing happens, a trigger of every kind there.
async fn idle(node: &Node, db: &mut PgConnection, time: Duration, section: &mut Section) -> Result<(), Failure> {
    eprintln!("idle for {} s", time.as_secs());
    let idle = node.idle(db, time).await?;
    let (asked, used) = (idle.transactions.to_string(), format!("{:.3} % of a core", idle.cpu_percent));
    let mut table = Table::new("", &["idle, a trigger of every kind registered", "measured"]);
    table.row([&format!("transactions in {} s, without the one that asks", time.as_secs()), &asked]);
    table.row(["CPU of the server meanwhile", &used]);
    section.tables.push(table);
    section.goal("transactions of an idle node with triggers", "0", asked, idle.transactions == 0);
    section.goal("CPU of an idle node with triggers", "< 0.1 % of a core", used, idle.cpu_percent < 0.1);
    Ok(())
}

/// Sizes of tables with their indexes over deliveries.
async fn growth(
    db: &mut PgConnection,
    client: &Client,
    app: &Value,
    trigger: &Value,
    pool: &PgPool,
    scale: Scale,
) -> Result<(Table, Plot), Failure> {
    let title = "What deliveries leave, tables with their indexes, MiB:";
    let mut table = Table::new(title, &["delivered", "events", "outbox", "deliveries", "executions", "deliveries/s"]);
    table.note = "A batch lies in the outbox at first, so that is the size of one batch.".to_owned();
    let mut lines = TABLES.map(|name| Line::new(name, []));
    for step in 1..=scale.steps {
        eprintln!("what deliveries leave, batch {step} of {}", scale.steps);
        let per_second = deliver(db, client, app, trigger, scale.batch).await?;
        let delivered = step * scale.batch;
        let mut row = vec![count(delivered.unsigned_abs().into())];
        for line in &mut lines {
            let size = size_mib(pool, &line.name).await?;
            line.points.push((f64::from(delivered), size));
            row.push(format!("{size:.1}"));
        }
        row.push(significant(per_second));
        table.row(row);
    }
    let (x, y) = (Axis::straight("delivered"), Axis::straight("table with its indexes, MiB"));
    let plot = Plot::new(("events-left", "What deliveries leave"), x, y, lines.into());
    Ok((table, plot))
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
