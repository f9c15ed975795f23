//! This node: whether it can work, what it is, and what it is doing.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use sqlx::{Connection, PgPool};

use super::Api;
use super::error::Answer;
use crate::error::{Error, Kind};
use crate::invoke::NodeStatus;
use crate::{limits, store};

/// The version of the script contract: `ctx.sdk_version`.
const SDK: &str = "2.0";
const API: &str = "v1";

#[derive(Debug, Serialize)]
pub(super) struct Health {
    status: &'static str,
}

#[derive(Debug, Serialize)]
pub(super) struct Version {
    product: &'static str,
    version: &'static str,
    sdk: &'static str,
    api: &'static str,
    /// Number of the newest migration.
    schema: i64,
    /// Hex hash of the warm component that scripts run in.
    component: String,
}

/// Whether the database answers. Nothing is asked of it but when somebody asks here.
pub(super) async fn healthz(State(api): State<Api>) -> Answer<Json<Health>> {
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
        sdk: SDK,
        api: API,
        schema: store::schema_version(),
        component: api.invoker.status().component,
    })
}

#[derive(Debug, Serialize)]
pub(super) struct Status {
    #[serde(flatten)]
    node: NodeStatus,
    database: Connections,
}

/// Connections to the database: open, of these unused, and how many there may be.
#[derive(Debug, Serialize)]
struct Connections {
    open: u32,
    idle: usize,
    max: u32,
}

pub(super) async fn status(State(api): State<Api>) -> Json<Status> {
    let db = &api.services.db;
    let database = Connections { open: db.size(), idle: db.num_idle(), max: limits::DATABASE_CONNECTIONS_MAX };
    Json(Status { node: api.invoker.status(), database })
}
