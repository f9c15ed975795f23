//! Servers of others, which `./.ci/setup bench` puts into the target directory.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use picloud::sandbox::probe::Probe;

use crate::support::Failure;
use crate::support::baseline::Baseline;

/// A server that can be started.
pub(crate) struct Other {
    pub(crate) name: &'static str,
    pub(crate) isolation: &'static str,
    program: PathBuf,
    /// What it serves.
    served: PathBuf,
    command: fn(&Other, SocketAddr) -> Command,
}

pub(crate) fn all() -> [Other; 3] {
    let packages = installed().join("peers/node_modules");
    let (workerd_package, deno_package) = if cfg!(target_arch = "aarch64") {
        ("@cloudflare/workerd-linux-arm64", "@deno/linux-arm64-glibc")
    } else {
        ("@cloudflare/workerd-linux-64", "@deno/linux-x64-glibc")
    };
    [
        Other {
            name: "workerd",
            isolation: "none between requests: a V8 isolate for each worker, shared by its requests",
            program: packages.join(workerd_package).join("bin/workerd"),
            served: sources().join("workerd.capnp"),
            command: workerd,
        },
        Other {
            name: "deno",
            isolation: "none: one V8 isolate for all requests",
            program: packages.join(deno_package).join("deno"),
            served: sources().join("deno.mjs"),
            command: deno,
        },
        Other {
            name: "wasmtime serve",
            isolation: "fresh wasm instance; no fuel, no deadline, no record",
            program: installed().join("bin/wasmtime"),
            served: installed().join("hello/wasm32-wasip2/release/peer_hello.wasm"),
            command: wasmtime,
        },
    ]
}

fn installed() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench")
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers")
}

fn workerd(other: &Other, address: SocketAddr) -> Command {
    let mut command = Command::new(&other.program);
    command.arg("serve").arg(&other.served).arg("--socket-addr").arg(format!("http={address}"));
    command
}

fn deno(other: &Other, address: SocketAddr) -> Command {
    let mut command = Command::new(&other.program);
    command
        .args(["run", "--no-prompt", "--no-config", "--no-lock", "--no-remote", "--no-npm"])
        .arg(format!("--allow-net={address}"))
        .arg(&other.served)
        .args([address.ip().to_string(), address.port().to_string()])
        .env("DENO_DIR", installed().join("deno"))
        .env("DENO_NO_UPDATE_CHECK", "1");
    command
}

/// With the pool that PiCloud has, and an instance for each request. `cli` is what the standard library of a component imports.
fn wasmtime(other: &Other, address: SocketAddr) -> Command {
    let kept = Probe::take().choose(None).keep_resident_bytes;
    let mut command = Command::new(&other.program);
    command
        .args(["serve", "-S", "cli", "-O", "pooling-allocator=y,pooling-pagemap-scan=auto", "-O"])
        .arg(format!("pooling-memory-keep-resident={kept},pooling-table-keep-resident={kept}"))
        .args(["--max-instance-reuse-count", "1", "--no-logging-prefix", "--addr", &address.to_string()])
        .arg(&other.served);
    command
}

impl Other {
    /// Starts it and waits until it takes connections.
    pub(crate) fn start(&self) -> Result<Baseline, Failure> {
        if !self.program.exists() || !self.served.exists() {
            return Err("not installed (./.ci/setup bench says why)".into());
        }
        Baseline::launch(|address| {
            let mut command = (self.command)(self, address);
            command.stdin(Stdio::null()).stdout(Stdio::null());
            command
        })
    }

    /// What it says of itself: `deno 2.9.6`.
    pub(crate) fn version(&self) -> String {
        let output = Command::new(&self.program).arg("--version").output();
        let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
        let line = text.lines().next().unwrap_or(self.name);
        line.split(" (").next().unwrap_or(line).to_owned()
    }
}
