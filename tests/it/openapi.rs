//! The API's description: the file in the repository is what is served, what is served is what there is, and answers are as it
//! says.

use std::collections::BTreeSet;

use picloud::model::access::Rule;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::client::{PASSWORD, USERNAME, send};
use crate::support::{Reply, TestApp, repository};

/// As it is served, to anybody.
async fn served(app: &TestApp) -> Reply {
    app.anonymous(Method::GET, "/openapi.json", None).await.expect(200)
}

async fn document() -> Value {
    served(&TestApp::start().await).await.json()
}

/// `post /path` with the operation.
fn operations(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().expect("paths").iter();
    let operations = paths.flat_map(|(path, methods)| {
        let methods = methods.as_object().expect("methods").iter();
        methods.map(move |(method, operation)| (format!("{method} {path}"), operation))
    });
    operations.collect()
}

/// What follows a reference of the document.
fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap_or_else(|| panic!("{reference}")),
        None => value,
    }
}

/// The contents of a request's body and of the successes, by media type.
fn contents(operation: &Value) -> Vec<(&str, &Value)> {
    let responses = operation["responses"].as_object().expect("responses").iter();
    let successes = responses.filter(|(status, _)| status.starts_with('2')).map(|(_, response)| &response["content"]);
    let contents = successes.chain([&operation["requestBody"]["content"]]).filter_map(Value::as_object);
    contents.flatten().map(|(media_type, content)| (media_type.as_str(), content)).collect()
}

/// How an instance breaks a schema of the document.
fn faults(document: &Value, schema: &Value, instance: &Value) -> Vec<String> {
    let whole = json!({ "allOf": [schema], "components": document["components"] });
    let options = jsonschema::draft202012::options().should_validate_formats(true);
    let validator = options.build(&whole).unwrap_or_else(|error| panic!("{schema}: {error}"));
    validator.iter_errors(instance).map(|error| error.to_string()).collect()
}

#[tokio::test]
async fn the_file_in_the_repository_is_what_is_served() {
    let app = TestApp::start().await;
    let reply = served(&app).await;
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let path = repository().join("host/openapi.json");
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(&path, &reply.body).expect("the file is written");
    }
    let checked_in = std::fs::read_to_string(&path).unwrap_or_default();
    let served = reply.text();
    let differs = checked_in.lines().zip(served.lines()).position(|(one, other)| one != other);
    assert!(
        checked_in == served,
        "the API is another than host/openapi.json says (from line {:?}): run this with UPDATE_OPENAPI=1, and look at the diff",
        differs.map(|line| line + 1)
    );
    let tag = reply.header("etag").expect("a tag").to_owned();
    let again = send(app.request(Method::GET, "/openapi.json").header("if-none-match", tag)).await.expect(304);
    assert!(again.body.is_empty());
}

#[tokio::test]
async fn every_operation_is_described_with_its_rule_and_no_other() {
    let document = document().await;
    let mut rows = BTreeSet::new();
    for (method, path, rule) in picloud::api::endpoints() {
        let name = format!("{} {path}", method.as_str().to_ascii_lowercase());
        let described = &document["paths"][path][method.as_str().to_ascii_lowercase()];
        let (word, scope) = match rule {
            Rule::Public => ("public", None),
            Rule::SignedIn => ("signed_in", None),
            Rule::LoggedIn => ("logged_in", None),
            Rule::Instance(scope) => ("instance", Some(scope)),
            Rule::App(scope) => ("app", Some(scope)),
            Rule::SomeApp(scope) => ("some_app", Some(scope)),
        };
        let access = &described["x-access"];
        assert_eq!(access["rule"], word, "{name}");
        assert_eq!(access["scope"].as_str(), scope.map(|scope| scope.as_str()), "{name}");
        let is_open = described["security"].as_array().expect("security").is_empty();
        assert_eq!(is_open, rule == Rule::Public, "{name}");
        assert!(rows.insert(name));
    }
    let described: BTreeSet<_> = operations(&document).into_iter().map(|(name, _)| name).collect();
    assert_eq!(described, rows);
}

#[tokio::test]
async fn an_operation_says_what_a_client_needs() {
    let document = document().await;
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1.")));
    let tags: BTreeSet<_> = document["tags"].as_array().expect("tags").iter().map(|tag| tag["name"].as_str()).collect();
    let mut ids = BTreeSet::new();
    for (name, operation) in operations(&document) {
        let id = operation["operationId"].as_str().expect("an id");
        assert!(ids.insert(id), "{id}");
        assert!(operation["summary"].as_str().is_some_and(|summary| summary.ends_with('.')), "{name}");
        assert!(operation["tags"].as_array().is_some_and(|own| own.len() == 1 && tags.contains(&own[0].as_str())), "{name}");
        for (media_type, content) in contents(operation) {
            assert!(content.get("example").is_some(), "{name}: {media_type} has no example");
        }
        let parameters: Vec<_> =
            operation["parameters"].as_array().expect("parameters").iter().map(|one| resolved(&document, one)).collect();
        let of_path = parameters.iter().filter(|one| one["in"] == "path").map(|one| one["name"].as_str().expect("a name"));
        let named: Vec<_> = name.split(['{', '}']).skip(1).step_by(2).collect();
        assert_eq!(of_path.collect::<Vec<_>>(), named, "{name}");
        let without = ["sessions_login", "sessions_change_password", "users_create", "archive_import"];
        let takes_key = parameters.iter().any(|one| one["name"] == "Idempotency-Key");
        assert_eq!(takes_key, name.starts_with("post ") && !without.contains(&id), "{name}");
        for (status, response) in operation["responses"].as_object().expect("responses") {
            let response = resolved(&document, response);
            assert!(response["headers"]["X-Request-Id"].is_object(), "{name} {status}");
            assert!(response["description"].as_str().is_some_and(|about| !about.is_empty()), "{name} {status}");
        }
    }
}

#[tokio::test]
async fn every_reference_leads_somewhere() {
    fn walk(document: &Value, value: &Value) {
        match value {
            Value::Object(fields) => {
                resolved(document, value);
                fields.values().for_each(|field| walk(document, field));
            }
            Value::Array(items) => items.iter().for_each(|item| walk(document, item)),
            _ => {}
        }
    }
    let document = document().await;
    walk(&document, &document);
}

#[tokio::test]
async fn examples_are_as_their_schemas_say() {
    let document = document().await;
    for (name, operation) in operations(&document) {
        for (media_type, content) in contents(operation) {
            let faults = faults(&document, &content["schema"], &content["example"]);
            assert!(faults.is_empty(), "{name}, {media_type}: {faults:?} in {}", content["example"]);
        }
        for parameter in operation["parameters"].as_array().expect("parameters").iter().filter(|one| one["in"] == "path") {
            let faults = faults(&document, &parameter["schema"], &parameter["example"]);
            assert!(faults.is_empty(), "{name}, {}: {faults:?}", parameter["name"]);
        }
    }
    for (name, response) in document["components"]["responses"].as_object().expect("responses") {
        let content = &response["content"]["application/json"];
        assert!(faults(&document, &content["schema"], &content["example"]).is_empty(), "{name}");
    }
}

#[tokio::test]
async fn a_field_that_nobody_knows_is_in_no_schema_of_a_request() {
    let document = document().await;
    for (name, operation) in operations(&document) {
        let content = &operation["requestBody"]["content"]["application/json"];
        // What maps names that a person chose takes any.
        if content.is_null() || resolved(&document, &content["schema"])["properties"].is_null() {
            continue;
        }
        let mut instance = content["example"].clone();
        instance["no_such_field"] = json!(1);
        assert!(!faults(&document, &content["schema"], &instance).is_empty(), "{name}");
    }
}

/// A node whose answers are held against what is said of them.
struct Held {
    app: TestApp,
    document: Value,
}

impl Held {
    /// Calls an operation as the owner; `path` is as in the document, `names` stand in place of its parameters in their order.
    async fn call(&self, method: &str, path: &str, names: &[&str], query: &str, body: Option<Value>) -> Value {
        let operation = &self.document["paths"][path][method];
        assert!(operation.is_object(), "{method} {path}");
        let mut names = names.iter();
        let parts = path.split('/').map(|part| if part.starts_with('{') { *names.next().expect("a name") } else { part });
        let url = format!("{}{}{query}", self.app.admin, parts.collect::<Vec<_>>().join("/"));
        let method = Method::from_bytes(method.to_ascii_uppercase().as_bytes()).expect("a method");
        let mut request = self.app.http.request(method, url).bearer_auth(&self.app.token);
        if let Some(body) = &body {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            let faults = faults(&self.document, schema, body);
            assert!(faults.is_empty(), "{path}: {faults:?} in {body}");
            request = request.json(body);
        }
        let reply = send(request).await;
        let response = resolved(&self.document, &operation["responses"][reply.status.to_string()]);
        assert!(response.is_object(), "{path} answered {}, which is not described: {}", reply.status, reply.shown());
        let content = &response["content"]["application/json"];
        if content.is_null() {
            assert!(reply.body.is_empty(), "{path}: {}", reply.shown());
            return Value::Null;
        }
        let faults = faults(&self.document, &content["schema"], &reply.json());
        assert!(faults.is_empty(), "{path}: {faults:?} in {}", reply.text());
        for header in ["ETag", "Location"] {
            let is_said = response["headers"][header].is_object();
            assert!(is_said || reply.header(header).is_none(), "{path} {header}");
        }
        reply.json()
    }

    async fn get(&self, path: &str, names: &[&str]) -> Value {
        self.call("get", path, names, "", None).await
    }

    async fn post(&self, path: &str, names: &[&str], body: Value) -> Value {
        self.call("post", path, names, "", Some(body)).await
    }
}

async fn held() -> Held {
    let app = TestApp::start().await;
    let document = served(&app).await.json();
    Held { app, document }
}

fn id(value: &Value) -> &str {
    value["id"].as_str().expect("an id")
}

#[tokio::test]
async fn what_is_answered_about_people_and_the_node_is_as_described() {
    let held = held().await;
    for path in ["/healthz", "/version", "/api/v1/limits", "/api/v1/openapi.json", "/api/v1/admin/node"] {
        held.get(path, &[]).await;
    }
    held.post("/api/v1/admin/auth/login", &[], json!({ "username": USERNAME, "password": PASSWORD })).await;
    let wrong = json!({ "username": USERNAME, "password": "wrong" });
    assert_eq!(held.post("/api/v1/admin/auth/login", &[], wrong).await["error"]["code"], "unauthenticated");
    held.get("/api/v1/admin/auth/me", &[]).await;
    let sessions = held.get("/api/v1/admin/auth/sessions", &[]).await;
    let other = sessions["items"].as_array().expect("items").iter().find(|one| one["current"] == false).expect("another login");
    held.call("delete", "/api/v1/admin/auth/sessions/{session_id}", &[id(other)], "", None).await;
    let new = json!({ "username": "ada@example.com", "password": PASSWORD, "role": "member" });
    let ada = held.post("/api/v1/admin/users", &[], new).await;
    held.call("patch", "/api/v1/admin/users/{user_id}", &[id(&ada)], "", Some(json!({ "role": "admin" }))).await;
    held.get("/api/v1/admin/users", &[]).await;
    let key = held.post("/api/v1/admin/api-keys", &[], json!({ "name": "one", "scopes": ["script:read"] })).await;
    held.get("/api/v1/admin/api-keys/{key_id}", &[id(&key)]).await;
    held.get("/api/v1/admin/api-keys", &[]).await;
    held.post("/api/v1/admin/apps", &[], json!({ "slug": "shop", "name": "Shop" })).await;
    let (members, role) = ("/api/v1/admin/apps/{app}/members/{user_id}", json!({ "role": "editor" }));
    held.call("put", members, &["shop", "ada@example.com"], "", Some(role)).await;
    held.get("/api/v1/admin/apps/{app}/members", &["shop"]).await;
    held.get("/api/v1/admin/apps/{app}/audit", &["shop"]).await;
    held.get("/api/v1/admin/audit", &[]).await;
    held.call("delete", "/api/v1/admin/users/{user_id}", &[id(&ada)], "", None).await;
}

#[tokio::test]
async fn what_is_answered_about_apps_and_scripts_is_as_described() {
    let held = held().await;
    let app = held.post("/api/v1/admin/apps", &[], json!({ "slug": "shop", "name": "Shop" })).await;
    let taken = held.post("/api/v1/admin/apps", &[], json!({ "slug": "shop", "name": "Shop" })).await;
    assert_eq!(taken["error"]["code"], "conflict");
    held.get("/api/v1/admin/apps/{app}", &["nobody"]).await;
    held.call("patch", "/api/v1/admin/apps/{app}", &[id(&app)], "", Some(json!({ "name": "The shop" }))).await;
    held.call("get", "/api/v1/admin/apps", &[], "?limit=1", None).await;
    held.call("get", "/api/v1/admin/apps", &[], "?limit=0", None).await;
    held.call("patch", "/api/v1/admin/apps/{app}/grants", &["shop"], "", Some(json!({ "http": ["api.example.com"] }))).await;
    held.get("/api/v1/admin/apps/{app}/grants", &["shop"]).await;
    for value in ["one", "two"] {
        let secret = "/api/v1/admin/apps/{app}/secrets/{name}";
        held.call("put", secret, &["shop", "key"], "", Some(json!({ "value": value }))).await;
    }
    held.get("/api/v1/admin/apps/{app}/secrets", &["shop"]).await;
    held.post("/api/v1/admin/scripts/check", &[], json!({ "source": "let" })).await;
    let new = json!({ "app_id": "shop", "name": "users", "source": "log::info(\"hi\", #{ n: 1 }); 42" });
    let script = held.post("/api/v1/admin/scripts", &[], new).await;
    let script = id(&script);
    let version = Some(json!({ "source": "log::info(\"hi\", #{ n: 1 }); throw \"broken\"", "limits": { "timeout_ms": 2000 } }));
    held.call("put", "/api/v1/admin/scripts/{script_id}", &[script], "", version).await;
    held.call("get", "/api/v1/admin/scripts", &[], "?app=shop", None).await;
    for path in ["", "/used_by", "/versions", "/routes"] {
        held.get(&format!("/api/v1/admin/scripts/{{script_id}}{path}"), &[script]).await;
    }
    held.get("/api/v1/admin/scripts/{script_id}/versions/{number}", &[script, "1"]).await;
    let route = held.post("/api/v1/admin/scripts/{script_id}/routes", &[script], json!({ "path": "/users/:id" })).await;
    for path in ["/users/7", "/nothing"] {
        held.post("/api/v1/admin/routes:match", &[], json!({ "app": "shop", "path": path })).await;
    }
    held.call("delete", "/api/v1/admin/scripts/{script_id}/routes/{route_id}", &[script, id(&route)], "", None).await;
    held.call("post", "/api/v1/execute/{script_id}", &[script], "?a=1", None).await;
    for asked in [json!({ "path": "/a", "headers": { "x-a": "1" } }), json!({ "version": 1 }), json!({ "path": "a" })] {
        held.post("/api/v1/admin/scripts/{script_id}/test", &[script], asked).await;
    }
    for window in ["", "?window=day", "?window=week"] {
        held.call("get", "/api/v1/admin/apps/{app}/health", &["shop"], window, None).await;
    }
    let ran = held.get("/api/v1/admin/scripts/{script_id}/executions", &[script]).await;
    held.get("/api/v1/executions/{execution_id}", &[id(&ran["items"][0])]).await;
    held.get("/api/v1/admin/scripts/{script_id}/logs", &[script]).await;
    held.call("delete", "/api/v1/admin/apps/{app}", &["shop"], "?force=true", None).await;
}

#[tokio::test]
async fn what_is_answered_about_data_is_as_described() {
    let held = held().await;
    let shop = held.app.create_app("shop").await;
    shop.run(r#"kv::collection("c").set("b", blob(3, 7)); files::collection("c").create("f", "hi");"#).await.expect(200);
    let key = "/api/v1/admin/apps/{app}/kv/{collection}/{key}";
    for value in [json!({ "value": { "n": [1, null] }, "ttl_s": 60 }), json!({ "value": "AP8Q", "encoding": "blob" })] {
        held.call("put", key, &["shop", "c", "k"], "", Some(value)).await;
    }
    held.get(key, &["shop", "c", "k"]).await;
    held.post("/api/v1/admin/apps/{app}/docs/{collection}", &["shop", "c"], json!({ "id": "d", "data": { "n": 1.5 } })).await;
    let document = "/api/v1/admin/apps/{app}/docs/{collection}/{document_id}";
    for method in ["put", "patch"] {
        held.call(method, document, &["shop", "c", "d"], "", Some(json!({ "data": { "n": null } }))).await;
    }
    held.get(document, &["shop", "c", "d"]).await;
    for kind in ["kv", "docs", "files"] {
        held.get(&format!("/api/v1/admin/apps/{{app}}/{kind}"), &["shop"]).await;
        held.get(&format!("/api/v1/admin/apps/{{app}}/{kind}/{{collection}}"), &["shop", "c"]).await;
    }
    held.call("delete", key, &["shop", "c", "k"], "", None).await;
    held.call("delete", document, &["shop", "c", "d"], "", None).await;
    let files = held.get("/api/v1/admin/apps/{app}/files/{collection}", &["shop", "c"]).await;
    let (path, file) = ("/api/v1/admin/apps/{app}/files/{collection}/{file_id}", id(&files["items"][0]));
    held.get(path, &["shop", "c", file]).await;
    held.call("delete", path, &["shop", "c", file], "", None).await;
    held.get(path, &["shop", "c", file]).await;
}

#[tokio::test]
async fn what_is_answered_about_events_is_as_described() {
    let held = held().await;
    let shop = held.app.create_app("shop").await;
    let script = shop.upload("handler", "log::warn(\"odd\"); throw \"broken\"").await;
    held.call("put", "/api/v1/admin/apps/{app}/secrets/{name}", &["shop", "mail-in"], "", Some(json!({ "value": "s" }))).await;
    for (kind, rule) in [
        ("kv", json!({ "collection": "c", "ops": ["insert"] })),
        ("cron", json!({ "schedule": "0 0 9 * * MON-FRI", "timezone": "Europe/Vienna" })),
        ("pubsub", json!({ "topic": "orders.*" })),
        ("email", json!({ "secret": "mail-in" })),
        ("dead_letter", json!({ "filter": { "source": "cron" } })),
        ("queue", json!({ "queue": "q", "max_attempts": 1 })),
    ] {
        let mut body = rule;
        body["script_id"] = json!(script.id);
        let trigger = held.post(&format!("/api/v1/admin/apps/{{app}}/triggers/{kind}"), &["shop"], body).await;
        assert_eq!(trigger["kind"], kind, "{trigger}");
        held.get("/api/v1/admin/apps/{app}/triggers/{trigger_id}", &["shop", id(&trigger)]).await;
    }
    let listed = held.call("get", "/api/v1/admin/apps/{app}/triggers", &["shop"], "?kind=cron", None).await;
    let cron = id(&listed["items"][0]);
    let trigger = "/api/v1/admin/apps/{app}/triggers/{trigger_id}";
    held.call("post", "/api/v1/admin/apps/{app}/triggers/{trigger_id}/run", &["shop", cron], "", None).await;
    held.call("patch", trigger, &["shop", cron], "", Some(json!({ "enabled": false }))).await;
    held.call("delete", trigger, &["shop", cron], "", None).await;
    held.post("/api/v1/admin/apps/{app}/triggers/cron:preview", &["shop"], json!({ "schedule": "0 0 9 * * *" })).await;
    let messages = "/api/v1/admin/apps/{app}/queues/{name}/messages";
    held.post(messages, &["shop", "q"], json!({ "message": { "order": 7 } })).await;
    held.post("/api/v1/admin/apps/{app}/topics/{topic}/messages", &["shop", "news"], json!({ "message": null })).await;
    shop.letters(1).await;
    held.get("/api/v1/admin/apps/{app}/queues", &["shop"]).await;
    held.get("/api/v1/admin/apps/{app}/topics", &["shop"]).await;
    let (topic, tokens) = ("/api/v1/admin/apps/{app}/topics/{topic}", "/api/v1/admin/apps/{app}/subscriber_tokens");
    for access in ["token", "public"] {
        held.call("put", topic, &["shop", "orders.paid"], "", Some(json!({ "access": access }))).await;
    }
    held.get(topic, &["shop", "orders.paid"]).await;
    let token = held.post(tokens, &["shop"], json!({ "topics": ["orders.*"], "ttl_s": 60 })).await;
    shop.run(r#"pubsub::subscriber_token("orders.paid")"#).await.expect(200);
    held.get(tokens, &["shop"]).await;
    held.call("delete", &format!("{tokens}/{{token_id}}"), &["shop", id(&token)], "", None).await;
    held.call("delete", topic, &["shop", "orders.paid"], "", None).await;
    held.get("/api/v1/admin/apps/{app}/dead_letters/count", &["shop"]).await;
    let letters = held.call("get", "/api/v1/admin/apps/{app}/dead_letters", &["shop"], "?source=queue", None).await;
    let letter = id(&letters["items"][0]);
    held.get("/api/v1/admin/apps/{app}/dead_letters/{letter_id}", &["shop", letter]).await;
    for body in [None, Some(json!({ "message": { "order": 8 } }))] {
        held.call("post", "/api/v1/admin/apps/{app}/dead_letters/{letter_id}/replay", &["shop", letter], "", body).await;
    }
    let done = json!({ "reason": "it is" });
    held.post("/api/v1/admin/apps/{app}/dead_letters/{letter_id}/resolve", &["shop", letter], done).await;
    held.post("/api/v1/admin/apps/{app}/dead_letters/replay", &["shop"], json!({ "source": "queue" })).await;
    held.call("post", "/api/v1/admin/apps/{app}/queues/{name}/purge", &["shop", "q"], "", None).await;
}
