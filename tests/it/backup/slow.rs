//! A backup and a restore that take longer than a transaction may rest elsewhere: their transactions hold what they need all the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use picloud::repository::Repository;
use picloud::service::backup::{Progress, Secrets, Source, Target, create, open_blobs, restore};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use super::{World, contents, files};
use crate::support::cluster::Database;

const REST: Duration = Duration::from_millis(500);

/// As the database tells a node's transactions to end, but sooner.
async fn impatient(database: &Database) -> PgPool {
    let options: PgConnectOptions = database.url().parse().expect("a URL");
    let rest = format!("{}ms", REST.as_millis());
    let pool = PgPoolOptions::new().max_connections(4);
    pool.connect_with(options.options([("idle_in_transaction_session_timeout", rest)])).await.expect("a pool")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_and_a_restore_last_as_long_as_the_disk_takes() {
    let world = World::new().await;
    world
        .shop
        .run(r#"let f = files::collection("c"); for n in 0..2 { f.create(`f${n}`, random::bytes(60000)); }"#)
        .await
        .expect(200);
    let db = impatient(&world.app.database).await;
    let mut tx = db.begin().await.expect("a transaction");
    tokio::time::sleep(REST * 2).await;
    assert!(sqlx::query("SELECT 1").execute(&mut *tx).await.is_err(), "others are ended");

    let (repository, _) = Repository::open_or_make(&world.directory(), None).expect("a repository");
    let repository = Arc::new(repository);
    let rests = AtomicUsize::new(0);
    let slowly = |progress: Progress<'_>| {
        if progress.of == "files" {
            rests.fetch_add(1, Ordering::Relaxed);
            std::thread::sleep(REST * 2);
        }
    };
    let blobs = open_blobs(&db, world.app.data_dir()).await.expect("files");
    let source = Source { db: &db, blobs: blobs.as_ref(), keys: None, tick: None };
    let made = create(source, &repository, world.app.services.now(), &slowly).await.expect("a backup");
    assert_eq!((made.snapshot.files.entries.items, made.files_lost, rests.swap(0, Ordering::Relaxed)), (2, 0, 2));

    let target = Database::create().await;
    let to = impatient(&target).await;
    let data_dir = world.scratch.data();
    let asked = Target { db: &to, data_dir: &data_dir, secret_key: None, replace: false, secrets: Secrets::Restored };
    let restored = restore(asked, &repository, &made.snapshot, world.app.services.now(), &slowly).await.expect("an instance");
    assert_eq!((restored.files, rests.load(Ordering::Relaxed)), (2, 3), "the table, and each file");
    assert_eq!(files(&data_dir), files(world.app.data_dir()));
    assert_eq!(contents(&target).await["files"], contents(&world.app.database).await["files"]);
}
