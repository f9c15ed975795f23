//! What an app's scripts import from each other.

use sqlx::PgConnection;

use super::Services;
use crate::error::{Error, Kind, Result};
use crate::id::{AppId, ScriptId};
use crate::model::import::{Graph, Node};
use crate::model::script::{Code, Module, Prepared, Script};
use crate::store;

/// The scripts of an app with what they import, as they are now, and what they may import by its quota.
pub async fn graph(s: &Services, app: AppId) -> Result<Graph> {
    let nodes = store::imports::nodes(&mut *s.db.acquire().await?, app).await?;
    Ok(Graph::new(nodes).at_most(s.quota(app).modules as usize))
}

/// The sources of these modules, in their order.
pub async fn sources(s: &Services, modules: &[&Node]) -> Result<Vec<Module>> {
    sources_of(&mut *s.db.acquire().await?, modules).await
}

/// Scripts that import `script`, with whether they do so themselves rather than through others, by name; 404.
pub async fn used_by(s: &Services, id: ScriptId) -> Result<Vec<(Node, bool)>> {
    let script = super::scripts::get(s, id).await?;
    let graph = graph(s, script.app_id).await?;
    let used = graph.dependents(&script.name).into_iter().map(|node| (node.clone(), node.imports.contains(&script.name)));
    Ok(used.collect())
}

/// A stored version with everything behind it.
pub(super) async fn code(db: &mut PgConnection, app: AppId, name: String, source: String, imports: Vec<String>) -> Result<Code> {
    if imports.is_empty() {
        return Ok(Code::alone(name, source));
    }
    let graph = Graph::new(store::imports::nodes(db, app).await?);
    let closure = graph.closure_of_names(&name, &imports).map_err(|error| Error::internal(error.to_string()))?;
    let modules = sources_of(db, &closure).await?;
    Ok(Code { name, source, modules })
}

/// Holds a publication against what is active now, under a lock of the app; 409 `modules_changed` when it was prepared with
/// something else. What is held ready of scripts that import `script` is out of date afterwards.
pub(super) async fn settle(tx: &mut PgConnection, s: &Services, script: &Script, prepared: &Prepared) -> Result<()> {
    if !prepared.modules.is_empty() && !store::imports::are_active(tx, &prepared.modules).await? {
        return Err(changed());
    }
    let graph = Graph::new(store::imports::nodes(tx, script.app_id).await?);
    let now = graph.dependents(&script.name);
    let is_prepared = |node: &&Node| prepared.dependents.iter().any(|d| (d.script_id, d.version) == (node.id, node.version));
    if !now.iter().all(is_prepared) {
        return Err(changed());
    }
    let ids: Vec<_> = now.iter().map(|node| node.id).collect();
    if ids.is_empty() {
        return Ok(());
    }
    store::imports::next_generation(tx, &ids).await?;
    for dependent in prepared.dependents.iter().filter(|dependent| ids.contains(&dependent.script_id)) {
        store::imports::put_capabilities(tx, dependent).await?;
        super::scripts::put_image(tx, s, dependent.script_id, dependent.version, dependent.image.as_ref()).await?;
    }
    Ok(())
}

/// Whether a publication was refused only because what it was prepared with is not active any more.
pub fn is_outdated(error: &Error) -> bool {
    error.code == MODULES_CHANGED
}

const MODULES_CHANGED: &str = "modules_changed";

async fn sources_of(db: &mut PgConnection, modules: &[&Node]) -> Result<Vec<Module>> {
    let versions: Vec<_> = modules.iter().map(|node| (node.id, node.version)).collect();
    let sources = store::imports::sources(db, &versions).await?;
    if sources.len() == versions.len() { Ok(sources) } else { Err(changed()) }
}

fn changed() -> Error {
    Error::new(Kind::Conflict, MODULES_CHANGED, "the modules that this script works with are being changed; try again")
}
