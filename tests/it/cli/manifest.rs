//! An app as a file: begun, planned, applied, changed, put back, and pulled.

use serde_json::{Value, json};

use super::{Person, done, json, refused, told};
use crate::support::origin::{Origin, answer as reply};
use crate::support::{Tenant, TestApp};

const MANIFEST: &str = "\
app = \"shop\"

[scripts.visits]
routes = [\"GET /visits\"]

[env.staging]
app = \"shop-staging\"

[env.staging.scripts.visits]
limits = { timeout_ms = 5000 }
";

/// Somebody whose directory holds a manifest with one script.
async fn with_manifest(app: &TestApp) -> Person {
    let person = Person::logged_in(app).await;
    person.write("picloud.toml", MANIFEST);
    person.write("visits.rhai", "1\n");
    person
}

async fn answer(shop: &Tenant, path: &str) -> Value {
    shop.get(path).await.expect(200).json()
}

#[tokio::test]
async fn an_app_is_begun_applied_changed_put_back_and_pulled() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let person = Person::logged_in(&app).await;
    let begun = person.run(&["init", "--app", "shop"]).await;
    assert!(
        done(&begun).starts_with("shop begins here:\n  hello.rhai\n  hello_test.rhai\n  README.md\n  picloud.toml\n"),
        "{begun:?}"
    );
    assert!(refused(&person.run(&["init"]).await, 11).contains("picloud.toml already"));

    let plan = person.run(&["plan"]).await;
    let text = done(&plan);
    assert!(text.contains("+ script hello\n    ! gains log\n") && text.contains("+ route GET / → hello\n"), "{text}");
    assert!(text.contains("- grant kv\n      loses *\n") && text.contains("\n\n3 to add, 0 to change, "), "{text}");
    assert!(plan.stderr.contains(&format!("→ shop at {}\n", app.admin)), "{plan:?}");
    shop.get("/").await.fails(404, "not_found");

    let applied = person.run(&["apply", "--yes", "--message", "begun"]).await;
    assert!(done(&applied).contains("shop runs deployment "), "{applied:?}");
    assert!(done(&applied).lines().last().is_some_and(|line| line.starts_with("  http://shop.localhost")), "{applied:?}");
    assert_eq!(answer(&shop, "/hello/ada").await, json!({ "hello": "ada" }));
    let again = person.run(&["apply"]).await;
    assert_eq!(done(&again), "Nothing differs: what runs is what the manifest says.\n");
    done(&person.run(&["plan", "--exit-code"]).await);

    person.write("hello.rhai", "#{ hello: `${ctx.request.params.who}!` }\n");
    let plan = person.run(&["plan", "--diff", "--exit-code"]).await;
    assert_eq!(plan.status.code(), Some(13), "{plan:?}");
    assert!(!plan.stderr.contains("picloud:"), "{plan:?}");
    assert!(plan.stdout.contains("~ script hello (source, capabilities)\n      loses log\n"), "{plan:?}");
    assert!(plan.stdout.contains("\n    +#{ hello: `${ctx.request.params.who}!` }\n"), "{plan:?}");
    assert!(plan.stdout.ends_with("\n0 to add, 1 to change, 0 to remove\n"), "{plan:?}");
    done(&person.run(&["apply", "--yes", "--message", "louder"]).await);
    assert_eq!(answer(&shop, "/hello/ada").await, json!({ "hello": "ada!" }));

    let dry = person.run(&["rollback", "--dry-run"]).await;
    assert!(done(&dry).contains("(begun)\n\n~ script hello (source, capabilities)\n    ! gains log\n"), "{dry:?}");
    assert_eq!(answer(&shop, "/hello/ada").await, json!({ "hello": "ada!" }));
    assert!(refused(&person.run(&["rollback"]).await, 2).contains("add --yes"));
    assert!(done(&person.run(&["rollback", "--yes"]).await).contains("shop runs deployment "));
    assert_eq!(answer(&shop, "/hello/ada").await, json!({ "hello": "ada" }));

    let differs = person.run(&["pull"]).await;
    assert!(refused(&differs, 11).contains("hello.rhai") && differs.stderr.contains("hint: --force"), "{differs:?}");
    let pulled = person.run(&["pull", "--force"]).await;
    assert!(done(&pulled).contains("is here now:\n  hello.rhai\n  picloud.toml\n"), "{pulled:?}");
    done(&person.run(&["plan", "--exit-code"]).await);
    assert_eq!(done(&person.run(&["pull"]).await), "The files are those of shop already.\n");

    let list = told(done(&person.run(&["deployments"]).await));
    let lines: Vec<&str> = list.lines().collect();
    assert_eq!(lines[0], "NUMBER MADE BY CAUSE MESSAGE");
    assert!(lines[1].ends_with("deployment.apply louder") && !lines[1].starts_with('*'), "{list}");
    assert!(lines[2].starts_with("* ") && lines[2].ends_with("deployment.apply begun"), "{list}");
    let numbers: Vec<String> = lines.iter().skip(1).map(|line| number_of(line)).collect();
    assert!(done(&person.run(&["deployments", "get", &numbers[0]]).await).contains("louder"));
    let diff = person.run(&["deployments", "diff", &numbers[0], &numbers[1]]).await;
    assert!(done(&diff).starts_with(&format!("From deployment {} to {}\n\n~ script hello", numbers[1], numbers[0])), "{diff:?}");
}

/// The number in a line of the list.
fn number_of(line: &str) -> String {
    line.trim_start_matches("* ").split_whitespace().next().expect("a number").to_owned()
}

#[tokio::test]
async fn every_template_is_an_app_that_works() {
    let app = TestApp::start().await;
    let person = Person::logged_in(&app).await;
    for template in ["hello", "api", "cron", "queue"] {
        let slug = format!("my-{template}");
        let shop = app.create_app(&slug).await;
        done(&person.run(&["init", &slug, "--template", template]).await);
        let manifest = format!("{slug}/picloud.toml");
        done(&person.run(&["apply", "--yes", "--manifest", &manifest]).await);
        done(&person.run(&["plan", "--exit-code", "--manifest", &manifest]).await);
        // And so it is pulled.
        let pulled = format!("pulled-{template}");
        done(&person.run(&["pull", "--app", &slug, "--dir", &pulled]).await);
        done(&person.run(&["plan", "--exit-code", "--manifest", &format!("{pulled}/picloud.toml")]).await);
        match template {
            "hello" => assert_eq!(answer(&shop, "/").await, json!({ "hello": "world" })),
            "api" => {
                let json = "application/json";
                let made = shop.post("/notes", r#"{"text": "tea"}"#, json).await.expect(201);
                let at = made.header("location").expect("a place").to_owned();
                assert_eq!(answer(&shop, &at).await["data"], json!({ "text": "tea" }));
                assert_eq!(answer(&shop, "/notes").await["items"].as_array().map(Vec::len), Some(1));
                shop.call("PATCH", &at, r#"{"text": "soup"}"#, &[("content-type", json)]).await.expect(200);
                assert_eq!(shop.post("/notes", "{}", json).await.status, 422);
                assert_eq!(shop.call("DELETE", &at, "", &[]).await.status, 204);
                assert_eq!(shop.get(&at).await.status, 404);
            }
            "cron" => {
                assert_eq!(answer(&shop, "/").await, json!({ "count": 0, "last": null }));
                done(&person.run(&["invoke", "tick", "--app", &slug]).await);
                assert_eq!(answer(&shop, "/").await["count"], 1);
            }
            _ => {
                let made = shop.post("/orders", r#"{"tea": 2}"#, "application/json").await.expect(202);
                let at = made.header("location").expect("a place").to_owned();
                crate::support::eventually("it is worked off", std::time::Duration::from_secs(20), async || {
                    (answer(&shop, &at).await["data"]["state"] == "done").then_some(())
                })
                .await;
            }
        }
    }
}

#[tokio::test]
async fn a_source_that_is_wrong_is_quoted_from_its_file_and_nothing_is_applied() {
    let app = TestApp::start().await;
    app.create_app("shop").await;
    let person = with_manifest(&app).await;
    person.write("visits.rhai", "let who = 1;\nlet n = 2;\nn += 1\nvisits.set(who, n);\n");
    let quote = "error: visits.rhai:4:1: Expecting ';' to terminate this statement\n  4 | visits.set(who, n);\n    | ^\n";
    for args in [&["plan"][..], &["apply", "--yes"]] {
        let ended = person.run(args).await;
        assert!(refused(&ended, 10).ends_with(quote), "{ended:?}");
        assert_eq!(ended.stdout, "");
    }
    assert_eq!(app.get("/admin/scripts?app=shop").await.expect(200).json()["items"], json!([]));
    person.write("picloud.toml", "app = \"shop\"\n[scripts.visits]\nroute = \"/\"\n");
    let ended = person.run(&["plan"]).await;
    let said = refused(&ended, 10);
    assert!(said.starts_with("error: picloud.toml:3:1: unknown field `route`"), "{said}");
    assert!(said.ends_with("  3 | route = \"/\"\n    | ^\n"), "{said}");
    person.write("picloud.toml", "app = \"shop\"\n[scripts.visits]\nfile = \"../visits.rhai\"\n");
    assert!(refused(&person.run(&["plan"]).await, 10).contains("the script visits: ../visits.rhai is outside"));
    std::fs::remove_file(person.scratch.path().join("picloud.toml")).expect("it is there");
    assert!(refused(&person.run(&["plan"]).await, 2).contains("hint: picloud init"));
}

#[tokio::test]
async fn an_apply_is_refused_once_somebody_changed_the_app_after_its_plan() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let person = with_manifest(&app).await;
    done(&person.run(&["apply", "--yes"]).await);
    person.write("visits.rhai", "2\n");
    // Where nobody can be asked and no --yes is given, nothing is done.
    let plan = person.run(&["apply"]).await;
    assert!(refused(&plan, 2).contains("add --yes") && plan.stdout.contains("~ script visits (source)"), "{plan:?}");
    assert_eq!(answer(&shop, "/visits").await, 1);
    let stranger = Person::new(&[("PICLOUD_URL", &changed_after_the_plan().await), ("PICLOUD_TOKEN", "pic_of-a-stand-in")]);
    stranger.write("picloud.toml", MANIFEST);
    stranger.write("visits.rhai", "2\n");
    let late = stranger.run(&["apply", "--yes"]).await;
    let said = refused(&late, 11);
    assert!(said.contains("somebody changed shop after this was planned") && said.contains("hint: picloud plan"), "{late:?}");
    // What somebody changed by hand is told.
    app.patch("/admin/apps/shop/grants", json!({ "http": ["api.example.com"] })).await.expect(200);
    let drift = person.run(&["plan"]).await;
    done(&drift);
    assert!(drift.stderr.contains("warning: what runs was not applied from a manifest: "), "{drift:?}");
}

/// The address of a node that answers a plan with one change, and refuses every apply as too late.
async fn changed_after_the_plan() -> String {
    let node = Origin::plain(|request| {
        let change = json!({ "thing": "script", "action": "change", "name": "visits", "parts": ["source"] });
        let plan =
            json!({ "applied": false, "deployment": null, "base": "00", "digest": "11", "changes": [change], "notes": [] });
        let error = json!({ "error": { "code": "conflict", "message": "the app was changed", "request_id": "r",
                                       "details": { "base": "00", "running": { "deployment": 9, "digest": "22" } } } });
        let json_type = [("content-type", "application/json")];
        match request.target.ends_with("/plan") {
            true => reply("200 OK", &json_type, plan.to_string()),
            false => reply("409 Conflict", &json_type, error.to_string()),
        }
    })
    .await;
    format!("http://{}", node.address)
}

#[tokio::test]
async fn an_environment_goes_over_the_manifest_and_has_an_app_of_its_own() {
    let app = TestApp::start().await;
    let (shop, staging) = (app.create_app("shop").await, app.create_app("shop-staging").await);
    let person = with_manifest(&app).await;
    done(&person.run(&["apply", "--yes", "--env", "staging"]).await);
    assert_eq!(answer(&staging, "/visits").await, 1);
    shop.get("/visits").await.fails(404, "not_found");
    let script = app.get("/admin/scripts?app=shop-staging").await.expect(200).json()["items"][0].clone();
    assert_eq!(script["limits"]["timeout_ms"], 5000);
    let unknown = person.run(&["plan", "--env", "nope"]).await;
    assert!(refused(&unknown, 10).contains("there is no environment nope: it has staging"), "{unknown:?}");
    let person = person.with("PICLOUD_ENV", "staging");
    done(&person.run(&["plan", "--exit-code"]).await);
    // Other commands mean the same app.
    assert!(done(&person.run(&["scripts", "list"]).await).contains("visits"));
    let other = person.run(&["plan", "--app", "shop"]).await;
    done(&other);
    assert!(other.stderr.contains("warning: the manifest is for the app shop-staging, and --app or PICLOUD_APP says shop"));
}

#[tokio::test]
async fn topics_stand_in_the_manifest_and_are_pulled() {
    let app = TestApp::start().await;
    app.create_app("shop").await;
    let person = with_manifest(&app).await;
    let topics = "\n[topics]\nnews = \"public\"\n\"orders.paid\" = \"token\"\n";
    let path = person.write("picloud.toml", &format!("app = \"shop\"\n\n[scripts.visits]\n{topics}"));
    let plan = person.run(&["plan"]).await;
    assert!(done(&plan).contains("+ topic news\n      access public\n+ topic orders.paid\n      access token\n"), "{plan:?}");
    done(&person.run(&["apply", "--yes"]).await);
    assert_eq!(app.get("/admin/apps/shop/topics/orders.paid").await.expect(200).json()["access"], "token");
    done(&person.run(&["plan", "--exit-code"]).await);
    done(&person.run(&["pull", "--force"]).await);
    let pulled = std::fs::read_to_string(&path).expect("a manifest");
    assert!(pulled.ends_with(topics), "{pulled}");
    person.write("picloud.toml", &pulled.replace("\"token\"", "\"everybody\""));
    assert!(refused(&person.run(&["apply", "--yes"]).await, 10).contains("everybody"));
    person.write("picloud.toml", &pulled.replace(topics, "\n[topics]\n"));
    let plan = person.run(&["plan"]).await;
    assert!(done(&plan).contains("- topic news\n- topic orders.paid\n! what is kept of the topic news goes"), "{plan:?}");
}

#[tokio::test]
async fn what_is_planned_and_applied_is_json_where_it_is_asked_for() {
    let app = TestApp::start().await;
    app.create_app("shop").await;
    let person = with_manifest(&app).await;
    let plan = person.run(&["plan", "--json"]).await;
    assert_eq!((&json(&plan)["applied"], plan.stderr.as_str()), (&json!(false), ""));
    let applied = json(&person.run(&["apply", "--yes", "--json"]).await);
    assert_eq!(applied["applied"], true);
    assert_eq!(json(&person.run(&["apply", "--json"]).await)["applied"], false);
    person.write("visits.rhai", "2\n");
    let again = json(&person.run(&["apply", "--yes", "--json"]).await);
    let number = applied["deployment"].to_string();
    assert_eq!(json(&person.run(&["rollback", "--dry-run", "--json"]).await)["applied"], false);
    let back = json(&person.run(&["rollback", &number, "--yes", "--json"]).await);
    assert_eq!((&back["applied"], &back["deployment"]), (&json!(true), &applied["deployment"]));
    assert_eq!(json(&person.run(&["pull", "--force", "--json"]).await)["written"], json!(["visits.rhai", "picloud.toml"]));
    let newest = again["deployment"].to_string();
    for args in [
        &["deployments"][..],
        &["deployments", "list", "--all"],
        &["deployments", "get", &number],
        &["deployments", "diff", &newest],
    ] {
        json(&person.run(&[args, &["--json"]].concat()).await);
    }
    let missing = person.run(&["deployments", "get", "999"]).await;
    refused(&missing, 9);
}

#[tokio::test]
async fn a_manifest_and_a_plan_steer_no_terminal() {
    let app = TestApp::start().await;
    app.create_app("shop").await;
    let person = with_manifest(&app).await;
    person.write("visits.rhai", "// \u{1b}[2J\u{202e}gone\n1\n");
    let plan = person.run(&["plan", "--diff"]).await;
    assert!(done(&plan).contains("    +// gone\n"), "{plan:?}");
    done(&person.run(&["apply", "--yes", "--message", "all\tgood"]).await);
    person.write("picloud.toml", "app = \"shop\"\n\"\\u001b[2Jx\" = 1\n");
    let wrong = person.run(&["plan"]).await;
    for ended in [&plan, &wrong] {
        let text = format!("{}{}", ended.stdout, ended.stderr);
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text:?}");
    }
}
