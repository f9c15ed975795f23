//! What a node past its capacity lets wait.

/// Past capacity requests are refused once something ready has waited longer than this for the common threads, ms ...
pub const BACKLOG_MS: u64 = 100;
/// (where calls of other apps came lately, whose calls wait behind those of one, than this, ms)
pub const BACKLOG_CROWDED_MS: u64 = 20;
/// ... for as long as this, ms; and none is any more after as long without.
pub const BACKLOG_PATIENCE_MS: u64 = 100;
/// While requests come it is looked for that this often, ms; not any more this long after the last one, ms.
pub const BACKLOG_LOOK_MS: u64 = 20;
pub const BACKLOG_REST_MS: u64 = 1_000;
