//! What strangers and tenants try on both planes, each by the name of the try.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::client::{PASSWORD, USERNAME, send};
use crate::support::{TestApp, raw};

#[tokio::test]
async fn versions_are_read_newest_first_and_one_by_one() {
    let app = TestApp::start().await;
    let script = app.create_app("shop").await.upload("s", "1").await;
    let path = format!("/admin/scripts/{}", script.id);
    for source in ["2", "3"] {
        app.put(&path, json!({ "source": source })).await.expect(200);
    }
    let numbers = |page: &Value| {
        page["items"].as_array().expect("items").iter().map(|v| v["version"].as_i64().expect("a number")).collect::<Vec<_>>()
    };
    let first = app.get(&format!("{path}/versions?limit=2")).await.expect(200).json();
    assert_eq!(numbers(&first), [3, 2]);
    assert!(first["items"][0].get("source").is_none(), "a list holds no sources: {first}");
    let cursor = first["cursor"].as_str().expect("more follow");
    let last = app.get(&format!("{path}/versions?limit=2&cursor={cursor}")).await.expect(200).json();
    assert_eq!((numbers(&last), &last["cursor"]), (vec![1], &Value::Null));
    let one = app.get(&format!("{path}/versions/2")).await.expect(200).json();
    assert_eq!((&one["version"], &one["source"], &one["script_id"]), (&json!(2), &json!("2"), &json!(script.id)));

    for gone in ["4", "0", "-1", "99999999999", "x", "%00"] {
        app.get(&format!("{path}/versions/{gone}")).await.fails(404, "not_found");
    }
    app.get("/admin/scripts/0190aaaa-bbbb-7ccc-8ddd-eeeeffff0000/versions").await.fails(404, "not_found");
    for foreign in ["ffffffff", "%2B0000001", "-0000001", "", "0190aaaabbbb7ccc8dddeeeeffff0000"] {
        app.get(&format!("{path}/versions?cursor={foreign}")).await.fails(422, "invalid");
    }
}

#[tokio::test]
async fn one_tag_lets_one_of_several_writers_through_even_for_the_description_alone() {
    let app = TestApp::start().await;
    let script = app.create_app("shop").await.upload("s", "1").await;
    let path = format!("/admin/scripts/{}", script.id);
    let tag = app.get(&path).await.header("etag").expect("an ETag").to_owned();
    let writes = (0..4).map(|n| {
        let change = json!({ "source": "1", "description": format!("by {n}") });
        send(app.request(Method::PUT, &path).bearer_auth(&app.token).header("if-match", &tag).json(&change))
    });
    let mut statuses: Vec<_> = futures_util::future::join_all(writes).await.iter().map(|reply| reply.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412, 412, 412]);
}

#[tokio::test]
async fn an_error_never_sends_a_large_body_back() {
    let app = TestApp::start().await;
    let many: serde_json::Map<_, _> = (0..50_000).map(|n| (format!("field-{n}"), json!(1))).collect();
    let long = "k".repeat(1 << 20);
    for body in [
        json!(many),
        json!({ "app_id": "a", "name": "n", "source": "1", "kind": long }),
        json!({ "app_id": long, "name": "n", "source": "1" }),
    ] {
        let refused = app.post("/admin/scripts", body).await.fails(422, "invalid");
        assert!(refused.body.len() < 8 << 10, "{} bytes: {}", refused.body.len(), refused.shown());
    }
}

#[tokio::test]
async fn names_that_steer_their_reader_are_refused() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    for name in ["\u{1b}[2J", "a\u{202e}b", "\u{200b}", "a\u{2066}", "a\nb", "\0"] {
        app.patch("/admin/apps/shop", json!({ "name": name })).await.fails(422, "invalid");
    }
    for description in ["\u{1b}]0;x\u{7}", "a\u{202e}b", "\0"] {
        shop.try_upload("s", "1", json!({ "description": description })).await.fails(422, "invalid");
    }
    app.patch("/admin/apps/shop", json!({ "name": "متجر 👨‍👩‍👧" })).await.expect(200);
    shop.try_upload("s", "1", json!({ "description": "two\n\tlines" })).await.expect(201);
}

#[tokio::test]
async fn a_request_for_two_hosts_is_refused_on_both_planes() {
    let app = TestApp::start().await;
    for base in [&app.data, &app.admin] {
        let twice = b"GET /healthz HTTP/1.1\r\nhost: a\r\nhost: b\r\nconnection: close\r\n\r\n";
        assert_eq!(raw::status(base, twice).await, 400, "{base}");
    }
}

#[tokio::test]
async fn what_is_framed_twice_or_wrongly_never_becomes_a_second_request() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.deploy("/in", "1").await;
    shop.deploy("/smuggled", "kv::collection(\"c\").set(\"k\", 1); 1").await;
    shop.deploy("/seen", "kv::collection(\"c\").has(\"k\")").await;
    let inner = "GET /smuggled HTTP/1.1\r\nhost: shop.localhost\r\n\r\n";
    for framing in [
        "content-length: 5\r\ntransfer-encoding: chunked",
        "content-length: 5\r\ncontent-length: 6",
        "content-length: +5",
        "content-length: 5, 5",
        "content-length: -1",
        "transfer-encoding: identity",
        "transfer-encoding: xchunked",
        "transfer-encoding: chunked, identity",
        "transfer-encoding : chunked",
        "x: y\r\n folded: z\r\ntransfer-encoding: gzip",
    ] {
        let request = format!("POST /in HTTP/1.1\r\nhost: shop.localhost\r\n{framing}\r\n\r\n0\r\n\r\n{inner}");
        let answer = String::from_utf8_lossy(&raw::exchange(&app.data, request.as_bytes()).await).into_owned();
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{framing}: {answer}");
    }
    assert_eq!(shop.get("/seen").await.expect(200).json(), false);
}

#[tokio::test]
async fn an_answer_says_nothing_that_is_the_platforms_to_say() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let source = r#"#{ statusCode: 200, body: "hello", headers: #{
        "content-length": "2", "transfer-encoding": "chunked", "connection": "keep-alive", "x-request-id": "forged",
        "picloud-execution-id": "forged", "www-authenticate": "Basic", "nel": "{}", "report-to": "{}", "alt-svc": "h3=\":1\"",
        "set-cookie": ["__Host-picloud_session=x", "picloud_session=x", "own=1; Domain=localhost"] } }"#;
    let script = shop.deploy("/h", source).await;
    let public = shop.get("/h").await.expect(200);
    assert_eq!((public.text().as_str(), public.headers_named("set-cookie")), ("hello", vec!["own=1"]));
    assert_eq!(public.headers_named("content-length"), ["5"]);
    for id in ["x-request-id", "picloud-execution-id"] {
        assert!(!public.headers_named(id).contains(&"forged"), "{public:?}");
    }
    let direct = app.post(&format!("/execute/{}", script.id), json!({})).await.expect(200);
    for withheld in ["set-cookie", "www-authenticate", "nel", "report-to", "alt-svc", "transfer-encoding"] {
        assert_eq!(direct.header(withheld), None, "{withheld}: {direct:?}");
    }
}

#[tokio::test]
async fn a_session_that_was_ended_is_nobodys() {
    let app = TestApp::start().await;
    let login = app
        .anonymous(Method::POST, "/admin/auth/login", Some(&json!({ "username": USERNAME, "password": PASSWORD })))
        .await
        .expect(200)
        .json();
    let token = login["token"].as_str().expect("a token");
    let with = |method: Method, path: &str| send(app.request(method, path).bearer_auth(token));
    with(Method::POST, "/admin/auth/logout").await.expect(204);
    for (method, path) in [(Method::GET, "/admin/auth/me"), (Method::POST, "/admin/auth/logout"), (Method::GET, "/admin/apps")] {
        with(method, path).await.fails(401, "unauthenticated");
    }
    let cookie = send(app.request(Method::GET, "/admin/auth/me").header("cookie", format!("picloud_session={token}"))).await;
    cookie.fails(401, "unauthenticated");
    app.get("/admin/auth/me").await.expect(200);
}

#[tokio::test]
async fn a_cookie_alone_writes_nothing() {
    let app = TestApp::start().await;
    let cookie = format!("picloud_session={}", app.token);
    let own = app.admin.clone();
    for (headers, status) in [
        (vec![], 403),
        (vec![("origin", "null")], 403),
        (vec![("origin", "http://shop.localhost")], 403),
        (vec![("origin", app.data.as_str())], 403),
        (vec![("sec-fetch-site", "same-site"), ("origin", own.as_str())], 403),
        (vec![("origin", own.as_str())], 201),
    ] {
        let mut request =
            app.request(Method::POST, "/admin/apps").header("cookie", &cookie).json(&json!({ "slug": "c", "name": "c" }));
        for (name, value) in &headers {
            request = request.header(*name, *value);
        }
        assert_eq!(send(request).await.status, status, "{headers:?}");
    }
}
