//! Scripts and their immutable versions.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::id::{AppId, ScriptId, UserId};
use crate::limits;

/// What one invocation may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    pub fuel: u64,
    pub memory_mb: u32,
    pub timeout_ms: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { fuel: limits::FUEL_DEFAULT, memory_mb: limits::MEMORY_MB_DEFAULT, timeout_ms: limits::TIMEOUT_MS_DEFAULT }
    }
}

/// `endpoint` answers requests; `module` holds functions for other scripts and cannot be routed to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    #[default]
    Endpoint,
    Module,
}

/// Where a source is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
}

/// A checked source, ready to be stored as a version. Made by `invoke` alone: only the sandbox reads source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// Interfaces the source can reach, sorted ("kv", "log").
    pub capabilities: Vec<String>,
    pub image: Option<Image>,
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
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// An immutable checked state of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    pub number: i32,
    /// Lower-case hex SHA-256 over what the version is (source and limits).
    pub digest: String,
    pub source: String,
    pub limits: Limits,
    pub capabilities: Vec<String>,
    pub created_by: Option<UserId>,
    pub created_at: DateTime<Utc>,
}

/// What an invocation needs of a version, read once and cached by `invoke`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Executable {
    pub name: String,
    pub source: String,
    /// The image for the asked component, if one is stored.
    pub image: Option<Image>,
}
