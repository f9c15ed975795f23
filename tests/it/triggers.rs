//! From a change to a handler, for each kind of trigger.

use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::events::KEEPS;

#[tokio::test]
async fn a_write_to_a_collection_runs_its_handler() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let handler = shop.upload("handler", KEEPS).await;
    shop.trigger("kv", &handler, json!({ "collection": "orders" })).await;
    shop.run(r#"let c = kv::collection("orders"); c.set("a", #{ n: 1 }); c.set("a", 2); c.delete("a"); c.increment("b", 5);"#)
        .await
        .expect(200);
    shop.run(r#"kv::collection("other").set("a", 1); kv::collection("orders").delete("none");"#).await.expect(200);
    let seen = shop.seen(4).await;
    shop.settled().await;
    assert_eq!(shop.seen(4).await.len(), 4);
    let about = |op: &str| -> Vec<Value> {
        seen.iter().filter(|seen| seen["event"]["op"] == op).map(|seen| seen["event"]["kv"].clone()).collect()
    };
    assert_eq!(about("update"), [json!({ "collection": "orders", "key": "a", "value": 2, "prev": { "n": 1 } })]);
    assert_eq!(about("delete"), [json!({ "collection": "orders", "key": "a", "value": null, "prev": 2 })]);
    assert_eq!(about("insert").len(), 2);
    assert!(about("insert").contains(&json!({ "collection": "orders", "key": "b", "value": 5, "prev": null })));
    for seen in &seen {
        assert_eq!((&seen["type"], &seen["event"]["source"]), (&json!("event"), &json!("kv")), "{seen}");
        assert_eq!((&seen["event"]["attempt"], &seen["event"]["depth"]), (&json!(1), &json!(1)), "{seen}");
        let record = app.execution(seen["execution"].as_str().unwrap()).await;
        assert_eq!((&record["outcome"], &record["event_id"]), (&json!("completed"), &seen["event"]["id"]), "{record}");
    }
}

#[tokio::test]
async fn a_message_of_a_queue_goes_to_its_consumer_once() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let handler = shop.upload("handler", KEEPS).await;
    let early = shop.send("jobs", json!({ "early": true })).await;
    let trigger = shop.trigger("queue", &handler, json!({ "queue": "jobs" })).await;
    let late = shop.send("jobs", json!([1, "x", null])).await;
    let seen = shop.seen(2).await;
    shop.settled().await;
    let mut ids: Vec<_> = seen.iter().map(|seen| seen["event"]["id"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    assert_eq!(ids, [early, late]);
    assert_eq!(shop.trigger_now(&trigger).await["counts"]["succeeded"], 2);
}
