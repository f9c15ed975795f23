//! What was found, as tables and goals.

use super::{AXUM_NAME, Aside, HELLO_NAME, MANY, NATIVE_NAME, Scale, Subject};
use crate::support::figures::{Section, Spread, Table, count, significant};
use crate::support::wrk::Load;

const TEXT: &str = "\
Servers that answer a GET with the same JSON, `{\"hello\": path, \"n\": 42}`, each in a process of its own and called one \
after the other by `wrk` with one thread on the same cores, keep-alive; the others idle meanwhile, and every round begins \
with another. A round before the first does not count. `of bare axum` compares requests/s of the same round. `failed` are \
answers other than 2xx or 3xx, connections that broke and answers that took over two seconds. Memory is resident memory of \
the server and what it starts (VmRSS): two seconds after its first answer → at the end of its last load on 32 connections.\n\n\
- `bare axum`: a handler that makes the JSON.\n\
- `native Rhai in process`: such a server with the script evaluated on the blocking pool, engine and AST shared by all (the \
predecessor's way).\n\
- `PiCloud`: `picloud serve` with everything on: routing, admission, a fresh instance, fuel, a deadline, a record of each \
execution in PostgreSQL on the same cores. The next server waits until the records are written. `orders` is a script of \
some thirty lines that checks, prices and sums up orders (`peers/orders.rhai`); no other server has it.\n\
- `workerd`: a worker module, one thread, as the npm package comes. Requests of a worker share its isolate and its globals.\n\
- `deno`: `Deno.serve` in one process, one thread, allowed to listen and nothing else. **Nothing isolates its requests.**\n\
- `wasmtime serve`: the wasmtime that PiCloud has, built with the same profile, with a component of `wasi:http/proxy` in \
Rust that writes the JSON (no interpreter in it). Pooling allocator with PiCloud's kept memory, \
`--max-instance-reuse-count 1`: a fresh instance for each request. No fuel, no deadline, no records.\n\n\
What the servers do for an answer differs: the column of isolation says how. Goals: hello at least 0.55 of bare axum (0.35 as \
the first step) and what native Rhai in process has; ahead of workerd and of `wasmtime serve`.";

pub(super) fn section(scale: Scale, subjects: &[Subject], aside: &Aside) -> Section {
    let mut section = Section::new(20, "Beside other servers", TEXT);
    section.tables.push(many(scale, subjects, aside));
    section.tables.push(one(scale, subjects));
    let find = |name: &str| subjects.iter().find(|subject| subject.name == name);
    let Some(hello) = find(HELLO_NAME) else { return section };
    let goals = [
        (AXUM_NAME, "≥ 0.35 (first step)", 0.35, true),
        (AXUM_NAME, "≥ 0.55", 0.55, true),
        (NATIVE_NAME, "≥ 1", 1.0, true),
        ("workerd", "> 1", 1.0, false),
        ("wasmtime serve", "> 1", 1.0, false),
    ];
    for (name, goal, least, is_enough) in goals {
        let Some(other) = find(name) else { continue };
        let ratio = of(hello, other).median;
        let figure = format!("hello over HTTP on {MANY} connections, × the requests/s of {name}");
        let reached = if is_enough { ratio >= least } else { ratio > least };
        section.goal(&figure, goal, significant(ratio), reached);
    }
    section
}

fn many(scale: Scale, subjects: &[Subject], aside: &Aside) -> Table {
    let mut table = Table::new(
        &format!("{MANY} connections"),
        &[
            "server",
            "isolation between requests",
            "requests/s",
            "of bare axum",
            "p50 ms",
            "p99 ms",
            "failed",
            "memory idle → loaded, MiB",
        ],
    );
    let bare = subjects.iter().find(|subject| subject.name == AXUM_NAME);
    for subject in subjects {
        let spread = |value: fn(&Load) -> f64| Spread::of(subject.many.iter().map(value)).to_string();
        table.row([
            subject.name.to_owned(),
            subject.isolation.to_owned(),
            spread(|load| load.per_second),
            bare.map(|bare| of(subject, bare).to_string()).unwrap_or_default(),
            spread(|load| load.p50_ms),
            spread(|load| load.p99_ms),
            failed(&subject.many),
            format!("{} → {}", significant(subject.idle_mib), significant(subject.loaded_mib)),
        ]);
    }
    table.note = format!("{}.", rounds(scale.rounds, scale.many_s));
    if !aside.versions.is_empty() {
        table.note += &format!(" Versions: {}.", aside.versions.join(", "));
    }
    for absent in &aside.absent {
        table.note += &format!(" Left out is {absent}.");
    }
    let records = |name: &str| count(aside.recorder[name].as_u64().unwrap_or_default());
    table.note += &format!(
        " The two rows of PiCloud are one process; its PostgreSQL has {} → {} MiB besides (Pss of all its processes). Execution \
         records of both tables: {} written, {} dropped, {} over a quota.",
        significant(aside.database_idle_mib),
        significant(aside.database_loaded_mib),
        records("written"),
        records("dropped"),
        records("records_over_quota"),
    );
    table
}

fn one(scale: Scale, subjects: &[Subject]) -> Table {
    let mut table = Table::new("One connection: what a call takes at rest", &["server", "p50 µs", "p99 µs", "failed"]);
    for subject in subjects {
        let spread = |value: fn(&Load) -> f64| Spread::of(subject.one.iter().map(|load| value(load) * 1e3)).to_string();
        table.row([subject.name.to_owned(), spread(|load| load.p50_ms), spread(|load| load.p99_ms), failed(&subject.one)]);
    }
    table.note = format!("{}.", rounds(scale.rounds, scale.one_s));
    table
}

/// Requests/s of one to those of another, round by round.
fn of(subject: &Subject, other: &Subject) -> Spread {
    Spread::of(subject.many.iter().zip(&other.many).map(|(load, other)| load.per_second / other.per_second))
}

fn failed(loads: &[Load]) -> String {
    count(loads.iter().map(|load| load.failed).sum())
}

fn rounds(rounds: usize, seconds: u32) -> String {
    let s = if rounds == 1 { "" } else { "s" };
    format!("{rounds} round{s} of {seconds} s")
}
