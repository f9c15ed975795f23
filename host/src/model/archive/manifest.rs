//! What an app is, as its archive says it: by names, never by ids, in an order that does not depend on when things were made.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{MANIFEST, refused};
use crate::error::{Error, Result};
use crate::model::script::{Kind, Limits};
use crate::model::topic::Access;

pub const FORMAT: &str = "picloud.app";
/// Grows when an archive is written that an earlier picloud would read wrongly, or not at all.
pub const FORMAT_VERSION: u32 = 1;

/// The first entry of an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub format: String,
    pub format_version: u32,
    /// The version that exported it.
    pub picloud: String,
    /// The version of the contract of its scripts.
    pub sdk: String,
    pub exported_at: DateTime<Utc>,
    pub app: AppPart,
    /// By name.
    pub scripts: Vec<ScriptPart>,
    pub routes: Vec<RoutePart>,
    pub triggers: Vec<TriggerPart>,
    /// Who may subscribe, by registered topic: not what was published, nor any token.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub topics: BTreeMap<String, Access>,
    /// Names alone, for whoever sets them again.
    pub secrets: Vec<String>,
    /// Names that the app had proven to own. An app that is made of the archive does not have them.
    pub domains: Vec<String>,
    /// What the app had and the archive has not, and why.
    pub left_out: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppPart {
    pub slug: String,
    pub name: String,
    /// The host that the slug gave it: hosts of routes that are this one, or below it, follow the slug of the app that is made.
    pub host: String,
    pub cors_origins: Vec<String>,
    /// Patterns by capability.
    pub grants: BTreeMap<String, Vec<String>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScriptPart {
    pub name: String,
    pub kind: Kind,
    pub description: String,
    /// Number of the active version.
    pub active: i32,
    pub created_at: DateTime<Utc>,
    /// By number.
    pub versions: Vec<VersionPart>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VersionPart {
    pub number: i32,
    /// `script::digest` of source and limits.
    pub digest: String,
    pub limits: Limits,
    pub created_at: DateTime<Utc>,
    /// The entry that holds its source.
    pub file: String,
}

/// Sorts by its fields in their order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "RouteState")]
#[serde(deny_unknown_fields)]
pub struct RoutePart {
    /// By name, as wherever a script is named.
    pub script: String,
    pub path: String,
    pub host: Option<String>,
    /// Null is any.
    pub method: Option<String>,
    pub dispatch_mode: String,
}

/// Sorts by its fields in their order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "TriggerState")]
#[serde(deny_unknown_fields)]
pub struct TriggerPart {
    pub script: String,
    pub kind: String,
    pub rule: RulePart,
    pub retry: RetryPart,
    /// Whether it was active.
    pub enabled: bool,
}

/// What a trigger listens to: the fields of its kind, and no other.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "TriggerRuleState")]
#[serde(deny_unknown_fields)]
pub struct RulePart {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collection: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ops: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// The name of a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Of dead letters: only those of this source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Of dead letters: only those of this script.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub about_script: Option<String>,
    /// Of dead letters: only those of the trigger at this place of the list, counted from 0; it stands before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub about_trigger: Option<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "RetryState")]
#[serde(deny_unknown_fields)]
pub struct RetryPart {
    pub max_attempts: u32,
    pub backoff: String,
    pub base_delay_ms: u32,
    pub max_delay_ms: u32,
    pub jitter: bool,
}

impl Manifest {
    /// As it is written: lines for people, who may read it.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        let mut json = serde_json::to_vec(self).map_err(Error::internal)?;
        json.push(b'\n');
        Ok(json)
    }

    /// `invalid_archive` for what is no manifest, and for one of a later format.
    pub fn read(json: &[u8]) -> Result<Self> {
        /// What every manifest says, of whatever version.
        #[derive(Deserialize)]
        struct Head {
            format: String,
            format_version: u32,
        }
        let wrong = |error: serde_json::Error| refused(MANIFEST, None, error);
        let head: Head = serde_json::from_slice(json).map_err(wrong)?;
        if head.format != FORMAT {
            return Err(refused(MANIFEST, None, "the format is not that of an archive of an app"));
        }
        if head.format_version != FORMAT_VERSION {
            let found = head.format_version;
            let why = format!("format_version is {found}, and this picloud reads {FORMAT_VERSION}: use a picloud of its time");
            return Err(refused(MANIFEST, None, why));
        }
        serde_json::from_slice(json).map_err(wrong)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn manifest() -> Value {
        json!({
            "format": "picloud.app", "format_version": 1, "picloud": "0.1.0", "sdk": "2.0", "exported_at": "2026-01-02T03:04:05Z",
            "app": { "slug": "shop", "name": "Shop", "host": "shop.localhost", "cors_origins": [], "grants": { "kv": ["*"] } },
            "scripts": [], "routes": [], "triggers": [], "secrets": [], "domains": [], "left_out": [],
        })
    }

    fn read(value: &Value) -> Result<Manifest> {
        Manifest::read(value.to_string().as_bytes())
    }

    #[test]
    fn a_manifest_reads_back() {
        let read = read(&manifest()).unwrap();
        assert_eq!(Manifest::read(&read.to_json().unwrap()).unwrap(), read);
        let mut with_topics = manifest();
        with_topics["topics"] = json!({ "news": "public" });
        let read = self::read(&with_topics).unwrap();
        assert_eq!(
            Manifest::read(&read.to_json().unwrap()).unwrap().topics,
            BTreeMap::from([("news".to_owned(), Access::Public)])
        );
    }

    #[test]
    fn an_archive_of_an_app_without_topics_is_as_it_was_before_there_were_any() {
        let json = read(&manifest()).unwrap().to_json().unwrap();
        assert!(serde_json::from_slice::<Value>(&json).unwrap().get("topics").is_none());
    }

    #[test]
    fn what_nobody_knows_is_refused_and_a_later_format_by_its_number() {
        let mut later = manifest();
        later["format_version"] = json!(2);
        later["novel"] = json!(1);
        assert!(read(&later).unwrap_err().message.contains("format_version is 2"));
        later["format_version"] = json!(1);
        assert!(read(&later).unwrap_err().message.contains("unknown field `novel`"));
        let mut other = manifest();
        other["format"] = json!("zip");
        assert!(read(&other).is_err());
        assert!(Manifest::read(b"").is_err() && Manifest::read(b"[]").is_err() && Manifest::read(b"\xff").is_err());
    }
}
