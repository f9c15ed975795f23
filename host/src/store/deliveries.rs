//! `deliveries` and `attempts`: claiming, and settling what was claimed.
//!
//! A claim's number (`claims`) fences: settling and renewing touch a row only while it is claimed under the number that the
//! caller was given, so a node whose lease was lost changes nothing. Rows are named by arrays of ids even where a join would do: then
//! any plan that is kept from an emptier moment finds them by their index.

mod claim;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::id::{DeliveryId, EventId, ScriptId, TriggerId};
use crate::limits;
use crate::model::delivery::{Attempt, AttemptLine, Claim, DeadReason, Progress};

pub use claim::{Room, claim};

/// When to look again: the next time that something is due or a lease ends; a second from now where something is due already
/// that could not be claimed. `None` when nothing waits.
pub async fn next_due(db: &mut PgConnection, now: DateTime<Utc>) -> sqlx::Result<Option<DateTime<Utc>>> {
    sqlx::query_scalar!(
        r#"WITH RECURSIVE first AS (
               (SELECT app_id, due_at FROM deliveries WHERE state <> 'dead' ORDER BY app_id, due_at LIMIT 1)
               UNION ALL
               SELECT next.app_id, next.due_at FROM first, LATERAL (
                   SELECT app_id, due_at FROM deliveries
                   WHERE state <> 'dead' AND app_id > first.app_id ORDER BY app_id, due_at LIMIT 1
               ) AS next
           )
           SELECT min(CASE WHEN due_at <= $1 THEN $1 + interval '1 second' ELSE due_at END) AS "at"
           FROM first WHERE due_at < 'infinity'"#,
        now
    )
    .fetch_one(db)
    .await
}

/// Claims by their id and number.
#[derive(Debug, Default)]
pub struct Claims {
    ids: Vec<Uuid>,
    numbers: Vec<i32>,
}

impl FromIterator<(DeliveryId, i32)> for Claims {
    fn from_iter<I: IntoIterator<Item = (DeliveryId, i32)>>(claims: I) -> Self {
        let (ids, numbers) = claims.into_iter().map(|(id, number)| (id.0, number)).unzip();
        Self { ids, numbers }
    }
}

impl Claims {
    pub fn of<'a>(claims: impl IntoIterator<Item = &'a Claim>) -> Self {
        claims.into_iter().map(|claim| (claim.id, claim.number)).collect()
    }

    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}

/// Moves the ends of leases; of how many. Leaves alone what is being settled.
pub async fn renew(db: &mut PgConnection, now: DateTime<Utc>, claims: &Claims) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "WITH held AS (
             SELECT d.id FROM deliveries d JOIN unnest($1::uuid[], $2::integer[]) AS claim (id, number)
               ON d.id = claim.id AND d.state = 'claimed' AND d.claims = claim.number
             WHERE d.id = ANY ($1) FOR NO KEY UPDATE OF d SKIP LOCKED
         )
         UPDATE deliveries SET due_at = $3 WHERE id = ANY (ARRAY(SELECT id FROM held))",
        &claims.ids,
        &claims.numbers,
        now + lease()
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// Makes what any node has claimed due now: only for one that knows that there is no other.
pub async fn release_all(db: &mut PgConnection, now: DateTime<Utc>) -> sqlx::Result<u64> {
    let done = sqlx::query!("UPDATE deliveries SET state = 'due', due_at = $1, lost = lost + 1 WHERE state = 'claimed'", now)
        .execute(db)
        .await?;
    Ok(done.rows_affected())
}

/// Deletes claimed deliveries, and their events where nothing else is to be done for them; which of them were still held.
pub async fn finish(db: &mut PgConnection, claims: &Claims) -> sqlx::Result<Vec<DeliveryId>> {
    let rows = sqlx::query!(
        r#"DELETE FROM deliveries
           USING unnest($1::uuid[], $2::integer[]) AS claim (id, number)
           WHERE deliveries.id = ANY ($1) AND deliveries.id = claim.id AND state = 'claimed' AND claims = claim.number
           RETURNING deliveries.id AS "id: DeliveryId", event_id"#,
        &claims.ids,
        &claims.numbers
    )
    .fetch_all(&mut *db)
    .await?;
    let events: Vec<_> = rows.iter().map(|row| row.event_id).collect();
    delete_idle_events(db, &events).await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// Deletes those of the events that have no delivery.
pub async fn delete_idle_events(db: &mut PgConnection, events: &[Uuid]) -> sqlx::Result<()> {
    sqlx::query!(
        "DELETE FROM events WHERE id = ANY ($1) AND NOT EXISTS (SELECT FROM deliveries d WHERE d.event_id = events.id)",
        events
    )
    .execute(db)
    .await
    .map(drop)
}

/// Makes claimed deliveries due again at their times; which of them were still held.
pub async fn retry(db: &mut PgConnection, claims: &Claims, at: &[DateTime<Utc>]) -> sqlx::Result<Vec<DeliveryId>> {
    sqlx::query_scalar!(
        r#"UPDATE deliveries SET state = 'due', due_at = claim.at, failed = failed + 1
           FROM unnest($1::uuid[], $2::integer[], $3::timestamptz[]) AS claim (id, number, at)
           WHERE deliveries.id = ANY ($1) AND deliveries.id = claim.id AND state = 'claimed' AND claims = claim.number
           RETURNING deliveries.id AS "id: DeliveryId""#,
        &claims.ids,
        &claims.numbers,
        at
    )
    .fetch_all(db)
    .await
}

/// Makes claimed deliveries dead letters; which of them were still held. `scripts` are those that failed.
pub async fn bury(
    db: &mut PgConnection,
    now: DateTime<Utc>,
    claims: &Claims,
    reasons: &[DeadReason],
    scripts: &[Option<ScriptId>],
) -> sqlx::Result<Vec<DeliveryId>> {
    let ran: Vec<_> = reasons.iter().map(|reason| *reason == DeadReason::AttemptsExhausted).collect();
    let reasons: Vec<_> = reasons.iter().map(|reason| reason.as_str().to_owned()).collect();
    let scripts: Vec<_> = scripts.iter().map(|script| script.map(|id| id.0)).collect();
    sqlx::query_scalar!(
        r#"UPDATE deliveries SET state = 'dead', dead_at = $5, dead_reason = claim.reason, failed = failed + claim.ran::integer,
                                 script_id = coalesce(claim.script_id, deliveries.script_id)
           FROM unnest($1::uuid[], $2::integer[], $3::text[], $4::uuid[], $6::boolean[]) AS claim (id, number, reason, script_id, ran)
           WHERE deliveries.id = ANY ($1) AND deliveries.id = claim.id AND state = 'claimed' AND claims = claim.number
           RETURNING deliveries.id AS "id: DeliveryId""#,
        &claims.ids,
        &claims.numbers,
        &reasons,
        &scripts as &[Option<Uuid>],
        now,
        &ran
    )
    .fetch_all(db)
    .await
}

/// Gives claimed deliveries back, which counts as no attempt: due at once, or, where their trigger is not active, held. A
/// message whose trigger is gone goes to the consumer that its queue has now, or waits for one.
pub async fn give_back(db: &mut PgConnection, now: DateTime<Utc>, claims: &Claims) -> sqlx::Result<()> {
    sqlx::query!(
        "WITH claim AS (
             SELECT d.id, CASE WHEN d.queue IS NULL THEN d.trigger_id ELSE coalesce(own.id, consumer.id) END AS trigger_id,
                    d.queue IS NULL AND own.id IS NULL OR coalesce(own.state, consumer.state, '') = 'active' AS runs
             FROM unnest($1::uuid[], $2::integer[]) AS c (id, number)
             JOIN deliveries d ON d.id = ANY ($1) AND d.id = c.id AND d.state = 'claimed' AND d.claims = c.number
             LEFT JOIN triggers own ON own.id = d.trigger_id
             LEFT JOIN triggers consumer ON own.id IS NULL AND consumer.app_id = d.app_id AND consumer.pattern = d.queue
                  AND consumer.kind = 'queue'
             FOR NO KEY UPDATE OF d
         )
         UPDATE deliveries SET trigger_id = claim.trigger_id,
                state = CASE WHEN claim.runs THEN 'due' ELSE 'held' END,
                due_at = CASE WHEN claim.runs THEN $3::timestamptz ELSE 'infinity' END,
                resume_at = CASE WHEN claim.runs THEN NULL ELSE $3::timestamptz END
         FROM claim WHERE deliveries.id = ANY ($1) AND deliveries.id = claim.id",
        &claims.ids,
        &claims.numbers,
        now
    )
    .execute(db)
    .await
    .map(drop)
}

/// Notes tries that did not succeed.
pub async fn note_attempts(db: &mut PgConnection, attempts: &[(DeliveryId, &Attempt)]) -> sqlx::Result<()> {
    let mut of = AttemptColumns::default();
    for (id, attempt) in attempts {
        of.push(*id, attempt);
    }
    sqlx::query!(
        "INSERT INTO attempts (delivery_id, number, execution_id, version, outcome, error, logs, started_at, wall_us)
         SELECT * FROM unnest($1::uuid[], $2::integer[], $3::uuid[], $4::integer[], $5::text[], $6::text[], $7::text[],
                              $8::timestamptz[], $9::bigint[])
         ON CONFLICT ON CONSTRAINT attempts_pkey DO NOTHING",
        &of.deliveries,
        &of.numbers,
        &of.executions as &[Option<Uuid>],
        &of.versions as &[Option<i32>],
        &of.outcomes,
        &of.errors,
        &of.logs,
        &of.started,
        &of.wall
    )
    .execute(db)
    .await
    .map(drop)
}

#[derive(Default)]
struct AttemptColumns {
    deliveries: Vec<Uuid>,
    numbers: Vec<i32>,
    executions: Vec<Option<Uuid>>,
    versions: Vec<Option<i32>>,
    outcomes: Vec<String>,
    errors: Vec<String>,
    logs: Vec<String>,
    started: Vec<DateTime<Utc>>,
    wall: Vec<i64>,
}

impl AttemptColumns {
    fn push(&mut self, id: DeliveryId, attempt: &Attempt) {
        self.deliveries.push(id.0);
        self.numbers.push(i32::try_from(attempt.number).unwrap_or(i32::MAX));
        self.executions.push(attempt.execution_id.map(|id| id.0));
        self.versions.push(attempt.version);
        self.outcomes.push(attempt.outcome.as_str().to_owned());
        self.errors.push(serde_json::to_string(&attempt.error).unwrap_or_else(|_| "null".to_owned()));
        self.logs.push(serde_json::to_string::<[AttemptLine]>(&attempt.logs).unwrap_or_else(|_| "[]".to_owned()));
        self.started.push(attempt.started_at);
        self.wall.push(i64::try_from(attempt.wall_us).unwrap_or(i64::MAX));
    }
}

/// Adds to what is counted of triggers: succeeded deliveries, failed attempts, dead letters.
pub async fn count(db: &mut PgConnection, now: DateTime<Utc>, counts: &[(TriggerId, [i64; 3])]) -> sqlx::Result<()> {
    let column = |n: usize| counts.iter().map(|(_, count)| count.get(n).copied().unwrap_or(0)).collect::<Vec<_>>();
    let ids: Vec<_> = counts.iter().map(|(id, _)| id.0).collect();
    sqlx::query!(
        "WITH told AS (
             SELECT c.trigger_id FROM trigger_counts c WHERE c.trigger_id = ANY ($1) ORDER BY c.trigger_id FOR UPDATE
         )
         UPDATE trigger_counts SET succeeded = succeeded + new.won, failed = failed + new.lost, dead = dead + new.gone, last_at = $5
         FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[]) AS new (id, won, lost, gone), told
         WHERE trigger_counts.trigger_id = new.id AND told.trigger_id = new.id",
        &ids,
        &column(0),
        &column(1),
        &column(2),
        now
    )
    .execute(db)
    .await
    .map(drop)
}

/// What is still to be done for an event and a trigger, or a script that was called without one.
pub async fn progress(db: &mut PgConnection, event: EventId, trigger: Option<TriggerId>) -> sqlx::Result<Option<Progress>> {
    let row = sqlx::query!(
        r#"SELECT id AS "id: DeliveryId", state, failed, CASE WHEN due_at < 'infinity' AND state <> 'dead' THEN due_at END AS due_at
           FROM deliveries WHERE event_id = $1 AND trigger_id IS NOT DISTINCT FROM $2 ORDER BY replay DESC LIMIT 1"#,
        event.0,
        trigger.map(|id| id.0)
    );
    let Some(row) = row.fetch_optional(db).await? else { return Ok(None) };
    let attempts = super::natural("failed", row.failed)?;
    Ok(Some(Progress { id: row.id, state: row.state, attempts, due_at: row.due_at }))
}

/// Makes due, up to `rows` of it, what is held of a trigger that is active, and messages without a consumer where their queue has
/// one now; how many.
pub async fn resume(db: &mut PgConnection, now: DateTime<Utc>, rows: i64) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "WITH ready AS (
             SELECT d.id, t.id AS trigger_id FROM triggers t
             JOIN deliveries d ON d.app_id = t.app_id AND d.state = 'held' AND d.trigger_id = t.id
             WHERE t.state = 'active'
             UNION ALL
             SELECT d.id, t.id FROM triggers t
             JOIN deliveries d ON d.app_id = t.app_id AND d.state = 'held' AND d.trigger_id IS NULL AND d.queue = t.pattern
             WHERE t.state = 'active' AND t.kind = 'queue'
             LIMIT $2
         ), locked AS (
             SELECT d.id, ready.trigger_id FROM deliveries d JOIN ready ON ready.id = d.id
             WHERE d.id = ANY (ARRAY(SELECT id FROM ready)) AND d.state = 'held' FOR NO KEY UPDATE OF d SKIP LOCKED
         )
         UPDATE deliveries SET trigger_id = locked.trigger_id, state = 'due', due_at = greatest(resume_at, $1), resume_at = NULL
         FROM locked WHERE deliveries.id = ANY (ARRAY(SELECT id FROM locked)) AND deliveries.id = locked.id",
        now,
        rows
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// Does away with up to `rows` of what waits for a trigger that is gone: a message waits for the next consumer of its queue, anything
/// else is deleted. How many. What is due for one is found out when it is claimed.
pub async fn forsake(db: &mut PgConnection, rows: i64) -> sqlx::Result<u64> {
    // Not of apps that are being deleted: they lock in another order.
    let apps = sqlx::query_scalar!(
        "SELECT id FROM apps WHERE id IN (SELECT app_id FROM deliveries WHERE state = 'held') FOR KEY SHARE SKIP LOCKED"
    )
    .fetch_all(&mut *db)
    .await?;
    let freed = sqlx::query!(
        "UPDATE deliveries SET trigger_id = NULL FROM (
             SELECT id FROM deliveries d
             WHERE state = 'held' AND app_id = ANY ($2) AND queue IS NOT NULL AND trigger_id IS NOT NULL
               AND NOT EXISTS (SELECT FROM triggers t WHERE t.id = d.trigger_id)
             LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED
         ) AS forsaken WHERE deliveries.id = forsaken.id",
        rows,
        &apps
    )
    .execute(&mut *db)
    .await?
    .rows_affected();
    let events = sqlx::query_scalar!(
        "DELETE FROM deliveries USING (
             SELECT id FROM deliveries d
             WHERE state = 'held' AND app_id = ANY ($2) AND queue IS NULL AND (trigger_id IS NOT NULL OR script_id IS NULL)
               AND NOT EXISTS (SELECT FROM triggers t WHERE t.id = d.trigger_id)
             LIMIT $1 FOR UPDATE SKIP LOCKED
         ) AS forsaken WHERE deliveries.id = forsaken.id RETURNING event_id",
        rows,
        &apps
    )
    .fetch_all(&mut *db)
    .await?;
    delete_idle_events(db, &events).await?;
    Ok(freed + events.len() as u64)
}

/// Clears away what the pipeline has deleted. Autovacuum looks seldom here, so that a node may rest; each claim would walk past the
/// remains of all that was delivered since.
pub async fn vacuum(db: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::raw_sql("VACUUM (SKIP_LOCKED, INDEX_CLEANUP ON, TRUNCATE OFF) outbox, deliveries, events, attempts")
        .execute(db)
        .await
        .map(drop)
}

fn lease() -> TimeDelta {
    TimeDelta::milliseconds(i64::try_from(limits::DELIVERY_LEASE_MS).unwrap_or(i64::MAX))
}
