//! What decides which script answers a request: `apps`, `scripts` with their active versions, `routes`, `domains`,
//! `former_slugs`, `app_splits`.

use sqlx::PgPool;

use crate::model::route::Source;

/// All of it as of one moment: between two of its queries nothing changes.
pub async fn load(db: &PgPool) -> sqlx::Result<Source> {
    let mut tx = super::begin_snapshot(db).await?;
    let apps = super::apps::tenants(&mut tx).await?;
    let scripts = super::scripts::deployed(&mut tx).await?;
    let routes = super::routes::all(&mut tx).await?;
    let domains = super::domains::verified(&mut tx).await?;
    let former_slugs = super::slugs::all(&mut tx).await?;
    let splits = super::splits::all(&mut tx).await?;
    tx.commit().await?;
    Ok(Source { apps, scripts, routes, domains, former_slugs, splits })
}
