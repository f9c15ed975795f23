//! PiCloud beside other servers with the same answer: bare axum, native Rhai in process, workerd, deno and `wasmtime serve`.
//!
//!     cargo bench -- peers                  # all; about eight minutes
//!     cargo bench -- peers --quick          # two minutes; noisier
//!     cargo bench -- peers workerd native   # those whose name has one of these in it, and bare axum; told and not kept
//!
//! Needs `wrk` and the PostgreSQL binaries. `./.ci/setup bench` installs the servers of others into the target directory; one
//! that is not there is left out, and the section says so.

mod baselines;
mod others;
mod tell;

use std::time::Duration;

use picloud::limits;
use serde_json::{Value, json};
use sqlx::Connection;

use self::others::Other;
use crate::support::asked::Asked;
use crate::support::baseline::Baseline;
use crate::support::figures::Findings;
use crate::support::ground::Ground;
use crate::support::memory;
use crate::support::scripts::HELLO;
use crate::support::wrk::{Load, wrk};
use crate::support::{Client, Failure, Node};

pub(crate) use self::baselines::{AXUM_MODE, NATIVE_MODE, serve};

/// Some thirty lines of work on maps and arrays, for the difference to hello.
const ORDERS: &str = include_str!("peers/orders.rhai");

const AXUM_NAME: &str = "bare axum";
const NATIVE_NAME: &str = "native Rhai in process";
const HELLO_NAME: &str = "PiCloud, hello";
const ORDERS_NAME: &str = "PiCloud, orders";

/// Connections of the two loads.
const MANY: u32 = 32;
const ONE: u32 = 1;
/// How often it is looked whether the node has come to rest, so that the next server has the cores.
const LOOK: Duration = Duration::from_millis(500);

/// How much is measured.
#[derive(Clone, Copy)]
struct Scale {
    rounds: usize,
    /// Of a round that does not count, of one server: compilers of JavaScript need some time.
    warm_s: u32,
    /// Of a round of one server.
    many_s: u32,
    one_s: u32,
}

/// A server, and what came of calling it.
struct Subject {
    name: &'static str,
    isolation: &'static str,
    url: String,
    /// An app of the node is asked for by its host.
    host: Option<&'static str>,
    pid: u32,
    idle_mib: f64,
    loaded_mib: f64,
    /// A round each, by the number of connections.
    many: Vec<Load>,
    one: Vec<Load>,
}

/// What is told besides.
#[derive(Default)]
struct Aside {
    versions: Vec<String>,
    /// Who is not there, and why.
    absent: Vec<String>,
    /// What the node says of its records.
    recorder: Value,
    /// Of all processes of the node's PostgreSQL, MiB.
    database_idle_mib: f64,
    database_loaded_mib: f64,
}

impl Scale {
    fn of(is_quick: bool) -> Self {
        if is_quick {
            Self { rounds: 1, warm_s: 1, many_s: 3, one_s: 2 }
        } else {
            Self { rounds: 5, warm_s: 3, many_s: 8, one_s: 4 }
        }
    }
}

impl Subject {
    fn new(name: &'static str, isolation: &'static str, url: String, pid: u32) -> Self {
        let (many, one) = (Vec::new(), Vec::new());
        Self { name, isolation, url, host: None, pid, idle_mib: f64::NAN, loaded_mib: f64::NAN, many, one }
    }

    fn hosted(self, host: &'static str) -> Self {
        Self { host: Some(host), ..self }
    }

    /// Asks it once, and has a look at what it says.
    async fn check(&self, http: &reqwest::Client) -> Result<(), Failure> {
        let mut request = http.get(&self.url);
        if let Some(host) = self.host {
            request = request.header("host", host);
        }
        let answer: Value = request.send().await?.error_for_status()?.json().await?;
        if self.url.ends_with("/hello") && answer != json!({ "hello": "/hello", "n": 42 }) {
            return Err(format!("{} answers {answer}", self.name).into());
        }
        Ok(())
    }
}

pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let asked = Asked::of_words(arguments)?;
    tokio::runtime::Runtime::new()?.block_on(bench(&asked))
}

async fn bench(asked: &Asked<'_>) -> Result<(), Failure> {
    let scale = Scale::of(asked.is_quick);
    let ground = Ground::open().await?;
    let mut database = ground.connect().await?;
    let (node, client) = open(&ground).await?;
    let baselines = (Baseline::start(AXUM_MODE, &[])?, Baseline::start(NATIVE_MODE, &[])?);
    let mut subjects = own(&node, &baselines);
    subjects.retain(|subject| subject.name == AXUM_NAME || asked.matches(subject.name));
    for subject in &subjects {
        subject.check(&client.http).await?;
    }
    let (mut aside, mut peers) = (Aside::default(), Vec::new());
    for other in others::all().into_iter().filter(|other| asked.matches(other.name)) {
        eprintln!("starting {}", other.name);
        match begin(&other, &client.http).await {
            Ok((peer, subject)) => {
                aside.versions.push(other.version());
                peers.push(peer);
                subjects.push(subject);
            }
            Err(error) => aside.absent.push(format!("{}: {error}", other.name)),
        }
    }
    if subjects.len() == 1 {
        let absent = aside.absent.join("; ");
        return Err(format!("no server that is there has any of {:?} in its name; {absent}", asked.names).into());
    }

    tokio::time::sleep(Duration::from_secs(2)).await;
    for subject in &mut subjects {
        subject.idle_mib = memory::resident_of_all_mib(subject.pid)?;
    }
    let (backend,): (i32,) = sqlx::query_as("select pg_backend_pid()").fetch_one(&mut database).await?;
    let postmaster = memory::parent(backend.try_into()?)?;
    aside.database_idle_mib = memory::proportional_of_all_mib(postmaster).unwrap_or(f64::NAN);
    load(&mut subjects, scale, &client).await?;
    aside.database_loaded_mib = memory::proportional_of_all_mib(postmaster).unwrap_or(f64::NAN);
    aside.recorder = client.settled(LOOK).await?["recorder"].take();

    drop((baselines, peers));
    node.stop().await?;
    database.close().await?;
    ground.close().await;
    Findings::tell("peers", asked, vec![tell::section(scale, &subjects, &aside)])
}

/// A node with both scripts, that found the sandbox compiled: the memory of compiling it is not that of serving.
async fn open(ground: &Ground) -> Result<(Node, Client), Failure> {
    eprintln!("the first start, which compiles and warms the sandbox");
    let (node, _) = ground.start().await?;
    node.stop().await?;
    let (node, _) = ground.start().await?;
    let client = Client::login(&node).await?;
    let app = client.post("/api/v1/admin/apps", json!({ "slug": "peers", "name": "Peers" })).await?;
    // All records are kept, however many there are.
    let quota = json!({ "log_bytes_per_day": limits::LOG_BYTES_PER_DAY_CEILING });
    client.put("/api/v1/admin/apps/peers/quota", quota).await?;
    client.deploy(&app, "hello", HELLO, "/hello").await?;
    client.deploy(&app, "orders", ORDERS, "/orders").await?;
    Ok((node, client))
}

/// Those that are of this repository.
fn own(node: &Node, (axum, native): &(Baseline, Baseline)) -> Vec<Subject> {
    vec![
        Subject::new(AXUM_NAME, "no scripts: a handler in Rust", format!("http://{}/hello", axum.address), axum.pid()),
        Subject::new(
            NATIVE_NAME,
            "none: one engine and AST for all; no fuel, no memory bound",
            format!("http://{}/hello", native.address),
            native.pid(),
        ),
        Subject::new(
            HELLO_NAME,
            "fresh wasm instance; fuel, deadline, memory bound; a record of each",
            format!("{}/hello", node.data),
            node.pid(),
        )
        .hosted("peers.localhost"),
        Subject::new(ORDERS_NAME, "the same", format!("{}/orders", node.data), node.pid()).hosted("peers.localhost"),
    ]
}

/// One of another, if it starts and says what it should.
async fn begin(other: &Other, http: &reqwest::Client) -> Result<(Baseline, Subject), Failure> {
    let peer = other.start()?;
    let subject = Subject::new(other.name, other.isolation, format!("http://{}/hello", peer.address), peer.pid());
    subject.check(http).await?;
    Ok((peer, subject))
}

/// Both loads, one server after the other, round by round.
async fn load(subjects: &mut [Subject], scale: Scale, client: &Client) -> Result<(), Failure> {
    for (connections, seconds) in [(MANY, scale.many_s), (ONE, scale.one_s)] {
        for round in 0..=scale.rounds {
            eprintln!("{connections} connections, round {round} of {}", scale.rounds);
            let servers = subjects.len();
            for at in 0..servers {
                // Every round begins with another: none always comes after the same.
                let subject = &mut subjects[(at + round) % servers];
                let seconds = if round == 0 { scale.warm_s } else { seconds };
                let load = wrk(&subject.url, subject.host, 1, connections, seconds)?;
                if connections == MANY {
                    subject.loaded_mib = memory::resident_of_all_mib(subject.pid)?;
                }
                if round > 0 {
                    let loads = if connections == MANY { &mut subject.many } else { &mut subject.one };
                    loads.push(load);
                }
                if subject.host.is_some() {
                    client.settled(LOOK).await?;
                }
            }
        }
    }
    Ok(())
}
