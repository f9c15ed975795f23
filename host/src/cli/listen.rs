//! The two listeners: taken before anything slow begins, served until the end.
//!
//! `places` says who may stay connected, `connection` what a connection may do, `gate` turns away who comes to a plane that is behind,
//! `head` says what is no request, `exchange` has a plane answer one. Each plane has places of its own: whatever floods the data plane, the administration is reached.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use axum::serve::Listener;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tower::Service;

use super::connection::{Connection, Patience};
use super::exchange::exchange;
use super::failure::{Exit, Failure, Result};
use super::gate::Gate;
use super::places::{Full, Places, Policy};
use crate::ingress::Ingress;
use crate::limits;
use crate::model::proxies::Proxies;
use crate::service::counts::Open;
use crate::shutdown::{self, Shutdown};

/// The planes' listeners.
#[derive(Debug)]
pub(super) struct Listeners {
    data: Option<TcpListener>,
    admin: TcpListener,
    pub(super) addresses: Addresses,
}

/// Where the planes answer, with the ports that were given.
#[derive(Debug, Clone, Copy)]
pub(super) struct Addresses {
    /// None on a node without the role `ingress`.
    pub(super) data: Option<SocketAddr>,
    pub(super) admin: SocketAddr,
}

/// The file that says, while it exists, that this node answers.
#[derive(Debug)]
pub(super) struct ReadyFile {
    path: PathBuf,
}

/// Both planes, being served.
#[derive(Debug)]
pub(super) struct Serving {
    planes: JoinSet<(&'static str, io::Result<()>)>,
}

impl Listeners {
    pub(super) async fn bind(data: Option<SocketAddr>, admin: SocketAddr) -> Result<Self> {
        raise_open_files();
        let data = match data {
            Some(data) => Some(bind(data, "scripts (the data plane)", "--bind or PICLOUD_BIND").await?),
            None => None,
        };
        let admin = bind(admin, "the administration", "--admin-bind or PICLOUD_ADMIN_BIND").await?;
        let address = |listener: &TcpListener| listener.local_addr().map_err(|e| Failure::new(Exit::Address, e.to_string()));
        let addresses = Addresses { data: data.as_ref().map(address).transpose()?, admin: address(&admin)? };
        Ok(Self { data, admin, addresses })
    }

    /// Serves until `shutdown` drains; a connection's running request is finished first. Each plane has at most so many
    /// `connections`, fewer where the process may not open as many files.
    pub(super) fn serve(
        self,
        (data, admin): (Ingress, Router),
        proxies: &Arc<Proxies>,
        connections: usize,
        [data_open, admin_open]: &[Arc<AtomicUsize>; 2],
        shutdown: &Shutdown,
    ) -> Serving {
        let policy = Policy::of(connections_within(connections, getrlimit(Resource::Nofile).current));
        let mut planes = JoinSet::new();
        if let Some(listener) = self.data {
            let gate: Arc<dyn Gate> = Arc::new(data.clone());
            let data = (data, Some(gate));
            let data = serve("data plane", listener, data, (policy, proxies.clone()), data_open.clone(), shutdown.clone());
            planes.spawn(async move { ("data plane", data.await) });
        }
        let admin =
            serve("control plane", self.admin, (admin, None), (policy, proxies.clone()), admin_open.clone(), shutdown.clone());
        planes.spawn(async move { ("control plane", admin.await) });
        Serving { planes }
    }
}

impl ReadyFile {
    /// Clears an old one away; a place that cannot be written to is known before anything starts.
    pub(super) fn prepare(path: &Path) -> Result<Self> {
        let file = Self { path: path.to_owned() };
        let draft = file.draft();
        std::fs::write(&draft, "").and_then(|()| std::fs::remove_file(&draft)).map_err(|e| file.failure(&e))?;
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(file.failure(&error)),
            _ => Ok(file),
        }
    }

    fn write(&self, text: &str) -> Result<()> {
        let draft = self.draft();
        std::fs::write(&draft, text).and_then(|()| std::fs::rename(&draft, &self.path)).map_err(|e| self.failure(&e))
    }

    fn draft(&self) -> PathBuf {
        let mut draft = self.path.as_os_str().to_owned();
        draft.push(format!(".{}", std::process::id()));
        PathBuf::from(draft)
    }

    fn failure(&self, error: &io::Error) -> Failure {
        Failure::new(Exit::Other, format!("--ready-file {}: {error}", self.path.display()))
    }
}

impl Drop for ReadyFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Serving {
    /// Waits until every connection is done, at most `grace`, and not past `stop`. Whether all were.
    pub(super) async fn drained(mut self, grace: Duration, shutdown: &Shutdown) -> bool {
        let all = async { while self.planes.join_next().await.is_some() {} };
        tokio::select! {
            () = all => true,
            () = shutdown.stopping() => false,
            () = tokio::time::sleep(grace) => false,
        }
    }

    /// Resolves when a plane ended though nobody asked it to.
    pub(super) async fn lost(&mut self) -> String {
        match self.planes.join_next().await {
            Some(Ok((name, Ok(())))) => format!("the {name} ended"),
            Some(Ok((name, Err(error)))) => format!("the {name} failed: {error}"),
            Some(Err(error)) => format!("a plane failed: {error}"),
            None => "no plane is served".to_owned(),
        }
    }
}

impl Addresses {
    pub(super) fn data_url(&self) -> Option<String> {
        self.data.map(|data| format!("http://{}", reachable(data)))
    }

    pub(super) fn admin_url(&self) -> String {
        format!("http://{}", reachable(self.admin))
    }

    /// Where an app answers.
    pub(super) fn app_url(&self, slug: &str, apps_domain: &str) -> Option<String> {
        Some(match self.data?.port() {
            80 => format!("http://{slug}.{apps_domain}"),
            port => format!("http://{slug}.{apps_domain}:{port}"),
        })
    }

    /// Asks the planes for their health, as a client would.
    pub(super) async fn answer(&self) -> Result<()> {
        let data = self.data.map(|data| ("data plane", data));
        for (name, address) in data.into_iter().chain([("control plane", self.admin)]) {
            if let Err(error) = ask(reachable(address)).await {
                return Err(Failure::new(
                    Exit::Address,
                    format!("the {name} at {address} does not answer its own health check: {error}"),
                ));
            }
        }
        Ok(())
    }

    /// Says in the ready file, whole or not at all, that the planes answer.
    pub(super) fn announce(&self, ready_file: &ReadyFile) -> Result<()> {
        let ready = serde_json::json!({ "data": self.data_url(), "admin": self.admin_url(), "pid": std::process::id() });
        ready_file.write(&format!("{ready}\n"))
    }
}

async fn bind(address: SocketAddr, what: &str, setting: &str) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        let why = match error.kind() {
            io::ErrorKind::AddrInUse => format!("port {} is taken; stop what uses it, or choose another", address.port()),
            io::ErrorKind::PermissionDenied => {
                format!("port {} is not allowed for this user; choose one from 1024", address.port())
            }
            io::ErrorKind::AddrNotAvailable => "this machine has no such address; choose another".to_owned(),
            _ => format!("{error}; choose another"),
        };
        Failure::new(
            Exit::Address,
            format!("cannot listen for {what} on {address}: {why} with {setting} (port 0 takes a free one)"),
        )
    })
}

/// Serves every connection on a task of its own, each with its own clone of `plane`; resolves when all are done.
async fn serve<P>(
    name: &'static str,
    mut listener: TcpListener,
    (plane, gate): (P, Option<Arc<dyn Gate>>),
    (policy, proxies): (Policy, Arc<Proxies>),
    open: Arc<AtomicUsize>,
    shutdown: Shutdown,
) -> io::Result<()>
where
    P: Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static,
{
    let (places, mut turned_away) = (Places::new(policy), TurnedAway { name, told_at: None, untold: 0 });
    let large_heads = Arc::new(Semaphore::new((policy.places / limits::LARGE_HEADS_PART).max(limits::LARGE_HEADS_MIN)));
    let mut server = http1::Builder::new();
    server.max_buf_size(limits::REQUEST_HEAD_BYTES_MAX);
    let connections = GracefulShutdown::new();
    loop {
        let (stream, peer) = tokio::select! {
            biased;
            () = shutdown.draining() => break,
            // Waits a while when the process is out of files, rather than spin.
            accepted = Listener::accept(&mut listener) => accepted,
        };
        // A proxy brings everybody, as one on this machine does.
        let counted = if proxies.has(peer.ip()) { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { peer.ip() };
        let place = match places.take(counted) {
            Ok(place) => place,
            Err(full) => {
                turned_away.one(full, peer);
                continue;
            }
        };
        // Small answers must not wait for the acknowledgement of earlier ones.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::trace!(%error, "TCP_NODELAY");
        }
        let progress = place.progress().clone();
        let connection =
            Connection::new(stream, place, (large_heads.clone(), gate.clone()), shutdown.clone(), Patience::default());
        let (plane, of_exchanges, proxies) = (plane.clone(), progress.clone(), proxies.clone());
        let answer = service_fn(move |request| exchange(plane.clone(), (&proxies, peer), of_exchanges.clone(), request));
        let served = connections.watch(server.serve_connection(TokioIo::new(connection), answer));
        let counted = Open::one(&open);
        shutdown::spawn("connection", async move {
            let _counted = counted;
            tokio::select! {
                biased;
                () = poll_fn(|cx| progress.poll_ended(cx)) => tracing::trace!("a connection gave its place to another"),
                served = served => if let Err(error) = served {
                    tracing::trace!(%error, "a connection ended");
                },
            }
        });
    }
    drop(listener);
    connections.shutdown().await;
    Ok(())
}

/// Who found no place: told in the log, but not one by one.
struct TurnedAway {
    name: &'static str,
    told_at: Option<Instant>,
    untold: u64,
}

impl TurnedAway {
    fn one(&mut self, full: Full, peer: SocketAddr) {
        self.untold += 1;
        let pause = Duration::from_millis(limits::CONNECTIONS_FULL_TOLD_MS);
        if self.told_at.is_some_and(|told_at| told_at.elapsed() < pause) {
            return;
        }
        let why = match full {
            Full::Address => "its address has as many as one may have",
            Full::Plane => "all others are being answered",
        };
        tracing::warn!(plane = self.name, peer.ip = %peer.ip(), count = self.untold, "a connection was turned away: {why}");
        (self.told_at, self.untold) = (Some(Instant::now()), 0);
    }
}

/// Connections of each plane, of so many that are asked for, where the process may open so many files.
fn connections_within(asked: usize, files: Option<u64>) -> usize {
    let room = files.map_or(u64::MAX, |files| files.saturating_sub(limits::OPEN_FILES_KEPT) / 2);
    asked.min(usize::try_from(room).unwrap_or(usize::MAX)).max(limits::CONNECTIONS_MIN)
}

/// An address to connect to: "every interface" is nobody's.
pub(super) fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

async fn ask(address: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await?;
    let mut status = [0; 12];
    stream.read_exact(&mut status).await?;
    if status.ends_with(b" 200") { Ok(()) } else { Err(io::Error::other(String::from_utf8_lossy(&status).into_owned())) }
}

/// Each connection is an open file; the usual soft bound of 1024 is for programs that use `select`.
fn raise_open_files() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_some() && current != maximum {
        let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    }
}

#[cfg(test)]
mod tests;
