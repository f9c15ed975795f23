//! Bounds of archives of apps.

/// An archive that is uploaded, bytes.
pub const ARCHIVE_BYTES_MAX: u64 = 1 << 30;
/// An archive unpacked, bytes; its files counted once for each name that they have, likewise.
pub const ARCHIVE_UNPACKED_BYTES_MAX: u64 = 8 << 30;
/// So many bytes may come out of each byte that went in, once more than this has come out: what lies beyond is a bomb.
pub const ARCHIVE_RATIO_MAX: u64 = 1_000;
pub const ARCHIVE_RATIO_FREE_BYTES: u64 = 256 << 20;
/// How far back a packed archive may refer, as a power of two (8 MiB): what unpacking holds in memory.
pub const ARCHIVE_WINDOW_LOG_MAX: u32 = 23;
/// The manifest of an archive, bytes.
pub const ARCHIVE_MANIFEST_BYTES_MAX: u64 = 4 << 20;
/// What stands at the end of an archive, bytes.
pub const ARCHIVE_END_BYTES_MAX: u64 = 4 << 10;
/// One line of an archive, bytes: the longest value there is, written in the longest way.
pub const ARCHIVE_LINE_BYTES_MAX: usize = 1 << 20;
/// Scripts of an archive, and all versions of them together.
pub const ARCHIVE_SCRIPTS_MAX: usize = 10_000;
pub const ARCHIVE_VERSIONS_MAX: usize = 10_000;
/// The number of a version in an archive.
pub const ARCHIVE_VERSION_NUMBER_MAX: i32 = 1_000_000_000;
/// KV entries of an archive.
pub const ARCHIVE_KV_ENTRIES_MAX: u64 = 10_000_000;
/// Documents of an archive.
pub const ARCHIVE_DOCUMENTS_MAX: u64 = 10_000_000;
/// Files of an archive, and their list, bytes: it is held while their contents come.
pub const ARCHIVE_FILES_MAX: u64 = 100_000;
pub const ARCHIVE_FILES_LIST_BYTES_MAX: u64 = 64 << 20;
/// Notes of an import; further ones are counted.
pub const ARCHIVE_NOTES_MAX: usize = 200;
/// Rows that an export reads at once, and bytes of their values together (it always reads one).
pub const ARCHIVE_PAGE_ROWS: i64 = 500;
pub const ARCHIVE_PAGE_BYTES: i64 = 1 << 20;
/// Rows that an import writes at once, and about how many bytes.
pub const ARCHIVE_BATCH_ROWS: usize = 500;
pub const ARCHIVE_BATCH_BYTES: usize = 1 << 20;
/// An archive is packed and unpacked in pieces of this many bytes, of which so many wait between two that work on it.
pub const ARCHIVE_PIECE_BYTES: usize = 64 << 10;
pub const ARCHIVE_PIECES_HELD: usize = 8;
/// Exports, and imports, under way on one node.
pub const ARCHIVE_EXPORTS_AT_ONCE: usize = 2;
pub const ARCHIVE_IMPORTS_AT_ONCE: usize = 2;
/// What an export waits for its place, ms.
pub const ARCHIVE_EXPORT_WAIT_MS: u64 = 2_000;
/// One export, and one import, ms: each holds a transaction open.
pub const ARCHIVE_EXPORT_MS: u64 = 3_600_000;
pub const ARCHIVE_IMPORT_MS: u64 = 3_600_000;
/// Whoever reads or sends an archive may let it rest for this long, ms.
pub const ARCHIVE_STALL_MS: u64 = 30_000;
/// A source of an archive is checked again this often when the places of preparation were all taken.
pub const ARCHIVE_CHECK_TRIES_MAX: u32 = 6;
