//! What apps store, and whether there is room for more.
//!
//! KV entries, documents and files are counted by the database, which refuses what does not fit (`store::refusal` says so to the
//! caller): exactly, but for what others are adding in the same moment. Scripts and triggers are counted under a lock of their
//! app. What an app has beyond a bound that was lowered stays; it only cannot grow.
//!
//! Files are large, so those that cannot fit are refused before they are written, and what is under way counts: by node, in
//! memory ([`Uploads`]).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sqlx::PgConnection;

use super::Services;
use crate::error::Result;
use crate::id::AppId;
use crate::model::quota::Quota;
use crate::model::storage::{self, Used};
use crate::store;

/// What an app stores; nothing for one that is not there.
pub async fn used(s: &Services, app: AppId) -> Result<Used> {
    Ok(store::storage::used(&mut *s.db.acquire().await?, app).await?)
}

/// 507 when the app has as many scripts as it may; under a lock of the app.
pub(super) async fn room_for_script(tx: &mut PgConnection, app: AppId) -> Result<()> {
    let count = store::storage::scripts(tx, app).await?;
    storage::check_count("scripts", count.saturating_add(1), quota(tx, app).await?.scripts)
}

/// The same of triggers.
pub(super) async fn room_for_trigger(tx: &mut PgConnection, app: AppId) -> Result<()> {
    let count = store::triggers::count(tx, app).await?.unsigned_abs();
    storage::check_count("triggers", count.saturating_add(1), quota(tx, app).await?.triggers)
}

/// As it is stored, which may be newer than what this node has in memory.
pub(super) async fn quota(tx: &mut PgConnection, app: AppId) -> Result<Quota> {
    Ok(store::apps::quota(tx, app).await?.map_or_else(Quota::default, |set| Quota::stored(&set)))
}

/// Bytes of uploads under way on this node, by app.
#[derive(Debug, Clone, Default)]
pub struct Uploads(Arc<Mutex<HashMap<AppId, u64>>>);

/// What one upload has of them; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Room {
    all: Uploads,
    app: AppId,
    bytes: u64,
    /// Of all uploads of the app.
    bytes_max: u64,
    file_bytes_max: u64,
}

impl Uploads {
    /// For an upload of an app that stores `used`, of `file_bytes_max` that it may.
    pub(super) fn room(&self, app: AppId, used: Used, file_bytes_max: u64) -> Room {
        Room { all: self.clone(), app, bytes: 0, bytes_max: used.uploads_bytes_max(file_bytes_max), file_bytes_max }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AppId, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room {
    /// For so many bytes more; 507 when the app's uploads have no room for them, whatever they are to become.
    pub(super) fn take(&mut self, more_bytes: u64) -> Result<()> {
        let mut all = self.all.lock();
        let held = all.get(&self.app).copied().unwrap_or_default().saturating_add(more_bytes);
        if held > self.bytes_max {
            return Err(storage::files_full(self.file_bytes_max));
        }
        if held > 0 {
            all.insert(self.app, held);
        }
        self.bytes = self.bytes.saturating_add(more_bytes);
        Ok(())
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let mut all = self.all.lock();
        let left = all.get(&self.app).copied().unwrap_or_default().saturating_sub(self.bytes);
        if left > 0 {
            all.insert(self.app, left);
        } else {
            all.remove(&self.app);
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const APP: AppId = AppId(Uuid::from_u128(1));
    const OTHER: AppId = AppId(Uuid::from_u128(2));

    #[test]
    fn uploads_of_an_app_share_its_room_and_give_it_back() {
        let (uploads, used) = (Uploads::default(), Used { data_bytes: 0, file_bytes: 30 });
        let (mut one, mut two) = (uploads.room(APP, used, 100), uploads.room(APP, used, 100));
        // 70 are left, and 30 may be replaced.
        assert!(one.take(60).is_ok() && two.take(40).is_ok());
        let refused = one.take(1).unwrap_err();
        assert_eq!((refused.code, &refused.details.unwrap()["bound"]), ("quota_exceeded", &serde_json::json!(100)));
        assert!(one.take(0).is_ok());
        assert!(uploads.room(OTHER, used, 100).take(100).is_ok(), "another app's");
        drop(two);
        assert!(one.take(40).is_ok() && one.take(1).is_err(), "a refusal takes nothing");
        drop(one);
        assert!(uploads.lock().is_empty());
    }
}
