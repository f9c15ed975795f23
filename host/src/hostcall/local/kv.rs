//! `picloud:sandbox/kv`, in a world.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Duration, Utc};
use serde::Serialize;
use serde_json::value::RawValue;
use wasmtime::component::Linker;

use super::answers::Called;
use super::world::{State, World};
use crate::error::Result;
use crate::hostcall::door::{self, Given};
use crate::hostcall::guest::Guest;
use crate::hostcall::kv::{options_from_guest, page_to_guest, stored_to_guest, value_from_guest, value_to_guest};
use crate::limits;
use crate::model::event::{Op, Origin, Source};
use crate::model::grant::{Capability, Need};
use crate::model::kv::{
    Encoding, Entry, SetOptions, Stored, Value, another_revision, check_options, check_place, check_value, not_an_integer,
    sum_too_large,
};
use crate::model::listing::Query;
use crate::model::page::Page;
use crate::model::{storage, text};
use crate::wit::kv as wit;

pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut instance = linker.instance("picloud:sandbox/kv@0.1.0")?;
    instance.func_wrap_async("get", |store, (collection, key): (String, String)| {
        Box::new(door::world(store, called("kv.get", &collection, &key), collection.len() + key.len(), move |here| {
            let stored = get(&here.world, &collection, &key)?;
            let value = stored.map(|stored| value_to_guest(stored.value));
            let bytes = value.as_ref().map_or(0, |value| value.bytes.len());
            Ok(Given { value, bytes })
        }))
    })?;
    instance.func_wrap_async("get-entry", |store, (collection, key): (String, String)| {
        Box::new(door::world(store, called("kv.get_entry", &collection, &key), collection.len() + key.len(), move |here| {
            let stored = get(&here.world, &collection, &key)?;
            let bytes = stored.as_ref().map_or(0, |stored| stored.value.bytes.len() + 2 * size_of::<i64>());
            Ok(Given { value: stored.map(stored_to_guest), bytes })
        }))
    })?;
    instance.func_wrap_async(
        "set",
        |store, (collection, key, value, options): (String, String, wit::Value, wit::SetOptions)| {
            let bytes_out = collection.len() + key.len() + value.bytes.len();
            let called = called("kv.set", &collection, &key)
                .with("value", value.bytes.as_slice())
                .with("ttl_s", options.ttl_s)
                .with("if_revision", options.if_revision);
            Box::new(door::world(store, called, bytes_out, move |here| {
                let (value, options) = (value_from_guest(value), options_from_guest(options));
                set(&here.world, here.origin(), &collection, &key, value, options)?;
                Ok(Given { value: (), bytes: 0 })
            }))
        },
    )?;
    instance.func_wrap_async("increment", |store, (collection, key, by): (String, String, i64)| {
        let bytes_out = collection.len() + key.len() + size_of::<i64>();
        Box::new(door::world(store, called("kv.increment", &collection, &key).with("by", by), bytes_out, move |here| {
            let sum = increment(&here.world, here.origin(), &collection, &key, by)?;
            Ok(Given { value: sum, bytes: size_of::<i64>() })
        }))
    })?;
    instance.func_wrap_async("has", |store, (collection, key): (String, String)| {
        Box::new(door::world(store, called("kv.has", &collection, &key), collection.len() + key.len(), move |here| {
            Ok(Given { value: get(&here.world, &collection, &key)?.is_some(), bytes: 1 })
        }))
    })?;
    instance.func_wrap_async("delete", |store, (collection, key): (String, String)| {
        Box::new(door::world(store, called("kv.delete", &collection, &key), collection.len() + key.len(), move |here| {
            Ok(Given { value: delete(&here.world, here.origin(), &collection, &key)?, bytes: 1 })
        }))
    })?;
    instance.func_wrap_async("list", |store, (collection, prefix, after, limit): (String, String, Option<String>, u32)| {
        let bytes_out = collection.len() + prefix.len() + after.as_ref().map_or(0, String::len);
        let called = Called::new("kv.list", need(&collection), &[("collection", collection.as_str())])
            .with("prefix", prefix.as_str())
            .with("cursor", after.as_deref())
            .with("limit", i64::from(limit));
        Box::new(door::world(store, called, bytes_out, move |here| {
            let page = list(&here.world, &collection, Query { prefix, after, limit })?;
            let bytes = page.items.iter().map(|entry| entry.key.len() + entry.value.bytes.len()).sum();
            Ok(Given { value: page_to_guest(page), bytes })
        }))
    })
}

/// The entry, if it is there and its time has not come.
fn get(world: &World, collection: &str, key: &str) -> Result<Option<Stored>> {
    check_place(collection, key)?;
    Ok(live(&world.lock(), world.now(), collection, key).cloned())
}

/// Writes the entry, over what is there.
pub(super) fn set(world: &World, origin: Origin, collection: &str, key: &str, value: Value, options: SetOptions) -> Result<()> {
    check_place(collection, key)?;
    check_value(value.bytes.len(), world.quota.kv_value_bytes as usize)?;
    check_options(&options)?;
    let now = world.now();
    let expires_at = options.ttl_s.and_then(|ttl_s| now.checked_add_signed(Duration::seconds(ttl_s)));
    let mut state = world.lock();
    let found = live(&state, now, collection, key).map_or(0, |found| found.revision);
    if let Some(asked) = options.if_revision.filter(|asked| *asked != found) {
        return Err(another_revision(asked, found));
    }
    put(world, &mut state, origin, (collection, key), value, expires_at)
}

fn increment(world: &World, origin: Origin, collection: &str, key: &str, by: i64) -> Result<i64> {
    check_place(collection, key)?;
    let mut state = world.lock();
    let found = live(&state, world.now(), collection, key);
    let base = match found {
        Some(found) => found.value.as_integer().ok_or_else(not_an_integer)?,
        None => 0,
    };
    let expires_at = found.and_then(|found| found.expires_at);
    let sum = base.checked_add(by).ok_or_else(|| sum_too_large(base, by))?;
    let value = Value::of_integer(sum);
    check_value(value.bytes.len(), world.quota.kv_value_bytes as usize)?;
    put(world, &mut state, origin, (collection, key), value, expires_at)?;
    Ok(sum)
}

/// Whether it was there.
fn delete(world: &World, origin: Origin, collection: &str, key: &str) -> Result<bool> {
    check_place(collection, key)?;
    let mut state = world.lock();
    let Some(before) = live(&state, world.now(), collection, key).cloned() else { return Ok(false) };
    if let Some(entries) = state.kv.get_mut(collection) {
        entries.remove(key);
    }
    state.count_data(&world.quota, size(collection, key, &before.value), 0)?;
    tell(world, &mut state, origin, Op::Delete, (collection, key), None, Some(&before.value))?;
    Ok(true)
}

fn list(world: &World, collection: &str, query: Query) -> Result<Page<Entry>> {
    text::collection(collection)?;
    let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let span = query.span(limits::KV_KEY_BYTES_MAX, limits::KV_PAGE_ENTRIES_MAX)?;
    let (state, now) = (world.lock(), world.now());
    let entries = state.kv.get(collection).into_iter().flatten();
    let in_span = |key: &String| *key >= span.from && *key > span.after && *key < span.before;
    let (mut items, mut bytes) = (Vec::new(), 0);
    for (key, stored) in entries.filter(|(key, stored)| in_span(key) && is_live(stored, now)) {
        bytes += stored.value.bytes.len();
        if items.len() == limit || (!items.is_empty() && bytes > limits::KV_PAGE_BYTES_MAX) {
            let cursor = items.last().map(|entry: &Entry| entry.key.clone());
            return Ok(Page { items, cursor });
        }
        items.push(Entry { key: key.clone(), value: stored.value.clone() });
    }
    Ok(Page { items, cursor: None })
}

/// Writes what was judged.
fn put(
    world: &World,
    state: &mut State,
    origin: Origin,
    (collection, key): (&str, &str),
    value: Value,
    expires_at: Option<DateTime<Utc>>,
) -> Result<()> {
    let now = world.now();
    // One whose time has come is nobody's any more, but its row is there.
    let old = state.kv.get(collection).and_then(|entries| entries.get(key)).cloned();
    let before = old.as_ref().map_or(0, |old| size(collection, key, &old.value));
    state.count_data(&world.quota, before, size(collection, key, &value))?;
    let revision = match &old {
        Some(old) => state.next_revision(old.revision),
        None => state.first_revision(now),
    };
    let old = old.filter(|old| is_live(old, now));
    let op = if old.is_some() { Op::Update } else { Op::Insert };
    tell(world, state, origin, op, (collection, key), Some(&value), old.as_ref().map(|old| &old.value))?;
    let entries = state.kv.entry(collection.to_owned()).or_default();
    entries.insert(key.to_owned(), Stored { value, revision, expires_at });
    Ok(())
}

fn live<'s>(state: &'s State, now: DateTime<Utc>, collection: &str, key: &str) -> Option<&'s Stored> {
    state.kv.get(collection)?.get(key).filter(|stored| is_live(stored, now))
}

fn is_live(stored: &Stored, now: DateTime<Utc>) -> bool {
    stored.expires_at.is_none_or(|expires_at| expires_at > now)
}

fn size(collection: &str, key: &str, value: &Value) -> u64 {
    storage::kv_entry_use(collection, key, value.bytes.len() as u64)
}

/// What a handler sees of a write.
#[derive(Serialize)]
struct About<'a> {
    collection: &'a str,
    key: &'a str,
    value: Option<Box<RawValue>>,
    prev: Option<Box<RawValue>>,
}

fn tell(
    world: &World,
    state: &mut State,
    origin: Origin,
    op: Op,
    (collection, key): (&str, &str),
    value: Option<&Value>,
    prev: Option<&Value>,
) -> Result<()> {
    world.tell(state, origin, (Source::Kv, op, collection), || About {
        collection,
        key,
        value: value.and_then(json),
        prev: prev.and_then(json),
    })
}

/// A value as JSON text; a blob as base64 text.
fn json(value: &Value) -> Option<Box<RawValue>> {
    let text = match value.encoding {
        Encoding::Json => String::from_utf8(value.bytes.clone()).ok()?,
        Encoding::Blob => format!("\"{}\"", STANDARD.encode(&value.bytes)),
    };
    RawValue::from_string(text).ok()
}

fn called(function: &str, collection: &str, key: &str) -> Called {
    Called::new(function, need(collection), &[("collection", collection), ("key", key)])
}

fn need(collection: &str) -> Need {
    Need::new(Capability::Kv, collection)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::hostcall::local::tests::world;

    fn json(text: &str) -> Value {
        Value { encoding: Encoding::Json, bytes: text.as_bytes().to_vec() }
    }

    fn put_with(world: &World, key: &str, options: SetOptions) -> Result<()> {
        set(world, world.beginning(), "c", key, json("1"), options)
    }

    #[test]
    fn an_entry_whose_time_has_come_is_gone_and_its_revision_does_not_come_again() {
        let world = world(0);
        put_with(&world, "k", SetOptions { ttl_s: Some(60), if_revision: Some(0) }).unwrap();
        let first = get(&world, "c", "k").unwrap().unwrap();
        world.clock().advance(TimeDelta::milliseconds(59_999));
        assert!(get(&world, "c", "k").unwrap().is_some());
        world.clock().advance(TimeDelta::milliseconds(1));
        assert!(get(&world, "c", "k").unwrap().is_none());
        assert!(!delete(&world, world.beginning(), "c", "k").unwrap());
        put_with(&world, "k", SetOptions { ttl_s: None, if_revision: Some(0) }).unwrap();
        assert!(get(&world, "c", "k").unwrap().unwrap().revision > first.revision);
        let stale = put_with(&world, "k", SetOptions { ttl_s: None, if_revision: Some(first.revision) });
        assert_eq!(stale.unwrap_err().code, "conflict");
    }

    #[test]
    fn a_sum_keeps_the_expiry_and_its_bounds() {
        let world = world(0);
        put_with(&world, "k", SetOptions { ttl_s: Some(60), if_revision: None }).unwrap();
        let add = |by| increment(&world, world.beginning(), "c", "k", by);
        assert_eq!(add(i64::MAX - 1).unwrap(), i64::MAX);
        assert_eq!(add(1).unwrap_err().code, "invalid");
        assert!(get(&world, "c", "k").unwrap().unwrap().expires_at.is_some());
        set(&world, world.beginning(), "c", "k", json("1.0"), SetOptions::default()).unwrap();
        assert!(add(1).is_err());
    }

    #[test]
    fn a_page_ends_at_its_limit_and_at_its_bytes_and_says_that_more_follow() {
        let world = world(0);
        let bytes = limits::KV_VALUE_BYTES_MAX;
        let large = || Value { encoding: Encoding::Blob, bytes: vec![7; bytes] };
        for n in 0..18 {
            set(&world, world.beginning(), "c", &format!("k{n:02}"), large(), SetOptions::default()).unwrap();
        }
        let page = |after: Option<&str>, limit| {
            let query = Query { prefix: String::new(), after: after.map(str::to_owned), limit };
            list(&world, "c", query).unwrap()
        };
        let first = page(None, 100);
        assert_eq!((first.items.len(), first.cursor.as_deref()), (limits::KV_PAGE_BYTES_MAX / bytes, Some("k15")));
        let second = page(Some("k15"), 2);
        assert_eq!((second.items.len(), second.cursor), (2, None));
        assert_eq!(page(Some("k15"), 1).cursor.as_deref(), Some("k16"));
        let query = Query { prefix: String::new(), after: None, limit: limits::KV_PAGE_ENTRIES_MAX + 1 };
        assert!(list(&world, "c", query).is_err());
    }

    #[test]
    fn a_value_is_as_large_as_on_a_node() {
        let world = world(0);
        let put = |bytes| {
            let value = Value { encoding: Encoding::Blob, bytes: vec![0; bytes] };
            set(&world, world.beginning(), "c", "k", value, SetOptions::default())
        };
        assert!(put(limits::KV_VALUE_BYTES_MAX).is_ok());
        assert_eq!(put(limits::KV_VALUE_BYTES_MAX + 1).unwrap_err().code, "invalid");
    }
}
