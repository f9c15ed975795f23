//! What a script answers with: values, structured responses, `throw`, and what is no answer at all.

use serde_json::{Value, json};

use crate::support::TestApp;

#[tokio::test]
async fn any_value_is_200_and_json() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    for (source, expected) in [
        ("42", json!(42)),
        ("1.5", json!(1.5)),
        ("true", json!(true)),
        ("()", Value::Null),
        ("", Value::Null),
        (r#""text""#, json!("text")),
        ("'c'", json!("c")),
        ("[1, \"two\", [3.5, ()]]", json!([1, "two", [3.5, null]])),
        ("#{ b: 1, a: #{ c: [] } }", json!({ "a": { "c": [] }, "b": 1 })),
        ("let x = 1; x + 1", json!(2)),
        ("9223372036854775807", json!(i64::MAX)),
        ("#{ headers: 1, body: 2 }", json!({ "headers": 1, "body": 2 })),
    ] {
        let reply = shop.run(source).await.expect(200);
        assert_eq!(reply.json(), expected, "{source}");
        assert_eq!(reply.header("content-type"), Some("application/json"), "{source}");
    }
}

#[tokio::test]
async fn a_structured_response_sets_status_headers_and_body() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let reply = shop
        .run(r#"#{ statusCode: 201, headers: #{ "X-Made-By": "script", location: "/x/1", n: 7 }, body: #{ ok: true } }"#)
        .await
        .expect(201);
    assert_eq!(reply.header("x-made-by"), Some("script"));
    assert_eq!(reply.header("location"), Some("/x/1"));
    assert_eq!(reply.header("n"), Some("7"));
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.json(), json!({ "ok": true }));
}

#[tokio::test]
async fn every_status_from_200_to_599_may_be_answered() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.deploy("/s/:code", "#{ statusCode: parse_int(ctx.request.params.code) }").await;
    for status in [200, 204, 299, 301, 304, 400, 404, 418, 429, 500, 503, 599] {
        let reply = shop.get(&format!("/s/{status}")).await.expect(status);
        assert!(reply.body.is_empty(), "{}", reply.text());
        assert!(reply.header("picloud-execution-id").is_some());
    }
    for status in [-1, 0, 99, 100, 101, 199, 600, 999, 1000, 65_736] {
        shop.get(&format!("/s/{status}")).await.fails(502, "invalid_response");
    }
}

#[tokio::test]
async fn the_default_content_type_follows_the_body() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    for (body, content_type, bytes) in [
        (r#""grün""#, Some("text/plain; charset=utf-8"), "grün".as_bytes()),
        ("blob(3, 7)", Some("application/octet-stream"), &[7, 7, 7][..]),
        ("[1, 2]", Some("application/json"), b"[1,2]"),
        ("5", Some("application/json"), b"5"),
        ("#{ a: () }", Some("application/json"), br#"{"a":null}"#),
        ("()", None, b""),
    ] {
        let reply = shop.run(&format!("#{{ statusCode: 200, body: {body} }}")).await.expect(200);
        assert_eq!(reply.header("content-type"), content_type, "{body}");
        assert_eq!(reply.body, bytes, "{body}");
    }
    let bare = shop.run("#{ statusCode: 202 }").await.expect(202);
    assert_eq!((bare.header("content-type"), bare.body.len()), (None, 0));
}

#[tokio::test]
async fn a_scripts_own_content_type_wins_in_any_case() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    for name in ["content-type", "Content-Type", "CONTENT-TYPE"] {
        let reply =
            shop.run(&format!(r#"#{{ statusCode: 200, headers: #{{ "{name}": "text/html" }}, body: "<p>" }}"#)).await.expect(200);
        assert_eq!(reply.headers_named("content-type"), ["text/html"], "{name}");
    }
}

#[tokio::test]
async fn an_array_sends_a_header_once_for_each_item() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let reply = shop.run(r#"#{ statusCode: 200, headers: #{ "set-cookie": ["a=1", "b=2"] } }"#).await.expect(200);
    assert_eq!(reply.headers_named("set-cookie"), ["a=1", "b=2"]);
}

#[tokio::test]
async fn what_is_not_a_response_is_an_invalid_one() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    for source in [
        r#"#{ statusCode: "200" }"#,
        "#{ statusCode: 200.0 }",
        "#{ statusCode: 200.5 }",
        "#{ statusCode: () }",
        "#{ statusCode: [200] }",
        "#{ statusCode: 200, headers: 7 }",
        "#{ statusCode: 200, headers: [] }",
        r#"#{ statusCode: 200, headers: #{ "x y": "1" } }"#,
        r#"#{ statusCode: 200, headers: #{ "": "1" } }"#,
        r#"#{ statusCode: 200, headers: #{ "grün": "1" } }"#,
        r#"#{ statusCode: 200, headers: #{ "x:": "1" } }"#,
        r#"#{ statusCode: 200, headers: #{ "x": "a\r\nSet-Cookie: b=1" } }"#,
        r#"#{ statusCode: 200, headers: #{ "x": "a\nb" } }"#,
        r#"#{ statusCode: 200, headers: #{ "x": "a\x00b" } }"#,
        r#"#{ statusCode: 200, headers: #{ "x": #{} } }"#,
        r#"#{ statusCode: 200, headers: #{ "x": [[]] } }"#,
        "#{ statusCode: 200, body: Fn(\"f\") }",
        "#{ statusCode: 200, body: 0.0 / 0.0 }",
        "Fn(\"f\")",
        "[1.0 / 0.0]",
        "|x| x",
    ] {
        let reply = shop.run(source).await.fails(502, "invalid_response");
        let record = shop.record(&reply).await;
        assert_eq!(record["outcome"], "script_failed", "{source}");
        assert_eq!(record["status"], 502, "{source}");
        assert_eq!(record["error"]["code"], "invalid_response", "{source}");
    }
}

#[tokio::test]
async fn a_script_cannot_break_the_framing_of_its_answer() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    for (name, value) in [
        ("content-length", "3"),
        ("content-length", "9999"),
        ("transfer-encoding", "chunked"),
        ("connection", "close"),
        ("upgrade", "h2c"),
        ("trailer", "x"),
        ("keep-alive", "timeout=1"),
    ] {
        let reply = shop.run(&format!(r#"#{{ statusCode: 200, headers: #{{ "{name}": "{value}" }}, body: "whole" }}"#)).await;
        // Either it is refused as forbidden, or it had no effect; never a cut or hanging answer.
        match reply.status {
            502 => drop(reply.fails(502, "invalid_response")),
            status => {
                assert_eq!((status, reply.text().as_str(), reply.header(name).unwrap_or("5")), (200, "whole", "5"), "{name}")
            }
        }
    }
}

#[tokio::test]
async fn a_script_cannot_forge_the_platforms_ids() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let reply = shop
        .run(r#"#{ statusCode: 200, headers: #{ "x-request-id": "forged", "picloud-execution-id": "forged" }, body: "b" }"#)
        .await;
    for name in ["x-request-id", "picloud-execution-id"] {
        let values = reply.headers_named(name);
        assert_eq!(values.len(), 1, "{name}: {values:?}");
        assert_ne!(values[0], "forged", "{name}");
    }
    shop.record(&reply).await;
}

#[tokio::test]
async fn a_thrown_response_answers_from_any_depth() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    for source in [
        r#"throw #{ statusCode: 403, headers: #{ "x-why": "no" }, body: "go away" };"#,
        r#"fn deny() { throw #{ statusCode: 403, headers: #{ "x-why": "no" }, body: "go away" }; } fn middle() { deny() } middle(); 1"#,
        r#"let deny = |why| throw #{ statusCode: 403, headers: #{ "x-why": why }, body: "go away" }; deny.call("no")"#,
        r#"try { throw #{ statusCode: 403, headers: #{ "x-why": "no" }, body: "go away" }; } catch (e) { throw e; }"#,
    ] {
        let reply = shop.run(source).await.expect(403);
        assert_eq!((reply.text().as_str(), reply.header("x-why")), ("go away", Some("no")), "{source}");
        let record = shop.record(&reply).await;
        assert_eq!((&record["outcome"], &record["status"]), (&json!("responded"), &json!(403)), "{source}");
    }
    shop.run(r#"throw #{ statusCode: "x" };"#).await.fails(502, "invalid_response");
}

#[tokio::test]
async fn a_thrown_response_can_be_caught_like_any_other() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    assert_eq!(shop.caught("throw #{ statusCode: 403 }").await["statusCode"], json!(403));
}

#[tokio::test]
async fn an_answer_to_head_has_the_headers_and_no_body() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.deploy("/page", r#"#{ statusCode: 200, headers: #{ etag: "\"1\"" }, body: "12345" }"#).await;
    let reply = shop.call("HEAD", "/page", "", &[]).await.expect(200);
    assert!(reply.body.is_empty());
    assert_eq!(reply.header("etag"), Some("\"1\""));
    assert_eq!(reply.header("content-length"), Some("5"));
    assert_eq!(reply.header("content-type"), Some("text/plain; charset=utf-8"));
}
