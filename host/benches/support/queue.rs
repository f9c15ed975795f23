//! Messages in the queue `q` of an app, without their senders, and how many of them are handled.

use serde_json::Value;
use sqlx::PgConnection;

use super::{Failure, id};

/// Puts messages into an app's outbox, as so many sends would leave them, and tells nobody.
pub(crate) async fn fill(db: &mut PgConnection, app: &Value, messages: i32) -> Result<(), Failure> {
    sqlx::query(
        r#"WITH message AS (SELECT n, id_at(now()) AS id FROM generate_series(1, $2::integer) AS n), event AS (
               INSERT INTO events (id, app_id, source, op, at, depth, request_id, about)
               SELECT id, $1, 'queue', 'send', now(), 1, id, '{"name":"q","message":' || n || '}' FROM message
           )
           INSERT INTO outbox (event_id, app_id, source, op, name, depth, due_at)
           SELECT id, $1, 'queue', 'send', 'q', 1, now() FROM message"#,
    )
    .bind(id(app)?)
    .bind(messages)
    .execute(db)
    .await?;
    Ok(())
}

/// Deliveries of a trigger that succeeded so far.
pub(crate) async fn succeeded(db: &mut PgConnection, trigger: &Value) -> Result<i64, Failure> {
    let statement = "SELECT succeeded FROM trigger_counts WHERE trigger_id = $1";
    let (count,): (i64,) = sqlx::query_as(statement).bind(id(trigger)?).fetch_one(db).await?;
    Ok(count)
}
