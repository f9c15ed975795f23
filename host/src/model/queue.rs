//! Queues and topics as a person sees them.

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::text;
use super::topic::Access;
use crate::error::{Error, Result};
use crate::id::TriggerId;
use crate::limits;

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

/// A topic that something was published to, or that is registered.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[schemars(example = topic_example())]
pub struct Topic {
    pub name: String,
    /// Whether somebody said who may subscribe to it.
    pub registered: bool,
    /// Who may; of one that is not registered nobody.
    pub access: Access,
    pub published: u64,
    /// Of these, messages that no trigger was for.
    pub unmatched: u64,
    /// Null before the first.
    pub last_at: Option<DateTime<Utc>>,
    /// The number of the last message that subscribers could get; 0 before the first.
    pub last_seq: u64,
    /// Active triggers that are for it now.
    pub triggers: u64,
}

/// 422 for a delay that is not 0..=`QUEUE_DELAY_S_MAX` s.
pub fn check_delay(delay_s: i64) -> Result<()> {
    let allowed = limits::QUEUE_DELAY_S_MAX;
    if (0..=allowed).contains(&delay_s) {
        return Ok(());
    }
    Err(Error::invalid("delay_s", format!("delay_s is {delay_s}; 0 to {allowed} seconds are allowed"))
        .with_details(json!({ "field": "delay_s", "asked": delay_s, "floor": 0, "allowed": allowed })))
}

/// A deduplication key: 1..=`QUEUE_KEY_BYTES_MAX` bytes, no NUL.
pub fn check_key(key: &str) -> Result<()> {
    text::name_bytes("dedup_key", key, limits::QUEUE_KEY_BYTES_MAX)
}

/// JSON text of at most `MESSAGE_BYTES_MAX` bytes, nested at most `JSON_DEPTH_MAX` deep.
pub fn message_text(message: Vec<u8>) -> Result<Box<RawValue>> {
    if message.len() > limits::MESSAGE_BYTES_MAX {
        return Err(text::too_long("message", message.len(), limits::MESSAGE_BYTES_MAX, "bytes"));
    }
    let refused = |_| Error::invalid("message", "the message is not JSON text");
    let text = String::from_utf8(message).map_err(|_| Error::invalid("message", "the message is not JSON text"))?;
    let depth = text::json_depth(&text);
    if depth > limits::JSON_DEPTH_MAX {
        let allowed = limits::JSON_DEPTH_MAX;
        return Err(Error::invalid("message", format!("the message is nested {depth} levels deep; {allowed} are allowed"))
            .with_details(json!({ "field": "message", "asked": depth, "allowed": allowed })));
    }
    RawValue::from_string(text).map_err(refused)
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
        "registered": true,
        "access": "token",
        "published": 128,
        "unmatched": 4,
        "last_at": "2026-01-02T03:04:05.678901Z",
        "last_seq": 128,
        "triggers": 2
    })
}
