//! Queues and topics of an app: what waits in them, and a way in for people.

use axum::Extension;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::error::Answer;
use super::gate::Caller;
use super::query::{OfApp, Path, Query};
use super::{Api, List, body};
use crate::id::{EventId, RequestId};
use crate::model::event::{Origin, SendOptions};
use crate::model::page::PageQuery;
use crate::service;

#[derive(Deserialize)]
pub(super) struct Send {
    message: Box<RawValue>,
    delay_s: Option<i64>,
    dedup_key: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Publish {
    message: Box<RawValue>,
}

#[derive(Debug, Serialize)]
struct Sent {
    id: EventId,
}

#[derive(Debug, Serialize)]
struct Purged {
    purged: u64,
}

pub(super) async fn list(State(api): State<Api>, OfApp(app): OfApp, Query(page): Query<PageQuery>) -> Answer<Response> {
    Ok(List::of(service::queues::list(&api.services, app.id, &page).await?, |queue| queue).into_response())
}

pub(super) async fn send(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Path((_, name)): Path<(String, String)>,
    Extension(request_id): Extension<RequestId>,
    body::Json(send): body::Json<Send>,
) -> Answer<Response> {
    let origin = Origin { request_id, depth: 0 };
    let options = SendOptions { delay_s: send.delay_s, dedup_key: send.dedup_key };
    let message = send.message.get().as_bytes().to_vec();
    let id = service::queues::send(&api.services, app.id, origin, &name, message, options).await?;
    Ok((StatusCode::CREATED, Json(Sent { id })).into_response())
}

pub(super) async fn purge(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Path((_, name)): Path<(String, String)>,
    Caller(by): Caller,
) -> Answer<Response> {
    let purged = service::queues::purge(&api.services, by.user_id, app.id, &name).await?;
    Ok(Json(Purged { purged }).into_response())
}

pub(super) async fn topics(State(api): State<Api>, OfApp(app): OfApp, Query(page): Query<PageQuery>) -> Answer<Response> {
    Ok(List::of(service::topics::list(&api.services, app.id, &page).await?, |topic| topic).into_response())
}

pub(super) async fn publish(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Path((_, topic)): Path<(String, String)>,
    Extension(request_id): Extension<RequestId>,
    body::Json(publish): body::Json<Publish>,
) -> Answer<Response> {
    let message = publish.message.get().as_bytes().to_vec();
    let id = service::topics::publish(&api.services, app.id, Origin { request_id, depth: 0 }, &topic, message).await?;
    Ok((StatusCode::CREATED, Json(Sent { id })).into_response())
}
