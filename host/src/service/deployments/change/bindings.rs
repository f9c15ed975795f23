//! What leads to scripts, put as it is to be: routes and triggers.

use std::collections::{BTreeSet, HashMap};

use serde_json::json;
use sqlx::PgConnection;

use super::Picture;
use crate::error::{self, Error, Result};
use crate::id::{RouteId, ScriptId, TriggerId};
use crate::limits;
use crate::model::access::Principal;
use crate::model::archive::manifest::{RoutePart, TriggerPart};
use crate::model::archive::triggers::{self, RuleKey};
use crate::model::deployment::difference::{told_route, told_trigger};
use crate::model::deployment::manifest::part_of;
use crate::model::route::{self, DispatchMode, HostPattern, Method, Route};
use crate::model::trigger::{NewTrigger, Rule, State, Trigger};
use crate::service::triggers::{check_rule, is_permitted};
use crate::service::{Services, mail_in, realtime};
use crate::store;

/// Deletes the routes that are not to be, and makes those that are not there.
pub(super) async fn put_routes(
    tx: &mut PgConnection,
    s: &Services,
    by: &Principal,
    before: &Picture,
    wanted: &[RoutePart],
    ids: &HashMap<String, ScriptId>,
) -> Result<()> {
    let (asked, allowed) = (wanted.len(), limits::ROUTES_PER_APP_MAX);
    if asked > allowed {
        let message = format!("{asked} routes; an app may have {allowed}");
        return Err(Error::new(error::Kind::Invalid, "limit_reached", message));
    }
    let names: HashMap<ScriptId, &str> = ids.iter().map(|(name, id)| (*id, name.as_str())).collect();
    let mut open: BTreeSet<&RoutePart> = wanted.iter().collect();
    let mut kept: Vec<Route> = Vec::with_capacity(asked);
    for route in &before.routes {
        // A script that is gone took its routes along.
        let Some(name) = names.get(&route.script_id) else { continue };
        if open.remove(&part_of(route, name)) {
            kept.push(route.clone());
        } else {
            store::routes::delete(tx, route.script_id, route.id).await?;
        }
    }
    if open.is_empty() {
        return Ok(());
    }
    let (now, domains) = (s.now(), store::domains::verified_of(tx, before.app.id).await?);
    for part in open {
        let wrong =
            |error: Error| Error { message: format!("the route {}: {}", told_route(part), error.message).into(), ..error };
        mail_in::leave_free(&part.path).map_err(wrong)?;
        realtime::leave_free(&part.path).map_err(wrong)?;
        let host = match part.host.as_deref() {
            None => None,
            Some(host) => {
                Some(HostPattern::of_app(host, &before.app.slug, &s.apps_domain, &domains).map_err(|error| wrong(error.into()))?)
            }
        };
        let route = Route {
            id: RouteId::at(now),
            app_id: before.app.id,
            script_id: ids
                .get(&part.script)
                .copied()
                .ok_or_else(|| wrong(Error::invalid("script", "there is no such script")))?,
            method: Method::parse_optional(part.method.as_deref()).map_err(|error| wrong(error.into()))?,
            host,
            path: part.path.parse().map_err(|error: route::PatternError| wrong(error.into()))?,
            dispatch_mode: DispatchMode::from_word(&part.dispatch_mode).unwrap_or_default(),
            created_at: now,
        };
        if let Some(other) = route::conflict(&route, &kept) {
            return Err(route::conflict_error(&route, other));
        }
        store::routes::insert(tx, &route, by.user_id).await.map_err(store::refusal)?;
        kept.push(route);
    }
    Ok(())
}

/// Deletes the triggers that are not to be, changes those that are to be otherwise, and makes those that are not there. One that
/// stays keeps its id, and what waits for it.
pub(super) async fn put_triggers(
    tx: &mut PgConnection,
    s: &Services,
    by: &Principal,
    before: &Picture,
    wanted: &[TriggerPart],
    ids: &HashMap<String, ScriptId>,
) -> Result<()> {
    let names: HashMap<ScriptId, String> = ids.iter().map(|(name, id)| (*id, name.clone())).collect();
    // Those that a deleted script took along, or whose letters' trigger it took, are not there any more.
    let there = store::triggers::list(tx, before.app.id, None, None, None, i64::from(limits::TRIGGERS_CEILING)).await?;
    let (placed, _) = triggers::placed(&there, &names);
    let parts: Vec<_> = placed.iter().map(|(_, part)| part.clone()).collect();
    let mut by_key: HashMap<RuleKey, Vec<TriggerId>> = HashMap::new();
    for (place, (id, _)) in placed.iter().enumerate().rev() {
        by_key.entry(triggers::rule_key(&parts, place)).or_default().push(*id);
    }
    let kept: Vec<Option<TriggerId>> =
        (0..wanted.len()).map(|place| by_key.get_mut(&triggers::rule_key(wanted, place)).and_then(Vec::pop)).collect();
    let stays: BTreeSet<_> = kept.iter().flatten().copied().collect();
    // What listens to letters of what is gone is in no state, and stays as it is.
    let old: HashMap<ScriptId, String> = before.scripts.iter().map(|script| (script.id, script.state.name.clone())).collect();
    let told: BTreeSet<_> = triggers::placed(&before.triggers, &old).0.into_iter().map(|(id, _)| id).collect();
    // First, for a queue has one consumer at a time.
    for trigger in there.iter().filter(|trigger| told.contains(&trigger.id) && !stays.contains(&trigger.id)) {
        store::triggers::delete(tx, before.app.id, trigger.id).await?;
    }
    let mut made: Vec<TriggerId> = Vec::with_capacity(wanted.len());
    for (part, kept) in wanted.iter().zip(kept) {
        let wrong =
            |error: Error| Error { message: format!("the trigger {}: {}", told_trigger(part), error.message).into(), ..error };
        let new = wanted_trigger(s, by, before, part, ids, &made).map_err(wrong)?;
        let kept = kept.and_then(|id| there.iter().find(|trigger| trigger.id == id));
        let id = match kept.filter(|kept| about(kept) == about(&new)) {
            Some(kept) => change(tx, s, by, kept, new).await?,
            None => {
                if let Some(outdated) = kept {
                    store::triggers::delete(tx, before.app.id, outdated.id).await?;
                }
                check_rule(tx, before.app.id, &new.rule).await.map_err(wrong)?;
                if !store::triggers::insert(tx, &new).await.map_err(store::refusal)? {
                    let message = "the queue has a consumer already: a message goes to one";
                    return Err(wrong(Error::conflict(message, json!({ "field": "queue" }))));
                }
                new.id
            }
        };
        made.push(id);
    }
    Ok(())
}

/// Whose letters it listens to.
fn about(trigger: &Trigger) -> Option<TriggerId> {
    match &trigger.rule {
        Rule::DeadLetter(filter) => filter.trigger_id,
        _ => None,
    }
}

/// As it is made, if it is.
fn wanted_trigger(
    s: &Services,
    by: &Principal,
    before: &Picture,
    part: &TriggerPart,
    ids: &HashMap<String, ScriptId>,
    made: &[TriggerId],
) -> Result<Trigger> {
    let now = s.now();
    let id_of = |name: &str| ids.get(name).copied().ok_or_else(|| Error::invalid("script", format!("there is no script {name}")));
    let (script_id, rule, retry) = (id_of(&part.script)?, part.new_rule()?, part.retry.asked());
    let (_, mut rule, retry) = NewTrigger { script_id, rule, dispatch_mode: None, retry }.check(now)?;
    if let Rule::DeadLetter(filter) = &mut rule {
        filter.script_id = part.rule.about_script.as_deref().map(id_of).transpose()?;
        let other = |place: usize| {
            made.get(place).copied().ok_or_else(|| Error::invalid("about_trigger", "the other trigger stands before this one"))
        };
        filter.trigger_id = part.rule.about_trigger.map(other).transpose()?;
    }
    Ok(Trigger {
        id: TriggerId::at(now),
        app_id: before.app.id,
        script_id,
        rule,
        retry,
        state: if part.enabled { State::Active } else { State::Disabled },
        registered_by: Some(by.user_id),
        created_at: now,
        updated_at: now,
    })
}

/// Changes a trigger that stays, if it is to be otherwise.
async fn change(tx: &mut PgConnection, s: &Services, by: &Principal, kept: &Trigger, new: Trigger) -> Result<TriggerId> {
    let now = s.now();
    let is_meant_to_run = kept.state != State::Disabled;
    let is_to_run = new.state == State::Active;
    if kept.retry == new.retry && is_meant_to_run == is_to_run {
        return Ok(kept.id);
    }
    // Its tick may fire, or it may stop, at this very moment.
    let kept = store::triggers::lock(tx, kept.app_id, kept.id).await?.ok_or_else(|| Error::not_found("trigger"))?;
    let is_meant_to_run = kept.state != State::Disabled;
    let mut trigger = Trigger { retry: new.retry, ..kept.clone() };
    if is_to_run && !is_meant_to_run {
        if !is_permitted(tx, trigger.app_id, trigger.registered_by).await? {
            trigger.registered_by = Some(by.user_id);
        }
        if let Rule::Cron { schedule, next_tick_at } = &mut trigger.rule {
            // What it missed while it was off it was meant to miss.
            *next_tick_at = schedule.next(now);
        }
    }
    if is_meant_to_run != is_to_run {
        trigger.state = new.state;
    }
    store::triggers::update(tx, &trigger, now).await?;
    Ok(kept.id)
}
