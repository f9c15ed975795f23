//! What versions import, whether their scripts are there or were: read from `script_versions` and `kept_sources`.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use crate::id::AppId;

/// The imports of versions with these digests, each as far as it is kept: none where only its source is, which was not read.
pub async fn imports(
    db: &mut PgConnection,
    app: AppId,
    digests: &[String],
) -> sqlx::Result<BTreeMap<String, Option<Vec<String>>>> {
    let rows = sqlx::query!(
        r#"SELECT DISTINCT ON (digest) digest AS "digest!", imports AS "imports?" FROM (
               SELECT digest, imports FROM script_versions WHERE app_id = $1 AND digest = ANY ($2)
               UNION ALL SELECT digest, NULL::text[] FROM kept_sources WHERE app_id = $1 AND digest = ANY ($2)
           ) AS found ORDER BY digest, (imports IS NULL)"#,
        app.0,
        digests
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.digest, row.imports)).collect())
}
