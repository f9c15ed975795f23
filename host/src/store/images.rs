//! `images`: a cache beside the versions.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::id::ScriptId;
use crate::model::script::Image;

pub async fn get(db: &mut PgConnection, script: ScriptId, version: i32, component: &str) -> sqlx::Result<Option<Image>> {
    let sealed = sqlx::query_scalar!(
        "SELECT sealed FROM images WHERE script_id = $1 AND version = $2 AND component = $3",
        script.0,
        version,
        component
    );
    let sealed = sealed.fetch_optional(db).await?;
    Ok(sealed.map(|sealed| Image { component: component.to_owned(), sealed }))
}

/// Stores the image of a version for its component, in place of an older one; false when there is no such version.
pub async fn put(db: &mut PgConnection, script: ScriptId, version: i32, image: &Image, now: DateTime<Utc>) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "INSERT INTO images (app_id, script_id, version, component, sealed, created_at)
         SELECT app_id, script_id, number, $3, $4, $5 FROM script_versions WHERE script_id = $1 AND number = $2
         ON CONFLICT ON CONSTRAINT images_pkey DO UPDATE SET sealed = excluded.sealed, created_at = excluded.created_at",
        script.0,
        version,
        image.component,
        image.sealed,
        now
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Drops a version's images but the `keep` newest.
pub async fn trim(db: &mut PgConnection, script: ScriptId, version: i32, keep: i64) -> sqlx::Result<()> {
    sqlx::query!(
        "DELETE FROM images WHERE script_id = $1 AND version = $2 AND component IN (
            SELECT component FROM images WHERE script_id = $1 AND version = $2 ORDER BY created_at DESC, component OFFSET $3)",
        script.0,
        version,
        keep
    )
    .execute(db)
    .await
    .map(drop)
}
