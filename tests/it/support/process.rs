//! The real binary, as an operator starts it.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::client::{Client, PASSWORD, USERNAME};

/// Compiling the component in a debug build dominates a first start.
const READY_WITHIN: Duration = Duration::from_secs(120);
const ENDS_WITHIN: Duration = Duration::from_secs(30);

/// A scratch directory that the user `postgres` can pass through, removed with the test.
pub(crate) struct Scratch {
    dir: tempfile::TempDir,
}

impl Scratch {
    /// With the component compiled already: a first start in here is as fast as any.
    pub(crate) async fn prepared() -> Self {
        let (scratch, compiled) = (Self::new(), super::app::compiled().await);
        let artifacts = scratch.data().join("artifacts");
        std::fs::create_dir_all(&artifacts).expect("a directory");
        for file in [compiled.with_extension("json"), compiled] {
            std::fs::copy(&file, artifacts.join(file.file_name().expect("a name"))).expect("a copy");
        }
        scratch
    }

    pub(crate) fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("picloud-bin-").tempdir_in("/tmp").expect("a directory");
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o711)).expect("chmod");
        Self { dir }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The data directory of a server in here; not made yet.
    pub(crate) fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }
}

/// What a command that ended left behind.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The binary with an environment of its own: nothing of the caller's reaches it but the path.
pub(crate) fn picloud(scratch: &Scratch, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_picloud"));
    command.env_clear().args(args).current_dir(scratch.path()).stdin(Stdio::null());
    for name in ["PATH", "LANG"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
        .env("HOME", scratch.path())
        .env("PICLOUD_DATA_DIR", scratch.data())
        .env("PICLOUD_BIND", "127.0.0.1:0")
        .env("PICLOUD_ADMIN_BIND", "127.0.0.1:0")
        .env("PICLOUD_ADMIN_USERNAME", USERNAME)
        .env("PICLOUD_ADMIN_PASSWORD", PASSWORD);
    command
}

/// `picloud serve` on a database of the test's, with the components of earlier runs at hand.
pub(crate) async fn on_database(scratch: &Scratch, database: &super::cluster::Database, environment: &[(&str, &str)]) -> Command {
    let mut command = picloud(scratch, &["serve"]);
    super::app::compiled().await;
    command.env("DATABASE_URL", database.url()).env("PICLOUD_DATA_DIR", super::cache_dir()).envs(environment.iter().copied());
    command
}

/// Runs a command that is expected to end by itself.
pub(crate) fn finish(mut command: Command) -> Ended {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
    let pid = Pid::from_child(&child);
    let (done, waiting) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        let out = child.wait_with_output().expect("the binary ends");
        let _ = done.send(());
        out
    });
    if waiting.recv_timeout(READY_WITHIN).is_err() {
        let _ = kill_process(pid, Signal::KILL);
        let out = reader.join().expect("a reader");
        panic!(
            "still running after {READY_WITHIN:?}: {}{}",
            String::from_utf8_lossy(&out.stdout),
            String::from_utf8_lossy(&out.stderr)
        );
    }
    let out = reader.join().expect("a reader");
    Ended {
        status: out.status,
        stdout: String::from_utf8_lossy(&out.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&out.stderr).into_owned(),
    }
}

/// A running server: killed, if it still runs, when the test ends.
pub(crate) struct Server {
    pub(crate) client: Client,
    pub(crate) pid: Pid,
    /// From the start of the process to its ready file.
    pub(crate) took: Duration,
    child: Child,
    log: PathBuf,
}

impl Server {
    /// `picloud dev` in the scratch directory, waited for.
    pub(crate) async fn dev(scratch: &Scratch) -> Self {
        Self::launch(scratch, picloud(scratch, &["dev"])).await
    }

    /// `picloud serve` on a database of the test's, waited for, with the components of earlier runs at hand.
    pub(crate) async fn serve(scratch: &Scratch, database: &super::cluster::Database, environment: &[(&str, &str)]) -> Self {
        Self::launch(scratch, on_database(scratch, database, environment).await).await
    }

    /// Waits for the ready file and logs in; panics with the server's output when it ends first.
    pub(crate) async fn launch(scratch: &Scratch, command: Command) -> Self {
        let mut server = Self::ready(scratch, command).await;
        server.client.login(USERNAME, PASSWORD).await;
        server
    }

    /// The same without a login: there are nodes that take none, and some without a data plane.
    pub(crate) async fn ready(scratch: &Scratch, command: Command) -> Self {
        let mut server = Self::spawn(scratch, command);
        let ready = scratch.path().join("ready.json");
        let since = Instant::now();
        let found: Value = loop {
            if let Some(found) = std::fs::read(&ready).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
                break found;
            }
            if let Some(status) = server.child.try_wait().expect("a child") {
                panic!("the server ended with {status}:\n{}", server.last_words());
            }
            assert!(since.elapsed() < READY_WITHIN, "not ready:\n{}", server.last_words());
            tokio::time::sleep(Duration::from_millis(2)).await;
        };
        server.took = since.elapsed();
        assert_eq!(found["pid"].as_i64(), Some(i64::from(server.pid.as_raw_nonzero().get())), "{found}");
        server.client = Client::new(found["data"].as_str().unwrap_or_default(), found["admin"].as_str().expect("a URL"));
        server
    }

    /// Starts without waiting.
    pub(crate) fn spawn(scratch: &Scratch, mut command: Command) -> Self {
        let (ready, log) = (scratch.path().join("ready.json"), scratch.path().join("server.log"));
        let _ = std::fs::remove_file(&ready);
        let out = std::fs::OpenOptions::new().create(true).append(true).open(&log).expect("a log");
        command.arg("--ready-file").arg(&ready).stdout(out.try_clone().expect("a handle")).stderr(out).process_group(0);
        let child = command.spawn().expect("the binary starts");
        Self { client: Client::new("", ""), pid: Pid::from_child(&child), took: Duration::ZERO, child, log }
    }

    /// The end of that, for messages.
    pub(crate) fn last_words(&self) -> String {
        let output = self.output();
        let lines: Vec<_> = output.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }

    /// All it has printed and logged, over every start in the same scratch directory.
    pub(crate) fn output(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid, signal).expect("the server still runs");
    }

    /// The exit status; fails when it does not end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let since = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status;
            }
            assert!(since.elapsed() < ENDS_WITHIN, "still running:\n{}", self.last_words());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// SIGKILL, as a power cut would.
    pub(crate) fn crash(mut self) {
        self.signal(Signal::KILL);
        assert_eq!(self.wait().signal(), Some(9));
    }

    /// SIGINT, as Ctrl-C; asserts a clean end.
    pub(crate) fn stop(mut self) {
        self.signal(Signal::INT);
        let status = self.wait();
        assert_eq!(status.code(), Some(0), "{}", self.last_words());
    }

    /// Resident memory, bytes.
    pub(crate) fn resident(&self) -> u64 {
        let statm = std::fs::read_to_string(format!("/proc/{}/statm", self.pid.as_raw_nonzero())).expect("the server still runs");
        let pages: u64 = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("statm");
        pages * rustix::param::page_size() as u64
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = kill_process(self.pid, Signal::INT);
            let since = Instant::now();
            while since.elapsed() < Duration::from_secs(5) && matches!(self.child.try_wait(), Ok(None)) {
                std::thread::sleep(Duration::from_millis(5));
            }
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Processes whose command line names `needle` (a data directory), this one left out.
pub(crate) fn processes_naming(needle: &Path) -> Vec<String> {
    let needle = needle.to_str().expect("UTF-8");
    let own = std::process::id().to_string();
    std::fs::read_dir("/proc")
        .expect("/proc")
        .filter_map(|entry| {
            let pid = entry.ok()?.file_name().into_string().ok()?;
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            (pid != own && pid.bytes().all(|b| b.is_ascii_digit()) && line.contains(needle)).then_some(format!("{pid} {line}"))
        })
        .collect()
}
