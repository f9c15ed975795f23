//! `picloud kv`, `docs` and `files`: what an app keeps, brought to a person's machine and back without a byte changed.

use picloud::limits::{CLIENT_INPUT_BYTES_MAX, CLIENT_LONG_BYTES_MIN, FILE_BYTES_MAX};
use serde_json::{Value, json};

use super::{Person, done, json, refused, told};
use crate::support::TestApp;
use crate::support::origin::{Origin, answer};

const TOKEN: &str = "pics_5ecre7";
const FILE: &str = r#"{"id": "01990a6e-7777-7a10-8f3c-5e2d1c0b9a88", "name": "a.txt", "size_bytes": 10, "revision": 7}"#;

/// Somebody at home in an app.
async fn in_shop(app: &TestApp) -> Person {
    app.create_app("shop").await;
    Person::logged_in(app).await.with("PICLOUD_APP", "shop")
}

fn at(node: &Origin) -> Person {
    Person::new(&[("PICLOUD_URL", &format!("http://{}", node.address)), ("PICLOUD_TOKEN", TOKEN), ("PICLOUD_APP", "shop")])
}

/// What a command that must succeed printed, byte for byte.
async fn bytes(person: &Person, args: &[&str]) -> Vec<u8> {
    let mut command = person.command(args);
    let out = tokio::task::spawn_blocking(move || command.output()).await.expect("it ends").expect("the binary starts");
    assert!(out.status.success(), "{out:?}");
    out.stdout
}

/// The revision that a command told of.
#[track_caller]
fn revision(told: &str) -> String {
    let rest = told.split("(revision ").nth(1).unwrap_or_else(|| panic!("{told}"));
    rest.split(')').next().expect("a number").to_owned()
}

fn here(person: &Person) -> Vec<String> {
    let names = std::fs::read_dir(person.scratch.path()).expect("a directory");
    let mut names: Vec<String> = names.map(|entry| entry.expect("an entry").file_name().into_string().expect("text")).collect();
    // What the tests feed, and what a login leaves.
    names.retain(|name| !["input", ".config"].contains(&name.as_str()));
    names.sort();
    names
}

#[tokio::test]
async fn an_entry_is_set_read_and_deleted_digit_for_digit() {
    let app = TestApp::start().await;
    let person = in_shop(&app).await;
    assert_eq!(person.run(&["kv", "list"]).await.stderr, "→ there is no collection\n");
    let value = "{\"n\":  10000000000000000000001.50}";
    let set = person.run(&["kv", "set", "carts", "cart/17", value]).await;
    assert!(done(&set).starts_with("The entry cart/17 is set (revision "), "{set:?}");
    assert_eq!(bytes(&person, &["kv", "get", "carts", "cart/17"]).await, format!("{value}\n").into_bytes());
    person.write("value.json", value);
    done(&person.run(&["kv", "set", "carts", "cart/18", "@value.json"]).await);
    done(&person.fed(&["kv", "set", "carts", "cart/19", "--ttl", "7200"], "[1, 2]\n").await);
    assert_eq!(
        told(done(&person.run(&["kv", "list", "carts", "--prefix", "cart/1"]).await))
            .lines()
            .map(|line| line.rsplit_once(' ').expect("words").0.to_owned())
            .collect::<Vec<_>>(),
        [
            "KEY VALUE ENCODING EXPIRES",
            "cart/17 {\"n\": 10000000000000000000001.50} json -",
            "cart/18 {\"n\": 10000000000000000000001.50} json -",
            "cart/19 [1, 2] json in 1 h",
        ]
    );
    assert_eq!(told(done(&person.run(&["kv", "list"]).await)).lines().next(), Some("COLLECTION COUNT SIZE"));
    done(&person.run(&["kv", "set", "numbers", "x", "-5.50"]).await);
    assert_eq!(done(&person.run(&["kv", "get", "numbers", "x"]).await), "-5.50\n");
    let wrong = person.run(&["kv", "set", "carts", "x", "hello"]).await;
    assert!(refused(&wrong, 2).contains("no JSON"), "{wrong:?}");

    assert!(refused(&person.run(&["kv", "delete", "carts", "cart/17"]).await, 2).contains("add --yes"));
    assert_eq!(done(&person.run(&["kv", "delete", "carts", "cart/17", "--yes"]).await), "The entry cart/17 is gone.\n");
    refused(&person.run(&["kv", "get", "carts", "cart/17"]).await, 9);
    refused(&person.run(&["kv", "delete", "carts", "cart/17", "--yes"]).await, 9);
}

#[tokio::test]
async fn a_text_and_a_blob_come_back_byte_for_byte() {
    let app = TestApp::start().await;
    let person = in_shop(&app).await;
    done(&person.fed(&["kv", "set", "things", "text", "--text"], "line\n\"two\"\n").await);
    assert_eq!(done(&person.run(&["kv", "get", "things", "text"]).await), "\"line\\n\\\"two\\\"\\n\"\n");
    let blob = [0, 255, 27, b'[', b'\n', 16];
    std::fs::write(person.scratch.path().join("blob"), blob).expect("a file");
    done(&person.run(&["kv", "set", "things", "blob", "@blob", "--blob"]).await);
    assert_eq!(bytes(&person, &["kv", "get", "things", "blob"]).await, blob);
    assert_eq!(json(&person.run(&["kv", "get", "things", "blob", "--json"]).await)["encoding"], "blob");
    let no_text = person.run(&["kv", "set", "things", "text", "@blob", "--text"]).await;
    assert!(refused(&no_text, 2).contains("hint: --blob"), "{no_text:?}");
}

#[tokio::test]
async fn a_change_is_made_only_to_the_revision_that_it_is_meant_for() {
    let app = TestApp::start().await;
    let person = in_shop(&app).await;
    let set = |value: &'static str, revision: &'static str| ["kv", "set", "c", "k", value, "--if-revision", revision];
    let first = person.run(&set("1", "new")).await;
    refused(&person.run(&set("2", "new")).await, 11);
    refused(&person.run(&set("2", "1")).await, 11);
    done(&person.run(&["kv", "set", "c", "k", "2", "--if-revision", &revision(done(&first))]).await);
    assert_eq!(done(&person.run(&["kv", "get", "c", "k"]).await), "2\n");

    let made = person.run(&["docs", "create", "orders", "{\"n\": 1}", "--id", "o"]).await;
    let known = revision(done(&made));
    for (verb, data) in [("update", "{\"n\": 2}"), ("patch", "{\"n\": 3}")] {
        refused(&person.run(&["docs", verb, "orders", "o", data, "--if-revision", "1"]).await, 11);
    }
    done(&person.run(&["docs", "patch", "orders", "o", "{\"n\": 3}", "--if-revision", &known]).await);
    refused(&person.run(&["docs", "update", "orders", "o", "{\"n\": 4}", "--if-revision", &known]).await, 11);
    assert_eq!(json(&person.run(&["docs", "get", "orders", "o", "--json"]).await)["data"], json!({ "n": 3 }));
}

#[tokio::test]
async fn a_document_is_made_found_changed_and_deleted() {
    let app = TestApp::start().await;
    let person = in_shop(&app).await;
    let made = person.run(&["docs", "create", "orders", "{\"total\": 41.5, \"paid\": false}", "--id", "o/17"]).await;
    assert!(done(&made).starts_with("The document o/17 is there (revision "), "{made:?}");
    let other = person.fed(&["docs", "create", "orders"], "{\"total\": 3, \"paid\": true}").await;
    assert!(told(done(&other)).starts_with("The document [id] is there"), "{other:?}");
    refused(&person.run(&["docs", "create", "orders", "{}", "--id", "o/17"]).await, 11);
    refused(&person.run(&["docs", "create", "orders", "7"]).await, 10);

    let ids = |page: &Value| {
        page["items"].as_array().expect("items").iter().map(|item| item["data"]["total"].clone()).collect::<Vec<_>>()
    };
    let sorted = json(&person.run(&["docs", "list", "orders", "--filter", "{\"$sort\": \"-total\"}", "--json"]).await);
    assert_eq!(ids(&sorted), [json!(41.5), json!(3)]);
    let unpaid = person.run(&["docs", "list", "orders", "--filter", "{\"paid\": false}", "--all"]).await;
    assert_eq!(told(done(&unpaid)).lines().next(), Some("ID DATA CHANGED REVISION"));
    assert!(done(&unpaid).lines().nth(1).is_some_and(|line| line.starts_with("o/17  {")), "{unpaid:?}");
    refused(&person.run(&["docs", "list", "orders", "--filter", "{\"$sort\": 7}"]).await, 10);
    let none = person.run(&["docs", "list", "orders", "--filter", "{\"total\": 0}"]).await;
    assert_eq!((done(&none), none.stderr.as_str()), ("", "→ there is no such document\n"));

    let changed = person.run(&["docs", "patch", "orders", "o/17", "{\"paid\": true, \"total\": null}"]).await;
    assert!(done(&changed).starts_with("The document o/17 is changed (revision "), "{changed:?}");
    let data: Value = serde_json::from_str(done(&person.run(&["docs", "get", "orders", "o/17"]).await)).expect("JSON");
    assert_eq!(data, json!({ "paid": true }));
    done(&person.fed(&["docs", "update", "orders", "o/17", "-"], "{\"total\": 5}").await);
    let data: Value = serde_json::from_str(done(&person.run(&["docs", "get", "orders", "o/17"]).await)).expect("JSON");
    assert_eq!(data, json!({ "total": 5 }));
    refused(&person.run(&["docs", "update", "orders", "nope", "{}"]).await, 9);

    refused(&person.run(&["docs", "delete", "orders", "o/17"]).await, 2);
    assert_eq!(done(&person.run(&["docs", "delete", "orders", "o/17", "--yes"]).await), "The document o/17 is gone.\n");
    refused(&person.run(&["docs", "get", "orders", "o/17"]).await, 9);
    assert_eq!(told(done(&person.run(&["docs", "list"]).await)).lines().count(), 2);
}

#[tokio::test]
async fn a_file_goes_there_and_comes_back() {
    let app = TestApp::start().await;
    let person = in_shop(&app).await;
    let content = [0, 255, 27, b'\r', b'\n'];
    std::fs::write(person.scratch.path().join("a.pdf"), content).expect("a file");
    let put = person.run(&["files", "put", "invoices", "a.pdf"]).await;
    assert!(told(done(&put)).starts_with("The file a.pdf is kept (5 bytes, application/pdf, id [id]"), "{put:?}");
    let listed = told(done(&person.run(&["files", "list", "invoices"]).await));
    assert_eq!(listed, "NAME TYPE SIZE CHANGED ID\na.pdf application/pdf 5 B [age] [id]");

    // Nothing here is written over unless that is asked for.
    let there = person.run(&["files", "get", "invoices", "a.pdf"]).await;
    assert!(refused(&there, 11).contains("a.pdf is there already\n  hint: --force"), "{there:?}");
    std::fs::remove_file(person.scratch.path().join("a.pdf")).expect("it was there");
    let got = person.run(&["files", "get", "invoices", "a.pdf"]).await;
    assert_eq!(done(&got), "a.pdf is here: a.pdf (5 bytes)\n");
    assert_eq!(std::fs::read(person.scratch.path().join("a.pdf")).expect("a file"), content);
    done(&person.run(&["files", "get", "invoices", "a.pdf", "--force"]).await);
    assert_eq!(here(&person), ["a.pdf"], "and nothing is left over");
    assert_eq!(bytes(&person, &["files", "get", "invoices", "a.pdf", "-o", "-"]).await, content);

    // A name that is taken.
    std::fs::write(person.scratch.path().join("a.pdf"), "other").expect("a file");
    let taken = person.run(&["files", "put", "invoices", "a.pdf"]).await;
    assert!(refused(&taken, 11).contains("hint: --replace deletes"), "{taken:?}");
    let replaced = person.run(&["files", "put", "invoices", "a.pdf", "--replace"]).await;
    done(&replaced);
    assert!(replaced.stderr.starts_with("→ the file a.pdf that was there ("), "{replaced:?}");
    assert_eq!(bytes(&person, &["files", "get", "invoices", "a.pdf", "-o", "-"]).await, b"other");

    // Another name, from standard input, with nothing in it; and by its id.
    let put = person.fed(&["files", "put", "invoices", "-", "--name", "x/é y.csv", "--type", "text/x-mine", "--json"], "").await;
    let file = json(&put);
    assert_eq!((&file["content_type"], &file["size_bytes"]), (&json!("text/x-mine"), &json!(0)));
    let id = file["id"].as_str().expect("an id");
    done(&person.run(&["files", "get", "invoices", id]).await);
    assert_eq!(std::fs::read(person.scratch.path().join("é y.csv")).expect("a file"), b"");
    refused(&person.run(&["files", "get", "invoices", "x"]).await, 9);

    refused(&person.run(&["files", "delete", "invoices", "x/é y.csv"]).await, 2);
    assert_eq!(done(&person.run(&["files", "delete", "invoices", id, "--yes"]).await), "The file x/é y.csv is gone.\n");
    done(&person.run(&["files", "delete", "invoices", "a.pdf", "--yes"]).await);
    refused(&person.run(&["files", "delete", "invoices", "a.pdf", "--yes"]).await, 9);
}

#[tokio::test]
async fn the_longest_file_that_a_node_keeps_goes_there_and_back() {
    let app = TestApp::start().await;
    let person = in_shop(&app).await;
    let path = person.write("big", "");
    let file = std::fs::OpenOptions::new().write(true).open(&path).expect("a file");
    file.set_len(FILE_BYTES_MAX + 1).expect("room");
    let longer = person.run(&["files", "put", "c", "big"]).await;
    assert!(refused(&longer, 10).contains(&format!("at most {FILE_BYTES_MAX}")), "{longer:?}");
    let most = CLIENT_INPUT_BYTES_MAX;
    let piped = person.fed(&["files", "put", "c", "-", "--name", "piped"], &"a".repeat(most + 1)).await;
    assert!(refused(&piped, 2).contains(&format!("more than {most} bytes")), "{piped:?}");
    assert_eq!(app.get("/admin/apps/shop/files/c").await.expect(200).json()["items"], json!([]));
    file.set_len(FILE_BYTES_MAX).expect("room");
    done(&person.run(&["files", "put", "c", "big"]).await);
    let got = person.run(&["files", "get", "c", "big", "-o", "back"]).await;
    assert_eq!((done(&got), got.stderr.as_str()), (format!("big is here: back ({FILE_BYTES_MAX} bytes)\n").as_str(), ""));
    assert_eq!(std::fs::metadata(person.scratch.path().join("back")).expect("a file").len(), FILE_BYTES_MAX);
}

#[tokio::test]
async fn an_app_without_room_is_told_so_however_long_the_file_is() {
    let app = TestApp::start().await;
    let person = in_shop(&app).await;
    done(&person.run(&["quota", "set", "file_bytes=1048576"]).await);
    let path = person.write("big", "");
    std::fs::OpenOptions::new().write(true).open(&path).expect("a file").set_len(FILE_BYTES_MAX).expect("room");
    let full = person.run(&["files", "put", "c", "big"]).await;
    assert!(refused(&full, 12).contains("hint: picloud quota get"), "{full:?}");
}

#[tokio::test]
async fn a_long_file_is_sent_when_it_is_wanted_or_when_nobody_says_so() {
    let node = Origin::plain(|_| answer("200 OK", &[], r#"{"items": [], "cursor": null}"#)).await;
    let person = at(&node);
    let file = std::fs::File::create(person.scratch.path().join("a")).expect("a file");
    for (bytes, expect) in [(CLIENT_LONG_BYTES_MIN - 1, None), (CLIENT_LONG_BYTES_MIN, Some("100-continue"))] {
        file.set_len(bytes).expect("room");
        done(&person.run(&["files", "put", "c", "a"]).await);
        let sent = node.received().pop().expect("a request");
        assert_eq!((sent.header("expect"), sent.body.len() as u64), (expect, bytes));
    }
}

#[tokio::test]
async fn a_content_that_breaks_off_leaves_nothing_behind() {
    let node = Origin::plain(|request| match request.target.ends_with("/content") {
        true => Some(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc".to_vec()),
        false => answer("200 OK", &[], format!("{{\"items\": [{FILE}], \"cursor\": null}}")),
    })
    .await;
    let person = at(&node);
    refused(&person.run(&["files", "get", "c", "a.txt"]).await, 7);
    assert_eq!(here(&person), Vec::<String>::new());
    person.write("a.txt", "mine");
    refused(&person.run(&["files", "get", "c", "a.txt", "--force"]).await, 7);
    assert_eq!(here(&person), ["a.txt"]);
    assert_eq!(std::fs::read_to_string(person.scratch.path().join("a.txt")).expect("a file"), "mine");
}

#[tokio::test]
async fn what_is_asked_names_exactly_what_was_named() {
    let node = Origin::plain(|_| answer("200 OK", &[], r#"{"items": [], "cursor": null, "name": "n"}"#)).await;
    let person = at(&node);
    person.write("a.txt", "abc");
    done(&person.run(&["kv", "set", "a b", "x/../y?#%é", "1", "--if-revision", "new"]).await);
    done(&person.run(&["docs", "delete", "c", "...", "--yes"]).await);
    done(&person.run(&["files", "put", "c", "a.txt", "--name", "x/&y"]).await);
    let received = node.received();
    let targets: Vec<&str> = received.iter().map(|request| request.target.as_str()).collect();
    assert_eq!(
        targets,
        [
            "/api/v1/admin/apps/shop/kv/a%20b/x%2F..%2Fy%3F%23%25%C3%A9",
            "/api/v1/admin/apps/shop/docs/c/...",
            "/api/v1/admin/apps/shop/files/c?prefix=x%2F%26y&limit=1",
            "/api/v1/admin/apps/shop/files/c?name=x%2F%26y",
        ]
    );
    assert_eq!(received[0].header("if-match"), Some("\"0\""));
    assert_eq!(received[3].body, b"abc");
    for (header, value) in
        [("content-length", Some("3")), ("content-type", Some("text/plain; charset=utf-8")), ("transfer-encoding", None)]
    {
        assert_eq!(received[3].header(header), value, "{header}");
    }
    // What a URL cannot name is told here.
    for name in [".", ".."] {
        for args in [&["kv", "get", "c", name][..], &["kv", "list", name], &["docs", "get", "c", name], &["files", "list", name]]
        {
            let ended = person.run(args).await;
            assert!(refused(&ended, 2).contains("only scripts reach it"), "{ended:?}");
        }
    }
    assert_eq!(node.received().len(), 4, "and nothing was asked");
}

#[tokio::test]
async fn what_goes_together_badly_is_a_wrong_command_line() {
    let person = Person::new(&[("PICLOUD_URL", "http://127.0.0.1:1"), ("PICLOUD_TOKEN", TOKEN), ("PICLOUD_APP", "shop")]);
    for args in [
        &["kv", "list", "--prefix", "a"][..],
        &["kv", "set", "c", "k", "v", "--text", "--blob"],
        &["kv", "set", "c", "k", "1", "--if-revision", "old"],
        &["docs", "list", "--filter", "{}"],
        &["docs", "update", "c", "k", "{}", "--if-revision", "new"],
        &["files", "put", "c", "-"],
        &["files", "put", "c", "nowhere"],
        &["files", "put", "c", "/"],
        &["files", "put", "c", "/dev/null"],
        &["files", "get", "c", "a", "-o", "-", "--json"],
    ] {
        let ended = person.run(args).await;
        assert_eq!(ended.status.code(), Some(2), "{args:?}: {ended:?}");
    }
}

#[tokio::test]
async fn what_scripts_keep_steers_no_terminal_and_leads_to_no_other_place() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.run(
        r#"let bad = "a\x1b[2J\u202eb";
           kv::collection(bad).set(bad, bad);
           docs::collection("c").create(#{ bad: bad }, #{ id: bad });
           let files = files::collection("c");
           files.create("../../.profile", "x");
           files.create("x/" + bad, "x");
           1"#,
    )
    .await
    .expect(200);
    let person = Person::logged_in(&app).await.with("PICLOUD_APP", "shop");
    for (args, shown) in [
        (&["kv", "list"][..], "ab "),
        (&["kv", "list", "a\u{1b}[2J\u{202e}b"], "ab "),
        (&["docs", "list", "c"], "ab "),
        (&["files", "list", "c"], "x/ab "),
        (&["kv", "delete", "a\u{1b}[2J\u{202e}b", "a\u{1b}[2J\u{202e}b", "--yes"], "The entry ab is gone."),
    ] {
        let ended = person.run(args).await;
        assert!(done(&ended).contains(shown), "{args:?}: {ended:?}");
        assert!(!ended.stdout.contains(['\u{1b}', '\u{202e}']), "{args:?}: {ended:?}");
    }
    for name in ["../../.profile", "x/a\u{1b}[2J\u{202e}b"] {
        let ended = person.run(&["files", "get", "c", name]).await;
        let line = refused(&ended, 2);
        assert!(line.contains("hint: -o FILE") && !line.contains(['\u{1b}', '\u{202e}']), "{line:?}");
        done(&person.run(&["files", "get", "c", name, "-o", "it", "--force"]).await);
    }
    assert_eq!(here(&person), ["it"]);
}

#[tokio::test]
async fn lists_go_page_by_page_or_whole() {
    let app = TestApp::start().await;
    let person = in_shop(&app).await;
    for n in ["1", "2", "3"] {
        done(&person.run(&["kv", "set", "c", n, n]).await);
        done(&person.run(&["docs", "create", "c", "{}", "--id", n]).await);
        done(&person.fed(&["files", "put", "c", "-", "--name", n], n).await);
    }
    for noun in ["kv", "docs", "files"] {
        let first = person.run(&[noun, "list", "c", "--limit", "2"]).await;
        assert_eq!(done(&first).lines().count(), 3, "{noun}");
        let cursor = first.stderr.split("--cursor ").nth(1).and_then(|rest| rest.split(',').next()).expect("where it goes on");
        let rest = person.run(&[noun, "list", "c", "--limit", "2", "--cursor", cursor]).await;
        assert_eq!((done(&rest).lines().count(), rest.stderr.as_str()), (2, ""), "{noun}");
        assert_eq!(done(&person.run(&[noun, "list", "c", "--all"]).await).lines().count(), 4, "{noun}");
        let all = json(&person.run(&[noun, "list", "c", "--all", "--json"]).await);
        assert_eq!((all["items"].as_array().map(Vec::len), &all["cursor"]), (Some(3), &json!(null)), "{noun}");
    }
}

#[tokio::test]
async fn every_command_about_data_speaks_json() {
    let app = TestApp::start().await;
    let person = in_shop(&app).await;
    person.write("a.txt", "abc");
    for (args, field) in [
        (&["kv", "set", "c", "k", "1"][..], "revision"),
        (&["kv", "get", "c", "k"], "value"),
        (&["docs", "create", "c", "{}", "--id", "d"], "id"),
        (&["docs", "get", "c", "d"], "data"),
        (&["docs", "update", "c", "d", "{\"a\": 1}"], "revision"),
        (&["docs", "patch", "c", "d", "{\"a\": 2}"], "revision"),
        (&["files", "put", "c", "a.txt"], "sha256"),
        (&["files", "get", "c", "a.txt", "--force"], "sha256"),
        (&["kv", "list"], "items"),
        (&["kv", "list", "c"], "items"),
        (&["docs", "list"], "items"),
        (&["docs", "list", "c"], "items"),
        (&["files", "list"], "items"),
        (&["files", "list", "c"], "items"),
    ] {
        let ended = person.run(&[args, &["--json"]].concat()).await;
        let found = json(&ended);
        assert!(!found[field].is_null(), "{args:?}: {found}");
        assert_eq!(ended.stderr, "", "{args:?}");
    }
    for args in [&["kv", "delete", "c", "k"][..], &["docs", "delete", "c", "d"], &["files", "delete", "c", "a.txt"]] {
        assert!(json(&person.run(&[args, &["--yes", "--json"]].concat()).await).is_null(), "{args:?}");
    }
}
