//! `documents`. Names and ids are bounded and free of NUL before they come here, and data is as `model::docs` writes it.

pub mod search;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::id::AppId;
use crate::model::collection::Collection;
use crate::model::docs::{Data, Document, shown};

/// Where a document stands.
#[derive(Debug, Clone, Copy)]
pub struct Spot<'a> {
    pub app: AppId,
    pub collection: &'a str,
    pub id: &'a str,
}

/// Adds a document; its first revision, or none when the id is taken.
pub async fn insert(db: &mut PgConnection, now: DateTime<Utc>, spot: Spot<'_>, data: &Data) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar!(
        "INSERT INTO documents (app_id, collection, id, data, bytes, revision, created_at, updated_at)
         VALUES ($1, $2, $3, $4::text::jsonb, $5, $6, $7, $7)
         ON CONFLICT ON CONSTRAINT documents_pkey DO NOTHING
         RETURNING revision",
        spot.app.0,
        spot.collection,
        spot.id,
        data.as_stored(),
        bytes(data),
        now.timestamp_micros(),
        now
    )
    .fetch_optional(db)
    .await
}

pub async fn get(db: &mut PgConnection, spot: Spot<'_>) -> sqlx::Result<Option<Document>> {
    let row = sqlx::query_as!(
        Document,
        r#"SELECT id, data::text AS "data!", revision, created_at, updated_at
           FROM documents WHERE app_id = $1 AND collection = $2 AND id = $3"#,
        spot.app.0,
        spot.collection,
        spot.id
    );
    Ok(row.fetch_optional(db).await?.map(readable))
}

/// The document, which nobody else writes until the transaction ends.
pub async fn lock(db: &mut PgConnection, spot: Spot<'_>) -> sqlx::Result<Option<Document>> {
    let row = sqlx::query_as!(
        Document,
        r#"SELECT id, data::text AS "data!", revision, created_at, updated_at
           FROM documents WHERE app_id = $1 AND collection = $2 AND id = $3 FOR UPDATE"#,
        spot.app.0,
        spot.collection,
        spot.id
    );
    Ok(row.fetch_optional(db).await?.map(readable))
}

/// Writes over a locked document; its new revision, and the time of the write, which never goes back.
pub async fn update(
    db: &mut PgConnection,
    now: DateTime<Utc>,
    spot: Spot<'_>,
    data: &Data,
) -> sqlx::Result<(i64, DateTime<Utc>)> {
    let row = sqlx::query!(
        "UPDATE documents SET data = $4::text::jsonb, bytes = $5, revision = revision + 1, updated_at = greatest($6, updated_at)
         WHERE app_id = $1 AND collection = $2 AND id = $3
         RETURNING revision, updated_at",
        spot.app.0,
        spot.collection,
        spot.id,
        data.as_stored(),
        bytes(data),
        now
    )
    .fetch_one(db)
    .await?;
    Ok((row.revision, row.updated_at))
}

/// Deletes a document.
pub async fn delete(db: &mut PgConnection, spot: Spot<'_>) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM documents WHERE app_id = $1 AND collection = $2 AND id = $3", spot.app.0, spot.collection, spot.id)
        .execute(db)
        .await
        .map(drop)
}

/// An app's collections after one, by name, with how many documents they have, and the bytes of their data.
pub async fn collections(db: &mut PgConnection, app: AppId, after: &str, rows: i64) -> sqlx::Result<Vec<Collection>> {
    let rows = sqlx::query!(
        r#"SELECT collection, count(*) AS "count!", sum(bytes)::bigint AS "bytes!"
           FROM documents
           WHERE app_id = $1 AND collection > $2
           GROUP BY collection ORDER BY collection LIMIT $3"#,
        app.0,
        after,
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

/// With its data as programs write it.
fn readable(mut document: Document) -> Document {
    document.data = shown(&document.data);
    document
}

fn bytes(data: &Data) -> i32 {
    i32::try_from(data.as_stored().len()).unwrap_or(i32::MAX)
}
