//! Secrets of an app: their names, and values that go in and never out. Nothing of a body that sets one is ever quoted.

use axum::Json;
use axum::extract::{FromRequest, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::error::Answer;
use super::gate::Caller;
use super::query::{OfApp, Path, Query};
use super::{Api, List, body};
use crate::model::page::PageQuery;
use crate::model::secret::{About, Secret};
use crate::service;

#[derive(Debug, Serialize)]
struct SecretJson {
    name: String,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<About> for SecretJson {
    fn from(about: About) -> Self {
        let About { name, created_at, updated_at } = about;
        Self { name, created_at, updated_at }
    }
}

#[derive(Deserialize)]
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

pub(super) async fn list(State(api): State<Api>, OfApp(app): OfApp, Query(page): Query<PageQuery>) -> Answer<Response> {
    Ok(List::of(service::secrets::list(&api.services, app.id, &page).await?, SecretJson::from).into_response())
}

pub(super) async fn put(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Path((_, name)): Path<(String, String)>,
    Caller(by): Caller,
    Value(secret): Value,
) -> Answer<Response> {
    let (about, new) = service::secrets::set_by_user(&api.services, by.user_id, app.id, &name, &secret).await?;
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(SecretJson::from(about))).into_response())
}

pub(super) async fn delete(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Path((_, name)): Path<(String, String)>,
    Caller(by): Caller,
) -> Answer<Response> {
    service::secrets::delete_by_user(&api.services, by.user_id, app.id, &name).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
