//! Mail that comes in: a signed request to a path of the app's host becomes an event for its trigger.
//!
//! The request is a POST of JSON with the header `picloud-signature: t=<seconds since 1970>,v1=<hex>`, where the hex is HMAC-SHA-256
//! (RFC 2104) of `<t>.<body>` under the app's secret that the trigger names. It is refused when it is older, or newer, than
//! `EMAIL_SIGNATURE_S`. A `message_id` that came within that time already adds nothing.

use crate::id::TriggerId;

/// Where an app takes mail in for that trigger.
pub fn path(trigger: TriggerId) -> String {
    format!("/.well-known/picloud/email/{trigger}")
}
