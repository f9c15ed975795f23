//! Bounds of following logs: who follows, how long, what is held for them, how far one look goes.

/// Streams of logs at once on a node, and of these of one app; one more is 503 `overloaded`.
pub const FOLLOWERS_MAX: usize = 64;
pub const FOLLOWERS_PER_APP_MAX: usize = 16;
/// Of the connections of the control plane, followers hold one in so many at most.
pub const FOLLOWERS_CONNECTIONS_PART: usize = 4;
/// A stream is ended after this long, ms: its client goes on where it was.
pub const FOLLOW_STREAM_MS: u64 = 3_600_000;
/// Something is sent at least this often, ms.
pub const FOLLOW_HEARTBEAT_MS: u64 = 15_000;
/// A client whose stream ended is told to come back after this, ms.
pub const FOLLOW_RETRY_MS: u64 = 1_000;
/// Whether a follower still may is asked this often, ms: while there is something to tell, and while there is nothing.
pub const FOLLOW_JUDGE_MS: u64 = 1_000;
pub const FOLLOW_JUDGE_IDLE_MS: u64 = 30_000;
/// A node looks for what was written this often at most, ms, whatever is signalled.
pub const FOLLOW_LOOK_MS: u64 = 100;
/// While a writer holds others' records back it looks again after that, and then ever later up to this, ms.
pub const FOLLOW_HELD_MS_CEILING: u64 = 1_000;
/// One look goes on over so many records, whether or not they are wanted.
pub const FOLLOW_WINDOW_EXECUTIONS: i64 = 4_096;
/// Executions, and lines, that are read at once. With `FOLLOW_PAGE_BYTES` it is what is held for one follower.
pub const FOLLOW_PAGE_EXECUTIONS: usize = 64;
pub const FOLLOW_PAGE_LINES: usize = 256;
/// Lines that are read at once, bytes; the last one may go beyond.
pub const FOLLOW_PAGE_BYTES: i64 = 256 << 10;
/// Looks for one page; one that found nothing by then is empty, and has a cursor that goes on.
pub const FOLLOW_PAGE_LOOKS: u32 = 16;
/// The newest that are asked for: most, and of a page where nothing is said.
pub const FOLLOW_TAIL_MAX: u32 = 200;
pub const FOLLOW_TAIL_DEFAULT: u32 = 50;
/// Text that messages must contain, bytes.
pub const FOLLOW_TEXT_BYTES_MAX: usize = 256;
/// A record is written at the latest this long after its execution began, s: the longest execution, its wait to be written, and
/// how far the clocks of two nodes differ.
pub const FOLLOW_LATE_S: i64 = 1_800;
