//! API keys: told once, narrower than their person, gone at once.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use picloud::clock::Clock;
use picloud::limits::{API_KEY_NAME_BYTES_MAX, API_KEYS_PER_USER_MAX, SESSION_TOUCH_S};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::rights::people::{self, id, text};
use crate::rights::table::{INSTANCE_ADMIN, SCOPES, SCRIPT_READ};
use crate::support::client::{PASSWORD, send};
use crate::support::cluster::run;
use crate::support::{Client, Options, Reply, TestApp};

const KEYS: &str = "/admin/api-keys";

fn path(key: &Value) -> String {
    format!("{KEYS}/{}", id(key))
}

/// A node whose clock stands still until it is advanced.
async fn stopped() -> TestApp {
    let start: DateTime<Utc> = "2026-06-01T12:00:00Z".parse().expect("a time");
    TestApp::start_with(Options { clock: Clock::manual(start), ..Options::default() }).await
}

/// Who a client is.
async fn me(client: &Client) -> Reply {
    client.get("/admin/auth/me").await
}

/// Tables with a row in which a text stands, as text or as the bytes of it.
pub(crate) async fn tables_holding(app: &TestApp, text: &str) -> Vec<String> {
    let mut db = app.database.connect().await;
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename")
            .fetch_all(&mut db)
            .await
            .expect("tables");
    let bytes: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    let mut holding = Vec::new();
    for table in tables {
        let statement = format!("SELECT count(*) FROM {table} AS t WHERE t::text LIKE '%{text}%' OR t::text LIKE '%{bytes}%'");
        let rows: i64 = sqlx::query_scalar(AssertSqlSafe(statement)).fetch_one(&mut db).await.expect("a count");
        if rows > 0 {
            holding.push(table);
        }
    }
    holding
}

#[tokio::test]
async fn a_token_is_told_once_and_kept_nowhere() {
    let app = TestApp::start().await;
    let request = app.request(Method::POST, KEYS).bearer_auth(&app.token).header("idempotency-key", "k");
    let made = send(request.json(&json!({ "name": "ci", "scopes": [SCRIPT_READ] }))).await.expect(201);
    let key = made.json();
    assert_eq!(made.header("location"), Some(format!("/api/v1{}", path(&key)).as_str()));
    let token = text(&key["token"]);
    let digits = token.strip_prefix("pic_").expect("the prefix of keys");
    assert!(digits.len() == 76 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')), "{token}");
    assert_eq!(key["prefix"], token[..16]);
    me(&people::holding(&app, token)).await.expect(200);
    let secret = &token[16..];
    for read in [KEYS.to_owned(), path(&key), "/admin/audit".to_owned(), "/admin/auth/me".to_owned()] {
        let told = app.get(&read).await.expect(200);
        assert!(!told.text().contains(secret), "{read}: {}", told.shown());
    }
    let mut shown = key.clone();
    shown.as_object_mut().expect("a map").remove("token");
    shown["last_used_at"] = app.get(&path(&key)).await.expect(200).json()["last_used_at"].clone();
    assert_eq!(app.get(&path(&key)).await.expect(200).json(), shown);
    assert_eq!(app.get(KEYS).await.expect(200).json(), json!({ "items": [shown], "cursor": null }));
    assert_eq!(tables_holding(&app, secret).await, Vec::<String>::new());
    assert_eq!(tables_holding(&app, &token[..16]).await, ["api_keys", "audit_log"], "this is how it would be found");
}

#[tokio::test]
async fn a_key_is_what_was_asked_for() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let ends = app.clock.now() + TimeDelta::days(1);
    let asked =
        json!({ "name": "schlüssel", "scopes": ["log:read", SCRIPT_READ, "log:read"], "app_id": "shop", "expires_at": ends });
    let key = people::key(&app, asked).await;
    assert_eq!((&key["name"], &key["app_id"]), (&json!("schlüssel"), &json!(shop.id)));
    assert_eq!(key["scopes"], json!([SCRIPT_READ, "log:read"]), "each once");
    let told: DateTime<Utc> = text(&key["expires_at"]).parse().expect("a time");
    assert!((told - ends).abs() < TimeDelta::milliseconds(1), "{told} {ends}");
    assert_eq!(key["last_used_at"], Value::Null);
    let known = me(&people::holding(&app, text(&key["token"]))).await.expect(200).json();
    assert_eq!((&known["credential"], &known["username"]), (&json!("api_key"), &json!("owner")));
    assert_eq!((&known["scopes"], &known["app_id"]), (&key["scopes"], &key["app_id"]));
    let plain = people::key(&app, json!({ "name": "plain", "scopes": SCOPES })).await;
    assert_eq!((&plain["scopes"], &plain["app_id"], &plain["expires_at"]), (&json!(SCOPES), &Value::Null, &Value::Null));
    // Oldest first, page by page.
    let first = app.get(&format!("{KEYS}?limit=1")).await.expect(200).json();
    assert_eq!(first["items"][0]["id"], key["id"]);
    let rest = app.get(&format!("{KEYS}?limit=1&cursor={}", text(&first["cursor"]))).await.expect(200).json();
    assert_eq!((&rest["items"][0]["id"], &rest["cursor"]), (&plain["id"], &Value::Null));
}

#[tokio::test]
async fn what_is_no_key_is_refused_by_name() {
    let app = TestApp::start().await;
    app.create_app("shop").await;
    let past = app.clock.now() - TimeDelta::seconds(1);
    for (body, field, word) in [
        (json!({ "name": "k", "scopes": ["script:everything"] }), "scopes", "script:everything"),
        (json!({ "name": "k", "scopes": [SCRIPT_READ, "*"] }), "scopes", "*"),
        (json!({ "name": "k", "scopes": [] }), "scopes", "script:read"),
        (json!({ "name": "k" }), "scopes", "scopes"),
        (json!({ "name": "k", "scopes": SCOPES, "app_id": "shop" }), "scopes", INSTANCE_ADMIN),
        (json!({ "name": "k", "scopes": [SCRIPT_READ], "expires_at": past }), "expires_at", "future"),
        (json!({ "name": "k", "scopes": [SCRIPT_READ], "expires_at": "tomorrow" }), "expires_at", "expires_at"),
        (json!({ "name": "", "scopes": [SCRIPT_READ] }), "name", "name"),
    ] {
        let refused = app.post(KEYS, body.clone()).await.fails(422, "invalid");
        assert!(text(&refused.details()["field"]).starts_with(field), "{body}: {}", refused.text());
        assert!(refused.message().contains(word), "{body}: {}", refused.text());
    }
    let unknown = app.post(KEYS, json!({ "name": "k", "scopes": [SCRIPT_READ], "user_id": "x" })).await.fails(422, "invalid");
    assert_eq!(unknown.details()["unknown_fields"], json!(["user_id"]));
    app.post(KEYS, json!({ "name": "k", "scopes": [SCRIPT_READ], "app_id": "nobody" })).await.fails(404, "not_found");
    // An app that is not theirs is not there.
    people::add(&app, "sam", "member").await;
    let sam = people::login(&app, "sam").await;
    sam.post(KEYS, json!({ "name": "k", "scopes": [SCRIPT_READ], "app_id": "shop" })).await.fails(404, "not_found");
    assert_eq!(app.get(KEYS).await.expect(200).json()["items"], json!([]));
}

#[tokio::test]
async fn a_name_is_bounded_and_so_is_how_many_keys_a_person_has() {
    let app = TestApp::start().await;
    let new = |name: &str| json!({ "name": name, "scopes": [SCRIPT_READ] });
    assert_eq!(API_KEY_NAME_BYTES_MAX, 128);
    let first = people::key(&app, new(&"é".repeat(API_KEY_NAME_BYTES_MAX / 2))).await;
    let refused = app.post(KEYS, new(&format!("{}n", "é".repeat(API_KEY_NAME_BYTES_MAX / 2)))).await.fails(422, "invalid");
    assert_eq!((&refused.details()["field"], &refused.details()["allowed"]), (&json!("name"), &json!(API_KEY_NAME_BYTES_MAX)));

    let more = format!(
        "INSERT INTO api_keys (id, user_id, name, prefix, token_hash, scopes, created_at, expires_at, revoked_at)
         SELECT gen_random_uuid(), user_id, name, 'pic_' || lpad(n::text, 12, '0'), token_hash, scopes, created_at,
                CASE WHEN n % 2 = 0 THEN created_at + interval '1 microsecond' END, CASE WHEN n > {0} THEN created_at END
         FROM api_keys, generate_series(1, {0} + 50) AS n",
        API_KEYS_PER_USER_MAX - 2
    );
    run(&mut app.database.connect().await, &more).await;
    people::key(&app, new("the last")).await;
    app.post(KEYS, new("one too many")).await.fails(422, "limit_reached");
    people::add(&app, "ada", "member").await;
    people::key(&people::login(&app, "ada").await, new("of another person")).await;
    app.delete(&path(&first)).await.expect(204);
    people::key(&app, new("in its place")).await;
    app.post(KEYS, new("one too many")).await.fails(422, "limit_reached");
}

#[tokio::test]
async fn a_key_ends_at_its_very_moment() {
    let app = stopped().await;
    let ends = app.clock.now() + TimeDelta::seconds(60);
    let new = json!({ "name": "short", "scopes": [SCRIPT_READ], "expires_at": ends });
    let key = people::key(&app, new.clone()).await;
    let holder = people::holding(&app, text(&key["token"]));
    app.clock.advance(TimeDelta::seconds(60) - TimeDelta::microseconds(1));
    me(&holder).await.expect(200);
    app.post(KEYS, new.clone()).await.expect(201);
    app.clock.advance(TimeDelta::microseconds(1));
    me(&holder).await.fails(401, "unauthenticated");
    assert_eq!(app.post(KEYS, new).await.fails(422, "invalid").details()["field"], "expires_at");
    assert_eq!(app.get(&path(&key)).await.expect(200).json()["expires_at"], json!(ends), "it is still shown");
}

#[tokio::test]
async fn uses_are_noted_in_steps() {
    let app = stopped().await;
    let key = people::key(&app, json!({ "name": "k", "scopes": [SCRIPT_READ] })).await;
    let holder = people::holding(&app, text(&key["token"]));
    let noted = async || app.get(&path(&key)).await.expect(200).json()["last_used_at"].clone();
    assert_eq!(noted().await, Value::Null);
    let first = app.clock.now();
    me(&holder).await.expect(200);
    assert_eq!(noted().await, json!(first));
    app.clock.advance(TimeDelta::seconds(SESSION_TOUCH_S) - TimeDelta::microseconds(1));
    me(&holder).await.expect(200);
    assert_eq!(noted().await, json!(first));
    app.clock.advance(TimeDelta::microseconds(1));
    me(&holder).await.expect(200);
    assert_eq!(noted().await, json!(app.clock.now()));
}

#[tokio::test]
async fn a_key_that_is_taken_back_is_refused_at_once_and_only_its_person_takes_it_back() {
    let app = TestApp::start().await;
    people::add(&app, "ada", "member").await;
    let ada = people::login(&app, "ada").await;
    let key = people::key(&ada, json!({ "name": "k", "scopes": [SCRIPT_READ] })).await;
    let other = people::with_key(&ada, &[SCRIPT_READ]).await;
    let holder = people::holding(&app, text(&key["token"]));
    // Another's is not there, for an owner neither.
    app.get(&path(&key)).await.fails(404, "not_found");
    app.delete(&path(&key)).await.fails(404, "not_found");
    assert_eq!(app.get(KEYS).await.expect(200).json()["items"], json!([]));
    me(&holder).await.expect(200);
    ada.delete(&path(&key)).await.expect(204);
    me(&holder).await.fails(401, "unauthenticated");
    ada.delete(&path(&key)).await.fails(404, "not_found");
    ada.get(&path(&key)).await.fails(404, "not_found");
    assert_eq!(ada.get(KEYS).await.expect(200).json()["items"].as_array().expect("items").len(), 1);
    me(&other).await.expect(200);
}

#[tokio::test]
async fn a_key_makes_no_keys_ends_no_logins_and_sets_no_passwords() {
    let app = TestApp::start().await;
    let (own, session) = (people::key(&app, json!({ "name": "k", "scopes": SCOPES })).await, people::session_id(&app).await);
    let key = people::holding(&app, text(&own["token"]));
    let owner = id(&app.get("/admin/auth/me").await.expect(200).json());
    let password = json!({ "current": PASSWORD, "new": "another horse battery" });
    for (method, path, body) in [
        (Method::GET, KEYS.to_owned(), None),
        (Method::POST, KEYS.to_owned(), Some(json!({ "name": "more", "scopes": [SCRIPT_READ] }))),
        (Method::GET, path(&own), None),
        (Method::DELETE, path(&own), None),
        (Method::GET, "/admin/auth/sessions".to_owned(), None),
        (Method::DELETE, format!("/admin/auth/sessions/{session}"), None),
        (Method::POST, "/admin/auth/logout".to_owned(), None),
        (Method::POST, "/admin/auth/password".to_owned(), Some(password)),
        (Method::PATCH, format!("/admin/users/{owner}"), Some(json!({ "password": "another horse battery" }))),
    ] {
        let refused = key.api(method, &path, body.as_ref()).await;
        assert_eq!(refused.status, 403, "{path}: {}", refused.shown());
        refused.fails(403, "login_needed");
    }
    me(&key).await.expect(200);
    assert_eq!(app.get(KEYS).await.expect(200).json()["items"].as_array().expect("items").len(), 1);
}

#[tokio::test]
async fn only_who_administrates_the_instance_gives_that_to_a_key() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    for (name, role) in [("ada", "member"), ("adm", "admin")] {
        people::add(&app, name, role).await;
    }
    people::admit(&shop, "ada", "app_admin").await;
    let (ada, adm) = (people::login(&app, "ada").await, people::login(&app, "adm").await);
    let new = json!({ "name": "k", "scopes": [SCRIPT_READ, INSTANCE_ADMIN] });
    let refused = ada.post(KEYS, new.clone()).await.fails(403, "forbidden");
    assert_eq!(refused.details()["scope"], INSTANCE_ADMIN);
    let key = people::key(&adm, new).await;
    people::holding(&app, text(&key["token"])).get("/admin/users").await.expect(200);
}

/// What a key may do is looked up when it is used.
#[tokio::test]
async fn a_key_is_no_more_than_its_person_is_now() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let adm = people::add(&app, "adm", "admin").await;
    let key = people::with_key(&people::login(&app, "adm").await, &SCOPES).await;
    key.get("/admin/users").await.expect(200);
    app.patch(&format!("/admin/users/{adm}"), json!({ "role": "member" })).await.expect(200);
    key.get("/admin/users").await.fails(403, "forbidden");
    key.get("/admin/apps/shop").await.fails(404, "not_found");
    people::admit(&shop, "adm", "viewer").await;
    key.get("/admin/apps/shop").await.expect(200);
    key.patch("/admin/apps/shop", json!({ "name": "Shop" })).await.fails(403, "forbidden");
    people::admit(&shop, "adm", "app_admin").await;
    key.patch("/admin/apps/shop", json!({ "name": "Shop" })).await.expect(200);
}

#[tokio::test]
async fn keys_end_with_their_person_for_good_and_not_with_a_password() {
    let app = TestApp::start().await;
    let ada = people::add(&app, "ada", "admin").await;
    let user = format!("/admin/users/{ada}");
    let login = people::login(&app, "ada").await;
    let key = people::with_key(&login, &[SCRIPT_READ]).await;
    app.patch(&user, json!({ "password": people::PASSWORD })).await.expect(200);
    me(&login).await.fails(401, "unauthenticated");
    me(&key).await.expect(200);
    app.patch(&user, json!({ "active": false })).await.expect(200);
    me(&key).await.fails(401, "unauthenticated");
    app.patch(&user, json!({ "active": true })).await.expect(200);
    me(&key).await.fails(401, "unauthenticated");
    let again = people::login(&app, "ada").await;
    assert_eq!(again.get(KEYS).await.expect(200).json()["items"], json!([]));
    let key = people::with_key(&again, &[SCRIPT_READ]).await;
    me(&key).await.expect(200);
    app.delete(&user).await.expect(204);
    me(&key).await.fails(401, "unauthenticated");
}

#[tokio::test]
async fn a_key_for_one_app_is_good_for_no_other_and_goes_with_it() {
    let app = TestApp::start().await;
    app.create_app("shop").await;
    app.create_app("other").await;
    let mut keys = BTreeMap::new();
    for slug in ["shop", "other"] {
        let key = people::key(&app, json!({ "name": slug, "scopes": [SCRIPT_READ], "app_id": slug })).await;
        keys.insert(slug, people::holding(&app, text(&key["token"])));
    }
    for (slug, key) in &keys {
        for asked in ["shop", "other"] {
            let reply = key.get(&format!("/admin/apps/{asked}")).await;
            assert_eq!(reply.status, if asked == *slug { 200 } else { 404 }, "{slug} {asked}: {}", reply.shown());
        }
    }
    app.delete("/admin/apps/shop").await.expect(204);
    me(&keys["shop"]).await.fails(401, "unauthenticated");
    me(&keys["other"]).await.expect(200);
    assert_eq!(app.get(KEYS).await.expect(200).json()["items"].as_array().expect("items").len(), 1);
}
