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

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::{Error, Kind, Result};
use crate::fair::{Ask, Fair, Place, Size};
use crate::id::AppId;
use crate::limits;

pub use self::export::export;
pub use self::import::{Import, Imported, Tried, Unchecked};
pub use self::pack::Packed;
pub use self::unpack::{Source, source};

/// How many may be under way on a node: each holds a connection to the database and a thread.
#[derive(Debug)]
pub struct Places {
    exports: Fair,
    imports: Arc<Semaphore>,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            exports: Fair::new(&[Size { places: limits::ARCHIVE_EXPORTS_AT_ONCE, kept_bytes: 0 }], 0),
            imports: Arc::new(Semaphore::new(limits::ARCHIVE_IMPORTS_AT_ONCE)),
        }
    }
}

impl Places {
    /// One app takes one of them at a time: its admins leave room for others'. It waits a moment: whoever hung up has his until
    /// that is noticed.
    async fn export(&self, app: AppId, wait: Duration) -> Result<Place> {
        let ask = Ask { app, class: 0, bytes: 0, held_max: 1, weight: limits::WEIGHT_DEFAULT };
        self.exports.enter(ask, wait).await.map_err(|_| {
            overloaded(match self.exports.of_app(ask.class, app) {
                (0, _) => "as many apps as may are being exported just now; try again later",
                _ => "this app is being exported just now; try again later",
            })
        })
    }

    fn import(&self) -> Result<OwnedSemaphorePermit> {
        let place = Arc::clone(&self.imports).try_acquire_owned();
        place.map_err(|_| overloaded("as many apps as may are being imported just now; try again later"))
    }
}

/// 503 rather than a long wait: what is under way may take minutes.
fn overloaded(message: &'static str) -> Error {
    Error::new(Kind::Overloaded, "overloaded", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_more_than_may_is_refused() {
        let places = Places::default();
        let export = |n| places.export(AppId(uuid::Uuid::from_u128(n)), Duration::ZERO);
        let mut held = Vec::new();
        for app in 1..=limits::ARCHIVE_EXPORTS_AT_ONCE as u128 {
            held.push(export(app).await.unwrap());
        }
        let refused = export(99).await.unwrap_err();
        assert_eq!(refused.kind, Kind::Overloaded);
        assert!(refused.message.starts_with("as many apps"), "{refused}");
        held.pop();
        let refused = export(1).await.unwrap_err();
        assert_eq!(refused.kind, Kind::Overloaded);
        assert!(refused.message.starts_with("this app"), "one app takes one place: {refused}");
        held.push(export(99).await.unwrap());
        drop(held);
        drop(export(1).await.unwrap());
        let held: Vec<_> = (0..limits::ARCHIVE_IMPORTS_AT_ONCE).map(|_| places.import().unwrap()).collect();
        assert_eq!(places.import().unwrap_err().kind, Kind::Overloaded);
        drop(held);
    }

    #[tokio::test]
    async fn an_export_waits_a_moment_for_the_one_before_it() {
        let (places, app) = (Places::default(), AppId(uuid::Uuid::nil()));
        let held = places.export(app, Duration::ZERO).await.unwrap();
        assert_eq!(places.export(app, Duration::ZERO).await.unwrap_err().kind, Kind::Overloaded);
        let (place, ()) = tokio::join!(places.export(app, Duration::from_secs(60)), async { drop(held) });
        drop(place.unwrap());
    }
}
