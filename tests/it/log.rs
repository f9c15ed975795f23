//! What a script logs, in its execution's record.

use serde_json::{Value, json};

use crate::support::{Tenant, TestApp};

/// The lines of one run, without their times.
async fn lines(tenant: &Tenant, source: &str) -> Vec<Value> {
    let reply = tenant.run(source).await;
    let record = tenant.record(&reply).await;
    let mut lines = record["logs"].as_array().unwrap_or_else(|| panic!("logs: {record}")).clone();
    for line in &mut lines {
        let at = line.as_object_mut().expect("a line").remove("at").expect("a time");
        assert!(chrono::DateTime::parse_from_rfc3339(at.as_str().expect("text")).is_ok(), "{at}");
    }
    lines
}

#[tokio::test]
async fn each_level_is_its_own_function() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let got = lines(&shop, r#"log::trace("a"); log::info("b"); log::warn("c"); log::error("d");"#).await;
    let pairs: Vec<_> =
        got.iter().map(|line| (line["level"].as_str().expect("a level"), line["message"].as_str().expect("a message"))).collect();
    assert_eq!(pairs, [("trace", "a"), ("info", "b"), ("warn", "c"), ("error", "d")]);
}

#[tokio::test]
async fn data_is_kept_as_json() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let got =
        lines(&shop, r#"log::info("m", #{ user: "ada", n: [1, 2.5, ()] }); log::info("f", Fn("x")); log::info(7, 8);"#).await;
    assert_eq!(got[0]["data"], json!({ "user": "ada", "n": [1, 2.5, null] }));
    assert!(got[1]["data"].is_string(), "what has no JSON form is written as text: {}", got[1]);
    assert_eq!((&got[2]["message"], &got[2]["data"]), (&json!("7"), &json!(8)));
}

#[tokio::test]
async fn print_and_debug_go_to_the_log() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let got = lines(&shop, r#"print("hello"); print(40 + 2); debug("quoted");"#).await;
    assert_eq!(got.len(), 3, "{got:?}");
    assert_eq!((&got[0]["level"], &got[0]["message"]), (&json!("info"), &json!("hello")));
    assert_eq!(got[1]["message"], "42");
    assert_eq!(got[2]["level"], "debug");
    assert!(got[2]["message"].as_str().expect("text").contains("quoted"));
}

#[tokio::test]
async fn what_a_failing_script_logged_is_kept() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    for source in [
        r#"log::info("before"); throw "x";"#,
        r#"log::info("before"); loop {}"#,
        r#"log::info("before"); let s = "0123456789abcdef"; loop { s += s; }"#,
    ] {
        let reply = shop.run_with(source, json!({ "limits": { "fuel": 50_000_000, "memory_mb": 16 } })).await;
        assert!(reply.status >= 400, "{}", reply.text());
        let record = shop.record(&reply).await;
        assert_eq!(record["logs"][0]["message"], "before", "{source}: {record}");
    }
}

#[tokio::test]
async fn a_log_keeps_its_order_and_any_character() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let got = lines(&shop, "for i in 0..50 { log::info(`${i}`); }").await;
    let order: Vec<_> =
        got.iter().map(|line| line["message"].as_str().expect("text").parse::<u32>().expect("a number")).collect();
    assert_eq!(order, (0..50).collect::<Vec<_>>());
    let strange = lines(&shop, r#"log::info("a\nb\tc\x00d é 🦀", #{ "k": "\x00" });"#).await;
    let message = strange[0]["message"].as_str().expect("text");
    assert!(message.starts_with("a\nb\tc") && message.ends_with("d é 🦀"), "{message:?}");
}

#[tokio::test]
async fn a_scripts_log_is_read_by_script_too() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let script = shop.deploy("/chatty", r#"log::info("called");"#).await;
    for _ in 0..3 {
        let reply = shop.get("/chatty").await.expect(200);
        shop.record(&reply).await;
    }
    let page = app.get(&format!("/admin/scripts/{}/logs", script.id)).await.expect(200).json();
    let items = page["items"].as_array().expect("items");
    assert_eq!(items.len(), 3, "{page}");
    assert!(items.iter().all(|line| line["message"] == "called" && line["execution_id"].is_string()), "{page}");
}
