//! Every bound that the guest itself sets, named with its unit. Fuel, memory, time and bytes of an answer are the host's.

/// Nesting of script function calls; a deeper recursion is a script error that names itself.
pub(crate) const CALL_LEVELS_MAX: usize = 64;
/// Nesting of expressions at top level: bounds the recursion of parser and interpreter.
pub(crate) const EXPRESSION_DEPTH_MAX: usize = 64;
/// Nesting of expressions inside a function.
pub(crate) const FUNCTION_EXPRESSION_DEPTH_MAX: usize = 48;
/// Nesting of a value written as JSON; reading has the same bound.
pub(crate) const JSON_DEPTH_MAX: usize = 128;
/// Levels that an event, or a dead letter, has around a value that a script wrote.
pub(crate) const JSON_WRAPPING_MAX: usize = 8;
/// A value written as JSON by `json::stringify`, bytes.
pub(crate) const JSON_BYTES_MAX: usize = 16 << 20;
/// A thrown value quoted in an error message, bytes.
pub(crate) const QUOTED_BYTES_MAX: usize = 4 << 10;
/// Random bytes or characters of one call.
pub(crate) const RANDOM_LEN_MAX: usize = 64 << 10;
/// A compiled regular expression, bytes.
pub(crate) const REGEX_BYTES_MAX: usize = 1 << 20;
/// Extents of one image; the host knows the same bound.
pub(crate) const EXTENTS_MAX: usize = 320;
/// Compiled regular expressions kept for the rest of the invocation.
pub(crate) const REGEX_CACHE_MAX: usize = 16;
/// A document as JSON, bytes; the host checks again.
pub(crate) const DOCS_DATA_BYTES_MAX: usize = 256 << 10;
/// A filter of documents as JSON, bytes; the host checks again.
pub(crate) const DOCS_FILTER_BYTES_MAX: usize = 32 << 10;
/// Documents of one page when a script names no limit.
pub(crate) const DOCS_PAGE_ITEMS_DEFAULT: u32 = 100;
/// A KV value as stored, bytes; the host checks again.
pub(crate) const KV_VALUE_BYTES_MAX: usize = 64 << 10;
/// One file, bytes; the host checks again.
pub(crate) const FILE_BYTES_MAX: usize = 16 << 20;
/// Content of files goes to and from the host in pieces of this many bytes.
pub(crate) const FILE_PIECE_BYTES: usize = 256 << 10;
/// Entries of one page of files when a script names no limit.
pub(crate) const FILE_PAGE_ENTRIES_DEFAULT: u32 = 100;
/// Arguments of a call to another script as JSON, bytes; the host checks again.
pub(crate) const INVOKE_ARGUMENTS_BYTES_MAX: usize = 1 << 20;
/// A message of a queue or a topic as JSON, bytes; the host checks again.
pub(crate) const MESSAGE_BYTES_MAX: usize = 256 << 10;
/// Dead letters of one page when a script names no limit.
pub(crate) const DEAD_LETTERS_PAGE_ITEMS_DEFAULT: u32 = 50;
/// Value of a secret, bytes; the host checks again.
pub(crate) const SECRET_VALUE_BYTES_MAX: usize = 64 << 10;
/// Names of one page of secrets when a script names no limit.
pub(crate) const SECRETS_PAGE_ITEMS_DEFAULT: u32 = 100;
/// Tries of one `retry::run`: most, and where a script names none.
pub(crate) const RETRY_ATTEMPTS_MAX: u32 = 10;
pub(crate) const RETRY_ATTEMPTS_DEFAULT: u32 = 3;
/// The first wait between two tries, ms, where a script names none; each is twice the one before.
pub(crate) const RETRY_BASE_MS_DEFAULT: u32 = 100;
/// One wait between two tries, ms; the host checks again.
pub(crate) const RETRY_PAUSE_MS_MAX: u32 = 5_000;
/// Data of a log line as JSON, bytes, before the host cuts the line.
pub(crate) const LOG_DATA_BYTES_MAX: usize = 64 << 10;
/// Entries of one KV page when a script names no limit.
pub(crate) const KV_PAGE_ENTRIES_DEFAULT: u32 = 100;
/// Body of an outbound request, bytes; the host checks again.
pub(crate) const HTTP_REQUEST_BODY_BYTES_MAX: usize = 4 << 20;
