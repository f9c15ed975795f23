//! What people do with the files of an app. They know a file by its id; here it is found by its name, which it keeps. What they
//! change is noted in the audit log, in the same transaction.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use serde_json::json;
use tokio::time::timeout;

use super::{Download, NewFile, Piece, Upload, append, begin, changed, end, head, make, name_taken, open, tell};
use crate::error::{Error, Kind, Result};
use crate::id::{AppId, FileId};
use crate::limits;
use crate::model::access::Principal;
use crate::model::collection::{Collection, check_state};
use crate::model::event::{Op, Origin};
use crate::model::files::{self, Metadata};
use crate::model::page::{Page, PageQuery, text_cursor};
use crate::model::text;
use crate::service::collections::uncounted;
use crate::service::{Services, audit};
use crate::store;

/// An app's collections of files by name; 504 when there is more in them than can be counted in time.
pub async fn collections(s: &Services, app: AppId, query: &PageQuery) -> Result<Page<Collection>> {
    let after = query.after_text()?.unwrap_or_default();
    let mut db = s.script_db.acquire().await?;
    let rows = store::files::collections(&mut db, app, &after, query.rows()).await.map_err(uncounted)?;
    Ok(Page::cut(rows, query.limit, |collection| text_cursor(&collection.name)))
}

/// What is known of a file; 404.
pub async fn get(s: &Services, app: AppId, collection: &str, id: FileId) -> Result<Metadata> {
    let name = name_of(s, app, collection, id).await?;
    // Another one may have taken the name meanwhile.
    head(s, app, collection, &name).await?.filter(|file| file.id == id).ok_or_else(absent)
}

/// Opens a file to read it whole, as [`open`]; 404.
pub async fn open_by_id(s: &Services, app: AppId, collection: &str, id: FileId) -> Result<(Metadata, Piece, Option<Download>)> {
    let name = name_of(s, app, collection, id).await?;
    open(s, app, collection, &name, None).await?.filter(|(file, ..)| file.id == id).ok_or_else(absent)
}

/// Stores a file for a person, with the content as it comes: at most one piece of it is in memory. 409 when the name is taken,
/// 413 past `FILE_BYTES_MAX`, `request_timeout` when the content has not come within `FILE_UPLOAD_MS`, 507 when there is no room.
pub async fn create_by_user(
    s: &Services,
    by: &Principal,
    app: AppId,
    origin: Origin,
    new: NewFile,
    content: impl Stream<Item = Result<Bytes>> + Send,
) -> Result<Metadata> {
    files::check_place(&new.collection, &new.name)?;
    files::check_content_type(&new.content_type)?;
    if head(s, app, &new.collection, &new.name).await?.is_some() {
        return Err(name_taken(&new.name));
    }
    let Ok(taken) = timeout(Duration::from_millis(limits::FILE_UPLOAD_MS), take(s, app, content)).await else {
        return Err(Error::new(Kind::Malformed, "request_timeout", "the content took too long to arrive"));
    };
    let (upload, last) = taken?;
    make(s, Some(by), app, origin, new, upload, last).await
}

/// Deletes a file for a person. 404; 412 when it is in another state than the one that this is meant for.
pub async fn delete_by_user(
    s: &Services,
    by: &Principal,
    app: AppId,
    origin: Origin,
    collection: &str,
    id: FileId,
    if_match: Option<&str>,
) -> Result<()> {
    let name = name_of(s, app, collection, id).await?;
    let now = s.now();
    let mut tx = store::begin(&s.db).await?;
    let found = store::files::lock(&mut tx, app, collection, &name).await?.filter(|file| file.metadata.id == id);
    check_state("file", if_match, found.ok_or_else(absent)?.metadata.revision)?;
    let deleted = store::files::delete(&mut tx, app, collection, &name).await?.ok_or_else(absent)?;
    let told = tell(&mut tx, now, app, origin, collection, Op::Delete, None, Some(&deleted.metadata)).await?;
    audit::append(&mut tx, now, Some(by), changed(app, "file.delete", Op::Delete, collection, "name", &name)).await?;
    end(s, tx, app, Some(deleted), told).await.map(drop)
}

/// Whether one file may have so many bytes; 413.
pub fn check_size(bytes: u64) -> Result<()> {
    let allowed = limits::FILE_BYTES_MAX;
    if bytes <= allowed {
        return Ok(());
    }
    Err(Error::new(Kind::TooLarge, "request_too_large", format!("a file may be {allowed} bytes long at most"))
        .with_details(json!({ "bytes_max": allowed })))
}

/// Writes what comes, all but the last piece of it.
async fn take(s: &Services, app: AppId, content: impl Stream<Item = Result<Bytes>> + Send) -> Result<(Option<Upload>, Vec<u8>)> {
    let mut content = pin!(content);
    let (mut upload, mut piece, mut size_bytes) = (None, Vec::new(), 0_u64);
    while let Some(bytes) = content.next().await {
        let mut bytes = bytes?;
        size_bytes = size_bytes.saturating_add(bytes.len() as u64);
        check_size(size_bytes)?;
        while !bytes.is_empty() {
            if piece.len() == limits::FILE_PIECE_BYTES {
                let begun = match upload.take() {
                    Some(upload) => upload,
                    None => begin(s, app).await?,
                };
                upload = Some(append(begun, std::mem::take(&mut piece)).await?);
            }
            let room = limits::FILE_PIECE_BYTES.saturating_sub(piece.len());
            piece.extend_from_slice(&bytes.split_to(room.min(bytes.len())));
        }
    }
    Ok((upload, piece))
}

async fn name_of(s: &Services, app: AppId, collection: &str, id: FileId) -> Result<String> {
    text::collection(collection)?;
    let name = store::files::name_of(&mut *s.script_db.acquire().await?, app, collection, id).await?;
    name.ok_or_else(absent)
}

fn absent() -> Error {
    Error::not_found("file")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_may_be_as_long_as_the_bound_and_no_longer() {
        assert!(check_size(0).is_ok() && check_size(limits::FILE_BYTES_MAX).is_ok());
        let refused = check_size(limits::FILE_BYTES_MAX + 1).unwrap_err();
        assert_eq!((refused.kind, refused.code), (Kind::TooLarge, "request_too_large"));
        assert_eq!(refused.details.unwrap()["bytes_max"], limits::FILE_BYTES_MAX);
    }
}
