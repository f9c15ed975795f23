//! One accepted connection: ended by a shutdown while nothing was asked on it yet, and when nothing moves on it for long.
//!
//! The server ends connections between two requests by itself. One that never sent a byte (browsers open such in advance)
//! it would wait for, and so would a stop of the node.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep};

use crate::shutdown::Shutdown;

/// A stream that reads as ended when it should end.
pub(super) struct Connection {
    stream: TcpStream,
    ended: bool,
    /// Gone with the first byte.
    draining: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    moved_at: Instant,
    idle_after: Duration,
    idle: Pin<Box<Sleep>>,
    _place: OwnedSemaphorePermit,
}

impl Connection {
    pub(super) fn new(stream: TcpStream, place: OwnedSemaphorePermit, shutdown: Shutdown, idle_after: Duration) -> Self {
        let draining = Box::pin(async move { shutdown.draining().await });
        let idle = Box::pin(tokio::time::sleep(idle_after));
        Self { stream, ended: false, draining: Some(draining), moved_at: Instant::now(), idle_after, idle, _place: place }
    }

    /// Asked while nothing can be read.
    fn should_end(&mut self, cx: &mut Context<'_>) -> bool {
        if self.draining.as_mut().is_some_and(|draining| draining.as_mut().poll(cx).is_ready()) {
            self.draining = None;
            self.ended = true;
        }
        while !self.ended && self.idle.as_mut().poll(cx).is_ready() {
            let due = self.moved_at + self.idle_after;
            self.ended = due <= Instant::now();
            self.idle.as_mut().reset(due);
        }
        self.ended
    }

    fn moved<T>(&mut self, polled: Poll<T>) -> Poll<T> {
        if polled.is_ready() {
            self.moved_at = Instant::now();
        }
        polled
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_read(cx, buf) {
            Poll::Pending if self.should_end(cx) => Poll::Ready(Ok(())),
            Poll::Pending => Poll::Pending,
            ready => {
                self.draining = None;
                self.moved(ready)
            }
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.moved(written)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, parts: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.moved(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio::sync::Semaphore;

    use super::*;

    const IDLE: Duration = Duration::from_millis(40);
    const LONG: Duration = Duration::from_secs(600);

    async fn pair(shutdown: &Shutdown, idle_after: Duration) -> (Connection, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let place = Arc::new(Semaphore::new(1)).acquire_owned().await.unwrap();
        (Connection::new(stream, place, shutdown.clone(), idle_after), client)
    }

    #[tokio::test]
    async fn a_stop_ends_a_connection_that_asked_nothing() {
        let shutdown = Shutdown::new();
        let (mut connection, _client) = pair(&shutdown, LONG).await;
        shutdown.drain();
        for _ in 0..2 {
            assert_eq!(connection.read(&mut [0; 8]).await.unwrap(), 0);
        }
    }

    #[tokio::test]
    async fn a_stop_lets_a_connection_finish_what_it_began() {
        let shutdown = Shutdown::new();
        let (mut connection, mut client) = pair(&shutdown, LONG).await;
        client.write_all(b"GET").await.unwrap();
        let mut bytes = [0; 8];
        assert_eq!(connection.read(&mut bytes).await.unwrap(), 3);
        shutdown.drain();
        client.write_all(b" /").await.unwrap();
        assert_eq!(connection.read(&mut bytes).await.unwrap(), 2);
        connection.write_all(b"done").await.unwrap();
        client.read_exact(&mut [0; 4]).await.unwrap();
    }

    #[tokio::test]
    async fn a_connection_on_which_nothing_moves_ends() {
        let (mut connection, mut client) = pair(&Shutdown::new(), IDLE).await;
        client.write_all(b"x").await.unwrap();
        assert_eq!(connection.read(&mut [0; 8]).await.unwrap(), 1);
        let moved = Instant::now();
        connection.write_all(b"y").await.unwrap();
        assert_eq!(connection.read(&mut [0; 8]).await.unwrap(), 0);
        assert!(moved.elapsed() >= IDLE, "not before its time");
    }
}
