//! Writing a blob, a piece at a time.

use std::io::{self, Write as _};
use std::sync::Arc;

use cap_std::fs::{File, OpenOptions, OpenOptionsExt as _};
use rustix::fs::fstatvfs;
use sha2::{Digest as _, Sha256};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::{Place, blocking, sync};
use crate::limits;
use crate::model::files::Blob;

/// A blob that is being written: a part on disk, and the hashes so far.
#[derive(Debug)]
pub struct Upload {
    file: File,
    whole: Sha256,
    pieces_sha256: Vec<u8>,
    size_bytes: u64,
    trace: Trace,
    writing: Arc<Semaphore>,
}

/// A blob that is whole and durable, and that no row names yet.
#[derive(Debug)]
pub struct Placed {
    pub blob: Blob,
    trace: Trace,
}

impl Upload {
    pub(super) fn begin(place: Place, writing: Arc<Semaphore>) -> io::Result<Self> {
        let dir = &place.volume.dir;
        let disk = fstatvfs(dir)?;
        if !leaves_room(disk.f_bavail.saturating_mul(disk.f_frsize)) {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "the disk that holds files is nearly full"));
        }
        dir.create_dir_all(place.shard_path())?;
        let trace = Trace::new(place);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let file = trace.place.volume.dir.open_with(trace.place.part_path(), &options)?;
        Ok(Self { file, whole: Sha256::new(), pieces_sha256: Vec::new(), size_bytes: 0, trace, writing })
    }

    /// Bytes so far.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Writes one piece. Every piece but the last has `FILE_PIECE_BYTES` bytes; the last is `place`'s.
    ///
    /// # Errors
    /// What the system refuses; nothing remains then.
    pub async fn append(mut self, piece: Vec<u8>) -> io::Result<Self> {
        let writing = self.writing.clone();
        blocking(&writing, move || {
            self.write(&piece)?;
            Ok(self)
        })
        .await?
    }

    /// Writes the last piece, which may be shorter or empty, and makes the blob durable under its name.
    ///
    /// # Errors
    /// What the system refuses; nothing remains then.
    pub async fn place(self, last: Vec<u8>) -> io::Result<Placed> {
        let writing = self.writing.clone();
        blocking(&writing, move || self.finish(&last)).await?
    }

    fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        self.file.write_all(piece)?;
        self.whole.update(piece);
        self.pieces_sha256.extend_from_slice(&Sha256::digest(piece));
        self.size_bytes = self.size_bytes.saturating_add(piece.len() as u64);
        Ok(())
    }

    fn finish(mut self, last: &[u8]) -> io::Result<Placed> {
        if !last.is_empty() {
            self.write(last)?;
        }
        self.file.sync_all()?;
        let place = &self.trace.place;
        let dir = &place.volume.dir;
        dir.rename(place.part_path(), dir, place.path())?;
        self.trace.is_part = false;
        // The name, and the directories that may be as new as it is.
        let place = &self.trace.place;
        sync(dir_of(place), &place.shard_path())?;
        sync(dir_of(place), &place.app_path())?;
        sync(dir_of(place), ".")?;
        let blob = Blob {
            id: place.blob,
            size_bytes: self.size_bytes,
            sha256: self.whole.finalize().into(),
            pieces_sha256: self.pieces_sha256,
        };
        Ok(Placed { blob, trace: self.trace })
    }
}

impl Placed {
    /// From here on only a sweep can tell whether a row names the blob: dropping this no longer removes it.
    pub fn committing(&mut self) {
        self.trace.end = End::Unknown;
    }

    /// A row names it.
    pub fn keep(mut self) {
        self.trace.end = End::Kept;
    }
}

/// What is on disk of a blob that no row names yet, and what becomes of it when this is dropped.
#[derive(Debug)]
struct Trace {
    place: Place,
    is_part: bool,
    end: End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Removed,
    Unknown,
    Kept,
}

impl Trace {
    fn new(place: Place) -> Self {
        place.volume.live().insert(place.blob);
        Self { place, is_part: true, end: End::Removed }
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        self.place.volume.live().remove(&self.place.blob);
        match self.end {
            End::Kept => {}
            End::Unknown => self.place.volume.leftovers.notify_one(),
            End::Removed => {
                let place = self.place.clone();
                let path = if self.is_part { place.part_path() } else { place.path() };
                // An invocation may end on a thread that serves others.
                match Handle::try_current() {
                    Ok(runtime) => drop(runtime.spawn_blocking(move || place.remove(&path))),
                    Err(_) => place.remove(&path),
                }
            }
        }
    }
}

fn dir_of(place: &Place) -> &cap_std::fs::Dir {
    &place.volume.dir
}

/// Whether a disk with so many bytes free may take one more file: a full disk stops more than files.
fn leaves_room(free_bytes: u64) -> bool {
    free_bytes >= limits::FILES_FREE_BYTES_MIN + limits::FILE_BYTES_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_the_disk_is_not_for_files() {
        let least = limits::FILES_FREE_BYTES_MIN + limits::FILE_BYTES_MAX;
        assert!(leaves_room(least));
        assert!(!leaves_room(least - 1));
    }
}
