//! The private PostgreSQL: made, started and stopped with this process, data kept.
//!
//! `binaries` finds an installed PostgreSQL; `account` decides whom it runs as (PostgreSQL refuses root); `directory`
//! judges and makes its data directory; `settings` tunes it for small boards; `socket` gives it a private place to
//! listen, the only one; `process` keeps the child.
//!
//! In the data directory: `postgres/` is PostgreSQL's own; `postgresql.conf` and `pg_hba.conf` are written anew at
//! each start; `postgresql.local.conf`, where it exists, is the owner's and has the last word.
//!
//! Invariants: the caller holds the data directory's lock. A directory that is not ours, or not whole, is refused and
//! left as it is. When started as root, nothing is written as root below `postgres/`: its owner could have put a link there.
//!
//! Crashes: a kill during `initdb` leaves `postgres.new/`, which the next start removes. A kill of this process, even
//! SIGKILL, makes the kernel send the child SIGINT: a fast, clean shutdown, which the next start waits for. A power cut
//! is PostgreSQL's own recovery (`fsync` is on).

mod account;
mod binaries;
mod directory;
mod process;
mod settings;
mod socket;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};

use crate::limits;

pub use account::Account;
pub use binaries::Binaries;

use process::Process;

/// PostgreSQL's own directory in the data directory.
const HOME: &str = "postgres";
/// The role that owns everything in the private PostgreSQL.
const ROLE: &str = "picloud";
/// `initdb` makes it, and nothing else lives in this PostgreSQL.
const DATABASE: &str = "postgres";
/// Names the socket's file; nothing listens on a network port.
const PORT: u16 = 5432;

const POLL: Duration = Duration::from_millis(5);
const PROGRESS_EVERY: Duration = Duration::from_secs(5);

/// One line that says what is wrong and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The data directory is foreign, damaged or out of reach.
    #[error("{0}")]
    Directory(String),
    /// PostgreSQL is not installed, or does not start.
    #[error("{0}")]
    Server(String),
}

/// What to start.
#[derive(Debug, Clone)]
pub struct Options {
    /// PiCloud's data directory.
    pub data_dir: PathBuf,
    /// Where `initdb` and `postgres` are, when not where they usually are.
    pub binaries: Option<PathBuf>,
    /// Connections that clients may hold.
    pub connections_max: u32,
}

/// What a start will do, as far as it can be known without changing anything.
#[derive(Debug)]
pub struct Plan {
    options: Options,
    found: Option<directory::Found>,
    account: Option<Account>,
    binaries: Binaries,
}

/// A running private PostgreSQL. Dropped without `stop`, it is told to end and not waited for.
#[derive(Debug)]
pub struct Server {
    process: Process,
    socket_dir: PathBuf,
    binaries: Binaries,
}

/// Whom PostgreSQL runs as when this process is root and there is no data yet; `None` when it runs as ourselves.
///
/// # Errors
/// `Server` when root has no unprivileged user to hand over to.
pub fn account() -> Result<Option<Account>, Error> {
    account::choose(None)
}

/// The newest usable PostgreSQL of this machine.
///
/// # Errors
/// `Server` when there is none.
pub fn find(binaries: Option<&Path>) -> Result<Binaries, Error> {
    binaries::find(binaries, None, account::choose(None)?.as_ref())
}

/// Whether `account` can pass through `dir`, or through the nearest directory above it that exists.
pub fn can_reach(account: &Account, dir: &Path) -> bool {
    account::can_reach(account, dir)
}

/// Judges the machine and the data directory, which need not exist yet. Changes nothing.
///
/// # Errors
/// `Directory` or `Server`: why a start cannot succeed.
pub fn plan(options: Options) -> Result<Plan, Error> {
    let data_dir = &options.data_dir;
    let found = directory::inspect(&data_dir.join(HOME))?;
    let account = account::choose(found.as_ref().map(|found| found.owner))?;
    if let Some(account) = &account
        && !account::can_reach(account, data_dir)
    {
        return Err(Error::Directory(format!(
            "PostgreSQL runs as {}, who cannot reach {}; choose another place with PICLOUD_DATA_DIR (as root, {} is a good one)",
            account.name,
            data_dir.display(),
            crate::config::DATA_DIR_SYSTEM,
        )));
    }
    let binaries = binaries::find(options.binaries.as_deref(), found.as_ref().map(|found| found.major), account.as_ref())?;
    Ok(Plan { options, found, account, binaries })
}

/// Makes the database when there is none yet, starts PostgreSQL and waits until it answers. The data directory exists and
/// its lock is the caller's.
///
/// # Errors
/// `Directory` or `Server`, in one line; a directory that is not ours or not whole is left as it was.
pub async fn start(plan: Plan, progress: impl Fn(&str) + Send + Sync + 'static) -> Result<Server, Error> {
    let progress = std::sync::Arc::new(progress);
    let reporting = progress.clone();
    let prepared = tokio::task::spawn_blocking(move || prepare(plan, &*reporting))
        .await
        .map_err(|e| Error::Server(format!("preparing PostgreSQL failed: {e}")))??;
    let Prepared { launch, socket_dir, binaries, pid_file } = prepared;
    let process = Process::spawn(launch).await?;
    let server = Server { process, socket_dir, binaries };
    server.wait_until_ready(&pid_file, &*progress).await?;
    Ok(server)
}

/// How to connect to the PostgreSQL that another process runs in the data directory (an absolute path without links).
pub fn connect_options(data_dir: &Path) -> PgConnectOptions {
    connect_to(&socket::place(data_dir, PORT))
}

/// Over the private socket, as the owner of everything.
fn connect_to(socket_dir: &Path) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .host("localhost")
        .port(PORT)
        .socket(socket_dir)
        .username(ROLE)
        .database(DATABASE)
        .ssl_mode(PgSslMode::Disable)
}

impl Server {
    /// How to connect.
    pub fn connect_options(&self) -> PgConnectOptions {
        connect_to(&self.socket_dir)
    }

    /// Where the socket is, for `psql -h`.
    pub fn socket_dir(&self) -> &Path {
        &self.socket_dir
    }

    pub fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    /// Resolves when PostgreSQL ended by itself, with the reason that it gave.
    pub async fn ended(&self) -> String {
        self.process.ended().await
    }

    /// Ends PostgreSQL: fast, then at once, then by force. Clients should be gone before.
    pub async fn stop(self) {
        self.process.stop().await;
        socket::remove(&self.socket_dir);
    }

    async fn wait_until_ready(&self, pid_file: &Path, progress: &(dyn Fn(&str) + Send + Sync)) -> Result<(), Error> {
        let began = Instant::now();
        let mut said = began;
        loop {
            tokio::select! {
                reason = self.process.ended() => {
                    let home = pid_file.parent().unwrap_or(pid_file).display();
                    return Err(Error::Server(format!(
                        "PostgreSQL did not start: {reason}; if its data in {home} is damaged, restore it from a backup or move it away"
                    )));
                }
                () = tokio::time::sleep(POLL) => {}
            }
            // The file's word is cheap; the connection is the proof.
            if directory::is_ready(pid_file) {
                match PgConnection::connect_with(&self.connect_options()).await {
                    Ok(connection) => {
                        let _ = connection.close().await;
                        self.process.serves();
                        return Ok(());
                    }
                    Err(error) => tracing::debug!(%error, "PostgreSQL does not answer yet"),
                }
            }
            if began.elapsed() > Duration::from_millis(limits::POSTGRES_START_MS) {
                return Err(Error::Server(format!(
                    "PostgreSQL did not answer within {} s; what it said last: {}",
                    limits::POSTGRES_START_MS / 1000,
                    self.process.last_words()
                )));
            }
            if said.elapsed() > PROGRESS_EVERY {
                said = Instant::now();
                progress(&format!("PostgreSQL is recovering: {}", self.process.last_words()));
            }
        }
    }
}

struct Prepared {
    launch: process::Launch,
    socket_dir: PathBuf,
    binaries: Binaries,
    pid_file: PathBuf,
}

/// Everything up to the start of the server; blocks.
fn prepare(plan: Plan, progress: &(dyn Fn(&str) + Send + Sync)) -> Result<Prepared, Error> {
    let Plan { options, found, account, binaries } = plan;
    let data_dir = options.data_dir.canonicalize().map_err(|e| directory::unusable(&options.data_dir, &e))?;
    let home = data_dir.join(HOME);
    if found.is_none() {
        progress(&format!("creating a PostgreSQL {} database in {}", binaries.version, home.display()));
        directory::create(&home, &binaries, account.as_ref(), ROLE)?;
    } else {
        directory::wait_for_earlier(&home, progress)?;
    }
    let socket_dir = socket::prepare(&data_dir, account.as_ref(), PORT)?;
    let config_file = settings::write(&data_dir, &settings::Tuning::of_this_machine(options.connections_max), &socket_dir, PORT)?;
    progress(&format!("starting PostgreSQL {}", binaries.version));
    Ok(Prepared {
        pid_file: home.join(directory::PID_FILE),
        launch: process::Launch { program: binaries.postgres(), home, config_file, account },
        socket_dir,
        binaries,
    })
}
