//! `picloud backup` and `picloud restore`, as an operator runs them: what comes back is what there was.

mod by_schedule;
mod damage;
mod kills;
mod refusals;
mod schemas;
mod slow;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::support::cluster::Database;
use crate::support::process::{Ended, Scratch, finish, picloud};
use crate::support::sources::walk;
use crate::support::{Server, Tenant, TestApp, eventually};

pub(crate) const PASSPHRASE: &str = "correct horse battery";

/// A node with an app, and a directory for its backups.
pub(crate) struct World {
    pub(crate) app: TestApp,
    pub(crate) shop: Tenant,
    pub(crate) scratch: Scratch,
}

impl World {
    pub(crate) async fn new() -> Self {
        let app = TestApp::start().await;
        let shop = app.create_app("shop").await;
        Self { app, shop, scratch: Scratch::prepared().await }
    }

    pub(crate) fn directory(&self) -> PathBuf {
        self.scratch.path().join("backups")
    }

    /// A command on the node's database and data directory.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = picloud(&self.scratch, args);
        command
            .env("DATABASE_URL", self.app.database.url())
            .env("PICLOUD_DATA_DIR", self.app.data_dir())
            .env("PICLOUD_BACKUP_DIR", self.directory());
        command
    }

    /// The same, of an encrypted directory.
    pub(crate) fn sealed(&self, args: &[&str]) -> Command {
        let mut command = self.command(args);
        command.env("PICLOUD_BACKUP_PASSPHRASE", PASSPHRASE);
        command
    }

    pub(crate) fn create(&self, args: &[&str]) -> Value {
        let mut command = self.command(&["backup", "create", "--json"]);
        command.args(args);
        told(&finish(command))
    }

    /// A restore into another database and a data directory that has nothing but the compiled component.
    pub(crate) fn restore(&self, to: &Database, args: &[&str]) -> Command {
        let mut command = self.command(&["restore", "--json"]);
        command.args(args).env("DATABASE_URL", to.url()).env("PICLOUD_DATA_DIR", self.scratch.data());
        command
    }

    /// A node on what was restored.
    pub(crate) async fn node(&self, on: &Database) -> Server {
        let data = self.scratch.data();
        Server::serve(&self.scratch, on, &[("PICLOUD_DATA_DIR", data.to_str().expect("UTF-8"))]).await
    }

    pub(crate) async fn secret(&self, name: &str, value: &str) {
        let path = format!("/admin/apps/{}/secrets/{name}", self.shop.slug);
        assert!([200, 201].contains(&self.app.put(&path, json!({ "value": value })).await.status));
    }
}

pub(crate) fn told(ended: &Ended) -> Value {
    assert!(ended.status.success(), "{ended:?}");
    serde_json::from_str(&ended.stdout).expect("one JSON document")
}

/// Asserts the exit code; what was said.
#[track_caller]
pub(crate) fn refused(command: Command, code: i32) -> String {
    let ended = finish(command);
    assert_eq!(ended.status.code(), Some(code), "{ended:?}");
    ended.stderr
}

/// The tables of a database with how many rows each has and a hash of all of them, but for what is another on another server: the name
/// of the directory of files, the numbers of transactions, and when the schema was made.
pub(crate) async fn contents(database: &Database) -> BTreeMap<String, (i64, Option<String>)> {
    let mut db = database.connect().await;
    let names: Vec<String> =
        sqlx::query_scalar("SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'")
            .fetch_all(&mut db)
            .await
            .expect("a catalogue");
    let mut contents = BTreeMap::new();
    for name in names {
        let row = match name.as_str() {
            "file_volumes" => "'a volume'",
            "executions" => "(to_jsonb(t) - 'txid')::text",
            "_sqlx_migrations" => "t.version::text || encode(t.checksum, 'hex')",
            _ => "t::text",
        };
        let query = format!("SELECT count(*), md5(string_agg({row}, E'\\n' ORDER BY {row} COLLATE \"C\")) FROM \"{name}\" AS t");
        let found = sqlx::query_as(AssertSqlSafe(query)).fetch_one(&mut db).await.expect("a hash");
        contents.insert(name, found);
    }
    contents
}

/// What lies in `files/` below the volume, by its path.
pub(crate) fn files(data_dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let root = data_dir.join("files");
    let below = |path: &Path| path.components().skip(1).collect::<PathBuf>();
    walk(&root).iter().map(|path| (below(path), std::fs::read(root.join(path)).expect("a blob"))).collect()
}

/// Some of everything that an instance may hold.
async fn fill(world: &World) {
    let (app, shop) = (&world.app, &world.shop);
    app.post("/admin/users", json!({ "username": "ada", "password": "another horse battery", "role": "member" }))
        .await
        .expect(201);
    app.post("/admin/api-keys", json!({ "name": "ci", "scopes": ["script:read"] })).await.expect(201);
    app.create_app("other").await;
    world.secret("API_KEY", "hush, hush").await;
    shop.upload_with("m", "fn two() { 2 }", json!({ "kind": "module" })).await;
    shop.deploy("/answer", r#"import "m" as m; #{ two: m::two(), visits: kv::collection("visits").increment("n", 1) }"#).await;
    shop.deploy("/secret", r#"secrets::get("API_KEY")"#).await;
    shop.deploy("/file/:name", r#"#{ statusCode: 200, body: files::collection("c").get(ctx.request.params.name).content }"#)
        .await;
    shop.run(
        r#"let c = kv::collection("c"); c.set("a", 1); c.set("b", blob(300, 7)); c.set("t", "x", #{ ttl_s: 86400 }); c.set("ü\n", [1, 2.5, ()]);
        let d = docs::collection("d"); for n in 0..50 { d.create(#{ n: n, text: "größer als " + n, nested: #{ a: [1, 2] } }); }
        let f = files::collection("c"); f.create("empty", blob()); f.create("small", blob(10, 1)); f.create("same", blob(10, 1));
        f.create("large", blob(900000, 9)); f.update("small", blob(11, 2)); log::info("filled", #{ n: 1 });"#,
    )
    .await
    .expect(200);
    let fails = shop.upload("fails", r#"throw "no""#).await;
    app.post(
        &format!("/admin/apps/{}/triggers/queue", shop.id),
        json!({ "script_id": fails.id, "queue": "q", "max_attempts": 1 }),
    )
    .await
    .expect(201);
    let cron = json!({ "script_id": fails.id, "schedule": "0 0 0 1 1 *", "timezone": "Europe/Berlin" });
    app.post(&format!("/admin/apps/{}/triggers/cron", shop.id), cron).await.expect(201);
    shop.run(r#"queue::send("q", #{ n: 1 })"#).await.expect(200);
    app.patch(&format!("/admin/apps/{}/quota", shop.id), json!({ "concurrency": 3 })).await.expect(200);
    eventually("the letter is dead", Duration::from_secs(20), async || {
        let count = app.get(&format!("/admin/apps/{}/dead_letters/count", shop.id)).await.expect(200).json();
        (count.to_string().contains('1')).then_some(())
    })
    .await;
    for path in ["/answer", "/answer"] {
        shop.get(path).await.expect(200);
    }
    eventually("calls are recorded and counted", Duration::from_secs(20), async || {
        let contents = contents(&app.database).await;
        ["executions", "logs", "usage"].iter().all(|table| contents[*table].0 > 0).then_some(())
    })
    .await;
}

/// Makes a backup while nothing changes: what it holds is then what there is.
pub(crate) async fn quiet(world: &World, create: impl Fn() -> Value) -> (Value, BTreeMap<String, (i64, Option<String>)>) {
    eventually("nothing changes while a backup is made", Duration::from_secs(60), async || {
        let before = contents(&world.app.database).await;
        let made = create();
        let after = contents(&world.app.database).await;
        (before == after).then_some((made, after))
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_instance_is_the_one_that_was_backed_up() {
    let world = World::new().await;
    fill(&world).await;
    let (made, before) = quiet(&world, || told(&finish(world.sealed(&["backup", "create", "--json"])))).await;
    assert_eq!(
        (&made["files"], &made["files_lost"], &made["keys"], &made["secrets"]),
        (&json!(4), &json!(0), &json!(true), &json!(1))
    );
    for (table, rows) in [("users", 2), ("kv_entries", 5), ("documents", 50), ("files", 4), ("secrets", 1), ("api_keys", 1)] {
        assert_eq!(before[table].0, rows, "{table}");
    }
    for table in ["deliveries", "attempts", "audit_log", "executions", "logs", "usage", "images", "deployments", "triggers"] {
        assert!(before[table].0 > 0, "{table} is not tried");
    }
    let target = Database::create().await;
    let mut command = world.restore(&target, &[]);
    command.env("PICLOUD_BACKUP_PASSPHRASE", PASSPHRASE);
    let restored = told(&finish(command));
    assert_eq!((&restored["files"], &restored["secrets"], &restored["keys_placed"]), (&json!(4), &json!(1), &json!(true)));
    assert_eq!(contents(&target).await, before, "row by row");
    assert_eq!(files(&world.scratch.data()), files(world.app.data_dir()), "blob by blob");
    let key = |dir: &Path| std::fs::read(dir.join("secret.key")).expect("a key file");
    assert_eq!(key(&world.scratch.data()), key(world.app.data_dir()));
    let volumes = |dir: &Path| std::fs::read_dir(dir.join("files")).expect("files").count();
    assert_eq!(volumes(&world.scratch.data()), 1, "nothing else is left");

    // A node goes on where the other one was. Its owner logs in with the same password.
    let server = world.node(&target).await;
    let shop = Tenant { client: server.client.clone(), ..world.shop.clone() };
    assert_eq!(shop.get("/answer").await.expect(200).json(), json!({ "two": 2, "visits": 3 }));
    assert_eq!(shop.get("/secret").await.expect(200).json(), "hush, hush");
    assert_eq!(shop.get("/file/large").await.expect(200).body, vec![9; 900_000]);
    assert_eq!(shop.get("/file/empty").await.expect(200).body, b"");
    // What is stored is counted on, new rows come after the old ones, and the chain holds.
    shop.run(r#"files::collection("c").create("new", blob(5, 5)); secrets::set("NEW", "x"); docs::collection("d").create(#{});"#)
        .await
        .expect(200);
    let on_target = |args: &[&str]| {
        let mut command = world.command(args);
        command.env("DATABASE_URL", target.url()).env("PICLOUD_DATA_DIR", world.scratch.data());
        told(&finish(command))
    };
    on_target(&["keys", "rotate", "--json"]);
    assert_eq!(shop.get("/secret").await.expect(200).json(), "hush, hush");
    on_target(&["audit", "verify", "--json"]);
    let used: i64 = sqlx::query_scalar(
        "SELECT (sum(file_bytes) - (SELECT sum(file_use(collection, name, size_bytes)) FROM files))::bigint FROM storage_use",
    )
    .fetch_one(&mut target.connect().await)
    .await
    .expect("a sum");
    assert_eq!(used, 0, "what is stored is counted once");
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_private_database_is_backed_up_beside_its_node_and_without_it() {
    let scratch = Scratch::prepared().await;
    let backups = scratch.path().join("backups");
    let command = |args: &[&str]| {
        let mut command = picloud(&scratch, args);
        command.env("PICLOUD_BACKUP_DIR", &backups).env("PICLOUD_BACKUP_PASSPHRASE", PASSPHRASE);
        command
    };
    let server = Server::dev(&scratch).await;
    let shop = server.client.create_app("shop").await;
    shop.deploy("/n", r#"kv::collection("c").increment("n", 1)"#).await;
    shop.run(r#"files::collection("c").create("g", blob(100, 1))"#).await.expect(200);
    shop.get("/n").await.expect(200);
    let beside = told(&finish(command(&["backup", "create", "--json"])));
    assert_eq!(beside["files"], 1);
    server.stop();
    let alone = told(&finish(command(&["backup", "create", "--json"])));
    assert_eq!(alone["files"], 1);
    assert!(alone["rows"].as_u64() >= beside["rows"].as_u64());

    let other = Scratch::prepared().await;
    let restore = || {
        let mut command = picloud(&other, &["restore"]);
        command.arg(&backups).env("PICLOUD_BACKUP_PASSPHRASE", PASSPHRASE);
        command
    };
    let ended = finish(restore());
    assert!(ended.status.success() && ended.stdout.contains("The instance is restored"), "{ended:?}");
    let said = refused(restore(), 11);
    assert!(said.contains("holds an instance already") && said.contains("--replace"), "{said}");
    let server = Server::dev(&other).await;
    let shop = Tenant { client: server.client.clone(), ..shop };
    assert_eq!(shop.get("/n").await.expect(200).json(), 2);
    assert!(refused(restore(), 3).contains("another picloud"), "not under a node that runs");
    server.stop();
}

#[tokio::test]
async fn what_did_not_change_is_not_written_again() {
    let world = World::new().await;
    let shop = &world.shop;
    for part in 0..4 {
        let keys = format!(
            r#"let c = kv::collection("c"); for n in 0..200 {{ c.set(`k${{{part}}}-${{n}}`, crypto::uuid() + random::bytes(3000)); }}"#
        );
        let keys = keys.replace("random::bytes(3000)", "hex::encode(random::bytes(3000))");
        shop.run_with(&keys, json!({ "limits": { "fuel": 5_000_000_000_u64 } })).await.expect(200);
    }
    shop.run(r#"let f = files::collection("c"); for n in 0..20 { f.create(`f${n}`, random::bytes(60000)); }"#).await.expect(200);
    let first = world.create(&[]);
    let second = world.create(&[]);
    let bytes = |made: &Value| made["added_bytes"].as_u64().expect("bytes");
    assert!(bytes(&first) > 3 << 20, "{first}");
    assert!(bytes(&second) * 20 < bytes(&first), "{second} after {first}");
    // One entry among many, and one file.
    shop.run(r#"kv::collection("c").set("k2-100", "other"); files::collection("c").create("new", blob(100, 1));"#)
        .await
        .expect(200);
    let third = world.create(&[]);
    assert!(bytes(&third) * 2 < bytes(&first), "{third} after {first}");
    let listed = told(&finish(world.command(&["backup", "list", "--json"])));
    let names: Vec<_> = listed["items"].as_array().expect("items").iter().map(|item| item["snapshot"].clone()).collect();
    assert_eq!(names, [&first, &second, &third].map(|made| made["snapshot"].clone()));
    assert_eq!(listed["encrypted"], false);
}

/// Writes version `v` of a file; the size tells the version.
const WRITE: &str = r#"
    let c = files::collection("c"); let name = ctx.request.params.name; let v = parse_int(ctx.request.params.v);
    let content = blob(v % 3 * 262144 + v % 1000, v % 251);
    if c.head(name) == () { c.create(name, content, #{ content_type: `v/${v}` }); } else { c.update(name, content, #{ content_type: `v/${v}` }); }
    if v % 5 == 0 { c.delete(name); }
    kv::collection("c").set(name, v); "written""#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_is_of_one_moment() {
    let world = World::new().await;
    let more = json!({ "limits": { "timeout_ms": 60_000, "memory_mb": 64 } });
    world.shop.deploy_with("/write/:name/:v", WRITE, more).await;
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let shop = world.shop.clone();
            tokio::spawn(async move {
                for v in 1_u64.. {
                    let reply = shop.get(&format!("/write/{writer}-{}/{v}", v % 6)).await;
                    assert_eq!(reply.status, 200, "{}", reply.text());
                }
            })
        })
        .collect();
    let target = Database::create().await;
    for round in 0..4 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let create = world.sealed(&["backup", "create", "--json"]);
        let made = told(&tokio::task::spawn_blocking(|| finish(create)).await.expect("it ends"));
        assert_eq!(made["files_lost"], 0, "round {round}: every file that the database names is there");
        assert!(round == 0 || made["files"].as_u64() > Some(0), "{made}");
    }
    writers.iter().for_each(tokio::task::JoinHandle::abort);
    let verified = told(&finish(world.sealed(&["backup", "verify", "--json"])));
    assert_eq!((&verified["snapshots"], &verified["damaged"]), (&json!(4), &json!(0)));
    let mut command = world.restore(&target, &[]);
    command.env("PICLOUD_BACKUP_PASSPHRASE", PASSPHRASE);
    let restored = told(&finish(command));
    let rows: Vec<(uuid::Uuid, i64, Vec<u8>)> = sqlx::query_as("SELECT blob_id, size_bytes, sha256 FROM files")
        .fetch_all(&mut target.connect().await)
        .await
        .expect("rows");
    let found = files(&world.scratch.data());
    assert_eq!((rows.len() as u64, found.len()), (restored["files"].as_u64().expect("a number"), rows.len()));
    for (path, bytes) in &found {
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        let (_, size, hash) = rows.iter().find(|(id, ..)| id.to_string() == name).expect("a row names it");
        assert_eq!(*size as usize, bytes.len());
        assert_eq!(<sha2::Sha256 as sha2::Digest>::digest(bytes).as_slice(), hash);
    }
    let mut command = world.command(&["audit", "verify"]);
    command.env("DATABASE_URL", target.url()).env("PICLOUD_DATA_DIR", world.scratch.data());
    assert!(finish(command).status.success());
    // What could not go during the backups goes with a sweep, once it is old.
    let later = world.app.services.now() + chrono::TimeDelta::hours(1);
    eventually("only what rows name is left", Duration::from_secs(20), async || {
        picloud::service::files::sweep::sweep(&world.app.services, later).await.expect("a sweep");
        let rows = contents(&world.app.database).await["files"].0;
        (files(world.app.data_dir()).len() as i64 == rows).then_some(())
    })
    .await;
}

#[tokio::test]
async fn bytes_stay_while_a_backup_may_read_them() {
    let world = World::new().await;
    let shop = &world.shop;
    shop.run(r#"let f = files::collection("c"); f.create("deleted", blob(10, 1)); f.create("replaced", blob(10, 2));"#)
        .await
        .expect(200);
    let gone = world.app.create_app("gone").await;
    gone.run(r#"files::collection("c").create("f", blob(10, 3))"#).await.expect(200);
    let before = files(world.app.data_dir());
    assert_eq!(before.len(), 3);
    let pool = picloud::store::connect(world.app.database.url().parse().expect("a URL")).await.expect("a pool");
    let mut hold = picloud::store::begin(&pool).await.expect("a transaction");
    picloud::store::backup::hold_blobs(&mut hold).await.expect("nobody else removes");
    shop.run(r#"let f = files::collection("c"); f.delete("deleted"); f.update("replaced", blob(20, 4));"#).await.expect(200);
    world.app.delete("/admin/apps/gone?force=true").await.expect(204);
    let later = world.app.services.now() + chrono::TimeDelta::hours(1);
    for _ in 0..3 {
        picloud::service::files::sweep::sweep(&world.app.services, later).await.expect("a sweep");
        let found = files(world.app.data_dir());
        assert!(before.iter().all(|(path, bytes)| found.get(path) == Some(bytes)), "{:?}", found.keys());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    hold.rollback().await.expect("let go");
    let swept = picloud::service::files::sweep::sweep(&world.app.services, later).await.expect("a sweep");
    assert_eq!((swept.removed, files(world.app.data_dir()).len()), (3, 1));
}
