//! Bounds of the command line as a client of a node's API.

use super::{FILE_UPLOAD_MS, TIMEOUT_MS_CEILING};

/// An answer must be whole within this, ms; of a stream its head.
pub const CLIENT_ANSWER_MS: u64 = 30_000;
/// The same where a script is run and waited for, ms.
pub const CLIENT_RUN_MS: u64 = TIMEOUT_MS_CEILING as u64 + CLIENT_ANSWER_MS;
/// The same where a file is sent, ms.
pub const CLIENT_UPLOAD_MS: u64 = FILE_UPLOAD_MS + CLIENT_ANSWER_MS;
/// What is read of a file at once to be sent, bytes.
pub const CLIENT_PIECE_BYTES: usize = 64 << 10;
/// A file from this size on, bytes, is sent when the node says that it wants it, and it is shown how far it has come.
pub const CLIENT_LONG_BYTES_MIN: u64 = 1 << 20;
/// A node that has not said so within this, ms, is sent it all the same.
pub const CLIENT_CONTINUE_MS: u64 = 1_000;
/// Body of an answer, bytes.
pub const CLIENT_ANSWER_BYTES_MAX: usize = 32 << 20;
/// What is read from standard input or a file to be sent, bytes.
pub const CLIENT_INPUT_BYTES_MAX: usize = 16 << 20;
/// A stream on which nothing comes for this long, ms, is opened anew: the node's heartbeat is three times as often.
pub const CLIENT_STREAM_SILENT_MS: u64 = 45_000;
/// The wait before a stream that broke off is opened anew, ms; doubled up to the ceiling while nothing comes.
pub const CLIENT_RECONNECT_MS: u64 = 200;
/// The longest such wait, ms.
pub const CLIENT_RECONNECT_MS_CEILING: u64 = 5_000;
/// One event of a stream, bytes.
pub const CLIENT_STREAM_EVENT_BYTES_MAX: usize = 4 << 20;
/// The file of credentials, bytes.
pub const CLIENT_CREDENTIALS_BYTES_MAX: usize = 1 << 20;
/// A `picloud.toml`, bytes.
pub const CLIENT_MANIFEST_BYTES_MAX: usize = 1 << 20;
/// A line of a source as an error quotes it, characters.
pub const CLIENT_QUOTE_CHARS_MAX: usize = 100;
/// A value of an entry, or the data of a document, in a list, characters.
pub const CLIENT_SNIPPET_CHARS_MAX: usize = 80;
/// JSON for a terminal is indented no deeper than this, levels.
pub const CLIENT_INDENT_LEVELS_MAX: usize = 32;
/// A column of a table is not cut to less than this, characters.
pub const CLIENT_COLUMN_CHARS_MIN: usize = 8;
/// Files that are watched are looked at this often, ms; what the kernel tells of them is seen at once, where it tells.
pub const CLIENT_WATCH_POLL_MS: u64 = 500;
/// A change is taken up once no other has come for this long, ms.
pub const CLIENT_WATCH_QUIET_MS: u64 = 50;
/// Or after this long, ms, while others go on coming.
pub const CLIENT_WATCH_UNQUIET_MS_MAX: u64 = 300;
/// A node that could not be reached, or was busy, is asked again after this, ms.
pub const CLIENT_WATCH_RETRY_MS: u64 = 2_000;
/// Times that what is saved is planned anew while others change the app.
pub const CLIENT_WATCH_PLANS_MAX: u32 = 3;
/// Files that are named where several were saved at once.
pub const CLIENT_WATCH_NAMES_MAX: usize = 3;
