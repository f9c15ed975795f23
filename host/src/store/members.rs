//! `members`.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::id::{AppId, UserId};
use crate::model::member::{AppRole, Member};

struct Row {
    app_id: AppId,
    user_id: UserId,
    username: String,
    role: String,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl Row {
    fn member(self) -> sqlx::Result<Member> {
        let Self { app_id, user_id, username, role, created_at, updated_at } = self;
        Ok(Member { app_id, user_id, username, role: super::word("role", &role, AppRole::from_word)?, created_at, updated_at })
    }
}

/// What a person is in an app.
pub async fn role(db: &mut PgConnection, app: AppId, user: UserId) -> sqlx::Result<Option<AppRole>> {
    let role = sqlx::query_scalar!("SELECT role FROM members WHERE app_id = $1 AND user_id = $2", app.0, user.0);
    role.fetch_optional(db).await?.map(|word| super::word("role", &word, AppRole::from_word)).transpose()
}

pub async fn get(db: &mut PgConnection, app: AppId, user: UserId) -> sqlx::Result<Option<Member>> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT m.app_id AS "app_id: AppId", m.user_id AS "user_id: UserId", u.username, m.role, m.created_at, m.updated_at
           FROM members m JOIN users u ON u.id = m.user_id WHERE m.app_id = $1 AND m.user_id = $2"#,
        app.0,
        user.0
    );
    row.fetch_optional(db).await?.map(Row::member).transpose()
}

/// An app's members by their ids, after `after`.
pub async fn list(db: &mut PgConnection, app: AppId, after: Option<Uuid>, rows: i64) -> sqlx::Result<Vec<Member>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT m.app_id AS "app_id: AppId", m.user_id AS "user_id: UserId", u.username, m.role, m.created_at, m.updated_at
           FROM members m JOIN users u ON u.id = m.user_id WHERE m.app_id = $1 AND m.user_id > $2
           ORDER BY m.user_id LIMIT $3"#,
        app.0,
        after.unwrap_or(Uuid::nil()),
        rows
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(Row::member).collect()
}

pub async fn count(db: &mut PgConnection, app: AppId) -> sqlx::Result<i64> {
    sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM members WHERE app_id = $1"#, app.0).fetch_one(db).await
}

/// Makes the person a member, or changes what they are; `updated_at` strictly grows.
pub async fn put(db: &mut PgConnection, app: AppId, user: UserId, role: AppRole, now: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO members (app_id, user_id, role, created_at, updated_at) VALUES ($1, $2, $3, $4, $4)
         ON CONFLICT ON CONSTRAINT members_pkey
         DO UPDATE SET role = $3, updated_at = greatest($4, members.updated_at + interval '1 microsecond')",
        app.0,
        user.0,
        role.as_str(),
        now
    )
    .execute(db)
    .await
    .map(drop)
}

/// Whether there was one.
pub async fn delete(db: &mut PgConnection, app: AppId, user: UserId) -> sqlx::Result<bool> {
    let done = sqlx::query!("DELETE FROM members WHERE app_id = $1 AND user_id = $2", app.0, user.0).execute(db).await?;
    Ok(done.rows_affected() > 0)
}
