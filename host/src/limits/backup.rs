//! Bounds of backups.

/// A chunk of a backup is cut from this many bytes on, where its contents say so, about so many later, and at the last here:
/// what writing, checking and restoring hold in memory, besides its compressed form.
pub const BACKUP_CHUNK_BYTES_MIN: usize = 256 << 10;
pub const BACKUP_CHUNK_BYTES_USUAL: usize = 768 << 10;
pub const BACKUP_CHUNK_BYTES_MAX: usize = 4 << 20;
/// One row of a table, bytes: longer than any that the platform writes. It is a chunk by itself where it is longer than one.
pub const BACKUP_ROW_BYTES_MAX: usize = 64 << 20;
/// What a chunk in a repository is longer by than what was cut, bytes, where it does not compress.
pub const BACKUP_CHUNK_SPARE_BYTES: usize = 64 << 10;
/// Chunks that one page of a list names.
pub const BACKUP_PAGE_CHUNKS: usize = 8_192;
/// The manifest of a snapshot, bytes.
pub const BACKUP_MANIFEST_BYTES_MAX: usize = 16 << 20;
/// The file that says what a repository is, bytes.
pub const BACKUP_MARK_BYTES_MAX: u64 = 4 << 10;
/// Files whose rows are read at once.
pub const BACKUP_FILES_PAGE_ROWS: i64 = 1_000;
/// A passphrase, or what a key file holds, bytes.
pub const BACKUP_PASSPHRASE_BYTES_MIN: usize = 12;
pub const BACKUP_PASSPHRASE_BYTES_MAX: usize = 4 << 10;
/// What turning a passphrase into a key costs: memory, KiB, and passes over it; and the most that a repository may ask for.
pub const BACKUP_KDF_KIB_DEFAULT: u32 = 64 << 10;
pub const BACKUP_KDF_KIB_MAX: u32 = 512 << 10;
pub const BACKUP_KDF_PASSES_DEFAULT: u32 = 3;
pub const BACKUP_KDF_PASSES_MAX: u32 = 16;
/// Snapshots that one rule keeps.
pub const BACKUP_KEEP_MAX: u32 = 10_000;
/// Damaged things that are told by name; further ones are counted.
pub const BACKUP_DAMAGES_TOLD_MAX: usize = 20;
/// A backup waits this long, ms, for transactions that are about to remove bytes of files.
pub const BACKUP_HOLD_WAIT_MS: u32 = 600_000;
/// A backup by schedule that failed is tried again after this long, ms.
pub const BACKUP_RETRY_MS: u64 = 900_000;
/// While another node makes the backup, a node looks again after this long, ms.
pub const BACKUP_OTHER_MS: u64 = 60_000;
/// How far a backup has come is shown at most once in this time, ms.
pub const BACKUP_SHOW_MS: u64 = 200;
