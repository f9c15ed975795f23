//! `subscriber_tokens`. Tokens are known here by their hash.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::id::{AppId, ScriptId, SubscriberTokenId, UserId};
use crate::model::topic::{Maker, SubscriberToken};

struct Row {
    id: SubscriberTokenId,
    topics: Vec<String>,
    created_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    made_by: Option<UserId>,
    made_by_script: Option<ScriptId>,
}

impl From<Row> for SubscriberToken {
    fn from(row: Row) -> Self {
        let made_by = match (row.made_by, row.made_by_script) {
            (Some(person), _) => Maker::Person(person),
            (None, Some(script)) => Maker::Script(script),
            (None, None) => Maker::Nobody,
        };
        let Row { id, topics, created_at, expires_at, .. } = row;
        Self { id, topics, created_at, expires_at, made_by }
    }
}

/// Adds a token, unless the app has `most` that have not expired; whether it did.
pub async fn insert(
    db: &mut PgConnection,
    app: AppId,
    token: &SubscriberToken,
    token_hash: &[u8],
    most: i64,
) -> sqlx::Result<bool> {
    let (person, script) = match token.made_by {
        Maker::Person(person) => (Some(person.0), None),
        Maker::Script(script) => (None, Some(script.0)),
        Maker::Nobody => (None, None),
    };
    let done = sqlx::query!(
        "INSERT INTO subscriber_tokens (id, app_id, token_hash, topics, created_at, expires_at, made_by, made_by_script)
         SELECT $1, $2, $3, $4, $5, $6, $7, $8
         WHERE (SELECT count(*) FROM subscriber_tokens WHERE app_id = $2 AND expires_at > $5) < $9",
        token.id.0,
        app.0,
        token_hash,
        &token.topics,
        token.created_at,
        token.expires_at,
        person,
        script,
        most
    );
    Ok(done.execute(db).await?.rows_affected() > 0)
}

/// The app's token of that hash, if it has not expired.
pub async fn live(
    db: &mut PgConnection,
    app: AppId,
    token_hash: &[u8],
    now: DateTime<Utc>,
) -> sqlx::Result<Option<SubscriberToken>> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: SubscriberTokenId", topics, created_at, expires_at, made_by AS "made_by: UserId",
                  made_by_script AS "made_by_script: ScriptId"
           FROM subscriber_tokens WHERE token_hash = $2 AND app_id = $1 AND expires_at > $3"#,
        app.0,
        token_hash,
        now
    );
    Ok(row.fetch_optional(db).await?.map(SubscriberToken::from))
}

/// Of hashes, those whose tokens are there.
pub async fn known(db: &mut PgConnection, hashes: &[Vec<u8>]) -> sqlx::Result<Vec<Vec<u8>>> {
    sqlx::query_scalar!("SELECT token_hash FROM subscriber_tokens WHERE token_hash = ANY ($1)", hashes).fetch_all(db).await
}

/// An app's tokens that have not expired, in order of creation.
pub async fn list(
    db: &mut PgConnection,
    app: AppId,
    now: DateTime<Utc>,
    after: Option<Uuid>,
    rows: i64,
) -> sqlx::Result<Vec<SubscriberToken>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: SubscriberTokenId", topics, created_at, expires_at, made_by AS "made_by: UserId",
                  made_by_script AS "made_by_script: ScriptId"
           FROM subscriber_tokens WHERE app_id = $1 AND id > $3 AND expires_at > $2 ORDER BY id LIMIT $4"#,
        app.0,
        now,
        after.unwrap_or(Uuid::nil()),
        rows
    );
    Ok(rows.fetch_all(db).await?.into_iter().map(SubscriberToken::from).collect())
}

/// Takes a token back; what it was.
pub async fn delete(db: &mut PgConnection, app: AppId, id: SubscriberTokenId) -> sqlx::Result<Option<SubscriberToken>> {
    let row = sqlx::query_as!(
        Row,
        r#"DELETE FROM subscriber_tokens WHERE app_id = $1 AND id = $2
           RETURNING id AS "id: SubscriberTokenId", topics, created_at, expires_at, made_by AS "made_by: UserId",
                     made_by_script AS "made_by_script: ScriptId""#,
        app.0,
        id.0
    );
    Ok(row.fetch_optional(db).await?.map(SubscriberToken::from))
}

/// Deletes up to `rows` tokens that had expired by then; how many.
pub async fn sweep(db: &mut PgConnection, expired_by: DateTime<Utc>, rows: i64) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "DELETE FROM subscriber_tokens USING (
             SELECT id FROM subscriber_tokens WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED
         ) AS expired
         WHERE subscriber_tokens.id = expired.id",
        expired_by,
        rows
    );
    Ok(done.execute(db).await?.rows_affected())
}
