//! Backups: what a snapshot of the whole instance says of itself, what is cut where, and which snapshots are kept.

mod cut;
mod files;
mod keep;

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use self::cut::{Cutter, Rows};
pub use self::files::{Entries, Entry};
pub use self::keep::Keep;

/// What addresses a chunk: a keyed hash of what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChunkId(pub [u8; 32]);

impl ChunkId {
    /// As many as there are whole ones.
    pub fn all_of(bytes: &[u8]) -> impl Iterator<Item = Self> {
        bytes.as_chunks::<32>().0.iter().copied().map(Self)
    }
}

impl fmt::Display for ChunkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for ChunkId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 32];
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() != bytes.len() || !rest.is_empty() {
            return Err("no address of a chunk");
        }
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            let (Some(high), Some(low)) = (digit(*high), digit(*low)) else { return Err("no address of a chunk") };
            *byte = high << 4 | low;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for ChunkId {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ChunkId {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The name of a snapshot: when it was begun, to the millisecond, and eight random digits. Names sort by time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct SnapshotId(String);

impl SnapshotId {
    pub fn at(now: DateTime<Utc>, random: [u8; 4]) -> Self {
        Self(format!("{}-{:08x}", now.format("%Y%m%dT%H%M%S%3fZ"), u32::from_be_bytes(random)))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// When it was begun.
    pub fn begun_at(&self) -> Option<DateTime<Utc>> {
        let (time, _) = self.0.split_once('-')?;
        chrono::NaiveDateTime::parse_from_str(time, "%Y%m%dT%H%M%S%3fZ").ok().map(|at| at.and_utc())
    }
}

impl fmt::Display for SnapshotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for SnapshotId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let id = Self(text.to_owned());
        let random = text.split_once('-').map(|(_, random)| random);
        let is_random = |digits: &str| digits.len() == 8 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if random.is_some_and(is_random) && id.begun_at().is_some_and(|at| Self::at(at, [0; 4]).0.len() == text.len()) {
            Ok(id)
        } else {
            Err("no name of a snapshot: one is 20260131T023000000Z-0123abcd")
        }
    }
}

impl<'de> Deserialize<'de> for SnapshotId {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

/// An instance as it was at one moment: what is needed to make it again, by the addresses of its chunks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    pub id: SnapshotId,
    /// When it was begun; what it holds is as of a moment later.
    pub created_at: DateTime<Utc>,
    pub took_ms: u64,
    /// Of the picloud that made it.
    pub version: String,
    pub postgres: String,
    /// The due time that it was made for; none where a person asked for it.
    pub tick: Option<DateTime<Utc>>,
    /// What had been applied, the oldest first.
    pub migrations: Vec<Migration>,
    pub tables: Vec<Table>,
    pub sequences: Vec<Sequence>,
    pub files: Files,
    /// The master keys, where they are in here.
    pub key_ring: Option<ChunkId>,
    /// The ids of those that the secrets in here are locked with.
    pub master_keys: Vec<String>,
    pub secrets: u64,
    /// What this one has added to its repository.
    pub added: Added,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Migration {
    pub version: i64,
    /// Hex.
    pub checksum: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    pub name: String,
    pub columns: Vec<Column>,
    /// Rows in PostgreSQL's binary form, in the order of the primary key.
    pub rows: List,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    pub name: String,
    /// As PostgreSQL writes it.
    pub kind: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sequence {
    pub name: String,
    pub last: i64,
    pub is_called: bool,
}

/// The bytes of scripts' files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Files {
    /// An [`Entry`] for each.
    pub entries: List,
    /// Of their contents.
    pub bytes: u64,
    /// Entries of those whose bytes were not on the disk, or were not those that had been stored.
    pub lost: List,
}

/// Items in chunks, the chunks in pages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct List {
    /// Chunks that hold the addresses of chunks.
    pub pages: Vec<ChunkId>,
    pub chunks: u64,
    pub items: u64,
    pub bytes: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Added {
    pub chunks: u64,
    /// As they are on the disk.
    pub bytes: u64,
}

impl Snapshot {
    /// The number of the newest migration.
    pub fn schema(&self) -> i64 {
        self.migrations.iter().map(|migration| migration.version).max().unwrap_or(0)
    }

    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|table| table.rows.items).sum()
    }

    /// Of the database, uncompressed.
    pub fn row_bytes(&self) -> u64 {
        self.tables.iter().map(|table| table.rows.bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_it_is_written() {
        let id = ChunkId(std::array::from_fn(|n| n as u8 * 7));
        assert_eq!(id.to_string().parse(), Ok(id));
        for wrong in ["", "00", &"0".repeat(63), &"0".repeat(65), &"G".repeat(64), &"A".repeat(64), "../../../etc/passwd"] {
            assert!(wrong.parse::<ChunkId>().is_err(), "{wrong}");
        }
        assert_eq!(ChunkId::all_of(&[1; 70]).count(), 2);
    }

    #[test]
    fn a_snapshot_is_named_by_its_time() {
        let at = "2026-01-31T02:30:00Z".parse().unwrap();
        let id = SnapshotId::at(at, [1, 0x23, 0xab, 0xcd]);
        assert_eq!((id.as_str(), id.begun_at()), ("20260131T023000000Z-0123abcd", Some(at)));
        assert_eq!(id.as_str().parse(), Ok(id));
        let wrong = ["", "20260131T023000000Z", "20260131T023000000Z-0123abcg", "20261331T023000000Z-0123abcd", "../x-0123abcd"];
        for wrong in wrong.into_iter().chain(["20260131T023000000Z-0123abcd.part", "+2026131T023000000Z-0123abcd"]) {
            assert!(wrong.parse::<SnapshotId>().is_err(), "{wrong}");
        }
    }
}
