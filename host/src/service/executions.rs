//! Records of invocations and what they logged.

use sqlx::PgPool;

use super::Services;
use crate::error::{Error, Result};
use crate::id::{ExecutionId, ScriptId};
use crate::model::execution::{Execution, LogEntry};
use crate::model::page::{Page, PageQuery, id_and_seq_cursor, id_cursor};
use crate::store;

/// Writes the records with their log lines, all or none, in two COPYs. Does not wait for the disk.
pub async fn write_batch(db: &PgPool, executions: &[Execution]) -> Result<()> {
    if executions.is_empty() {
        return Ok(());
    }
    let mut tx = store::executions::begin_records(db).await?;
    store::executions::copy(&mut tx, executions).await?;
    if executions.iter().any(|execution| !execution.logs.is_empty()) {
        store::logs::copy(&mut tx, executions).await?;
    }
    Ok(tx.commit().await?)
}

/// The record with its log lines; 404, also when its script is gone.
pub async fn get(s: &Services, id: ExecutionId) -> Result<Execution> {
    let mut db = s.db.acquire().await?;
    let mut execution = store::executions::get(&mut db, id).await?.ok_or_else(|| Error::not_found("execution"))?;
    execution.logs = store::logs::of_execution(&mut db, execution.script_id, id).await?;
    Ok(execution)
}

/// A script's records without their log lines, newest first.
pub async fn list(s: &Services, script: ScriptId, query: &PageQuery) -> Result<Page<Execution>> {
    let before = query.after_id()?;
    let mut db = s.db.acquire().await?;
    let rows = store::executions::list(&mut db, script, before, query.rows()).await?;
    Ok(Page::cut(rows, query.limit, |execution| id_cursor(execution.id.0)))
}

/// A script's log lines, newest execution first and in each the last line first.
pub async fn logs(s: &Services, script: ScriptId, query: &PageQuery) -> Result<Page<LogEntry>> {
    let before = query.after_id_and_seq()?;
    let mut db = s.db.acquire().await?;
    let rows = store::logs::list(&mut db, script, before, query.rows()).await?;
    Ok(Page::cut(rows, query.limit, |entry| id_and_seq_cursor(entry.execution_id.0, entry.seq)))
}
