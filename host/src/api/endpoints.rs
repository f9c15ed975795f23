//! The table of the control plane's operations.

use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{self, MethodFilter, MethodRouter};

use super::describe::{Described, Operation};
use super::openapi::schemas::Schemas;
use super::{
    Api, apps, archive, audit, dead_letters, deployments, docs, domains, execute, executions, files, follow, grants, health,
    keys, kv, limits, members, metrics, node, nodes, openapi, previews, queues, quota, restrictions, routes, scripts, secrets,
    sessions, splits, subscriber_tokens, test_calls, topics, triggers, usage, users,
};
use crate::model::access::Rule::{self, App, Instance, LoggedIn, Public, SignedIn, SomeApp};
use crate::model::access::Scope::{AppAdmin, DomainManage, InstanceAdmin, LogRead, RouteWrite, ScriptRead, ScriptWrite};

/// One operation. There is no way to make one without a rule.
pub(super) struct Endpoint {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) rule: Rule,
    pub(super) summary: &'static str,
    /// The handler's name with its module; the operation is named after it.
    pub(super) handler: &'static str,
    /// Statuses of failures that neither the rule nor the handler's arguments tell of.
    pub(super) failures: &'static [u16],
    /// The query parameters that it knows; `None`: any.
    pub(super) query: Option<Vec<&'static str>>,
    /// What the handler's types say of it.
    pub(super) describe: fn(&mut Schemas) -> Operation,
    pub(super) route: MethodRouter<Api>,
}

impl Endpoint {
    /// What else may go wrong.
    fn or(self, failures: &'static [u16]) -> Self {
        Self { failures, ..self }
    }
}

#[rustfmt::skip]
pub(super) fn table() -> Vec<Endpoint> {
    vec![
        get   ("/healthz",                                                       Public,                  node::healthz,              "Says whether this node can work.").or(&[503]),
        get   ("/version",                                                       Public,                  node::version,              "Names product, SDK, API, schema and component versions."),
        get   ("/metrics",                                                       Public,                  metrics::serve,             "Gives what is measured on this node, as Prometheus reads it."),
        get   ("/api/v1/openapi.json",                                           Public,                  openapi::serve,             "Gives this document."),
        get   ("/api/v1/limits",                                                 Public,                  limits::list,               "Lists the bounds that hold here, with their units."),
        get   ("/api/v1/tls/ask",                                                Public,                  domains::ask,               "Says whether the proxy in front may get a certificate for a name.").or(&[404]),
        get   ("/api/v1/admin/node",                                             Instance(InstanceAdmin), node::status,               "Says what this node does now and what it has dropped."),
        get   ("/api/v1/admin/nodes",                                            Instance(InstanceAdmin), nodes::list,                "Lists the nodes that share the database, and how each is."),

        post  ("/api/v1/admin/auth/login",                                       Public,                  sessions::login,            "Logs in: a token, as a bearer and as the session cookie.").or(&[401, 429, 503]),
        post  ("/api/v1/admin/auth/logout",                                      LoggedIn,                sessions::logout,           "Ends the login that asks."),
        get   ("/api/v1/admin/auth/me",                                          SignedIn,                sessions::me,               "Says who asks, and with which credential."),
        post  ("/api/v1/admin/auth/password",                                    LoggedIn,                sessions::change_password,  "Changes one's own password, and ends one's other logins.").or(&[429, 503]),
        get   ("/api/v1/admin/auth/sessions",                                    LoggedIn,                sessions::list,             "Lists one's own logins, newest first."),
        delete("/api/v1/admin/auth/sessions/{session_id}",                       LoggedIn,                sessions::end,              "Ends one of one's own logins."),

        get   ("/api/v1/admin/api-keys",                                         LoggedIn,                keys::list,                 "Lists one's own API keys, without their tokens."),
        post  ("/api/v1/admin/api-keys",                                         LoggedIn,                keys::create,               "Makes an API key; its token is told this once.").or(&[404]),
        get   ("/api/v1/admin/api-keys/{key_id}",                                LoggedIn,                keys::get,                  "Reads one of one's own API keys, without its token."),
        delete("/api/v1/admin/api-keys/{key_id}",                                LoggedIn,                keys::delete,               "Takes an API key back, at once."),

        get   ("/api/v1/admin/users",                                            Instance(InstanceAdmin), users::list,                "Lists the people of the instance."),
        post  ("/api/v1/admin/users",                                            Instance(InstanceAdmin), users::create,              "Adds a person.").or(&[409, 503]),
        get   ("/api/v1/admin/users/{user_id}",                                  Instance(InstanceAdmin), users::get,                 "Reads a person."),
        patch ("/api/v1/admin/users/{user_id}",                                  Instance(InstanceAdmin), users::update,              "Changes a person: name, password, role, whether they may log in.").or(&[409, 503]),
        delete("/api/v1/admin/users/{user_id}",                                  Instance(InstanceAdmin), users::delete,              "Deletes a person with their logins and API keys.").or(&[409]),
        get   ("/api/v1/admin/audit",                                            Instance(InstanceAdmin), audit::list,                "Reads the audit log, newest first."),

        get   ("/api/v1/admin/apps",                                             SomeApp(ScriptRead),     apps::list,                 "Lists the apps that are the caller's to see."),
        post  ("/api/v1/admin/apps",                                             Instance(InstanceAdmin), apps::create,               "Makes an app.").or(&[409]),
        post  ("/api/v1/admin/apps:import",                                      Instance(InstanceAdmin), archive::import,            "Makes an app of an archive.").or(&[409, 503, 507]),
        get   ("/api/v1/admin/apps/{app}",                                       App(ScriptRead),         apps::get,                  "Reads an app."),
        patch ("/api/v1/admin/apps/{app}",                                       App(AppAdmin),           apps::update,               "Changes an app: slug, name, who may call it from browsers.").or(&[409]),
        delete("/api/v1/admin/apps/{app}",                                       App(AppAdmin),           apps::delete,               "Deletes an app.").or(&[409]),
        get   ("/api/v1/admin/apps/{app}/export",                                App(AppAdmin),           archive::export,            "Gives the app as an archive.").or(&[503]),
        get   ("/api/v1/admin/apps/{app}/audit",                                 App(AppAdmin),           audit::of_app,              "Reads the app's part of the audit log, newest first."),
        get   ("/api/v1/admin/apps/{app}/members",                               App(ScriptRead),         members::list,              "Lists who works in the app."),
        put   ("/api/v1/admin/apps/{app}/members/{user_id}",                     App(AppAdmin),           members::put,               "Makes a person a member, or changes what they are; by id or name."),
        delete("/api/v1/admin/apps/{app}/members/{user_id}",                     App(AppAdmin),           members::delete,            "Takes a person out of the app; by id or name."),
        get   ("/api/v1/admin/apps/{app}/domains",                               App(ScriptRead),         domains::list,              "Lists the domains that the app claims."),
        post  ("/api/v1/admin/apps/{app}/domains",                               App(DomainManage),       domains::create,            "Claims a domain, and says how to prove it.").or(&[409]),
        get   ("/api/v1/admin/apps/{app}/domains/{domain_id}",                   App(ScriptRead),         domains::get,               "Reads a domain."),
        post  ("/api/v1/admin/apps/{app}/domains/{domain_id}/verify",            App(DomainManage),       domains::verify,            "Looks for the proof of a domain now.").or(&[409, 429, 503, 504]),
        delete("/api/v1/admin/apps/{app}/domains/{domain_id}",                   App(DomainManage),       domains::delete,            "Gives a domain up."),
        get   ("/api/v1/admin/apps/{app}/grants",                                App(ScriptRead),         grants::get,                "Reads what the app allows its scripts."),
        put   ("/api/v1/admin/apps/{app}/grants",                                App(AppAdmin),           grants::replace,            "Says anew what the app allows: a capability that is not named is not granted."),
        patch ("/api/v1/admin/apps/{app}/grants",                                App(AppAdmin),           grants::merge,              "Changes the capabilities that are named; the others stay."),
        get   ("/api/v1/admin/apps/{app}/quota",                                 App(LogRead),            quota::get,                 "Reads what the app may use, and what it does now."),
        put   ("/api/v1/admin/apps/{app}/quota",                                 App(InstanceAdmin),      quota::replace,             "Says anew what the app may use: a bound that is not named is the platform's."),
        patch ("/api/v1/admin/apps/{app}/quota",                                 App(InstanceAdmin),      quota::merge,               "Changes the bounds that are named; the others stay."),
        get   ("/api/v1/admin/apps/{app}/restrictions",                          App(LogRead),            restrictions::get,          "Reads what the instance keeps the app from."),
        put   ("/api/v1/admin/apps/{app}/restrictions",                          App(InstanceAdmin),      restrictions::replace,      "Says anew what the app is kept from; it loses at once what it has of that."),
        get   ("/api/v1/admin/apps/{app}/deployments",                           App(ScriptRead),         deployments::list,          "Lists what the app ran, newest first."),
        post  ("/api/v1/admin/apps/{app}/deployments",                           App(ScriptWrite),        deployments::apply,         "Puts the app into the state of a manifest, whole or not at all.").or(&[409, 503, 507]),
        get   ("/api/v1/admin/apps/{app}/deployments/{number}",                  App(ScriptRead),         deployments::get,           "Reads a deployment with its state."),
        get   ("/api/v1/admin/apps/{app}/deployments/{number}/diff",             App(ScriptRead),         deployments::diff,          "Says what differs between two deployments.").or(&[404]),
        post  ("/api/v1/admin/apps/{app}/deployments/{number}/activate",         App(ScriptWrite),        deployments::activate,      "Makes a deployment what runs, whole or not at all.").or(&[409, 503, 507]),
        post  ("/api/v1/admin/apps/{app}/deployments/{number}/preview",          App(ScriptWrite),        previews::create,           "Makes a link that lets people see a deployment.").or(&[409]),
        get   ("/api/v1/admin/apps/{app}/split",                                 App(ScriptRead),         splits::get,                "Reads which deployment answers a part of the app's requests."),
        put   ("/api/v1/admin/apps/{app}/split",                                 App(ScriptWrite),        splits::put,                "Has another deployment answer a part of the app's requests.").or(&[409, 503]),
        delete("/api/v1/admin/apps/{app}/split",                                 App(ScriptWrite),        splits::delete,             "Has what runs answer all requests.").or(&[503]),
        get   ("/api/v1/admin/apps/{app}/logs",                                  App(LogRead),            follow::logs,               "Reads on in the app's log: a page, or a stream of events as they come.").or(&[503]),
        get   ("/api/v1/admin/apps/{app}/manifest",                              App(ScriptRead),         deployments::pull,          "Gives what runs as a manifest."),
        post  ("/api/v1/admin/apps/{app}/plan",                                  App(ScriptWrite),        deployments::plan,          "Says what applying a manifest would change.").or(&[409, 503]),
        post  ("/api/v1/admin/apps/{app}/rollback",                              App(ScriptWrite),        deployments::rollback,      "Puts the app back into the state of a deployment, whole or not at all.").or(&[404, 409, 503, 507]),
        get   ("/api/v1/admin/apps/{app}/health",                                App(LogRead),            health::get,                "Says how the app does: calls, failures, times, dead letters that wait."),
        get   ("/api/v1/admin/apps/{app}/usage",                                 App(LogRead),            usage::list,                "Lists what the app used, by the minute, the hour or the day."),
        get   ("/api/v1/admin/apps/{app}/secrets",                               App(AppAdmin),           secrets::list,              "Lists the names of the secrets."),
        put   ("/api/v1/admin/apps/{app}/secrets/{name}",                        App(AppAdmin),           secrets::put,               "Sets a secret."),
        delete("/api/v1/admin/apps/{app}/secrets/{name}",                        App(AppAdmin),           secrets::delete,            "Deletes a secret."),

        get   ("/api/v1/admin/apps/{app}/kv",                                    App(AppAdmin),           kv::collections,            "Lists the collections of KV entries, and how much is in them.").or(&[504]),
        get   ("/api/v1/admin/apps/{app}/kv/{collection}",                       App(AppAdmin),           kv::list,                   "Lists entries by key."),
        get   ("/api/v1/admin/apps/{app}/kv/{collection}/{key}",                 App(AppAdmin),           kv::get,                    "Reads an entry."),
        put   ("/api/v1/admin/apps/{app}/kv/{collection}/{key}",                 App(AppAdmin),           kv::put,                    "Sets an entry.").or(&[503, 507]),
        delete("/api/v1/admin/apps/{app}/kv/{collection}/{key}",                 App(AppAdmin),           kv::delete,                 "Deletes an entry."),
        get   ("/api/v1/admin/apps/{app}/docs",                                  App(AppAdmin),           docs::collections,          "Lists the collections of documents, and how much is in them.").or(&[504]),
        get   ("/api/v1/admin/apps/{app}/docs/{collection}",                     App(AppAdmin),           docs::find,                 "Finds documents by a filter.").or(&[504]),
        post  ("/api/v1/admin/apps/{app}/docs/{collection}",                     App(AppAdmin),           docs::create,               "Makes a document.").or(&[409, 507]),
        get   ("/api/v1/admin/apps/{app}/docs/{collection}/{document_id}",       App(AppAdmin),           docs::get,                  "Reads a document."),
        put   ("/api/v1/admin/apps/{app}/docs/{collection}/{document_id}",       App(AppAdmin),           docs::update,               "Puts other data in place of a document's.").or(&[507]),
        patch ("/api/v1/admin/apps/{app}/docs/{collection}/{document_id}",       App(AppAdmin),           docs::patch,                "Merges a change into a document's data.").or(&[507]),
        delete("/api/v1/admin/apps/{app}/docs/{collection}/{document_id}",       App(AppAdmin),           docs::delete,               "Deletes a document."),
        get   ("/api/v1/admin/apps/{app}/files",                                 App(AppAdmin),           files::collections,         "Lists the collections of files, and how much is in them.").or(&[504]),
        get   ("/api/v1/admin/apps/{app}/files/{collection}",                    App(AppAdmin),           files::list,                "Lists files by name."),
        post  ("/api/v1/admin/apps/{app}/files/{collection}",                    App(AppAdmin),           files::create,              "Makes a file of what is sent.").or(&[409, 503, 507]),
        get   ("/api/v1/admin/apps/{app}/files/{collection}/{file_id}",          App(AppAdmin),           files::get,                 "Reads what is known of a file."),
        delete("/api/v1/admin/apps/{app}/files/{collection}/{file_id}",          App(AppAdmin),           files::delete,              "Deletes a file."),
        get   ("/api/v1/admin/apps/{app}/files/{collection}/{file_id}/content",  App(AppAdmin),           files::read,                "Gives the content of a file.").or(&[503]),

        get   ("/api/v1/admin/scripts",                                          SomeApp(ScriptRead),     scripts::list,              "Lists scripts, of one app or of all that are the caller's to see.").or(&[404]),
        post  ("/api/v1/admin/scripts",                                          SomeApp(ScriptWrite),    scripts::create,            "Checks a source and makes a script of it.").or(&[503, 507]),
        post  ("/api/v1/admin/scripts/check",                                    SomeApp(ScriptWrite),    scripts::check,             "Checks a source and stores nothing.").or(&[503]),
        get   ("/api/v1/admin/scripts/{script_id}",                              App(ScriptRead),         scripts::get,               "Reads a script with its source."),
        put   ("/api/v1/admin/scripts/{script_id}",                              App(ScriptWrite),        scripts::publish,           "Publishes a version and makes it the active one.").or(&[409, 503]),
        delete("/api/v1/admin/scripts/{script_id}",                              App(ScriptWrite),        scripts::delete,            "Deletes a script with its versions, routes and triggers.").or(&[409]),
        get   ("/api/v1/admin/scripts/{script_id}/used_by",                      App(ScriptRead),         scripts::used_by,           "Lists the scripts that import it."),
        get   ("/api/v1/admin/scripts/{script_id}/versions",                     App(ScriptRead),         scripts::versions,          "Lists its versions, newest first."),
        get   ("/api/v1/admin/scripts/{script_id}/versions/{number}",            App(ScriptRead),         scripts::version,           "Reads a version with its source."),
        get   ("/api/v1/admin/scripts/{script_id}/versions/{number}/diff",       App(ScriptRead),         scripts::diff,              "Says what differs between two versions.").or(&[404]),
        post  ("/api/v1/admin/scripts/{script_id}/activate",                     App(ScriptWrite),        scripts::activate,          "Makes a stored version the active one.").or(&[404, 409, 503]),
        post  ("/api/v1/admin/scripts/{script_id}/test",                         App(ScriptWrite),        test_calls::create,         "Runs a script as a request would, and tells all about it.").or(&[429, 503]),
        get   ("/api/v1/admin/scripts/{script_id}/executions",                   App(LogRead),            executions::list,           "Lists its executions, newest first."),
        get   ("/api/v1/admin/scripts/{script_id}/logs",                         App(LogRead),            executions::logs,           "Lists what it logged, newest first."),

        get   ("/api/v1/admin/scripts/{script_id}/routes",                       App(ScriptRead),         routes::list,               "Lists its routes."),
        post  ("/api/v1/admin/scripts/{script_id}/routes",                       App(RouteWrite),         routes::create,             "Leads a path to the script."),
        delete("/api/v1/admin/scripts/{script_id}/routes/{route_id}",            App(RouteWrite),         routes::delete,             "Deletes a route."),
        post  ("/api/v1/admin/routes:match",                                     SomeApp(ScriptRead),     routes::find,               "Says which route and script would answer a request, or why none.").or(&[404]),

        get   ("/api/v1/admin/apps/{app}/triggers",                              App(AppAdmin),           triggers::list,             "Lists the triggers of every kind."),
        post  ("/api/v1/admin/apps/{app}/triggers/kv",                           App(AppAdmin),           triggers::create::<triggers::Kv>, "Has a script run on writes to KV collections.").or(&[507]),
        post  ("/api/v1/admin/apps/{app}/triggers/docs",                         App(AppAdmin),           triggers::create::<triggers::Docs>, "Has a script run on writes to document collections.").or(&[507]),
        post  ("/api/v1/admin/apps/{app}/triggers/files",                        App(AppAdmin),           triggers::create::<triggers::Files>, "Has a script run on writes to file collections.").or(&[507]),
        post  ("/api/v1/admin/apps/{app}/triggers/cron",                         App(AppAdmin),           triggers::create::<triggers::Cron>, "Has a script run on the ticks of a schedule.").or(&[507]),
        post  ("/api/v1/admin/apps/{app}/triggers/pubsub",                       App(AppAdmin),           triggers::create::<triggers::Pubsub>, "Has a script run on messages of a topic.").or(&[507]),
        post  ("/api/v1/admin/apps/{app}/triggers/queue",                        App(AppAdmin),           triggers::create::<triggers::Queue>, "Has a script run on messages of a queue, as their one consumer.").or(&[507]),
        post  ("/api/v1/admin/apps/{app}/triggers/email",                        App(AppAdmin),           triggers::create::<triggers::Email>, "Has a script run on mail that comes in.").or(&[507]),
        post  ("/api/v1/admin/apps/{app}/triggers/dead_letter",                  App(AppAdmin),           triggers::create::<triggers::DeadLetter>, "Has a script run on dead letters.").or(&[507]),
        post  ("/api/v1/admin/apps/{app}/triggers/cron:preview",                 App(AppAdmin),           triggers::preview,          "Says when a schedule would tick next."),
        get   ("/api/v1/admin/apps/{app}/triggers/{trigger_id}",                 App(AppAdmin),           triggers::get,              "Reads a trigger."),
        patch ("/api/v1/admin/apps/{app}/triggers/{trigger_id}",                 App(AppAdmin),           triggers::update,           "Switches a trigger on or off, or changes how it retries."),
        delete("/api/v1/admin/apps/{app}/triggers/{trigger_id}",                 App(AppAdmin),           triggers::delete,           "Deletes a trigger."),
        post  ("/api/v1/admin/apps/{app}/triggers/{trigger_id}/run",             App(AppAdmin),           triggers::run,              "Fires a schedule now.").or(&[503]),

        get   ("/api/v1/admin/apps/{app}/queues",                                App(AppAdmin),           queues::list,               "Lists the queues, and what waits in them."),
        post  ("/api/v1/admin/apps/{app}/queues/{name}/messages",                App(AppAdmin),           queues::send,               "Sends a message to a queue.").or(&[503]),
        post  ("/api/v1/admin/apps/{app}/queues/{name}/purge",                   App(AppAdmin),           queues::purge,              "Throws away what waits in a queue."),
        get   ("/api/v1/admin/apps/{app}/topics",                                App(AppAdmin),           queues::topics,             "Lists the topics that something was published to, or that are registered."),
        get   ("/api/v1/admin/apps/{app}/topics/{topic}",                        App(AppAdmin),           topics::get,                "Reads a topic."),
        put   ("/api/v1/admin/apps/{app}/topics/{topic}",                        App(AppAdmin),           topics::put,                "Registers a topic, and says who may subscribe to it.").or(&[503]),
        delete("/api/v1/admin/apps/{app}/topics/{topic}",                        App(AppAdmin),           topics::delete,             "Takes a topic's registration back: nobody may subscribe any more.").or(&[503]),
        post  ("/api/v1/admin/apps/{app}/topics/{topic}/messages",               App(AppAdmin),           queues::publish,            "Publishes a message to a topic.").or(&[503]),
        get   ("/api/v1/admin/apps/{app}/subscriber_tokens",                     App(AppAdmin),           subscriber_tokens::list,    "Lists the tokens of subscribers that have not expired."),
        post  ("/api/v1/admin/apps/{app}/subscriber_tokens",                     App(AppAdmin),           subscriber_tokens::create,  "Makes a token for a subscriber; it is told this once."),
        delete("/api/v1/admin/apps/{app}/subscriber_tokens/{token_id}",          App(AppAdmin),           subscriber_tokens::delete,  "Takes a token back, and sends away who subscribes with it."),

        get   ("/api/v1/admin/apps/{app}/dead_letters",                          App(AppAdmin),           dead_letters::list,         "Lists the dead letters, newest first."),
        get   ("/api/v1/admin/apps/{app}/dead_letters/count",                    App(AppAdmin),           dead_letters::count,        "Counts the dead letters."),
        post  ("/api/v1/admin/apps/{app}/dead_letters/replay",                   App(AppAdmin),           dead_letters::replay_many,  "Has many delivered again, a batch at a time.").or(&[503]),
        get   ("/api/v1/admin/apps/{app}/dead_letters/{letter_id}",              App(AppAdmin),           dead_letters::get,          "Reads a dead letter with its attempts."),
        post  ("/api/v1/admin/apps/{app}/dead_letters/{letter_id}/replay",       App(AppAdmin),           dead_letters::replay,       "Has its event delivered again, and resolves it.").or(&[503]),
        post  ("/api/v1/admin/apps/{app}/dead_letters/{letter_id}/resolve",      App(AppAdmin),           dead_letters::resolve,      "Declares a dead letter done."),

        post  ("/api/v1/execute/{script_id}",                                    App(ScriptWrite),        execute::run,               "Runs a script now; the answer is the script's own."),
        get   ("/api/v1/executions/{execution_id}",                              App(LogRead),            executions::get,            "Reads an execution with its log."),
    ]
}

macro_rules! methods {
    ($($name:ident $method:ident),* $(,)?) => {$(
        fn $name<H, T>(path: &'static str, rule: Rule, handler: H, summary: &'static str) -> Endpoint
        where
            H: Handler<T, Api> + Described<T>,
            T: 'static,
        {
            let known = <H as Described<T>>::query();
            Endpoint {
                method: Method::$method,
                path,
                rule,
                summary,
                handler: std::any::type_name::<H>(),
                failures: &[],
                query: known.map(|known| known.into_iter().map(|parameter| parameter.name).collect()),
                describe: <H as Described<T>>::operation,
                route: routing::on(MethodFilter::$method, handler),
            }
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
        assert_eq!(
            public,
            [
                "/healthz",
                "/version",
                "/metrics",
                "/api/v1/openapi.json",
                "/api/v1/limits",
                "/api/v1/tls/ask",
                "/api/v1/admin/auth/login"
            ]
        );
    }

    #[test]
    fn a_rule_about_an_app_has_a_path_that_names_a_thing_of_one() {
        for endpoint in table() {
            let named = ["{app}", "{script_id}", "{execution_id}"].into_iter().any(|name| endpoint.path.contains(name));
            assert_eq!(matches!(endpoint.rule, App(_)), named, "{} {}", endpoint.method, endpoint.path);
        }
    }

    #[test]
    fn a_summary_is_one_sentence() {
        for Endpoint { summary, path, .. } in table() {
            assert!(summary.ends_with('.') && summary.starts_with(|c: char| c.is_ascii_uppercase()), "{path}: {summary}");
        }
    }

    #[test]
    fn only_a_script_is_asked_anything() {
        let free: Vec<_> = table().into_iter().filter(|e| e.query.is_none()).map(|e| e.path).collect();
        assert_eq!(free, ["/api/v1/execute/{script_id}"]);
    }
}
