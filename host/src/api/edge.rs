//! What every answer of the control plane carries: a request id, headers that tell browsers to be careful, and the
//! envelope of an error. And what a client sent in vain is read to its end here, so that it meets its answer.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use http_body_util::BodyExt;
use tokio::sync::Mutex;
use tracing::Instrument;

use super::Api;
use super::error::{Answer, Failed};
use crate::error::{Error, Kind};
use crate::id::RequestId;
use crate::limits;

pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Nothing of ours is framed, loaded by another origin, or guessed to be of another type. The first two are for answers
/// that did not choose for themselves: the dashboard brings its own.
const DEFAULTS: [(HeaderName, HeaderValue); 7] = [
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];

pub(super) async fn wrap(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    let request_id = RequestId::at(api.services.clock.now());
    request.extensions_mut().insert(request_id);
    let span = tracing::info_span!("api", request.id = %request_id, method = %request.method(), path = request.uri().path());
    let (request, unread) = hold_body(request);
    let mut response = async {
        let mut response = match one_host(&request).and_then(|()| bounded_headers(&request)) {
            Ok(()) => next.run(request).await,
            Err(failed) => failed.into_response(),
        };
        if let Some(body) = unread {
            let _ = tokio::time::timeout(Duration::from_millis(limits::REQUEST_DRAIN_MS), drain(&body)).await;
        }
        if let Some(failed) = response.extensions_mut().remove::<Failed>() {
            let mut rendered = failed.render(request_id);
            // Headers around the envelope, such as `Allow`, were set further in.
            for (name, value) in response.headers() {
                rendered.headers_mut().entry(name).or_insert_with(|| value.clone());
            }
            response = rendered;
        }
        tracing::debug!(status = response.status().as_u16(), "answered");
        response
    }
    .instrument(span)
    .await;
    let headers = response.headers_mut();
    for (name, value) in DEFAULTS {
        headers.entry(name).or_insert(value);
    }
    if let Ok(value) = HeaderValue::try_from(request_id.to_string()) {
        headers.insert(REQUEST_ID, value);
    }
    response
}

/// Two hosts are two requests in one: a proxy in front may have judged the other.
fn one_host(request: &Request) -> Answer<()> {
    if request.headers().get_all(header::HOST).iter().nth(1).is_some() {
        return Err(Error::new(Kind::Malformed, "malformed_request", "the request has more than one Host header").into());
    }
    Ok(())
}

fn bounded_headers(request: &Request) -> Answer<()> {
    let bytes: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if bytes > limits::REQUEST_HEADER_BYTES_MAX {
        let message = format!("the request's headers are {bytes} bytes: at most {} are taken", limits::REQUEST_HEADER_BYTES_MAX);
        return Err(Error::new(Kind::HeadersTooLarge, "headers_too_large", message).into());
    }
    Ok(())
}

type HeldBody = Arc<Mutex<Body>>;

/// Keeps hold of a body, so that what a handler leaves unread can be read after it: a client in the midst of sending
/// would not see its answer. One that waits to be told to go on has sent nothing, and one that announces more than is
/// ever drained is not waited for.
fn hold_body(request: Request) -> (Request, Option<HeldBody>) {
    let announced = usize::try_from(request.body().size_hint().lower()).unwrap_or(usize::MAX);
    let waits = request.headers().contains_key(header::EXPECT);
    if request.body().is_end_stream() || waits || announced > limits::REQUEST_DRAIN_BYTES_MAX {
        return (request, None);
    }
    let (parts, body) = request.into_parts();
    let held = Arc::new(Mutex::new(body));
    let body = stream::unfold(held.clone(), |held| async move { Some((next_bytes(&held).await?, held)) });
    (Request::from_parts(parts, Body::from_stream(body)), Some(held))
}

async fn next_bytes(held: &HeldBody) -> Option<Result<Bytes, axum::Error>> {
    let frame = held.lock().await.frame().await?;
    // Trailers are nothing to us.
    Some(frame.map(|frame| frame.into_data().unwrap_or_default()))
}

async fn drain(held: &HeldBody) {
    let mut left = limits::REQUEST_DRAIN_BYTES_MAX;
    while let Some(Ok(bytes)) = next_bytes(held).await {
        match left.checked_sub(bytes.len()) {
            Some(less) => left = less,
            None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(body: Vec<u8>) -> Request {
        Request::post("/").body(Body::from(body)).unwrap()
    }

    #[tokio::test]
    async fn what_a_handler_leaves_unread_is_read_after_it() {
        let (request, held) = hold_body(request(vec![7; 1000]));
        drop(request);
        let held = held.unwrap();
        drain(&held).await;
        assert!(next_bytes(&held).await.is_none());
    }

    #[tokio::test]
    async fn a_handler_reads_the_body_as_it_came() {
        let (request, held) = hold_body(request(vec![7; 1000]));
        assert_eq!(request.into_body().collect().await.unwrap().to_bytes(), vec![7; 1000]);
        assert!(next_bytes(&held.unwrap()).await.is_none());
    }

    #[test]
    fn bodies_that_nobody_sends_are_not_waited_for() {
        assert!(hold_body(request(Vec::new())).1.is_none());
        assert!(hold_body(request(vec![0; limits::REQUEST_DRAIN_BYTES_MAX + 1])).1.is_none());
        let mut waiting = request(vec![0; 9]);
        waiting.headers_mut().insert(header::EXPECT, HeaderValue::from_static("100-continue"));
        assert!(hold_body(waiting).1.is_none());
    }
}
