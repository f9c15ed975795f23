//! The content of a document: what a script may store, and the text in which the database keeps it.
//!
//! PostgreSQL's jsonb keeps numbers as decimals. It would read `1e16` back as an integer and lose the sign of `-0.0`, so
//! numbers are written out: an integer is digits only, a float always has a decimal point, and minus zero is `0.00`, which
//! no other number is written as. What is read is then what was written, and 1 still equals 1.0.

use std::io::{self, Write};

use serde::Serialize as _;
use serde_json::ser::{Formatter, Serializer};
use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::limits::{DOCS_DATA_BYTES_MAX, DOCS_DEPTH_MAX};
use crate::model::text;

/// The longest text of a number that nothing would shorten, bytes.
const PLAIN_NUMBER_BYTES: usize = 24;
/// Minus zero as it is stored.
const MINUS_ZERO: &str = "0.00";

/// What may be stored: a map of at most `DOCS_DATA_BYTES_MAX` bytes as stored text, nested at most `DOCS_DEPTH_MAX` deep, without
/// NUL; every number an i64 or a finite f64.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Data(String);

impl Data {
    /// From JSON text. 422 names what is wrong and its path.
    pub fn read(text: &[u8]) -> Result<Self> {
        Self::judge(parse("data", text)?)
    }

    pub fn judge(mut value: Value) -> Result<Self> {
        if !value.is_object() {
            return Err(Error::invalid("data", format!("data is {}: a document is a map", kind(&value))));
        }
        settle(&mut value, "data", 1)?;
        let text = exact(&value);
        if text.len() > DOCS_DATA_BYTES_MAX {
            return Err(text::too_long("data", text.len(), DOCS_DATA_BYTES_MAX, "bytes"));
        }
        Ok(Self(text))
    }

    /// The text to store.
    pub fn as_stored(&self) -> &str {
        &self.0
    }

    /// The text for others to read.
    pub fn shown(&self) -> String {
        shown(&self.0)
    }
}

/// JSON text as a value; 422 names the field.
pub(super) fn parse(field: &str, text: &[u8]) -> Result<Value> {
    serde_json::from_slice(text).map_err(|error| Error::invalid(field, format!("{field} is not JSON: {error}")))
}

/// Refuses what cannot be stored, and makes floats of the integers beyond 64 bits. `at` names the value, `depth` counts maps and
/// arrays.
pub(super) fn settle(value: &mut Value, at: &str, depth: usize) -> Result<()> {
    if depth > DOCS_DEPTH_MAX && (value.is_object() || value.is_array()) {
        return Err(invalid(at, "is nested deeper than", &format!("{DOCS_DEPTH_MAX} maps and arrays")));
    }
    match value {
        Value::Object(map) => settle_map(map, at, depth),
        Value::Array(items) => {
            items.iter_mut().enumerate().try_for_each(|(n, item)| settle(item, &format!("{at}[{n}]"), depth + 1))
        }
        Value::String(text) if text.contains('\0') => Err(invalid(at, "contains", NUL)),
        Value::Number(number) => {
            if let (true, None, Some(float)) = (number.is_u64(), number.as_i64(), number.as_f64()) {
                *value = Value::from(float);
            }
            Ok(())
        }
        Value::Null | Value::Bool(_) | Value::String(_) => Ok(()),
    }
}

fn settle_map(map: &mut Map<String, Value>, at: &str, depth: usize) -> Result<()> {
    for (key, value) in map {
        if key.contains('\0') {
            return Err(invalid(at, "has a key with", NUL));
        }
        settle(value, &format!("{at}.{key}"), depth + 1)?;
    }
    Ok(())
}

const NUL: &str = "the character NUL, which cannot be stored: take it out";

/// `at` begins with the field.
fn invalid(at: &str, verb: &str, what: &str) -> Error {
    Error::invalid(at.split(['.', '[']).next().unwrap_or(at), format!("{at} {verb} {what}"))
}

/// A value in a word, for messages.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "unit",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "a map",
    }
}

/// JSON text from which jsonb keeps every number as what it is.
pub fn exact(value: &Value) -> String {
    let mut out = Vec::new();
    // Writing values to a vector does not fail, and what is written is UTF-8.
    let _ = value.serialize(&mut Serializer::with_formatter(&mut out, Exact));
    String::from_utf8(out).unwrap_or_default()
}

struct Exact;

impl Formatter for Exact {
    fn write_f64<W: ?Sized + Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        if value == 0.0 && value.is_sign_negative() {
            return writer.write_all(MINUS_ZERO.as_bytes());
        }
        // The shortest digits that are this number, without an exponent.
        let digits = value.to_string();
        writer.write_all(digits.as_bytes())?;
        if digits.contains('.') { Ok(()) } else { writer.write_all(b".0") }
    }
}

/// What the database gives for a stored text (or the stored text itself), as compact JSON; long numbers as programs write them.
pub fn shown(stored: &str) -> String {
    let mut out = String::with_capacity(stored.len());
    let mut rest = stored;
    while let Some(first) = rest.chars().next() {
        let is_number = first == '-' || first.is_ascii_digit();
        let end = match first {
            '"' => string_end(rest),
            ' ' => 1,
            _ if is_number => rest.find(|c: char| !c.is_ascii_digit() && c != '-' && c != '.').unwrap_or(rest.len()),
            _ => rest.find(|c: char| c.is_ascii_digit() || ['"', ' ', '-'].contains(&c)).unwrap_or(rest.len()),
        };
        let (token, after) = rest.split_at(end);
        match token {
            " " => {}
            MINUS_ZERO => out.push_str("-0.0"),
            number if is_number && number.len() > PLAIN_NUMBER_BYTES => out.push_str(&short(number)),
            other => out.push_str(other),
        }
        rest = after;
    }
    out
}

/// A long number, which is a float, in its shortest form.
fn short(number: &str) -> String {
    number.parse::<f64>().map_or_else(|_| number.to_owned(), |float| Value::from(float).to_string())
}

/// Where a string that begins the text ends, its closing quote included.
fn string_end(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(value: Value) -> String {
        Data::judge(value).unwrap_err().message.into_owned()
    }

    #[test]
    fn numbers_are_written_out() {
        for (number, text) in [
            (json!(1), "1"),
            (json!(1.0), "1.0"),
            (json!(-0.0), "0.00"),
            (json!(0.0), "0.0"),
            (json!(1e16), "10000000000000000.0"),
            (json!(1.5e-7), "0.00000015"),
            (json!(i64::MIN), "-9223372036854775808"),
        ] {
            assert_eq!(exact(&number), text);
            assert_eq!(serde_json::from_str::<Value>(&shown(text)).unwrap(), number);
        }
        assert_eq!(exact(&json!(1e300)).len(), 303);
        assert_eq!(shown(&exact(&json!(-0.0))), "-0.0");
    }

    #[test]
    fn what_is_shown_is_compact_and_leaves_strings_alone() {
        let text = r#"{"a b": [1, 0.00, {"0.00": "0.00 , \" 0.00"}], "c\\": "\\", "d": 100000000000000000000000000.0}"#;
        assert_eq!(shown(text), r#"{"a b":[1,-0.0,{"0.00":"0.00 , \" 0.00"}],"c\\":"\\","d":1e+26}"#);
    }

    #[test]
    fn integers_beyond_64_bits_are_floats() {
        assert_eq!(Data::read(b"{\"n\":9223372036854775808}").unwrap().shown(), r#"{"n":9223372036854776000.0}"#);
        assert_eq!(Data::read(b"{\"n\":9223372036854775807}").unwrap().shown(), r#"{"n":9223372036854775807}"#);
    }

    #[test]
    fn a_document_is_a_map() {
        for (value, word) in [(json!([]), "an array"), (json!(1), "a number"), (json!("x"), "a string"), (json!(null), "unit")] {
            assert_eq!(refused(value), format!("data is {word}: a document is a map"));
        }
        assert!(Data::read(b"{").is_err());
        assert!(Data::read(b"{\"n\":1e999}").is_err());
    }

    #[test]
    fn nul_is_refused_with_its_path() {
        assert_eq!(
            refused(json!({ "a": { "b": [0, "x\0"] } })),
            "data.a.b[1] contains the character NUL, which cannot be stored: take it out"
        );
        assert_eq!(
            refused(json!({ "a": { "\0": 1 } })),
            "data.a has a key with the character NUL, which cannot be stored: take it out"
        );
    }

    #[test]
    fn depth_is_bounded() {
        let nested =
            |depth: usize| (1..depth).fold(json!({}), |inner, n| if n % 2 == 0 { json!([inner]) } else { json!({ "a": inner }) });
        let nested = |depth: usize| json!({ "a": nested(depth - 1) });
        assert!(Data::judge(nested(DOCS_DEPTH_MAX)).is_ok());
        assert!(refused(nested(DOCS_DEPTH_MAX + 1)).contains("nested deeper than 32"));
    }

    #[test]
    fn size_is_bounded_as_stored() {
        let sized = |bytes: usize| json!({ "a": "x".repeat(bytes - 8) });
        assert_eq!(Data::judge(sized(DOCS_DATA_BYTES_MAX)).unwrap().as_stored().len(), DOCS_DATA_BYTES_MAX);
        assert!(refused(sized(DOCS_DATA_BYTES_MAX + 1)).contains("at most 262144"));
        assert!(refused(json!({ "a": vec![1e300; 1_000] })).contains("at most 262144"), "floats count as written out");
    }
}
