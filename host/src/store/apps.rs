//! `apps`.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use crate::id::{AppId, UserId};
use crate::model::access::Sight;
use crate::model::app::App;
use crate::model::grant::Grants;
use crate::model::quota::{Named, Quota};
use crate::model::restriction::Restrictions;
use crate::model::route::SourceApp;

/// Adds an app; false when the slug is taken.
pub async fn insert(db: &mut PgConnection, app: &App, by: UserId) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "INSERT INTO apps (id, slug, name, cors_origins, created_by, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT ON CONSTRAINT apps_slug_key DO NOTHING",
        app.id.0,
        app.slug,
        app.name,
        &app.cors_origins,
        by.0,
        app.created_at,
        app.updated_at
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub async fn get(db: &mut PgConnection, id: AppId) -> sqlx::Result<Option<App>> {
    sqlx::query_as!(
        App,
        r#"SELECT id AS "id: AppId", slug, name, cors_origins, created_at, updated_at FROM apps WHERE id = $1"#,
        id.0
    )
    .fetch_optional(db)
    .await
}

pub async fn by_slug(db: &mut PgConnection, slug: &str) -> sqlx::Result<Option<App>> {
    sqlx::query_as!(
        App,
        r#"SELECT id AS "id: AppId", slug, name, cors_origins, created_at, updated_at FROM apps WHERE slug = $1"#,
        slug
    )
    .fetch_optional(db)
    .await
}

/// The app that has this slug, or else the one that had it before.
pub async fn by_any_slug(db: &mut PgConnection, slug: &str) -> sqlx::Result<Option<App>> {
    sqlx::query_as!(
        App,
        r#"SELECT id AS "id: AppId", slug, name, cors_origins, created_at, updated_at
           FROM apps WHERE slug = $1 OR id = (SELECT app_id FROM former_slugs WHERE slug = $1)
           ORDER BY (slug = $1) DESC LIMIT 1"#,
        slug
    )
    .fetch_optional(db)
    .await
}

/// What `sight` shows, in order of creation, after `after`.
pub async fn list(db: &mut PgConnection, sight: &Sight, after: Option<Uuid>, rows: i64) -> sqlx::Result<Vec<App>> {
    sqlx::query_as!(
        App,
        r#"SELECT a.id AS "id: AppId", a.slug, a.name, a.cors_origins, a.created_at, a.updated_at
           FROM apps a
           WHERE a.id > $1 AND ($3::uuid IS NULL OR a.id = $3)
                 AND ($4::uuid IS NULL OR EXISTS (SELECT FROM members m WHERE m.app_id = a.id AND m.user_id = $4))
           ORDER BY a.id LIMIT $2"#,
        after.unwrap_or(Uuid::nil()),
        rows,
        sight.app_id.map(|id| id.0),
        sight.member.map(|id| id.0)
    )
    .fetch_all(db)
    .await
}

/// Every app as the data plane knows it.
pub async fn tenants(db: &mut PgConnection) -> sqlx::Result<Vec<SourceApp>> {
    let rows = sqlx::query!(r#"SELECT id AS "id: AppId", slug, cors_origins, grants, quota AS "quota: Json<Named>" FROM apps"#)
        .fetch_all(db)
        .await?;
    let apps = rows.into_iter().map(|row| {
        let (grants, quota) = (readable(&row.grants)?, Quota::stored(&row.quota));
        Ok(SourceApp { id: row.id, slug: row.slug, cors_origins: row.cors_origins, grants, quota })
    });
    apps.collect()
}

/// What the app's scripts may reach.
pub async fn grants(db: &mut PgConnection, id: AppId) -> sqlx::Result<Option<Grants>> {
    let stored = sqlx::query_scalar!("SELECT grants FROM apps WHERE id = $1", id.0).fetch_optional(db).await?;
    stored.as_ref().map(readable).transpose()
}

/// `updated_at` strictly grows, as in [`update`].
pub async fn put_grants(db: &mut PgConnection, id: AppId, grants: &Grants, now: DateTime<Utc>) -> sqlx::Result<DateTime<Utc>> {
    sqlx::query_scalar!(
        "UPDATE apps SET grants = $2, updated_at = greatest($3, updated_at + interval '1 microsecond')
         WHERE id = $1 RETURNING updated_at",
        id.0,
        grants.to_json(),
        now
    )
    .fetch_one(db)
    .await
}

/// What was set of the app's quota.
pub async fn quota(db: &mut PgConnection, id: AppId) -> sqlx::Result<Option<Named>> {
    let stored = sqlx::query_scalar!(r#"SELECT quota AS "quota: Json<Named>" FROM apps WHERE id = $1"#, id.0);
    Ok(stored.fetch_optional(db).await?.map(|stored| stored.0))
}

/// `updated_at` strictly grows, as in [`update`].
pub async fn put_quota(db: &mut PgConnection, id: AppId, quota: &Named, now: DateTime<Utc>) -> sqlx::Result<DateTime<Utc>> {
    sqlx::query_scalar!(
        "UPDATE apps SET quota = $2, updated_at = greatest($3, updated_at + interval '1 microsecond')
         WHERE id = $1 RETURNING updated_at",
        id.0,
        serde_json::json!(quota),
        now
    )
    .fetch_one(db)
    .await
}

/// What the app is kept from.
pub async fn restrictions(db: &mut PgConnection, id: AppId) -> sqlx::Result<Option<Restrictions>> {
    let stored =
        sqlx::query_scalar!(r#"SELECT restrictions AS "restrictions: Json<Restrictions>" FROM apps WHERE id = $1"#, id.0);
    Ok(stored.fetch_optional(db).await?.map(|stored| stored.0))
}

/// `updated_at` strictly grows, as in [`update`].
pub async fn put_restrictions(
    db: &mut PgConnection,
    id: AppId,
    restrictions: &Restrictions,
    now: DateTime<Utc>,
) -> sqlx::Result<DateTime<Utc>> {
    sqlx::query_scalar!(
        "UPDATE apps SET restrictions = $2, updated_at = greatest($3, updated_at + interval '1 microsecond')
         WHERE id = $1 RETURNING updated_at",
        id.0,
        Json(restrictions) as _,
        now
    )
    .fetch_one(db)
    .await
}

fn readable(stored: &serde_json::Value) -> sqlx::Result<Grants> {
    Grants::stored(stored).map_err(|error| sqlx::Error::ColumnDecode { index: "grants".to_owned(), source: Box::new(error) })
}

/// The app, which nobody else changes, routes into or deletes until the transaction ends. Writers of its data (whose foreign
/// key checks share the row) go on.
pub async fn lock(db: &mut PgConnection, id: AppId) -> sqlx::Result<Option<App>> {
    sqlx::query_as!(
        App,
        r#"SELECT id AS "id: AppId", slug, name, cors_origins, created_at, updated_at
           FROM apps WHERE id = $1 FOR NO KEY UPDATE"#,
        id.0
    )
    .fetch_optional(db)
    .await
}

/// Which of these apps are there and not being deleted; from here on nobody deletes them until the transaction ends.
pub async fn keep(db: &mut PgConnection, ids: &[AppId]) -> sqlx::Result<Vec<AppId>> {
    let ids: Vec<_> = ids.iter().map(|id| id.0).collect();
    sqlx::query_scalar!(r#"SELECT id AS "id: AppId" FROM apps WHERE id = ANY ($1) FOR KEY SHARE SKIP LOCKED"#, &ids)
        .fetch_all(db)
        .await
}

/// Which of these apps are there.
pub async fn which(db: &mut PgConnection, ids: &[AppId]) -> sqlx::Result<Vec<AppId>> {
    let ids: Vec<_> = ids.iter().map(|id| id.0).collect();
    sqlx::query_scalar!(r#"SELECT id AS "id: AppId" FROM apps WHERE id = ANY ($1)"#, &ids).fetch_all(db).await
}

/// The app, to which nobody else adds anything until the transaction ends.
pub async fn lock_to_delete(db: &mut PgConnection, id: AppId) -> sqlx::Result<Option<App>> {
    sqlx::query_as!(
        App,
        r#"SELECT id AS "id: AppId", slug, name, cors_origins, created_at, updated_at FROM apps WHERE id = $1 FOR UPDATE"#,
        id.0
    )
    .fetch_optional(db)
    .await
}

/// Stores `app` as it now is. `updated_at` is the later of `now` and just after what it was, so that it strictly grows.
pub async fn update(db: &mut PgConnection, app: &App, now: DateTime<Utc>) -> sqlx::Result<DateTime<Utc>> {
    sqlx::query_scalar!(
        "UPDATE apps SET slug = $2, name = $3, cors_origins = $4, updated_at = greatest($5, updated_at + interval '1 microsecond')
         WHERE id = $1 RETURNING updated_at",
        app.id.0,
        app.slug,
        app.name,
        &app.cors_origins,
        now
    )
    .fetch_one(db)
    .await
}

/// Deletes the app and, by cascade, all that refers to it: scripts with versions, images and routes; KV; documents; API keys;
/// domains; former slugs.
pub async fn delete(db: &mut PgConnection, id: AppId) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM apps WHERE id = $1", id.0).execute(db).await.map(drop)
}
