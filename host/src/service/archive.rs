//! Archives of apps (`model::archive`): an app is written into one, and one becomes a new app.
//!
//! `export` reads an app as it is at one moment, `pack` makes compressed bytes of it; `unpack` reads an archive that nobody
//! trusts, `import` makes an app of what it finds, `invoke::import` has the sources checked in between. Neither holds more than a
//! few pieces in memory, whatever the size: who sends or reads slowly is waited for, and not for ever.
//!
//! An import is one transaction. The app is not there before its commit, and nothing of it after a failure: its blobs, which must
//! be on the disk before, are removed with the directory of an app that never was, by whoever failed or, after a crash, by a
//! sweep. So that no sweep takes them for leftovers while it runs, an import says that it does (`store::archive`). A crash at any
//! other point leaves nothing. An export changes nothing but the audit log.

mod export;
mod import;
mod pack;
mod unpack;
mod unplaced;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep};

use crate::error::{Error, Kind, Result};
use crate::id::AppId;
use crate::limits;

pub use self::export::export;
pub use self::import::{Import, Imported, Tried, Unchecked};
pub use self::pack::Packed;
pub use self::unpack::{Source, source};

/// How many may be under way on a node: each holds a connection to the database and a thread.
#[derive(Debug)]
pub struct Places {
    exports: Arc<Semaphore>,
    imports: Arc<Semaphore>,
    /// Apps that are being exported.
    exporting: Arc<Mutex<HashSet<AppId>>>,
}

/// One export's place; given back when it is dropped.
#[derive(Debug)]
struct Exporting {
    app: AppId,
    all: Arc<Mutex<HashSet<AppId>>>,
    _place: OwnedSemaphorePermit,
}

impl Drop for Exporting {
    fn drop(&mut self) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.app);
    }
}

impl Default for Places {
    fn default() -> Self {
        Self {
            exports: Arc::new(Semaphore::new(limits::ARCHIVE_EXPORTS_AT_ONCE)),
            imports: Arc::new(Semaphore::new(limits::ARCHIVE_IMPORTS_AT_ONCE)),
            exporting: Arc::default(),
        }
    }
}

impl Places {
    /// A place after a short wait.
    async fn export_soon(&self, app: AppId) -> Result<Exporting> {
        let until = Instant::now() + Duration::from_millis(limits::ARCHIVE_EXPORT_WAIT_MS);
        loop {
            match self.export(app) {
                Err(_) if Instant::now() < until => sleep(Duration::from_millis(limits::ARCHIVE_EXPORT_LOOK_MS)).await,
                place => return place,
            }
        }
    }

    /// One app takes one of them at a time: its admins leave room for others'.
    fn export(&self, app: AppId) -> Result<Exporting> {
        let place = take(&self.exports, "as many apps as may are being exported just now; try again later")?;
        if !self.exporting.lock().unwrap_or_else(PoisonError::into_inner).insert(app) {
            return Err(Error::new(Kind::Overloaded, "overloaded", "this app is being exported just now; try again later"));
        }
        Ok(Exporting { app, all: self.exporting.clone(), _place: place })
    }

    fn import(&self) -> Result<OwnedSemaphorePermit> {
        take(&self.imports, "as many apps as may are being imported just now; try again later")
    }
}

/// 503 rather than a wait: what is under way may take minutes.
fn take(places: &Arc<Semaphore>, full: &'static str) -> Result<OwnedSemaphorePermit> {
    Arc::clone(places).try_acquire_owned().map_err(|_| Error::new(Kind::Overloaded, "overloaded", full))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_more_than_may_is_refused_at_once() {
        let places = Places::default();
        let app = |n| AppId(uuid::Uuid::from_u128(n));
        let mut held: Vec<_> = (1..=limits::ARCHIVE_EXPORTS_AT_ONCE as u128).map(|n| places.export(app(n)).unwrap()).collect();
        assert_eq!(places.export(app(99)).unwrap_err().kind, Kind::Overloaded);
        held.pop();
        assert_eq!(places.export(app(1)).unwrap_err().kind, Kind::Overloaded, "one app takes one place");
        held.push(places.export(app(99)).unwrap());
        drop(held);
        drop(places.export(app(1)).unwrap());
        let held: Vec<_> = (0..limits::ARCHIVE_IMPORTS_AT_ONCE).map(|_| places.import().unwrap()).collect();
        assert_eq!(places.import().unwrap_err().kind, Kind::Overloaded);
        drop(held);
    }

    #[tokio::test]
    async fn an_export_waits_a_moment_for_the_one_before_it() {
        let (places, app) = (Places::default(), AppId(uuid::Uuid::nil()));
        let held = places.export(app).unwrap();
        assert_eq!(places.export(app).unwrap_err().kind, Kind::Overloaded);
        let (place, ()) = tokio::join!(places.export_soon(app), async { drop(held) });
        drop(place.unwrap());
    }
}
