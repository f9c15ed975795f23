//! The whole database, out and in again: whatever tables its schema has, in PostgreSQL's binary COPY format.
//!
//! These queries are asked of a database of any schema, so that none of them is checked when it is compiled; tables are known by the
//! catalogue. What the catalogue names stands in statements as quoted identifiers.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::BoxStream;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{AssertSqlSafe, PgConnection, Row as _};
use uuid::Uuid;

use super::schema::MIGRATIONS;
use crate::error::{Error, Kind, Result};
use crate::id::{AppId, BlobId, VolumeId};
use crate::limits;
use crate::model::backup::{Column, Entry, Migration, Sequence};
use crate::model::files::Blob;

/// Held alone by whoever makes a backup.
const BACKUPS: i64 = 0x7069_636c_6f75_6402;
/// Held alone while bytes of files must stay; whoever would remove some asks for a share.
const HOLD: i64 = 0x7069_636c_6f75_6403;
/// The migrator's own.
const APPLIED: &str = "_sqlx_migrations";
/// Has rows in a database that nobody has used yet.
const FRESH: [&str; 5] = [APPLIED, "audit_head", "file_volumes", "nodes", "schema_compat"];
/// What means nothing on another server, and what is written in its place.
const ELSEWHERE: [(&str, &str, &str); 1] = [("executions", "txid", "0::bigint")];

/// A table as the catalogue has it.
#[derive(Debug)]
pub struct Found {
    pub name: String,
    /// In their order; those that PostgreSQL computes left out.
    pub columns: Vec<Column>,
    /// Of the primary key.
    pub key: Vec<String>,
}

/// What a database that is to be restored to holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// No table.
    Nothing,
    /// Tables of ours, and no app, person or anything else that somebody made.
    Fresh,
    /// An instance.
    Instance,
    /// Tables that are none of ours.
    Foreign,
}

/// Whether no other backup is made, nor will be until the transaction ends.
pub async fn be_alone(db: &mut PgConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar("SELECT pg_try_advisory_xact_lock($1)").bind(BACKUPS).fetch_one(db).await
}

/// From here until the transaction ends nobody removes bytes of files. Waits for those who are about to.
pub async fn hold_blobs(db: &mut PgConnection) -> sqlx::Result<()> {
    let wait_ms = limits::BACKUP_HOLD_WAIT_MS.to_string();
    sqlx::query("SELECT set_config('lock_timeout', $1, true)").bind(wait_ms).execute(&mut *db).await?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(HOLD).execute(db).await.map(drop)
}

/// Whether bytes may be removed that no committed row names: no backup is under way that began before. Asked after the rows went, or
/// in the transaction that they go with.
pub async fn may_remove_blobs(db: &mut PgConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar("SELECT pg_try_advisory_xact_lock_shared($1)").bind(HOLD).fetch_one(db).await
}

/// All tables but the migrator's, by name.
pub async fn tables(db: &mut PgConnection) -> sqlx::Result<Vec<Found>> {
    let rows = sqlx::query(
        "SELECT c.relname::text AS name,
                (SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_attribute a
                 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '') AS columns,
                (SELECT array_agg(format_type(a.atttypid, a.atttypmod) ORDER BY a.attnum) FROM pg_attribute a
                 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '') AS kinds,
                (SELECT array_agg(a.attname::text ORDER BY k.place)
                 FROM pg_index i, unnest(i.indkey::smallint[]) WITH ORDINALITY AS k (attnum, place), pg_attribute a
                 WHERE i.indrelid = c.oid AND i.indisprimary AND a.attrelid = c.oid AND a.attnum = k.attnum) AS key
         FROM pg_class c
         WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
           AND c.relname <> $1
         ORDER BY c.relname",
    )
    .bind(APPLIED)
    .fetch_all(db)
    .await?;
    let found = rows.into_iter().map(|row| {
        let names: Vec<String> = row.try_get::<Option<_>, _>("columns")?.unwrap_or_default();
        let kinds: Vec<String> = row.try_get::<Option<_>, _>("kinds")?.unwrap_or_default();
        let columns = names.into_iter().zip(kinds).map(|(name, kind)| Column { name, kind }).collect();
        let key = row.try_get::<Option<_>, _>("key")?.unwrap_or_default();
        Ok(Found { name: row.try_get("name")?, columns, key })
    });
    found.collect()
}

/// All rows of a table, in the order of its key, as they come.
pub async fn copy_out<'c>(db: &'c mut PgConnection, table: &Found) -> sqlx::Result<BoxStream<'c, sqlx::Result<bytes::Bytes>>> {
    let columns = table.columns.iter().map(|column| {
        let elsewhere = ELSEWHERE.iter().find(|(name, of, _)| (*name, *of) == (table.name.as_str(), column.name.as_str()));
        elsewhere.map_or_else(|| quoted(&column.name), |(_, _, value)| (*value).to_owned())
    });
    let (columns, from) = (listed(columns), quoted(&table.name));
    let order =
        if table.key.is_empty() { String::new() } else { format!(" ORDER BY {}", listed(table.key.iter().map(|c| quoted(c)))) };
    db.copy_out_raw(&format!("COPY (SELECT {columns} FROM {from}{order}) TO STDOUT (FORMAT binary)")).await
}

/// Where every sequence stands.
pub async fn sequences(db: &mut PgConnection) -> sqlx::Result<Vec<Sequence>> {
    let names: Vec<String> = sqlx::query_scalar(
        "SELECT relname::text FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'S' ORDER BY relname",
    )
    .fetch_all(&mut *db)
    .await?;
    let mut sequences = Vec::with_capacity(names.len());
    for name in names {
        let from = AssertSqlSafe(format!("SELECT last_value, is_called FROM {}", quoted(&name)));
        let (last, is_called) = sqlx::query_as(from).fetch_one(&mut *db).await?;
        sequences.push(Sequence { name, last, is_called });
    }
    Ok(sequences)
}

/// What was applied, the oldest first; nothing where there is no table of it.
pub async fn applied(db: &mut PgConnection) -> sqlx::Result<Vec<Migration>> {
    if !is_there(db, APPLIED).await? {
        return Ok(Vec::new());
    }
    let rows = sqlx::query_as::<_, (i64, String)>(
        "SELECT version, encode(checksum, 'hex') FROM _sqlx_migrations WHERE success ORDER BY version",
    );
    let rows = rows.fetch_all(db).await?;
    Ok(rows.into_iter().map(|(version, checksum)| Migration { version, checksum }).collect())
}

/// What this binary would apply.
pub fn known() -> Vec<Migration> {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    MIGRATIONS.iter().map(|known| Migration { version: known.version, checksum: hex(&known.checksum) }).collect()
}

/// The volume of this database's files; none where no node has started on it.
pub async fn volume(db: &mut PgConnection) -> sqlx::Result<Option<VolumeId>> {
    if !is_there(db, "file_volumes").await? {
        return Ok(None);
    }
    let id: Option<Uuid> = sqlx::query_scalar("SELECT id FROM file_volumes").fetch_optional(db).await?;
    Ok(id.map(VolumeId))
}

/// Makes it another one.
pub async fn set_volume(db: &mut PgConnection, volume: VolumeId) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM file_volumes").execute(&mut *db).await?;
    sqlx::query("INSERT INTO file_volumes (id) VALUES ($1)").bind(volume.0).execute(db).await.map(drop)
}

/// Files after one, in the order of apps and blobs.
pub async fn files(db: &mut PgConnection, after: (AppId, BlobId), rows: i64) -> sqlx::Result<Vec<Entry>> {
    let query = sqlx::query_as::<_, (Uuid, Uuid, i64, Vec<u8>, Vec<u8>)>(
        "SELECT app_id, blob_id, size_bytes, sha256, pieces_sha256 FROM files
         WHERE (app_id, blob_id) > ($1, $2) ORDER BY app_id, blob_id LIMIT $3",
    );
    let rows = query.bind(after.0.0).bind(after.1.0).bind(rows).fetch_all(db).await?;
    let entries = rows.into_iter().map(|(app, id, size_bytes, sha256, pieces_sha256)| {
        let sha256 = sha256.as_slice().try_into().map_err(|_| super::unreadable("sha256", sha256.len()))?;
        let size_bytes = super::natural("size_bytes", size_bytes)?;
        Ok(Entry { app: AppId(app), blob: Blob { id: BlobId(id), size_bytes, sha256, pieces_sha256 } })
    });
    entries.collect()
}

/// The ids of the master keys that secrets are locked with, and how many secrets there are.
pub async fn locked(db: &mut PgConnection) -> sqlx::Result<(Vec<String>, u64)> {
    if !is_there(db, "data_keys").await? {
        return Ok((Vec::new(), 0));
    }
    let keys = sqlx::query_scalar("SELECT DISTINCT master_key_id FROM data_keys ORDER BY master_key_id");
    let keys = keys.fetch_all(&mut *db).await?;
    let secrets: i64 = sqlx::query_scalar("SELECT count(*) FROM secrets").fetch_one(db).await?;
    Ok((keys, super::natural("count", secrets)?))
}

/// Major and minor version of the server.
pub async fn server_version(db: &mut PgConnection) -> sqlx::Result<String> {
    sqlx::query_scalar("SELECT current_setting('server_version')").fetch_one(db).await
}

/// Whether somebody else of ours is connected: a node, or a command.
pub async fn others(db: &mut PgConnection) -> sqlx::Result<bool> {
    let others = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM pg_stat_activity
                        WHERE datname = current_database() AND application_name LIKE 'picloud%' AND pid <> pg_backend_pid())",
    );
    others.fetch_one(db).await
}

/// What is in the database.
pub async fn holds(db: &mut PgConnection) -> sqlx::Result<Holds> {
    let tables = tables(db).await?;
    if !is_there(db, APPLIED).await? {
        return Ok(if tables.is_empty() { Holds::Nothing } else { Holds::Foreign });
    }
    for table in tables.iter().filter(|table| !FRESH.contains(&table.name.as_str())) {
        let any = AssertSqlSafe(format!("SELECT EXISTS (SELECT FROM {})", quoted(&table.name)));
        if sqlx::query_scalar(any).fetch_one(&mut *db).await? {
            return Ok(Holds::Instance);
        }
    }
    Ok(Holds::Fresh)
}

/// Drops what migrations have made, with all that is in it.
pub async fn clear(db: &mut PgConnection) -> sqlx::Result<()> {
    let mut names: Vec<String> = tables(db).await?.into_iter().map(|table| table.name).collect();
    if is_there(db, APPLIED).await? {
        names.push(APPLIED.to_owned());
    }
    if !names.is_empty() {
        run(db, &format!("DROP TABLE {} CASCADE", listed(names.iter().map(|name| quoted(name))))).await?;
    }
    let routines: Vec<String> = sqlx::query_scalar(
        "SELECT p.oid::regprocedure::text FROM pg_proc p
         WHERE p.pronamespace = current_schema()::regnamespace
           AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')",
    )
    .fetch_all(&mut *db)
    .await?;
    for routine in routines {
        // An earlier one may have taken it along.
        run(db, &format!("DROP ROUTINE IF EXISTS {routine} CASCADE")).await?;
    }
    Ok(())
}

/// Applies what is missing up to a version, in the transaction of the connection.
pub async fn migrate_to(db: &mut PgConnection, version: i64) -> Result<()> {
    let known = MIGRATIONS.iter().filter(|known| known.version <= version).cloned().collect();
    let done = Migrator::with_migrations(known).run_direct(None, db, false).await;
    done.map_err(|error: MigrateError| {
        let message = format!("the schema of the backup cannot be made: {error}");
        Error { source: Some(Box::new(error)), ..Error::new(Kind::Internal, "internal", message) }
    })
}

/// Empties all tables and has no trigger of ours act: what they would do is in the rows that come.
pub async fn begin_loading(db: &mut PgConnection) -> sqlx::Result<Vec<Found>> {
    let tables = tables(db).await?;
    for table in &tables {
        run(db, &format!("ALTER TABLE {} DISABLE TRIGGER USER", quoted(&table.name))).await?;
    }
    if !tables.is_empty() {
        run(db, &format!("TRUNCATE {}", listed(tables.iter().map(|table| quoted(&table.name))))).await?;
    }
    Ok(tables)
}

/// Tables in an order in which each comes after those that its rows refer to. What is checked at the end of a transaction only orders
/// nothing.
pub async fn loading_order(db: &mut PgConnection) -> Result<Vec<String>> {
    let edges: Vec<(String, String)> = sqlx::query_as(
        "SELECT f.relname::text, t.relname::text
         FROM pg_constraint c JOIN pg_class f ON f.oid = c.conrelid JOIN pg_class t ON t.oid = c.confrelid
         WHERE c.contype = 'f' AND NOT c.condeferrable AND c.conrelid <> c.confrelid
           AND c.connamespace = current_schema()::regnamespace",
    )
    .fetch_all(&mut *db)
    .await?;
    let names: Vec<String> = tables(db).await?.into_iter().map(|table| table.name).collect();
    order(names, &edges).ok_or_else(|| Error::internal("tables refer to each other in a circle"))
}

fn order(names: Vec<String>, edges: &[(String, String)]) -> Option<Vec<String>> {
    let mut waiting: BTreeMap<&str, BTreeSet<&str>> = names.iter().map(|name| (name.as_str(), BTreeSet::new())).collect();
    for (from, to) in edges {
        waiting.get_mut(from.as_str())?.insert(to);
    }
    let mut ordered: Vec<String> = Vec::with_capacity(names.len());
    while !waiting.is_empty() {
        let next = waiting.iter().find(|(_, needs)| !needs.iter().any(|need| waiting.contains_key(need)))?.0.to_string();
        waiting.remove(next.as_str());
        ordered.push(next);
    }
    Some(ordered)
}

/// Adds rows that [`copy_out`] gave; how many. A statement of their own: what it has to check is not gathered for all of the table.
pub async fn load(db: &mut PgConnection, table: &str, columns: &[Column], rows: &[u8]) -> sqlx::Result<u64> {
    let columns = listed(columns.iter().map(|column| quoted(&column.name)));
    let mut copy = db.copy_in_raw(&format!("COPY {} ({columns}) FROM STDIN (FORMAT binary)", quoted(table))).await?;
    copy.send(super::copy::header()).await?;
    for piece in rows.chunks(limits::COPY_CHUNK_BYTES) {
        copy.send(piece).await?;
    }
    copy.send(&super::copy::END[..]).await?;
    copy.finish().await
}

/// Has what was put off checked, triggers act again, and sequences go on where they were.
pub async fn end_loading(db: &mut PgConnection, tables: &[Found], sequences: &[Sequence]) -> sqlx::Result<()> {
    run(db, "SET CONSTRAINTS ALL IMMEDIATE").await?;
    for table in tables {
        run(db, &format!("ALTER TABLE {} ENABLE TRIGGER USER", quoted(&table.name))).await?;
    }
    for Sequence { name, last, is_called } in sequences {
        let set = sqlx::query("SELECT setval(format('%I', $1::text)::regclass, $2, $3)");
        set.bind(name).bind(last).bind(is_called).execute(&mut *db).await?;
    }
    Ok(())
}

/// Has the planner know what came.
pub async fn analyze(db: &mut PgConnection) -> sqlx::Result<()> {
    run(db, "ANALYZE").await
}

async fn is_there(db: &mut PgConnection, table: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar("SELECT to_regclass(format('%I.%I', current_schema(), $1::text)) IS NOT NULL")
        .bind(table)
        .fetch_one(db)
        .await
}

async fn run(db: &mut PgConnection, statement: &str) -> sqlx::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(db).await.map(drop)
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn listed(names: impl Iterator<Item = String>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_an_identifier_whatever_is_in_it() {
        assert_eq!(quoted("users"), "\"users\"");
        assert_eq!(quoted("a\"; DROP TABLE x --"), "\"a\"\"; DROP TABLE x --\"");
    }

    #[test]
    fn a_table_comes_after_those_that_it_refers_to() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let edges = |edges: &[(&str, &str)]| edges.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect::<Vec<_>>();
        let ordered = order(names(&["a", "b", "c", "d"]), &edges(&[("a", "b"), ("b", "d"), ("a", "d")])).unwrap();
        assert_eq!(ordered, ["c", "d", "b", "a"]);
        assert_eq!(order(names(&["a", "b"]), &edges(&[("a", "b"), ("b", "a")])), None);
    }
}
