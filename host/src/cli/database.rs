//! Which database a node uses, and that it answers: the private one, or the one of `DATABASE_URL`.

use std::path::Path;
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection as _, PgPool};

use super::failure::{Exit, Failure, Result, chain};
use super::terminal::say;
use crate::config::Settings;
use crate::{limits, postgres, store};

const RETRY: Duration = Duration::from_millis(500);

/// The choice.
#[derive(Debug)]
pub(super) enum Source {
    Embedded,
    External(Box<PgConnectOptions>),
}

/// A choice that can be carried out, as far as can be known without changing anything.
#[derive(Debug)]
pub(super) enum Plan {
    Embedded(postgres::Plan),
    External(Box<PgConnectOptions>),
    /// The private one of a node that runs.
    Running(Box<PgConnectOptions>),
}

/// A database with its pool; the private PostgreSQL with it, when there is one.
#[derive(Debug)]
pub(super) struct Database {
    pub(super) pool: PgPool,
    pub(super) server: Option<postgres::Server>,
    /// For people: never holds a password.
    pub(super) shown: String,
}

/// `DATABASE_URL` where it is set; otherwise, or when asked for, the private one.
pub(super) fn choose(settings: &Settings, embedded: bool) -> Result<Source> {
    let url = settings.database_url.as_deref().map(str::trim).filter(|url| !url.is_empty() && !embedded);
    let Some(url) = url else { return Ok(Source::Embedded) };
    match url.parse() {
        Ok(options) if url.starts_with("postgres://") || url.starts_with("postgresql://") => {
            Ok(Source::External(Box::new(options)))
        }
        _ => Err(Failure::new(
            Exit::Usage,
            "DATABASE_URL is no PostgreSQL URL; write postgres://user:password@host:5432/database, or unset it for the private one",
        )),
    }
}

/// Judges what a private PostgreSQL needs.
pub(super) fn plan(source: Source, data_dir: &Path, settings: &Settings) -> Result<Plan> {
    Ok(match source {
        Source::External(options) => Plan::External(options),
        Source::Embedded => Plan::Embedded(postgres::plan(postgres::Options {
            data_dir: data_dir.to_owned(),
            binaries: settings.postgres_bin.clone(),
            connections_max: limits::DATABASE_CONNECTIONS_MAX
                + limits::DATABASE_SCRIPT_CONNECTIONS_MAX
                + limits::DATABASE_CONNECTIONS_SPARE,
        })?),
    })
}

/// What becomes of the schema that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Schema {
    Brought,
    Left,
}

/// Starts or reaches the database and brings it to this binary's schema.
pub(super) async fn open(plan: Plan) -> Result<Database> {
    open_with(plan, Schema::Brought).await
}

/// Starts or reaches the database and leaves it as it is, whatever its schema.
pub(super) async fn open_as_it_is(plan: Plan) -> Result<Database> {
    open_with(plan, Schema::Left).await
}

async fn open_with(plan: Plan, schema: Schema) -> Result<Database> {
    let (options, server, shown) = match plan {
        Plan::External(options) => {
            let shown = describe(&options);
            reach(&options, &shown).await?;
            (*options, None, shown)
        }
        Plan::Running(options) => (*options, None, "the private PostgreSQL of the node that runs".to_owned()),
        Plan::Embedded(plan) => {
            let server = postgres::start(plan, say).await?;
            let shown = format!("private PostgreSQL {}", server.binaries().version);
            (server.connect_options(), Some(server), shown)
        }
    };
    let opened = async {
        let pool = store::connect(options).await?;
        if schema == Schema::Brought {
            store::migrate(&pool).await?;
        }
        Ok(pool)
    };
    match opened.await {
        Ok(pool) => Ok(Database { pool, server, shown }),
        Err(error) => {
            if let Some(server) = server {
                server.stop().await;
            }
            Err(Failure::of(Exit::Database, &shown, &error))
        }
    }
}

impl Database {
    /// Whether this node is the only one that can use it.
    pub(super) fn is_private(&self) -> bool {
        self.server.is_some()
    }

    /// Resolves when the private PostgreSQL ended by itself; never for an external one, which may come back.
    pub(super) async fn lost(&self) -> String {
        match &self.server {
            Some(server) => server.ended().await,
            None => std::future::pending().await,
        }
    }

    /// Closes the pool, then ends the private PostgreSQL: the order that loses nothing.
    pub(super) async fn close(self) {
        // A listener may hold its connection a moment longer than it should; PostgreSQL cuts it off.
        let _ = tokio::time::timeout(Duration::from_millis(limits::POSTGRES_STOP_IMMEDIATE_MS), self.pool.close()).await;
        if let Some(server) = self.server {
            server.stop().await;
        }
    }
}

/// One connection, for a clear word on what is wrong before there is a pool. A database that is only starting is waited for; one that
/// says nothing at all is not.
async fn reach(options: &PgConnectOptions, shown: &str) -> Result<()> {
    let within = Duration::from_millis(limits::DATABASE_CONNECT_MS);
    match tokio::time::timeout(within * 2, reached(options, shown)).await {
        Ok(reached) => reached,
        Err(_) => {
            let message =
                format!("{shown} does not answer; check DATABASE_URL, and what stands between this machine and that one");
            Err(Failure::new(Exit::Database, message))
        }
    }
}

async fn reached(options: &PgConnectOptions, shown: &str) -> Result<()> {
    let began = Instant::now();
    let mut said = false;
    loop {
        match PgConnection::connect_with(options).await {
            Ok(connection) => {
                let version = connection.server_version_num();
                let _ = connection.close().await;
                return check_version(version, shown);
            }
            Err(error) if may_pass(&error) && began.elapsed() < Duration::from_millis(limits::DATABASE_CONNECT_MS) => {
                if !said {
                    said = true;
                    say(&format!("waiting for {shown}: {}", chain(&error)));
                }
                tokio::time::sleep(RETRY).await;
            }
            Err(error) => {
                return Err(Failure::new(Exit::Database, format!("{shown}: {}; check DATABASE_URL", chain(&error))));
            }
        }
    }
}

/// `140003` is version 14.3.
fn check_version(number: Option<u32>, shown: &str) -> Result<()> {
    match number.map(|number| number / 10_000) {
        Some(major) if major < limits::POSTGRES_MAJOR_MIN => Err(Failure::new(
            Exit::Database,
            format!("{shown} is PostgreSQL {major}; version {} or newer is needed", limits::POSTGRES_MAJOR_MIN),
        )),
        _ => Ok(()),
    }
}

/// Refused and "starting up" pass; a wrong password or name does not.
fn may_pass(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(error) => error.kind() != std::io::ErrorKind::PermissionDenied,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| code == "57P03" || code == "53300"),
        _ => false,
    }
}

fn describe(options: &PgConnectOptions) -> String {
    let host = options
        .get_socket()
        .map_or_else(|| format!("{}:{}", options.get_host(), options.get_port()), |dir| dir.display().to_string());
    format!("PostgreSQL at {host}/{}", options.get_database().unwrap_or_else(|| options.get_username()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        let options: PgConnectOptions = "postgres://ada:s3cret@db.lan:6543/cloud".parse().unwrap();
        assert_eq!(describe(&options), "PostgreSQL at db.lan:6543/cloud");
    }

    #[test]
    fn an_old_server_is_refused() {
        assert!(check_version(Some(130_011), "x").is_err());
        for fine in [Some(140_000), Some(180_001), None] {
            assert!(check_version(fine, "x").is_ok());
        }
    }
}
