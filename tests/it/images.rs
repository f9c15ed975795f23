//! Memory images: what is placed gives the same run as what was parsed, and what cannot be trusted is not placed.

use std::sync::Arc;

use picloud::clock::Clock;
use picloud::hostcall::Reach;
use picloud::id::{AppId, ExecutionId, RequestId, ScriptId};
use picloud::model::invocation::{Call, Deployed, InvocationType, Request};
use picloud::model::script::{Code, Limits};
use picloud::sandbox::image::MemoryImage;
use picloud::sandbox::{Program, Run, Sandbox};
use picloud::service::Services;
use picloud::wit::Extent;
use serde_json::json;

use crate::support::cluster::{Database, run};
use crate::support::{Tenant, TestApp, repository};

/// A sandbox without planes.
struct Bare {
    sandbox: Arc<Sandbox>,
    services: Arc<Services>,
    app_id: AppId,
    _database: Database,
}

impl Bare {
    async fn open() -> Self {
        let database = Database::create().await;
        let db = picloud::store::connect(database.url().parse().expect("a URL")).await.expect("a database");
        let app_id = AppId::at(Clock::system().now());
        let insert = "INSERT INTO apps (id, slug, name, created_at, updated_at) VALUES ($1, 'bare', 'bare', now(), now())";
        sqlx::query(insert).bind(app_id.0).execute(&db).await.expect("an app");
        let settings = crate::support::app::settings(&crate::support::cache_dir());
        let services = Arc::new(Services::connect(db, Clock::system(), settings).await.expect("services"));
        let sandbox = Arc::new(crate::support::app::sandbox(16, Clock::system()).await);
        Self { sandbox, services, app_id, _database: database }
    }

    /// The script with its image, as a stored version gives it.
    async fn program(&self, name: &str, source: &str) -> Program {
        let image = self.sandbox.image(&Code::alone(name, source)).await.expect("it can be prepared").expect("an image");
        let (program, refused) = self.sandbox.program(Code::alone(name, source), Some(&image));
        assert!(!refused && program.image.is_some());
        program
    }

    async fn run(&self, program: &Program, limits: Limits) -> Run {
        let script = Deployed {
            app_id: self.app_id,
            script_id: ScriptId(uuid::Uuid::nil()),
            version: 1,
            generation: 0,
            kind: Default::default(),
            name: program.code.name.clone(),
            limits,
        };
        let call = Call {
            execution_id: ExecutionId(uuid::Uuid::nil()),
            request_id: RequestId(uuid::Uuid::nil()),
            script: Arc::new(script),
            invocation_type: InvocationType::Http,
            request: Request { method: "GET".into(), path: "/".into(), query: "a=1".into(), ..Request::default() },
            delivered: None,
        };
        self.sandbox.run(program, call, Reach::alone(self.app_id, self.services.clone())).await
    }
}

/// What of a run must not depend on how the script came into memory.
fn essence(run: &Run) -> String {
    let logs: Vec<_> = run.logs.iter().map(|line| (line.level, &line.message, &line.data)).collect();
    format!(
        "{:?} fuel {} calls {} logs {:?} dropped {}",
        run.result, run.usage.fuel, run.usage.host_calls, logs, run.logs_dropped
    )
}

/// Scripts that use much of the language, and every attack.
fn corpus() -> Vec<(String, String)> {
    let hostile = repository().join("tests/it/scripts/hostile");
    let mut corpus: Vec<_> = std::fs::read_dir(hostile)
        .expect("scripts")
        .map(|entry| {
            let path = entry.expect("an entry").path();
            (path.file_stem().expect("a name").to_string_lossy().into_owned(), std::fs::read_to_string(path).expect("a script"))
        })
        // Memory bombs end where the allocator is, which a placed heap may move by a page.
        .filter(|(name, _)| {
            ![
                "string_doubling",
                "array_bomb",
                "map_bomb",
                "giant_allocation",
                "hash_flood",
                "kv_hammer",
                "deep_value",
                "response_bomb",
            ]
            .contains(&name.as_str())
        })
        .collect();
    for (n, source) in [
        "1 + 1",
        "ctx",
        "fn fib(n) { if n < 2 { n } else { fib(n - 1) + fib(n - 2) } } fib(12)",
        "let m = #{ a: [1, 2.5, 'c', \"s\", true, ()], b: |x| x + 1 }; m.b.call(m.a[0])",
        "let s = 0; for (x, i) in [5, 6, 7] { if x == 6 { continue; } s += x * i; } do { s -= 1; } while s > 10; s",
        "switch ctx.request.method { \"GET\" => 1, \"POST\" if true => 2, _ => 3 }",
        "const A = 40; let x = A + 2; `value ${x} and ${[1, 2].map(|v| v * 2)}`",
        "fn thrower(n) { if n == 0 { throw \"deep\"; } thrower(n - 1) } thrower(5)",
        "try { nothing() } catch (e) { `${e}` }",
        "let a = []; for i in range(0, 50, 3) { a.push(i); } a.filter(|x| x % 2 == 0).reduce(|acc, x| acc + x, 0)",
        "let x = 10; fn f(this_is_long_enough_to_be_interned) { this_is_long_enough_to_be_interned } f(x) in [10, 20]",
        "log::info(\"hello\", #{ a: 1 }); print(ctx.request.query.a); regex::find_all(\"[a-z]+\", \"ab cd\")",
        "let c = kv::collection(\"c\"); c.get(\"absent\")",
        "let i = 1; i <<= 4; i |= 3; i ^= 1; i -= 2; [i, i ** 2, i % 7, -i, !true, i in 0..100, 1.5e3, 0xff, 0b11, 'x'.to_upper()]",
    ]
    .into_iter()
    .enumerate()
    {
        corpus.push((format!("corpus-{n}"), source.to_owned()));
    }
    for functions in [60, 300] {
        let many: String = (0..functions)
            .map(|n| {
                format!("fn f{n}(a, b) {{ let x = #{{ n: {n}, s: \"text {n}\" }}; if a > b {{ a + {n} }} else {{ x.n + b }} }}\n")
            })
            .collect();
        corpus.push((format!("functions-{functions}"), format!("{many}\nf{}(1, 2)", functions - 1)));
    }
    corpus
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_placed_script_runs_as_a_parsed_one_to_the_last_unit_of_fuel() {
    let bare = Bare::open().await;
    let limits = Limits { fuel: 30_000_000, memory_mb: 16, timeout_ms: 20_000, ..Limits::default() };
    let mut compared = 0;
    for (name, source) in corpus() {
        let placed = bare.program(&name, &source).await;
        let parsed = Program { image: None, ..placed.clone() };
        let expected = bare.run(&parsed, limits).await;
        for _ in 0..3 {
            let run = bare.run(&placed, limits).await;
            assert!(!run.image_refused, "{name}");
            assert_eq!(essence(&run), essence(&expected), "{name}");
        }
        compared += 1;
    }
    assert!(compared >= 20, "{compared}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_image_serves_many_runs_at_once() {
    let bare = Arc::new(Bare::open().await);
    let program = Arc::new(
        bare.program("parallel", "fn add(m) { m.n += 1; m } let m = #{ n: 0 }; for i in 0..200 { m = add(m); } m.n").await,
    );
    let runs: Vec<_> = (0..16)
        .map(|_| {
            let (bare, program) = (bare.clone(), program.clone());
            tokio::spawn(async move { essence(&bare.run(&program, Limits::default()).await) })
        })
        .collect();
    let mut seen = std::collections::HashSet::new();
    for run in runs {
        seen.insert(run.await.expect("a run"));
    }
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert!(seen.iter().all(|essence| essence.contains("status: 200")), "{seen:?}");
}

/// The guest's own wall: extents that got past the host's judgement trap, and the run starts over without them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_extents_trap_and_the_script_runs_all_the_same() {
    let bare = Bare::open().await;
    let whole = bare.program("victim", "40 + 2").await;
    let layout = bare.sandbox.layout();
    let pages = layout.memory_bytes >> 16;
    let at = |address: u32, len: usize| MemoryImage { pages, extents: vec![Extent { address, bytes: vec![0xaa; len] }] };
    for (what, forged) in [
        ("the bottom of the stack", at(0, 8)),
        ("the whole stack", at(0, layout.data_start as usize)),
        ("the top of the stack", at(layout.data_start - 8, 8)),
        ("from the stack into the data", at(layout.data_start - 4, 8)),
        ("the control block", at(layout.control_start, 8)),
        ("the middle of the control block", at(layout.control_start + 64, 8)),
        ("around the control block", at(layout.control_start - 8, (layout.control_end - layout.control_start) as usize + 16)),
        ("the end of the control block", at(layout.control_end - 1, 8)),
        ("past what addresses can name", at(u32::MAX - 3, 8)),
        ("far past the memory", at(0xf000_0000, 8)),
        ("more pages than there may be", MemoryImage { pages: 60_000, extents: vec![] }),
    ] {
        let program = Program { image: Some(bare.sandbox.placement(forged)), ..whole.clone() };
        let run = bare.run(&program, Limits { memory_mb: 16, ..Limits::default() }).await;
        match &run.result {
            Ok(answer) => assert_eq!((answer.status, answer.body.as_slice()), (200, &b"42"[..]), "{what}"),
            // A memory that the script may not have is the script's bound, and says so.
            Err(failure) => {
                assert_eq!(failure.code, picloud::model::execution::FailureCode::MemoryExceeded, "{what}: {failure:?}")
            }
        }
    }
    let run = bare.run(&whole, Limits::default()).await;
    assert_eq!(run.result.expect("an answer").body, b"42", "nobody's next run has felt it");
}

/// What becomes of a sealed image on its way.
type Damage = Box<dyn Fn(&[u8]) -> Vec<u8>>;

async fn images(app: &TestApp, script_id: &str) -> Vec<(String, Vec<u8>)> {
    let mut db = app.database.connect().await;
    sqlx::query_as("SELECT component, sealed FROM images WHERE script_id = $1")
        .bind(script_id.parse::<uuid::Uuid>().expect("an id"))
        .fetch_all(&mut db)
        .await
        .expect("images")
}

async fn store(app: &TestApp, script_id: &str, sealed: &[u8]) {
    let mut db = app.database.connect().await;
    let stored = sqlx::query("UPDATE images SET sealed = $2 WHERE script_id = $1")
        .bind(script_id.parse::<uuid::Uuid>().expect("an id"))
        .bind(sealed)
        .execute(&mut db)
        .await
        .expect("images");
    assert_eq!(stored.rows_affected(), 1);
}

#[tokio::test]
async fn an_image_is_stored_with_its_version_for_this_component() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let script = shop.upload("s", "fn f() { 1 } f()").await;
    let stored = images(&app, &script.id).await;
    let version = crate::support::client::send(app.http.get(format!("{}/version", app.admin))).await.json();
    assert_eq!(stored.len(), 1);
    assert_eq!(json!(stored[0].0), version["component"]);
}

#[tokio::test]
async fn a_stored_image_that_cannot_be_trusted_is_made_anew() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let other = shop.upload("other", "fn f() { 666 } f() + 1").await;
    let foreign = images(&app, &other.id).await.remove(0).1;
    let deploy = async |n: usize| -> (Tenant, crate::support::client::Script, Vec<u8>) {
        let script = shop.deploy(&format!("/s{n}"), &format!("fn f() {{ {n} }} f() * 2")).await;
        let whole = images(&app, &script.id).await.remove(0).1;
        (shop.clone(), script, whole)
    };
    let mut n = 0;
    let damages: Vec<(&str, Damage)> = vec![
        ("nothing", Box::new(|_| Vec::new())),
        ("one byte", Box::new(|_| vec![7])),
        ("zeroes", Box::new(|whole| vec![0; whole.len()])),
        ("cut short", Box::new(|whole| whole[..whole.len() - 1].to_vec())),
        ("cut in half", Box::new(|whole| whole[..whole.len() / 2].to_vec())),
        ("one more byte", Box::new(|whole| [whole, &[0]].concat())),
        (
            "a flipped bit at the start",
            Box::new(|whole| {
                let mut bytes = whole.to_vec();
                bytes[0] ^= 1;
                bytes
            }),
        ),
        (
            "a flipped bit in the key",
            Box::new(|whole| {
                let mut bytes = whole.to_vec();
                bytes[20] ^= 1;
                bytes
            }),
        ),
        (
            "a flipped bit in the middle",
            Box::new(|whole| {
                let mut bytes = whole.to_vec();
                let at = bytes.len() / 2;
                bytes[at] ^= 1;
                bytes
            }),
        ),
        (
            "a flipped bit at the end",
            Box::new(|whole| {
                let mut bytes = whole.to_vec();
                let at = bytes.len() - 1;
                bytes[at] ^= 0x80;
                bytes
            }),
        ),
        ("another script's", Box::new(move |_| foreign.clone())),
    ];
    for (what, damage) in damages {
        n += 1;
        let (shop, script, whole) = deploy(n).await;
        store(&app, &script.id, &damage(&whole)).await;
        assert_eq!(shop.get(&format!("/s{n}")).await.expect(200).json(), json!(n * 2), "{what}");
        assert_eq!(images(&app, &script.id).await.remove(0).1, whole, "{what}: the same source gives the same image again");
    }
}

#[tokio::test]
async fn an_image_of_another_component_is_not_asked_for() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let script = shop.deploy("/s", "fn f() { 21 } f() * 2").await;
    let mut db = app.database.connect().await;
    run(&mut db, "UPDATE images SET component = repeat('ab', 32)").await;
    assert_eq!(shop.get("/s").await.expect(200).json(), 42);
    assert_eq!(images(&app, &script.id).await.len(), 2, "one for each component");
    run(&mut db, "DELETE FROM images").await;
    app.put(&format!("/admin/scripts/{}", script.id), json!({ "source": "43" })).await.expect(200);
    run(&mut db, "DELETE FROM images").await;
    assert_eq!(shop.get("/s").await.expect(200).json(), 43, "losing a row costs a preparation, nothing else");
    assert_eq!(images(&app, &script.id).await.len(), 1);
}
