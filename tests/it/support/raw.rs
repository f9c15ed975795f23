//! HTTP/1.1 by hand, for what no client would send.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Writes the bytes and reads until the server closes; sending stops early when the server has answered.
pub(crate) async fn exchange(base: &str, request: &[u8]) -> Vec<u8> {
    let address = base.strip_prefix("http://").expect("a plain URL");
    let (mut read, mut write) = TcpStream::connect(address).await.expect("the server listens").into_split();
    let request = request.to_vec();
    // Both at once: a server that refuses early stops reading.
    let sending = tokio::spawn(async move {
        let _ = write.write_all(&request).await;
        write
    });
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(std::time::Duration::from_secs(30), read.read_to_end(&mut answer)).await;
    sending.abort();
    answer
}

/// The status of the answer; the request should say `connection: close`.
pub(crate) async fn status(base: &str, request: &[u8]) -> u16 {
    let answer = exchange(base, request).await;
    let line = String::from_utf8_lossy(&answer[..answer.len().min(64)]).into_owned();
    line.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("no status line: {line:?}"))
}
