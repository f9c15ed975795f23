//! Who calls: logins, and the credentials that prove a principal. A session ends `SESSION_IDLE_S` after its last use; last uses are
//! noted in steps of `SESSION_TOUCH_S`.

use chrono::{DateTime, Duration, Utc};
use serde_json::json;
use sqlx::PgConnection;

use super::Services;
use super::audit::{self, Change};
use crate::auth::token::{self, Presented};
use crate::error::{Error, Kind, Result};
use crate::id::{SessionId, UserId};
use crate::limits;
use crate::model::access::{Credential, Origin, Principal};
use crate::model::text;
use crate::model::user::{Session, User, check_username};
use crate::store;

/// A fresh login.
#[derive(Clone)]
pub struct Login {
    /// The bearer credential; this is the only time it is seen.
    pub token: String,
    /// Unless it is used before then.
    pub expires_at: DateTime<Utc>,
    pub user: User,
}

/// 401 `unauthenticated`, the same words and as late for a wrong name as for a wrong password; 429 `rate_limited` once the name or
/// the address had its share of wrong ones, whether or not there is such a person; 503 when too many log in at once. At most
/// `SESSIONS_PER_USER_MAX` logins of a person live: one more ends the oldest.
pub async fn login(s: &Services, username: &str, password: &str, origin: Origin, user_agent: Option<&str>) -> Result<Login> {
    let now = s.now();
    let attempt = s.logins.attempt(username, origin.address, now)?;
    let known = match check_username(username) {
        Ok(()) => attempt.unless_failed(credentials(s, username).await)?,
        Err(_) => None,
    };
    let is_right = attempt.unless_failed(s.passwords.verify(password, known.as_ref().map(|(_, hash)| hash.as_str())).await)?;
    let Some((user, hash)) = known.filter(|_| is_right) else {
        return Err(wrong());
    };
    attempt.succeeded();

    let (token, token_hash) = token::mint_session()?;
    let user_agent = user_agent.map(|agent| text::cut(agent, limits::USER_AGENT_BYTES_MAX));
    let mut tx = store::begin(&s.db).await?;
    // Whoever was deactivated, or got another password, since the hash was read does not get in with the old one.
    let now_is = store::users::password_locked(&mut tx, user.id).await?;
    if now_is.is_none_or(|stored| stored != hash) {
        return Err(wrong());
    }
    let (_, expires_at) = admit(&mut tx, now, &user, &token_hash, (origin, user_agent.as_deref())).await?;
    tx.commit().await?;
    tracing::info!(user.id = %user.id, "logged in");
    Ok(Login { token, expires_at, user })
}

/// A login that needs no password: of whoever sits at the machine, as that person. It ends as any other.
pub async fn open(s: &Services, user: &User, user_agent: &str) -> Result<(Login, Principal)> {
    let now = s.now();
    let (token, token_hash) = token::mint_session()?;
    let mut tx = store::begin(&s.db).await?;
    let (by, expires_at) = admit(&mut tx, now, user, &token_hash, (Origin::default(), Some(user_agent))).await?;
    tx.commit().await?;
    tracing::debug!(user.id = %user.id, user_agent, "a login of the node's own");
    Ok((Login { token, expires_at, user: user.clone() }, by))
}

/// Stores a session, one more of a person's; gives who it proves, and until when.
async fn admit(
    tx: &mut PgConnection,
    now: DateTime<Utc>,
    user: &User,
    token_hash: &token::Hash,
    (origin, user_agent): (Origin, Option<&str>),
) -> Result<(Principal, DateTime<Utc>)> {
    let (id, expires_at) = (SessionId::at(now), expiry(now));
    let client = store::sessions::Client { address: origin.address, user_agent };
    store::sessions::sweep(tx, user.id, now, limits::SESSIONS_PER_USER_MAX - 1).await?;
    store::sessions::insert(tx, id, user.id, token_hash, now, expires_at, client).await?;
    let credential = Credential::Session(id);
    let by = Principal { user_id: user.id, username: user.username.clone(), role: user.role, credential, origin };
    let after = json!({ "expires_at": expires_at, "user_agent": user_agent });
    let change = Change { action: "session.create", app_id: None, target: id.to_string(), before: None, after: Some(after) };
    audit::append(tx, now, Some(&by), change).await?;
    Ok((by, expires_at))
}

async fn credentials(s: &Services, username: &str) -> Result<Option<(User, String)>> {
    Ok(store::users::credentials(&mut *s.db.acquire().await?, username).await?)
}

fn wrong() -> Error {
    Error::new(Kind::Unauthenticated, "unauthenticated", "the username or the password is wrong")
}

/// Who a token is; `None` for one that is unknown, has expired, was taken back, or belongs to somebody who may not log in any more.
pub async fn authenticate(s: &Services, token: &str, origin: Origin) -> Result<Option<Principal>> {
    match token::read(token) {
        Some(Presented::Session(hash)) => by_session(s, &hash, origin).await,
        Some(Presented::Key { prefix, hash }) => by_key(s, prefix, &hash, origin).await,
        None => Ok(None),
    }
}

async fn by_session(s: &Services, hash: &token::Hash, origin: Origin) -> Result<Option<Principal>> {
    let now = s.now();
    let mut db = s.db.acquire().await?;
    let Some(session) = store::sessions::live(&mut db, hash, now).await? else { return Ok(None) };
    if is_due(Some(session.last_used_at), now) {
        store::sessions::touch(&mut db, session.id, now, expiry(now)).await?;
    }
    let store::sessions::Live { id, user_id, username, role, .. } = session;
    Ok(Some(Principal { user_id, username, role, credential: Credential::Session(id), origin }))
}

async fn by_key(s: &Services, prefix: &str, hash: &token::Hash, origin: Origin) -> Result<Option<Principal>> {
    let now = s.now();
    let mut db = s.db.acquire().await?;
    let Some(key) = store::keys::live(&mut db, prefix, now).await? else { return Ok(None) };
    if !token::is_same(&key.token_hash, hash) {
        return Ok(None);
    }
    if is_due(key.last_used_at, now) {
        store::keys::touch(&mut db, key.id, now).await?;
    }
    let store::keys::Live { id, user_id, username, role, scopes, app_id, .. } = key;
    Ok(Some(Principal { user_id, username, role, credential: Credential::Key { id, scopes, app_id }, origin }))
}

/// Whether a use is to be noted.
fn is_due(last: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
    last.is_none_or(|last| now - last >= Duration::seconds(limits::SESSION_TOUCH_S))
}

/// Ends the login that proved the principal, and no other.
pub async fn logout(s: &Services, by: &Principal) -> Result<()> {
    match by.session_id() {
        Some(id) => end(s, by, id).await,
        None => Ok(()),
    }
}

/// A person's logins that have not ended, newest first.
pub async fn list(s: &Services, user: UserId) -> Result<Vec<Session>> {
    Ok(store::sessions::of_user(&mut *s.db.acquire().await?, user, s.now()).await?)
}

/// Ends one of a person's own logins. 404, also for somebody else's.
pub async fn end(s: &Services, by: &Principal, id: SessionId) -> Result<()> {
    let mut tx = store::begin(&s.db).await?;
    if !store::sessions::end(&mut tx, by.user_id, id).await? {
        return Err(Error::not_found("session"));
    }
    let change = Change { action: "session.delete", app_id: None, target: id.to_string(), before: None, after: None };
    audit::append(&mut tx, s.now(), Some(by), change).await?;
    tx.commit().await?;
    tracing::info!(user.id = %by.user_id, "a session was ended");
    Ok(())
}

fn expiry(now: DateTime<Utc>) -> DateTime<Utc> {
    now + Duration::seconds(limits::SESSION_IDLE_S)
}
