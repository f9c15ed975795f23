//! Exit codes; where a token goes and where it never does; what steers no terminal.

use std::os::unix::fs::PermissionsExt as _;

use base64::Engine as _;
use picloud::limits::CLIENT_ANSWER_BYTES_MAX;
use serde_json::json;

use super::{Person, done, refused};
use crate::support::TestApp;
use crate::support::client::{PASSWORD, USERNAME};
use crate::support::origin::{Origin, answer};

const TOKEN: &str = "pics_5ecre7";

/// A stand-in for a node that answers everything in one way.
async fn always(status: &'static str, headers: &'static [(&'static str, &'static str)], body: &'static str) -> Origin {
    Origin::plain(move |_| answer(status, headers, body)).await
}

fn url(origin: &Origin) -> String {
    format!("http://{}", origin.address)
}

fn pem(der: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}

#[tokio::test]
async fn each_class_of_failure_has_its_exit_code() {
    let app = TestApp::start().await;
    app.create_app("shop").await;
    let person = Person::logged_in(&app).await;
    let key = app.post("/admin/api-keys", json!({ "name": "k", "scopes": ["script:read"] })).await.expect(201).json();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let closed = format!("http://{closed}");
    for (args, code) in [
        (&["apps", "list"][..], 0),
        (&["apps", "create"], 2),
        (&["apps", "list", "--url", "nonsense"], 2),
        (&["apps", "list", "--limit", "201"], 10),
        (&["limits", "--url", &closed], 7),
        (&["whoami", "--url", &closed], 8),
        (&["apps", "get", "--app", "nope"], 9),
        (&["scripts", "get", "nope", "--app", "shop"], 9),
        (&["quota", "set", "concurrency=0", "--app", "shop"], 10),
        (&["apps", "create", "shop"], 11),
        (&["apps", "delete", "shop"], 2),
    ] {
        let ended = person.run(args).await;
        assert_eq!(ended.status.code(), Some(code), "{args:?}: {ended:?}");
    }
    let narrow = Person::new(&[("PICLOUD_URL", &app.admin), ("PICLOUD_TOKEN", key["token"].as_str().expect("a token"))]);
    assert!(refused(&narrow.run(&["apps", "create", "more"]).await, 8).contains("instance:admin"));
    let stranger = Person::new(&[("PICLOUD_URL", &app.admin), ("PICLOUD_TOKEN", TOKEN)]);
    assert!(refused(&stranger.run(&["apps", "list"]).await, 8).contains("hint: picloud login"));
    for (status, code) in [
        ("413 Too Large", 10),
        ("412 Changed", 11),
        ("429 Slowly", 12),
        ("503 Full", 12),
        ("507 No Room", 12),
        ("500 Broken", 1),
        ("200 OK", 1),
    ] {
        let origin = always(status, &[("retry-after", "7")], "<html>no node</html>").await;
        let person = Person::new(&[("PICLOUD_URL", &url(&origin)), ("PICLOUD_TOKEN", TOKEN)]);
        let ended = person.run(&["apps", "list"]).await;
        assert_eq!(ended.status.code(), Some(code), "{status}: {ended:?}");
    }
}

#[tokio::test]
async fn a_token_goes_to_no_other_node() {
    let elsewhere = always("200 OK", &[], "{}").await;
    let to = format!("location: {}/api/v1/admin/apps", url(&elsewhere));
    let node =
        Origin::plain(move |_| Some(format!("HTTP/1.1 307 Elsewhere\r\n{to}\r\ncontent-length: 0\r\n\r\n").into_bytes())).await;
    let person = Person::new(&[("PICLOUD_URL", &url(&node)), ("PICLOUD_TOKEN", TOKEN)]);
    let ended = person.run(&["apps", "list"]).await;
    let line = refused(&ended, 1);
    assert!(line.contains(&url(&elsewhere)) && !line.contains(TOKEN), "{line}");
    let received = node.received();
    assert_eq!(received[0].header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
    assert_eq!(received[0].header("user-agent"), Some(concat!("picloud/", env!("CARGO_PKG_VERSION"))));
    assert_eq!(elsewhere.received().len(), 0, "no redirect is followed");
    // What a login left is for its node alone.
    let app = TestApp::start().await;
    let person = Person::logged_in(&app).await;
    refused(&person.run(&["apps", "list", "--url", &url(&elsewhere)]).await, 8);
    assert_eq!(elsewhere.received().len(), 0);
    // What anybody may ask is asked without it.
    person.run(&["limits", "--url", &url(&elsewhere)]).await;
    assert_eq!(elsewhere.received()[0].header("authorization"), None);
}

#[tokio::test]
async fn an_answer_is_taken_up_to_its_bound() {
    for (bytes, taken) in [(CLIENT_ANSWER_BYTES_MAX, true), (CLIENT_ANSWER_BYTES_MAX + 1, false)] {
        let node = Origin::plain(move |_| answer("200 OK", &[], vec![b'a'; bytes])).await;
        let person = Person::new(&[("PICLOUD_URL", &url(&node)), ("PICLOUD_TOKEN", TOKEN)]);
        let ended = person.run(&["invoke", "01990a6e-7777-7a10-8f3c-5e2d1c0b9a88"]).await;
        assert_eq!((ended.status.success(), ended.stdout.len()), (taken, if taken { bytes } else { 0 }), "{}", ended.stderr);
    }
}

#[tokio::test]
async fn a_session_token_is_never_printed() {
    let app = TestApp::start().await;
    let person = Person::new(&[("PICLOUD_URL", &app.admin)]);
    let login = ["login", "--username", USERNAME, "--password-stdin"];
    let mut said = Vec::new();
    said.push(person.fed(&login, PASSWORD).await);
    said.push(person.fed(&[&login[..], &["--json"]].concat(), PASSWORD).await);
    for args in [&["whoami", "--json"][..], &["apps", "list"], &["apps", "get", "--app", "nope"], &["logout", "--json"]] {
        said.push(person.run(args).await);
    }
    for ended in said {
        assert!(!format!("{ended:?}").contains("pics_") && !format!("{ended:?}").contains(PASSWORD), "{ended:?}");
    }
}

#[tokio::test]
async fn a_wrong_password_keeps_nothing_and_a_login_needs_somebody_who_types() {
    let app = TestApp::start().await;
    let person = Person::new(&[("PICLOUD_URL", &app.admin)]);
    let wrong = person.fed(&["login", "--username", USERNAME, "--password-stdin"], "not the password\n").await;
    assert!(!refused(&wrong, 8).contains("hint"), "{wrong:?}");
    assert!(!person.credentials().exists());
    let nobody = person.run(&["login"]).await;
    assert!(refused(&nobody, 2).contains("--password-stdin"), "{nobody:?}");
}

#[tokio::test]
async fn a_file_of_credentials_that_others_can_read_is_refused_with_how_to_mend_it() {
    let app = TestApp::start().await;
    let person = Person::logged_in(&app).await;
    let file = person.credentials();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).expect("chmod");
    let ended = person.run(&["apps", "list"]).await;
    assert!(refused(&ended, 2).contains(&format!("chmod 600 {}", file.display())), "{ended:?}");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("chmod");
    done(&person.run(&["apps", "list"]).await);
}

#[tokio::test]
async fn plain_http_to_another_machine_is_warned_of() {
    // Nothing is there; the warning comes before anything is sent.
    for (url, warned) in [("http://cloud.invalid:1", true), ("https://cloud.invalid:1", false), ("http://127.0.0.1:1", false)] {
        let person = Person::new(&[("PICLOUD_URL", url), ("PICLOUD_TOKEN", TOKEN)]);
        let ended = person.run(&["apps", "list"]).await;
        assert_eq!(refused(&ended, 7).contains("warning: http://cloud.invalid:1 is not encrypted"), warned, "{ended:?}");
    }
}

#[tokio::test]
async fn https_is_spoken_by_the_systems_authorities() {
    let node = Origin::tls("localhost", |_| answer("200 OK", &[], r#"{"items": [], "cursor": null}"#)).await;
    let url = format!("https://localhost:{}", node.address.port());
    let person = Person::new(&[("PICLOUD_URL", &url), ("PICLOUD_TOKEN", TOKEN)]);
    let trusted = person.write("ca.pem", &pem(&node.certificate)).display().to_string();
    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let untrusted = person.write("other.pem", &pem(other.cert.der())).display().to_string();
    let person = person.with("SSL_CERT_FILE", &untrusted);
    assert!(refused(&person.run(&["apps", "list"]).await, 7).contains("TLS"));
    assert_eq!(node.received().len(), 0, "nothing is told to a node that is not the one it says");
    let person = person.with("SSL_CERT_FILE", &trusted);
    done(&person.run(&["apps", "list"]).await);
    assert_eq!(node.received()[0].header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
}

#[tokio::test]
async fn what_scripts_and_nodes_say_steers_no_terminal() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let script = shop.upload("noisy", "log::warn(\"bad \\x1b[2J\\x1b]0;title\\x07line\\r\\u202e\"); 1").await;
    let person = Person::logged_in(&app).await.with("PICLOUD_APP", "shop");
    done(&person.run(&["invoke", "noisy"]).await);
    crate::support::eventually("it is recorded", std::time::Duration::from_secs(10), async || {
        let lines = app.get(&format!("/admin/scripts/{}/logs", script.id)).await.expect(200).json();
        (!lines["items"].as_array()?.is_empty()).then_some(())
    })
    .await;
    let shown = person.run(&["logs", "noisy"]).await;
    assert!(done(&shown).ends_with("  warn   bad line\n"), "{shown:?}");
    // As JSON it is there, escaped as JSON has it.
    assert!(done(&person.run(&["logs", "noisy", "--json"]).await).contains("\\u001b[2J"));
    let error = r#"{"error": {"code": "invalid", "message": "no\u001b[31m\r\u202e way", "request_id": "r"}}"#;
    let node = always("422 Invalid", &[("content-type", "application/json")], error).await;
    let person = Person::new(&[("PICLOUD_URL", &url(&node)), ("PICLOUD_TOKEN", TOKEN)]);
    assert_eq!(refused(&person.run(&["apps", "list"]).await, 10), "picloud: no way\n");
}
