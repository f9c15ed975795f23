//! Collections of an app: what people see of them, and which state of a thing in one a change of theirs is meant for.

use crate::error::{Error, Result};

/// A collection, by what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collection {
    pub name: String,
    /// Entries, documents or files.
    pub count: u64,
    /// Their values, data or content.
    pub bytes: u64,
}

/// What a person changes.
#[derive(Debug, Clone, Copy)]
pub struct Aim<'a> {
    pub collection: &'a str,
    /// The key of an entry, the id of a document.
    pub name: &'a str,
    /// The tag of the one state that the change is meant for; without, any.
    pub if_match: Option<&'a str>,
}

/// 412 unless a thing (`what`, a noun) is in the state that a change is meant for. The tag of a state is its revision, and of
/// nothing at all 0.
pub fn check_state(what: &str, if_match: Option<&str>, revision: i64) -> Result<()> {
    let current = revision.to_string();
    match if_match {
        Some(tag) if tag != current => Err(Error::changed_meanwhile(what, current)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_meets_the_state_that_it_is_meant_for() {
        assert!(check_state("entry", None, 7).is_ok());
        assert!(check_state("entry", Some("7"), 7).is_ok());
        assert!(check_state("entry", Some("0"), 0).is_ok());
        for other in ["8", "07", "+7", "", "seven", "0"] {
            let refused = check_state("entry", Some(other), 7).unwrap_err();
            assert_eq!(refused.code, "precondition_failed", "{other:?}");
            assert_eq!(refused.details.unwrap()["current"], "7");
        }
    }
}
