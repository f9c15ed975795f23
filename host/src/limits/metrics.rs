//! Bounds of what a node tells of itself to those who watch it.

/// Calls are sorted by how long they took, µs: no longer than each of these, or longer than all.
pub const CALL_TIMES_US: [u64; 14] =
    [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000, 30_000_000];
/// What waits in the database is counted up to this, for metrics.
pub const METRICS_COUNTED_MAX: i64 = 10_000;
/// The database must answer metrics within this, ms; else they are told without it.
pub const METRICS_DATABASE_MS: u64 = 1_000;
/// The bearer token of metrics, bytes: the fewest.
pub const METRICS_TOKEN_BYTES_MIN: usize = 16;
