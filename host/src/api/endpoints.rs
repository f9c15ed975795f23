//! The table of the control plane's operations.

use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{self, MethodFilter, MethodRouter};

use super::{
    Api, apps, dead_letters, execute, executions, grants, limits, node, queues, routes, scripts, secrets, sessions, triggers,
};
use crate::model::access::Rule::{self, App, Instance, Known, Public, SignedIn, SomeApp};
use crate::model::access::Scope::{AppAdmin, InstanceAdmin, LogRead, RouteWrite, ScriptRead, ScriptWrite};

/// One operation. There is no way to make one without a rule.
pub(super) struct Endpoint {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) rule: Rule,
    pub(super) route: MethodRouter<Api>,
}

#[rustfmt::skip]
pub(super) fn table() -> Vec<Endpoint> {
    vec![
        get   ("/healthz",                                            Public,                 node::healthz),
        get   ("/version",                                            Public,                 node::version),
        get   ("/api/v1/limits",                                      Public,                 limits::list),
        get   ("/api/v1/admin/node",                                  Instance(InstanceAdmin), node::status),

        post  ("/api/v1/admin/auth/login",                            Public,                 sessions::login),
        post  ("/api/v1/admin/auth/logout",                           SignedIn,               sessions::logout),
        get   ("/api/v1/admin/auth/me",                               SignedIn,               sessions::me),

        get   ("/api/v1/admin/apps",                                  SomeApp(ScriptRead),    apps::list),
        post  ("/api/v1/admin/apps",                                  Instance(InstanceAdmin), apps::create),
        get   ("/api/v1/admin/apps/{app}",                            App(ScriptRead),        apps::get),
        patch ("/api/v1/admin/apps/{app}",                            App(AppAdmin),          apps::update),
        delete("/api/v1/admin/apps/{app}",                            App(AppAdmin),          apps::delete),
        get   ("/api/v1/admin/apps/{app}/grants",                     App(ScriptRead),        grants::get),
        put   ("/api/v1/admin/apps/{app}/grants",                     App(AppAdmin),          grants::replace),
        patch ("/api/v1/admin/apps/{app}/grants",                     App(AppAdmin),          grants::merge),
        get   ("/api/v1/admin/apps/{app}/secrets",                    App(AppAdmin),          secrets::list),
        put   ("/api/v1/admin/apps/{app}/secrets/{name}",             App(AppAdmin),          secrets::put),
        delete("/api/v1/admin/apps/{app}/secrets/{name}",             App(AppAdmin),          secrets::delete),

        get   ("/api/v1/admin/scripts",                               SomeApp(ScriptRead),    scripts::list),
        post  ("/api/v1/admin/scripts",                               SomeApp(ScriptWrite),   scripts::create),
        post  ("/api/v1/admin/scripts/check",                         SomeApp(ScriptWrite),   scripts::check),
        get   ("/api/v1/admin/scripts/{script_id}",                   App(ScriptRead),        scripts::get),
        put   ("/api/v1/admin/scripts/{script_id}",                   App(ScriptWrite),       scripts::publish),
        delete("/api/v1/admin/scripts/{script_id}",                   App(ScriptWrite),       scripts::delete),
        get   ("/api/v1/admin/scripts/{script_id}/used_by",           App(ScriptRead),        scripts::used_by),
        get   ("/api/v1/admin/scripts/{script_id}/versions",          App(ScriptRead),        scripts::versions),
        get   ("/api/v1/admin/scripts/{script_id}/versions/{number}", App(ScriptRead),        scripts::version),
        get   ("/api/v1/admin/scripts/{script_id}/executions",        App(LogRead),           executions::list),
        get   ("/api/v1/admin/scripts/{script_id}/logs",              App(LogRead),           executions::logs),

        get   ("/api/v1/admin/scripts/{script_id}/routes",            App(ScriptRead),        routes::list),
        post  ("/api/v1/admin/scripts/{script_id}/routes",            App(RouteWrite),        routes::create),
        delete("/api/v1/admin/scripts/{script_id}/routes/{route_id}", App(RouteWrite),        routes::delete),
        post  ("/api/v1/admin/routes:match",                          SomeApp(ScriptRead),    routes::find),

        get   ("/api/v1/admin/apps/{app}/triggers",                   Known(AppAdmin),        triggers::list),
        post  ("/api/v1/admin/apps/{app}/triggers/kv",                Known(AppAdmin),        triggers::create::<triggers::Kv>),
        post  ("/api/v1/admin/apps/{app}/triggers/docs",              Known(AppAdmin),        triggers::create::<triggers::Docs>),
        post  ("/api/v1/admin/apps/{app}/triggers/files",             Known(AppAdmin),        triggers::create::<triggers::Files>),
        post  ("/api/v1/admin/apps/{app}/triggers/cron",              Known(AppAdmin),        triggers::create::<triggers::Cron>),
        post  ("/api/v1/admin/apps/{app}/triggers/pubsub",            Known(AppAdmin),        triggers::create::<triggers::Pubsub>),
        post  ("/api/v1/admin/apps/{app}/triggers/queue",             Known(AppAdmin),        triggers::create::<triggers::Queue>),
        post  ("/api/v1/admin/apps/{app}/triggers/email",             Known(AppAdmin),        triggers::create::<triggers::Email>),
        post  ("/api/v1/admin/apps/{app}/triggers/dead_letter",       Known(AppAdmin),        triggers::create::<triggers::DeadLetter>),
        post  ("/api/v1/admin/apps/{app}/triggers/cron:preview",      Known(AppAdmin),        triggers::preview),
        get   ("/api/v1/admin/apps/{app}/triggers/{trigger_id}",      Known(AppAdmin),        triggers::get),
        patch ("/api/v1/admin/apps/{app}/triggers/{trigger_id}",      Known(AppAdmin),        triggers::update),
        delete("/api/v1/admin/apps/{app}/triggers/{trigger_id}",      Known(AppAdmin),        triggers::delete),
        post  ("/api/v1/admin/apps/{app}/triggers/{trigger_id}/run",  Known(AppAdmin),        triggers::run),

        get   ("/api/v1/admin/apps/{app}/queues",                     Known(AppAdmin),        queues::list),
        post  ("/api/v1/admin/apps/{app}/queues/{name}/messages",     Known(AppAdmin),        queues::send),
        post  ("/api/v1/admin/apps/{app}/queues/{name}/purge",        Known(AppAdmin),        queues::purge),
        get   ("/api/v1/admin/apps/{app}/topics",                     Known(AppAdmin),        queues::topics),
        post  ("/api/v1/admin/apps/{app}/topics/{topic}/messages",    Known(AppAdmin),        queues::publish),

        get   ("/api/v1/admin/apps/{app}/dead_letters",               Known(AppAdmin),        dead_letters::list),
        get   ("/api/v1/admin/apps/{app}/dead_letters/count",         Known(AppAdmin),        dead_letters::count),
        post  ("/api/v1/admin/apps/{app}/dead_letters/replay",        Known(AppAdmin),        dead_letters::replay_many),
        get   ("/api/v1/admin/apps/{app}/dead_letters/{letter_id}",   Known(AppAdmin),        dead_letters::get),
        post  ("/api/v1/admin/apps/{app}/dead_letters/{letter_id}/replay", Known(AppAdmin),   dead_letters::replay),
        post  ("/api/v1/admin/apps/{app}/dead_letters/{letter_id}/resolve", Known(AppAdmin),  dead_letters::resolve),

        post  ("/api/v1/execute/{script_id}",                         App(ScriptWrite),       execute::run),
        get   ("/api/v1/executions/{execution_id}",                   App(LogRead),           executions::get),
    ]
}

macro_rules! methods {
    ($($name:ident $method:ident),* $(,)?) => {$(
        fn $name<H, T>(path: &'static str, rule: Rule, handler: H) -> Endpoint
        where
            H: Handler<T, Api>,
            T: 'static,
        {
            Endpoint { method: Method::$method, path, rule, route: routing::on(MethodFilter::$method, handler) }
        }
    )*};
}

methods!(get GET, post POST, put PUT, patch PATCH, delete DELETE);

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn an_operation_has_one_row() {
        let mut seen = HashSet::new();
        for endpoint in table() {
            assert!(seen.insert((endpoint.method.clone(), endpoint.path)), "{} {}", endpoint.method, endpoint.path);
        }
    }

    #[test]
    fn what_strangers_may_call_is_this_list() {
        let public: Vec<_> = table().into_iter().filter(|e| e.rule == Public).map(|e| e.path).collect();
        assert_eq!(public, ["/healthz", "/version", "/api/v1/limits", "/api/v1/admin/auth/login"]);
    }

    #[test]
    fn a_rule_about_the_path_has_a_path_that_names_something() {
        for endpoint in table() {
            let named = endpoint.path.contains('{');
            assert_eq!(matches!(endpoint.rule, App(_) | Known(_)), named, "{} {}", endpoint.method, endpoint.path);
        }
    }
}
