//! Records of invocations and what they logged.

use std::collections::HashSet;

use chrono::{DateTime, Utc};

use super::Services;
use crate::error::Result;
use crate::id::{AppId, EventId, ExecutionId, ScriptId};
use crate::limits;
use crate::model::delivery::Progress;
use crate::model::execution::{Execution, LogEntry};
use crate::model::page::{Page, PageQuery, id_and_seq_cursor, id_cursor};
use crate::store;

/// Writes the records with their log lines, all or none, in two COPYs. Does not wait for the disk.
pub async fn write_batch(s: &Services, executions: &[Execution]) -> Result<()> {
    if executions.is_empty() {
        return Ok(());
    }
    match copy(s, executions).await {
        Err(error) if store::is_taken(&error) => {
            // An attempt that was thought lost ended after all: one of its records is enough.
            let ids: Vec<_> = executions.iter().map(|execution| execution.id).collect();
            let there = store::executions::which(&mut *s.db.acquire().await?, &ids).await?;
            let mut there: HashSet<_> = there.into_iter().collect();
            let rest: Vec<_> = executions.iter().filter(|execution| there.insert(execution.id)).cloned().collect();
            copy(s, &rest).await?;
        }
        done => done?,
    }
    s.events.kept.notify_one();
    Ok(())
}

async fn copy(s: &Services, executions: &[Execution]) -> Result<()> {
    let mut tx = store::begin_relaxed(&s.db).await?;
    store::executions::copy(&mut tx, executions).await?;
    if executions.iter().any(|execution| !execution.logs.is_empty()) {
        store::logs::copy(&mut tx, executions).await?;
    }
    if !executions.is_empty() {
        store::signals::records_written(&mut tx).await?;
    }
    Ok(tx.commit().await?)
}

/// Deletes the records and logs of scripts that are gone, in batches. What a crash, or a failure, leaves is swept when it is old.
pub(super) async fn forget(s: &Services, scripts: &[ScriptId]) {
    if let Err(error) = delete_of(s, scripts).await {
        tracing::warn!(%error, cause = ?error.source, "records of deleted scripts are left for the sweep");
    }
}

async fn delete_of(s: &Services, scripts: &[ScriptId]) -> Result<()> {
    for script in scripts {
        loop {
            let mut tx = store::begin_relaxed(&s.db).await?;
            let rows = limits::SWEEP_BATCH;
            let gone = store::logs::delete_of_script(&mut tx, *script, rows).await?
                + store::executions::delete_of_script(&mut tx, *script, rows).await?;
            tx.commit().await?;
            if gone == 0 {
                break;
            }
        }
    }
    Ok(())
}

/// An execution as far as it has come.
#[derive(Debug)]
pub enum Followed {
    /// Its record; of an event's also the other executions of the same delivery, and what is still to be done for that.
    Recorded { execution: Box<Execution>, attempts: Vec<Execution>, delivery: Option<Progress> },
    /// It was accepted, and has not ended.
    Accepted { app_id: AppId, event: EventId, accepted_at: DateTime<Utc>, delivery: Option<Progress> },
}

/// The execution of that id, which may only have been promised (`invocations::accept`); nothing when its record is not written, or
/// there is none.
pub async fn follow(s: &Services, id: ExecutionId) -> Result<Option<Followed>> {
    let mut db = s.db.acquire().await?;
    if let Some(mut execution) = store::executions::get(&mut db, id).await? {
        execution.logs = store::logs::of_execution(&mut db, execution.script_id, id).await?;
        let Some(event) = execution.event_id else {
            return Ok(Some(Followed::Recorded { execution: Box::new(execution), attempts: Vec::new(), delivery: None }));
        };
        let (app, trigger, rows) = (execution.app_id, execution.trigger_id, i64::from(limits::DELIVERY_ATTEMPTS_MAX));
        let attempts = store::executions::of_event(&mut db, app, event, trigger, rows).await?;
        let delivery = store::deliveries::progress(&mut db, event, trigger).await?;
        return Ok(Some(Followed::Recorded { execution: Box::new(execution), attempts, delivery }));
    }
    let Some((app_id, event, accepted_at)) = store::events::promised(&mut db, id).await? else { return Ok(None) };
    let delivery = store::deliveries::progress(&mut db, event, None).await?;
    Ok(Some(Followed::Accepted { app_id, event, accepted_at, delivery }))
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
