//! Stored now and run later: versions and deployments that are not active, previews, splits; and what an app is kept from.

use serde_json::{Value, json};

use super::{Person, done, json, refused, told};
use crate::support::TestApp;
use crate::support::origin::{Origin, answer};

const MANIFEST: &str = "app = \"shop\"\n[scripts.visits]\nroutes = [\"GET /visits\"]\n";

#[tokio::test]
async fn a_version_is_stored_told_apart_and_made_active() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let person = Person::logged_in(&app).await.with("PICLOUD_APP", "shop");
    person.write("visits.rhai", "1\n");
    let first = person.run(&["deploy", "visits.rhai", "--no-activate"]).await;
    assert!(refused(&first, 2).contains("there is no script visits yet"), "{first:?}");
    done(&person.run(&["deploy", "visits.rhai", "--route", "/visits", "-m", "one"]).await);
    person.write("visits.rhai", "kv::collection(\"a\").get(\"b\");\n2\n");
    let stored = person.run(&["deploy", "visits.rhai", "--no-activate", "-m", "two"]).await;
    let expected = "Version 2 of visits is stored, and does not run.\n  Have it run: picloud scripts activate visits 2\n";
    assert_eq!(done(&stored), expected);
    assert_eq!(shop.get("/visits").await.expect(200).json(), 1);

    let diff = person.run(&["versions", "diff", "visits", "2"]).await;
    let text = done(&diff);
    assert!(text.starts_with("From version 1 to 2\n\n    ! gains kv\n"), "{text}");
    assert!(text.ends_with("    -1\n    +kv::collection(\"a\").get(\"b\");\n    +2\n"), "{text}");
    let back = person.run(&["versions", "diff", "visits", "1", "--against", "2", "--json"]).await;
    assert_eq!((&json(&back)["before"], &json(&back)["lost"]), (&json!(2), &json!(["kv"])));
    assert_eq!(told(done(&person.run(&["versions", "visits"]).await)).lines().count(), 3);
    refused(&person.run(&["versions", "diff", "visits", "9"]).await, 9);
    refused(&person.run(&["versions"]).await, 2);

    let active = person.run(&["scripts", "activate", "visits", "2", "-m", "go"]).await;
    assert_eq!(done(&active), "visits runs version 2.\n");
    assert_eq!(shop.get("/visits").await.expect(200).json(), 2);
    let deployments = person.run(&["deployments"]).await;
    assert!(told(done(&deployments)).contains(" version.activate go"), "{deployments:?}");
    refused(&person.run(&["scripts", "activate", "visits", "9"]).await, 9);
}

#[tokio::test]
async fn a_manifest_is_stored_and_made_what_runs_later() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let person = Person::logged_in(&app).await;
    person.write("picloud.toml", MANIFEST);
    person.write("visits.rhai", "1\n");
    done(&person.run(&["apply", "--yes", "-m", "one"]).await);
    person.write("visits.rhai", "2\n");
    let stored = person.run(&["apply", "--no-activate", "--yes", "-m", "two"]).await;
    let text = done(&stored);
    assert!(text.contains("~ script visits (source)\n"), "{text}");
    let next = "  Look at it: picloud preview 2; have it run: picloud deployments activate 2\n";
    assert!(text.ends_with(&format!("Deployment 2 of shop is stored, and does not run.\n{next}")), "{text}");
    assert_eq!(shop.get("/visits").await.expect(200).json(), 1);
    let as_json = json(&person.run(&["apply", "--no-activate", "--yes", "--json"]).await);
    assert_eq!((&as_json["applied"], &as_json["stored"], &as_json["deployment"]), (&json!(false), &json!(2), &json!(1)));

    for args in [&["deployments", "diff", "2", "1"][..], &["deployments", "diff", "2", "--against", "1"]] {
        let diff = person.run(args).await;
        assert!(done(&diff).starts_with("From deployment 1 to 2\n") && diff.stdout.contains("    +2\n"), "{diff:?}");
    }
    let dry = person.run(&["deployments", "activate", "2", "--dry-run"]).await;
    assert!(done(&dry).starts_with("On to deployment 2 (two)\n\n~ script visits (source)\n"), "{dry:?}");
    assert!(refused(&person.run(&["deployments", "activate", "2"]).await, 2).contains("Have shop run deployment 2 (two)"));
    assert_eq!(shop.get("/visits").await.expect(200).json(), 1);
    let active = person.run(&["deployments", "activate", "2", "--yes", "-m", "go"]).await;
    assert!(done(&active).contains("shop runs deployment 2.\n"), "{active:?}");
    assert_eq!(shop.get("/visits").await.expect(200).json(), 2);
    refused(&person.run(&["deployments", "activate", "9", "--yes"]).await, 9);
}

#[tokio::test]
async fn an_app_is_kept_from_what_is_named_and_from_nothing_again() {
    let app = TestApp::start().await;
    app.create_app("shop").await;
    let person = Person::logged_in(&app).await.with("PICLOUD_APP", "shop");
    let none = person.run(&["restrictions", "get"]).await;
    assert_eq!(told(done(&none)), "capabilities -\nkinds of triggers -");
    let set = ["restrictions", "set", "--capability", "http", "--capability", "email", "--trigger-kind", "email"];
    assert!(refused(&person.run(&set).await, 2).contains("Keep shop from http, email, email triggers"));
    let kept = person.run(&[&set[..], &["--yes"]].concat()).await;
    assert_eq!(told(done(&kept)), "capabilities email, http\nkinds of triggers email");
    let granted = person.run(&["grants", "set", "http", "*"]).await;
    refused(&granted, 10);
    assert_eq!(json(&person.run(&["restrictions", "get", "--json"]).await)["trigger_kinds"], json!(["email"]));
    refused(&person.run(&["restrictions", "set", "--capability", "nope", "--yes"]).await, 10);
    refused(&person.run(&["restrictions", "set"]).await, 2);
    done(&person.run(&["restrictions", "set", "--none"]).await);
    done(&person.run(&["grants", "set", "http", "*"]).await);
}

/// A node that answers everything with one document.
async fn always(body: Value) -> (Origin, Person) {
    let node = Origin::plain(move |_| answer("200 OK", &[("content-type", "application/json")], body.to_string())).await;
    let url = format!("http://{}", node.address);
    let person = Person::new(&[("PICLOUD_URL", &url), ("PICLOUD_TOKEN", "pic_of-a-stand-in"), ("PICLOUD_APP", "shop")]);
    (node, person)
}

/// What it was asked last.
fn asked(node: &Origin) -> (String, Value) {
    let received = node.received();
    let last = received.last().expect("a request");
    (format!("{} {}", last.method, last.target), serde_json::from_slice(&last.body).unwrap_or_default())
}

#[tokio::test]
async fn a_preview_is_a_link_that_ends() {
    let link = json!({ "url": "http://v7--shop.localhost/?picloud_preview=t0", "expires_at": "2026-01-09T03:04:05Z" });
    let (node, person) = always(link).await;
    let path = "POST /api/v1/admin/apps/shop/deployments/7/preview".to_owned();
    let shown = person.run(&["preview", "7"]).await;
    let text = "http://v7--shop.localhost/?picloud_preview=t0\nDeployment 7 on the app's live data";
    assert!(done(&shown).starts_with(text), "{shown:?}");
    assert_eq!(asked(&node), (path.clone(), json!({})));
    let as_json = json(&person.run(&["preview", "7", "--expires", "12h", "--json"]).await);
    assert_eq!(as_json["expires_at"], "2026-01-09T03:04:05Z");
    assert_eq!(asked(&node), (path, json!({ "expires_in_s": 43_200 })));
    assert!(refused(&person.run(&["preview", "7", "--expires", "soon"]).await, 2).contains("90s, 30m, 12h or 7d"));
    // There is no browser here, and what is no page is not opened at all.
    let person = person.with("PATH", "/nowhere");
    let open = person.run(&["preview", "7", "--open"]).await;
    assert!(done(&open).starts_with("http://v7--shop") && open.stderr.contains("warning: no browser was opened"), "{open:?}");
    let (_node, person) = always(json!({ "url": "file:///etc/passwd", "expires_at": "2026-01-09T03:04:05Z" })).await;
    assert!(person.run(&["preview", "7", "--open"]).await.stderr.contains("it is not opened"));
}

#[tokio::test]
async fn a_split_is_set_shown_and_ended() {
    let (node, person) = always(json!({ "deployment": 6, "percent": 10, "sticky": true })).await;
    let path = "/api/v1/admin/apps/shop/split";
    let set = person.run(&["split", "set", "6", "--percent", "10", "--sticky"]).await;
    let lines = "Deployment 6 answers 10 of a hundred requests.\ndeployment 6\npercent 10\nsticky yes\nset -";
    assert_eq!(told(done(&set)), lines);
    assert_eq!(asked(&node), (format!("PUT {path}"), json!({ "deployment": 6, "percent": 10, "sticky": true })));
    for args in [&["split"][..], &["split", "get"]] {
        assert_eq!(told(done(&person.run(args).await)), lines);
        assert_eq!(asked(&node).0, format!("GET {path}"));
    }
    assert_eq!(done(&person.run(&["split", "end"]).await), "What runs answers every request of shop.\n");
    assert_eq!(asked(&node).0, format!("DELETE {path}"));
    refused(&person.run(&["split", "set", "6"]).await, 2);
}

#[tokio::test]
async fn a_deployment_is_previewed_and_split_at_a_node() {
    let app = TestApp::start().await;
    app.create_app("shop").await;
    let person = Person::logged_in(&app).await;
    person.write("picloud.toml", MANIFEST);
    person.write("visits.rhai", "1\n");
    done(&person.run(&["apply", "--yes"]).await);
    person.write("visits.rhai", "2\n");
    done(&person.run(&["apply", "--yes"]).await);
    assert!(done(&person.run(&["preview", "1", "--expires", "1h"]).await).contains("v1--shop.localhost"));
    refused(&person.run(&["preview", "9"]).await, 9);
    refused(&person.run(&["preview", "1", "--expires", "31d"]).await, 10);
    assert!(done(&person.run(&["split", "set", "1", "--percent", "10"]).await).contains("Deployment 1 answers 10 of a hundred"));
    assert_eq!(json(&person.run(&["split", "get", "--json"]).await)["percent"], 10);
    refused(&person.run(&["split", "set", "2", "--percent", "10"]).await, 11);
    for percent in ["0", "100"] {
        refused(&person.run(&["split", "set", "1", "--percent", percent]).await, 10);
    }
    done(&person.run(&["split", "end"]).await);
}
