//! Key-value entries of an app's scripts.
//!
//! Bounds, each a 422 that names field, asked and allowed: collection 1..=`COLLECTION_NAME_BYTES_MAX` bytes, key
//! 1..=`KV_KEY_BYTES_MAX` bytes, value at most `KV_VALUE_BYTES_MAX` bytes, page 1..=`KV_PAGE_ENTRIES_MAX` entries; names hold
//! no NUL. Writes are acknowledged once they are on disk.

use serde_json::json;
use sqlx::PgPool;

use crate::error::{Error, Result};
use crate::id::AppId;
use crate::limits;
use crate::model::kv::{Page, Query, Value};
use crate::model::text;
use crate::store;

/// The entry's value, if it is there.
pub async fn get(db: &PgPool, app: AppId, collection: &str, key: &str) -> Result<Option<Value>> {
    check_place(collection, key)?;
    Ok(store::kv::get(&mut *db.acquire().await?, app, collection, key).await?)
}

/// Whether the entry is there.
pub async fn has(db: &PgPool, app: AppId, collection: &str, key: &str) -> Result<bool> {
    check_place(collection, key)?;
    Ok(store::kv::has(&mut *db.acquire().await?, app, collection, key).await?)
}

/// Writes the entry, over what is there; its revision grows by one. 404 when the app is gone.
pub async fn set(db: &PgPool, app: AppId, collection: &str, key: &str, value: Value) -> Result<()> {
    check_place(collection, key)?;
    if value.bytes.len() > limits::KV_VALUE_BYTES_MAX {
        return Err(text::too_long("value", value.bytes.len(), limits::KV_VALUE_BYTES_MAX, "bytes"));
    }
    store::kv::set(&mut *db.acquire().await?, app, collection, key, &value).await.map_err(store::refusal)?;
    Ok(())
}

/// Deletes the entry; whether it was there.
pub async fn delete(db: &PgPool, app: AppId, collection: &str, key: &str) -> Result<bool> {
    check_place(collection, key)?;
    Ok(store::kv::delete(&mut *db.acquire().await?, app, collection, key).await?)
}

/// Entries whose keys begin with the prefix, in bytewise key order. A page ends early rather than hold more than
/// `KV_PAGE_BYTES_MAX` bytes of values, but holds one entry if there is one; its `cursor` is the next query's `after`.
pub async fn list(db: &PgPool, app: AppId, collection: &str, query: Query) -> Result<Page> {
    check_collection(collection)?;
    check_query(&query)?;
    let before = end_of_prefix(&query.prefix);
    let after = query.after.as_deref().unwrap_or_default();
    let range = store::kv::Range { from: &query.prefix, after, before: &before };
    let bytes_max = i64::try_from(limits::KV_PAGE_BYTES_MAX).unwrap_or(i64::MAX);
    let mut db = db.acquire().await?;
    // One entry more than the page says that more follow.
    let scan = store::kv::list(&mut db, app, collection, &range, i64::from(query.limit) + 1, bytes_max).await?;
    let found = scan.found;
    let mut items = scan.items;
    items.truncate(usize::try_from(query.limit).unwrap_or(usize::MAX));
    let cursor = items.last().filter(|_| items.len() < found).map(|entry| entry.key.clone());
    Ok(Page { items, cursor })
}

fn check_collection(collection: &str) -> Result<()> {
    text::name_bytes("collection", collection, limits::COLLECTION_NAME_BYTES_MAX)
}

fn check_place(collection: &str, key: &str) -> Result<()> {
    check_collection(collection)?;
    text::name_bytes("key", key, limits::KV_KEY_BYTES_MAX)
}

fn check_query(query: &Query) -> Result<()> {
    let key_sized = |field: &str, value: &str| match value {
        "" => Ok(()),
        value => text::name_bytes(field, value, limits::KV_KEY_BYTES_MAX),
    };
    key_sized("prefix", &query.prefix)?;
    key_sized("cursor", query.after.as_deref().unwrap_or_default())?;
    let (asked, allowed) = (query.limit, limits::KV_PAGE_ENTRIES_MAX);
    if asked == 0 || asked > allowed {
        return Err(Error::invalid("limit", format!("limit is {asked}; 1 to {allowed} are allowed"))
            .with_details(json!({ "field": "limit", "asked": asked, "floor": 1, "allowed": allowed })));
    }
    Ok(())
}

/// A text after every key that begins with `prefix` and before every later one, so that a prefix is a range of the index.
/// Bytewise order of UTF-8 is the order of its code points, so the next code point in place of the last one is that text.
fn end_of_prefix(prefix: &str) -> String {
    let mut stem = prefix.to_owned();
    while let Some(last) = stem.pop() {
        // The range of `char` steps over the surrogates.
        if let Some(next) = (last..=char::MAX).nth(1) {
            stem.push(next);
            return stem;
        }
    }
    // No such prefix: longer than any key can be, of the greatest code point.
    std::iter::repeat_n(char::MAX, limits::KV_KEY_BYTES_MAX / char::MAX.len_utf8() + 1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_prefix_is_the_next_code_point() {
        assert_eq!(end_of_prefix("a"), "b");
        assert_eq!(end_of_prefix("user:"), "user;");
        assert_eq!(end_of_prefix("\u{7f}"), "\u{80}");
        assert_eq!(end_of_prefix("\u{d7ff}"), "\u{e000}");
        assert_eq!(end_of_prefix("a\u{10ffff}"), "b");
    }

    #[test]
    fn no_prefix_ends_after_every_key() {
        let greatest = char::MAX.to_string().repeat(limits::KV_KEY_BYTES_MAX / 4);
        assert_eq!(greatest.len(), limits::KV_KEY_BYTES_MAX);
        assert!(end_of_prefix("") > greatest);
        assert!(end_of_prefix("\u{10ffff}") > greatest);
    }

    #[test]
    fn names_and_pages_are_bounded() {
        let (c, k) = (limits::COLLECTION_NAME_BYTES_MAX, limits::KV_KEY_BYTES_MAX);
        assert!(check_place(&"c".repeat(c), &"k".repeat(k)).is_ok());
        assert!(check_place(&"c".repeat(c + 1), "k").is_err());
        assert!(check_place("c", &"k".repeat(k + 1)).is_err());
        assert!(check_place("", "k").is_err());
        assert!(check_place("c", "").is_err());
        assert!(check_place("c\0", "k").is_err());
        let query = |limit| Query { limit, ..Query::default() };
        assert!(check_query(&query(limits::KV_PAGE_ENTRIES_MAX)).is_ok());
        assert!(check_query(&query(limits::KV_PAGE_ENTRIES_MAX + 1)).is_err());
        assert!(check_query(&query(0)).is_err());
        assert!(check_query(&Query { prefix: "\0".into(), ..query(1) }).is_err());
        assert!(check_query(&Query { after: Some("k".repeat(k + 1)), ..query(1) }).is_err());
    }
}
