//! Files and the process: killed at any moment, and moving more bytes than it may hold.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::TimeDelta;
use picloud::clock::Clock;
use picloud::service::Services;
use picloud::service::files::sweep::sweep;
use picloud::store;
use serde_json::json;

use crate::support::cluster::Database;
use crate::support::process::Scratch;
use crate::support::sources::walk;
use crate::support::{Server, Tenant, app, eventually};

const ROUNDS: u64 = 24;
const WRITERS: u64 = 4;
const MIB: u64 = 1 << 20;

/// Writes version `v` of a file, or deletes it (`v` divisible by 7). The size tells the version: up to three pieces.
const WRITE: &str = r#"
    let c = files::collection("c"); let name = ctx.request.params.name; let v = parse_int(ctx.request.params.v);
    if v % 7 == 0 { c.delete(name); return "deleted"; }
    let content = blob(v % 3 * 262144 + v % 1000, v % 251);
    if c.head(name) == () { c.create(name, content, #{ content_type: `v/${v}` }); } else { c.update(name, content, #{ content_type: `v/${v}` }); }
    "written""#;
/// The host holds the bytes against their hash; the script holds them against the version.
const READ: &str = r#"
    let f = files::collection("c").get(ctx.request.params.name);
    if f == () { return 0; }
    let v = parse_int(f.content_type.sub_string(2)); let b = f.content; let len = v % 3 * 262144 + v % 1000;
    if b.len() != len || f.size != len || (len > 0 && (b[0] != v % 251 || b[-1] != v % 251)) { throw `${v}: ${b.len()}`; }
    v"#;

#[derive(Default)]
struct Written {
    /// Name → the last version that was answered with 200.
    acknowledged: BTreeMap<String, u64>,
    under_way: BTreeMap<String, u64>,
}

fn patient() -> serde_json::Value {
    json!({ "limits": { "timeout_ms": 60_000, "memory_mb": 64 } })
}

async fn serve(scratch: &Scratch, database: &Database) -> Server {
    let data = scratch.data();
    Server::serve(scratch, database, &[("PICLOUD_DATA_DIR", data.to_str().expect("UTF-8"))]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_keeps_every_file_whole() {
    let (scratch, database) = (Scratch::prepared().await, Database::create().await);
    let first = serve(&scratch, &database).await;
    let shop = first.client.create_app("shop").await;
    shop.deploy_with("/write/:name/:v", WRITE, patient()).await;
    shop.deploy_with("/read/:name", READ, patient()).await;
    first.crash();

    let written = Arc::new(Mutex::new(Written::default()));
    let mut left = 0;
    for round in 0..=ROUNDS {
        let server = serve(&scratch, &database).await;
        let shop = Tenant { client: server.client.clone(), ..shop.clone() };
        let Written { acknowledged, under_way } = std::mem::take(&mut *written.lock().expect("a lock"));
        for (name, version) in &acknowledged {
            let found = shop.get(&format!("/read/{name}")).await.expect(200).json().as_u64().expect("a version");
            let expected = |version: u64| if version.is_multiple_of(7) { 0 } else { version };
            let later = under_way.get(name).copied().unwrap_or(*version);
            assert!(
                found == expected(*version) || found == expected(later),
                "round {round}: {name} is {found}, acknowledged was {version}, under way {later}"
            );
        }
        if round == ROUNDS {
            server.stop();
            break;
        }
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (shop, written) = (shop.clone(), written.clone());
                tokio::spawn(async move {
                    for n in 1.. {
                        let (name, version) = (format!("{writer}-{}", n % 3), (round + 1) * 10_000 + n);
                        written.lock().expect("a lock").under_way.insert(name.clone(), version);
                        let request = shop.client.to(&shop.host, "GET", &format!("/write/{name}/{version}"));
                        let Ok(response) = request.send().await else { return };
                        let status = response.status();
                        let Ok(body) = response.text().await else { return };
                        assert_eq!(status, 200, "{body}");
                        written.lock().expect("a lock").acknowledged.insert(name, version);
                    }
                })
            })
            .collect();
        eventually("some writes are acknowledged", Duration::from_secs(60), async || {
            (written.lock().expect("a lock").acknowledged.len() >= 6).then_some(())
        })
        .await;
        // A moment nobody chose: somewhere within the next few writes.
        tokio::time::sleep(Duration::from_micros(rand::random_range(0..60_000))).await;
        server.crash();
        for writer in writers {
            writer.await.expect("a writer");
        }
        left = left.max(walk(&scratch.data().join("files")).len());
    }

    // All that the kills left goes with one sweep, once it is old: what stays is what rows name.
    let db = store::connect(database.url().parse().expect("a database URL")).await.expect("the database answers");
    let services = Services::connect(db, Clock::system(), app::settings(&scratch.data())).await.expect("services");
    let before = walk(&scratch.data().join("files")).len();
    let swept = sweep(&services, services.now() + TimeDelta::hours(1)).await.expect("a sweep");
    let after = walk(&scratch.data().join("files")).len();
    let rows: i64 =
        sqlx::query_scalar("SELECT count(*) FROM files").fetch_one(&mut database.connect().await).await.expect("a count");
    println!("{ROUNDS} kills left up to {left} files on disk; {before} before the sweep, {after} after it, {rows} rows");
    assert_eq!((before - swept.removed, after as i64, swept.young), (after, rows, 0));
    assert!(swept.removed > 0, "some kill came in the middle of a write");
}

/// Peak of resident memory, bytes, since it was last reset.
fn peak(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid.as_raw_nonzero())).expect("the server runs");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("a peak");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("KiB") * 1024
}

fn reset_peak(server: &Server) {
    std::fs::write(format!("/proc/{}/clear_refs", server.pid.as_raw_nonzero()), "5").expect("the peak can be reset");
}

/// Eight invocations move 16 MiB each at the same time. Their instances hold what they read; the host holds pieces: were it
/// whole files, its own share would be 128 MiB.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_host_holds_a_piece_of_a_file_and_never_the_whole() {
    const ABREAST: u64 = 8;
    const OWN_SHARE: u64 = 64 * MIB;
    let (scratch, database) = (Scratch::prepared().await, Database::create().await);
    let server = serve(&scratch, &database).await;
    let shop = server.client.create_app("shop").await;
    shop.deploy_with(
        "/put/:n",
        r#"files::collection("c").create(ctx.request.params.n, blob(16 * 1024 * 1024, 7)).size"#,
        patient(),
    )
    .await;
    shop.deploy_with("/get/:n", r#"files::collection("c").get(ctx.request.params.n).content.len()"#, patient()).await;
    // What the first runs leave resident is not what is measured.
    shop.get("/put/warm").await.expect(200);
    shop.get("/get/warm").await.expect(200);
    for path in ["put", "get"] {
        reset_peak(&server);
        let idle = server.resident();
        let calls = (0..ABREAST).map(|n| {
            let (shop, path) = (shop.clone(), format!("/{path}/{n}"));
            tokio::spawn(async move { shop.get(&path).await.expect(200) })
        });
        let mut instances = 0;
        for call in calls.collect::<Vec<_>>() {
            let reply = call.await.expect("a call");
            assert_eq!(reply.json(), 16 * MIB);
            instances += shop.record(&reply).await["usage"]["memory_peak_bytes"].as_u64().expect("a peak");
        }
        let peak = peak(&server);
        println!("{path}: idle {} MiB, instances {} MiB, peak {} MiB", idle / MIB, instances / MIB, peak / MIB);
        assert!(peak <= idle + instances + OWN_SHARE, "{path}: {} MiB", peak / MIB);
    }
    server.stop();
}
