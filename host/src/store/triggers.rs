//! `triggers` and `trigger_counts`, and what a change of one means for the deliveries that wait.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::id::{AppId, ScriptId, TriggerId, UserId};
use crate::model::event::{Op, Source};
use crate::model::retry::{Backoff, Retry};
use crate::model::schedule::Schedule;
use crate::model::trigger::{Counts, Filter, Rule, State, Trigger};

struct Row {
    id: TriggerId,
    app_id: AppId,
    script_id: ScriptId,
    kind: String,
    pattern: String,
    ops: Vec<String>,
    about_trigger_id: Option<TriggerId>,
    about_script_id: Option<ScriptId>,
    schedule: Option<String>,
    timezone: Option<String>,
    next_tick_at: Option<DateTime<Utc>>,
    secret_name: Option<String>,
    max_attempts: i32,
    backoff: String,
    base_delay_ms: i32,
    max_delay_ms: i32,
    jitter: bool,
    state: String,
    stopped_reason: Option<String>,
    stopped_at: Option<DateTime<Utc>>,
    registered_by: Option<UserId>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl Row {
    fn trigger(self) -> sqlx::Result<Trigger> {
        Ok(Trigger {
            id: self.id,
            app_id: self.app_id,
            script_id: self.script_id,
            rule: self.rule()?,
            retry: Retry {
                max_attempts: super::natural("max_attempts", self.max_attempts)?,
                backoff: super::word("backoff", &self.backoff, Backoff::from_word)?,
                base_delay_ms: super::natural("base_delay_ms", self.base_delay_ms)?,
                max_delay_ms: super::natural("max_delay_ms", self.max_delay_ms)?,
                jitter: self.jitter,
            },
            state: match (self.state.as_str(), self.stopped_reason, self.stopped_at) {
                ("active", ..) => State::Active,
                ("disabled", ..) => State::Disabled,
                ("stopped", Some(reason), Some(at)) => State::Stopped { reason, at },
                (other, ..) => return Err(super::unreadable("state", other)),
            },
            registered_by: self.registered_by,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }

    fn rule(&self) -> sqlx::Result<Rule> {
        let kind = super::word("kind", &self.kind, Source::from_word)?;
        let pattern = self.pattern.clone();
        let missing = |column: &'static str| super::unreadable(column, "null");
        Ok(match kind {
            Source::Kv | Source::Docs | Source::Files => {
                let ops = self.ops.iter().map(|word| super::word("ops", word, Op::from_word)).collect::<sqlx::Result<_>>()?;
                Rule::Changes { of: kind, collection: pattern, ops }
            }
            Source::Pubsub => Rule::Pubsub { topic: pattern },
            Source::Queue => Rule::Queue { queue: pattern },
            Source::Cron => {
                let (schedule, timezone) = (self.schedule.as_deref(), self.timezone.as_deref());
                let schedule = schedule.ok_or_else(|| missing("schedule"))?;
                let schedule = Schedule::parse(schedule, timezone.ok_or_else(|| missing("timezone"))?)
                    .map_err(|error| super::unreadable("schedule", error.message))?;
                Rule::Cron { schedule, next_tick_at: self.next_tick_at }
            }
            Source::Email => Rule::Email { secret: self.secret_name.clone().ok_or_else(|| missing("secret_name"))? },
            Source::DeadLetter => {
                let source = (pattern != "*").then(|| super::word("pattern", &pattern, Source::from_word)).transpose()?;
                Rule::DeadLetter(Filter { source, trigger_id: self.about_trigger_id, script_id: self.about_script_id })
            }
            Source::Http | Source::Invoke => return Err(super::unreadable("kind", kind.as_str())),
        })
    }
}

/// A rule's columns.
struct Columns<'a> {
    pattern: &'a str,
    ops: Vec<String>,
    filter: Filter,
    schedule: Option<&'a Schedule>,
    next_tick_at: Option<DateTime<Utc>>,
    secret: Option<&'a str>,
}

impl<'a> Columns<'a> {
    fn of(rule: &'a Rule) -> Self {
        let plain =
            Self { pattern: "*", ops: Vec::new(), filter: Filter::default(), schedule: None, next_tick_at: None, secret: None };
        match rule {
            Rule::Changes { collection, ops, .. } => {
                Self { pattern: collection, ops: ops.iter().map(|op| op.as_str().to_owned()).collect(), ..plain }
            }
            Rule::Cron { schedule, next_tick_at } => Self { schedule: Some(schedule), next_tick_at: *next_tick_at, ..plain },
            Rule::Pubsub { topic } => Self { pattern: topic, ..plain },
            Rule::Queue { queue } => Self { pattern: queue, ..plain },
            Rule::Email { secret } => Self { secret: Some(secret), ..plain },
            Rule::DeadLetter(filter) => {
                Self { pattern: filter.source.map_or("*", Source::as_str), filter: filter.clone(), ..plain }
            }
        }
    }
}

/// Adds a trigger with its counts; false when its queue has a consumer already.
pub async fn insert(db: &mut PgConnection, trigger: &Trigger) -> sqlx::Result<bool> {
    let columns = Columns::of(&trigger.rule);
    let done = sqlx::query!(
        "WITH made AS (
             INSERT INTO triggers (id, app_id, script_id, kind, pattern, ops, about_trigger_id, about_script_id, schedule, timezone,
                                   next_tick_at, secret_name, max_attempts, backoff, base_delay_ms, max_delay_ms, jitter, state,
                                   registered_by, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $20)
             ON CONFLICT (app_id, pattern) WHERE kind = 'queue' DO NOTHING
             RETURNING id
         )
         INSERT INTO trigger_counts (trigger_id, succeeded, failed, dead) SELECT id, 0, 0, 0 FROM made",
        trigger.id.0,
        trigger.app_id.0,
        trigger.script_id.0,
        trigger.rule.kind().as_str(),
        columns.pattern,
        &columns.ops,
        columns.filter.trigger_id.map(|id| id.0),
        columns.filter.script_id.map(|id| id.0),
        columns.schedule.map(Schedule::as_str),
        columns.schedule.map(Schedule::timezone),
        columns.next_tick_at,
        columns.secret,
        int(trigger.retry.max_attempts),
        trigger.retry.backoff.as_str(),
        int(trigger.retry.base_delay_ms),
        int(trigger.retry.max_delay_ms),
        trigger.retry.jitter,
        trigger.state.as_str(),
        trigger.registered_by.map(|id| id.0),
        trigger.created_at
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// The trigger, which nobody else changes until the transaction ends.
pub async fn lock(db: &mut PgConnection, app: AppId, id: TriggerId) -> sqlx::Result<Option<Trigger>> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: TriggerId", app_id AS "app_id: AppId", script_id AS "script_id: ScriptId", kind, pattern, ops,
                  about_trigger_id AS "about_trigger_id: TriggerId", about_script_id AS "about_script_id: ScriptId",
                  schedule, timezone, next_tick_at, secret_name, max_attempts, backoff, base_delay_ms, max_delay_ms, jitter,
                  state, stopped_reason, stopped_at, registered_by AS "registered_by: UserId", created_at, updated_at
           FROM triggers WHERE app_id = $1 AND id = $2 FOR NO KEY UPDATE"#,
        app.0,
        id.0
    );
    row.fetch_optional(db).await?.map(Row::trigger).transpose()
}

pub async fn get(db: &mut PgConnection, app: AppId, id: TriggerId) -> sqlx::Result<Option<Trigger>> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: TriggerId", app_id AS "app_id: AppId", script_id AS "script_id: ScriptId", kind, pattern, ops,
                  about_trigger_id AS "about_trigger_id: TriggerId", about_script_id AS "about_script_id: ScriptId",
                  schedule, timezone, next_tick_at, secret_name, max_attempts, backoff, base_delay_ms, max_delay_ms, jitter,
                  state, stopped_reason, stopped_at, registered_by AS "registered_by: UserId", created_at, updated_at
           FROM triggers WHERE app_id = $1 AND id = $2"#,
        app.0,
        id.0
    );
    row.fetch_optional(db).await?.map(Row::trigger).transpose()
}

/// The consumer of a queue.
pub async fn of_queue(db: &mut PgConnection, app: AppId, queue: &str) -> sqlx::Result<Option<TriggerId>> {
    sqlx::query_scalar!(
        r#"SELECT id AS "id: TriggerId" FROM triggers WHERE app_id = $1 AND pattern = $2 AND kind = 'queue'"#,
        app.0,
        queue
    )
    .fetch_optional(db)
    .await
}

/// An app's triggers in order of creation, after `after`; of one kind or of one script, where that is asked for.
pub async fn list(
    db: &mut PgConnection,
    app: AppId,
    kind: Option<Source>,
    script: Option<ScriptId>,
    after: Option<Uuid>,
    rows: i64,
) -> sqlx::Result<Vec<Trigger>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: TriggerId", app_id AS "app_id: AppId", script_id AS "script_id: ScriptId", kind, pattern, ops,
                  about_trigger_id AS "about_trigger_id: TriggerId", about_script_id AS "about_script_id: ScriptId",
                  schedule, timezone, next_tick_at, secret_name, max_attempts, backoff, base_delay_ms, max_delay_ms, jitter,
                  state, stopped_reason, stopped_at, registered_by AS "registered_by: UserId", created_at, updated_at
           FROM triggers
           WHERE app_id = $1 AND kind = coalesce($2, kind) AND script_id = coalesce($3, script_id) AND id > $4
           ORDER BY id LIMIT $5"#,
        app.0,
        kind.map(Source::as_str),
        script.map(|id| id.0),
        after.unwrap_or(Uuid::nil()),
        rows
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(Row::trigger).collect()
}

/// How many triggers the app has.
pub async fn count(db: &mut PgConnection, app: AppId) -> sqlx::Result<i64> {
    sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM triggers WHERE app_id = $1"#, app.0).fetch_one(db).await
}

/// What came of their deliveries, in the order of `ids` where they are there.
pub async fn counts(db: &mut PgConnection, ids: &[TriggerId]) -> sqlx::Result<Vec<(TriggerId, Counts)>> {
    let ids: Vec<_> = ids.iter().map(|id| id.0).collect();
    let rows = sqlx::query!(
        r#"SELECT trigger_id AS "id: TriggerId", succeeded, failed, dead, last_at FROM trigger_counts WHERE trigger_id = ANY ($1)"#,
        &ids
    )
    .fetch_all(db)
    .await?;
    let counts = rows.into_iter().map(|row| {
        let counts = Counts {
            succeeded: super::natural("succeeded", row.succeeded)?,
            failed: super::natural("failed", row.failed)?,
            dead: super::natural("dead", row.dead)?,
            last_at: row.last_at,
        };
        Ok((row.id, counts))
    });
    counts.collect()
}

/// Stores state, policy, principal and next tick as they now are; `updated_at` strictly grows.
pub async fn update(db: &mut PgConnection, trigger: &Trigger, now: DateTime<Utc>) -> sqlx::Result<DateTime<Utc>> {
    let (reason, at) = match &trigger.state {
        State::Stopped { reason, at } => (Some(reason.as_str()), Some(*at)),
        State::Active | State::Disabled => (None, None),
    };
    sqlx::query_scalar!(
        "UPDATE triggers SET state = $2, stopped_reason = $3, stopped_at = $4, max_attempts = $5, backoff = $6, base_delay_ms = $7,
                max_delay_ms = $8, jitter = $9, registered_by = $10, next_tick_at = $11,
                updated_at = greatest($12, updated_at + interval '1 microsecond')
         WHERE id = $1 RETURNING updated_at",
        trigger.id.0,
        trigger.state.as_str(),
        reason,
        at,
        int(trigger.retry.max_attempts),
        trigger.retry.backoff.as_str(),
        int(trigger.retry.base_delay_ms),
        int(trigger.retry.max_delay_ms),
        trigger.retry.jitter,
        trigger.registered_by.map(|id| id.0),
        Columns::of(&trigger.rule).next_tick_at,
        now
    )
    .fetch_one(db)
    .await
}

/// Switches off every trigger of the app that is of one of these kinds; how many were not.
pub async fn disable(db: &mut PgConnection, app: AppId, kinds: &[String], now: DateTime<Utc>) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "UPDATE triggers SET state = 'disabled', stopped_reason = NULL, stopped_at = NULL,
                updated_at = greatest($3, updated_at + interval '1 microsecond')
         WHERE app_id = $1 AND kind = ANY ($2) AND state <> 'disabled'",
        app.0,
        kinds,
        now
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// Stops an active trigger that still runs as that person; whether it was.
pub async fn stop(
    db: &mut PgConnection,
    app: AppId,
    id: TriggerId,
    principal: Option<UserId>,
    reason: &str,
    now: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "UPDATE triggers SET state = 'stopped', stopped_reason = $2, stopped_at = $3,
                updated_at = greatest($3, updated_at + interval '1 microsecond')
         WHERE id = $1 AND app_id = $4 AND state = 'active' AND registered_by IS NOT DISTINCT FROM $5",
        id.0,
        reason,
        now,
        app.0,
        principal.map(|id| id.0)
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Deletes a trigger. What waits for it is told that when it is claimed, or done away with by `deliveries::forsake`.
pub async fn delete(db: &mut PgConnection, app: AppId, id: TriggerId) -> sqlx::Result<bool> {
    let done = sqlx::query!("DELETE FROM triggers WHERE app_id = $1 AND id = $2", app.0, id.0).execute(db).await?;
    Ok(done.rows_affected() > 0)
}

/// Triggers whose tick is due, which nobody else fires meanwhile, of apps that nobody deletes; the longest due first. One may be of a schedule or a zone that this
/// node cannot read.
pub async fn due_ticks(
    db: &mut PgConnection,
    now: DateTime<Utc>,
    rows: i64,
) -> sqlx::Result<Vec<(TriggerId, sqlx::Result<Trigger>)>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: TriggerId", app_id AS "app_id: AppId", script_id AS "script_id: ScriptId", kind, pattern, ops,
                  about_trigger_id AS "about_trigger_id: TriggerId", about_script_id AS "about_script_id: ScriptId",
                  schedule, timezone, next_tick_at, secret_name, max_attempts, backoff, base_delay_ms, max_delay_ms, jitter,
                  state, stopped_reason, stopped_at, registered_by AS "registered_by: UserId", created_at, updated_at
           FROM triggers WHERE next_tick_at <= $1 AND state = 'active' AND app_id = ANY (ARRAY(
               SELECT id FROM apps WHERE id IN (SELECT app_id FROM triggers WHERE next_tick_at <= $1 AND state = 'active')
               FOR KEY SHARE SKIP LOCKED
           ))
           ORDER BY next_tick_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED"#,
        now,
        rows
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.trigger())).collect())
}

/// Sets the next tick of a trigger that was locked.
pub async fn set_next_tick(db: &mut PgConnection, id: TriggerId, at: Option<DateTime<Utc>>) -> sqlx::Result<()> {
    sqlx::query!("UPDATE triggers SET next_tick_at = $2 WHERE id = $1", id.0, at).execute(db).await.map(drop)
}

/// The next tick of all.
pub async fn next_tick(db: &mut PgConnection) -> sqlx::Result<Option<DateTime<Utc>>> {
    sqlx::query_scalar!(
        r#"SELECT next_tick_at AS "at!" FROM triggers
           WHERE next_tick_at IS NOT NULL AND state = 'active' ORDER BY next_tick_at LIMIT 1"#
    )
    .fetch_optional(db)
    .await
}

fn int(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}
