//! Subscribers' tokens: made by scripts and people, listed and taken back by people. Nobody keeps one but who was given it: its hash
//! is stored.

use serde_json::json;

use super::Services;
use super::audit::{self, Change};
use super::events::refusal;
use crate::auth::token;
use crate::error::{Error, Kind, Result};
use crate::id::{AppId, ScriptId, SubscriberTokenId};
use crate::limits;
use crate::model::access::Principal;
use crate::model::page::{Page, PageQuery, id_cursor};
use crate::model::topic::{Maker, NewSubscriberToken, SubscriberToken, too_many};
use crate::store;

/// Makes a token for a script; it is seen this once. 422 as [`NewSubscriberToken::check`]; `limit_exceeded` for one too many; 404 when
/// the app is gone.
pub async fn create_for(s: &Services, script: ScriptId, app: AppId, new: NewSubscriberToken) -> Result<String> {
    let (token, hash, plain) = mint(s, new, Maker::Script(script))?;
    let mut db = s.script_db.acquire().await.map_err(refusal)?;
    let most = limits::SUBSCRIBER_TOKENS_PER_APP_MAX;
    let is_added = store::subscriber_tokens::insert(&mut db, app, &token, &hash, most).await.map_err(refusal)?;
    db.done();
    s.events.kept.notify_one();
    // Their number is no argument of the script's.
    let spent = || Error { kind: Kind::RateLimited, code: "limit_exceeded", ..full() };
    if is_added { Ok(plain) } else { Err(spent()) }
}

/// The same for a person, with what may be told of it later; 422 `limit_reached` for one too many.
pub async fn create(s: &Services, by: &Principal, app: AppId, new: NewSubscriberToken) -> Result<(SubscriberToken, String)> {
    let (token, hash, plain) = mint(s, new, Maker::Person(by.user_id))?;
    let mut tx = store::begin(&s.db).await?;
    let most = limits::SUBSCRIBER_TOKENS_PER_APP_MAX;
    if !store::subscriber_tokens::insert(&mut tx, app, &token, &hash, most).await.map_err(store::refusal)? {
        return Err(full());
    }
    audit::append(&mut tx, token.created_at, Some(by), change("subscriber_token.create", app, None, Some(&token))).await?;
    tx.commit().await?;
    s.events.kept.notify_one();
    tracing::info!(app.id = %app, user.id = %by.user_id, token.id = %token.id, "subscriber token made");
    Ok((token, plain))
}

/// An app's tokens that have not expired, oldest first.
pub async fn list(s: &Services, app: AppId, query: &PageQuery) -> Result<Page<SubscriberToken>> {
    let after = query.after_id()?;
    let rows = store::subscriber_tokens::list(&mut *s.db.acquire().await?, app, s.now(), after, query.rows()).await?;
    Ok(Page::cut(rows, query.limit, |token| id_cursor(token.id.0)))
}

/// Takes a token back: who shows it is let in no more, and who was is sent away. 404, also for another app's.
pub async fn revoke(s: &Services, by: &Principal, app: AppId, id: SubscriberTokenId) -> Result<()> {
    let now = s.now();
    let mut tx = store::begin(&s.db).await?;
    let gone = || Error::not_found("subscriber token");
    let token = store::subscriber_tokens::delete(&mut tx, app, id).await?.ok_or_else(gone)?;
    store::signals::subscribers_changed(&mut tx).await?;
    audit::append(&mut tx, now, Some(by), change("subscriber_token.delete", app, Some(&token), None)).await?;
    tx.commit().await?;
    tracing::info!(app.id = %app, user.id = %by.user_id, token.id = %id, "subscriber token taken back");
    Ok(())
}

fn mint(s: &Services, new: NewSubscriberToken, made_by: Maker) -> Result<(SubscriberToken, token::Hash, String)> {
    let now = s.now();
    let (topics, expires_at) = new.check(now)?;
    let (plain, hash) = token::mint_subscriber()?;
    Ok((SubscriberToken { id: SubscriberTokenId::at(now), topics, created_at: now, expires_at, made_by }, hash, plain))
}

fn full() -> Error {
    too_many("subscriber tokens that have not expired", limits::SUBSCRIBER_TOKENS_PER_APP_MAX)
}

fn change(action: &'static str, app: AppId, before: Option<&SubscriberToken>, after: Option<&SubscriberToken>) -> Change {
    let told = |token: &SubscriberToken| json!({ "topics": token.topics, "expires_at": token.expires_at });
    let target = before.or(after).map(|token| token.id.to_string()).unwrap_or_default();
    Change { action, app_id: Some(app), target, before: before.map(told), after: after.map(told) }
}
