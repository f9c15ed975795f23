//! Queues and topics of an app: what waits in them, and a way in for people.

use axum::Extension;
use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;

use super::answer::Added;
use super::error::Answer;
use super::gate::Caller;
use super::query::{OfApp, Path, Query};
use super::{Api, List, body};
use crate::id::{EventId, RequestId};
use crate::limits;
use crate::model::event::{Origin, SendOptions};
use crate::model::page::PageQuery;
use crate::model::queue::{Queue, Topic};
use crate::service;

/// A message for a queue.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "NewQueueMessage", example = json!({ "message": { "order": 17 }, "delay_s": 60, "dedup_key": "order-17" }))]
pub(super) struct Send {
    /// Any JSON value.
    #[schemars(with = "serde_json::Value")]
    message: Box<RawValue>,
    /// Left out: at once.
    #[schemars(range(min = 0, max = limits::QUEUE_DELAY_S_MAX))]
    delay_s: Option<i64>,
    /// The message is not sent again while this key is remembered.
    dedup_key: Option<String>,
}

/// A message for a topic.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "NewTopicMessage", example = json!({ "message": { "order": 17, "paid": true } }))]
pub(super) struct Publish {
    /// Any JSON value.
    #[schemars(with = "serde_json::Value")]
    message: Box<RawValue>,
}

/// The event that a message became.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SentMessage", example = json!({ "id": "01990a70-0001-7a10-8f3c-5e2d1c0b9a88" }))]
pub(super) struct Sent {
    id: EventId,
}

/// How many messages were thrown away.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PurgedQueue", example = json!({ "purged": 12 }))]
pub(super) struct Purged {
    purged: u64,
}

pub(super) async fn list(State(api): State<Api>, OfApp(app): OfApp, Query(page): Query<PageQuery>) -> Answer<Json<List<Queue>>> {
    Ok(List::of(service::queues::list(&api.services, app.id, &page).await?, |queue| queue))
}

pub(super) async fn send(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Path((_, name)): Path<(String, String)>,
    Caller(by): Caller,
    Extension(request_id): Extension<RequestId>,
    body::Json(send): body::Json<Send>,
) -> Answer<Added<Sent>> {
    let origin = Origin::of(request_id);
    let options = SendOptions { delay_s: send.delay_s, dedup_key: send.dedup_key };
    let message = send.message.get().as_bytes().to_vec();
    let id = service::queues::send(&api.services, Some(&*by), app.id, origin, &name, message, options).await?;
    Ok(Added(Sent { id }))
}

pub(super) async fn purge(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Path((_, name)): Path<(String, String)>,
    Caller(by): Caller,
) -> Answer<Json<Purged>> {
    let purged = service::queues::purge(&api.services, &by, app.id, &name).await?;
    Ok(Json(Purged { purged }))
}

pub(super) async fn topics(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Query(page): Query<PageQuery>,
) -> Answer<Json<List<Topic>>> {
    Ok(List::of(service::topics::list(&api.services, app.id, &page).await?, |topic| topic))
}

pub(super) async fn publish(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Path((_, topic)): Path<(String, String)>,
    Caller(by): Caller,
    Extension(request_id): Extension<RequestId>,
    body::Json(publish): body::Json<Publish>,
) -> Answer<Added<Sent>> {
    let message = publish.message.get().as_bytes().to_vec();
    let origin = Origin::of(request_id);
    let id = service::topics::publish(&api.services, Some(&*by), app.id, origin, &topic, message).await?;
    Ok(Added(Sent { id }))
}
