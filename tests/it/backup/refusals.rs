//! What a backup or a restore does not do.

use serde_json::json;

use super::{PASSPHRASE, World, contents, files, refused, told};
use crate::support::cluster::{Database, run};
use crate::support::process::finish;

#[tokio::test]
async fn an_instance_that_is_there_is_lost_only_when_told() {
    let world = World::new().await;
    world.shop.run(r#"files::collection("c").create("f", blob(10, 1))"#).await.expect(200);
    world.create(&[]);
    let target = Database::create().await;
    told(&finish(world.restore(&target, &[])));
    let (before, disk) = (contents(&target).await, files(&world.scratch.data()));
    run(&mut target.connect().await, "UPDATE apps SET name = 'changed'").await;
    let changed = contents(&target).await;
    assert_ne!(changed, before);
    assert!(refused(world.restore(&target, &[]), 11).contains("--replace"));
    assert_eq!((contents(&target).await, files(&world.scratch.data())), (changed, disk.clone()));
    told(&finish(world.restore(&target, &["--replace"])));
    assert_eq!((contents(&target).await, files(&world.scratch.data())), (before, disk), "as it was, and nothing else");
}

#[tokio::test]
async fn a_foreign_database_is_left_alone() {
    let world = World::new().await;
    world.create(&[]);
    let target = Database::create().await;
    let mut db = target.connect().await;
    run(
        &mut db,
        "DROP SCHEMA public CASCADE; CREATE SCHEMA public; CREATE TABLE thesis (page integer); INSERT INTO thesis VALUES (1)",
    )
    .await;
    for args in [&[][..], &["--replace"]] {
        assert!(refused(world.restore(&target, args), 11).contains("none of picloud's"));
    }
    let pages: i64 = sqlx::query_scalar("SELECT count(*) FROM thesis").fetch_one(&mut db).await.expect("still there");
    assert_eq!(pages, 1);
    // An empty one needs no schema.
    run(&mut db, "DROP TABLE thesis").await;
    told(&finish(world.restore(&target, &[])));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_on_which_a_node_works_is_refused() {
    let world = World::new().await;
    world.create(&[]);
    let target = Database::create().await;
    told(&finish(world.restore(&target, &[])));
    let server = world.node(&target).await;
    assert!(refused(world.restore(&target, &["--replace"]), 11).contains("stop it first"));
    server.stop();
    told(&finish(world.restore(&target, &["--replace"])));
}

#[tokio::test]
async fn without_the_right_passphrase_nothing_is_read() {
    let world = World::new().await;
    told(&finish(world.sealed(&["backup", "create", "--json"])));
    for args in [&["backup", "list"][..], &["backup", "verify"], &["backup", "create"], &["backup", "prune"], &["restore"]] {
        assert!(refused(world.command(args), 2).contains("PICLOUD_BACKUP_PASSPHRASE"), "{args:?}");
        let mut wrong = world.command(args);
        wrong.env("PICLOUD_BACKUP_PASSPHRASE", "correct horse batterx");
        assert!(refused(wrong, 2).contains("the passphrase is not the one"), "{args:?}");
    }
    // A file serves as well, and a line's end in it is none of it.
    let file = world.scratch.path().join("backup.key");
    std::fs::write(&file, format!("{PASSPHRASE}\n")).expect("a file");
    let mut by_file = world.command(&["backup", "list", "--json"]);
    by_file.env("PICLOUD_BACKUP_KEY_FILE", &file);
    assert_eq!(told(&finish(by_file))["encrypted"], true);
    let mut both = world.sealed(&["backup", "list"]);
    both.env("PICLOUD_BACKUP_KEY_FILE", &file);
    assert!(!finish(both).status.success());
}

#[tokio::test]
async fn a_passphrase_is_so_long_and_no_longer_or_shorter() {
    let world = World::new().await;
    let (min, max) = (picloud::limits::BACKUP_PASSPHRASE_BYTES_MIN, picloud::limits::BACKUP_PASSPHRASE_BYTES_MAX);
    let create = |bytes: usize, n: usize| {
        let mut command = world.command(&["backup", "create"]);
        command.arg(world.scratch.path().join(format!("b{n}"))).env("PICLOUD_BACKUP_PASSPHRASE", "x".repeat(bytes));
        command
    };
    for (n, bytes) in [min, max].into_iter().enumerate() {
        assert!(finish(create(bytes, n)).status.success(), "{bytes}");
    }
    for (n, bytes) in [min - 1, max + 1].into_iter().enumerate() {
        assert!(refused(create(bytes, n + 2), 2).contains("the passphrase of backups has"), "{bytes}");
        assert!(!world.scratch.path().join(format!("b{}", n + 2)).exists());
    }
}

#[tokio::test]
async fn a_directory_that_is_not_encrypted_does_not_pass_for_one() {
    let world = World::new().await;
    world.create(&[]);
    assert!(refused(world.sealed(&["backup", "create"]), 2).contains("are not encrypted"));
}

#[tokio::test]
async fn secrets_that_nobody_could_read_are_not_restored_silently() {
    let world = World::new().await;
    world.secret("K", "hush").await;
    world.shop.deploy("/k", r#"secrets::get("K")"#).await;
    let ended = finish(world.command(&["backup", "create"]));
    assert!(ended.status.success() && ended.stderr.contains("cannot be read without secret.key"), "{ended:?}");
    let target = Database::create().await;
    let said = refused(world.restore(&target, &[]), 2);
    assert!(said.contains("secret.key") && said.contains("--without-secrets"), "{said}");
    assert!(!world.scratch.data().join("files").exists(), "nothing was begun");
    // The key of the instance beside it is enough, whichever way it comes.
    let key = std::fs::read_to_string(world.app.data_dir().join("secret.key")).expect("a key file");
    let mut with_setting = world.restore(&target, &[]);
    with_setting.env("PICLOUD_SECRET_KEY", key.lines().nth(1).expect("a key"));
    assert_eq!(told(&finish(with_setting))["secrets"], 1);
    assert!(!world.scratch.data().join("secret.key").exists());
    let mut other = world.restore(&target, &["--replace"]);
    other.env("PICLOUD_SECRET_KEY", "11".repeat(32));
    assert!(refused(other, 2).contains("PICLOUD_SECRET_KEY holds"));
    let restored = told(&finish(world.restore(&target, &["--replace", "--without-secrets"])));
    assert_eq!((&restored["secrets"], contents(&target).await["secrets"].0), (&json!(0), 0));
    // In the clear only when told.
    assert_eq!(world.create(&["--with-key"])["keys"], true);
    assert_eq!(told(&finish(world.restore(&target, &["--replace"])))["keys_placed"], true);
    let placed = std::fs::read_to_string(world.scratch.data().join("secret.key")).expect("a key file");
    assert_eq!(placed, key);
}

#[tokio::test]
async fn a_key_that_is_there_is_kept_behind_the_one_that_comes() {
    let world = World::new().await;
    world.secret("K", "hush").await;
    world.create(&["--with-key"]);
    let own = format!("picloud master keys 1\n{}\n", "11".repeat(32));
    std::fs::write(world.scratch.data().join("secret.key"), &own).expect("a file");
    std::fs::set_permissions(world.scratch.data().join("secret.key"), std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .expect("chmod");
    let target = Database::create().await;
    told(&finish(world.restore(&target, &[])));
    let placed = std::fs::read_to_string(world.scratch.data().join("secret.key")).expect("a key file");
    let theirs = std::fs::read_to_string(world.app.data_dir().join("secret.key")).expect("a key file");
    assert_eq!(placed, format!("{theirs}{}\n", "11".repeat(32)));
}

#[tokio::test]
async fn one_backup_at_a_time() {
    let world = World::new().await;
    world.create(&[]);
    let pool = picloud::store::connect(world.app.database.url().parse().expect("a URL")).await.expect("a pool");
    let mut other = picloud::store::begin(&pool).await.expect("a transaction");
    assert!(picloud::store::backup::be_alone(&mut other).await.expect("an answer"));
    assert!(refused(world.command(&["backup", "create"]), 12).contains("another backup of this database"));
    other.rollback().await.expect("let go");
    let directory =
        picloud::repository::Repository::open(&world.directory(), None, picloud::repository::Access::Write).expect("open");
    assert!(refused(world.command(&["backup", "create"]), 12).contains("another picloud makes a backup"));
    assert!(refused(world.command(&["backup", "prune"]), 12).contains("another picloud"));
    drop(directory);
    world.create(&[]);
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let world = World::new().await;
    assert!(refused(world.command(&["backup", "list"]), 9).contains("there are no backups in"));
    assert!(refused(world.command(&["restore"]), 9).contains("there are no backups in"));
    let mut nowhere = world.command(&["backup", "create"]);
    nowhere.env_remove("PICLOUD_BACKUP_DIR");
    assert!(refused(nowhere, 2).contains("PICLOUD_BACKUP_DIR"));
    world.create(&[]);
    let target = Database::create().await;
    assert!(refused(world.restore(&target, &["--snapshot", "19990101"]), 9).contains("no snapshot"));
    for rules in ["", "last=0", "hourly=3"] {
        assert!(refused(world.command(&["backup", "prune", "--keep", rules]), 2).contains("what to keep"), "{rules}");
    }
}

#[tokio::test]
async fn files_of_another_data_directory_are_not_taken_for_lost() {
    let world = World::new().await;
    world.shop.run(r#"files::collection("c").create("f", blob(10, 1))"#).await.expect(200);
    let mut elsewhere = world.command(&["backup", "create"]);
    elsewhere.env("PICLOUD_DATA_DIR", world.scratch.data()).env("PICLOUD_SECRET_KEY", "11".repeat(32));
    assert!(refused(elsewhere, 9).contains("name the data directory of a node"));
    assert!(!world.scratch.data().join("files").exists());
}
