//! `deliveries` that are dead, with their events and attempts.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::id::{AppId, DeliveryId, EventId, ExecutionId, ScriptId, TriggerId, UserId};
use crate::limits;
use crate::model::dead_letter::{DeadLetter, HandlerFailed, LetterEvent, LetterFilter, Resolved};
use crate::model::delivery::{Attempt, DeadReason};
use crate::model::event::Source;
use crate::model::execution::{Failure, FailureCode, Outcome};

struct Row {
    id: DeliveryId,
    app_id: AppId,
    event_id: EventId,
    source: String,
    op: String,
    at: DateTime<Utc>,
    depth: i32,
    about: Option<String>,
    trigger_id: Option<TriggerId>,
    script_id: Option<ScriptId>,
    dead_reason: Option<String>,
    failed: i32,
    last_error: Option<String>,
    first_attempt_at: Option<DateTime<Utc>>,
    last_attempt_at: Option<DateTime<Utc>>,
    dead_at: Option<DateTime<Utc>>,
    resolved_at: Option<DateTime<Utc>>,
    resolved_by: Option<UserId>,
    resolved_reason: Option<String>,
    replayed_as: Option<DeliveryId>,
    handler_failed_at: Option<DateTime<Utc>>,
    handler_error: Option<String>,
}

impl Row {
    fn letter(self) -> sqlx::Result<DeadLetter> {
        let missing = |column: &'static str| super::unreadable(column, "null");
        Ok(DeadLetter {
            id: self.id,
            app_id: self.app_id,
            event: LetterEvent {
                id: self.event_id,
                source: super::word("source", &self.source, Source::from_word)?,
                op: self.op,
                at: self.at,
                depth: super::natural("depth", self.depth)?,
                about: self.about.ok_or_else(|| missing("about"))?,
            },
            trigger_id: self.trigger_id,
            script_id: self.script_id,
            reason: super::word("dead_reason", self.dead_reason.as_deref().unwrap_or_default(), DeadReason::from_word)?,
            attempts: super::natural("failed", self.failed)?,
            last_error: self.last_error.as_deref().map(failure),
            first_attempt_at: self.first_attempt_at,
            last_attempt_at: self.last_attempt_at,
            dead_at: self.dead_at.ok_or_else(|| missing("dead_at"))?,
            resolved: match (self.resolved_at, self.resolved_reason) {
                (Some(at), Some(reason)) => Some(Resolved { at, by: self.resolved_by, reason }),
                _ => None,
            },
            replayed_as: self.replayed_as,
            handler_failed: match (self.handler_failed_at, self.handler_error.as_deref()) {
                (Some(at), Some(error)) => Some(HandlerFailed { at, error: failure(error) }),
                _ => None,
            },
        })
    }
}

pub async fn get(db: &mut PgConnection, app: AppId, id: DeliveryId) -> sqlx::Result<Option<DeadLetter>> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT d.id AS "id: DeliveryId", d.app_id AS "app_id: AppId", e.id AS "event_id: EventId", e.source, e.op, e.at, e.depth,
                  e.about, d.trigger_id AS "trigger_id: TriggerId", d.script_id AS "script_id: ScriptId", d.dead_reason, d.failed,
                  (SELECT a.error FROM attempts a WHERE a.delivery_id = d.id ORDER BY a.number DESC LIMIT 1) AS last_error,
                  d.first_attempt_at, d.last_attempt_at, d.dead_at, d.resolved_at, d.resolved_by AS "resolved_by: UserId",
                  d.resolved_reason, d.replayed_as AS "replayed_as: DeliveryId", d.handler_failed_at, d.handler_error
           FROM deliveries d JOIN events e ON e.id = d.event_id
           WHERE d.app_id = $1 AND d.id = $2 AND d.state = 'dead'"#,
        app.0,
        id.0
    );
    row.fetch_optional(db).await?.map(Row::letter).transpose()
}

/// An app's letters, newest first, older than `before`: at most `rows`, and after the first one no more than tell
/// `DEAD_LETTER_PAGE_BYTES_MAX` bytes together; whether that cut them short.
pub async fn list(
    db: &mut PgConnection,
    app: AppId,
    filter: &LetterFilter,
    before: Option<Uuid>,
    rows: i64,
) -> sqlx::Result<(Vec<DeadLetter>, bool)> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT d.id AS "id: DeliveryId", d.app_id AS "app_id: AppId", d.event_id AS "event_id: EventId", d.source, d.op, d.at, d.event_depth AS depth,
                  CASE WHEN d.bytes_before = 0 OR d.bytes_before + d.bytes <= $8 THEN (SELECT e.about FROM events e WHERE e.id = d.event_id) END AS about,
                  d.trigger_id AS "trigger_id: TriggerId", d.script_id AS "script_id: ScriptId", d.dead_reason, d.failed,
                  (SELECT a.error FROM attempts a WHERE a.delivery_id = d.id ORDER BY a.number DESC LIMIT 1) AS last_error,
                  d.first_attempt_at, d.last_attempt_at, d.dead_at, d.resolved_at, d.resolved_by AS "resolved_by: UserId",
                  d.resolved_reason, d.replayed_as AS "replayed_as: DeliveryId", d.handler_failed_at, d.handler_error
           FROM (
               SELECT page.*, sum(page.bytes) OVER (ORDER BY page.id DESC) - page.bytes AS bytes_before FROM (
                   SELECT d.*, e.source, e.op, e.at, e.depth AS event_depth, octet_length(e.about) AS bytes
                   FROM deliveries d JOIN events e ON e.id = d.event_id
                   WHERE d.app_id = $1 AND d.state = 'dead' AND d.id < $2 AND (NOT $3 OR d.resolved_at IS NULL)
                     AND ($4::text IS NULL OR e.source = $4) AND ($5::uuid IS NULL OR d.trigger_id = $5)
                     AND ($6::uuid IS NULL OR d.script_id = $6)
                   ORDER BY d.id DESC LIMIT $7
               ) AS page
           ) AS d
           ORDER BY d.id DESC"#,
        app.0,
        before.unwrap_or(Uuid::max()),
        filter.unresolved,
        filter.source.map(Source::as_str),
        filter.trigger_id.map(|id| id.0),
        filter.script_id.map(|id| id.0),
        rows,
        limits::DEAD_LETTER_PAGE_BYTES_MAX
    )
    .fetch_all(db)
    .await?;
    let found = rows.len();
    let letters = rows.into_iter().take_while(|row| row.about.is_some()).map(Row::letter).collect::<sqlx::Result<Vec<_>>>()?;
    let is_cut = letters.len() < found;
    Ok((letters, is_cut))
}

/// How many letters the app has, and how many that nobody resolved.
pub async fn count(db: &mut PgConnection, app: AppId) -> sqlx::Result<(i64, i64)> {
    let row = sqlx::query!(
        r#"SELECT count(*) AS "all!", count(*) FILTER (WHERE resolved_at IS NULL) AS "unresolved!"
           FROM deliveries WHERE app_id = $1 AND state = 'dead'"#,
        app.0
    )
    .fetch_one(db)
    .await?;
    Ok((row.all, row.unresolved))
}

/// The tries of a letter, the first one first.
pub async fn attempts(db: &mut PgConnection, id: DeliveryId) -> sqlx::Result<Vec<Attempt>> {
    let rows = sqlx::query!(
        r#"SELECT number, execution_id AS "execution_id: ExecutionId", version, outcome, error, logs, started_at, wall_us
           FROM attempts WHERE delivery_id = $1 ORDER BY number"#,
        id.0
    )
    .fetch_all(db)
    .await?;
    let attempts = rows.into_iter().map(|row| {
        Ok(Attempt {
            number: super::natural("number", row.number)?,
            execution_id: row.execution_id,
            version: row.version,
            outcome: super::word("outcome", &row.outcome, Outcome::from_word)?,
            error: failure(&row.error),
            logs: serde_json::from_str(&row.logs).unwrap_or_default(),
            started_at: row.started_at,
            wall_us: super::natural("wall_us", row.wall_us)?,
        })
    });
    attempts.collect()
}

/// Ids of letters that the filter matches and that can be replayed, newest first.
pub async fn replayable(db: &mut PgConnection, app: AppId, filter: &LetterFilter, rows: i64) -> sqlx::Result<Vec<DeliveryId>> {
    sqlx::query_scalar!(
        r#"SELECT d.id AS "id: DeliveryId" FROM deliveries d JOIN events e ON e.id = d.event_id
           WHERE d.app_id = $1 AND d.state = 'dead' AND (NOT $2 OR d.resolved_at IS NULL)
             AND ($3::text IS NULL OR e.source = $3) AND ($4::uuid IS NULL OR d.trigger_id = $4)
             AND ($5::uuid IS NULL OR d.script_id = $5)
             AND (d.trigger_id IS NULL OR d.queue IS NOT NULL OR EXISTS (SELECT FROM triggers t WHERE t.id = d.trigger_id))
           ORDER BY d.id DESC LIMIT $6"#,
        app.0,
        filter.unresolved,
        filter.source.map(Source::as_str),
        filter.trigger_id.map(|id| id.0),
        filter.script_id.map(|id| id.0),
        rows
    )
    .fetch_all(db)
    .await
}

/// How many unresolved letters the filter matches that cannot be replayed, because their trigger is gone.
pub async fn forsaken(db: &mut PgConnection, app: AppId, filter: &LetterFilter) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM deliveries d JOIN events e ON e.id = d.event_id
           WHERE d.app_id = $1 AND d.state = 'dead' AND d.resolved_at IS NULL
             AND ($2::text IS NULL OR e.source = $2) AND ($3::uuid IS NULL OR d.trigger_id = $3)
             AND ($4::uuid IS NULL OR d.script_id = $4)
             AND d.trigger_id IS NOT NULL AND d.queue IS NULL AND NOT EXISTS (SELECT FROM triggers t WHERE t.id = d.trigger_id)"#,
        app.0,
        filter.source.map(Source::as_str),
        filter.trigger_id.map(|id| id.0),
        filter.script_id.map(|id| id.0)
    )
    .fetch_one(db)
    .await
}

/// Makes a new delivery of each letter's event, for the same trigger or script, due now (held where the trigger is not active), and
/// resolves the letter. Their depth is the event's, or `depth` where that is more. Leaves alone letters whose trigger is gone and
/// that are no queue's. The letters with their new deliveries.
pub async fn replay(
    db: &mut PgConnection,
    now: DateTime<Utc>,
    app: AppId,
    letters: &[DeliveryId],
    by: Option<UserId>,
    depth: i32,
) -> sqlx::Result<Vec<(DeliveryId, DeliveryId)>> {
    let ids: Vec<_> = letters.iter().map(|id| id.0).collect();
    // First, so that the statement sees what others who replay them have made.
    sqlx::query!(
        r#"SELECT id FROM deliveries WHERE app_id = $1 AND id = ANY ($2) AND state = 'dead' ORDER BY id FOR NO KEY UPDATE"#,
        app.0,
        &ids
    )
    .fetch_all(&mut *db)
    .await?;
    let rows = sqlx::query!(
        r#"WITH letter AS (
               SELECT d.id, d.app_id, d.event_id, d.queue, d.depth, coalesce(own.id, consumer.id) AS new_trigger_id,
                      CASE WHEN d.trigger_id IS NULL AND d.queue IS NULL THEN d.script_id END AS new_script_id,
                      coalesce(own.state, consumer.state) AS trigger_state, id_at($2) AS new_id,
                      (SELECT max(o.replay) FROM deliveries o WHERE o.event_id = d.event_id) AS last_replay
               FROM deliveries d
               LEFT JOIN triggers own ON own.id = d.trigger_id
               LEFT JOIN triggers consumer ON own.id IS NULL AND consumer.app_id = d.app_id AND consumer.pattern = d.queue
                    AND consumer.kind = 'queue'
               WHERE d.app_id = $1 AND d.id = ANY ($3) AND d.state = 'dead'
                 AND (own.id IS NOT NULL OR d.queue IS NOT NULL OR d.trigger_id IS NULL)
               FOR NO KEY UPDATE OF d
           ), made AS (
               INSERT INTO deliveries (id, app_id, event_id, trigger_id, script_id, queue, replay, state, due_at, resume_at,
                                       claims, failed, lost, depth)
               SELECT new_id, app_id, event_id, new_trigger_id, new_script_id, queue,
                      last_replay + row_number() OVER (PARTITION BY event_id ORDER BY id),
                      CASE WHEN runs THEN 'due' ELSE 'held' END, CASE WHEN runs THEN $2 ELSE 'infinity' END,
                      CASE WHEN NOT runs THEN $2 END, 0, 0, 0, greatest(depth, $5)
               FROM letter, LATERAL (SELECT new_script_id IS NOT NULL OR coalesce(trigger_state, '') = 'active' AS runs) AS so
           )
           UPDATE deliveries SET replayed_as = new_id, resolved_at = coalesce(resolved_at, $2),
                  resolved_by = CASE WHEN resolved_at IS NULL THEN $4 ELSE resolved_by END,
                  resolved_reason = coalesce(resolved_reason, 'replayed')
           FROM letter WHERE deliveries.id = letter.id
           RETURNING deliveries.id AS "id: DeliveryId", new_id AS "new_id!: DeliveryId""#,
        app.0,
        now,
        &ids,
        by.map(|id| id.0),
        depth
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.new_id)).collect())
}

/// Makes an event like the letter's that tells something else, with a delivery of it for the same trigger, or for whoever consumes the
/// letter's queue, due now (held where that is not active), and resolves the letter; the delivery. None where the letter is not
/// there, or its trigger is gone and it is no queue's.
pub async fn replay_edited(
    db: &mut PgConnection,
    now: DateTime<Utc>,
    app: AppId,
    letter: DeliveryId,
    by: UserId,
    event: EventId,
    about: &str,
) -> sqlx::Result<Option<DeliveryId>> {
    sqlx::query_scalar!(
        r#"WITH letter AS (
               SELECT d.id, d.app_id, d.queue, d.depth, coalesce(own.id, consumer.id) AS new_trigger_id,
                      coalesce(coalesce(own.state, consumer.state) = 'active', false) AS runs, id_at($2) AS new_id,
                      e.source, e.op, e.depth AS event_depth, e.request_id, e.trace
               FROM deliveries d
               JOIN events e ON e.id = d.event_id
               LEFT JOIN triggers own ON own.id = d.trigger_id
               LEFT JOIN triggers consumer ON own.id IS NULL AND consumer.app_id = d.app_id AND consumer.pattern = d.queue
                    AND consumer.kind = 'queue'
               WHERE d.app_id = $1 AND d.id = $3 AND d.state = 'dead' AND (own.id IS NOT NULL OR d.queue IS NOT NULL)
               FOR NO KEY UPDATE OF d
           ), event AS (
               INSERT INTO events (id, app_id, source, op, at, depth, request_id, trace, about)
               SELECT $5, app_id, source, op, $2, event_depth, request_id, trace, $6 FROM letter
           ), made AS (
               INSERT INTO deliveries (id, app_id, event_id, trigger_id, queue, replay, state, due_at, resume_at, claims, failed, lost,
                                       depth)
               SELECT new_id, app_id, $5, new_trigger_id, queue, 0, CASE WHEN runs THEN 'due' ELSE 'held' END,
                      CASE WHEN runs THEN $2 ELSE 'infinity' END, CASE WHEN NOT runs THEN $2 END, 0, 0, 0, depth
               FROM letter
           )
           UPDATE deliveries SET replayed_as = new_id, resolved_at = coalesce(resolved_at, $2),
                  resolved_by = CASE WHEN resolved_at IS NULL THEN $4 ELSE resolved_by END,
                  resolved_reason = coalesce(resolved_reason, 'replayed')
           FROM letter WHERE deliveries.id = letter.id
           RETURNING new_id AS "new_id!: DeliveryId""#,
        app.0,
        now,
        letter.0,
        by.0,
        event.0,
        about
    )
    .fetch_optional(db)
    .await
}

/// Resolves a letter that nobody has; whether there was one.
pub async fn resolve(
    db: &mut PgConnection,
    now: DateTime<Utc>,
    app: AppId,
    id: DeliveryId,
    by: Option<UserId>,
    reason: &str,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "UPDATE deliveries SET resolved_at = $3, resolved_by = $4, resolved_reason = $5
         WHERE app_id = $1 AND id = $2 AND state = 'dead' AND resolved_at IS NULL",
        app.0,
        id.0,
        now,
        by.map(|id| id.0),
        reason
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Notes that a handler failed on these letters for good.
pub async fn note_handler_failures(
    db: &mut PgConnection,
    now: DateTime<Utc>,
    failures: &[(DeliveryId, &Failure)],
) -> sqlx::Result<()> {
    let ids: Vec<_> = failures.iter().map(|(id, _)| id.0).collect();
    let errors: Vec<_> = failures.iter().map(|(_, error)| serde_json::to_string(error).unwrap_or_default()).collect();
    sqlx::query!(
        "UPDATE deliveries SET handler_failed_at = $3, handler_error = failed.error
         FROM unnest($1::uuid[], $2::text[]) AS failed (id, error)
         WHERE deliveries.id = failed.id AND state = 'dead'",
        &ids,
        &errors,
        now
    )
    .execute(db)
    .await
    .map(drop)
}

/// Deletes up to `rows` letters that were resolved, or died, before those times; how many.
pub async fn sweep(
    db: &mut PgConnection,
    resolved_before: DateTime<Utc>,
    dead_before: DateTime<Utc>,
    rows: i64,
) -> sqlx::Result<u64> {
    let events = sqlx::query_scalar!(
        "DELETE FROM deliveries USING (
             SELECT id FROM deliveries WHERE state = 'dead' AND (resolved_at < $1 OR dead_at < $2) LIMIT $3
         ) AS old WHERE deliveries.id = old.id
         RETURNING event_id",
        resolved_before,
        dead_before,
        rows
    )
    .fetch_all(&mut *db)
    .await?;
    super::deliveries::delete_idle_events(db, &events).await?;
    Ok(events.len() as u64)
}

/// A failure as it was stored.
fn failure(text: &str) -> Failure {
    serde_json::from_str(text).unwrap_or_else(|_| Failure::new(FailureCode::Internal, "the failure cannot be read"))
}
