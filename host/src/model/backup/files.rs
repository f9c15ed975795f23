//! The list of files in a backup: whose they are, and the hashes by which their bytes are found.

use uuid::Uuid;

use crate::error::{Error, Kind, Result};
use crate::id::{AppId, BlobId};
use crate::limits;
use crate::model::files::Blob;

const HASH_BYTES: usize = 32;
/// App, blob, size, hash of the whole; the hashes of its pieces follow.
const HEAD_BYTES: usize = 16 + 16 + 8 + HASH_BYTES;
/// So many pieces of a file are one chunk.
const PIECES: usize = limits::BACKUP_CHUNK_BYTES_MAX / limits::FILE_PIECE_BYTES;

/// A file's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub app: AppId,
    pub blob: Blob,
}

/// Reads entries one after the other.
#[derive(Debug)]
pub struct Entries<'a>(pub &'a [u8]);

impl Entry {
    pub fn to_bytes(&self) -> Vec<u8> {
        let Blob { id, size_bytes, sha256, pieces_sha256 } = &self.blob;
        [self.app.0.as_bytes(), id.0.as_bytes(), &size_bytes.to_be_bytes()[..], sha256, pieces_sha256].concat()
    }

    /// The pieces that each chunk of the file holds, by their hashes.
    pub fn chunks(&self) -> impl Iterator<Item = &[u8]> {
        self.blob.pieces_sha256.chunks(PIECES * HASH_BYTES)
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let read = self.read();
        if read.is_none() {
            self.0 = &[];
        }
        Some(read.ok_or_else(|| Error::new(Kind::Corrupt, "corrupt", "the list of files in the backup cannot be read")))
    }
}

impl Entries<'_> {
    fn read(&mut self) -> Option<Entry> {
        let (head, rest) = self.0.split_at_checked(HEAD_BYTES)?;
        let (app, head) = head.split_first_chunk::<16>()?;
        let (blob, head) = head.split_first_chunk::<16>()?;
        let (size, head) = head.split_first_chunk::<8>()?;
        let size_bytes = u64::from_be_bytes(*size);
        let pieces = usize::try_from(size_bytes.div_ceil(limits::FILE_PIECE_BYTES as u64)).ok()?;
        let (pieces, rest) = rest.split_at_checked(pieces.checked_mul(HASH_BYTES)?)?;
        self.0 = rest;
        let blob = Blob {
            id: BlobId(Uuid::from_bytes(*blob)),
            size_bytes,
            sha256: *head.first_chunk()?,
            pieces_sha256: pieces.to_vec(),
        };
        Some(Entry { app: AppId(Uuid::from_bytes(*app)), blob })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(n: u128, size_bytes: u64) -> Entry {
        let pieces = size_bytes.div_ceil(limits::FILE_PIECE_BYTES as u64) as usize;
        let blob =
            Blob { id: BlobId(Uuid::from_u128(n)), size_bytes, sha256: [7; 32], pieces_sha256: vec![n as u8; pieces * 32] };
        Entry { app: AppId(Uuid::from_u128(n / 2)), blob }
    }

    #[test]
    fn entries_are_read_as_they_are_written() {
        let piece = limits::FILE_PIECE_BYTES as u64;
        let written: Vec<_> =
            [0, 1, piece, piece + 1, limits::FILE_BYTES_MAX].iter().zip(1..).map(|(size, n)| entry(n, *size)).collect();
        let bytes: Vec<u8> = written.iter().flat_map(Entry::to_bytes).collect();
        let read: Result<Vec<_>> = Entries(&bytes).collect();
        assert_eq!(read.unwrap(), written);
        for cut in [1, HEAD_BYTES - 1, HEAD_BYTES + 1, bytes.len() - 1] {
            assert!(Entries(&bytes[..cut]).any(|read| read.is_err()), "{cut}");
        }
    }

    #[test]
    fn a_chunk_of_a_file_is_no_longer_than_any() {
        let chunks = |size| entry(1, size).chunks().map(|pieces| pieces.len() / 32).collect::<Vec<_>>();
        let chunk = limits::BACKUP_CHUNK_BYTES_MAX as u64;
        assert_eq!(chunks(0), Vec::<usize>::new());
        assert_eq!(chunks(chunk), [PIECES]);
        assert_eq!(chunks(chunk + 1), [PIECES, 1]);
    }
}
