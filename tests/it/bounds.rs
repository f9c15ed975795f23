//! Every bound at N and at N + 1.

use picloud::limits;
use picloud::model::quota::Limits;
use serde_json::{Value, json};

use crate::support::client::send;
use crate::support::cluster::run;
use crate::support::{Tenant, TestApp, raw};

/// A Rhai expression for a string of `n` bytes, cheap in fuel.
pub(crate) fn text(n: usize) -> String {
    format!(
        r#"{{ let s = ""; let p = "x"; let n = {n}; while n > 0 {{ if n % 2 == 1 {{ s += p; }} n /= 2; if n > 0 {{ p += p; }} }} s }}"#
    )
}

/// `()` when the call succeeds, else the error map.
pub(crate) async fn caught(tenant: &Tenant, call: &str) -> Value {
    tenant.caught(call).await
}

pub(crate) async fn refused(tenant: &Tenant, call: &str) {
    let error = caught(tenant, call).await;
    assert_eq!(error["code"], "invalid_argument", "{call}: {error}");
}

#[tokio::test]
async fn kv_keys() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let n = limits::KV_KEY_BYTES_MAX;
    assert_eq!(n, 512);
    for call in
        ["get(KEY)", "get_entry(KEY)", "set(KEY, 1)", "increment(KEY)", "has(KEY)", "delete(KEY)", "list(#{ prefix: KEY })"]
    {
        let call = format!(r#"kv::collection("c").{call}"#);
        assert_eq!(caught(&shop, &call.replace("KEY", &text(n))).await, Value::Null, "{call}");
        refused(&shop, &call.replace("KEY", &text(n + 1))).await;
    }
    let two_bytes_each = |n: usize| format!(r#"kv::collection("c").set({{ let s = ""; s.pad({n}, 'é'); s }}, 1)"#);
    assert_eq!(caught(&shop, &two_bytes_each(n / 2)).await, Value::Null);
    refused(&shop, &two_bytes_each(n / 2 + 1)).await;
}

#[tokio::test]
async fn collection_names() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let n = limits::COLLECTION_NAME_BYTES_MAX;
    assert_eq!(n, 128);
    for call in
        [r#"get("k")"#, r#"get_entry("k")"#, r#"set("k", 1)"#, r#"increment("k")"#, r#"has("k")"#, r#"delete("k")"#, "list()"]
    {
        assert_eq!(caught(&shop, &format!("kv::collection({}).{call}", text(n))).await, Value::Null, "{call}");
        refused(&shop, &format!("kv::collection({}).{call}", text(n + 1))).await;
    }
}

#[tokio::test]
async fn kv_values() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let n = limits::KV_VALUE_BYTES_MAX;
    assert_eq!(n, 64 << 10);
    for (value, len) in [("text", n - 2), ("blob", n)] {
        let call = |len: usize| match value {
            "text" => format!(r#"kv::collection("c").set("k", {})"#, text(len)),
            _ => format!(r#"kv::collection("c").set("k", blob({len}, 1))"#),
        };
        assert_eq!(caught(&shop, &call(len)).await, Value::Null, "{value}");
        refused(&shop, &call(len + 1)).await;
        assert_eq!(shop.value(r#"kv::collection("c").get("k").len()"#).await, len, "the refused value changed nothing");
    }
}

#[tokio::test]
async fn kv_expiry() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let n = limits::KV_TTL_S_MAX;
    let call = |ttl_s: i64| format!(r#"kv::collection("c").set("k", 1, #{{ ttl_s: {ttl_s} }})"#);
    for fine in [1, n] {
        assert_eq!(caught(&shop, &call(fine)).await, Value::Null, "{fine}");
    }
    for wrong in [0, n + 1] {
        refused(&shop, &call(wrong)).await;
    }
}

#[tokio::test]
async fn kv_pages() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let n = limits::KV_PAGE_ENTRIES_MAX;
    assert_eq!(caught(&shop, &format!(r#"kv::collection("c").list(#{{ limit: {n} }})"#)).await, Value::Null);
    refused(&shop, &format!(r#"kv::collection("c").list(#{{ limit: {} }})"#, n + 1)).await;

    let default = limits::KV_PAGE_ENTRIES_DEFAULT;
    shop.run(&format!(r#"let c = kv::collection("many"); for i in 0..={default} {{ c.set(`${{i}}`, 1); }}"#)).await.expect(200);
    assert_eq!(shop.value(r#"kv::collection("many").list().items.len()"#).await, default);
    assert_eq!(
        shop.value(&format!(r#"kv::collection("many").list(#{{ limit: {} }}).items.len()"#, default + 1)).await,
        default + 1
    );
}

#[tokio::test]
async fn a_kv_page_ends_at_its_bytes_and_still_walks_everything() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let (value, page) = (limits::KV_VALUE_BYTES_MAX, limits::KV_PAGE_BYTES_MAX);
    let fitting = page / value;
    shop.run(&format!(
        r#"let c = kv::collection("big"); for i in 10..{} {{ c.set(`${{i}}`, blob({value}, 1)); }}"#,
        10 + fitting + 3
    ))
    .await
    .expect(200);
    let got = shop.value(r#"let c = kv::collection("big"); let a = c.list(); let b = c.list(#{ cursor: a.cursor }); [a.items.len(), b.items.len(), b.cursor]"#).await;
    assert_eq!(got, json!([fitting, 3, null]));
}

#[tokio::test]
async fn host_calls() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let n = limits::HOST_CALLS_PER_INVOCATION_MAX;
    assert_eq!(n, 1_000);
    let source = |n: u32| {
        format!(
            r#"let c = kv::collection("c"); let done = 0; try {{ for i in 0..{n} {{ c.has("k"); done += 1; }} }} catch (e) {{ return [done, e.code]; }} [done, ()]"#
        )
    };
    let reply = shop.run(&source(n)).await.expect(200);
    assert_eq!(reply.json(), json!([n, null]));
    assert_eq!(shop.record(&reply).await["usage"]["host_calls"], n);
    assert_eq!(shop.run(&source(n + 1)).await.expect(200).json(), json!([n, "limit_exceeded"]));
}

#[tokio::test]
async fn request_bodies() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.deploy("/len", "if ctx.request.body == () { 0 } else { ctx.request.body.len() }").await;
    let n = limits::REQUEST_BODY_BYTES_MAX;
    assert_eq!(n, 1 << 20);
    let octets = [("content-type", "application/octet-stream")];
    assert_eq!(shop.call("POST", "/len", vec![7; n], &octets).await.expect(200).json(), json!(n));
    let reply = shop.call("POST", "/len", vec![7; n + 1], &octets).await.fails(413, "request_too_large");
    assert!(reply.header("picloud-execution-id").is_none(), "nothing ran");

    // Without a length that says so beforehand.
    let stream = |len: usize| raw_chunked(&app.data, "shop.localhost", "/len", len);
    assert_eq!(stream(n).await, 200);
    assert_eq!(stream(n + 1).await, 413);
}

#[tokio::test]
async fn request_headers() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.deploy("/h", "1").await;
    let n = limits::REQUEST_HEADER_BYTES_MAX;
    // Names and values; the frame around them is not counted, so stay a little apart from the edge.
    let sized = |bytes: usize| {
        format!("GET /h HTTP/1.1\r\nhost: shop.localhost\r\nconnection: close\r\nx-long: {}\r\n\r\n", "y".repeat(bytes - 120))
    };
    for base in [&app.data, &app.admin] {
        let within = raw::status(base, sized(n).as_bytes()).await;
        assert_ne!(within, 431, "{base}");
        assert_eq!(raw::status(base, sized(n + 400).as_bytes()).await, 431, "{base}");
    }
    let cookies = format!(
        "GET /h HTTP/1.1\r\nhost: shop.localhost\r\nconnection: close\r\n{}\r\n",
        format!("cookie: {}\r\n", "a=b; ".repeat(200)).repeat(80)
    );
    assert_eq!(raw::status(&app.data, cookies.as_bytes()).await, 431, "however many headers share it");
}

/// The status of a POST whose body of `len` bytes comes in chunks.
async fn raw_chunked(base: &str, host: &str, path: &str, len: usize) -> u16 {
    let mut bytes = format!("POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/octet-stream\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n").into_bytes();
    let mut left = len;
    while left > 0 {
        let chunk = left.min(64 << 10);
        bytes.extend_from_slice(format!("{chunk:x}\r\n").as_bytes());
        bytes.resize(bytes.len() + chunk, 7);
        bytes.extend_from_slice(b"\r\n");
        left -= chunk;
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    raw::status(base, &bytes).await
}

#[tokio::test]
async fn request_bodies_of_direct_calls() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let script = shop.upload("len", "ctx.request.body.len()").await;
    let n = limits::REQUEST_BODY_BYTES_MAX;
    let direct = async |len: usize| {
        let request = app.request(reqwest::Method::POST, &format!("/execute/{}", script.id)).bearer_auth(&app.token);
        send(request.header("content-type", "application/octet-stream").body(vec![7; len])).await
    };
    assert_eq!(direct(n).await.expect(200).json(), json!(n));
    direct(n + 1).await.fails(413, "request_too_large");
}

#[tokio::test]
async fn response_bodies() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let n = limits::RESPONSE_BODY_BYTES_MAX;
    assert_eq!(n, 4 << 20);
    for (body, extra) in [("text", 0), ("blob", 0), ("json", 2)] {
        let answer = |len: usize| match body {
            "blob" => format!("#{{ statusCode: 200, body: blob({len}, 1) }}"),
            "text" => format!("#{{ statusCode: 200, body: {} }}", text(len)),
            _ => text(len),
        };
        assert_eq!(
            shop.run_with(&answer(n - extra), json!({ "limits": { "memory_mb": 64 } })).await.expect(200).body.len(),
            n,
            "{body}"
        );
        shop.run_with(&answer(n - extra + 1), json!({ "limits": { "memory_mb": 64 } })).await.fails(502, "response_too_large");
    }
}

#[tokio::test]
async fn response_headers() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let many =
        |n: usize| format!(r#"let h = #{{}}; for i in 0..{n} {{ h[`x-${{i}}`] = "v"; }} #{{ statusCode: 204, headers: h }}"#);
    let n = limits::RESPONSE_HEADERS_MAX;
    // By hand: with the platform's own these are more than the client at hand takes.
    shop.deploy("/many", &many(n)).await;
    let answer = raw::exchange(&app.data, b"GET /many HTTP/1.1\r\nhost: shop.localhost\r\nconnection: close\r\n\r\n").await;
    let answer = String::from_utf8(answer).expect("UTF-8");
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    assert_eq!(answer.lines().filter(|line| line.ends_with(": v")).count(), n);
    shop.run(&many(n + 1)).await.fails(502, "invalid_response");

    let long = |bytes: usize| format!("#{{ statusCode: 204, headers: #{{ long: {} }} }}", text(bytes - "long".len()));
    let n = limits::RESPONSE_HEADER_BYTES_MAX;
    shop.run(&long(n)).await.expect(204);
    shop.run(&long(n + 1)).await.fails(502, "invalid_response");
}

#[tokio::test]
async fn log_lines() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let n = limits::LOG_LINE_BYTES_MAX;
    assert_eq!(n, 8 << 10);
    let reply = shop.run(&format!("log::info({}); log::info({});", text(n), text(n + 1))).await.expect(200);
    let record = shop.record(&reply).await;
    let message = |i: usize| record["logs"][i]["message"].as_str().expect("a message").to_owned();
    assert_eq!(message(0), "x".repeat(n), "a line of the bound is whole");
    assert!(
        message(1).len() <= n + 8 && message(1).starts_with(&"x".repeat(n - 64)) && message(1) != "x".repeat(n + 1),
        "a longer one is cut"
    );
}

#[tokio::test]
async fn logs_of_an_invocation() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let (line, all) = (limits::LOG_LINE_BYTES_MAX, limits::LOG_BYTES_PER_INVOCATION_MAX);
    assert_eq!(all, 256 << 10);
    let source = |lines: usize| format!("let s = {}; for i in 0..{lines} {{ log::info(s); }}", text(line));
    let fitting = all / line;
    let reply = shop.run(&source(fitting)).await.expect(200);
    let record = shop.record(&reply).await;
    assert_eq!((record["logs"].as_array().map(Vec::len), record["logs_dropped"].as_u64().unwrap_or(0)), (Some(fitting), 0));
    let reply = shop.run(&source(fitting + 5)).await.expect(200);
    let record = shop.record(&reply).await;
    assert_eq!((record["logs"].as_array().map(Vec::len), record["logs_dropped"].as_u64()), (Some(fitting), Some(5)));
}

#[tokio::test]
async fn sources() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let n = limits::SCRIPT_SOURCE_BYTES_MAX;
    assert_eq!(n, 256 << 10);
    let source = |len: usize| format!("42 //{}", "x".repeat(len - 5));
    let script = shop.upload("big", &source(n)).await;
    assert_eq!(app.post(&format!("/execute/{}", script.id), json!({})).await.expect(200).json(), 42);
    assert_eq!(shop.try_upload("bigger", &source(n + 1), json!({})).await.status, 413);
    assert_eq!(app.put(&format!("/admin/scripts/{}", script.id), json!({ "source": source(n + 1) })).await.status, 413);
    // A source that is of no app yet is looked at up to what any app may be allowed.
    let check = async |len: usize| app.post("/admin/scripts/check", json!({ "source": source(len) })).await.status;
    let ceiling = limits::SOURCE_BYTES_CEILING;
    assert_eq!((check(ceiling).await, check(ceiling + 1).await), (200, 413));
}

#[tokio::test]
async fn limits_a_script_asks_for() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    for bound in Limits::BOUNDS {
        let (field, floor, ceiling) = (bound.name, bound.floor, bound.ceiling);
        let asked = async |value: Value, name: &str| {
            shop.try_upload(&format!("{}-{name}", field.replace('_', "-")), "1", json!({ "limits": { field: value } })).await
        };
        asked(json!(floor), "floor").await.expect(201);
        asked(json!(ceiling), "ceiling").await.expect(201);
        let over = asked(json!(ceiling + 1), "over").await.fails(422, "invalid");
        for named in [field.to_owned(), (ceiling + 1).to_string(), ceiling.to_string()] {
            assert!(over.text().contains(&named), "{named} in {}", over.text());
        }
        assert!(asked(json!(floor as i64 - 1), "under").await.fails(422, "invalid").text().contains(field));
        for odd in [json!(-1), json!(1.5), json!("1"), json!(u64::MAX)] {
            assert!(asked(odd, "odd").await.fails(422, "invalid").text().contains(field));
        }
    }
}

#[tokio::test]
async fn names() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let script = |n: usize| json!({ "name": "n".repeat(n) });
    shop.try_upload("x", "1", script(limits::SCRIPT_NAME_CHARS_MAX)).await.expect(201);
    shop.try_upload("x", "1", script(limits::SCRIPT_NAME_CHARS_MAX + 1)).await.fails(422, "invalid");
    let description = |n: usize| json!({ "description": "é".repeat(n) });
    shop.try_upload("d", "1", description(limits::SCRIPT_DESCRIPTION_CHARS_MAX)).await.expect(201);
    shop.try_upload("e", "1", description(limits::SCRIPT_DESCRIPTION_CHARS_MAX + 1)).await.fails(422, "invalid");
    let slug = async |n: usize| app.post("/admin/apps", json!({ "slug": "s".repeat(n), "name": "x" })).await;
    slug(limits::APP_SLUG_CHARS_MAX).await.expect(201);
    slug(limits::APP_SLUG_CHARS_MAX + 1).await.fails(422, "invalid");
    let name = async |n: usize| app.patch("/admin/apps/shop", json!({ "name": "é".repeat(n) })).await;
    name(limits::APP_NAME_CHARS_MAX).await.expect(200);
    name(limits::APP_NAME_CHARS_MAX + 1).await.fails(422, "invalid");
    let origins = async |n: usize| {
        app.patch(
            "/admin/apps/shop",
            json!({ "cors_origins": (0..n).map(|i| format!("https://o{i}.example")).collect::<Vec<_>>() }),
        )
        .await
    };
    origins(limits::APP_CORS_ORIGINS_MAX).await.expect(200);
    origins(limits::APP_CORS_ORIGINS_MAX + 1).await.fails(422, "invalid");
}

#[tokio::test]
async fn route_patterns() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let script = shop.upload("s", "1").await;
    let path = async |path: String| shop.try_route(&script, json!({ "path": path })).await;
    path(format!("/{}", "p".repeat(limits::ROUTE_PATH_CHARS_MAX - 1))).await.expect(201);
    path(format!("/{}", "p".repeat(limits::ROUTE_PATH_CHARS_MAX))).await.fails(422, "invalid");
    path("/s".repeat(limits::ROUTE_SEGMENTS_MAX)).await.expect(201);
    path("/s".repeat(limits::ROUTE_SEGMENTS_MAX + 1)).await.fails(422, "invalid");
}

#[tokio::test]
async fn pages_of_lists() {
    let app = TestApp::start().await;
    for (limit, status) in [(1, 200), (limits::API_PAGE_ITEMS_MAX, 200), (limits::API_PAGE_ITEMS_MAX + 1, 422), (0, 422)] {
        app.get(&format!("/admin/apps?limit={limit}")).await.expect(status);
    }
}

#[tokio::test]
async fn bodies_of_the_control_plane() {
    let app = TestApp::start().await;
    let n = limits::API_BODY_BYTES_MAX;
    let body = |len: usize| {
        let empty = r#"{"slug":"s","name":""}"#.len();
        format!(r#"{{"slug":"s","name":"{}"}}"#, "x".repeat(len - empty))
    };
    let post = async |body: String| {
        send(
            app.request(reqwest::Method::POST, "/admin/apps")
                .bearer_auth(&app.token)
                .header("content-type", "application/json")
                .body(body),
        )
        .await
    };
    post(body(n)).await.fails(422, "invalid");
    post(body(n + 1)).await.fails(413, "request_too_large");
}

#[tokio::test]
async fn the_limits_page_shows_what_is_enforced() {
    let app = TestApp::start().await;
    let page = app.anonymous(reqwest::Method::GET, "/limits", None).await.expect(200).json();
    let limit = |name: &str| {
        page["items"]
            .as_array()
            .expect("items")
            .iter()
            .filter(|limit| limit["name"] == name)
            .min_by_key(|limit| limit["level"] == "app")
            .unwrap_or_else(|| panic!("{name}: {page}"))
            .clone()
    };
    assert_eq!((&limit("fuel")["default"], &limit("fuel")["ceiling"]), (&json!(500_000_000), &json!(50_000_000_000_u64)));
    assert_eq!((&limit("memory_mb")["default"], &limit("memory_mb")["ceiling"]), (&json!(32), &json!(256)));
    assert_eq!((&limit("timeout_ms")["default"], &limit("timeout_ms")["ceiling"]), (&json!(10_000), &json!(300_000)));
    for (name, default, ceiling) in [
        ("request_body_bytes", 1 << 20, 16 << 20),
        ("response_body_bytes", 4 << 20, 16 << 20),
        ("log_line_bytes", 8 << 10, 64 << 10),
        ("log_bytes", 256 << 10, 1 << 20),
        ("host_calls", 1_000, 100_000),
        ("outbound_requests", 20, 200),
        ("event_depth", 16, 64),
        ("source_bytes", 256 << 10, 1 << 20),
        ("modules", 64, 256),
        ("kv_value_bytes", 64 << 10, 64 << 10),
    ] {
        let limit = limit(name);
        assert_eq!((&limit["default"], &limit["ceiling"]), (&json!(default), &json!(ceiling)), "{name}");
    }
    for (name, value) in
        [("kv_key_bytes", 512), ("collection_name_bytes", 128), ("file_bytes", 16 << 20), ("file_name_bytes", 512)]
    {
        assert_eq!(limit(name)["ceiling"], value, "{name}");
        assert!(limit(name)["unit"].is_string());
    }
}

#[tokio::test]
async fn routes_of_an_app() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let n = limits::ROUTES_PER_APP_MAX;
    let script = shop.deploy("/first", "1").await;
    let more = format!(
        "INSERT INTO routes (id, app_id, script_id, host, path, method, created_by, created_at)
         SELECT gen_random_uuid(), app_id, script_id, host, '/n' || n, method, created_by, created_at
         FROM routes, generate_series(1, {}) AS n",
        n - 2
    );
    run(&mut app.database.connect().await, &more).await;
    shop.try_route(&script, json!({ "path": "/last" })).await.expect(201);
    let refused = shop.try_route(&script, json!({ "path": "/beyond" })).await;
    refused.fails(422, "limit_reached");
}
