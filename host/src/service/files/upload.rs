//! The content of a file on its way in.

use super::disk;
use crate::blobs::{self, Placed};
use crate::error::Result;
use crate::service::storage::Room;

/// A blob that is being written, and the room that it takes of its app's until it is placed. Dropped, nothing of it remains.
#[derive(Debug)]
pub struct Upload {
    blob: blobs::Upload,
    room: Room,
}

impl Upload {
    pub(super) fn new(blob: blobs::Upload, room: Room) -> Self {
        Self { blob, room }
    }

    /// Bytes so far.
    pub fn size_bytes(&self) -> u64 {
        self.blob.size_bytes()
    }

    pub(super) async fn append(mut self, piece: Vec<u8>) -> Result<Self> {
        self.room.take(piece.len() as u64)?;
        let Self { blob, room } = self;
        Ok(Self { blob: blob.append(piece).await.map_err(disk)?, room })
    }

    /// Writes the last piece and makes the blob durable. 507 as [`super::append`].
    pub async fn place(mut self, last: Vec<u8>) -> Result<Placed> {
        self.room.take(last.len() as u64)?;
        self.blob.place(last).await.map_err(disk)
    }
}
