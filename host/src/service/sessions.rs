//! Logins. A session ends `SESSION_IDLE_S` after its last use, which is noted in steps of `SESSION_TOUCH_S`.

use chrono::{DateTime, Duration, Utc};

use super::Services;
use crate::auth::token;
use crate::error::{Error, Kind, Result};
use crate::id::SessionId;
use crate::limits;
use crate::model::access::Principal;
use crate::model::user::{User, check_username};
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

/// 401 `unauthenticated`, the same words and as late for a wrong name as for a wrong password; 503 when too many log in
/// at once. At most `SESSIONS_PER_USER_MAX` logins of a person live: one more ends the oldest.
pub async fn login(s: &Services, username: &str, password: &str) -> Result<Login> {
    let known = match check_username(username) {
        Ok(()) => store::users::credentials(&mut *s.db.acquire().await?, username).await?,
        Err(_) => None,
    };
    let is_right = s.passwords.verify(password, known.as_ref().map(|(_, hash)| hash.as_str())).await?;
    let Some((user, _)) = known.filter(|_| is_right) else {
        return Err(Error::new(Kind::Unauthenticated, "unauthenticated", "the username or the password is wrong"));
    };

    let token = token::mint()?;
    let hash = token::hash(&token).ok_or_else(|| Error::internal("a minted token has no stored form"))?;
    let now = s.now();
    let (id, expires_at) = (SessionId::at(now), expiry(now));
    let mut tx = store::begin(&s.db).await?;
    store::sessions::sweep(&mut tx, user.id, now, limits::SESSIONS_PER_USER_MAX - 1).await?;
    store::sessions::insert(&mut tx, id, user.id, &hash, now, expires_at).await?;
    tx.commit().await?;
    tracing::info!(user.id = %user.id, "logged in");
    Ok(Login { token, expires_at, user })
}

/// Who a token is; `None` for one that is unknown, has expired, or belongs to somebody who may not log in any more.
pub async fn authenticate(s: &Services, token: &str) -> Result<Option<Principal>> {
    let Some(hash) = token::hash(token) else { return Ok(None) };
    let now = s.now();
    let mut db = s.db.acquire().await?;
    let Some(session) = store::sessions::live(&mut db, &hash, now).await? else { return Ok(None) };
    if now - session.last_used_at >= Duration::seconds(limits::SESSION_TOUCH_S) {
        store::sessions::touch(&mut db, session.id, now, expiry(now)).await?;
    }
    Ok(Some(Principal { user_id: session.user_id, username: session.username, role: session.role, session_id: session.id }))
}

/// Ends the login that proved the principal, and no other.
pub async fn logout(s: &Services, principal: &Principal) -> Result<()> {
    let mut db = s.db.acquire().await?;
    store::sessions::delete(&mut db, principal.session_id).await?;
    tracing::info!(user.id = %principal.user_id, "logged out");
    Ok(())
}

fn expiry(now: DateTime<Utc>) -> DateTime<Utc> {
    now + Duration::seconds(limits::SESSION_IDLE_S)
}
