//! The binary as its operator meets it: start, stop, and everything that can be in its way.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use crate::support::client::PASSWORD;
use crate::support::process::{Ended, Scratch, Server, finish, picloud, processes_naming};
use crate::support::sources::walk;

type Fingerprint = BTreeMap<PathBuf, (String, u32, u32)>;

/// Every file below with its content's hash, its mode and its owner.
fn fingerprint(dir: &Path) -> Fingerprint {
    use std::os::unix::fs::MetadataExt as _;
    walk(dir)
        .into_iter()
        .map(|path| {
            let (full, metadata) = (dir.join(&path), std::fs::symlink_metadata(dir.join(&path)).expect("metadata"));
            let content = std::fs::read(full).map(|bytes| blake3::hash(&bytes).to_hex().to_string()).unwrap_or_default();
            (path, (content, metadata.mode(), metadata.uid()))
        })
        .collect()
}

#[track_caller]
fn untouched(after: &Fingerprint, before: &Fingerprint) {
    let changed: Vec<_> = before.keys().chain(after.keys()).filter(|path| before.get(*path) != after.get(*path)).collect();
    assert!(changed.is_empty(), "{changed:?}");
}

/// One clear line, no backtrace, and a code that scripts can see.
#[track_caller]
fn refused(ended: &Ended, words: &[&str]) {
    assert!(!ended.status.success(), "{ended:?}");
    assert!(ended.status.code().is_some(), "not by a signal: {ended:?}");
    let said: Vec<_> = ended.stderr.lines().filter(|line| line.starts_with("picloud: ")).collect();
    assert_eq!(said.len(), 1, "one line says why: {ended:?}");
    for word in words {
        assert!(said[0].to_lowercase().contains(&word.to_lowercase()), "`{word}` in {:?}", said[0]);
    }
    assert!(!ended.stderr.contains("panicked") && !ended.stderr.contains("stack backtrace"), "{ended:?}");
}

#[tokio::test]
async fn a_first_start_makes_an_owner_and_a_hello_app_that_answers() {
    let scratch = Scratch::prepared().await;
    let server = Server::dev(&scratch).await;
    let me = server.client.get("/admin/auth/me").await.expect(200).json();
    assert_eq!(me["role"], "owner");
    let apps = server.client.get("/admin/apps").await.expect(200).json();
    assert!(apps["items"].as_array().expect("items").iter().any(|app| app["slug"] == "hello"), "{apps}");

    // The three curl lines that it prints work when pasted, one after the other.
    let output = crate::support::eventually("it says what to do next", Duration::from_secs(5), async || {
        let output = server.output();
        output.contains("Ctrl-C").then_some(output)
    })
    .await;
    let lines: Vec<_> = output.lines().map(str::trim).filter(|line| line.contains("curl ")).collect();
    assert_eq!(lines.len(), 3, "{output}");
    let pasted = format!("set -e\n{}\n", lines.join("\necho\n"));
    let ran = std::process::Command::new("sh")
        .args(["-c", &pasted])
        .env("PICLOUD_ADMIN_PASSWORD", PASSWORD)
        .env("no_proxy", "*")
        .output()
        .expect("sh");
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{pasted}: {said}{}", String::from_utf8_lossy(&ran.stderr));
    assert!(said.contains("HTTP/1.1 200 OK") && said.contains("picloud-execution-id"), "{said}");
    let last: serde_json::Value =
        serde_json::from_str(said.lines().last().expect("an answer")).unwrap_or_else(|error| panic!("{error}: {said}"));
    assert!(last["items"].as_array().is_some_and(|items| !items.is_empty()), "{last}");
    server.stop();
}

#[tokio::test]
async fn a_generated_password_is_printed_once_and_works() {
    let scratch = Scratch::prepared().await;
    let mut command = picloud(&scratch, &["dev"]);
    command.env_remove("PICLOUD_ADMIN_USERNAME").env_remove("PICLOUD_ADMIN_PASSWORD");
    let server = Server::spawn(&scratch, command);
    let ready = scratch.path().join("ready.json");
    let found: serde_json::Value = crate::support::eventually("it is ready", Duration::from_secs(120), async || {
        serde_json::from_slice(&std::fs::read(&ready).ok()?).ok()
    })
    .await;
    let output = crate::support::eventually("it shows the password", Duration::from_secs(5), async || {
        let output = server.output();
        output.contains("Ctrl-C").then_some(output)
    })
    .await;
    let after = |word: &str| {
        let line = output.lines().find(|line| line.trim_start().starts_with(word)).unwrap_or_else(|| panic!("{word}: {output}"));
        line.split_whitespace().nth(1).expect("a word").to_owned()
    };
    let (username, password) = (after("owner"), after("password"));
    assert!(password.len() >= 16, "{password}");
    let mut client = crate::support::Client::new(found["data"].as_str().expect("a URL"), found["admin"].as_str().expect("a URL"));
    client.login(&username, &password).await;
    server.stop();

    let mut again = picloud(&scratch, &["dev"]);
    again.env_remove("PICLOUD_ADMIN_USERNAME").env_remove("PICLOUD_ADMIN_PASSWORD");
    let before = output.len();
    let second = Server::spawn(&scratch, again);
    crate::support::eventually("it is ready again", Duration::from_secs(120), async || ready.is_file().then_some(())).await;
    assert!(!second.output()[before..].contains(&password), "printed once");
    second.stop();
}

#[tokio::test]
async fn the_next_start_is_fast_and_has_kept_the_data() {
    let scratch = Scratch::prepared().await;
    let server = Server::dev(&scratch).await;
    let shop = server.client.create_app("shop").await;
    shop.deploy(
        "/k",
        r#"let c = kv::collection("c"); if ctx.request.method == "POST" { c.set("k", ctx.request.body); } c.get("k")"#,
    )
    .await;
    shop.post("/k", "kept", "text/plain").await.expect(200);
    let reply = shop.get("/k").await.expect(200);
    shop.record(&reply).await;
    let execution = reply.execution_id().to_owned();
    server.stop();

    let again = Server::dev(&scratch).await;
    // A debug build on a busy machine; a release build is measured by the benches.
    assert!(again.took < Duration::from_secs(10), "{:?}", again.took);
    assert_eq!(again.client.call("shop.localhost", "GET", "/k", "", &[]).await.expect(200).json(), "kept");
    again.client.get(&format!("/executions/{execution}")).await.expect(200);
    again.stop();
}

#[tokio::test]
async fn ctrl_c_ends_everything_cleanly() {
    for signal in [Signal::INT, Signal::TERM] {
        let scratch = Scratch::prepared().await;
        let mut server = Server::dev(&scratch).await;
        assert!(!processes_naming(&scratch.data()).is_empty(), "a database runs in the data directory");
        let shop = server.client.create_app("shop").await;
        shop.deploy_with(
            "/slow",
            "let x = 0; while x < 3000000 { x += 1; } x",
            json!({ "limits": { "fuel": 50_000_000_000_u64 } }),
        )
        .await;
        let running = {
            let shop = shop.clone();
            tokio::spawn(async move { shop.get("/slow").await })
        };
        tokio::time::sleep(Duration::from_millis(50)).await;
        server.signal(signal);
        let reply = running.await.expect("a running request is answered before the end");
        assert_eq!(reply.status, 200, "{}", reply.text());
        let status = tokio::task::spawn_blocking(move || (server.wait(), server)).await.expect("a wait").0;
        assert_eq!(status.code(), Some(0), "{signal:?}");
        assert_eq!(processes_naming(&scratch.data()), Vec::<String>::new(), "{signal:?}");
    }
}

#[tokio::test]
async fn a_second_instance_on_the_same_data_is_told_so() {
    let scratch = Scratch::prepared().await;
    let server = Server::dev(&scratch).await;
    let second = finish(picloud(&scratch, &["dev"]));
    refused(&second, &["another picloud", scratch.data().to_str().expect("UTF-8")]);
    server.client.get("/admin/auth/me").await.expect(200);
    server.stop();
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    for variable in ["PICLOUD_BIND", "PICLOUD_ADMIN_BIND"] {
        let scratch = Scratch::prepared().await;
        let mut command = picloud(&scratch, &["dev"]);
        command.env(variable, &address);
        refused(&finish(command), &[&address]);
        assert_eq!(processes_naming(&scratch.data()), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_data_directory_that_cannot_be_written_is_named() {
    let scratch = Scratch::new();
    // Not even root writes through a file.
    std::fs::write(scratch.data(), "a file").expect("a file");
    refused(&finish(picloud(&scratch, &["dev"])), &[scratch.data().to_str().expect("UTF-8")]);
    assert_eq!(std::fs::read(scratch.data()).expect("still there"), b"a file");

    let scratch = Scratch::new();
    let mut command = picloud(&scratch, &["dev"]);
    command.env("PICLOUD_DATA_DIR", "/proc/self/data");
    refused(&finish(command), &["/proc/self/data"]);
}

#[tokio::test]
async fn a_foreign_data_directory_is_left_alone() {
    for files in
        [&["thesis.txt", "photos/cat.jpg"][..], &["postgres/PG_VERSION", "postgres/base/1"], &["PG_VERSION", "postgresql.conf"]]
    {
        let scratch = Scratch::new();
        for file in files {
            let path = scratch.data().join(file);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
            std::fs::write(path, "precious\n").expect("a file");
        }
        let before = fingerprint(&scratch.data());
        refused(&finish(picloud(&scratch, &["dev"])), &[scratch.data().to_str().expect("UTF-8")]);
        untouched(&fingerprint(&scratch.data()), &before);
    }
}

#[tokio::test]
async fn a_damaged_data_directory_is_left_alone() {
    let scratch = Scratch::prepared().await;
    Server::dev(&scratch).await.stop();
    let control = walk(&scratch.data()).into_iter().find(|path| path.ends_with("global/pg_control")).expect("a cluster");
    let path = scratch.data().join(&control);
    let whole = std::fs::read(&path).expect("pg_control");
    for damage in [whole[..100].to_vec(), vec![0; whole.len()]] {
        std::fs::write(&path, damage).expect("damage");
        let relevant = |tree: Fingerprint| {
            tree.into_iter()
                .filter(|(path, _)| {
                    !path.to_string_lossy().contains("log")
                        && !path.to_string_lossy().contains("lock")
                        && !path.ends_with("postmaster.opts")
                        && !path.ends_with("postmaster.pid")
                })
                .collect::<Fingerprint>()
        };
        let before = relevant(fingerprint(&scratch.data()));
        refused(&finish(picloud(&scratch, &["dev"])), &[scratch.data().to_str().expect("UTF-8")]);
        untouched(&relevant(fingerprint(&scratch.data())), &before);
        assert_eq!(processes_naming(&scratch.data()), Vec::<String>::new());
    }
    std::fs::write(&path, &whole).expect("repair");
    Server::dev(&scratch).await.stop();
}

#[tokio::test]
async fn without_postgresql_one_line_says_what_is_missing() {
    let scratch = Scratch::new();
    let empty = scratch.path().join("bin");
    std::fs::create_dir(&empty).expect("a directory");
    let mut command = picloud(&scratch, &["dev"]);
    command.env("PATH", &empty).env("PICLOUD_POSTGRES_BIN", &empty);
    refused(&finish(command), &[empty.to_str().expect("UTF-8"), "initdb"]);
    assert!(!scratch.data().join("postgres").exists());
}

#[tokio::test]
async fn a_corrupted_artifact_is_rebuilt_and_not_trusted() {
    let scratch = Scratch::new();
    Server::dev(&scratch).await.stop();
    let artifacts: Vec<_> = walk(&scratch.data())
        .into_iter()
        .filter(|path| {
            std::fs::metadata(scratch.data().join(path)).is_ok_and(|m| m.len() > 1 << 20)
                && !path.to_string_lossy().contains("pg_")
                && !path.to_string_lossy().contains("base/")
        })
        .collect();
    assert!(!artifacts.is_empty(), "a compiled component is kept in the data directory");
    for artifact in &artifacts {
        let path = scratch.data().join(artifact);
        let mut bytes = std::fs::read(&path).expect("an artifact");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x55;
        let mode = std::fs::metadata(&path).expect("metadata").permissions().mode();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("chmod");
        std::fs::write(&path, &bytes).expect("damage");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("chmod");
    }
    let server = Server::dev(&scratch).await;
    let shop = server.client.create_app("shop").await;
    assert_eq!(shop.run("6 * 7").await.expect(200).json(), 42);
    server.stop();
}

#[tokio::test]
async fn help_config_names_every_variable() {
    let scratch = Scratch::new();
    let help = finish(picloud(&scratch, &["help", "config"]));
    assert!(help.status.success(), "{help:?}");
    for name in [
        "DATABASE_URL",
        "PICLOUD_DATA_DIR",
        "PICLOUD_BIND",
        "PICLOUD_ADMIN_BIND",
        "PICLOUD_APPS_DOMAIN",
        "PICLOUD_ADMIN_USERNAME",
        "PICLOUD_ADMIN_PASSWORD",
        "PICLOUD_MAX_CONCURRENT_EXECUTIONS",
        "PICLOUD_PUBLIC_BASE_URL",
        "PICLOUD_LOG",
        "PICLOUD_SECCOMP",
    ] {
        assert!(help.stdout.contains(name), "{name}: {}", help.stdout);
    }
    let wrong = finish(picloud(&scratch, &["frobnicate"]));
    assert_eq!(wrong.status.code(), Some(2), "{wrong:?}");
}

#[tokio::test]
async fn doctor_tells_what_was_found_and_chosen() {
    let scratch = Scratch::new();
    let doctor = finish(picloud(&scratch, &["doctor"]));
    assert!(doctor.status.success(), "{doctor:?}");
    let said = doctor.stdout.to_lowercase();
    for word in ["cores", "page size", "address space", "memory", "scripts at once", "postgresql", "mail relay"] {
        assert!(said.contains(word), "{word}: {said}");
    }
}

#[tokio::test]
async fn a_mail_relay_is_shown_without_its_login_and_a_wrong_one_is_known_at_the_start() {
    let scratch = Scratch::new();
    let with = |command: &str, url: &str| {
        let mut command = picloud(&scratch, &[command]);
        command.env("PICLOUD_SMTP_URL", url).env("PICLOUD_SMTP_FROM", "cloud@example.org");
        finish(command)
    };
    let doctor = with("doctor", "smtp://me:hush-hush@mail.lan");
    assert!(doctor.stdout.contains("mail.lan:587, STARTTLS, with a login"), "{doctor:?}");
    assert!(doctor.stdout.contains("cloud@example.org"), "{doctor:?}");
    let wrong = "smtp://me:hush-hush@mail.lan/x";
    let ended = [with("doctor", wrong), with("dev", wrong), with("config", wrong), doctor];
    assert!(ended[0].stdout.contains("PICLOUD_SMTP_URL"), "{:?}", ended[0]);
    assert!(ended[1].status.code() == Some(2) && ended[1].stderr.contains("PICLOUD_SMTP_URL"), "{:?}", ended[1]);
    assert!(!scratch.data().exists(), "before anything is made");
    for one in ended {
        assert!(!one.stdout.contains("hush") && !one.stderr.contains("hush"), "{one:?}");
    }
}
