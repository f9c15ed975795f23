//! Many chunks: their addresses in pages, so that neither a manifest nor memory holds all of them.

use std::mem::take;

use super::{Kind, Put, Repository, Result};
use crate::limits;
use crate::model::backup::{Added, ChunkId, List};

/// Writes a list, a chunk at a time.
#[derive(Debug, Default)]
pub struct Writer {
    list: List,
    page: Vec<u8>,
    added: Added,
}

impl Writer {
    /// Puts a chunk that holds so many items, and names it.
    pub fn push(&mut self, to: &Repository, kind: Kind, raw: &[u8], items: u64) -> Result<()> {
        let put = to.put(kind, raw)?;
        self.count(put);
        self.list.chunks += 1;
        self.list.items += items;
        self.list.bytes += raw.len() as u64;
        self.page.extend_from_slice(&put.id.0);
        if self.page.len() / put.id.0.len() >= limits::BACKUP_PAGE_CHUNKS {
            self.turn(to)?;
        }
        Ok(())
    }

    /// The list, and what it has added.
    pub fn finish(mut self, to: &Repository) -> Result<(List, Added)> {
        if !self.page.is_empty() {
            self.turn(to)?;
        }
        Ok((self.list, self.added))
    }

    fn turn(&mut self, to: &Repository) -> Result<()> {
        let put = to.put(Kind::Page, &take(&mut self.page))?;
        self.count(put);
        self.list.pages.push(put.id);
        Ok(())
    }

    fn count(&mut self, put: Put) {
        if let Some(bytes) = put.added_bytes {
            self.added.chunks += 1;
            self.added.bytes += bytes;
        }
    }
}

impl Repository {
    /// The chunks that a page names.
    pub fn page(&self, id: ChunkId) -> Result<Vec<ChunkId>> {
        Ok(ChunkId::all_of(&self.get(Kind::Page, id)?).collect())
    }
}
