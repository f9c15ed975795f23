//! From a source to a version: checked, resolved, prepared, stored. What is prepared depends on other scripts of the app; when
//! one of them changes before the version is stored, it is prepared anew.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::OwnedMutexGuard;
use tokio::time::timeout;

use super::Invoker;
use super::lanes::{Class, Owner};
use crate::error::{Error, Kind};
use crate::fair::Ask;
use crate::id::{AppId, ScriptId};
use crate::limits::{PREPARATION_WAIT_MS, PUBLISH_ATTEMPTS_MAX};
use crate::model::access::Principal;
use crate::model::import::{self, Graph, Import, Node};
use crate::model::quota::AskedLimits;
use crate::model::script::{self, Code, Dependent, Diagnostic, Image, NewScript, NewVersion, Prepared, Script};
use crate::service::{self, Services};

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

/// Whom a source is checked for that is of no app yet.
pub(super) const NOBODY: AppId = AppId(uuid::Uuid::nil());

/// What is to be published.
#[derive(Clone, Copy)]
enum Draft<'a> {
    Script(&'a NewScript),
    Version { of: &'a Script, new: &'a NewVersion, if_match: Option<&'a str> },
}

/// Publications of one app that work with its other scripts take turns: what one is prepared with stays as it is meanwhile.
/// That is so on this node; another node's publication is found out when this one is stored.
#[derive(Default)]
pub(super) struct Turns {
    apps: Mutex<HashMap<AppId, Weak<tokio::sync::Mutex<()>>>>,
}

impl Turns {
    /// Waits its turn, a bounded time; 503 `overloaded`.
    pub(super) async fn take(&self, app: AppId) -> Result<OwnedMutexGuard<()>, Error> {
        let turn = {
            let mut apps = self.apps.lock().unwrap_or_else(PoisonError::into_inner);
            apps.retain(|_, turn| turn.strong_count() > 0);
            apps.get(&app).and_then(Weak::upgrade).unwrap_or_else(|| {
                let turn = Arc::default();
                apps.insert(app, Arc::downgrade(&turn));
                turn
            })
        };
        let waited = timeout(Duration::from_millis(PREPARATION_WAIT_MS), turn.lock_owned()).await;
        waited.map_err(|_| {
            Error::new(
                Kind::Overloaded,
                "overloaded",
                "other scripts of this app are being published just now; try again shortly",
            )
        })
    }
}

impl<'a> Draft<'a> {
    fn app(self) -> AppId {
        match self {
            Self::Script(new) => new.app_id,
            Self::Version { of, .. } => of.app_id,
        }
    }

    fn name(self) -> &'a str {
        match self {
            Self::Script(new) => &new.name,
            Self::Version { of, .. } => &of.name,
        }
    }

    fn kind(self) -> script::Kind {
        match self {
            Self::Script(new) => new.kind,
            Self::Version { of, .. } => of.kind,
        }
    }

    fn source(self) -> &'a str {
        match self {
            Self::Script(new) => &new.source,
            Self::Version { new, .. } => &new.source,
        }
    }

    /// The module that others may import already.
    fn module(self) -> Option<ScriptId> {
        match self {
            Self::Version { of, .. } if of.kind == script::Kind::Module => Some(of.id),
            _ => None,
        }
    }

    async fn store(self, services: &Services, by: &Principal, prepared: Prepared) -> Result<Script, Error> {
        match self {
            Self::Script(new) => service::scripts::create(services, by, new.clone(), prepared).await,
            Self::Version { of, new, if_match } => {
                service::scripts::publish(services, by, of.id, new.clone(), prepared, if_match).await
            }
        }
    }
}

impl Invoker {
    /// Parses a source without keeping anything.
    pub async fn check(&self, name: &str, kind: script::Kind, source: &str) -> Result<Verdict, Error> {
        self.check_for(NOBODY, name, kind, source).await
    }

    pub(super) async fn check_for(&self, app: AppId, name: &str, kind: script::Kind, source: &str) -> Result<Verdict, Error> {
        let (sandbox, name, source) = (self.inner.sandbox.clone(), name.to_owned(), source.to_owned());
        let checked = self.inner.preparing(app, async move { sandbox.check(kind, &name, &source).await }).await?;
        Ok(match checked {
            Ok(checked) => Verdict::Good { capabilities: checked.capabilities, imports: checked.imports },
            Err(diagnostic) => Verdict::Bad(diagnostic),
        })
    }

    /// Publishes the first version of a new script. A source that does not parse is 422 `syntax_error` with line, column and
    /// message in `details`; imports as `Graph::closure`; the rest as `service::scripts::create`.
    pub async fn create(&self, by: &Principal, new: NewScript) -> Result<Script, Error> {
        new.check(&self.inner.services.quota(new.app_id))?;
        self.has_room_for(&new.limits)?;
        self.publish_draft(by, Draft::Script(&new)).await
    }

    /// Publishes the next version of a script, and prepares anew what imports it. Errors as in [`Invoker::create`] and
    /// `service::scripts::publish`.
    pub async fn publish(&self, by: &Principal, id: ScriptId, new: NewVersion, if_match: Option<&str>) -> Result<Script, Error> {
        let script = service::scripts::get(&self.inner.services, id).await?;
        new.check(&self.inner.services.quota(script.app_id))?;
        self.has_room_for(&new.limits)?;
        self.publish_draft(by, Draft::Version { of: &script, new: &new, if_match }).await
    }

    /// Stores the next version and leaves the active one as it is; its number. What imports a module is tried with it. Errors as in
    /// [`Invoker::publish`].
    pub async fn stage(
        &self,
        by: &Principal,
        id: ScriptId,
        new: NewVersion,
        if_match: Option<&str>,
    ) -> Result<(Script, i32), Error> {
        let services = &self.inner.services;
        let script = service::scripts::get(services, id).await?;
        new.check(&services.quota(script.app_id))?;
        self.has_room_for(&new.limits)?;
        let (own, imports) = match self.check_for(script.app_id, &script.name, script.kind, &new.source).await? {
            Verdict::Good { capabilities, imports } => (capabilities, imports),
            Verdict::Bad(diagnostic) => return Err(syntax_error(&script.name, &diagnostic)),
        };
        let _turn = self.inner.turns.take(script.app_id).await?;
        let prepared = self.prepare(Draft::Version { of: &script, new: &new, if_match }, &own, &imports).await?;
        service::scripts::stage(services, by, id, new, prepared, if_match).await
    }

    /// 422 for more memory than this node's machine has for one instance, though a larger one's might.
    pub(super) fn has_room_for(&self, asked: &AskedLimits) -> Result<(), Error> {
        let (field, ceiling) = ("limits.memory_mb", u64::from(self.pool().memory_mb_max));
        match asked.memory_mb.filter(|asked| *asked > ceiling) {
            None => Ok(()),
            Some(asked) => Err(Error::invalid(field, format!("{field} is {asked}; this machine has {ceiling} for one instance"))
                .with_details(serde_json::json!({ "field": field, "asked": asked, "ceiling": ceiling }))),
        }
    }

    async fn publish_draft(&self, by: &Principal, draft: Draft<'_>) -> Result<Script, Error> {
        let services = &self.inner.services;
        let (own, imports) = match self.check_for(draft.app(), draft.name(), draft.kind(), draft.source()).await? {
            Verdict::Good { capabilities, imports } => (capabilities, imports),
            Verdict::Bad(diagnostic) => return Err(syntax_error(draft.name(), &diagnostic)),
        };
        if imports.is_empty() && draft.module().is_none() {
            let image = self.image(draft.app(), draft.kind(), &Code::alone(draft.name(), draft.source())).await?;
            let prepared = Prepared { capabilities: own.clone(), own_capabilities: own, image, ..Prepared::default() };
            return draft.store(services, by, prepared).await;
        }
        let _turn = self.inner.turns.take(draft.app()).await?;
        let mut attempt = 1;
        loop {
            let done = match self.prepare(draft, &own, &imports).await {
                Ok(prepared) => draft.store(services, by, prepared).await,
                Err(error) => Err(error),
            };
            match done {
                Err(error) if attempt < PUBLISH_ATTEMPTS_MAX && service::imports::is_outdated(&error) => attempt += 1,
                done => return done,
            }
        }
    }

    /// With the other scripts of the app as they are now.
    async fn prepare(&self, draft: Draft<'_>, own: &[String], imports: &[Import]) -> Result<Prepared, Error> {
        let services = &self.inner.services;
        let names: Vec<_> = imports.iter().map(|import| import.name.clone()).collect();
        let graph = service::imports::graph(services, draft.app()).await?;
        let closure = graph.closure(draft.name(), imports)?;
        let modules = service::imports::sources(services, &closure).await?;
        let code = Code { name: draft.name().to_owned(), source: draft.source().to_owned(), modules };
        let image = self.image(draft.app(), draft.kind(), &code).await?;
        let (capabilities, versions) = (import::capabilities(own, &closure), versions(&closure));
        let dependents = match draft.module() {
            Some(id) => {
                let (name, imports, capabilities) = (code.name.clone(), names.clone(), own.to_vec());
                let node = Node { id, name, kind: script::Kind::Module, version: 0, imports, capabilities };
                self.dependents(draft.app(), graph.with(node), &code).await?
            }
            None => Vec::new(),
        };
        Ok(Prepared { own_capabilities: own.to_vec(), capabilities, imports: names, modules: versions, image, dependents })
    }

    /// Prepares every script of `graph` that imports `module` with its new source. One that cannot be keeps the module from
    /// being published.
    async fn dependents(&self, app: AppId, graph: Graph, module: &Code) -> Result<Vec<Dependent>, Error> {
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
                image: self.image(app, node.kind, &code).await.map_err(breaks)?,
            });
        }
        Ok(dependents)
    }

    /// The image of an endpoint. A module has none by itself: it is tried, because its constants are made when it is imported.
    pub(super) async fn image(&self, app: AppId, kind: script::Kind, code: &Code) -> Result<Option<Image>, Error> {
        match kind {
            script::Kind::Endpoint => {
                if !code.modules.is_empty() {
                    self.inner.try_modules(app, &code.name, code.modules.clone()).await?;
                }
                let (sandbox, code) = (self.inner.sandbox.clone(), code.clone());
                self.inner.preparing(app, async move { sandbox.image(&code).await }).await
            }
            script::Kind::Module => {
                let mut modules = code.modules.clone();
                modules.push(script::Module { name: code.name.clone(), source: code.source.clone() });
                self.inner.try_modules(app, &code.name, modules).await.map(|()| None)
            }
        }
    }
}

impl super::Inner {
    async fn try_modules(&self, app: AppId, name: &str, modules: Vec<script::Module>) -> Result<(), Error> {
        let sandbox = self.sandbox.clone();
        let tried = self.preparing(app, async move { sandbox.try_modules(&modules).await }).await?;
        tried.map_err(|diagnostic| syntax_error(name, &diagnostic))
    }

    /// Does what preparing takes in a lane, with one of the few places for it, which apps share.
    pub(super) async fn preparing<T: Send + 'static>(
        &self,
        app: AppId,
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        let weight = self.services.quota(app).weight;
        let ask = Ask { app, class: 0, bytes: 0, held_max: usize::MAX, weight };
        let place = self.preparations.enter(ask, Duration::from_millis(PREPARATION_WAIT_MS)).await.map_err(|_| {
            Error::new(Kind::Overloaded, "overloaded", "too many scripts are being prepared just now; try again shortly")
        })?;
        let work = async move {
            let done = work.await;
            drop(place);
            done
        };
        let done = self.lanes.pace(Owner { app, class: Class::Background, weight }, work).await;
        done.unwrap_or_else(|| Err(Error::internal("preparing a script panicked")))
    }
}

fn versions(closure: &[&Node]) -> Vec<(ScriptId, i32)> {
    closure.iter().map(|node| (node.id, node.version)).collect()
}

pub(super) fn syntax_error(name: &str, found: &Diagnostic) -> Error {
    let place = match (found.line, found.column) {
        (Some(line), Some(column)) => format!("{name}, line {line}, column {column}: "),
        _ => format!("{name}: "),
    };
    Error::new(Kind::Invalid, "syntax_error", format!("{place}{}", found.message))
        .with_details(serde_json::json!({ "line": found.line, "column": found.column, "message": found.message }))
}
