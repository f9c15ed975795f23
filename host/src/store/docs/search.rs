//! Documents by filter: the one SQL that is put together at run time. Its text is made of the fragments that stand here, and of
//! nothing else; all that comes from outside is bound.
//!
//! Statements are not kept prepared: each is planned for its values, and a script's shapes push nothing out of the cache.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::postgres::PgConnection;
use sqlx::{Encode, Postgres, QueryBuilder, Type};

use crate::id::AppId;
use crate::limits::{DOCS_SORT_KEYS_MAX, DOCS_SORT_TEXT_CHARS};
use crate::model::docs::{Comparison, Direction, Document, Filter, Key, KeyPlace, Path, Place, Query, Sort, Test, exact};

/// Where to search.
#[derive(Debug, Clone, Copy)]
pub struct Ground<'a> {
    pub app: AppId,
    pub collection: &'a str,
}

/// Documents with their places in the order, and how many there would be without the bound on bytes.
#[derive(Debug)]
pub struct Scan {
    pub items: Vec<(Document, Place)>,
    pub found: usize,
}

type Row = (String, String, i64, DateTime<Utc>, DateTime<Utc>, i64, Vec<String>);

/// The first `rows` documents after the query's place (whatever its limit), fewer when they would pass `bytes_max` together, but
/// at least one. Documents past the bound are neither read nor sent.
pub async fn page(db: &mut PgConnection, ground: Ground<'_>, query: &Query, rows: i64, bytes_max: i64) -> sqlx::Result<Scan> {
    let mut statement = page_statement(ground, query, rows, bytes_max);
    let found: Vec<Row> = statement.build_query_as().persistent(false).fetch_all(db).await?;
    let count = found.first().map_or(0, |row| row.5);
    let items = found.into_iter().map(|(id, data, revision, created_at, updated_at, _, keys)| {
        let place = Place { keys: key_places(keys), id: id.clone() };
        (super::readable(Document { id, data, revision, created_at, updated_at }), place)
    });
    Ok(Scan { items: items.collect(), found: super::super::natural("found", count)? })
}

/// How many documents there are.
pub async fn count(db: &mut PgConnection, ground: Ground<'_>, filter: &Filter) -> sqlx::Result<u64> {
    let mut statement = count_statement(ground, filter);
    let count: i64 = statement.build_query_scalar().persistent(false).fetch_one(db).await?;
    super::super::natural("count", count)
}

/// What [`page`] sends.
pub fn page_statement(ground: Ground<'_>, query: &Query, rows: i64, bytes_max: i64) -> QueryBuilder<Postgres> {
    let keys: Vec<(&Columns, &Key)> = COLUMNS.iter().zip(&query.sort.keys).collect();
    let mut sql = Sql::new("SELECT id, data::text, revision, created_at, updated_at, found, place FROM (");
    sql.text("SELECT *, count(*) OVER () AS found, row_number() OVER (ORDER BY ");
    order(&mut sql, &keys, &query.sort);
    sql.text(") AS nth, sum(bytes) OVER (ORDER BY ");
    order(&mut sql, &keys, &query.sort);
    sql.text(" ROWS UNBOUNDED PRECEDING) AS total, ARRAY[");
    for (n, (columns, _)) in keys.iter().enumerate() {
        sql.text(if n > 0 { ", " } else { "" });
        sql.text(columns.rank).text("::text, ").text(columns.number).text("::text, ").text(columns.text);
    }
    sql.text("]::text[] AS place FROM (SELECT * FROM (SELECT id, data, bytes, revision, created_at, updated_at");
    for (columns, key) in &keys {
        key_columns(&mut sql, columns, &key.path);
    }
    sql.text(" FROM documents WHERE ");
    condition(&mut sql, ground, &query.filter);
    sql.text(") AS matching");
    if let Some(place) = &query.after {
        let places: Vec<_> = keys.iter().copied().zip(&place.keys).collect();
        sql.text(" WHERE ");
        after(&mut sql, &places, query.sort.id, &place.id);
    }
    sql.text(" ORDER BY ");
    order(&mut sql, &keys, &query.sort);
    sql.text(" LIMIT ").bind(rows);
    sql.text(") AS page) AS measured WHERE nth = 1 OR total <= ").bind(bytes_max).text(" ORDER BY ");
    order(&mut sql, &keys, &query.sort);
    sql.0
}

/// What [`count`] sends.
pub fn count_statement(ground: Ground<'_>, filter: &Filter) -> QueryBuilder<Postgres> {
    let mut sql = Sql::new("SELECT count(*) FROM documents WHERE ");
    condition(&mut sql, ground, filter);
    sql.0
}

/// SQL in the making: text that stands in this file, and bound values.
struct Sql(QueryBuilder<Postgres>);

impl Sql {
    fn new(text: &'static str) -> Self {
        Self(QueryBuilder::new(text))
    }

    fn text(&mut self, text: &'static str) -> &mut Self {
        self.0.push(text);
        self
    }

    fn bind<'v>(&mut self, value: impl Encode<'v, Postgres> + Type<Postgres>) -> &mut Self {
        self.0.push_bind(value);
        self
    }

    /// What stands at a path; NULL where nothing does.
    fn at(&mut self, path: &Path) -> &mut Self {
        self.text("(data #> ").bind(path.steps().to_vec()).text(")")
    }
}

/// The columns of one key of the order: the rank of the value's type, its number or 0, its text or none.
struct Columns {
    rank: &'static str,
    number: &'static str,
    text: &'static str,
}

const COLUMNS: [Columns; DOCS_SORT_KEYS_MAX] = [
    Columns { rank: "rank0", number: "number0", text: "text0" },
    Columns { rank: "rank1", number: "number1", text: "text1" },
    Columns { rank: "rank2", number: "number2", text: "text2" },
    Columns { rank: "rank3", number: "number3", text: "text3" },
];

/// The order of `model::docs::Sort`, in SQL.
fn key_columns(sql: &mut Sql, columns: &Columns, path: &Path) {
    sql.text(", CASE jsonb_typeof(").at(path).text(") WHEN 'null' THEN 1 WHEN 'boolean' THEN CASE WHEN ").at(path);
    sql.text(" = 'true' THEN 3 ELSE 2 END WHEN 'number' THEN 4 WHEN 'string' THEN 5 WHEN 'array' THEN 6 WHEN 'object' THEN 7");
    sql.text(" ELSE 0 END AS ").text(columns.rank);
    sql.text(", CASE jsonb_typeof(").at(path).text(") WHEN 'number' THEN ").at(path);
    sql.text("::numeric ELSE 0 END AS ").text(columns.number);
    sql.text(", CASE jsonb_typeof(").at(path).text(") WHEN 'string' THEN left(data #>> ").bind(path.steps().to_vec());
    sql.text(", ").bind(i32::try_from(DOCS_SORT_TEXT_CHARS).unwrap_or(i32::MAX));
    sql.text(") ELSE '' END COLLATE \"C\" AS ").text(columns.text);
}

fn order(sql: &mut Sql, keys: &[(&Columns, &Key)], sort: &Sort) {
    let word = |direction| if direction == Direction::Down { " DESC, " } else { ", " };
    for (columns, key) in keys {
        for column in [columns.rank, columns.number, columns.text] {
            sql.text(column).text(word(key.direction));
        }
    }
    sql.text(if sort.id == Direction::Down { "id DESC" } else { "id" });
}

/// What comes later than a place: a later value of the first key, or the same one and what comes later by the others.
fn after(sql: &mut Sql, keys: &[((&Columns, &Key), &KeyPlace)], id_direction: Direction, id: &str) {
    let word = |direction| if direction == Direction::Down { " < " } else { " > " };
    let Some((((columns, key), place), rest)) = keys.split_first() else {
        sql.text("id").text(word(id_direction)).bind(id.to_owned());
        return;
    };
    let compare = |sql: &mut Sql, operator: &'static str| {
        sql.text("(").text(columns.rank).text(", ").text(columns.number).text(", ").text(columns.text).text(")").text(operator);
        sql.text("(")
            .bind(place.rank)
            .text(", ")
            .bind(place.number.clone())
            .text("::numeric, ")
            .bind(place.text.clone())
            .text(")");
    };
    sql.text("(");
    compare(sql, word(key.direction));
    sql.text(" OR ");
    compare(sql, " = ");
    sql.text(" AND ");
    after(sql, rest, id_direction, id);
    sql.text(")");
}

/// Triples of rank, number and text.
fn key_places(texts: Vec<String>) -> Vec<KeyPlace> {
    let mut texts = texts.into_iter();
    let mut places = Vec::new();
    while let (Some(rank), Some(number), Some(text)) = (texts.next(), texts.next(), texts.next()) {
        places.push(KeyPlace { rank: rank.parse().unwrap_or_default(), number, text });
    }
    places
}

fn condition(sql: &mut Sql, ground: Ground<'_>, filter: &Filter) {
    sql.text("app_id = ").bind(ground.app.0).text(" AND collection = ").bind(ground.collection.to_owned()).text(" AND ");
    Conditions { ground, negated: false }.push(sql, filter);
}

/// A filter as a condition, which is true or false, never NULL.
struct Conditions<'a> {
    ground: Ground<'a>,
    /// Inside a negation, where no index helps.
    negated: bool,
}

impl Conditions<'_> {
    fn push(&self, sql: &mut Sql, filter: &Filter) {
        match filter {
            Filter::All(parts) => self.joined(sql, parts, " AND ", "true"),
            Filter::Any(parts) => self.joined(sql, parts, " OR ", "false"),
            Filter::Not(inner) => {
                sql.text("NOT ");
                Conditions { negated: true, ..*self }.push(sql, inner);
            }
            Filter::Holds(path, Test::Exists) => {
                sql.text("(").at(path).text(" IS NOT NULL)");
            }
            Filter::Holds(path, Test::OneOf(values)) => self.one_of(sql, path, values),
            Filter::Holds(path, Test::Compare(comparison, value)) => {
                // Of an array, jsonpath compares the elements. Types that differ compare to unknown, which is NULL here.
                let path_test = match comparison {
                    Comparison::Greater => "'$ > $v'",
                    Comparison::GreaterOrEqual => "'$ >= $v'",
                    Comparison::Less => "'$ < $v'",
                    Comparison::LessOrEqual => "'$ <= $v'",
                };
                sql.text("coalesce(jsonb_path_match(").at(path).text(", ").text(path_test).text(", ");
                sql.bind(exact(&json!({ "v": value }))).text("::jsonb, true), false)");
            }
        }
    }

    fn joined(&self, sql: &mut Sql, parts: &[Filter], word: &'static str, of_none: &'static str) {
        sql.text("(");
        for (n, part) in parts.iter().enumerate() {
            sql.text(if n > 0 { word } else { "" });
            self.push(sql, part);
        }
        sql.text(if parts.is_empty() { of_none } else { "" }).text(")");
    }

    fn one_of(&self, sql: &mut Sql, path: &Path, values: &[Value]) {
        let (maps_and_arrays, plain): (Vec<_>, Vec<_>) = values.iter().partition(|value| value.is_object() || value.is_array());
        let (nulls, scalars): (Vec<_>, Vec<_>) = plain.into_iter().partition(|value| value.is_null());
        sql.text("(false");
        if !scalars.is_empty() {
            sql.text(" OR ");
            self.one_of_scalars(sql, path, &scalars);
        }
        if !nulls.is_empty() {
            // Nothing there counts as null.
            sql.text(" OR coalesce(").at(path).text(" @> 'null', true)");
        }
        if !maps_and_arrays.is_empty() {
            let values: Vec<String> = maps_and_arrays.into_iter().map(exact).collect();
            sql.text(" OR coalesce(").at(path).text(" = ANY (").bind(values.clone()).text("::jsonb[]), false)");
            sql.text(" OR CASE jsonb_typeof(").at(path).text(") WHEN 'array' THEN EXISTS (SELECT FROM jsonb_array_elements(");
            sql.at(path).text(") AS element (value) WHERE value = ANY (").bind(values).text("::jsonb[])) ELSE false END");
        }
        sql.text(")");
    }

    /// Containment is exact for scalars: `"x"` and `["x", …]` both contain `"x"`, and nothing else does. Beneath named maps it is the
    /// index's own question: the value itself, or an array that has it.
    fn one_of_scalars(&self, sql: &mut Sql, path: &Path, scalars: &[&Value]) {
        if self.negated || path.may_index() {
            let values: Vec<String> = scalars.iter().map(|value| exact(value)).collect();
            sql.text("coalesce(").at(path).text(" @> ANY (").bind(values).text("::jsonb[]), false)");
            return;
        }
        const INDEXED: &str = "jsonb_set('{}', ARRAY[app_id::text || collection], data) @> ANY (";
        let beneath = |value: Value| {
            let inner = path.steps().iter().rev().fold(value, |inner, step| json!({ step: inner }));
            exact(&json!({ format!("{}{}", self.ground.app, self.ground.collection): inner }))
        };
        let alone: Vec<String> = scalars.iter().map(|value| beneath((*value).clone())).collect();
        let in_array: Vec<String> = scalars.iter().map(|value| beneath(json!([value]))).collect();
        sql.text(INDEXED).bind(alone).text("::jsonb[]) OR ").text(INDEXED).bind(in_array).text("::jsonb[])");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::docs::Find;

    #[test]
    fn nothing_from_outside_is_in_the_text() {
        let mark = "zq'\"\\;--";
        let filter = json!({
            mark: mark,
            format!("{mark}.{mark}"): { "$in": [mark, [mark], null, { mark: mark }], "$gt": mark, "$not": { "$lte": 77_777 } },
            "$or": [{ mark: { "$nin": [mark] } }, { "$not": { mark: { "$exists": true } } }],
            "$sort": [{ mark: 1 }, { "zq": -1 }],
        });
        let find = Find::read(filter.to_string().as_bytes()).unwrap();
        let sort = find.sort.unwrap();
        let keys = vec![KeyPlace { rank: 5, number: "0".into(), text: mark.into() }; 2];
        let after = Some(Place { keys, id: mark.into() });
        let query = Query { filter: find.filter, sort, after, limit: 10 };
        let ground = Ground { app: AppId(uuid::Uuid::max()), collection: mark };
        for text in [page_statement(ground, &query, 11, 1).into_string(), count_statement(ground, &query.filter).into_string()] {
            assert!(text.contains("documents"), "{text}");
            for foreign in ["zq", "77777", "ffff", "--", ";", "\\"] {
                assert!(!text.contains(foreign), "{foreign}: {text}");
            }
        }
    }
}
