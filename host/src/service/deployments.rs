//! Deployments: every change of what an app runs makes one, or makes one that was there what runs again.
//!
//! The tables of scripts, routes, triggers, grants and registered topics are what runs; a deployment tells of them. It is written in the transaction of
//! the change, under a lock of the app (`record`), so there is none of a state that never was, and none is missing. `change` puts an
//! app as a whole into another state, all or nothing.

pub mod change;

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::Services;
use crate::error::{Error, Kind, Result};
use crate::id::AppId;
use crate::limits;
use crate::model::access::Principal;
use crate::model::app::App;
use crate::model::archive::triggers;
use crate::model::deployment::manifest::part_of;
use crate::model::deployment::{About, Deployment, State};
use crate::model::grant::Grants;
use crate::model::page::{Page, PageQuery, number_cursor};
use crate::model::route::Route;
use crate::model::script::Kind as ScriptKind;
use crate::model::trigger::{State as TriggerState, Trigger};
use crate::store;
use crate::store::deployments::Running;

/// An app as it runs, with the ids of what it is made of.
#[derive(Debug, Clone)]
pub struct Picture {
    pub app: App,
    pub state: State,
    pub digest: String,
    /// In the order of the state.
    pub scripts: Vec<Running>,
    pub grants: Grants,
    routes: Vec<Route>,
    triggers: Vec<Trigger>,
    /// The deployment that runs; none before the first change.
    pub active: Option<i32>,
}

impl Picture {
    /// The script of that name, if it is of that kind.
    pub fn script(&self, name: &str, kind: ScriptKind) -> Option<&Running> {
        let place = self.scripts.binary_search_by(|running| running.state.name.as_str().cmp(name)).ok()?;
        self.scripts.get(place).filter(|running| running.state.kind == kind)
    }
}

/// An app's deployments without their states, newest first.
pub async fn list(s: &Services, app: AppId, query: &PageQuery) -> Result<Page<About>> {
    let before = query.after_number()?;
    let rows = store::deployments::list(&mut *s.db.acquire().await?, app, before, query.rows()).await?;
    Ok(Page::cut(rows, query.limit, |about| number_cursor(about.number)))
}

/// One with its state; 404.
pub async fn get(s: &Services, app: AppId, number: i32) -> Result<Deployment> {
    let found = store::deployments::get(&mut *s.db.acquire().await?, app, number).await?;
    found.ok_or_else(|| Error::not_found("deployment"))
}

/// The one that ran before what runs now; 404 when there is none.
pub async fn previous(s: &Services, app: AppId) -> Result<i32> {
    let found = store::deployments::previous(&mut *s.db.acquire().await?, app).await?;
    found.ok_or_else(|| Error::not_found("earlier deployment"))
}

/// The one that runs; 404 before the app's first change.
pub async fn active(s: &Services, app: AppId) -> Result<i32> {
    let found = store::deployments::active(&mut *s.db.acquire().await?, app).await?;
    found.ok_or_else(|| Error::not_found("deployment"))
}

/// The app as it runs; 404.
pub async fn picture(s: &Services, app: AppId) -> Result<Picture> {
    // One moment: what is read is of several tables.
    let mut tx = store::begin_snapshot(&s.db).await?;
    let app = store::apps::get(&mut tx, app).await?.ok_or_else(|| Error::not_found("app"))?;
    let picture = picture_of(&mut tx, app).await?;
    tx.commit().await?;
    Ok(picture)
}

/// The sources of versions with these digests, as far as they are kept. 422 `limit_reached` for more of them than a manifest holds.
pub async fn sources(s: &Services, app: AppId, digests: &[String]) -> Result<BTreeMap<String, String>> {
    let mut db = s.db.acquire().await?;
    let (bytes, allowed) = (store::deployments::source_bytes(&mut db, app, digests).await?, limits::MANIFEST_BYTES_MAX as i64);
    if bytes > allowed {
        let message = format!("the sources of the app are {bytes} bytes together; {allowed} is what a manifest holds");
        return Err(Error::new(Kind::Invalid, "limit_reached", message));
    }
    Ok(store::deployments::sources(&mut db, app, digests).await?)
}

async fn picture_of(tx: &mut PgConnection, app: App) -> Result<Picture> {
    let scripts = store::deployments::scripts(tx, app.id).await?;
    let names: HashMap<_, _> = scripts.iter().map(|script| (script.id, script.state.name.clone())).collect();
    let grants = store::apps::grants(tx, app.id).await?.ok_or_else(|| Error::not_found("app"))?;
    let routes = store::routes::of_app(tx, app.id).await?;
    let told = routes.iter().filter_map(|route| Some(part_of(route, names.get(&route.script_id)?)));
    let mut told: Vec<_> = told.collect();
    told.sort();
    let triggers = store::triggers::list(tx, app.id, None, None, None, i64::from(limits::TRIGGERS_CEILING)).await?;
    let active = store::deployments::active(tx, app.id).await?;
    let state = State {
        scripts: scripts.iter().map(|script| script.state.clone()).collect(),
        routes: told,
        triggers: triggers::parts(&triggers.iter().map(as_meant).collect::<Vec<_>>(), &names).0,
        grants: serde_json::from_value(grants.to_json()).map_err(Error::internal)?,
        topics: store::topics::accesses(tx, app.id).await?,
    };
    let digest = state.digest()?;
    Ok(Picture { app, state, digest, scripts, grants, routes, triggers, active })
}

/// What stopped by itself is still meant to run.
fn as_meant(trigger: &Trigger) -> Trigger {
    let mut trigger = trigger.clone();
    if let TriggerState::Stopped { .. } = trigger.state {
        trigger.state = TriggerState::Active;
    }
    trigger
}

/// Takes down what the app runs now, before the transaction that changed it ends; under a lock of the app.
pub(super) async fn record(
    tx: &mut PgConnection,
    app: AppId,
    by: Option<&Principal>,
    cause: &str,
    message: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let app = store::apps::get(tx, app).await?.ok_or_else(|| Error::not_found("app"))?;
    let picture = picture_of(tx, app).await?;
    take_down(tx, &picture, by, cause, message, now).await.map(drop)
}

/// The same of an app whose changes were not taken down yet, before one thing of it is changed.
pub(super) async fn record_first(tx: &mut PgConnection, app: AppId, now: DateTime<Utc>) -> Result<()> {
    if store::deployments::active(tx, app).await?.is_some() {
        return Ok(());
    }
    let app = store::apps::get(tx, app).await?.ok_or_else(|| Error::not_found("app"))?;
    let picture = picture_of(tx, app).await?;
    take_down_first(tx, &picture, now).await
}

async fn take_down_first(tx: &mut PgConnection, before: &Picture, now: DateTime<Utc>) -> Result<()> {
    if before.active.is_none() && !before.scripts.is_empty() {
        take_down(tx, before, None, "app.before", "", now).await?;
    }
    Ok(())
}

/// Makes the deployment of that state what runs; its number.
async fn take_down(
    tx: &mut PgConnection,
    running: &Picture,
    by: Option<&Principal>,
    cause: &str,
    message: &str,
    now: DateTime<Utc>,
) -> Result<i32> {
    let number = put(tx, running, by, cause, message, now).await?;
    if running.active != Some(number) {
        store::deployments::set_active(tx, running.app.id, number, now).await?;
        if store::splits::end_with(tx, running.app.id, number).await? {
            store::signals::routing_changed(tx).await?;
        }
        store::deployments::trim(tx, running.app.id, limits::DEPLOYMENTS_PER_APP_MAX).await?;
    }
    Ok(number)
}

/// The deployment of that state, which is made unless there is one.
async fn put(
    tx: &mut PgConnection,
    picture: &Picture,
    by: Option<&Principal>,
    cause: &str,
    message: &str,
    now: DateTime<Utc>,
) -> Result<i32> {
    if let Some(number) = store::deployments::by_digest(tx, picture.app.id, &picture.digest).await? {
        return Ok(number);
    }
    let about = About {
        app_id: picture.app.id,
        number: 0,
        digest: picture.digest.clone(),
        cause: cause.to_owned(),
        message: message.to_owned(),
        created_by: by.map(|by| by.user_id),
        created_at: now,
        activated_at: None,
        is_active: false,
    };
    let new = Deployment { about, state: picture.state.clone() };
    store::deployments::insert(tx, &new).await.map_err(store::refusal)
}
