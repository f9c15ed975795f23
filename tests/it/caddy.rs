//! `caddy/Caddyfile` with the real Caddy, before nodes of one database: certificates for proven names alone, two planes on two
//! origins, streams and large bodies untouched, callers known, a node that is gone left alone.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::cluster::Database;
use crate::support::process::Scratch;
use crate::support::{Server, Tenant, eventually};

/// Starting, and the first certificate of the internal authority.
const SOON: Duration = Duration::from_secs(30);
/// After this, nobody is sent to a node that is gone: its health is looked at every second, for a second at most.
const HEALTH: Duration = Duration::from_secs(2);
const ADMIN: &str = "admin.localhost";

/// A running Caddy with its own certificate authority; ends with the test.
struct Caddy {
    child: Child,
    port: u16,
    home: PathBuf,
}

/// What curl says of an answer: the status, 0 where there is none, and the body.
#[derive(Debug)]
struct Told {
    status: u16,
    body: Vec<u8>,
}

impl Told {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port()
}

fn authority(url: &str) -> &str {
    url.strip_prefix("http://").expect("a URL")
}

impl Caddy {
    async fn start(scratch: &Scratch, nodes: &[&Server]) -> Self {
        let (port, home) = (free_port(), scratch.path().join("caddy"));
        std::fs::create_dir_all(&home).expect("a directory");
        let upstreams = |of: fn(&Server) -> &str| nodes.iter().map(|node| authority(of(node))).collect::<Vec<_>>().join(" ");
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../caddy/Caddyfile");
        let log = std::fs::File::create(home.join("log")).expect("a file");
        let mut command = Command::new("caddy");
        command
            .args(["run", "--adapter", "caddyfile", "--config"])
            .arg(file)
            .env("HOME", &home)
            .env("XDG_DATA_HOME", &home)
            .env("XDG_CONFIG_HOME", &home)
            .env("CADDY_OPTIONS", format!("local_certs\nskip_install_trust\nhttp_port {}\nhttps_port {port}", free_port()))
            .env("PICLOUD_ASK", authority(&nodes[0].client.admin))
            .env("PICLOUD_ADMIN_SITE", format!("https://{ADMIN}"))
            .env("PICLOUD_ADMIN_UPSTREAMS", upstreams(|node| &node.client.admin))
            .env("PICLOUD_DATA_UPSTREAMS", upstreams(|node| &node.client.data))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        let child = command.spawn().expect("caddy is installed: `.ci/setup` does that");
        let caddy = Self { child, port, home };
        eventually("Caddy answers", SOON, async || (caddy.get(ADMIN, "/version").status == 200).then_some(())).await;
        caddy
    }

    /// curl, as a caller of that host who trusts the internal authority.
    fn curl(&self, host: &str, path: &str) -> Command {
        let mut command = Command::new("curl");
        command
            .args(["--silent", "--show-error", "--max-time", "30", "--noproxy", "*", "--cacert"])
            .arg(self.home.join("caddy/pki/authorities/local/root.crt"))
            .args(["--resolve", &format!("{host}:{}:127.0.0.1", self.port)])
            .args(["--write-out", "\n%{http_code}"])
            .arg(format!("https://{host}:{}{path}", self.port));
        command
    }

    fn get(&self, host: &str, path: &str) -> Told {
        self.ask(host, path, &[])
    }

    fn ask(&self, host: &str, path: &str, arguments: &[&str]) -> Told {
        let out = self.curl(host, path).args(arguments).output().expect("curl is installed: `.ci/setup` does that");
        let end = out.stdout.iter().rposition(|byte| *byte == b'\n').unwrap_or(0);
        let status = std::str::from_utf8(&out.stdout[end..]).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0);
        Told { status, body: out.stdout[..end].to_vec() }
    }
}

impl Drop for Caddy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Nodes on one database with Caddy before them, and an app.
struct World {
    caddy: Caddy,
    nodes: Vec<Server>,
    shop: Tenant,
    _database: Database,
    scratch: Scratch,
    _scratches: Vec<Scratch>,
}

impl World {
    async fn start(count: usize) -> Self {
        let (scratch, database) = (Scratch::new(), Database::create().await);
        let scratches: Vec<_> = (0..count).map(|_| Scratch::new()).collect();
        let mut nodes = Vec::new();
        for scratch in &scratches {
            let environment = [("PICLOUD_PUBLIC_BASE_URL", "https://admin.localhost")];
            nodes.push(Server::serve(scratch, &database, &environment).await);
        }
        let shop = nodes[0].client.create_app("shop").await;
        let caddy = Caddy::start(&scratch, &nodes.iter().collect::<Vec<_>>()).await;
        Self { caddy, nodes, shop, _database: database, scratch, _scratches: scratches }
    }

    /// Until each node knows of the path.
    async fn known(&self, path: &str) {
        for node in &self.nodes {
            eventually("the node knows the route", SOON, async || {
                (node.client.call("shop.localhost", "GET", path, "", &[]).await.status == 200).then_some(())
            })
            .await;
        }
    }
}

#[tokio::test]
async fn names_that_are_proven_have_certificates_and_no_other_has() {
    let world = World::start(1).await;
    let (caddy, node) = (&world.caddy, &world.nodes[0]);
    world.shop.deploy("/x", "`here ${ctx.request.headers[\"x-forwarded-proto\"]}`").await;
    world.known("/x").await;
    let told = caddy.get("shop.localhost", "/x");
    assert_eq!((told.status, told.text().as_str()), (200, "\"here https\""));

    for host in ["nobody.localhost", "deep.shop.localhost", "v1--shop.localhost", "shop.example.test"] {
        assert_eq!(caddy.get(host, "/x").status, 0, "{host}");
    }
    // Claimed is not proven.
    let claimed = node.client.post("/admin/apps/shop/domains", json!({ "host": "shop.example.test" })).await.expect(201).json();
    assert_eq!(caddy.get("shop.example.test", "/x").status, 0);
    let verify = format!("/admin/apps/shop/domains/{}/verify", claimed["id"].as_str().expect("an id"));
    node.client.post(&verify, json!({ "method": "operator" })).await.expect(200);
    // Caddy remembers for a moment what it was refused.
    eventually("a proven name has a certificate", SOON, async || {
        (caddy.get("shop.example.test", "/x").status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_two_planes_are_two_origins() {
    let world = World::start(1).await;
    world.shop.deploy("/x", "1").await;
    world.known("/x").await;
    let version: Value = serde_json::from_slice(&world.caddy.get(ADMIN, "/version").body).expect("JSON");
    assert_eq!(version["product"], "PiCloud");
    assert_ne!(world.caddy.get(ADMIN, "/x").text(), "1", "no app answers at the administration's host");
    for path in ["/version", "/api/v1/limits"] {
        assert_eq!(world.caddy.get("shop.localhost", path).status, 404, "{path}: the administration is at no app's host");
    }
}

#[tokio::test]
async fn callers_are_known_by_their_address_and_cannot_choose_another() {
    let world = World::start(1).await;
    world.shop.deploy("/from", "ctx.request.remote_addr + ' ' + (ctx.request.headers[\"x-real-ip\"] ?? \"\")").await;
    world.known("/from").await;
    let spoofed = ["-H", "X-Forwarded-For: 203.0.113.9", "-H", "X-Real-IP: 203.0.113.9", "-H", "Forwarded: for=203.0.113.9"];
    let told = world.caddy.ask("shop.localhost", "/from", &spoofed);
    assert_eq!((told.status, told.text().as_str()), (200, "\"127.0.0.1 \""), "curl comes from this machine");
}

#[tokio::test]
async fn large_bodies_pass_both_ways() {
    let world = World::start(1).await;
    let most = 16 << 20;
    let limits = json!({ "request_body_bytes": most, "response_body_bytes": most, "memory_mb": 256, "fuel": 50_000_000_000_u64, "timeout_ms": 60_000 });
    world.nodes[0].client.patch("/admin/apps/shop/quota", json!({ "request_body_bytes": most })).await;
    world.shop.deploy_with("/echo", "#{ statusCode: 200, body: ctx.request.body }", json!({ "limits": limits })).await;
    let bytes: Vec<u8> = (0..most).map(|n: u32| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let file = world.scratch.path().join("large");
    std::fs::write(&file, &bytes).expect("a file");
    let data = format!("@{}", file.display());
    let told = world.caddy.ask(
        "shop.localhost",
        "/echo",
        &["-H", "content-type: application/octet-stream", "-H", "expect:", "--data-binary", &data],
    );
    assert_eq!(told.status, 200, "{}", told.text().chars().take(300).collect::<String>());
    assert!(told.body == bytes, "{} bytes came back", told.body.len());
}

#[tokio::test]
async fn events_are_passed_on_as_they_come() {
    use std::io::BufRead as _;
    let world = World::start(1).await;
    world.shop.deploy("/say", "log::info(\"heard\"); 1").await;
    world.known("/say").await;
    let token = format!("authorization: Bearer {}", world.nodes[0].client.token);
    let mut child = world
        .caddy
        .curl(ADMIN, "/api/v1/admin/apps/shop/logs")
        .args(["--no-buffer", "-H", &token, "-H", "accept: text/event-stream"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("curl");
    let lines = std::io::BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let (found, wait) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            let _ = found.send(line);
        }
    });
    let first = wait.recv_timeout(SOON).expect("the stream begins before anything happens");
    assert!(first.starts_with("retry:"), "{first}");
    world.caddy.get("shop.localhost", "/say");
    let until = Instant::now() + SOON;
    loop {
        let line = wait.recv_timeout(until.saturating_duration_since(Instant::now())).expect("the event comes");
        if line.contains("heard") {
            break;
        }
    }
    let _ = child.kill();
    let _ = child.wait();
}

#[tokio::test]
async fn a_node_that_is_gone_is_left_alone() {
    let mut world = World::start(2).await;
    world.shop.deploy("/x", "1").await;
    world.known("/x").await;
    let two = world.nodes.pop().expect("a second node");
    two.signal(Signal::KILL);
    std::thread::sleep(HEALTH);
    for n in 0..100 {
        let told = world.caddy.get("shop.localhost", "/x");
        assert_eq!(told.status, 200, "call {n}: {}", told.text());
    }
    assert_eq!(world.caddy.get(ADMIN, "/version").status, 200);
}
