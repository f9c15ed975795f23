//! Apps: the tenants.

use serde_json::json;
use sqlx::PgConnection;

use super::Services;
use crate::error::{Error, Kind, Result};
use crate::id::{AppId, ScriptId, UserId};
use crate::model::app::{App, AppChange, Deletion, NewApp};
use crate::model::page::{Page, PageQuery, id_cursor};
use crate::store;

/// 422 for a slug or name that breaks the rules of `model::app`; 409 naming the app that has the slug.
pub async fn create(s: &Services, by: UserId, new: NewApp) -> Result<App> {
    new.check()?;
    let now = s.now();
    let app =
        App { id: AppId::at(now), slug: new.slug, name: new.name, cors_origins: Vec::new(), created_at: now, updated_at: now };
    let mut tx = store::begin(&s.db).await?;
    if !store::apps::insert(&mut tx, &app, by).await.map_err(store::refusal)? {
        let other = store::apps::by_slug(&mut tx, &app.slug).await?;
        return Err(slug_taken(&app.slug, other.as_ref()));
    }
    store::signals::routing_changed(&mut tx).await?;
    tx.commit().await?;
    s.reload_routing().await;
    tracing::info!(app.id = %app.id, user.id = %by, "app created");
    Ok(app)
}

/// By id or by slug (a slug never reads as an id); 404.
pub async fn get(s: &Services, id_or_slug: &str) -> Result<App> {
    let mut db = s.db.acquire().await?;
    let app = match id_or_slug.parse::<AppId>() {
        Ok(id) => store::apps::get(&mut db, id).await?,
        Err(_) if id_or_slug.contains('\0') => None,
        Err(_) => store::apps::by_slug(&mut db, id_or_slug).await?,
    };
    app.ok_or_else(|| Error::not_found("app"))
}

/// All apps, oldest first.
pub async fn list(s: &Services, query: &PageQuery) -> Result<Page<App>> {
    let after = query.after_id()?;
    let mut db = s.db.acquire().await?;
    let rows = store::apps::list(&mut db, after, query.rows()).await?;
    Ok(Page::cut(rows, query.limit, |app| id_cursor(app.id.0)))
}

/// Changes what `change` names. `if_match` is an `App::tag`: 412 when the app is in another state by now.
/// 404; 422; 409 naming the app that has the slug, or a route that names a host under the slug to be left.
pub async fn update(s: &Services, by: UserId, id: AppId, change: AppChange, if_match: Option<&str>) -> Result<App> {
    change.check()?;
    let mut tx = store::begin(&s.db).await?;
    let mut app = store::apps::lock(&mut tx, id).await?.ok_or_else(|| Error::not_found("app"))?;
    if if_match.is_some_and(|tag| tag != app.tag()) {
        return Err(changed_meanwhile(&app));
    }
    if let Some(slug) = change.slug.filter(|slug| *slug != app.slug) {
        if let Some(other) = store::apps::by_slug(&mut tx, &slug).await? {
            return Err(slug_taken(&slug, Some(&other)));
        }
        refuse_hosts_of_the_old_slug(&mut tx, &app).await?;
        app.slug = slug;
    }
    app.name = change.name.unwrap_or(app.name);
    app.cors_origins = change.cors_origins.unwrap_or(app.cors_origins);
    app.updated_at = store::apps::update(&mut tx, &app, s.now()).await.map_err(store::refusal)?;
    store::signals::routing_changed(&mut tx).await?;
    tx.commit().await?;
    s.reload_routing().await;
    tracing::info!(app.id = %app.id, user.id = %by, "app changed");
    Ok(app)
}

/// Deletes the app with its routes, triggers, events, KV entries, documents, files and API keys and, with contents, its scripts, in one
/// transaction; then, in batches, the records of what ran, which nobody finds any more. `if_match` as in [`update`]. 404; 409 `{scripts}` when it still has scripts and contents were not to go.
pub async fn delete(s: &Services, by: UserId, id: AppId, what: Deletion, if_match: Option<&str>) -> Result<()> {
    let scripts = super::unless_deadlocked(|| Box::pin(delete_once(s, id, what, if_match))).await?;
    s.reload_routing().await;
    super::files::forget_app(s, id);
    tracing::info!(app.id = %id, user.id = %by, scripts = scripts.len(), "app deleted");
    super::executions::forget(s, &scripts).await;
    Ok(())
}

async fn delete_once(s: &Services, id: AppId, what: Deletion, if_match: Option<&str>) -> Result<Vec<ScriptId>> {
    let mut tx = store::begin(&s.db).await?;
    let app = store::apps::lock_to_delete(&mut tx, id).await?.ok_or_else(|| Error::not_found("app"))?;
    if if_match.is_some_and(|tag| tag != app.tag()) {
        return Err(changed_meanwhile(&app));
    }
    let scripts = store::scripts::ids(&mut tx, id).await?;
    if !scripts.is_empty() && what == Deletion::OnlyEmpty {
        let count = scripts.len();
        return Err(Error::conflict(
            format!("the app {} still has {count} scripts; delete them first, or repeat with ?force=true", app.slug),
            json!({ "app": { "id": app.id, "slug": app.slug }, "scripts": count }),
        ));
    }
    store::apps::delete(&mut tx, id).await?;
    store::signals::routing_changed(&mut tx).await?;
    tx.commit().await?;
    Ok(scripts)
}

/// Such a route would never match again, silently.
async fn refuse_hosts_of_the_old_slug(tx: &mut PgConnection, app: &App) -> Result<()> {
    let routes = store::routes::of_app(tx, app.id).await?;
    let Some(route) = routes.iter().find(|route| route.host.is_some()) else { return Ok(()) };
    Err(Error::conflict(
        format!("the route {route} names a host of the slug {}; delete it first", app.slug),
        json!({ "field": "slug", "route": { "id": route.id, "script_id": route.script_id, "host": route.host } }),
    ))
}

fn slug_taken(slug: &str, other: Option<&App>) -> Error {
    let other = other.map(|app| json!({ "id": app.id, "slug": app.slug, "name": app.name }));
    Error::conflict(format!("there is already an app with the slug {slug}"), json!({ "field": "slug", "app": other }))
}

pub(super) fn changed_meanwhile(app: &App) -> Error {
    Error::new(Kind::PreconditionFailed, "precondition_failed", "the app has changed since it was read; read it again")
        .with_details(json!({ "current": app.tag() }))
}
