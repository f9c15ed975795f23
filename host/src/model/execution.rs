//! The stored record of an invocation.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::trace::TraceId;
use crate::id::{AppId, EventId, ExecutionId, RequestId, ScriptId, TriggerId};

/// How an invocation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The script answered a request (with any status, `throw #{statusCode: …}` included).
    Responded,
    /// An event handler came to its end.
    Completed,
    /// The script threw, or its answer was not one.
    ScriptFailed,
    FuelExhausted,
    MemoryExceeded,
    DeadlineExceeded,
    /// Refused before it ran.
    Denied,
    /// Ours.
    HostFault,
}

impl Outcome {
    pub const ALL: [Self; 8] = [
        Self::Responded,
        Self::Completed,
        Self::ScriptFailed,
        Self::FuelExhausted,
        Self::MemoryExceeded,
        Self::DeadlineExceeded,
        Self::Denied,
        Self::HostFault,
    ];

    /// The word in SQL and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Responded => "responded",
            Self::Completed => "completed",
            Self::ScriptFailed => "script_failed",
            Self::FuelExhausted => "fuel_exhausted",
            Self::MemoryExceeded => "memory_exceeded",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::Denied => "denied",
            Self::HostFault => "host_fault",
        }
    }

    /// The outcome of a word; `None` for any other word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == word)
    }
}

/// What went wrong, as the caller's `error.code`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FailureCode {
    ScriptError,
    InvalidResponse,
    ResponseTooLarge,
    FuelExhausted,
    MemoryExceeded,
    DeadlineExceeded,
    Overloaded,
    RateLimited,
    Internal,
}

impl FailureCode {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ScriptError => "script_error",
            Self::InvalidResponse => "invalid_response",
            Self::ResponseTooLarge => "response_too_large",
            Self::FuelExhausted => "fuel_exhausted",
            Self::MemoryExceeded => "memory_exceeded",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::Overloaded => "overloaded",
            Self::RateLimited => "rate_limited",
            Self::Internal => "internal",
        }
    }

    /// The status a synchronous caller sees.
    pub fn status(self) -> u16 {
        match self {
            Self::ScriptError => 422,
            Self::InvalidResponse | Self::ResponseTooLarge => 502,
            Self::FuelExhausted | Self::MemoryExceeded => 507,
            Self::DeadlineExceeded => 504,
            Self::Overloaded => 503,
            Self::RateLimited => 429,
            Self::Internal => 500,
        }
    }

    /// The outcome that a record of it carries.
    pub fn outcome(self) -> Outcome {
        match self {
            Self::ScriptError | Self::InvalidResponse | Self::ResponseTooLarge => Outcome::ScriptFailed,
            Self::FuelExhausted => Outcome::FuelExhausted,
            Self::MemoryExceeded => Outcome::MemoryExceeded,
            Self::DeadlineExceeded => Outcome::DeadlineExceeded,
            Self::Overloaded | Self::RateLimited => Outcome::Denied,
            Self::Internal => Outcome::HostFault,
        }
    }
}

/// One step of a call chain, innermost first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "CallFrame")]
pub struct Frame {
    pub function: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
}

/// Why an invocation did not answer. For the record and for readers with `log:read`; the public sees `code` alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "ScriptFailure")]
pub struct Failure {
    pub code: FailureCode,
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub script: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<Frame>,
}

impl Failure {
    pub fn new(code: FailureCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), script: None, line: None, column: None, calls: Vec::new() }
    }
}

/// What an invocation used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Usage {
    pub fuel: u64,
    pub memory_peak_bytes: u64,
    pub host_calls: u32,
    /// Request body and what host calls brought in.
    pub bytes_in: u64,
    /// Answer body and what host calls took out.
    pub bytes_out: u64,
    pub wall_us: u64,
}

impl Usage {
    /// Headers that tell it to callers who may read the log.
    pub fn headers(&self) -> [(&'static str, u64); 4] {
        [
            ("picloud-fuel-used", self.fuel),
            ("picloud-memory-peak", self.memory_peak_bytes),
            ("picloud-host-calls", self.host_calls.into()),
            ("picloud-wall-us", self.wall_us),
        ]
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

impl LogLevel {
    pub const ALL: [Self; 5] = [Self::Trace, Self::Debug, Self::Info, Self::Warn, Self::Error];

    /// The level of a word; `None` for any other word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str() == word)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// One line a script logged. `data` is JSON text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    pub at: DateTime<Utc>,
    pub level: LogLevel,
    pub message: String,
    pub data: Option<String>,
}

/// The record, as it is written. `error` holds a `Failure`.
#[derive(Debug, Clone)]
pub struct Execution {
    pub id: ExecutionId,
    pub app_id: AppId,
    pub script_id: ScriptId,
    pub version: i32,
    pub request_id: RequestId,
    /// Of the trace that it is part of; none where that began with its request, and has its digits.
    pub trace_id: Option<TraceId>,
    /// The event that it handled, for which trigger, in which attempt.
    pub event_id: Option<EventId>,
    pub trigger_id: Option<TriggerId>,
    pub attempt: Option<u32>,
    pub outcome: Outcome,
    /// The HTTP status the caller saw.
    pub status: u16,
    pub usage: Usage,
    pub error: Option<Failure>,
    pub started_at: DateTime<Utc>,
    pub logs: Vec<LogLine>,
    pub logs_dropped: u32,
}

/// A line as a script's log shows it: with the execution that logged it, and its place there (from 0).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    pub execution_id: ExecutionId,
    pub seq: i32,
    pub line: LogLine,
}
