//! `users`.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::id::UserId;
use crate::model::user::{Role, User};

struct Row {
    id: UserId,
    username: String,
    role: String,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    deactivated_at: Option<DateTime<Utc>>,
}

impl Row {
    fn user(self) -> sqlx::Result<User> {
        Ok(User {
            id: self.id,
            username: self.username,
            role: super::word("role", &self.role, Role::from_word)?,
            created_at: self.created_at,
            updated_at: self.updated_at,
            deactivated_at: self.deactivated_at,
        })
    }
}

pub async fn get(db: &mut PgConnection, id: UserId) -> sqlx::Result<Option<User>> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: UserId", username, role, created_at, updated_at, deactivated_at FROM users WHERE id = $1"#,
        id.0
    );
    row.fetch_optional(db).await?.map(Row::user).transpose()
}

/// The person of a name, in any case, who may log in; with the password's hash.
pub async fn credentials(db: &mut PgConnection, username: &str) -> sqlx::Result<Option<(User, String)>> {
    let row = sqlx::query!(
        r#"SELECT id AS "id: UserId", username, role, created_at, updated_at, deactivated_at, password_hash
           FROM users WHERE lower(username) = lower($1) AND deactivated_at IS NULL"#,
        username
    );
    let Some(row) = row.fetch_optional(db).await? else { return Ok(None) };
    let user = Row {
        id: row.id,
        username: row.username,
        role: row.role,
        created_at: row.created_at,
        updated_at: row.updated_at,
        deactivated_at: row.deactivated_at,
    };
    Ok(Some((user.user()?, row.password_hash)))
}

/// The active owner who has been it for longest.
pub async fn first_owner(db: &mut PgConnection) -> sqlx::Result<Option<User>> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: UserId", username, role, created_at, updated_at, deactivated_at FROM users
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
        "INSERT INTO users (id, username, password_hash, role, created_at, updated_at, deactivated_at) VALUES ($1, $2, $3, $4, $5, $5, $6)",
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

/// The person of a name, in any case, who may log in or not.
pub async fn by_name(db: &mut PgConnection, username: &str) -> sqlx::Result<Option<User>> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: UserId", username, role, created_at, updated_at, deactivated_at FROM users
           WHERE lower(username) = lower($1)"#,
        username
    );
    row.fetch_optional(db).await?.map(Row::user).transpose()
}

/// Everybody in order of creation, after `after`.
pub async fn list(db: &mut PgConnection, after: Option<Uuid>, rows: i64) -> sqlx::Result<Vec<User>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: UserId", username, role, created_at, updated_at, deactivated_at FROM users
           WHERE id > $1 ORDER BY id LIMIT $2"#,
        after.unwrap_or(Uuid::nil()),
        rows
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(Row::user).collect()
}

/// How many people own this instance and may log in.
pub async fn active_owners(db: &mut PgConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM users WHERE role = 'owner' AND deactivated_at IS NULL"#)
        .fetch_one(db)
        .await
}

/// How many people there are.
pub async fn count(db: &mut PgConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM users"#).fetch_one(db).await
}

/// Stores name, role and whether the person may log in as they now are, and a new password if there is one; `updated_at` strictly
/// grows.
pub async fn update(
    db: &mut PgConnection,
    user: &User,
    password_hash: Option<&str>,
    now: DateTime<Utc>,
) -> sqlx::Result<DateTime<Utc>> {
    sqlx::query_scalar!(
        "UPDATE users SET username = $2, role = $3, deactivated_at = $4, password_hash = coalesce($5, password_hash),
                updated_at = greatest($6, updated_at + interval '1 microsecond')
         WHERE id = $1 RETURNING updated_at",
        user.id.0,
        user.username,
        user.role.as_str(),
        user.deactivated_at,
        password_hash,
        now
    )
    .fetch_one(db)
    .await
}

/// Deletes a person with their logins; what they made stays, without its author.
pub async fn delete(db: &mut PgConnection, id: UserId) -> sqlx::Result<bool> {
    let done = sqlx::query!("DELETE FROM users WHERE id = $1", id.0).execute(db).await?;
    Ok(done.rows_affected() > 0)
}

/// The person, whom nobody else changes or deletes until the transaction ends.
pub async fn lock(db: &mut PgConnection, id: UserId) -> sqlx::Result<Option<User>> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: UserId", username, role, created_at, updated_at, deactivated_at FROM users WHERE id = $1 FOR UPDATE"#,
        id.0
    );
    row.fetch_optional(db).await?.map(Row::user).transpose()
}

/// The password's hash of a person who may log in.
pub async fn password(db: &mut PgConnection, id: UserId) -> sqlx::Result<Option<String>> {
    let row = sqlx::query_scalar!("SELECT password_hash FROM users WHERE id = $1 AND deactivated_at IS NULL", id.0);
    row.fetch_optional(db).await
}

/// The same; nobody changes them until the transaction ends.
pub async fn password_locked(db: &mut PgConnection, id: UserId) -> sqlx::Result<Option<String>> {
    let row = sqlx::query_scalar!("SELECT password_hash FROM users WHERE id = $1 AND deactivated_at IS NULL FOR SHARE", id.0);
    row.fetch_optional(db).await
}
