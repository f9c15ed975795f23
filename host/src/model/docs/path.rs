//! Where a value stands in a document: `address.city`, `items.0`.

use crate::error::Error;
use crate::limits::{DOCS_PATH_STEP_BYTES_MAX, DOCS_PATH_STEPS_MAX};

/// 1..=`DOCS_PATH_STEPS_MAX` steps, each 1..=`DOCS_PATH_STEP_BYTES_MAX` bytes without NUL: into a map by name, into an array by
/// index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path(Vec<String>);

impl Path {
    /// From dotted text. `at` is where it stands in the filter.
    pub fn read(at: &str, text: &str) -> Result<Self, Error> {
        let invalid = |message: String| Error::invalid("filter", message);
        let steps: Vec<String> = text.split('.').map(str::to_owned).collect();
        if steps.len() > DOCS_PATH_STEPS_MAX {
            let asked = steps.len();
            return Err(invalid(format!("{at}: a path of {asked} steps; at most {DOCS_PATH_STEPS_MAX} are allowed")));
        }
        for step in &steps {
            if step.is_empty() {
                return Err(invalid(format!("{at}: a path has no empty step: write it as `name` or `name.name`")));
            }
            if step.len() > DOCS_PATH_STEP_BYTES_MAX {
                let asked = step.len();
                return Err(invalid(format!(
                    "{at}: a step of the path is {asked} bytes long; at most {DOCS_PATH_STEP_BYTES_MAX} are allowed"
                )));
            }
            if step.contains('\0') {
                return Err(invalid(format!("{at}: a path must not contain the character NUL")));
            }
        }
        Ok(Self(steps))
    }

    pub fn steps(&self) -> &[String] {
        &self.0
    }

    /// Whether a step may be the index of an array: what the database takes for a number, generously.
    pub fn may_index(&self) -> bool {
        self.0.iter().any(|step| step.trim_start().starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '+'))
    }
}

impl std::fmt::Display for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join("."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_bounded_in_steps_and_bytes() {
        let dotted = |steps: usize| vec!["a"; steps].join(".");
        assert_eq!(Path::read("x", "a.b.0").unwrap().steps(), ["a", "b", "0"]);
        assert!(Path::read("x", &dotted(DOCS_PATH_STEPS_MAX)).is_ok());
        assert!(Path::read("x", &dotted(DOCS_PATH_STEPS_MAX + 1)).is_err());
        assert!(Path::read("x", &"a".repeat(DOCS_PATH_STEP_BYTES_MAX)).is_ok());
        assert!(Path::read("x", &"a".repeat(DOCS_PATH_STEP_BYTES_MAX + 1)).is_err());
        for bad in ["", ".", "a.", ".a", "a..b", "a\0"] {
            assert!(Path::read("x", bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_may_be_an_index_is_known() {
        for (text, may) in
            [("a.b", false), ("a.0", true), ("a.-1", true), ("a. 1", true), ("a.+1", true), ("a1", false), ("1a", true)]
        {
            assert_eq!(Path::read("x", text).unwrap().may_index(), may, "{text}");
        }
    }
}
