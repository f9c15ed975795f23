//! `kv_entries`. Keys and collections are bounded and free of NUL before they come here.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::id::AppId;
use crate::model::collection::Collection;
use crate::model::event::Told;
use crate::model::kv::{Encoding, Entry, Stored, Value};
use crate::model::listing::Span;

/// Entries in key order, and how many the span would have given without the bound on bytes.
pub struct Scan {
    pub items: Vec<Entry>,
    pub found: usize,
}

/// The same with all that is known of the entries.
pub struct Browsed {
    pub items: Vec<(String, Stored)>,
    pub found: usize,
}

/// What a conditional write found, and what it made of it. Neither `written` nor the reason for it in `before`: another
/// write of the key came between; begin again.
pub struct Write {
    /// The entry before, if there was one that had not expired.
    pub before: Option<Stored>,
    /// The revision now, if it was written.
    pub written: Option<i64>,
    /// Whether an event tells of it.
    pub told: bool,
}

pub async fn get(
    db: &mut PgConnection,
    now: DateTime<Utc>,
    app: AppId,
    collection: &str,
    key: &str,
) -> sqlx::Result<Option<Stored>> {
    let row = sqlx::query!(
        "SELECT encoding, value, revision, expires_at FROM kv_entries
         WHERE app_id = $1 AND collection = $2 AND key = $3 AND (expires_at IS NULL OR expires_at > $4)",
        app.0,
        collection,
        key,
        now
    );
    let Some(row) = row.fetch_optional(db).await? else { return Ok(None) };
    stored(&row.encoding, row.value, row.revision, row.expires_at).map(Some)
}

pub async fn has(db: &mut PgConnection, now: DateTime<Utc>, app: AppId, collection: &str, key: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (
               SELECT FROM kv_entries
               WHERE app_id = $1 AND collection = $2 AND key = $3 AND (expires_at IS NULL OR expires_at > $4)
           ) AS "has!""#,
        app.0,
        collection,
        key,
        now
    )
    .fetch_one(db)
    .await
}

/// Writes an entry over what is there, if anything, and if it has the revision `if_revision` (0: nothing is there).
///
/// The row is locked where there is one, so writers of a key queue. Where there is none, and another writer makes one
/// meanwhile, nothing is written: what was there before would not be known.
#[allow(clippy::too_many_arguments, reason = "a place, a value, and how to write it")]
pub async fn set(
    db: &mut PgConnection,
    now: DateTime<Utc>,
    app: AppId,
    collection: &str,
    key: &str,
    value: &Value,
    expires_at: Option<DateTime<Utc>>,
    if_revision: Option<i64>,
    told: &Told,
) -> sqlx::Result<Write> {
    let row = sqlx::query!(
        r#"WITH old AS MATERIALIZED (
               SELECT encoding, value, revision, expires_at, (expires_at IS NULL OR expires_at > $6) AS live
               FROM kv_entries WHERE app_id = $1 AND collection = $2 AND key = $3
               FOR UPDATE
           ), written AS (
               INSERT INTO kv_entries (app_id, collection, key, encoding, value, revision, expires_at)
               SELECT $1, $2, $3, $4, $5, $8, $7
               FROM (SELECT coalesce((SELECT revision FROM old WHERE live), 0) AS revision) AS found
               WHERE found.revision = coalesce($9, found.revision)
               ON CONFLICT ON CONSTRAINT kv_entries_pkey DO UPDATE
               SET encoding = excluded.encoding, value = excluded.value, expires_at = excluded.expires_at,
                   revision = kv_entries.revision + 1
               WHERE kv_entries.revision = (SELECT revision FROM old)
               RETURNING revision, encoding, value
           ), event AS (
               INSERT INTO events (id, app_id, source, op, at, depth, request_id, trace, about)
               SELECT $10, $1, 'kv', op, $6, $11, $12, $13, kv_about($2, $3, kv_json(written.encoding, written.value), coalesce((SELECT kv_json(encoding, value) FROM old WHERE live), 'null'))
               FROM (SELECT CASE WHEN EXISTS (SELECT FROM old WHERE live) THEN 'update' ELSE 'insert' END AS op) AS done, written
               WHERE EXISTS (
                   SELECT FROM triggers
                   WHERE app_id = $1 AND kind = 'kv' AND state = 'active' AND pattern_covers(pattern, $2) AND op = ANY (ops)
               )
               RETURNING id, op
           ), outboxed AS (
               INSERT INTO outbox (event_id, app_id, source, op, name, depth, due_at)
               SELECT id, $1, 'kv', op, $2, $11, $6 FROM event RETURNING event_id
           )
           SELECT old.encoding AS "encoding?", old.value AS "value?", old.revision AS "revision?", old.expires_at AS "expires_at?",
                  written.revision AS "written?", EXISTS (SELECT FROM outboxed) AS "told!"
           FROM (SELECT) AS one LEFT JOIN old ON live LEFT JOIN written ON true"#,
        app.0,
        collection,
        key,
        word(value.encoding),
        value.bytes,
        now,
        expires_at,
        now.timestamp_micros(),
        if_revision,
        told.event.0,
        told.origin.next_depth(),
        told.origin.request_id.0,
        told.origin.trace_bytes()
    )
    .fetch_one(db)
    .await?;
    let before = before(row.encoding, row.value, row.revision, row.expires_at)?;
    Ok(Write { before, written: row.written, told: row.told })
}

/// Adds to the integer that is there, or to 0, and keeps its expiry. Writes nothing where the value is no integer, or the sum
/// is not one of 64 bits or longer than `value_bytes_max`: `before` then says so. As [`set`] otherwise.
#[allow(clippy::too_many_arguments, reason = "a place, what to add, and how")]
pub async fn increment(
    db: &mut PgConnection,
    now: DateTime<Utc>,
    app: AppId,
    collection: &str,
    key: &str,
    by: i64,
    value_bytes_max: i32,
    told: &Told,
) -> sqlx::Result<Write> {
    let row = sqlx::query!(
        r#"WITH old AS MATERIALIZED (
               SELECT encoding, value, revision, expires_at, (expires_at IS NULL OR expires_at > $4) AS live
               FROM kv_entries WHERE app_id = $1 AND collection = $2 AND key = $3
               FOR UPDATE
           ), counted AS (
               SELECT CASE
                          WHEN NOT live THEN 0
                          WHEN encoding = 'json' AND octet_length(value) <= 20
                               AND encode(value, 'escape') ~ '^(0|-?[1-9][0-9]*)$'
                          THEN encode(value, 'escape')::numeric
                      END AS base,
                      CASE WHEN live THEN expires_at END AS expires_at
               FROM old
               UNION ALL
               SELECT 0, NULL WHERE NOT EXISTS (SELECT FROM old)
           ), written AS (
               INSERT INTO kv_entries (app_id, collection, key, encoding, value, revision, expires_at)
               SELECT $1, $2, $3, 'json', convert_to((base + $5::bigint)::text, 'UTF8'), $6, expires_at
               FROM counted
               WHERE base BETWEEN -9223372036854775808 AND 9223372036854775807
                 AND base + $5::bigint BETWEEN -9223372036854775808 AND 9223372036854775807
                 AND octet_length((base + $5::bigint)::text) <= $10
               ON CONFLICT ON CONSTRAINT kv_entries_pkey DO UPDATE
               SET encoding = excluded.encoding, value = excluded.value, expires_at = excluded.expires_at,
                   revision = kv_entries.revision + 1
               WHERE kv_entries.revision = (SELECT revision FROM old)
               RETURNING revision, encoding, value
           ), event AS (
               INSERT INTO events (id, app_id, source, op, at, depth, request_id, trace, about)
               SELECT $7, $1, 'kv', op, $4, $8, $9, $11, kv_about($2, $3, kv_json(written.encoding, written.value), coalesce((SELECT kv_json(encoding, value) FROM old WHERE live), 'null'))
               FROM (SELECT CASE WHEN EXISTS (SELECT FROM old WHERE live) THEN 'update' ELSE 'insert' END AS op) AS done, written
               WHERE EXISTS (
                   SELECT FROM triggers
                   WHERE app_id = $1 AND kind = 'kv' AND state = 'active' AND pattern_covers(pattern, $2) AND op = ANY (ops)
               )
               RETURNING id, op
           ), outboxed AS (
               INSERT INTO outbox (event_id, app_id, source, op, name, depth, due_at)
               SELECT id, $1, 'kv', op, $2, $8, $4 FROM event RETURNING event_id
           )
           SELECT old.encoding AS "encoding?", old.value AS "value?", old.revision AS "revision?", old.expires_at AS "expires_at?",
                  written.revision AS "written?", EXISTS (SELECT FROM outboxed) AS "told!"
           FROM (SELECT) AS one LEFT JOIN old ON live LEFT JOIN written ON true"#,
        app.0,
        collection,
        key,
        now,
        by,
        now.timestamp_micros(),
        told.event.0,
        told.origin.next_depth(),
        told.origin.request_id.0,
        value_bytes_max,
        told.origin.trace_bytes()
    )
    .fetch_one(db)
    .await?;
    let before = before(row.encoding, row.value, row.revision, row.expires_at)?;
    Ok(Write { before, written: row.written, told: row.told })
}

/// Deletes an entry, expired or not; what was there and had not expired, and whether an event tells of it.
pub async fn delete(
    db: &mut PgConnection,
    now: DateTime<Utc>,
    app: AppId,
    collection: &str,
    key: &str,
    told: &Told,
) -> sqlx::Result<(Option<Stored>, bool)> {
    let row = sqlx::query!(
        r#"WITH old AS (
               DELETE FROM kv_entries WHERE app_id = $1 AND collection = $2 AND key = $3
               RETURNING encoding, value, revision, expires_at
           ), live AS (
               SELECT * FROM old WHERE expires_at IS NULL OR expires_at > $4
           ), event AS (
               INSERT INTO events (id, app_id, source, op, at, depth, request_id, trace, about)
               SELECT $5, $1, 'kv', 'delete', $4, $6, $7, $8, kv_about($2, $3, 'null', kv_json(live.encoding, live.value)) FROM live
               WHERE EXISTS (
                   SELECT FROM triggers
                   WHERE app_id = $1 AND kind = 'kv' AND state = 'active' AND pattern_covers(pattern, $2) AND 'delete' = ANY (ops)
               )
               RETURNING id
           ), outboxed AS (
               INSERT INTO outbox (event_id, app_id, source, op, name, depth, due_at)
               SELECT id, $1, 'kv', 'delete', $2, $6, $4 FROM event RETURNING event_id
           )
           SELECT live.encoding AS "encoding?", live.value AS "value?", live.revision AS "revision?", live.expires_at AS "expires_at?",
                  EXISTS (SELECT FROM outboxed) AS "told!"
           FROM (SELECT) AS one LEFT JOIN live ON true"#,
        app.0,
        collection,
        key,
        now,
        told.event.0,
        told.origin.next_depth(),
        told.origin.request_id.0,
        told.origin.trace_bytes()
    )
    .fetch_one(db)
    .await?;
    Ok((before(row.encoding, row.value, row.revision, row.expires_at)?, row.told))
}

/// Deletes up to `rows` entries that had expired by then, the oldest first; how many. Leaves alone what a writer holds.
pub async fn sweep(db: &mut PgConnection, expired_by: DateTime<Utc>, rows: i64) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "DELETE FROM kv_entries USING (
             SELECT app_id, collection, key FROM kv_entries
             WHERE expires_at <= $1
             ORDER BY expires_at LIMIT $2
             FOR UPDATE SKIP LOCKED
         ) AS expired
         WHERE kv_entries.app_id = expired.app_id AND kv_entries.collection = expired.collection
           AND kv_entries.key = expired.key",
        expired_by,
        rows
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// When the next entry expires, or did.
pub async fn next_expiry(db: &mut PgConnection) -> sqlx::Result<Option<DateTime<Utc>>> {
    sqlx::query_scalar!(
        r#"SELECT expires_at AS "expires_at!" FROM kv_entries WHERE expires_at IS NOT NULL ORDER BY expires_at LIMIT 1"#
    )
    .fetch_optional(db)
    .await
}

/// The first `rows` entries of a range, fewer when their values would pass `bytes_max` together, but at least one.
/// Values past the bound are neither read nor sent. Expired entries count for nothing.
pub async fn list(
    db: &mut PgConnection,
    now: DateTime<Utc>,
    app: AppId,
    collection: &str,
    span: &Span,
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
                     AND (expires_at IS NULL OR expires_at > $8)
                   ORDER BY key LIMIT $6
               ) AS page
           ) AS measured
           WHERE place = 1 OR bytes <= $7
           ORDER BY key"#,
        app.0,
        collection,
        span.from,
        span.after,
        span.before,
        rows,
        bytes_max,
        now
    )
    .fetch_all(db)
    .await?;
    let found = rows.first().map_or(0, |row| row.found);
    let items = rows
        .into_iter()
        .map(|row| Ok(Entry { key: row.key, value: Value { encoding: encoding(&row.encoding)?, bytes: row.value } }));
    Ok(Scan { items: items.collect::<sqlx::Result<_>>()?, found: super::natural("found", found)? })
}

/// An app's collections after one, by name, with how many entries they have that have not expired, and the bytes of their values.
pub async fn collections(
    db: &mut PgConnection,
    now: DateTime<Utc>,
    app: AppId,
    after: &str,
    rows: i64,
) -> sqlx::Result<Vec<Collection>> {
    let rows = sqlx::query!(
        r#"SELECT collection, count(*) AS "count!", sum(octet_length(value))::bigint AS "bytes!"
           FROM kv_entries
           WHERE app_id = $1 AND collection > $2 AND (expires_at IS NULL OR expires_at > $3)
           GROUP BY collection ORDER BY collection LIMIT $4"#,
        app.0,
        after,
        now,
        rows
    )
    .fetch_all(db)
    .await?;
    let items = rows.into_iter().map(|row| {
        let (count, bytes) = (super::natural("count", row.count)?, super::natural("bytes", row.bytes)?);
        Ok(Collection { name: row.collection, count, bytes })
    });
    items.collect()
}

/// As [`list`].
pub async fn browse(
    db: &mut PgConnection,
    now: DateTime<Utc>,
    app: AppId,
    collection: &str,
    span: &Span,
    rows: i64,
    bytes_max: i64,
) -> sqlx::Result<Browsed> {
    let rows = sqlx::query!(
        r#"SELECT key AS "key!", encoding AS "encoding!", value AS "value!", revision AS "revision!", expires_at AS "expires_at?",
                  found AS "found!"
           FROM (
               SELECT key, encoding, value, revision, expires_at, count(*) OVER () AS found,
                      row_number() OVER (ORDER BY key) AS place,
                      sum(octet_length(value)) OVER (ORDER BY key ROWS UNBOUNDED PRECEDING) AS bytes
               FROM (
                   SELECT key, encoding, value, revision, expires_at FROM kv_entries
                   WHERE app_id = $1 AND collection = $2 AND key >= $3 AND key > $4 AND key < $5
                     AND (expires_at IS NULL OR expires_at > $8)
                   ORDER BY key LIMIT $6
               ) AS page
           ) AS measured
           WHERE place = 1 OR bytes <= $7
           ORDER BY key"#,
        app.0,
        collection,
        span.from,
        span.after,
        span.before,
        rows,
        bytes_max,
        now
    )
    .fetch_all(db)
    .await?;
    let found = rows.first().map_or(0, |row| row.found);
    let items = rows.into_iter().map(|row| Ok((row.key, stored(&row.encoding, row.value, row.revision, row.expires_at)?)));
    Ok(Browsed { items: items.collect::<sqlx::Result<_>>()?, found: super::natural("found", found)? })
}

/// The entry, if it has not expired, which nobody else writes until the transaction ends.
pub async fn lock(
    db: &mut PgConnection,
    now: DateTime<Utc>,
    app: AppId,
    collection: &str,
    key: &str,
) -> sqlx::Result<Option<Stored>> {
    let row = sqlx::query!(
        "SELECT encoding, value, revision, expires_at FROM kv_entries
         WHERE app_id = $1 AND collection = $2 AND key = $3 AND (expires_at IS NULL OR expires_at > $4)
         FOR UPDATE",
        app.0,
        collection,
        key,
        now
    );
    let Some(row) = row.fetch_optional(db).await? else { return Ok(None) };
    stored(&row.encoding, row.value, row.revision, row.expires_at).map(Some)
}

fn stored(encoding: &str, value: Vec<u8>, revision: i64, expires_at: Option<DateTime<Utc>>) -> sqlx::Result<Stored> {
    Ok(Stored { value: Value { encoding: self::encoding(encoding)?, bytes: value }, revision, expires_at })
}

/// The entry on the optional side of a join.
fn before(
    encoding: Option<String>,
    value: Option<Vec<u8>>,
    revision: Option<i64>,
    expires_at: Option<DateTime<Utc>>,
) -> sqlx::Result<Option<Stored>> {
    match (encoding, value, revision) {
        (Some(encoding), Some(value), Some(revision)) => stored(&encoding, value, revision, expires_at).map(Some),
        _ => Ok(None),
    }
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
