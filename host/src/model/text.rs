//! Rules for text from outside, the same for every field: what is refused names the field, what was asked and what is
//! allowed.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde_json::json;

use crate::error::{Error, Result};
use crate::limits::COLLECTION_NAME_BYTES_MAX;

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

/// The text up to `bytes_max` bytes, with a mark where it was cut.
pub fn cut(text: &str, bytes_max: usize) -> Cow<'_, str> {
    if text.len() <= bytes_max {
        return Cow::Borrowed(text);
    }
    let end = text.floor_char_boundary(bytes_max);
    Cow::Owned(format!("{}…", text.get(..end).unwrap_or_default()))
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Whether a character steers whoever shows it and is not seen itself: control characters but line ends and tabs, what
/// turns the direction of other text, and blanks of no width. The joiners that scripts and emoji need are none.
pub fn is_unseen(c: char) -> bool {
    let control = c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    let turns = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    control || turns || matches!(c, '\u{200b}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// A name: not empty, at most `bytes_max` bytes, no NUL.
pub fn name_bytes(field: &str, text: &str, bytes_max: usize) -> Result<()> {
    without_nul(field, text)?;
    if text.is_empty() {
        return Err(Error::invalid(field, format!("{field} must not be empty")));
    }
    if text.len() > bytes_max { Err(too_long(field, text.len(), bytes_max, "bytes")) } else { Ok(()) }
}

/// The name of a collection: 1..=`COLLECTION_NAME_BYTES_MAX` bytes, no NUL.
pub fn collection(name: &str) -> Result<()> {
    name_bytes("collection", name, COLLECTION_NAME_BYTES_MAX)
}

/// 422: `asked` is more than `allowed`.
pub fn too_long(field: &str, asked: usize, allowed: usize, unit: &str) -> Error {
    Error::invalid(field, format!("{field} is {asked} {unit} long; at most {allowed} are allowed"))
        .with_details(json!({ "field": field, "asked": asked, "allowed": allowed, "unit": unit }))
}

/// How deep JSON text is nested. Reads no values: whoever would has to know before.
pub fn json_depth(json: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_that_of_brackets_outside_of_strings() {
        for (json, depth) in
            [("1", 0), ("[]", 1), (r#"{"a":[1,{}]}"#, 3), (r#""[[[""#, 0), (r#"["\"[[", "\\"]"#, 1), ("[[],[[]]]", 3)]
        {
            assert_eq!(json_depth(json), depth, "{json}");
        }
    }

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
    fn a_cut_text_stays_text() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "abc…");
        assert_eq!(cut("aé", 2), "a…");
        assert_eq!(cut("é", 0), "…");
    }

    #[test]
    fn what_steers_the_reader_is_known() {
        for bad in ['\0', '\u{1b}', '\u{7f}', '\u{9b}', '\u{202e}', '\u{2066}', '\u{200b}', '\u{feff}', '\u{e0041}'] {
            assert!(is_unseen(bad), "{bad:?}");
        }
        for good in ['a', ' ', '\n', '\t', 'é', 'א', '\u{200d}', '\u{200c}', '\u{200f}', '💥'] {
            assert!(!is_unseen(good), "{good:?}");
        }
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
