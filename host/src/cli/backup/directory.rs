//! The directory of backups as the settings have it: where it is, who can read it, and when a node writes there.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::refusal;
use crate::cli::client::input;
use crate::cli::failure::{Exit, Failure, Result};
use crate::config::{Hidden, Settings};
use crate::error::Error;
use crate::limits;
use crate::model::backup::Keep;
use crate::model::schedule::Schedule;
use crate::repository::{self, Repository};
use crate::service::backup::Plan;

/// What a node does by its schedule, where it has one.
pub(in crate::cli) fn plan(settings: &Settings) -> Result<Option<Plan>> {
    let of = &settings.backup;
    let usage = |error: Error| Failure::new(Exit::Usage, format!("backups: {}", error.message));
    let keep = keep_of(&of.backup_keep)?;
    let Some(schedule) = &of.backup_schedule else { return Ok(None) };
    let schedule = Schedule::parse(schedule, &of.backup_timezone).map_err(usage)?;
    let directory = directory_of(settings, None)?;
    Ok(Some(Plan { directory, passphrase: passphrase_of(settings)?, schedule, keep }))
}

pub(super) fn keep_of(rules: &str) -> Result<Keep> {
    rules.parse().map_err(|error: Error| Failure::new(Exit::Usage, format!("what to keep: {}", error.message)))
}

pub(in crate::cli) fn directory_of(settings: &Settings, asked: Option<PathBuf>) -> Result<PathBuf> {
    let directory = asked.or_else(|| settings.backup.backup_dir.clone()).filter(|directory| !directory.as_os_str().is_empty());
    let directory = directory
        .ok_or_else(|| Failure::new(Exit::Usage, "which directory? Name the one of the backups, or set PICLOUD_BACKUP_DIR"))?;
    std::path::absolute(directory).map_err(|e| Failure::new(Exit::Other, format!("the working directory is gone: {e}")))
}

/// As it is set, if it is.
fn passphrase_of(settings: &Settings) -> Result<Option<Hidden>> {
    let text = match (&settings.backup.backup_passphrase, &settings.backup.backup_key_file) {
        (Some(_), Some(_)) => {
            let line = "PICLOUD_BACKUP_PASSPHRASE and PICLOUD_BACKUP_KEY_FILE are both set: keep one of them";
            return Err(Failure::new(Exit::Usage, line));
        }
        (Some(text), None) => text.clone(),
        (None, Some(file)) => {
            let unreadable = |e: std::io::Error| Failure::new(Exit::Usage, format!("{} cannot be read: {e}", file.display()));
            let found = std::fs::metadata(file).map_err(unreadable)?;
            if found.len() > limits::BACKUP_PASSPHRASE_BYTES_MAX as u64 {
                return Err(wrong_passphrase());
            }
            Hidden::new(std::fs::read_to_string(file).map_err(unreadable)?.trim_end_matches(['\r', '\n']).to_owned())
        }
        (None, None) => return Ok(None),
    };
    check_passphrase(text).map(Some)
}

fn check_passphrase(text: Hidden) -> Result<Hidden> {
    let bounds = limits::BACKUP_PASSPHRASE_BYTES_MIN..=limits::BACKUP_PASSPHRASE_BYTES_MAX;
    if bounds.contains(&text.expose().len()) { Ok(text) } else { Err(wrong_passphrase()) }
}

fn wrong_passphrase() -> Failure {
    let (min, max) = (limits::BACKUP_PASSPHRASE_BYTES_MIN, limits::BACKUP_PASSPHRASE_BYTES_MAX);
    Failure::new(Exit::Usage, format!("the passphrase of backups has {min} to {max} bytes"))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    Make,
    Read,
    Prune,
}

/// The repository; a person is asked for the passphrase where one is needed and none is set. Also whether it was made.
pub(super) async fn open(directory: &Path, settings: &Settings, how: How) -> Result<(Arc<Repository>, bool)> {
    let passphrase = passphrase_of(settings)?;
    let opened = open_with(directory, passphrase, how).await?;
    let opened = match opened {
        Err(repository::Error::KeyMissing(_)) if input::somebody_is_there() => {
            let typed = check_passphrase(Hidden::new(input::ask_unseen("Passphrase of the backups").await?))?;
            open_with(directory, Some(typed), how).await?
        }
        opened => opened,
    };
    let (repository, is_new) = opened.map_err(|error| refusal("backups", &error.into()))?;
    Ok((Arc::new(repository), is_new))
}

async fn open_with(directory: &Path, passphrase: Option<Hidden>, how: How) -> Result<repository::Result<(Repository, bool)>> {
    let directory = directory.to_owned();
    let opened = spawn_blocking(move || {
        let passphrase = passphrase.as_ref().map(|passphrase| passphrase.expose().as_bytes());
        let access = match how {
            How::Make => return Repository::open_or_make(&directory, passphrase),
            How::Read => repository::Access::Read,
            How::Prune => repository::Access::Prune,
        };
        Repository::open(&directory, passphrase, access).map(|repository| (repository, false))
    });
    opened.await.map_err(|e| Failure::new(Exit::Other, e.to_string()))
}

pub(super) async fn on_disk<T: Send + 'static>(
    repository: &Arc<Repository>,
    work: impl FnOnce(&Repository) -> repository::Result<T> + Send + 'static,
) -> Result<T> {
    let repository = repository.clone();
    let done = spawn_blocking(move || work(&repository)).await.map_err(|e| Failure::new(Exit::Other, e.to_string()))?;
    done.map_err(|error| refusal("backups", &error.into()))
}
