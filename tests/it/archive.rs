//! An app as one file: taken out whole and without its secrets, brought in as a new app or not at all.

use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::Utc;
use picloud::clock::Clock;
use picloud::id::AppId;
use picloud::invoke::Invoker;
use picloud::model::access::Principal;
use picloud::model::archive::{Bounds, Counts, END, End, Wanted, block};
use picloud::model::script::{Limits, digest};
use picloud::service;
use picloud::store;
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::files_on_disk::blobs;
use crate::support::client::{PASSWORD, send};
use crate::support::events::KEEPS;
use crate::support::process::{Scratch, finish, picloud};
use crate::support::{Client, Options, Reply, Tenant, TestApp, app as support, eventually};

const SECRET: &str = "a value that leaves in no archive";
const PUBLISHED: &str = "a message that leaves in none either";

/// A node whose clock stands still: two exports of one state are of one time.
async fn stopped() -> TestApp {
    TestApp::start_with(Options { clock: Clock::manual(Utc::now()), ..Options::default() }).await
}

/// An app with one of everything.
async fn stocked(app: &TestApp) -> Tenant {
    let shop = app.create_app("shop").await;
    app.put("/admin/apps/shop/secrets/inbound", json!({ "value": SECRET })).await.expect(201);
    app.patch("/admin/apps/shop", json!({ "cors_origins": ["https://example.org"] })).await.expect(200);
    app.patch("/admin/apps/shop/grants", json!({ "http": ["api.example.org"] })).await.expect(200);
    shop.upload_with("tax", "fn of(n) { n / 5 }", json!({ "kind": "module", "description": "Taxes" })).await;
    let gross = shop.deploy("/gross", "1").await;
    let source = r#"import "tax" as tax; let n = parse_int(ctx.request.query.n); n + tax::of(n)"#;
    let next = json!({ "source": source, "limits": { "memory_mb": 16 } });
    app.put(&format!("/admin/scripts/{}", gross.id), next).await.expect(200);
    shop.route(&gross, json!({ "path": "/gross", "host": "api.shop.localhost", "method": "GET", "dispatch_mode": "sync" })).await;
    let handler = shop.upload("handler", KEEPS).await;
    shop.trigger("kv", &handler, json!({ "collection": "orders", "ops": ["insert"], "max_attempts": 7 })).await;
    let queue = shop.trigger("queue", &handler, json!({ "queue": "q" })).await;
    shop.trigger("dead_letter", &handler, json!({ "filter": { "trigger_id": queue["id"] } })).await;
    shop.trigger("email", &handler, json!({ "secret": "inbound" })).await;
    let cron = shop.trigger("cron", &handler, json!({ "schedule": "0 0 3 * * *", "timezone": "Europe/Berlin" })).await;
    shop.change_trigger(&cron, json!({ "enabled": false })).await;
    crate::realtime::register(&shop, "news", "public").await;
    crate::realtime::register(&shop, "orders.paid", "token").await;
    shop.publish_to("news", json!(PUBLISHED)).await;
    shop.run(
        r#"let c = kv::collection("c"); c.set("f", 1.0); c.set("b", blob(3, 255)); c.set("t", "é\n", #{ ttl_s: 900 });
        let d = docs::collection("d"); d.create(#{ n: 1e300, deep: [#{ a: -0.0 }] }, #{ id: "one" }); d.create(#{ x: () });
        let f = files::collection("f"); f.create("../a", "same"); f.create("b", "same"); f.create("empty", "");
        f.create("large", blob(600000, 7))"#,
    )
    .await
    .expect(200);
    shop
}

const READS: &str = r#"let c = kv::collection("c"); let f = files::collection("f");
    [c.get("f"), c.get("b").len(), c.get("t"), c.get_entry("t").expires_at, docs::collection("d").get("one").data,
     docs::collection("d").count(#{}), f.get("../a").content.as_string(), f.get("b").content.as_string(),
     f.get("empty").content.len(), f.get("large").content.len(), f.head("large").created_at]"#;

async fn exported(app: &Client, slug: &str) -> Vec<u8> {
    let reply = app.get(&format!("/admin/apps/{slug}/export")).await.expect(200);
    assert_eq!(reply.header("content-type"), Some("application/zstd"));
    let named = format!("attachment; filename=\"{slug}.picloud.tar.zst\"");
    assert_eq!(reply.header("content-disposition"), Some(named.as_str()));
    reply.body
}

async fn import(app: &Client, archive: &[u8], query: &str) -> Reply {
    let request = app.request(Method::POST, &format!("/admin/apps:import{query}")).bearer_auth(&app.token);
    send(request.header("content-type", "application/zstd").body(archive.to_vec())).await
}

/// The app that an import made.
fn made(app: &Client, imported: &Value) -> Tenant {
    let text = |field: &str| imported["app"][field].as_str().expect("a text").to_owned();
    Tenant { client: app.clone(), id: text("id"), slug: text("slug"), host: text("host") }
}

type Entries = Vec<(String, Vec<u8>)>;

fn opened(archive: &[u8]) -> Entries {
    let tar = zstd::decode_all(archive).expect("zstd");
    let mut entries = tar::Archive::new(&tar[..]);
    let read = entries.entries().expect("a tar").map(|entry| {
        let mut entry = entry.expect("an entry");
        let name = entry.path().expect("a path").to_str().expect("UTF-8").to_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).expect("a content");
        (name, content)
    });
    read.collect()
}

/// An archive of these, whose end is right for them.
fn packed(mut entries: Entries) -> Vec<u8> {
    let (end, mut tar) = (entries.pop().expect("an end"), Vec::new());
    let add = |tar: &mut Vec<u8>, name: &str, content: &[u8]| {
        tar.extend_from_slice(&block::header(name, content.len() as u64).expect("a header"));
        tar.extend_from_slice(content);
        tar.resize(tar.len() + block::padding(content.len() as u64), 0);
    };
    for (name, content) in &entries {
        add(&mut tar, name, content);
    }
    let counts: Counts = serde_json::from_slice::<End>(&end.1).expect("an end").counts;
    let end = End { counts, bytes: tar.len() as u64, sha256: picloud::model::text::hex(&Sha256::digest(&tar)) };
    add(&mut tar, END, &serde_json::to_vec(&end).expect("JSON"));
    tar.resize(tar.len() + 2 * block::BLOCK_BYTES, 0);
    zstd::encode_all(&tar[..], 3).expect("zstd")
}

fn manifest(entries: &Entries) -> Value {
    serde_json::from_slice(&entries[0].1).expect("JSON")
}

/// What would show that something was made: rows, and blobs.
async fn state(app: &TestApp) -> (Vec<i64>, usize) {
    let mut db = app.database.connect().await;
    let tables = ["apps", "scripts", "script_versions", "routes", "triggers", "kv_entries", "documents", "files", "audit_log"];
    let mut rows = Vec::new();
    for table in tables {
        let sql = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
        rows.push(sqlx::query_scalar(sql).fetch_one(&mut db).await.expect("a count"));
    }
    (rows, blobs(app).len())
}

async fn unchanged(app: &TestApp, before: &(Vec<i64>, usize)) {
    eventually("nothing is left behind", Duration::from_secs(10), async || (state(app).await == *before).then_some(())).await;
}

#[tokio::test]
async fn what_comes_in_is_what_went_out_but_for_its_slug() {
    let app = stopped().await;
    let shop = stocked(&app).await;
    let first = exported(&app, "shop").await;
    assert_eq!(first, exported(&app, "shop").await, "the same state gives the same bytes");
    let told = import(&app, &first, "?slug=mall").await.expect(201);
    let imported = told.json();
    let mall = made(&app, &imported);
    assert_eq!(told.header("location"), Some(format!("/api/v1/admin/apps/{}", mall.id).as_str()));
    let notes = imported["notes"].to_string();
    assert!(notes.contains("inbound") && notes.contains("no trigger was told"), "{notes}");
    assert!(notes.contains("everybody may subscribe to these topics: news"), "{notes}");
    for (what, count) in [("routes", 3), ("triggers", 5), ("kv_entries", 3), ("documents", 2), ("files", 4)] {
        assert_eq!(imported[what], count, "{what}: {imported}");
    }
    let mut db = app.database.connect().await;
    let mall_id: uuid::Uuid = mall.id.parse().expect("an id");
    let events = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM events WHERE app_id = $1").bind(mall_id);
    assert_eq!(events.fetch_one(&mut db).await.expect("a count"), 0, "what came in is no event");

    let (one, other) = (opened(&first), opened(&exported(&app, "mall").await));
    let (mut old, new) = (manifest(&one), manifest(&other));
    old["app"]["slug"] = json!("mall");
    old["app"]["host"] = json!("mall.localhost");
    old["secrets"] = json!([]);
    for route in old["routes"].as_array_mut().expect("routes") {
        if route["host"] == "api.shop.localhost" {
            route["host"] = json!("api.mall.localhost");
        }
    }
    for trigger in old["triggers"].as_array_mut().expect("triggers") {
        if trigger["kind"] == "email" {
            trigger["enabled"] = json!(false);
        }
    }
    assert_eq!((&old, &old["topics"]), (&new, &json!({ "news": "public", "orders.paid": "token" })));
    assert_eq!(one[1..one.len() - 1], other[1..other.len() - 1], "sources, entries, documents, files and their contents");

    assert_eq!(mall.get("/gross?n=50").await.expect(200).json(), 60);
    assert_eq!(app.call("api.mall.localhost", "GET", "/gross?n=50", "", &[]).await.expect(200).json(), 60);
    assert_eq!(mall.value(READS).await, shop.value(READS).await);
    mall.run(r#"kv::collection("orders").set("o", 1)"#).await.expect(200);
    assert_eq!(mall.seen(1).await[0]["event"]["kv"]["key"], "o");
}

#[tokio::test]
async fn no_secret_leaves() {
    let app = TestApp::start().await;
    stocked(&app).await;
    let archive = exported(&app, "shop").await;
    let tar = zstd::decode_all(&archive[..]).expect("zstd");
    let holds = |bytes: &[u8], what: &str| bytes.windows(what.len()).any(|window| window == what.as_bytes());
    for secret in [SECRET, PUBLISHED, PASSWORD, "argon2", app.token.as_str()] {
        assert!(!holds(&tar, secret) && !holds(&archive, secret), "{secret}");
    }
    assert!(holds(&tar, "inbound"), "its name is told");
    assert_eq!(opened(&archive).iter().filter(|(name, _)| name.starts_with("files/")).count(), 3, "each content once");
}

#[tokio::test]
async fn what_is_cut_short_or_damaged_leaves_nothing_behind() {
    let app = TestApp::start().await;
    stocked(&app).await;
    let archive = exported(&app, "shop").await;
    let before = state(&app).await;
    let tar = zstd::decode_all(&archive[..]).expect("zstd");
    let mut at = 0;
    for (_, content) in opened(&archive) {
        let cut = zstd::encode_all(&tar[..at], 3).expect("zstd");
        import(&app, &cut, "?slug=mall").await.fails(422, "invalid_archive");
        at += 512 + content.len().next_multiple_of(512);
    }
    for _ in 0..12 {
        let length = rand::random_range(0..archive.len());
        import(&app, &archive[..length], "?slug=mall").await.fails(422, "invalid_archive");
        let mut damaged = tar.clone();
        damaged[rand::random_range(0..at - 1024)] ^= 1;
        import(&app, &zstd::encode_all(&damaged[..], 1).expect("zstd"), "?slug=mall").await.fails(422, "invalid_archive");
    }
    unchanged(&app, &before).await;
    import(&app, &archive, "?slug=mall").await.expect(201);
}

/// The archive with another source for the active version of `handler`.
fn with_source(archive: &[u8], source: &str) -> Entries {
    let mut entries = opened(archive);
    let mut manifest = manifest(&entries);
    let script = manifest["scripts"].as_array_mut().expect("scripts").iter_mut().find(|script| script["name"] == "handler");
    script.expect("the handler")["versions"][0]["digest"] = json!(digest(source, &Limits::default()));
    entries[0].1 = manifest.to_string().into_bytes();
    let entry = entries.iter_mut().find(|(name, _)| name == "scripts/handler/1.rhai").expect("a source");
    entry.1 = source.as_bytes().to_vec();
    entries
}

#[tokio::test]
async fn a_source_is_checked_as_if_it_were_published() {
    let app = TestApp::start().await;
    stocked(&app).await;
    let archive = exported(&app, "shop").await;
    let before = state(&app).await;
    for (source, line, why) in [
        ("\nlet x = ;", json!(2), "scripts/handler/1.rhai, line 2"),
        (r#"import "nowhere" as n; 1"#, json!(null), "no module `nowhere`"),
        (r#"import "handler" as h; 1"#, json!(null), "circle"),
        (r#"import "../x" as h; 1"#, json!(null), "no name of a script"),
    ] {
        let refused = import(&app, &packed(with_source(&archive, source)), "?slug=mall").await.fails(422, "invalid_archive");
        assert!(refused.message().contains(why), "{}", refused.message());
        assert_eq!(refused.details(), json!({ "entry": "scripts/handler/1.rhai", "line": line }));
    }
    unchanged(&app, &before).await;
}

#[tokio::test]
async fn what_an_app_does_not_grant_comes_in_and_stays_refused() {
    let app = TestApp::start().await;
    stocked(&app).await;
    let mut entries = opened(&exported(&app, "shop").await);
    let mut changed = manifest(&entries);
    changed["app"]["grants"]["kv"] = json!([]);
    // Whatever an archive says of capabilities, it has no place to say it.
    entries[0].1 = changed.to_string().into_bytes();
    let imported = import(&app, &packed(entries.clone()), "?slug=mall").await.expect(201).json();
    assert!(imported["notes"].to_string().contains("the script handler calls kv, which the app does not grant"), "{imported}");
    let scripts = app.get(&format!("/admin/scripts?app={}", made(&app, &imported).id)).await.expect(200).json();
    let handler = scripts["items"].as_array().expect("items").iter().find(|script| script["name"] == "handler");
    assert_eq!(handler.expect("the handler")["capabilities"], json!(["kv"]), "derived anew");
    let run = app.post(&format!("/execute/{}", handler.expect("it")["id"].as_str().expect("an id")), json!({})).await;
    assert!(run.status == 422 && run.text().contains("does not grant"), "{}", run.text());
    changed["scripts"][0]["capabilities"] = json!([]);
    entries[0].1 = changed.to_string().into_bytes();
    let refused = import(&app, &packed(entries), "?slug=many").await.fails(422, "invalid_archive");
    assert!(refused.message().contains("unknown field `capabilities`"), "{}", refused.message());
}

#[tokio::test]
async fn a_deleted_app_comes_back() {
    let app = TestApp::start().await;
    let shop = stocked(&app).await;
    let (archive, read) = (exported(&app, "shop").await, shop.value(READS).await);
    app.delete("/admin/apps/shop?force=true").await.expect(204);
    let back = made(&app, &import(&app, &archive, "").await.expect(201).json());
    assert!(back.slug == "shop" && back.id != shop.id);
    assert_eq!(back.value(READS).await, read);
    let audit = app.get("/admin/apps/shop/audit").await.expect(200).json();
    let actions: Vec<_> = audit["items"].as_array().expect("items").iter().filter_map(|row| row["action"].as_str()).collect();
    assert_eq!(actions.last(), Some(&"app.import"), "the first that is known of it: {actions:?}");
}

#[tokio::test]
async fn an_app_that_is_there_is_not_touched() {
    let app = TestApp::start().await;
    let shop = stocked(&app).await;
    let archive = exported(&app, "shop").await;
    let (before, read) = (state(&app).await, shop.value(READS).await);
    import(&app, &archive, "").await.fails(409, "conflict");
    import(&app, &archive, "?slug=WWW").await.fails(422, "invalid");
    import(&app, &archive, "?sulg=mall").await.fails(422, "invalid");
    let request = app.request(Method::POST, "/admin/apps:import").bearer_auth(&app.token);
    send(request.header("content-type", "application/json").body("{}")).await.fails(415, "unsupported_media_type");
    let after = state(&app).await;
    // Reading deployed a script of its own.
    assert_eq!((after.0[0], after.0[5], after.0[7], after.1), (before.0[0], before.0[5], before.0[7], before.1));
    assert_eq!(shop.value(READS).await, read);
}

#[tokio::test]
async fn a_file_that_is_damaged_or_gone_breaks_the_export_off() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.run(r#"files::collection("c").create("f", blob(600000, 1))"#).await.expect(200);
    let [path] = blobs(&app).try_into().expect("one blob");
    let broken = async || {
        let request = app.request(Method::GET, "/admin/apps/shop/export").bearer_auth(&app.token);
        let is_whole = match request.send().await {
            Ok(answer) => answer.bytes().await.is_ok(),
            Err(_) => false,
        };
        assert!(!is_whole, "an archive without its end was taken for one");
    };
    let whole = std::fs::read(&path).expect("a blob");
    std::fs::write(&path, [&whole[..599_999], b"x"].concat()).expect("damage");
    broken().await;
    std::fs::remove_file(&path).expect("damage");
    broken().await;
    std::fs::write(&path, whole).expect("mended");
    assert!(!exported(&app, "shop").await.is_empty());
}

#[tokio::test]
async fn the_bound_of_an_upload_holds_at_n_and_at_one_more() {
    let app = TestApp::start().await;
    stocked(&app).await;
    let archive = exported(&app, "shop").await;
    let owner = service::users::first_owner(&app.services).await.expect("an answer").expect("an owner");
    let (by, sandbox) = (Principal::operator_as(&owner), support::sandbox(2, Clock::system()).await);
    let invoker = Invoker::new(app.services.clone(), Arc::new(sandbox)).expect("an invoker");
    let import = async |packed_bytes: usize, slug: &str| {
        let (to, from) = service::archive::source();
        to.send(Ok(Bytes::copy_from_slice(&archive))).await.expect("it is read");
        drop(to);
        let wanted = Wanted { slug: Some(slug.to_owned()), name: None };
        invoker.import(&by, from, wanted, Bounds { packed_bytes: packed_bytes as u64, ..Bounds::UPLOADED }).await
    };
    assert_eq!(import(archive.len() - 1, "mall").await.expect_err("too large").code, "request_too_large");
    assert_eq!(import(archive.len(), "mall").await.expect("an app").app.slug, "mall");
}

#[tokio::test]
async fn a_sweep_takes_no_blobs_of_an_import_under_way() {
    let app = TestApp::start().await;
    let coming = AppId::at(Utc::now());
    let upload = service::files::begin(&app.services, coming).await.expect("a blob");
    upload.place(b"x".to_vec()).await.expect("placed").keep();
    let mut tx = store::begin(&app.services.db).await.expect("a transaction");
    store::archive::announce_import(&mut tx).await.expect("announced");
    let sweep = async || service::files::sweep::sweep(&app.services, app.services.now()).await.expect("a sweep");
    assert_eq!((sweep().await.removed, blobs(&app).len()), (0, 1), "its app may be about to be there");
    tx.rollback().await.expect("it never was");
    assert_eq!((sweep().await.removed, blobs(&app).len()), (1, 0));
}

#[tokio::test]
async fn the_commands_take_an_app_out_and_bring_it_in() {
    let (app, scratch) = (TestApp::start().await, Scratch::prepared().await);
    let shop = stocked(&app).await;
    // What is compiled for the scratch directory serves the node's own.
    let (from, to) = (scratch.data().join("artifacts"), app.data_dir().join("artifacts"));
    std::fs::create_dir(&to).expect("a directory");
    for file in std::fs::read_dir(&from).expect("what is compiled").map(|entry| entry.expect("an entry").file_name()) {
        std::fs::copy(from.join(&file), to.join(&file)).expect("a copy");
    }
    let run = |args: &[&str]| {
        let mut command = picloud(&scratch, &["app"]);
        command.args(args).env("DATABASE_URL", app.database.url()).env("PICLOUD_DATA_DIR", app.data_dir());
        finish(command)
    };
    let file = scratch.path().join("shop.picloud.tar.zst");
    let done = run(&["export", "shop"]);
    assert!(done.status.success() && done.stdout.contains("documents"), "{done:?}");
    let again = run(&["export", "shop"]);
    assert!(again.status.code() == Some(2) && again.stderr.contains("--force"), "{again:?}");
    assert!(run(&["export", "shop", "--force"]).status.success());
    assert_eq!(run(&["export", "nobody"]).status.code(), Some(2));
    assert!(!scratch.path().join("shop.picloud.tar.zst.part").exists());

    let done = run(&["import", file.to_str().expect("UTF-8"), "--slug", "mall", "--name", "The Mall", "--json"]);
    assert!(done.status.success(), "{done:?}");
    let told: Value = serde_json::from_str(&done.stdout).expect("one JSON document");
    assert_eq!((&told["slug"], &told["name"], &told["files"]), (&json!("mall"), &json!("The Mall"), &json!(4)));
    let id = told["id"].as_str().expect("an id").to_owned();
    let mall = Tenant { client: app.client.clone(), id, slug: "mall".to_owned(), host: "mall.localhost".to_owned() };
    // A node hears of it by a signal; this one has its directory anew with its own next change.
    app.create_app("other").await;
    assert_eq!(mall.get("/gross?n=50").await.expect(200).json(), 60);
    assert_eq!(mall.value(READS).await, shop.value(READS).await);
    let taken = run(&["import", file.to_str().expect("UTF-8")]);
    assert!(taken.status.code() == Some(2) && taken.stderr.contains("another slug"), "{taken:?}");
    std::fs::write(&file, b"no archive").expect("a file");
    let refused = run(&["import", file.to_str().expect("UTF-8"), "--slug", "more"]);
    assert!(refused.status.code() == Some(2) && refused.stderr.contains("manifest.json"), "{refused:?}");
}
