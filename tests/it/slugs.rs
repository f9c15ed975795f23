//! Slugs that apps leave: where they lead, and how somebody else gets them.

use picloud::limits;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Client, Reply, Tenant, TestApp, raw};

const PASSWORD: &str = "correct horse battery";

async fn rename(app: &Client, from: &str, to: &str) -> Reply {
    app.patch(&format!("/admin/apps/{from}"), json!({ "slug": to })).await
}

/// Where a GET of that host is sent on to.
async fn location(app: &Client, host: &str, path: &str) -> Option<String> {
    let reply = app.call(host, "GET", path, "", &[]).await;
    (reply.status == 308).then(|| reply.header("location").expect("a location").to_owned())
}

/// The app's part of the audit log, oldest first, by this action.
async fn logged(app: &Client, tenant: &str, action: &str) -> Vec<Value> {
    let log = app.get(&format!("/admin/apps/{tenant}/audit?limit=200")).await.expect(200).json();
    let rows = log["items"].as_array().expect("items").iter().rev();
    rows.filter(|row| row["action"] == action).cloned().collect()
}

/// A person who administrates an app and nothing else.
async fn person(app: &TestApp, name: &str, tenant: &Tenant) -> Client {
    app.post("/admin/users", json!({ "username": name, "password": PASSWORD, "role": "member" })).await.expect(201);
    app.put(&format!("/admin/apps/{}/members/{name}", tenant.id), json!({ "role": "app_admin" })).await.expect(200);
    let mut client = app.client.clone();
    client.login(name, PASSWORD).await;
    client
}

#[tokio::test]
async fn an_old_slug_redirects_until_someone_claims_it() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.deploy("/x", r#""store""#).await;
    assert_eq!(location(&app, "shop.localhost", "/x").await, None);
    rename(&app, "shop", "store").await.expect(200);
    assert_eq!(app.call("store.localhost", "GET", "/x", "", &[]).await.expect(200).json(), "store");
    let sent = app.call("shop.localhost", "GET", "/x", "", &[]).await.expect(308);
    assert_eq!(sent.header("location"), Some("//store.localhost/x"));
    assert_eq!(sent.header("cache-control"), Some("no-store"), "nobody may remember it");
    assert!(sent.header("x-request-id").is_some() && sent.header("picloud-execution-id").is_none());
    // Every former slug leads to the slug of now, without a detour.
    rename(&app, "store", "market").await.expect(200);
    for host in ["shop.localhost", "store.localhost"] {
        assert_eq!(location(&app, host, "/x").await.as_deref(), Some("//market.localhost/x"), "{host}");
    }
    let taken = json!({ "slug": "shop", "name": "another", "takeover": true });
    let another = app.post("/admin/apps", taken).await.expect(201).json();
    assert_eq!(app.call("shop.localhost", "GET", "/x", "", &[]).await.status, 404, "it is another app's now");
    assert_eq!(app.get("/admin/apps/shop").await.expect(200).json()["id"], another["id"]);
    assert_eq!(location(&app, "store.localhost", "/x").await.as_deref(), Some("//market.localhost/x"));
    // That one's later names do not bring the first one back.
    rename(&app, "shop", "kiosk").await.expect(200);
    assert_eq!(location(&app, "shop.localhost", "/x").await.as_deref(), Some("//kiosk.localhost/x"));
}

#[tokio::test]
async fn redirects_keep_method_path_and_query() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.deploy(
        "/*",
        "#{ method: ctx.request.method, path: ctx.request.path, query: ctx.request.query, body: ctx.request.body }",
    )
    .await;
    rename(&app, "shop", "store").await.expect(200);
    for (method, target) in
        [("GET", "/a?x=1&y=%2F"), ("POST", "/a/b%20c?q"), ("PUT", "/a//b"), ("DELETE", "/%7e"), ("PATCH", "/?z")]
    {
        let request = app.to("api.shop.localhost:8080", method, target).header("content-type", "text/plain").body("body");
        let sent = crate::support::client::send(request).await.expect(308);
        let location = sent.header("location").expect("a location");
        let expected = format!("//api.store.localhost:8080{target}");
        assert_eq!(location, expected, "{method}");
    }
    // Whoever follows it meets the script, with all that was sent.
    let followed = app.call("api.store.localhost", "POST", "/a?x=1", "body", &[("content-type", "text/plain")]).await.expect(200);
    assert_eq!(followed.json(), json!({ "method": "POST", "path": "/a", "query": { "x": "1" }, "body": "body" }));
    let head = app.call("shop.localhost", "HEAD", "/a", "", &[]).await.expect(308);
    assert_eq!((head.header("location"), head.body.len()), (Some("//store.localhost/a"), 0));
    let mail = "/.well-known/picloud/email/0190aaaa-bbbb-7ccc-8ddd-eeeeffff0000";
    let mailed = app.call("shop.localhost", "POST", mail, "{}", &[]).await.expect(308);
    assert_eq!(mailed.header("location"), Some(format!("//store.localhost{mail}").as_str()));
    assert_eq!(location(&app, "shop.localhost", "/healthz").await.as_deref(), Some("//store.localhost/healthz"));
}

#[tokio::test]
async fn hostile_requests_for_an_old_slug_lead_nowhere_else() {
    let app = TestApp::start().await;
    app.create_app("shop").await;
    rename(&app, "shop", "store").await.expect(200);
    for (host, target, status) in [
        ("shop.localhost@evil.example", "/", 404),
        ("evil.example@shop.localhost", "/", 404),
        ("shop.localhost:80:81", "/", 404),
        ("shop.localhost:8o", "/", 404),
        ("shop.localhost/x", "/", 404),
        ("shop.localhost\\x", "/", 404),
        ("shop.localhost, evil.example", "/", 404),
        ("evil.example/shop.localhost", "/", 404),
        ("..shop.localhost", "/", 404),
        ("shop.localhost", "*", 400),
        ("shop.localhost:99999", "//evil.example/", 308),
        ("shop.localhost", "/\\evil.example", 308),
        ("shop.localhost", "/%0d%0alocation:%20//evil.example", 308),
        ("x.shop.localhost", "http://y.shop.localhost/", 308),
    ] {
        let method = if target == "*" { "OPTIONS" } else { "GET" };
        let request = format!("{method} {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        let answer = String::from_utf8(raw::exchange(&app.data, request.as_bytes()).await).expect("UTF-8");
        let lines: Vec<_> = answer.lines().take_while(|line| !line.is_empty()).collect();
        if !lines[0].starts_with("HTTP/1.1 400") {
            assert!(lines[0].starts_with(&format!("HTTP/1.1 {status}")), "{host} {target}: {answer}");
        }
        let locations: Vec<_> = lines.iter().filter_map(|line| line.strip_prefix("location: ")).collect();
        let leads_home = |location: &&str| {
            let authority = location.strip_prefix("//").and_then(|rest| rest.split('/').next()).unwrap_or_default();
            authority == "store.localhost" || authority.ends_with(".store.localhost")
        };
        assert!(locations.len() <= 1 && locations.iter().all(leads_home), "{host} {target}: {locations:?}");
    }
    let two = "GET / HTTP/1.1\r\nhost: shop.localhost\r\nhost: evil.example\r\nconnection: close\r\n\r\n";
    assert_eq!(raw::status(&app.data, two.as_bytes()).await, 400);
}

#[tokio::test]
async fn slug_takeover_needs_two_steps() {
    let app = TestApp::start().await;
    let (shop, other) = (app.create_app("shop").await, app.create_app("other").await);
    shop.deploy("/x", "1").await;
    rename(&app, "shop", "store").await.expect(200);

    // By a new app, and by another's new name: first told, then done.
    let new = |takeover: bool| json!({ "slug": "shop", "name": "new", "takeover": takeover });
    for body in [new(false), json!({ "slug": "shop", "name": "new" })] {
        let told = app.post("/admin/apps", body).await.fails(409, "slug_redirects");
        let details = told.details();
        assert_eq!((&details["field"], &details["takeover_needed"]), (&json!("slug"), &json!(true)));
        assert!(details["retired_at"].is_string() && told.message().contains("\"takeover\": true"), "{}", told.text());
        assert_eq!(details["app"], json!({ "id": shop.id, "slug": "store", "name": "shop" }));
    }
    rename(&app, "other", "shop").await.fails(409, "slug_redirects");
    assert_eq!(location(&app, "shop.localhost", "/x").await.as_deref(), Some("//store.localhost/x"), "nothing has changed");
    assert_eq!(app.get("/admin/apps/other").await.expect(200).json()["id"], other.id);

    app.patch("/admin/apps/other", json!({ "slug": "shop", "takeover": true })).await.expect(200);
    assert_eq!(app.get("/admin/apps/shop").await.expect(200).json()["id"], other.id);
    assert_eq!(app.call("shop.localhost", "GET", "/x", "", &[]).await.status, 404);
    assert_eq!(app.call("store.localhost", "GET", "/x", "", &[]).await.status, 200);
    // Whoever lost the redirect reads of it.
    let rows = logged(&app, "store", "slug.takeover").await;
    assert_eq!((rows.len(), &rows[0]["target"], &rows[0]["before"]["slug"]), (1, &json!("shop"), &json!("shop")));
    assert_eq!(logged(&app, "shop", "slug.takeover").await, Vec::<Value>::new());
    assert_eq!(logged(&app, "shop", "app.update").await.len(), 1);

    // What an app has is not to be taken over, and what nobody had needs no word.
    for slug in ["store", "shop"] {
        let taken = app.post("/admin/apps", json!({ "slug": slug, "name": "n", "takeover": true })).await.fails(409, "conflict");
        assert_eq!(taken.details()["field"], "slug", "{slug}");
    }
    app.post("/admin/apps", json!({ "slug": "fresh", "name": "n", "takeover": true })).await.expect(201);
    app.patch("/admin/apps/fresh", json!({ "name": "m", "takeover": true })).await.expect(200);
}

#[tokio::test]
async fn who_had_a_slug_or_has_it_is_not_told_to_strangers() {
    let app = TestApp::start().await;
    let (shop, mine) = (app.create_app("shop").await, app.create_app("mine").await);
    rename(&app, "shop", "store").await.expect(200);
    let ada = person(&app, "ada", &mine).await;
    let told = rename(&ada, "mine", "shop").await.fails(409, "slug_redirects");
    assert_eq!(told.details()["app"], Value::Null);
    assert!(!told.text().contains(&shop.id) && !told.text().contains("store"), "{}", told.text());
    let taken = rename(&ada, "mine", "store").await.fails(409, "conflict");
    assert!(!taken.text().contains(&shop.id), "{}", taken.text());
    for path in ["/admin/apps/shop", "/admin/apps/store"] {
        ada.get(path).await.fails(404, "not_found");
    }
    // Its callers' cookies and tokens would be hers: that takes a right on the app that loses them.
    let taking = json!({ "slug": "shop", "takeover": true });
    ada.patch("/admin/apps/mine", taking.clone()).await.fails(403, "forbidden");
    app.put("/admin/apps/store/members/ada", json!({ "role": "app_admin" })).await.expect(200);
    ada.patch("/admin/apps/mine", taking).await.expect(200);
    assert_eq!(ada.get("/admin/apps/shop").await.expect(200).json()["id"], mine.id);
}

#[tokio::test]
async fn an_app_is_found_and_changed_by_a_former_slug() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    rename(&app, "shop", "store").await.expect(200);
    let found = app.get("/admin/apps/shop").await.expect(200);
    assert_eq!((&found.json()["id"], &found.json()["slug"]), (&json!(shop.id), &json!("store")));
    assert_eq!(found.header("content-location"), Some("/api/v1/admin/apps/store"));
    assert_eq!(app.get("/admin/apps/store").await.expect(200).header("content-location"), None);
    let changed = app.patch("/admin/apps/shop", json!({ "name": "The store" })).await.expect(200).json();
    assert_eq!((&changed["slug"], &changed["name"]), (&json!("store"), &json!("The store")));
    let script = json!({ "app_id": "shop", "name": "s", "source": "1" });
    assert_eq!(app.post("/admin/scripts", script).await.expect(201).json()["app_id"], json!(shop.id));
    app.delete("/admin/apps/shop?force=true").await.expect(204);
    for slug in ["shop", "store"] {
        app.get(&format!("/admin/apps/{slug}")).await.fails(404, "not_found");
        assert_eq!(location(&app, &format!("{slug}.localhost"), "/").await, None, "what an app had goes with it");
    }
    app.create_app("shop").await;
}

#[tokio::test]
async fn an_app_goes_back_to_a_slug_of_its_own_without_a_word() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.deploy("/x", "1").await;
    rename(&app, "shop", "store").await.expect(200);
    rename(&app, "store", "shop").await.expect(200);
    assert_eq!(app.call("shop.localhost", "GET", "/x", "", &[]).await.status, 200);
    assert_eq!(location(&app, "store.localhost", "/x").await.as_deref(), Some("//shop.localhost/x"));
    assert_eq!(logged(&app, "shop", "slug.takeover").await, Vec::<Value>::new());
}

#[tokio::test]
async fn an_app_keeps_so_many_former_slugs() {
    let app = TestApp::start().await;
    app.create_app("s0").await;
    let kept = usize::try_from(limits::FORMER_SLUGS_PER_APP_MAX).expect("a number");
    for n in 0..kept {
        rename(&app, &format!("s{n}"), &format!("s{}", n + 1)).await.expect(200);
    }
    let now = format!("//s{kept}.localhost/");
    assert_eq!(location(&app, "s0.localhost", "/").await, Some(now));
    rename(&app, &format!("s{kept}"), "last").await.expect(200);
    assert_eq!(location(&app, "s0.localhost", "/").await, None, "the oldest is forgotten");
    app.get("/admin/apps/s0").await.fails(404, "not_found");
    for n in 1..=kept {
        assert_eq!(location(&app, &format!("s{n}.localhost"), "/").await.as_deref(), Some("//last.localhost/"), "s{n}");
    }
    app.create_app("s0").await;
}

#[tokio::test]
async fn a_route_that_names_the_old_host_is_in_the_way() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let script = shop.upload("s", "1").await;
    let route = shop.route(&script, json!({ "path": "/x", "host": "api.shop.localhost" })).await;
    let held = rename(&app, "shop", "store").await.fails(409, "conflict");
    assert_eq!((&held.details()["field"], &held.details()["route"]["id"]), (&json!("slug"), &route["id"]));
    let id = route["id"].as_str().expect("an id");
    app.delete(&format!("/admin/scripts/{}/routes/{id}", script.id)).await.expect(204);
    rename(&app, "shop", "store").await.expect(200);
}

#[tokio::test]
async fn nobody_gets_a_slug_unasked_in_the_moment_it_is_left() {
    let app = TestApp::start().await;
    app.create_app("shop").await;
    for round in 0..10 {
        let (from, to) = if round % 2 == 0 { ("shop", "store") } else { ("store", "shop") };
        let tries: Vec<_> = (0..4)
            .map(|_| {
                let (client, slug) = (app.client.clone(), from.to_owned());
                tokio::spawn(async move { client.post("/admin/apps", json!({ "slug": slug, "name": "thief" })).await.status })
            })
            .collect();
        rename(&app, from, to).await.expect(200);
        for attempt in tries {
            assert_eq!(attempt.await.expect("a call"), 409, "round {round}");
        }
    }
}

#[tokio::test]
async fn of_many_who_take_a_slug_over_at_once_one_gets_it() {
    let app = TestApp::start().await;
    app.create_app("shop").await;
    rename(&app, "shop", "store").await.expect(200);
    let tries: Vec<_> = (0..6)
        .map(|_| {
            let client = app.client.clone();
            let body = json!({ "slug": "shop", "name": "x", "takeover": true });
            tokio::spawn(async move { client.api(Method::POST, "/admin/apps", Some(&body)).await.status })
        })
        .collect();
    let mut statuses = Vec::new();
    for attempt in tries {
        statuses.push(attempt.await.expect("a call"));
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [vec![201], vec![409; 5]].concat());
    assert_eq!(logged(&app, "store", "slug.takeover").await.len(), 1);
}
