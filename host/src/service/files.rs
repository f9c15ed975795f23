//! Files of an app's scripts: what is known of them in the database, their bytes in `blobs`.
//!
//! Bounds, each a 422 that names field, asked and allowed: collection, name and content type as in `model::files`, content at
//! most `FILE_BYTES_MAX` bytes in pieces of `FILE_PIECE_BYTES`, page 1..=`FILE_PAGE_ENTRIES_MAX` files. 507 when all of the app's
//! files have no room for a write: before its bytes are on the disk where that can be known, and otherwise they go at once.
//!
//! The bytes are whole and durable before a row names them, and new content is a new blob: who reads sees one version or
//! another, never a mix, and a crash leaves the old or the new. What remains of it is swept (`sweep`). The disk failing is 503
//! `unavailable`; bytes that are not the ones stored are `corrupt`.

use std::io;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::collections::changed;
use super::{Services, audit, events};
use crate::blobs::{Blobs, ReadError, Reader};
use crate::error::{Error, Kind, Result};
use crate::id::{AppId, BlobId, FileId};
use crate::limits;
use crate::model::access::Principal;
use crate::model::event::{Op, Origin, Source};
use crate::model::files::{self, File, Metadata, Range, name_taken, whole_size};
use crate::model::listing::Query;
use crate::model::page::Page;
use crate::model::storage::{self, Used};
use crate::model::text;
use crate::store;

mod by_user;
pub mod sweep;
mod upload;

pub use self::by_user::{check_size, collections, create_by_user, delete_by_user, get, open_by_id};
pub use self::upload::Upload;

/// A file to be.
#[derive(Debug, Clone)]
pub struct NewFile {
    pub collection: String,
    pub name: String,
    pub content_type: String,
}

/// New content for a file.
#[derive(Debug, Clone)]
pub struct FileChange {
    pub collection: String,
    pub name: String,
    /// None: as it was.
    pub content_type: Option<String>,
    /// Only over this revision.
    pub if_revision: Option<i64>,
}

/// A file before and after a change.
#[derive(Debug, Clone)]
pub struct Changed {
    pub now: Metadata,
    pub before: Metadata,
}

/// A file that is being read: one version of it, whatever becomes of the file meanwhile.
#[derive(Debug)]
pub struct Download {
    of: Version,
    reader: Reader,
}

/// Bytes that were checked.
#[derive(Debug)]
pub struct Piece {
    pub bytes: Vec<u8>,
    /// What was read from the disk for them.
    pub read_bytes: usize,
}

/// For whoever must be told that bytes are bad.
#[derive(Debug, Clone, Copy)]
struct Version {
    app: AppId,
    file: FileId,
    blob: BlobId,
}

/// Begins to take the content of a file.
pub async fn begin(s: &Services, app: AppId) -> Result<Upload> {
    let used = store::storage::used(&mut *s.script_db.acquire().await?, app).await?;
    begin_beside(s, app, used).await
}

/// The same, beside what the app stores already.
pub(super) async fn begin_beside(s: &Services, app: AppId, used: Used) -> Result<Upload> {
    let room = s.uploads.room(app, used, s.quota(app).file_bytes);
    Ok(Upload::new(blobs(s)?.begin(app, BlobId::at(s.now())).await.map_err(disk)?, room))
}

/// Takes one piece, which has `FILE_PIECE_BYTES` bytes exactly; the last is given to [`create`] or [`update`]. 507 once what the
/// app has under way has no room, whether for a new file or in place of one.
pub async fn append(upload: Upload, piece: Vec<u8>) -> Result<Upload> {
    files::check_piece(piece.len())?;
    whole_size(upload.size_bytes(), piece.len())?;
    upload.append(piece).await
}

/// Stores a file whose content is what `upload` took, and `last`. 409 when the name is taken; 507 when the app's files have no
/// room for it; 404 when the app is gone.
pub async fn create(
    s: &Services,
    app: AppId,
    origin: Origin,
    new: NewFile,
    upload: Option<Upload>,
    last: Vec<u8>,
) -> Result<Metadata> {
    make(s, None, app, origin, new, upload, last).await
}

async fn make(
    s: &Services,
    by: Option<&Principal>,
    app: AppId,
    origin: Origin,
    new: NewFile,
    upload: Option<Upload>,
    last: Vec<u8>,
) -> Result<Metadata> {
    files::check_place(&new.collection, &new.name)?;
    files::check_content_type(&new.content_type)?;
    let used = room_for(s, app, &new, whole_size(upload.as_ref().map_or(0, Upload::size_bytes), last.len())?).await?;
    let upload = match upload {
        Some(upload) => upload,
        None => begin_beside(s, app, used).await?,
    };
    let mut placed = upload.place(last).await?;
    let now = s.now();
    let metadata = Metadata {
        id: FileId::at(now),
        name: new.name,
        content_type: new.content_type,
        size_bytes: placed.blob.size_bytes,
        sha256: placed.blob.sha256,
        revision: now.timestamp_micros().max(1),
        created_at: now,
        updated_at: now,
    };
    let file = File { metadata, blob: placed.blob.clone() };
    let mut tx = store::begin(if by.is_some() { &s.db } else { &s.script_db }).await?;
    if !store::files::insert(&mut tx, app, &new.collection, &file).await.map_err(store::refusal)? {
        return Err(name_taken(&file.metadata.name));
    }
    let told = tell(&mut tx, now, app, origin, &new.collection, Op::Insert, Some(&file.metadata), None).await?;
    if by.is_some() {
        let change = changed(app, "file.create", Op::Insert, &new.collection, "name", &file.metadata.name);
        audit::append(&mut tx, now, by, change).await?;
    }
    placed.committing();
    let heard = s.events.doubt();
    tx.commit().await?;
    placed.keep();
    heard.settle(told);
    Ok(file.metadata)
}

/// Gives a file new content: what `upload` took, and `last`. 404 when there is no such file; 409 when it has another
/// revision; 507 when the app's files have no room for what it grows by.
pub async fn update(
    s: &Services,
    app: AppId,
    origin: Origin,
    change: FileChange,
    upload: Option<Upload>,
    last: Vec<u8>,
) -> Result<Changed> {
    files::check_place(&change.collection, &change.name)?;
    if let Some(content_type) = &change.content_type {
        files::check_content_type(content_type)?;
    }
    whole_size(upload.as_ref().map_or(0, Upload::size_bytes), last.len())?;
    let upload = match upload {
        Some(upload) => upload,
        None => begin(s, app).await?,
    };
    let mut placed = upload.place(last).await?;
    let mut tx = store::begin(&s.script_db).await?;
    let Some(before) = store::files::lock(&mut tx, app, &change.collection, &change.name).await? else {
        return Err(files::missing(&change.name));
    };
    if let Some(asked) = change.if_revision.filter(|asked| *asked != before.metadata.revision) {
        return Err(files::another_revision(&change.name, before.metadata.revision, asked));
    }
    let metadata = Metadata {
        content_type: change.content_type.unwrap_or_else(|| before.metadata.content_type.clone()),
        size_bytes: placed.blob.size_bytes,
        sha256: placed.blob.sha256,
        revision: before.metadata.revision.saturating_add(1),
        updated_at: s.now().max(before.metadata.updated_at),
        ..before.metadata.clone()
    };
    let file = File { metadata, blob: placed.blob.clone() };
    store::files::update(&mut tx, app, &change.collection, &file).await.map_err(store::refusal)?;
    let (after, before_it) = (Some(&file.metadata), Some(&before.metadata));
    let told = tell(&mut tx, s.now(), app, origin, &change.collection, Op::Update, after, before_it).await?;
    let may_remove = store::backup::may_remove_blobs(&mut tx).await?;
    placed.committing();
    let heard = s.events.doubt();
    tx.commit().await?;
    placed.keep();
    heard.settle(told);
    remove(s, app, before.blob.id, may_remove).await?;
    Ok(Changed { now: file.metadata, before: before.metadata })
}

/// What is known of a file, if it is there.
pub async fn head(s: &Services, app: AppId, collection: &str, name: &str) -> Result<Option<Metadata>> {
    files::check_place(collection, name)?;
    let mut db = s.script_db.acquire().await?;
    let file = store::files::get(&mut db, app, collection, name).await?;
    db.done();
    Ok(file.map(|file| file.metadata))
}

/// Opens a file, if it is there, to read it whole or in part, and reads the first piece; with the way on, if there is more.
/// 500 `corrupt` when the bytes are not those that were stored.
pub async fn open(
    s: &Services,
    app: AppId,
    collection: &str,
    name: &str,
    range: Option<Range>,
) -> Result<Option<(Metadata, Piece, Option<Download>)>> {
    files::check_place(collection, name)?;
    let mut missing = None;
    for _ in 0..limits::FILE_OPEN_ATTEMPTS_MAX {
        let mut db = s.script_db.acquire().await?;
        let found = store::files::get(&mut db, app, collection, name).await?;
        db.done();
        let Some(File { metadata, blob }) = found else { return Ok(None) };
        let of = Version { app, file: metadata.id, blob: blob.id };
        if missing == Some(of.blob) {
            return Err(corrupt(of, "they are not on the disk"));
        }
        if let Some(reader) = blobs(s)?.open_blob(app, blob, range).await.map_err(disk)? {
            let (first, rest) = read(Download { of, reader }).await?;
            return Ok(Some((metadata, first, rest)));
        }
        // Replaced since the row was read, or gone for good: the row tells.
        missing = Some(of.blob);
    }
    Err(unavailable("the file is replaced too fast to be read; try again"))
}

/// The next piece, with the way on, if there is more.
pub async fn read(download: Download) -> Result<(Piece, Option<Download>)> {
    let of = download.of;
    let piece = download.reader.next().await.map_err(|error| match error {
        ReadError::Corrupt(why) => corrupt(of, why),
        ReadError::Io(error) => disk(error),
    })?;
    let rest = piece.rest.map(|reader| Download { of, reader });
    Ok((Piece { bytes: piece.bytes, read_bytes: piece.read_bytes }, rest))
}

/// Deletes a file; what it was, if it was there.
pub async fn delete(s: &Services, app: AppId, origin: Origin, collection: &str, name: &str) -> Result<Option<Metadata>> {
    files::check_place(collection, name)?;
    let mut tx = store::begin(&s.script_db).await?;
    let deleted = store::files::delete(&mut tx, app, collection, name).await?;
    let mut told = false;
    if let Some(file) = &deleted {
        told = tell(&mut tx, s.now(), app, origin, collection, Op::Delete, None, Some(&file.metadata)).await?;
    }
    end(s, tx, app, deleted, told).await
}

/// Commits what deleted a file, and removes its bytes.
async fn end(s: &Services, mut tx: store::Tx, app: AppId, deleted: Option<File>, told: bool) -> Result<Option<Metadata>> {
    let may_remove = deleted.is_some() && store::backup::may_remove_blobs(&mut tx).await?;
    let (doubt, heard) = (blobs(s)?.doubt(), s.events.doubt());
    tx.commit().await?;
    doubt.settle();
    heard.settle(told);
    let Some(File { metadata, blob }) = deleted else { return Ok(None) };
    remove(s, app, blob.id, may_remove).await?;
    Ok(Some(metadata))
}

/// Removes bytes that no row names any more; while a backup may still read them, a sweep does it later.
async fn remove(s: &Services, app: AppId, blob: BlobId, may_remove: bool) -> Result<()> {
    if may_remove {
        blobs(s)?.remove(app, blob).await;
    } else {
        drop(blobs(s)?.doubt());
    }
    Ok(())
}

/// Files whose names begin with the prefix, in bytewise order; a page's `cursor` is the next query's `after`.
pub async fn list(s: &Services, app: AppId, collection: &str, query: Query) -> Result<Page<Metadata>> {
    text::collection(collection)?;
    let limit = query.limit;
    let span = query.span(limits::FILE_NAME_BYTES_MAX, limits::FILE_PAGE_ENTRIES_MAX)?;
    let rows = store::files::list(&mut *s.script_db.acquire().await?, app, collection, &span, i64::from(limit) + 1).await?;
    Ok(Page::cut(rows, limit, |file| file.name.clone()))
}

/// Adds the event of a write, if a trigger is there for it; whether there is. What is told of a file is its metadata.
#[allow(clippy::too_many_arguments, reason = "a place, and the file before and after")]
async fn tell(
    tx: &mut PgConnection,
    now: DateTime<Utc>,
    app: AppId,
    origin: Origin,
    collection: &str,
    op: Op,
    after: Option<&Metadata>,
    before: Option<&Metadata>,
) -> Result<bool> {
    let about = events::about(&files::told_of(collection, after, before))?;
    let change = events::Change { source: Source::Files, op, collection, about };
    events::append_change(tx, now, app, origin, change).await
}

/// Removes the bytes of an app that is gone, behind the answer; what a crash leaves of them is swept at the next start.
pub(super) fn forget_app(s: &Services, app: AppId) {
    let Ok(blobs) = blobs(s) else { return };
    let (blobs, db) = (blobs.clone(), s.db.clone());
    crate::shutdown::spawn("files of a deleted app", async move {
        let may_remove = match db.acquire().await {
            Ok(mut db) => store::backup::may_remove_blobs(&mut db).await,
            Err(error) => Err(error),
        };
        if !matches!(may_remove, Ok(true)) {
            return drop(blobs.doubt());
        }
        if let Err(error) = blobs.remove_app(app).await {
            tracing::warn!(app.id = %app, %error, "the files of a deleted app could not be removed; the next start tries again");
        }
    });
}

/// Opens the directory of this database's blobs.
pub(super) async fn open_blobs(s: &Services, data_dir: &std::path::Path) -> Result<Blobs> {
    let mut db = s.db.acquire().await?;
    let volume = store::files::volume(&mut db, crate::id::VolumeId::at(s.now())).await?;
    let (blobs, was_there) = Blobs::open(data_dir, volume).await.map_err(|error| {
        let message = format!("the directory of files in {} cannot be used: {error}", data_dir.display());
        Error { source: Some(error.into()), ..Error::new(Kind::Internal, "internal", message) }
    })?;
    if !was_there && store::files::any(&mut db).await? {
        tracing::error!(
            volume.id = %volume,
            "this database has files, but not in this data directory: they cannot be read here; nodes of one database share `files/`"
        );
    }
    Ok(blobs)
}

pub(super) fn blobs(s: &Services) -> Result<&Blobs> {
    s.blobs.get().ok_or_else(|| Error::internal("the directory of files is not open"))
}

/// What the app stores, where a new file of that size has room beside it. Whether a name is taken comes first.
async fn room_for(s: &Services, app: AppId, new: &NewFile, size_bytes: u64) -> Result<Used> {
    let mut db = s.script_db.acquire().await?;
    let used = store::storage::used(&mut db, app).await?;
    let (more_bytes, allowed) = (storage::file_use(&new.collection, &new.name, size_bytes), s.quota(app).file_bytes);
    if used.has_room_for_file(more_bytes, allowed) {
        return Ok(used);
    }
    let there = store::files::get(&mut db, app, &new.collection, &new.name).await?;
    Err(there.map_or_else(|| storage::files_full(allowed), |_| name_taken(&new.name)))
}

/// The disk did not do what was asked. Logged here: whoever asked learns no cause.
pub(super) fn disk(error: io::Error) -> Error {
    tracing::error!(%error, "the disk that holds files failed");
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => unavailable("the disk that holds files is full"),
        _ => unavailable("files cannot be read or written at the moment; try again"),
    }
}

fn unavailable(message: &'static str) -> Error {
    Error::new(Kind::Overloaded, "unavailable", message)
}

/// Logged here: it concerns whoever owns the disk.
fn corrupt(of: Version, why: &'static str) -> Error {
    tracing::error!(app.id = %of.app, file.id = %of.file, blob.id = %of.blob, why, "the bytes of a file are not those that were stored");
    let message = format!("the bytes of the file are not those that were stored: {why}; store it anew or delete it");
    Error::new(Kind::Corrupt, "corrupt", message)
}

/// For sweeps: a blob is a leftover only once no upload can be about to name it.
fn is_old(blob: BlobId, now: DateTime<Utc>) -> Option<bool> {
    let begun_at = files::begun_at(blob)?;
    Some(now - begun_at >= chrono::TimeDelta::seconds(limits::FILE_LEFTOVER_S))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leftover_is_older_than_any_upload() {
        let begun = DateTime::from_timestamp_millis(1_700_000_000_000).unwrap();
        let blob = BlobId::at(begun);
        let age = chrono::TimeDelta::seconds(limits::FILE_LEFTOVER_S);
        assert_eq!(is_old(blob, begun + age), Some(true));
        assert_eq!(is_old(blob, begun + age - chrono::TimeDelta::milliseconds(1)), Some(false));
        assert_eq!(is_old(blob, begun - age), Some(false));
        assert_eq!(is_old(BlobId(uuid::Uuid::max()), begun + age), None);
        assert!(limits::FILE_LEFTOVER_S * 1_000 > i64::from(limits::TIMEOUT_MS_CEILING));
        assert!(limits::FILE_LEFTOVER_S.unsigned_abs() * 1_000 > limits::FILE_UPLOAD_MS);
    }
}
