//! Passwords, hashed with argon2id. A hash takes 19 MiB and tens of milliseconds, so it runs on the blocking threads, few
//! at once, with a bounded queue: a flood of logins costs neither the memory nor the event loop.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::error::{Error, Kind, Result};
use crate::limits;

/// A hash of no password, with the parameters of the real ones: an unknown name costs what a known one does.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// 32 letters and digits that do not look like each other.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// Computes hashes, `PASSWORD_HASHES_AT_ONCE` at a time; `PASSWORD_HASHES_WAITING_MAX` callers may wait, one more is refused.
#[derive(Debug)]
pub struct Hasher {
    running: Arc<Semaphore>,
    waiting: Semaphore,
    computed: AtomicU64,
}

impl Default for Hasher {
    fn default() -> Self {
        Self {
            running: Arc::new(Semaphore::new(limits::PASSWORD_HASHES_AT_ONCE)),
            waiting: Semaphore::new(limits::PASSWORD_HASHES_AT_ONCE + limits::PASSWORD_HASHES_WAITING_MAX),
            computed: AtomicU64::new(0),
        }
    }
}

impl Hasher {
    /// The PHC string of a password, salted anew.
    pub async fn hash(&self, password: &str) -> Result<String> {
        let salt = super::random::<16>()?;
        let password = password.to_owned();
        self.compute(move || {
            let hash = Argon2::default().hash_password_with_salt(password.as_bytes(), &salt);
            hash.map(|hash| hash.to_string()).map_err(Error::internal)
        })
        .await?
    }

    /// Whether `password` is the one of `hash`. Without a hash (there is no such user) it takes as long and is false, and so
    /// it is with a password too long to be anybody's, which is not hashed at all.
    pub async fn verify(&self, password: &str, hash: Option<&str>) -> Result<bool> {
        if password.len() > limits::PASSWORD_BYTES_MAX {
            return Ok(false);
        }
        let is_known = hash.is_some();
        let password = password.to_owned();
        let hash = hash.unwrap_or(NOBODY).to_owned();
        let is_right =
            self.compute(move || Argon2::default().verify_password(password.as_bytes(), hash.as_str()).is_ok()).await?;
        Ok(is_right && is_known)
    }

    /// How many hashes were computed since the start: what logins cost, whoever they are for.
    pub fn computed(&self) -> u64 {
        self.computed.load(Ordering::Relaxed)
    }

    async fn compute<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let _place = self.waiting.try_acquire().map_err(|_| {
            Error::new(Kind::Overloaded, "overloaded", "too many logins at once; try again in a few seconds")
                .with_details(serde_json::json!({ "retry_after_s": 3 }))
        })?;
        let running = Arc::clone(&self.running).acquire_owned().await.map_err(Error::internal)?;
        self.computed.fetch_add(1, Ordering::Relaxed);
        // The permit goes with the work: a caller that gives up does not make room for one more.
        let done = spawn_blocking(move || {
            let done = work();
            drop(running);
            done
        });
        done.await.map_err(Error::internal)
    }
}

/// A password for a person who has not chosen one: 100 random bits in four groups of five characters.
pub fn generate() -> Result<String> {
    let random = super::random::<20>()?;
    let mut password = String::with_capacity(23);
    for (place, byte) in random.iter().enumerate() {
        if place > 0 && place % 5 == 0 {
            password.push('-');
        }
        let letter = ALPHABET.get(usize::from(byte % 32)).copied().unwrap_or(b'a');
        password.push(char::from(letter));
    }
    Ok(password)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::user::check_password;

    #[tokio::test]
    async fn a_hash_knows_its_password_alone() {
        let hasher = Hasher::default();
        let hash = hasher.hash("correct horse battery").await.unwrap();
        assert!(hasher.verify("correct horse battery", Some(&hash)).await.unwrap());
        assert!(!hasher.verify("correct horse", Some(&hash)).await.unwrap());
        assert_ne!(hash, hasher.hash("correct horse battery").await.unwrap());
    }

    #[tokio::test]
    async fn nobody_has_no_password_and_costs_what_somebody_does() {
        let hasher = Hasher::default();
        for password in ["", "a", "correct horse battery"] {
            assert!(!hasher.verify(password, None).await.unwrap());
        }
        assert_eq!(hasher.computed(), 3);
        // The refusal is "wrong password", reached by computing: not "cannot read this hash".
        let refused = Argon2::default().verify_password(b"x", NOBODY).unwrap_err();
        assert_eq!(refused, argon2::password_hash::Error::PasswordInvalid);
        let parameters = |hash: &str| hash.split('$').take(4).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(parameters(NOBODY), parameters(&hasher.hash("x").await.unwrap()));
    }

    #[tokio::test]
    async fn an_endless_password_is_not_hashed() {
        let endless = "x".repeat(limits::PASSWORD_BYTES_MAX + 1);
        assert!(!Hasher::default().verify(&endless, None).await.unwrap());
    }

    #[tokio::test]
    async fn a_full_queue_refuses_at_once() {
        let hasher = Hasher::default();
        let places = hasher.waiting.available_permits();
        let _all = hasher.waiting.try_acquire_many(u32::try_from(places).unwrap()).unwrap();
        assert_eq!(hasher.hash("x").await.unwrap_err().kind, Kind::Overloaded);
    }

    #[test]
    fn generated_passwords_differ_and_are_acceptable() {
        let (one, two) = (generate().unwrap(), generate().unwrap());
        assert_ne!(one, two);
        assert_eq!(one.len(), 23);
        assert!(check_password(&one).is_ok());
    }
}
