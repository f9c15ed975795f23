//! How much an app may have waiting. Counted in the database when an app first adds something on this node, and again once it
//! has added half of what was left then; in between this node knows what it added itself. So the bounds hold to within what other
//! nodes add in the meantime, and cost a query now and then.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{Error, Kind, Result};
use crate::id::AppId;
use crate::limits::{EVENTS_WAITING_BYTES_MAX, EVENTS_WAITING_MAX, EVENTS_WAITING_RECOUNT_MS};
use crate::service::Services;
use crate::store;

#[derive(Debug, Default)]
pub(super) struct Backlog {
    apps: Mutex<HashMap<AppId, Known>>,
}

/// What may still be added before it is counted again.
#[derive(Debug, Clone, Copy)]
struct Known {
    events: i64,
    bytes: i64,
    counted_at: Instant,
    is_full: bool,
}

impl Backlog {
    /// Admits an event that tells so many bytes; 503 `overloaded` while the app has more waiting than it may.
    pub(super) async fn admit(&self, s: &Services, app: AppId, about_bytes: usize) -> Result<()> {
        let bytes = i64::try_from(about_bytes).unwrap_or(i64::MAX);
        let known = {
            let mut apps = self.lock();
            apps.get_mut(&app).map(|known| {
                known.events -= 1;
                known.bytes = known.bytes.saturating_sub(bytes);
                *known
            })
        };
        let pause = Duration::from_millis(EVENTS_WAITING_RECOUNT_MS);
        match known {
            Some(known) if known.is_full && known.counted_at.elapsed() < pause => return Err(full()),
            Some(known) if !known.is_full && known.events >= 0 && known.bytes >= 0 => return Ok(()),
            _ => {}
        }
        let (waiting, waiting_bytes) =
            store::events::waiting(&mut *s.script_db.acquire().await?, app, EVENTS_WAITING_MAX).await?;
        let (left, left_bytes) = (EVENTS_WAITING_MAX - waiting, EVENTS_WAITING_BYTES_MAX - waiting_bytes);
        let is_full = left <= 0 || left_bytes < bytes;
        let known = Known { events: left / 2, bytes: left_bytes / 2, counted_at: Instant::now(), is_full };
        let mut apps = self.lock();
        // What rests has nothing to remember that a count would not tell.
        apps.retain(|_, known| known.counted_at.elapsed() < Duration::from_secs(3_600));
        apps.insert(app, known);
        if is_full { Err(full()) } else { Ok(()) }
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
