//! People: their names, passwords and instance roles.

use chrono::{DateTime, Utc};
use serde_json::json;

use crate::error::{Error, Result};
use crate::id::{SessionId, UserId};
use crate::limits;
use crate::model::text;

/// What a person may do on the whole instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Owner,
    Admin,
    Member,
}

impl Role {
    pub const ALL: [Self; 3] = [Self::Owner, Self::Admin, Self::Member];

    /// The word in SQL and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Member => "member",
        }
    }

    /// The role of a word; `None` for any other word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }
}

/// A person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    /// As it was given; two people never differ by case alone.
    pub username: String,
    pub role: Role,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    /// Set while the person may not log in.
    pub deactivated_at: Option<DateTime<Utc>>,
}

impl User {
    /// The entity tag: another one after every change.
    pub fn tag(&self) -> String {
        format!("{:x}", self.updated_at.timestamp_micros())
    }

    pub fn is_active(&self) -> bool {
        self.deactivated_at.is_none()
    }
}

/// A login that has not ended.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct Session {
    pub id: SessionId,
    pub created_at: DateTime<Utc>,
    /// In steps of five minutes.
    pub last_used_at: DateTime<Utc>,
    /// Unless it is used before then.
    pub expires_at: DateTime<Utc>,
    /// Where the login came from.
    pub address: Option<String>,
    /// What the client called itself.
    pub user_agent: Option<String>,
}

/// A person to be added.
pub struct NewUser {
    pub username: String,
    pub password: String,
    pub role: Role,
}

/// What of a person changes; what is not named stays.
#[derive(Default)]
pub struct UserChange {
    pub username: Option<String>,
    pub password: Option<String>,
    pub role: Option<Role>,
    pub active: Option<bool>,
}

/// Whether someone of the role `by` may make a person of `role`, or change one: an owner is an owner's affair.
pub fn may_manage(by: Role, role: Role) -> bool {
    match by {
        Role::Owner => true,
        Role::Admin => role != Role::Owner,
        Role::Member => false,
    }
}

/// A user name: a letter or digit, then letters, digits and `. _ @ + -`, all ASCII (so that "the same name but for case"
/// means one thing everywhere), at most `USERNAME_CHARS_MAX` characters. Mail addresses fit.
pub fn check_username(username: &str) -> Result<()> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '@' | '+' | '-');
    if !username.starts_with(|c: char| c.is_ascii_alphanumeric()) || !username.chars().all(legal) {
        return Err(Error::invalid(
            "username",
            "a username starts with a letter or digit and holds ASCII letters, digits and . _ @ + - only",
        ));
    }
    text::at_most("username", username, limits::USERNAME_CHARS_MAX)
}

/// A new password: at least `PASSWORD_CHARS_MIN` characters, at most `PASSWORD_BYTES_MAX` bytes.
pub fn check_password(password: &str) -> Result<()> {
    let chars = password.chars().count();
    if chars < limits::PASSWORD_CHARS_MIN {
        let allowed = limits::PASSWORD_CHARS_MIN;
        return Err(Error::invalid("password", format!("the password has {chars} characters; at least {allowed} are needed"))
            .with_details(json!({ "field": "password", "asked": chars, "floor": allowed, "unit": "characters" })));
    }
    if password.len() > limits::PASSWORD_BYTES_MAX {
        return Err(text::too_long("password", password.len(), limits::PASSWORD_BYTES_MAX, "bytes"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usernames_are_ascii_names_or_mail_addresses() {
        for good in ["a", "Ada", "ada.lovelace+x@example.org", "0day", &"a".repeat(64)] {
            assert!(check_username(good).is_ok(), "{good}");
        }
        for bad in ["", ".a", "a b", "é", "a\0", "@x", &"a".repeat(65)] {
            assert!(check_username(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn passwords_are_bounded_both_ways() {
        assert!(check_password(&"x".repeat(limits::PASSWORD_CHARS_MIN)).is_ok());
        assert!(check_password(&"x".repeat(limits::PASSWORD_CHARS_MIN - 1)).is_err());
        assert!(check_password(&"x".repeat(limits::PASSWORD_BYTES_MAX)).is_ok());
        assert!(check_password(&"x".repeat(limits::PASSWORD_BYTES_MAX + 1)).is_err());
    }

    #[test]
    fn owners_are_the_affair_of_owners() {
        for (by, role, may) in [
            (Role::Owner, Role::Owner, true),
            (Role::Owner, Role::Member, true),
            (Role::Admin, Role::Owner, false),
            (Role::Admin, Role::Admin, true),
            (Role::Admin, Role::Member, true),
            (Role::Member, Role::Member, false),
        ] {
            assert_eq!(may_manage(by, role), may, "{by:?} {role:?}");
        }
    }

    #[test]
    fn a_role_reads_back_from_its_word() {
        for role in Role::ALL {
            assert_eq!(Role::from_word(role.as_str()), Some(role));
        }
        assert_eq!(Role::from_word("root"), None);
    }
}
