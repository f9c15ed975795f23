//! `docs` as scripts use it. What filters match is in `docs_filters.rs`, how the database finds it in `docs_plans.rs`.

use serde_json::{Value, json};

use crate::support::cluster::run;
use crate::support::{Tenant, TestApp};

/// What a script does with `c`, a collection.
async fn value(shop: &Tenant, source: &str) -> Value {
    shop.value(&format!(r#"let c = docs::collection("c"); {source}"#)).await
}

async fn caught(shop: &Tenant, call: &str) -> Value {
    shop.caught(&format!(r#"let c = docs::collection("c"); {call}"#)).await
}

#[tokio::test]
async fn a_document_is_data_with_id_revision_and_times() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let got =
        value(&shop, r#"let id = c.create(#{ n: 1 }); [id, c.get(id), time::now_ms() - time::parse(c.get(id).created_at)]"#)
            .await;
    let (id, document, age_ms) = (&got[0], &got[1], got[2].as_i64().expect("ms"));
    assert_eq!(document["id"], *id);
    assert_eq!(document["data"], json!({ "n": 1 }));
    assert_eq!(
        document.as_object().expect("a map").keys().collect::<Vec<_>>(),
        ["created_at", "data", "id", "revision", "updated_at"]
    );
    assert_eq!(document["created_at"], document["updated_at"]);
    assert!((0..60_000).contains(&age_ms), "{document}");
    assert!(document["revision"].as_i64().expect("an integer") > 0);
    let id: uuid::Uuid = id.as_str().expect("a string").parse().expect("a UUID");
    assert_eq!(id.get_version_num(), 7);
}

#[tokio::test]
async fn what_is_stored_is_what_is_read() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let got = value(
        &shop,
        r#"let values = [
               1, -1, 0, 9223372036854775807, -9223372036854775807 - 1, 9007199254740993,
               1.0, -1.5, 0.0, -0.0, 0.1, 1e16, 1e22, 1e300, -1e300, 5e-324, 1.7976931348623157e308, 1.0e-7, 123456789.123456789,
               true, false, (), "", "grün 🦀 \\ \" \n \u0001", "0.00", [], [1, [2.0, ()]], #{}, #{ "b c": #{ "": [] }, "$x": 1, "a.b": 2 },
           ];
           let odd = [];
           for value in values {
               let id = c.create(#{ v: value });
               let by_create = c.get(id).data.v;
               c.update(id, #{ v: value });
               c.patch(id, #{ other: value });
               let by_patch = c.get(id).data.v;
               for got in [by_create, by_patch, c.find_one(#{ "$sort": "-$id" }).data.v] {
                   if type_of(got) != type_of(value) || json::stringify(got) != json::stringify(value) { odd.push([value, got]); }
               }
           }
           odd"#,
    )
    .await;
    assert_eq!(got, json!([]));
}

#[tokio::test]
async fn an_id_may_be_given_and_is_taken_once() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    assert_eq!(value(&shop, r#"[c.create(#{ n: 1 }, #{ id: "ada" }), c.get("ada").data]"#).await, json!(["ada", { "n": 1 }]));
    let taken = caught(&shop, r#"c.create(#{ n: 2 }, #{ id: "ada" })"#).await;
    assert_eq!(taken, json!({ "code": "conflict", "message": "there is already a document with the id ada" }));
    assert_eq!(value(&shop, r#"[c.get("ada").data.n, c.count()]"#).await, json!([1, 1]));
}

#[tokio::test]
async fn what_is_not_there_is_unit_or_false() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let got = value(
        &shop,
        r#"[c.get("x"), c.update("x", #{}), c.patch("x", #{}), c.delete("x"), c.find_one(#{}), c.count(), c.find(#{}), c.list()]"#,
    )
    .await;
    let empty = json!({ "items": [], "cursor": null });
    assert_eq!(got, json!([null, null, null, false, null, 0, empty, empty]));
}

#[tokio::test]
async fn update_replaces_and_answers_the_next_revision() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let got = value(
        &shop,
        r#"let id = c.create(#{ a: 1, b: 2 }); let first = c.get(id);
           let revision = c.update(id, #{ b: 3 }); let second = c.get(id);
           [revision - first.revision, second.revision == revision, second.data, second.created_at == first.created_at,
            second.updated_at >= first.updated_at]"#,
    )
    .await;
    assert_eq!(got, json!([1, true, { "b": 3 }, true, true]));
}

#[tokio::test]
async fn patch_merges_as_the_rfc_says() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let got = value(
        &shop,
        r#"let id = c.create(#{ title: "Goodbye!", author: #{ given: "John", family: "Doe" }, tags: ["example", "sample"], content: "unchanged" });
           let before = c.get(id).revision;
           let revision = c.patch(id, #{ title: "Hello!", phone: "+01", author: #{ family: () }, tags: ["example"] });
           [revision - before, c.get(id).data]"#,
    )
    .await;
    let merged =
        json!({ "title": "Hello!", "author": { "given": "John" }, "tags": ["example"], "content": "unchanged", "phone": "+01" });
    assert_eq!(got, json!([1, merged]));
}

#[tokio::test]
async fn patches_at_once_lose_nothing() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.run(r#"docs::collection("c").create(#{}, #{ id: "d" })"#).await.expect(200);
    shop.deploy("/patch/:k", r#"let change = #{}; change[ctx.request.params.k] = 1; docs::collection("c").patch("d", change)"#)
        .await;
    let calls: Vec<_> = (0..32)
        .map(|i| {
            let shop = shop.clone();
            tokio::spawn(async move { shop.get(&format!("/patch/k{i}")).await.expect(200) })
        })
        .collect();
    for call in calls {
        call.await.expect("a call");
    }
    assert_eq!(value(&shop, r#"c.get("d").data.len()"#).await, 32);
}

#[tokio::test]
async fn a_revision_that_is_not_the_documents_is_a_conflict_and_nothing_is_done() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let got = value(
        &shop,
        r#"let id = c.create(#{ n: 1 }, #{ id: "d" });
           let old = c.get(id).revision;
           let next = c.update(id, #{ n: 2 }, #{ if_revision: old });
           let last = c.patch(id, #{ n: 3 }, #{ if_revision: next });
           let codes = [];
           try { c.update(id, #{ n: 9 }, #{ if_revision: next }); } catch (e) { codes.push(e.code); }
           try { c.patch(id, #{ n: 9 }, #{ if_revision: old }); } catch (e) { codes.push(e.code); }
           try { c.delete(id, #{ if_revision: 0 }); } catch (e) { codes.push(e.code); }
           [codes, c.get(id).data.n, c.get(id).revision == last, c.delete(id, #{ if_revision: last }), c.get(id)]"#,
    )
    .await;
    assert_eq!(got, json!([["conflict", "conflict", "conflict"], 3, true, true, null]));
    for call in [r#"c.update("none", #{}, R)"#, r#"c.patch("none", #{}, R)"#, r#"c.delete("none", R)"#] {
        let gone = caught(&shop, &call.replace('R', "#{ if_revision: 1 }")).await;
        assert_eq!(
            gone,
            json!({ "code": "conflict", "message": "there is no such document, and so none of revision 1" }),
            "{call}"
        );
    }
}

#[tokio::test]
async fn a_revision_does_not_come_again_with_the_id() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let got = value(
        &shop,
        r#"c.create(#{}, #{ id: "d" }); let first = c.get("d").revision; c.delete("d");
           c.create(#{}, #{ id: "d" }); c.get("d").revision > first"#,
    )
    .await;
    assert_eq!(got, true);
}

#[tokio::test]
async fn list_is_in_the_order_of_ids() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let got = value(
        &shop,
        r#"for id in ["b", "a", "B", "é", "10", "9"] { c.create(#{}, #{ id: id }); }
           let ids = |page| page.items.map(|document| document.id);
           let first = c.list(#{ limit: 4 });
           let second = c.list(#{ limit: 4, cursor: first.cursor });
           [ids.call(first), ids.call(second), second.cursor, ids.call(c.find(#{ "$sort": "-$id", "$limit": 2 }))]"#,
    )
    .await;
    assert_eq!(got, json!([["10", "9", "B", "a"], ["b", "é"], null, ["é", "b"]]));
}

#[tokio::test]
async fn cursors_walk_every_match_once_while_documents_come_and_go() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let got = value(
        &shop,
        r#"let values = [(), "b", 3, 1.5, true, "a", [1], #{}, -2, false];
           for i in 0..40 { let data = #{ i: i }; if i % 11 > 0 { data.v = values[i % 10]; } c.create(data, #{ id: `d${i}` }); }
           let seen = []; let cursor = (); let n = 0;
           loop {
               let page = c.find(#{ "$sort": ["-v", "i"] }, #{ cursor: cursor, limit: 7 });
               for document in page.items { if document.data.i >= 0 { seen.push(document.id); } }
               cursor = page.cursor;
               if cursor == () { break; }
               // What comes and goes meanwhile, the very document that the cursor stands on included.
               c.create(#{ i: -1, v: values[n % 10] }); n += 1;
               c.delete(page.items[page.items.len() - 1].id);
           }
           let unique = #{}; for id in seen { unique[id] = true; }
           [seen.len(), unique.len()]"#,
    )
    .await;
    assert_eq!(got, json!([40, 40]));
}

#[tokio::test]
async fn values_are_ordered_across_types() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let got = value(
        &shop,
        r#"let values = [#{ a: 1 }, "b", 10, (), [0], true, 9.5, "B", false, "10", 9];
           let n = 0;
           for value in values { c.create(#{ v: value }, #{ id: `${n}` }); n += 1; }
           c.create(#{}, #{ id: "missing" });
           let show = |document| if "v" in document.data { document.data.v } else { "missing" };
           [c.find(#{ "$sort": "v" }).items.map(show), c.find(#{ "$sort": #{ v: -1 } }).items.map(show)]"#,
    )
    .await;
    let up = json!(["missing", null, false, true, 9, 9.5, 10, "10", "B", "b", [0], { "a": 1 }]);
    let down: Vec<Value> = up.as_array().expect("values").iter().rev().cloned().collect();
    assert_eq!(got, json!([up, down]));
}

#[tokio::test]
async fn a_foreign_cursor_is_an_invalid_argument() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    value(&shop, r#"for i in 0..3 { c.create(#{ i: i }); } c.count()"#).await;
    for cursor in [
        r#""""#,
        r#""x""#,
        r#""7b7d""#,
        r#""é""#,
        r#"c.list(#{ limit: 1 }).cursor + "00""#,
        r#"c.find(#{ "$sort": "j" }, #{ limit: 1 }).cursor"#,
    ] {
        let refused = caught(&shop, &format!(r#"c.find(#{{ "$sort": "i" }}, #{{ cursor: {cursor} }})"#)).await;
        assert_eq!(refused["code"], "invalid_argument", "{cursor}: {refused}");
    }
}

#[tokio::test]
async fn failures_say_what_is_wrong_and_where() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    for (call, message) in [
        (r#"c.create(#{ a: #{ b: ["x\x00"] } })"#, "data.a.b[0] contains the character NUL"),
        (r#"c.create(#{ a: Fn("f") })"#, "data cannot be sent: a value of type Fn has no JSON form"),
        (r#"c.create(#{}, #{ id: "" })"#, "id must not be empty"),
        (r#"c.create(#{}, #{ id: "a\x00" })"#, "id must not contain the character NUL"),
        (r#"c.create(#{}, #{ ID: "a" })"#, "unknown option `ID`: known are id"),
        (r#"c.create(#{}, #{ id: 1 })"#, "`id` is i64: it must be a string"),
        (r#"c.get("")"#, "id must not be empty"),
        (r#"c.update("a", #{}, #{ if_revision: "1" })"#, "`if_revision` is string: it must be an integer"),
        (r#"c.patch("a", #{}, #{ revision: 1 })"#, "unknown option `revision`: known are if_revision"),
        (r#"c.find(#{ age: #{ "$above": 1 } })"#, "filter.age.$above there is no operator `$above`: known are $eq"),
        (r#"c.find(#{ "$sort": "a" }, #{ sort: "a" })"#, "unknown option `sort`: known are cursor, limit"),
        (r#"c.find(#{ "$limit": 1 }, #{ limit: 1 })"#, "limit and $limit are the same"),
        (r#"c.find(#{ "$limit": 0 })"#, "limit is 0; 1 to 1000 are allowed"),
        (r#"c.find(#{}, #{ limit: -1 })"#, "limit is 0; 1 to 1000 are allowed"),
        (r#"c.find_one(#{ "$limit": 1 })"#, "filter.$limit has no meaning here"),
        (r#"c.count(#{ "$sort": "a" })"#, "filter.$sort and filter.$limit have no meaning here"),
        (r#"c.list(#{ prefix: "a" })"#, "unknown option `prefix`: known are cursor, limit"),
        (r#"docs::collection("").list()"#, "collection must not be empty"),
        (r#"docs::collection("a\x00b").find(#{})"#, "collection must not contain the character NUL"),
    ] {
        let refused = caught(&shop, call).await;
        assert_eq!(refused["code"], "invalid_argument", "{call}: {refused}");
        assert!(refused["message"].as_str().is_some_and(|text| text.starts_with(message)), "{call}: {refused}");
    }
    assert_eq!(value(&shop, "c.count()").await, 0, "nothing was done");
}

#[tokio::test]
async fn two_apps_never_see_each_other() {
    let app = TestApp::start().await;
    let (one, two) = (app.create_app("one").await, app.create_app("two").await);
    value(&one, r#"c.create(#{ owner: "one", secret: 1 }, #{ id: "d" })"#).await;
    let seen = value(
        &two,
        r#"[c.get("d"), c.update("d", #{}), c.patch("d", #{}), c.delete("d"), c.find(#{ owner: "one" }).items, c.find_one(#{}),
            c.count(#{ "$not": #{ owner: "two" } }), c.list().items, c.create(#{ owner: "two" }, #{ id: "d" })]"#,
    )
    .await;
    assert_eq!(seen, json!([null, null, null, false, [], null, 0, [], "d"]));
    // A cursor is a place in an order: it leads nowhere else.
    value(&one, r#"c.create(#{ owner: "one" }, #{ id: "e" })"#).await;
    let cursor = value(&one, "c.list(#{ limit: 1 }).cursor").await;
    let after = value(&two, &format!(r#"c.list(#{{ cursor: "{}" }}).items"#, cursor.as_str().expect("a cursor"))).await;
    assert_eq!(after, json!([]));
    assert_eq!(value(&one, r#"[c.get("d").data.owner, c.count()]"#).await, json!(["one", 2]));
}

#[tokio::test]
async fn collections_are_apart_also_where_names_run_together() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let got = shop
        .value(
            r#"docs::collection("a").create(#{ b: 1 }, #{ id: "x" }); docs::collection("ab").create(#{ b: 1 }, #{ id: "y" });
               let ids = |name| docs::collection(name).find(#{ b: 1 }).items.map(|document| document.id);
               [ids.call("a"), ids.call("ab"), ids.call("A")]"#,
        )
        .await;
    assert_eq!(got, json!([["x"], ["y"], []]));
}

#[tokio::test]
async fn documents_go_with_their_app() {
    let app = TestApp::start().await;
    let one = app.create_app("one").await;
    value(&one, r#"c.create(#{}, #{ id: "d" })"#).await;
    app.delete("/admin/apps/one?force=true").await.expect(204);
    let again = app.create_app("one").await;
    assert_eq!(value(&again, r#"[c.get("d"), c.count()]"#).await, json!([null, 0]));
    let mut db = app.database.connect().await;
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM documents").fetch_one(&mut db).await.expect("a count");
    assert_eq!(rows, 0);
}

#[tokio::test]
async fn a_search_that_takes_too_long_times_out() {
    let app = TestApp::start().await;
    let id = app.create_app("shop").await.id.parse().expect("an id");
    let mut other = app.database.connect().await;
    run(&mut other, "BEGIN; LOCK TABLE documents").await;
    let options: sqlx::postgres::PgConnectOptions = app.database.url().parse().expect("a database URL");
    let db = sqlx::PgPool::connect_with(options.options([("statement_timeout", "1")])).await.expect("the database answers");
    let db = picloud::store::ScriptDb::of(db);
    use picloud::service::docs;
    for failed in [
        docs::find(&db, id, "c", b"{}", None, None).await.expect_err("locked"),
        docs::find_one(&db, id, "c", b"{}").await.expect_err("locked"),
        docs::count(&db, id, "c", b"{}").await.expect_err("locked"),
        docs::list(&db, id, "c", None, 1).await.expect_err("locked"),
    ] {
        assert_eq!(failed.code, "timed_out", "{failed:?}");
    }
}

#[tokio::test]
async fn a_write_answers_the_service_what_was_there_before() {
    let app = TestApp::start().await;
    let id = app.create_app("shop").await.id.parse().expect("an id");
    let (s, origin) = (&*app.services, crate::support::events::origin());
    use picloud::service::docs;
    let made = docs::create(s, id, origin, "c", Some("d".into()), br#"{"n":1}"#).await.expect("made");
    let changed = docs::update(s, id, origin, "c", "d", br#"{"n":2}"#, None).await.expect("done").expect("there");
    assert_eq!((changed.before.data, changed.before.revision), (made.data, made.revision));
    let patched = docs::patch(s, id, origin, "c", "d", br#"{"m":-0.0}"#, None).await.expect("done").expect("there");
    assert_eq!((patched.before.data.as_str(), patched.before.revision), (changed.after.data.as_str(), changed.after.revision));
    assert_eq!(patched.after.data, r#"{"m":-0.0,"n":2}"#);
    let deleted = docs::delete(s, id, origin, "c", "d", None).await.expect("done").expect("there");
    assert_eq!((deleted.data, deleted.revision), (patched.after.data, patched.after.revision));
}
