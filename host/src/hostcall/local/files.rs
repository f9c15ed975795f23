//! `picloud:sandbox/files`, in a world: bytes in memory, in the same pieces as on a node.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use wasmtime::component::Linker;
use wasmtime::{AsContextMut as _, StoreContextMut};

use super::answers::Called;
use super::world::{State, World};
use crate::error::Result;
use crate::hostcall::door::{self, Answer, Given};
use crate::hostcall::files::{Held, given, metadata_to_guest, size};
use crate::hostcall::guest::Guest;
use crate::limits;
use crate::model::event::{Op, Origin, Source};
use crate::model::files::{
    Metadata, Range, another_revision, check_content_type, check_piece, check_place, missing, name_taken, told_of, whole_size,
};
use crate::model::grant::{Capability, Need};
use crate::model::listing::Query;
use crate::model::page::Page;
use crate::model::{storage, text};
use crate::wit::files as wit;

/// A file of a world.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    metadata: Metadata,
    content: Arc<Vec<u8>>,
}

/// What an invocation has half written, or half read.
#[derive(Debug, Default)]
pub(in crate::hostcall) struct Transfers {
    uploads: Held<Vec<u8>>,
    downloads: Held<Download>,
}

/// One version of a file that is being read.
#[derive(Debug)]
struct Download {
    content: Arc<Vec<u8>>,
    at: u64,
    end: u64,
}

/// What `create` is given.
type New = (String, String, String, Option<u32>, Vec<u8>);
/// What `update` is given.
type Change = (String, String, Option<String>, Option<i64>, Option<u32>, Vec<u8>);

pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut instance = linker.instance("picloud:sandbox/files@0.1.0")?;
    instance.func_wrap_async("append", |store, arguments| Box::new(append(store, arguments)))?;
    instance.func_wrap_async("create", |store, arguments| Box::new(create(store, arguments)))?;
    instance.func_wrap_async("update", |store, arguments| Box::new(update(store, arguments)))?;
    instance.func_wrap_async("head", |store, (collection, name): (String, String)| {
        Box::new(door::world(store, called("files.head", &collection, &name), collection.len() + name.len(), move |here| {
            check_place(&collection, &name)?;
            let found = found(&here.world.lock(), &collection, &name).map(|kept| metadata_to_guest(kept.metadata.clone()));
            let bytes = found.as_ref().map_or(0, size);
            Ok(Given { value: found, bytes })
        }))
    })?;
    instance.func_wrap_async("get", |store, arguments| Box::new(get(store, arguments)))?;
    instance.func_wrap_async("read", |store, arguments| Box::new(read(store, arguments)))?;
    instance.func_wrap_async("delete", |store, (collection, name): (String, String)| {
        Box::new(door::world(store, called("files.delete", &collection, &name), collection.len() + name.len(), move |here| {
            Ok(Given { value: delete(&here.world, here.origin(), &collection, &name)?, bytes: 1 })
        }))
    })?;
    instance.func_wrap_async("list", |store, (collection, prefix, after, limit): (String, String, Option<String>, u32)| {
        let bytes_out = collection.len() + prefix.len() + after.as_ref().map_or(0, String::len);
        let called = Called::new("files.list", need(&collection), &[("collection", collection.as_str())])
            .with("prefix", prefix.as_str())
            .with("cursor", after.as_deref())
            .with("limit", i64::from(limit));
        Box::new(door::world(store, called, bytes_out, move |here| {
            let page = list(&here.world, &collection, Query { prefix, after, limit })?;
            let items: Vec<_> = page.items.into_iter().map(metadata_to_guest).collect();
            let bytes = items.iter().map(size).sum();
            Ok(Given { value: wit::Page { items, cursor: page.cursor }, bytes })
        }))
    })
}

async fn append(
    mut store: StoreContextMut<'_, Guest>,
    (collection, number, piece): (String, Option<u32>, Vec<u8>),
) -> Answer<u32> {
    let uploads = &mut store.data_mut().transfers.uploads;
    let held = match number {
        Some(number) => uploads.take(&collection, number),
        None => uploads.room().map(|()| Vec::new()),
    };
    let bytes_out = collection.len() + piece.len();
    let called = Called::new("files.append", need(&collection), &[("collection", collection.as_str())]);
    let (appended,) = door::world(store.as_context_mut(), called, bytes_out, move |_| {
        let mut upload = held?;
        check_piece(piece.len())?;
        whole_size(upload.len() as u64, piece.len())?;
        upload.extend(piece);
        Ok(Given { value: upload, bytes: 0 })
    })
    .await?;
    Ok((appended.map(|upload| store.data_mut().transfers.uploads.hold(collection, number, upload)),))
}

async fn create(
    mut store: StoreContextMut<'_, Guest>,
    (collection, name, content_type, upload, last): New,
) -> Answer<wit::Metadata> {
    let held = upload.map(|number| store.data_mut().transfers.uploads.take(&collection, number)).transpose();
    let bytes_out = collection.len() + name.len() + content_type.len() + last.len();
    let called =
        called("files.create", &collection, &name).with("content_type", content_type.as_str()).with("content", last.as_slice());
    door::world(store, called, bytes_out, move |here| {
        check_place(&collection, &name)?;
        check_content_type(&content_type)?;
        let content = whole(held?, last)?;
        let (mut state, now) = (here.world.lock(), here.world.now());
        if found(&state, &collection, &name).is_some() {
            return Err(name_taken(&name));
        }
        let size_bytes = content.len() as u64;
        state.count_files(&here.world.quota, 0, storage::file_use(&collection, &name, size_bytes))?;
        let metadata = Metadata {
            id: state.file_id(now),
            name,
            content_type,
            size_bytes,
            sha256: Sha256::digest(&content).into(),
            revision: state.first_revision(now),
            created_at: now,
            updated_at: now,
        };
        tell(&here.world, &mut state, here.origin(), Op::Insert, &collection, Some(&metadata), None)?;
        put(&mut state, &collection, metadata.clone(), content);
        Ok(given(metadata_to_guest(metadata)))
    })
    .await
}

async fn update(
    mut store: StoreContextMut<'_, Guest>,
    (collection, name, content_type, if_revision, upload, last): Change,
) -> Answer<wit::Metadata> {
    let held = upload.map(|number| store.data_mut().transfers.uploads.take(&collection, number)).transpose();
    let bytes_out = collection.len() + name.len() + content_type.as_ref().map_or(0, String::len) + last.len();
    let called = called("files.update", &collection, &name)
        .with("content_type", content_type.as_deref())
        .with("if_revision", if_revision)
        .with("content", last.as_slice());
    door::world(store, called, bytes_out, move |here| {
        check_place(&collection, &name)?;
        content_type.as_deref().map_or(Ok(()), check_content_type)?;
        let content = whole(held?, last)?;
        let (mut state, now) = (here.world.lock(), here.world.now());
        let before = found(&state, &collection, &name).map(|kept| kept.metadata.clone()).ok_or_else(|| missing(&name))?;
        if let Some(asked) = if_revision.filter(|asked| *asked != before.revision) {
            return Err(another_revision(&name, before.revision, asked));
        }
        let size_bytes = content.len() as u64;
        let counted = |size_bytes| storage::file_use(&collection, &name, size_bytes);
        state.count_files(&here.world.quota, counted(before.size_bytes), counted(size_bytes))?;
        let metadata = Metadata {
            content_type: content_type.unwrap_or_else(|| before.content_type.clone()),
            size_bytes,
            sha256: Sha256::digest(&content).into(),
            revision: state.next_revision(before.revision),
            updated_at: now.max(before.updated_at),
            ..before.clone()
        };
        tell(&here.world, &mut state, here.origin(), Op::Update, &collection, Some(&metadata), Some(&before))?;
        put(&mut state, &collection, metadata.clone(), content);
        Ok(given(metadata_to_guest(metadata)))
    })
    .await
}

async fn get(
    mut store: StoreContextMut<'_, Guest>,
    (collection, name, range): (String, String, Option<wit::Range>),
) -> Answer<Option<wit::Opened>> {
    let room = store.data_mut().transfers.downloads.room();
    let (place, bytes_out) = (collection.clone(), collection.len() + name.len());
    let called = called("files.get", &collection, &name);
    let (opened,) = door::world(store.as_context_mut(), called, bytes_out, move |here| {
        room?;
        check_place(&collection, &name)?;
        let Some(kept) = found(&here.world.lock(), &collection, &name).cloned() else {
            return Ok(Given { value: None, bytes: 0 });
        };
        let range = range.map(|range| Range { start: range.start, len: range.len });
        let size_bytes = kept.metadata.size_bytes;
        let (at, end) = range.map_or((0, size_bytes), |range| range.within(size_bytes));
        let (piece, read_bytes, rest) = next(Download { content: kept.content, at, end });
        let metadata = metadata_to_guest(kept.metadata);
        let bytes = size(&metadata) + read_bytes;
        Ok(Given { value: Some((metadata, piece, rest)), bytes })
    })
    .await?;
    Ok((opened.map(|found| {
        let (metadata, piece, rest) = found?;
        let download = rest.map(|rest| store.data_mut().transfers.downloads.hold(place, None, rest));
        Some(wit::Opened { metadata, piece, download })
    }),))
}

async fn read(mut store: StoreContextMut<'_, Guest>, (collection, number): (String, u32)) -> Answer<Vec<u8>> {
    let held = store.data_mut().transfers.downloads.take(&collection, number);
    let called = Called::new("files.read", need(&collection), &[("collection", collection.as_str())]);
    let (read,) = door::world(store.as_context_mut(), called, collection.len(), move |_| {
        let (piece, read_bytes, rest) = next(held?);
        Ok(Given { bytes: read_bytes, value: (piece, rest) })
    })
    .await?;
    Ok((read.map(|(bytes, rest)| {
        if let Some(rest) = rest {
            store.data_mut().transfers.downloads.hold(collection, Some(number), rest);
        }
        bytes
    }),))
}

/// The next bytes, up to the end of a piece; how many of it a node would have read; and the way on, unless these were the last.
fn next(download: Download) -> (Vec<u8>, usize, Option<Download>) {
    let Download { content, at, end } = download;
    if at >= end {
        return (Vec::new(), 0, None);
    }
    let piece_bytes = limits::FILE_PIECE_BYTES as u64;
    let start = at / piece_bytes * piece_bytes;
    let piece_end = start.saturating_add(piece_bytes).min(content.len() as u64);
    let next = piece_end.min(end);
    let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
    let bytes = content.get(place(at)..place(next)).unwrap_or_default().to_vec();
    let rest = (next < end).then_some(Download { content, at: next, end });
    (bytes, place(piece_end - start), rest)
}

/// Whether it was there.
fn delete(world: &World, origin: Origin, collection: &str, name: &str) -> Result<bool> {
    check_place(collection, name)?;
    let mut state = world.lock();
    let Some(before) = state.files.get_mut(collection).and_then(|files| files.remove(name)) else { return Ok(false) };
    state.count_files(&world.quota, storage::file_use(collection, name, before.metadata.size_bytes), 0)?;
    tell(world, &mut state, origin, Op::Delete, collection, None, Some(&before.metadata))?;
    Ok(true)
}

fn list(world: &World, collection: &str, query: Query) -> Result<Page<Metadata>> {
    text::collection(collection)?;
    let limit = query.limit;
    let span = query.span(limits::FILE_NAME_BYTES_MAX, limits::FILE_PAGE_ENTRIES_MAX)?;
    let state = world.lock();
    let files = state.files.get(collection).into_iter().flatten();
    let in_span = |name: &String| *name >= span.from && *name > span.after && *name < span.before;
    let rows = files.filter(|(name, _)| in_span(name)).map(|(_, kept)| kept.metadata.clone());
    // One more than the page says that more follow.
    let rows = rows.take(usize::try_from(limit).unwrap_or(usize::MAX).saturating_add(1)).collect();
    Ok(Page::cut(rows, limit, |file| file.name.clone()))
}

/// What an upload took, and the last piece.
fn whole(upload: Option<Vec<u8>>, last: Vec<u8>) -> Result<Vec<u8>> {
    let Some(mut content) = upload else { return whole_size(0, last.len()).map(|_| last) };
    whole_size(content.len() as u64, last.len())?;
    content.extend(last);
    Ok(content)
}

fn put(state: &mut State, collection: &str, metadata: Metadata, content: Vec<u8>) {
    let kept = Kept { content: Arc::new(content), metadata };
    state.files.entry(collection.to_owned()).or_default().insert(kept.metadata.name.clone(), kept);
}

fn found<'s>(state: &'s State, collection: &str, name: &str) -> Option<&'s Kept> {
    state.files.get(collection)?.get(name)
}

/// What is told of a file is its metadata.
fn tell(
    world: &World,
    state: &mut State,
    origin: Origin,
    op: Op,
    collection: &str,
    after: Option<&Metadata>,
    before: Option<&Metadata>,
) -> Result<()> {
    world.tell(state, origin, (Source::Files, op, collection), || told_of(collection, after, before))
}

fn called(function: &str, collection: &str, name: &str) -> Called {
    Called::new(function, need(collection), &[("collection", collection), ("name", name)])
}

fn need(collection: &str) -> Need {
    Need::new(Capability::Files, collection)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_ends_with_a_piece_and_counts_whole_pieces() {
        let piece = limits::FILE_PIECE_BYTES;
        let content = Arc::new(vec![7; piece + 10]);
        let read = |at, end| next(Download { content: content.clone(), at, end });
        let (bytes, counted, rest) = read(0, piece as u64 + 10);
        assert_eq!((bytes.len(), counted), (piece, piece));
        let (bytes, counted, rest) = next(rest.unwrap());
        assert_eq!((bytes.len(), counted, rest.is_none()), (10, 10, true));
        let (bytes, counted, rest) = read(piece as u64 - 1, piece as u64 + 1);
        assert_eq!((bytes.len(), counted), (1, piece));
        assert_eq!(next(rest.unwrap()).0.len(), 1);
        let (bytes, counted, rest) = read(5, 5);
        assert!(bytes.is_empty() && counted == 0 && rest.is_none());
    }
}
