//! Nodes: which there are on a database, what each does, and how it is.

use chrono::{DateTime, Utc};

use crate::config::Roles;
use crate::id::NodeId;
use crate::limits::NODE_NAME_BYTES_MAX;

/// How a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It answers.
    Serving,
    /// It was told to end, and finishes what runs.
    Draining,
    /// It is connected to the database, and did not answer a roll call in time: it is stopped, or has too much to do.
    Silent,
    /// It is not connected any more, and never said that it leaves: killed, cut off, or without power.
    Gone,
}

impl State {
    pub const ALL: [Self; 4] = [Self::Serving, Self::Draining, Self::Silent, Self::Gone];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Serving => "serving",
            Self::Draining => "draining",
            Self::Silent => "silent",
            Self::Gone => "gone",
        }
    }
}

/// What a node says of itself when it comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub id: NodeId,
    pub name: String,
    /// Of its binary.
    pub version: String,
    /// The newest migration that its binary knows.
    pub schema: i64,
    pub roles: Roles,
    /// Where its planes listen; it may have no data plane.
    pub data: Option<String>,
    pub admin: String,
    pub started_at: DateTime<Utc>,
}

/// What is kept of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub node: Node,
    pub is_draining: bool,
    /// Whether it is connected.
    pub is_present: bool,
    /// How often it has answered.
    pub answers: i64,
    pub seen_at: DateTime<Utc>,
}

impl Entry {
    /// How it is, where it has answered the roll call or not.
    pub fn state(&self, has_answered: bool) -> State {
        match (self.is_present, self.is_draining, has_answered) {
            (false, ..) => State::Gone,
            (true, true, _) => State::Draining,
            (true, false, true) => State::Serving,
            (true, false, false) => State::Silent,
        }
    }
}

/// A node as it is told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub node: Node,
    pub state: State,
    pub seen_at: DateTime<Utc>,
    /// Whether it is the one that tells.
    pub is_this: bool,
}

/// Whether a node may be called that: letters, digits, `.`, `_`, `-`, `NODE_NAME_BYTES_MAX` at most.
pub fn is_name(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    (1..=NODE_NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(is_present: bool, is_draining: bool) -> Entry {
        let at = DateTime::UNIX_EPOCH;
        let node = Node {
            id: NodeId::at(at),
            name: "pi".to_owned(),
            version: "1.0.0".to_owned(),
            schema: 27,
            roles: Roles::ALL,
            data: None,
            admin: "127.0.0.1:8081".to_owned(),
            started_at: at,
        };
        Entry { node, is_draining, is_present, answers: 0, seen_at: at }
    }

    #[test]
    fn who_is_not_connected_is_gone_whatever_it_said_last() {
        for is_draining in [false, true] {
            assert_eq!(entry(false, is_draining).state(true), State::Gone);
        }
        assert_eq!(entry(true, true).state(false), State::Draining, "one that ends has other things to do than to answer");
        assert_eq!((entry(true, false).state(true), entry(true, false).state(false)), (State::Serving, State::Silent));
    }

    #[test]
    fn names_are_short_and_plain() {
        assert!(is_name("pi-4.lan_2") && is_name(&"a".repeat(NODE_NAME_BYTES_MAX)));
        for wrong in ["", "a b", "ä", "a\n", &"a".repeat(NODE_NAME_BYTES_MAX + 1)] {
            assert!(!is_name(wrong), "{wrong:?}");
        }
    }

    #[test]
    fn states_have_words_of_their_own() {
        let words: std::collections::BTreeSet<_> = State::ALL.map(State::as_str).into_iter().collect();
        assert_eq!(words.len(), State::ALL.len());
    }
}
