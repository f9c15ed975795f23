//! What is kept for a time only: records of executions with their logs, what apps used, dead letters, deduplication keys,
//! messages of topics, tokens of subscribers, answers of requests that may come again, leftovers of races. Deleted in transactions of `SWEEP_BATCH` rows, so that nobody
//! waits for it; a crash leaves the rest to the next sweep.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::Services;
use crate::error::Result;
use crate::id::{EventId, ExecutionId};
use crate::limits;
use crate::model::usage::Period;
use crate::store;

/// Deletes all that is due; how many rows.
pub async fn sweep(s: &Services) -> Result<u64> {
    let now = s.now();
    let ago = |seconds: i64| now - TimeDelta::seconds(seconds);
    let usage = Period::ALL.map(|period| Kept::Usage { period, before: ago(period.keep_s()) });
    let kept = [
        Kept::Letters { resolved: ago(limits::DEAD_LETTER_RESOLVED_KEEP_S), dead: ago(limits::DEAD_LETTER_KEEP_S) },
        Kept::Keys { expired_by: now },
        Kept::Messages { published_by: ago(limits::TOPIC_MESSAGE_KEEP_S) },
        Kept::Tokens { expired_by: now },
        Kept::Events { before: EventId(before(ago(limits::EVENT_LEFTOVER_S))) },
        Kept::Answers { before: ago(limits::IDEMPOTENCY_WINDOW_S) },
        Kept::Records { before: ExecutionId(before(ago(limits::EXECUTION_KEEP_S))) },
    ];
    let mut swept = 0;
    for kept in kept.into_iter().chain(usage) {
        // Again and again until a batch is not full.
        loop {
            let mut tx = store::begin(&s.db).await?;
            let rows = kept.delete(&mut tx).await?;
            tx.commit().await?;
            swept += rows;
            if rows < limits::SWEEP_BATCH.unsigned_abs() {
                break;
            }
        }
    }
    Ok(swept)
}

/// What is kept until then.
#[derive(Clone, Copy)]
enum Kept {
    Letters { resolved: DateTime<Utc>, dead: DateTime<Utc> },
    Keys { expired_by: DateTime<Utc> },
    Messages { published_by: DateTime<Utc> },
    Tokens { expired_by: DateTime<Utc> },
    Events { before: EventId },
    Answers { before: DateTime<Utc> },
    Records { before: ExecutionId },
    Usage { period: Period, before: DateTime<Utc> },
}

impl Kept {
    /// A batch; how many rows.
    async fn delete(self, tx: &mut PgConnection) -> Result<u64> {
        let rows = limits::SWEEP_BATCH;
        Ok(match self {
            Self::Letters { resolved, dead } => store::dead_letters::sweep(tx, resolved, dead, rows).await?,
            Self::Keys { expired_by } => store::queues::sweep_keys(tx, expired_by, rows).await?,
            Self::Messages { published_by } => store::topics::sweep_messages(tx, published_by, rows).await?,
            Self::Tokens { expired_by } => store::subscriber_tokens::sweep(tx, expired_by, rows).await?,
            Self::Events { before } => store::events::sweep(tx, before, rows).await?,
            Self::Answers { before } => store::idempotency::sweep(tx, before, rows).await?,
            Self::Records { before } => store::executions::sweep(tx, before, rows).await?,
            Self::Usage { period, before } => store::usage::sweep(tx, period, before, rows).await?,
        })
    }
}

/// The smallest id of that time.
fn before(at: DateTime<Utc>) -> Uuid {
    let millis = u64::try_from(at.timestamp_millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid()
}
