//! What is told of an app at a glance, beside its usage: of `executions` and of `deliveries` that are dead, by their indexes.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::id::AppId;
use crate::model::health::Times;

/// How long executions of the app took that began from `from` on and were let in: of the newest records, at most `rows` of them.
pub async fn times(db: &mut PgConnection, app: AppId, from: DateTime<Utc>, rows: i64) -> sqlx::Result<Times> {
    // In the order of their transactions, which is about that of time: an app's records have no other index.
    let row = sqlx::query!(
        r#"SELECT count(*) AS "sample!", percentile_disc(0.5) WITHIN GROUP (ORDER BY wall_us) AS "p50_us?",
                  percentile_disc(0.99) WITHIN GROUP (ORDER BY wall_us) AS "p99_us?"
           FROM (
               SELECT wall_us, outcome, started_at FROM executions WHERE app_id = $1 AND txid > 0 ORDER BY txid DESC LIMIT $3
           ) AS newest
           WHERE started_at >= $2 AND outcome <> 'denied'"#,
        app.0,
        from,
        rows
    )
    .fetch_one(db)
    .await?;
    Ok(Times {
        sample: super::natural("sample", row.sample)?,
        p50_us: row.p50_us.map(|us| super::natural("wall_us", us)).transpose()?,
        p99_us: row.p99_us.map(|us| super::natural("wall_us", us)).transpose()?,
    })
}

/// How many dead letters the app has that nobody resolved, counted up to `most`.
pub async fn unresolved(db: &mut PgConnection, app: AppId, most: i64) -> sqlx::Result<u64> {
    // The order is that of the index, which else would be left for the whole table where two apps have most of it.
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM (
               SELECT id FROM deliveries WHERE app_id = $1 AND state = 'dead' AND resolved_at IS NULL ORDER BY id LIMIT $2
           ) AS letters"#,
        app.0,
        most
    )
    .fetch_one(db)
    .await?;
    super::natural("count", count)
}
