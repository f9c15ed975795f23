//! `files` as scripts use it.

use serde_json::{Value, json};

use crate::support::{Tenant, TestApp};

const MIB: u64 = 1 << 20;

#[tokio::test]
async fn what_is_created_is_got() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let got = shop
        .value(
            r#"let c = files::collection("c");
            let made = c.create("a.txt", "grün");
            let found = c.get("a.txt");
            let content = found.remove("content");
            [made, found == made && c.head("a.txt") == made, type_of(content), content.as_string(), made.sha256 == crypto::sha256("grün"),
             made.updated_at == made.created_at, time::parse(made.created_at) > 1700000000000, type_of(made.revision), made.id.len()]"#,
        )
        .await;
    let mut made = got[0].clone();
    let keys: Vec<_> = made.as_object().expect("a map").keys().cloned().collect();
    assert_eq!(keys, ["content_type", "created_at", "id", "name", "revision", "sha256", "size", "updated_at"]);
    for varies in ["created_at", "id", "revision", "sha256", "updated_at"] {
        made[varies] = Value::Null;
    }
    assert_eq!(
        made,
        json!({
            "content_type": "text/plain; charset=utf-8", "created_at": null, "id": null, "name": "a.txt", "revision": null,
            "sha256": null, "size": 5, "updated_at": null
        })
    );
    assert_eq!(
        got.as_array().expect("a list")[1..],
        [json!(true), json!("blob"), json!("grün"), json!(true), json!(true), json!(true), json!("i64"), json!(36)]
    );
}

#[tokio::test]
async fn content_is_a_string_or_a_blob_and_its_type_follows_unless_it_is_named() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let got = shop
        .value(
            r#"let c = files::collection("c");
            [c.create("a", "text").content_type, c.create("b", blob(3, 7)).content_type, c.create("c", "").size,
             c.create("d", "<p>", #{ content_type: "text/html; charset=utf-8" }).content_type, c.get("b").content == blob(3, 7),
             c.get("c").content.len()]"#,
        )
        .await;
    assert_eq!(got, json!(["text/plain; charset=utf-8", "application/octet-stream", 0, "text/html; charset=utf-8", true, 0]));
}

#[tokio::test]
async fn a_name_is_taken_once_in_its_collection() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let got = shop
        .value(
            r#"let c = files::collection("c");
            let first = c.create("a", "first");
            let code = ();
            try { c.create("a", "second"); } catch (error) { code = error.code; }
            files::collection("other").create("a", "elsewhere");
            [code, c.get("a").content.as_string(), c.head("a") == first, files::collection("other").get("a").content.as_string()]"#,
        )
        .await;
    assert_eq!(got, json!(["conflict", "first", true, "elsewhere"]));
}

#[tokio::test]
async fn an_update_keeps_the_file_and_changes_its_content() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let got = shop
        .value(
            r#"let c = files::collection("c");
            let one = c.create("a", "one", #{ content_type: "text/css" });
            let two = c.update("a", blob(2, 1));
            let three = c.update("a", "three", #{ content_type: "text/plain", if_revision: two.revision });
            [two.id == one.id, two.content_type, two.size, two.revision == one.revision + 1, three.content_type,
             three.revision == two.revision + 1, two.created_at == one.created_at, c.get("a").content.as_string(), c.head("a") == three]"#,
        )
        .await;
    assert_eq!(got, json!([true, "text/css", 2, true, "text/plain", true, true, "three", true]));
}

#[tokio::test]
async fn a_stale_revision_is_a_conflict_and_changes_nothing() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let got = shop
        .value(
            r#"let c = files::collection("c");
            let one = c.create("a", "one");
            c.update("a", "two");
            let code = ();
            try { c.update("a", "three", #{ if_revision: one.revision }); } catch (error) { code = error.code; }
            c.delete("a");
            let again = c.create("a", "again");
            let stale = ();
            try { c.update("a", "x", #{ if_revision: one.revision }); } catch (error) { stale = error.code; }
            [code, stale, again.id == one.id, c.get("a").content.as_string()]"#,
        )
        .await;
    assert_eq!(got, json!(["conflict", "conflict", false, "again"]), "a number does not come again when a file is made anew");
}

#[tokio::test]
async fn what_is_not_there_is_unit_and_cannot_be_updated() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let got = shop
        .value(
            r#"let c = files::collection("c");
            let code = ();
            try { c.update("a", "x"); } catch (error) { code = error.code; }
            [c.head("a"), c.get("a"), c.get_range("a", 0, 1), c.delete("a"), code, c.list().items, c.list().cursor]"#,
        )
        .await;
    assert_eq!(got, json!([null, null, null, false, "not_found", [], null]));
}

#[tokio::test]
async fn delete_answers_whether_it_was_there() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let got =
        shop.value(r#"let c = files::collection("c"); c.create("a", "x"); [c.delete("a"), c.delete("a"), c.head("a")]"#).await;
    assert_eq!(got, json!([true, false, null]));
}

#[tokio::test]
async fn a_range_is_what_lies_within_the_file() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let got = shop
        .value(
            r#"let c = files::collection("c"); c.create("a", "0123456789");
            let part = |start, len| c.get_range("a", start, len).as_string();
            [part.call(0, 3), part.call(3, 3), part.call(8, 5), part.call(10, 1), part.call(99, 1), part.call(0, 0), part.call(2, 9223372036854775807)]"#,
        )
        .await;
    assert_eq!(got, json!(["012", "345", "89", "", "", "", "23456789"]));
}

#[tokio::test]
async fn ranges_cross_pieces() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let got = shop
        .value(
            r#"let c = files::collection("c"); let p = 262144;
            let all = blob(p, 1) + blob(p, 2) + blob(5, 3);
            c.create("a", all);
            let part = |start, len| { let b = c.get_range("a", start, len); [b.len(), b[0], b[-1]] };
            [part.call(p - 1, 2), part.call(p, p), part.call(p - 1, p + 2), part.call(2 * p - 1, 99), c.get("a").content == all]"#,
        )
        .await;
    assert_eq!(got, json!([[2, 1, 2], [262_144, 2, 2], [262_146, 1, 3], [6, 2, 3], true]));
}

#[tokio::test]
async fn lists_are_metadata_in_bytewise_order_with_cursors() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let got = shop
        .value(
            r#"let c = files::collection("c");
            for name in ["b", "a/2", "a/10", "B", "é", "a%", "a/1"] { c.create(name, name); }
            let names = |page| page.items.map(|file| file.name);
            let first = c.list(#{ prefix: "a/", limit: 2 });
            let second = c.list(#{ prefix: "a/", limit: 2, cursor: first.cursor });
            [names.call(c.list()), names.call(first), names.call(second), second.cursor, c.list().items[0] == c.head("B"),
             "content" in c.list().items[0], names.call(c.list(#{ prefix: "a%" }))]"#,
        )
        .await;
    assert_eq!(got, json!([["B", "a%", "a/1", "a/10", "a/2", "b", "é"], ["a/1", "a/10"], ["a/2"], null, true, false, ["a%"]]));
}

#[tokio::test]
async fn two_apps_never_see_each_other() {
    let app = TestApp::start().await;
    let (one, two) = (app.create_app("one").await, app.create_app("two").await);
    one.run(r#"files::collection("shared").create("f", "one's")"#).await.expect(200);
    let seen = two
        .value(
            r#"let c = files::collection("shared");
            let code = ();
            try { c.update("f", "mine"); } catch (error) { code = error.code; }
            [c.head("f"), c.get("f"), c.get_range("f", 0, 1), c.delete("f"), c.list().items, code]"#,
        )
        .await;
    assert_eq!(seen, json!([null, null, null, false, [], "not_found"]));
    two.run(r#"files::collection("shared").create("f", "two's")"#).await.expect(200);
    for (tenant, content) in [(&one, "one's"), (&two, "two's")] {
        assert_eq!(tenant.value(r#"files::collection("shared").get("f").content.as_string()"#).await, content);
    }
    two.run(r#"files::collection("shared").delete("f")"#).await.expect(200);
    assert_eq!(one.value(r#"files::collection("shared").get("f").content.as_string()"#).await, "one's");
    for name in [format!("{}/f", one.id), format!("../{}/f", one.id), format!("{}/shared/f", one.slug)] {
        assert_eq!(two.value(&format!(r#"files::collection("shared").get("{name}")"#)).await, Value::Null);
    }
}

#[tokio::test]
async fn failures_are_maps_that_catch_can_read() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    for call in [
        r#"files::collection("c").create("", "x")"#,
        r#"files::collection("").create("n", "x")"#,
        r#"files::collection("c").create("a\x00b", "x")"#,
        r#"files::collection("a\x00b").head("n")"#,
        r#"files::collection("c").create("n", 1)"#,
        r#"files::collection("c").create("n", #{ a: 1 })"#,
        r#"files::collection("c").create("n", ())"#,
        r#"files::collection("c").create("n", "x", #{ contenttype: "text/plain" })"#,
        r#"files::collection("c").create("n", "x", #{ content_type: 1 })"#,
        r#"files::collection("c").create("n", "x", #{ content_type: "text" })"#,
        r#"files::collection("c").create("n", "x", #{ content_type: "text/plain\r\nset-cookie: a=b" })"#,
        r#"files::collection("c").create("n", "x", #{ if_revision: 1 })"#,
        r#"files::collection("c").update("n", "x", #{ content_type: "é/x" })"#,
        r#"files::collection("c").update("n", "x", #{ if_revision: "1" })"#,
        r#"files::collection("c").get("")"#,
        r#"files::collection("c").get_range("n", -1, 1)"#,
        r#"files::collection("c").get_range("n", 0, -1)"#,
        r#"files::collection("c").list(#{ limit: 0 })"#,
        r#"files::collection("c").list(#{ limit: "x" })"#,
        r#"files::collection("c").list(#{ perfix: "typo" })"#,
    ] {
        let caught = shop.caught(call).await;
        assert_eq!(caught["code"], "invalid_argument", "{call}: {caught}");
        assert!(caught["message"].as_str().is_some_and(|message| !message.is_empty()), "{call}: {caught}");
        assert_eq!(caught.as_object().map(serde_json::Map::len), Some(2), "{call}: {caught}");
    }
    assert_eq!(shop.value(r#"files::collection("c").list().items"#).await, json!([]), "nothing was done");
}

/// Writers replace a file while readers read it: what is read is one version.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_sees_one_version_whole() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.deploy(
        "/put/:n",
        r#"let n = parse_int(ctx.request.params.n); files::collection("c").update("f", blob(600000 + n, n), #{ content_type: `x/${n}` });"#,
    )
    .await;
    // The hash that comes with the bytes is theirs, and the whole is held against it by the host.
    shop.deploy(
        "/get",
        r#"let f = files::collection("c").get("f"); let b = f.content;
        [f.content_type, b.len(), f.size, b[0], b[262144], b[524288], b[-1]]"#,
    )
    .await;
    shop.run(r#"files::collection("c").create("f", blob(600000, 0), #{ content_type: "x/0" })"#).await.expect(200);
    let writing = (1..=3).map(|writer| {
        let shop = shop.clone();
        tokio::spawn(async move {
            for n in 0..8 {
                shop.get(&format!("/put/{}", writer * 60 + n)).await.expect(200);
            }
        })
    });
    let reading = (0..3).map(|_| {
        let shop = shop.clone();
        tokio::spawn(async move {
            for _ in 0..12 {
                let got = shop.get("/get").await.expect(200).json();
                let n = got[3].as_u64().expect("a byte");
                let size = 600_000 + n;
                assert_eq!(got, json!([format!("x/{n}"), size, size, n, n, n, n]));
            }
        })
    });
    for task in writing.chain(reading).collect::<Vec<_>>() {
        task.await.expect("a client");
    }
    crate::support::eventually("old versions are removed", std::time::Duration::from_secs(10), async || {
        (super::files_on_disk::blobs(&app).len() == 1).then_some(())
    })
    .await;
}

/// What the reference says of the largest file: how much memory and fuel it takes.
#[tokio::test]
async fn the_largest_file_is_within_reach_of_a_script() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let patient = |memory_mb: u32| json!({ "limits": { "memory_mb": memory_mb, "timeout_ms": 120_000 } });
    let made = shop
        .run_with(
            r#"let made = files::collection("c").create("f", blob(16 * 1024 * 1024, 7)); [made.size, made.sha256]"#,
            patient(64),
        )
        .await
        .expect(200);
    let read = shop
        .run_with(
            r#"let f = files::collection("c").get("f"); [f.size, f.content.len(), f.content[0], f.content[-1]]"#,
            patient(32),
        )
        .await
        .expect(200);
    assert_eq!(made.json()[0], 16 * MIB);
    assert_eq!(read.json(), json!([16 * MIB, 16 * MIB, 7, 7]));
    for (reply, fuel_max) in [(&made, 250_000_000), (&read, 250_000_000)] {
        let usage = shop.record(reply).await["usage"].clone();
        let fuel = usage["fuel"].as_u64().expect("fuel");
        assert!((160_000_000..fuel_max).contains(&fuel), "{usage}");
        assert!(usage["host_calls"] == 64, "{usage}");
    }
}

async fn conflicts(shop: &Tenant, path: &str) -> (usize, usize) {
    let calls: Vec<_> = (0..12)
        .map(|_| {
            let (shop, path) = (shop.clone(), path.to_owned());
            tokio::spawn(async move { shop.get(&path).await.expect(200).json() })
        })
        .collect();
    let (mut done, mut refused) = (0, 0);
    for call in calls {
        match call.await.expect("a call").as_str() {
            Some("conflict") => refused += 1,
            Some("done") => done += 1,
            other => panic!("{other:?}"),
        }
    }
    (done, refused)
}

#[tokio::test]
async fn of_many_who_create_or_replace_at_once_one_wins() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let attempt =
        |call: &str| format!(r#"let outcome = "done"; try {{ {call}; }} catch (error) {{ outcome = error.code; }} outcome"#);
    shop.deploy("/create", &attempt(r#"files::collection("c").create("f", "x")"#)).await;
    assert_eq!(conflicts(&shop, "/create").await, (1, 11));
    let revision = shop.value(r#"files::collection("c").head("f").revision"#).await;
    shop.deploy("/update", &attempt(&format!(r#"files::collection("c").update("f", "y", #{{ if_revision: {revision} }})"#)))
        .await;
    assert_eq!(conflicts(&shop, "/update").await, (1, 11));
    crate::support::eventually("those who lost leave nothing", std::time::Duration::from_secs(10), async || {
        (super::files_on_disk::blobs(&app).len() == 1).then_some(())
    })
    .await;
}
