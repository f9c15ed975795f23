//! `picloud restore`. Works alone: no node may run on what it makes.

use std::path::{Path, PathBuf};

use super::directory::{How, directory_of, on_disk, open};
use super::{refusal, shower};
use crate::cli::data_dir::{self, Access, DataDir};
use crate::cli::database::{self, Source};
use crate::cli::failure::Result;
use crate::cli::terminal::{end_of_progress, mebibytes, print, print_json, say, table};
use crate::clock::Clock;
use crate::config::Settings;
use crate::model::backup::Snapshot;
use crate::service::backup::{self, Restored, Secrets, Target};
use crate::vault::KEY_FILE;

pub(in crate::cli) const RESTORE_EXAMPLES: &str = "\
Examples:
  picloud restore /mnt/usb/picloud --data-dir /var/lib/picloud
  picloud restore /mnt/usb/picloud --snapshot 20260131T0230
  DATABASE_URL=postgres://picloud@db.lan/fresh picloud restore /mnt/usb/picloud

Makes an empty database and data directory into what the backup holds, or leaves them as they are. An older schema is brought to this
version's. Then start a node: what was due or on its way when the backup was made is done again.";

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Restore {
    /// The directory of backups; PICLOUD_BACKUP_DIR if left out.
    directory: Option<PathBuf>,
    /// Another backup than the newest, by its name or how that begins.
    #[arg(long, value_name = "NAME")]
    snapshot: Option<String>,
    /// Lose the instance that is there.
    #[arg(long)]
    replace: bool,
    /// Leave the secrets out: for who has lost the master key.
    #[arg(long)]
    without_secrets: bool,
    /// The result as one JSON document.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Box<Settings>,
}

impl Restore {
    pub(in crate::cli) fn settings(&self) -> Settings {
        (*self.settings).clone()
    }
}

pub(in crate::cli) async fn restore(settings: Settings, asked: Restore) -> Result<()> {
    let Restore { directory, snapshot, replace, without_secrets, json, .. } = asked;
    let directory = directory_of(&settings, directory)?;
    let (repository, _) = open(&directory, &settings, How::Read).await?;
    let snapshot = on_disk(&repository, move |repository| repository.find(snapshot.as_deref())).await?;
    say(&format!("{} of {}, made by picloud {}", snapshot.id, directory.display(), snapshot.version));
    let path = data_dir::locate(&settings)?;
    let source = database::choose(&settings, false)?;
    let access = match source {
        Source::Embedded => Access::Exclusive,
        Source::External(_) => Access::Shared,
    };
    let plan = database::plan(source, &path, &settings)?;
    let data_dir = DataDir::open(path, access)?;
    let database = database::open_as_it_is(plan).await?;
    let target = Target {
        db: &database.pool,
        data_dir: data_dir.path(),
        secret_key: settings.secret_key.as_ref(),
        replace,
        secrets: if without_secrets { Secrets::LeftOut } else { Secrets::Restored },
    };
    let now = Clock::system().now();
    let restored = backup::restore(target, &repository, &snapshot, now, &shower("restored")).await;
    let shown = database.shown.clone();
    database.close().await;
    end_of_progress();
    let restored = restored.map_err(|error| refusal("the restore", &error))?;
    if json {
        print_json(&restored);
        return Ok(());
    }
    print(&told_of_restored(&restored, &snapshot, (&shown, data_dir.path())));
    Ok(())
}

fn told_of_restored(restored: &Restored, snapshot: &Snapshot, (database, data_dir): (&str, &Path)) -> String {
    let Restored { rows, tables, files, file_bytes, secrets, schema_from, schema_to, .. } = restored;
    let mut lines = vec![
        ("as of", snapshot.created_at.format("%Y-%m-%d %H:%M:%S UTC").to_string()),
        ("database", database.to_owned()),
        ("data directory", data_dir.display().to_string()),
        ("rows", format!("{rows} in {tables} tables")),
        ("files", format!("{files}, {}", mebibytes(*file_bytes))),
        ("secrets", secrets.to_string()),
        (
            "schema",
            if schema_from == schema_to { schema_to.to_string() } else { format!("{schema_from}, brought to {schema_to}") },
        ),
    ];
    if restored.keys_placed {
        lines.push(("master keys", format!("in {}", data_dir.join(KEY_FILE).display())));
    }
    if restored.files_lost > 0 {
        lines.push(("files lost before", format!("{}: reading one answers `corrupt`", restored.files_lost)));
    }
    lines.push(("took", format!("{} ms", restored.took_ms)));
    format!("The instance is restored: start a node.\n{}", table(&lines))
}
