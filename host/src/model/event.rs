//! Events: immutable facts, and what is known of one before its deliveries are made.

use chrono::{DateTime, Utc};

use super::trace::Trace;
use crate::id::{AppId, EventId, ExecutionId, RequestId, ScriptId, TriggerId};

/// Where an event is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "EventSource")]
pub enum Source {
    Kv,
    Docs,
    Files,
    Cron,
    Pubsub,
    Queue,
    Email,
    DeadLetter,
    /// A request whose caller does not wait.
    Http,
    /// A script that another one started.
    Invoke,
}

impl Source {
    pub const ALL: [Self; 10] = [
        Self::Kv,
        Self::Docs,
        Self::Files,
        Self::Cron,
        Self::Pubsub,
        Self::Queue,
        Self::Email,
        Self::DeadLetter,
        Self::Http,
        Self::Invoke,
    ];

    /// The word in SQL, JSON and `ctx.event`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kv => "kv",
            Self::Docs => "docs",
            Self::Files => "files",
            Self::Cron => "cron",
            Self::Pubsub => "pubsub",
            Self::Queue => "queue",
            Self::Email => "email",
            Self::DeadLetter => "dead_letter",
            Self::Http => "http",
            Self::Invoke => "invoke",
        }
    }

    /// The source of a word; `None` for any other word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.as_str() == word)
    }
}

/// What happened to an entry, a document or a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "ChangeOp")]
pub enum Op {
    Insert,
    Update,
    Delete,
}

impl Op {
    pub const ALL: [Self; 3] = [Self::Insert, Self::Update, Self::Delete];

    /// The word in SQL, JSON and `ctx.event`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }

    /// The op of a word; `None` for any other word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|op| op.as_str() == word)
    }
}

/// What leads to an event: the end of the chain so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// The request at the beginning of the chain.
    pub request_id: RequestId,
    /// Hops of the chain up to here; 0 for what no event caused.
    pub depth: u32,
    /// Where it stands in a trace that somebody is told of.
    pub trace: Option<Trace>,
}

impl Origin {
    /// The request itself.
    pub fn of(request_id: RequestId) -> Self {
        Self { request_id, depth: 0, trace: None }
    }

    /// As it is stored.
    pub fn trace_bytes(self) -> Option<Vec<u8>> {
        self.trace.map(|trace| trace.bytes().to_vec())
    }

    /// The depth of an event that comes of this.
    pub fn next_depth(self) -> i32 {
        i32::try_from(self.depth).unwrap_or(i32::MAX).saturating_add(1)
    }
}

/// How a write is told of: by an event of that id, if a trigger is there for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    pub event: EventId,
    pub origin: Origin,
}

/// How a message is sent to a queue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SendOptions {
    /// 0..=`QUEUE_DELAY_S_MAX`.
    pub delay_s: Option<i64>,
    /// 1..=`QUEUE_KEY_BYTES_MAX` bytes.
    pub dedup_key: Option<String>,
}

/// An event as it is written.
#[derive(Debug, Clone)]
pub struct NewEvent {
    pub id: EventId,
    pub app_id: AppId,
    pub source: Source,
    pub op: &'static str,
    pub at: DateTime<Utc>,
    pub origin: Origin,
    /// JSON text.
    pub about: String,
    /// What triggers' patterns are held against.
    pub name: String,
    /// Not delivered before.
    pub due_at: DateTime<Utc>,
    pub target: Target,
}

/// Whom an event is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The triggers whose pattern covers it.
    Matching,
    /// This trigger alone.
    Trigger(TriggerId),
    /// This script, without a trigger; its first attempt has the id that was promised.
    Script { script_id: ScriptId, execution_id: ExecutionId },
}

/// An event as a handler sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub id: EventId,
    pub source: Source,
    pub op: String,
    pub at: DateTime<Utc>,
    /// 1, 2, …
    pub attempt: u32,
    pub depth: u32,
    /// JSON text: the map named after the source.
    pub about: Vec<u8>,
}
