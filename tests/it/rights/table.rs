//! Every operation of the control plane, and the right that it takes: written by hand, from the design.

use serde_json::{Value, json};

use self::Right::{Anybody, Instance, Login, OfApp, SignedIn, SomeApp};

pub(crate) const SCRIPT_READ: &str = "script:read";
pub(crate) const SCRIPT_WRITE: &str = "script:write";
pub(crate) const ROUTE_WRITE: &str = "route:write";
pub(crate) const DOMAIN_MANAGE: &str = "domain:manage";
pub(crate) const LOG_READ: &str = "log:read";
pub(crate) const APP_ADMIN: &str = "app:admin";
pub(crate) const INSTANCE_ADMIN: &str = "instance:admin";

/// All seven.
pub(crate) static SCOPES: [&str; 7] =
    [SCRIPT_READ, SCRIPT_WRITE, ROUTE_WRITE, DOMAIN_MANAGE, LOG_READ, APP_ADMIN, INSTANCE_ADMIN];

/// What it takes to call an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Right {
    /// Nothing.
    Anybody,
    /// A credential.
    SignedIn,
    /// A login.
    Login,
    /// The scope, on the whole instance.
    Instance(&'static str),
    /// The scope, on the app of what the path names.
    OfApp(&'static str),
    /// The scope, and on the app that body or query name.
    SomeApp(&'static str),
}

impl Right {
    /// As the API's description has it.
    pub(crate) fn described(self) -> Value {
        match self {
            Anybody => json!({ "rule": "public" }),
            SignedIn => json!({ "rule": "signed_in" }),
            Login => json!({ "rule": "logged_in" }),
            Instance(scope) => json!({ "rule": "instance", "scope": scope }),
            OfApp(scope) => json!({ "rule": "app", "scope": scope }),
            SomeApp(scope) => json!({ "rule": "some_app", "scope": scope }),
        }
    }
}

#[rustfmt::skip]
pub(crate) const TABLE: &[(&str, &str, Right)] = &[
    ("GET",    "/healthz",                                                      Anybody),
    ("GET",    "/version",                                                      Anybody),
    ("GET",    "/metrics",                                                      Anybody),
    ("GET",    "/api/v1/openapi.json",                                          Anybody),
    ("GET",    "/api/v1/limits",                                                Anybody),
    ("GET",    "/api/v1/tls/ask",                                               Anybody),
    ("GET",    "/api/v1/admin/node",                                            Instance(INSTANCE_ADMIN)),
    ("GET",    "/api/v1/admin/nodes",                                           Instance(INSTANCE_ADMIN)),

    ("POST",   "/api/v1/admin/auth/login",                                      Anybody),
    ("POST",   "/api/v1/admin/auth/logout",                                     Login),
    ("GET",    "/api/v1/admin/auth/me",                                         SignedIn),
    ("POST",   "/api/v1/admin/auth/password",                                   Login),
    ("GET",    "/api/v1/admin/auth/sessions",                                   Login),
    ("DELETE", "/api/v1/admin/auth/sessions/{session_id}",                      Login),
    ("GET",    "/api/v1/admin/api-keys",                                        Login),
    ("POST",   "/api/v1/admin/api-keys",                                        Login),
    ("GET",    "/api/v1/admin/api-keys/{key_id}",                               Login),
    ("DELETE", "/api/v1/admin/api-keys/{key_id}",                               Login),

    ("GET",    "/api/v1/admin/users",                                           Instance(INSTANCE_ADMIN)),
    ("POST",   "/api/v1/admin/users",                                           Instance(INSTANCE_ADMIN)),
    ("GET",    "/api/v1/admin/users/{user_id}",                                 Instance(INSTANCE_ADMIN)),
    ("PATCH",  "/api/v1/admin/users/{user_id}",                                 Instance(INSTANCE_ADMIN)),
    ("DELETE", "/api/v1/admin/users/{user_id}",                                 Instance(INSTANCE_ADMIN)),
    ("GET",    "/api/v1/admin/audit",                                           Instance(INSTANCE_ADMIN)),

    ("GET",    "/api/v1/admin/apps",                                            SomeApp(SCRIPT_READ)),
    ("POST",   "/api/v1/admin/apps",                                            Instance(INSTANCE_ADMIN)),
    ("POST",   "/api/v1/admin/apps:import",                                     Instance(INSTANCE_ADMIN)),
    ("GET",    "/api/v1/admin/apps/{app}",                                      OfApp(SCRIPT_READ)),
    ("PATCH",  "/api/v1/admin/apps/{app}",                                      OfApp(APP_ADMIN)),
    ("DELETE", "/api/v1/admin/apps/{app}",                                      OfApp(APP_ADMIN)),
    ("GET",    "/api/v1/admin/apps/{app}/export",                               OfApp(APP_ADMIN)),
    ("GET",    "/api/v1/admin/apps/{app}/audit",                                OfApp(APP_ADMIN)),
    ("GET",    "/api/v1/admin/apps/{app}/members",                              OfApp(SCRIPT_READ)),
    ("PUT",    "/api/v1/admin/apps/{app}/members/{user_id}",                    OfApp(APP_ADMIN)),
    ("DELETE", "/api/v1/admin/apps/{app}/members/{user_id}",                    OfApp(APP_ADMIN)),
    ("GET",    "/api/v1/admin/apps/{app}/domains",                              OfApp(SCRIPT_READ)),
    ("POST",   "/api/v1/admin/apps/{app}/domains",                              OfApp(DOMAIN_MANAGE)),
    ("GET",    "/api/v1/admin/apps/{app}/domains/{domain_id}",                  OfApp(SCRIPT_READ)),
    ("POST",   "/api/v1/admin/apps/{app}/domains/{domain_id}/verify",           OfApp(DOMAIN_MANAGE)),
    ("DELETE", "/api/v1/admin/apps/{app}/domains/{domain_id}",                  OfApp(DOMAIN_MANAGE)),
    ("GET",    "/api/v1/admin/apps/{app}/grants",                               OfApp(SCRIPT_READ)),
    ("PUT",    "/api/v1/admin/apps/{app}/grants",                               OfApp(APP_ADMIN)),
    ("PATCH",  "/api/v1/admin/apps/{app}/grants",                               OfApp(APP_ADMIN)),
    ("GET",    "/api/v1/admin/apps/{app}/quota",                                OfApp(LOG_READ)),
    ("PUT",    "/api/v1/admin/apps/{app}/quota",                                OfApp(INSTANCE_ADMIN)),
    ("PATCH",  "/api/v1/admin/apps/{app}/quota",                                OfApp(INSTANCE_ADMIN)),
    ("GET",    "/api/v1/admin/apps/{app}/restrictions",                         OfApp(LOG_READ)),
    ("PUT",    "/api/v1/admin/apps/{app}/restrictions",                         OfApp(INSTANCE_ADMIN)),
    ("GET",    "/api/v1/admin/apps/{app}/deployments",                          OfApp(SCRIPT_READ)),
    ("POST",   "/api/v1/admin/apps/{app}/deployments",                          OfApp(SCRIPT_WRITE)),
    ("GET",    "/api/v1/admin/apps/{app}/deployments/{number}",                 OfApp(SCRIPT_READ)),
    ("GET",    "/api/v1/admin/apps/{app}/deployments/{number}/diff",            OfApp(SCRIPT_READ)),
    ("POST",   "/api/v1/admin/apps/{app}/deployments/{number}/activate",        OfApp(SCRIPT_WRITE)),
    ("POST",   "/api/v1/admin/apps/{app}/deployments/{number}/preview",         OfApp(SCRIPT_WRITE)),
    ("GET",    "/api/v1/admin/apps/{app}/split",                                OfApp(SCRIPT_READ)),
    ("PUT",    "/api/v1/admin/apps/{app}/split",                                OfApp(SCRIPT_WRITE)),
    ("DELETE", "/api/v1/admin/apps/{app}/split",                                OfApp(SCRIPT_WRITE)),
    ("GET",    "/api/v1/admin/apps/{app}/logs",                                 OfApp(LOG_READ)),
    ("GET",    "/api/v1/admin/apps/{app}/manifest",                             OfApp(SCRIPT_READ)),
    ("POST",   "/api/v1/admin/apps/{app}/plan",                                 OfApp(SCRIPT_WRITE)),
    ("POST",   "/api/v1/admin/apps/{app}/rollback",                             OfApp(SCRIPT_WRITE)),
    ("GET",    "/api/v1/admin/apps/{app}/health",                               OfApp(LOG_READ)),
    ("GET",    "/api/v1/admin/apps/{app}/usage",                                OfApp(LOG_READ)),
    ("GET",    "/api/v1/admin/apps/{app}/secrets",                              OfApp(APP_ADMIN)),
    ("PUT",    "/api/v1/admin/apps/{app}/secrets/{name}",                       OfApp(APP_ADMIN)),
    ("DELETE", "/api/v1/admin/apps/{app}/secrets/{name}",                       OfApp(APP_ADMIN)),
    ("GET",    "/api/v1/admin/apps/{app}/kv",                                         OfApp(APP_ADMIN)),
    ("GET",    "/api/v1/admin/apps/{app}/kv/{collection}",                            OfApp(APP_ADMIN)),
    ("GET",    "/api/v1/admin/apps/{app}/kv/{collection}/{key}",                      OfApp(APP_ADMIN)),
    ("PUT",    "/api/v1/admin/apps/{app}/kv/{collection}/{key}",                      OfApp(APP_ADMIN)),
    ("DELETE", "/api/v1/admin/apps/{app}/kv/{collection}/{key}",                      OfApp(APP_ADMIN)),
    ("GET",    "/api/v1/admin/apps/{app}/docs",                                       OfApp(APP_ADMIN)),
    ("GET",    "/api/v1/admin/apps/{app}/docs/{collection}",                          OfApp(APP_ADMIN)),
    ("POST",   "/api/v1/admin/apps/{app}/docs/{collection}",                          OfApp(APP_ADMIN)),
    ("GET",    "/api/v1/admin/apps/{app}/docs/{collection}/{document_id}",            OfApp(APP_ADMIN)),
    ("PUT",    "/api/v1/admin/apps/{app}/docs/{collection}/{document_id}",            OfApp(APP_ADMIN)),
    ("PATCH",  "/api/v1/admin/apps/{app}/docs/{collection}/{document_id}",            OfApp(APP_ADMIN)),
    ("DELETE", "/api/v1/admin/apps/{app}/docs/{collection}/{document_id}",            OfApp(APP_ADMIN)),
    ("GET",    "/api/v1/admin/apps/{app}/files",                                      OfApp(APP_ADMIN)),
    ("GET",    "/api/v1/admin/apps/{app}/files/{collection}",                         OfApp(APP_ADMIN)),
    ("POST",   "/api/v1/admin/apps/{app}/files/{collection}",                         OfApp(APP_ADMIN)),
    ("GET",    "/api/v1/admin/apps/{app}/files/{collection}/{file_id}",               OfApp(APP_ADMIN)),
    ("DELETE", "/api/v1/admin/apps/{app}/files/{collection}/{file_id}",               OfApp(APP_ADMIN)),
    ("GET",    "/api/v1/admin/apps/{app}/files/{collection}/{file_id}/content",       OfApp(APP_ADMIN)),

    ("GET",    "/api/v1/admin/scripts",                                         SomeApp(SCRIPT_READ)),
    ("POST",   "/api/v1/admin/scripts",                                         SomeApp(SCRIPT_WRITE)),
    ("POST",   "/api/v1/admin/scripts/check",                                   SomeApp(SCRIPT_WRITE)),
    ("GET",    "/api/v1/admin/scripts/{script_id}",                             OfApp(SCRIPT_READ)),
    ("PUT",    "/api/v1/admin/scripts/{script_id}",                             OfApp(SCRIPT_WRITE)),
    ("DELETE", "/api/v1/admin/scripts/{script_id}",                             OfApp(SCRIPT_WRITE)),
    ("GET",    "/api/v1/admin/scripts/{script_id}/used_by",                     OfApp(SCRIPT_READ)),
    ("GET",    "/api/v1/admin/scripts/{script_id}/versions",                    OfApp(SCRIPT_READ)),
    ("GET",    "/api/v1/admin/scripts/{script_id}/versions/{number}",           OfApp(SCRIPT_READ)),
    ("GET",    "/api/v1/admin/scripts/{script_id}/versions/{number}/diff",      OfApp(SCRIPT_READ)),
    ("POST",   "/api/v1/admin/scripts/{script_id}/activate",                    OfApp(SCRIPT_WRITE)),
    ("POST",   "/api/v1/admin/scripts/{script_id}/test",                        OfApp(SCRIPT_WRITE)),
    ("GET",    "/api/v1/admin/scripts/{script_id}/executions",                  OfApp(LOG_READ)),
    ("GET",    "/api/v1/admin/scripts/{script_id}/logs",                        OfApp(LOG_READ)),
    ("GET",    "/api/v1/admin/scripts/{script_id}/routes",                      OfApp(SCRIPT_READ)),
    ("POST",   "/api/v1/admin/scripts/{script_id}/routes",                      OfApp(ROUTE_WRITE)),
    ("DELETE", "/api/v1/admin/scripts/{script_id}/routes/{route_id}",           OfApp(ROUTE_WRITE)),
    ("POST",   "/api/v1/admin/routes:match",                                    SomeApp(SCRIPT_READ)),

    ("GET",    "/api/v1/admin/apps/{app}/triggers",                             OfApp(APP_ADMIN)),
    ("POST",   "/api/v1/admin/apps/{app}/triggers/kv",                          OfApp(APP_ADMIN)),
    ("POST",   "/api/v1/admin/apps/{app}/triggers/docs",                        OfApp(APP_ADMIN)),
    ("POST",   "/api/v1/admin/apps/{app}/triggers/files",                       OfApp(APP_ADMIN)),
    ("POST",   "/api/v1/admin/apps/{app}/triggers/cron",                        OfApp(APP_ADMIN)),
    ("POST",   "/api/v1/admin/apps/{app}/triggers/pubsub",                      OfApp(APP_ADMIN)),
    ("POST",   "/api/v1/admin/apps/{app}/triggers/queue",                       OfApp(APP_ADMIN)),
    ("POST",   "/api/v1/admin/apps/{app}/triggers/email",                       OfApp(APP_ADMIN)),
    ("POST",   "/api/v1/admin/apps/{app}/triggers/dead_letter",                 OfApp(APP_ADMIN)),
    ("POST",   "/api/v1/admin/apps/{app}/triggers/cron:preview",                OfApp(APP_ADMIN)),
    ("GET",    "/api/v1/admin/apps/{app}/triggers/{trigger_id}",                OfApp(APP_ADMIN)),
    ("PATCH",  "/api/v1/admin/apps/{app}/triggers/{trigger_id}",                OfApp(APP_ADMIN)),
    ("DELETE", "/api/v1/admin/apps/{app}/triggers/{trigger_id}",                OfApp(APP_ADMIN)),
    ("POST",   "/api/v1/admin/apps/{app}/triggers/{trigger_id}/run",            OfApp(APP_ADMIN)),

    ("GET",    "/api/v1/admin/apps/{app}/queues",                               OfApp(APP_ADMIN)),
    ("POST",   "/api/v1/admin/apps/{app}/queues/{name}/messages",               OfApp(APP_ADMIN)),
    ("POST",   "/api/v1/admin/apps/{app}/queues/{name}/purge",                  OfApp(APP_ADMIN)),
    ("GET",    "/api/v1/admin/apps/{app}/topics",                               OfApp(APP_ADMIN)),
    ("GET",    "/api/v1/admin/apps/{app}/topics/{topic}",                       OfApp(APP_ADMIN)),
    ("PUT",    "/api/v1/admin/apps/{app}/topics/{topic}",                       OfApp(APP_ADMIN)),
    ("DELETE", "/api/v1/admin/apps/{app}/topics/{topic}",                       OfApp(APP_ADMIN)),
    ("POST",   "/api/v1/admin/apps/{app}/topics/{topic}/messages",              OfApp(APP_ADMIN)),
    ("GET",    "/api/v1/admin/apps/{app}/subscriber_tokens",                    OfApp(APP_ADMIN)),
    ("POST",   "/api/v1/admin/apps/{app}/subscriber_tokens",                    OfApp(APP_ADMIN)),
    ("DELETE", "/api/v1/admin/apps/{app}/subscriber_tokens/{token_id}",         OfApp(APP_ADMIN)),
    ("GET",    "/api/v1/admin/apps/{app}/dead_letters",                         OfApp(APP_ADMIN)),
    ("GET",    "/api/v1/admin/apps/{app}/dead_letters/count",                   OfApp(APP_ADMIN)),
    ("POST",   "/api/v1/admin/apps/{app}/dead_letters/replay",                  OfApp(APP_ADMIN)),
    ("GET",    "/api/v1/admin/apps/{app}/dead_letters/{letter_id}",             OfApp(APP_ADMIN)),
    ("POST",   "/api/v1/admin/apps/{app}/dead_letters/{letter_id}/replay",      OfApp(APP_ADMIN)),
    ("POST",   "/api/v1/admin/apps/{app}/dead_letters/{letter_id}/resolve",     OfApp(APP_ADMIN)),

    ("POST",   "/api/v1/execute/{script_id}",                                   OfApp(SCRIPT_WRITE)),
    ("GET",    "/api/v1/executions/{execution_id}",                             OfApp(LOG_READ)),
];
