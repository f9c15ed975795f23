//! Bounds of the way to the database: when it counts as cut, and what it lets go of then.

/// A connection to the database through the network on which what was sent is not heard of for so long has ended, ms; one that rests is
/// asked after as long, and then every so many seconds so often.
pub const DATABASE_SILENT_MS: u32 = 10_000;
pub const DATABASE_PROBE_S: u32 = 3;
pub const DATABASE_PROBES: u32 = 3;
/// The database ends a transaction that rests for so long, ms: its node hangs, and others wait for what it holds.
pub const DATABASE_IDLE_IN_TRANSACTION_MS: u32 = 15_000;
/// A node that is asked for its health says that it cannot work once the database has not answered for so long, ms; looked at
/// again after this at the earliest, ms.
pub const DATABASE_UNREACHABLE_MS: u64 = 3_000;
pub const DATABASE_LOOK_MS: u64 = 500;
