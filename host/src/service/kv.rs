//! Key-value entries of an app's scripts.
//!
//! Bounds, each a 422 that names field, asked and allowed: collection 1..=`COLLECTION_NAME_BYTES_MAX` bytes, key
//! 1..=`KV_KEY_BYTES_MAX` bytes, value at most `KV_VALUE_BYTES_MAX` bytes, page 1..=`KV_PAGE_ENTRIES_MAX` entries, expiry
//! after 1..=`KV_TTL_S_MAX` s; names hold no NUL. Writes are acknowledged once they are on disk, and tell what was there
//! before, as it was in the same statement.
//!
//! An entry that has expired is gone for every function here, by this node's clock; `expiry` deletes it later.

pub mod expiry;

use chrono::Duration;
use serde_json::json;

use super::Services;
use crate::error::{Error, Kind, Result};
use crate::id::AppId;
use crate::limits;
use crate::model::kv::{Page, Query, SetOptions, Stored, Value};
use crate::model::text;
use crate::store;

/// The entry's value, revision and expiry, if it is there.
pub async fn get(s: &Services, app: AppId, collection: &str, key: &str) -> Result<Option<Stored>> {
    check_place(collection, key)?;
    Ok(store::kv::get(&mut *s.script_db.acquire().await?, s.now(), app, collection, key).await?)
}

/// Whether the entry is there.
pub async fn has(s: &Services, app: AppId, collection: &str, key: &str) -> Result<bool> {
    check_place(collection, key)?;
    Ok(store::kv::has(&mut *s.script_db.acquire().await?, s.now(), app, collection, key).await?)
}

/// Writes the entry, over what is there; what that was. Its expiry is that of `options` alone.
/// 409 when it has another revision than `options` ask for; 404 when the app is gone.
pub async fn set(
    s: &Services,
    app: AppId,
    collection: &str,
    key: &str,
    value: &Value,
    options: SetOptions,
) -> Result<Option<Stored>> {
    check_place(collection, key)?;
    if value.bytes.len() > limits::KV_VALUE_BYTES_MAX {
        return Err(text::too_long("value", value.bytes.len(), limits::KV_VALUE_BYTES_MAX, "bytes"));
    }
    check_options(&options)?;
    let now = s.now();
    let expires_at = options.ttl_s.and_then(|ttl_s| now.checked_add_signed(Duration::seconds(ttl_s)));
    let mut db = s.script_db.acquire().await?;
    for _ in 0..limits::KV_RACES_MAX {
        let write = store::kv::set(&mut db, now, app, collection, key, value, expires_at, options.if_revision).await;
        let write = write.map_err(store::refusal)?;
        let found = write.before.as_ref().map_or(0, |before| before.revision);
        if write.written.is_some() {
            s.kv_expiry.note(expires_at);
            return Ok(write.before);
        }
        if let Some(asked) = options.if_revision.filter(|asked| *asked != found) {
            return Err(another_revision(asked, found));
        }
    }
    Err(crossed())
}

/// Adds to the integer that is there, or to 0 where nothing is; what was there, and the sum. An expiry stays.
/// 422 when it is no integer, or the sum is none of 64 bits.
pub async fn increment(s: &Services, app: AppId, collection: &str, key: &str, by: i64) -> Result<(Option<Stored>, i64)> {
    check_place(collection, key)?;
    let now = s.now();
    let mut db = s.script_db.acquire().await?;
    for _ in 0..limits::KV_RACES_MAX {
        let write = store::kv::increment(&mut db, now, app, collection, key, by).await.map_err(store::refusal)?;
        let base = match &write.before {
            Some(before) => before.value.as_integer().ok_or_else(not_an_integer)?,
            None => 0,
        };
        let sum = base.checked_add(by).ok_or_else(|| sum_too_large(base, by))?;
        if write.written.is_some() {
            return Ok((write.before, sum));
        }
    }
    Err(crossed())
}

/// Deletes the entry; what was there.
pub async fn delete(s: &Services, app: AppId, collection: &str, key: &str) -> Result<Option<Stored>> {
    check_place(collection, key)?;
    Ok(store::kv::delete(&mut *s.script_db.acquire().await?, s.now(), app, collection, key).await?)
}

/// Entries whose keys begin with the prefix, in bytewise key order. A page ends early rather than hold more than
/// `KV_PAGE_BYTES_MAX` bytes of values, but holds one entry if there is one; its `cursor` is the next query's `after`.
pub async fn list(s: &Services, app: AppId, collection: &str, query: Query) -> Result<Page> {
    check_collection(collection)?;
    check_query(&query)?;
    let before = end_of_prefix(&query.prefix);
    let after = query.after.as_deref().unwrap_or_default();
    let range = store::kv::Range { from: &query.prefix, after, before: &before };
    let bytes_max = i64::try_from(limits::KV_PAGE_BYTES_MAX).unwrap_or(i64::MAX);
    let mut db = s.script_db.acquire().await?;
    // One entry more than the page says that more follow.
    let scan = store::kv::list(&mut db, s.now(), app, collection, &range, i64::from(query.limit) + 1, bytes_max).await?;
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

fn check_options(options: &SetOptions) -> Result<()> {
    let allowed = limits::KV_TTL_S_MAX;
    if let Some(asked) = options.ttl_s.filter(|asked| !(1..=allowed).contains(asked)) {
        return Err(Error::invalid("ttl_s", format!("ttl_s is {asked}; 1 to {allowed} seconds are allowed"))
            .with_details(json!({ "field": "ttl_s", "asked": asked, "floor": 1, "allowed": allowed })));
    }
    match options.if_revision {
        Some(asked) if asked < 0 => {
            let message = format!("if_revision is {asked}; it is a revision of the entry, or 0 for \"there must be none\"");
            Err(Error::invalid("if_revision", message))
        }
        _ => Ok(()),
    }
}

fn another_revision(asked: i64, found: i64) -> Error {
    let message = match (asked, found) {
        (0, _) => format!("the key is there already, at revision {found}"),
        (_, 0) => format!("the key is not there, so it is not at revision {asked}; read it again"),
        _ => format!("the key is at revision {found}, not {asked}; read it again"),
    };
    Error::conflict(message, json!({ "field": "if_revision", "asked": asked, "found": found }))
}

fn not_an_integer() -> Error {
    Error::invalid("key", "the value under this key is not an integer, so nothing can be added to it")
}

fn sum_too_large(base: i64, by: i64) -> Error {
    Error::invalid("by", format!("{base} and {by} together do not fit 64 bits"))
}

/// Others made and deleted the key between our statements, again and again.
fn crossed() -> Error {
    Error::new(Kind::Overloaded, "overloaded", "other writers of this key were always faster; try again")
}

/// A text after every key that begins with `prefix` and before every later one, so that a prefix is a range of the index.
/// Bytewise order of UTF-8 is the order of its code points, so the next code point in place of the last one is that text.
pub(super) fn end_of_prefix(prefix: &str) -> String {
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
    fn options_are_bounded() {
        let ttl = |ttl_s| check_options(&SetOptions { ttl_s: Some(ttl_s), if_revision: None });
        assert!(ttl(1).is_ok() && ttl(limits::KV_TTL_S_MAX).is_ok());
        for wrong in [0, -1, limits::KV_TTL_S_MAX + 1, i64::MAX, i64::MIN] {
            assert_eq!(ttl(wrong).unwrap_err().details.unwrap()["field"], "ttl_s", "{wrong}");
        }
        let revision = |if_revision| check_options(&SetOptions { ttl_s: None, if_revision: Some(if_revision) });
        assert!(revision(0).is_ok() && revision(i64::MAX).is_ok());
        assert!(revision(-1).is_err());
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
