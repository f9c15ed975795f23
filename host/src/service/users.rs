//! People. Whoever changes users waits for whoever else does: the guards (there is always an owner who may log in) have one answer.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::audit::{self, Change};
use super::{Services, access};
use crate::error::{Error, Kind, Result};
use crate::id::UserId;
use crate::limits;
use crate::model::access::{Credential, Principal, Scope};
use crate::model::page::{Page, PageQuery, id_cursor};
use crate::model::user::{self, NewUser, Role, User, UserChange, check_password, check_username};
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
    let user = person(now, username, Role::Owner);
    let mut tx = store::begin(&s.db).await?;
    store::wait_briefly(&mut tx).await?;
    store::users::lock_all(&mut tx).await?;
    if store::users::first_owner(&mut tx).await?.is_some() {
        return Ok(false);
    }
    store::users::insert(&mut tx, &user, &hash).await.map_err(store::refusal)?;
    audit::append(&mut tx, now, None, change("user.create", None, Some(&user))).await?;
    tx.commit().await?;
    tracing::info!(user.id = %user.id, "the first owner was made");
    Ok(true)
}

/// Everybody, oldest first.
pub async fn list(s: &Services, query: &PageQuery) -> Result<Page<User>> {
    let after = query.after_id()?;
    let rows = store::users::list(&mut *s.db.acquire().await?, after, query.rows()).await?;
    Ok(Page::cut(rows, query.limit, |user| id_cursor(user.id.0)))
}

/// Adds a person. 403 `owner_needed` when an owner is made by someone who is none; 409 when the name is somebody else's, in any case;
/// 422 for a name or password that breaks the rules of `model::user`, and for one person too many (`limit_reached`).
pub async fn create(s: &Services, by: &Principal, new: NewUser) -> Result<User> {
    check_username(&new.username)?;
    check_password(&new.password)?;
    refuse_unless_managed(by.role, new.role)?;
    if new.role != Role::Member {
        refuse_keys(by)?;
    }
    let hash = s.passwords.hash(&new.password).await?;
    let user = person(s.now(), &new.username, new.role);
    let mut tx = store::begin(&s.db).await?;
    store::wait_briefly(&mut tx).await?;
    store::users::lock_all(&mut tx).await?;
    let by = &manager(&mut tx, s.now(), by).await?;
    refuse_unless_managed(by.role, new.role)?;
    let allowed = limits::USERS_MAX;
    if store::users::count(&mut tx).await? >= allowed {
        let message = format!("there are {allowed} users, which is all there may be; delete one first");
        return Err(Error::new(Kind::Invalid, "limit_reached", message));
    }
    store::users::insert(&mut tx, &user, &hash).await.map_err(store::refusal)?;
    audit::append(&mut tx, s.now(), Some(by), change("user.create", None, Some(&user))).await?;
    tx.commit().await?;
    tracing::info!(user.id = %user.id, role = user.role.as_str(), by = %by.user_id, "user added");
    Ok(user)
}

/// Changes what `change` names. A new password ends the person's logins at once, but for the one that did it; deactivation ends
/// them and their API keys, for good. `if_match` is a `User::tag`: 412 when the person is in another state by now. 404; 403
/// `owner_needed`, and `login_needed` for a password with an API key; 409 `last_owner`, or when the name is somebody else's; 422.
pub async fn update(s: &Services, by: &Principal, id: UserId, change: UserChange, if_match: Option<&str>) -> Result<User> {
    if let Some(username) = &change.username {
        check_username(username)?;
    }
    if change.password.is_some() || change.role.is_some_and(|role| role != Role::Member) {
        refuse_keys(by)?;
    }
    let hash = match &change.password {
        Some(password) => {
            check_password(password)?;
            Some(s.passwords.hash(password).await?)
        }
        None => None,
    };
    let now = s.now();
    let mut tx = store::begin(&s.db).await?;
    store::wait_briefly(&mut tx).await?;
    store::users::lock_all(&mut tx).await?;
    let by = &manager(&mut tx, now, by).await?;
    let before = locked(&mut tx, by, id, if_match).await?;
    let mut user = before.clone();
    user.username = change.username.unwrap_or(user.username);
    user.role = change.role.unwrap_or(user.role);
    refuse_unless_managed(by.role, user.role)?;
    user.deactivated_at = match change.active {
        None => user.deactivated_at,
        Some(true) => None,
        Some(false) => user.deactivated_at.or(Some(now.max(user.created_at))),
    };
    if is_owner(&before) && !is_owner(&user) {
        refuse_the_last_owner(&mut tx).await?;
    }
    user.updated_at = store::users::update(&mut tx, &user, hash.as_deref(), now).await.map_err(store::refusal)?;
    if hash.is_some() || !user.is_active() {
        let kept = by.session_id().filter(|_| by.user_id == id && user.is_active());
        store::sessions::end_all(&mut tx, id, kept).await?;
    }
    if !user.is_active() {
        store::keys::revoke_all(&mut tx, id, now).await?;
    }
    let mut told = self::change("user.update", Some(&before), Some(&user));
    if let (Some(Value::Object(after)), true) = (&mut told.after, hash.is_some()) {
        after.insert("password".to_owned(), "changed".into());
    }
    audit::append(&mut tx, now, Some(by), told).await?;
    tx.commit().await?;
    tracing::info!(user.id = %id, role = user.role.as_str(), active = user.is_active(), by = %by.user_id, "user changed");
    Ok(user)
}

/// Deletes a person with their logins and keys. What they made stays; triggers that run as them stop. 404; 403; 409 `last_owner`; 412.
pub async fn delete(s: &Services, by: &Principal, id: UserId, if_match: Option<&str>) -> Result<()> {
    // Whoever is making something as that person waits for the person, and we for what they made.
    super::unless_deadlocked(|| Box::pin(delete_once(s, by, id, if_match))).await?;
    tracing::info!(user.id = %id, by = %by.user_id, "user deleted");
    Ok(())
}

async fn delete_once(s: &Services, by: &Principal, id: UserId, if_match: Option<&str>) -> Result<()> {
    let mut tx = store::begin(&s.db).await?;
    store::wait_briefly(&mut tx).await?;
    store::users::lock_all(&mut tx).await?;
    let by = &manager(&mut tx, s.now(), by).await?;
    let user = locked(&mut tx, by, id, if_match).await?;
    if is_owner(&user) {
        refuse_the_last_owner(&mut tx).await?;
    }
    store::users::delete(&mut tx, id).await?;
    audit::append(&mut tx, s.now(), Some(by), change("user.delete", Some(&user), None)).await?;
    Ok(tx.commit().await?)
}

/// Changes one's own password, and ends one's other logins. 403 `wrong_password` when `current` is not the password; 422 for the
/// new one; 429 as a login with a wrong password.
pub async fn change_password(s: &Services, by: &Principal, current: &str, new: &str) -> Result<()> {
    check_password(new)?;
    let now = s.now();
    let attempt = s.logins.attempt(&by.username, by.origin.address, now)?;
    let known = attempt.unless_failed(password(s, by.user_id).await)?;
    let is_right = attempt.unless_failed(s.passwords.verify(current, known.as_deref()).await)?;
    let Some(seen) = known.filter(|_| is_right) else { return Err(wrong_password()) };
    attempt.succeeded();
    let hash = s.passwords.hash(new).await?;
    set_password(s, Some((by, &seen)), by.user_id, &hash).await?;
    tracing::info!(user.id = %by.user_id, "password changed");
    Ok(())
}

/// Sets a person's password and lets them log in again; every login of theirs ends. For who can reach the database. 404; 422.
pub async fn reset_password(s: &Services, username: &str, password: &str) -> Result<User> {
    check_password(password)?;
    let user = store::users::by_name(&mut *s.db.acquire().await?, username).await?;
    let user = user.ok_or_else(|| Error::not_found("user of this name"))?;
    let hash = s.passwords.hash(password).await?;
    let user = set_password(s, None, user.id, &hash).await?;
    tracing::info!(user.id = %user.id, "password reset");
    Ok(user)
}

async fn password(s: &Services, id: UserId) -> Result<Option<String>> {
    Ok(store::users::password(&mut *s.db.acquire().await?, id).await?)
}

fn wrong_password() -> Error {
    Error::new(Kind::Forbidden, "wrong_password", "the current password is wrong")
}

/// For oneself, in place of the password that was seen, where the login that does it stays; or by the operator, who also activates.
async fn set_password(s: &Services, by: Option<(&Principal, &str)>, id: UserId, hash: &str) -> Result<User> {
    let now = s.now();
    let mut tx = store::begin(&s.db).await?;
    store::wait_briefly(&mut tx).await?;
    store::users::lock_all(&mut tx).await?;
    if let Some((by, seen)) = by {
        access::again(&mut tx, now, by).await?;
        // Somebody else has set another one while this one was hashed.
        if store::users::password(&mut tx, id).await?.as_deref() != Some(seen) {
            return Err(wrong_password());
        }
    }
    let by = by.map(|(by, _)| by);
    let before = store::users::get(&mut tx, id).await?.ok_or_else(|| Error::not_found("user"))?;
    let mut user = before.clone();
    if by.is_none() {
        user.deactivated_at = None;
    }
    user.updated_at = store::users::update(&mut tx, &user, Some(hash), now).await?;
    store::sessions::end_all(&mut tx, id, by.and_then(Principal::session_id)).await?;
    audit::append(&mut tx, now, by, change("user.password", Some(&before), Some(&user))).await?;
    tx.commit().await?;
    Ok(user)
}

/// Makes one more owner, whoever asks: for who can reach the database. 409; 422.
pub async fn create_owner(s: &Services, username: &str, password: &str) -> Result<User> {
    check_username(username)?;
    check_password(password)?;
    let hash = s.passwords.hash(password).await?;
    let user = person(s.now(), username, Role::Owner);
    let mut tx = store::begin(&s.db).await?;
    store::wait_briefly(&mut tx).await?;
    store::users::lock_all(&mut tx).await?;
    store::users::insert(&mut tx, &user, &hash).await.map_err(store::refusal)?;
    audit::append(&mut tx, s.now(), None, change("user.create", None, Some(&user))).await?;
    tx.commit().await?;
    tracing::info!(user.id = %user.id, "owner made");
    Ok(user)
}

fn person(now: DateTime<Utc>, username: &str, role: Role) -> User {
    let (id, username) = (UserId::at(now), username.to_owned());
    User { id, username, role, created_at: now, updated_at: now, deactivated_at: None }
}

fn change(action: &'static str, before: Option<&User>, after: Option<&User>) -> Change {
    let told = |user: &User| json!({ "username": user.username, "role": user.role.as_str(), "active": user.is_active() });
    let target = before.or(after).map(|user| user.id.to_string()).unwrap_or_default();
    Change { action, app_id: None, target, before: before.map(told), after: after.map(told) }
}

/// Whoever changes users, as they are now that nobody else does.
async fn manager(tx: &mut PgConnection, now: DateTime<Utc>, by: &Principal) -> Result<Principal> {
    let by = access::again(tx, now, by).await?;
    by.decide_on_instance(Scope::InstanceAdmin).map_err(|_| access::forbidden(Scope::InstanceAdmin))?;
    Ok(by)
}

/// With a password, or with somebody of higher standing, whoever has a key would get a login that may more than the key.
fn refuse_keys(by: &Principal) -> Result<()> {
    match by.credential {
        Credential::Key { .. } => Err(access::login_needed()),
        Credential::Session(_) | Credential::Operator => Ok(()),
    }
}

fn is_owner(user: &User) -> bool {
    user.role == Role::Owner && user.is_active()
}

/// The person as they are, whom `by` may change.
async fn locked(tx: &mut PgConnection, by: &Principal, id: UserId, if_match: Option<&str>) -> Result<User> {
    let user = store::users::get(tx, id).await?.ok_or_else(|| Error::not_found("user"))?;
    if if_match.is_some_and(|tag| tag != user.tag()) {
        return Err(Error::changed_meanwhile("user", user.tag()));
    }
    refuse_unless_managed(by.role, user.role)?;
    Ok(user)
}

fn refuse_unless_managed(by: Role, role: Role) -> Result<()> {
    if user::may_manage(by, role) {
        return Ok(());
    }
    Err(Error::new(Kind::Forbidden, "owner_needed", "only an owner makes or changes an owner"))
}

async fn refuse_the_last_owner(tx: &mut PgConnection) -> Result<()> {
    if store::users::active_owners(tx).await? > 1 {
        return Ok(());
    }
    Err(Error::new(Kind::Conflict, "last_owner", "this is the last owner who may log in; make another one first"))
}
