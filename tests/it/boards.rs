//! Small boards: few addresses, little memory.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Resource, Rlimit, setrlimit};
use serde_json::json;

use crate::support::process::{Scratch, Server, finish, picloud};
use crate::support::{Client, Tenant};

/// What a kernel with 4 KiB pages gives a process on a Raspberry Pi: 39 bits, of which less than half can be had in one piece.
const ADDRESSES_39_BIT: u64 = 1 << 38;
/// The RAM of the smallest board that is cared for.
const TINY_BYTES: u64 = 512 << 20;

/// Holds a command, and what it starts, to so many bytes of addresses.
fn with_addresses(command: &mut Command, bytes: u64) {
    // SAFETY: one system call between fork and exec, which neither allocates nor takes a lock.
    #[allow(unsafe_code)]
    unsafe {
        command.pre_exec(move || {
            let bound = Some(bytes);
            setrlimit(Resource::As, Rlimit { current: bound, maximum: bound }).map_err(Into::into)
        });
    }
}

/// A memory group of the system's, of either version; removed with the test.
struct Group {
    dir: PathBuf,
    is_v2: bool,
}

impl Group {
    /// None where this user can make none, or the machine has none.
    fn make(name: &str, bytes: u64) -> Option<Self> {
        let v1 = Path::new("/sys/fs/cgroup/memory");
        let (root, is_v2) = if v1.is_dir() { (v1, false) } else { (Path::new("/sys/fs/cgroup"), true) };
        let dir = root.join(format!("picloud-{name}-{}", std::process::id()));
        fs::create_dir(&dir).ok()?;
        let group = Self { dir, is_v2 };
        let bound = if is_v2 { "memory.max" } else { "memory.limit_in_bytes" };
        fs::write(group.dir.join(bound), bytes.to_string()).ok()?;
        Some(group)
    }

    /// The command, started inside.
    fn holding(&self, command: &Command) -> Command {
        let mut held = Command::new("sh");
        held.args(["-c", r#"echo $$ > "$0" && exec "$@""#]).arg(self.dir.join("cgroup.procs"));
        held.arg(command.get_program()).args(command.get_args()).env_clear();
        for (name, value) in command.get_envs() {
            held.env(name, value.unwrap_or_default());
        }
        held.current_dir(command.get_current_dir().expect("a directory"));
        held
    }

    /// Bytes at the highest.
    fn peak(&self) -> u64 {
        let file = if self.is_v2 { "memory.peak" } else { "memory.max_usage_in_bytes" };
        fs::read_to_string(self.dir.join(file)).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
    }

    /// Processes that the kernel killed for want of memory.
    fn killed(&self) -> u64 {
        let file = if self.is_v2 { "memory.events" } else { "memory.oom_control" };
        let text = fs::read_to_string(self.dir.join(file)).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
        line.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.dir);
    }
}

async fn neighbour(client: &Client) -> Tenant {
    let tenant = client.create_app("neighbour").await;
    tenant.deploy("/hello", r#"let c = kv::collection("c"); c.set("k", 1); c.get("k")"#).await;
    tenant
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_lives_in_39_bits_of_addresses() {
    let scratch = Scratch::prepared().await;
    let mut doctor = picloud(&scratch, &["doctor", "--json"]);
    with_addresses(&mut doctor, ADDRESSES_39_BIT);
    let found: serde_json::Value = serde_json::from_str(&finish(doctor).stdout).expect("JSON");
    assert!(found["machine"]["address_space_bytes"].as_u64().expect("a number") <= ADDRESSES_39_BIT, "{found}");
    let reserved = |count: &str| found["pool"][count].as_u64().expect("a number");
    let instances = reserved("places") + reserved("nested_places") + reserved("event_places");
    assert!(instances >= 3 && instances * reserved("reservation_bytes") <= ADDRESSES_39_BIT / 2, "{found}");

    let mut command = picloud(&scratch, &["dev"]);
    with_addresses(&mut command, ADDRESSES_39_BIT);
    let server = Server::launch(&scratch, command).await;
    let tenant = neighbour(&server.client).await;
    for _ in 0..20 {
        tenant.get("/hello").await.expect(200);
    }
    // The largest memory that a script may have is there, and what it leads to ends the script alone.
    let bomb = json!({ "limits": { "memory_mb": 256, "fuel": 5_000_000_000_u64 } });
    tenant.deploy_with("/bomb", r#"let s = "0123456789"; loop { s += s; }"#, bomb).await;
    let bombs = futures_util::future::join_all((0..8).map(|_| tenant.get("/bomb"))).await;
    assert!(bombs.iter().all(|reply| [503, 507].contains(&reply.status)), "{bombs:?}");
    assert!(bombs.iter().any(|reply| reply.status == 507));
    tenant.get("/hello").await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_bombs_on_the_smallest_board_kill_nobody() {
    let Some(group) = Group::make("bombs", TINY_BYTES) else {
        eprintln!("no memory group can be made here: nothing was held to 512 MB");
        return;
    };
    let scratch = Scratch::prepared().await;
    let server = Server::launch(&scratch, group.holding(&picloud(&scratch, &["dev"]))).await;
    let client = &server.client;
    let limits = client.get("/limits").await.expect(200).json();
    let items = limits["items"].as_array().expect("items");
    let memory = items.iter().find(|limit| limit["name"] == "memory_mb" && limit["level"] == "script").expect("the limit");
    let most = memory["ceiling"].as_u64().expect("a number");
    assert!((32..256).contains(&most), "what this board has for one instance: {memory}");
    let tenant = neighbour(client).await;
    let asked = |memory_mb: u64| json!({ "limits": { "memory_mb": memory_mb } });
    let refused = tenant.try_upload("greedy", "1", asked(most + 1)).await.fails(422, "invalid").details();
    assert_eq!(refused, json!({ "field": "limits.memory_mb", "asked": most + 1, "ceiling": most }));

    let limits = json!({ "limits": { "memory_mb": most, "fuel": 20_000_000_000_u64 } });
    let mut bombers = Vec::new();
    for n in 0..3 {
        let bomber = client.create_app(&format!("bomber-{n}")).await;
        bomber.deploy_with("/string", r#"let s = "0123456789"; loop { s += s; }"#, limits.clone()).await;
        bomber.deploy_with("/array", "let a = [1]; loop { a += a; }", limits.clone()).await;
        bomber.deploy_with("/blob", "let all = []; loop { all.push(blob(1000000, 7)); }", limits.clone()).await;
        bombers.push(bomber);
    }
    let bombs = bombers.iter().flat_map(|bomber| {
        ["/string", "/array", "/blob"].map(|path| async move {
            let mut seen = Vec::new();
            for _ in 0..12 {
                seen.push(bomber.get(path).await.status);
            }
            seen
        })
    });
    let calls = async {
        let mut seen = Vec::new();
        for _ in 0..150 {
            seen.push(tenant.get("/hello").await.status);
        }
        seen
    };
    let (bombs, calls) = tokio::join!(futures_util::future::join_all(bombs), calls);
    let bombs = bombs.concat();
    assert!(bombs.iter().all(|status| [503, 507].contains(status)), "{bombs:?}");
    assert!(bombs.iter().filter(|status| **status == 507).count() >= 9, "{bombs:?}");
    assert!(calls.iter().all(|status| *status == 200), "{calls:?}");
    assert_eq!(group.killed(), 0, "at the highest {} MiB", group.peak() >> 20);
    assert!(group.peak() <= TINY_BYTES, "{}", group.peak());
    client.get("/admin/node").await.expect(200);
    // Nobody may be inside when the group goes.
    server.stop();
}
