//! `picloud:sandbox/docs`, in a world.

use serde::Serialize;
use serde_json::value::RawValue;
use wasmtime::component::Linker;

use super::answers::Called;
use super::world::{State, World};
use crate::error::{Error, Result};
use crate::hostcall::docs::{Search, Write, document_given, page_given};
use crate::hostcall::door::{self, Given};
use crate::hostcall::guest::Guest;
use crate::limits;
use crate::model::docs::{Data, Document, Filter, Find, Patch, check_place, check_revision, id_taken, patched, search};
use crate::model::event::{Op, Origin, Source};
use crate::model::grant::{Capability, Need};
use crate::model::page::Page;
use crate::model::{storage, text};

pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut instance = linker.instance("picloud:sandbox/docs@0.1.0")?;
    instance.func_wrap_async("create", |store, (collection, id, data): (String, Option<String>, Vec<u8>)| {
        let bytes_out = collection.len() + id.as_ref().map_or(0, String::len) + data.len();
        let called = match &id {
            Some(id) => called("docs.create", &collection, id),
            None => on_all("docs.create", &collection),
        };
        Box::new(door::world(store, called.with("data", data.as_slice()), bytes_out, move |here| {
            let id = create(&here.world, here.origin(), &collection, id, &data)?;
            Ok(Given { bytes: id.len(), value: id })
        }))
    })?;
    instance.func_wrap_async("get", |store, (collection, id): (String, String)| {
        Box::new(door::world(store, called("docs.get", &collection, &id), collection.len() + id.len(), move |here| {
            Ok(document_given(get(&here.world, &collection, &id)?))
        }))
    })?;
    instance.func_wrap_async("update", |store, (collection, id, data, if_revision): Write| {
        let called = called("docs.update", &collection, &id).with("data", data.as_slice()).with("if_revision", if_revision);
        Box::new(door::world(store, called, collection.len() + id.len() + data.len(), move |here| {
            check_place(&collection, &id)?;
            let data = Data::read(&data)?;
            Ok(revision_given(write(&here.world, here.origin(), &collection, &id, if_revision, |_| Ok(data))?))
        }))
    })?;
    instance.func_wrap_async("patch", |store, (collection, id, patch, if_revision): Write| {
        let called = called("docs.patch", &collection, &id).with("patch", patch.as_slice()).with("if_revision", if_revision);
        Box::new(door::world(store, called, collection.len() + id.len() + patch.len(), move |here| {
            check_place(&collection, &id)?;
            let patch = Patch::read(&patch)?;
            let change = |before: &Document| patched(before, patch);
            Ok(revision_given(write(&here.world, here.origin(), &collection, &id, if_revision, change)?))
        }))
    })?;
    instance.func_wrap_async("delete", |store, (collection, id, if_revision): (String, String, Option<i64>)| {
        let called = called("docs.delete", &collection, &id).with("if_revision", if_revision);
        Box::new(door::world(store, called, collection.len() + id.len(), move |here| {
            Ok(Given { value: delete(&here.world, here.origin(), &collection, &id, if_revision)?, bytes: 1 })
        }))
    })?;
    link_searches(&mut instance)
}

fn link_searches(instance: &mut wasmtime::component::LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    instance.func_wrap_async("find", |store, (collection, filter, cursor, limit): Search| {
        let bytes_out = collection.len() + filter.len() + cursor.as_ref().map_or(0, String::len);
        let called = on_all("docs.find", &collection)
            .with("filter", filter.as_slice())
            .with("cursor", cursor.as_deref())
            .with("limit", limit.map(i64::from));
        Box::new(door::world(store, called, bytes_out, move |here| {
            text::collection(&collection)?;
            let find = Find::read(&filter)?;
            let limit = find.page_limit(limit, limits::DOCS_PAGE_ITEMS_DEFAULT)?;
            Ok(page_given(page(&here.world, &collection, &find, cursor.as_deref(), limit)?))
        }))
    })?;
    instance.func_wrap_async("find-one", |store, (collection, filter): (String, Vec<u8>)| {
        let called = on_all("docs.find_one", &collection).with("filter", filter.as_slice());
        Box::new(door::world(store, called, collection.len() + filter.len(), move |here| {
            text::collection(&collection)?;
            let found = page(&here.world, &collection, &Find::read_for_one(&filter)?, None, 1)?;
            Ok(document_given(found.items.into_iter().next()))
        }))
    })?;
    instance.func_wrap_async("count", |store, (collection, filter): (String, Vec<u8>)| {
        let called = on_all("docs.count", &collection).with("filter", filter.as_slice());
        Box::new(door::world(store, called, collection.len() + filter.len(), move |here| {
            text::collection(&collection)?;
            let find = Find::read_for_count(&filter)?;
            let state = here.world.lock();
            let count = search::count(documents(&state, &collection), &find);
            Ok(Given { value: count, bytes: size_of_val(&count) })
        }))
    })?;
    instance.func_wrap_async("list", |store, (collection, cursor, limit): (String, Option<String>, u32)| {
        let bytes_out = collection.len() + cursor.as_ref().map_or(0, String::len);
        let called = on_all("docs.list", &collection).with("cursor", cursor.as_deref()).with("limit", i64::from(limit));
        Box::new(door::world(store, called, bytes_out, move |here| {
            text::collection(&collection)?;
            let everything = Find { filter: Filter::everything(), sort: None, limit: None };
            Ok(page_given(page(&here.world, &collection, &everything, cursor.as_deref(), limit)?))
        }))
    })
}

/// Adds a document; its id.
fn create(world: &World, origin: Origin, collection: &str, id: Option<String>, data: &[u8]) -> Result<String> {
    let (mut state, now) = (world.lock(), world.now());
    let id = id.unwrap_or_else(|| state.id(now).to_string());
    check_place(collection, &id)?;
    let data = Data::read(data)?;
    if state.docs.get(collection).is_some_and(|documents| documents.contains_key(&id)) {
        return Err(id_taken(&id));
    }
    state.count_data(&world.quota, 0, size(collection, &id, data.as_stored().len()))?;
    let revision = state.first_revision(now);
    let document = Document { id: id.clone(), data: data.shown(), revision, created_at: now, updated_at: now };
    tell(world, &mut state, origin, Op::Insert, (collection, &id), Some(&document), None)?;
    state.docs.entry(collection.to_owned()).or_default().insert(id.clone(), document);
    Ok(id)
}

fn get(world: &World, collection: &str, id: &str) -> Result<Option<Document>> {
    check_place(collection, id)?;
    Ok(found(&world.lock(), collection, id).cloned())
}

/// Puts what `make` makes of the document in its place; its revision, unless it is not there.
fn write(
    world: &World,
    origin: Origin,
    collection: &str,
    id: &str,
    if_revision: Option<i64>,
    make: impl FnOnce(&Document) -> Result<Data>,
) -> Result<Option<i64>> {
    let mut state = world.lock();
    let before = found(&state, collection, id).cloned();
    check_revision(before.as_ref(), if_revision)?;
    let Some(before) = before else { return Ok(None) };
    let data = make(&before)?;
    // What is read back has the size of what was stored, but for floats that are written out.
    let (old, new) = (before.data.len(), data.as_stored().len());
    state.count_data(&world.quota, size(collection, id, old), size(collection, id, new))?;
    let revision = state.next_revision(before.revision);
    let updated_at = world.now().max(before.updated_at);
    let after = Document { data: data.shown(), revision, updated_at, ..before.clone() };
    tell(world, &mut state, origin, Op::Update, (collection, id), Some(&after), Some(&before))?;
    state.docs.entry(collection.to_owned()).or_default().insert(id.to_owned(), after);
    Ok(Some(revision))
}

/// Whether it was there.
fn delete(world: &World, origin: Origin, collection: &str, id: &str, if_revision: Option<i64>) -> Result<bool> {
    check_place(collection, id)?;
    let mut state = world.lock();
    let before = found(&state, collection, id).cloned();
    check_revision(before.as_ref(), if_revision)?;
    let Some(before) = before else { return Ok(false) };
    if let Some(documents) = state.docs.get_mut(collection) {
        documents.remove(id);
    }
    state.count_data(&world.quota, size(collection, id, before.data.len()), 0)?;
    tell(world, &mut state, origin, Op::Delete, (collection, id), None, Some(&before))?;
    Ok(true)
}

fn page(world: &World, collection: &str, find: &Find, cursor: Option<&str>, limit: u32) -> Result<Page<Document>> {
    search::page(documents(&world.lock(), collection), find, cursor, limit)
}

fn documents<'s>(state: &'s State, collection: &str) -> impl Iterator<Item = &'s Document> + use<'s> {
    state.docs.get(collection).into_iter().flat_map(|documents| documents.values())
}

fn found<'s>(state: &'s State, collection: &str, id: &str) -> Option<&'s Document> {
    state.docs.get(collection)?.get(id)
}

fn size(collection: &str, id: &str, data_bytes: usize) -> u64 {
    storage::document_use(collection, id, data_bytes as u64)
}

fn revision_given(revision: Option<i64>) -> Given<Option<i64>> {
    Given { value: revision, bytes: revision.map_or(0, |revision| size_of_val(&revision)) }
}

/// What a handler sees of a write.
#[derive(Serialize)]
struct About<'a> {
    collection: &'a str,
    id: &'a str,
    data: Option<Box<RawValue>>,
    prev_data: Option<Box<RawValue>>,
}

fn tell(
    world: &World,
    state: &mut State,
    origin: Origin,
    op: Op,
    (collection, id): (&str, &str),
    after: Option<&Document>,
    before: Option<&Document>,
) -> Result<()> {
    let data = |document: Option<&Document>| -> Result<Option<Box<RawValue>>> {
        document.map(|document| RawValue::from_string(document.data.clone())).transpose().map_err(Error::internal)
    };
    let (data, prev_data) = (data(after)?, data(before)?);
    world.tell(state, origin, (Source::Docs, op, collection), || About { collection, id, data, prev_data })
}

fn called(function: &str, collection: &str, id: &str) -> Called {
    Called::new(function, need(collection), &[("collection", collection), ("id", id)])
}

fn on_all(function: &str, collection: &str) -> Called {
    Called::new(function, need(collection), &[("collection", collection)])
}

fn need(collection: &str) -> Need {
    Need::new(Capability::Docs, collection)
}
