//! What one invocation costs: a fresh instance from `Store::new` to its drop, against native Rhai in the same run.
//!
//!     cargo bench --bench invocation            # all
//!     cargo bench --bench invocation -- hello   # one
//!
//! Every figure is the p50 and p99 over many single calls on one thread, interleaved round by round so that a noisy
//! neighbour falls on all of them alike.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use picloud::clock::Clock;
use picloud::hostcall::Reach;
use picloud::id::{AppId, ExecutionId, RequestId, ScriptId};
use picloud::model::invocation::{Call, Deployed, InvocationType, Request};
use picloud::model::script::Limits;
use picloud::sandbox::probe::Probe;
use picloud::sandbox::{Program, Sandbox};
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

struct Subject {
    name: &'static str,
    source: String,
    rounds: usize,
}

fn main() {
    let filter: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let subjects = [
        Subject { name: "hello", source: HELLO.to_owned(), rounds: 20_000 },
        Subject { name: "hello with a log line", source: LOGGING.to_owned(), rounds: 20_000 },
        Subject { name: "60 functions", source: functions(60), rounds: 10_000 },
        Subject { name: "300 functions", source: functions(300), rounds: 5_000 },
        Subject { name: "fib(25)", source: FIB.to_owned(), rounds: 15 },
    ];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let data_dir = tempfile::tempdir().unwrap();
        let pool = Probe::take().choose(None);
        let sandbox = Sandbox::open(data_dir.path(), pool, Clock::system(), &|line| eprintln!("{line}")).await.unwrap();
        println!(
            "{:24} {:>10} {:>10} {:>12} {:>12} {:>10} {:>12}",
            "script", "p50 µs", "p99 µs", "native p50", "native p99", "× hello", "× native"
        );
        let mut hello = None;
        for subject in
            subjects.iter().filter(|subject| filter.is_empty() || filter.iter().any(|part| subject.name.contains(part)))
        {
            let (mut sandboxed, mut native) = measure(&sandbox, subject).await;
            let (p50, p99, native_p50, native_p99) = (
                quantile(&mut sandboxed, 0.50),
                quantile(&mut sandboxed, 0.99),
                quantile(&mut native, 0.50),
                quantile(&mut native, 0.99),
            );
            let hello = *hello.get_or_insert(p50);
            println!(
                "{:24} {p50:>10.1} {p99:>10.1} {native_p50:>12.1} {native_p99:>12.1} {:>10.2} {:>12.2}",
                subject.name,
                p50 / hello,
                p50 / native_p50
            );
        }
    });
}

async fn measure(sandbox: &Sandbox, subject: &Subject) -> (Vec<Duration>, Vec<Duration>) {
    let image = sandbox.image("bench", &subject.source).await.unwrap().expect("the script has an image");
    let (program, _) = sandbox.program("bench".to_owned(), subject.source.clone(), Some(&image));
    let native = Native::new(&subject.source);
    let (mut sandboxed_times, mut native_times) = (Vec::new(), Vec::new());
    for round in 0..subject.rounds + subject.rounds / 10 {
        let call = call();
        let reach =
            Reach { app_id: call.script.app_id, db: sqlx::PgPool::connect_lazy("postgres://nobody@127.0.0.1:1/none").unwrap() };
        let started = Instant::now();
        run(sandbox, &program, call, reach).await;
        let sandboxed = started.elapsed();
        let started = Instant::now();
        // Without a logging library, the native engine cannot run the scripts that log.
        if !subject.source.contains("log::") {
            native.run();
        }
        let native = started.elapsed();
        if round >= subject.rounds / 10 {
            sandboxed_times.push(sandboxed);
            native_times.push(native);
        }
    }
    (sandboxed_times, native_times)
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
    let script = Deployed { app_id: AppId::at(now), script_id: ScriptId::at(now), version: 1, name: "bench".to_owned(), limits };
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
    }
}

fn quantile(times: &mut [Duration], share: f64) -> f64 {
    times.sort_unstable();
    let index = ((times.len() as f64 * share) as usize).min(times.len() - 1);
    times[index].as_secs_f64() * 1e6
}
