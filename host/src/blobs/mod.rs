//! The bytes of files on disk: the only owner of the directory `files/`.
//!
//! A blob is written once, under an id that the host made, and never changed: new content is a new blob. Where it lies is
//! derived from ids alone, `{volume}/{app}/{last two digits of the id}/{blob}`, below one directory that is opened once; no
//! name from a tenant ever becomes a path. The volume belongs to the database: two databases with one data directory never
//! take each other's blobs for leftovers.
//!
//! Writing: `{blob}.part` → pieces → fsync → rename → fsync of the directories up to the volume. Only then may a row name the
//! blob. A kill leaves, before the rename, a part; after it and before the row is committed, a blob without a row; after a row
//! was swapped or deleted and before the unlink, the old blob. All of these are leftovers: never read, and removed by the
//! next sweep (`service::files`) once they are older than any upload can be. In a living process, what is dropped half way
//! removes itself.
//!
//! Disk work runs on the blocking threads, few at once, at most one piece at a time. The permit goes with the work: a caller
//! that gives up does not make room for one more.

mod reader;
mod restored;
mod upload;

use std::collections::HashSet;
use std::fs::{DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use tokio::sync::{Notify, Semaphore};
use tokio::task::spawn_blocking;

use crate::id::{AppId, BlobId, VolumeId};
use crate::limits;
use crate::model::files::{Blob, Range};

pub use self::reader::{Piece, ReadError, Reader};
pub use self::restored::{Restored, Returned, remove_volume};
pub use self::upload::{Placed, Upload};

const DIRECTORY: &str = "files";
const PART: &str = ".part";

/// The blobs of one database. Clones are handles on the same directory.
#[derive(Debug, Clone)]
pub struct Blobs {
    volume: Arc<Volume>,
    writing: Arc<Semaphore>,
    reading: Arc<Semaphore>,
}

/// A file found on disk that no upload of this process is at work on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    pub blob: BlobId,
    /// Never finished: no row can name it.
    pub is_part: bool,
}

/// Rows and disk may differ until this is settled. Dropped before, as when a caller gives up, it asks for a sweep.
#[derive(Debug)]
pub struct Doubt {
    volume: Arc<Volume>,
    is_settled: bool,
}

#[derive(Debug)]
struct Volume {
    dir: Dir,
    /// Blobs that this process writes just now, up to the commit of their rows: no sweep touches them, whatever the clock says.
    live: Mutex<HashSet<BlobId>>,
    leftovers: Notify,
}

/// Where a blob is, or will be.
#[derive(Debug, Clone)]
struct Place {
    volume: Arc<Volume>,
    app: AppId,
    blob: BlobId,
}

impl Blobs {
    /// Opens, or makes, the volume's directory in `files/` of the data directory, which only this user may enter. Also says
    /// whether the volume was there already.
    ///
    /// # Errors
    /// What the system refuses.
    pub async fn open(data_dir: &Path, volume: VolumeId) -> io::Result<(Self, bool)> {
        let files = data_dir.join(DIRECTORY);
        let opened = spawn_blocking(move || {
            DirBuilder::new().recursive(true).mode(0o700).create(&files)?;
            restrict(&files)?;
            let files = Dir::open_ambient_dir(&files, ambient_authority())?;
            let name = volume.to_string();
            let was_there = match files.create_dir(&name) {
                Ok(()) => false,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => true,
                Err(error) => return Err(error),
            };
            sync(&files, ".")?;
            Ok((files.open_dir(&name)?, was_there))
        });
        let (dir, was_there) = opened.await.map_err(io::Error::other)??;
        Ok((Self::of(dir), was_there))
    }

    /// The same where it is there already, for who only reads: nothing is made.
    ///
    /// # Errors
    /// What the system refuses.
    pub async fn open_existing(data_dir: &Path, volume: VolumeId) -> io::Result<Option<Self>> {
        let path = data_dir.join(DIRECTORY).join(volume.to_string());
        let opened = spawn_blocking(move || match Dir::open_ambient_dir(&path, ambient_authority()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            opened => opened.map(Some),
        });
        Ok(opened.await.map_err(io::Error::other)??.map(Self::of))
    }

    fn of(dir: Dir) -> Self {
        let volume = Volume { dir, live: Mutex::default(), leftovers: Notify::new() };
        Self {
            volume: Arc::new(volume),
            writing: Arc::new(Semaphore::new(limits::FILE_WRITES_AT_ONCE)),
            reading: Arc::new(Semaphore::new(limits::FILE_READS_AT_ONCE)),
        }
    }

    /// Begins a blob of `app`; dropped before it is kept, nothing of it remains.
    ///
    /// # Errors
    /// What the system refuses; `StorageFull` when fewer than `FILES_FREE_BYTES_MIN` bytes would stay free.
    pub async fn begin(&self, app: AppId, blob: BlobId) -> io::Result<Upload> {
        let place = self.place(app, blob);
        let writing = self.writing.clone();
        blocking(&self.writing, move || Upload::begin(place, writing)).await?
    }

    /// Opens a blob to read all of it, or a range; `None` when it is not there. What is open stays readable when the blob is
    /// removed meanwhile.
    ///
    /// # Errors
    /// What the system refuses.
    pub async fn open_blob(&self, app: AppId, blob: Blob, range: Option<Range>) -> io::Result<Option<Reader>> {
        let place = self.place(app, blob.id);
        let reading = self.reading.clone();
        blocking(&self.reading, move || Reader::open(&place, blob, range, reading)).await?
    }

    /// Removes a blob that no row names any more. One that is not there is fine; one that stays is left for a sweep.
    pub async fn remove(&self, app: AppId, blob: BlobId) {
        let place = self.place(app, blob);
        // Without a permit: from the commit to this line nothing waits, so that a caller's end in between leaves nothing.
        let _ = spawn_blocking(move || place.remove(&place.path())).await;
    }

    /// Removes a part that nobody finishes.
    pub async fn remove_part(&self, app: AppId, blob: BlobId) {
        let place = self.place(app, blob);
        let _ = blocking(&self.writing, move || place.remove(&place.part_path())).await;
    }

    /// Removes everything of an app.
    ///
    /// # Errors
    /// What the system refuses; nothing being there is fine.
    pub async fn remove_app(&self, app: AppId) -> io::Result<()> {
        let volume = self.volume.clone();
        blocking(&self.writing, move || {
            loop {
                match volume.dir.remove_dir_all(app.to_string()) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    // What is dropped half way removes itself meanwhile: there may be more.
                    Err(_) if volume.dir.exists(app.to_string()) => {}
                    _ => return Ok(()),
                }
            }
        })
        .await?
    }

    /// Apps that have a directory here.
    ///
    /// # Errors
    /// What the system refuses.
    pub async fn apps(&self) -> io::Result<Vec<AppId>> {
        let volume = self.volume.clone();
        blocking(&self.reading, move || {
            names(&volume.dir, ".").map(|names| names.iter().filter_map(|name| name.parse().ok()).collect())
        })
        .await?
    }

    /// What lies in one of an app's 256 directories, but for what this process writes just now and what is none of ours.
    ///
    /// # Errors
    /// What the system refuses.
    pub async fn found(&self, app: AppId, shard: u8) -> io::Result<Vec<Found>> {
        let volume = self.volume.clone();
        blocking(&self.reading, move || {
            let names = names(&volume.dir, &format!("{app}/{shard:02x}"))?;
            let live = volume.live();
            let found = names.iter().filter_map(|name| {
                let (id, is_part) = name.strip_suffix(PART).map_or((name.as_str(), false), |id| (id, true));
                Some(Found { blob: id.parse().ok()?, is_part })
            });
            Ok(found.filter(|found| !live.contains(&found.blob)).collect())
        })
        .await?
    }

    /// What asks for a sweep unless it is settled: held while a row goes whose blob is removed only afterwards.
    pub fn doubt(&self) -> Doubt {
        Doubt { volume: self.volume.clone(), is_settled: false }
    }

    /// Resolves when something was left behind that only a sweep can judge or remove.
    pub async fn leftovers(&self) {
        self.volume.leftovers.notified().await;
    }

    fn place(&self, app: AppId, blob: BlobId) -> Place {
        Place { volume: self.volume.clone(), app, blob }
    }
}

impl Doubt {
    pub fn settle(mut self) {
        self.is_settled = true;
    }
}

impl Drop for Doubt {
    fn drop(&mut self) {
        if !self.is_settled {
            self.volume.leftovers.notify_one();
        }
    }
}

impl Volume {
    fn live(&self) -> MutexGuard<'_, HashSet<BlobId>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    fn app_path(&self) -> String {
        self.app.to_string()
    }

    fn shard_path(&self) -> String {
        let [.., last] = self.blob.0.as_bytes();
        format!("{}/{last:02x}", self.app)
    }

    fn path(&self) -> String {
        format!("{}/{}", self.shard_path(), self.blob)
    }

    fn part_path(&self) -> String {
        format!("{}{PART}", self.path())
    }

    /// Removes one of the two names above.
    fn remove(&self, path: &str) {
        match self.volume.dir.remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(app.id = %self.app, blob.id = %self.blob, %error, "a blob could not be removed; a sweep tries again");
                self.volume.leftovers.notify_one();
            }
            _ => {}
        }
    }
}

/// Disk work under a permit that goes with it.
async fn blocking<T: Send + 'static>(permits: &Arc<Semaphore>, work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    let permit = Arc::clone(permits).acquire_owned().await.map_err(io::Error::other)?;
    let done = spawn_blocking(move || {
        let done = work();
        drop(permit);
        done
    });
    done.await.map_err(io::Error::other)
}

/// Names in a directory; none where there is none.
fn names(dir: &Dir, path: &str) -> io::Result<Vec<String>> {
    let entries = match dir.read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names = Vec::new();
    for entry in entries {
        // A name that is no text is none of ours.
        names.extend(entry?.file_name().into_string());
    }
    Ok(names)
}

/// Makes what a directory holds survive a power cut.
fn sync(dir: &Dir, path: &str) -> io::Result<()> {
    dir.open(path)?.sync_all()
}

/// A directory of ours is closed to others; one that somebody else provides is theirs to set up.
fn restrict(path: &Path) -> io::Result<()> {
    let found = std::fs::metadata(path)?;
    let ours = found.uid() == rustix::process::geteuid().as_raw();
    if ours && found.mode() & 0o077 != 0 {
        std::fs::set_permissions(path, Permissions::from_mode(0o700))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
