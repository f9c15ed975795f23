//! A node to be overloaded, what is called on it, and what it says of itself meanwhile.

use std::time::{Duration, Instant};

use picloud::limits;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::order::{Order, Outcome, Running};
use crate::support::figures::Spread;
use crate::support::ground::Ground;
use crate::support::scripts::HELLO;
use crate::support::wrk::wrk;
use crate::support::{Client, Failure, Node};

/// What the script that computes takes, ms.
const BURN_MS: f64 = 3.0;
/// How often the node is asked how it does during a load, and whether it has come to rest after it.
const WATCH: Duration = Duration::from_millis(200);
pub(crate) const LOOK: Duration = Duration::from_millis(500);
/// An answer of the administration that takes longer is not waited for.
const ADMIN_PATIENCE: Duration = Duration::from_secs(5);
/// Connections of the closed loop.
const CLOSED: u32 = 32;

/// How long everything takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    /// Of the comparison of two apps.
    pub(crate) rounds: usize,
    /// Of one round of the closed loop.
    pub(crate) closed_s: u32,
    /// Of one load by the clock.
    pub(crate) open_s: u32,
}

impl Scale {
    pub(crate) fn of(is_quick: bool) -> Self {
        let (rounds, closed_s, open_s) = if is_quick { (1, 2, 2) } else { (3, 5, 8) };
        Self { rounds, closed_s, open_s }
    }
}

/// A fresh node.
pub(crate) struct Stage {
    pub(crate) node: Node,
    pub(crate) client: Client,
    pub(crate) scale: Scale,
}

/// An app's script that answers GET.
pub(crate) struct Target {
    pub(crate) host: String,
    pub(crate) path: &'static str,
}

/// What the node said during a load.
#[derive(Default)]
pub(crate) struct Watched {
    /// Places that were taken, and calls that waited for one, at most, of those moments that were looked at.
    pub(crate) running_most: u64,
    pub(crate) waiting_most: u64,
    pub(crate) resident_most_mib: f64,
    /// The administration's slowest answer, ms.
    pub(crate) admin_slowest_ms: f64,
}

impl Stage {
    pub(crate) async fn open(ground: &Ground, scale: Scale) -> Result<Self, Failure> {
        let (node, _) = ground.start().await?;
        let client = Client::login(&node).await?;
        Ok(Self { node, client, scale })
    }

    /// An app whose records are all kept, however many they are; everything else is as any app has it.
    pub(crate) async fn app(&self, slug: &str) -> Result<Value, Failure> {
        let app = self.client.post("/api/v1/admin/apps", json!({ "slug": slug, "name": slug })).await?;
        let quota = json!({ "log_bytes_per_day": limits::LOG_BYTES_PER_DAY_CEILING });
        self.client.put(&format!("/api/v1/admin/apps/{slug}/quota"), quota).await?;
        Ok(app)
    }

    /// An app that says hello.
    pub(crate) async fn hello(&self, slug: &str) -> Result<Target, Failure> {
        let app = self.app(slug).await?;
        self.client.deploy(&app, "hello", HELLO, "/hello").await?;
        Ok(Target { host: format!("{slug}.localhost"), path: "/hello" })
    }

    /// An app that reads one entry.
    pub(crate) async fn kv_get(&self, slug: &str) -> Result<Target, Failure> {
        let app = self.app(slug).await?;
        self.client.deploy(&app, "kv-put", r#"kv::collection("c").set("k", 1)"#, "/kv-put").await?;
        self.client.deploy(&app, "kv-get", r#"kv::collection("c").get("k")"#, "/kv-get").await?;
        self.client.call(&self.node, slug, "/kv-put").await?;
        Ok(Target { host: format!("{slug}.localhost"), path: "/kv-get" })
    }

    /// An app that computes for some milliseconds: how far it has to count is found by counting.
    pub(crate) async fn burn(&self, slug: &str) -> Result<Target, Failure> {
        const TRIED: f64 = 10_000.0;
        let app = self.app(slug).await?;
        let source = |count: f64| format!("let n = 0; for i in 0..{count:.0} {{ n += i; }} n");
        let mut took_ms = Vec::new();
        for (name, path, count) in [("none", "/none", 0.0), ("tried", "/tried", TRIED)] {
            self.client.deploy(&app, name, &source(count), path).await?;
            let url = format!("{}{path}", self.node.data);
            took_ms.push(wrk(&url, Some(&format!("{slug}.localhost")), 1, 1, 1)?.p50_ms);
        }
        let count = TRIED * BURN_MS / (took_ms[1] - took_ms[0]).max(0.01);
        self.client.deploy(&app, "burn", &source(count), "/burn").await?;
        Ok(Target { host: format!("{slug}.localhost"), path: "/burn" })
    }

    /// Requests a second of a closed loop: of callers who wait for each answer.
    pub(crate) fn capacity(&self, target: &Target, rounds: usize) -> Result<Spread, Failure> {
        let url = format!("{}{}", self.node.data, target.path);
        wrk(&url, Some(&target.host), 1, CLOSED, 1)?;
        let mut per_second = Vec::new();
        for _ in 0..rounds {
            let load = wrk(&url, Some(&target.host), 1, CLOSED, self.scale.closed_s)?;
            if load.failed > 0 {
                eprintln!("{}: {} answers of the closed loop were no success", target.path, load.failed);
            }
            per_second.push(load.per_second);
        }
        Ok(Spread::of(per_second))
    }

    /// Calls of that target by the clock.
    pub(crate) fn order(&self, target: &Target, per_second: f64, seconds: u32, connections: usize) -> Result<Order, Failure> {
        Ok(Order {
            address: self.node.data.strip_prefix("http://").ok_or("no plain URL")?.parse()?,
            host: target.host.clone(),
            path: target.path.to_owned(),
            per_second,
            seconds: seconds.into(),
            connections,
            seed: per_second.to_bits(),
        })
    }

    /// Has that load come, and looks at the node meanwhile.
    pub(crate) async fn load(&self, order: &Order) -> Result<(Outcome, Watched), Failure> {
        let mut running = Running::begin(order)?;
        let watched = self.watch(&mut running).await?;
        Ok((running.outcome()?, watched))
    }

    /// Until the generator has ended.
    pub(crate) async fn watch(&self, running: &mut Running) -> Result<Watched, Failure> {
        let mut watched = Watched::default();
        while !running.is_over()? {
            let asked = Instant::now();
            if let Ok(Ok(status)) = timeout(ADMIN_PATIENCE, self.client.status()).await {
                let most = |most: u64, name: &str| most.max(status[name].as_u64().unwrap_or(0));
                watched.running_most = most(watched.running_most, "running");
                watched.waiting_most = most(watched.waiting_most, "waiting");
            }
            watched.admin_slowest_ms = watched.admin_slowest_ms.max(asked.elapsed().as_secs_f64() * 1e3);
            watched.resident_most_mib = watched.resident_most_mib.max(self.node.resident_mib()?);
            sleep(WATCH).await;
        }
        Ok(watched)
    }
}
