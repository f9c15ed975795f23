//! Removing what is on disk without a row: what crashes, and commits whose outcome nobody heard, leave behind.
//!
//! A node sweeps when it starts. It sweeps again only when there is reason: something without a row was too young to be
//! judged, or something was left behind since. Until then it touches neither disk nor database.
//!
//! What may be removed: everything of an app that is not there any more (an id never comes again, and no row can be added
//! to it), and of other apps what no row names once it is `FILE_LEFTOVER_S` old by the time in its id: no invocation lives as
//! long, so nobody is about to name it. What this process writes just now is left alone whatever the clock says, because
//! clocks jump. Nodes that share the directory may sweep at once.
//! While a backup is made nothing whole goes: it may read what rows named when it began.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::blobs::{Blobs, Found};
use crate::error::Result;
use crate::id::AppId;
use crate::limits;
use crate::service::Services;
use crate::shutdown::Shutdown;
use crate::store;

/// What a sweep did, and what it found that is too young.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    pub removed: usize,
    pub young: usize,
}

/// Goes once through everything on disk. Fails on the first thing that the disk or the database refuses.
pub async fn sweep(s: &Services, now: DateTime<Utc>) -> Result<Swept> {
    let blobs = super::blobs(s)?;
    let mut swept = Swept::default();
    let found = blobs.apps().await.map_err(super::disk)?;
    for batch in found.chunks(limits::FILE_SWEEP_BATCH_MAX) {
        // Asked after the directories were listed: an app that has one and is not there was deleted.
        let ids: Vec<_> = batch.iter().map(|app| app.0).collect();
        let there: HashSet<_> = store::files::apps(&mut *s.db.acquire().await?, &ids).await?.into_iter().collect();
        for app in batch {
            if there.contains(app) {
                sweep_app(s, blobs, *app, now, &mut swept).await?;
            } else if remove_absent(s, blobs, *app).await? {
                swept.removed += 1;
            } else {
                swept.young += 1;
            }
        }
    }
    Ok(swept)
}

/// Removes what is left of an app that is not there, unless an import may be about to commit it; whether it did.
async fn remove_absent(s: &Services, blobs: &Blobs, app: AppId) -> Result<bool> {
    let mut tx = store::begin(&s.db).await?;
    let is_gone = store::archive::no_import(&mut tx).await?
        && store::files::apps(&mut tx, &[app.0]).await?.is_empty()
        && store::backup::may_remove_blobs(&mut tx).await?;
    if is_gone {
        blobs.remove_app(app).await.map_err(super::disk)?;
    }
    tx.commit().await?;
    Ok(is_gone)
}

async fn sweep_app(s: &Services, blobs: &Blobs, app: AppId, now: DateTime<Utc>, swept: &mut Swept) -> Result<()> {
    for shard in 0..=u8::MAX {
        let found = blobs.found(app, shard).await.map_err(super::disk)?;
        let (parts, whole): (Vec<Found>, Vec<Found>) = found.into_iter().partition(|found| found.is_part);
        for part in parts {
            judge(blobs, app, part, now, swept).await;
        }
        for batch in whole.chunks(limits::FILE_SWEEP_BATCH_MAX) {
            let ids: Vec<_> = batch.iter().map(|found| found.blob.0).collect();
            let named: HashSet<_> = store::files::named(&mut *s.db.acquire().await?, app, &ids).await?.into_iter().collect();
            let leftovers: Vec<_> = batch.iter().filter(|found| !named.contains(&found.blob)).collect();
            // Asked after the rows: what a backup that began before may still read stays until the next sweep.
            if !leftovers.is_empty() && !store::backup::may_remove_blobs(&mut *s.db.acquire().await?).await? {
                swept.young += leftovers.len();
                continue;
            }
            for found in leftovers {
                judge(blobs, app, *found, now, swept).await;
            }
        }
    }
    Ok(())
}

/// No row names it: it goes if it is old, and is not ours to judge if it does not say when it was begun.
async fn judge(blobs: &Blobs, app: AppId, found: Found, now: DateTime<Utc>, swept: &mut Swept) {
    match super::is_old(found.blob, now) {
        Some(true) => {
            if found.is_part {
                blobs.remove_part(app, found.blob).await;
            } else {
                blobs.remove(app, found.blob).await;
            }
            swept.removed += 1;
        }
        Some(false) => swept.young += 1,
        None => {}
    }
}

/// Sweeps at the start and whenever there is reason, until draining begins.
pub async fn follow(services: Arc<Services>, shutdown: Shutdown) {
    tokio::select! {
        biased;
        () = shutdown.draining() => {}
        () = keep_sweeping(&services) => {}
    }
}

/// Ends when the pool is closed.
async fn keep_sweeping(s: &Services) {
    let Ok(blobs) = super::blobs(s) else { return };
    let mut failed = false;
    while !s.db.is_closed() {
        match sweep(s, s.now()).await {
            Ok(swept) => {
                if swept.removed > 0 {
                    tracing::info!(removed = swept.removed, "removed what was left of files");
                }
                failed = false;
                if swept.young == 0 {
                    blobs.leftovers().await;
                }
                // By then it can be judged.
                tokio::time::sleep(Duration::from_secs(limits::FILE_LEFTOVER_S.unsigned_abs())).await;
            }
            Err(error) => {
                if !failed && !s.db.is_closed() {
                    tracing::warn!(%error, cause = ?error.source, "what is left of files cannot be removed; trying again");
                }
                failed = true;
                tokio::time::sleep(Duration::from_millis(limits::FILE_SWEEP_RETRY_MS)).await;
            }
        }
    }
}
