//! Queues: what waits in `deliveries`, and `queue_keys`.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::id::{AppId, EventId, TriggerId};
use crate::model::queue::Queue;

/// Takes a deduplication key for a message until `expires_at`, unless another message has it; that message then.
pub async fn take_key(
    db: &mut PgConnection,
    now: DateTime<Utc>,
    app: AppId,
    queue: &str,
    key: &str,
    event: EventId,
    expires_at: DateTime<Utc>,
) -> sqlx::Result<Option<EventId>> {
    let holder = sqlx::query_scalar!(
        r#"INSERT INTO queue_keys (app_id, queue, key, event_id, expires_at) VALUES ($1, $2, $3, $4, $6)
           ON CONFLICT ON CONSTRAINT queue_keys_pkey DO UPDATE
           SET event_id = CASE WHEN queue_keys.expires_at <= $5 THEN excluded.event_id ELSE queue_keys.event_id END,
               expires_at = CASE WHEN queue_keys.expires_at <= $5 THEN excluded.expires_at ELSE queue_keys.expires_at END
           RETURNING event_id AS "event_id: EventId""#,
        app.0,
        queue,
        key,
        event.0,
        now,
        expires_at
    )
    .fetch_one(db)
    .await?;
    Ok((holder != event).then_some(holder))
}

/// Deletes up to `rows` keys that had expired by then; how many.
pub async fn sweep_keys(db: &mut PgConnection, expired_by: DateTime<Utc>, rows: i64) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "DELETE FROM queue_keys USING (
             SELECT app_id, queue, key FROM queue_keys WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED
         ) AS expired
         WHERE queue_keys.app_id = expired.app_id AND queue_keys.queue = expired.queue AND queue_keys.key = expired.key",
        expired_by,
        rows
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// Messages of a queue that are not settled, relayed or not.
pub async fn size(db: &mut PgConnection, app: AppId, queue: &str) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"SELECT (SELECT count(*) FROM deliveries WHERE app_id = $1 AND queue = $2 AND state <> 'dead')
                  + (SELECT count(*) FROM outbox WHERE app_id = $1 AND source = 'queue' AND name = $2) AS "count!""#,
        app.0,
        queue
    )
    .fetch_one(db)
    .await
}

/// An app's queues by name, after `after`: those that hold something, and those that have a consumer.
pub async fn list(db: &mut PgConnection, now: DateTime<Utc>, app: AppId, after: &str, rows: i64) -> sqlx::Result<Vec<Queue>> {
    let rows = sqlx::query!(
        r#"SELECT coalesce(m.name, t.pattern) AS "name!", coalesce(m.waiting, 0) AS "waiting!", coalesce(m.delayed, 0) AS "delayed!",
                  coalesce(m.claimed, 0) AS "claimed!", coalesce(m.dead, 0) AS "dead!", t.id AS "trigger_id?: TriggerId"
           FROM (
               SELECT queue AS name,
                      count(*) FILTER (WHERE state = 'held' OR state = 'due' AND due_at <= $2) AS waiting,
                      count(*) FILTER (WHERE state = 'due' AND due_at > $2) AS delayed,
                      count(*) FILTER (WHERE state = 'claimed') AS claimed,
                      count(*) FILTER (WHERE state = 'dead' AND resolved_at IS NULL) AS dead
               FROM deliveries WHERE app_id = $1 AND queue > $3 GROUP BY queue
           ) AS m
           FULL JOIN (SELECT id, pattern FROM triggers WHERE app_id = $1 AND kind = 'queue' AND pattern > $3) AS t
             ON t.pattern = m.name
           ORDER BY 1 LIMIT $4"#,
        app.0,
        now,
        after,
        rows
    )
    .fetch_all(db)
    .await?;
    let queues = rows.into_iter().map(|row| {
        Ok(Queue {
            name: row.name,
            waiting: super::natural("waiting", row.waiting)?,
            delayed: super::natural("delayed", row.delayed)?,
            claimed: super::natural("claimed", row.claimed)?,
            dead: super::natural("dead", row.dead)?,
            trigger_id: row.trigger_id,
        })
    });
    queues.collect()
}

/// Deletes up to `rows` messages that are not relayed yet, with their deduplication keys; how many. Waits for a relay that has them.
pub async fn purge_outbox(db: &mut PgConnection, app: AppId, queue: &str, rows: i64) -> sqlx::Result<u64> {
    let events = sqlx::query_scalar!(
        "DELETE FROM outbox USING (
             SELECT event_id FROM outbox WHERE app_id = $1 AND source = 'queue' AND name = $2 LIMIT $3 FOR UPDATE
         ) AS gone WHERE outbox.app_id = $1 AND outbox.event_id = gone.event_id
         RETURNING outbox.event_id",
        app.0,
        queue,
        rows
    )
    .fetch_all(&mut *db)
    .await?;
    forget(db, app, queue, &events).await
}

/// Deletes up to `rows` messages that no handler has, with their deduplication keys; how many.
pub async fn purge(db: &mut PgConnection, app: AppId, queue: &str, rows: i64) -> sqlx::Result<u64> {
    let events = sqlx::query_scalar!(
        "DELETE FROM deliveries USING (
             SELECT id FROM deliveries WHERE app_id = $1 AND queue = $2 AND state IN ('due', 'held')
             LIMIT $3 FOR UPDATE SKIP LOCKED
         ) AS gone WHERE deliveries.id = gone.id
         RETURNING event_id",
        app.0,
        queue,
        rows
    )
    .fetch_all(&mut *db)
    .await?;
    forget(db, app, queue, &events).await
}

async fn forget(db: &mut PgConnection, app: AppId, queue: &str, events: &[Uuid]) -> sqlx::Result<u64> {
    sqlx::query!("DELETE FROM queue_keys WHERE app_id = $1 AND queue = $2 AND event_id = ANY ($3)", app.0, queue, events)
        .execute(&mut *db)
        .await?;
    super::deliveries::delete_idle_events(db, events).await?;
    Ok(events.len() as u64)
}
