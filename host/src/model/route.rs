//! Routes: host + method + path → script. Which route answers is decided here, purely.
//!
//! **Order.** Of all routes that match a request the first in this order answers: exact path, then param
//! (`/users/:id`), then prefix (`/files/*`); more literal leading segments first; the method itself, then (for HEAD) GET,
//! then any; host strict, then wildcard, then any. Each rule only decides what the ones before it leave equal.
//!
//! **Conflicts.** Two routes that some request would match with equal rank are refused when the second is created
//! (`conflict`). What the order decides is no conflict, so a resolved route never depends on who came first.
//!
//! **Paths.** A request's path is cut at `/` first and percent-decoded after, so an encoded slash never makes a segment.
//! Nothing is folded: `/a` and `/a/` differ, an empty segment (`//`) matches no literal and no parameter, letters keep
//! their case. Refused as malformed (400), however they are encoded: dot segments, control characters, broken escapes,
//! bytes that are not UTF-8. A prefix `/files/*` is the strict subtree: `/files/x` and `/files/x//y/` match, `/files`,
//! `/files/` and `/files//x` do not, so the rest is never empty and never begins with a slash.
//!
//! **Hosts.** An app owns `{slug}.{apps domain}` and every name below it, and the domains that it has proven: an exact one goes before a
//! wildcard, and no domain reaches into the apps domain. A wildcard `*.x` stands for exactly one label.

mod directory;
mod host;
mod method;
mod path;
mod table;

#[cfg(test)]
mod properties;

use chrono::{DateTime, Utc};
use serde_json::json;

use crate::error::{Error, Result};
use crate::id::{AppId, RouteId, ScriptId};

pub use directory::{Directory, Resolution, Source, SourceApp};
pub use host::{HostPattern, normalize_host};
pub use method::Method;
pub use path::{PathFault, PathKind, PathPattern};
pub use table::{AppTable, Found, Lookup};

/// A rule of one app that leads to one of its scripts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    pub id: RouteId,
    pub app_id: AppId,
    pub script_id: ScriptId,
    /// `None` is any method.
    pub method: Option<Method>,
    /// `None` is any host of the app.
    pub host: Option<HostPattern>,
    pub path: PathPattern,
    pub dispatch_mode: DispatchMode,
    pub created_at: DateTime<Utc>,
}

/// Whether a caller waits for the script.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DispatchMode {
    #[default]
    Sync,
    /// The caller is told at once where the execution will be found.
    Async,
}

impl DispatchMode {
    /// The word in SQL and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Async => "async",
        }
    }

    /// The mode of a word; `None` for any other word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Sync, Self::Async].into_iter().find(|mode| mode.as_str() == word)
    }

    /// As a person says it; `sync` without a word. 422 for any other word.
    pub fn asked(word: Option<&str>) -> Result<Self> {
        let Some(word) = word else { return Ok(Self::default()) };
        Self::from_word(word).ok_or_else(|| Error::invalid("dispatch_mode", "dispatch_mode is sync or async"))
    }
}

impl Route {
    /// Whether some request matches both routes with equal rank. A route clashes with itself.
    pub fn clashes_with(&self, other: &Self) -> bool {
        self.app_id == other.app_id
            && self.method == other.method
            && self.host == other.host
            && self.path.rank() == other.path.rank()
            && self.path.overlaps(&other.path)
    }
}

impl std::fmt::Display for Route {
    /// `GET api.hello.localhost/users/:id`, as people are told about it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.method {
            Some(method) => write!(f, "{method} ")?,
            None => f.write_str("ANY ")?,
        }
        if let Some(host) = &self.host {
            host.fmt(f)?;
        }
        self.path.fmt(f)
    }
}

/// The route among `existing` that stands in the way of `new`, if one does; a route of the same id does not.
pub fn conflict<'a>(new: &Route, existing: impl IntoIterator<Item = &'a Route>) -> Option<&'a Route> {
    existing.into_iter().find(|other| other.id != new.id && other.clashes_with(new))
}

/// 409 `conflict`, naming the route that is in the way; details `{route: {id, script_id, method, host, path}}`.
pub fn conflict_error(new: &Route, other: &Route) -> Error {
    Error::conflict(
        format!(
            "{new} and the route {other} would both match one request, and neither goes first; change one or delete the other"
        ),
        json!({ "route": {
            "id": other.id,
            "script_id": other.script_id,
            "method": other.method,
            "host": other.host,
            "path": other.path,
        } }),
    )
}

/// Why a pattern is none: what is wrong, where, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PatternError {
    /// `path`, `host` or `method`.
    pub field: &'static str,
    /// Counted in characters from 0.
    pub at: usize,
    pub message: String,
}

impl From<PatternError> for Error {
    /// 422 `invalid`; details `{field, at}`.
    fn from(error: PatternError) -> Self {
        let details = json!({ "field": error.field, "at": error.at });
        Error::invalid(error.field, error.message).with_details(details)
    }
}
