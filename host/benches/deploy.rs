//! What a change costs: a manifest of 200 scripts of which one, or all, are other than before; planned, applied, put back.
//!
//!     cargo bench -- deploy           # about two minutes
//!     cargo bench -- deploy --quick   # half a minute; noisier
//!
//! Needs the PostgreSQL binaries. Node and database share the machine. The baseline is one script published alone, by the API.

use std::time::Instant;

use serde_json::{Map, Value, json};

use crate::support::asked::Asked;
use crate::support::figures::{Findings, Section, Spread, Table, significant};
use crate::support::ground::Ground;
use crate::support::scripts::steps;
use crate::support::{Client, Failure, quantile};

const SCRIPTS: usize = 200;
const GOAL_MS: f64 = 5_000.0;

const TEXT: &str = "\
A manifest of 200 scripts of 2 KiB with a route each, and a module that half of them import, through `POST \
/api/v1/admin/apps/{app}/deployments`; node and database on the same cores. A round changes one script, then the module, \
then all scripts, and applies each. Then plans of which all scripts are other (tried and undone) and rollbacks, each of \
what the step before changed. `× one` is of the p50 of one script of that size published alone by the API in the same run.\n\n\
Goal: 200 scripts in one manifest in less than 5 s (p99).";

pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let asked = Asked::of_parts(arguments, &[])?;
    tokio::runtime::Runtime::new()?.block_on(bench(&asked))
}

async fn bench(asked: &Asked<'_>) -> Result<(), Failure> {
    let rounds = if asked.is_quick { 5 } else { 25 };
    let ground = Ground::open().await?;
    let (node, _) = ground.start().await?;
    let client = Client::login(&node).await?;
    client.post("/api/v1/admin/apps", json!({ "slug": "bench", "name": "Bench" })).await?;

    let mut edits = Edits::default();
    let apply = async |edits: &Edits| -> Result<(f64, usize), Failure> {
        let body = json!({ "manifest": manifest(edits) });
        let began = Instant::now();
        let applied = client.post("/api/v1/admin/apps/bench/deployments", body).await?;
        Ok((began.elapsed().as_secs_f64() * 1e3, applied["changes"].as_array().map_or(0, Vec::len)))
    };
    let (first, made) = apply(&edits).await?;
    eprintln!("made, {made} changes; now {rounds} rounds of three changes");
    let (mut one, mut all, mut module) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        edits.first += 1;
        one.push(apply(&edits).await?.0);
        edits.module += 1;
        module.push(apply(&edits).await?.0);
        edits.all += 1;
        all.push(apply(&edits).await?.0);
    }
    eprintln!("plans and rollbacks");
    let mut plans = Vec::new();
    for round in 1..=rounds {
        let body = json!({ "manifest": manifest(&Edits { all: edits.all + round, ..edits }) });
        let began = Instant::now();
        client.post("/api/v1/admin/apps/bench/plan", body).await?;
        plans.push(began.elapsed().as_secs_f64() * 1e3);
    }
    let mut back = Vec::new();
    for _ in 0..rounds {
        let began = Instant::now();
        client.post("/api/v1/admin/apps/bench/rollback", json!({})).await?;
        back.push(began.elapsed().as_secs_f64() * 1e3);
    }
    let alone = client.post("/api/v1/admin/apps", json!({ "slug": "alone", "name": "Alone" })).await?;
    let script = client.upload(&alone, "alone", &source(0, 0)).await?;
    let path = format!("/api/v1/admin/scripts/{}", script["id"].as_str().unwrap_or_default());
    let mut published = Vec::new();
    for edit in 1..=rounds {
        let began = Instant::now();
        client.put(&path, json!({ "source": source(0, edit) })).await?;
        published.push(began.elapsed().as_secs_f64() * 1e3);
    }
    node.stop().await?;
    ground.close().await;

    let mut table = Table::new("", &["change", "p50 ms (least–most)", "p99 ms", "× one"]);
    let baseline = quantile(&mut published, 0.5);
    for (what, values) in [
        ("one script published alone, by the API", &mut published),
        ("applied, 1 script is other", &mut one),
        ("applied, the module of 100 is other", &mut module),
        ("applied, all 200 are other", &mut all),
        ("planned, all 200 are other", &mut plans),
        ("put back, what the step before changed", &mut back),
        ("made, from an empty app, once", &mut Vec::from([first])),
    ] {
        let spread = Spread { median: quantile(values, 0.5), ..Spread::of(values.iter().copied()) };
        let p99 = if values.len() > 1 { significant(quantile(values, 0.99)) } else { "–".to_owned() };
        table.row([what, &spread.to_string(), &p99, &significant(spread.median / baseline)]);
    }
    table.note = format!("{rounds} rounds. Made from an empty app: {made} changes.");
    let slowest = quantile(&mut all, 0.99).max(first);
    let mut section = Section::new(60, "Deploying", TEXT);
    section.tables.push(table);
    let measured = format!("{} s", significant(slowest / 1e3));
    section.goal("200 scripts in one manifest: all other (p99), or all new", "< 5 s", measured, slowest < GOAL_MS);
    Findings::tell("deploy", asked, vec![section])
}

/// How often what was changed.
#[derive(Clone, Copy, Default)]
struct Edits {
    first: usize,
    module: usize,
    all: usize,
}

fn manifest(edits: &Edits) -> Value {
    let (mut scripts, module) = (Map::new(), edits.module);
    scripts.insert("words".to_owned(), json!({ "kind": "module", "source": format!("fn word() {{ \"word {module}\" }}") }));
    for n in 0..SCRIPTS {
        let edit = edits.all * 1_000_000 + if n == 0 { edits.first } else { 0 };
        let routes = json!([{ "path": format!("/s{n}"), "method": "GET" }]);
        scripts.insert(format!("s{n}"), json!({ "source": source(n, edit), "routes": routes }));
    }
    json!({ "scripts": scripts, "grants": { "kv": ["*"] } })
}

/// 2 KiB; every other one imports the module.
fn source(n: usize, edit: usize) -> String {
    let import = if n % 2 == 1 { "import \"words\" as words;\n" } else { "" };
    let call = format!("let seen = kv::collection(\"seen\").has(\"k{n}\");\n#{{ edit: {edit}, seen: seen, step: step_3(7) }}\n");
    format!("{import}{}{call}", steps(n))
}
