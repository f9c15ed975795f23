//! From a state that is wanted to one that runs: every script that is touched is checked and prepared with the modules that are to
//! be, then all of it is stored at once (`service::deployments::change`).

use std::collections::{BTreeMap, HashMap, HashSet};

use super::Invoker;
use super::publish::{Verdict, syntax_error};
use crate::error::{Error, Kind, Result};
use crate::id::{AppId, ScriptId};
use crate::limits;
use crate::model::access::Principal;
use crate::model::archive::manifest::{RoutePart, TriggerPart};
use crate::model::deployment::difference::{self, Change};
use crate::model::deployment::manifest::{Manifest, Pulled, Target, Wanted};
use crate::model::deployment::{State, check_message};
use crate::model::grant::Grants;
use crate::model::import::{self, Graph, Node};
use crate::model::script::{Code, Module, Script};
use crate::model::topic::Access;
use crate::service;
use crate::service::deployments::change::{Cause, Made, Prepared, PreparedScript, Told, keep, make, try_out};
use crate::service::deployments::{self, Picture};

/// What a change would make different.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The digest of what runs: a change that is made with it is refused once that is another.
    pub base: String,
    /// The number of what runs.
    pub active: Option<i32>,
    /// The digest of what would run.
    pub digest: String,
    pub changes: Vec<Change>,
    /// What a person should know before: data that does not come back.
    pub notes: Vec<String>,
}

/// The state that an app is to be put into.
#[derive(Debug, Clone)]
pub enum Aim {
    Manifest(Box<Manifest>),
    /// That of a deployment, which ran.
    Back(i32),
    /// That of a deployment, which was stored to be run.
    Release(i32),
}

impl Aim {
    fn cause(&self) -> Cause {
        match self {
            Self::Manifest(_) => Cause::Apply,
            Self::Back(_) => Cause::Rollback,
            Self::Release(_) => Cause::Release,
        }
    }
}

/// How a change is made.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The digest of what runs, as the caller knows it.
    pub base: Option<String>,
    pub message: String,
    /// Only store what would run.
    pub is_kept_only: bool,
}

/// What came of it.
#[derive(Debug, Clone)]
pub enum Applied {
    /// It ran already.
    Same(Box<Plan>),
    Made {
        made: Box<Made>,
        /// The digest of what ran before.
        base: String,
        /// The number of what ran before.
        running: Option<i32>,
        notes: Vec<String>,
    },
}

impl Invoker {
    /// What the change would make different; nothing is stored. It was tried, so what [`Invoker::apply`] would refuse is refused
    /// here, alike, but for rights that `by` has not.
    pub async fn plan(&self, by: &Principal, app: AppId, aim: Aim) -> Result<Plan> {
        let _turn = self.inner.turns.take(app).await?;
        for _ in 0..limits::PLANS_MAX {
            let (picture, target) = self.target(app, aim.clone()).await?;
            if let Some(plan) = self.planned(by, &picture, target, aim.cause()).await? {
                return Ok(plan);
            }
        }
        Err(restless())
    }

    /// Puts the app into that state, whole or not at all: sources, modules, limits, routes, triggers, grants, topics. Done twice, it changes
    /// nothing the second time. 403 where a change needs a right that `by` has not; 404 for a deployment that is not kept, 409 when
    /// the source of one of its scripts is not; 422 as where scripts are published and triggers made; the rest as `change::make`.
    pub async fn apply(&self, by: &Principal, app: AppId, aim: Aim, options: Options) -> Result<Applied> {
        check_message(&options.message)?;
        let _turn = self.inner.turns.take(app).await?;
        let cause = aim.cause();
        let (picture, target) = self.target(app, aim).await?;
        self.deploy(by, &picture, target, cause, options).await
    }

    /// Makes a stored version of a script the active one, with the modules that run now. `if_match` is a `Script::tag`: 412. 404; 422
    /// `not_granted`, and for modules that it imports and are not there; 409 as [`Invoker::apply`].
    pub async fn activate(
        &self,
        by: &Principal,
        id: ScriptId,
        number: i32,
        message: String,
        if_match: Option<&str>,
    ) -> Result<Script> {
        check_message(&message)?;
        let services = &self.inner.services;
        let app = service::scripts::get(services, id).await?.app_id;
        let _turn = self.inner.turns.take(app).await?;
        let picture = deployments::picture(services, app).await?;
        // After the picture: whoever changes the script from here on is found out when all is stored.
        let script = service::scripts::get(services, id).await?;
        if if_match.is_some_and(|tag| tag != script.tag()) {
            return Err(Error::changed_meanwhile("script", script.tag()));
        }
        let version = service::scripts::version(services, id, number).await?;
        let mut target = self.running(&picture).await?;
        let wanted = target.scripts.iter_mut().find(|wanted| wanted.name == script.name);
        let wanted = wanted.ok_or_else(|| Error::not_found("script"))?;
        (wanted.source, wanted.limits, wanted.digest) = (version.source, version.limits, version.digest);
        self.deploy(by, &picture, target, Cause::Activate, Options { message, ..Options::default() }).await?;
        service::scripts::get(services, id).await
    }

    /// What runs, as a target.
    async fn running(&self, picture: &Picture) -> Result<Target> {
        let mut sources = self.sources_of(picture.app.id, &picture.state).await?;
        let scripts = picture.state.scripts.iter().map(|script| Wanted {
            name: script.name.clone(),
            kind: script.kind,
            description: script.description.clone(),
            limits: script.limits,
            digest: script.digest.clone(),
            source: sources.remove(&script.name).unwrap_or_default(),
        });
        let State { routes, triggers, topics, .. } = picture.state.clone();
        Ok(Target { scripts: scripts.collect(), routes, triggers, grants: picture.grants.clone(), topics })
    }

    /// The manifest of what runs, with its number and digest.
    pub async fn pull(&self, app: AppId) -> Result<(Pulled, Option<i32>, String)> {
        let picture = deployments::picture(&self.inner.services, app).await?;
        let sources = self.sources_of(app, &picture.state).await?;
        Ok((Manifest::of(&picture.state, sources), picture.active, picture.digest))
    }

    async fn target(&self, app: AppId, aim: Aim) -> Result<(Picture, Target)> {
        let services = &self.inner.services;
        let picture = deployments::picture(services, app).await?;
        let target = match aim {
            Aim::Manifest(manifest) => {
                for (name, script) in &manifest.scripts {
                    self.has_room_for(&script.limits).map_err(|error| of_script(name, error))?;
                }
                manifest.target(&services.quota(app), &picture.grants, &picture.state.topics, services.now())?
            }
            Aim::Back(number) | Aim::Release(number) => self.stored(app, number).await?,
        };
        Ok((picture, target))
    }

    /// A deployment as it was stored.
    async fn stored(&self, app: AppId, number: i32) -> Result<Target> {
        let services = &self.inner.services;
        let deployment = deployments::get(services, app, number).await?;
        let State { scripts, routes, triggers, grants, topics } = deployment.state;
        let digests: Vec<_> = scripts.iter().map(|script| script.digest.clone()).collect();
        let sources = deployments::sources(services, app, &digests).await?;
        let scripts = scripts.into_iter().map(|script| {
            let source = sources.get(&script.digest).cloned().ok_or_else(|| {
                let message = format!("the source of the script {} is not kept any more", script.name);
                Error::conflict(message, serde_json::json!({ "script": script.name, "digest": script.digest }))
            })?;
            let (name, kind, description) = (script.name, script.kind, script.description);
            Ok(Wanted { name, kind, description, limits: script.limits, digest: script.digest, source })
        });
        Ok(Target { scripts: scripts.collect::<Result<_>>()?, routes, triggers, grants: Grants::stated(grants)?, topics })
    }

    async fn sources_of(&self, app: AppId, state: &State) -> Result<BTreeMap<String, String>> {
        let digests: Vec<_> = state.scripts.iter().map(|script| script.digest.clone()).collect();
        let by_digest = deployments::sources(&self.inner.services, app, &digests).await?;
        let named = state.scripts.iter().filter_map(|script| Some((script.name.clone(), by_digest.get(&script.digest)?.clone())));
        Ok(named.collect())
    }

    /// With the lines of sources that differ; none when the app was changed meanwhile.
    async fn planned(&self, by: &Principal, picture: &Picture, target: Target, cause: Cause) -> Result<Option<Plan>> {
        let prepared = self.prepare_app(picture, target, Depth::Checked).await?;
        let mut plan = plan_of(picture, &prepared)?;
        if plan.changes.is_empty() {
            return Ok(Some(plan));
        }
        if !try_out(&self.inner.services, by, picture.app.id, &prepared, Told { cause, message: "" }).await? {
            return Ok(None);
        }
        let after = prepared.scripts.into_iter().map(|script| (script.wanted.name, script.wanted.source)).collect();
        let before = self.sources_of(picture.app.id, &picture.state).await?;
        difference::add_sources(&mut plan.changes, &before, &after);
        Ok(Some(plan))
    }

    /// What differs between two deployments, lines of sources included. 404.
    pub async fn difference(&self, app: AppId, before: i32, after: i32) -> Result<Vec<Change>> {
        let services = &self.inner.services;
        let (before, after) = (deployments::get(services, app, before).await?, deployments::get(services, app, after).await?);
        let mut changes = difference::between(&before.state, &after.state);
        let (old, new) = (self.sources_of(app, &before.state).await?, self.sources_of(app, &after.state).await?);
        difference::add_sources(&mut changes, &old, &new);
        Ok(changes)
    }

    async fn deploy(&self, by: &Principal, picture: &Picture, target: Target, cause: Cause, options: Options) -> Result<Applied> {
        let app = picture.app.id;
        if let Some(base) = options.base.filter(|base| *base != picture.digest) {
            let message = "the app was changed since this was planned; look at what runs now, and plan again";
            let running = serde_json::json!({ "deployment": picture.active, "digest": picture.digest });
            return Err(Error::conflict(message, serde_json::json!({ "base": base, "running": running })));
        }
        let prepared = self.prepare_app(picture, target, Depth::Prepared).await?;
        let plan = plan_of(picture, &prepared)?;
        if plan.changes.is_empty() && picture.active.is_some() {
            return Ok(Applied::Same(Box::new(plan)));
        }
        service::access::require_all(&self.inner.services, by, app, plan.changes.iter().map(Change::scope)).await?;
        let (services, told) = (&self.inner.services, Told { cause, message: &options.message });
        let made = match options.is_kept_only {
            true => keep(services, by, app, &prepared, told).await?,
            false => make(services, by, app, &prepared, told).await?,
        };
        Ok(Applied::Made { made: Box::new(made), base: plan.base, running: plan.active, notes: plan.notes })
    }

    /// Every script of the target, checked and, where it is touched, prepared.
    async fn prepare_app(&self, picture: &Picture, target: Target, depth: Depth) -> Result<Prepared> {
        let Target { scripts: wanted, routes, triggers, grants, topics } = target;
        let app = picture.app.id;
        let mut scripts = Vec::with_capacity(wanted.len());
        for wanted in wanted {
            scripts.push(self.checked(picture, wanted).await?);
        }
        let nodes = scripts.iter().map(|script| Node {
            id: ScriptId(uuid::Uuid::nil()),
            name: script.wanted.name.clone(),
            kind: script.wanted.kind,
            version: 0,
            imports: script.imports.clone(),
            capabilities: script.own_capabilities.clone(),
        });
        let graph = Graph::new(nodes.collect()).at_most(self.inner.services.quota(app).modules as usize);
        let sources: HashMap<String, String> =
            scripts.iter().map(|script| (script.wanted.name.clone(), script.wanted.source.clone())).collect();
        let touched: HashSet<String> =
            scripts.iter().filter(|script| script.is_touched).map(|script| script.wanted.name.clone()).collect();
        for script in &mut scripts {
            let wrong = |error| of_script(&script.wanted.name, error);
            let closure = graph.closure_of_names(&script.wanted.name, &script.imports).map_err(wrong)?;
            script.capabilities = import::capabilities(&script.own_capabilities, &closure);
            script.is_touched |= closure.iter().any(|module| touched.contains(&module.name));
            if depth == Depth::Prepared && script.is_touched {
                let modules = closure.iter().map(|module| Module {
                    name: module.name.clone(),
                    source: sources.get(&module.name).cloned().unwrap_or_default(),
                });
                let (name, source) = (script.wanted.name.clone(), script.wanted.source.clone());
                let code = Code { name, source, modules: modules.collect() };
                script.image = self.image(app, script.wanted.kind, &code).await.map_err(wrong)?;
            }
        }
        Ok(Prepared { base: picture.digest.clone(), scripts, routes, triggers, grants, topics })
    }

    /// What its own source reaches and imports; of one that runs as it is, as that is known.
    async fn checked(&self, picture: &Picture, wanted: Wanted) -> Result<PreparedScript> {
        let running = picture.script(&wanted.name, wanted.kind);
        if let Some(running) = running.filter(|running| running.state.digest == wanted.digest) {
            let (own, imports) = (running.own_capabilities.clone(), running.imports.clone());
            let capabilities = running.state.capabilities.clone();
            return Ok(PreparedScript { wanted, own_capabilities: own, capabilities, imports, is_touched: false, image: None });
        }
        let app = picture.app.id;
        match self.check_for(app, &wanted.name, wanted.kind, &wanted.source).await? {
            Verdict::Good { capabilities, imports } => {
                let imports = imports.into_iter().map(|import| import.name).collect();
                let own = capabilities.clone();
                Ok(PreparedScript { wanted, own_capabilities: own, capabilities, imports, is_touched: true, image: None })
            }
            Verdict::Bad(diagnostic) => {
                let mut error = syntax_error(&wanted.name, &diagnostic);
                if let Some(details) = error.details.as_mut().and_then(serde_json::Value::as_object_mut) {
                    details.insert("script".to_owned(), wanted.name.into());
                }
                Err(error)
            }
        }
    }
}

/// How far scripts are made ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Depth {
    Checked,
    Prepared,
}

fn restless() -> Error {
    Error::conflict("the app is being changed by others just now; plan again", serde_json::Value::Null)
}

fn plan_of(picture: &Picture, prepared: &Prepared) -> Result<Plan> {
    let after = state_of(picture, prepared)?;
    let changes = difference::between(&picture.state, &after);
    let notes = notes(&changes);
    Ok(Plan { base: picture.digest.clone(), active: picture.active, digest: after.digest()?, changes, notes })
}

fn state_of(picture: &Picture, prepared: &Prepared) -> Result<State> {
    let (routes, triggers): (Vec<RoutePart>, Vec<TriggerPart>) = (prepared.routes.clone(), prepared.triggers.clone());
    let scripts = prepared.scripts.iter().map(|script| script.wanted.clone()).collect();
    let (grants, topics) = (prepared.grants.clone(), prepared.topics.clone());
    let target = Target { scripts, routes, triggers, grants, topics };
    let mut state = target.state(&picture.state);
    for (told, script) in state.scripts.iter_mut().zip(&prepared.scripts) {
        told.capabilities.clone_from(&script.capabilities);
    }
    Ok(state)
}

/// What does not come back with a state.
fn notes(changes: &[Change]) -> Vec<String> {
    use difference::{Action, Thing};
    let of = |thing, action| changes.iter().filter(move |change| change.thing == thing && change.action == action);
    let mut notes = Vec::new();
    for script in of(Thing::Script, Action::Remove) {
        notes.push(format!("the script {} goes with its earlier versions and the records of its executions", script.name));
    }
    for script in of(Thing::Script, Action::Change).filter(|change| change.parts.contains(&"kind")) {
        notes.push(format!("the script {} is made anew: its versions and the records of its executions go", script.name));
    }
    for trigger in of(Thing::Trigger, Action::Remove) {
        notes.push(format!("what waits for the trigger {} is not delivered", trigger.name));
    }
    let is_internal = |change: &&Change| change.after == Some(serde_json::json!({ "access": Access::Internal }));
    for topic in of(Thing::Topic, Action::Remove).chain(of(Thing::Topic, Action::Change).filter(is_internal)) {
        notes.push(format!("what is kept of the topic {} goes, and who subscribes to it is sent away", topic.name));
    }
    notes
}

fn of_script(name: &str, error: Error) -> Error {
    // What names its script already is left as it is.
    if error.kind == Kind::Internal || error.message.starts_with(name) {
        return error;
    }
    Error { message: format!("the script {name}: {}", error.message).into(), ..error }
}
