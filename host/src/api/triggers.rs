//! Triggers: one way to register for each kind, so that each body is checked against its own shape; one list for all.

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::error::Answer;
use super::etag::{self, IfMatch};
use super::gate::Caller;
use super::query::{Given, OfApp, Parameters, Path, Query};
use super::{Api, List, body};
use crate::error::{Error, Result};
use crate::id::{AppId, EventId, ScriptId, TriggerId, UserId};
use crate::limits::SCHEDULE_PREVIEW_TICKS;
use crate::model::event::{Op, Source};
use crate::model::page::{Page, PageQuery};
use crate::model::retry::{Retry, RetryChange};
use crate::model::schedule::Schedule;
use crate::model::trigger::{Counts, Filter, NewRule, NewTrigger, Rule, State as TriggerState, Trigger, TriggerChange};
use crate::service;
use crate::service::triggers::Which;

#[derive(Debug, Serialize)]
struct TriggerJson {
    id: TriggerId,
    app_id: AppId,
    script_id: ScriptId,
    kind: Source,
    #[serde(flatten)]
    rule: RuleJson,
    dispatch_mode: &'static str,
    #[serde(flatten)]
    retry: Retry,
    /// False for one that stopped, too.
    enabled: bool,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped: Option<Stopped>,
    registered_by: Option<UserId>,
    counts: Counts,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

#[derive(Debug, Serialize)]
struct Stopped {
    reason: String,
    at: DateTime<Utc>,
}

#[derive(Debug, Serialize)]
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

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
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

/// What every kind has beside its own fields.
macro_rules! body {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $kind:ty),* $(,)? } |$own:ident| $rule:expr) => {
        $(#[$doc])*
        #[derive(Deserialize)]
        pub(super) struct $name {
            script_id: ScriptId,
            $($field: $kind,)*
            dispatch_mode: Option<String>,
            max_attempts: Option<u32>,
            backoff: Option<String>,
            base_delay_ms: Option<u32>,
            max_delay_ms: Option<u32>,
            jitter: Option<bool>,
        }

        impl From<$name> for NewTrigger {
            fn from($own: $name) -> Self {
                let retry = RetryChange {
                    max_attempts: $own.max_attempts,
                    backoff: $own.backoff,
                    base_delay_ms: $own.base_delay_ms,
                    max_delay_ms: $own.max_delay_ms,
                    jitter: $own.jitter,
                };
                Self { script_id: $own.script_id, dispatch_mode: $own.dispatch_mode, retry, rule: $rule }
            }
        }
    };
}

body!(Kv { collection: String, ops: Option<Vec<String>> }
    |new| NewRule::Changes { of: Source::Kv, collection: new.collection, ops: new.ops });
body!(Docs { collection: String, ops: Option<Vec<String>> }
    |new| NewRule::Changes { of: Source::Docs, collection: new.collection, ops: new.ops });
body!(Files { collection: String, ops: Option<Vec<String>> }
    |new| NewRule::Changes { of: Source::Files, collection: new.collection, ops: new.ops });
body!(Cron { schedule: String, timezone: Option<String> }
    |new| NewRule::Cron { schedule: new.schedule, timezone: new.timezone });
body!(Pubsub { topic: String } | new | NewRule::Pubsub { topic: new.topic });
body!(Queue { queue: String } | new | NewRule::Queue { queue: new.queue });
body!(Email { secret: String } | new | NewRule::Email { secret: new.secret });
body!(DeadLetter { filter: Option<FilterJson> } |new| {
    let FilterJson { source, trigger_id, script_id } = new.filter.unwrap_or_default();
    NewRule::DeadLetter { source, trigger_id, script_id }
});

/// Registers a trigger of the kind that the body is of.
pub(super) async fn create<T: Into<NewTrigger>>(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Caller(by): Caller,
    body::Json(new): body::Json<T>,
) -> Answer<Response> {
    let trigger = service::triggers::create(&api.services, by.user_id, app.id, new.into()).await?;
    let location = format!("/api/v1/admin/apps/{}/triggers/{}", app.id, trigger.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], one(&api, trigger, Counts::default())?).into_response())
}

#[derive(Debug)]
pub(super) struct ListQuery {
    page: PageQuery,
    which: Which,
}

impl Parameters for ListQuery {
    fn read(given: &mut Given) -> Result<Self> {
        let kind = given.take::<String>("kind", "text")?;
        let kind = kind.map(|word| {
            let known = Source::ALL.into_iter().filter(|source| !matches!(source, Source::Http | Source::Invoke));
            known.clone().find(|source| source.as_str() == word).ok_or_else(|| {
                let words: Vec<_> = known.map(Source::as_str).collect();
                Error::invalid("kind", format!("kind is one of {}", words.join(", ")))
            })
        });
        let which = Which { kind: kind.transpose()?, script: given.take("script_id", "an id")? };
        Ok(Self { page: PageQuery::read(given)?, which })
    }
}

pub(super) async fn list(State(api): State<Api>, OfApp(app): OfApp, Query(query): Query<ListQuery>) -> Answer<Response> {
    let page = service::triggers::list(&api.services, app.id, query.which, &query.page).await?;
    let counts = counts_of(&api, &page).await?;
    let shape = |trigger: Trigger| {
        let counts = counts.get(&trigger.id).copied().unwrap_or_default();
        TriggerJson::of(trigger, counts)
    };
    Ok(List::of(page, shape).into_response())
}

pub(super) async fn get(State(api): State<Api>, OfApp(app): OfApp, Path((_, id)): Path<(String, TriggerId)>) -> Answer<Response> {
    let trigger = service::triggers::get(&api.services, app.id, id).await?;
    let counts = service::triggers::counts(&api.services, &[id]).await?;
    Ok(one(&api, trigger, counts.first().map(|(_, counts)| *counts).unwrap_or_default())?)
}

#[derive(Deserialize)]
pub(super) struct Change {
    enabled: Option<bool>,
    max_attempts: Option<u32>,
    backoff: Option<String>,
    base_delay_ms: Option<u32>,
    max_delay_ms: Option<u32>,
    jitter: Option<bool>,
}

pub(super) async fn update(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Path((_, id)): Path<(String, TriggerId)>,
    Caller(by): Caller,
    if_match: IfMatch,
    body::Json(change): body::Json<Change>,
) -> Answer<Response> {
    let retry = RetryChange {
        max_attempts: change.max_attempts,
        backoff: change.backoff,
        base_delay_ms: change.base_delay_ms,
        max_delay_ms: change.max_delay_ms,
        jitter: change.jitter,
    };
    let change = TriggerChange { enabled: change.enabled, retry };
    let trigger = service::triggers::update(&api.services, by.user_id, app.id, id, change, if_match.tag()).await?;
    let counts = service::triggers::counts(&api.services, &[id]).await?;
    Ok(one(&api, trigger, counts.first().map(|(_, counts)| *counts).unwrap_or_default())?)
}

pub(super) async fn delete(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Path((_, id)): Path<(String, TriggerId)>,
    Caller(by): Caller,
) -> Answer<StatusCode> {
    service::triggers::delete(&api.services, by.user_id, app.id, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Serialize)]
struct Ran {
    event_id: EventId,
}

/// Fires a schedule now.
pub(super) async fn run(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Path((_, id)): Path<(String, TriggerId)>,
    Caller(by): Caller,
) -> Answer<Response> {
    let event_id = service::schedules::run_now(&api.services, by.user_id, app.id, id).await?;
    Ok((StatusCode::ACCEPTED, Json(Ran { event_id })).into_response())
}

#[derive(Deserialize)]
pub(super) struct Preview {
    schedule: String,
    timezone: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Previewed {
    schedule: String,
    timezone: &'static str,
    next_ticks: Vec<DateTime<Utc>>,
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

fn one(api: &Api, trigger: Trigger, counts: Counts) -> Result<Response> {
    let tag = etag::header(trigger.tag())?;
    let schedule = match &trigger.rule {
        Rule::Cron { schedule, .. } => Some(schedule.clone()),
        _ => None,
    };
    let shown = TriggerJson::of(trigger, counts).with_ticks(schedule.as_ref(), api.services.now());
    Ok(([tag], Json(shown)).into_response())
}

async fn counts_of(api: &Api, page: &Page<Trigger>) -> Result<HashMap<TriggerId, Counts>> {
    let ids: Vec<_> = page.items.iter().map(|trigger| trigger.id).collect();
    Ok(service::triggers::counts(&api.services, &ids).await?.into_iter().collect())
}
