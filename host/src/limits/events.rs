//! Bounds of events: triggers, deliveries, queues, topics, dead letters, and how long things are kept.

/// Attempts of a delivery, the first included: where a trigger names none, and the most it may name.
pub const DELIVERY_ATTEMPTS_DEFAULT: u32 = 3;
pub const DELIVERY_ATTEMPTS_MAX: u32 = 100;
/// Wait after a delivery's first attempt, ms, where a trigger names none.
pub const DELIVERY_BASE_DELAY_MS_DEFAULT: u32 = 1_000;
/// The longest wait between two attempts, ms, where a trigger names none.
pub const DELIVERY_MAX_DELAY_MS_DEFAULT: u32 = 60_000;
/// The longest wait that a trigger may name, ms (a day).
pub const DELIVERY_DELAY_MS_MAX: u32 = 24 * 3600 * 1_000;
/// A claimed delivery is another node's to claim after this, ms, unless its lease is renewed.
pub const DELIVERY_LEASE_MS: u64 = 15_000;
/// Leases are renewed this often, ms.
pub const DELIVERY_RENEW_MS: u64 = 5_000;
/// Deliveries that a node holds claimed: of all apps, and of one.
pub const DELIVERIES_CLAIMED_MAX: usize = 512;
pub const DELIVERIES_CLAIMED_PER_APP_MAX: usize = 96;
/// More are claimed once so few of the claimed ones wait to run.
pub const DELIVERIES_CLAIMED_LOW: usize = 48;
/// Other nodes are told of added events at most this often, ms.
pub const EVENT_SIGNAL_MS: u64 = 20;
/// A write that nobody heard the end of is over after this, ms: its statement is bounded (`DATABASE_SCRIPT_STATEMENT_MS`).
pub const EVENT_DOUBT_MS: u64 = 11_000;
/// Events relayed in one transaction.
pub const RELAY_BATCH: i64 = 256;
/// Deliveries settled in one transaction.
pub const SETTLE_BATCH_MAX: usize = 256;
/// Settling that the database refused is tried again after this, ms.
pub const SETTLE_RETRY_MS: u64 = 200;
/// Schedules that are fired in one transaction.
pub const TICK_BATCH: i64 = 100;
/// A worker that the database refused tries again this soon, ms; doubled up to the ceiling.
pub const WORKER_RETRY_MS: u64 = 100;
pub const WORKER_RETRY_MS_CEILING: u64 = 5_000;
/// Of the invocations that may run at once, so many (percent) may besides run for events: places of their own.
pub const EVENT_PLACES_PERCENT: usize = 50;
/// A signed request that brings mail in counts this long before and after its time, s.
pub const EMAIL_SIGNATURE_S: i64 = 300;
/// Hops of a chain of events; a delivery past it is born dead.
pub const EVENT_DEPTH_MAX: u32 = 16;
/// What handlers of dead letters may go beyond that: a letter that says so must reach them.
pub const EVENT_DEPTH_LETTERS: u32 = 2;
/// What an attempt keeps of its log, bytes.
pub const ATTEMPT_LOG_BYTES_MAX: usize = 16 << 10;
/// Cron expression of a trigger, characters.
pub const SCHEDULE_CHARS_MAX: usize = 256;
/// Name of a time zone, characters.
pub const TIMEZONE_CHARS_MAX: usize = 64;
/// Ticks that are shown of a schedule.
pub const SCHEDULE_PREVIEW_TICKS: usize = 10;
/// Triggers of one app.
pub const TRIGGERS_PER_APP_MAX: i64 = 1_000;
/// Name of a queue, bytes.
pub const QUEUE_NAME_BYTES_MAX: usize = 128;
/// Name of a topic, bytes.
pub const TOPIC_NAME_BYTES_MAX: usize = 128;
/// A message of a queue or a topic, bytes of JSON.
pub const MESSAGE_BYTES_MAX: usize = 256 << 10;
/// A message may wait this long before it is delivered at most, s (seven days).
pub const QUEUE_DELAY_S_MAX: i64 = 7 * 24 * 3600;
/// Deduplication key of a message, bytes.
pub const QUEUE_KEY_BYTES_MAX: usize = 128;
/// A deduplication key counts for this long after the message that it came with, s.
pub const QUEUE_KEY_WINDOW_S: i64 = 300;
/// Reason for resolving a dead letter, characters.
pub const DEAD_LETTER_REASON_CHARS_MAX: usize = 500;
/// Dead letters of one page of a script: most.
pub const DEAD_LETTER_PAGE_ITEMS_MAX: u32 = 100;
/// Dead letters replayed by one request.
pub const DEAD_LETTER_REPLAY_BATCH: i64 = 1_000;
/// Dead letters are kept this long, s: those that are resolved, and the others.
pub const DEAD_LETTER_RESOLVED_KEEP_S: i64 = 7 * 24 * 3600;
pub const DEAD_LETTER_KEEP_S: i64 = 90 * 24 * 3600;
/// Records of executions and their logs are kept this long, s.
pub const EXECUTION_KEEP_S: i64 = 14 * 24 * 3600;
/// An event without a delivery is left over once it is this old, s.
pub const EVENT_LEFTOVER_S: i64 = 3_600;
/// Rows that a sweep deletes in one transaction.
pub const SWEEP_BATCH: i64 = 1_000;
/// Between two sweeps of what is kept for a time at least, s.
pub const SWEEP_PAUSE_S: u64 = 3_600;
