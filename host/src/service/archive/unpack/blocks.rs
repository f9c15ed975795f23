//! The tar inside an archive, read block by block: counted, hashed, bounded. Nothing of it is looked for: what is asked for must
//! be what comes.

use std::io::{self, BufRead as _, BufReader, Read};

use serde_json::json;
use sha2::{Digest as _, Sha256};
use zstd::stream::read::Decoder;

use crate::error::{Error, Kind, Result};
use crate::limits;
use crate::model::archive::block::{self, BLOCK_BYTES, END_BLOCKS};
use crate::model::archive::{Bounds, END, refused};

pub(super) struct Tar<R: Read> {
    input: Decoder<'static, BufReader<Counted<R>>>,
    bounds: Bounds,
    hash: Sha256,
    bytes: u64,
    /// Bytes that are written once more for further files of the same content.
    copied: u64,
}

impl<R: Read> Tar<R> {
    pub(super) fn open(from: R, bounds: Bounds) -> Result<Self> {
        let from = Counted { from, bytes: 0, bytes_max: bounds.packed_bytes };
        let mut input = Decoder::new(from).map_err(Error::internal)?.single_frame();
        input.window_log_max(limits::ARCHIVE_WINDOW_LOG_MAX).map_err(Error::internal)?;
        Ok(Self { input, bounds, hash: Sha256::new(), bytes: 0, copied: 0 })
    }

    /// Bytes so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Of all bytes so far.
    pub(super) fn hash(&self) -> [u8; 32] {
        self.hash.clone().finalize().into()
    }

    /// Begins the entry of that name, which must come next; its size.
    pub(super) fn begin(&mut self, entry: &str) -> Result<u64> {
        let mut header = [0; BLOCK_BYTES];
        self.read(entry, &mut header)?;
        let size = block::read(&header, entry)?;
        let whole = block::whole_bytes(size).saturating_sub(BLOCK_BYTES as u64);
        let allowed = self.bounds.unpacked_bytes;
        if self.bytes.saturating_add(whole) > allowed {
            return Err(refused(entry, None, format!("with it, more than {allowed} bytes come out, which are all that may")));
        }
        Ok(size)
    }

    /// The next bytes of an entry.
    pub(super) fn read(&mut self, entry: &str, into: &mut [u8]) -> Result<()> {
        self.input.read_exact(into).map_err(|error| broken(entry, error))?;
        self.hash.update(&*into);
        self.bytes = self.bytes.saturating_add(into.len() as u64);
        let packed = self.input.get_ref().get_ref().bytes;
        let out = self.bytes.saturating_add(self.copied);
        if out > self.bounds.free_bytes && out / limits::ARCHIVE_RATIO_MAX > packed {
            let why = format!("more than {} bytes come out for each that went in", limits::ARCHIVE_RATIO_MAX);
            return Err(refused(entry, None, why));
        }
        Ok(())
    }

    /// Counts bytes that will be written once more, for another file of the same content, with what comes out.
    pub(super) fn charge(&mut self, bytes: u64) {
        self.copied = self.copied.saturating_add(bytes);
    }

    /// Passes the padding of an entry, all of which was read.
    pub(super) fn close(&mut self, entry: &str, size_bytes: u64) -> Result<()> {
        let mut zeros = [0; BLOCK_BYTES];
        let padding = zeros.get_mut(..block::padding(size_bytes)).unwrap_or_default();
        self.read(entry, padding)?;
        if padding.iter().any(|byte| *byte != 0) {
            return Err(refused(entry, None, "what fills up its last block is not empty"));
        }
        Ok(())
    }

    /// An entry at once, of at most so many bytes.
    pub(super) fn whole(&mut self, entry: &str, bytes_max: u64) -> Result<Vec<u8>> {
        let size = self.begin(entry)?;
        if size > bytes_max {
            return Err(refused(entry, None, format!("it has {size} bytes; at most {bytes_max} are allowed")));
        }
        let mut content = vec![0; usize::try_from(size).unwrap_or_default()];
        self.read(entry, &mut content)?;
        self.close(entry, size)?;
        Ok(content)
    }

    /// The end, behind which nothing may be: not in the tar, nor packed beside it.
    pub(super) fn end(mut self) -> Result<()> {
        let mut zeros = [0; END_BLOCKS * BLOCK_BYTES];
        self.read(END, &mut zeros)?;
        let follows = || refused(END, None, "something follows it");
        if zeros.iter().any(|byte| *byte != 0) {
            return Err(follows());
        }
        // Also reads what the frame ends with, and checks it.
        if self.input.read(&mut [0]).map_err(|error| broken(END, error))? > 0 {
            return Err(follows());
        }
        let rest = self.input.get_mut().fill_buf().map_err(|error| broken(END, error))?;
        if rest.is_empty() { Ok(()) } else { Err(follows()) }
    }
}

/// The lines of an entry of which so many bytes are to come.
pub(super) struct Lines {
    left: u64,
    buffer: Vec<u8>,
    /// Where the next line begins in it.
    at: usize,
    number: u64,
}

impl Lines {
    pub(super) fn new(bytes: u64) -> Self {
        Self { left: bytes, buffer: Vec::new(), at: 0, number: 0 }
    }

    /// That of the last line, counted from 1.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The next line, without its end; none at the end of the entry.
    pub(super) fn next<R: Read>(&mut self, tar: &mut Tar<R>, entry: &str) -> Result<Option<Vec<u8>>> {
        loop {
            let rest = self.buffer.get(self.at..).unwrap_or_default();
            if let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let line = rest.get(..end).unwrap_or_default().to_vec();
                self.at += end + 1;
                self.number += 1;
                let allowed = limits::ARCHIVE_LINE_BYTES_MAX;
                return if line.len() > allowed { Err(self.too_long(entry, self.number)) } else { Ok(Some(line)) };
            }
            if rest.len() > limits::ARCHIVE_LINE_BYTES_MAX {
                return Err(self.too_long(entry, self.number + 1));
            }
            if self.left == 0 {
                let is_end = rest.is_empty();
                return if is_end { Ok(None) } else { Err(refused(entry, Some(self.number + 1), "the line has no end")) };
            }
            self.buffer.drain(..self.at);
            self.at = 0;
            let (start, more) = (self.buffer.len(), self.left.min(limits::ARCHIVE_PIECE_BYTES as u64));
            self.buffer.resize(start + usize::try_from(more).unwrap_or_default(), 0);
            tar.read(entry, self.buffer.get_mut(start..).unwrap_or_default())?;
            self.left -= more;
        }
    }

    fn too_long(&self, entry: &str, number: u64) -> Error {
        let allowed = limits::ARCHIVE_LINE_BYTES_MAX;
        refused(entry, Some(number), format!("the line is longer than {allowed} bytes"))
    }
}

/// Counts what is taken, and refuses more than may be.
struct Counted<R> {
    from: R,
    bytes: u64,
    bytes_max: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let bytes = self.from.read(into)?;
        self.bytes = self.bytes.saturating_add(bytes as u64);
        if self.bytes > self.bytes_max {
            let message = format!("an archive may be {} bytes long at most", self.bytes_max);
            let error = Error::new(Kind::TooLarge, "request_too_large", message);
            return Err(io::Error::other(error.with_details(json!({ "bytes_max": self.bytes_max }))));
        }
        Ok(bytes)
    }
}

/// Why there are no more bytes: what whoever hands them in says, or what unpacking them does.
fn broken(entry: &str, error: io::Error) -> Error {
    let (kind, told) = (error.kind(), error.to_string());
    match error.into_inner().map(|inner| inner.downcast::<Error>()) {
        Some(Ok(ours)) => *ours,
        _ if kind == io::ErrorKind::UnexpectedEof => refused(entry, None, "the archive is cut short before its end"),
        _ => refused(entry, None, format!("it cannot be unpacked: {told}")),
    }
}
