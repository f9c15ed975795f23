//! Topics that can be subscribed to: which, and who may.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::answer::{NoContent, Stored};
use super::error::Answer;
use super::gate::Caller;
use super::query::{OfApp, Path};
use super::{Api, body};
use crate::model::queue::Topic;
use crate::model::topic::Access;
use crate::service;

/// Who may subscribe to a topic.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "NewTopic", example = json!({ "access": "token" }))]
pub(super) struct Put {
    access: Access,
}

pub(super) async fn get(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Path((_, topic)): Path<(String, String)>,
) -> Answer<Json<Topic>> {
    Ok(Json(service::topics::get(&api.services, app.id, &topic).await?))
}

pub(super) async fn put(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Path((_, topic)): Path<(String, String)>,
    Caller(by): Caller,
    body::Json(asked): body::Json<Put>,
) -> Answer<Stored<Topic>> {
    let (topic, is_new) = service::topics::register(&api.services, &by, app.id, &topic, asked.access).await?;
    Ok(if is_new { Stored::New(topic) } else { Stored::Changed(topic) })
}

pub(super) async fn delete(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Path((_, topic)): Path<(String, String)>,
    Caller(by): Caller,
) -> Answer<NoContent> {
    service::topics::unregister(&api.services, &by, app.id, &topic).await?;
    Ok(NoContent)
}
