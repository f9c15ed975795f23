//! The one home of SQL: free functions on `&mut PgConnection`, one file per table. Absent is `Ok(None)`; time and ids are
//! arguments. Transactions that write begin and end in `service`; how one begins is worded here.
//!
//! Queries are checked against a database when they are compiled, or against `.sqlx` where there is none;
//! `host/sqlx-prepare.sh` writes that directory and must be run after a query or a migration has changed.
//! Functions give `sqlx::Error` as it is; `refusal` says what a violated constraint means to a caller.

use std::time::Duration;

use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgDatabaseError, PgPoolOptions};
use sqlx::{Connection, PgConnection, PgPool, Postgres, Transaction};

use crate::error::{Error, Result};
use crate::limits;
use crate::unstoppable::Unstoppable;

pub mod apps;
pub mod archive;
pub mod audit;
pub mod backup;
mod cable;
mod copy;
pub mod data_keys;
pub mod dead_letters;
pub mod deliveries;
pub mod deployments;
pub mod docs;
pub mod domains;
pub mod events;
pub mod executions;
pub mod files;
pub mod follow;
pub mod health;
pub mod idempotency;
pub mod images;
pub mod imports;
pub mod keys;
pub mod kv;
pub mod logs;
pub mod members;
pub mod nodes;
pub mod pipeline;
pub mod queues;
pub mod reach;
pub mod routes;
pub mod routing;
mod schema;
mod script_db;
pub mod scripts;
pub mod secrets;
pub mod sessions;
pub mod signals;
pub mod slugs;
pub mod snapshots;
pub mod splits;
pub mod storage;
pub mod subscriber_tokens;
pub mod topics;
pub mod triggers;
pub mod usage;
pub mod users;

pub use self::schema::{migrate, schema_version};
pub use self::script_db::{Lent, ScriptDb};

/// What is done whole or not at all.
pub type Tx = Transaction<'static, Postgres>;

/// How statements are planned. A plan is kept for a connection's life, and tables of the pipeline are empty at one moment and large
/// at the next: a plan that reads an empty table whole, because that is cheapest, then costs by all that waits. Where there is no index
/// a table is still read whole, at a price that must not call for compilation.
const PLANNING: [(&str, &str); 2] = [("enable_seqscan", "off"), ("jit", "off")];

/// A pool of at most `DATABASE_CONNECTIONS_MAX` connections. Connects once, so that a wrong address is known at the start;
/// an idle pool makes no queries.
pub async fn connect(options: PgConnectOptions) -> Result<PgPool> {
    let options = options.application_name("picloud").options(PLANNING).options(cable::of_session());
    Ok(pool(&options, limits::DATABASE_CONNECTIONS_MAX).connect_with(options).await?)
}

/// A pool of the same database for what scripts do, with statements bounded in time. Connects when it is first used.
///
/// A call that its deadline ends leaves its connection busy until the database has answered; in a pool of their own
/// such connections take nothing from the platform.
pub fn for_scripts(db: &PgPool) -> ScriptDb {
    let statement_ms = limits::DATABASE_SCRIPT_STATEMENT_MS.to_string();
    let options = PgConnectOptions::clone(&db.connect_options());
    let options = options.application_name("picloud scripts").options([("statement_timeout", statement_ms)]);
    ScriptDb::of(pool(&options, limits::DATABASE_SCRIPT_CONNECTIONS_MAX).connect_lazy_with(options))
}

fn pool(options: &PgConnectOptions, connections_max: u32) -> PgPoolOptions {
    let by_file = options.get_socket().is_some() || options.get_host().starts_with('/');
    let port = (!by_file).then(|| options.get_port());
    PgPoolOptions::new()
        .max_connections(connections_max)
        .acquire_timeout(Duration::from_millis(limits::DATABASE_ACQUIRE_MS))
        .after_connect(move |_, _| {
            if let Some(Err(error)) = port.map(cable::watch) {
                tracing::warn!(%error, "the connections to the database cannot be watched: one that is cut is noticed late");
            }
            Box::pin(async { Ok(()) })
        })
        // A ping before every use would double the round trips of a busy node: only a connection in doubt is tried.
        .test_before_acquire(false)
        .before_acquire(move |connection, meta| {
            Box::pin(async move {
                if reach::is_doubtful(meta.idle_for) {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
}

/// A transaction, rolled back wherever it is dropped.
///
/// sqlx 0.9.0 leaves a transaction whose beginning was dropped open on its connection, and whoever gets that next writes into it
/// (transact-rs/sqlx#4385). So a beginning is never dropped: it comes to its end without its caller, and is rolled back then.
pub async fn begin(db: &PgPool) -> sqlx::Result<Tx> {
    let db = db.clone();
    begun(async move { db.begin().await }).await
}

/// The same; its commit does not wait for the disk. For what a crash may undo.
pub async fn begin_relaxed(db: &PgPool) -> sqlx::Result<Tx> {
    let db = db.clone();
    begun(async move { db.begin_with("BEGIN; SET LOCAL synchronous_commit = off").await }).await
}

/// To read from: between two of its queries nothing changes.
pub async fn begin_snapshot(db: &PgPool) -> sqlx::Result<Tx> {
    let db = db.clone();
    // It holds no lock, and may wait for whoever takes what was read.
    let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL idle_in_transaction_session_timeout = 0";
    begun(async move { db.begin_with(begin).await }).await
}

/// From here on the transaction may rest for as long as whoever it waits for takes: who sends what it writes, or a disk that is written to
/// meanwhile. Those have bounds of their own.
pub async fn allow_rest(db: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query("SET LOCAL idle_in_transaction_session_timeout = 0").execute(db).await.map(drop)
}

/// A part of a transaction that can be undone without the rest; undone wherever it is dropped.
pub async fn savepoint(tx: &mut Tx) -> sqlx::Result<Transaction<'_, Postgres>> {
    sqlx::Acquire::begin(tx).await
}

/// From here on the transaction waits a few seconds for whoever holds what it needs, and then fails (`overloaded`): for what people
/// change, where a long import may be in the way.
pub async fn wait_briefly(db: &mut PgConnection) -> sqlx::Result<()> {
    let wait_ms = limits::DATABASE_LOCK_WAIT_MS;
    sqlx::query("SELECT set_config('lock_timeout', $1, true)").bind(wait_ms.to_string()).execute(db).await.map(drop)
}

async fn begun(begin: impl Future<Output = sqlx::Result<Tx>> + Send + 'static) -> sqlx::Result<Tx> {
    Unstoppable::new(begin).await.unwrap_or(Err(sqlx::Error::WorkerCrashed))
}

/// Whether the transaction was ended because it and others waited for each other: it may be done again.
pub fn is_deadlock(error: &Error) -> bool {
    is_state(error, "40P01")
}

/// Whether a row of that key was there already.
pub fn is_taken(error: &Error) -> bool {
    is_state(error, "23505")
}

/// Whether PostgreSQL gave that SQLSTATE as the cause.
fn is_state(error: &Error, state: &str) -> bool {
    let cause = error.source.as_ref().and_then(|cause| cause.downcast_ref::<sqlx::Error>());
    cause.and_then(sqlx::Error::as_database_error).and_then(|error| error.code()).as_deref() == Some(state)
}

/// What a failed write means to its caller: the constraints that outside input can violate, by name; anything else is ours.
pub fn refusal(error: sqlx::Error) -> Error {
    let Some(constraint) = error.as_database_error().and_then(|e| e.constraint()) else { return error.into() };
    let taken = |what: &str, field: &str| Error::conflict(format!("there is already {what}"), json!({ "field": field }));
    match constraint {
        "users_username_key" => taken("a user of this name", "username"),
        "apps_slug_key" => taken("an app with this slug", "slug"),
        "scripts_app_id_name_key" => taken("a script of this name in the app", "name"),
        "routes_pattern_key" => taken("a route for this host, path and method", "path"),
        "scripts_app_id_fkey"
        | "kv_entries_app_id_fkey"
        | "documents_app_id_fkey"
        | "files_app_id_fkey"
        | "events_app_id_fkey"
        | "outbox_app_id_fkey"
        | "queue_keys_app_id_fkey"
        | "members_app_id_fkey"
        | "api_keys_app_id_fkey"
        | "secrets_app_id_fkey"
        | "registered_topics_app_id_fkey"
        | "subscriber_tokens_app_id_fkey" => Error::not_found("app"),
        "members_user_id_fkey" | "api_keys_user_id_fkey" => Error::not_found("user"),
        "routes_script_fkey" | "script_versions_script_fkey" | "triggers_script_fkey" => Error::not_found("script"),
        "images_script_version_fkey" => Error::not_found("version"),
        "storage_use_data_bytes_check" => crate::model::storage::data_full(exceeded(&error)),
        "storage_use_file_bytes_check" => crate::model::storage::files_full(exceeded(&error)),
        _ => error.into(),
    }
}

/// The quota that a write would have exceeded: the database tells it with its refusal.
fn exceeded(error: &sqlx::Error) -> u64 {
    let refusal = error.as_database_error().and_then(|error| error.try_downcast_ref::<PgDatabaseError>());
    refusal.and_then(PgDatabaseError::detail).and_then(|bound| bound.parse().ok()).unwrap_or_default()
}

/// Whether the database ended the statement at its bound of time.
pub fn is_out_of_time(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|e| e.code()).is_some_and(|code| code == "57014")
}

/// Reads a word that a CHECK constraint vouches for.
fn word<T>(column: &'static str, value: &str, parse: impl FnOnce(&str) -> Option<T>) -> sqlx::Result<T> {
    parse(value).ok_or_else(|| unreadable(column, value))
}

/// Reads a number that is never negative.
fn natural<T, U>(column: &'static str, value: T) -> sqlx::Result<U>
where
    T: Copy + std::fmt::Display,
    U: TryFrom<T>,
{
    U::try_from(value).map_err(|_| unreadable(column, value))
}

fn unreadable(column: &'static str, value: impl std::fmt::Display) -> sqlx::Error {
    sqlx::Error::ColumnDecode { index: column.to_owned(), source: format!("{value} is none of its values").into() }
}
