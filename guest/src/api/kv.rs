//! `kv`: durable keys and values of the app.

use rhai::{Array, Dynamic, Engine, INT, ImmutableString, Map, Module};

use super::options::{int_option, integer, known_options, text_option, u32_option};
use super::{Result, function, instant, invalid, page, thrown};
use crate::json::{self, EncodeError};
use crate::limits::{KV_PAGE_ENTRIES_DEFAULT, KV_VALUE_BYTES_MAX};
use crate::picloud::sandbox::kv::{self, Encoding, SetOptions, Stored, Value};

/// A handle on one collection; making it asks nothing of the host.
#[derive(Clone)]
struct Collection {
    name: ImmutableString,
}

pub(crate) fn register(engine: &mut Engine) {
    let mut module = Module::new();
    function(&mut module, "collection", |name: ImmutableString| Collection { name });
    engine.register_static_module("kv", module.into());
    engine
        .register_type_with_name::<Collection>("kv collection")
        .register_fn("get", |collection: &mut Collection, key: &str| get(collection, key))
        .register_fn("get_entry", |collection: &mut Collection, key: &str| get_entry(collection, key))
        .register_fn("set", |collection: &mut Collection, key: &str, value: Dynamic| set(collection, key, &value, &Map::new()))
        .register_fn("set", |collection: &mut Collection, key: &str, value: Dynamic, options: Map| {
            set(collection, key, &value, &options)
        })
        .register_fn("increment", |collection: &mut Collection, key: &str| increment(collection, key, &Dynamic::ONE))
        .register_fn("increment", |collection: &mut Collection, key: &str, by: Dynamic| increment(collection, key, &by))
        .register_fn("has", |collection: &mut Collection, key: &str| kv::has(&collection.name, key).map_err(thrown))
        .register_fn("delete", |collection: &mut Collection, key: &str| kv::delete(&collection.name, key).map_err(thrown))
        .register_fn("list", |collection: &mut Collection| list(collection, &Map::new()))
        .register_fn("list", |collection: &mut Collection, options: Map| list(collection, &options));
}

fn get(collection: &Collection, key: &str) -> Result<Dynamic> {
    match kv::get(&collection.name, key).map_err(thrown)? {
        Some(value) => decode(value),
        None => Ok(Dynamic::UNIT),
    }
}

fn get_entry(collection: &Collection, key: &str) -> Result<Dynamic> {
    match kv::get_entry(&collection.name, key).map_err(thrown)? {
        Some(stored) => Ok(Dynamic::from_map(entry_map(stored)?)),
        None => Ok(Dynamic::UNIT),
    }
}

fn set(collection: &Collection, key: &str, value: &Dynamic, options: &Map) -> Result<()> {
    known_options(options, &["ttl_s", "if_revision"])?;
    // A revision that is missing by mistake must not make the write unconditional.
    if options.get("if_revision").is_some_and(Dynamic::is_unit) {
        return Err(invalid("`if_revision` is (): it must be an integer; 0 means that the key must not be there".to_owned()));
    }
    let options = SetOptions { ttl_s: int_option(options, "ttl_s")?, if_revision: int_option(options, "if_revision")? };
    kv::set(&collection.name, key, &encode(value)?, options).map_err(thrown)
}

fn increment(collection: &Collection, key: &str, by: &Dynamic) -> Result<INT> {
    kv::increment(&collection.name, key, integer("by", by)?).map_err(thrown)
}

fn list(collection: &Collection, options: &Map) -> Result<Map> {
    known_options(options, &["prefix", "cursor", "limit"])?;
    let prefix = text_option(options, "prefix")?.unwrap_or_default();
    let cursor = text_option(options, "cursor")?;
    let limit = u32_option(options, "limit")?.unwrap_or(KV_PAGE_ENTRIES_DEFAULT);
    let found = kv::list(&collection.name, &prefix, cursor.as_deref(), limit).map_err(thrown)?;
    let mut items = Array::with_capacity(found.items.len());
    for entry in found.items {
        let mut item = Map::new();
        item.insert("key".into(), entry.key.into());
        item.insert("value".into(), decode(entry.value)?);
        items.push(Dynamic::from_map(item));
    }
    Ok(page(items, found.cursor))
}

fn entry_map(stored: Stored) -> Result<Map> {
    let mut map = Map::new();
    map.insert("value".into(), decode(stored.value)?);
    map.insert("revision".into(), stored.revision.into());
    map.insert("expires_at".into(), stored.expires_at_ms.map_or(Dynamic::UNIT, instant));
    Ok(map)
}

/// Blobs are kept as they are, anything else as JSON.
fn encode(value: &Dynamic) -> Result<Value> {
    if let Ok(blob) = value.as_blob_ref() {
        return Ok(Value { encoding: Encoding::Blob, bytes: blob.to_vec() });
    }
    match json::encode(value, KV_VALUE_BYTES_MAX) {
        Ok(bytes) => Ok(Value { encoding: Encoding::Json, bytes }),
        Err(EncodeError::TooLarge) => Err(invalid(format!("the value is larger than {KV_VALUE_BYTES_MAX} bytes as JSON"))),
        Err(EncodeError::NotJson(message)) => Err(invalid(format!("the value cannot be stored: {message}"))),
    }
}

fn decode(value: Value) -> Result<Dynamic> {
    match value.encoding {
        Encoding::Blob => Ok(Dynamic::from_blob(value.bytes)),
        Encoding::Json => {
            json::decode(&value.bytes).map_err(|error| super::error("internal", format!("the stored value is not JSON: {error}")))
        }
    }
}
