//! What whoever runs a node has in hand: secrets in files, and an exit code that says whether it works.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::client::PASSWORD;
use crate::support::cluster::Database;
use crate::support::process::{Ended, Scratch, Server, finish, picloud};

fn run(scratch: &Scratch, args: &[&str], environment: &[(&str, &str)]) -> Ended {
    let mut command = picloud(scratch, args);
    command.envs(environment.iter().copied());
    finish(command)
}

#[track_caller]
fn refused(ended: &Ended, code: i32, words: &[&str]) {
    assert_eq!(ended.status.code(), Some(code), "{ended:?}");
    for word in words {
        assert!(ended.stderr.contains(word), "{word}: {ended:?}");
    }
}

/// Answers every request with `answer` until the test ends.
fn always(listener: TcpListener, answer: &'static str) {
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut head = BufReader::new(stream.try_clone().expect("a handle"));
            let mut line = String::new();
            while head.read_line(&mut line).is_ok_and(|read| read > 2) {
                line.clear();
            }
            let _ = stream.write_all(answer.as_bytes());
        }
    });
}

fn listening(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    always(listener, answer);
    url
}

#[tokio::test]
async fn a_node_whose_secrets_are_in_files_starts_and_has_them() {
    let (scratch, database) = (Scratch::new(), Database::create().await);
    let write = |name: &str, text: &str| {
        let path = scratch.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path.display().to_string()
    };
    let url = write("database-url", &format!("{}\n", database.url()));
    let (password, key) = (write("password", &format!("{PASSWORD}\n")), write("key", &"5a".repeat(32)));
    let mut command = picloud(&scratch, &["serve"]);
    crate::support::app::compiled().await;
    command
        .env_remove("PICLOUD_ADMIN_PASSWORD")
        .env("PICLOUD_DATA_DIR", crate::support::cache_dir())
        .env("DATABASE_URL_FILE", &url)
        .env("PICLOUD_ADMIN_PASSWORD_FILE", &password)
        .env("PICLOUD_SECRET_KEY_FILE", &key);
    // Logging in shows that the owner was made with what is in the file, and the database is the one in the other.
    let server = Server::launch(&scratch, command).await;
    server.client.create_app("shop").await;
    server.client.put("/admin/apps/shop/secrets/k", json!({ "value": "v" })).await.expect(201);
    server.stop();

    // Another key does not open what that one locked.
    let other = write("other", &"a5".repeat(32));
    let settings = [("DATABASE_URL_FILE", url.as_str()), ("PICLOUD_SECRET_KEY_FILE", other.as_str())];
    let cache = crate::support::cache_dir();
    let mut command = picloud(&scratch, &["serve"]);
    command.env("PICLOUD_DATA_DIR", cache).envs(settings);
    let ended = finish(command);
    assert_eq!(ended.status.code(), Some(3), "{ended:?}");
}

#[test]
fn a_file_of_a_secret_that_cannot_be_used_stops_every_command_in_one_line() {
    let scratch = Scratch::new();
    let empty = scratch.path().join("empty");
    std::fs::write(&empty, "\n").expect("a file");
    let empty = empty.to_str().expect("UTF-8");
    for command in [&["serve"][..], &["doctor"], &["config"], &["precompile"], &["keys", "rotate"]] {
        let ended = run(&scratch, command, &[("PICLOUD_SECRET_KEY_FILE", "/nowhere/key")]);
        refused(&ended, 2, &["PICLOUD_SECRET_KEY_FILE: /nowhere/key cannot be read"]);
        refused(&run(&scratch, command, &[("DATABASE_URL_FILE", empty)]), 2, &["DATABASE_URL_FILE", "is empty"]);
        let both = [("DATABASE_URL_FILE", empty), ("DATABASE_URL", "postgres://a:hush@b/c")];
        let ended = run(&scratch, command, &both);
        refused(&ended, 2, &["DATABASE_URL and DATABASE_URL_FILE are both set"]);
        assert!(!format!("{ended:?}").contains("hush"));
    }
    let long = scratch.path().join("long");
    let most = usize::try_from(picloud::limits::SECRET_FILE_BYTES_MAX).expect("a size");
    let of = |bytes: usize| {
        std::fs::write(&long, "a".repeat(bytes)).expect("a file");
        run(&scratch, &["config"], &[("PICLOUD_SECRET_KEY_FILE", long.to_str().expect("UTF-8"))])
    };
    assert!(of(most).status.success());
    refused(&of(most + 1), 2, &["holds more than 4096 bytes"]);
    assert!(!scratch.data().exists(), "nothing was begun");
}

#[test]
fn config_says_which_secrets_are_in_files_and_shows_none() {
    let scratch = Scratch::new();
    let path = scratch.path().join("url");
    std::fs::write(&path, "postgres://a:hush@b/c").expect("a file");
    let path = path.to_str().expect("UTF-8");
    let ended = run(&scratch, &["config", "--json"], &[("DATABASE_URL_FILE", path)]);
    assert!(ended.status.success() && !ended.stdout.contains("hush"), "{ended:?}");
    let rows: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    let row = |name: &str| rows.as_array().expect("rows").iter().find(|row| row["variable"] == name).expect(name).clone();
    assert_eq!((&row("DATABASE_URL")["from"], &row("DATABASE_URL")["value"]), (&"file".into(), &Value::Null));
    assert_eq!((&row("DATABASE_URL_FILE")["from"], &row("DATABASE_URL_FILE")["value"]), (&"environment".into(), &path.into()));
}

#[tokio::test]
async fn health_is_0_on_either_plane_of_a_node_that_works_and_7_once_it_is_gone() {
    let (scratch, database) = (Scratch::new(), Database::create().await);
    let server = Server::serve(&scratch, &database, &[]).await;
    let ready = std::fs::read(scratch.path().join("ready.json")).expect("the file");
    let ready: Value = serde_json::from_slice(&ready).expect("JSON");
    for plane in ["data", "admin"] {
        let ended = run(&scratch, &["health", "--url", ready[plane].as_str().expect("a URL")], &[]);
        assert!(ended.status.success() && ended.stdout.ends_with(" works\n"), "{ended:?}");
    }
    // As in a container: what the node listens on, and nothing else is told.
    let admin = ready["admin"].as_str().expect("a URL");
    let port = admin.rsplit(':').next().expect("a port");
    for bind in [format!("0.0.0.0:{port}"), format!("127.0.0.1:{port}")] {
        let ended = run(&scratch, &["health", "--json"], &[("PICLOUD_ADMIN_BIND", &bind)]);
        let done: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"));
        assert_eq!((&done["status"], &done["url"]), (&"ok".into(), &format!("http://127.0.0.1:{port}").into()));
    }
    server.stop();
    refused(&run(&scratch, &["health", "--url", admin], &[]), 7, &["refuses connections"]);
}

#[test]
fn health_is_1_where_something_else_or_a_node_in_trouble_answers() {
    let scratch = Scratch::new();
    let broken = listening(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n\
         {\"error\":{\"code\":\"unavailable\",\"message\":\"the database cannot be reached\"}}",
    );
    let ended = run(&scratch, &["health", "--url", &broken], &[]);
    refused(&ended, 1, &["does not work (503): the database cannot be reached"]);
    for other in [
        "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n<h1>It works!</h1>",
        "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"status\":\"starting\"}",
    ] {
        refused(&run(&scratch, &["health", "--url", &listening(other)], &[]), 1, &["not one of a PiCloud node"]);
    }
    let redirect = "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\nconnection: close\r\n\r\n";
    refused(&run(&scratch, &["health", "--url", &listening(redirect)], &[]), 1, &["does not work (302)"]);
    refused(&run(&scratch, &["health", "--url", &listening("what?\r\n\r\n")], &[]), 7, &["not HTTP/1.1"]);
    refused(&run(&scratch, &["health", "--url", "not a URL"], &[]), 2, &["the URL of the node"]);
}

#[test]
fn health_waits_for_a_start_as_long_as_it_was_told() {
    let scratch = Scratch::new();
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let url = format!("http://127.0.0.1:{port}");
    let began = Instant::now();
    refused(&run(&scratch, &["health", "--url", &url, "--wait-s", "1"], &[]), 7, &["refuses connections"]);
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
    let later = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(700));
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("the port");
        always(listener, "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"status\":\"ok\"}");
    });
    let ended = run(&scratch, &["health", "--url", &url, "--wait-s", "60"], &[]);
    assert!(ended.status.success(), "{ended:?}");
    later.join().expect("a thread");
    // What is no URL is none later either.
    let began = Instant::now();
    refused(&run(&scratch, &["health", "--url", "ftp://x", "--wait-s", "60"], &[]), 2, &["http or https"]);
    assert!(began.elapsed() < Duration::from_secs(30));
    let most = picloud::limits::HEALTH_WAIT_S_MAX;
    let ok = run(&scratch, &["health", "--url", &url, "--wait-s", &most.to_string()], &[]);
    assert!(ok.status.success(), "{ok:?}");
    refused(&run(&scratch, &["health", "--url", &url, "--wait-s", &(most + 1).to_string()], &[]), 2, &["--wait-s"]);
}
