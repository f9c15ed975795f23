//! Answers that are kept for requests that may come again.

use chrono::Duration;
use sha2::{Digest, Sha256};

use super::Services;
use crate::error::{Error, Kind, Result};
use crate::id::UserId;
use crate::limits;
use crate::model::idempotency::Kept;
use crate::store;

/// Whose turn it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// Nobody has used this key: the request is to be run.
    First,
    /// It ran before, and was answered with this.
    Before(Kept),
}

/// Takes a key for a request. 422 `idempotency_key_reused` when another request had it; 409 `idempotency_in_progress` when the same
/// had it and was not answered yet, or never will be because its node died; 429 for more than `IDEMPOTENCY_KEYS_PER_USER_MAX` of one
/// person in `IDEMPOTENCY_WINDOW_S`.
pub async fn take(s: &Services, user: UserId, key: &str, fingerprint: &[u8; 32]) -> Result<Taken> {
    let (now, key) = (s.now(), hash(key));
    let since = now - Duration::seconds(limits::IDEMPOTENCY_WINDOW_S);
    let mut tx = store::begin(&s.db).await?;
    store::idempotency::forget(&mut tx, user, &key, since).await?;
    if store::idempotency::insert(&mut tx, user, &key, fingerprint, now).await? {
        let allowed = limits::IDEMPOTENCY_KEYS_PER_USER_MAX;
        if store::idempotency::count(&mut tx, user, since).await? > allowed {
            let message = format!("you have used {allowed} idempotency keys in a day, which is all that are kept; go on without");
            return Err(Error::new(Kind::RateLimited, "rate_limited", message));
        }
        tx.commit().await?;
        return Ok(Taken::First);
    }
    let stored = store::idempotency::get(&mut tx, user, &key).await?;
    tx.commit().await?;
    let Some(stored) = stored else { return Err(in_progress()) };
    if stored.fingerprint != fingerprint {
        let message = "another request was sent with this Idempotency-Key; a new request needs a new key";
        return Err(Error::new(Kind::Invalid, "idempotency_key_reused", message));
    }
    stored.kept.map(Taken::Before).ok_or_else(in_progress)
}

fn in_progress() -> Error {
    Error::new(
        Kind::Conflict,
        "idempotency_in_progress",
        "the first request with this Idempotency-Key was not answered yet; if that stays so its node went away: look whether it took effect, and use a new key",
    )
}

/// Keeps the answer of the request that took the key.
pub async fn keep(s: &Services, user: UserId, key: &str, kept: Kept) -> Result<()> {
    Ok(store::idempotency::keep(&mut *s.db.acquire().await?, user, &hash(key), &kept).await?)
}

/// Nothing was done: the key may be used again.
pub async fn give_back(s: &Services, user: UserId, key: &str) -> Result<()> {
    Ok(store::idempotency::delete(&mut *s.db.acquire().await?, user, &hash(key)).await?)
}

fn hash(key: &str) -> [u8; 32] {
    Sha256::digest(key).into()
}
