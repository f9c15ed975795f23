//! `storage_use`: what apps store, as the database counts it. No function writes here: triggers do, with every write of data.

use sqlx::PgConnection;

use crate::id::AppId;
use crate::model::storage::Used;

/// What an app stores; nothing for one that is not there.
pub async fn used(db: &mut PgConnection, app: AppId) -> sqlx::Result<Used> {
    let row = sqlx::query!(
        r#"SELECT greatest(coalesce(sum(data_bytes), 0), 0)::bigint AS "data_bytes!",
                  greatest(coalesce(sum(file_bytes), 0), 0)::bigint AS "file_bytes!"
           FROM storage_use WHERE app_id = $1"#,
        app.0
    )
    .fetch_one(db)
    .await?;
    Ok(Used {
        data_bytes: super::natural("data_bytes", row.data_bytes)?,
        file_bytes: super::natural("file_bytes", row.file_bytes)?,
    })
}

/// How many scripts an app has.
pub async fn scripts(db: &mut PgConnection, app: AppId) -> sqlx::Result<u64> {
    let count = sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM scripts WHERE app_id = $1"#, app.0).fetch_one(db).await?;
    super::natural("count", count)
}
