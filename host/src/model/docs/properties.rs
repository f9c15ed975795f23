//! What holds for any filter, any value and any cursor.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        proptest::num::f64::NORMAL.prop_map(Value::from),
        proptest::num::f64::SUBNORMAL.prop_map(Value::from),
        Just(json!(-0.0)),
        "[ -~\\PC\"\\\\]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-c0-9. \"\\\\]{0,4}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// JSON of the words that filters are made of, put together in any way.
fn nearly_a_filter() -> impl Strategy<Value = Value> {
    let word = prop::sample::select(vec![
        "$and", "$or", "$not", "$eq", "$ne", "$gt", "$in", "$nin", "$exists", "$sort", "$limit", "$id", "$", "a", "a.b", "", "-a",
    ]);
    let leaf = prop_oneof![value(), word.clone().prop_map(Value::from)];
    leaf.prop_recursive(10, 64, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((word.clone(), inner), 0..4)
                .prop_map(|pairs| Value::Object(pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())),
        ]
    })
}

/// Whether a filter's bounds hold inside it.
fn bounded(filter: &Filter, depth: usize) -> usize {
    assert!(depth <= 4 * limits::DOCS_FILTER_DEPTH_MAX);
    match filter {
        Filter::All(parts) | Filter::Any(parts) => parts.iter().map(|part| bounded(part, depth + 1)).sum(),
        Filter::Not(inner) => bounded(inner, depth + 1),
        Filter::Holds(path, _) => {
            assert!((1..=limits::DOCS_PATH_STEPS_MAX).contains(&path.steps().len()));
            1
        }
    }
}

proptest! {
    #[test]
    fn reading_a_filter_answers_or_refuses(value in nearly_a_filter()) {
        match Find::read(value.to_string().as_bytes()) {
            Ok(find) => prop_assert!(bounded(&find.filter, 1) <= limits::DOCS_FILTER_TESTS_MAX),
            Err(refused) => prop_assert_eq!(refused.code, "invalid"),
        }
    }

    #[test]
    fn reading_any_bytes_answers_or_refuses(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = (Find::read(&bytes), Data::read(&bytes), Patch::read(&bytes));
        let _ = Sort::by_id().read_cursor(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn what_is_stored_is_what_is_shown(value in value()) {
        let text = exact(&value);
        let shown = shown(&text);
        let read: Value = serde_json::from_str(&shown).unwrap();
        // As text, because -0.0 == 0.0.
        prop_assert_eq!(read.to_string(), value.to_string());
    }

    #[test]
    fn a_patch_applied_twice_is_a_patch_applied_once(target in value(), patch in value()) {
        let once = merge(target, patch.clone());
        prop_assert_eq!(merge(once.clone(), patch), once);
    }

    #[test]
    fn a_merged_map_holds_what_the_patch_names_and_keeps_the_rest(
        target in prop::collection::btree_map("[a-d]", value(), 0..4),
        patch in prop::collection::btree_map("[a-d]", value(), 0..4),
    ) {
        let map = |map: &std::collections::BTreeMap<String, Value>| Value::Object(map.clone().into_iter().collect());
        let merged = merge(map(&target), map(&patch));
        for key in ["a", "b", "c", "d"] {
            match patch.get(key) {
                None => prop_assert_eq!(merged.get(key), target.get(key)),
                Some(Value::Null) => prop_assert_eq!(merged.get(key), None),
                Some(change) if !change.is_object() => prop_assert_eq!(merged.get(key), Some(change)),
                Some(_) => prop_assert!(merged[key].is_object()),
            }
        }
    }
}
