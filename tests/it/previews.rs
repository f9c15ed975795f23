//! Previews: a deployment at a host name of its own, in the app as it is now, for those who may see it.

use std::net::SocketAddr;

use chrono::{TimeDelta, Utc};
use picloud::clock::Clock;
use picloud::limits::{
    DEPLOYMENTS_PER_APP_MAX, PREVIEW_LINK_S_DEFAULT, PREVIEW_LINK_S_MAX, PREVIEW_LINK_S_MIN, PREVIEW_TOKENS_TRIED_MAX,
    SNAPSHOTS_PER_APP_MAX,
};
use serde_json::{Value, json};

use crate::rights::people;
use crate::support::{Options, Reply, Tenant, TestApp};

async fn apply(shop: &Tenant, scripts: Value) -> Value {
    let body = json!({ "manifest": { "scripts": scripts } });
    shop.client.post(&format!("/admin/apps/{}/deployments", shop.slug), body).await.expect(200).json()
}

/// The deployment as a stranger asks for it, with these headers.
async fn ask(shop: &Tenant, number: i64, path: &str, headers: &[(&str, &str)]) -> Reply {
    shop.client.call(&format!("v{number}--{}.localhost", shop.slug), "GET", path, "", headers).await
}

/// The same as the owner does, with a token.
async fn preview(shop: &Tenant, number: i64, path: &str) -> Reply {
    ask(shop, number, path, &[("authorization", &format!("Bearer {}", shop.client.token))]).await
}

async fn try_link(shop: &Tenant, number: i64, body: Value) -> Reply {
    shop.client.post(&format!("/admin/apps/{}/deployments/{number}/preview", shop.slug), body).await
}

/// The token of a new link.
async fn link(shop: &Tenant, number: i64, body: Value) -> String {
    let made = try_link(shop, number, body).await.expect(201).json();
    let url = made["url"].as_str().expect("a URL");
    let begins = format!("http://v{number}--{}.localhost/?picloud_preview=", shop.slug);
    url.strip_prefix(&begins).unwrap_or_else(|| panic!("{url} begins with {begins}")).to_owned()
}

/// The deployment as a browser asks for it that has opened a link with this token.
async fn with_link(shop: &Tenant, number: i64, token: &str) -> Reply {
    ask(shop, number, "/hello", &[("cookie", &format!("picloud_preview={token}"))]).await
}

fn page(source: &str) -> Value {
    json!({ "source": source, "routes": [{ "path": "/hello" }] })
}

/// Deployment 1, which says "one", and 2, which runs and says "two".
async fn two(app: &TestApp, slug: &str) -> Tenant {
    let shop = app.create_app(slug).await;
    for word in ["one", "two"] {
        apply(&shop, json!({ "hello": page(&format!("\"{word}\"")) })).await;
    }
    shop
}

#[tokio::test]
async fn an_old_deployment_answers_with_its_own_code_modules_routes_and_limits_while_the_new_one_runs() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let hello = |path: &str, host: Value| {
        json!({
            "source": "import \"words\" as w; w::hello()",
            "routes": [{ "path": path }, { "path": "/where", "host": host }, { "path": "/users/:id" }],
        })
    };
    let words = |word: &str| json!({ "kind": "module", "source": format!("fn hello() {{ \"{word}\" }}") });
    let works = |fuel: u64| json!({ "source": "let n = 0; for i in 0..40_000 { n += i; } n", "limits": { "fuel": fuel }, "routes": [{ "path": "/work", "method": "GET" }] });
    let old = json!({ "hello": hello("/old", json!("api.shop.localhost")), "words": words("one"), "works": works(1_000_000) });
    apply(&shop, old).await;
    let new = json!({ "hello": hello("/new", json!(null)), "words": words("two"), "works": works(500_000_000) });
    apply(&shop, new).await;
    assert_eq!(shop.get("/new").await.expect(200).json(), "two");
    let old = preview(&shop, 1, "/old").await.expect(200);
    assert_eq!((old.json(), old.header("picloud-deployment")), (json!("one"), Some("1")));
    assert_eq!((old.header("x-robots-tag"), old.header("cache-control")), (Some("noindex"), Some("private, no-store")));
    preview(&shop, 1, "/new").await.fails(404, "not_found");
    assert_eq!(preview(&shop, 2, "/new").await.expect(200).json(), "two", "what runs has a preview, too");
    preview(&shop, 2, "/old").await.fails(404, "not_found");
    assert_eq!(preview(&shop, 1, "/users/7").await.expect(200).json(), "one");
    // A host route is for the app's own name; the preview's stands for it.
    preview(&shop, 1, "/where").await.fails(404, "not_found");
    let token = format!("Bearer {}", app.token);
    let below = app.call("api.v1--shop.localhost", "GET", "/where", "", &[("authorization", &token)]).await.expect(200);
    assert_eq!(below.json(), "one");
    assert_eq!(preview(&shop, 1, "/work").await.status, 507);
    shop.get("/work").await.expect(200);
    let wrong = app.call("v1--shop.localhost", "POST", "/work", "", &[("authorization", &token)]).await;
    assert_eq!(wrong.fails(405, "method_not_allowed").header("allow"), Some("GET, HEAD, OPTIONS"));
}

#[tokio::test]
async fn a_script_that_was_deleted_since_still_answers_in_its_preview() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let hello = json!({ "source": "import \"words\" as w; w::hello()", "routes": [{ "path": "/hello" }] });
    let words = json!({ "kind": "module", "source": "fn hello() { \"one\" }" });
    apply(&shop, json!({ "hello": hello, "words": words })).await;
    apply(&shop, json!({})).await;
    shop.get("/hello").await.fails(404, "not_found");
    assert_eq!(preview(&shop, 1, "/hello").await.expect(200).json(), "one");
    // Another one of its name is another one.
    apply(&shop, json!({ "hello": page("\"three\"") })).await;
    assert_eq!(preview(&shop, 1, "/hello").await.expect(200).json(), "one");
    assert_eq!(shop.get("/hello").await.expect(200).json(), "three");
}

#[tokio::test]
async fn a_deployment_that_was_only_stored_can_be_seen_before_it_runs() {
    let app = TestApp::start().await;
    let shop = two(&app, "shop").await;
    let next = json!({ "hello": page("invoke::call(\"later\", ())"), "later": { "source": "\"three\"" } });
    let body = json!({ "manifest": { "scripts": next }, "activate": false });
    let stored = app.post("/admin/apps/shop/deployments", body).await.expect(200).json()["stored"].as_i64().expect("a number");
    assert_eq!(preview(&shop, stored, "/hello").await.expect(200).json(), "three");
    assert_eq!(shop.get("/hello").await.expect(200).json(), "two");
    app.post(&format!("/admin/apps/shop/deployments/{stored}/activate"), json!({})).await.expect(200);
    assert_eq!(shop.get("/hello").await.expect(200).json(), "three");
}

#[tokio::test]
async fn scripts_of_a_preview_call_each_other_and_what_they_start_runs_what_is_active() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let scripts = |word: &str| {
        json!({
            "hello": page("invoke::start(\"marks\", ()); invoke::call(\"middle\", ())"),
            "middle": { "source": "invoke::call(\"inner\", ())" },
            "inner": { "source": format!("\"{word}\"") },
            "marks": { "source": format!("kv::collection(\"seen\").set(\"by\", \"{word}\")") },
        })
    };
    apply(&shop, scripts("one")).await;
    apply(&shop, scripts("two")).await;
    assert_eq!(preview(&shop, 1, "/hello").await.expect(200).json(), "one");
    shop.settled().await;
    assert_eq!(app.get("/admin/apps/shop/kv/seen/by").await.expect(200).json()["value"], "two");
    apply(&shop, json!({ "marks": { "source": "1" } })).await;
    assert_eq!(preview(&shop, 1, "/hello").await.expect(200).json(), "one", "those that are gone, too");
    // And what runs never meets those of a preview.
    apply(&shop, json!({ "hello": page("let c = \"called\"; try { invoke::call(\"inner\", ()) } catch (e) { c = e.code; } c") }))
        .await;
    assert_eq!(shop.get("/hello").await.expect(200).json(), "not_found");
}

#[tokio::test]
async fn a_preview_acts_on_the_apps_data_under_the_grants_of_now() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let reads = r#"let c = "denied?"; try { c = kv::collection("a").get("b"); } catch (e) { c = e.code; } c"#;
    apply(&shop, json!({ "hello": page(reads) })).await;
    apply(&shop, json!({ "hello": page("2") })).await;
    app.put("/admin/apps/shop/kv/a/b", json!({ "value": "live" })).await.expect(201);
    assert_eq!(preview(&shop, 1, "/hello").await.expect(200).json(), "live");
    app.patch("/admin/apps/shop/grants", json!({ "kv": [] })).await.expect(200);
    assert_eq!(preview(&shop, 1, "/hello").await.expect(200).json(), "denied");
}

#[tokio::test]
async fn nobody_sees_a_preview_without_a_right() {
    let app = TestApp::start().await;
    let (shop, _) = (two(&app, "shop").await, two(&app, "other").await);
    let refused = ask(&shop, 1, "/hello", &[]).await.fails(401, "unauthenticated");
    assert!(refused.message().contains("/api/v1/admin/apps/shop/deployments/1/preview"), "{}", refused.message());
    assert_eq!(refused.header("www-authenticate"), Some("Bearer realm=\"picloud\""));
    assert_eq!((refused.header("x-robots-tag"), refused.header("picloud-deployment")), (Some("noindex"), None));
    // Whether there is such a deployment is told to those only who may see it.
    ask(&shop, 99, "/hello", &[]).await.fails(401, "unauthenticated");
    preview(&shop, 99, "/hello").await.fails(404, "not_found");
    for host in ["v1--nothing.localhost", "v0--shop.localhost", "v01--shop.localhost", "v1-shop.localhost"] {
        app.call(host, "GET", "/hello", "", &[]).await.fails(404, "not_found");
    }
    people::add(&app, "ada", "member").await;
    let ada = people::login(&app, "ada").await;
    let asks = async |token: &str| ask(&shop, 1, "/hello", &[("authorization", &format!("Bearer {token}"))]).await;
    asks(&ada.token).await.fails(401, "unauthenticated");
    asks("pics_0").await.fails(401, "unauthenticated");
    people::admit(&shop, "ada", "viewer").await;
    assert_eq!(asks(&ada.token).await.expect(200).json(), "one");
    // Who may look may not hand it on.
    ada.post("/admin/apps/shop/deployments/1/preview", json!({})).await.fails(403, "forbidden");
    let keys = [people::with_key(&app, &["log:read"]).await, people::with_key(&app, &["script:read"]).await];
    asks(&keys[0].token).await.expect(200);
    asks(&keys[1].token).await.fails(401, "unauthenticated");
}

#[tokio::test]
async fn a_browser_that_opens_a_link_sees_the_deployment_and_scripts_do_not_see_the_link() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let tells = "let r = ctx.request; #{ headers: r.headers.keys(), cookies: r.cookies, query: r.query }";
    apply(&shop, json!({ "hello": page(tells) })).await;
    apply(&shop, json!({ "hello": page("\"two\"") })).await;
    let token = link(&shop, 1, json!({})).await;
    let address: SocketAddr = app.data.strip_prefix("http://").expect("a URL").parse().expect("an address");
    let mut browser = reqwest::Client::builder().no_proxy().cookie_store(true);
    for host in ["v1--shop.localhost", "v2--shop.localhost", "api.v1--shop.localhost"] {
        browser = browser.resolve(host, address);
    }
    let browser = browser.build().expect("a browser");
    let at = |host: &str, target: &str| format!("http://{host}.localhost:{}{target}", address.port());
    let open = async |url: String| browser.get(url).send().await.expect("an answer");
    let opened = open(at("v1--shop", &format!("/hello?a=1&picloud_preview={token}&b=2"))).await;
    assert_eq!((opened.status().as_u16(), opened.url().query()), (200, Some("a=1&b=2")), "it was sent on");
    let told: Value = opened.json().await.expect("JSON");
    assert_eq!((&told["cookies"], &told["query"]), (&json!({}), &json!({ "a": "1", "b": "2" })));
    assert!(!told["headers"].as_array().expect("names").contains(&json!("cookie")), "{told}");
    assert_eq!(open(at("v1--shop", "/hello")).await.status().as_u16(), 200, "and comes back");
    assert_eq!(open(at("v2--shop", "/hello")).await.status().as_u16(), 401, "the cookie is of that host alone");
    assert_eq!(open(at("api.v1--shop", "/hello")).await.status().as_u16(), 401);
    assert_eq!(open(at("api.v1--shop", &format!("/hello?picloud_preview={token}"))).await.status().as_u16(), 200);
    let sent_on = ask(&shop, 1, &format!("/hello?picloud_preview={token}"), &[("x-forwarded-proto", "https")]).await.expect(302);
    let cookie = sent_on.header("set-cookie").expect("a cookie").to_owned();
    for part in ["picloud_preview=", "; Path=/", "; HttpOnly", "; SameSite=Lax", "; Secure"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.to_ascii_lowercase().contains("domain"), "{cookie}");
    assert_eq!(
        (sent_on.header("cache-control"), sent_on.header("location")),
        (Some("no-store"), Some("//v1--shop.localhost/hello"))
    );
    // A link is opened, and nothing else is done by it.
    let posted = app.call("v1--shop.localhost", "POST", &format!("/hello?picloud_preview={token}"), "", &[]).await;
    posted.fails(401, "unauthenticated");
}

#[tokio::test]
async fn a_link_opens_its_own_deployment_until_its_time_and_nothing_else() {
    let start = Utc::now();
    let app = TestApp::start_with(Options { clock: Clock::manual(start), ..Options::default() }).await;
    let (shop, other) = (two(&app, "shop").await, two(&app, "other").await);
    let made = try_link(&shop, 1, json!({ "expires_in_s": PREVIEW_LINK_S_MIN })).await.expect(201).json();
    let expires_at: chrono::DateTime<Utc> = made["expires_at"].as_str().expect("a time").parse().expect("a time");
    assert_eq!(expires_at.timestamp(), start.timestamp() + PREVIEW_LINK_S_MIN);
    let token = link(&shop, 1, json!({ "expires_in_s": PREVIEW_LINK_S_MIN })).await;
    let week = link(&shop, 1, json!({})).await;
    assert_eq!(with_link(&shop, 1, &token).await.expect(200).json(), "one");
    with_link(&shop, 2, &token).await.fails(401, "unauthenticated");
    with_link(&other, 1, &token).await.fails(401, "unauthenticated");
    let (until, seal) = token.split_once('.').expect("two parts");
    let later = until.parse::<i64>().expect("a time") + 1;
    let first = if seal.starts_with('A') { "B" } else { "A" };
    let altered = [
        format!("{later}.{seal}"),
        format!("{until}.{first}{}", &seal[1..]),
        format!("{until}.{}", &seal[..seal.len() - 1]),
        format!("{until}."),
        until.to_owned(),
        String::new(),
        "x".repeat(4_000),
    ];
    for altered in &altered {
        with_link(&shop, 1, altered).await.fails(401, "unauthenticated");
        ask(&shop, 1, &format!("/hello?picloud_preview={altered}"), &[]).await.fails(401, "unauthenticated");
    }
    // A good one counts beside others, as far as they are tried.
    let beside = |others: usize| vec!["picloud_preview=x"; others].join("; ") + &format!("; picloud_preview={token}");
    ask(&shop, 1, "/hello", &[("cookie", &beside(PREVIEW_TOKENS_TRIED_MAX - 1))]).await.expect(200);
    ask(&shop, 1, "/hello", &[("cookie", &beside(PREVIEW_TOKENS_TRIED_MAX))]).await.fails(401, "unauthenticated");
    app.advance(TimeDelta::seconds(PREVIEW_LINK_S_MIN));
    let over = with_link(&shop, 1, &token).await.fails(401, "unauthenticated");
    assert!(over.message().contains("this preview link"), "{}", over.message());
    with_link(&shop, 1, &week).await.expect(200);
    app.advance(TimeDelta::seconds(PREVIEW_LINK_S_DEFAULT));
    with_link(&shop, 1, &week).await.fails(401, "unauthenticated");
}

#[tokio::test]
async fn a_link_is_made_for_a_deployment_that_is_kept_and_for_a_bounded_time() {
    let app = TestApp::start().await;
    let shop = two(&app, "shop").await;
    for good in [json!({}), json!({ "expires_in_s": PREVIEW_LINK_S_MIN }), json!({ "expires_in_s": PREVIEW_LINK_S_MAX })] {
        try_link(&shop, 1, good).await.expect(201);
    }
    for bad in [PREVIEW_LINK_S_MIN - 1, PREVIEW_LINK_S_MAX + 1, 0, -1] {
        let refused = try_link(&shop, 1, json!({ "expires_in_s": bad })).await.fails(422, "invalid");
        assert_eq!(refused.details()["field"], "expires_in_s");
    }
    for number in [0, 3, -1] {
        try_link(&shop, number, json!({})).await.fails(404, "not_found");
    }
    let log = app.get("/admin/apps/shop/audit").await.expect(200).json();
    let row = &log["items"][0];
    assert_eq!((&row["action"], &row["target"], &row["after"]["deployment"]), (&json!("preview.link"), &json!("1"), &json!(1)));
    // What a slug is too long for is said, and the longest has one.
    let long = app.create_app(&"a".repeat(59)).await;
    apply(&long, json!({ "hello": page("1") })).await;
    try_link(&long, 1, json!({})).await.expect(201);
    let longer = app.create_app(&"b".repeat(60)).await;
    apply(&longer, json!({ "hello": page("1") })).await;
    try_link(&longer, 1, json!({})).await.fails(409, "conflict");
}

#[tokio::test]
async fn what_nobody_waits_for_and_mail_have_no_preview() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let later = json!({ "source": "1", "routes": [{ "path": "/later", "dispatch_mode": "async" }] });
    apply(&shop, json!({ "later": later })).await;
    apply(&shop, json!({})).await;
    let refused = preview(&shop, 1, "/later").await.fails(409, "conflict");
    assert!(refused.message().contains("active"), "{}", refused.message());
    let mail = "/.well-known/picloud/email/01990a6e-7777-7a10-8f3c-5e2d1c0b9a88";
    app.call("v1--shop.localhost", "POST", mail, "{}", &[]).await.fails(404, "not_found");
}

#[tokio::test]
async fn a_slug_never_reads_as_a_preview() {
    let app = TestApp::start().await;
    app.create_app("shop").await;
    for slug in ["v7--x", "v0--x", "v007--shop"] {
        app.post("/admin/apps", json!({ "slug": slug, "name": "x" })).await.fails(422, "invalid");
        app.patch("/admin/apps/shop", json!({ "slug": slug })).await.fails(422, "invalid");
    }
    for slug in ["v7-x", "vx--7", "v7"] {
        app.post("/admin/apps", json!({ "slug": slug, "name": "x" })).await.expect(201);
    }
}

#[tokio::test]
async fn a_deployment_that_is_not_kept_any_more_has_no_preview_though_it_had_one() {
    let app = TestApp::start().await;
    let shop = two(&app, "shop").await;
    preview(&shop, 1, "/hello").await.expect(200);
    for n in 0..DEPLOYMENTS_PER_APP_MAX {
        app.patch("/admin/apps/shop/grants", json!({ "docs": [format!("d{n}")] })).await.expect(200);
    }
    preview(&shop, 1, "/hello").await.fails(404, "not_found");
    assert_eq!(preview(&shop, 3, "/hello").await.expect(200).json(), "two");
}

#[tokio::test]
async fn more_deployments_than_are_held_ready_answer_all_the_same() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let most = SNAPSHOTS_PER_APP_MAX as i64 + 2;
    for n in 1..=most {
        apply(&shop, json!({ "hello": page(&n.to_string()) })).await;
    }
    for _ in 0..2 {
        for n in 1..=most {
            assert_eq!(preview(&shop, n, "/hello").await.expect(200).json(), json!(n));
        }
    }
}

#[tokio::test]
async fn a_preview_follows_what_changes_in_its_app() {
    let app = TestApp::start().await;
    let shop = two(&app, "shop").await;
    preview(&shop, 1, "/hello").await.expect(200);
    app.patch("/admin/apps/shop", json!({ "cors_origins": ["https://page.example"] })).await.expect(200);
    let token = format!("Bearer {}", app.token);
    let headers = [("authorization", token.as_str()), ("origin", "https://page.example")];
    let told = ask(&shop, 1, "/hello", &headers).await.expect(200);
    assert_eq!(told.header("access-control-allow-origin"), Some("https://page.example"));
    app.patch("/admin/apps/shop", json!({ "slug": "store" })).await.expect(200);
    let moved = app.call("v1--store.localhost", "GET", "/hello", "", &headers).await.expect(200);
    assert_eq!(moved.json(), "one");
}

#[tokio::test]
async fn what_a_preview_does_is_recorded_as_its_scripts() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    apply(&shop, json!({ "hello": page("print(\"from one\"); throw \"no\"") })).await;
    apply(&shop, json!({ "hello": page("2") })).await;
    let failed = preview(&shop, 1, "/hello").await.fails(422, "script_error");
    assert_eq!(failed.details()["line"], 1, "who shows a token may read the log, and is told");
    let record = shop.record(&failed).await;
    assert_eq!((&record["version"], &record["outcome"]), (&json!(1), &json!("script_failed")), "{record}");
    let token = link(&shop, 1, json!({})).await;
    let failed = with_link(&shop, 1, &token).await.fails(422, "script_error");
    assert!(failed.details().is_null(), "a link shows what strangers see");
}
