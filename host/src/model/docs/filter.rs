//! The filter of `find` and its kin, read from JSON into what the database is asked.
//!
//! A condition holds for a value, or for one of its elements where the value is an array. Values of different types are never
//! equal and never less or greater; a value that is missing equals null, and nothing else.

use serde_json::{Map, Value};

use super::data::{kind, settle};
use super::order::Sort;
use super::path::Path;
use crate::error::{Error, Result};
use crate::limits::{
    DOCS_FILTER_BYTES_MAX, DOCS_FILTER_DEPTH_MAX, DOCS_FILTER_TESTS_MAX, DOCS_FILTER_VALUES_MAX, DOCS_IN_VALUES_MAX,
};
use crate::model::text;

const COMBINING: &str = "$and, $or, $not";
const TESTING: &str = "$eq, $ne, $gt, $gte, $lt, $lte, $in, $nin, $exists, $not";

/// Which documents. At most `DOCS_FILTER_TESTS_MAX` conditions, `DOCS_FILTER_VALUES_MAX` values to equal,
/// `DOCS_FILTER_DEPTH_MAX` levels.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// Every one of them; of none, all documents.
    All(Vec<Filter>),
    /// At least one.
    Any(Vec<Filter>),
    Not(Box<Filter>),
    Holds(Path, Test),
}

#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// Equal to one of these.
    OneOf(Vec<Value>),
    /// Against a number, a string or a boolean.
    Compare(Comparison, Value),
    Exists,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

/// A filter with what may stand beside it at its top.
#[derive(Debug, Clone, PartialEq)]
pub struct Find {
    pub filter: Filter,
    /// `$sort`
    pub sort: Option<Sort>,
    /// `$limit`
    pub limit: Option<u32>,
}

impl Filter {
    /// All documents.
    pub fn everything() -> Self {
        Self::All(Vec::new())
    }
}

impl Find {
    /// From JSON text of at most `DOCS_FILTER_BYTES_MAX` bytes. 422 names the place in the filter, what is wrong there and what
    /// would be right.
    pub fn read(json: &[u8]) -> Result<Self> {
        if json.len() > DOCS_FILTER_BYTES_MAX {
            return Err(text::too_long("filter", json.len(), DOCS_FILTER_BYTES_MAX, "bytes"));
        }
        let mut value = match super::data::parse("filter", json)? {
            Value::Object(map) => map,
            other => return Err(invalid("filter", &format!("is {}: it must be a map", kind(&other)))),
        };
        let sort = value.remove("$sort").map(|sort| Sort::read(&sort)).transpose()?;
        let limit = value.remove("$limit").map(|limit| limit_of(&limit)).transpose()?;
        let filter = Reader { tests: 0, values: 0 }.filter("filter", value, 1)?;
        Ok(Self { filter, sort, limit })
    }
}

struct Reader {
    tests: usize,
    values: usize,
}

impl Reader {
    fn filter(&mut self, at: &str, map: Map<String, Value>, depth: usize) -> Result<Filter> {
        check_depth(at, depth)?;
        let mut parts = Vec::with_capacity(map.len());
        for (key, value) in map {
            let at = format!("{at}.{key}");
            parts.push(match key.as_str() {
                "$and" => Filter::All(self.filters(&at, value, depth)?),
                "$or" => Filter::Any(self.filters(&at, value, depth)?),
                "$not" => Filter::Not(Box::new(self.filter(&at, map_of(&at, value)?, depth + 1)?)),
                "$sort" | "$limit" => return Err(invalid(&at, "stands at the top of the filter only")),
                other if other.starts_with('$') => {
                    return Err(invalid(
                        &at,
                        &format!("there is no `{other}` here: known are {COMBINING}; operators on values stand under a field"),
                    ));
                }
                field => {
                    let path = Path::read(&at, field)?;
                    self.field(&at, &path, value, depth)?
                }
            });
        }
        Ok(one_or_all(parts))
    }

    fn filters(&mut self, at: &str, value: Value, depth: usize) -> Result<Vec<Filter>> {
        let items = array_of(at, value)?;
        if items.is_empty() {
            return Err(invalid(at, "is empty: it must hold at least one filter"));
        }
        let read = |(n, item)| {
            let at = format!("{at}[{n}]");
            let map = map_of(&at, item)?;
            self.filter(&at, map, depth + 1)
        };
        items.into_iter().enumerate().map(read).collect()
    }

    /// A map whose keys begin with `$` holds operators; any other value is what the field must equal.
    fn field(&mut self, at: &str, path: &Path, value: Value, depth: usize) -> Result<Filter> {
        let map = match value {
            Value::Object(map) if map.keys().any(|key| key.starts_with('$')) => map,
            value => return self.equal(at, path, vec![value]),
        };
        check_depth(at, depth)?;
        let mut parts = Vec::with_capacity(map.len());
        for (operator, value) in map {
            let at = format!("{at}.{operator}");
            parts.push(self.operator(&at, path, &operator, value, depth)?);
        }
        Ok(one_or_all(parts))
    }

    fn operator(&mut self, at: &str, path: &Path, operator: &str, value: Value, depth: usize) -> Result<Filter> {
        match operator {
            "$eq" => self.equal(at, path, vec![value]),
            "$ne" => Ok(not(self.equal(at, path, vec![value])?)),
            "$in" => self.one_of(at, path, value),
            "$nin" => Ok(not(self.one_of(at, path, value)?)),
            "$gt" => self.compare(at, path, Comparison::Greater, value),
            "$gte" => self.compare(at, path, Comparison::GreaterOrEqual, value),
            "$lt" => self.compare(at, path, Comparison::Less, value),
            "$lte" => self.compare(at, path, Comparison::LessOrEqual, value),
            "$exists" => match value {
                Value::Bool(true) => self.test(at, path, Test::Exists),
                Value::Bool(false) => Ok(not(self.test(at, path, Test::Exists)?)),
                other => Err(invalid(at, &format!("is {}: it must be true or false", kind(&other)))),
            },
            "$not" => {
                let map = map_of(at, value)?;
                if map.is_empty() || map.keys().any(|key| !key.starts_with('$')) {
                    return Err(invalid(at, &format!("must hold operators: known are {TESTING}")));
                }
                Ok(not(self.field(at, path, Value::Object(map), depth + 1)?))
            }
            other if other.starts_with('$') => Err(invalid(at, &format!("there is no operator `{other}`: known are {TESTING}"))),
            _ => Err(invalid(
                at,
                "stands among operators, which begin with `$`: to compare with a whole map, write it under `$eq`",
            )),
        }
    }

    fn equal(&mut self, at: &str, path: &Path, mut values: Vec<Value>) -> Result<Filter> {
        for value in &mut values {
            settle(value, at, 1)?;
        }
        self.values += values.len();
        if self.values > DOCS_FILTER_VALUES_MAX {
            return Err(invalid(
                at,
                &format!("goes past what a filter may compare with: at most {DOCS_FILTER_VALUES_MAX} values in all"),
            ));
        }
        self.test(at, path, Test::OneOf(values))
    }

    fn one_of(&mut self, at: &str, path: &Path, value: Value) -> Result<Filter> {
        let values = array_of(at, value)?;
        if values.len() > DOCS_IN_VALUES_MAX {
            let asked = values.len();
            return Err(invalid(at, &format!("holds {asked} values; at most {DOCS_IN_VALUES_MAX} are allowed")));
        }
        self.equal(at, path, values)
    }

    fn compare(&mut self, at: &str, path: &Path, comparison: Comparison, mut value: Value) -> Result<Filter> {
        settle(&mut value, at, 1)?;
        match value {
            Value::Number(_) | Value::String(_) | Value::Bool(_) => self.test(at, path, Test::Compare(comparison, value)),
            other => Err(invalid(at, &format!("is {}: it must be a number, a string or a boolean", kind(&other)))),
        }
    }

    fn test(&mut self, at: &str, path: &Path, test: Test) -> Result<Filter> {
        self.tests += 1;
        if self.tests > DOCS_FILTER_TESTS_MAX {
            return Err(invalid(at, &format!("is one condition too many: at most {DOCS_FILTER_TESTS_MAX} are allowed")));
        }
        Ok(Filter::Holds(path.clone(), test))
    }
}

fn check_depth(at: &str, depth: usize) -> Result<()> {
    if depth > DOCS_FILTER_DEPTH_MAX {
        return Err(invalid(at, &format!("is nested too deep: at most {DOCS_FILTER_DEPTH_MAX} levels are allowed")));
    }
    Ok(())
}

fn limit_of(value: &Value) -> Result<u32> {
    let Some(limit) = value.as_i64() else {
        return Err(invalid("filter.$limit", &format!("is {}: it must be an integer", kind(value))));
    };
    // What does not fit is refused with the page's own bound.
    Ok(u32::try_from(limit.max(0)).unwrap_or(u32::MAX))
}

fn one_or_all(mut parts: Vec<Filter>) -> Filter {
    match (parts.pop(), parts.is_empty()) {
        (Some(only), true) => only,
        (last, _) => {
            parts.extend(last);
            Filter::All(parts)
        }
    }
}

fn not(filter: Filter) -> Filter {
    Filter::Not(Box::new(filter))
}

fn map_of(at: &str, value: Value) -> Result<Map<String, Value>> {
    match value {
        Value::Object(map) => Ok(map),
        other => Err(invalid(at, &format!("is {}: it must be a map", kind(&other)))),
    }
}

fn array_of(at: &str, value: Value) -> Result<Vec<Value>> {
    match value {
        Value::Array(items) => Ok(items),
        other => Err(invalid(at, &format!("is {}: it must be an array", kind(&other)))),
    }
}

pub(super) fn invalid(at: &str, what: &str) -> Error {
    Error::invalid("filter", format!("{at} {what}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: &Value) -> Result<Find> {
        Find::read(value.to_string().as_bytes())
    }

    fn filter(value: Value) -> Filter {
        read(&value).unwrap().filter
    }

    fn refused(value: &Value) -> String {
        read(value).unwrap_err().message.into_owned()
    }

    fn path(text: &str) -> Path {
        Path::read("", text).unwrap()
    }

    #[test]
    fn a_value_stands_for_equality() {
        let one_of = |value| Filter::Holds(path("a.b"), Test::OneOf(vec![value]));
        for value in [json!(1), json!(null), json!([1, { "$gt": 1 }]), json!({}), json!({ "x": 1 })] {
            assert_eq!(filter(json!({ "a.b": value })), one_of(value.clone()), "{value}");
            assert_eq!(filter(json!({ "a.b": { "$eq": value } })), one_of(value));
        }
        assert_eq!(filter(json!({ "a.b": { "$eq": { "$x": 1 } } })), one_of(json!({ "$x": 1 })));
    }

    #[test]
    fn operators_and_fields_are_all_to_hold() {
        let Filter::All(parts) = filter(json!({ "a": { "$gt": 1, "$lt": 9 }, "b": 1, "$or": [{ "c": 1 }] })) else {
            panic!("all")
        };
        assert_eq!(parts.len(), 3);
        assert_eq!(filter(json!({})), Filter::everything());
        assert_eq!(filter(json!({ "a": { "$exists": false } })), not(Filter::Holds(path("a"), Test::Exists)));
        assert_eq!(
            filter(json!({ "a": { "$not": { "$gte": "x" } } })),
            not(Filter::Holds(path("a"), Test::Compare(Comparison::GreaterOrEqual, json!("x"))))
        );
    }

    #[test]
    fn refusals_name_the_place_and_what_is_known() {
        for (value, message) in [
            (json!([]), "filter is an array: it must be a map"),
            (json!({ "a": { "$gtt": 1 } }), "filter.a.$gtt there is no operator `$gtt`: known are $eq, $ne, $gt"),
            (json!({ "$nor": [] }), "filter.$nor there is no `$nor` here: known are $and, $or, $not"),
            (json!({ "$or": [{ "a": 1 }, { "b.c": { "$in": 1 } }] }), "filter.$or[1].b.c.$in is a number: it must be an array"),
            (json!({ "$and": [] }), "filter.$and is empty"),
            (json!({ "$or": {} }), "filter.$or is a map: it must be an array"),
            (json!({ "$not": 1 }), "filter.$not is a number: it must be a map"),
            (json!({ "a": { "$not": {} } }), "filter.a.$not must hold operators"),
            (json!({ "a": { "$not": { "b": 1 } } }), "filter.a.$not must hold operators"),
            (json!({ "a": { "$gt": 1, "b": 1 } }), "filter.a.b stands among operators"),
            (json!({ "a": { "$gt": null } }), "filter.a.$gt is unit: it must be a number, a string or a boolean"),
            (json!({ "a": { "$exists": 1 } }), "filter.a.$exists is a number: it must be true or false"),
            (json!({ "$or": [{ "$sort": "a" }] }), "filter.$or[0].$sort stands at the top of the filter only"),
            (json!({ "a": "\0" }), "filter.a contains the character NUL"),
            (json!({ "a..b": 1 }), "filter.a..b: a path has no empty step"),
            (json!({ "$limit": "x" }), "filter.$limit is a string: it must be an integer"),
        ] {
            let refused = refused(&value);
            assert!(refused.starts_with(message), "{value}: {refused}");
        }
    }

    #[test]
    fn size_depth_conditions_and_values_are_bounded() {
        let sized = |bytes: usize| json!({ "a": "x".repeat(bytes - 8) });
        assert!(read(&sized(DOCS_FILTER_BYTES_MAX)).is_ok());
        assert!(read(&sized(DOCS_FILTER_BYTES_MAX + 1)).is_err());

        let deep = |depth: usize| (1..depth).fold(json!({ "a": 1 }), |inner, _| json!({ "$not": inner }));
        assert!(read(&deep(DOCS_FILTER_DEPTH_MAX)).is_ok());
        assert!(refused(&deep(DOCS_FILTER_DEPTH_MAX + 1)).contains("at most 8 levels"));
        let deep = |depth: usize| (1..depth).fold(json!({ "$gt": 1 }), |inner, _| json!({ "$not": inner }));
        assert!(read(&json!({ "a": deep(DOCS_FILTER_DEPTH_MAX) })).is_ok());
        assert!(read(&json!({ "a": deep(DOCS_FILTER_DEPTH_MAX + 1) })).is_err());

        let wide = |tests: usize| json!({ "$or": vec![json!({ "a": 1 }); tests] });
        assert!(read(&wide(DOCS_FILTER_TESTS_MAX)).is_ok());
        assert!(refused(&wide(DOCS_FILTER_TESTS_MAX + 1)).contains("at most 100"));

        let many = |values: usize| json!({ "a": { "$in": vec![1; values] } });
        assert!(read(&many(DOCS_IN_VALUES_MAX)).is_ok());
        assert!(refused(&many(DOCS_IN_VALUES_MAX + 1)).contains("holds 101 values; at most 100"));

        let full = DOCS_FILTER_VALUES_MAX / DOCS_IN_VALUES_MAX;
        let together = |rest: usize| json!({ "$and": vec![many(DOCS_IN_VALUES_MAX); full - 1], "$or": [many(rest)] });
        assert!(read(&together(DOCS_IN_VALUES_MAX)).is_ok());
        let mut past = together(DOCS_IN_VALUES_MAX);
        past["b"] = json!(1);
        assert!(refused(&past).contains("at most 1000 values in all"));
    }
}
