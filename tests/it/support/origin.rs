//! Servers on the other side of a script's request: they answer what a test says, byte for byte, and keep what they were sent.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use picloud::egress::{Network, Table};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) method: String,
    pub(crate) target: String,
    /// Lower-case names, in order.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }
}

/// The bytes to answer with; none leaves the request without an answer for ever.
type Answer = dyn Fn(&Received) -> Option<Vec<u8>> + Send + Sync;

pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    /// The certificate to trust, DER; of a TLS server only.
    pub(crate) certificate: Vec<u8>,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Origin {
    pub(crate) async fn plain(answer: impl Fn(&Received) -> Option<Vec<u8>> + Send + Sync + 'static) -> Self {
        Self::serve(None, Vec::new(), answer).await
    }

    /// With a certificate of its own for a name.
    pub(crate) async fn tls(name: &str, answer: impl Fn(&Received) -> Option<Vec<u8>> + Send + Sync + 'static) -> Self {
        Self::tls_with(name, |_| {}, answer).await
    }

    pub(crate) async fn tls_with(
        name: &str,
        change: impl FnOnce(&mut rcgen::CertificateParams),
        answer: impl Fn(&Received) -> Option<Vec<u8>> + Send + Sync + 'static,
    ) -> Self {
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).expect("a name");
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        change(&mut params);
        let certificate = params.self_signed(&key).expect("a certificate");
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
            .expect("a usable key");
        Self::serve(Some(TlsAcceptor::from(Arc::new(config))), certificate.der().to_vec(), answer).await
    }

    /// Says something before it was asked, and no more.
    pub(crate) async fn blurting(bytes: &'static [u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                drop((stream.write_all(bytes).await, stream.read(&mut [0; 1024]).await));
            }
        });
        Self { address, certificate: Vec::new(), received: Arc::default() }
    }

    async fn serve(
        tls: Option<TlsAcceptor>,
        certificate: Vec<u8>,
        answer: impl Fn(&Received) -> Option<Vec<u8>> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let received = Arc::new(Mutex::new(Vec::new()));
        let (kept, answer): (_, Arc<Answer>) = (received.clone(), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, kept, answer) = (tls.clone(), kept.clone(), answer.clone());
                tokio::spawn(async move {
                    match tls {
                        None => exchange(stream, &kept, &*answer).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                exchange(stream, &kept, &*answer).await;
                            }
                        }
                    }
                });
            }
        });
        Self { address, certificate, received }
    }

    /// The same server, whose certificate nobody is told to trust.
    pub(crate) fn unnamed(self) -> Self {
        Self { certificate: Vec::new(), ..self }
    }

    /// What came so far.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().expect("not poisoned").clone()
    }
}

async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, kept: &Mutex<Vec<Received>>, answer: &Answer) {
    let Some(request) = read(&mut stream).await else { return };
    kept.lock().expect("not poisoned").push(request.clone());
    match answer(&request) {
        // A client that has read enough may be gone.
        Some(bytes) => drop((stream.write_all(&bytes).await, stream.shutdown().await)),
        // Until the client gives up.
        None => drop(stream.read(&mut [0]).await),
    }
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<Received> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).expect("a head of text");
    let mut lines = head.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let mut body = bytes.split_off(end + 4);
    let length =
        headers.iter().find(|(name, _)| name == "content-length").map_or(0, |(_, value)| value.parse().expect("a length"));
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    Some(Received { method, target, headers, body })
}

/// A whole answer with a body.
pub(crate) fn answer(status: &str, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Option<Vec<u8>> {
    let body = body.as_ref();
    let mut bytes = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n", body.len()).into_bytes();
    for (name, value) in headers {
        bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    Some(bytes)
}

/// A redirect.
pub(crate) fn to(status: &str, location: &str) -> Option<Vec<u8>> {
    answer(status, &[("location", location)], "")
}

pub(crate) fn gzip(body: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(body).expect("written to memory");
    encoder.finish().expect("written to memory")
}

/// A network of names, and of addresses behind which a server of the test's answers.
#[derive(Default)]
pub(crate) struct Internet {
    table: Table,
}

impl Internet {
    /// What a name's lookups answer, one after the other; the last one stays.
    pub(crate) fn name(mut self, name: &str, answers: &[&[&str]]) -> Self {
        let addresses = |answer: &&[&str]| answer.iter().map(|address| address.parse().expect("an address")).collect();
        self.table.names.insert(name.to_owned(), answers.iter().map(addresses).collect());
        self
    }

    /// Who answers at `address:port`.
    pub(crate) fn server(mut self, socket: &str, origin: &Origin) -> Self {
        self.table.servers.insert(socket.parse().expect("a socket"), origin.address);
        if !origin.certificate.is_empty() {
            self.table.authorities.push(origin.certificate.clone());
        }
        self
    }

    /// A name with one address, and who answers there.
    pub(crate) fn host(self, name: &str, socket: &str, origin: &Origin) -> Self {
        let address: SocketAddr = socket.parse().expect("a socket");
        self.name(name, &[&[&address.ip().to_string()]]).server(socket, origin)
    }

    pub(crate) fn machine(mut self, address: &str) -> Self {
        self.table.machine.push(address.parse().expect("an address"));
        self
    }

    pub(crate) fn table(self) -> Arc<Table> {
        Arc::new(self.table)
    }

    pub(crate) fn network(self) -> Network {
        Network::Table(self.table())
    }
}
