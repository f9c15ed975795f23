//! Dead letters as they are shown. Their JSON is made in `service::dead_letters`, since scripts see the same; here is what it is.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use crate::id::{AppId, DeliveryId, EventId, ExecutionId, ScriptId, TriggerId, UserId};
use crate::model::delivery::DeadReason;
use crate::model::event::Source;
use crate::model::execution::{Failure, LogLevel, Outcome};

/// A delivery that no attempt is left of.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(rename = "DeadLetter", example = letter_example())]
pub(crate) struct Letter(#[schemars(with = "LetterShape")] pub(super) Value);

/// A dead letter with every attempt.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(rename = "DeadLetterDetail", example = whole_example())]
pub(crate) struct WholeLetter(#[schemars(with = "WholeShape")] pub(super) Value);

#[derive(JsonSchema)]
#[schemars(inline)]
#[allow(dead_code, reason = "only its schema is read")]
struct LetterShape {
    id: DeliveryId,
    app_id: AppId,
    event: EventShape,
    /// Null for a call that nobody waited for, and once the trigger is gone.
    trigger_id: Option<TriggerId>,
    script_id: Option<ScriptId>,
    reason: DeadReason,
    /// How many there were.
    attempts: u32,
    last_error: Option<Failure>,
    first_attempt_at: Option<DateTime<Utc>>,
    last_attempt_at: Option<DateTime<Utc>>,
    dead_at: DateTime<Utc>,
    /// Null until a person or a script said that it is done.
    resolved: Option<ResolvedShape>,
    /// The delivery that was made of it anew, the last one.
    replayed_as: Option<DeliveryId>,
    /// Set when a handler of dead letters failed on it for good.
    handler_failed: Option<HandlerFailedShape>,
}

#[derive(JsonSchema)]
#[schemars(inline)]
#[allow(dead_code, reason = "only its schema is read")]
struct WholeShape {
    #[schemars(flatten)]
    letter: LetterShape,
    /// The first one first.
    attempt_log: Vec<AttemptShape>,
}

/// The event that could not be delivered. What it tells stands beside, under the name of its source.
#[derive(JsonSchema)]
#[schemars(rename = "DeadLetterEvent")]
#[allow(dead_code, reason = "only its schema is read")]
struct EventShape {
    id: EventId,
    source: Source,
    op: String,
    time: DateTime<Utc>,
    /// Hops of the chain that led to it.
    depth: u32,
}

#[derive(JsonSchema)]
#[schemars(inline)]
#[allow(dead_code, reason = "only its schema is read")]
struct ResolvedShape {
    at: DateTime<Utc>,
    /// Null for a script, and once that person is gone.
    by: Option<UserId>,
    reason: String,
}

#[derive(JsonSchema)]
#[schemars(inline)]
#[allow(dead_code, reason = "only its schema is read")]
struct HandlerFailedShape {
    at: DateTime<Utc>,
    error: Failure,
}

/// One try that did not succeed.
#[derive(JsonSchema)]
#[schemars(rename = "FailedAttempt")]
#[allow(dead_code, reason = "only its schema is read")]
struct AttemptShape {
    /// From 1.
    number: u32,
    /// Null where no execution began.
    execution_id: Option<ExecutionId>,
    version: Option<i32>,
    outcome: Outcome,
    error: Failure,
    /// The last lines that it logged.
    logs: Vec<LineShape>,
    started_at: DateTime<Utc>,
    wall_us: u64,
}

#[derive(JsonSchema)]
#[schemars(inline)]
#[allow(dead_code, reason = "only its schema is read")]
struct LineShape {
    at: DateTime<Utc>,
    level: LogLevel,
    message: String,
    /// Any JSON value.
    data: Value,
}

fn letter_example() -> Value {
    json!({
        "id": "01990a6e-cccc-7a10-8f3c-5e2d1c0b9a88",
        "app_id": "01990a6e-7777-7a10-8f3c-5e2d1c0b9a88",
        "event": {
            "id": "01990a70-0001-7a10-8f3c-5e2d1c0b9a88",
            "source": "queue",
            "op": "send",
            "time": "2026-01-02T03:04:05.678901Z",
            "depth": 1,
            "queue": { "name": "orders", "message": { "order": 17 }, "enqueued_at": "2026-01-02T03:04:05.678901Z" }
        },
        "trigger_id": "01990a6e-aaaa-7a10-8f3c-5e2d1c0b9a88",
        "script_id": "01990a6e-8888-7a10-8f3c-5e2d1c0b9a88",
        "reason": "attempts_exhausted",
        "attempts": 1,
        "last_error": { "code": "script_error", "message": "no such order", "script": "orders", "line": 3, "column": 5 },
        "first_attempt_at": "2026-01-02T03:04:06Z",
        "last_attempt_at": "2026-01-02T03:04:06Z",
        "dead_at": "2026-01-02T03:04:06.1Z",
        "resolved": null,
        "replayed_as": null,
        "handler_failed": null
    })
}

fn whole_example() -> Value {
    let mut whole = letter_example();
    let attempt = json!({
        "number": 1,
        "execution_id": "01990a70-1111-7a10-8f3c-5e2d1c0b9a88",
        "version": 3,
        "outcome": "script_failed",
        "error": { "code": "script_error", "message": "no such order", "script": "orders", "line": 3, "column": 5 },
        "logs": [{ "at": "2026-01-02T03:04:06Z", "level": "warn", "message": "odd", "data": null }],
        "started_at": "2026-01-02T03:04:06Z",
        "wall_us": 412
    });
    if let Some(fields) = whole.as_object_mut() {
        fields.insert("attempt_log".to_owned(), json!([attempt]));
    }
    whole
}
