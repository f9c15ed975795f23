//! `audit_log` and `audit_head`. Rows are added and never changed; the database refuses it too.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::id::{AppId, RequestId, UserId};
use crate::model::audit::{Hash, Proof, Row};

/// A row with the hashes that are stored beside it.
#[derive(Debug)]
pub struct Stored {
    pub row: Row,
    pub previous_hash: Vec<u8>,
    pub hash: Vec<u8>,
}

struct Raw {
    seq: i64,
    at: DateTime<Utc>,
    user_id: Option<UserId>,
    username: Option<String>,
    credential: String,
    credential_id: Option<Uuid>,
    address: Option<String>,
    request_id: Option<RequestId>,
    app_id: Option<AppId>,
    action: String,
    target: String,
    before: Option<String>,
    after: Option<String>,
    previous_hash: Vec<u8>,
    hash: Vec<u8>,
}

impl Raw {
    fn stored(self) -> sqlx::Result<Stored> {
        let row = Row {
            seq: self.seq,
            at: self.at,
            user_id: self.user_id,
            username: self.username,
            credential: super::word("credential", &self.credential, Proof::from_word)?,
            credential_id: self.credential_id,
            address: self.address,
            request_id: self.request_id,
            app_id: self.app_id,
            action: self.action,
            target: self.target,
            before: self.before,
            after: self.after,
        };
        Ok(Stored { row, previous_hash: self.previous_hash, hash: self.hash })
    }
}

/// Where the chain ends. Nobody else appends until the transaction ends.
pub async fn lock_head(db: &mut PgConnection) -> sqlx::Result<(i64, Vec<u8>)> {
    let head = sqlx::query!("SELECT seq, hash FROM audit_head FOR UPDATE").fetch_one(db).await?;
    Ok((head.seq, head.hash))
}

/// The same, for who only looks.
pub async fn head(db: &mut PgConnection) -> sqlx::Result<(i64, Vec<u8>)> {
    let head = sqlx::query!("SELECT seq, hash FROM audit_head").fetch_one(db).await?;
    Ok((head.seq, head.hash))
}

/// Adds the row that follows the head, and moves the head to it.
pub async fn append(db: &mut PgConnection, row: &Row, previous: &[u8], hash: &Hash) -> sqlx::Result<()> {
    sqlx::query!(
        "WITH moved AS (UPDATE audit_head SET seq = $1, hash = $15)
         INSERT INTO audit_log (seq, at, user_id, username, credential, credential_id, address, request_id, app_id, action, target,
                                before, after, previous_hash, hash)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
        row.seq,
        row.at,
        row.user_id.map(|id| id.0),
        row.username,
        row.credential.as_str(),
        row.credential_id,
        row.address,
        row.request_id.map(|id| id.0),
        row.app_id.map(|id| id.0),
        row.action,
        row.target,
        row.before,
        row.after,
        previous,
        hash.as_slice()
    )
    .execute(db)
    .await
    .map(drop)
}

/// All rows, or an app's, newest first, older than `before`.
pub async fn list(db: &mut PgConnection, app: Option<AppId>, before: Option<i64>, rows: i64) -> sqlx::Result<Vec<Stored>> {
    let rows = sqlx::query_as!(
        Raw,
        r#"SELECT seq, at, user_id AS "user_id: UserId", username, credential, credential_id, address,
                  request_id AS "request_id: RequestId", app_id AS "app_id: AppId", action, target, before, after, previous_hash,
                  hash
           FROM audit_log WHERE ($1::uuid IS NULL OR app_id = $1) AND seq < $2 ORDER BY seq DESC LIMIT $3"#,
        app.map(|id| id.0),
        before.unwrap_or(i64::MAX),
        rows
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(Raw::stored).collect()
}

/// Rows in the order of the chain, after `after`.
pub async fn chain(db: &mut PgConnection, after: i64, rows: i64) -> sqlx::Result<Vec<Stored>> {
    let rows = sqlx::query_as!(
        Raw,
        r#"SELECT seq, at, user_id AS "user_id: UserId", username, credential, credential_id, address,
                  request_id AS "request_id: RequestId", app_id AS "app_id: AppId", action, target, before, after, previous_hash,
                  hash
           FROM audit_log WHERE seq > $1 ORDER BY seq LIMIT $2"#,
        after,
        rows
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(Raw::stored).collect()
}
