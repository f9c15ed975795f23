//! Splits: a part of an app's requests is answered by another of its deployments than the one that runs.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::answer::NoContent;
use super::error::Answer;
use super::gate::Caller;
use super::query::OfApp;
use super::{Api, body};
use crate::id::UserId;
use crate::limits;
use crate::model::split::{Set, Split};
use crate::service;

/// Who answers beside what runs, and how much.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Split", example = example())]
pub(super) struct SplitJson {
    /// The number of the other deployment.
    deployment: i32,
    /// How many of a hundred requests, or visitors, it answers.
    percent: u8,
    /// Whether a visitor stays with the deployment that answered first.
    sticky: bool,
    /// Who set it; null once that person is gone.
    set_by: Option<UserId>,
    set_at: DateTime<Utc>,
}

/// A split as it is to be.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "NewSplit", example = json!({ "deployment": 6, "percent": 10, "sticky": true }))]
pub(super) struct Put {
    /// The number of a deployment that is kept and does not run.
    deployment: i32,
    /// How many of a hundred requests, or visitors, it answers.
    #[schemars(range(min = limits::SPLIT_PERCENT_MIN, max = limits::SPLIT_PERCENT_MAX))]
    percent: u8,
    /// Whether a visitor stays with the deployment that answered first, by a cookie.
    #[serde(default)]
    sticky: bool,
}

fn example() -> Value {
    json!({
        "deployment": 6,
        "percent": 10,
        "sticky": true,
        "set_by": "01990a6e-1111-7a10-8f3c-5e2d1c0b9a88",
        "set_at": "2026-01-02T03:04:05.678901Z"
    })
}

impl From<Set> for SplitJson {
    fn from(set: Set) -> Self {
        let Set { split: Split { deployment, percent, sticky }, set_by, set_at } = set;
        Self { deployment, percent, sticky, set_by, set_at }
    }
}

pub(super) async fn get(State(api): State<Api>, OfApp(app): OfApp) -> Answer<Json<SplitJson>> {
    Ok(Json(service::splits::get(&api.services, app.id).await?.into()))
}

pub(super) async fn put(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Caller(by): Caller,
    body::Json(asked): body::Json<Put>,
) -> Answer<Json<SplitJson>> {
    let Put { deployment, percent, sticky } = asked;
    let set = service::splits::put(&api.services, &by, app.id, Split { deployment, percent, sticky }).await?;
    Ok(Json(set.into()))
}

pub(super) async fn delete(State(api): State<Api>, OfApp(app): OfApp, Caller(by): Caller) -> Answer<NoContent> {
    service::splits::end(&api.services, &by, app.id).await?;
    Ok(NoContent)
}
