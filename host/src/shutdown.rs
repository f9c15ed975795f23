//! How the process ends: one signal drains (accept nothing new, finish what runs), the second stops at once.
//!
//! Where a while is set between the two, the first signal only makes the node say that it is leaving, and it drains after that.
//! Loops and listeners watch `draining`; the composition root waits for what still runs, but not past `stopping`.

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
    /// Everything goes on, and the node calls itself unfit, so that others are asked instead.
    Leaving,
    /// Nothing new is begun; what runs may finish.
    Draining,
    /// What still runs is abandoned.
    Stopping,
}

/// The process's one switch. Clones are handles on the same switch.
#[derive(Debug, Clone)]
pub struct Shutdown {
    phase: Arc<watch::Sender<Phase>>,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::new()
    }
}

impl Shutdown {
    pub fn new() -> Self {
        Self { phase: Arc::new(watch::Sender::new(Phase::Running)) }
    }

    pub fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Say that others are to be asked.
    pub fn leave(&self) {
        self.advance(Phase::Leaving);
    }

    /// Begin nothing new, finish what runs.
    pub fn drain(&self) {
        self.advance(Phase::Draining);
    }

    /// Abandon what runs.
    pub fn stop(&self) {
        self.advance(Phase::Stopping);
    }

    /// Whether others are to be asked, at least.
    pub fn is_leaving(&self) -> bool {
        self.phase() >= Phase::Leaving
    }

    /// Resolves once the node is leaving (or further); at once when it is.
    pub async fn leaving(&self) {
        self.reached(Phase::Leaving).await;
    }

    /// Resolves once draining (or stopping) began; at once when it has.
    pub async fn draining(&self) {
        self.reached(Phase::Draining).await;
    }

    /// Resolves once stopping began; at once when it has.
    pub async fn stopping(&self) {
        self.reached(Phase::Stopping).await;
    }

    /// Turns SIGINT, SIGTERM and SIGHUP into `leave` and, `delay` later, `drain`; then `stop`, then an immediate exit with status 130.
    ///
    /// # Errors
    /// When the system refuses a signal handler.
    pub fn follow_signals(&self, delay: Duration) -> io::Result<()> {
        let mut signals = Signals::new()?;
        let shutdown = self.clone();
        spawn("signals", async move {
            signals.next().await;
            shutdown.leave();
            if !delay.is_zero() {
                let delay_ms = delay.as_millis();
                tracing::info!(
                    delay_ms,
                    "leaving: /healthz says so, and requests are answered meanwhile; the same signal again stops at once"
                );
            }
            // A node that never began to serve is drained by then.
            let again = tokio::select! {
                biased;
                () = shutdown.draining() => false,
                () = signals.next() => true,
                () = tokio::time::sleep(delay) => false,
            };
            if !again {
                tracing::info!("stopping: running requests may finish; the same signal again stops at once");
                shutdown.drain();
                signals.next().await;
            }
            tracing::warn!("stopping at once");
            shutdown.stop();
            signals.next().await;
            std::process::exit(130);
        });
        Ok(())
    }

    fn advance(&self, to: Phase) {
        self.phase.send_if_modified(|phase| {
            let grows = *phase < to;
            if grows {
                *phase = to;
            }
            grows
        });
    }

    async fn reached(&self, phase: Phase) {
        // The sender lives in `self`, so waiting cannot fail.
        let _ = self.phase.subscribe().wait_for(|now| *now >= phase).await;
    }
}

/// The one home of `tokio::spawn`: at the level `debug` the task carries its name in every line that it logs.
#[allow(clippy::disallowed_methods, reason = "the one home of bare spawning")]
pub fn spawn<F>(name: &'static str, task: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    // In its box before anything is put around it: wrapping a future copies it whole.
    tokio::spawn(Box::pin(task).instrument(tracing::debug_span!("task", name)))
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

    #[tokio::test]
    async fn the_phase_only_grows() {
        let shutdown = Shutdown::new();
        assert_eq!(shutdown.phase(), Phase::Running);
        shutdown.leave();
        assert!(shutdown.is_leaving() && shutdown.phase() < Phase::Draining);
        shutdown.stop();
        shutdown.drain();
        assert_eq!(shutdown.phase(), Phase::Stopping);
        shutdown.draining().await;
        shutdown.stopping().await;
    }

    #[tokio::test]
    async fn a_waiter_wakes_when_its_phase_is_reached() {
        let shutdown = Shutdown::new();
        let waiting = spawn("test", {
            let shutdown = shutdown.clone();
            async move { shutdown.stopping().await }
        });
        shutdown.drain();
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        shutdown.stop();
        waiting.await.unwrap();
    }
}
