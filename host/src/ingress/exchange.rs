//! A request as a script sees it, and a script's answer as a client does.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::ConnectInfo;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use http_body_util::BodyExt;
use hyper::body::SizeHint;
use tokio::time::timeout;

use super::credentials;
use super::refusal::Refusal;
use super::{EXECUTION_ID, REQUEST_ID};
use crate::fair::{Ask, Fair, Place};
use crate::limits;
use crate::model::execution::FailureCode;
use crate::model::invocation::{Answer, Request};
use crate::model::route::AppTable;

/// The request for a script: without the platform's credentials and what concerns the connection only.
pub(super) fn request(parts: &Parts, params: Vec<(String, String)>, rest: Option<String>, body: Vec<u8>) -> Request {
    Request {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        params,
        rest,
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: headers_for_script(&parts.headers),
        body,
        remote_addr: remote_addr(parts),
    }
}

/// Room for the body among all that are held at once.
///
/// # Errors
/// 503 when there is none within a bounded wait.
pub(super) async fn admit_body(room: &Fair, app: &AppTable, body: &SizeHint, bytes_max: usize) -> Result<Option<Place>, Refusal> {
    let most = body.upper().and_then(|bytes| usize::try_from(bytes).ok());
    let bytes = most.unwrap_or(usize::MAX).min(bytes_max);
    if bytes <= limits::REQUEST_BODY_BYTES_FREE {
        return Ok(None);
    }
    hold(room, app, bytes).await.map(Some).map_err(Refusal::closing)
}

/// Room for an answer among all that are being taken.
///
/// # Errors
/// 503 when there is none within a bounded wait.
pub(super) async fn admit_answer(room: &Fair, app: &AppTable, bytes: usize) -> Result<Option<Place>, Refusal> {
    if bytes <= limits::ANSWER_BYTES_FREE {
        return Ok(None);
    }
    hold(room, app, bytes).await.map(Some)
}

/// The app's share of the bytes that are held for all.
async fn hold(room: &Fair, app: &AppTable, bytes: usize) -> Result<Place, Refusal> {
    let class = usize::from(bytes <= limits::ORDINARY_BODY_BYTES);
    let ask = Ask { app: app.app_id, class, bytes: bytes as u64, held_max: usize::MAX, weight: app.quota.weight };
    let held = room.enter(ask, Duration::from_millis(limits::REQUEST_BODIES_WAIT_MS)).await;
    held.map_err(|full| Refusal::of(FailureCode::Overloaded).after(Some(full.retry_after)))
}

/// Reads the body whole.
///
/// # Errors
/// 413 past `bytes_max`, at once when the length is announced; 408 when it does not come in time; 400 when it is
/// cut short.
pub(super) async fn read_body(parts: &Parts, mut body: Body, bytes_max: usize) -> Result<Vec<u8>, Refusal> {
    if body.is_end_stream() {
        return Ok(Vec::new());
    }
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced <= bytes_max {
        let time = Duration::from_millis(limits::REQUEST_BODY_TIMEOUT_MS);
        match timeout(time, collect(&mut body, announced, bytes_max)).await {
            Err(_) => return Err(Refusal::BODY_TIMEOUT),
            Ok(Ok(Some(bytes))) => return Ok(bytes),
            Ok(Ok(None)) => {}
            Ok(Err(_)) => return Err(Refusal::BODY_BROKEN),
        }
    }
    // A client in the midst of sending would not see the answer. One that waits to be told to go on has sent nothing.
    if announced <= limits::REQUEST_DRAIN_BYTES_MAX && !parts.headers.contains_key(header::EXPECT) {
        let _ = timeout(Duration::from_millis(limits::REQUEST_DRAIN_MS), drain(&mut body)).await;
    }
    Err(Refusal::REQUEST_TOO_LARGE)
}

/// 202: what came is stored, and will be handled.
pub(super) fn accepted(told: &serde_json::Value) -> Response {
    let mut response = Response::new(Body::from(told.to_string()));
    *response.status_mut() = StatusCode::ACCEPTED;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The script's answer, which the tenant whose name is `own_host` gives. What the platform says itself is left out of it:
/// framing, connection, ids, its cookies.
///
/// # Errors
/// 502 for what the sandbox should not have let through.
pub(super) fn answer(answer: Answer, own_host: &str) -> Result<Response, Refusal> {
    let invalid = || Refusal::of(FailureCode::InvalidResponse);
    let status =
        StatusCode::from_u16(answer.status).ok().filter(|status| (200..600).contains(&status.as_u16())).ok_or_else(invalid)?;
    if answer.body.len() > limits::RESPONSE_BODY_BYTES_CEILING {
        return Err(Refusal::of(FailureCode::ResponseTooLarge));
    }
    let bodiless = matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED);
    let mut response = Response::new(if bodiless { Body::empty() } else { Body::from(answer.body) });
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.reserve(answer.headers.len() + 4);
    for (name, value) in answer.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid())?;
        if Request::is_of_connection(name.as_str()) || name == header::CONTENT_LENGTH || is_platforms(&name) {
            continue;
        }
        let value = if name == header::SET_COOKIE {
            let Some(cookie) = credentials::cookie_from_script(&value, own_host) else { continue };
            HeaderValue::from_str(&cookie)
        } else {
            HeaderValue::try_from(value)
        }
        .map_err(|_| invalid())?;
        if name == header::CONTENT_TYPE {
            headers.insert(name, value);
        } else {
            headers.append(name, value);
        }
    }
    headers.entry(header::X_CONTENT_TYPE_OPTIONS).or_insert(HeaderValue::from_static("nosniff"));
    Ok(response)
}

/// `None` when the body is larger than it may be.
async fn collect(body: &mut Body, announced: usize, bytes_max: usize) -> Result<Option<Vec<u8>>, axum::Error> {
    let mut bytes = Vec::with_capacity(announced);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        if bytes.len() + data.len() > bytes_max {
            return Ok(None);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(Some(bytes))
}

async fn drain(body: &mut Body) {
    let mut left = limits::REQUEST_DRAIN_BYTES_MAX;
    while let Some(Ok(frame)) = body.frame().await {
        let bytes = frame.data_ref().map_or(0, |data| data.len());
        match left.checked_sub(bytes) {
            Some(less) => left = less,
            None => return,
        }
    }
}

/// Lower-case names; values of one name joined. Values that are not UTF-8 keep what is.
fn headers_for_script(headers: &HeaderMap) -> Vec<(String, String)> {
    let mut seen: Vec<(String, String)> = Vec::with_capacity(headers.keys_len());
    let connection = headers.contains_key(header::CONNECTION);
    // The map gives the values of one name one after the other.
    for (name, value) in headers {
        if Request::is_of_connection(name.as_str())
            || name.as_str().starts_with("picloud-")
            || (connection && is_named_by_connection(headers, name))
        {
            continue;
        }
        let value = String::from_utf8_lossy(value.as_bytes());
        let (value, separator) = if name == header::COOKIE {
            match credentials::cookies_for_script(&value) {
                Some(cookies) => (cookies.into_owned(), "; "),
                None => continue,
            }
        } else if name == header::AUTHORIZATION && credentials::is_platform_authorization(&value) {
            continue;
        } else {
            (value.into_owned(), ", ")
        };
        match seen.last_mut() {
            Some((last, values)) if last == name.as_str() => {
                values.push_str(separator);
                values.push_str(&value);
            }
            _ => seen.push((name.as_str().to_owned(), value)),
        }
    }
    seen
}

/// Headers that a client may also declare to concern the connection only. Never `host`: the request is for it.
fn is_named_by_connection(headers: &HeaderMap, name: &HeaderName) -> bool {
    let named = |value: &HeaderValue| {
        value.to_str().is_ok_and(|names| names.split(',').any(|named| named.trim().eq_ignore_ascii_case(name.as_str())))
    };
    name != header::HOST && headers.get_all(header::CONNECTION).iter().any(named)
}

/// Headers of an answer that only the platform writes.
fn is_platforms(name: &HeaderName) -> bool {
    *name == REQUEST_ID || *name == EXECUTION_ID || name.as_str().starts_with("picloud-")
}

fn remote_addr(parts: &Parts) -> String {
    let caller = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    caller.map(|ConnectInfo(caller)| caller.ip().to_string()).unwrap_or_default()
}
