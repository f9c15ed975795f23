//! Bounds of connections, on each plane by itself: how many, for how long, and what one holds before anybody has read a
//! request.

/// One address (of IPv6, one /64) holds at most this part of a plane's connections, one in so many. Loopback is not counted.
pub const CONNECTIONS_PER_ADDRESS_PART: usize = 4;
/// Connections of one plane: the fewest that it is given, however few files the process may open.
pub const CONNECTIONS_MIN: usize = 16;
/// Files that the process keeps for everything but connections: the database, files of scripts, what scripts call.
pub const OPEN_FILES_KEPT: u64 = 512;
/// A connection without a request is closed after this long, ms, once more than half of the plane's places, or of those that
/// its address may have, are taken.
pub const CONNECTION_IDLE_CROWDED_MS: u64 = 60_000;
/// A connection whose client takes nothing of an answer that is there is closed after this long, ms.
pub const CONNECTION_UNTAKEN_MS: u64 = 30_000;
/// After that, bytes of the answer that the client must have taken for each second so far.
pub const CONNECTION_TAKEN_BYTES_PER_S_MIN: u64 = 4 << 10;
/// Bytes taken from a connection at once: fewer than hyper's buffer begins with (8 KiB), which then grows for a head only.
pub const CONNECTION_READ_BYTES: usize = (8 << 10) - 1;
/// Connections that are looked at for each one that finds a plane full: all are, once so many looks have come together.
pub const CONNECTIONS_LOOKED_AT: usize = 64;
/// That a plane is full is logged this often at most, ms.
pub const CONNECTIONS_FULL_TOLD_MS: u64 = 60_000;

/// A request's head, from its first byte to its last, bytes: `REQUEST_HEADER_BYTES_MAX` of headers, the longest target
/// (`REQUEST_TARGET_BYTES_MAX`), and 8 KiB for what stands between them.
pub const REQUEST_HEAD_BYTES_MAX: usize = 80 << 10;
/// A head of more bytes than this is counted, and its connection closed after the answer: buffers do not shrink.
pub const REQUEST_HEAD_BYTES_FREE: usize = 16 << 10;
/// Such heads at once on a plane: one for so many of its connections, and the fewest. Each may cost 128 KiB; one more waits.
pub const LARGE_HEADS_PART: usize = 64;
pub const LARGE_HEADS_MIN: usize = 4;
/// Headers of one request: how many. It is hyper's own bound, up to which a head is read without an allocation.
pub const REQUEST_HEADERS_MAX: usize = 100;
