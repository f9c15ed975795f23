//! `caddy/Caddyfile` with the real Caddy, before nodes of one database: certificates for proven names alone, two planes on two
//! origins, streams and large bodies untouched, callers known, a node that is gone left alone, nothing sent twice.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use sqlx::PgConnection;

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
    /// Where it asks itself about names.
    ask_port: u16,
    home: PathBuf,
}

/// What curl says of an answer: the status, 0 where there is none, and the body.
#[derive(Debug)]
struct Told {
    status: u16,
    body: Vec<u8>,
}

impl Told {
    fn of(out: Output) -> Self {
        let end = out.stdout.iter().rposition(|byte| *byte == b'\n').unwrap_or(0);
        let status = std::str::from_utf8(&out.stdout[end..]).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0);
        Self { status, body: out.stdout[..end].to_vec() }
    }

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

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../caddy/Caddyfile")
}

/// Has Caddy do something with the file, in a home of its own.
fn with_file(task: &str, home: &Path) -> Command {
    let mut command = Command::new("caddy");
    command
        .args([task, "--adapter", "caddyfile", "--config"])
        .arg(file())
        .env("HOME", home)
        .env("XDG_DATA_HOME", home)
        .env("XDG_CONFIG_HOME", home)
        .stdin(Stdio::null());
    command
}

/// What the file comes to with these settings.
fn read(settings: &[(&str, &str)]) -> Value {
    let scratch = Scratch::new();
    let mut command = with_file("adapt", scratch.path());
    let out = command.envs(settings.iter().copied()).output().expect("caddy is installed: `.ci/setup` does that");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).expect("JSON")
}

/// curl, which says the status last.
fn curl() -> Command {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--max-time", "30", "--noproxy", "*", "--write-out", "\n%{http_code}"]);
    command
}

fn output(command: &mut Command) -> Output {
    command.output().expect("curl is installed: `.ci/setup` does that")
}

impl Caddy {
    async fn before(scratch: &Scratch, nodes: &[&Server]) -> Self {
        let upstreams = |of: fn(&Server) -> &str| nodes.iter().map(|node| authority(of(node))).collect::<Vec<_>>().join(" ");
        Self::start(scratch, &upstreams(|node| &node.client.admin), &upstreams(|node| &node.client.data)).await
    }

    /// Before these control and data planes, with spaces between them.
    async fn start(scratch: &Scratch, admin: &str, data: &str) -> Self {
        let (port, ask_port, home) = (free_port(), free_port(), scratch.path().join("caddy"));
        std::fs::create_dir_all(&home).expect("a directory");
        let log = std::fs::File::create(home.join("log")).expect("a file");
        let mut command = with_file("run", &home);
        command
            .env("CADDY_OPTIONS", format!("local_certs\nskip_install_trust\nhttp_port {}\nhttps_port {port}", free_port()))
            .env("PICLOUD_ASK_PORT", ask_port.to_string())
            .env("PICLOUD_ADMIN_SITE", format!("https://{ADMIN}"))
            .env("PICLOUD_ADMIN_UPSTREAMS", admin)
            .env("PICLOUD_DATA_UPSTREAMS", data)
            .stdout(Stdio::null())
            .stderr(log);
        let child = command.spawn().expect("caddy is installed: `.ci/setup` does that");
        let caddy = Self { child, port, ask_port, home };
        eventually("Caddy answers", SOON, async || (caddy.get(ADMIN, "/version").status == 200).then_some(())).await;
        caddy
    }

    /// curl, as a caller of that host who trusts the internal authority.
    fn curl(&self, host: &str, path: &str) -> Command {
        let mut command = curl();
        command
            .arg("--cacert")
            .arg(self.home.join("caddy/pki/authorities/local/root.crt"))
            .args(["--resolve", &format!("{host}:{}:127.0.0.1", self.port)])
            .arg(format!("https://{host}:{}{path}", self.port));
        command
    }

    fn get(&self, host: &str, path: &str) -> Told {
        self.ask(host, path, &[])
    }

    fn ask(&self, host: &str, path: &str, arguments: &[&str]) -> Told {
        Told::of(output(self.curl(host, path).args(arguments)))
    }

    /// What Caddy hears when it asks itself.
    fn asks_itself(&self, path: &str) -> Told {
        Told::of(output(curl().arg(format!("http://127.0.0.1:{}{path}", self.ask_port))))
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
    database: Database,
    scratch: Scratch,
    _scratches: Vec<Scratch>,
}

impl World {
    async fn start(count: usize) -> Self {
        Self::start_with(count, &[]).await
    }

    /// The same, with more settings of nodes.
    async fn start_with(count: usize, settings: &[(&str, &str)]) -> Self {
        let (scratch, database) = (Scratch::new(), Database::create().await);
        let scratches: Vec<_> = (0..count).map(|_| Scratch::new()).collect();
        let mut nodes = Vec::new();
        for scratch in &scratches {
            let mut environment = vec![("PICLOUD_PUBLIC_BASE_URL", "https://admin.localhost")];
            environment.extend_from_slice(settings);
            nodes.push(Server::serve(scratch, &database, &environment).await);
        }
        let shop = nodes[0].client.create_app("shop").await;
        let caddy = Caddy::before(&scratch, &nodes.iter().collect::<Vec<_>>()).await;
        Self { caddy, nodes, shop, database, scratch, _scratches: scratches }
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

/// Takes requests and answers none but for its health; how many it took.
fn swallower() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let (address, taken) = (listener.local_addr().expect("an address").to_string(), Arc::new(AtomicUsize::new(0)));
    let count = taken.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let count = count.clone();
            std::thread::spawn(move || swallow(&stream, &count));
        }
    });
    (address, taken)
}

fn swallow(mut stream: &TcpStream, count: &AtomicUsize) {
    let mut head = BufReader::new(stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
    let Some(first) = head.next() else { return };
    head.for_each(drop);
    if first.starts_with("GET /healthz ") {
        // No connection is used twice: one that was would let Caddy ask again.
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    } else {
        count.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn the_file_is_as_caddy_writes_files() {
    let out = output(Command::new("caddy").arg("fmt").arg(file()));
    assert_eq!(String::from_utf8_lossy(&out.stdout), std::fs::read_to_string(file()).expect("the file"));
}

#[test]
fn heads_are_bounded_everywhere_and_bodies_nowhere() {
    let config = read(&[]);
    assert_eq!(config["admin"]["disabled"], true);
    let servers = config["apps"]["http"]["servers"].as_object().expect("servers");
    let mut listening: Vec<_> = servers.values().map(|server| server["listen"][0].as_str().expect("an address")).collect();
    listening.sort_unstable();
    assert_eq!(listening, ["127.0.0.1:8079", ":443", ":80"]);
    for server in servers.values() {
        assert_eq!(server["read_header_timeout"], 30_000_000_000_u64, "{server}");
        assert_eq!(server["idle_timeout"], 120_000_000_000_u64, "{server}");
        assert!(server["read_timeout"].is_null() && server["write_timeout"].is_null(), "{server}");
    }
}

#[test]
fn what_the_file_leaves_open_is_said_in_the_environment() {
    let config = read(&[
        ("CADDY_OPTIONS", "admin localhost:2019\nauto_https disable_redirects"),
        ("CADDY_SERVER_OPTIONS", "max_header_size 64KB"),
        ("CADDY_PROXY_OPTIONS", "trusted_proxies 10.0.0.9"),
        ("PICLOUD_APPS_SITE", ":80"),
        ("PICLOUD_ACME_EMAIL", "somebody@example.org"),
    ]);
    assert_eq!(config["admin"], json!({ "listen": "localhost:2019" }));
    let servers = config["apps"]["http"]["servers"].as_object().expect("servers");
    assert!(servers.values().all(|server| server["max_header_bytes"] == 64_000), "{config}");
    assert_eq!(config.to_string().matches("10.0.0.9").count(), 6, "of three sites, fit nodes and any: {config}");
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

/// What comes, line by line, as it comes.
fn follow(curl: &mut Command) -> (Child, Receiver<String>) {
    let mut child = curl.arg("--no-buffer").stdout(Stdio::piped()).spawn().expect("curl");
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let (found, wait) = channel();
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            let _ = found.send(line);
        }
    });
    (child, wait)
}

#[tokio::test]
async fn events_are_passed_on_as_they_come() {
    let world = World::start(1).await;
    world.shop.deploy("/say", "log::info(\"heard \" + ctx.request.query.what); 1").await;
    // Enough to be encoded from the first piece on.
    world.known(&format!("/say?what={}", "much".repeat(500))).await;
    let token = format!("authorization: Bearer {}", world.nodes[0].client.token);
    let (mut child, wait) = follow(world.caddy.curl(ADMIN, "/api/v1/admin/apps/shop/logs?tail=50").args([
        "--include",
        "-H",
        &token,
        "-H",
        "accept: text/event-stream",
        "-H",
        "accept-encoding: zstd, gzip",
    ]));
    loop {
        let line = wait.recv_timeout(SOON).expect("the head comes before anything happens");
        assert!(!line.starts_with("content-encoding"), "{line}");
        if line.is_empty() {
            break;
        }
    }
    let first = wait.recv_timeout(SOON).expect("the stream begins");
    assert!(first.starts_with("retry:"), "{first}");
    world.caddy.get("shop.localhost", "/say?what=now");
    let until = Instant::now() + SOON;
    loop {
        let line = wait.recv_timeout(until.saturating_duration_since(Instant::now())).expect("the event comes");
        if line.contains("heard now") {
            break;
        }
    }
    let _ = child.kill();
    let _ = child.wait();
    // What is no stream is encoded.
    let told = world.caddy.ask(ADMIN, "/api/v1/openapi.json", &["--include", "-H", "accept-encoding: gzip"]);
    assert!(told.text().contains("\ncontent-encoding: gzip"), "{}", told.status);
}

/// Connections on which nodes hear of messages: there is one while somebody subscribes.
async fn listening(db: &mut PgConnection) -> i64 {
    let count = "SELECT count(*) FROM pg_stat_activity
                 WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE 'LISTEN%picloud_topics%'";
    sqlx::query_scalar(count).fetch_one(db).await.expect("a count")
}

#[tokio::test]
async fn a_subscriber_is_told_at_once_and_one_who_leaves_is_gone_for_the_node_too() {
    let world = World::start(1).await;
    world.nodes[0].client.put("/admin/apps/shop/topics/news", json!({ "access": "public" })).await.expect(201);
    let mut db = world.database.connect().await;
    let (mut child, wait) = follow(&mut world.caddy.curl("shop.localhost", "/realtime/topics/news"));
    eventually("somebody subscribes", SOON, async || (listening(&mut db).await == 1).then_some(())).await;
    let line = || wait.recv_timeout(SOON).expect("a line comes");
    assert_eq!([line(), line(), line()], ["retry: 1000", "id: 0", ""]);
    for n in 1..=3 {
        world.shop.publish_to("news", json!(n)).await;
        assert_eq!([line(), line()], ["event: message".to_owned(), format!("id: {n}")], "each when it is published");
        assert!(line().starts_with("data: {") && line().is_empty());
    }
    let _ = child.kill();
    let _ = child.wait();
    // Sooner than something would be sent again.
    eventually("nobody does any more", Duration::from_secs(5), async || (listening(&mut db).await == 0).then_some(())).await;
}

#[tokio::test]
async fn any_node_is_asked_about_a_name_and_nothing_else_is_answered_there() {
    let mut world = World::start(2).await;
    world.shop.deploy("/x", "1").await;
    world.known("/x").await;
    let asks = |path: &str| world.caddy.asks_itself(path).status;
    assert_eq!(asks("/api/v1/tls/ask?domain=shop.localhost"), 200);
    assert_eq!(asks("/api/v1/tls/ask?domain=nobody.localhost"), 404);
    for path in ["/version", "/healthz", "/api/v1/limits", "/api/v1/tls/ask/", "/"] {
        let told = world.caddy.asks_itself(path);
        assert_eq!((told.status, told.text().as_str()), (404, ""), "{path}: Caddy's own answer");
    }
    let one = world.nodes.remove(0);
    one.signal(Signal::KILL);
    // At once, and before it has a certificate.
    assert_eq!(world.caddy.get("shop.localhost", "/x").status, 200);
}

#[tokio::test]
async fn what_was_sent_is_sent_nowhere_else() {
    let (scratch, database) = (Scratch::new(), Database::create().await);
    let node = Server::serve(&scratch, &database, &[]).await;
    node.client.create_app("shop").await;
    let (address, taken) = swallower();
    let caddy = Caddy::start(&scratch, authority(&node.client.admin), &address).await;
    let calls: [&[&str]; 2] = [&[], &["--data", "x"]];
    for (before, arguments) in calls.into_iter().enumerate() {
        assert_eq!(caddy.ask("shop.localhost", "/x", arguments).status, 502, "{arguments:?}");
        assert_eq!(taken.load(Ordering::Relaxed), before + 1, "{arguments:?}");
    }
}

#[tokio::test]
async fn a_caller_who_breaks_off_takes_no_node_away() {
    let world = World::start(1).await;
    world.shop.deploy("/x", "1").await;
    world.known("/x").await;
    let file = world.scratch.path().join("large");
    std::fs::write(&file, vec![0_u8; 256 << 10]).expect("a file");
    let data = format!("@{}", file.display());
    for _ in 0..3 {
        let slowly = ["--limit-rate", "10k", "--max-time", "1", "-H", "expect:", "--data-binary", &data];
        assert_eq!(world.caddy.ask("shop.localhost", "/x", &slowly).status, 0);
        assert_eq!(world.caddy.get("shop.localhost", "/x").status, 200);
    }
}

#[tokio::test]
async fn where_no_node_is_fit_any_is_asked() {
    let mut world = World::start_with(1, &[("PICLOUD_DRAIN_DELAY_MS", "60000")]).await;
    world.shop.deploy("/x", "1").await;
    world.known("/x").await;
    let mut node = world.nodes.pop().expect("a node");
    node.signal(Signal::TERM);
    std::thread::sleep(HEALTH);
    // A certificate is asked for, too.
    assert_eq!(world.caddy.get("shop.localhost", "/x").status, 200);
    let told = world.caddy.ask(ADMIN, "/healthz", &["--include"]);
    let text = told.text();
    assert_eq!(told.status, 503, "{text}");
    assert!(text.contains("\nretry-after: ") && text.contains("this node is about to end"), "the node's own answer: {text}");
    // Again: it ends at once.
    node.signal(Signal::TERM);
    node.wait();
    for host in ["shop.localhost", ADMIN] {
        let told = world.caddy.get(host, "/x");
        assert!(matches!(told.status, 502 | 503), "{host}: {}", told.status);
    }
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
