//! Mail that scripts send.

use super::Services;
use crate::egress::smtp::Letter;
use crate::error::{Error, Kind, Result};
use crate::id::{AppId, MessageId};
use crate::model::email::{self, Message};
use crate::model::grant::{Capability, Need};

/// Hands a message to the node's relay on the app's behalf, under what it grants at this moment, and answers the message's id
/// as its header has it. Sent at once: what returns was taken by the relay, for all recipients; what fails was not, unless
/// the error says that it may have been.
///
/// # Errors
/// 501 `not_configured` without a relay. 422 `invalid` as of [`Message::check`]; without a sender, where the node has none
/// either. 403 `denied` for a sender that is not granted. 429 `rate_limited`. 404 when the app is gone. Others as of `egress::smtp::Relay::send`.
pub async fn send(s: &Services, app: AppId, message: Message) -> Result<String> {
    let relay = s.mail.as_ref().ok_or_else(|| {
        let message = "this node has no mail relay; its owner names one with PICLOUD_SMTP_URL";
        Error::new(Kind::NotConfigured, "not_configured", message)
    })?;
    message.check()?;
    let from = message.from.as_deref().or(relay.default_sender()).ok_or_else(|| {
        Error::invalid("from", "the message names no sender and this node has none of its own (PICLOUD_SMTP_FROM); give `from`")
    })?;
    let table = s.routing.current().app_by_id(app).cloned().ok_or_else(|| Error::not_found("app"))?;
    table.grants.require(&Need::new(Capability::Email, &email::comparable(from)), &table.slug)?;
    let now = s.now();
    s.allowances.go_out(app, &table.quota, now)?;
    relay.send(app, Letter { message: &message, from, id: MessageId::at(now).0, now }).await
}
