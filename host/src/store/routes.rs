//! `routes`.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::id::{AppId, RouteId, ScriptId, UserId};
use crate::model::route::{DispatchMode, HostPattern, Method, PatternError, Route};

struct Row {
    id: RouteId,
    app_id: AppId,
    script_id: ScriptId,
    host: Option<String>,
    path: String,
    method: Option<String>,
    dispatch_mode: String,
    created_at: DateTime<Utc>,
}

impl Row {
    fn route(self) -> sqlx::Result<Route> {
        let unreadable = |error: PatternError| super::unreadable(error.field, error.message);
        Ok(Route {
            id: self.id,
            app_id: self.app_id,
            script_id: self.script_id,
            method: self.method.as_deref().map(str::parse::<Method>).transpose().map_err(unreadable)?,
            host: self.host.as_deref().map(str::parse::<HostPattern>).transpose().map_err(unreadable)?,
            path: self.path.parse().map_err(unreadable)?,
            dispatch_mode: super::word("dispatch_mode", &self.dispatch_mode, DispatchMode::from_word)?,
            created_at: self.created_at,
        })
    }
}

pub async fn insert(db: &mut PgConnection, route: &Route, by: UserId) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO routes (id, app_id, script_id, host, path, method, created_by, created_at, dispatch_mode)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        route.id.0,
        route.app_id.0,
        route.script_id.0,
        route.host.as_ref().map(HostPattern::to_string),
        route.path.to_string(),
        route.method.as_ref().map(Method::as_str),
        by.0,
        route.created_at,
        route.dispatch_mode.as_str()
    )
    .execute(db)
    .await
    .map(drop)
}

pub async fn of_app(db: &mut PgConnection, app: AppId) -> sqlx::Result<Vec<Route>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: RouteId", app_id AS "app_id: AppId", script_id AS "script_id: ScriptId",
                  host, path, method, dispatch_mode, created_at
           FROM routes WHERE app_id = $1"#,
        app.0
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(Row::route).collect()
}

/// In order of creation.
pub async fn of_script(db: &mut PgConnection, script: ScriptId) -> sqlx::Result<Vec<Route>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: RouteId", app_id AS "app_id: AppId", script_id AS "script_id: ScriptId",
                  host, path, method, dispatch_mode, created_at
           FROM routes WHERE script_id = $1 ORDER BY id"#,
        script.0
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(Row::route).collect()
}

/// Every route. One that this binary cannot read (a newer one wrote it) is left out and logged: it must not take the others
/// with it.
pub async fn all(db: &mut PgConnection) -> sqlx::Result<Vec<Route>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: RouteId", app_id AS "app_id: AppId", script_id AS "script_id: ScriptId",
                  host, path, method, dispatch_mode, created_at
           FROM routes"#
    )
    .fetch_all(db)
    .await?;
    let mut routes = Vec::with_capacity(rows.len());
    for row in rows {
        let (id, app) = (row.id, row.app_id);
        match row.route() {
            Ok(route) => routes.push(route),
            Err(error) => tracing::error!(route.id = %id, app.id = %app, %error, "a stored route cannot be read"),
        }
    }
    Ok(routes)
}

/// Deletes a route of that script; whether it was there.
pub async fn delete(db: &mut PgConnection, script: ScriptId, id: RouteId) -> sqlx::Result<bool> {
    let done = sqlx::query!("DELETE FROM routes WHERE script_id = $1 AND id = $2", script.0, id.0).execute(db).await?;
    Ok(done.rows_affected() > 0)
}
