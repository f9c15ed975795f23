//! What an app allows its scripts.

use std::collections::BTreeMap;

use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::answer::Tagged;
use super::error::Answer;
use super::etag::IfMatch;
use super::gate::Caller;
use super::query::OfApp;
use super::{Api, body};
use crate::model::access::Principal;
use crate::model::app::App;
use crate::model::grant::Grants;
use crate::service;
use crate::service::grants::Change;

/// Patterns by capability: names, prefixes that end in `*`, or `*`; of `http` hosts and networks.
#[derive(Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(rename = "NewGrants", example = json!({ "http": ["api.example.com"], "secrets": ["*"] }))]
pub(super) struct Lists(BTreeMap<String, Vec<String>>);

/// Every capability with its patterns; an empty list grants nothing.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(rename = "Grants", example = example())]
pub(super) struct GrantsJson(#[schemars(with = "BTreeMap::<String, Vec<String>>")] Value);

fn example() -> Value {
    json!({
        "dead_letters": ["*"],
        "docs": ["*"],
        "email": [],
        "files": ["*"],
        "http": ["api.example.com"],
        "invoke": ["*"],
        "kv": ["*"],
        "pubsub": ["*"],
        "queue": ["*"],
        "secrets": ["*"]
    })
}

pub(super) async fn get(State(api): State<Api>, OfApp(app): OfApp) -> Answer<Tagged<GrantsJson>> {
    let grants = service::grants::get(&api.services, app.id).await?;
    Ok(one(&app, &grants))
}

pub(super) async fn replace(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Caller(by): Caller,
    if_match: IfMatch,
    body::Json(lists): body::Json<Lists>,
) -> Answer<Tagged<GrantsJson>> {
    put(&api, &app, &by, &if_match, lists, Change::Replace).await
}

pub(super) async fn merge(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Caller(by): Caller,
    if_match: IfMatch,
    body::Json(lists): body::Json<Lists>,
) -> Answer<Tagged<GrantsJson>> {
    put(&api, &app, &by, &if_match, lists, Change::Merge).await
}

async fn put(
    api: &Api,
    app: &App,
    by: &Principal,
    if_match: &IfMatch,
    lists: Lists,
    change: Change,
) -> Answer<Tagged<GrantsJson>> {
    let (app, grants) = service::grants::put(&api.services, by, app.id, lists.0, change, if_match.tag()).await?;
    Ok(one(&app, &grants))
}

fn one(app: &App, grants: &Grants) -> Tagged<GrantsJson> {
    Tagged { tag: app.tag(), body: GrantsJson(grants.to_json()) }
}
