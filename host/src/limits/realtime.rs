//! Bounds of realtime: topics that can be subscribed to, what of them is kept, who subscribes, and with which token.

/// Registered topics of one app.
pub const TOPICS_PER_APP_MAX: i64 = 64;
/// Messages of one topic that are kept for subscribers who come back, and for how long, s.
pub const TOPIC_MESSAGES_KEPT_MAX: i64 = 1_000;
pub const TOPIC_MESSAGE_KEEP_S: i64 = 24 * 3600;
/// The same, bytes of all topics of an app that can be subscribed to, in equal parts. The newest message of each is kept whatever it
/// is: a part is as large as the largest one.
pub const TOPIC_BYTES_KEPT_PER_APP_MAX: i64 = TOPICS_PER_APP_MAX * super::MESSAGE_BYTES_MAX as i64;
/// Messages outside of that which go with each one that is published; those that are left are not given any more.
pub const TOPIC_CLEARED_MESSAGES: i64 = 64;
/// Messages that are read at once, and their bytes, for one subscriber or for all who wait for the same. It is what one who does not take
/// them holds, or what the node holds for all of them (`TOPIC_RECENT_BYTES_MAX`), beside what the connection has, and is not counted.
pub const TOPIC_PAGE_MESSAGES: i64 = 64;
pub const TOPIC_PAGE_BYTES: i64 = 32 << 10;
/// A larger message is read alone, and counted while anybody holds it: bytes for all subscribers of a node, and what of them is kept for
/// those who are told at once. An app has half of what the others leave.
pub const SUBSCRIBERS_LARGE_BYTES_MAX: u64 = 8 << 20;
pub const SUBSCRIBERS_LARGE_BYTES_KEPT: u64 = 4 << 20;
/// One who comes back waits so long for such a message to have room, ms; then its stream ends. So does at once that of one who is told
/// as it is published: others wait for the same.
pub const SUBSCRIBER_ROOM_WAIT_MS: u64 = 2_000;
/// Of a topic that somebody subscribes to a node holds the newest messages for all of them, bytes: a page, and what stands around its
/// messages. A larger one is held while somebody waits for it or is given it.
pub const TOPIC_RECENT_BYTES_MAX: usize = 64 << 10;
/// The same, how many.
pub const TOPIC_RECENT_MESSAGES_MAX: usize = 64;
/// Subscribers at once on a node, and of these of one app, which has half of them at most; one more is 503 `overloaded`.
pub const SUBSCRIBERS_MAX: usize = 1_024;
pub const SUBSCRIBERS_PER_APP_MAX: usize = 256;
/// Of the connections of the data plane, subscribers hold one in so many at most.
pub const SUBSCRIBERS_CONNECTIONS_PART: usize = 4;
/// One who found no place is told to come back after this, s.
pub const SUBSCRIBER_RETRY_AFTER_S: u64 = 5;
/// One who comes right after the change that lets them in waits so long for the node to hear of it, ms.
pub const SUBSCRIBE_HEARD_MS: u64 = 1_000;
/// A stream is ended after this long, ms: its client goes on where it was.
pub const SUBSCRIBE_STREAM_MS: u64 = 3_600_000;
/// Something is sent at least this often, ms.
pub const SUBSCRIBE_HEARTBEAT_MS: u64 = 15_000;
/// A client whose stream ended is told to come back after this, ms.
pub const SUBSCRIBE_RETRY_MS: u64 = 1_000;
/// Nodes are told of published messages at most this often, ms; and a node looks for them this often at most, whatever is signalled.
pub const TOPIC_SIGNAL_MS: u64 = 20;
pub const TOPIC_LOOK_MS: u64 = 20;
/// A subscriber token: its life where nothing is said, the least and the most, s.
pub const SUBSCRIBER_TOKEN_TTL_S_DEFAULT: i64 = 3_600;
pub const SUBSCRIBER_TOKEN_TTL_S_MIN: i64 = 1;
pub const SUBSCRIBER_TOKEN_TTL_S_MAX: i64 = 24 * 3600;
/// Topics, or patterns of topics, that one token is good for.
pub const SUBSCRIBER_TOKEN_TOPICS_MAX: usize = 32;
/// Tokens of one app that have not expired, to within what is made at the same moment.
pub const SUBSCRIBER_TOKENS_PER_APP_MAX: i64 = 4_096;
