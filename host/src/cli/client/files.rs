//! `picloud files`. A content goes from the disk to the node, or the other way, piece by piece.
//!
//! What is brought here is written under another name beside its place, and gets there whole or not at all; nothing that is there
//! is written over unless that is asked for. A name that a script made up is no path on this machine.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use clap::Subcommand;
use futures_util::stream;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use hyper::header::CONTENT_TYPE;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use serde_json::Value;
use tokio::io::AsyncReadExt as _;
use tokio::time::timeout;

use super::api::{Ask, Content, Opened, not_a_node};
use super::args::{InApp, Page};
use super::input::{self, Sure, confirm};
use super::kv::{collections, only_if, part};
use super::names::{has, id_of, is_id};
use super::output::{As, Column, cell, clean, text_at};
use super::refusal::Refusal;
use super::session::{Session, Shape};
use crate::cli::failure::{Exit, Failure, Result};
use crate::cli::terminal::{print, progress, say};
use crate::limits;

const FILES: &[Column] = &[
    Column("NAME", "/name", As::Text),
    Column("TYPE", "/content_type", As::Text),
    Column("SIZE", "/size_bytes", As::Bytes),
    Column("CHANGED", "/updated_at", As::Age),
    Column("ID", "/id", As::Text),
];

/// What a file is by its ending. Of others nothing is said.
const TYPES: &[(&str, &str)] = &[
    ("css", "text/css; charset=utf-8"),
    ("csv", "text/csv; charset=utf-8"),
    ("gif", "image/gif"),
    ("gz", "application/gzip"),
    ("html", "text/html; charset=utf-8"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("js", "text/javascript; charset=utf-8"),
    ("json", "application/json"),
    ("md", "text/markdown; charset=utf-8"),
    ("mp4", "video/mp4"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("svg", "image/svg+xml"),
    ("txt", "text/plain; charset=utf-8"),
    ("webp", "image/webp"),
    ("zip", "application/zip"),
];

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Files {
    /// List the files of a collection by name; without one, the collections.
    #[command(after_help = example!(app:
        "picloud files list --app shop",
        "picloud files list invoices --prefix 2026- --app shop"))]
    List {
        #[command(flatten)]
        place: InApp,
        /// The collection.
        collection: Option<String>,
        /// Only files whose names begin so.
        #[arg(long, requires = "collection")]
        prefix: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// Bring a file here.
    #[command(after_help = example!(app:
        "picloud files get invoices 2026-01.pdf --app shop",
        "picloud files get invoices 2026-01.pdf -o january.pdf --force --app shop",
        "picloud files get exports all.csv -o - --app shop | wc -l"))]
    Get {
        #[command(flatten)]
        place: InApp,
        /// The collection.
        collection: String,
        /// Id or name of the file.
        file: String,
        /// Where to, or `-` for standard output [default: the last part of its name, in this directory].
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Write over what is there.
        #[arg(long)]
        force: bool,
    },
    /// Send a file to be kept.
    #[command(after_help = example!(app:
        "picloud files put invoices 2026-01.pdf --app shop",
        "picloud files put reports report.csv --name 2026/01.csv --replace --app shop",
        "date | picloud files put notes - --name today --type text/plain --app shop"))]
    Put {
        #[command(flatten)]
        place: InApp,
        /// The collection.
        collection: String,
        /// The file on this machine; `-` is standard input.
        file: PathBuf,
        /// How it is to be called [default: as it is called here].
        #[arg(long)]
        name: Option<String>,
        /// What it is [default: by its ending, else application/octet-stream].
        #[arg(long = "type", value_name = "CONTENT_TYPE")]
        content_type: Option<String>,
        /// Delete the file that has the name already, first.
        #[arg(long)]
        replace: bool,
    },
    /// Delete a file.
    #[command(after_help = example!(app: "picloud files delete invoices 2026-01.pdf --app shop --yes"))]
    Delete {
        #[command(flatten)]
        place: InApp,
        /// The collection.
        collection: String,
        /// Id or name of the file.
        file: String,
        /// Ask nothing.
        #[arg(long)]
        yes: bool,
    },
}

/// A collection of an app.
struct Within<'a> {
    session: &'a Session,
    app: &'a str,
    collection: &'a str,
}

/// Where a content goes to that is brought here.
enum Target {
    Out,
    File(Draft),
}

/// A file under another name, until it is whole; gone if it never is.
struct Draft {
    file: File,
    part: PathBuf,
    path: PathBuf,
    force: bool,
}

pub(super) async fn run(files: Files) -> Result<()> {
    match files {
        Files::List { place, collection: None, page, .. } => collections(&place, "files", &page).await,
        Files::List { place, collection: Some(collection), prefix, page } => {
            let (session, app) = (Session::open(&place.at)?, place.app()?);
            let collection = part("collection", &collection)?;
            let ask = || Ask::get(&["admin", "apps", &app, "files", collection]).maybe("prefix", prefix.as_deref());
            session.list(&ask, &Shape::new(FILES, "there is no file"), &page).await
        }
        Files::Get { place, collection, file, output, force } => {
            let (session, app) = (Session::open(&place.at)?, place.app()?);
            let within = Within { session: &session, app: &app, collection: part("collection", &collection)? };
            // So that what is half there goes with the command.
            tokio::select! {
                got = within.get(&file, output, force) => got,
                _ = tokio::signal::ctrl_c() => Err(Failure::new(Exit::Other, "stopped")),
            }
        }
        Files::Put { place, collection, file, name, content_type, replace } => {
            let (session, app) = (Session::open(&place.at)?, place.app()?);
            let within = Within { session: &session, app: &app, collection: part("collection", &collection)? };
            let name = match name {
                Some(name) => name,
                None => name_of(&file)?,
            };
            within.put(&file, &name, content_type.as_deref(), replace).await
        }
        Files::Delete { place, collection, file, yes } => {
            let (session, app) = (Session::open(&place.at)?, place.app()?);
            let within = Within { session: &session, app: &app, collection: part("collection", &collection)? };
            let found = within.file(&file).await?;
            let named = text_at(&found, "/name");
            confirm(&format!("Delete the file {named} of {}", cell(&collection)), Sure::from(yes))?;
            session.done(Ask::delete(&within.path(&[&id_of(&found)])), &format!("The file {named} is gone.")).await
        }
    }
}

impl Within<'_> {
    fn path<'b>(&'b self, rest: &[&'b str]) -> Vec<&'b str> {
        ["admin", "apps", self.app, "files", self.collection].into_iter().chain(rest.iter().copied()).collect()
    }

    /// What is known of a file, by id or name.
    async fn file(&self, named: &str) -> Result<Value> {
        if is_id(named) {
            return self.session.api.ask(Ask::get(&self.path(&[named]))).await?.value();
        }
        let none =
            || Failure::new(Exit::NotFound, format!("no file `{}` in the collection {}", cell(named), cell(self.collection)));
        self.called(named).await?.ok_or_else(none)
    }

    /// The file of that name. By name it is the first of those that begin so.
    async fn called(&self, name: &str) -> Result<Option<Value>> {
        let ask = Ask::get(&self.path(&[])).query("prefix", name).query("limit", "1");
        let found = self.session.api.ask(ask).await?.value()?;
        Ok(found.pointer("/items/0").filter(|file| has(file, "name", name)).cloned())
    }

    async fn get(&self, named: &str, output: Option<PathBuf>, force: bool) -> Result<()> {
        let to_out = output.as_deref() == Some(Path::new("-"));
        if to_out && self.session.json {
            return Err(Failure::new(Exit::Usage, "standard output cannot have the content and JSON: leave out -o - or --json"));
        }
        if to_out && io::stdout().is_terminal() {
            return Err(Failure::new(Exit::Usage, "a content is nothing for a terminal").hinting("-o FILE, or a pipe"));
        }
        let file = self.file(named).await?;
        let mut target = match output {
            _ if to_out => Target::Out,
            Some(path) => Target::File(Draft::beside(path, force)?),
            None => Target::File(Draft::beside(name_here(file.get("name").and_then(Value::as_str).unwrap_or_default())?, force)?),
        };
        let opened = self.session.api.open(Ask::get(&self.path(&[&id_of(&file), "content"]))).await?;
        if !opened.status.is_success() {
            let refusal = Refusal::of(&opened.read().await?);
            return Err(refusal.map_or_else(not_a_node, |refusal| refusal.into_failure(&self.session.api.origin)));
        }
        let bytes = self.take(opened, &mut target, file.get("size_bytes").and_then(Value::as_u64).unwrap_or_default()).await?;
        let Target::File(draft) = target else { return Ok(()) };
        let path = draft.keep()?;
        if self.session.json {
            return self.session.print_json(&file);
        }
        print(&format!("{} is here: {} ({bytes} bytes)\n", text_at(&file, "/name"), cell(&path.to_string_lossy())));
        Ok(())
    }

    /// Takes a content to its end; how many bytes it was.
    async fn take(&self, mut opened: Opened, target: &mut Target, total: u64) -> Result<u64> {
        let mut taken = 0;
        let silent = || {
            let line = format!("{} sent nothing for {} s", self.session.api.origin.as_str(), limits::CLIENT_ANSWER_MS / 1000);
            Failure::new(Exit::Unreachable, line)
        };
        loop {
            let next = timeout(Duration::from_millis(limits::CLIENT_ANSWER_MS), opened.next()).await;
            let Some(piece) = next.unwrap_or_else(|_| Err(silent()))? else { return Ok(taken) };
            taken += piece.len() as u64;
            match target {
                Target::Out if io::stdout().lock().write_all(&piece).and_then(|()| io::stdout().flush()).is_ok() => {}
                // A reader that went away is no failure of ours.
                Target::Out => return Ok(taken),
                Target::File(draft) => draft.file.write_all(&piece).map_err(|error| unwritable(&draft.part, &error))?,
            }
            far(taken, total);
        }
    }

    async fn put(&self, path: &Path, name: &str, content_type: Option<&str>, replace: bool) -> Result<()> {
        let (content, bytes) = content(path).await?;
        // Asked before anything is sent, as the node would answer only then.
        let there = self.called(name).await?;
        match there {
            Some(file) if replace => {
                let revision = file.get("revision").map(ToString::to_string);
                self.session.api.ask(only_if(Ask::delete(&self.path(&[&id_of(&file)])), revision.as_deref())?).await?;
                say(&format!("the file {} that was there ({}) is gone", cell(name), text_at(&file, "/id")));
            }
            Some(_) => return Err(taken(Failure::new(Exit::Conflict, format!("there is a file `{}` already", cell(name))))),
            None => {}
        }
        let mut ask = Ask::post(&self.path(&[])).query("name", name).streaming(content, bytes);
        if let Some(content_type) = content_type.or_else(|| type_of(name)).or_else(|| type_of(&path.to_string_lossy())) {
            ask = ask.header(CONTENT_TYPE, content_type)?;
        }
        let told = |file: &Value| {
            let text = |pointer| text_at(file, pointer);
            let (name, bytes, kind) = (text("/name"), text("/size_bytes"), text("/content_type"));
            format!("The file {name} is kept ({bytes} bytes, {kind}, id {}).\n", text("/id"))
        };
        let told = self.session.tell(ask, told).await;
        told.map_err(|failure| if failure.exit() == Exit::Conflict { taken(failure) } else { failure })
    }
}

fn taken(failure: Failure) -> Failure {
    failure.hinting("--replace deletes the file that has the name first; --name gives another one")
}

/// What is sent, and how long it is. A file that grows meanwhile is sent as it was long; one that shrinks, not at all.
async fn content(path: &Path) -> Result<(Content, u64)> {
    if path == Path::new("-") {
        let bytes = input::stdin()?;
        let length = bytes.len() as u64;
        return Ok((pieces(io::Cursor::new(bytes), length), length));
    }
    let shown = cell(&path.to_string_lossy());
    let unreadable = |error: io::Error| Failure::new(Exit::Usage, format!("{shown} cannot be read: {error}"));
    // Of a pipe that nobody writes to not even the opening would end.
    let known = tokio::fs::metadata(path).await.map_err(unreadable)?;
    if !known.is_file() {
        return Err(Failure::new(Exit::Usage, format!("{shown} is no file")).hinting("what a pipe brings is sent as `-`"));
    }
    if known.len() > limits::FILE_BYTES_MAX {
        let line = format!("{shown} holds {} bytes; a file has at most {}", known.len(), limits::FILE_BYTES_MAX);
        return Err(Failure::new(Exit::Refused, line));
    }
    let file = tokio::fs::File::open(path).await.map_err(unreadable)?;
    Ok((pieces(file, known.len()), known.len()))
}

/// So many bytes of what is read, one piece after the other.
fn pieces(from: impl tokio::io::AsyncRead + Unpin + Send + 'static, total: u64) -> Content {
    let pieces = stream::try_unfold((from.take(total), 0), move |(mut from, sent)| async move {
        let mut piece = Vec::with_capacity(limits::CLIENT_PIECE_BYTES);
        if from.read_buf(&mut piece).await? == 0 {
            return Ok::<_, io::Error>(None);
        }
        let sent = sent + piece.len() as u64;
        far(sent, total);
        Ok(Some((Frame::data(Bytes::from(piece)), (from, sent))))
    });
    StreamBody::new(pieces).boxed_unsync()
}

fn far(done: u64, total: u64) {
    if total >= limits::CLIENT_LONG_BYTES_MIN {
        progress(done, total);
    }
}

impl Draft {
    /// Beside the place that it is for, where nothing is to be unless that may be written over.
    fn beside(path: PathBuf, force: bool) -> Result<Self> {
        let shown = cell(&path.to_string_lossy());
        match fs::symlink_metadata(&path) {
            Ok(there) if !there.is_file() => {
                return Err(Failure::new(Exit::Conflict, format!("{shown} is there, and is no plain file")).hinting("-o FILE"));
            }
            Ok(_) if !force => return Err(there_already(&path)),
            _ => {}
        }
        if path.file_name().is_none() {
            return Err(Failure::new(Exit::Usage, format!("`{shown}` is no name of a file")));
        }
        // Not longer for a name that is as long as one may be.
        let part = path.with_file_name(format!(".picloud.{}.part", std::process::id()));
        // What a process that was killed left.
        let _ = fs::remove_file(&part);
        let file = OpenOptions::new().write(true).create_new(true).open(&part);
        let file = file.map_err(|error| unwritable(&part, &error))?;
        Ok(Self { file, part, path, force })
    }

    /// Puts it where it is to be.
    fn keep(self) -> Result<PathBuf> {
        self.file.sync_all().map_err(|error| unwritable(&self.part, &error))?;
        let renamed = match self.force {
            true => Err(Errno::NOSYS),
            false => renameat_with(CWD, &self.part, CWD, &self.path, RenameFlags::NOREPLACE),
        };
        match renamed {
            Ok(()) => {}
            Err(Errno::EXIST) => return Err(there_already(&self.path)),
            // Not on every file system.
            Err(Errno::NOSYS | Errno::INVAL) if self.force || fs::symlink_metadata(&self.path).is_err() => {
                fs::rename(&self.part, &self.path).map_err(|error| unwritable(&self.path, &error))?;
            }
            Err(Errno::NOSYS | Errno::INVAL) => return Err(there_already(&self.path)),
            Err(error) => return Err(unwritable(&self.path, &error.into())),
        }
        Ok(self.path.clone())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Not there any more where it was kept.
        let _ = fs::remove_file(&self.part);
    }
}

fn there_already(path: &Path) -> Failure {
    let line = format!("{} is there already", cell(&path.to_string_lossy()));
    Failure::new(Exit::Conflict, line).hinting("--force writes over it, -o FILE puts it elsewhere")
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::new(Exit::Other, format!("{} cannot be written: {error}", cell(&path.to_string_lossy())))
}

/// The name that a file has on this machine.
fn name_of(path: &Path) -> Result<String> {
    if path == Path::new("-") {
        return Err(Failure::new(Exit::Usage, "how is it to be called? Name it with --name"));
    }
    let name = path.file_name().and_then(|name| name.to_str()).map(ToOwned::to_owned);
    name.ok_or_else(|| Failure::new(Exit::Usage, format!("`{}` is no name: give one with --name", cell(&path.to_string_lossy()))))
}

/// The last part of a name, as a name in this directory: none that hides, or that a person could not type.
fn name_here(name: &str) -> Result<PathBuf> {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    if last.is_empty() || last.starts_with(['.', '-']) || clean(last) != last || last.contains(['\n', '\t']) {
        let line = format!("`{}` is not taken for the name of a file here", cell(name));
        return Err(Failure::new(Exit::Usage, line).hinting("-o FILE says where to"));
    }
    Ok(last.into())
}

fn type_of(name: &str) -> Option<&'static str> {
    let (_, ending) = name.rsplit_once('.')?;
    TYPES.iter().find(|(known, _)| ending.eq_ignore_ascii_case(known)).map(|(_, told)| *told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_a_script_made_up_leads_to_no_other_place() {
        for (name, here) in
            [("a.pdf", "a.pdf"), ("2026/01 é.pdf", "01 é.pdf"), ("../../etc/passwd", "passwd"), ("C:\\a\\b.txt", "b.txt")]
        {
            assert_eq!(name_here(name).unwrap(), Path::new(here), "{name}");
        }
        for name in ["", "a/", "..", "a/..", ".bashrc", "home/.bashrc", "-rf", "a\nb", "a\u{1b}[2Jb", "a\u{202e}fdp.exe"] {
            let failure = name_here(name).unwrap_err();
            assert!(!failure.told().contains('\u{1b}') && failure.told().contains("-o FILE"), "{name:?}");
        }
    }

    #[test]
    fn what_is_there_is_not_written_over_unless_that_is_asked_for() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a");
        let write = |force: bool, text: &str| {
            let mut draft = Draft::beside(path.clone(), force)?;
            draft.file.write_all(text.as_bytes()).unwrap();
            draft.keep()
        };
        write(false, "one").unwrap();
        assert_eq!(write(false, "two").unwrap_err().exit(), Exit::Conflict);
        assert_eq!(fs::read_to_string(&path).unwrap(), "one");
        write(true, "two").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        // What came there meanwhile stays, too.
        fs::remove_file(&path).unwrap();
        let draft = Draft::beside(path.clone(), false).unwrap();
        fs::write(&path, "other").unwrap();
        assert_eq!(draft.keep().unwrap_err().exit(), Exit::Conflict);
        assert_eq!(fs::read_to_string(&path).unwrap(), "other");
        // Neither a directory nor a device is ever replaced, and nothing is left over.
        assert!(Draft::beside(home.path().to_owned(), true).is_err());
        assert!(Draft::beside("/dev/null".into(), true).is_err());
        drop(Draft::beside(home.path().join("b"), false).unwrap());
        let left: Vec<_> = fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["a"]);
    }

    #[test]
    fn what_a_file_is_is_told_by_its_ending() {
        assert_eq!(type_of("a.b/c.PDF"), Some("application/pdf"));
        assert_eq!(type_of("pdf"), None);
        assert_eq!(type_of("a.unheard"), None);
        assert!(TYPES.is_sorted_by(|a, b| a.0 < b.0), "each once, in order");
    }

    #[tokio::test]
    async fn a_file_is_sent_up_to_the_longest_that_a_node_keeps() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a");
        let file = File::create(&path).unwrap();
        for (bytes, is_sent) in [(0, true), (limits::FILE_BYTES_MAX, true), (limits::FILE_BYTES_MAX + 1, false)] {
            file.set_len(bytes).unwrap();
            match content(&path).await {
                Ok((sent, length)) => {
                    assert!(is_sent && length == bytes, "{bytes}");
                    assert_eq!(sent.collect().await.unwrap().to_bytes().len() as u64, bytes);
                }
                Err(failure) => assert!(!is_sent && failure.exit() == Exit::Refused, "{bytes}"),
            }
        }
    }

    #[tokio::test]
    async fn a_file_that_grows_is_sent_as_it_was_long() {
        let sent = pieces(&b"abcdef"[..], 4).collect().await.unwrap().to_bytes();
        assert_eq!(sent, "abcd");
    }
}
