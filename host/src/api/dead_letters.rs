//! Dead letters of an app: read, replayed, resolved. Their shape is that which scripts see.

mod shapes;

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;
use serde_json::value::RawValue;

use self::shapes::{Letter, WholeLetter};
use super::answer::Accepted;
use super::error::Answer;
use super::gate::Caller;
use super::query::{Given, OfApp, Parameter, Parameters, Path, Query};
use super::{Api, List, body};
use crate::error::{Error, Result};
use crate::id::{AppId, DeliveryId, ScriptId, TriggerId};
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
    fn describe() -> Vec<Parameter> {
        let mut known = vec![
            Parameter::flag("unresolved", "Only those that nobody resolved."),
            Parameter::one_of("source", "Those of events from this source.", &sources()),
            Parameter::id("trigger_id", "Those of this trigger."),
            Parameter::id("script_id", "Those of this script."),
        ];
        known.extend(PageQuery::describe());
        known
    }

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

pub(super) async fn list(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Query(query): Query<ListQuery>,
) -> Answer<Json<List<Letter>>> {
    let page = service::dead_letters::list(&api.services, app.id, &query.filter, &query.page).await?;
    Ok(List::of(page, |letter| Letter(shown(&letter))))
}

/// How many dead letters there are, and how many that nobody resolved.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "DeadLetterCount", example = json!({ "all": 7, "unresolved": 2 }))]
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
) -> Answer<Json<WholeLetter>> {
    Ok(Json(whole(&api, app.id, id).await?))
}

/// The delivery that a letter's event has anew.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ReplayedDeadLetter", example = json!({ "delivery_id": "01990a70-2222-7a10-8f3c-5e2d1c0b9a88" }))]
pub(super) struct NewDelivery {
    delivery_id: DeliveryId,
}

/// How a letter is replayed; left out: as it is.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "DeadLetterToReplay", example = json!({ "message": { "order": 17 } }))]
pub(super) struct Replay {
    /// Of a queue's or a topic's letter: another message in place of its own, any JSON value.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "serde_json::Value")]
    message: Option<Box<RawValue>>,
}

/// A value that is there, `null` too.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(deserializer).map(Some)
}

pub(super) async fn replay(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Path((_, id)): Path<(String, DeliveryId)>,
    Caller(by): Caller,
    body::Maybe(replay): body::Maybe<Replay>,
) -> Answer<Accepted<NewDelivery>> {
    let delivery_id = match replay.and_then(|replay| replay.message) {
        None => service::dead_letters::replay(&api.services, Some(&*by), app.id, id).await?,
        Some(message) => {
            let message = message.get().as_bytes().to_vec();
            service::dead_letters::replay_edited(&api.services, &by, app.id, id, message).await?
        }
    };
    Ok(Accepted(NewDelivery { delivery_id }))
}

/// Which letters are replayed together; without a word those that nobody resolved.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "DeadLettersToReplay", example = json!({ "source": "queue" }))]
pub(super) struct Which {
    source: Option<String>,
    trigger_id: Option<TriggerId>,
    script_id: Option<ScriptId>,
}

/// What became of letters that were to be replayed together.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ReplayedDeadLetters", example = json!({ "replayed": 12, "trigger_gone": 1, "more": false }))]
pub(super) struct ReplayedJson {
    replayed: usize,
    /// How many cannot be, because their trigger is gone.
    trigger_gone: usize,
    /// Whether there are more that can.
    more: bool,
}

pub(super) async fn replay_many(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Caller(by): Caller,
    body::Json(which): body::Json<Which>,
) -> Answer<Json<ReplayedJson>> {
    let filter = LetterFilter {
        unresolved: true,
        source: which.source.as_deref().map(source).transpose()?,
        trigger_id: which.trigger_id,
        script_id: which.script_id,
    };
    let done = service::dead_letters::replay_matching(&api.services, &by, app.id, &filter).await?;
    let Replayed { replayed, trigger_gone, more } = done;
    Ok(Json(ReplayedJson { replayed, trigger_gone, more }))
}

/// Why a letter is done.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "DeadLetterResolution", example = json!({ "reason": "the order was cancelled" }))]
pub(super) struct Resolve {
    reason: String,
}

pub(super) async fn resolve(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Path((_, id)): Path<(String, DeliveryId)>,
    Caller(by): Caller,
    body::Json(resolve): body::Json<Resolve>,
) -> Answer<Json<WholeLetter>> {
    service::dead_letters::resolve(&api.services, Some(&*by), app.id, id, &resolve.reason).await?;
    Ok(Json(whole(&api, app.id, id).await?))
}

async fn whole(api: &Api, app: AppId, id: DeliveryId) -> Result<WholeLetter> {
    Ok(WholeLetter(shown_whole(&service::dead_letters::get(&api.services, app, id).await?)))
}

/// The words of the sources that dead letters have.
fn sources() -> Vec<&'static str> {
    Source::ALL.into_iter().filter(|source| *source != Source::DeadLetter).map(Source::as_str).collect()
}

fn source(word: &str) -> Result<Source> {
    let known = Source::from_word(word).filter(|source| *source != Source::DeadLetter);
    known.ok_or_else(|| Error::invalid("source", format!("source is one of {}", sources().join(", "))))
}
