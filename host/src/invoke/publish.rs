//! From a source to a version: checked, resolved, prepared, stored. What is prepared depends on other scripts of the app; when
//! one of them changes before the version is stored, it is prepared anew.

use super::Invoker;
use crate::error::{Error, Kind};
use crate::id::{AppId, ScriptId, UserId};
use crate::limits::PUBLISH_ATTEMPTS_MAX;
use crate::model::import::{self, Graph, Import, Node};
use crate::model::script::{self, Code, Dependent, Diagnostic, Image, NewScript, NewVersion, Prepared, Script};
use crate::service;

/// What a source was found to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It parses.
    Good {
        /// Interfaces that the source itself can reach, sorted.
        capabilities: Vec<String>,
        imports: Vec<Import>,
    },
    Bad(Diagnostic),
}

/// A source on its way.
#[derive(Clone, Copy)]
struct Draft<'a> {
    app: AppId,
    /// None while it is new.
    script: Option<ScriptId>,
    name: &'a str,
    kind: script::Kind,
    source: &'a str,
}

impl Invoker {
    /// Parses a source without keeping anything.
    pub async fn check(&self, name: &str, kind: script::Kind, source: &str) -> Result<Verdict, Error> {
        Ok(match self.inner.sandbox.check(kind, name, source).await? {
            Ok(checked) => Verdict::Good { capabilities: checked.capabilities, imports: checked.imports },
            Err(diagnostic) => Verdict::Bad(diagnostic),
        })
    }

    /// Publishes the first version of a new script. A source that does not parse is 422 `syntax_error` with line, column and
    /// message in `details`; imports as `Graph::closure`; the rest as `service::scripts::create`.
    pub async fn create(&self, by: UserId, new: NewScript) -> Result<Script, Error> {
        new.check()?;
        for _ in 1..PUBLISH_ATTEMPTS_MAX {
            match self.create_once(by, new.clone()).await {
                Err(error) if service::imports::is_outdated(&error) => {}
                done => return done,
            }
        }
        self.create_once(by, new).await
    }

    async fn create_once(&self, by: UserId, new: NewScript) -> Result<Script, Error> {
        let draft = Draft { app: new.app_id, script: None, name: &new.name, kind: new.kind, source: &new.source };
        let prepared = self.prepare(draft).await?;
        service::scripts::create(&self.inner.services, by, new, prepared).await
    }

    /// Publishes the next version of a script, and prepares anew what imports it. Errors as in [`Invoker::create`] and
    /// `service::scripts::publish`.
    pub async fn publish(&self, by: UserId, id: ScriptId, new: NewVersion, if_match: Option<&str>) -> Result<Script, Error> {
        let script = service::scripts::get(&self.inner.services, id).await?;
        new.check()?;
        for _ in 1..PUBLISH_ATTEMPTS_MAX {
            match self.publish_once(by, &script, new.clone(), if_match).await {
                Err(error) if service::imports::is_outdated(&error) => {}
                done => return done,
            }
        }
        self.publish_once(by, &script, new, if_match).await
    }

    async fn publish_once(&self, by: UserId, script: &Script, new: NewVersion, if_match: Option<&str>) -> Result<Script, Error> {
        let Script { id, app_id, name, kind, .. } = script;
        let draft = Draft { app: *app_id, script: Some(*id), name, kind: *kind, source: &new.source };
        let prepared = self.prepare(draft).await?;
        service::scripts::publish(&self.inner.services, by, *id, new, prepared, if_match).await
    }

    async fn prepare(&self, draft: Draft<'_>) -> Result<Prepared, Error> {
        let services = &self.inner.services;
        let (own, imports) = match self.check(draft.name, draft.kind, draft.source).await? {
            Verdict::Good { capabilities, imports } => (capabilities, imports),
            Verdict::Bad(diagnostic) => return Err(syntax_error(draft.name, &diagnostic)),
        };
        let is_new_module = draft.kind == script::Kind::Module && draft.script.is_none();
        if imports.is_empty() && (draft.kind == script::Kind::Endpoint || is_new_module) {
            let code = Code::alone(draft.name, draft.source);
            let image = self.image(draft.kind, &code).await?;
            return Ok(Prepared { capabilities: own.clone(), own_capabilities: own, image, ..Prepared::default() });
        }
        let names: Vec<_> = imports.iter().map(|import| import.name.clone()).collect();
        let graph = service::imports::graph(services, draft.app).await?;
        let closure = graph.closure(draft.name, &imports)?;
        let modules = service::imports::sources(services, &closure).await?;
        let code = Code { name: draft.name.to_owned(), source: draft.source.to_owned(), modules };
        let image = self.image(draft.kind, &code).await?;
        let (capabilities, versions) = (import::capabilities(&own, &closure), versions(&closure));
        let dependents = match draft.script {
            Some(id) if draft.kind == script::Kind::Module => {
                let node = Node {
                    id,
                    name: code.name.clone(),
                    kind: draft.kind,
                    version: 0,
                    imports: names.clone(),
                    capabilities: own.clone(),
                };
                self.dependents(graph.with(node), &code).await?
            }
            _ => Vec::new(),
        };
        Ok(Prepared { own_capabilities: own, capabilities, imports: names, modules: versions, image, dependents })
    }

    /// Prepares every script of `graph` that imports `module` with its new source. One that cannot be keeps the module from
    /// being published.
    async fn dependents(&self, graph: Graph, module: &Code) -> Result<Vec<Dependent>, Error> {
        let services = &self.inner.services;
        let mut dependents = Vec::new();
        for node in graph.dependents(&module.name) {
            let breaks = |mut error: Error| {
                error.message = format!("`{}` imports this module and would fail with it: {}", node.name, error.message).into();
                error
            };
            let closure = graph.closure_of(node).map_err(breaks)?;
            let mut modules =
                service::imports::sources(services, &closure.iter().copied().filter(|n| n.version > 0).collect::<Vec<_>>())
                    .await?;
            let place = closure.iter().position(|n| n.version == 0).unwrap_or(modules.len());
            modules.insert(place, script::Module { name: module.name.clone(), source: module.source.clone() });
            let itself = service::scripts::version(services, node.id, node.version).await?;
            let code = Code { name: node.name.clone(), source: itself.source, modules };
            dependents.push(Dependent {
                script_id: node.id,
                version: node.version,
                capabilities: import::capabilities(&node.capabilities, &closure),
                image: self.image(node.kind, &code).await.map_err(breaks)?,
            });
        }
        Ok(dependents)
    }

    /// The image of an endpoint. A module has none by itself: it is tried, because its constants are made when it is imported.
    async fn image(&self, kind: script::Kind, code: &Code) -> Result<Option<Image>, Error> {
        let sandbox = &self.inner.sandbox;
        match kind {
            script::Kind::Endpoint if code.modules.is_empty() => sandbox.image(code).await,
            script::Kind::Endpoint => {
                self.inner.try_modules(&code.name, &code.modules).await?;
                sandbox.image(code).await
            }
            script::Kind::Module => {
                let mut modules = code.modules.clone();
                modules.push(script::Module { name: code.name.clone(), source: code.source.clone() });
                self.inner.try_modules(&code.name, &modules).await.map(|()| None)
            }
        }
    }
}

impl super::Inner {
    async fn try_modules(&self, name: &str, modules: &[script::Module]) -> Result<(), Error> {
        self.sandbox.try_modules(modules).await?.map_err(|diagnostic| syntax_error(name, &diagnostic))
    }
}

fn versions(closure: &[&Node]) -> Vec<(ScriptId, i32)> {
    closure.iter().map(|node| (node.id, node.version)).collect()
}

fn syntax_error(name: &str, found: &Diagnostic) -> Error {
    let place = match (found.line, found.column) {
        (Some(line), Some(column)) => format!("{name}, line {line}, column {column}: "),
        _ => format!("{name}: "),
    };
    Error::new(Kind::Invalid, "syntax_error", format!("{place}{}", found.message))
        .with_details(serde_json::json!({ "line": found.line, "column": found.column, "message": found.message }))
}
