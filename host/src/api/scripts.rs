//! Scripts and their versions.

mod examples;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::answer::{Created, NoContent, Tagged};
use super::error::Answer;
use super::etag::IfMatch;
use super::gate::Caller;
use super::query::{Against, Given, Parameter, Parameters, Path, Query};
use super::{Api, List, body};
use crate::error::{self, Error, Result};
use crate::id::{AppId, ScriptId, UserId};
use crate::invoke::Verdict;
use crate::limits;
use crate::model::access::Scope;
use crate::model::deployment::difference;
use crate::model::import;
use crate::model::page::PageQuery;
use crate::model::script::{self, AskedLimits, Diagnostic, Kind, Limits, NewScript, NewVersion, Script, Summary, VersionSummary};
use crate::service;

/// The name under which `check` reads a source that has none yet.
const UNNAMED: &str = "unnamed";

/// A script with the active version of it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Script", example = examples::script())]
pub(super) struct ScriptJson {
    id: ScriptId,
    app_id: AppId,
    name: String,
    kind: Kind,
    description: String,
    /// Number of the active version, from 1.
    version: i32,
    /// SHA-256 over source and limits, hex.
    digest: String,
    /// Interfaces that it can reach, by itself and through modules.
    capabilities: Vec<String>,
    /// Modules that it imports by itself. Of one script, not of lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    imports: Option<Vec<String>>,
    limits: Limits,
    /// Of one script that was asked for by its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    /// The number of the version that was just stored without being made the active one.
    #[serde(skip_serializing_if = "Option::is_none")]
    stored: Option<i32>,
    links: Links,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// Where to go from a script: paths on this plane.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ScriptLinks")]
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
            stored: None,
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
            stored: None,
            links,
            created_at,
            updated_at,
        }
    }

    fn without_source(script: Script) -> Self {
        Self { source: None, ..Self::with_source(script) }
    }
}

/// A version of a script; it never changes.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ScriptVersion", example = examples::version())]
pub(super) struct VersionJson {
    script_id: ScriptId,
    /// Its number, from 1.
    version: i32,
    /// SHA-256 over source and limits, hex.
    digest: String,
    /// Interfaces that it can reach, by itself and through modules.
    capabilities: Vec<String>,
    /// Modules that it imports by itself. Of one version that was asked for by its number.
    #[serde(skip_serializing_if = "Option::is_none")]
    imports: Option<Vec<String>>,
    limits: Limits,
    /// Of one version that was asked for by its number.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    /// What its author said of it.
    message: String,
    /// Who published it; null once that person is gone.
    created_by: Option<UserId>,
    created_at: DateTime<Utc>,
}

impl VersionJson {
    fn of(script_id: ScriptId, version: VersionSummary) -> Self {
        let VersionSummary { number, digest, limits, capabilities, message, created_by, created_at } = version;
        let (imports, source) = (None, None);
        Self { script_id, version: number, digest, capabilities, imports, limits, source, message, created_by, created_at }
    }

    fn with_source(script_id: ScriptId, version: script::Version) -> Self {
        let script::Version { number, digest, source, limits, capabilities, imports, message, created_by, created_at, .. } =
            version;
        let (imports, source) = (Some(imports), Some(source));
        Self { script_id, version: number, digest, capabilities, imports, limits, source, message, created_by, created_at }
    }
}

/// A script to be made.
#[derive(Deserialize, JsonSchema)]
#[schemars(
    rename = "NewScript",
    example = json!({ "app_id": "shop", "name": "hello", "source": "#{ hello: 1 }", "limits": { "timeout_ms": 2000 } })
)]
pub(super) struct Create {
    /// Id or slug.
    app_id: String,
    /// `a-z 0-9 _ -`, first a letter or digit; unique in the app.
    name: String,
    source: String,
    #[serde(default)]
    kind: Kind,
    #[serde(default)]
    description: String,
    #[serde(default)]
    limits: Option<AskedLimits>,
    /// What you say of the version.
    #[serde(default)]
    message: String,
}

/// A version to be published.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "NewScriptVersion", example = json!({ "source": "#{ hello: \"world\" }" }))]
pub(super) struct Publish {
    source: String,
    /// Left out: as it is.
    description: Option<String>,
    /// Left out: as they are.
    limits: Option<AskedLimits>,
    /// What you say of the version.
    #[serde(default)]
    message: String,
    /// False: it is stored, and what is active stays so.
    #[serde(default = "yes")]
    activate: bool,
}

fn yes() -> bool {
    true
}

/// A version to be made the active one.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "VersionToActivate", example = json!({ "version": 3, "message": "back to what worked" }))]
pub(super) struct Activate {
    /// Its number.
    version: i32,
    #[serde(default)]
    message: String,
}

/// A source to be looked at.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "SourceToCheck", example = json!({ "source": "kv::collection(\"users\").get(\"ada\")" }))]
pub(super) struct Check {
    /// As which messages name it.
    name: Option<String>,
    source: String,
    #[serde(default)]
    kind: Kind,
}

/// What was found in a source.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "CheckedSource", example = json!({ "ok": true, "capabilities": ["kv"], "imports": [], "diagnostics": [] }))]
pub(super) struct Checked {
    /// Whether it would be taken, as far as that is seen without the app.
    ok: bool,
    /// Interfaces that the source itself can reach.
    capabilities: Vec<String>,
    /// Modules that it imports, by name.
    imports: Vec<String>,
    /// What is wrong with it.
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
pub(super) struct ListQuery {
    app: Option<String>,
    page: PageQuery,
}

impl Parameters for ListQuery {
    fn describe() -> Vec<Parameter> {
        let mut known = vec![Parameter::text("app", "Those of this app, by id or slug.")];
        known.extend(PageQuery::describe());
        known
    }

    fn read(given: &mut Given) -> Result<Self> {
        Ok(Self { app: given.take("app", "an id or slug")?, page: PageQuery::read(given)? })
    }
}

pub(super) async fn list(
    State(api): State<Api>,
    Caller(by): Caller,
    Query(query): Query<ListQuery>,
) -> Answer<Json<List<ScriptJson>>> {
    let app = match query.app {
        Some(app) => Some(service::access::app(&api.services, &by, &app, Scope::ScriptRead).await?.id),
        None => None,
    };
    let page = service::scripts::list(&api.services, &by, app, &query.page).await?;
    Ok(List::of(page, ScriptJson::from))
}

pub(super) async fn create(
    State(api): State<Api>,
    Caller(by): Caller,
    body::Json(new): body::Json<Create>,
) -> Answer<Created<ScriptJson>> {
    let Create { app_id, name, source, kind, description, limits, message } = new;
    let app = service::access::app(&api.services, &by, &app_id, Scope::ScriptWrite).await;
    let app_id = app.map_err(|error| named_in_body(error, &app_id))?.id;
    let new = NewScript { app_id, name, source, kind, description, limits: limits.unwrap_or_default(), message };
    let script = api.invoker.create(&by, new).await?;
    let location = format!("/api/v1/admin/scripts/{}", script.id);
    Ok(Created { location, tag: Some(script.tag()), body: ScriptJson::without_source(script) })
}

pub(super) async fn check(State(api): State<Api>, body::Json(asked): body::Json<Check>) -> Answer<Json<Checked>> {
    let name = asked.name.as_deref().unwrap_or(UNNAMED);
    script::check_name(name)?;
    script::check_source(&asked.source, limits::SOURCE_BYTES_CEILING)?;
    Ok(Json(api.invoker.check(name, asked.kind, &asked.source).await?.into()))
}

pub(super) async fn get(State(api): State<Api>, Path(id): Path<ScriptId>) -> Answer<Tagged<ScriptJson>> {
    let script = service::scripts::get(&api.services, id).await?;
    Ok(Tagged { tag: script.tag(), body: ScriptJson::with_source(script) })
}

pub(super) async fn versions(
    State(api): State<Api>,
    Path(id): Path<ScriptId>,
    Query(page): Query<PageQuery>,
) -> Answer<Json<List<VersionJson>>> {
    let page = service::scripts::versions(&api.services, id, &page).await?;
    Ok(List::of(page, |version| VersionJson::of(id, version)))
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
) -> Answer<Tagged<ScriptJson>> {
    let Publish { source, description, limits, message, activate } = new;
    let new = NewVersion { source, description, limits: limits.unwrap_or_default(), message };
    if activate {
        let script = api.invoker.publish(&by, id, new, if_match.tag()).await?;
        return Ok(Tagged { tag: script.tag(), body: ScriptJson::without_source(script) });
    }
    let (script, number) = api.invoker.stage(&by, id, new, if_match.tag()).await?;
    Ok(Tagged { tag: script.tag(), body: ScriptJson { stored: Some(number), ..ScriptJson::without_source(script) } })
}

pub(super) async fn activate(
    State(api): State<Api>,
    Path(id): Path<ScriptId>,
    Caller(by): Caller,
    if_match: IfMatch,
    body::Json(asked): body::Json<Activate>,
) -> Answer<Tagged<ScriptJson>> {
    let script = api.invoker.activate(&by, id, asked.version, asked.message, if_match.tag()).await?;
    Ok(Tagged { tag: script.tag(), body: ScriptJson::without_source(script) })
}

/// What differs between two versions of a script.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "VersionDifference", example = examples::difference())]
pub(super) struct VersionDifference {
    /// The version that was held against.
    before: i32,
    after: i32,
    /// Lines of the source, in the unified form; empty where it is the same.
    source: String,
    limits_before: Limits,
    limits_after: Limits,
    /// Interfaces that the later one can reach by itself and the other cannot.
    gained: Vec<String>,
    lost: Vec<String>,
}

pub(super) async fn diff(
    State(api): State<Api>,
    Path((id, number)): Path<(ScriptId, i32)>,
    Query(Against(against)): Query<Against>,
) -> Answer<Json<VersionDifference>> {
    let after = service::scripts::version(&api.services, id, number).await?;
    let before = match against {
        Some(number) => service::scripts::version(&api.services, id, number).await?,
        None => service::scripts::get(&api.services, id).await?.active,
    };
    let only = |these: &[String], others: &[String]| these.iter().filter(|one| !others.contains(one)).cloned().collect();
    Ok(Json(VersionDifference {
        before: before.number,
        after: after.number,
        source: difference::lines_between(&before.source, &after.source),
        limits_before: before.limits,
        limits_after: after.limits,
        gained: only(&after.own_capabilities, &before.own_capabilities),
        lost: only(&before.own_capabilities, &after.own_capabilities),
    }))
}

pub(super) async fn delete(
    State(api): State<Api>,
    Path(id): Path<ScriptId>,
    Caller(by): Caller,
    if_match: IfMatch,
) -> Answer<NoContent> {
    service::scripts::delete(&api.services, &by, id, if_match.tag()).await?;
    Ok(NoContent)
}

/// A script that imports another.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ScriptUser")]
struct User {
    id: ScriptId,
    name: String,
    kind: Kind,
    version: i32,
    /// By itself, rather than through a module.
    direct: bool,
}

/// All of them: an app's scripts are few.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ScriptUsers", example = examples::users())]
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
