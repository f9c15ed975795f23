//! One request and its answer on one connection.

use std::io::{self, Write};
use std::pin::pin;

use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::redirect::is_redirect;
use crate::error::{Error, Kind, Result};
use crate::limits;
use crate::model::http::{Redirects, Request, Response};

const USER_AGENT: &str = concat!("picloud/", env!("CARGO_PKG_VERSION"));
/// Headers of an answer that speak of its connection, not of what was asked for.
const OF_CONNECTION: [HeaderName; 6] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];
/// Room for the status line and the separators of a head at its bounds, bytes.
const HEAD_FRAME_BYTES: usize = 1 << 10;
/// As much of a packed body is unpacked before other tasks have their turn, bytes.
const PACKED_STEP_BYTES: usize = 1 << 10;

/// What came back.
pub(super) enum Answered {
    Whole(Response),
    /// Its body was left unread.
    Elsewhere {
        status: u16,
        location: String,
    },
}

/// Sends the request and reads the answer: to its end, or only its head when that is a redirect to follow.
pub(super) async fn exchange<S>(stream: S, request: &Request) -> Result<Answered>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let host = request.target.host();
    let broken = |error: hyper::Error| broken(host, &error);
    let message = message(request)?;
    let mut builder = http1::Builder::new();
    builder
        .max_headers(limits::HTTP_RESPONSE_HEADERS_MAX)
        .max_header_size(limits::HTTP_RESPONSE_HEADER_BYTES_MAX + 4 * limits::HTTP_RESPONSE_HEADERS_MAX + HEAD_FRAME_BYTES);
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let asking = async {
        let answer = sender.send_request(message).await.map_err(broken)?;
        let (head, body) = answer.into_parts();
        let status = head.status.as_u16();
        check_head(host, &head.headers)?;
        let location = head.headers.get(header::LOCATION).filter(|_| is_redirect(status));
        if let (Redirects::Follow, Some(location)) = (request.redirects, location) {
            let location = String::from_utf8_lossy(location.as_bytes()).into_owned();
            return Ok(Answered::Elsewhere { status, location });
        }
        let packed = is_gzip(&head.headers) && request.header("accept-encoding").is_none();
        let (body, unpacked) = read(host, body, packed).await?;
        Ok(Answered::Whole(Response { status, headers: shown(&head.headers, unpacked), body }))
    };
    // The connection moves the bytes of the exchange: driven beside it, dropped with it.
    let (mut asking, mut connection) = (pin!(asking), pin!(connection));
    tokio::select! {
        biased;
        answered = &mut asking => answered,
        // However it ended, the exchange is told by what it waits for.
        _ = &mut connection => asking.await,
    }
}

fn message(request: &Request) -> Result<hyper::Request<Full<Bytes>>> {
    let mut message = hyper::Request::builder()
        .method(request.method.as_str())
        .uri(request.target.path_and_query())
        .header(header::HOST, request.target.authority())
        .header(header::CONNECTION, "close");
    let ours = [(header::USER_AGENT, USER_AGENT), (header::ACCEPT, "*/*"), (header::ACCEPT_ENCODING, "gzip")];
    for (name, value) in ours.into_iter().filter(|(name, _)| request.header(name.as_str()).is_none()) {
        message = message.header(name, value);
    }
    for (name, value) in &request.headers {
        let value = HeaderValue::from_bytes(value.as_bytes()).map_err(Error::internal)?;
        message = message.header(name, value);
    }
    let body = request.body.clone().unwrap_or_default();
    // A request that usually has a body says so when it has none.
    if body.is_empty() && matches!(request.method.as_str(), "POST" | "PUT" | "PATCH") {
        message = message.header(header::CONTENT_LENGTH, 0);
    }
    message.body(Full::new(Bytes::from(body))).map_err(Error::internal)
}

fn check_head(host: &str, headers: &HeaderMap) -> Result<()> {
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if bytes > limits::HTTP_RESPONSE_HEADER_BYTES_MAX { Err(head_too_large(host)) } else { Ok(()) }
}

fn is_gzip(headers: &HeaderMap) -> bool {
    let mut encodings = headers.get_all(header::CONTENT_ENCODING).iter();
    let first = encodings.next().and_then(|value| value.to_str().ok());
    let is_gzip = |word: &str| word.eq_ignore_ascii_case("gzip") || word.eq_ignore_ascii_case("x-gzip");
    encodings.next().is_none() && first.is_some_and(|encoding| is_gzip(encoding.trim()))
}

/// The body, and whether it was unpacked: an empty one has nothing to unpack, whatever its headers say.
async fn read(host: &str, mut body: Incoming, packed: bool) -> Result<(Vec<u8>, bool)> {
    let bytes_max = limits::HTTP_RESPONSE_BODY_BYTES_MAX;
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(body_too_large(host));
    }
    let (mut sent, mut plain) = (0_usize, MultiGzDecoder::new(Bounded { bytes: Vec::new(), bytes_max }));
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|error| broken(host, &error))?.into_data() else { continue };
        sent = sent.saturating_add(data.len());
        if sent > bytes_max {
            return Err(body_too_large(host));
        }
        if !packed {
            plain.get_mut().bytes.extend_from_slice(&data);
            continue;
        }
        for step in data.chunks(PACKED_STEP_BYTES) {
            plain.write_all(step).map_err(|error| unpackable(host, &error))?;
            tokio::task::yield_now().await;
        }
    }
    if packed && sent > 0 {
        plain.try_finish().map_err(|error| unpackable(host, &error))?;
    }
    Ok((std::mem::take(&mut plain.get_mut().bytes), packed && sent > 0))
}

/// Bytes up to a bound; one more fails.
struct Bounded {
    bytes: Vec<u8>,
    bytes_max: usize,
}

impl Write for Bounded {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + piece.len() > self.bytes_max {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn shown(headers: &HeaderMap, unpacked: bool) -> Vec<(String, String)> {
    let stale = |name: &HeaderName| unpacked && (name == header::CONTENT_ENCODING || name == header::CONTENT_LENGTH);
    headers
        .iter()
        .filter(|(name, _)| !OF_CONNECTION.contains(name) && !stale(name))
        .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect()
}

/// In words of our own, which hold no address.
fn broken(host: &str, error: &hyper::Error) -> Error {
    if error.is_parse_too_large() {
        return head_too_large(host);
    }
    let why = if error.is_parse() {
        "answered what is not HTTP/1.1"
    } else {
        "broke off the connection before its answer was complete"
    };
    Error::new(Kind::Overloaded, "unavailable", format!("`{host}` {why}"))
}

fn unpackable(host: &str, error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::FileTooLarge => body_too_large(host),
        _ => Error::new(Kind::Overloaded, "unavailable", format!("`{host}` answered a body that is not gzip as it says")),
    }
}

fn head_too_large(host: &str) -> Error {
    let (count, bytes) = (limits::HTTP_RESPONSE_HEADERS_MAX, limits::HTTP_RESPONSE_HEADER_BYTES_MAX);
    too_large(format!("`{host}` answered with more than {count} headers or {bytes} bytes of them"))
}

fn body_too_large(host: &str) -> Error {
    too_large(format!("`{host}` answered with a body of more than {} bytes", limits::HTTP_RESPONSE_BODY_BYTES_MAX))
}

fn too_large(message: String) -> Error {
    Error::new(Kind::RateLimited, "limit_exceeded", message)
}
