//! The lines of an archive: one JSON object for an entry, a document, a file.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::content_entry;
use crate::error::{Error, Result};
use crate::limits;
use crate::model::docs::{Data, shown};
use crate::model::kv::{Encoding, Value};
use crate::model::{files, text};

/// An entry of `kv`. Its revision is not kept: where it is brought in it is new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KvEntry {
    pub collection: String,
    pub key: String,
    pub value: Value,
    pub expires_at: Option<DateTime<Utc>>,
}

/// A document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentEntry {
    pub collection: String,
    pub id: String,
    pub data: Data,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// What is known of a file; its content is an entry of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEntry {
    pub collection: String,
    pub name: String,
    pub content_type: String,
    pub size_bytes: u64,
    pub sha256: [u8; 32],
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// JSON text is written as it is, as `value`; as `text`, in a string, where it would not stay on its line as it is.
#[derive(Serialize)]
struct KvWritten<'a> {
    collection: &'a str,
    key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    /// Base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    blob: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<DateTime<Utc>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KvRead {
    collection: String,
    key: String,
    #[serde(default, deserialize_with = "present")]
    value: Option<Box<RawValue>>,
    text: Option<String>,
    blob: Option<String>,
    expires_at: Option<DateTime<Utc>>,
}

#[derive(Serialize)]
struct DocumentWritten<'a> {
    collection: &'a str,
    id: &'a str,
    data: &'a RawValue,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DocumentRead {
    collection: String,
    id: String,
    data: Box<RawValue>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

#[derive(Serialize)]
struct FileWritten<'a> {
    collection: &'a str,
    name: &'a str,
    content_type: &'a str,
    size: u64,
    sha256: String,
    blob: String,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileRead {
    collection: String,
    name: String,
    content_type: String,
    size: u64,
    sha256: String,
    blob: String,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// What is there, `null` too.
fn present<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(from).map(Some)
}

impl KvEntry {
    /// Adds its line. `internal` for JSON that is no text.
    pub fn write(&self, out: &mut Vec<u8>) -> Result<()> {
        let Self { collection, key, value, expires_at } = self;
        let mut line = KvWritten { collection, key, value: None, text: None, blob: None, expires_at: *expires_at };
        match value.encoding {
            Encoding::Blob => line.blob = Some(BASE64.encode(&value.bytes)),
            Encoding::Json => {
                line.value = as_it_is(&value.bytes);
                if line.value.is_none() {
                    line.text = Some(std::str::from_utf8(&value.bytes).map_err(Error::internal)?);
                }
            }
        }
        end(out, &line)
    }

    /// 422 as `service::kv::set`, in words.
    pub fn read(line: &[u8], now: DateTime<Utc>) -> Result<Self> {
        let KvRead { collection, key, value, text, blob, expires_at } = parse(line)?;
        text::collection(&collection)?;
        text::name_bytes("key", &key, limits::KV_KEY_BYTES_MAX)?;
        let (encoding, bytes) = match (value, text, blob) {
            (Some(value), None, None) => (Encoding::Json, String::from(Box::<str>::from(value)).into_bytes()),
            (None, Some(text), None) => {
                if let Err(error) = serde_json::from_str::<&RawValue>(&text) {
                    return Err(Error::invalid("text", format!("text is not JSON: {error}")));
                }
                (Encoding::Json, text.into_bytes())
            }
            (None, None, Some(blob)) => {
                let bytes = BASE64.decode(&blob);
                (Encoding::Blob, bytes.map_err(|error| Error::invalid("blob", format!("blob is not base64: {error}")))?)
            }
            _ => return Err(Error::invalid("value", "there is one of value, text and blob")),
        };
        if bytes.len() > limits::KV_VALUE_BYTES_MAX {
            return Err(text::too_long("value", bytes.len(), limits::KV_VALUE_BYTES_MAX, "bytes"));
        }
        if encoding == Encoding::Json {
            check_depth(&bytes)?;
        }
        let latest = now + TimeDelta::seconds(limits::KV_TTL_S_MAX);
        // Clocks differ: what was written with the longest time to live has that here, too.
        let expires_at = expires_at.map(|at| at.trunc_subsecs(6).min(latest));
        if expires_at.is_some_and(|at| at < DateTime::UNIX_EPOCH) {
            return Err(Error::invalid("expires_at", "expires_at is before 1970"));
        }
        Ok(Self { collection, key, value: Value { encoding, bytes }, expires_at })
    }
}

impl DocumentEntry {
    /// Adds the line of a document whose data is what the database gives for it.
    pub fn write_stored(out: &mut Vec<u8>, document: &Stored<'_>) -> Result<()> {
        let data = RawValue::from_string(shown(document.data)).map_err(Error::internal)?;
        let Stored { collection, id, created_at, updated_at, .. } = *document;
        end(out, &DocumentWritten { collection, id, data: &data, created_at, updated_at })
    }

    /// 422 as `service::docs::create`, in words.
    pub fn read(line: &[u8], now: DateTime<Utc>) -> Result<Self> {
        let DocumentRead { collection, id, data, created_at, updated_at } = parse(line)?;
        text::collection(&collection)?;
        text::name_bytes("id", &id, limits::DOCS_ID_BYTES_MAX)?;
        let data = Data::read(data.get().as_bytes())?;
        let (created_at, updated_at) = times(created_at, updated_at, now);
        Ok(Self { collection, id, data, created_at, updated_at })
    }
}

/// A document as the database gives it.
#[derive(Debug, Clone, Copy)]
pub struct Stored<'a> {
    pub collection: &'a str,
    pub id: &'a str,
    pub data: &'a str,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl FileEntry {
    /// Adds its line.
    pub fn write(&self, out: &mut Vec<u8>) -> Result<()> {
        let Self { collection, name, content_type, size_bytes, sha256, created_at, updated_at } = self;
        let line = FileWritten {
            collection,
            name,
            content_type,
            size: *size_bytes,
            sha256: text::hex(sha256),
            blob: content_entry(sha256),
            created_at: *created_at,
            updated_at: *updated_at,
        };
        end(out, &line)
    }

    /// 422 as `service::files::create`, in words.
    pub fn read(line: &[u8], now: DateTime<Utc>) -> Result<Self> {
        let FileRead { collection, name, content_type, size, sha256, blob, created_at, updated_at } = parse(line)?;
        files::check_place(&collection, &name)?;
        files::check_content_type(&content_type)?;
        if size > limits::FILE_BYTES_MAX {
            let (asked, allowed) = (size, limits::FILE_BYTES_MAX);
            return Err(Error::invalid("size", format!("size is {asked} bytes; at most {allowed} are allowed")));
        }
        let sha256 = hash(&sha256).ok_or_else(|| Error::invalid("sha256", "sha256 is not 64 lower-case hex digits"))?;
        if blob != content_entry(&sha256) {
            return Err(Error::invalid("blob", "blob is not the entry of that hash"));
        }
        let (created_at, updated_at) = times(created_at, updated_at, now);
        Ok(Self { collection, name, content_type, size_bytes: size, sha256, created_at, updated_at })
    }
}

/// That each thing stands after the one before: nothing comes twice.
#[derive(Debug, Default)]
pub struct Order {
    last: Option<(String, String)>,
}

impl Order {
    /// 422 for what does not come next.
    pub fn next(&mut self, collection: &str, name: &str) -> Result<()> {
        let is_next = self.last.as_ref().is_none_or(|(c, n)| (c.as_str(), n.as_str()) < (collection, name));
        if !is_next {
            return Err(Error::invalid("collection", "lines stand in the order of collection and name, each once"));
        }
        self.last = Some((collection.to_owned(), name.to_owned()));
        Ok(())
    }
}

/// Sixty-four lower-case hex digits.
fn hash(hex: &str) -> Option<[u8; 32]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; 32];
    if hex.len() != 2 * bytes.len() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        *byte = digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?;
    }
    Some(bytes)
}

/// JSON text that can stand on a line and be read back as the same bytes.
fn as_it_is(json: &[u8]) -> Option<&RawValue> {
    let raw: &RawValue = serde_json::from_slice(json).ok()?;
    (raw.get().len() == json.len() && !raw.get().contains(['\n', '\r'])).then_some(raw)
}

fn check_depth(json: &[u8]) -> Result<()> {
    let depth = std::str::from_utf8(json).map_or(usize::MAX, text::json_depth);
    let allowed = limits::JSON_DEPTH_MAX;
    if depth > allowed {
        return Err(Error::invalid("value", format!("value is nested deeper than {allowed} maps and arrays")));
    }
    Ok(())
}

/// Neither before 1970 nor after now, and in their order.
fn times(created_at: DateTime<Utc>, updated_at: DateTime<Utc>, now: DateTime<Utc>) -> (DateTime<Utc>, DateTime<Utc>) {
    let created_at = super::moment(created_at, now);
    (created_at, super::moment(updated_at, now).max(created_at))
}

fn end(out: &mut Vec<u8>, line: &impl Serialize) -> Result<()> {
    serde_json::to_writer(&mut *out, line).map_err(Error::internal)?;
    out.push(b'\n');
    Ok(())
}

/// A line without its end.
fn parse<T: for<'de> Deserialize<'de>>(line: &[u8]) -> Result<T> {
    if line.first() != Some(&b'{') {
        return Err(Error::invalid("line", "a line is a JSON object"));
    }
    serde_json::from_slice(line).map_err(|error| {
        let text = error.to_string();
        let position = format!(" at line {} column {}", error.line(), error.column());
        let reason = text.strip_suffix(&position).unwrap_or(&text);
        Error::invalid("line", format!("{reason} (column {})", error.column()))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-01-02T03:04:05.678901Z".parse().unwrap()
    }

    fn kv(encoding: Encoding, bytes: &[u8]) -> KvEntry {
        let value = Value { encoding, bytes: bytes.to_vec() };
        KvEntry { collection: "c\n\"".into(), key: "k\u{1}é".into(), value, expires_at: Some(now()) }
    }

    fn line(entry: &KvEntry) -> Vec<u8> {
        let mut out = Vec::new();
        entry.write(&mut out).unwrap();
        assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 1, "a line is one line");
        out.pop();
        out
    }

    #[test]
    fn what_was_written_is_read_byte_for_byte() {
        for json in ["null", "1.0", "1e400", "{\"b\":1,\"a\":[ 2 ]}", "\"\\u0000\\n\"", " 1", "[1,\n2]", "[\r1]", "-0"] {
            let entry = kv(Encoding::Json, json.as_bytes());
            assert_eq!(KvEntry::read(&line(&entry), now()).unwrap(), entry, "{json}");
        }
        let blob = kv(Encoding::Blob, &[0, 255, b'\n']);
        assert_eq!(KvEntry::read(&line(&blob), now()).unwrap(), blob);
    }

    #[test]
    fn the_longest_line_is_within_its_bound() {
        let mut entry = kv(Encoding::Json, format!("\n\"{}\"", "\\".repeat(limits::KV_VALUE_BYTES_MAX - 4)).as_bytes());
        entry.collection = "\u{1}".repeat(limits::COLLECTION_NAME_BYTES_MAX);
        entry.key = "\u{1}".repeat(limits::KV_KEY_BYTES_MAX);
        assert!(line(&entry).len() < limits::ARCHIVE_LINE_BYTES_MAX);
        const { assert!(2 * limits::DOCS_DATA_BYTES_MAX < limits::ARCHIVE_LINE_BYTES_MAX) };
    }

    #[test]
    fn an_entry_passes_the_rules_of_a_write() {
        let read = |text: &str| KvEntry::read(text.as_bytes(), now()).map_err(|error| error.message.into_owned());
        assert!(read(r#"{"collection":"c","key":"k","value":1}"#).is_ok());
        let deep = format!("{}{}", "[".repeat(limits::JSON_DEPTH_MAX + 1), "]".repeat(limits::JSON_DEPTH_MAX + 1));
        let long = "k".repeat(limits::KV_KEY_BYTES_MAX + 1);
        for (text, why) in [
            (r#"{"collection":"","key":"k","value":1}"#.to_owned(), "must not be empty"),
            (r#"{"collection":"c","key":"k\u0000","value":1}"#.to_owned(), "NUL"),
            (format!(r#"{{"collection":"c","key":"{long}","value":1}}"#), "at most 512"),
            (r#"{"collection":"c","key":"k"}"#.to_owned(), "one of"),
            (r#"{"collection":"c","key":"k","value":1,"blob":""}"#.to_owned(), "one of"),
            (r#"{"collection":"c","key":"k","text":"{"}"#.to_owned(), "not JSON"),
            (r#"{"collection":"c","key":"k","blob":"!"}"#.to_owned(), "not base64"),
            (format!(r#"{{"collection":"c","key":"k","value":{deep}}}"#), "nested deeper"),
            (r#"{"collection":"c","key":"k","value":1,"x":1}"#.to_owned(), "unknown field"),
            (r#"{"collection":"c","key":"k","key":"l","value":1}"#.to_owned(), "duplicate field"),
            (r#"{"collection":"c","key":"k","value":1,"expires_at":"1969-12-31T00:00:00Z"}"#.to_owned(), "before 1970"),
            (r#"{"collection":"c","key":"k","value":1} x"#.to_owned(), "trailing"),
            ("[]".to_owned(), "a JSON object"),
            (String::new(), "a JSON object"),
        ] {
            let refused = read(&text).unwrap_err();
            assert!(refused.contains(why), "{text}: {refused}");
        }
        let sized = |bytes: usize| format!(r#"{{"collection":"c","key":"k","value":"{}"}}"#, "x".repeat(bytes - 2));
        assert!(read(&sized(limits::KV_VALUE_BYTES_MAX)).is_ok() && read(&sized(limits::KV_VALUE_BYTES_MAX + 1)).is_err());
    }

    #[test]
    fn a_document_reads_back_and_is_never_of_tomorrow() {
        let stored = Stored {
            collection: "c",
            id: "i",
            data: r#"{"a": [1, 0.00, "x\n"], "b": 100000000000000000000000000.0}"#,
            created_at: now(),
            updated_at: now(),
        };
        let mut out = Vec::new();
        DocumentEntry::write_stored(&mut out, &stored).unwrap();
        let read = DocumentEntry::read(out.trim_ascii_end(), now()).unwrap();
        assert_eq!(read.data.shown(), r#"{"a":[1,-0.0,"x\n"],"b":1e+26}"#);
        assert_eq!((read.created_at, read.updated_at), (now(), now()));
        let earlier = now() - TimeDelta::days(1);
        let read = DocumentEntry::read(out.trim_ascii_end(), earlier).unwrap();
        assert_eq!((read.created_at, read.updated_at), (earlier, earlier));
        let times = r#""created_at":"2026-01-02T03:04:05Z","updated_at":"2026-01-02T03:04:05Z""#;
        let bad = format!(r#"{{"collection":"c","id":"i","data":[],{times}}}"#);
        assert!(DocumentEntry::read(bad.as_bytes(), now()).unwrap_err().message.contains("a document is a map"));
    }

    #[test]
    fn a_file_reads_back_and_names_its_own_content() {
        let file = FileEntry {
            collection: "c".into(),
            name: "../../etc/passwd".into(),
            content_type: "text/plain".into(),
            size_bytes: 3,
            sha256: [0xab; 32],
            created_at: now(),
            updated_at: now(),
        };
        let mut out = Vec::new();
        file.write(&mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(FileEntry::read(text.trim_end().as_bytes(), now()).unwrap(), file);
        for (from, to) in [
            ("files/ab", "files/ac"),
            (r#""sha256":"ab"#, r#""sha256":"AB"#),
            (r#""size":3"#, r#""size":16777217"#),
            ("text/plain", "text"),
        ] {
            let bad = text.replacen(from, to, 1);
            assert!(FileEntry::read(bad.trim_end().as_bytes(), now()).is_err(), "{bad}");
        }
    }

    #[test]
    fn lines_are_in_order_and_none_comes_twice() {
        let mut order = Order::default();
        for (c, n) in [("a", "b"), ("a", "ba"), ("b", "a"), ("b", "é")] {
            assert!(order.next(c, n).is_ok());
        }
        assert!(order.next("b", "é").is_err() && order.next("a", "z").is_err());
    }

    proptest! {
        #[test]
        fn any_blob_and_any_text_survive(bytes in proptest::collection::vec(any::<u8>(), 0..64), text in ".*") {
            let blob = kv(Encoding::Blob, &bytes);
            prop_assert_eq!(KvEntry::read(&line(&blob), now()).unwrap(), blob);
            let json = kv(Encoding::Json, serde_json::to_string(&text).unwrap().as_bytes());
            prop_assert_eq!(KvEntry::read(&line(&json), now()).unwrap(), json);
        }
    }
}
