//! Bounds of who may do what: logins, keys, members, the audit log, requests that come again.

/// Wrong logins of one name in a window, wherever they come from; and of one address, whatever the names.
pub const LOGIN_FAILURES_PER_USER_MAX: u32 = 10;
pub const LOGIN_FAILURES_PER_ADDRESS_MAX: u32 = 50;
/// That window, seconds.
pub const LOGIN_WINDOW_S: i64 = 900;
/// Names, and addresses, of which wrong logins are remembered on a node.
pub const LOGIN_TALLIES_MAX: usize = 10_000;
/// What a login's client calls itself, as it is kept, bytes.
pub const USER_AGENT_BYTES_MAX: usize = 200;
/// API keys of one person that were not taken back, expired ones among them.
pub const API_KEYS_PER_USER_MAX: i64 = 100;
/// Name of an API key, bytes.
pub const API_KEY_NAME_BYTES_MAX: usize = 128;
/// Members of one app.
pub const MEMBERS_PER_APP_MAX: i64 = 1_000;
/// One of the two values of an audit row, bytes of JSON; of a larger one the digest stands there.
pub const AUDIT_VALUE_BYTES_MAX: usize = 16 << 10;
/// Rows of the audit log that are checked in one go.
pub const AUDIT_VERIFY_BATCH: i64 = 1_000;
/// `Idempotency-Key`, bytes.
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 128;
/// An idempotency key is remembered this long, seconds.
pub const IDEMPOTENCY_WINDOW_S: i64 = 24 * 3600;
/// Idempotency keys of one person in that time.
pub const IDEMPOTENCY_KEYS_PER_USER_MAX: i64 = 1_000;
/// An answer that is kept for an idempotency key, bytes; of a longer one only that it was given.
pub const IDEMPOTENT_ANSWER_BYTES_MAX: usize = 64 << 10;
