//! CORS, an app's setting: which pages may read its answers. Scripts need not know of it; with the setting empty the
//! platform adds nothing and a script may speak for itself.
//!
//! Pages are never given a visitor's cookies: no answer allows credentials, so `*` is as safe as a public API. An app that
//! wants them leaves the setting empty and answers CORS in its scripts.

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::Response;

use super::insert_list;
use crate::limits;

/// The method that a browser asks to use, when the request is a preflight that the platform answers for the app.
pub(super) fn asked_method<'p>(origins: &[String], parts: &'p Parts) -> Option<&'p str> {
    if origins.is_empty() || parts.method != Method::OPTIONS || !parts.headers.contains_key(header::ORIGIN) {
        return None;
    }
    parts.headers.get(header::ACCESS_CONTROL_REQUEST_METHOD)?.to_str().ok().filter(|method| !method.is_empty())
}

/// The answer to a preflight, whose origin `apply` still judges. `allow` are the path's methods when the asked one is not
/// among them; a path without routes lets the request itself find out, so that the page can read the 404.
pub(super) fn preflight(origins: &[String], parts: &Parts, allow: Option<&[&str]>) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let asked = |name| parts.headers.get(name).cloned();
    let headers = response.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static("access-control-request-method, access-control-request-headers"));
    if granted(origins, parts.headers.get(header::ORIGIN)).is_none() {
        return response;
    }
    match allow {
        Some(allow) => insert_list(headers, header::ACCESS_CONTROL_ALLOW_METHODS, allow),
        None => {
            if let Some(method) = asked(header::ACCESS_CONTROL_REQUEST_METHOD) {
                headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, method);
            }
        }
    }
    if let Some(names) = asked(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names);
    }
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from(limits::CORS_MAX_AGE_S));
    response
}

/// Adds the app's CORS headers to any answer, in place of what a script may have said about origins.
pub(super) fn apply(origins: &[String], origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
    if origins.is_empty() {
        return;
    }
    headers.remove(header::ACCESS_CONTROL_ALLOW_ORIGIN);
    headers.remove(header::ACCESS_CONTROL_ALLOW_CREDENTIALS);
    if !any(origins) {
        add(headers, header::VARY, "origin");
    }
    if let Some(granted) = granted(origins, origin) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, granted);
        add(headers, header::ACCESS_CONTROL_EXPOSE_HEADERS, "x-request-id, picloud-execution-id, retry-after");
    }
}

/// Adds to a list that a script may have begun, and keeps it on one line.
pub(super) fn add(headers: &mut HeaderMap, name: HeaderName, items: &'static str) {
    let Some(begun) = headers.get_all(&name).iter().map(|value| value.as_bytes().to_vec()).reduce(joined) else {
        headers.insert(name, HeaderValue::from_static(items));
        return;
    };
    if let Ok(list) = HeaderValue::from_bytes(&joined(begun, items.into())) {
        headers.insert(name, list);
    }
}

fn joined(begun: Vec<u8>, more: Vec<u8>) -> Vec<u8> {
    [begun, more].join(&b", "[..])
}

/// What to answer as the allowed origin.
fn granted(origins: &[String], origin: Option<&HeaderValue>) -> Option<HeaderValue> {
    if any(origins) {
        return Some(HeaderValue::from_static("*"));
    }
    let origin = origin?;
    origins.iter().any(|listed| listed.as_bytes() == origin.as_bytes()).then(|| origin.clone())
}

fn any(origins: &[String]) -> bool {
    origins.iter().any(|listed| listed == "*")
}
