//! Where scripts run: the sandbox with the scripts of a project, each checked and put together with its modules once.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use uuid::Uuid;

use super::project::{Project, Source};
use crate::cli::client::source::Fault;
use crate::cli::failure::{Exit, Failure, Result};
use crate::cli::terminal::say;
use crate::error::{self, Error, Kind as ErrorKind};
use crate::hostcall::local::{Ask, Here, Ran, Scripts};
use crate::id::ScriptId;
use crate::limits::{LOCAL_PLACES_MIN, LOCAL_PLACES_PER_JOB, MODULES_CEILING, NESTED_GRACE_MS};
use crate::model::import::{Graph, Import, Node};
use crate::model::invocation::{Call, Deployed};
use crate::model::quota::Quota;
use crate::model::script::{Code, Diagnostic, Kind, Limits, Module, missing, not_called};
use crate::sandbox::probe::Probe;
use crate::sandbox::{Program, Sandbox};
use crate::shutdown;

/// What test files import, and its name.
pub(super) const TEST_MODULE: &str = "test";
const TEST_SOURCE: &str = include_str!("test.rhai");

/// The sandbox, and what runs in it.
pub(super) struct Stage {
    sandbox: Sandbox,
    pub(super) project: Project,
    ready: Mutex<HashMap<String, Arc<Ready>>>,
}

/// A script that was checked, with its modules.
#[derive(Debug)]
pub(super) struct Ready {
    name: String,
    limits: Limits,
    program: Program,
}

/// Whether a source may import the module of tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum As {
    Script,
    Test,
}

/// Why a source cannot run.
#[derive(Debug)]
pub(super) enum Wrong {
    /// Something in a source, at a place of it.
    Source {
        shown: String,
        text: String,
        fault: Fault,
    },
    Other(Error),
}

impl From<Error> for Wrong {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

impl Wrong {
    fn of(source: &Source, found: Diagnostic) -> Self {
        let fault = Fault { line: found.line.map(u64::from), column: found.column.map(u64::from), message: found.message };
        Self::Source { shown: source.shown.clone(), text: source.text.clone(), fault }
    }

    /// With a caret where there is a place.
    pub(super) fn quoted(&self) -> String {
        match self {
            Self::Source { shown, text, fault } => fault.quoting(shown, text),
            Self::Other(error) => format!("error: {}\n", error.message),
        }
    }

    pub(super) fn into_failure(self) -> Failure {
        Failure::quoting(Exit::Refused, self.quoted())
    }

    /// For a script that wanted to run this one.
    fn into_error(self) -> Error {
        match self {
            Self::Other(error) => error,
            Self::Source { .. } => Error::invalid("script", self.quoted().lines().next().unwrap_or_default().to_owned()),
        }
    }
}

impl Stage {
    /// Opens the sandbox in the cache, which builds it there once, for so many runs at a time.
    pub(super) async fn open(cache_dir: Option<PathBuf>, jobs: usize, project: Project) -> Result<Arc<Self>> {
        let places = jobs.saturating_mul(LOCAL_PLACES_PER_JOB).max(LOCAL_PLACES_MIN);
        let pool = Probe::take().choose(Some(places));
        let opened = Sandbox::open_local(&super::cache(cache_dir)?, pool, &say).await;
        let sandbox = opened.map_err(|e| Failure::of(Exit::Sandbox, "the sandbox", &e))?;
        Ok(Arc::new(Self { sandbox, project, ready: Mutex::default() }))
    }

    /// The way from a world to the scripts of this stage.
    pub(super) fn scripts(self: &Arc<Self>) -> Scripts {
        let (running, known) = (self.clone(), self.clone());
        Scripts::new(
            move |ask| {
                let stage = running.clone();
                Box::pin(async move {
                    let ready = stage.find(&ask.script).await?;
                    stage.run(&ready, ask).await
                })
            },
            move |script| {
                let stage = known.clone();
                Box::pin(async move { stage.find(&script).await.map(drop) })
            },
        )
    }

    /// Checks a source and puts it together with its modules.
    pub(super) async fn prepare(&self, source: &Source, role: As) -> std::result::Result<Ready, Wrong> {
        let checked = self.sandbox.check(Kind::Endpoint, &source.name, &source.text).await?;
        let checked = checked.map_err(|found| Wrong::of(source, found))?;
        let modules = self.modules(source, &checked.imports, role).await?;
        if !modules.is_empty()
            && let Err(found) = self.sandbox.try_modules(&modules).await?
        {
            // The place is one of the module's.
            return Err(Wrong::of(source, Diagnostic { line: None, column: None, ..found }));
        }
        let code = Code { name: source.name.clone(), source: source.text.clone(), modules };
        Ok(Ready { name: source.name.clone(), limits: source.limits, program: Program { code, image: None } })
    }

    /// Runs it once, in an instance of its own.
    pub(super) async fn run(self: &Arc<Self>, ready: &Arc<Ready>, ask: Ask) -> error::Result<Ran> {
        let (asked, allowed) = (ask.request.body.len(), ready.limits.request_body_bytes as usize);
        if asked > allowed {
            let message =
                format!("the body has {asked} bytes; `{}` takes {allowed} (its limit `request_body_bytes`)", ready.name);
            return Err(Error::new(ErrorKind::TooLarge, "request_too_large", message));
        }
        let left = ask.here.deadline.saturating_duration_since(Instant::now());
        let left_ms = u32::try_from(left.as_millis()).unwrap_or(u32::MAX).saturating_add(NESTED_GRACE_MS);
        let timeout_ms = ready.limits.timeout_ms.min(left_ms).min(ask.timeout_ms.unwrap_or(u32::MAX));
        let deployed = Deployed {
            app_id: ask.here.world.app_id(),
            script_id: id_of(&ready.name),
            version: 1,
            generation: 0,
            kind: Kind::Endpoint,
            name: ready.name.clone(),
            limits: Limits { timeout_ms, ..ready.limits },
        };
        let call = Call {
            execution_id: ask.execution_id,
            request_id: ask.here.request_id,
            script: Arc::new(deployed),
            invocation_type: ask.invocation_type,
            request: ask.request,
            delivered: ask.delivered,
        };
        let here = Here { deadline: Instant::now() + Duration::from_millis(timeout_ms.into()), ..ask.here };
        let (stage, ready) = (self.clone(), ready.clone());
        // On a task, and a stack, of its own: scripts call each other.
        let running = shutdown::spawn("a script", async move { stage.sandbox.run_local(&ready.program, call, here).await });
        let run = running.await.map_err(Error::internal)?;
        Ok(Ran { result: run.result, usage: run.usage, logs: run.logs, logs_dropped: run.logs_dropped })
    }

    /// The script that others call by that name.
    async fn find(&self, name: &str) -> error::Result<Arc<Ready>> {
        if let Some(ready) = self.ready.lock().await.get(name) {
            return Ok(ready.clone());
        }
        let source = self.project.script(name)?.ok_or_else(|| missing(name))?;
        if source.kind == Some(Kind::Module) {
            return Err(not_called(name));
        }
        let ready = Arc::new(self.prepare(&source, As::Script).await.map_err(Wrong::into_error)?);
        self.ready.lock().await.insert(name.to_owned(), ready.clone());
        Ok(ready)
    }

    /// Everything that a source imports, directly or not: each module once, after those that it imports.
    async fn modules(&self, source: &Source, imports: &[Import], role: As) -> std::result::Result<Vec<Module>, Wrong> {
        let (mut nodes, mut texts): (BTreeMap<String, Node>, BTreeMap<String, String>) = Default::default();
        let mut open: VecDeque<String> = imports.iter().map(|import| import.name.clone()).collect();
        while let Some(name) = open.pop_front() {
            if nodes.contains_key(&name) || nodes.len() > MODULES_CEILING {
                continue;
            }
            let Some(module) = self.module(&name, imports, source, role)? else { continue };
            let kind = module.kind.unwrap_or(Kind::Module);
            let mut node =
                Node { id: id_of(&name), name: name.clone(), kind, version: 1, imports: Vec::new(), capabilities: Vec::new() };
            if kind == Kind::Module {
                let checked = self.sandbox.check(Kind::Module, &name, &module.text).await?;
                let checked = checked.map_err(|found| Wrong::of(&module, found))?;
                node.imports = checked.imports.into_iter().map(|import| import.name).collect();
                open.extend(node.imports.iter().cloned());
            }
            nodes.insert(name.clone(), node);
            texts.insert(name, module.text);
        }
        let graph = Graph::new(nodes.into_values().collect()).at_most(Quota::default().modules as usize);
        let closure = graph.closure(&source.name, imports).map_err(|error| placed(source, error))?;
        let module = |node: &&Node| Some(Module { name: node.name.clone(), source: texts.get(&node.name)?.clone() });
        Ok(closure.iter().filter_map(module).collect())
    }

    fn module(&self, name: &str, imports: &[Import], source: &Source, role: As) -> std::result::Result<Option<Source>, Wrong> {
        let known = self.project.script(name)?;
        if name != TEST_MODULE || role == As::Script {
            return Ok(known);
        }
        if let Some(other) = known {
            let at = imports.iter().find(|import| import.name == name);
            let message = format!(
                "the project has a script `{TEST_MODULE}` ({}), and to test files that is the module of picloud: \
                 call it otherwise",
                other.shown
            );
            let (line, column) = (at.and_then(|at| at.line), at.and_then(|at| at.column));
            return Err(Wrong::of(source, Diagnostic { message, line, column }));
        }
        Ok(Some(Source {
            name: name.to_owned(),
            shown: "picloud's own module `test`".to_owned(),
            text: TEST_SOURCE.to_owned(),
            kind: Some(Kind::Module),
            limits: Limits::default(),
        }))
    }

    /// The source of a script or a module, as people see it, where a failure was in it.
    pub(super) fn source_of(&self, name: &str) -> Option<Source> {
        self.project.script(name).ok().flatten()
    }
}

impl Ready {
    /// The same under other limits.
    pub(super) fn under(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The same with a statement more at its end; places stay what they were.
    pub(super) fn ending_with(&self, statement: &str) -> Self {
        let Program { code, image } = self.program.clone();
        let code = Code { source: format!("{}\n;\n{statement}", code.source), ..code };
        Self { name: self.name.clone(), limits: self.limits, program: Program { code, image } }
    }

    pub(super) fn limits(&self) -> Limits {
        self.limits
    }
}

/// A refusal of imports, at the statement that it is about.
fn placed(source: &Source, error: Error) -> Wrong {
    let number = |name: &str| {
        let details = error.details.as_ref()?;
        u32::try_from(details.get(name)?.as_u64()?).ok()
    };
    let (line, column) = (number("line"), number("column"));
    let said = error.message.as_ref();
    let message = match (line, column) {
        (Some(line), Some(column)) => said.strip_prefix(&format!("line {line}, column {column}: ")).unwrap_or(said),
        _ => said,
    };
    Wrong::of(source, Diagnostic { message: message.to_owned(), line, column })
}

/// The same for a name on every machine.
fn id_of(name: &str) -> ScriptId {
    let (mut bytes, hash) = ([0; 16], blake3::hash(name.as_bytes()));
    bytes.iter_mut().zip(hash.as_bytes()).for_each(|(byte, hashed)| *byte = *hashed);
    ScriptId(uuid::Builder::from_random_bytes(bytes).into_uuid())
}

/// A name that no world knows before it is made.
pub(super) fn chance() -> u64 {
    let id = crate::id::RequestId::at(crate::clock::Clock::system().now());
    Uuid::as_u64_pair(&id.0).1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_import_is_quoted_at_its_statement() {
        let source = Source {
            name: "a".to_owned(),
            shown: "a.rhai".to_owned(),
            text: "let x = 1;\nimport \"nope\" as n;\n".to_owned(),
            kind: None,
            limits: Limits::default(),
        };
        let import = Import { name: "nope".to_owned(), line: Some(2), column: Some(8) };
        let error = Graph::default().closure("a", &[import]).unwrap_err();
        let quoted = placed(&source, error).quoted();
        assert!(quoted.starts_with("error: a.rhai:2:8: there is no module `nope`"), "{quoted}");
        assert!(quoted.ends_with("  2 | import \"nope\" as n;\n    |        ^\n"), "{quoted}");
    }

    #[test]
    fn a_script_has_the_same_id_wherever_it_runs() {
        assert_eq!(id_of("orders"), id_of("orders"));
        assert_ne!(id_of("orders"), id_of("other"));
    }
}
