//! One connection to the collector, made anew where it ended.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use url::Url;

use crate::egress::network::Network;
use crate::egress::tls::Tls;
use crate::{limits, shutdown};

/// Why a request was not taken.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It may be later.
    Passing(String),
    Lasting(String),
}

pub(super) struct Wire {
    endpoint: Url,
    headers: Vec<(String, String)>,
    tls: Tls,
    connection: Option<SendRequest<Full<Bytes>>>,
}

impl Wire {
    pub(super) fn to(endpoint: Url, headers: Vec<(String, String)>) -> Self {
        Self { endpoint, headers, tls: Tls::default(), connection: None }
    }

    /// Hands a body in; `path` goes behind the endpoint's.
    pub(super) async fn post(&mut self, path: &str, body: Vec<u8>) -> Result<(), Trouble> {
        let within = Duration::from_millis(limits::OTLP_TIMEOUT_MS);
        let done = timeout(within, self.exchange(path, body)).await;
        let done = done.unwrap_or_else(|_| Err(Trouble::Passing(format!("no answer within {} ms", within.as_millis()))));
        if done.is_err() {
            self.connection = None;
        }
        done
    }

    async fn exchange(&mut self, path: &str, body: Vec<u8>) -> Result<(), Trouble> {
        let request = self.request(path, body)?;
        let mut kept = self.connection.take();
        let is_open = match &mut kept {
            Some(sender) => sender.ready().await.is_ok(),
            None => false,
        };
        let mut sender = match kept.filter(|_| is_open) {
            Some(sender) => sender,
            None => self.connect().await?,
        };
        let answer = sender.send_request(request).await.map_err(|error| Trouble::Passing(error.to_string()))?;
        let status = answer.status();
        // What it says is not needed, but has to be out of the way of the next answer.
        if Limited::new(answer.into_body(), limits::OTLP_ANSWER_BYTES_MAX).collect().await.is_ok() {
            self.connection = Some(sender);
        }
        match status {
            status if status.is_success() => Ok(()),
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => Err(Trouble::Passing(format!("it answered {status}"))),
            status => Err(Trouble::Lasting(format!("it answered {status}"))),
        }
    }

    fn request(&self, path: &str, body: Vec<u8>) -> Result<Request<Full<Bytes>>, Trouble> {
        let target = format!("{}/{path}", self.endpoint.path().trim_end_matches('/'));
        let host = self.endpoint.host_str().unwrap_or_default();
        let authority = self.endpoint.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let mut request = Request::post(target)
            .header(header::HOST, authority)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, concat!("picloud/", env!("CARGO_PKG_VERSION")));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request.body(Full::new(Bytes::from(body))).map_err(|error| Trouble::Lasting(error.to_string()))
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, Trouble> {
        let host = self.endpoint.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let port = self.endpoint.port_or_known_default().unwrap_or_default();
        let stream = TcpStream::connect((host, port)).await.map_err(|error| Trouble::Passing(error.to_string()))?;
        let _ = stream.set_nodelay(true);
        if self.endpoint.scheme() == "http" {
            return shake_hands(stream).await;
        }
        let stream = self.tls.connect(&Network::default(), host, stream).await;
        shake_hands(stream.map_err(|error| Trouble::Passing(error.message.to_string()))?).await
    }
}

async fn shake_hands<S>(stream: S) -> Result<SendRequest<Full<Bytes>>, Trouble>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| Trouble::Passing(error.to_string()))?;
    // Ends when the sender is dropped.
    shutdown::spawn("collector", async move {
        let _ = connection.await;
    });
    Ok(sender)
}
