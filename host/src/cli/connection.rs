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
//!
//! While the plane is behind, its gate is shown each head that begins where the server has nothing left to read, and what that turns away is
//! answered here: the server never sees it.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};

use super::gate::{self, Gate};
use super::places::Place;
use super::progress::Phase;
use crate::ingress::Verdict;
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
    gate: Option<Arc<dyn Gate>>,
    /// What was read last, if anything was, is the end of a head.
    ends_head: bool,
    /// Of the answer to who was turned away, what is not written yet.
    turned_away: Bytes,
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
        (large_heads, gate): (Arc<Semaphore>, Option<Arc<dyn Gate>>),
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
            gate,
            ends_head: true,
            turned_away: Bytes::new(),
        }
    }

    /// Asked while nothing moves.
    fn should_end(&mut self, cx: &mut Context<'_>) -> bool {
        // Who is being answered is answered to the end.
        if self.turned_away.is_empty() && self.draining.as_mut().is_some_and(|draining| draining.as_mut().poll(cx).is_ready()) {
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

    /// Bytes came, for the server.
    fn has_read(&mut self, bytes: &[u8]) {
        self.draining = None;
        self.moved_at = Instant::now();
        let progress = self.place.progress();
        let was_idle = progress.now().0 == Phase::Idle;
        if was_idle {
            progress.forget_body();
        }
        self.ends_head = bytes.ends_with(gate::END);
        if !bytes.is_empty() && progress.read() == Phase::Head {
            self.head_bytes = if was_idle { bytes.len() } else { self.head_bytes + bytes.len() };
        }
    }

    /// Whether these bytes are a request that the gate turns away: then they are not the server's.
    fn turns_away(&mut self, bytes: &[u8]) -> bool {
        let Some(gate) = self.gate.as_ref().filter(|gate| gate.is_behind()) else { return false };
        let progress = self.place.progress();
        // Nothing is left of requests before: the last bytes that the server has were the end of one.
        if progress.now().0 != Phase::Idle || !self.ends_head || progress.had_body() {
            return false;
        }
        match gate::read(bytes).map(|head| gate.judge(&head)) {
            None | Some(Verdict::Unknown) => false,
            Some(Verdict::LetIn) => {
                progress.let_in();
                false
            }
            Some(Verdict::TurnedAway(answer)) => {
                let is_here = progress.turn();
                if is_here {
                    (self.moved_at, self.turned_away) = (Instant::now(), answer);
                }
                is_here
            }
        }
    }

    /// Writes what is left of such an answer.
    fn poll_turned_away(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.turned_away.is_empty() {
            let written = Pin::new(&mut self.stream).poll_write(cx, &self.turned_away);
            let bytes = ready!(self.has_written(written, cx))?;
            if bytes == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            let _ = self.turned_away.split_to(bytes);
            if self.turned_away.is_empty() {
                self.giving = Giving::default();
                let _ = self.place.progress().turn();
            }
        }
        Poll::Ready(Ok(()))
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
        loop {
            if self.ended {
                return Poll::Ready(Ok(()));
            }
            ready!(self.poll_turned_away(cx))?;
            let before = buf.filled().len();
            let polled = match self.poll_room(cx) {
                Poll::Ready(room) => poll_read_some(&mut self.stream, cx, buf, room),
                Poll::Pending => Poll::Pending,
            };
            match polled {
                Poll::Pending if self.should_end(cx) => return Poll::Ready(Ok(())),
                Poll::Pending => return Poll::Pending,
                Poll::Ready(read) => read?,
            }
            let bytes = buf.filled().get(before..).unwrap_or_default();
            if !self.turns_away(bytes) {
                self.has_read(bytes);
                return Poll::Ready(Ok(()));
            }
            buf.set_filled(before);
        }
    }
}

/// At most `room` bytes.
fn poll_read_some(stream: &mut TcpStream, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>, room: usize) -> Poll<io::Result<()>> {
    let mut some = buf.take(room);
    let read = Pin::new(stream).poll_read(cx, &mut some);
    let bytes = some.filled().len();
    // SAFETY: `some` is the beginning of what is unfilled in `buf`, and its first `bytes` were filled just now.
    unsafe { buf.assume_init(bytes) };
    buf.advance(bytes);
    read
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
        ready!(self.poll_turned_away(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
