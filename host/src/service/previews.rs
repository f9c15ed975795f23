//! Deployments beside the one that runs: links that let people see them, and what is needed to run them.
//!
//! A link is kept nowhere: its seal says that a node of this instance made it, for this deployment of this app and until this
//! time. It cannot be taken back by itself; it ends with its time, with the master key, or with the deployment.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::Services;
use super::audit::{self, Change};
use crate::error::{Error, Result};
use crate::id::AppId;
use crate::model::access::Principal;
use crate::model::app::App;
use crate::model::deployment::State;
use crate::model::preview::{self, Claim};
use crate::store;

/// A way for people to see a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The label of its host name, below the apps domain.
    pub label: String,
    pub token: String,
    pub expires_at: DateTime<Utc>,
}

/// What a deployment is made of.
#[derive(Debug, Clone)]
pub struct Stored {
    pub state: State,
    /// What its versions import, by their digests; none of those that have to be read for it.
    pub imports: BTreeMap<String, Option<Vec<String>>>,
}

/// Makes a link. 404 for a deployment that is not kept; 409 for a slug that is too long; 422 as [`Claim::new`].
pub async fn link(s: &Services, by: &Principal, app: &App, number: i32, expires_in_s: Option<i64>) -> Result<Link> {
    let now = s.now();
    let claim = Claim::new(app.id, number, now, expires_in_s)?;
    let mut tx = store::begin(&s.db).await?;
    let found = store::deployments::about(&mut tx, app.id, number).await?;
    found.ok_or_else(|| Error::not_found("deployment"))?;
    let label = preview::label(number, &app.slug)?;
    let token = claim.token(&s.vault.seal_link(&claim.message())?);
    let told = Change {
        action: "preview.link",
        app_id: Some(app.id),
        target: number.to_string(),
        before: None,
        after: Some(json!({ "deployment": number, "expires_at": claim.expires_at })),
    };
    audit::append(&mut tx, now, Some(by), told).await?;
    tx.commit().await?;
    tracing::info!(app.id = %app.id, deployment = number, user.id = %by.user_id, "preview link made");
    Ok(Link { label, token, expires_at: claim.expires_at })
}

/// Until when a token lets its holder see this deployment; none when it does not, or not any more.
pub fn admits_until(s: &Services, app: AppId, number: i32, token: &str) -> Option<DateTime<Utc>> {
    let (claim, seal) = preview::read_token(token, app, number)?;
    let is_live = claim.expires_at > s.clock.now();
    (is_live && s.vault.is_link_seal(&claim.message(), &seal)).then_some(claim.expires_at)
}

/// Whether the deployment is kept.
pub async fn is_kept(s: &Services, app: AppId, number: i32) -> Result<bool> {
    Ok(store::deployments::about(&mut *s.db.acquire().await?, app, number).await?.is_some())
}

/// A deployment with what its versions import. 404; 409 when the source of one of its scripts is not kept any more.
pub async fn stored(s: &Services, app: AppId, number: i32) -> Result<Stored> {
    // One moment: a source that a deployment names is not gone between the two.
    let mut tx = store::begin_snapshot(&s.db).await?;
    let deployment = store::deployments::get(&mut tx, app, number).await?.ok_or_else(|| Error::not_found("deployment"))?;
    let state = deployment.state;
    let digests: Vec<_> = state.scripts.iter().map(|script| script.digest.clone()).collect();
    let imports = store::snapshots::imports(&mut tx, app, &digests).await?;
    tx.commit().await?;
    if let Some(script) = state.scripts.iter().find(|script| !imports.contains_key(&script.digest)) {
        let message = format!("the source of the script {} is not kept any more", script.name);
        return Err(Error::conflict(message, json!({ "script": script.name, "digest": script.digest })));
    }
    Ok(Stored { state, imports })
}
