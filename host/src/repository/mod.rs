//! A repository of backups: a directory that holds snapshots of an instance, and what they are made of.
//!
//! `picloud-backup` says what the directory is, and holds its key, wrapped; `snapshots/{name}` is a manifest each;
//! `chunks/{two digits}/{address}` are the pieces that manifests name, each compressed, and sealed where the repository is encrypted.
//! A chunk is addressed by a keyed hash of what is in it and written once: what did not change since is there already.
//! `incoming/` holds what is being written; `state.json` tells how the last backup by schedule went. `keys` is who can read, `chunk` how
//! a piece is written, `list` how many are, `prune` what goes.
//!
//! Everything here is read as if somebody else had written it: bounds first, then the checksum or the seal, and a chunk of which the
//! address is a hash is held against it. Names of files come from addresses and names that were parsed.
//!
//! Crashes: a file is written in `incoming/`, brought to the disk, then named; a manifest is named when the directories of all that it
//! names are on the disk. So whatever is under its name is whole, and a snapshot is there with all that it needs, or not at all. What
//! a kill leaves is a draft, removed by the next writer, or chunks that no snapshot names, which the next backup uses and the
//! next pruning removes. Pruning removes manifests before chunks.
//!
//! Who makes a snapshot holds `writing`, who reads or makes one shares `lock`, who prunes has both for itself; the kernel forgets
//! them with their holder.

mod chunk;
mod keys;
mod list;
mod prune;
mod state;

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rustix::fs::{FlockOperation, flock};

use crate::error::Error as Failure;
use crate::error::Kind as FailureKind;
use crate::limits;
use crate::model::backup::{Snapshot, SnapshotId};

use self::keys::{Keys, Mark};

pub use self::chunk::{Kind, Put};
pub use self::list::Writer;
pub use self::prune::Pruned;
pub use self::state::{LastFailure, LastSuccess, State};

const MARK: &str = "picloud-backup";
const MARK_DRAFT: &str = "picloud-backup.new";
const SNAPSHOTS: &str = "snapshots";
const CHUNKS: &str = "chunks";
const INCOMING: &str = "incoming";
const LOCK: &str = "lock";
const WRITING: &str = "writing";
const STATE: &str = "state.json";
/// What may lie in a directory that is made one.
const ADOPTED: [&str; 4] = [MARK_DRAFT, LOCK, WRITING, "lost+found"];

/// What went wrong, in one line that no secret is in.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{} cannot be {what}: {error}", path.display())]
    Io { what: &'static str, path: PathBuf, error: io::Error },
    #[error("there are no backups in {}: it holds no file {MARK}", .0.display())]
    NotThere(PathBuf),
    #[error("{} is not empty and holds no backups: choose another directory", .0.display())]
    Foreign(PathBuf),
    #[error("the backups in {} are of a newer picloud (format {format}): update picloud", path.display())]
    Newer { path: PathBuf, format: u64 },
    #[error("the backups in {} are encrypted: give their passphrase with PICLOUD_BACKUP_PASSPHRASE or --backup-key-file", .0.display())]
    KeyMissing(PathBuf),
    #[error("the passphrase is not the one of the backups in {}", .0.display())]
    WrongKey(PathBuf),
    #[error("the backups in {} are not encrypted, and a passphrase is given: leave it out, or choose another directory", .0.display())]
    NotEncrypted(PathBuf),
    #[error("another picloud {doing} in {}: try again later", path.display())]
    Locked { doing: &'static str, path: PathBuf },
    #[error("no snapshot {0}")]
    NoSnapshot(String),
    #[error("{what} is damaged: {why}")]
    Damaged { what: String, why: &'static str },
    #[error("no random bytes: {0}")]
    Random(String),
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The disk's own words reach a person: who makes backups owns the machine.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let (kind, code) = match &error {
            Error::NotThere(_) | Error::NoSnapshot(_) => (FailureKind::NotFound, "not_found"),
            Error::Foreign(_) | Error::KeyMissing(_) | Error::WrongKey(_) | Error::NotEncrypted(_) => {
                (FailureKind::Invalid, "invalid")
            }
            Error::Newer { .. } => (FailureKind::Malformed, "newer"),
            Error::Locked { .. } => (FailureKind::Overloaded, "overloaded"),
            Error::Damaged { .. } => (FailureKind::Corrupt, "corrupt"),
            Error::Io { .. } | Error::Random(_) => (FailureKind::Internal, "internal"),
        };
        Self { source: None, ..Self::new(kind, code, error.to_string()) }
    }
}

/// An open repository. Its locks go with it.
#[derive(Debug)]
pub struct Repository {
    path: PathBuf,
    keys: Keys,
    is_encrypted: bool,
    /// Directories of chunks that have a name which may not be on the disk yet.
    unsettled: Mutex<[bool; 256]>,
    _locks: Vec<File>,
}

/// What for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// To read.
    Read,
    /// To add a snapshot: one at a time, beside who reads.
    Write,
    /// To remove: alone.
    Prune,
}

impl Repository {
    /// Opens the repository in a directory. `passphrase` is needed where it is encrypted, and not looked at where it is not.
    ///
    /// # Errors
    /// As [`Error`] has them.
    pub fn open(path: &Path, passphrase: Option<&[u8]>, access: Access) -> Result<Self> {
        let mark = read_mark(path)?.ok_or_else(|| Error::NotThere(path.to_owned()))?;
        let keys = mark.open(path, passphrase)?;
        let locks = lock(path, access)?;
        let repository = Self {
            path: path.to_owned(),
            keys,
            is_encrypted: mark.is_encrypted(),
            unsettled: Mutex::new([false; 256]),
            _locks: locks,
        };
        if access != Access::Read {
            for directory in [SNAPSHOTS, CHUNKS, INCOMING] {
                make_directory(&path.join(directory))?;
            }
            repository.remove_drafts()?;
        }
        Ok(repository)
    }

    /// Opens a repository to add to it, made where the directory is empty or not there: encrypted where there is a passphrase. Also
    /// says whether it was made.
    ///
    /// # Errors
    /// As [`Error`] has them; `NotEncrypted` for one that would not be sealed although a passphrase is given.
    pub fn open_or_make(path: &Path, passphrase: Option<&[u8]>) -> Result<(Self, bool)> {
        let is_new = match read_mark(path)? {
            Some(mark) if passphrase.is_some() && !mark.is_encrypted() => return Err(Error::NotEncrypted(path.to_owned())),
            Some(_) => false,
            None => {
                make(path, passphrase)?;
                true
            }
        };
        Ok((Self::open(path, passphrase, Access::Write)?, is_new))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn is_encrypted(&self) -> bool {
        self.is_encrypted
    }

    /// The names of all snapshots, the oldest first.
    pub fn snapshots(&self) -> Result<Vec<SnapshotId>> {
        snapshots(&self.path)
    }

    /// A snapshot's manifest.
    pub fn snapshot(&self, id: &SnapshotId) -> Result<Snapshot> {
        let path = self.path.join(SNAPSHOTS).join(id.as_str());
        let what = || format!("the snapshot {id}");
        let Some(bytes) = read_bounded(&path, limits::BACKUP_MANIFEST_BYTES_MAX + limits::BACKUP_CHUNK_SPARE_BYTES)? else {
            return Err(Error::NoSnapshot(id.to_string()));
        };
        let address = self.keys.address_of_snapshot(id);
        let raw = self.keys.unpack(address, &bytes, limits::BACKUP_MANIFEST_BYTES_MAX);
        let raw = raw.map_err(|why| Error::Damaged { what: what(), why })?;
        let snapshot: Option<Snapshot> = serde_json::from_slice(&raw).ok();
        snapshot.filter(|found| found.id == *id).ok_or_else(|| Error::Damaged { what: what(), why: "it cannot be read" })
    }

    /// The newest snapshot, or the one of which the name begins so.
    pub fn find(&self, asked: Option<&str>) -> Result<Snapshot> {
        let all = self.snapshots()?;
        let Some(asked) = asked else {
            let newest = all.last().ok_or_else(|| Error::NoSnapshot(format!("in {} yet", self.path.display())))?;
            return self.snapshot(newest);
        };
        let mut found = all.iter().filter(|id| id.as_str().starts_with(asked));
        match (found.next(), found.next()) {
            (Some(id), None) => self.snapshot(id),
            (Some(_), Some(_)) => Err(Error::NoSnapshot(format!("is named by {asked} alone: several begin so"))),
            (None, _) => Err(Error::NoSnapshot(asked.to_owned())),
        }
    }

    /// Adds a snapshot: all that it names must have been put. It is there whole, for good, once this returns.
    pub fn add_snapshot(&self, snapshot: &Snapshot) -> Result<()> {
        self.settle()?;
        let raw = serde_json::to_vec(snapshot).unwrap_or_default();
        let name = snapshot.id.as_str();
        if raw.is_empty() || raw.len() > limits::BACKUP_MANIFEST_BYTES_MAX {
            return Err(Error::Damaged { what: format!("the snapshot {name}"), why: "its manifest would be too long" });
        }
        let packed = self.keys.pack(self.keys.address_of_snapshot(&snapshot.id), &raw)?;
        self.write(&packed, name, &self.path.join(SNAPSHOTS).join(name))?;
        sync_directory(&self.path.join(SNAPSHOTS))
    }

    /// Writes a file under a name that nobody has, whole and on the disk; its directory is the caller's to bring there.
    fn write(&self, bytes: &[u8], name: &str, to: &Path) -> Result<()> {
        let draft = self.path.join(INCOMING).join(name);
        let written = || {
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            std::fs::rename(&draft, to)
        };
        written().map_err(|error| {
            // A disk that is full is not to stay so for the sake of a draft.
            let _ = std::fs::remove_file(&draft);
            io_error("written", to)(error)
        })
    }

    fn remove_drafts(&self) -> Result<()> {
        let incoming = self.path.join(INCOMING);
        for entry in std::fs::read_dir(&incoming).map_err(io_error("read", &incoming))? {
            let path = entry.map_err(io_error("read", &incoming))?.path();
            std::fs::remove_file(&path).map_err(io_error("removed", &path))?;
        }
        Ok(())
    }
}

/// The names of the snapshots in a directory, the oldest first, for who has no key to it.
pub fn snapshots(path: &Path) -> Result<Vec<SnapshotId>> {
    let directory = path.join(SNAPSHOTS);
    let entries = match std::fs::read_dir(&directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(io_error("read", &directory))?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(io_error("read", &directory))?.file_name();
        names.extend(name.to_str().and_then(|name| name.parse::<SnapshotId>().ok()));
    }
    names.sort();
    Ok(names)
}

/// Whether there is a repository in a directory.
pub fn is_there(path: &Path) -> bool {
    path.join(MARK).is_file()
}

/// A name for a snapshot that is begun now.
pub fn new_snapshot_id(now: chrono::DateTime<chrono::Utc>) -> Result<SnapshotId> {
    Ok(SnapshotId::at(now, keys::random()?))
}

fn make(path: &Path, passphrase: Option<&[u8]>) -> Result<()> {
    make_directory(path)?;
    for entry in std::fs::read_dir(path).map_err(io_error("read", path))? {
        let name = entry.map_err(io_error("read", path))?.file_name();
        if !ADOPTED.iter().any(|adopted| name == *adopted) {
            return Err(Error::Foreign(path.to_owned()));
        }
    }
    // Of two that make one at once, the second finds that of the first.
    let _locks = lock(path, Access::Write)?;
    if read_mark(path)?.is_some() {
        return Ok(());
    }
    let text = Mark::new(passphrase)?.to_text();
    let (draft, mark) = (path.join(MARK_DRAFT), path.join(MARK));
    let written = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&draft, &mark)?;
        File::open(path)?.sync_all()
    };
    written().map_err(io_error("written", &mark))
}

fn read_mark(path: &Path) -> Result<Option<Mark>> {
    let file = path.join(MARK);
    let Some(bytes) = read_bounded(&file, usize::try_from(limits::BACKUP_MARK_BYTES_MAX).unwrap_or(usize::MAX))? else {
        return Ok(None);
    };
    Mark::read(path, &bytes).map(Some)
}

/// What is in a file of at most so many bytes; `None` where there is none.
fn read_bounded(path: &Path, bytes_max: usize) -> Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(io_error("read", path))?,
    };
    let mut bytes = Vec::new();
    file.take(bytes_max as u64 + 1).read_to_end(&mut bytes).map_err(io_error("read", path))?;
    if bytes.len() > bytes_max {
        return Err(Error::Damaged { what: path.display().to_string(), why: "it is too long" });
    }
    Ok(Some(bytes))
}

fn make_directory(path: &Path) -> Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io_error("made", path))
}

fn sync_directory(path: &Path) -> Result<()> {
    File::open(path).and_then(|directory| directory.sync_all()).map_err(io_error("brought to the disk", path))
}

fn lock(path: &Path, access: Access) -> Result<Vec<File>> {
    let take = |name: &str, operation, doing| -> Result<File> {
        let at = path.join(name);
        // A copy on a medium that cannot be written is read without.
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&at);
        let file = match opened {
            Err(_) if access == Access::Read => File::open(path),
            opened => opened,
        };
        let file = file.map_err(io_error("opened", &at))?;
        match flock(&file, operation) {
            Ok(()) => Ok(file),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(Error::Locked { doing, path: path.to_owned() }),
            Err(error) => Err(io_error("locked", &at)(error.into())),
        }
    };
    const READ: FlockOperation = FlockOperation::NonBlockingLockShared;
    const ALONE: FlockOperation = FlockOperation::NonBlockingLockExclusive;
    Ok(match access {
        Access::Read => vec![take(LOCK, READ, "removes old backups")?],
        Access::Write => vec![take(WRITING, ALONE, "makes a backup")?, take(LOCK, READ, "removes old backups")?],
        Access::Prune => vec![take(WRITING, ALONE, "makes a backup")?, take(LOCK, ALONE, "reads backups")?],
    })
}

fn io_error(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |error| Error::Io { what, path, error }
}

#[cfg(test)]
mod tests;
