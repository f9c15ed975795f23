//! Taking a snapshot.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};
use futures_util::StreamExt as _;
use sqlx::PgPool;

use super::files::Contents;
use super::{Progress, Tell, on_disk};
use crate::blobs::Blobs;
use crate::error::{Error, Kind, Result};
use crate::id::{AppId, BlobId};
use crate::limits;
use crate::model::backup::{Added, Cutter, List, Rows, Snapshot, SnapshotId, Table};
use crate::repository::{self, Repository, Writer};
use crate::store;
use crate::store::backup::Found;
use crate::vault::KeyCopy;

/// What is backed up.
pub struct Source<'a> {
    pub db: &'a PgPool,
    /// The bytes of files; none where no node has ever started on the database.
    pub blobs: Option<&'a Blobs>,
    /// The master keys, where they are to go along.
    pub keys: Option<KeyCopy>,
    /// The due time that it is made for.
    pub tick: Option<DateTime<Utc>>,
}

/// A backup that is there.
#[derive(Debug)]
pub struct Created {
    pub snapshot: Snapshot,
    /// Files whose bytes could not be read: they are in the database, and lost.
    pub files_lost: u64,
}

/// The bytes of the files of a database, as they lie in a data directory; none where it has none. 404 when it has some, and not there.
pub async fn open_blobs(db: &PgPool, data_dir: &Path) -> Result<Option<Blobs>> {
    let mut db = db.acquire().await?;
    let Some(volume) = store::backup::volume(&mut db).await? else { return Ok(None) };
    let (data_dir, has_files) = (data_dir.to_owned(), store::files::any(&mut db).await?);
    match Blobs::open_existing(&data_dir, volume).await {
        Ok(Some(blobs)) => Ok(Some(blobs)),
        Ok(None) if has_files => {
            let message = format!(
                "the database has files, and they are not in {}: name the data directory of a node with PICLOUD_DATA_DIR",
                data_dir.display()
            );
            Err(Error::new(Kind::NotFound, "not_found", message))
        }
        Ok(None) => Ok(None),
        Err(error) => Err(crate::service::files::disk(error)),
    }
}

/// Adds a snapshot of what there is now. 503 while another backup is made of the same database.
///
/// # Errors
/// What the database or the disk refuses: then there is no new snapshot.
pub async fn create(source: Source<'_>, repository: &Arc<Repository>, now: DateTime<Utc>, tell: Tell<'_>) -> Result<Created> {
    let began = Instant::now();
    let mut hold = store::begin(source.db).await?;
    store::allow_rest(&mut hold).await?;
    if !store::backup::be_alone(&mut hold).await? {
        return Err(Error::new(Kind::Overloaded, "overloaded", "another backup of this database is being made; try again later"));
    }
    // Before the snapshot: whoever removes bytes after this has left a row that the snapshot may still show.
    store::backup::hold_blobs(&mut hold).await?;
    let id = repository::new_snapshot_id(now).map_err(Error::from)?;
    let mut reading = Reading { repository, added: Added::default(), tell };
    let mut snapshot = reading.database(&source, id, now).await?;
    let entries = snapshot.files.entries.clone();
    if let Some(blobs) = source.blobs {
        let contents = Contents::copy(repository, blobs, &entries, tell).await?;
        snapshot.files.bytes = contents.bytes;
        snapshot.files.lost = contents.lost;
        reading.add(contents.added);
    }
    if let Some(keys) = source.keys {
        let text = keys.to_text();
        let put = on_disk(repository, move |repository| repository.put(repository::Kind::KeyRing, text.as_bytes())).await?;
        snapshot.key_ring = Some(put.id);
        reading.add(Added { chunks: u64::from(put.added_bytes.is_some()), bytes: put.added_bytes.unwrap_or(0) });
    }
    // Whether nobody removed anything until here.
    hold.commit().await.map_err(|error| {
        let message = "the connection that kept files from being removed was lost: nothing is backed up; try again";
        Error { source: Some(error.into()), ..Error::new(Kind::Internal, "internal", message) }
    })?;
    snapshot.added = reading.added;
    snapshot.took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let files_lost = snapshot.files.lost.items;
    let manifest = snapshot.clone();
    on_disk(repository, move |repository| repository.add_snapshot(&manifest)).await?;
    Ok(Created { snapshot, files_lost })
}

struct Reading<'a> {
    repository: &'a Arc<Repository>,
    added: Added,
    tell: Tell<'a>,
}

impl Reading<'_> {
    fn add(&mut self, added: Added) {
        self.added.chunks += added.chunks;
        self.added.bytes += added.bytes;
    }

    /// All that is in the database, as of one moment.
    async fn database(&mut self, source: &Source<'_>, id: SnapshotId, now: DateTime<Utc>) -> Result<Snapshot> {
        let mut tx = store::begin_snapshot(source.db).await?;
        let migrations = store::backup::applied(&mut tx).await?;
        if migrations.is_empty() {
            return Err(Error::new(Kind::NotFound, "not_found", "the database holds no instance: nothing to back up"));
        }
        let mut tables = Vec::new();
        for found in store::backup::tables(&mut tx).await? {
            let rows = self.table(&mut tx, &found).await?;
            tables.push(Table { name: found.name, columns: found.columns, rows });
        }
        let entries =
            if tables.iter().any(|table| table.name == "files") { self.entries(&mut tx).await? } else { List::default() };
        let (master_keys, secrets) = store::backup::locked(&mut tx).await?;
        let snapshot = Snapshot {
            id,
            created_at: now,
            took_ms: 0,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            postgres: store::backup::server_version(&mut tx).await?,
            tick: source.tick,
            migrations,
            tables,
            sequences: store::backup::sequences(&mut tx).await?,
            files: crate::model::backup::Files { entries, ..Default::default() },
            key_ring: None,
            master_keys,
            secrets,
            added: Added::default(),
        };
        tx.commit().await?;
        Ok(snapshot)
    }

    async fn table(&mut self, tx: &mut store::Tx, found: &Found) -> Result<List> {
        let mut stream = store::backup::copy_out(tx, found).await?;
        let (mut rows, mut cutter, mut writer) = (Rows::default(), Cutter::default(), Writer::default());
        let mut bytes = 0;
        while let Some(piece) = stream.next().await {
            rows.feed(&piece?);
            while let Some(row) = rows.next_row()? {
                if let Some((chunk, items)) = cutter.push(row) {
                    bytes += chunk.len() as u64;
                    writer = self.push(writer, repository::Kind::Rows, chunk, items).await?;
                    (self.tell)(Progress { of: &found.name, bytes });
                }
            }
        }
        if !rows.has_ended() {
            return Err(Error::internal(format!("the rows of {} were cut off", found.name)));
        }
        if let Some((chunk, items)) = cutter.end() {
            writer = self.push(writer, repository::Kind::Rows, chunk, items).await?;
        }
        self.finish(writer).await
    }

    /// Whose bytes the snapshot names.
    async fn entries(&mut self, tx: &mut store::Tx) -> Result<List> {
        let (mut cutter, mut writer) = (Cutter::default(), Writer::default());
        let mut after = (AppId(uuid::Uuid::nil()), BlobId(uuid::Uuid::nil()));
        loop {
            let page = store::backup::files(tx, after, limits::BACKUP_FILES_PAGE_ROWS).await?;
            let Some(last) = page.last() else { break };
            after = (last.app, last.blob.id);
            for entry in &page {
                if let Some((chunk, items)) = cutter.push(&entry.to_bytes()) {
                    writer = self.push(writer, repository::Kind::Entries, chunk, items).await?;
                }
            }
        }
        if let Some((chunk, items)) = cutter.end() {
            writer = self.push(writer, repository::Kind::Entries, chunk, items).await?;
        }
        self.finish(writer).await
    }

    async fn push(&self, mut writer: Writer, kind: repository::Kind, chunk: Vec<u8>, items: u64) -> Result<Writer> {
        let pushed = move |repository: &Repository| writer.push(repository, kind, &chunk, items).map(|()| writer);
        on_disk(self.repository, pushed).await
    }

    async fn finish(&mut self, writer: Writer) -> Result<List> {
        let (list, added) = on_disk(self.repository, |repository| writer.finish(repository)).await?;
        self.add(added);
        Ok(list)
    }
}
