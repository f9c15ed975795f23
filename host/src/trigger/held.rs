//! What this node has claimed and not settled.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::id::{AppId, DeliveryId};
use crate::limits::{DELIVERIES_CLAIMED_MAX, DELIVERIES_CLAIMED_PER_APP_MAX};
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
    by_app: HashMap<AppId, Share>,
}

/// What an app holds of the claims.
#[derive(Debug, Default)]
struct Share {
    held: usize,
    /// It took all that it might: there may be more, to be claimed once it holds so few.
    low: Option<usize>,
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
            state.by_app.entry(claim.app_id).or_default().held += 1;
            // Of a claim whose lease was lost and that came back the later number counts.
            if state.claims.insert(claim.id, (claim.app_id, claim.number)).is_some() {
                state.release(claim.app_id);
            }
        }
        state.note_full();
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
                low |= state.release(claim.app_id);
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
        Room { total, held: state.by_app.iter().map(|(app, share)| (*app, count(share.held))).collect() }
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
    /// Remembers which apps hold all that they may: half of what the others leave, as `store::deliveries::claim` gives out.
    fn note_full(&mut self) {
        let total = self.claims.len();
        for share in self.by_app.values_mut() {
            let left_by_others = DELIVERIES_CLAIMED_MAX.saturating_sub(total - share.held.min(total));
            let most = (left_by_others / 2).clamp(1, DELIVERIES_CLAIMED_PER_APP_MAX);
            if share.held >= most {
                share.low = Some(most / 2);
            }
        }
    }

    /// One less of the app; whether it took all that it might and now holds few.
    fn release(&mut self, app: AppId) -> bool {
        let Some(share) = self.by_app.get_mut(&app) else { return false };
        share.held -= 1;
        let is_low = share.low.is_some_and(|low| share.held <= low);
        if is_low {
            share.low = None;
        }
        if share.held == 0 {
            self.by_app.remove(&app);
        }
        is_low
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::id::{EventId, RequestId};
    use crate::model::delivery::To;
    use crate::model::event::{Event, Source};

    fn claims(app: u128, count: usize) -> Vec<Claim> {
        let nil = Uuid::nil();
        let claim = |n: usize| Claim {
            id: DeliveryId(Uuid::from_u128((app << 64) + n as u128)),
            number: 1,
            app_id: AppId(Uuid::from_u128(app)),
            request_id: RequestId(nil),
            event: Event {
                id: EventId(nil),
                source: Source::Queue,
                op: String::new(),
                at: chrono::DateTime::UNIX_EPOCH,
                attempt: 1,
                depth: 1,
                about: Vec::new(),
            },
            is_whole: true,
            execution_id: None,
            letter: None,
            trace: None,
            lost: 0,
            to: To::Nowhere,
        };
        (0..count).map(claim).collect()
    }

    /// How many settlements it takes until there is a reason to claim again.
    fn until_woken(held: &Held, claims: &[Claim]) -> Option<usize> {
        claims.iter().position(|claim| held.remove(std::iter::once(claim))).map(|index| index + 1)
    }

    #[test]
    fn an_app_that_took_all_it_might_is_claimed_for_again_at_half_of_that() {
        let held = Held::default();
        let first = claims(1, DELIVERIES_CLAIMED_PER_APP_MAX);
        held.add(&first);
        assert_eq!(until_woken(&held, &first), Some(DELIVERIES_CLAIMED_PER_APP_MAX / 2));
    }

    #[test]
    fn an_app_that_took_less_wakes_nobody() {
        let held = Held::default();
        let few = claims(1, DELIVERIES_CLAIMED_PER_APP_MAX - 1);
        held.add(&few);
        assert_eq!(until_woken(&held, &few), None);
    }

    #[test]
    fn a_late_app_has_less_and_is_claimed_for_again_all_the_same() {
        let held = Held::default();
        for app in 1..=5 {
            held.add(&claims(app, 96));
        }
        // Of 512, 480 are held: half of 32.
        let late = claims(9, 16);
        held.add(&late);
        assert_eq!(until_woken(&held, &late), Some(8));
    }

    #[test]
    fn a_full_node_claims_again_as_soon_as_it_has_room() {
        let held = Held::default();
        let all: Vec<_> = (1..=8).flat_map(|app| claims(app, 64)).collect();
        held.add(&all[..511]);
        assert_eq!(held.room().total, 1);
        held.add(&all[511..]);
        assert_eq!(held.room().total, 0);
        assert!(held.remove(all.iter().take(1)));
    }

    #[test]
    fn of_a_claim_that_was_lost_the_later_number_counts() {
        let held = Held::default();
        let mut claim = claims(1, 1).remove(0);
        held.add(std::slice::from_ref(&claim));
        let old = claim.clone();
        claim.number = 2;
        held.add(std::slice::from_ref(&claim));
        held.remove(std::iter::once(&old));
        assert_eq!(held.room().total, 511, "it is held under its new number");
        held.remove(std::iter::once(&claim));
        assert_eq!(held.room().total, 512);
    }
}
