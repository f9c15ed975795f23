//! What every answer of the control plane carries: a request id, headers that tell browsers to be careful, and the
//! envelope of an error.

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument;

use super::Api;
use super::error::Failed;
use crate::id::RequestId;

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
    let mut response = async {
        let mut response = next.run(request).await;
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
