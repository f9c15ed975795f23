//! What a change costs: a manifest of 200 scripts of which one, or all, are other than before; planned, applied, put back.
//!
//!     cargo bench --bench deploy              # about two minutes
//!     cargo bench --bench deploy -- --quick   # half a minute; noisier
//!
//! Needs the PostgreSQL binaries. Node and database share the machine. The baseline is one script published alone, by the API.

mod support;

use std::time::Instant;

use serde_json::{Map, Value, json};
use support::{Client, Failure, Node, quantile};

const SCRIPTS: usize = 200;

fn main() -> Result<(), Failure> {
    let quick = std::env::args().any(|argument| argument == "--quick");
    tokio::runtime::Runtime::new()?.block_on(bench(if quick { 5 } else { 25 }))
}

async fn bench(rounds: usize) -> Result<(), Failure> {
    let dir = tempfile::Builder::new().prefix("picloud-bench").tempdir()?;
    let (_postgres, url) = support::postgres(dir.path()).await?;
    let (node, _) = Node::start(dir.path(), &url).await?;
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
    println!("## {SCRIPTS} scripts of 2 KiB with a route each, and a module that half of them import; ms, {rounds} rounds");
    println!("{:<44}{:>8.1}   {made} changes", "made, from an empty app", first);
    let (mut one, mut all, mut module) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        edits.first += 1;
        one.push(apply(&edits).await?.0);
        edits.module += 1;
        module.push(apply(&edits).await?.0);
        edits.all += 1;
        all.push(apply(&edits).await?.0);
    }
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
    println!("{:<44}{:>8}{:>8}   × one published alone", "", "p50", "p99");
    let baseline = quantile(&mut published, 0.5);
    for (what, values) in [
        ("one script published alone, by the API", &mut published),
        ("applied, 1 script is other", &mut one),
        ("applied, the module of 100 is other", &mut module),
        ("applied, all 200 are other", &mut all),
        ("planned, all 200 are other", &mut plans),
        ("put back, what the step before changed", &mut back),
    ] {
        let (p50, p99) = (quantile(values, 0.5), quantile(values, 0.99));
        println!("{what:<44}{p50:>8.1}{p99:>8.1}   {:.1}", p50 / baseline);
    }
    node.stop().await
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
    let mut source = if n % 2 == 1 { "import \"words\" as words;\n".to_owned() } else { String::new() };
    for function in 0..20 {
        source += &format!(
            "fn step_{function}(value) {{ if value > {function} {{ value - {function} }} else {{ value * 2 + {n} }} }}\n"
        );
    }
    source + &format!("let seen = kv::collection(\"seen\").has(\"k{n}\");\n#{{ edit: {edit}, seen: seen, step: step_3(7) }}\n")
}
