//! Apps: the tenants, and the slugs that lead to them.
//!
//! A slug is one app's, or one app's former one, or nobody's, never two of these. That holds because whoever takes a slug first
//! puts it into `apps`, where it is unique and waits for whoever is about to leave it, and looks at former slugs only then.

use serde_json::{Value, json};
use sqlx::PgConnection;

use super::audit::{self, Change};
use super::{Services, access};
use crate::error::{Error, Kind, Result};
use crate::id::{AppId, ScriptId};
use crate::limits;
use crate::model::access::{Principal, Scope, Standing};
use crate::model::app::{App, AppChange, Deletion, FormerSlug, NewApp};
use crate::model::page::{Page, PageQuery, id_cursor};
use crate::model::route::Route;
use crate::store;

/// 422 for a slug or name that breaks the rules of `model::app`; 409 `conflict` for a slug that an app has, 409
/// `slug_redirects` for one that still leads to an app that had it, unless `takeover` says so. Either names the other app where
/// it is the caller's to see.
pub async fn create(s: &Services, by: &Principal, new: NewApp) -> Result<App> {
    new.check()?;
    let now = s.now();
    let app =
        App { id: AppId::at(now), slug: new.slug, name: new.name, cors_origins: Vec::new(), created_at: now, updated_at: now };
    let mut tx = store::begin(&s.db).await?;
    store::wait_briefly(&mut tx).await?;
    if !store::apps::insert(&mut tx, &app, by.user_id).await.map_err(store::refusal)? {
        return Err(slug_taken(&mut tx, by, &app.slug).await?);
    }
    let lost = take_slug(&mut tx, by, &app, new.takeover).await?;
    store::signals::routing_changed(&mut tx).await?;
    if let Some(lost) = lost {
        audit::append(&mut tx, now, Some(by), takeover(&lost)).await?;
    }
    audit::append(&mut tx, now, Some(by), changed("app.create", None, Some(&app))).await?;
    tx.commit().await?;
    s.reload_routing().await;
    tracing::info!(app.id = %app.id, user.id = %by.user_id, "app created");
    Ok(app)
}

/// By id, by slug (a slug never reads as an id), or by a slug that it had before; 404.
pub async fn get(s: &Services, id_or_slug: &str) -> Result<App> {
    let mut db = s.db.acquire().await?;
    let app = match id_or_slug.parse::<AppId>() {
        Ok(id) => store::apps::get(&mut db, id).await?,
        Err(_) if id_or_slug.contains('\0') => None,
        Err(_) => store::apps::by_any_slug(&mut db, id_or_slug).await?,
    };
    app.ok_or_else(|| Error::not_found("app"))
}

/// The apps that are the principal's to see, oldest first.
pub async fn list(s: &Services, by: &Principal, query: &PageQuery) -> Result<Page<App>> {
    let after = query.after_id()?;
    let mut db = s.db.acquire().await?;
    let rows = store::apps::list(&mut db, &by.sight(), after, query.rows()).await?;
    Ok(Page::cut(rows, query.limit, |app| id_cursor(app.id.0)))
}

/// Changes what `change` names. The old one of two slugs leads to the app until somebody takes it; of these the youngest
/// `FORMER_SLUGS_PER_APP_MAX` are kept. `if_match` is an `App::tag`: 412 when the app is in another state by now.
/// 404; 422; 409 as [`create`], or naming a route that names a host under the slug to be left.
pub async fn update(s: &Services, by: &Principal, id: AppId, change: AppChange, if_match: Option<&str>) -> Result<App> {
    change.check()?;
    let now = s.now();
    let mut tx = store::begin(&s.db).await?;
    store::wait_briefly(&mut tx).await?;
    let before = store::apps::lock(&mut tx, id).await?.ok_or_else(|| Error::not_found("app"))?;
    if if_match.is_some_and(|tag| tag != before.tag()) {
        return Err(Error::changed_meanwhile("app", before.tag()));
    }
    let mut app = before.clone();
    if let Some(slug) = change.slug.filter(|slug| *slug != before.slug) {
        if store::apps::by_slug(&mut tx, &slug).await?.is_some() {
            return Err(slug_taken(&mut tx, by, &slug).await?);
        }
        refuse_hosts_of_the_old_slug(&mut tx, s, &before).await?;
        app.slug = slug;
    }
    app.name = change.name.unwrap_or(app.name);
    app.cors_origins = change.cors_origins.unwrap_or(app.cors_origins);
    app.updated_at = store::apps::update(&mut tx, &app, now).await.map_err(store::refusal)?;
    let mut lost = None;
    if app.slug != before.slug {
        lost = take_slug(&mut tx, by, &app, change.takeover).await?;
        store::slugs::retire(&mut tx, app.id, &before.slug, now).await?;
        store::slugs::forget_oldest(&mut tx, app.id, limits::FORMER_SLUGS_PER_APP_MAX).await?;
    }
    store::signals::routing_changed(&mut tx).await?;
    if let Some(lost) = lost {
        audit::append(&mut tx, now, Some(by), takeover(&lost)).await?;
    }
    audit::append(&mut tx, now, Some(by), changed("app.update", Some(&before), Some(&app))).await?;
    tx.commit().await?;
    s.reload_routing().await;
    tracing::info!(app.id = %app.id, user.id = %by.user_id, "app changed");
    Ok(app)
}

/// Deletes the app with its routes, triggers, events, KV entries, documents, files, domains and API keys and, with contents,
/// its scripts, in one transaction; then, in batches, the records of what ran, which nobody finds any more. `if_match` as in
/// [`update`]. 404; 409 `{scripts}` when it still has scripts and contents were not to go.
pub async fn delete(s: &Services, by: &Principal, id: AppId, what: Deletion, if_match: Option<&str>) -> Result<()> {
    let scripts = super::unless_deadlocked(|| Box::pin(delete_once(s, by, id, what, if_match))).await?;
    s.reload_routing().await;
    super::files::forget_app(s, id);
    tracing::info!(app.id = %id, user.id = %by.user_id, scripts = scripts.len(), "app deleted");
    super::executions::forget(s, &scripts).await;
    super::usage::forget(s, id).await;
    Ok(())
}

async fn delete_once(s: &Services, by: &Principal, id: AppId, what: Deletion, if_match: Option<&str>) -> Result<Vec<ScriptId>> {
    let mut tx = store::begin(&s.db).await?;
    let app = store::apps::lock_to_delete(&mut tx, id).await?.ok_or_else(|| Error::not_found("app"))?;
    if if_match.is_some_and(|tag| tag != app.tag()) {
        return Err(Error::changed_meanwhile("app", app.tag()));
    }
    let scripts = store::scripts::ids(&mut tx, id).await?;
    let count = scripts.len();
    if count > 0 && what == Deletion::OnlyEmpty {
        return Err(Error::conflict(
            format!("the app {} still has {count} scripts; delete them first, or repeat with ?force=true", app.slug),
            json!({ "app": { "id": app.id, "slug": app.slug }, "scripts": count }),
        ));
    }
    store::apps::delete(&mut tx, id).await?;
    store::signals::routing_changed(&mut tx).await?;
    store::signals::subscribers_changed(&mut tx).await?;
    let before = Some(json!({ "slug": app.slug, "name": app.name, "scripts": count }));
    let told = Change { action: "app.delete", app_id: Some(id), target: id.to_string(), before, after: None };
    audit::append(&mut tx, s.now(), Some(by), told).await?;
    tx.commit().await?;
    Ok(scripts)
}

/// Whether an app is the principal's to see.
pub(super) async fn is_seen(db: &mut PgConnection, by: &Principal, app: AppId) -> Result<bool> {
    let role = match by.sees_all_apps() {
        true => None,
        false => store::members::role(db, app, by.user_id).await?,
    };
    Ok(by.decide_on(Standing { app_id: app, role }, Scope::ScriptRead).is_ok())
}

/// Ends what led the app's slug, which it has by now, to another app; what that one lost. 409 `slug_redirects` when it was not
/// told to.
pub(super) async fn take_slug(
    tx: &mut PgConnection,
    by: &Principal,
    app: &App,
    may_take_over: bool,
) -> Result<Option<FormerSlug>> {
    let Some(former) = store::slugs::get(tx, &app.slug).await? else { return Ok(None) };
    let is_others = former.app_id != app.id;
    if is_others && !may_take_over {
        return Err(slug_redirects(tx, by, &former).await?);
    }
    if is_others && !by.sees_all_apps() {
        // Whoever takes it gets what its callers send: their cookies, tokens and mail.
        let role = store::members::role(tx, former.app_id, by.user_id).await?;
        let standing = Standing { app_id: former.app_id, role };
        by.decide_on(standing, Scope::AppAdmin).map_err(|_| access::forbidden(Scope::InstanceAdmin))?;
    }
    store::slugs::delete(tx, &app.slug).await?;
    Ok(is_others.then_some(former))
}

/// Such a route would never match again, silently.
async fn refuse_hosts_of_the_old_slug(tx: &mut PgConnection, s: &Services, app: &App) -> Result<()> {
    let routes = store::routes::of_app(tx, app.id).await?;
    let names_old = |route: &&Route| route.host.as_ref().is_some_and(|host| host.is_of_slug(&app.slug, &s.apps_domain));
    let Some(route) = routes.iter().find(names_old) else { return Ok(()) };
    Err(Error::conflict(
        format!("the route {route} names a host of the slug {}; delete it first", app.slug),
        json!({ "field": "slug", "route": { "id": route.id, "script_id": route.script_id, "host": route.host } }),
    ))
}

pub(super) async fn slug_taken(tx: &mut PgConnection, by: &Principal, slug: &str) -> Result<Error> {
    let other = match store::apps::by_slug(tx, slug).await? {
        Some(other) => seen(tx, by, &other).await?,
        None => None,
    };
    let message = format!("there is already an app with the slug {slug}");
    Ok(Error::conflict(message, json!({ "field": "slug", "app": other })))
}

async fn slug_redirects(tx: &mut PgConnection, by: &Principal, former: &FormerSlug) -> Result<Error> {
    let FormerSlug { slug, app_id, retired_at } = former;
    let mut details = json!({ "field": "slug", "takeover_needed": true, "retired_at": retired_at });
    let other = match store::apps::get(tx, *app_id).await? {
        Some(other) => seen(tx, by, &other).await?,
        None => None,
    };
    if let (Some(other), Some(details)) = (other, details.as_object_mut()) {
        details.insert("app".to_owned(), other);
    }
    let message = format!(
        "the slug {slug} still leads to the app that had it before; repeat with \"takeover\": true to end that and take the slug"
    );
    Ok(Error::new(Kind::Conflict, "slug_redirects", message).with_details(details))
}

/// The app as it is named to whoever sees it.
async fn seen(tx: &mut PgConnection, by: &Principal, app: &App) -> Result<Option<Value>> {
    let named = || json!({ "id": app.id, "slug": app.slug, "name": app.name });
    Ok(is_seen(tx, by, app.id).await?.then(named))
}

fn takeover(lost: &FormerSlug) -> Change {
    let before = json!({ "slug": lost.slug, "retired_at": lost.retired_at });
    let (app_id, target) = (Some(lost.app_id), lost.slug.clone());
    Change { action: "slug.takeover", app_id, target, before: Some(before), after: None }
}

fn changed(action: &'static str, before: Option<&App>, after: Option<&App>) -> Change {
    let told = |app: &App| json!({ "slug": app.slug, "name": app.name, "cors_origins": app.cors_origins });
    let (app_id, target) = before.or(after).map(|app| (Some(app.id), app.id.to_string())).unwrap_or_default();
    Change { action, app_id, target, before: before.map(told), after: after.map(told) }
}
