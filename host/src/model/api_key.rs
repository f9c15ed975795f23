//! API keys: bearer credentials of a person, narrower than the person.

use chrono::{DateTime, Utc};

use super::text;
use crate::error::{Error, Result};
use crate::id::{ApiKeyId, AppId, UserId};
use crate::limits;
use crate::model::access::{Scope, Scopes};

/// A key as its owner sees it: never the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    pub id: ApiKeyId,
    pub user_id: UserId,
    pub name: String,
    /// How its token begins.
    pub prefix: String,
    pub scopes: Scopes,
    /// The one app that it is good for; `None`: every app of its owner.
    pub app_id: Option<AppId>,
    pub created_at: DateTime<Utc>,
    /// `None`: never.
    pub expires_at: Option<DateTime<Utc>>,
    /// In steps of `SESSION_TOUCH_S`; `None`: never used.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// A key to be made.
#[derive(Debug, Clone)]
pub struct NewApiKey {
    pub name: String,
    pub scopes: Vec<Scope>,
    /// By id or slug.
    pub app: Option<String>,
    pub expires_at: Option<DateTime<Utc>>,
}

impl NewApiKey {
    /// 422 for a name that is empty, or longer than `API_KEY_NAME_BYTES_MAX`; for no scope at all; for `instance:admin` on a key
    /// that is bound to an app, where it means nothing; for an end that is not in the future.
    pub fn check(&self, now: DateTime<Utc>) -> Result<Scopes> {
        text::name_bytes("name", &self.name, limits::API_KEY_NAME_BYTES_MAX)?;
        let scopes: Scopes = self.scopes.iter().copied().collect();
        if scopes.is_empty() {
            let all: Vec<_> = Scope::ALL.iter().map(|scope| scope.as_str()).collect();
            return Err(Error::invalid("scopes", format!("name at least one scope: {}", all.join(", "))));
        }
        if self.app.is_some() && scopes.contains(Scope::InstanceAdmin) {
            return Err(Error::invalid("scopes", "instance:admin means nothing on a key for one app; leave one of them out"));
        }
        if self.expires_at.is_some_and(|at| at <= now) {
            return Err(Error::invalid("expires_at", "expires_at is not in the future; leave it out for a key without an end"));
        }
        Ok(scopes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str, scopes: &[Scope], app: Option<&str>, expires_s: Option<i64>) -> NewApiKey {
        let expires_at = expires_s.and_then(|s| DateTime::from_timestamp(s, 0));
        NewApiKey { name: name.into(), scopes: scopes.to_vec(), app: app.map(str::to_owned), expires_at }
    }

    #[test]
    fn a_key_has_a_name_a_scope_and_a_future() {
        let now = DateTime::from_timestamp(100, 0).unwrap();
        let read = [Scope::ScriptRead];
        let longest = "n".repeat(limits::API_KEY_NAME_BYTES_MAX);
        assert!(key(&longest, &read, Some("shop"), Some(101)).check(now).is_ok());
        assert!(key("ci", &Scope::ALL, None, None).check(now).is_ok());
        for (bad, field) in [
            (key("", &read, None, None), "name"),
            (key(&format!("{longest}n"), &read, None, None), "name"),
            (key("ci", &[], None, None), "scopes"),
            (key("ci", &[Scope::InstanceAdmin], Some("shop"), None), "scopes"),
            (key("ci", &read, None, Some(100)), "expires_at"),
        ] {
            assert_eq!(bad.check(now).unwrap_err().details.unwrap()["field"], field);
        }
    }
}
