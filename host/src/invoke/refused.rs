//! Why an invocation was not let in, and how it ended so.

use super::ended;
use crate::fair::Full;
use crate::model::execution::{Failure, FailureCode};
use crate::model::invocation::Ended;
use crate::service::allowances::Spent;

/// Why an invocation was not let in.
pub(super) enum Refused {
    Spent(Spent),
    Full(Full),
}

impl Refused {
    /// How that is told.
    pub(super) fn ended(self, is_event: bool) -> Ended {
        let (code, message, retry_after) = match self {
            Self::Full(full) => {
                let message = "every place is taken; try again shortly".to_owned();
                (FailureCode::Overloaded, message, full.retry_after)
            }
            Self::Spent(Spent { quota, bound, retry_after }) => {
                let message = format!("the app's allowance is spent (its quota `{quota}` is {bound})");
                (FailureCode::RateLimited, message, retry_after)
            }
        };
        Ended { retry_after: Some(retry_after), ..ended(Err(Failure::new(code, message)), is_event) }
    }
}
