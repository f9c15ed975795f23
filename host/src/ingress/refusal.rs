//! What the platform answers in place of a script: the envelope, and nothing that a stranger should not know.

use std::borrow::Cow;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Serialize;
use serde_json::{Value, json};

use super::insert_list;
use crate::error::{Error, Kind, whole_seconds};
use crate::id::RequestId;
use crate::model::execution::{Failure, FailureCode};
use crate::model::route::PathFault;

/// An answer of the platform's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    message: Cow<'static, str>,
    /// Methods for `Allow`.
    allow: Vec<String>,
    /// What follows on the connection is not a request.
    close: bool,
    /// When to come back, seconds.
    retry_after_s: u64,
    details: Option<Value>,
}

/// A client told to come back waits this long, seconds, where nothing better is known.
const RETRY_AFTER_S: u64 = 1;

impl Refusal {
    pub(super) const UNKNOWN_HOST: Self = Self::new(StatusCode::NOT_FOUND, "not_found", "no app answers at this host");
    pub(super) const NOT_FOUND: Self = Self::new(StatusCode::NOT_FOUND, "not_found", "no route matches this path");
    pub(super) const LEAVING: Self = Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "this node is about to end");
    pub(super) const NO_DATABASE: Self =
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "this node's database is out of reach");
    pub(super) const NO_HOST: Self = Self::new(StatusCode::BAD_REQUEST, "malformed_request", "the request has no Host header");
    pub(super) const MANY_HOSTS: Self =
        Self::new(StatusCode::BAD_REQUEST, "malformed_request", "the request has more than one Host header");
    pub(super) const URI_TOO_LONG: Self =
        Self::new(StatusCode::URI_TOO_LONG, "uri_too_long", "path and query are longer than this server takes");
    pub(super) const HEADERS_TOO_LARGE: Self = Self::new(
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        "headers_too_large",
        "the request's headers are larger than this server takes",
    );
    pub(super) const REQUEST_TOO_LARGE: Self =
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "request_too_large", "the request's body is larger than this server takes")
            .closing();
    pub(super) const BODY_TIMEOUT: Self =
        Self::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", "the request's body did not come in time").closing();
    pub(super) const BODY_BROKEN: Self =
        Self::new(StatusCode::BAD_REQUEST, "malformed_request", "the request's body ended before its end or is framed wrongly")
            .closing();

    pub(super) const ASYNC_PREVIEW: Self = Self::new(
        StatusCode::CONFLICT,
        "conflict",
        "this route answers later, and what is answered later runs what is active: a preview has no such runs",
    );

    pub(super) const NOT_A_SUBSCRIBER: Self = Self::new(
        StatusCode::UNAUTHORIZED,
        "unauthenticated",
        "this topic is for those with a token: send one that is good as `authorization: Bearer …` or as the parameter `token`",
    );
    pub(super) const OTHER_TOPICS: Self =
        Self::new(StatusCode::FORBIDDEN, "forbidden", "the token is good, but not for this topic");
    pub(super) const NO_EVENT_ID: Self = Self::new(
        StatusCode::BAD_REQUEST,
        "malformed_request",
        "the id of the last event is no number: send one as a stream gave it, or none",
    );

    const fn new(status: StatusCode, code: &'static str, message: &'static str) -> Self {
        Self {
            status,
            code,
            message: Cow::Borrowed(message),
            allow: Vec::new(),
            close: false,
            retry_after_s: RETRY_AFTER_S,
            details: None,
        }
    }

    pub(super) const fn closing(mut self) -> Self {
        self.close = true;
        self
    }

    /// Says when there will be room.
    pub(super) fn after(mut self, wait: Option<Duration>) -> Self {
        self.retry_after_s = wait.map_or(RETRY_AFTER_S, whole_seconds);
        self
    }

    pub(super) fn method_not_allowed(allow: &[&str]) -> Self {
        let refusal = Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this path does not answer that method");
        Self { allow: allow.iter().copied().map(str::to_owned).collect(), ..refusal }
    }

    pub(super) fn malformed_path(fault: PathFault) -> Self {
        match fault {
            PathFault::TooLong => Self::URI_TOO_LONG,
            fault => Self::new(StatusCode::BAD_REQUEST, "malformed_path", fault.message()),
        }
    }

    /// What a stranger is told of a script's failure.
    pub(super) fn of(code: FailureCode) -> Self {
        let message = match code {
            FailureCode::ScriptError => "the script failed",
            FailureCode::InvalidResponse => "the script's answer is not a valid response",
            FailureCode::ResponseTooLarge => "the script's answer is larger than this server passes on",
            FailureCode::FuelExhausted => "the script used up its fuel",
            FailureCode::MemoryExceeded => "the script needed more memory than it may use",
            FailureCode::DeadlineExceeded => "the script did not answer in time",
            FailureCode::Overloaded => "the server is busy; try again shortly",
            FailureCode::RateLimited => "this app has had its share for now; try again later",
            FailureCode::Internal => "something of ours failed; quote the request id",
        };
        let status = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self::new(status, code.as_str(), message)
    }

    /// What is told of it to somebody who may read the log.
    pub(super) fn told(failure: Failure) -> Self {
        let code = failure.code;
        if code == FailureCode::Internal {
            return Self::of(code);
        }
        let Failure { message, script, line, column, calls, .. } = failure;
        let details = json!({ "script": script, "line": line, "column": column, "calls": calls });
        Self { message: message.into(), details: Some(details), ..Self::of(code) }
    }

    /// What somebody is told whose call could not be stored.
    pub(super) fn of_acceptance(error: &Error) -> Self {
        match error.kind {
            Kind::Overloaded => Self::of(FailureCode::Overloaded),
            Kind::NotFound => Self::NOT_FOUND,
            _ => Self::of(FailureCode::Internal),
        }
    }

    /// What somebody is told who shows nothing that opens a preview.
    pub(super) fn preview_closed(slug: &str, number: i32) -> Self {
        Self::invites("a preview is for those who may see it", slug, number)
    }

    /// The same of a link that opens nothing.
    pub(super) fn link_closed(slug: &str, number: i32) -> Self {
        Self::invites("this preview link is not good, or not any more", slug, number)
    }

    /// 401, with the way to what opens a preview.
    fn invites(found: &str, slug: &str, number: i32) -> Self {
        let operation = format!("POST /api/v1/admin/apps/{slug}/deployments/{number}/preview");
        let way = format!("make a link with `picloud preview {number}` or {operation}, and open it");
        let message = format!("{found}: {way}; or send a token of somebody with log:read as a bearer");
        Self { message: message.into(), ..Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", "") }
    }

    /// What somebody is told whom a deployment cannot be shown. They may read the app's log, or were let in by one who may more.
    pub(super) fn of_preview(error: Error) -> Self {
        let status = match error.kind {
            Kind::NotFound => StatusCode::NOT_FOUND,
            Kind::Conflict => StatusCode::CONFLICT,
            Kind::Overloaded => return Self::of(FailureCode::Overloaded),
            _ => return Self::of(FailureCode::Internal),
        };
        Self { message: error.message, ..Self::new(status, error.code, "") }
    }

    /// What somebody who hands mail in is told: it is the app's owner who set that up.
    pub(super) fn of_mail(error: Error) -> Self {
        let status = match error.kind {
            Kind::Unauthenticated => StatusCode::UNAUTHORIZED,
            Kind::NotFound => StatusCode::NOT_FOUND,
            Kind::Conflict => StatusCode::CONFLICT,
            Kind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
            Kind::Overloaded => return Self::of(FailureCode::Overloaded),
            _ => return Self::of(FailureCode::Internal),
        };
        Self { message: error.message, ..Self::new(status, error.code, "") }
    }

    pub(super) fn answer(&self, request_id: RequestId) -> Response {
        self.written(request_id).map(Body::from)
    }

    /// The same with the bytes of its body.
    pub(super) fn written(&self, request_id: RequestId) -> Response<Vec<u8>> {
        let envelope =
            Envelope { error: Told { code: self.code, message: &self.message, request_id, details: self.details.as_ref() } };
        let mut response = Response::new(serde_json::to_vec(&envelope).unwrap_or_default());
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if matches!(self.status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(self.retry_after_s));
        }
        if !self.allow.is_empty() {
            insert_list(headers, header::ALLOW, &self.allow.iter().map(String::as_str).collect::<Vec<_>>());
        }
        if self.close {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

#[derive(Serialize)]
struct Envelope<'a> {
    error: Told<'a>,
}

#[derive(Serialize)]
struct Told<'a> {
    code: &'static str,
    message: &'a str,
    request_id: RequestId,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<&'a Value>,
}
