//! Where a figure is taken: a node of its own with apps on it; and how it is told.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

use super::load::{BROKEN, Load, Storm, Target, measure};
use crate::support::figures::{Spread, Table, count, significant};
use crate::support::ground::Ground;
use crate::support::scripts::HELLO;
use crate::support::{Client, Failure, Node, id};

/// How long everything takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    pub(crate) is_quick: bool,
    pub(crate) rounds: usize,
    /// Of one measurement.
    pub(crate) time: Duration,
}

impl Scale {
    pub(crate) fn of(is_quick: bool) -> Self {
        let (rounds, seconds) = if is_quick { (1, 2) } else { (3, 5) };
        Self { is_quick, rounds, time: Duration::from_secs(seconds) }
    }
}

/// A node with the apps of a figure.
pub(crate) struct Scene {
    pub(crate) node: Node,
    pub(crate) client: Client,
    /// A connection beside the node's, where its database can be reached.
    pub(crate) db: Option<PgConnection>,
    pub(crate) figure: &'static str,
    pub(crate) scale: Scale,
}

/// An app; its slug begins with the figure.
pub(crate) struct App {
    pub(crate) slug: String,
    pub(crate) value: Value,
}

impl App {
    pub(crate) fn id(&self) -> Result<uuid::Uuid, Failure> {
        id(&self.value)
    }
}

impl Scene {
    pub(crate) async fn open(ground: &Ground, scale: Scale, figure: &'static str) -> Result<Self, Failure> {
        let (node, _) = ground.start().await?;
        let client = Client::login(&node).await?;
        Ok(Self { node, client, db: Some(ground.connect().await?), figure, scale })
    }

    pub(crate) async fn app(&self, name: &str) -> Result<App, Failure> {
        let slug = format!("{}-{name}", self.figure);
        let value = self.client.post("/api/v1/admin/apps", json!({ "slug": slug, "name": slug })).await?;
        Ok(App { slug, value })
    }

    /// An app whose `/hello` is what is measured.
    pub(crate) async fn neighbour(&self) -> Result<(App, Target), Failure> {
        let app = self.app("neighbour").await?;
        let hello = self.deploy(&app, "hello", HELLO, json!({})).await?;
        Ok((app, hello))
    }

    /// Stores a script, with limits as it asks for them.
    pub(crate) async fn upload(&self, app: &App, name: &str, source: &str, limits: Value) -> Result<Value, Failure> {
        let body = json!({ "app_id": app.value["id"], "name": name, "source": source, "limits": limits });
        self.client.post("/api/v1/admin/scripts", body).await
    }

    /// The same, at the path of its name.
    pub(crate) async fn deploy(&self, app: &App, name: &str, source: &str, limits: Value) -> Result<Target, Failure> {
        let script = self.upload(app, name, source, limits).await?;
        let (id, path) = (script["id"].as_str().unwrap_or_default(), format!("/{name}"));
        self.client.post(&format!("/api/v1/admin/scripts/{id}/routes"), json!({ "path": path })).await?;
        Target::get(&self.node.data, &app.slug, &path)
    }

    /// States what an app may use.
    pub(crate) async fn set_quota(&self, app: &App, quota: Value) -> Result<(), Failure> {
        self.client.put(&format!("/api/v1/admin/apps/{}/quota", app.slug), quota).await.map(drop)
    }

    /// Lifts the bounds that come with time, so that a figure shows what the node itself divides.
    pub(crate) async fn unleash(&self, app: &App) -> Result<(), Failure> {
        let quota =
            json!({ "fuel_per_s": 1_000_000_000_000_u64, "fuel_burst": 10_000_000_000_000_u64, "requests_per_s": 1_000_000 });
        self.set_quota(app, quota).await
    }

    /// Waits until nothing runs any more and memory has stopped to move; the node's, MiB.
    pub(crate) async fn settle(&self) -> Result<f64, Failure> {
        let mut resident = self.node.resident_mib()?;
        for _ in 0..30 {
            self.client.settled(Duration::from_secs(1)).await?;
            let before = resident;
            resident = self.node.resident_mib()?;
            if (resident - before).abs() < 0.5 {
                break;
            }
        }
        Ok(resident)
    }

    pub(crate) async fn close(self) -> Result<(), Failure> {
        if let Some(db) = self.db {
            db.close().await?;
        }
        self.node.stop().await
    }
}

/// The source of an attack.
pub(crate) fn hostile(name: &str) -> Result<String, Failure> {
    let dir = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/it/scripts/hostile"));
    Ok(std::fs::read_to_string(dir.join(format!("{name}.rhai")))?)
}

/// Every attack that there is, by name.
pub(crate) fn all_hostile() -> Result<Vec<(String, String)>, Failure> {
    let dir = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/it/scripts/hostile"));
    let mut all = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().replace('_', "-");
        all.push((name, std::fs::read_to_string(&path)?));
    }
    all.sort();
    Ok(all)
}

/// A neighbour alone and beside an attack, by turns.
pub(crate) struct Rounds {
    alone: Vec<Load>,
    beside: Vec<Load>,
    attack: Vec<Load>,
}

/// Measures calls of a neighbour without and with an attack, which `begin` begins and `end` ends. The attack runs for a second
/// before anything is measured.
pub(crate) async fn alternate<A>(
    scale: Scale,
    (target, connections): (&Target, usize),
    begin: impl AsyncFn() -> Result<A, Failure>,
    end: impl AsyncFn(A) -> Result<Load, Failure>,
) -> Result<Rounds, Failure> {
    let mut rounds = Rounds { alone: Vec::new(), beside: Vec::new(), attack: Vec::new() };
    measure(target, connections, scale.time / 4);
    for _ in 0..scale.rounds {
        rounds.alone.push(measure(target, connections, scale.time));
        let attack = begin().await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        rounds.beside.push(measure(target, connections, scale.time));
        rounds.attack.push(end(attack).await?);
    }
    Ok(rounds)
}

/// The same with calls for an attack, which the connections make of the targets by turns.
pub(crate) async fn beside(
    scene: &Scene,
    neighbour: (&Target, usize),
    attack: &[Target],
    connections: usize,
) -> Result<Rounds, Failure> {
    let begin = async || Ok::<_, Failure>(Storm::begin(attack, connections));
    alternate(scene.scale, neighbour, begin, async |storm: Storm| Ok::<_, Failure>(storm.end())).await
}

/// Rows of a neighbour alone and beside an attack.
pub(crate) struct Comparison {
    table: Table,
    /// The ratio of the p99 that is most, and what it is of.
    pub(crate) worst: (f64, String),
    /// Of the neighbour, beside the attack; then those of all, alone and beside, that were not answered 200.
    calls: u64,
    failed: u64,
}

impl Comparison {
    /// `attack` is the heading of what the rows begin with.
    pub(crate) fn new(title: &str, attack: &str) -> Self {
        let columns = [
            attack,
            "connections",
            "p50 ms alone",
            "with",
            "p99 ms alone",
            "with",
            "ratio of p99",
            "calls/s alone",
            "with",
            "failed",
            "attack/s",
            "answers to it",
        ];
        Self { table: Table::new(title, &columns), worst: (0.0, String::new()), calls: 0, failed: 0 }
    }

    /// What came of one: medians over the rounds.
    pub(crate) fn tell(&mut self, what: &str, connections: usize, mut rounds: Rounds) {
        let [p50, p99] = [0.5, 0.99].map(|share| spread(&mut rounds.alone, |load| load.quantile_ms(share)));
        let [p50_with, p99_with] = [0.5, 0.99].map(|share| spread(&mut rounds.beside, |load| load.quantile_ms(share)));
        let pairs = rounds.alone.iter_mut().zip(&mut rounds.beside);
        let ratios = pairs.map(|(alone, beside)| beside.quantile_ms(0.99) / alone.quantile_ms(0.99));
        let ratio = Spread { median: p99_with.median / p99.median, ..Spread::of(ratios) };
        let all = [&mut rounds.alone, &mut rounds.beside, &mut rounds.attack];
        let [alone, with, attack] = all.map(|loads| spread(loads, |load| load.per_second()));
        let failed: u64 = rounds.beside.iter().chain(&rounds.alone).map(Load::failed).sum();
        let mut answers = Load::default();
        for load in rounds.attack {
            answers.absorb(load);
        }
        self.table.row([
            what.to_owned(),
            connections.to_string(),
            significant(p50.median),
            significant(p50_with.median),
            p99.to_string(),
            p99_with.to_string(),
            ratio.to_string(),
            significant(alone.median),
            significant(with.median),
            count(failed),
            significant(attack.median),
            told(&answers),
        ]);
        eprintln!("{what}, {connections} connection(s): p99 {p99} ms alone, {p99_with} with; ratio {ratio}; {failed} failed");
        self.calls += rounds.beside.iter().map(Load::calls).sum::<u64>();
        self.failed += failed;
        if ratio.median > self.worst.0 {
            self.worst = (ratio.median, format!("{what}, {connections} connection(s)"));
        }
    }

    pub(crate) fn into_table(mut self) -> Table {
        let (calls, failed) = (count(self.calls), count(self.failed));
        self.table.note = format!("{calls} calls of the neighbour beside it; {failed} of all its calls were not answered 200.");
        self.table
    }
}

fn spread(loads: &mut [Load], value: impl Fn(&mut Load) -> f64) -> Spread {
    Spread::of(loads.iter_mut().map(value))
}

/// Answers by status: `429 × 12, 504 × 3`.
pub(crate) fn told(load: &Load) -> String {
    let name = |status: u16| if status == BROKEN { "broken".to_owned() } else { status.to_string() };
    let answers = load.answers.iter();
    let all: Vec<String> = answers.map(|(status, times)| format!("{} × {}", name(*status), count(*times))).collect();
    if all.is_empty() { "–".to_owned() } else { all.join(", ") }
}

/// What is no comparison: a fact a row.
pub(crate) fn facts<'a>(title: &str, rows: impl IntoIterator<Item = (&'a str, String)>) -> Table {
    let mut table = Table::new(title, &["", "found"]);
    for (what, value) in rows {
        table.row([what, &value]);
    }
    table
}
