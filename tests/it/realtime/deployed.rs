//! Which topics there are, and for whom, is a part of what an app is: of its manifest and of its deployments.

use serde_json::{Value, json};

use super::register;
use super::stream::Stream;
use crate::support::{Reply, Tenant, TestApp};

/// Applies a manifest with these topics, or one that says nothing of any.
async fn apply(shop: &Tenant, topics: Option<Value>) -> Reply {
    let mut manifest = json!({ "scripts": { "a": { "source": "1" } } });
    if let Some(topics) = topics {
        manifest["topics"] = topics;
    }
    shop.client.post("/admin/apps/shop/deployments", json!({ "manifest": manifest })).await
}

/// What became of topics: `add news`, …
fn told(answer: &Value) -> Vec<String> {
    let changes = answer["changes"].as_array().expect("changes").iter().filter(|change| change["thing"] == "topic");
    changes.map(|change| format!("{} {}", change["action"].as_str().unwrap(), change["name"].as_str().unwrap())).collect()
}

async fn pulled(shop: &Tenant) -> Value {
    shop.client.get("/admin/apps/shop/manifest").await.expect(200).json()["manifest"].clone()
}

async fn active(shop: &Tenant) -> Value {
    let all = shop.client.get("/admin/apps/shop/deployments").await.expect(200).json();
    all["items"].as_array().expect("a list").iter().find(|one| one["active"] == true).expect("one runs").clone()
}

#[tokio::test]
async fn a_manifest_registers_topics_and_takes_back_those_that_it_does_not_name() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let made = apply(&shop, Some(json!({ "news": "public", "orders": "token" }))).await.expect(200).json();
    assert_eq!((told(&made), &made["deployment"]), (vec!["add news".to_owned(), "add orders".to_owned()], &json!(1)));
    let mut stream = Stream::open(&shop, "news").await;
    shop.publish_to("news", json!(1)).await;
    assert_eq!(stream.numbers(1).await, [1]);
    let same = apply(&shop, None).await.expect(200).json();
    assert_eq!((&same["applied"], told(&same)), (&json!(false), Vec::new()), "what is left out stays");
    assert_eq!(pulled(&shop).await["topics"], json!({ "news": "public", "orders": "token" }));

    let next = apply(&shop, Some(json!({ "news": "internal" }))).await.expect(200).json();
    assert_eq!(told(&next), ["change news", "remove orders"]);
    for topic in ["news", "orders"] {
        assert!(next["notes"].to_string().contains(&format!("what is kept of the topic {topic} goes")), "{next}");
    }
    assert!(stream.last_words().await.contains("not yours"));
    app.get("/admin/apps/shop/topics/orders").await.fails(404, "not_found");

    let back = app.post("/admin/apps/shop/rollback", json!({})).await.expect(200).json();
    assert_eq!((told(&back), &back["deployment"]), (vec!["change news".to_owned(), "add orders".to_owned()], &json!(1)));
    let mut stream = Stream::after(&shop, "news", 0).await;
    assert_eq!(stream.event().await.data, json!({ "from": 1, "to": 1 }), "messages do not come back");

    for bad in [json!({ "a*": "public" }), json!({ "news": "everybody" }), json!(["news"])] {
        let refused = apply(&shop, Some(bad.clone())).await;
        assert_eq!(refused.status, 422, "{bad}: {}", refused.shown());
    }
    assert_eq!(active(&shop).await["deployment"], 1);
}

#[tokio::test]
async fn a_topic_that_is_registered_by_hand_makes_a_deployment() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.upload("a", "1").await;
    assert!(pulled(&shop).await.get("topics").is_none(), "an app without topics says nothing of them");
    register(&shop, "news", "token").await;
    let one = active(&shop).await;
    assert_eq!((&one["deployment"], &one["cause"]), (&json!(2), &json!("topic.set")));
    let stored = app.get("/admin/apps/shop/deployments/2").await.expect(200).json();
    assert_eq!(stored["state"]["topics"], json!({ "news": "token" }));
    register(&shop, "news", "token").await;
    assert_eq!(active(&shop).await["deployment"], 2, "nothing was changed");
    app.delete("/admin/apps/shop/topics/news").await.expect(204);
    assert_eq!(active(&shop).await["deployment"], 1, "it is again what it was");
}

#[tokio::test]
async fn a_deployment_that_is_only_stored_changes_no_topic_until_it_runs() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    apply(&shop, Some(json!({ "news": "public" }))).await.expect(200);
    shop.publish_to("news", json!(1)).await;
    let manifest = json!({ "scripts": { "a": { "source": "1" } }, "topics": { "other": "public" } });
    let stored = json!({ "manifest": manifest, "activate": false });
    let stored = app.post("/admin/apps/shop/deployments", stored).await.expect(200).json();
    assert_eq!((&stored["stored"], told(&stored)), (&json!(2), vec!["remove news".to_owned(), "add other".to_owned()]));
    assert_eq!(Stream::after(&shop, "news", 0).await.numbers(1).await, [1]);
    app.get("/admin/apps/shop/topics/other").await.fails(404, "not_found");
    app.post("/admin/apps/shop/deployments/2/activate", json!({})).await.expect(200);
    assert_eq!(app.get("/admin/apps/shop/topics/other").await.expect(200).json()["access"], "public");
    assert_eq!(app.get("/admin/apps/shop/topics/news").await.expect(200).json()["registered"], false);
}
