//! Host calls as a world knows them: what is called, and what a test has scripted for it.
//!
//! A call is known by its function and its names, as in `kv.get orders/17` or `http GET https://api.example.com/rate`. A pattern
//! covers calls; each `*` in it stands for anything. Of the patterns that cover a call the one given last counts.

use std::collections::VecDeque;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::world::World;
use crate::error::{Error, Kind, Result};
use crate::limits;
use crate::model::grant::Need;
use crate::model::text;

/// A host call that is about to be answered.
#[derive(Debug)]
pub(in crate::hostcall) struct Called {
    what: String,
    need: Option<Need>,
    arguments: Vec<(&'static str, Argument)>,
}

/// What is told of one argument.
#[derive(Debug)]
pub(super) enum Argument {
    Absent,
    Text(String),
    Number(i64),
    Texts(Vec<String>),
    /// JSON text; anything else is told as base64.
    Bytes(Vec<u8>),
}

/// Answers to the calls that a pattern covers, in order.
#[derive(Debug)]
pub(super) struct Scripted {
    pattern: String,
    outcomes: VecDeque<(Outcome, Times)>,
}

/// What a scripted call comes to.
#[derive(Debug, Clone)]
pub(super) enum Outcome {
    Answer(Value),
    /// The code and the message of an error.
    Fail(String, String),
}

/// How often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Times {
    /// Once where another one follows, else always.
    UntilNext,
    Left(u32),
}

/// Codes of errors as scripts know them.
const ERRORS: [(&str, Kind); 10] = [
    ("invalid_argument", Kind::Invalid),
    ("denied", Kind::Forbidden),
    ("not_found", Kind::NotFound),
    ("timed_out", Kind::TimedOut),
    ("conflict", Kind::Conflict),
    ("limit_exceeded", Kind::RateLimited),
    ("corrupt", Kind::Corrupt),
    ("unavailable", Kind::Overloaded),
    ("not_configured", Kind::NotConfigured),
    ("internal", Kind::Internal),
];

impl Called {
    /// A call of `function` about what `names` name, which needs a grant.
    pub(super) fn new(function: &str, need: Need, names: &[(&'static str, &str)]) -> Self {
        let arguments = names.iter().map(|(name, value)| (*name, Argument::Text((*value).to_owned()))).collect();
        let names: Vec<&str> = names.iter().map(|(_, value)| *value).collect();
        let what = format!("{function} {}", names.join("/"));
        Self { what: what.trim_end().to_owned(), need: Some(need), arguments }
    }

    /// The same about something that no name says.
    pub(super) fn about(function: &str, need: Need, what: &str) -> Self {
        Self { what: format!("{function} {what}").trim_end().to_owned(), need: Some(need), arguments: Vec::new() }
    }

    /// What a test asks of its world: no grant says that it may.
    pub(super) fn control(what: &str) -> Self {
        Self { what: what.to_owned(), need: None, arguments: Vec::new() }
    }

    /// With one more argument.
    pub(super) fn with(mut self, name: &'static str, value: impl Into<Argument>) -> Self {
        self.arguments.push((name, value.into()));
        self
    }

    pub(super) fn what(&self) -> &str {
        &self.what
    }

    pub(super) fn need(&self) -> Option<&Need> {
        self.need.as_ref()
    }

    /// The arguments by name.
    pub(super) fn told(&self) -> Value {
        let told = self.arguments.iter().map(|(name, value)| ((*name).to_owned(), value.told()));
        Value::Object(told.collect::<Map<_, _>>())
    }
}

impl Argument {
    fn told(&self) -> Value {
        match self {
            Self::Absent => Value::Null,
            Self::Text(text) => text.as_str().into(),
            Self::Number(number) => (*number).into(),
            Self::Texts(texts) => json!(texts),
            Self::Bytes(bytes) if bytes.len() > limits::LOCAL_ARGUMENT_BYTES_MAX => format!("{} bytes", bytes.len()).into(),
            Self::Bytes(bytes) => json_of(bytes).unwrap_or_else(|| match std::str::from_utf8(bytes) {
                Ok(text) => text.into(),
                Err(_) => STANDARD.encode(bytes).into(),
            }),
        }
    }
}

/// JSON text as a value, unless it is nested deeper than scripts can read.
pub(super) fn json_of(text: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(text).ok()?;
    if text::json_depth(text) > limits::JSON_DEPTH_MAX { None } else { serde_json::from_str(text).ok() }
}

impl From<&str> for Argument {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<i64> for Argument {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<&[u8]> for Argument {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.to_vec())
    }
}

impl From<&[String]> for Argument {
    fn from(texts: &[String]) -> Self {
        Self::Texts(texts.to_vec())
    }
}

impl<T: Into<Argument>> From<Option<T>> for Argument {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Absent, Into::into)
    }
}

impl World {
    /// Scripts what the calls that `pattern` covers come to.
    pub(super) fn script(&self, pattern: &str, outcome: Outcome, times: Times) -> Result<()> {
        let mut state = self.lock();
        let scripted = &mut state.scripted;
        let given = scripted.iter().position(|scripted| scripted.pattern == pattern).map(|place| scripted.remove(place));
        let mut given = given.unwrap_or_else(|| Scripted { pattern: pattern.to_owned(), outcomes: VecDeque::new() });
        let (asked, allowed) =
            (scripted.iter().map(|scripted| scripted.outcomes.len()).sum::<usize>(), limits::LOCAL_ANSWERS_MAX);
        if asked + given.outcomes.len() >= allowed {
            scripted.push(given);
            return Err(Error::invalid("what", format!("{allowed} answers are scripted already, which is all there may be")));
        }
        given.outcomes.push_back((outcome, times));
        scripted.push(given);
        Ok(())
    }

    /// The scripted failure of a call, if that is what comes of it.
    pub(super) fn scripted_failure(&self, called: &Called) -> Result<()> {
        let failure = self.take(called.what(), |outcome| matches!(outcome, Outcome::Fail(code, _) if error_of(code).is_some()));
        match failure {
            Some(Outcome::Fail(code, message)) => match error_of(&code) {
                Some((code, kind)) => Err(Error::new(kind, code, message)),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// What was scripted for a call, if anything was: failures that are no errors of the platform's among it.
    pub(super) fn scripted_answer(&self, what: &str) -> Option<Outcome> {
        self.take(what, |_| true)
    }

    /// The next of what was scripted for `what`, where that `is_meant`.
    fn take(&self, what: &str, is_meant: impl FnOnce(&Outcome) -> bool) -> Option<Outcome> {
        let mut state = self.lock();
        let place = state.scripted.iter().rposition(|scripted| covers(&scripted.pattern, what))?;
        let outcomes = &mut state.scripted.get_mut(place)?.outcomes;
        let is_last = outcomes.len() == 1;
        let (outcome, times) = outcomes.front_mut()?;
        if !is_meant(&*outcome) {
            return None;
        }
        let taken = outcome.clone();
        let is_spent = match times {
            Times::UntilNext => !is_last,
            Times::Left(left) => {
                *left = left.saturating_sub(1);
                *left == 0
            }
        };
        if is_spent {
            outcomes.pop_front();
            if outcomes.is_empty() {
                state.scripted.remove(place);
            }
        }
        Some(taken)
    }

    /// Calls that `pattern` covers, in order: `{call, arguments}`.
    pub(super) fn calls(&self, pattern: &str) -> Value {
        let state = self.lock();
        let calls = state.calls.iter().filter(|(what, _)| covers(pattern, what));
        calls.map(|(what, arguments)| json!({ "of": what, "arguments": arguments })).collect()
    }

    /// Remembers what no test passes with, and refuses the call.
    pub(super) fn fault(&self, what: String) -> Error {
        let error = Error::new(Kind::Overloaded, "unavailable", what.clone());
        let mut state = self.lock();
        if state.faults.len() < limits::LOCAL_FAULTS_MAX {
            state.faults.push(what);
        }
        error
    }
}

/// The error of a code, as scripts know it.
pub(super) fn error_of(code: &str) -> Option<(&'static str, Kind)> {
    ERRORS.into_iter().find(|(word, _)| *word == code)
}

/// Every code, for messages.
pub(super) fn codes() -> String {
    ERRORS.map(|(word, _)| word).join(", ")
}

/// Whether a pattern stands for a text: `*` for anything, also for nothing.
pub(super) fn covers(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::grant::Capability;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, text, fits) in [
            ("", "", true),
            ("a", "a", true),
            ("a", "ab", false),
            ("a*", "a", true),
            ("a*", "abc", true),
            ("*c", "abc", true),
            ("*b", "abc", false),
            ("a*c", "abc", true),
            ("a*c", "ac", true),
            ("ab*bc", "abc", false),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "acb", false),
            ("*", "", true),
            ("**", "x", true),
            ("http GET https://a.example/*", "http GET https://a.example/x?y=*", true),
            ("é*", "éa", true),
        ] {
            assert_eq!(covers(pattern, text), fits, "{pattern:?} {text:?}");
        }
    }

    #[test]
    fn a_call_is_known_by_its_function_and_its_names() {
        let need = || Need::new(Capability::Kv, "orders");
        let called = Called::new("kv.set", need(), &[("collection", "orders"), ("key", "17")]).with("value", &b"{\"n\": 1}"[..]);
        assert_eq!(called.what(), "kv.set orders/17");
        assert_eq!(called.told(), json!({ "collection": "orders", "key": "17", "value": { "n": 1 } }));
        assert_eq!(Called::about("secrets.list", need(), "").what(), "secrets.list");
        assert_eq!(Argument::Bytes(vec![0xff]).told(), json!("/w=="));
        assert_eq!(Argument::Bytes(b"plain".to_vec()).told(), json!("plain"));
    }
}
