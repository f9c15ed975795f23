//! Apps: create, read, change, delete.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::error::Answer;
use super::etag::{self, IfMatch};
use super::gate::Caller;
use super::query::{Path, Query};
use super::{Api, List, body};
use crate::id::AppId;
use crate::model::app::{App, AppChange, Deletion, NewApp};
use crate::model::page::PageQuery;
use crate::service;

#[derive(Debug, Serialize)]
struct AppJson {
    id: AppId,
    slug: String,
    name: String,
    cors_origins: Vec<String>,
    /// Where it answers on the data plane.
    host: String,
    /// The same as browsers reach it, without a slash at the end.
    url: String,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl AppJson {
    fn of(app: App, api: &Api) -> Self {
        let host = format!("{}.{}", app.slug, api.services.apps_domain);
        let App { id, slug, name, cors_origins, created_at, updated_at } = app;
        let url = api.config.app_url(&host);
        Self { id, slug, name, cors_origins, host, url, created_at, updated_at }
    }
}

#[derive(Deserialize)]
pub(super) struct Create {
    slug: String,
    name: String,
}

#[derive(Deserialize)]
pub(super) struct Change {
    slug: Option<String>,
    name: Option<String>,
    cors_origins: Option<Vec<String>>,
}

pub(super) async fn list(State(api): State<Api>, Query(page): Query<PageQuery>) -> Answer<Response> {
    let page = service::apps::list(&api.services, &page).await?;
    Ok(List::of(page, |app| AppJson::of(app, &api)).into_response())
}

pub(super) async fn create(State(api): State<Api>, Caller(by): Caller, body::Json(new): body::Json<Create>) -> Answer<Response> {
    let app = service::apps::create(&api.services, by.user_id, NewApp { slug: new.slug, name: new.name }).await?;
    let location = format!("/api/v1/admin/apps/{}", app.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], one(app, &api)?).into_response())
}

pub(super) async fn get(State(api): State<Api>, Path(app): Path<String>) -> Answer<Response> {
    Ok(one(service::apps::get(&api.services, &app).await?, &api)?)
}

pub(super) async fn update(
    State(api): State<Api>,
    Path(app): Path<String>,
    Caller(by): Caller,
    if_match: IfMatch,
    body::Json(change): body::Json<Change>,
) -> Answer<Response> {
    let id = service::apps::get(&api.services, &app).await?.id;
    let change = AppChange { slug: change.slug, name: change.name, cors_origins: change.cors_origins };
    Ok(one(service::apps::update(&api.services, by.user_id, id, change, if_match.tag()).await?, &api)?)
}

pub(super) async fn delete(
    State(api): State<Api>,
    Path(app): Path<String>,
    Query(deletion): Query<Deletion>,
    Caller(by): Caller,
    if_match: IfMatch,
) -> Answer<StatusCode> {
    let id = service::apps::get(&api.services, &app).await?.id;
    service::apps::delete(&api.services, by.user_id, id, deletion, if_match.tag()).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn one(app: App, api: &Api) -> crate::error::Result<Response> {
    let tag = etag::header(app.tag())?;
    Ok(([tag], Json(AppJson::of(app, api))).into_response())
}
