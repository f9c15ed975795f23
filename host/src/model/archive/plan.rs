//! What an import makes of a manifest: judged by the rules under which such things are made otherwise, in the words of the app
//! that is to be. What cannot be as it was is not made, and a note says so.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::manifest::{Manifest, RoutePart, ScriptPart, TriggerPart, VersionPart};
use super::{MANIFEST, Notes, Wanted, moment, refused, refusing, source_entry};
use crate::error::{Error, Result};
use crate::id::ScriptId;
use crate::limits;
use crate::model::app::{NewApp, check_cors_origins, check_name, check_slug};
use crate::model::grant::Grants;
use crate::model::retry::Retry;
use crate::model::route::{DispatchMode, HostPattern, Method, PathPattern};
use crate::model::script::{self, Kind, Limits};
use crate::model::secret;
use crate::model::topic::{Access, check_registry};
use crate::model::trigger::{NewTrigger, Rule};

/// An app to be.
#[derive(Debug, Clone)]
pub struct Plan {
    pub from: Provenance,
    pub app: NewApp,
    pub cors_origins: Vec<String>,
    pub grants: Grants,
    /// By name, each once.
    pub scripts: Vec<PlannedScript>,
    pub routes: Vec<PlannedRoute>,
    pub triggers: Vec<PlannedTrigger>,
    /// Who may subscribe, by topic to be registered.
    pub topics: BTreeMap<String, Access>,
    pub notes: Notes,
}

/// Where it comes from, for the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance {
    pub slug: String,
    /// The version that exported it.
    pub picloud: String,
    pub exported_at: DateTime<Utc>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedScript {
    pub name: String,
    pub kind: Kind,
    pub description: String,
    /// Number of one of its versions.
    pub active: i32,
    pub created_at: DateTime<Utc>,
    /// By number, each once.
    pub versions: Vec<PlannedVersion>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedVersion {
    pub number: i32,
    /// As the archive says it: the source must have it.
    pub digest: String,
    pub limits: Limits,
    pub created_at: DateTime<Utc>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedRoute {
    /// Place of its script.
    pub script: usize,
    pub method: Option<Method>,
    pub host: Option<HostPattern>,
    pub path: PathPattern,
    pub dispatch_mode: DispatchMode,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedTrigger {
    /// Place of its script.
    pub script: usize,
    /// Of dead letters: without the ids, which are those of the next two.
    pub rule: Rule,
    pub about_script: Option<usize>,
    /// Place of a trigger before it.
    pub about_trigger: Option<usize>,
    pub retry: Retry,
    pub is_enabled: bool,
}

impl Plan {
    /// # Errors
    /// `invalid_archive` for what the manifest says; 422 `invalid` for a wanted slug or name that is none.
    pub fn of(manifest: Manifest, wanted: &Wanted, apps_domain: &str, now: DateTime<Utc>) -> Result<Self> {
        let Manifest { picloud, exported_at, app, scripts, routes, triggers, topics, secrets, domains, left_out, .. } = manifest;
        let wrong = |error| refusing(MANIFEST, None, error);
        let (slug, name) = (wanted.slug.as_ref().unwrap_or(&app.slug), wanted.name.as_ref().unwrap_or(&app.name));
        check_slug(slug).map_err(|error| if wanted.slug.is_some() { error } else { wrong(error) })?;
        check_name(name).map_err(|error| if wanted.name.is_some() { error } else { wrong(error) })?;
        check_cors_origins(&app.cors_origins).map_err(wrong)?;
        let grants = Grants::default().with(app.grants).map_err(wrong)?;
        let mut notes = Notes::default();
        for note in left_out.into_iter().take(limits::ARCHIVE_NOTES_MAX) {
            notes.add(format!("the archive itself leaves out {note}"));
        }
        let scripts = planned_scripts(scripts, now)?;
        let places = scripts.iter().enumerate().map(|(place, script)| (script.name.clone(), place)).collect();
        let scripts = Scripts { scripts, places };
        let names = Names { old_host: app.host, slug, apps_domain };
        let routes = planned_routes(routes, &scripts, &names, &mut notes)?;
        let triggers = planned_triggers(triggers, &scripts, now, &mut notes)?;
        check_registry(&topics)
            .map_err(|error| wrong(Error { message: format!("topics: {}", error.message).into(), ..error }))?;
        let public: Vec<_> =
            topics.iter().filter(|(_, access)| **access == Access::Public).map(|(name, _)| name.as_str()).collect();
        if !public.is_empty() {
            notes.add(format!("everybody may subscribe to these topics: {}", public.join(", ")));
        }
        note_secrets(&secrets, &mut notes)?;
        if !domains.is_empty() {
            notes.add(format!("the app had proven domains, which this one must prove itself: {}", domains.join(", ")));
        }
        if !grants.networks().is_empty() {
            let networks: Vec<_> = grants.networks().iter().map(ToString::to_string).collect();
            notes.add(format!("its scripts may reach these networks of yours: {}", networks.join(", ")));
        }
        let new = NewApp { slug: slug.clone(), name: name.clone(), takeover: false };
        let from = Provenance { slug: app.slug.clone(), picloud, exported_at };
        let (cors_origins, scripts) = (app.cors_origins, scripts.scripts);
        Ok(Self { from, app: new, cors_origins, grants, scripts, routes, triggers, topics, notes })
    }
}

/// The scripts with their places by name.
struct Scripts {
    scripts: Vec<PlannedScript>,
    places: BTreeMap<String, usize>,
}

impl Scripts {
    fn place(&self, name: &str) -> Result<usize> {
        self.places.get(name).copied().ok_or_else(|| Error::invalid("script", "it names a script that the archive has not"))
    }

    /// One that answers or handles.
    fn endpoint(&self, name: &str) -> Result<usize> {
        let place = self.place(name)?;
        match self.scripts.get(place).map(|script| script.kind) {
            Some(Kind::Endpoint) => Ok(place),
            _ => Err(Error::invalid("script", format!("{name} is a module: it answers nothing and handles nothing"))),
        }
    }
}

/// Where the app was reached, and where it will be.
struct Names<'a> {
    old_host: String,
    slug: &'a str,
    apps_domain: &'a str,
}

fn planned_scripts(parts: Vec<ScriptPart>, now: DateTime<Utc>) -> Result<Vec<PlannedScript>> {
    too_many("scripts", parts.len(), limits::ARCHIVE_SCRIPTS_MAX)?;
    too_many("versions", parts.iter().map(|part| part.versions.len()).sum(), limits::ARCHIVE_VERSIONS_MAX)?;
    let mut scripts: Vec<PlannedScript> = Vec::with_capacity(parts.len());
    for (place, part) in parts.into_iter().enumerate() {
        let ScriptPart { name, kind, description, active, created_at, versions: given } = part;
        let at = |error| placed("scripts", place, error);
        script::check_name(&name).map_err(at)?;
        script::check_description(&description).map_err(at)?;
        if scripts.last().is_some_and(|last| last.name >= name) {
            return Err(at(Error::invalid("name", "scripts stand in the order of their names, each once")));
        }
        let mut versions: Vec<PlannedVersion> = Vec::with_capacity(given.len());
        for version in given {
            let version = planned_version(&name, version, now).map_err(at)?;
            if versions.last().is_some_and(|last| last.number >= version.number) {
                return Err(at(Error::invalid("number", "versions stand in the order of their numbers, each once")));
            }
            versions.push(version);
        }
        if !versions.iter().any(|version| version.number == active) {
            return Err(at(Error::invalid("active", format!("{name} has no version {active}, which is to be active"))));
        }
        scripts.push(PlannedScript { name, kind, description, active, created_at: moment(created_at, now), versions });
    }
    Ok(scripts)
}

fn planned_version(script: &str, part: VersionPart, now: DateTime<Utc>) -> Result<PlannedVersion> {
    let VersionPart { number, digest, limits, created_at, file } = part;
    // Far from where the next one could not be counted any more.
    if !(1..=limits::ARCHIVE_VERSION_NUMBER_MAX).contains(&number) {
        return Err(Error::invalid("number", format!("{number} is no number of a version")));
    }
    if file != source_entry(script, number) {
        return Err(Error::invalid("file", format!("file of version {number} is not the entry of its source")));
    }
    let limits = limits.allowed()?;
    Ok(PlannedVersion { number, digest, limits, created_at: moment(created_at, now) })
}

fn planned_routes(parts: Vec<RoutePart>, scripts: &Scripts, names: &Names<'_>, notes: &mut Notes) -> Result<Vec<PlannedRoute>> {
    too_many("routes", parts.len(), limits::ROUTES_PER_APP_MAX)?;
    let mut routes = Vec::with_capacity(parts.len());
    for (place, part) in parts.into_iter().enumerate() {
        if let Some(route) = planned_route(&part, scripts, names).map_err(|error| placed("routes", place, error))? {
            routes.push(route);
            continue;
        }
        let (method, host) = (part.method.as_deref().unwrap_or("ANY"), part.host.as_deref().unwrap_or_default());
        let RoutePart { script, path, .. } = &part;
        let why = "the host is not this app's; prove the domain, then add the route";
        notes.add(format!("left out the route {method} {host}{path} of the script {script}: {why}"));
    }
    Ok(routes)
}

/// `None` when its host is none that the app will have.
fn planned_route(part: &RoutePart, scripts: &Scripts, names: &Names<'_>) -> Result<Option<PlannedRoute>> {
    let script = scripts.endpoint(&part.script)?;
    let (method, path) = (Method::parse_optional(part.method.as_deref())?, part.path.parse::<PathPattern>()?);
    let dispatch_mode = DispatchMode::asked(Some(&part.dispatch_mode))?;
    let host = match &part.host {
        None => None,
        Some(host) => match names.follow(host)? {
            None => return Ok(None),
            host => host,
        },
    };
    Ok(Some(PlannedRoute { script, method, host, path, dispatch_mode }))
}

impl Names<'_> {
    /// The host under the new slug, if it was under the old one.
    fn follow(&self, host: &str) -> Result<Option<HostPattern>> {
        let pattern: HostPattern = host.parse()?;
        let old = self.old_host.trim_matches('.').to_ascii_lowercase();
        if old.is_empty() || !pattern.is_at_or_below(&old) {
            return Ok(None);
        }
        let below = pattern.name().strip_suffix(old.as_str()).unwrap_or_default();
        let star = if pattern.is_wildcard() { "*." } else { "" };
        let text = format!("{star}{below}{}.{}", self.slug, self.apps_domain.trim_matches('.'));
        Ok(HostPattern::of_app(&text, self.slug, self.apps_domain, &[]).ok())
    }
}

fn planned_triggers(
    parts: Vec<TriggerPart>,
    scripts: &Scripts,
    now: DateTime<Utc>,
    notes: &mut Notes,
) -> Result<Vec<PlannedTrigger>> {
    too_many("triggers", parts.len(), limits::TRIGGERS_CEILING as usize)?;
    let mut triggers = Vec::with_capacity(parts.len());
    let mut queues = BTreeSet::new();
    for (place, part) in parts.into_iter().enumerate() {
        let at = |error| placed("triggers", place, error);
        let mut trigger = planned_trigger(&part, place, scripts, now).map_err(at)?;
        match &trigger.rule {
            Rule::Queue { queue } if !queues.insert(queue.clone()) => {
                return Err(at(Error::invalid("queue", format!("the queue {queue} has a consumer already"))));
            }
            Rule::Email { secret } if trigger.is_enabled => {
                notes.add(format!(
                    "the email trigger of the script {} is disabled: it needs the secret {secret}; set that, then enable it",
                    part.script
                ));
                trigger.is_enabled = false;
            }
            _ => {}
        }
        triggers.push(trigger);
    }
    Ok(triggers)
}

fn planned_trigger(part: &TriggerPart, place: usize, scripts: &Scripts, now: DateTime<Utc>) -> Result<PlannedTrigger> {
    let script = scripts.endpoint(&part.script)?;
    let about_script = part.rule.about_script.as_deref().map(|name| scripts.place(name)).transpose()?;
    let about_trigger = part.rule.about_trigger;
    if about_trigger.is_some_and(|about| about >= place) {
        return Err(Error::invalid("about_trigger", "a trigger that another one listens to stands before it"));
    }
    // Whose id it will be is not known yet, and no rule asks for it.
    let new =
        NewTrigger { script_id: ScriptId(Uuid::nil()), rule: part.new_rule()?, dispatch_mode: None, retry: part.retry.asked() };
    let (_, rule, retry) = new.check(now)?;
    Ok(PlannedTrigger { script, rule, about_script, about_trigger, retry, is_enabled: part.enabled })
}

fn note_secrets(secrets: &[String], notes: &mut Notes) -> Result<()> {
    too_many("secrets", secrets.len(), usize::try_from(limits::SECRETS_PER_APP_MAX).unwrap_or(usize::MAX))?;
    for (place, name) in secrets.iter().enumerate() {
        secret::check_name(name).map_err(|error| placed("secrets", place, error))?;
    }
    if !secrets.is_empty() {
        notes.add(format!("secrets are in no archive; set these again: {}", secrets.join(", ")));
    }
    Ok(())
}

fn too_many(what: &str, asked: usize, allowed: usize) -> Result<()> {
    if asked > allowed {
        return Err(refused(MANIFEST, None, format!("{asked} {what}; at most {allowed} are allowed")));
    }
    Ok(())
}

fn placed(what: &str, place: usize, error: Error) -> Error {
    let message = format!("{what}[{place}]: {}", error.message);
    refusing(MANIFEST, None, Error { message: message.into(), ..error })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn manifest() -> Value {
        let version = |number: i32| {
            json!({
                "number": number, "digest": "0".repeat(64), "file": format!("scripts/a/{number}.rhai"),
                "limits": { "fuel": 500_000_000, "memory_mb": 32, "timeout_ms": 10_000 },
                "created_at": "2026-01-02T03:04:05Z",
            })
        };
        json!({
            "format": "picloud.app", "format_version": 1, "picloud": "0.1.0", "sdk": "2.0", "exported_at": "2026-01-02T03:04:05Z",
            "app": {
                "slug": "shop", "name": "Shop", "host": "shop.old.example", "cors_origins": ["*"], "grants": { "kv": ["*"] },
            },
            "scripts": [{
                "name": "a", "kind": "endpoint", "description": "", "active": 3, "created_at": "2026-01-02T03:04:05Z",
                "versions": [version(1), version(3)],
            }],
            "routes": [], "triggers": [], "topics": {}, "secrets": [], "domains": [], "left_out": [],
        })
    }

    fn plan(manifest: &Value) -> Result<Plan> {
        plan_as(manifest, &Wanted::default())
    }

    fn plan_as(manifest: &Value, wanted: &Wanted) -> Result<Plan> {
        let now = "2026-02-01T00:00:00Z".parse().unwrap();
        Plan::of(Manifest::read(manifest.to_string().as_bytes())?, wanted, "localhost", now)
    }

    fn route(host: Option<&str>) -> Value {
        json!({ "script": "a", "path": "/x", "host": host, "method": "GET", "dispatch_mode": "sync" })
    }

    fn trigger(kind: &str, rule: Value) -> Value {
        let retry = json!({ "max_attempts": 3, "backoff": "linear", "base_delay_ms": 1, "max_delay_ms": 2, "jitter": false });
        json!({ "script": "a", "kind": kind, "rule": rule, "retry": retry, "enabled": true })
    }

    #[test]
    fn hosts_of_the_old_slug_follow_the_new_one_and_others_are_left_out() {
        let mut given = manifest();
        given["routes"] = json!([
            route(None),
            route(Some("shop.old.example")),
            route(Some("api.shop.old.example")),
            route(Some("*.shop.old.example")),
            route(Some("shop.localhost")),
            route(Some("notshop.old.example")),
            route(Some("store.example")),
        ]);
        let wanted = Wanted { slug: Some("mall".into()), name: None };
        let plan = plan_as(&given, &wanted).unwrap();
        let hosts: Vec<_> = plan.routes.iter().map(|route| route.host.as_ref().map(ToString::to_string)).collect();
        let own = |host: &str| Some(host.to_owned());
        assert_eq!(hosts, [None, own("mall.localhost"), own("api.mall.localhost"), own("*.mall.localhost")]);
        assert_eq!((plan.app.slug.as_str(), plan.app.name.as_str(), plan.from.slug.as_str()), ("mall", "Shop", "shop"));
        let notes = plan.notes.into_texts();
        assert_eq!(notes.len(), 3);
        assert!(notes[2].contains("GET store.example/x of the script a"), "{notes:?}");
    }

    #[test]
    fn what_needs_a_secret_comes_disabled_and_the_secret_is_named() {
        let mut given = manifest();
        given["triggers"] = json!([trigger("email", json!({ "secret": "mail-key" })), trigger("queue", json!({ "queue": "q" }))]);
        given["secrets"] = json!(["mail-key", "stripe"]);
        let plan = plan(&given).unwrap();
        assert_eq!(plan.triggers.iter().map(|trigger| trigger.is_enabled).collect::<Vec<_>>(), [false, true]);
        let notes = plan.notes.into_texts();
        assert!(notes[0].contains("mail-key") && notes[1].contains("mail-key, stripe"), "{notes:?}");
    }

    #[test]
    fn every_rule_of_making_holds() {
        let trigger_about = |place: usize| trigger("dead_letter", json!({ "about_trigger": place }));
        let bad_route = |script: &str, path: &str, mode: &str| {
            let route = json!({ "script": script, "path": path, "host": null, "method": null, "dispatch_mode": mode });
            json!([route])
        };
        let cases: Vec<(&str, Value, &str)> = vec![
            ("/app/slug", json!("www"), "reserved"),
            ("/app/slug", json!("../etc"), "DNS label"),
            ("/app/name", json!(""), "not blank"),
            ("/app/cors_origins", json!(["x"]), "an origin is"),
            ("/app/grants", json!({ "log": ["*"] }), "no capability"),
            ("/app/grants", json!({ "http": ["127.0.0.1/8"] }), "http[0]"),
            ("/scripts/0/name", json!("../a"), "name starts with"),
            ("/scripts/0/active", json!(2), "no version 2"),
            ("/scripts/0/versions/0/number", json!(0), "no number"),
            ("/scripts/0/versions/0/file", json!("scripts/a/2.rhai"), "not the entry"),
            ("/scripts/0/versions/0/limits/fuel", json!(1), "limits.fuel"),
            ("/scripts/0/versions/1", manifest()["scripts"][0]["versions"][0].clone(), "each once"),
            ("/scripts/0/description", json!("\u{202e}"), "invisible"),
            ("/routes", bad_route("b", "/", "sync"), "has not"),
            ("/routes", bad_route("a", "x", "sync"), "routes[0]"),
            ("/routes", bad_route("a", "/", "x"), "sync or async"),
            ("/triggers", json!([trigger("kv", json!({ "collection": "a*b", "ops": ["insert"] }))]), "before its end"),
            ("/triggers", json!([trigger("cron", json!({ "schedule": "x", "timezone": "UTC" }))]), "six are needed"),
            ("/triggers", json!([trigger_about(0)]), "stands before"),
            ("/triggers", json!(vec![trigger("queue", json!({ "queue": "q" })); 2]), "has a consumer already"),
            ("/topics", json!({ "a*": "public" }), "topics: "),
            ("/secrets", json!(["a b"]), "secrets[0]"),
        ];
        for (place, value, why) in cases {
            let mut given = manifest();
            *given.pointer_mut(place).expect(place) = value;
            let error = plan(&given).unwrap_err();
            assert_eq!(error.code, "invalid_archive", "{place}: {error}");
            assert!(error.message.starts_with("manifest.json: ") && error.message.contains(why), "{place}: {error}");
        }
    }

    #[test]
    fn modules_answer_nothing_and_numbers_are_bounded() {
        let mut given = manifest();
        given["scripts"][0]["kind"] = json!("module");
        assert!(plan(&given).is_ok());
        given["routes"] = json!([route(None)]);
        assert!(plan(&given).unwrap_err().message.contains("is a module"));
        let mut given = manifest();
        given["routes"] = json!(vec![route(None); limits::ROUTES_PER_APP_MAX]);
        assert!(plan(&given).is_ok(), "conflicts are found where routes are made");
        given["routes"] = json!(vec![route(None); limits::ROUTES_PER_APP_MAX + 1]);
        assert!(plan(&given).unwrap_err().message.contains("at most 1000"));
    }

    #[test]
    fn topics_come_in_and_those_that_are_everybodys_are_told() {
        let mut given = manifest();
        given["topics"] = json!({ "news": "public", "orders": "token" });
        let planned = plan(&given).unwrap();
        assert_eq!(planned.topics.len(), 2);
        assert!(planned.notes.into_texts().contains(&"everybody may subscribe to these topics: news".to_owned()));
    }

    #[test]
    fn a_wrong_wish_is_the_wishers() {
        let wanted = Wanted { slug: Some("WWW".into()), name: None };
        assert_eq!(plan_as(&manifest(), &wanted).unwrap_err().code, "invalid");
        let mut reserved = manifest();
        reserved["app"]["slug"] = json!("www");
        let wanted = Wanted { slug: Some("fine".into()), name: Some("Fine".into()) };
        assert_eq!(plan_as(&reserved, &wanted).unwrap().app.name, "Fine");
    }
}
