//! What an app allows its scripts: stated by its admin, held at upload and at every host call.

use serde_json::{Value, json};

use crate::support::origin::{Internet, Origin, answer};
use crate::support::{Options, Tenant, TestApp};

/// A capability, what of it a test may reach, and a statement that reaches it.
const CALLS: &[(&str, &str, &str)] = &[
    ("docs", "secret-plans", r#"docs::collection("secret-plans").create(#{})"#),
    ("files", "secret-plans", r#"files::collection("secret-plans").create("f", "x")"#),
    ("http", "api.example.com", r#"http::get("http://api.example.com/")"#),
    ("kv", "secret-plans", r#"kv::collection("secret-plans").set("k", 1)"#),
    ("invoke", "other", r#"invoke::call("other", ())"#),
    ("secrets", "plans.2", r#"secrets::set("plans.2", "x")"#),
];

impl Tenant {
    pub(crate) async fn grant(&self, grants: Value) -> Value {
        self.client.patch(&format!("/admin/apps/{}/grants", self.slug), grants).await.expect(200).json()
    }
}

#[tokio::test]
async fn a_new_app_may_everything_but_leave_through_the_network() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let reply = app.get("/admin/apps/shop/grants").await.expect(200);
    let (grants, tag) = (reply.json(), reply.header("etag").expect("a tag").to_owned());
    for (capability, patterns) in grants.as_object().expect("a map") {
        let expected = if ["http", "email"].contains(&capability.as_str()) { json!([]) } else { json!(["*"]) };
        assert_eq!(*patterns, expected, "{capability}");
    }
    assert_eq!(app.get("/admin/apps/shop").await.expect(200).header("etag"), Some(&*tag));
    assert_eq!(app.get(&format!("/admin/apps/{}/grants", shop.id)).await.expect(200).json(), grants);
    app.get("/admin/apps/nobody/grants").await.fails(404, "not_found");
}

#[tokio::test]
async fn put_states_everything_and_patch_only_what_it_names() {
    let app = TestApp::start().await;
    app.create_app("shop").await;
    let path = "/admin/apps/shop/grants";
    let put = app.put(path, json!({ "kv": ["orders", "tmp-*"], "http": ["API.example.com", "10.1.2.3/8"] })).await.expect(200);
    let stated = put.json();
    assert_eq!(stated["kv"], json!(["orders", "tmp-*"]));
    assert_eq!(stated["http"], json!(["api.example.com", "10.0.0.0/8"]));
    assert_eq!(stated["invoke"], json!([]), "what is not named may nothing");
    let patched = app.patch(path, json!({ "kv": ["*"] })).await.expect(200).json();
    assert_eq!((&patched["kv"], &patched["http"]), (&json!(["*"]), &stated["http"]));
    assert_eq!(app.get(path).await.expect(200).json(), patched);
}

#[tokio::test]
async fn a_state_that_was_not_read_is_not_overwritten() {
    let app = TestApp::start().await;
    app.create_app("shop").await;
    let stale = app.get("/admin/apps/shop/grants").await.expect(200).header("etag").expect("a tag").to_owned();
    app.patch("/admin/apps/shop/grants", json!({ "kv": [] })).await.expect(200);
    let request = app.request(reqwest::Method::PUT, "/admin/apps/shop/grants").bearer_auth(&app.token);
    let reply = crate::support::client::send(request.header("if-match", stale).json(&json!({}))).await;
    reply.fails(412, "precondition_failed");
    assert_eq!(app.get("/admin/apps/shop/grants").await.json()["docs"], json!(["*"]));
}

#[tokio::test]
async fn grants_that_mean_nothing_are_refused_and_change_nothing() {
    let app = TestApp::start().await;
    app.create_app("shop").await;
    let before = app.get("/admin/apps/shop/grants").await.expect(200).json();
    for (body, named) in [
        (json!({ "kv": ["*"], "telepathy": ["*"] }), "telepathy"),
        (json!({ "log": ["*"] }), "log"),
        (json!({ "kv": ["a*b"] }), "kv[0]"),
        (json!({ "http": ["api.example.com", "https://x"] }), "http[1]"),
        (json!({ "http": ["127.0.0.0/8"] }), "loopback"),
        (json!({ "http": ["0.0.0.0/0"] }), "http[0]"),
        (json!({ "email": ["*", "example.com"] }), "email[1]"),
        (json!({ "dead_letters": ["one"] }), "dead_letters[0]"),
        (json!({ "kv": "*" }), "kv"),
        (json!({ "kv": [1] }), "kv"),
        (json!({ "kv": vec!["c"; picloud::limits::GRANT_PATTERNS_MAX + 1] }), "kv"),
    ] {
        for method in [reqwest::Method::PUT, reqwest::Method::PATCH] {
            let refused = app.api(method, "/admin/apps/shop/grants", Some(&body)).await.fails(422, "invalid");
            assert!(refused.message().contains(named), "{body}: {}", refused.message());
        }
    }
    assert_eq!(app.get("/admin/apps/shop/grants").await.expect(200).json(), before);
}

/// One rule for all interfaces: the same error for owner and anonymous callers, and nothing was done.
#[tokio::test]
async fn what_is_taken_back_is_refused_to_everyone_at_the_call() {
    let origin = Origin::plain(|_| answer("204 No Content", &[], "")).await;
    let network = Internet::default().host("api.example.com", "93.184.216.34:80", &origin).network();
    let app = TestApp::start_with(Options { network, ..Options::default() }).await;
    for (capability, name, statement) in CALLS {
        let shop = app.create_app(&format!("{capability}-shop")).await;
        shop.upload("other", "1").await;
        shop.grant(json!({ *capability: ["*"] })).await;
        let caught = format!("let caught = (); try {{ {statement}; }} catch (e) {{ caught = e; }} #{{ caught: caught }}");
        let script = shop.deploy("/do", &caught).await;
        shop.grant(json!({ *capability: [] })).await;
        let anonymous = shop.get("/do").await.expect(200).json();
        let owner = app.post(&format!("/execute/{}", script.id), json!({})).await.expect(200).json();
        assert_eq!(anonymous, owner, "{capability}");
        assert_eq!(anonymous["caught"]["code"], "denied", "{capability}: {anonymous}");
        let message = anonymous["caught"]["message"].as_str().expect("a message");
        let wanted = format!("PATCH /api/v1/admin/apps/{}/grants {{\"{capability}\":[\"{name}\"]}}", shop.slug);
        assert!(message.ends_with(&wanted), "{message}");
        shop.grant(json!({ *capability: [name] })).await;
        assert_eq!(shop.get("/do").await.expect(200).json()["caught"], Value::Null, "{capability}: the named grant is enough");
    }
}

/// Calls that hand something on: refused before anything is looked at, with the request that grants them.
#[tokio::test]
async fn what_is_handed_on_is_refused_to_everyone_at_the_call() {
    let app = TestApp::start().await;
    let all = json!({ "queue": ["*"], "pubsub": ["*"], "dead_letters": ["*"], "email": ["*"] });
    for (capability, wanted, statement) in [
        ("queue", "mails", r#"queue::send("mails", 1)"#),
        ("queue", "mails", r#"queue::size("mails")"#),
        ("pubsub", "orders.new", r#"pubsub::publish("orders.new", 1)"#),
        ("dead_letters", "*", "dead_letters::list()"),
        ("dead_letters", "*", r#"dead_letters::get("x")"#),
        ("dead_letters", "*", r#"dead_letters::replay("x")"#),
        ("dead_letters", "*", r#"dead_letters::resolve("x", "seen")"#),
        ("email", "*", r#"email::send(#{ to: "ada@example.com", subject: "s", text: "t" })"#),
    ] {
        let shop = app.create_app(&format!("shop-{}", uuid::Uuid::now_v7().simple())).await;
        shop.grant(all.clone()).await;
        shop.deploy("/do", &format!("let caught = (); try {{ {statement}; }} catch (e) {{ caught = e; }} caught")).await;
        shop.grant(json!({ capability: [] })).await;
        let caught = shop.get("/do").await.expect(200).json();
        assert_eq!(caught["code"], "denied", "{statement}: {caught}");
        let request = format!("PATCH /api/v1/admin/apps/{}/grants {{\"{capability}\":[\"{wanted}\"]}}", shop.slug);
        assert!(caught["message"].as_str().expect("a message").ends_with(&request), "{statement}: {caught}");
    }
}

#[tokio::test]
async fn a_refused_call_has_done_nothing() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.deploy("/set", r#"kv::collection("plans").set("k", 1)"#).await;
    shop.grant(json!({ "kv": ["other"] })).await;
    shop.get("/set").await.fails(422, "script_error");
    shop.grant(json!({ "kv": ["*"] })).await;
    assert_eq!(shop.value(r#"kv::collection("plans").get("k")"#).await, Value::Null);
}

#[tokio::test]
async fn what_an_app_grants_nothing_of_is_refused_at_upload() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let good = shop.upload("good", r#"kv::collection("c").get("k")"#).await;
    assert_eq!(good.created["capabilities"], json!(["kv"]));
    shop.grant(json!({ "kv": [] })).await;
    let refused = shop.try_upload("bad", r#"kv::collection("c").get("k")"#, json!({})).await.fails(422, "not_granted");
    assert_eq!(refused.details()["capability"], "kv");
    assert_eq!(refused.details()["grant"]["body"], json!({ "kv": ["*"] }));
    let publish = app.put(&format!("/admin/scripts/{}", good.id), json!({ "source": r#"kv::collection("d")"# })).await;
    publish.fails(422, "not_granted");
    assert_eq!(app.get(&format!("/admin/scripts/{}", good.id)).await.expect(200).json()["version"], 1);
    let named = refused.details()["grant"].clone();
    let path = named["path"].as_str().expect("a path").trim_start_matches("/api/v1").to_owned();
    app.patch(&path, named["body"].clone()).await.expect(200);
    shop.upload("bad", r#"kv::collection("c").get("k")"#).await;
}

#[tokio::test]
async fn grants_of_one_app_are_not_anothers() {
    let app = TestApp::start().await;
    let (one, two) = (app.create_app("one").await, app.create_app("two").await);
    one.deploy("/k", r#"kv::collection("c").has("k")"#).await;
    two.deploy("/k", r#"kv::collection("c").has("k")"#).await;
    one.grant(json!({ "kv": [] })).await;
    one.get("/k").await.fails(422, "script_error");
    two.get("/k").await.expect(200);
}
