//! One accepted connection as hyper reads and writes it: bounded in what it holds, and ended when its client stands still.
//!
//! | what does not come | ends after |
//! |---|---|
//! | a request | `CONNECTION_IDLE_MS`, where it is crowded `CONNECTION_IDLE_CROWDED_MS`; at once when the node stops |
//! | the rest of a head | `REQUEST_HEAD_TIMEOUT_MS` after its first byte |
//! | a client that takes its answer | `CONNECTION_UNTAKEN_MS` without a byte, and when it takes them too slowly |
//! | anything else | `CONNECTION_IDLE_MS` |
//!
//! Bodies have their time where they are read. A head larger than most waits for one of a few places, and its connection ends
//! with its answer. The server ends connections between two requests by itself when the node stops; one that never sent a byte
//! (browsers open such in advance) it would wait for.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};

use super::places::{Phase, Place};
use crate::limits;
use crate::shutdown::Shutdown;

/// A stream that reads as ended when it should end.
pub(super) struct Connection {
    stream: TcpStream,
    ended: bool,
    /// Gone with the first byte.
    draining: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    moved_at: Instant,
    head_bytes: usize,
    large_head: LargeHead,
    giving: Giving,
    patience: Patience,
    timer: Pin<Box<Sleep>>,
    place: Place,
}

/// How long a connection may do nothing, and what it must do in time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    pub(super) idle: Duration,
    pub(super) crowded: Duration,
    pub(super) head: Duration,
    pub(super) untaken: Duration,
    pub(super) taken_bytes_per_s: u64,
}

/// Places of large heads on a plane, and what one connection has of them.
struct LargeHead {
    places: Arc<Semaphore>,
    waiting: Option<Acquiring>,
    held: Option<OwnedSemaphorePermit>,
}

type Acquiring = Pin<Box<dyn Future<Output = Result<OwnedSemaphorePermit, AcquireError>> + Send>>;

/// An answer on its way to the client.
#[derive(Debug, Clone, Copy, Default)]
struct Giving {
    taken_bytes: u64,
    /// How long it made us wait, until it last took something.
    waited: Duration,
    /// Since when it takes nothing.
    waits_since: Option<Instant>,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            idle: Duration::from_millis(limits::CONNECTION_IDLE_MS),
            crowded: Duration::from_millis(limits::CONNECTION_IDLE_CROWDED_MS),
            head: Duration::from_millis(limits::REQUEST_HEAD_TIMEOUT_MS),
            untaken: Duration::from_millis(limits::CONNECTION_UNTAKEN_MS),
            taken_bytes_per_s: limits::CONNECTION_TAKEN_BYTES_PER_S_MIN,
        }
    }
}

impl Giving {
    fn waits(&mut self, now: Instant) {
        self.waits_since.get_or_insert(now);
    }

    fn takes(&mut self, bytes: usize, now: Instant) {
        self.taken_bytes += bytes as u64;
        if let Some(since) = self.waits_since.take() {
            self.waited += now - since;
        }
    }

    /// When the client has stood still, or been slow, for too long.
    fn due(&self, patience: &Patience) -> Option<Instant> {
        let earned = Duration::from_millis(self.taken_bytes.saturating_mul(1_000) / patience.taken_bytes_per_s.max(1));
        let left = (patience.untaken + earned).saturating_sub(self.waited);
        Some(self.waits_since? + left.min(patience.untaken))
    }
}

impl LargeHead {
    fn poll_held(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.held.is_none() {
            let places = &self.places;
            let waiting = self.waiting.get_or_insert_with(|| Box::pin(places.clone().acquire_owned()));
            self.held = ready!(waiting.as_mut().poll(cx)).ok();
            self.waiting = None;
        }
        Poll::Ready(())
    }
}

impl Connection {
    /// Large heads share `large_heads`.
    pub(super) fn new(
        stream: TcpStream,
        place: Place,
        large_heads: Arc<Semaphore>,
        shutdown: Shutdown,
        patience: Patience,
    ) -> Self {
        Self {
            stream,
            ended: false,
            draining: Some(Box::pin(async move { shutdown.draining().await })),
            moved_at: Instant::now(),
            head_bytes: 0,
            large_head: LargeHead { places: large_heads, waiting: None, held: None },
            giving: Giving::default(),
            patience,
            timer: Box::pin(tokio::time::sleep(patience.crowded)),
            place,
        }
    }

    /// Asked while nothing moves.
    fn should_end(&mut self, cx: &mut Context<'_>) -> bool {
        if self.draining.as_mut().is_some_and(|draining| draining.as_mut().poll(cx).is_ready()) {
            self.draining = None;
            self.ended = true;
        }
        let due = self.due(Instant::now());
        if due < self.timer.deadline() {
            self.timer.as_mut().reset(due);
        }
        while !self.ended && self.timer.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            let due = self.due(now);
            self.ended = due <= now;
            self.timer.as_mut().reset(due);
        }
        self.ended
    }

    /// When it is to be looked at again; it ends when that has passed.
    fn due(&self, now: Instant) -> Instant {
        let Patience { idle, crowded, head, .. } = self.patience;
        let (phase, since) = self.place.progress().now();
        let due = match phase {
            Phase::Head => since + head,
            Phase::Idle if now < since + crowded => since + crowded,
            Phase::Idle if self.place.is_crowded() => since + crowded,
            Phase::Idle => (since + idle).min(now + crowded),
            Phase::Body | Phase::Answering | Phase::Given | Phase::Ended => self.moved_at + idle,
        };
        self.giving.due(&self.patience).map_or(due, |untaken| due.min(untaken))
    }

    /// How many bytes may be read: of a large head none until it has a place.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<usize> {
        let room = limits::CONNECTION_READ_BYTES;
        if self.large_head.held.is_some() || self.place.progress().now().0 != Phase::Head {
            return Poll::Ready(room);
        }
        let free = limits::REQUEST_HEAD_BYTES_FREE.saturating_sub(self.head_bytes);
        if free > 0 {
            return Poll::Ready(room.min(free));
        }
        ready!(self.large_head.poll_held(cx));
        self.place.progress().set_large_head();
        Poll::Ready(room)
    }

    /// Bytes came.
    fn has_read(&mut self, bytes: usize) {
        self.draining = None;
        self.moved_at = Instant::now();
        let was_idle = self.place.progress().now().0 == Phase::Idle;
        if bytes > 0 && self.place.progress().read() == Phase::Head {
            self.head_bytes = if was_idle { bytes } else { self.head_bytes + bytes };
        }
    }

    fn has_written(&mut self, written: Poll<io::Result<usize>>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let now = Instant::now();
        match written {
            Poll::Ready(written) => {
                self.moved_at = now;
                self.giving.takes(written.as_ref().map_or(0, |bytes| *bytes), now);
                Poll::Ready(written)
            }
            Poll::Pending => {
                self.giving.waits(now);
                if self.should_end(cx) { too_late() } else { Poll::Pending }
            }
        }
    }
}

fn too_late() -> Poll<io::Result<usize>> {
    Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.ended {
            return Poll::Ready(Ok(()));
        }
        let polled = match self.poll_room(cx) {
            Poll::Ready(room) => poll_read_some(&mut self.stream, cx, buf, room),
            Poll::Pending => Poll::Pending,
        };
        match polled {
            Poll::Pending if self.should_end(cx) => Poll::Ready(Ok(())),
            Poll::Pending => Poll::Pending,
            Poll::Ready(read) => Poll::Ready(read.map(|bytes| self.has_read(bytes))),
        }
    }
}

/// At most `room` bytes.
fn poll_read_some(stream: &mut TcpStream, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>, room: usize) -> Poll<io::Result<usize>> {
    let mut some = buf.take(room);
    let read = Pin::new(stream).poll_read(cx, &mut some);
    let bytes = some.filled().len();
    // SAFETY: `some` is the beginning of what is unfilled in `buf`, and its first `bytes` were filled just now.
    unsafe { buf.assume_init(bytes) };
    buf.advance(bytes);
    read.map_ok(|()| bytes)
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.ended {
            return too_late();
        }
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.has_written(written, cx)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, parts: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        if self.ended {
            return too_late();
        }
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.has_written(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// The server comes here once everything that it has was written.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        if self.place.progress().now().0 == Phase::Given {
            self.giving = Giving::default();
            self.place.progress().sent();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
