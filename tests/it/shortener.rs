//! The tutorial `scripts/shortener`: an app that uses every service, deployed and used as its page says.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::client::Script;
use crate::support::origin::{Internet, Origin, answer};
use crate::support::{Options, Reply, Tenant, TestApp, eventually, repository};

const KEY: &str = "correct-horse";
/// A method and a path.
type Route = (&'static str, &'static str);
/// Script, kind, routes.
const SCRIPTS: &[(&str, &str, &[Route])] = &[
    ("links", "module", &[]),
    ("note-click", "endpoint", &[]),
    ("shorten", "endpoint", &[("POST", "/links")]),
    ("follow", "endpoint", &[("GET", "/:code")]),
    ("list", "endpoint", &[("GET", "/links")]),
    ("stats", "endpoint", &[("GET", "/links/:code/stats")]),
    ("report", "endpoint", &[("GET", "/report"), ("POST", "/report")]),
];

struct Shortener {
    _app: TestApp,
    go: Tenant,
    scripts: HashMap<&'static str, Script>,
}

fn source(name: &str) -> String {
    let path = repository().join("tests/it/scripts/shortener").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

impl Shortener {
    async fn deploy() -> Self {
        let origin = Origin::tls("example.com", |request| match request.target.as_str() {
            "/gone" => answer("404 Not Found", &[], ""),
            _ => answer("200 OK", &[], ""),
        })
        .await;
        let network = Internet::default().host("example.com", "93.184.216.34:443", &origin).network();
        let app = TestApp::start_with(Options { network, ..Options::default() }).await;
        let go = app.create_app("go").await;
        app.put("/admin/apps/go/secrets/api-key", json!({ "value": KEY })).await.expect(201);
        let refused = go.try_upload("shorten", "http::head(\"https://example.com/\")", json!({})).await;
        refused.fails(422, "not_granted");
        go.grant(json!({ "http": ["example.com", "*.example.com"] })).await;
        let mut scripts = HashMap::new();
        for (name, kind, routes) in SCRIPTS {
            let script = go.upload_with(name, &source(&format!("{name}.rhai")), json!({ "kind": kind })).await;
            for (method, path) in *routes {
                go.route(&script, json!({ "method": method, "path": path })).await;
            }
            scripts.insert(*name, script);
        }
        Self { _app: app, go, scripts }
    }

    async fn with_key(&self, method: &str, path: &str, body: Value) -> Reply {
        let headers = [("authorization", format!("Bearer {KEY}")), ("content-type", "application/json".to_owned())];
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.go.call(method, path, if body.is_null() { String::new() } else { body.to_string() }, &headers).await
    }

    async fn shorten(&self, body: Value) -> Reply {
        self.with_key("POST", "/links", body).await
    }
}

#[tokio::test]
async fn the_tutorial_names_every_script_and_no_other() {
    let page = source("README.md");
    let mut files: Vec<_> = std::fs::read_dir(repository().join("tests/it/scripts/shortener"))
        .expect("the directory")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
        .filter(|name| name.ends_with(".rhai"))
        .collect();
    files.sort();
    let mut deployed: Vec<_> = SCRIPTS.iter().map(|(name, ..)| format!("{name}.rhai")).collect();
    deployed.sort();
    assert_eq!(files, deployed);
    for file in files {
        assert!(page.contains(&format!("[`{file}`]({file})")), "{file}");
    }
}

#[tokio::test]
async fn links_are_made_followed_counted_and_reported() {
    let app = Shortener::deploy().await;
    let made = app.shorten(json!({ "url": "https://example.com/", "code": "ex", "tags": ["docs"] })).await.expect(201);
    assert_eq!(made.header("location"), Some("/ex"));
    assert_eq!((&made.json()["clicks"], &made.json()["tags"]), (&json!(0), &json!(["docs"])));
    let drawn = app.shorten(json!({ "url": "https://example.com/other" })).await.expect(201).json();
    assert_eq!(drawn["code"].as_str().map(str::len), Some(7));

    for referer in ["https://news.example.net/today", ""] {
        let headers: &[(&str, &str)] = if referer.is_empty() { &[] } else { &[("referer", referer)] };
        let followed = app.go.call("GET", "/ex", "", headers).await.expect(302);
        assert_eq!(followed.header("location"), Some("https://example.com/"));
    }
    let stats = eventually("both clicks are noted", Duration::from_secs(20), async || {
        let stats = app.go.get("/links/ex/stats").await.expect(200).json();
        // The script notes where a click came from before it notes that there was one lately.
        let is_noted = stats["sources"].as_object().map(serde_json::Map::len) == Some(2) && stats["seen_lately"] == true;
        is_noted.then_some(stats)
    })
    .await;
    assert_eq!(
        stats,
        json!({ "code": "ex", "clicks": 2, "seen_lately": true, "sources": { "direct": 1, "news.example.net": 1 } })
    );

    app.go.get("/report").await.expect(404);
    let report = app.with_key("POST", "/report", Value::Null).await.expect(200).json();
    let table = app.go.get("/report").await.expect(200);
    assert_eq!(table.header("content-type"), Some("text/csv; charset=utf-8"));
    assert_eq!(table.header("etag"), Some(&*format!("\"{}\"", report["sha256"].as_str().expect("a hash"))));
    assert!(table.text().contains("ex,\"https://example.com/\",2,true\n"), "{}", table.text());
}

#[tokio::test]
async fn links_are_listed_in_pages_and_by_tag() {
    let app = Shortener::deploy().await;
    for (code, tag) in [("a", "x"), ("b", "y"), ("c", "x"), ("d", "x")] {
        app.shorten(json!({ "url": "https://example.com/", "code": code, "tags": [tag] })).await.expect(201);
    }
    let codes =
        |page: &Value| page["items"].as_array().expect("items").iter().map(|link| link["code"].clone()).collect::<Vec<_>>();
    let first = app.with_key("GET", "/links?tag=x", Value::Null).await.expect(200).json();
    assert_eq!(codes(&first), ["d", "c"]);
    let next = format!("/links?tag=x&cursor={}", first["cursor"].as_str().expect("a cursor"));
    let second = app.with_key("GET", &next, Value::Null).await.expect(200).json();
    assert_eq!((codes(&second), &second["cursor"]), (vec![json!("a")], &Value::Null));
}

#[tokio::test]
async fn what_is_wrong_is_answered_in_the_apps_own_words() {
    let app = Shortener::deploy().await;
    app.go.post("/links", "{}", "application/json").await.expect(401);
    app.go.get("/links").await.expect(401);
    app.shorten(json!(["no map"])).await.expect(400);
    app.shorten(json!({ "url": "https://example.com/gone" })).await.expect(422);
    app.shorten(json!({ "url": "https://elsewhere.test/" })).await.expect(422);
    app.shorten(json!({ "url": "http://127.0.0.1:5432/" })).await.expect(422);
    app.shorten(json!({ "url": "https://example.com/", "code": "ex" })).await.expect(201);
    app.shorten(json!({ "url": "https://example.com/", "code": "ex" })).await.expect(409);
    app.go.get("/nothing").await.expect(404);
}

#[tokio::test]
async fn a_new_version_of_the_module_is_everybodys_at_once() {
    let app = Shortener::deploy().await;
    let longer = source("links.rhai").replace("CODE_LENGTH = 7", "CODE_LENGTH = 12");
    let links = &app.scripts["links"];
    app.go.client.put(&format!("/admin/scripts/{}", links.id), json!({ "source": longer })).await.expect(200);
    let drawn = app.shorten(json!({ "url": "https://example.com/" })).await.expect(201).json();
    assert_eq!(drawn["code"].as_str().map(str::len), Some(12));
    let used = app.go.client.get(&format!("/admin/scripts/{}/used_by", links.id)).await.expect(200).json();
    assert_eq!(used["items"].as_array().map(Vec::len), Some(5));
    app.go.client.delete(&format!("/admin/scripts/{}", links.id)).await.fails(409, "conflict");
}

#[tokio::test]
async fn each_script_shows_what_it_can_reach() {
    let app = Shortener::deploy().await;
    let of = |name: &str| app.scripts[name].created["capabilities"].clone();
    assert_eq!(of("links"), json!(["docs", "kv", "secrets"]));
    assert_eq!(of("shorten"), json!(["docs", "http", "kv", "log", "secrets"]));
    assert_eq!(of("report"), json!(["docs", "files", "invoke", "kv", "secrets"]));
}
