//! Logins: how often a password may be tried, when a login ends, what is told of it. What browsers send is in `browsers`.

mod browsers;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use picloud::clock::Clock;
use picloud::limits::{
    LOGIN_FAILURES_PER_ADDRESS_MAX, LOGIN_FAILURES_PER_USER_MAX, LOGIN_WINDOW_S, PASSWORD_BYTES_MAX, SESSION_IDLE_S,
    SESSION_TOUCH_S, SESSIONS_PER_USER_MAX, USER_AGENT_BYTES_MAX,
};
use reqwest::Method;
use reqwest::header::HeaderValue;
use serde_json::{Value, json};

use crate::rights::people::{self, text};
use crate::support::client::{PASSWORD, USERNAME, send};
use crate::support::cluster::run;
use crate::support::{Client, Options, Reply, TestApp};

const LOGIN: &str = "/admin/auth/login";

/// A node whose clock stands still until it is advanced.
async fn stopped() -> TestApp {
    let start: DateTime<Utc> = "2026-06-01T12:00:00Z".parse().expect("a time");
    TestApp::start_with(Options { clock: Clock::manual(start), ..Options::default() }).await
}

async fn try_login(on: &Client, username: &str, password: &str) -> Reply {
    on.anonymous(Method::POST, LOGIN, Some(&json!({ "username": username, "password": password }))).await
}

fn token(login: &Reply) -> String {
    text(&login.json()["token"]).to_owned()
}

/// An answer without what tells one request from another.
fn face(reply: &Reply) -> (u16, BTreeMap<&str, &str>, Value) {
    let mut headers: BTreeMap<_, _> = BTreeMap::new();
    for (name, value) in reply.headers.iter().filter(|(name, _)| !["date", "x-request-id"].contains(&name.as_str())) {
        headers.insert(name.as_str(), value.to_str().expect("a readable header"));
    }
    let mut body = reply.json();
    body["error"]["request_id"] = Value::Null;
    (reply.status, headers, body)
}

#[tokio::test]
async fn unknown_users_cost_what_known_ones_do() {
    let app = TestApp::start().await;
    let gone = people::add(&app, "gone", "member").await;
    app.patch(&format!("/admin/users/{gone}"), json!({ "active": false })).await.expect(200);
    let wrong = try_login(&app, USERNAME, "not the password at all").await.fails(401, "unauthenticated");
    let long_name = "n".repeat(200);
    for (username, password) in [
        (USERNAME, "not the password at all"),
        (USERNAME, ""),
        ("nobody", PASSWORD),
        ("gone", people::PASSWORD),
        ("gone", "not the password at all"),
        ("no name", PASSWORD),
        ("", PASSWORD),
        ("\0", PASSWORD),
        ("' OR 1=1 --", PASSWORD),
        (long_name.as_str(), PASSWORD),
    ] {
        let before = app.services.passwords.computed();
        let reply = try_login(&app, username, password).await;
        assert_eq!(app.services.passwords.computed() - before, 1, "{username:?}");
        assert_eq!(face(&reply), face(&wrong), "{username:?}");
    }
    // What is too long to be anybody's password is hashed for nobody.
    let endless = "x".repeat(PASSWORD_BYTES_MAX + 1);
    for username in [USERNAME, "nobody"] {
        let before = app.services.passwords.computed();
        assert_eq!(face(&try_login(&app, username, &endless).await), face(&wrong), "{username}");
        assert_eq!(app.services.passwords.computed(), before, "{username}");
    }
    try_login(&app, USERNAME, PASSWORD).await.expect(200);
}

/// A client whose requests come from that address of this machine.
fn at(address: [u8; 4]) -> reqwest::Client {
    let from = reqwest::Client::builder().no_proxy().local_address(IpAddr::from(address)).timeout(Duration::from_secs(60));
    from.build().expect("a client")
}

async fn login_from(app: &TestApp, http: &reqwest::Client, username: &str, password: &str) -> Reply {
    let on = Client { http: http.clone(), ..app.client.clone() };
    try_login(&on, username, password).await
}

/// Wrong logins, many at once: how many were looked at, and how many were not. Each that was not says when to come back.
async fn flood(app: &TestApp, http: &reqwest::Client, count: usize, name: impl Fn(usize) -> String) -> (usize, usize) {
    let (mut looked_at, mut refused) = (0, 0);
    for first in (0..count).step_by(50) {
        let names: Vec<_> = (first..first + 50).map(&name).collect();
        let tries = names.iter().map(|name| login_from(app, http, name, "a wrong password"));
        for reply in futures_util::future::join_all(tries).await {
            if reply.status == 401 {
                looked_at += 1;
                continue;
            }
            let reply = reply.fails(429, "rate_limited");
            let wait_s: i64 = reply.header("retry-after").and_then(|text| text.parse().ok()).expect("a number of seconds");
            assert!((1..=LOGIN_WINDOW_S + 1).contains(&wait_s), "{wait_s}");
            refused += 1;
        }
    }
    (looked_at, refused)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_wrong_logins() {
    let app = stopped().await;
    let shop = app.create_app("shop").await;
    shop.deploy("/hello", "\"hello\"").await;
    for name in ["ada", "bob"] {
        people::add(&app, name, "member").await;
    }
    let (attacker, elsewhere, home) = (at([127, 0, 0, 1]), at([127, 0, 0, 2]), at([127, 0, 0, 3]));
    let right = async |http: &reqwest::Client, name: &str| login_from(&app, http, name, people::PASSWORD).await;
    right(&home, "ada").await.expect(200);
    let computed = || app.services.passwords.computed();
    let before = computed();

    // One name.
    let over = AtomicBool::new(false);
    let attack = async {
        let done = flood(&app, &attacker, 5_000, |_| "ada".to_owned()).await;
        over.store(true, Ordering::Relaxed);
        done
    };
    let others = async {
        let mut answered = 0;
        while !over.load(Ordering::Relaxed) {
            app.get("/admin/auth/me").await.expect(200);
            shop.get("/hello").await.expect(200);
            answered += 1;
        }
        answered
    };
    let ((looked_at, refused), answered) = tokio::join!(attack, others);
    let of_a_name = LOGIN_FAILURES_PER_USER_MAX as usize;
    assert_eq!((looked_at, refused), (of_a_name, 5_000 - of_a_name));
    assert_eq!(computed() - before, u64::from(LOGIN_FAILURES_PER_USER_MAX));
    assert!(answered >= 5, "{answered}");
    right(&elsewhere, "ada").await.fails(429, "rate_limited");
    right(&home, "ada").await.expect(200);
    right(&elsewhere, "bob").await.expect(200);

    // All names: there is no such person behind any of them, which makes no difference.
    let (looked_at, refused) = flood(&app, &attacker, 5_000, |n| format!("name{}", n % 1_000)).await;
    let left = (LOGIN_FAILURES_PER_ADDRESS_MAX - LOGIN_FAILURES_PER_USER_MAX) as usize;
    assert_eq!((looked_at, refused), (left, 5_000 - left));
    let of_the_right_ones = 2;
    assert_eq!(computed() - before, u64::from(LOGIN_FAILURES_PER_ADDRESS_MAX) + of_the_right_ones);
    right(&attacker, "bob").await.fails(429, "rate_limited");
    right(&elsewhere, "bob").await.expect(200);
    right(&home, "ada").await.expect(200);
    app.get("/admin/auth/me").await.expect(200);

    // When the window is over.
    app.clock.advance(TimeDelta::seconds(LOGIN_WINDOW_S) - TimeDelta::microseconds(1));
    right(&elsewhere, "ada").await.fails(429, "rate_limited");
    right(&attacker, "bob").await.fails(429, "rate_limited");
    app.clock.advance(TimeDelta::microseconds(1));
    for http in [&elsewhere, &attacker] {
        right(http, "ada").await.expect(200);
        right(http, "bob").await.expect(200);
    }
}

/// A password that is changed is asked for, and that is a try like any other.
#[tokio::test]
async fn a_stolen_session_is_no_way_to_try_passwords() {
    let app = TestApp::start().await;
    people::add(&app, "ada", "member").await;
    let ada = people::login(&app, "ada").await;
    let change = |current: &str| json!({ "current": current, "new": "another horse battery" });
    for _ in 0..LOGIN_FAILURES_PER_USER_MAX {
        ada.post("/admin/auth/password", change("a wrong password")).await.fails(403, "wrong_password");
    }
    let refused = ada.post("/admin/auth/password", change(people::PASSWORD)).await.fails(429, "rate_limited");
    assert!(refused.header("retry-after").is_some());
    ada.get("/admin/auth/me").await.expect(200);
}

#[tokio::test]
async fn a_login_ends_when_it_was_not_used_for_a_week() {
    let app = stopped().await;
    let (idle, step) = (TimeDelta::seconds(SESSION_IDLE_S), TimeDelta::microseconds(1));
    let login = async || {
        let login = try_login(&app, USERNAME, PASSWORD).await.expect(200);
        assert_eq!(login.json()["expires_at"], json!(app.clock.now() + idle));
        people::holding(&app, &token(&login))
    };
    let me = async |of: &Client| of.get("/admin/auth/me").await.status;
    let (used, unused) = (login().await, login().await);
    app.clock.advance(TimeDelta::seconds(SESSION_TOUCH_S) - step);
    assert_eq!(me(&used).await, 200);
    app.clock.advance(step);
    // From here on it counts anew; uses are noted in steps.
    assert_eq!(me(&used).await, 200);
    let sessions = used.get("/admin/auth/sessions").await.expect(200).json();
    let current = sessions["items"].as_array().expect("items").iter().find(|one| one["current"] == true).expect("this one");
    assert_eq!(current["last_used_at"], json!(app.clock.now()));
    assert_eq!(current["expires_at"], json!(app.clock.now() + idle));
    app.clock.advance(idle - TimeDelta::seconds(SESSION_TOUCH_S) - step);
    // The other is a microsecond before its end; asking would be a use.
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM sessions WHERE expires_at = $1")
        .bind(app.clock.now() + step)
        .fetch_one(&mut app.database.connect().await)
        .await
        .expect("a count");
    assert_eq!(left, 2, "the one that is not used, and the owner's of the harness");
    let last = app.client.clone();
    assert_eq!(me(&last).await, 200, "at N");
    app.clock.advance(step);
    assert_eq!(me(&unused).await, 401, "at N + 1");
    assert_eq!((me(&used).await, me(&last).await), (200, 200));
    app.clock.advance(idle);
    assert_eq!((me(&used).await, me(&last).await), (401, 401));
}

#[tokio::test]
async fn logins_are_listed_with_where_they_came_from_and_are_bounded() {
    let app = TestApp::start().await;
    let ada = people::add(&app, "ada", "member").await;
    let agent = "é".repeat(USER_AGENT_BYTES_MAX);
    let request = app.request(Method::POST, LOGIN).header("user-agent", HeaderValue::from_static("pi/1"));
    let first = send(request.json(&json!({ "username": "ada", "password": people::PASSWORD }))).await.expect(200);
    let first = people::holding(&app, &token(&first));
    let long = HeaderValue::from_str(&"a".repeat(USER_AGENT_BYTES_MAX + 1)).expect("a header");
    let odd = HeaderValue::from_bytes(agent.as_bytes()).expect("a header");
    for value in [long, odd] {
        let request = app.request(Method::POST, LOGIN).header("user-agent", value);
        send(request.json(&json!({ "username": "ada", "password": people::PASSWORD }))).await.expect(200);
    }
    let listed = first.get("/admin/auth/sessions").await.expect(200).json();
    let items = listed["items"].as_array().expect("items");
    assert_eq!((items.len(), &listed["cursor"]), (3, &Value::Null));
    assert_eq!((&items[2]["address"], &items[2]["user_agent"]), (&json!("127.0.0.1"), &json!("pi/1")), "newest first");
    assert_eq!(items[2]["current"], true);
    let cut = text(&items[1]["user_agent"]);
    assert!(cut.starts_with("aaa") && cut.len() <= USER_AGENT_BYTES_MAX + 3, "{cut}");
    assert_eq!(items[0]["user_agent"], Value::Null, "what is no text is not kept");
    assert!(!listed.to_string().contains(&first.token));

    let more = format!(
        "INSERT INTO sessions (id, user_id, token_hash, created_at, last_used_at, expires_at)
         SELECT id_at(now()), user_id, sha256(convert_to(n::text, 'UTF8')), created_at, last_used_at, expires_at
         FROM (SELECT * FROM sessions WHERE user_id = '{ada}' LIMIT 1) AS one, generate_series(1, {}) AS n",
        SESSIONS_PER_USER_MAX - 4
    );
    run(&mut app.database.connect().await, &more).await;
    let last = people::login(&app, "ada").await;
    first.get("/admin/auth/me").await.expect(200);
    let one_more = people::login(&app, "ada").await;
    first.get("/admin/auth/me").await.fails(401, "unauthenticated");
    for login in [&last, &one_more] {
        login.get("/admin/auth/me").await.expect(200);
    }
    let listed = last.get("/admin/auth/sessions").await.expect(200).json();
    assert_eq!(listed["items"].as_array().expect("items").len(), usize::try_from(SESSIONS_PER_USER_MAX).expect("a number"));
}
