//! A manifest: what an app is to be, as people write it. Scripts stand by name with their routes and triggers; what is left out has
//! its default, so that the same manifest always means the same.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::{ScriptState, State};
use crate::error::{Error, Result};
use crate::id::{AppId, RouteId, ScriptId, TriggerId};
use crate::limits;
use crate::model::archive::manifest::{RetryPart, RoutePart, RulePart, TriggerPart};
use crate::model::archive::triggers;
use crate::model::grant::Grants;
use crate::model::quota::{AskedLimits, Named, Quota};
use crate::model::retry::{Retry, RetryChange};
use crate::model::route::{DispatchMode, HostPattern, Method, PathPattern, Route};
use crate::model::script::{self, Kind, Limits};
use crate::model::topic::{Access, check_registry};
use crate::model::trigger::{NewTrigger, Rule, State as TriggerState, Trigger};

/// What an app is to be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(rename = "Manifest", example = example())]
pub struct Manifest {
    /// By name. A script that is not named here is to go.
    #[serde(default)]
    pub scripts: BTreeMap<String, ScriptEntry>,
    /// Patterns by capability; a capability that is not named is not granted. Left out as a whole: as they are.
    #[serde(default)]
    pub grants: Option<BTreeMap<String, Vec<String>>>,
    /// Who may subscribe, by topic; what is not named is not registered. Left out as a whole: as they are.
    #[serde(default)]
    pub topics: Option<BTreeMap<String, Access>>,
}

pub fn example() -> serde_json::Value {
    json!({
        "scripts": {
            "visits": {
                "source": "#{ hello: ctx.request.params.who }",
                "limits": { "timeout_ms": 2000 },
                "routes": [{ "path": "/visits/:who", "method": "GET" }],
                "triggers": [{ "kind": "queue", "queue": "visits", "max_attempts": 3 }],
            }
        },
        "grants": { "kv": ["*"], "queue": ["*"] },
    })
}

/// What a script is to be.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(rename = "ManifestScript")]
pub struct ScriptEntry {
    pub source: String,
    #[serde(default)]
    pub kind: Kind,
    #[serde(default)]
    pub description: String,
    /// What is left out has the platform's default.
    #[serde(default)]
    pub limits: AskedLimits,
    #[serde(default)]
    pub routes: Vec<RouteEntry>,
    #[serde(default)]
    pub triggers: Vec<TriggerEntry>,
}

/// A path that leads to the script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ManifestRoute")]
pub struct RouteEntry {
    /// Exact (`/a`), with parameters (`/users/:id`), or everything below (`/files/*`).
    pub path: String,
    /// Left out, `ANY` or `*`: any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// A host of the app's; left out: any of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// `sync` (left out) or `async`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dispatch_mode: Option<String>,
}

/// What has the script run on events: its kind, the fields of that kind, and what is to be otherwise than by default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ManifestTrigger")]
pub struct TriggerEntry {
    /// `kv`, `docs`, `files`, `cron`, `pubsub`, `queue`, `email` or `dead_letter`.
    pub kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collection: Option<String>,
    /// Left out: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ops: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// Left out: UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// The name of a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Of dead letters: only those of this source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Of dead letters: only those of this script.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub about_script: Option<String>,
    /// Of dead letters: only those of the trigger at this place, from 0, of all triggers of the manifest: scripts by name, and
    /// each one's triggers in their order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub about_trigger: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_attempts: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backoff: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_delay_ms: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_delay_ms: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jitter: Option<bool>,
    /// Left out: it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

/// An app as it is to be, with the sources that are given; by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub scripts: Vec<Wanted>,
    pub routes: Vec<RoutePart>,
    pub triggers: Vec<TriggerPart>,
    pub grants: Grants,
    pub topics: BTreeMap<String, Access>,
}

/// A script as it is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub name: String,
    pub kind: Kind,
    pub description: String,
    pub limits: Limits,
    /// Of source and limits.
    pub digest: String,
    pub source: String,
}

impl Target {
    /// The same as a state, as far as that can be told without the sandbox: numbers and capabilities are those of scripts in
    /// `running` that are the same.
    pub fn state(&self, running: &State) -> State {
        let scripts = self.scripts.iter().map(|wanted| {
            let same = running.script(&wanted.name).filter(|script| script.digest == wanted.digest);
            ScriptState {
                name: wanted.name.clone(),
                kind: wanted.kind,
                description: wanted.description.clone(),
                version: same.map_or(0, |script| script.version),
                digest: wanted.digest.clone(),
                limits: wanted.limits,
                capabilities: same.map(|script| script.capabilities.clone()).unwrap_or_default(),
            }
        });
        let grants = serde_json::from_value(self.grants.to_json()).unwrap_or_default();
        let (routes, triggers, topics) = (self.routes.clone(), self.triggers.clone(), self.topics.clone());
        State { scripts: scripts.collect(), routes, triggers, grants, topics }
    }
}

impl Manifest {
    /// What it means in an app of that quota that has these grants and registered topics. 422 and 413 name the place:
    /// `scripts.visits.routes[0]: …`.
    pub fn target(self, quota: &Quota, grants: &Grants, topics: &BTreeMap<String, Access>, now: DateTime<Utc>) -> Result<Target> {
        let (asked, allowed) = (self.scripts.len(), limits::MANIFEST_SCRIPTS_MAX);
        if asked > allowed {
            return Err(Error::invalid("scripts", format!("the manifest has {asked} scripts; at most {allowed} are allowed")));
        }
        // Before any is held against the others.
        let routes: usize = self.scripts.values().map(|script| script.routes.len()).sum();
        let triggers: usize = self.scripts.values().map(|script| script.triggers.len()).sum();
        let bounds = [("routes", routes, limits::ROUTES_PER_APP_MAX), ("triggers", triggers, limits::TRIGGERS_CEILING as usize)];
        for (what, asked, allowed) in bounds {
            if asked > allowed {
                return Err(Error::invalid("scripts", format!("the manifest has {asked} {what}; at most {allowed} are allowed")));
            }
        }
        let grants = match self.grants {
            Some(lists) => Grants::stated(lists).map_err(|error| placed("grants", error))?,
            None => grants.clone(),
        };
        let topics = self.topics.unwrap_or_else(|| topics.clone());
        check_registry(&topics).map_err(|error| placed("topics", error))?;
        let (mut scripts, mut routes, mut entries) = (Vec::with_capacity(asked), Vec::new(), Vec::new());
        let mut laid = Vec::new();
        for (name, entry) in self.scripts {
            let at = format!("scripts.{}", crate::model::text::cut(&name, limits::COLLECTION_NAME_BYTES_MAX));
            if entry.kind == Kind::Module && !(entry.routes.is_empty() && entry.triggers.is_empty()) {
                let why = "a module answers no requests and handles no events: it has neither routes nor triggers";
                return Err(placed(&at, Error::invalid("kind", why)));
            }
            for (place, entry) in entry.routes.iter().enumerate() {
                let wrong = |error| placed(&format!("{at}.routes[{place}]"), error);
                let route = entry.route().map_err(wrong)?;
                if let Some(other) = laid.iter().find(|other: &&Route| other.clashes_with(&route)) {
                    let message = format!("{route} and {other} would both match one request, and neither goes first");
                    return Err(wrong(Error::conflict(message, json!({ "field": "routes" }))));
                }
                routes.push(part_of(&route, &name));
                laid.push(route);
            }
            let triggers = entry.triggers.into_iter().enumerate();
            entries.extend(triggers.map(|(place, trigger)| (format!("{at}.triggers[{place}]"), name.clone(), trigger)));
            let wanted = Wanted::of(name, entry.kind, entry.description, entry.source, &entry.limits, quota);
            scripts.push(wanted.map_err(|error| placed(&at, error))?);
        }
        routes.sort();
        let triggers = parts_of(entries, &scripts, now)?;
        Ok(Target { scripts, routes, triggers, grants, topics })
    }

    /// A manifest that means that state. Sources are by the name of their script; limits, grants and retries stand only where they
    /// are not the default.
    pub fn of(state: &State, mut sources: BTreeMap<String, String>) -> Pulled {
        let mut scripts: BTreeMap<String, PulledScript> = BTreeMap::new();
        let defaults: Named = Limits::default().each().map(|(bound, value)| (bound.name.to_owned(), value)).collect();
        for script in &state.scripts {
            let own = script.limits.each().map(|(bound, value)| (bound.name.to_owned(), value));
            let limits = own.filter(|(name, value)| defaults.get(name) != Some(value)).collect();
            let pulled = PulledScript {
                source: sources.remove(&script.name).unwrap_or_default(),
                kind: script.kind,
                description: script.description.clone(),
                limits,
                routes: Vec::new(),
                triggers: Vec::new(),
            };
            scripts.insert(script.name.clone(), pulled);
        }
        for route in &state.routes {
            let RoutePart { script, path, host, method, dispatch_mode } = route.clone();
            let dispatch_mode = (dispatch_mode != DispatchMode::default().as_str()).then_some(dispatch_mode);
            if let Some(pulled) = scripts.get_mut(&script) {
                pulled.routes.push(RouteEntry { path, method, host, dispatch_mode });
            }
        }
        // By script, as they will stand; what listens to another one's letters names its place among those.
        let mut order: Vec<usize> = (0..state.triggers.len()).collect();
        order.sort_by_key(|place| (state.triggers.get(*place).map(|trigger| trigger.script.clone()), *place));
        for place in &order {
            let Some(part) = state.triggers.get(*place) else { continue };
            let mut entry = TriggerEntry::of(part);
            entry.about_trigger = part.rule.about_trigger.and_then(|about| order.iter().position(|place| *place == about));
            if let Some(pulled) = scripts.get_mut(&part.script) {
                pulled.triggers.push(entry);
            }
        }
        Pulled { scripts, grants: state.grants.clone(), topics: state.topics.clone() }
    }
}

/// A manifest as it is read from a running app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "PulledManifest")]
pub struct Pulled {
    pub scripts: BTreeMap<String, PulledScript>,
    pub grants: BTreeMap<String, Vec<String>>,
    /// Left out where there are none: then those of the app that it is applied to stay as they are.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub topics: BTreeMap<String, Access>,
}

/// A script in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "PulledScript")]
pub struct PulledScript {
    pub source: String,
    pub kind: Kind,
    pub description: String,
    /// Those that are not the platform's default.
    pub limits: Named,
    /// As in a manifest.
    #[schemars(with = "Vec::<serde_json::Map<String, serde_json::Value>>")]
    pub routes: Vec<RouteEntry>,
    /// As in a manifest.
    #[schemars(with = "Vec::<serde_json::Map<String, serde_json::Value>>")]
    pub triggers: Vec<TriggerEntry>,
}

impl Wanted {
    fn of(name: String, kind: Kind, description: String, source: String, limits: &AskedLimits, quota: &Quota) -> Result<Self> {
        script::check_name(&name)?;
        script::check_source(&source, quota.source_bytes as usize)?;
        script::check_description(&description)?;
        let limits = limits.over(Limits::default(), quota)?;
        Ok(Self { digest: script::digest(&source, &limits), name, kind, description, limits, source })
    }
}

impl RouteEntry {
    /// Without an id, of no app and no script yet.
    fn route(&self) -> Result<Route> {
        let path = self.path.parse::<PathPattern>()?;
        let method = Method::parse_optional(self.method.as_deref())?;
        let host = self.host.as_deref().map(str::parse::<HostPattern>).transpose()?;
        let dispatch_mode = DispatchMode::asked(self.dispatch_mode.as_deref())?;
        let (id, app_id, script_id) = (RouteId(Uuid::nil()), AppId(Uuid::nil()), ScriptId(Uuid::nil()));
        Ok(Route { id, app_id, script_id, method, host, path, dispatch_mode, created_at: DateTime::UNIX_EPOCH })
    }
}

/// A route as every state writes it.
pub fn part_of(route: &Route, script: &str) -> RoutePart {
    RoutePart {
        script: script.to_owned(),
        path: route.path.to_string(),
        host: route.host.as_ref().map(ToString::to_string),
        method: route.method.as_ref().map(|method| method.as_str().to_owned()),
        dispatch_mode: route.dispatch_mode.as_str().to_owned(),
    }
}

impl TriggerEntry {
    fn of(part: &TriggerPart) -> Self {
        let RulePart { collection, ops, schedule, timezone, topic, queue, secret, source, about_script, .. } = part.rule.clone();
        let (retry, plain) = (&part.retry, Retry::default());
        Self {
            kind: part.kind.clone(),
            collection,
            ops,
            schedule,
            timezone,
            topic,
            queue,
            secret,
            source,
            about_script,
            about_trigger: None,
            max_attempts: (retry.max_attempts != plain.max_attempts).then_some(retry.max_attempts),
            backoff: (retry.backoff != plain.backoff.as_str()).then(|| retry.backoff.clone()),
            base_delay_ms: (retry.base_delay_ms != plain.base_delay_ms).then_some(retry.base_delay_ms),
            max_delay_ms: (retry.max_delay_ms != plain.max_delay_ms).then_some(retry.max_delay_ms),
            jitter: (retry.jitter != plain.jitter).then_some(retry.jitter),
            enabled: (!part.enabled).then_some(false),
        }
    }

    /// The rule alone, where what may be left out has its default.
    fn rule(&self) -> RulePart {
        let is = |kinds: &[&str]| kinds.contains(&self.kind.as_str());
        let all = || ["insert", "update", "delete"].map(str::to_owned).to_vec();
        RulePart {
            collection: self.collection.clone(),
            ops: self.ops.clone().or_else(|| is(&["kv", "docs", "files"]).then(all)),
            schedule: self.schedule.clone(),
            timezone: self.timezone.clone().or_else(|| is(&["cron"]).then(|| "UTC".to_owned())),
            topic: self.topic.clone(),
            queue: self.queue.clone(),
            secret: self.secret.clone(),
            source: self.source.clone(),
            about_script: self.about_script.clone(),
            about_trigger: self.about_trigger,
        }
    }

    fn retry(&self) -> RetryChange {
        RetryChange {
            max_attempts: self.max_attempts,
            backoff: self.backoff.clone(),
            base_delay_ms: self.base_delay_ms,
            max_delay_ms: self.max_delay_ms,
            jitter: self.jitter,
        }
    }
}

/// Triggers in the one order of every state, judged as where they are made one by one.
fn parts_of(entries: Vec<(String, String, TriggerEntry)>, scripts: &[Wanted], now: DateTime<Utc>) -> Result<Vec<TriggerPart>> {
    // States order triggers by what they are: ids of the moment stand for the names.
    let numbered = (1_u128..).zip(scripts).map(|(number, script)| (script.name.as_str(), ScriptId(Uuid::from_u128(number))));
    let ids: HashMap<&str, ScriptId> = numbered.collect();
    let id_of = |name: &str| ids.get(name).copied();
    let trigger_id = |place: usize| TriggerId(Uuid::from_u128(place as u128 + 1));
    let count = entries.len();
    let mut made = Vec::with_capacity(count);
    for (place, (at, script, entry)) in entries.into_iter().enumerate() {
        let wrong = |error| placed(&at, error);
        let script_id = id_of(&script).ok_or_else(|| wrong(Error::invalid("script", "it is of no script")))?;
        let part = TriggerPart {
            script,
            kind: entry.kind.clone(),
            rule: entry.rule(),
            retry: RetryPart::of(&Retry::default()),
            enabled: true,
        };
        let rule = part.new_rule().map_err(wrong)?;
        let new = NewTrigger { script_id, rule, dispatch_mode: None, retry: entry.retry() };
        let (_, mut rule, retry) = new.check(now).map_err(wrong)?;
        if let Rule::DeadLetter(filter) = &mut rule {
            let unknown = |name: &str| wrong(Error::invalid("about_script", format!("the manifest has no script {name}")));
            filter.script_id = match entry.about_script.as_deref() {
                Some(name) => Some(id_of(name).ok_or_else(|| unknown(name))?),
                None => None,
            };
            if entry.about_trigger.is_some_and(|about| about >= count || about == place) {
                return Err(wrong(Error::invalid("about_trigger", "there is no other trigger at this place")));
            }
            filter.trigger_id = entry.about_trigger.map(trigger_id);
        }
        made.push(Trigger {
            id: trigger_id(place),
            app_id: AppId(Uuid::nil()),
            script_id,
            rule,
            retry,
            state: if entry.enabled == Some(false) { TriggerState::Disabled } else { TriggerState::Active },
            registered_by: None,
            created_at: now,
            updated_at: now,
        });
    }
    let names: HashMap<_, _> = ids.iter().map(|(name, id)| (*id, (*name).to_owned())).collect();
    let (parts, left_out) = triggers::parts(&made, &names);
    match left_out.first() {
        // Only those of a circle.
        Some(_) => Err(Error::invalid("about_trigger", "triggers listen to each other's dead letters in a circle")),
        None => Ok(parts),
    }
}

fn placed(at: &str, error: Error) -> Error {
    let message = format!("{at}: {}", error.message);
    Error { message: message.into(), ..error }
}
