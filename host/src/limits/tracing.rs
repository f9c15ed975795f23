//! Bounds of what is told to a collector of traces and logs.

/// Spans and log lines that wait to be sent; further ones are dropped and counted.
pub const OTLP_QUEUE_ITEMS_MAX: usize = 8_192;
/// Bytes of texts that these hold.
pub const OTLP_QUEUE_BYTES_MAX: usize = 8 << 20;
/// Spans and lines in one request.
pub const OTLP_BATCH_ITEMS_MAX: usize = 512;
/// A batch is sent at the latest this long after its first item, ms.
pub const OTLP_BATCH_DELAY_MS: u64 = 1_000;
/// The collector must connect, and must answer, within this, ms.
pub const OTLP_TIMEOUT_MS: u64 = 5_000;
/// A batch that could not be sent is tried this often, then dropped and counted.
pub const OTLP_TRIES_MAX: u32 = 3;
/// Wait before it is tried again, ms; it doubles each time.
pub const OTLP_RETRY_MS: u64 = 500;
/// A node that ends sends what it has within this, ms.
pub const OTLP_CLOSE_MS: u64 = 2_000;
/// An answer of the collector is read up to this, bytes.
pub const OTLP_ANSWER_BYTES_MAX: usize = 64 << 10;
/// Text of one line, or of one of its fields, that is sent, bytes.
pub const OTLP_TEXT_BYTES_MAX: usize = 8 << 10;
