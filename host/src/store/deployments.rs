//! `deployments`, `kept_sources`, and which deployment of an app runs.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::types::Json;

use crate::id::{AppId, ScriptId, UserId};
use crate::model::deployment::{About, Deployment, ScriptState, State};
use crate::model::script::{Kind, Limits};

struct Row {
    app_id: AppId,
    number: i32,
    digest: String,
    cause: String,
    message: String,
    created_by: Option<UserId>,
    created_at: DateTime<Utc>,
    activated_at: Option<DateTime<Utc>>,
    is_active: bool,
}

impl Row {
    fn about(self) -> About {
        let Self { app_id, number, digest, cause, message, created_by, created_at, activated_at, is_active } = self;
        About { app_id, number, digest, cause, message, created_by, created_at, activated_at, is_active }
    }
}

/// An app's deployments without their states, newest first, older than `before`.
pub async fn list(db: &mut PgConnection, app: AppId, before: Option<i32>, rows: i64) -> sqlx::Result<Vec<About>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT d.app_id AS "app_id: AppId", d.number, d.digest, d.cause, d.message, d.created_by AS "created_by: UserId",
                  d.created_at, d.activated_at, (a.deployment IS NOT DISTINCT FROM d.number) AS "is_active!"
           FROM deployments d JOIN apps a ON a.id = d.app_id
           WHERE d.app_id = $1 AND ($2::integer IS NULL OR d.number < $2) ORDER BY d.number DESC LIMIT $3"#,
        app.0,
        before,
        rows
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(Row::about).collect())
}

pub async fn about(db: &mut PgConnection, app: AppId, number: i32) -> sqlx::Result<Option<About>> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT d.app_id AS "app_id: AppId", d.number, d.digest, d.cause, d.message, d.created_by AS "created_by: UserId",
                  d.created_at, d.activated_at, (a.deployment IS NOT DISTINCT FROM d.number) AS "is_active!"
           FROM deployments d JOIN apps a ON a.id = d.app_id WHERE d.app_id = $1 AND d.number = $2"#,
        app.0,
        number
    );
    Ok(row.fetch_optional(db).await?.map(Row::about))
}

pub async fn get(db: &mut PgConnection, app: AppId, number: i32) -> sqlx::Result<Option<Deployment>> {
    let Some(about) = about(db, app, number).await? else { return Ok(None) };
    let state = sqlx::query_scalar!(
        r#"SELECT state AS "state: Json<State>" FROM deployments WHERE app_id = $1 AND number = $2"#,
        app.0,
        number
    );
    Ok(state.fetch_optional(db).await?.map(|state| Deployment { about, state: state.0 }))
}

/// The number of the deployment that runs.
pub async fn active(db: &mut PgConnection, app: AppId) -> sqlx::Result<Option<i32>> {
    let active = sqlx::query_scalar!("SELECT deployment FROM apps WHERE id = $1", app.0).fetch_optional(db).await?;
    Ok(active.flatten())
}

/// The one that ran before what runs now, if it is still there.
pub async fn previous(db: &mut PgConnection, app: AppId) -> sqlx::Result<Option<i32>> {
    sqlx::query_scalar!(
        "SELECT d.number FROM deployments d JOIN apps a ON a.id = d.app_id
         WHERE d.app_id = $1 AND d.activated_at IS NOT NULL AND d.number IS DISTINCT FROM a.deployment
         ORDER BY d.activated_at DESC, d.number DESC LIMIT 1",
        app.0
    )
    .fetch_optional(db)
    .await
}

/// The number of the deployment with that digest.
pub async fn by_digest(db: &mut PgConnection, app: AppId, digest: &str) -> sqlx::Result<Option<i32>> {
    sqlx::query_scalar!("SELECT number FROM deployments WHERE app_id = $1 AND digest = $2", app.0, digest)
        .fetch_optional(db)
        .await
}

/// Adds one after the app's newest; its number. Under a lock of the app.
pub async fn insert(db: &mut PgConnection, new: &Deployment) -> sqlx::Result<i32> {
    let About { app_id, digest, cause, message, created_by, created_at, .. } = &new.about;
    sqlx::query_scalar!(
        "INSERT INTO deployments (app_id, number, digest, state, cause, message, created_by, created_at)
         SELECT $1, coalesce(max(number), 0) + 1, $2, $3, $4, $5, $6, $7 FROM deployments WHERE app_id = $1
         RETURNING number",
        app_id.0,
        digest,
        Json(&new.state) as _,
        cause,
        message,
        created_by.map(|by| by.0),
        created_at
    )
    .fetch_one(db)
    .await
}

/// Says which one runs from now on. `activated_at` strictly grows in an app.
pub async fn set_active(db: &mut PgConnection, app: AppId, number: i32, now: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!("UPDATE apps SET deployment = $2 WHERE id = $1", app.0, number).execute(&mut *db).await?;
    sqlx::query!(
        "UPDATE deployments SET activated_at = greatest($3, (
             SELECT max(activated_at) + interval '1 microsecond' FROM deployments WHERE app_id = $1
         )) WHERE app_id = $1 AND number = $2",
        app.0,
        number,
        now
    )
    .execute(db)
    .await
    .map(drop)
}

/// Deletes those that ran longest ago but the `keep` last, and of those that never ran as many; not the one that runs, nor that of a split. And sources that nobody holds any more.
pub async fn trim(db: &mut PgConnection, app: AppId, keep: i64) -> sqlx::Result<()> {
    let gone = sqlx::query!(
        "DELETE FROM deployments d USING apps a
         WHERE a.id = $1 AND d.app_id = $1 AND d.number IS DISTINCT FROM a.deployment AND d.number IN (
             SELECT number FROM (
                 SELECT number, row_number() OVER (
                     PARTITION BY activated_at IS NULL ORDER BY coalesce(activated_at, created_at) DESC, number DESC
                 ) AS place
                 FROM deployments WHERE app_id = $1
             ) AS each WHERE place > $2
         ) AND NOT EXISTS (SELECT FROM app_splits s WHERE s.app_id = $1 AND s.deployment = d.number)",
        app.0,
        keep
    )
    .execute(&mut *db)
    .await?;
    if gone.rows_affected() == 0 {
        return Ok(());
    }
    sqlx::query!(
        "DELETE FROM kept_sources k WHERE k.app_id = $1 AND NOT EXISTS (
             SELECT FROM deployments d, jsonb_array_elements(d.state -> 'scripts') AS script
             WHERE d.app_id = $1 AND script ->> 'digest' = k.digest
         )",
        app.0
    )
    .execute(db)
    .await
    .map(drop)
}

/// Keeps the sources of scripts that are about to be deleted, as far as deployments of the app name their versions.
pub async fn keep_sources(db: &mut PgConnection, app: AppId, scripts: &[ScriptId]) -> sqlx::Result<()> {
    let scripts: Vec<_> = scripts.iter().map(|id| id.0).collect();
    sqlx::query!(
        "INSERT INTO kept_sources (app_id, digest, source)
         SELECT DISTINCT ON (v.digest) v.app_id, v.digest, v.source FROM script_versions v
         WHERE v.app_id = $1 AND v.script_id = ANY ($2) AND v.digest IN (
             SELECT named ->> 'digest' FROM deployments d, jsonb_array_elements(d.state -> 'scripts') AS named WHERE d.app_id = $1
         )
         ON CONFLICT ON CONSTRAINT kept_sources_pkey DO NOTHING",
        app.0,
        &scripts
    )
    .execute(db)
    .await
    .map(drop)
}

/// Keeps sources that no version of the app has, each with its digest; the digests of those.
pub async fn keep_new_sources(
    db: &mut PgConnection,
    app: AppId,
    digests: &[String],
    sources: &[String],
) -> sqlx::Result<Vec<String>> {
    sqlx::query!(
        "INSERT INTO kept_sources (app_id, digest, source)
         SELECT DISTINCT ON (new.digest) $1::uuid, new.digest, new.source FROM unnest($2::text[], $3::text[]) AS new (digest, source)
         WHERE NOT EXISTS (SELECT FROM script_versions v WHERE v.app_id = $1 AND v.digest = new.digest)
         ON CONFLICT ON CONSTRAINT kept_sources_pkey DO NOTHING",
        app.0,
        digests,
        sources
    )
    .execute(&mut *db)
    .await?;
    sqlx::query_scalar!(
        r#"SELECT wanted AS "wanted!" FROM unnest($2::text[]) AS wanted
           WHERE NOT EXISTS (SELECT FROM script_versions v WHERE v.app_id = $1 AND v.digest = wanted)"#,
        app.0,
        digests
    )
    .fetch_all(db)
    .await
}

/// The sources of versions with these digests, of scripts that are there or were.
pub async fn sources(db: &mut PgConnection, app: AppId, digests: &[String]) -> sqlx::Result<BTreeMap<String, String>> {
    let rows = sqlx::query!(
        r#"SELECT DISTINCT ON (digest) digest AS "digest!", source AS "source!" FROM (
               SELECT digest, source FROM script_versions WHERE app_id = $1 AND digest = ANY ($2)
               UNION ALL SELECT digest, source FROM kept_sources WHERE app_id = $1 AND digest = ANY ($2)
           ) AS found ORDER BY digest"#,
        app.0,
        digests
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.digest, row.source)).collect())
}

/// How many bytes the sources of versions with these digests are.
pub async fn source_bytes(db: &mut PgConnection, app: AppId, digests: &[String]) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"SELECT coalesce(sum(bytes), 0)::bigint AS "bytes!" FROM (
               SELECT DISTINCT ON (digest) digest, octet_length(source) AS bytes FROM (
                   SELECT digest, source FROM script_versions WHERE app_id = $1 AND digest = ANY ($2)
                   UNION ALL SELECT digest, source FROM kept_sources WHERE app_id = $1 AND digest = ANY ($2)
               ) AS found
           ) AS each"#,
        app.0,
        digests
    )
    .fetch_one(db)
    .await
}

/// A script as it runs, with what a deployment does not say of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    pub id: ScriptId,
    pub state: ScriptState,
    pub own_capabilities: Vec<String>,
    pub imports: Vec<String>,
}

/// An app's scripts, by name.
pub async fn scripts(db: &mut PgConnection, app: AppId) -> sqlx::Result<Vec<Running>> {
    let rows = sqlx::query!(
        r#"SELECT s.id AS "id: ScriptId", s.name, s.kind, s.description, v.number, v.digest, v.limits AS "limits: Json<Limits>",
                  v.capabilities, v.own_capabilities, v.imports
           FROM scripts s JOIN script_versions v ON v.script_id = s.id AND v.number = s.active_version
           WHERE s.app_id = $1 ORDER BY s.name"#,
        app.0
    )
    .fetch_all(db)
    .await?;
    let scripts = rows.into_iter().map(|row| {
        let kind = super::word("kind", &row.kind, Kind::from_word)?;
        let (name, description, version, digest) = (row.name, row.description, row.number, row.digest);
        let (limits, capabilities) = (row.limits.0, row.capabilities);
        let state = ScriptState { name, kind, description, version, digest, limits, capabilities };
        Ok(Running { id: row.id, state, own_capabilities: row.own_capabilities, imports: row.imports })
    });
    scripts.collect()
}

/// Changes what is said of a script.
pub async fn describe(db: &mut PgConnection, script: ScriptId, description: &str) -> sqlx::Result<()> {
    sqlx::query!("UPDATE scripts SET description = $2 WHERE id = $1", script.0, description).execute(db).await.map(drop)
}

/// The newest version of a script with that digest.
pub async fn version_of(db: &mut PgConnection, script: ScriptId, digest: &str) -> sqlx::Result<Option<i32>> {
    sqlx::query_scalar!(
        "SELECT number FROM script_versions WHERE script_id = $1 AND digest = $2 ORDER BY number DESC LIMIT 1",
        script.0,
        digest
    )
    .fetch_optional(db)
    .await
}
