//! Triggers: one way to register for each kind, so that each body is checked against its own shape; one list for all.

mod bodies;

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::answer::{Accepted, Created, NoContent, Tagged};
use super::error::Answer;
use super::etag::IfMatch;
use super::gate::Caller;
use super::query::{Given, OfApp, Parameter, Parameters, Path, Query};
use super::{Api, List, body};
use crate::error::{Error, Result};
use crate::id::{AppId, EventId, ScriptId, TriggerId, UserId};
use crate::limits::SCHEDULE_PREVIEW_TICKS;
use crate::model::event::{Op, Source};
use crate::model::page::{Page, PageQuery};
use crate::model::retry::Retry;
use crate::model::schedule::Schedule;
use crate::model::trigger::{Counts, Filter, NewTrigger, Rule, State as TriggerState, Trigger};
use crate::service;
use crate::service::triggers::Which;

pub(super) use self::bodies::{Change, Cron, DeadLetter, Docs, Email, Files, Kv, Preview, Pubsub, Queue};

/// What has a script run on events; beside what all have the fields of its kind.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Trigger", example = example())]
pub(super) struct TriggerJson {
    id: TriggerId,
    app_id: AppId,
    script_id: ScriptId,
    kind: Source,
    #[serde(flatten)]
    rule: RuleJson,
    /// `async`
    dispatch_mode: &'static str,
    #[serde(flatten)]
    retry: Retry,
    /// False for one that stopped, too.
    enabled: bool,
    /// `active`, `disabled` or `stopped`.
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped: Option<Stopped>,
    /// As whom it runs; null once that person is gone.
    registered_by: Option<UserId>,
    counts: Counts,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

fn example() -> Value {
    json!({
        "id": "01990a6e-aaaa-7a10-8f3c-5e2d1c0b9a88",
        "app_id": "01990a6e-7777-7a10-8f3c-5e2d1c0b9a88",
        "script_id": "01990a6e-8888-7a10-8f3c-5e2d1c0b9a88",
        "kind": "queue",
        "queue": "orders",
        "dispatch_mode": "async",
        "max_attempts": 5,
        "backoff": "exponential",
        "base_delay_ms": 1_000,
        "max_delay_ms": 600_000,
        "jitter": true,
        "enabled": true,
        "state": "active",
        "registered_by": "01990a6e-5a40-7c3e-9d0b-0d8f3b1c2a4e",
        "counts": { "succeeded": 128, "failed": 3, "dead": 0, "last_at": "2026-01-03T03:04:05.678901Z" },
        "created_at": "2026-01-02T03:04:05.678901Z",
        "updated_at": "2026-01-02T03:04:05.678901Z"
    })
}

/// Why it does not run any more.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "StoppedTrigger")]
struct Stopped {
    reason: String,
    at: DateTime<Utc>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
enum RuleJson {
    Changes {
        collection: String,
        ops: Vec<Op>,
    },
    Cron {
        schedule: String,
        timezone: &'static str,
        next_tick_at: Option<DateTime<Utc>>,
        /// Of a trigger that was asked for by its id.
        #[serde(skip_serializing_if = "Option::is_none")]
        next_ticks: Option<Vec<DateTime<Utc>>>,
    },
    Pubsub {
        topic: String,
    },
    Queue {
        queue: String,
    },
    Email {
        /// Name of the secret that signs.
        secret: String,
        /// Where the app takes mail in, as a path of its host.
        path: String,
    },
    DeadLetter {
        filter: FilterJson,
    },
}

/// Which dead letters; null where any will do.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "DeadLetterFilter")]
struct FilterJson {
    source: Option<String>,
    trigger_id: Option<TriggerId>,
    script_id: Option<ScriptId>,
}

impl TriggerJson {
    fn of(trigger: Trigger, counts: Counts) -> Self {
        let Trigger { id, app_id, script_id, rule, retry, state, registered_by, created_at, updated_at } = trigger;
        let (kind, word, enabled) = (rule.kind(), state.as_str(), state == TriggerState::Active);
        let stopped = match state {
            TriggerState::Stopped { reason, at } => Some(Stopped { reason, at }),
            TriggerState::Active | TriggerState::Disabled => None,
        };
        let rule = RuleJson::of(rule, id);
        let dispatch_mode = "async";
        Self {
            id,
            app_id,
            script_id,
            kind,
            rule,
            dispatch_mode,
            retry,
            enabled,
            state: word,
            stopped,
            registered_by,
            counts,
            created_at,
            updated_at,
        }
    }

    /// With the ticks to come of a schedule.
    fn with_ticks(mut self, schedule: Option<&Schedule>, now: DateTime<Utc>) -> Self {
        if let (RuleJson::Cron { next_ticks, .. }, Some(schedule)) = (&mut self.rule, schedule) {
            *next_ticks = Some(schedule.upcoming(now, SCHEDULE_PREVIEW_TICKS));
        }
        self
    }
}

impl RuleJson {
    fn of(rule: Rule, id: TriggerId) -> Self {
        match rule {
            Rule::Changes { collection, ops, .. } => Self::Changes { collection, ops },
            Rule::Cron { schedule, next_tick_at } => Self::Cron {
                timezone: schedule.timezone(),
                schedule: schedule.as_str().to_owned(),
                next_tick_at,
                next_ticks: None,
            },
            Rule::Pubsub { topic } => Self::Pubsub { topic },
            Rule::Queue { queue } => Self::Queue { queue },
            Rule::Email { secret } => Self::Email { secret, path: service::mail_in::path(id) },
            Rule::DeadLetter(Filter { source, trigger_id, script_id }) => {
                let source = source.map(|source| source.as_str().to_owned());
                Self::DeadLetter { filter: FilterJson { source, trigger_id, script_id } }
            }
        }
    }
}

/// Registers a trigger of the kind that the body is of.
pub(super) async fn create<T: Into<NewTrigger>>(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Caller(by): Caller,
    body::Json(new): body::Json<T>,
) -> Answer<Created<TriggerJson>> {
    let trigger = service::triggers::create(&api.services, &by, app.id, new.into()).await?;
    let location = format!("/api/v1/admin/apps/{}/triggers/{}", app.id, trigger.id);
    let Tagged { tag, body } = one(&api, trigger, Counts::default());
    Ok(Created { location, tag: Some(tag), body })
}

#[derive(Debug)]
pub(super) struct ListQuery {
    page: PageQuery,
    which: Which,
}

/// The words of the kinds of triggers.
fn kinds() -> Vec<&'static str> {
    let kinds = Source::ALL.into_iter().filter(|source| !matches!(source, Source::Http | Source::Invoke));
    kinds.map(Source::as_str).collect()
}

impl Parameters for ListQuery {
    fn describe() -> Vec<Parameter> {
        let mut known =
            vec![Parameter::one_of("kind", "Those of this kind.", &kinds()), Parameter::id("script_id", "Those of this script.")];
        known.extend(PageQuery::describe());
        known
    }

    fn read(given: &mut Given) -> Result<Self> {
        let kind = given.take::<String>("kind", "text")?;
        let kind = kind.map(|word| {
            let kind = Source::from_word(&word).filter(|kind| kinds().contains(&kind.as_str()));
            kind.ok_or_else(|| Error::invalid("kind", format!("kind is one of {}", kinds().join(", "))))
        });
        let which = Which { kind: kind.transpose()?, script: given.take("script_id", "an id")? };
        Ok(Self { page: PageQuery::read(given)?, which })
    }
}

pub(super) async fn list(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Query(query): Query<ListQuery>,
) -> Answer<Json<List<TriggerJson>>> {
    let page = service::triggers::list(&api.services, app.id, query.which, &query.page).await?;
    let counts = counts_of(&api, &page).await?;
    let shape = |trigger: Trigger| {
        let counts = counts.get(&trigger.id).copied().unwrap_or_default();
        TriggerJson::of(trigger, counts)
    };
    Ok(List::of(page, shape))
}

pub(super) async fn get(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Path((_, id)): Path<(String, TriggerId)>,
) -> Answer<Tagged<TriggerJson>> {
    let trigger = service::triggers::get(&api.services, app.id, id).await?;
    let counts = service::triggers::counts(&api.services, &[id]).await?;
    Ok(one(&api, trigger, counts.first().map(|(_, counts)| *counts).unwrap_or_default()))
}

pub(super) async fn update(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Path((_, id)): Path<(String, TriggerId)>,
    Caller(by): Caller,
    if_match: IfMatch,
    body::Json(change): body::Json<Change>,
) -> Answer<Tagged<TriggerJson>> {
    let trigger = service::triggers::update(&api.services, &by, app.id, id, change.into(), if_match.tag()).await?;
    let counts = service::triggers::counts(&api.services, &[id]).await?;
    Ok(one(&api, trigger, counts.first().map(|(_, counts)| *counts).unwrap_or_default()))
}

pub(super) async fn delete(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Path((_, id)): Path<(String, TriggerId)>,
    Caller(by): Caller,
) -> Answer<NoContent> {
    service::triggers::delete(&api.services, &by, app.id, id).await?;
    Ok(NoContent)
}

/// The event of a tick that a person caused.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "FiredSchedule", example = json!({ "event_id": "01990a70-0001-7a10-8f3c-5e2d1c0b9a88" }))]
pub(super) struct Ran {
    event_id: EventId,
}

/// Fires a schedule now.
pub(super) async fn run(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Path((_, id)): Path<(String, TriggerId)>,
    Caller(by): Caller,
) -> Answer<Accepted<Ran>> {
    let event_id = service::schedules::run_now(&api.services, &by, app.id, id).await?;
    Ok(Accepted(Ran { event_id }))
}

/// When a schedule ticks next, in UTC.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PreviewedSchedule", example = previewed_example())]
pub(super) struct Previewed {
    schedule: String,
    timezone: &'static str,
    next_ticks: Vec<DateTime<Utc>>,
}

fn previewed_example() -> Value {
    json!({
        "schedule": "0 30 6 * * MON-FRI",
        "timezone": "Europe/Vienna",
        "next_ticks": ["2026-01-05T05:30:00Z", "2026-01-06T05:30:00Z"]
    })
}

/// The next ticks of a schedule that need not be registered.
pub(super) async fn preview(
    State(api): State<Api>,
    OfApp(_): OfApp,
    body::Json(asked): body::Json<Preview>,
) -> Answer<Json<Previewed>> {
    let schedule = Schedule::parse(&asked.schedule, asked.timezone.as_deref().unwrap_or("UTC"))?;
    let next_ticks = schedule.upcoming(api.services.now(), SCHEDULE_PREVIEW_TICKS);
    Ok(Json(Previewed { timezone: schedule.timezone(), schedule: schedule.as_str().to_owned(), next_ticks }))
}

fn one(api: &Api, trigger: Trigger, counts: Counts) -> Tagged<TriggerJson> {
    let tag = trigger.tag();
    let schedule = match &trigger.rule {
        Rule::Cron { schedule, .. } => Some(schedule.clone()),
        _ => None,
    };
    Tagged { tag, body: TriggerJson::of(trigger, counts).with_ticks(schedule.as_ref(), api.services.now()) }
}

async fn counts_of(api: &Api, page: &Page<Trigger>) -> Result<HashMap<TriggerId, Counts>> {
    let ids: Vec<_> = page.items.iter().map(|trigger| trigger.id).collect();
    Ok(service::triggers::counts(&api.services, &ids).await?.into_iter().collect())
}
