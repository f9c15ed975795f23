//! The plane without its scripts: what is decided of a request, what a script sees of it, what a client sees of an answer.

use std::net::SocketAddr;

use axum::extract::ConnectInfo;
use axum::http;
use chrono::DateTime;
use http_body_util::BodyExt;
use hyper::body::SizeHint;

use super::*;
use crate::fair::{Fair, Size};
use crate::id::{AppId, RouteId, ScriptId};
use crate::model::execution::FailureCode;
use crate::model::grant::Grants;
use crate::model::invocation::Answer;
use crate::model::quota::Quota;
use crate::model::route::{Route, Source, SourceApp};
use crate::model::script::Limits;

const PAGE: &str = "https://page.example";

/// An app `hello`, `old` before, with the domain `shop.example.com`, and with `GET /get`, `ANY /any/:x`, `POST /files/*`.
fn directory(cors_origins: &[&str]) -> Directory {
    let now = DateTime::UNIX_EPOCH;
    let (app_id, script_id) = (AppId::at(now), ScriptId::at(now));
    let script = Deployed {
        app_id,
        script_id,
        version: 1,
        generation: 0,
        kind: Default::default(),
        name: "s".to_owned(),
        limits: Limits::default(),
    };
    let route = |method: Option<&str>, path: &str| Route {
        id: RouteId::at(now),
        app_id,
        script_id,
        method: method.map(|method| method.parse().unwrap()),
        host: None,
        path: path.parse().unwrap(),
        dispatch_mode: Default::default(),
        created_at: now,
    };
    let routes = vec![route(Some("GET"), "/get"), route(None, "/any/:x"), route(Some("POST"), "/files/*")];
    let cors_origins = cors_origins.iter().copied().map(str::to_owned).collect();
    let app =
        SourceApp { id: app_id, slug: "hello".to_owned(), cors_origins, grants: Grants::default(), quota: Quota::default() };
    let domains = vec![("shop.example.com".parse().unwrap(), app_id)];
    let former_slugs = vec![("old".to_owned(), app_id)];
    let splits = Vec::new();
    Directory::new("localhost", Source { apps: vec![app], scripts: vec![script], routes, domains, former_slugs, splits })
}

pub(super) fn parts(method: &str, target: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = http::Request::builder().method(method).uri(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn decided(directory: &Directory, parts: &Parts) -> (u16, Response) {
    let Step::Decided(decision) = decide(directory, parts) else { panic!("nothing is split, and no preview is asked for") };
    let (app, mut response) = match decision {
        Decision::Run(target) => (Some(target.app), Response::new(Body::empty())),
        Decision::Answer { app, response } => (app, response),
        Decision::Health => (None, healthy()),
        Decision::TakeMail { app, .. } | Decision::Subscribe { app, .. } => (Some(app), Response::new(Body::empty())),
        Decision::Refuse { app, refusal } => (app, refusal.answer(RequestId::at(DateTime::UNIX_EPOCH))),
    };
    if let Some(app) = app {
        cors::apply(&app.cors_origins, parts.headers.get(header::ORIGIN), response.headers_mut());
    }
    (response.status().as_u16(), response)
}

fn status(method: &str, target: &str, headers: &[(&str, &str)]) -> u16 {
    decided(&directory(&[]), &parts(method, target, headers)).0
}

pub(super) fn text<'r>(response: &'r Response, name: &str) -> Option<&'r str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}

const HELLO: (&str, &str) = ("host", "hello.localhost:8080");

#[test]
fn host_then_path_then_method_decide() {
    for (method, target, host, expected) in [
        ("GET", "/get", "hello.localhost", 200),
        ("GET", "/get?x=1", "API.hello.localhost:80", 200),
        ("HEAD", "/get", "hello.localhost", 200),
        ("GET", "/none", "hello.localhost", 404),
        ("PUT", "/get", "hello.localhost", 405),
        ("TRACE", "/any/1", "hello.localhost", 405),
        ("OPTIONS", "/get", "hello.localhost", 204),
        ("OPTIONS", "/any/1", "hello.localhost", 200),
        ("OPTIONS", "/none", "hello.localhost", 404),
        ("OPTIONS", "*", "hello.localhost", 400),
        ("GET", "/any/%zz", "hello.localhost", 400),
        ("GET", "/get", "other.localhost", 404),
        ("GET", "/get", "", 404),
        ("GET", "http://hello.localhost/get", "other.localhost", 200),
        ("GET", "http://other.localhost/get", "hello.localhost", 404),
        ("GET", "/get", "Shop.Example.com:443", 200),
        ("GET", "/get", "www.shop.example.com", 404),
        ("GET", "/get", "example.com", 404),
    ] {
        assert_eq!(status(method, target, &[("host", host)]), expected, "{method} {host} {target}");
    }
    assert_eq!(status("GET", "/get", &[]), 400);
    assert_eq!(status("GET", "/get", &[HELLO, HELLO]), 400);
}

#[test]
fn a_name_in_front_of_a_slug_asks_for_a_deployment_and_routes_see_the_apps_own_host() {
    let directory = directory(&[]);
    let asked = |host: &str, target: &str| match decide(&directory, &parts("POST", target, &[("host", host)])) {
        Step::Preview(asked) => Ok((asked.app.slug.clone(), asked.number, asked.host)),
        Step::Decided(Decision::Refuse { refusal, .. }) => Err(refusal.status.as_u16()),
        _ => Err(0),
    };
    let hello = |number: i32, host: &str| Ok(("hello".to_owned(), number, host.to_owned()));
    for (host, expected) in [
        ("v7--hello.localhost", hello(7, "hello.localhost")),
        ("V12--Hello.localhost.:8080", hello(12, "hello.localhost")),
        ("api.v7--hello.localhost", hello(7, "api.hello.localhost")),
        ("a.b.v7--hello.localhost", hello(7, "a.b.hello.localhost")),
        ("v7--other.localhost", Err(404)),
        ("v7--old.localhost", Err(404)),
        ("v0--hello.localhost", Err(404)),
        ("v7-hello.localhost", Err(404)),
        ("v7--hello.example.com", Err(404)),
        ("v7--shop.example.com", Err(404)),
        ("v7--hello", Err(404)),
    ] {
        assert_eq!(asked(host, "/get"), expected, "{host}");
    }
    let mail = "/.well-known/picloud/email/01990a6e-7777-7a10-8f3c-5e2d1c0b9a88";
    assert_eq!(asked("v7--hello.localhost", mail), Err(404), "mail comes in at the app's own host");
    assert_eq!(asked("hello.localhost", mail), Err(0));
}

#[test]
fn a_former_slug_sends_on_with_labels_port_path_and_query() {
    for (method, target, host, location) in [
        ("GET", "/get", "old.localhost", "//hello.localhost/get"),
        ("GET", "/get?a=1&b=%2F", "OLD.localhost:8080", "//hello.localhost:8080/get?a=1&b=%2F"),
        ("POST", "/none/at/all", "a.b.old.localhost.", "//a.b.hello.localhost/none/at/all"),
        ("DELETE", "//evil.example/x", "old.localhost", "//hello.localhost//evil.example/x"),
        ("GET", "/healthz", "old.localhost:", "//hello.localhost/healthz"),
        ("POST", "/.well-known/picloud/email/x", "old.localhost:99999", "//hello.localhost/.well-known/picloud/email/x"),
        ("GET", "http://old.localhost:81/get", "hello.localhost", "//hello.localhost:81/get"),
        ("GET", "http://u:p@old.localhost?q", "hello.localhost", "//hello.localhost/?q"),
        ("OPTIONS", "/get", "old.localhost", "//hello.localhost/get"),
        ("GET", "/%0d%0aset-cookie:%20a=1", "old.localhost", "//hello.localhost/%0d%0aset-cookie:%20a=1"),
    ] {
        let (status, response) = decided(&directory(&[]), &parts(method, target, &[("host", host)]));
        assert_eq!((status, text(&response, "location")), (308, Some(location)), "{method} {host} {target}");
        assert_eq!(text(&response, "cache-control"), Some("no-store"));
    }
    for host in [
        "old.localhost:80:80",
        "old.localhost/x",
        "old.localhost@evil.example",
        "u@old.localhost",
        "old.localhost:8o",
        "x\told.localhost",
    ] {
        let (status, response) = decided(&directory(&[]), &parts("GET", "/get", &[("host", host)]));
        assert_eq!((status, text(&response, "location")), (404, None), "{host}");
    }
    assert_eq!(status("OPTIONS", "*", &[("host", "old.localhost")]), 400);
}

#[test]
fn a_page_is_sent_on_too() {
    let directory = directory(&[PAGE]);
    let asks = [("host", "old.localhost"), ("origin", PAGE), ("access-control-request-method", "PUT")];
    let (status, response) = decided(&directory, &parts("OPTIONS", "/get", &asks));
    assert_eq!((status, text(&response, "access-control-allow-methods")), (204, Some("PUT")), "a preflight is not redirected");
    let (status, response) = decided(&directory, &parts("PUT", "/get", &asks[..2]));
    assert_eq!((status, text(&response, "access-control-allow-origin")), (308, Some(PAGE)));
}

#[test]
fn health_is_no_apps_business_on_no_apps_host() {
    for host in ["127.0.0.1:8080", "localhost", "unknown.example", "", "[::1]:8080"] {
        assert_eq!(status("GET", "/healthz", &[("host", host)]), 200, "{host}");
    }
    assert_eq!(status("POST", "/healthz", &[("host", "localhost")]), 405);
    assert_eq!(status("GET", "/healthz", &[HELLO]), 404, "an app's host is the app's alone");
}

#[test]
fn allow_is_told_by_405_and_by_options() {
    for method in ["DELETE", "OPTIONS"] {
        let (_, response) = decided(&directory(&[]), &parts(method, "/get", &[HELLO]));
        assert_eq!(text(&response, "allow"), Some("GET, HEAD, OPTIONS"), "{method}");
    }
}

#[test]
fn a_long_target_is_refused_at_one_over_the_bound() {
    let target = |bytes: usize| format!("/any/x?{}", "q".repeat(bytes - "/any/x".len()));
    assert_eq!(status("GET", &target(limits::REQUEST_TARGET_BYTES_MAX), &[HELLO]), 200);
    assert_eq!(status("GET", &target(limits::REQUEST_TARGET_BYTES_MAX + 1), &[HELLO]), 414);
}

#[test]
fn a_preflight_is_answered_for_the_app() {
    let directory = directory(&[PAGE]);
    let ask = |path: &str, origin: &str, method: &str| {
        let headers =
            [HELLO, ("origin", origin), ("access-control-request-method", method), ("access-control-request-headers", "x-a,x-b")];
        decided(&directory, &parts("OPTIONS", path, &headers))
    };
    for (path, method, allowed) in
        [("/get", "GET", "GET"), ("/get", "PUT", "GET, HEAD, OPTIONS"), ("/any/1", "PURGE", "PURGE"), ("/none", "POST", "POST")]
    {
        let (status, response) = ask(path, PAGE, method);
        assert_eq!((status, text(&response, "access-control-allow-methods")), (204, Some(allowed)), "{method} {path}");
        assert_eq!(text(&response, "access-control-allow-origin"), Some(PAGE));
        assert_eq!(text(&response, "access-control-allow-headers"), Some("x-a,x-b"));
        assert_eq!(text(&response, "access-control-max-age"), Some("600"));
    }
    let (status, response) = ask("/get", "https://evil.example", "GET");
    assert_eq!(status, 204);
    assert!(!response.headers().keys().any(|name| name.as_str().starts_with("access-control-")));
    assert_eq!(text(&response, "vary"), Some("access-control-request-method, access-control-request-headers, origin"));
}

#[test]
fn origins_are_compared_whole() {
    let headers = |origins: &[&str], origin: Option<&'static str>, script: &[(&'static str, &'static str)]| {
        let origins: Vec<String> = origins.iter().copied().map(str::to_owned).collect();
        let mut headers = HeaderMap::new();
        for (name, value) in script {
            headers.append(*name, HeaderValue::from_static(value));
        }
        cors::apply(&origins, origin.map(HeaderValue::from_static).as_ref(), &mut headers);
        headers
    };
    assert_eq!(headers(&[PAGE], Some(PAGE), &[])["access-control-allow-origin"], PAGE);
    for origin in ["https://page.example.evil.org", "http://page.example", "https://page.example:444", "null"] {
        let headers = headers(&[PAGE], Some(origin), &[]);
        assert!(!headers.contains_key("access-control-allow-origin"), "{origin}");
        assert_eq!(headers["vary"], "origin");
    }
    assert_eq!(headers(&["*"], None, &[])["access-control-allow-origin"], "*");
    assert!(!headers(&["*"], Some("null"), &[]).contains_key("vary"));
    assert!(headers(&[], Some(PAGE), &[]).is_empty());

    let own = [
        ("access-control-allow-origin", "https://own.example"),
        ("access-control-allow-credentials", "true"),
        ("vary", "accept"),
    ];
    assert_eq!(headers(&[], Some(PAGE), &own).len(), 3, "with the setting empty a script speaks for itself");
    let replaced = headers(&[PAGE], Some(PAGE), &own);
    assert_eq!(replaced["access-control-allow-origin"], PAGE);
    assert!(!replaced.contains_key("access-control-allow-credentials"));
    assert_eq!(replaced.get_all("vary").iter().collect::<Vec<_>>(), ["accept, origin"]);
    assert_eq!(replaced["access-control-expose-headers"], "x-request-id, picloud-execution-id, retry-after");
}

#[test]
fn a_script_sees_the_request_without_credentials_and_connection_headers() {
    let mut parts = parts(
        "POST",
        "/any/a%20b?x=1&y",
        &[
            HELLO,
            ("X-Tag", "one"),
            ("cookie", "a=1; picloud_session=s"),
            ("x-tag", "two"),
            ("cookie", "b=2"),
            ("authorization", "Bearer pics_x"),
            ("connection", "keep-alive, X-Hop"),
            ("x-hop", "1"),
            ("te", "trailers"),
            ("upgrade", "h2c"),
            ("picloud-grant", "all"),
            ("content-length", "3"),
        ],
    );
    parts.extensions.insert(ConnectInfo(SocketAddr::from(([192, 0, 2, 7], 4000))));
    let request = exchange::request(&parts, vec![("x".to_owned(), "a b".to_owned())], None, b"abc".to_vec());
    assert_eq!((request.method.as_str(), request.path.as_str(), request.query.as_str()), ("POST", "/any/a%20b", "x=1&y"));
    assert_eq!((request.remote_addr.as_str(), request.body.as_slice()), ("192.0.2.7", b"abc".as_slice()));
    let mut headers = request.headers;
    headers.sort();
    let expected = [("content-length", "3"), ("cookie", "a=1; b=2"), HELLO, ("x-tag", "one, two")];
    assert_eq!(headers, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[test]
fn a_script_keeps_a_callers_own_authorization_and_odd_bytes_do_no_harm() {
    let mut parts = parts("GET", "/", &[("authorization", "Bearer mine")]);
    parts.headers.insert("x-odd", HeaderValue::from_bytes(b"a\xffb").unwrap());
    let headers = exchange::request(&parts, Vec::new(), None, Vec::new()).headers;
    assert!(headers.contains(&("authorization".to_owned(), "Bearer mine".to_owned())));
    assert!(headers.contains(&("x-odd".to_owned(), "a\u{fffd}b".to_owned())));
}

fn scripts_answer(status: u16, headers: &[(&str, &str)], body: &str) -> Result<Response, Refusal> {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    exchange::answer(Answer { status, headers, body: body.as_bytes().to_vec() }, "hello.localhost")
}

#[test]
fn an_answer_keeps_the_scripts_headers_and_not_the_platforms() {
    let response = scripts_answer(
        201,
        &[
            ("x-own", "1"),
            ("set-cookie", "a=1"),
            ("set-cookie", "b=2; Domain=localhost"),
            ("set-cookie", "picloud_session=x"),
            ("content-length", "99"),
            ("transfer-encoding", "chunked"),
            ("Connection", "close"),
            ("x-request-id", "forged"),
            ("picloud-execution-id", "forged"),
            ("picloud-other", "forged"),
        ],
        "b",
    )
    .unwrap();
    assert_eq!(response.status(), 201);
    let mut headers: Vec<_> = response.headers().iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    headers.sort_unstable();
    assert_eq!(headers, [("set-cookie", "a=1"), ("set-cookie", "b=2"), ("x-content-type-options", "nosniff"), ("x-own", "1")]);
    let sniffed = scripts_answer(200, &[("x-content-type-options", "none")], "").unwrap();
    assert_eq!(text(&sniffed, "x-content-type-options"), Some("none"));
}

#[test]
fn an_answer_that_http_forbids_is_502() {
    for (status, headers) in [
        (199, vec![]),
        (600, vec![]),
        (0, vec![]),
        (200, vec![("x y", "1")]),
        (200, vec![("", "1")]),
        (200, vec![("x", "a\r\nb: c")]),
        (200, vec![("set-cookie", "a\n=1")]),
    ] {
        let refusal = scripts_answer(status, &headers, "").unwrap_err();
        assert_eq!((refusal.status.as_u16(), refusal.code), (502, "invalid_response"), "{status} {headers:?}");
    }
    let large = Answer { status: 200, headers: Vec::new(), body: vec![0; limits::RESPONSE_BODY_BYTES_CEILING + 1] };
    assert_eq!(exchange::answer(large, "h").unwrap_err().code, "response_too_large");
}

#[tokio::test]
async fn head_tells_the_length_and_sends_nothing() {
    let response = without_body(scripts_answer(200, &[], "12345").unwrap());
    assert_eq!(text(&response, "content-length"), Some("5"));
    assert!(response.into_body().collect().await.unwrap().to_bytes().is_empty());
    let empty = without_body(scripts_answer(304, &[], "12345").unwrap());
    assert_eq!(text(&empty, "content-length"), None);
}

#[tokio::test]
async fn a_body_is_read_up_to_its_bound() {
    let post = parts("POST", "/", &[]);
    let n = limits::REQUEST_BODY_BYTES_MAX;
    let whole = |bytes: usize| Body::from(vec![7; bytes]);
    let chunked = |bytes: usize| {
        let chunks = vec![7; bytes].chunks(4096).map(|chunk| Ok::<_, Infallible>(chunk.to_vec())).collect::<Vec<_>>();
        Body::from_stream(futures_util::stream::iter(chunks))
    };
    assert_eq!(exchange::read_body(&post, Body::empty(), n).await.unwrap(), Vec::<u8>::new());
    for make in [&whole as &dyn Fn(usize) -> Body, &chunked] {
        assert_eq!(exchange::read_body(&post, make(n), n).await.unwrap().len(), n);
        let refusal = exchange::read_body(&post, make(n + 1), n).await.unwrap_err();
        assert_eq!((refusal.status.as_u16(), refusal.code), (413, "request_too_large"));
    }
    let broken = Body::from_stream(futures_util::stream::iter([Ok(vec![1]), Err(std::io::Error::other("reset"))]));
    assert_eq!(exchange::read_body(&post, broken, n).await.unwrap_err().code, "malformed_request");
}

#[tokio::test]
async fn a_refusal_is_the_envelope_and_says_when_to_come_back() {
    let id = RequestId::at(DateTime::UNIX_EPOCH);
    let response = Refusal::of(FailureCode::Overloaded).answer(id);
    assert_eq!((response.status().as_u16(), text(&response, "retry-after")), (503, Some("1")));
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(
        body,
        serde_json::json!({ "error": { "code": "overloaded", "message": "the server is busy; try again shortly", "request_id": id } })
    );
}

#[test]
fn no_failure_tells_a_stranger_where_in_a_script_it_was() {
    use FailureCode::*;
    for code in
        [ScriptError, InvalidResponse, ResponseTooLarge, FuelExhausted, MemoryExceeded, DeadlineExceeded, Overloaded, Internal]
    {
        let refusal = Refusal::of(code);
        assert_eq!((refusal.status.as_u16(), refusal.code), (code.status(), code.as_str()));
    }
}

#[tokio::test]
async fn bodies_share_bounded_room() {
    let (free, most) = (limits::REQUEST_BODY_BYTES_FREE as u64, limits::REQUEST_BODY_BYTES_MAX);
    let directory = directory(&[]);
    let app = directory.app("hello.localhost").unwrap().0;
    let size = Size { places: 8, kept_bytes: 0 };
    let room = Fair::new(&[size, size], 2 * most as u64);
    assert!(exchange::admit_body(&room, app, &SizeHint::with_exact(free), most).await.unwrap().is_none());
    // A body of unknown length may become the largest.
    let held = exchange::admit_body(&room, app, &SizeHint::new(), most).await.unwrap();
    assert!(held.is_some() && room.bytes_held() == most as u64);
    // One app holds half of it, and no more.
    let refused = exchange::admit_body(&room, app, &SizeHint::new(), most).await.unwrap_err();
    assert_eq!(refused.answer(RequestId::at(DateTime::UNIX_EPOCH)).status(), 503);
    drop(held);
    assert!(exchange::admit_body(&room, app, &SizeHint::new(), most).await.unwrap().is_some());
}
