//! Scripts: publishing versions, and what an invocation needs of one.
//!
//! A version is checked and prepared by `invoke` before it comes here: nothing in this layer reads source.

use serde_json::json;
use sqlx::PgConnection;

use super::Services;
use super::audit::{self, Change};
use crate::error::{Error, Kind, Result};
use crate::id::{AppId, ScriptId};
use crate::limits;
use crate::model::access::Principal;
use crate::model::app::App;
use crate::model::import::Graph;
use crate::model::page::{Page, PageQuery, id_cursor, number_cursor};
use crate::model::script::{
    Executable, Image, NewScript, NewVersion, Prepared, Script, Summary, Version, VersionSummary, digest,
};
use crate::store;

/// Stores a new script with version 1, which is active at once. `prepared` is of its source and kind.
///
/// 422 and 413 as `NewScript::check` (better asked before preparing), 422 as `grants::admit`; 404 for the app; 409 naming the
/// script of that name, or `modules_changed`; 507 when the app has as many scripts as it may.
pub async fn create(s: &Services, by: &Principal, new: NewScript, prepared: Prepared) -> Result<Script> {
    let limits = new.check(&s.quota(new.app_id))?;
    let now = s.now();
    let script = Script {
        id: ScriptId::at(now),
        app_id: new.app_id,
        name: new.name,
        kind: new.kind,
        description: new.description,
        active: prepared.version(1, new.source, limits, new.message, by.user_id, now),
        generation: 0,
        created_at: now,
        updated_at: now,
    };
    let mut tx = store::begin(&s.db).await?;
    store::apps::lock(&mut tx, script.app_id).await?.ok_or_else(|| Error::not_found("app"))?;
    super::storage::room_for_script(&mut tx, script.app_id).await?;
    if !store::scripts::insert(&mut tx, &script, by.user_id).await.map_err(store::refusal)? {
        let other = store::scripts::by_name(&mut tx, script.app_id, &script.name).await?;
        return Err(Error::conflict(
            format!("the app already has a script named {}", script.name),
            json!({ "field": "name", "script": { "id": other, "name": script.name } }),
        ));
    }
    super::grants::admit(&mut tx, script.app_id, &script.active.capabilities).await?;
    super::imports::settle(&mut tx, s, &script, &prepared).await?;
    store::scripts::insert_version(&mut tx, script.app_id, script.id, &script.active).await?;
    put_image(&mut tx, s, script.id, 1, prepared.image.as_ref()).await?;
    store::signals::routing_changed(&mut tx).await?;
    super::deployments::record(&mut tx, script.app_id, Some(by), "script.create", &script.active.message, now).await?;
    audit::append(&mut tx, now, Some(by), changed("script.create", None, Some(&script))).await?;
    tx.commit().await?;
    s.reload_routing().await;
    tracing::info!(app.id = %script.app_id, script.id = %script.id, user.id = %by.user_id, "script created");
    Ok(script)
}

/// The script with its active version; 404.
pub async fn get(s: &Services, id: ScriptId) -> Result<Script> {
    let mut db = s.db.acquire().await?;
    store::scripts::get(&mut db, id).await?.ok_or_else(|| Error::not_found("script"))
}

/// Scripts of one app, or of all that are the principal's to see, oldest first.
pub async fn list(s: &Services, by: &Principal, app: Option<AppId>, query: &PageQuery) -> Result<Page<Summary>> {
    let after = query.after_id()?;
    let mut db = s.db.acquire().await?;
    let rows = store::scripts::list(&mut db, &by.sight(), app, after, query.rows()).await?;
    Ok(Page::cut(rows, query.limit, |script| id_cursor(script.id.0)))
}

/// A script's versions without their sources, newest first; 404 for the script.
pub async fn versions(s: &Services, id: ScriptId, query: &PageQuery) -> Result<Page<VersionSummary>> {
    let before = query.after_number()?;
    let mut db = s.db.acquire().await?;
    let rows = store::scripts::versions(&mut db, id, before, query.rows()).await?;
    // A script has a version from its beginning, so only a page without any asks whether there is a script.
    if rows.is_empty() && store::scripts::newest_version(&mut db, id).await? == 0 {
        return Err(Error::not_found("script"));
    }
    Ok(Page::cut(rows, query.limit, |version| number_cursor(version.number)))
}

/// One version of a script; 404.
pub async fn version(s: &Services, id: ScriptId, number: i32) -> Result<Version> {
    let mut db = s.db.acquire().await?;
    store::scripts::version(&mut db, id, number).await?.ok_or_else(|| Error::not_found("version"))
}

/// Publishes the next version, which is active at once. Source and limits that are those of the active version make none:
/// the script stays at its version, and only the description (and a missing image) is stored.
///
/// `if_match` is the `Script::tag` that the caller has seen: 412 `{version, current}` when the script is in another state by now.
/// 404; 422 and 413 as `NewVersion::check`, 422 as `grants::admit`; 409 `modules_changed`.
pub async fn publish(
    s: &Services,
    by: &Principal,
    id: ScriptId,
    new: NewVersion,
    prepared: Prepared,
    if_match: Option<&str>,
) -> Result<Script> {
    let now = s.now();
    let mut tx = store::begin(&s.db).await?;
    let mut script = locked(&mut tx, id, if_match).await?;
    let quota = s.quota(script.app_id);
    new.check(&quota)?;
    let before = script.clone();
    super::grants::admit(&mut tx, script.app_id, &prepared.capabilities).await?;
    let limits = new.limits.over(script.active.limits, &quota)?;
    super::imports::settle(&mut tx, s, &script, &prepared).await?;
    let message = new.message;
    script.description = new.description.unwrap_or(script.description);
    if digest(&new.source, &limits) != script.active.digest {
        let number = store::scripts::newest_version(&mut tx, id).await?.saturating_add(1);
        let version = prepared.version(number, new.source, limits, message.clone(), by.user_id, now);
        store::scripts::insert_version(&mut tx, script.app_id, id, &version).await?;
        script.active = version;
    }
    put_image(&mut tx, s, id, script.active.number, prepared.image.as_ref()).await?;
    script.updated_at = store::scripts::activate(&mut tx, id, script.active.number, &script.description, now).await?;
    store::signals::routing_changed(&mut tx).await?;
    super::deployments::record(&mut tx, script.app_id, Some(by), "script.publish", &message, now).await?;
    audit::append(&mut tx, now, Some(by), changed("script.publish", Some(&before), Some(&script))).await?;
    tx.commit().await?;
    s.reload_routing().await;
    let version = script.active.number;
    tracing::info!(app.id = %script.app_id, script.id = %id, script.version = version, user.id = %by.user_id, "version published");
    Ok(script)
}

/// Stores the next version without making it the active one; its number. What some version is already is that version. Errors as in
/// [`publish`].
pub async fn stage(
    s: &Services,
    by: &Principal,
    id: ScriptId,
    new: NewVersion,
    prepared: Prepared,
    if_match: Option<&str>,
) -> Result<(Script, i32)> {
    let now = s.now();
    let mut tx = store::begin(&s.db).await?;
    let script = locked(&mut tx, id, if_match).await?;
    let quota = s.quota(script.app_id);
    new.check(&quota)?;
    super::grants::admit(&mut tx, script.app_id, &prepared.capabilities).await?;
    let limits = new.limits.over(script.active.limits, &quota)?;
    if let Some(number) = store::deployments::version_of(&mut tx, id, &digest(&new.source, &limits)).await? {
        return Ok((script, number));
    }
    let number = store::scripts::newest_version(&mut tx, id).await?.saturating_add(1);
    let version = prepared.version(number, new.source, limits, new.message, by.user_id, now);
    store::scripts::insert_version(&mut tx, script.app_id, id, &version).await?;
    put_image(&mut tx, s, id, number, prepared.image.as_ref()).await?;
    let staged = Script { active: version, ..script.clone() };
    audit::append(&mut tx, now, Some(by), changed("version.create", None, Some(&staged))).await?;
    tx.commit().await?;
    tracing::info!(app.id = %script.app_id, script.id = %id, script.version = number, user.id = %by.user_id, "version stored");
    Ok((script, number))
}

/// Deletes the script with its versions, images, routes and triggers, in one transaction; then, in batches, the records of its
/// executions, which nobody finds any more. `if_match` as in [`publish`]. 404; 409 naming the scripts that import it.
pub async fn delete(s: &Services, by: &Principal, id: ScriptId, if_match: Option<&str>) -> Result<()> {
    let script = super::unless_deadlocked(|| Box::pin(delete_once(s, by, id, if_match))).await?;
    s.reload_routing().await;
    tracing::info!(app.id = %script.app_id, script.id = %id, user.id = %by.user_id, "script deleted");
    super::executions::forget(s, &[id]).await;
    Ok(())
}

async fn delete_once(s: &Services, by: &Principal, id: ScriptId, if_match: Option<&str>) -> Result<Script> {
    let mut tx = store::begin(&s.db).await?;
    let script = locked(&mut tx, id, if_match).await?;
    refuse_while_imported(&mut tx, &script).await?;
    let now = s.now();
    super::deployments::record_first(&mut tx, script.app_id, now).await?;
    store::deployments::keep_sources(&mut tx, script.app_id, &[id]).await?;
    store::scripts::delete(&mut tx, id).await?;
    store::signals::routing_changed(&mut tx).await?;
    super::deployments::record(&mut tx, script.app_id, Some(by), "script.delete", "", now).await?;
    audit::append(&mut tx, now, Some(by), changed("script.delete", Some(&script), None)).await?;
    let doubt = s.events.doubt();
    tx.commit().await?;
    doubt.settle_changed();
    s.events.forsaken.notify_one();
    Ok(script)
}

/// What an invocation of that version needs, with its image for `component` if one is stored; `None` when the version is gone.
pub async fn executable(s: &Services, id: ScriptId, version: i32, component: &str) -> Result<Option<Executable>> {
    let mut db = s.db.acquire().await?;
    let Some(stored) = store::scripts::stored(&mut db, id, version).await? else { return Ok(None) };
    let image = store::images::get(&mut db, id, version, component).await?;
    let code = super::imports::code(&mut db, stored.app_id, stored.name, stored.source, stored.imports).await?;
    Ok(Some(Executable { code, image }))
}

/// Stores the image of a version, prepared late (the component is newer than the version). At most `IMAGES_PER_VERSION_MAX`
/// of a version stay, the newest. Of a version that is gone: nothing is done, and that is no error.
pub async fn store_image(s: &Services, id: ScriptId, version: i32, image: &Image) -> Result<()> {
    let mut tx = store::begin(&s.db).await?;
    match put_image(&mut tx, s, id, version, Some(image)).await {
        Ok(()) => Ok(tx.commit().await?),
        // Deleted in this very moment.
        Err(error) if error.kind == Kind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn changed(action: &'static str, before: Option<&Script>, after: Option<&Script>) -> Change {
    let told = |script: &Script| {
        let Version { number, digest, limits, capabilities, .. } = &script.active;
        json!({
            "name": script.name,
            "kind": script.kind,
            "description": script.description,
            "version": number,
            "digest": digest,
            "limits": limits,
            "capabilities": capabilities,
        })
    };
    let (app_id, target) = before.or(after).map(|s| (Some(s.app_id), s.id.to_string())).unwrap_or_default();
    Change { action, app_id, target, before: before.map(told), after: after.map(told) }
}

/// Locks the app that a script is of.
pub(super) async fn lock_app(tx: &mut PgConnection, id: ScriptId) -> Result<Option<App>> {
    match store::scripts::app_of(tx, id).await? {
        Some(app) => Ok(store::apps::lock(tx, app).await?),
        None => Ok(None),
    }
}

/// Under a lock of the app, taken first: what its scripts import of each other stays as it is.
async fn locked(tx: &mut PgConnection, id: ScriptId, if_match: Option<&str>) -> Result<Script> {
    let gone = || Error::not_found("script");
    lock_app(tx, id).await?.ok_or_else(gone)?;
    if !store::scripts::lock(tx, id).await? {
        return Err(gone());
    }
    let script = store::scripts::get(tx, id).await?.ok_or_else(gone)?;
    let (active, tag) = (script.active.number, script.tag());
    if if_match.is_some_and(|seen| seen != tag) {
        return Err(Error::new(
            Kind::PreconditionFailed,
            "precondition_failed",
            format!("the script has changed since it was read (version {active} is active); read it again"),
        )
        .with_details(json!({ "version": active, "current": tag })));
    }
    Ok(script)
}

async fn refuse_while_imported(tx: &mut PgConnection, script: &Script) -> Result<()> {
    let graph = Graph::new(store::imports::nodes(tx, script.app_id).await?);
    let users = graph.users(&script.name);
    if users.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = users.iter().map(|user| user.name.as_str()).collect();
    let others: Vec<_> = users.iter().map(|user| json!({ "id": user.id, "name": user.name })).collect();
    let message = format!("{} is imported by {}; change or delete them first", script.name, names.join(", "));
    Err(Error::conflict(message, json!({ "used_by": others })))
}

pub(super) async fn put_image(
    tx: &mut PgConnection,
    s: &Services,
    id: ScriptId,
    version: i32,
    image: Option<&Image>,
) -> Result<()> {
    if let Some(image) = image
        && store::images::put(tx, id, version, image, s.now()).await.map_err(store::refusal)?
    {
        store::images::trim(tx, id, version, limits::IMAGES_PER_VERSION_MAX).await?;
    }
    Ok(())
}
