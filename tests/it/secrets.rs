//! `secrets`: sealed where they lie, read by the app's scripts, shown to nobody.

use std::sync::{Arc, Mutex};

use chrono::{TimeDelta, Utc};
use picloud::clock::Clock;
use picloud::id::AppId;
use picloud::model::secret::Secret;
use picloud::service::{self, Services};
use picloud::{limits, store};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::settings;
use crate::support::client::send;
use crate::support::{Log, Options, Tenant, TestApp};

/// What must never be seen. It has what JSON and URLs escape.
const SENTINEL: &str = r#"s3nt1nel-"7f\9c"/+zz"#;
/// The part of it that no escaping changes.
const TRACE: &str = "s3nt1nel";

async fn put(shop: &Tenant, name: &str, value: &str) -> crate::support::Reply {
    shop.client.put(&format!("/admin/apps/{}/secrets/{name}", shop.slug), json!({ "value": value })).await
}

#[tokio::test]
async fn what_is_set_is_what_scripts_get() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    put(&shop, "API_KEY", SENTINEL).await.expect(201);
    let got = shop
        .value(
            r#"secrets::set("b.c-d", "grün 🦀 \x00");
            let seen = [secrets::get("API_KEY"), secrets::get("b.c-d"), secrets::get("none"), secrets::set("b.c-d", ""), secrets::get("b.c-d")];
            seen.push(secrets::delete("b.c-d"));
            seen.push(secrets::delete("b.c-d"));
            seen.push(secrets::get("b.c-d"));
            seen"#,
        )
        .await;
    assert_eq!(got, json!([SENTINEL, "grün 🦀 \0", null, null, "", true, false, null]));
}

#[tokio::test]
async fn names_are_listed_in_pages_and_values_never() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let got = shop
        .value(
            r#"for n in ["b", "B", "a.1", "_", "a-1"] { secrets::set(n, "x"); }
            let first = secrets::list(#{ limit: 2 });
            let second = secrets::list(#{ limit: 3, cursor: first.cursor });
            [first.items, second.items, second.cursor, secrets::list().items.len(), first.keys()]"#,
        )
        .await;
    assert_eq!(got, json!([["B", "_"], ["a-1", "a.1", "b"], null, 5, ["cursor", "items"]]));

    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = app.get(&format!("/admin/apps/shop/secrets?limit=2{cursor}")).await.expect(200).json();
        for item in page["items"].as_array().expect("items") {
            assert_eq!(item.as_object().expect("a map").keys().collect::<Vec<_>>(), ["created_at", "name", "updated_at"]);
            seen.push(item["name"].as_str().expect("a name").to_owned());
        }
        match page["cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, ["B", "_", "a-1", "a.1", "b"]);
    app.get("/admin/apps/shop/secrets?cursor=x").await.fails(422, "invalid");
}

#[tokio::test]
async fn people_set_and_delete_by_name() {
    let app = TestApp::start_with(Options { clock: Clock::manual(Utc::now()), ..Options::default() }).await;
    let shop = app.create_app("shop").await;
    let created = put(&shop, "k", "1").await.expect(201).json();
    assert_eq!(created["created_at"], created["updated_at"]);
    app.clock.advance(TimeDelta::seconds(5));
    let replaced = put(&shop, "k", "2").await.expect(200).json();
    assert_eq!(replaced["created_at"], created["created_at"]);
    assert_ne!(replaced["updated_at"], created["updated_at"]);
    assert_eq!(app.get("/admin/apps/shop/secrets").await.expect(200).json()["items"], json!([replaced]));
    assert_eq!(shop.value(r#"secrets::get("k")"#).await, "2");
    app.delete("/admin/apps/shop/secrets/k").await.expect(204);
    app.delete("/admin/apps/shop/secrets/k").await.fails(404, "not_found");
    app.delete("/admin/apps/nobody/secrets/k").await.fails(404, "not_found");
    put(&shop, "a%20b", "x").await.fails(422, "invalid");
}

#[tokio::test]
async fn two_apps_never_see_each_other() {
    let app = TestApp::start().await;
    let (one, two) = (app.create_app("one").await, app.create_app("two").await);
    put(&one, "k", "one's").await.expect(201);
    assert_eq!(two.value(r#"[secrets::get("k"), secrets::delete("k"), secrets::list().items]"#).await, json!([null, false, []]));
    put(&two, "k", "two's").await.expect(201);
    assert_eq!(one.value(r#"secrets::get("k")"#).await, "one's");
    // A row that was moved below the platform opens nowhere else.
    let mut db = app.database.connect().await;
    for change in [
        "UPDATE secrets SET sealed = (SELECT sealed FROM secrets AS other WHERE other.app_id <> secrets.app_id)",
        "UPDATE secrets SET name = 'renamed'",
    ] {
        crate::support::cluster::run(&mut db, change).await;
        for shop in [&one, &two] {
            let caught = shop.caught(r#"secrets::get(secrets::list().items[0])"#).await;
            assert_eq!(caught["code"], "internal", "{change}: {caught}");
        }
    }
    app.delete("/admin/apps/one?force=true").await.expect(204);
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM secrets").fetch_one(&mut db).await.expect("a count");
    assert_eq!(left, 1, "secrets go with their app");
}

#[tokio::test]
async fn names_that_are_not_granted_are_not_listed() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.run(r#"for n in ["a1", "a2", "b1"] { secrets::set(n, n); }"#).await.expect(200);
    shop.deploy("/list", r#"secrets::list().items"#).await;
    shop.deploy("/get", r#"try { secrets::get("b1") } catch (e) { return e.code; }"#).await;
    app.patch("/admin/apps/shop/grants", json!({ "secrets": ["a*"] })).await.expect(200);
    assert_eq!(shop.get("/list").await.expect(200).json(), json!(["a1", "a2"]));
    assert_eq!(shop.get("/get").await.expect(200).json(), "denied");
    app.patch("/admin/apps/shop/grants", json!({ "secrets": [] })).await.expect(200);
    shop.get("/list").await.fails(422, "script_error");
}

#[tokio::test]
async fn bounds_hold_at_n_and_refuse_at_n_plus_one() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let (name, value) = (limits::SECRET_NAME_BYTES_MAX, limits::SECRET_VALUE_BYTES_MAX);
    assert_eq!((name, value), (128, 64 << 10));
    put(&shop, &"n".repeat(name), &"v".repeat(value)).await.expect(201);
    put(&shop, &"n".repeat(name + 1), "v").await.fails(422, "invalid");
    put(&shop, "n", &"v".repeat(value + 1)).await.fails(422, "invalid");
    let grown = |n: usize| format!(r#"{{ let s = ""; s.pad({n}, 'v'); s }}"#);
    assert_eq!(shop.caught(&format!(r#"secrets::set("n", {})"#, grown(value))).await, Value::Null);
    for call in [
        format!(r#"secrets::set("n", {})"#, grown(value + 1)),
        format!(r#"secrets::get({})"#, grown(name + 1)),
        r#"secrets::set("n", 5)"#.to_owned(),
        r#"secrets::set("n", ())"#.to_owned(),
        r#"secrets::set("a/b", "x")"#.to_owned(),
        r#"secrets::get("")"#.to_owned(),
        r#"secrets::list(#{ limit: 0 })"#.to_owned(),
        format!("secrets::list(#{{ limit: {} }})", limits::SECRETS_PAGE_ITEMS_MAX + 1),
        r#"secrets::list(#{ cursor: "a b" })"#.to_owned(),
        r#"secrets::list(#{ prefix: "a" })"#.to_owned(),
    ] {
        assert_eq!(shop.caught(&call).await["code"], "invalid_argument", "{call}");
    }
    assert_eq!(shop.caught(&format!("secrets::list(#{{ limit: {} }})", limits::SECRETS_PAGE_ITEMS_MAX)).await, Value::Null);
}

#[tokio::test]
async fn an_app_has_so_many_secrets_and_no_more() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    put(&shop, "first", "x").await.expect(201);
    fill(&app, &shop.id, limits::SECRETS_PER_APP_MAX - 2).await;
    put(&shop, "last", "x").await.expect(201);
    put(&shop, "more", "x").await.fails(422, "limit_reached");
    assert_eq!(shop.caught(r#"secrets::set("more", "x")"#).await["code"], "invalid_argument");
    put(&shop, "last", "replaced").await.expect(200);
    app.delete("/admin/apps/shop/secrets/first").await.expect(204);
    put(&shop, "more", "x").await.expect(201);
}

/// Rows like the first secret's, which nobody opens.
async fn fill(app: &TestApp, id: &str, rows: i64) {
    let mut db = app.database.connect().await;
    sqlx::query(
        "INSERT INTO secrets SELECT app_id, 'fill-' || n, data_key_id, sealed, created_at, updated_at
         FROM secrets, generate_series(1, $2) AS n WHERE app_id = $1::uuid LIMIT $2",
    )
    .bind(id)
    .bind(rows)
    .execute(&mut db)
    .await
    .expect("rows");
}

/// On one thread, so that everything the node does is logged to where this test looks.
#[tokio::test(flavor = "current_thread")]
async fn a_value_is_in_no_answer_no_record_no_log_and_no_row() {
    let log = Log::of_this_thread_and_lanes();
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let mut seen: Vec<String> = Vec::new();
    let path = "/api/v1/admin/apps/shop/secrets/key".to_owned();
    let raw = async |body: String| {
        let request = app.http.request(Method::PUT, format!("{}{path}", app.admin)).bearer_auth(&app.token);
        send(request.header("content-type", "application/json").body(body)).await
    };
    let quoted = json!(SENTINEL).to_string();
    let long = json!({ "value": SENTINEL.repeat(limits::SECRET_VALUE_BYTES_MAX / 8) }).to_string();
    let mut statuses = Vec::new();
    for body in [
        json!({ "value": SENTINEL }).to_string(),
        json!({ "value": [SENTINEL] }).to_string(),
        json!({ "value": { SENTINEL: SENTINEL } }).to_string(),
        json!({ "valeu": SENTINEL }).to_string(),
        json!({ "value": SENTINEL, SENTINEL: 1 }).to_string(),
        format!("{{\"value\": {quoted}"),
        format!("{{\"value\": {SENTINEL}}}"),
        format!("{{\"value\": {quoted}}} {SENTINEL}"),
        quoted.clone(),
        format!("[{quoted}]"),
        SENTINEL.to_owned(),
        long,
    ] {
        let reply = raw(body).await;
        statuses.push(reply.status);
        seen.push(reply.shown());
    }
    assert_eq!(statuses, [201, 422, 422, 422, 422, 400, 400, 400, 422, 422, 400, 422]);
    seen.push(app.get("/admin/apps/shop/secrets").await.shown());

    // Scripts that fail with the value in their hands, by their own doing and by ours.
    let mut db = app.database.connect().await;
    let mut records = Vec::new();
    for source in [
        r#"let v = secrets::get("key"); secrets::set(v, "x")"#,
        r#"let v = secrets::get("key"); secrets::get(v)"#,
        r#"let v = secrets::get("key"); secrets::delete(v)"#,
        r#"let v = secrets::get("key"); secrets::list(#{ cursor: v })"#,
        r#"let v = secrets::get("key"); let long = v; long.pad(70000, 'x'); secrets::set("key", long)"#,
        r#"let v = secrets::get("key"); secrets::set("key", [v])"#,
        r#"let v = secrets::get("key"); let n = 1 / 0;"#,
    ] {
        let reply = shop.run(source).await;
        seen.push(reply.shown());
        records.push(shop.record(&reply).await);
        assert_eq!(records.last().expect("a record")["outcome"], "script_failed", "{source}");
    }
    crate::support::cluster::run(&mut db, "UPDATE secrets SET sealed = sealed || '\\x00'").await;
    let reply = shop.run(r#"secrets::get("key")"#).await;
    seen.push(reply.shown());
    seen.push(shop.record(&reply).await.to_string());
    seen.extend(records.iter().map(Value::to_string));
    let rows: Vec<String> = sqlx::query_scalar("SELECT secrets::text || encode(sealed, 'escape') FROM secrets")
        .fetch_all(&mut db)
        .await
        .expect("rows");
    seen.extend(rows);
    let log = log.text();
    for line in ["secret set", "does not open"] {
        assert!(log.contains(line), "this reads the log, which has no `{line}`");
    }
    seen.push(log);
    for text in &seen {
        let lines: Vec<_> = text.lines().filter(|line| line.contains(TRACE)).collect();
        assert!(lines.is_empty(), "{lines:?}");
    }
}

async fn read_all(s: &Services, id: AppId, n: u32) {
    for i in 0..n {
        let secret = service::secrets::get(s, id, &format!("s{i}")).await.expect("it opens").expect("it is there");
        assert_eq!(secret.expose(), format!("value {i}"));
    }
}

async fn filled(app: &TestApp, n: u32) -> AppId {
    let id = app.create_app("shop").await.id.parse().expect("an id");
    for i in 0..n {
        service::secrets::set(&app.services, id, &format!("s{i}"), &Secret::new(format!("value {i}"))).await.expect("set");
    }
    id
}

#[tokio::test]
async fn a_rotation_moves_every_secret_under_a_new_key_while_nodes_run() {
    let app = TestApp::start().await;
    let n = u32::try_from(limits::SECRETS_ROTATION_BATCH).expect("a batch") + 1;
    assert_eq!(service::keys::rotate(&app.services, |_, _| {}).await.expect("nothing to do"), None);
    let id = filled(&app, n).await;
    let before = keys(&app).await;
    let said = Mutex::new(Vec::new());
    let progress = |done, total| said.lock().expect("a lock").push((done, total));
    // Writers and readers go on meanwhile.
    let (s, stop) = (app.services.clone(), Arc::new(std::sync::atomic::AtomicBool::new(false)));
    let writing = tokio::spawn({
        let stop = stop.clone();
        async move {
            let mut written = 0;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let secret = Secret::new(format!("value {}", written % 7));
                service::secrets::set(&s, id, &format!("s{}", written % 7), &secret).await.expect("set");
                written += 1;
            }
            written
        }
    });
    let done = service::keys::rotate(&app.services, progress).await.expect("a rotation").expect("a key");
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    writing.await.expect("a writer");
    assert_eq!(keys(&app).await, [done.data_key.to_string()]);
    assert_ne!(before, keys(&app).await);
    assert!(!done.resumed && done.keys_dropped == 1 && done.secrets >= u64::from(n) - 7, "{done:?}");
    let (first, total) = said.lock().expect("a lock").first().copied().expect("progress");
    assert!(first == 0 && (u64::from(n) - 7..=u64::from(n)).contains(&total), "{total} of {n}");
    read_all(&app.services, id, n).await;
}

#[tokio::test]
async fn a_rotation_that_was_cut_short_is_completed_by_the_next() {
    let app = TestApp::start().await;
    let id = filled(&app, 5).await;
    let first = keys(&app).await;
    // As a kill leaves it: the new key is there, some secrets are under it.
    let (_, wrapped) = app.services.vault.make_data_key(picloud::id::DataKeyId::at(app.services.now())).expect("a key");
    let mut db = app.database.connect().await;
    store::data_keys::insert(&mut db, &wrapped, app.services.now()).await.expect("a row");
    service::secrets::set(&app.services, id, "s1", &Secret::new("value 1".to_owned())).await.expect("set");
    read_all(&app.services, id, 5).await;
    let done = service::keys::rotate(&app.services, |_, _| {}).await.expect("a rotation").expect("a key");
    assert_eq!((done.resumed, done.secrets, done.data_key), (true, 4, wrapped.id));
    assert_eq!(keys(&app).await, [wrapped.id.to_string()]);
    assert_ne!(first, keys(&app).await);
    read_all(&app.services, id, 5).await;
}

#[tokio::test]
async fn a_new_master_key_opens_everything_and_the_old_one_nothing() {
    let app = TestApp::start().await;
    let id = filled(&app, 3).await;
    let file = app.data_dir().join("secret.key");
    let old = std::fs::read(&file).expect("a key file");
    let another = connect(&app, app.data_dir()).await.expect("the same key");
    assert_eq!(service::keys::replace_master_key(&another).await.expect("a replacement"), 1);
    read_all(&app.services, id, 3).await;
    service::secrets::set(&app.services, id, "s0", &Secret::new("value 0".to_owned())).await.expect("a node that runs writes on");
    read_all(&connect(&app, app.data_dir()).await.expect("a start"), id, 3).await;
    assert_ne!(std::fs::read(&file).expect("a key file"), old);
    std::fs::write(&file, old).expect("the old file");
    let refused = connect(&app, app.data_dir()).await.expect_err("the old key is of no use");
    let line = refused.source.expect("a line").to_string();
    assert!(line.contains(&another.vault.master_key_id()) && line.contains("secret.key"), "{line}");
}

#[tokio::test]
async fn a_node_with_another_master_key_does_not_start_once_secrets_are_stored() {
    let app = TestApp::start().await;
    let elsewhere = tempfile::tempdir().expect("a directory");
    let other = connect(&app, elsewhere.path()).await.expect("nothing is locked yet: any key will do");
    filled(&app, 1).await;
    let refused = connect(&app, elsewhere.path()).await.expect_err("its key opens nothing");
    let line = refused.source.expect("a line").to_string();
    assert!(line.contains(&app.services.vault.master_key_id()) && line.contains(&other.vault.master_key_id()), "{line}");
    // One that had started before writes nothing that others cannot read.
    let id: AppId = app.get("/admin/apps/shop").await.json()["id"].as_str().expect("an id").parse().expect("an id");
    service::secrets::set(&other, id, "k", &Secret::new("x".to_owned())).await.expect_err("refused");
    assert!(service::secrets::get(&app.services, id, "k").await.expect("an answer").is_none());
}

async fn connect(app: &TestApp, data_dir: &std::path::Path) -> picloud::error::Result<Services> {
    let db = store::connect(app.database.url().parse().expect("a database URL")).await.expect("the database answers");
    Services::connect(db, Clock::system(), settings(data_dir)).await
}

async fn keys(app: &TestApp) -> Vec<String> {
    let mut db = app.database.connect().await;
    sqlx::query_scalar("SELECT id::text FROM data_keys ORDER BY number").fetch_all(&mut db).await.expect("keys")
}
