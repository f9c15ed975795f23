//! `executions`. Without foreign keys: a record whose script is gone is found by no read.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::copy::Rows;
use crate::id::{AppId, EventId, ExecutionId, RequestId, ScriptId, TriggerId};
use crate::model::execution::{Execution, Outcome, Usage};
use crate::model::trace::TraceId;

struct Row {
    id: ExecutionId,
    app_id: AppId,
    script_id: ScriptId,
    version: i32,
    request_id: RequestId,
    trace_id: Option<Uuid>,
    event_id: Option<EventId>,
    trigger_id: Option<TriggerId>,
    attempt: Option<i32>,
    outcome: String,
    status: i16,
    fuel: i64,
    memory_peak_bytes: i64,
    host_calls: i32,
    bytes_in: i64,
    bytes_out: i64,
    wall_us: i64,
    error: Option<String>,
    started_at: DateTime<Utc>,
    logs_dropped: i32,
}

impl Row {
    fn execution(self) -> sqlx::Result<Execution> {
        Ok(Execution {
            id: self.id,
            app_id: self.app_id,
            script_id: self.script_id,
            version: self.version,
            request_id: self.request_id,
            trace_id: self.trace_id.map(TraceId),
            event_id: self.event_id,
            trigger_id: self.trigger_id,
            attempt: self.attempt.map(|attempt| super::natural("attempt", attempt)).transpose()?,
            outcome: super::word("outcome", &self.outcome, Outcome::from_word)?,
            status: super::natural("status", self.status)?,
            usage: Usage {
                fuel: super::natural("fuel", self.fuel)?,
                memory_peak_bytes: super::natural("memory_peak_bytes", self.memory_peak_bytes)?,
                host_calls: super::natural("host_calls", self.host_calls)?,
                bytes_in: super::natural("bytes_in", self.bytes_in)?,
                bytes_out: super::natural("bytes_out", self.bytes_out)?,
                wall_us: super::natural("wall_us", self.wall_us)?,
            },
            error: self.error.and_then(|text| serde_json::from_str(&text).ok()),
            started_at: self.started_at,
            logs: Vec::new(),
            logs_dropped: super::natural("logs_dropped", self.logs_dropped)?,
        })
    }
}

/// Adds the records, without their log lines. All or none. The first statement of its transaction that writes: the table must be locked
/// before the transaction has a number (`store/follow.rs`). `txid` is left out for its default.
pub async fn copy(db: &mut PgConnection, executions: &[Execution]) -> sqlx::Result<()> {
    let mut to = db
        .copy_in_raw(
            "COPY executions (id, app_id, script_id, version, request_id, outcome, status, fuel, memory_peak_bytes, host_calls,
             bytes_in, bytes_out, wall_us, error, started_at, logs_dropped, event_id, trigger_id, attempt, trace_id) FROM STDIN WITH (FORMAT binary)",
        )
        .await?;
    let mut rows = Rows::new();
    for execution in executions {
        write(&mut rows, execution);
        rows.drain(&mut to).await?;
    }
    rows.finish(to).await
}

fn write(rows: &mut Rows, execution: &Execution) {
    let big = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let small = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
    let usage = &execution.usage;
    rows.row(20);
    rows.uuid(execution.id.0);
    rows.uuid(execution.app_id.0);
    rows.uuid(execution.script_id.0);
    rows.i32(execution.version);
    rows.uuid(execution.request_id.0);
    rows.text(execution.outcome.as_str());
    rows.i16(i16::try_from(execution.status).unwrap_or(i16::MAX));
    rows.i64(big(usage.fuel));
    rows.i64(big(usage.memory_peak_bytes));
    rows.i32(small(usage.host_calls));
    rows.i64(big(usage.bytes_in));
    rows.i64(big(usage.bytes_out));
    rows.i64(big(usage.wall_us));
    match &execution.error {
        Some(failure) => rows.json(failure),
        None => rows.null(),
    }
    rows.time(execution.started_at);
    rows.i32(small(execution.logs_dropped));
    rows.optional(execution.event_id, |rows, id| rows.uuid(id.0));
    rows.optional(execution.trigger_id, |rows, id| rows.uuid(id.0));
    rows.optional(execution.attempt, |rows, attempt| rows.i32(small(attempt)));
    rows.optional(execution.trace_id, |rows, id| rows.uuid(id.0));
}

/// The record, without its log lines, while its script is there.
pub async fn get(db: &mut PgConnection, id: ExecutionId) -> sqlx::Result<Option<Execution>> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT e.id AS "id: ExecutionId", e.app_id AS "app_id: AppId", e.script_id AS "script_id: ScriptId", e.version,
                  e.request_id AS "request_id: RequestId", e.trace_id, e.outcome, e.status, e.fuel, e.memory_peak_bytes, e.host_calls,
                  e.bytes_in, e.bytes_out, e.wall_us, e.error, e.started_at, e.logs_dropped,
                  e.event_id AS "event_id: EventId", e.trigger_id AS "trigger_id: TriggerId", e.attempt
           FROM executions e JOIN scripts s ON s.id = e.script_id AND s.app_id = e.app_id WHERE e.id = $1"#,
        id.0
    );
    row.fetch_optional(db).await?.map(Row::execution).transpose()
}

/// The app of an execution that was recorded, or only promised.
pub async fn app_of(db: &mut PgConnection, id: ExecutionId) -> sqlx::Result<Option<AppId>> {
    sqlx::query_scalar!(
        r#"SELECT app_id AS "app_id!: AppId" FROM executions WHERE id = $1
           UNION ALL SELECT app_id FROM events WHERE execution_id = $1 LIMIT 1"#,
        id.0
    )
    .fetch_optional(db)
    .await
}

/// A script's records without their log lines, newest first, older than `before`.
pub async fn list(db: &mut PgConnection, script: ScriptId, before: Option<Uuid>, rows: i64) -> sqlx::Result<Vec<Execution>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: ExecutionId", app_id AS "app_id: AppId", script_id AS "script_id: ScriptId", version,
                  request_id AS "request_id: RequestId", trace_id, outcome, status, fuel, memory_peak_bytes, host_calls,
                  bytes_in, bytes_out, wall_us, error, started_at, logs_dropped,
                  event_id AS "event_id: EventId", trigger_id AS "trigger_id: TriggerId", attempt
           FROM executions WHERE script_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3"#,
        script.0,
        before.unwrap_or(Uuid::max()),
        rows
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(Row::execution).collect()
}

/// Which of these have a record.
pub async fn which(db: &mut PgConnection, ids: &[ExecutionId]) -> sqlx::Result<Vec<ExecutionId>> {
    let ids: Vec<_> = ids.iter().map(|id| id.0).collect();
    sqlx::query_scalar!(r#"SELECT id AS "id: ExecutionId" FROM executions WHERE id = ANY ($1)"#, &ids).fetch_all(db).await
}

/// The executions of an event for one trigger, or for a script without one, in the order of their attempts.
pub async fn of_event(
    db: &mut PgConnection,
    app: AppId,
    event: EventId,
    trigger: Option<TriggerId>,
    rows: i64,
) -> sqlx::Result<Vec<Execution>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: ExecutionId", app_id AS "app_id: AppId", script_id AS "script_id: ScriptId", version,
                  request_id AS "request_id: RequestId", trace_id, outcome, status, fuel, memory_peak_bytes, host_calls,
                  bytes_in, bytes_out, wall_us, error, started_at, logs_dropped,
                  event_id AS "event_id: EventId", trigger_id AS "trigger_id: TriggerId", attempt
           FROM executions
           WHERE event_id = $1 AND app_id = $2 AND trigger_id IS NOT DISTINCT FROM $3 ORDER BY id LIMIT $4"#,
        event.0,
        app.0,
        trigger.map(|id| id.0),
        rows
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(Row::execution).collect()
}

/// Deletes up to `rows` records with ids smaller than `before`, with their log lines; how many.
pub async fn sweep(db: &mut PgConnection, before: ExecutionId, rows: i64) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "WITH old AS (
             DELETE FROM executions USING (SELECT id FROM executions WHERE id < $1 ORDER BY id LIMIT $2) AS picked
             WHERE executions.id = picked.id RETURNING executions.id, script_id
         ), lines AS (
             DELETE FROM logs USING old WHERE logs.script_id = old.script_id AND logs.execution_id = old.id
         )
         SELECT count(*) FROM old",
        before.0,
        rows
    )
    .fetch_one(db)
    .await?;
    Ok(done.count.unwrap_or(0).unsigned_abs())
}

/// Deletes up to `rows` of a script's records; how many.
pub async fn delete_of_script(db: &mut PgConnection, script: ScriptId, rows: i64) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "DELETE FROM executions USING (SELECT id FROM executions WHERE script_id = $1 LIMIT $2) AS gone
         WHERE executions.id = gone.id",
        script.0,
        rows
    );
    Ok(done.execute(db).await?.rows_affected())
}
