//! How the last backup by schedule went: for whoever looks, with or without a key. It decides nothing.

use std::path::Path;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Result, STATE, io_error, read_bounded};
use crate::limits;
use crate::model::backup::SnapshotId;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    pub last_success: Option<LastSuccess>,
    pub last_failure: Option<LastFailure>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastSuccess {
    pub at: DateTime<Utc>,
    pub snapshot: SnapshotId,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastFailure {
    pub at: DateTime<Utc>,
    pub message: String,
}

impl State {
    /// None where there is none, or none that can be read.
    pub fn read(path: &Path) -> Self {
        let bytes = read_bounded(&path.join(STATE), usize::try_from(limits::BACKUP_MARK_BYTES_MAX).unwrap_or(usize::MAX));
        bytes.ok().flatten().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    /// Replaces what is there.
    pub fn write(&self, path: &Path) -> Result<()> {
        let (draft, state) = (path.join(format!("{STATE}.new")), path.join(STATE));
        let bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        std::fs::write(&draft, bytes).and_then(|()| std::fs::rename(&draft, &state)).map_err(io_error("written", &state))
    }

    /// The failure that came after the last success.
    pub fn trouble(&self) -> Option<&LastFailure> {
        let succeeded = self.last_success.as_ref().map(|success| success.at);
        self.last_failure.as_ref().filter(|failure| succeeded.is_none_or(|at| at < failure.at))
    }
}
