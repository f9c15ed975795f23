//! Preview links: a deployment, shown at a host name of its own to whoever opens one.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::answer::Added;
use super::describe::{Operation, Output};
use super::error::Answer;
use super::gate::Caller;
use super::idempotency::Once;
use super::openapi::schemas::Schemas;
use super::query::{OfApp, Path};
use super::{Api, body};
use crate::limits;
use crate::model::preview::NAME;
use crate::service;

/// A preview link to be made.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "NewPreviewLink", example = json!({ "expires_in_s": 604_800 }))]
pub(super) struct Create {
    /// It admits for so many seconds; left out: a week.
    #[schemars(range(min = limits::PREVIEW_LINK_S_MIN, max = limits::PREVIEW_LINK_S_MAX))]
    expires_in_s: Option<i64>,
}

/// A way to see a deployment.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PreviewLink", example = example())]
pub(super) struct LinkJson {
    /// Where it is seen: for a browser, which keeps what is at its end as a cookie.
    url: String,
    /// Until when.
    expires_at: DateTime<Utc>,
}

fn example() -> Value {
    json!({ "url": "http://v7--shop.localhost:8080/?picloud_preview=1767927845.4f9a…", "expires_at": "2026-01-09T03:04:05Z" })
}

/// A link, which nothing keeps.
pub(super) struct ToldOnce(Added<LinkJson>);

impl IntoResponse for ToldOnce {
    fn into_response(self) -> Response {
        let mut response = self.0.into_response();
        response.extensions_mut().insert(Once);
        response
    }
}

impl Output for ToldOnce {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        Added::<LinkJson>::describe(operation, schemas);
    }
}

pub(super) async fn create(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Path((_, number)): Path<(String, i32)>,
    Caller(by): Caller,
    body::Json(asked): body::Json<Create>,
) -> Answer<ToldOnce> {
    let link = service::previews::link(&api.services, &by, &app, number, asked.expires_in_s).await?;
    let host = format!("{}.{}", link.label, api.services.apps_domain.trim_matches('.'));
    let url = format!("{}/?{NAME}={}", api.config.app_url(&host), link.token);
    Ok(ToldOnce(Added(LinkJson { url, expires_at: link.expires_at })))
}
