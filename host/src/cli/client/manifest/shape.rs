//! The keys of a `picloud.toml`, and how an environment goes over them.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};
use toml::Spanned;

use crate::cli::client::routes::Pattern;
use crate::model::script::Limits;
use crate::model::topic::Access;

/// A whole manifest. Every key is known, or refused with its place.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    app: Option<Spanned<String>>,
    #[serde(default)]
    scripts: Scripts,
    grants: Option<Grants>,
    topics: Option<Topics>,
    #[serde(default)]
    env: BTreeMap<String, Layer>,
}

/// What a manifest says, or what one of its environments says instead.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Layer {
    pub(super) app: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) scripts: Scripts,
    pub(super) grants: Option<Grants>,
    pub(super) topics: Option<Topics>,
}

/// By name.
type Scripts = BTreeMap<Spanned<String>, Script>;
/// Patterns by capability.
pub(super) type Grants = BTreeMap<String, Vec<String>>;
/// Who may subscribe, by topic.
pub(super) type Topics = BTreeMap<String, Access>;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Script {
    pub(super) file: Option<Spanned<String>>,
    kind: Option<Kind>,
    description: Option<String>,
    #[serde(default)]
    limits: BTreeMap<Spanned<String>, u64>,
    routes: Option<Vec<Route>>,
    triggers: Option<Vec<Trigger>>,
}

#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Endpoint,
    Module,
}

/// `"GET /visits/:who"`, or a table.
#[derive(Debug, Serialize)]
struct Route(RouteTable);

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RouteTable {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dispatch_mode: Option<String>,
}

/// What it holds is the node's to judge; which keys there are is known.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Trigger {
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    collection: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ops: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    schedule: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timezone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    topic: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    about_script: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    about_trigger: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_attempts: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    backoff: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base_delay_ms: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_delay_ms: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jitter: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enabled: Option<bool>,
}

/// What is wrong, and where in the text.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) span: Option<Range<usize>>,
    pub(super) message: String,
}

impl Wrong {
    pub(super) fn at(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { span: Some(span), message: message.into() }
    }
}

impl From<toml::de::Error> for Wrong {
    fn from(error: toml::de::Error) -> Self {
        Self { span: error.span(), message: error.message().to_owned() }
    }
}

impl File {
    pub(super) fn parse(text: &str) -> Result<Self, Wrong> {
        let file: Self = toml::from_str(text)?;
        let known: Vec<&str> = Limits::default().each().map(|(bound, _)| bound.name).collect();
        let scripts = file.scripts.values().chain(file.env.values().flat_map(|layer| layer.scripts.values()));
        match scripts.flat_map(|script| script.limits.keys()).find(|name| !known.contains(&name.get_ref().as_str())) {
            Some(name) => {
                let message = format!("unknown limit `{}`, expected one of {}", name.get_ref(), known.join(", "));
                Err(Wrong::at(name.span(), message))
            }
            None => Ok(file),
        }
    }

    /// What holds in an environment, or in none. Tables are put over each other; values and lists take the place of those before.
    pub(super) fn layer(mut self, env: Option<&str>) -> Result<Layer, Wrong> {
        let mut layer = Layer { app: self.app, scripts: self.scripts, grants: self.grants, topics: self.topics };
        let Some(env) = env else { return Ok(layer) };
        let Some(over) = self.env.remove(env) else {
            let known = self.env.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            let known = if known.is_empty() { "none".to_owned() } else { known };
            return Err(Wrong { span: None, message: format!("there is no environment {env}: it has {known}") });
        };
        layer.app = over.app.or(layer.app);
        for (name, script) in over.scripts {
            match layer.scripts.get_mut(&name) {
                Some(before) => before.put(script),
                None => drop(layer.scripts.insert(name, script)),
            }
        }
        if let Some(grants) = over.grants {
            layer.grants.get_or_insert_default().extend(grants);
        }
        if let Some(topics) = over.topics {
            layer.topics.get_or_insert_default().extend(topics);
        }
        Ok(layer)
    }
}

impl Script {
    fn put(&mut self, over: Self) {
        let Self { file, kind, description, limits, routes, triggers } = over;
        self.file = file.or(self.file.take());
        self.kind = kind.or(self.kind);
        self.description = description.or(self.description.take());
        self.limits.extend(limits);
        self.routes = routes.or(self.routes.take());
        self.triggers = triggers.or(self.triggers.take());
    }

    /// As the API takes it.
    pub(super) fn body(&self, source: &str) -> Value {
        let limits: BTreeMap<&str, u64> = self.limits.iter().map(|(name, value)| (name.get_ref().as_str(), *value)).collect();
        json!({
            "source": source,
            "kind": self.kind.unwrap_or(Kind::Endpoint),
            "description": self.description.as_deref().unwrap_or_default(),
            "limits": limits,
            "routes": self.routes.as_deref().unwrap_or_default(),
            "triggers": self.triggers.as_deref().unwrap_or_default(),
        })
    }
}

impl<'de> Deserialize<'de> for Route {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(OfRoute)
    }
}

struct OfRoute;

impl<'de> Visitor<'de> for OfRoute {
    type Value = Route;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a route such as \"GET /visits/:who\", or a table with `path`")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Route, E> {
        let Pattern { method, path } = text.parse().map_err(E::custom)?;
        Ok(Route(RouteTable { path, method, host: None, dispatch_mode: None }))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Route, A::Error> {
        RouteTable::deserialize(MapAccessDeserializer::new(map)).map(Route)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: &str = "\
app = \"shop\"
[scripts.visits]
file = \"a.rhai\"
description = \"counts\"
limits = { timeout_ms = 2000, fuel = 5000000 }
routes = [\"get /visits/:who\", { path = \"/v\", dispatch_mode = \"async\" }, \"/any\"]
triggers = [{ kind = \"queue\", queue = \"orders\", max_attempts = 3 }]
[grants]
kv = [\"*\"]
http = [\"one.example\"]
[topics]
news = \"public\"
\"orders.paid\" = \"token\"
[env.staging]
app = \"shop-staging\"
[env.staging.scripts.visits]
limits = { timeout_ms = 5000 }
routes = []
[env.staging.scripts.more]
kind = \"module\"
[env.staging.grants]
http = []
[env.staging.topics]
news = \"internal\"
";

    fn layer(text: &str, env: Option<&str>) -> Layer {
        File::parse(text).and_then(|file| file.layer(env)).unwrap()
    }

    #[test]
    fn a_manifest_is_what_the_api_takes() {
        let layer = layer(BOTH, None);
        assert_eq!(layer.app.unwrap().into_inner(), "shop");
        let visits = layer.scripts.values().next().unwrap();
        assert_eq!(
            visits.body("1"),
            json!({
                "source": "1", "kind": "endpoint", "description": "counts",
                "limits": { "timeout_ms": 2000, "fuel": 5_000_000 },
                "routes": [
                    { "path": "/visits/:who", "method": "GET" },
                    { "path": "/v", "dispatch_mode": "async" },
                    { "path": "/any" },
                ],
                "triggers": [{ "kind": "queue", "queue": "orders", "max_attempts": 3 }],
            })
        );
        assert_eq!(layer.grants.unwrap().len(), 2);
    }

    #[test]
    fn an_environment_goes_over_tables_and_replaces_lists_and_values() {
        let layer = layer(BOTH, Some("staging"));
        assert_eq!(layer.app.unwrap().into_inner(), "shop-staging");
        let of = |name: &str| layer.scripts.iter().find(|(key, _)| key.get_ref() == name).unwrap().1.body("1");
        let visits = of("visits");
        assert_eq!(visits["limits"], json!({ "timeout_ms": 5000, "fuel": 5_000_000 }));
        assert_eq!((&visits["routes"], &visits["description"]), (&json!([]), &json!("counts")));
        assert_eq!(of("more")["kind"], "module");
        let grants = layer.grants.unwrap();
        assert_eq!((&grants["kv"], &grants["http"]), (&vec!["*".to_owned()], &Vec::new()));
        let topics = layer.topics.unwrap();
        assert_eq!((topics["news"], topics["orders.paid"]), (Access::Internal, Access::Token));
    }

    #[test]
    fn grants_and_topics_that_are_left_out_stay_left_out() {
        let left_out = layer("[scripts.a]\n", None);
        assert!(left_out.grants.is_none() && left_out.topics.is_none());
        assert_eq!(layer("[grants]\n", None).grants.unwrap().len(), 0);
        assert_eq!(layer("[topics]\n", None).topics.unwrap().len(), 0);
    }

    #[test]
    fn what_is_not_known_is_refused_at_its_place() {
        for (text, place, word) in [
            ("app = \"a\"\nscript = 1\n", "script", "script"),
            ("[scripts.a]\nroute = []\n", "route", "route"),
            ("[scripts.a]\nkind = \"page\"\n", "\"page\"", "page"),
            ("[scripts.a]\nlimits = { timeout = 1 }\n", "timeout", "timeout_ms"),
            ("[scripts.a]\ntriggers = [{ kind = \"queue\", que = \"a\" }]\n", "que =", "que"),
            ("[scripts.a]\nroutes = [\"nope\"]\n", "\"nope\"", "begins with"),
            ("[scripts.a]\nroutes = [{ path = \"/a\", mode = 1 }]\n", "mode", "mode"),
            ("[env.a.scripts.b]\nlimits = { timeout = 1 }\n", "timeout", "timeout_ms"),
            ("[topics]\nnews = \"everybody\"\n", "\"everybody\"", "everybody"),
            ("[env.a.env.b]\n", "env.b", "env"),
            ("app = \"a\n", "\n", ""),
            ("app = 7\n", "7", "string"),
        ] {
            let wrong = File::parse(text).unwrap_err();
            let start = wrong.span.clone().unwrap_or_else(|| panic!("{text}: {wrong:?}")).start;
            assert!(text[start..].starts_with(place), "{text}: {start} {wrong:?}");
            assert!(wrong.message.contains(word), "{text}: {wrong:?}");
        }
        assert!(File::parse("").unwrap().layer(Some("a")).unwrap_err().message.contains("no environment a"));
    }
}
