//! Members of an app: who of the instance works in it, and as what.

use chrono::{DateTime, Utc};

use crate::id::{AppId, UserId};

/// What a member may do in one app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AppRole {
    /// Everything in the app.
    AppAdmin,
    /// Scripts, routes, and what they log.
    Editor,
    /// Looks, and changes nothing.
    Viewer,
}

impl AppRole {
    pub const ALL: [Self; 3] = [Self::AppAdmin, Self::Editor, Self::Viewer];

    /// The word in SQL and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AppAdmin => "app_admin",
            Self::Editor => "editor",
            Self::Viewer => "viewer",
        }
    }

    /// The role of a word; `None` for any other word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }
}

/// A user's role in an app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub app_id: AppId,
    pub user_id: UserId,
    pub username: String,
    pub role: AppRole,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl Member {
    /// The entity tag: another one after every change.
    pub fn tag(&self) -> String {
        format!("{:x}", self.updated_at.timestamp_micros())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_reads_back_from_its_word_and_json_says_the_same() {
        for role in AppRole::ALL {
            assert_eq!(AppRole::from_word(role.as_str()), Some(role));
            assert_eq!(serde_json::to_value(role).unwrap(), role.as_str());
        }
        assert_eq!(AppRole::from_word("owner"), None);
    }
}
