//! Routes: adding them without a conflict, under a lock of their app.

use serde_json::json;

use super::audit::{self, Change};
use super::{Services, mail_in, realtime};
use crate::error::{self, Error, Result};
use crate::id::{RouteId, ScriptId};
use crate::limits::ROUTES_PER_APP_MAX;
use crate::model::access::Principal;
use crate::model::route::{self, DispatchMode, HostPattern, Method, Route};
use crate::model::script::Kind;
use crate::store;

/// What a new route is to be, as a person writes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewRoute {
    pub path: String,
    /// `None`, `ANY` and `*` are any method.
    pub method: Option<String>,
    /// `None` is any host of the app.
    pub host: Option<String>,
    /// `sync` (without a word) or `async`.
    pub dispatch_mode: Option<String>,
}

/// 404 for the script; 422 for a pattern that is none, a host that is not the app's, or a module; 409 naming the route that
/// would match one request with equal rank.
pub async fn create(s: &Services, by: &Principal, script: ScriptId, new: NewRoute) -> Result<Route> {
    let path = new.path.parse()?;
    mail_in::leave_free(&new.path)?;
    realtime::leave_free(&new.path)?;
    let method = Method::parse_optional(new.method.as_deref())?;
    let dispatch_mode = DispatchMode::asked(new.dispatch_mode.as_deref())?;
    let gone = || Error::not_found("script");
    let mut tx = store::begin(&s.db).await?;
    let script = store::scripts::get(&mut tx, script).await?.ok_or_else(gone)?;
    if script.kind == Kind::Module {
        return Err(Error::invalid(
            "script_id",
            format!("{} is a module: it answers no requests, scripts import it", script.name),
        ));
    }
    let app = store::apps::lock(&mut tx, script.app_id).await?.ok_or_else(gone)?;
    let host = match new.host.as_deref() {
        None => None,
        Some(host) => {
            let domains = store::domains::verified_of(&mut tx, app.id).await?;
            Some(HostPattern::of_app(host, &app.slug, &s.apps_domain, &domains)?)
        }
    };
    let now = s.now();
    let (id, created_at) = (RouteId::at(now), now);
    let route = Route { id, app_id: app.id, script_id: script.id, method, host, path, dispatch_mode, created_at };
    let existing = store::routes::of_app(&mut tx, app.id).await?;
    if existing.len() >= ROUTES_PER_APP_MAX {
        return Err(Error::new(
            error::Kind::Invalid,
            "limit_reached",
            format!("the app {} has {ROUTES_PER_APP_MAX} routes, which is all it may have; delete one first", app.slug),
        ));
    }
    if let Some(other) = route::conflict(&route, &existing) {
        return Err(route::conflict_error(&route, other));
    }
    store::routes::insert(&mut tx, &route, by.user_id).await.map_err(store::refusal)?;
    store::signals::routing_changed(&mut tx).await?;
    super::deployments::record(&mut tx, app.id, Some(by), "route.create", "", now).await?;
    audit::append(&mut tx, now, Some(by), changed("route.create", None, Some(&route))).await?;
    tx.commit().await?;
    s.reload_routing().await;
    tracing::info!(app.id = %app.id, script.id = %script.id, route.id = %route.id, user.id = %by.user_id, "route created");
    Ok(route)
}

/// A script's routes, oldest first; 404 for the script.
pub async fn list(s: &Services, script: ScriptId) -> Result<Vec<Route>> {
    let mut db = s.db.acquire().await?;
    if store::scripts::get(&mut db, script).await?.is_none() {
        return Err(Error::not_found("script"));
    }
    Ok(store::routes::of_script(&mut db, script).await?)
}

/// Deletes a route; 404 when it is not that script's.
pub async fn delete(s: &Services, by: &Principal, script: ScriptId, id: RouteId) -> Result<()> {
    let gone = || Error::not_found("route");
    let mut tx = store::begin(&s.db).await?;
    super::scripts::lock_app(&mut tx, script).await?.ok_or_else(gone)?;
    let route = store::routes::of_script(&mut tx, script).await?.into_iter().find(|route| route.id == id).ok_or_else(gone)?;
    if !store::routes::delete(&mut tx, script, id).await? {
        return Err(gone());
    }
    store::signals::routing_changed(&mut tx).await?;
    let now = s.now();
    super::deployments::record(&mut tx, route.app_id, Some(by), "route.delete", "", now).await?;
    audit::append(&mut tx, now, Some(by), changed("route.delete", Some(&route), None)).await?;
    tx.commit().await?;
    s.reload_routing().await;
    tracing::info!(app.id = %route.app_id, script.id = %script, route.id = %id, user.id = %by.user_id, "route deleted");
    Ok(())
}

fn changed(action: &'static str, before: Option<&Route>, after: Option<&Route>) -> Change {
    let told = |route: &Route| {
        let Route { script_id, method, host, path, dispatch_mode, .. } = route;
        json!({ "script_id": script_id, "method": method, "host": host, "path": path, "dispatch_mode": dispatch_mode })
    };
    let (app_id, target) = before.or(after).map(|route| (Some(route.app_id), route.id.to_string())).unwrap_or_default();
    Change { action, app_id, target, before: before.map(told), after: after.map(told) }
}
