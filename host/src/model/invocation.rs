//! One run of one version in one fresh instance: what goes in, what comes out.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::id::{AppId, EventId, ExecutionId, RequestId, ScriptId, TriggerId};
use crate::model::event::Event;
use crate::model::execution::{Execution, Failure, LogLine, Outcome, Usage};
use crate::model::script::{Kind, Limits};
use crate::model::trace;

/// The version of a script that answers now, as every plane needs it; shared, never changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployed {
    pub app_id: AppId,
    pub script_id: ScriptId,
    pub version: i32,
    /// As in `Script`: what is held ready of the version belongs to it.
    pub generation: i32,
    pub kind: Kind,
    pub name: String,
    pub limits: Limits,
}

/// Who called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvocationType {
    /// A public request on the data plane.
    Http,
    /// `POST /api/v1/execute/{script}` by a principal.
    Direct,
    /// Another script of the app.
    Function,
    /// A trigger.
    Event,
}

impl InvocationType {
    pub const ALL: [Self; 4] = [Self::Http, Self::Direct, Self::Function, Self::Event];

    /// The word in `ctx.invocation_type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Direct => "direct",
            Self::Function => "function",
            Self::Event => "event",
        }
    }
}

/// An HTTP request as a script sees it; platform credentials are already taken out. Written as JSON where it is stored.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Request {
    pub method: String,
    pub path: String,
    /// Values of the route's `:name` segments, percent-decoded.
    pub params: Vec<(String, String)>,
    /// What a prefix route (`/files/*`) left over.
    pub rest: Option<String>,
    /// The raw query string, without `?`.
    pub query: String,
    /// Lower-case names; a name that came more than once has its values joined by `, `.
    pub headers: Vec<(String, String)>,
    #[serde(with = "base64_text")]
    pub body: Vec<u8>,
    pub remote_addr: String,
}

impl Request {
    /// Whether a header (its name in lower case) concerns the connection that a request or an answer came by: no script sees one.
    pub fn is_of_connection(name: &str) -> bool {
        matches!(
            name,
            "connection"
                | "keep-alive"
                | "proxy-authenticate"
                | "proxy-authorization"
                | "proxy-connection"
                | "te"
                | "trailer"
                | "transfer-encoding"
                | "upgrade"
        )
    }

    /// What a script sees that another one calls with arguments (JSON text): a request from nowhere.
    pub fn of_arguments(arguments: Vec<u8>) -> Self {
        Self {
            method: "POST".to_owned(),
            path: "/".to_owned(),
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: arguments,
            ..Self::default()
        }
    }
}

/// Bytes as base64 text.
mod base64_text {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize as _, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map_err(de::Error::custom)
    }
}

/// Everything an invocation needs.
#[derive(Debug, Clone)]
pub struct Call {
    pub execution_id: ExecutionId,
    pub request_id: RequestId,
    pub script: Arc<Deployed>,
    pub invocation_type: InvocationType,
    pub request: Request,
    /// None where a caller waits.
    pub delivered: Option<Delivered>,
}

impl Call {
    pub fn identity(&self) -> Identity {
        let delivered = self.delivered.as_ref();
        Identity {
            event_id: delivered.map(|delivered| delivered.event_id),
            trigger_id: delivered.and_then(|delivered| delivered.trigger_id),
            attempt: delivered.map(|delivered| delivered.attempt),
            ..Identity::of_request(self.execution_id, self.request_id, self.script.clone())
        }
    }
}

/// What is known of a run that the pipeline of events makes.
#[derive(Debug, Clone)]
pub struct Delivered {
    pub event_id: EventId,
    pub trigger_id: Option<TriggerId>,
    /// 1, 2, …
    pub attempt: u32,
    /// Hops of the chain that led here.
    pub depth: u32,
    /// What it comes of, in a trace that somebody is told of.
    pub trace: Option<trace::Trace>,
    /// What the script sees of it; none where it sees the request of a call that nobody waits for.
    pub event: Option<Event>,
}

/// What a record says of a call whatever became of it.
#[derive(Debug, Clone)]
pub struct Identity {
    pub execution_id: ExecutionId,
    pub request_id: RequestId,
    pub script: Arc<Deployed>,
    pub event_id: Option<EventId>,
    pub trigger_id: Option<TriggerId>,
    pub attempt: Option<u32>,
    /// What it comes of, in a trace that somebody is told of.
    pub trace: Option<trace::Trace>,
}

impl Identity {
    /// Of a request on the data plane.
    pub fn of_request(execution_id: ExecutionId, request_id: RequestId, script: Arc<Deployed>) -> Self {
        Self { execution_id, request_id, script, event_id: None, trigger_id: None, attempt: None, trace: None }
    }

    /// The record of the call that began then and ended so.
    pub fn recorded(self, started_at: DateTime<Utc>, ended: &Ended) -> Execution {
        Execution {
            id: self.execution_id,
            app_id: self.script.app_id,
            script_id: self.script.script_id,
            version: self.script.version,
            request_id: self.request_id,
            trace_id: self.trace.map(|trace| trace.id).filter(|id| id.0 != self.request_id.0),
            event_id: self.event_id,
            trigger_id: self.trigger_id,
            attempt: self.attempt,
            outcome: ended.outcome,
            status: match &ended.result {
                Ok(answer) => answer.status,
                Err(failure) => failure.code.status(),
            },
            usage: ended.usage,
            error: ended.result.as_ref().err().cloned(),
            started_at,
            logs: ended.logs.clone(),
            logs_dropped: ended.logs_dropped,
        }
    }
}

/// A script's answer, checked: `status` is 100..=999 less 1xx, header names and values are legal HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// How an invocation ended. `Ok` exactly when `outcome` is `Responded` or `Completed`.
#[derive(Debug, Clone)]
pub struct Ended {
    pub outcome: Outcome,
    pub result: Result<Answer, Failure>,
    pub usage: Usage,
    pub logs: Vec<LogLine>,
    /// Lines that did not fit the invocation's log bound.
    pub logs_dropped: u32,
    /// Its host calls, where somebody watched.
    pub trace: Option<Trace>,
    /// Of one that was refused: when it may be let in.
    pub retry_after: Option<Duration>,
}

/// What an invocation asked of the host, in order: the first calls, up to `HOST_CALLS_TRACED_MAX`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trace {
    pub calls: Vec<HostCall>,
    /// How many more there were.
    pub dropped: u32,
}

/// One call from guest to host. Names are those of the WIT interfaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostCall {
    pub interface: &'static str,
    pub function: &'static str,
    /// Since the invocation began, µs.
    pub began_us: u64,
    pub took_us: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
    /// The code of what it failed with, as scripts know it; of one that did not come back, of what ended the invocation.
    pub error: Option<&'static str>,
}
