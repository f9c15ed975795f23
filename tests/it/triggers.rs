//! From a change to a handler, for each kind of trigger: each test fails when the handler did not run.

use chrono::{DateTime, TimeDelta, Utc};
use picloud::clock::Clock;
use serde_json::{Value, json};

use crate::support::app::Options;
use crate::support::events::KEEPS;
use crate::support::{Tenant, TestApp, eventually};

/// The map named after the source, of each event with that op.
fn about(seen: &[Value], source: &str, op: &str) -> Vec<Value> {
    seen.iter().filter(|seen| seen["event"]["op"] == op).map(|seen| seen["event"][source].clone()).collect()
}

#[tokio::test]
async fn a_write_to_a_kv_collection_runs_its_handler() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let handler = shop.upload("handler", KEEPS).await;
    shop.trigger("kv", &handler, json!({ "collection": "orders" })).await;
    let writes = r#"let c = kv::collection("orders"); c.set("a", #{ n: 1 }); c.set("a", 2); c.delete("a"); c.increment("b", 5);"#;
    shop.run(writes).await.expect(200);
    shop.run(r#"kv::collection("other").set("a", 1); kv::collection("orders").delete("none");"#).await.expect(200);
    let seen = shop.seen(4).await;
    shop.settled().await;
    assert_eq!(shop.seen(4).await.len(), 4);
    assert_eq!(about(&seen, "kv", "update"), [json!({ "collection": "orders", "key": "a", "value": 2, "prev": { "n": 1 } })]);
    assert_eq!(about(&seen, "kv", "delete"), [json!({ "collection": "orders", "key": "a", "value": null, "prev": 2 })]);
    let inserted = about(&seen, "kv", "insert");
    assert!(inserted.contains(&json!({ "collection": "orders", "key": "b", "value": 5, "prev": null })), "{inserted:?}");
    assert_eq!(inserted.len(), 2);
    for seen in &seen {
        assert_eq!((&seen["type"], &seen["event"]["source"]), (&json!("event"), &json!("kv")), "{seen}");
        assert_eq!((&seen["event"]["attempt"], &seen["event"]["depth"]), (&json!(1), &json!(1)), "{seen}");
        let record = app.execution(seen["execution"].as_str().unwrap()).await;
        assert_eq!((&record["outcome"], &record["event_id"]), (&json!("completed"), &seen["event"]["id"]), "{record}");
    }
}

#[tokio::test]
async fn values_reach_a_handler_as_they_are() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let handler = shop.upload("handler", KEEPS).await;
    shop.trigger("kv", &handler, json!({ "collection": "c*", "ops": ["insert", "delete"] })).await;
    shop.run(r#"kv::collection("c1").set("k\"\\\n", "\x00ü\"\\"); kv::collection("c2").set("b", blob(100, 7));"#)
        .await
        .expect(200);
    shop.run(r#"kv::collection("c1").set("k\"\\\n", 1); kv::collection("c2").delete("b");"#).await.expect(200);
    let seen = shop.seen(3).await;
    let inserted = about(&seen, "kv", "insert");
    assert!(inserted.iter().any(|about| about["key"] == "k\"\\\n" && about["value"] == "\0ü\"\\"), "{inserted:?}");
    // 100 bytes in base64, on one line.
    let bytes = "BwcH".repeat(33) + "Bw==";
    assert!(inserted.iter().any(|about| about["value"] == json!(bytes)), "{inserted:?}");
    assert_eq!(about(&seen, "kv", "delete")[0]["prev"], json!(bytes));
}

#[tokio::test]
async fn a_write_to_documents_runs_its_handler() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let handler = shop.upload("handler", KEEPS).await;
    shop.trigger("docs", &handler, json!({ "collection": "users" })).await;
    shop.run(
        r#"let c = docs::collection("users"); let id = c.create(#{ n: 1 }, #{ id: "u" });
           c.update("u", #{ n: 2 }); c.patch("u", #{ m: 3 }); c.delete("u"); docs::collection("else").create(#{});"#,
    )
    .await
    .expect(200);
    let seen = shop.seen(4).await;
    shop.settled().await;
    assert_eq!(shop.seen(4).await.len(), 4);
    assert_eq!(
        about(&seen, "docs", "insert"),
        [json!({ "collection": "users", "id": "u", "data": { "n": 1 }, "prev_data": null })]
    );
    let mut updated = about(&seen, "docs", "update");
    updated.sort_by_key(|about| about["data"].to_string().len());
    assert_eq!(updated[0], json!({ "collection": "users", "id": "u", "data": { "n": 2 }, "prev_data": { "n": 1 } }));
    assert_eq!(updated[1], json!({ "collection": "users", "id": "u", "data": { "m": 3, "n": 2 }, "prev_data": { "n": 2 } }));
    let deleted = json!({ "collection": "users", "id": "u", "data": null, "prev_data": { "m": 3, "n": 2 } });
    assert_eq!(about(&seen, "docs", "delete"), [deleted]);
}

#[tokio::test]
async fn a_write_to_files_runs_its_handler() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let handler = shop.upload("handler", KEEPS).await;
    shop.trigger("files", &handler, json!({ "collection": "*" })).await;
    shop.run(
        r#"let c = files::collection("pics"); c.create("a.txt", "one", #{ content_type: "text/plain" });
           c.update("a.txt", "other"); c.delete("a.txt");"#,
    )
    .await
    .expect(200);
    let seen = shop.seen(3).await;
    let (inserted, updated, deleted) =
        (about(&seen, "files", "insert"), about(&seen, "files", "update"), about(&seen, "files", "delete"));
    assert_eq!((&inserted[0]["name"], &inserted[0]["size"], &inserted[0]["prev"]), (&json!("a.txt"), &json!(3), &Value::Null));
    assert_eq!((&updated[0]["size"], &updated[0]["prev"]["size"]), (&json!(5), &json!(3)));
    assert_eq!((&deleted[0]["name"], &deleted[0]["prev"]["size"]), (&json!("a.txt"), &json!(5)));
    assert_eq!(deleted[0]["collection"], "pics");
}

#[tokio::test]
async fn a_message_of_a_queue_goes_to_its_consumer_once() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let handler = shop.upload("handler", KEEPS).await;
    // It waits for a consumer.
    let early = shop.send("jobs", json!({ "early": true })).await;
    let trigger = shop.trigger("queue", &handler, json!({ "queue": "jobs" })).await;
    let late = shop.send("jobs", json!([1, "x", null])).await;
    let seen = shop.seen(2).await;
    shop.settled().await;
    let mut ids: Vec<_> = seen.iter().map(|seen| seen["event"]["id"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    assert_eq!(ids, [early, late]);
    assert!(seen.iter().any(|seen| seen["event"]["queue"]["message"] == json!([1, "x", null])));
    assert_eq!(shop.trigger_now(&trigger).await["counts"]["succeeded"], 2);
    let second = shop.try_trigger("queue", &handler, json!({ "queue": "jobs" })).await.expect(409).json();
    assert_eq!(second["error"]["details"]["trigger"]["id"], trigger["id"]);
}

#[tokio::test]
async fn a_message_of_a_topic_goes_to_every_trigger_that_is_for_it() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let handler = shop.upload("handler", KEEPS).await;
    for topic in ["orders.created", "orders.*", "*"] {
        shop.trigger("pubsub", &handler, json!({ "topic": topic })).await;
    }
    shop.publish_to("orders.created", json!(1)).await;
    shop.publish_to("orders.paid", json!(2)).await;
    shop.publish_to("ordersx", json!(3)).await;
    let seen = shop.seen(6).await;
    shop.settled().await;
    assert_eq!(shop.seen(6).await.len(), 6);
    let of = |topic: &str| seen.iter().filter(|seen| seen["event"]["pubsub"]["topic"] == topic).count();
    assert_eq!((of("orders.created"), of("orders.paid"), of("ordersx")), (3, 2, 1));
}

#[tokio::test]
async fn a_message_that_nobody_listens_to_is_counted() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    for n in 0..3 {
        shop.publish_to("quiet", json!(n)).await;
    }
    shop.settled().await;
    let topics = app.get("/admin/apps/shop/topics").await.expect(200).json();
    let quiet = &topics["items"][0];
    assert_eq!((&quiet["name"], &quiet["published"], &quiet["unmatched"]), (&json!("quiet"), &json!(3), &json!(3)), "{topics}");
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM events").fetch_one(&mut app.database.connect().await).await.unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn a_schedule_fires_at_its_time_and_once_for_what_it_missed() {
    let start: DateTime<Utc> = "2026-06-01T12:00:00.5Z".parse().unwrap();
    let app = TestApp::start_with(Options { clock: Clock::manual(start), ..Options::default() }).await;
    let shop = app.create_app("shop").await;
    let handler = shop.upload("handler", KEEPS).await;
    let trigger = shop.trigger("cron", &handler, json!({ "schedule": "*/10 * * * * *", "timezone": "Europe/Berlin" })).await;
    assert_eq!(trigger["next_tick_at"], "2026-06-01T12:00:10Z");
    assert_eq!(trigger["next_ticks"].as_array().unwrap().len(), 10);
    app.advance(TimeDelta::milliseconds(9_400));
    shop.settled().await;
    assert_eq!(shop.seen(0).await.len(), 0);
    app.advance(TimeDelta::milliseconds(100));
    let seen = shop.seen(1).await;
    let cron = &seen[0]["event"]["cron"];
    assert_eq!((&cron["scheduled_at"], &cron["timezone"]), (&json!("2026-06-01T12:00:10Z"), &json!("Europe/Berlin")), "{cron}");
    shop.settled().await;
    // Six ticks later.
    app.advance(TimeDelta::seconds(61));
    shop.seen(2).await;
    shop.settled().await;
    assert_eq!(shop.seen(2).await.len(), 2);
    assert_eq!(shop.trigger_now(&trigger).await["next_tick_at"], "2026-06-01T12:01:20Z");
    let ran =
        app.post(&format!("/admin/apps/shop/triggers/{}/run", trigger["id"].as_str().unwrap()), json!({})).await.expect(202);
    let seen = shop.seen(3).await;
    assert!(seen.iter().any(|seen| seen["event"]["id"] == ran.json()["event_id"] && seen["event"]["op"] == "run"));
}

#[tokio::test]
async fn ticks_to_come_are_previewed() {
    let start: DateTime<Utc> = "2026-03-28T12:00:00Z".parse().unwrap();
    let app = TestApp::start_with(Options { clock: Clock::manual(start), ..Options::default() }).await;
    app.create_app("shop").await;
    let ask = async |body: Value| app.post("/admin/apps/shop/triggers/cron:preview", body).await;
    let shown = ask(json!({ "schedule": "0 30 2 * * *", "timezone": "Europe/Berlin" })).await.expect(200).json();
    assert_eq!(shown["next_ticks"].as_array().unwrap().len(), 10);
    // The night that has no 02:30.
    assert_eq!(shown["next_ticks"][0], "2026-03-29T01:00:00Z");
    let refused = ask(json!({ "schedule": "30 2 * * *" })).await.expect(422).json();
    assert_eq!(refused["error"]["details"]["field"], "schedule");
}

#[tokio::test]
async fn a_started_script_and_an_async_route_are_followed_by_their_execution() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let handler = shop.upload("work", r#"kv::collection("seen").set("e1", ctx.request); "done""#).await;
    shop.route(&handler, json!({ "path": "/jobs/:id", "dispatch_mode": "async" })).await;
    let accepted = shop.call("PUT", "/jobs/7?a=b", "hello", &[("content-type", "text/plain")]).await.expect(202);
    let id = accepted.json()["execution_id"].as_str().unwrap().to_owned();
    assert_eq!(accepted.execution_id(), id);
    assert!(accepted.json()["accepted_at"].is_string());
    let record = app.execution(&id).await;
    assert_eq!((&record["outcome"], &record["attempt"]), (&json!("responded"), &json!(1)), "{record}");
    assert_eq!(record["attempts"].as_array().unwrap().len(), 1);
    let request = &shop.seen(1).await[0];
    assert_eq!((&request["method"], &request["body"]), (&json!("PUT"), &json!("hello")), "{request}");
    assert_eq!((&request["params"]["id"], &request["query"]["a"]), (&json!("7"), &json!("b")));
    let refused = shop.try_route(&handler, json!({ "path": "/x", "dispatch_mode": "later" })).await.expect(422).json();
    assert_eq!(refused["error"]["details"]["field"], "dispatch_mode");
}

#[tokio::test]
async fn an_accepted_call_that_fails_is_tried_again_and_then_a_dead_letter() {
    let start: DateTime<Utc> = "2026-06-01T12:00:00Z".parse().unwrap();
    let app = TestApp::start_with(Options { clock: Clock::manual(start), ..Options::default() }).await;
    let shop = app.create_app("shop").await;
    let handler = shop.upload("work", r#"log::info("try"); throw "no""#).await;
    shop.route(&handler, json!({ "path": "/work", "dispatch_mode": "async" })).await;
    let id = shop.get("/work").await.expect(202).json()["execution_id"].as_str().unwrap().to_owned();
    let failed = app.execution(&id).await;
    assert_eq!(failed["outcome"], "script_failed");
    eventually("it waits for its next attempt", std::time::Duration::from_secs(10), async || {
        let now = app.get(&format!("/executions/{id}")).await.expect(200).json();
        (now["delivery"]["state"] == "due").then_some(())
    })
    .await;
    for failed in 2..=3 {
        app.advance(TimeDelta::seconds(60));
        eventually("the next attempt has failed", std::time::Duration::from_secs(10), async || {
            let now = app.get(&format!("/executions/{id}")).await.expect(200).json();
            (now["delivery"]["attempts"] == failed).then_some(())
        })
        .await;
    }
    let letter = shop.letter(&shop.letters(1).await[0]).await;
    assert_eq!((&letter["event"]["source"], &letter["attempts"]), (&json!("http"), &json!(3)), "{letter}");
    assert_eq!(letter["attempt_log"][0]["execution_id"], json!(id));
    assert_eq!(app.get(&format!("/executions/{id}")).await.expect(200).json()["delivery"]["state"], "dead");
}

/// What was asked for, or the default: the row explains itself.
#[tokio::test]
async fn a_trigger_keeps_the_policy_of_its_creation() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let handler = shop.upload("handler", "1").await;
    let plain = shop.trigger("kv", &handler, json!({ "collection": "c" })).await;
    for (field, value) in [
        ("kind", json!("kv")),
        ("ops", json!(["insert", "update", "delete"])),
        ("dispatch_mode", json!("async")),
        ("max_attempts", json!(3)),
        ("backoff", json!("exponential")),
        ("base_delay_ms", json!(1_000)),
        ("max_delay_ms", json!(60_000)),
        ("jitter", json!(true)),
        ("enabled", json!(true)),
        ("state", json!("active")),
    ] {
        assert_eq!(plain[field], value, "{field}: {plain}");
    }
    let told =
        json!({ "queue": "q", "max_attempts": 7, "backoff": "linear", "base_delay_ms": 5, "max_delay_ms": 50, "jitter": false });
    let told = shop.trigger("queue", &handler, told).await;
    assert_eq!((&told["max_attempts"], &told["backoff"], &told["jitter"]), (&json!(7), &json!("linear"), &json!(false)));
    let changed = shop.change_trigger(&told, json!({ "max_attempts": 2 })).await;
    assert_eq!((&changed["max_attempts"], &changed["base_delay_ms"]), (&json!(2), &json!(5)));
}

#[tokio::test]
async fn what_is_no_trigger_is_refused_with_its_field() {
    let app = TestApp::start().await;
    let (shop, other) = (app.create_app("shop").await, app.create_app("other").await);
    let handler = shop.upload("handler", "1").await;
    let module = shop.upload_with("tools", "fn f() { 1 }", json!({ "kind": "module" })).await;
    let foreign = other.upload("handler", "1").await;
    let refuse = async |kind: &str, script, body: Value, field: &str| {
        let refused = shop.try_trigger(kind, script, body.clone()).await.expect(422).json();
        assert_eq!(refused["error"]["details"]["field"], field, "{kind} {body}: {refused}");
    };
    refuse("kv", &module, json!({ "collection": "c" }), "script_id").await;
    refuse("kv", &foreign, json!({ "collection": "c" }), "script_id").await;
    for kind in ["kv", "docs", "files"] {
        refuse(kind, &handler, json!({ "collection": "" }), "collection").await;
        refuse(kind, &handler, json!({ "collection": "c", "ops": [] }), "ops").await;
        refuse(kind, &handler, json!({ "collection": "c", "ops": ["insert", "upsert"] }), "ops[1]").await;
        refuse(kind, &handler, json!({}), "collection").await;
    }
    refuse("pubsub", &handler, json!({ "topic": "" }), "topic").await;
    refuse("queue", &handler, json!({ "queue": "a*" }), "queue").await;
    refuse("cron", &handler, json!({ "schedule": "* * * * *" }), "schedule").await;
    refuse("cron", &handler, json!({ "schedule": "0 0 0 31 FEB *" }), "schedule").await;
    refuse("cron", &handler, json!({ "schedule": "0 0 0 * * *", "timezone": "Mars" }), "timezone").await;
    refuse("email", &handler, json!({ "secret": "none" }), "secret").await;
    refuse("dead_letter", &handler, json!({ "filter": { "source": "dead_letter" } }), "filter.source").await;
    refuse("dead_letter", &handler, json!({ "filter": { "script_id": foreign.id } }), "filter.script_id").await;
    refuse("kv", &handler, json!({ "collection": "c", "max_attempts": 0 }), "max_attempts").await;
    refuse("kv", &handler, json!({ "collection": "c", "backoff": "fast" }), "backoff").await;
    refuse("kv", &handler, json!({ "collection": "c", "base_delay_ms": 10, "max_delay_ms": 9 }), "max_delay_ms").await;
    refuse("kv", &handler, json!({ "collection": "c", "dispatch_mode": "sync" }), "dispatch_mode").await;
    let unknown = shop.try_trigger("kv", &handler, json!({ "collection": "c", "topic": "t" })).await.expect(422).json();
    assert_eq!(unknown["error"]["details"]["unknown_fields"], json!(["topic"]));
    assert_eq!(app.get("/admin/apps/shop/triggers").await.expect(200).json()["items"], json!([]));
}

#[tokio::test]
async fn a_trigger_of_another_app_is_not_there() {
    let app = TestApp::start().await;
    let (shop, other) = (app.create_app("shop").await, app.create_app("other").await);
    let trigger = shop.trigger("queue", &shop.upload("handler", "1").await, json!({ "queue": "q" })).await;
    let id = trigger["id"].as_str().unwrap();
    app.get(&format!("/admin/apps/{}/triggers/{id}", other.slug)).await.expect(404);
    app.patch(&format!("/admin/apps/{}/triggers/{id}", other.slug), json!({ "enabled": false })).await.expect(404);
    app.delete(&format!("/admin/apps/{}/triggers/{id}", other.slug)).await.expect(404);
    app.post(&format!("/admin/apps/{}/triggers/{id}/run", other.slug), json!({})).await.expect(404);
    app.get(&format!("/admin/apps/nobody/triggers/{id}")).await.expect(404);
    app.post("/admin/apps/nobody/triggers/queue", json!({ "script_id": trigger["script_id"], "queue": "q" })).await.expect(404);
    app.delete(&format!("/admin/apps/{}/triggers/{id}", shop.slug)).await.expect(204);
    app.get(&format!("/admin/apps/{}/triggers/{id}", shop.slug)).await.expect(404);
}

#[tokio::test]
async fn a_member_without_a_role_sees_no_triggers() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let handler = shop.upload("handler", "1").await;
    let mut db = app.database.connect().await;
    sqlx::query("UPDATE users SET role = 'member'").execute(&mut db).await.unwrap();
    shop.try_trigger("queue", &handler, json!({ "queue": "q" })).await.expect(404);
    app.get("/admin/apps/shop/triggers").await.expect(404);
    app.get("/admin/apps/nobody/triggers").await.expect(404);
    app.get("/admin/apps/shop/dead_letters").await.expect(404);
    let stranger = app.anonymous(reqwest::Method::GET, "/admin/apps/shop/triggers", None).await;
    assert_eq!(stranger.status, 401);
}

#[tokio::test]
async fn lists_are_by_kind_and_script_and_page() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let (one, two) = (shop.upload("one", "1").await, shop.upload("two", "2").await);
    shop.trigger("kv", &one, json!({ "collection": "c" })).await;
    shop.trigger("pubsub", &two, json!({ "topic": "t" })).await;
    shop.trigger("kv", &two, json!({ "collection": "d" })).await;
    let list = async |query: &str| app.get(&format!("/admin/apps/shop/triggers{query}")).await.expect(200).json();
    assert_eq!(list("").await["items"].as_array().unwrap().len(), 3);
    assert_eq!(list("?kind=kv").await["items"].as_array().unwrap().len(), 2);
    assert_eq!(list(&format!("?script_id={}", two.id)).await["items"].as_array().unwrap().len(), 2);
    let first = list("?limit=2").await;
    let rest = list(&format!("?limit=2&cursor={}", first["cursor"].as_str().unwrap())).await;
    assert_eq!((rest["items"].as_array().unwrap().len(), &rest["cursor"]), (1, &Value::Null));
    app.get("/admin/apps/shop/triggers?kind=http").await.expect(422);
}

#[tokio::test]
async fn a_trigger_that_is_off_runs_nothing_and_holds_what_waits() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let handler = shop.upload("handler", KEEPS).await;
    let queue = shop.trigger("queue", &handler, json!({ "queue": "q" })).await;
    let topic = shop.trigger("pubsub", &handler, json!({ "topic": "t" })).await;
    for trigger in [&queue, &topic] {
        let off = shop.change_trigger(trigger, json!({ "enabled": false })).await;
        assert_eq!((&off["state"], &off["enabled"]), (&json!("disabled"), &json!(false)));
    }
    shop.send("q", json!(1)).await;
    shop.publish_to("t", json!(2)).await;
    eventually("the message waits", std::time::Duration::from_secs(10), async || {
        let queues = app.get("/admin/apps/shop/queues").await.expect(200).json();
        (queues["items"][0]["waiting"] == 1).then_some(())
    })
    .await;
    for trigger in [&queue, &topic] {
        shop.change_trigger(trigger, json!({ "enabled": true })).await;
    }
    let seen = shop.seen(1).await;
    shop.settled().await;
    assert_eq!(seen[0]["event"]["source"], "queue");
    assert_eq!(shop.seen(1).await.len(), 1, "what was published while it was off is not for it");
}

async fn state_of(shop: &Tenant, trigger: &Value, state: &str) -> Value {
    eventually(&format!("the trigger is {state}"), std::time::Duration::from_secs(10), async || {
        let now = shop.trigger_now(trigger).await;
        (now["state"] == state).then_some(now)
    })
    .await
}

#[tokio::test]
async fn a_trigger_stops_when_its_principal_loses_the_right() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let handler = shop.upload("handler", KEEPS).await;
    let trigger = shop.trigger("queue", &handler, json!({ "queue": "q" })).await;
    // Somebody else registered it, who was an admin then.
    let mut db = app.database.connect().await;
    for (name, role) in [("ada", "member"), ("bob", "admin")] {
        sqlx::query("INSERT INTO users (id, username, password_hash, role, created_at, deactivated_at) VALUES ($1, $2, 'x', $3, now(), CASE WHEN $3 = 'admin' THEN now() END)")
            .bind(uuid::Uuid::now_v7())
            .bind(name)
            .bind(role)
            .execute(&mut db)
            .await
            .unwrap();
    }
    for name in ["ada", "bob"] {
        sqlx::query("UPDATE triggers SET registered_by = (SELECT id FROM users WHERE username = $1)")
            .bind(name)
            .execute(&mut db)
            .await
            .unwrap();
        shop.send("q", json!(name)).await;
        let stopped = state_of(&shop, &trigger, "stopped").await;
        assert!(stopped["stopped"]["reason"].as_str().unwrap().contains("may not administrate"), "{stopped}");
        assert_eq!(stopped["enabled"], false);
        // Whoever switches it on again is its principal from then on.
        let again = shop.change_trigger(&trigger, json!({ "enabled": true })).await;
        assert_eq!(again["state"], "active");
        assert_ne!(again["registered_by"], stopped["registered_by"]);
    }
    let seen = shop.seen(2).await;
    assert_eq!(seen.len(), 2, "what waited is handled");
    sqlx::query("UPDATE triggers SET registered_by = NULL").execute(&mut db).await.unwrap();
    shop.send("q", json!("nobody's")).await;
    state_of(&shop, &trigger, "stopped").await;
}

#[tokio::test]
async fn a_deleted_trigger_leaves_messages_to_the_next_consumer_and_nothing_else() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let handler = shop.upload("handler", KEEPS).await;
    let (one, two) = (shop.upload("one", "1").await, shop.upload("two", "1").await);
    let by_hand = shop.trigger("queue", &one, json!({ "queue": "q" })).await;
    shop.trigger("queue", &two, json!({ "queue": "r" })).await;
    let topic = shop.trigger("pubsub", &one, json!({ "topic": "t" })).await;
    for trigger in [&by_hand, &topic] {
        shop.change_trigger(trigger, json!({ "enabled": false })).await;
    }
    shop.send("q", json!("first")).await;
    app.delete(&format!("/admin/apps/shop/triggers/{}", by_hand["id"].as_str().unwrap())).await.expect(204);
    // And with their script.
    shop.change_trigger(
        &app.get("/admin/apps/shop/triggers?kind=queue").await.json()["items"][0].clone(),
        json!({ "enabled": false }),
    )
    .await;
    shop.send("r", json!("second")).await;
    app.delete(&format!("/admin/scripts/{}", two.id)).await.expect(204);
    for queue in ["q", "r"] {
        shop.trigger("queue", &handler, json!({ "queue": queue })).await;
    }
    let seen = shop.seen(2).await;
    shop.settled().await;
    let mut messages: Vec<_> = seen.iter().map(|seen| seen["event"]["queue"]["message"].clone()).collect();
    messages.sort_by_key(Value::to_string);
    assert_eq!(messages, [json!("first"), json!("second")]);
}

#[tokio::test]
async fn deleting_an_app_takes_its_events_along() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.send("q", json!(1)).await;
    shop.publish_to("t", json!(1)).await;
    let handler = shop.upload("handler", "throw 1").await;
    shop.trigger("queue", &handler, json!({ "queue": "q", "max_attempts": 1 })).await;
    shop.letters(1).await;
    app.delete("/admin/apps/shop?force=true").await.expect(204);
    let mut db = app.database.connect().await;
    for table in ["events", "outbox", "deliveries", "attempts", "triggers", "trigger_counts", "topics"] {
        let left: i64 =
            sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}"))).fetch_one(&mut db).await.unwrap();
        assert_eq!(left, 0, "{table}");
    }
}
