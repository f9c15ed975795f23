//! People of the instance: who may add and change whom, what ends their logins, and the way back in.

use picloud::limits::USERS_MAX;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::client::Client;
use crate::support::process::{Ended, Scratch, finish, picloud};
use crate::support::{Reply, TestApp};

const PASSWORD: &str = "correct horse battery";

async fn add(client: &Client, username: &str, role: &str) -> Value {
    client.post("/admin/users", json!({ "username": username, "password": PASSWORD, "role": role })).await.expect(201).json()
}

fn path(user: &Value) -> String {
    format!("/admin/users/{}", user["id"].as_str().expect("an id"))
}

/// The same client, logged in as somebody else.
async fn login(app: &TestApp, username: &str, password: &str) -> Client {
    let mut client = app.client.clone();
    client.login(username, password).await;
    client
}

async fn try_login(app: &TestApp, username: &str, password: &str) -> Reply {
    app.post("/admin/auth/login", json!({ "username": username, "password": password })).await
}

async fn owner(app: &TestApp) -> Value {
    app.get("/admin/auth/me").await.expect(200).json()
}

#[tokio::test]
async fn people_are_added_read_changed_and_deleted() {
    let app = TestApp::start().await;
    let made = app.post("/admin/users", json!({ "username": "Ada", "password": PASSWORD, "role": "member" })).await.expect(201);
    assert_eq!(made.header("location"), Some(format!("/api/v1{}", path(&made.json())).as_str()));
    let ada = made.json();
    assert_eq!((&ada["username"], &ada["role"], &ada["active"]), (&json!("Ada"), &json!("member"), &json!(true)));
    assert!(!made.text().contains(PASSWORD) && !made.text().contains("argon2"), "{}", made.text());
    let read = app.get(&path(&ada)).await.expect(200);
    assert_eq!(read.json(), ada);
    let changed = app.patch(&path(&ada), json!({ "username": "ada.l", "role": "admin" })).await.expect(200);
    assert_eq!((&changed.json()["username"], &changed.json()["role"]), (&json!("ada.l"), &json!("admin")));
    assert_ne!(changed.header("etag"), read.header("etag"));
    let listed = app.get("/admin/users").await.expect(200).json();
    assert_eq!(listed["items"].as_array().expect("items").len(), 2);
    assert_eq!(login(&app, "ADA.L", PASSWORD).await.get("/admin/auth/me").await.expect(200).json()["id"], ada["id"]);
    app.delete(&path(&ada)).await.expect(204);
    app.get(&path(&ada)).await.fails(404, "not_found");
    try_login(&app, "ada.l", PASSWORD).await.fails(401, "unauthenticated");
}

#[tokio::test]
async fn what_is_no_user_is_refused_by_name() {
    let app = TestApp::start().await;
    add(&app, "ada", "member").await;
    let new = |username: &str, password: &str, role: &str| json!({ "username": username, "password": password, "role": role });
    for (body, field) in [
        (new("a b", PASSWORD, "member"), "username"),
        (new("bob", "short", "member"), "password"),
        (new("bob", PASSWORD, "root"), "role"),
        (new("bob", PASSWORD, ""), "role"),
    ] {
        assert_eq!(app.post("/admin/users", body).await.fails(422, "invalid").details()["field"], field);
    }
    app.post("/admin/users", new("ADA", PASSWORD, "member")).await.fails(409, "conflict");
    let bob = add(&app, "bob", "member").await;
    app.patch(&path(&bob), json!({ "username": "Ada" })).await.fails(409, "conflict");
    app.patch(&path(&bob), json!({ "admin": true })).await.fails(422, "invalid");
}

#[tokio::test]
async fn a_change_of_another_state_is_412() {
    let app = TestApp::start().await;
    let ada = add(&app, "ada", "member").await;
    let tag = app.get(&path(&ada)).await.expect(200).header("etag").expect("a tag").to_owned();
    let change = async |tag: &str| {
        let request = app.http.patch(format!("{}/api/v1{}", app.admin, path(&ada))).bearer_auth(&app.token);
        crate::support::client::send(request.header("if-match", tag).json(&json!({ "role": "admin" }))).await
    };
    change(&tag).await.expect(200);
    change(&tag).await.fails(412, "precondition_failed");
}

#[tokio::test]
async fn owners_are_made_and_changed_by_owners_only() {
    let app = TestApp::start().await;
    add(&app, "ada", "admin").await;
    let me = owner(&app).await;
    let ada = login(&app, "ada", PASSWORD).await;
    ada.post("/admin/users", json!({ "username": "eve", "password": PASSWORD, "role": "owner" }))
        .await
        .fails(403, "owner_needed");
    for change in [json!({ "password": PASSWORD }), json!({ "role": "member" }), json!({ "active": false }), json!({})] {
        ada.patch(&path(&me), change).await.fails(403, "owner_needed");
    }
    ada.delete(&path(&me)).await.fails(403, "owner_needed");
    let bob = add(&ada, "bob", "member").await;
    ada.patch(&path(&bob), json!({ "role": "owner" })).await.fails(403, "owner_needed");
    ada.patch(&path(&bob), json!({ "role": "admin" })).await.expect(200);
    add(&app, "eve", "owner").await;
    // And who administrates nothing manages nobody.
    add(&app, "mel", "member").await;
    let mel = login(&app, "mel", PASSWORD).await;
    mel.get("/admin/users").await.fails(403, "forbidden");
    mel.patch(&path(&bob), json!({ "role": "member" })).await.fails(403, "forbidden");
}

#[tokio::test]
async fn the_last_owner_who_may_log_in_stays() {
    let app = TestApp::start().await;
    let me = owner(&app).await;
    let attempts = [json!({ "role": "admin" }), json!({ "active": false })];
    for change in attempts.clone() {
        app.patch(&path(&me), change).await.fails(409, "last_owner");
    }
    app.delete(&path(&me)).await.fails(409, "last_owner");
    // One who may not log in does not count.
    let eve = add(&app, "eve", "owner").await;
    app.patch(&path(&eve), json!({ "active": false })).await.expect(200);
    app.delete(&path(&me)).await.fails(409, "last_owner");
    app.patch(&path(&eve), json!({ "active": true })).await.expect(200);
    app.patch(&path(&me), json!({ "role": "admin" })).await.expect(200);
    app.patch(&path(&eve), json!({ "active": false })).await.fails(403, "owner_needed");
}

#[tokio::test]
async fn of_two_owners_who_leave_at_once_one_stays() {
    let app = TestApp::start().await;
    let (me, eve) = (owner(&app).await, add(&app, "eve", "owner").await);
    let other = login(&app, "eve", PASSWORD).await;
    let (mine, theirs) = (path(&me), path(&eve));
    let (one, two) = tokio::join!(app.delete(&mine), other.delete(&theirs));
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 409]);
}

#[tokio::test]
async fn deactivation_and_a_new_password_end_logins_at_once() {
    let app = TestApp::start().await;
    let user = add(&app, "ada", "admin").await;
    let (one, two) = (login(&app, "ada", PASSWORD).await, login(&app, "ada", PASSWORD).await);
    app.patch(&path(&user), json!({ "active": false })).await.expect(200);
    one.get("/admin/auth/me").await.fails(401, "unauthenticated");
    try_login(&app, "ada", PASSWORD).await.fails(401, "unauthenticated");
    app.patch(&path(&user), json!({ "active": true })).await.expect(200);
    two.get("/admin/auth/me").await.fails(401, "unauthenticated");

    let three = login(&app, "ada", PASSWORD).await;
    app.patch(&path(&user), json!({ "password": "another horse battery" })).await.expect(200);
    three.get("/admin/auth/me").await.fails(401, "unauthenticated");
    try_login(&app, "ada", PASSWORD).await.fails(401, "unauthenticated");
    // One's own change ends the others.
    let (mine, other) = (login(&app, "ada", "another horse battery").await, login(&app, "ada", "another horse battery").await);
    let change = |current: &str, new: &str| json!({ "current": current, "new": new });
    mine.post("/admin/auth/password", change("wrong horse battery", PASSWORD)).await.fails(403, "wrong_password");
    mine.post("/admin/auth/password", change("another horse battery", "short")).await.fails(422, "invalid");
    mine.post("/admin/auth/password", change("another horse battery", PASSWORD)).await.expect(204);
    mine.get("/admin/auth/me").await.expect(200);
    other.get("/admin/auth/me").await.fails(401, "unauthenticated");
}

#[tokio::test]
async fn a_persons_logins_are_listed_and_ended_by_that_person() {
    let app = TestApp::start().await;
    add(&app, "ada", "member").await;
    let (one, two) = (login(&app, "ada", PASSWORD).await, login(&app, "ada", PASSWORD).await);
    let listed = one.get("/admin/auth/sessions").await.expect(200).json()["items"].clone();
    let items = listed.as_array().expect("items");
    assert_eq!(items.iter().map(|item| item["current"] == true).collect::<Vec<_>>(), [false, true], "newest first");
    let first = format!("/admin/auth/sessions/{}", items[0]["id"].as_str().expect("an id"));
    // Somebody else's is not there, for an owner neither.
    app.delete(&first).await.fails(404, "not_found");
    one.delete(&first).await.expect(204);
    one.delete(&first).await.fails(404, "not_found");
    two.get("/admin/auth/me").await.fails(401, "unauthenticated");
    one.get("/admin/auth/me").await.expect(200);
}

#[tokio::test]
async fn there_are_so_many_people_and_no_more() {
    let app = TestApp::start().await;
    let mut db = app.database.connect().await;
    sqlx::query(
        "INSERT INTO users (id, username, password_hash, role, created_at)
         SELECT gen_random_uuid(), 'u' || n, 'x', 'member', now() FROM generate_series(1, $1) AS n",
    )
    .bind(USERS_MAX - 2)
    .execute(&mut db)
    .await
    .expect("people");
    add(&app, "the-last", "member").await;
    let one_more = json!({ "username": "one-more", "password": PASSWORD, "role": "member" });
    app.post("/admin/users", one_more).await.fails(422, "limit_reached");
}

/// The command on the database and in the data directory of a node of the test's.
fn admin(scratch: &Scratch, app: &TestApp, args: &[&str], password: Option<&str>) -> Ended {
    let mut command = picloud(scratch, &["admin"]);
    command.args(args).env("DATABASE_URL", app.database.url()).env("PICLOUD_DATA_DIR", app.data_dir());
    if let Some(password) = password {
        let line = scratch.path().join("password");
        std::fs::write(&line, format!("{password}\n")).expect("a file");
        command.arg("--password-stdin").stdin(std::fs::File::open(line).expect("the file"));
    }
    finish(command)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_can_reach_the_database_gets_back_in() {
    let app = TestApp::start().await;
    let scratch = Scratch::new();
    let ada = add(&app, "ada", "admin").await;
    let old = login(&app, "ada", PASSWORD).await;
    app.patch(&path(&ada), json!({ "active": false })).await.expect(200);
    let done = admin(&scratch, &app, &["reset-password", "Ada", "--json"], None);
    assert!(done.status.success(), "{done:?}");
    let told: Value = serde_json::from_str(&done.stdout).expect("one JSON document");
    let made = told["password"].as_str().expect("a password");
    assert_eq!((&told["username"], &told["role"]), (&json!("ada"), &json!("admin")));
    login(&app, "ada", made).await.get("/admin/auth/me").await.expect(200);
    old.get("/admin/auth/me").await.fails(401, "unauthenticated");

    let done = admin(&scratch, &app, &["create-owner", "eve"], Some(PASSWORD));
    assert!(done.status.success() && !done.stdout.contains(PASSWORD), "{done:?}");
    assert_eq!(login(&app, "eve", PASSWORD).await.get("/admin/auth/me").await.expect(200).json()["role"], "owner");

    for (args, password, expected) in [
        (["reset-password", "nobody"], None, "no such user"),
        (["create-owner", "EVE"], Some(PASSWORD), "there is already a user of this name"),
        (["create-owner", "bob"], Some("short"), "the password has 5 characters"),
    ] {
        let refused = admin(&scratch, &app, &args, password);
        assert_eq!(refused.status.code(), Some(2), "{refused:?}");
        assert!(refused.stderr.contains(expected), "{refused:?}");
    }
}

/// A request whose head is judged now and whose body comes later.
struct Held {
    stream: TcpStream,
    body: String,
}

impl Held {
    async fn begin(app: &TestApp, client: &Client, method: &str, path: &str, body: &Value) -> Self {
        let mut stream = TcpStream::connect(app.admin.trim_start_matches("http://")).await.expect("the server listens");
        let body = body.to_string();
        let head = format!(
            "{method} /api/v1{path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n",
            client.token,
            body.len()
        );
        stream.write_all(head.as_bytes()).await.expect("the server reads");
        // By the time that somebody else was answered, twice, the head was read and judged.
        for _ in 0..2 {
            app.get("/admin/auth/me").await.expect(200);
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        Self { stream, body }
    }

    async fn end(mut self) -> String {
        self.stream.write_all(self.body.as_bytes()).await.expect("the server reads");
        let mut answer = String::new();
        self.stream.read_to_string(&mut answer).await.expect("an answer");
        answer.lines().next().unwrap_or_default().to_owned()
    }
}

#[tokio::test]
async fn what_was_judged_before_a_right_was_lost_is_judged_again() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let eve = add(&app, "eve", "admin").await;
    let her = login(&app, "eve", PASSWORD).await;
    let back = json!({ "active": true, "password": "another horse battery" });
    let held = [
        Held::begin(&app, &her, "PATCH", &path(&eve), &back).await,
        Held::begin(&app, &her, "POST", "/admin/users", &json!({ "username": "x", "password": PASSWORD, "role": "member" }))
            .await,
        Held::begin(&app, &her, "POST", "/admin/api-keys", &json!({ "name": "k", "scopes": ["script:read"] })).await,
        Held::begin(&app, &her, "PUT", "/admin/apps/shop/members/eve", &json!({ "role": "app_admin" })).await,
    ];
    app.patch(&path(&eve), json!({ "active": false })).await.expect(200);
    for held in held {
        assert_eq!(held.end().await, "HTTP/1.1 401 Unauthorized");
    }
    assert_eq!(app.get(&path(&eve)).await.expect(200).json()["active"], false);
    assert_eq!(app.get("/admin/users").await.expect(200).json()["items"].as_array().expect("items").len(), 2);

    // Who was made less than they were, or was taken out.
    app.patch(&path(&eve), json!({ "active": true, "role": "owner" })).await.expect(200);
    let her = login(&app, "eve", PASSWORD).await;
    let held = Held::begin(&app, &her, "PATCH", &path(&eve), &json!({ "role": "owner" })).await;
    app.patch(&path(&eve), json!({ "role": "member" })).await.expect(200);
    assert_eq!(held.end().await, "HTTP/1.1 403 Forbidden");
    app.put(&format!("/admin/apps/{}/members/eve", shop.slug), json!({ "role": "app_admin" })).await.expect(200);
    let held = Held::begin(&app, &her, "PUT", "/admin/apps/shop/members/eve", &json!({ "role": "app_admin" })).await;
    app.delete("/admin/apps/shop/members/eve").await.expect(204);
    assert_eq!(held.end().await, "HTTP/1.1 403 Forbidden");
    her.get("/admin/apps/shop").await.fails(404, "not_found");
}

#[tokio::test]
async fn an_api_key_becomes_no_login_that_may_more_than_the_key() {
    let app = TestApp::start().await;
    let made = app.post("/admin/api-keys", json!({ "name": "k", "scopes": ["instance:admin"] })).await.expect(201).json();
    let key = Client { token: made["token"].as_str().expect("a token").to_owned(), ..app.client.clone() };
    let me = owner(&app).await;
    for role in ["owner", "admin"] {
        let new = json!({ "username": "x", "password": PASSWORD, "role": role });
        key.post("/admin/users", new).await.fails(403, "login_needed");
    }
    let member = add(&key, "x", "member").await;
    key.patch(&path(&member), json!({ "role": "admin" })).await.fails(403, "login_needed");
    key.patch(&path(&member), json!({ "password": "another horse battery" })).await.fails(403, "login_needed");
    key.patch(&path(&me), json!({ "password": "another horse battery" })).await.fails(403, "login_needed");
    key.patch(&path(&member), json!({ "active": false })).await.expect(200);
}
