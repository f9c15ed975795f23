//! Nothing that one instance wrote is there for another. A random mark is written all over memory, by runs that end in every way
//! that runs end; then, and meanwhile, it is looked for: from above by another app's scripts, from below in the memory of
//! fresh instances, and in the memory that they grow into.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use picloud::clock::Clock;
use picloud::hostcall::Reach;
use picloud::id::{AppId, ExecutionId, RequestId, ScriptId};
use picloud::model::execution::FailureCode;
use picloud::model::invocation::{Call, Deployed, InvocationType, Request};
use picloud::model::script::{Code, Image, Limits};
use picloud::sandbox::{Program, Run, Sandbox};
use picloud::service::Services;

use crate::support::cluster::{Database, run};

/// Places of the sandbox.
const PLACES: usize = 16;
/// Instances of another app that look.
const LOOKERS: usize = 1_000;
/// Memories of fresh instances that are looked at.
const MEMORIES: usize = 200;
const TIMEOUT_MS: u32 = 1_500;

/// A sandbox without planes, and two apps.
struct Bare {
    sandbox: Sandbox,
    services: Arc<Services>,
    database: Database,
    writer: AppId,
    looker: AppId,
}

impl Bare {
    async fn open() -> Self {
        let database = Database::create().await;
        let db = picloud::store::connect(database.url().parse().expect("a URL")).await.expect("a database");
        let now = Clock::system().now();
        let (writer, looker) = (AppId::at(now), AppId::at(now));
        for (slug, app) in [("writer", writer), ("looker", looker)] {
            let insert = "INSERT INTO apps (id, slug, name, created_at, updated_at) VALUES ($1, $2, $2, now(), now())";
            sqlx::query(insert).bind(app.0).bind(slug).execute(&db).await.expect("an app");
        }
        let settings = crate::support::app::settings(&crate::support::cache_dir());
        let services = Arc::new(Services::connect(db, Clock::system(), settings).await.expect("services"));
        let sandbox = crate::support::app::sandbox(PLACES, Clock::system()).await;
        Self { sandbox, services, database, writer, looker }
    }

    async fn run(&self, app_id: AppId, program: &Program, limits: Limits) -> Run {
        let script = Deployed {
            app_id,
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
            request: Request { method: "GET".to_owned(), path: "/".to_owned(), ..Request::default() },
            delivered: None,
        };
        self.sandbox.run(program, call, Reach::alone(app_id, self.services.clone())).await
    }

    /// The script with the image that is stored with it.
    async fn with_image(&self, source: String) -> Program {
        let code = Code::alone("large", source);
        let image = self.image(&code).await;
        let (program, refused) = self.sandbox.program(code, Some(&image));
        assert!(!refused && program.image.is_some());
        program
    }

    async fn image(&self, code: &Code) -> Image {
        self.sandbox.image(code).await.expect("it can be prepared").expect("an image")
    }

    async fn memory(&self) -> Vec<u8> {
        self.sandbox.fresh_memory().await.expect("a memory")
    }
}

/// So many functions: 300 leave an image that is mapped, 1 200 need more memory than an instance begins with.
fn functions(count: usize, mark: &str) -> String {
    let mut source = String::new();
    for n in 0..count {
        source += &format!(
            "fn f{n}(a, b) {{ let x = a + b * {n};
             if x > 100 {{ throw \"{mark}\" }} else {{ #{{ value: x, name: `{mark}${{x}}` }} }} }}\n"
        );
    }
    source
}

/// Fills strings, blobs, arrays and a map with the mark.
fn fill(mark: &str, number: u64) -> String {
    format!(
        r#"
        let s = "{mark}"; while s.len() < 65536 {{ s += s; }}
        let b = s.to_blob();
        let kept = [];
        for i in 0..100 {{ kept.push(s + i); let c = b; c += i; kept.push(c); }}
        for i in 0..20 {{ let a = []; a.pad(4096, {number}); kept.push(a); }}
        let m = #{{}}; for i in 0..500 {{ m[`{mark}${{i}}`] = s.sub_string(i, 64); }}
        "#
    )
}

/// How a run goes on once its memory is full, what it may use, and how it ends.
fn ways() -> Vec<(&'static str, Limits, Option<FailureCode>)> {
    let usual = Limits { fuel: 5_000_000_000, memory_mb: 64, timeout_ms: 60_000, ..Limits::default() };
    let hasty = Limits { fuel: 1_000_000_000_000, timeout_ms: TIMEOUT_MS, ..usual };
    let frugal = Limits { fuel: 2_000_000_000, ..usual };
    vec![
        ("kept.len()", usual, None),
        ("throw s;", usual, Some(FailureCode::ScriptError)),
        ("loop { kept.push(s + kept.len()); }", usual, Some(FailureCode::MemoryExceeded)),
        ("loop { b[b.len() - 1] = 7; }", frugal, Some(FailureCode::FuelExhausted)),
        ("loop { }", hasty, Some(FailureCode::DeadlineExceeded)),
        // Its table is locked meanwhile.
        (r#"kv::collection("c").get(s.sub_string(0, 500))"#, hasty, Some(FailureCode::DeadlineExceeded)),
    ]
}

/// All that another app's instance can see of memory that it has not written to.
const LOOKS: &str = "#{ statusCode: 200, body: blob(1048576) }";
static BLANK: [u8; 1 << 20] = [0; 1 << 20];

/// The same work many times, so many at once, each on whatever thread is free.
async fn often<F>(bare: &Arc<Bare>, count: usize, at_once: usize, work: fn(Arc<Bare>, usize) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let next = Arc::new(AtomicUsize::new(0));
    let workers: Vec<_> = (0..at_once)
        .map(|_| {
            let (bare, next) = (bare.clone(), next.clone());
            tokio::spawn(async move {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= count {
                        return;
                    }
                    work(bare.clone(), n).await;
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await.expect("nothing was found");
    }
}

async fn look(bare: Arc<Bare>, _: usize) {
    let program = Program { code: Code::alone("looks", LOOKS), image: None };
    let run = bare.run(bare.looker, &program, Limits::default()).await;
    let body = run.result.expect("an answer").body;
    assert!(body[..] == BLANK[..], "memory that somebody wrote to");
}

/// What a fresh instance has in memory, and how that goes on where an instance grows into more of it.
struct Untouched {
    memory: Vec<u8>,
    grown: (Code, Image),
}

impl Untouched {
    async fn of(bare: &Bare) -> Self {
        let code = Code::alone("grows", functions(1_200, "mark") + "1");
        let image = bare.image(&code).await;
        Self { memory: bare.memory().await, grown: (code, image) }
    }

    /// Looks at so many memories, and at some grown ones.
    async fn is_still_so(&self, bare: &Bare, mark: &str, memories: usize) {
        for n in 0..memories {
            let memory = bare.memory().await;
            if memory != self.memory {
                let found = memory.windows(mark.len()).any(|window| window == mark.as_bytes());
                panic!("a fresh instance has another memory than the first one; with the mark in it: {found}");
            }
            if n % 40 == 0 {
                // It is made of the difference to a fresh memory, twice, in instances of their own.
                assert!(bare.image(&self.grown.0).await == self.grown.1, "memory that an instance grew into was not blank");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_an_instance_wrote_is_there_for_another() {
    let bare = Arc::new(Bare::open().await);
    let untouched = Untouched::of(&bare).await;
    let mark = format!("{:032x}", rand::random::<u128>());
    let number = rand::random::<u64>() >> 1;
    let mut writers = Vec::new();
    for (end, limits, expected) in ways() {
        let source = fill(&mark, number) + end;
        let large = bare.with_image(functions(300, &mark) + &source).await;
        // This one is parsed in the instance that runs it.
        let small = Program { code: Code::alone("small", source), image: None };
        writers.extend([small, large].map(|program| (program, limits, expected)));
    }
    let writers = Arc::new(writers);

    let mut holder = bare.database.connect().await;
    run(&mut holder, "BEGIN; LOCK TABLE kv_entries IN ACCESS EXCLUSIVE MODE").await;
    for at_once in [PLACES, 3, PLACES] {
        let writing: Vec<_> = (0..at_once)
            .map(|n| {
                let (bare, writers) = (bare.clone(), writers.clone());
                tokio::spawn(async move {
                    for n in (n..writers.len()).step_by(at_once).chain([n % writers.len()]) {
                        let (program, limits, expected) = &writers[n];
                        let run = bare.run(bare.writer, program, *limits).await;
                        assert_eq!(run.result.as_ref().err().map(|failure| failure.code), *expected, "{n}: {:?}", run.result);
                        let peak = run.usage.memory_peak_bytes;
                        // Where time is short it may be over while memory is still being filled.
                        assert!(limits.timeout_ms == TIMEOUT_MS || peak > (8 << 20), "{n}: it had {peak} bytes");
                    }
                })
            })
            .collect();
        // Beside them, and after them, in places that they have just left.
        often(&bare, LOOKERS.div_ceil(6), 4, look).await;
        untouched.is_still_so(&bare, &mark, MEMORIES.div_ceil(6)).await;
        for writer in writing {
            writer.await.expect("a run ends as it should");
        }
        often(&bare, LOOKERS.div_ceil(6), PLACES, look).await;
        untouched.is_still_so(&bare, &mark, MEMORIES.div_ceil(6)).await;
    }
    run(&mut holder, "ROLLBACK").await;
}
