//! Files: bytes under a name, and what is known of them.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::http::is_token;
use super::text;
use crate::error::{Error, Kind, Result};
use crate::id::{BlobId, FileId};
use crate::limits;

/// What scripts are told of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    pub id: FileId,
    pub name: String,
    pub content_type: String,
    pub size_bytes: u64,
    pub sha256: [u8; 32],
    /// Grows by one with every update. A new file begins at the microseconds since 1970, so a number that a name once had does
    /// not come again when the file was deleted and made anew.
    pub revision: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// The bytes of one version, as they lie on disk: never changed once they are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    pub id: BlobId,
    pub size_bytes: u64,
    pub sha256: [u8; 32],
    /// SHA-256 of each piece of `FILE_PIECE_BYTES`, one after the other; the last piece may be shorter.
    pub pieces_sha256: Vec<u8>,
}

/// A file with where its bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    pub metadata: Metadata,
    pub blob: Blob,
}

/// Bytes from `start` on, at most `len`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    pub start: u64,
    pub len: u64,
}

impl Range {
    /// The part of a file of `size_bytes` that the range covers, as its first byte and the one after its last.
    pub fn within(self, size_bytes: u64) -> (u64, u64) {
        let start = self.start.min(size_bytes);
        (start, start.saturating_add(self.len).min(size_bytes))
    }
}

impl Blob {
    /// The hash that a piece must have.
    pub fn piece_sha256(&self, piece: u64) -> Option<&[u8]> {
        let start = usize::try_from(piece).ok()?.checked_mul(32)?;
        self.pieces_sha256.get(start..start.checked_add(32)?)
    }
}

/// When the writing of a blob began, as its id tells; `None` for an id that this platform did not make.
pub fn begun_at(blob: BlobId) -> Option<DateTime<Utc>> {
    let (seconds, nanos) = blob.0.get_timestamp()?.to_unix();
    DateTime::from_timestamp(i64::try_from(seconds).ok()?, nanos)
}

/// A file's place: collection 1..=`COLLECTION_NAME_BYTES_MAX` bytes, name 1..=`FILE_NAME_BYTES_MAX` bytes, no NUL. Any other
/// character is fine, for a name is never a path.
pub fn check_place(collection: &str, name: &str) -> Result<()> {
    text::collection(collection)?;
    text::name_bytes("name", name, limits::FILE_NAME_BYTES_MAX)
}

/// A media type, 1..=`FILE_CONTENT_TYPE_BYTES_MAX` bytes, `type/subtype` with parameters after a `;`: good as it is for the
/// header `content-type` (RFC 9110 §8.3.1).
pub fn check_content_type(content_type: &str) -> Result<()> {
    text::name_bytes("content_type", content_type, limits::FILE_CONTENT_TYPE_BYTES_MAX)?;
    let (media_type, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
    let is_media_type = media_type
        .trim_end_matches([' ', '\t'])
        .split_once('/')
        .is_some_and(|(kind, subkind)| [kind, subkind].iter().all(|part| !part.is_empty() && part.bytes().all(is_token)));
    let is_header = parameters.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte));
    let ends_well = !content_type.ends_with([' ', '\t']);
    if is_media_type && is_header && ends_well {
        return Ok(());
    }
    Err(Error::invalid(
        "content_type",
        format!(
            "content_type {:?} is no media type: `type/subtype` is allowed, with parameters in plain ASCII after a `;`",
            text::cut(content_type, limits::COLLECTION_NAME_BYTES_MAX)
        ),
    ))
}

/// All pieces but the last have `FILE_PIECE_BYTES` bytes.
pub fn check_piece(bytes: usize) -> Result<()> {
    let exact = limits::FILE_PIECE_BYTES;
    if bytes == exact {
        return Ok(());
    }
    Err(Error::invalid("piece", format!("a piece has {bytes} bytes; all but the last have {exact}")))
}

/// What an upload comes to with a last piece, or one more, which may be shorter.
pub fn whole_size(so_far: u64, piece_bytes: usize) -> Result<u64> {
    if piece_bytes > limits::FILE_PIECE_BYTES {
        return Err(text::too_long("piece", piece_bytes, limits::FILE_PIECE_BYTES, "bytes"));
    }
    let (asked, allowed) = (so_far.saturating_add(piece_bytes as u64), limits::FILE_BYTES_MAX);
    if asked > allowed {
        let (asked, allowed) = (usize::try_from(asked).unwrap_or(usize::MAX), usize::try_from(allowed).unwrap_or(usize::MAX));
        return Err(text::too_long("content", asked, allowed, "bytes"));
    }
    Ok(asked)
}

/// 409: the name is another file's.
pub fn name_taken(name: &str) -> Error {
    let message = format!("there is already a file {:?} in the collection; update or delete it", shown(name));
    Error::conflict(message, json!({ "field": "name" }))
}

/// 404: there is nothing to update.
pub fn missing(name: &str) -> Error {
    let message = format!("there is no file {:?} in the collection; create it", shown(name));
    Error::new(Kind::NotFound, "not_found", message)
}

/// 409: the file has another revision than the update asks for.
pub fn another_revision(name: &str, revision: i64, asked: i64) -> Error {
    let message = format!("the file {:?} has revision {revision}, not {asked}", shown(name));
    Error::conflict(message, json!({ "field": "if_revision", "revision": revision }))
}

/// What a handler sees of a write: the file's metadata, and what it was before.
pub fn told_of(collection: &str, after: Option<&Metadata>, before: Option<&Metadata>) -> Map<String, Value> {
    let mut about = after.map(known_of).unwrap_or_default();
    about.insert("collection".to_owned(), collection.into());
    if let Some(file) = after.or(before) {
        about.insert("name".to_owned(), file.name.as_str().into());
    }
    about.insert("prev".to_owned(), before.map_or(Value::Null, |before| known_of(before).into()));
    about
}

fn known_of(file: &Metadata) -> Map<String, Value> {
    let known = json!({
        "id": file.id,
        "name": file.name,
        "content_type": file.content_type,
        "size": file.size_bytes,
        "sha256": text::hex(&file.sha256),
        "revision": file.revision,
        "created_at": file.created_at,
        "updated_at": file.updated_at,
    });
    if let Value::Object(map) = known { map } else { Map::new() }
}

/// A name as a message quotes it.
fn shown(name: &str) -> std::borrow::Cow<'_, str> {
    text::cut(name, limits::COLLECTION_NAME_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bounded_and_otherwise_free() {
        let (c, n) = (limits::COLLECTION_NAME_BYTES_MAX, limits::FILE_NAME_BYTES_MAX);
        assert!(check_place(&"c".repeat(c), &"n".repeat(n)).is_ok());
        assert!(check_place(&"c".repeat(c + 1), "n").is_err());
        assert!(check_place("c", &"n".repeat(n + 1)).is_err());
        for free in ["..", ".", "../x", "/etc/passwd", "a/../../b", "a\\b", "\u{202e}", "\n", " "] {
            assert!(check_place(free, free).is_ok(), "{free:?}");
        }
        for bad in ["", "\0", "a\0b"] {
            assert!(check_place("c", bad).is_err() && check_place(bad, "n").is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_content_type_is_good_for_a_header() {
        for good in
            ["text/plain", "text/plain; charset=utf-8", "image/svg+xml", "a/b;x=\"y; z\"", "application/vnd.a.b-c_d", "a/b ;q=1"]
        {
            assert!(check_content_type(good).is_ok(), "{good:?}");
        }
        for bad in [
            "",
            "text",
            "text/",
            "/plain",
            "text/pl ain",
            "a/b\r\nx: y",
            "a/b; c=\n",
            "a/b; c=é",
            "ä/b",
            "a/b ",
            " a/b",
            "a/b;\0",
            "a/b/c",
            "a/b\u{7f}",
        ] {
            assert!(check_content_type(bad).is_err(), "{bad:?}");
        }
        let sized = |n: usize| format!("a/{}", "b".repeat(n - 2));
        assert!(check_content_type(&sized(limits::FILE_CONTENT_TYPE_BYTES_MAX)).is_ok());
        assert!(check_content_type(&sized(limits::FILE_CONTENT_TYPE_BYTES_MAX + 1)).is_err());
    }

    #[test]
    fn a_range_never_leaves_its_file() {
        let within = |start, len, size| Range { start, len }.within(size);
        assert_eq!(within(0, 10, 10), (0, 10));
        assert_eq!(within(0, 11, 10), (0, 10));
        assert_eq!(within(9, 1, 10), (9, 10));
        assert_eq!(within(10, 1, 10), (10, 10));
        assert_eq!(within(u64::MAX, u64::MAX, 10), (10, 10));
        assert_eq!(within(3, u64::MAX, 10), (3, 10));
        assert_eq!(within(3, 0, 10), (3, 3));
    }

    #[test]
    fn a_blob_knows_when_it_was_begun() {
        let now = DateTime::from_timestamp_millis(1_700_000_000_123).unwrap();
        assert_eq!(begun_at(BlobId::at(now)), Some(now));
        assert_eq!(begun_at(BlobId(uuid::Uuid::nil())), None);
    }
}
