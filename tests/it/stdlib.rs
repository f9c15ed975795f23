//! The stateless library: published vectors, and shapes that must not change.

use serde_json::json;

use crate::support::TestApp;

#[tokio::test]
async fn published_vectors_hold() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    for (source, expected) in [
        // FIPS 180-4, RFC 4231 case 2.
        (r#"crypto::sha256("abc")"#, json!("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")),
        (r#"crypto::sha256("")"#, json!("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")),
        (
            r#"crypto::hmac_sha256("Jefe", "what do ya want for nothing?")"#,
            json!("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
        ),
        (
            r#"[crypto::equal("a", "a"), crypto::equal("a", "b"), crypto::equal("a", "aa"), crypto::equal("", "")]"#,
            json!([true, false, false, true]),
        ),
        // RFC 4648 §10.
        (
            r#"["", "f", "fo", "foo", "foob", "fooba", "foobar"].map(|s| base64::encode(s))"#,
            json!(["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"]),
        ),
        (r#"hex::encode("foobar")"#, json!("666f6f626172")),
        (r#"json::parse("{\"a\":[1,2.5,true,null,\"x\"]}")"#, json!({ "a": [1, 2.5, true, null, "x"] })),
        (r#"json::stringify(#{ b: [1, 2.5, (), "é"], a: true })"#, json!("{\"a\":true,\"b\":[1,2.5,null,\"é\"]}")),
        (r#"time::format(0)"#, json!("1970-01-01T00:00:00.000Z")),
        (r#"time::parse("2024-02-29T12:00:00+01:00")"#, json!(1_709_204_400_000_i64)),
        (r#"[regex::is_match("^a+b$", "aaab"), regex::is_match("^a+b$", "aaa")]"#, json!([true, false])),
        (r#"[min(1, 2), max(1, 2), abs(-3), "a,b".split(",")]"#, json!([1, 2, 3, ["a", "b"]])),
    ] {
        assert_eq!(shop.value(source).await, expected, "{source}");
    }
}

#[tokio::test]
async fn encodings_read_back_what_they_wrote() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let got = shop
        .value(r#"let b = blob(); for i in 0..256 { b.push(i); } [base64::decode(base64::encode(b)) == b, hex::decode(hex::encode(b)) == b, json::parse(json::stringify(#{ a: [1, "x"] })).a[1]]"#)
        .await;
    assert_eq!(got, json!([true, true, "x"]));
}

#[tokio::test]
async fn what_cannot_be_read_is_a_map_that_catch_can_read() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    for call in [
        r#"base64::decode("***")"#,
        r#"hex::decode("zz")"#,
        r#"json::parse("{")"#,
        r#"time::parse("yesterday")"#,
        r#"regex::is_match("(", "x")"#,
        "random::int(2, 1)",
        "random::bytes(-1)",
    ] {
        let caught = shop.caught(call).await;
        assert_eq!(caught["code"], "invalid_argument", "{call}: {caught}");
        assert!(caught["message"].as_str().is_some_and(|message| !message.is_empty()), "{call}: {caught}");
    }
}

#[tokio::test]
async fn randomness_differs_between_calls_and_invocations() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.deploy("/r", "[crypto::uuid(), random::uuid(), random::string(20), base64::encode(random::bytes(16)), random::float()]")
        .await;
    let mut seen = std::collections::HashSet::new();
    for _ in 0..20 {
        for value in shop.get("/r").await.expect(200).json().as_array().expect("values") {
            assert!(seen.insert(value.to_string()), "{value} came twice");
        }
    }
    let uuid: uuid::Uuid = shop.value("crypto::uuid()").await.as_str().expect("text").parse().expect("a UUID");
    assert_eq!((uuid.get_version_num(), uuid.get_variant()), (4, uuid::Variant::RFC4122));
    let drawn = shop.value("let seen = #{}; for i in 0..200 { seen[`${random::int(1, 3)}`] = 1; } seen.keys().len()").await;
    assert_eq!(drawn, 3, "both ends are included, and nothing else");
}

#[tokio::test]
async fn the_hash_seed_of_an_invocation_is_not_a_tenants_to_know() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.deploy("/keys", "let m = #{}; for i in 0..50 { m[`k${i}`] = i; } m.keys()").await;
    let first = shop.get("/keys").await.expect(200).json();
    let mut sorted: Vec<_> = first.as_array().expect("keys").clone();
    sorted.sort_by_key(ToString::to_string);
    assert_eq!(first.as_array(), Some(&sorted), "maps are ordered by key, so that no run depends on a seed");
}

#[tokio::test]
async fn time_is_now() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let ms = shop.value("time::now_ms()").await.as_i64().expect("a number");
    assert!((app.clock.now().timestamp_millis() - ms).abs() < 60_000, "{ms}");
    let text = shop.value("time::now()").await;
    assert!(chrono::DateTime::parse_from_rfc3339(text.as_str().expect("text")).is_ok(), "{text}");
}
