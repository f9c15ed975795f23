//! `idempotency_keys`.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::types::Json;

use super::natural;
use crate::id::UserId;
use crate::model::idempotency::{Kept, Stored};

/// Whether the key was free.
pub async fn insert(
    db: &mut PgConnection,
    user: UserId,
    key: &[u8],
    fingerprint: &[u8],
    now: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "INSERT INTO idempotency_keys (user_id, key_hash, fingerprint, created_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT ON CONSTRAINT idempotency_keys_pkey DO NOTHING",
        user.0,
        key,
        fingerprint,
        now
    );
    Ok(done.execute(db).await?.rows_affected() > 0)
}

pub async fn get(db: &mut PgConnection, user: UserId, key: &[u8]) -> sqlx::Result<Option<Stored>> {
    let row = sqlx::query!(
        r#"SELECT fingerprint, status, headers AS "headers: Json<Vec<(String, String)>>", body
           FROM idempotency_keys WHERE user_id = $1 AND key_hash = $2"#,
        user.0,
        key
    );
    let Some(row) = row.fetch_optional(db).await? else { return Ok(None) };
    let kept = match (row.status, row.headers) {
        (Some(status), Some(Json(headers))) => Some(Kept { status: natural("status", status)?, headers, body: row.body }),
        _ => None,
    };
    Ok(Some(Stored { fingerprint: row.fingerprint, kept }))
}

/// How many keys of a person are not older than `since`.
pub async fn count(db: &mut PgConnection, user: UserId, since: DateTime<Utc>) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM idempotency_keys WHERE user_id = $1 AND created_at >= $2"#,
        user.0,
        since
    )
    .fetch_one(db)
    .await
}

pub async fn keep(db: &mut PgConnection, user: UserId, key: &[u8], kept: &Kept) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE idempotency_keys SET status = $3, headers = $4, body = $5 WHERE user_id = $1 AND key_hash = $2",
        user.0,
        key,
        i32::from(kept.status),
        Json(&kept.headers) as _,
        kept.body
    )
    .execute(db)
    .await
    .map(drop)
}

pub async fn delete(db: &mut PgConnection, user: UserId, key: &[u8]) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM idempotency_keys WHERE user_id = $1 AND key_hash = $2", user.0, key).execute(db).await.map(drop)
}

/// Forgets that key if it is older than `since`.
pub async fn forget(db: &mut PgConnection, user: UserId, key: &[u8], since: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM idempotency_keys WHERE user_id = $1 AND key_hash = $2 AND created_at < $3", user.0, key, since)
        .execute(db)
        .await
        .map(drop)
}

/// Forgets keys that are older than `before`, `rows` of them at most; how many.
pub async fn sweep(db: &mut PgConnection, before: DateTime<Utc>, rows: i64) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "DELETE FROM idempotency_keys WHERE (user_id, key_hash) IN (
             SELECT user_id, key_hash FROM idempotency_keys WHERE created_at < $1 ORDER BY created_at LIMIT $2
             FOR UPDATE SKIP LOCKED)",
        before,
        rows
    );
    Ok(done.execute(db).await?.rows_affected())
}
