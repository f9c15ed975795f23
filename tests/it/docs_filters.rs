//! What filters of `docs` match: by example, and against a second opinion on random filters and documents.

use std::cmp::Ordering;

use picloud::id::AppId;
use picloud::service::docs;
use picloud::store::ScriptDb;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};
use sqlx::PgPool;

use crate::support::TestApp;

/// A collection in an app of its own, without a sandbox in between.
struct Collection {
    db: ScriptDb,
    app: AppId,
    node: TestApp,
}

impl Collection {
    async fn start() -> Self {
        let node = TestApp::start().await;
        let app = node.create_app("shop").await.id.parse().expect("an id");
        let db = ScriptDb::of(PgPool::connect(&node.database.url()).await.expect("the database answers"));
        Self { db, app, node }
    }

    async fn put(&self, id: &str, data: &Value) {
        let (s, origin, data) = (&self.node.services, crate::support::events::origin(), data.to_string());
        docs::create(s, self.app, origin, "c", Some(id.to_owned()), data.as_bytes()).await.expect("a document");
    }

    /// Ids of what a filter matches, page by page.
    async fn walk(&self, filter: &Value, limit: u32) -> Vec<String> {
        let (mut ids, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let page = docs::find(&self.db, self.app, "c", filter.to_string().as_bytes(), cursor.as_deref(), Some(limit)).await;
            let page = page.unwrap_or_else(|error| panic!("{filter}: {error:?}"));
            assert!(page.items.len() <= limit as usize);
            ids.extend(page.items.into_iter().map(|document| document.id));
            cursor = page.cursor;
            if cursor.is_none() {
                return ids;
            }
        }
    }
}

#[tokio::test]
async fn filters_match_what_the_reference_says() {
    let c = Collection::start().await;
    for (id, data) in [
        ("ada", json!({ "age": 36, "name": "Ada", "tags": ["math", "poetry"], "address": { "city": "London" }, "left": null })),
        ("bob", json!({ "age": 9.5, "name": "bob", "tags": "math", "address": { "city": "Paris" }, "scores": [1, 20] })),
        ("cyd", json!({ "age": "10", "name": "Cyd", "tags": [], "address": "none", "active": true })),
        ("dee", json!({ "age": 36.0, "name": "Dée", "tags": [["math"]], "scores": [5], "active": false, "list": [{ "k": 1 }] })),
    ] {
        c.put(id, &data).await;
    }
    for (filter, expected) in [
        (json!({}), "ada bob cyd dee"),
        // Numbers are numbers, and nothing else is.
        (json!({ "age": 36 }), "ada dee"),
        (json!({ "age": { "$gt": 9 } }), "ada bob dee"),
        (json!({ "age": { "$gt": 9, "$lt": 10 } }), "bob"),
        (json!({ "age": { "$gte": 36 } }), "ada dee"),
        (json!({ "age": { "$lte": "10" } }), "cyd"),
        (json!({ "age": { "$gt": true } }), ""),
        (json!({ "age": { "$in": [36, "10"] } }), "ada cyd dee"),
        (json!({ "age": { "$nin": [36, "10"] } }), "bob"),
        (json!({ "age": { "$in": [] } }), ""),
        // Strings, bytewise.
        (json!({ "name": { "$lt": "D" } }), "ada cyd"),
        (json!({ "name": { "$gte": "D", "$lt": "b" } }), "dee"),
        // Booleans.
        (json!({ "active": { "$gt": false } }), "cyd"),
        (json!({ "active": { "$ne": true } }), "ada bob dee"),
        // Missing and null.
        (json!({ "left": null }), "ada bob cyd dee"),
        (json!({ "left": { "$exists": true } }), "ada"),
        (json!({ "left": { "$exists": true, "$eq": null } }), "ada"),
        (json!({ "active": null }), "ada bob"),
        (json!({ "active": { "$ne": null } }), "cyd dee"),
        (json!({ "active": { "$in": [null, true] } }), "ada bob cyd"),
        (json!({ "scores": { "$exists": false } }), "ada cyd"),
        // Arrays: as a whole, and by element.
        (json!({ "tags": "math" }), "ada bob"),
        (json!({ "tags": ["math"] }), "dee"),
        (json!({ "tags": ["math", "poetry"] }), "ada"),
        (json!({ "tags": ["poetry", "math"] }), ""),
        (json!({ "tags": [] }), "cyd"),
        (json!({ "tags": { "$ne": "math" } }), "cyd dee"),
        (json!({ "scores": { "$gt": 5 } }), "bob"),
        (json!({ "scores": { "$gt": 5, "$lt": 5 } }), "bob"),
        (json!({ "scores.0": 5 }), "dee"),
        (json!({ "scores.-1": 20 }), "bob"),
        (json!({ "list": { "k": 1 } }), "dee"),
        (json!({ "list.0.k": 1 }), "dee"),
        (json!({ "list.k": 1 }), ""),
        // Paths.
        (json!({ "address.city": "London" }), "ada"),
        (json!({ "address.city": { "$exists": false } }), "cyd dee"),
        (json!({ "address": { "city": "Paris" } }), "bob"),
        (json!({ "address": { "$eq": { "city": "Paris" } } }), "bob"),
        // Put together.
        (json!({ "$or": [{ "age": 9.5 }, { "active": true }] }), "bob cyd"),
        (json!({ "$and": [{ "age": 36 }, { "$not": { "tags": "math" } }] }), "dee"),
        (json!({ "$not": { "age": 36 } }), "bob cyd"),
        (json!({ "age": { "$not": { "$gt": 9 } } }), "cyd"),
        (json!({ "age": 36, "active": false }), "dee"),
    ] {
        let found = c.walk(&filter, 100).await.join(" ");
        assert_eq!(found, expected, "{filter}");
        let count = docs::count(&c.db, c.app, "c", filter.to_string().as_bytes()).await.expect("a count");
        assert_eq!(count, expected.split_whitespace().count() as u64, "{filter}");
    }
}

#[tokio::test]
async fn strings_that_begin_alike_are_all_walked() {
    let c = Collection::start().await;
    let long = "é".repeat(picloud::limits::DOCS_SORT_TEXT_CHARS);
    for n in 0..9 {
        c.put(&format!("{n}"), &json!({ "v": format!("{long}{}", 9 - n) })).await;
    }
    // Past the bound they are ties, which the id decides.
    assert_eq!(c.walk(&json!({ "$sort": "v" }), 2).await.concat(), "012345678");
    assert_eq!(c.walk(&json!({ "$sort": ["-v", "-$id"] }), 2).await.concat(), "876543210");
}

// ---- The second opinion -----------------------------------------------------------------------------------------------------

/// What stands at a path, as the reference describes it.
fn at<'a>(data: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(data, |value, step| match value {
        Value::Object(map) => map.get(step),
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        _ => None,
    })
}

fn number_order(a: &Value, b: &Value) -> Option<Ordering> {
    match (a.as_i64(), b.as_i64()) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        // The numbers that are drawn here fit.
        _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
    }
}

fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(_), Value::Number(_)) => number_order(a, b) == Some(Ordering::Equal),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, value)| b.get(key).is_some_and(|other| equal(value, other)))
        }
        _ => a == b,
    }
}

/// The value, and its elements where it is an array.
fn candidates(value: Option<&Value>) -> Vec<&Value> {
    value.into_iter().chain(value.and_then(Value::as_array).into_iter().flatten()).collect()
}

fn equals(found: Option<&Value>, wanted: &Value) -> bool {
    match found {
        None => wanted.is_null(),
        Some(_) => candidates(found).into_iter().any(|value| equal(value, wanted)),
    }
}

fn compares(found: Option<&Value>, wanted: &Value, orders: &[Ordering]) -> bool {
    candidates(found).into_iter().any(|value| {
        let order = match (value, wanted) {
            (Value::Number(_), Value::Number(_)) => number_order(value, wanted),
            (Value::String(a), Value::String(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
            (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
            _ => None,
        };
        order.is_some_and(|order| orders.contains(&order))
    })
}

fn matches(data: &Value, filter: &Map<String, Value>) -> bool {
    let all = |filters: &Value| filters.as_array().expect("filters").iter().all(|f| matches(data, f.as_object().expect("a map")));
    let any = |filters: &Value| filters.as_array().expect("filters").iter().any(|f| matches(data, f.as_object().expect("a map")));
    filter.iter().all(|(key, value)| match key.as_str() {
        "$and" => all(value),
        "$or" => any(value),
        "$not" => !matches(data, value.as_object().expect("a map")),
        "$sort" => true,
        path => operators(at(data, path), value),
    })
}

fn operators(found: Option<&Value>, value: &Value) -> bool {
    let Some(operators_of) = value.as_object().filter(|map| map.keys().any(|key| key.starts_with('$'))) else {
        return equals(found, value);
    };
    operators_of.iter().all(|(operator, value)| match operator.as_str() {
        "$eq" => equals(found, value),
        "$ne" => !equals(found, value),
        "$in" => value.as_array().expect("values").iter().any(|value| equals(found, value)),
        "$nin" => !value.as_array().expect("values").iter().any(|value| equals(found, value)),
        "$gt" => compares(found, value, &[Ordering::Greater]),
        "$gte" => compares(found, value, &[Ordering::Greater, Ordering::Equal]),
        "$lt" => compares(found, value, &[Ordering::Less]),
        "$lte" => compares(found, value, &[Ordering::Less, Ordering::Equal]),
        "$exists" => found.is_some() == (*value == json!(true)),
        "$not" => !operators(found, value),
        other => panic!("{other}"),
    })
}

/// The order of `$sort`, up.
fn sort_order(a: Option<&Value>, b: Option<&Value>) -> Ordering {
    let rank = |value: Option<&Value>| match value {
        None => 0,
        Some(Value::Null) => 1,
        Some(Value::Bool(false)) => 2,
        Some(Value::Bool(true)) => 3,
        Some(Value::Number(_)) => 4,
        Some(Value::String(_)) => 5,
        Some(Value::Array(_)) => 6,
        Some(Value::Object(_)) => 7,
    };
    rank(a).cmp(&rank(b)).then_with(|| match (a, b) {
        (Some(a @ Value::Number(_)), Some(b @ Value::Number(_))) => number_order(a, b).expect("numbers"),
        (Some(Value::String(a)), Some(Value::String(b))) => a.cmp(b),
        _ => Ordering::Equal,
    })
}

fn sorted(documents: &[(String, Value)], keys: &[(String, bool)], id_down: bool) -> Vec<String> {
    let turned = |order: Ordering, down: bool| if down { order.reverse() } else { order };
    let mut documents: Vec<_> = documents.iter().collect();
    documents.sort_by(|(a_id, a), (b_id, b)| {
        let by_keys = keys.iter().map(|(path, down)| turned(sort_order(at(a, path), at(b, path)), *down));
        by_keys.fold(Ordering::Equal, Ordering::then).then_with(|| turned(a_id.cmp(b_id), id_down))
    });
    documents.into_iter().map(|(id, _)| id.clone()).collect()
}

// ---- Chance -----------------------------------------------------------------------------------------------------------------

/// Few values, so that they meet; with the traps among them.
fn scalar() -> impl Strategy<Value = Value> + Clone {
    prop::sample::select(vec![
        json!(null),
        json!(true),
        json!(false),
        json!(0),
        json!(-0.0),
        json!(1),
        json!(1.0),
        json!(9),
        json!(10),
        json!(10.5),
        json!(-3),
        json!(i64::MAX),
        json!(i64::MIN),
        json!(1e300),
        json!(-1e300),
        json!(0.1),
        json!(""),
        json!("a"),
        json!("B"),
        json!("10"),
        json!("é"),
        json!("$v"),
        json!("\u{1}'\"\\"),
        json!("null"),
    ])
}

fn value() -> impl Strategy<Value = Value> + Clone {
    scalar().prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            3 => prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            2 => map_of(inner),
        ]
    })
}

fn map_of(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    prop::collection::btree_map(prop::sample::select(vec!["a", "b", "0", "c d", "'"]), value, 0..3)
        .prop_map(|map| Value::Object(map.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()))
}

fn document() -> impl Strategy<Value = Value> {
    prop::collection::btree_map(prop::sample::select(vec!["a", "b", "c d", "'", "0"]), value(), 0..4)
        .prop_map(|map| Value::Object(map.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()))
}

fn path() -> impl Strategy<Value = String> + Clone {
    prop::sample::select(vec!["a", "b", "a.a", "a.b", "a.0", "b.1", "0", "c d", "'", "a.b.a", "a.0.b", "none", "c d.a"])
        .prop_map(str::to_owned)
}

fn operator() -> impl Strategy<Value = (&'static str, Value)> + Clone {
    let comparable = scalar().prop_filter("comparable", |value| !value.is_null());
    prop_oneof![
        (prop::sample::select(vec!["$eq", "$ne"]), value()),
        (prop::sample::select(vec!["$gt", "$gte", "$lt", "$lte"]), comparable),
        (prop::sample::select(vec!["$in", "$nin"]), prop::collection::vec(value(), 0..3).prop_map(Value::from)),
        (Just("$exists"), any::<bool>().prop_map(Value::from)),
    ]
}

fn filter() -> impl Strategy<Value = Value> {
    let operators = prop::collection::vec(operator(), 1..3)
        .prop_map(|pairs| Value::Object(pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()));
    let test = prop_oneof![
        3 => operators.clone(),
        1 => operators.prop_map(|operators| json!({ "$not": operators })),
        2 => value(),
    ];
    let field = (path(), test).prop_map(|(path, test)| json!({ path: test }));
    field.prop_recursive(3, 12, 3, |inner| {
        let some = prop::collection::vec(inner.clone(), 1..3);
        prop_oneof![
            some.clone().prop_map(|filters| json!({ "$and": filters })),
            some.prop_map(|filters| json!({ "$or": filters })),
            inner.clone().prop_map(|filter| json!({ "$not": filter })),
            (inner.clone(), inner).prop_map(|(mut a, mut b)| {
                a.as_object_mut().expect("a map").append(b.as_object_mut().expect("a map"));
                a
            }),
        ]
    })
}

fn draw<T>(runner: &mut TestRunner, strategy: &impl Strategy<Value = T>) -> T {
    strategy.new_tree(runner).expect("a value").current()
}

#[tokio::test]
async fn the_database_matches_and_orders_as_a_second_opinion_does() {
    let c = Collection::start().await;
    let mut runner = TestRunner::deterministic();
    let documents: Vec<_> = (0..80).map(|n| (format!("{n:03}"), draw(&mut runner, &document()))).collect();
    for (id, data) in &documents {
        c.put(id, data).await;
    }
    let keys = prop::collection::vec((path(), any::<bool>()), 0..4);
    let (mut matched, mut walked) = (0, 0);
    for _ in 0..400 {
        let mut filter = draw(&mut runner, &filter());
        let map = filter.as_object().expect("a map");
        let expected: Vec<_> = documents.iter().filter(|(_, data)| matches(data, map)).cloned().collect();
        let (keys, id_down) = (draw(&mut runner, &keys), draw(&mut runner, &any::<bool>()));
        let names = keys.iter().map(|(path, down)| json!({ path.clone(): if *down { -1 } else { 1 } }));
        filter["$sort"] = names.chain([json!(if id_down { "-$id" } else { "$id" })]).collect();
        let limit = draw(&mut runner, &(1_u32..40));
        assert_eq!(c.walk(&filter, limit).await, sorted(&expected, &keys, id_down), "{filter}");
        matched += usize::from(!expected.is_empty() && expected.len() < documents.len());
        walked += usize::from(expected.len() > limit as usize);
    }
    assert!(matched > 100 && walked > 50, "the draw says something: {matched} filters choose, {walked} walk over pages");
}
