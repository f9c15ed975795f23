//! `data_keys`.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::id::DataKeyId;
use crate::model::secret::WrappedKey;

/// All, in the order of their making.
pub async fn all(db: &mut PgConnection) -> sqlx::Result<Vec<WrappedKey>> {
    sqlx::query_as!(WrappedKey, r#"SELECT id AS "id: DataKeyId", master_key_id, wrapped FROM data_keys ORDER BY number"#)
        .fetch_all(db)
        .await
}

/// The one that was made last, which nobody deletes until the transaction ends. `None` where there is none, and where the one
/// that was the last is deleted at this moment.
pub async fn last(db: &mut PgConnection) -> sqlx::Result<Option<WrappedKey>> {
    sqlx::query_as!(
        WrappedKey,
        r#"SELECT id AS "id: DataKeyId", master_key_id, wrapped FROM data_keys ORDER BY number DESC LIMIT 1 FOR KEY SHARE"#
    )
    .fetch_optional(db)
    .await
}

/// The key, which nobody seals with until the transaction ends; waits for those that do.
pub async fn lock(db: &mut PgConnection, id: DataKeyId) -> sqlx::Result<Option<WrappedKey>> {
    sqlx::query_as!(
        WrappedKey,
        r#"SELECT id AS "id: DataKeyId", master_key_id, wrapped FROM data_keys WHERE id = $1 FOR UPDATE"#,
        id.0
    )
    .fetch_optional(db)
    .await
}

/// Until the transaction ends nobody else makes, moves or deletes a key. Secrets are read and written on.
pub async fn lock_all(db: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("LOCK TABLE data_keys IN SHARE ROW EXCLUSIVE MODE").execute(db).await?;
    Ok(())
}

pub async fn insert(db: &mut PgConnection, key: &WrappedKey, now: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO data_keys (id, master_key_id, wrapped, created_at) VALUES ($1, $2, $3, $4)",
        key.id.0,
        key.master_key_id,
        key.wrapped,
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Puts the key under another master key.
pub async fn move_to_master(db: &mut PgConnection, key: &WrappedKey) -> sqlx::Result<()> {
    sqlx::query!("UPDATE data_keys SET master_key_id = $2, wrapped = $3 WHERE id = $1", key.id.0, key.master_key_id, key.wrapped)
        .execute(db)
        .await?;
    Ok(())
}

/// Deletes a key that seals nothing any more.
pub async fn delete(db: &mut PgConnection, id: DataKeyId) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM data_keys WHERE id = $1", id.0).execute(db).await?;
    Ok(())
}
