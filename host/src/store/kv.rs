//! `kv_entries`. Keys and collections are bounded and free of NUL before they come here.

use sqlx::PgConnection;

use crate::id::AppId;
use crate::model::kv::{Encoding, Entry, Value};

/// The part of a collection's keys to read, bytewise: from `from` on, after `after`, before `before`.
pub struct Range<'a> {
    pub from: &'a str,
    pub after: &'a str,
    pub before: &'a str,
}

/// Entries in key order, and how many the range would have given without the bound on bytes.
pub struct Scan {
    pub items: Vec<Entry>,
    pub found: usize,
}

pub async fn get(db: &mut PgConnection, app: AppId, collection: &str, key: &str) -> sqlx::Result<Option<Value>> {
    let row = sqlx::query!(
        "SELECT encoding, value FROM kv_entries WHERE app_id = $1 AND collection = $2 AND key = $3",
        app.0,
        collection,
        key
    );
    let Some(row) = row.fetch_optional(db).await? else { return Ok(None) };
    Ok(Some(Value { encoding: encoding(&row.encoding)?, bytes: row.value }))
}

pub async fn has(db: &mut PgConnection, app: AppId, collection: &str, key: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM kv_entries WHERE app_id = $1 AND collection = $2 AND key = $3) AS "has!""#,
        app.0,
        collection,
        key
    )
    .fetch_one(db)
    .await
}

/// Writes an entry over what is there, if anything; the entry's new revision.
pub async fn set(db: &mut PgConnection, app: AppId, collection: &str, key: &str, value: &Value) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        "INSERT INTO kv_entries (app_id, collection, key, encoding, value, revision)
         VALUES ($1, $2, $3, $4, $5, 1)
         ON CONFLICT ON CONSTRAINT kv_entries_pkey DO UPDATE
         SET encoding = excluded.encoding, value = excluded.value, revision = kv_entries.revision + 1
         RETURNING revision",
        app.0,
        collection,
        key,
        word(value.encoding),
        value.bytes
    )
    .fetch_one(db)
    .await
}

/// Deletes an entry; whether it was there.
pub async fn delete(db: &mut PgConnection, app: AppId, collection: &str, key: &str) -> sqlx::Result<bool> {
    let done = sqlx::query!("DELETE FROM kv_entries WHERE app_id = $1 AND collection = $2 AND key = $3", app.0, collection, key)
        .execute(db)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// The first `rows` entries of a range, fewer when their values would pass `bytes_max` together, but at least one.
/// Values past the bound are neither read nor sent.
pub async fn list(
    db: &mut PgConnection,
    app: AppId,
    collection: &str,
    range: &Range<'_>,
    rows: i64,
    bytes_max: i64,
) -> sqlx::Result<Scan> {
    let rows = sqlx::query!(
        r#"SELECT key AS "key!", encoding AS "encoding!", value AS "value!", found AS "found!"
           FROM (
               SELECT key, encoding, value, count(*) OVER () AS found,
                      row_number() OVER (ORDER BY key) AS place,
                      sum(octet_length(value)) OVER (ORDER BY key ROWS UNBOUNDED PRECEDING) AS bytes
               FROM (
                   SELECT key, encoding, value FROM kv_entries
                   WHERE app_id = $1 AND collection = $2 AND key >= $3 AND key > $4 AND key < $5
                   ORDER BY key LIMIT $6
               ) AS page
           ) AS measured
           WHERE place = 1 OR bytes <= $7
           ORDER BY key"#,
        app.0,
        collection,
        range.from,
        range.after,
        range.before,
        rows,
        bytes_max
    )
    .fetch_all(db)
    .await?;
    let found = rows.first().map_or(0, |row| row.found);
    let items = rows
        .into_iter()
        .map(|row| Ok(Entry { key: row.key, value: Value { encoding: encoding(&row.encoding)?, bytes: row.value } }));
    Ok(Scan { items: items.collect::<sqlx::Result<_>>()?, found: super::natural("found", found)? })
}

fn word(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Json => "json",
        Encoding::Blob => "blob",
    }
}

fn encoding(text: &str) -> sqlx::Result<Encoding> {
    super::word("encoding", text, |text| [Encoding::Json, Encoding::Blob].into_iter().find(|e| word(*e) == text))
}
