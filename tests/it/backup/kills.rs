//! A backup, a pruning and a restore, killed at any moment.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use super::{World, contents, files, quiet, told};
use crate::support::cluster::Database;
use crate::support::process::finish;

const ROUNDS: u32 = 16;

/// Starts the command and kills it at a moment nobody chose, at the latest after `within`.
async fn killed(mut command: Command, within: Duration) {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary starts");
    tokio::time::sleep(within.mul_f64(rand::random_range(0.0..1.0))).await;
    child.kill().expect("SIGKILL");
    child.wait().expect("it is gone");
}

async fn filled() -> World {
    let world = World::new().await;
    for n in 0..3 {
        let source = format!(
            r#"let c = kv::collection("c"); for n in 0..150 {{ c.set(`{n}-${{n}}`, hex::encode(random::bytes(4000))); }}
            let f = files::collection("c"); for n in 0..6 {{ f.create(`{n}-${{n}}`, random::bytes(60000)); }}"#
        );
        world.shop.run_with(&source, json!({ "limits": { "fuel": 5_000_000_000_u64 } })).await.expect(200);
    }
    world
}

#[tokio::test]
async fn a_backup_that_is_killed_leaves_the_others_whole() {
    let world = filled().await;
    let began = Instant::now();
    world.create(&[]);
    let took = began.elapsed();
    for round in 0..ROUNDS {
        world.shop.run(&format!(r#"files::collection("c").create("r{round}", random::bytes(50000));"#)).await.expect(200);
        killed(world.command(&["backup", "create"]), took).await;
        if round % 4 == 0 {
            killed(world.command(&["backup", "prune", "--keep", "last=2"]), took).await;
        }
        let verified = told(&finish(world.command(&["backup", "verify", "--json"])));
        assert_eq!(verified["damaged"], 0, "round {round}: {verified}");
        assert!(verified["snapshots"].as_u64() >= Some(1), "round {round}");
    }
    let (made, before) = quiet(&world, || world.create(&[])).await;
    assert_eq!(made["files"], 18 + ROUNDS);
    told(&finish(world.command(&["backup", "prune", "--keep", "last=1", "--json"])));
    let drafts = std::fs::read_dir(world.directory().join("incoming")).expect("a directory").count();
    assert_eq!(drafts, 0);
    let target = Database::create().await;
    told(&finish(world.restore(&target, &[])));
    assert_eq!(contents(&target).await, before);
    assert_eq!(files(&world.scratch.data()), files(world.app.data_dir()));
}

#[tokio::test]
async fn a_restore_that_is_killed_leaves_the_database_as_it_was() {
    let world = filled().await;
    let (_, whole) = quiet(&world, || world.create(&["--with-key"])).await;
    let target = Database::create().await;
    let empty = contents(&target).await;
    let began = Instant::now();
    told(&finish(world.restore(&target, &[])));
    let took = began.elapsed();
    assert_eq!(contents(&target).await, whole);
    let (mut none, mut all) = (0, 0);
    for round in 0..ROUNDS {
        let target = Database::create().await;
        killed(world.restore(&target, &[]), took).await;
        // The server notices that its client is gone once it has something to say.
        let found = crate::support::eventually("the transaction has ended", Duration::from_secs(20), async || {
            let others: i64 = sqlx::query_scalar(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
            )
            .fetch_one(&mut target.connect().await)
            .await
            .expect("a count");
            if others == 0 { Some(contents(&target).await) } else { None }
        })
        .await;
        assert!(found == empty || found == whole, "round {round}: half a restore");
        if found == whole {
            all += 1
        } else {
            none += 1
        }
        // Whatever it left, the next one is a whole one.
        told(&finish(world.restore(&target, &["--replace"])));
        assert_eq!(contents(&target).await, whole, "round {round}");
        assert!(!world.scratch.data().join("files/restoring").exists(), "round {round}");
    }
    println!("{ROUNDS} kills: {none} left nothing, {all} came too late");
    assert!(none > 0);
}
