//! `http` as scripts use it. What may be reached, and how much of it, is held in `egress.rs`.

use serde_json::{Value, json};

use crate::bounds::text;
use crate::support::origin::{Internet, Origin, Received, answer, to};
use crate::support::{Options, Tenant, TestApp};

/// Answers a description of what came.
fn echo(request: &Received) -> Option<Vec<u8>> {
    let headers: serde_json::Map<_, _> =
        request.headers.iter().map(|(name, value)| (name.clone(), Value::from(value.clone()))).collect();
    let described = json!({
        "method": request.method,
        "target": request.target,
        "headers": headers,
        "body": String::from_utf8_lossy(&request.body),
    });
    answer("200 OK", &[("content-type", "application/json")], described.to_string())
}

/// An app that may reach every public host, and `api.example.com` behind one.
async fn shop_before(origin: &Origin) -> (TestApp, Tenant) {
    let network = Internet::default().host("api.example.com", "93.184.216.34:80", origin).network();
    let app = TestApp::start_with(Options { network, ..Options::default() }).await;
    let shop = app.create_app("shop").await;
    shop.grant(json!({ "http": ["*"] })).await;
    (app, shop)
}

#[tokio::test]
async fn an_answer_is_status_headers_and_body() {
    let origin = Origin::plain(|request| match request.target.as_str() {
        "/json" => answer("200 OK", &[("content-type", "application/json; charset=utf-8")], r#"{"n":[1,2.5,null]}"#),
        "/problem" => answer("404 Not Found", &[("Content-Type", "application/problem+json")], r#"{"title":"no"}"#),
        "/bad-json" => answer("200 OK", &[("content-type", "application/json")], "{no"),
        "/text" => answer("500 Internal Server Error", &[("content-type", "text/html")], "<p>gr\u{fc}n"),
        "/bytes" => answer("200 OK", &[("content-type", "image/png")], [0x89, b'P']),
        "/untyped" => answer("200 OK", &[], "plain"),
        "/untyped-bytes" => answer("200 OK", &[], [0xff, 0xfe]),
        _ => Some(b"HTTP/1.1 204 No Content\r\nX-A: 1\r\nx-a: 2\r\nset-cookie: a=b; Expires=Thu, 01 Jan 2099 00:00:00 GMT\r\nset-cookie: c=d\r\n\r\n".to_vec()),
    })
    .await;
    let (_app, shop) = shop_before(&origin).await;
    let get = async |path: &str| {
        shop.value(&format!(
            r#"let r = http::get("http://api.example.com{path}");
            #{{ status: r.status, headers: r.headers, body: r.body, raw: r.body_raw.len(), kinds: [type_of(r.status), type_of(r.body), type_of(r.body_raw)], keys: r.keys().len() }}"#
        ))
        .await
    };
    let seen = async |path: &str| {
        let got = get(path).await;
        assert_eq!(got["keys"], 4, "{path}");
        assert_eq!((&got["kinds"][0], &got["kinds"][2]), (&json!("i64"), &json!("blob")), "{path}");
        (got["status"].clone(), got["kinds"][1].clone(), got["body"].clone(), got["raw"].clone())
    };
    assert_eq!(seen("/json").await, (json!(200), json!("map"), json!({ "n": [1, 2.5, null] }), json!(18)));
    assert_eq!(
        seen("/problem").await,
        (json!(404), json!("map"), json!({ "title": "no" }), json!(14)),
        "any status is an answer"
    );
    assert_eq!(seen("/bad-json").await, (json!(200), json!("string"), json!("{no"), json!(3)));
    assert_eq!(seen("/text").await, (json!(500), json!("string"), json!("<p>gr\u{fc}n"), json!(8)));
    assert_eq!(seen("/bytes").await, (json!(200), json!("blob"), json!("iVA="), json!(2)));
    assert_eq!(seen("/untyped").await, (json!(200), json!("string"), json!("plain"), json!(5)));
    assert_eq!(seen("/untyped-bytes").await, (json!(200), json!("blob"), json!("//4="), json!(2)));
    assert_eq!(seen("/empty").await, (json!(204), json!("()"), Value::Null, json!(0)));
    assert_eq!(
        get("/empty").await["headers"],
        json!({ "x-a": "1, 2", "set-cookie": ["a=b; Expires=Thu, 01 Jan 2099 00:00:00 GMT", "c=d"] }),
        "names in lower case, repeated ones joined, cookies an array"
    );
}

#[tokio::test]
async fn each_function_sends_its_method_and_its_body() {
    let origin = Origin::plain(echo).await;
    let (_app, shop) = shop_before(&origin).await;
    let url = r#""http://api.example.com/x""#;
    for (call, method, content_type, length, body) in [
        (format!("http::get({url})"), "GET", None, None, ""),
        (format!("http::delete({url})"), "DELETE", None, None, ""),
        (format!("http::post({url}, #{{ a: [1, ()] }})"), "POST", Some("application/json"), Some("14"), r#"{"a":[1,null]}"#),
        (format!("http::put({url}, [1, 2])"), "PUT", Some("application/json"), Some("5"), "[1,2]"),
        (format!("http::patch({url}, 7)"), "PATCH", Some("application/json"), Some("1"), "7"),
        (format!(r#"http::post({url}, "hi")"#), "POST", Some("text/plain; charset=utf-8"), Some("2"), "hi"),
        (format!("http::post({url}, blob(2, 65))"), "POST", Some("application/octet-stream"), Some("2"), "AA"),
        (format!("http::post({url}, ())"), "POST", None, Some("0"), ""),
        (format!(r#"http::post({url}, "")"#), "POST", Some("text/plain; charset=utf-8"), Some("0"), ""),
        (
            format!(r#"http::post_form({url}, #{{ q: "a b", n: [1, 2], none: () }})"#),
            "POST",
            Some("application/x-www-form-urlencoded"),
            Some("15"),
            "n=1&n=2&q=a+b",
        ),
        (
            format!(r#"http::post({url}, #{{}}, #{{ headers: #{{ "Content-Type": "application/x-mine" }} }})"#),
            "POST",
            Some("application/x-mine"),
            Some("2"),
            "{}",
        ),
        (format!("http::request(#{{ url: {url} }})"), "GET", None, None, ""),
        (
            format!(r#"http::request(#{{ method: "report", url: {url}, body: "hi", headers: #{{}}, timeout_ms: 5000 }})"#),
            "report",
            Some("text/plain; charset=utf-8"),
            Some("2"),
            "hi",
        ),
        (format!(r#"http::request(#{{ method: "options", url: {url}, body: () }})"#), "OPTIONS", None, None, ""),
    ] {
        let got = shop.value(&format!("{call}.body")).await;
        let header = |name: &str| got["headers"][name].as_str();
        assert_eq!((got["method"].as_str(), got["body"].as_str()), (Some(method), Some(body)), "{call}");
        assert_eq!(header("content-type"), content_type, "{call}");
        if content_type != Some("application/x-www-form-urlencoded") {
            assert_eq!(header("content-length"), length, "{call}");
        }
        assert_eq!(header("transfer-encoding"), None, "{call}");
    }
    assert_eq!(shop.value(&format!("let r = http::head({url}); [r.status, r.body]")).await, json!([200, null]));
    assert_eq!(origin.received().last().expect("a request").method, "HEAD");
}

#[tokio::test]
async fn options_say_headers_query_redirect_and_time() {
    let origin = Origin::plain(|request| if request.target == "/away" { to("302 Found", "/x") } else { echo(request) }).await;
    let (_app, shop) = shop_before(&origin).await;
    let headers = r#"#{ "X-Text": "a", "x-n": 1, "x-f": 1.5, "x-b": true, "x-none": (), "user-agent": "mine/1" }"#;
    let got = shop.value(&format!(r#"http::get("http://api.example.com/x", #{{ headers: {headers} }}).body.headers"#)).await;
    assert_eq!(
        (&got["x-text"], &got["x-n"], &got["x-f"], &got["x-b"]),
        (&json!("a"), &json!("1"), &json!("1.5"), &json!("true"))
    );
    assert_eq!((&got["x-none"], &got["user-agent"]), (&Value::Null, &json!("mine/1")));
    shop.run(r#"http::get("http://api.example.com/x", #{ headers: #{ tag: ["a", "b"] } })"#).await.expect(200);
    let last = origin.received().pop().expect("a request");
    let tags: Vec<_> = last.headers.iter().filter(|(name, _)| name == "tag").map(|(_, value)| value.as_str()).collect();
    assert_eq!(tags, ["a", "b"]);

    for (url, target) in [
        ("http://api.example.com", "/?a=1&b=x+y"),
        ("http://api.example.com/p", "/p?a=1&b=x+y"),
        ("http://api.example.com/p?", "/p?a=1&b=x+y"),
        ("http://api.example.com/p?c=2", "/p?c=2&a=1&b=x+y"),
        ("http://api.example.com/p?c=2&#frag?x", "/p?c=2&a=1&b=x+y"),
    ] {
        let got = shop.value(&format!(r#"http::get("{url}", #{{ query: #{{ a: 1, b: "x y", none: () }} }}).body.target"#)).await;
        assert_eq!(got, target, "{url}");
    }
    let got = shop
        .value(r#"[(), true, false].map(|redirect| http::get("http://api.example.com/away", #{ redirect: redirect }).status)"#);
    assert_eq!(got.await, json!([200, 200, 302]));
}

#[tokio::test]
async fn what_cannot_be_meant_is_an_invalid_argument_and_sends_nothing() {
    let origin = Origin::plain(echo).await;
    let (_app, shop) = shop_before(&origin).await;
    let url = "http://api.example.com/";
    for call in [
        format!(r#"http::get("{url}", #{{ timout_ms: 5 }})"#),
        format!(r#"http::get("{url}", #{{ body: 1 }})"#),
        format!(r#"http::post("{url}", 1, #{{ method: "PUT" }})"#),
        r#"http::request(#{ method: "GET" })"#.to_owned(),
        format!(r#"http::request(#{{ url: "{url}", verb: "GET" }})"#),
        format!(r#"http::request(#{{ url: "{url}", method: "CONNECT" }})"#),
        format!(r#"http::request(#{{ url: "{url}", method: 1 }})"#),
        r#"http::request(#{ url: 1 })"#.to_owned(),
        format!(r#"http::get("{url}", #{{ timeout_ms: 0 }})"#),
        format!(r#"http::get("{url}", #{{ timeout_ms: -1 }})"#),
        format!(r#"http::get("{url}", #{{ timeout_ms: 30001 }})"#),
        format!(r#"http::get("{url}", #{{ timeout_ms: "5" }})"#),
        format!(r#"http::get("{url}", #{{ redirect: "no" }})"#),
        format!(r#"http::get("{url}", #{{ headers: [] }})"#),
        format!(r#"http::get("{url}", #{{ headers: #{{ a: #{{}} }} }})"#),
        format!(r#"http::get("{url}", #{{ headers: #{{ host: "other" }} }})"#),
        format!(r#"http::get("{url}", #{{ headers: #{{ "Transfer-Encoding": "chunked" }} }})"#),
        format!(r#"http::get("{url}", #{{ headers: #{{ "content-length": 1 }} }})"#),
        format!(r#"http::get("{url}", #{{ headers: #{{ a: "b\r\nc: d" }} }})"#),
        format!(r#"http::get("{url}", #{{ headers: #{{ "a\r\nb": "c" }} }})"#),
        format!(r#"http::get("{url}", #{{ query: "a=b" }})"#),
        format!(r#"http::get("{url}", #{{ query: #{{ a: #{{}} }} }})"#),
        format!(r#"http::post("{url}", Fn("f"))"#),
        r#"http::get("")"#.to_owned(),
        r#"http::get("/relative")"#.to_owned(),
        r#"http::get("ftp://api.example.com/")"#.to_owned(),
        r#"http::get("http://user:secret@api.example.com/")"#.to_owned(),
        r#"http::get("http://api.example.com:25/")"#.to_owned(),
        r#"http::get("http://api.example.com/ HTTP/1.1\r\nx: y")"#.to_owned(),
        r#"http::get("http://[fe80::1%25eth0]/")"#.to_owned(),
    ] {
        let caught = shop.caught(&call).await;
        assert_eq!(caught["code"], "invalid_argument", "{call}: {caught}");
        let message = caught["message"].as_str().expect("a message");
        assert!(!message.is_empty() && !message.contains("secret"), "{call}: {message}");
        assert_eq!(caught.as_object().map(serde_json::Map::len), Some(2), "{call}: {caught}");
    }
    assert!(origin.received().is_empty());
}

#[tokio::test]
async fn failures_are_maps_that_catch_can_read() {
    let hangs =
        Origin::plain(|request| if request.target == "/big" { answer("200 OK", &[], vec![b'x'; (4 << 20) + 1]) } else { None })
            .await;
    let network = Internet::default()
        .host("slow.example", "93.184.216.34:80", &hangs)
        .host("ungranted.test", "93.184.216.34:80", &hangs)
        .name("refused.example", &[&["93.184.216.35"]])
        .name("inside.example", &[&["93.184.216.34", "10.20.30.40"]])
        .network();
    let app = TestApp::start_with(Options { network, ..Options::default() }).await;
    let shop = app.create_app("shop").await;
    shop.grant(json!({ "http": ["*.example", "127.0.0.1"] })).await;
    for (call, code, words) in [
        (
            r#"http::get("http://ungranted.test/")"#,
            "denied",
            r#"PATCH /api/v1/admin/apps/shop/grants {"http":["*.example","127.0.0.1","ungranted.test"]}"#,
        ),
        (
            r#"http::get("http://inside.example/")"#,
            "denied",
            "`inside.example` leads to a private address; a grant for its network",
        ),
        (r#"http::get("http://127.1/")"#, "denied", "`127.0.0.1` leads to a loopback address, which no script reaches"),
        (r#"http::get("http://nowhere.example/")"#, "unavailable", "the name `nowhere.example` has no address"),
        (r#"http::get("http://refused.example/")"#, "unavailable", "no connection to `refused.example`: it was refused"),
        (
            r#"http::get("http://slow.example/", #{ timeout_ms: 50 })"#,
            "timed_out",
            "`slow.example` gave no whole answer within 50 ms",
        ),
        (r#"http::get("http://slow.example/big")"#, "limit_exceeded", "a body of more than 4194304 bytes"),
    ] {
        let caught = shop.caught(call).await;
        let message = caught["message"].as_str().expect("a message");
        assert_eq!(caught["code"], code, "{call}: {message}");
        assert!(message.contains(words), "{call}: {message}");
        assert!(!message.contains("10.20.30.40") && !message.contains("93.184"), "{message}");
    }
}

#[tokio::test]
async fn a_call_is_dropped_at_the_deadline_of_its_invocation() {
    let origin = Origin::plain(|_| None).await;
    let (_app, shop) = shop_before(&origin).await;
    let source = r#"try { http::get("http://api.example.com/", #{ timeout_ms: 30000 }); } catch { } 1"#;
    shop.run_with(source, json!({ "limits": { "timeout_ms": 200 } })).await.fails(504, "deadline_exceeded");
    assert_eq!(origin.received().len(), 1);
}

#[tokio::test]
async fn an_invocation_counts_its_requests_and_the_next_begins_anew() {
    let origin = Origin::plain(echo).await;
    let (_app, shop) = shop_before(&origin).await;
    let n = picloud::limits::HTTP_REQUESTS_PER_INVOCATION_MAX;
    shop.deploy(
        "/many",
        &format!(
            r#"let done = 0; let code = ();
            try {{ for i in 0..{} {{ http::get("http://api.example.com/"); done += 1; }} }} catch (e) {{ code = e.code; }}
            [done, code]"#,
            n + 1
        ),
    )
    .await;
    for _ in 0..2 {
        assert_eq!(shop.get("/many").await.expect(200).json(), json!([n, "limit_exceeded"]));
    }
    assert_eq!(origin.received().len(), 2 * n as usize);
}

#[tokio::test]
async fn bodies_of_requests_are_bounded() {
    let origin = Origin::plain(|request| answer("200 OK", &[], request.body.len().to_string())).await;
    let (_app, shop) = shop_before(&origin).await;
    let n = picloud::limits::HTTP_REQUEST_BODY_BYTES_MAX;
    assert_eq!(n, 4 << 20);
    let roomy = json!({ "limits": { "memory_mb": 64, "fuel": 5_000_000_000_u64 } });
    let sent = async |body: &str| {
        let call = format!(
            r#"let code = (); try {{ code = http::post("http://api.example.com/", {body}).body; }} catch (e) {{ code = e.code; }} code"#
        );
        shop.run_with(&call, roomy.clone()).await.expect(200).json()
    };
    assert_eq!(sent(&format!("blob({n}, 1)")).await, n.to_string());
    assert_eq!(sent(&format!("blob({}, 1)", n + 1)).await, "invalid_argument");
    assert_eq!(sent(&text(n)).await, n.to_string());
    assert_eq!(sent(&text(n + 1)).await, "invalid_argument");
    assert_eq!(sent(&format!("[{}]", text(n - 4))).await, n.to_string(), "as JSON, with brackets and quotes");
    assert_eq!(sent(&format!("[{}]", text(n - 3))).await, "invalid_argument");
    assert_eq!(origin.received().len(), 3);
}

#[tokio::test]
async fn a_large_answer_reaches_the_script_whole() {
    let n = picloud::limits::HTTP_RESPONSE_BODY_BYTES_MAX;
    let origin = Origin::plain(move |_| answer("200 OK", &[("content-type", "text/plain")], vec![b'x'; n])).await;
    let (_app, shop) = shop_before(&origin).await;
    let got = shop.value(r#"let r = http::get("http://api.example.com/"); [r.body.len(), r.body_raw.len()]"#).await;
    assert_eq!(got, json!([n, n]), "in the memory that a script has by default");
}

#[tokio::test]
async fn grants_of_one_app_do_not_reach_for_another() {
    let origin = Origin::plain(echo).await;
    let (app, _shop) = shop_before(&origin).await;
    let other = app.create_app("other").await;
    other.try_upload("early", r#"http::get("http://api.example.com/")"#, json!({})).await.fails(422, "not_granted");
    other.grant(json!({ "http": ["other.example.com", "10.0.0.0/8"] })).await;
    assert_eq!(other.caught(r#"http::get("http://api.example.com/")"#).await["code"], "denied");
    assert!(origin.received().is_empty());
}

#[tokio::test]
async fn the_local_network_is_reached_by_its_grant_alone() {
    let origin = Origin::plain(echo).await;
    let network = Internet::default().host("nas.lan", "192.168.1.5:80", &origin).network();
    let app = TestApp::start_with(Options { network, ..Options::default() }).await;
    let shop = app.create_app("shop").await;
    shop.grant(json!({ "http": ["nas.lan"] })).await;
    shop.deploy("/nas", r#"http::get("http://nas.lan/").status"#).await;
    shop.get("/nas").await.fails(422, "script_error");
    shop.grant(json!({ "http": ["nas.lan", "192.168.1.0/24"] })).await;
    assert_eq!(shop.get("/nas").await.expect(200).json(), 200);
    // Taken back, it is gone for what is deployed already.
    shop.grant(json!({ "http": ["nas.lan"] })).await;
    shop.get("/nas").await.fails(422, "script_error");
}
