//! Both planes in this process, on a database of their own.

use std::net::SocketAddr;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use picloud::clock::Clock;
use picloud::egress::{self, Network, Own};
use picloud::ingress::Ingress;
use picloud::invoke::Invoker;
use picloud::model::proxies::Proxies;
use picloud::sandbox::Sandbox;
use picloud::sandbox::probe::Probe;
use picloud::service::{self, Services};
use picloud::shutdown::Shutdown;
use picloud::trigger::{Company, Workers};
use picloud::{api, store};
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::client::{Client, PASSWORD, USERNAME};
use super::cluster::Database;

/// What a test may want otherwise.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// Invocations at once; half of them for one app.
    pub(crate) places: usize,
    /// The node's clock: the system's, or one that the test advances.
    pub(crate) clock: Clock,
    /// Where scripts' requests go: nowhere, unless a test says otherwise.
    pub(crate) network: Network,
    pub(crate) own: Own,
    /// The mail relay, if there is one.
    pub(crate) smtp: Option<egress::smtp::Settings>,
}

impl Default for Options {
    fn default() -> Self {
        Self { places: 16, clock: Clock::system(), network: Network::Table(Arc::default()), own: Own::default(), smtp: None }
    }
}

/// A node with an owner who is logged in. Its tasks end with the test's runtime, its database with itself.
pub(crate) struct TestApp {
    pub(crate) client: Client,
    pub(crate) clock: Clock,
    pub(crate) database: Database,
    /// What stands behind the planes.
    pub(crate) services: Arc<Services>,
    /// Deliveries under way end with the test's runtime.
    _workers: Workers,
    shutdown: Shutdown,
    /// The data directory.
    pub(crate) scratch: TempDir,
}

impl TestApp {
    pub(crate) async fn start() -> Self {
        Self::start_with(Options::default()).await
    }

    pub(crate) async fn start_with(options: Options) -> Self {
        let database = Database::create().await;
        let scratch = tempfile::tempdir().expect("a scratch directory");
        let clock = options.clock;
        let db = store::connect(database.url().parse().expect("a database URL")).await.expect("the database answers");
        let egress = egress::Settings { network: options.network, own: options.own };
        let settings = service::Settings { egress, smtp: options.smtp, ..settings(scratch.path()) };
        let services = Arc::new(Services::connect(db, clock.clone(), settings).await.expect("services"));
        assert!(service::users::ensure_owner(&services, USERNAME, PASSWORD).await.expect("an owner"));
        let sandbox = Arc::new(sandbox(options.places, clock.clone()).await);
        let invoker = Arc::new(Invoker::new(services.clone(), sandbox).expect("an invoker"));
        let data = serve(Router::new().fallback_service(Ingress::new(services.clone(), invoker.clone()))).await;
        let admin = serve(api::router(services.clone(), invoker.clone(), api::Config::default())).await;
        let shutdown = Shutdown::new();
        tokio::spawn(service::follow::work(services.clone(), shutdown.clone()));
        tokio::spawn(service::realtime::work(services.clone(), shutdown.clone()));
        let workers = Workers::start(services.clone(), invoker, Company::Alone, &shutdown).await.expect("the workers start");
        let mut client = Client::new(data, admin);
        client.login(USERNAME, PASSWORD).await;
        client.database = Some(database.url());
        Self { client, clock, database, services, _workers: workers, shutdown, scratch }
    }
}

impl TestApp {
    /// Moves the clock, and has the workers look at it.
    pub(crate) fn advance(&self, by: chrono::TimeDelta) {
        self.clock.advance(by);
        self.services.events.wake();
    }

    /// Begins nothing new.
    pub(crate) fn drain(&self) {
        self.shutdown.drain();
    }

    /// The node's data directory.
    pub(crate) fn data_dir(&self) -> &Path {
        self.scratch.path()
    }
}

impl Deref for TestApp {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

/// What the services of a test are told.
pub(crate) fn settings(data_dir: &Path) -> service::Settings {
    service::Settings {
        apps_domain: "localhost".to_owned(),
        reserved_hosts: Vec::new(),
        data_dir: data_dir.to_owned(),
        secret_key: None,
        egress: egress::Settings::default(),
        smtp: None,
    }
}

/// A sandbox of the test's own over the component that was compiled once for all tests: tests then never share a pool.
pub(crate) async fn sandbox(places: usize, clock: Clock) -> Sandbox {
    static COMPILED: tokio::sync::OnceCell<()> = tokio::sync::OnceCell::const_new();
    let open = async || {
        let pool = Probe::take().choose(Some(places));
        Sandbox::open(&super::cache_dir(), pool, clock.clone(), &|_| {}).await.expect("the sandbox opens")
    };
    // The first one compiles, for seconds; the others wait for it rather than do the same.
    COMPILED.get_or_init(async || drop(open().await)).await;
    open().await
}

/// The compiled component in the cache: what a data directory needs to start fast.
pub(crate) async fn compiled() -> std::path::PathBuf {
    drop(sandbox(16, Clock::system()).await);
    picloud::sandbox::artifact_state(&Probe::take().choose(None), &super::cache_dir())
        .expect("an engine")
        .expect("compiled just now")
}

async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let router = router.layer(from_fn(seen));
    tokio::spawn(async move { axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>()).await });
    format!("http://{address}")
}

/// What a plane sees as the peer is who called, as behind the listeners of a node.
async fn seen(ConnectInfo(peer): ConnectInfo<SocketAddr>, mut request: Request, next: Next) -> Response {
    let forwarded = request.headers().get_all("x-forwarded-for").iter().map(|value| value.to_str().unwrap_or_default());
    let caller = Proxies::default().caller(peer.ip(), forwarded);
    request.extensions_mut().insert(ConnectInfo(SocketAddr::new(caller, peer.port())));
    next.run(request).await
}

/// Brings a database to this build's schema.
pub(crate) async fn migrate(url: &str) {
    let db = store::connect(url.parse().expect("a database URL")).await.expect("the database answers");
    store::migrate(&db).await.expect("migrations apply");
    db.close().await;
}
