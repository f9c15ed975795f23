//! Hostile scripts by name. Each runs against a server process of its own and proves four things: what the caller is
//! told, that the process's memory comes back to its base line, that it does not grow with more of the same, and that
//! another app's calls went on succeeding meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::cluster::Database;
use crate::support::process::Scratch;
use crate::support::{Server, Tenant, eventually, raw};

const MIB: u64 = 1 << 20;
/// Attacks in flight, and how often: 16 MiB of each leaked would be 1.5 GiB.
const ABREAST: usize = 8;
const ROUNDS: usize = 4;
/// What an idle server may keep after an attack: the allocator's arenas, the pool's resident pages of each place.
const KEPT_AFTER_FIRST_ROUND: u64 = 96 * MIB;
/// What further rounds may add: nothing, but for the noise of the allocator.
const KEPT_AFTER_MORE: u64 = 24 * MIB;
/// Low, for speed: tens of milliseconds of one attack.
const FUEL: u64 = 60_000_000;
const NEIGHBOUR: &str = r#"#{ hello: ctx.request.params.n }"#;

fn source(name: &str) -> String {
    let path = crate::support::repository().join(format!("tests/it/scripts/hostile/{name}.rhai"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A server with a neighbour whose calls never stop.
struct Scene {
    server: Server,
    attacker: Tenant,
    idle: u64,
    done: Arc<AtomicBool>,
    neighbour: tokio::task::JoinHandle<u32>,
    _scratch: Scratch,
    _database: Database,
}

impl Scene {
    async fn set() -> Self {
        let (scratch, database) = (Scratch::new(), Database::create().await);
        let server = Server::serve(&scratch, &database, &[]).await;
        let neighbour = server.client.create_app("neighbour").await;
        let attacker = server.client.create_app("attacker").await;
        neighbour.deploy("/hello/:n", NEIGHBOUR).await;
        let warm: Vec<_> = (0..4 * ABREAST)
            .map(|_| {
                let neighbour = neighbour.clone();
                tokio::spawn(async move { neighbour.get("/hello/0").await.expect(200) })
            })
            .collect();
        for call in warm {
            call.await.expect("a call");
        }
        let idle = server.resident();
        let done = Arc::new(AtomicBool::new(false));
        let calling = tokio::spawn({
            let done = done.clone();
            async move {
                let mut calls = 0;
                while !done.load(Ordering::Relaxed) {
                    let reply = neighbour.get(&format!("/hello/{calls}")).await;
                    assert_eq!(
                        (reply.status, reply.text()),
                        (200, format!(r#"{{"hello":"{calls}"}}"#)),
                        "the neighbour's call {calls}"
                    );
                    calls += 1;
                }
                calls
            }
        });
        Self { server, attacker, idle, done, neighbour: calling, _scratch: scratch, _database: database }
    }

    /// Calls `attack` a few hundred times and asserts what is promised about memory.
    async fn storm(&self, attack: impl AsyncFn(usize) -> Box<dyn FnOnce() + Send>) {
        let mut settled = None;
        for round in 0..ROUNDS {
            let waiting = (0..ABREAST).map(|n| attack(round * ABREAST + n));
            for check in futures_util::future::join_all(waiting).await {
                check();
            }
            let bound = settled.map_or(self.idle + KEPT_AFTER_FIRST_ROUND, |settled| settled + KEPT_AFTER_MORE);
            let resident = eventually(
                &format!("memory is back under {} MiB (idle was {} MiB)", bound / MIB, self.idle / MIB),
                Duration::from_secs(15),
                async || {
                    let resident = self.server.resident();
                    (resident <= bound).then_some(resident)
                },
            )
            .await;
            settled.get_or_insert(resident);
        }
    }

    async fn end(self) {
        self.done.store(true, Ordering::Relaxed);
        let calls = self.neighbour.await.expect("every call of the neighbour succeeded");
        assert!(calls >= 10, "the neighbour made {calls} calls meanwhile");
        self.server.stop();
    }
}

/// A script that gets uploaded, and whose every call ends as told. Answers the last record.
async fn attack(name: &str, fuel: u64, expected: &[(u16, &'static str)]) -> Value {
    let scene = Scene::set().await;
    let limits = json!({ "limits": { "fuel": fuel, "memory_mb": 16, "timeout_ms": 10_000 } });
    scene.attacker.deploy_with("/attack", &source(name), limits).await;
    let expected: Vec<_> = expected.to_vec();
    scene
        .storm(async |_| {
            let (reply, expected, name) = (scene.attacker.get("/attack").await, expected.clone(), name.to_owned());
            Box::new(move || {
                let code = reply.json()["error"]["code"].as_str().unwrap_or_default().to_owned();
                let (status, code) = *expected
                    .iter()
                    .find(|told| **told == (reply.status, code.as_str()))
                    .unwrap_or_else(|| panic!("{name}: {} {}", reply.status, reply.shown()));
                reply.fails(status, code);
            }) as Box<dyn FnOnce() + Send>
        })
        .await;
    let last = scene.attacker.get("/attack").await;
    let record = scene.attacker.record(&last).await;
    assert!(record["usage"]["memory_peak_bytes"].as_u64().is_some_and(|peak| peak <= 16 * MIB), "{record}");
    assert!(record["usage"]["fuel"].as_u64().is_some_and(|used| used <= fuel), "{record}");
    scene.end().await;
    record
}

macro_rules! attacks {
    ($($name:ident => $($status:literal $code:literal)|+;)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            attack(stringify!($name), FUEL, &[$(($status, $code)),+]).await;
        }
    )*};
}

attacks! {
    endless_loop => 507 "fuel_exhausted";
    endless_range => 507 "fuel_exhausted";
    tight_recursion => 422 "script_error";
    mutual_recursion => 422 "script_error";
    string_doubling => 507 "memory_exceeded";
    array_bomb => 507 "memory_exceeded";
    map_bomb => 507 "memory_exceeded";
    giant_allocation => 507 "memory_exceeded";
    deep_value => 422 "script_error" | 507 "fuel_exhausted";
    catch_all => 507 "fuel_exhausted";
    throw_storm => 507 "fuel_exhausted";
    sort_bomb => 507 "fuel_exhausted";
    regex_bomb => 422 "script_error" | 507 "fuel_exhausted";
    json_bomb => 422 "script_error";
    kv_hammer => 422 "script_error" | 504 "deadline_exceeded";
    hash_flood => 507 "memory_exceeded" | 507 "fuel_exhausted";
    string_builder => 507 "fuel_exhausted";
    regex_churn => 507 "fuel_exhausted";
    json_churn => 507 "fuel_exhausted";
}

/// Writing four of the promised megabytes takes fuel too: enough of it to get there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn response_bomb() {
    attack("response_bomb", 10 * FUEL, &[(502, "response_too_large"), (507, "memory_exceeded")]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn log_flood() {
    let record = attack("log_flood", FUEL, &[(507, "fuel_exhausted")]).await;
    let kept: usize = record["logs"].as_array().expect("logs").iter().map(|line| line.to_string().len()).sum();
    assert!(kept <= (256 << 10) + (64 << 10), "{kept} bytes kept");
    assert!(record["logs_dropped"].as_u64().is_some_and(|dropped| dropped > 0), "{}", record["logs_dropped"]);
}

/// Sources that must not get past the upload, or must not hurt when they do.
async fn refused_source(sources: Vec<String>) {
    let scene = Scene::set().await;
    scene
        .storm(async |n| {
            let source = sources[n % sources.len()].clone();
            let reply = scene.attacker.try_upload(&format!("u{n}"), &source, json!({})).await;
            Box::new(move || {
                let shown: String = source.chars().take(40).collect();
                let refused = reply.status == 422 || reply.status == 413 || reply.status == 507 || reply.status == 201;
                assert!(refused, "{shown}…: {} {}", reply.status, reply.text());
            }) as Box<dyn FnOnce() + Send>
        })
        .await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deep_expression() {
    let n = 100_000;
    let nested = |open: &str, close: &str| format!("{}1{}", open.repeat(n / open.len()), close.repeat(n / open.len()));
    let sources = vec![
        nested("(", ")"),
        nested("[", "]"),
        nested("{", "}"),
        nested("#{a:", "}"),
        nested("if true {", "}"),
        nested("-", ""),
        nested("!", ""),
        nested("f(", ")"),
        nested("|x|", ""),
        nested("`${", "}`"),
    ];
    let scene = Scene::set().await;
    for source in &sources[..4] {
        let refused = scene.attacker.try_upload("deep", source, json!({})).await.fails(422, "syntax_error");
        assert!(refused.details()["line"].is_u64(), "{}", refused.text());
    }
    scene.end().await;
    refused_source(sources).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn huge_source() {
    let cap = picloud::limits::SCRIPT_SOURCE_BYTES_MAX;
    let fill =
        |unit: &str, head: &str, tail: &str| format!("{head}{}{tail}", unit.repeat((cap - head.len() - tail.len()) / unit.len()));
    refused_source(vec![
        fill("1+", "", "1"),
        fill("let a=1;", "", ""),
        fill("1,", "[", "1]"),
        fill("fn f(){}", "", ""),
        fill("a.", "let a=1;", "b"),
        fill("/*", "", ""),
        fill("x", "\"", "\""),
        fill("a:1,", "#{", "}"),
        fill("if x{}else ", "", "{}"),
        fill("\u{0}", "", ""),
        "x".repeat(cap + 1),
        "y".repeat(1 << 21),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deep_json_body() {
    let scene = Scene::set().await;
    scene.attacker.deploy("/echo", "type_of(ctx.request.body)").await;
    let deep = [
        ("[".repeat(500_000), "string"),
        (format!("{}{}", "[".repeat(400_000), "]".repeat(400_000)), "string"),
        (format!("{}1{}", "{\"a\":".repeat(150_000), "}".repeat(150_000)), "string"),
        (format!("{}{}", "[".repeat(100), "]".repeat(100)), "array"),
    ];
    scene
        .storm(async |n| {
            let (body, expected) = deep[n % deep.len()].clone();
            let reply = scene.attacker.post("/echo", &body, "application/json").await;
            Box::new(move || assert_eq!((reply.status, reply.text()), (200, format!("\"{expected}\""))))
                as Box<dyn FnOnce() + Send>
        })
        .await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn header_bomb() {
    let scene = Scene::set().await;
    scene.attacker.deploy("/h", "ctx.request.headers.len()").await;
    let request =
        |headers: &str| format!("GET /h HTTP/1.1\r\nhost: attacker.localhost\r\nconnection: close\r\n{headers}\r\n").into_bytes();
    let bombs = [
        request(&(0..50_000).map(|n| format!("x-{n}: 1\r\n")).collect::<String>()),
        request(&format!("x-long: {}\r\n", "y".repeat(2 << 20))),
        request(&format!("cookie: {}\r\n", "a=b; ".repeat(100_000))),
        format!("GET /{} HTTP/1.1\r\nhost: attacker.localhost\r\nconnection: close\r\n\r\n", "p".repeat(1 << 20)).into_bytes(),
        b"GET /h HTTP/1.1\r\nhost: a\r\nhost: b\r\nconnection: close\r\n\r\n".to_vec(),
        b"GET /h HTTP/1.1\r\ncontent-length: 5\r\ncontent-length: 6\r\nhost: attacker.localhost\r\nconnection: close\r\n\r\nhello".to_vec(),
    ];
    let data = scene.server.client.data.clone();
    scene
        .storm(async |n| {
            let answer = raw::exchange(&data, &bombs[n % bombs.len()]).await;
            let n = n % bombs.len();
            Box::new(move || {
                let line = String::from_utf8_lossy(&answer[..answer.len().min(12)]).into_owned();
                // Either told that it is too much, or cut off; never run.
                assert!(answer.is_empty() || line.starts_with("HTTP/1.1 4"), "bomb {n}: {line}");
            }) as Box<dyn FnOnce() + Send>
        })
        .await;
    scene.end().await;
}
