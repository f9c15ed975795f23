//! The PostgreSQL server behind a test run, and one throw-away database per test.
//!
//! `PICLOUD_TEST_DATABASE_URL` names a server to use; without it each test process starts a private one in a temporary
//! directory. The private server hangs on a pipe that only this process holds: however the process ends, a small shell
//! sees the end of the pipe, stops the server and removes its files.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};

const OWNER: &str = "picloud";
const READY_WITHIN: Duration = Duration::from_secs(30);
const SUPERVISE: &str = r#"trap '' INT TERM HUP
"$1/postgres" -D "$2/data" -k "$2" -c listen_addresses='' -c fsync=off -c synchronous_commit=off \
    -c full_page_writes=off -c max_connections=200 -c shared_buffers=64MB -c logging_collector=off >"$2/log" 2>&1 &
server=$!
read -r _
kill -QUIT "$server"; wait "$server"
rm -rf "$2"
"#;

struct Cluster {
    /// `postgres://…/` without a database name.
    base: String,
    template: String,
    /// Held for its pipe; see the module's text.
    _supervisor: Option<Child>,
}

/// A database of one test, dropped with it.
pub(crate) struct Database {
    pub(crate) name: String,
}

impl Database {
    /// A copy of the migrated template.
    pub(crate) async fn create() -> Self {
        let cluster = tokio::task::spawn_blocking(cluster).await.expect("the cluster starts");
        let mut admin = administrator().await;
        // Made here and not from the clock: two processes may share a server.
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("t_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        run(&mut admin, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
        run(&mut admin, &format!("CREATE DATABASE {name} TEMPLATE {}", cluster.template)).await;
        Self { name }
    }

    pub(crate) fn url(&self) -> String {
        let (base, query) = split_query(&cluster().base);
        format!("{base}{}{query}", self.name)
    }

    /// A connection of the test's own, beside those of the server under test.
    pub(crate) async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.url()).await.expect("the test's database answers")
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        // The test's runtime may be on its way out: the drop brings its own.
        on_own_runtime(async move { run(&mut administrator().await, &statement).await });
    }
}

/// Runs one statement that takes no arguments.
pub(crate) async fn run(connection: &mut PgConnection, statement: &str) {
    sqlx::raw_sql(AssertSqlSafe(statement))
        .execute(&mut *connection)
        .await
        .unwrap_or_else(|error| panic!("{statement}: {error}"));
}

async fn administrator() -> PgConnection {
    let (base, query) = split_query(&cluster().base);
    PgConnection::connect(&format!("{base}postgres{query}")).await.expect("the test server answers")
}

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        super::log::install();
        let (base, supervisor) = match std::env::var("PICLOUD_TEST_DATABASE_URL") {
            Ok(url) => (without_database(&url), None),
            Err(_) => start(),
        };
        let template = on_own_runtime(make_template(base.clone()));
        Cluster { base, template, _supervisor: supervisor }
    })
}

/// Named by the migrations' content, so a kept server needs it once per schema.
async fn make_template(base: String) -> String {
    let template = format!("picloud_template_{}", schema_digest());
    let (base, query) = split_query(&base);
    let mut admin = PgConnection::connect(&format!("{base}postgres{query}")).await.expect("the test server answers");
    run(&mut admin, "SELECT pg_advisory_lock(7150225)").await;
    let there: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
        .bind(&template)
        .fetch_one(&mut admin)
        .await
        .expect("a catalogue");
    if !there {
        let draft = format!("{template}_draft");
        run(&mut admin, &format!("DROP DATABASE IF EXISTS {draft} WITH (FORCE)")).await;
        run(&mut admin, &format!("CREATE DATABASE {draft}")).await;
        super::app::migrate(&format!("{base}{draft}{query}")).await;
        run(&mut admin, &format!("ALTER DATABASE {draft} RENAME TO {template}")).await;
    }
    template
}

fn schema_digest() -> String {
    let mut files: Vec<PathBuf> = std::fs::read_dir(super::repository().join("migrations"))
        .expect("migrations/")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    let mut hasher = blake3::Hasher::new();
    for file in files {
        hasher.update(&std::fs::read(file).expect("a migration"));
    }
    hasher.finalize().to_hex()[..16].to_owned()
}

fn start() -> (String, Option<Child>) {
    let binaries = super::postgres_binaries().expect("PostgreSQL binaries (initdb, postgres): install the package `postgresql`");
    let root = tempfile::Builder::new().prefix("picloud-it-").tempdir_in("/tmp").expect("a directory").keep();
    let user = super::postgres_user();
    if let Some((uid, gid)) = user {
        std::os::unix::fs::chown(&root, Some(uid), Some(gid)).expect("chown");
    }
    let as_user = |command: &mut Command| {
        command.current_dir(&root);
        if let Some((uid, gid)) = user {
            command.uid(uid).gid(gid);
        }
    };
    let mut initdb = Command::new(binaries.join("initdb"));
    initdb.args(["--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync", "-U", OWNER, "-D"]).arg(root.join("data"));
    as_user(&mut initdb);
    let made = initdb.output().expect("initdb starts");
    assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));

    let mut supervisor = Command::new("sh");
    supervisor.args(["-c", SUPERVISE, "sh"]).arg(&binaries).arg(&root);
    // Its own group: a Ctrl-C meant for the tests ends them, and the pipe ends the server.
    supervisor.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    as_user(&mut supervisor);
    let supervisor = supervisor.spawn().expect("sh starts");
    wait_for_socket(&root);
    (format!("postgres://{OWNER}@localhost/?host={}", root.display()), Some(supervisor))
}

fn wait_for_socket(root: &Path) {
    let base = format!("postgres://{OWNER}@localhost/postgres?host={}", root.display());
    on_own_runtime(async move {
        let since = Instant::now();
        while let Err(error) = PgConnection::connect(&base).await {
            assert!(since.elapsed() < READY_WITHIN, "PostgreSQL does not answer: {error}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
}

/// `postgres://u@h/db?x` → `postgres://u@h/?x`.
fn without_database(url: &str) -> String {
    let (path, query) = split_query(url);
    let authority = path.find("://").map_or(0, |at| at + 3);
    let end = path[authority..].find('/').map_or(path.len(), |at| authority + at);
    format!("{}/{query}", &path[..end])
}

/// The query keeps its `?`.
fn split_query(url: &str) -> (&str, &str) {
    url.find('?').map_or((url, ""), |at| url.split_at(at))
}

fn on_own_runtime<T: Send>(work: impl Future<Output = T> + Send) -> T {
    std::thread::scope(|scope| {
        let ran = scope
            .spawn(|| tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(work))
            .join();
        ran.unwrap_or_else(|panic| {
            let _ = std::io::stderr().flush();
            std::panic::resume_unwind(panic)
        })
    })
}

#[test]
fn a_servers_address_is_found_in_any_database_url() {
    assert_eq!(without_database("postgres://u:p@h:5/db?a=b"), "postgres://u:p@h:5/?a=b");
    assert_eq!(without_database("postgres://h"), "postgres://h/");
}
