//! The nodes of the instance: which there are, and how each is.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::error::Answer;
use super::{Api, List};
use crate::id::NodeId;
use crate::model::node::{self, Told};
use crate::model::page::Page;
use crate::service;

/// A node that shares the database.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Node", example = example())]
pub(super) struct NodeJson {
    /// Made anew at each start.
    id: NodeId,
    name: String,
    /// Of its binary.
    version: String,
    /// Number of the newest migration that its binary knows.
    schema: i64,
    /// `ingress`, `api`, `workers`
    roles: Vec<&'static str>,
    /// `serving`; `draining`: it was told to end; `silent`: connected to the database, without an answer; `gone`: not connected
    /// any more, though it had not said that it leaves.
    #[schemars(extend("enum" = node::State::ALL.map(node::State::as_str)))]
    state: &'static str,
    /// Where its data plane listens; null without one.
    data: Option<String>,
    /// Where its control plane listens.
    admin: String,
    started_at: DateTime<Utc>,
    /// When it was last heard of: asking here asks it.
    seen_at: DateTime<Utc>,
    /// Whether it is the one that answers.
    is_this: bool,
}

fn example() -> Value {
    json!({
        "id": "01990a70-0001-7a10-8f3c-5e2d1c0b9a99",
        "name": "pi-1",
        "version": "1.0.0",
        "schema": 27,
        "roles": ["ingress", "api", "workers"],
        "state": "serving",
        "data": "0.0.0.0:8080",
        "admin": "127.0.0.1:8081",
        "started_at": "2026-01-02T03:04:05.678901Z",
        "seen_at": "2026-01-02T04:00:00Z",
        "is_this": true
    })
}

impl From<Told> for NodeJson {
    fn from(Told { node, state, seen_at, is_this }: Told) -> Self {
        Self {
            id: node.id,
            name: node.name,
            version: node.version,
            schema: node.schema,
            roles: node.roles.words().collect(),
            state: state.as_str(),
            data: node.data,
            admin: node.admin,
            started_at: node.started_at,
            seen_at,
            is_this,
        }
    }
}

pub(super) async fn list(State(api): State<Api>) -> Answer<Json<List<NodeJson>>> {
    let items = service::nodes::list(&api.services).await?;
    Ok(List::of(Page { items, cursor: None }, NodeJson::from))
}
