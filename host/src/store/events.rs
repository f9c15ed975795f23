//! `events` and `outbox`: a fact, and its place in the queue of the relay. Written in the transaction of what they tell of.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::id::{AppId, DeliveryId, EventId, ExecutionId, ScriptId, TriggerId};
use crate::limits;
use crate::model::event::{NewEvent, Target};
use crate::model::execution::Failure;

/// Adds an event, whoever listens.
pub async fn append(db: &mut PgConnection, event: &NewEvent) -> sqlx::Result<()> {
    let (trigger, script, execution) = targets(event.target);
    sqlx::query!(
        "WITH event AS (
             INSERT INTO events (id, app_id, source, op, at, depth, request_id, execution_id, about, trace)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $14)
         )
         INSERT INTO outbox (event_id, app_id, source, op, name, depth, due_at, trigger_id, script_id)
         VALUES ($1, $2, $3, $4, $10, $6, $11, $12, $13)",
        event.id.0,
        event.app_id.0,
        event.source.as_str(),
        event.op,
        event.at,
        event.origin.next_depth(),
        event.origin.request_id.0,
        execution.map(|id| id.0),
        event.about,
        event.name,
        event.due_at,
        trigger.map(|id| id.0),
        script.map(|id| id.0),
        event.origin.trace_bytes()
    )
    .execute(db)
    .await
    .map(drop)
}

/// Adds an event if a trigger is there for it at this moment; whether there is.
pub async fn append_if_triggered(db: &mut PgConnection, event: &NewEvent) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "WITH event AS (
             INSERT INTO events (id, app_id, source, op, at, depth, request_id, about, trace)
             SELECT $1, $2, $3, $4, $5, $6, $7, $8, $11
             WHERE EXISTS (
                 SELECT FROM triggers
                 WHERE app_id = $2 AND kind = $3 AND state = 'active' AND pattern_covers(pattern, $9) AND $4 = ANY (ops)
             )
             RETURNING id
         )
         INSERT INTO outbox (event_id, app_id, source, op, name, depth, due_at)
         SELECT id, $2, $3, $4, $9, $6, $10 FROM event",
        event.id.0,
        event.app_id.0,
        event.source.as_str(),
        event.op,
        event.at,
        event.origin.next_depth(),
        event.origin.request_id.0,
        event.about,
        event.name,
        event.due_at,
        event.origin.trace_bytes()
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Adds an event for each of these dead letters that a trigger is there for; how many. The letters' own events are told in full.
/// Where that would lead too deep, none is added, and `too_deep` is noted with the letter as its handler's failure.
pub async fn append_for_letters(
    db: &mut PgConnection,
    now: DateTime<Utc>,
    letters: &[DeliveryId],
    too_deep: &Failure,
) -> sqlx::Result<u64> {
    let ids: Vec<_> = letters.iter().map(|id| id.0).collect();
    let usual = i32::try_from(limits::EVENT_DEPTH_MAX).unwrap_or(i32::MAX);
    let beyond = i32::try_from(limits::EVENT_DEPTH_LETTERS).unwrap_or(i32::MAX);
    sqlx::query!(
        "UPDATE deliveries SET handler_failed_at = $2, handler_error = $3
         FROM events e
         WHERE deliveries.id = ANY ($1) AND deliveries.state = 'dead' AND e.id = deliveries.event_id
           AND deliveries.depth >= event_depth_max(deliveries.script_id, $4) + $5
           AND EXISTS (
               SELECT FROM triggers t
               WHERE t.app_id = deliveries.app_id AND t.kind = 'dead_letter' AND t.state = 'active'
                 AND pattern_covers(t.pattern, e.source)
                 AND coalesce(t.about_trigger_id = deliveries.trigger_id, t.about_trigger_id IS NULL)
                 AND coalesce(t.about_script_id = deliveries.script_id, t.about_script_id IS NULL)
           )",
        &ids,
        now,
        serde_json::to_string(too_deep).unwrap_or_default(),
        usual,
        beyond
    )
    .execute(&mut *db)
    .await?;
    let done = sqlx::query!(
        r#"WITH letter AS (
               SELECT d.*, e.source, e.op, e.at, e.request_id, e.trace, e.about, id_at($2) AS new_id
               FROM deliveries d JOIN events e ON e.id = d.event_id
               WHERE d.id = ANY ($1) AND d.state = 'dead' AND d.depth < event_depth_max(d.script_id, $3) + $4 AND EXISTS (
                   SELECT FROM triggers t
                   WHERE t.app_id = d.app_id AND t.kind = 'dead_letter' AND t.state = 'active'
                     AND pattern_covers(t.pattern, e.source)
                     AND coalesce(t.about_trigger_id = d.trigger_id, t.about_trigger_id IS NULL)
                     AND coalesce(t.about_script_id = d.script_id, t.about_script_id IS NULL)
               )
           ), event AS (
               INSERT INTO events (id, app_id, source, op, at, depth, request_id, trace, about)
               SELECT new_id, app_id, 'dead_letter', 'dead', $2, depth + 1, request_id, trace,
                      '{"dead_letter_id":' || to_json(id)
                      || ',"original":{"id":' || to_json(event_id) || ',"source":' || to_json(source) || ',"op":' || to_json(op)
                      || ',"time":' || to_json(to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
                      || ',"depth":' || depth || ',' || to_json(source) || ':' || about
                      || '},"attempts":' || failed
                      || ',"reason":' || to_json(dead_reason)
                      || ',"last_error":' || coalesce(
                             (SELECT a.error FROM attempts a WHERE a.delivery_id = letter.id ORDER BY a.number DESC LIMIT 1), 'null')
                      || ',"trigger_id":' || coalesce(to_json(trigger_id)::text, 'null')
                      || ',"script_id":' || coalesce(to_json(script_id)::text, 'null')
                      || ',"first_attempt_at":' || coalesce(
                             to_json(to_char(first_attempt_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))::text, 'null')
                      || ',"last_attempt_at":' || coalesce(
                             to_json(to_char(last_attempt_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))::text, 'null')
                      || '}'
               FROM letter
           )
           INSERT INTO outbox (event_id, app_id, source, op, name, depth, due_at, about_trigger_id, about_script_id)
           SELECT new_id, app_id, 'dead_letter', 'dead', source, depth + 1, $2, trigger_id, script_id FROM letter"#,
        &ids,
        now,
        usual,
        beyond
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// What the relay did with a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Relayed {
    /// Events taken out of the outbox.
    pub events: usize,
    /// Deliveries made of them.
    pub deliveries: usize,
    /// Of these, deliveries that were born dead.
    pub dead: Vec<DeliveryId>,
    /// Of these, deliveries that wait for a trigger.
    pub held: usize,
    /// Whether events of an app were left alone because someone was changing or deleting that.
    pub passed_over: bool,
}

/// Takes up to `RELAY_BATCH` events out of the outbox, of each app the oldest first and of no app more than its part, which is
/// smaller for one with many triggers; makes their deliveries. What is for nobody is deleted; topics are counted. Leaves alone what another node is relaying, and apps that are being deleted.
pub async fn relay(db: &mut PgConnection, now: DateTime<Utc>) -> sqlx::Result<Relayed> {
    let depth_max = i32::try_from(limits::EVENT_DEPTH_MAX).unwrap_or(i32::MAX);
    let row = sqlx::query!(
        r#"WITH RECURSIVE waiting AS (
               (SELECT app_id, event_id FROM outbox ORDER BY app_id, event_id LIMIT 1)
               UNION ALL
               SELECT next.app_id, next.event_id FROM waiting, LATERAL (
                   SELECT app_id, event_id FROM outbox WHERE app_id > waiting.app_id ORDER BY app_id, event_id LIMIT 1
               ) AS next
           ), open AS (
               SELECT id FROM apps WHERE id = ANY (ARRAY(SELECT app_id FROM waiting)) FOR KEY SHARE SKIP LOCKED
           ), app AS (
               SELECT app_id, greatest($2 / (SELECT count(*) FROM waiting) / (
                          1 + (SELECT count(*) FROM triggers t WHERE t.app_id = waiting.app_id) / $4
                      ), 1) AS part
               FROM waiting WHERE app_id = ANY (ARRAY(SELECT id FROM open)) ORDER BY event_id
           ), picked AS (
               SELECT own.place FROM app, LATERAL (
                   SELECT ctid AS place FROM outbox WHERE app_id = app.app_id ORDER BY event_id LIMIT app.part
                   FOR UPDATE SKIP LOCKED
               ) AS own
               LIMIT $2
           ), batch AS (
               DELETE FROM outbox WHERE ctid = ANY (ARRAY(SELECT place FROM picked)) RETURNING outbox.*
           ), matched AS (
               SELECT b.*, t.id AS match_id, b.script_id IS NOT NULL OR coalesce(t.state = 'active', false) AS runs,
                      b.source <> 'dead_letter' AND b.depth > 1
                        AND b.depth > event_depth_max(coalesce(b.script_id, t.script_id), $3) AS too_deep
               FROM batch b
               LEFT JOIN triggers t ON b.script_id IS NULL AND t.app_id = b.app_id AND t.kind = b.source
                 AND (t.state = 'active' OR t.kind IN ('queue', 'email'))
                 AND CASE WHEN b.trigger_id IS NULL THEN
                       pattern_covers(t.pattern, b.name) AND (t.ops = '{}' OR b.op = ANY (t.ops))
                       AND coalesce(t.about_trigger_id = b.about_trigger_id, t.about_trigger_id IS NULL)
                       AND coalesce(t.about_script_id = b.about_script_id, t.about_script_id IS NULL)
                     ELSE t.id = b.trigger_id END
           ), made AS (
               INSERT INTO deliveries (id, app_id, event_id, trigger_id, script_id, queue, replay, state, due_at, resume_at, claims,
                                       failed, lost, depth, dead_at, dead_reason)
               SELECT id_at($1), app_id, event_id, match_id, script_id, CASE WHEN source = 'queue' THEN name END, 0,
                      CASE WHEN too_deep THEN 'dead' WHEN runs THEN 'due' ELSE 'held' END,
                      CASE WHEN too_deep OR runs THEN due_at ELSE 'infinity' END,
                      CASE WHEN NOT too_deep AND NOT runs THEN due_at END,
                      0, 0, 0, depth,
                      CASE WHEN too_deep THEN $1 END, CASE WHEN too_deep THEN 'depth_exceeded' END
               FROM matched
               WHERE match_id IS NOT NULL OR script_id IS NOT NULL OR source = 'queue'
               ON CONFLICT DO NOTHING
               RETURNING id, event_id, state
           ), gone AS (
               DELETE FROM events USING matched
               WHERE events.id = ANY (ARRAY(SELECT event_id FROM batch))
                 AND events.id = matched.event_id AND matched.match_id IS NULL AND matched.script_id IS NULL
                 AND matched.source <> 'queue'
           ), counted AS (
               INSERT INTO topics (app_id, name, published, unmatched, last_at)
               SELECT app_id, name, count(DISTINCT event_id), count(*) FILTER (WHERE match_id IS NULL), $1
               FROM matched WHERE source = 'pubsub' GROUP BY app_id, name ORDER BY app_id, name
               ON CONFLICT ON CONSTRAINT topics_pkey DO UPDATE
               SET published = topics.published + excluded.published, unmatched = topics.unmatched + excluded.unmatched,
                   last_at = greatest(topics.last_at, excluded.last_at)
           )
           SELECT (SELECT count(*) FROM batch) AS "events!", (SELECT count(*) FROM made) AS "deliveries!",
                  coalesce((SELECT array_agg(id) FROM made WHERE state = 'dead'), '{}') AS "dead!",
                  (SELECT count(*) FROM made WHERE state = 'held') AS "held!",
                  (SELECT count(*) FROM waiting) > (SELECT count(*) FROM open) AS "passed_over!""#,
        now,
        limits::RELAY_BATCH,
        depth_max,
        limits::RELAY_FAN_OUT
    )
    .fetch_one(db)
    .await?;
    Ok(Relayed {
        events: super::natural("events", row.events)?,
        deliveries: super::natural("deliveries", row.deliveries)?,
        dead: row.dead.into_iter().map(DeliveryId).collect(),
        held: super::natural("held", row.held)?,
        passed_over: row.passed_over,
    })
}

/// Notes the script of deliveries that were born dead: the one of their trigger.
pub async fn name_scripts(db: &mut PgConnection, letters: &[DeliveryId]) -> sqlx::Result<()> {
    let ids: Vec<_> = letters.iter().map(|id| id.0).collect();
    sqlx::query!(
        "UPDATE deliveries SET script_id = t.script_id FROM triggers t
         WHERE deliveries.id = ANY ($1) AND t.id = deliveries.trigger_id",
        &ids
    )
    .execute(db)
    .await
    .map(drop)
}

/// Notes, of deliveries that were born dead, why.
pub async fn note_unattempted(
    db: &mut PgConnection,
    now: DateTime<Utc>,
    letters: &[DeliveryId],
    why: &Failure,
) -> sqlx::Result<()> {
    let ids: Vec<_> = letters.iter().map(|id| id.0).collect();
    sqlx::query!(
        "INSERT INTO attempts (delivery_id, number, outcome, error, logs, started_at, wall_us)
         SELECT id, 0, 'denied', $3, '[]', $2, 0 FROM unnest($1::uuid[]) AS letter (id)",
        &ids,
        now,
        serde_json::to_string(why).unwrap_or_default()
    )
    .execute(db)
    .await
    .map(drop)
}

/// Events of an app that wait to be handled, counted up to `most`, and what they tell, bytes.
pub async fn waiting(db: &mut PgConnection, app: AppId, most: i64) -> sqlx::Result<(i64, i64)> {
    let row = sqlx::query!(
        r#"WITH waiting AS (
               SELECT event_id FROM deliveries WHERE app_id = $1 AND state <> 'dead'
               UNION ALL
               SELECT event_id FROM outbox WHERE app_id = $1
               LIMIT $2
           )
           SELECT count(*) AS "events!", coalesce(sum(octet_length(e.about)), 0)::bigint AS "bytes!"
           FROM waiting JOIN events e ON e.id = waiting.event_id"#,
        app.0,
        most
    )
    .fetch_one(db)
    .await?;
    Ok((row.events, row.bytes))
}

/// What an event tells, as JSON text.
pub async fn about(db: &mut PgConnection, id: EventId) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!("SELECT about FROM events WHERE id = $1", id.0).fetch_optional(db).await
}

/// Deletes up to `rows` events older than `before` that nothing is to be done for; how many.
pub async fn sweep(db: &mut PgConnection, before: EventId, rows: i64) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "DELETE FROM events USING (
             SELECT id FROM events e
             WHERE id < $1 AND NOT EXISTS (SELECT FROM outbox o WHERE o.app_id = e.app_id AND o.event_id = e.id)
               AND NOT EXISTS (SELECT FROM deliveries d WHERE d.event_id = e.id)
             LIMIT $2
         ) AS leftover WHERE events.id = leftover.id",
        before.0,
        rows
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// The event whose first attempt has that id, with its app and its time, until it has succeeded.
pub async fn promised(db: &mut PgConnection, execution: ExecutionId) -> sqlx::Result<Option<(AppId, EventId, DateTime<Utc>)>> {
    let row = sqlx::query!(
        r#"SELECT app_id AS "app_id: AppId", id AS "id: EventId", at FROM events WHERE execution_id = $1"#,
        execution.0
    );
    Ok(row.fetch_optional(db).await?.map(|row| (row.app_id, row.id, row.at)))
}

fn targets(target: Target) -> (Option<TriggerId>, Option<ScriptId>, Option<ExecutionId>) {
    match target {
        Target::Matching => (None, None, None),
        Target::Trigger(id) => (Some(id), None, None),
        Target::Script { script_id, execution_id } => (None, Some(script_id), Some(execution_id)),
    }
}
