//! Dead letters of an app: read, replayed, resolved. Their shape is that which scripts see.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::error::Answer;
use super::gate::Caller;
use super::query::{Given, OfApp, Parameters, Path, Query};
use super::{Api, List, body};
use crate::error::{Error, Result};
use crate::id::{DeliveryId, ScriptId, TriggerId};
use crate::model::dead_letter::LetterFilter;
use crate::model::event::Source;
use crate::model::page::PageQuery;
use crate::service;
use crate::service::dead_letters::{Replayed, shown, shown_whole};

#[derive(Debug)]
pub(super) struct ListQuery {
    page: PageQuery,
    filter: LetterFilter,
}

impl Parameters for ListQuery {
    fn read(given: &mut Given) -> Result<Self> {
        let filter = LetterFilter {
            unresolved: given.take("unresolved", "true or false")?.unwrap_or(false),
            source: given.take::<String>("source", "text")?.map(|word| source(&word)).transpose()?,
            trigger_id: given.take("trigger_id", "an id")?,
            script_id: given.take("script_id", "an id")?,
        };
        Ok(Self { page: PageQuery::read(given)?, filter })
    }
}

pub(super) async fn list(State(api): State<Api>, OfApp(app): OfApp, Query(query): Query<ListQuery>) -> Answer<Response> {
    let page = service::dead_letters::list(&api.services, app.id, &query.filter, &query.page).await?;
    Ok(List::of(page, |letter| shown(&letter)).into_response())
}

#[derive(Debug, Serialize)]
pub(super) struct Count {
    all: u64,
    unresolved: u64,
}

pub(super) async fn count(State(api): State<Api>, OfApp(app): OfApp) -> Answer<Json<Count>> {
    let (all, unresolved) = service::dead_letters::count(&api.services, app.id).await?;
    Ok(Json(Count { all, unresolved }))
}

pub(super) async fn get(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Path((_, id)): Path<(String, DeliveryId)>,
) -> Answer<Json<Value>> {
    Ok(Json(shown_whole(&service::dead_letters::get(&api.services, app.id, id).await?)))
}

pub(super) async fn replay(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Path((_, id)): Path<(String, DeliveryId)>,
    Caller(by): Caller,
) -> Answer<Response> {
    let delivery = service::dead_letters::replay(&api.services, Some(by.user_id), app.id, id).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "delivery_id": delivery }))).into_response())
}

/// Which letters are replayed together; without a word those that nobody resolved.
#[derive(Deserialize)]
pub(super) struct Which {
    source: Option<String>,
    trigger_id: Option<TriggerId>,
    script_id: Option<ScriptId>,
}

pub(super) async fn replay_many(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Caller(by): Caller,
    body::Json(which): body::Json<Which>,
) -> Answer<Json<Replayed>> {
    let filter = LetterFilter {
        unresolved: true,
        source: which.source.as_deref().map(source).transpose()?,
        trigger_id: which.trigger_id,
        script_id: which.script_id,
    };
    Ok(Json(service::dead_letters::replay_matching(&api.services, by.user_id, app.id, &filter).await?))
}

#[derive(Deserialize)]
pub(super) struct Resolve {
    reason: String,
}

pub(super) async fn resolve(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Path((_, id)): Path<(String, DeliveryId)>,
    Caller(by): Caller,
    body::Json(resolve): body::Json<Resolve>,
) -> Answer<Json<Value>> {
    service::dead_letters::resolve(&api.services, Some(by.user_id), app.id, id, &resolve.reason).await?;
    Ok(Json(shown_whole(&service::dead_letters::get(&api.services, app.id, id).await?)))
}

fn source(word: &str) -> Result<Source> {
    let known = || Source::ALL.into_iter().filter(|source| *source != Source::DeadLetter);
    known().find(|source| source.as_str() == word).ok_or_else(|| {
        let words: Vec<_> = known().map(Source::as_str).collect();
        Error::invalid("source", format!("source is one of {}", words.join(", ")))
    })
}
