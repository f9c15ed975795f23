//! Unpacking an archive that nobody trusts, on a thread of its own: each entry must be the one that belongs there, each line and
//! each size within its bound, every hash right, and nothing may follow. What passes goes on in pieces to whoever makes an app of
//! it.

mod blocks;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::{self, Read};

use bytes::{Buf as _, Bytes};
use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use self::blocks::{Lines, Tar};
use crate::error::{Error, Result};
use crate::limits;
use crate::model::archive::line::Order;
use crate::model::archive::{
    self, Bounds, Counts, DOCS, DocumentEntry, END, End, FILES, FileEntry, KV, KvEntry, MANIFEST, Manifest, Plan, Wanted,
    refused, refusing,
};
use crate::model::quota::Quota;
use crate::model::{script, storage, text};

/// What an archive is held against.
#[derive(Debug, Clone)]
pub(super) struct Judge {
    pub(super) wanted: Wanted,
    pub(super) apps_domain: String,
    pub(super) now: DateTime<Utc>,
    pub(super) bounds: Bounds,
    /// Of the app that it is to become.
    pub(super) quota: Quota,
}

/// What comes out of an archive, in this order.
#[derive(Debug)]
pub(super) enum Item {
    Plan(Box<Plan>),
    /// One for each version of each script, by their places in the plan.
    Source {
        script: usize,
        version: usize,
        text: String,
    },
    Kv(Vec<KvEntry>),
    Documents(Vec<DocumentEntry>),
    /// A content that these files have, at least one; its pieces follow.
    Content(Vec<FileEntry>),
    /// All but the last have `FILE_PIECE_BYTES`.
    Piece {
        bytes: Vec<u8>,
        is_last: bool,
    },
    /// All of it was right: what the archive holds.
    End(Counts),
}

/// The bytes of an archive, as they are received.
#[derive(Debug)]
pub struct Source {
    pieces: mpsc::Receiver<Result<Bytes>>,
    piece: Bytes,
}

/// Where the pieces of an archive are handed in, and what is read of them. An error that is handed in is that of the import.
pub fn source() -> (mpsc::Sender<Result<Bytes>>, Source) {
    let (to, pieces) = mpsc::channel(limits::ARCHIVE_PIECES_HELD);
    (to, Source { pieces, piece: Bytes::new() })
}

impl Read for Source {
    /// Waits on its thread.
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.pieces.blocking_recv() {
                None => return Ok(0),
                Some(piece) => self.piece = piece.map_err(io::Error::other)?,
            }
        }
        let bytes = into.len().min(self.piece.len());
        self.piece.copy_to_slice(into.get_mut(..bytes).unwrap_or_default());
        Ok(bytes)
    }
}

/// Items as they come out.
#[derive(Debug)]
pub(super) struct Incoming {
    items: mpsc::Receiver<Result<Item>>,
    next: Option<Item>,
}

impl Incoming {
    pub(super) fn start(source: Source, judge: Judge) -> Self {
        let (to, items) = mpsc::channel(limits::ARCHIVE_PIECES_HELD);
        // Ends when its source does, or when nobody takes the next item.
        spawn_blocking(move || {
            let gone = |_| Error::internal("nobody waits for the archive any more");
            let mut give = |item| to.blocking_send(Ok(item)).map_err(gone);
            if let Err(error) = unpack(source, &judge, &mut give) {
                let _ = to.blocking_send(Err(error));
            }
        });
        Self { items, next: None }
    }

    pub(super) async fn next(&mut self) -> Result<Item> {
        if let Some(item) = self.next.take() {
            return Ok(item);
        }
        self.items.recv().await.unwrap_or_else(|| Err(Error::internal("an archive ended without an end")))
    }

    /// Comes next once more.
    pub(super) fn put_back(&mut self, item: Item) {
        self.next = Some(item);
    }
}

type Give<'a> = &'a mut dyn FnMut(Item) -> Result<()>;

/// Reads all of it.
fn unpack(from: impl Read, judge: &Judge, give: Give<'_>) -> Result<()> {
    let mut tar = Tar::open(from, judge.bounds)?;
    let manifest = Manifest::read(&tar.whole(MANIFEST, limits::ARCHIVE_MANIFEST_BYTES_MAX)?)?;
    let mut counts = Counts {
        scripts: manifest.scripts.len() as u64,
        versions: manifest.scripts.iter().map(|script| script.versions.len() as u64).sum(),
        routes: manifest.routes.len() as u64,
        triggers: manifest.triggers.len() as u64,
        ..Counts::default()
    };
    let plan = Plan::of(manifest, &judge.wanted, &judge.apps_domain, judge.now)?;
    let scripts: Vec<_> = plan.scripts.iter().map(|script| (script.name.clone(), script.versions.clone())).collect();
    give(Item::Plan(Box::new(plan)))?;
    for (script, (name, versions)) in scripts.iter().enumerate() {
        for (version, planned) in versions.iter().enumerate() {
            let text = source_of(&mut tar, &archive::source_entry(name, planned.number), planned)?;
            give(Item::Source { script, version, text })?;
        }
    }
    counts.kv_entries = kv(&mut tar, judge, give)?;
    counts.documents = documents(&mut tar, judge, give)?;
    let (files, contents) = files(&mut tar, judge)?;
    counts.files = files;
    for (sha256, files) in contents {
        content(&mut tar, &sha256, files, give)?;
    }
    end(tar, counts)?;
    give(Item::End(counts))
}

fn source_of<R: Read>(tar: &mut Tar<R>, entry: &str, planned: &archive::plan::PlannedVersion) -> Result<String> {
    let source = tar.whole(entry, limits::SOURCE_BYTES_CEILING as u64)?;
    let source = String::from_utf8(source).map_err(|_| refused(entry, None, "it is not UTF-8"))?;
    script::check_source(&source, limits::SOURCE_BYTES_CEILING).map_err(|error| refusing(entry, None, error))?;
    if script::digest(&source, &planned.limits) != planned.digest {
        return Err(refused(entry, None, "it is not the source that the manifest tells of: its digest is another"));
    }
    Ok(source)
}

/// How many there are. Those that have expired since are not given.
fn kv<R: Read>(tar: &mut Tar<R>, judge: &Judge, give: Give<'_>) -> Result<u64> {
    let mut lines = Listing::open(tar, KV, limits::ARCHIVE_KV_ENTRIES_MAX)?;
    let (mut batch, mut bytes) = (Vec::new(), 0);
    while let Some(line) = lines.next(tar)? {
        let entry = KvEntry::read(&line, judge.now).map_err(|error| lines.refusing(error))?;
        lines.follow(&entry.collection, &entry.key)?;
        if entry.expires_at.is_some_and(|at| at <= judge.now) {
            continue;
        }
        batch.push(entry);
        bytes += line.len();
        if is_full(batch.len(), bytes) {
            give(Item::Kv(std::mem::take(&mut batch)))?;
            bytes = 0;
        }
    }
    if !batch.is_empty() {
        give(Item::Kv(batch))?;
    }
    Ok(lines.items())
}

fn documents<R: Read>(tar: &mut Tar<R>, judge: &Judge, give: Give<'_>) -> Result<u64> {
    let mut lines = Listing::open(tar, DOCS, limits::ARCHIVE_DOCUMENTS_MAX)?;
    let (mut batch, mut bytes) = (Vec::new(), 0);
    while let Some(line) = lines.next(tar)? {
        let document = DocumentEntry::read(&line, judge.now).map_err(|error| lines.refusing(error))?;
        lines.follow(&document.collection, &document.id)?;
        batch.push(document);
        bytes += line.len();
        if is_full(batch.len(), bytes) {
            give(Item::Documents(std::mem::take(&mut batch)))?;
            bytes = 0;
        }
    }
    if !batch.is_empty() {
        give(Item::Documents(batch))?;
    }
    Ok(lines.items())
}

/// Files by their content, and how many.
type Contents = BTreeMap<[u8; 32], Vec<FileEntry>>;

/// The list of files; it is held until their contents have come.
fn files<R: Read>(tar: &mut Tar<R>, judge: &Judge) -> Result<(u64, Contents)> {
    let mut lines = Listing::open(tar, FILES, limits::ARCHIVE_FILES_MAX)?;
    let allowed = limits::ARCHIVE_FILES_LIST_BYTES_MAX;
    if lines.bytes > allowed {
        return Err(refused(FILES, None, format!("it has {} bytes; at most {allowed} are allowed", lines.bytes)));
    }
    let (mut contents, mut restored, mut used) = (Contents::new(), 0_u64, 0_u64);
    while let Some(line) = lines.next(tar)? {
        let file = FileEntry::read(&line, judge.now).map_err(|error| lines.refusing(error))?;
        lines.follow(&file.collection, &file.name)?;
        restored = restored.saturating_add(file.size_bytes);
        let allowed = judge.bounds.unpacked_bytes;
        if restored > allowed {
            return Err(lines.refused(format!("the files have more than {allowed} bytes together")));
        }
        used = used.saturating_add(storage::file_use(&file.collection, &file.name, file.size_bytes));
        if used > judge.quota.file_bytes {
            return Err(storage::files_full(judge.quota.file_bytes));
        }
        let same = contents.entry(file.sha256).or_default();
        if same.first().is_some_and(|other| other.size_bytes != file.size_bytes) {
            return Err(lines.refused("another file with this hash has another size"));
        }
        same.push(file);
    }
    Ok((lines.items(), contents))
}

fn content<R: Read>(tar: &mut Tar<R>, sha256: &[u8; 32], files: Vec<FileEntry>, give: Give<'_>) -> Result<()> {
    let entry = archive::content_entry(sha256);
    let size = tar.begin(&entry)?;
    if files.first().is_none_or(|file| file.size_bytes != size) {
        return Err(refused(&entry, None, format!("it has {size} bytes, and the list of files says another size")));
    }
    tar.charge(size.saturating_mul((files.len() as u64).saturating_sub(1)));
    give(Item::Content(files))?;
    let (mut left, mut hash) = (size, Sha256::new());
    loop {
        let length = left.min(limits::FILE_PIECE_BYTES as u64);
        let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
        tar.read(&entry, &mut bytes)?;
        hash.update(&bytes);
        left -= length;
        if left == 0 {
            if hash.finalize().as_slice() != sha256 {
                return Err(refused(&entry, None, "its bytes are not those of its hash"));
            }
            tar.close(&entry, size)?;
            return give(Item::Piece { bytes, is_last: true });
        }
        give(Item::Piece { bytes, is_last: false })?;
    }
}

fn end<R: Read>(mut tar: Tar<R>, counts: Counts) -> Result<()> {
    let (bytes, sha256) = (tar.bytes(), text::hex(&tar.hash()));
    let json = tar.whole(END, limits::ARCHIVE_END_BYTES_MAX)?;
    let found: End = serde_json::from_slice(&json).map_err(|error| refused(END, None, error))?;
    if found.counts != counts {
        return Err(refused(END, None, "its counts are not those of what came before"));
    }
    if found != (End { counts, bytes, sha256 }) {
        return Err(refused(END, None, "its hash is not that of what came before"));
    }
    tar.end()
}

fn is_full(items: usize, bytes: usize) -> bool {
    items >= limits::ARCHIVE_BATCH_ROWS || bytes >= limits::ARCHIVE_BATCH_BYTES
}

/// The lines of an entry, in their order and no more than may be.
struct Listing {
    entry: &'static str,
    lines: Lines,
    order: Order,
    items_max: u64,
    /// Of all of them.
    bytes: u64,
}

impl Listing {
    fn open<R: Read>(tar: &mut Tar<R>, entry: &'static str, items_max: u64) -> Result<Self> {
        let bytes = tar.begin(entry)?;
        Ok(Self { entry, lines: Lines::new(bytes), order: Order::default(), items_max, bytes })
    }

    fn next<R: Read>(&mut self, tar: &mut Tar<R>) -> Result<Option<Vec<u8>>> {
        let Some(line) = self.lines.next(tar, self.entry)? else {
            tar.close(self.entry, self.bytes)?;
            return Ok(None);
        };
        if self.items() > self.items_max {
            return Err(self.refused(format!("there are more than {} lines", self.items_max)));
        }
        Ok(Some(line))
    }

    /// That the thing of the last line comes after that of the line before.
    fn follow(&mut self, collection: &str, name: &str) -> Result<()> {
        self.order.next(collection, name).map_err(|error| self.refusing(error))
    }

    /// Lines so far.
    fn items(&self) -> u64 {
        self.lines.number()
    }

    fn refused(&self, why: impl std::fmt::Display) -> Error {
        refused(self.entry, Some(self.items()), why)
    }

    fn refusing(&self, error: Error) -> Error {
        refusing(self.entry, Some(self.items()), error)
    }
}
