//! An app is put into another state as a whole, in one transaction: scripts and what they reach, grants, routes, triggers, topics. What stays as
//! it is keeps its id, and with it what waits for it and what is known of it.
//!
//! A crash before the commit leaves the state that was, and after it the state that is to be. Whoever changed the app since the
//! change was prepared is not overwritten: 409.

mod bindings;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::json;
use sqlx::PgConnection;

use super::{Picture, picture_of};
use crate::error::{Error, Result};
use crate::id::{AppId, ScriptId};
use crate::limits;
use crate::model::access::Principal;
use crate::model::archive::manifest::{RoutePart, TriggerPart};
use crate::model::deployment::About;
use crate::model::deployment::difference::{self, Change};
use crate::model::deployment::manifest::Wanted;
use crate::model::grant::{Capability, Grants};
use crate::model::script::{Dependent, Image, Script, Version};
use crate::model::storage;
use crate::model::topic::Access;
use crate::service::audit;
use crate::service::{Services, scripts, topics};
use crate::store;
use crate::store::deployments::Running;

/// An app as it is to be, whose scripts were checked and prepared by `invoke`.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The digest of what ran when it was prepared.
    pub base: String,
    /// All that there are to be, by name.
    pub scripts: Vec<PreparedScript>,
    pub routes: Vec<RoutePart>,
    pub triggers: Vec<TriggerPart>,
    pub grants: Grants,
    pub topics: BTreeMap<String, Access>,
}

/// A script as it is to be.
#[derive(Debug, Clone)]
pub struct PreparedScript {
    pub wanted: Wanted,
    pub own_capabilities: Vec<String>,
    /// With those of its modules.
    pub capabilities: Vec<String>,
    pub imports: Vec<String>,
    /// Whether its source or one of its modules is another than what runs.
    pub is_touched: bool,
    /// Of one that is touched.
    pub image: Option<Image>,
}

/// Why an app is put into another state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// A manifest says so.
    Apply,
    /// It ran so before.
    Rollback,
    /// One script is to run another of its versions.
    Activate,
    /// It was stored to be run later.
    Release,
}

impl Cause {
    /// In the words of the audit log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Apply => "deployment.apply",
            Self::Rollback => "deployment.rollback",
            Self::Activate => "version.activate",
            Self::Release => "deployment.activate",
        }
    }
}

/// How the change is told.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    pub cause: Cause,
    pub message: &'a str,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Made {
    /// What runs now, or was stored.
    pub about: About,
    pub changes: Vec<Change>,
}

/// Makes the change. 404 for the app; 409 when somebody changed it since it was prepared, and for routes and queues that two want;
/// 422 `restricted` for what the instance keeps the app from, `not_granted` for a capability that the grants to be give nothing of,
/// and for what a route or trigger names and is not there; 507 for more scripts or triggers than the app's quota.
pub async fn make(s: &Services, by: &Principal, app: AppId, prepared: &Prepared, told: Told<'_>) -> Result<Made> {
    let (made, gone) = crate::service::unless_deadlocked(|| Box::pin(make_once(s, by, app, prepared, told))).await?;
    s.reload_routing().await;
    s.events.forsaken.notify_one();
    let (number, changes) = (made.about.number, made.changes.len());
    tracing::info!(app.id = %app, deployment = number, changes, user.id = %by.user_id, "app deployed");
    crate::service::executions::forget(s, &gone).await;
    Ok(made)
}

async fn make_once(
    s: &Services,
    by: &Principal,
    app: AppId,
    prepared: &Prepared,
    told: Told<'_>,
) -> Result<(Made, Vec<ScriptId>)> {
    let now = s.now();
    let mut tx = store::begin(&s.db).await?;
    store::wait_briefly(&mut tx).await?;
    let before = locked(&mut tx, app).await?;
    if before.digest != prepared.base {
        return Err(changed_meanwhile(&before));
    }
    super::take_down_first(&mut tx, &before, now).await?;
    let (after, gone) = put(&mut tx, s, by, &before, prepared, told).await?;
    let number = super::take_down(&mut tx, &after, Some(by), told.cause.as_str(), told.message, now).await?;
    let about = about(&mut tx, after.app.id, number).await?;
    let changes = difference::between(&before.state, &after.state);
    store::signals::routing_changed(&mut tx).await?;
    audit::append(&mut tx, now, Some(by), audited(&before, &about, &changes, told)).await?;
    let doubt = s.events.doubt();
    tx.commit().await?;
    doubt.settle_changed();
    Ok((Made { about, changes }, gone))
}

/// Stores the state that the change would make, as a deployment that does not run. Whether it can be made is known by then: it was, and was
/// undone. Errors as [`make`].
pub async fn keep(s: &Services, by: &Principal, app: AppId, prepared: &Prepared, told: Told<'_>) -> Result<Made> {
    let made = crate::service::unless_deadlocked(|| Box::pin(keep_once(s, by, app, prepared, told))).await?;
    s.reload_routing().await;
    Ok(made)
}

async fn keep_once(s: &Services, by: &Principal, app: AppId, prepared: &Prepared, told: Told<'_>) -> Result<Made> {
    let now = s.now();
    let mut tx = store::begin(&s.db).await?;
    store::wait_briefly(&mut tx).await?;
    let before = locked(&mut tx, app).await?;
    if before.digest != prepared.base {
        return Err(changed_meanwhile(&before));
    }
    super::take_down_first(&mut tx, &before, now).await?;
    let mut trial = store::savepoint(&mut tx).await?;
    let (mut after, _) = put(&mut trial, s, by, &before, prepared, told).await?;
    trial.rollback().await?;
    let (mut digests, mut sources) = (Vec::new(), Vec::new());
    for script in &prepared.scripts {
        digests.push(script.wanted.digest.clone());
        sources.push(script.wanted.source.clone());
    }
    // Before there is anything new, which it would take for left over.
    store::deployments::trim(&mut tx, after.app.id, limits::DEPLOYMENTS_PER_APP_MAX).await?;
    let new = store::deployments::keep_new_sources(&mut tx, after.app.id, &digests, &sources).await?;
    for script in after.state.scripts.iter_mut().filter(|script| new.contains(&script.digest)) {
        script.version = 0;
    }
    let number = super::put(&mut tx, &after, Some(by), "deployment.store", told.message, now).await?;
    let about = about(&mut tx, after.app.id, number).await?;
    let changes = difference::between(&before.state, &after.state);
    // Others may hold ready what was trimmed.
    store::signals::routing_changed(&mut tx).await?;
    audit::append(
        &mut tx,
        now,
        Some(by),
        audit::Change { action: "deployment.store", ..audited(&before, &about, &changes, told) },
    )
    .await?;
    tx.commit().await?;
    tracing::info!(app.id = %before.app.id, deployment = number, user.id = %by.user_id, "deployment stored");
    Ok(Made { about, changes })
}

/// Whether the change could be made: errors as [`make`], and nothing is changed. False when the app is another than when it was prepared.
pub async fn try_out(s: &Services, by: &Principal, app: AppId, prepared: &Prepared, told: Told<'_>) -> Result<bool> {
    crate::service::unless_deadlocked(|| Box::pin(try_once(s, by, app, prepared, told))).await
}

async fn try_once(s: &Services, by: &Principal, app: AppId, prepared: &Prepared, told: Told<'_>) -> Result<bool> {
    let mut tx = store::begin(&s.db).await?;
    store::wait_briefly(&mut tx).await?;
    let before = locked(&mut tx, app).await?;
    if before.digest != prepared.base {
        return Ok(false);
    }
    put(&mut tx, s, by, &before, prepared, told).await?;
    tx.rollback().await?;
    Ok(true)
}

/// The app as it runs; nobody else changes it until the transaction ends.
async fn locked(tx: &mut PgConnection, app: AppId) -> Result<Picture> {
    let app = store::apps::lock(tx, app).await?.ok_or_else(|| Error::not_found("app"))?;
    picture_of(tx, app).await
}

/// Puts what runs as it is to be; what runs then, and the scripts that are gone.
async fn put(
    tx: &mut PgConnection,
    s: &Services,
    by: &Principal,
    before: &Picture,
    prepared: &Prepared,
    told: Told<'_>,
) -> Result<(Picture, Vec<ScriptId>)> {
    let (app, now) = (before.app.id, s.now());
    let restrictions = crate::service::restrictions::of(tx, app).await?;
    restrictions.admit_state(&prepared.grants, &prepared.triggers, &before.app.slug)?;
    admit(before, prepared, told)?;
    let quota = crate::service::storage::quota(tx, app).await?;
    let (scripts, triggers) = (prepared.scripts.len(), prepared.triggers.len());
    if scripts > before.scripts.len() {
        storage::check_count("scripts", scripts as u64, quota.scripts)?;
    }
    if triggers > before.triggers.len() {
        storage::check_count("triggers", triggers as u64, quota.triggers)?;
    }
    if prepared.grants != before.grants {
        store::apps::put_grants(tx, app, &prepared.grants, now).await?;
    }
    let gone = remove_scripts(tx, before, prepared).await?;
    let ids = put_scripts(tx, s, by, before, prepared, told.message).await?;
    bindings::put_routes(tx, s, by, before, &prepared.routes, &ids).await?;
    bindings::put_triggers(tx, s, by, before, &prepared.triggers, &ids).await?;
    topics::put(tx, now, app, &before.state.topics, &prepared.topics).await?;
    Ok((picture_of(tx, before.app.clone()).await?, gone))
}

/// Of a deployment that the transaction made or found.
async fn about(tx: &mut PgConnection, app: AppId, number: i32) -> Result<About> {
    let about = store::deployments::about(tx, app, number).await?;
    about.ok_or_else(|| Error::internal("a deployment is gone before it was committed"))
}

fn changed_meanwhile(running: &Picture) -> Error {
    let message = "the app was changed since this was prepared; look at what runs now, and try again";
    Error::conflict(message, json!({ "running": { "deployment": running.active, "digest": running.digest } }))
}

/// 422 for a script that is touched, and for a grant that goes, as where a script is published; what was refused at the call before
/// is so still.
///
/// What ran may run again: a rollback is held against scripts that are other than now alone.
fn admit(before: &Picture, prepared: &Prepared, told: Told<'_>) -> Result<()> {
    for script in &prepared.scripts {
        let had = before.state.script(&script.wanted.name);
        for word in &script.capabilities {
            let Some(capability) = Capability::from_word(word) else { continue };
            let is_lost = told.cause != Cause::Rollback && before.grants.allows_some(capability);
            let is_new = script.is_touched || had.is_none() || is_lost;
            if is_new && !prepared.grants.allows_some(capability) {
                let refused = prepared.grants.not_granted(capability, &before.app.slug);
                let message = format!("the script {}: {}", script.wanted.name, refused.message);
                return Err(Error { message: message.into(), ..refused });
            }
        }
    }
    Ok(())
}

/// Deletes the scripts that are not to be, or not of that kind, and keeps their sources.
async fn remove_scripts(tx: &mut PgConnection, before: &Picture, prepared: &Prepared) -> Result<Vec<ScriptId>> {
    let stays: BTreeSet<_> =
        prepared.scripts.iter().map(|script| (script.wanted.name.as_str(), script.wanted.kind.as_str())).collect();
    let goes = |running: &&Running| !stays.contains(&(running.state.name.as_str(), running.state.kind.as_str()));
    let gone: Vec<_> = before.scripts.iter().filter(goes).map(|running| running.id).collect();
    if !gone.is_empty() {
        store::deployments::keep_sources(tx, before.app.id, &gone).await?;
    }
    for id in &gone {
        store::scripts::delete(tx, *id).await?;
    }
    Ok(gone)
}

/// Makes and changes scripts; the ids of all, by name.
async fn put_scripts(
    tx: &mut PgConnection,
    s: &Services,
    by: &Principal,
    before: &Picture,
    prepared: &Prepared,
    message: &str,
) -> Result<HashMap<String, ScriptId>> {
    let (now, mut ids, mut touched) = (s.now(), HashMap::new(), Vec::new());
    for script in &prepared.scripts {
        let wanted = &script.wanted;
        let Some(running) = before.script(&wanted.name, wanted.kind) else {
            ids.insert(wanted.name.clone(), make_script(tx, s, by, before.app.id, script, message).await?);
            continue;
        };
        ids.insert(wanted.name.clone(), running.id);
        let same = running.state.digest == wanted.digest;
        let stored = match same {
            true => Some(running.state.version),
            false => store::deployments::version_of(tx, running.id, &wanted.digest).await?,
        };
        let number = match stored {
            Some(number) => number,
            None => {
                let number = store::scripts::newest_version(tx, running.id).await?.saturating_add(1);
                let version = script.version(number, by, message, now);
                store::scripts::insert_version(tx, before.app.id, running.id, &version).await.map_err(store::refusal)?;
                number
            }
        };
        if !same || running.state.description != wanted.description {
            store::scripts::activate(tx, running.id, number, &wanted.description, now).await?;
        }
        if script.is_touched {
            let (script_id, capabilities) = (running.id, script.capabilities.clone());
            let dependent = Dependent { script_id, version: number, capabilities, image: None };
            store::imports::put_capabilities(tx, &dependent).await?;
            scripts::put_image(tx, s, running.id, number, script.image.as_ref()).await?;
            touched.push(running.id);
        }
    }
    // What is held ready of them was made with other modules.
    store::imports::next_generation(tx, &touched).await?;
    Ok(ids)
}

async fn make_script(
    tx: &mut PgConnection,
    s: &Services,
    by: &Principal,
    app: AppId,
    new: &PreparedScript,
    message: &str,
) -> Result<ScriptId> {
    let now = s.now();
    let Wanted { name, kind, description, .. } = new.wanted.clone();
    let (id, active) = (ScriptId::at(now), new.version(1, by, message, now));
    let script = Script { id, app_id: app, name, kind, description, active, generation: 0, created_at: now, updated_at: now };
    if !store::scripts::insert(tx, &script, by.user_id).await.map_err(store::refusal)? {
        return Err(Error::internal("a script came twice"));
    }
    store::scripts::insert_version(tx, app, id, &script.active).await.map_err(store::refusal)?;
    scripts::put_image(tx, s, id, 1, new.image.as_ref()).await?;
    Ok(id)
}

impl PreparedScript {
    fn version(&self, number: i32, by: &Principal, message: &str, now: chrono::DateTime<chrono::Utc>) -> Version {
        Version {
            number,
            digest: self.wanted.digest.clone(),
            source: self.wanted.source.clone(),
            limits: self.wanted.limits,
            capabilities: self.capabilities.clone(),
            own_capabilities: self.own_capabilities.clone(),
            imports: self.imports.clone(),
            message: message.to_owned(),
            created_by: Some(by.user_id),
            created_at: now,
        }
    }
}

fn audited(before: &Picture, about: &About, changes: &[Change], told: Told<'_>) -> audit::Change {
    let named: Vec<_> =
        changes.iter().map(|change| json!({ "thing": change.thing, "action": change.action, "name": change.name })).collect();
    audit::Change {
        action: told.cause.as_str(),
        app_id: Some(before.app.id),
        target: about.number.to_string(),
        before: Some(json!({ "deployment": before.active, "digest": before.digest })),
        after: Some(json!({ "deployment": about.number, "digest": about.digest, "message": told.message, "changes": named })),
    }
}
