//! Making an instance of a snapshot.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgPool;
use tokio::task::spawn_blocking;

use super::verify::lost;
use super::{Progress, Tell, on_disk};
use crate::blobs;
use crate::config::Hidden;
use crate::error::{Error, Kind, Result};
use crate::id::VolumeId;
use crate::model::backup::{Entries, Entry, Migration, Snapshot, Table};
use crate::repository::{self, Repository};
use crate::store;
use crate::store::Tx;
use crate::store::backup::{Found, Holds};
use crate::vault::{self, KeyCopy};

/// Tables whose rows cannot be read without the master keys.
const LOCKED: [&str; 2] = ["secrets", "data_keys"];

/// What a snapshot is restored to.
pub struct Target<'a> {
    pub db: &'a PgPool,
    pub data_dir: &'a Path,
    /// The master key of the setting, which a node would use.
    pub secret_key: Option<&'a Hidden>,
    /// Whether an instance that is there may be lost.
    pub replace: bool,
    pub secrets: Secrets,
}

/// What becomes of secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrets {
    /// They come back, and it is an error when nobody could read them.
    Restored,
    /// They are left out: for who has lost the master keys.
    LeftOut,
}

/// What came back.
#[derive(Debug, Serialize)]
pub struct Restored {
    pub tables: u64,
    pub rows: u64,
    pub files: u64,
    pub file_bytes: u64,
    /// Files that are in the database, and whose bytes were lost before the backup.
    pub files_lost: u64,
    pub secrets: u64,
    /// The schema of the backup, and the one that it was brought to.
    pub schema_from: i64,
    pub schema_to: i64,
    /// Whether the key file of the data directory was made, or got keys before its own.
    pub keys_placed: bool,
    pub took_ms: u64,
}

/// Makes the target what a snapshot holds. 409 when it holds an instance that may not be lost, or a node works on it; 422 when nobody
/// could read its secrets, or this binary does not know its schema.
///
/// # Errors
/// Whatever it is, the database is as it was.
pub async fn restore(
    target: Target<'_>,
    repository: &Arc<Repository>,
    snapshot: &Snapshot,
    now: DateTime<Utc>,
    tell: Tell<'_>,
) -> Result<Restored> {
    let began = Instant::now();
    check_schema(snapshot, &store::backup::known())?;
    let keys = keys(&target, repository, snapshot).await?;
    let lost = lost(repository, snapshot).await?;
    let mut tx = store::begin(target.db).await?;
    store::allow_rest(&mut tx).await?;
    let former = match check_target(&target, &mut tx).await? {
        Holds::Instance => store::backup::volume(&mut tx).await?,
        _ => None,
    };
    let mut loading = Loading { repository, tx, tell, rows: 0 };
    let left_out = if target.secrets == Secrets::LeftOut { &LOCKED[..] } else { &[] };
    let tables = loading.database(snapshot, left_out).await?;
    let volume = VolumeId::at(now);
    if snapshot.tables.iter().any(|table| table.name == "file_volumes") {
        store::backup::set_volume(&mut loading.tx, volume).await?;
    }
    let (files, restored) = loading.files(target.data_dir, snapshot, &lost).await?;
    store::backup::migrate_to(&mut loading.tx, store::schema_version()).await?;
    store::backup::analyze(&mut loading.tx).await?;
    // From here on little can fail; what was placed by then is found by no database.
    let keys_placed = match (&keys, target.secret_key) {
        (Some(keys), None) => keys.place(target.data_dir)?,
        _ => false,
    };
    spawn_blocking(move || restored.place(volume)).await.map_err(Error::internal)?.map_err(disk)?;
    loading.tx.commit().await?;
    if let Some(former) = former {
        let data_dir = target.data_dir.to_owned();
        let removed = spawn_blocking(move || blobs::remove_volume(&data_dir, former)).await.map_err(Error::internal)?;
        if let Err(error) = removed {
            tracing::warn!(volume.id = %former, %error, "the files of what was replaced could not be removed: remove the directory");
        }
    }
    Ok(Restored {
        tables,
        rows: loading.rows,
        files,
        file_bytes: snapshot.files.bytes,
        files_lost: lost.len() as u64,
        secrets: if target.secrets == Secrets::LeftOut { 0 } else { snapshot.secrets },
        schema_from: snapshot.schema(),
        schema_to: store::schema_version(),
        keys_placed,
        took_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
    })
}

/// Whether this binary knows every step that had been applied, and none differently.
fn check_schema(snapshot: &Snapshot, known: &[Migration]) -> Result<()> {
    for applied in &snapshot.migrations {
        let there = known.iter().find(|known| known.version == applied.version);
        let message = match there {
            None => format!(
                "the backup is of a newer picloud ({}; it has migration {}, which this one does not know): restore with that version",
                snapshot.version, applied.version
            ),
            Some(known) if known.checksum != applied.checksum => {
                format!(
                    "migration {} of the backup is not the one this picloud has: restore with the build that made it",
                    applied.version
                )
            }
            Some(_) => continue,
        };
        return Err(Error::new(Kind::Invalid, "invalid", message));
    }
    Ok(())
}

/// What is there, and may go.
async fn check_target(target: &Target<'_>, tx: &mut Tx) -> Result<Holds> {
    let conflict = |message: &'static str| Error::new(Kind::Conflict, "conflict", message);
    let holds = store::backup::holds(tx).await?;
    match holds {
        Holds::Foreign => {
            return Err(conflict("the database holds tables that are none of picloud's: give an empty one"));
        }
        Holds::Instance if !target.replace => {
            return Err(conflict(
                "the database holds an instance already: give an empty one, or --replace to lose what is there",
            ));
        }
        Holds::Instance | Holds::Nothing | Holds::Fresh => {}
    }
    if store::backup::others(tx).await? {
        return Err(conflict("a node, or another command, works on this database: stop it first"));
    }
    Ok(holds)
}

/// The master keys that the restored instance is to have: those of the backup, or those that a node would have here.
async fn keys(target: &Target<'_>, repository: &Arc<Repository>, snapshot: &Snapshot) -> Result<Option<KeyCopy>> {
    let in_backup = match snapshot.key_ring {
        Some(id) => {
            let raw = on_disk(repository, move |repository| repository.get(repository::Kind::KeyRing, id)).await?;
            let text = zeroize::Zeroizing::new(raw);
            Some(KeyCopy::read(std::str::from_utf8(&text).map_err(Error::internal)?)?)
        }
        None => None,
    };
    if target.secrets == Secrets::LeftOut {
        return Ok(None);
    }
    let here = match target.secret_key {
        Some(setting) => Some(KeyCopy::of_setting(setting)?),
        None => KeyCopy::of_directory(target.data_dir)?,
    };
    // What a node holds is the setting, where there is one, and the key file otherwise: there the backup's go.
    let usable = if target.secret_key.is_some() { &here } else { &in_backup };
    for id in &snapshot.master_keys {
        if !usable.as_ref().or(here.as_ref()).is_some_and(|keys| keys.has(id)) {
            return Err(unreadable(target, id, here.as_ref()));
        }
    }
    Ok(in_backup)
}

fn unreadable(target: &Target<'_>, id: &str, here: Option<&KeyCopy>) -> Error {
    let held = here.map_or_else(|| "no key".to_owned(), KeyCopy::ids);
    let place = match target.secret_key {
        Some(_) => "PICLOUD_SECRET_KEY holds",
        None => "the backup holds none, and the data directory has",
    };
    Error::new(
        Kind::Invalid,
        "key_missing",
        format!(
            "the secrets in the backup are locked with the master key {id}; {place} {held}: put the {} of the instance into the data directory, set PICLOUD_SECRET_KEY to it, or give --without-secrets to lose them",
            vault::KEY_FILE
        ),
    )
}

struct Loading<'a> {
    repository: &'a Arc<Repository>,
    tx: Tx,
    tell: Tell<'a>,
    rows: u64,
}

impl Loading<'_> {
    /// The schema of the snapshot, and its rows; how many tables.
    async fn database(&mut self, snapshot: &Snapshot, left_out: &[&str]) -> Result<u64> {
        store::backup::clear(&mut self.tx).await?;
        store::backup::migrate_to(&mut self.tx, snapshot.schema()).await?;
        let found = store::backup::begin_loading(&mut self.tx).await?;
        for table in snapshot.tables.iter().filter(|table| !found.iter().any(|found| found.name == table.name)) {
            tracing::warn!(table = table.name, "the backup has a table that is none of picloud's: it is left out");
        }
        let mut tables = 0;
        for name in store::backup::loading_order(&mut self.tx).await? {
            let there = snapshot.tables.iter().find(|table| table.name == name);
            let table = there.ok_or_else(|| mismatch(&name, "is not in the backup"))?;
            if !found.iter().any(|found| has_columns(found, table)) {
                return Err(mismatch(&name, "has other columns in the backup"));
            }
            if !left_out.contains(&name.as_str()) {
                self.table(table).await?;
            }
            tables += 1;
        }
        store::backup::end_loading(&mut self.tx, &found, &snapshot.sequences).await?;
        Ok(tables)
    }

    async fn table(&mut self, table: &Table) -> Result<()> {
        let (mut rows, mut bytes) = (0, 0);
        for page in table.rows.pages.clone() {
            for chunk in on_disk(self.repository, move |repository| repository.page(page)).await? {
                let raw = on_disk(self.repository, move |repository| repository.get(repository::Kind::Rows, chunk)).await?;
                rows += store::backup::load(&mut self.tx, &table.name, &table.columns, &raw).await?;
                bytes += raw.len() as u64;
                (self.tell)(Progress { of: &table.name, bytes });
            }
        }
        if rows != table.rows.items {
            return Err(mismatch(&table.name, "has another number of rows than the backup says"));
        }
        self.rows += rows;
        Ok(())
    }

    /// The bytes of files, in a volume that has no name yet; how many.
    async fn files(
        &mut self,
        data_dir: &Path,
        snapshot: &Snapshot,
        lost: &std::collections::HashSet<crate::id::BlobId>,
    ) -> Result<(u64, blobs::Restored)> {
        let (data_dir, bytes) = (data_dir.to_owned(), snapshot.files.bytes);
        let begun = spawn_blocking(move || blobs::Restored::begin(&data_dir, bytes)).await.map_err(Error::internal)?;
        let restored = Arc::new(begun.map_err(disk)?);
        let (mut files, mut bytes) = (0, 0_u64);
        for page in snapshot.files.entries.pages.clone() {
            for chunk in on_disk(self.repository, move |repository| repository.page(page)).await? {
                let entries =
                    on_disk(self.repository, move |repository| repository.get(repository::Kind::Entries, chunk)).await?;
                for entry in Entries(&entries) {
                    let entry = entry?;
                    bytes = bytes.saturating_add(entry.blob.size_bytes);
                    if !lost.contains(&entry.blob.id) {
                        self.file(&restored, entry).await?;
                        files += 1;
                    }
                    (self.tell)(Progress { of: "files", bytes });
                }
            }
        }
        if files + lost.len() as u64 != snapshot.files.entries.items {
            return Err(mismatch("files", "has another number of files than the backup says"));
        }
        let restored = Arc::into_inner(restored).ok_or_else(|| Error::internal("a file is still being written"))?;
        Ok((files, restored))
    }

    async fn file(&self, restored: &Arc<blobs::Restored>, entry: Entry) -> Result<()> {
        let (restored, repository) = (restored.clone(), self.repository.clone());
        let written = spawn_blocking(move || {
            let mut returned = restored.blob(entry.app, entry.blob.clone()).map_err(disk)?;
            for pieces in entry.chunks() {
                returned.write(&repository.get_pieces(pieces)?).map_err(disk)?;
            }
            if returned.is_whole() { Ok(()) } else { Err(mismatch("files", "has a file of which the hash is another")) }
        });
        written.await.map_err(Error::internal)?
    }
}

/// All columns in the same order, of the same types.
fn has_columns(found: &Found, table: &Table) -> bool {
    found.name == table.name && found.columns == table.columns
}

fn mismatch(table: &str, why: &str) -> Error {
    Error::new(Kind::Corrupt, "corrupt", format!("nothing is restored: the table {table} {why}"))
}

fn disk(error: std::io::Error) -> Error {
    let message = match error.kind() {
        std::io::ErrorKind::WouldBlock => "another restore works in this data directory".to_owned(),
        _ => format!("the files of the backup cannot be written: {error}"),
    };
    Error { source: Some(error.into()), ..Error::new(Kind::Internal, "internal", message) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_that_is_not_known_is_refused() {
        let step = |version, checksum: &str| Migration { version, checksum: checksum.to_owned() };
        let known = [step(1, "aa"), step(2, "bb")];
        let snapshot = |migrations: Vec<Migration>| Snapshot {
            id: "20260131T023000000Z-0123abcd".parse().unwrap(),
            created_at: DateTime::UNIX_EPOCH,
            took_ms: 0,
            version: "9.9.9".to_owned(),
            postgres: String::new(),
            tick: None,
            migrations,
            tables: Vec::new(),
            sequences: Vec::new(),
            files: Default::default(),
            key_ring: None,
            master_keys: Vec::new(),
            secrets: 0,
            added: Default::default(),
        };
        assert!(check_schema(&snapshot(vec![step(1, "aa")]), &known).is_ok());
        assert!(check_schema(&snapshot(known.to_vec()), &known).is_ok());
        let newer = check_schema(&snapshot(vec![step(1, "aa"), step(2, "bb"), step(3, "cc")]), &known).unwrap_err();
        assert!(newer.message.contains("newer picloud (9.9.9; it has migration 3"), "{newer}");
        let other = check_schema(&snapshot(vec![step(1, "ab")]), &known).unwrap_err();
        assert!(other.message.contains("migration 1 of the backup is not the one"), "{other}");
    }
}
