//! The key file of a data directory: a first line that says what it is, then a master key a line. Made once, readable for its
//! owner alone, and replaced whole.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use zeroize::Zeroizing;

use super::keyring::{Keyring, MasterKey};
use super::{Error, KeyBytes, Result};
use crate::limits::KEY_FILE_BYTES_MAX;

/// Its name in the data directory.
pub const NAME: &str = "secret.key";
const DRAFT: &str = "secret.key.new";
const HEADER: &str = "picloud master keys 1";
const MODE: u32 = 0o600;

#[derive(Debug)]
pub(super) struct KeyFile {
    directory: PathBuf,
    path: PathBuf,
}

impl KeyFile {
    pub(super) fn in_directory(directory: &Path) -> Self {
        Self { directory: directory.to_owned(), path: directory.join(NAME) }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The keys, of a new file where there is none.
    pub(super) fn read_or_make(&self) -> Result<Keyring> {
        let _lock = self.lock()?;
        match self.read_if_there()? {
            Some(ring) => Ok(ring),
            None => {
                let ring = Keyring::of(MasterKey::new(KeyBytes::random()?));
                self.write(&ring)?;
                Ok(ring)
            }
        }
    }

    /// Makes the file, where there is none, of keys that are there already.
    pub(super) fn make(&self, ring: &Keyring) -> Result<()> {
        let _lock = self.lock()?;
        match self.read_if_there()? {
            Some(_) => Err(self.unusable("was made meanwhile; repeat")),
            None => self.write(ring),
        }
    }

    pub(super) fn read(&self) -> Result<Keyring> {
        self.read_if_there()?.ok_or_else(|| self.unusable("is gone; bring it back from a backup"))
    }

    /// Replaces the keys by what `change` makes of them.
    pub(super) fn change(&self, change: impl FnOnce(Keyring) -> Result<Keyring>) -> Result<Keyring> {
        let _lock = self.lock()?;
        let ring = change(self.read()?)?;
        self.write(&ring)?;
        Ok(ring)
    }

    pub(super) fn read_if_there(&self) -> Result<Option<Keyring>> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.failed("cannot be read", &error)),
        };
        let found = file.metadata().map_err(|e| self.failed("cannot be read", &e))?;
        if !found.is_file() {
            return Err(self.unusable("is no file; move it away, or choose another PICLOUD_DATA_DIR"));
        }
        if found.mode() & 0o077 != 0 {
            let mode = found.mode() & 0o7777;
            return Err(self.unusable(&format!(
                "holds the master key and others may read it (mode {mode:04o}): chmod 600 it, and replace the key if somebody did"
            )));
        }
        let mut text = Zeroizing::new(String::with_capacity(KEY_FILE_BYTES_MAX));
        let read = file.take(KEY_FILE_BYTES_MAX as u64 + 1).read_to_string(&mut text);
        let whole = read.is_ok_and(|bytes| bytes <= KEY_FILE_BYTES_MAX);
        let keys = text.strip_prefix(HEADER).filter(|keys| whole && keys.starts_with('\n') && keys.ends_with('\n'));
        match keys.map(Keyring::parse) {
            Some(Ok(ring)) => Ok(Some(ring)),
            _ => Err(self.unusable(
                "is not a key file of picloud's, or was cut short: bring it back from a backup; if it never held a key, move it away",
            )),
        }
    }

    /// Draft, to disk, in place, to disk: at every moment the file is there whole, the old one or the new one.
    fn write(&self, ring: &Keyring) -> Result<()> {
        let keys = ring.to_text();
        let text = Zeroizing::new([HEADER, "\n", &keys].concat());
        let written = || {
            let draft = self.directory.join(DRAFT);
            match std::fs::remove_file(&draft) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&draft)?;
            file.set_permissions(std::fs::Permissions::from_mode(MODE))?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&draft, &self.path)?;
            File::open(&self.directory)?.sync_all()
        };
        written().map_err(|e: io::Error| self.failed("cannot be written", &e))
    }

    /// Nodes that share a directory make the file once, and change it one after the other. Gone with its holder.
    fn lock(&self) -> Result<File> {
        let lock = || {
            let directory = File::open(&self.directory)?;
            flock(&directory, FlockOperation::LockExclusive)?;
            Ok(directory)
        };
        lock().map_err(|e: io::Error| self.failed("cannot be used", &e))
    }

    fn failed(&self, what: &str, error: &io::Error) -> Error {
        self.unusable(&format!("{what}: {error}; make it accessible to this user, or choose another PICLOUD_DATA_DIR"))
    }

    fn unusable(&self, problem: &str) -> Error {
        Error::File(format!("{} {problem}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory() -> (tempfile::TempDir, KeyFile) {
        let home = tempfile::tempdir().unwrap();
        let file = KeyFile::in_directory(home.path());
        (home, file)
    }

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn a_first_start_makes_a_key_for_its_owner_alone_and_the_next_finds_it() {
        let (home, file) = directory();
        let made = file.read_or_make().unwrap();
        assert_eq!(mode(&home.path().join(NAME)), 0o600);
        assert_eq!(file.read_or_make().unwrap().ids(), made.ids());
        let names: Vec<_> = std::fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, [NAME], "no draft is left");
    }

    #[test]
    fn starts_at_once_make_one_key() {
        let (home, _) = directory();
        let ids: std::collections::BTreeSet<_> = std::thread::scope(|scope| {
            let start = || KeyFile::in_directory(home.path()).read_or_make().unwrap().ids();
            let starts: Vec<_> = (0..8).map(|_| scope.spawn(start)).collect();
            starts.into_iter().map(|start| start.join().unwrap()).collect()
        });
        assert_eq!(ids.len(), 1);
    }

    #[test]
    fn a_draft_that_a_crash_left_is_no_key() {
        let (home, file) = directory();
        std::fs::write(home.path().join(DRAFT), format!("{HEADER}\n{}\n", "11".repeat(32))).unwrap();
        let made = file.read_or_make().unwrap();
        assert_ne!(made.ids(), Keyring::parse(&"11".repeat(32)).unwrap().ids());
        assert!(!home.path().join(DRAFT).exists());
    }

    #[test]
    fn a_file_that_others_may_read_is_refused_with_the_mend() {
        for wrong in [0o640, 0o604, 0o660, 0o644, 0o620] {
            let (home, file) = directory();
            file.read_or_make().unwrap();
            let path = home.path().join(NAME);
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(wrong)).unwrap();
            let said = file.read_or_make().unwrap_err().to_string();
            assert!(said.contains(path.to_str().unwrap()) && said.contains("chmod 600"), "{said}");
            assert_eq!(mode(&path), wrong, "left as it was");
        }
    }

    #[test]
    fn a_foreign_or_cut_file_is_refused_and_left_alone() {
        let (home, file) = directory();
        file.read_or_make().unwrap();
        let path = home.path().join(NAME);
        let whole = std::fs::read(&path).unwrap();
        let longer = [&whole[..], &[b'\n'; KEY_FILE_BYTES_MAX]].concat();
        let mut damages: Vec<&[u8]> = vec![b"my thesis\n", b"\xff\xfe", &longer];
        damages.extend((0..whole.len()).map(|end| &whole[..end]));
        for damage in damages {
            std::fs::write(&path, damage).unwrap();
            let said = file.read_or_make().unwrap_err().to_string();
            assert!(said.contains(path.to_str().unwrap()) && said.contains("backup"), "{said}");
            assert_eq!(std::fs::read(&path).unwrap(), damage);
        }
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(file.read_or_make().unwrap_err().to_string().contains("no file"));
    }

    #[test]
    fn a_change_is_what_is_read_next() {
        let (_home, file) = directory();
        let old = file.read_or_make().unwrap();
        let both = file.change(|ring| Ok(ring.with_first(MasterKey::new(KeyBytes::random()?)))).unwrap();
        assert_eq!((both.len(), file.read().unwrap().ids()), (2, both.ids()));
        assert!(both.find(&old.first().id).is_some());
        file.change(|ring| Ok(ring.first_alone())).unwrap();
        assert_eq!(file.read().unwrap().ids(), both.first().id);
        assert_eq!(mode(file.path()), 0o600);
    }
}
