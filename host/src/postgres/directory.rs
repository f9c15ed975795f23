//! PostgreSQL's own directory: judged before anything touches it, made whole or not at all.

use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, lchown};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::Error;
use super::account::{Account, run_as};
use super::binaries::Binaries;
use super::process::tie_to_us;
use crate::limits;

/// PostgreSQL's own lock: who serves the directory, and whether it is ready.
pub(super) const PID_FILE: &str = "postmaster.pid";

/// Without any of these there is nothing to start.
const PIECES: [&str; 6] = ["PG_VERSION", "base", "global/pg_control", "pg_wal", "pg_xact", "pg_multixact"];
const POLL: Duration = Duration::from_millis(20);
const PROGRESS_AFTER: Duration = Duration::from_secs(1);

/// A database that is there and whole, as far as a look can tell.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) major: u32,
    /// uid and gid.
    pub(super) owner: (u32, u32),
}

/// What is in `home`; `None` when nothing is. Changes nothing.
pub(super) fn inspect(home: &Path) -> Result<Option<Found>, Error> {
    let Some(found) = present(home)? else { return Ok(None) };
    let at = home.display();
    if !found.is_dir() {
        return Err(Error::Directory(format!("{at} is not a directory; move it away, or choose another PICLOUD_DATA_DIR")));
    }
    let me = rustix::process::geteuid();
    let uid = found.uid();
    if me.is_root() && uid == 0 && !is_empty(home)? {
        return Err(Error::Directory(format!(
            "{at} belongs to root, whom PostgreSQL refuses; give it back to its owner (chown -R postgres: {at})"
        )));
    }
    if !me.is_root() && uid != me.as_raw() {
        return Err(Error::Directory(format!(
            "{at} belongs to uid {uid}, this is uid {}; start picloud as its owner or as root, or choose another PICLOUD_DATA_DIR",
            me.as_raw()
        )));
    }
    if is_empty(home)? {
        return Ok(None);
    }
    if let Some(missing) = PIECES.iter().find(|piece| !home.join(piece).exists()) {
        return Err(Error::Directory(format!(
            "{at} is not empty and not a whole PostgreSQL database: {missing} is missing; \
             restore it from a backup, or move the directory away to begin anew"
        )));
    }
    let major = read_major(&home.join("PG_VERSION"))?;
    Ok(Some(Found { major, owner: (uid, found.gid()) }))
}

/// Runs `initdb` beside `home` and moves the result into place once it is whole.
pub(super) fn create(home: &Path, binaries: &Binaries, account: Option<&Account>, role: &str) -> Result<(), Error> {
    let draft = home.with_extension("new");
    if present(&draft)?.is_some() {
        // A killed node's `initdb` ends with it, but not in the same moment.
        wait_until(Duration::from_millis(limits::POSTGRES_STOP_IMMEDIATE_MS), || residents(&draft).is_empty());
        std::fs::remove_dir_all(&draft).map_err(|e| unusable(&draft, &e))?;
    }
    std::fs::DirBuilder::new().mode(0o700).create(&draft).map_err(|e| unusable(&draft, &e))?;
    if let Some(account) = account {
        lchown(&draft, Some(account.uid), Some(account.gid)).map_err(|e| unusable(&draft, &e))?;
    }
    let mut initdb = Command::new(binaries.initdb());
    run_as(&mut initdb, account, &draft);
    tie_to_us(&mut initdb, Signal::KILL);
    initdb
        // One order of text on every machine, whatever its locale; checksums, because cards and cheap disks rot.
        .args(["--encoding=UTF8", "--no-locale", "--data-checksums", "--no-instructions"])
        .args(["--auth-local=trust", "--auth-host=reject", "--username", role, "--pgdata"])
        .arg(&draft)
        .env_clear()
        .envs([("PATH", "/usr/bin:/bin"), ("LC_ALL", "C"), ("TZ", "UTC")])
        .stdin(Stdio::null());
    let output = initdb.output().map_err(|e| Error::Server(format!("{} does not start: {e}", binaries.initdb().display())))?;
    if !output.status.success() {
        let _ = std::fs::remove_dir_all(&draft);
        let why = complaint(&String::from_utf8_lossy(&output.stderr));
        return Err(Error::Server(format!("initdb failed ({}): {why}", output.status)));
    }
    std::fs::rename(&draft, home).map_err(|e| unusable(home, &e))?;
    // The name itself must survive a power cut too.
    let parent = home.parent().unwrap_or(home);
    File::open(parent).and_then(|dir| dir.sync_all()).map_err(|e| unusable(parent, &e))
}

/// Waits for an earlier node's PostgreSQL to end, and clears away what a crash left behind.
///
/// The caller holds the data directory's lock, so whoever serves the directory now was orphaned: its own node is gone
/// and the kernel has told it to end. Where that word did not arrive it is said again; a server that a person started
/// by hand is left alone and named.
pub(super) fn wait_for_earlier(home: &Path, progress: &(dyn Fn(&str) + Send + Sync)) -> Result<(), Error> {
    let pid_file = home.join(PID_FILE);
    let began = Instant::now();
    let (mut said, mut told) = (false, false);
    loop {
        let residents = residents(home);
        if residents.is_empty() {
            break;
        }
        if began.elapsed() > PROGRESS_AFTER {
            if !said {
                said = true;
                progress("an earlier PostgreSQL is still ending");
            }
            let ours = residents.iter().find(|pid| is_ours(**pid, home));
            if let (false, Some(pid)) = (told, ours) {
                told = true;
                let _ = kill_process(*pid, Signal::INT);
            }
            if ours.is_none() || began.elapsed() > Duration::from_millis(limits::POSTGRES_ORPHAN_MS) {
                let pid = server_of(&pid_file, &residents);
                return Err(Error::Directory(format!(
                    "another PostgreSQL (process {pid}) works in {}; stop it first: kill -INT {pid}",
                    home.display(),
                )));
            }
        }
        std::thread::sleep(POLL);
    }
    // Nobody lives here, so a lock that is left names a process that died, or by now somebody else's.
    match std::fs::remove_file(&pid_file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unusable(&pid_file, &error)),
        _ => Ok(()),
    }
}

/// Whether PostgreSQL says of itself that it takes connections.
pub(super) fn is_ready(pid_file: &Path) -> bool {
    std::fs::read_to_string(pid_file).is_ok_and(|text| text.lines().nth(7).is_some_and(|state| state.trim() == "ready"))
}

/// A place that cannot be used as it must be, in one line.
pub(super) fn unusable(path: &Path, error: &io::Error) -> Error {
    let at = path.display();
    let mend = match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "make it writable, or choose another PICLOUD_DATA_DIR"
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "make room, or choose another PICLOUD_DATA_DIR",
        _ => "choose another PICLOUD_DATA_DIR",
    };
    Error::Directory(format!("{at}: {error}; {mend}"))
}

fn wait_until(within: Duration, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() && began.elapsed() < within {
        std::thread::sleep(POLL);
    }
}

/// What `initdb` or `postgres` complains of: its last error line, or its last line at all.
fn complaint(stderr: &str) -> String {
    let lines = || stderr.lines().map(str::trim).filter(|line| !line.is_empty());
    let error = lines().rfind(|line| line.contains("error:") || line.contains("FATAL:") || line.contains("PANIC:"));
    error.or_else(|| lines().next_back()).unwrap_or("it said nothing").to_owned()
}

fn present(path: &Path) -> Result<Option<Metadata>, Error> {
    match std::fs::metadata(path) {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound && std::fs::symlink_metadata(path).is_err() => Ok(None),
        Err(error) => Err(unusable(path, &error)),
    }
}

fn is_empty(dir: &Path) -> Result<bool, Error> {
    std::fs::read_dir(dir).map(|mut entries| entries.next().is_none()).map_err(|e| unusable(dir, &e))
}

fn read_major(path: &Path) -> Result<u32, Error> {
    let mut text = String::new();
    File::open(path).and_then(|file| file.take(64).read_to_string(&mut text)).map_err(|e| unusable(path, &e))?;
    // "15"; before version 10 it was "9.6".
    text.trim().split('.').next().and_then(|major| major.parse().ok()).ok_or_else(|| {
        Error::Directory(format!(
            "{} is damaged: it says {:?}, not a PostgreSQL version; restore the directory from a backup, or move it away",
            path.display(),
            text.trim()
        ))
    })
}

/// Processes whose working directory is `home`: PostgreSQL's, all of them, work there.
fn residents(home: &Path) -> Vec<Pid> {
    let Ok(home) = std::fs::metadata(home) else { return Vec::new() };
    let here = |found: Metadata| (found.dev(), found.ino()) == (home.dev(), home.ino());
    std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok().and_then(Pid::from_raw)?;
            std::fs::metadata(entry.path().join("cwd")).is_ok_and(here).then_some(pid)
        })
        .collect()
}

/// Of the processes that live there the one that the lock names: the others end with it.
fn server_of(pid_file: &Path, residents: &[Pid]) -> String {
    let named =
        std::fs::read_to_string(pid_file).ok().and_then(|text| text.lines().next()?.trim().parse().ok()).and_then(Pid::from_raw);
    let server = named.filter(|pid| residents.contains(pid)).or_else(|| residents.first().copied());
    server.map_or_else(String::new, |pid| pid.as_raw_nonzero().to_string())
}

/// Whether a process is a PostgreSQL that picloud started on `home`.
fn is_ours(pid: Pid, home: &Path) -> bool {
    let line = std::fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).unwrap_or_default();
    let mut words = line.split(|b| *b == 0);
    let config_file = home.with_file_name("postgresql.conf");
    let config_file = format!("config_file={}", config_file.display());
    words.any(|word| word == config_file.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for piece in ["base", "global", "pg_wal", "pg_xact", "pg_multixact"] {
            std::fs::create_dir(dir.path().join(piece)).unwrap();
        }
        std::fs::write(dir.path().join("global/pg_control"), b"").unwrap();
        std::fs::write(dir.path().join("PG_VERSION"), "15\n").unwrap();
        if rustix::process::geteuid().is_root() {
            lchown(dir.path(), Some(4242), Some(4243)).unwrap();
        }
        dir
    }

    fn refusal(home: &Path) -> String {
        match inspect(home) {
            Err(Error::Directory(line)) => line,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn nothing_and_empty_are_the_same() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(inspect(dir.path()).unwrap(), None);
        assert_eq!(inspect(&dir.path().join("absent")).unwrap(), None);
    }

    #[test]
    fn a_whole_directory_names_its_version_and_owner() {
        let dir = whole();
        let found = inspect(dir.path()).unwrap().unwrap();
        assert_eq!(found.major, 15);
        assert_eq!(found.owner.0, std::fs::metadata(dir.path()).unwrap().uid());
    }

    #[test]
    fn every_missing_piece_is_named() {
        for piece in PIECES {
            let dir = whole();
            let path = dir.path().join(piece);
            if path.is_dir() { std::fs::remove_dir(&path) } else { std::fs::remove_file(&path) }.unwrap();
            let line = refusal(dir.path());
            assert!(line.contains(&format!("{piece} is missing")) && !line.contains('\n'), "{line}");
        }
    }

    #[test]
    fn a_foreign_directory_a_file_and_a_dangling_link_are_refused() {
        let dir = whole();
        std::fs::remove_file(dir.path().join("PG_VERSION")).unwrap();
        assert!(refusal(dir.path()).contains("not a whole PostgreSQL database"));
        let file = dir.path().join("file");
        std::fs::write(&file, b"mine").unwrap();
        assert!(refusal(&file).contains("not a directory"));
        let link = dir.path().join("link");
        std::os::unix::fs::symlink("/nowhere/at/all", &link).unwrap();
        assert!(refusal(&link).contains("link"));
    }

    #[test]
    fn a_damaged_version_is_named() {
        let dir = whole();
        std::fs::write(dir.path().join("PG_VERSION"), "\u{1}garbage").unwrap();
        assert!(refusal(dir.path()).contains("is damaged"));
        std::fs::write(dir.path().join("PG_VERSION"), "9.6\n").unwrap();
        assert_eq!(inspect(dir.path()).unwrap().unwrap().major, 9);
    }

    #[test]
    fn a_stale_lock_is_cleared_when_nobody_lives_there() {
        let dir = whole();
        // Process 1 lives, but not here: the number was given to someone else after a crash.
        std::fs::write(dir.path().join(PID_FILE), "1\n/x\n0\n5432\n/x\n\n  0 0\nready   \n").unwrap();
        assert!(is_ready(&dir.path().join(PID_FILE)));
        wait_for_earlier(dir.path(), &|_| ()).unwrap();
        assert!(!dir.path().join(PID_FILE).exists());
    }

    #[test]
    fn somebody_elses_server_is_left_alone_and_named() {
        let dir = whole();
        let mut resident = Command::new("sleep").arg("60").current_dir(dir.path()).spawn().unwrap();
        let said = wait_for_earlier(dir.path(), &|_| ()).unwrap_err().to_string();
        let alive = resident.try_wait().unwrap().is_none();
        resident.kill().unwrap();
        resident.wait().unwrap();
        assert!(alive && said.contains(&format!("kill -INT {}", resident.id())), "{said}");
    }

    #[test]
    fn the_complaint_is_the_error_not_the_chatter() {
        assert_eq!(complaint("fixing permissions\ninitdb: error: no space\ninitdb: removing\n"), "initdb: error: no space");
        assert_eq!(complaint("a\nb\n\n"), "b");
        assert_eq!(complaint(""), "it said nothing");
    }
}
