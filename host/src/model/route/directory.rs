//! Every app, script and route of the installation, as one value: built from rows, never changed, swapped whole.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use crate::id::{AppId, ScriptId};
use crate::limits;
use crate::model::grant::Grants;
use crate::model::invocation::Deployed;
use crate::model::preview;
use crate::model::quota::Quota;
use crate::model::route::host::normalize_domain;
use crate::model::route::{AppTable, Found, HostPattern, Lookup, PathFault, Route, normalize_host};
use crate::model::split::Split;

/// What a node needs to find the script of a request.
#[derive(Debug)]
pub struct Directory {
    /// `.localhost`
    suffix: String,
    apps: HashMap<Box<str>, Arc<AppTable>>,
    /// By proven name.
    domains: HashMap<Box<str>, Arc<AppTable>>,
    /// By the name below which every name of one label was proven.
    wildcards: HashMap<Box<str>, Arc<AppTable>>,
    /// By slugs that are no app's any more.
    former_slugs: HashMap<Box<str>, Arc<AppTable>>,
    by_id: HashMap<AppId, Arc<AppTable>>,
    scripts: HashMap<ScriptId, Arc<Deployed>>,
    by_name: HashMap<AppId, HashMap<Box<str>, Arc<Deployed>>>,
}

/// What a directory is built from.
#[derive(Debug, Default)]
pub struct Source {
    pub apps: Vec<SourceApp>,
    pub scripts: Vec<Deployed>,
    /// Routes to scripts or apps that are not among these are left out.
    pub routes: Vec<Route>,
    /// Names that apps have proven to own; of apps that are not among these they are left out.
    pub domains: Vec<(HostPattern, AppId)>,
    /// Slugs that apps had before, likewise.
    pub former_slugs: Vec<(String, AppId)>,
    /// Of apps whose requests are split, likewise.
    pub splits: Vec<(AppId, Split)>,
}

#[derive(Debug)]
pub struct SourceApp {
    pub id: AppId,
    pub slug: String,
    pub cors_origins: Vec<String>,
    pub grants: Grants,
    /// What it may use.
    pub quota: Quota,
}

/// What the directory says to a request.
#[derive(Debug)]
pub enum Resolution<'d> {
    Found { app: &'d Arc<AppTable>, found: Found<'d> },
    OtherMethod { app: &'d Arc<AppTable>, allow: Vec<&'d str> },
    NoRoute { app: &'d Arc<AppTable> },
    Malformed { app: &'d Arc<AppTable>, fault: PathFault },
    UnknownHost,
}

impl Directory {
    /// `apps_domain` is the name under which every app answers at `{slug}.`; the order of the rows means nothing.
    pub fn new(apps_domain: &str, source: Source) -> Self {
        let quotas: HashMap<AppId, Quota> = source.apps.iter().map(|app| (app.id, app.quota)).collect();
        let scripts = source.scripts.into_iter().map(|mut script| {
            // What was published before the quota was lowered.
            if let Some(quota) = quotas.get(&script.app_id) {
                script.limits = script.limits.under(quota);
            }
            (script.script_id, Arc::new(script))
        });
        let scripts: HashMap<ScriptId, Arc<Deployed>> = scripts.collect();
        let mut routes: HashMap<AppId, Vec<(Route, Arc<Deployed>)>> = HashMap::new();
        for route in source.routes {
            if let Some(script) = scripts.get(&route.script_id).filter(|script| script.app_id == route.app_id) {
                routes.entry(route.app_id).or_default().push((route, script.clone()));
            }
        }
        let suffix = format!(".{}", normalize_domain(apps_domain));
        let mut splits: HashMap<AppId, Split> = source.splits.into_iter().collect();
        let apps = source.apps.into_iter().map(|app| {
            let routes = routes.remove(&app.id).unwrap_or_default();
            let host = format!("{}{suffix}", app.slug);
            let split = splits.remove(&app.id);
            (app.slug.as_str().into(), Arc::new(AppTable::new(app, host, split, routes)))
        });
        let apps: HashMap<_, _> = apps.collect();
        let by_id: HashMap<_, _> = apps.values().map(|app: &Arc<AppTable>| (app.app_id, app.clone())).collect();
        let (mut domains, mut wildcards) = (HashMap::<Box<str>, _>::new(), HashMap::<Box<str>, _>::new());
        for (host, id) in source.domains {
            if let Some(app) = by_id.get(&id) {
                let names = if host.is_wildcard() { &mut wildcards } else { &mut domains };
                names.insert(host.name().into(), app.clone());
            }
        }
        let former_slugs = source.former_slugs.into_iter().filter_map(|(slug, id)| Some((slug.into(), by_id.get(&id)?.clone())));
        let former_slugs: HashMap<Box<str>, _> = former_slugs.collect();
        let mut by_name: HashMap<_, HashMap<Box<str>, _>> = HashMap::new();
        for script in scripts.values() {
            by_name.entry(script.app_id).or_default().insert(script.name.as_str().into(), script.clone());
        }
        Self { suffix, apps, domains, wildcards, former_slugs, by_id, scripts, by_name }
    }

    /// The app that a request with this `Host` is for, and the host in the form that routes are compared in. Names of the apps
    /// domain go by slug alone, whatever anybody has proven; of the others an exact one goes before a wildcard. Allocates only
    /// to change case.
    pub fn app<'d, 'h>(&'d self, host: &'h str) -> Option<(&'d Arc<AppTable>, Cow<'h, str>)> {
        let host = normalize_host(host)?;
        let app = match host.strip_suffix(self.suffix.as_str()) {
            Some(labels) => self.apps.get(labels.rsplit('.').next()?)?,
            None if self.suffix.strip_prefix('.') == Some(host.as_ref()) => return None,
            None => self.domains.get(host.as_ref()).or_else(|| self.wildcards.get(host.split_once('.')?.1))?,
        };
        Some((app, host))
    }

    /// Whether a proxy may get a certificate for the name when somebody asks for it: one under which an app answers, or is sent on,
    /// and that nobody but us or its owner can have any number of. Names below those of the apps domain, and of previews, are not.
    pub fn has_certificate(&self, host: &str) -> bool {
        let Some(host) = normalize_host(host) else { return false };
        match host.strip_suffix(self.suffix.as_str()) {
            Some(slug) => self.apps.contains_key(slug) || self.former_slugs.contains_key(slug),
            None => self.app(&host).is_some(),
        }
    }

    /// Where a request is sent on whose `Host` names a slug that an app had before: the app, and its name now in place of the old
    /// one, labels in front kept. `None` for a name that would be longer than the DNS allows.
    pub fn moved(&self, host: &str) -> Option<(&Arc<AppTable>, String)> {
        let host = normalize_host(host)?;
        let labels = host.strip_suffix(self.suffix.as_str())?;
        let (below, slug) = labels.rsplit_once('.').map_or(("", labels), |(below, slug)| (below, slug));
        let app = self.former_slugs.get(slug).filter(|_| !self.apps.contains_key(slug))?;
        let dot = if below.is_empty() { "" } else { "." };
        let name = format!("{below}{dot}{}", app.host);
        (name.len() <= limits::ROUTE_HOST_CHARS_MAX).then_some((app, name))
    }

    /// The app whose deployment a request with this `Host` is to be shown (`v7--{slug}.{apps domain}`, or a name below that), the
    /// deployment's number, and the host in the form that the app's routes are compared in. A name that is an app's own is never one.
    pub fn preview(&self, host: &str) -> Option<(&Arc<AppTable>, i32, String)> {
        let host = normalize_host(host)?;
        let labels = host.strip_suffix(self.suffix.as_str())?;
        let (below, label) = labels.rsplit_once('.').map_or(("", labels), |(below, label)| (below, label));
        if self.apps.contains_key(label) {
            return None;
        }
        let (number, slug) = preview::read_label(label)?;
        let app = self.apps.get(slug)?;
        let dot = if below.is_empty() { "" } else { "." };
        Some((app, number, format!("{below}{dot}{}", app.host)))
    }

    /// How many apps there are.
    pub fn apps(&self) -> usize {
        self.by_id.len()
    }

    pub fn app_by_slug(&self, slug: &str) -> Option<&Arc<AppTable>> {
        self.apps.get(slug)
    }

    pub fn app_by_id(&self, id: AppId) -> Option<&Arc<AppTable>> {
        self.by_id.get(&id)
    }

    /// The version that answers now; modules among them.
    pub fn script(&self, id: ScriptId) -> Option<&Arc<Deployed>> {
        self.scripts.get(&id)
    }

    /// The same by the name that other scripts of the app know it by.
    pub fn script_of(&self, app: AppId, name: &str) -> Option<&Arc<Deployed>> {
        self.by_name.get(&app)?.get(name)
    }

    /// Host → app → route. `path` is as sent, without the query.
    pub fn resolve(&self, host: &str, method: &str, path: &str) -> Resolution<'_> {
        let Some((app, host)) = self.app(host) else { return Resolution::UnknownHost };
        match app.lookup(&host, method, path) {
            Lookup::Found(found) => Resolution::Found { app, found },
            Lookup::OtherMethod { allow } => Resolution::OtherMethod { app, allow },
            Lookup::NotFound => Resolution::NoRoute { app },
            Lookup::Malformed(fault) => Resolution::Malformed { app, fault },
        }
    }
}
