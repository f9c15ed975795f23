//! Backups of the whole instance (`model::backup`), in a repository; and an instance made of one.
//!
//! `create` takes a snapshot, beside whoever works; `restore` makes an empty database, or one that is to be replaced, into what a snapshot
//! holds; `verify` reads what is there as a restore would; `schedule` takes one whenever it is due.
//!
//! **One point.** A backup first holds the bytes of files (`store::backup::hold_blobs`): from then on nobody removes any, on any node.
//! Then it opens one snapshot of the database and reads every table in it. A file that the snapshot names was not removed before
//! it, or its row would be gone, and is not removed after it, for that is held: so its bytes are there, however long the reading takes.
//! What should have gone meanwhile is left for a sweep. The hold is a lock of a transaction: it goes with its holder, and a backup whose hold
//! was lost fails.
//!
//! **All or nothing.** A restore is one transaction: the schema as it was, the rows, what migrations came since. Files are written under a
//! name that nobody reads, and get theirs right before the commit, as the volume of this database alone. The master keys are put before
//! those that are there. So a kill leaves the database as it was.
//!
//! At most one chunk is in memory, raw and packed.

mod create;
mod files;
mod restore;
mod schedule;
mod verify;

use std::sync::Arc;

use tokio::task::spawn_blocking;

use crate::error::{Error, Result};
use crate::repository::{self, Repository};

pub use self::create::{Created, Source, create, open_blobs};
pub use self::restore::{Restored, Secrets, Target, restore};
pub use self::schedule::{Plan, follow};
pub use self::verify::{Damage, Verified, verify};

/// How far a backup or a restore has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress<'a> {
    /// Of what, for people.
    pub of: &'a str,
    pub bytes: u64,
}

/// Told of it.
pub type Tell<'a> = &'a (dyn Fn(Progress<'_>) + Sync);

/// Work on a repository, on a thread that may wait for the disk.
async fn on_disk<T: Send + 'static>(
    repository: &Arc<Repository>,
    work: impl FnOnce(&Repository) -> Result<T, repository::Error> + Send + 'static,
) -> Result<T> {
    let repository = repository.clone();
    let done = spawn_blocking(move || work(&repository)).await;
    done.map_err(Error::internal)?.map_err(Error::from)
}
