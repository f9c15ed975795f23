//! From a login to the end of an app, in the words that a person reads; and the same as JSON.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use super::{Person, done, json, refused, told};
use crate::support::TestApp;
use crate::support::client::{PASSWORD, USERNAME};

const VISITS: &str = "\
let who = ctx.request.params.who;
let visits = kv::collection(\"visits\");
let n = (visits.get(who) ?? 0) + 1;
visits.set(who, n);
log::info(\"seen\", #{ who: who });
#{ who: who, n: n }
";
/// Says what it was sent.
const ECHO: &str =
    r#"#{ statusCode: ctx.request.body.status, headers: #{ "content-type": "text/plain" }, body: ctx.request.body.text }"#;

#[tokio::test]
async fn from_a_login_to_the_end_of_an_app() {
    let app = TestApp::start().await;
    let person = Person::new(&[]);
    let login = ["login", "--url", &app.admin, "--username", USERNAME, "--password-stdin"];
    let said = person.fed(&login, &format!("{PASSWORD}\n")).await;
    assert_eq!(done(&said), format!("Logged in at {} as {USERNAME} (owner).\n", app.admin));
    let file = std::fs::metadata(person.credentials()).expect("credentials");
    assert_eq!(file.permissions().mode() & 0o777, 0o600);

    let made = person.run(&["apps", "create", "shop", "--name", "The shop"]).await;
    assert!(done(&made).starts_with("The app shop is there: http://shop.localhost"), "{made:?}");
    assert_eq!(told(done(&person.run(&["apps", "list"]).await)).lines().next(), Some("SLUG NAME URL MADE"));

    let person = person.with("PICLOUD_APP", "shop");
    person.write("visits.rhai", VISITS);
    let said = person.run(&["deploy", "visits.rhai", "--route", "GET /visits/:who"]).await;
    let lines = told(done(&said));
    assert!(lines.starts_with("visits is live.\nversion 1\ncapabilities kv, log\nurl http://shop.localhost"), "{lines}");
    assert!(lines.ends_with("/visits/:who"), "{lines}");

    assert_eq!(
        told(done(&person.run(&["scripts", "list"]).await)),
        "NAME KIND VERSION CAPABILITIES CHANGED ID\nvisits endpoint 1 kv, log [age] [id]"
    );
    assert_eq!(done(&person.run(&["scripts", "get", "visits", "--source"]).await), VISITS);
    assert_eq!(
        told(done(&person.run(&["routes", "list"]).await)),
        "METHOD HOST PATH MODE MADE ID\nGET - /visits/:who sync [age] [id]"
    );
    let matched = told(done(&person.run(&["routes", "match", "/visits/ada"]).await));
    assert_eq!(matched, "script visits\nversion 1\napp shop\nroute /visits/:who\nparameters {\"who\":\"ada\"}\nrest -");
    let missed = person.run(&["routes", "match", "POST /visits/ada"]).await;
    assert!(refused(&missed, 9).starts_with("picloud: no script answers POST /visits/ada: "), "{missed:?}");

    person.write("visits.rhai", &VISITS.replace("\"seen\"", "\"was here\""));
    let again = person.run(&["deploy", "visits.rhai"]).await;
    assert!(told(done(&again)).starts_with("visits is live.\nversion 2\n"), "{again:?}");
    assert_eq!(told(done(&person.run(&["versions", "visits"]).await)).lines().count(), 3);

    assert_eq!(
        done(&person.run(&["routes", "delete", "visits", "GET /visits/:who", "--yes"]).await),
        "The route GET /visits/:who is gone.\n"
    );
    let full = person.run(&["apps", "delete", "shop", "--yes"]).await;
    assert!(refused(&full, 11).contains("hint: --force deletes the app"), "{full:?}");
    assert_eq!(done(&person.run(&["apps", "delete", "shop", "--force", "--yes"]).await), "The app shop is gone.\n");

    assert_eq!(done(&person.run(&["logout"]).await), format!("Logged out at {}.\n", app.admin));
    assert!(!std::fs::read_to_string(person.credentials()).expect("a file").contains("pics_"));
    let gone = person.run(&["whoami", "--url", &app.admin]).await;
    assert!(refused(&gone, 8).contains("hint: picloud login --url"), "{gone:?}");
}

#[tokio::test]
async fn a_refused_source_is_quoted_with_a_caret_and_nothing_is_stored() {
    let app = TestApp::start().await;
    app.create_app("shop").await;
    let person = Person::logged_in(&app).await.with("PICLOUD_APP", "shop");
    person.write("visits.rhai", "let who = 1;\nlet n = 2;\nn += 1\nvisits.set(who, n);\n");
    let quote = "error: visits.rhai:4:1: Expecting ';' to terminate this statement\n  4 | visits.set(who, n);\n    | ^\n";
    for command in ["check", "deploy"] {
        let ended = person.run(&[command, "visits.rhai"]).await;
        assert_eq!(refused(&ended, 10), quote);
        assert_eq!(ended.stdout, "");
    }
    assert_eq!(app.get("/admin/scripts?app=shop").await.expect(200).json()["items"], json!([]));
    // From standard input, and of several files all are told.
    let piped = person.fed(&["check", "-"], "let x = ;\n").await;
    assert!(refused(&piped, 10).starts_with("error: <stdin>:1:"), "{piped:?}");
    person.write("fine.rhai", "1 + 1");
    let both = person.run(&["check", "visits.rhai", "fine.rhai"]).await;
    assert_eq!(refused(&both, 10), quote);
    assert_eq!(both.stdout, "fine.rhai: fine (capabilities: -)\n");
}

#[tokio::test]
async fn what_is_not_granted_is_refused_with_the_command_that_grants_it() {
    let app = TestApp::start().await;
    app.create_app("shop").await;
    let person = Person::logged_in(&app).await.with("PICLOUD_APP", "shop");
    person.write("out.rhai", "http::get(\"https://api.example.com\")");
    let refusal = person.run(&["deploy", "out.rhai"]).await;
    assert!(refused(&refusal, 10).contains("  hint: picloud grants set http '*'\n"), "{refusal:?}");
    done(&person.run(&["grants", "set", "http", "*"]).await);
    done(&person.run(&["deploy", "out.rhai"]).await);
}

#[tokio::test]
async fn a_script_answers_on_standard_output_byte_for_byte() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let person = Person::logged_in(&app).await.with("PICLOUD_APP", "shop");
    let script = shop.upload("echo", ECHO).await;
    let text = "a\u{1b}[31mb\r\n\u{202e}c";
    let sent = json!({ "status": 200, "text": text }).to_string();
    for named in ["echo", &script.id] {
        let ended = person.run(&["invoke", named, "--data", &sent]).await;
        assert_eq!(done(&ended), text, "{named}");
        assert_eq!(ended.stderr, "");
    }
    assert_eq!(done(&person.fed(&["invoke", "echo", "--data", "-"], &sent).await), text);
    person.write("sent.json", &sent);
    let told = person.run(&["invoke", "echo", "--data", "@sent.json", "-v"]).await;
    assert_eq!(done(&told), text);
    for head in ["→ 200 OK", "→ picloud-execution-id: ", "→ picloud-fuel-used: "] {
        assert!(told.stderr.contains(head), "{told:?}");
    }
    // Another status is the script's answer, and tells in the exit code.
    let teapot = person.run(&["invoke", "echo", "--data", &json!({ "status": 404, "text": "none" }).to_string()]).await;
    assert_eq!(teapot.stdout, "none");
    assert_eq!(refused(&teapot, 9), "picloud: the script answered 404\n");
    // A failure is the platform's to tell, with its place.
    shop.upload("fails", "let x = 1;\nthrow \"out \\x1b[2Jof order\"").await;
    let failed = person.run(&["invoke", "fails"]).await;
    assert_eq!(failed.stdout, "");
    let line = refused(&failed, 10);
    assert!(
        line.contains("out of order") && line.contains("(in fails, line 2, column 1)") && !line.contains('\u{1b}'),
        "{line:?}"
    );
}

#[tokio::test]
async fn an_app_is_the_one_that_is_named_or_that_of_the_nearest_manifest() {
    let app = TestApp::start().await;
    let (shop, other) = (app.create_app("shop").await, app.create_app("other").await);
    shop.upload("in-shop", "1").await;
    other.upload("in-other", "1").await;
    let person = Person::logged_in(&app).await;
    let nowhere = person.run(&["scripts", "list"]).await;
    assert!(refused(&nowhere, 2).contains("which app?"), "{nowhere:?}");
    person.write("picloud.toml", "app = \"shop\"\n");
    assert!(done(&person.run(&["scripts", "list"]).await).contains("in-shop"));
    let person = person.with("PICLOUD_APP", "other");
    assert!(done(&person.run(&["scripts", "list"]).await).contains("in-other"));
    assert!(done(&person.run(&["scripts", "list", "--app", "shop"]).await).contains("in-shop"));
}

#[tokio::test]
async fn every_command_speaks_json() {
    let app = TestApp::start().await;
    let person = Person::logged_in(&app).await.with("PICLOUD_APP", "shop");
    json(&person.run(&["apps", "create", "shop", "--json"]).await);
    person.write("hello.rhai", "log::info(\"hi\"); \"hello\"");
    person.write("money.rhai", "fn double(x) { x * 2 }");
    json(&person.run(&["check", "hello.rhai", "--json"]).await);
    json(&person.run(&["deploy", "money.rhai", "--kind", "module", "--json"]).await);
    let script = json(&person.run(&["deploy", "hello.rhai", "--route", "/hello", "--json"]).await);
    assert_eq!((&script["name"], &script["version"]), (&json!("hello"), &json!(1)));
    json(&person.fed(&["secrets", "set", "mail-in", "--json"], "hush\n").await);
    let trigger = json(&person.run(&["triggers", "add", "cron", "hello", "0 30 2 * * *", "--json"]).await);
    let domain = json(&person.run(&["domains", "add", "shop.example.com", "--json"]).await);
    let key = json(&person.run(&["keys", "create", "ci", "--scopes", "script:read,log:read", "--for", "shop", "--json"]).await);
    assert!(key["token"].as_str().is_some_and(|token| token.starts_with("pic_")), "the one time that it is told");
    json(&person.run(&["queues", "send", "orders", "{\"id\": 17}", "--json"]).await);
    json(&person.run(&["topics", "publish", "orders.paid", "1", "--json"]).await);
    let trigger = trigger["id"].as_str().expect("an id");
    assert_eq!(json(&person.run(&["triggers", "disable", trigger, "--json"]).await)["enabled"], false);
    assert_eq!(json(&person.run(&["triggers", "enable", trigger, "--json"]).await)["enabled"], true);
    let looks = [
        "whoami",
        "apps list",
        "apps get",
        "scripts list",
        "scripts list --all",
        "scripts get hello",
        "scripts used-by money",
        "versions hello",
        "logs hello",
        "logs hello --all",
        "routes list",
        "routes list hello",
        "routes match /hello",
        "domains list",
        "triggers list",
        "triggers list --kind cron --script hello",
        "secrets list",
        "queues list",
        "topics list",
        "dead-letters list --unresolved --script hello",
        "dead-letters count",
        "members list",
        "keys list",
        "audit list --limit 3",
        "audit list --of shop",
        "usage",
        "usage --period minute --by-script",
        "limits",
        "grants get",
        "quota get",
    ];
    for look in looks {
        let args: Vec<&str> = look.split(' ').chain(["--json"]).collect();
        let ended = person.run(&args).await;
        let found = json(&ended);
        assert!(found.is_object(), "{look}: {found}");
        assert_eq!(ended.stderr, "", "{look}");
        // And for people.
        done(&person.run(&args[..args.len() - 1]).await);
    }
    for change in [
        "grants set email --none",
        "quota set concurrency=8",
        "quota set --replace",
        "dead-letters replay --all --yes",
        "queues purge orders --yes",
        "apps rename shop store --name Store",
    ] {
        let args: Vec<&str> = change.split(' ').chain(["--json"]).collect();
        json(&person.run(&args).await);
    }
    let host = domain["host"].as_str().expect("a host");
    for gone in [
        &["triggers", "delete", trigger][..],
        &["domains", "delete", host],
        &["secrets", "delete", "mail-in"],
        &["keys", "delete", "ci"],
        &["routes", "delete", "hello", "/hello"],
        &["scripts", "delete", "hello"],
    ] {
        let args: Vec<&str> = gone
            .iter()
            .copied()
            .chain(["--app", "store", "--yes", "--json"])
            .filter(|arg| gone[0] != "keys" || !["--app", "store"].contains(arg))
            .collect();
        assert!(json(&person.run(&args).await).is_null(), "{args:?}");
    }
    assert_eq!(json(&person.run(&["logout", "--json"]).await)["was_logged_in"], true);
}

#[tokio::test]
async fn a_list_is_shown_page_by_page_or_whole() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    for n in 0..5 {
        shop.upload(&format!("s{n}"), "1").await;
    }
    let person = Person::logged_in(&app).await.with("PICLOUD_APP", "shop");
    let first = person.run(&["scripts", "list", "--limit", "2"]).await;
    assert_eq!(done(&first).lines().count(), 3);
    let cursor = first.stderr.split("--cursor ").nth(1).and_then(|rest| rest.split(',').next()).expect("where it goes on");
    let second = json(&person.run(&["scripts", "list", "--limit", "2", "--cursor", cursor, "--json"]).await);
    assert_eq!((&second["items"][0]["name"], &second["items"][1]["name"]), (&json!("s2"), &json!("s3")));
    let all = json(&person.run(&["scripts", "list", "--all", "--json"]).await);
    assert_eq!((all["items"].as_array().map(Vec::len), &all["cursor"]), (Some(5), &json!(null)));
}

#[tokio::test]
async fn a_value_of_a_secret_comes_from_standard_input_alone() {
    let app = TestApp::start().await;
    app.create_app("shop").await;
    let person = Person::logged_in(&app).await.with("PICLOUD_APP", "shop");
    let argument = person.run(&["secrets", "set", "key", "hush"]).await;
    refused(&argument, 2);
    assert_eq!(done(&person.fed(&["secrets", "set", "key"], "hush\n").await), "The secret key is set.\n");
    let id = app.get("/admin/apps/shop").await.expect(200).json()["id"].as_str().and_then(|id| id.parse().ok()).expect("an id");
    let kept = picloud::service::secrets::get(&app.services, id, "key").await.expect("it opens").expect("it is there");
    assert_eq!(kept.expose(), "hush");
}
