//! Packing: a tar goes in, entry by entry, and is hashed; compressed pieces come out. Compressing runs on a thread of its own,
//! with a few pieces before and behind it.

use std::io::{self, Write};
use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;
use zstd::stream::write::Encoder;

use crate::error::{Error, Kind, Result};
use crate::limits;
use crate::model::archive::block::{self, BLOCK_BYTES, END_BLOCKS};
use crate::model::archive::{Counts, END, End};
use crate::model::text;

const LEVEL: i32 = 3;

/// An archive as it comes out.
#[derive(Debug)]
pub struct Packed {
    pub counts: Counts,
    /// All that goes in.
    pub unpacked_bytes: u64,
    pieces: mpsc::Receiver<Piece>,
    is_over: bool,
}

#[derive(Debug)]
pub(super) enum Piece {
    Bytes(Bytes),
    /// The archive is whole.
    End,
    /// It will not be.
    Failed(Error),
}

impl Packed {
    pub(super) fn new(counts: Counts, unpacked_bytes: u64, pieces: mpsc::Receiver<Piece>) -> Self {
        Self { counts, unpacked_bytes, pieces, is_over: false }
    }

    /// The next piece; none once the archive is whole. After an error what came is no archive, and nothing more comes.
    pub async fn next(&mut self) -> Option<Result<Bytes>> {
        if self.is_over {
            return None;
        }
        let piece = self.pieces.recv().await;
        self.is_over = !matches!(piece, Some(Piece::Bytes(_)));
        match piece {
            Some(Piece::Bytes(bytes)) => Some(Ok(bytes)),
            Some(Piece::End) => None,
            Some(Piece::Failed(error)) => Some(Err(error)),
            None => Some(Err(Error::internal("an export ended in its midst"))),
        }
    }
}

/// What goes in.
pub(super) struct Packer {
    raw: mpsc::Sender<Raw>,
    worker: JoinHandle<io::Result<()>>,
    hash: Sha256,
    bytes: u64,
    piece: Vec<u8>,
    /// The open entry: its size, and how much of it is to come.
    size: u64,
    left: u64,
}

enum Raw {
    Bytes(Vec<u8>),
    End,
}

impl Packer {
    /// Must be given its entries within a runtime.
    pub(super) fn start(to: mpsc::Sender<Piece>) -> Self {
        let (raw, taken) = mpsc::channel(limits::ARCHIVE_PIECES_HELD);
        let worker = spawn_blocking(move || compress(taken, to));
        Self { raw, worker, hash: Sha256::new(), bytes: 0, piece: Vec::new(), size: 0, left: 0 }
    }

    /// Adds an entry of which all is at hand.
    pub(super) async fn entry(&mut self, name: &str, content: &[u8]) -> Result<()> {
        self.open(name, content.len() as u64).await?;
        self.write(content).await?;
        self.close().await
    }

    /// Begins an entry of exactly that size.
    pub(super) async fn open(&mut self, name: &str, size_bytes: u64) -> Result<()> {
        (self.size, self.left) = (size_bytes, size_bytes);
        self.put(&block::header(name, size_bytes)?).await
    }

    pub(super) async fn write(&mut self, content: &[u8]) -> Result<()> {
        let left = self.left.checked_sub(content.len() as u64);
        self.left = left.ok_or_else(|| Error::internal("an entry of an archive is longer than it was said to be"))?;
        self.put(content).await
    }

    pub(super) async fn close(&mut self) -> Result<()> {
        if self.left > 0 {
            return Err(Error::internal("an entry of an archive is shorter than it was said to be"));
        }
        let zeros = [0; BLOCK_BYTES];
        self.put(zeros.get(..block::padding(self.size)).unwrap_or_default()).await
    }

    /// Says what came, and ends the archive.
    pub(super) async fn finish(mut self, counts: Counts) -> Result<()> {
        let sha256 = text::hex(&self.hash.clone().finalize());
        let end = serde_json::to_vec(&End { counts, bytes: self.bytes, sha256 }).map_err(Error::internal)?;
        self.entry(END, &end).await?;
        self.put(&[0; END_BLOCKS * BLOCK_BYTES]).await?;
        self.flush().await?;
        self.send(Raw::End).await?;
        drop(self.raw);
        self.worker.await.map_err(Error::internal)?.map_err(Error::internal)
    }

    async fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.hash.update(bytes);
        self.bytes = self.bytes.saturating_add(bytes.len() as u64);
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= limits::ARCHIVE_PIECE_BYTES { self.flush().await } else { Ok(()) }
    }

    async fn flush(&mut self) -> Result<()> {
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(limits::ARCHIVE_PIECE_BYTES));
        self.send(Raw::Bytes(piece)).await
    }

    async fn send(&self, raw: Raw) -> Result<()> {
        match timeout(Duration::from_millis(limits::ARCHIVE_STALL_MS), self.raw.send(raw)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Error::new(Kind::Malformed, "reader_gone", "whoever reads the archive has gone")),
            Err(_) => Err(Error::new(Kind::TimedOut, "timed_out", "whoever reads the archive takes nothing more of it")),
        }
    }
}

/// Ends without an end when whoever packs has given up.
fn compress(mut raw: mpsc::Receiver<Raw>, to: mpsc::Sender<Piece>) -> io::Result<()> {
    let mut encoder = Encoder::new(Outlet(to), LEVEL)?;
    encoder.include_checksum(true)?;
    while let Some(next) = raw.blocking_recv() {
        match next {
            Raw::Bytes(bytes) => encoder.write_all(&bytes)?,
            Raw::End => return encoder.finish()?.send(Piece::End),
        }
    }
    Err(io::Error::other("the archive was given up"))
}

/// Where compressed bytes go; waits for whoever takes them.
struct Outlet(mpsc::Sender<Piece>);

impl Outlet {
    fn send(&self, piece: Piece) -> io::Result<()> {
        // No longer than the other side waits for us: who neither reads nor goes away keeps no thread.
        let stall = Duration::from_millis(limits::ARCHIVE_STALL_MS);
        let sent = Handle::current().block_on(async { timeout(stall, self.0.send(piece)).await });
        sent.map_err(|_| io::ErrorKind::TimedOut)?.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for Outlet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.send(Piece::Bytes(Bytes::copy_from_slice(bytes)))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    async fn packed(entries: &'static [(&'static str, usize)]) -> Vec<u8> {
        let (to, pieces) = mpsc::channel(2);
        let mut packer = Packer::start(to);
        let mut packed = Packed::new(Counts::default(), 0, pieces);
        let packing = async move {
            for (name, bytes) in entries {
                packer.entry(name, &vec![b'x'; *bytes]).await.unwrap();
            }
            packer.finish(Counts::default()).await.unwrap();
        };
        let taking = async {
            let mut all = Vec::new();
            while let Some(piece) = packed.next().await {
                all.extend_from_slice(&piece.unwrap());
            }
            all
        };
        tokio::join!(packing, taking).1
    }

    #[tokio::test]
    async fn what_comes_out_is_a_tar_that_any_tool_reads_and_the_same_every_time() {
        let entries = &[("manifest.json", 3), ("kv.ndjson", 0), ("docs.ndjson", 512), ("files.ndjson", 200_000)];
        let packed = [packed(entries).await, packed(entries).await];
        assert_eq!(packed[0], packed[1]);
        let tar = zstd::decode_all(&packed[0][..]).unwrap();
        let mut archive = tar::Archive::new(&tar[..]);
        let mut found = Vec::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            found.push((entry.path().unwrap().to_str().unwrap().to_owned(), content));
        }
        let sizes: Vec<_> = found.iter().map(|(name, content)| (name.as_str(), content.len())).collect();
        assert_eq!(sizes[..4], entries[..]);
        let end: End = serde_json::from_slice(&found[4].1).unwrap();
        let before = usize::try_from(end.bytes).unwrap();
        assert_eq!(end.sha256, text::hex(&Sha256::digest(&tar[..before])));
        assert_eq!(&tar[before..before + END.len()], END.as_bytes());
    }

    #[tokio::test]
    async fn an_entry_has_the_size_that_it_was_opened_with() {
        let (to, _pieces) = mpsc::channel(64);
        let mut packer = Packer::start(to);
        packer.open("kv.ndjson", 3).await.unwrap();
        assert!(packer.write(b"four").await.is_err());
        packer.open("kv.ndjson", 3).await.unwrap();
        packer.write(b"ab").await.unwrap();
        assert!(packer.close().await.is_err());
    }

    #[tokio::test]
    async fn what_is_given_up_is_told_from_what_is_whole() {
        let (to, pieces) = mpsc::channel(64);
        let mut packer = Packer::start(to);
        let mut packed = Packed::new(Counts::default(), 0, pieces);
        packer.entry("manifest.json", b"{}").await.unwrap();
        drop(packer);
        let mut last = None;
        while let Some(piece) = packed.next().await {
            last = Some(piece);
        }
        assert!(last.unwrap().is_err());
        assert!(packed.next().await.is_none());
    }
}
