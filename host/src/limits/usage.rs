//! Bounds of metering: what is held until it is written, how long it is kept, how much of it is shown at once.

/// What the record of an execution counts against `log_bytes_per_day`, bytes, beside its log lines.
pub const RECORD_BYTES: u64 = 256;
/// Usage that was counted is written at most this often, ms, while there is some. As much of it is lost when a node is killed.
pub const USAGE_FLUSH_MS: u64 = 1_000;
/// Minutes of scripts that are written in one transaction; each is three rows at most.
pub const USAGE_FLUSH_MINUTES_MAX: usize = 4_096;
/// Minutes of scripts that are held while the database takes none; past it, what is new counts for the last minute held of its
/// script.
pub const USAGE_MINUTES_MAX: usize = 65_536;
/// Days of apps whose log bytes are known; past it, those are read anew that have nothing which is not written yet.
pub const USAGE_DAYS_KNOWN_MAX: usize = 10_000;
/// Usage of minutes, hours and days is kept this long, s.
pub const USAGE_MINUTE_KEEP_S: i64 = 2 * 24 * 3600;
pub const USAGE_HOUR_KEEP_S: i64 = 60 * 24 * 3600;
pub const USAGE_DAY_KEEP_S: i64 = 800 * 24 * 3600;
/// Periods that one request may ask for.
pub const USAGE_PERIODS_MAX: i64 = 1_500;
/// Minutes, hours and days that are shown where a request does not say from when.
pub const USAGE_MINUTES_DEFAULT: i64 = 60;
pub const USAGE_HOURS_DEFAULT: i64 = 24;
pub const USAGE_DAYS_DEFAULT: i64 = 30;
/// Nothing was used later than this after now, s: clocks of nodes differ by less.
pub const USAGE_AHEAD_S: i64 = 24 * 3600;
