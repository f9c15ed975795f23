//! What tells that files may have changed.
//!
//! The kernel tells at once what happens in their directories (inotify); besides, the files are looked at twice a second, which
//! finds what it does not tell: file systems of other machines, directories that came later, a kernel that refuses. Neither
//! is believed further than that there may be something new: whoever is woken reads, and holds it against what was read
//! before. So an editor may write in place, or write beside and rename.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};
use rustix::io::{Errno, read};
use tokio::sync::watch::{Receiver, Sender};
use tokio::time::{Instant, sleep, timeout};

use crate::limits;

/// What is read of the kernel's events at once, bytes; they say nothing that is looked at.
const EVENTS_BYTES: usize = 16 << 10;

/// Where everything is that a target is made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::cli::client) struct Places {
    files: BTreeSet<PathBuf>,
    directories: BTreeSet<PathBuf>,
}

/// What is seen of a file from outside; none where there is none.
type Stamp = Option<[i64; 6]>;

/// Watches the files of a target.
#[derive(Debug)]
pub(super) struct Eyes {
    kernel: Option<Kernel>,
    /// Why the kernel tells nothing, until that was told.
    blind: Option<String>,
    /// Behind the second wall the kernel is asked for nothing new.
    is_sealed: bool,
    stamps: BTreeMap<PathBuf, Stamp>,
}

/// The kernel's events, as they come.
#[derive(Debug)]
struct Kernel {
    fd: Arc<OwnedFd>,
    /// How many times some came.
    came: Receiver<u64>,
}

impl Places {
    /// A file somewhere below `root`, with every directory on the way; and the directory that a link leads to.
    pub(in crate::cli::client) fn add(&mut self, root: &Path, file: PathBuf) {
        let above = file.ancestors().skip(1).take_while(|directory| directory.starts_with(root));
        self.directories.extend(above.map(Path::to_path_buf));
        if let Some(real) = file.canonicalize().ok().and_then(|real| real.parent().map(Path::to_path_buf)) {
            self.directories.insert(real);
        }
        self.files.insert(file);
    }
}

impl Eyes {
    pub(super) fn open() -> Self {
        let (kernel, blind) = match Kernel::open() {
            Ok(kernel) => (Some(kernel), None),
            Err(error) => (None, Some(error.to_string())),
        };
        Self { kernel, blind, is_sealed: false, stamps: BTreeMap::new() }
    }

    /// From now on the kernel is asked for nothing new.
    pub(super) fn seal(&mut self) {
        self.is_sealed = true;
    }

    /// These are to be watched, as they are now. Gives the reason where they can only be looked at, once.
    pub(super) fn watch(&mut self, places: &Places) -> Option<String> {
        if let (Some(kernel), false) = (&self.kernel, self.is_sealed)
            && let Err(error) = kernel.watch(&places.directories)
        {
            self.blind = Some(error.to_string());
            self.kernel = None;
        }
        self.stamps = places.files.iter().map(|file| (file.clone(), stamp(file))).collect();
        self.blind.take()
    }

    /// Resolves when something may have changed since [`Eyes::watch`].
    pub(super) async fn changed(&mut self) {
        let poll = Duration::from_millis(limits::CLIENT_WATCH_POLL_MS);
        while !self.has_new_stamps() {
            match &mut self.kernel {
                None => sleep(poll).await,
                Some(kernel) => match timeout(poll, kernel.came.changed()).await {
                    Ok(Ok(())) => return,
                    // Nothing more comes from there.
                    Ok(Err(_)) => self.kernel = None,
                    Err(_) => {}
                },
            }
        }
    }

    /// Waits until nothing changes any more, but not for ever.
    pub(super) async fn settled(&mut self) {
        let (began, quiet) = (Instant::now(), Duration::from_millis(limits::CLIENT_WATCH_QUIET_MS));
        let most = Duration::from_millis(limits::CLIENT_WATCH_UNQUIET_MS_MAX);
        loop {
            let before: Vec<Stamp> = self.stamps.keys().map(|file| stamp(file)).collect();
            if let Some(kernel) = &mut self.kernel {
                kernel.came.borrow_and_update();
            }
            sleep(quiet).await;
            let told = self.kernel.as_ref().is_some_and(|kernel| kernel.came.has_changed().unwrap_or(false));
            let is_still = !told && self.stamps.keys().map(|file| stamp(file)).eq(before);
            if is_still || began.elapsed() >= most {
                return;
            }
        }
    }

    fn has_new_stamps(&self) -> bool {
        self.stamps.iter().any(|(file, before)| stamp(file) != *before)
    }
}

impl Kernel {
    fn open() -> io::Result<Self> {
        let fd = Arc::new(init(CreateFlags::CLOEXEC)?);
        let (sender, came) = tokio::sync::watch::channel(0);
        let reading = fd.clone();
        // Ends with the process: a read of these events cannot be called off.
        std::thread::Builder::new().name("watch".to_owned()).spawn(move || tell(&reading, &sender))?;
        Ok(Self { fd, came })
    }

    /// Asks for the events of directories; one that is watched already stays so. Those that are not there, or not ours to read,
    /// are left out: the files are looked at.
    fn watch(&self, directories: &BTreeSet<PathBuf>) -> io::Result<()> {
        let events = WatchFlags::CREATE
            | WatchFlags::MODIFY
            | WatchFlags::CLOSE_WRITE
            | WatchFlags::ATTRIB
            | WatchFlags::DELETE
            | WatchFlags::MOVE
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR;
        for directory in directories {
            // The system's bound on watches is reached, or it has no memory for one.
            if let Err(error @ (Errno::NOSPC | Errno::NOMEM | Errno::NOSYS | Errno::PERM)) =
                add_watch(self.fd.as_fd(), directory.as_path(), events)
            {
                return Err(error.into());
            }
        }
        Ok(())
    }
}

/// Says that events came, until they end or nobody listens.
fn tell(fd: &OwnedFd, came: &Sender<u64>) {
    let mut events = vec![0; EVENTS_BYTES];
    loop {
        match read(fd, events.as_mut_slice()) {
            Ok(bytes) if bytes > 0 && !came.is_closed() => came.send_modify(|count| *count = count.wrapping_add(1)),
            Err(Errno::INTR) => {}
            _ => return,
        }
    }
}

fn stamp(file: &Path) -> Stamp {
    let about = std::fs::metadata(file).ok()?;
    let (ino, size) = (about.ino().cast_signed(), about.size().cast_signed());
    Some([ino, size, about.mtime(), about.mtime_nsec(), about.ctime(), about.ctime_nsec()])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(home: &Path, files: &[&str]) -> Places {
        let mut places = Places::default();
        files.iter().for_each(|file| places.add(home, home.join(file)));
        places
    }

    /// Fails the test rather than wait for ever.
    async fn seen(eyes: &mut Eyes) {
        timeout(Duration::from_secs(30), eyes.changed()).await.expect("the change is seen");
    }

    /// Both ways of seeing.
    fn each() -> [Eyes; 2] {
        let blind = Eyes { kernel: None, blind: Some("none here".to_owned()), is_sealed: false, stamps: BTreeMap::new() };
        [Eyes::open(), blind]
    }

    #[test]
    fn every_directory_on_the_way_to_a_file_is_watched_and_none_above() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path().canonicalize().unwrap();
        let places = places(&home, &["a/b/c.rhai", "picloud.toml"]);
        let directories: Vec<PathBuf> = places.directories.into_iter().collect();
        assert_eq!(directories, [home.clone(), home.join("a"), home.join("a/b")]);
    }

    #[tokio::test]
    async fn a_file_is_seen_when_it_is_written_renamed_over_removed_or_new() {
        for mut eyes in each() {
            let home = tempfile::tempdir().unwrap();
            let file = home.path().join("sub/a.rhai");
            let places = places(home.path(), &["sub/a.rhai", "picloud.toml"]);
            std::fs::create_dir(home.path().join("sub")).unwrap();
            eyes.watch(&places);
            std::fs::write(&file, "1").unwrap();
            seen(&mut eyes).await;
            eyes.settled().await;
            eyes.watch(&places);
            std::fs::write(&file, "2").unwrap();
            seen(&mut eyes).await;
            eyes.settled().await;
            eyes.watch(&places);
            std::fs::write(home.path().join("sub/.a.swp"), "3").unwrap();
            std::fs::rename(home.path().join("sub/.a.swp"), &file).unwrap();
            seen(&mut eyes).await;
            eyes.settled().await;
            eyes.watch(&places);
            std::fs::remove_dir_all(home.path().join("sub")).unwrap();
            seen(&mut eyes).await;
            eyes.settled().await;
            // A directory that was made anew is another one.
            eyes.watch(&places);
            std::fs::create_dir(home.path().join("sub")).unwrap();
            std::fs::write(&file, "4").unwrap();
            seen(&mut eyes).await;
        }
    }

    #[tokio::test]
    async fn what_changes_before_it_is_asked_is_seen_too() {
        for mut eyes in each() {
            let home = tempfile::tempdir().unwrap();
            std::fs::write(home.path().join("a.rhai"), "1").unwrap();
            eyes.watch(&places(home.path(), &["a.rhai"]));
            std::fs::write(home.path().join("a.rhai"), "more").unwrap();
            seen(&mut eyes).await;
        }
    }

    #[tokio::test]
    async fn a_sealed_one_sees_files_in_directories_that_came_later() {
        let home = tempfile::tempdir().unwrap();
        let mut eyes = Eyes::open();
        eyes.watch(&places(home.path(), &["picloud.toml"]));
        eyes.seal();
        std::fs::create_dir(home.path().join("sub")).unwrap();
        seen(&mut eyes).await;
        eyes.settled().await;
        eyes.watch(&places(home.path(), &["picloud.toml", "sub/a.rhai"]));
        std::fs::write(home.path().join("sub/a.rhai"), "1").unwrap();
        seen(&mut eyes).await;
    }

    #[test]
    fn that_the_kernel_tells_nothing_is_told_once() {
        let [_, mut blind] = each();
        assert_eq!(blind.watch(&Places::default()).as_deref(), Some("none here"));
        assert_eq!(blind.watch(&Places::default()), None);
    }
}
