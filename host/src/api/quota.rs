//! What an app may use, and what it uses.

use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::answer::Tagged;
use super::error::Answer;
use super::etag::IfMatch;
use super::gate::Caller;
use super::query::OfApp;
use super::{Api, body};
use crate::invoke::AppStatus;
use crate::model::access::Principal;
use crate::model::app::App;
use crate::model::quota::{AskedQuota, Named, Quota};
use crate::model::storage::Used;
use crate::service;
use crate::service::quotas::Change;

/// What an app may use.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AppQuota", example = example())]
pub(super) struct QuotaJson {
    /// Every bound, as it holds.
    quota: Quota,
    /// Those that were set for the app; the others are the platform's defaults.
    set: Named,
    /// What it has of what it may have.
    used: Used,
    /// What the app does on the node that answers, at this moment.
    now: AppStatus,
}

fn example() -> Value {
    json!({
        "quota": Quota { concurrency: 8, ..Quota::default() },
        "set": { "concurrency": 8 },
        "used": Used::default(),
        "now": AppStatus::default(),
    })
}

pub(super) async fn get(State(api): State<Api>, OfApp(app): OfApp) -> Answer<Tagged<QuotaJson>> {
    let set = service::quotas::get(&api.services, app.id).await?;
    one(&api, &app, set).await
}

pub(super) async fn replace(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Caller(by): Caller,
    if_match: IfMatch,
    body::Json(asked): body::Json<AskedQuota>,
) -> Answer<Tagged<QuotaJson>> {
    put(&api, &app, &by, &if_match, asked, Change::Replace).await
}

pub(super) async fn merge(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Caller(by): Caller,
    if_match: IfMatch,
    body::Json(asked): body::Json<AskedQuota>,
) -> Answer<Tagged<QuotaJson>> {
    put(&api, &app, &by, &if_match, asked, Change::Merge).await
}

async fn put(
    api: &Api,
    app: &App,
    by: &Principal,
    if_match: &IfMatch,
    asked: AskedQuota,
    change: Change,
) -> Answer<Tagged<QuotaJson>> {
    let (app, set) = service::quotas::put(&api.services, by, app.id, asked.named(), change, if_match.tag()).await?;
    one(api, &app, set).await
}

async fn one(api: &Api, app: &App, set: Named) -> Answer<Tagged<QuotaJson>> {
    let used = service::storage::used(&api.services, app.id).await?;
    let (quota, now) = (Quota::stored(&set), api.invoker.app_status(app.id));
    Ok(Tagged { tag: app.tag(), body: QuotaJson { quota, set, used, now } })
}
