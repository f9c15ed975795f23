//! Whatever happens to the bytes of a backup is found, and bad bytes elsewhere do not prevent one.

use std::path::PathBuf;

use picloud::repository::{Access, Repository};
use serde_json::json;

use super::{World, contents, files, refused, told};
use crate::support::cluster::Database;
use crate::support::process::finish;
use crate::support::sources::walk;

async fn filled() -> World {
    let world = World::new().await;
    world
        .shop
        .run(r#"let f = files::collection("c"); f.create("f", blob(300000, 1)); f.create("g", blob(10, 2));"#)
        .await
        .expect(200);
    world.create(&[]);
    world
}

/// What counts: locks hold nothing.
fn pieces(world: &World) -> Vec<PathBuf> {
    let directory = world.directory();
    let all = walk(&directory).into_iter().filter(|name| !["lock", "writing"].iter().any(|lock| name.as_os_str() == *lock));
    all.map(|name| directory.join(name)).collect()
}

#[tokio::test]
async fn a_flipped_byte_is_found_in_whatever_file_it_is() {
    let world = filled().await;
    let target = Database::create().await;
    let before = contents(&target).await;
    let pieces = pieces(&world);
    assert!(pieces.len() > 20, "{}", pieces.len());
    for (n, file) in pieces.iter().enumerate() {
        let whole = std::fs::read(file).expect("a file");
        let mut other = whole.clone();
        let at = rand::random_range(0..other.len());
        other[at] ^= 1 << rand::random_range(0..8);
        std::fs::write(file, &other).expect("written");
        let said = refused(world.command(&["backup", "verify"]), 1);
        assert!(said.contains("damage"), "{} at {at}: {said}", file.display());
        // A restore reads the same, and does nothing by halves.
        if n % 8 == 0 {
            refused(world.restore(&target, &[]), 1);
            assert_eq!(contents(&target).await, before, "{}", file.display());
            assert!(files(&world.scratch.data()).is_empty(), "{}", file.display());
        }
        std::fs::write(file, &whole).expect("written");
    }
    let verified = told(&finish(world.command(&["backup", "verify", "--json"])));
    assert_eq!((&verified["damaged"], &verified["snapshots"]), (&json!(0), &json!(1)));
    told(&finish(world.restore(&target, &[])));
}

#[tokio::test]
async fn what_is_damaged_can_be_written_anew() {
    let world = filled().await;
    let hashes: Vec<Vec<u8>> = sqlx::query_scalar("SELECT pieces_sha256 FROM files ORDER BY name")
        .fetch_all(&mut world.app.database.connect().await)
        .await
        .expect("two files");
    let repository = Repository::open(&world.directory(), None, Access::Read).expect("a repository");
    let chunk = |hashes: &[u8]| {
        let name = repository.address_of_pieces(hashes).to_string();
        world.directory().join("chunks").join(&name[..2]).join(name)
    };
    std::fs::write(chunk(&hashes[0]), b"gone bad").expect("written");
    std::fs::remove_file(chunk(&hashes[1])).expect("removed");
    drop(repository);
    let said = refused(world.command(&["backup", "verify"]), 1);
    assert!(said.contains("2 damages") && said.contains("--discard-damaged"), "{said}");
    let said = refused(world.command(&["backup", "verify", "--discard-damaged"]), 1);
    assert!(said.contains("chunks were removed"), "{said}");
    world.create(&[]);
    // Of the older backup too: what it needs is what there still is.
    let verified = told(&finish(world.command(&["backup", "verify", "--json"])));
    assert_eq!((&verified["damaged"], &verified["snapshots"]), (&json!(0), &json!(2)));
}

#[tokio::test]
async fn a_file_that_is_lost_on_the_disk_does_not_keep_the_others_from_a_backup() {
    let world = World::new().await;
    world
        .shop
        .run(r#"let f = files::collection("c"); f.create("damaged", blob(300000, 1)); f.create("missing", blob(10, 2)); f.create("fine", blob(20, 3));"#)
        .await
        .expect(200);
    for (path, bytes) in files(world.app.data_dir()) {
        let volume =
            std::fs::read_dir(world.app.data_dir().join("files")).expect("files").next().expect("a volume").expect("a name");
        match bytes.len() {
            300_000 => std::fs::write(volume.path().join(path), vec![9; 300_000]).expect("written"),
            10 => std::fs::remove_file(volume.path().join(path)).expect("removed"),
            _ => {}
        }
    }
    let said = refused(world.command(&["backup", "create"]), 1);
    assert!(said.contains("but for 2 files"), "{said}");
    let listed = told(&finish(world.command(&["backup", "list", "--json"])));
    assert_eq!((&listed["items"][0]["files"], &listed["items"][0]["files_lost"]), (&json!(3), &json!(2)));
    let verified = told(&finish(world.command(&["backup", "verify", "--json"])));
    assert_eq!((&verified["damaged"], &verified["files_lost"]), (&json!(0), &json!(2)));
    let target = Database::create().await;
    let restored = told(&finish(world.restore(&target, &[])));
    assert_eq!((&restored["files"], &restored["files_lost"]), (&json!(1), &json!(2)));
    assert_eq!(files(&world.scratch.data()).into_values().collect::<Vec<_>>(), [vec![3; 20]]);
    assert_eq!(contents(&target).await["files"].0, 3);
}

#[tokio::test]
async fn pruning_leaves_what_the_others_need() {
    let world = filled().await;
    world.shop.run(r#"let f = files::collection("c"); f.delete("g"); f.create("h", blob(1000, 7));"#).await.expect(200);
    world.create(&[]);
    world.shop.run(r#"files::collection("c").delete("f");"#).await.expect(200);
    let last = world.create(&[]);
    let would = told(&finish(world.command(&["backup", "prune", "--keep", "last=1", "--dry-run", "--json"])));
    assert_eq!((would["gone"].as_array().map(Vec::len), &would["chunks"]), (Some(2), &json!(0)));
    let before = pieces(&world).len();
    let pruned = told(&finish(world.command(&["backup", "prune", "--keep", "last=1", "--json"])));
    assert_eq!((&pruned["snapshots"], &pruned["stay"]), (&json!(2), &json!([last["snapshot"]])));
    assert_eq!(before - pieces(&world).len(), pruned["chunks"].as_u64().expect("a number") as usize + 2);
    assert_eq!(told(&finish(world.command(&["backup", "verify", "--json"])))["damaged"], 0);
    let target = Database::create().await;
    told(&finish(world.restore(&target, &[])));
    assert_eq!(files(&world.scratch.data()).into_values().collect::<Vec<_>>(), [vec![7; 1_000]]);
}
