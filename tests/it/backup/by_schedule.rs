//! A node makes backups by itself, behind its walls, and says so when it cannot.

use std::time::Duration;

use serde_json::Value;

use super::{PASSPHRASE, World, told};
use crate::support::cluster::Database;
use crate::support::process::{Scratch, finish, picloud};
use crate::support::{Server, eventually};

const EVERY_SECOND: &str = "* * * * * *";

async fn node(scratch: &Scratch, database: &Database, directory: &str) -> Server {
    let data = scratch.data();
    let environment = [
        ("PICLOUD_DATA_DIR", data.to_str().expect("UTF-8")),
        ("PICLOUD_BACKUP_DIR", directory),
        ("PICLOUD_BACKUP_SCHEDULE", EVERY_SECOND),
        ("PICLOUD_BACKUP_KEEP", "last=2"),
        ("PICLOUD_BACKUP_PASSPHRASE", PASSPHRASE),
    ];
    Server::serve(scratch, database, &environment).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_makes_backups_by_its_schedule_and_removes_old_ones() {
    let (scratch, database) = (Scratch::prepared().await, Database::create().await);
    let backups = scratch.path().join("backups");
    let server = node(&scratch, &database, backups.to_str().expect("UTF-8")).await;
    let shop = server.client.create_app("shop").await;
    shop.run(r#"files::collection("c").create("f", blob(10, 1))"#).await.expect(200);
    let listed = || {
        let mut command = picloud(&scratch, &["backup", "list", "--json"]);
        command.arg(&backups).env("PICLOUD_BACKUP_PASSPHRASE", PASSPHRASE);
        finish(command)
    };
    let names = eventually("backups were made, with the file", Duration::from_secs(60), async || {
        let ended = listed();
        let listed: Value = serde_json::from_str(&ended.stdout).ok()?;
        let items = listed["items"].as_array()?;
        let last = items.last()?;
        (items.len() >= 2 && last["files"] == 1 && last["scheduled"] == true && last["keys"] == true)
            .then(|| items.iter().map(|item| item["snapshot"].as_str().expect("a name").to_owned()).collect::<Vec<_>>())
    })
    .await;
    // Old ones go: no more than are kept, and one that was just made.
    eventually("others have come, and those are gone", Duration::from_secs(60), async || {
        let listed: Value = serde_json::from_str(&listed().stdout).ok()?;
        let items = listed["items"].as_array()?;
        let old = items.iter().any(|item| names.iter().any(|name| item["snapshot"] == name.as_str()));
        (!old && items.len() <= 3 && listed["last_success"].is_object() && listed["last_failure"].is_null()).then_some(())
    })
    .await;
    let output = server.output();
    server.stop();
    assert!(output.contains("backed up") && output.contains("removed old backups") && !output.contains("FAILED"), "{output}");
    let mut verify = picloud(&scratch, &["backup", "verify", "--json"]);
    verify.arg(&backups).env("PICLOUD_BACKUP_PASSPHRASE", PASSPHRASE);
    assert_eq!(told(&finish(verify))["damaged"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_that_fails_is_not_silent() {
    let world = World::new().await;
    world.create(&[]);
    // Not encrypted, and a passphrase is set: wrong from the start, and told then.
    let database = Database::create().await;
    let directory = world.directory();
    let server = node(&world.scratch, &database, directory.to_str().expect("UTF-8")).await;
    eventually("the failure is in the log", Duration::from_secs(20), async || {
        server.output().contains("THE BACKUP FAILED").then_some(())
    })
    .await;
    assert!(server.output().contains("backups cannot be made as it is set"), "{}", server.output());
    server.stop();
    let ended = finish(world.command(&["backup", "list"]));
    assert!(ended.status.success() && ended.stderr.contains("the last backup by schedule failed"), "{ended:?}");
    let mut doctor = world.command(&["doctor", "--json"]);
    doctor.env("PICLOUD_BACKUP_SCHEDULE", "0 30 2 * * *").env("PICLOUD_BACKUP_TIMEZONE", "Europe/Berlin");
    let report: Value = serde_json::from_str(&finish(doctor).stdout).expect("JSON");
    assert_eq!(report["backups"]["schedule"], "0 30 2 * * * Europe/Berlin");
    assert!(report["backups"]["trouble"].as_str().is_some_and(|said| said.contains("not encrypted")), "{report}");
    assert!(report["backups"]["newest"].is_string());
}

#[tokio::test]
async fn what_is_set_wrong_is_known_at_the_start() {
    let scratch = Scratch::new();
    let serve = |environment: &[(&str, &str)]| {
        let mut command = picloud(&scratch, &["serve", "--embedded"]);
        command.envs(environment.iter().copied());
        super::refused(command, 2)
    };
    let schedule = ("PICLOUD_BACKUP_SCHEDULE", "0 30 2 * * *");
    assert!(serve(&[schedule]).contains("PICLOUD_BACKUP_DIR"));
    assert!(serve(&[("PICLOUD_BACKUP_SCHEDULE", "daily"), ("PICLOUD_BACKUP_DIR", "/b")]).contains("schedule"));
    assert!(serve(&[schedule, ("PICLOUD_BACKUP_DIR", "/b"), ("PICLOUD_BACKUP_TIMEZONE", "Mars")]).contains("time zone"));
    assert!(serve(&[schedule, ("PICLOUD_BACKUP_DIR", "/b"), ("PICLOUD_BACKUP_KEEP", "all")]).contains("what to keep"));
    assert!(serve(&[schedule, ("PICLOUD_BACKUP_DIR", "/b"), ("PICLOUD_BACKUP_PASSPHRASE", "short")]).contains("passphrase"));
}
