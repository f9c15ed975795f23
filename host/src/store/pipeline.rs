//! What of the pipeline of events waits, over all apps: for those who watch it.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::id::EventId;
use crate::limits::METRICS_COUNTED_MAX;

/// Counted up to `METRICS_COUNTED_MAX` each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Events that no delivery was made for yet.
    pub outbox: u64,
    /// The oldest of these.
    pub oldest: Option<EventId>,
    /// Deliveries that are due or will be, that are being attempted, that wait for their trigger.
    pub due: u64,
    pub claimed: u64,
    pub held: u64,
    /// Dead letters that nobody resolved.
    pub dead: u64,
}

/// What waits now.
pub async fn waiting(db: &mut PgConnection) -> sqlx::Result<Waiting> {
    let row = sqlx::query!(
        r#"WITH RECURSIVE first AS (
               (SELECT app_id, event_id FROM outbox ORDER BY app_id, event_id LIMIT 1)
               UNION ALL
               SELECT next.app_id, next.event_id FROM first, LATERAL (
                   SELECT app_id, event_id FROM outbox WHERE app_id > first.app_id ORDER BY app_id, event_id LIMIT 1
               ) AS next
           ), open AS (
               SELECT state FROM deliveries WHERE state <> 'dead' LIMIT $1
           )
           SELECT (SELECT count(*) FROM (SELECT FROM outbox LIMIT $1) AS events) AS "outbox!",
                  (SELECT event_id FROM first ORDER BY event_id LIMIT 1) AS "oldest: EventId",
                  (SELECT count(*) FROM open WHERE state = 'due') AS "due!",
                  (SELECT count(*) FROM open WHERE state = 'claimed') AS "claimed!",
                  (SELECT count(*) FROM open WHERE state = 'held') AS "held!",
                  (SELECT count(*) FROM (
                      SELECT FROM deliveries WHERE state = 'dead' AND resolved_at IS NULL LIMIT $1
                  ) AS letters) AS "dead!""#,
        METRICS_COUNTED_MAX
    )
    .fetch_one(db)
    .await?;
    Ok(Waiting {
        outbox: super::natural("outbox", row.outbox)?,
        oldest: row.oldest,
        due: super::natural("due", row.due)?,
        claimed: super::natural("claimed", row.claimed)?,
        held: super::natural("held", row.held)?,
        dead: super::natural("dead", row.dead)?,
    })
}

impl Waiting {
    /// How long the oldest event has been waiting, seconds.
    pub fn oldest_s(&self, now: DateTime<Utc>) -> f64 {
        let began = self.oldest.and_then(|id| id.0.get_timestamp()).map(|at| {
            let (seconds, nanoseconds) = at.to_unix();
            seconds as f64 + f64::from(nanoseconds) / 1e9
        });
        began.map_or(0.0, |began| (now.timestamp_millis() as f64 / 1e3 - began).max(0.0))
    }
}
