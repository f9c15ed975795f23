//! `app_splits`.

use sqlx::PgConnection;

use crate::id::{AppId, UserId};
use crate::model::split::{Set, Split};

/// The app's split, if it has one.
pub async fn get(db: &mut PgConnection, app: AppId) -> sqlx::Result<Option<Set>> {
    let row = sqlx::query!(
        r#"SELECT deployment, percent, sticky, set_by AS "set_by: UserId", set_at FROM app_splits WHERE app_id = $1"#,
        app.0
    );
    let Some(row) = row.fetch_optional(db).await? else { return Ok(None) };
    let percent = super::natural("percent", row.percent)?;
    let split = Split { deployment: row.deployment, percent, sticky: row.sticky };
    Ok(Some(Set { split, set_by: row.set_by, set_at: row.set_at }))
}

/// Every app's.
pub async fn all(db: &mut PgConnection) -> sqlx::Result<Vec<(AppId, Split)>> {
    let rows = sqlx::query!(r#"SELECT app_id AS "app_id: AppId", deployment, percent, sticky FROM app_splits"#);
    let splits = rows.fetch_all(db).await?.into_iter().map(|row| {
        let percent = super::natural("percent", row.percent)?;
        Ok((row.app_id, Split { deployment: row.deployment, percent, sticky: row.sticky }))
    });
    splits.collect()
}

/// Sets the app's split, in place of the one that it has.
pub async fn put(db: &mut PgConnection, app: AppId, set: &Set) -> sqlx::Result<()> {
    let Set { split: Split { deployment, percent, sticky }, set_by, set_at } = set;
    sqlx::query!(
        "INSERT INTO app_splits (app_id, deployment, percent, sticky, set_by, set_at) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT ON CONSTRAINT app_splits_pkey
         DO UPDATE SET deployment = $2, percent = $3, sticky = $4, set_by = $5, set_at = $6",
        app.0,
        deployment,
        i16::from(*percent),
        sticky,
        set_by.map(|by| by.0),
        set_at
    )
    .execute(db)
    .await
    .map(drop)
}

/// Ends the app's split.
pub async fn delete(db: &mut PgConnection, app: AppId) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM app_splits WHERE app_id = $1", app.0).execute(db).await.map(drop)
}

/// Ends the app's split if it is with this deployment, which runs from now on; whether it was.
pub async fn end_with(db: &mut PgConnection, app: AppId, number: i32) -> sqlx::Result<bool> {
    let done = sqlx::query!("DELETE FROM app_splits WHERE app_id = $1 AND deployment = $2", app.0, number).execute(db).await?;
    Ok(done.rows_affected() > 0)
}
