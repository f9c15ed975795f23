//! Secrets of an app: their names, and values that go in and never out. Nothing of a body that sets one is ever quoted.

use axum::Json;
use axum::extract::{FromRequest, Request, State};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::answer::{NoContent, Stored};
use super::describe::{Input, Operation};
use super::error::Answer;
use super::gate::Caller;
use super::openapi::schemas::Schemas;
use super::query::{OfApp, Path, Query};
use super::{Api, List, body};
use crate::model::page::PageQuery;
use crate::model::secret::{About, Secret};
use crate::service;

/// A secret, without its value.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Secret", example = example())]
pub(super) struct SecretJson {
    name: String,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

fn example() -> serde_json::Value {
    json!({
        "name": "mail-api-key",
        "created_at": "2026-01-02T03:04:05.678901Z",
        "updated_at": "2026-01-03T03:04:05.678901Z"
    })
}

impl From<About> for SecretJson {
    fn from(about: About) -> Self {
        let About { name, created_at, updated_at } = about;
        Self { name, created_at, updated_at }
    }
}

/// The value of a secret.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "NewSecret", example = json!({ "value": "not a real key" }))]
struct Put {
    value: String,
}

/// The body of a secret, read as any other; only that what is wrong with it is told without a word of it.
pub(super) struct Value(Secret);

impl<S: Send + Sync> FromRequest<S> for Value {
    type Rejection = super::error::Failed;

    async fn from_request(request: Request, state: &S) -> Answer<Self> {
        match body::Json::<Put>::from_request(request, state).await {
            Ok(body::Json(put)) => Ok(Self(Secret::new(put.value))),
            Err(failed) => {
                Err(failed
                    .unquoted("the body must be {\"value\": \"…\"}, with a string and nothing else (what came is not shown)"))
            }
        }
    }
}

impl Input for Value {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        <body::Json<Put> as Input>::describe(operation, schemas);
    }
}

pub(super) async fn list(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Query(page): Query<PageQuery>,
) -> Answer<Json<List<SecretJson>>> {
    Ok(List::of(service::secrets::list(&api.services, app.id, &page).await?, SecretJson::from))
}

pub(super) async fn put(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Path((_, name)): Path<(String, String)>,
    Caller(by): Caller,
    Value(secret): Value,
) -> Answer<Stored<SecretJson>> {
    let (about, new) = service::secrets::set_by_user(&api.services, &by, app.id, &name, &secret).await?;
    Ok(if new { Stored::New(about.into()) } else { Stored::Changed(about.into()) })
}

pub(super) async fn delete(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Path((_, name)): Path<(String, String)>,
    Caller(by): Caller,
) -> Answer<NoContent> {
    service::secrets::delete_by_user(&api.services, &by, app.id, &name).await?;
    Ok(NoContent)
}
