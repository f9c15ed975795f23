//! Every app, script and route of the installation, as one value: built from rows, never changed, swapped whole.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use crate::id::{AppId, ScriptId};
use crate::model::grant::Grants;
use crate::model::invocation::Deployed;
use crate::model::route::host::normalize_domain;
use crate::model::route::{AppTable, Found, Lookup, PathFault, Route, normalize_host};

/// What a node needs to find the script of a request.
#[derive(Debug)]
pub struct Directory {
    /// `.localhost`
    suffix: String,
    apps: HashMap<Box<str>, Arc<AppTable>>,
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
}

#[derive(Debug)]
pub struct SourceApp {
    pub id: AppId,
    pub slug: String,
    pub cors_origins: Vec<String>,
    pub grants: Grants,
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
        let scripts: HashMap<ScriptId, Arc<Deployed>> =
            source.scripts.into_iter().map(|script| (script.script_id, Arc::new(script))).collect();
        let mut routes: HashMap<AppId, Vec<(Route, Arc<Deployed>)>> = HashMap::new();
        for route in source.routes {
            if let Some(script) = scripts.get(&route.script_id).filter(|script| script.app_id == route.app_id) {
                routes.entry(route.app_id).or_default().push((route, script.clone()));
            }
        }
        let suffix = format!(".{}", normalize_domain(apps_domain));
        let apps = source.apps.into_iter().map(|app| {
            let routes = routes.remove(&app.id).unwrap_or_default();
            let host = format!("{}{suffix}", app.slug);
            (app.slug.as_str().into(), Arc::new(AppTable::new(app, host, routes)))
        });
        let apps: HashMap<_, _> = apps.collect();
        let by_id = apps.values().map(|app: &Arc<AppTable>| (app.app_id, app.clone())).collect();
        let mut by_name: HashMap<_, HashMap<Box<str>, _>> = HashMap::new();
        for script in scripts.values() {
            by_name.entry(script.app_id).or_default().insert(script.name.as_str().into(), script.clone());
        }
        Self { suffix, apps, by_id, scripts, by_name }
    }

    /// The app that a request with this `Host` is for, and the host in the form that routes are compared in.
    pub fn app<'d, 'h>(&'d self, host: &'h str) -> Option<(&'d Arc<AppTable>, Cow<'h, str>)> {
        let host = normalize_host(host)?;
        let labels = host.strip_suffix(self.suffix.as_str())?;
        let slug = labels.rsplit('.').next()?;
        Some((self.apps.get(slug)?, host))
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
