//! A deployment: an app as a whole, by names and never by ids, so that the same state has the same digest wherever it is.
//!
//! `difference` tells two of them apart; `manifest` is how people write one.

pub mod difference;
pub mod manifest;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::id::{AppId, UserId};
use crate::limits;
use crate::model::archive::manifest::{RoutePart, TriggerPart};
use crate::model::script::{Kind, Limits};
use crate::model::text;
use crate::model::topic::Access;

/// What an app runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "DeploymentState")]
pub struct State {
    /// By name.
    pub scripts: Vec<ScriptState>,
    /// In the order of script, path, host and method.
    pub routes: Vec<RoutePart>,
    /// In the order of script, kind and rule; one that listens to another's letters after that.
    pub triggers: Vec<TriggerPart>,
    /// Patterns by capability.
    pub grants: BTreeMap<String, Vec<String>>,
    /// Who may subscribe, by registered topic.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub topics: BTreeMap<String, Access>,
}

/// A script with the version that is active in a deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "DeployedScript")]
pub struct ScriptState {
    pub name: String,
    pub kind: Kind,
    pub description: String,
    /// The number of the version in its script; 0 where it was none yet when the deployment was stored.
    pub version: i32,
    /// The digest of the version: source and limits.
    pub digest: String,
    pub limits: Limits,
    /// Interfaces that it can reach, by itself and through modules.
    pub capabilities: Vec<String>,
}

/// A stored state of an app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    pub about: About,
    pub state: State,
}

/// A deployment without its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    pub app_id: AppId,
    pub number: i32,
    pub digest: String,
    /// What made it, in the words of the audit log.
    pub cause: String,
    pub message: String,
    pub created_by: Option<UserId>,
    pub created_at: DateTime<Utc>,
    /// When it last became what runs.
    pub activated_at: Option<DateTime<Utc>>,
    /// Whether it is what runs.
    pub is_active: bool,
}

impl State {
    /// Lower-case hex SHA-256 over a tag and, as compact JSON, everything but what follows from the rest (numbers of versions and
    /// capabilities).
    ///
    /// # Errors
    /// None but of memory.
    pub fn digest(&self) -> Result<String> {
        /// The part of a script that makes it what it is.
        #[derive(Serialize)]
        struct Named<'a>(&'a str, Kind, &'a str, &'a str);
        let scripts = self.scripts.iter().map(|s| Named(&s.name, s.kind, &s.description, &s.digest));
        let whole = (scripts.collect::<Vec<_>>(), &self.routes, &self.triggers, &self.grants);
        let mut hash = Sha256::new();
        hash.update(b"picloud deployment 1\n");
        hash.update(serde_json::to_vec(&whole).map_err(Error::internal)?);
        // Without any it is what it was before there were any.
        if !self.topics.is_empty() {
            hash.update(serde_json::to_vec(&self.topics).map_err(Error::internal)?);
        }
        Ok(text::hex(&hash.finalize()))
    }

    pub fn script(&self, name: &str) -> Option<&ScriptState> {
        self.scripts.binary_search_by(|script| script.name.as_str().cmp(name)).ok().and_then(|at| self.scripts.get(at))
    }
}

/// At most `DEPLOYMENT_MESSAGE_CHARS_MAX` characters; lines and tabs, but nothing that steers its reader (`text::is_unseen`).
pub fn check_message(message: &str) -> Result<()> {
    if message.chars().any(text::is_unseen) {
        return Err(Error::invalid("message", "a message holds no control or invisible characters but line ends and tabs"));
    }
    text::at_most("message", message, limits::DEPLOYMENT_MESSAGE_CHARS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(name: &str, version: i32) -> ScriptState {
        ScriptState {
            name: name.into(),
            kind: Kind::Endpoint,
            description: String::new(),
            version,
            digest: "0".repeat(64),
            limits: Limits::default(),
            capabilities: Vec::new(),
        }
    }

    #[test]
    fn a_digest_is_of_what_runs_and_not_of_how_it_came_to_be() {
        let state = State { scripts: vec![script("a", 1)], ..State::default() };
        let digest = state.digest().unwrap();
        assert_eq!(digest.len(), 64);
        let again =
            State { scripts: vec![ScriptState { capabilities: vec!["kv".into()], ..script("a", 7) }], ..State::default() };
        assert_eq!(again.digest().unwrap(), digest);
        let other = State { scripts: vec![ScriptState { description: "x".into(), ..script("a", 1) }], ..State::default() };
        assert_ne!(other.digest().unwrap(), digest);
        let granted = State { grants: BTreeMap::from([("http".to_owned(), vec!["*".to_owned()])]), ..state };
        assert_ne!(granted.digest().unwrap(), digest);
        let with = |access| State { topics: BTreeMap::from([("news".to_owned(), access)]), ..granted.clone() }.digest().unwrap();
        assert_ne!(with(Access::Public), granted.digest().unwrap());
        assert_ne!(with(Access::Public), with(Access::Token));
    }

    #[test]
    fn a_state_from_before_there_were_topics_has_none() {
        let stored = serde_json::json!({ "scripts": [], "routes": [], "triggers": [], "grants": {} });
        let state: State = serde_json::from_value(stored).unwrap();
        assert_eq!(state, State::default());
        assert!(serde_json::to_value(&state).unwrap().get("topics").is_none());
        assert_eq!(state.digest().unwrap(), "6eb207e319baf43c1f023a11ce39f4150b9507f5a9c11ebbfbc11eae66770b44");
    }

    #[test]
    fn messages_are_bounded_and_steer_nobody() {
        let most = limits::DEPLOYMENT_MESSAGE_CHARS_MAX;
        assert!(check_message(&"é".repeat(most)).is_ok() && check_message("a\nb\tc").is_ok());
        assert!(check_message(&"é".repeat(most + 1)).is_err());
        assert!(check_message("\u{1b}[2J").is_err() && check_message("\u{202e}").is_err());
    }
}
