//! Replacing the keys that lock secrets, while nodes run.
//!
//! **Data keys.** `rotate` makes a new one, which every writer uses from its commit on, then moves secrets under it in
//! transactions of `SECRETS_ROTATION_BATCH`, and deletes each old key in the transaction that finds nothing under it any more. A
//! second key in the table is how a rotation that was cut short is known: the next one goes on with it, and makes none.
//!
//! **Master keys.** `replace_master_key` puts a new one beside the old one into the key file, wraps every data key with it in one
//! transaction, then takes the old one out of the file. Keys of the setting are put side by side by a person.
//!
//! A crash at any point leaves every secret readable: a secret's key is deleted only once nothing needs it, and both master
//! keys are in the file as long as either may be needed. Two rotations at once do the same work, one batch after the other.

use serde_json::{Value, json};

use super::Services;
use super::audit::{self, Change};
use crate::error::{Error, Result};
use crate::id::DataKeyId;
use crate::limits;
use crate::model::secret::WrappedKey;
use crate::store;

/// What a rotation did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    /// The key that everything is under now.
    pub data_key: DataKeyId,
    /// It was made by an earlier rotation that was cut short.
    pub resumed: bool,
    /// Secrets that were encrypted anew.
    pub secrets: u64,
    /// Old keys that are gone.
    pub keys_dropped: u64,
}

/// Seals every secret with a new data key; `progress` is told how many are done, of how many. `None` when there is no key
/// yet: nothing is locked.
///
/// # Errors
/// A secret or key that does not open stops it, with all that was done before kept; the message names the secret.
pub async fn rotate(s: &Services, progress: impl Fn(u64, u64)) -> Result<Option<Rotation>> {
    let Some((last, older, resumed)) = begin(s).await? else { return Ok(None) };
    let total = store::secrets::count_not_under(&mut *s.db.acquire().await?, last).await?.unsigned_abs();
    let mut rotation = Rotation { data_key: last, resumed, secrets: 0, keys_dropped: 0 };
    progress(0, total);
    for old in older {
        while let Some(moved) = move_some(s, old.id).await? {
            rotation.secrets += moved;
            progress(rotation.secrets, total.max(rotation.secrets));
        }
        rotation.keys_dropped += 1;
    }
    note(s, "data_key.rotate", json!({ "data_key": last, "secrets": rotation.secrets })).await?;
    Ok(Some(rotation))
}

/// Wraps every data key with a new master key of the key file, or with the first one of the setting; how many were moved.
pub async fn replace_master_key(s: &Services) -> Result<u64> {
    s.vault.begin_replacing_master_key()?;
    let mut tx = store::begin(&s.db).await?;
    store::data_keys::lock_all(&mut tx).await?;
    let mut moved = 0;
    for key in store::data_keys::all(&mut tx).await? {
        if let Some(key) = s.vault.rewrap(&key)? {
            store::data_keys::move_to_master(&mut tx, &key).await?;
            moved += 1;
        }
    }
    tx.commit().await?;
    s.vault.end_replacing_master_key()?;
    note(s, "master_key.rotate", json!({ "master_key": s.vault.master_key_id(), "data_keys": moved })).await?;
    Ok(moved)
}

/// In the audit log, at the end: a rotation that was cut short goes on.
async fn note(s: &Services, action: &'static str, after: Value) -> Result<()> {
    let change = Change { action, app_id: None, target: "keys".to_owned(), before: None, after: Some(after) };
    let mut tx = store::begin(&s.db).await?;
    audit::append(&mut tx, s.now(), None, change).await?;
    Ok(tx.commit().await?)
}

/// The key to go to, those to leave, and whether an earlier rotation had begun.
async fn begin(s: &Services) -> Result<Option<(DataKeyId, Vec<WrappedKey>, bool)>> {
    let mut tx = store::begin(&s.db).await?;
    store::data_keys::lock_all(&mut tx).await?;
    let mut keys = store::data_keys::all(&mut tx).await?;
    let resumed = keys.len() > 1;
    if keys.len() == 1 {
        let (_, wrapped) = s.vault.make_data_key(DataKeyId::at(s.now()))?;
        store::data_keys::insert(&mut tx, &wrapped, s.now()).await?;
        keys.push(wrapped);
    }
    tx.commit().await?;
    Ok(keys.pop().map(|last| (last.id, keys, resumed)))
}

/// Moves some secrets under the last key; how many. `None` once there are none, and the old key is gone.
async fn move_some(s: &Services, old: DataKeyId) -> Result<Option<u64>> {
    let mut tx = store::begin(&s.db).await?;
    // Waits for those who seal with it at this moment; from here on nobody does.
    let Some(old) = store::data_keys::lock(&mut tx, old).await? else { return Ok(None) };
    let mut secrets = store::secrets::some_under(&mut tx, old.id, limits::SECRETS_ROTATION_BATCH).await?;
    if secrets.is_empty() {
        store::data_keys::delete(&mut tx, old.id).await?;
        tx.commit().await?;
        return Ok(None);
    }
    let last = store::data_keys::last(&mut tx).await?.ok_or_else(|| Error::internal("the new data key is gone"))?;
    let (old, last) = (s.vault.unwrap(&old)?, s.vault.unwrap(&last)?);
    for secret in &mut secrets {
        let opened = old.open(secret.app_id, &secret.name, &secret.bytes).map_err(|error| {
            Error::internal(format!(
                "the secret {} of the app {}: {error}; set it anew or delete it, then repeat",
                secret.name, secret.app_id
            ))
        })?;
        secret.bytes = last.seal(secret.app_id, &secret.name, &opened)?;
    }
    store::secrets::reseal(&mut tx, last.id, &secrets).await?;
    tx.commit().await?;
    Ok(Some(secrets.len() as u64))
}
