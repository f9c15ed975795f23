//! What one invocation costs: a fresh instance from `Store::new` to its drop, against native Rhai in the same run.
//!
//!     cargo bench --bench invocation            # all
//!     cargo bench --bench invocation -- hello   # one
//!
//! Every figure is the p50 and p99 over many single calls on one thread, interleaved round by round so that a noisy
//! neighbour falls on all of them alike.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use picloud::clock::Clock;
use picloud::hostcall::Reach;
use picloud::id::{AppId, ExecutionId, RequestId, ScriptId};
use picloud::model::invocation::{Call, Deployed, InvocationType, Request};
use picloud::model::script::{Code, Limits};
use picloud::sandbox::probe::Probe;
use picloud::sandbox::{Program, Sandbox};
use picloud::service::{Services, Settings};
use rhai::{Dynamic, Engine, Map, Scope};

const HELLO: &str = r#"#{ statusCode: 200, body: #{ hello: ctx.request.path, n: 40 + 2 } }"#;
const LOGGING: &str = r#"log::info("hi"); #{ statusCode: 200, body: #{ hello: ctx.request.path, n: 40 + 2 } }"#;
const FIB: &str = "fn fib(n) { if n < 2 { n } else { fib(n - 1) + fib(n - 2) } } fib(25)";

/// The shape of a script with `n` functions of which one call uses one.
fn functions(n: usize) -> String {
    let mut source = String::new();
    for i in 0..n {
        source += &format!(
            "fn f{i}(a, b) {{ let x = a + b * {i}; if x > 100 {{ throw \"too big\" }} else {{ #{{ value: x, name: `n${{x}}` }} }} }}\n"
        );
    }
    source + "f3(1, 2)"
}

struct Script {
    name: &'static str,
    source: String,
    calls: usize,
}

struct Subject {
    script: Script,
    program: Program,
    native: Native,
    sandboxed: Vec<Duration>,
    native_times: Vec<Duration>,
}

/// The scripts take turns this many times: a machine that slows down for a while slows them all.
const ROUNDS: usize = 20;

fn main() {
    let filter: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let scripts = [
        Script { name: "hello", source: HELLO.to_owned(), calls: 50_000 },
        Script { name: "hello with a log line", source: LOGGING.to_owned(), calls: 50_000 },
        Script { name: "60 functions", source: functions(60), calls: 20_000 },
        Script { name: "300 functions", source: functions(300), calls: 10_000 },
        Script { name: "fib(25)", source: FIB.to_owned(), calls: 15 },
    ];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        // Kept from run to run: only the first compiles the component.
        let data_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sandbox");
        let pool = Probe::take().choose(None);
        let sandbox = Sandbox::open(&data_dir, pool, Clock::system(), &|line| eprintln!("{line}")).await.unwrap();
        let mut subjects = Vec::new();
        for script in
            scripts.into_iter().filter(|script| filter.is_empty() || filter.iter().any(|part| script.name.contains(part)))
        {
            subjects.push(Subject::new(&sandbox, script).await);
        }
        let db = sqlx::PgPool::connect_lazy("postgres://nobody@127.0.0.1:1/none").unwrap();
        let settings = Settings {
            apps_domain: "localhost".to_owned(),
            reserved_hosts: Vec::new(),
            data_dir,
            secret_key: None,
            egress: Default::default(),
            smtp: None,
        };
        let services = Services::new(db, Clock::system(), settings).unwrap();
        let reach = Reach::alone(AppId::at(Clock::system().now()), Arc::new(services));
        for round in 0..=ROUNDS {
            for subject in &mut subjects {
                subject.round(&sandbox, &reach, round > 0).await;
            }
        }
        println!(
            "{:24} {:>10} {:>10} {:>12} {:>12} {:>10} {:>12}",
            "script", "p50 µs", "p99 µs", "native p50", "native p99", "× hello", "× native"
        );
        let mut hello = None;
        for subject in &mut subjects {
            let (p50, p99, native_p50, native_p99) = (
                quantile(&mut subject.sandboxed, 0.50),
                quantile(&mut subject.sandboxed, 0.99),
                quantile(&mut subject.native_times, 0.50),
                quantile(&mut subject.native_times, 0.99),
            );
            let hello = *hello.get_or_insert(p50);
            println!(
                "{:24} {p50:>10.1} {p99:>10.1} {native_p50:>12.1} {native_p99:>12.1} {:>10.2} {:>12.2}",
                subject.script.name,
                p50 / hello,
                p50 / native_p50
            );
        }
    });
}

impl Subject {
    async fn new(sandbox: &Sandbox, script: Script) -> Self {
        let image = sandbox.image(&Code::alone("bench", &script.source)).await.unwrap().expect("the script has an image");
        let (program, _) = sandbox.program(Code::alone("bench", &script.source), Some(&image));
        let native = Native::new(&script.source);
        Self { script, program, native, sandboxed: Vec::new(), native_times: Vec::new() }
    }

    /// The first tenth of a round finds out of the caches what the scripts before it left there, and does not count.
    async fn round(&mut self, sandbox: &Sandbox, reach: &Reach, counts: bool) {
        let calls = self.script.calls.div_ceil(ROUNDS);
        for at in 0..calls + calls / 10 {
            let call = call();
            let reach = reach.clone();
            let started = Instant::now();
            run(sandbox, &self.program, call, reach).await;
            let sandboxed = started.elapsed();
            if counts && at >= calls / 10 {
                self.sandboxed.push(sandboxed);
            }
        }
        for at in 0..calls + calls / 10 {
            let started = Instant::now();
            // Without a logging library, the native engine cannot run the scripts that log.
            if !self.script.source.contains("log::") {
                self.native.run();
            }
            if counts && at >= calls / 10 {
                self.native_times.push(started.elapsed());
            }
        }
    }
}

async fn run(sandbox: &Sandbox, program: &Program, call: Call, reach: Reach) {
    let run = sandbox.run(program, call, reach).await;
    assert!(run.result.is_ok() && !run.image_refused, "{:?}", run.result);
    black_box(run.usage.fuel);
}

/// The predecessor's way: one engine, a cached AST, no wall between tenants.
struct Native {
    engine: Engine,
    ast: rhai::AST,
}

impl Native {
    fn new(source: &str) -> Self {
        let engine = Engine::new();
        let ast = engine.compile(source.replace("log::info(\"hi\");", "")).unwrap();
        Self { engine, ast }
    }

    fn run(&self) {
        let mut request = Map::new();
        request.insert("path".into(), "/hello".into());
        let mut ctx = Map::new();
        ctx.insert("request".into(), request.into());
        let mut scope = Scope::new();
        scope.push_constant("ctx", ctx);
        let _ = black_box(self.engine.eval_ast_with_scope::<Dynamic>(&mut scope, &self.ast).unwrap());
    }
}

fn call() -> Call {
    let now = Clock::system().now();
    let limits = Limits { fuel: 5_000_000_000, ..Limits::default() };
    let script = Deployed {
        app_id: AppId::at(now),
        script_id: ScriptId::at(now),
        version: 1,
        generation: 0,
        kind: Default::default(),
        name: "bench".to_owned(),
        limits,
    };
    Call {
        execution_id: ExecutionId::at(now),
        request_id: RequestId::at(now),
        script: Arc::new(script),
        invocation_type: InvocationType::Http,
        request: Request {
            method: "GET".to_owned(),
            path: "/hello".to_owned(),
            headers: vec![("host".to_owned(), "bench.localhost:8080".to_owned()), ("user-agent".to_owned(), "bench".to_owned())],
            remote_addr: "127.0.0.1".to_owned(),
            ..Request::default()
        },
        delivered: None,
    }
}

fn quantile(times: &mut [Duration], share: f64) -> f64 {
    times.sort_unstable();
    let index = ((times.len() as f64 * share) as usize).min(times.len() - 1);
    times[index].as_secs_f64() * 1e6
}
