//! Secrets of an app: a name and a value that nothing prints.

use chrono::{DateTime, Utc};
use serde_json::json;
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::id::DataKeyId;
use crate::limits::{SECRET_NAME_BYTES_MAX, SECRET_VALUE_BYTES_MAX, SECRETS_PAGE_ITEMS_MAX};
use crate::model::text;

/// A secret's value, wiped when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

/// What may be told of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    pub name: String,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A key that seals secrets, as the database holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedKey {
    pub id: DataKeyId,
    /// The id of the master key that unwraps it.
    pub master_key_id: String,
    pub wrapped: Vec<u8>,
}

impl Secret {
    pub fn new(value: String) -> Self {
        Self(Zeroizing::new(value))
    }

    pub fn expose(&self) -> &str {
        &self.0
    }

    /// At most `SECRET_VALUE_BYTES_MAX` bytes.
    pub fn check(&self) -> Result<()> {
        let bytes = self.0.len();
        if bytes > SECRET_VALUE_BYTES_MAX {
            return Err(text::too_long("value", bytes, SECRET_VALUE_BYTES_MAX, "bytes"));
        }
        Ok(())
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// 1..=`SECRET_NAME_BYTES_MAX` of `A-Z a-z 0-9 _ . -`. The refusal does not quote it: who mixes up the arguments passes a
/// value here.
pub fn check_name(name: &str) -> Result<()> {
    if name.len() > SECRET_NAME_BYTES_MAX {
        return Err(text::too_long("name", name.len(), SECRET_NAME_BYTES_MAX, "bytes"));
    }
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b)) {
        return Err(Error::invalid("name", "the name of a secret is made of letters (A-Z, a-z), digits, `_`, `.` and `-`"));
    }
    Ok(())
}

/// 422 for a limit that is not 1..=`SECRETS_PAGE_ITEMS_MAX`, and for what no page of names gave as its cursor.
pub fn check_page(after: &str, limit: u32) -> Result<()> {
    let allowed = SECRETS_PAGE_ITEMS_MAX;
    if limit == 0 || limit > allowed {
        return Err(Error::invalid("limit", format!("limit is {limit}; 1 to {allowed} are allowed"))
            .with_details(json!({ "field": "limit", "asked": limit, "floor": 1, "allowed": allowed })));
    }
    if !after.is_empty() {
        check_name(after).map_err(|_| Error::invalid("cursor", "this is not a cursor that a page of secrets gave"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_and_bounded() {
        for fine in ["a", "API_KEY", "db.password-2", &"n".repeat(SECRET_NAME_BYTES_MAX)] {
            assert!(check_name(fine).is_ok(), "{fine}");
        }
        for bad in ["", "a b", "a/b", "é", "a\0", "*", &"n".repeat(SECRET_NAME_BYTES_MAX + 1)] {
            let error = check_name(bad).unwrap_err();
            assert!(bad.is_empty() || !error.message.contains(bad), "{error}");
        }
    }

    #[test]
    fn values_are_bounded_and_not_printed() {
        let secret = |bytes: usize| Secret::new("v".repeat(bytes));
        assert!(secret(0).check().is_ok() && secret(SECRET_VALUE_BYTES_MAX).check().is_ok());
        let error = secret(SECRET_VALUE_BYTES_MAX + 1).check().unwrap_err();
        assert!(!format!("{error:?} {:?}", secret(9)).contains("vvv"));
    }
}
