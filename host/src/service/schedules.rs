//! Schedules: a tick that is due becomes an event for its trigger, and the trigger gets its next tick, in one transaction. The row
//! is locked meanwhile, so however many nodes look, each tick fires once. Ticks that were missed fire once, together.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::json;

use super::Services;
use super::audit::{self, Change};
use super::events::{about, beginning};
use crate::error::{Error, Kind, Result};
use crate::id::{AppId, EventId, TriggerId};
use crate::limits;
use crate::model::access::Principal;
use crate::model::event::{NewEvent, Source, Target};
use crate::model::schedule::Schedule;
use crate::model::trigger::{Rule, State, Trigger};
use crate::store;

/// What a handler sees of a tick.
#[derive(Serialize)]
struct About<'a> {
    schedule: &'a str,
    timezone: &'a str,
    /// The time that was due: of several that were missed, the first.
    scheduled_at: DateTime<Utc>,
    fired_at: DateTime<Utc>,
}

/// Fires what is due, up to `TICK_BATCH` triggers; how many. A schedule that this node cannot read (a later one wrote it, or a
/// zone has gone) has no next tick until it is switched off and on.
pub async fn fire_due(s: &Services) -> Result<usize> {
    let now = s.now();
    let mut tx = store::begin(&s.db).await?;
    let due = store::triggers::due_ticks(&mut tx, now, limits::TICK_BATCH).await?;
    for (id, trigger) in &due {
        let trigger = match trigger {
            Ok(trigger) => trigger,
            Err(error) => {
                tracing::error!(trigger.id = %id, %error, "a schedule cannot be read and does not fire any more");
                store::triggers::set_next_tick(&mut tx, *id, None).await?;
                continue;
            }
        };
        let Rule::Cron { schedule, next_tick_at: Some(scheduled_at) } = &trigger.rule else { continue };
        store::events::append(&mut tx, &tick(trigger, schedule, "tick", *scheduled_at, now)?).await?;
        store::triggers::set_next_tick(&mut tx, trigger.id, schedule.next(now)).await?;
    }
    tx.commit().await?;
    if !due.is_empty() {
        s.events.added();
    }
    Ok(due.len())
}

/// When the next tick is due.
pub async fn next_tick(s: &Services) -> Result<Option<DateTime<Utc>>> {
    Ok(store::triggers::next_tick(&mut *s.db.acquire().await?).await?)
}

/// Fires a schedule now, beside its ticks; the event's id. 404; 422 for a trigger of another kind; 409 for one that is not active.
pub async fn run_now(s: &Services, by: &Principal, app: AppId, id: TriggerId) -> Result<EventId> {
    let now = s.now();
    let mut tx = store::begin(&s.db).await?;
    let trigger = store::triggers::lock(&mut tx, app, id).await?.ok_or_else(|| Error::not_found("trigger"))?;
    let Rule::Cron { schedule, .. } = &trigger.rule else {
        let kind = trigger.rule.kind().as_str();
        return Err(Error::invalid("kind", format!("this is a {kind} trigger; only a cron trigger can be run by itself")));
    };
    if trigger.state != State::Active {
        let message = format!("the trigger is {}: switch it on first", trigger.state.as_str());
        return Err(Error::new(Kind::Conflict, "not_active", message));
    }
    let event = tick(&trigger, schedule, "run", now, now)?;
    store::events::append(&mut tx, &event).await.map_err(store::refusal)?;
    let after = Some(json!({ "event_id": event.id }));
    let change = Change { action: "trigger.run", app_id: Some(app), target: id.to_string(), before: None, after };
    audit::append(&mut tx, now, Some(by), change).await?;
    let doubt = s.events.doubt();
    tx.commit().await?;
    doubt.settle(true);
    tracing::info!(app.id = %app, trigger.id = %id, user.id = %by.user_id, "schedule run by hand");
    Ok(event.id)
}

fn tick(
    trigger: &Trigger,
    schedule: &Schedule,
    op: &'static str,
    scheduled_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<NewEvent> {
    let told = About { schedule: schedule.as_str(), timezone: schedule.timezone(), scheduled_at, fired_at: now };
    Ok(NewEvent {
        id: EventId::at(now),
        app_id: trigger.app_id,
        source: Source::Cron,
        op,
        at: now,
        origin: beginning(now),
        about: about(&told)?,
        name: "*".to_owned(),
        due_at: now,
        target: Target::Trigger(trigger.id),
    })
}
