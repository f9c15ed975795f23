//! A system's files, below its root: put, linked and removed, each whole or not at all, and told of.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::cli::failure::{Exit, Failure, Result};
use crate::limits::INSTALL_FILE_BYTES_MAX;

/// Whether anything is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Run {
    Real,
    Dry,
}

/// What became of one thing, or would.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Became {
    Made,
    Replaced,
    Unchanged,
    Removed,
    /// It was not there.
    Absent,
    /// It was there, and is left as it is.
    Kept,
    Done,
}

impl Became {
    pub(super) fn as_str(self, run: Run) -> &'static str {
        match (self, run) {
            (Self::Made, Run::Real) => "made",
            (Self::Made, Run::Dry) => "would be made",
            (Self::Replaced, Run::Real) => "replaced",
            (Self::Replaced, Run::Dry) => "would be replaced",
            (Self::Unchanged, _) => "as it was",
            (Self::Removed, Run::Real) => "removed",
            (Self::Removed, Run::Dry) => "would be removed",
            (Self::Absent, _) => "not there",
            (Self::Kept, _) => "kept",
            (Self::Done, Run::Real) => "done",
            (Self::Done, Run::Dry) => "would be done",
        }
    }
}

/// The root of a system: `/`, or a directory that holds one.
#[derive(Debug)]
pub(super) struct Root {
    path: PathBuf,
    run: Run,
}

impl Root {
    pub(super) fn open(path: &Path, run: Run) -> Result<Self> {
        let path = path.canonicalize().map_err(|e| failed(path, &e))?;
        if !path.is_dir() {
            return Err(Failure::new(Exit::Usage, format!("{} is no directory", path.display())));
        }
        Ok(Self { path, run })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn run(&self) -> Run {
        self.run
    }

    /// Whether it is the system that runs.
    pub(super) fn is_this_machine(&self) -> bool {
        self.path == Path::new("/")
    }

    /// Where `path`, as the system itself names it, is for us.
    pub(super) fn at(&self, path: &str) -> PathBuf {
        self.path.join(path.trim_start_matches('/'))
    }

    pub(super) fn has(&self, path: &str) -> bool {
        self.at(path).symlink_metadata().is_ok()
    }

    /// A text that a system keeps about itself; empty where there is none.
    pub(super) fn text(&self, path: &str) -> Result<String> {
        let at = self.at(path);
        let file = match File::open(&at) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(String::new()),
            Err(error) => return Err(failed(&at, &error)),
        };
        let mut bytes = Vec::new();
        file.take(INSTALL_FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|e| failed(&at, &e))?;
        if bytes.len() as u64 > INSTALL_FILE_BYTES_MAX {
            let at = at.display();
            return Err(Failure::new(Exit::Other, format!("{at} holds more than {INSTALL_FILE_BYTES_MAX} bytes")));
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// A file with this content and these rights, replaced in one moment.
    pub(super) fn put(&self, path: &str, content: &mut dyn Content, mode: u32) -> Result<Became> {
        let at = self.at(path);
        let there = match File::open(&at) {
            Ok(file) => {
                let is_so = || Ok(file.metadata()?.mode() & 0o7777 == mode && content.is_that_of(file)?);
                Some(is_so().map_err(|e| failed(&at, &e))?)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed(&at, &error)),
        };
        let became = match there {
            Some(true) => Became::Unchanged,
            Some(false) => Became::Replaced,
            None => Became::Made,
        };
        if self.run == Run::Real && became != Became::Unchanged {
            self.write(&at, content, mode).map_err(|e| failed(&at, &e))?;
        }
        Ok(became)
    }

    /// The same where there is none; one that is there is somebody's.
    pub(super) fn put_once(&self, path: &str, content: &str, mode: u32) -> Result<Became> {
        if self.has(path) { Ok(Became::Kept) } else { self.put(path, &mut content.as_bytes(), mode) }
    }

    fn write(&self, at: &Path, content: &mut dyn Content, mode: u32) -> io::Result<()> {
        let (dir, name) = (at.parent().unwrap_or(at), at.file_name().unwrap_or_default());
        DirBuilder::new().recursive(true).mode(0o755).create(dir)?;
        let draft = dir.join(format!(".{}.picloud-new", name.to_string_lossy()));
        // What a run that was killed left.
        remove(&draft)?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        let written = content
            .copy_to(&mut file)
            .and_then(|()| file.set_permissions(Permissions::from_mode(mode)))
            .and_then(|()| file.sync_all())
            .and_then(|()| std::fs::rename(&draft, at))
            .and_then(|()| File::open(dir)?.sync_all());
        if written.is_err() {
            let _ = remove(&draft);
        }
        written
    }

    /// A link to `target`, as the system itself names that.
    pub(super) fn link(&self, path: &str, target: &str) -> Result<Became> {
        let at = self.at(path);
        let found = std::fs::read_link(&at).ok();
        let became = match (&found, self.has(path)) {
            (Some(there), _) if there == Path::new(target) => return Ok(Became::Unchanged),
            (_, true) => Became::Replaced,
            (_, false) => Became::Made,
        };
        if self.run == Run::Real {
            let make = || {
                DirBuilder::new().recursive(true).mode(0o755).create(at.parent().unwrap_or(&at))?;
                remove(&at)?;
                symlink(target, &at)
            };
            make().map_err(|e| failed(&at, &e))?;
        }
        Ok(became)
    }

    /// A file or a link; and of a directory everything below it, but for what other links lead to.
    pub(super) fn remove(&self, path: &str) -> Result<Became> {
        let at = self.at(path);
        let Ok(found) = at.symlink_metadata() else { return Ok(Became::Absent) };
        if self.run == Run::Real {
            let removed = if found.is_dir() { std::fs::remove_dir_all(&at) } else { std::fs::remove_file(&at) };
            removed.map_err(|e| failed(&at, &e))?;
        }
        Ok(Became::Removed)
    }
}

/// What a file is to hold.
pub(super) trait Content {
    fn is_that_of(&mut self, file: File) -> io::Result<bool>;
    fn copy_to(&mut self, file: &mut File) -> io::Result<()>;
}

impl Content for &[u8] {
    fn is_that_of(&mut self, file: File) -> io::Result<bool> {
        let mut there = Vec::new();
        file.take(self.len() as u64 + 1).read_to_end(&mut there)?;
        Ok(there == *self)
    }

    fn copy_to(&mut self, file: &mut File) -> io::Result<()> {
        file.write_all(self)
    }
}

/// The content of another file, by its path.
impl Content for &Path {
    fn is_that_of(&mut self, file: File) -> io::Result<bool> {
        let own = File::open(&**self)?;
        if own.metadata()?.len() != file.metadata()?.len() {
            return Ok(false);
        }
        let hash = |file: File| Ok::<_, io::Error>(blake3::Hasher::new().update_reader(file)?.finalize());
        Ok(hash(own)? == hash(file)?)
    }

    fn copy_to(&mut self, file: &mut File) -> io::Result<()> {
        io::copy(&mut File::open(&**self)?, file).map(|_| ())
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn failed(at: &Path, error: &io::Error) -> Failure {
    let exit = if error.kind() == io::ErrorKind::PermissionDenied { Exit::Denied } else { Exit::Other };
    Failure::new(exit, format!("{}: {error}", at.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().mode() & 0o7777
    }

    #[test]
    fn a_file_is_made_replaced_or_left_and_nothing_lies_beside_it() {
        let home = tempfile::tempdir().unwrap();
        let root = Root::open(home.path(), Run::Real).unwrap();
        let at = home.path().join("etc/x/a");
        std::fs::create_dir_all(home.path().join("etc/x")).unwrap();
        std::fs::write(home.path().join("etc/x/.a.picloud-new"), "of a run that was killed").unwrap();
        assert_eq!(root.put("/etc/x/a", &mut &b"one"[..], 0o640).unwrap(), Became::Made);
        assert_eq!((std::fs::read(&at).unwrap().as_slice(), mode(&at)), (&b"one"[..], 0o640));
        assert_eq!(root.put("/etc/x/a", &mut &b"one"[..], 0o640).unwrap(), Became::Unchanged);
        assert_eq!(root.put("/etc/x/a", &mut &b"one and more"[..], 0o640).unwrap(), Became::Replaced);
        assert_eq!(
            root.put("/etc/x/a", &mut &b"one and more"[..], 0o600).unwrap(),
            Became::Replaced,
            "its rights are part of it"
        );
        assert_eq!(root.put_once("/etc/x/a", "two", 0o640).unwrap(), Became::Kept);
        assert_eq!(std::fs::read(&at).unwrap(), b"one and more");
        assert_eq!(std::fs::read_dir(home.path().join("etc/x")).unwrap().count(), 1);
    }

    #[test]
    fn a_file_of_the_same_length_is_told_apart_by_its_bytes() {
        let home = tempfile::tempdir().unwrap();
        let root = Root::open(home.path(), Run::Real).unwrap();
        let source = home.path().join("source");
        std::fs::write(&source, "abc").unwrap();
        assert_eq!(root.put("/a", &mut source.as_path(), 0o755).unwrap(), Became::Made);
        assert_eq!(root.put("/a", &mut source.as_path(), 0o755).unwrap(), Became::Unchanged);
        std::fs::write(&source, "abd").unwrap();
        assert_eq!(root.put("/a", &mut source.as_path(), 0o755).unwrap(), Became::Replaced);
    }

    #[test]
    fn a_dry_run_says_the_same_and_changes_nothing() {
        let home = tempfile::tempdir().unwrap();
        let root = Root::open(home.path(), Run::Dry).unwrap();
        assert_eq!(root.put("/etc/a", &mut &b"one"[..], 0o640).unwrap(), Became::Made);
        assert_eq!(root.link("/etc/b", "/etc/a").unwrap(), Became::Made);
        std::fs::write(home.path().join("c"), "").unwrap();
        assert_eq!(root.remove("/c").unwrap(), Became::Removed);
        let left: Vec<_> = std::fs::read_dir(home.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, ["c"]);
    }

    #[test]
    fn a_directory_is_removed_and_what_its_links_lead_to_is_not() {
        let home = tempfile::tempdir().unwrap();
        let root = Root::open(home.path(), Run::Real).unwrap();
        std::fs::create_dir_all(home.path().join("data/below")).unwrap();
        std::fs::write(home.path().join("elsewhere"), "kept").unwrap();
        symlink(home.path().join("elsewhere"), home.path().join("data/below/link")).unwrap();
        assert_eq!(root.remove("/data").unwrap(), Became::Removed);
        assert_eq!(root.remove("/data").unwrap(), Became::Absent);
        assert_eq!(std::fs::read_to_string(home.path().join("elsewhere")).unwrap(), "kept");
    }

    #[test]
    fn a_text_is_read_up_to_its_bound() {
        let home = tempfile::tempdir().unwrap();
        let root = Root::open(home.path(), Run::Dry).unwrap();
        let most = usize::try_from(INSTALL_FILE_BYTES_MAX).unwrap();
        std::fs::write(home.path().join("a"), "a".repeat(most)).unwrap();
        assert_eq!(root.text("/a").unwrap().len(), most);
        std::fs::write(home.path().join("a"), "a".repeat(most + 1)).unwrap();
        assert!(root.text("/a").unwrap_err().into_line().contains("more than"));
        assert_eq!(root.text("/nowhere").unwrap(), "");
    }
}
