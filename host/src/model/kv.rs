//! Key-value entries.

use chrono::{DateTime, Utc};

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
}
