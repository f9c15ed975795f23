//! Rows in PostgreSQL's binary COPY format, built in one buffer: no text to escape here, none to parse there.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::postgres::PgCopyIn;
use uuid::Uuid;

use crate::limits;

const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
/// From 1970-01-01 to 2000-01-01, where PostgreSQL counts from, µs.
const EPOCH_US: i64 = 946_684_800_000_000;

/// What ends a stream.
pub(super) const END: [u8; 2] = (-1_i16).to_be_bytes();

/// What begins one: no flags, no header extension.
pub(super) fn header() -> Vec<u8> {
    [SIGNATURE, &[0; 8]].concat()
}

/// A buffer of rows. Each row: `row`, then exactly as many fields.
pub(super) struct Rows {
    bytes: Vec<u8>,
}

impl Rows {
    /// A buffer that begins a stream.
    pub(super) fn new() -> Self {
        let mut bytes = Vec::with_capacity(limits::COPY_CHUNK_BYTES + limits::LOG_LINE_BYTES_MAX);
        bytes.extend_from_slice(&header());
        Self { bytes }
    }

    pub(super) fn row(&mut self, fields: i16) {
        self.bytes.extend_from_slice(&fields.to_be_bytes());
    }

    pub(super) fn uuid(&mut self, value: Uuid) {
        self.field(value.as_bytes());
    }

    pub(super) fn i16(&mut self, value: i16) {
        self.field(&value.to_be_bytes());
    }

    pub(super) fn i32(&mut self, value: i32) {
        self.field(&value.to_be_bytes());
    }

    pub(super) fn i64(&mut self, value: i64) {
        self.field(&value.to_be_bytes());
    }

    pub(super) fn time(&mut self, value: DateTime<Utc>) {
        self.i64(value.timestamp_micros().saturating_sub(EPOCH_US));
    }

    /// Text; NUL, which a PostgreSQL text cannot hold, becomes U+FFFD.
    pub(super) fn text(&mut self, value: &str) {
        let mut parts = value.split('\0');
        self.sized(|bytes| {
            bytes.extend_from_slice(parts.next().unwrap_or_default().as_bytes());
            for part in parts {
                bytes.extend_from_slice("\u{FFFD}".as_bytes());
                bytes.extend_from_slice(part.as_bytes());
            }
        });
    }

    /// Text that is the JSON of `value`.
    pub(super) fn json(&mut self, value: &impl serde::Serialize) {
        // Writing to memory does not fail; were a value not to be JSON, a cut text would be read as "no detail".
        self.sized(|bytes| serde_json::to_writer(bytes, value).unwrap_or_default());
    }

    pub(super) fn null(&mut self) {
        self.bytes.extend_from_slice(&(-1_i32).to_be_bytes());
    }

    /// A field that may be null.
    pub(super) fn optional<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        match value {
            Some(value) => write(self, value),
            None => self.null(),
        }
    }

    /// Sends what has gathered once it is a chunk.
    pub(super) async fn drain(&mut self, to: &mut PgCopyIn<&mut PgConnection>) -> sqlx::Result<()> {
        if self.bytes.len() >= limits::COPY_CHUNK_BYTES {
            to.send(self.bytes.as_slice()).await?;
            self.bytes.clear();
        }
        Ok(())
    }

    /// Sends the rest and ends the stream.
    pub(super) async fn finish(mut self, mut to: PgCopyIn<&mut PgConnection>) -> sqlx::Result<()> {
        self.bytes.extend_from_slice(&END);
        to.send(self.bytes.as_slice()).await?;
        to.finish().await.map(drop)
    }

    fn field(&mut self, value: &[u8]) {
        let length = i32::try_from(value.len()).unwrap_or(i32::MAX);
        self.bytes.extend_from_slice(&length.to_be_bytes());
        self.bytes.extend_from_slice(value);
    }

    /// A field whose length is known once it is written.
    fn sized(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        self.null();
        let body = self.bytes.len();
        write(&mut self.bytes);
        let length = i32::try_from(self.bytes.len() - body).unwrap_or(i32::MAX);
        if let Some(place) = self.bytes.get_mut(start..body) {
            place.copy_from_slice(&length.to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Rows)) -> Vec<u8> {
        let mut rows = Rows::new();
        write(&mut rows);
        rows.bytes.split_off(SIGNATURE.len() + 8)
    }

    #[test]
    fn a_stream_begins_with_the_signature() {
        assert_eq!(Rows::new().bytes, b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0");
    }

    #[test]
    fn fields_are_led_by_their_length() {
        assert_eq!(written(|r| r.row(2)), [0, 2]);
        assert_eq!(written(|r| r.i16(-2)), [0, 0, 0, 2, 0xff, 0xfe]);
        assert_eq!(written(|r| r.i32(258)), [0, 0, 0, 4, 0, 0, 1, 2]);
        assert_eq!(written(|r| r.null()), [0xff; 4]);
        assert_eq!(written(|r| r.uuid(Uuid::max())).len(), 20);
    }

    #[test]
    fn times_count_from_2000() {
        let second = DateTime::from_timestamp(946_684_801, 0).unwrap();
        assert_eq!(written(|r| r.time(second)), written(|r| r.i64(1_000_000)));
    }

    #[test]
    fn nothing_in_a_text_needs_escaping_but_nul() {
        assert_eq!(written(|r| r.text("a\tb\\N\n")), b"\0\0\0\x06a\tb\\N\n");
        assert_eq!(written(|r| r.text("")), [0; 4]);
        assert_eq!(written(|r| r.text("a\0\0b")), "\0\0\0\u{8}a\u{FFFD}\u{FFFD}b".as_bytes());
        assert_eq!(written(|r| r.text("\0")), "\0\0\0\u{3}\u{FFFD}".as_bytes());
    }

    #[test]
    fn json_keeps_nul_as_an_escape() {
        assert_eq!(written(|r| r.json(&"\0")), b"\0\0\0\x08\"\\u0000\"");
    }
}
