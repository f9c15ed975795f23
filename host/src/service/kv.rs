//! Key-value entries of an app's scripts.
//!
//! Bounds, each a 422 that names field, asked and allowed: collection 1..=`COLLECTION_NAME_BYTES_MAX` bytes, key
//! 1..=`KV_KEY_BYTES_MAX` bytes, value at most the app's quota `kv_value_bytes`, page 1..=`KV_PAGE_ENTRIES_MAX` entries, expiry
//! after 1..=`KV_TTL_S_MAX` s; names hold no NUL. 507 when all of the app's data has no room for a write; what adds nothing is
//! never refused so. Writes are acknowledged once they are on disk, and tell what was there before, as it was in the same
//! statement; the same statement adds the event that tells of it, where a trigger is there for it. Expiring tells nobody.
//!
//! An entry that has expired is gone for every function here, by this node's clock; `expiry` deletes it later.
//!
//! What a person changes is noted in the audit log, in the same transaction.

pub mod expiry;

use chrono::Duration;
use serde_json::json;

use super::collections::{changed, uncounted};
use super::{Services, audit};
use crate::error::{Error, Kind, Result};
use crate::id::AppId;
use crate::limits;
use crate::model::access::Principal;
use crate::model::collection::{Aim, Collection, check_state};
use crate::model::event::{Op, Origin};
use crate::model::kv::{
    Encoding, Entry, SetOptions, Stored, Value, another_revision, check_options, check_place, check_value, not_an_integer,
    sum_too_large,
};
use crate::model::listing::Query;
use crate::model::page::{Page, PageQuery, text_cursor};
use crate::model::text;
use crate::store;

/// The entry's value, revision and expiry, if it is there.
pub async fn get(s: &Services, app: AppId, collection: &str, key: &str) -> Result<Option<Stored>> {
    check_place(collection, key)?;
    let mut db = s.script_db.acquire().await?;
    let found = store::kv::get(&mut db, s.now(), app, collection, key).await?;
    db.done();
    Ok(found)
}

/// Whether the entry is there.
pub async fn has(s: &Services, app: AppId, collection: &str, key: &str) -> Result<bool> {
    check_place(collection, key)?;
    let mut db = s.script_db.acquire().await?;
    let is_there = store::kv::has(&mut db, s.now(), app, collection, key).await?;
    db.done();
    Ok(is_there)
}

/// Writes the entry, over what is there; what that was. Its expiry is that of `options` alone.
/// 409 when it has another revision than `options` ask for; 404 when the app is gone.
pub async fn set(
    s: &Services,
    app: AppId,
    origin: Origin,
    collection: &str,
    key: &str,
    value: &Value,
    options: SetOptions,
) -> Result<Option<Stored>> {
    check_place(collection, key)?;
    check_value(value.bytes.len(), s.quota(app).kv_value_bytes as usize)?;
    check_options(&options)?;
    let now = s.now();
    let expires_at = options.ttl_s.and_then(|ttl_s| now.checked_add_signed(Duration::seconds(ttl_s)));
    let mut db = s.script_db.acquire().await?;
    for _ in 0..limits::KV_RACES_MAX {
        let told = s.events.tell(now, origin);
        let doubt = s.events.doubt();
        let write = store::kv::set(&mut db, now, app, collection, key, value, expires_at, options.if_revision, &told).await;
        let write = write.map_err(store::refusal)?;
        doubt.settle(write.told);
        let found = write.before.as_ref().map_or(0, |before| before.revision);
        if write.written.is_some() {
            db.done();
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
/// 422 when it is no integer, or the sum is none of 64 bits or longer than a value may be.
pub async fn increment(
    s: &Services,
    app: AppId,
    origin: Origin,
    collection: &str,
    key: &str,
    by: i64,
) -> Result<(Option<Stored>, i64)> {
    check_place(collection, key)?;
    let now = s.now();
    let bytes_max = i32::try_from(s.quota(app).kv_value_bytes).unwrap_or(i32::MAX);
    let mut db = s.script_db.acquire().await?;
    for _ in 0..limits::KV_RACES_MAX {
        let told = s.events.tell(now, origin);
        let doubt = s.events.doubt();
        let write = store::kv::increment(&mut db, now, app, collection, key, by, bytes_max, &told).await;
        let write = write.map_err(store::refusal)?;
        doubt.settle(write.told);
        let base = match &write.before {
            Some(before) => before.value.as_integer().ok_or_else(not_an_integer)?,
            None => 0,
        };
        let sum = base.checked_add(by).ok_or_else(|| sum_too_large(base, by))?;
        if write.written.is_some() {
            db.done();
            return Ok((write.before, sum));
        }
        check_value(sum.to_string().len(), s.quota(app).kv_value_bytes as usize)?;
    }
    Err(crossed())
}

/// Deletes the entry; what was there.
pub async fn delete(s: &Services, app: AppId, origin: Origin, collection: &str, key: &str) -> Result<Option<Stored>> {
    check_place(collection, key)?;
    let now = s.now();
    let told = s.events.tell(now, origin);
    let mut db = s.script_db.acquire().await?;
    let doubt = s.events.doubt();
    let (before, told) = store::kv::delete(&mut db, now, app, collection, key, &told).await?;
    db.done();
    doubt.settle(told);
    Ok(before)
}

/// Entries whose keys begin with the prefix, in bytewise key order. A page ends early rather than hold more than
/// `KV_PAGE_BYTES_MAX` bytes of values, but holds one entry if there is one; its `cursor` is the next query's `after`.
pub async fn list(s: &Services, app: AppId, collection: &str, query: Query) -> Result<Page<Entry>> {
    text::collection(collection)?;
    let limit = query.limit;
    let span = query.span(limits::KV_KEY_BYTES_MAX, limits::KV_PAGE_ENTRIES_MAX)?;
    let bytes_max = i64::try_from(limits::KV_PAGE_BYTES_MAX).unwrap_or(i64::MAX);
    let mut db = s.script_db.acquire().await?;
    // One entry more than the page says that more follow.
    let scan = store::kv::list(&mut db, s.now(), app, collection, &span, i64::from(limit) + 1, bytes_max).await?;
    db.done();
    let found = scan.found;
    let mut items = scan.items;
    items.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let cursor = items.last().filter(|_| items.len() < found).map(|entry| entry.key.clone());
    Ok(Page { items, cursor })
}

/// An app's collections of entries by name; 504 when there is more in them than can be counted in time.
pub async fn collections(s: &Services, app: AppId, query: &PageQuery) -> Result<Page<Collection>> {
    let after = query.after_text()?.unwrap_or_default();
    let mut db = s.script_db.acquire().await?;
    let rows = store::kv::collections(&mut db, s.now(), app, &after, query.rows()).await.map_err(uncounted)?;
    Ok(Page::cut(rows, query.limit, |collection| text_cursor(&collection.name)))
}

/// As [`list`], with keys apart from all that is known of their entries.
pub async fn browse(s: &Services, app: AppId, collection: &str, query: Query) -> Result<Page<(String, Stored)>> {
    text::collection(collection)?;
    let limit = query.limit;
    let span = query.span(limits::KV_KEY_BYTES_MAX, limits::KV_PAGE_ENTRIES_MAX)?;
    let bytes_max = i64::try_from(limits::KV_PAGE_BYTES_MAX).unwrap_or(i64::MAX);
    let mut db = s.script_db.acquire().await?;
    let scan = store::kv::browse(&mut db, s.now(), app, collection, &span, i64::from(limit) + 1, bytes_max).await?;
    let found = scan.found;
    let mut items = scan.items;
    items.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let cursor = items.last().filter(|_| items.len() < found).map(|(key, _)| key.clone());
    Ok(Page { items, cursor })
}

/// Writes the entry for a person, as [`set`]; what it is now, and whether it is new. 412 when it is in another state than the
/// one that this is meant for; the tag `0` is "only where nothing is". 422 also for JSON text nested deeper than scripts read.
pub async fn set_by_user(
    s: &Services,
    by: &Principal,
    app: AppId,
    origin: Origin,
    aim: Aim<'_>,
    value: Value,
    ttl_s: Option<i64>,
) -> Result<(Stored, bool)> {
    check_place(aim.collection, aim.name)?;
    check_value(value.bytes.len(), s.quota(app).kv_value_bytes as usize)?;
    check_depth(&value)?;
    check_options(&SetOptions { ttl_s, if_revision: None })?;
    let now = s.now();
    let expires_at = ttl_s.and_then(|ttl_s| now.checked_add_signed(Duration::seconds(ttl_s)));
    let mut tx = store::begin(&s.db).await?;
    for _ in 0..limits::KV_RACES_MAX {
        let found = store::kv::lock(&mut tx, now, app, aim.collection, aim.name).await?;
        check_state("entry", aim.if_match, found.as_ref().map_or(0, |found| found.revision))?;
        let told = s.events.tell(now, origin);
        let write = store::kv::set(&mut tx, now, app, aim.collection, aim.name, &value, expires_at, None, &told).await;
        let write = write.map_err(store::refusal)?;
        let Some(revision) = write.written else { continue };
        let op = if write.before.is_some() { Op::Update } else { Op::Insert };
        audit::append(&mut tx, now, Some(by), changed(app, "kv.set", op, aim.collection, "key", aim.name)).await?;
        let doubt = s.events.doubt();
        tx.commit().await?;
        doubt.settle(write.told);
        s.kv_expiry.note(expires_at);
        return Ok((Stored { value, revision, expires_at }, op == Op::Insert));
    }
    Err(crossed())
}

/// Deletes the entry for a person. 404; 412 as [`set_by_user`].
pub async fn delete_by_user(s: &Services, by: &Principal, app: AppId, origin: Origin, aim: Aim<'_>) -> Result<()> {
    check_place(aim.collection, aim.name)?;
    let now = s.now();
    let mut tx = store::begin(&s.db).await?;
    let found = store::kv::lock(&mut tx, now, app, aim.collection, aim.name).await?;
    let found = found.ok_or_else(|| Error::not_found("entry"))?;
    check_state("entry", aim.if_match, found.revision)?;
    let told = s.events.tell(now, origin);
    let (_, told) = store::kv::delete(&mut tx, now, app, aim.collection, aim.name, &told).await?;
    audit::append(&mut tx, now, Some(by), changed(app, "kv.delete", Op::Delete, aim.collection, "key", aim.name)).await?;
    let doubt = s.events.doubt();
    tx.commit().await?;
    doubt.settle(told);
    Ok(())
}

/// Deeper, and no script could read it.
fn check_depth(value: &Value) -> Result<()> {
    let json = std::str::from_utf8(&value.bytes).ok().filter(|_| value.encoding == Encoding::Json);
    let (depth, allowed) = (json.map_or(0, text::json_depth), limits::JSON_DEPTH_MAX);
    if depth > allowed {
        return Err(Error::invalid("value", format!("the value is nested {depth} levels deep; {allowed} are allowed"))
            .with_details(json!({ "field": "value", "asked": depth, "allowed": allowed })));
    }
    Ok(())
}

/// Others made and deleted the key between our statements, again and again.
fn crossed() -> Error {
    Error::new(Kind::Overloaded, "overloaded", "other writers of this key were always faster; try again")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_nested_no_deeper_than_scripts_read() {
        let nested = |levels: usize| ("[".repeat(levels) + &"]".repeat(levels)).into_bytes();
        let json = |levels| check_depth(&Value { encoding: Encoding::Json, bytes: nested(levels) });
        assert!(json(limits::JSON_DEPTH_MAX).is_ok());
        assert_eq!(json(limits::JSON_DEPTH_MAX + 1).unwrap_err().details.unwrap()["field"], "value");
        assert!(check_depth(&Value { encoding: Encoding::Blob, bytes: nested(limits::JSON_DEPTH_MAX + 1) }).is_ok());
    }
}
