//! Apps: create, read, change, delete.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::answer::{Created, NoContent, Tagged};
use super::error::Answer;
use super::etag::IfMatch;
use super::gate::Caller;
use super::query::{OfApp, Query};
use super::{Api, List, body};
use crate::id::AppId;
use crate::model::app::{App, AppChange, Deletion, NewApp};
use crate::model::page::PageQuery;
use crate::service;

/// A tenant.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "App", example = example())]
pub(super) struct AppJson {
    id: AppId,
    /// One DNS label.
    slug: String,
    name: String,
    /// Origins that browsers may call from; `*` is any.
    cors_origins: Vec<String>,
    /// Where it answers on the data plane, beside its domains.
    host: String,
    /// The same as browsers reach it, without a slash at the end.
    url: String,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl AppJson {
    pub(super) fn of(app: App, api: &Api) -> Self {
        let host = format!("{}.{}", app.slug, api.services.apps_domain);
        let App { id, slug, name, cors_origins, created_at, updated_at } = app;
        let url = api.config.app_url(&host);
        Self { id, slug, name, cors_origins, host, url, created_at, updated_at }
    }

    fn tagged(app: App, api: &Api) -> Tagged<Self> {
        Tagged { tag: app.tag(), body: Self::of(app, api) }
    }
}

fn example() -> Value {
    json!({
        "id": "01990a6e-5a40-7c3e-9d0b-0d8f3b1c2a4e",
        "slug": "shop",
        "name": "The shop",
        "cors_origins": ["https://www.example.com"],
        "host": "shop.apps.example.com",
        "url": "https://shop.apps.example.com",
        "created_at": "2026-01-02T03:04:05.678901Z",
        "updated_at": "2026-01-02T03:04:05.678901Z"
    })
}

/// An app to be made.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "NewApp", example = json!({ "slug": "shop", "name": "The shop" }))]
pub(super) struct Create {
    slug: String,
    name: String,
    /// Also a slug that still leads to the app that had it before (409 `slug_redirects` without).
    #[serde(default)]
    takeover: bool,
}

/// What of an app is to change; what is left out stays.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "AppChange", example = json!({ "slug": "store", "cors_origins": ["https://www.example.com"] }))]
pub(super) struct Change {
    /// The old one leads to the app until somebody takes it.
    slug: Option<String>,
    name: Option<String>,
    cors_origins: Option<Vec<String>>,
    /// Also a slug that still leads to the app that had it before (409 `slug_redirects` without).
    #[serde(default)]
    takeover: bool,
}

pub(super) async fn list(
    State(api): State<Api>,
    Caller(by): Caller,
    Query(page): Query<PageQuery>,
) -> Answer<Json<List<AppJson>>> {
    let page = service::apps::list(&api.services, &by, &page).await?;
    Ok(List::of(page, |app| AppJson::of(app, &api)))
}

pub(super) async fn create(
    State(api): State<Api>,
    Caller(by): Caller,
    body::Json(new): body::Json<Create>,
) -> Answer<Created<AppJson>> {
    let Create { slug, name, takeover } = new;
    let app = service::apps::create(&api.services, &by, NewApp { slug, name, takeover }).await?;
    let location = format!("/api/v1/admin/apps/{}", app.id);
    Ok(Created { location, tag: Some(app.tag()), body: AppJson::of(app, &api) })
}

pub(super) async fn get(State(api): State<Api>, OfApp(app): OfApp) -> Answer<Tagged<AppJson>> {
    Ok(AppJson::tagged(app, &api))
}

pub(super) async fn update(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Caller(by): Caller,
    if_match: IfMatch,
    body::Json(change): body::Json<Change>,
) -> Answer<Tagged<AppJson>> {
    let Change { slug, name, cors_origins, takeover } = change;
    let change = AppChange { slug, name, cors_origins, takeover };
    Ok(AppJson::tagged(service::apps::update(&api.services, &by, app.id, change, if_match.tag()).await?, &api))
}

pub(super) async fn delete(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Query(deletion): Query<Deletion>,
    Caller(by): Caller,
    if_match: IfMatch,
) -> Answer<NoContent> {
    service::apps::delete(&api.services, &by, app.id, deletion, if_match.tag()).await?;
    Ok(NoContent)
}
