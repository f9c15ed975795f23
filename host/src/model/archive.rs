//! The archive of an app: all that it is and holds, but its secrets, in one file.
//!
//! A tar of plain files, packed by zstd as one frame. There is one way to write an app, so the same state gives the same bytes:
//! `manifest.json` (what the app is: `manifest`), `scripts/{name}/{number}.rhai` (the sources, in the manifest's order),
//! `kv.ndjson`, `docs.ndjson` and `files.ndjson` (a line for each thing, in bytewise order of collection and name: `line`),
//! `files/{sha256}` (each content once, in order of its name), and `end.json` (what came before: its size, hash and counts).
//! Every header is the one that `block` makes of name and size; times, owners and modes are the same for all.
//!
//! What is read is believed in nothing. Each entry must be the one that belongs there, so nothing can come twice, go missing or
//! be a link, and no name of an entry ever becomes a path. Each value passes the rules that hold where it is made otherwise. A
//! refusal says which entry and line, and why.

pub mod block;
pub mod line;
pub mod manifest;
pub mod plan;
pub mod triggers;

use std::fmt::Display;

use chrono::{DateTime, SubsecRound as _, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::error::{Error, Kind};
use crate::limits;
use crate::model::text;

pub use self::line::{DocumentEntry, FileEntry, KvEntry};
pub use self::manifest::Manifest;
pub use self::plan::Plan;

/// The entries that every archive has.
pub const MANIFEST: &str = "manifest.json";
pub const KV: &str = "kv.ndjson";
pub const DOCS: &str = "docs.ndjson";
pub const FILES: &str = "files.ndjson";
pub const END: &str = "end.json";

/// The entry of a source.
pub fn source_entry(script: &str, number: i32) -> String {
    format!("scripts/{script}/{number}.rhai")
}

/// The entry of a file's content.
pub fn content_entry(sha256: &[u8; 32]) -> String {
    format!("files/{}", text::hex(sha256))
}

/// How much an archive that is read may be, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// As it comes.
    pub packed_bytes: u64,
    /// Unpacked, headers included; also all files together.
    pub unpacked_bytes: u64,
    /// Once so much has come out of it, it may not be more than `ARCHIVE_RATIO_MAX` times what went in.
    pub free_bytes: u64,
}

impl Bounds {
    /// One that is uploaded.
    pub const UPLOADED: Self = Self {
        packed_bytes: limits::ARCHIVE_BYTES_MAX,
        unpacked_bytes: limits::ARCHIVE_UNPACKED_BYTES_MAX,
        free_bytes: limits::ARCHIVE_RATIO_FREE_BYTES,
    };
    /// One that the operator has at hand: whatever was exported.
    pub const AT_HAND: Self = Self {
        packed_bytes: limits::ARCHIVE_UNPACKED_BYTES_MAX,
        free_bytes: limits::ARCHIVE_UNPACKED_BYTES_MAX,
        ..Self::UPLOADED
    };
}

/// What the app that is made of an archive is called; where nothing is said, as in the archive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    pub slug: Option<String>,
    pub name: Option<String>,
}

/// How many things there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    pub scripts: u64,
    pub versions: u64,
    pub routes: u64,
    pub triggers: u64,
    pub kv_entries: u64,
    pub documents: u64,
    pub files: u64,
}

/// What stands at the end of an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct End {
    pub counts: Counts,
    /// Of the tar before this entry.
    pub bytes: u64,
    /// Of the same, lower-case hex.
    pub sha256: String,
}

/// 422 `invalid_archive`: which entry and line, and why.
pub fn refused(entry: &str, line: Option<u64>, why: impl Display) -> Error {
    let entry = text::cut(entry, limits::API_ERROR_FIELD_BYTES_MAX);
    let message = match line {
        Some(line) => format!("{entry}, line {line}: {why}"),
        None => format!("{entry}: {why}"),
    };
    Error::new(Kind::Invalid, "invalid_archive", seen(&message)).with_details(json!({ "entry": entry, "line": line }))
}

/// The same for what a rule of the platform refuses; what is no refusal stays what it is.
pub fn refusing(entry: &str, line: Option<u64>, error: Error) -> Error {
    match error.kind {
        Kind::Invalid | Kind::Malformed | Kind::TooLarge | Kind::Conflict if error.code != "invalid_archive" => {
            refused(entry, line, error.message)
        }
        _ => error,
    }
}

/// A time from outside: neither before 1970 nor after now, in microseconds.
fn moment(at: DateTime<Utc>, now: DateTime<Utc>) -> DateTime<Utc> {
    at.max(DateTime::UNIX_EPOCH).min(now).trunc_subsecs(6)
}

/// Words that quote an archive, for a terminal too: bounded, and without what steers one.
fn seen(words: &str) -> String {
    let words = text::cut(words, limits::API_ERROR_MESSAGE_BYTES_MAX);
    words.chars().map(|c| if c.is_control() || text::is_unseen(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// What whoever imports should know, in the order in which it was found; bounded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notes {
    texts: Vec<String>,
    more: usize,
}

impl Notes {
    pub fn add(&mut self, note: impl Into<String>) {
        if self.texts.len() < limits::ARCHIVE_NOTES_MAX {
            self.texts.push(seen(&note.into()));
        } else {
            self.more += 1;
        }
    }

    pub fn into_texts(mut self) -> Vec<String> {
        if self.more > 0 {
            self.texts.push(format!("and {} more of these notes", self.more));
        }
        self.texts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_entry_line_and_reason() {
        let error = refused(KV, Some(7), "no such thing");
        assert_eq!((error.kind, error.code), (Kind::Invalid, "invalid_archive"));
        assert_eq!(error.message, "kv.ndjson, line 7: no such thing");
        assert_eq!(error.details, Some(json!({ "entry": "kv.ndjson", "line": 7 })));
        assert!(refused(&"x".repeat(9_000), None, "no").message.len() < 200);
    }

    #[test]
    fn a_rules_refusal_is_told_with_its_place_and_a_failure_of_ours_is_not() {
        let told = refusing(DOCS, Some(1), Error::invalid("id", "id must not be empty"));
        assert_eq!(&*told.message, "docs.ndjson, line 1: id must not be empty");
        assert_eq!(refusing(DOCS, Some(2), told).message, "docs.ndjson, line 1: id must not be empty");
        assert_eq!(refusing(DOCS, None, Error::internal("x")).kind, Kind::Internal);
    }

    #[test]
    fn what_is_quoted_steers_no_terminal() {
        let error = refused(KV, None, "\u{1b}[2J\u{202e}x\n");
        assert_eq!(error.message, "kv.ndjson: \u{fffd}[2J\u{fffd}x\u{fffd}");
    }

    #[test]
    fn notes_are_bounded() {
        let mut notes = Notes::default();
        for n in 0..limits::ARCHIVE_NOTES_MAX + 2 {
            notes.add(format!("note {n}"));
        }
        let texts = notes.into_texts();
        assert_eq!((texts.len(), texts.last().unwrap().as_str()), (limits::ARCHIVE_NOTES_MAX + 1, "and 2 more of these notes"));
        let mut notes = Notes::default();
        notes.add("n");
        assert_eq!(notes.into_texts(), ["n"]);
    }
}
