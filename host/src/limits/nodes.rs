//! Bounds of nodes that share a database.

/// Name of a node, bytes.
pub const NODE_NAME_BYTES_MAX: usize = 64;
/// A node that shows itself unfit before it stops to serve does so for at most this long, ms.
pub const DRAIN_DELAY_MS_MAX: u64 = 600_000;
/// Whoever asks which nodes there are waits for their answers, ms.
pub const ROLL_CALL_MS: u64 = 1_000;
/// Meanwhile it looks for them so often, ms.
pub const ROLL_CALL_LOOK_MS: u64 = 25;
/// A node that was found gone is listed for this long, seconds.
pub const NODE_GONE_KEEP_S: i64 = 3_600;
/// Nodes that are listed: those that came last.
pub const NODES_LISTED_MAX: i64 = 256;
/// A connection that says a node is there is asked by its server after so many seconds of silence whether anybody is at its other end,
/// and again after as many, three times.
pub const NODE_KEEPALIVE_S: i64 = 5;
