//! A host that answers nobody until it is opened.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use picloud::egress::{Network, Table};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::SOON;
use crate::support::{Options, Tenant, TestApp, eventually};

/// Waits at the gate for as long as that is shut.
const WAITS: &str = r#"http::get("http://gate.example.com/", #{ timeout_ms: 30000 }).status"#;

pub(super) struct Gate {
    open: watch::Sender<bool>,
    /// Requests that have come and are not answered.
    waiting: Arc<AtomicUsize>,
    network: Network,
}

impl Gate {
    pub(super) async fn shut() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address: SocketAddr = "93.184.216.34:80".parse().expect("a socket");
        let mut table = Table::default();
        table.names.insert("gate.example.com".to_owned(), vec![vec![address.ip()]]);
        table.servers.insert(address, listener.local_addr().expect("an address"));
        let ((open, opened), waiting) = (watch::channel(false), Arc::new(AtomicUsize::new(0)));
        let count = waiting.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(let_through(stream, opened.clone(), count.clone()));
            }
        });
        Self { open, waiting, network: Network::Table(Arc::new(table)) }
    }

    /// A node whose scripts' requests lead here.
    pub(super) async fn node(&self) -> TestApp {
        TestApp::start_with(Options { network: self.network.clone(), ..Options::default() }).await
    }

    /// An app of which `/wait` waits here; the id of that script.
    pub(super) async fn app(&self, node: &TestApp, slug: &str) -> (Tenant, String) {
        let tenant = node.create_app(slug).await;
        tenant.grant(json!({ "http": ["*"] })).await;
        let script = tenant.deploy_with("/wait", WAITS, json!({ "limits": { "timeout_ms": 60_000 } })).await;
        (tenant, script.id)
    }

    /// From now on everybody is answered.
    pub(super) fn open(&self) {
        self.open.send_replace(true);
    }

    /// Until so many wait.
    pub(super) async fn has(&self, requests: usize) {
        eventually(&format!("{requests} requests wait at the gate"), SOON, async || (self.waiting() == requests).then_some(()))
            .await;
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }
}

async fn let_through(mut stream: TcpStream, mut opened: watch::Receiver<bool>, waiting: Arc<AtomicUsize>) {
    let mut bytes = Vec::new();
    while !bytes.windows(4).any(|window| window == b"\r\n\r\n") {
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return;
        }
    }
    waiting.fetch_add(1, Ordering::SeqCst);
    let is_open = opened.wait_for(|open| *open).await.is_ok();
    waiting.fetch_sub(1, Ordering::SeqCst);
    if is_open {
        let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await;
    }
}
