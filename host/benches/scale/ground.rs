//! Where figures are taken: a database, nodes on it one after the other, and how they are called and asked.

use std::time::{Duration, Instant};

use serde_json::Value;
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;
use tokio::time::sleep;

use crate::support::figures::{Axis, Line, Plot, Spread};
use crate::support::wrk::{Load, wrk};
use crate::support::{self, Client, Failure, Node};

pub(crate) const HELLO: &str = r#"#{ statusCode: 200, body: #{ hello: ctx.request.path, n: 40 + 2 } }"#;
/// Connections of a load that takes all that there is.
pub(crate) const ALL_OUT: u32 = 32;
/// What is waited for comes within this long, or not at all.
const PATIENCE: Duration = Duration::from_secs(60);

/// How much of everything, and how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    pub(crate) is_quick: bool,
    pub(crate) apps: &'static [usize],
    pub(crate) records: &'static [u64],
    /// Starts of a node at each size.
    pub(crate) starts: usize,
    /// Of a load, each of so many seconds.
    pub(crate) rounds: usize,
    pub(crate) round_s: u32,
    /// How often something is read by the API.
    pub(crate) reads: usize,
}

impl Scale {
    pub(crate) fn of(is_quick: bool) -> Self {
        if is_quick {
            let (apps, records): (&[usize], &[u64]) = (&[10, 100], &[10_000, 100_000]);
            Self { is_quick, apps, records, starts: 3, rounds: 1, round_s: 2, reads: 20 }
        } else {
            let (apps, records): (&[usize], &[u64]) = (&[10, 100, 1_000], &[10_000, 100_000, 300_000, 1_000_000]);
            Self { is_quick, apps, records, starts: 5, rounds: 3, round_s: 5, reads: 100 }
        }
    }
}

/// A PostgreSQL, and a directory for nodes on it.
pub(crate) struct Ground {
    dir: TempDir,
    postgres: picloud::postgres::Server,
    url: String,
    pub(crate) db: PgConnection,
}

impl Ground {
    pub(crate) async fn open() -> Result<Self, Failure> {
        let dir = tempfile::Builder::new().prefix("picloud-bench").tempdir()?;
        let (postgres, url) = support::postgres(dir.path()).await?;
        let db = PgConnection::connect_with(&postgres.connect_options()).await?;
        Ok(Self { dir, postgres, url, db })
    }

    /// A node that answers, and how long that took.
    pub(crate) async fn start(&self) -> Result<(Node, Duration), Failure> {
        Node::start(self.dir.path(), &self.url).await
    }

    pub(crate) async fn close(self) -> Result<(), Failure> {
        self.db.close().await?;
        self.postgres.stop().await;
        Ok(())
    }
}

/// A script that answers GET.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) app: String,
    pub(crate) path: String,
}

impl Target {
    /// Calls it for so many seconds. What is no success is told.
    pub(crate) fn load(&self, node: &Node, connections: u32, seconds: u32) -> Result<Load, Failure> {
        self.load_at(&node.data, connections, seconds)
    }

    /// The same where the node answers.
    pub(crate) fn load_at(&self, url: &str, connections: u32, seconds: u32) -> Result<Load, Failure> {
        let host = format!("{}.localhost", self.app);
        let load = wrk(&format!("{url}{}", self.path), Some(&host), 1, connections, seconds)?;
        if load.failed > 0 {
            eprintln!("{host}{}: {} calls failed", self.path, load.failed);
        }
        Ok(load)
    }
}

/// What the node says of itself.
pub(crate) async fn status(client: &Client) -> Result<Value, Failure> {
    client.get("/api/v1/admin/node").await
}

/// Until every record is written; what the node says then.
pub(crate) async fn written(client: &Client) -> Result<Value, Failure> {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        let status = status(client).await?;
        if status["running"] == 0 && status["recorder"]["queued"] == 0 {
            return Ok(status);
        }
        sleep(Duration::from_millis(100)).await;
    }
    Err("the records are not written".into())
}

/// How long that takes, ms.
pub(crate) async fn timed<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<f64, Failure> {
    let began = Instant::now();
    work.await?;
    Ok(began.elapsed().as_secs_f64() * 1e3)
}

/// A figure of several rounds.
pub(crate) fn over(loads: &[Load], value: fn(&Load) -> f64) -> Spread {
    Spread::of(loads.iter().map(value))
}

pub(crate) fn mib(bytes: i64) -> f64 {
    bytes as f64 / 1_048_576.0
}

pub(crate) fn line(name: &str, points: Vec<(f64, f64)>) -> Line {
    Line { name: name.to_owned(), points }
}

/// Over a number of things, logarithmic.
pub(crate) fn plot((name, title): (&str, &str), things: &str, (label, logarithmic): (&str, bool), lines: Vec<Line>) -> Plot {
    Plot {
        name: name.to_owned(),
        title: title.to_owned(),
        x: Axis { label: things.to_owned(), logarithmic: true },
        y: Axis { label: label.to_owned(), logarithmic },
        lines,
    }
}
