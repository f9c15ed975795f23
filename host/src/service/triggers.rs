//! Triggers: registered, changed, deleted, stopped. Nothing waits for a change, and none is large: deliveries that wait for the
//! trigger are held, resumed or done away with afterwards, by the workers (`service::deliveries`).

use serde_json::json;
use sqlx::PgConnection;

use super::Services;
use super::audit::{self, Change};
use crate::error::{Error, Result};
use crate::id::{AppId, ScriptId, TriggerId, UserId};
use crate::model::access::{self, Principal};
use crate::model::delivery::Registrant;
use crate::model::event::Source;
use crate::model::page::{Page, PageQuery, id_cursor};
use crate::model::script::Kind as ScriptKind;
use crate::model::trigger::{Counts, NewTrigger, PRINCIPAL_LOST_RIGHT, Rule, State, Trigger, TriggerChange};
use crate::store;

/// Which triggers of an app.
#[derive(Debug, Clone, Copy, Default)]
pub struct Which {
    pub kind: Option<Source>,
    pub script: Option<ScriptId>,
}

/// Registers a trigger, which is active at once and runs as `by`. 404 for the app; 422 for what the rules of `model::trigger`
/// refuse, a script of another app, a module, a secret that is not there, and `restricted`; 507 for one trigger more than the app's quota; 409
/// naming the consumer that the queue has.
pub async fn create(s: &Services, by: &Principal, app: AppId, new: NewTrigger) -> Result<Trigger> {
    let now = s.now();
    let (script_id, rule, retry) = new.check(now)?;
    let mut tx = store::begin(&s.db).await?;
    let slug = store::apps::lock(&mut tx, app).await?.ok_or_else(|| Error::not_found("app"))?.slug;
    super::restrictions::of(&mut tx, app).await?.admit_trigger(rule.kind(), &slug)?;
    check_target(&mut tx, app, script_id).await?;
    super::storage::room_for_trigger(&mut tx, app).await?;
    check_rule(&mut tx, app, &rule).await?;
    let id = TriggerId::at(now);
    let (state, registered_by) = (State::Active, Some(by.user_id));
    let trigger = Trigger { id, app_id: app, script_id, rule, retry, state, registered_by, created_at: now, updated_at: now };
    if !store::triggers::insert(&mut tx, &trigger).await.map_err(store::refusal)?
        && let Rule::Queue { queue } = &trigger.rule
    {
        let other = store::triggers::of_queue(&mut tx, app, queue).await?;
        let message = format!("the queue {queue} has a consumer already: a message goes to one; change or delete that trigger");
        return Err(Error::conflict(message, json!({ "field": "queue", "trigger": { "id": other } })));
    }
    super::deployments::record(&mut tx, app, Some(by), "trigger.create", "", now).await?;
    audit::append(&mut tx, now, Some(by), changed("trigger.create", None, Some(&trigger))).await?;
    let doubt = s.events.doubt();
    tx.commit().await?;
    doubt.settle_changed();
    let kind = trigger.rule.kind().as_str();
    tracing::info!(app.id = %app, script.id = %script_id, trigger.id = %trigger.id, kind, user.id = %by.user_id, "trigger registered");
    Ok(trigger)
}

/// The trigger; 404, also for another app's.
pub async fn get(s: &Services, app: AppId, id: TriggerId) -> Result<Trigger> {
    store::triggers::get(&mut *s.db.acquire().await?, app, id).await?.ok_or_else(|| Error::not_found("trigger"))
}

/// An app's triggers, oldest first.
pub async fn list(s: &Services, app: AppId, which: Which, query: &PageQuery) -> Result<Page<Trigger>> {
    let after = query.after_id()?;
    let mut db = s.db.acquire().await?;
    let rows = store::triggers::list(&mut db, app, which.kind, which.script, after, query.rows()).await?;
    Ok(Page::cut(rows, query.limit, |trigger| id_cursor(trigger.id.0)))
}

/// What came of the deliveries of these triggers; nothing for one that is gone.
pub async fn counts(s: &Services, ids: &[TriggerId]) -> Result<Vec<(TriggerId, Counts)>> {
    Ok(store::triggers::counts(&mut *s.db.acquire().await?, ids).await?)
}

/// Changes what `change` names. Switching on one whose principal lost the right makes `by` its principal. `if_match` is a `Trigger::tag`: 412 when
/// it is in another state by now. 404; 422, also `restricted`.
pub async fn update(
    s: &Services,
    by: &Principal,
    app: AppId,
    id: TriggerId,
    change: TriggerChange,
    if_match: Option<&str>,
) -> Result<Trigger> {
    let now = s.now();
    let mut tx = store::begin(&s.db).await?;
    let slug = store::apps::lock(&mut tx, app).await?.ok_or_else(|| Error::not_found("app"))?.slug;
    let mut trigger = store::triggers::lock(&mut tx, app, id).await?.ok_or_else(|| Error::not_found("trigger"))?;
    if if_match.is_some_and(|tag| tag != trigger.tag()) {
        return Err(Error::changed_meanwhile("trigger", trigger.tag()));
    }
    let before = trigger.clone();
    trigger.retry = change.retry.over(trigger.retry)?;
    match (change.enabled, &trigger.state) {
        (Some(true), State::Disabled | State::Stopped { .. }) => {
            super::restrictions::of(&mut tx, app).await?.admit_trigger(trigger.rule.kind(), &slug)?;
            if !is_permitted(&mut tx, app, trigger.registered_by).await? {
                trigger.registered_by = Some(by.user_id);
            }
            trigger.state = State::Active;
            if let Rule::Cron { schedule, next_tick_at } = &mut trigger.rule {
                // What it missed while it was off it was meant to miss.
                *next_tick_at = schedule.next(now);
            }
        }
        (Some(false), State::Active | State::Stopped { .. }) => {
            trigger.state = State::Disabled;
        }
        (Some(true), State::Active) | (Some(false), State::Disabled) | (None, _) => {}
    }
    trigger.updated_at = store::triggers::update(&mut tx, &trigger, now).await?;
    super::deployments::record(&mut tx, app, Some(by), "trigger.update", "", now).await?;
    audit::append(&mut tx, now, Some(by), changed("trigger.update", Some(&before), Some(&trigger))).await?;
    let doubt = s.events.doubt();
    tx.commit().await?;
    doubt.settle_changed();
    tracing::info!(app.id = %app, trigger.id = %id, state = trigger.state.as_str(), user.id = %by.user_id, "trigger changed");
    Ok(trigger)
}

/// Deletes a trigger with what waits for it; messages of a queue wait for its next consumer. 404, also for another app's.
pub async fn delete(s: &Services, by: &Principal, app: AppId, id: TriggerId) -> Result<()> {
    let mut tx = store::begin(&s.db).await?;
    store::apps::lock(&mut tx, app).await?.ok_or_else(|| Error::not_found("app"))?;
    let trigger = store::triggers::lock(&mut tx, app, id).await?.ok_or_else(|| Error::not_found("trigger"))?;
    store::triggers::delete(&mut tx, app, id).await?;
    let now = s.now();
    super::deployments::record(&mut tx, app, Some(by), "trigger.delete", "", now).await?;
    audit::append(&mut tx, now, Some(by), changed("trigger.delete", Some(&trigger), None)).await?;
    let doubt = s.events.doubt();
    tx.commit().await?;
    doubt.settle_changed();
    s.events.forsaken.notify_one();
    tracing::info!(app.id = %app, trigger.id = %id, user.id = %by.user_id, "trigger deleted");
    Ok(())
}

/// Stops a trigger that runs as that person, who lost the right to it; what waits for it is held.
pub async fn stop(s: &Services, app: AppId, id: TriggerId, principal: Option<UserId>) -> Result<()> {
    let mut db = s.db.acquire().await?;
    if store::triggers::stop(&mut db, app, id, principal, PRINCIPAL_LOST_RIGHT, s.now()).await? {
        tracing::warn!(app.id = %app, trigger.id = %id, "a trigger stopped: {PRINCIPAL_LOST_RIGHT}");
    }
    Ok(())
}

/// Whether a trigger may go on running as that person.
pub(super) async fn is_permitted(tx: &mut PgConnection, app: AppId, principal: Option<UserId>) -> Result<bool> {
    let Some(user_id) = principal else { return Ok(false) };
    let Some(user) = store::users::get(tx, user_id).await? else { return Ok(false) };
    let app_role = store::members::role(tx, app, user_id).await?;
    Ok(access::may_run_triggers(&Registrant { user_id, role: user.role, app_role, is_active: user.is_active() }))
}

fn changed(action: &'static str, before: Option<&Trigger>, after: Option<&Trigger>) -> Change {
    let told = |trigger: &Trigger| {
        let Trigger { script_id, rule, retry, state, registered_by, .. } = trigger;
        json!({
            "kind": rule.kind(),
            "script_id": script_id,
            "rule": rule.told(),
            "retry": retry,
            "state": state.as_str(),
            "registered_by": registered_by,
        })
    };
    let (app_id, target) = before.or(after).map(|t| (Some(t.app_id), t.id.to_string())).unwrap_or_default();
    Change { action, app_id, target, before: before.map(told), after: after.map(told) }
}

/// A script that handles: of this app, and no module.
async fn check_target(tx: &mut PgConnection, app: AppId, id: ScriptId) -> Result<()> {
    let script = store::scripts::get(tx, id).await?.filter(|script| script.app_id == app);
    let script = script.ok_or_else(|| Error::invalid("script_id", "the app has no script of this id"))?;
    if script.kind == ScriptKind::Module {
        let message = format!("{} is a module: it handles no events, scripts import it", script.name);
        return Err(Error::invalid("script_id", message));
    }
    Ok(())
}

/// What a rule names must be there.
pub(super) async fn check_rule(tx: &mut PgConnection, app: AppId, rule: &Rule) -> Result<()> {
    match rule {
        Rule::Email { secret } if !store::secrets::has(tx, app, secret).await? => {
            let message =
                format!("the app has no secret `{secret}`; set it first: PUT /api/v1/admin/apps/{app}/secrets/{secret}");
            Err(Error::invalid("secret", message))
        }
        Rule::DeadLetter(filter) => {
            if let Some(id) = filter.trigger_id
                && store::triggers::get(tx, app, id).await?.is_none()
            {
                return Err(Error::invalid("filter.trigger_id", "the app has no trigger of this id"));
            }
            if let Some(id) = filter.script_id
                && store::scripts::app_of(tx, id).await? != Some(app)
            {
                return Err(Error::invalid("filter.script_id", "the app has no script of this id"));
            }
            Ok(())
        }
        _ => Ok(()),
    }
}
