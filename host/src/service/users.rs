//! People.

use super::Services;
use crate::error::{Error, Result};
use crate::id::UserId;
use crate::model::user::{Role, User, check_password, check_username};
use crate::store;

/// 404 when there is no such user.
pub async fn get(s: &Services, id: UserId) -> Result<User> {
    let mut db = s.db.acquire().await?;
    store::users::get(&mut db, id).await?.ok_or_else(|| Error::not_found("user"))
}

/// The owner of this instance who has been it for longest, if anybody owns it yet.
pub async fn first_owner(s: &Services) -> Result<Option<User>> {
    let mut db = s.db.acquire().await?;
    Ok(store::users::first_owner(&mut db).await?)
}

/// Makes the first owner, once: false, and nothing done, when there is one. Two nodes that start at once make one.
///
/// 422 for a name or password that breaks the rules of `model::user`; 409 when the name is somebody else's.
pub async fn ensure_owner(s: &Services, username: &str, password: &str) -> Result<bool> {
    if first_owner(s).await?.is_some() {
        return Ok(false);
    }
    check_username(username)?;
    check_password(password)?;
    let hash = s.passwords.hash(password).await?;
    let now = s.now();
    let user =
        User { id: UserId::at(now), username: username.to_owned(), role: Role::Owner, created_at: now, deactivated_at: None };
    let mut tx = store::begin(&s.db).await?;
    store::users::lock_all(&mut tx).await?;
    if store::users::first_owner(&mut tx).await?.is_some() {
        return Ok(false);
    }
    store::users::insert(&mut tx, &user, &hash).await.map_err(store::refusal)?;
    tx.commit().await?;
    tracing::info!(user.id = %user.id, "the first owner was made");
    Ok(true)
}
