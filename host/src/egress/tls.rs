//! TLS with the system's certificate authorities, read once, when first needed.

use std::io;
use std::sync::Arc;

use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{self, CertificateError, ClientConfig, RootCertStore};

use super::network::Network;
use crate::error::{Error, Kind, Result};

#[derive(Debug, Default)]
pub(super) struct Tls {
    config: OnceCell<Arc<ClientConfig>>,
}

impl Tls {
    /// TLS 1.2 or 1.3 over a connection, with a certificate for `host` (a name, or an address without brackets).
    pub(super) async fn connect<S>(&self, network: &Network, host: &str, stream: S) -> Result<TlsStream<S>>
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    {
        let config = self.config.get_or_try_init(|| config(network)).await?.clone();
        let name = ServerName::try_from(host.to_owned()).map_err(|_| failed(host, "the host is no name of a certificate"))?;
        TlsConnector::from(config).connect(name, stream).await.map_err(|error| failed(host, reason(&error)))
    }
}

async fn config(network: &Network) -> Result<Arc<ClientConfig>> {
    let authorities = match network {
        Network::System { .. } => {
            let loaded = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs).await.map_err(Error::internal)?;
            if !loaded.errors.is_empty() {
                tracing::warn!(errors = ?loaded.errors, "some of the system's certificate authorities could not be read");
            }
            loaded.certs
        }
        Network::Table(table) => table.authorities.iter().map(|der| CertificateDer::from(der.clone())).collect(),
    };
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(authorities);
    if added == 0 {
        tracing::error!("no certificate authorities on this machine: scripts cannot reach https (install ca-certificates)");
        return Err(unavailable("this node has no certificate authorities, so https cannot be used".to_owned()));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(Error::internal)?;
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // A session resumed would tell a server that two apps are neighbours.
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// In words of our own: the library's quote what the certificate names, addresses too.
fn reason(error: &io::Error) -> &'static str {
    match error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(error)) => match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => "its certificate has expired",
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "its certificate is not valid yet",
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "its certificate is for another name"
            }
            CertificateError::UnknownIssuer => "its certificate is of an authority that this node does not trust",
            CertificateError::Revoked => "its certificate was revoked",
            _ => "its certificate is not valid",
        },
        Some(_) => "the handshake failed",
        None => "the connection broke off",
    }
}

fn failed(host: &str, reason: &str) -> Error {
    unavailable(format!("no TLS with `{host}`: {reason}"))
}

fn unavailable(message: String) -> Error {
    Error::new(Kind::Overloaded, "unavailable", message)
}
