//! What an app allows its scripts.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};

use super::error::Answer;
use super::etag::{self, IfMatch};
use super::gate::Caller;
use super::query::Path;
use super::{Api, body};
use crate::model::access::Principal;
use crate::service;
use crate::service::grants::Change;

/// Patterns by capability.
type Lists = BTreeMap<String, Vec<String>>;

pub(super) async fn get(State(api): State<Api>, Path(app): Path<String>) -> Answer<Response> {
    let app = service::apps::get(&api.services, &app).await?;
    let grants = service::grants::get(&api.services, app.id).await?;
    Ok(([etag::header(app.tag())?], Json(grants.to_json())).into_response())
}

pub(super) async fn replace(
    State(api): State<Api>,
    Path(app): Path<String>,
    Caller(by): Caller,
    if_match: IfMatch,
    body::Json(lists): body::Json<Lists>,
) -> Answer<Response> {
    put(&api, &app, &by, &if_match, lists, Change::Replace).await
}

pub(super) async fn merge(
    State(api): State<Api>,
    Path(app): Path<String>,
    Caller(by): Caller,
    if_match: IfMatch,
    body::Json(lists): body::Json<Lists>,
) -> Answer<Response> {
    put(&api, &app, &by, &if_match, lists, Change::Merge).await
}

async fn put(api: &Api, app: &str, by: &Principal, if_match: &IfMatch, lists: Lists, change: Change) -> Answer<Response> {
    let id = service::apps::get(&api.services, app).await?.id;
    let (app, grants) = service::grants::put(&api.services, by.user_id, id, lists, change, if_match.tag()).await?;
    Ok(([etag::header(app.tag())?], Json(grants.to_json())).into_response())
}
