//! `usage`. Without foreign keys: what a script used outlives it.

use std::ops::Range;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::id::{AppId, ScriptId};
use crate::model::usage::{AppDay, Item, Period, Row, Used};

/// The rows as the columns of one statement.
#[derive(Default)]
struct Columns {
    apps: Vec<Uuid>,
    periods: Vec<String>,
    started: Vec<DateTime<Utc>>,
    scripts: Vec<Uuid>,
    calls: Vec<i64>,
    failed: Vec<i64>,
    refused: Vec<i64>,
    fuel: Vec<i64>,
    wall: Vec<i64>,
    host_calls: Vec<i64>,
    bytes_in: Vec<i64>,
    bytes_out: Vec<i64>,
    log_bytes: Vec<i64>,
    memory_peak: Vec<i64>,
}

impl Columns {
    fn push(&mut self, row: &Row) {
        let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        let used = &row.used;
        self.apps.push(row.app_id.0);
        self.periods.push(row.period.as_str().to_owned());
        self.started.push(row.started_at);
        self.scripts.push(row.script_id.0);
        self.calls.push(number(used.calls));
        self.failed.push(number(used.failed));
        self.refused.push(number(used.refused));
        self.fuel.push(number(used.fuel));
        self.wall.push(number(used.wall_us));
        self.host_calls.push(number(used.host_calls));
        self.bytes_in.push(number(used.bytes_in));
        self.bytes_out.push(number(used.bytes_out));
        self.log_bytes.push(number(used.log_bytes));
        self.memory_peak.push(number(used.memory_peak_bytes));
    }
}

/// Adds each row to what is there, in the order given: one row for each key, and whoever else adds takes them in the same order.
pub async fn add(db: &mut PgConnection, rows: &[Row]) -> sqlx::Result<()> {
    let mut of = Columns::default();
    rows.iter().for_each(|row| of.push(row));
    sqlx::query!(
        "INSERT INTO usage (app_id, period, started_at, script_id, calls, failed, refused, fuel, wall_us, host_calls, bytes_in,
                            bytes_out, log_bytes, memory_peak_bytes)
         SELECT * FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::uuid[], $5::bigint[], $6::bigint[], $7::bigint[],
                              $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[],
                              $14::bigint[])
         ON CONFLICT ON CONSTRAINT usage_pkey DO UPDATE SET
             calls = usage.calls + excluded.calls,
             failed = usage.failed + excluded.failed,
             refused = usage.refused + excluded.refused,
             fuel = usage.fuel + excluded.fuel,
             wall_us = usage.wall_us + excluded.wall_us,
             host_calls = usage.host_calls + excluded.host_calls,
             bytes_in = usage.bytes_in + excluded.bytes_in,
             bytes_out = usage.bytes_out + excluded.bytes_out,
             log_bytes = usage.log_bytes + excluded.log_bytes,
             memory_peak_bytes = greatest(usage.memory_peak_bytes, excluded.memory_peak_bytes)",
        &of.apps,
        &of.periods,
        &of.started,
        &of.scripts,
        &of.calls,
        &of.failed,
        &of.refused,
        &of.fuel,
        &of.wall,
        &of.host_calls,
        &of.bytes_in,
        &of.bytes_out,
        &of.log_bytes,
        &of.memory_peak
    )
    .execute(db)
    .await
    .map(drop)
}

/// The number of the transaction, for [`status`].
pub async fn transaction(db: &mut PgConnection) -> sqlx::Result<String> {
    sqlx::query_scalar!(r#"SELECT pg_current_xact_id()::text AS "id!""#).fetch_one(db).await
}

/// What became of a transaction, as PostgreSQL words it: `committed`, `aborted`, `in progress`; `None` when that is long ago.
pub async fn status(db: &mut PgConnection, transaction: &str) -> sqlx::Result<Option<String>> {
    let status = sqlx::query_scalar!("SELECT pg_xact_status($1::text::xid8)", transaction).fetch_one(db).await;
    match status {
        // invalid_parameter_value: it is still to come. So a crash undid it, and that it ever began.
        Err(error) if error.as_database_error().and_then(|error| error.code()).as_deref() == Some("22023") => {
            Ok(Some("aborted".to_owned()))
        }
        done => done,
    }
}

/// What was kept of the apps' records and log lines on these days, bytes; of each.
pub async fn log_bytes(db: &mut PgConnection, days: &[AppDay]) -> sqlx::Result<Vec<(AppDay, u64)>> {
    let (apps, starts): (Vec<_>, Vec<_>) = days.iter().map(|(app, day)| (app.0, *day)).unzip();
    let rows = sqlx::query!(
        r#"SELECT of.app_id AS "app_id!: AppId", of.day AS "day!",
                  coalesce((SELECT sum(u.log_bytes) FROM usage u
                            WHERE u.app_id = of.app_id AND u.period = 'day' AND u.started_at = of.day), 0)::bigint AS "log_bytes!"
           FROM unnest($1::uuid[], $2::timestamptz[]) AS of (app_id, day)"#,
        &apps,
        &starts
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(|row| Ok(((row.app_id, row.day), super::natural("log_bytes", row.log_bytes)?))).collect()
}

struct Stored {
    started_at: DateTime<Utc>,
    script_id: Option<ScriptId>,
    calls: i64,
    failed: i64,
    refused: i64,
    fuel: i64,
    wall_us: i64,
    host_calls: i64,
    bytes_in: i64,
    bytes_out: i64,
    log_bytes: i64,
    memory_peak_bytes: i64,
}

impl Stored {
    fn item(self) -> sqlx::Result<Item> {
        let used = Used {
            calls: super::natural("calls", self.calls)?,
            failed: super::natural("failed", self.failed)?,
            refused: super::natural("refused", self.refused)?,
            fuel: super::natural("fuel", self.fuel)?,
            wall_us: super::natural("wall_us", self.wall_us)?,
            host_calls: super::natural("host_calls", self.host_calls)?,
            bytes_in: super::natural("bytes_in", self.bytes_in)?,
            bytes_out: super::natural("bytes_out", self.bytes_out)?,
            log_bytes: super::natural("log_bytes", self.log_bytes)?,
            memory_peak_bytes: super::natural("memory_peak_bytes", self.memory_peak_bytes)?,
        };
        Ok(Item { started_at: self.started_at, script_id: self.script_id, used })
    }
}

/// What the app used in the periods that began in `range`, after `after`: one item for each, in order.
pub async fn of_app(
    db: &mut PgConnection,
    app: AppId,
    period: Period,
    range: Range<DateTime<Utc>>,
    after: Option<DateTime<Utc>>,
    rows: i64,
) -> sqlx::Result<Vec<Item>> {
    let rows = sqlx::query_as!(
        Stored,
        r#"SELECT started_at AS "started_at!", NULL::uuid AS "script_id?: ScriptId", sum(calls)::bigint AS "calls!",
                  sum(failed)::bigint AS "failed!", sum(refused)::bigint AS "refused!", sum(fuel)::bigint AS "fuel!",
                  sum(wall_us)::bigint AS "wall_us!", sum(host_calls)::bigint AS "host_calls!", sum(bytes_in)::bigint AS "bytes_in!",
                  sum(bytes_out)::bigint AS "bytes_out!", sum(log_bytes)::bigint AS "log_bytes!",
                  max(memory_peak_bytes) AS "memory_peak_bytes!"
           FROM usage
           WHERE app_id = $1 AND period = $2 AND started_at >= $3 AND started_at < $4
                 AND ($5::timestamptz IS NULL OR started_at > $5)
           GROUP BY started_at ORDER BY started_at LIMIT $6"#,
        app.0,
        period.as_str(),
        range.start,
        range.end,
        after,
        rows
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(Stored::item).collect()
}

/// The same of each of its scripts, or of one: one item for each period and script, in this order.
pub async fn by_script(
    db: &mut PgConnection,
    app: AppId,
    period: Period,
    range: Range<DateTime<Utc>>,
    script: Option<ScriptId>,
    after: Option<(DateTime<Utc>, ScriptId)>,
    rows: i64,
) -> sqlx::Result<Vec<Item>> {
    let (after_start, after_script) = after.unwrap_or((range.start, ScriptId(Uuid::nil())));
    let rows = sqlx::query_as!(
        Stored,
        r#"SELECT started_at, script_id AS "script_id?: ScriptId", calls, failed, refused, fuel, wall_us, host_calls, bytes_in,
                  bytes_out, log_bytes, memory_peak_bytes
           FROM usage
           WHERE app_id = $1 AND period = $2 AND started_at >= $3 AND started_at < $4
                 AND ($5::uuid IS NULL OR script_id = $5) AND (started_at, script_id) > ($6, $7)
           ORDER BY started_at, script_id LIMIT $8"#,
        app.0,
        period.as_str(),
        range.start,
        range.end,
        script.map(|id| id.0),
        after_start,
        after_script.0,
        rows
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(Stored::item).collect()
}

/// Deletes up to `rows` rows of periods that began before `before`; how many.
pub async fn sweep(db: &mut PgConnection, period: Period, before: DateTime<Utc>, rows: i64) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "DELETE FROM usage WHERE ctid = ANY (ARRAY(
             SELECT ctid FROM usage WHERE period = $1 AND started_at < $2 ORDER BY started_at LIMIT $3
         ))",
        period.as_str(),
        before,
        rows
    );
    Ok(done.execute(db).await?.rows_affected())
}

/// Deletes up to `rows` rows of an app; how many.
pub async fn delete_of_app(db: &mut PgConnection, app: AppId, rows: i64) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "DELETE FROM usage WHERE ctid = ANY (ARRAY(SELECT ctid FROM usage WHERE app_id = $1 LIMIT $2))",
        app.0,
        rows
    );
    Ok(done.execute(db).await?.rows_affected())
}
