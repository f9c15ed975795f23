//! The whole way of a request, against two baselines in the same run: a bare axum handler with the same answer, and
//! native Rhai inside the server (no wall between tenants: the predecessor's way). Entries of `kv` from a script, against the
//! same statements by sqlx in an axum handler. Then what a node costs: start, memory, and an idle minute.
//!
//!     cargo bench --bench http              # about four minutes
//!     cargo bench --bench http -- --quick   # one minute; noisier
//!
//! Needs `wrk` and the PostgreSQL binaries. Each server runs in a process of its own; rounds are interleaved, and the
//! medians of the rounds are compared.

mod support;

use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use picloud::model::kv::{Encoding, Value as Stored};
use rhai::{Dynamic, Engine, Map, Scope};
use serde_json::{Value, json};
use sqlx::Connection;
use support::{Client, Failure, Node, committed, median};

const HELLO: &str = r#"#{ statusCode: 200, body: #{ hello: ctx.request.path, n: 40 + 2 } }"#;
const SCRIPTS: usize = 1_000;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Runtime::new()?;
    match arguments.first().map(String::as_str) {
        Some("serve-axum") => runtime.block_on(serve(bare_axum(), &arguments[1])),
        Some("serve-sqlx") => runtime.block_on(async { serve(sqlx_kv(&arguments[2], &arguments[3])?, &arguments[1]).await }),
        Some("serve-native") => runtime.block_on(serve(native_rhai(), &arguments[1])),
        _ => runtime.block_on(bench(arguments.iter().any(|argument| argument == "--quick"))),
    }
}

async fn bench(quick: bool) -> Result<(), Failure> {
    let (rounds, seconds, idle) = if quick { (1, 3, Duration::from_secs(15)) } else { (5, 8, Duration::from_secs(60)) };
    let dir = tempfile::Builder::new().prefix("picloud-bench").tempdir()?;
    let (postgres, url) = support::postgres(dir.path()).await?;
    let mut database = sqlx::PgConnection::connect_with(&postgres.connect_options()).await?;

    println!("## start, database up");
    let (node, cold) = Node::start(dir.path(), &url).await?;
    node.stop().await?;
    let mut starts = Vec::new();
    for _ in 0..if quick { 1 } else { 5 } {
        let (node, warm) = Node::start(dir.path(), &url).await?;
        node.stop().await?;
        starts.push(warm.as_secs_f64() * 1e3);
    }
    println!("first start, which warms and compiles the sandbox: {:.0} ms", cold.as_secs_f64() * 1e3);
    println!("start to the first answer, artifact warm: median {:.0} ms of {starts:.0?}", median(&mut starts));

    let (node, _) = Node::start(dir.path(), &url).await?;
    let client = Client::login(&node).await?;
    let app = client.post("/api/v1/admin/apps", json!({ "slug": "bench", "name": "Bench" })).await?;
    client.deploy(&app, "hello", HELLO, "/hello").await?;
    client.deploy(&app, "kv-get", r#"kv::collection("c").get("k")"#, "/kv-get").await?;
    client.deploy(&app, "kv-set", r#"kv::collection("c").set(random::string(4), 1)"#, "/kv-set").await?;
    client.deploy(&app, "kv-put", r#"kv::collection("c").set("k", 1)"#, "/kv-put").await?;
    client.call(&node, "bench", "/kv-put").await?;
    println!("\n## memory of the server (resident)");
    println!("idle after the start: {:.1} MiB", node.resident_mib()?);

    println!("\n## requests per second, keep-alive, 32 connections, {rounds} rounds of {seconds} s");
    let axum = Baseline::start("serve-axum", &[])?;
    let native = Baseline::start("serve-native", &[])?;
    let plain = Baseline::start("serve-sqlx", &[&url, app["id"].as_str().unwrap_or_default()])?;
    let subjects = [
        ("bare axum", format!("http://{}/hello", axum.address), None),
        ("native Rhai in process", format!("http://{}/hello", native.address), None),
        ("PiCloud hello", format!("{}/hello", node.data), Some("bench.localhost")),
        ("sqlx in axum, kv get", format!("http://{}/kv-get", plain.address), None),
        ("PiCloud kv get", format!("{}/kv-get", node.data), Some("bench.localhost")),
        ("sqlx in axum, kv set", format!("http://{}/kv-set", plain.address), None),
        ("PiCloud kv set", format!("{}/kv-set", node.data), Some("bench.localhost")),
    ];
    let mut loads: Vec<Vec<Load>> = subjects.iter().map(|_| Vec::new()).collect();
    for round in 0..=rounds {
        for ((_, url, host), loads) in subjects.iter().zip(&mut loads) {
            let load = wrk(url, *host, if round == 0 { 1 } else { seconds })?;
            if round > 0 {
                loads.push(load);
            }
        }
    }
    let base = median(&mut loads[0].iter().map(|load| load.per_second).collect::<Vec<_>>());
    println!("{:24} {:>12} {:>16} {:>10} {:>10}", "server", "requests/s", "of bare axum", "p50 ms", "p99 ms");
    for ((name, ..), loads) in subjects.iter().zip(&loads) {
        let of = |value: fn(&Load) -> f64| median(&mut loads.iter().map(value).collect::<Vec<_>>());
        let per_second = of(|load| load.per_second);
        println!(
            "{name:24} {per_second:>12.0} {:>16.2} {:>10.2} {:>10.2}",
            per_second / base,
            of(|load| load.p50_ms),
            of(|load| load.p99_ms)
        );
    }
    for (what, plain, ours) in [("get", 3, 4), ("set", 5, 6)] {
        let of = |index: usize| median(&mut loads[index].iter().map(|load: &Load| load.per_second).collect::<Vec<_>>());
        println!("kv {what} from a script, of the same statement by sqlx in axum: {:.2}", of(ours) / of(plain));
    }
    let failed: u64 = loads.iter().flatten().map(|load| load.failed).sum();
    let recorder = client.get("/api/v1/admin/node").await?;
    println!("answers other than 200: {failed}; execution records: {}", recorder["recorder"]);
    drop((axum, native, plain));

    println!("\n## {SCRIPTS} scripts");
    let app = client.post("/api/v1/admin/apps", json!({ "slug": "many", "name": "Many" })).await?;
    for number in 0..SCRIPTS {
        client.deploy(&app, &format!("s{number}"), HELLO, &format!("/s{number}")).await?;
    }
    let called = Instant::now();
    for number in 0..SCRIPTS {
        client.call(&node, "many", &format!("/s{number}")).await?;
    }
    println!(
        "each called once, first call after its upload: {:.2} ms on average",
        called.elapsed().as_secs_f64() * 1e3 / SCRIPTS as f64
    );
    println!("resident memory: {:.1} MiB", node.resident_mib()?);
    node.stop().await?;
    let (node, _) = Node::start(dir.path(), &url).await?;
    for number in 0..SCRIPTS {
        client.call(&node, "many", &format!("/s{number}")).await?;
    }
    println!("resident memory after a restart, each called once: {:.1} MiB", node.resident_mib()?);

    println!("\n## idle for {} s", idle.as_secs());
    // PostgreSQL counts what a backend did only when that has been at rest for ten seconds.
    tokio::time::sleep(Duration::from_secs(15)).await;
    let (transactions, ticks) = (committed(&mut database).await?, node.cpu_ticks()?);
    tokio::time::sleep(idle).await;
    // The first reading may be one transaction of the second.
    let (transactions, ticks) = (committed(&mut database).await? - transactions, node.cpu_ticks()? - ticks);
    let per_second = rustix::param::clock_ticks_per_second() as f64;
    println!("transactions, without the one that asks: {}", (transactions - 1).max(0));
    println!("CPU of the server: {:.3} % of a core", ticks as f64 / per_second / idle.as_secs_f64() * 100.0);

    node.stop().await?;
    database.close().await?;
    postgres.stop().await;
    Ok(())
}

/// A baseline server: this very program, serving.
struct Baseline {
    child: Child,
    address: SocketAddr,
}

impl Baseline {
    fn start(mode: &str, arguments: &[&str]) -> Result<Self, Failure> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let child = Command::new(std::env::current_exe()?).args([mode, &address.to_string()]).args(arguments).spawn()?;
        let started = Instant::now();
        while std::net::TcpStream::connect(address).is_err() {
            if started.elapsed() > Duration::from_secs(10) {
                return Err(format!("{mode} does not answer").into());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(Self { child, address })
    }
}

impl Drop for Baseline {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn serve(router: Router, address: &str) -> Result<(), Failure> {
    Ok(axum::serve(tokio::net::TcpListener::bind(address).await?, router).await?)
}

fn bare_axum() -> Router {
    Router::new().route("/hello", get(async || Json(json!({ "hello": "/hello", "n": 42 }))))
}

/// The statements of `kv`, as many connections as scripts have, and nothing between them and the caller.
fn sqlx_kv(url: &str, app: &str) -> Result<Router, Failure> {
    let db = picloud::store::for_scripts(&sqlx::PgPool::connect_lazy(url)?);
    let state = Arc::new((db, app.parse::<picloud::id::AppId>()?));
    Ok(Router::new().route("/kv-get", get(sqlx_get)).route("/kv-set", get(sqlx_set)).with_state(state))
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
        origin: picloud::model::event::Origin { request_id: picloud::id::RequestId::at(now), depth: 0 },
    };
    picloud::store::kv::set(&mut db, now, *app, "c", &key, &value, None, None, &told).await.expect("the statement runs");
    Json(Value::Null)
}

/// One engine for all, a cached AST, each call on the blocking pool so that a busy script does not stop the server.
fn native_rhai() -> Router {
    let engine = Engine::new();
    let ast = engine.compile(HELLO).expect("the script parses");
    Router::new().route("/hello", get(native_hello)).with_state(Arc::new((engine, ast)))
}

async fn native_hello(State(shared): State<Arc<(Engine, rhai::AST)>>) -> impl IntoResponse {
    let answer = tokio::task::spawn_blocking(move || {
        let mut request = Map::new();
        request.insert("path".into(), "/hello".into());
        let mut ctx = Map::new();
        ctx.insert("request".into(), request.into());
        let mut scope = Scope::new();
        scope.push_constant("ctx", ctx);
        let (engine, ast) = &*shared;
        let answer = engine.eval_ast_with_scope::<Dynamic>(&mut scope, ast).expect("the script runs").cast::<Map>();
        let body = answer["body"].clone().cast::<Map>();
        json!({ "hello": body["hello"].to_string(), "n": body["n"].as_int().expect("an integer") })
    });
    Json(answer.await.expect("the script runs"))
}

struct Load {
    per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    failed: u64,
}

fn wrk(url: &str, host: Option<&str>, seconds: u32) -> Result<Load, Failure> {
    let mut command = Command::new("wrk");
    command.args(["-t1", "-c32", &format!("-d{seconds}s"), "--latency"]);
    if let Some(host) = host {
        command.args(["-H", &format!("Host: {host}")]);
    }
    let output =
        command.arg(url).output().map_err(|error| format!("wrk cannot be started ({error}); on Debian: apt-get install wrk"))?;
    let text = String::from_utf8(output.stdout)?;
    let field = |name: &str| text.lines().find_map(|line| line.trim().strip_prefix(name)).map(str::trim);
    let per_second = field("Requests/sec:").ok_or_else(|| format!("wrk said: {text}"))?.parse()?;
    let failed = field("Non-2xx or 3xx responses:").map_or(Ok(0), str::parse)?;
    Ok(Load { per_second, p50_ms: milliseconds(field("50%"))?, p99_ms: milliseconds(field("99%"))?, failed })
}

fn milliseconds(text: Option<&str>) -> Result<f64, Failure> {
    let text = text.ok_or("wrk named no latency")?;
    for (unit, scale) in [("us", 1e-3), ("ms", 1.0), ("s", 1e3)] {
        if let Some(number) = text.strip_suffix(unit) {
            return Ok(number.parse::<f64>()? * scale);
        }
    }
    Err(format!("{text} is not a latency").into())
}
