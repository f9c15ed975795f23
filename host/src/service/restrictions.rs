//! What administrators of the instance keep an app from.

use serde_json::json;
use sqlx::PgConnection;

use super::Services;
use super::audit::{self, Change as Audited};
use crate::error::{Error, Result};
use crate::id::AppId;
use crate::model::access::Principal;
use crate::model::app::App;
use crate::model::restriction::Restrictions;
use crate::store;

/// What the app is kept from; 404.
pub async fn get(s: &Services, app: AppId) -> Result<Restrictions> {
    of(&mut *s.db.acquire().await?, app).await
}

/// The same, as a transaction sees it.
pub(super) async fn of(db: &mut PgConnection, app: AppId) -> Result<Restrictions> {
    store::apps::restrictions(db, app).await?.ok_or_else(|| Error::not_found("app"))
}

/// States all that the app is kept from. What it has of that it loses at once, scripts that run too: grants of a capability are
/// taken back, triggers of a kind switched off. Nothing of it comes back by itself. `if_match` is an `App::tag`: 412. 404; 422 as
/// [`Restrictions::stated`].
pub async fn put(
    s: &Services,
    by: &Principal,
    app: AppId,
    asked: Restrictions,
    if_match: Option<&str>,
) -> Result<(App, Restrictions)> {
    let (gone, now) = (|| Error::not_found("app"), s.now());
    let stated = asked.stated()?;
    let mut tx = store::begin(&s.db).await?;
    store::wait_briefly(&mut tx).await?;
    let mut app = store::apps::lock(&mut tx, app).await?.ok_or_else(gone)?;
    if if_match.is_some_and(|tag| tag != app.tag()) {
        return Err(Error::changed_meanwhile("app", app.tag()));
    }
    let before = of(&mut tx, app.id).await?;
    let grants = store::apps::grants(&mut tx, app.id).await?.ok_or_else(gone)?;
    let left = stated.applied_to(&grants);
    super::deployments::record_first(&mut tx, app.id, now).await?;
    if left != grants {
        store::apps::put_grants(&mut tx, app.id, &left, now).await?;
    }
    let switched_off = store::triggers::disable(&mut tx, app.id, &stated.trigger_kinds, now).await?;
    app.updated_at = store::apps::put_restrictions(&mut tx, app.id, &stated, now).await?;
    if left != grants || switched_off > 0 {
        super::deployments::record(&mut tx, app.id, Some(by), "restrictions.update", "", now).await?;
    }
    store::signals::routing_changed(&mut tx).await?;
    let told = Audited {
        action: "restrictions.update",
        app_id: Some(app.id),
        target: app.slug.clone(),
        before: Some(json!(before)),
        after: Some(json!(stated)),
    };
    audit::append(&mut tx, now, Some(by), told).await?;
    let doubt = s.events.doubt();
    tx.commit().await?;
    doubt.settle_changed();
    s.reload_routing().await;
    tracing::info!(app.id = %app.id, user.id = %by.user_id, restrictions = %json!(stated), switched_off, "restrictions changed");
    Ok((app, stated))
}
