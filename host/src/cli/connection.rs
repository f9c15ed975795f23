//! One accepted connection: ended by a shutdown while nothing was asked on it yet, when nothing moves on it for long, and
//! when a request's head does not come to its end in time.
//!
//! The server ends connections between two requests by itself. One that never sent a byte (browsers open such in advance)
//! it would wait for, and so would a stop of the node.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep};

use crate::limits::{CONNECTION_IDLE_MS, REQUEST_HEAD_TIMEOUT_MS};
use crate::shutdown::Shutdown;

/// A stream that reads as ended when it should end.
pub(super) struct Connection {
    stream: TcpStream,
    ended: bool,
    /// Gone with the first byte.
    draining: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    moved_at: Instant,
    /// When the bytes of a head began to come, and the exchange before it.
    head: Option<(Instant, u32)>,
    exchanges: Exchanges,
    patience: Patience,
    timer: Pin<Box<Sleep>>,
    _place: OwnedSemaphorePermit,
}

/// How long a connection may do nothing, and how long a head may take.
#[derive(Debug, Clone, Copy)]
struct Patience {
    idle: Duration,
    head: Duration,
}

/// Counts up when a request's head is there and again when its answer is: odd in between.
#[derive(Debug, Clone, Default)]
pub(super) struct Exchanges(Arc<AtomicU32>);

/// A request is being answered until this is dropped.
pub(super) struct Answering(Exchanges);

impl Exchanges {
    pub(super) fn answer(&self) -> Answering {
        self.0.fetch_add(1, Relaxed);
        Answering(self.clone())
    }

    fn count(&self) -> u32 {
        self.0.load(Relaxed)
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, Relaxed);
    }
}

impl Connection {
    pub(super) fn new(stream: TcpStream, place: OwnedSemaphorePermit, shutdown: Shutdown, exchanges: Exchanges) -> Self {
        let patience =
            Patience { idle: Duration::from_millis(CONNECTION_IDLE_MS), head: Duration::from_millis(REQUEST_HEAD_TIMEOUT_MS) };
        Self::with_patience(stream, place, shutdown, exchanges, patience)
    }

    fn with_patience(
        stream: TcpStream,
        place: OwnedSemaphorePermit,
        shutdown: Shutdown,
        exchanges: Exchanges,
        patience: Patience,
    ) -> Self {
        let draining = Box::pin(async move { shutdown.draining().await });
        let timer = Box::pin(tokio::time::sleep(patience.idle));
        Self {
            stream,
            ended: false,
            draining: Some(draining),
            moved_at: Instant::now(),
            head: None,
            exchanges,
            patience,
            timer,
            _place: place,
        }
    }

    /// Asked while nothing can be read.
    fn should_end(&mut self, cx: &mut Context<'_>) -> bool {
        if self.draining.as_mut().is_some_and(|draining| draining.as_mut().poll(cx).is_ready()) {
            self.draining = None;
            self.ended = true;
        }
        let due = self.due();
        if due < self.timer.deadline() {
            self.timer.as_mut().reset(due);
        }
        while !self.ended && self.timer.as_mut().poll(cx).is_ready() {
            let due = self.due();
            self.ended = due <= Instant::now();
            self.timer.as_mut().reset(due);
        }
        self.ended
    }

    fn due(&mut self) -> Instant {
        let count = self.exchanges.count();
        self.head = self.head.filter(|(_, before)| *before == count);
        match self.head {
            Some((since, _)) => since + self.patience.head,
            None => self.moved_at + self.patience.idle,
        }
    }

    fn moved<T>(&mut self, polled: Poll<T>) -> Poll<T> {
        if polled.is_ready() {
            self.moved_at = Instant::now();
        }
        polled
    }

    /// Bytes came: of a head, unless a request is being answered.
    fn has_read(&mut self) {
        self.draining = None;
        let count = self.exchanges.count();
        if count.is_multiple_of(2) && self.head.is_none_or(|(_, before)| before != count) {
            self.head = Some((self.moved_at, count));
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_read(cx, buf) {
            Poll::Pending if self.should_end(cx) => Poll::Ready(Ok(())),
            Poll::Pending => Poll::Pending,
            ready => {
                let ready = self.moved(ready);
                self.has_read();
                ready
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

    const SHORT: Duration = Duration::from_millis(40);
    const LONG: Duration = Duration::from_secs(600);
    const PATIENT: Patience = Patience { idle: LONG, head: LONG };

    async fn pair(shutdown: &Shutdown, exchanges: &Exchanges, patience: Patience) -> (Connection, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let place = Arc::new(Semaphore::new(1)).acquire_owned().await.unwrap();
        (Connection::with_patience(stream, place, shutdown.clone(), exchanges.clone(), patience), client)
    }

    #[tokio::test]
    async fn a_stop_ends_a_connection_that_asked_nothing() {
        let shutdown = Shutdown::new();
        let (mut connection, _client) = pair(&shutdown, &Exchanges::default(), PATIENT).await;
        shutdown.drain();
        for _ in 0..2 {
            assert_eq!(connection.read(&mut [0; 8]).await.unwrap(), 0);
        }
    }

    #[tokio::test]
    async fn a_stop_lets_a_connection_finish_what_it_began() {
        let shutdown = Shutdown::new();
        let (mut connection, mut client) = pair(&shutdown, &Exchanges::default(), PATIENT).await;
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
        let patience = Patience { idle: SHORT, head: LONG };
        let exchanges = Exchanges::default();
        let (mut connection, mut client) = pair(&Shutdown::new(), &exchanges, patience).await;
        client.write_all(b"x").await.unwrap();
        assert_eq!(connection.read(&mut [0; 8]).await.unwrap(), 1);
        drop(exchanges.answer());
        let moved = Instant::now();
        connection.write_all(b"y").await.unwrap();
        assert_eq!(connection.read(&mut [0; 8]).await.unwrap(), 0);
        assert!(moved.elapsed() >= SHORT, "not before its time");
    }

    #[tokio::test]
    async fn a_head_that_does_not_come_to_its_end_ends_the_connection() {
        let patience = Patience { idle: LONG, head: SHORT };
        let exchanges = Exchanges::default();
        let (mut connection, mut client) = pair(&Shutdown::new(), &exchanges, patience).await;
        let mut bytes = [0; 8];
        client.write_all(b"GET / ..").await.unwrap();
        assert_eq!(connection.read(&mut bytes).await.unwrap(), 8);
        // It was a whole one: neither the answer nor the pause after it has anything to hurry for.
        let answering = exchanges.answer();
        client.write_all(b"body").await.unwrap();
        assert_eq!(connection.read(&mut bytes).await.unwrap(), 4);
        assert!(tokio::time::timeout(3 * SHORT, connection.read(&mut bytes)).await.is_err());
        drop(answering);
        assert!(tokio::time::timeout(3 * SHORT, connection.read(&mut bytes)).await.is_err());
        // The next one comes in drops.
        let began = Instant::now();
        client.write_all(b"G").await.unwrap();
        assert_eq!(connection.read(&mut bytes).await.unwrap(), 1);
        tokio::time::sleep(SHORT / 2).await;
        client.write_all(b"E").await.unwrap();
        assert_eq!(connection.read(&mut bytes).await.unwrap(), 1);
        assert_eq!(connection.read(&mut bytes).await.unwrap(), 0);
        assert!(began.elapsed() >= SHORT && began.elapsed() < LONG);
    }
}
