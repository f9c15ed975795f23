//! Documents by filter, in memory: what `store::docs::search` asks of the database, with the same answers, order, cursors and
//! pages. Where the database decides by how it stores a value, so does this: numbers are the decimals that [`exact`] writes, not
//! the floats they were read from.

use std::cmp::Ordering;

use serde_json::Value;

use super::Document;
use super::data::exact;
use super::filter::{Comparison, Filter, Find, Test};
use super::order::{Direction, KeyPlace, Place, Sort};
use super::path::Path;
use crate::error::{Error, Result};
use crate::limits::{DOCS_PAGE_BYTES_MAX, DOCS_PAGE_ITEMS_MAX, DOCS_SORT_TEXT_CHARS};
use crate::model::page::{Page, check_limit};

/// The blanks that C skips before a number.
const BLANKS: [char; 6] = [' ', '\t', '\n', '\u{b}', '\u{c}', '\r'];

/// A page of what matches, in the order of `find`. `limit` is 1..=`DOCS_PAGE_ITEMS_MAX`, and what [`Find::page_limit`] says:
/// `$limit` has no say here. A page ends early rather than hold more than `DOCS_PAGE_BYTES_MAX` bytes of data as stored, but holds
/// one document if there is one. 422 for a limit out of bounds, and for a cursor of another order.
///
/// Ids are unique, and data is JSON; whatever is not matches as an empty document.
pub fn page<'d>(
    documents: impl Iterator<Item = &'d Document>,
    find: &Find,
    cursor: Option<&str>,
    limit: u32,
) -> Result<Page<Document>> {
    check_limit(limit, DOCS_PAGE_ITEMS_MAX)?;
    let by_id = Sort::by_id();
    let sort = find.sort.as_ref().unwrap_or(&by_id);
    let after = cursor.map(|cursor| sort.read_cursor(cursor)).transpose()?;
    let follows = |place: &Place| after.as_ref().is_none_or(|after| sort.compare(place, after).is_gt());
    let mut found = Vec::new();
    for document in documents {
        let data = data_of(document);
        if matches(&data, &find.filter) {
            let place = sort.place(&document.id, &data);
            if follows(&place) {
                found.push((document, data, place));
            }
        }
    }
    found.sort_by(|(_, _, a), (_, _, b)| sort.compare(a, b));
    // One document more than the page says that more follow.
    found.truncate(usize::try_from(limit).unwrap_or(usize::MAX).saturating_add(1));
    let (rows, mut bytes) = (found.len(), 0_usize);
    let fitting = found.into_iter().enumerate().take_while(|(nth, (_, data, _))| {
        bytes = bytes.saturating_add(exact(data).len());
        *nth == 0 || bytes <= DOCS_PAGE_BYTES_MAX
    });
    let items = fitting.map(|(_, (document, _, place))| (document.clone(), place)).collect();
    Ok(sort.page(items, rows, limit))
}

/// How many documents match. Their order and `$limit` have no say.
pub fn count<'d>(documents: impl Iterator<Item = &'d Document>, find: &Find) -> u64 {
    let found = documents.filter(|document| matches(&data_of(document), &find.filter)).count();
    u64::try_from(found).unwrap_or(u64::MAX)
}

impl Find {
    /// The filter of a search for one document: as [`Find::read`], and without `$limit`.
    pub fn read_for_one(json: &[u8]) -> Result<Self> {
        let find = Self::read(json)?;
        if find.limit.is_some() {
            return Err(Error::invalid("filter", "filter.$limit has no meaning here: one document is found"));
        }
        Ok(find)
    }

    /// The filter of a count: as [`Find::read`], and without `$sort` and `$limit`.
    pub fn read_for_count(json: &[u8]) -> Result<Self> {
        let find = Self::read(json)?;
        if find.limit.is_some() || find.sort.is_some() {
            return Err(Error::invalid("filter", "filter.$sort and filter.$limit have no meaning here: every match is counted"));
        }
        Ok(find)
    }

    /// How many documents a page is to hold: the limit `beside` the filter, or the `$limit` inside it, else `default`. 422 when
    /// both are given.
    pub fn page_limit(&self, beside: Option<u32>, default: u32) -> Result<u32> {
        match (self.limit, beside) {
            (Some(_), Some(_)) => Err(Error::invalid("limit", "limit and $limit are the same: give one of them")),
            (limit, None) | (None, limit) => Ok(limit.unwrap_or(default)),
        }
    }
}

impl Sort {
    /// The page of at most `limit` documents that begins with `items`, which were cut to their bytes already. `found` counts what
    /// there was before that cut, up to one past the limit.
    pub fn page(&self, mut items: Vec<(Document, Place)>, found: usize, limit: u32) -> Page<Document> {
        items.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let cursor = items.last().filter(|_| items.len() < found).map(|(_, place)| self.cursor(place));
        Page { items: items.into_iter().map(|(document, _)| document).collect(), cursor }
    }

    /// Where a document stands in this order.
    fn place(&self, id: &str, data: &Value) -> Place {
        Place { keys: self.keys.iter().map(|key| key_place(at(data, &key.path))).collect(), id: id.to_owned() }
    }

    /// Which of two places of this order comes first.
    fn compare(&self, a: &Place, b: &Place) -> Ordering {
        let keys = self.keys.iter().zip(a.keys.iter().zip(&b.keys));
        let mut orders = keys.map(|(key, (a, b))| turned(key_order(a, b), key.direction));
        orders.find(|order| order.is_ne()).unwrap_or_else(|| turned(a.id.cmp(&b.id), self.id))
    }
}

fn data_of(document: &Document) -> Value {
    serde_json::from_str(&document.data).unwrap_or_default()
}

/// What stands at a path: `#>` of jsonb.
fn at<'v>(data: &'v Value, path: &Path) -> Option<&'v Value> {
    path.steps().iter().try_fold(data, |value, step| match value {
        Value::Object(map) => map.get(step.as_str()),
        Value::Array(items) => items.get(index(step, items.len())?),
        _ => None,
    })
}

/// Which element of an array of `len` a step names: an i32 as C reads it, from the end when it is negative.
fn index(step: &str, len: usize) -> Option<usize> {
    let index: i32 = step.trim_start_matches(BLANKS).parse().ok()?;
    let distance = usize::try_from(index.unsigned_abs()).ok()?;
    if index < 0 { len.checked_sub(distance) } else { Some(distance) }
}

fn matches(data: &Value, filter: &Filter) -> bool {
    match filter {
        Filter::All(parts) => parts.iter().all(|part| matches(data, part)),
        Filter::Any(parts) => parts.iter().any(|part| matches(data, part)),
        Filter::Not(inner) => !matches(data, inner),
        Filter::Holds(path, test) => holds(at(data, path), test),
    }
}

fn holds(found: Option<&Value>, test: &Test) -> bool {
    match (found, test) {
        (found, Test::Exists) => found.is_some(),
        // Nothing there counts as null.
        (None, Test::OneOf(values)) => values.iter().any(Value::is_null),
        (None, Test::Compare(..)) => false,
        (Some(found), Test::OneOf(values)) => values.iter().any(|value| itself_or_element(found, |found| equal(found, value))),
        (Some(found), Test::Compare(comparison, value)) => {
            itself_or_element(found, |found| order_of(found, value).is_some_and(|order| comparison.holds(order)))
        }
    }
}

/// Whether a condition holds for a value or, where that is an array, for one of its elements.
fn itself_or_element(value: &Value, condition: impl Fn(&Value) -> bool) -> bool {
    condition(value) || value.as_array().is_some_and(|items| items.iter().any(&condition))
}

fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| equal(a, b)))
        }
        (Value::Null, Value::Null) => true,
        _ => order_of(a, b).is_some_and(Ordering::is_eq),
    }
}

/// The order of two numbers, two strings or two booleans; no others have one.
fn order_of(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Number(_), Value::Number(_)) => Some(decimal_order(&exact(a), &exact(b))),
        (Value::String(a), Value::String(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

impl Comparison {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
        }
    }
}

/// The columns of a key, as the store's SQL makes them.
fn key_place(value: Option<&Value>) -> KeyPlace {
    let nothing = |rank| KeyPlace { rank, number: "0".to_owned(), text: String::new() };
    match value {
        None => nothing(0),
        Some(Value::Null) => nothing(1),
        Some(Value::Bool(false)) => nothing(2),
        Some(Value::Bool(true)) => nothing(3),
        Some(number @ Value::Number(_)) => KeyPlace { number: exact(number), ..nothing(4) },
        Some(Value::String(text)) => KeyPlace { text: text.chars().take(DOCS_SORT_TEXT_CHARS).collect(), ..nothing(5) },
        Some(Value::Array(_)) => nothing(6),
        Some(Value::Object(_)) => nothing(7),
    }
}

fn key_order(a: &KeyPlace, b: &KeyPlace) -> Ordering {
    let numbers = || decimal_order(&a.number, &b.number);
    a.rank.cmp(&b.rank).then_with(numbers).then_with(|| a.text.as_bytes().cmp(b.text.as_bytes()))
}

fn turned(order: Ordering, direction: Direction) -> Ordering {
    if direction == Direction::Down { order.reverse() } else { order }
}

/// The order of two decimals: digits, perhaps a sign and a fraction, zeros at the ends without a meaning.
fn decimal_order(a: &str, b: &str) -> Ordering {
    let ((a_negative, a), (b_negative, b)) = (decimal(a), decimal(b));
    match (a_negative, b_negative) {
        (false, false) => a.cmp(&b),
        (true, true) => b.cmp(&a),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
    }
}

/// Whether a decimal is less than zero, and its size: how many digits stand before the point, those, and those after it.
fn decimal(text: &str) -> (bool, (usize, &str, &str)) {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    let is_zero = whole.is_empty() && fraction.is_empty();
    (digits.len() < text.len() && !is_zero, (whole.len(), whole, fraction))
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use serde_json::json;

    use super::*;
    use crate::limits::DOCS_PAGE_ITEMS_DEFAULT;
    use crate::model::docs::shown;

    fn document(id: &str, data: &Value) -> Document {
        let at = DateTime::UNIX_EPOCH;
        Document { id: id.to_owned(), data: shown(&exact(data)), revision: 1, created_at: at, updated_at: at }
    }

    /// Each under the letter of its place, from `a` on.
    fn lettered(values: impl IntoIterator<Item = Value>) -> Vec<Document> {
        ('a'..='z').zip(values).map(|(id, data)| document(&id.to_string(), &data)).collect()
    }

    fn find(filter: &Value) -> Find {
        Find::read(filter.to_string().as_bytes()).unwrap()
    }

    fn walk(documents: &[Document], find: &Find, limit: u32) -> Vec<Vec<String>> {
        let (mut pages, mut cursor) = (Vec::new(), None::<String>);
        loop {
            // Whatever order they are kept in.
            let page = page(documents.iter().rev(), find, cursor.as_deref(), limit).unwrap();
            pages.push(page.items.into_iter().map(|document| document.id).collect());
            cursor = page.cursor;
            if cursor.is_none() {
                return pages;
            }
        }
    }

    /// Ids of what a filter matches, run together.
    fn found(documents: &[Document], filter: &Value) -> String {
        let find = find(filter);
        let ids = walk(documents, &find, 1_000).concat();
        assert_eq!(count(documents.iter(), &find), ids.len() as u64, "{filter}");
        ids.concat()
    }

    #[test]
    fn every_operator_says_what_the_reference_says() {
        let documents = lettered([
            json!({ "n": 9, "s": "Z", "b": true, "l": [1, 20] }),
            json!({ "n": 10.0, "s": "a", "b": false, "l": "x", "m": { "k": 1 } }),
            json!({ "n": "10", "s": "\u{e9}", "l": ["x", "y"], "m": [{ "k": 1.0 }] }),
            json!({ "n": null, "s": "", "l": [], "m": { "k": [1] } }),
        ]);
        for (filter, expected) in [
            (json!({}), "abcd"),
            (json!({ "n": 10 }), "b"),
            (json!({ "n": { "$eq": "10" } }), "c"),
            (json!({ "n": { "$ne": 10 } }), "acd"),
            (json!({ "n": { "$gt": 9 } }), "b"),
            (json!({ "n": { "$gte": 9 } }), "ab"),
            (json!({ "n": { "$lt": 10 } }), "a"),
            (json!({ "n": { "$lte": 10 } }), "ab"),
            (json!({ "n": { "$in": [9, "10", null] } }), "acd"),
            (json!({ "n": { "$in": [] } }), ""),
            (json!({ "n": { "$nin": [9, "10"] } }), "bd"),
            (json!({ "n": { "$nin": [] } }), "abcd"),
            (json!({ "n": { "$not": { "$gt": 9 } } }), "acd"),
            (json!({ "n": { "$gt": 9, "$lt": 10 } }), ""),
            // By bytes.
            (json!({ "s": { "$gt": "Z" } }), "bc"),
            (json!({ "s": { "$lt": "a" } }), "ad"),
            (json!({ "s": { "$lte": "" } }), "d"),
            (json!({ "b": { "$gt": false } }), "a"),
            (json!({ "b": { "$lte": true } }), "ab"),
            // Missing and null.
            (json!({ "b": { "$exists": true } }), "ab"),
            (json!({ "b": { "$exists": false } }), "cd"),
            (json!({ "n": { "$exists": true } }), "abcd"),
            (json!({ "n": null }), "d"),
            (json!({ "b": null }), "cd"),
            (json!({ "b": { "$ne": null } }), "ab"),
            (json!({ "b": { "$ne": 1 } }), "abcd"),
            // Arrays and maps: as a whole, and one element deep.
            (json!({ "l": "x" }), "bc"),
            (json!({ "l": ["x", "y"] }), "c"),
            (json!({ "l": ["y", "x"] }), ""),
            (json!({ "l": [] }), "d"),
            (json!({ "l": { "$gt": 2 } }), "a"),
            (json!({ "l": { "$gt": 1, "$lt": 20 } }), "a"),
            (json!({ "l": { "$ne": "x" } }), "ad"),
            (json!({ "m": { "k": 1 } }), "bc"),
            (json!({ "m": { "$in": [{ "k": [1] }, [{ "k": 1 }]] } }), "cd"),
            (json!({ "m": {} }), ""),
            // Paths.
            (json!({ "m.k": 1 }), "bd"),
            (json!({ "m.0.k": 1 }), "c"),
            (json!({ "l.0": "x" }), "c"),
            (json!({ "l.-1": 20 }), "a"),
            (json!({ "l.2": { "$exists": true } }), ""),
            (json!({ "s.k": null }), "abcd"),
            // Put together.
            (json!({ "$or": [{ "n": 9 }, { "l": "y" }] }), "ac"),
            (json!({ "$and": [{ "l": "x" }, { "n": 10 }] }), "b"),
            (json!({ "$not": { "l": "x", "n": 10 } }), "acd"),
            (json!({ "n": 9, "s": "Z" }), "a"),
        ] {
            assert_eq!(found(&documents, &filter), expected, "{filter}");
        }
        let beyond = lettered([json!({ "s": "\u{10000}" })]);
        assert_eq!(found(&beyond, &json!({ "s": { "$gt": "\u{ffff}" } })), "a", "bytes are compared, not code units");
    }

    #[test]
    fn values_of_different_types_are_not_equal_not_less_and_not_greater() {
        let values = [json!(null), json!(false), json!(0), json!("0"), json!([]), json!({})];
        for (n, value) in values.iter().enumerate() {
            let documents = lettered([json!({ "v": value })]);
            for (m, other) in values.iter().enumerate() {
                let same = if n == m { "a" } else { "" };
                for (operator, expected) in [("$eq", same), ("$gte", same), ("$lte", same), ("$gt", ""), ("$lt", "")] {
                    if operator == "$eq" || other.is_boolean() || other.is_number() || other.is_string() {
                        let filter = json!({ "v": { operator: other } });
                        assert_eq!(found(&documents, &filter), expected, "{value}: {filter}");
                    }
                }
            }
        }
    }

    #[test]
    fn numbers_are_the_decimals_that_are_stored() {
        let rising = [
            "-100.0", "-99.5", "-99.25", "-1", "-0.01", "0", "0.001", "0.01", "0.09", "0.1", "1", "1.05", "1.5", "9", "10", "100",
        ];
        for (n, a) in rising.iter().enumerate() {
            for (m, b) in rising.iter().enumerate() {
                assert_eq!(decimal_order(a, b), n.cmp(&m), "{a} {b}");
            }
        }
        for (a, b) in [("0", "-0"), ("0.00", "-0.0"), ("007", "7.000"), ("-1.50", "-1.5"), ("0.10", "000.1")] {
            assert_eq!(decimal_order(a, b), Ordering::Equal, "{a} {b}");
        }
        // As floats the first two would be one number, and the last two another.
        let numbers = [9_007_199_254_740_992_i64, 9_007_199_254_740_993, i64::MAX].map(|n| json!({ "n": n }));
        let documents = lettered(numbers.into_iter().chain([json!({ "n": 9.223_372_036_854_776e18 }), json!({ "n": -0.0 })]));
        assert_eq!(found(&documents, &json!({ "n": 9_007_199_254_740_992.0 })), "a");
        assert_eq!(found(&documents, &json!({ "n": { "$gt": 9_007_199_254_740_992.0 } })), "bcd");
        assert_eq!(found(&documents, &json!({ "n": { "$gt": i64::MAX } })), "d");
        assert_eq!(found(&documents, &json!({ "n": 0 })), "e");
        assert_eq!(found(&documents, &json!({ "$sort": "-n" })), "dcbae");
    }

    #[test]
    fn a_step_into_an_array_is_a_number_as_the_database_reads_it() {
        for (step, expected) in
            [("0", 0), ("-0", 0), ("+2", 2), ("007", 7), (" \t1", 1), ("-1", 2), ("-3", 0), ("2147483647", 2_147_483_647)]
        {
            assert_eq!(index(step, 3), Some(expected), "{step:?}");
        }
        for step in ["-4", "2147483648", "-2147483648", "1 ", "1.0", "1e0", "0x1", "+-1", "- 1", "-", " ", "\u{a0}1", "١"] {
            assert_eq!(index(step, 3), None, "{step:?}");
        }
    }

    #[test]
    fn types_have_an_order_and_the_id_decides_a_tie() {
        let long = "é".repeat(DOCS_SORT_TEXT_CHARS);
        let strings = [json!(""), json!("Z"), json!("a"), json!(format!("{long}2")), json!(format!("{long}1"))];
        let values =
            [json!(null), json!(false), json!(true), json!(-1.5), json!(1), json!(1.0), json!(10)].into_iter().chain(strings);
        let values = values.chain([json!([2]), json!([1, 1]), json!({ "z": 1 }), json!({})]).map(|value| json!({ "v": value }));
        let documents = lettered([json!({})].into_iter().chain(values));
        for (sort, expected) in [
            (json!([]), "abcdefghijklmnopq"),
            (json!("v"), "abcdefghijklmnopq"),
            (json!("-$id"), "qponmlkjihgfedcba"),
            (json!(["v", "-$id"]), "abcdegfhijkmlonqp"),
            (json!(["-v"]), "pqnolmkjihfgedcba"),
            (json!(["none", "v"]), "abcdefghijklmnopq"),
            (json!(["v.0", "-$id"]), "qpmlkjihgfedcbaon"),
        ] {
            let filter = json!({ "$sort": sort });
            assert_eq!(found(&documents, &filter), expected, "{filter}");
        }
    }

    #[test]
    fn pages_meet_at_every_limit() {
        let documents = lettered((0..12).map(|n| json!({ "a": n % 3, "b": n % 2 })));
        for sort in [json!([]), json!("-$id"), json!("a"), json!(["-b", "a", "-$id"]), json!(["a", "-b", "a", "c"])] {
            let find = find(&json!({ "$sort": sort, "a": { "$lt": 5 } }));
            let whole = walk(&documents, &find, 100).concat();
            assert_eq!(whole.len(), 12);
            for limit in 1..14_u32 {
                let pages = walk(&documents, &find, limit);
                assert_eq!(pages.concat(), whole, "{sort} by {limit}");
                assert_eq!(pages.len(), 12_usize.div_ceil(limit as usize), "the last page knows that it is: {sort} by {limit}");
            }
        }
    }

    #[test]
    fn a_walk_goes_on_from_a_document_that_is_gone() {
        let (mut documents, find) = (lettered((0..5).map(|n| json!({ "a": n / 2 }))), find(&json!({ "$sort": "-a" })));
        let first = page(documents.iter(), &find, None, 2).unwrap();
        assert_eq!(first.items.iter().map(|document| document.id.as_str()).collect::<String>(), "ec");
        documents.retain(|document| document.id != "c");
        let second = page(documents.iter(), &find, first.cursor.as_deref(), 2).unwrap();
        assert_eq!(second.items.iter().map(|document| document.id.as_str()).collect::<String>(), "da");
        let foreign = page(documents.iter(), &Find { sort: None, ..find }, first.cursor.as_deref(), 2).unwrap_err();
        assert_eq!(foreign.code, "invalid");
    }

    #[test]
    fn a_page_ends_at_its_bytes_as_stored() {
        // {"a":"…"}
        let sized = |bytes: usize| json!({ "a": "x".repeat(bytes - 8) });
        let half = DOCS_PAGE_BYTES_MAX / 2;
        let pages = |sizes: [usize; 3]| {
            let documents = lettered(sizes.map(sized));
            walk(&documents, &find(&json!({})), 10).into_iter().map(|page| page.concat()).collect::<Vec<_>>()
        };
        assert_eq!(pages([half, half, 8]), ["ab", "c"]);
        assert_eq!(pages([half, half - 8, 8]), ["abc"]);
        assert_eq!(pages([half, half + 1, 8]), ["a", "bc"]);
        assert_eq!(pages([2 * half + 1, 8, 8]), ["a", "bc"], "one document is always held");
        // A float counts as it is written out: 303 bytes and a comma.
        let floats = lettered(vec![json!({ "a": vec![1e300; 1_200] }); 4]);
        assert_eq!(walk(&floats, &find(&json!({})), 10).len(), 2);
    }

    #[test]
    fn limits_hold_at_n_and_refuse_at_n_plus_one() {
        let (documents, find) = (lettered([json!({})]), |filter: &str| Find::read(filter.as_bytes()).unwrap());
        for (limit, fine) in [(0, false), (1, true), (DOCS_PAGE_ITEMS_MAX, true), (DOCS_PAGE_ITEMS_MAX + 1, false)] {
            assert_eq!(page(documents.iter(), &find("{}"), None, limit).is_ok(), fine, "{limit}");
        }
        let (plain, limited) = (find("{}"), find(r#"{"$limit":7}"#));
        assert_eq!(plain.page_limit(None, DOCS_PAGE_ITEMS_DEFAULT).unwrap(), DOCS_PAGE_ITEMS_DEFAULT);
        assert_eq!(plain.page_limit(Some(3), DOCS_PAGE_ITEMS_DEFAULT).unwrap(), 3);
        assert_eq!(limited.page_limit(None, DOCS_PAGE_ITEMS_DEFAULT).unwrap(), 7);
        assert!(limited.page_limit(Some(7), DOCS_PAGE_ITEMS_DEFAULT).is_err());
        for (filter, one, many) in [("{}", true, true), (r#"{"$sort":"a"}"#, true, false), (r#"{"$limit":1}"#, false, false)] {
            assert_eq!(Find::read_for_one(filter.as_bytes()).is_ok(), one, "{filter}");
            assert_eq!(Find::read_for_count(filter.as_bytes()).is_ok(), many, "{filter}");
        }
    }
}
