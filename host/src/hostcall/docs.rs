//! `picloud:sandbox/docs`.

use wasmtime::component::Linker;

use super::door::{self, Given};
use super::guest::Guest;
use super::trace;
use crate::model::grant::{Capability, Need};
use crate::model::{self, docs};
use crate::service;
use crate::wit::docs::{Document, Page};

pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut instance = trace::interface(linker, "picloud:sandbox/docs@0.1.0")?;
    instance.func_wrap_async("create", |store, (collection, id, data): (String, Option<String>, Vec<u8>)| {
        let bytes_out = collection.len() + id.as_ref().map_or(0, String::len) + data.len();
        Box::new(door::database(store, need(&collection), bytes_out, move |reach| async move {
            let made = service::docs::create(&reach.services, reach.app_id, reach.origin(), &collection, id, &data).await?;
            Ok(Given { bytes: made.id.len(), value: made.id })
        }))
    })?;
    instance.func_wrap_async("get", |store, (collection, id): (String, String)| {
        Box::new(door::database(store, need(&collection), collection.len() + id.len(), move |reach| async move {
            Ok(document_given(service::docs::get(reach.script_db(), reach.app_id, &collection, &id).await?))
        }))
    })?;
    instance.func_wrap_async("update", |store, (collection, id, data, if_revision): Write| {
        Box::new(door::database(store, need(&collection), collection.len() + id.len() + data.len(), move |reach| async move {
            let (app, origin) = (reach.app_id, reach.origin());
            let change = service::docs::update(&reach.services, app, origin, &collection, &id, &data, if_revision).await?;
            Ok(revision_given(change))
        }))
    })?;
    instance.func_wrap_async("patch", |store, (collection, id, patch, if_revision): Write| {
        Box::new(door::database(store, need(&collection), collection.len() + id.len() + patch.len(), move |reach| async move {
            let (app, origin) = (reach.app_id, reach.origin());
            let change = service::docs::patch(&reach.services, app, origin, &collection, &id, &patch, if_revision).await?;
            Ok(revision_given(change))
        }))
    })?;
    instance.func_wrap_async("delete", |store, (collection, id, if_revision): (String, String, Option<i64>)| {
        Box::new(door::database(store, need(&collection), collection.len() + id.len(), move |reach| async move {
            let before =
                service::docs::delete(&reach.services, reach.app_id, reach.origin(), &collection, &id, if_revision).await?;
            Ok(Given { value: before.is_some(), bytes: 1 })
        }))
    })?;
    link_searches(&mut instance)
}

fn link_searches(instance: &mut trace::Interface<'_>) -> wasmtime::Result<()> {
    instance.func_wrap_async("find", |store, (collection, filter, cursor, limit): Search| {
        let bytes_out = collection.len() + filter.len() + cursor.as_ref().map_or(0, String::len);
        Box::new(door::database(store, need(&collection), bytes_out, move |reach| async move {
            let cursor = cursor.as_deref();
            let page = service::docs::find(reach.script_db(), reach.app_id, &collection, &filter, cursor, limit).await?;
            Ok(page_given(page))
        }))
    })?;
    instance.func_wrap_async("find-one", |store, (collection, filter): (String, Vec<u8>)| {
        Box::new(door::database(store, need(&collection), collection.len() + filter.len(), move |reach| async move {
            Ok(document_given(service::docs::find_one(reach.script_db(), reach.app_id, &collection, &filter).await?))
        }))
    })?;
    instance.func_wrap_async("count", |store, (collection, filter): (String, Vec<u8>)| {
        Box::new(door::database(store, need(&collection), collection.len() + filter.len(), move |reach| async move {
            let count = service::docs::count(reach.script_db(), reach.app_id, &collection, &filter).await?;
            Ok(Given { value: count, bytes: size_of_val(&count) })
        }))
    })?;
    instance.func_wrap_async("list", |store, (collection, cursor, limit): (String, Option<String>, u32)| {
        let bytes_out = collection.len() + cursor.as_ref().map_or(0, String::len);
        Box::new(door::database(store, need(&collection), bytes_out, move |reach| async move {
            let page = service::docs::list(reach.script_db(), reach.app_id, &collection, cursor.as_deref(), limit).await?;
            Ok(page_given(page))
        }))
    })
}

/// Collection, id, JSON text, revision.
pub(super) type Write = (String, String, Vec<u8>, Option<i64>);
/// Collection, filter, cursor, limit.
pub(super) type Search = (String, Vec<u8>, Option<String>, Option<u32>);

fn need(collection: &str) -> Need {
    Need::new(Capability::Docs, collection)
}

fn revision_given(change: Option<docs::Change>) -> Given<Option<i64>> {
    let revision = change.map(|change| change.after.revision);
    Given { value: revision, bytes: revision.map_or(0, |revision| size_of_val(&revision)) }
}

pub(super) fn document_given(document: Option<docs::Document>) -> Given<Option<Document>> {
    let bytes = document.as_ref().map_or(0, size);
    Given { value: document.map(to_guest), bytes }
}

pub(super) fn page_given(page: model::page::Page<docs::Document>) -> Given<Page> {
    let bytes = page.items.iter().map(size).sum::<usize>() + page.cursor.as_ref().map_or(0, String::len);
    Given { value: Page { items: page.items.into_iter().map(to_guest).collect(), cursor: page.cursor }, bytes }
}

fn size(document: &docs::Document) -> usize {
    document.id.len() + document.data.len()
}

pub(super) fn to_guest(document: docs::Document) -> Document {
    Document {
        id: document.id,
        data: document.data.into_bytes(),
        revision: document.revision,
        created_at_ms: document.created_at.timestamp_millis(),
        updated_at_ms: document.updated_at.timestamp_millis(),
    }
}
