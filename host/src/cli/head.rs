//! What HTTP forbids in a request's head although hyper's parser lets it pass, refused on both planes before either sees it
//! (RFC 9112): what two readers could read as two different requests.
//!
//! Hyper itself refuses lengths that are no number or differ, a length where the body is chunked (it ends the connection after
//! that request), folded lines, blanks before a colon, zero bytes and lone CRs in a head.

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, Version, header};
use axum::response::Response;
use serde_json::json;

use crate::clock::Clock;
use crate::id::RequestId;
use crate::limits;

/// Why a request goes no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refused {
    status: StatusCode,
    code: &'static str,
    message: &'static str,
}

/// Whether a plane may have the request.
///
/// # Errors
/// 400 for a host that is missing, not one, or none, and for a target of a form that its method does not have; 501 for
/// CONNECT, a longer method than any route has, and a transfer coding other than chunked, once.
pub(super) fn judge(parts: &Parts) -> Result<(), Refused> {
    if parts.method == Method::CONNECT || parts.method.as_str().len() > limits::ROUTE_METHOD_CHARS_MAX {
        return Err(Refused::not_implemented("this server does not know the method"));
    }
    one_host(parts)?;
    target(parts)?;
    let mut codings = parts.headers.get_all(header::TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(coding), None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(()),
        _ => Err(Refused::not_implemented("this server knows no transfer coding but chunked")),
    }
}

fn one_host(parts: &Parts) -> Result<(), Refused> {
    let mut hosts = parts.headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(_), Some(_)) => Err(Refused::malformed("the request has more than one Host header")),
        (None, _) if parts.version == Version::HTTP_11 => Err(Refused::malformed("the request has no Host header")),
        (Some(host), None) if !is_host(host.as_bytes()) => Err(Refused::malformed("the Host header is not a host")),
        _ => Ok(()),
    }
}

/// Path and query, or a whole URL, or for OPTIONS a star.
fn target(parts: &Parts) -> Result<(), Refused> {
    let uri = &parts.uri;
    let of_its_method = match (uri.scheme_str(), uri.authority()) {
        (None, None) => uri.path().starts_with('/') || (uri.path() == "*" && parts.method == Method::OPTIONS),
        (Some("http" | "https"), Some(authority)) => !authority.host().is_empty() && is_host(authority.as_str().as_bytes()),
        _ => false,
    };
    of_its_method.then_some(()).ok_or(Refused::malformed("the request's target is neither a path nor an http URL"))
}

/// `uri-host [ ":" port ]` of RFC 3986, without a user; the host may be empty.
fn is_host(value: &[u8]) -> bool {
    let is_port = |port: &[u8]| port.iter().all(u8::is_ascii_digit);
    if let [b'[', rest @ ..] = value {
        let mut parts = rest.splitn(2, |byte| *byte == b']');
        let (address, after) = (parts.next().unwrap_or_default(), parts.next());
        let is_address = !address.is_empty() && address.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b':' | b'.'));
        return is_address && after.is_some_and(|after| after.is_empty() || after.strip_prefix(b":").is_some_and(is_port));
    }
    let mut parts = value.splitn(2, |byte| *byte == b':');
    let (name, port) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    name.iter().all(|b| b.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(b)) && is_port(port)
}

impl Refused {
    const fn malformed(message: &'static str) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code: "malformed_request", message }
    }

    const fn not_implemented(message: &'static str) -> Self {
        Self { status: StatusCode::NOT_IMPLEMENTED, code: "not_implemented", message }
    }

    /// In the envelope of both planes. What follows on the connection is not read.
    pub(super) fn answer(self) -> Response {
        let request_id = RequestId::at(Clock::system().now()).to_string();
        let told = json!({ "error": { "code": self.code, "message": self.message, "request_id": request_id } });
        let mut response = Response::new(Body::from(told.to_string()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        if let Ok(id) = HeaderValue::try_from(request_id) {
            headers.insert("x-request-id", id);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn judged(version: Version, method: &str, target: &str, headers: &[(&str, &[u8])]) -> u16 {
        let mut request = Request::builder().version(version).method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, HeaderValue::from_bytes(value).unwrap());
        }
        let parts = request.body(()).unwrap().into_parts().0;
        judge(&parts).map_or_else(|refused| refused.answer().status().as_u16(), |()| 200)
    }

    fn asked(method: &str, target: &str, host: &[u8]) -> u16 {
        judged(Version::HTTP_11, method, target, &[("host", host)])
    }

    #[test]
    fn a_host_is_a_name_or_an_address_and_perhaps_a_port() {
        for host in [
            "",
            "a",
            "A.b-c_d.localhost.",
            "a:80",
            "a:",
            ":80",
            "127.0.0.1:8080",
            "[::1]",
            "[::1]:8080",
            "[::ffff:192.0.2.1]:",
            "a%41",
            "a~!$&'()*+,;=",
            "a:99999",
        ] {
            assert_eq!(asked("GET", "/", host.as_bytes()), 200, "{host}");
        }
        let strange: [&[u8]; 20] = [
            b"a b",
            b"a\tb",
            b"u@a",
            b"u:p@a",
            b"a:8o",
            b"a:80:80",
            b"a:-1",
            b"a/x",
            b"a?x",
            b"a#x",
            b"a\\b",
            b"http://a",
            b"[::1",
            b"[]",
            b"[::1]x",
            b"[::1]:x",
            b"[::1%25eth0]",
            b"::1",
            b"b\xc3\xbccher.example",
            b"\"a\"",
        ];
        for host in strange {
            assert_eq!(asked("GET", "/", host), 400, "{}", String::from_utf8_lossy(host));
        }
    }

    #[test]
    fn a_request_has_one_host() {
        let one: (&str, &[u8]) = ("host", b"a");
        assert_eq!(judged(Version::HTTP_11, "GET", "/", &[]), 400);
        assert_eq!(judged(Version::HTTP_11, "GET", "http://a/", &[]), 400, "the target's does not stand for it");
        assert_eq!(judged(Version::HTTP_10, "GET", "/", &[]), 200);
        for version in [Version::HTTP_10, Version::HTTP_11] {
            assert_eq!(judged(version, "GET", "/", &[one, one]), 400, "{version:?}");
            assert_eq!(judged(version, "GET", "http://a/", &[one, one]), 400, "{version:?}");
        }
    }

    #[test]
    fn a_target_has_a_form_of_its_method() {
        for (method, target, status) in [
            ("GET", "/", 200),
            ("GET", "//a/b", 200),
            ("GET", "/a?b=http://c", 200),
            ("GET", "http://a/b", 200),
            ("GET", "https://a:1/b", 200),
            ("GET", "http://a", 200),
            ("OPTIONS", "*", 200),
            ("GET", "*", 400),
            ("GET", "a", 400),
            ("GET", "a:80", 400),
            ("GET", "http://u@a/", 400),
            ("GET", "http://u:p@a/", 400),
            ("GET", "ftp://a/b", 400),
            ("CONNECT", "a:443", 501),
            ("CONNECT", "http://a/b", 501),
            ("CONNECT", "/", 501),
        ] {
            assert_eq!(asked(method, target, b"other"), status, "{method} {target}");
        }
    }

    #[test]
    fn a_method_is_as_long_as_a_routes_at_most() {
        assert_eq!(asked(&"M".repeat(limits::ROUTE_METHOD_CHARS_MAX), "/", b"a"), 200);
        assert_eq!(asked(&"M".repeat(limits::ROUTE_METHOD_CHARS_MAX + 1), "/", b"a"), 501);
    }

    #[test]
    fn no_coding_but_chunked_and_that_once() {
        let coded = |codings: &[&[u8]]| {
            let mut headers: Vec<(&str, &[u8])> = vec![("host", b"a")];
            headers.extend(codings.iter().map(|coding| ("transfer-encoding", *coding)));
            judged(Version::HTTP_11, "POST", "/", &headers)
        };
        assert_eq!((coded(&[]), coded(&[b"chunked"]), coded(&[b"Chunked"])), (200, 200, 200));
        let refused: [&[&[u8]]; 8] = [
            &[b"gzip, chunked"],
            &[b"identity, chunked"],
            &[b"chunked, chunked"],
            &[b"chunked", b"chunked"],
            &[b"identity", b"chunked"],
            &[b"chunked;q=1"],
            &[b",chunked"],
            &[b"chunked", b""],
        ];
        for codings in refused {
            assert_eq!(coded(codings), 501, "{codings:?}");
        }
    }
}
