//! `picloud backup` and `picloud restore`: the whole instance into a directory of backups, and out of one. Backups work beside nodes, or
//! alone.

mod directory;
mod restore;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Subcommand;
use serde::Serialize;

use self::directory::{How, keep_of, on_disk, open};
use super::failure::{Exit, Failure, Result, exit_of};
use super::operator::Operator;
use super::terminal::{end_of_progress, in_place, mebibytes, print, print_json, table, warn};
use crate::clock::Clock;
use crate::config::Settings;
use crate::error::{Error, Kind};
use crate::limits;
use crate::model::backup::{Snapshot, SnapshotId};
use crate::repository::{self, LastFailure, Pruned, Repository, State};
use crate::service::backup::{self, Created, Progress, Verified};
use crate::vault::{KEY_FILE, Vault};

pub(super) use self::directory::{directory_of, plan};
pub(super) use self::restore::{RESTORE_EXAMPLES, Restore, restore};

pub(super) const CREATE_EXAMPLES: &str = "\
Examples:
  picloud backup create /mnt/usb/picloud
  PICLOUD_BACKUP_KEY_FILE=/etc/picloud/backup.key picloud backup create /mnt/usb/picloud
  picloud backup create --with-key              to PICLOUD_BACKUP_DIR, with the master key in the clear

A backup holds all of an instance as it is at one moment: the database, the bytes of files, and, where it is encrypted, the master
keys. What an earlier backup in the directory holds already is not written again. The first one decides whether the directory is
encrypted. May run beside nodes, also of another version, and may be killed: a backup is there whole, or not at all.";

pub(super) const PRUNE_EXAMPLES: &str = "\
Examples:
  picloud backup prune --keep last=3,daily=7,weekly=4,monthly=12
  picloud backup prune --keep last=1 --dry-run

The newest backup always stays. What no other backup needs is removed with those that go.";

#[derive(Debug, Subcommand)]
pub(super) enum Backup {
    /// Back up the whole instance: database, files, keys.
    #[command(after_help = CREATE_EXAMPLES)]
    Create {
        /// The directory of backups; PICLOUD_BACKUP_DIR if left out.
        directory: Option<PathBuf>,
        /// Put the master key of secrets into a backup that is not encrypted: whoever reads it can read them.
        #[arg(long)]
        with_key: bool,
        /// The result as one JSON document.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        settings: Box<Settings>,
    },
    /// List the backups, the newest last, and how the last one by schedule went.
    List {
        /// The directory of backups; PICLOUD_BACKUP_DIR if left out.
        directory: Option<PathBuf>,
        /// The result as one JSON document.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        settings: Box<Settings>,
    },
    /// Read all that backups are made of, and find what is damaged.
    Verify {
        /// The directory of backups; PICLOUD_BACKUP_DIR if left out.
        directory: Option<PathBuf>,
        /// One alone, by its name or how that begins.
        #[arg(long, value_name = "NAME")]
        snapshot: Option<String>,
        /// Remove what is damaged, so that the next backup writes it anew where it is still there.
        #[arg(long)]
        discard_damaged: bool,
        /// The result as one JSON document.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        settings: Box<Settings>,
    },
    /// Remove old backups.
    #[command(after_help = PRUNE_EXAMPLES)]
    Prune {
        /// The directory of backups; PICLOUD_BACKUP_DIR if left out.
        directory: Option<PathBuf>,
        /// How many stay; PICLOUD_BACKUP_KEEP if left out.
        #[arg(long, value_name = "RULES")]
        keep: Option<String>,
        /// Say what would go, and remove nothing.
        #[arg(long)]
        dry_run: bool,
        /// The result as one JSON document.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        settings: Box<Settings>,
    },
}

impl Backup {
    pub(super) fn settings(&self) -> Settings {
        let (Self::Create { settings, .. }
        | Self::List { settings, .. }
        | Self::Verify { settings, .. }
        | Self::Prune { settings, .. }) = self;
        (**settings).clone()
    }
}

/// A snapshot, for people and programs.
#[derive(Debug, Serialize)]
struct Shown {
    snapshot: SnapshotId,
    created_at: chrono::DateTime<chrono::Utc>,
    version: String,
    schema: i64,
    rows: u64,
    row_bytes: u64,
    files: u64,
    file_bytes: u64,
    files_lost: u64,
    secrets: u64,
    /// Whether the master keys are in it.
    keys: bool,
    /// Whether a node made it by its schedule.
    scheduled: bool,
    added_chunks: u64,
    added_bytes: u64,
    took_ms: u64,
}

impl From<&Snapshot> for Shown {
    fn from(of: &Snapshot) -> Self {
        Self {
            snapshot: of.id.clone(),
            created_at: of.created_at,
            version: of.version.clone(),
            schema: of.schema(),
            rows: of.rows(),
            row_bytes: of.row_bytes(),
            files: of.files.entries.items,
            file_bytes: of.files.bytes,
            files_lost: of.files.lost.items,
            secrets: of.secrets,
            keys: of.key_ring.is_some(),
            scheduled: of.tick.is_some(),
            added_chunks: of.added.chunks,
            added_bytes: of.added.bytes,
            took_ms: of.took_ms,
        }
    }
}

pub(super) async fn run(settings: Settings, what: Backup) -> Result<()> {
    match what {
        Backup::Create { directory, with_key, json, .. } => create(&settings, directory, with_key, json).await,
        Backup::List { directory, json, .. } => list(&settings, directory, json).await,
        Backup::Verify { directory, snapshot, discard_damaged, json, .. } => {
            verify(&settings, directory, snapshot, discard_damaged, json).await
        }
        Backup::Prune { directory, keep, dry_run, json, .. } => prune(&settings, directory, keep, dry_run, json).await,
    }
}

async fn create(settings: &Settings, directory: Option<PathBuf>, with_key: bool, json: bool) -> Result<()> {
    let directory = directory_of(settings, directory)?;
    // A passphrase that is wrong is known before a database is started.
    let (repository, is_new) = open(&directory, settings, How::Make).await?;
    if is_new && !repository.is_encrypted() {
        warn(&format!(
            "{} is new and not encrypted: whoever can read it can read the instance, but for its secrets (PICLOUD_BACKUP_KEY_FILE)",
            directory.display()
        ));
    }
    let operator = Operator::open_as_it_is(settings).await?;
    let created = snapshot(&operator, settings, &repository, with_key).await;
    operator.close().await;
    end_of_progress();
    let Created { snapshot, files_lost } = created?;
    let shown = Shown::from(&snapshot);
    if json {
        print_json(&shown);
    } else {
        print(&told_of_created(&shown, &directory, repository.is_encrypted()));
    }
    if !shown.keys && snapshot.secrets > 0 {
        warn(&format!(
            "the {} secrets in this backup cannot be read without {KEY_FILE} of the data directory (or PICLOUD_SECRET_KEY): keep a copy of it apart, or encrypt backups",
            snapshot.secrets
        ));
    }
    if files_lost > 0 {
        let line = format!("backed up, but for {files_lost} files whose bytes are missing or damaged; the log above names them");
        return Err(Failure::new(Exit::Other, line));
    }
    Ok(())
}

async fn snapshot(operator: &Operator, settings: &Settings, repository: &Arc<Repository>, with_key: bool) -> Result<Created> {
    let failed = |error: Error| refusal("the backup", &error);
    let data_dir = operator.data_dir.path();
    let blobs = backup::open_blobs(&operator.database.pool, data_dir).await.map_err(failed)?;
    let keys = if repository.is_encrypted() || with_key {
        let vault = Vault::open(data_dir, settings.secret_key.as_ref()).map_err(|error| failed(error.into()))?;
        Some(vault.copy())
    } else {
        None
    };
    let source = backup::Source { db: &operator.database.pool, blobs: blobs.as_ref(), keys, tick: None };
    backup::create(source, repository, Clock::system().now(), &shower("backed up")).await.map_err(failed)
}

fn told_of_created(shown: &Shown, directory: &Path, is_encrypted: bool) -> String {
    let rows = [
        ("snapshot", shown.snapshot.to_string()),
        ("in", directory.display().to_string()),
        ("rows", format!("{}, {}", shown.rows, mebibytes(shown.row_bytes))),
        ("files", format!("{}, {}", shown.files, mebibytes(shown.file_bytes))),
        ("encrypted", if is_encrypted { "yes" } else { "no" }.to_owned()),
        ("master keys", if shown.keys { "in it" } else { "not in it" }.to_owned()),
        ("added", format!("{} in {} chunks", mebibytes(shown.added_bytes), shown.added_chunks)),
        ("took", format!("{} ms", shown.took_ms)),
    ];
    format!("The instance is backed up.\n{}", table(&rows))
}

async fn list(settings: &Settings, directory: Option<PathBuf>, json: bool) -> Result<()> {
    #[derive(Serialize)]
    struct Listed {
        directory: String,
        encrypted: bool,
        items: Vec<Shown>,
        #[serde(flatten)]
        state: State,
    }
    let directory = directory_of(settings, directory)?;
    let (repository, _) = open(&directory, settings, How::Read).await?;
    let read = on_disk(&repository, |repository| {
        repository
            .snapshots()?
            .iter()
            .map(|id| Ok(Shown::from(&repository.snapshot(id)?)))
            .collect::<repository::Result<Vec<_>>>()
    });
    let (items, state) = (read.await?, State::read(&directory));
    if let Some(LastFailure { at, message }) = state.trouble() {
        warn(&format!("the last backup by schedule failed at {}: {message}", at.format("%Y-%m-%d %H:%M:%S UTC")));
    }
    if json {
        let encrypted = repository.is_encrypted();
        print_json(&Listed { directory: directory.display().to_string(), encrypted, items, state });
        return Ok(());
    }
    let mut text =
        format!("{:26}  {:>10}  {:>12}  {:>8}  {:>12}  {:>12}  {}\n", "SNAPSHOT", "ROWS", "", "FILES", "", "ADDED", "KEYS");
    for item in &items {
        text.push_str(&format!(
            "{:26}  {:>10}  {:>12}  {:>8}  {:>12}  {:>12}  {}\n",
            item.snapshot.as_str(),
            item.rows,
            mebibytes(item.row_bytes),
            item.files,
            mebibytes(item.file_bytes),
            mebibytes(item.added_bytes),
            if item.keys { "in it" } else { "-" }
        ));
    }
    print(if items.is_empty() { "No backups yet.\n" } else { &text });
    Ok(())
}

async fn verify(settings: &Settings, directory: Option<PathBuf>, one: Option<String>, discard: bool, json: bool) -> Result<()> {
    let began = Instant::now();
    let directory = directory_of(settings, directory)?;
    // Nothing is removed under the hands of who reads.
    let how = if discard { How::Prune } else { How::Read };
    let (repository, _) = open(&directory, settings, how).await?;
    let wanted = on_disk(&repository, move |repository| match one {
        Some(one) => Ok(vec![repository.find(Some(&one))?.id]),
        None => repository.snapshots(),
    });
    let wanted = wanted.await?;
    let verified = backup::verify(&repository, &wanted, discard, &shower("read")).await;
    end_of_progress();
    let verified = verified.map_err(|error| refusal("checking the backups", &error))?;
    if json {
        print_json(&verified);
    } else {
        print(&told_of_verified(&verified, began));
    }
    let Verified { damaged, discarded, .. } = verified;
    match (damaged, discarded) {
        (0, _) => Ok(()),
        (_, 0) => Err(Failure::new(Exit::Other, format!("{damaged} damages in {}", directory.display()))
            .hinting("picloud backup verify --discard-damaged, then picloud backup create writes anew what is still there")),
        _ => Err(Failure::new(
            Exit::Other,
            format!("{damaged} damages in {}; {discarded} chunks were removed", directory.display()),
        )
        .hinting("picloud backup create writes anew what is still there")),
    }
}

fn told_of_verified(verified: &Verified, began: Instant) -> String {
    let mut rows = vec![
        ("snapshots", verified.snapshots.to_string()),
        ("chunks", format!("{}, {}", verified.chunks, mebibytes(verified.bytes))),
        ("damages", verified.damaged.to_string()),
    ];
    if verified.files_lost > 0 {
        rows.push(("files lost before", verified.files_lost.to_string()));
    }
    rows.push(("took", format!("{} ms", began.elapsed().as_millis())));
    let head = if verified.damaged == 0 { "The backups are whole." } else { "Not all is as it was written." };
    let damages: String = verified.damages.iter().map(|damage| format!("  - {}: {}\n", damage.snapshot, damage.what)).collect();
    format!("{head}\n{}{damages}", table(&rows))
}

async fn prune(settings: &Settings, directory: Option<PathBuf>, keep: Option<String>, dry_run: bool, json: bool) -> Result<()> {
    #[derive(Serialize)]
    struct Done {
        gone: Vec<SnapshotId>,
        stay: Vec<SnapshotId>,
        dry_run: bool,
        #[serde(flatten)]
        pruned: Pruned,
    }
    let directory = directory_of(settings, directory)?;
    let keep = keep_of(keep.as_ref().unwrap_or(&settings.backup.backup_keep))?;
    let (repository, _) = open(&directory, settings, if dry_run { How::Read } else { How::Prune }).await?;
    let done = on_disk(&repository, move |repository| {
        let (gone, mut stay) = (repository.outside(&keep)?, repository.snapshots()?);
        stay.retain(|id| !gone.contains(id));
        // Also without one that goes: what a kill has left is found.
        let pruned = if dry_run { Pruned::default() } else { repository.prune(&gone)? };
        Ok(Done { gone, stay, dry_run, pruned })
    });
    let done = done.await?;
    if json {
        print_json(&done);
        return Ok(());
    }
    let names = |ids: &[SnapshotId]| ids.iter().map(|id| format!("  {id}\n")).collect::<String>();
    let head = if dry_run { "Would go:" } else { "Gone:" };
    let mut text = format!("{head} {}\n{}Stay: {}\n{}", done.gone.len(), names(&done.gone), done.stay.len(), names(&done.stay));
    if !dry_run {
        text.push_str(&format!("{} in {} chunks are free.\n", mebibytes(done.pruned.bytes), done.pruned.chunks));
    }
    print(&text);
    Ok(())
}

/// Shows how far it has come, a few times a second.
fn shower(done: &'static str) -> impl Fn(Progress<'_>) + Sync {
    let last = Mutex::new(Instant::now());
    move |progress| {
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.elapsed() >= Duration::from_millis(limits::BACKUP_SHOW_MS) {
            *last = Instant::now();
            in_place(&format!("{}: {} {done}", progress.of, mebibytes(progress.bytes)));
        }
    }
}

fn refusal(doing: &str, error: &Error) -> Failure {
    let exit = match error.kind {
        Kind::NotFound => Exit::NotFound,
        Kind::Invalid => Exit::Usage,
        Kind::Malformed => Exit::Refused,
        Kind::Conflict => Exit::Conflict,
        Kind::Overloaded => Exit::Busy,
        _ => exit_of(error),
    };
    Failure::of(exit, doing, error)
}
