//! What this node has claimed and not settled.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::id::{AppId, DeliveryId};
use crate::limits::{DELIVERIES_CLAIMED_LOW, DELIVERIES_CLAIMED_MAX};
use crate::model::delivery::Claim;
use crate::store::deliveries::{Claims, Room};

#[derive(Debug)]
pub(super) struct Held {
    state: Mutex<State>,
    count: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct State {
    /// Each with its app and its number.
    claims: HashMap<DeliveryId, (AppId, i32)>,
    by_app: HashMap<AppId, usize>,
}

impl Default for Held {
    fn default() -> Self {
        Self { state: Mutex::default(), count: watch::Sender::new(0) }
    }
}

impl Held {
    pub(super) fn add(&self, claims: &[Claim]) {
        let mut state = self.lock();
        for claim in claims {
            *state.by_app.entry(claim.app_id).or_default() += 1;
            // Of a claim whose lease was lost and that came back the later number counts.
            if state.claims.insert(claim.id, (claim.app_id, claim.number)).is_some() {
                state.release(claim.app_id);
            }
        }
        self.count.send_replace(state.claims.len());
    }

    /// Whether an app, or the node, now has so few that more may be claimed.
    pub(super) fn remove<'a>(&self, claims: impl Iterator<Item = &'a Claim>) -> bool {
        let mut state = self.lock();
        let before = state.claims.len();
        let mut low = false;
        for claim in claims {
            let is_this = state.claims.get(&claim.id).is_some_and(|(_, number)| *number == claim.number);
            if is_this {
                state.claims.remove(&claim.id);
                low |= state.release(claim.app_id) == DELIVERIES_CLAIMED_LOW;
            }
        }
        let after = state.claims.len();
        self.count.send_replace(after);
        low || (before >= DELIVERIES_CLAIMED_MAX && after < DELIVERIES_CLAIMED_MAX)
    }

    /// How much may be claimed beside.
    pub(super) fn room(&self) -> Room {
        let state = self.lock();
        let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let total = count(DELIVERIES_CLAIMED_MAX.saturating_sub(state.claims.len()));
        Room { total, held: state.by_app.iter().map(|(app, held)| (*app, count(*held))).collect() }
    }

    pub(super) fn claims(&self) -> Claims {
        self.lock().claims.iter().map(|(id, (_, number))| (*id, *number)).collect()
    }

    /// Resolves while something is held.
    pub(super) async fn some(&self) {
        self.reached(|count| count > 0).await;
    }

    /// Resolves while nothing is.
    pub(super) async fn empty(&self) {
        self.reached(|count| count == 0).await;
    }

    async fn reached(&self, is: impl Fn(usize) -> bool) {
        // The sender lives in `self`, so waiting cannot fail.
        let _ = self.count.subscribe().wait_for(|count| is(*count)).await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// One less of the app; how many it has left.
    fn release(&mut self, app: AppId) -> usize {
        let Some(held) = self.by_app.get_mut(&app) else { return 0 };
        *held -= 1;
        let left = *held;
        if left == 0 {
            self.by_app.remove(&app);
        }
        left
    }
}
