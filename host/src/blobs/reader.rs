//! Reading a blob, a piece at a time, each checked before it is handed on.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

use super::{Place, blocking};
use crate::limits;
use crate::model::files::{Blob, Range};

/// An open blob. It reads the same bytes whatever becomes of its name meanwhile.
#[derive(Debug)]
pub struct Reader {
    file: File,
    blob: Blob,
    check: Check,
    /// The next byte to hand over, and the one after the last.
    at: u64,
    end: u64,
    reading: Arc<Semaphore>,
}

/// Bytes that were checked.
#[derive(Debug)]
pub struct Piece {
    pub bytes: Vec<u8>,
    /// What was read from the disk for them.
    pub read_bytes: usize,
    /// The way on, unless these were the last.
    pub rest: Option<Reader>,
}

#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The bytes on disk are not the ones that were written.
    #[error("the bytes are not those that were stored: {0}")]
    Corrupt(&'static str),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What stands for the bytes.
#[derive(Debug)]
enum Check {
    /// All of them together, once the last was read: before it is handed over.
    Whole(Sha256),
    /// Each piece by itself: what is read of it is read whole.
    Pieces,
}

impl Reader {
    pub(super) fn open(place: &Place, blob: Blob, range: Option<Range>, reading: Arc<Semaphore>) -> io::Result<Option<Self>> {
        let file = match place.volume.dir.open(place.path()) {
            Ok(file) => file.into_std(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let (at, end) = range.map_or((0, blob.size_bytes), |range| range.within(blob.size_bytes));
        let check = match range {
            None => Check::Whole(Sha256::new()),
            Some(_) => Check::Pieces,
        };
        Ok(Some(Self { file, blob, check, at, end, reading }))
    }

    /// The next bytes, up to the end of a piece of `FILE_PIECE_BYTES`; empty only when there are none at all.
    ///
    /// # Errors
    /// [`ReadError::Corrupt`] when the bytes, or for a whole blob those before them too, are not what was stored.
    pub async fn next(self) -> Result<Piece, ReadError> {
        let reading = self.reading.clone();
        blocking(&reading, move || self.read()).await?
    }

    fn read(mut self) -> Result<Piece, ReadError> {
        if self.at >= self.end {
            return Ok(Piece { bytes: Vec::new(), read_bytes: 0, rest: None });
        }
        let piece_bytes = limits::FILE_PIECE_BYTES as u64;
        let number = self.at / piece_bytes;
        let start = number * piece_bytes;
        let end = start.saturating_add(piece_bytes).min(self.blob.size_bytes);
        let mut bytes = vec![0; length(start, end)];
        match self.file.read_exact_at(&mut bytes, start) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(ReadError::Corrupt("the end is missing")),
            done => done?,
        }
        let read_bytes = bytes.len();
        let next = end.min(self.end);
        match &mut self.check {
            Check::Whole(hasher) => {
                hasher.update(&bytes);
                if next == self.end && hasher.clone().finalize().as_slice() != self.blob.sha256 {
                    return Err(ReadError::Corrupt("the hash is another"));
                }
            }
            Check::Pieces => {
                if self.blob.piece_sha256(number) != Some(Sha256::digest(&bytes).as_slice()) {
                    return Err(ReadError::Corrupt("the hash of a piece is another"));
                }
            }
        }
        bytes.truncate(length(start, next));
        bytes.drain(..length(start, self.at).min(bytes.len()));
        self.at = next;
        let rest = (self.at < self.end).then_some(self);
        Ok(Piece { bytes, read_bytes, rest })
    }
}

/// Never more than a piece.
fn length(from: u64, to: u64) -> usize {
    usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX)
}
