//! What apps keep, as people see and change it: entries, documents and files on the control plane.

use chrono::{DateTime, TimeDelta, Utc};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use picloud::clock::Clock;
use picloud::limits;
use reqwest::Method;
use serde_json::{Value, json};

use crate::rights::people::text;
use crate::support::app::Options;
use crate::support::client::send;
use crate::support::events::KEEPS;
use crate::support::{Reply, TestApp, raw};

const KV: &str = "/admin/apps/shop/kv";
const DOCS: &str = "/admin/apps/shop/docs";
const FILES: &str = "/admin/apps/shop/files";

/// A text as a part of a URL.
fn part(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

async fn asked(app: &TestApp, method: Method, path: &str, if_match: &str, body: Option<Value>) -> Reply {
    let mut request = app.request(method, path).bearer_auth(&app.token).header("if-match", format!("\"{if_match}\""));
    if let Some(body) = &body {
        request = request.json(body);
    }
    send(request).await
}

async fn upload(app: &TestApp, collection: &str, name: &str, content_type: &str, content: Vec<u8>) -> Reply {
    let path = format!("{FILES}/{collection}?name={}", part(name));
    let request = app.request(Method::POST, &path).bearer_auth(&app.token).header("content-type", content_type);
    send(request.body(content)).await
}

async fn found(app: &TestApp, filter: &Value) -> Value {
    app.get(&format!("{DOCS}/orders?filter={}", part(&filter.to_string()))).await.expect(200).json()
}

/// A field of what is listed.
fn each(page: &Value, field: &str) -> Vec<Value> {
    page["items"].as_array().expect("items").iter().map(|item| item[field].clone()).collect()
}

fn revision(thing: &Value) -> String {
    thing["revision"].as_i64().expect("a revision").to_string()
}

#[tokio::test]
async fn collections_are_listed_by_name_with_what_they_hold() {
    let app = TestApp::start().await;
    let (shop, other) = (app.create_app("shop").await, app.create_app("other").await);
    shop.run(
        r#"for name in ["b", "a"] {
               for n in 0..3 {
                   kv::collection(name).set(`k${n}`, n);
                   docs::collection(name).create(#{});
                   files::collection(name).create(`f${n}`, "four");
               }
           }
           kv::collection("c").set("k", "long");"#,
    )
    .await
    .expect(200);
    other.run(r#"kv::collection("theirs").set("k", 1)"#).await.expect(200);
    let kv = app.get(KV).await.expect(200).json();
    let item = |name: &str, count: u64, bytes: u64| json!({ "name": name, "count": count, "bytes": bytes });
    assert_eq!(kv, json!({ "items": [item("a", 3, 3), item("b", 3, 3), item("c", 1, 6)], "cursor": null }));
    let docs = app.get(DOCS).await.expect(200).json();
    assert_eq!(docs["items"], json!([item("a", 3, 6), item("b", 3, 6)]));
    let files = app.get(FILES).await.expect(200).json();
    assert_eq!(files["items"], json!([item("a", 3, 12), item("b", 3, 12)]));
    for path in [KV, DOCS, FILES] {
        let first = app.get(&format!("{path}?limit=1")).await.expect(200).json();
        assert_eq!(each(&first, "name"), [json!("a")], "{path}");
        let rest = app.get(&format!("{path}?cursor={}", text(&first["cursor"]))).await.expect(200).json();
        assert_eq!((&each(&rest, "name")[0], &rest["cursor"]), (&json!("b"), &Value::Null), "{path}");
    }
}

#[tokio::test]
async fn an_entry_is_set_read_and_deleted() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let path = format!("{KV}/carts/{}", part("cart/17 é"));
    let value = json!({ "items": [1, 2.5, null], "gift": "grün \u{0}" });
    let made = app.put(&path, json!({ "value": value })).await.expect(201).json();
    assert_eq!((&made["key"], &made["value"], &made["encoding"]), (&json!("cart/17 é"), &value, &json!("json")));
    assert_eq!(made["expires_at"], Value::Null);
    let read = app.get(&path).await.expect(200);
    assert_eq!(read.header("etag"), Some(format!("\"{}\"", revision(&made)).as_str()));
    assert_eq!(read.json(), made);
    assert_eq!(shop.value(r#"kv::collection("carts").get("cart/17 é").items[1]"#).await, 2.5);
    let changed = app.put(&path, json!({ "value": null })).await.expect(200).json();
    assert_eq!(changed["revision"].as_i64(), made["revision"].as_i64().map(|revision| revision + 1));
    assert_eq!(app.get(&format!("{KV}/carts")).await.expect(200).json(), json!({ "items": [changed], "cursor": null }));
    app.delete(&path).await.expect(204);
    app.get(&path).await.fails(404, "not_found");
    app.delete(&path).await.fails(404, "not_found");
    assert_eq!(app.get(&format!("{KV}/carts")).await.expect(200).json()["items"], json!([]));
}

#[tokio::test]
async fn an_entry_is_changed_in_the_state_that_was_read_and_in_no_other() {
    let app = TestApp::start().await;
    app.create_app("shop").await;
    let path = format!("{KV}/c/k");
    let body = |n: i64| Some(json!({ "value": n }));
    let refused = asked(&app, Method::PUT, &path, "7", body(1)).await.fails(412, "precondition_failed");
    assert_eq!(refused.details()["current"], "0", "nothing is there");
    asked(&app, Method::DELETE, &path, "0", None).await.fails(404, "not_found");
    let first = asked(&app, Method::PUT, &path, "0", body(1)).await.expect(201).json();
    let refused = asked(&app, Method::PUT, &path, "0", body(2)).await.fails(412, "precondition_failed");
    assert_eq!(refused.details()["current"], json!(revision(&first)));
    let second = asked(&app, Method::PUT, &path, &revision(&first), body(2)).await.expect(200).json();
    for tag in [revision(&first), "nothing".to_owned(), format!("+{}", revision(&second))] {
        asked(&app, Method::PUT, &path, &tag, body(3)).await.fails(412, "precondition_failed");
        asked(&app, Method::DELETE, &path, &tag, None).await.fails(412, "precondition_failed");
    }
    assert_eq!(app.get(&path).await.expect(200).json(), second);
    asked(&app, Method::DELETE, &path, &revision(&second), None).await.expect(204);
}

#[tokio::test]
async fn a_blob_goes_in_and_out_in_base64() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let path = format!("{KV}/c/k");
    let blob = json!({ "value": "AP8Q", "encoding": "blob" });
    app.put(&path, blob).await.expect(201);
    assert_eq!(shop.value(r#"let b = kv::collection("c").get("k"); [type_of(b), b.len(), b[1]]"#).await, json!(["blob", 3, 255]));
    let read = app.get(&path).await.expect(200).json();
    assert_eq!((&read["value"], &read["encoding"]), (&json!("AP8Q"), &json!("blob")));
    app.put(&path, json!({ "value": 7, "encoding": "blob" })).await.fails(422, "invalid");
}

#[tokio::test]
async fn an_entry_that_has_expired_is_not_there() {
    let start: DateTime<Utc> = "2026-06-01T12:00:00Z".parse().unwrap();
    let app = TestApp::start_with(Options { clock: Clock::manual(start), ..Options::default() }).await;
    app.create_app("shop").await;
    let path = format!("{KV}/c/k");
    let made = app.put(&path, json!({ "value": 1, "ttl_s": 60 })).await.expect(201).json();
    assert_eq!(made["expires_at"], "2026-06-01T12:01:00Z");
    app.put(&format!("{KV}/c/other"), json!({ "value": 1 })).await.expect(201);
    app.advance(TimeDelta::milliseconds(59_999));
    assert_eq!(app.get(KV).await.expect(200).json()["items"][0]["count"], 2);
    assert_eq!(app.get(&path).await.expect(200).json(), made);
    app.advance(TimeDelta::milliseconds(1));
    assert_eq!(app.get(KV).await.expect(200).json()["items"][0]["count"], 1);
    assert_eq!(each(&app.get(&format!("{KV}/c")).await.expect(200).json(), "key"), [json!("other")]);
    app.get(&path).await.fails(404, "not_found");
    app.delete(&path).await.fails(404, "not_found");
    app.put(&path, json!({ "value": 2 })).await.expect(201);
}

#[tokio::test]
async fn entries_and_files_come_by_name_from_a_prefix_on() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.run(
        r#"for name in ["a/1", "b", "a/2", "a/10", "é", "a"] {
               kv::collection("c").set(name, name);
               files::collection("c").create(name, name);
           }"#,
    )
    .await
    .expect(200);
    for (path, field) in [(format!("{KV}/c"), "key"), (format!("{FILES}/c"), "name")] {
        let all = app.get(&path).await.expect(200).json();
        assert_eq!(json!(each(&all, field)), json!(["a", "a/1", "a/10", "a/2", "b", "é"]), "{path}");
        let first = app.get(&format!("{path}?prefix=a%2F&limit=2")).await.expect(200).json();
        assert_eq!(json!(each(&first, field)), json!(["a/1", "a/10"]), "{path}");
        let next = format!("{path}?prefix=a%2F&limit=2&cursor={}", text(&first["cursor"]));
        let rest = app.get(&next).await.expect(200).json();
        assert_eq!((json!(each(&rest, field)), &rest["cursor"]), (json!(["a/2"]), &Value::Null), "{path}");
        app.get(&format!("{path}?cursor=a")).await.fails(422, "invalid");
    }
}

#[tokio::test]
async fn what_a_person_writes_is_told_to_handlers() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let handler = shop.upload("handler", KEEPS).await;
    for kind in ["kv", "docs", "files"] {
        shop.trigger(kind, &handler, json!({ "collection": "notes" })).await;
    }
    app.put(&format!("{KV}/notes/k"), json!({ "value": 7 })).await.expect(201);
    app.delete(&format!("{KV}/notes/k")).await.expect(204);
    app.post(&format!("{DOCS}/notes"), json!({ "id": "d", "data": { "n": 1 } })).await.expect(201);
    app.put(&format!("{DOCS}/notes/d"), json!({ "data": { "n": 2 } })).await.expect(200);
    app.patch(&format!("{DOCS}/notes/d"), json!({ "data": { "m": 3 } })).await.expect(200);
    app.delete(&format!("{DOCS}/notes/d")).await.expect(204);
    let file = upload(&app, "notes", "f", "text/plain", b"hi".to_vec()).await.expect(201).json();
    app.delete(&format!("{FILES}/notes/{}", text(&file["id"]))).await.expect(204);
    let seen = shop.seen(8).await;
    let mut told: Vec<_> =
        seen.iter().map(|one| format!("{} {}", text(&one["event"]["source"]), text(&one["event"]["op"]))).collect();
    told.sort();
    assert_eq!(
        told,
        ["docs delete", "docs insert", "docs update", "docs update", "files delete", "files insert", "kv delete", "kv insert"]
    );
}

#[tokio::test]
async fn documents_are_found_as_scripts_find_them() {
    let app = TestApp::start().await;
    app.create_app("shop").await;
    for (id, total, paid) in [("a", 30, true), ("b", 10, false), ("c", 20, false)] {
        let body = json!({ "id": id, "data": { "total": total, "paid": paid } });
        app.post(&format!("{DOCS}/orders"), body).await.expect(201);
    }
    let all = app.get(&format!("{DOCS}/orders")).await.expect(200).json();
    assert_eq!(json!(each(&all, "id")), json!(["a", "b", "c"]));
    let unpaid = found(&app, &json!({ "paid": false, "$sort": "-total" })).await;
    assert_eq!(json!(each(&unpaid, "id")), json!(["c", "b"]));
    let first = found(&app, &json!({ "$sort": "total", "$limit": 2 })).await;
    assert_eq!(json!(each(&first, "id")), json!(["b", "c"]));
    let filter = part(&json!({ "$sort": "total", "$limit": 2 }).to_string());
    let rest = format!("{DOCS}/orders?filter={filter}&cursor={}", text(&first["cursor"]));
    let rest = app.get(&rest).await.expect(200).json();
    assert_eq!((json!(each(&rest, "id")), &rest["cursor"]), (json!(["a"]), &Value::Null));
    for bad in ["filter=%7B", "filter=%5B%5D", "filter=%7B%22%24where%22%3A1%7D", "cursor=zz"] {
        app.get(&format!("{DOCS}/orders?{bad}")).await.fails(422, "invalid");
    }
    let refused = app.get(&format!("{DOCS}/orders?filter={filter}&limit=2")).await.fails(422, "invalid");
    assert_eq!(refused.details()["field"], "limit");
}

#[tokio::test]
async fn a_document_is_made_changed_and_deleted() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let new = json!({ "id": "a/b", "data": { "n": 1.0, "keep": [null, true] } });
    let made = app.post(&format!("{DOCS}/notes"), new.clone()).await.expect(201);
    let path = format!("{DOCS}/notes/{}", part("a/b"));
    assert_eq!(made.header("location"), Some(format!("/api/v1/admin/apps/{}/docs/notes/a%2Fb", shop.id).as_str()));
    let first = made.json();
    let tag = revision(&first);
    assert_eq!(made.header("etag"), Some(format!("\"{tag}\"").as_str()));
    app.post(&format!("{DOCS}/notes"), new).await.fails(409, "conflict");
    assert_eq!(app.get(&path).await.expect(200).json(), first);
    let put = asked(&app, Method::PUT, &path, &tag, Some(json!({ "data": { "n": 2, "keep": 1 } }))).await.expect(200).json();
    assert_eq!(put["data"], json!({ "n": 2, "keep": 1 }));
    for (method, body) in
        [(Method::PUT, Some(json!({ "data": {} }))), (Method::PATCH, Some(json!({ "data": {} }))), (Method::DELETE, None)]
    {
        let refused = asked(&app, method, &path, &tag, body).await.fails(412, "precondition_failed");
        assert_eq!(refused.details()["current"], json!(revision(&put)));
    }
    let merged = app.patch(&path, json!({ "data": { "n": null, "m": { "x": 3 } } })).await.expect(200);
    assert_eq!(merged.json()["data"], json!({ "keep": 1, "m": { "x": 3 } }));
    assert_eq!(merged.header("etag"), Some(format!("\"{}\"", revision(&merged.json())).as_str()));
    assert_eq!(shop.value(r#"docs::collection("notes").get("a/b").data.m.x"#).await, 3);
    app.post(&format!("{DOCS}/notes"), json!({ "data": [] })).await.fails(422, "invalid");
    app.delete(&path).await.expect(204);
    for (method, body) in [
        (Method::GET, None),
        (Method::PUT, Some(json!({ "data": {} }))),
        (Method::PATCH, Some(json!({ "data": {} }))),
        (Method::DELETE, None),
    ] {
        app.api(method, &path, body.as_ref()).await.fails(404, "not_found");
    }
    let unnamed = app.post(&format!("{DOCS}/notes"), json!({ "data": {} })).await.expect(201).json();
    assert_eq!(text(&unnamed["id"]).parse::<uuid::Uuid>().expect("a UUID").get_version_num(), 7);
}

#[tokio::test]
async fn a_file_comes_out_as_it_went_in() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let piece = limits::FILE_PIECE_BYTES;
    for bytes in [0, 1, piece, piece + 1, 2 * piece, 2 * piece + 7] {
        let content: Vec<u8> = (0..bytes).map(|n| u8::try_from(n % 251).expect("a byte")).collect();
        let name = format!("{bytes} bytes");
        let made = upload(&app, "c", &name, "text/html; charset=utf-8", content.clone()).await.expect(201);
        let file = made.json();
        let path = format!("{FILES}/c/{}", text(&file["id"]));
        let location = format!("/api/v1/admin/apps/{}/files/c/{}", shop.id, text(&file["id"]));
        assert_eq!(made.header("location"), Some(location.as_str()));
        assert_eq!((&file["name"], &file["size_bytes"]), (&json!(name), &json!(bytes)));
        assert_eq!(app.get(&path).await.expect(200).json(), file);
        let out = app.get(&format!("{path}/content")).await.expect(200);
        assert!(out.body == content, "{name}");
        for (header, value) in [
            ("content-type", "text/html; charset=utf-8"),
            ("content-length", bytes.to_string().as_str()),
            ("content-disposition", format!("attachment; filename*=UTF-8''{bytes}%20bytes").as_str()),
            ("content-security-policy", "sandbox; default-src 'none'; frame-ancestors 'none'"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("cache-control", "no-store"),
            ("etag", format!("\"{}\"", revision(&file)).as_str()),
        ] {
            assert_eq!(out.header(header), Some(value), "{header}");
        }
    }
    let got = shop.value(r#"let f = files::collection("c").get("1 bytes"); [f.content_type, f.content.len()]"#).await;
    assert_eq!(got, json!(["text/html; charset=utf-8", 1]));
}

#[tokio::test]
async fn a_file_is_known_by_its_id_and_no_longer_than_it_is_there() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let file = upload(&app, "c", "a", "text/plain", b"one".to_vec()).await.expect(201).json();
    let path = format!("{FILES}/c/{}", text(&file["id"]));
    upload(&app, "c", "a", "text/plain", b"two".to_vec()).await.fails(409, "conflict");
    app.get(&format!("{FILES}/other/{}", text(&file["id"]))).await.fails(404, "not_found");
    shop.run(r#"files::collection("c").update("a", "more")"#).await.expect(200);
    let now = app.get(&path).await.expect(200).json();
    assert_eq!((&now["id"], &now["size_bytes"]), (&file["id"], &json!(4)));
    asked(&app, Method::DELETE, &path, &revision(&file), None).await.fails(412, "precondition_failed");
    asked(&app, Method::DELETE, &path, &revision(&now), None).await.expect(204);
    // Another one of that name is another one.
    let other = upload(&app, "c", "a", "text/plain", b"two".to_vec()).await.expect(201).json();
    assert_ne!(other["id"], file["id"]);
    for (method, end) in [(Method::GET, ""), (Method::GET, "/content"), (Method::DELETE, "")] {
        app.api(method, &format!("{path}{end}"), None).await.fails(404, "not_found");
    }
    app.get(&format!("{FILES}/c/none")).await.fails(404, "not_found");
    assert_eq!(each(&app.get(&format!("{FILES}/c")).await.expect(200).json(), "id"), [other["id"].clone()]);
}

#[tokio::test]
async fn a_file_says_what_it_is_called_and_of_which_type() {
    let app = TestApp::start().await;
    app.create_app("shop").await;
    let nameless = send(app.request(Method::POST, &format!("{FILES}/c")).bearer_auth(&app.token).body("x")).await;
    assert_eq!(nameless.fails(422, "invalid").details()["parameter"], "name");
    let path = format!("{FILES}/c?name=plain.bin");
    let file = send(app.request(Method::POST, &path).bearer_auth(&app.token).body("x")).await.expect(201).json();
    assert_eq!(file["content_type"], "application/octet-stream");
    let out = app.get(&format!("{FILES}/c/{}/content", text(&file["id"]))).await.expect(200);
    assert_eq!(out.header("content-disposition"), Some("attachment; filename=\"plain.bin\""));
    assert_eq!(upload(&app, "c", "b", "nothing", Vec::new()).await.fails(422, "invalid").details()["field"], "content_type");
    let longest = "n".repeat(limits::FILE_NAME_BYTES_MAX);
    upload(&app, "c", &longest, "text/plain", Vec::new()).await.expect(201);
    let refused = upload(&app, "c", &format!("{longest}n"), "text/plain", Vec::new()).await.fails(422, "invalid");
    assert_eq!(refused.details()["field"], "name");
}

#[tokio::test]
async fn a_name_that_is_no_text_is_not_there() {
    let app = TestApp::start().await;
    app.create_app("shop").await;
    for path in [format!("{KV}/%ff"), format!("{KV}/c/%ff"), format!("{DOCS}/c/%ff"), format!("{FILES}/%ff")] {
        app.get(&path).await.fails(404, "not_found");
    }
}

/// A request to bring in a file whose content comes in chunks, or is only announced.
fn by_hand(app: &TestApp, name: &str, framing: &str) -> Vec<u8> {
    let head = format!("POST /api/v1{FILES}/c?name={name} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n");
    format!("{head}authorization: Bearer {}\r\n{framing}\r\n\r\n", app.token).into_bytes()
}

#[tokio::test]
async fn a_file_is_as_long_as_the_bound_and_no_longer() {
    let app = TestApp::start().await;
    app.create_app("shop").await;
    let n = usize::try_from(limits::FILE_BYTES_MAX).expect("it is small");
    let chunked = |name: &str, len: usize| {
        let mut bytes = by_hand(&app, name, "transfer-encoding: chunked");
        let mut left = len;
        while left > 0 {
            let chunk = left.min(64 << 10);
            bytes.extend_from_slice(format!("{chunk:x}\r\n").as_bytes());
            bytes.resize(bytes.len() + chunk, 7);
            bytes.extend_from_slice(b"\r\n");
            left -= chunk;
        }
        bytes.extend_from_slice(b"0\r\n\r\n");
        bytes
    };
    assert_eq!(raw::status(&app.admin, &chunked("most", n)).await, 201);
    assert_eq!(raw::status(&app.admin, &chunked("more", n + 1)).await, 413);
    // One that says so beforehand is not waited for.
    let announced = by_hand(&app, "told", &format!("expect: 100-continue\r\ncontent-length: {}", n + 1));
    assert_eq!(raw::status(&app.admin, &announced).await, 413);
    upload(&app, "c", "whole", "text/plain", vec![7; n]).await.expect(201);
    let listed = app.get(&format!("{FILES}/c")).await.expect(200).json();
    assert_eq!(json!(each(&listed, "name")), json!(["most", "whole"]));
    assert_eq!(json!(each(&listed, "size_bytes")), json!([n, n]));
}

#[tokio::test]
async fn names_and_values_are_bounded() {
    let app = TestApp::start().await;
    app.create_app("shop").await;
    let put = async |collection: &str, key: &str, body: Value| app.put(&format!("{KV}/{collection}/{key}"), body).await;
    let field = |reply: Reply| reply.fails(422, "invalid").details()["field"].clone();
    let (collection, key) = ("c".repeat(limits::COLLECTION_NAME_BYTES_MAX), "k".repeat(limits::KV_KEY_BYTES_MAX));
    put(&collection, &key, json!({ "value": 1, "ttl_s": limits::KV_TTL_S_MAX })).await.expect(201);
    assert_eq!(field(put(&format!("{collection}c"), "k", json!({ "value": 1 })).await), "collection");
    assert_eq!(field(put("c", &format!("{key}k"), json!({ "value": 1 })).await), "key");
    assert_eq!(field(put("c", "%00", json!({ "value": 1 })).await), "key");
    for ttl_s in [0, limits::KV_TTL_S_MAX + 1] {
        assert_eq!(field(put("c", "k", json!({ "value": 1, "ttl_s": ttl_s })).await), "ttl_s");
    }
    let text = |bytes: usize| json!({ "value": "x".repeat(bytes - 2) });
    put("c", "k", text(limits::KV_VALUE_BYTES_MAX)).await.expect(201);
    assert_eq!(field(put("c", "k", text(limits::KV_VALUE_BYTES_MAX + 1)).await), "value");
    // As text: what makes the JSON of a test nests no deeper itself.
    let nested = async |levels: usize| {
        let body = format!("{{\"value\": {}{}}}", "[".repeat(levels), "]".repeat(levels));
        let request = app.request(Method::PUT, &format!("{KV}/c/deep")).bearer_auth(&app.token);
        send(request.header("content-type", "application/json").body(body)).await
    };
    nested(limits::JSON_DEPTH_MAX).await.expect(201);
    assert_eq!(field(nested(limits::JSON_DEPTH_MAX + 1).await), "value");
    let (create, id) = (format!("{DOCS}/c"), "i".repeat(limits::DOCS_ID_BYTES_MAX));
    app.post(&create, json!({ "id": id, "data": {} })).await.expect(201);
    assert_eq!(field(app.post(&create, json!({ "id": format!("{id}i"), "data": {} })).await), "id");
}

#[tokio::test]
async fn a_page_has_no_more_than_its_bound() {
    let app = TestApp::start().await;
    app.create_app("shop").await;
    let (most, more) = (limits::API_PAGE_ITEMS_MAX, limits::API_PAGE_ITEMS_MAX + 1);
    for path in [KV, DOCS, FILES] {
        for path in [path.to_owned(), format!("{path}/orders")] {
            app.get(&format!("{path}?limit={most}")).await.expect(200);
            app.get(&format!("{path}?limit={more}")).await.fails(422, "invalid");
            app.get(&format!("{path}?limit=0")).await.fails(422, "invalid");
        }
    }
    found(&app, &json!({ "$limit": limits::DOCS_PAGE_ITEMS_MAX })).await;
    let filter = part(&json!({ "$limit": limits::DOCS_PAGE_ITEMS_MAX + 1 }).to_string());
    app.get(&format!("{DOCS}/orders?filter={filter}")).await.fails(422, "invalid");
}

#[tokio::test]
async fn what_a_person_writes_counts_against_the_quota() {
    let app = TestApp::start().await;
    app.create_app("shop").await;
    let (kv, docs) = (format!("{KV}/c/k"), format!("{DOCS}/c"));
    app.put(&kv, json!({ "value": 1 })).await.expect(201);
    app.post(&docs, json!({ "id": "d", "data": {} })).await.expect(201);
    let file = upload(&app, "c", "a", "text/plain", b"one".to_vec()).await.expect(201).json();
    let used = app.get("/admin/apps/shop/quota").await.expect(200).json()["used"].clone();
    app.put("/admin/apps/shop/quota", json!({ "data_bytes": used["data_bytes"], "file_bytes": used["file_bytes"] }))
        .await
        .expect(200);
    let quota = |reply: Reply| reply.fails(507, "quota_exceeded").details()["quota"].clone();
    assert_eq!(quota(app.put(&kv, json!({ "value": 10 })).await), "data_bytes");
    assert_eq!(quota(app.post(&docs, json!({ "data": {} })).await), "data_bytes");
    assert_eq!(quota(app.put(&format!("{docs}/d"), json!({ "data": { "n": 1 } })).await), "data_bytes");
    assert_eq!(quota(upload(&app, "c", "b", "text/plain", Vec::new()).await), "file_bytes");
    // What adds nothing is not refused.
    app.put(&kv, json!({ "value": 2 })).await.expect(200);
    app.delete(&format!("{FILES}/c/{}", text(&file["id"]))).await.expect(204);
    upload(&app, "c", "b", "text/plain", b"two".to_vec()).await.expect(201);
}

#[tokio::test]
async fn the_log_tells_the_place_and_not_what_is_there() {
    let app = TestApp::start().await;
    app.create_app("shop").await;
    app.put(&format!("{KV}/c/k"), json!({ "value": "s3cret" })).await.expect(201);
    app.put(&format!("{KV}/c/k"), json!({ "value": "s3cret too" })).await.expect(200);
    app.post(&format!("{DOCS}/c"), json!({ "id": "d", "data": { "s3cret": 1 } })).await.expect(201);
    app.patch(&format!("{DOCS}/c/d"), json!({ "data": { "s3cret": 2 } })).await.expect(200);
    upload(&app, "c", "f", "text/plain", b"s3cret".to_vec()).await.expect(201);
    // What is refused leaves no row.
    app.put(&format!("{KV}/c/k"), json!({ "value": 1, "ttl_s": 0 })).await.fails(422, "invalid");
    asked(&app, Method::DELETE, &format!("{DOCS}/c/d"), "1", None).await.fails(412, "precondition_failed");
    let log = app.get("/admin/apps/shop/audit?limit=5").await.expect(200).json();
    assert_eq!(
        json!(each(&log, "action")),
        json!(["file.create", "document.update", "document.create", "kv.set", "kv.set"]),
        "newest first"
    );
    assert_eq!(json!(each(&log, "target")), json!(["c/f", "c/d", "c/d", "c/k", "c/k"]));
    let (entry, document) = (json!({ "collection": "c", "key": "k" }), json!({ "collection": "c", "id": "d" }));
    let (first, second) = (&log["items"][4], &log["items"][3]);
    assert_eq!((&first["before"], &first["after"]), (&Value::Null, &entry));
    assert_eq!((&second["before"], &second["after"]), (&entry, &entry));
    assert_eq!((&log["items"][1]["before"], &log["items"][2]["before"]), (&document, &Value::Null));
    assert!(!log.to_string().contains("s3cret"), "{log}");
}
