//! Who may run now. An app may hold half of the places that the other apps leave free (of 32: one app 16, a second 8, a
//! third 4, …), so however many burn, another still finds one. A call that finds none waits a bounded time; a place
//! that is given back goes to the app that holds the least.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::id::AppId;
use crate::limits::{
    ADMISSION_QUEUE_MAX, ADMISSION_QUEUE_PER_APP_MAX, ADMISSION_RETRY_MS, ADMISSION_WAIT_MS, APP_PLACES_PERCENT,
};

/// No place, and none within the wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full;

/// Held while an invocation runs.
#[derive(Debug)]
pub(super) struct Place {
    app: AppId,
    state: Arc<Mutex<State>>,
}

enum Asked {
    Granted(Place),
    Waits(oneshot::Receiver<Place>),
    Full,
}

#[derive(Debug)]
pub(super) struct Admission {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Status {
    pub places: usize,
    pub places_per_app: usize,
    pub running: usize,
    pub waiting: usize,
    pub refused: u64,
}

#[derive(Debug)]
struct State {
    places: usize,
    running: usize,
    waiting: usize,
    refused: u64,
    /// Apps that hold a place or wait for one.
    apps: HashMap<AppId, App>,
}

#[derive(Debug, Default)]
struct App {
    held: usize,
    waiters: VecDeque<oneshot::Sender<Place>>,
}

impl Admission {
    pub(super) fn new(places: usize) -> Self {
        let state = State { places, running: 0, waiting: 0, refused: 0, apps: HashMap::new() };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    pub(super) async fn enter(&self, app: AppId) -> Result<Place, Full> {
        let granted = match self.ask(app) {
            Asked::Granted(place) => return Ok(place),
            Asked::Full => return Err(Full),
            Asked::Waits(granted) => granted,
        };
        // A waiter that gives up leaves its end of the channel closed: whoever gives places out passes it by.
        let granted = timeout(Duration::from_millis(ADMISSION_WAIT_MS), granted).await;
        granted.ok().and_then(Result::ok).ok_or_else(|| {
            let mut state = lock(&self.state);
            state.refused += 1;
            state.forget_gone_waiters(app);
            Full
        })
    }

    /// As [`Admission::enter`], however long it takes.
    pub(super) async fn enter_patiently(&self, app: AppId) -> Place {
        loop {
            match self.ask(app) {
                Asked::Granted(place) => return place,
                Asked::Waits(granted) => {
                    if let Ok(place) = granted.await {
                        return place;
                    }
                }
                Asked::Full => tokio::time::sleep(Duration::from_millis(ADMISSION_RETRY_MS)).await,
            }
        }
    }

    fn ask(&self, app: AppId) -> Asked {
        let mut state = lock(&self.state);
        if state.may_hold_one_more(app) {
            state.take(app);
            return Asked::Granted(Place { app, state: self.state.clone() });
        }
        let waiters = state.apps.get(&app).map_or(0, |app| app.waiters.len());
        if state.waiting >= ADMISSION_QUEUE_MAX || waiters >= ADMISSION_QUEUE_PER_APP_MAX {
            state.refused += 1;
            return Asked::Full;
        }
        let (grant, granted) = oneshot::channel();
        state.waiting += 1;
        state.apps.entry(app).or_default().waiters.push_back(grant);
        Asked::Waits(granted)
    }

    pub(super) fn status(&self) -> Status {
        let state = lock(&self.state);
        Status {
            places: state.places,
            places_per_app: share(state.places),
            running: state.running,
            waiting: state.waiting,
            refused: state.refused,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut grants = Vec::new();
        {
            let mut state = lock(&self.state);
            state.give_back(self.app);
            while let Some((app, grant)) = state.next_waiter() {
                state.take(app);
                grants.push((grant, Place { app, state: self.state.clone() }));
            }
        }
        // A grant to a waiter that has just gone comes back as a place dropped here, outside the lock.
        for (grant, place) in grants {
            drop(grant.send(place));
        }
    }
}

impl State {
    fn may_hold_one_more(&self, app: AppId) -> bool {
        let held = self.apps.get(&app).map_or(0, |app| app.held);
        let free = self.places - self.running;
        free > 0 && held < share(free + held)
    }

    fn take(&mut self, app: AppId) {
        self.running += 1;
        self.apps.entry(app).or_default().held += 1;
    }

    fn give_back(&mut self, app: AppId) {
        self.running -= 1;
        if let Some(holder) = self.apps.get_mut(&app) {
            holder.held -= 1;
            if holder.held == 0 && holder.waiters.is_empty() {
                self.apps.remove(&app);
            }
        }
    }

    /// The longest waiting call of the app that holds the least, if that app may hold one more.
    fn next_waiter(&mut self) -> Option<(AppId, oneshot::Sender<Place>)> {
        if self.waiting == 0 || self.running == self.places {
            return None;
        }
        let waiting = self.apps.iter().filter(|(id, app)| !app.waiters.is_empty() && self.may_hold_one_more(**id));
        let app = *waiting.min_by_key(|(_, app)| app.held)?.0;
        let grant = self.apps.get_mut(&app)?.waiters.pop_front()?;
        self.waiting -= 1;
        Some((app, grant))
    }

    fn forget_gone_waiters(&mut self, app: AppId) {
        let Some(waiter) = self.apps.get_mut(&app) else { return };
        let before = waiter.waiters.len();
        waiter.waiters.retain(|grant| !grant.is_closed());
        self.waiting -= before - waiter.waiters.len();
        if waiter.held == 0 && waiter.waiters.is_empty() {
            self.apps.remove(&app);
        }
    }
}

/// Of `places`, what one app may hold: never none.
fn share(places: usize) -> usize {
    (places * APP_PLACES_PERCENT / 100).max(1)
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn app(number: u128) -> AppId {
        AppId(Uuid::from_u128(number))
    }

    async fn take_all(admission: &Admission, app: AppId) -> Vec<Place> {
        let mut places = Vec::new();
        while lock(&admission.state).may_hold_one_more(app) {
            places.push(admission.enter(app).await.unwrap());
        }
        places
    }

    #[tokio::test]
    async fn an_app_may_hold_half_of_what_the_others_leave_free() {
        let admission = Admission::new(32);
        let mut held = Vec::new();
        for (number, expected) in [(1, 16), (2, 8), (3, 4), (4, 2), (5, 1)] {
            let places = take_all(&admission, app(number)).await;
            assert_eq!(places.len(), expected, "app {number}");
            held.push(places);
        }
        assert_eq!(admission.status().running, 31);
        assert!(admission.enter(app(6)).await.is_ok());
    }

    #[tokio::test]
    async fn a_call_that_finds_no_place_is_refused_after_its_wait() {
        let admission = Admission::new(2);
        let _held = admission.enter(app(1)).await.unwrap();
        assert_eq!(admission.enter(app(1)).await.unwrap_err(), Full);
        let status = admission.status();
        assert_eq!((status.refused, status.waiting, status.running), (1, 0, 1));
    }

    #[tokio::test]
    async fn a_place_that_is_given_back_goes_to_the_app_that_holds_the_least() {
        let admission = Arc::new(Admission::new(4));
        let mut first = take_all(&admission, app(1)).await;
        let second = take_all(&admission, app(2)).await;
        let third = take_all(&admission, app(3)).await;
        assert_eq!((first.len(), second.len(), third.len()), (2, 1, 1));
        let wait = |number: u128| {
            let admission = admission.clone();
            crate::shutdown::spawn("test", async move { admission.enter(app(number)).await })
        };
        let greedy = wait(1);
        while admission.status().waiting < 1 {
            tokio::task::yield_now().await;
        }
        let newcomer = wait(4);
        while admission.status().waiting < 2 {
            tokio::task::yield_now().await;
        }
        first.pop();
        assert!(newcomer.await.unwrap().is_ok());
        assert!(greedy.await.unwrap().is_err());
    }

    #[tokio::test]
    async fn a_waiter_that_is_dropped_leaves_nothing_behind() {
        let admission = Arc::new(Admission::new(2));
        let held = admission.enter(app(1)).await.unwrap();
        let waiter = {
            let admission = admission.clone();
            crate::shutdown::spawn("test", async move { admission.enter(app(1)).await.map(drop) })
        };
        while admission.status().waiting == 0 {
            tokio::task::yield_now().await;
        }
        waiter.abort();
        assert!(waiter.await.is_err());
        drop(held);
        let status = admission.status();
        assert_eq!((status.running, status.waiting), (0, 0));
        assert!(lock(&admission.state).apps.is_empty());
    }

    #[tokio::test]
    async fn one_app_cannot_fill_the_queue() {
        let admission = Admission::new(2);
        let _held = admission.enter(app(1)).await.unwrap();
        let waiting = (0..ADMISSION_QUEUE_PER_APP_MAX).map(|_| admission.enter(app(1)));
        let waiting = futures_util::future::join_all(waiting);
        let one_more = async {
            while admission.status().waiting < ADMISSION_QUEUE_PER_APP_MAX {
                tokio::task::yield_now().await;
            }
            let asked = std::time::Instant::now();
            (admission.enter(app(1)).await.is_err(), asked.elapsed() < Duration::from_millis(ADMISSION_WAIT_MS))
        };
        let (_, refused_at_once) = tokio::join!(waiting, one_more);
        assert_eq!(refused_at_once, (true, true));
    }
}
