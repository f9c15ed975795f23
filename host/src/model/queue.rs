//! Queues and topics as a person sees them.

use chrono::{DateTime, Utc};

use crate::id::TriggerId;

/// A queue: it is there while it holds something or has a consumer.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Queue {
    pub name: String,
    /// Messages that could be delivered now, and those that have no active consumer.
    pub waiting: u64,
    /// Messages whose time is still to come: delayed, or between two attempts.
    pub delayed: u64,
    /// Messages that a handler has.
    pub claimed: u64,
    /// Dead letters that nobody resolved.
    pub dead: u64,
    /// Its consumer.
    pub trigger_id: Option<TriggerId>,
}

/// A topic that something was published to.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Topic {
    pub name: String,
    pub published: u64,
    /// Of these, messages that no trigger was for.
    pub unmatched: u64,
    pub last_at: DateTime<Utc>,
    /// Active triggers that are for it now.
    pub triggers: u64,
}
