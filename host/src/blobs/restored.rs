//! Blobs that come back from a backup: a volume is made under another name, and gets its own when all of it is on the disk.
//!
//! A kill leaves a draft, which the next restore removes. These functions block.

use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, File, OpenOptions, OpenOptionsExt as _};
use rustix::fs::{FlockOperation, flock, fstatvfs, syncfs};
use sha2::{Digest as _, Sha256};

use super::{DIRECTORY, restrict, sync};
use crate::id::{AppId, VolumeId};
use crate::limits;
use crate::model::files::Blob;

const DRAFT: &str = "restoring";

/// A volume to be. Dropped before it is placed, nothing of it remains.
#[derive(Debug)]
pub struct Restored {
    files: Dir,
    draft: Dir,
    /// Held locked: one restore at a time.
    _lock: File,
    is_placed: bool,
}

/// A blob that comes back.
#[derive(Debug)]
pub struct Returned {
    file: File,
    hash: Sha256,
    size_bytes: u64,
    blob: Blob,
}

impl Restored {
    /// Begins in `files/` of a data directory, and removes what an earlier one left there.
    ///
    /// # Errors
    /// What the system refuses; `StorageFull` when so many bytes would leave too little of the disk; `WouldBlock` while another one
    /// is under way here.
    pub fn begin(data_dir: &Path, bytes: u64) -> io::Result<Self> {
        let path = data_dir.join(DIRECTORY);
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&path)?;
        restrict(&path)?;
        let files = Dir::open_ambient_dir(&path, ambient_authority())?;
        let lock = files.open(".")?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        let disk = fstatvfs(&files)?;
        if disk.f_bavail.saturating_mul(disk.f_frsize) < bytes.saturating_add(limits::FILES_FREE_BYTES_MIN) {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "the disk has no room for the files of the backup"));
        }
        remove(&files)?;
        files.create_dir(DRAFT)?;
        let draft = files.open_dir(DRAFT)?;
        Ok(Self { files, draft, _lock: lock, is_placed: false })
    }

    /// Begins a blob.
    ///
    /// # Errors
    /// What the system refuses.
    pub fn blob(&self, app: AppId, blob: Blob) -> io::Result<Returned> {
        let [.., last] = blob.id.0.as_bytes();
        let shard = format!("{app}/{last:02x}");
        self.draft.create_dir_all(&shard)?;
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let file = self.draft.open_with(format!("{shard}/{}", blob.id), &options)?;
        Ok(Returned { file, hash: Sha256::new(), size_bytes: 0, blob })
    }

    /// Gives the volume its name, once all of it is on the disk.
    ///
    /// # Errors
    /// What the system refuses.
    pub fn place(mut self, volume: VolumeId) -> io::Result<()> {
        syncfs(self.draft.open(".")?)?;
        self.files.rename(DRAFT, &self.files, volume.to_string())?;
        self.is_placed = true;
        sync(&self.files, ".")
    }
}

impl Drop for Restored {
    fn drop(&mut self) {
        if !self.is_placed
            && let Err(error) = remove(&self.files)
        {
            tracing::warn!(%error, "files of a restore that was given up could not be removed; the next one does");
        }
    }
}

impl Returned {
    /// # Errors
    /// What the system refuses.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.hash.update(bytes);
        self.size_bytes = self.size_bytes.saturating_add(bytes.len() as u64);
        Ok(())
    }

    /// Whether what was written is the blob.
    #[must_use]
    pub fn is_whole(self) -> bool {
        self.size_bytes == self.blob.size_bytes && self.hash.finalize().as_slice() == self.blob.sha256
    }
}

/// Removes a volume that no database names any more; one that is not there is fine.
///
/// # Errors
/// What the system refuses.
pub fn remove_volume(data_dir: &Path, volume: VolumeId) -> io::Result<()> {
    match std::fs::remove_dir_all(data_dir.join(DIRECTORY).join(volume.to_string())) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn remove(files: &Dir) -> io::Result<()> {
    match files.remove_dir_all(DRAFT) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::id::BlobId;

    fn blob(content: &[u8]) -> Blob {
        let id = BlobId::at(DateTime::UNIX_EPOCH);
        Blob { id, size_bytes: content.len() as u64, sha256: Sha256::digest(content).into(), pieces_sha256: Vec::new() }
    }

    fn names(home: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(home.join(DIRECTORY)).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_volume_is_there_whole_or_not_at_all() {
        let (home, app) = (tempfile::tempdir().unwrap(), AppId::at(DateTime::UNIX_EPOCH));
        let restored = Restored::begin(home.path(), 0).unwrap();
        assert_eq!(Restored::begin(home.path(), 0).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        let wanted = blob(b"content");
        let mut returned = restored.blob(app, wanted.clone()).unwrap();
        returned.write(b"content").unwrap();
        assert!(returned.is_whole());
        drop(restored);
        assert_eq!(names(home.path()), Vec::<String>::new());
        let restored = Restored::begin(home.path(), 0).unwrap();
        restored.blob(app, wanted.clone()).unwrap().write(b"content").unwrap();
        let volume = VolumeId::at(DateTime::UNIX_EPOCH);
        restored.place(volume).unwrap();
        assert_eq!(names(home.path()), [volume.to_string()]);
        remove_volume(home.path(), volume).unwrap();
        remove_volume(home.path(), volume).unwrap();
        assert_eq!(names(home.path()), Vec::<String>::new());
    }

    #[test]
    fn other_bytes_are_noticed() {
        let (home, app) = (tempfile::tempdir().unwrap(), AppId::at(DateTime::UNIX_EPOCH));
        let restored = Restored::begin(home.path(), 0).unwrap();
        for other in [&b"contens"[..], b"conten", b"content!"] {
            let mut returned = restored.blob(app, Blob { id: BlobId::at(DateTime::UNIX_EPOCH), ..blob(b"content") }).unwrap();
            returned.write(other).unwrap();
            assert!(!returned.is_whole());
        }
        assert_eq!(
            Restored::begin(tempfile::tempdir().unwrap().path(), u64::MAX).unwrap_err().kind(),
            io::ErrorKind::StorageFull
        );
    }
}
