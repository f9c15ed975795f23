//! Bounds of events: triggers, deliveries, queues, topics, dead letters, and how long things are kept.

use std::time::Duration;

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
/// A delivery that is given back because the database refused something is due again after this, ms.
pub const DELIVERY_REFUSED_MS: u64 = 1_000;
/// A delivery that was claimed and lost more often, because its nodes ended, is a dead letter.
pub const DELIVERY_LOST_MAX: u32 = 16;
/// Deliveries that a node holds claimed: of all apps, and of one, which may take half of what the others leave.
pub const DELIVERIES_CLAIMED_MAX: usize = 512;
pub const DELIVERIES_CLAIMED_PER_APP_MAX: usize = 96;
/// Deliveries claimed in one transaction.
pub const CLAIM_BATCH: i64 = 96;
/// What an event tells is read with its claim up to this, bytes; more is read once the handler has its place.
pub const CLAIM_ABOUT_BYTES_MAX: i32 = 8 << 10;
/// Other nodes are told of added events at most this often, ms.
pub const EVENT_SIGNAL_MS: u64 = 20;
/// A write that nobody heard the end of is over after this, ms: its statement is bounded (`DATABASE_SCRIPT_STATEMENT_MS`).
pub const EVENT_DOUBT_MS: u64 = 11_000;
/// Events of an app that wait to be handled: their number, and what they tell, bytes. Past either, nothing is sent, published,
/// accepted or taken in; writes to collections go on. Counted now and then, so it holds to within what is added in between.
pub const EVENTS_WAITING_MAX: i64 = 250_000;
pub const EVENTS_WAITING_BYTES_MAX: i64 = 256 << 20;
/// An app that had too much waiting is counted anew after this at the earliest, and any count is too old after this.
pub const EVENTS_WAITING_RECOUNT: Duration = Duration::from_secs(1);
pub const EVENTS_WAITING_KNOWN: Duration = Duration::from_secs(10);
/// What was passed over because its app was being changed or deleted is looked at again after this, ms.
pub const PASSED_OVER_MS: u64 = 200;
/// A node that ends gives its claims back within this, ms, or leaves them to their leases.
pub const GIVE_BACK_MS: u64 = 2_000;
/// Events relayed in one transaction, of all apps that have any in equal parts.
pub const RELAY_BATCH: i64 = 256;
/// An app with more triggers has fewer of its events relayed in one transaction: by one part for each so many.
pub const RELAY_FAN_OUT: i64 = 16;
/// What is held is looked at again after this at the earliest, ms, when the last look found nothing; and what waits for triggers that
/// are gone after this.
pub const HELD_LOOK_MS: u64 = 250;
pub const FORSAKEN_LOOK_MS: u64 = 10_000;
/// Deliveries settled between two times that the dead rows of the pipeline's tables are cleared away.
pub const VACUUM_DELIVERIES: usize = 50_000;
/// Deliveries settled in one transaction.
pub const SETTLE_BATCH_MAX: usize = 256;
/// A tick that is due for so long is held by someone else, who changes or fires it: it is looked at again after as long, ms.
pub const TICK_HELD_MS: i64 = 250;
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
/// What the events of one page of dead letters tell, together, bytes; the page ends early.
pub const DEAD_LETTER_PAGE_BYTES_MAX: i64 = 1 << 20;
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
