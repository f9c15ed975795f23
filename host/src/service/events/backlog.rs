//! How much an app may have waiting. Counted in the database when an app first adds something on this node, again once it has added
//! half of what was left then, and when the count is a while old: an event may become many deliveries, and writes and ticks add some
//! too. In between this node knows what it added itself. So the bounds hold to within what is added in that time.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::timeout;

use crate::error::{Error, Kind, Result};
use crate::id::AppId;
use crate::limits::{
    DATABASE_ACQUIRE_MS, EVENTS_WAITING_BYTES_MAX, EVENTS_WAITING_KNOWN, EVENTS_WAITING_MAX, EVENTS_WAITING_RECOUNT,
};
use crate::service::Services;
use crate::store;

#[derive(Debug)]
pub(super) struct Backlog {
    apps: Mutex<HashMap<AppId, Known>>,
    /// One count of an app at a time, and no more of all apps than there are of these.
    counting: [tokio::sync::Mutex<()>; COUNTS],
}

const COUNTS: usize = 4;

/// What may still be added before it is counted again.
#[derive(Debug, Clone, Copy)]
struct Known {
    events: i64,
    bytes: i64,
    counted_at: Instant,
    /// Each one more would be counted: who is refused here tries again a moment later.
    is_near: bool,
}

impl Default for Backlog {
    fn default() -> Self {
        Self { apps: Mutex::default(), counting: std::array::from_fn(|_| tokio::sync::Mutex::default()) }
    }
}

impl Backlog {
    /// Admits an event that tells so many bytes; 503 `overloaded` while the app has more waiting than it may.
    pub(super) async fn admit(&self, s: &Services, app: AppId, about_bytes: usize) -> Result<()> {
        let bytes = i64::try_from(about_bytes).unwrap_or(i64::MAX);
        if let Some(known) = self.spend(app, bytes) {
            return known;
        }
        let turn = usize::try_from(app.0.as_u128() % COUNTS as u128).unwrap_or(0);
        let Some(turn) = self.counting.get(turn) else { return Ok(()) };
        let wait = Duration::from_millis(DATABASE_ACQUIRE_MS);
        let _turn = timeout(wait, turn.lock()).await.map_err(|_| super::busy())?;
        // Whoever waited finds that another one has counted.
        if let Some(known) = self.spend(app, bytes) {
            return known;
        }
        let mut db = s.script_db.acquire().await.map_err(super::refusal)?;
        let (waiting, waiting_bytes) = store::events::waiting(&mut db, app, EVENTS_WAITING_MAX).await.map_err(super::refusal)?;
        let half = |left: i64| (left + 1) / 2;
        let known = Known {
            events: half(EVENTS_WAITING_MAX - waiting) - 1,
            bytes: half(EVENTS_WAITING_BYTES_MAX - waiting_bytes) - bytes,
            counted_at: Instant::now(),
            is_near: EVENTS_WAITING_MAX - waiting < EVENTS_WAITING_MAX / 64
                || EVENTS_WAITING_BYTES_MAX - waiting_bytes < EVENTS_WAITING_BYTES_MAX / 64,
        };
        let is_full = waiting >= EVENTS_WAITING_MAX || waiting_bytes.saturating_add(bytes) > EVENTS_WAITING_BYTES_MAX;
        let mut apps = self.lock();
        // What is older would be counted again.
        apps.retain(|_, known| known.counted_at.elapsed() < EVENTS_WAITING_KNOWN);
        apps.insert(app, if is_full { Known { events: -1, is_near: true, ..known } } else { known });
        if is_full { Err(full()) } else { Ok(()) }
    }

    /// Admits or refuses by what is known; `None` when it has to be counted.
    fn spend(&self, app: AppId, bytes: i64) -> Option<Result<()>> {
        let mut apps = self.lock();
        let known = apps.get_mut(&app).filter(|known| known.counted_at.elapsed() < EVENTS_WAITING_KNOWN)?;
        if known.events > 0 && known.bytes >= bytes {
            known.events -= 1;
            known.bytes -= bytes;
            return Some(Ok(()));
        }
        (known.is_near && known.counted_at.elapsed() < EVENTS_WAITING_RECOUNT).then(|| Err(full()))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AppId, Known>> {
        self.apps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn full() -> Error {
    let message = format!(
        "the app has as many events waiting as it may ({EVENTS_WAITING_MAX}, or {} MiB of them); \
         handle or purge some, then try again",
        EVENTS_WAITING_BYTES_MAX >> 20
    );
    Error::new(Kind::Overloaded, "overloaded", message)
}
