//! Who may do what: every operation × everybody, in one table; what is another tenant's is not there.
//!
//! `table` has a row for each operation, `principals` everybody who may ask and a second opinion on what they may, `world` one
//! of everything that a path can name. Asking does nothing: the gate refuses a query parameter that nobody knows after it has
//! judged the right and before the handler runs, so who passes is told about the parameter.

pub(crate) mod people;
mod principals;
pub(crate) mod table;
pub(crate) mod world;

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde_json::{Value, json};

use self::principals::{Person, Place, Principal, Verdict, everybody};
use self::table::{Right, SCRIPT_READ, SCRIPT_WRITE, TABLE};
use self::world::{World, parameter};
use crate::support::client::send;
use crate::support::{Reply, TestApp};

/// The one operation that takes any parameter: it is for the script.
const EXECUTE: &str = "/api/v1/execute/{script_id}";
const UNKNOWN: &str = "no_such_parameter";
const NOBODYS: &str = "0190aaaa-bbbb-7ccc-8ddd-eeeeffff0000";
/// Requests under way together.
const AT_ONCE: usize = 16;

#[tokio::test]
async fn the_table_has_a_row_for_every_operation_and_the_right_that_is_described() {
    let app = TestApp::start().await;
    let document = app.anonymous(Method::GET, "/openapi.json", None).await.expect(200).json();
    let mut described = BTreeMap::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            described.insert(format!("{} {path}", method.to_ascii_uppercase()), operation["x-access"].clone());
        }
    }
    let table: BTreeMap<_, _> =
        TABLE.iter().map(|(method, path, right)| (format!("{method} {path}"), right.described())).collect();
    assert_eq!(table.len(), TABLE.len(), "a row stands twice");
    let missing: Vec<_> = described.keys().filter(|name| !table.contains_key(*name)).collect();
    assert!(missing.is_empty(), "give these a row in tests/it/rights/table.rs: {missing:?}");
    let surplus: Vec<_> = table.keys().filter(|name| !described.contains_key(*name)).collect();
    assert!(surplus.is_empty(), "there are no such operations: {surplus:?}");
    for (name, right) in &table {
        assert_eq!(described[name], *right, "{name}");
    }
    let served: BTreeSet<_> = picloud::api::endpoints().into_iter().map(|(method, path, _)| format!("{method} {path}")).collect();
    let rows: BTreeSet<_> = table.into_keys().collect();
    assert_eq!(served, rows);
}

async fn ask(world: &World, method: &str, path: &str, token: Option<&str>) -> Reply {
    let method = Method::from_bytes(method.as_bytes()).expect("a method");
    let mut request = world.app.http.request(method, format!("{}{path}", world.app.admin));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    send(request).await
}

/// Whether an answer says what the verdict is.
fn is_right(reply: &Reply, verdict: Verdict, is_run: bool) -> bool {
    let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let error = &body["error"];
    let fails = |status: u16, code: &str| reply.status == status && error["code"] == code;
    match verdict {
        Verdict::Passes if is_run => reply.status == 200,
        Verdict::Passes => fails(422, "invalid") && error["details"]["unknown_parameters"] == json!([UNKNOWN]),
        Verdict::Unknown => fails(401, "unauthenticated"),
        Verdict::LoginNeeded => fails(403, "login_needed"),
        Verdict::Lacks(scope) => fails(403, "forbidden") && error["details"]["scope"] == scope,
        Verdict::Hidden => fails(404, "not_found"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_lets_in_whom_it_should_and_nobody_else() {
    let world = World::start().await;
    let everybody = everybody(&world).await;
    assert!(everybody.len() > 25, "{}", everybody.len());
    let mut wrong = Vec::new();
    for (method, template, right) in TABLE {
        let path = format!("{}?{UNKNOWN}=1", world.path(template));
        for some in everybody.chunks(AT_ONCE) {
            let asked = some.iter().map(|principal| ask(&world, method, &path, principal.token.as_deref()));
            for (principal, reply) in some.iter().zip(futures_util::future::join_all(asked).await) {
                let verdict = principal.verdict(*right);
                if !is_right(&reply, verdict, *template == EXECUTE) {
                    let (name, status, shown) = (&principal.name, reply.status, reply.shown());
                    wrong.push(format!("{method} {template} for {name}: {verdict:?} is right; answered {status} {shown}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong answers:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
}

/// An answer without what tells one request from another.
fn face(reply: &Reply) -> (u16, BTreeMap<String, Vec<u8>>, Value) {
    let told = |name: &str| !["date", "x-request-id"].contains(&name);
    let headers = reply.headers.iter().filter(|(name, _)| told(name.as_str()));
    let headers = headers.map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect();
    let mut body = reply.json();
    body["error"]["request_id"] = Value::Null;
    (reply.status, headers, body)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_another_tenants_looks_as_if_it_were_not_there() {
    let world = World::start().await;
    let strangers: Vec<_> =
        everybody(&world).await.into_iter().filter(|one| one.verdict(Right::OfApp(SCRIPT_READ)) == Verdict::Hidden).collect();
    assert_eq!(strangers.len(), 3, "no member, another app's admin, a key for another app: {strangers:?}");
    let absent = [("app", NOBODYS), ("script_id", NOBODYS), ("execution_id", NOBODYS)];
    for (method, template, _) in TABLE.iter().filter(|(_, _, right)| matches!(right, Right::OfApp(_))) {
        let (theirs, nobodys) = (world.path(template), world.path_with(template, &absent));
        let slug = world.path_with(template, &[("app", "shop")]);
        for stranger in &strangers {
            let token = stranger.token.as_deref();
            let there = ask(&world, method, &theirs, token).await.fails(404, "not_found");
            let nowhere = ask(&world, method, &nobodys, token).await.fails(404, "not_found");
            assert_eq!(face(&there), face(&nowhere), "{method} {template} for {}", stranger.name);
            let named = ask(&world, method, &slug, token).await.fails(404, "not_found");
            assert_eq!(face(&named), face(&nowhere), "{method} {template} by slug for {}", stranger.name);
        }
    }
}

/// Things of an app below a path that names the app, or its script, too; with what it takes to get as far as looking for them.
fn things() -> Vec<(&'static str, &'static str, Option<Value>)> {
    vec![
        ("DELETE", "/api/v1/admin/apps/{app}/members/{user_id}", None),
        ("GET", "/api/v1/admin/apps/{app}/domains/{domain_id}", None),
        ("POST", "/api/v1/admin/apps/{app}/domains/{domain_id}/verify", Some(json!({ "method": "operator" }))),
        ("DELETE", "/api/v1/admin/apps/{app}/domains/{domain_id}", None),
        ("DELETE", "/api/v1/admin/apps/{app}/secrets/{name}", None),
        ("GET", "/api/v1/admin/apps/{app}/deployments/{number}", None),
        ("GET", "/api/v1/admin/apps/{app}/deployments/{number}/diff", None),
        ("POST", "/api/v1/admin/apps/{app}/deployments/{number}/activate", Some(json!({}))),
        ("POST", "/api/v1/admin/apps/{app}/deployments/{number}/preview", Some(json!({}))),
        ("GET", "/api/v1/admin/apps/{app}/kv/{collection}/{key}", None),
        ("DELETE", "/api/v1/admin/apps/{app}/kv/{collection}/{key}", None),
        ("GET", "/api/v1/admin/apps/{app}/docs/{collection}/{document_id}", None),
        ("PUT", "/api/v1/admin/apps/{app}/docs/{collection}/{document_id}", Some(json!({ "data": {} }))),
        ("PATCH", "/api/v1/admin/apps/{app}/docs/{collection}/{document_id}", Some(json!({ "data": {} }))),
        ("DELETE", "/api/v1/admin/apps/{app}/docs/{collection}/{document_id}", None),
        ("GET", "/api/v1/admin/apps/{app}/files/{collection}/{file_id}", None),
        ("DELETE", "/api/v1/admin/apps/{app}/files/{collection}/{file_id}", None),
        ("GET", "/api/v1/admin/apps/{app}/files/{collection}/{file_id}/content", None),
        ("GET", "/api/v1/admin/scripts/{script_id}/versions/{number}", None),
        ("GET", "/api/v1/admin/scripts/{script_id}/versions/{number}/diff", None),
        ("DELETE", "/api/v1/admin/scripts/{script_id}/routes/{route_id}", None),
        ("GET", "/api/v1/admin/apps/{app}/triggers/{trigger_id}", None),
        ("PATCH", "/api/v1/admin/apps/{app}/triggers/{trigger_id}", Some(json!({ "enabled": false }))),
        ("DELETE", "/api/v1/admin/apps/{app}/triggers/{trigger_id}", None),
        ("POST", "/api/v1/admin/apps/{app}/triggers/{trigger_id}/run", None),
        ("GET", "/api/v1/admin/apps/{app}/topics/{topic}", None),
        ("DELETE", "/api/v1/admin/apps/{app}/topics/{topic}", None),
        ("DELETE", "/api/v1/admin/apps/{app}/subscriber_tokens/{token_id}", None),
        ("GET", "/api/v1/admin/apps/{app}/dead_letters/{letter_id}", None),
        ("POST", "/api/v1/admin/apps/{app}/dead_letters/{letter_id}/replay", None),
        ("POST", "/api/v1/admin/apps/{app}/dead_letters/{letter_id}/resolve", Some(json!({ "reason": "mine" }))),
    ]
}

/// These name what need not be there, or people, who are no app's.
const NAMES: [(&str, &str); 12] = [
    ("PUT", "/api/v1/admin/apps/{app}/members/{user_id}"),
    ("PUT", "/api/v1/admin/apps/{app}/secrets/{name}"),
    ("GET", "/api/v1/admin/apps/{app}/kv/{collection}"),
    ("PUT", "/api/v1/admin/apps/{app}/kv/{collection}/{key}"),
    ("GET", "/api/v1/admin/apps/{app}/docs/{collection}"),
    ("POST", "/api/v1/admin/apps/{app}/docs/{collection}"),
    ("GET", "/api/v1/admin/apps/{app}/files/{collection}"),
    ("POST", "/api/v1/admin/apps/{app}/files/{collection}"),
    ("POST", "/api/v1/admin/apps/{app}/queues/{name}/messages"),
    ("POST", "/api/v1/admin/apps/{app}/queues/{name}/purge"),
    ("PUT", "/api/v1/admin/apps/{app}/topics/{topic}"),
    ("POST", "/api/v1/admin/apps/{app}/topics/{topic}/messages"),
];

/// All that the shop has of such things.
async fn state(world: &World) -> Vec<Value> {
    let mut state = Vec::new();
    for path in [
        "/api/v1/admin/apps/{app}/members",
        "/api/v1/admin/apps/{app}/domains",
        "/api/v1/admin/apps/{app}/secrets",
        "/api/v1/admin/apps/{app}/kv/{collection}",
        "/api/v1/admin/apps/{app}/docs/{collection}",
        "/api/v1/admin/apps/{app}/files/{collection}",
        "/api/v1/admin/apps/{app}/triggers",
        "/api/v1/admin/apps/{app}/topics",
        "/api/v1/admin/apps/{app}/subscriber_tokens",
        "/api/v1/admin/apps/{app}/dead_letters",
        "/api/v1/admin/scripts/{script_id}/routes",
        "/api/v1/admin/scripts/{script_id}/versions",
    ] {
        let listed = ask(world, "GET", &world.path(path), Some(&world.app.token)).await.expect(200).json();
        assert_ne!(listed["items"], json!([]), "{path}");
        state.push(listed);
    }
    state
}

#[tokio::test]
async fn a_thing_of_one_app_is_not_there_under_another() {
    let things = things();
    let two = TABLE.iter().filter(|(_, path, _)| path.split('/').filter_map(parameter).count() > 1);
    let missing: Vec<_> = two
        .map(|(method, path, _)| (*method, *path))
        .filter(|row| !NAMES.contains(row) && !things.iter().any(|(method, path, _)| (*method, *path) == *row))
        .collect();
    assert!(missing.is_empty(), "say of these what is below the app: {missing:?}");

    let world = World::start().await;
    let before = state(&world).await;
    for (method, template, body) in things {
        // By whoever sees both apps.
        let path = world.path_with(template, &[("app", world.other.id.as_str()), ("script_id", world.theirs.as_str())]);
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let mut request = world.app.http.request(method, format!("{}{path}", world.app.admin)).bearer_auth(&world.app.token);
        if let Some(body) = &body {
            request = request.json(body);
        }
        let reply = send(request).await;
        assert_eq!(reply.status, 404, "{path}: {}", reply.shown());
        reply.fails(404, "not_found");
    }
    assert_eq!(state(&world).await, before);
}

/// What is listed, by a field.
fn listed(reply: &Reply, field: &str) -> BTreeSet<String> {
    let page = reply.json();
    let items = page["items"].as_array().expect("items").iter();
    items.map(|item| item[field].as_str().expect("text").to_owned()).collect()
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Each app of the world with the names of its scripts.
const APPS: [(Place, &str, &[&str]); 2] = [(Place::Shop, "shop", &["answers", "broken"]), (Place::Other, "other", &["theirs"])];

/// What is listed of scripts and apps is what is the person's; an app that they name they must have a part in.
async fn reads(world: &World, principal: &Principal, person: Person) {
    let client = people::holding(&world.app, principal.token.as_deref().expect("a token"));
    let name = &principal.name;
    let (mut apps, mut scripts) = (BTreeSet::new(), BTreeSet::new());
    for (_, slug, own) in APPS.into_iter().filter(|(place, _, _)| person.on(*place, SCRIPT_READ) == Verdict::Passes) {
        apps.insert(slug.to_owned());
        scripts.extend(names(own));
    }
    assert_eq!(listed(&client.get("/admin/apps").await.expect(200), "slug"), apps, "{name}");
    assert_eq!(listed(&client.get("/admin/scripts").await.expect(200), "name"), scripts, "{name}");
    for (place, slug, scripts) in APPS {
        let of_app = client.get(&format!("/admin/scripts?app={slug}")).await;
        let by_app = client.post("/admin/routes:match", json!({ "app": slug, "path": "/x" })).await;
        let by_host = client.post("/admin/routes:match", json!({ "host": format!("{slug}.localhost"), "path": "/x" })).await;
        let by_host = by_host.expect(200).json();
        if person.on(place, SCRIPT_READ) == Verdict::Passes {
            assert_eq!(listed(&of_app.expect(200), "name"), names(scripts), "{name}");
            assert_eq!(by_app.expect(200).json()["matched"], place == Place::Shop, "{name}");
            assert_eq!(by_host["app"]["slug"], slug, "{name}: {by_host}");
        } else {
            of_app.fails(404, "not_found");
            by_app.fails(404, "not_found");
            let mut nowhere =
                client.post("/admin/routes:match", json!({ "host": "nobody.localhost", "path": "/x" })).await.json();
            nowhere["message"] = nowhere["message"].as_str().expect("a message").replace("nobody", slug).into();
            assert_eq!(by_host, nowhere, "{name}");
        }
    }
}

/// Whoever may make a script in an app is told that it is there already.
async fn writes(world: &World, principal: &Principal, person: Person) {
    let client = people::holding(&world.app, principal.token.as_deref().expect("a token"));
    client.post("/admin/scripts/check", json!({ "source": "1" })).await.expect(200);
    for (place, slug, scripts) in APPS {
        let new = json!({ "app_id": slug, "name": scripts[0], "source": "1" });
        let reply = client.post("/admin/scripts", new).await;
        let is_right = match person.on(place, SCRIPT_WRITE) {
            Verdict::Passes => reply.status == 409 && reply.json()["error"]["code"] == "conflict",
            Verdict::Hidden => {
                reply.status == 422 && reply.details()["field"] == "app_id" && !reply.text().contains(&world.shop.id)
            }
            Verdict::Lacks(scope) => reply.status == 403 && reply.details()["scope"] == scope,
            Verdict::Unknown | Verdict::LoginNeeded => false,
        };
        assert!(is_right, "{} in {slug}: {} {}", principal.name, reply.status, reply.shown());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn collections_hold_what_is_ones_own_and_take_nothing_into_apps_that_are_not() {
    let in_collections: BTreeSet<_> = TABLE
        .iter()
        .filter(|(_, _, right)| matches!(right, Right::SomeApp(_)))
        .map(|(method, path, _)| (*method, *path))
        .collect();
    let called = [
        ("GET", "/api/v1/admin/apps"),
        ("GET", "/api/v1/admin/scripts"),
        ("POST", "/api/v1/admin/routes:match"),
        ("POST", "/api/v1/admin/scripts"),
        ("POST", "/api/v1/admin/scripts/check"),
    ];
    assert_eq!(in_collections, BTreeSet::from(called), "what is judged by the handler is called here");
    let world = World::start().await;
    let (mut readers, mut writers) = (0, 0);
    for principal in &everybody(&world).await {
        let Some(person) = principal.person else { continue };
        if principal.verdict(Right::SomeApp(SCRIPT_READ)) == Verdict::Passes {
            reads(&world, principal, person).await;
            readers += 1;
        }
        if principal.verdict(Right::SomeApp(SCRIPT_WRITE)) == Verdict::Passes {
            writes(&world, principal, person).await;
            writers += 1;
        }
    }
    assert!(readers > 10 && writers > 10, "{readers} {writers}");
    // Nobody made anything: then an editor does.
    let eve = people::asking(&world.shop, &people::login(&world.app, "eve").await);
    eve.upload("own", "1").await;
    let all = world.app.get("/admin/scripts").await.expect(200);
    assert_eq!(listed(&all, "name"), names(&["answers", "broken", "own", "theirs"]));
}
