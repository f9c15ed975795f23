//! Members of apps.

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::PgConnection;

use super::audit::{self, Change};
use super::{Services, access};
use crate::error::{Error, Kind, Result};
use crate::id::{AppId, UserId};
use crate::limits;
use crate::model::access::{Principal, Scope, Standing};
use crate::model::member::{AppRole, Member};
use crate::model::page::{Page, PageQuery, id_cursor};
use crate::store;

/// An app's members, those first who are users for longest.
pub async fn list(s: &Services, app: AppId, query: &PageQuery) -> Result<Page<Member>> {
    let after = query.after_id()?;
    let rows = store::members::list(&mut *s.db.acquire().await?, app, after, query.rows()).await?;
    Ok(Page::cut(rows, query.limit, |member| id_cursor(member.user_id.0)))
}

/// The user of an id, or of a name in any case; 404.
pub async fn user(s: &Services, id_or_name: &str) -> Result<UserId> {
    let mut db = s.db.acquire().await?;
    let user = match id_or_name.parse::<UserId>() {
        Ok(id) => store::users::get(&mut db, id).await?,
        Err(_) if id_or_name.contains('\0') => None,
        Err(_) => store::users::by_name(&mut db, id_or_name).await?,
    };
    user.map(|user| user.id).ok_or_else(|| Error::not_found("user"))
}

/// Makes a person a member of the app, or changes what they are in it; whether they are new. `if_match` is a `Member::tag`: 412
/// when they are another thing by now. 404 for app and user; 422 `limit_reached`.
pub async fn put(
    s: &Services,
    by: &Principal,
    app: AppId,
    user: UserId,
    role: AppRole,
    if_match: Option<&str>,
) -> Result<(Member, bool)> {
    let now = s.now();
    let mut tx = store::begin(&s.db).await?;
    let (slug, before) = locked(&mut tx, now, by, (app, user), if_match).await?;
    let allowed = limits::MEMBERS_PER_APP_MAX;
    if before.is_none() && store::members::count(&mut tx, app).await? >= allowed {
        let message = format!("the app {slug} has {allowed} members, which is all it may have; remove one first");
        return Err(Error::new(Kind::Invalid, "limit_reached", message));
    }
    store::members::put(&mut tx, app, user, role, now).await.map_err(store::refusal)?;
    let after = store::members::get(&mut tx, app, user).await?.ok_or_else(|| Error::not_found("user"))?;
    let action = if before.is_some() { "member.update" } else { "member.create" };
    audit::append(&mut tx, now, Some(by), change(action, before.as_ref(), Some(&after))).await?;
    tx.commit().await?;
    tracing::info!(app.id = %app, member.id = %user, role = role.as_str(), user.id = %by.user_id, "member set");
    Ok((after, before.is_none()))
}

/// Removes a member; triggers that run as them stop. 404; 412.
pub async fn delete(s: &Services, by: &Principal, app: AppId, user: UserId, if_match: Option<&str>) -> Result<()> {
    let mut tx = store::begin(&s.db).await?;
    let now = s.now();
    let (_, before) = locked(&mut tx, now, by, (app, user), if_match).await?;
    if !store::members::delete(&mut tx, app, user).await? {
        return Err(Error::not_found("member"));
    }
    audit::append(&mut tx, now, Some(by), change("member.delete", before.as_ref(), None)).await?;
    tx.commit().await?;
    tracing::info!(app.id = %app, member.id = %user, user.id = %by.user_id, "member removed");
    Ok(())
}

/// Under a lock of the app: its members change one at a time.
async fn locked(
    tx: &mut PgConnection,
    now: DateTime<Utc>,
    by: &Principal,
    (app, user): (AppId, UserId),
    if_match: Option<&str>,
) -> Result<(String, Option<Member>)> {
    let app = store::apps::lock(tx, app).await?.ok_or_else(|| Error::not_found("app"))?;
    // Whoever was taken out while this request was on its way does not come back by it.
    let role = store::members::role(tx, app.id, by.user_id).await?;
    let by = access::again(tx, now, by).await?;
    by.decide_on(Standing { app_id: app.id, role }, Scope::AppAdmin).map_err(|_| access::forbidden(Scope::AppAdmin))?;
    let member = store::members::get(tx, app.id, user).await?;
    let tag = member.as_ref().map(Member::tag);
    if if_match.is_some_and(|seen| Some(seen) != tag.as_deref()) {
        return Err(Error::changed_meanwhile("member", tag));
    }
    Ok((app.slug, member))
}

fn change(action: &'static str, before: Option<&Member>, after: Option<&Member>) -> Change {
    let told = |member: &Member| json!({ "username": member.username, "role": member.role });
    let (app_id, target) = before.or(after).map(|m| (Some(m.app_id), m.user_id.to_string())).unwrap_or_default();
    Change { action, app_id, target, before: before.map(told), after: after.map(told) }
}
