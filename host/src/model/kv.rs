//! Key-value entries.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::text;
use crate::error::{Error, Result};
use crate::limits;

/// How `bytes` are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// JSON text (RFC 8259), exactly as the guest wrote it.
    Json,
    /// Raw bytes.
    Blob,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    pub encoding: Encoding,
    pub bytes: Vec<u8>,
}

impl Value {
    /// The JSON text of an integer.
    pub fn of_integer(number: i64) -> Self {
        Self { encoding: Encoding::Json, bytes: number.to_string().into_bytes() }
    }

    /// The integer that the value is: JSON text without fraction or exponent, within 64 bits.
    pub fn as_integer(&self) -> Option<i64> {
        match self.encoding {
            Encoding::Json => serde_json::from_slice(&self.bytes).ok(),
            Encoding::Blob => None,
        }
    }
}

/// A value with what is known of its entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub value: Value,
    /// Grows by one with every write. A new entry begins at the microseconds since 1970, so a number that an entry once had
    /// does not come again when the entry was deleted, or has expired, and was made anew.
    pub revision: i64,
    /// From then on nobody sees the entry.
    pub expires_at: Option<DateTime<Utc>>,
}

/// How to write.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SetOptions {
    /// The entry expires this many seconds after the write; without, never.
    pub ttl_s: Option<i64>,
    /// Write only over this revision; 0 is "only where nothing is".
    pub if_revision: Option<i64>,
}

/// An entry of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub key: String,
    pub value: Value,
}

/// An entry's place: collection 1..=`COLLECTION_NAME_BYTES_MAX` bytes, key 1..=`KV_KEY_BYTES_MAX` bytes, no NUL.
pub fn check_place(collection: &str, key: &str) -> Result<()> {
    text::collection(collection)?;
    text::name_bytes("key", key, limits::KV_KEY_BYTES_MAX)
}

/// 422 naming the bound that holds for the app.
pub fn check_value(bytes: usize, allowed: usize) -> Result<()> {
    if bytes > allowed {
        return Err(text::too_long("value", bytes, allowed, "bytes"));
    }
    Ok(())
}

/// 422 for an expiry that is not after 1..=`KV_TTL_S_MAX` s, and for what is no revision.
pub fn check_options(options: &SetOptions) -> Result<()> {
    let allowed = limits::KV_TTL_S_MAX;
    if let Some(asked) = options.ttl_s.filter(|asked| !(1..=allowed).contains(asked)) {
        return Err(Error::invalid("ttl_s", format!("ttl_s is {asked}; 1 to {allowed} seconds are allowed"))
            .with_details(json!({ "field": "ttl_s", "asked": asked, "floor": 1, "allowed": allowed })));
    }
    match options.if_revision {
        Some(asked) if asked < 0 => {
            let message = format!("if_revision is {asked}; it is a revision of the entry, or 0 for \"there must be none\"");
            Err(Error::invalid("if_revision", message))
        }
        _ => Ok(()),
    }
}

/// 409: the entry has another revision than the write asks for.
pub fn another_revision(asked: i64, found: i64) -> Error {
    let message = match (asked, found) {
        (0, _) => format!("the key is there already, at revision {found}"),
        (_, 0) => format!("the key is not there, so it is not at revision {asked}; read it again"),
        _ => format!("the key is at revision {found}, not {asked}; read it again"),
    };
    Error::conflict(message, json!({ "field": "if_revision", "asked": asked, "found": found }))
}

/// 422: nothing can be added to what is there.
pub fn not_an_integer() -> Error {
    Error::invalid("key", "the value under this key is not an integer, so nothing can be added to it")
}

/// 422: the sum is no integer of 64 bits.
pub fn sum_too_large(base: i64, by: i64) -> Error {
    Error::invalid("by", format!("{base} and {by} together do not fit 64 bits"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_integer_is_json_text_within_64_bits() {
        let json = |text: &str| Value { encoding: Encoding::Json, bytes: text.into() }.as_integer();
        for number in [0, 7, -7, i64::MAX, i64::MIN] {
            assert_eq!(Value::of_integer(number).as_integer(), Some(number));
        }
        for other in ["1.0", "1e3", "9223372036854775808", "\"1\"", "null", "", "[1]"] {
            assert_eq!(json(other), None, "{other}");
        }
        assert_eq!(Value { encoding: Encoding::Blob, bytes: b"1".to_vec() }.as_integer(), None);
    }

    #[test]
    fn options_are_bounded() {
        let ttl = |ttl_s| check_options(&SetOptions { ttl_s: Some(ttl_s), if_revision: None });
        assert!(ttl(1).is_ok() && ttl(limits::KV_TTL_S_MAX).is_ok());
        for wrong in [0, -1, limits::KV_TTL_S_MAX + 1, i64::MAX, i64::MIN] {
            assert_eq!(ttl(wrong).unwrap_err().details.unwrap()["field"], "ttl_s", "{wrong}");
        }
        let revision = |if_revision| check_options(&SetOptions { ttl_s: None, if_revision: Some(if_revision) });
        assert!(revision(0).is_ok() && revision(i64::MAX).is_ok());
        assert!(revision(-1).is_err());
    }

    #[test]
    fn names_are_bounded() {
        let (c, k) = (limits::COLLECTION_NAME_BYTES_MAX, limits::KV_KEY_BYTES_MAX);
        assert!(check_place(&"c".repeat(c), &"k".repeat(k)).is_ok());
        assert!(check_place(&"c".repeat(c + 1), "k").is_err());
        assert!(check_place("c", &"k".repeat(k + 1)).is_err());
        assert!(check_place("", "k").is_err());
        assert!(check_place("c", "").is_err());
        assert!(check_place("c\0", "k").is_err());
    }
}
