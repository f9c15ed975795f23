//! Whether this node can work, for a balancer that asks it every second: a node that is cut off from its database says so, and
//! requests go to another one.
//!
//! The answer is what is known, so that it costs nothing and is never slow, and the database is asked behind it: only when somebody
//! asked here, so that an idle node makes no query. A moment without a database takes no node out: PostgreSQL is restarted faster than
//! that, and then all of them would be out.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::Services;
use crate::store::reach::Probe;
use crate::{limits, shutdown, store};

#[derive(Debug, Default)]
pub struct Reach {
    state: Mutex<State>,
    probe: tokio::sync::Mutex<Probe>,
}

#[derive(Debug, Default)]
struct State {
    looked_at: Option<Instant>,
    /// The first look of those that found no database.
    lost_at: Option<Instant>,
    is_told: bool,
}

/// Whether the database is within reach, as far as is known; has it looked at for whoever asks next.
pub fn is_there(s: &Arc<Services>) -> bool {
    let now = Instant::now();
    let mut state = s.reach.lock();
    let pause = Duration::from_millis(limits::DATABASE_LOOK_MS);
    if state.looked_at.is_none_or(|at| now.duration_since(at) >= pause) {
        state.looked_at = Some(now);
        shutdown::spawn("reach", look(s.clone(), now));
    }
    let is_there = state.is_there(now);
    if !is_there && !state.is_told {
        state.is_told = true;
        tracing::warn!("the database cannot be reached: this node says that it cannot work");
        s.realtime.leave();
    }
    is_there
}

async fn look(s: Arc<Services>, since: Instant) {
    // One at a time; while it does not answer, one is enough.
    let Ok(mut probe) = s.reach.probe.try_lock() else { return };
    let mut answered = probe.ask(&s.db).await;
    if answered && s.reach.lock().is_told {
        // What others changed and added meanwhile was not heard, and what lies idle may be dead: requests come to a node that knows.
        store::reach::lost();
        answered = s.routing.reload(&s.db, &s.apps_domain).await.is_ok();
        s.events.wake();
    }
    s.reach.lock().note(since, answered);
}

impl Reach {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn note(&mut self, looked_at: Instant, answered: bool) {
        if !answered {
            self.lost_at.get_or_insert(looked_at);
            return;
        }
        if std::mem::take(&mut self.is_told) {
            tracing::info!("the database is within reach again");
        }
        self.lost_at = None;
    }

    fn is_there(&self, now: Instant) -> bool {
        let bound = Duration::from_millis(limits::DATABASE_UNREACHABLE_MS);
        self.lost_at.is_none_or(|at| now.duration_since(at) < bound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_out_once_the_database_has_not_answered_for_the_bound_and_in_as_soon_as_it_does() {
        let (mut state, began) = (State::default(), Instant::now());
        let after = |ms| began + Duration::from_millis(ms);
        assert!(state.is_there(began), "nothing is known");
        state.note(began, false);
        assert!(state.is_there(after(limits::DATABASE_UNREACHABLE_MS - 1)));
        state.note(after(2_000), false);
        assert!(!state.is_there(after(limits::DATABASE_UNREACHABLE_MS)), "since the first look that failed");
        state.note(after(4_000), true);
        assert!(state.is_there(after(4_000)));
        state.note(after(5_000), false);
        assert!(state.is_there(after(5_000 + limits::DATABASE_UNREACHABLE_MS - 1)));
    }
}
