//! Splits: a part of an app's requests is answered by another of its deployments than the one that runs.

use std::time::Duration;

use picloud::limits::{DEPLOYMENTS_PER_APP_MAX, SPLIT_BUCKETS, SPLIT_PERCENT_MAX, SPLIT_PERCENT_MIN};
use serde_json::{Value, json};

use crate::rights::people;
use crate::support::cluster::Database;
use crate::support::process::Scratch;
use crate::support::{Client, Reply, Server, Tenant, TestApp, eventually};

const REQUESTS: i64 = 2_000;

fn page(source: &str) -> Value {
    json!({ "source": source, "routes": [{ "path": "/" }] })
}

async fn apply(client: &Client, scripts: Value) -> Value {
    client.post("/admin/apps/shop/deployments", json!({ "manifest": { "scripts": scripts } })).await.expect(200).json()
}

/// Deployment 1, which says "one", and 2, which runs and says "two".
async fn two(client: &Client) -> Tenant {
    let shop = client.create_app("shop").await;
    for word in ["one", "two"] {
        apply(client, json!({ "page": page(&format!("\"{word}\"")) })).await;
    }
    shop
}

async fn try_split(client: &Client, deployment: i64, percent: i64, sticky: bool) -> Reply {
    let body = json!({ "deployment": deployment, "percent": percent, "sticky": sticky });
    client.put("/admin/apps/shop/split", body).await
}

/// A visitor who is in that bucket.
async fn visit(shop: &Tenant, bucket: u16) -> Reply {
    shop.call("GET", "/", "", &[("cookie", &format!("picloud_split={bucket}"))]).await.expect(200)
}

async fn says(shop: &Tenant, bucket: u16) -> Value {
    visit(shop, bucket).await.json()
}

/// Six standard deviations around what is expected.
fn is_about(count: i64, percent: i64) -> bool {
    let (all, part) = (REQUESTS as f64, percent as f64 / 100.0);
    (count as f64 - all * part).abs() <= 6.0 * (all * part * (1.0 - part)).sqrt()
}

#[tokio::test]
async fn about_as_many_requests_as_were_asked_for_go_to_the_other_deployment() {
    let app = TestApp::start().await;
    let shop = two(&app).await;
    for (percent, sticky) in [(5, false), (50, true)] {
        let set = try_split(&app, 1, percent, sticky).await.expect(200).json();
        assert_eq!((&set["deployment"], &set["percent"], &set["sticky"]), (&json!(1), &json!(percent), &json!(sticky)));
        let mut other = 0;
        for _ in 0..REQUESTS {
            let reply = shop.get("/").await.expect(200);
            let marked = reply.header("picloud-deployment");
            match reply.json().as_str() {
                Some("one") => {
                    assert_eq!(marked, Some("1"));
                    other += 1;
                }
                Some("two") => assert_eq!(marked, None),
                said => panic!("{said:?}"),
            }
            assert_eq!(reply.headers_named("set-cookie").len(), usize::from(sticky), "nobody is known here");
        }
        assert!(is_about(other, percent), "{other} of {REQUESTS} at {percent} %");
    }
}

#[tokio::test]
async fn a_visitor_stays_and_a_higher_percentage_keeps_whom_it_had() {
    let app = TestApp::start().await;
    let shop = two(&app).await;
    try_split(&app, 1, 10, true).await.expect(200);
    let first = shop.get("/").await.expect(200);
    let cookie = first.header("set-cookie").expect("a cookie").to_owned();
    for part in ["picloud_split=", "; Path=/", "; Max-Age=2592000", "; HttpOnly", "; SameSite=Lax"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert_eq!((first.header("vary"), first.header("cache-control")), (Some("cookie"), Some("private")));
    let bucket: u16 = cookie.split([';', '=']).nth(1).expect("a bucket").parse().expect("a number");
    for _ in 0..20 {
        let again = visit(&shop, bucket).await;
        assert_eq!((again.json(), again.header("set-cookie"), again.header("cache-control")), (first.json(), None, None));
        assert_eq!(again.header("vary"), Some("cookie"));
    }
    let ten = SPLIT_BUCKETS / 10;
    let seen = async || [says(&shop, 0).await, says(&shop, ten - 1).await, says(&shop, ten).await, says(&shop, 2 * ten).await];
    assert_eq!(seen().await, ["one", "one", "two", "two"]);
    try_split(&app, 1, 20, true).await.expect(200);
    assert_eq!(seen().await, ["one", "one", "one", "two"], "those who were in it stay");
    assert_eq!(says(&shop, SPLIT_BUCKETS - 1).await, "two");
}

#[tokio::test]
async fn a_cookie_that_tells_no_bucket_is_replaced_and_scripts_see_none() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let tells = "#{ cookies: ctx.request.cookies, has: \"cookie\" in ctx.request.headers }";
    apply(&app, json!({ "page": page(tells) })).await;
    apply(&app, json!({ "page": page(&format!("{tells};{tells}")) })).await;
    try_split(&app, 1, 50, true).await.expect(200);
    let told = async |cookie: &str| shop.call("GET", "/", "", &[("cookie", cookie)]).await.expect(200);
    for bad in ["", "-1", "00", "01", "10000", "99999", "1.5", "x", "%31"] {
        let reply = told(&format!("picloud_split={bad}")).await;
        assert_eq!(reply.headers_named("set-cookie").len(), 1, "{bad}");
        assert_eq!(reply.json(), json!({ "cookies": {}, "has": false }), "{bad}");
    }
    for good in ["0", "4999", "5000", "9999"] {
        let reply = told(&format!("a=1; picloud_split={good}")).await;
        assert_eq!((reply.header("set-cookie"), reply.json()), (None, json!({ "cookies": { "a": "1" }, "has": true })));
    }
}

#[tokio::test]
async fn a_split_ends_when_it_is_ended_and_the_cookie_means_nothing_then() {
    let app = TestApp::start().await;
    let shop = two(&app).await;
    app.get("/admin/apps/shop/split").await.fails(404, "not_found");
    app.delete("/admin/apps/shop/split").await.fails(404, "not_found");
    try_split(&app, 1, 50, true).await.expect(200);
    let set = app.get("/admin/apps/shop/split").await.expect(200).json();
    assert_eq!((&set["deployment"], &set["percent"], &set["sticky"]), (&json!(1), &json!(50), &json!(true)));
    assert!(set["set_by"].is_string() && set["set_at"].is_string(), "{set}");
    assert_eq!(says(&shop, 0).await, "one");
    app.delete("/admin/apps/shop/split").await.expect(204);
    let after = visit(&shop, 0).await;
    assert_eq!((after.json(), after.header("vary"), after.header("set-cookie")), (json!("two"), None, None));
    assert!(shop.get("/").await.header("set-cookie").is_none());
    app.get("/admin/apps/shop/split").await.fails(404, "not_found");
    let log = app.get("/admin/apps/shop/audit").await.expect(200).json();
    let actions: Vec<_> = log["items"].as_array().expect("items").iter().map(|row| row["action"].clone()).collect();
    assert_eq!(actions[..2], [json!("split.end"), json!("split.set")]);
}

#[tokio::test]
async fn a_split_ends_when_its_deployment_is_what_runs_and_other_changes_leave_it() {
    let app = TestApp::start().await;
    let shop = two(&app).await;
    try_split(&app, 1, 50, true).await.expect(200);
    apply(&app, json!({ "page": page("\"three\"") })).await;
    assert_eq!((says(&shop, 0).await, says(&shop, 9_999).await), (json!("one"), json!("three")));
    app.get("/admin/apps/shop/split").await.expect(200);
    app.post("/admin/apps/shop/rollback", json!({ "to": 1 })).await.expect(200);
    app.get("/admin/apps/shop/split").await.fails(404, "not_found");
    let after = visit(&shop, 0).await;
    assert_eq!((after.json(), after.header("vary")), (json!("one"), None));
    // However it comes to run.
    try_split(&app, 2, 50, true).await.expect(200);
    apply(&app, json!({ "page": page("\"two\"") })).await;
    app.get("/admin/apps/shop/split").await.fails(404, "not_found");
}

#[tokio::test]
async fn a_deployment_that_is_in_a_split_is_kept() {
    let app = TestApp::start().await;
    let shop = two(&app).await;
    try_split(&app, 1, 50, true).await.expect(200);
    for n in 0..DEPLOYMENTS_PER_APP_MAX {
        app.patch("/admin/apps/shop/grants", json!({ "docs": [format!("d{n}")] })).await.expect(200);
    }
    app.get("/admin/apps/shop/deployments/2").await.fails(404, "not_found");
    app.get("/admin/apps/shop/deployments/1").await.expect(200);
    assert_eq!(says(&shop, 0).await, "one");
    app.delete("/admin/apps/shop/split").await.expect(204);
    app.patch("/admin/apps/shop/grants", json!({ "docs": ["last"] })).await.expect(200);
    app.get("/admin/apps/shop/deployments/1").await.fails(404, "not_found");
}

#[tokio::test]
async fn a_split_is_of_a_part_and_with_a_deployment_that_is_kept_and_does_not_run() {
    let app = TestApp::start().await;
    two(&app).await;
    for percent in [SPLIT_PERCENT_MIN, SPLIT_PERCENT_MAX] {
        try_split(&app, 1, percent.into(), false).await.expect(200);
    }
    for percent in [i64::from(SPLIT_PERCENT_MIN) - 1, i64::from(SPLIT_PERCENT_MAX) + 1] {
        assert_eq!(try_split(&app, 1, percent, false).await.fails(422, "invalid").details()["field"], "percent");
    }
    for percent in [-1, 256] {
        try_split(&app, 1, percent, false).await.fails(422, "invalid");
    }
    try_split(&app, 3, 10, false).await.fails(404, "not_found");
    assert_eq!(try_split(&app, 2, 10, false).await.fails(409, "conflict").details()["running"], 2);
    let set = app.get("/admin/apps/shop/split").await.expect(200).json();
    assert_eq!((&set["deployment"], &set["percent"]), (&json!(1), &json!(SPLIT_PERCENT_MAX)), "what is refused changes nothing");
}

#[tokio::test]
async fn a_split_takes_the_rights_that_its_scripts_and_routes_would_take() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    apply(&app, json!({ "page": page("\"one\"") })).await;
    apply(&app, json!({ "page": { "source": "\"two\"", "routes": [{ "path": "/" }, { "path": "/more" }] } })).await;
    app.patch("/admin/apps/shop/grants", json!({ "docs": ["x"] })).await.expect(200);
    people::add(&app, "ada", "member").await;
    let ada = people::login(&app, "ada").await;
    try_split(&ada, 1, 10, false).await.fails(404, "not_found");
    people::admit(&shop, "ada", "viewer").await;
    try_split(&ada, 1, 10, false).await.fails(403, "forbidden");
    ada.delete("/admin/apps/shop/split").await.fails(403, "forbidden");
    // Grants stay those of now, so an editor needs no right to change them.
    people::admit(&shop, "ada", "editor").await;
    try_split(&ada, 1, 10, false).await.expect(200);
    ada.delete("/admin/apps/shop/split").await.expect(204);
    let key = people::with_key(&app, &["script:write"]).await;
    assert_eq!(try_split(&key, 1, 10, false).await.fails(403, "forbidden").details(), json!({ "scope": "route:write" }));
    try_split(&key, 2, 10, false).await.expect(200);
}

#[tokio::test]
async fn routes_and_calls_are_those_of_the_deployment_that_answers_and_what_is_stored_is_for_what_runs() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let scripts = |word: &str, path: &str| {
        json!({
            "page": { "source": "invoke::call(\"inner\", ())", "routes": [{ "path": "/" }, { "path": path }] },
            "inner": { "source": format!("\"{word}\"") },
            "later": {
                "source": format!("kv::collection(\"seen\").set(\"by\", \"{word}\")"),
                "routes": [{ "path": "/later", "dispatch_mode": "async" }],
            },
        })
    };
    apply(&app, scripts("one", "/old")).await;
    apply(&app, scripts("two", "/new")).await;
    try_split(&app, 1, 50, true).await.expect(200);
    let at = async |path: &str, bucket: &str| shop.call("GET", path, "", &[("cookie", &format!("picloud_split={bucket}"))]).await;
    assert_eq!((at("/", "0").await.json(), at("/", "9999").await.json()), (json!("one"), json!("two")));
    assert_eq!((at("/old", "0").await.status, at("/old", "9999").await.status), (200, 404));
    assert_eq!((at("/new", "0").await.status, at("/new", "9999").await.status), (404, 200));
    at("/later", "0").await.expect(202);
    shop.settled().await;
    assert_eq!(app.get("/admin/apps/shop/kv/seen/by").await.expect(200).json()["value"], "two");
}

#[tokio::test]
async fn what_runs_answers_for_a_deployment_that_cannot_be_had() {
    let app = TestApp::start().await;
    let shop = two(&app).await;
    try_split(&app, 1, 99, true).await.expect(200);
    let mut db = app.database.connect().await;
    // The node was not told.
    sqlx::query("DELETE FROM deployments WHERE number = 1").execute(&mut db).await.expect("the database answers");
    for _ in 0..3 {
        let reply = visit(&shop, 0).await;
        assert_eq!((reply.json(), reply.header("picloud-deployment")), (json!("two"), None));
    }
}

#[tokio::test]
async fn every_node_splits_alike_and_opens_the_same_links() {
    let (scratches, database) = ([Scratch::new(), Scratch::new()], Database::create().await);
    let one = Server::serve(&scratches[0], &database, &[]).await;
    let other = Server::serve(&scratches[1], &database, &[]).await;
    let shop = two(&one.client).await;
    let there = people::asking(&shop, &other.client);
    let told = async |bucket: u16, word: &str| {
        eventually(&format!("the other node answers {word} to {bucket}"), Duration::from_secs(10), async || {
            let reply = there.call("GET", "/", "", &[("cookie", &format!("picloud_split={bucket}"))]).await;
            (reply.status == 200 && reply.json() == word).then_some(())
        })
        .await;
    };
    told(0, "two").await;
    try_split(&one.client, 1, 10, true).await.expect(200);
    told(0, "one").await;
    told(1_000, "two").await;
    try_split(&one.client, 1, 20, true).await.expect(200);
    told(1_000, "one").await;
    let made = one.client.post("/admin/apps/shop/deployments/1/preview", json!({})).await.expect(201).json();
    let token = made["url"].as_str().and_then(|url| url.split_once("picloud_preview=")).expect("a token").1;
    let cookie = format!("picloud_preview={token}");
    let seen = other.client.call("v1--shop.localhost", "GET", "/", "", &[("cookie", &cookie)]).await.expect(200);
    assert_eq!(seen.json(), "one");
    one.client.delete("/admin/apps/shop/split").await.expect(204);
    told(0, "two").await;
    one.stop();
    other.stop();
}
