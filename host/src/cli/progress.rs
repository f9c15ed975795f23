//! How far one connection has come, in one atomic word, for everybody who has to do with it: a request takes no lock.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::AcqRel, Ordering::Acquire, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use tokio::time::Instant;

/// How far a connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub(super) enum Phase {
    /// Nothing of a request has come.
    Idle,
    /// Of a head, a part.
    Head,
    /// Of a body, a part at most.
    Body,
    /// The request is there, and being answered.
    Answering,
    /// The whole answer was handed over, and is on its way.
    Given,
    /// Its place is somebody else's.
    Ended,
}

/// The same with the time since when.
#[derive(Debug)]
pub(super) struct Progress {
    /// Nanoseconds since `epoch`, and the phase in the last bits.
    word: AtomicU64,
    epoch: Instant,
    ended: AtomicWaker,
    large_head: AtomicBool,
    /// A request had a body, of those that began since the connection was idle.
    body: AtomicBool,
    /// The request that comes next was let in already.
    let_in: AtomicBool,
    /// Requests that began.
    begun: AtomicU64,
}

impl Phase {
    const BITS: u32 = 3;

    /// What a word says.
    pub(super) fn of(word: u64) -> Self {
        match word & ((1 << Self::BITS) - 1) {
            0 => Self::Idle,
            1 => Self::Head,
            2 => Self::Body,
            3 => Self::Answering,
            4 => Self::Given,
            _ => Self::Ended,
        }
    }
}

impl Progress {
    /// Of a connection that begins; times are counted from `epoch`.
    pub(super) fn new(epoch: Instant) -> Self {
        let progress = Self {
            word: AtomicU64::new(0),
            epoch,
            ended: AtomicWaker::new(),
            large_head: AtomicBool::new(false),
            body: AtomicBool::new(false),
            let_in: AtomicBool::new(false),
            begun: AtomicU64::new(0),
        };
        progress.word.store(progress.word_of(Phase::Idle), Relaxed);
        progress
    }

    /// Orders connections by how long they have been in their phase, and is another one once anything has happened.
    pub(super) fn word(&self) -> u64 {
        self.word.load(Acquire)
    }

    /// The phase, and since when.
    pub(super) fn now(&self) -> (Phase, Instant) {
        let word = self.word.load(Acquire);
        (Phase::of(word), self.epoch + Duration::from_nanos(word >> Phase::BITS))
    }

    /// Bytes came from the client. The phase that follows.
    pub(super) fn read(&self) -> Phase {
        self.step(|phase| if phase == Phase::Idle { Phase::Head } else { phase })
    }

    /// A request's head is there, and its body if that `is_whole`. Not when the place was lost meanwhile: then nothing may
    /// come of the request.
    pub(super) fn begin(&self, is_whole: bool) -> bool {
        if !is_whole {
            self.body.store(true, Relaxed);
        }
        self.begun.fetch_add(1, Relaxed);
        let next = if is_whole { Phase::Answering } else { Phase::Body };
        self.step(|phase| if phase == Phase::Ended { phase } else { next }) != Phase::Ended
    }

    /// The request's body is there, or its answer although it is not.
    pub(super) fn answer(&self) {
        self.step(|phase| if phase == Phase::Body { Phase::Answering } else { phase });
    }

    /// The number of the request that began last.
    pub(super) fn latest(&self) -> u64 {
        self.begun.load(Relaxed)
    }

    /// Nothing of the answer to that request is left to hand over.
    pub(super) fn give(&self, request: u64) {
        if request != self.latest() {
            return;
        }
        self.step(|phase| if matches!(phase, Phase::Body | Phase::Answering) { Phase::Given } else { phase });
    }

    /// What was handed over is sent.
    pub(super) fn sent(&self) {
        self.step(|phase| if phase == Phase::Given { Phase::Idle } else { phase });
    }

    /// A request came while the connection was idle, and nothing is made of it. Not when the place was lost meanwhile.
    pub(super) fn turn(&self) -> bool {
        let word = self.word.load(Acquire);
        Phase::of(word) == Phase::Idle && self.word.compare_exchange(word, self.word_of(Phase::Idle), AcqRel, Relaxed).is_ok()
    }

    pub(super) fn had_body(&self) -> bool {
        self.body.load(Relaxed)
    }

    pub(super) fn forget_body(&self) {
        self.body.store(false, Relaxed);
    }

    pub(super) fn let_in(&self) {
        self.let_in.store(true, Relaxed);
    }

    /// Whether the request that begins was let in already; once.
    pub(super) fn was_let_in(&self) -> bool {
        self.let_in.load(Relaxed) && self.let_in.swap(false, Relaxed)
    }

    pub(super) fn has_large_head(&self) -> bool {
        self.large_head.load(Relaxed)
    }

    pub(super) fn set_large_head(&self) {
        self.large_head.store(true, Relaxed);
    }

    /// Ready once the place is somebody else's.
    pub(super) fn poll_ended(&self, cx: &Context<'_>) -> Poll<()> {
        self.ended.register(cx.waker());
        if self.now().0 == Phase::Ended { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Ends the connection if nothing has happened on it since that word.
    pub(super) fn end(&self, word: u64) -> bool {
        let ended = self.word.compare_exchange(word, self.word_of(Phase::Ended), AcqRel, Relaxed).is_ok();
        if ended {
            self.ended.wake();
        }
        ended
    }

    /// Goes on to what `next` says; to the same leaves the time as it is.
    fn step(&self, next: impl Fn(Phase) -> Phase) -> Phase {
        let mut word = self.word.load(Acquire);
        loop {
            let (from, to) = (Phase::of(word), next(Phase::of(word)));
            if from == to {
                return to;
            }
            match self.word.compare_exchange_weak(word, self.word_of(to), AcqRel, Acquire) {
                Ok(_) => return to,
                Err(other) => word = other,
            }
        }
    }

    fn word_of(&self, phase: Phase) -> u64 {
        let nanos = u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX);
        (nanos << Phase::BITS) | phase as u64
    }
}
