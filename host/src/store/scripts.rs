//! `scripts` and `script_versions`.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use crate::id::{AppId, ScriptId, UserId};
use crate::model::access::Sight;
use crate::model::invocation::Deployed;
use crate::model::script::{Kind, Limits, Script, Summary, Version, VersionSummary};

struct Row {
    id: ScriptId,
    app_id: AppId,
    name: String,
    kind: String,
    description: String,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    number: i32,
    digest: String,
    source: String,
    limits: Json<Limits>,
    capabilities: Vec<String>,
    published_by: Option<UserId>,
    published_at: DateTime<Utc>,
    own_capabilities: Vec<String>,
    imports: Vec<String>,
    message: String,
    generation: i32,
}

impl Row {
    fn script(self) -> sqlx::Result<Script> {
        Ok(Script {
            id: self.id,
            app_id: self.app_id,
            name: self.name,
            kind: super::word("kind", &self.kind, Kind::from_word)?,
            description: self.description,
            active: Version {
                number: self.number,
                digest: self.digest,
                source: self.source,
                limits: self.limits.0,
                capabilities: self.capabilities,
                own_capabilities: self.own_capabilities,
                imports: self.imports,
                message: self.message,
                created_by: self.published_by,
                created_at: self.published_at,
            },
            generation: self.generation,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}

struct SummaryRow {
    id: ScriptId,
    app_id: AppId,
    name: String,
    kind: String,
    description: String,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    number: i32,
    digest: String,
    limits: Json<Limits>,
    capabilities: Vec<String>,
}

impl SummaryRow {
    fn summary(self) -> sqlx::Result<Summary> {
        Ok(Summary {
            id: self.id,
            app_id: self.app_id,
            name: self.name,
            kind: super::word("kind", &self.kind, Kind::from_word)?,
            description: self.description,
            version: self.number,
            digest: self.digest,
            limits: self.limits.0,
            capabilities: self.capabilities,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}

/// The script with its active version.
pub async fn get(db: &mut PgConnection, id: ScriptId) -> sqlx::Result<Option<Script>> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT s.id AS "id: ScriptId", s.app_id AS "app_id: AppId", s.name, s.kind, s.description, s.created_at, s.updated_at,
                  v.number, v.digest, v.source, v.limits AS "limits: Json<Limits>", v.capabilities,
                  v.created_by AS "published_by: UserId", v.created_at AS published_at,
                  v.own_capabilities, v.imports, v.message, s.generation
           FROM scripts s JOIN script_versions v ON v.script_id = s.id AND v.number = s.active_version
           WHERE s.id = $1"#,
        id.0
    );
    row.fetch_optional(db).await?.map(Row::script).transpose()
}

/// Holds the script until the transaction ends: nobody else publishes or deletes it. Whether it is there.
///
/// Apart from reading it: a row that waited for its lock is read anew, a row joined to it is not.
pub async fn lock(db: &mut PgConnection, id: ScriptId) -> sqlx::Result<bool> {
    let row = sqlx::query_scalar!("SELECT id FROM scripts WHERE id = $1 FOR NO KEY UPDATE", id.0);
    Ok(row.fetch_optional(db).await?.is_some())
}

/// The app that a script is of.
pub async fn app_of(db: &mut PgConnection, id: ScriptId) -> sqlx::Result<Option<AppId>> {
    sqlx::query_scalar!(r#"SELECT app_id AS "app_id: AppId" FROM scripts WHERE id = $1"#, id.0).fetch_optional(db).await
}

/// The id of an app's script of that name.
pub async fn by_name(db: &mut PgConnection, app: AppId, name: &str) -> sqlx::Result<Option<ScriptId>> {
    sqlx::query_scalar!(r#"SELECT id AS "id: ScriptId" FROM scripts WHERE app_id = $1 AND name = $2"#, app.0, name)
        .fetch_optional(db)
        .await
}

/// Of what `sight` shows, one app's or all, in order of creation, after `after`.
pub async fn list(
    db: &mut PgConnection,
    sight: &Sight,
    app: Option<AppId>,
    after: Option<Uuid>,
    rows: i64,
) -> sqlx::Result<Vec<Summary>> {
    let after = after.unwrap_or(Uuid::nil());
    let rows = match app.or(sight.app_id) {
        Some(app) => {
            sqlx::query_as!(
                SummaryRow,
                r#"SELECT s.id AS "id: ScriptId", s.app_id AS "app_id: AppId", s.name, s.kind, s.description, s.created_at,
                          s.updated_at, v.number, v.digest, v.limits AS "limits: Json<Limits>", v.capabilities
                   FROM scripts s JOIN script_versions v ON v.script_id = s.id AND v.number = s.active_version
                   WHERE s.app_id = $1 AND s.id > $2
                         AND ($4::uuid IS NULL OR EXISTS (SELECT FROM members m WHERE m.app_id = s.app_id AND m.user_id = $4))
                   ORDER BY s.id LIMIT $3"#,
                app.0,
                after,
                rows,
                sight.member.map(|id| id.0)
            )
            .fetch_all(db)
            .await?
        }
        None => {
            sqlx::query_as!(
                SummaryRow,
                r#"SELECT s.id AS "id: ScriptId", s.app_id AS "app_id: AppId", s.name, s.kind, s.description, s.created_at,
                          s.updated_at, v.number, v.digest, v.limits AS "limits: Json<Limits>", v.capabilities
                   FROM scripts s JOIN script_versions v ON v.script_id = s.id AND v.number = s.active_version
                   WHERE s.id > $1
                         AND ($3::uuid IS NULL OR EXISTS (SELECT FROM members m WHERE m.app_id = s.app_id AND m.user_id = $3))
                   ORDER BY s.id LIMIT $2"#,
                after,
                rows,
                sight.member.map(|id| id.0)
            )
            .fetch_all(db)
            .await?
        }
    };
    rows.into_iter().map(SummaryRow::summary).collect()
}

/// What answers now: every script's active version.
pub async fn deployed(db: &mut PgConnection) -> sqlx::Result<Vec<Deployed>> {
    let rows = sqlx::query!(
        r#"SELECT s.id AS "id: ScriptId", s.app_id AS "app_id: AppId", s.name, s.kind, s.generation,
                  v.number, v.limits AS "limits: Json<Limits>"
           FROM scripts s JOIN script_versions v ON v.script_id = s.id AND v.number = s.active_version"#
    )
    .fetch_all(db)
    .await?;
    let deployed = rows.into_iter().map(|row| {
        Ok(Deployed {
            app_id: row.app_id,
            script_id: row.id,
            version: row.number,
            generation: row.generation,
            kind: super::word("kind", &row.kind, Kind::from_word)?,
            name: row.name,
            limits: row.limits.0,
        })
    });
    deployed.collect()
}

/// The app's scripts.
pub async fn ids(db: &mut PgConnection, app: AppId) -> sqlx::Result<Vec<ScriptId>> {
    sqlx::query_scalar!(r#"SELECT id AS "id: ScriptId" FROM scripts WHERE app_id = $1"#, app.0).fetch_all(db).await
}

/// Adds a script without its version (`insert_version` must follow in the transaction); false when the name is taken.
pub async fn insert(db: &mut PgConnection, script: &Script, by: UserId) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "INSERT INTO scripts (id, app_id, name, kind, description, active_version, created_by, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT ON CONSTRAINT scripts_app_id_name_key DO NOTHING",
        script.id.0,
        script.app_id.0,
        script.name,
        script.kind.as_str(),
        script.description,
        script.active.number,
        by.0,
        script.created_at,
        script.updated_at
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub async fn insert_version(db: &mut PgConnection, app: AppId, script: ScriptId, version: &Version) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO script_versions
            (app_id, script_id, number, digest, source, limits, capabilities, own_capabilities, imports, created_by, created_at,
             message)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        app.0,
        script.0,
        version.number,
        version.digest,
        version.source,
        version.limits.to_json(),
        &version.capabilities,
        &version.own_capabilities,
        &version.imports,
        version.created_by.map(|by| by.0),
        version.created_at,
        version.message
    )
    .execute(db)
    .await
    .map(drop)
}

struct VersionRow {
    number: i32,
    digest: String,
    limits: Json<Limits>,
    capabilities: Vec<String>,
    message: String,
    created_by: Option<UserId>,
    created_at: DateTime<Utc>,
}

impl VersionRow {
    fn summary(self) -> sqlx::Result<VersionSummary> {
        Ok(VersionSummary {
            number: self.number,
            digest: self.digest,
            limits: self.limits.0,
            capabilities: self.capabilities,
            message: self.message,
            created_by: self.created_by,
            created_at: self.created_at,
        })
    }
}

/// A script's versions without their sources, newest first, older than `before`.
pub async fn versions(
    db: &mut PgConnection,
    script: ScriptId,
    before: Option<i32>,
    rows: i64,
) -> sqlx::Result<Vec<VersionSummary>> {
    let rows = sqlx::query_as!(
        VersionRow,
        r#"SELECT number, digest, limits AS "limits: Json<Limits>", capabilities, message, created_by AS "created_by: UserId",
                  created_at
           FROM script_versions WHERE script_id = $1 AND ($2::integer IS NULL OR number < $2) ORDER BY number DESC LIMIT $3"#,
        script.0,
        before,
        rows
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(VersionRow::summary).collect()
}

/// One version of a script.
pub async fn version(db: &mut PgConnection, script: ScriptId, number: i32) -> sqlx::Result<Option<Version>> {
    let row = sqlx::query!(
        r#"SELECT digest, source, limits AS "limits: Json<Limits>", capabilities, own_capabilities, imports, message,
                  created_by AS "created_by: UserId", created_at
           FROM script_versions WHERE script_id = $1 AND number = $2"#,
        script.0,
        number
    );
    let Some(row) = row.fetch_optional(db).await? else { return Ok(None) };
    Ok(Some(Version {
        number,
        digest: row.digest,
        source: row.source,
        limits: row.limits.0,
        capabilities: row.capabilities,
        own_capabilities: row.own_capabilities,
        imports: row.imports,
        message: row.message,
        created_by: row.created_by,
        created_at: row.created_at,
    }))
}

/// The number of the script's newest version; 0 for none.
pub async fn newest_version(db: &mut PgConnection, script: ScriptId) -> sqlx::Result<i32> {
    sqlx::query_scalar!(r#"SELECT coalesce(max(number), 0) AS "number!" FROM script_versions WHERE script_id = $1"#, script.0)
        .fetch_one(db)
        .await
}

/// Makes a version the active one, and stores the description beside it. `updated_at` strictly grows.
pub async fn activate(
    db: &mut PgConnection,
    script: ScriptId,
    version: i32,
    description: &str,
    now: DateTime<Utc>,
) -> sqlx::Result<DateTime<Utc>> {
    sqlx::query_scalar!(
        "UPDATE scripts SET active_version = $2, description = $3, updated_at = greatest($4, updated_at + interval '1 microsecond') WHERE id = $1
         RETURNING updated_at",
        script.0,
        version,
        description,
        now
    )
    .fetch_one(db)
    .await
}

/// A version as it is run, without its modules.
pub struct Stored {
    pub app_id: AppId,
    pub name: String,
    pub source: String,
    pub imports: Vec<String>,
}

pub async fn stored(db: &mut PgConnection, script: ScriptId, version: i32) -> sqlx::Result<Option<Stored>> {
    sqlx::query_as!(
        Stored,
        r#"SELECT s.app_id AS "app_id: AppId", s.name, v.source, v.imports FROM script_versions v JOIN scripts s ON s.id = v.script_id
           WHERE v.script_id = $1 AND v.number = $2"#,
        script.0,
        version
    )
    .fetch_optional(db)
    .await
}

/// Deletes the script and, by cascade, its versions, images and routes; whether it was there.
pub async fn delete(db: &mut PgConnection, id: ScriptId) -> sqlx::Result<bool> {
    let done = sqlx::query!("DELETE FROM scripts WHERE id = $1", id.0).execute(db).await?;
    Ok(done.rows_affected() > 0)
}
