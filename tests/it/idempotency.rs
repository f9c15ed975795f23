//! `Idempotency-Key`: a request that comes again is answered again, and done once.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use picloud::clock::Clock;
use picloud::limits::{
    API_BODY_BYTES_MAX, IDEMPOTENCY_KEY_BYTES_MAX, IDEMPOTENCY_KEYS_PER_USER_MAX, IDEMPOTENCY_WINDOW_S,
    IDEMPOTENT_ANSWER_BYTES_MAX,
};
use picloud::model::access::Rule;
use reqwest::Method;
use reqwest::header::HeaderValue;
use serde_json::{Value, json};

use crate::bounds;
use crate::rights::people::{self, id, text};
use crate::rights::table::SCOPES;
use crate::rights::world::World;
use crate::support::client::{PASSWORD, USERNAME, send};
use crate::support::cluster::run;
use crate::support::{Client, Options, Reply, TestApp, eventually};

const KEY: &str = "idempotency-key";
const APPS: &str = "/admin/apps";

fn new(slug: &str) -> Value {
    json!({ "slug": slug, "name": slug })
}

async fn post(by: &Client, path: &str, key: &str, body: &Value) -> Reply {
    send(by.request(Method::POST, path).bearer_auth(&by.token).header(KEY, key).json(body)).await
}

fn is_replay(reply: &Reply) -> bool {
    reply.header("idempotent-replayed") == Some("true")
}

/// How many apps there are.
async fn apps(app: &TestApp) -> usize {
    app.get(APPS).await.expect(200).json()["items"].as_array().expect("items").len()
}

#[tokio::test]
async fn the_same_request_is_done_once_and_answered_twice() {
    let app = TestApp::start().await;
    let first = post(&app, APPS, "k", &new("shop")).await.expect(201);
    assert_eq!(first.header("idempotent-replayed"), None);
    // Whatever became of the thing meanwhile.
    app.patch("/admin/apps/shop", json!({ "name": "renamed" })).await.expect(200);
    for _ in 0..2 {
        let again = post(&app, APPS, "k", &new("shop")).await.expect(201);
        assert!(is_replay(&again), "{again:?}");
        assert_eq!(again.body, first.body);
        for header in ["content-type", "location", "etag"] {
            assert!(first.header(header).is_some() && again.header(header) == first.header(header), "{header}: {again:?}");
        }
        assert_ne!(again.header("x-request-id"), first.header("x-request-id"), "it is another request");
    }
    assert_eq!(apps(&app).await, 1);
    // Without a key, or with another one, it is another request.
    app.post(APPS, new("shop")).await.fails(409, "conflict");
    post(&app, APPS, "K", &new("shop")).await.fails(409, "conflict");
}

#[tokio::test]
async fn a_key_stays_with_its_request() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let path = "/admin/apps/shop/queues/q/messages";
    let sent = post(&app, path, "k", &json!({ "message": 1 })).await.expect(201).json();
    for (path, body) in [
        (path, json!({ "message": 2 })),
        (path, json!({ "message": 1, "delay_s": 0 })),
        ("/admin/apps/shop/queues/r/messages", json!({ "message": 1 })),
        ("/admin/apps/shop/topics/q/messages", json!({ "message": 1 })),
        (APPS, new("other")),
    ] {
        post(&app, path, "k", &body).await.fails(422, "idempotency_key_reused");
    }
    let script = shop.upload("s", "ctx.request.query").await;
    let run = format!("/execute/{}", script.id);
    post(&app, &format!("{run}?a=1"), "q", &json!({})).await.expect(200);
    post(&app, &format!("{run}?a=2"), "q", &json!({})).await.fails(422, "idempotency_key_reused");
    assert_eq!(post(&app, path, "k", &json!({ "message": 1 })).await.expect(201).json(), sent, "and is still its");
    assert_eq!(shop.value(r#"[queue::size("q"), queue::size("r")]"#).await, json!([1, 0]));
}

#[tokio::test]
async fn a_failure_gives_the_key_back() {
    let app = TestApp::start().await;
    app.create_app("shop").await;
    post(&app, APPS, "k", &new("No Slug")).await.fails(422, "invalid");
    post(&app, APPS, "k", &new("shop")).await.fails(409, "conflict");
    post(&app, "/admin/apps/nobody/queues/q/messages", "k", &json!({ "message": 1 })).await.fails(404, "not_found");
    let made = post(&app, APPS, "k", &new("other")).await.expect(201);
    assert!(!is_replay(&made));
    assert!(is_replay(&post(&app, APPS, "k", &new("other")).await.expect(201)));
    assert_eq!(apps(&app).await, 2);
}

#[tokio::test]
async fn of_many_at_once_one_is_done() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    for round in 0..5 {
        let (key, body) = (format!("k{round}"), json!({ "message": round }));
        let posts = (0..12).map(|_| post(&app, "/admin/apps/shop/queues/q/messages", &key, &body));
        let replies = futures_util::future::join_all(posts).await;
        let done: Vec<_> = replies.iter().filter(|reply| reply.status == 201).collect();
        assert_eq!(done.iter().filter(|reply| !is_replay(reply)).count(), 1, "{replies:?}");
        assert!(done.iter().all(|reply| reply.body == done[0].body), "{replies:?}");
        for reply in replies.into_iter().filter(|reply| reply.status != 201) {
            reply.fails(409, "idempotency_in_progress");
        }
        assert!(is_replay(&post(&app, "/admin/apps/shop/queues/q/messages", &key, &body).await.expect(201)));
    }
    assert_eq!(shop.value(r#"queue::size("q")"#).await, 5);
}

#[tokio::test]
async fn what_is_told_once_is_not_told_again() {
    let app = TestApp::start().await;
    let key = json!({ "name": "ci", "scopes": ["script:read"] });
    let first = post(&app, "/admin/api-keys", "k", &key).await.expect(201);
    let again = post(&app, "/admin/api-keys", "k", &key).await.fails(409, "told_once");
    assert_eq!(again.details()["location"].as_str(), first.header("location"));
    assert!(!again.text().contains(text(&first.json()["token"])), "{}", again.text());
    assert_eq!(app.get("/admin/api-keys").await.expect(200).json()["items"].as_array().expect("items").len(), 1);
}

#[tokio::test]
async fn a_key_is_of_a_persons_logins_or_of_one_api_key() {
    let app = TestApp::start().await;
    people::add(&app, "adm", "admin").await;
    let adm = people::login(&app, "adm").await;
    let first = post(&app, APPS, "k", &new("shop")).await.expect(201);
    // Another person's equal key is another one.
    post(&adm, APPS, "k", &new("shop")).await.fails(409, "conflict");
    let other = post(&adm, APPS, "k", &new("other")).await.expect(201);
    assert!(!is_replay(&other));
    let key = people::with_key(&app, &SCOPES).await;
    post(&key, APPS, "k", &new("shop")).await.fails(409, "conflict");
    let by_key = post(&key, APPS, "k", &new("third")).await.expect(201);
    let again = post(&key, APPS, "k", &new("third")).await.expect(201);
    assert!(is_replay(&again) && again.body == by_key.body, "{again:?}");
    let mut elsewhere = app.client.clone();
    elsewhere.login(USERNAME, PASSWORD).await;
    let again = post(&elsewhere, APPS, "k", &new("shop")).await.expect(201);
    assert!(is_replay(&again) && again.body == first.body, "{again:?}");
    // Who may not any more is not answered again.
    let user = id(&adm.get("/admin/auth/me").await.expect(200).json());
    app.patch(&format!("/admin/users/{user}"), json!({ "role": "member" })).await.expect(200);
    post(&adm, APPS, "k", &new("other")).await.fails(403, "forbidden");
    app.delete(&format!("/admin/users/{user}")).await.expect(204);
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM idempotency_keys")
        .fetch_one(&mut app.database.connect().await)
        .await
        .expect("a count");
    assert_eq!(kept, 2, "keys go with their person");
}

#[tokio::test]
async fn a_key_is_forgotten_after_a_day() {
    let start: DateTime<Utc> = "2026-06-01T12:00:00Z".parse().expect("a time");
    let app = TestApp::start_with(Options { clock: Clock::manual(start), ..Options::default() }).await;
    app.create_app("shop").await;
    let send = async || post(&app, "/admin/apps/shop/topics/t/messages", "k", &json!({ "message": 1 })).await.expect(201);
    let first = send().await;
    app.clock.advance(TimeDelta::seconds(IDEMPOTENCY_WINDOW_S));
    let again = send().await;
    assert!(is_replay(&again) && again.body == first.body, "{again:?}");
    app.clock.advance(TimeDelta::microseconds(1));
    let anew = send().await;
    assert!(!is_replay(&anew) && anew.body != first.body, "{anew:?}");
    assert!(is_replay(&send().await));
}

#[tokio::test]
async fn a_key_is_bounded_and_visible() {
    let app = TestApp::start().await;
    assert_eq!(IDEMPOTENCY_KEY_BYTES_MAX, 128);
    let longest = "k".repeat(IDEMPOTENCY_KEY_BYTES_MAX);
    post(&app, APPS, &longest, &new("a")).await.expect(201);
    assert!(is_replay(&post(&app, APPS, &longest, &new("a")).await.expect(201)));
    let long = HeaderValue::from_str(&format!("{longest}k")).expect("a header");
    let odd = HeaderValue::from_bytes("schlüssel".as_bytes()).expect("a header");
    for bad in [long, odd, HeaderValue::from_static(""), HeaderValue::from_static("   ")] {
        let request = app.request(Method::POST, APPS).bearer_auth(&app.token).header(KEY, bad).json(&new("b"));
        assert_eq!(send(request).await.fails(422, "invalid").details()["header"], KEY);
    }
    let twice = app.request(Method::POST, APPS).bearer_auth(&app.token).header(KEY, "k").header(KEY, "k").json(&new("b"));
    assert_eq!(send(twice).await.fails(422, "invalid").details()["header"], KEY);
    assert_eq!(apps(&app).await, 1);
}

#[tokio::test]
async fn keys_of_a_person_are_bounded() {
    let app = TestApp::start().await;
    app.create_app("shop").await;
    let send = async |by: &Client, key: &str| post(by, "/admin/apps/shop/topics/t/messages", key, &json!({ "message": 1 })).await;
    send(&app.client, "first").await.expect(201);
    let more = format!(
        "INSERT INTO idempotency_keys (user_id, key_hash, fingerprint, created_at, status, headers)
         SELECT user_id, sha256(convert_to(n::text, 'UTF8')), fingerprint, created_at, status, headers
         FROM idempotency_keys, generate_series(1, {}) AS n",
        IDEMPOTENCY_KEYS_PER_USER_MAX - 2
    );
    run(&mut app.database.connect().await, &more).await;
    send(&app.client, "the last").await.expect(201);
    for _ in 0..2 {
        let refused = send(&app.client, "one too many").await.fails(429, "rate_limited");
        assert!(refused.header("retry-after").is_some());
    }
    assert!(is_replay(&send(&app.client, "the last").await.expect(201)));
    app.post("/admin/apps/shop/topics/t/messages", json!({ "message": 1 })).await.expect(201);
    people::add(&app, "adm", "admin").await;
    send(&people::login(&app, "adm").await, "of another person").await.expect(201);
}

#[tokio::test]
async fn an_answer_is_kept_up_to_a_bound() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let source = |bytes: usize| {
        format!(
            "kv::collection(\"runs\").increment(\"n\"); let answer = {}; #{{ statusCode: 200, body: answer }}",
            bounds::text(bytes)
        )
    };
    for (bytes, is_kept) in [(IDEMPOTENT_ANSWER_BYTES_MAX, true), (IDEMPOTENT_ANSWER_BYTES_MAX + 1, false)] {
        let script = shop.upload(&format!("s{bytes}"), &source(bytes)).await;
        let path = format!("/execute/{}", script.id);
        let first = post(&app, &path, &script.id, &json!({})).await.expect(200);
        assert_eq!(first.body.len(), bytes);
        let again = post(&app, &path, &script.id, &json!({})).await;
        if is_kept {
            let again = again.expect(200);
            assert!(is_replay(&again) && again.body == first.body);
            assert_eq!(again.header("picloud-execution-id"), first.header("picloud-execution-id"));
            assert_eq!(again.header("content-type"), first.header("content-type"));
        } else {
            again.fails(409, "told_once");
        }
    }
    assert_eq!(shop.value(r#"kv::collection("runs").get("n")"#).await, 2, "each ran once");
    // The body that comes with a key is held: it is bounded as any other.
    let long = app.request(Method::POST, "/admin/apps/shop/topics/t/messages").bearer_auth(&app.token).header(KEY, "long");
    let long = long.header("content-type", "application/json").body(vec![b' '; API_BODY_BYTES_MAX + 1]);
    send(long).await.fails(413, "request_too_large");
}

#[tokio::test]
async fn a_script_that_answers_an_error_runs_again() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let source = r#"
        let n = kv::collection("runs").increment("n");
        if n == 1 { throw "not yet"; }
        if n == 2 { return #{ statusCode: 503, body: "not yet" }; }
        n
    "#;
    let path = format!("/execute/{}", shop.upload("s", source).await.id);
    post(&app, &path, "k", &json!({})).await.fails(422, "script_error");
    assert_eq!(post(&app, &path, "k", &json!({})).await.status, 503);
    assert_eq!(post(&app, &path, "k", &json!({})).await.expect(200).json(), 3);
    let again = post(&app, &path, "k", &json!({})).await.expect(200);
    assert!(is_replay(&again) && again.json() == 3, "{again:?}");
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_one_thing_done_and_an_answer() {
    let app = TestApp::start().await;
    let (mut db, mut blocker) = (app.database.connect().await, app.database.connect().await);
    run(&mut blocker, "BEGIN; LOCK TABLE apps IN EXCLUSIVE MODE").await;
    let client = app.client.clone();
    let asking = tokio::spawn(async move { post(&client, APPS, "k", &new("shop")).await });
    eventually("the app waits to be made", Duration::from_secs(10), async || {
        let waiting: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity
             WHERE datname = current_database() AND application_name = 'picloud' AND wait_event_type = 'Lock'",
        )
        .fetch_one(&mut db)
        .await
        .expect("a count");
        (waiting == 1).then_some(())
    })
    .await;
    post(&app, APPS, "k", &new("shop")).await.fails(409, "idempotency_in_progress");
    asking.abort();
    assert!(asking.await.expect_err("it was ended").is_cancelled());
    // The server and this test share a thread: by now it has seen that nobody waits any more.
    for _ in 0..20 {
        app.get("/admin/auth/me").await.expect(200);
    }
    post(&app, APPS, "k", &new("shop")).await.fails(409, "idempotency_in_progress");
    run(&mut blocker, "COMMIT").await;
    let answer = eventually("the answer is there", Duration::from_secs(10), async || {
        let reply = post(&app, APPS, "k", &new("shop")).await;
        (reply.status != 409).then_some(reply)
    })
    .await
    .expect(201);
    assert!(is_replay(&answer), "{answer:?}");
    assert_eq!(app.get("/admin/apps/shop").await.expect(200).json()["id"], answer.json()["id"]);
    assert_eq!(apps(&app).await, 1);
}

/// As a node leaves it that dies between the change and its answer: nobody can know what was done.
#[tokio::test]
async fn a_request_whose_node_died_is_never_run_again() {
    let app = TestApp::start().await;
    post(&app, APPS, "k", &new("shop")).await.expect(201);
    run(&mut app.database.connect().await, "UPDATE idempotency_keys SET status = NULL, headers = NULL, body = NULL").await;
    for _ in 0..2 {
        post(&app, APPS, "k", &new("shop")).await.fails(409, "idempotency_in_progress");
    }
    post(&app, APPS, "k", &new("other")).await.fails(422, "idempotency_key_reused");
    assert_eq!(apps(&app).await, 1);
}

#[tokio::test]
async fn every_post_without_a_password_takes_a_key_and_nothing_else_reads_one() {
    let world = World::start().await;
    let app = &world.app;
    let bad = "k".repeat(IDEMPOTENCY_KEY_BYTES_MAX + 1);
    let (mut asked, mut logins) = (0, 0);
    for (method, template, rule) in picloud::api::endpoints().into_iter().filter(|(method, _, _)| *method == Method::POST) {
        let url = format!("{}{}", app.admin, world.path(template));
        let request = app.http.request(method, url).bearer_auth(&app.token).header(KEY, &bad);
        if rule == Rule::Public {
            let credentials = json!({ "username": USERNAME, "password": PASSWORD });
            assert!(!is_replay(&send(request.json(&credentials)).await.expect(200)), "{template}");
            logins += 1;
            continue;
        }
        if template == "/api/v1/admin/apps:import" {
            send(request.json(&json!({}))).await.fails(415, "unsupported_media_type");
            logins += 1;
            continue;
        }
        if ["/api/v1/admin/auth/password", "/api/v1/admin/users"].contains(&template) {
            let refused = send(request.json(&json!({}))).await.fails(422, "invalid");
            assert!(refused.details()["header"].is_null() && refused.details()["field"].is_string(), "{}", refused.text());
            logins += 1;
            continue;
        }
        // It is judged before anything is done.
        let reply = send(request.json(&json!({}))).await;
        assert_eq!(reply.status, 422, "{template}: {}", reply.shown());
        assert_eq!(reply.fails(422, "invalid").details()["header"], KEY, "{template}");
        asked += 1;
    }
    assert!(asked > 25 && logins == 4, "{asked} {logins}");
    for (method, path, body) in [
        (Method::PUT, "/admin/apps/shop/secrets/key", json!({ "value": "another" })),
        (Method::PATCH, "/admin/apps/shop", json!({ "name": "renamed" })),
        (Method::GET, "/admin/apps/shop", Value::Null),
        (Method::DELETE, "/admin/apps/shop/secrets/key", Value::Null),
    ] {
        let request = app.request(method, path).bearer_auth(&app.token).header(KEY, &bad);
        let reply = send(if body.is_null() { request } else { request.json(&body) }).await;
        assert!((200..300).contains(&reply.status), "{path}: {}", reply.shown());
    }
}
