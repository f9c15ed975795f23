//! Every bound of the platform, named with its unit. No bound stands anywhere else (`tests/it/tidy.rs`).

mod access;
mod archive;
mod backlog;
mod backup;
mod client;
mod connections;
mod deployments;
mod domains;
mod events;
mod follow;
mod health;
mod local;
mod metrics;
mod nodes;
mod operator;
mod previews;
mod quota;
mod reach;
mod realtime;
mod storage;
mod tracing;
mod uploads;
mod usage;

pub use self::access::*;
pub use self::archive::*;
pub use self::backlog::*;
pub use self::backup::*;
pub use self::client::*;
pub use self::connections::*;
pub use self::deployments::*;
pub use self::domains::*;
pub use self::events::*;
pub use self::follow::*;
pub use self::health::*;
pub use self::local::*;
pub use self::metrics::*;
pub use self::nodes::*;
pub use self::operator::*;
pub use self::previews::*;
pub use self::quota::*;
pub use self::reach::*;
pub use self::realtime::*;
pub use self::storage::*;
pub use self::tracing::*;
pub use self::uploads::*;
pub use self::usage::*;

/// Fuel of one invocation (≈ Wasm instructions): default when a script asks for none.
pub const FUEL_DEFAULT: u64 = 500_000_000;
/// Fuel of one invocation: the most a script may ask for.
pub const FUEL_CEILING: u64 = 50_000_000_000;
/// The least fuel a script may ask for.
pub const FUEL_MIN: u64 = 1_000_000;
/// Linear memory of one instance, MiB: default.
pub const MEMORY_MB_DEFAULT: u32 = 32;
/// Linear memory of one instance, MiB: ceiling.
pub const MEMORY_MB_CEILING: u32 = 256;
/// Linear memory of one instance, MiB: the interpreter alone needs this much.
pub const MEMORY_MB_MIN: u32 = 8;
/// Wall clock of one invocation, host calls included, ms: default.
pub const TIMEOUT_MS_DEFAULT: u32 = 10_000;
/// Wall clock of one invocation, ms: ceiling.
pub const TIMEOUT_MS_CEILING: u32 = 300_000;
/// Wall clock of one invocation, ms: the least a script may ask for.
pub const TIMEOUT_MS_MIN: u32 = 10;

/// Body of a request on the data plane, bytes.
pub const REQUEST_BODY_BYTES_MAX: usize = 1 << 20;
/// Path and query of a request on the data plane, bytes.
pub const REQUEST_TARGET_BYTES_MAX: usize = 8 << 10;
/// The body of a request on the data plane must have come this long after its head, ms.
pub const REQUEST_BODY_TIMEOUT_MS: u64 = 30_000;
/// Bodies of requests on the data plane that are read or held at once, bytes; a request past it waits, then is answered 503.
pub const REQUEST_BODIES_BYTES_MAX: usize = 64 << 20;
/// Such a request waits at most this long, ms.
pub const REQUEST_BODIES_WAIT_MS: u64 = 2_000;
/// A body that announces no more than this, bytes, is not counted.
pub const REQUEST_BODY_BYTES_FREE: usize = 16 << 10;
/// Of a body over its bound this much is read on and thrown away, bytes, so that a client still sending meets the answer.
pub const REQUEST_DRAIN_BYTES_MAX: usize = 4 << 20;
/// The same, ms.
pub const REQUEST_DRAIN_MS: u64 = 1_000;
/// Body of a script's answer, bytes.
pub const RESPONSE_BODY_BYTES_MAX: usize = 4 << 20;
/// Headers of a script's answer: how many.
pub const RESPONSE_HEADERS_MAX: usize = 100;
/// Headers of a script's answer: names and values together, bytes.
pub const RESPONSE_HEADER_BYTES_MAX: usize = 32 << 10;
/// One log line (message and data), bytes; the rest of the line is cut.
pub const LOG_LINE_BYTES_MAX: usize = 8 << 10;
/// All log lines of one invocation, bytes; further lines are dropped and counted.
pub const LOG_BYTES_PER_INVOCATION_MAX: usize = 256 << 10;
/// What a log line counts at least, bytes: short lines are rows too.
pub const LOG_LINE_COST_MIN: usize = 64;
/// Host calls of one invocation that reach the database or the network.
pub const HOST_CALLS_PER_INVOCATION_MAX: u32 = 1_000;
/// Bytes a guest may hand over in one host call or answer beyond the answer's own body: the wall behind the bounds above.
pub const GUEST_TRANSFER_BYTES_MAX: usize = RESPONSE_BODY_BYTES_MAX + GUEST_TRANSFER_SPARE_BYTES;
/// The same for an answer's headers and framing, beside a body of any size.
pub const GUEST_TRANSFER_SPARE_BYTES: usize = 256 << 10;

/// Source of one script, bytes.
pub const SCRIPT_SOURCE_BYTES_MAX: usize = 256 << 10;
/// Modules below a script: how deep a chain of imports goes.
pub const IMPORT_DEPTH_MAX: usize = 8;
/// Modules that one script imports, those of its modules counted.
pub const IMPORT_MODULES_MAX: usize = 64;
/// Times that a publication is prepared anew because another node published a module that it imports meanwhile.
pub const PUBLISH_ATTEMPTS_MAX: usize = 4;
/// Name of a script, characters.
pub const SCRIPT_NAME_CHARS_MAX: usize = 64;
/// Description of a script, characters.
pub const SCRIPT_DESCRIPTION_CHARS_MAX: usize = 1_000;
/// Slug of an app, characters (one DNS label).
pub const APP_SLUG_CHARS_MAX: usize = 63;
/// Name of an app, characters.
pub const APP_NAME_CHARS_MAX: usize = 100;
/// Origins an app's CORS setting may name.
pub const APP_CORS_ORIGINS_MAX: usize = 32;
/// One CORS origin, characters.
pub const APP_CORS_ORIGIN_CHARS_MAX: usize = 255;
/// Patterns that an app grants for one capability.
pub const GRANT_PATTERNS_MAX: usize = 100;
/// One of them, bytes: as long as the longest name it can cover, an address of mail.
pub const GRANT_PATTERN_BYTES_MAX: usize = 254;
/// Path pattern of a route, characters.
pub const ROUTE_PATH_CHARS_MAX: usize = 512;
/// Segments of a route's path pattern.
pub const ROUTE_SEGMENTS_MAX: usize = 32;
/// Name of one parameter of a route's path, characters.
pub const ROUTE_PARAM_CHARS_MAX: usize = 64;
/// Method of a route, characters.
pub const ROUTE_METHOD_CHARS_MAX: usize = 32;
/// Routes of one app.
pub const ROUTES_PER_APP_MAX: usize = 1_000;
/// Host pattern of a route, characters.
pub const ROUTE_HOST_CHARS_MAX: usize = 253;
/// People of one instance.
pub const USERS_MAX: i64 = 10_000;
/// User name, characters.
pub const USERNAME_CHARS_MAX: usize = 64;
/// Password, characters: least.
pub const PASSWORD_CHARS_MIN: usize = 12;
/// Password, bytes: most (argon2 is not asked to hash novels).
pub const PASSWORD_BYTES_MAX: usize = 1_024;

/// KV value, bytes (as stored: JSON text or raw blob).
pub const KV_VALUE_BYTES_MAX: usize = 64 << 10;
/// KV key, bytes.
pub const KV_KEY_BYTES_MAX: usize = 512;
/// A KV entry may expire this long after its write at most, seconds (ten years).
pub const KV_TTL_S_MAX: i64 = 10 * 365 * 24 * 3600;
/// A KV write that another one crossed is begun again this often, then refused as `unavailable`.
pub const KV_RACES_MAX: u32 = 16;
/// Expired KV entries stay in the table for at least this long, ms: nobody sees them, and they are swept together. Also what
/// the clocks of two nodes may differ by without one sweeping what the other still shows.
pub const KV_SWEEP_DELAY_MS: u64 = 60_000;
/// Between two sweeps of expired KV entries at least, ms.
pub const KV_SWEEP_PAUSE_MS: u64 = 10_000;
/// Expired KV entries deleted in one transaction.
pub const KV_SWEEP_BATCH: i64 = 500;
/// Name of a secret, bytes.
pub const SECRET_NAME_BYTES_MAX: usize = 128;
/// Value of a secret, bytes.
pub const SECRET_VALUE_BYTES_MAX: usize = 64 << 10;
/// Secrets of one app.
pub const SECRETS_PER_APP_MAX: i64 = 1_000;
/// Names of one page of secrets, as a script lists them: most, and the default.
pub const SECRETS_PAGE_ITEMS_MAX: u32 = 1_000;
pub const SECRETS_PAGE_ITEMS_DEFAULT: u32 = 100;
/// Secrets encrypted anew in one transaction, when keys are rotated.
pub const SECRETS_ROTATION_BATCH: i64 = 100;
/// Master keys held at once.
pub const MASTER_KEYS_MAX: usize = 8;
/// The key file, bytes.
pub const KEY_FILE_BYTES_MAX: usize = 4 << 10;
/// Collection name, bytes.
pub const COLLECTION_NAME_BYTES_MAX: usize = 128;
/// Entries of one KV page: most, and the default.
pub const KV_PAGE_ENTRIES_MAX: u32 = 1_000;
pub const KV_PAGE_ENTRIES_DEFAULT: u32 = 100;
/// Values of one KV page, bytes together; a page ends early rather than grow past it (it always holds one entry).
pub const KV_PAGE_BYTES_MAX: usize = 1 << 20;

/// One file, bytes.
pub const FILE_BYTES_MAX: u64 = 16 << 20;
/// Name of a file, bytes.
pub const FILE_NAME_BYTES_MAX: usize = 512;
/// Content type of a file, bytes.
pub const FILE_CONTENT_TYPE_BYTES_MAX: usize = 255;
/// Files go between guest and disk in pieces of this many bytes, each hashed by itself; the database knows it too.
pub const FILE_PIECE_BYTES: usize = 256 << 10;
/// Entries of one page of files: most, and the default.
pub const FILE_PAGE_ENTRIES_MAX: u32 = 1_000;
pub const FILE_PAGE_ENTRIES_DEFAULT: u32 = 100;
/// Files that one invocation may have half written or half read.
pub const FILE_TRANSFERS_PER_INVOCATION_MAX: usize = 4;
/// Pieces of files written at once, syncs and removals among them, on one node.
pub const FILE_WRITES_AT_ONCE: usize = 4;
/// Pieces of files read at once on one node.
pub const FILE_READS_AT_ONCE: usize = 8;
/// A file that is replaced again and again while it is opened is tried this often.
pub const FILE_OPEN_ATTEMPTS_MAX: u32 = 8;
/// Bytes that stay free on the disk that holds files: a full one stops the database, too.
pub const FILES_FREE_BYTES_MIN: u64 = 256 << 20;
/// What is on disk without a row is removed once it is this old, s: older than any invocation, and than nodes' clocks differ.
pub const FILE_LEFTOVER_S: i64 = TIMEOUT_MS_CEILING as i64 / 1_000 + 600;
/// Blobs whose rows a sweep asks for at once.
pub const FILE_SWEEP_BATCH_MAX: usize = 1_000;
/// A sweep that failed is tried again this soon, ms.
pub const FILE_SWEEP_RETRY_MS: u64 = 60_000;

/// One document, bytes (as stored: JSON text, floats written out).
pub const DOCS_DATA_BYTES_MAX: usize = 256 << 10;
/// Nesting of maps and arrays in a document.
pub const DOCS_DEPTH_MAX: usize = 32;
/// Id of a document, bytes.
pub const DOCS_ID_BYTES_MAX: usize = 128;
/// A filter of documents, bytes as JSON.
pub const DOCS_FILTER_BYTES_MAX: usize = 32 << 10;
/// Nesting of `$and`, `$or` and `$not` in a filter, the filter itself included.
pub const DOCS_FILTER_DEPTH_MAX: usize = 8;
/// Conditions of a filter.
pub const DOCS_FILTER_TESTS_MAX: usize = 100;
/// Values of one `$in` or `$nin`.
pub const DOCS_IN_VALUES_MAX: usize = 100;
/// Values that the equalities, `$in` and `$nin` of one filter hold together: each is a search of the index.
pub const DOCS_FILTER_VALUES_MAX: usize = 1_000;
/// Steps of a path in a filter.
pub const DOCS_PATH_STEPS_MAX: usize = 5;
/// One step of a path, bytes.
pub const DOCS_PATH_STEP_BYTES_MAX: usize = 128;
/// Keys of one `$sort`, beside the id.
pub const DOCS_SORT_KEYS_MAX: usize = 4;
/// A string is sorted by so many of its characters: a cursor holds them.
pub const DOCS_SORT_TEXT_CHARS: usize = 128;
/// A cursor of a page of documents, bytes.
pub const DOCS_CURSOR_BYTES_MAX: usize = 12 << 10;
/// Documents of one page: most, and the default.
pub const DOCS_PAGE_ITEMS_MAX: u32 = 1_000;
pub const DOCS_PAGE_ITEMS_DEFAULT: u32 = 100;
/// Documents of one page, bytes together as stored; a page ends early rather than grow past it (it always holds one document).
pub const DOCS_PAGE_BYTES_MAX: usize = 1 << 20;

/// URL of a script's outbound request, bytes.
pub const HTTP_URL_BYTES_MAX: usize = 8 << 10;
/// Method of an outbound request, characters.
pub const HTTP_METHOD_CHARS_MAX: usize = 32;
/// Body of an outbound request, bytes.
pub const HTTP_REQUEST_BODY_BYTES_MAX: usize = 4 << 20;
/// Headers that a script gives an outbound request: how many.
pub const HTTP_REQUEST_HEADERS_MAX: usize = 100;
/// Headers that a script gives an outbound request: names and values together, bytes.
pub const HTTP_REQUEST_HEADER_BYTES_MAX: usize = 32 << 10;
/// Body of the answer to an outbound request, bytes: as it is sent, and again as it is unpacked.
pub const HTTP_RESPONSE_BODY_BYTES_MAX: usize = 4 << 20;
/// Headers of the answer to an outbound request: how many.
pub const HTTP_RESPONSE_HEADERS_MAX: usize = 100;
/// Headers of the answer to an outbound request: names and values together, bytes.
pub const HTTP_RESPONSE_HEADER_BYTES_MAX: usize = 64 << 10;
/// One call of `http`, its redirects and the wait for a place included, ms: default.
pub const HTTP_TIMEOUT_MS_DEFAULT: u32 = 10_000;
/// One call of `http`, ms: the most a script may ask for.
pub const HTTP_TIMEOUT_MS_MAX: u32 = 30_000;
/// Finding a host's addresses, connecting to one of them and TLS, together, ms.
pub const HTTP_CONNECT_MS: u64 = 5_000;
/// Addresses of a host that are tried in turn. All of them are judged.
pub const HTTP_ADDRESSES_TRIED_MAX: usize = 4;
/// Redirects of one call.
pub const HTTP_REDIRECTS_MAX: usize = 5;
/// Calls of `http` that one app may have under way on a node.
pub const HTTP_CALLS_PER_APP_MAX: usize = 8;
/// Outbound requests of one invocation, mail and each redirect that is followed counted.
pub const HTTP_REQUESTS_PER_INVOCATION_MAX: u32 = 20;
/// Names looked up at once on a node: a lookup holds a thread until the resolver has answered.
pub const HTTP_LOOKUPS_MAX: usize = 64;

/// Recipients of one message: to, cc and bcc together.
pub const EMAIL_RECIPIENTS_MAX: usize = 50;
/// One address of a message, bytes (RFC 5321, with its brackets).
pub const EMAIL_ADDRESS_BYTES_MAX: usize = 254;
/// The part of an address before its `@`, bytes.
pub const EMAIL_LOCAL_PART_BYTES_MAX: usize = 64;
/// Subject of a message, bytes.
pub const EMAIL_SUBJECT_BYTES_MAX: usize = 998;
/// Text and HTML of a message together, bytes.
pub const EMAIL_BODY_BYTES_MAX: usize = 1 << 20;
/// One message handed to the relay, the wait for a place included, ms.
pub const EMAIL_TIMEOUT_MS: u64 = 10_000;
/// Messages that one app may have under way on a node.
pub const EMAIL_SENDS_PER_APP_MAX: usize = 4;
/// Messages under way on a node, each on a connection to the relay.
pub const EMAIL_SENDS_MAX: usize = 16;
/// Connections to the relay that are kept for the next message.
pub const EMAIL_CONNECTIONS_KEPT_MAX: usize = 4;
/// How long they are kept unused, ms.
pub const EMAIL_CONNECTION_IDLE_MS: u64 = 30_000;
/// A kept connection that answers later than this, ms, counts as lost: the message goes over another one.
pub const EMAIL_KEPT_ANSWER_MS: u64 = 2_000;
/// The relay may take this long to answer a farewell, ms, before the connection is closed without.
pub const EMAIL_FAREWELL_MS: u64 = 1_000;
/// What a relay said, quoted to a script, bytes.
pub const EMAIL_REPLY_BYTES_MAX: usize = 200;

/// Body of a control-plane request, bytes (a script's source as JSON, with room for escapes).
pub const API_BODY_BYTES_MAX: usize = 2 << 20;
/// The same at an operation that anybody may call (a login), bytes.
pub const PUBLIC_BODY_BYTES_MAX: usize = 8 << 10;
/// The database must answer a health check within this, ms.
pub const HEALTH_CHECK_MS: u64 = 2_000;
/// The body of a control-plane request must have arrived within this, ms.
pub const API_BODY_READ_MS: u64 = 30_000;
/// Message of a control-plane error, bytes: what a caller sent is quoted no further.
pub const API_ERROR_MESSAGE_BYTES_MAX: usize = 2 << 10;
/// Unknown fields that an error names; further ones are counted.
pub const API_ERROR_FIELDS_MAX: usize = 20;
/// One unknown field's name in an error, bytes.
pub const API_ERROR_FIELD_BYTES_MAX: usize = 100;
/// Items of one control-plane page: most, and the default.
pub const API_PAGE_ITEMS_MAX: u32 = 200;
pub const API_PAGE_ITEMS_DEFAULT: u32 = 50;
/// A session ends this long after its last use, seconds.
pub const SESSION_IDLE_S: i64 = 7 * 24 * 3600;
/// A session's last use is noted in steps of this, seconds: not every request is a write.
pub const SESSION_TOUCH_S: i64 = 300;
/// Logins of one user at a time; one more ends the oldest.
pub const SESSIONS_PER_USER_MAX: i64 = 100;
/// Password hashes computed at once (each takes 19 MiB).
pub const PASSWORD_HASHES_AT_ONCE: usize = 2;
/// Logins waiting for their hash; one more is refused at once with 503 `overloaded`.
pub const PASSWORD_HASHES_WAITING_MAX: usize = 64;

/// Connections to the database that one node holds for itself: administration, records, programs; and those that listen.
pub const DATABASE_CONNECTIONS_MAX: u32 = 9;
/// Connections to the database that one node holds for scripts: what hangs in them is not the platform's own.
pub const DATABASE_SCRIPT_CONNECTIONS_MAX: u32 = 12;
/// Of these, how many may lie aside for the next statement: transactions find the others.
pub const DATABASE_SCRIPT_CONNECTIONS_ASIDE_MAX: usize = 6;
/// Nesting of a JSON value that a script, or a person for one, hands on; the guest has the same bound.
pub const JSON_DEPTH_MAX: usize = 128;
/// What is read of JSON that the platform has wrapped around such values, levels.
pub const JSON_WRAPPED_DEPTH_MAX: usize = 144;
/// One statement of a script's host call, ms: the database ends it then.
pub const DATABASE_SCRIPT_STATEMENT_MS: u32 = 10_000;
/// A change by a person waits at most this long for a lock, ms.
pub const DATABASE_LOCK_WAIT_MS: u32 = 5_000;
/// Tries of a transaction that PostgreSQL ends because it and others wait for each other.
pub const DEADLOCK_TRIES_MAX: u32 = 5;
/// A caller waits at most this long for one of them, ms.
pub const DATABASE_ACQUIRE_MS: u64 = 10_000;
/// A connection unused for longer than this is tried before it is used again, ms.
pub const DATABASE_TRUST_IDLE_MS: u64 = 30_000;
/// An external database that does not take connections yet is waited for this long at the start, ms.
pub const DATABASE_CONNECT_MS: u64 = 10_000;
/// Connections that the private PostgreSQL keeps beside the pool: listeners, and a person with `psql`.
pub const DATABASE_CONNECTIONS_SPARE: u32 = 8;
/// The oldest PostgreSQL that is used, major version.
pub const POSTGRES_MAJOR_MIN: u32 = 14;
/// The private PostgreSQL may take this long to start, recovery after a crash included, ms.
pub const POSTGRES_START_MS: u64 = 300_000;
/// An earlier node's PostgreSQL may take this long to end, ms.
pub const POSTGRES_ORPHAN_MS: u64 = 30_000;
/// A fast shutdown of the private PostgreSQL may take this long, then it is an immediate one, ms.
pub const POSTGRES_STOP_MS: u64 = 30_000;
/// An immediate shutdown may take this long, then the process is killed, ms.
pub const POSTGRES_STOP_IMMEDIATE_MS: u64 = 5_000;
/// Between two looks of PostgreSQL's autovacuum, s: each look is a transaction on an otherwise idle node.
pub const POSTGRES_AUTOVACUUM_NAPTIME_S: u32 = 900;
/// What PostgreSQL said last, kept to explain a failed start, lines.
pub const POSTGRES_LOG_LINES_KEPT: usize = 64;
/// Path of a Unix socket, bytes (the kernel's bound, without the final zero).
pub const SOCKET_PATH_BYTES_MAX: usize = 107;
/// Images kept for one version: two, so that nodes of two releases can live side by side during an upgrade.
pub const IMAGES_PER_VERSION_MAX: i64 = 2;
/// Records go to the database in pieces of about this many bytes.
pub const COPY_CHUNK_BYTES: usize = 64 << 10;

/// Fuel charged for a host call, beside what its own instructions cost.
pub const HOST_CALL_FUEL_BASE: u64 = 20_000;
/// Fuel charged for each byte that crosses in a host call, either way.
pub const HOST_CALL_FUEL_PER_BYTE: u64 = 10;
/// Arguments of a call from script to script, bytes of JSON.
pub const INVOKE_ARGUMENTS_BYTES_MAX: usize = 1 << 20;
/// Calls from script to script: how deep a chain of them goes.
pub const INVOKE_DEPTH_MAX: u32 = 8;
/// A script that another waits for ends this long after its caller at the latest, ms.
pub const NESTED_GRACE_MS: u32 = 20;
/// One wait between two tries of `retry`, ms.
pub const RETRY_PAUSE_MS_MAX: u32 = 5_000;
/// Random bytes of one host call.
pub const RANDOM_BYTES_MAX: u64 = 64 << 10;
/// Fuel after which a running guest yields its thread: some hundred microseconds, one millisecond on a slow board.
pub const FUEL_YIELD_INTERVAL: u64 = 1_000_000;
/// Fuel to parse a script at upload, and to prepare it where no image fits.
pub const PREPARE_FUEL: u64 = 5_000_000_000;
/// Memory to parse and prepare a script, MiB.
pub const PREPARE_MEMORY_MB: u32 = 64;
/// Wall clock to parse and prepare a script, ms.
pub const PREPARE_TIMEOUT_MS: u32 = 10_000;
/// A memory image, bytes raw; a larger one is not kept and the script is prepared at each call.
pub const IMAGE_BYTES_MAX: usize = 16 << 20;
/// Prepared scripts held in memory, bytes together (sources and raw images).
pub const PROGRAM_CACHE_BYTES: u64 = 32 << 20;
/// Prepared scripts that the cache expects; it holds as many as fit its bytes.
pub const PROGRAM_CACHE_ITEMS: usize = 1_024;
/// Scripts checked or prepared at once; each takes an instance beside the places of invocations.
pub const PREPARATIONS_AT_ONCE: usize = 2;
/// Preparations that may wait for that, and how long, ms: a publish past it is answered 503 `overloaded`. As long may a
/// publication that works with modules wait for the app's others.
pub const PREPARATIONS_WAITING_MAX: usize = 64;
pub const PREPARATION_WAIT_MS: u64 = 10_000;

/// Executions recorded and not yet written; further ones are dropped and counted.
pub const RECORD_QUEUE_EXECUTIONS_MAX: usize = 8_192;
/// Calls that found no place and have a record, of one node and second; more are counted alone.
pub const RECORD_REFUSALS_PER_S_MAX: u32 = 100;
/// Log bytes held by records not yet written; a record past it loses its lines, counted.
pub const RECORD_QUEUE_LOG_BYTES_MAX: usize = 16 << 20;
/// Executions written in one batch.
pub const RECORD_BATCH_EXECUTIONS_MAX: usize = 1_024;
/// A batch is written at the latest this long after its first record, ms.
pub const RECORD_BATCH_DELAY_MS: u64 = 50;

/// A batch that cannot be written is tried this often, then dropped and counted.
pub const RECORD_WRITE_ATTEMPTS_MAX: u32 = 4;
/// Wait before a batch is tried again, ms; it doubles each time.
pub const RECORD_WRITE_RETRY_MS: u64 = 100;

/// An invocation waits at most this long for a place, ms; then 503 `overloaded`.
pub const ADMISSION_WAIT_MS: u64 = 1_000;
/// A delivery that was refused one asks again after this, ms.
pub const ADMISSION_RETRY_MS: u64 = 50;
/// Invocations waiting for a place on this node; one more is refused at once.
pub const ADMISSION_QUEUE_MAX: usize = 1_024;
/// Of these, calls of one app.
pub const ADMISSION_QUEUE_PER_APP_MAX: usize = 256;
/// A failure as it is recorded: its message, bytes.
pub const FAILURE_MESSAGE_BYTES_MAX: usize = 4 << 10;
/// A failure as it is recorded: a function's or script's name, bytes.
pub const FAILURE_NAME_BYTES_MAX: usize = 128;
/// A failure as it is recorded: calls of its chain, the innermost.
pub const FAILURE_CALLS_MAX: usize = 64;

/// Headers of one request on either plane, bytes.
pub const REQUEST_HEADER_BYTES_MAX: usize = 64 << 10;
/// Connections of one plane at once, on a large machine; one more takes the place of the one that asks nothing for the longest.
pub const CONNECTIONS_MAX: usize = 8_192;
/// A request's head may take this long from its first byte to its last, ms; then the connection is closed.
pub const REQUEST_HEAD_TIMEOUT_MS: u64 = 10_000;
/// A connection on which nothing moves is closed after this long, ms: longer than any script may take to answer.
pub const CONNECTION_IDLE_MS: u64 = TIMEOUT_MS_CEILING as u64 + 60_000;
/// On shutdown, running requests may take this long to end, ms.
pub const SHUTDOWN_GRACE_MS: u64 = 10_000;

/// One mebibyte, one gibibyte.
pub const MIB: u64 = 1 << 20;
pub const GIB: u64 = 1 << 30;
/// Invocations at once for each core, where the configuration names no number.
pub const PLACES_PER_CORE: usize = 16;
/// Invocations at once: the most a node may be configured for.
pub const PLACES_CEILING: usize = 1_024;
/// Address space held for one instance's memory: so much that compiled code needs no bounds checks.
pub const RESERVATION_BYTES_FULL: u64 = 4 * GIB;
/// Address space held for one instance's memory where addresses are scarce.
pub const RESERVATION_BYTES_TIGHT: u64 = MEMORY_MB_CEILING as u64 * MIB;
/// Stack of one instance's compiled code, bytes.
pub const GUEST_STACK_BYTES: usize = 1 << 20;
/// Stack of one invocation, bytes: the guest's and the host calls' on top of it.
pub const INSTANCE_STACK_BYTES: usize = GUEST_STACK_BYTES + (1 << 20);
/// Pages that a run has written to and that stay for the next instance in the same place, bytes. What stays is wiped for
/// every later run, whoever's it is: more of it makes scripts that write much faster and all others slower.
pub const KEEP_RESIDENT_BYTES: usize = 448 << 10;
/// A run that burns more leaves no page: what it wrote to in a millisecond and more is not what the next one needs.
pub const RESIDENT_FUEL_MAX: u64 = 2_000_000;
/// One run of so many leaves none either: what other scripts once needed in its place goes with it.
pub const RESIDENT_RUNS: u128 = 64;
/// Extents of a memory image; more are merged by bridging wider gaps.
pub const IMAGE_EXTENTS_MAX: usize = 320;
/// Blank pages that an image fills are mapped rather than copied from this many bytes in a row; a multiple of every
/// page size.
pub const IMAGE_MAPPED_BYTES_MIN: usize = 384 << 10;
/// Blank pages between two that are mapped are mapped with them, bytes, for the sake of one long run.
pub const IMAGE_BRIDGED_BYTES_MAX: usize = 64 << 10;
/// Changed words of memory closer than this, bytes, become one extent of an image.
pub const IMAGE_GAP_BYTES: usize = 1024;

/// Signals that the directory changed are gathered this long, ms, and answered by one reload.
pub const ROUTING_SETTLE_MS: u64 = 20;
/// After the directory's signals were lost they are asked for again this soon, ms; doubled up to the ceiling.
pub const ROUTING_RETRY_MS: u64 = 100;
/// The longest pause between two such tries, ms.
pub const ROUTING_RETRY_MS_CEILING: u64 = 5_000;
/// A browser may remember the answer to a preflight this long, seconds.
pub const CORS_MAX_AGE_S: u64 = 600;
