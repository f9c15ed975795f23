//! What one invocation costs: a fresh instance from `Store::new` to its drop, against native Rhai in the same run.
//!
//!     cargo bench -- invocation           # all
//!     cargo bench -- invocation --quick   # a quarter of the calls; noisier
//!     cargo bench -- invocation hello     # one, told and not kept
//!
//! Every figure is the p50 and p99 over many single calls on one thread, interleaved round by round so that a noisy
//! neighbour falls on all of them alike.

use std::hint::black_box;
use std::time::Instant;

use picloud::hostcall::Reach;
use picloud::model::invocation::Call;
use picloud::model::script::Code;
use picloud::sandbox::{Program, Sandbox};

use crate::support::alone::{self, call};
use crate::support::asked::Asked;
use crate::support::figures::{Findings, Section, Spread, Table, significant};
use crate::support::native::Native;
use crate::support::scripts::{HELLO, functions};
use crate::support::{Failure, quantile};

const LOGGING: &str = r#"log::info("hi"); #{ statusCode: 200, body: #{ hello: ctx.request.path, n: 40 + 2 } }"#;
const FIB: &str = "fn fib(n) { if n < 2 { n } else { fib(n - 1) + fib(n - 2) } } fib(25)";

struct Script {
    name: &'static str,
    source: String,
    /// In all rounds of a whole run.
    calls: usize,
}

struct Subject {
    script: Script,
    program: Program,
    /// None for scripts that a native engine without our libraries cannot run.
    native: Option<Native>,
    sandboxed: Times,
    native_times: Times,
}

/// Microseconds.
#[derive(Default)]
struct Times {
    all: Vec<f64>,
    /// Of each round.
    p50s: Vec<f64>,
}

/// The scripts take turns this many times: a machine that slows down for a while slows them all.
const ROUNDS: usize = 20;
const ROUNDS_QUICK: usize = 5;

const TEXT: &str = "\
`Sandbox::run` on one thread, from the new store to its drop: fresh instance, memory image placed, fuel on, deadline set, \
answer read. Beside it native Rhai (with the `sync` feature, as a server must have it), engine built once and AST cached: \
no wall between tenants. `60 functions` and `300 functions` are scripts of 6 and 32 KiB of which one call uses one \
function. The scripts take turns, round by round, in the same places of one pool: each meets what the others left there. \
The compiled component stays in the target directory.\n\n\
p50 and p99 are of all calls; in brackets the least and the most of the rounds' p50. `× hello` and `× native` compare p50.\n\n\
Goals: hello at most 30 µs, 60 functions at most 1.5 × and 300 at most 5 × hello, `fib(25)` at most 1.2 × native.";

/// Scripts with what they may cost, of what.
const GOALS: [(&str, Bound); 4] = [
    (HELLO_NAME, Bound::Microseconds(30.0)),
    ("60 functions", Bound::OfHello(1.5)),
    ("300 functions", Bound::OfHello(5.0)),
    (FIB_NAME, Bound::OfNative(1.2)),
];
const HELLO_NAME: &str = "hello";
const FIB_NAME: &str = "fib(25)";

/// The most that a p50 may be.
enum Bound {
    Microseconds(f64),
    OfHello(f64),
    OfNative(f64),
}

pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let asked = Asked::of_words(arguments)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(bench(&asked))
}

async fn bench(asked: &Asked<'_>) -> Result<(), Failure> {
    let scripts = [
        Script { name: HELLO_NAME, source: HELLO.to_owned(), calls: 50_000 },
        Script { name: "hello with a log line", source: LOGGING.to_owned(), calls: 50_000 },
        Script { name: "60 functions", source: functions(60), calls: 20_000 },
        Script { name: "300 functions", source: functions(300), calls: 10_000 },
        Script { name: FIB_NAME, source: FIB.to_owned(), calls: 15 },
    ];
    let (sandbox, reach) = alone::open().await?;
    let mut subjects = Vec::new();
    for script in scripts.into_iter().filter(|script| asked.matches(script.name)) {
        subjects.push(Subject::new(&sandbox, script).await?);
    }
    if subjects.is_empty() {
        return Err(format!("no script has any of {:?} in its name", asked.names).into());
    }
    let rounds = if asked.is_quick { ROUNDS_QUICK } else { ROUNDS };
    for round in 0..=rounds {
        eprintln!("round {round} of {rounds}");
        for subject in &mut subjects {
            subject.round(&sandbox, &reach, round > 0).await;
        }
    }
    Findings::tell("invocation", asked, vec![section(&mut subjects, rounds)])
}

fn section(subjects: &mut [Subject], rounds: usize) -> Section {
    let mut section = Section::new(10, "One invocation", TEXT);
    let mut table = Table::new("", &["script", "p50 µs", "p99 µs", "× hello", "native p50 µs", "native p99 µs", "× native"]);
    let hello = subjects.iter_mut().find(|subject| subject.script.name == HELLO_NAME);
    let hello = hello.map(|subject| subject.sandboxed.p50().median);
    for Subject { script, sandboxed, native_times, .. } in subjects {
        let (p50, native_p50) = (sandboxed.p50(), native_times.p50());
        let of_hello = p50.median / hello.unwrap_or(f64::NAN);
        let of_native = p50.median / native_p50.median;
        table.row([
            script.name.to_owned(),
            p50.to_string(),
            significant(sandboxed.p99()),
            significant(of_hello),
            native_p50.to_string(),
            significant(native_times.p99()),
            significant(of_native),
        ]);
        let Some((_, bound)) = GOALS.iter().find(|(name, _)| *name == script.name) else { continue };
        let (most, unit, measured) = match bound {
            Bound::Microseconds(most) => (*most, "µs", p50.median),
            Bound::OfHello(most) => (*most, "× hello", of_hello),
            Bound::OfNative(most) => (*most, "× native", of_native),
        };
        if measured.is_finite() {
            let figure = format!("one invocation of {}, p50", script.name);
            section.goal(&figure, &format!("≤ {most} {unit}"), format!("{} {unit}", significant(measured)), measured <= most);
        }
    }
    table.note = format!("{rounds} rounds.");
    section.tables.push(table);
    section
}

impl Subject {
    async fn new(sandbox: &Sandbox, script: Script) -> Result<Self, Failure> {
        let code = Code::alone("bench", &script.source);
        let image = sandbox.image(&code).await?.ok_or_else(|| format!("{} has no image", script.name))?;
        let (program, _) = sandbox.program(code, Some(&image));
        let native = if script.source.contains("log::") { None } else { Some(Native::new(&script.source)?) };
        Ok(Self { script, program, native, sandboxed: Times::default(), native_times: Times::default() })
    }

    /// The first tenth of a round finds out of the caches what the scripts before it left there, and does not count.
    async fn round(&mut self, sandbox: &Sandbox, reach: &Reach, counts: bool) {
        let calls = self.script.calls.div_ceil(ROUNDS);
        let (mut sandboxed, mut native) = (Vec::new(), Vec::new());
        for at in 0..calls + calls / 10 {
            let call = call();
            let reach = reach.clone();
            let started = Instant::now();
            once(sandbox, &self.program, call, reach).await;
            let took = started.elapsed();
            if at >= calls / 10 {
                sandboxed.push(took.as_secs_f64() * 1e6);
            }
        }
        if let Some(engine) = &self.native {
            for at in 0..calls + calls / 10 {
                let started = Instant::now();
                drop(black_box(engine.call("/hello")));
                let took = started.elapsed();
                if at >= calls / 10 {
                    native.push(took.as_secs_f64() * 1e6);
                }
            }
        }
        if counts {
            self.sandboxed.absorb(sandboxed);
            self.native_times.absorb(native);
        }
    }
}

impl Times {
    fn absorb(&mut self, mut round: Vec<f64>) {
        self.p50s.push(quantile(&mut round, 0.5));
        self.all.extend(round);
    }

    /// Of all calls; least and most are of the rounds.
    fn p50(&mut self) -> Spread {
        Spread { median: quantile(&mut self.all, 0.5), ..Spread::of(self.p50s.iter().copied()) }
    }

    fn p99(&mut self) -> f64 {
        quantile(&mut self.all, 0.99)
    }
}

async fn once(sandbox: &Sandbox, program: &Program, call: Call, reach: Reach) {
    let run = sandbox.run(program, call, reach).await;
    assert!(run.result.is_ok() && !run.image_refused, "{:?}", run.result);
    black_box(run.usage.fuel);
}
