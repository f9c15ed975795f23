//! `picloud:sandbox/kv`.

use wasmtime::component::Linker;

use super::door::{self, Given};
use super::guest::Guest;
use super::trace;
use crate::model::grant::{Capability, Need};
use crate::model::listing::Query;
use crate::model::{self, kv};
use crate::service;
use crate::wit::kv::{Encoding, Entry, Page, SetOptions, Stored, Value};

pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut instance = trace::interface(linker, "picloud:sandbox/kv@0.1.0")?;
    instance.func_wrap_async("get", |store, (collection, key): (String, String)| {
        Box::new(door::database(store, need(&collection), collection.len() + key.len(), move |reach| async move {
            let stored = service::kv::get(&reach.services, reach.app_id, &collection, &key).await?;
            let value = stored.map(|stored| value_to_guest(stored.value));
            let bytes = value.as_ref().map_or(0, |value| value.bytes.len());
            Ok(Given { value, bytes })
        }))
    })?;
    instance.func_wrap_async("get-entry", |store, (collection, key): (String, String)| {
        Box::new(door::database(store, need(&collection), collection.len() + key.len(), move |reach| async move {
            let stored = service::kv::get(&reach.services, reach.app_id, &collection, &key).await?;
            let bytes = stored.as_ref().map_or(0, |stored| stored.value.bytes.len() + 2 * size_of::<i64>());
            Ok(Given { value: stored.map(stored_to_guest), bytes })
        }))
    })?;
    instance.func_wrap_async("set", |store, (collection, key, value, options): (String, String, Value, SetOptions)| {
        let bytes_out = collection.len() + key.len() + value.bytes.len();
        Box::new(door::database(store, need(&collection), bytes_out, move |reach| async move {
            let (value, options) = (value_from_guest(value), options_from_guest(options));
            service::kv::set(&reach.services, reach.app_id, reach.origin(), &collection, &key, &value, options).await?;
            Ok(Given { value: (), bytes: 0 })
        }))
    })?;
    instance.func_wrap_async("increment", |store, (collection, key, by): (String, String, i64)| {
        let bytes_out = collection.len() + key.len() + size_of::<i64>();
        Box::new(door::database(store, need(&collection), bytes_out, move |reach| async move {
            let (_, sum) = service::kv::increment(&reach.services, reach.app_id, reach.origin(), &collection, &key, by).await?;
            Ok(Given { value: sum, bytes: size_of::<i64>() })
        }))
    })?;
    instance.func_wrap_async("has", |store, (collection, key): (String, String)| {
        Box::new(door::database(store, need(&collection), collection.len() + key.len(), move |reach| async move {
            let found = service::kv::has(&reach.services, reach.app_id, &collection, &key).await?;
            Ok(Given { value: found, bytes: 1 })
        }))
    })?;
    instance.func_wrap_async("delete", |store, (collection, key): (String, String)| {
        Box::new(door::database(store, need(&collection), collection.len() + key.len(), move |reach| async move {
            let before = service::kv::delete(&reach.services, reach.app_id, reach.origin(), &collection, &key).await?;
            Ok(Given { value: before.is_some(), bytes: 1 })
        }))
    })?;
    instance.func_wrap_async("list", |store, (collection, prefix, after, limit): (String, String, Option<String>, u32)| {
        let bytes_out = collection.len() + prefix.len() + after.as_ref().map_or(0, String::len);
        Box::new(door::database(store, need(&collection), bytes_out, move |reach| async move {
            let page = service::kv::list(&reach.services, reach.app_id, &collection, Query { prefix, after, limit }).await?;
            let bytes = page.items.iter().map(|entry| entry.key.len() + entry.value.bytes.len()).sum();
            Ok(Given { value: page_to_guest(page), bytes })
        }))
    })
}

fn need(collection: &str) -> Need {
    Need::new(Capability::Kv, collection)
}

pub(super) fn page_to_guest(page: model::page::Page<kv::Entry>) -> Page {
    let items = page.items.into_iter().map(|entry| Entry { key: entry.key, value: value_to_guest(entry.value) }).collect();
    Page { items, cursor: page.cursor }
}

pub(super) fn stored_to_guest(stored: kv::Stored) -> Stored {
    Stored {
        value: value_to_guest(stored.value),
        revision: stored.revision,
        expires_at_ms: stored.expires_at.map(|at| at.timestamp_millis()),
    }
}

pub(super) fn options_from_guest(options: SetOptions) -> kv::SetOptions {
    kv::SetOptions { ttl_s: options.ttl_s, if_revision: options.if_revision }
}

pub(super) fn value_to_guest(value: kv::Value) -> Value {
    let encoding = match value.encoding {
        kv::Encoding::Json => Encoding::Json,
        kv::Encoding::Blob => Encoding::Blob,
    };
    Value { encoding, bytes: value.bytes }
}

pub(super) fn value_from_guest(value: Value) -> kv::Value {
    let encoding = match value.encoding {
        Encoding::Json => kv::Encoding::Json,
        Encoding::Blob => kv::Encoding::Blob,
    };
    kv::Value { encoding, bytes: value.bytes }
}
