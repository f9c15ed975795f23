//! The guards of preparation and the bounds of a run, against real instances.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::OnceCell;
use uuid::Uuid;

use super::image::MemoryImage;
use super::probe::Probe;
use super::*;
use crate::id::{AppId, ExecutionId, RequestId, ScriptId};
use crate::limits::IMAGE_EXTENTS_MAX;
use crate::model::execution::FailureCode;
use crate::model::invocation::{Deployed, InvocationType, Request};
use crate::service::{self, Services};
use crate::wit::Extent;

const HELLO: &str = r#"#{ statusCode: 200, body: #{ path: ctx.request.path, n: 40 + 2 } }"#;
const MIXED: &str = r#"
    const K = 17;
    fn classify(x) { switch x % 4 { 0 => "zero", 1 => "one", 2 => "two", _ => throw `bad ${x}` } }
    let n = ctx.request.path.len();
    let out = #{ n: n, tags: [] };
    let add = |a, b| a * K + b;
    for i in 0..(n % 23) { out.tags.push(`t${i}`); out[`k${i}`] = add.call(i, n) % 1000; }
    try { classify(n * 4 + 3); } catch (e) { out.err = `${e}`; }
    out.f = n.to_float() / 3.0;
    out.re = regex::find_all("\\d+", "1 22 333");
    out.hash = crypto::sha256(json::stringify(out));
    out
"#;

/// Compiled once for the build directory, then mapped by every test process.
async fn sandbox() -> &'static Sandbox {
    static SANDBOX: OnceCell<Sandbox> = OnceCell::const_new();
    SANDBOX
        .get_or_init(|| async {
            let pool = Probe::take().choose(Some(24));
            Sandbox::open(&PathBuf::from(env!("OUT_DIR")), pool, Clock::system(), &|_| {}).await.unwrap()
        })
        .await
}

/// A fresh instance, with every export at hand.
async fn instance(sandbox: &Sandbox) -> (Store<Guest>, Script) {
    let (mut store, instance) = sandbox.instance(PREPARE_FUEL).await.unwrap();
    let script = Script::new(&mut store, &instance).unwrap();
    (store, script)
}

fn functions(n: usize) -> String {
    let mut source = String::new();
    for i in 0..n {
        source += &format!(
            "fn f{i}(a, b) {{ let x = a + b * {i}; if x > 100 {{ throw \"too big\" }} else {{ #{{ value: x, name: `n${{x}}` }} }} }}\n"
        );
    }
    source + "f3(1, 2)"
}

fn call(path: &str, limits: Limits) -> Call {
    Call {
        execution_id: ExecutionId(Uuid::nil()),
        request_id: RequestId(Uuid::nil()),
        script: Arc::new(Deployed {
            app_id: AppId(Uuid::nil()),
            script_id: ScriptId(Uuid::nil()),
            version: 1,
            generation: 0,
            kind: Default::default(),
            name: "test".to_owned(),
            limits,
        }),
        invocation_type: InvocationType::Http,
        request: Request { method: "GET".to_owned(), path: path.to_owned(), ..Request::default() },
        delivered: None,
    }
}

fn reach() -> Reach {
    let db = sqlx::PgPool::connect_lazy("postgres://nobody@127.0.0.1:1/none").unwrap();
    let settings = service::Settings {
        apps_domain: "localhost".to_owned(),
        reserved_hosts: Vec::new(),
        data_dir: PathBuf::from(env!("OUT_DIR")),
        secret_key: None,
        egress: Default::default(),
        smtp: None,
    };
    Reach::alone(AppId(Uuid::nil()), Arc::new(Services::new(db, Clock::system(), settings).unwrap()))
}

async fn with_image(source: &str) -> Program {
    let sandbox = sandbox().await;
    let image = sandbox.image(&Code::alone("test", source)).await.unwrap().unwrap();
    let (program, refused) = sandbox.program(Code::alone("test", source), Some(&image));
    assert!(!refused && program.image.is_some());
    program
}

fn without_image(source: &str) -> Program {
    Program { code: Code::alone("test", source), image: None }
}

async fn run(program: &Program, path: &str) -> Run {
    sandbox().await.run(program, call(path, Limits::default()), reach()).await
}

async fn code(source: &str, limits: Limits) -> FailureCode {
    let run = sandbox().await.run(&without_image(source), call("/", limits), reach()).await;
    run.result.unwrap_err().code
}

#[tokio::test]
async fn a_placed_run_gives_the_same_result_and_fuel_as_a_prepared_one() {
    for source in [
        HELLO.to_owned(),
        MIXED.to_owned(),
        functions(60),
        functions(300),
        "throw #{ a: [1, 2.5] };".to_owned(),
        "let a = []; a[3]".to_owned(),
    ] {
        let placed = with_image(&source).await;
        for path in ["/", "/a", "/some/longer/path"] {
            let (one, other) = (run(&placed, path).await, run(&without_image(&source), path).await);
            assert_eq!(one.result, other.result);
            assert_eq!(one.usage.fuel, other.usage.fuel, "{source}");
            assert!(!one.image_refused);
        }
    }
}

#[tokio::test]
async fn fuel_is_the_same_for_the_same_call() {
    let program = with_image(MIXED).await;
    let first = run(&program, "/x").await.usage.fuel;
    for _ in 0..50 {
        assert_eq!(run(&program, "/x").await.usage.fuel, first);
    }
}

#[tokio::test]
async fn an_image_of_a_script_that_grew_memory_is_placed() {
    let source = functions(1_200);
    let program = with_image(&source).await;
    let image = program.image.as_ref().unwrap();
    assert!(
        image.pages as usize * (64 << 10) > sandbox().await.layout().memory_bytes as usize,
        "the script does not grow memory: {} pages",
        image.pages
    );
    let run = run(&program, "/").await;
    assert!(run.result.is_ok() && !run.image_refused, "{:?}", run.result);
}

#[tokio::test]
async fn hostile_extents_trap_in_the_guest() {
    let sandbox = sandbox().await;
    let layout = *sandbox.layout();
    for (what, address, len) in [
        ("in the stack", 4096, 8),
        ("out of the stack into data", layout.data_start - 4, 8),
        ("in the control block", layout.control_start + 8, 8),
        ("into the control block from below", layout.control_start - 8, 16),
        ("out of the control block", layout.control_end - 8, 16),
        ("past the memory bound", 60 << 20, 8),
        ("past all addresses", 0xffff_fff0, 64),
    ] {
        let image = MemoryImage { pages: layout.memory_bytes >> 16, extents: vec![Extent { address, bytes: vec![0xff; len] }] };
        let (mut store, script) = instance(sandbox).await;
        assert!(script.call_place(&mut store, image.pages, &image.extents).await.is_err(), "{what}");
        // The same through the front door: refused, and the script still answers.
        let image = Some(sandbox.placement(image));
        let run = run(&Program { image, ..without_image(HELLO) }, "/").await;
        assert!(run.result.is_ok() && run.usage.fuel > 0, "{what}: {:?}", run.result);
        assert!(run.image_refused, "{what}");
    }
}

#[tokio::test]
async fn an_image_that_needs_more_pages_than_the_script_may_have_is_memory_exceeded() {
    let image = MemoryImage { pages: 33 << 4, extents: vec![] };
    let image = Some(sandbox().await.placement(image));
    let run = run(&Program { image, ..without_image(HELLO) }, "/").await;
    assert_eq!(run.result.unwrap_err().code, FailureCode::MemoryExceeded);
}

#[tokio::test]
async fn an_image_has_320_extents_at_most() {
    let sandbox = sandbox().await;
    let layout = *sandbox.layout();
    for (count, fits) in [(IMAGE_EXTENTS_MAX, true), (IMAGE_EXTENTS_MAX + 1, false)] {
        let extents: Vec<Extent> =
            (0..count as u32).map(|at| Extent { address: layout.control_end + 16 * at, bytes: vec![0; 8] }).collect();
        let (mut store, script) = instance(sandbox).await;
        let placed = script.call_place(&mut store, layout.memory_bytes >> 16, &extents).await;
        assert_eq!(placed.is_ok(), fits, "{count}");
    }
}

/// However a run with shared pages ends, nothing of it is left for the next instance in its place.
#[tokio::test]
async fn every_instance_starts_as_the_first_did() {
    let sandbox = sandbox().await;
    let fresh = async || {
        sandbox.preparing(async |store, instance| sandbox.exports.dump(store, instance).await.map(Ok)).await.unwrap().unwrap()
    };
    let first = fresh().await;
    let with = |end: &str| functions(300).replace("f3(1, 2)", end);
    let short = Limits { fuel: 20_000_000, memory_mb: 16, ..Limits::default() };
    for (end, limits, expected) in [
        ("let x = f3(1, 2); x.name += `y`; x", short, None),
        ("throw 1", short, Some(FailureCode::ScriptError)),
        ("loop {}", short, Some(FailureCode::FuelExhausted)),
        ("loop {}", Limits { fuel: 50_000_000_000, timeout_ms: 50, ..short }, Some(FailureCode::DeadlineExceeded)),
        (
            "let a = []; loop { a.push(a.len()); }",
            // As long as may be: it is the memory that ends it, on the slowest machine too.
            Limits { fuel: 50_000_000_000, timeout_ms: 300_000, ..short },
            Some(FailureCode::MemoryExceeded),
        ),
    ] {
        let program = with_image(&with(end)).await;
        assert!(program.image.as_ref().unwrap().mapped_bytes() > 0);
        for _ in 0..3 {
            let run = sandbox.run(&program, call("/", limits), reach()).await;
            assert_eq!(run.result.err().map(|failure| failure.code), expected, "{end}");
            assert!(fresh().await == first, "{end}");
        }
    }
}

#[tokio::test]
async fn the_protocol_has_one_order() {
    let sandbox = sandbox().await;
    let program = with_image(HELLO).await;
    let image = program.image.unwrap();
    let invocation = invocation(call("/", Limits::default()));

    let (mut store, script) = instance(sandbox).await;
    assert!(script.call_handle(&mut store, &invocation).await.is_err(), "handle while armed");

    let (mut store, script) = instance(sandbox).await;
    script.call_place(&mut store, image.pages, &image.copied).await.unwrap();
    assert!(script.call_place(&mut store, image.pages, &image.copied).await.is_err(), "placing twice");

    let (mut store, script) = instance(sandbox).await;
    script.call_check(&mut store, program::Kind::Endpoint, "test", HELLO).await.unwrap().unwrap();
    assert!(script.call_handle(&mut store, &invocation).await.is_err(), "handle without a script");
}

#[tokio::test]
async fn a_stored_image_that_cannot_be_trusted_is_refused_and_the_script_still_runs() {
    let sandbox = sandbox().await;
    let good = sandbox.image(&Code::alone("test", HELLO)).await.unwrap().unwrap();
    let sealed_for = |component: &str, layout: &Layout| {
        let key = image::key(component, layout, &Code::alone("test", HELLO));
        MemoryImage { pages: layout.memory_bytes >> 16, extents: vec![] }.seal(&key).unwrap()
    };
    let mut corrupt = good.sealed.clone();
    corrupt[60] ^= 0x10;
    let moved = Layout { control_end: sandbox.layout().control_end + 4096, ..*sandbox.layout() };
    for (what, sealed) in [
        ("corrupt", corrupt),
        ("truncated", good.sealed[..good.sealed.len() - 1].to_vec()),
        ("empty", Vec::new()),
        ("of another script", sandbox.image(&Code::alone("test", MIXED)).await.unwrap().unwrap().sealed),
        ("of another component", sealed_for("0000", sandbox.layout())),
        ("of another layout", sealed_for(sandbox.component(), &moved)),
    ] {
        let image = Image { component: good.component.clone(), sealed };
        let (program, refused) = sandbox.program(Code::alone("test", HELLO), Some(&image));
        assert!(refused && program.image.is_none(), "{what}");
        assert!(run(&program, "/").await.result.is_ok(), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn instances_in_parallel_do_not_meet() {
    let programs =
        Arc::new([with_image(HELLO).await, with_image(MIXED).await, with_image(&functions(60)).await, without_image(MIXED)]);
    let tasks: Vec<_> = (0..16usize)
        .map(|task| {
            let programs = programs.clone();
            crate::shutdown::spawn("test", async move {
                for round in 0..40 {
                    let program = &programs[(task + round * 3) % programs.len()];
                    let path = format!("/{task}/{round}");
                    let (one, other) = (run(program, &path).await, run(&without_image(&program.code.source), &path).await);
                    assert_eq!(one.result, other.result);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn each_bound_ends_with_its_own_word() {
    let small = Limits { fuel: 20_000_000, memory_mb: 16, timeout_ms: 10_000, ..Limits::default() };
    assert_eq!(code("loop {}", small).await, FailureCode::FuelExhausted);
    assert_eq!(code("try { loop {} } catch { 1 }", small).await, FailureCode::FuelExhausted);
    assert_eq!(
        code(r#"let s = "0123456789"; loop { s += s; }"#, Limits { fuel: 5_000_000_000, ..small }).await,
        FailureCode::MemoryExceeded
    );
    assert_eq!(code("loop {}", Limits { fuel: 50_000_000_000, timeout_ms: 50, ..small }).await, FailureCode::DeadlineExceeded);
    assert_eq!(code("fn f(n) { f(n + 1) } f(0)", small).await, FailureCode::ScriptError);
    assert_eq!(code("#{ statusCode: \"200\" }", small).await, FailureCode::InvalidResponse);
    assert_eq!(
        code("let s = \"x\"; for i in 0..22 { s += s; } s += \"x\"; #{ statusCode: 200, body: s }", Limits::default()).await,
        FailureCode::ResponseTooLarge
    );
}

#[tokio::test]
async fn asking_for_more_than_addresses_can_name_is_the_scripts_own_failure() {
    for source in [
        r#"let s = ""; s.pad(9000000000, "x"); s"#,
        "let b = blob(3000000000, 1); b.len()",
        r#"let s = "x"; s.pad(2147483647, "x"); s"#,
    ] {
        let code = code(source, Limits::default()).await;
        assert!(
            matches!(code, FailureCode::MemoryExceeded | FailureCode::ScriptError | FailureCode::FuelExhausted),
            "{source}: {code:?}"
        );
    }
}

#[tokio::test]
async fn a_checked_source_names_what_it_can_reach() {
    let sandbox = sandbox().await;
    for (source, expected) in [
        ("1", vec![]),
        ("print(1)", vec!["log"]),
        ("fn f() { let x = || kv::collection(\"a\"); x.call().get(\"b\") } if false { f() }", vec!["kv"]),
        ("log::info(`${kv::collection(\"a\").get(\"b\")}`)", vec!["kv", "log"]),
    ] {
        let checked = sandbox.check(Kind::Endpoint, "test", source).await.unwrap().unwrap();
        assert_eq!(checked.capabilities, expected, "{source}");
    }
}

#[tokio::test]
async fn a_source_that_does_not_parse_is_told_where() {
    let sandbox = sandbox().await;
    let found = sandbox.check(Kind::Endpoint, "test", "let a = 1;\nlet = 2;").await.unwrap().unwrap_err();
    assert_eq!((found.line, found.column), (Some(2), Some(5)), "{found:?}");
    for (kind, source) in [
        (Kind::Endpoint, "eval(\"1\")"),
        (Kind::Endpoint, "let name = ctx.x; import name as x; 1"),
        (Kind::Endpoint, "fn f() { nowhere::get(\"x\") }"),
        (Kind::Module, "fn f() { 1 } f()"),
    ] {
        assert!(sandbox.check(kind, "test", source).await.unwrap().is_err(), "{source}");
    }
    assert!(sandbox.check(Kind::Module, "test", "const A = 1; fn f() { 1 }").await.unwrap().is_ok());
}

#[tokio::test]
async fn an_artifact_that_cannot_be_trusted_is_built_again() {
    let dir = tempfile::tempdir().unwrap();
    let pool = Probe::take().choose(Some(2));
    let open = async || Sandbox::open(dir.path(), pool.clone(), Clock::system(), &|_| {}).await.unwrap();
    let first = open().await;
    assert!(first.was_built() && !open().await.was_built());
    let code = std::fs::read_dir(artifact_directory(dir.path()))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|end| end == "cwasm"))
        .unwrap();
    let (good, manifest) = (std::fs::read(&code).unwrap(), std::fs::read(code.with_extension("json")).unwrap());
    let mut corrupt = good.clone();
    let middle = corrupt.len() / 2;
    corrupt[middle] ^= 1;
    // A mapped file is never written in place: the running sandbox keeps its own.
    let replace = |bytes: &[u8]| {
        std::fs::remove_file(&code).unwrap();
        std::fs::write(&code, bytes).unwrap();
    };
    let distrusted = || artifact_state(&pool, dir.path()).unwrap().unwrap_err();
    replace(&good[..good.len() / 2]);
    assert_eq!(distrusted(), "it is damaged");
    std::fs::write(code.with_extension("json"), "{}").unwrap();
    assert!(distrusted().starts_with("its manifest"));
    std::fs::remove_file(code.with_extension("json")).unwrap();
    assert_eq!(distrusted(), "not built yet");
    replace(&corrupt);
    std::fs::write(code.with_extension("json"), &manifest).unwrap();
    assert_eq!(distrusted(), "it is damaged");
    let rebuilt = open().await;
    assert!(rebuilt.was_built() && rebuilt.component() == first.component());
    assert!(artifact_state(&pool, dir.path()).unwrap().is_ok());
}

#[tokio::test]
async fn only_so_many_wait_to_be_prepared() {
    let sandbox =
        Sandbox::open(&PathBuf::from(env!("OUT_DIR")), Probe::take().choose(Some(2)), Clock::system(), &|_| {}).await.unwrap();
    let waiting = sandbox.preparations_waiting.acquire_many(PREPARATIONS_WAITING_MAX as u32 - 1).await.unwrap();
    assert!(sandbox.check(Kind::Endpoint, "test", HELLO).await.is_ok());
    let last = sandbox.preparations_waiting.acquire().await.unwrap();
    assert_eq!(sandbox.check(Kind::Endpoint, "test", HELLO).await.unwrap_err().kind, error::Kind::Overloaded);
    drop((waiting, last));
    assert!(sandbox.check(Kind::Endpoint, "test", HELLO).await.is_ok());
}
