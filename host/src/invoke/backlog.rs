//! How far behind the common threads are, and whose calls are turned away while they are.
//!
//! A request that finds no thread lies in its connection, in a queue that nothing bounds but the number of connections. So while
//! requests come, a thread of its own looks how long an empty task takes to be run that is put behind all others. Once that has
//! been longer than `BACKLOG_MS` for `BACKLOG_PATIENCE_MS`, calls are refused before anything is done for them: as many as it
//! takes to come back to that bound, and of the apps that call the most (`level`). A node without requests looks at nothing.

mod level;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use self::level::Level;
use crate::id::AppId;
use crate::limits::{BACKLOG_LOOK_MS, BACKLOG_REST_MS};
use crate::shutdown;

/// What the node is behind with. Its thread ends when it is dropped.
#[derive(Debug)]
pub(super) struct Backlog {
    shared: Arc<Shared>,
    looker: Thread,
}

#[derive(Debug)]
struct Shared {
    /// A request came since the last look.
    has_come: AtomicBool,
    is_asleep: AtomicBool,
    is_over: AtomicBool,
    /// Calls are counted, and perhaps refused.
    is_strict: AtomicBool,
    refused: AtomicU64,
    level: Mutex<Level>,
}

impl Backlog {
    /// Looks at the runtime that this is called on.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start() -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            has_come: AtomicBool::new(false),
            is_asleep: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
            is_strict: AtomicBool::new(false),
            refused: AtomicU64::new(0),
            level: Mutex::default(),
        });
        let (looking, runtime) = (shared.clone(), Handle::current());
        let looker = thread::Builder::new().name("backlog".to_owned()).spawn(move || looking.look(&runtime))?;
        Ok(Self { shared, looker: looker.thread().clone() })
    }

    /// Whether any call may be refused.
    pub(super) fn is_strict(&self) -> bool {
        self.shared.is_strict.load(Ordering::Relaxed)
    }

    /// Whether one more call of an app of that weight is begun.
    pub(super) fn admit(&self, app: AppId, weight: u32) -> bool {
        let shared = &self.shared;
        if !shared.has_come.load(Ordering::Relaxed) {
            shared.has_come.store(true, Ordering::Relaxed);
        }
        // One who is missed here is seen with the next request.
        if shared.is_asleep.load(Ordering::Relaxed) && shared.is_asleep.swap(false, Ordering::AcqRel) {
            self.looker.unpark();
        }
        if !shared.is_strict.load(Ordering::Relaxed) {
            return true;
        }
        let may = shared.level.lock().unwrap_or_else(PoisonError::into_inner).admit(app, weight);
        if !may {
            shared.refused.fetch_add(1, Ordering::Relaxed);
        }
        may
    }

    /// Calls that were turned away since the start.
    pub(super) fn refused(&self) -> u64 {
        self.shared.refused.load(Ordering::Relaxed)
    }
}

impl Drop for Backlog {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Release);
        self.looker.unpark();
    }
}

impl Shared {
    fn look(&self, runtime: &Handle) {
        // What is spawned from a thread that is none of the runtime's waits behind all that is ready.
        let _runtime = runtime.enter();
        let (step, rest) = (Duration::from_millis(BACKLOG_LOOK_MS), Duration::from_millis(BACKLOG_REST_MS));
        let (mut probe, mut came_at) = (Probe::send(), Instant::now());
        while !self.is_over.load(Ordering::Acquire) {
            thread::park_timeout(step);
            let delay = probe.delay();
            let is_strict = self.level.lock().unwrap_or_else(PoisonError::into_inner).look(delay);
            self.is_strict.store(is_strict, Ordering::Relaxed);
            if probe.has_returned() {
                probe = Probe::send();
            }
            if self.has_come.swap(false, Ordering::Relaxed) {
                came_at = Instant::now();
            } else if came_at.elapsed() > rest && !is_strict {
                self.is_asleep.store(true, Ordering::Release);
                while self.is_asleep.load(Ordering::Acquire) && !self.is_over.load(Ordering::Acquire) {
                    thread::park();
                }
                (probe, came_at) = (Probe::send(), Instant::now());
            }
        }
    }
}

/// An empty task on its way through the runtime.
struct Probe {
    sent: Instant,
    /// How long it took, ns; nothing while it is on its way.
    took_ns: Arc<AtomicU64>,
}

impl Probe {
    fn send() -> Self {
        let probe = Self { sent: Instant::now(), took_ns: Arc::default() };
        let (sent, took_ns) = (probe.sent, probe.took_ns.clone());
        shutdown::spawn("backlog", async move {
            let ns = u64::try_from(sent.elapsed().as_nanos()).unwrap_or(u64::MAX);
            took_ns.store(ns.max(1), Ordering::Release);
        });
        probe
    }

    fn has_returned(&self) -> bool {
        self.took_ns.load(Ordering::Acquire) > 0
    }

    /// How long it took, or has taken so far.
    fn delay(&self) -> Duration {
        match self.took_ns.load(Ordering::Acquire) {
            0 => self.sent.elapsed(),
            took => Duration::from_nanos(took),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{BACKLOG_MS, BACKLOG_PATIENCE_MS};
    use uuid::Uuid;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn threads_that_are_behind_refuse_and_take_calls_again_when_they_are_not() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let _in = runtime.enter();
        let backlog = Backlog::start().unwrap();
        let app = AppId(Uuid::from_u128(1));
        assert!((0..1_000).all(|_| backlog.admit(app, 100)), "a node that is not behind refuses nobody");

        // The one thread is taken away for as long as it takes to be refused.
        let (held, hold) = std::sync::mpsc::channel::<()>();
        let _task = shutdown::spawn("test", async move {
            let _ = hold.recv();
        });
        let until = Instant::now() + ms(BACKLOG_MS + BACKLOG_PATIENCE_MS) * 50;
        while backlog.refused() == 0 {
            assert!(Instant::now() < until, "a thread that does not come back is not seen");
            for _ in 0..100 {
                backlog.admit(app, 100);
            }
            thread::sleep(ms(1));
        }
        drop(held);
        let until = Instant::now() + ms(60_000);
        while !(0..100).all(|_| backlog.admit(app, 100)) {
            assert!(Instant::now() < until, "calls are still refused");
            thread::sleep(ms(BACKLOG_LOOK_MS));
        }
    }

    #[test]
    fn a_node_without_requests_looks_at_nothing_until_one_comes() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let _in = runtime.enter();
        let backlog = Backlog::start().unwrap();
        let until = Instant::now() + ms(60_000);
        let rests = |wanted: bool| {
            while backlog.shared.is_asleep.load(Ordering::Acquire) != wanted {
                assert!(Instant::now() < until);
                thread::sleep(ms(1));
            }
        };
        rests(true);
        assert!(backlog.admit(AppId(Uuid::from_u128(1)), 100));
        rests(false);
        rests(true);
    }
}
