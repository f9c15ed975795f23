//! The two listeners: taken before anything slow begins, served until the end.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use axum::serve::Listener;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tower::Service;

use super::connection::{Connection, Exchanges};
use super::failure::{Exit, Failure, Result};
use crate::ingress::Ingress;
use crate::limits;
use crate::shutdown::{self, Shutdown};

/// Both planes' listeners.
#[derive(Debug)]
pub(super) struct Listeners {
    data: TcpListener,
    admin: TcpListener,
    pub(super) addresses: Addresses,
}

/// Where the planes answer, with the ports that were given.
#[derive(Debug, Clone, Copy)]
pub(super) struct Addresses {
    pub(super) data: SocketAddr,
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
    pub(super) async fn bind(data: SocketAddr, admin: SocketAddr) -> Result<Self> {
        raise_open_files();
        let data = bind(data, "scripts (the data plane)", "--bind or PICLOUD_BIND").await?;
        let admin = bind(admin, "the administration", "--admin-bind or PICLOUD_ADMIN_BIND").await?;
        let address = |listener: &TcpListener| listener.local_addr().map_err(|e| Failure::new(Exit::Address, e.to_string()));
        let addresses = Addresses { data: address(&data)?, admin: address(&admin)? };
        Ok(Self { data, admin, addresses })
    }

    /// Serves until `shutdown` drains; a connection's running request is finished first.
    pub(super) fn serve(self, data: Ingress, admin: Router, shutdown: &Shutdown) -> Serving {
        let mut planes = JoinSet::new();
        let (data, admin) = (serve(self.data, data, shutdown.clone()), serve(self.admin, admin, shutdown.clone()));
        planes.spawn(async move { ("data plane", data.await) });
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
    pub(super) fn data_url(&self) -> String {
        format!("http://{}", reachable(self.data))
    }

    pub(super) fn admin_url(&self) -> String {
        format!("http://{}", reachable(self.admin))
    }

    /// Where an app answers.
    pub(super) fn app_url(&self, slug: &str, apps_domain: &str) -> String {
        match self.data.port() {
            80 => format!("http://{slug}.{apps_domain}"),
            port => format!("http://{slug}.{apps_domain}:{port}"),
        }
    }

    /// Asks both planes for their health, as a client would.
    pub(super) async fn answer(&self) -> Result<()> {
        for (name, address) in [("data plane", self.data), ("control plane", self.admin)] {
            if let Err(error) = ask(reachable(address)).await {
                return Err(Failure::new(
                    Exit::Address,
                    format!("the {name} at {address} does not answer its own health check: {error}"),
                ));
            }
        }
        Ok(())
    }

    /// Says in the ready file, whole or not at all, that both planes answer.
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
async fn serve<P>(mut listener: TcpListener, plane: P, shutdown: Shutdown) -> io::Result<()>
where
    P: Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static,
{
    let places = Arc::new(Semaphore::new(limits::CONNECTIONS_MAX));
    let connections = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.draining() => break,
            accepted = accept(&mut listener, &places) => accepted,
        };
        let Some((stream, peer, place)) = accepted else { continue };
        let exchanges = Exchanges::default();
        let connection = Connection::new(stream, place, shutdown.clone(), exchanges.clone());
        let plane = plane.clone();
        let answer = service_fn(move |request: hyper::Request<Incoming>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(peer));
            let answering = exchanges.answer();
            let answer = plane.clone().call(request);
            async move {
                let answer = answer.await;
                drop(answering);
                answer
            }
        });
        let served = connections.watch(http1::Builder::new().serve_connection(TokioIo::new(connection), answer));
        shutdown::spawn("connection", async move {
            if let Err(error) = served.await {
                tracing::trace!(%error, "a connection ended");
            }
        });
    }
    drop(listener);
    connections.shutdown().await;
    Ok(())
}

/// The next connection once there is a place for it.
async fn accept(listener: &mut TcpListener, places: &Arc<Semaphore>) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.ok()?;
    // Waits a while when the process is out of files, rather than spin.
    let (stream, peer) = Listener::accept(listener).await;
    // Small answers must not wait for the acknowledgement of earlier ones.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::trace!(%error, "TCP_NODELAY");
    }
    Some((stream, peer, place))
}

/// An address to connect to: "every interface" is nobody's.
fn reachable(address: SocketAddr) -> SocketAddr {
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
mod tests {
    use super::*;

    fn addresses(data: &str) -> Addresses {
        Addresses { data: data.parse().unwrap(), admin: "127.0.0.1:8081".parse().unwrap() }
    }

    #[test]
    fn urls_can_be_opened() {
        assert_eq!(addresses("0.0.0.0:8080").data_url(), "http://127.0.0.1:8080");
        assert_eq!(addresses("[::]:8080").data_url(), "http://[::1]:8080");
        assert_eq!(addresses("10.0.0.7:80").data_url(), "http://10.0.0.7:80");
        assert_eq!(addresses("0.0.0.0:80").app_url("hello", "example.org"), "http://hello.example.org");
        assert_eq!(addresses("0.0.0.0:8080").app_url("hello", "localhost"), "http://hello.localhost:8080");
    }

    #[tokio::test]
    async fn a_taken_port_says_how_to_mend_it() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = taken.local_addr().unwrap();
        let failure = Listeners::bind(address, "127.0.0.1:0".parse().unwrap()).await.unwrap_err();
        let line = format!("{failure:?}");
        assert!(line.contains(&format!("port {} is taken", address.port())) && line.contains("PICLOUD_BIND"), "{line}");
    }
}
