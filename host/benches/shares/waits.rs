//! What costs nothing but waiting: hosts that never answer, connections that say nothing.

use std::io::Write as _;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;

use super::load::{Load, Storm, Target, address};
use super::scene::{Comparison, Scale, Scene, alternate, facts};
use crate::support::Failure;
use crate::support::figures::{Section, count};
use crate::support::ground::Ground;

/// Connections of the app that waits.
const WAITING: usize = 64;
/// Connections that say nothing, that send a head byte by byte, that send a body byte by byte.
const IDLE: usize = 5_000;
const DRIPPING: usize = 500;

/// d: requests to a host that takes them and never answers.
pub(crate) async fn hosts(ground: &Ground, scale: Scale, section: &mut Section) -> Result<(), Failure> {
    let Some(own) = private_address() else {
        section.text += "\n\nd is left out: this machine has no address of a private network, and no grant reaches loopback.";
        return Ok(());
    };
    let scene = Scene::open(ground, scale, "d").await?;
    let (_, hello) = scene.neighbour().await?;
    let host = Silent::listen(own)?;
    let waiter = scene.app("waiter").await?;
    let network = format!("{own}/{}", if own.is_ipv4() { 32 } else { 128 });
    let grants = json!({ "http": ["*", network] });
    scene.client.patch(&format!("/api/v1/admin/apps/{}/grants", waiter.slug), grants).await?;
    let source = format!(r#"http::get("http://{}/", #{{ timeout_ms: 30000 }}).status"#, host.address);
    let wait = scene.deploy(&waiter, "wait", &source, json!({ "timeout_ms": 60_000 })).await?;
    let title = format!("d: an app waits on {WAITING} connections for a host that never answers.");
    let mut comparison = Comparison::new(&title, "the attack");
    for connections in [1, 8] {
        let begin = async || {
            host.is_open.store(false, Ordering::Relaxed);
            Ok::<_, Failure>(Storm::begin(std::slice::from_ref(&wait), WAITING))
        };
        let end = async |storm: Storm| {
            storm.stop();
            // Whoever waits is cut off, and is not let in again.
            host.is_open.store(true, Ordering::Relaxed);
            while !storm.is_over() {
                host.hang_up();
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Ok::<_, Failure>(storm.end())
        };
        let rounds = alternate(scale, (&hello, connections), begin, end).await?;
        comparison.tell("waits", connections, rounds);
    }
    let mut table = comparison.into_table();
    table.note += &format!(" Requests that came to the host: {}.", count(host.taken()));
    section.tables.push(table);
    scene.close().await
}

/// An address of this machine that a grant can make reachable.
fn private_address() -> Option<IpAddr> {
    let said = Command::new("hostname").arg("-I").output().ok()?;
    let text = String::from_utf8(said.stdout).ok()?;
    text.split_whitespace().filter_map(|word| word.parse().ok()).find(|address| match address {
        IpAddr::V4(address) => address.is_private(),
        IpAddr::V6(address) => address.is_unique_local(),
    })
}

/// Takes connections and says nothing.
struct Silent {
    address: SocketAddr,
    held: Arc<Mutex<Vec<TcpStream>>>,
    taken: Arc<AtomicU64>,
    /// Hangs up at once on whoever comes.
    is_open: Arc<AtomicBool>,
}

impl Silent {
    fn listen(address: IpAddr) -> Result<Self, Failure> {
        let listener = TcpListener::bind((address, 0))?;
        let (held, is_open) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let silent =
            Self { address: listener.local_addr()?, held: held.clone(), taken: Arc::default(), is_open: is_open.clone() };
        let taken = silent.taken.clone();
        // Ends with the process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                taken.fetch_add(1, Ordering::Relaxed);
                if !is_open.load(Ordering::Relaxed) {
                    held.lock().unwrap_or_else(PoisonError::into_inner).push(stream);
                }
            }
        });
        Ok(silent)
    }

    fn hang_up(&self) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }
}

/// g: connections by the thousand.
pub(crate) async fn connections(ground: &Ground, scale: Scale, section: &mut Section) -> Result<(), Failure> {
    let scene = Scene::open(ground, scale, "g").await?;
    let (idle, dripping) = as_many_as_may_be_open();
    let (app, hello) = scene.neighbour().await?;
    scene.deploy(&app, "size", "ctx.request.body.len()", json!({})).await?;
    let post = |bytes| Target::post(&scene.node.data, &app.slug, "/size", bytes);
    let (small, large) = (post(1 << 10)?, post(64 << 10)?);
    let before = scene.settle().await?;
    let data = address(&scene.node.data)?;
    let mut most: f64 = 0.0;
    let [silent, slow] = [idle, dripping].map(|number| count(number as u64));
    let title = format!(
        "g: {silent} connections say nothing, {slow} send a head byte by byte, {slow} a body of 1 MB to the neighbour's own app."
    );
    let mut comparison = Comparison::new(&title, "the neighbour calls");
    for (what, target) in [("hello", &hello), ("post 1 KiB", &small), ("post 64 KiB", &large)] {
        for connections in [1, 8] {
            let begin = async || Ok::<_, Failure>(Flood::begin(data, idle, dripping, &app.slug));
            let resident = Mutex::new(0.0);
            let end = async |flood: Flood| {
                *resident.lock().unwrap_or_else(PoisonError::into_inner) = scene.node.resident_mib()?;
                Ok::<_, Failure>(flood.end())
            };
            let rounds = alternate(scale, (target, connections), begin, end).await?;
            most = most.max(resident.into_inner().unwrap_or_else(PoisonError::into_inner));
            comparison.tell(what, connections, rounds);
        }
    }
    let after = scene.settle().await?;
    section.tables.push(comparison.into_table());
    let memory = format!("{before:.1}; {most:.1}; {after:.1} MiB");
    section.tables.push(facts("g, memory.", [("node, resident: before; with them; after", memory)]));
    scene.close().await
}

/// How many of each there may be, once this process may have as many files open as the system lets it.
fn as_many_as_may_be_open() -> (usize, usize) {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    let files = getrlimit(Resource::Nofile).current.map_or(usize::MAX, |files| usize::try_from(files).unwrap_or(usize::MAX));
    // A few are needed for everything else.
    let wanted = IDLE + 2 * DRIPPING;
    let share = files.saturating_sub(200).min(wanted) as f64 / wanted as f64;
    ((IDLE as f64 * share) as usize, (DRIPPING as f64 * share) as usize)
}

/// Connections that drag on, kept up for as long as it lasts.
struct Flood {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Load>,
}

impl Flood {
    fn begin(data: SocketAddr, idle: usize, dripping: usize, app: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, app) = (stop.clone(), app.to_owned());
        let thread = std::thread::spawn(move || flood(data, (idle, dripping), &app, &stopped));
        Self { stop, thread }
    }

    fn end(self) -> Load {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_default()
    }
}

/// What was opened counts as 200, what could not be as broken.
fn flood(data: SocketAddr, (idle, dripping): (usize, usize), app: &str, stop: &AtomicBool) -> Load {
    let mut load = Load::default();
    let mut open = |first: &[u8]| -> Option<TcpStream> {
        let opened = TcpStream::connect(data).and_then(|mut stream| {
            stream.write_all(first)?;
            stream.set_nonblocking(true)?;
            Ok(stream)
        });
        *load.answers.entry(if opened.is_ok() { 200 } else { super::load::BROKEN }).or_default() += 1;
        opened.ok()
    };
    let body = format!("POST /size HTTP/1.1\r\nhost: {app}.localhost\r\ncontent-length: 1000000\r\n\r\n").into_bytes();
    let heads: [&[u8]; 2] = [b"GET /hello HTTP/1.1\r\nx-drip: ", &body];
    let mut drips: Vec<(usize, Option<TcpStream>)> = (0..2 * dripping).map(|n| (n % 2, open(heads[n % 2]))).collect();
    let _idle: Vec<Option<TcpStream>> = (0..idle).map(|_| open(b"")).collect();
    while !stop.load(Ordering::Relaxed) {
        for (kind, stream) in &mut drips {
            let went = stream.as_mut().is_some_and(|stream| stream.write_all(b"x").is_ok());
            // The node hangs up on those that take too long: they come again.
            if !went {
                *stream = open(heads[*kind]);
            }
        }
        std::thread::sleep(Duration::from_millis(250));
    }
    load
}
