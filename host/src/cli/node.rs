//! One node: put together from the layers below, served until told to end, ended in order.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::backup;
use super::client::{Beside, Found};
use super::data_dir::{self, Access, DataDir};
use super::database::{self, Database, Source};
use super::failure::{Exit, Failure, Result, exit_of};
use super::listen::{Addresses, Listeners, ReadyFile, Serving};
use super::seed::{self, FirstStart, Owner, Visit};
use super::terminal::{print, say, table};
use super::walls;
use crate::clock::Clock;
use crate::config::{DATA_DIR_SYSTEM, Roles, Settings};
use crate::ingress::Ingress;
use crate::invoke::Invoker;
use crate::model::node::is_name;
use crate::model::proxies::Proxies;
use crate::sandbox::Sandbox;
use crate::sandbox::probe::Probe;
use crate::service::Services;
use crate::shutdown::{self, Shutdown};
use crate::trigger::{Company, Workers};
use crate::vault::Vault;
use crate::{api, egress, limits, service, telemetry};

const POLL: Duration = Duration::from_millis(10);
/// Where there is nothing to be applied.
const NO_FILES: &str = "
To have files applied at each save: picloud init writes a picloud.toml and scripts to begin with, then picloud dev beside them.
";

/// Which node to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// On this machine only, with a first owner and something to look at.
    Dev,
    Serve {
        embedded: bool,
    },
}

/// A node that answers.
struct Node {
    data_dir: DataDir,
    database: Database,
    running: Running,
}

/// What stands between the database and the listeners.
struct Running {
    services: Arc<Services>,
    invoker: Arc<Invoker>,
    workers: Workers,
    serving: Serving,
    addresses: Addresses,
    owner: Owner,
    first_start: FirstStart,
}

/// Starts a node and serves until a signal; then ends it. The files `beside` it are applied meanwhile.
pub(super) async fn run(settings: Settings, mode: Mode, beside: Option<Beside>) -> Result<()> {
    let began = Instant::now();
    let shutdown = Shutdown::new();
    shutdown.follow_signals(delay(&settings)?).map_err(|e| Failure::new(Exit::Other, format!("no signal handlers: {e}")))?;
    // Behind the second wall no file can be asked for any more.
    let files = beside.map(Beside::find).transpose()?.flatten();
    let ready_file = settings.ready_file.as_deref().map(ReadyFile::prepare).transpose()?;
    let started = tokio::select! {
        biased;
        started = start(&settings, mode, &shutdown) => started,
        // What was begun is dropped; PostgreSQL is told to end.
        () = shutdown.leaving() => {
            shutdown.drain();
            return Ok(());
        }
    };
    let mut node = match started {
        Ok(node) => node,
        Err(Unstarted { failure, database }) => {
            shutdown.drain();
            if let Some(database) = database {
                database.close().await;
            }
            return Err(failure);
        }
    };
    if let Some(ready_file) = &ready_file
        && let Err(failure) = node.running.addresses.announce(ready_file)
    {
        node.end(&shutdown).await;
        return Err(failure);
    }
    node.greet(&settings, mode, began, files.as_ref()).await;
    let visit = if files.is_some() { seed::visit(&node.running.services).await } else { None };
    let ended = tokio::select! {
        biased;
        () = shutdown.draining() => Ok(()),
        reason = node.database.lost() => Err(Failure::new(Exit::Database, format!("PostgreSQL ended: {reason}"))),
        reason = node.running.serving.lost() => Err(Failure::new(Exit::Other, reason)),
        () = follow(files, visit.as_ref(), node.running.addresses) => Ok(()),
    };
    if let (Some(visit), Ok(())) = (visit, &ended) {
        visit.end(&node.running.services).await;
    }
    // Planes end on the same signal that wakes this task: whichever is seen first, it was asked for.
    let ended = if shutdown.is_leaving() { Ok(()) } else { ended };
    drop(ready_file);
    node.end(&shutdown).await;
    ended
}

/// Applies the files at each save, as the node's own visitor. Does not end: without them, the node serves as it is.
async fn follow(files: Option<Found>, visit: Option<&Visit>, addresses: Addresses) {
    if let (Some(files), Some(visit)) = (files, visit)
        && let Err(failure) = files.follow(&addresses.admin_url(), visit.token()).await
    {
        let _ = failure.report();
    }
    std::future::pending().await
}

/// Why there is no node, and what is to be closed before the process ends.
struct Unstarted {
    failure: Failure,
    database: Option<Database>,
}

impl From<Failure> for Unstarted {
    fn from(failure: Failure) -> Self {
        Self { failure, database: None }
    }
}

async fn start(settings: &Settings, mode: Mode, shutdown: &Shutdown) -> std::result::Result<Node, Unstarted> {
    let embedded = mode == Mode::Serve { embedded: true };
    let source = database::choose(settings, embedded)?;
    if let (Mode::Serve { embedded: false }, Source::Embedded) = (mode, &source) {
        return Err(Failure::new(
            Exit::Usage,
            "serve needs a database: set DATABASE_URL, or add --embedded for a private PostgreSQL in the data directory",
        )
        .into());
    }
    let roles = roles(settings, mode, &source)?;
    let name = name(settings)?;
    if settings.metrics_token.as_ref().is_some_and(|token| token.expose().len() < limits::METRICS_TOKEN_BYTES_MIN) {
        let line = format!("PICLOUD_METRICS_TOKEN: write {} bytes or more", limits::METRICS_TOKEN_BYTES_MIN);
        return Err(Failure::new(Exit::Usage, line).into());
    }
    let (smtp, otlp, _) = (smtp(settings)?, otlp(settings)?, backup::plan(settings)?);
    let path = data_dir::locate(settings)?;
    if settings.data_dir.is_none() && path.as_os_str() == DATA_DIR_SYSTEM {
        say(&format!("PostgreSQL does not run as root and cannot reach this directory, so the data is in {DATA_DIR_SYSTEM}"));
    }
    let access = match source {
        Source::Embedded => Access::Exclusive,
        Source::External(_) => Access::Shared,
    };
    let plan = database::plan(source, &path, settings)?;
    let data_dir = DataDir::open(path, access)?;
    // A master key that cannot be used is known before anything is compiled or started.
    Vault::open(data_dir.path(), settings.secret_key.as_ref()).map_err(|error| {
        let error = error.into();
        Failure::of(exit_of(&error), "starting", &error)
    })?;
    let default = match mode {
        Mode::Dev => Ipv4Addr::LOCALHOST,
        Mode::Serve { .. } => Ipv4Addr::UNSPECIFIED,
    };
    let data = roles.ingress.then(|| settings.bind_or(IpAddr::V4(default)));
    let listeners = Listeners::bind(data, settings.admin_bind).await?;
    // A task of its own: compiling it must not hold up the database, nor a signal.
    let sandbox = shutdown::spawn("sandbox", open_sandbox(settings.max_concurrent_executions, data_dir.path().to_owned()));
    let sandbox = async { sandbox.await.map_err(|e| Failure::new(Exit::Sandbox, format!("the sandbox: {e}")))? };
    let (database, sandbox) = tokio::try_join!(database::open(plan), sandbox)?;
    // From here on nothing is started, compiled, or listened on any more.
    walls::raise(settings.seccomp);
    let platform = service::Settings {
        apps_domain: settings.apps_domain.clone(),
        reserved_hosts: settings.reserved_hosts(),
        data_dir: data_dir.path().to_owned(),
        secret_key: settings.secret_key.clone(),
        egress: egress(&listeners.addresses, &database),
        smtp,
    };
    match assemble(settings, mode, (name, otlp), (platform, &database), sandbox, listeners, shutdown).await {
        Ok(running) => Ok(Node { data_dir, database, running }),
        Err(failure) => Err(Unstarted { failure, database: Some(database) }),
    }
}

pub(super) async fn open_sandbox(places: Option<usize>, data_dir: PathBuf) -> Result<Sandbox> {
    let probe = Probe::take();
    let pool = probe.choose(places);
    tracing::info!(
        places = pool.places,
        reservation_mib = pool.reservation_bytes >> 20,
        address_space_gib = probe.address_space_bytes >> 30,
        ram_mib = probe.ram_bytes >> 20,
        cores = probe.cores,
        pagemap_scan = pool.pagemap_scan,
        "sandbox"
    );
    let opened = Sandbox::open(&data_dir, pool, Clock::system(), &say).await;
    opened.map_err(|e| Failure::of(Exit::Sandbox, "the sandbox", &e))
}

async fn assemble(
    settings: &Settings,
    mode: Mode,
    (name, otlp): (String, Option<egress::otlp::Settings>),
    (platform, database): (service::Settings, &Database),
    sandbox: Sandbox,
    listeners: Listeners,
    shutdown: &Shutdown,
) -> Result<Running> {
    let failed = |e| Failure::of(exit_of(&e), "starting", &e);
    let data_dir = platform.data_dir.clone();
    let services = Services::connect(database.pool.clone(), Clock::system(), platform).await.map_err(failed)?;
    let services = Arc::new(services);
    let (roles, addresses) = (settings.roles, listeners.addresses);
    services.node.introduce(name, roles, addresses.data.map(|data| data.to_string()), addresses.admin.to_string());
    if let Some(otlp) = otlp {
        tell_collector(&services, otlp);
    }
    let invoker = Arc::new(Invoker::new(services.clone(), Arc::new(sandbox)).map_err(failed)?);
    let (owner, first_start) = seed::owner(settings, mode, &data_dir, &services).await?;
    if mode == Mode::Dev && owner.is_new() {
        seed::hello(&services, &invoker, settings.admin_username()).await?;
    }
    shutdown::spawn("routing", service::routing::follow(services.clone(), shutdown.clone()));
    shutdown::spawn("kv expiry", service::kv::expiry::follow(services.clone(), shutdown.clone()));
    shutdown::spawn("files", service::files::sweep::follow(services.clone(), shutdown.clone()));
    shutdown::spawn("following", service::follow::work(services.clone(), shutdown.clone()));
    if let Some(plan) = backup::plan(settings)? {
        shutdown::spawn("backups", service::backup::follow(services.clone(), plan, shutdown.clone()));
    }
    shutdown::spawn("realtime", service::realtime::work(services.clone(), shutdown.clone()));
    let company = if database.is_private() { Company::Alone } else { Company::Others };
    let workers = match roles.workers {
        true => Workers::start(services.clone(), invoker.clone(), company, shutdown).await.map_err(failed)?,
        false => Workers::elsewhere(services.clone(), shutdown),
    };
    let config = api::Config {
        public_base_url: settings.public_base_url.clone(),
        data_port: addresses.data.map(|data| data.port()),
        metrics_token: settings.metrics_token.clone(),
    };
    let router = if roles.api { api::router } else { api::bare_router };
    let administration = router(services.clone(), invoker.clone(), config);
    let ingress = Ingress::new(services.clone(), invoker.clone());
    let proxies = Arc::new(Proxies::new(settings.trusted_proxies.clone()));
    let planes = (ingress, administration);
    let serving = listeners.serve(planes, &proxies, invoker.pool().connections, &services.counts.connections, shutdown);
    addresses.answer().await?;
    if company == Company::Others {
        shutdown::spawn("listing", service::nodes::attend(services.clone(), shutdown.clone()));
    }
    shutdown::spawn("leaving", tell_of_leaving(services.clone(), shutdown.clone()));
    Ok(Running { services, invoker, workers, serving, addresses, owner, first_start })
}

/// What the node is to do. One alone with its database has to do everything.
fn roles(settings: &Settings, mode: Mode, source: &Source) -> Result<Roles> {
    if settings.roles != Roles::ALL && (mode == Mode::Dev || matches!(source, Source::Embedded)) {
        let missing: Vec<_> = Roles::WORDS.into_iter().filter(|word| settings.roles.words().all(|has| has != *word)).collect();
        return Err(Failure::new(
            Exit::Usage,
            format!(
                "--roles leaves out {}, which nobody else could do here: it is for `serve` with a DATABASE_URL that other nodes have too",
                missing.join(", ")
            ),
        ));
    }
    Ok(settings.roles)
}

/// What the node is called: as set, else as the machine is.
fn name(settings: &Settings) -> Result<String> {
    match &settings.node_name {
        Some(name) if is_name(name) => Ok(name.clone()),
        Some(_) => Err(Failure::new(
            Exit::Usage,
            format!("PICLOUD_NODE_NAME: write letters, digits, `.`, `_` and `-`, {} at most", limits::NODE_NAME_BYTES_MAX),
        )),
        None => {
            let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
            Ok(if is_name(&machine) { machine } else { "node".to_owned() })
        }
    }
}

/// How long the node goes on after it was told to end.
fn delay(settings: &Settings) -> Result<Duration> {
    match settings.drain_delay_ms {
        ms @ ..=limits::DRAIN_DELAY_MS_MAX => Ok(Duration::from_millis(ms)),
        _ => Err(Failure::new(
            Exit::Usage,
            format!("PICLOUD_DRAIN_DELAY_MS: write milliseconds, {} at most", limits::DRAIN_DELAY_MS_MAX),
        )),
    }
}

async fn tell_of_leaving(services: Arc<Services>, shutdown: Shutdown) {
    shutdown.leaving().await;
    services.node.leave();
}

/// The mail relay as the settings name it, if they do.
pub(super) fn smtp(settings: &Settings) -> Result<Option<egress::smtp::Settings>> {
    let read = settings.smtp_url.as_ref().map(|url| egress::smtp::Settings::read(url, settings.smtp_from.as_deref()));
    read.transpose().map_err(|line| Failure::new(Exit::Usage, line))
}

/// The collector of traces and logs as the settings name it, if they do.
fn otlp(settings: &Settings) -> Result<Option<egress::otlp::Settings>> {
    let endpoint = settings.otlp_endpoint.as_deref().filter(|endpoint| !endpoint.trim().is_empty());
    let read = |endpoint| egress::otlp::Settings::read(endpoint, settings.otlp_headers.as_ref(), settings.trace_ratio);
    endpoint.map(read).transpose().map_err(|line| Failure::new(Exit::Usage, line))
}

/// From here on the collector is told of this node's log, and of what its scripts do.
fn tell_collector(services: &Services, settings: egress::otlp::Settings) {
    let node = services.node.node();
    let resource = egress::otlp::Resource(vec![
        ("service.name", "picloud".to_owned()),
        ("service.version", node.version.clone()),
        ("service.instance.id", node.id.to_string()),
        ("host.name", node.name.clone()),
    ]);
    let exporter = egress::otlp::Exporter::start(settings, resource);
    telemetry::pass_on({
        let (exporter, clock) = (exporter.clone(), services.clock.clone());
        move |line| exporter.line(clock.now(), line)
    });
    let _ = services.exporter.set(exporter);
}

/// The world, but for what is this node's own: its listeners, and the database where it is reached through the network.
fn egress(addresses: &Addresses, database: &Database) -> egress::Settings {
    let sockets = addresses.data.into_iter().chain([addresses.admin]).collect();
    let mut own = egress::Own { sockets, names: Vec::new() };
    let options = database.pool.connect_options();
    let (host, port) = (options.get_host(), options.get_port());
    let by_file = options.get_socket().is_some() || host.starts_with('/');
    match host.parse::<IpAddr>() {
        Ok(address) => own.sockets.push((address, port).into()),
        Err(_) if by_file => {}
        Err(_) => own.names.push((host.to_owned(), port)),
    }
    egress::Settings { own, ..egress::Settings::default() }
}

impl Node {
    async fn greet(&self, settings: &Settings, mode: Mode, began: Instant, files: Option<&Found>) {
        let (node, took_ms) = (self.running.services.node.node(), began.elapsed().as_millis());
        tracing::info!(node.name, roles = %node.roles, data = node.data, admin = node.admin, took_ms, "ready");
        if self.running.owner == Owner::Missing {
            tracing::warn!("nobody owns this instance yet: start once with PICLOUD_ADMIN_PASSWORD set to make the first owner");
        }
        let addresses = &self.running.addresses;
        let apps = addresses.app_url("{slug}", &settings.apps_domain);
        let mut rows: Vec<_> = apps.map(|url| ("apps", format!("{url}/"))).into_iter().collect();
        let admin = if node.roles.api { "administration" } else { "health" };
        let path = if node.roles.api { "" } else { "healthz" };
        rows.push((admin, format!("{}/{path}", addresses.admin_url())));
        if node.roles != Roles::ALL {
            rows.push(("roles", node.roles.words().collect::<Vec<_>>().join(", ")));
        }
        rows.extend([("database", self.database.shown.clone()), ("data directory", self.data_dir.path().display().to_string())]);
        if mode == Mode::Dev {
            rows.extend(self.running.owner.rows(settings));
            rows.extend(files.map(|files| ("applied on save", files.shown.clone())));
        }
        let version = env!("CARGO_PKG_VERSION");
        let seconds = began.elapsed().as_secs_f64();
        let mut text = format!("\nPiCloud {version} is ready after {seconds:.2} s.\n\n{}", table(&rows));
        if mode == Mode::Dev {
            text.push_str(&seed::tour(&self.running.services, &self.running.addresses, settings, &self.running.owner).await);
            if files.is_none() {
                text.push_str(NO_FILES);
            }
            text.push_str("\nCtrl-C stops everything and keeps the data.\n\n");
        }
        print(&text);
        if mode == Mode::Dev {
            self.running.first_start.finish();
        }
    }

    /// Planes, running scripts, deliveries, records, the pool, PostgreSQL.
    async fn end(self, shutdown: &Shutdown) {
        shutdown.drain();
        let began = Instant::now();
        let grace = Duration::from_millis(limits::SHUTDOWN_GRACE_MS);
        let mut finished = self.running.serving.drained(grace, shutdown).await;
        // A script runs to its own end even when its caller is gone.
        while self.running.invoker.status().running > 0 {
            if began.elapsed() > grace || shutdown.phase() == shutdown::Phase::Stopping {
                finished = false;
                break;
            }
            tokio::time::sleep(POLL).await;
        }
        finished &= self.running.workers.close(began + grace, shutdown).await;
        if !finished {
            tracing::warn!("some requests were still running and are cut off");
        }
        let records = self.running.invoker.close();
        if tokio::time::timeout(grace, records).await.is_err() {
            tracing::warn!("the last execution records could not be written in time");
        }
        if let Some(exporter) = self.running.services.exporter.get() {
            exporter.close().await;
        }
        if !self.database.is_private() {
            let left = service::nodes::leave(&self.running.services);
            if !matches!(tokio::time::timeout(Duration::from_millis(limits::GIVE_BACK_MS), left).await, Ok(Ok(()))) {
                tracing::warn!("this node could not be struck out of the list; it is shown as gone for a while");
            }
        }
        self.database.close().await;
        tracing::info!(took_ms = began.elapsed().as_millis(), "stopped");
    }
}
