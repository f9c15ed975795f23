//! What a browser can be made to send, and what a session is bound to.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use picloud::api::Config;
use picloud::invoke::Invoker;
use picloud::model::access::Rule;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use tokio::net::TcpListener;

use super::{LOGIN, token, try_login};
use crate::api_keys::tables_holding;
use crate::rights::people;
use crate::rights::table::SCOPES;
use crate::rights::world::World;
use crate::support::app::sandbox;
use crate::support::client::{PASSWORD, USERNAME, send};
use crate::support::{Client, Reply, TestApp};

/// What a page of another site can send without being asked.
const OF_FORMS: [&str; 3] = ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x"];

/// Another control plane of the node, reached from outside as it is told.
async fn plane(app: &TestApp, public_base_url: &str) -> Client {
    let invoker =
        Arc::new(Invoker::new(app.services.clone(), Arc::new(sandbox(2, app.clock.clone()).await)).expect("an invoker"));
    let config = Config { public_base_url: Some(public_base_url.to_owned()), ..Config::default() };
    let router = picloud::api::router(app.services.clone(), invoker, config);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>()).await });
    Client { admin: format!("http://{address}"), ..app.client.clone() }
}

/// A request with a `Cookie` header, and others.
async fn with_cookie(on: &Client, method: Method, path: &str, cookie: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    let mut request = on.http.request(method, format!("{}{path}", on.admin)).header("cookie", cookie).body(body.to_owned());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(request).await
}

async fn me_by_cookie(on: &Client, cookie: &str) -> Reply {
    with_cookie(on, Method::GET, "/api/v1/admin/auth/me", cookie, &[], "").await
}

/// What the database holds, table by table.
async fn state(app: &TestApp) -> BTreeMap<String, String> {
    let mut db = app.database.connect().await;
    let tables: Vec<String> = sqlx::query_scalar("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'")
        .fetch_all(&mut db)
        .await
        .expect("tables");
    let mut state = BTreeMap::new();
    for table in tables {
        let digest = format!("SELECT coalesce(md5(string_agg(t::text, ' ' ORDER BY t::text)), '') FROM {table} AS t");
        let digest: String = sqlx::query_scalar(AssertSqlSafe(digest)).fetch_one(&mut db).await.expect("a digest");
        state.insert(table, digest);
    }
    state
}

#[tokio::test]
async fn cross_site_requests_change_nothing() {
    let world = World::start().await;
    let app = &world.app;
    let cookie = format!("picloud_session={}", app.token);
    let (own, tenant) = (app.admin.as_str(), app.data.replace("127.0.0.1", "shop.localhost"));
    let foreign: [&[(&str, &str)]; 9] = [
        &[],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[("origin", tenant.as_str())],
        &[("origin", app.data.as_str())],
        &[("referer", own)],
        &[("origin", own), ("sec-fetch-site", "cross-site")],
        &[("origin", own), ("sec-fetch-site", "same-site")],
        &[("origin", own), ("sec-fetch-site", "none")],
    ];
    let content_types = [OF_FORMS.as_slice(), &["application/json"]].concat();
    let before = state(app).await;
    let mut asked = 0;
    for (method, template, rule) in picloud::api::endpoints() {
        if method.is_safe() || rule == Rule::Public {
            continue;
        }
        for (n, headers) in foreign.into_iter().enumerate() {
            let headers = [headers, &[("content-type", content_types[n % content_types.len()])]].concat();
            let reply = with_cookie(app, method.clone(), &world.path(template), &cookie, &headers, "{}").await;
            assert_eq!(reply.status, 403, "{method} {template} {headers:?}: {}", reply.shown());
            reply.fails(403, "cross_origin");
            asked += 1;
        }
    }
    assert!(asked > 300, "{asked}");
    assert_eq!(state(app).await, before);

    // What would do something, in every disguise.
    let (path, new) = ("/api/v1/admin/apps", r#"{"slug":"planted","name":"x"}"#);
    for headers in foreign {
        for content_type in content_types.iter().copied() {
            let headers = [headers, &[("content-type", content_type)]].concat();
            with_cookie(app, Method::POST, path, &cookie, &headers, new).await.fails(403, "cross_origin");
        }
    }
    for content_type in OF_FORMS {
        let headers = [("origin", own), ("content-type", content_type)];
        with_cookie(app, Method::POST, path, &cookie, &headers, new).await.fails(415, "unsupported_media_type");
    }
    assert_eq!(state(app).await, before);
    // The dashboard's own page may.
    let headers = [("sec-fetch-site", "same-origin"), ("content-type", "application/json")];
    with_cookie(app, Method::POST, path, &cookie, &headers, new).await.expect(201);
}

#[tokio::test]
async fn reading_changes_nothing_whoever_has_the_browser_read() {
    let world = World::start().await;
    let app = &world.app;
    let cookie = format!("picloud_session={}", app.token);
    let headers = [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")];
    let before = state(app).await;
    let mut asked = 0;
    for (method, template, _) in picloud::api::endpoints() {
        // An export is noted in the audit log; see below.
        if method != Method::GET || template.ends_with("/export") {
            continue;
        }
        let reply = with_cookie(app, method.clone(), &world.path(template), &cookie, &headers, "").await;
        // No app of this world is split; a question about certificates has to name a host.
        let expected = match template {
            "/api/v1/tls/ask" => 422,
            split if split.ends_with("/split") => 404,
            _ => 200,
        };
        assert_eq!(reply.status, expected, "{template}: {}", reply.shown());
        assert!(!reply.headers.keys().any(|name| name.as_str().starts_with("access-control-")), "{template}: {reply:?}");
        asked += 1;
    }
    assert!(asked > 30, "{asked}");
    assert_eq!(state(app).await, before);
    let export = world.path("/api/v1/admin/apps/{app}/export");
    with_cookie(app, Method::GET, &export, &cookie, &headers, "").await.expect(200);
    let mut after = state(app).await;
    for table in ["audit_log", "audit_head"] {
        after.insert(table.to_owned(), before[table].clone());
    }
    assert_eq!(after, before);
}

/// Nobody is logged in as somebody else from another site either.
#[tokio::test]
async fn a_login_is_not_sent_from_another_site() {
    let app = TestApp::start().await;
    let body = json!({ "username": USERNAME, "password": PASSWORD }).to_string();
    for content_type in OF_FORMS {
        let request = app.request(Method::POST, LOGIN).header("content-type", content_type).body(body.clone());
        let refused = send(request).await.fails(415, "unsupported_media_type");
        assert_eq!(refused.header("set-cookie"), None);
    }
    // JSON takes a preflight, and that allows nothing.
    let preflight = app
        .request(Method::OPTIONS, LOGIN)
        .header("origin", "https://evil.example")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type");
    let reply = send(preflight).await;
    assert!(!reply.headers.keys().any(|name| name.as_str().starts_with("access-control-")), "{reply:?}");
}

#[tokio::test]
async fn a_planted_session_is_never_taken_over() {
    let app = TestApp::start().await;
    people::add(&app, "eve", "member").await;
    let eve = people::login(&app, "eve").await;
    let credentials = json!({ "username": USERNAME, "password": PASSWORD });
    let made_up = format!("pics_{}", "ab".repeat(32));
    for planted in [&made_up, &eve.token] {
        // As a cookie and as a bearer, from before the login.
        let login = app.request(Method::POST, LOGIN).bearer_auth(planted).header("cookie", format!("picloud_session={planted}"));
        let login = send(login.json(&credentials)).await.expect(200);
        assert_ne!(token(&login), *planted);
        assert!(login.header("set-cookie").expect("a cookie").starts_with(&format!("picloud_session={};", token(&login))));
        people::holding(&app, &token(&login)).get("/admin/auth/me").await.expect(200);
    }
    people::holding(&app, &made_up).get("/admin/auth/me").await.fails(401, "unauthenticated");
    me_by_cookie(&app, &format!("picloud_session={made_up}")).await.fails(401, "unauthenticated");
    assert_eq!(eve.get("/admin/auth/me").await.expect(200).json()["username"], "eve", "hers is still hers");

    // Each login is another one, and one that was ended stays so.
    let (one, two) =
        (try_login(&app, USERNAME, PASSWORD).await.expect(200), try_login(&app, USERNAME, PASSWORD).await.expect(200));
    assert_ne!(token(&one), token(&two));
    people::holding(&app, &token(&one)).post("/admin/auth/logout", json!({})).await.expect(204);
    try_login(&app, USERNAME, PASSWORD).await.expect(200);
    people::holding(&app, &token(&one)).get("/admin/auth/me").await.fails(401, "unauthenticated");
    // Whoever has the database has no token.
    assert_eq!(tables_holding(&app, &token(&two)).await, Vec::<String>::new());

    // A tenant's page sets no cookie of that name, for whatever host.
    let shop = app.create_app("shop").await;
    let cookies =
        ["picloud_session", "__Host-picloud_session", "__Secure-picloud_session"].map(|name| format!(r#""{name}=x; Path=/""#));
    shop.deploy("/set", &format!(r#"#{{ statusCode: 200, headers: #{{ "set-cookie": [{}] }} }}"#, cookies.join(", "))).await;
    assert_eq!(shop.get("/set").await.expect(200).headers_named("set-cookie"), Vec::<&str>::new());
}

#[tokio::test]
async fn over_https_a_session_is_bound_to_its_host() {
    let app = TestApp::start().await;
    let secure = plane(&app, "https://cloud.example/").await;
    let login = try_login(&secure, USERNAME, PASSWORD).await.expect(200);
    let own = token(&login);
    let set = format!("__Host-picloud_session={own}; Path=/; HttpOnly; SameSite=Strict; Secure");
    assert_eq!(login.headers_named("set-cookie"), [set.as_str()]);
    // What a neighbour under the same domain may set is another name, and does not count; beside the own one neither.
    me_by_cookie(&secure, &format!("picloud_session={own}")).await.fails(401, "unauthenticated");
    me_by_cookie(&secure, &format!("__Host-picloud_session={own}")).await.expect(200);
    people::add(&app, "eve", "member").await;
    let planted = people::login(&app, "eve").await.token;
    let both = format!("picloud_session={planted}; __Host-picloud_session={own}; picloud_session={planted}");
    assert_eq!(me_by_cookie(&secure, &both).await.expect(200).json()["username"], USERNAME);
    // Written is from the public origin.
    let write = async |origin: &str| {
        let (cookie, headers) =
            (format!("__Host-picloud_session={own}"), [("origin", origin), ("content-type", "application/json")]);
        with_cookie(&secure, Method::PATCH, "/api/v1/admin/apps/nobody", &cookie, &headers, "{}").await
    };
    for origin in
        ["http://cloud.example", "https://cloud.example.evil.example", "https://evil.example", "https://cloud.example:8443"]
    {
        write(origin).await.fails(403, "cross_origin");
    }
    for origin in ["https://cloud.example", "https://cloud.example:443", "https://CLOUD.example"] {
        write(origin).await.fails(404, "not_found");
    }
    let out = people::holding(&secure, &own).post("/admin/auth/logout", json!({})).await.expect(204);
    let ended = "__Host-picloud_session=; Path=/; HttpOnly; SameSite=Strict; Secure; Max-Age=0";
    assert_eq!(out.headers_named("set-cookie"), [ended]);
    me_by_cookie(&secure, &format!("__Host-picloud_session={own}")).await.fails(401, "unauthenticated");
}

#[tokio::test]
async fn credentials_of_the_platform_never_reach_a_script() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let script = shop.deploy("/seen", "#{ headers: ctx.request.headers, cookies: ctx.request.cookies }").await;
    let key = people::with_key(&app, &SCOPES).await.token;
    for token in [&app.token, &key] {
        let cookie = format!("a=1; picloud_session={token}; __Host-picloud_session={token}; __HOST-PICLOUD_SESSION={token}; b=2");
        for scheme in ["Bearer", "bearer", "Token"] {
            let authorization = format!("{scheme} {token}");
            let headers = [("cookie", cookie.as_str()), ("authorization", authorization.as_str())];
            let seen = shop.call("GET", "/seen", "", &headers).await.expect(200);
            assert!(!seen.text().contains(token.as_str()), "{scheme}: {}", seen.text());
            assert_eq!(seen.json()["cookies"], json!({ "a": "1", "b": "2" }));
            assert_eq!(seen.json()["headers"]["authorization"], Value::Null);
        }
        let request = app.request(Method::POST, &format!("/execute/{}", script.id)).bearer_auth(token).header("cookie", &cookie);
        let seen = send(request).await.expect(200);
        assert!(!seen.text().contains(token.as_str()), "{}", seen.text());
        assert_eq!(seen.json()["cookies"], json!({ "a": "1", "b": "2" }));
    }
    // What is the tenant's own passes.
    let seen = shop.call("GET", "/seen", "", &[("authorization", "Bearer of the shop")]).await.expect(200);
    assert_eq!(seen.json()["headers"]["authorization"], "Bearer of the shop");
}
