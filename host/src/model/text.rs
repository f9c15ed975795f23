//! Rules for text from outside, the same for every field: what is refused names the field, what was asked and what is
//! allowed.

use serde_json::json;

use crate::error::{Error, Result};

/// Refuses NUL, which a PostgreSQL text cannot hold.
pub fn without_nul(field: &str, text: &str) -> Result<()> {
    if text.contains('\0') {
        return Err(Error::invalid(field, format!("{field} must not contain the character NUL")));
    }
    Ok(())
}

/// Free text for people: at most `chars_max` characters, no NUL; empty is fine.
pub fn at_most(field: &str, text: &str, chars_max: usize) -> Result<()> {
    without_nul(field, text)?;
    let chars = text.chars().count();
    if chars > chars_max { Err(too_long(field, chars, chars_max, "characters")) } else { Ok(()) }
}

/// A name: not empty, at most `bytes_max` bytes, no NUL.
pub fn name_bytes(field: &str, text: &str, bytes_max: usize) -> Result<()> {
    without_nul(field, text)?;
    if text.is_empty() {
        return Err(Error::invalid(field, format!("{field} must not be empty")));
    }
    if text.len() > bytes_max { Err(too_long(field, text.len(), bytes_max, "bytes")) } else { Ok(()) }
}

/// 422: `asked` is more than `allowed`.
pub fn too_long(field: &str, asked: usize, allowed: usize, unit: &str) -> Error {
    Error::invalid(field, format!("{field} is {asked} {unit} long; at most {allowed} are allowed"))
        .with_details(json!({ "field": field, "asked": asked, "allowed": allowed, "unit": unit }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_hold_at_n_and_refuse_at_n_plus_one() {
        assert!(at_most("name", "ééé", 3).is_ok());
        let refused = at_most("name", "éééé", 3).unwrap_err();
        assert_eq!(refused.details, Some(json!({ "field": "name", "asked": 4, "allowed": 3, "unit": "characters" })));
        assert!(name_bytes("key", "abc", 3).is_ok());
        assert!(name_bytes("key", "abcd", 3).is_err());
        assert!(name_bytes("key", "éé", 3).is_err());
    }

    #[test]
    fn nul_is_refused_by_name() {
        let refused = without_nul("description", "a\0b").unwrap_err();
        assert_eq!(refused.code, "invalid");
        assert_eq!(refused.details, Some(json!({ "field": "description" })));
        assert!(at_most("name", "\0", 10).is_err());
        assert!(name_bytes("key", "\0", 10).is_err());
    }

    #[test]
    fn a_name_is_not_empty() {
        assert!(name_bytes("key", "", 3).is_err());
        assert!(at_most("description", "", 3).is_ok());
    }
}
