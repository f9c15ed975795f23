//! Backups by schedule: a node takes one when a due time has passed since the newest there is, whoever made that.
//!
//! What is due is read out of the repository, so nothing else remembers it: a node that was down when one was due makes it at its start,
//! once. Of nodes that share a repository one makes it, the others see that it is there. Between two due times nothing is asked of
//! anybody. A failure is logged, noted beside the backups (`picloud doctor`, `picloud backup list`), and tried again.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::task::spawn_blocking;

use super::{Created, Source, create};
use crate::config::Hidden;
use crate::error::{Error, Kind, Result};
use crate::limits;
use crate::model::backup::Keep;
use crate::model::schedule::Schedule;
use crate::model::text;
use crate::repository::{self, LastFailure, LastSuccess, Pruned, Repository, State};
use crate::service::{Services, files};
use crate::shutdown::Shutdown;

/// What a node is told.
#[derive(Debug, Clone)]
pub struct Plan {
    pub directory: PathBuf,
    pub passphrase: Option<Hidden>,
    pub schedule: Schedule,
    pub keep: Keep,
}

/// So that a clock that was set is noticed.
const LONGEST: Duration = Duration::from_secs(3_600);

impl Plan {
    /// The due time that has passed since the newest backup, or since `since` where there is none; else the next one.
    fn due(&self, newest: Option<DateTime<Utc>>, since: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.schedule.next(newest.unwrap_or(since))
    }
}

/// Makes backups until draining begins.
pub async fn follow(services: Arc<Services>, plan: Plan, shutdown: Shutdown) {
    tokio::select! {
        biased;
        () = shutdown.draining() => {}
        () = keep_making(&services, &plan) => {}
    }
}

/// Ends when the pool is closed, or nothing will ever be due.
async fn keep_making(s: &Services, plan: &Plan) {
    let since = s.now();
    // What is wrong with the directory or the passphrase is told now, and not in the night.
    if let Err(error) = open(plan).await
        && error.kind != Kind::Overloaded
    {
        tracing::error!(%error, directory = %plan.directory.display(), "backups cannot be made as it is set");
        note_failure(s, plan, &error).await;
    }
    while !s.db.is_closed() {
        let newest = newest(plan).await;
        let Some(due) = plan.due(newest, since) else {
            return tracing::warn!(schedule = plan.schedule.as_str(), "no backup will ever be due");
        };
        let left = (due - s.now()).to_std().unwrap_or_default();
        if !left.is_zero() {
            tokio::time::sleep(left.min(LONGEST)).await;
            continue;
        }
        let pause_ms = match make(s, plan, due).await {
            Ok(()) => continue,
            // Whoever has it makes the same.
            Err(error) if error.kind == Kind::Overloaded => {
                tracing::info!(%error, "a backup is due, and another one is under way");
                limits::BACKUP_OTHER_MS
            }
            Err(error) => {
                tracing::error!(%error, cause = ?error.source, directory = %plan.directory.display(), "THE BACKUP FAILED; trying again");
                note_failure(s, plan, &error).await;
                limits::BACKUP_RETRY_MS
            }
        };
        tokio::time::sleep(Duration::from_millis(pause_ms)).await;
    }
}

/// When the newest backup was begun. A directory that cannot be read has none: what is wrong with it is known when it is written to.
async fn newest(plan: &Plan) -> Option<DateTime<Utc>> {
    let directory = plan.directory.clone();
    let names = spawn_blocking(move || repository::snapshots(&directory)).await;
    names.ok()?.ok()?.last()?.begun_at()
}

async fn open(plan: &Plan) -> Result<Repository> {
    let (directory, passphrase) = (plan.directory.clone(), plan.passphrase.clone());
    let opened = spawn_blocking(move || {
        Repository::open_or_make(&directory, passphrase.as_ref().map(|passphrase| passphrase.expose().as_bytes()))
    });
    let (repository, is_new) = opened.await.map_err(Error::internal)??;
    if is_new {
        tracing::info!(directory = %plan.directory.display(), encrypted = repository.is_encrypted(), "made a directory of backups");
    }
    Ok(repository)
}

async fn make(s: &Services, plan: &Plan, due: DateTime<Utc>) -> Result<()> {
    let repository = Arc::new(open(plan).await?);
    let keys = repository.is_encrypted().then(|| s.vault.copy());
    let source = Source { db: &s.db, blobs: Some(files::blobs(s)?), keys, tick: Some(due) };
    let Created { snapshot, files_lost } = create(source, &repository, s.now(), &|_| {}).await?;
    drop(repository);
    tracing::info!(
        snapshot = %snapshot.id,
        rows = snapshot.rows(),
        files = snapshot.files.entries.items,
        added_bytes = snapshot.added.bytes,
        took_ms = snapshot.took_ms,
        "backed up"
    );
    let at = s.now();
    let lost = (files_lost > 0).then(|| LastFailure {
        at: at + chrono::TimeDelta::milliseconds(1),
        message: format!("{files_lost} files could not be read and are not in the backup: the log has their names"),
    });
    note(plan, |state| {
        state.last_success = Some(LastSuccess { at, snapshot: snapshot.id });
        state.last_failure = lost.or(state.last_failure.take());
    })
    .await;
    match prune(plan).await {
        Ok(Pruned { snapshots: 0, .. }) => {}
        Ok(pruned) => tracing::info!(snapshots = pruned.snapshots, bytes = pruned.bytes, "removed old backups"),
        // The next time will do.
        Err(error) if error.kind == Kind::Overloaded => tracing::info!(%error, "old backups stay for now"),
        Err(error) => {
            tracing::error!(%error, "old backups cannot be removed");
            note_failure(s, plan, &error).await;
        }
    }
    Ok(())
}

async fn prune(plan: &Plan) -> Result<Pruned> {
    let (directory, passphrase, keep) = (plan.directory.clone(), plan.passphrase.clone(), plan.keep);
    let pruned = spawn_blocking(move || {
        let passphrase = passphrase.as_ref().map(|passphrase| passphrase.expose().as_bytes());
        let repository = Repository::open(&directory, passphrase, repository::Access::Prune)?;
        let gone = repository.outside(&keep)?;
        if gone.is_empty() { Ok(Pruned::default()) } else { repository.prune(&gone) }
    });
    pruned.await.map_err(Error::internal)?.map_err(Error::from)
}

async fn note_failure(s: &Services, plan: &Plan, error: &Error) {
    let message = text::cut(&error.message, limits::FAILURE_NAME_BYTES_MAX * 4).into_owned();
    // Later than the success that it may follow at once.
    let failure = LastFailure { at: s.now() + chrono::TimeDelta::milliseconds(1), message };
    note(plan, |state| state.last_failure = Some(failure)).await;
}

/// Beside the backups, as far as there is a directory to write to: the log has it all the same.
async fn note(plan: &Plan, change: impl FnOnce(&mut State) + Send) {
    let directory = plan.directory.clone();
    let read = spawn_blocking(move || State::read(&directory)).await;
    let (mut state, directory) = (read.unwrap_or_default(), plan.directory.clone());
    change(&mut state);
    let written = spawn_blocking(move || state.write(&directory)).await;
    if let Ok(Err(error)) = written {
        tracing::warn!(%error, "how the backup went cannot be noted beside it");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_due_time_that_was_missed_is_due_once() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let plan = Plan {
            directory: PathBuf::new(),
            passphrase: None,
            schedule: Schedule::parse("0 30 2 * * *", "UTC").unwrap(),
            keep: Keep::default(),
        };
        let start = at("2026-05-10T12:00:00Z");
        assert_eq!(plan.due(None, start), Some(at("2026-05-11T02:30:00Z")), "a first one waits for its time");
        assert_eq!(plan.due(Some(at("2026-05-01T02:30:05Z")), start), Some(at("2026-05-02T02:30:00Z")), "long passed");
        assert_eq!(plan.due(Some(at("2026-05-10T12:00:01Z")), start), Some(at("2026-05-11T02:30:00Z")));
    }
}
