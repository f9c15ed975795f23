//! `picloud watch`, and `picloud dev` beside files: what is saved is live, what is wrong is told and leaves what runs.

use std::fs::OpenOptions;
use std::path::PathBuf;
use std::process::Child;
use std::sync::Mutex;
use std::time::Duration;

use picloud::limits::CLIENT_WATCH_PLANS_MAX;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::{Person, refused};
use crate::support::origin::{Origin, answer};
use crate::support::process::{Scratch, Server, picloud};
use crate::support::{Tenant, TestApp, eventually};

const WITHIN: Duration = Duration::from_secs(60);
const MANIFEST: &str = "app = \"shop\"\n[scripts.visits]\nroutes = [\"GET /visits\"]\n";
/// Does not parse, at line 4.
const BROKEN: &str = "let who = 1;\nlet n = 2;\nn += 1\nvisits.set(who, n);\n";
const QUOTE: &str = "error: visits.rhai:4:1: Expecting ';' to terminate this statement\n  4 | visits.set(who, n);\n    | ^\n";

/// A command that goes on; killed, if it still runs, when the test ends.
struct Watching {
    child: Child,
    /// Beside the files that are watched: what it says there is no change of theirs.
    told: PathBuf,
}

impl Watching {
    fn start(person: &Person, args: &[&str]) -> Self {
        let told = person.scratch.path().join("told");
        let out = OpenOptions::new().create(true).append(true).open(&told).expect("a file");
        let mut command = person.command(args);
        command.stdout(out.try_clone().expect("a handle")).stderr(out);
        Self { child: command.spawn().expect("the binary starts"), told }
    }

    fn told(&self) -> String {
        std::fs::read_to_string(&self.told).expect("what it said")
    }

    async fn says(&self, text: &str) {
        eventually(text, WITHIN, async || self.told().contains(text).then_some(())).await;
    }

    /// How it ends by a signal.
    async fn stop(&mut self, signal: Signal) -> Option<i32> {
        kill_process(Pid::from_child(&self.child), signal).expect("it still runs");
        eventually("it ends", WITHIN, async || self.child.try_wait().expect("a child")).await.code()
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Somebody whose directory holds a manifest with one script.
async fn with_manifest(app: &TestApp) -> Person {
    let person = Person::logged_in(app).await;
    person.write("picloud.toml", MANIFEST);
    person.write("visits.rhai", "1\n");
    person
}

async fn live(shop: &Tenant, path: &str, value: Value) {
    let what = format!("{path} answers {value}");
    eventually(&what, WITHIN, async || {
        let reply = shop.get(path).await;
        (reply.status == 200 && reply.json() == value).then_some(())
    })
    .await;
}

async fn deployments(app: &TestApp) -> usize {
    app.get("/admin/apps/shop/deployments?limit=200").await.expect(200).json()["items"].as_array().expect("items").len()
}

#[tokio::test]
async fn what_is_saved_is_live_and_what_is_wrong_is_told_and_leaves_what_runs() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let person = with_manifest(&app).await;
    let mut watching = Watching::start(&person, &["watch"]);
    live(&shop, "/visits", json!(1)).await;
    watching.says(" picloud.toml → deployment 1 in ").await;
    person.write("visits.rhai", "2\n");
    live(&shop, "/visits", json!(2)).await;
    watching.says(" visits.rhai → deployment 2 in ").await;
    let told = watching.told();
    let line = told.lines().find(|line| line.contains("deployment 2 in")).expect("a line");
    assert!(line.contains("  http://shop.localhost") && line.ends_with("/visits"), "{told}");
    assert!(told.contains(&format!("→ shop at {}: picloud.toml is watched\n", app.admin)), "{told}");

    person.write("visits.rhai", BROKEN);
    watching.says(QUOTE).await;
    assert_eq!(shop.get("/visits").await.expect(200).json(), json!(2));
    person.write("visits.rhai", "3\n");
    live(&shop, "/visits", json!(3)).await;
    // Some editors write beside, and rename.
    person.write(".visits.rhai.swp", "4\n");
    std::fs::rename(person.scratch.path().join(".visits.rhai.swp"), person.scratch.path().join("visits.rhai")).expect("a rename");
    live(&shop, "/visits", json!(4)).await;
    // A manifest that is wrong, and one that names what is not there yet.
    person.write("picloud.toml", "app = \"shop\"\n[scripts.visits]\nroute = \"/\"\n");
    watching.says("error: picloud.toml:3:1: unknown field `route`").await;
    person.write("picloud.toml", &format!("{MANIFEST}[scripts.orders]\nfile = \"src/orders.rhai\"\nroutes = [\"/orders\"]\n"));
    watching.says("the script orders: there is no file src/orders.rhai").await;
    std::fs::create_dir(person.scratch.path().join("src")).expect("a directory");
    person.write("src/orders.rhai", "\"new\"\n");
    live(&shop, "/orders", json!("new")).await;
    person.write("src/orders.rhai", "\"newer\"\n");
    live(&shop, "/orders", json!("newer")).await;
    watching.says(" src/orders.rhai → deployment ").await;
    assert_eq!(shop.get("/visits").await.expect(200).json(), json!(4));
    assert_eq!(watching.told().matches(QUOTE).count(), 1, "{}", watching.told());
    assert_eq!(watching.stop(Signal::INT).await, Some(0));
}

#[tokio::test]
async fn many_saves_are_few_deployments_and_the_last_one_is_live() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let person = with_manifest(&app).await;
    let mut watching = Watching::start(&person, &["watch", "--yes", "--no-logs"]);
    live(&shop, "/visits", json!(1)).await;
    let before = deployments(&app).await;
    for n in 2..=1_000 {
        person.write("visits.rhai", &format!("{n}\n"));
    }
    live(&shop, "/visits", json!(1_000)).await;
    let made = deployments(&app).await - before;
    assert!(made < 50, "{made}");
    assert_eq!(watching.stop(Signal::TERM).await, Some(0));
}

#[tokio::test]
async fn what_the_app_logs_is_shown_meanwhile() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let person = with_manifest(&app).await;
    person.write("visits.rhai", "log::warn(\"seen\"); 1\n");
    let watching = Watching::start(&person, &["watch"]);
    live(&shop, "/visits", json!(1)).await;
    eventually("its lines are shown", WITHIN, async || {
        shop.get("/visits").await.expect(200);
        watching.told().contains("  warn   visits  seen\n").then_some(())
    })
    .await;
    watching.says("  end    visits  responded 200").await;
}

#[tokio::test]
async fn a_script_goes_only_where_somebody_agreed() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let person = with_manifest(&app).await;
    person.write("old.rhai", "\"old\"\n");
    person.write("picloud.toml", &format!("{MANIFEST}[scripts.old]\nroutes = [\"/old\"]\n"));
    let mut watching = Watching::start(&person, &["watch"]);
    live(&shop, "/old", json!("old")).await;
    person.write("picloud.toml", MANIFEST);
    watching.says("! the script old goes with its earlier versions").await;
    watching.says("picloud: Apply this to shop: nobody is there to be asked; add --yes\n").await;
    assert_eq!(shop.get("/old").await.expect(200).json(), "old");
    assert_eq!(watching.stop(Signal::INT).await, Some(0));
    // At its start that is a failure, as with `apply`.
    assert!(refused(&person.run(&["watch"]).await, 2).contains("add --yes"));
    let _watching = Watching::start(&person, &["watch", "--yes"]);
    eventually("it is gone", WITHIN, async || (shop.get("/old").await.status == 404).then_some(())).await;
}

#[tokio::test]
async fn what_somebody_else_changed_is_taken_back_only_where_somebody_agreed() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let person = with_manifest(&app).await;
    let mut watching = Watching::start(&person, &["watch"]);
    live(&shop, "/visits", json!(1)).await;
    watching.says("→ deployment 1 in").await;
    app.patch("/admin/apps/shop/grants", json!({ "http": ["api.example.com"] })).await.expect(200);
    person.write("visits.rhai", "2\n");
    watching.says("warning: somebody else changed shop\n").await;
    watching.says("nobody is there to be asked; add --yes\n").await;
    assert_eq!(shop.get("/visits").await.expect(200).json(), json!(1));
    assert_eq!(watching.stop(Signal::INT).await, Some(0));
    let watching = Watching::start(&person, &["watch", "--yes"]);
    watching.says("warning: what runs was not applied from a manifest: ").await;
    live(&shop, "/visits", json!(2)).await;
}

/// A node with an app that is as it is told, which refuses so many applies as too late and takes the next.
async fn restless(times: u32) -> Origin {
    let applies = Mutex::new(0);
    Origin::plain(move |request| {
        let change = json!({ "thing": "script", "action": "change", "name": "visits", "parts": ["source"] });
        let plan = |applied: bool, digest: &str| {
            json!({ "applied": applied, "deployment": 3, "base": "00", "digest": digest, "changes": [change], "notes": [] })
        };
        let running = json!({ "deployment": 2, "digest": "22" });
        let late = json!({ "error": { "code": "conflict", "message": "changed", "request_id": "r",
                                      "details": { "base": "00", "running": running } } });
        let json_type = [("content-type", "application/json")];
        let ok = |body: Value| answer("200 OK", &json_type, body.to_string());
        match (request.method.as_str(), request.target.as_str()) {
            ("POST", target) if target.ends_with("/plan") => ok(plan(false, "11")),
            ("POST", _) => {
                let mut applies = applies.lock().expect("not poisoned");
                *applies += 1;
                if *applies <= times { answer("409 Conflict", &json_type, late.to_string()) } else { ok(plan(true, "11")) }
            }
            (_, target) if target.contains("/deployments/") => ok(json!({ "cause": "deployment.apply" })),
            _ => ok(json!({ "slug": "shop", "url": "http://shop.localhost/" })),
        }
    })
    .await
}

#[tokio::test]
async fn an_apply_that_comes_too_late_is_planned_anew_but_not_for_ever() {
    let asks = |node: &Origin| {
        let url = format!("http://{}", node.address);
        let person = Person::new(&[("PICLOUD_URL", &url), ("PICLOUD_TOKEN", "pic_of-a-stand-in")]);
        person.write("picloud.toml", MANIFEST);
        person.write("visits.rhai", "1\n");
        person
    };
    let node = restless(CLIENT_WATCH_PLANS_MAX).await;
    let late = asks(&node).run(&["watch", "--yes"]).await;
    assert!(refused(&late, 11).contains("somebody changed shop after this was planned"), "{late:?}");
    let node = restless(CLIENT_WATCH_PLANS_MAX - 1).await;
    let person = asks(&node);
    let watching = Watching::start(&person, &["watch", "--yes", "--no-logs"]);
    watching.says("somebody changed shop meanwhile: it is looked at again").await;
    watching.says("→ deployment 3 in").await;
    let asked = |end: &str| node.received().iter().filter(|request| request.target.ends_with(end)).count();
    let times = CLIENT_WATCH_PLANS_MAX as usize;
    assert_eq!((asked("/plan"), asked("/deployments")), (times, times));
    assert_eq!(asked("/logs"), 0, "--no-logs");
    // What runs is known: the next save is one request.
    person.write("visits.rhai", "2\n");
    watching.says(" visits.rhai → deployment 3 in").await;
    assert_eq!((asked("/plan"), asked("/deployments")), (times, times + 1));
    let body: Value = serde_json::from_slice(&node.received().last().expect("a request").body).expect("JSON");
    assert_eq!((&body["base"], &body["message"]), (&json!("11"), &json!("saved: visits.rhai")));
}

#[tokio::test]
async fn one_script_is_deployed_at_each_save() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let person = Person::logged_in(&app).await.with("PICLOUD_APP", "shop");
    person.write("visits.rhai", BROKEN);
    let mut watching = Watching::start(&person, &["watch", "visits.rhai", "--route", "GET /visits"]);
    watching.says(QUOTE).await;
    person.write("visits.rhai", "log::info(\"seen\"); 1\n");
    live(&shop, "/visits", json!(1)).await;
    watching.says(" visits.rhai → visits version 1 in ").await;
    person.write("visits.rhai", "2\n");
    live(&shop, "/visits", json!(2)).await;
    watching.says(" visits.rhai → visits version 2 in ").await;
    assert_eq!(watching.stop(Signal::INT).await, Some(0));
    let named = person.run(&["watch", "--name", "visits"]).await;
    assert!(refused(&named, 2).contains("name its file"), "{named:?}");
}

#[tokio::test]
async fn a_watch_that_cannot_begin_ends_with_its_exit_code() {
    let app = TestApp::start().await;
    let person = with_manifest(&app).await;
    assert!(refused(&person.run(&["watch"]).await, 9).contains("hint: picloud apps create shop"));
    let stranger = Person::new(&[("PICLOUD_URL", &app.admin)]);
    refused(&stranger.run(&["watch"]).await, 8);
    let person = Person::logged_in(&app).await;
    assert!(refused(&person.run(&["watch"]).await, 2).contains("hint: picloud init"));
    assert!(refused(&person.run(&["dev", "--watch", "nope.toml"]).await, 2).contains("there is no manifest nope.toml"));
}

/// What an app of a node of its own answers.
async fn live_at(server: &Server, path: &str, value: Value) {
    let what = format!("{path} answers {value}: {}", server.last_words());
    eventually(&what, WITHIN, async || {
        let reply = server.client.call("shop.localhost", "GET", path, "", &[]).await;
        (reply.status == 200 && reply.json() == value).then_some(())
    })
    .await;
}

/// Logins that the node made for itself and that have not ended.
async fn visits(server: &Server) -> usize {
    let sessions = server.client.get("/admin/auth/sessions").await.expect(200).json();
    let sessions = sessions["items"].as_array().expect("items").iter();
    sessions.filter(|session| session.to_string().contains("picloud dev")).count()
}

#[tokio::test]
async fn dev_makes_the_app_of_the_manifest_beside_it_and_applies_what_is_saved() {
    let scratch = Scratch::prepared().await;
    let write = |name: &str, text: &str| std::fs::write(scratch.path().join(name), text).expect("a file");
    write("picloud.toml", MANIFEST);
    write("visits.rhai", "log::info(\"seen\"); 1\n");
    let server = Server::dev(&scratch).await;
    live_at(&server, "/visits", json!(1)).await;
    write("visits.rhai", "log::info(\"seen\"); 2\n");
    live_at(&server, "/visits", json!(2)).await;
    eventually("its lines are shown", WITHIN, async || {
        live_at(&server, "/visits", json!(2)).await;
        server.output().contains("  info   visits  seen\n").then_some(())
    })
    .await;
    write("visits.rhai", BROKEN);
    eventually("it is told", WITHIN, async || server.output().contains(QUOTE).then_some(())).await;
    assert_eq!(server.client.call("shop.localhost", "GET", "/visits", "", &[]).await.expect(200).json(), 2);
    // In a directory that was not there when the second wall was raised.
    std::fs::create_dir(scratch.path().join("src")).expect("a directory");
    write("src/visits.rhai", "3\n");
    write("picloud.toml", &format!("{MANIFEST}file = \"src/visits.rhai\"\n"));
    live_at(&server, "/visits", json!(3)).await;
    write("src/visits.rhai", "4\n");
    live_at(&server, "/visits", json!(4)).await;
    // A script that the manifest no longer names goes, and nobody is asked.
    write("picloud.toml", "app = \"shop\"\n[scripts.other]\nroutes = [\"/other\"]\n");
    write("other.rhai", "5\n");
    live_at(&server, "/other", json!(5)).await;
    assert_eq!(server.client.call("shop.localhost", "GET", "/visits", "", &[]).await.status, 404);
    let output = server.output();
    assert!(output.contains("applied on save  picloud.toml") && output.contains(" visits.rhai → deployment 2 in "), "{output}");
    assert!(!output.contains("picloud init writes") && !output.contains("pics_"), "{output}");
    assert_eq!(visits(&server).await, 1);
    server.stop();

    // Left alone where that is asked for; and the login that ended with the node is no more.
    write("other.rhai", "6\n");
    let server = Server::launch(&scratch, picloud(&scratch, &["dev", "--no-watch"])).await;
    live_at(&server, "/other", json!(5)).await;
    assert_eq!(visits(&server).await, 0);
    server.stop();
}

#[tokio::test]
async fn dev_without_files_says_how_to_begin_some() {
    let scratch = Scratch::prepared().await;
    let server = Server::dev(&scratch).await;
    let how = "picloud init writes a picloud.toml";
    eventually("it says how", WITHIN, async || server.output().contains(how).then_some(())).await;
    assert_eq!(visits(&server).await, 0);
    server.stop();
}
