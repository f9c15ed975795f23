//! `picloud keys rotate`, as an operator runs it, and killed at any moment.

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use picloud::clock::Clock;
use picloud::id::AppId;
use picloud::model::secret::Secret;
use picloud::service::{self, Services};
use picloud::store;
use serde_json::{Value, json};

use crate::support::app::{compiled, settings};
use crate::support::process::{Ended, Scratch, finish, picloud};
use crate::support::{Server, TestApp};

const SECRETS: usize = 800;
const ROUNDS: u32 = 25;

/// The command on the database and in the data directory of a node of the test's.
fn rotate(scratch: &Scratch, app: &TestApp, args: &[&str]) -> Command {
    let mut command = picloud(scratch, &["keys", "rotate"]);
    command.args(args).env("DATABASE_URL", app.database.url()).env("PICLOUD_DATA_DIR", app.data_dir());
    command
}

fn told(ended: &Ended) -> Value {
    assert!(ended.status.success(), "{ended:?}");
    serde_json::from_str(&ended.stdout).expect("one JSON document")
}

async fn filled(app: &TestApp) -> AppId {
    let id = app.create_app("shop").await.id.parse().expect("an id");
    for i in 0..SECRETS {
        let secret = Secret::new(format!("value {i}"));
        service::secrets::set(&app.services, id, &format!("s{i}"), &secret).await.expect("set");
    }
    id
}

async fn read_all(s: &Services, id: AppId, when: &str) {
    for i in 0..SECRETS {
        let secret = service::secrets::get(s, id, &format!("s{i}")).await;
        let secret = secret.unwrap_or_else(|error| panic!("{when}: s{i}: {error:?}"));
        assert_eq!(secret.expect("it is there").expose(), format!("value {i}"), "{when}");
    }
}

async fn started(app: &TestApp) -> Services {
    let db = store::connect(app.database.url().parse().expect("a database URL")).await.expect("the database answers");
    Services::connect(db, Clock::system(), settings(app.data_dir())).await.expect("a node starts")
}

/// Keys, and secrets under the last of them.
async fn state(app: &TestApp) -> (i64, i64) {
    let mut db = app.database.connect().await;
    sqlx::query_as(
        "SELECT (SELECT count(*) FROM data_keys),
                (SELECT count(*) FROM secrets WHERE data_key_id = (SELECT id FROM data_keys ORDER BY number DESC LIMIT 1))",
    )
    .fetch_one(&mut db)
    .await
    .expect("a count")
}

/// Starts the command and kills it at a moment nobody chose, at the latest after `within`.
async fn killed(mut command: Command, within: Duration) {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary starts");
    tokio::time::sleep(within.mul_f64(rand::random_range(0.0..1.0))).await;
    child.kill().expect("SIGKILL");
    child.wait().expect("it is gone");
}

#[tokio::test]
async fn a_rotation_killed_at_any_moment_leaves_every_secret_readable_and_a_repeat_completes_it() {
    let (app, scratch) = (TestApp::start().await, Scratch::new());
    let id = filled(&app).await;
    let began = Instant::now();
    let whole = told(&finish(rotate(&scratch, &app, &["--json"])));
    let took = began.elapsed();
    assert_eq!((&whole["secrets"], &whole["resumed"], &whole["data_keys_dropped"]), (&json!(SECRETS), &json!(false), &json!(1)));
    let mut cut_short = 0;
    for round in 0..ROUNDS {
        killed(rotate(&scratch, &app, &[]), took).await;
        let (keys, under_the_last) = state(&app).await;
        cut_short += u32::from(keys > 1 && under_the_last > 0 && under_the_last < SECRETS as i64);
        assert!((1..=2).contains(&keys), "round {round}: {keys} keys");
        read_all(&app.services, id, &format!("round {round}")).await;
    }
    assert!(cut_short > 0, "no round was killed in the middle of its work");
    let (keys, _) = state(&app).await;
    let last = told(&finish(rotate(&scratch, &app, &["--json"])));
    assert_eq!(last["resumed"], keys > 1, "{last}");
    assert_eq!(state(&app).await, (1, SECRETS as i64));
    read_all(&app.services, id, "at the end").await;
    read_all(&started(&app).await, id, "after a start").await;
}

#[tokio::test]
async fn a_new_master_key_killed_at_any_moment_locks_nobody_out() {
    let (app, scratch) = (TestApp::start().await, Scratch::new());
    let id = filled(&app).await;
    let file = app.data_dir().join("secret.key");
    let keys = || std::fs::read_to_string(&file).expect("a key file").lines().count() - 1;
    let first = std::fs::read(&file).expect("a key file");
    let began = Instant::now();
    told(&finish(rotate(&scratch, &app, &["--master", "--json"])));
    let took = began.elapsed();
    assert_ne!(std::fs::read(&file).expect("a key file"), first);
    for round in 0..ROUNDS {
        killed(rotate(&scratch, &app, &["--master"]), took).await;
        assert!((1..=2).contains(&keys()), "round {round}");
        assert_eq!(std::fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o600);
        // Both a node that runs and one that starts.
        let one = service::secrets::get(&app.services, id, "s0").await.expect("it opens").expect("it is there");
        assert_eq!(one.expose(), "value 0");
        read_all(&started(&app).await, id, &format!("round {round}")).await;
    }
    told(&finish(rotate(&scratch, &app, &["--master", "--json"])));
    assert_eq!(keys(), 1);
    read_all(&app.services, id, "at the end").await;
}

#[tokio::test]
async fn a_rotation_works_beside_a_node_and_without_one() {
    let scratch = Scratch::prepared().await;
    let server = Server::dev(&scratch).await;
    let shop = server.client.create_app("shop").await;
    server.client.put("/admin/apps/shop/secrets/k", json!({ "value": "kept" })).await.expect(201);
    shop.deploy("/k", r#"secrets::get("k")"#).await;
    let mut keys = Vec::new();
    for args in [&["--json"][..], &["--master", "--json"], &["--json"]] {
        let mut command = picloud(&scratch, &["keys", "rotate"]);
        command.args(args);
        let ended = finish(command);
        assert!(ended.stderr.contains("a node runs"), "{ended:?}");
        keys.push(told(&ended)["master_key"].clone());
        assert_eq!(shop.get("/k").await.expect(200).json(), "kept");
    }
    assert!(keys[0] != keys[1] && keys[1] == keys[2], "{keys:?}");
    server.stop();
    let alone = told(&finish(picloud(&scratch, &["keys", "rotate", "--json"])));
    assert_eq!((&alone["secrets"], &alone["master_key"]), (&json!(1), &keys[2]));
    let again = Server::dev(&scratch).await;
    assert_eq!(again.client.call("shop.localhost", "GET", "/k", "", &[]).await.expect(200).json(), "kept");
    assert!(!again.output().contains("kept"));
    again.stop();
}

#[tokio::test]
async fn a_key_that_cannot_be_used_is_told_in_one_line() {
    let (app, scratch) = (TestApp::start().await, Scratch::new());
    let id: AppId = app.create_app("shop").await.id.parse().expect("an id");
    service::secrets::set(&app.services, id, "k", &Secret::new("x".to_owned())).await.expect("set");
    let (artifacts, compiled) = (app.data_dir().join("artifacts"), compiled().await);
    std::fs::create_dir_all(&artifacts).expect("a directory");
    for made in [compiled.with_extension("json"), compiled] {
        std::fs::copy(&made, artifacts.join(made.file_name().expect("a name"))).expect("a copy");
    }
    let file = app.data_dir().join("secret.key");
    let other = "22".repeat(32);
    let refused = |change: &dyn Fn(&mut Command), code: i32, words: &[&str]| {
        for args in [&["keys", "rotate"][..], &["keys", "rotate", "--master"], &["serve"]] {
            let mut command = picloud(&scratch, args);
            command.env("DATABASE_URL", app.database.url()).env("PICLOUD_DATA_DIR", app.data_dir());
            change(&mut command);
            let ended = finish(command);
            let line = ended.stderr.lines().find(|line| line.starts_with("picloud: ")).unwrap_or_default().to_owned();
            assert_eq!(ended.status.code(), Some(code), "{args:?}: {ended:?}");
            assert!(words.iter().all(|word| line.contains(word)), "{args:?}: {words:?}: {line}");
            assert!(!ended.stderr.contains(&other), "{ended:?}");
        }
    };
    let held = app.services.vault.master_key_id();
    let set = |value: String| move |command: &mut Command| _ = command.env("PICLOUD_SECRET_KEY", &value);
    refused(&set(other.clone()), 3, &[&held, "PICLOUD_SECRET_KEY"]);
    refused(&set(format!("{other}x")), 2, &["PICLOUD_SECRET_KEY", "openssl"]);
    let path = file.to_str().expect("UTF-8").to_owned();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).expect("chmod");
    refused(&|_| {}, 3, &[&path, "chmod 600"]);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("chmod");
    let whole = std::fs::read(&file).expect("a key file");
    std::fs::write(&file, &whole[..whole.len() / 2]).expect("half a file");
    refused(&|_| {}, 3, &[&path, "cut short"]);
    std::fs::write(&file, &whole).expect("the whole file");

    let text = String::from_utf8(whole).expect("UTF-8");
    let key = text.lines().nth(1).expect("a key").to_owned();
    let single = finish({
        let mut command = rotate(&scratch, &app, &["--master"]);
        command.env("PICLOUD_SECRET_KEY", &key);
        command
    });
    assert_eq!(single.status.code(), Some(2), "{single:?}");
    assert!(single.stderr.contains("NEW,OLD") && !single.stderr.contains(&key), "{single:?}");
    let both = finish({
        let mut command = rotate(&scratch, &app, &["--master", "--json"]);
        command.env("PICLOUD_SECRET_KEY", format!("{other},{key}"));
        command
    });
    assert_eq!(told(&both)["data_keys_wrapped"], 1);
    let now = finish({
        let mut command = rotate(&scratch, &app, &["--json"]);
        command.env("PICLOUD_SECRET_KEY", &other);
        command
    });
    assert_eq!(told(&now)["secrets"], 1);

    let mut nowhere = picloud(&scratch, &["keys", "rotate"]);
    nowhere.env("PICLOUD_DATA_DIR", scratch.path().join("none"));
    let nowhere = finish(nowhere);
    assert_eq!(nowhere.status.code(), Some(3), "{nowhere:?}");
    assert!(nowhere.stderr.contains("PICLOUD_DATA_DIR") && !scratch.path().join("none").exists(), "{nowhere:?}");
}
