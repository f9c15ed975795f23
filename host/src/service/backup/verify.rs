//! Reading what is in a repository as a restore would, without one.

use std::collections::HashSet;
use std::sync::Arc;

use serde::Serialize;

use super::{Progress, Tell, on_disk};
use crate::error::{Error, Result};
use crate::id::BlobId;
use crate::limits;
use crate::model::backup::{ChunkId, Entries, List, Rows, Snapshot, SnapshotId};
use crate::repository::{self, Kind, Repository};
use crate::vault::KeyCopy;

/// What was found.
#[derive(Debug, Default, Serialize)]
pub struct Verified {
    pub snapshots: u64,
    /// Different ones.
    pub chunks: u64,
    /// What they hold, uncompressed.
    pub bytes: u64,
    /// Files whose bytes were lost before they could be backed up.
    pub files_lost: u64,
    /// Damages that were found; those past `BACKUP_DAMAGES_TOLD_MAX` are not in the list.
    pub damaged: u64,
    pub damages: Vec<Damage>,
    /// Damaged chunks that were removed.
    pub discarded: u64,
}

#[derive(Debug, Serialize)]
pub struct Damage {
    /// The first that needs it; others may.
    pub snapshot: SnapshotId,
    pub what: String,
}

/// What was read already, by the first eight bytes of its address, and whether damaged chunks are to go.
struct Checking<'a> {
    repository: &'a Arc<Repository>,
    tell: Tell<'a>,
    seen: HashSet<u64>,
    discard: bool,
    found: Verified,
}

/// Reads every chunk of these snapshots. With `discard`, damaged ones are removed, so that the next backup writes them anew.
///
/// What cannot be read is a damage, whatever the reason.
///
/// # Errors
/// What is damaged cannot be removed.
pub async fn verify(repository: &Arc<Repository>, snapshots: &[SnapshotId], discard: bool, tell: Tell<'_>) -> Result<Verified> {
    let mut checking = Checking { repository, tell, seen: HashSet::new(), discard, found: Verified::default() };
    for id in snapshots {
        checking.found.snapshots += 1;
        let wanted = id.clone();
        match on_disk(repository, move |repository| repository.snapshot(&wanted)).await {
            Ok(snapshot) => checking.snapshot(&snapshot).await?,
            Err(error) => checking.damage(id, None, error).await?,
        }
    }
    Ok(checking.found)
}

impl Checking<'_> {
    async fn snapshot(&mut self, snapshot: &Snapshot) -> Result<()> {
        self.found.files_lost += snapshot.files.lost.items;
        for table in &snapshot.tables {
            self.list(snapshot, &table.name, Kind::Rows, &table.rows).await?;
        }
        self.list(snapshot, "files", Kind::Entries, &snapshot.files.entries).await?;
        self.list(snapshot, "files", Kind::Entries, &snapshot.files.lost).await?;
        if let Some(id) = snapshot.key_ring
            && let Some(raw) = self.chunk(snapshot, id, move |repository| repository.get(Kind::KeyRing, id)).await?
            && std::str::from_utf8(&raw).ok().and_then(|text| KeyCopy::read(text).ok()).is_none()
        {
            self.damage(&snapshot.id, None, Error::internal("the copy of the master keys cannot be read")).await?;
        }
        Ok(())
    }

    async fn list(&mut self, snapshot: &Snapshot, of: &str, kind: Kind, list: &List) -> Result<()> {
        let damages = self.found.damaged;
        // One that cannot be read is found as a list of its own.
        let lost = lost(self.repository, snapshot).await.unwrap_or_default();
        let (mut chunks, mut is_known) = (0, true);
        for page in &list.pages {
            let page = *page;
            // A page that another snapshot shares was read whole with it.
            let Some(raw) = self.chunk(snapshot, page, move |repository| repository.get(Kind::Page, page)).await? else {
                is_known = false;
                continue;
            };
            for id in ChunkId::all_of(&raw) {
                chunks += 1;
                if let Some(raw) = self.chunk(snapshot, id, move |repository| repository.get(kind, id)).await? {
                    self.items(snapshot, kind, id, raw, &lost).await?;
                }
                (self.tell)(Progress { of, bytes: self.found.bytes });
            }
        }
        if is_known && damages == self.found.damaged && chunks != list.chunks {
            let error = Error::internal(format!("the list of {of} is too short or too long"));
            self.damage(&snapshot.id, None, error).await?;
        }
        Ok(())
    }

    async fn items(&mut self, snapshot: &Snapshot, kind: Kind, id: ChunkId, raw: Vec<u8>, lost: &HashSet<BlobId>) -> Result<()> {
        if kind == Kind::Rows {
            return match count(raw) {
                Ok(_) => Ok(()),
                Err(error) => self.damage(&snapshot.id, Some(id), error).await,
            };
        }
        for entry in Entries(&raw) {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => return self.damage(&snapshot.id, Some(id), error).await,
            };
            for pieces in entry.chunks() {
                let (pieces, address) = (pieces.to_vec(), self.repository.address_of_pieces(pieces));
                if lost.contains(&entry.blob.id) && !self.repository.has(address) {
                    continue;
                }
                self.chunk(snapshot, address, move |repository| repository.get_pieces(&pieces)).await?;
            }
        }
        Ok(())
    }

    /// Reads a chunk that was not read yet, and counts it; `None` for one that was, and for one that is damaged.
    async fn chunk(
        &mut self,
        snapshot: &Snapshot,
        id: ChunkId,
        read: impl FnOnce(&Repository) -> Result<Vec<u8>, repository::Error> + Send + 'static,
    ) -> Result<Option<Vec<u8>>> {
        if !self.seen.insert(id.0.first_chunk().copied().map_or(0, u64::from_be_bytes)) {
            return Ok(None);
        }
        match on_disk(self.repository, read).await {
            Ok(raw) => {
                self.found.chunks += 1;
                self.found.bytes += raw.len() as u64;
                Ok(Some(raw))
            }
            Err(error) => self.damage(&snapshot.id, Some(id), error).await.map(|()| None),
        }
    }

    async fn damage(&mut self, snapshot: &SnapshotId, chunk: Option<ChunkId>, error: Error) -> Result<()> {
        self.found.damaged += 1;
        if self.found.damages.len() < limits::BACKUP_DAMAGES_TOLD_MAX {
            let what = error.source.as_ref().map_or_else(|| error.message.to_string(), ToString::to_string);
            self.found.damages.push(Damage { snapshot: snapshot.clone(), what });
        }
        if let Some(id) = chunk.filter(|_| self.discard) {
            on_disk(self.repository, move |repository| repository.discard(id)).await?;
            self.found.discarded += 1;
        }
        Ok(())
    }
}

/// How many rows are in a chunk.
fn count(raw: Vec<u8>) -> Result<u64> {
    let bytes = raw.len();
    let mut rows = Rows::bare(raw);
    let (mut items, mut read) = (0, 0);
    while let Some(row) = rows.next_row()? {
        (items, read) = (items + 1, read + row.len());
    }
    if read == bytes { Ok(items) } else { Err(Error::internal("a row is cut off")) }
}

/// The blobs that a snapshot says were lost.
pub(super) async fn lost(repository: &Arc<Repository>, snapshot: &Snapshot) -> Result<HashSet<BlobId>> {
    let mut lost = HashSet::new();
    for page in snapshot.files.lost.pages.clone() {
        for chunk in on_disk(repository, move |repository| repository.page(page)).await? {
            let entries = on_disk(repository, move |repository| repository.get(Kind::Entries, chunk)).await?;
            for entry in Entries(&entries) {
                lost.insert(entry?.blob.id);
            }
        }
    }
    Ok(lost)
}
