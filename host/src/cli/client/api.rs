//! One request to a node, and its answer. HTTP/1.1, one connection for each; over TLS where the node is `https`, by the
//! system's certificate authorities. No redirect is followed, no proxy used, no cookie kept; the token goes to the node that it
//! is for and appears in no message.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, stream};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, BodyStream, Full, StreamBody};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::ext::on_informational;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, StatusCode};
use hyper_util::rt::TokioIo;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::origin::Origin;
use super::refusal::Refusal;
use crate::cli::failure::{Exit, Failure, Result};
use crate::model::secret::Secret;
use crate::{limits, shutdown};

const USER_AGENT: &str = concat!("picloud/", env!("CARGO_PKG_VERSION"));
/// What a segment of a path, or a value of a query, has as it is; the colon is of verbs such as `routes:match`.
const AS_IT_IS: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b':');

/// A body as it is sent, piece by piece.
pub(super) type Content = UnsyncBoxBody<Bytes, io::Error>;

/// A node, and who asks it.
pub(super) struct Api {
    pub(super) origin: Origin,
    token: Option<Secret>,
}

/// What is asked.
pub(super) struct Ask {
    method: Method,
    /// With the query.
    target: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Content,
    body_bytes: u64,
    /// Told when the node says that the body may come.
    go: Option<Arc<Notify>>,
    within_ms: u64,
}

/// An answer read to its end.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// An answer whose body is still to come.
pub(super) struct Opened {
    pub(super) status: StatusCode,
    headers: HeaderMap,
    body: Incoming,
    /// The connection lives as long as somebody could ask something over it.
    _sender: SendRequest<Content>,
    origin: String,
}

impl Ask {
    pub(super) fn new(method: Method, segments: &[&str]) -> Self {
        let mut target = "/api/v1".to_owned();
        for segment in segments {
            target.push('/');
            target.extend(utf8_percent_encode(segment, AS_IT_IS));
        }
        let (body, within_ms) = (whole(Bytes::new()), limits::CLIENT_ANSWER_MS);
        Self { method, target, headers: Vec::new(), body, body_bytes: 0, go: None, within_ms }
    }

    pub(super) fn get(segments: &[&str]) -> Self {
        Self::new(Method::GET, segments)
    }

    /// Whether the node works: beside the API, and on either plane.
    pub(super) fn health(within_ms: u64) -> Self {
        Self { target: "/healthz".to_owned(), within_ms, ..Self::get(&[]) }
    }

    pub(super) fn delete(segments: &[&str]) -> Self {
        Self::new(Method::DELETE, segments)
    }

    /// A POST without a body.
    pub(super) fn post(segments: &[&str]) -> Self {
        Self::new(Method::POST, segments)
    }

    pub(super) fn query(mut self, name: &str, value: &str) -> Self {
        self.target.push(if self.target.contains('?') { '&' } else { '?' });
        self.target.extend(utf8_percent_encode(name, AS_IT_IS));
        self.target.push('=');
        self.target.extend(utf8_percent_encode(value, AS_IT_IS));
        self
    }

    /// The same where there is a value.
    pub(super) fn maybe(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.query(name, value),
            None => self,
        }
    }

    pub(super) fn header(mut self, name: HeaderName, value: &str) -> Result<Self> {
        let value = HeaderValue::from_str(value).map_err(|_| {
            Failure::new(Exit::Usage, format!("the value of the header {name} has characters that none may have"))
        })?;
        self.headers.push((name, value));
        Ok(self)
    }

    pub(super) fn json(mut self, body: &impl Serialize) -> Result<Self> {
        let body =
            serde_json::to_vec(body).map_err(|e| Failure::new(Exit::Other, format!("the request cannot be written: {e}")))?;
        self.headers.push((header::CONTENT_TYPE, HeaderValue::from_static("application/json")));
        Ok(self.bytes(body))
    }

    pub(super) fn bytes(mut self, body: Vec<u8>) -> Self {
        self.body_bytes = body.len() as u64;
        self.body = whole(body.into());
        self
    }

    /// So many bytes, as they come; waits as long as they may take. Many are sent when the node says that it wants them: who is
    /// in the midst of sending may not see a refusal.
    pub(super) fn streaming(mut self, body: Content, bytes: u64) -> Self {
        self.body_bytes = bytes;
        self.within_ms = limits::CLIENT_UPLOAD_MS;
        self.body = body;
        if bytes >= limits::CLIENT_LONG_BYTES_MIN {
            self.headers.push((header::EXPECT, HeaderValue::from_static("100-continue")));
            let go = Arc::new(Notify::new());
            self.body = after(go.clone(), self.body);
            self.go = Some(go);
        }
        self
    }

    /// Waits as long as any script may run.
    pub(super) fn running_a_script(mut self) -> Self {
        self.within_ms = limits::CLIENT_RUN_MS;
        self
    }
}

impl Api {
    pub(super) fn new(origin: Origin, token: Option<Secret>) -> Self {
        Self { origin, token }
    }

    /// The whole answer, whatever its status.
    pub(super) async fn send(&self, ask: Ask) -> Result<Reply> {
        let within_ms = ask.within_ms;
        let whole = async { self.open(ask).await?.read().await };
        let late = || self.unreachable(&format!("gave no whole answer within {} s", within_ms / 1000));
        timeout(Duration::from_millis(within_ms), whole).await.unwrap_or_else(|_| Err(late()))
    }

    /// The whole answer of a success; a refusal is a failure with its exit code.
    pub(super) async fn ask(&self, ask: Ask) -> Result<Reply> {
        let reply = self.send(ask).await?;
        match Refusal::of(&reply) {
            Some(refusal) => Err(refusal.into_failure(&self.origin)),
            None => Ok(reply),
        }
    }

    /// The head of the answer; its body is read from what is returned.
    pub(super) async fn open(&self, ask: Ask) -> Result<Opened> {
        let within = Duration::from_millis(limits::CLIENT_ANSWER_MS.max(ask.within_ms));
        let opening = async {
            let (host, port) = (self.origin.host(), self.origin.port());
            let stream = TcpStream::connect((host.as_str(), port)).await.map_err(|error| self.unreachable(reason(&error)))?;
            // Small requests should not wait for more to send.
            let _ = stream.set_nodelay(true);
            if !self.origin.is_secure() {
                return self.speak(stream, ask).await;
            }
            let name = ServerName::try_from(host).map_err(|_| self.unreachable("has a host that no certificate names"))?;
            let connector = TlsConnector::from(Arc::new(tls().await?));
            let stream = connector.connect(name, stream).await;
            let stream = stream.map_err(|error| self.unreachable(&format!("cannot be spoken to over TLS: {error}")))?;
            self.speak(stream, ask).await
        };
        let late = || self.unreachable(&format!("did not answer within {} s", within.as_secs()));
        timeout(within, opening).await.unwrap_or_else(|_| Err(late()))
    }

    async fn speak<S>(&self, stream: S, ask: Ask) -> Result<Opened>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let broken = |error: hyper::Error| self.unreachable(broken(&error));
        let message = self.message(ask)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        shutdown::spawn("connection to a node", connection);
        let (head, body) = sender.send_request(message).await.map_err(broken)?.into_parts();
        let origin = self.origin.as_str().to_owned();
        Ok(Opened { status: head.status, headers: head.headers, body, _sender: sender, origin })
    }

    fn message(&self, ask: Ask) -> Result<hyper::Request<Content>> {
        let mut message = hyper::Request::builder()
            .method(&ask.method)
            .uri(&ask.target)
            .header(header::HOST, self.origin.authority())
            .header(header::USER_AGENT, USER_AGENT);
        if let Some(token) = &self.token {
            let bearer = HeaderValue::try_from(format!("Bearer {}", token.expose()));
            // What is wrong with it is not quoted.
            let mut bearer = bearer.map_err(|_| Failure::new(Exit::Usage, "the token has characters that none may have"))?;
            bearer.set_sensitive(true);
            message = message.header(header::AUTHORIZATION, bearer);
        }
        if ask.body_bytes > 0 || ask.method != Method::GET {
            message = message.header(header::CONTENT_LENGTH, ask.body_bytes);
        }
        for (name, value) in ask.headers {
            message = message.header(name, value);
        }
        let message = message.body(ask.body);
        let mut message =
            message.map_err(|error| Failure::new(Exit::Usage, format!("the request cannot be written: {error}")))?;
        if let Some(go) = ask.go {
            on_informational(&mut message, move |_| go.notify_one());
        }
        Ok(message)
    }

    fn unreachable(&self, what: &str) -> Failure {
        unreachable(self.origin.as_str(), what)
    }
}

impl Opened {
    pub(super) async fn read(mut self) -> Result<Reply> {
        let mut body = BytesMut::new();
        while let Some(piece) = self.next().await? {
            if body.len() + piece.len() > limits::CLIENT_ANSWER_BYTES_MAX {
                let most = limits::CLIENT_ANSWER_BYTES_MAX;
                return Err(Failure::new(Exit::Other, format!("{} answered with more than {most} bytes", self.origin)));
            }
            body.extend_from_slice(&piece);
        }
        Ok(Reply { status: self.status, headers: self.headers, body: body.freeze() })
    }

    /// The next piece of the body; none at its end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>> {
        while let Some(frame) = self.body.frame().await {
            if let Ok(data) = frame.map_err(|error| unreachable(&self.origin, broken(&error)))?.into_data() {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }

    pub(super) fn is(&self, media_type: &str) -> bool {
        let told = self.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        told.split(';').next().is_some_and(|told| told.trim().eq_ignore_ascii_case(media_type))
    }
}

impl Reply {
    /// The JSON of an answer; null where there is none.
    pub(super) fn value(&self) -> Result<Value> {
        if self.body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&self.body).map_err(|_| not_a_node())
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

fn whole(body: Bytes) -> Content {
    Full::new(body).map_err(|never| match never {}).boxed_unsync()
}

/// The same body, once it may come, or nobody said so for a while.
fn after(go: Arc<Notify>, body: Content) -> Content {
    let body = stream::once(async move {
        let _ = timeout(Duration::from_millis(limits::CLIENT_CONTINUE_MS), go.notified()).await;
        BodyStream::new(body)
    });
    StreamBody::new(body.flatten()).boxed_unsync()
}

/// What answers is no JSON of ours.
pub(super) fn not_a_node() -> Failure {
    Failure::new(
        Exit::Other,
        "the answer is not one of a PiCloud node: is the URL that of its control plane (PICLOUD_ADMIN_BIND)?",
    )
}

fn unreachable(origin: &str, what: &str) -> Failure {
    Failure::new(Exit::Unreachable, format!("{origin} {what}"))
}

fn reason(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "refuses connections: is the node running? (another one: --url, or PICLOUD_URL)",
        io::ErrorKind::TimedOut => "does not answer",
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable | io::ErrorKind::NetworkDown => {
            "cannot be reached from here"
        }
        _ => "cannot be reached: is its name right?",
    }
}

/// In words of our own, which quote nothing that was sent.
fn broken(error: &hyper::Error) -> &'static str {
    if error.is_parse() {
        "answers what is not HTTP/1.1: is it the right port, and http or https as the node is?"
    } else if error.is_user() {
        "was not sent all: what was to be sent became shorter, or could not be read"
    } else {
        "broke off the connection"
    }
}

/// TLS 1.2 and 1.3 by the system's authorities (or those of `SSL_CERT_FILE`).
async fn tls() -> Result<ClientConfig> {
    let failed = |why: String| Failure::new(Exit::Other, format!("TLS cannot be used: {why}"));
    let loaded = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs).await;
    let loaded = loaded.map_err(|error| failed(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(loaded.certs);
    if added == 0 {
        return Err(failed("no certificate authorities on this machine (install ca-certificates)".to_owned()));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider())).with_safe_default_protocol_versions();
    let config = config.map_err(|error| failed(error.to_string()))?;
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_name_stays_one_segment() {
        let ask = Ask::get(&["admin", "apps", "a/../b?x#y", "secrets", "é%"]).query("cursor", "a&b=c d");
        assert_eq!(ask.target, "/api/v1/admin/apps/a%2F..%2Fb%3Fx%23y/secrets/%C3%A9%25?cursor=a%26b%3Dc%20d");
        assert_eq!(
            Ask::post(&["admin", "routes:match"]).maybe("a", None).maybe("b", Some("1")).target,
            "/api/v1/admin/routes:match?b=1"
        );
    }

    #[test]
    fn a_message_has_the_token_as_a_sensitive_header_and_nowhere_else() {
        let origin = Origin::parse("http://[::1]:8081").unwrap();
        let api = Api::new(origin, Some(Secret::new("pics_hush".to_owned())));
        let message = api.message(Ask::post(&["admin", "apps"]).json(&serde_json::json!({})).unwrap()).unwrap();
        assert!(message.headers()[header::AUTHORIZATION].is_sensitive());
        assert_eq!(message.headers()[header::HOST], "[::1]:8081");
        assert_eq!(message.headers()[header::USER_AGENT], USER_AGENT);
        assert!(!format!("{message:?}").contains("hush"));
        let bad = Api::new(Origin::parse("http://[::1]").unwrap(), Some(Secret::new("hush\n".to_owned())));
        assert!(!bad.message(Ask::get(&[])).unwrap_err().into_line().contains("hush"));
    }

    #[tokio::test]
    async fn a_node_that_is_not_there_is_told_with_its_own_exit_code() {
        // A port that was free a moment ago.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let api = Api::new(Origin::parse(&format!("http://127.0.0.1:{port}")).unwrap(), None);
        let failure = api.send(Ask::get(&["limits"])).await.unwrap_err();
        assert_eq!(failure.exit(), Exit::Unreachable);
        assert!(failure.into_line().contains("refuses connections"));
    }
}
