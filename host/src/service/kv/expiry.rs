//! Deleting what has expired, without asking the database whether there is anything.
//!
//! A node looks once when it starts; from then on it knows the next time an entry expires: from its own writes, and from each
//! sweep, which ends by asking for it. While that time is far, or there is none, it makes no query. What another node
//! writes is swept by that node, and by whoever sweeps or starts next should it be gone: nobody sees such an entry, so all
//! that waits is its space, which counts for its app until then. Nodes may sweep at once: each takes rows that no other holds.
//!
//! A crash leaves what was not deleted yet to the next start. An entry is swept `KV_SWEEP_DELAY_MS` after its time, so a
//! node whose clock is ahead by less deletes nothing that another still shows.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;

use crate::error::Result;
use crate::limits;
use crate::service::Services;
use crate::shutdown::Shutdown;
use crate::store;

/// When the next entry expires, as far as this node knows.
#[derive(Debug)]
pub struct Expiry {
    next: watch::Sender<Option<DateTime<Utc>>>,
}

impl Default for Expiry {
    fn default() -> Self {
        Self { next: watch::Sender::new(None) }
    }
}

impl Expiry {
    /// An entry expires then; `None` is never.
    pub(in crate::service) fn note(&self, expires_at: Option<DateTime<Utc>>) {
        let Some(at) = expires_at else { return };
        self.next.send_if_modified(|next| {
            let sooner = next.is_none_or(|next| at < next);
            if sooner {
                *next = Some(at);
            }
            sooner
        });
    }

    /// The time that was noted is about to be looked up anew; what is noted from now on counts.
    fn forget(&self) {
        self.next.send_replace(None);
    }
}

/// Deletes what expired `KV_SWEEP_DELAY_MS` ago or longer, in transactions of `KV_SWEEP_BATCH` rows, and notes when the next
/// entry expires; how many are gone.
pub async fn sweep(s: &Services) -> Result<u64> {
    s.kv_expiry.forget();
    let expired_by = s.now() - delay();
    let mut db = s.db.acquire().await?;
    let mut swept = 0;
    loop {
        let rows = store::kv::sweep(&mut db, expired_by, limits::KV_SWEEP_BATCH).await?;
        swept += rows;
        if rows < limits::KV_SWEEP_BATCH.unsigned_abs() {
            break;
        }
    }
    s.kv_expiry.note(store::kv::next_expiry(&mut db).await?);
    Ok(swept)
}

/// Sweeps at the start and whenever something is due, until draining begins.
pub async fn follow(services: Arc<Services>, shutdown: Shutdown) {
    tokio::select! {
        biased;
        () = shutdown.draining() => {}
        () = keep_sweeping(&services) => {}
    }
}

/// Ends when the pool is closed.
async fn keep_sweeping(s: &Services) {
    let mut failed = false;
    while !s.db.is_closed() {
        match sweep(s).await {
            Ok(swept) => {
                if swept > 0 {
                    tracing::debug!(swept, "expired kv entries are deleted");
                }
                failed = false;
            }
            Err(error) => {
                if !failed && !s.db.is_closed() {
                    tracing::warn!(%error, cause = ?error.source, "expired kv entries cannot be deleted; trying again");
                }
                failed = true;
                s.kv_expiry.note(Some(s.now()));
            }
        }
        tokio::time::sleep(Duration::from_millis(limits::KV_SWEEP_PAUSE_MS)).await;
        until_due(s).await;
    }
}

async fn until_due(s: &Services) {
    let mut next = s.kv_expiry.next.subscribe();
    loop {
        let at = *next.borrow_and_update();
        let wait = at.map(|at| wait(s.now(), at));
        // The sender lives in `Services`, so a change cannot fail to be heard.
        match wait {
            Some(Duration::ZERO) => return,
            Some(wait) => {
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    _ = next.changed() => {}
                }
            }
            None => {
                let _ = next.changed().await;
            }
        }
    }
}

/// How long until an entry that expires at `at` is swept; zero when it is due. At most a day, so that a clock that was set
/// is noticed, and a timer is never asked for years: looking at the clock is no query.
fn wait(now: DateTime<Utc>, at: DateTime<Utc>) -> Duration {
    const DAY: Duration = Duration::from_secs(24 * 3600);
    (at + delay() - now).to_std().unwrap_or_default().min(DAY)
}

fn delay() -> TimeDelta {
    TimeDelta::milliseconds(i64::try_from(limits::KV_SWEEP_DELAY_MS).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sooner_time_is_kept_until_it_is_looked_up_anew() {
        let (early, late) = (DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH + TimeDelta::days(1));
        let expiry = Expiry::default();
        let next = expiry.next.subscribe();
        expiry.note(None);
        assert_eq!(*next.borrow(), None);
        for at in [late, early, late] {
            expiry.note(Some(at));
        }
        assert_eq!(*next.borrow(), Some(early));
        expiry.forget();
        expiry.note(Some(late));
        assert_eq!(*next.borrow(), Some(late));
    }

    #[test]
    fn an_entry_is_due_a_while_after_its_time() {
        let at = DateTime::UNIX_EPOCH;
        assert_eq!(wait(at + delay(), at), Duration::ZERO);
        assert_eq!(wait(at + delay() + TimeDelta::days(9), at), Duration::ZERO);
        assert_eq!(wait(at, at), Duration::from_millis(limits::KV_SWEEP_DELAY_MS));
        assert_eq!(wait(at, at + TimeDelta::days(9)), Duration::from_secs(24 * 3600));
    }
}
