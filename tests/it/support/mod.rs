//! What the tests stand on: a server of their own, both planes in this process, and the real binary.

pub(crate) mod app;
pub(crate) mod client;
pub(crate) mod cluster;
pub(crate) mod events;
pub(crate) mod log;
pub(crate) mod mail;
pub(crate) mod origin;
pub(crate) mod process;
pub(crate) mod raw;
pub(crate) mod reply;
pub(crate) mod sources;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

pub(crate) use app::{Options, TestApp};
pub(crate) use client::{Client, Tenant};
pub(crate) use log::Log;
pub(crate) use process::Server;
pub(crate) use reply::Reply;

/// The root of the repository.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("host/ has a parent")
}

/// A directory that outlives a test run: compiled components are kept there.
pub(crate) fn cache_dir() -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("artifacts");
    std::fs::create_dir_all(&dir).expect("the target directory is writable");
    dir
}

/// Where `initdb` and `postgres` are: the newest of Debian's, else the ones on the path.
pub(crate) fn postgres_binaries() -> Option<PathBuf> {
    let mut debian: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            Some((path.file_name()?.to_str()?.parse().ok()?, path.join("bin")))
        })
        .collect();
    debian.sort();
    let on_path = std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect::<Vec<_>>()).unwrap_or_default();
    debian
        .into_iter()
        .rev()
        .map(|(_, dir)| dir)
        .chain(on_path)
        .find(|dir| dir.join("initdb").is_file() && dir.join("postgres").is_file())
}

/// PostgreSQL refuses root: then it runs as `postgres`.
pub(crate) fn postgres_user() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let passwd = std::fs::read_to_string("/etc/passwd").expect("/etc/passwd");
    let line =
        passwd.lines().find(|line| line.starts_with("postgres:")).expect("a user `postgres`, as root cannot run PostgreSQL");
    let field = |n: usize| line.split(':').nth(n).and_then(|id| id.parse().ok()).expect("a numeric id");
    Some((field(2), field(3)))
}

/// Asks until the answer is there, for at most `within`; then fails with `what`.
pub(crate) async fn eventually<T>(what: &str, within: Duration, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let since = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(since.elapsed() < within, "within {within:?}: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Every tracked or trackable file of the repository (ignored ones left out), relative to its root.
pub(crate) fn repository_files() -> Vec<PathBuf> {
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(repository())
        .output();
    match listed {
        Ok(out) if out.status.success() => {
            let names = String::from_utf8(out.stdout).expect("UTF-8 names");
            names
                .split('\0')
                .filter(|name| !name.is_empty())
                .map(PathBuf::from)
                .filter(|name| repository().join(name).is_file())
                .collect()
        }
        // A source archive has no git: then everything beside the build's output counts.
        _ => sources::walk(repository())
            .into_iter()
            .filter(|name| {
                !["target", "node_modules", ".picloud"].iter().any(|skip| name.components().any(|part| part.as_os_str() == *skip))
            })
            .collect(),
    }
}
