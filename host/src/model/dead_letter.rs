//! Dead letters: deliveries that no attempt is left of.

use chrono::{DateTime, Utc};

use super::delivery::{Attempt, DeadReason};
use super::event::Source;
use super::execution::Failure;
use crate::id::{AppId, DeliveryId, EventId, ScriptId, TriggerId, UserId};

/// Which letters a script asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LetterQuery {
    /// The `cursor` of the page before.
    pub after: Option<String>,
    /// 1..=`DEAD_LETTER_PAGE_ITEMS_MAX`.
    pub limit: u32,
    /// Only those that nobody resolved.
    pub unresolved: bool,
}

/// Which letters a person asks for; without a word, all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LetterFilter {
    pub unresolved: bool,
    pub source: Option<Source>,
    pub trigger_id: Option<TriggerId>,
    pub script_id: Option<ScriptId>,
}

/// A dead letter without its attempts.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    pub id: DeliveryId,
    pub app_id: AppId,
    pub event: LetterEvent,
    pub trigger_id: Option<TriggerId>,
    pub script_id: Option<ScriptId>,
    pub reason: DeadReason,
    pub attempts: u32,
    pub last_error: Option<Failure>,
    pub first_attempt_at: Option<DateTime<Utc>>,
    pub last_attempt_at: Option<DateTime<Utc>>,
    pub dead_at: DateTime<Utc>,
    pub resolved: Option<Resolved>,
    /// The delivery that was made of it anew, the last one.
    pub replayed_as: Option<DeliveryId>,
    pub handler_failed: Option<HandlerFailed>,
}

/// The event of a letter.
#[derive(Debug, Clone)]
pub struct LetterEvent {
    pub id: EventId,
    pub source: Source,
    pub op: String,
    pub at: DateTime<Utc>,
    pub depth: u32,
    /// JSON text.
    pub about: String,
}

#[derive(Debug, Clone)]
pub struct Resolved {
    pub at: DateTime<Utc>,
    /// None for a script, and once that person is gone.
    pub by: Option<UserId>,
    pub reason: String,
}

/// A handler of dead letters failed on it for good.
#[derive(Debug, Clone)]
pub struct HandlerFailed {
    pub at: DateTime<Utc>,
    pub error: Failure,
}

/// A letter with every attempt, the first one first.
#[derive(Debug, Clone)]
pub struct LetterDetail {
    pub letter: DeadLetter,
    pub attempts: Vec<Attempt>,
}
