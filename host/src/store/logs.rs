//! `logs`: the lines of executions.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::copy::Rows;
use crate::id::{ExecutionId, ScriptId};
use crate::model::execution::{Execution, LogEntry, LogLevel, LogLine};

struct Row {
    execution_id: ExecutionId,
    seq: i32,
    at: DateTime<Utc>,
    level: String,
    message: String,
    data: Option<String>,
}

impl Row {
    fn entry(self) -> sqlx::Result<LogEntry> {
        let level = super::word("level", &self.level, LogLevel::from_word)?;
        let line = LogLine { at: self.at, level, message: self.message, data: self.data };
        Ok(LogEntry { execution_id: self.execution_id, seq: self.seq, line })
    }
}

/// Adds the lines of these executions, in order. All or none.
pub async fn copy(db: &mut PgConnection, executions: &[Execution]) -> sqlx::Result<()> {
    let mut to = db
        .copy_in_raw("COPY logs (app_id, script_id, execution_id, seq, at, level, message, data) FROM STDIN WITH (FORMAT binary)")
        .await?;
    let mut rows = Rows::new();
    for execution in executions {
        for (seq, line) in (0..).zip(&execution.logs) {
            rows.row(8);
            rows.uuid(execution.app_id.0);
            rows.uuid(execution.script_id.0);
            rows.uuid(execution.id.0);
            rows.i32(seq);
            rows.time(line.at);
            rows.text(line.level.as_str());
            rows.text(&line.message);
            match &line.data {
                Some(data) => rows.text(data),
                None => rows.null(),
            }
            rows.drain(&mut to).await?;
        }
    }
    rows.finish(to).await
}

/// An execution's lines, in order.
pub async fn of_execution(db: &mut PgConnection, script: ScriptId, execution: ExecutionId) -> sqlx::Result<Vec<LogLine>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT execution_id AS "execution_id: ExecutionId", seq, at, level, message, data
           FROM logs WHERE script_id = $1 AND execution_id = $2 ORDER BY seq"#,
        script.0,
        execution.0
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(|row| row.entry().map(|entry| entry.line)).collect()
}

/// A script's lines, newest execution first and in each the last line first, beyond `before`.
pub async fn list(
    db: &mut PgConnection,
    script: ScriptId,
    before: Option<(Uuid, i32)>,
    rows: i64,
) -> sqlx::Result<Vec<LogEntry>> {
    let (execution, seq) = before.unwrap_or((Uuid::max(), 0));
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT execution_id AS "execution_id: ExecutionId", seq, at, level, message, data
           FROM logs WHERE script_id = $1 AND (execution_id, seq) < ($2, $3)
           ORDER BY execution_id DESC, seq DESC LIMIT $4"#,
        script.0,
        execution,
        seq,
        rows
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(Row::entry).collect()
}

/// Deletes up to `rows` of a script's lines; how many.
pub async fn delete_of_script(db: &mut PgConnection, script: ScriptId, rows: i64) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "DELETE FROM logs USING (SELECT execution_id, seq FROM logs WHERE script_id = $1 LIMIT $2) AS gone
         WHERE logs.script_id = $1 AND logs.execution_id = gone.execution_id AND logs.seq = gone.seq",
        script.0,
        rows
    );
    Ok(done.execute(db).await?.rows_affected())
}
