//! What an app may use: stated by administrators of the instance, never by the app itself.

use serde_json::json;

use super::Services;
use super::audit::{self, Change as Audited};
use crate::error::{Error, Result};
use crate::id::AppId;
use crate::model::access::Principal;
use crate::model::app::App;
use crate::model::quota::{Named, Quota};
use crate::store;

/// How a statement of a quota is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It is all there is: what is not named has the platform's default.
    Replace,
    /// What is not named stays.
    Merge,
}

/// What was set of the app's quota; 404.
pub async fn get(s: &Services, app: AppId) -> Result<Named> {
    let mut db = s.db.acquire().await?;
    store::apps::quota(&mut db, app).await?.ok_or_else(|| Error::not_found("app"))
}

/// States what the app may use. It holds on this node when this returns, on the others a moment later, for whatever begins then.
/// What the app has beyond a bound that was lowered stays; it only cannot grow. `if_match` is an `App::tag`: 412. 404; 422 as
/// [`Quota::of`].
pub async fn put(
    s: &Services,
    by: &Principal,
    app: AppId,
    asked: Named,
    change: Change,
    if_match: Option<&str>,
) -> Result<(App, Named)> {
    let gone = || Error::not_found("app");
    let mut tx = store::begin(&s.db).await?;
    store::wait_briefly(&mut tx).await?;
    let mut app = store::apps::lock(&mut tx, app).await?.ok_or_else(gone)?;
    if if_match.is_some_and(|tag| tag != app.tag()) {
        return Err(Error::changed_meanwhile("app", app.tag()));
    }
    let before = store::apps::quota(&mut tx, app.id).await?.ok_or_else(gone)?;
    // What is stored already may have come to lie outside of what is allowed: only what is asked now is judged.
    Quota::of(&asked)?;
    let set = match change {
        Change::Replace => asked,
        Change::Merge => before.clone().into_iter().chain(asked).collect(),
    };
    app.updated_at = store::apps::put_quota(&mut tx, app.id, &set, s.now()).await?;
    store::signals::routing_changed(&mut tx).await?;
    let told = Audited {
        action: "quota.update",
        app_id: Some(app.id),
        target: app.slug.clone(),
        before: Some(json!(before)),
        after: Some(json!(set)),
    };
    audit::append(&mut tx, s.now(), Some(by), told).await?;
    tx.commit().await?;
    s.reload_routing().await;
    tracing::info!(app.id = %app.id, user.id = %by.user_id, quota = %json!(set), "quota changed");
    Ok((app, set))
}
