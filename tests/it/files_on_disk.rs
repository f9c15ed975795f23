//! Files as they lie on disk: where, what damage means, and what is left behind.

use std::path::PathBuf;
use std::time::Duration;

use chrono::TimeDelta;
use picloud::clock::Clock;
use picloud::id::{AppId, BlobId};
use picloud::limits;
use picloud::service::Services;
use picloud::service::files::sweep::{Swept, sweep};
use picloud::store;
use serde_json::{Value, json};

use crate::support::sources::walk;
use crate::support::{TestApp, app, eventually};

/// Every file in the directory of files, parts included.
pub(crate) fn blobs(app: &TestApp) -> Vec<PathBuf> {
    let files = app.scratch.path().join("files");
    walk(&files).into_iter().map(|path| files.join(path)).collect()
}

/// The one directory of a database's files, and an app's in it.
fn home(app: &TestApp, tenant: &str) -> PathBuf {
    let mut volumes = std::fs::read_dir(app.scratch.path().join("files")).expect("files/");
    let volume = volumes.next().expect("a volume").expect("an entry").path();
    assert!(volumes.next().is_none(), "one volume");
    volume.join(tenant)
}

#[tokio::test]
async fn no_name_becomes_a_path() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let long = "x".repeat(limits::FILE_NAME_BYTES_MAX);
    let names = [
        ".",
        "..",
        "../x",
        "../../x",
        "../../../../../../tmp/x",
        "/etc/passwd",
        "/",
        "//",
        "a/../../b",
        "a/b/c",
        "~",
        "~/x",
        "a\\b",
        "C:\\x",
        "con",
        "x.part",
        "*",
        "%2e%2e%2f",
        "\u{202e}x",
        "\n",
        " ",
        "\u{ff0e}\u{ff0e}/",
        "-rf",
        "$(id)",
        &long,
    ];
    for name in names {
        let literal = serde_json::to_string(name).expect("JSON").replace("\\u202e", "\u{202e}");
        let got = shop
            .value(&format!(
                r#"let n = json::parse(`[{literal}]`)[0]; let c = files::collection(n.sub_string(0, 99)); c.create(n, n); [c.get(n).content.as_string(), c.list().items.map(|file| file.name)]"#
            ))
            .await;
        assert_eq!(got, json!([name, [name]]), "{name:?}");
    }
    let home = home(&app, &shop.id);
    let stored = blobs(&app);
    assert_eq!(stored.len(), names.len());
    for path in stored {
        let [shard, blob] = [1, 0].map(|n| path.components().rev().nth(n).expect("a part").as_os_str().to_str().expect("UTF-8"));
        assert!(path == home.join(shard).join(blob) && blob.parse::<BlobId>().is_ok() && blob.ends_with(shard), "{path:?}");
    }
    let mut beside: Vec<_> =
        std::fs::read_dir(app.scratch.path()).expect("a directory").map(|e| e.expect("an entry").file_name()).collect();
    beside.sort();
    assert_eq!(beside, ["files", "secret.key"], "nothing of a file's is beside their directory");
}

#[tokio::test]
async fn damaged_and_missing_bytes_are_corrupt_and_can_be_replaced() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let piece = limits::FILE_PIECE_BYTES;
    shop.run(&format!(r#"files::collection("c").create("f", blob({}, 1))"#, 2 * piece)).await.expect(200);
    let [path] = blobs(&app).try_into().expect("one blob");
    let whole = std::fs::read(&path).expect("a blob");
    let mut damaged = whole.clone();
    damaged[piece] ^= 0x80;
    std::fs::write(&path, &damaged).expect("damage");
    let code = async |call: &str| shop.caught(&format!(r#"files::collection("c").{call}"#)).await["code"].clone();
    assert_eq!(code(r#"get("f")"#).await, "corrupt");
    assert_eq!(code(&format!(r#"get_range("f", {piece}, 1)"#)).await, "corrupt");
    assert_eq!(code(r#"get_range("f", 0, 10)"#).await, Value::Null, "the other piece is whole");
    assert_eq!(code(r#"head("f")"#).await, Value::Null);

    std::fs::write(&path, &whole[..piece]).expect("damage");
    assert_eq!(code(r#"get("f")"#).await, "corrupt");
    std::fs::remove_file(&path).expect("damage");
    assert_eq!(code(r#"get("f")"#).await, "corrupt");
    assert_eq!(code(r#"get_range("f", 0, 10)"#).await, "corrupt");

    assert_eq!(
        shop.value(r#"let c = files::collection("c"); c.update("f", "new"); c.get("f").content.as_string()"#).await,
        "new"
    );
    assert_eq!(blobs(&app).len(), 1);
}

#[tokio::test]
async fn a_disk_that_fails_is_unavailable() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let home = home(&app, &shop.id);
    std::fs::write(&home, "in the way").expect("a file");
    let caught = shop.caught(r#"files::collection("c").create("f", "x")"#).await;
    assert_eq!(caught["code"], "unavailable", "{caught}");
    assert!(!caught["message"].as_str().expect("a message").contains("os error"), "the cause is the owner's to read: {caught}");
    std::fs::remove_file(&home).expect("out of the way");
    assert_eq!(shop.value(r#"files::collection("c").list().items"#).await, json!([]), "nothing was done");
    shop.run(r#"files::collection("c").create("f", "x")"#).await.expect(200);
}

#[tokio::test]
async fn updates_and_deletes_leave_no_bytes_behind() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.run(r#"let c = files::collection("c"); c.create("a", "1"); c.update("a", "2"); c.create("b", "3"); c.delete("b");"#)
        .await
        .expect(200);
    let [path] = blobs(&app).try_into().expect("one blob");
    assert_eq!(std::fs::read_to_string(path).expect("a blob"), "2");
    // What is refused has written for nothing.
    shop.caught(r#"files::collection("c").create("a", blob(300000, 1))"#).await;
    shop.caught(r#"files::collection("c").update("nobody", blob(300000, 1))"#).await;
    eventually("what was refused is removed", Duration::from_secs(10), async || (blobs(&app).len() == 1).then_some(())).await;
}

#[tokio::test]
async fn a_deadline_leaves_nothing_half_done() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.deploy_with(
        "/hurry/:n",
        r#"let c = files::collection("c"); for i in 0..400 { c.create(`${ctx.request.params.n}/${i}`, blob(600000, i % 256)); }"#,
        json!({ "limits": { "timeout_ms": 60, "fuel": 20_000_000_000_u64, "memory_mb": 64 } }),
    )
    .await;
    for n in 0..8 {
        shop.get(&format!("/hurry/{n}")).await.fails(504, "deadline_exceeded");
    }
    let named = shop.value(r#"files::collection("c").list(#{ limit: 1000 }).items.map(|file| file.size)"#).await;
    let named = named.as_array().expect("sizes");
    assert!(named.iter().all(|size| size == 600_000), "{named:?}");
    // A commit that was under way when the deadline came stands or not; the sweep knows.
    let services = &app.services;
    eventually("each blob is a file's", Duration::from_secs(20), async || {
        sweep(services, services.now() + TimeDelta::hours(1)).await.expect("a sweep");
        let rows = shop.value(r#"files::collection("c").list(#{ limit: 1000 }).items.len()"#).await;
        (blobs(&app).len() as u64 == rows.as_u64().expect("a count")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_app_takes_its_files_with_it() {
    let app = TestApp::start().await;
    let (one, two) = (app.create_app("one").await, app.create_app("two").await);
    for tenant in [&one, &two] {
        tenant.run(r#"files::collection("c").create("f", "x")"#).await.expect(200);
    }
    app.delete("/admin/apps/one?force=true").await.expect(204);
    eventually("its directory is gone", Duration::from_secs(10), async || (!home(&app, &one.id).exists()).then_some(())).await;
    assert_eq!(two.value(r#"files::collection("c").get("f").content.as_string()"#).await, "x");
    let again = app.create_app("one").await;
    assert_eq!(again.value(r#"files::collection("c").list().items"#).await, json!([]));
}

#[tokio::test]
async fn a_sweep_removes_what_no_row_names_once_it_is_old() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.run(r#"let c = files::collection("c"); c.create("a", "kept"); c.create("b", "kept too");"#).await.expect(200);
    let services = &app.services;
    let now = services.now();
    assert_eq!(sweep(services, now + TimeDelta::days(1)).await.expect("a sweep"), Swept { removed: 0, young: 0 });

    let age = TimeDelta::seconds(limits::FILE_LEFTOVER_S);
    let plant = |begun, suffix: &str, tenant: &str| {
        let blob = BlobId::at(begun).to_string();
        let path = home(&app, tenant).join(&blob[blob.len() - 2..]).join(format!("{blob}{suffix}"));
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        std::fs::write(&path, b"left").expect("a leftover");
        path
    };
    let young = [plant(now - age + TimeDelta::seconds(60), "", &shop.id), plant(now, ".part", &shop.id)];
    let old = [plant(now - age, "", &shop.id), plant(now - age, ".part", &shop.id)];
    let foreign = home(&app, &shop.id).join("00").join("notes.txt");
    std::fs::create_dir_all(foreign.parent().expect("a directory")).expect("a directory");
    std::fs::write(&foreign, b"somebody's").expect("a file");
    let gone = plant(now, "", &AppId::at(now).to_string());

    assert_eq!(sweep(services, now).await.expect("a sweep"), Swept { removed: 3, young: 2 });
    assert!(young.iter().all(|path| path.exists()) && !old.iter().any(|path| path.exists()) && !gone.exists());
    assert_eq!(sweep(services, now + age).await.expect("a sweep"), Swept { removed: 2, young: 0 });
    assert!(!young.iter().any(|path| path.exists()) && foreign.exists());
    assert_eq!(
        shop.value(r#"let c = files::collection("c"); [c.get("a").content.as_string(), c.get("b").content.as_string()]"#).await,
        json!(["kept", "kept too"])
    );
}

#[tokio::test]
async fn two_databases_with_one_data_directory_keep_apart() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.run(r#"files::collection("c").create("f", "mine")"#).await.expect(200);
    let other = crate::support::cluster::Database::create().await;
    let db = store::connect(other.url().parse().expect("a database URL")).await.expect("the database answers");
    let services = Services::connect(db, Clock::system(), app::settings(app.scratch.path())).await.expect("services");
    let swept = sweep(&services, services.now() + TimeDelta::days(1)).await.expect("a sweep");
    assert_eq!(swept, Swept { removed: 0, young: 0 });
    assert_eq!(shop.value(r#"files::collection("c").get("f").content.as_string()"#).await, "mine");
}
