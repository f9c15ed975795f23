//! Scripts and their immutable versions.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::error::{self, Error, Result};
use crate::id::{AppId, ScriptId, UserId};
use crate::limits;
use crate::model::deployment::check_message;
use crate::model::quota::Quota;
use crate::model::text;

pub use crate::model::quota::{AskedLimits, Limits};

/// The version of the script contract: `ctx.sdk_version`.
pub const SDK_VERSION: &str = "2.0";

/// `endpoint` answers requests; `module` holds functions for other scripts and cannot be routed to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "ScriptKind")]
pub enum Kind {
    #[default]
    Endpoint,
    Module,
}

impl Kind {
    /// The word in SQL and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Endpoint => "endpoint",
            Self::Module => "module",
        }
    }

    /// The kind of a word; `None` for any other word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Endpoint, Self::Module].into_iter().find(|kind| kind.as_str() == word)
    }
}

/// Where a source is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Diagnostic {
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
}

/// A checked source, ready to be stored as a version. Made by `invoke` alone: only the sandbox reads source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prepared {
    /// Interfaces the source itself can reach, sorted ("kv", "log").
    pub own_capabilities: Vec<String>,
    /// The same with those of the modules behind it.
    pub capabilities: Vec<String>,
    /// Modules that it imports by itself, by name.
    pub imports: Vec<String>,
    /// The modules behind it with the versions that it was prepared with.
    pub modules: Vec<(ScriptId, i32)>,
    pub image: Option<Image>,
    /// For a module: what was made anew of the scripts that import it.
    pub dependents: Vec<Dependent>,
}

impl Prepared {
    /// The version that a source and limits are, once they were prepared so.
    pub fn version(
        &self,
        number: i32,
        source: String,
        limits: Limits,
        message: String,
        by: UserId,
        now: DateTime<Utc>,
    ) -> Version {
        Version {
            number,
            digest: digest(&source, &limits),
            source,
            limits,
            capabilities: self.capabilities.clone(),
            own_capabilities: self.own_capabilities.clone(),
            imports: self.imports.clone(),
            message,
            created_by: Some(by),
            created_at: now,
        }
    }
}

/// A script that imports the module which is being published, prepared with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependent {
    pub script_id: ScriptId,
    pub version: i32,
    pub capabilities: Vec<String>,
    pub image: Option<Image>,
}

/// What the sandbox parses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    pub name: String,
    pub source: String,
    /// What it imports, directly or not: each module after those that it imports itself.
    pub modules: Vec<Module>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    pub name: String,
    pub source: String,
}

impl Code {
    /// A script that stands alone.
    pub fn alone(name: impl Into<String>, source: impl Into<String>) -> Self {
        Self { name: name.into(), source: source.into(), modules: Vec::new() }
    }

    /// Bytes that it holds.
    pub fn bytes(&self) -> usize {
        let modules = self.modules.iter().map(|module| module.name.len() + module.source.len());
        self.name.len() + self.source.len() + modules.sum::<usize>()
    }
}

/// The prepared form of a version for one component, opaque outside the sandbox: sealed bytes that it verifies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Hex hash of the warm component it belongs to.
    pub component: String,
    pub sealed: Vec<u8>,
}

/// A script with its active version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    pub id: ScriptId,
    pub app_id: AppId,
    pub name: String,
    pub kind: Kind,
    pub description: String,
    pub active: Version,
    /// How often modules that it imports were published since it was made.
    pub generation: i32,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl Script {
    /// Names the state that a reader saw; another after every publication and every change of the description.
    pub fn tag(&self) -> String {
        format!("{}-{:x}", self.active.number, self.updated_at.timestamp_micros())
    }
}

/// An immutable checked state of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    pub number: i32,
    /// Lower-case hex SHA-256 over what the version is (source and limits).
    pub digest: String,
    pub source: String,
    pub limits: Limits,
    /// Interfaces that it can reach, by itself or through its modules.
    pub capabilities: Vec<String>,
    /// Interfaces that its own source can reach.
    pub own_capabilities: Vec<String>,
    /// Modules that it imports by itself, by name.
    pub imports: Vec<String>,
    /// What its author said of it.
    pub message: String,
    pub created_by: Option<UserId>,
    pub created_at: DateTime<Utc>,
}

/// A version as lists show it: everything but the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionSummary {
    pub number: i32,
    pub digest: String,
    pub limits: Limits,
    pub capabilities: Vec<String>,
    pub message: String,
    pub created_by: Option<UserId>,
    pub created_at: DateTime<Utc>,
}

/// What an invocation needs of a version, read once and cached by `invoke`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Executable {
    pub code: Code,
    /// The image for the asked component, if one is stored.
    pub image: Option<Image>,
}

/// A script as lists show it: everything but the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    pub id: ScriptId,
    pub app_id: AppId,
    pub name: String,
    pub kind: Kind,
    pub description: String,
    /// Number of the active version.
    pub version: i32,
    pub digest: String,
    pub limits: Limits,
    pub capabilities: Vec<String>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// What a new script is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewScript {
    pub app_id: AppId,
    pub name: String,
    pub source: String,
    pub kind: Kind,
    pub description: String,
    pub limits: AskedLimits,
    /// What its author says of the version.
    pub message: String,
}

impl NewScript {
    /// Everything about it that can be judged without running or storing it, in an app of that quota; its limits.
    pub fn check(&self, quota: &Quota) -> Result<Limits> {
        check_name(&self.name)?;
        check_source(&self.source, quota.source_bytes as usize)?;
        check_description(&self.description)?;
        check_message(&self.message)?;
        self.limits.over(Limits::default(), quota)
    }
}

/// What a script's next version is to be. Limits not asked for are those of the version before; no description leaves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewVersion {
    pub source: String,
    pub description: Option<String>,
    pub limits: AskedLimits,
    /// What its author says of it.
    pub message: String,
}

impl NewVersion {
    /// Everything about it that can be judged without the version before, in an app of that quota.
    pub fn check(&self, quota: &Quota) -> Result<()> {
        check_source(&self.source, quota.source_bytes as usize)?;
        self.description.as_deref().map_or(Ok(()), check_description)?;
        check_message(&self.message)?;
        self.limits.over(Limits::default(), quota).map(drop)
    }
}

/// A name: `a-z 0-9 _ -`, first a letter or digit, at most `SCRIPT_NAME_CHARS_MAX` characters. Lower case only, so that two
/// names never differ by case alone, in an import as little as in a file name.
pub fn check_name(name: &str) -> Result<()> {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
    if name.is_empty() || name.starts_with(['_', '-']) || !name.chars().all(legal) {
        return Err(Error::invalid("name", "a script's name starts with a-z or 0-9 and holds a-z, 0-9, _ and - only"));
    }
    text::at_most("name", name, limits::SCRIPT_NAME_CHARS_MAX)
}

/// 404: the app has no script of that name.
pub fn missing(name: &str) -> Error {
    Error::new(error::Kind::NotFound, "not_found", format!("the app has no script `{name}`"))
}

/// 422: it holds functions for others and cannot be called.
pub fn not_called(name: &str) -> Error {
    Error::invalid("script", format!("`{name}` is a module: import it instead"))
}

/// At most `allowed` bytes (more: 413 `source_too_large`), no NUL.
pub fn check_source(source: &str, allowed: usize) -> Result<()> {
    let asked = source.len();
    if asked > allowed {
        return Err(Error::new(
            error::Kind::TooLarge,
            "source_too_large",
            format!("the source has {asked} bytes; at most {allowed} are allowed"),
        )
        .with_details(json!({ "field": "source", "asked": asked, "allowed": allowed })));
    }
    text::without_nul("source", source)
}

/// At most `SCRIPT_DESCRIPTION_CHARS_MAX` characters; lines and tabs, but nothing that steers its reader (`text::is_unseen`).
pub fn check_description(description: &str) -> Result<()> {
    if description.chars().any(text::is_unseen) {
        return Err(Error::invalid(
            "description",
            "a description holds no control or invisible characters but line ends and tabs",
        ));
    }
    text::at_most("description", description, limits::SCRIPT_DESCRIPTION_CHARS_MAX)
}

/// The digest of a version: lower-case hex SHA-256 over a tag, the source led by its length, and the limits, all
/// integers little-endian: the first three always, each other one with its name where it is not at its default. Two
/// versions of one digest run alike.
pub fn digest(source: &str, limits: &Limits) -> String {
    let length = u64::try_from(source.len()).unwrap_or(u64::MAX);
    let mut hash = Sha256::new();
    hash.update(b"picloud script version 1\n");
    hash.update(length.to_le_bytes());
    hash.update(source);
    hash.update(limits.fuel.to_le_bytes());
    hash.update(limits.memory_mb.to_le_bytes());
    hash.update(limits.timeout_ms.to_le_bytes());
    for (bound, value) in limits.each().skip(3).filter(|(bound, value)| *value != bound.default) {
        hash.update(bound.name);
        hash.update(value.to_le_bytes());
    }
    text::hex(&hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lower_case_words() {
        for good in ["a", "hello", "0-day_x", &"a".repeat(64)] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", "_a", "-a", "A", "a.b", "a b", "é", "a\0", &"a".repeat(65)] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_source_over_the_cap_is_too_large_and_not_merely_invalid() {
        let most = limits::SCRIPT_SOURCE_BYTES_MAX;
        assert!(check_source(&" ".repeat(most), most).is_ok());
        let refused = check_source(&" ".repeat(most + 1), most).unwrap_err();
        assert_eq!((refused.kind, refused.code), (error::Kind::TooLarge, "source_too_large"));
        assert_eq!(check_source("\0", most).unwrap_err().code, "invalid");
    }

    #[test]
    fn the_digest_covers_source_and_limits() {
        let limits = Limits::default();
        let digest_of_one = digest("1", &limits);
        assert_eq!(digest_of_one.len(), 64);
        assert_eq!(digest_of_one, digest("1", &limits));
        assert_ne!(digest_of_one, digest("2", &limits));
        assert_ne!(digest_of_one, digest("1", &Limits { timeout_ms: 50, ..limits }));
        let (calls, depth) = (Limits { host_calls: 50, ..limits }, Limits { event_depth: 50, ..limits });
        assert_ne!(digest_of_one, digest("1", &calls));
        assert_ne!(digest("1", &calls), digest("1", &depth));
    }
}
