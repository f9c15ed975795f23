//! A platform failure as a script sees it.

use crate::error::{Error, Kind};
use crate::wit;

/// Maps once; a fault of ours is logged here and reaches the script without its cause.
pub(super) fn to_guest(error: Error) -> wit::Error {
    let message = error.message.to_string();
    match error.kind {
        Kind::Malformed | Kind::Invalid | Kind::TooLarge | Kind::HeadersTooLarge | Kind::NotFound | Kind::MethodNotAllowed => {
            wit::Error::InvalidArgument(message)
        }
        Kind::Unauthenticated | Kind::Forbidden => wit::Error::Denied(message),
        Kind::Conflict | Kind::PreconditionFailed => wit::Error::Conflict(message),
        Kind::RateLimited => wit::Error::LimitExceeded(message),
        Kind::Overloaded => wit::Error::Unavailable(message),
        Kind::Internal => {
            tracing::error!(error = error.source.as_deref().map(tracing::field::display), "a host call failed");
            wit::Error::Internal("something of the platform's failed; the execution id names it".to_owned())
        }
    }
}
