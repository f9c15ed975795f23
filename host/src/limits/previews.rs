//! Bounds of previews, and of what is split between two deployments.

/// Deployments of one app that a node holds ready beside the one that runs: those that were asked for last.
pub const SNAPSHOTS_PER_APP_MAX: usize = 4;
/// Such deployments of all apps, bytes: names, bounds, routes, of one at most a sixteenth of them counted. Their programs are among
/// the others.
pub const SNAPSHOTS_BYTES_MAX: u64 = 16 << 20;
/// About as many of them.
pub const SNAPSHOT_CACHE_ITEMS: usize = 256;
/// Whoever asks for a preview waits at most this long for the deployment to be made ready, ms.
pub const SNAPSHOT_WAIT_MS: u64 = 15_000;
/// A request that another deployment can answer as well waits no longer than this, ms.
pub const SPLIT_WAIT_MS: u64 = 2_000;
/// Whether a deployment that is held is still kept is asked for no longer than this, ms.
pub const SNAPSHOT_ASK_MS: u64 = 250;
/// A deployment that could not be made ready is tried again after this, ms.
pub const SNAPSHOT_RETRY_MS: u64 = 5_000;

/// A preview link admits for at least this long, seconds.
pub const PREVIEW_LINK_S_MIN: i64 = 60;
/// The same at most: thirty days.
pub const PREVIEW_LINK_S_MAX: i64 = 30 * 24 * 3600;
/// The same where nothing is said: a week.
pub const PREVIEW_LINK_S_DEFAULT: i64 = 7 * 24 * 3600;
/// Token of a preview link, bytes; a longer one is none.
pub const PREVIEW_TOKEN_BYTES_MAX: usize = 96;
/// Cookies of that name that are tried of one request.
pub const PREVIEW_TOKENS_TRIED_MAX: usize = 4;

/// Part of an app's requests that another deployment may answer, percent: least and most. Less is none, more is what runs.
pub const SPLIT_PERCENT_MIN: u8 = 1;
pub const SPLIT_PERCENT_MAX: u8 = 99;
/// Visitors are spread over so many buckets.
pub const SPLIT_BUCKETS: u16 = 10_000;
/// A visitor stays in a bucket for this long, seconds.
pub const SPLIT_COOKIE_S: i64 = 30 * 24 * 3600;
