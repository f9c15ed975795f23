//! Splits: a part of an app's requests goes to another of its deployments than the one that runs.
//!
//! The directory carries them, so every node splits alike. One ends when it is ended, when its deployment becomes what runs
//! (`deployments::take_down`), and with the app; while it lasts, its deployment is kept.

use serde_json::{Value, json};

use super::Services;
use super::audit::{self, Change as Audited};
use super::{access, deployments};
use crate::error::{Error, Result};
use crate::id::AppId;
use crate::model::access::Principal;
use crate::model::deployment::difference::{self, Change, Thing};
use crate::model::split::{Set, Split};
use crate::store;

/// The app's split; 404 when it has none.
pub async fn get(s: &Services, app: AppId) -> Result<Set> {
    store::splits::get(&mut *s.db.acquire().await?, app).await?.ok_or_else(|| Error::not_found("split"))
}

/// Splits the app's requests, in place of the split that there is. 422 as [`Split::check`]; 404 for a deployment that is not
/// kept; 409 for the one that runs; 403 naming the scope that bringing back its scripts or routes would take.
pub async fn put(s: &Services, by: &Principal, app: AppId, split: Split) -> Result<Set> {
    split.check()?;
    let now = s.now();
    let set = Set { split, set_by: Some(by.user_id), set_at: now };
    let running = deployments::picture(s, app).await?;
    let other = deployments::get(s, app, split.deployment).await?;
    let changes = difference::between(&running.state, &other.state);
    // What else differs stays as it runs.
    let answers = |change: &&Change| matches!(change.thing, Thing::Script | Thing::Route);
    access::require_all(s, by, app, changes.iter().filter(answers).map(Change::scope)).await?;
    let mut tx = store::begin(&s.db).await?;
    store::wait_briefly(&mut tx).await?;
    store::apps::lock(&mut tx, app).await?.ok_or_else(|| Error::not_found("app"))?;
    let kept = store::deployments::about(&mut tx, app, split.deployment).await?;
    let kept = kept.ok_or_else(|| Error::not_found("deployment"))?;
    if kept.is_active {
        let message = format!("deployment {} is what runs; split with another one", kept.number);
        return Err(Error::conflict(message, json!({ "field": "deployment", "running": kept.number })));
    }
    if store::deployments::active(&mut tx, app).await? != running.active {
        return Err(Error::conflict("the app was changed meanwhile; try again", Value::Null));
    }
    let before = store::splits::get(&mut tx, app).await?;
    store::splits::put(&mut tx, app, &set).await?;
    store::signals::routing_changed(&mut tx).await?;
    audit::append(&mut tx, now, Some(by), audited("split.set", app, before, Some(set))).await?;
    tx.commit().await?;
    s.reload_routing().await;
    tracing::info!(app.id = %app, deployment = split.deployment, percent = split.percent, user.id = %by.user_id, "split set");
    Ok(set)
}

/// Ends the app's split: what runs answers all. 404 when there is none.
pub async fn end(s: &Services, by: &Principal, app: AppId) -> Result<()> {
    let now = s.now();
    let mut tx = store::begin(&s.db).await?;
    store::wait_briefly(&mut tx).await?;
    store::apps::lock(&mut tx, app).await?.ok_or_else(|| Error::not_found("app"))?;
    let before = store::splits::get(&mut tx, app).await?.ok_or_else(|| Error::not_found("split"))?;
    store::splits::delete(&mut tx, app).await?;
    store::signals::routing_changed(&mut tx).await?;
    audit::append(&mut tx, now, Some(by), audited("split.end", app, Some(before), None)).await?;
    tx.commit().await?;
    s.reload_routing().await;
    tracing::info!(app.id = %app, deployment = before.split.deployment, user.id = %by.user_id, "split ended");
    Ok(())
}

fn audited(action: &'static str, app: AppId, before: Option<Set>, after: Option<Set>) -> Audited {
    let told = |set: Set| -> Value {
        let Split { deployment, percent, sticky } = set.split;
        json!({ "deployment": deployment, "percent": percent, "sticky": sticky })
    };
    let target = after.or(before).map(|set| set.split.deployment.to_string()).unwrap_or_default();
    Audited { action, app_id: Some(app), target, before: before.map(told), after: after.map(told) }
}
