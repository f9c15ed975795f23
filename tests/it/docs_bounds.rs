//! Every bound of `docs` at N and at N + 1, as scripts meet it. Bounds inside a filter are also tested where it is read.

use picloud::limits;
use serde_json::{Value, json};

use crate::support::{Tenant, TestApp};

/// A Rhai expression for a string of `n` bytes, cheap in fuel.
fn text(n: usize) -> String {
    format!(r#"{{ let s = ""; s.pad({n}, 'x'); s }}"#)
}

async fn accepted(shop: &Tenant, call: &str) {
    let error = shop.caught(&format!(r#"let c = docs::collection("c"); {call}"#)).await;
    assert_eq!(error, Value::Null, "{call}");
}

async fn refused(shop: &Tenant, call: &str) {
    let error = shop.caught(&format!(r#"let c = docs::collection("c"); {call}"#)).await;
    assert_eq!(error["code"], "invalid_argument", "{call}: {error}");
}

#[tokio::test]
async fn names_and_ids() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let (collection, id) = (limits::COLLECTION_NAME_BYTES_MAX, limits::DOCS_ID_BYTES_MAX);
    assert_eq!((collection, id), (128, 128));
    for call in ["get(ID)", "update(ID, #{})", "patch(ID, #{})", "delete(ID)", "create(#{}, #{ id: ID })"] {
        accepted(&shop, &format!("c.{}", call.replace("ID", &text(id)))).await;
        refused(&shop, &format!("c.{}", call.replace("ID", &text(id + 1)))).await;
    }
    for call in [
        r#"get("k")"#,
        r#"update("k", #{})"#,
        r#"patch("k", #{})"#,
        r#"delete("k")"#,
        "create(#{})",
        "find(#{})",
        "find_one(#{})",
        "count()",
        "list()",
    ] {
        accepted(&shop, &format!("docs::collection({}).{call}", text(collection))).await;
        refused(&shop, &format!("docs::collection({}).{call}", text(collection + 1))).await;
    }
}

#[tokio::test]
async fn data_and_what_patches_make_of_it() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let n = limits::DOCS_DATA_BYTES_MAX;
    assert_eq!(n, 256 << 10);
    // {"a":"…"}
    let sized = |n: usize| format!("#{{ a: {} }}", text(n - 8));
    accepted(&shop, &format!(r#"c.create({}, #{{ id: "d" }})"#, sized(n))).await;
    refused(&shop, &format!("c.create({})", sized(n + 1))).await;
    accepted(&shop, &format!(r#"c.update("d", {})"#, sized(n))).await;
    refused(&shop, &format!(r#"c.update("d", {})"#, sized(n + 1))).await;
    accepted(&shop, &format!(r#"c.patch("d", {})"#, sized(n))).await;
    refused(&shop, &format!(r#"c.patch("d", {})"#, sized(n + 1))).await;
    refused(&shop, r#"c.patch("d", #{ b: 1 })"#).await;
    let got = shop.value(r#"let d = docs::collection("c").get("d").data; [d.len(), d.a.len()]"#).await;
    assert_eq!(got, json!([1, n - 8]), "the refused writes changed nothing");
    // A float counts as it is written out.
    let floats = |n: usize| format!("let a = []; a.pad({n}, 1e300); c.create(#{{ a: a }})");
    accepted(&shop, &floats(n / 304)).await;
    refused(&shop, &floats(n / 303)).await;
}

#[tokio::test]
async fn depth_of_data() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let n = limits::DOCS_DEPTH_MAX;
    assert_eq!(n, 32);
    let deep = |n: usize| format!("let data = #{{}}; for i in 1..{n} {{ data = #{{ a: data }}; }} c.create(data)");
    accepted(&shop, &deep(n)).await;
    refused(&shop, &deep(n + 1)).await;
}

#[tokio::test]
async fn filters() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let many = |values: usize, inner: &str| format!("let a = []; for i in 0..{values} {{ a.push({inner}); }} c.find(FILTER)");
    let tests = |n: usize| many(n, "#{ a: i }").replace("FILTER", r#"#{ "$or": a }"#);
    accepted(&shop, &tests(limits::DOCS_FILTER_TESTS_MAX)).await;
    refused(&shop, &tests(limits::DOCS_FILTER_TESTS_MAX + 1)).await;
    let values = |n: usize| many(n, "i").replace("FILTER", r#"#{ a: #{ "$in": a } }"#);
    accepted(&shop, &values(limits::DOCS_IN_VALUES_MAX)).await;
    refused(&shop, &values(limits::DOCS_IN_VALUES_MAX + 1)).await;
    let together = |n: usize| {
        format!(
            r#"let a = []; a.pad(10, #{{ v: #{{ "$in": [] }} }}); for i in 0..{n} {{ a[i / 100].v["$in"].push(i); }} c.count(#{{ "$and": a }})"#
        )
    };
    accepted(&shop, &together(limits::DOCS_FILTER_VALUES_MAX)).await;
    let together = together(limits::DOCS_FILTER_VALUES_MAX).replace(r#""$and": a"#, r#""$and": a, w: 1"#);
    refused(&shop, &together).await;
    let keys = |n: usize| many(n, "`k${i}`").replace("FILTER", r#"#{ "$sort": a }"#);
    accepted(&shop, &keys(limits::DOCS_SORT_KEYS_MAX)).await;
    refused(&shop, &keys(limits::DOCS_SORT_KEYS_MAX + 1)).await;
    let depth = |n: usize| format!(r#"let f = #{{ a: 1 }}; for i in 1..{n} {{ f = #{{ "$not": f }}; }} c.count(f)"#);
    accepted(&shop, &depth(limits::DOCS_FILTER_DEPTH_MAX)).await;
    refused(&shop, &depth(limits::DOCS_FILTER_DEPTH_MAX + 1)).await;
    let bytes = |n: usize| format!("c.find_one(#{{ a: {} }})", text(n - 8));
    accepted(&shop, &bytes(limits::DOCS_FILTER_BYTES_MAX)).await;
    refused(&shop, &bytes(limits::DOCS_FILTER_BYTES_MAX + 1)).await;
    let steps = |n: usize| format!(r#"c.find(#{{ "{}": 1 }})"#, vec!["a"; n].join("."));
    accepted(&shop, &steps(limits::DOCS_PATH_STEPS_MAX)).await;
    refused(&shop, &steps(limits::DOCS_PATH_STEPS_MAX + 1)).await;
    let step = |n: usize| format!(r#"c.find(#{{ "{}": 1 }})"#, "a".repeat(n));
    accepted(&shop, &step(limits::DOCS_PATH_STEP_BYTES_MAX)).await;
    refused(&shop, &step(limits::DOCS_PATH_STEP_BYTES_MAX + 1)).await;
}

#[tokio::test]
async fn pages() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let (n, default) = (limits::DOCS_PAGE_ITEMS_MAX, limits::DOCS_PAGE_ITEMS_DEFAULT);
    for call in ["c.list(#{ limit: N })", "c.find(#{}, #{ limit: N })", r#"c.find(#{ "$limit": N })"#] {
        accepted(&shop, &call.replace('N', &n.to_string())).await;
        refused(&shop, &call.replace('N', &(n + 1).to_string())).await;
        refused(&shop, &call.replace('N', "0")).await;
    }
    shop.run(&format!(r#"let c = docs::collection("many"); for i in 0..={default} {{ c.create(#{{}}); }}"#)).await.expect(200);
    let got = shop
        .value(&format!(
            r#"let c = docs::collection("many");
               [c.list(), c.find(#{{}}), c.list(#{{ limit: {} }}), c.find(#{{ "$limit": {} }})].map(|page| page.items.len())"#,
            default + 1,
            default + 1
        ))
        .await;
    assert_eq!(got, json!([default, default, default + 1, default + 1]));
}

#[tokio::test]
async fn a_page_ends_at_its_bytes_and_still_walks_everything() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let fitting = limits::DOCS_PAGE_BYTES_MAX / limits::DOCS_DATA_BYTES_MAX;
    shop.run(&format!(
        r#"let c = docs::collection("big"); let s = ""; s.pad({}, 'x'); for i in 0..{} {{ c.create(#{{ a: s }}); }}"#,
        limits::DOCS_DATA_BYTES_MAX - 8,
        fitting + 2
    ))
    .await
    .expect(200);
    let got = shop
        .value(
            r#"let c = docs::collection("big"); let a = c.list(); let b = c.list(#{ cursor: a.cursor });
               let f = c.find(#{ "$sort": "-a" }); [a.items.len(), b.items.len(), b.cursor, f.items.len()]"#,
        )
        .await;
    assert_eq!(got, json!([fitting, 2, null, fitting]));
}

#[tokio::test]
async fn a_cursor_too_long_is_refused_before_it_is_read() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    refused(&shop, &format!("c.list(#{{ cursor: {} }})", text(limits::DOCS_CURSOR_BYTES_MAX + 1))).await;
}
