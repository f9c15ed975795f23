//! The bytes of files, on their way into a repository.

use std::sync::Arc;

use super::{Progress, Tell, on_disk};
use crate::blobs::{Blobs, ReadError};
use crate::error::{Error, Result};
use crate::limits;
use crate::model::backup::{Added, Entries, Entry, List};
use crate::model::files::Range;
use crate::repository::{Kind, Repository, Writer};

/// What came of copying.
#[derive(Debug)]
pub(super) struct Contents {
    pub(super) bytes: u64,
    pub(super) lost: List,
    pub(super) added: Added,
}

/// Why a file is not in the backup.
enum Unread {
    /// For good.
    Lost(&'static str),
    Failed(Error),
}

impl From<Error> for Unread {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Contents {
    /// Puts whatever of these files is not there yet. A file that is not on the disk, or damaged there, is noted and passed over: one bad
    /// file is no reason to have no backup of all others.
    pub(super) async fn copy(repository: &Arc<Repository>, blobs: &Blobs, entries: &List, tell: Tell<'_>) -> Result<Self> {
        let (mut bytes, mut added, mut lost) = (0_u64, Added::default(), Writer::default());
        for page in &entries.pages {
            let page = *page;
            for chunk in on_disk(repository, move |repository| repository.page(page)).await? {
                let list = on_disk(repository, move |repository| repository.get(Kind::Entries, chunk)).await?;
                for entry in Entries(&list) {
                    let entry = entry?;
                    bytes = bytes.saturating_add(entry.blob.size_bytes);
                    match copy(repository, blobs, &entry, &mut added).await {
                        Ok(()) => {}
                        Err(Unread::Failed(error)) => return Err(error),
                        Err(Unread::Lost(why)) => {
                            tracing::error!(app.id = %entry.app, blob.id = %entry.blob.id, why, "a file cannot be backed up");
                            let item = entry.to_bytes();
                            lost = on_disk(repository, move |to| lost.push(to, Kind::Entries, &item, 1).map(|()| lost)).await?;
                        }
                    }
                    tell(Progress { of: "files", bytes });
                }
            }
        }
        let (lost, of_lost) = on_disk(repository, |repository| lost.finish(repository)).await?;
        added.chunks += of_lost.chunks;
        added.bytes += of_lost.bytes;
        Ok(Self { bytes, lost, added })
    }
}

async fn copy(repository: &Arc<Repository>, blobs: &Blobs, entry: &Entry, added: &mut Added) -> Result<(), Unread> {
    let addresses: Vec<_> = entry.chunks().map(|pieces| repository.address_of_pieces(pieces)).collect();
    let there = on_disk(repository, move |repository| Ok(addresses.iter().all(|id| repository.has(*id)))).await?;
    if there {
        return Ok(());
    }
    // A range has each piece held against its own hash: what is put is right before the last one was read.
    let range = Range { start: 0, len: entry.blob.size_bytes };
    let opened = blobs.open_blob(entry.app, entry.blob.clone(), Some(range)).await;
    let mut reader = opened.map_err(crate::service::files::disk)?;
    if reader.is_none() {
        return Err(Unread::Lost("it is not on the disk"));
    }
    for pieces in entry.chunks() {
        let mut raw = Vec::with_capacity(pieces.len() / 32 * limits::FILE_PIECE_BYTES);
        for _ in 0..pieces.len() / 32 {
            let Some(open) = reader.take() else { return Err(Unread::Lost("the end is missing")) };
            let piece = open.next().await.map_err(|error| match error {
                ReadError::Corrupt(why) => Unread::Lost(why),
                ReadError::Io(error) => crate::service::files::disk(error).into(),
            })?;
            raw.extend_from_slice(&piece.bytes);
            reader = piece.rest;
        }
        let pieces = pieces.to_vec();
        let put = on_disk(repository, move |repository| repository.put_pieces(&pieces, &raw)).await?;
        if let Some(bytes) = put.added_bytes {
            added.chunks += 1;
            added.bytes += bytes;
        }
    }
    Ok(())
}
