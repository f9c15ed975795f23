//! Deliveries: one event for one trigger, from its first attempt to its end.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::event::Event;
use super::execution::{Failure, Outcome};
use super::retry::Retry;
use super::trace::Trace;
use crate::id::{AppId, DeliveryId, ExecutionId, RequestId, ScriptId, TriggerId, UserId};
use crate::model::access::Role;
use crate::model::member::AppRole;

/// A delivery that this node holds under a lease, with all that its attempt needs.
#[derive(Debug, Clone)]
pub struct Claim {
    pub id: DeliveryId,
    /// Only who knows it settles or renews.
    pub number: i32,
    pub app_id: AppId,
    pub request_id: RequestId,
    /// Its `about` is empty where that is to be read when it is needed: `is_whole`.
    pub event: Event,
    pub is_whole: bool,
    /// Promised for the first attempt that has a record.
    pub execution_id: Option<ExecutionId>,
    /// Of an event that tells of a dead letter: which.
    pub letter: Option<DeliveryId>,
    /// What its event comes of, in a trace that somebody is told of.
    pub trace: Option<Trace>,
    /// Claims of it that were lost with their nodes.
    pub lost: u32,
    pub to: To,
}

/// Where a delivery leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum To {
    /// A trigger's script.
    Trigger { trigger_id: TriggerId, script_id: ScriptId, retry: Retry, principal: Option<Registrant>, is_active: bool },
    /// A script that was called without a trigger.
    Script { script_id: ScriptId },
    /// The trigger is gone.
    Nowhere,
}

/// The person whom a trigger runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registrant {
    pub user_id: UserId,
    pub role: Role,
    /// In the trigger's app.
    pub app_role: Option<AppRole>,
    pub is_active: bool,
}

impl Claim {
    pub fn trigger_id(&self) -> Option<TriggerId> {
        match &self.to {
            To::Trigger { trigger_id, .. } => Some(*trigger_id),
            To::Script { .. } | To::Nowhere => None,
        }
    }

    pub fn script_id(&self) -> Option<ScriptId> {
        match &self.to {
            To::Trigger { script_id, .. } | To::Script { script_id } => Some(*script_id),
            To::Nowhere => None,
        }
    }

    /// The policy of its attempts; calls without a trigger have the default one.
    pub fn retry(&self) -> Retry {
        match &self.to {
            To::Trigger { retry, .. } => *retry,
            To::Script { .. } | To::Nowhere => Retry::default(),
        }
    }
}

/// Why no attempt is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeadReason {
    /// The last attempt failed.
    AttemptsExhausted,
    /// The chain of events that led to it is too long; nothing was attempted.
    DepthExceeded,
    /// The nodes that had claimed it ended before it did, more than `DELIVERY_LOST_MAX` times.
    #[schemars(description = "The nodes that had claimed it ended before it did, too often.")]
    Abandoned,
    /// There is no such script any more.
    ScriptGone,
}

impl DeadReason {
    pub const ALL: [Self; 4] = [Self::AttemptsExhausted, Self::DepthExceeded, Self::Abandoned, Self::ScriptGone];

    /// The word in SQL and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AttemptsExhausted => "attempts_exhausted",
            Self::DepthExceeded => "depth_exceeded",
            Self::Abandoned => "abandoned",
            Self::ScriptGone => "script_gone",
        }
    }

    /// The reason of a word; `None` for any other word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }
}

/// One try that did not succeed.
#[derive(Debug, Clone)]
pub struct Attempt {
    pub number: u32,
    /// None where no execution began.
    pub execution_id: Option<ExecutionId>,
    pub version: Option<i32>,
    pub outcome: Outcome,
    pub error: Failure,
    pub logs: Vec<AttemptLine>,
    pub started_at: DateTime<Utc>,
    pub wall_us: u64,
}

/// A log line as an attempt keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptLine {
    pub at: DateTime<Utc>,
    pub level: super::execution::LogLevel,
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
}

/// What became of a claim.
#[derive(Debug, Clone)]
pub struct Settlement {
    pub claim: Claim,
    pub end: End,
}

#[derive(Debug, Clone)]
pub enum End {
    Succeeded,
    /// Due again then.
    Again {
        at: DateTime<Utc>,
        attempt: Attempt,
    },
    Dead {
        reason: DeadReason,
        attempt: Attempt,
    },
    /// Not attempted: its trigger is not active.
    Held,
    /// Not attempted: another node, or this one later, may.
    Released,
    /// Its trigger is gone, and so is it.
    Dropped,
}

/// What is still to be done for an execution that was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[schemars(rename = "DeliveryProgress")]
pub struct Progress {
    pub id: DeliveryId,
    /// `due`, `claimed`, `held` or `dead`.
    pub state: String,
    /// Attempts that failed so far.
    pub attempts: u32,
    /// When it is attempted next, or the lease of this attempt ends.
    pub due_at: Option<DateTime<Utc>>,
}
