//! `domains`.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::id::{AppId, DomainId, UserId};
use crate::model::domain::{Domain, Method, State};
use crate::model::route::HostPattern;

struct Row {
    id: DomainId,
    app_id: AppId,
    host: String,
    is_wildcard: bool,
    token: String,
    proven_by: Option<String>,
    created_by: Option<UserId>,
    created_at: DateTime<Utc>,
    verified_at: Option<DateTime<Utc>>,
    updated_at: DateTime<Utc>,
}

impl Row {
    fn domain(self) -> sqlx::Result<Domain> {
        let state = match (self.proven_by.as_deref(), self.verified_at) {
            (Some(word), Some(at)) => State::Verified { by: super::word("proven_by", word, Method::from_word)?, at },
            _ => State::Pending,
        };
        let Self { id, app_id, token, created_by, created_at, updated_at, .. } = self;
        let host = HostPattern::of_name(self.host, self.is_wildcard);
        Ok(Domain { id, app_id, host, token, state, created_by, created_at, updated_at })
    }
}

/// Adds a claim that is pending; false when the app has the name already.
pub async fn insert(db: &mut PgConnection, domain: &Domain) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "INSERT INTO domains (id, app_id, host, is_wildcard, token, state, created_by, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, 'pending', $6, $7, $8)
         ON CONFLICT ON CONSTRAINT domains_app_id_host_key DO NOTHING",
        domain.id.0,
        domain.app_id.0,
        domain.host.name(),
        domain.host.is_wildcard(),
        domain.token,
        domain.created_by.map(|id| id.0),
        domain.created_at,
        domain.updated_at
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub async fn get(db: &mut PgConnection, app: AppId, id: DomainId) -> sqlx::Result<Option<Domain>> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: DomainId", app_id AS "app_id: AppId", host, is_wildcard, token, proven_by,
                  created_by AS "created_by: UserId", created_at, verified_at, updated_at
           FROM domains WHERE app_id = $1 AND id = $2"#,
        app.0,
        id.0
    );
    row.fetch_optional(db).await?.map(Row::domain).transpose()
}

/// The app's claim to that name.
pub async fn by_host(db: &mut PgConnection, app: AppId, host: &HostPattern) -> sqlx::Result<Option<Domain>> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: DomainId", app_id AS "app_id: AppId", host, is_wildcard, token, proven_by,
                  created_by AS "created_by: UserId", created_at, verified_at, updated_at
           FROM domains WHERE app_id = $1 AND host = $2 AND is_wildcard = $3"#,
        app.0,
        host.name(),
        host.is_wildcard()
    );
    row.fetch_optional(db).await?.map(Row::domain).transpose()
}

/// An app's claims in order of creation, after `after`.
pub async fn list(db: &mut PgConnection, app: AppId, after: Option<Uuid>, rows: i64) -> sqlx::Result<Vec<Domain>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: DomainId", app_id AS "app_id: AppId", host, is_wildcard, token, proven_by,
                  created_by AS "created_by: UserId", created_at, verified_at, updated_at
           FROM domains WHERE app_id = $1 AND id > $2 ORDER BY id LIMIT $3"#,
        app.0,
        after.unwrap_or(Uuid::nil()),
        rows
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(Row::domain).collect()
}

/// Claims of an app, pending ones among them.
pub async fn count(db: &mut PgConnection, app: AppId) -> sqlx::Result<i64> {
    sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM domains WHERE app_id = $1"#, app.0).fetch_one(db).await
}

/// What an app has proven.
pub async fn verified_of(db: &mut PgConnection, app: AppId) -> sqlx::Result<Vec<HostPattern>> {
    let rows = sqlx::query!("SELECT host, is_wildcard FROM domains WHERE app_id = $1 AND state = 'verified'", app.0);
    let rows = rows.fetch_all(db).await?;
    Ok(rows.into_iter().map(|row| HostPattern::of_name(row.host, row.is_wildcard)).collect())
}

/// Who has proven that very name.
pub async fn holder(db: &mut PgConnection, host: &HostPattern) -> sqlx::Result<Option<AppId>> {
    sqlx::query_scalar!(
        r#"SELECT app_id AS "app_id: AppId" FROM domains WHERE host = $1 AND is_wildcard = $2 AND state = 'verified'"#,
        host.name(),
        host.is_wildcard()
    )
    .fetch_optional(db)
    .await
}

/// Every proven name with its holder.
pub async fn verified(db: &mut PgConnection) -> sqlx::Result<Vec<(HostPattern, AppId)>> {
    let rows = sqlx::query!(r#"SELECT host, is_wildcard, app_id AS "app_id: AppId" FROM domains WHERE state = 'verified'"#);
    let rows = rows.fetch_all(db).await?;
    Ok(rows.into_iter().map(|row| (HostPattern::of_name(row.host, row.is_wildcard), row.app_id)).collect())
}

/// Marks a claim that is still pending as proven; the claim as it now is. Violates `domains_verified_key` when another app has
/// proven the name.
pub async fn verify(
    db: &mut PgConnection,
    app: AppId,
    id: DomainId,
    by: Method,
    now: DateTime<Utc>,
) -> sqlx::Result<Option<Domain>> {
    let row = sqlx::query_as!(
        Row,
        r#"UPDATE domains SET state = 'verified', proven_by = $3, verified_at = greatest($4, created_at),
                  updated_at = greatest($4, updated_at + interval '1 microsecond')
           WHERE app_id = $1 AND id = $2 AND state = 'pending'
           RETURNING id AS "id: DomainId", app_id AS "app_id: AppId", host, is_wildcard, token, proven_by,
                     created_by AS "created_by: UserId", created_at, verified_at, updated_at"#,
        app.0,
        id.0,
        by.as_str(),
        now
    );
    row.fetch_optional(db).await?.map(Row::domain).transpose()
}

/// Whether it was there.
pub async fn delete(db: &mut PgConnection, app: AppId, id: DomainId) -> sqlx::Result<bool> {
    let done = sqlx::query!("DELETE FROM domains WHERE app_id = $1 AND id = $2", app.0, id.0).execute(db).await?;
    Ok(done.rows_affected() > 0)
}
