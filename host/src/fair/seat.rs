//! Where somebody waits for a place, and what he finds there.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::Place;

/// Where somebody waits.
#[derive(Debug, Default)]
pub(super) struct Seat {
    state: Mutex<Seated>,
    given: Notify,
}

#[derive(Debug, Default)]
pub(super) enum Seated {
    #[default]
    Waits,
    Has(Place),
    /// He has taken it up, or waits no longer.
    Gone,
}

/// Somebody's waiting; over when it is dropped.
pub(super) struct Waits(Arc<Seat>);

impl Seat {
    /// Gives it back to who gives it, when nobody sits here any more.
    pub(super) fn give(&self, place: Place) -> Option<Place> {
        let mut state = self.lock();
        if let Seated::Gone = *state {
            return Some(place);
        }
        *state = Seated::Has(place);
        drop(state);
        self.given.notify_one();
        None
    }

    /// The place, if it was given and not taken up; leaves `after` behind then.
    pub(super) fn take(&self, after: Seated) -> Option<Place> {
        let mut state = self.lock();
        match std::mem::replace(&mut *state, after) {
            Seated::Has(place) => Some(place),
            before => {
                *state = before;
                None
            }
        }
    }

    pub(super) fn is_gone(&self) -> bool {
        matches!(*self.lock(), Seated::Gone)
    }

    /// Nothing that holds a place may be dropped under it: that asks for the other lock.
    fn lock(&self) -> MutexGuard<'_, Seated> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waits {
    pub(super) fn at(seat: Arc<Seat>) -> Self {
        Self(seat)
    }

    pub(super) async fn place(&self) -> Place {
        loop {
            if let Some(place) = self.0.take(Seated::Gone) {
                return place;
            }
            self.0.given.notified().await;
        }
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        let had = std::mem::replace(&mut *self.0.lock(), Seated::Gone);
        drop(had);
    }
}
