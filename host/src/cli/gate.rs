//! A plane that is behind turns requests away by their heads, before the server has made anything of them: of what a refusal costs, most
//! is the server's way.
//!
//! Only what is plainly one request is judged here: a head that came at once and alone, of a connection that stays, with no body to follow.
//! All else goes the server's way and is judged there.

use std::mem::MaybeUninit;

use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, Request, Uri, header};
use httparse::Status;

use super::head;
use crate::ingress::{Ingress, Verdict};
use crate::limits;

/// What ends a head.
pub(super) const END: &[u8] = b"\r\n\r\n";

/// Who judges heads for a plane.
pub(super) trait Gate: Send + Sync {
    /// Whether any request may be turned away now.
    fn is_behind(&self) -> bool;

    fn judge(&self, head: &Parts) -> Verdict;
}

impl Gate for Ingress {
    fn is_behind(&self) -> bool {
        self.is_behind()
    }

    fn judge(&self, head: &Parts) -> Verdict {
        self.judge(head)
    }
}

/// The head that these bytes are, if they are what is judged here.
pub(super) fn read(bytes: &[u8]) -> Option<Parts> {
    let mut headers = [const { MaybeUninit::uninit() }; limits::REQUEST_HEADERS_MAX];
    let mut request = httparse::Request::new(&mut []);
    let read = request.parse_with_uninit_headers(bytes, &mut headers);
    if !matches!(read, Ok(Status::Complete(length)) if length == bytes.len()) || request.version != Some(1) {
        return None;
    }
    let mut parts = Request::new(()).into_parts().0;
    parts.method = Method::from_bytes(request.method?.as_bytes()).ok()?;
    parts.uri = Uri::try_from(request.path?).ok()?;
    parts.headers.reserve(request.headers.len());
    for field in request.headers {
        let (name, value) = (HeaderName::try_from(field.name).ok()?, HeaderValue::from_bytes(field.value).ok()?);
        if is_of_framing(&name) {
            return None;
        }
        parts.headers.append(name, value);
    }
    head::judge(&parts).is_ok().then_some(parts)
}

/// Whether more follows the head, or the connection is to become something else.
fn is_of_framing(name: &HeaderName) -> bool {
    [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION, header::UPGRADE, header::EXPECT, header::TRAILER]
        .contains(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(request: &str, headers: &[&str]) -> String {
        let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
        format!("{request}\r\nhost: a\r\n{headers}\r\n")
    }

    #[test]
    fn a_head_alone_is_read() {
        let text = asked("GET /a?b=%20 HTTP/1.1", &["X-One:  1 ", "x-one: 2", "cookie: a=b"]);
        let parts = read(text.as_bytes()).unwrap();
        assert_eq!((parts.method, parts.uri.to_string()), (Method::GET, "/a?b=%20".to_owned()));
        let told: Vec<_> = parts.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        assert_eq!(told, [("host", &b"a"[..]), ("x-one", b"1"), ("x-one", b"2"), ("cookie", b"a=b")]);
    }

    #[test]
    fn whatever_may_be_more_or_less_than_one_request_is_not() {
        let good = asked("GET / HTTP/1.1", &[]);
        for cut in 0..good.len() {
            assert!(read(&good.as_bytes()[..cut]).is_none(), "{cut}");
        }
        for bad in [
            asked("GET / HTTP/1.0", &[]),
            asked("GET  / HTTP/1.1", &[]),
            asked("CONNECT a:1 HTTP/1.1", &[]),
            asked("GET * HTTP/1.1", &[]),
            asked("GET / HTTP/1.1", &["host: b"]),
            asked("GET / HTTP/1.1", &["content-length: 0"]),
            asked("POST / HTTP/1.1", &["Content-Length: 3"]),
            asked("POST / HTTP/1.1", &["transfer-encoding: chunked"]),
            asked("GET / HTTP/1.1", &["connection: close"]),
            asked("GET / HTTP/1.1", &["connection: upgrade", "upgrade: websocket"]),
            asked("POST / HTTP/1.1", &["expect: 100-continue"]),
            asked("GET / HTTP/1.1", &["folded: a\r\n b"]),
            "GET / HTTP/1.1\r\n\r\n".to_owned(),
            format!("{good}G"),
            format!("{good}{good}"),
        ] {
            assert!(read(bad.as_bytes()).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn so_many_headers_are_read_and_no_more() {
        let with = |headers: usize| asked("GET / HTTP/1.1", &vec!["x: y"; headers - 1]);
        assert!(read(with(limits::REQUEST_HEADERS_MAX).as_bytes()).is_some());
        assert!(read(with(limits::REQUEST_HEADERS_MAX + 1).as_bytes()).is_none());
    }
}
