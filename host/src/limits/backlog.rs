//! What a node past its capacity lets wait.

/// Past capacity requests are refused once something ready has waited longer than this for the common threads, ms: as many as
/// make it [`BACKLOG_AIM_MS`].
pub const BACKLOG_MS: u64 = 100;
/// What the wait is then held at, ms; and where other apps called lately, whose calls wait behind those of one, past which some are
/// refused.
pub const BACKLOG_AIM_MS: u64 = 20;
/// It has to be past that for as long as this, ms; and nobody is refused any more after as long without.
pub const BACKLOG_PATIENCE_MS: u64 = 100;
/// While requests come it is looked for that this often, ms; not any more this long after the last one, ms.
pub const BACKLOG_LOOK_MS: u64 = 20;
pub const BACKLOG_REST_MS: u64 = 1_000;
