//! Documents of an app's scripts.
//!
//! Bounds, each a 422 that names what is wrong and where: collection 1..=`COLLECTION_NAME_BYTES_MAX` bytes, id
//! 1..=`DOCS_ID_BYTES_MAX` bytes, without NUL; data, patches and filters as in `model::docs`; page 1..=`DOCS_PAGE_ITEMS_MAX`
//! documents. 507 when all of the app's data has no room for a write; what adds nothing is never refused so. Writes are
//! acknowledged once they are on disk, and answer what was there before; their transaction also adds the event that tells of
//! them, where a trigger is there for it, and the audit log's row where it is a person's.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::value::RawValue;
use sqlx::{PgConnection, PgPool};

use super::collections::{changed, uncounted};
use super::{Services, audit, events};
use crate::error::{Error, Kind, Result};
use crate::id::{AppId, DocumentId};
use crate::limits;
use crate::model::access::Principal;
use crate::model::collection::{Aim, Collection, check_state};
use crate::model::docs::{
    Change, Data, Document, Filter, Find, Patch, Query, Sort, check_place, check_revision, id_taken, patched,
};
use crate::model::event::{Op, Origin, Source};
use crate::model::page::{Page, PageQuery, check_limit, text_cursor};
use crate::model::text;
use crate::store::docs::Spot;
use crate::store::docs::search::Ground;
use crate::store::{self, ScriptDb};

/// Who writes, and over which state of the document.
#[derive(Clone, Copy)]
enum Writer<'a> {
    /// A script; over this revision.
    Script(Option<i64>),
    /// A person; over the state of this tag.
    Person(&'a Principal, Option<&'a str>),
}

/// A document to make: `id` or, without, a UUIDv7 of the time; `data` is JSON text. 409 when the id is taken, 404 when the app is
/// gone.
pub async fn create(
    s: &Services,
    app: AppId,
    origin: Origin,
    collection: &str,
    id: Option<String>,
    data: &[u8],
) -> Result<Document> {
    make(s, Writer::Script(None), app, origin, collection, id, data).await
}

/// The same for a person.
pub async fn create_by_user(
    s: &Services,
    by: &Principal,
    app: AppId,
    origin: Origin,
    collection: &str,
    id: Option<String>,
    data: &[u8],
) -> Result<Document> {
    make(s, Writer::Person(by, None), app, origin, collection, id, data).await
}

async fn make(
    s: &Services,
    writer: Writer<'_>,
    app: AppId,
    origin: Origin,
    collection: &str,
    id: Option<String>,
    data: &[u8],
) -> Result<Document> {
    let now = s.now();
    let id = id.unwrap_or_else(|| DocumentId::at(now).to_string());
    let spot = spot(app, collection, &id)?;
    let data = Data::read(data)?;
    let mut tx = store::begin(writer.db(s)).await?;
    let revision = store::docs::insert(&mut tx, now, spot, &data).await.map_err(store::refusal)?;
    let Some(revision) = revision else {
        return Err(id_taken(&id));
    };
    let document = Document { id: id.clone(), data: data.shown(), revision, created_at: now, updated_at: now };
    let told = tell(&mut tx, now, spot, origin, Op::Insert, Some(&document), None).await?;
    writer.note(&mut tx, now, spot, Op::Insert).await?;
    let doubt = s.events.doubt();
    tx.commit().await?;
    doubt.settle(told);
    Ok(document)
}

pub async fn get(db: &ScriptDb, app: AppId, collection: &str, id: &str) -> Result<Option<Document>> {
    let spot = spot(app, collection, id)?;
    let mut db = db.acquire().await?;
    let document = store::docs::get(&mut db, spot).await?;
    db.done();
    Ok(document)
}

/// Puts `data` (JSON text) in place of the document's. `None` when there is no such document. With `if_revision`, 409 when the
/// document has another revision, or is not there.
pub async fn update(
    s: &Services,
    app: AppId,
    origin: Origin,
    collection: &str,
    id: &str,
    data: &[u8],
    if_revision: Option<i64>,
) -> Result<Option<Change>> {
    let spot = spot(app, collection, id)?;
    let data = Data::read(data)?;
    write(s, Writer::Script(if_revision), spot, origin, |_| Ok(data)).await
}

/// Merges `patch` (JSON text, RFC 7396) into the document, which nobody else writes meanwhile. Otherwise as [`update`].
pub async fn patch(
    s: &Services,
    app: AppId,
    origin: Origin,
    collection: &str,
    id: &str,
    patch: &[u8],
    if_revision: Option<i64>,
) -> Result<Option<Change>> {
    let spot = spot(app, collection, id)?;
    let patch = Patch::read(patch)?;
    write(s, Writer::Script(if_revision), spot, origin, |before| patched(before, patch)).await
}

/// As [`update`], for a person; what it is now. 404; 412 when it is in another state than the one that this is meant for.
pub async fn update_by_user(
    s: &Services,
    by: &Principal,
    app: AppId,
    origin: Origin,
    aim: Aim<'_>,
    data: &[u8],
) -> Result<Document> {
    let spot = spot(app, aim.collection, aim.name)?;
    let data = Data::read(data)?;
    let change = write(s, Writer::Person(by, aim.if_match), spot, origin, |_| Ok(data)).await?;
    change.map(|change| change.after).ok_or_else(absent)
}

/// As [`patch`], for a person; otherwise as [`update_by_user`].
pub async fn patch_by_user(
    s: &Services,
    by: &Principal,
    app: AppId,
    origin: Origin,
    aim: Aim<'_>,
    patch: &[u8],
) -> Result<Document> {
    let spot = spot(app, aim.collection, aim.name)?;
    let patch = Patch::read(patch)?;
    let change = write(s, Writer::Person(by, aim.if_match), spot, origin, |before| patched(before, patch)).await?;
    change.map(|change| change.after).ok_or_else(absent)
}

/// Deletes the document; what it was. `if_revision` as in [`update`].
pub async fn delete(
    s: &Services,
    app: AppId,
    origin: Origin,
    collection: &str,
    id: &str,
    if_revision: Option<i64>,
) -> Result<Option<Document>> {
    remove(s, Writer::Script(if_revision), spot(app, collection, id)?, origin).await
}

/// Deletes the document for a person. 404; 412 as [`update_by_user`].
pub async fn delete_by_user(s: &Services, by: &Principal, app: AppId, origin: Origin, aim: Aim<'_>) -> Result<()> {
    let spot = spot(app, aim.collection, aim.name)?;
    remove(s, Writer::Person(by, aim.if_match), spot, origin).await.map(drop)
}

async fn remove(s: &Services, writer: Writer<'_>, spot: Spot<'_>, origin: Origin) -> Result<Option<Document>> {
    let now = s.now();
    let mut tx = store::begin(writer.db(s)).await?;
    let before = store::docs::lock(&mut tx, spot).await?;
    writer.check(before.as_ref())?;
    let mut told = false;
    if let Some(before) = &before {
        store::docs::delete(&mut tx, spot).await?;
        told = tell(&mut tx, now, spot, origin, Op::Delete, None, Some(before)).await?;
        writer.note(&mut tx, now, spot, Op::Delete).await?;
    }
    let doubt = s.events.doubt();
    tx.commit().await?;
    doubt.settle(told);
    Ok(before)
}

/// An app's collections of documents by name; 504 when there is more in them than can be counted in time.
pub async fn collections(s: &Services, app: AppId, query: &PageQuery) -> Result<Page<Collection>> {
    let after = query.after_text()?.unwrap_or_default();
    let mut db = s.script_db.acquire().await?;
    let rows = store::docs::collections(&mut db, app, &after, query.rows()).await.map_err(uncounted)?;
    Ok(Page::cut(rows, query.limit, |collection| text_cursor(&collection.name)))
}

/// A page of what the filter (JSON text) matches. `limit` stands beside the filter or, as `$limit`, inside it.
pub async fn find(
    db: &ScriptDb,
    app: AppId,
    collection: &str,
    filter: &[u8],
    cursor: Option<&str>,
    limit: Option<u32>,
) -> Result<Page<Document>> {
    found(db, app, collection, filter, cursor, limit, limits::DOCS_PAGE_ITEMS_DEFAULT).await
}

/// As [`find`], for a person: `limit` is that of every list of the API, a `$limit` that of scripts.
pub async fn search(
    s: &Services,
    app: AppId,
    collection: &str,
    filter: &[u8],
    cursor: Option<&str>,
    limit: Option<u32>,
) -> Result<Page<Document>> {
    if let Some(limit) = limit {
        check_limit(limit, limits::API_PAGE_ITEMS_MAX)?;
    }
    found(&s.script_db, app, collection, filter, cursor, limit, limits::API_PAGE_ITEMS_DEFAULT).await
}

async fn found(
    db: &ScriptDb,
    app: AppId,
    collection: &str,
    filter: &[u8],
    cursor: Option<&str>,
    limit: Option<u32>,
    limit_default: u32,
) -> Result<Page<Document>> {
    text::collection(collection)?;
    let found = Find::read(filter)?;
    let limit = found.page_limit(limit, limit_default)?;
    page(db, app, collection, found.filter, found.sort.unwrap_or_else(Sort::by_id), cursor, limit).await
}

/// The first document that the filter (JSON text) matches.
pub async fn find_one(db: &ScriptDb, app: AppId, collection: &str, filter: &[u8]) -> Result<Option<Document>> {
    text::collection(collection)?;
    let found = Find::read_for_one(filter)?;
    let query = Query { filter: found.filter, sort: found.sort.unwrap_or_else(Sort::by_id), after: None, limit: 1 };
    let ground = Ground { app, collection };
    let mut db = db.acquire().await?;
    let scan = store::docs::search::page(&mut db, ground, &query, 1, 0).await.map_err(unfinished)?;
    db.done();
    Ok(scan.items.into_iter().next().map(|(document, _)| document))
}

/// How many documents the filter (JSON text) matches.
pub async fn count(db: &ScriptDb, app: AppId, collection: &str, filter: &[u8]) -> Result<u64> {
    text::collection(collection)?;
    let found = Find::read_for_count(filter)?;
    let ground = Ground { app, collection };
    let mut db = db.acquire().await?;
    let count = store::docs::search::count(&mut db, ground, &found.filter).await.map_err(unfinished)?;
    db.done();
    Ok(count)
}

/// Documents in the order of their ids.
pub async fn list(db: &ScriptDb, app: AppId, collection: &str, cursor: Option<&str>, limit: u32) -> Result<Page<Document>> {
    text::collection(collection)?;
    page(db, app, collection, Filter::everything(), Sort::by_id(), cursor, limit).await
}

/// A page ends early rather than hold more than `DOCS_PAGE_BYTES_MAX` bytes of data, but holds one document if there is one.
async fn page(
    db: &ScriptDb,
    app: AppId,
    collection: &str,
    filter: Filter,
    sort: Sort,
    cursor: Option<&str>,
    limit: u32,
) -> Result<Page<Document>> {
    check_limit(limit, limits::DOCS_PAGE_ITEMS_MAX)?;
    let after = cursor.map(|cursor| sort.read_cursor(cursor)).transpose()?;
    let query = Query { filter, sort, after, limit };
    let bytes_max = i64::try_from(limits::DOCS_PAGE_BYTES_MAX).unwrap_or(i64::MAX);
    let mut db = db.acquire().await?;
    // One document more than the page says that more follow.
    let rows = i64::from(limit) + 1;
    let scan =
        store::docs::search::page(&mut db, Ground { app, collection }, &query, rows, bytes_max).await.map_err(unfinished)?;
    db.done();
    Ok(query.sort.page(scan.items, scan.found, limit))
}

/// Locks the document, judges its revision, and writes what `make` makes of it.
async fn write(
    s: &Services,
    writer: Writer<'_>,
    spot: Spot<'_>,
    origin: Origin,
    make: impl FnOnce(&Document) -> Result<Data>,
) -> Result<Option<Change>> {
    let now = s.now();
    let mut tx = store::begin(writer.db(s)).await?;
    let before = store::docs::lock(&mut tx, spot).await?;
    writer.check(before.as_ref())?;
    let Some(before) = before else { return Ok(None) };
    let data = make(&before)?;
    let (revision, updated_at) = store::docs::update(&mut tx, now, spot, &data).await.map_err(store::refusal)?;
    let after = Document { data: data.shown(), revision, updated_at, ..before.clone() };
    let told = tell(&mut tx, now, spot, origin, Op::Update, Some(&after), Some(&before)).await?;
    writer.note(&mut tx, now, spot, Op::Update).await?;
    let doubt = s.events.doubt();
    tx.commit().await?;
    doubt.settle(told);
    Ok(Some(Change { before, after }))
}

impl Writer<'_> {
    /// What scripts do goes through connections of their own.
    fn db<'s>(&self, s: &'s Services) -> &'s PgPool {
        match self {
            Self::Script(_) => &s.script_db,
            Self::Person(..) => &s.db,
        }
    }

    /// 409 or 412 when the document is not as the write wants it; to a person, one that is not there is 404.
    fn check(&self, found: Option<&Document>) -> Result<()> {
        match (self, found) {
            (Self::Script(wanted), found) => check_revision(found, *wanted),
            (Self::Person(..), None) => Err(absent()),
            (Self::Person(_, if_match), Some(found)) => check_state("document", *if_match, found.revision),
        }
    }

    /// The last thing in a transaction: what a person did is noted.
    async fn note(&self, tx: &mut PgConnection, now: DateTime<Utc>, spot: Spot<'_>, op: Op) -> Result<()> {
        let Self::Person(by, _) = self else { return Ok(()) };
        let action = match op {
            Op::Insert => "document.create",
            Op::Update => "document.update",
            Op::Delete => "document.delete",
        };
        audit::append(tx, now, Some(*by), changed(spot.app, action, op, spot.collection, "id", spot.id)).await
    }
}

/// What a handler sees of a write.
#[derive(Serialize)]
struct About<'a> {
    collection: &'a str,
    id: &'a str,
    data: Option<&'a RawValue>,
    prev_data: Option<&'a RawValue>,
}

/// Adds the event of a write, if a trigger is there for it; whether there is.
async fn tell(
    tx: &mut PgConnection,
    now: DateTime<Utc>,
    spot: Spot<'_>,
    origin: Origin,
    op: Op,
    after: Option<&Document>,
    before: Option<&Document>,
) -> Result<bool> {
    let data = |document: Option<&'_ Document>| -> Result<Option<Box<RawValue>>> {
        document.map(|document| RawValue::from_string(document.data.clone())).transpose().map_err(Error::internal)
    };
    let (data, prev_data) = (data(after)?, data(before)?);
    let about = About { collection: spot.collection, id: spot.id, data: data.as_deref(), prev_data: prev_data.as_deref() };
    let change = events::Change { source: Source::Docs, op, collection: spot.collection, about: events::about(&about)? };
    events::append_change(tx, now, spot.app, origin, change).await
}

fn absent() -> Error {
    Error::not_found("document")
}

/// A search that the database ended at its bound of time is the script's to mend.
fn unfinished(error: sqlx::Error) -> Error {
    if !store::is_out_of_time(&error) {
        return error.into();
    }
    let message =
        "the search took too long: narrow it by a condition that an index answers (equality or $in), or keep fewer documents";
    Error::new(Kind::TimedOut, "timed_out", message)
}

fn spot<'a>(app: AppId, collection: &'a str, id: &'a str) -> Result<Spot<'a>> {
    check_place(collection, id)?;
    Ok(Spot { app, collection, id })
}
