//! `retry`: run again what may pass.

use serde_json::json;

use crate::support::TestApp;

#[tokio::test]
async fn what_throws_is_tried_so_often_and_its_last_error_is_thrown_on() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    for (options, tries) in [("#{ base_ms: 0 }", 3), ("#{ base_ms: 0, attempts: 1 }", 1), ("#{ base_ms: 0, attempts: 10 }", 10)] {
        let got = shop
            .value(&format!(
                r#"let n = 0; let caught = ();
                try {{ retry::run(|| {{ n += 1; throw #{{ code: "unavailable", message: `try ${{n}}` }}; }}, {options}); }} catch (e) {{ caught = e; }}
                [n, caught.message]"#
            ))
            .await;
        assert_eq!(got, json!([tries, format!("try {tries}")]), "{options}");
    }
}

#[tokio::test]
async fn what_a_repeat_cannot_mend_is_thrown_at_once() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    for throws in [
        r#"throw #{ code: "denied", message: "" }"#,
        r#"kv::collection("").get("k")"#,
        r#"throw #{ statusCode: 403 }"#,
        "nothing_of_that_name()",
    ] {
        let got = shop.value(&format!("let n = 0; try {{ retry::run(|| {{ n += 1; {throws}; }}); }} catch {{ }} n")).await;
        assert_eq!(got, 1, "{throws}");
    }
}

#[tokio::test]
async fn a_function_of_the_script_can_be_named() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    assert_eq!(shop.run(r#"fn work() { 7 } retry::run(Fn("work"))"#).await.expect(200).json(), 7);
}

#[tokio::test]
async fn options_are_bounded_and_known() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    for options in ["attempts: 0", "attempts: 11", "base_ms: -1", "base_ms: 5001", "tries: 1", "attempts: \"3\""] {
        let caught = shop.caught(&format!("retry::run(|| 1, #{{ {options} }})")).await;
        assert_eq!(caught["code"], "invalid_argument", "{options}: {caught}");
    }
    assert_eq!(shop.value("retry::run(|| 1, #{ attempts: 10, base_ms: 5000 })").await, 1);
}

#[tokio::test]
async fn a_wait_does_not_outlast_the_deadline() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let limits = json!({ "limits": { "timeout_ms": 200 } });
    let source = r#"retry::run(|| throw #{ code: "unavailable", message: "" }, #{ attempts: 10, base_ms: 5000 })"#;
    shop.run_with(source, limits).await.fails(504, "deadline_exceeded");
}
