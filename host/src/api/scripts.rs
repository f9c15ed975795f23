//! Scripts and their versions.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::error::Answer;
use super::etag::{self, IfMatch};
use super::gate::Caller;
use super::query::{Given, Parameters, Path, Query};
use super::{Api, List, body};
use crate::error::{self, Error, Result};
use crate::id::{AppId, ScriptId, UserId};
use crate::invoke::Verdict;
use crate::model::import;
use crate::model::page::PageQuery;
use crate::model::script::{self, AskedLimits, Diagnostic, Kind, Limits, NewScript, NewVersion, Script, Summary, VersionSummary};
use crate::service;

/// The name under which `check` reads a source that has none yet.
const UNNAMED: &str = "unnamed";

#[derive(Debug, Serialize)]
struct ScriptJson {
    id: ScriptId,
    app_id: AppId,
    name: String,
    kind: Kind,
    description: String,
    version: i32,
    digest: String,
    capabilities: Vec<String>,
    /// Modules that it imports by itself. Of one script, not of lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    imports: Option<Vec<String>>,
    limits: Limits,
    /// Of one script that was asked for by its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    links: Links,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// Where to go from a script: paths on this plane.
#[derive(Debug, Serialize)]
struct Links {
    #[serde(rename = "self")]
    itself: String,
    versions: String,
    routes: String,
    executions: String,
    logs: String,
    /// Modules are not run by themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    execute: Option<String>,
}

impl Links {
    fn of(id: ScriptId, kind: Kind) -> Self {
        let itself = format!("/api/v1/admin/scripts/{id}");
        Self {
            versions: format!("{itself}/versions"),
            routes: format!("{itself}/routes"),
            executions: format!("{itself}/executions"),
            logs: format!("{itself}/logs"),
            execute: (kind == Kind::Endpoint).then(|| format!("/api/v1/execute/{id}")),
            itself,
        }
    }
}

impl From<Summary> for ScriptJson {
    fn from(script: Summary) -> Self {
        let Summary { id, app_id, name, kind, description, version, digest, limits, capabilities, created_at, updated_at } =
            script;
        let links = Links::of(id, kind);
        Self {
            id,
            app_id,
            name,
            kind,
            description,
            version,
            digest,
            capabilities,
            imports: None,
            limits,
            source: None,
            links,
            created_at,
            updated_at,
        }
    }
}

impl ScriptJson {
    fn with_source(script: Script) -> Self {
        let Script { id, app_id, name, kind, description, active, created_at, updated_at, .. } = script;
        let script::Version { number, digest, source, limits, capabilities, imports, .. } = active;
        let links = Links::of(id, kind);
        let source = Some(source);
        Self {
            id,
            app_id,
            name,
            kind,
            description,
            version: number,
            digest,
            capabilities,
            imports: Some(imports),
            limits,
            source,
            links,
            created_at,
            updated_at,
        }
    }

    fn without_source(script: Script) -> Self {
        Self { source: None, ..Self::with_source(script) }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct VersionJson {
    script_id: ScriptId,
    version: i32,
    digest: String,
    capabilities: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    imports: Option<Vec<String>>,
    limits: Limits,
    /// Of one version that was asked for by its number.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    /// Who published it; null once that person is gone.
    created_by: Option<UserId>,
    created_at: DateTime<Utc>,
}

impl VersionJson {
    fn of(script_id: ScriptId, version: VersionSummary) -> Self {
        let VersionSummary { number, digest, limits, capabilities, created_by, created_at } = version;
        Self { script_id, version: number, digest, capabilities, imports: None, limits, source: None, created_by, created_at }
    }

    fn with_source(script_id: ScriptId, version: script::Version) -> Self {
        let script::Version { number, digest, source, limits, capabilities, imports, created_by, created_at, .. } = version;
        let (imports, source) = (Some(imports), Some(source));
        Self { script_id, version: number, digest, capabilities, imports, limits, source, created_by, created_at }
    }
}

#[derive(Deserialize)]
pub(super) struct Create {
    /// Id or slug.
    app_id: String,
    name: String,
    source: String,
    #[serde(default)]
    kind: Kind,
    #[serde(default)]
    description: String,
    #[serde(default)]
    limits: Option<LimitsAsked>,
}

#[derive(Deserialize)]
pub(super) struct Publish {
    source: String,
    description: Option<String>,
    limits: Option<LimitsAsked>,
}

#[derive(Default, Deserialize)]
struct LimitsAsked {
    fuel: Option<u64>,
    memory_mb: Option<u64>,
    timeout_ms: Option<u64>,
}

impl From<Option<LimitsAsked>> for AskedLimits {
    fn from(asked: Option<LimitsAsked>) -> Self {
        let LimitsAsked { fuel, memory_mb, timeout_ms } = asked.unwrap_or_default();
        Self { fuel, memory_mb, timeout_ms }
    }
}

#[derive(Deserialize)]
pub(super) struct Check {
    name: Option<String>,
    source: String,
    #[serde(default)]
    kind: Kind,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Checked {
    ok: bool,
    /// Interfaces that the source itself can reach.
    capabilities: Vec<String>,
    /// Modules that it imports, by name.
    imports: Vec<String>,
    diagnostics: Vec<Diagnostic>,
}

impl From<Verdict> for Checked {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Good { capabilities, imports } => {
                let imports = imports.into_iter().map(|import| import.name).collect();
                Self { ok: true, capabilities, imports, diagnostics: Vec::new() }
            }
            Verdict::Bad(diagnostic) => {
                Self { ok: false, capabilities: Vec::new(), imports: Vec::new(), diagnostics: vec![diagnostic] }
            }
        }
    }
}

/// `?app=` id or slug.
pub(super) struct OfApp {
    app: Option<String>,
    page: PageQuery,
}

impl Parameters for OfApp {
    fn read(given: &mut Given) -> Result<Self> {
        Ok(Self { app: given.take("app", "an id or slug")?, page: PageQuery::read(given)? })
    }
}

pub(super) async fn list(State(api): State<Api>, Query(query): Query<OfApp>) -> Answer<Response> {
    let app = match query.app {
        Some(app) => Some(service::apps::get(&api.services, &app).await?.id),
        None => None,
    };
    let page = service::scripts::list(&api.services, app, &query.page).await?;
    Ok(List::of(page, ScriptJson::from).into_response())
}

pub(super) async fn create(State(api): State<Api>, Caller(by): Caller, body::Json(new): body::Json<Create>) -> Answer<Response> {
    let Create { app_id, name, source, kind, description, limits } = new;
    let app_id = service::apps::get(&api.services, &app_id).await.map_err(|error| named_in_body(error, &app_id))?.id;
    let new = NewScript { app_id, name, source, kind, description, limits: limits.into() };
    let script = api.invoker.create(by.user_id, new).await?;
    let location = format!("/api/v1/admin/scripts/{}", script.id);
    let tag = etag::header(script.tag())?;
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], [tag], Json(ScriptJson::without_source(script))).into_response())
}

pub(super) async fn check(State(api): State<Api>, body::Json(asked): body::Json<Check>) -> Answer<Json<Checked>> {
    let name = asked.name.as_deref().unwrap_or(UNNAMED);
    script::check_name(name)?;
    script::check_source(&asked.source)?;
    Ok(Json(api.invoker.check(name, asked.kind, &asked.source).await?.into()))
}

pub(super) async fn get(State(api): State<Api>, Path(id): Path<ScriptId>) -> Answer<Response> {
    let script = service::scripts::get(&api.services, id).await?;
    Ok(([etag::header(script.tag())?], Json(ScriptJson::with_source(script))).into_response())
}

pub(super) async fn versions(
    State(api): State<Api>,
    Path(id): Path<ScriptId>,
    Query(page): Query<PageQuery>,
) -> Answer<Response> {
    let page = service::scripts::versions(&api.services, id, &page).await?;
    Ok(List::of(page, |version| VersionJson::of(id, version)).into_response())
}

pub(super) async fn version(State(api): State<Api>, Path((id, number)): Path<(ScriptId, i32)>) -> Answer<Json<VersionJson>> {
    Ok(Json(VersionJson::with_source(id, service::scripts::version(&api.services, id, number).await?)))
}

pub(super) async fn publish(
    State(api): State<Api>,
    Path(id): Path<ScriptId>,
    Caller(by): Caller,
    if_match: IfMatch,
    body::Json(new): body::Json<Publish>,
) -> Answer<Response> {
    let new = NewVersion { source: new.source, description: new.description, limits: new.limits.into() };
    let script = api.invoker.publish(by.user_id, id, new, if_match.tag()).await?;
    Ok(([etag::header(script.tag())?], Json(ScriptJson::without_source(script))).into_response())
}

pub(super) async fn delete(
    State(api): State<Api>,
    Path(id): Path<ScriptId>,
    Caller(by): Caller,
    if_match: IfMatch,
) -> Answer<StatusCode> {
    service::scripts::delete(&api.services, by.user_id, id, if_match.tag()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A script that imports another.
#[derive(Debug, Serialize)]
struct User {
    id: ScriptId,
    name: String,
    kind: Kind,
    version: i32,
    /// By itself, rather than through a module.
    direct: bool,
}

/// All of them: an app's scripts are few.
#[derive(Debug, Serialize)]
pub(super) struct Users {
    items: Vec<User>,
}

pub(super) async fn used_by(State(api): State<Api>, Path(id): Path<ScriptId>) -> Answer<Json<Users>> {
    let used = service::imports::used_by(&api.services, id).await?;
    let items = used.into_iter().map(|(node, direct)| {
        let import::Node { id, name, kind, version, .. } = node;
        User { id, name, kind, version, direct }
    });
    Ok(Json(Users { items: items.collect() }))
}

/// What is not there is 404 when the path names it; a field that names it is wrong.
fn named_in_body(error: Error, app: &str) -> Error {
    if error.kind == error::Kind::NotFound { Error::invalid("app_id", format!("app_id: no such app: {app}")) } else { error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_source_is_an_answer_to_check() {
        let diagnostic = Diagnostic { message: "expected )".into(), line: Some(2), column: Some(7) };
        let checked = Checked::from(Verdict::Bad(diagnostic.clone()));
        assert_eq!(checked, Checked { ok: false, capabilities: Vec::new(), imports: Vec::new(), diagnostics: vec![diagnostic] });
        let checked = Checked::from(Verdict::Good { capabilities: vec!["kv".into()], imports: Vec::new() });
        assert!(checked.ok && checked.diagnostics.is_empty());
    }

    #[test]
    fn modules_have_no_link_to_run_them() {
        let id = ScriptId::at(DateTime::UNIX_EPOCH);
        assert!(Links::of(id, Kind::Module).execute.is_none());
        assert_eq!(Links::of(id, Kind::Endpoint).execute, Some(format!("/api/v1/execute/{id}")));
    }
}
