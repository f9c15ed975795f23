//! What apps use, as their nodes counted it.
//!
//! A node adds what it counted within a moment in one transaction, all periods of it. A transaction that fails has added nothing,
//! and is tried again with what came meanwhile. One whose commit was not answered is in doubt: PostgreSQL is asked what became of
//! it before anything of it is added again, so that nothing is lost and nothing counted twice.

use std::collections::BTreeSet;

use super::Services;
use crate::error::Result;
use crate::id::AppId;
use crate::limits;
use crate::model::page::Page;
use crate::model::usage::{AppDay, Asked, Counted, Item, Period, rows};
use crate::store;

/// What became of counts that were to be added. Those of apps that are gone are gone.
#[derive(Debug)]
pub struct Added {
    /// What was in the transaction.
    pub added: Vec<Counted>,
    /// What was not, because the app is being changed or deleted just now: it is to be tried again.
    pub held: Vec<Counted>,
    pub ending: Ending,
}

/// How the transaction ended.
#[derive(Debug)]
pub enum Ending {
    /// All is added; what was kept of records and log lines on the days of the counts, all nodes together, bytes.
    Committed(Vec<(AppDay, u64)>),
    /// Nobody heard: [`was_committed`] tells.
    InDoubt(Transaction),
}

/// A transaction that may have been committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction(String);

/// Adds what was counted, all or none. Does not wait for the disk.
///
/// # Errors
/// When nothing was added.
pub async fn add(s: &Services, counted: &[Counted]) -> Result<Added> {
    let mut tx = store::begin_relaxed(&s.db).await?;
    store::wait_briefly(&mut tx).await?;
    let apps: BTreeSet<_> = counted.iter().map(|counted| counted.app_id).collect();
    // From here on nobody deletes them: what is added is found by whoever deletes an app later.
    let kept = store::apps::keep(&mut tx, &apps.iter().copied().collect::<Vec<_>>()).await?;
    let kept: BTreeSet<_> = kept.into_iter().collect();
    let missing: Vec<_> = apps.difference(&kept).copied().collect();
    let there = match missing.is_empty() {
        true => Vec::new(),
        false => store::apps::which(&mut tx, &missing).await?,
    };
    let (added, others): (Vec<_>, Vec<_>) = counted.iter().copied().partition(|counted| kept.contains(&counted.app_id));
    let held = others.into_iter().filter(|counted| there.contains(&counted.app_id)).collect();
    if added.is_empty() {
        return Ok(Added { added, held, ending: Ending::Committed(Vec::new()) });
    }
    store::usage::add(&mut tx, &rows(&added)).await?;
    let days: BTreeSet<AppDay> = added.iter().map(|counted| (counted.app_id, Period::Day.start(counted.minute))).collect();
    let sums = store::usage::log_bytes(&mut tx, &days.into_iter().collect::<Vec<_>>()).await?;
    let transaction = store::usage::transaction(&mut tx).await?;
    let ending = match tx.commit().await {
        Ok(()) => Ending::Committed(sums),
        Err(error) => {
            tracing::warn!(%error, %transaction, "whether usage was written is not known yet");
            Ending::InDoubt(Transaction(transaction))
        }
    };
    s.events.kept.notify_one();
    Ok(Added { added, held, ending })
}

/// Whether a transaction in doubt was committed; `None` while it is still under way.
pub async fn was_committed(s: &Services, transaction: &Transaction) -> Result<Option<bool>> {
    let status = store::usage::status(&mut *s.db.acquire().await?, &transaction.0).await?;
    Ok(match status.as_deref() {
        Some("in progress") => None,
        Some("aborted") => Some(false),
        // Too long ago to tell: rather not counted than counted twice.
        _ => Some(true),
    })
}

/// What was kept of the apps' records and log lines on these days, all nodes together, bytes; of each.
pub async fn log_bytes(s: &Services, days: &[AppDay]) -> Result<Vec<(AppDay, u64)>> {
    Ok(store::usage::log_bytes(&mut *s.db.acquire().await?, days).await?)
}

/// What the app used, in order of time, then of scripts. Periods in which nothing was called are left out. 422 as
/// [`Asked::range`].
pub async fn list(s: &Services, app: AppId, asked: &Asked) -> Result<Page<Item>> {
    let (range, after, most) = (asked.range(s.now())?, asked.after()?, asked.page.rows());
    let mut db = s.db.acquire().await?;
    let items = if asked.is_by_script() {
        store::usage::by_script(&mut db, app, asked.period, range, asked.script_id, after, most).await?
    } else {
        store::usage::of_app(&mut db, app, asked.period, range, after.map(|(at, _)| at), most).await?
    };
    Ok(Page::cut(items, asked.page.limit, |item| asked.cursor(item)))
}

/// Deletes what an app that is gone used, in batches. What a crash, or a failure, leaves is swept when it is old.
pub(super) async fn forget(s: &Services, app: AppId) {
    if let Err(error) = delete_of(s, app).await {
        tracing::warn!(app.id = %app, %error, cause = ?error.source, "usage of a deleted app is left for the sweep");
    }
}

async fn delete_of(s: &Services, app: AppId) -> Result<()> {
    loop {
        let mut tx = store::begin_relaxed(&s.db).await?;
        let gone = store::usage::delete_of_app(&mut tx, app, limits::SWEEP_BATCH).await?;
        tx.commit().await?;
        if gone < limits::SWEEP_BATCH.unsigned_abs() {
            return Ok(());
        }
    }
}
