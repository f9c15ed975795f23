//! `executions` and `logs` in the order in which they may be read on: by transaction, then by id.
//!
//! Whoever reads needs to know up to which transaction nothing more comes. PostgreSQL's own answer, the oldest one that is under
//! way (pg_snapshot_xmin), would have a reader wait for every writer on the whole server, and an import takes minutes. But who
//! writes records has locked their table before its transaction had a number (COPY does both, and nothing else writes them):
//! one with a number and without that lock will never write any, and is not waited for. One that only reads (an export, a dump)
//! has no number at all.
//!
//! So a follower is behind by the slowest batch of records that is just being written, on any node: milliseconds. A writer that
//! stands still in its midst (its node is halted, its network gone) holds back what was written after it until PostgreSQL gives
//! its connection up (tcp_keepalives_idle). Nothing is lost or shown out of order by that, only late.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::id::{AppId, ExecutionId, ScriptId, TriggerId};
use crate::limits;
use crate::model::execution::{LogLevel, LogLine, Outcome, Usage};
use crate::model::follow::{Ended, Filter, Line, Position};

/// What can be read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Horizon {
    /// Of transactions below this one nothing more comes. May be less than at a look before, and that one still holds.
    pub below: i64,
    /// No transaction had this number yet.
    pub next: i64,
}

impl Horizon {
    /// Whether something may have been written that cannot be read on yet.
    pub fn is_held(self) -> bool {
        self.below < self.next
    }
}

/// Which transactions have ended, at this moment; what they wrote is seen by the statements after this one.
///
/// Who is under way by the snapshot, which is taken first, counts as a writer unless its lock of its own number is found, and no
/// lock of the table: a number is given out a moment before it is locked, and who ended meanwhile is left to the next look.
pub async fn horizon(db: &mut PgConnection) -> sqlx::Result<Horizon> {
    let row = sqlx::query!(
        r#"WITH locks AS MATERIALIZED (
               SELECT locktype, transactionid, virtualtransaction FROM pg_locks
               WHERE granted AND (
                   locktype = 'transactionid' AND mode = 'ExclusiveLock'
                   OR locktype = 'relation' AND relation = 'executions'::regclass AND mode <> 'AccessShareLock'
                      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
               )
           ), others AS (
               SELECT one.transactionid FROM locks AS one
               WHERE one.locktype = 'transactionid' AND NOT EXISTS (
                   SELECT FROM locks AS held WHERE held.locktype = 'relation' AND held.virtualtransaction = one.virtualtransaction
               )
           )
           SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS "next!",
                  (SELECT min(under_way.txid::text::bigint) FROM pg_snapshot_xip(pg_current_snapshot()) AS under_way (txid)
                   WHERE NOT EXISTS (SELECT FROM others WHERE others.transactionid = under_way.txid::xid)) AS held"#
    );
    let row = row.fetch_one(db).await?;
    Ok(Horizon { below: row.held.unwrap_or(row.next), next: row.next })
}

/// Which of these apps have records of the transactions from `from` to below `below`.
pub async fn with_news(db: &mut PgConnection, apps: &[AppId], from: i64, below: i64) -> sqlx::Result<Vec<AppId>> {
    let apps: Vec<_> = apps.iter().map(|app| app.0).collect();
    sqlx::query_scalar!(
        r#"SELECT app.id AS "id!: AppId" FROM unnest($1::uuid[]) AS app (id)
           WHERE EXISTS (SELECT FROM executions e WHERE e.app_id = app.id AND e.txid > 0 AND e.txid >= $2 AND e.txid < $3)"#,
        &apps,
        from,
        below
    )
    .fetch_all(db)
    .await
}

/// A transaction before which no execution that began at `since` or later was written; 1 if it is not known.
pub async fn txid_of(db: &mut PgConnection, before: ExecutionId, since: DateTime<Utc>) -> sqlx::Result<i64> {
    // Ids are older than their executions where those were promised: the time of the start decides.
    let txid = sqlx::query_scalar!(
        "SELECT txid FROM executions WHERE id < $1 AND started_at < $2 ORDER BY id DESC LIMIT 1",
        before.0,
        since
    );
    Ok(txid.fetch_optional(db).await?.unwrap_or_default().max(1))
}

/// The transaction of the app's record that comes so many records after `from`, below `below`, if there is one.
pub async fn window(db: &mut PgConnection, app: AppId, from: i64, below: i64, records: i64) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar!(
        "SELECT txid FROM executions WHERE app_id = $1 AND txid > 0 AND txid >= $2 AND txid < $3 ORDER BY txid OFFSET $4 LIMIT 1",
        app.0,
        from,
        below,
        records
    )
    .fetch_optional(db)
    .await
}

/// The same, so many records before `below`.
pub async fn window_back(db: &mut PgConnection, app: AppId, below: i64, records: i64) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar!(
        "SELECT txid FROM executions WHERE app_id = $1 AND txid > 0 AND txid < $2 ORDER BY txid DESC OFFSET $3 LIMIT 1",
        app.0,
        below,
        records
    )
    .fetch_optional(db)
    .await
}

struct Row {
    txid: i64,
    id: ExecutionId,
    script_id: ScriptId,
    script_name: String,
    version: i32,
    trigger_id: Option<TriggerId>,
    attempt: Option<i32>,
    outcome: String,
    status: i16,
    fuel: i64,
    memory_peak_bytes: i64,
    host_calls: i32,
    bytes_in: i64,
    bytes_out: i64,
    wall_us: i64,
    error: Option<String>,
    started_at: DateTime<Utc>,
    logs_dropped: i32,
}

impl Row {
    fn ended(self) -> sqlx::Result<Ended> {
        Ok(Ended {
            txid: self.txid,
            id: self.id,
            script_id: self.script_id,
            script_name: self.script_name,
            version: self.version,
            trigger_id: self.trigger_id,
            attempt: self.attempt.map(|attempt| super::natural("attempt", attempt)).transpose()?,
            outcome: super::word("outcome", &self.outcome, Outcome::from_word)?,
            status: super::natural("status", self.status)?,
            usage: Usage {
                fuel: super::natural("fuel", self.fuel)?,
                memory_peak_bytes: super::natural("memory_peak_bytes", self.memory_peak_bytes)?,
                host_calls: super::natural("host_calls", self.host_calls)?,
                bytes_in: super::natural("bytes_in", self.bytes_in)?,
                bytes_out: super::natural("bytes_out", self.bytes_out)?,
                wall_us: super::natural("wall_us", self.wall_us)?,
            },
            error: self.error.and_then(|text| serde_json::from_str(&text).ok()),
            started_at: self.started_at,
            logs_dropped: super::natural("logs_dropped", self.logs_dropped)?,
        })
    }
}

/// The app's executions of which something may be wanted, in order: from the one that `from` is in to the last of a transaction
/// below `below`. Where the filter is strict, only those with a line that is wanted, or that failed.
pub async fn ended(
    db: &mut PgConnection,
    app: AppId,
    filter: &Filter,
    from: Position,
    below: i64,
    rows: i64,
) -> sqlx::Result<Vec<Ended>> {
    let (outcomes, levels) = (filter.outcomes(), filter.levels());
    let found = sqlx::query_as!(
        Row,
        r#"SELECT e.txid, e.id AS "id: ExecutionId", e.script_id AS "script_id: ScriptId", s.name AS script_name, e.version,
                  e.trigger_id AS "trigger_id: TriggerId", e.attempt, e.outcome, e.status, e.fuel, e.memory_peak_bytes,
                  e.host_calls, e.bytes_in, e.bytes_out, e.wall_us, e.error, e.started_at, e.logs_dropped
           FROM executions e JOIN scripts s ON s.id = e.script_id
           WHERE e.app_id = $1 AND e.txid > 0 AND (e.txid, e.id) >= ($2, $3) AND e.txid < $4
             AND ($5::uuid IS NULL OR e.script_id = $5) AND ($6::uuid IS NULL OR e.id = $6)
             AND e.outcome = ANY ($7) AND e.started_at >= $8
             AND (NOT $9::boolean OR e.outcome NOT IN ('responded', 'completed') OR EXISTS (
                 SELECT FROM logs l
                 WHERE l.script_id = e.script_id AND l.execution_id = e.id
                   AND l.level = ANY ($10) AND strpos(l.message, $11) > 0
             ))
           ORDER BY e.txid, e.id LIMIT $12"#,
        app.0,
        from.txid,
        from.execution,
        below,
        filter.script.map(|id| id.0),
        filter.execution.map(|id| id.0),
        &outcomes,
        filter.since.unwrap_or(DateTime::UNIX_EPOCH),
        filter.is_strict(),
        &levels,
        filter.text.as_str(),
        rows
    );
    found.fetch_all(db).await?.into_iter().map(Row::ended).collect()
}

/// The newest of the transactions from `from` to below `below`, the newest first.
pub async fn ended_last(
    db: &mut PgConnection,
    app: AppId,
    filter: &Filter,
    from: i64,
    below: i64,
    rows: i64,
) -> sqlx::Result<Vec<Ended>> {
    let (outcomes, levels) = (filter.outcomes(), filter.levels());
    let found = sqlx::query_as!(
        Row,
        r#"SELECT e.txid, e.id AS "id: ExecutionId", e.script_id AS "script_id: ScriptId", s.name AS script_name, e.version,
                  e.trigger_id AS "trigger_id: TriggerId", e.attempt, e.outcome, e.status, e.fuel, e.memory_peak_bytes,
                  e.host_calls, e.bytes_in, e.bytes_out, e.wall_us, e.error, e.started_at, e.logs_dropped
           FROM executions e JOIN scripts s ON s.id = e.script_id
           WHERE e.app_id = $1 AND e.txid > 0 AND e.txid >= $2 AND e.txid < $3
             AND ($4::uuid IS NULL OR e.script_id = $4) AND ($5::uuid IS NULL OR e.id = $5)
             AND e.outcome = ANY ($6) AND e.started_at >= $7
             AND (NOT $8::boolean OR e.outcome NOT IN ('responded', 'completed') OR EXISTS (
                 SELECT FROM logs l
                 WHERE l.script_id = e.script_id AND l.execution_id = e.id
                   AND l.level = ANY ($9) AND strpos(l.message, $10) > 0
             ))
           ORDER BY e.txid DESC, e.id DESC LIMIT $11"#,
        app.0,
        from,
        below,
        filter.script.map(|id| id.0),
        filter.execution.map(|id| id.0),
        &outcomes,
        filter.since.unwrap_or(DateTime::UNIX_EPOCH),
        filter.is_strict(),
        &levels,
        filter.text.as_str(),
        rows
    );
    found.fetch_all(db).await?.into_iter().map(Row::ended).collect()
}

/// Which lines are read, where there are more than can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    First,
    Last,
}

/// Lines of these executions that are wanted, in order; of the first only those behind `seq`. So many `rows` at most, and no more
/// once they are `FOLLOW_PAGE_BYTES`; and whether that may have left some out.
pub async fn lines(
    db: &mut PgConnection,
    of: &[Ended],
    filter: &Filter,
    seq: i32,
    end: End,
    rows: usize,
) -> sqlx::Result<(Vec<Line>, bool)> {
    let (scripts, executions): (Vec<_>, Vec<_>) = of.iter().map(|ended| (ended.script_id.0, ended.id.0)).unzip();
    let levels = filter.levels();
    let turn: i64 = if end == End::First { 1 } else { -1 };
    let found = sqlx::query!(
        r#"SELECT place AS "place!", seq AS "seq!", at AS "at!", level AS "level!", message AS "message!", data,
                  bytes AS "bytes!"
           FROM (
               SELECT one.place, l.seq, l.at, l.level, l.message, l.data,
                      octet_length(l.message) + coalesce(octet_length(l.data), 0) AS own,
                      sum(octet_length(l.message) + coalesce(octet_length(l.data), 0))
                          OVER (ORDER BY one.place * $6::bigint, l.seq * $6::bigint) AS bytes
               FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS one (script_id, execution_id, place)
               JOIN logs l ON l.script_id = one.script_id AND l.execution_id = one.execution_id
               WHERE (one.place > 1 OR l.seq > $3) AND l.level = ANY ($4) AND strpos(l.message, $5) > 0
           ) AS line
           WHERE bytes - own < $7
           ORDER BY place * $6::bigint, seq * $6::bigint LIMIT $8"#,
        &scripts,
        &executions,
        seq,
        &levels,
        filter.text.as_str(),
        turn,
        limits::FOLLOW_PAGE_BYTES,
        i64::try_from(rows).unwrap_or(i64::MAX)
    );
    let found = found.fetch_all(db).await?;
    let is_cut = found.len() >= rows || found.last().is_some_and(|last| last.bytes >= limits::FOLLOW_PAGE_BYTES);
    let mut lines = found
        .into_iter()
        .map(|row| -> sqlx::Result<Line> {
            let level = super::word("level", &row.level, LogLevel::from_word)?;
            let line = LogLine { at: row.at, level, message: row.message, data: row.data };
            // PostgreSQL counts from 1.
            Ok(Line { of: super::natural("place", row.place - 1)?, seq: row.seq, line })
        })
        .collect::<sqlx::Result<Vec<_>>>()?;
    if end == End::Last {
        lines.reverse();
    }
    Ok((lines, is_cut))
}

/// Records that came from another server may have numbers of transactions that this one has not given out yet: they would come to
/// light when it does. Such are not followed; how many there were.
pub async fn disown(db: &mut PgConnection) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "UPDATE executions SET txid = 0 FROM apps
         WHERE executions.app_id = apps.id AND executions.txid > 0
           AND executions.txid >= pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
    );
    Ok(done.execute(db).await?.rows_affected())
}
