//! One's own API keys.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::answer::{Created, NoContent};
use super::describe::{Operation, Output};
use super::error::Answer;
use super::gate::Caller;
use super::idempotency::Once;
use super::openapi::schemas::Schemas;
use super::query::{Path, Query};
use super::{Api, List, body};
use crate::id::{ApiKeyId, AppId};
use crate::model::access::Scope;
use crate::model::api_key::{ApiKey, NewApiKey};
use crate::model::page::PageQuery;
use crate::service;

/// An API key, without its token.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ApiKey", example = example())]
pub(super) struct KeyJson {
    id: ApiKeyId,
    name: String,
    /// How its token begins.
    prefix: String,
    scopes: Vec<Scope>,
    /// The one app that it is good for; null: every app of its owner.
    app_id: Option<AppId>,
    created_at: DateTime<Utc>,
    /// Null: never.
    expires_at: Option<DateTime<Utc>>,
    /// In steps of five minutes; null: never used.
    last_used_at: Option<DateTime<Utc>>,
}

/// A new API key; the only answer that shows its token.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "NewApiKeyToken", example = with_token(example()))]
pub(super) struct WithToken {
    #[serde(flatten)]
    key: KeyJson,
    /// `pic_` and 76 hex digits: the bearer credential.
    token: String,
}

/// An API key to be made.
#[derive(Deserialize, JsonSchema)]
#[schemars(
    rename = "NewApiKey",
    example = json!({ "name": "deploy from CI", "scopes": ["script:read", "script:write"], "app_id": "01990a6e-5a40-7c3e-9d0b-0d8f3b1c2a4e" })
)]
pub(super) struct Create {
    name: String,
    /// What it may do of what its owner may.
    scopes: Vec<Scope>,
    /// The one app that it is good for, by id or slug; left out: every app of its owner.
    app_id: Option<String>,
    /// Left out: never.
    expires_at: Option<DateTime<Utc>>,
}

fn example() -> Value {
    json!({
        "id": "01990a6e-6b51-7a10-8f3c-5e2d1c0b9a88",
        "name": "deploy from CI",
        "prefix": "pic_4f9a0c71be22",
        "scopes": ["script:read", "script:write"],
        "app_id": "01990a6e-5a40-7c3e-9d0b-0d8f3b1c2a4e",
        "created_at": "2026-01-02T03:04:05.678901Z",
        "expires_at": null,
        "last_used_at": null
    })
}

fn with_token(mut example: Value) -> Value {
    if let Some(fields) = example.as_object_mut() {
        fields.insert("token".to_owned(), "pic_4f9a0c71be22…".into());
    }
    example
}

impl From<ApiKey> for KeyJson {
    fn from(key: ApiKey) -> Self {
        let ApiKey { id, user_id: _, name, prefix, scopes, app_id, created_at, expires_at, last_used_at } = key;
        Self { id, name, prefix, scopes: scopes.iter().collect(), app_id, created_at, expires_at, last_used_at }
    }
}

/// A key with its token, which nothing keeps.
pub(super) struct ToldOnce(Created<WithToken>);

impl IntoResponse for ToldOnce {
    fn into_response(self) -> Response {
        let mut response = self.0.into_response();
        response.extensions_mut().insert(Once);
        response
    }
}

impl Output for ToldOnce {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        Created::<WithToken>::describe(operation, schemas);
    }
}

pub(super) async fn list(
    State(api): State<Api>,
    Caller(by): Caller,
    Query(page): Query<PageQuery>,
) -> Answer<Json<List<KeyJson>>> {
    Ok(List::of(service::api_keys::list(&api.services, by.user_id, &page).await?, KeyJson::from))
}

pub(super) async fn create(State(api): State<Api>, Caller(by): Caller, body::Json(new): body::Json<Create>) -> Answer<ToldOnce> {
    let Create { name, scopes, app_id, expires_at } = new;
    let new = NewApiKey { name, scopes, app: app_id, expires_at };
    let (key, token) = service::api_keys::create(&api.services, &by, new).await?;
    let location = format!("/api/v1/admin/api-keys/{}", key.id);
    Ok(ToldOnce(Created { location, tag: None, body: WithToken { key: key.into(), token } }))
}

pub(super) async fn get(State(api): State<Api>, Caller(by): Caller, Path(id): Path<ApiKeyId>) -> Answer<Json<KeyJson>> {
    Ok(Json(service::api_keys::get(&api.services, by.user_id, id).await?.into()))
}

pub(super) async fn delete(State(api): State<Api>, Caller(by): Caller, Path(id): Path<ApiKeyId>) -> Answer<NoContent> {
    service::api_keys::delete(&api.services, &by, id).await?;
    Ok(NoContent)
}
