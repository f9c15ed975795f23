//! Records of invocations, and what scripts logged.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::error::Answer;
use super::query::{Path, Query};
use super::{Api, List};
use crate::error::Error;
use crate::id::{AppId, EventId, ExecutionId, RequestId, ScriptId, TriggerId};
use crate::model::delivery::Progress;
use crate::model::execution::{Execution, Failure, LogEntry, LogLevel, LogLine, Outcome, Usage};
use crate::model::page::PageQuery;
use crate::model::trace::TraceId;
use crate::service;
use crate::service::executions::Followed;

/// The record of one run of a script.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Execution", example = example())]
pub(super) struct ExecutionJson {
    id: ExecutionId,
    app_id: AppId,
    script_id: ScriptId,
    /// Number of the version that ran.
    version: i32,
    request_id: RequestId,
    /// Of the trace that it is part of, 32 hex digits: the caller's (`traceparent`), else the digits of `request_id`.
    trace_id: String,
    /// Of what an event caused: the event, the trigger (none for a call that nobody waited for), the attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<EventId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trigger_id: Option<TriggerId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    outcome: Outcome,
    /// Of the answer, as over HTTP.
    status: u16,
    usage: Usage,
    /// Null when it answered.
    error: Option<Failure>,
    started_at: DateTime<Utc>,
    /// Of one execution that was asked for by its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    logs: Option<Vec<LineJson>>,
    /// Lines that were too many.
    logs_dropped: u32,
}

fn example() -> Value {
    json!({
        "id": "01990a70-1111-7a10-8f3c-5e2d1c0b9a88",
        "app_id": "01990a6e-7777-7a10-8f3c-5e2d1c0b9a88",
        "script_id": "01990a6e-8888-7a10-8f3c-5e2d1c0b9a88",
        "version": 3,
        "request_id": "01990a6f-0001-7a10-8f3c-5e2d1c0b9a88",
        "trace_id": "01990a6f00017a108f3c5e2d1c0b9a88",
        "outcome": "responded",
        "status": 200,
        "usage": {
            "fuel": 41_873,
            "memory_peak_bytes": 2_621_440,
            "host_calls": 1,
            "bytes_in": 17,
            "bytes_out": 25,
            "wall_us": 412
        },
        "error": null,
        "started_at": "2026-01-02T03:04:05.678901Z",
        "logs_dropped": 0
    })
}

fn example_with_logs() -> Value {
    let mut whole = example();
    if let Some(fields) = whole.as_object_mut() {
        let line = json!({ "at": "2026-01-02T03:04:05.678999Z", "level": "info", "message": "hello", "data": { "n": 1 } });
        fields.insert("logs".to_owned(), json!([line]));
    }
    whole
}

impl ExecutionJson {
    fn with_logs(mut execution: Execution) -> Self {
        let logs = std::mem::take(&mut execution.logs).into_iter().map(LineJson::from).collect();
        Self { logs: Some(logs), ..Self::from(execution) }
    }
}

impl From<Execution> for ExecutionJson {
    fn from(execution: Execution) -> Self {
        let Execution {
            id,
            app_id,
            script_id,
            version,
            request_id,
            trace_id,
            event_id,
            trigger_id,
            attempt,
            outcome,
            status,
            usage,
            error,
            started_at,
            logs: _,
            logs_dropped,
        } = execution;
        Self {
            id,
            app_id,
            script_id,
            version,
            request_id,
            trace_id: trace_id.unwrap_or(TraceId(request_id.0)).to_string(),
            event_id,
            trigger_id,
            attempt,
            outcome,
            status,
            usage,
            error,
            started_at,
            logs: None,
            logs_dropped,
        }
    }
}

/// An execution that ended; of an event's, what else there is of that event.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ExecutionRecord")]
pub(super) struct FollowedJson {
    #[serde(flatten)]
    execution: ExecutionJson,
    /// Every execution of the event, this one among them.
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<Vec<ExecutionJson>>,
    /// What is still to be done for the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery: Option<Progress>,
}

/// An execution that was promised and has not ended.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AcceptedExecution")]
pub(super) struct AcceptedJson {
    id: ExecutionId,
    app_id: AppId,
    event_id: EventId,
    /// Null.
    outcome: Option<Outcome>,
    accepted_at: DateTime<Utc>,
    /// Null for the moment before it is relayed.
    delivery: Option<Progress>,
}

/// What there is of an execution.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "FollowedExecution", example = example_with_logs())]
pub(super) enum Found {
    Ended(Box<FollowedJson>),
    Accepted(AcceptedJson),
}

/// A line that a script logged.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "LogLine")]
pub(super) struct LineJson {
    at: DateTime<Utc>,
    level: LogLevel,
    message: String,
    /// Any JSON value.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Value")]
    data: Option<Box<RawValue>>,
}

impl From<LogLine> for LineJson {
    fn from(line: LogLine) -> Self {
        let LogLine { at, level, message, data } = line;
        Self { at, level, message, data: data.and_then(as_json) }
    }
}

/// A logged line, with the execution that it is of.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "LogEntry", example = entry_example())]
pub(super) struct EntryJson {
    execution_id: ExecutionId,
    /// Its place in the execution's log, from 0.
    seq: i32,
    #[serde(flatten)]
    line: LineJson,
}

fn entry_example() -> Value {
    json!({
        "execution_id": "01990a70-1111-7a10-8f3c-5e2d1c0b9a88",
        "seq": 0,
        "at": "2026-01-02T03:04:05.678999Z",
        "level": "info",
        "message": "hello",
        "data": { "n": 1 }
    })
}

impl From<LogEntry> for EntryJson {
    fn from(entry: LogEntry) -> Self {
        Self { execution_id: entry.execution_id, seq: entry.seq, line: entry.line.into() }
    }
}

pub(super) async fn get(State(api): State<Api>, Path(id): Path<ExecutionId>) -> Answer<Json<Found>> {
    // The gate has flushed what this caller just ran.
    let mut followed = service::executions::follow(&api.services, id).await?;
    if followed.is_none() {
        // It may have settled, and its event have gone, between the two looks.
        api.invoker.flush_records().await;
        followed = service::executions::follow(&api.services, id).await?;
    }
    Ok(Json(match followed.ok_or_else(|| Error::not_found("execution"))? {
        Followed::Recorded { execution, attempts, delivery } => {
            let attempts = execution.event_id.map(|_| attempts.into_iter().map(ExecutionJson::from).collect());
            Found::Ended(Box::new(FollowedJson { execution: ExecutionJson::with_logs(*execution), attempts, delivery }))
        }
        Followed::Accepted { app_id, event, accepted_at, delivery } => {
            Found::Accepted(AcceptedJson { id, app_id, event_id: event, outcome: None, accepted_at, delivery })
        }
    }))
}

pub(super) async fn list(
    State(api): State<Api>,
    Path(script): Path<ScriptId>,
    Query(page): Query<PageQuery>,
) -> Answer<Json<List<ExecutionJson>>> {
    api.invoker.flush_records().await;
    let page = service::executions::list(&api.services, script, &page).await?;
    Ok(List::of(page, ExecutionJson::from))
}

pub(super) async fn logs(
    State(api): State<Api>,
    Path(script): Path<ScriptId>,
    Query(page): Query<PageQuery>,
) -> Answer<Json<List<EntryJson>>> {
    api.invoker.flush_records().await;
    let page = service::executions::logs(&api.services, script, &page).await?;
    Ok(List::of(page, EntryJson::from))
}

/// A line's data as the JSON it is; cut data is no JSON any more, and is shown as text.
pub(super) fn as_json(data: String) -> Option<Box<RawValue>> {
    serde_json::from_str(&data).or_else(|_| serde_json::value::to_raw_value(&data)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logged_data_is_json_inside_json() {
        let now = DateTime::UNIX_EPOCH;
        let entry = |data: &str| {
            let line = LogLine { at: now, level: LogLevel::Info, message: "hi".into(), data: Some(data.into()) };
            serde_json::to_value(EntryJson::from(LogEntry { execution_id: ExecutionId::at(now), seq: 4, line })).unwrap()
        };
        let whole = entry(r#"{"n":1}"#);
        assert_eq!((&whole["data"], &whole["seq"], &whole["level"]), (&json!({ "n": 1 }), &json!(4), &json!("info")));
        assert_eq!(entry(r#"{"n":1"#)["data"], r#"{"n":1"#);
    }
}
