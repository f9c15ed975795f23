//! `users`.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::id::UserId;
use crate::model::user::{Role, User};

struct Row {
    id: UserId,
    username: String,
    role: String,
    created_at: DateTime<Utc>,
    deactivated_at: Option<DateTime<Utc>>,
}

impl Row {
    fn user(self) -> sqlx::Result<User> {
        Ok(User {
            id: self.id,
            username: self.username,
            role: super::word("role", &self.role, Role::from_word)?,
            created_at: self.created_at,
            deactivated_at: self.deactivated_at,
        })
    }
}

pub async fn get(db: &mut PgConnection, id: UserId) -> sqlx::Result<Option<User>> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: UserId", username, role, created_at, deactivated_at FROM users WHERE id = $1"#,
        id.0
    );
    row.fetch_optional(db).await?.map(Row::user).transpose()
}

/// The person of a name, in any case, who may log in; with the password's hash.
pub async fn credentials(db: &mut PgConnection, username: &str) -> sqlx::Result<Option<(User, String)>> {
    let row = sqlx::query!(
        r#"SELECT id AS "id: UserId", username, role, created_at, deactivated_at, password_hash
           FROM users WHERE lower(username) = lower($1) AND deactivated_at IS NULL"#,
        username
    );
    let Some(row) = row.fetch_optional(db).await? else { return Ok(None) };
    let user = Row {
        id: row.id,
        username: row.username,
        role: row.role,
        created_at: row.created_at,
        deactivated_at: row.deactivated_at,
    };
    Ok(Some((user.user()?, row.password_hash)))
}

/// The active owner who has been it for longest.
pub async fn first_owner(db: &mut PgConnection) -> sqlx::Result<Option<User>> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: UserId", username, role, created_at, deactivated_at FROM users
           WHERE role = 'owner' AND deactivated_at IS NULL ORDER BY id LIMIT 1"#
    )
    .fetch_optional(db)
    .await?;
    row.map(Row::user).transpose()
}

/// Until the transaction ends, nobody else adds or changes a user: "the first owner" has one answer.
pub async fn lock_all(db: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE").execute(db).await.map(drop)
}

pub async fn insert(db: &mut PgConnection, user: &User, password_hash: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO users (id, username, password_hash, role, created_at, deactivated_at) VALUES ($1, $2, $3, $4, $5, $6)",
        user.id.0,
        user.username,
        password_hash,
        user.role.as_str(),
        user.created_at,
        user.deactivated_at
    )
    .execute(db)
    .await
    .map(drop)
}
