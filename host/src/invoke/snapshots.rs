//! Deployments that run beside the active one: made ready when they are first asked for, and held for a while.
//!
//! What never changes of one (`Kept`) is loaded once however many ask, by a task of its own: whoever does not wait for it leaves
//! it to the others. What depends on the app as it is now (its quota, its CORS, where its scripts' records go) is made anew with
//! each directory (`Snapshot`). Sources are read, and images made, at the first call of a script.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use chrono::DateTime;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use sha2::{Digest, Sha256};
use tokio::time::timeout;
use uuid::Uuid;

use super::programs::{self, Content};
use super::{Inner, Invoker, nested};
use crate::error::{Error, Kind, Result};
use crate::hostcall::Scripts;
use crate::id::{AppId, RouteId, ScriptId};
use crate::limits;
use crate::model::archive::manifest::RoutePart;
use crate::model::deployment::State;
use crate::model::import::{Graph, Node};
use crate::model::invocation::Deployed;
use crate::model::route::{AppTable, DispatchMode, HostPattern, Method, PatternError, Route};
use crate::model::script::{self, Code, Limits, Module};
use crate::sandbox::Program;
use crate::{service, shutdown};

/// A deployment that can be run, in its app as that is now.
pub struct Snapshot {
    pub number: i32,
    /// The app with the deployment's routes.
    pub table: Arc<AppTable>,
    scripts: HashMap<Box<str>, Arc<Deployed>>,
    /// The way from its scripts to each other.
    pub(super) calls: Arc<Scripts>,
    kept: Arc<Kept>,
    /// The app that this was made with: with another one it is made anew.
    of: Arc<AppTable>,
}

/// App, number.
type Key = (AppId, i32);

pub(super) struct Snapshots {
    cache: Cache<Key, Arc<Held>, ByBytes, RandomState>,
    /// Of each app those that were made ready last, the newest last.
    recent: Mutex<HashMap<AppId, VecDeque<i32>>>,
    /// Those that could not be made ready, and when that was found.
    failed: Mutex<HashMap<Key, Instant>>,
}

struct Held {
    kept: Arc<Kept>,
    current: ArcSwapOption<Snapshot>,
    /// One makes it current at a time.
    making: tokio::sync::Mutex<()>,
}

/// What a deployment is, as far as it is needed to run it.
struct Kept {
    app: AppId,
    /// By name.
    scripts: Vec<KeptScript>,
    routes: Vec<RoutePart>,
}

struct KeptScript {
    name: String,
    kind: script::Kind,
    version: i32,
    digest: String,
    limits: Limits,
    /// Places of the modules behind it, each after those that it imports; none where one of them is missing.
    modules: Option<Vec<usize>>,
    /// Names its program.
    content: Content,
}

#[derive(Clone)]
struct ByBytes;

impl Weighter<Key, Arc<Held>> for ByBytes {
    fn weight(&self, _: &Key, held: &Arc<Held>) -> u64 {
        // Once as it is kept, and about twice as much as it is current.
        let bytes = (3 * held.kept.bytes() + size_of::<Held>()) as u64;
        // A large one is held, too, and does not push out all others.
        bytes.min(limits::SNAPSHOTS_BYTES_MAX / 16)
    }
}

impl Invoker {
    /// The deployment, made ready. 404 when it is not kept; 409 when the source of one of its scripts is not; 503 when making it
    /// ready takes long.
    pub async fn snapshot(&self, app: &Arc<AppTable>, number: i32) -> Result<Arc<Snapshot>> {
        match self.inner.snapshots.current(app, number) {
            Some(current) => Ok(current),
            None => self.inner.snapshot(app, number, Duration::from_millis(limits::SNAPSHOT_WAIT_MS)).await,
        }
    }

    /// The same for a request that what runs can answer as well: none when it cannot be had soon, which is logged now and then.
    pub async fn snapshot_or_not(&self, app: &Arc<AppTable>, number: i32) -> Option<Arc<Snapshot>> {
        let (snapshots, key) = (&self.inner.snapshots, (app.app_id, number));
        if let Some(current) = snapshots.current(app, number) {
            return Some(current);
        }
        if snapshots.has_failed_lately(key) {
            return None;
        }
        let made = self.inner.snapshot(app, number, Duration::from_millis(limits::SPLIT_WAIT_MS)).await;
        made.inspect_err(|error| snapshots.note_failure(key, error)).ok()
    }
}

impl Snapshot {
    /// The script that others of the deployment know by that name.
    pub(super) fn script(&self, name: &str) -> Option<&Arc<Deployed>> {
        self.scripts.get(name)
    }

    /// The program of one of its scripts.
    pub(super) async fn program(&self, inner: &Inner, script: &Deployed) -> Result<Arc<Program>> {
        let kept = self.kept.find(&script.name)?;
        inner.programs.get_content(self.kept.app, kept.content, self.kept.program(inner, kept)).await
    }

    /// Has the next call make it anew.
    pub(super) fn forget_program(&self, inner: &Inner, script: &Deployed) {
        if let Ok(kept) = self.kept.find(&script.name) {
            inner.programs.forget_content(self.kept.app, kept.content);
        }
    }
}

impl Snapshots {
    pub(super) fn new() -> Self {
        let cache = programs::cache(limits::SNAPSHOT_CACHE_ITEMS, limits::SNAPSHOTS_BYTES_MAX, ByBytes);
        Self { cache, recent: Mutex::default(), failed: Mutex::default() }
    }

    /// What is held, if it was made with the app as it is.
    fn current(&self, app: &Arc<AppTable>, number: i32) -> Option<Arc<Snapshot>> {
        self.cache.get(&(app.app_id, number))?.current_for(app)
    }

    /// Lets go of those of the app that were made ready longest ago, past its share.
    fn note_use(&self, (app, number): Key) {
        let mut recent = lock(&self.recent);
        if recent.len() > limits::SNAPSHOT_CACHE_ITEMS {
            recent.retain(|app, numbers| numbers.iter().any(|number| self.cache.contains_key(&(*app, *number))));
        }
        for old in make_latest(recent.entry(app).or_default(), number) {
            self.cache.remove(&(app, old));
        }
    }

    fn has_failed_lately(&self, key: Key) -> bool {
        lock(&self.failed).get(&key).is_some_and(is_lately)
    }

    fn note_failure(&self, key: Key, error: &Error) {
        let mut failed = lock(&self.failed);
        failed.retain(|_, at| is_lately(at));
        if failed.contains_key(&key) {
            return;
        }
        failed.insert(key, Instant::now());
        drop(failed);
        let (app, number) = key;
        tracing::warn!(app.id = %app, deployment = number, %error, cause = ?error.source, "a deployment could not be made ready");
    }
}

impl Held {
    fn current_for(&self, app: &Arc<AppTable>) -> Option<Arc<Snapshot>> {
        self.current.load_full().filter(|current| Arc::ptr_eq(&current.of, app))
    }
}

impl Inner {
    /// Waits so long for it to be made ready, which goes on without who waits.
    async fn snapshot(self: &Arc<Self>, app: &Arc<AppTable>, number: i32, wait: Duration) -> Result<Arc<Snapshot>> {
        let (inner, app) = (self.clone(), app.clone());
        let making = shutdown::spawn("snapshot", async move { inner.make_snapshot(app, number).await });
        match timeout(wait, making).await {
            Ok(Ok(made)) => made,
            Ok(Err(panicked)) => Err(Error::internal(panicked)),
            Err(_) => {
                let message = "the deployment is still being made ready; try again shortly";
                Err(Error::new(Kind::Overloaded, "overloaded", message))
            }
        }
    }

    async fn make_snapshot(self: Arc<Self>, app: Arc<AppTable>, number: i32) -> Result<Arc<Snapshot>> {
        let key = (app.app_id, number);
        let held = self.snapshots.cache.get_or_insert_async(&key, self.hold(key)).await?;
        let _one = held.making.lock().await;
        if let Some(current) = held.current_for(&app) {
            return Ok(current);
        }
        // The app has changed since: the deployment may be gone. Where that cannot be asked, what is held goes on.
        let is_first = held.current.load().is_none();
        let kept = timeout(
            Duration::from_millis(limits::SNAPSHOT_ASK_MS),
            service::previews::is_kept(&self.services, app.app_id, number),
        );
        if !is_first && matches!(kept.await, Ok(Ok(false))) {
            self.snapshots.cache.remove(&key);
            return Err(Error::not_found("deployment"));
        }
        let made = self.snapshot_of(&held.kept, app, number);
        held.current.store(Some(made.clone()));
        self.snapshots.note_use(key);
        Ok(made)
    }

    async fn hold(&self, key: Key) -> Result<Arc<Held>> {
        // Those who waited for one that failed do not each try it anew.
        if self.snapshots.has_failed_lately(key) {
            let message = "the deployment could not be made ready a moment ago; try again shortly";
            return Err(Error::new(Kind::Overloaded, "unavailable", message));
        }
        match self.keep(key).await {
            Ok(kept) => {
                let (kept, current, making) = (Arc::new(kept), ArcSwapOption::empty(), tokio::sync::Mutex::default());
                Ok(Arc::new(Held { kept, current, making }))
            }
            Err(error) => {
                if error.kind != Kind::NotFound {
                    self.snapshots.note_failure(key, &error);
                }
                Err(error)
            }
        }
    }

    /// Reads the deployment. Imports of versions whose scripts are gone are found in their sources.
    async fn keep(&self, (app, number): Key) -> Result<Kept> {
        let service::previews::Stored { state, imports } = service::previews::stored(&self.services, app, number).await?;
        let unread: Vec<_> = imports.iter().filter(|(_, imports)| imports.is_none()).map(|(digest, _)| digest.clone()).collect();
        let mut known: BTreeMap<String, Vec<String>> =
            imports.into_iter().filter_map(|(digest, imports)| Some((digest, imports?))).collect();
        if !unread.is_empty() {
            let sources = service::deployments::sources(&self.services, app, &unread).await?;
            for (digest, source) in sources {
                let script = state.scripts.iter().find(|script| script.digest == digest);
                let Some((name, kind)) = script.map(|script| (script.name.clone(), script.kind)) else { continue };
                let sandbox = self.sandbox.clone();
                let checked = self.preparing(app, async move { sandbox.check(kind, &name, &source).await }).await?;
                // One that does not parse any more fails when it is called, and says so.
                let found = checked.map(|checked| checked.imports.into_iter().map(|import| import.name).collect());
                known.insert(digest, found.unwrap_or_default());
            }
        }
        Ok(Kept::new(app, state, &known))
    }

    /// In the app as it is.
    fn snapshot_of(self: &Arc<Self>, kept: &Arc<Kept>, of: Arc<AppTable>, number: i32) -> Arc<Snapshot> {
        let directory = self.services.routing.current();
        let scripts = kept.scripts.iter().map(|script| {
            let now = directory.script_of(kept.app, &script.name).filter(|now| now.kind == script.kind);
            let deployed = Deployed {
                app_id: kept.app,
                script_id: now.map_or_else(|| nobodys(kept.app, &script.name), |now| now.script_id),
                version: script.version,
                generation: 0,
                kind: script.kind,
                name: script.name.clone(),
                limits: script.limits.under(&of.quota),
            };
            (script.name.as_str().into(), Arc::new(deployed))
        });
        let scripts: HashMap<Box<str>, Arc<Deployed>> = scripts.collect();
        let table = Arc::new(of.with_routes(kept.routes(&scripts)));
        let inner = Arc::downgrade(self);
        Arc::new_cyclic(|snapshot: &Weak<Snapshot>| {
            let calls = Arc::new(nested::scripts_of(inner, snapshot.clone()));
            Snapshot { number, table, scripts, calls, kept: kept.clone(), of }
        })
    }
}

impl Kept {
    /// `imports` are by the digests of versions.
    fn new(app: AppId, state: State, imports: &BTreeMap<String, Vec<String>>) -> Self {
        let State { scripts, routes, .. } = state;
        let imports = |digest: &str| imports.get(digest).cloned().unwrap_or_default();
        let nodes = (0_i32..).zip(&scripts).map(|(place, script)| Node {
            id: ScriptId(Uuid::nil()),
            name: script.name.clone(),
            kind: script.kind,
            // By which a module is found again.
            version: place,
            imports: imports(&script.digest),
            capabilities: Vec::new(),
        });
        let graph = Graph::new(nodes.collect());
        let kept = scripts.iter().map(|script| {
            let closure = graph.closure_of_names(&script.name, &imports(&script.digest)).ok();
            let places = |closure: Vec<&Node>| closure.iter().filter_map(|node| usize::try_from(node.version).ok()).collect();
            let modules: Option<Vec<usize>> = closure.map(places);
            let members = modules.iter().flatten().filter_map(|place| scripts.get(*place));
            let parts = std::iter::once(script).chain(members).flat_map(|member| [&member.name, &member.digest]);
            let content = programs::content_of(b"digests", parts);
            KeptScript {
                name: script.name.clone(),
                kind: script.kind,
                version: script.version,
                digest: script.digest.clone(),
                limits: script.limits,
                modules,
                content,
            }
        });
        Self { app, scripts: kept.collect(), routes }
    }

    fn find(&self, name: &str) -> Result<&KeptScript> {
        let place = self.scripts.binary_search_by(|script| script.name.as_str().cmp(name)).ok();
        let found = place.and_then(|place| self.scripts.get(place));
        found.ok_or_else(|| Error::internal(format!("the deployment has no script {name}")))
    }

    /// Its routes. One that this binary cannot read is left out, as among those of what runs.
    fn routes(&self, scripts: &HashMap<Box<str>, Arc<Deployed>>) -> Vec<(Route, Arc<Deployed>)> {
        let routes = (0_u128..).zip(&self.routes).filter_map(|(place, part)| {
            let script = scripts.get(part.script.as_str())?;
            match route(part, place, script) {
                Ok(route) => Some((route, script.clone())),
                Err(error) => {
                    tracing::error!(app.id = %self.app, path = part.path, %error, "a route of a deployment cannot be read");
                    None
                }
            }
        });
        routes.collect()
    }

    /// Reads the sources of a script and of the modules behind it, and makes its image.
    async fn program(&self, inner: &Inner, script: &KeptScript) -> Result<Arc<Program>> {
        let missing = || Error::internal(format!("the script {} imports what is not there", script.name));
        let modules = script.modules.as_ref().ok_or_else(missing)?;
        let members: Vec<_> = modules.iter().filter_map(|place| self.scripts.get(*place)).collect();
        let digests: Vec<_> = members.iter().copied().chain([script]).map(|member| member.digest.clone()).collect();
        let sources = service::deployments::sources(&inner.services, self.app, &digests).await?;
        let source = |of: &KeptScript| {
            let gone = || Error::internal(format!("the source of the script {} is not kept any more", of.name));
            sources.get(&of.digest).cloned().ok_or_else(gone)
        };
        let modules = members.iter().map(|member| Ok(Module { name: member.name.clone(), source: source(member)? }));
        let modules = modules.collect::<Result<Vec<_>>>()?;
        let code = Code { name: script.name.clone(), source: source(script)?, modules };
        let (sandbox, making) = (inner.sandbox.clone(), code.clone());
        let image = inner.preparing(self.app, async move { sandbox.image(&making).await }).await?;
        let (program, _) = inner.sandbox.program(code, image.as_ref());
        Ok(Arc::new(program))
    }

    /// About as many as it holds.
    fn bytes(&self) -> usize {
        let scripts = self.scripts.iter().map(|script| {
            let modules = script.modules.as_ref().map_or(0, Vec::len) * size_of::<usize>();
            size_of::<KeptScript>() + script.name.len() + script.digest.len() + modules
        });
        let routes = self.routes.iter().map(|route| size_of::<RoutePart>() + route.script.len() + route.path.len());
        scripts.sum::<usize>() + routes.sum::<usize>()
    }
}

/// Routes of a deployment cannot tie, so their order means nothing.
fn route(part: &RoutePart, place: u128, script: &Deployed) -> Result<Route, PatternError> {
    Ok(Route {
        id: RouteId(Uuid::from_u128(place)),
        app_id: script.app_id,
        script_id: script.script_id,
        method: Method::parse_optional(part.method.as_deref())?,
        host: part.host.as_deref().map(str::parse::<HostPattern>).transpose()?,
        path: part.path.parse()?,
        dispatch_mode: DispatchMode::from_word(&part.dispatch_mode).unwrap_or_default(),
        created_at: DateTime::UNIX_EPOCH,
    })
}

/// Under which a script is recorded that is not there, or not yet: the same each time, and no script's. What it does is counted
/// as the app's, and its records are found by nobody.
fn nobodys(app: AppId, name: &str) -> ScriptId {
    let mut hash = Sha256::new();
    hash.update(app.0.as_bytes());
    hash.update(name);
    let digest: [u8; 32] = hash.finalize().into();
    let mut id = [0; 16];
    id.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    ScriptId(uuid::Builder::from_custom_bytes(id).into_uuid())
}

/// Puts a number behind the others, and takes those out that are too many.
fn make_latest(numbers: &mut VecDeque<i32>, number: i32) -> Vec<i32> {
    numbers.retain(|other| *other != number);
    numbers.push_back(number);
    let many = numbers.len().saturating_sub(limits::SNAPSHOTS_PER_APP_MAX);
    numbers.drain(..many).collect()
}

fn is_lately(at: &Instant) -> bool {
    at.elapsed() < Duration::from_millis(limits::SNAPSHOT_RETRY_MS)
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::deployment::ScriptState;

    const APP: AppId = AppId(Uuid::from_u128(1));

    fn script(name: &str, kind: script::Kind, digest: &str) -> ScriptState {
        let (name, digest) = (name.to_owned(), digest.to_owned());
        let (description, limits, capabilities) = (String::new(), Limits::default(), Vec::new());
        ScriptState { name, kind, description, version: 1, digest, limits, capabilities }
    }

    /// `page` imports `tax`, which imports `words`; `alone` nothing.
    fn kept(words: &str) -> Kept {
        let (endpoint, module) = (script::Kind::Endpoint, script::Kind::Module);
        let scripts = vec![
            script("alone", endpoint, "a"),
            script("page", endpoint, "p"),
            script("tax", module, "t"),
            script("words", module, words),
        ];
        let imports = [("p", vec!["tax"]), ("t", vec!["words"])];
        let owned = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect::<Vec<_>>();
        let imports = imports.map(|(digest, names)| (digest.to_owned(), owned(names)));
        Kept::new(APP, State { scripts, ..State::default() }, &BTreeMap::from(imports))
    }

    #[test]
    fn a_program_is_named_by_its_script_and_every_module_behind_it() {
        let (one, other) = (kept("w"), kept("w2"));
        let content = |kept: &Kept, name: &str| kept.find(name).unwrap().content;
        assert_eq!(content(&one, "page"), content(&kept("w"), "page"));
        assert_ne!(content(&one, "page"), content(&other, "page"), "a module behind it is another");
        assert_ne!(content(&one, "tax"), content(&other, "tax"));
        assert_eq!(content(&one, "alone"), content(&other, "alone"), "it is the same in both");
        assert_eq!(one.find("page").unwrap().modules, Some(vec![3, 2]), "each after those that it imports");
        assert!(one.find("none").is_err());
    }

    #[test]
    fn what_imports_something_missing_says_so_and_the_others_run() {
        let scripts = vec![script("broken", script::Kind::Endpoint, "b"), script("fine", script::Kind::Endpoint, "f")];
        let imports = BTreeMap::from([("b".to_owned(), vec!["gone".to_owned()])]);
        let kept = Kept::new(APP, State { scripts, ..State::default() }, &imports);
        assert_eq!(kept.find("broken").unwrap().modules, None);
        assert_eq!(kept.find("fine").unwrap().modules, Some(Vec::new()));
    }

    #[test]
    fn an_app_holds_so_many_and_those_that_were_asked_for_last() {
        let mut numbers = VecDeque::new();
        let most = i32::try_from(limits::SNAPSHOTS_PER_APP_MAX).unwrap();
        for number in 1..=most {
            assert_eq!(make_latest(&mut numbers, number), Vec::<i32>::new());
        }
        assert_eq!(make_latest(&mut numbers, 1), Vec::<i32>::new(), "it is there");
        assert_eq!(make_latest(&mut numbers, most + 1), [2]);
        assert_eq!(numbers.len(), limits::SNAPSHOTS_PER_APP_MAX);
    }

    #[test]
    fn a_script_that_is_gone_has_an_id_of_its_own() {
        assert_eq!(nobodys(APP, "a"), nobodys(APP, "a"));
        assert_ne!(nobodys(APP, "a"), nobodys(APP, "b"));
        assert_ne!(nobodys(APP, "a"), nobodys(AppId(Uuid::from_u128(2)), "a"));
        assert_eq!(nobodys(APP, "a").0.get_version_num(), 8, "no script has such a one");
    }
}
