//! `nodes`, and the locks that say which of them are connected.
//!
//! A node holds a lock named by its number on the connection by which it hears of roll calls, for as long as that lasts: the server
//! lets it go when the connection ends, however the node ended. So nobody has to write now and then that it is still there.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::config::Roles;
use crate::id::NodeId;
use crate::limits;
use crate::model::node::{Entry, Node};

/// The first half of the locks' names; the second is the node's number.
const LOCKS: i32 = 7_150_228;

/// Writes the node down, or that it is back after its connection was lost, and takes its lock, beside a connection of its own that
/// the server has not given up yet: nobody finds the row without the lock, which is held until this connection ends.
pub async fn enter(db: &mut PgConnection, now: DateTime<Utc>, node: &Node, is_draining: bool) -> sqlx::Result<()> {
    let roles: Vec<String> = node.roles.words().map(str::to_owned).collect();
    sqlx::query!(
        r#"WITH entered AS (
             INSERT INTO nodes (id, name, version, schema, roles, data, admin, draining, answers, started_at, seen_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, $9, $10)
             ON CONFLICT ON CONSTRAINT nodes_pkey DO UPDATE SET draining = $8, seen_at = $10, gone_at = NULL
             RETURNING number
         )
         SELECT pg_advisory_lock_shared($11, number) IS NULL AS "held" FROM entered"#,
        node.id.0,
        node.name,
        node.version,
        node.schema,
        &roles,
        node.data,
        node.admin,
        is_draining,
        node.started_at,
        now,
        LOCKS
    )
    .fetch_one(db)
    .await?;
    Ok(())
}

/// Has the server look soon whether anybody is at the other end of this connection, where it is one of the network.
pub async fn keep_alive(db: &mut PgConnection) -> sqlx::Result<()> {
    let seconds = limits::NODE_KEEPALIVE_S.to_string();
    sqlx::query!(
        r#"SELECT set_config('tcp_keepalives_idle', $1, false) AS "idle", set_config('tcp_keepalives_interval', $1, false) AS "pause",
                  set_config('tcp_keepalives_count', '3', false) AS "count""#,
        seconds
    )
    .fetch_one(db)
    .await?;
    Ok(())
}

/// Notes an answer to a roll call.
pub async fn answer(db: &mut PgConnection, now: DateTime<Utc>, node: NodeId) -> sqlx::Result<()> {
    sqlx::query!("UPDATE nodes SET answers = answers + 1, seen_at = $2 WHERE id = $1", node.0, now).execute(db).await.map(drop)
}

/// Notes that the node was told to end.
pub async fn note_draining(db: &mut PgConnection, now: DateTime<Utc>, node: NodeId) -> sqlx::Result<()> {
    sqlx::query!("UPDATE nodes SET draining = true, seen_at = $2 WHERE id = $1", node.0, now).execute(db).await.map(drop)
}

/// Strikes the node out: it leaves.
pub async fn leave(db: &mut PgConnection, node: NodeId) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM nodes WHERE id = $1", node.0).execute(db).await.map(drop)
}

/// Notes who is gone, and strikes out who has been since before `until`.
pub async fn clear(db: &mut PgConnection, now: DateTime<Utc>, until: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM nodes WHERE gone_at < $1", until).execute(&mut *db).await?;
    sqlx::query!(
        "UPDATE nodes SET gone_at = $1 WHERE gone_at IS NULL AND NOT EXISTS (
             SELECT FROM pg_locks
             WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
               AND classid = $2::integer::oid AND objid = nodes.number::oid AND objsubid = 2 AND granted
         )",
        now,
        LOCKS
    )
    .execute(db)
    .await
    .map(drop)
}

/// The nodes in the order in which they came, of very many the last.
pub async fn all(db: &mut PgConnection) -> sqlx::Result<Vec<Entry>> {
    let rows = sqlx::query!(
        r#"SELECT id AS "id: NodeId", name, version, schema, roles, data, admin, draining, answers, started_at, seen_at,
                  EXISTS (
                      SELECT FROM pg_locks
                      WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                        AND classid = $1::integer::oid AND objid = nodes.number::oid AND objsubid = 2 AND granted
                  ) AS "is_present!"
           FROM nodes ORDER BY id DESC LIMIT $2"#,
        LOCKS,
        limits::NODES_LISTED_MAX
    );
    let entries = rows.fetch_all(db).await?.into_iter().rev().map(|row| {
        let words = row.roles.join(",");
        let node = Node {
            id: row.id,
            name: row.name,
            version: row.version,
            schema: row.schema,
            roles: super::word("roles", &words, |words| Roles::of_words(words.split(',')))?,
            data: row.data,
            admin: row.admin,
            started_at: row.started_at,
        };
        let (is_present, is_draining) = (row.is_present, row.draining);
        Ok(Entry { node, is_draining, is_present, answers: row.answers, seen_at: row.seen_at })
    });
    entries.collect()
}
