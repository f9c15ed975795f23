//! The data directory: where it is, whether it is ours, and that only one node with a private PostgreSQL works in it.
//!
//! In it: `picloud-data` (the mark, and the number of the layout), `lock`, `artifacts/`, `files/`, and what `postgres` and `vault` list.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::failure::{Exit, Failure, Result};
use crate::config::{DATA_DIR_DEFAULT, DATA_DIR_SYSTEM, Settings};
use crate::{postgres, vault};

const MARK: &str = "picloud-data";
const LOCK: &str = "lock";
const LAYOUT: u32 = 1;

/// What may lie in a directory that we have not marked yet: `precompile` of an image build, files that nodes share, a key file
/// that was brought back, a fresh file system.
const ADOPTED: [&str; 5] = ["artifacts", "files", "lost+found", LOCK, vault::KEY_FILE];

/// A directory that is ours. Held exclusively, it stays so until this is dropped, or the process is gone.
#[derive(Debug)]
pub(super) struct DataDir {
    path: PathBuf,
    _lock: Option<File>,
}

/// How a command uses the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// The only node: it runs the private PostgreSQL.
    Exclusive,
    /// The compiled component only, which several may write.
    Shared,
}

/// Where the directory is, made or not: as set, else the default of this user and place.
pub(super) fn locate(settings: &Settings) -> Result<PathBuf> {
    let absolute = |path: &Path| {
        std::path::absolute(path).map_err(|e| Failure::new(Exit::DataDirectory, format!("the working directory is gone: {e}")))
    };
    if let Some(path) = &settings.data_dir {
        if path.as_os_str().is_empty() {
            return Err(Failure::new(Exit::Usage, "PICLOUD_DATA_DIR is empty; name a directory, or unset it"));
        }
        return absolute(path);
    }
    let here = absolute(Path::new(DATA_DIR_DEFAULT))?;
    // The rule holds for every command, whatever database it uses, so that all of one user meet in one place.
    match postgres::account() {
        Ok(Some(account)) if !postgres::can_reach(&account, &here) => Ok(PathBuf::from(DATA_DIR_SYSTEM)),
        _ => Ok(here),
    }
}

impl DataDir {
    /// Makes the directory where there is none, and refuses one that is not ours.
    pub(super) fn open(path: PathBuf, access: Access) -> Result<Self> {
        make(&path).map_err(|e| unusable(&path, &e))?;
        judge(&path)?;
        let lock = match access {
            Access::Exclusive => Some(lock(&path)?),
            Access::Shared => None,
        };
        let mark = path.join(MARK);
        if !mark.exists() {
            std::fs::write(&mark, format!("{LAYOUT}\n")).map_err(|e| unusable(&path, &e))?;
        }
        // Compiled code is trusted because nobody else can write here.
        restrict(&path).map_err(|e| unusable(&path, &e))?;
        let path = path.canonicalize().map_err(|e| unusable(&path, &e))?;
        Ok(Self { path, _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// The number of the process that works in `path` now; for people, so errors count as "nobody".
pub(super) fn holder(path: &Path) -> Option<String> {
    let file = File::open(path.join(LOCK)).ok()?;
    if flock(&file, FlockOperation::NonBlockingLockShared).is_ok() {
        return None;
    }
    Some(read_holder(&file))
}

/// Whether `path` is a data directory that a node has used.
pub(super) fn is_marked(path: &Path) -> bool {
    path.join(MARK).is_file()
}

/// Whether `path` could be used, without making or changing anything.
pub(super) fn judge(path: &Path) -> Result<()> {
    let shown = path.display();
    let entries = std::fs::read_dir(path).map_err(|e| unusable(path, &e))?;
    let mark = path.join(MARK);
    if mark.exists() {
        let text = std::fs::read_to_string(&mark).map_err(|e| unusable(path, &e))?;
        // An empty mark was cut short by a crash at the very first start.
        return match text.trim().parse::<u32>() {
            Ok(layout) if layout <= LAYOUT => Ok(()),
            Err(_) if text.trim().is_empty() => Ok(()),
            Ok(layout) => Err(Failure::new(
                Exit::DataDirectory,
                format!("{shown} was written by a newer picloud (layout {layout}, this one knows {LAYOUT}); update picloud"),
            )),
            Err(_) => Err(Failure::new(
                Exit::DataDirectory,
                format!(
                    "{shown} is damaged: {MARK} says {:?}; restore it from a backup, or choose another PICLOUD_DATA_DIR",
                    text.trim()
                ),
            )),
        };
    }
    for entry in entries {
        let name = entry.map_err(|e| unusable(path, &e))?.file_name();
        if !ADOPTED.iter().any(|known| name == *known) {
            return Err(Failure::new(
                Exit::DataDirectory,
                format!(
                    "{shown} is not empty and not a PiCloud data directory (it holds {:?}); choose another with PICLOUD_DATA_DIR",
                    name.to_string_lossy()
                ),
            ));
        }
    }
    Ok(())
}

fn make(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        // Root's PostgreSQL runs as somebody else, who must be able to pass through.
        Ok(()) if rustix::process::geteuid().is_root() => std::fs::set_permissions(path, Permissions::from_mode(0o711)),
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists || !path.is_dir() => Err(error),
        _ => Ok(()),
    }
}

fn restrict(path: &Path) -> io::Result<()> {
    let found = std::fs::metadata(path)?;
    let mode = found.mode() & 0o7777;
    let ours = found.uid() == rustix::process::geteuid().as_raw();
    if ours && mode & 0o022 != 0 {
        std::fs::set_permissions(path, Permissions::from_mode(mode & !0o022))?;
    }
    Ok(())
}

fn lock(path: &Path) -> Result<File> {
    let at = path.join(LOCK);
    let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&at);
    let mut file = opened.map_err(|e| unusable(path, &e))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => {
            return Err(Failure::new(
                Exit::DataDirectory,
                format!(
                    "another picloud (process {}) works in {}; stop it, or choose another PICLOUD_DATA_DIR",
                    read_holder(&file),
                    path.display()
                ),
            ));
        }
        Err(error) => return Err(unusable(path, &error.into())),
    }
    let write = |file: &mut File| {
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())
    };
    write(&mut file).map_err(|e| unusable(path, &e))?;
    Ok(file)
}

fn read_holder(mut file: &File) -> String {
    let mut text = String::new();
    let _ = io::Read::take(&mut file, 32).read_to_string(&mut text);
    match text.trim() {
        "" => "unknown".to_owned(),
        pid => pid.to_owned(),
    }
}

fn unusable(path: &Path, error: &io::Error) -> Failure {
    let mend = match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "make it writable for this user, or choose another"
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "make room, or choose another",
        _ => "choose another",
    };
    Failure::new(Exit::DataDirectory, format!("data directory {}: {error}; {mend} with PICLOUD_DATA_DIR", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(result: Result<impl std::fmt::Debug>) -> String {
        format!("{:?}", result.unwrap_err())
    }

    #[test]
    fn a_fresh_directory_is_made_private_and_marked() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a/b");
        drop(DataDir::open(path.clone(), Access::Exclusive).unwrap());
        assert_eq!(std::fs::read_to_string(path.join(MARK)).unwrap(), "1\n");
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o066, 0);
        drop(DataDir::open(path, Access::Exclusive).unwrap());
    }

    #[test]
    fn one_at_a_time_and_the_other_is_named() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("d");
        let first = DataDir::open(path.clone(), Access::Exclusive).unwrap();
        let pid = std::process::id().to_string();
        assert!(line(DataDir::open(path.clone(), Access::Exclusive)).contains(&format!("process {pid}")));
        assert_eq!(holder(&path), Some(pid));
        DataDir::open(path.clone(), Access::Shared).unwrap();
        drop(first);
        assert_eq!(holder(&path), None);
        DataDir::open(path, Access::Exclusive).unwrap();
    }

    #[test]
    fn a_foreign_directory_is_refused_and_left_alone() {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("thesis.tex"), b"mine").unwrap();
        assert!(line(DataDir::open(home.path().to_owned(), Access::Exclusive)).contains("thesis.tex"));
        let left: Vec<_> = std::fs::read_dir(home.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, ["thesis.tex"]);
    }

    #[test]
    fn what_an_image_build_left_is_adopted() {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("artifacts")).unwrap();
        DataDir::open(home.path().to_owned(), Access::Exclusive).unwrap();
    }

    #[test]
    fn a_newer_or_damaged_mark_is_refused_and_a_cut_one_is_not() {
        let home = tempfile::tempdir().unwrap();
        let mark = home.path().join(MARK);
        std::fs::write(&mark, "2\n").unwrap();
        assert!(line(DataDir::open(home.path().to_owned(), Access::Shared)).contains("newer picloud"));
        std::fs::write(&mark, "what").unwrap();
        assert!(line(DataDir::open(home.path().to_owned(), Access::Shared)).contains("damaged"));
        std::fs::write(&mark, "").unwrap();
        DataDir::open(home.path().to_owned(), Access::Shared).unwrap();
    }

    #[test]
    fn a_file_in_its_place_is_named() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("f");
        std::fs::write(&path, b"x").unwrap();
        assert!(line(DataDir::open(path.clone(), Access::Shared)).contains(&path.display().to_string()));
        assert_eq!(std::fs::read(&path).unwrap(), b"x");
    }

    #[test]
    fn others_lose_the_right_to_write() {
        let home = tempfile::tempdir().unwrap();
        std::fs::set_permissions(home.path(), Permissions::from_mode(0o777)).unwrap();
        DataDir::open(home.path().to_owned(), Access::Shared).unwrap();
        assert_eq!(std::fs::metadata(home.path()).unwrap().mode() & 0o777, 0o755);
    }
}
