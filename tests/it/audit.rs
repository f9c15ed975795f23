//! The audit log: one row for every change that a person makes, none for anything else, and nothing secret in any.

mod chain;
mod data;
mod deployments;
mod topics;

use std::collections::BTreeSet;

use picloud::limits::AUDIT_VALUE_BYTES_MAX;
use reqwest::Method;
use serde_json::{Value, json};

use crate::rights::people::{self, id, text};
use crate::rights::table::{SCOPES, SCRIPT_READ};
use crate::rights::world::parameter;
use crate::support::client::{PASSWORD, USERNAME, send};
use crate::support::{Client, Reply, Tenant, TestApp};

/// What must never be read in the log; each place where it goes in has another end.
const SENTINEL: &str = "s3nt1nel";

/// Rows after one, oldest first.
async fn rows(app: &TestApp, after: i64) -> Vec<Value> {
    let page = app.get("/admin/audit?limit=200").await.expect(200).json();
    let mut rows = page["items"].as_array().expect("items").clone();
    rows.reverse();
    rows.retain(|row| seq(row) > after);
    rows
}

fn seq(row: &Value) -> i64 {
    row["seq"].as_i64().expect("a number")
}

async fn head(app: &TestApp) -> i64 {
    rows(app, 0).await.last().map_or(0, seq)
}

/// Every row as the database has it.
async fn written(app: &TestApp) -> String {
    sqlx::query_scalar("SELECT coalesce(string_agg(a::text, ' '), '') FROM audit_log AS a")
        .fetch_one(&mut app.database.connect().await)
        .await
        .expect("the log")
}

/// What goes with a request.
enum Sent {
    Nothing,
    Body(Value),
    Archive(Vec<u8>),
}

/// Whose a row is.
#[derive(Clone, Copy)]
enum Of<'a> {
    Instance,
    App(&'a str),
    /// The app that was made.
    Made,
}

/// What a row tells of the thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tells {
    Nothing,
    /// What is.
    New,
    /// What was.
    Gone,
    /// Both.
    Changed,
}

/// Operations that are really called, one after the other, and what each left in the log.
struct Story {
    app: TestApp,
    owner: String,
    session: String,
    seq: i64,
    called: BTreeSet<String>,
}

impl Story {
    async fn begin() -> Self {
        let app = TestApp::start().await;
        let (owner, session) = (id(&app.get("/admin/auth/me").await.expect(200).json()), people::session_id(&app).await);
        let seq = head(&app).await;
        Self { app, owner, session, seq, called: BTreeSet::new() }
    }

    /// Calls `POST /api/v1/…` with names in place of the path's parameters, in their order.
    async fn call(&mut self, by: &Client, operation: &str, names: &[&str], sent: Sent) -> Reply {
        let (method, target) = operation.split_once(' ').expect("a method and a path");
        let (path, query) = target.split_once('?').map_or((target, String::new()), |(path, query)| (path, format!("?{query}")));
        let mut names = names.iter();
        let parts = path.split('/').map(|part| if parameter(part).is_some() { *names.next().expect("a name") } else { part });
        let url = format!("{}{}{query}", by.admin, parts.collect::<Vec<_>>().join("/"));
        let mut request = by.http.request(Method::from_bytes(method.as_bytes()).expect("a method"), url).bearer_auth(&by.token);
        match sent {
            Sent::Nothing => {}
            Sent::Body(body) => request = request.json(&body),
            Sent::Archive(bytes) => request = request.header("content-type", "application/zstd").body(bytes),
        }
        let reply = send(request).await;
        assert!((200..300).contains(&reply.status), "{operation}: {} {}", reply.status, reply.shown());
        self.called.insert(format!("{method} {path}"));
        reply
    }

    /// The one row that a call of the owner's left.
    async fn row(&mut self, operation: &str, action: &str, reply: &Reply) -> Value {
        let mut rows = rows(&self.app, self.seq).await;
        assert_eq!(rows.len(), 1, "{operation}: {rows:?}");
        let row = rows.remove(0);
        self.seq += 1;
        assert_eq!((seq(&row), &row["action"]), (self.seq, &json!(action)), "{operation}");
        assert_eq!((&row["user_id"], &row["username"]), (&json!(self.owner), &json!(USERNAME)), "{operation}");
        assert_eq!((&row["credential"], &row["address"]), (&json!("session"), &json!("127.0.0.1")), "{operation}");
        assert_eq!(row["request_id"].as_str(), reply.header("x-request-id"), "{operation}");
        assert!(!text(&row["target"]).is_empty() && !text(&row["at"]).is_empty(), "{operation}: {row}");
        row
    }

    /// A call that leaves one row, which tells so much of that app.
    async fn does(&mut self, operation: &str, names: &[&str], sent: Sent, row: (&str, Of<'_>, Tells)) -> Value {
        let by = self.app.client.clone();
        let reply = self.call(&by, operation, names, sent).await;
        let (action, of, tells) = row;
        let row = self.row(operation, action, &reply).await;
        let answer = if operation.contains("/export") || reply.body.is_empty() { Value::Null } else { reply.json() };
        let app_id = match of {
            Of::Instance => Value::Null,
            Of::App(id) => json!(id),
            Of::Made if answer["app"].is_object() => answer["app"]["id"].clone(),
            Of::Made => answer["id"].clone(),
        };
        assert_eq!((&row["app_id"], &row["credential_id"]), (&app_id, &json!(self.session)), "{operation}: {row}");
        let told = match (row["before"].is_null(), row["after"].is_null()) {
            (true, true) => Tells::Nothing,
            (true, false) => Tells::New,
            (false, true) => Tells::Gone,
            (false, false) => Tells::Changed,
        };
        assert_eq!(told, tells, "{operation}: {row}");
        answer
    }

    /// A call that changes nothing and leaves nothing.
    async fn leaves_none(&mut self, operation: &str, names: &[&str], sent: Sent) -> Reply {
        let by = self.app.client.clone();
        let reply = self.call(&by, operation, names, sent).await;
        assert_eq!(rows(&self.app, self.seq).await, Vec::<Value>::new(), "{operation}");
        reply
    }
}

/// Logins, people, keys. What must not be in the log.
async fn of_people(story: &mut Story) -> Vec<String> {
    let owner = story.app.client.clone();
    let credentials = json!({ "username": USERNAME, "password": PASSWORD });
    let mut tokens = vec![owner.token.clone()];
    for _ in 0..2 {
        let login = story.call(&owner, "POST /api/v1/admin/auth/login", &[], Sent::Body(credentials.clone())).await;
        let row = story.row("login", "session.create", &login).await;
        let token = text(&login.json()["token"]).to_owned();
        assert_eq!(row["credential_id"], people::session_id(&people::holding(&owner, &token)).await);
        assert_eq!((&row["target"], &row["app_id"]), (&row["credential_id"], &Value::Null));
        tokens.push(token);
    }
    let out = people::holding(&owner, &tokens[1]);
    let reply = story.call(&out, "POST /api/v1/admin/auth/logout", &[], Sent::Nothing).await;
    let row = story.row("logout", "session.delete", &reply).await;
    assert_eq!((&row["target"], &row["before"], &row["after"]), (&row["credential_id"], &Value::Null, &Value::Null));
    let other = people::session_id(&people::holding(&owner, &tokens[2])).await;
    let row = ("session.delete", Of::Instance, Tells::Nothing);
    story.does("DELETE /api/v1/admin/auth/sessions/{session_id}", &[&other], Sent::Nothing, row).await;

    let new = Sent::Body(json!({ "name": "ci", "scopes": SCOPES }));
    let key = story.does("POST /api/v1/admin/api-keys", &[], new, ("api_key.create", Of::Instance, Tells::New)).await;
    let row = ("api_key.delete", Of::Instance, Tells::Gone);
    story.does("DELETE /api/v1/admin/api-keys/{key_id}", &[&id(&key)], Sent::Nothing, row).await;
    tokens.push(text(&key["token"])[16..].to_owned());

    let new = Sent::Body(json!({ "username": "ada", "password": format!("{SENTINEL} of ada"), "role": "member" }));
    let ada = id(&story.does("POST /api/v1/admin/users", &[], new, ("user.create", Of::Instance, Tells::New)).await);
    let change = Sent::Body(json!({ "role": "admin", "password": format!("{SENTINEL} once more") }));
    let row = ("user.update", Of::Instance, Tells::Changed);
    story.does("PATCH /api/v1/admin/users/{user_id}", &[&ada], change, row).await;
    let row = ("user.delete", Of::Instance, Tells::Gone);
    story.does("DELETE /api/v1/admin/users/{user_id}", &[&ada], Sent::Nothing, row).await;
    let change = Sent::Body(json!({ "current": PASSWORD, "new": format!("{SENTINEL} of the owner") }));
    let row = ("user.password", Of::Instance, Tells::Changed);
    story.does("POST /api/v1/admin/auth/password", &[], change, row).await;
    tokens.push(PASSWORD.to_owned());
    tokens
}

/// An app and what it is; its id.
async fn of_apps(story: &mut Story) -> String {
    let new = Sent::Body(json!({ "slug": "shop", "name": "Shop" }));
    let shop = id(&story.does("POST /api/v1/admin/apps", &[], new, ("app.create", Of::Made, Tells::New)).await);
    let app = Of::App(&shop);
    let change = Sent::Body(json!({ "name": "The shop" }));
    story.does("PATCH /api/v1/admin/apps/{app}", &[&shop], change, ("app.update", app, Tells::Changed)).await;
    people::add(&story.app, "bob", "member").await;
    story.seq += 1;
    let member = "PUT /api/v1/admin/apps/{app}/members/{user_id}";
    let role = |role: &str| Sent::Body(json!({ "role": role }));
    story.does(member, &["shop", "bob"], role("editor"), ("member.create", app, Tells::New)).await;
    story.does(member, &["shop", "bob"], role("viewer"), ("member.update", app, Tells::Changed)).await;
    let row = ("member.delete", app, Tells::Gone);
    story.does("DELETE /api/v1/admin/apps/{app}/members/{user_id}", &["shop", "bob"], Sent::Nothing, row).await;
    for operation in ["PATCH /api/v1/admin/apps/{app}/quota", "PUT /api/v1/admin/apps/{app}/quota"] {
        let quota = Sent::Body(json!({ "concurrency": 40 }));
        story.does(operation, &["shop"], quota, ("quota.update", app, Tells::Changed)).await;
    }
    for operation in ["PATCH /api/v1/admin/apps/{app}/grants", "PUT /api/v1/admin/apps/{app}/grants"] {
        let grants = Sent::Body(json!({ "queue": ["*"], "secrets": ["*"] }));
        story.does(operation, &["shop"], grants, ("grants.update", app, Tells::Changed)).await;
    }
    let new = Sent::Body(json!({ "host": "shop.example.com" }));
    let domain = story.does("POST /api/v1/admin/apps/{app}/domains", &["shop"], new, ("domain.claim", app, Tells::New)).await;
    let method = Sent::Body(json!({ "method": "operator" }));
    let (verify, row) = ("POST /api/v1/admin/apps/{app}/domains/{domain_id}/verify", ("domain.verify", app, Tells::Changed));
    story.does(verify, &["shop", &id(&domain)], method, row).await;
    let (release, row) = ("DELETE /api/v1/admin/apps/{app}/domains/{domain_id}", ("domain.release", app, Tells::Gone));
    story.does(release, &["shop", &id(&domain)], Sent::Nothing, row).await;
    let token = text(&domain["proofs"]["http"]["body"]);
    assert!(!written(&story.app).await.contains(token), "whoever reads the log proves no domain with it");
    let secret = "PUT /api/v1/admin/apps/{app}/secrets/{name}";
    let value = |end: &str| Sent::Body(json!({ "value": format!("{SENTINEL} {end}") }));
    story.does(secret, &["shop", "mail-in"], value("one"), ("secret.create", app, Tells::Nothing)).await;
    story.does(secret, &["shop", "mail-in"], value("two"), ("secret.update", app, Tells::Nothing)).await;
    story.does(secret, &["shop", "other"], value("three"), ("secret.create", app, Tells::Nothing)).await;
    let row = ("secret.delete", app, Tells::Nothing);
    story.does("DELETE /api/v1/admin/apps/{app}/secrets/{name}", &["shop", "other"], Sent::Nothing, row).await;
    shop
}

/// Scripts, routes; one that works and one that fails.
async fn of_scripts(story: &mut Story, shop: &str) -> (String, String) {
    let app = Of::App(shop);
    let source = |name: &str, source: &str| json!({ "app_id": "shop", "name": name, "source": source });
    let mut made = Vec::new();
    for new in [source("works", &format!("/* {SENTINEL} */ 1")), source("fails", "throw 1"), source("idle", "1")] {
        let row = ("script.create", app, Tells::New);
        made.push(id(&story.does("POST /api/v1/admin/scripts", &[], Sent::Body(new), row).await));
    }
    let [works, fails, idle] = <[String; 3]>::try_from(made).expect("three");
    let version = Sent::Body(json!({ "source": format!("let x = \"{SENTINEL}\"; 2") }));
    let row = ("script.publish", app, Tells::Changed);
    story.does("PUT /api/v1/admin/scripts/{script_id}", &[&works], version, row).await;
    let (create, row) = ("POST /api/v1/admin/scripts/{script_id}/routes", ("route.create", app, Tells::New));
    let route = story.does(create, &[&works], Sent::Body(json!({ "path": "/x" })), row).await;
    let (delete, row) = ("DELETE /api/v1/admin/scripts/{script_id}/routes/{route_id}", ("route.delete", app, Tells::Gone));
    story.does(delete, &[&works, &id(&route)], Sent::Nothing, row).await;
    let row = ("script.delete", app, Tells::Gone);
    story.does("DELETE /api/v1/admin/scripts/{script_id}", &[&idle], Sent::Nothing, row).await;
    let (activate, row) = ("POST /api/v1/admin/scripts/{script_id}/activate", ("version.activate", app, Tells::Changed));
    story.does(activate, &[&works], Sent::Body(json!({ "version": 1 })), row).await;
    deployments::change(story, app).await;
    let check = Sent::Body(json!({ "source": "1" }));
    story.leaves_none("POST /api/v1/admin/scripts/check", &[], check).await;
    let asked = Sent::Body(json!({ "app": "shop", "path": "/x" }));
    story.leaves_none("POST /api/v1/admin/routes:match", &[], asked).await;
    // That it ran is in the record of the execution.
    story.leaves_none("POST /api/v1/execute/{script_id}", &[&works], Sent::Body(json!({}))).await;
    story.leaves_none("POST /api/v1/admin/scripts/{script_id}/test", &[&works], Sent::Body(json!({}))).await;
    (works, fails)
}

/// Triggers, messages, dead letters.
async fn of_events(story: &mut Story, shop: &str, works: &str, fails: &str) {
    let app = Of::App(shop);
    let mut cron = String::new();
    for (kind, script, mut rule) in [
        ("kv", works, json!({ "collection": "c" })),
        ("docs", works, json!({ "collection": "c" })),
        ("files", works, json!({ "collection": "c" })),
        ("pubsub", works, json!({ "topic": "t" })),
        ("email", works, json!({ "secret": "mail-in" })),
        ("dead_letter", works, json!({})),
        ("queue", fails, json!({ "queue": "q", "max_attempts": 1 })),
        ("cron", works, json!({ "schedule": "0 0 0 1 JAN *" })),
    ] {
        rule["script_id"] = json!(script);
        let operation = format!("POST /api/v1/admin/apps/{{app}}/triggers/{kind}");
        let trigger = story.does(&operation, &["shop"], Sent::Body(rule), ("trigger.create", app, Tells::New)).await;
        cron = id(&trigger);
    }
    let preview = Sent::Body(json!({ "schedule": "0 0 0 * * *" }));
    story.leaves_none("POST /api/v1/admin/apps/{app}/triggers/cron:preview", &["shop"], preview).await;
    let (run, row) = ("POST /api/v1/admin/apps/{app}/triggers/{trigger_id}/run", ("trigger.run", app, Tells::New));
    story.does(run, &["shop", &cron], Sent::Nothing, row).await;
    let (update, row) = ("PATCH /api/v1/admin/apps/{app}/triggers/{trigger_id}", ("trigger.update", app, Tells::Changed));
    story.does(update, &["shop", &cron], Sent::Body(json!({ "enabled": false })), row).await;
    let (delete, row) = ("DELETE /api/v1/admin/apps/{app}/triggers/{trigger_id}", ("trigger.delete", app, Tells::Gone));
    story.does(delete, &["shop", &cron], Sent::Nothing, row).await;

    let message = || Sent::Body(json!({ "message": SENTINEL }));
    let (publish, row) = ("POST /api/v1/admin/apps/{app}/topics/{topic}/messages", ("topic.publish", app, Tells::New));
    story.does(publish, &["shop", "t"], message(), row).await;
    topics::change(story, app).await;
    let send = "POST /api/v1/admin/apps/{app}/queues/{name}/messages";
    story.does(send, &["shop", "waits"], message(), ("queue.send", app, Tells::New)).await;
    let (purge, row) = ("POST /api/v1/admin/apps/{app}/queues/{name}/purge", ("queue.purge", app, Tells::Nothing));
    story.does(purge, &["shop", "waits"], Sent::Nothing, row).await;
    story.does(send, &["shop", "q"], message(), ("queue.send", app, Tells::New)).await;

    let (client, host) = (story.app.client.clone(), "shop.localhost".to_owned());
    let tenant = Tenant { client, id: shop.to_owned(), slug: "shop".to_owned(), host };
    let first = id(&tenant.letters(1).await[0]);
    let again = ("dead_letter.replay", app, Tells::New);
    let replay = "POST /api/v1/admin/apps/{app}/dead_letters/{letter_id}/replay";
    story.does(replay, &["shop", &first], Sent::Nothing, again).await;
    tenant.letters(2).await;
    let many = "POST /api/v1/admin/apps/{app}/dead_letters/replay";
    story.does(many, &["shop"], Sent::Body(json!({ "source": "queue" })), again).await;
    let last = id(&tenant.letters(3).await[0]);
    let reason = Sent::Body(json!({ "reason": "it is done" }));
    let (resolve, row) =
        ("POST /api/v1/admin/apps/{app}/dead_letters/{letter_id}/resolve", ("dead_letter.resolve", app, Tells::New));
    story.does(resolve, &["shop", &last], reason, row).await;
}

#[tokio::test]
async fn every_change_leaves_one_row_and_nothing_secret_in_it() {
    let mut story = Story::begin().await;
    let shop = of_apps(&mut story).await;
    data::changes(&mut story, &shop).await;
    let (works, fails) = of_scripts(&mut story, &shop).await;
    of_events(&mut story, &shop, &works, &fails).await;
    let secrets = of_people(&mut story).await;
    // Taking everything out changes nothing, and is noted all the same.
    let owner = story.app.client.clone();
    let archive = story.call(&owner, "GET /api/v1/admin/apps/{app}/export", &["shop"], Sent::Nothing).await;
    let row = story.row("export", "app.export", &archive).await;
    assert_eq!((&row["app_id"], row["after"].is_object()), (&json!(shop), true), "{row}");
    let row = ("app.import", Of::Made, Tells::New);
    story.does("POST /api/v1/admin/apps:import?slug=copy", &[], Sent::Archive(archive.body), row).await;
    let row = ("app.delete", Of::App(&shop), Tells::Gone);
    story.does("DELETE /api/v1/admin/apps/{app}?force=true", &["shop"], Sent::Nothing, row).await;

    let document = story.app.anonymous(Method::GET, "/openapi.json", None).await.expect(200).json();
    let mut changing = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        let methods = methods.as_object().expect("methods").keys();
        changing
            .extend(methods.filter(|method| *method != "get").map(|method| format!("{} {path}", method.to_ascii_uppercase())));
    }
    let missing: Vec<_> = changing.difference(&story.called).collect();
    assert!(missing.is_empty(), "call these here, and say what each leaves in the log: {missing:?}");

    let log = written(&story.app).await;
    assert!(log.contains("script.publish") && log.contains("mail-in"), "{log}");
    for secret in secrets.iter().map(String::as_str).chain([SENTINEL, "$argon2"]) {
        assert!(!log.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn what_is_refused_leaves_no_row() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let script = shop.upload("s", "1").await;
    shop.route(&script, json!({ "path": "/x" })).await;
    people::add(&app, "sam", "member").await;
    let sam = people::login(&app, "sam").await;
    let me = id(&app.get("/admin/auth/me").await.expect(200).json());
    let (path, me) = (format!("/admin/scripts/{}", script.id), format!("/admin/users/{me}"));
    let (routes, trigger) = (format!("{path}/routes"), json!({ "script_id": script.id, "collection": "" }));
    let before = head(&app).await;
    for (method, path, body, status) in [
        (Method::POST, "/admin/apps", json!({ "slug": "shop", "name": "x" }), 409),
        (Method::POST, "/admin/apps", json!({ "slug": "No Slug", "name": "x" }), 422),
        (Method::PATCH, "/admin/apps/shop", json!({ "nmae": "x" }), 422),
        (Method::DELETE, "/admin/apps/shop", json!({}), 409),
        (Method::PUT, "/admin/apps/shop/grants", json!({ "nothing": ["*"] }), 422),
        (Method::PUT, "/admin/apps/shop/quota", json!({ "concurrency": 0 }), 422),
        (Method::PUT, "/admin/apps/shop/members/nobody", json!({ "role": "viewer" }), 404),
        (Method::DELETE, "/admin/apps/shop/members/sam", json!({}), 404),
        (Method::PUT, "/admin/apps/shop/secrets/a%20b", json!({ "value": "x" }), 422),
        (Method::DELETE, "/admin/apps/shop/secrets/none", json!({}), 404),
        (Method::PUT, "/admin/apps/shop/kv/c/k", json!({ "value": 1, "ttl_s": 0 }), 422),
        (Method::PATCH, "/admin/apps/shop/docs/c/none", json!({ "data": {} }), 404),
        (Method::POST, "/admin/apps/shop/files/c", json!({}), 422),
        (Method::POST, "/admin/apps/shop/domains", json!({ "host": "localhost" }), 422),
        (Method::POST, "/admin/apps/shop/triggers/kv", trigger, 422),
        (Method::POST, "/admin/apps/shop/queues/a*/messages", json!({ "message": 1 }), 422),
        (Method::POST, "/admin/apps/shop/dead_letters/replay", json!({}), 200),
        (Method::PUT, path.as_str(), json!({ "source": "let" }), 422),
        (Method::POST, routes.as_str(), json!({ "path": "/x" }), 409),
        (Method::DELETE, "/admin/scripts/0190aaaa-bbbb-7ccc-8ddd-eeeeffff0000", json!({}), 404),
        (Method::POST, "/admin/users", json!({ "username": "SAM", "password": PASSWORD, "role": "member" }), 409),
        (Method::PATCH, me.as_str(), json!({ "role": "member" }), 409),
        (Method::POST, "/admin/api-keys", json!({ "name": "", "scopes": [SCRIPT_READ] }), 422),
        (Method::POST, "/admin/auth/login", json!({ "username": USERNAME, "password": "wrong" }), 401),
        (Method::POST, "/admin/auth/password", json!({ "current": "wrong", "new": PASSWORD }), 403),
    ] {
        let reply = app.api(method, path, Some(&body)).await;
        assert_eq!(reply.status, status, "{path}: {}", reply.shown());
    }
    sam.post("/admin/apps", json!({ "slug": "sams", "name": "x" })).await.fails(403, "forbidden");
    sam.patch("/admin/apps/shop", json!({ "name": "Sam's" })).await.fails(404, "not_found");
    let stale = app.request(Method::PATCH, "/admin/apps/shop").bearer_auth(&app.token).header("if-match", "\"1\"");
    send(stale.json(&json!({ "name": "x" }))).await.fails(412, "precondition_failed");
    assert_eq!(rows(&app, before).await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_row_names_the_key_that_did_it_and_nobody_for_the_operator() {
    let app = TestApp::start().await;
    let first = rows(&app, 0).await.remove(0);
    assert_eq!((seq(&first), &first["action"], &first["credential"]), (1, &json!("user.create"), &json!("operator")));
    for field in ["user_id", "username", "credential_id", "address", "request_id", "app_id"] {
        assert_eq!(first[field], Value::Null, "{field}: the first owner is made at the machine");
    }
    let key = people::key(&app, json!({ "name": "ci", "scopes": SCOPES })).await;
    let before = head(&app).await;
    let holder = people::holding(&app, text(&key["token"]));
    // A proxy on this machine is believed about who called; the last address is the one that it wrote.
    let request =
        app.request(Method::POST, "/admin/apps").bearer_auth(&holder.token).header("x-forwarded-for", "10.9.9.9, 192.0.2.7");
    let made = send(request.json(&json!({ "slug": "shop", "name": "Shop" }))).await.expect(201);
    let row = rows(&app, before).await.remove(0);
    assert_eq!((&row["credential"], &row["credential_id"]), (&json!("api_key"), &key["id"]));
    assert_eq!((&row["username"], &row["address"]), (&json!(USERNAME), &json!("192.0.2.7")));
    assert_eq!((row["request_id"].as_str(), &row["target"]), (made.header("x-request-id"), &made.json()["id"]));
}

#[tokio::test]
async fn an_app_reads_its_own_part_and_the_instance_all() {
    let app = TestApp::start().await;
    let (shop, other) = (app.create_app("shop").await, app.create_app("other").await);
    people::add(&app, "ada", "member").await;
    people::admit(&shop, "ada", "app_admin").await;
    for tenant in [&shop, &other, &shop] {
        app.patch(&format!("/admin/apps/{}", tenant.slug), json!({ "name": "renamed" })).await.expect(200);
    }
    let actions = |page: &Value| -> Vec<String> {
        page["items"].as_array().expect("items").iter().map(|row| text(&row["action"]).to_owned()).collect()
    };
    let ada = people::login(&app, "ada").await;
    let own = ada.get("/admin/apps/shop/audit").await.expect(200).json();
    assert_eq!(actions(&own), ["app.update", "app.update", "member.create", "app.create"], "newest first");
    assert!(own["items"].as_array().expect("items").iter().all(|row| row["app_id"] == json!(shop.id)), "{own}");
    let first = ada.get("/admin/apps/shop/audit?limit=3").await.expect(200).json();
    let rest = ada.get(&format!("/admin/apps/shop/audit?limit=3&cursor={}", text(&first["cursor"]))).await.expect(200).json();
    assert_eq!((actions(&first).len(), actions(&rest), &rest["cursor"]), (3, vec!["app.create".to_owned()], &Value::Null));
    ada.get("/admin/apps/other/audit").await.fails(404, "not_found");
    ada.get("/admin/audit").await.fails(403, "forbidden");
    // All of it outlives the app.
    app.delete("/admin/apps/shop").await.expect(204);
    app.get("/admin/apps/shop/audit").await.fails(404, "not_found");
    let all = rows(&app, 0).await;
    assert_eq!(all.iter().filter(|row| row["app_id"] == json!(shop.id)).count(), 5);
    assert_eq!(all.iter().map(seq).collect::<Vec<_>>(), (1..).take(all.len()).collect::<Vec<i64>>(), "without a gap");
}

#[tokio::test]
async fn a_value_that_is_too_large_is_told_by_its_digest() {
    let app = TestApp::start().await;
    app.create_app("shop").await;
    // Grants whose JSON is so many bytes long.
    let grants = async |bytes: usize| {
        let patterns = |lengths: &[usize]| -> Vec<String> {
            lengths.iter().enumerate().map(|(n, length)| format!("{n:02}{}", "x".repeat(length - 2))).collect()
        };
        let mut lengths = vec![200; 70];
        let put = async |lengths: &[usize]| {
            let put = app.put("/admin/apps/shop/grants", json!({ "kv": patterns(lengths) })).await.expect(200).json();
            put.to_string()
        };
        let now = put(&lengths).await.len();
        for n in 0..bytes - now {
            lengths[n % 70] += 1;
        }
        put(&lengths).await
    };
    for (bytes, is_whole) in [(AUDIT_VALUE_BYTES_MAX, true), (AUDIT_VALUE_BYTES_MAX + 1, false)] {
        let stated = grants(bytes).await;
        assert_eq!(stated.len(), bytes);
        let row = rows(&app, 0).await.pop().expect("a row");
        if is_whole {
            assert_eq!(row["after"].to_string().len(), bytes);
        } else {
            assert_eq!((&row["after"]["bytes"], row["after"].as_object().map(serde_json::Map::len)), (&json!(bytes), Some(2)));
            assert_eq!(text(&row["after"]["blake3"]).len(), 64);
        }
    }
}
