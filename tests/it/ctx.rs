//! The `ctx` table of the script contract, row by row.

use serde_json::{Value, json};

use crate::support::{Tenant, TestApp};

/// A tenant whose script answers with one expression about its request.
async fn ask(
    tenant: &Tenant,
    expression: &str,
    method: &str,
    path: &str,
    body: impl Into<reqwest::Body>,
    headers: &[(&str, &str)],
) -> Value {
    let script = tenant.upload(&format!("ask-{}", uuid::Uuid::now_v7()), &format!("#{{ v: {expression} }}")).await;
    let route = tenant.route(&script, json!({ "path": "/t/*" })).await;
    let reply = tenant.call(method, &format!("/t{path}"), body, headers).await.expect(200);
    tenant
        .client
        .delete(&format!("/admin/scripts/{}/routes/{}", script.id, route["id"].as_str().expect("an id")))
        .await
        .expect(204);
    reply.json()["v"].clone()
}

#[tokio::test]
async fn ctx_names_the_invocation_and_its_script() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let script = shop.deploy("/ctx", "ctx").await;
    let reply = shop.get("/ctx").await.expect(200);
    let ctx = reply.json();

    let mut fields: Vec<_> = ctx.as_object().expect("a map").keys().map(String::as_str).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["execution_id", "invocation_type", "request", "request_id", "script_id", "script_name", "sdk_version"]);
    assert_eq!(ctx["sdk_version"], "2.0");
    assert_eq!(ctx["execution_id"], reply.execution_id());
    assert_eq!(ctx["request_id"], reply.header("x-request-id").expect("an id"));
    assert_eq!(ctx["script_id"], script.id);
    assert_eq!(ctx["script_name"], script.name);
    assert_eq!(ctx["invocation_type"], "http");
}

#[tokio::test]
async fn the_request_has_exactly_its_fields() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.deploy("/r", "ctx.request").await;
    let request = shop.get("/r").await.expect(200).json();
    let mut fields: Vec<_> = request.as_object().expect("a map").keys().map(String::as_str).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["body", "cookies", "form", "headers", "method", "params", "path", "query", "remote_addr", "rest"]);
    assert_eq!(request["method"], "GET");
    assert_eq!(request["path"], "/r");
    for empty in ["params", "query", "cookies", "form"] {
        assert_eq!(request[empty], json!({}), "{empty}");
    }
    assert_eq!(request["body"], Value::Null);
    assert_eq!(request["rest"], Value::Null);
    assert_eq!(request["remote_addr"], "127.0.0.1");
}

#[tokio::test]
async fn an_event_is_absent_when_no_trigger_called() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    assert_eq!(shop.value(r#"["event" in ctx, "request" in ctx]"#).await, json!([false, true]));
}

#[tokio::test]
async fn a_direct_call_is_told_from_a_public_one() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let script =
        shop.upload("direct", "#{ type: ctx.invocation_type, body: ctx.request.body, method: ctx.request.method }").await;
    let reply = app.post(&format!("/execute/{}", script.id), json!({ "n": 1 })).await.expect(200);
    assert_eq!(reply.json(), json!({ "type": "direct", "body": { "n": 1 }, "method": "POST" }));
    assert_eq!(app.execution(reply.execution_id()).await["outcome"], "responded");
}

#[tokio::test]
async fn method_and_path_are_as_sent() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
        assert_eq!(ask(&shop, "ctx.request.method", method, "/m", "", &[]).await, method);
    }
    assert_eq!(ask(&shop, "ctx.request.path", "GET", "/a/b?x=1", "", &[]).await, "/t/a/b");
}

#[tokio::test]
async fn params_are_the_named_segments_percent_decoded() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.deploy("/users/:id/posts/:post", "ctx.request.params").await;
    let params = async |path: &str| shop.get(path).await.expect(200).json();
    assert_eq!(params("/users/7/posts/hello").await, json!({ "id": "7", "post": "hello" }));
    assert_eq!(params("/users/a%20b/posts/%C3%A9").await, json!({ "id": "a b", "post": "é" }));
    assert_eq!(params("/users/a%2Fb/posts/x").await, json!({ "id": "a/b", "post": "x" }));
}

#[tokio::test]
async fn rest_is_what_a_prefix_route_left_over() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    assert_eq!(ask(&shop, "ctx.request.rest", "GET", "/a/b.txt", "", &[]).await, "a/b.txt");
    shop.deploy("/exact", "#{ v: ctx.request.rest }").await;
    assert_eq!(shop.get("/exact").await.expect(200).json(), json!({ "v": null }));
}

#[tokio::test]
async fn query_is_a_map_of_decoded_strings() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let query = async |given: &str| ask(&shop, "ctx.request.query", "GET", &format!("/q{given}"), "", &[]).await;
    assert_eq!(query("").await, json!({}));
    assert_eq!(query("?a=1&b=two").await, json!({ "a": "1", "b": "two" }));
    assert_eq!(query("?a=x+y%26z&%C3%A9=%3D").await, json!({ "a": "x y&z", "é": "=" }));
    assert_eq!(query("?flag&empty=").await, json!({ "flag": "", "empty": "" }));
}

#[tokio::test]
async fn header_names_are_lower_case() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let headers =
        ask(&shop, "ctx.request.headers", "GET", "/h", "", &[("X-Custom-Thing", "Kept As Is"), ("Accept", "text/html")]).await;
    assert_eq!(headers["x-custom-thing"], "Kept As Is");
    assert_eq!(headers["accept"], "text/html");
    assert!(headers.as_object().expect("a map").keys().all(|name| *name == name.to_ascii_lowercase()), "{headers}");
}

#[tokio::test]
async fn a_header_sent_twice_reaches_the_script_joined() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    assert_eq!(
        ask(&shop, r#"ctx.request.headers["x-tag"]"#, "GET", "/h", "", &[("x-tag", "one"), ("x-tag", "two")]).await,
        "one, two"
    );
}

#[tokio::test]
async fn cookies_are_a_map() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let cookies = async |given: &str| ask(&shop, "ctx.request.cookies", "GET", "/c", "", &[("cookie", given)]).await;
    assert_eq!(cookies("a=1; b=two=2").await, json!({ "a": "1", "b": "two=2" }));
    assert_eq!(cookies(r#"q="quoted"; bare; a=first; a=second"#).await, json!({ "q": "quoted", "a": "first" }));
}

#[tokio::test]
async fn a_url_encoded_body_is_a_form_and_stays_text() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let got = ask(
        &shop,
        "[ctx.request.form, ctx.request.body]",
        "POST",
        "/f",
        "name=Ada+L&n=1&e=%C3%A9",
        &[("content-type", "application/x-www-form-urlencoded; charset=UTF-8")],
    )
    .await;
    assert_eq!(got, json!([{ "name": "Ada L", "n": "1", "e": "é" }, "name=Ada+L&n=1&e=%C3%A9"]));
    assert_eq!(ask(&shop, "ctx.request.form", "POST", "/f", "a=1", &[("content-type", "text/plain")]).await, json!({}));
}

#[tokio::test]
async fn a_json_body_is_parsed() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let body = async |text: &'static str, content_type: &str| {
        ask(&shop, "ctx.request.body", "POST", "/b", text, &[("content-type", content_type)]).await
    };
    let text = r#"{"s":"é\u0041","i":-9007199254740993,"f":1.5,"b":true,"n":null,"a":[1,[2,{}]]}"#;
    assert_eq!(
        body(text, "application/json").await,
        json!({ "s": "éA", "i": -9_007_199_254_740_993_i64, "f": 1.5, "b": true, "n": null, "a": [1, [2, {}]] })
    );
    assert_eq!(body("[1,2]", "application/json; charset=utf-8").await, json!([1, 2]));
    assert_eq!(body("17", "application/problem+json").await, json!(17));
    assert_eq!(body("null", "application/json").await, Value::Null);
}

#[tokio::test]
async fn json_that_does_not_parse_reaches_the_script_as_text() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let got = ask(
        &shop,
        "[type_of(ctx.request.body), ctx.request.body]",
        "POST",
        "/b",
        "{nope",
        &[("content-type", "application/json")],
    )
    .await;
    assert_eq!(got, json!(["string", "{nope"]));
}

#[tokio::test]
async fn a_text_body_is_a_string_and_any_other_a_blob() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let kind = async |body: &'static [u8], headers: &[(&str, &str)]| {
        ask(&shop, "[type_of(ctx.request.body), ctx.request.body.len()]", "POST", "/b", body, headers).await
    };
    assert_eq!(kind("grün".as_bytes(), &[("content-type", "text/plain")]).await, json!(["string", 4]));
    assert_eq!(kind(b"<a/>", &[("content-type", "application/xml")]).await, json!(["string", 4]));
    assert_eq!(kind(b"abc", &[("content-type", "application/octet-stream")]).await, json!(["blob", 3]));
    assert_eq!(kind(b"\x89PNG\xff", &[("content-type", "image/png")]).await, json!(["blob", 5]));
    assert_eq!(kind(b"\xff\xfe", &[("content-type", "text/plain")]).await, json!(["blob", 2]), "not UTF-8, whatever it claims");
    assert_eq!(ask(&shop, "type_of(ctx.request.body)", "POST", "/b", "", &[("content-type", "application/json")]).await, "()");
}

#[tokio::test]
async fn platform_credentials_never_reach_a_script() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let bearer = format!("Bearer {}", app.token);
    let cookie = format!("theirs=1; {}={}; also=2", "picloud_session", app.token);
    let got = ask(&shop, "ctx.request", "GET", "/x", "", &[("authorization", &bearer), ("cookie", &cookie)]).await;
    assert!(!got.to_string().contains(&app.token), "{got}");
    assert_eq!(got["cookies"], json!({ "theirs": "1", "also": "2" }));
    let theirs =
        ask(&shop, r#"ctx.request.headers["authorization"]"#, "GET", "/x", "", &[("authorization", "Bearer of-the-tenants-own")])
            .await;
    assert_eq!(theirs, "Bearer of-the-tenants-own", "a tenant's own scheme is the tenant's");
}

#[tokio::test]
async fn ctx_is_constant() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    for source in ["ctx = 1; 2", "ctx.request = 1; 2", r#"ctx.request.method = "X"; 2"#] {
        let reply = shop.run(source).await;
        assert_eq!(reply.status, 422, "{source}: {}", reply.text());
        let record = shop.record(&reply.fails(422, "script_error")).await;
        let message = record["error"]["message"].as_str().expect("a message").to_lowercase();
        assert!(message.contains("constant"), "{source}: {message}");
    }
}

#[tokio::test]
async fn one_invocation_leaves_nothing_for_the_next() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.deploy("/n", "let n = 0; n += 1; this_is_new(); fn this_is_new() { 1 } n").await;
    for _ in 0..3 {
        assert_eq!(shop.get("/n").await.expect(200).json(), json!(1));
    }
}
