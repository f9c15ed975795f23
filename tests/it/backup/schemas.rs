//! Backups and the schema: of an older one, of a newer one, and of whatever tables there are.

use std::sync::Arc;

use picloud::repository::Repository;
use picloud::service::backup::{Source, create};
use picloud::store;
use sqlx::Connection as _;

use super::{World, contents, refused, told};
use crate::support::Server;
use crate::support::cluster::{Database, run};
use crate::support::process::finish;

/// A schema that had neither counters of what is stored, nor deployments, nor splits.
const OLD: i64 = 16;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_an_older_schema_is_brought_to_the_newest() {
    let world = World::new().await;
    let old = Database::create().await;
    let mut db = old.connect().await;
    store::backup::clear(&mut db).await.expect("an empty database");
    store::backup::migrate_to(&mut db, OLD).await.expect("an old schema");
    let script = r#"kv::collection("c").increment("n", 1)"#;
    run(&mut db, &format!(
        "INSERT INTO users (id, username, password_hash, role, created_at, updated_at)
         VALUES ('00000000-0000-7000-8000-000000000001', 'owner', '{}', 'owner', now(), now());
         INSERT INTO apps (id, slug, name, created_at, updated_at) VALUES ('00000000-0000-7000-8000-000000000002', 'shop', 'Shop', now(), now());
         INSERT INTO kv_entries (app_id, collection, key, encoding, value, revision)
         VALUES ('00000000-0000-7000-8000-000000000002', 'c', 'n', 'json', '41', 1);
         BEGIN;
         INSERT INTO scripts (id, app_id, name, kind, description, active_version, created_at, updated_at)
         VALUES ('00000000-0000-7000-8000-000000000003', '00000000-0000-7000-8000-000000000002', 's', 'endpoint', '', 1, now(), now());
         INSERT INTO script_versions (app_id, script_id, number, digest, source, fuel, memory_mb, timeout_ms, capabilities, own_capabilities, created_at)
         VALUES ('00000000-0000-7000-8000-000000000002', '00000000-0000-7000-8000-000000000003', 1, repeat('0', 64), '{script}', 500000000, 32, 10000, '{{kv}}', '{{kv}}', now());
         INSERT INTO routes (id, app_id, script_id, path, created_at)
         VALUES ('00000000-0000-7000-8000-000000000004', '00000000-0000-7000-8000-000000000002', '00000000-0000-7000-8000-000000000003', '/n', now());
         COMMIT",
        password_hash(&world).await
    ))
    .await;
    let pool = store::connect(old.url().parse().expect("a URL")).await.expect("a pool");
    let (repository, _) = Repository::open_or_make(&world.directory(), None).expect("a repository");
    let source = Source { db: &pool, blobs: None, keys: None, tick: None };
    let made = create(source, &Arc::new(repository), world.app.services.now(), &|_| {}).await.expect("a backup");
    assert_eq!(made.snapshot.schema(), OLD);

    let target = Database::create().await;
    let restored = told(&finish(world.restore(&target, &[])));
    assert_eq!((restored["schema_from"].as_i64(), restored["schema_to"].as_i64()), (Some(OLD), Some(store::schema_version())));
    let (now, expected) = (contents(&target).await, contents(&world.app.database).await);
    assert_eq!(now.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    let counted: i64 = sqlx::query_scalar("SELECT sum(data_bytes)::bigint FROM storage_use")
        .fetch_one(&mut target.connect().await)
        .await
        .expect("counters");
    assert!(counted > 64, "what migrations make of rows they made of these");
    let server: Server = world.node(&target).await;
    let answer = server.client.call("shop.localhost", "GET", "/n", "", &[]).await.expect(200);
    assert_eq!(answer.json(), 42);
    server.stop();
}

async fn password_hash(world: &World) -> String {
    let mut db = world.app.database.connect().await;
    sqlx::query_scalar("SELECT password_hash FROM users LIMIT 1").fetch_one(&mut db).await.expect("the owner's")
}

#[tokio::test]
async fn a_backup_of_a_newer_schema_is_made_and_not_restored() {
    let world = World::new().await;
    run(
        &mut world.app.database.connect().await,
        "CREATE TABLE to_come (id integer PRIMARY KEY); INSERT INTO to_come VALUES (1);
         INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'x', true, '\\x00', 0)",
    )
    .await;
    // Before an update the one that runs is backed up, whichever version makes the backup.
    assert_eq!(world.create(&[])["schema"], 9999);
    let target = Database::create().await;
    let before = contents(&target).await;
    assert!(refused(world.restore(&target, &[]), 2).contains("newer picloud"));
    assert_eq!(contents(&target).await, before);
}

#[tokio::test]
async fn a_table_of_somebody_elses_is_left_out_of_a_restore() {
    let world = World::new().await;
    run(&mut world.app.database.connect().await, "CREATE TABLE notes (n integer); INSERT INTO notes VALUES (1), (1)").await;
    world.create(&[]);
    let target = Database::create().await;
    let ended = finish(world.restore(&target, &[]));
    assert!(ended.status.success() && ended.stderr.contains("it is left out"), "{ended:?}");
    assert!(!contents(&target).await.contains_key("notes"));
}

#[tokio::test]
async fn every_table_can_be_loaded_after_those_that_it_refers_to() {
    let database = Database::create().await;
    let mut db = database.connect().await;
    let order = store::backup::loading_order(&mut db).await.expect("no circle");
    let tables = store::backup::tables(&mut db).await.expect("tables");
    assert_eq!(order.len(), tables.len());
    // Without a key the order of rows, and so what is written again, would be anybody's guess.
    let keyless: Vec<_> = tables.iter().filter(|table| table.key.is_empty()).map(|table| &table.name).collect();
    assert!(keyless.is_empty(), "{keyless:?}");
    let place = |name: &str| order.iter().position(|known| known == name).expect("a table");
    for (first, then) in [("users", "apps"), ("apps", "kv_entries"), ("scripts", "script_versions"), ("data_keys", "secrets")] {
        assert!(place(first) < place(then), "{first} before {then}");
    }
    // In one transaction everything goes, and comes back as a node makes it.
    // Who brought the schema is noted by the node that does.
    let but_who_did = |mut found: std::collections::BTreeMap<_, _>| {
        found.remove("schema_compat");
        found
    };
    let before = but_who_did(contents(&database).await);
    let mut tx = db.begin().await.expect("a transaction");
    store::backup::clear(&mut tx).await.expect("cleared");
    assert_eq!(store::backup::holds(&mut tx).await.expect("an answer"), store::backup::Holds::Nothing);
    store::backup::migrate_to(&mut tx, store::schema_version()).await.expect("migrated");
    assert_eq!(store::backup::holds(&mut tx).await.expect("an answer"), store::backup::Holds::Fresh);
    tx.commit().await.expect("a commit");
    assert_eq!(but_who_did(contents(&database).await), before);
}
