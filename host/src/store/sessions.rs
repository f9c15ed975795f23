//! `sessions`. Tokens are known here by their hash alone.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::id::{SessionId, UserId};
use crate::model::user::{Role, Session};

/// A session that has not ended, and who it is.
pub struct Live {
    pub id: SessionId,
    pub user_id: UserId,
    pub username: String,
    pub role: Role,
    pub last_used_at: DateTime<Utc>,
}

/// Where a login came from, as far as known.
#[derive(Debug, Clone, Copy)]
pub struct Client<'a> {
    pub address: Option<IpAddr>,
    pub user_agent: Option<&'a str>,
}

pub async fn insert(
    db: &mut PgConnection,
    id: SessionId,
    user: UserId,
    token_hash: &[u8],
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    client: Client<'_>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO sessions (id, user_id, token_hash, created_at, last_used_at, expires_at, address, user_agent)
         VALUES ($1, $2, $3, $4, $4, $5, $6, $7)",
        id.0,
        user.0,
        token_hash,
        now,
        expires_at,
        client.address.map(|address| address.to_string()),
        client.user_agent
    )
    .execute(db)
    .await
    .map(drop)
}

/// The session of a token, if it has not expired and its person may log in.
pub async fn live(db: &mut PgConnection, token_hash: &[u8], now: DateTime<Utc>) -> sqlx::Result<Option<Live>> {
    let row = sqlx::query!(
        r#"SELECT s.id AS "id: SessionId", u.id AS "user_id: UserId", u.username, u.role, s.last_used_at
           FROM sessions s JOIN users u ON u.id = s.user_id
           WHERE s.token_hash = $1 AND s.expires_at > $2 AND u.deactivated_at IS NULL"#,
        token_hash,
        now
    );
    let Some(row) = row.fetch_optional(db).await? else { return Ok(None) };
    Ok(Some(Live {
        id: row.id,
        user_id: row.user_id,
        username: row.username,
        role: super::word("role", &row.role, Role::from_word)?,
        last_used_at: row.last_used_at,
    }))
}

/// Whether a session has not ended.
pub async fn is_live(db: &mut PgConnection, id: SessionId, now: DateTime<Utc>) -> sqlx::Result<bool> {
    sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM sessions WHERE id = $1 AND expires_at > $2) AS "live!""#, id.0, now)
        .fetch_one(db)
        .await
}

/// Notes a use. Never moves back: nodes' clocks differ.
pub async fn touch(db: &mut PgConnection, id: SessionId, now: DateTime<Utc>, expires_at: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE sessions SET last_used_at = $2, expires_at = $3 WHERE id = $1 AND last_used_at < $2",
        id.0,
        now,
        expires_at
    )
    .execute(db)
    .await
    .map(drop)
}

/// A person's sessions that have not expired, newest first.
pub async fn of_user(db: &mut PgConnection, user: UserId, now: DateTime<Utc>) -> sqlx::Result<Vec<Session>> {
    sqlx::query_as!(
        Session,
        r#"SELECT id AS "id: SessionId", created_at, last_used_at, expires_at, address, user_agent FROM sessions
           WHERE user_id = $1 AND expires_at > $2 ORDER BY id DESC"#,
        user.0,
        now
    )
    .fetch_all(db)
    .await
}

/// Ends a session of that person; whether there was one.
pub async fn end(db: &mut PgConnection, user: UserId, id: SessionId) -> sqlx::Result<bool> {
    let done = sqlx::query!("DELETE FROM sessions WHERE id = $1 AND user_id = $2", id.0, user.0).execute(db).await?;
    Ok(done.rows_affected() > 0)
}

/// Ends all of a person's sessions, but for one, if one is named.
pub async fn end_all(db: &mut PgConnection, user: UserId, but: Option<SessionId>) -> sqlx::Result<u64> {
    let done = sqlx::query!("DELETE FROM sessions WHERE user_id = $1 AND id IS DISTINCT FROM $2", user.0, but.map(|id| id.0));
    Ok(done.execute(db).await?.rows_affected())
}

/// Ends a person's expired sessions, and the oldest of the others, so that at most `keep` are left.
pub async fn sweep(db: &mut PgConnection, user: UserId, now: DateTime<Utc>, keep: i64) -> sqlx::Result<()> {
    sqlx::query!(
        "DELETE FROM sessions WHERE user_id = $1 AND (expires_at <= $2 OR id IN (
            SELECT id FROM sessions WHERE user_id = $1 AND expires_at > $2 ORDER BY id DESC OFFSET $3))",
        user.0,
        now,
        keep
    )
    .execute(db)
    .await
    .map(drop)
}
