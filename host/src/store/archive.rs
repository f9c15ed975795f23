//! What an archive is made of and what it becomes: rows of an app in the order in which it has them, and many rows at once.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use crate::id::{AppId, BlobId, ScriptId};
use crate::model::archive::{DocumentEntry, KvEntry};
use crate::model::kv::{Encoding, Value};
use crate::model::script::{Kind, Limits};

/// Held shared by whoever is about to commit an app whose blobs are on the disk already.
const IMPORTS: i64 = 0x7069_636c_6f75_6401;

/// A script without its versions.
#[derive(Debug)]
pub struct ScriptRow {
    pub id: ScriptId,
    pub name: String,
    pub kind: Kind,
    pub description: String,
    pub active: i32,
    pub created_at: DateTime<Utc>,
}

/// By name.
pub async fn scripts(db: &mut PgConnection, app: AppId, rows: i64) -> sqlx::Result<Vec<ScriptRow>> {
    let rows = sqlx::query!(
        r#"SELECT id AS "id: ScriptId", name, kind, description, active_version, created_at
           FROM scripts WHERE app_id = $1 ORDER BY name LIMIT $2"#,
        app.0,
        rows
    )
    .fetch_all(db)
    .await?;
    let scripts = rows.into_iter().map(|row| {
        Ok(ScriptRow {
            id: row.id,
            name: row.name,
            kind: super::word("kind", &row.kind, Kind::from_word)?,
            description: row.description,
            active: row.active_version,
            created_at: row.created_at,
        })
    });
    scripts.collect()
}

/// A version without its source.
#[derive(Debug)]
pub struct VersionRow {
    pub script_id: ScriptId,
    pub number: i32,
    pub digest: String,
    pub limits: Limits,
    pub created_at: DateTime<Utc>,
    pub source_bytes: u64,
}

/// Those of all scripts of an app, each script's by number.
pub async fn versions(db: &mut PgConnection, app: AppId, rows: i64) -> sqlx::Result<Vec<VersionRow>> {
    let rows = sqlx::query!(
        r#"SELECT v.script_id AS "script_id: ScriptId", v.number, v.digest, v.limits AS "limits: Json<Limits>", v.created_at,
                  octet_length(v.source) AS "source_bytes!"
           FROM scripts s JOIN script_versions v ON v.app_id = s.app_id AND v.script_id = s.id
           WHERE s.app_id = $1 ORDER BY s.name, v.number LIMIT $2"#,
        app.0,
        rows
    )
    .fetch_all(db)
    .await?;
    let versions = rows.into_iter().map(|row| {
        Ok(VersionRow {
            script_id: row.script_id,
            number: row.number,
            digest: row.digest,
            limits: row.limits.0,
            created_at: row.created_at,
            source_bytes: super::natural("source_bytes", row.source_bytes)?,
        })
    });
    versions.collect()
}

/// The source of a version.
pub async fn source(db: &mut PgConnection, script: ScriptId, number: i32) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!("SELECT source FROM script_versions WHERE script_id = $1 AND number = $2", script.0, number)
        .fetch_optional(db)
        .await
}

/// Entries that have not expired, after a collection and a key; at most `rows`, and fewer when their values would pass
/// `bytes_max` together, but at least one.
pub async fn kv(
    db: &mut PgConnection,
    now: DateTime<Utc>,
    app: AppId,
    after: (&str, &str),
    rows: i64,
    bytes_max: i64,
) -> sqlx::Result<Vec<KvEntry>> {
    let rows = sqlx::query!(
        r#"SELECT collection AS "collection!", key AS "key!", encoding AS "encoding!", value AS "value!",
                  expires_at AS "expires_at?"
           FROM (
               SELECT collection, key, encoding, value, expires_at, row_number() OVER listed AS place,
                      sum(octet_length(value)) OVER listed AS total
               FROM (
                   SELECT collection, key, encoding, value, expires_at FROM kv_entries
                   WHERE app_id = $1 AND (collection, key) > ($2, $3) AND (expires_at IS NULL OR expires_at > $4)
                   ORDER BY collection, key LIMIT $5
               ) AS page
               WINDOW listed AS (ORDER BY collection, key ROWS UNBOUNDED PRECEDING)
           ) AS measured
           WHERE place = 1 OR total <= $6
           ORDER BY collection, key"#,
        app.0,
        after.0,
        after.1,
        now,
        rows,
        bytes_max
    )
    .fetch_all(db)
    .await?;
    let encoding = |text: &str| match text {
        "json" => Some(Encoding::Json),
        "blob" => Some(Encoding::Blob),
        _ => None,
    };
    let entries = rows.into_iter().map(|row| {
        let value = Value { encoding: super::word("encoding", &row.encoding, encoding)?, bytes: row.value };
        Ok(KvEntry { collection: row.collection, key: row.key, value, expires_at: row.expires_at })
    });
    entries.collect()
}

/// A document, its data as the database gives it.
#[derive(Debug)]
pub struct DocumentRow {
    pub collection: String,
    pub id: String,
    pub data: String,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// Documents after a collection and an id, bounded as [`kv`].
pub async fn documents(
    db: &mut PgConnection,
    app: AppId,
    after: (&str, &str),
    rows: i64,
    bytes_max: i64,
) -> sqlx::Result<Vec<DocumentRow>> {
    sqlx::query_as!(
        DocumentRow,
        r#"SELECT collection AS "collection!", id AS "id!", data::text AS "data!", created_at AS "created_at!",
                  updated_at AS "updated_at!"
           FROM (
               SELECT collection, id, data, created_at, updated_at, row_number() OVER listed AS place,
                      sum(bytes) OVER listed AS total
               FROM (
                   SELECT collection, id, data, created_at, updated_at, bytes FROM documents
                   WHERE app_id = $1 AND (collection, id) > ($2, $3)
                   ORDER BY collection, id LIMIT $4
               ) AS page
               WINDOW listed AS (ORDER BY collection, id ROWS UNBOUNDED PRECEDING)
           ) AS measured
           WHERE place = 1 OR total <= $5
           ORDER BY collection, id"#,
        app.0,
        after.0,
        after.1,
        rows,
        bytes_max
    )
    .fetch_all(db)
    .await
}

/// What is known of a file, and the blob that holds it.
#[derive(Debug)]
pub struct FileRow {
    pub collection: String,
    pub name: String,
    pub content_type: String,
    pub blob_id: BlobId,
    pub size_bytes: u64,
    pub sha256: [u8; 32],
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// Files after a collection and a name.
pub async fn files(db: &mut PgConnection, app: AppId, after: (&str, &str), rows: i64) -> sqlx::Result<Vec<FileRow>> {
    let rows = sqlx::query!(
        r#"SELECT collection, name, content_type, blob_id AS "blob_id: BlobId", size_bytes, sha256, created_at, updated_at
           FROM files WHERE app_id = $1 AND (collection, name) > ($2, $3)
           ORDER BY collection, name LIMIT $4"#,
        app.0,
        after.0,
        after.1,
        rows
    )
    .fetch_all(db)
    .await?;
    let files = rows.into_iter().map(|row| {
        let sha256 = row.sha256.as_slice().try_into().map_err(|_| super::unreadable("sha256", row.sha256.len()))?;
        Ok(FileRow {
            collection: row.collection,
            name: row.name,
            content_type: row.content_type,
            blob_id: row.blob_id,
            size_bytes: super::natural("size_bytes", row.size_bytes)?,
            sha256,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    });
    files.collect()
}

/// Adds entries to an app that has none of them. No event tells of it.
pub async fn insert_kv(db: &mut PgConnection, app: AppId, entries: &[KvEntry], revision: i64) -> sqlx::Result<()> {
    let texts = |of: fn(&KvEntry) -> &str| entries.iter().map(|entry| of(entry).to_owned()).collect::<Vec<String>>();
    let (collections, keys) = (texts(|entry| &entry.collection), texts(|entry| &entry.key));
    let encodings = texts(|entry| match entry.value.encoding {
        Encoding::Json => "json",
        Encoding::Blob => "blob",
    });
    let values: Vec<Vec<u8>> = entries.iter().map(|entry| entry.value.bytes.clone()).collect();
    let expiries: Vec<Option<DateTime<Utc>>> = entries.iter().map(|entry| entry.expires_at).collect();
    sqlx::query!(
        "INSERT INTO kv_entries (app_id, collection, key, encoding, value, revision, expires_at)
         SELECT $1::uuid, collection, key, encoding, value, $7::bigint, expires_at
         FROM unnest($2::text[], $3::text[], $4::text[], $5::bytea[], $6::timestamptz[])
              AS entry (collection, key, encoding, value, expires_at)",
        app.0,
        &collections,
        &keys,
        &encodings,
        &values,
        &expiries as &[Option<DateTime<Utc>>],
        revision
    )
    .execute(db)
    .await
    .map(drop)
}

/// Adds documents to an app that has none of them. No event tells of it.
pub async fn insert_documents(db: &mut PgConnection, app: AppId, documents: &[DocumentEntry], revision: i64) -> sqlx::Result<()> {
    let texts = |of: fn(&DocumentEntry) -> &str| documents.iter().map(|entry| of(entry).to_owned()).collect::<Vec<String>>();
    let (collections, ids) = (texts(|entry| &entry.collection), texts(|entry| &entry.id));
    let data = texts(|entry| entry.data.as_stored());
    let bytes: Vec<i32> = data.iter().map(|data| i32::try_from(data.len()).unwrap_or(i32::MAX)).collect();
    let (created, updated): (Vec<_>, Vec<_>) = documents.iter().map(|entry| (entry.created_at, entry.updated_at)).unzip();
    sqlx::query!(
        "INSERT INTO documents (app_id, collection, id, data, bytes, revision, created_at, updated_at)
         SELECT $1::uuid, collection, id, data::jsonb, bytes, $8::bigint, created_at, updated_at
         FROM unnest($2::text[], $3::text[], $4::text[], $5::integer[], $6::timestamptz[], $7::timestamptz[])
              AS document (collection, id, data, bytes, created_at, updated_at)",
        app.0,
        &collections,
        &ids,
        &data,
        &bytes,
        &created,
        &updated,
        revision
    )
    .execute(db)
    .await
    .map(drop)
}

/// What versions reach with their modules.
pub async fn put_capabilities(
    db: &mut PgConnection,
    app: AppId,
    versions: &[(ScriptId, i32)],
    capabilities: &[Vec<String>],
) -> sqlx::Result<()> {
    // Arrays of arrays would have to be of one length: a word never holds a space.
    let words: Vec<String> = capabilities.iter().map(|words| words.join(" ")).collect();
    let (ids, numbers): (Vec<Uuid>, Vec<i32>) = versions.iter().map(|(id, number)| (id.0, *number)).unzip();
    sqlx::query!(
        "UPDATE script_versions SET capabilities = string_to_array(reached.words, ' ')
         FROM unnest($2::uuid[], $3::integer[], $4::text[]) AS reached (script_id, number, words)
         WHERE script_versions.app_id = $1 AND script_versions.script_id = reached.script_id
           AND script_versions.number = reached.number",
        app.0,
        &ids,
        &numbers,
        &words
    )
    .execute(db)
    .await
    .map(drop)
}

/// Says, until the transaction ends, that an app may be about to be there whose blobs are there already.
pub async fn announce_import(db: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!(r#"SELECT pg_advisory_xact_lock_shared($1) IS NULL AS "announced""#, IMPORTS).fetch_one(db).await?;
    Ok(())
}

/// Whether nobody says so, nor will until the transaction ends: then an app that is not there will not come.
pub async fn no_import(db: &mut PgConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar!(r#"SELECT pg_try_advisory_xact_lock($1) AS "is_free!""#, IMPORTS).fetch_one(db).await
}
