//! Members of apps: who is one, as what, and what ends with it.

use std::time::Duration;

use picloud::limits::MEMBERS_PER_APP_MAX;
use reqwest::Method;
use serde_json::{Value, json};

use crate::rights::people::{self, text};
use crate::rights::table::SCOPES;
use crate::support::client::send;
use crate::support::cluster::run;
use crate::support::events::KEEPS;
use crate::support::{Reply, Tenant, TestApp, eventually};

fn path(shop: &Tenant, user: &str) -> String {
    format!("/admin/apps/{}/members/{user}", shop.slug)
}

async fn put(shop: &Tenant, user: &str, role: &str) -> Reply {
    shop.client.put(&path(shop, user), json!({ "role": role })).await
}

async fn list(shop: &Tenant, query: &str) -> Value {
    shop.client.get(&format!("/admin/apps/{}/members{query}", shop.slug)).await.expect(200).json()
}

fn names(page: &Value) -> Vec<&str> {
    page["items"].as_array().expect("items").iter().map(|member| text(&member["username"])).collect()
}

#[tokio::test]
async fn members_are_made_changed_listed_and_removed_by_id_or_name() {
    let app = TestApp::start().await;
    let (shop, other) = (app.create_app("shop").await, app.create_app("other").await);
    let (ada, bob) = (people::add(&app, "Ada", "member").await, people::add(&app, "bob", "member").await);
    assert_eq!(list(&shop, "").await, json!({ "items": [], "cursor": null }), "whoever made the app needs no row");
    let made = put(&shop, &bob, "viewer").await.expect(200);
    let bob_was = made.json();
    assert_eq!((&bob_was["user_id"], &bob_was["username"], &bob_was["role"]), (&json!(bob), &json!("bob"), &json!("viewer")));
    assert_eq!(put(&shop, "ADA", "app_admin").await.expect(200).json()["user_id"], ada);
    let page = list(&shop, "").await;
    assert_eq!((names(&page), &page["cursor"]), (vec!["Ada", "bob"], &Value::Null), "in the order of the people");
    let first = list(&shop, "?limit=1").await;
    let rest = list(&shop, &format!("?limit=1&cursor={}", text(&first["cursor"]))).await;
    assert_eq!((names(&first), names(&rest), &rest["cursor"]), (vec!["Ada"], vec!["bob"], &Value::Null));
    assert_eq!(list(&other, "").await["items"], json!([]));

    let changed = put(&shop, "bob", "editor").await.expect(200);
    assert_ne!(changed.header("etag"), made.header("etag"));
    let bob_is = changed.json();
    assert_eq!((&bob_is["role"], &bob_is["created_at"]), (&json!("editor"), &bob_was["created_at"]));
    assert_ne!(bob_is["updated_at"], bob_was["updated_at"]);
    app.delete(&path(&shop, &bob)).await.expect(204);
    app.delete(&path(&shop, "bob")).await.fails(404, "not_found");
    app.delete(&path(&shop, "ada")).await.expect(204);
    assert_eq!(list(&shop, "").await["items"], json!([]));
}

#[tokio::test]
async fn who_is_nobody_cannot_be_a_member_and_what_is_no_role_is_refused() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    people::add(&app, "ada", "member").await;
    for nobody in ["bob", "0190aaaa-bbbb-7ccc-8ddd-eeeeffff0000", "%00", "ada%20", "'%20OR%201=1%20--"] {
        put(&shop, nobody, "viewer").await.fails(404, "not_found");
        app.delete(&path(&shop, nobody)).await.fails(404, "not_found");
    }
    app.delete(&path(&shop, "ada")).await.fails(404, "not_found");
    app.put("/admin/apps/nobody/members/ada", json!({ "role": "viewer" })).await.fails(404, "not_found");
    for (body, field) in [(json!({ "role": "owner" }), "role"), (json!({ "role": "" }), "role"), (json!({}), "role")] {
        let refused = app.put(&path(&shop, "ada"), body).await.fails(422, "invalid");
        assert_eq!(refused.details()["field"], field, "{}", refused.text());
    }
    let refused = app.put(&path(&shop, "ada"), json!({ "role": "viewer", "admin": true })).await.fails(422, "invalid");
    assert_eq!(refused.details()["unknown_fields"], json!(["admin"]));
    assert_eq!(list(&shop, "").await["items"], json!([]));
}

#[tokio::test]
async fn a_change_of_another_state_is_412() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    people::add(&app, "ada", "member").await;
    let write = async |method: Method, tag: &str, role: &str| {
        let request = app.request(method, &path(&shop, "ada")).bearer_auth(&app.token).header("if-match", tag);
        send(request.json(&json!({ "role": role }))).await
    };
    write(Method::PUT, "\"1\"", "viewer").await.fails(412, "precondition_failed");
    assert_eq!(list(&shop, "").await["items"], json!([]), "one who is none has no state");
    let made = write(Method::PUT, "*", "viewer").await.expect(200);
    let tag = made.header("etag").expect("a tag").to_owned();
    let changed = write(Method::PUT, &tag, "editor").await.expect(200);
    let refused = write(Method::PUT, &tag, "app_admin").await.fails(412, "precondition_failed");
    let current = format!("\"{}\"", text(&refused.details()["current"]));
    assert_eq!(changed.header("etag"), Some(current.as_str()));
    write(Method::DELETE, &tag, "").await.fails(412, "precondition_failed");
    write(Method::PUT, "no tag", "viewer").await.fails(422, "invalid");
    write(Method::DELETE, &current, "").await.expect(204);
}

#[tokio::test]
async fn app_admins_admit_whom_they_like_and_nobody_else_of_the_app_does() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    for (name, role) in [("ada", "app_admin"), ("eve", "editor"), ("vic", "viewer")] {
        people::add(&app, name, "member").await;
        people::admit(&shop, name, role).await;
    }
    people::add(&app, "bob", "member").await;
    for name in ["eve", "vic"] {
        let own = people::asking(&shop, &people::login(&app, name).await);
        put(&own, "bob", "viewer").await.fails(403, "forbidden");
        put(&own, name, "app_admin").await.fails(403, "forbidden");
        own.client.delete(&path(&shop, "ada")).await.fails(403, "forbidden");
        assert_eq!(names(&list(&own, "").await), ["ada", "eve", "vic"], "who is in the app sees who is in it");
    }
    let own = people::asking(&shop, &people::login(&app, "ada").await);
    put(&own, "bob", "app_admin").await.expect(200);
    // Who the people of the instance are is no affair of an app's; nor is another app.
    own.client.get("/admin/users").await.fails(403, "forbidden");
    let other = people::asking(&app.create_app("other").await, &own.client);
    put(&other, "ada", "app_admin").await.fails(404, "not_found");
    own.client.delete(&path(&shop, "ada")).await.expect(204);
    own.client.get("/admin/apps/shop").await.fails(404, "not_found");
}

#[tokio::test]
async fn a_change_and_a_removal_hold_from_the_next_request_on() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let script = format!("/admin/scripts/{}", shop.upload("s", "1").await.id);
    people::add(&app, "ada", "member").await;
    people::admit(&shop, "ada", "editor").await;
    let login = people::login(&app, "ada").await;
    let key = people::with_key(&login, &SCOPES[..6]).await;
    for credential in [&login, &key] {
        credential.get(&script).await.expect(200);
        credential.put(&script, json!({ "source": "2" })).await.expect(200);
    }
    put(&shop, "ada", "viewer").await.expect(200);
    for credential in [&login, &key] {
        credential.get(&script).await.expect(200);
        credential.put(&script, json!({ "source": "3" })).await.fails(403, "forbidden");
    }
    app.delete(&path(&shop, "ada")).await.expect(204);
    for credential in [&login, &key] {
        for path in [script.as_str(), "/admin/apps/shop", "/admin/apps/shop/members"] {
            credential.get(path).await.fails(404, "not_found");
        }
        assert_eq!(credential.get("/admin/apps").await.expect(200).json()["items"], json!([]));
        credential.get("/admin/auth/me").await.expect(200);
    }
}

#[tokio::test]
async fn members_of_an_app_are_bounded() {
    let app = TestApp::start().await;
    let (shop, other) = (app.create_app("shop").await, app.create_app("other").await);
    for name in ["ada", "bob"] {
        people::add(&app, name, "member").await;
    }
    let many = format!(
        "INSERT INTO users (id, username, password_hash, role, created_at, updated_at)
         SELECT gen_random_uuid(), 'many' || n, 'x', 'member', now(), now() FROM generate_series(1, {}) AS n;
         INSERT INTO members (app_id, user_id, role, created_at, updated_at)
         SELECT a.id, u.id, 'viewer', now(), now() FROM apps a, users u WHERE a.slug = 'shop' AND u.username LIKE 'many%'",
        MEMBERS_PER_APP_MAX - 1
    );
    run(&mut app.database.connect().await, &many).await;
    put(&shop, "ada", "viewer").await.expect(200);
    put(&shop, "bob", "viewer").await.fails(422, "limit_reached");
    put(&shop, "ada", "editor").await.expect(200);
    put(&other, "bob", "viewer").await.expect(200);
    app.delete(&path(&shop, "ada")).await.expect(204);
    put(&shop, "bob", "viewer").await.expect(200);
}

#[tokio::test]
async fn members_go_with_their_person_and_with_their_app() {
    let app = TestApp::start().await;
    let (shop, other) = (app.create_app("shop").await, app.create_app("other").await);
    let ada = people::add(&app, "ada", "member").await;
    people::add(&app, "bob", "member").await;
    for name in ["ada", "bob"] {
        people::admit(&shop, name, "editor").await;
        people::admit(&other, name, "viewer").await;
    }
    // Somebody who may not log in is still one.
    app.patch(&format!("/admin/users/{ada}"), json!({ "active": false })).await.expect(200);
    assert_eq!(names(&list(&shop, "").await), ["ada", "bob"]);
    app.delete(&format!("/admin/users/{ada}")).await.expect(204);
    assert_eq!(names(&list(&shop, "").await), ["bob"]);
    app.delete("/admin/apps/shop").await.expect(204);
    // One of the same name later is another app.
    let shop = app.create_app("shop").await;
    assert_eq!(list(&shop, "").await["items"], json!([]));
    assert_eq!(names(&list(&other, "").await), ["bob"]);
}

async fn state_of(shop: &Tenant, trigger: &Value, state: &str) -> Value {
    eventually(&format!("the trigger is {state}"), Duration::from_secs(10), async || {
        let now = shop.trigger_now(trigger).await;
        (now["state"] == state).then_some(now)
    })
    .await
}

#[tokio::test]
async fn a_trigger_of_an_app_admin_stops_when_they_are_none_any_more() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let ada = people::add(&app, "ada", "member").await;
    people::admit(&shop, "ada", "app_admin").await;
    let own = people::asking(&shop, &people::login(&app, "ada").await);
    let handler = own.upload("handler", KEEPS).await;
    let trigger = own.trigger("queue", &handler, json!({ "queue": "q" })).await;
    assert_eq!(trigger["registered_by"], ada);
    shop.send("q", json!(1)).await;
    shop.seen(1).await;

    put(&shop, "ada", "editor").await.expect(200);
    shop.send("q", json!(2)).await;
    let stopped = state_of(&shop, &trigger, "stopped").await;
    assert!(text(&stopped["stopped"]["reason"]).contains("may not administrate"), "{stopped}");
    assert_eq!(stopped["enabled"], false);
    own.try_trigger("queue", &handler, json!({ "queue": "r" })).await.fails(403, "forbidden");
    // Who may again stays its principal, whoever switches it on.
    put(&shop, "ada", "app_admin").await.expect(200);
    assert_eq!(shop.change_trigger(&trigger, json!({ "enabled": true })).await["registered_by"], ada);
    shop.seen(2).await;

    app.delete(&path(&shop, "ada")).await.expect(204);
    shop.send("q", json!(3)).await;
    state_of(&shop, &trigger, "stopped").await;
    let again = shop.change_trigger(&trigger, json!({ "enabled": true })).await;
    assert_eq!(again["registered_by"], app.get("/admin/auth/me").await.expect(200).json()["id"]);
    let seen = shop.seen(3).await;
    let messages: Vec<_> = seen.iter().map(|seen| seen["event"]["queue"]["message"].clone()).collect();
    assert_eq!(messages, [json!(1), json!(2), json!(3)], "what waited is handled, once");
}
