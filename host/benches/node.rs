//! What one `kv` call from a script costs, against the same statement by sqlx in an axum handler; and what a node costs: start,
//! memory, first calls, an idle minute.
//!
//!     cargo bench -- node           # about four minutes
//!     cargo bench -- node --quick   # one minute; noisier
//!     cargo bench -- node kv        # one part, told and not kept: kv, or cost
//!
//! Needs `wrk` and the PostgreSQL binaries.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use picloud::model::kv::{Encoding, Value as Stored};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

use crate::support::asked::Asked;
use crate::support::baseline::Baseline;
use crate::support::figures::{Findings, Section, Spread, Table, count, significant};
use crate::support::ground::Ground;
use crate::support::scripts::HELLO;
use crate::support::wrk::{Load, wrk};
use crate::support::{Client, Failure, Node, quantile};

const SCRIPTS: usize = 1_000;
const PARTS: [&str; 2] = ["kv", "cost"];

const KV: &str = "\
Scripts of one `kv` call each, beside the same statements by sqlx in an axum handler with as many connections, by `wrk -t1 \
-c32`, keep-alive; each server in a process of its own, node and database on the same cores, rounds interleaved over all. \
`set` draws one of some 15 million keys. `of sqlx` compares the requests/s of the same round; `failed` are answers other \
than 2xx or 3xx, connections that broke and answers that took over two seconds.\n\n\
Goal: at least 0.5 of the same statement by sqlx. The invocation around a statement costs as much as the statement with its \
way through axum, so `get` cannot come nearer than hello lets it.";

const COST: &str = "\
One `picloud serve` with its PostgreSQL on the same cores. Start: from the spawn of the process to its first answer, with \
the database up; the first one compiles and warms the sandbox. Memory is resident memory of the server (VmRSS). First calls \
are made one after the other, each of a script that was not called since its upload, or since the restart. Idle: \
PostgreSQL's own count of transactions, once it has counted the work before; CPU by the kernel's count.\n\n\
Goals: start at most 250 ms; memory at most 50 MB idle and 120 MB with a thousand scripts called once; idle no transaction \
and less than 0.1 % of a core.";

/// This program as the baseline: address, database, app.
pub(crate) const MODE: &str = "serve-sqlx";

/// How much is measured.
#[derive(Clone, Copy)]
struct Scale {
    rounds: usize,
    /// Of one round of one server.
    seconds: u32,
    starts: usize,
    idle: Duration,
}

pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let asked = Asked::of_parts(arguments, &PARTS)?;
    tokio::runtime::Runtime::new()?.block_on(bench(&asked))
}

async fn bench(asked: &Asked<'_>) -> Result<(), Failure> {
    let scale = if asked.is_quick {
        Scale { rounds: 1, seconds: 3, starts: 1, idle: Duration::from_secs(15) }
    } else {
        Scale { rounds: 5, seconds: 8, starts: 5, idle: Duration::from_secs(60) }
    };
    let ground = Ground::open().await?;
    let mut database = ground.connect().await?;
    let mut cost = Table::new("", &["figure", "measured"]);
    let mut sections = vec![Section::new(30, "One `kv` call", KV), Section::new(40, "What a node costs", COST)];

    eprintln!("the first start, which compiles and warms the sandbox");
    let (node, first) = ground.start().await?;
    node.stop().await?;
    if asked.has("cost") {
        starts(&ground, scale, first, (&mut sections[1], &mut cost)).await?;
    }
    let (node, _) = ground.start().await?;
    let client = Client::login(&node).await?;
    let app = client.post("/api/v1/admin/apps", json!({ "slug": "bench", "name": "Bench" })).await?;
    client.deploy(&app, "hello", HELLO, "/hello").await?;
    client.deploy(&app, "kv-get", r#"kv::collection("c").get("k")"#, "/kv-get").await?;
    client.deploy(&app, "kv-set", r#"kv::collection("c").set(random::string(4), 1)"#, "/kv-set").await?;
    client.deploy(&app, "kv-put", r#"kv::collection("c").set("k", 1)"#, "/kv-put").await?;
    client.call(&node, "bench", "/kv-put").await?;
    if asked.has("cost") {
        let idle = node.resident_mib()?;
        cost.row(["resident memory, idle after the start".to_owned(), format!("{idle:.1} MiB")]);
        sections[1].goal("resident memory, idle", "≤ 50 MB", megabytes(idle), idle <= mib(50.0));
    }
    if asked.has("kv") {
        let app = app["id"].as_str().unwrap_or_default();
        kv(&node, &Baseline::start(MODE, &[&ground.url, app])?, scale, &mut sections[0])?;
        let status = client.status().await?;
        let dropped = status["recorder"]["dropped"].as_u64().unwrap_or_default();
        let written = status["recorder"]["written"].as_u64().unwrap_or_default();
        let table = sections[0].tables.last_mut().ok_or("no table")?;
        table.note += &format!(" Execution records: {} written, {} dropped.", count(written), count(dropped));
    }
    let node = if asked.has("cost") {
        let node = thousand(&ground, client, node, (&mut sections[1], &mut cost)).await?;
        idle(&node, &mut database, scale.idle, (&mut sections[1], &mut cost)).await?;
        sections[1].tables.push(cost);
        node
    } else {
        node
    };
    node.stop().await?;
    database.close().await?;
    ground.close().await;
    sections.retain(|section| !section.tables.is_empty());
    Findings::tell("node", asked, sections)
}

/// Where the figures of what a node costs go.
type Told<'a> = (&'a mut Section, &'a mut Table);

async fn starts(ground: &Ground, scale: Scale, first: Duration, (section, table): Told<'_>) -> Result<(), Failure> {
    eprintln!("starts");
    let mut starts = Vec::new();
    for _ in 0..scale.starts {
        let (node, warm) = ground.start().await?;
        node.stop().await?;
        starts.push(warm.as_secs_f64() * 1e3);
    }
    let starts = Spread::of(starts);
    table.row(["first start, compiling and warming the sandbox", &format!("{} s", significant(first.as_secs_f64()))]);
    table.row(["start to the first answer, artifact warm", &format!("{starts} ms")]);
    let figure = "start to the first answer, database up, artifact warm";
    section.goal(figure, "≤ 250 ms", format!("{} ms", significant(starts.median)), starts.median <= 250.0);
    Ok(())
}

fn kv(node: &Node, plain: &Baseline, scale: Scale, section: &mut Section) -> Result<(), Failure> {
    let subjects = [
        ("sqlx in axum, kv get", format!("http://{}/kv-get", plain.address), None),
        ("PiCloud, kv get", format!("{}/kv-get", node.data), Some("bench.localhost")),
        ("sqlx in axum, kv set", format!("http://{}/kv-set", plain.address), None),
        ("PiCloud, kv set", format!("{}/kv-set", node.data), Some("bench.localhost")),
    ];
    let mut loads: Vec<Vec<Load>> = subjects.iter().map(|_| Vec::new()).collect();
    for round in 0..=scale.rounds {
        eprintln!("kv, round {round} of {}", scale.rounds);
        for ((_, url, host), loads) in subjects.iter().zip(&mut loads) {
            let load = wrk(url, *host, 1, 32, if round == 0 { 1 } else { scale.seconds })?;
            if round > 0 {
                loads.push(load);
            }
        }
    }
    let mut table = Table::new("", &["server", "requests/s", "of sqlx", "p50 ms", "p99 ms", "failed"]);
    for (at, ((name, ..), ours)) in subjects.iter().zip(&loads).enumerate() {
        let spread = |value: fn(&Load) -> f64| Spread::of(ours.iter().map(value));
        // Each pair begins with its baseline.
        let ratios = Spread::of(ours.iter().zip(&loads[at - at % 2]).map(|(ours, plain)| ours.per_second / plain.per_second));
        table.row([
            (*name).to_owned(),
            spread(|load| load.per_second).to_string(),
            ratios.to_string(),
            spread(|load| load.p50_ms).to_string(),
            spread(|load| load.p99_ms).to_string(),
            count(ours.iter().map(|load| load.failed).sum()),
        ]);
        if let (1 | 3, Some((_, what))) = (at, name.split_once(", ")) {
            let figure = format!("{what} from a script, requests/s of the same statement by sqlx in axum");
            section.goal(&figure, "≥ 0.5", significant(ratios.median), ratios.median >= 0.5);
        }
    }
    table.note = format!("{} rounds of {} s.", scale.rounds, scale.seconds);
    section.tables.push(table);
    Ok(())
}

/// A thousand scripts, each called once; the same after a restart. The node that was restarted.
async fn thousand(ground: &Ground, client: Client, node: Node, (section, table): Told<'_>) -> Result<Node, Failure> {
    eprintln!("{SCRIPTS} scripts");
    let app = client.post("/api/v1/admin/apps", json!({ "slug": "many", "name": "Many" })).await?;
    for number in 0..SCRIPTS {
        client.deploy(&app, &format!("s{number}"), HELLO, &format!("/s{number}")).await?;
    }
    let mut told = async |node: &Node, when: &str| {
        let mut took_ms = Vec::new();
        for number in 0..SCRIPTS {
            let began = Instant::now();
            client.call(node, "many", &format!("/s{number}")).await?;
            took_ms.push(began.elapsed().as_secs_f64() * 1e3);
        }
        let mean = took_ms.iter().sum::<f64>() / SCRIPTS as f64;
        let (p50, p99) = (quantile(&mut took_ms, 0.5), quantile(&mut took_ms, 0.99));
        let took = format!("mean {}, p50 {}, p99 {} ms", significant(mean), significant(p50), significant(p99));
        table.row([format!("a script's first call {when}"), took]);
        let (resident, scripts) = (node.resident_mib()?, count(SCRIPTS as u64));
        table.row([format!("resident memory, {scripts} scripts each called once {when}"), format!("{resident:.1} MiB")]);
        Ok::<_, Failure>(resident)
    };
    let uploaded = told(&node, "after its upload").await?;
    node.stop().await?;
    let (node, _) = ground.start().await?;
    let restarted = told(&node, "after a restart").await?;
    let most = uploaded.max(restarted);
    section.goal("resident memory, 1 000 scripts each called once", "≤ 120 MB", megabytes(most), most <= mib(120.0));
    Ok(node)
}

async fn idle(node: &Node, database: &mut PgConnection, time: Duration, (section, table): Told<'_>) -> Result<(), Failure> {
    eprintln!("idle for {} s", time.as_secs());
    let idle = node.idle(database, time).await?;
    let (asked, used) = (idle.transactions.to_string(), format!("{:.3} % of a core", idle.cpu_percent));
    table.row([&format!("transactions in {} idle seconds, without the one that asks", time.as_secs()), &asked]);
    table.row(["CPU of the server meanwhile", &used]);
    section.goal("transactions of an idle node", "0", asked, idle.transactions == 0);
    section.goal("CPU of an idle node", "< 0.1 % of a core", used, idle.cpu_percent < 0.1);
    Ok(())
}

/// The goals are in millions of bytes, the kernel tells 1 024 times 1 024.
fn mib(megabytes: f64) -> f64 {
    megabytes * 1e6 / 1_048_576.0
}

fn megabytes(mib: f64) -> String {
    format!("{:.1} MB", mib * 1_048_576.0 / 1e6)
}

/// The baseline: the statements of `kv` on as many connections as scripts have, and nothing between them and the caller.
pub(crate) fn serve(address: &str, url: &str, app: &str) -> Result<(), Failure> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let db = sqlx::PgPool::clone(&picloud::store::for_scripts(&sqlx::PgPool::connect_lazy(url)?));
        let state = Arc::new((db, app.parse::<picloud::id::AppId>()?));
        let router = Router::new().route("/kv-get", get(sqlx_get)).route("/kv-set", get(sqlx_set)).with_state(state);
        Ok(axum::serve(tokio::net::TcpListener::bind(address).await?, router).await?)
    })
}

type Plain = State<Arc<(sqlx::PgPool, picloud::id::AppId)>>;

async fn sqlx_get(State(shared): Plain) -> impl IntoResponse {
    let (db, app) = &*shared;
    let mut db = db.acquire().await.expect("a connection");
    let now = picloud::clock::Clock::system().now();
    let entry = picloud::store::kv::get(&mut db, now, *app, "c", "k").await.expect("the statement runs");
    let value: Value = serde_json::from_slice(&entry.expect("an entry").value.bytes).expect("JSON");
    Json(value)
}

async fn sqlx_set(State(shared): Plain) -> impl IntoResponse {
    let (db, app) = &*shared;
    let mut db = db.acquire().await.expect("a connection");
    let now = picloud::clock::Clock::system().now();
    // As many keys as the script draws from: its last bits are random.
    let key = format!("{:x}", picloud::id::RequestId::at(now).0.as_u128() & 0xff_ffff);
    let value = Stored { encoding: Encoding::Json, bytes: b"1".to_vec() };
    let told = picloud::model::event::Told {
        event: picloud::id::EventId::at(now),
        origin: picloud::model::event::Origin::of(picloud::id::RequestId::at(now)),
    };
    picloud::store::kv::set(&mut db, now, *app, "c", &key, &value, None, None, &told).await.expect("the statement runs");
    Json(Value::Null)
}
