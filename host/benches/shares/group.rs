//! A control group with a bound of memory, of either version.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::support::PICLOUD;

/// Removed when it is dropped, which needs that nobody is in it any more.
pub(crate) struct Group {
    files: Files,
}

/// What the kernel says of it.
#[derive(Clone)]
struct Files {
    path: PathBuf,
    is_unified: bool,
}

impl Group {
    /// A group for so many bytes, or why there can be none here.
    pub(crate) fn make(bytes: u64) -> Result<Self, String> {
        let name = format!("picloud-bench-{}", std::process::id());
        let (old, unified) = (PathBuf::from("/sys/fs/cgroup/memory"), PathBuf::from("/sys/fs/cgroup"));
        let (root, is_unified) = if old.join("memory.limit_in_bytes").exists() { (old, false) } else { (unified, true) };
        let files = Files { path: root.join(name), is_unified };
        std::fs::create_dir(&files.path).map_err(|error| format!("{}: {error}", files.path.display()))?;
        let group = Self { files };
        let bound = group.files.path.join(if is_unified { "memory.max" } else { "memory.limit_in_bytes" });
        std::fs::write(&bound, bytes.to_string()).map_err(|error| format!("{}: {error}", bound.display()))?;
        Ok(group)
    }

    /// A node that enters the group, with a database of its own, before it begins.
    pub(crate) fn serve(&self) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", r#"echo $$ > "$0" && exec "$@""#]).arg(self.files.path.join("cgroup.procs"));
        command.args([PICLOUD, "serve", "--embedded"]).env_remove("DATABASE_URL");
        command
    }

    /// All that was charged to it at most, the cache of files included, MiB.
    pub(crate) fn peak_mib(&self) -> Option<f64> {
        self.files.number(if self.files.is_unified { "memory.peak" } else { "memory.max_usage_in_bytes" }).map(mib)
    }

    /// Processes that were killed because there was no memory.
    pub(crate) fn kills(&self) -> u64 {
        let file = if self.files.is_unified { "memory.events" } else { "memory.oom_control" };
        self.files.field(file, "oom_kill").unwrap_or(0)
    }

    /// Looks again and again at what processes have, until it is dropped.
    pub(crate) fn watch(&self) -> Watch {
        let (most, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (files, seen, stopped) = (self.files.clone(), most.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                seen.fetch_max(files.anonymous().unwrap_or(0), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        Watch { most, stop, thread: Some(thread) }
    }
}

impl Files {
    /// Bytes of processes, without the cache of files.
    fn anonymous(&self) -> Option<u64> {
        self.field("memory.stat", if self.is_unified { "anon" } else { "total_rss" })
    }

    fn read(&self, file: &str) -> Option<String> {
        std::fs::read_to_string(self.path.join(file)).ok()
    }

    fn number(&self, file: &str) -> Option<u64> {
        self.read(file)?.trim().parse().ok()
    }

    fn field(&self, file: &str, name: &str) -> Option<u64> {
        let text = self.read(file)?;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
        line.trim().parse().ok()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.files.path);
    }
}

pub(crate) struct Watch {
    most: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    pub(crate) fn most_mib(&self) -> f64 {
        mib(self.most.load(Ordering::Relaxed))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / 1_048_576.0
}
