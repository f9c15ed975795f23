//! Secrets of apps: sealed before they are written, opened for the app's scripts alone.
//!
//! Bounds, each a 422: name 1..=`SECRET_NAME_BYTES_MAX` of its characters, value at most `SECRET_VALUE_BYTES_MAX` bytes,
//! `SECRETS_PER_APP_MAX` for each app. No error and no log line here holds a value, nor a name that was refused.
//!
//! What is written is sealed with the key that was made last, as the same transaction sees it, so a rotation by another
//! process (`keys`) is followed at once. A secret is read in one statement with its key.

use sqlx::{PgConnection, PgPool};

use super::Services;
use super::audit::{self, Change};
use crate::error::{Error, Kind, Result};
use crate::id::{AppId, DataKeyId};
use crate::limits;
use crate::model::access::Principal;
use crate::model::page::{Page, PageQuery, text_cursor};
use crate::model::secret::{About, Secret, check_name, check_page};
use crate::store;
use crate::vault::DataKey;

/// The value, if it is there.
pub async fn get(s: &Services, app: AppId, name: &str) -> Result<Option<Secret>> {
    check_name(name)?;
    let mut db = s.script_db.acquire().await?;
    let found = store::secrets::get(&mut db, app, name).await?;
    db.done();
    let Some((sealed, key)) = found else { return Ok(None) };
    Ok(Some(s.vault.unwrap(&key)?.open(app, name, &sealed)?))
}

/// Sets the secret for a script. 404 when the app is gone; 422 `limit_reached`.
pub async fn set(s: &Services, app: AppId, name: &str, secret: &Secret) -> Result<()> {
    put(s, &s.script_db, None, app, name, secret).await.map(drop)
}

/// Deletes the secret for a script; whether it was there.
pub async fn delete(s: &Services, app: AppId, name: &str) -> Result<bool> {
    check_name(name)?;
    Ok(store::secrets::delete(&mut *s.script_db.acquire().await?, app, name).await?)
}

/// Names after `after`, in bytewise order; whether more follow. `limit` is 1..=`SECRETS_PAGE_ITEMS_MAX`.
pub async fn names(s: &Services, app: AppId, after: &str, limit: u32) -> Result<(Vec<String>, bool)> {
    check_page(after, limit)?;
    let mut db = s.script_db.acquire().await?;
    let found = store::secrets::list(&mut db, app, after, i64::from(limit) + 1).await?;
    let more = found.len() > usize::try_from(limit).unwrap_or(usize::MAX);
    Ok((found.into_iter().take(usize::try_from(limit).unwrap_or(usize::MAX)).map(|about| about.name).collect(), more))
}

/// Sets the secret for a person; what may be told of it, and whether it is new. 404; 422.
pub async fn set_by_user(s: &Services, by: &Principal, app: AppId, name: &str, secret: &Secret) -> Result<(About, bool)> {
    let done = put(s, &s.db, Some(by), app, name, secret).await?;
    tracing::info!(app.id = %app, user.id = %by.user_id, secret.name = name, new = done.1, "secret set");
    Ok(done)
}

/// Deletes the secret for a person; 404.
pub async fn delete_by_user(s: &Services, by: &Principal, app: AppId, name: &str) -> Result<()> {
    check_name(name)?;
    let mut tx = store::begin(&s.db).await?;
    if !store::secrets::delete(&mut tx, app, name).await? {
        return Err(Error::not_found("secret"));
    }
    audit::append(&mut tx, s.now(), Some(by), changed("secret.delete", app, name)).await?;
    tx.commit().await?;
    tracing::info!(app.id = %app, user.id = %by.user_id, secret.name = name, "secret deleted");
    Ok(())
}

/// What may be told of the app's secrets, in bytewise order of their names.
pub async fn list(s: &Services, app: AppId, query: &PageQuery) -> Result<Page<About>> {
    let after = query.after_text()?.unwrap_or_default();
    let rows = store::secrets::list(&mut *s.db.acquire().await?, app, &after, query.rows()).await?;
    Ok(Page::cut(rows, query.limit, |about| text_cursor(&about.name)))
}

async fn put(
    s: &Services,
    db: &PgPool,
    by: Option<&Principal>,
    app: AppId,
    name: &str,
    secret: &Secret,
) -> Result<(About, bool)> {
    check_name(name)?;
    secret.check()?;
    let mut tx = store::begin(db).await?;
    // One writer of an app's secrets at a time: their number is bounded.
    let found = store::apps::lock(&mut tx, app).await?.ok_or_else(|| Error::not_found("app"))?;
    let new = !store::secrets::has(&mut tx, app, name).await?;
    let allowed = limits::SECRETS_PER_APP_MAX;
    if new && store::secrets::count(&mut tx, app).await? >= allowed {
        let message = format!("the app {} has {allowed} secrets, which is all it may have; delete one first", found.slug);
        return Err(Error::new(Kind::Invalid, "limit_reached", message));
    }
    let key = last_key(s, &mut tx).await?;
    let sealed = key.seal(app, name, secret)?;
    let about = store::secrets::put(&mut tx, s.now(), app, name, key.id, &sealed).await.map_err(store::refusal)?;
    if by.is_some() {
        let change = if new { changed("secret.create", app, name) } else { changed("secret.update", app, name) };
        audit::append(&mut tx, s.now(), by, change).await?;
    }
    tx.commit().await?;
    Ok((about, new))
}

/// Of a secret the log tells the name alone.
fn changed(action: &'static str, app: AppId, name: &str) -> Change {
    Change { action, app_id: Some(app), target: name.to_owned(), before: None, after: None }
}

/// The key that was made last; the first secret of all makes the first.
async fn last_key(s: &Services, tx: &mut PgConnection) -> Result<DataKey> {
    if let Some(key) = store::data_keys::last(tx).await? {
        return Ok(s.vault.unwrap(&key)?);
    }
    // There is none, or a rotation has just replaced the one that we waited for: nobody does so from here on.
    store::data_keys::lock_all(tx).await?;
    if let Some(key) = store::data_keys::last(tx).await? {
        return Ok(s.vault.unwrap(&key)?);
    }
    let (key, wrapped) = s.vault.make_data_key(DataKeyId::at(s.now()))?;
    store::data_keys::insert(tx, &wrapped, s.now()).await?;
    Ok(key)
}
