//! The app of a thing, loaded for a principal who may: the one way from a name in a request to an app.

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::PgConnection;

use super::Services;
use crate::error::{Error, Kind, Result};
use crate::id::{AppId, ExecutionId, ScriptId};
use crate::model::access::{Credential, Denial, Origin, Principal, Scope, Standing};
use crate::model::app::App;
use crate::store;

/// What a request names of an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named<'a> {
    /// The app itself, by id or slug.
    App(&'a str),
    Script(ScriptId),
    Execution(ExecutionId),
}

/// The app by id or slug, for whoever has `scope` on it. 404 for an app in which the principal has no part, as for one that is not
/// there; 403 `forbidden` naming the scope that their part in it lacks.
pub async fn app(s: &Services, by: &Principal, id_or_slug: &str, scope: Scope) -> Result<App> {
    Ok(find(s, by, Named::App(id_or_slug), scope).await?.0)
}

/// The same for whatever is named, with how the principal stands to it.
pub async fn find(s: &Services, by: &Principal, named: Named<'_>, scope: Scope) -> Result<(App, Standing)> {
    let app = match named {
        Named::App(id_or_slug) => super::apps::get(s, id_or_slug).await?,
        Named::Script(id) => {
            let mut db = s.db.acquire().await?;
            let app = store::scripts::app_of(&mut db, id).await?;
            load(&mut db, app, "script").await?
        }
        Named::Execution(id) => {
            let mut db = s.db.acquire().await?;
            let app = store::executions::app_of(&mut db, id).await?;
            load(&mut db, app, "execution").await?
        }
    };
    let standing = standing(s, by, app.id).await?;
    by.decide_on(standing, scope).map_err(|denial| match denial {
        Denial::Forbidden(scope) => forbidden(scope),
        Denial::Hidden | Denial::Unauthenticated | Denial::LoginNeeded => Error::not_found(match named {
            Named::App(_) => "app",
            Named::Script(_) => "script",
            Named::Execution(_) => "execution",
        }),
    })?;
    Ok((app, standing))
}

/// 403 naming the first of these scopes that the principal has not on the app.
pub async fn require_all(s: &Services, by: &Principal, app: AppId, scopes: impl Iterator<Item = Scope>) -> Result<()> {
    let standing = standing(s, by, app).await?;
    for scope in scopes {
        by.decide_on(standing, scope).map_err(|_| forbidden(scope))?;
    }
    Ok(())
}

/// Whether a token is of somebody who may read the log of the app.
pub async fn may_read_log(s: &Services, token: &str, app: AppId) -> Result<bool> {
    let Some(by) = super::sessions::authenticate(s, token, Origin::default()).await? else { return Ok(false) };
    Ok(by.decide_on(standing(s, &by, app).await?, Scope::LogRead).is_ok())
}

async fn standing(s: &Services, by: &Principal, app_id: AppId) -> Result<Standing> {
    let role = match by.sees_all_apps() {
        true => None,
        false => store::members::role(&mut *s.db.acquire().await?, app_id, by.user_id).await?,
    };
    Ok(Standing { app_id, role })
}

async fn load(db: &mut PgConnection, app: Option<AppId>, what: &str) -> Result<App> {
    let app = match app {
        Some(id) => store::apps::get(db, id).await?,
        None => None,
    };
    app.ok_or_else(|| Error::not_found(what))
}

/// The principal as they are at this moment: a request may have been judged long before its body came. 401 for whoever may not log in
/// any more, or whose credential has ended since. Inside a transaction that keeps others from changing it, if that matters.
pub(super) async fn again(tx: &mut PgConnection, now: DateTime<Utc>, by: &Principal) -> Result<Principal> {
    let is_live = match &by.credential {
        Credential::Session(id) => store::sessions::is_live(tx, *id, now).await?,
        Credential::Key { id, .. } => store::keys::is_live(tx, *id, now).await?,
        Credential::Operator => return Ok(by.clone()),
    };
    let user = store::users::get(tx, by.user_id).await?.filter(|user| is_live && user.is_active());
    let ended = || Error::new(Kind::Unauthenticated, "unauthenticated", "this login or key has ended meanwhile; log in");
    let user = user.ok_or_else(ended)?;
    Ok(Principal { role: user.role, username: user.username, ..by.clone() })
}

/// 403: known by an API key, where it takes a login.
pub fn login_needed() -> Error {
    let message =
        "this takes a login: an API key makes no keys, ends no logins and sets no passwords; POST /api/v1/admin/auth/login";
    Error::new(Kind::Forbidden, "login_needed", message).with_details(json!({ "credential": "session" }))
}

/// 403: known, and without this scope here.
pub fn forbidden(scope: Scope) -> Error {
    Error::new(Kind::Forbidden, "forbidden", format!("this needs the scope {}", scope.as_str()))
        .with_details(json!({ "scope": scope.as_str() }))
}
