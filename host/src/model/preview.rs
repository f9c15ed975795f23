//! Previews: a deployment at a host name of its own, `v7--hello.{apps domain}`, and the links that let people see it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use crate::error::{Error, Result};
use crate::id::AppId;
use crate::limits;

/// The query parameter of a link, and the cookie that it leaves.
pub const NAME: &str = "picloud_preview";

/// What a link says, and its seal vouches for: until then it lets people see this deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    pub app_id: AppId,
    pub number: i32,
    /// In whole seconds.
    pub expires_at: DateTime<Utc>,
}

impl Claim {
    /// Of that many seconds from now; 422 outside `PREVIEW_LINK_S_MIN` to `PREVIEW_LINK_S_MAX`.
    pub fn new(app_id: AppId, number: i32, now: DateTime<Utc>, expires_in_s: Option<i64>) -> Result<Self> {
        let asked = expires_in_s.unwrap_or(limits::PREVIEW_LINK_S_DEFAULT);
        let (least, most) = (limits::PREVIEW_LINK_S_MIN, limits::PREVIEW_LINK_S_MAX);
        if !(least..=most).contains(&asked) {
            let message = format!("expires_in_s is {asked}; a preview link admits for {least} to {most} seconds");
            let details = json!({ "field": "expires_in_s", "asked": asked, "least": least, "most": most });
            return Err(Error::invalid("expires_in_s", message).with_details(details));
        }
        let expires_at = DateTime::from_timestamp(now.timestamp(), 0).unwrap_or(now) + TimeDelta::seconds(asked);
        Ok(Self { app_id, number, expires_at })
    }

    /// What is sealed. Every part is of fixed length, so no two claims read the same.
    pub fn message(&self) -> Vec<u8> {
        let (number, until) = (self.number.to_le_bytes(), self.expires_at.timestamp().to_le_bytes());
        [&b"picloud preview 1\0"[..], self.app_id.0.as_bytes(), &number, &until].concat()
    }

    /// The link's token: letters that a URL and a cookie take as they are.
    pub fn token(&self, seal: &[u8]) -> String {
        format!("{}.{}", self.expires_at.timestamp(), URL_SAFE_NO_PAD.encode(seal))
    }
}

/// What a token claims of this deployment, and the seal that it shows; nothing for what is no token. Whether it admits is for
/// whoever knows the seal and the time.
pub fn read_token(token: &str, app_id: AppId, number: i32) -> Option<(Claim, Vec<u8>)> {
    if token.len() > limits::PREVIEW_TOKEN_BYTES_MAX {
        return None;
    }
    let (until, seal) = token.split_once('.')?;
    let until = until.bytes().all(|byte| byte.is_ascii_digit()).then(|| until.parse().ok())??;
    let expires_at = DateTime::from_timestamp(until, 0)?;
    Some((Claim { app_id, number, expires_at }, URL_SAFE_NO_PAD.decode(seal).ok()?))
}

/// The label under which a deployment of the app with this slug is shown. 409 where the DNS has no room for it.
pub fn label(number: i32, slug: &str) -> Result<String> {
    let label = format!("v{number}--{slug}");
    let (length, most) = (label.len(), limits::APP_SLUG_CHARS_MAX);
    if length > most {
        let message =
            format!("{label} has {length} characters, a label of a host name at most {most}: give the app a shorter slug");
        return Err(Error::conflict(message, json!({ "field": "slug", "label": label })));
    }
    Ok(label)
}

/// The deployment's number and the app's slug in a label that names both; `v7--hello` → 7, `hello`.
pub fn read_label(label: &str) -> Option<(i32, &str)> {
    let (number, slug) = parts(label)?;
    let number = (!number.starts_with('0')).then(|| number.parse().ok())??;
    (!slug.is_empty()).then_some((number, slug))
}

/// Whether a slug would read as a label of some app's deployment.
pub fn is_like_label(slug: &str) -> bool {
    parts(slug).is_some()
}

fn parts(label: &str) -> Option<(&str, &str)> {
    let (number, slug) = label.strip_prefix('v')?.split_once("--")?;
    (!number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())).then_some((number, slug))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const APP: AppId = AppId(Uuid::from_u128(1));

    #[test]
    fn a_label_names_a_deployment_and_an_app() {
        for (text, read) in [
            ("v7--hello", Some((7, "hello"))),
            ("v2147483647--a", Some((i32::MAX, "a"))),
            ("v1--my--app", Some((1, "my--app"))),
            ("v1--v2--x", Some((1, "v2--x"))),
            ("v2147483648--a", None),
            ("v0--a", None),
            ("v07--a", None),
            ("v--a", None),
            ("v7--", None),
            ("v7-a", None),
            ("v-7--a", None),
            ("v+7--a", None),
            ("7--a", None),
            ("w7--a", None),
            ("hello", None),
            ("", None),
        ] {
            assert_eq!(read_label(text), read, "{text}");
        }
        assert_eq!(read_label(&label(7, "hello").unwrap()), Some((7, "hello")));
    }

    #[test]
    fn what_reads_as_a_label_is_no_slug_however_it_is_written() {
        for like in ["v7--x", "v0--x", "v007--x", "v7--", "v99999999999--x"] {
            assert!(is_like_label(like), "{like}");
        }
        for slug in ["v7", "v7-x", "v--x", "vx--7", "version--7", "x-v7--y", "7--x"] {
            assert!(!is_like_label(slug), "{slug}");
        }
    }

    #[test]
    fn a_label_has_room_in_the_dns_or_is_refused() {
        let slug = "a".repeat(limits::APP_SLUG_CHARS_MAX - "v7--".len());
        assert_eq!(label(7, &slug).unwrap().len(), limits::APP_SLUG_CHARS_MAX);
        assert_eq!(label(17, &slug).unwrap_err().code, "conflict");
    }

    #[test]
    fn a_token_reads_back_and_a_longer_one_is_none() {
        let claim = Claim::new(APP, 7, DateTime::UNIX_EPOCH, Some(60)).unwrap();
        let token = claim.token(&[7; 32]);
        assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)), "{token}");
        assert_eq!(read_token(&token, APP, 7), Some((claim, vec![7; 32])));
        let long = |bytes: usize| format!("{}{token}", "0".repeat(bytes - token.len()));
        assert_eq!(read_token(&long(limits::PREVIEW_TOKEN_BYTES_MAX), APP, 7), Some((claim, vec![7; 32])));
        assert_eq!(read_token(&long(limits::PREVIEW_TOKEN_BYTES_MAX + 1), APP, 7), None);
        for bad in
            ["", ".", ".AA", "60", "-60.AA", "+60.AA", "60.A", "60.AA==", "60.AB", "x.AA", "60.AA.AA", "99999999999999999999.AA"]
        {
            assert_eq!(read_token(bad, APP, 7), None, "{bad}");
        }
    }

    #[test]
    fn claims_of_different_things_are_different_messages() {
        let claim = |app: u128, number, at| {
            let expires_at = DateTime::from_timestamp(at, 0).unwrap();
            Claim { app_id: AppId(Uuid::from_u128(app)), number, expires_at }.message()
        };
        let one = claim(1, 7, 60);
        assert_eq!(one, claim(1, 7, 60));
        for other in [claim(2, 7, 60), claim(1, 8, 60), claim(1, 7, 61)] {
            assert_ne!(one, other);
            assert_eq!(one.len(), other.len());
        }
    }

    #[test]
    fn a_link_ends_within_its_bounds() {
        let claim = |asked| Claim::new(APP, 1, DateTime::UNIX_EPOCH, asked);
        let (least, most) = (limits::PREVIEW_LINK_S_MIN, limits::PREVIEW_LINK_S_MAX);
        for (asked, lasts) in [(None, limits::PREVIEW_LINK_S_DEFAULT), (Some(least), least), (Some(most), most)] {
            assert_eq!(claim(asked).unwrap().expires_at.timestamp(), lasts);
        }
        for bad in [least - 1, most + 1, 0, -1, i64::MIN, i64::MAX] {
            assert_eq!(claim(Some(bad)).unwrap_err().code, "invalid", "{bad}");
        }
    }
}
