//! The only door by which script traffic leaves.

use std::net::SocketAddr;
use std::time::Duration;

use ipnet::IpNet;
use tokio::io::AsyncReadExt as _;
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
use crate::model::http::{Redirects, Request, Response, Target};

/// One for each process.
#[derive(Debug)]
pub struct Client {
    network: Network,
    own: Own,
    tls: Tls,
    gate: Gate,
    /// Looks at proofs that are under way.
    proofs: Gate,
}

/// Where a client's requests go, and where they never do.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    pub network: Network,
    /// What no script may reach, whatever it was granted: this node's listeners and its database.
    pub own: Own,
}

/// Whether an app may send one more request just now.
pub(crate) type MayGo<'a> = dyn Fn() -> Result<()> + Send + Sync + 'a;

/// On whose behalf a request leaves.
#[derive(Clone, Copy)]
pub struct Traveller<'a> {
    pub app: AppId,
    pub slug: &'a str,
    pub grants: &'a Grants,
    pub allowance: &'a Allowance,
    pub may_go: &'a MayGo<'a>,
}

impl Client {
    pub fn new(settings: Settings) -> Self {
        let Settings { network, own } = settings;
        let (gate, proofs) = (Gate::new(limits::HTTP_CALLS_PER_APP_MAX), Gate::new(limits::DOMAIN_PROOFS_PER_APP_MAX));
        Self { network, own, tls: Tls::default(), gate, proofs }
    }

    /// The TXT records of a name, at most `DOMAIN_TXT_RECORDS_MAX`, within `DOMAIN_PROOF_MS`: none when there is no such name.
    ///
    /// # Errors
    /// 429 `rate_limited`: too many looks at once for the app. 504 `timed_out`, 503 `unavailable`: the DNS could not be asked.
    pub async fn txt(&self, app: AppId, name: &str) -> Result<Vec<String>> {
        let _place = self.enter_to_look(app).await?;
        let until = Instant::now() + Duration::from_millis(limits::DOMAIN_PROOF_MS);
        let late = || timed_out(format!("nothing was heard of `{name}` within {} ms; try again", limits::DOMAIN_PROOF_MS));
        timeout_at(until, self.network.txt(name)).await.unwrap_or_else(|_| Err(late()))
    }

    /// What is answered at a plain URL (`http://`) of a public host, within `DOMAIN_PROOF_MS`: no grant counts, no redirect is
    /// followed.
    ///
    /// # Errors
    /// 403 `denied`: the host leads to an address that is not public, or to this node itself. 413 `request_too_large`: more
    /// than `DOMAIN_PROOF_ANSWER_BYTES_MAX`. 429 `rate_limited`: too many looks at once for the app. 504 `timed_out`, 503
    /// `unavailable` as [`Client::send`].
    pub async fn probe(&self, app: AppId, url: &str) -> Result<Response> {
        let place = self.enter_to_look(app).await?;
        let until = Instant::now() + Duration::from_millis(limits::DOMAIN_PROOF_MS);
        let request = Request {
            method: "GET".to_owned(),
            target: Target::parse(url)?,
            // Not packed: what is sent is what is read.
            headers: vec![("accept-encoding".to_owned(), "identity".to_owned())],
            body: None,
            redirects: Redirects::Answer,
            timeout_ms: limits::HTTP_TIMEOUT_MS_DEFAULT,
        };
        let host = request.target.host();
        let late = || timed_out(format!("`{host}` gave no whole answer within {} ms", limits::DOMAIN_PROOF_MS));
        timeout_at(until, self.ask_in_public(&request, &place, until)).await.unwrap_or_else(|_| Err(late()))
    }

    async fn enter_to_look(&self, app: AppId) -> Result<Place> {
        let until = Instant::now() + Duration::from_millis(limits::DOMAIN_PROOF_WAIT_MS);
        timeout_at(until, self.proofs.enter(app)).await.unwrap_or_else(|_| {
            let message = format!("{} looks at proofs of the app are under way; try again", limits::DOMAIN_PROOFS_PER_APP_MAX);
            Err(Error::new(Kind::RateLimited, "rate_limited", message))
        })
    }

    async fn ask_in_public(&self, request: &Request, place: &Place, until: Instant) -> Result<Response> {
        let (target, bytes_max) = (&request.target, limits::DOMAIN_PROOF_ANSWER_BYTES_MAX);
        let judged = self.judge(target, &[], place).await?.map_err(|refusal| not_public(target.host(), refusal))?;
        let (read, write) = self.connect(target, &judged, until).await?.into_split();
        let mut stream = tokio::io::join(read.take(bytes_max), write);
        let answered = exchange(&mut stream, request).await;
        if stream.reader().limit() == 0 {
            let message = format!("`{}` answered with more than {bytes_max} bytes", target.host());
            return Err(Error::new(Kind::TooLarge, "request_too_large", message));
        }
        match answered? {
            Answered::Whole(response) => Ok(response),
            Answered::Elsewhere { .. } => Err(Error::internal("a redirect was taken that was not to be followed")),
        }
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
        (traveller.may_go)()?;
        let until = Instant::now() + Duration::from_millis(limits::HTTP_CONNECT_MS);
        let late = |_| timed_out(format!("no connection to `{}` within {} ms", target.host(), limits::HTTP_CONNECT_MS));
        let judged = timeout_at(until, self.judge(target, traveller.grants.networks(), place)).await.map_err(late)??;
        let judged = judged.map_err(|refusal| denied(target.host(), refusal))?;
        if let Some(network) = judged.through {
            // A literal is an address, which does not belong into the log.
            let host = if target.address().is_some() { "(an address)" } else { target.host() };
            tracing::info!(app.id = %traveller.app, host, %network, "a script reaches the local network by its app's grant");
        }
        let stream = timeout_at(until, self.connect(target, &judged, until)).await.map_err(late)??;
        if !target.is_secure() {
            return exchange(stream, request).await;
        }
        let name = target.address().map_or_else(|| target.host().to_owned(), |address| address.to_string());
        let stream = timeout_at(until, self.tls.connect(&self.network, &name, stream)).await.map_err(late)??;
        exchange(stream, request).await
    }

    /// Where the target may be connected to: `networks` are those of the local network that count as granted.
    async fn judge(&self, target: &Target, networks: &[IpNet], place: &Place) -> Result<Result<policy::Judged, Refusal>> {
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
        Ok(policy::judge(&addresses, port, networks, &own, &is_this_machine))
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

/// In other words, for what no grant is asked.
fn not_public(host: &str, refusal: Refusal) -> Error {
    let message = match refusal {
        Refusal::Ungranted(class) | Refusal::Never(class) => {
            format!("`{host}` leads to {}, where nothing is looked up", class.words())
        }
        Refusal::Own => format!("`{host}` leads to this node itself"),
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
