//! Filters, orders, cursors and documents, each read from the whole input as JSON: what is taken keeps its bounds, the SQL made of
//! it depends on its shape alone, and what is stored is what was given.

use picloud::id::AppId;
use picloud::limits;
use picloud::model::docs::{Data, Filter, Find, Key, KeyPlace, Patch, Path, Place, Query, Sort, Test, exact, shown};
use picloud::store::docs::search::{Ground, count_statement, page_statement};
use serde_json::{Value, json};
use sqlx::{Arguments as _, Execute as _, Postgres, QueryBuilder};
use uuid::Uuid;

/// Parameters of one statement: PostgreSQL counts them in 16 bits.
const BINDS_MOST: usize = 65_535;
/// A level of a filter's JSON makes so many levels of what is read from it, at most.
const LEVELS_EACH: usize = 4;

pub fn check(data: &[u8]) {
    documents(data);
    patches(data);
    let (filter, sort) = match Find::read(data) {
        Ok(find) => {
            assert!(data.len() <= limits::DOCS_FILTER_BYTES_MAX);
            bounds(&find.filter);
            (find.filter, find.sort.unwrap_or_else(Sort::by_id))
        }
        Err(refused) => {
            assert_eq!(refused.code, "invalid", "{refused}");
            (Filter::everything(), Sort::by_id())
        }
    };
    assert!(sort.keys.len() <= limits::DOCS_SORT_KEYS_MAX);
    sort.keys.iter().for_each(|key| path_bounds(&key.path));
    statements(&filter, &sort, None);
    cursors(&filter, &sort, data);
}

/// What a filter holds.
#[derive(Default)]
struct Counts {
    tests: usize,
    values: usize,
    depth: usize,
}

fn bounds(filter: &Filter) {
    let mut counts = Counts::default();
    count(filter, 1, &mut counts);
    assert!(counts.tests <= limits::DOCS_FILTER_TESTS_MAX, "{} conditions", counts.tests);
    assert!(counts.values <= limits::DOCS_FILTER_VALUES_MAX, "{} values", counts.values);
    assert!(counts.depth <= LEVELS_EACH * limits::DOCS_FILTER_DEPTH_MAX, "{} levels", counts.depth);
}

fn count(filter: &Filter, depth: usize, counts: &mut Counts) {
    counts.depth = counts.depth.max(depth);
    match filter {
        Filter::All(parts) | Filter::Any(parts) => parts.iter().for_each(|part| count(part, depth + 1, counts)),
        Filter::Not(inner) => count(inner, depth + 1, counts),
        Filter::Holds(path, test) => {
            counts.tests += 1;
            path_bounds(path);
            match test {
                Test::OneOf(values) => {
                    assert!(values.len() <= limits::DOCS_IN_VALUES_MAX);
                    counts.values += values.len();
                    values.iter().for_each(|value| value_bounds(value, 1));
                }
                Test::Compare(_, value) => {
                    assert!(value.is_number() || value.is_string() || value.is_boolean(), "{value}");
                    value_bounds(value, 1);
                }
                Test::Exists => {}
            }
        }
    }
}

fn path_bounds(path: &Path) {
    assert!((1..=limits::DOCS_PATH_STEPS_MAX).contains(&path.steps().len()), "{path}");
    for step in path.steps() {
        assert!((1..=limits::DOCS_PATH_STEP_BYTES_MAX).contains(&step.len()) && !step.contains(['\0', '.']), "{path}");
    }
}

/// What jsonb can keep: bounded nesting, no NUL, numbers of 64 bits.
fn value_bounds(value: &Value, depth: usize) {
    match value {
        Value::Object(map) => {
            assert!(depth <= limits::DOCS_DEPTH_MAX, "nested {depth} deep");
            for (key, value) in map {
                assert!(!key.contains('\0'));
                value_bounds(value, depth + 1);
            }
        }
        Value::Array(items) => {
            assert!(depth <= limits::DOCS_DEPTH_MAX, "nested {depth} deep");
            items.iter().for_each(|item| value_bounds(item, depth + 1));
        }
        Value::String(text) => assert!(!text.contains('\0')),
        Value::Number(number) => assert!(number.is_i64() || number.is_f64(), "{number}"),
        Value::Null | Value::Bool(_) => {}
    }
}

/// The statements of a search have one placeholder for each bound value, in order, and are the same text for any other search of
/// the same shape: no byte of what came from outside is in it.
fn statements(filter: &Filter, sort: &Sort, after: Option<&Place>) {
    let mark = "zq'\"\\;--";
    let (own, other) =
        (Ground { app: AppId(Uuid::max()), collection: mark }, Ground { app: AppId(Uuid::nil()), collection: "c" });
    let shape = masked(filter);
    let query = Query { filter: filter.clone(), sort: sort.clone(), after: after.cloned(), limit: 10 };
    let shape_query = Query { filter: shape.clone(), sort: masked_sort(sort), after: after.map(masked_place), limit: 1_000 };
    let page = text_of(page_statement(own, &query, 11, 1 << 20));
    assert_eq!(page, text_of(page_statement(other, &shape_query, 2, 7)));
    let count = text_of(count_statement(own, filter));
    assert_eq!(count, text_of(count_statement(other, &shape)));
}

/// The text, and that it is well formed as far as a parser is not needed for.
fn text_of(mut statement: QueryBuilder<Postgres>) -> String {
    let text = statement.sql().as_str().to_owned();
    let mut query = statement.build();
    let binds = query.take_arguments().expect("values that can be bound").map_or(0, |arguments| arguments.len());
    assert!(binds <= BINDS_MOST, "{binds} values are bound");
    assert!(text.is_ascii() && !["--", "/*", ";", "\\", "\0"].iter().any(|bad| text.contains(bad)), "{text}");
    assert!(text.matches('\'').count() % 2 == 0 && text.matches('(').count() == text.matches(')').count(), "{text}");
    let number = |piece: &str| piece.chars().take_while(char::is_ascii_digit).collect::<String>().parse::<usize>().ok();
    let placeholders: Vec<usize> = text.split('$').skip(1).filter_map(number).collect();
    assert!(placeholders.iter().copied().eq(1..=binds), "{binds} values for {text}");
    text
}

fn masked(filter: &Filter) -> Filter {
    match filter {
        Filter::All(parts) => Filter::All(parts.iter().map(masked).collect()),
        Filter::Any(parts) => Filter::Any(parts.iter().map(masked).collect()),
        Filter::Not(inner) => Filter::Not(Box::new(masked(inner))),
        Filter::Holds(path, test) => {
            let test = match test {
                Test::OneOf(values) => Test::OneOf(values.iter().map(masked_value).collect()),
                Test::Compare(comparison, value) => Test::Compare(*comparison, masked_value(value)),
                Test::Exists => Test::Exists,
            };
            Filter::Holds(masked_path(path), test)
        }
    }
}

/// Whether a step may be an index decides which question is asked.
fn masked_path(path: &Path) -> Path {
    let step = if path.may_index() { "0" } else { "s" };
    Path::read("", &vec![step; path.steps().len()].join(".")).expect("a path")
}

fn masked_value(value: &Value) -> Value {
    match value {
        Value::Null => Value::Null,
        Value::Bool(_) | Value::Number(_) | Value::String(_) => json!("v"),
        Value::Array(_) | Value::Object(_) => json!({}),
    }
}

fn masked_sort(sort: &Sort) -> Sort {
    let key = |key: &Key| Key { path: masked_path(&key.path), direction: key.direction };
    Sort { keys: sort.keys.iter().map(key).collect(), id: sort.id }
}

fn masked_place(place: &Place) -> Place {
    let key = KeyPlace { rank: 0, number: "0".to_owned(), text: String::new() };
    Place { keys: vec![key; place.keys.len()], id: "i".to_owned() }
}

/// The input as a cursor; and, where it is JSON, as what a cursor of this order would hold.
fn cursors(filter: &Filter, sort: &Sort, data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        read_back(filter, sort, text);
    }
    if let Ok(Value::Object(mut forged)) = serde_json::from_slice(data) {
        let none = sort.cursor(&Place { keys: Vec::new(), id: "i".to_owned() });
        let none: Value = serde_json::from_slice(&unhex(&none)).expect("a cursor is JSON");
        forged.insert("s".to_owned(), none["s"].clone());
        forged.remove("$sort");
        read_back(filter, sort, &hex(&serde_json::to_vec(&forged).expect("JSON")));
    }
}

fn read_back(filter: &Filter, sort: &Sort, cursor: &str) {
    let Ok(place) = sort.read_cursor(cursor) else { return };
    assert!(cursor.len() <= limits::DOCS_CURSOR_BYTES_MAX);
    assert_eq!(place.keys.len(), sort.keys.len());
    assert!((1..=limits::DOCS_ID_BYTES_MAX).contains(&place.id.len()) && !place.id.contains('\0'));
    for key in &place.keys {
        assert!(key.number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.' || byte == b'-'), "{key:?}");
        assert!(key.text.chars().count() <= limits::DOCS_SORT_TEXT_CHARS && !key.text.contains('\0'), "{key:?}");
    }
    let again = sort.cursor(&place);
    assert!(again.len() <= limits::DOCS_CURSOR_BYTES_MAX);
    assert_eq!(sort.read_cursor(&again).ok().as_ref(), Some(&place));
    statements(filter, sort, Some(&place));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(&String::from_utf8_lossy(pair), 16).expect("hex")).collect()
}

/// What is stored is within its bounds, reads back as what was given, and is shown the same however the database spaces it.
fn documents(data: &[u8]) {
    let Ok(stored) = Data::read(data) else { return };
    let text = stored.as_stored();
    assert!(text.len() <= limits::DOCS_DATA_BYTES_MAX);
    let mut given: Value = serde_json::from_slice(data).expect("it was read as JSON");
    settle(&mut given);
    let seen: Value = serde_json::from_str(&stored.shown()).expect("what is shown is JSON");
    value_bounds(&seen, 1);
    // As text, because -0.0 == 0.0.
    assert_eq!(seen.to_string(), given.to_string());
    assert_eq!(exact(&seen), text);
    assert_eq!(shown(&spaced(text)), stored.shown());
    assert_eq!(Data::read(stored.shown().as_bytes()).expect("what is shown can be stored"), stored);
}

/// Integers beyond 64 bits are floats.
fn settle(value: &mut Value) {
    match value {
        Value::Object(map) => map.values_mut().for_each(settle),
        Value::Array(items) => items.iter_mut().for_each(settle),
        Value::Number(number) if number.as_i64().is_none() => *value = json!(number.as_f64()),
        _ => {}
    }
}

/// As PostgreSQL writes jsonb: a blank after each comma and colon outside of strings.
fn spaced(json: &str) -> String {
    let (mut out, mut in_string, mut escaped) = (String::with_capacity(2 * json.len()), false, false);
    for c in json.chars() {
        out.push(c);
        match c {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' => in_string = !in_string,
            ',' | ':' if !in_string => out.push(' '),
            _ => {}
        }
    }
    out
}

/// A patch applied twice is a patch applied once, whatever it is applied to.
fn patches(data: &[u8]) {
    let Ok(patch) = Patch::read(data) else { return };
    assert!(data.len() <= limits::DOCS_DATA_BYTES_MAX);
    let own: Value = serde_json::from_slice(data).expect("it was read as JSON");
    for target in [json!({ "a": 1, "b": { "c": [1], "a": null } }), own] {
        let once = patch.clone().apply(target);
        assert!(once.is_object());
        assert_eq!(patch.clone().apply(once.clone()), once);
    }
}
