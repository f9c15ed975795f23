//! API keys: made, listed and taken back by the person whose they are. `keys` next door is about what locks secrets.

use serde_json::json;

use super::audit::{self, Change};
use super::{Services, access};
use crate::auth::token;
use crate::error::{Error, Kind, Result};
use crate::id::{ApiKeyId, UserId};
use crate::limits;
use crate::model::access::{Principal, Scope};
use crate::model::api_key::{ApiKey, NewApiKey};
use crate::model::page::{Page, PageQuery, id_cursor};
use crate::store;

/// Makes a key; the token is seen this once. 422 as `NewApiKey::check`, and for one key too many (`limit_reached`); 403 for
/// `instance:admin` where the person has not that right; 404 for an app that is not theirs to see.
pub async fn create(s: &Services, by: &Principal, new: NewApiKey) -> Result<(ApiKey, String)> {
    let now = s.now();
    let scopes = new.check(now)?;
    if scopes.contains(Scope::InstanceAdmin) && by.decide_on_instance(Scope::InstanceAdmin).is_err() {
        return Err(access::forbidden(Scope::InstanceAdmin));
    }
    let app_id = match &new.app {
        Some(app) => Some(access::app(s, by, app, Scope::ScriptRead).await?.id),
        None => None,
    };
    let minted = token::mint_key()?;
    let key = ApiKey {
        id: ApiKeyId::at(now),
        user_id: by.user_id,
        name: new.name,
        prefix: minted.prefix,
        scopes,
        app_id,
        created_at: now,
        expires_at: new.expires_at,
        last_used_at: None,
    };
    let mut tx = store::begin(&s.db).await?;
    // One maker of a person's keys at a time: their number is bounded. And nobody deactivates the person meanwhile.
    store::wait_briefly(&mut tx).await?;
    let user = store::users::lock(&mut tx, by.user_id).await?;
    if user.is_none() {
        return Err(Error::not_found("user"));
    }
    access::again(&mut tx, now, by).await?;
    let allowed = limits::API_KEYS_PER_USER_MAX;
    if store::keys::count(&mut tx, by.user_id).await? >= allowed {
        let message = format!("you have {allowed} API keys, which is all that one may have; delete one first");
        return Err(Error::new(Kind::Invalid, "limit_reached", message));
    }
    store::keys::insert(&mut tx, &key, &minted.hash).await.map_err(store::refusal)?;
    audit::append(&mut tx, now, Some(by), change("api_key.create", None, Some(&key))).await?;
    tx.commit().await?;
    tracing::info!(user.id = %by.user_id, key.id = %key.id, "API key made");
    Ok((key, minted.token))
}

/// A person's keys, oldest first; expired ones among them, those that were taken back not.
pub async fn list(s: &Services, user: UserId, query: &PageQuery) -> Result<Page<ApiKey>> {
    let after = query.after_id()?;
    let rows = store::keys::of_user(&mut *s.db.acquire().await?, user, after, query.rows()).await?;
    Ok(Page::cut(rows, query.limit, |key| id_cursor(key.id.0)))
}

/// One of a person's keys; 404, also for somebody else's.
pub async fn get(s: &Services, user: UserId, id: ApiKeyId) -> Result<ApiKey> {
    store::keys::get(&mut *s.db.acquire().await?, user, id).await?.ok_or_else(gone)
}

/// Takes a key back: the next request with it is refused. 404, also for somebody else's.
pub async fn delete(s: &Services, by: &Principal, id: ApiKeyId) -> Result<()> {
    let now = s.now();
    let mut tx = store::begin(&s.db).await?;
    let key = store::keys::get(&mut tx, by.user_id, id).await?.ok_or_else(gone)?;
    if !store::keys::revoke(&mut tx, by.user_id, id, now).await? {
        return Err(gone());
    }
    audit::append(&mut tx, now, Some(by), change("api_key.delete", Some(&key), None)).await?;
    tx.commit().await?;
    tracing::info!(user.id = %by.user_id, key.id = %id, "API key taken back");
    Ok(())
}

fn gone() -> Error {
    Error::not_found("API key")
}

fn change(action: &'static str, before: Option<&ApiKey>, after: Option<&ApiKey>) -> Change {
    let told = |key: &ApiKey| {
        let scopes: Vec<_> = key.scopes.iter().map(Scope::as_str).collect();
        json!({ "name": key.name, "prefix": key.prefix, "scopes": scopes, "app_id": key.app_id, "expires_at": key.expires_at })
    };
    let (app_id, target) = before.or(after).map(|key| (key.app_id, key.id.to_string())).unwrap_or_default();
    Change { action, app_id, target, before: before.map(told), after: after.map(told) }
}
