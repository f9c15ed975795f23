//! The only door by which script traffic leaves.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::exchange::{Answered, exchange};
use super::gate::{Allowance, Gate, Place};
use super::network::Network;
use super::policy::{self, Own, Refusal};
use super::redirect;
use super::tls::Tls;
use crate::error::{Error, Kind, Result};
use crate::id::AppId;
use crate::limits;
use crate::model::grant::{Capability, Grants, Need};
use crate::model::http::{Request, Response, Target};

/// One for each process.
#[derive(Debug)]
pub struct Client {
    network: Network,
    own: Own,
    tls: Tls,
    gate: Gate,
}

/// Where a client's requests go, and where they never do.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    pub network: Network,
    /// What no script may reach, whatever it was granted: this node's listeners and its database.
    pub own: Own,
}

/// On whose behalf a request leaves.
#[derive(Debug, Clone, Copy)]
pub struct Traveller<'a> {
    pub app: AppId,
    pub slug: &'a str,
    pub grants: &'a Grants,
    pub allowance: &'a Allowance,
}

impl Client {
    pub fn new(settings: Settings) -> Self {
        let Settings { network, own } = settings;
        Self { network, own, tls: Tls::default(), gate: Gate::new(limits::HTTP_CALLS_PER_APP_MAX) }
    }

    /// Sends a request and reads the whole answer, within the request's time. Any status is an answer.
    ///
    /// # Errors
    /// 403 `denied`: a host that is not granted, an address that scripts do not reach, a redirect that is not followed.
    /// 429 `limit_exceeded`: a bound of `limits`. 504 `timed_out`. 503 `unavailable`: no address, no connection, no TLS, or an
    /// answer that is not HTTP.
    pub async fn send(&self, traveller: Traveller<'_>, request: Request) -> Result<Response> {
        let ms = request.timeout_ms;
        let until = Instant::now() + Duration::from_millis(ms.into());
        let Ok(place) = timeout_at(until, self.gate.enter(traveller.app)).await else {
            let message =
                format!("{} calls of the app are under way, and none ended within {ms} ms", limits::HTTP_CALLS_PER_APP_MAX);
            return Err(Error::new(Kind::RateLimited, "limit_exceeded", message));
        };
        let place = place?;
        let host = request.target.host().to_owned();
        match timeout_at(until, self.follow(traveller, request, &place)).await {
            Ok(answered) => answered,
            Err(_) => Err(timed_out(format!("`{host}` gave no whole answer within {ms} ms"))),
        }
    }

    async fn follow(&self, traveller: Traveller<'_>, mut request: Request, place: &Place) -> Result<Response> {
        let mut answered = self.hop(traveller, &request, place).await?;
        for _ in 0..limits::HTTP_REDIRECTS_MAX {
            let (status, location) = match answered {
                Answered::Whole(response) => return Ok(response),
                Answered::Elsewhere { status, location } => (status, location),
            };
            let from = request.target.host().to_owned();
            request = redirect::next(request, status, &location)?;
            let hop = self.hop(traveller, &request, place).await;
            answered = hop.map_err(|error| redirect::onto(&from, &request.target, error))?;
        }
        match answered {
            Answered::Whole(response) => Ok(response),
            Answered::Elsewhere { .. } => {
                let message = format!("`{}` redirects on after {} redirects", request.target.host(), limits::HTTP_REDIRECTS_MAX);
                Err(Error::new(Kind::RateLimited, "limit_exceeded", message))
            }
        }
    }

    /// One request to one host: granted, looked up once, judged, connected to what was judged.
    async fn hop(&self, traveller: Traveller<'_>, request: &Request, place: &Place) -> Result<Answered> {
        let target = &request.target;
        traveller.grants.require(&Need::new(Capability::Http, target.host()), traveller.slug)?;
        traveller.allowance.take()?;
        let until = Instant::now() + Duration::from_millis(limits::HTTP_CONNECT_MS);
        let late = |_| timed_out(format!("no connection to `{}` within {} ms", target.host(), limits::HTTP_CONNECT_MS));
        let judged = timeout_at(until, self.judge(traveller, target, place)).await.map_err(late)??;
        let stream = timeout_at(until, self.connect(target, &judged, until)).await.map_err(late)??;
        if !target.is_secure() {
            return exchange(stream, request).await;
        }
        let name = target.address().map_or_else(|| target.host().to_owned(), |address| address.to_string());
        let stream = timeout_at(until, self.tls.connect(&self.network, &name, stream)).await.map_err(late)??;
        exchange(stream, request).await
    }

    async fn judge(&self, traveller: Traveller<'_>, target: &Target, place: &Place) -> Result<policy::Judged> {
        let (host, port) = (target.host(), target.port());
        let addresses = match target.address() {
            Some(address) => vec![address],
            None => {
                let found = self.network.resolve(host, place).await.unwrap_or_default();
                if found.is_empty() {
                    return Err(unavailable(format!("the name `{host}` has no address")));
                }
                found
            }
        };
        let own = self.own_at(port, place).await?;
        let is_this_machine = |address| self.network.is_this_machine(address);
        let judged = policy::judge(&addresses, port, traveller.grants.networks(), &own, &is_this_machine)
            .map_err(|refusal| denied(host, refusal))?;
        if let Some(network) = judged.through {
            // A literal is an address, which does not belong into the log.
            let host = if target.address().is_some() { "(an address)" } else { host };
            tracing::info!(app.id = %traveller.app, host, %network, "a script reaches the local network by its app's grant");
        }
        Ok(judged)
    }

    /// What is ours, as far as it concerns that port: a database known by name is looked up only then.
    async fn own_at(&self, port: u16, place: &Place) -> Result<Own> {
        let mut own = self.own.clone();
        for (name, _) in self.own.names.iter().filter(|(_, own)| *own == port) {
            let found = self.network.resolve(name, place).await;
            // Not knowing what is ours, nothing at that port is reached.
            let found = found.map_err(|_| unavailable(format!("port {port} cannot be used at the moment; try again")))?;
            own.sockets.extend(found.into_iter().map(|address| SocketAddr::new(address, port)));
        }
        Ok(own)
    }

    /// The first of the judged addresses that answers; each has its share of the time that is left.
    async fn connect(&self, target: &Target, judged: &policy::Judged, until: Instant) -> Result<TcpStream> {
        let tried = || judged.sockets.iter().take(limits::HTTP_ADDRESSES_TRIED_MAX);
        let mut why = "it took too long";
        for (n, socket) in tried().enumerate() {
            let left = until.saturating_duration_since(Instant::now());
            let share = left / u32::try_from(tried().count() - n).unwrap_or(1);
            match timeout_at(Instant::now() + share, self.network.connect(*socket)).await {
                Ok(Ok(stream)) => {
                    // Small requests should not wait for more to send.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Ok(Err(error)) => why = reason(&error),
                Err(_) => why = "it took too long",
            }
        }
        Err(unavailable(format!("no connection to `{}`: {why}", target.host())))
    }
}

fn denied(host: &str, refusal: Refusal) -> Error {
    let message = match refusal {
        Refusal::Ungranted(class) => {
            format!("`{host}` leads to {}; a grant for its network (such as 10.0.0.0/8) allows that", class.words())
        }
        Refusal::Never(class) => format!("`{host}` leads to {}, which no script reaches", class.words()),
        Refusal::Own => format!("`{host}` leads to this node itself or to its database, which no script reaches"),
    };
    Error::new(Kind::Forbidden, "denied", message)
}

fn reason(error: &std::io::Error) -> &'static str {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::ConnectionRefused => "it was refused",
        ErrorKind::TimedOut => "it took too long",
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown => "there is no way there",
        _ => "it failed",
    }
}

fn timed_out(message: String) -> Error {
    Error::new(Kind::TimedOut, "timed_out", message)
}

fn unavailable(message: String) -> Error {
    Error::new(Kind::Overloaded, "unavailable", message)
}
