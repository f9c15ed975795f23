//! `picloud:sandbox/files`.
//!
//! What is half written or half read is held by the invocation, between its calls, under a number; it ends with the
//! invocation. During a call at most one piece of it is in memory.

use wasmtime::component::Linker;
use wasmtime::{AsContextMut as _, StoreContextMut};

use super::door::{self, Answer, Given};
use super::guest::Guest;
use super::trace;
use crate::error::{Error, Kind, Result};
use crate::limits;
use crate::model::grant::{Capability, Need};
use crate::model::listing::Query;
use crate::model::{files, text};
use crate::service;
use crate::service::files::{Download, FileChange, NewFile, Upload};
use crate::wit::files::{Metadata, Opened, Page, Range};

/// What metadata counts beside its texts, bytes: numbers and times.
const METADATA_BYTES: usize = 48;

pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut instance = trace::interface(linker, "picloud:sandbox/files@0.1.0")?;
    instance.func_wrap_async("append", |store, arguments| Box::new(append(store, arguments)))?;
    instance.func_wrap_async("create", |store, arguments| Box::new(create(store, arguments)))?;
    instance.func_wrap_async("update", |store, arguments| Box::new(update(store, arguments)))?;
    instance.func_wrap_async("head", |store, (collection, name): (String, String)| {
        Box::new(door::database(store, need(&collection), collection.len() + name.len(), move |reach| async move {
            let found = service::files::head(&reach.services, reach.app_id, &collection, &name).await?;
            let value = found.map(metadata_to_guest);
            let bytes = value.as_ref().map_or(0, size);
            Ok(Given { value, bytes })
        }))
    })?;
    instance.func_wrap_async("get", |store, arguments| Box::new(get(store, arguments)))?;
    instance.func_wrap_async("read", |store, arguments| Box::new(read(store, arguments)))?;
    instance.func_wrap_async("delete", |store, (collection, name): (String, String)| {
        Box::new(door::database(store, need(&collection), collection.len() + name.len(), move |reach| async move {
            let before = service::files::delete(&reach.services, reach.app_id, reach.origin(), &collection, &name).await?;
            Ok(Given { value: before.is_some(), bytes: 1 })
        }))
    })?;
    instance.func_wrap_async("list", |store, (collection, prefix, after, limit): (String, String, Option<String>, u32)| {
        let bytes_out = collection.len() + prefix.len() + after.as_ref().map_or(0, String::len);
        Box::new(door::database(store, need(&collection), bytes_out, move |reach| async move {
            let query = Query { prefix, after, limit };
            let page = service::files::list(&reach.services, reach.app_id, &collection, query).await?;
            let items: Vec<_> = page.items.into_iter().map(metadata_to_guest).collect();
            let bytes = items.iter().map(size).sum();
            Ok(Given { value: Page { items, cursor: page.cursor }, bytes })
        }))
    })
}

async fn append(
    mut store: StoreContextMut<'_, Guest>,
    (collection, number, piece): (String, Option<u32>, Vec<u8>),
) -> Answer<u32> {
    let uploads = &mut store.data_mut().uploads;
    let held = match number {
        Some(number) => uploads.take(&collection, number).map(Some),
        None => uploads.room().map(|()| None),
    };
    let bytes_out = collection.len() + piece.len();
    let (appended,) = door::outward(store.as_context_mut(), need(&collection), bytes_out, async move |reach| {
        let upload = match held? {
            Some(upload) => upload,
            None => {
                let _place = reach.statement().await?;
                service::files::begin(&reach.services, reach.app_id).await?
            }
        };
        Ok(Given { value: service::files::append(upload, piece).await?, bytes: 0 })
    })
    .await?;
    Ok((appended.map(|upload| store.data_mut().uploads.hold(collection, number, upload)),))
}

async fn create(
    mut store: StoreContextMut<'_, Guest>,
    (collection, name, content_type, upload, last): (String, String, String, Option<u32>, Vec<u8>),
) -> Answer<Metadata> {
    let held = upload.map(|number| store.data_mut().uploads.take(&collection, number)).transpose();
    let bytes_out = collection.len() + name.len() + content_type.len() + last.len();
    door::database(store, need(&collection), bytes_out, move |reach| async move {
        let new = NewFile { collection, name, content_type };
        let stored = service::files::create(&reach.services, reach.app_id, reach.origin(), new, held?, last).await?;
        Ok(given(metadata_to_guest(stored)))
    })
    .await
}

async fn update(
    mut store: StoreContextMut<'_, Guest>,
    (collection, name, content_type, if_revision, upload, last): (
        String,
        String,
        Option<String>,
        Option<i64>,
        Option<u32>,
        Vec<u8>,
    ),
) -> Answer<Metadata> {
    let held = upload.map(|number| store.data_mut().uploads.take(&collection, number)).transpose();
    let bytes_out = collection.len() + name.len() + content_type.as_ref().map_or(0, String::len) + last.len();
    door::database(store, need(&collection), bytes_out, move |reach| async move {
        let change = FileChange { collection, name, content_type, if_revision };
        let changed = service::files::update(&reach.services, reach.app_id, reach.origin(), change, held?, last).await?;
        Ok(given(metadata_to_guest(changed.now)))
    })
    .await
}

async fn get(
    mut store: StoreContextMut<'_, Guest>,
    (collection, name, range): (String, String, Option<Range>),
) -> Answer<Option<Opened>> {
    let room = store.data_mut().downloads.room();
    let place = collection.clone();
    let range = range.map(|range| files::Range { start: range.start, len: range.len });
    let (opened,) =
        door::database(store.as_context_mut(), need(&place), collection.len() + name.len(), move |reach| async move {
            room?;
            let found = service::files::open(&reach.services, reach.app_id, &collection, &name, range).await?;
            let Some((metadata, piece, rest)) = found else { return Ok(Given { value: None, bytes: 0 }) };
            let metadata = metadata_to_guest(metadata);
            // What was read and checked for a part of a piece counts whole.
            let bytes = size(&metadata) + piece.read_bytes;
            Ok(Given { value: Some((metadata, piece.bytes, rest)), bytes })
        })
        .await?;
    Ok((opened.map(|found| {
        let (metadata, piece, rest) = found?;
        let download = rest.map(|rest| store.data_mut().downloads.hold(place, None, rest));
        Some(Opened { metadata, piece, download })
    }),))
}

async fn read(mut store: StoreContextMut<'_, Guest>, (collection, number): (String, u32)) -> Answer<Vec<u8>> {
    let held = store.data_mut().downloads.take(&collection, number);
    let (read,) = door::outward(store.as_context_mut(), need(&collection), collection.len(), async move |_| {
        let (piece, rest) = service::files::read(held?).await?;
        Ok(Given { bytes: piece.read_bytes, value: (piece.bytes, rest) })
    })
    .await?;
    Ok((read.map(|(bytes, rest)| {
        if let Some(rest) = rest {
            store.data_mut().downloads.hold(collection, Some(number), rest);
        }
        bytes
    }),))
}

/// What an invocation has half written, or half read: at most `FILE_TRANSFERS_PER_INVOCATION_MAX` of either.
#[derive(Debug)]
pub(super) struct Held<T> {
    numbers: u32,
    held: Vec<(u32, String, T)>,
}

/// The two kinds.
pub(super) type Uploads = Held<Upload>;
pub(super) type Downloads = Held<Download>;

impl<T> Default for Held<T> {
    fn default() -> Self {
        Self { numbers: 0, held: Vec::new() }
    }
}

impl<T> Held<T> {
    pub(super) fn room(&self) -> Result<()> {
        let most = limits::FILE_TRANSFERS_PER_INVOCATION_MAX;
        if self.held.len() < most {
            return Ok(());
        }
        Err(Error::new(
            Kind::RateLimited,
            "limit_exceeded",
            format!("an invocation may have {most} files half written or half read"),
        ))
    }

    /// Under its old number, or a new one.
    pub(super) fn hold(&mut self, collection: String, number: Option<u32>, what: T) -> u32 {
        let number = number.unwrap_or_else(|| {
            self.numbers = self.numbers.wrapping_add(1);
            self.numbers
        });
        self.held.push((number, collection, what));
        number
    }

    pub(super) fn take(&mut self, collection: &str, number: u32) -> Result<T> {
        let place = self.held.iter().position(|(held, of, _)| *held == number && of == collection);
        match place {
            Some(place) => Ok(self.held.swap_remove(place).2),
            None => Err(Error::invalid("number", format!("the invocation holds no transfer {number} of this collection"))),
        }
    }
}

fn need(collection: &str) -> Need {
    Need::new(Capability::Files, collection)
}

pub(super) fn given(metadata: Metadata) -> Given<Metadata> {
    Given { bytes: size(&metadata), value: metadata }
}

pub(super) fn size(metadata: &Metadata) -> usize {
    METADATA_BYTES + metadata.id.len() + metadata.name.len() + metadata.content_type.len() + metadata.sha256.len()
}

pub(super) fn metadata_to_guest(metadata: files::Metadata) -> Metadata {
    Metadata {
        id: metadata.id.to_string(),
        sha256: text::hex(&metadata.sha256),
        name: metadata.name,
        content_type: metadata.content_type,
        size_bytes: metadata.size_bytes,
        revision: metadata.revision,
        created_at_ms: metadata.created_at.timestamp_millis(),
        updated_at_ms: metadata.updated_at.timestamp_millis(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transfers_of_an_invocation_are_bounded() {
        let mut held = Held::default();
        for n in 0..limits::FILE_TRANSFERS_PER_INVOCATION_MAX {
            assert!(held.room().is_ok());
            held.hold("c".to_owned(), None, n);
        }
        assert!(held.room().is_err());
        assert_eq!(held.take("c", 1).unwrap(), 0);
        assert!(held.room().is_ok());
    }

    #[test]
    fn a_transfer_answers_to_its_number_in_its_collection_once() {
        let mut held = Held::default();
        let (one, two) = (held.hold("a".to_owned(), None, 'x'), held.hold("b".to_owned(), None, 'y'));
        assert_ne!(one, two);
        assert!(held.take("b", one).is_err());
        assert!(held.take("a", 77).is_err());
        assert_eq!(held.take("a", one).unwrap(), 'x');
        assert!(held.take("a", one).is_err());
        assert_eq!(held.hold("b".to_owned(), Some(9), 'z'), 9);
        assert_eq!(held.take("b", 9).unwrap(), 'z');
    }
}
