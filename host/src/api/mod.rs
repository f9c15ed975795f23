//! The control plane: who owns what, under `/api/v1`, and the dashboard beside it.
//!
//! `endpoints` is the table: no operation exists without a row, no row without an access rule. `gate` holds the rule
//! before a handler runs or a byte of the body is read, and hands over the app that it is about; `idempotency` has done once
//! what comes twice; `body` and `query` read what came, strictly; a handler calls one thing of `service` or `invoke` and shapes
//! the answer (`answer`); `error` and `edge` make every failure one envelope with a request id. JSON shapes live here alone, and
//! `openapi` is the document that `describe` reads from handlers' types.
//!
//! Invariants: nothing here holds SQL, opens a transaction or reads a script's source. What a script answers never
//! becomes a page of this origin (`execute`). A handler keeps no state: a crash between two requests loses nothing that
//! was answered.

mod answer;
mod apps;
mod archive;
mod audit;
mod body;
mod dashboard;
mod dead_letters;
mod deployments;
mod describe;
mod docs;
mod domains;
mod edge;
mod endpoints;
mod error;
mod etag;
mod execute;
mod executions;
mod files;
mod follow;
mod gate;
mod grants;
mod health;
mod idempotency;
mod keys;
mod kv;
mod limits;
mod members;
mod metrics;
mod node;
mod nodes;
mod openapi;
mod previews;
mod query;
mod queues;
mod quota;
mod restrictions;
mod routes;
mod scripts;
mod secrets;
mod sessions;
mod splits;
mod subscriber_tokens;
mod test_calls;
mod topics;
mod triggers;
mod usage;
mod users;

use std::borrow::Cow;
use std::sync::Arc;

use axum::Router;
use axum::http::Method;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;

use crate::config::Hidden;
use crate::invoke::Invoker;
use crate::model::access::Rule;
use crate::model::page::Page;
use crate::service::Services;

/// What the plane is told from outside.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// Where browsers reach this plane when a proxy stands in front (`https://cloud.example`): its scheme decides
    /// whether cookies are bound to https, its origin may write beside the one in `Host`.
    pub public_base_url: Option<String>,
    /// What whoever reads `/metrics` has to bring; without, whoever runs on this machine may.
    pub metrics_token: Option<Hidden>,
    /// Port that the data plane listens on; `None` is the one that URLs leave out.
    pub data_port: Option<u16>,
}

impl Config {
    /// Where browsers reach an app of that host. A proxy before this plane (https, or http without a port) stands before
    /// the data plane too; otherwise the data plane is reached as it listens.
    fn app_url(&self, host: &str) -> String {
        let public = self.public_base_url.as_deref().and_then(|url| url.split_once("://"));
        let port_of =
            |authority: &str| authority.rsplit_once(':').and_then(|(_, port)| port.trim_end_matches('/').parse::<u16>().ok());
        let (scheme, port) = match public.map(|(_, authority)| port_of(authority)) {
            Some(port) if self.is_https() => ("https", port.filter(|port| *port != 443)),
            Some(None) => ("http", None),
            _ => ("http", self.data_port.filter(|port| *port != 80)),
        };
        match port {
            Some(port) => format!("{scheme}://{host}:{port}"),
            None => format!("{scheme}://{host}"),
        }
    }

    /// Whether this plane is reached at that host name.
    fn is_at(&self, host: &str) -> bool {
        let url = self.public_base_url.as_deref().and_then(|url| url::Url::parse(url).ok());
        url.is_some_and(|url| url.host_str().is_some_and(|own| own.eq_ignore_ascii_case(host.trim_end_matches('.'))))
    }

    fn is_https(&self) -> bool {
        self.public_base_url.as_deref().and_then(|url| url.get(..8)).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"))
    }
}

/// What every handler may reach.
#[derive(Clone)]
struct Api {
    services: Arc<Services>,
    invoker: Arc<Invoker>,
    config: Arc<Config>,
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api").field("config", &self.config).finish_non_exhaustive()
    }
}

/// The whole plane. A remote address is shown to scripts when the server gives `ConnectInfo<SocketAddr>`.
pub fn router(services: Arc<Services>, invoker: Arc<Invoker>, config: Config) -> Router {
    let api = Api { services, invoker, config: Arc::new(config) };
    let mut router = Router::new();
    for endpoint in endpoints::table() {
        let gate = gate::Gate { api: api.clone(), rule: endpoint.rule, query: endpoint.query.map(Arc::from) };
        router = router.route(endpoint.path, endpoint.route.route_layer(from_fn_with_state(gate, gate::enforce)));
    }
    router
        .method_not_allowed_fallback(error::method_not_allowed)
        .fallback(dashboard::serve)
        .layer(from_fn_with_state(api.clone(), edge::wrap))
        .with_state(api)
}

/// What is left of the plane on a node that does not administrate: whether it works, what it is, and what is measured.
pub fn bare_router(services: Arc<Services>, invoker: Arc<Invoker>, config: Config) -> Router {
    let api = Api { services, invoker, config: Arc::new(config) };
    Router::new()
        .route("/healthz", get(node::healthz))
        .route("/version", get(node::version))
        .route("/metrics", get(metrics::serve))
        .method_not_allowed_fallback(error::method_not_allowed)
        .fallback(error::no_administration)
        .layer(from_fn_with_state(api.clone(), edge::wrap))
        .with_state(api)
}

/// Every operation of the plane with its rule; a path's parameters stand in braces.
pub fn endpoints() -> Vec<(Method, &'static str, Rule)> {
    endpoints::table().into_iter().map(|e| (e.method, e.path, e.rule)).collect()
}

/// A page of a list as JSON; `cursor` is null on the last one.
#[derive(Debug, Serialize)]
struct List<T> {
    items: Vec<T>,
    cursor: Option<String>,
}

impl<T> List<T> {
    fn of<U>(page: Page<U>, shape: impl FnMut(U) -> T) -> axum::Json<Self> {
        axum::Json(Self { items: page.items.into_iter().map(shape).collect(), cursor: page.cursor })
    }
}

/// `{T}List`, with the example of an item as its example.
impl<T: JsonSchema> JsonSchema for List<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("{}List", T::schema_name()).into()
    }

    fn schema_id() -> Cow<'static, str> {
        format!("{}::List<{}>", module_path!(), T::schema_id()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let item = generator.subschema_for::<T>();
        let examples: Vec<_> = openapi::schemas::example(&item, generator.definitions()).into_iter().collect();
        json_schema!({
            "type": "object",
            "description": "A page of a list.",
            "properties": {
                "items": { "type": "array", "items": item },
                "cursor": { "type": ["string", "null"], "description": "Asks for the next page; null on the last one." },
            },
            "required": ["items", "cursor"],
            "examples": [{ "items": examples, "cursor": null }],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_apps_url_is_where_it_can_be_opened() {
        for (public, data_port, url) in [
            (None, Some(8080), "http://a.localhost:8080"),
            (None, Some(80), "http://a.localhost"),
            (None, None, "http://a.localhost"),
            (Some("https://cloud.example"), Some(8080), "https://a.localhost"),
            (Some("https://cloud.example:8443"), Some(8080), "https://a.localhost:8443"),
            (Some("https://[::1]"), Some(8080), "https://a.localhost"),
            (Some("http://cloud.lan"), Some(8080), "http://a.localhost"),
            (Some("http://cloud.lan:8081"), Some(8080), "http://a.localhost:8080"),
        ] {
            let config = Config { public_base_url: public.map(str::to_owned), data_port, ..Config::default() };
            assert_eq!(config.app_url("a.localhost"), url, "{public:?} {data_port:?}");
        }
    }

    #[test]
    fn this_plane_is_at_the_host_of_its_url_and_at_no_other() {
        let at =
            |public: Option<&str>, host| Config { public_base_url: public.map(str::to_owned), ..Config::default() }.is_at(host);
        for host in ["cloud.example", "Cloud.Example", "cloud.example."] {
            assert!(at(Some("https://cloud.example:8443"), host), "{host}");
            assert!(!at(None, host), "{host}");
        }
        for host in ["", "example", "x.cloud.example", "cloud.example:8443"] {
            assert!(!at(Some("https://cloud.example:8443"), host), "{host}");
        }
    }
}
