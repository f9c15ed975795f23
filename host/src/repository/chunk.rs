//! One chunk: put once, read and checked.

use std::path::PathBuf;
use std::sync::PoisonError;

use sha2::{Digest as _, Sha256};

use super::{CHUNKS, Error, Repository, Result, io_error, make_directory, read_bounded, sync_directory};
use crate::limits;
use crate::model::backup::ChunkId;

/// What is in a chunk: chunks of two kinds never share an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Rows of a table.
    Rows = 1,
    /// Addresses of chunks.
    Page = 2,
    /// Entries of files.
    Entries = 3,
    /// The master keys.
    KeyRing = 4,
    /// Pieces of a file.
    Pieces = 5,
}

/// A chunk that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Put {
    pub id: ChunkId,
    /// Bytes that were written for it; none when it was there already.
    pub added_bytes: Option<u64>,
}

impl Repository {
    /// Puts a chunk, unless it is there. Only [`Repository::add_snapshot`] makes its name last.
    pub fn put(&self, kind: Kind, raw: &[u8]) -> Result<Put> {
        self.put_at(self.keys.address(kind as u8, &[raw]), raw)
    }

    /// Where pieces of a file are, by the hashes that they have.
    pub fn address_of_pieces(&self, pieces_sha256: &[u8]) -> ChunkId {
        self.keys.address(Kind::Pieces as u8, &[pieces_sha256])
    }

    /// Puts pieces of a file, which were held against these hashes.
    pub fn put_pieces(&self, pieces_sha256: &[u8], raw: &[u8]) -> Result<Put> {
        self.put_at(self.address_of_pieces(pieces_sha256), raw)
    }

    /// Whether a chunk is there. What a crash of the file system left empty is not.
    pub fn has(&self, id: ChunkId) -> bool {
        self.chunk_path(id).metadata().is_ok_and(|found| found.is_file() && found.len() > 0)
    }

    /// What is in a chunk of that kind.
    ///
    /// # Errors
    /// `Damaged` when it is not there, or not what was put.
    pub fn get(&self, kind: Kind, id: ChunkId) -> Result<Vec<u8>> {
        let raw = self.read(id, limits::BACKUP_ROW_BYTES_MAX)?;
        if self.keys.address(kind as u8, &[&raw]) == id { Ok(raw) } else { Err(damaged(id, "it belongs elsewhere")) }
    }

    /// The pieces of a file that have these hashes.
    ///
    /// # Errors
    /// As [`Repository::get`].
    pub fn get_pieces(&self, pieces_sha256: &[u8]) -> Result<Vec<u8>> {
        let id = self.address_of_pieces(pieces_sha256);
        let raw = self.read(id, limits::BACKUP_CHUNK_BYTES_MAX)?;
        let found: Vec<u8> =
            raw.chunks(limits::FILE_PIECE_BYTES).flat_map(|piece| <[u8; 32]>::from(Sha256::digest(piece))).collect();
        if found == pieces_sha256 { Ok(raw) } else { Err(damaged(id, "it belongs elsewhere")) }
    }

    /// Removes a chunk, so that the next backup that has what was in it writes it anew.
    pub fn discard(&self, id: ChunkId) -> Result<()> {
        let path = self.chunk_path(id);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io_error("removed", &path)(error)),
            _ => Ok(()),
        }
    }

    pub(super) fn chunk_path(&self, id: ChunkId) -> PathBuf {
        let name = id.to_string();
        self.path.join(CHUNKS).join(name.get(..2).unwrap_or_default()).join(&name)
    }

    /// Brings the names of chunks to the disk.
    pub(super) fn settle(&self) -> Result<()> {
        let unsettled = std::mem::replace(&mut *self.unsettled.lock().unwrap_or_else(PoisonError::into_inner), [false; 256]);
        for (shard, _) in unsettled.iter().enumerate().filter(|(_, is_unsettled)| **is_unsettled) {
            sync_directory(&self.path.join(CHUNKS).join(format!("{shard:02x}")))?;
        }
        for directory in [self.path.join(CHUNKS), self.path.clone()] {
            sync_directory(&directory)?;
        }
        Ok(())
    }

    fn put_at(&self, id: ChunkId, raw: &[u8]) -> Result<Put> {
        if self.has(id) {
            return Ok(Put { id, added_bytes: None });
        }
        let packed = self.keys.pack(id, raw)?;
        let path = self.chunk_path(id);
        if let Some(directory) = path.parent().filter(|directory| !directory.is_dir()) {
            make_directory(directory)?;
        }
        self.write(&packed, &id.to_string(), &path)?;
        let [shard, ..] = id.0;
        if let Some(unsettled) = self.unsettled.lock().unwrap_or_else(PoisonError::into_inner).get_mut(usize::from(shard)) {
            *unsettled = true;
        }
        Ok(Put { id, added_bytes: Some(packed.len() as u64) })
    }

    fn read(&self, id: ChunkId, bytes_max: usize) -> Result<Vec<u8>> {
        let stored_max = limits::BACKUP_ROW_BYTES_MAX + limits::BACKUP_CHUNK_SPARE_BYTES;
        let bytes = match read_bounded(&self.chunk_path(id), stored_max) {
            Ok(bytes) => bytes.ok_or_else(|| damaged(id, "it is not there"))?,
            Err(Error::Damaged { why, .. }) => return Err(damaged(id, why)),
            Err(error) => return Err(error),
        };
        self.keys.unpack(id, &bytes, bytes_max).map_err(|why| damaged(id, why))
    }
}

fn damaged(id: ChunkId, why: &'static str) -> Error {
    Error::Damaged { what: format!("the chunk {id}"), why }
}
