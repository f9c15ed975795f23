//! JSON Merge Patch (RFC 7396).

use serde_json::{Map, Value};

use super::data::{kind, parse};
use crate::error::{Error, Result};
use crate::limits::DOCS_DATA_BYTES_MAX;
use crate::model::text;

/// What to change of a document: a map of at most `DOCS_DATA_BYTES_MAX` bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Patch(Map<String, Value>);

impl Patch {
    pub fn read(json: &[u8]) -> Result<Self> {
        if json.len() > DOCS_DATA_BYTES_MAX {
            return Err(text::too_long("patch", json.len(), DOCS_DATA_BYTES_MAX, "bytes"));
        }
        match parse("patch", json)? {
            Value::Object(map) => Ok(Self(map)),
            other => Err(Error::invalid("patch", format!("patch is {}: it must be a map of what to change", kind(&other)))),
        }
    }

    /// The document as it is afterwards.
    pub fn apply(self, target: Value) -> Value {
        merge(target, Value::Object(self.0))
    }
}

/// RFC 7396 §2: maps are merged, null takes away, anything else replaces.
pub fn merge(target: Value, patch: Value) -> Value {
    let Value::Object(patch) = patch else { return patch };
    let mut merged = match target {
        Value::Object(map) => map,
        _ => Map::new(),
    };
    for (key, change) in patch {
        if change.is_null() {
            merged.remove(&key);
        } else {
            let before = merged.remove(&key).unwrap_or_default();
            merged.insert(key, merge(before, change));
        }
    }
    Value::Object(merged)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_rfcs_examples_hold() {
        // RFC 7396, appendix A.
        for (target, patch, expected) in [
            (json!({ "a": "b" }), json!({ "a": "c" }), json!({ "a": "c" })),
            (json!({ "a": "b" }), json!({ "b": "c" }), json!({ "a": "b", "b": "c" })),
            (json!({ "a": "b" }), json!({ "a": null }), json!({})),
            (json!({ "a": "b", "b": "c" }), json!({ "a": null }), json!({ "b": "c" })),
            (json!({ "a": ["b"] }), json!({ "a": "c" }), json!({ "a": "c" })),
            (json!({ "a": "c" }), json!({ "a": ["b"] }), json!({ "a": ["b"] })),
            (json!({ "a": { "b": "c" } }), json!({ "a": { "b": "d", "c": null } }), json!({ "a": { "b": "d" } })),
            (json!({ "a": [{ "b": "c" }] }), json!({ "a": [1] }), json!({ "a": [1] })),
            (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
            (json!({ "a": "b" }), json!(["c"]), json!(["c"])),
            (json!({ "a": "foo" }), json!(null), json!(null)),
            (json!({ "a": "foo" }), json!("bar"), json!("bar")),
            (json!({ "e": null }), json!({ "a": 1 }), json!({ "e": null, "a": 1 })),
            (json!([1, 2]), json!({ "a": "b", "c": null }), json!({ "a": "b" })),
            (json!({}), json!({ "a": { "bb": { "ccc": null } } }), json!({ "a": { "bb": {} } })),
        ] {
            assert_eq!(merge(target.clone(), patch.clone()), expected, "{target} {patch}");
        }
    }

    #[test]
    fn a_patch_is_a_map_of_bounded_size() {
        let sized = |bytes: usize| json!({ "a": "x".repeat(bytes - 8) }).to_string();
        assert!(Patch::read(sized(DOCS_DATA_BYTES_MAX).as_bytes()).is_ok());
        assert!(Patch::read(sized(DOCS_DATA_BYTES_MAX + 1).as_bytes()).is_err());
        for bad in ["[]", "1", "null", "{"] {
            assert!(Patch::read(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
