//! Connections to the relay that wait for the next message, and go when none comes.
//!
//! lettre's own pool takes a connection back whatever was going on in it: a send that is dropped at its deadline, in the middle
//! of a message, would leave the rest of its conversation to the next one. Here a connection is kept only by who has
//! ended a whole message on it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use lettre::transport::smtp::client::AsyncSmtpConnection;
use tokio::time::{Instant, sleep_until, timeout};

use crate::{limits, shutdown};

pub(super) struct Kept {
    idle: Duration,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// With the time when they go; the last one came last.
    connections: Vec<(AsyncSmtpConnection, Instant)>,
    /// Whether a task is there that closes them.
    watched: bool,
}

impl Kept {
    pub(super) fn new(idle: Duration) -> Self {
        Self { idle, state: Arc::default() }
    }

    /// The one used last, if it has not gone.
    pub(super) fn take(&self) -> Option<AsyncSmtpConnection> {
        lock(&self.state).connections.pop().map(|(connection, _)| connection)
    }

    /// Keeps a connection on which nothing is under way.
    pub(super) fn keep(&self, connection: AsyncSmtpConnection) {
        let mut state = lock(&self.state);
        if state.connections.len() >= limits::EMAIL_CONNECTIONS_KEPT_MAX {
            drop(state);
            return farewell(connection);
        }
        state.connections.push((connection, Instant::now() + self.idle));
        if !std::mem::replace(&mut state.watched, true) {
            shutdown::spawn("smtp idle", close_idle(Arc::downgrade(&self.state)));
        }
    }
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept").field("connections", &lock(&self.state).connections.len()).finish()
    }
}

/// Closes what was not used for too long, and ends with the last of them: a node that sends nothing wakes for nothing.
async fn close_idle(state: Weak<Mutex<State>>) {
    loop {
        let next = {
            let Some(state) = state.upgrade() else { return };
            let mut state = lock(&state);
            let now = Instant::now();
            let gone = state.connections.iter().take_while(|(_, until)| *until <= now).count();
            state.connections.drain(..gone).for_each(|(connection, _)| farewell(connection));
            let Some((_, until)) = state.connections.first() else {
                state.watched = false;
                return;
            };
            *until
        };
        sleep_until(next).await;
    }
}

/// Ends a connection on which nothing is under way, as the protocol wants it, behind the caller's back.
pub(super) fn farewell(mut connection: AsyncSmtpConnection) {
    shutdown::spawn("smtp farewell", async move {
        let _ = timeout(Duration::from_millis(limits::EMAIL_FAREWELL_MS), connection.quit()).await;
    });
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
