//! Mail that comes in: a signed request to a path of the app's host becomes an event for its trigger.
//!
//! The request is a POST of JSON with the header `picloud-signature: t=<seconds since 1970>,v1=<hex>`, where the hex is HMAC-SHA-256
//! (RFC 2104, FIPS 180-4) of `<t>.<body>` under the app's secret that the trigger names. It counts for `EMAIL_SIGNATURE_S` before and
//! after its time. A message id that came lately, or the same signature where there is none, adds nothing and gives the first
//! one's event.

use chrono::{DateTime, Duration, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Services;
use super::events::about;
use crate::error::{Error, Kind, Result};
use crate::id::{AppId, EventId, RequestId, TriggerId};
use crate::limits;
use crate::model::event::{NewEvent, Origin, Source, Target};
use crate::model::text;
use crate::model::trigger::{Rule, State};
use crate::store;

/// The header that a request is signed in.
pub const SIGNATURE: &str = "picloud-signature";
const PATH: &str = "/.well-known/picloud/email/";

/// Where an app takes mail in for that trigger, on its own host.
pub fn path(trigger: TriggerId) -> String {
    format!("{PATH}{trigger}")
}

/// 422 for a path of a route that the platform answers itself.
pub(super) fn leave_free(path: &str) -> Result<()> {
    if trigger_of(path).is_none() {
        return Ok(());
    }
    let message = "path is below one that the platform answers itself: mail comes in there; choose another";
    Err(Error::invalid("path", message))
}

/// The trigger that a path is of; none when it is another path.
pub fn trigger_of(path: &str) -> Option<Option<TriggerId>> {
    path.strip_prefix(PATH).map(|id| id.parse().ok())
}

/// A message as it is handed in.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    from: String,
    to: Addresses,
    #[serde(default)]
    cc: Addresses,
    #[serde(default)]
    subject: String,
    text: Option<String>,
    html: Option<String>,
    message_id: Option<String>,
}

/// One or several.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Addresses {
    One(String),
    Several(Vec<String>),
}

impl Default for Addresses {
    fn default() -> Self {
        Self::Several(Vec::new())
    }
}

impl Addresses {
    fn list(self) -> Vec<String> {
        match self {
            Self::One(address) => vec![address],
            Self::Several(addresses) => addresses,
        }
    }
}

/// What a handler sees of it.
#[derive(Serialize)]
struct About {
    from: String,
    to: Vec<String>,
    cc: Vec<String>,
    subject: String,
    text: Option<String>,
    html: Option<String>,
    message_id: Option<String>,
    received_at: DateTime<Utc>,
}

/// Takes a request in; its event. 404 when the app has no such trigger; 401 for a signature that is missing, wrong, or of another
/// time; 409 `not_active`; 422 naming what in the body is none.
pub async fn receive(
    s: &Services,
    app: AppId,
    trigger: TriggerId,
    request_id: RequestId,
    signature: Option<&str>,
    body: &[u8],
) -> Result<EventId> {
    let found = store::triggers::get(&mut *s.script_db.acquire().await?, app, trigger).await?;
    let found = found.ok_or_else(|| Error::not_found("mailbox"))?;
    let Rule::Email { secret } = &found.rule else { return Err(Error::not_found("mailbox")) };
    let now = s.now();
    let secret = super::secrets::get(s, app, secret).await?;
    let signed = Signature::read(signature.unwrap_or_default()).filter(|signed| signed.is_of(now));
    let is_right = signed.as_ref().zip(secret).is_some_and(|(signed, secret)| signed.covers(body, secret.expose().as_bytes()));
    let Some(signed) = signed.filter(|_| is_right) else { return Err(unsigned()) };
    if found.state != State::Active {
        let message = "nothing takes this mail in at the moment: its trigger is not active";
        return Err(Error::new(Kind::Conflict, "not_active", message));
    }
    let message: Message = serde_json::from_slice(body).map_err(|wrong| {
        let message = format!("the body is not a message: {wrong}");
        Error::invalid("body", text::cut(&message, limits::API_ERROR_MESSAGE_BYTES_MAX).into_owned())
    })?;
    let key = message.message_id.as_deref().unwrap_or(&signed.hex);
    let key = text::hex(&Sha256::digest(key.as_bytes()));
    let event = NewEvent {
        id: EventId::at(now),
        app_id: app,
        source: Source::Email,
        op: "receive",
        at: now,
        origin: Origin::of(request_id),
        about: about(&About {
            from: message.from,
            to: message.to.list(),
            cc: message.cc.list(),
            subject: message.subject,
            text: message.text,
            html: message.html,
            message_id: message.message_id,
            received_at: now,
        })?,
        name: "*".to_owned(),
        due_at: now,
        target: Target::Trigger(trigger),
    };
    let expires_at = now + Duration::seconds(2 * limits::EMAIL_SIGNATURE_S);
    super::queues::append_once(s, None, now, &format!("email {trigger}"), &key, expires_at, &event).await
}

fn unsigned() -> Error {
    let message = format!(
        "sign the request: {SIGNATURE}: t=<seconds since 1970>,v1=<hex of HMAC-SHA-256 of `t.body` under the secret of the trigger>, within {} s",
        limits::EMAIL_SIGNATURE_S
    );
    Error::new(Kind::Unauthenticated, "unauthenticated", message)
}

struct Signature {
    at_s: i64,
    hex: String,
    mac: Vec<u8>,
}

impl Signature {
    fn read(header: &str) -> Option<Self> {
        let field = |name: &str| {
            header.split(',').find_map(|field| field.trim().strip_prefix(name).and_then(|rest| rest.strip_prefix('=')))
        };
        let hex = field("v1")?.to_ascii_lowercase();
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let byte = |pair: &[u8]| Some(digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?);
        let mac = hex.as_bytes().chunks(2).map(byte).collect::<Option<Vec<u8>>>()?;
        Some(Self { at_s: field("t")?.parse().ok()?, hex, mac })
    }

    fn is_of(&self, now: DateTime<Utc>) -> bool {
        now.timestamp().abs_diff(self.at_s) <= limits::EMAIL_SIGNATURE_S.unsigned_abs()
    }

    fn covers(&self, body: &[u8], secret: &[u8]) -> bool {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else { return false };
        mac.update(self.at_s.to_string().as_bytes());
        mac.update(b".");
        mac.update(body);
        mac.verify_slice(&self.mac).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(t: i64, body: &[u8], secret: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
        mac.update(format!("{t}.").as_bytes());
        mac.update(body);
        format!("t={t},v1={}", text::hex(&mac.finalize().into_bytes()))
    }

    #[test]
    fn a_signature_covers_its_time_and_its_body() {
        let header = signed(7, b"{}", b"key");
        let read = Signature::read(&header).unwrap();
        assert!(read.covers(b"{}", b"key"));
        assert!(!read.covers(b"{ }", b"key") && !read.covers(b"{}", b"kez"));
        let moved = Signature::read(&header.replace("t=7", "t=8")).unwrap();
        assert!(!moved.covers(b"{}", b"key"));
    }

    #[test]
    fn a_signature_counts_for_its_time() {
        let at = |seconds: i64| DateTime::from_timestamp(seconds, 0).unwrap();
        let read = Signature::read("t=1000,v1=00").unwrap();
        let span = limits::EMAIL_SIGNATURE_S;
        assert!(read.is_of(at(1_000 + span)) && read.is_of(at(1_000 - span)));
        assert!(!read.is_of(at(1_001 + span)) && !read.is_of(at(999 - span)));
    }

    #[test]
    fn what_is_no_signature_is_none() {
        for wrong in ["", "t=1", "v1=00", "t=x,v1=00", "t=1,v1=0", "t=1,v1=zz", "t=1,v1=é"] {
            assert!(Signature::read(wrong).is_none(), "{wrong}");
        }
        assert!(Signature::read(" v1=AB , t=-5").is_some());
    }

    #[test]
    fn a_path_names_its_trigger() {
        let id = TriggerId(uuid::Uuid::from_u128(7));
        assert_eq!(trigger_of(&path(id)), Some(Some(id)));
        assert_eq!(trigger_of("/.well-known/picloud/email/x"), Some(None));
        assert_eq!(trigger_of("/.well-known/picloud"), None);
    }
}
