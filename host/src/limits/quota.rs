//! Bounds of shares: what scripts may ask for beyond their defaults, what an app may use, how a node divides itself.

use super::{GIB, MIB};

/// Body of a request: the most a script may ask for, bytes. The default is `REQUEST_BODY_BYTES_MAX`.
pub const REQUEST_BODY_BYTES_CEILING: usize = 16 << 20;
/// Body of an answer: the least and the most a script may ask for, bytes. The default is `RESPONSE_BODY_BYTES_MAX`.
pub const RESPONSE_BODY_BYTES_MIN: usize = 1 << 10;
pub const RESPONSE_BODY_BYTES_CEILING: usize = 16 << 20;
/// One log line: the least and the most a script may ask for, bytes.
pub const LOG_LINE_BYTES_MIN: usize = 256;
pub const LOG_LINE_BYTES_CEILING: usize = 64 << 10;
/// Log lines of one invocation: the most a script may ask for, bytes.
pub const LOG_BYTES_CEILING: usize = 1 << 20;
/// Host calls of one invocation: the most a script may ask for.
pub const HOST_CALLS_CEILING: u32 = 100_000;
/// Outbound requests of one invocation: the most a script may ask for.
pub const OUTBOUND_REQUESTS_CEILING: u32 = 200;
/// Hops of a chain of events: the most a script may ask for.
pub const EVENT_DEPTH_CEILING: u32 = 64;
/// Source of one script: the least and the most an app may be allowed, bytes.
pub const SOURCE_BYTES_MIN: usize = 1 << 10;
pub const SOURCE_BYTES_CEILING: usize = 1 << 20;
/// Modules behind one script: the most an app may be allowed.
pub const MODULES_CEILING: usize = 256;

/// An app's share of a saturated node against other apps'.
pub const WEIGHT_MIN: u32 = 1;
pub const WEIGHT_DEFAULT: u32 = 100;
pub const WEIGHT_CEILING: u32 = 10_000;
/// Requests of one app that run at once on a node, and handlers of its events, each.
pub const CONCURRENCY_DEFAULT: u32 = 256;
/// Statements in the database that one app's scripts may have under way on a node.
pub const STATEMENTS_DEFAULT: u32 = 6;
pub const STATEMENTS_CEILING: u32 = 64;
/// Connections for scripts that are kept for those that somebody waits for, and for the others.
pub const STATEMENTS_KEPT: [u64; 2] = [4, 2];
/// Requests of one app that are let in for each second, on a node; a second's worth may come at once.
pub const REQUESTS_PER_S_DEFAULT: u32 = 100_000;
pub const REQUESTS_PER_S_CEILING: u32 = 1_000_000;
/// Outbound requests of one app's scripts for each second, mail counted, on a node; a second's worth may come at once.
pub const OUTBOUND_PER_S_DEFAULT: u32 = 100;
pub const OUTBOUND_PER_S_CEILING: u32 = 10_000;
/// Fuel that one app may burn for each second, on a node.
pub const FUEL_PER_S_MIN: u64 = 1_000_000;
pub const FUEL_PER_S_DEFAULT: u64 = 100_000_000_000;
pub const FUEL_PER_S_CEILING: u64 = 10_000_000_000_000;
/// Fuel that an app which rested may burn at once; what it burns beyond is waited off.
pub const FUEL_BURST_MIN: u64 = 1_000_000;
pub const FUEL_BURST_DEFAULT: u64 = 1_000_000_000_000;
pub const FUEL_BURST_CEILING: u64 = 100_000_000_000_000;
/// KV entries and documents of one app, bytes.
pub const DATA_BYTES_DEFAULT: u64 = GIB;
pub const DATA_BYTES_CEILING: u64 = 1 << 40;
/// Files of one app, bytes.
pub const FILE_BYTES_DEFAULT: u64 = 4 * GIB;
pub const FILE_BYTES_CEILING: u64 = 1 << 44;
/// Records and log lines that are kept of one app's executions, bytes for each UTC day.
pub const LOG_BYTES_PER_DAY_DEFAULT: u64 = GIB;
pub const LOG_BYTES_PER_DAY_CEILING: u64 = 1 << 40;
/// Scripts of one app.
pub const SCRIPTS_DEFAULT: u32 = 1_000;
pub const SCRIPTS_CEILING: u32 = 10_000;
/// Triggers of one app: the most it may be allowed. The default is `TRIGGERS_PER_APP_MAX`.
pub const TRIGGERS_CEILING: u32 = 10_000;

/// Of RAM, what instances may be given together, percent. The database, the node itself and the page cache live off the rest.
pub const INSTANCES_RAM_PERCENT: u64 = 48;
/// What an instance is counted with beside its linear memory, bytes: stack, tables, what is on its way in and out.
pub const INSTANCE_OVERHEAD_BYTES: u64 = 2 * MIB;
/// Of the memory for instances, so many parts in eight are kept for each way in: requests, scripts that are waited for, events.
pub const MEMORY_KEPT_EIGHTHS: [u64; 3] = [2, 1, 1];
/// What an invocation may take of the threads that serve everybody, µs, before it goes on in a lane.
pub const EXPRESS_US: u64 = 2_000;
/// An app whose invocations take more of those threads than this as a rule, µs, has them begin in a lane.
pub const EXPRESS_LONG_US: u64 = 500;
/// Of each core, what one app may take of those threads while others are there, percent; past it its invocations begin in a lane.
pub const EXPRESS_PERCENT: u64 = 25;
/// What an app that rested may take at once, µs.
pub const EXPRESS_BURST_US: u64 = 50_000;
/// Others are there when one of theirs came within this, ms.
pub const CROWD_MS: u64 = 1_000;
/// Niceness of lanes: what runs there gives way, but not altogether (a third of the weight of what does not).
pub const LANE_NICENESS: i32 = 5;
/// The niceness that the kernel knows nothing beyond.
pub const NICENESS_MAX: i32 = 19;
/// What the kernel lets a lane run before it looks for others, ns, where it can be told (Linux 6.12): its own choice, some
/// milliseconds, is what a cheap call would wait for.
pub const LANE_TURN_NS: u64 = 100_000;
/// What a slice in a lane is charged with before it is known what it took, ns.
pub const LANE_SLICE_NS: u64 = 300_000;
/// Weight of requests and of background work between each other in the lanes.
pub const LANE_CLASS_WEIGHTS: [u32; 2] = [2, 1];
/// A caller who is told to come back is told no more than this, s.
pub const RETRY_AFTER_S_MAX: u64 = 3_600;
/// Callers of the data plane whose tokens are looked up at once, for what only readers of the log are shown.
pub const READERS_AT_ONCE: usize = 4;
/// Bodies and answers up to this, bytes, have a quarter of the room for themselves: the large ones of a few cannot fill it.
pub const ORDINARY_BODY_BYTES: usize = 1 << 20;
/// A token of the data plane is looked up within this, ms, or not at all.
pub const READER_LOOKUP_MS: u64 = 500;
/// Answers larger than this, bytes, count while their clients take them.
pub const ANSWER_BYTES_FREE: usize = 64 << 10;
/// They are given to the connection in pieces of this many bytes.
pub const ANSWER_PIECE_BYTES: usize = 32 << 10;
/// Boards with less RAM than this are tiny, small, medium; others large.
pub const TINY_RAM_BYTES: u64 = 768 * MIB;
pub const SMALL_RAM_BYTES: u64 = 1_536 * MIB;
pub const MEDIUM_RAM_BYTES: u64 = 3 * GIB;
/// Apps whose allowances are counted at once, before those are forgotten that have rested.
pub const ALLOWANCES_SWEEP: usize = 10_000;
