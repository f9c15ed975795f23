//! A platform failure as a script sees it.

use super::guest::Guest;
use crate::error::{Error, Kind};
use crate::wit;

/// What a script is told of a fault of ours.
pub const FAULT_MESSAGE: &str = "something of the platform's failed; the execution id names it";

/// Maps once. A fault of ours is logged here, the first of an invocation only, and reaches the script without its cause.
pub(super) fn to_guest(error: Error, guest: &mut Guest) -> wit::Error {
    let message = error.message.to_string();
    let told = match error.kind {
        Kind::Malformed | Kind::Invalid | Kind::TooLarge | Kind::HeadersTooLarge | Kind::MethodNotAllowed => {
            wit::Error::InvalidArgument(message)
        }
        Kind::NotFound => wit::Error::NotFound(message),
        Kind::TimedOut => wit::Error::TimedOut(message),
        Kind::Unauthenticated | Kind::Forbidden => wit::Error::Denied(message),
        Kind::Conflict | Kind::PreconditionFailed => wit::Error::Conflict(message),
        Kind::RateLimited | Kind::Full => wit::Error::LimitExceeded(message),
        Kind::NotConfigured => wit::Error::NotConfigured(message),
        Kind::Overloaded => wit::Error::Unavailable(message),
        Kind::Corrupt => wit::Error::Corrupt(message),
        Kind::Internal => {
            if !guest.faulted {
                tracing::error!(error = error.source.as_deref().map(tracing::field::display), "a host call failed");
            }
            guest.faulted = true;
            wit::Error::Internal(FAULT_MESSAGE.to_owned())
        }
    };
    guest.call_fails(code(&told));
    told
}

/// As scripts know it.
fn code(error: &wit::Error) -> &'static str {
    match error {
        wit::Error::InvalidArgument(_) => "invalid_argument",
        wit::Error::Denied(_) => "denied",
        wit::Error::NotFound(_) => "not_found",
        wit::Error::Conflict(_) => "conflict",
        wit::Error::LimitExceeded(_) => "limit_exceeded",
        wit::Error::TimedOut(_) => "timed_out",
        wit::Error::Corrupt(_) => "corrupt",
        wit::Error::Unavailable(_) => "unavailable",
        wit::Error::NotConfigured(_) => "not_configured",
        wit::Error::Internal(_) => "internal",
    }
}
