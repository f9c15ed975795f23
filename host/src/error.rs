//! The one error of the platform's own failures. A script's failure is data (`model::execution::Failure`), not this.
//!
//! `message` and `details` may be shown to the caller; `source` never leaves the process and is logged once,
//! where the error is mapped to a transport.

use std::borrow::Cow;

use serde_json::Value;

/// Which answer an error is, on any transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The bytes could not be read as what they claim to be (400).
    Malformed,
    /// No credential, or one that is not valid (401).
    Unauthenticated,
    /// A known principal without the right (403).
    Forbidden,
    /// Not there, or not yours (404).
    NotFound,
    /// The path exists, not with this method (405).
    MethodNotAllowed,
    /// Something of that name or shape is already there (409).
    Conflict,
    /// `If-Match` named another state (412).
    PreconditionFailed,
    /// More bytes than the bound (413).
    TooLarge,
    /// More header bytes than the bound (431).
    HeadersTooLarge,
    /// Understood, and refused for what it says (422).
    Invalid,
    /// An allowance is spent (429).
    RateLimited,
    /// Ours (500); the caller sees an id only.
    Internal,
    /// Full for now (503).
    Overloaded,
    /// No room is left of what an app may have (507).
    Full,
    /// What was waited for did not come in time (504).
    TimedOut,
    /// What was stored is damaged (500); logged where it was found.
    Corrupt,
    /// What it needs is not set up here (501).
    NotConfigured,
}

/// A platform failure: an external text apart from the internal cause.
#[derive(Debug, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Error {
    pub kind: Kind,
    /// Stable, snake_case, part of the contract.
    pub code: &'static str,
    /// For the caller: what is wrong, where, and how to mend it.
    pub message: Cow<'static, str>,
    /// For the caller's program.
    pub details: Option<Value>,
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub fn new(kind: Kind, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, code, message: message.into(), details: None, source: None }
    }

    /// 404 `not_found`: `what` is a noun ("script", "app").
    pub fn not_found(what: &str) -> Self {
        Self::new(Kind::NotFound, "not_found", format!("no such {what}"))
    }

    /// 422 `invalid`, naming the field.
    pub fn invalid(field: &str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Invalid, "invalid", message).with_details(serde_json::json!({ "field": field }))
    }

    /// 409 `conflict`; `details` name the other thing.
    pub fn conflict(message: impl Into<Cow<'static, str>>, details: Value) -> Self {
        Self::new(Kind::Conflict, "conflict", message).with_details(details)
    }

    /// 412 `precondition_failed`: `what` (a noun) is in another state than `If-Match` named; `current` is the tag of that one.
    pub fn changed_meanwhile(what: &str, current: impl Into<Value>) -> Self {
        let message = format!("the {what} has changed since it was read; read it again");
        let current: Value = current.into();
        Self::new(Kind::PreconditionFailed, "precondition_failed", message)
            .with_details(serde_json::json!({ "current": current }))
    }

    /// 507 `quota_exceeded`: the app's quota `quota` is used up. `message` says how to mend it.
    pub fn quota(quota: &str, bound: u64, message: impl Into<Cow<'static, str>>) -> Self {
        let details = serde_json::json!({ "quota": quota, "bound": bound });
        Self::new(Kind::Full, "quota_exceeded", message).with_details(details)
    }

    /// The same, 429 `rate_limited`: more of it comes with time.
    pub fn rate(quota: &str, bound: u64, wait: std::time::Duration, message: impl Into<Cow<'static, str>>) -> Self {
        let details = serde_json::json!({ "quota": quota, "bound": bound, "retry_after_s": whole_seconds(wait) });
        Self::new(Kind::RateLimited, "rate_limited", message).with_details(details)
    }

    /// 500 `internal`: `context` is for the log, the caller sees neither.
    pub fn internal(context: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self {
            source: Some(context.into()),
            ..Self::new(Kind::Internal, "internal", "something of ours failed; quote the request id")
        }
    }

    #[must_use]
    pub fn with_details(mut self, details: Value) -> Self {
        self.details = Some(details);
        self
    }
}

/// A wait as `Retry-After` has it: rounded up, because who comes a moment too early is refused again, and never none.
pub fn whole_seconds(wait: std::time::Duration) -> u64 {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        // lock_not_available: somebody else holds it for longer than this was to wait.
        if error.as_database_error().and_then(|error| error.code()).as_deref() == Some("55P03") {
            let busy = Self::new(Kind::Overloaded, "overloaded", "something else is changing this just now; try again shortly");
            return Self { source: Some(Box::new(error)), ..busy };
        }
        Self::internal(error)
    }
}
