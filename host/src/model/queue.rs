//! Queues and topics as a person sees them.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::id::TriggerId;

/// A queue: it is there while it holds something or has a consumer.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[schemars(example = queue_example())]
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
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[schemars(example = topic_example())]
pub struct Topic {
    pub name: String,
    pub published: u64,
    /// Of these, messages that no trigger was for.
    pub unmatched: u64,
    pub last_at: DateTime<Utc>,
    /// Active triggers that are for it now.
    pub triggers: u64,
}

fn queue_example() -> Value {
    json!({
        "name": "orders",
        "waiting": 3,
        "delayed": 1,
        "claimed": 2,
        "dead": 0,
        "trigger_id": "01990a6e-aaaa-7a10-8f3c-5e2d1c0b9a88"
    })
}

fn topic_example() -> Value {
    json!({
        "name": "orders.paid",
        "published": 128,
        "unmatched": 4,
        "last_at": "2026-01-02T03:04:05.678901Z",
        "triggers": 2
    })
}
