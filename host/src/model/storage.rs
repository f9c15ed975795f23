//! What apps store, as it counts against their quotas. The database keeps count (`migrations/0018_storage.sql`) and refuses what
//! has no room; the same sums are here for what can be refused earlier.

use schemars::JsonSchema;
use serde::Serialize;

use crate::error::{Error, Result};
use crate::limits;

/// What an app stores, bytes: each thing with its names and something for its row, so that empty ones are not free.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "StorageUse")]
pub struct Used {
    /// KV entries and documents. Expired entries count until they are swept.
    pub data_bytes: u64,
    /// Files.
    pub file_bytes: u64,
}

impl Used {
    /// Whether `more_bytes` of files fit under a quota.
    pub fn has_room_for_file(&self, more_bytes: u64, file_bytes_max: u64) -> bool {
        self.file_bytes.saturating_add(more_bytes) <= file_bytes_max
    }

    /// Bytes that uploads of the app may have together while they are under way: what is left, and some more that may be to
    /// take the place of what is there.
    pub fn uploads_bytes_max(&self, file_bytes_max: u64) -> u64 {
        let replaced = self.file_bytes.min(limits::UPLOADS_REPLACING_BYTES_MAX);
        file_bytes_max.saturating_sub(self.file_bytes).saturating_add(replaced)
    }
}

/// What a KV entry counts, bytes.
pub fn kv_entry_use(collection: &str, key: &str, value_bytes: u64) -> u64 {
    sum(&[collection, key], value_bytes, limits::KV_ENTRY_USE_BYTES)
}

/// What a document counts, bytes; `data_bytes` is its size as it is stored.
pub fn document_use(collection: &str, id: &str, data_bytes: u64) -> u64 {
    sum(&[collection, id], data_bytes, limits::DOCUMENT_USE_BYTES)
}

/// What a file counts, bytes.
pub fn file_use(collection: &str, name: &str, size_bytes: u64) -> u64 {
    sum(&[collection, name], size_bytes, limits::FILE_USE_BYTES)
}

/// 507: KV entries and documents have no room for more.
pub fn data_full(bound: u64) -> Error {
    full("data_bytes", bound, "KV entries and documents")
}

/// 507: files have no room for more.
pub fn files_full(bound: u64) -> Error {
    full("file_bytes", bound, "files")
}

/// 507 unless the app may have `count` of what `quota` (a plural noun) names.
pub fn check_count(quota: &str, count: u64, bound: u32) -> Result<()> {
    let bound = u64::from(bound);
    if count <= bound {
        return Ok(());
    }
    let message = format!(
        "the app may have {bound} {quota}, and this would be one too many; delete some, or ask an administrator of the instance to raise the app's quota `{quota}`"
    );
    Err(Error::quota(quota, bound, message))
}

fn full(quota: &str, bound: u64, what: &str) -> Error {
    let message = format!(
        "the app's {what} may take {bound} bytes, and there is no room for this; delete something, or ask an administrator of the instance to raise the app's quota `{quota}`"
    );
    Error::quota(quota, bound, message)
}

fn sum(names: &[&str], content_bytes: u64, row_bytes: u64) -> u64 {
    let names: usize = names.iter().map(|name| name.len()).sum();
    content_bytes.saturating_add(names as u64).saturating_add(row_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    fn files(file_bytes: u64) -> Used {
        Used { file_bytes, ..Used::default() }
    }

    #[test]
    fn names_and_rows_count() {
        assert_eq!(kv_entry_use("c", "é", 0), 1 + 2 + 64);
        assert_eq!(document_use("ab", "i", 7), 3 + 7 + 128);
        assert_eq!(file_use("c", "n", 0), 2 + 256);
        assert_eq!(file_use("c", "n", u64::MAX), u64::MAX);
    }

    #[test]
    fn a_file_fits_to_the_last_byte() {
        assert!(files(60).has_room_for_file(40, 100));
        assert!(!files(60).has_room_for_file(41, 100));
        assert!(!files(u64::MAX).has_room_for_file(1, u64::MAX - 1));
    }

    #[test]
    fn uploads_have_what_is_left_and_what_they_may_replace() {
        let more = limits::UPLOADS_REPLACING_BYTES_MAX;
        assert_eq!(files(0).uploads_bytes_max(100), 100);
        assert_eq!(files(60).uploads_bytes_max(100), 40 + 60);
        assert_eq!(files(more + 1).uploads_bytes_max(more + 11), 10 + more);
        assert_eq!(files(500).uploads_bytes_max(100), 500, "an app over its quota may replace what it has");
        assert_eq!(files(0).uploads_bytes_max(0), 0);
    }

    #[test]
    fn a_count_is_taken_up_to_its_bound() {
        assert!(check_count("triggers", 3, 3).is_ok());
        let refused = check_count("triggers", 4, 3).unwrap_err();
        assert_eq!((refused.kind, refused.code), (Kind::Full, "quota_exceeded"));
        assert_eq!(refused.details.unwrap(), serde_json::json!({ "quota": "triggers", "bound": 3 }));
        assert!(data_full(7).message.contains("`data_bytes`") && files_full(7).message.contains("`file_bytes`"));
    }
}
