//! This node: whether it can work, what it is, and what it is doing.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::{Connection, PgPool};

use super::Api;
use super::error::Answer;
use crate::error::{Error, Kind};
use crate::id::NodeId;
use crate::invoke::{NodeStatus, RecorderStatus};
use crate::model::node::Node;
use crate::model::script::SDK_VERSION;
use crate::{limits, store, walls};

const API: &str = "v1";

/// Whether this node can work.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(example = json!({ "status": "ok" }))]
pub(super) struct Health {
    /// `ok`
    status: &'static str,
}

/// What this node is.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(example = version_example())]
pub(super) struct Version {
    product: &'static str,
    version: &'static str,
    /// Of the script contract: `ctx.sdk_version`.
    sdk: &'static str,
    api: &'static str,
    /// Number of the newest migration.
    schema: i64,
    /// Hex hash of the warm component that scripts run in.
    component: String,
}

/// Whether the database answers. Nothing is asked of it but when somebody asks here. A node that was told to end says so at once.
pub(super) async fn healthz(State(api): State<Api>) -> Answer<Json<Health>> {
    if api.services.node.is_leaving() {
        return Err(Error::new(Kind::Overloaded, "unavailable", "this node is about to end").into());
    }
    let within = Duration::from_millis(limits::HEALTH_CHECK_MS);
    match tokio::time::timeout(within, reach(&api.services.db)).await {
        Ok(Ok(())) => Ok(Json(Health { status: "ok" })),
        Ok(Err(error)) => {
            tracing::warn!(%error, "the database cannot be reached");
            Err(unavailable().into())
        }
        Err(_) => {
            tracing::warn!("the database did not answer in time");
            Err(unavailable().into())
        }
    }
}

fn unavailable() -> Error {
    Error::new(Kind::Overloaded, "unavailable", "the database cannot be reached")
}

/// One round trip without a query. Connections that died while they rested are thrown away on the way to a live one.
async fn reach(db: &PgPool) -> sqlx::Result<()> {
    for _ in 0..limits::DATABASE_CONNECTIONS_MAX {
        let mut connection = db.acquire().await?;
        if connection.ping().await.is_ok() {
            return Ok(());
        }
        drop(connection.detach());
    }
    db.acquire().await?.ping().await
}

pub(super) async fn version(State(api): State<Api>) -> Json<Version> {
    Json(Version {
        product: "PiCloud",
        version: env!("CARGO_PKG_VERSION"),
        sdk: SDK_VERSION,
        api: API,
        schema: store::schema_version(),
        component: api.invoker.status().component,
    })
}

fn version_example() -> Value {
    json!({
        "product": "PiCloud",
        "version": "1.0.0",
        "sdk": "2.0",
        "api": "v1",
        "schema": 16,
        "component": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    })
}

/// What this node does now and what it has dropped.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "NodeStatus", example = status_example())]
pub(super) struct Status {
    id: NodeId,
    name: String,
    /// `ingress`, `api`, `workers`
    roles: Vec<&'static str>,
    started_at: DateTime<Utc>,
    /// Since then, seconds.
    uptime_s: u64,
    walls: Walls,
    /// Hex hash of the warm component.
    component: String,
    /// Invocations that may run at once, on the node and for one app.
    places: usize,
    places_per_app: usize,
    running: usize,
    waiting: usize,
    /// Calls answered 503 `overloaded` since the start.
    refused: u64,
    /// The same of handlers of events, which have places of their own and wait for them.
    event_places: usize,
    events_running: usize,
    events_waiting: usize,
    /// What instances may come to need together, bytes, and what those that run may.
    memory_bytes: u64,
    memory_held_bytes: u64,
    /// Prepared scripts held in memory.
    programs: usize,
    recorder: Recorder,
    database: Connections,
}

/// Which walls of the system stand around this node; null where the kernel does not say.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "NodeWalls")]
struct Walls {
    /// System calls are filtered.
    seccomp: Option<bool>,
    /// It can gain no privileges.
    no_new_privileges: Option<bool>,
    /// It is not root.
    unprivileged_user: Option<bool>,
}

impl Walls {
    fn read() -> Self {
        let own = walls::Status::own().ok();
        Self {
            seccomp: own.as_ref().map(|own| own.seccomp),
            no_new_privileges: own.as_ref().map(|own| own.no_new_privileges),
            unprivileged_user: own.as_ref().map(|own| own.uid != 0),
        }
    }
}

/// What became of the records of executions since the start.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "RecorderStatus")]
struct Recorder {
    written: u64,
    /// Records lost: the queue was full, or the database refused them for too long.
    dropped: u64,
    /// Records kept whose log lines were lost, because the lines waiting were too many bytes.
    dropped_logs: u64,
    /// Records not kept, because their app had its `log_bytes_per_day` already.
    records_over_quota: u64,
    queued: usize,
}

/// Connections to the database: open, of these unused, and how many there may be.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "DatabaseConnections")]
struct Connections {
    open: u32,
    idle: usize,
    max: u32,
}

fn status_example() -> Value {
    json!({
        "id": "01990a70-0001-7a10-8f3c-5e2d1c0b9a99",
        "name": "pi-1",
        "roles": ["ingress", "api", "workers"],
        "started_at": "2026-01-02T03:04:05.678901Z",
        "uptime_s": 86_400,
        "walls": { "seccomp": true, "no_new_privileges": true, "unprivileged_user": true },
        "component": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "places": 32,
        "places_per_app": 16,
        "running": 1,
        "waiting": 0,
        "refused": 0,
        "event_places": 16,
        "events_running": 0,
        "events_waiting": 0,
        "memory_bytes": 268_435_456,
        "memory_held_bytes": 35_651_584,
        "programs": 12,
        "recorder": { "written": 4711, "dropped": 0, "dropped_logs": 0, "records_over_quota": 0, "queued": 0 },
        "database": { "open": 2, "idle": 1, "max": 10 }
    })
}

impl Status {
    fn of(own: &Node, now: DateTime<Utc>, node: NodeStatus, database: Connections) -> Self {
        let NodeStatus {
            component,
            places,
            places_per_app,
            running,
            waiting,
            refused,
            event_places,
            events_running,
            events_waiting,
            memory_bytes,
            memory_held_bytes,
            programs,
            recorder,
        } = node;
        let RecorderStatus { written, dropped, dropped_logs, records_over_quota, queued } = recorder;
        let recorder = Recorder { written, dropped, dropped_logs, records_over_quota, queued };
        Self {
            id: own.id,
            name: own.name.clone(),
            roles: own.roles.words().collect(),
            started_at: own.started_at,
            uptime_s: (now - own.started_at).num_seconds().max(0).unsigned_abs(),
            walls: Walls::read(),
            component,
            places,
            places_per_app,
            running,
            waiting,
            refused,
            event_places,
            events_running,
            events_waiting,
            memory_bytes,
            memory_held_bytes,
            programs,
            recorder,
            database,
        }
    }
}

pub(super) async fn status(State(api): State<Api>) -> Json<Status> {
    let db = &api.services.db;
    let database = Connections { open: db.size(), idle: db.num_idle(), max: limits::DATABASE_CONNECTIONS_MAX };
    Json(Status::of(api.services.node.node(), api.services.now(), api.invoker.status(), database))
}
