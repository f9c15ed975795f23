//! `former_slugs`.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::id::AppId;
use crate::model::app::FormerSlug;

pub async fn get(db: &mut PgConnection, slug: &str) -> sqlx::Result<Option<FormerSlug>> {
    sqlx::query_as!(FormerSlug, r#"SELECT slug, app_id AS "app_id: AppId", retired_at FROM former_slugs WHERE slug = $1"#, slug)
        .fetch_optional(db)
        .await
}

/// Every one, with the app that it leads to.
pub async fn all(db: &mut PgConnection) -> sqlx::Result<Vec<(String, AppId)>> {
    let rows = sqlx::query!(r#"SELECT slug, app_id AS "app_id: AppId" FROM former_slugs"#).fetch_all(db).await?;
    Ok(rows.into_iter().map(|row| (row.slug, row.app_id)).collect())
}

/// Keeps a slug that the app has just left; `retired_at` strictly grows from one of the app's to the next.
pub async fn retire(db: &mut PgConnection, app: AppId, slug: &str, now: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO former_slugs (slug, app_id, retired_at)
         SELECT $2::text, $1::uuid, greatest($3::timestamptz, max(retired_at) + interval '1 microsecond') FROM former_slugs WHERE app_id = $1
         ON CONFLICT ON CONSTRAINT former_slugs_pkey DO UPDATE SET app_id = $1, retired_at = excluded.retired_at",
        app.0,
        slug,
        now
    )
    .execute(db)
    .await
    .map(drop)
}

/// Forgets all of an app's but the `kept` youngest.
pub async fn forget_oldest(db: &mut PgConnection, app: AppId, kept: i64) -> sqlx::Result<()> {
    sqlx::query!(
        "DELETE FROM former_slugs WHERE slug IN
             (SELECT slug FROM former_slugs WHERE app_id = $1 ORDER BY retired_at DESC OFFSET $2)",
        app.0,
        kept
    )
    .execute(db)
    .await
    .map(drop)
}

/// Whether it was there.
pub async fn delete(db: &mut PgConnection, slug: &str) -> sqlx::Result<bool> {
    let done = sqlx::query!("DELETE FROM former_slugs WHERE slug = $1", slug).execute(db).await?;
    Ok(done.rows_affected() > 0)
}
