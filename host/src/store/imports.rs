//! What scripts import: read from `scripts` and their active `script_versions`.

use sqlx::PgConnection;

use crate::id::{AppId, ScriptId};
use crate::model::import::Node;
use crate::model::script::{Dependent, Kind, Module};

/// The active versions of an app's scripts.
pub async fn nodes(db: &mut PgConnection, app: AppId) -> sqlx::Result<Vec<Node>> {
    let rows = sqlx::query!(
        r#"SELECT s.id AS "id: ScriptId", s.name, s.kind, v.number, v.imports, v.own_capabilities
           FROM scripts s JOIN script_versions v ON v.script_id = s.id AND v.number = s.active_version
           WHERE s.app_id = $1"#,
        app.0
    )
    .fetch_all(db)
    .await?;
    let nodes = rows.into_iter().map(|row| {
        Ok(Node {
            id: row.id,
            kind: super::word("kind", &row.kind, Kind::from_word)?,
            name: row.name,
            version: row.number,
            imports: row.imports,
            capabilities: row.own_capabilities,
        })
    });
    nodes.collect()
}

/// The sources of these versions, in their order; a version that is gone is left out.
pub async fn sources(db: &mut PgConnection, versions: &[(ScriptId, i32)]) -> sqlx::Result<Vec<Module>> {
    let (ids, numbers): (Vec<_>, Vec<_>) = versions.iter().map(|(id, number)| (id.0, *number)).unzip();
    sqlx::query_as!(
        Module,
        r#"SELECT s.name, v.source
           FROM unnest($1::uuid[], $2::integer[]) WITH ORDINALITY AS wanted (script_id, number, place)
           JOIN script_versions v ON v.script_id = wanted.script_id AND v.number = wanted.number
           JOIN scripts s ON s.id = v.script_id
           ORDER BY wanted.place"#,
        &ids,
        &numbers
    )
    .fetch_all(db)
    .await
}

/// Whether all of these versions are active.
pub async fn are_active(db: &mut PgConnection, versions: &[(ScriptId, i32)]) -> sqlx::Result<bool> {
    let (ids, numbers): (Vec<_>, Vec<_>) = versions.iter().map(|(id, number)| (id.0, *number)).unzip();
    let active = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM unnest($1::uuid[], $2::integer[]) AS wanted (script_id, number)
           JOIN scripts s ON s.id = wanted.script_id AND s.active_version = wanted.number"#,
        &ids,
        &numbers
    )
    .fetch_one(db)
    .await?;
    Ok(usize::try_from(active).is_ok_and(|active| active == versions.len()))
}

/// What is held ready of these scripts is out of date from here on.
pub async fn next_generation(db: &mut PgConnection, scripts: &[ScriptId]) -> sqlx::Result<()> {
    let ids: Vec<_> = scripts.iter().map(|id| id.0).collect();
    sqlx::query!("UPDATE scripts SET generation = generation + 1 WHERE id = ANY($1)", &ids).execute(db).await.map(drop)
}

/// What the version can reach with its modules as they are now.
pub async fn put_capabilities(db: &mut PgConnection, dependent: &Dependent) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE script_versions SET capabilities = $3 WHERE script_id = $1 AND number = $2",
        dependent.script_id.0,
        dependent.version,
        &dependent.capabilities
    )
    .execute(db)
    .await
    .map(drop)
}
