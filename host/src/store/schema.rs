//! The schema: the migrations, embedded, and which binaries may run beside one another.

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{PgConnection, PgPool};

use crate::error::{Error, Kind, Result};

/// A new file is seen by the next build only because `build.rs` watches their directory.
pub(super) static MIGRATIONS: Migrator = sqlx::migrate!("../migrations");

/// What a database says of its schema.
struct Compat {
    /// The newest migration that is there.
    schema: i64,
    /// The picloud that brought it.
    version: String,
    /// The oldest schema whose binaries may run beside it.
    oldest: i64,
}

/// The number of the newest migration this binary knows.
pub fn schema_version() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0)
}

/// Brings the database to this binary's schema; safe for several nodes at once (the migrator takes a lock). A database that is
/// further is used as it is, if it says that this schema may run beside its own: so nodes are replaced one after the other, and an older
/// one starts anew meanwhile.
///
/// # Errors
/// Nothing was changed: the database is too far, or an applied migration reads differently here.
pub async fn migrate(db: &PgPool) -> Result<()> {
    let done = match MIGRATIONS.run(db).await {
        Err(MigrateError::VersionMissing(version)) => return beside_newer(db, version).await,
        done => done,
    };
    done.map_err(|error| {
        let message = match &error {
            MigrateError::VersionMismatch(version) => {
                format!("migration {version} in the database is not the one this picloud has: start the build that made it, or give this one another database or data directory")
            }
            other => format!("the database cannot be migrated: {other}"),
        };
        Error { source: Some(Box::new(error)), ..Error::new(Kind::Internal, "internal", message) }
    })?;
    note(&mut *db.acquire().await?).await?;
    Ok(())
}

/// For a binary that does not know migration `unknown`, which the database has.
async fn beside_newer(db: &PgPool, unknown: i64) -> Result<()> {
    let own = schema_version();
    let compat = compat(&mut *db.acquire().await?).await.unwrap_or(None);
    match compat {
        Some(Compat { schema, version, oldest }) if oldest <= own => {
            let mut known = Migrator::with_migrations(MIGRATIONS.iter().cloned().collect());
            known.set_ignore_missing(true);
            known.run(db).await.map_err(Error::internal)?;
            tracing::warn!(
                schema,
                own,
                "the database was brought further by picloud {version}, beside which this one may run: replace it soon"
            );
            Ok(())
        }
        Some(Compat { schema, version, oldest }) => Err(refused(&format!(
            "the database is of picloud {version} (schema {schema}), which runs beside schema {oldest} and newer; this is picloud {} (schema {own}): start {version}",
            env!("CARGO_PKG_VERSION")
        ))),
        None => Err(refused(&format!(
            "the database is of a newer picloud (it has migration {unknown}, which this one, picloud {}, does not know): start that version",
            env!("CARGO_PKG_VERSION")
        ))),
    }
}

fn refused(why: &str) -> Error {
    Error::new(Kind::Internal, "internal", format!("{why}, or give this one another database or data directory"))
}

async fn compat(db: &mut PgConnection) -> sqlx::Result<Option<Compat>> {
    sqlx::query_as!(Compat, "SELECT schema, version, oldest FROM schema_compat").fetch_optional(db).await
}

/// Notes who brought the schema, once for each.
async fn note(db: &mut PgConnection) -> sqlx::Result<()> {
    let (own, version) = (schema_version(), env!("CARGO_PKG_VERSION"));
    sqlx::query!("UPDATE schema_compat SET schema = $1, version = $2 WHERE schema < $1", own, version).execute(db).await.map(drop)
}
