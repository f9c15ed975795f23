//! What a script of many functions costs: its image, a call that uses one of them, its publication.
//!
//!     cargo bench -- prepare           # about two minutes
//!     cargo bench -- prepare --quick   # half a minute; noisier
//!
//! Needs the PostgreSQL binaries. Images and calls are measured in process, on one thread; publications on a node.

use std::hint::black_box;
use std::time::{Duration, Instant};

use picloud::hostcall::Reach;
use picloud::limits;
use picloud::model::script::Code;
use picloud::sandbox::image::{self, MemoryImage};
use picloud::sandbox::{Program, Sandbox};
use serde_json::json;
use sqlx::Connection;

use crate::support::alone::{self, call};
use crate::support::asked::Asked;
use crate::support::figures::{Axis, Findings, Line, Plot, Section, Spread, Table, significant};
use crate::support::ground::Ground;
use crate::support::scripts::{HELLO, functions};
use crate::support::{Client, Failure, quantile};

const SIZES: [usize; 7] = [1, 10, 50, 100, 200, 300, 500];
/// What a call of the largest script may cost, of hello.
const GOAL: f64 = 3.0;
/// Calls of one turn at least, however long they take.
const TURN_CALLS_MIN: usize = 3;

/// How long everything takes.
#[derive(Debug, Clone, Copy)]
struct Scale {
    /// Turns of each script.
    rounds: usize,
    turn: Duration,
    /// How often an image is made and opened, and how many versions are published.
    repeats: usize,
}

pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let asked = Asked::of_parts(arguments, &[])?;
    let (rounds, turn_ms, repeats) = if asked.is_quick { (5, 50, 5) } else { (20, 100, 20) };
    let scale = Scale { rounds, turn: Duration::from_millis(turn_ms), repeats };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let subjects = runtime.block_on(async {
        let mut subjects = called(scale).await?;
        publish(scale, &mut subjects).await?;
        Ok::<_, Failure>(subjects)
    })?;
    Findings::tell("prepare", &asked, vec![section(scale, subjects)])
}

/// A script, and what was found of it.
struct Subject {
    /// None: hello.
    functions: Option<usize>,
    source: String,
    /// What a call places, and the memory it is placed in, in pages of 64 KiB.
    image_bytes: usize,
    pages: u32,
    made_ms: Vec<f64>,
    opened_ms: Vec<f64>,
    with_image: Way,
    parsed: Way,
    /// The image in the database.
    stored_bytes: i64,
    published_ms: Vec<f64>,
}

/// A way to run a script.
struct Way {
    program: Program,
    /// Every call that counts.
    calls_us: Vec<f64>,
    /// The p50 of each turn.
    turns_us: Vec<f64>,
}

impl Subject {
    async fn new(sandbox: &Sandbox, functions_in: Option<usize>, repeats: usize) -> Result<Self, Failure> {
        let source = functions_in.map_or_else(|| HELLO.to_owned(), functions);
        let code = Code::alone("bench", &source);
        let (mut made_ms, mut opened_ms) = (Vec::new(), Vec::new());
        let mut made = None;
        for _ in 0..repeats {
            let began = Instant::now();
            made = sandbox.image(&code).await?;
            made_ms.push(ms_since(began));
        }
        let made = made.ok_or("the script has no image")?;
        let mut opened = None;
        for _ in 0..repeats {
            let copy = code.clone();
            let began = Instant::now();
            opened = Some(sandbox.program(copy, Some(&made)).0);
            opened_ms.push(ms_since(began));
        }
        let program = opened.filter(|program| program.image.is_some()).ok_or("the image was refused")?;
        let key = image::key(sandbox.component(), sandbox.layout(), &code);
        let memory_max = limits::MEMORY_MB_CEILING as usize * limits::MIB as usize;
        let memory = MemoryImage::open(&made.sealed, &key, sandbox.layout(), memory_max)?;
        Ok(Self {
            functions: functions_in,
            source,
            image_bytes: memory.bytes(),
            pages: memory.pages,
            made_ms,
            opened_ms,
            with_image: Way::new(program),
            parsed: Way::new(sandbox.program(code, None).0),
            stored_bytes: 0,
            published_ms: Vec::new(),
        })
    }

    fn name(&self) -> String {
        self.functions.map_or_else(|| "hello".to_owned(), |n| n.to_string())
    }
}

impl Way {
    fn new(program: Program) -> Self {
        Self { program, calls_us: Vec::new(), turns_us: Vec::new() }
    }

    /// The first call, and the first tenth of the time, find out of the caches what others left there, and do not count.
    async fn turn(&mut self, sandbox: &Sandbox, reach: &Reach, time: Duration, counts: bool) -> Result<(), Failure> {
        let began = Instant::now();
        let mut turn = Vec::new();
        let mut calls = 0;
        while calls < TURN_CALLS_MIN || began.elapsed() < time {
            let (call, reach) = (call(), reach.clone());
            let started = Instant::now();
            let run = sandbox.run(&self.program, call, reach).await;
            let took_us = started.elapsed().as_secs_f64() * 1e6;
            if let Err(failure) = &run.result {
                return Err(format!("a call failed: {failure:?}").into());
            }
            if run.image_refused {
                return Err("an image could not be placed".into());
            }
            black_box(run.usage.fuel);
            if calls > 0 && started.duration_since(began) > time / 10 {
                turn.push(took_us);
            }
            calls += 1;
        }
        if counts {
            self.turns_us.push(quantile(&mut turn, 0.5));
            self.calls_us.append(&mut turn);
        }
        Ok(())
    }

    fn p50(&self) -> Spread {
        Spread::of(self.turns_us.iter().copied())
    }
}

/// Images and calls, in process.
async fn called(scale: Scale) -> Result<Vec<Subject>, Failure> {
    let (sandbox, reach) = alone::open().await?;
    eprintln!("images: made {} times each", scale.repeats);
    let mut subjects = Vec::new();
    for functions_in in std::iter::once(None).chain(SIZES.map(Some)) {
        subjects.push(Subject::new(&sandbox, functions_in, scale.repeats).await?);
    }
    for round in 0..=scale.rounds {
        eprintln!("calls: round {round} of {}", scale.rounds);
        for subject in &mut subjects {
            for way in [&mut subject.with_image, &mut subject.parsed] {
                way.turn(&sandbox, &reach, scale.turn, round > 0).await?;
            }
        }
    }
    Ok(subjects)
}

/// Each script on a node, and so many further versions of it; the scripts take turns.
async fn publish(scale: Scale, subjects: &mut [Subject]) -> Result<(), Failure> {
    eprintln!("publications: {} versions of each script", scale.repeats);
    let ground = Ground::open().await?;
    let (node, _) = ground.start().await?;
    let client = Client::login(&node).await?;
    let mut db = ground.connect().await?;
    let app = client.post("/api/v1/admin/apps", json!({ "slug": "bench", "name": "Bench" })).await?;
    let mut ids = Vec::new();
    for subject in subjects.iter_mut() {
        let script = client.upload(&app, &format!("with-{}", subject.name()), &subject.source).await?;
        let id = script["id"].as_str().unwrap_or_default().to_owned();
        subject.stored_bytes = sqlx::query_scalar("SELECT octet_length(sealed)::bigint FROM images WHERE script_id = $1")
            .bind(id.parse::<uuid::Uuid>()?)
            .fetch_one(&mut db)
            .await?;
        ids.push(id);
    }
    for version in 1..=scale.repeats {
        for (subject, id) in subjects.iter_mut().zip(&ids) {
            let body = json!({ "source": format!("{} // {version}", subject.source) });
            let began = Instant::now();
            client.put(&format!("/api/v1/admin/scripts/{id}"), body).await?;
            subject.published_ms.push(ms_since(began));
        }
    }
    db.close().await?;
    node.stop().await?;
    ground.close().await;
    Ok(())
}

fn section(scale: Scale, mut subjects: Vec<Subject>) -> Section {
    let mut section = Section::new(70, "Scripts by size", &text(scale));
    section.tables.push(images(&mut subjects));
    section.tables.push(calls(&mut subjects));
    let p50_us = |subject: &Subject| subject.with_image.p50().median;
    if let [hello, .., largest] = subjects.as_slice() {
        let ratio = p50_us(largest) / p50_us(hello);
        section.goal(
            &format!("one invocation, one function of {} used: p50 against hello", largest.name()),
            &format!("≤ {GOAL} ×"),
            format!("{} ×", significant(ratio)),
            ratio <= GOAL,
        );
    }
    section.plots = plots(&subjects);
    section
}

fn text(scale: Scale) -> String {
    let (largest, repeats) = (SIZES[SIZES.len() - 1], scale.repeats);
    format!(
        "Scripts of 1 to {largest} functions of which a call uses one; beside them hello. In process, on one thread: how \
         long the image takes to make (the source is prepared twice and both results are compared; p50 of {repeats}) and \
         to open (checked, decompressed, put where calls find it: what the first call after a start pays), then \
         `Sandbox::run` from the new store to its drop, each script with its image and without one, which means that its \
         source is parsed in each instance. The scripts take {} turns of {} ms in the same places of one pool; p50 is the \
         median of the turns' (least–most), p99 is over all calls.\n\n\
         `image` is what preparing changed in the memory of a fresh instance, which each call places in its own; long \
         runs of it on blank pages, from {} KiB, are mapped rather than copied. `stored` is the same in the database \
         (zstd). `memory` is that of the prepared instance. `published` is a new version by the API, whole: checked, \
         prepared, stored, made the active one (p50 and p99 of {repeats}; client, node and database share the machine).\n\n\
         The goal is that size does not cost: a call of one function of {largest} is at most {GOAL} × of hello.",
        scale.rounds,
        scale.turn.as_millis(),
        limits::IMAGE_MAPPED_BYTES_MIN >> 10,
    )
}

fn images(subjects: &mut [Subject]) -> Table {
    let mut table = Table::new(
        "What is kept of a script",
        &[
            "functions",
            "source, KiB",
            "image, KiB",
            "stored, KiB",
            "memory, pages of 64 KiB",
            "image made, ms",
            "opened, ms",
            "published p50 ms",
            "p99 ms",
            "× hello",
        ],
    );
    let mut hello_ms = None;
    for subject in subjects {
        let published_ms = quantile(&mut subject.published_ms, 0.5);
        let hello_ms = *hello_ms.get_or_insert(published_ms);
        table.row([
            subject.name(),
            significant(kib(subject.source.len())),
            significant(kib(subject.image_bytes)),
            significant(subject.stored_bytes as f64 / 1024.0),
            subject.pages.to_string(),
            significant(quantile(&mut subject.made_ms, 0.5)),
            significant(quantile(&mut subject.opened_ms, 0.5)),
            significant(published_ms),
            significant(quantile(&mut subject.published_ms, 0.99)),
            significant(published_ms / hello_ms),
        ]);
    }
    table
}

fn calls(subjects: &mut [Subject]) -> Table {
    let mut table = Table::new(
        "One call that uses one function",
        &["functions", "p50 µs", "p99 µs", "× hello", "parsed: p50 µs", "parsed: p99 µs", "parsed × image"],
    );
    let mut hello_us = None;
    for subject in subjects {
        let (with_image, parsed) = (subject.with_image.p50(), subject.parsed.p50());
        let hello_us = *hello_us.get_or_insert(with_image.median);
        table.row([
            subject.name(),
            with_image.to_string(),
            significant(quantile(&mut subject.with_image.calls_us, 0.99)),
            significant(with_image.median / hello_us),
            parsed.to_string(),
            significant(quantile(&mut subject.parsed.calls_us, 0.99)),
            significant(parsed.median / with_image.median),
        ]);
    }
    table
}

fn plots(subjects: &[Subject]) -> Vec<Plot> {
    let sized = || subjects.iter().filter_map(|subject| Some((subject.functions? as f64, subject)));
    let line = |name: &str, value: &dyn Fn(&Subject) -> f64| {
        Line::new(name, sized().map(|(functions, subject)| (functions, value(subject))))
    };
    let plot = |name: &str, title: &str, y: Axis, lines| Plot::new((name, title), Axis::straight("functions"), y, lines);
    let hello_us = subjects.first().map_or(f64::NAN, |hello| hello.with_image.p50().median);
    let p50 = |values: &[f64]| quantile(&mut values.to_vec(), 0.5);
    vec![
        plot(
            "prepare-invocation",
            "One call that uses one function",
            Axis::logarithmic("p50, µs"),
            vec![
                line("with its image", &|subject| subject.with_image.p50().median),
                line("parsed in each instance", &|subject| subject.parsed.p50().median),
                line("hello", &|_| hello_us),
            ],
        ),
        plot(
            "prepare-stored",
            "What is kept of a script",
            Axis::logarithmic("KiB"),
            vec![
                line("source", &|subject| kib(subject.source.len())),
                line("image as stored", &|subject| subject.stored_bytes as f64 / 1024.0),
                line("image", &|subject| kib(subject.image_bytes)),
            ],
        ),
        plot(
            "prepare-publish",
            "Publishing a version",
            Axis::straight("p50, ms"),
            vec![
                line("by the API", &|subject| p50(&subject.published_ms)),
                line("of it the image", &|subject| p50(&subject.made_ms)),
            ],
        ),
    ]
}

fn kib(bytes: usize) -> f64 {
    bytes as f64 / 1024.0
}

fn ms_since(began: Instant) -> f64 {
    began.elapsed().as_secs_f64() * 1e3
}
