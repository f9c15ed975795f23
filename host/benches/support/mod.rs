//! What benches share.
//!
//! `asked` is what one is started with, `ground` where nodes run, `alone` a sandbox without a node, `baseline` and `native` what
//! they are compared with, `wrk` who calls, `scripts` what is called, `queue` what waits to be delivered, `machine` and `memory` what the
//! kernel says of the processor and of processes, `figures` what is told in the end.

pub(crate) mod alone;
pub(crate) mod asked;
pub(crate) mod baseline;
pub(crate) mod figures;
pub(crate) mod ground;
pub(crate) mod machine;
pub(crate) mod memory;
pub(crate) mod native;
pub(crate) mod queue;
pub(crate) mod scripts;
pub(crate) mod wrk;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sqlx::PgConnection;

use self::machine::Halves;

pub(crate) const PICLOUD: &str = env!("CARGO_BIN_EXE_picloud");
pub(crate) const PASSWORD: &str = "bench-password-of-no-worth";

/// A node comes to rest within this, or not at all.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) type Failure = Box<dyn std::error::Error>;

/// One `picloud serve` on a database that is up.
pub(crate) struct Node {
    child: Child,
    pub(crate) data: String,
    pub(crate) admin: String,
}

/// What a node did while nobody asked it for anything.
pub(crate) struct Idle {
    /// Of its database, without the one that asks for their number.
    pub(crate) transactions: i64,
    /// Of a core, %.
    pub(crate) cpu_percent: f64,
}

impl Node {
    /// Starts it and waits for the first answer; how long that took.
    pub(crate) async fn start(dir: &Path, url: &str, halves: Option<&Halves>) -> Result<(Self, Duration), Failure> {
        let mut command = Command::new(PICLOUD);
        command.arg("serve").env("DATABASE_URL", url);
        Self::launch(dir, command, halves).await
    }

    /// The same of a command that starts a node and takes the options of one.
    pub(crate) async fn launch(dir: &Path, mut command: Command, halves: Option<&Halves>) -> Result<(Self, Duration), Failure> {
        let ready = dir.join("ready.json");
        let _ = std::fs::remove_file(&ready);
        let started = Instant::now();
        command
            .args(["--bind", "127.0.0.1:0", "--admin-bind", "127.0.0.1:0", "--log", "warn", "--ready-file"])
            .arg(&ready)
            .env("PICLOUD_DATA_DIR", dir.join("node"))
            .env("PICLOUD_ADMIN_PASSWORD", PASSWORD)
            .stdout(Stdio::null());
        let mut child = match halves {
            Some(halves) => halves.of_node(|| command.spawn())?,
            None => command.spawn()?,
        };
        let addresses: Value = loop {
            match std::fs::read(&ready).ok().and_then(|text| serde_json::from_slice(&text).ok()) {
                Some(addresses) => break addresses,
                None if child.try_wait()?.is_some() => return Err("picloud does not start".into()),
                None if started.elapsed() > Duration::from_secs(180) => return Err("picloud does not become ready".into()),
                None => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        };
        let text = |name: &str| addresses[name].as_str().unwrap_or_default().to_owned();
        let node = Self { child, data: text("data"), admin: text("admin") };
        reqwest::get(format!("{}/healthz", node.admin)).await?.error_for_status()?;
        Ok((node, started.elapsed()))
    }

    pub(crate) fn resident_mib(&self) -> Result<f64, Failure> {
        memory::resident_mib(self.pid())
    }

    /// Leaves it alone for some time.
    pub(crate) async fn idle(&self, db: &mut PgConnection, time: Duration) -> Result<Idle, Failure> {
        // PostgreSQL counts what a backend did only when that has been at rest for ten seconds.
        tokio::time::sleep(Duration::from_secs(15)).await;
        let (transactions, ticks) = (committed(db).await?, self.cpu_ticks()?);
        tokio::time::sleep(time).await;
        let (transactions, ticks) = (committed(db).await? - transactions, self.cpu_ticks()? - ticks);
        let per_second = rustix::param::clock_ticks_per_second() as f64;
        // The first reading may be one transaction of the second.
        let transactions = (transactions - 1).max(0);
        Ok(Idle { transactions, cpu_percent: ticks as f64 / per_second / time.as_secs_f64() * 100.0 })
    }

    fn cpu_ticks(&self) -> Result<u64, Failure> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid()))?;
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        Ok(fields[11].parse::<u64>()? + fields[12].parse::<u64>()?)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) async fn stop(mut self) -> Result<(), Failure> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::INT)?;
        let status = tokio::task::spawn_blocking(move || self.child.wait()).await??;
        if status.success() { Ok(()) } else { Err(format!("picloud ended with {status}").into()) }
    }
}

pub(crate) struct Client {
    pub(crate) http: reqwest::Client,
    token: String,
    admin: String,
}

impl Client {
    pub(crate) async fn login(node: &Node) -> Result<Self, Failure> {
        let http = reqwest::Client::builder().no_proxy().build()?;
        let body = json!({ "username": "admin", "password": PASSWORD });
        let answer: Value = http
            .post(format!("{}/api/v1/admin/auth/login", node.admin))
            .json(&body)
            .send()
            .await?
            .error_for_status()?
            .json()
            .await?;
        Ok(Self { http, token: answer["token"].as_str().unwrap_or_default().to_owned(), admin: node.admin.clone() })
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Result<Value, Failure> {
        let answer = self.http.post(format!("{}{path}", self.admin)).bearer_auth(&self.token).json(&body).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Result<Value, Failure> {
        let answer = self.http.put(format!("{}{path}", self.admin)).bearer_auth(&self.token).json(&body).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Result<Value, Failure> {
        let answer = self.http.patch(format!("{}{path}", self.admin)).bearer_auth(&self.token).json(&body).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }

    pub(crate) async fn delete(&self, path: &str) -> Result<(), Failure> {
        self.http.delete(format!("{}{path}", self.admin)).bearer_auth(&self.token).send().await?.error_for_status()?;
        Ok(())
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Value, Failure> {
        Ok(self
            .http
            .get(format!("{}{path}", self.admin))
            .bearer_auth(&self.token)
            .send()
            .await?
            .error_for_status()?
            .json()
            .await?)
    }

    /// What the node says of itself.
    pub(crate) async fn status(&self) -> Result<Value, Failure> {
        self.get("/api/v1/admin/node").await
    }

    /// Looks after each pause whether nothing runs or waits any more and the records are written; what the node says then.
    pub(crate) async fn settled(&self, pause: Duration) -> Result<Value, Failure> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            tokio::time::sleep(pause).await;
            let status = self.status().await?;
            if status["running"] == 0 && status["waiting"] == 0 && status["recorder"]["queued"] == 0 {
                return Ok(status);
            }
        }
        Err("the node does not come to rest".into())
    }

    pub(crate) async fn upload(&self, app: &Value, name: &str, source: &str) -> Result<Value, Failure> {
        self.post("/api/v1/admin/scripts", json!({ "app_id": app["id"], "name": name, "source": source })).await
    }

    pub(crate) async fn deploy(&self, app: &Value, name: &str, source: &str, path: &str) -> Result<(), Failure> {
        let script = self.upload(app, name, source).await?;
        let id = script["id"].as_str().unwrap_or_default();
        self.post(&format!("/api/v1/admin/scripts/{id}/routes"), json!({ "path": path })).await?;
        Ok(())
    }

    pub(crate) async fn call(&self, node: &Node, app: &str, path: &str) -> Result<(), Failure> {
        let host = format!("{app}.localhost");
        self.http.get(format!("{}{path}", node.data)).header("host", host).send().await?.error_for_status()?;
        Ok(())
    }
}

/// The id of what the administration has made.
pub(crate) fn id(made: &Value) -> Result<uuid::Uuid, Failure> {
    Ok(made["id"].as_str().unwrap_or_default().parse()?)
}

/// The value below which that share of them lies.
pub(crate) fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    values.get((last as f64 * share).round() as usize).copied().unwrap_or(f64::NAN)
}

async fn committed(db: &mut PgConnection) -> Result<i64, Failure> {
    let (count,): (i64,) =
        sqlx::query_as("select xact_commit + xact_rollback from pg_stat_database where datname = current_database()")
            .fetch_one(db)
            .await?;
    Ok(count)
}
