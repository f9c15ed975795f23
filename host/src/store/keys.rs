//! `api_keys`. Tokens are known here by their prefix and their hash.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::id::{ApiKeyId, AppId, UserId};
use crate::model::access::{Scope, Scopes};
use crate::model::api_key::ApiKey;
use crate::model::user::Role;

/// A key that may be used, and who it is.
pub struct Live {
    pub id: ApiKeyId,
    pub token_hash: Vec<u8>,
    pub user_id: UserId,
    pub username: String,
    pub role: Role,
    pub scopes: Scopes,
    pub app_id: Option<AppId>,
    pub last_used_at: Option<DateTime<Utc>>,
}

struct Row {
    id: ApiKeyId,
    user_id: UserId,
    name: String,
    prefix: String,
    scopes: Vec<String>,
    app_id: Option<AppId>,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    last_used_at: Option<DateTime<Utc>>,
}

impl Row {
    fn key(self) -> sqlx::Result<ApiKey> {
        let Self { id, user_id, name, prefix, scopes, app_id, created_at, expires_at, last_used_at } = self;
        Ok(ApiKey { id, user_id, name, prefix, scopes: read(&scopes)?, app_id, created_at, expires_at, last_used_at })
    }
}

fn read(scopes: &[String]) -> sqlx::Result<Scopes> {
    scopes.iter().map(|word| super::word("scopes", word, Scope::from_word)).collect()
}

pub async fn insert(db: &mut PgConnection, key: &ApiKey, token_hash: &[u8]) -> sqlx::Result<()> {
    let scopes: Vec<_> = key.scopes.iter().map(|scope| scope.as_str().to_owned()).collect();
    sqlx::query!(
        "INSERT INTO api_keys (id, user_id, name, prefix, token_hash, scopes, app_id, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        key.id.0,
        key.user_id.0,
        key.name,
        key.prefix,
        token_hash,
        &scopes,
        key.app_id.map(|id| id.0),
        key.created_at,
        key.expires_at
    )
    .execute(db)
    .await
    .map(drop)
}

/// The key of a prefix, if it has neither expired nor been taken back and its person may log in. Whether it is the one that was
/// presented, the hash must tell.
pub async fn live(db: &mut PgConnection, prefix: &str, now: DateTime<Utc>) -> sqlx::Result<Option<Live>> {
    let row = sqlx::query!(
        r#"SELECT k.id AS "id: ApiKeyId", k.token_hash, k.scopes, k.app_id AS "app_id: AppId", k.last_used_at,
                  u.id AS "user_id: UserId", u.username, u.role
           FROM api_keys k JOIN users u ON u.id = k.user_id
           WHERE k.prefix = $1 AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > $2)
                 AND u.deactivated_at IS NULL"#,
        prefix,
        now
    );
    let Some(row) = row.fetch_optional(db).await? else { return Ok(None) };
    Ok(Some(Live {
        id: row.id,
        token_hash: row.token_hash,
        user_id: row.user_id,
        username: row.username,
        role: super::word("role", &row.role, Role::from_word)?,
        scopes: read(&row.scopes)?,
        app_id: row.app_id,
        last_used_at: row.last_used_at,
    }))
}

/// Whether a key has neither expired nor been taken back.
pub async fn is_live(db: &mut PgConnection, id: ApiKeyId, now: DateTime<Utc>) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (
               SELECT FROM api_keys WHERE id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)
           ) AS "live!""#,
        id.0,
        now
    )
    .fetch_one(db)
    .await
}

/// Notes a use. Never moves back: nodes' clocks differ.
pub async fn touch(db: &mut PgConnection, id: ApiKeyId, now: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE api_keys SET last_used_at = greatest($2, created_at)
         WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2)",
        id.0,
        now
    )
    .execute(db)
    .await
    .map(drop)
}

/// A person's keys that were not taken back, expired ones among them, in order of creation.
pub async fn of_user(db: &mut PgConnection, user: UserId, after: Option<Uuid>, rows: i64) -> sqlx::Result<Vec<ApiKey>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: ApiKeyId", user_id AS "user_id: UserId", name, prefix, scopes, app_id AS "app_id: AppId", created_at,
                  expires_at, last_used_at
           FROM api_keys WHERE user_id = $1 AND id > $2 AND revoked_at IS NULL ORDER BY id LIMIT $3"#,
        user.0,
        after.unwrap_or(Uuid::nil()),
        rows
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(Row::key).collect()
}

pub async fn get(db: &mut PgConnection, user: UserId, id: ApiKeyId) -> sqlx::Result<Option<ApiKey>> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: ApiKeyId", user_id AS "user_id: UserId", name, prefix, scopes, app_id AS "app_id: AppId", created_at,
                  expires_at, last_used_at
           FROM api_keys WHERE user_id = $1 AND id = $2 AND revoked_at IS NULL"#,
        user.0,
        id.0
    );
    row.fetch_optional(db).await?.map(Row::key).transpose()
}

/// How many keys of a person were not taken back.
pub async fn count(db: &mut PgConnection, user: UserId) -> sqlx::Result<i64> {
    sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM api_keys WHERE user_id = $1 AND revoked_at IS NULL"#, user.0)
        .fetch_one(db)
        .await
}

/// Takes a key back, for good; whether there was one.
pub async fn revoke(db: &mut PgConnection, user: UserId, id: ApiKeyId, now: DateTime<Utc>) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "UPDATE api_keys SET revoked_at = greatest($3, created_at) WHERE user_id = $1 AND id = $2 AND revoked_at IS NULL",
        user.0,
        id.0,
        now
    );
    Ok(done.execute(db).await?.rows_affected() > 0)
}

/// Takes back all keys of a person.
pub async fn revoke_all(db: &mut PgConnection, user: UserId, now: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE api_keys SET revoked_at = greatest($2, created_at) WHERE user_id = $1 AND revoked_at IS NULL",
        user.0,
        now
    )
    .execute(db)
    .await
    .map(drop)
}
