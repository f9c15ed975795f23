//! What an app allows its scripts to reach.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use super::Services;
use super::audit::{self, Change as Audited};
use crate::error::{Error, Result};
use crate::id::AppId;
use crate::model::access::Principal;
use crate::model::app::App;
use crate::model::grant::{Capability, Grants};
use crate::store;

/// How a statement of grants is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It is all there is: a capability that is not named may nothing.
    Replace,
    /// Each list takes the place of the one of that name; the others stay.
    Merge,
}

/// The app's grants; 404.
pub async fn get(s: &Services, app: AppId) -> Result<Grants> {
    let mut db = s.db.acquire().await?;
    store::apps::grants(&mut db, app).await?.ok_or_else(|| Error::not_found("app"))
}

/// States what the app grants. They hold on this node when this returns, on the others a moment later, for invocations that
/// run too. `if_match` is an `App::tag`: 412. 404; 422 as [`Grants::stated`], and `restricted`.
pub async fn put(
    s: &Services,
    by: &Principal,
    app: AppId,
    lists: BTreeMap<String, Vec<String>>,
    change: Change,
    if_match: Option<&str>,
) -> Result<(App, Grants)> {
    let gone = || Error::not_found("app");
    let mut tx = store::begin(&s.db).await?;
    let mut app = store::apps::lock(&mut tx, app).await?.ok_or_else(gone)?;
    if if_match.is_some_and(|tag| tag != app.tag()) {
        return Err(Error::changed_meanwhile("app", app.tag()));
    }
    let before = store::apps::grants(&mut tx, app.id).await?.ok_or_else(gone)?;
    let grants = match change {
        Change::Replace => Grants::stated(lists)?,
        Change::Merge => before.clone().with(lists)?,
    };
    super::restrictions::of(&mut tx, app.id).await?.admit_state(&grants, &[], &app.slug)?;
    app.updated_at = store::apps::put_grants(&mut tx, app.id, &grants, s.now()).await?;
    store::signals::routing_changed(&mut tx).await?;
    let told = Audited {
        action: "grants.update",
        app_id: Some(app.id),
        target: app.slug.clone(),
        before: Some(before.to_json()),
        after: Some(grants.to_json()),
    };
    let now = s.now();
    super::deployments::record(&mut tx, app.id, Some(by), "grants.update", "", now).await?;
    audit::append(&mut tx, now, Some(by), told).await?;
    tx.commit().await?;
    s.reload_routing().await;
    tracing::info!(app.id = %app.id, user.id = %by.user_id, grants = %grants.to_json(), "grants changed");
    Ok((app, grants))
}

/// Whether a source that reaches `capabilities` may be published in that app: 422 `not_granted` for the first that is
/// granted nothing, naming the request that grants it. What is granted for some names is judged at the call.
pub(super) async fn admit(tx: &mut PgConnection, app: AppId, capabilities: &[String]) -> Result<()> {
    let gone = || Error::not_found("app");
    let app = store::apps::get(tx, app).await?.ok_or_else(gone)?;
    let grants = store::apps::grants(tx, app.id).await?.ok_or_else(gone)?;
    for word in capabilities {
        if let Some(capability) = Capability::from_word(word)
            && !grants.allows_some(capability)
        {
            return Err(grants.not_granted(capability, &app.slug));
        }
    }
    Ok(())
}
