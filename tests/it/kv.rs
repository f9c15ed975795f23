//! `kv` as scripts use it.

use serde_json::{Value, json};

use crate::support::TestApp;

#[tokio::test]
async fn what_is_set_is_what_is_got() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    for (value, expected) in [
        ("1", json!(1)),
        ("-1.5", json!(-1.5)),
        ("true", json!(true)),
        (r#""grün 🦀 \x00""#, json!("grün 🦀 \0")),
        (r#""""#, json!("")),
        ("[1, [2, ()]]", json!([1, [2, null]])),
        (r#"#{ a: #{ "b c": [] } }"#, json!({ "a": { "b c": [] } })),
        ("()", Value::Null),
        ("9223372036854775807", json!(i64::MAX)),
        ("1.0", json!(1.0)),
        ("'x'", json!("x")),
    ] {
        let got =
            shop.value(&format!(r#"let c = kv::collection("c"); c.set("k", {value}); [c.get("k"), type_of(c.get("k"))]"#)).await;
        assert_eq!(got[0], expected, "{value}");
    }
    let kinds = shop.value(r#"let c = kv::collection("c"); c.set("f", 1.0); c.set("i", 1); c.set("b", blob(3, 9)); [type_of(c.get("f")), type_of(c.get("i")), type_of(c.get("b")), c.get("b")[2]]"#).await;
    assert_eq!(kinds, json!(["f64", "i64", "blob", 9]));
}

#[tokio::test]
async fn set_answers_nothing_and_replaces() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let got = shop.value(r#"let c = kv::collection("c"); [c.set("k", 1), c.set("k", 2), c.get("k")]"#).await;
    assert_eq!(got, json!([null, null, 2]));
}

#[tokio::test]
async fn what_is_not_there_is_unit() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let got =
        shop.value(r#"let c = kv::collection("c"); [c.get("k") == (), c.has("k"), c.list().items, c.list().cursor == ()]"#).await;
    assert_eq!(got, json!([true, false, [], true]));
}

#[tokio::test]
async fn has_tells_an_entry_of_unit_from_no_entry() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let got = shop.value(r#"let c = kv::collection("c"); c.set("k", ()); [c.get("k") == (), c.has("k"), c.has("other")]"#).await;
    assert_eq!(got, json!([true, true, false]));
}

#[tokio::test]
async fn delete_answers_whether_it_was_there() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let got = shop
        .value(r#"let c = kv::collection("c"); c.set("k", 1); [c.delete("k"), c.delete("k"), c.has("k"), c.get("k") == ()]"#)
        .await;
    assert_eq!(got, json!([true, false, false, true]));
}

#[tokio::test]
async fn entries_outlive_the_invocation_and_the_version() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.run(r#"kv::collection("c").set("k", "kept")"#).await.expect(200);
    assert_eq!(shop.value(r#"kv::collection("c").get("k")"#).await, "kept");
}

#[tokio::test]
async fn list_answers_items_in_bytewise_key_order() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let got = shop
        .value(r#"let c = kv::collection("c"); for k in ["b", "a", "B", "é", "a/2", "a/10", "Z"] { c.set(k, k); } c.list()"#)
        .await;
    let keys: Vec<_> = got["items"].as_array().expect("items").iter().map(|item| item["key"].as_str().expect("a key")).collect();
    assert_eq!(keys, ["B", "Z", "a", "a/10", "a/2", "b", "é"]);
    assert_eq!(got["items"][2], json!({ "key": "a", "value": "a" }));
    assert_eq!(got.as_object().expect("a map").len(), 2, "{got}");
    assert_eq!(got["cursor"], Value::Null);
}

#[tokio::test]
async fn a_prefix_is_literal() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let got = shop
        .value(
            r#"let c = kv::collection("c");
            for k in ["a", "a%", "a%b", "a_", "ab", "a\\", "b", "\U0010FFFF", "\U0010FFFFx"] { c.set(k, 1); }
            let keys = |prefix| c.list(#{ prefix: prefix }).items.map(|item| item.key);
            [keys.call("a%"), keys.call("a_"), keys.call("a\\"), keys.call("\U0010FFFF"), keys.call("none"), keys.call("").len()]"#,
        )
        .await;
    assert_eq!(got, json!([["a%", "a%b"], ["a_"], ["a\\"], ["\u{10FFFF}", "\u{10FFFF}x"], [], 9]));
}

#[tokio::test]
async fn cursors_walk_every_entry_once() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let got = shop
        .value(
            r#"let c = kv::collection("c");
            for i in 0..25 { c.set(`p/${i}`, i); }
            c.set("q", 0);
            let pages = []; let cursor = ();
            loop {
                let page = c.list(#{ prefix: "p/", cursor: cursor, limit: 10 });
                pages.push(page.items.len());
                for item in page.items { c.delete(item.key); }
                cursor = page.cursor;
                if cursor == () { break; }
            }
            [pages, c.list().items.len()]"#,
        )
        .await;
    let pages = got[0].as_array().expect("pages");
    assert_eq!(pages[..3], [json!(10), json!(10), json!(5)], "{got}");
    assert_eq!(got[1], 1, "deleting on the way skips nothing");
}

#[tokio::test]
async fn collections_are_apart() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let got = shop.value(r#"let a = kv::collection("a"); let b = kv::collection("b"); a.set("k", "in a"); [b.get("k"), b.delete("k"), a.get("k"), b.list().items]"#).await;
    assert_eq!(got, json!([null, false, "in a", []]));
}

#[tokio::test]
async fn two_apps_never_see_each_other() {
    let app = TestApp::start().await;
    let (one, two) = (app.create_app("one").await, app.create_app("two").await);
    one.run(r#"let c = kv::collection("shared"); c.set("k", "one's"); c.set("only", 1);"#).await.expect(200);
    assert_eq!(
        two.value(r#"let c = kv::collection("shared"); [c.get("k"), c.has("only"), c.delete("k"), c.list().items]"#).await,
        json!([null, false, false, []])
    );
    two.run(r#"kv::collection("shared").set("k", "two's")"#).await.expect(200);
    assert_eq!(one.value(r#"kv::collection("shared").get("k")"#).await, "one's");
    assert_eq!(one.value(r#"kv::collection("shared").list().items.len()"#).await, 2);
}

#[tokio::test]
async fn the_app_never_comes_from_the_script() {
    let app = TestApp::start().await;
    let (one, two) = (app.create_app("one").await, app.create_app("two").await);
    one.run(r#"kv::collection("c").set("k", "one's")"#).await.expect(200);
    for name in [format!("{}/c", one.id), format!("../{}/c", one.slug), format!("{}:c", one.id)] {
        assert_eq!(two.value(&format!(r#"kv::collection("{name}").get("k")"#)).await, Value::Null);
    }
    two.run(r#"kv::get("c", "k")"#).await.fails(422, "script_error");
}

#[tokio::test]
async fn failures_are_maps_that_catch_can_read() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    for call in [
        r#"kv::collection("c").get("")"#,
        r#"kv::collection("").get("k")"#,
        r#"kv::collection("c").set("", 1)"#,
        r#"kv::collection("c").set("a\x00b", 1)"#,
        r#"kv::collection("a\x00b").set("k", 1)"#,
        r#"kv::collection("c").set("k", Fn("f"))"#,
        r#"kv::collection("c").list(#{ limit: 0 })"#,
        r#"kv::collection("c").list(#{ limit: -1 })"#,
        r#"kv::collection("c").list(#{ limit: "x" })"#,
        r#"kv::collection("c").list(#{ prefix: 1 })"#,
        r#"kv::collection("c").list(#{ perfix: "typo" })"#,
    ] {
        let caught = shop.caught(call).await;
        assert_eq!(caught["code"], "invalid_argument", "{call}: {caught}");
        assert!(caught["message"].as_str().is_some_and(|message| !message.is_empty()), "{call}: {caught}");
        assert_eq!(caught.as_object().map(serde_json::Map::len), Some(2), "{call}: {caught}");
    }
}

#[tokio::test]
async fn a_caught_failure_leaves_the_script_running() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let got = shop.value(r#"let c = kv::collection("c"); try { c.set("", 1); } catch { } c.set("k", 2); c.get("k")"#).await;
    assert_eq!(got, 2);
}

#[tokio::test]
async fn entries_go_with_their_app() {
    let app = TestApp::start().await;
    let one = app.create_app("one").await;
    one.run(r#"kv::collection("c").set("k", 1)"#).await.expect(200);
    app.delete("/admin/apps/one?force=true").await.expect(204);
    let again = app.create_app("one").await;
    assert_eq!(again.value(r#"kv::collection("c").get("k")"#).await, Value::Null);
}

#[tokio::test]
async fn concurrent_writers_lose_no_key() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.deploy("/set/:k", r#"kv::collection("c").set(ctx.request.params.k, 1)"#).await;
    let calls: Vec<_> = (0..64)
        .map(|i| {
            let shop = shop.clone();
            tokio::spawn(async move { shop.get(&format!("/set/{i}")).await.expect(200) })
        })
        .collect();
    for call in calls {
        call.await.expect("a call");
    }
    assert_eq!(shop.value(r#"kv::collection("c").list().items.len()"#).await, 64);
}

#[tokio::test]
async fn a_write_over_another_revision_is_a_conflict_and_does_nothing() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let got = shop
        .value(
            r#"let c = kv::collection("c");
            let codes = [];
            let attempt = |k, v, revision| { try { c.set(k, v, #{ if_revision: revision, ttl_s: 9 }); codes.push("done"); } catch (e) { codes.push(e.code); } };
            attempt.call("k", 1, 0);
            let r = c.get_entry("k").revision;
            attempt.call("k", 2, 0);
            attempt.call("k", 2, r + 1);
            attempt.call("k", 2, r - 1);
            let unchanged = c.get_entry("k");
            attempt.call("k", 2, r);
            attempt.call("k", 3, r);
            attempt.call("gone", 1, r);
            [codes, unchanged.value, unchanged.revision == r, c.get("k"), c.get_entry("k").revision - r, c.has("gone")]"#,
        )
        .await;
    let codes = json!(["done", "conflict", "conflict", "conflict", "done", "conflict", "conflict"]);
    assert_eq!(got, json!([codes, 1, true, 2, 1, false]));
}

#[tokio::test]
async fn one_of_many_who_want_to_be_first_is() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let source = r#"let won = true; try { kv::collection("c").set("lock", 1, #{ if_revision: 0 }); } catch (e) { if e.code != "conflict" { throw e; } won = false; } won"#;
    shop.deploy("/take", source).await;
    let won = at_once(&shop, "/take", 32).await.into_iter().filter(|value| *value == json!(true)).count();
    assert_eq!(won, 1);
}

#[tokio::test]
async fn increments_add_up_however_many_count_at_once() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.deploy("/count", r#"kv::collection("c").increment("n", 3)"#).await;
    let mut sums: Vec<_> = at_once(&shop, "/count", 64).await.into_iter().map(|value| value.as_i64().expect("a sum")).collect();
    sums.sort_unstable();
    assert_eq!(sums, (1..=64).map(|n| 3 * n).collect::<Vec<_>>(), "each call saw a sum of its own");
    assert_eq!(shop.value(r#"kv::collection("c").get("n")"#).await, 192);
}

/// The answers of that many GETs at once.
async fn at_once(shop: &crate::support::Tenant, path: &str, calls: usize) -> Vec<Value> {
    let calls: Vec<_> = (0..calls)
        .map(|_| {
            let (shop, path) = (shop.clone(), path.to_owned());
            tokio::spawn(async move { shop.get(&path).await.expect(200).json() })
        })
        .collect();
    let mut answers = Vec::new();
    for call in calls {
        answers.push(call.await.expect("a call"));
    }
    answers
}

#[tokio::test]
async fn increment_counts_integers_only_and_within_64_bits() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let got = shop
        .value(
            r#"let c = kv::collection("c");
            c.set("n", -5);
            let sums = [c.increment("new"), c.increment("n", 3), c.increment("n", 0), c.increment("n", -10), type_of(c.get("n"))];
            c.set("top", 9223372036854775806);
            sums.push(c.increment("top"));
            c.set("bottom", -9223372036854775807);
            sums.push(c.increment("bottom", -1));
            sums.push(c.increment("bottom", 9223372036854775807));
            sums"#,
        )
        .await;
    assert_eq!(got, json!([1, -2, -2, -12, "i64", i64::MAX, i64::MIN, -1]));
    for value in ["1.0", "\"1\"", "()", "[]", "blob(1, 49)", "#{}", "1e300"] {
        let call = format!(r#"let c = kv::collection("c"); c.set("k", {value}); c.increment("k")"#);
        let caught = shop.caught(&call).await;
        assert_eq!(caught["code"], "invalid_argument", "{value}: {caught}");
        assert_eq!(shop.value(&format!(r#"kv::collection("c").get("k") == {value}"#)).await, true, "{value} is as it was");
    }
    for (start, by) in [("9223372036854775807", "1"), ("-1", "-9223372036854775808")] {
        let by = by.replace("-9223372036854775808", "(-9223372036854775807 - 1)");
        let caught = shop.caught(&format!(r#"let c = kv::collection("c"); c.set("k", {start}); c.increment("k", {by})"#)).await;
        assert_eq!(caught["code"], "invalid_argument", "{caught}");
        assert_eq!(shop.value(r#"kv::collection("c").get("k")"#).await.to_string(), start);
    }
}

#[tokio::test]
async fn wrong_options_of_a_write_are_refused_by_name() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    for (call, named) in [
        (r#"set("k", 1, #{ ttl: 5 })"#, "ttl"),
        (r#"set("k", 1, #{ ttl_s: 0 })"#, "ttl_s"),
        (r#"set("k", 1, #{ ttl_s: -5 })"#, "ttl_s"),
        (r#"set("k", 1, #{ ttl_s: 1.5 })"#, "ttl_s"),
        (r#"set("k", 1, #{ ttl_s: "5" })"#, "ttl_s"),
        (r#"set("k", 1, #{ if_revision: -1 })"#, "if_revision"),
        (r#"set("k", 1, #{ if_revision: "1" })"#, "if_revision"),
        (r#"set("k", 1, #{ if_revision: () })"#, "if_revision"),
        (r#"increment("k", 1.5)"#, "by"),
        (r#"increment("k", "1")"#, "by"),
        (r#"increment("k", ())"#, "by"),
    ] {
        let caught = shop.caught(&format!(r#"kv::collection("c").{call}"#)).await;
        assert_eq!(caught["code"], "invalid_argument", "{call}: {caught}");
        assert!(caught["message"].as_str().is_some_and(|message| message.contains(named)), "{call}: {caught}");
    }
    assert_eq!(shop.value(r#"kv::collection("c").has("k")"#).await, false, "nothing was done");
}
