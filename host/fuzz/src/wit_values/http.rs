//! Requests that scripts send.

use http::{HeaderName, HeaderValue, Method, Uri};
use picloud::hostcall::fuzzing;
use picloud::limits;
use picloud::model::http::{Redirects, Request, Target};
use picloud::wit;
use std::net::IpAddr;

use crate::draw::Draw;

/// What only the platform says: it frames the message, or is of the connection.
const OURS: [&str; 8] = ["connection", "content-length", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"];
const NAMES: [&str; 10] =
    ["x-a", "Content-Type", "accept", "host", "Transfer-Encoding", "content-length", "set-cookie", "a b", "", "a\r\nb"];
const SCHEMES: [&str; 6] = ["http://", "https://", "HTTP:\\\\", "ftp://", "//", ""];
const HOSTS: [&str; 16] = [
    "example.com",
    "EXAMPLE.com.",
    "a.example.com:8080",
    "user@example.com",
    "127.0.0.1",
    "0x7f.1",
    "017700000001",
    "[::1]",
    "[::ffff:127.0.0.1]:443",
    "127\u{3002}0\u{3002}0\u{3002}1",
    "b\u{fc}cher.example",
    "example.com:25",
    "ex%61mple.com",
    "1.2.3.4.5",
    "xn--a",
    "localhost#@evil.example",
];

/// A header's name and value.
pub(super) fn header(draw: &mut Draw) -> (String, String) {
    let name = if draw.flag() { draw.one_of(&NAMES).to_owned() } else { draw.text(16) };
    (name, draw.text(64))
}

fn url(draw: &mut Draw) -> String {
    match draw.below(8) {
        7 => draw.text(limits::HTTP_URL_BYTES_MAX),
        6 => draw.raw_text(64),
        _ => format!("{}{}{}", draw.one_of(&SCHEMES), draw.one_of(&HOSTS), draw.raw_text(48)),
    }
}

/// What is let through can be sent, within its bounds, and says nothing that is the platform's to say.
pub(super) fn requests(draw: &mut Draw) {
    let method = if draw.flag() { draw.one_of(&["get", "POST", "propfind", "connect"]).to_owned() } else { draw.text(32) };
    let mut headers = draw.list(6, header);
    match draw.below(16) {
        14 => headers = vec![("a".to_owned(), String::new()); limits::HTTP_REQUEST_HEADERS_MAX - 1 + draw.below(3)],
        15 => headers = vec![("a".to_owned(), "v".repeat(limits::HTTP_REQUEST_HEADER_BYTES_MAX - 2 + draw.below(3)))],
        _ => {}
    }
    let follow = draw.flag();
    let given = wit::http::Request {
        method,
        url: url(draw),
        headers,
        body: draw.option(|draw| draw.bytes(32).to_vec()),
        redirects: if follow { wit::http::Redirects::Follow } else { wit::http::Redirects::Answer },
        timeout_ms: draw.option(|draw| draw.u32() % (2 * limits::HTTP_TIMEOUT_MS_MAX)),
    };
    let asked = fuzzing::http_request(given.clone());
    assert_eq!(
        (&asked.method, &asked.url, &asked.headers, &asked.body),
        (&given.method, &given.url, &given.headers, &given.body)
    );
    assert_eq!((asked.redirects == Redirects::Follow, asked.timeout_ms), (follow, given.timeout_ms));
    let request = match Request::read(asked) {
        Ok(request) => request,
        Err(refused) => return assert_eq!(refused.code, "invalid", "{refused}"),
    };
    let method = Method::from_bytes(request.method.as_bytes()).expect("a method");
    assert!(method != Method::CONNECT && method != Method::TRACE && request.method.len() <= limits::HTTP_METHOD_CHARS_MAX);
    assert!((1..=limits::HTTP_TIMEOUT_MS_MAX).contains(&request.timeout_ms));
    let bytes: usize = request.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    assert!(request.headers.len() <= limits::HTTP_REQUEST_HEADERS_MAX && bytes <= limits::HTTP_REQUEST_HEADER_BYTES_MAX);
    for (name, value) in &request.headers {
        let known = HeaderName::from_bytes(name.as_bytes()).expect("a header's name");
        assert_eq!(known.as_str(), name, "lower case");
        assert!(!OURS.contains(&name.as_str()), "{name}");
        HeaderValue::from_bytes(value.as_bytes()).expect("a header's value");
        assert!(!value.contains(['\r', '\n', '\0']), "{value:?}");
    }
    sendable(&request.target);
    joined(draw, &request.target);
}

/// URLs alone, for there is more to them than to the rest.
pub(super) fn targets(draw: &mut Draw) {
    let text = url(draw);
    match Target::parse(&text) {
        Ok(target) => {
            sendable(&target);
            joined(draw, &target);
        }
        Err(refused) => assert_eq!(refused.code, "invalid", "{refused}"),
    }
}

/// The request line and the header `host` are good, and what a server reads from them is the same target.
fn sendable(target: &Target) {
    let path = target.path_and_query();
    assert!(path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic()) && !path.contains('#'), "{path:?}");
    let uri = Uri::try_from(path.as_str()).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    assert!(uri.authority().is_none() && uri.path_and_query().is_some_and(|sent| sent.as_str() == path), "{path:?}");
    let authority = target.authority();
    assert!(HeaderValue::from_str(&authority).is_ok() && authority.starts_with(target.host()));
    let host = target.host();
    assert!(!host.is_empty() && host.len() <= limits::ROUTE_HOST_CHARS_MAX && !host.ends_with('.'), "{host:?}");
    assert!(host.is_ascii() && !host.contains(['@', '/', '\\', '?', '#', ' ', '%']), "{host:?}");
    assert_eq!(host.to_ascii_lowercase(), host);
    // A name that a resolver would take for an address must be judged as one.
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
    assert_eq!(target.address(), address, "{host:?}");
    assert!(target.port() != 0 && target.is_same_origin(target));
    let scheme = if target.is_secure() { "https" } else { "http" };
    let again = format!("{scheme}://{authority}{path}");
    if again.len() <= limits::HTTP_URL_BYTES_MAX {
        let again = Target::parse(&again).unwrap_or_else(|error| panic!("{again:?}: {error}"));
        assert!(again.is_same_origin(target) && again.path_and_query() == path && again.address() == target.address());
    }
}

/// Wherever an answer points, what is followed is a target as any other.
fn joined(draw: &mut Draw, target: &Target) {
    let location = if draw.flag() { url(draw) } else { draw.raw_text(48) };
    if let Ok(next) = target.join(&location) {
        sendable(&next);
    }
}
