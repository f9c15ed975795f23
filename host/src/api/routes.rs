//! Routes of a script, and which route would answer a request.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::answer::{Created, NoContent};
use super::error::Answer;
use super::gate::Caller;
use super::query::{Path, Query};
use super::{Api, List, body};
use crate::error::{Error, Kind, Result};
use crate::id::{AppId, RouteId, ScriptId};
use crate::model::access::{Principal, Scope};
use crate::model::page::{Page, PageQuery, id_cursor};
use crate::model::route::{AppTable, Directory, DispatchMode, Found, HostPattern, Method, PathPattern, Resolution, Route};
use crate::service::{self, routes::NewRoute};

/// What leads requests to a script.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Route", example = example())]
pub(super) struct RouteJson {
    id: RouteId,
    app_id: AppId,
    script_id: ScriptId,
    /// Null: any.
    #[schemars(with = "Option<String>")]
    method: Option<Method>,
    /// Null: any host of the app.
    #[schemars(with = "Option<String>")]
    host: Option<HostPattern>,
    #[schemars(with = "String")]
    path: PathPattern,
    dispatch_mode: DispatchMode,
    created_at: DateTime<Utc>,
}

fn example() -> Value {
    json!({
        "id": "01990a6e-bbbb-7a10-8f3c-5e2d1c0b9a88",
        "app_id": "01990a6e-7777-7a10-8f3c-5e2d1c0b9a88",
        "script_id": "01990a6e-8888-7a10-8f3c-5e2d1c0b9a88",
        "method": "GET",
        "host": null,
        "path": "/users/:id",
        "dispatch_mode": "sync",
        "created_at": "2026-01-02T03:04:05.678901Z"
    })
}

impl From<Route> for RouteJson {
    fn from(route: Route) -> Self {
        let Route { id, app_id, script_id, method, host, path, dispatch_mode, created_at } = route;
        Self { id, app_id, script_id, method, host, path, dispatch_mode, created_at }
    }
}

/// A route to be made.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "NewRoute", example = json!({ "path": "/users/:id", "method": "GET" }))]
pub(super) struct Create {
    /// Exact (`/a`), with parameters (`/users/:id`), or everything below (`/files/*`).
    path: String,
    /// Left out, `ANY` or `*`: any.
    method: Option<String>,
    /// A host of the app's; left out: any of them.
    host: Option<String>,
    /// `sync` (left out) or `async`: the caller is told at once where the execution will be found.
    dispatch_mode: Option<String>,
}

/// A request that might come: its host or the app, not both.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "RequestToMatch", example = json!({ "app": "shop", "method": "GET", "path": "/users/17" }))]
pub(super) struct Asked {
    host: Option<String>,
    /// Id or slug, in place of its host.
    app: Option<String>,
    #[serde(default = "get")]
    method: String,
    path: String,
}

fn get() -> String {
    "GET".into()
}

/// The route and script that would answer, or the reason why none would.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "MatchedRequest", example = matched_example())]
pub(super) struct Matched {
    matched: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    app: Option<AppNamed>,
    #[serde(flatten)]
    answer: MatchAnswer,
}

fn matched_example() -> Value {
    json!({
        "matched": true,
        "app": { "id": "01990a6e-7777-7a10-8f3c-5e2d1c0b9a88", "slug": "shop" },
        "route": example(),
        "script": { "id": "01990a6e-8888-7a10-8f3c-5e2d1c0b9a88", "name": "users", "version": 3 },
        "params": { "id": "17" },
        "rest": null
    })
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
struct AppNamed {
    id: AppId,
    slug: String,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
struct ScriptNamed {
    id: ScriptId,
    name: String,
    version: i32,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
enum MatchAnswer {
    Found {
        route: Box<RouteJson>,
        script: ScriptNamed,
        /// What the path's parameters stand for.
        params: Map<String, Value>,
        /// What is below a prefix.
        rest: Option<String>,
    },
    None {
        /// `unknown_host`, `no_route`, `method_not_allowed` or `malformed_path`.
        reason: &'static str,
        message: String,
        /// What the path does allow, when only the method is wrong.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        allow: Vec<String>,
    },
}

pub(super) async fn list(
    State(api): State<Api>,
    Path(script): Path<ScriptId>,
    Query(page): Query<PageQuery>,
) -> Answer<Json<List<RouteJson>>> {
    let after = page.after_id()?;
    let mut routes = service::routes::list(&api.services, script).await?;
    routes.retain(|route| after.is_none_or(|after| route.id.0 > after));
    let page = Page::cut(routes, page.limit, |route| id_cursor(route.id.0));
    Ok(List::of(page, RouteJson::from))
}

pub(super) async fn create(
    State(api): State<Api>,
    Path(script): Path<ScriptId>,
    Caller(by): Caller,
    body::Json(new): body::Json<Create>,
) -> Answer<Created<RouteJson>> {
    let new = NewRoute { path: new.path, method: new.method, host: new.host, dispatch_mode: new.dispatch_mode };
    let route = service::routes::create(&api.services, &by, script, new).await?;
    let location = format!("/api/v1/admin/scripts/{script}/routes/{}", route.id);
    Ok(Created { location, tag: None, body: route.into() })
}

pub(super) async fn delete(
    State(api): State<Api>,
    Path((script, route)): Path<(ScriptId, RouteId)>,
    Caller(by): Caller,
) -> Answer<NoContent> {
    service::routes::delete(&api.services, &by, script, route).await?;
    Ok(NoContent)
}

pub(super) async fn find(
    State(api): State<Api>,
    Caller(by): Caller,
    body::Json(asked): body::Json<Asked>,
) -> Answer<Json<Matched>> {
    let is_judged = asked.app.is_some();
    let host = match (asked.host, asked.app) {
        (Some(host), None) => host,
        (None, Some(app)) => {
            let app = service::access::app(&api.services, &by, &app, Scope::ScriptRead).await?;
            format!("{}.{}", app.slug, api.services.apps_domain)
        }
        _ => return Err(Error::invalid("host", "name either a host or an app").into()),
    };
    let path = asked.path.split_once('?').map_or(asked.path.as_str(), |(path, _)| path);
    let found = matched(&api.services.routing.current(), &host, &asked.method.to_ascii_uppercase(), path);
    if let Some(app) = &found.app
        && !is_judged
        && !is_theirs(&api, &by, app.id).await?
    {
        return Ok(Json(unknown_host(&host)));
    }
    Ok(Json(found))
}

/// Whether the app is one that the caller may look at; any other looks as if it were not there.
async fn is_theirs(api: &Api, by: &Principal, app: AppId) -> Result<bool> {
    match service::access::app(&api.services, by, &app.to_string(), Scope::ScriptRead).await {
        Ok(_) => Ok(true),
        Err(error) if error.kind == Kind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn unknown_host(host: &str) -> Matched {
    let message = format!("no app answers at {host}");
    Matched { matched: false, app: None, answer: MatchAnswer::None { reason: "unknown_host", message, allow: Vec::new() } }
}

fn matched(directory: &Directory, host: &str, method: &str, path: &str) -> Matched {
    let named = |app: &AppTable| Some(AppNamed { id: app.app_id, slug: app.slug.clone() });
    let none = |app, reason, message: String, allow: Vec<&str>| {
        let allow = allow.into_iter().map(str::to_owned).collect();
        Matched { matched: false, app, answer: MatchAnswer::None { reason, message, allow } }
    };
    match directory.resolve(host, method, path) {
        Resolution::Found { app, found } => Matched { matched: true, app: named(app), answer: answer(found) },
        Resolution::OtherMethod { app, allow } => {
            none(named(app), "method_not_allowed", format!("routes match this path, none of them {method}"), allow)
        }
        Resolution::NoRoute { app } => {
            none(named(app), "no_route", format!("no route of {} matches this path", app.slug), Vec::new())
        }
        Resolution::Malformed { app, fault } => none(named(app), "malformed_path", fault.message().into(), Vec::new()),
        Resolution::UnknownHost => unknown_host(host),
    }
}

fn answer(found: Found<'_>) -> MatchAnswer {
    MatchAnswer::Found {
        route: Box::new(found.route.clone().into()),
        script: ScriptNamed { id: found.script.script_id, name: found.script.name.clone(), version: found.script.version },
        params: found.params.into_iter().map(|(name, value)| (name, value.into())).collect(),
        rest: found.rest,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::grant::Grants;
    use crate::model::invocation::Deployed;
    use crate::model::quota::Quota;
    use crate::model::route::{Source, SourceApp};

    fn directory() -> Result<Directory> {
        let now = DateTime::UNIX_EPOCH;
        let (app_id, script_id) = (AppId::at(now), ScriptId::at(now));
        let script = Deployed {
            app_id,
            script_id,
            version: 3,
            generation: 0,
            kind: Default::default(),
            name: "users".into(),
            limits: Default::default(),
        };
        let path = "/users/:id".parse()?;
        let method = Some("GET".parse()?);
        let dispatch_mode = DispatchMode::Sync;
        let route = Route { id: RouteId::at(now), app_id, script_id, method, host: None, path, dispatch_mode, created_at: now };
        let (grants, quota) = (Grants::default(), Quota::default());
        let app = SourceApp { id: app_id, slug: "hello".into(), cors_origins: Vec::new(), grants, quota };
        let source = Source { apps: vec![app], scripts: vec![script], routes: vec![route], ..Source::default() };
        Ok(Directory::new("localhost", source))
    }

    fn ask(host: &str, method: &str, path: &str) -> Value {
        serde_json::to_value(matched(&Arc::new(directory().unwrap()), host, method, path)).unwrap()
    }

    #[test]
    fn a_match_names_route_script_and_params() {
        let found = ask("hello.localhost:8080", "GET", "/users/a%20b");
        assert_eq!(found["matched"], true);
        assert_eq!(found["route"]["path"], "/users/:id");
        assert_eq!((&found["script"]["name"], &found["script"]["version"]), (&json!("users"), &json!(3)));
        assert_eq!(found["params"], json!({ "id": "a b" }));
    }

    #[test]
    fn no_match_says_why() {
        for (host, method, path, reason) in [
            ("other.localhost", "GET", "/", "unknown_host"),
            ("hello.localhost", "GET", "/nope", "no_route"),
            ("hello.localhost", "PUT", "/users/1", "method_not_allowed"),
            ("hello.localhost", "GET", "/users/%zz", "malformed_path"),
        ] {
            let none = ask(host, method, path);
            assert_eq!((&none["matched"], &none["reason"]), (&json!(false), &json!(reason)));
            assert!(none["message"].is_string());
        }
        assert_eq!(ask("hello.localhost", "PUT", "/users/1")["allow"][0], "GET");
    }
}
