//! `secrets`, as they are sealed.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::id::{AppId, DataKeyId};
use crate::model::secret::{About, WrappedKey};

/// A secret as it lies there.
pub struct Sealed {
    pub app_id: AppId,
    pub name: String,
    pub bytes: Vec<u8>,
}

/// The sealed value with the key that opens it, as they were at one moment.
pub async fn get(db: &mut PgConnection, app: AppId, name: &str) -> sqlx::Result<Option<(Vec<u8>, WrappedKey)>> {
    let row = sqlx::query!(
        r#"SELECT sealed, data_keys.id AS "id: DataKeyId", master_key_id, wrapped
           FROM secrets JOIN data_keys ON data_keys.id = data_key_id
           WHERE app_id = $1 AND name = $2"#,
        app.0,
        name
    );
    let Some(row) = row.fetch_optional(db).await? else { return Ok(None) };
    Ok(Some((row.sealed, WrappedKey { id: row.id, master_key_id: row.master_key_id, wrapped: row.wrapped })))
}

pub async fn has(db: &mut PgConnection, app: AppId, name: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM secrets WHERE app_id = $1 AND name = $2) AS "has!""#, app.0, name)
        .fetch_one(db)
        .await
}

pub async fn count(db: &mut PgConnection, app: AppId) -> sqlx::Result<i64> {
    sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM secrets WHERE app_id = $1"#, app.0).fetch_one(db).await
}

/// Writes a secret over what is there, if anything.
pub async fn put(
    db: &mut PgConnection,
    now: DateTime<Utc>,
    app: AppId,
    name: &str,
    key: DataKeyId,
    sealed: &[u8],
) -> sqlx::Result<About> {
    sqlx::query_as!(
        About,
        "INSERT INTO secrets (app_id, name, data_key_id, sealed, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $5)
         ON CONFLICT ON CONSTRAINT secrets_pkey DO UPDATE
         SET data_key_id = excluded.data_key_id, sealed = excluded.sealed,
             updated_at = greatest(excluded.updated_at, secrets.created_at)
         RETURNING name, created_at, updated_at",
        app.0,
        name,
        key.0,
        sealed,
        now
    )
    .fetch_one(db)
    .await
}

/// Deletes a secret; whether it was there.
pub async fn delete(db: &mut PgConnection, app: AppId, name: &str) -> sqlx::Result<bool> {
    let done = sqlx::query!("DELETE FROM secrets WHERE app_id = $1 AND name = $2", app.0, name).execute(db).await?;
    Ok(done.rows_affected() > 0)
}

/// In order of their names, after `after`.
pub async fn list(db: &mut PgConnection, app: AppId, after: &str, rows: i64) -> sqlx::Result<Vec<About>> {
    sqlx::query_as!(
        About,
        "SELECT name, created_at, updated_at FROM secrets WHERE app_id = $1 AND name > $2 ORDER BY name LIMIT $3",
        app.0,
        after,
        rows
    )
    .fetch_all(db)
    .await
}

/// How many are not under that key.
pub async fn count_not_under(db: &mut PgConnection, key: DataKeyId) -> sqlx::Result<i64> {
    sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM secrets WHERE data_key_id <> $1"#, key.0).fetch_one(db).await
}

/// Some that are under that key, locked until the transaction ends.
pub async fn some_under(db: &mut PgConnection, key: DataKeyId, rows: i64) -> sqlx::Result<Vec<Sealed>> {
    sqlx::query_as!(
        Sealed,
        r#"SELECT app_id AS "app_id: AppId", name, sealed AS bytes FROM secrets
           WHERE data_key_id = $1 ORDER BY app_id, name LIMIT $2 FOR UPDATE"#,
        key.0,
        rows
    )
    .fetch_all(db)
    .await
}

/// Puts them under another key.
pub async fn reseal(db: &mut PgConnection, key: DataKeyId, secrets: &[Sealed]) -> sqlx::Result<()> {
    let apps: Vec<Uuid> = secrets.iter().map(|secret| secret.app_id.0).collect();
    let names: Vec<String> = secrets.iter().map(|secret| secret.name.clone()).collect();
    let sealed: Vec<Vec<u8>> = secrets.iter().map(|secret| secret.bytes.clone()).collect();
    sqlx::query!(
        "UPDATE secrets SET data_key_id = $1, sealed = resealed.sealed
         FROM unnest($2::uuid[], $3::text[], $4::bytea[]) AS resealed (app_id, name, sealed)
         WHERE secrets.app_id = resealed.app_id AND secrets.name = resealed.name",
        key.0,
        &apps,
        &names,
        &sealed
    )
    .execute(db)
    .await?;
    Ok(())
}
