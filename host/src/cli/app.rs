//! `picloud app`: an app into one file, and one file into a new app. Works beside nodes, or alone.

use std::io::{self, IsTerminal as _};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use serde::Serialize;
use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;

use super::failure::{Exit, Failure, Result, exit_of};
use super::node::open_sandbox;
use super::operator::Operator;
use super::terminal::{end_of_progress, in_place, mebibytes, print, print_json, say, table};
use crate::clock::Clock;
use crate::config::Settings;
use crate::error::{self, Error, Kind};
use crate::id::AppId;
use crate::invoke::Invoker;
use crate::limits;
use crate::model::access::Principal;
use crate::model::archive::{Bounds, Counts, Wanted};
use crate::service::archive::{Imported, Packed};
use crate::service::{self, Services};

pub(super) const EXPORT_EXAMPLES: &str = "\
Examples:
  picloud app export shop                      into shop.picloud.tar.zst
  picloud app export shop -o /backup/shop.tar.zst --force
  picloud app export shop -o - | ssh pi 'cat > shop.picloud.tar.zst'

The file holds the app as it is at one moment: scripts with all versions, routes, triggers, grants, registered topics,
entries, documents and files. Of secrets it holds the names, of members, tokens and what was published nothing.
It is there whole or not at all. May run beside nodes.";

pub(super) const IMPORT_EXAMPLES: &str = "\
Examples:
  picloud app import shop.picloud.tar.zst
  picloud app import shop.picloud.tar.zst --slug shop-test --name 'Shop (test)'

Makes a new app, or nothing: what is there already is not touched. Sources are checked anew, and triggers run as the first
owner of the instance. What is not as it was, and what is to be done, is told at the end. May run beside nodes.";

/// A process that ends after one thing runs scripts nowhere.
const PLACES: Option<usize> = Some(1);

#[derive(Debug, Serialize)]
struct Made {
    id: AppId,
    slug: String,
    name: String,
    #[serde(flatten)]
    counts: Counts,
    notes: Vec<String>,
    took_ms: u64,
}

/// Where an archive is written.
enum Output {
    Stdout,
    File { path: PathBuf, part: PathBuf, force: bool },
}

pub(super) async fn export(settings: Settings, slug: String, output: Option<PathBuf>, force: bool) -> Result<()> {
    let began = Instant::now();
    let output = Output::choose(output, &slug, force)?;
    let operator = Operator::open(&settings).await?;
    let done = match connect(&operator, &settings).await {
        Ok(services) => write(&services, &slug, &output).await,
        Err(failure) => Err(failure),
    };
    operator.close().await;
    let (bytes, counts) = done?;
    let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    match output {
        Output::Stdout => say(&format!("{slug} is exported: {bytes} bytes")),
        Output::File { path: file, .. } => {
            let mut rows = vec![("file", file.display().to_string()), ("bytes", bytes.to_string())];
            rows.extend(counted(&counts));
            rows.push(("took", format!("{took_ms} ms")));
            print(&format!("The app is in the file; its secrets are not.\n{}", table(&rows)));
        }
    }
    Ok(())
}

pub(super) async fn import(settings: Settings, file: PathBuf, wanted: Wanted, json: bool) -> Result<()> {
    let began = Instant::now();
    let unreadable = |e: io::Error| Failure::new(Exit::Usage, format!("{} cannot be read: {e}", file.display()));
    let from = File::open(&file).await.map_err(unreadable)?;
    let bytes = from.metadata().await.map_err(unreadable)?.len();
    let operator = Operator::open(&settings).await?;
    let done = match connect(&operator, &settings).await {
        Ok(services) => bring_in(services, operator.data_dir.path().to_owned(), from, bytes, wanted).await,
        Err(failure) => Err(failure),
    };
    operator.close().await;
    let Imported { app, counts, notes } = done?;
    let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let made = Made { id: app.id, slug: app.slug, name: app.name, counts, notes, took_ms };
    if json {
        print_json(&made);
        return Ok(());
    }
    let mut rows = vec![("slug", made.slug), ("id", made.id.to_string())];
    rows.extend(counted(&made.counts));
    rows.push(("took", format!("{took_ms} ms")));
    let notes: String = made.notes.iter().map(|note| format!("  - {note}\n")).collect();
    print(&format!("The app is there.\n{}{notes}", table(&rows)));
    Ok(())
}

/// The platform with its files: what an app's archive is made of.
async fn connect(operator: &Operator, settings: &Settings) -> Result<Arc<Services>> {
    let platform = operator.platform(settings);
    let services = Services::connect(operator.database.pool.clone(), Clock::system(), platform).await;
    services.map(Arc::new).map_err(|error| Failure::of(exit_of(&error), "opening the platform", &error))
}

impl Output {
    fn choose(asked: Option<PathBuf>, slug: &str, force: bool) -> Result<Self> {
        if asked.as_deref() == Some(Path::new("-")) {
            if io::stdout().is_terminal() {
                return Err(Failure::new(
                    Exit::Usage,
                    "an archive is nothing for a terminal: name a file with -o, or use a pipe",
                ));
            }
            return Ok(Self::Stdout);
        }
        let path = match asked {
            Some(path) => path,
            // A slug is one DNS label; whatever else was typed names no app, and no file either.
            None if slug.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') => format!("{slug}.picloud.tar.zst").into(),
            None => return Err(Failure::new(Exit::Usage, format!("{slug}: no such app"))),
        };
        let Some(name) = path.file_name() else {
            return Err(Failure::new(Exit::Usage, format!("{} is no name of a file", path.display())));
        };
        let mut part = name.to_owned();
        part.push(".part");
        let output = Self::File { part: path.with_file_name(part), path, force };
        output.refuse_to_overwrite()?;
        Ok(output)
    }

    fn refuse_to_overwrite(&self) -> Result<()> {
        match self {
            Self::File { path, force: false, .. } if path.symlink_metadata().is_ok() => {
                let line = format!("{} is there already: name another file, or add --force", path.display());
                Err(Failure::new(Exit::Usage, line))
            }
            _ => Ok(()),
        }
    }
}

/// Writes the archive; how many bytes it has, and what it holds.
async fn write(services: &Arc<Services>, slug: &str, output: &Output) -> Result<(u64, Counts)> {
    let failed = |error: Error| refusal(slug, &error);
    let app = service::apps::get(services, slug).await.map_err(failed)?;
    let archive = service::archive::export(services, None, app.id).await.map_err(failed)?;
    let counts = archive.counts;
    let bytes = match output {
        Output::Stdout => {
            let stdout = io::stdout().as_fd().try_clone_to_owned();
            let stdout = stdout.map_err(|e| Failure::new(Exit::Other, format!("standard output cannot be used: {e}")))?;
            pump(archive, &mut File::from_std(stdout.into()), slug).await?
        }
        Output::File { path, part, .. } => {
            let unwritable = |e: io::Error| Failure::new(Exit::Other, format!("{} cannot be written: {e}", path.display()));
            let mut file = fresh(part).await.map_err(unwritable)?;
            let done = match pump(archive, &mut file, slug).await {
                Ok(bytes) => match file.sync_all().await {
                    Ok(()) => output.refuse_to_overwrite().map(|()| bytes),
                    Err(error) => Err(unwritable(error)),
                },
                Err(failure) => Err(failure),
            };
            let done = done.and_then(|bytes| place(part, path).map(|()| bytes).map_err(unwritable));
            if done.is_err() {
                let _ = std::fs::remove_file(part);
            }
            done?
        }
    };
    Ok((bytes, counts))
}

/// A file of our own in place of what an earlier try left.
async fn fresh(part: &Path) -> io::Result<File> {
    match std::fs::remove_file(part) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(part).await
}

/// Under its name, which then survives a power cut.
fn place(part: &Path, path: &Path) -> io::Result<()> {
    std::fs::rename(part, path)?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::File::open(directory)?.sync_all()
}

async fn pump(mut archive: Packed, to: &mut File, slug: &str) -> Result<u64> {
    let unwritable = |e: io::Error| Failure::new(Exit::Other, format!("the archive cannot be written: {e}"));
    let mut bytes = 0;
    while let Some(piece) = archive.next().await {
        let piece = piece.map_err(|error| refusal(slug, &error))?;
        to.write_all(&piece).await.map_err(unwritable)?;
        bytes += piece.len() as u64;
        in_place(&format!("{} written", mebibytes(bytes)));
    }
    to.flush().await.map_err(unwritable)?;
    end_of_progress();
    Ok(bytes)
}

async fn bring_in(services: Arc<Services>, data_dir: PathBuf, from: File, bytes: u64, wanted: Wanted) -> Result<Imported> {
    let failed = |error: Error| refusal("the import", &error);
    let owner = service::users::first_owner(&services).await.map_err(failed)?;
    let nobody = "nobody owns this instance yet: start a node once, or make an owner with `picloud admin create-owner`";
    let by = Principal::operator_as(&owner.ok_or_else(|| Failure::new(Exit::Usage, nobody))?);
    let sandbox = open_sandbox(PLACES, data_dir).await?;
    let invoker = Invoker::new(services, Arc::new(sandbox)).map_err(failed)?;
    let (to, source) = service::archive::source();
    let importing = invoker.import(&by, source, wanted, Bounds::AT_HAND);
    tokio::pin!(importing);
    let done = tokio::select! {
        done = &mut importing => done,
        () = feed(from, bytes, to) => importing.await,
    };
    end_of_progress();
    invoker.close().await;
    done.map_err(failed)
}

/// Hands over the file as fast as it is taken.
async fn feed(mut from: File, bytes: u64, to: mpsc::Sender<error::Result<Bytes>>) {
    let mut done = 0;
    loop {
        let mut piece = Vec::with_capacity(limits::ARCHIVE_PIECE_BYTES);
        let read = (&mut from).take(limits::ARCHIVE_PIECE_BYTES as u64).read_to_end(&mut piece).await;
        let piece = match read {
            Ok(0) => return,
            Ok(read) => {
                done += read as u64;
                Ok(Bytes::from(piece))
            }
            Err(error) => Err(Error::new(Kind::Malformed, "unreadable", format!("the file cannot be read: {error}"))),
        };
        let is_last = piece.is_err();
        if to.send(piece).await.is_err() || is_last {
            return;
        }
        in_place(&format!("{} of {} read", mebibytes(done), mebibytes(bytes)));
    }
}

/// What was asked for cannot be, or something of ours failed.
fn refusal(doing: &str, error: &Error) -> Failure {
    let exit = match error.kind {
        Kind::Invalid | Kind::NotFound | Kind::Conflict | Kind::TooLarge | Kind::Malformed => Exit::Usage,
        _ => exit_of(error),
    };
    Failure::of(exit, doing, error)
}

fn counted(counts: &Counts) -> Vec<(&'static str, String)> {
    let Counts { scripts, versions, routes, triggers, kv_entries, documents, files } = *counts;
    vec![
        ("scripts", format!("{scripts}, in {versions} versions")),
        ("routes", routes.to_string()),
        ("triggers", triggers.to_string()),
        ("KV entries", kv_entries.to_string()),
        ("documents", documents.to_string()),
        ("files", files.to_string()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(output: Result<Output>) -> String {
        output.err().map(Failure::into_line).unwrap_or_default()
    }

    #[test]
    fn a_file_that_is_there_is_overwritten_only_by_force() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("shop.tar.zst");
        assert!(matches!(
            Output::choose(Some(path.clone()), "shop", false),
            Ok(Output::File { part, .. }) if part.ends_with("shop.tar.zst.part")
        ));
        std::fs::write(&path, "mine").unwrap();
        assert!(line(Output::choose(Some(path.clone()), "shop", false)).contains("add --force"));
        assert!(Output::choose(Some(path), "shop", true).is_ok());
        assert!(line(Output::choose(Some("/".into()), "shop", true)).contains("no name of a file"));
    }

    #[test]
    fn what_is_no_slug_names_no_file() {
        for slug in ["../etc/passwd", "a/b", "."] {
            assert!(line(Output::choose(None, slug, false)).contains("no such app"), "{slug}");
        }
    }

    #[test]
    fn a_refused_archive_is_the_callers_and_a_failure_is_ours() {
        assert_eq!(refusal("x", &Error::invalid("slug", "no")).into_line(), "x: no");
    }
}
