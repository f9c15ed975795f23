//! Where time comes from. Rules and SQL take `now` as an argument; only composition roots hold a `Clock`.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, Duration, Utc};

/// The system's clock, or one that a test advances.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    manual_us: Option<Arc<AtomicI64>>,
}

impl Clock {
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock that stands still until `advance`.
    pub fn manual(start: DateTime<Utc>) -> Self {
        Self { manual_us: Some(Arc::new(AtomicI64::new(start.timestamp_micros()))) }
    }

    #[allow(clippy::disallowed_methods, reason = "the one home of the system clock")]
    pub fn now(&self) -> DateTime<Utc> {
        match &self.manual_us {
            Some(us) => DateTime::from_timestamp_micros(us.load(Ordering::Relaxed)).unwrap_or(DateTime::UNIX_EPOCH),
            None => Utc::now(),
        }
    }

    /// Moves a manual clock; a system clock is left alone.
    pub fn advance(&self, by: Duration) {
        if let Some(us) = &self.manual_us {
            us.fetch_add(by.num_microseconds().unwrap_or(0), Ordering::Relaxed);
        }
    }
}
