//! Where a platform failure becomes an answer: one envelope, one status table, one log line.
//!
//! A handler's `Failed` travels as a response extension to the edge, which alone knows the request id, writes the
//! envelope and logs the internal cause.

use std::borrow::Cow;
use std::error::Error as _;
use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::describe::Content;
use super::openapi::schemas::Schemas;
use crate::error::{Error, Kind};
use crate::id::RequestId;
use crate::limits;
use crate::model::text;

pub(crate) type Answer<T> = Result<T, Failed>;

/// An error on its way to the caller.
#[derive(Debug, Clone)]
pub(crate) struct Failed(Arc<Failure>);

#[derive(Debug)]
struct Failure {
    status: StatusCode,
    headers: HeaderMap,
    error: Error,
}

impl Failed {
    /// For the statuses that `Kind` has no word for.
    pub(crate) fn with_status(status: StatusCode, error: Error) -> Self {
        let mut headers = HeaderMap::new();
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"picloud\""));
        }
        if status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, retry_after(error.details.as_ref()));
        }
        Self(Arc::new(Failure { status, headers, error }))
    }

    pub(crate) fn unsupported_media_type(message: impl Into<Cow<'static, str>>) -> Self {
        let error = Error::new(Kind::Invalid, "unsupported_media_type", message);
        let mut failed = Self::with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE, error);
        failed.set_header(header::ACCEPT, HeaderValue::from_static("application/json"));
        failed
    }

    /// The same failure in other words, for a body of which nothing may be repeated: a place in it is all that stays.
    pub(crate) fn unquoted(self, message: &'static str) -> Self {
        let Failure { status, headers, error } = &*self.0;
        if !matches!(*status, StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY) {
            return self;
        }
        let mut told = Error::new(error.kind, error.code, message);
        if let Some(details) = error.details.as_ref().and_then(Value::as_object) {
            let place = details.iter().filter(|(key, value)| matches!(key.as_str(), "line" | "column") && value.is_number());
            told = told.with_details(place.map(|(key, value)| (key.clone(), value.clone())).collect());
        }
        Self(Arc::new(Failure { status: *status, headers: headers.clone(), error: told }))
    }

    /// A header of the answer beside the envelope.
    pub(crate) fn set_header(&mut self, name: HeaderName, value: HeaderValue) {
        // Not shared before it is an answer.
        if let Some(failure) = Arc::get_mut(&mut self.0) {
            failure.headers.insert(name, value);
        }
    }

    #[cfg(test)]
    pub(crate) fn status(&self) -> StatusCode {
        self.0.status
    }

    #[cfg(test)]
    pub(crate) fn error(&self) -> &Error {
        &self.0.error
    }

    /// Writes the envelope; an internal cause is logged here and nowhere else.
    pub(crate) fn render(&self, request_id: RequestId) -> Response {
        let Failure { status, headers, error } = &*self.0;
        if *status == StatusCode::INTERNAL_SERVER_ERROR {
            tracing::error!(request.id = %request_id, error = causes(error), "a request failed on our side");
        }
        let envelope = Envelope {
            error: Body {
                code: error.code,
                message: &text::cut(&error.message, limits::API_ERROR_MESSAGE_BYTES_MAX),
                request_id,
                details: error.details.as_ref(),
            },
        };
        let mut response = (*status, axum::Json(envelope)).into_response();
        response.headers_mut().extend(headers.clone());
        response
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::with_status(status(error.kind), error)
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let mut response = self.0.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// The answer to a known path with another method; axum adds `Allow`.
/// What a node that does not administrate says to everything else.
pub(crate) async fn no_administration() -> Failed {
    Error::new(Kind::NotFound, "not_found", "this node does not administrate (its roles are without api): ask another one").into()
}

pub(crate) async fn method_not_allowed() -> Failed {
    Error::new(Kind::MethodNotAllowed, "method_not_allowed", "this path does not answer that method; see the Allow header").into()
}

fn status(kind: Kind) -> StatusCode {
    match kind {
        Kind::Malformed => StatusCode::BAD_REQUEST,
        Kind::Unauthenticated => StatusCode::UNAUTHORIZED,
        Kind::Forbidden => StatusCode::FORBIDDEN,
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Kind::Conflict => StatusCode::CONFLICT,
        Kind::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
        Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Kind::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        Kind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        Kind::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        Kind::Internal | Kind::Corrupt => StatusCode::INTERNAL_SERVER_ERROR,
        Kind::NotConfigured => StatusCode::NOT_IMPLEMENTED,
        Kind::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
        Kind::Full => StatusCode::INSUFFICIENT_STORAGE,
        Kind::TimedOut => StatusCode::GATEWAY_TIMEOUT,
    }
}

/// `retry_after_s` of the details when the failure knows, else a second.
fn retry_after(details: Option<&Value>) -> HeaderValue {
    let seconds = details.and_then(|d| d.get("retry_after_s")).and_then(Value::as_u64).unwrap_or(1);
    HeaderValue::from(seconds)
}

fn causes(error: &Error) -> String {
    let mut text = error.code.to_owned();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

/// A failure of the platform's own, on either plane.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Error")]
struct Envelope<'a> {
    error: Body<'a>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
struct Body<'a> {
    /// Stable, snake_case: for programs.
    code: &'a str,
    /// For people: what is wrong, where, and how to mend it.
    message: &'a str,
    /// That of the header `x-request-id`.
    request_id: RequestId,
    /// What the message speaks of, for programs: the field, the other thing, the bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "serde_json::Map<String, Value>")]
    details: Option<&'a Value>,
}

/// The envelope as the API's description has it.
pub(super) fn described(schemas: &mut Schemas) -> Content {
    schemas.answer::<Envelope<'static>>()
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use http_body_util::BodyExt;
    use serde_json::json;

    use super::*;

    async fn envelope(failed: Failed) -> (StatusCode, HeaderMap, Value) {
        let response = failed.render(RequestId::at(DateTime::UNIX_EPOCH));
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        (parts.status, parts.headers, serde_json::from_slice(&bytes).unwrap())
    }

    #[tokio::test]
    async fn the_cause_of_an_internal_error_stays_inside() {
        let (status, _, body) = envelope(Error::internal("password of the database is hunter2").into()).await;
        assert_eq!(status, 500);
        assert_eq!(body["error"]["code"], "internal");
        assert!(body["error"]["request_id"].is_string());
        assert!(!body.to_string().contains("hunter2"));
    }

    #[tokio::test]
    async fn details_are_given_and_absent_details_are_left_out() {
        let (status, _, body) = envelope(Error::conflict("taken", json!({ "id": 7 })).into()).await;
        assert_eq!((status.as_u16(), &body["error"]["details"]["id"]), (409, &json!(7)));
        let (_, _, body) = envelope(Error::not_found("app").into()).await;
        assert!(body["error"].get("details").is_none());
    }

    #[tokio::test]
    async fn what_a_caller_sent_is_not_sent_back_whole() {
        let (_, _, body) = envelope(Error::invalid("kind", "é".repeat(1 << 20)).into()).await;
        assert!(body["error"]["message"].as_str().unwrap().len() < limits::API_ERROR_MESSAGE_BYTES_MAX + 4);
    }

    #[tokio::test]
    async fn a_full_node_says_when_to_come_back() {
        let full = Error::new(Kind::Overloaded, "overloaded", "full").with_details(json!({ "retry_after_s": 3 }));
        let (status, headers, _) = envelope(full.into()).await;
        assert_eq!((status.as_u16(), &headers["retry-after"]), (503, &HeaderValue::from(3)));
    }

    #[tokio::test]
    async fn unauthenticated_names_the_scheme() {
        let (_, headers, _) = envelope(Error::new(Kind::Unauthenticated, "unauthenticated", "log in").into()).await;
        assert!(headers["www-authenticate"].to_str().unwrap().starts_with("Bearer"));
    }
}
