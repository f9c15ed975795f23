//! Every bound of `files` at N and at N + 1.

use picloud::limits;
use serde_json::{Value, json};

use super::bounds::{caught, refused, text};
use crate::support::TestApp;

#[tokio::test]
async fn names_and_types() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let n = limits::FILE_NAME_BYTES_MAX;
    assert_eq!(n, 512);
    for call in [
        r#"create(NAME, "x")"#,
        r#"update(NAME, "x")"#,
        "head(NAME)",
        "get(NAME)",
        "get_range(NAME, 0, 1)",
        "list(#{ prefix: NAME })",
        "delete(NAME)",
    ] {
        let call = format!(r#"files::collection("c").{call}"#);
        assert_eq!(caught(&shop, &call.replace("NAME", &text(n))).await, Value::Null, "{call}");
        refused(&shop, &call.replace("NAME", &text(n + 1))).await;
    }
    let (n, call) = (limits::COLLECTION_NAME_BYTES_MAX, |n| format!(r#"files::collection({}).head("x")"#, text(n)));
    assert_eq!(caught(&shop, &call(n)).await, Value::Null);
    refused(&shop, &call(n + 1)).await;
    let typed = |n: usize| format!(r#"files::collection("t").create("x", "x", #{{ content_type: "a/" + {} }})"#, text(n - 2));
    refused(&shop, &typed(limits::FILE_CONTENT_TYPE_BYTES_MAX + 1)).await;
    assert_eq!(caught(&shop, &typed(limits::FILE_CONTENT_TYPE_BYTES_MAX)).await, Value::Null);
}

#[tokio::test]
async fn sizes() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let n = limits::FILE_BYTES_MAX;
    assert_eq!(n, 16 << 20);
    let roomy = json!({ "limits": { "memory_mb": 128, "timeout_ms": 120_000 } });
    let code = async |call: &str| {
        let source =
            format!(r#"let c = files::collection("c"); let code = (); try {{ {call}; }} catch (e) {{ code = e.code; }} code"#);
        shop.run_with(&source, roomy.clone()).await.expect(200).json()
    };
    assert_eq!(code(&format!(r#"c.create("f", blob({}, 1))"#, n + 1)).await, "invalid_argument");
    assert_eq!(shop.value(r#"files::collection("c").head("f")"#).await, Value::Null);
    assert_eq!(code(&format!(r#"c.create("f", blob({n}, 1))"#)).await, Value::Null);
    assert_eq!(code(&format!(r#"c.update("f", blob({}, 2))"#, n + 1)).await, "invalid_argument");
    assert_eq!(
        shop.value(r#"let f = files::collection("c"); [f.head("f").size, f.get_range("f", 16777215, 9)[0]]"#).await,
        json!([n, 1])
    );
}

#[tokio::test]
async fn pages() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let n = limits::FILE_PAGE_ENTRIES_MAX;
    assert_eq!(caught(&shop, &format!(r#"files::collection("c").list(#{{ limit: {n} }})"#)).await, Value::Null);
    refused(&shop, &format!(r#"files::collection("c").list(#{{ limit: {} }})"#, n + 1)).await;
    let default = limits::FILE_PAGE_ENTRIES_DEFAULT;
    shop.run(&format!(r#"let c = files::collection("c"); for i in 0..={default} {{ c.create(`${{i}}`, ""); }}"#))
        .await
        .expect(200);
    assert_eq!(shop.value(r#"files::collection("c").list().items.len()"#).await, default);
    let all = format!(r#"files::collection("c").list(#{{ limit: {} }}).items.len()"#, default + 1);
    assert_eq!(shop.value(&all).await, default + 1);
}
