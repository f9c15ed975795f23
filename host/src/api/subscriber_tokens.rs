//! Tokens with which people outside subscribe to topics of an app.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::answer::{Added, NoContent};
use super::describe::{Operation, Output};
use super::error::Answer;
use super::gate::Caller;
use super::idempotency::Once;
use super::openapi::schemas::Schemas;
use super::query::{OfApp, Path, Query};
use super::{Api, List, body};
use crate::id::{ScriptId, SubscriberTokenId, UserId};
use crate::limits;
use crate::model::page::PageQuery;
use crate::model::topic::{Maker, NewSubscriberToken, SubscriberToken};
use crate::service;

/// A subscriber's token, without the token.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SubscriberToken", example = example())]
pub(super) struct TokenJson {
    id: SubscriberTokenId,
    /// Names of topics, `prefix.*`, or `*`.
    topics: Vec<String>,
    created_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    /// The person who made it; null for a script, and once that person is gone.
    made_by: Option<UserId>,
    /// The script that made it; null for a person.
    made_by_script: Option<ScriptId>,
}

/// A new token; the only answer that shows it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "NewSubscriberTokenMade", example = with_token(example()))]
pub(super) struct WithToken {
    #[serde(flatten)]
    about: TokenJson,
    /// `picr_` and 64 hex digits: a bearer, or the parameter `token`, at `/realtime/topics/{topic}` of the app.
    token: String,
}

/// A token to be made.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "NewSubscriberToken", example = json!({ "topics": ["orders.*"], "ttl_s": 3600 }))]
pub(super) struct Create {
    /// Names of topics, `prefix.*`, or `*`.
    #[schemars(length(min = 1, max = limits::SUBSCRIBER_TOKEN_TOPICS_MAX))]
    topics: Vec<String>,
    /// How long it is good, seconds; left out: an hour.
    #[schemars(range(min = limits::SUBSCRIBER_TOKEN_TTL_S_MIN, max = limits::SUBSCRIBER_TOKEN_TTL_S_MAX))]
    ttl_s: Option<i64>,
}

fn example() -> Value {
    json!({
        "id": "01990a6e-cccc-7a10-8f3c-5e2d1c0b9a88",
        "topics": ["orders.*"],
        "created_at": "2026-01-02T03:04:05.678901Z",
        "expires_at": "2026-01-02T04:04:05.678901Z",
        "made_by": "01990a6e-1111-7a10-8f3c-5e2d1c0b9a88",
        "made_by_script": null
    })
}

fn with_token(mut example: Value) -> Value {
    if let Some(fields) = example.as_object_mut() {
        fields.insert("token".to_owned(), "picr_4f9a0c71be22…".into());
    }
    example
}

impl From<SubscriberToken> for TokenJson {
    fn from(token: SubscriberToken) -> Self {
        let SubscriberToken { id, topics, created_at, expires_at, made_by } = token;
        let (made_by, made_by_script) = match made_by {
            Maker::Person(id) => (Some(id), None),
            Maker::Script(id) => (None, Some(id)),
            Maker::Nobody => (None, None),
        };
        Self { id, topics, created_at, expires_at, made_by, made_by_script }
    }
}

/// A token that nothing keeps.
pub(super) struct ToldOnce(Added<WithToken>);

impl IntoResponse for ToldOnce {
    fn into_response(self) -> Response {
        let mut response = self.0.into_response();
        response.extensions_mut().insert(Once);
        response
    }
}

impl Output for ToldOnce {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        Added::<WithToken>::describe(operation, schemas);
    }
}

pub(super) async fn list(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Query(page): Query<PageQuery>,
) -> Answer<Json<List<TokenJson>>> {
    Ok(List::of(service::subscriber_tokens::list(&api.services, app.id, &page).await?, TokenJson::from))
}

pub(super) async fn create(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Caller(by): Caller,
    body::Json(new): body::Json<Create>,
) -> Answer<ToldOnce> {
    let Create { topics, ttl_s } = new;
    let new = NewSubscriberToken { topics, ttl_s };
    let (about, token) = service::subscriber_tokens::create(&api.services, &by, app.id, new).await?;
    Ok(ToldOnce(Added(WithToken { about: about.into(), token })))
}

pub(super) async fn delete(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Path((_, id)): Path<(String, SubscriberTokenId)>,
    Caller(by): Caller,
) -> Answer<NoContent> {
    service::subscriber_tokens::revoke(&api.services, &by, app.id, id).await?;
    Ok(NoContent)
}
