//! Two apps that use the same names everywhere never see each other.

use picloud::service::queues;
use serde_json::{Value, json};

use crate::support::client::Script;
use crate::support::events::KEEPS;
use crate::support::{Tenant, TestApp};

/// Everything that holds state, under names that both apps use; `mark` tells whose it is.
fn write(mark: &str) -> String {
    format!(
        r#"
        kv::collection("same").set("key", "{mark}");
        kv::collection("same").increment("count", {count});
        docs::collection("same").create(#{{ of: "{mark}" }}, #{{ id: "id" }});
        files::collection("same").create("name", "{mark}");
        secrets::set("name", "{mark}");
        "#,
        count = mark.len()
    )
}

const READ: &str = r#"
    let kv = kv::collection("same"); let docs = docs::collection("same"); let files = files::collection("same");
    let called = ();
    try { called = invoke::call("who", ()); } catch (error) { called = error.code; }
    let file = files.get("name");
    #{
        kv: [kv.get("key"), kv.get("count"), kv.list().items.len()],
        docs: [docs.get("id")?.data?.of, docs.count(), docs.count(#{ of: "one" }), docs.count(#{ of: "second" })],
        files: [if file == () { () } else { file.content.as_string() }, files.list().items.len()],
        secrets: [secrets::get("name"), secrets::list().items],
        called: called,
    }
"#;

fn all_of(mark: &str) -> Value {
    json!({
        "kv": [mark, mark.len(), 2],
        "docs": [mark, 1, u8::from(mark == "one"), u8::from(mark == "second")],
        "files": [mark, 1],
        "secrets": [mark, ["name"]],
        "called": mark,
    })
}

async fn fill(tenant: &Tenant, mark: &str) {
    tenant.run(&write(mark)).await.expect(200);
    tenant.upload("who", &format!("\"{mark}\"")).await;
    tenant.upload_with("lib", &format!("fn who() {{ \"{mark}\" }}"), json!({ "kind": "module" })).await;
}

#[tokio::test]
async fn the_same_names_in_two_apps_are_different_things() {
    let app = TestApp::start().await;
    let (one, two) = (app.create_app("one").await, app.create_app("two").await);
    fill(&one, "one").await;
    let nothing = json!({
        "kv": [null, null, 0],
        "docs": [null, 0, 0, 0],
        "files": [null, 0],
        "secrets": [null, []],
        "called": "not_found",
    });
    assert_eq!(two.run(READ).await.expect(200).json(), nothing);
    two.try_upload("importer", r#"import "lib" as lib; lib::who()"#, json!({})).await.fails(422, "import_missing");
    fill(&two, "second").await;
    assert_eq!(one.run(READ).await.expect(200).json(), all_of("one"));
    assert_eq!(two.run(READ).await.expect(200).json(), all_of("second"));
    assert_eq!(one.run(r#"import "lib" as lib; lib::who()"#).await.expect(200).json(), "one");
    assert_eq!(two.run(r#"import "lib" as lib; lib::who()"#).await.expect(200).json(), "second");

    // What one deletes, the other keeps.
    one.run(
        r#"kv::collection("same").delete("key"); docs::collection("same").delete("id");
           files::collection("same").delete("name"); secrets::delete("name");"#,
    )
    .await
    .expect(200);
    assert_eq!(two.run(READ).await.expect(200).json(), all_of("second"));
    app.delete("/admin/apps/one?force=true").await.expect(204);
    assert_eq!(two.run(READ).await.expect(200).json(), all_of("second"));
}

/// What becomes an event, under names that both apps use.
fn cause(mark: &str) -> String {
    format!(
        r#"
        kv::collection("same").set("key", "{mark}");
        docs::collection("same").create(#{{ of: "{mark}" }}, #{{ id: "id" }});
        files::collection("same").create("{mark}", "x");
        pubsub::publish("same.topic", "{mark}");
        let sent = queue::send("same", "{mark}", #{{ dedup_key: "key" }});
        queue::send("broken", "{mark}");
        sent
        "#
    )
}

/// What [`cause`] leads to, a handler of letters counted.
const SOURCES: [&str; 6] = ["dead_letter", "docs", "files", "kv", "pubsub", "queue"];

/// Triggers for all of it; the handler that keeps, and the trigger whose handler fails.
async fn listen(tenant: &Tenant) -> (Script, Value) {
    let keeps = tenant.upload("keeps", KEEPS).await;
    for (kind, body) in [
        ("kv", json!({ "collection": "same" })),
        ("docs", json!({ "collection": "sam*" })),
        ("files", json!({ "collection": "*" })),
        ("pubsub", json!({ "topic": "same.*" })),
        ("queue", json!({ "queue": "same" })),
        ("dead_letter", json!({})),
    ] {
        tenant.trigger(kind, &keeps, body).await;
    }
    let broken = tenant.upload("broken", "throw 1").await;
    (keeps, tenant.trigger("queue", &broken, json!({ "queue": "broken", "max_attempts": 1 })).await)
}

#[tokio::test]
async fn events_of_one_app_never_run_the_others_handlers() {
    let app = TestApp::start().await;
    let (one, two) = (app.create_app("one").await, app.create_app("two").await);
    listen(&one).await;
    listen(&two).await;
    let first = one.run(&cause("alpha")).await.expect(200).json();
    one.seen(6).await;
    for tenant in [&one, &two] {
        tenant.settled().await;
    }
    assert_eq!((one.seen(6).await.len(), two.seen(0).await.len()), (6, 0));
    // The key that the first one's message has is free in the second.
    let second = two.run(&cause("omega")).await.expect(200).json();
    assert_ne!(first, second);
    two.seen(6).await;
    for tenant in [&one, &two] {
        tenant.settled().await;
    }
    for (tenant, other, sent) in [(&one, "omega", first), (&two, "alpha", second)] {
        let seen = tenant.seen(6).await;
        let mut sources: Vec<_> = seen.iter().map(|seen| seen["event"]["source"].as_str().expect("a source")).collect();
        sources.sort_unstable();
        assert_eq!(sources, SOURCES);
        assert!(seen.iter().all(|seen| !seen.to_string().contains(other)), "{seen:?}");
        assert!(seen.iter().any(|seen| seen["event"]["id"] == sent), "{seen:?}");
        let list = async |what: &str| app.get(&format!("/admin/apps/{}/{what}", tenant.slug)).await.expect(200).json();
        assert_eq!(list("dead_letters/count").await, json!({ "all": 1, "unresolved": 1 }));
        let (topics, queues) = (list("topics").await, list("queues").await);
        let topic = &topics["items"][0];
        assert_eq!((&topic["name"], &topic["published"], &topic["triggers"]), (&json!("same.topic"), &json!(1), &json!(1)));
        let names: Vec<_> = queues["items"].as_array().expect("items").iter().map(|queue| queue["name"].clone()).collect();
        assert_eq!((names, &queues["items"][0]["dead"]), (vec![json!("broken"), json!("same")], &json!(1)), "{queues}");
    }
}

#[tokio::test]
async fn what_one_app_has_of_events_is_not_there_for_the_other() {
    let app = TestApp::start().await;
    let (one, two) = (app.create_app("one").await, app.create_app("two").await);
    let (keeps, fails) = listen(&one).await;
    one.trigger("cron", &keeps, json!({ "schedule": "0 0 0 1 JAN *" })).await;
    one.run(&cause("alpha")).await.expect(200);
    one.seen(6).await;
    one.settled().await;
    one.send_with("waits", json!({ "message": 1, "dedup_key": "key" })).await;
    let state = async || {
        let triggers = app.get("/admin/apps/one/triggers").await.expect(200).json();
        (triggers, one.letter(&one.letters(1).await[0]).await)
    };
    let (triggers, letter) = state().await;

    for trigger in triggers["items"].as_array().expect("items") {
        let path = format!("/admin/apps/two/triggers/{}", trigger["id"].as_str().expect("an id"));
        app.get(&path).await.fails(404, "not_found");
        app.patch(&path, json!({ "enabled": false })).await.fails(404, "not_found");
        app.post(&format!("{path}/run"), json!({})).await.fails(404, "not_found");
        app.delete(&path).await.fails(404, "not_found");
    }
    let id = letter["id"].as_str().expect("an id");
    let path = format!("/admin/apps/two/dead_letters/{id}");
    app.get(&path).await.fails(404, "not_found");
    app.post(&format!("{path}/replay"), json!({})).await.fails(404, "not_found");
    app.post(&format!("{path}/resolve"), json!({ "reason": "mine" })).await.fails(404, "not_found");
    assert_eq!(two.value(&format!("dead_letters::get(\"{id}\")")).await, Value::Null);
    for call in [format!("dead_letters::replay(\"{id}\")"), format!("dead_letters::resolve(\"{id}\", \"mine\")")] {
        assert_eq!(two.caught(&call).await["code"], "not_found", "{call}");
    }
    // In filters they stand for nothing, and no trigger may name them.
    let own = two.upload("own", "1").await;
    for (word, id) in [("trigger_id", fails["id"].clone()), ("script_id", json!(keeps.id))] {
        let mut filter = json!({});
        filter[word] = id.clone();
        let query = format!("/admin/apps/two/dead_letters?{word}={}", id.as_str().expect("an id"));
        assert_eq!(app.get(&query).await.expect(200).json()["items"], json!([]));
        let replayed = app.post("/admin/apps/two/dead_letters/replay", filter.clone()).await.expect(200).json();
        assert_eq!(replayed, json!({ "replayed": 0, "trigger_gone": 0, "more": false }));
        let refused = two.try_trigger("dead_letter", &own, json!({ "filter": filter })).await.fails(422, "invalid");
        assert_eq!(refused.details()["field"], format!("filter.{word}"));
    }
    // A queue of the name is another one.
    assert_eq!(app.post("/admin/apps/two/queues/waits/purge", json!({})).await.expect(200).json(), json!({ "purged": 0 }));
    assert_eq!(app.get("/admin/apps/two/queues").await.expect(200).json()["items"], json!([]));
    assert_eq!(two.value(r#"queue::size("waits")"#).await, 0);
    assert_eq!(queues::size(&app.services, one.id.parse().expect("an id"), "waits").await.expect("a size"), 1);
    // With all that, nothing of the first one's has changed.
    assert_eq!(state().await, (triggers, letter));
}
