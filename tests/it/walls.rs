//! The second wall: what a node may still ask of the kernel, seen from the outside.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::client::PASSWORD;
use crate::support::process::{Scratch, Server, finish, picloud, processes_naming};
use crate::support::{eventually, repository};

/// All that `picloud wall-probe` knows to try and that must not work.
const FORBIDDEN: [&str; 10] =
    ["execve", "fork", "ptrace", "socket-packet", "listen", "mmap-exec", "mprotect-exec", "unshare", "setuid", "kill-all"];

/// What stands around a process, or one thread: the fields of its status that speak of walls.
fn around(status: &str) -> BTreeMap<String, String> {
    let fields = status.lines().filter_map(|line| line.split_once(':'));
    let of_walls = fields.filter(|(name, _)| ["Seccomp", "NoNewPrivs"].contains(name));
    of_walls.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect()
}

/// The same of every thread of a server; some end while this reads.
fn threads(server: &Server) -> Vec<BTreeMap<String, String>> {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", server.pid.as_raw_nonzero())).expect("the server runs");
    let statuses = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("status")).ok());
    statuses.map(|status| around(&status)).collect()
}

/// Whether PostgreSQL wrote everything before it ended: the state in its control file, behind an id and two versions.
fn was_shut_down(scratch: &Scratch) -> bool {
    let control = std::fs::read(scratch.data().join("postgres/global/pg_control")).expect("a control file");
    control[16..20] == 1_u32.to_ne_bytes()
}

async fn start(scratch: &Scratch, seccomp: &str) -> Server {
    let mut command = picloud(scratch, &["dev"]);
    command.env("PICLOUD_SECCOMP", seccomp);
    Server::launch(scratch, command).await
}

/// Whatever a node does: each kind of host call, disk, database, threads, resolver, a trap, an event, a password.
async fn use_everything(server: &Server) {
    let shop = server.client.create_app("shop").await;
    let entries = r#"let c = kv::collection("c"); c.set("a", 1); c.increment("n", 2); [c.get("a"), c.get("n")]"#;
    assert_eq!(shop.value(entries).await, json!([1, 2]));
    assert_eq!(shop.value(r#"let c = docs::collection("c"); c.create(#{ a: 1 }); c.count(#{ a: 1 })"#).await, json!(1));
    let content = r#"let c = files::collection("c"); c.create("a", "one"); c.update("a", blob(1500000, 7)); c.create("b", "x");
        [c.get("a").content.len(), c.delete("b"), c.list().items.len()]"#;
    assert_eq!(shop.value(content).await, json!([1_500_000, true, 1]));
    assert_eq!(shop.value(r#"secrets::set("k", "v"); secrets::get("k")"#).await, json!("v"));
    shop.grant(json!({ "http": ["*"] })).await;
    assert_eq!(shop.caught(r#"http::get("http://127.0.0.1/")"#).await["code"], "denied");
    assert!(shop.caught(r#"http::get("http://no-such-host.invalid/")"#).await["code"].is_string());
    shop.run("fn deeper(n) { 1 + deeper(n + 1) } deeper(0)").await.expect(422);
    shop.run(r#"let s = "x"; loop { s += s; }"#).await.expect(507);

    let handler = shop.upload("handler", r#"kv::collection("seen").set("it", ctx.event.queue.message);"#).await;
    shop.trigger("queue", &handler, json!({ "queue": "q" })).await;
    shop.send("q", json!("came")).await;
    shop.deploy("/seen", r#"kv::collection("seen").get("it")"#).await;
    eventually("the message is handled", Duration::from_secs(20), async || {
        (shop.get("/seen").await.expect(200).json() == "came").then_some(())
    })
    .await;
    server.client.post("/admin/users", json!({ "username": "ada", "password": PASSWORD, "role": "member" })).await.expect(201);
    let reply = shop.run("6 * 7").await.expect(200);
    shop.record(&reply).await;
    // More at once than there are threads to begin with.
    let calls = (0..24).map(|_| {
        let shop = shop.clone();
        tokio::spawn(async move { shop.get("/seen").await.status })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(call.await.expect("a task"), 200);
    }
    let archive = server.client.get("/admin/apps/shop/export").await.expect(200);
    assert!(!archive.body.is_empty());
}

#[test]
fn what_must_not_work_behind_the_wall_ends_the_process() {
    let scratch = Scratch::new();
    for which in FORBIDDEN {
        let ended = finish(picloud(&scratch, &["wall-probe", which]));
        assert_eq!(ended.status.signal(), Some(Signal::SYS.as_raw()), "{which}: {ended:?}");
        assert!(!ended.status.core_dumped(), "{which}");
    }
}

#[test]
fn what_a_node_does_all_the_time_works_behind_the_wall() {
    let scratch = Scratch::new();
    let ended = finish(picloud(&scratch, &["wall-probe", "nothing"]));
    assert!(ended.status.success(), "{ended:?}");
}

#[test]
fn the_probe_is_for_doctor_and_not_in_the_help() {
    let scratch = Scratch::new();
    assert_eq!(finish(picloud(&scratch, &["wall-probe", "reboot"])).status.code(), Some(2));
    assert!(!finish(picloud(&scratch, &["--help"])).stdout.contains("wall-probe"));
}

#[tokio::test]
async fn a_node_behind_the_wall_serves_and_ends_in_order() {
    let scratch = Scratch::prepared().await;
    let server = Server::dev(&scratch).await;
    let up = BTreeMap::from([("NoNewPrivs", "1"), ("Seccomp", "2")].map(|(name, value)| (name.to_owned(), value.to_owned())));
    use_everything(&server).await;
    let threads = threads(&server);
    assert!(threads.len() > 2 && threads.iter().all(|thread| *thread == up), "{threads:?}");
    // Nobody but root opens its memory.
    let memory = std::fs::metadata(format!("/proc/{}/mem", server.pid.as_raw_nonzero())).expect("the server runs");
    assert_eq!(memory.uid(), 0);
    assert!(!server.output().contains("system calls are not filtered"), "{}", server.output());
    server.stop();
    assert_eq!(processes_naming(&scratch.data()), Vec::<String>::new());
    assert!(was_shut_down(&scratch));
    let again = Server::dev(&scratch).await;
    assert!(!was_shut_down(&scratch));
    assert_eq!(again.client.get("/admin/apps/shop").await.expect(200).json()["slug"], "shop");
    again.stop();
}

#[tokio::test]
async fn a_node_that_only_logs_serves_too() {
    let scratch = Scratch::prepared().await;
    let server = start(&scratch, "log").await;
    use_everything(&server).await;
    assert!(threads(&server).iter().all(|thread| thread["Seccomp"] == "2"));
    server.stop();
}

#[tokio::test]
async fn a_wall_that_is_off_is_not_there_and_the_log_says_so() {
    let scratch = Scratch::prepared().await;
    let server = start(&scratch, "off").await;
    // What this test stands behind itself, as in a container, its children do too.
    let own = around(&std::fs::read_to_string("/proc/self/status").expect("a status"));
    assert!(threads(&server).iter().all(|thread| *thread == own), "{own:?}");
    assert!(server.output().contains("system calls are not filtered"), "{}", server.output());
    server.stop();

    let wrong = finish({
        let mut command = picloud(&scratch, &["dev"]);
        command.env("PICLOUD_SECCOMP", "perhaps");
        command
    });
    assert_eq!(wrong.status.code(), Some(2), "{wrong:?}");
}

#[tokio::test]
async fn doctor_names_the_walls_of_the_machine_and_of_the_node_that_runs() {
    let scratch = Scratch::prepared().await;
    let walls = || {
        let doctor = finish(picloud(&scratch, &["doctor", "--json"]));
        // A wall that is down is no problem.
        assert!(doctor.status.success(), "{doctor:?}");
        let report: Value = serde_json::from_str(&doctor.stdout).expect("JSON");
        let walls = report["walls"].as_array().expect("walls").iter();
        walls.map(|wall| (wall["name"].as_str().expect("a name").to_owned(), wall.clone())).collect::<BTreeMap<_, _>>()
    };
    let is_root = rustix::process::geteuid().is_root();
    let before = walls();
    for (name, up) in [("sandbox", true), ("seccomp", true), ("no_new_privileges", true), ("user", !is_root)] {
        assert_eq!(before[name]["up"], up, "{before:?}");
        assert_eq!(before[name]["mend"].is_string(), !up, "{before:?}");
    }
    assert_eq!(before.contains_key("postgres_user"), is_root);
    assert!(!before.keys().any(|name| name.starts_with("node_")), "{before:?}");

    let server = Server::dev(&scratch).await;
    let during = walls();
    for (name, up) in [("node_seccomp", true), ("node_no_new_privileges", true), ("node_user", !is_root)] {
        assert_eq!(during[name]["up"], up, "{during:?}");
    }
    assert!(during.contains_key("node_capabilities"), "{during:?}");
    let text = finish(picloud(&scratch, &["doctor"])).stdout;
    assert!(text.contains("\nWalls\n") && text.contains("node_seccomp"), "{text}");
    server.stop();
}

/// Each of these was put there for a reason that its file gives.
#[test]
fn the_shipped_unit_keeps_its_walls() {
    let unit = std::fs::read_to_string(repository().join("docker/picloud.service")).expect("the unit");
    let lines: Vec<_> = unit.lines().map(str::trim).collect();
    for line in [
        "User=picloud",
        "StateDirectory=picloud",
        "UMask=0077",
        "NoNewPrivileges=yes",
        "CapabilityBoundingSet=",
        "AmbientCapabilities=",
        "PrivateUsers=yes",
        "RestrictSUIDSGID=yes",
        "ProtectSystem=strict",
        "ProtectHome=yes",
        "PrivateTmp=yes",
        "PrivateDevices=yes",
        "PrivateIPC=yes",
        "ProtectClock=yes",
        "ProtectHostname=yes",
        "ProtectKernelTunables=yes",
        "ProtectKernelModules=yes",
        "ProtectKernelLogs=yes",
        "ProtectControlGroups=yes",
        "ProtectProc=invisible",
        "RestrictNamespaces=yes",
        "RestrictRealtime=yes",
        "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
        "LockPersonality=yes",
        "SystemCallArchitectures=native",
        "SystemCallFilter=@system-service",
        "SystemCallFilter=~@privileged @keyring @memlock @aio",
        "SystemCallFilter=seccomp",
        "LimitCORE=0",
        "KillMode=mixed",
        "Restart=on-failure",
    ] {
        assert!(lines.contains(&line), "{line}");
    }
    for name in ["MemoryMax=", "TasksMax=", "TimeoutStopSec=", "LimitNOFILE="] {
        assert!(lines.iter().any(|line| line.starts_with(name) && line.len() > name.len()), "{name}");
    }
    // These would keep a node from starting.
    for name in ["MemoryDenyWriteExecute=yes", "ProcSubset=pid", "NoExecPaths="] {
        assert!(!lines.iter().any(|line| line.starts_with(name)), "{name}");
    }
}
