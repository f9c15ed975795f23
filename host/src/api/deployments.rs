//! Deployments: an app as a whole, planned, applied, told apart, and put back.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::error::Answer;
use super::gate::Caller;
use super::query::{Against, OfApp, Path, Query};
use super::{Api, List, body};
use crate::id::{AppId, UserId};
use crate::invoke::deploy::{Aim, Applied, Options, Plan};
use crate::model::access::Principal;
use crate::model::deployment::difference::Change;
use crate::model::deployment::manifest::{self, Manifest, Pulled};
use crate::model::deployment::{About, Deployment, State as AppState};
use crate::model::page::PageQuery;
use crate::service;

/// An immutable state of an app.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Deployment", example = example())]
pub(super) struct DeploymentJson {
    app_id: AppId,
    /// Its number in the app, from 1.
    deployment: i32,
    /// SHA-256 over sources, modules, limits, routes, triggers, grants and topics, hex: the same state has the same.
    digest: String,
    /// What made it: `route.create`, `deployment.apply`, …
    cause: String,
    message: String,
    /// Who made it; null once that person is gone, and for the operator.
    created_by: Option<UserId>,
    created_at: DateTime<Utc>,
    /// When it last became what runs.
    activated_at: Option<DateTime<Utc>>,
    /// Whether it is what runs.
    active: bool,
    /// Of one that was asked for by its number.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<AppState>,
}

fn example() -> Value {
    json!({
        "app_id": "01990a6e-7777-7a10-8f3c-5e2d1c0b9a88",
        "deployment": 7,
        "digest": "3f0a".repeat(16),
        "cause": "deployment.apply",
        "message": "visits are counted by day",
        "created_by": "01990a6e-1111-7a10-8f3c-5e2d1c0b9a88",
        "created_at": "2026-01-02T03:04:05.678901Z",
        "activated_at": "2026-01-02T03:04:05.678901Z",
        "active": true
    })
}

impl From<About> for DeploymentJson {
    fn from(about: About) -> Self {
        let About { app_id, number, digest, cause, message, created_by, created_at, activated_at, is_active } = about;
        let (deployment, active) = (number, is_active);
        Self { app_id, deployment, digest, cause, message, created_by, created_at, activated_at, active, state: None }
    }
}

impl From<Deployment> for DeploymentJson {
    fn from(deployment: Deployment) -> Self {
        Self { state: Some(deployment.state), ..Self::from(deployment.about) }
    }
}

/// A manifest to be looked at.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "ManifestToPlan", example = json!({ "manifest": manifest::example() }))]
pub(super) struct ToPlan {
    manifest: Manifest,
}

/// A manifest to be applied.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "ManifestToApply", example = json!({ "manifest": manifest::example(), "message": "visits are counted" }))]
pub(super) struct ToApply {
    manifest: Manifest,
    /// `base` of a plan: 409 once something else runs. Left out: whatever runs when this comes.
    base: Option<String>,
    #[serde(default)]
    message: String,
    /// False: it is stored as a deployment that does not run, to be looked at and made active later.
    #[serde(default = "yes")]
    activate: bool,
}

fn yes() -> bool {
    true
}

/// How a deployment is made what runs.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(rename = "Activation", example = json!({ "message": "seen and found good" }))]
pub(super) struct ToActivate {
    /// Only say what would change.
    dry_run: bool,
    /// `base` of a dry run: 409 once something else runs.
    base: Option<String>,
    message: String,
}

/// What is to run again.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "Rollback", example = json!({ "to": 6, "message": "orders were lost" }))]
pub(super) struct ToRestore {
    /// The number of a deployment. Left out: the one that ran before what runs now.
    to: Option<i32>,
    /// Only say what would change.
    #[serde(default)]
    dry_run: bool,
    /// `base` of a dry run: 409 once something else runs.
    base: Option<String>,
    #[serde(default)]
    message: String,
}

/// What a change would make, or made, different.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "DeploymentPlan", example = planned_example())]
pub(super) struct PlanJson {
    /// Whether it was made; never where nothing differs.
    applied: bool,
    /// The number of the deployment that was stored and does not run.
    #[serde(skip_serializing_if = "Option::is_none")]
    stored: Option<i32>,
    /// The number of what runs; null before the app's first change.
    deployment: Option<i32>,
    /// The digest of what runs, or ran before.
    base: String,
    /// The digest of what is to run, or runs now.
    digest: String,
    /// Grants, scripts, routes, triggers, topics.
    changes: Vec<Change>,
    /// What does not come back with it.
    notes: Vec<String>,
}

fn planned_example() -> Value {
    json!({
        "applied": false,
        "deployment": 6,
        "base": "aa01".repeat(16),
        "digest": "3f0a".repeat(16),
        "changes": [changed_example()],
        "notes": [],
    })
}

fn changed_example() -> Value {
    json!({
        "thing": "script", "action": "change", "name": "visits", "parts": ["source", "capabilities"], "gained": ["http"],
        "source": "@@ -1 +1 @@\n-1\n+http::get(\"https://example.com/\").status\n",
    })
}

impl From<Plan> for PlanJson {
    fn from(plan: Plan) -> Self {
        let Plan { base, active, digest, changes, notes } = plan;
        Self { applied: false, stored: None, deployment: active, base, digest, changes, notes }
    }
}

impl From<Applied> for PlanJson {
    fn from(applied: Applied) -> Self {
        match applied {
            Applied::Same(plan) => Self::from(*plan),
            Applied::Made { made, base, running, notes } => Self {
                applied: made.about.is_active,
                stored: Some(made.about.number).filter(|_| !made.about.is_active),
                deployment: if made.about.is_active { Some(made.about.number) } else { running },
                base,
                digest: made.about.digest,
                changes: made.changes,
                notes,
            },
        }
    }
}

/// What runs, as a manifest.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "RunningManifest", example = pulled_example())]
pub(super) struct PulledJson {
    manifest: Pulled,
    /// The number of what runs; null before the app's first change.
    deployment: Option<i32>,
    digest: String,
    /// Bounds of a script where nothing is said.
    default_limits: BTreeMap<&'static str, u64>,
}

fn pulled_example() -> Value {
    let script = json!({
        "source": "#{ hello: 1 }", "kind": "endpoint", "description": "", "limits": { "timeout_ms": 2000 },
        "routes": [{ "path": "/hello" }], "triggers": [],
    });
    json!({
        "manifest": { "scripts": { "hello": script }, "grants": { "kv": ["*"] } },
        "deployment": 7,
        "digest": "3f0a".repeat(16),
        "default_limits": { "fuel": 500_000_000, "memory_mb": 32, "timeout_ms": 10_000 },
    })
}

/// What differs between two deployments.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "DeploymentDifference", example = json!({ "before": 6, "after": 7, "changes": [changed_example()] }))]
pub(super) struct Difference {
    /// The one that was held against.
    before: i32,
    after: i32,
    changes: Vec<Change>,
}

pub(super) async fn list(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Query(page): Query<PageQuery>,
) -> Answer<Json<List<DeploymentJson>>> {
    Ok(List::of(service::deployments::list(&api.services, app.id, &page).await?, DeploymentJson::from))
}

pub(super) async fn get(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Path((_, number)): Path<(String, i32)>,
) -> Answer<Json<DeploymentJson>> {
    Ok(Json(service::deployments::get(&api.services, app.id, number).await?.into()))
}

pub(super) async fn diff(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Path((_, number)): Path<(String, i32)>,
    Query(Against(against)): Query<Against>,
) -> Answer<Json<Difference>> {
    let before = match against {
        Some(number) => number,
        None => service::deployments::active(&api.services, app.id).await?,
    };
    let changes = api.invoker.difference(app.id, before, number).await?;
    Ok(Json(Difference { before, after: number, changes }))
}

pub(super) async fn plan(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Caller(by): Caller,
    body::Large(asked): body::Large<ToPlan>,
) -> Answer<Json<PlanJson>> {
    Ok(Json(api.invoker.plan(&by, app.id, Aim::Manifest(Box::new(asked.manifest))).await?.into()))
}

pub(super) async fn apply(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Caller(by): Caller,
    body::Large(asked): body::Large<ToApply>,
) -> Answer<Json<PlanJson>> {
    let ToApply { manifest, base, message, activate } = asked;
    let options = Options { base, message, is_kept_only: !activate };
    Ok(Json(api.invoker.apply(&by, app.id, Aim::Manifest(Box::new(manifest)), options).await?.into()))
}

pub(super) async fn rollback(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Caller(by): Caller,
    body::Json(asked): body::Json<ToRestore>,
) -> Answer<Json<PlanJson>> {
    let ToRestore { to, dry_run, base, message } = asked;
    let number = match to {
        Some(number) => number,
        None => service::deployments::previous(&api.services, app.id).await?,
    };
    run(&api, &by, app.id, Aim::Back(number), ToActivate { dry_run, base, message }).await
}

pub(super) async fn activate(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Path((_, number)): Path<(String, i32)>,
    Caller(by): Caller,
    body::Json(asked): body::Json<ToActivate>,
) -> Answer<Json<PlanJson>> {
    run(&api, &by, app.id, Aim::Release(number), asked).await
}

async fn run(api: &Api, by: &Principal, app: AppId, aim: Aim, asked: ToActivate) -> Answer<Json<PlanJson>> {
    let ToActivate { dry_run, base, message } = asked;
    if dry_run {
        return Ok(Json(api.invoker.plan(by, app, aim).await?.into()));
    }
    let options = Options { base, message, is_kept_only: false };
    Ok(Json(api.invoker.apply(by, app, aim, options).await?.into()))
}

pub(super) async fn pull(State(api): State<Api>, OfApp(app): OfApp) -> Answer<Json<PulledJson>> {
    let (manifest, deployment, digest) = api.invoker.pull(app.id).await?;
    let defaults = crate::model::script::Limits::default();
    let default_limits = defaults.each().map(|(bound, value)| (bound.name, value)).collect();
    Ok(Json(PulledJson { manifest, deployment, digest, default_limits }))
}
