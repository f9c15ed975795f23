//! How the process ends: one signal drains (accept nothing new, finish what runs), the second stops at once.
//!
//! Loops watch `draining`; work that must be finished first holds a `Hold`; the composition root waits in `drained`.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::Instrument;

/// How far the end has come. It only ever grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    Running,
    /// Nothing new is begun; what runs may finish.
    Draining,
    /// What still runs is abandoned.
    Stopping,
}

/// The process's one switch. Clones are handles on the same switch.
#[derive(Debug, Clone)]
pub struct Shutdown {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    phase: watch::Sender<Phase>,
    held: watch::Sender<usize>,
}

/// Work that a drain waits for, from `Shutdown::hold` until it is dropped.
#[derive(Debug)]
pub struct Hold {
    inner: Arc<Inner>,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::new()
    }
}

impl Shutdown {
    pub fn new() -> Self {
        let inner = Inner { phase: watch::Sender::new(Phase::Running), held: watch::Sender::new(0) };
        Self { inner: Arc::new(inner) }
    }

    pub fn phase(&self) -> Phase {
        *self.inner.phase.borrow()
    }

    /// Begin nothing new, finish what runs.
    pub fn drain(&self) {
        self.advance(Phase::Draining);
    }

    /// Abandon what runs.
    pub fn stop(&self) {
        self.advance(Phase::Stopping);
    }

    /// Resolves once draining (or stopping) began; at once when it has.
    pub async fn draining(&self) {
        self.reached(Phase::Draining).await;
    }

    /// Resolves once stopping began; at once when it has.
    pub async fn stopping(&self) {
        self.reached(Phase::Stopping).await;
    }

    /// Work that `drained` waits for.
    #[must_use = "the work counts as done when this is dropped"]
    pub fn hold(&self) -> Hold {
        self.inner.held.send_modify(|held| *held = held.saturating_add(1));
        Hold { inner: self.inner.clone() }
    }

    /// Waits until nothing is held, at most `grace`, and not past `stop`. Whether everything was finished.
    pub async fn drained(&self, grace: Duration) -> bool {
        let mut held = self.inner.held.subscribe();
        tokio::select! {
            biased;
            done = held.wait_for(|held| *held == 0) => done.is_ok(),
            () = self.stopping() => false,
            () = tokio::time::sleep(grace) => false,
        }
    }

    /// Turns SIGINT, SIGTERM and SIGHUP into `drain`, then `stop`, then an immediate exit with status 130.
    ///
    /// # Errors
    /// When the system refuses a signal handler.
    pub fn follow_signals(&self) -> io::Result<()> {
        let mut signals = Signals::new()?;
        let shutdown = self.clone();
        spawn("signals", async move {
            signals.next().await;
            tracing::info!("stopping: running requests may finish; the same signal again stops at once");
            shutdown.drain();
            signals.next().await;
            tracing::warn!("stopping at once");
            shutdown.stop();
            signals.next().await;
            std::process::exit(130);
        });
        Ok(())
    }

    fn advance(&self, to: Phase) {
        self.inner.phase.send_if_modified(|phase| {
            let grows = *phase < to;
            if grows {
                *phase = to;
            }
            grows
        });
    }

    async fn reached(&self, phase: Phase) {
        // The sender lives in `self`, so waiting cannot fail.
        let _ = self.inner.phase.subscribe().wait_for(|now| *now >= phase).await;
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.inner.held.send_modify(|held| *held = held.saturating_sub(1));
    }
}

/// The one home of `tokio::spawn`: the task carries its name in every line that it logs.
#[allow(clippy::disallowed_methods, reason = "the one home of bare spawning")]
pub fn spawn<F>(name: &'static str, task: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(task.instrument(tracing::info_span!("task", name)))
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn the_phase_only_grows() {
        let shutdown = Shutdown::new();
        assert_eq!(shutdown.phase(), Phase::Running);
        shutdown.stop();
        shutdown.drain();
        assert_eq!(shutdown.phase(), Phase::Stopping);
        shutdown.draining().await;
        shutdown.stopping().await;
    }

    #[tokio::test]
    async fn a_drain_waits_for_what_is_held() {
        let shutdown = Shutdown::new();
        let hold = shutdown.hold();
        shutdown.drain();
        let waiting = spawn("test", {
            let shutdown = shutdown.clone();
            async move { shutdown.drained(LONG).await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(hold);
        assert!(waiting.await.unwrap());
    }

    #[tokio::test]
    async fn stopping_ends_the_wait() {
        let shutdown = Shutdown::new();
        let _hold = shutdown.hold();
        shutdown.stop();
        assert!(!shutdown.drained(LONG).await);
    }

    #[tokio::test]
    async fn a_drain_ends_with_its_grace() {
        let shutdown = Shutdown::new();
        let _hold = shutdown.hold();
        assert!(!shutdown.drained(Duration::from_millis(1)).await);
    }

    #[tokio::test]
    async fn nothing_held_is_drained_at_once() {
        assert!(Shutdown::new().drained(Duration::ZERO).await);
    }
}
