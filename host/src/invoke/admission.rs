//! Who may run now: a place on the node, and within it at most the app's share, so that one app's burners leave places
//! for another's calls. A call waits a bounded time for its app's place first, so waiters of one app hold none of the node's.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};
use tokio::time::timeout;

use crate::id::AppId;
use crate::limits::{ADMISSION_QUEUE_MAX, ADMISSION_WAIT_MS, APP_PLACES_PERCENT};

/// No place, and none within the wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full;

/// Held while an invocation runs.
#[derive(Debug)]
pub(super) struct Place {
    _app: OwnedSemaphorePermit,
    _node: OwnedSemaphorePermit,
}

#[derive(Debug)]
pub(super) struct Admission {
    node: Arc<Semaphore>,
    apps: Mutex<HashMap<AppId, Arc<Semaphore>>>,
    places: usize,
    places_per_app: usize,
    waiting: AtomicUsize,
    refused: AtomicU64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Status {
    pub places: usize,
    pub places_per_app: usize,
    pub running: usize,
    pub waiting: usize,
    pub refused: u64,
}

impl Admission {
    pub(super) fn new(places: usize) -> Self {
        Self {
            node: Arc::new(Semaphore::new(places)),
            apps: Mutex::new(HashMap::new()),
            places,
            places_per_app: (places * APP_PLACES_PERCENT / 100).max(1),
            waiting: AtomicUsize::new(0),
            refused: AtomicU64::new(0),
        }
    }

    pub(super) async fn enter(&self, app: AppId) -> Result<Place, Full> {
        let app = self.app(app);
        match (app.clone().try_acquire_owned(), self.node.clone().try_acquire_owned()) {
            (Ok(app), Ok(node)) => return Ok(Place { _app: app, _node: node }),
            (Err(TryAcquireError::Closed), _) | (_, Err(TryAcquireError::Closed)) => return Err(self.refuse()),
            _ => {}
        }
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= ADMISSION_QUEUE_MAX {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(self.refuse());
        }
        let waiting = Waiting(&self.waiting);
        let place = timeout(Duration::from_millis(ADMISSION_WAIT_MS), async {
            let app = app.acquire_owned().await.ok()?;
            let node = self.node.clone().acquire_owned().await.ok()?;
            Some(Place { _app: app, _node: node })
        })
        .await;
        drop(waiting);
        match place {
            Ok(Some(place)) => Ok(place),
            Ok(None) | Err(_) => Err(self.refuse()),
        }
    }

    pub(super) fn status(&self) -> Status {
        Status {
            places: self.places,
            places_per_app: self.places_per_app,
            running: self.places.saturating_sub(self.node.available_permits()),
            waiting: self.waiting.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
        }
    }

    fn app(&self, app: AppId) -> Arc<Semaphore> {
        let mut apps = self.apps.lock().unwrap_or_else(PoisonError::into_inner);
        apps.entry(app).or_insert_with(|| Arc::new(Semaphore::new(self.places_per_app))).clone()
    }

    fn refuse(&self) -> Full {
        self.refused.fetch_add(1, Ordering::Relaxed);
        Full
    }
}

/// Counts a waiter, also when its call is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const ONE: AppId = AppId(Uuid::from_u128(1));
    const TWO: AppId = AppId(Uuid::from_u128(2));

    #[tokio::test]
    async fn one_app_cannot_take_every_place() {
        let admission = Admission::new(4);
        let (_first, _second) = (admission.enter(ONE).await.unwrap(), admission.enter(ONE).await.unwrap());
        assert_eq!(admission.enter(ONE).await.unwrap_err(), Full);
        assert!(admission.enter(TWO).await.is_ok());
        assert_eq!(admission.status().refused, 1);
    }

    #[tokio::test]
    async fn a_waiter_gets_the_place_that_is_given_back() {
        let admission = Arc::new(Admission::new(2));
        let held = admission.enter(ONE).await.unwrap();
        let waiter = {
            let admission = admission.clone();
            crate::shutdown::spawn("test", async move { admission.enter(ONE).await.is_ok() })
        };
        while admission.status().waiting == 0 {
            tokio::task::yield_now().await;
        }
        drop(held);
        assert!(waiter.await.unwrap());
        assert_eq!(admission.status().waiting, 0);
    }

    #[tokio::test]
    async fn the_node_is_bounded_over_all_apps() {
        let admission = Admission::new(2);
        let (_one, _two) = (admission.enter(ONE).await.unwrap(), admission.enter(TWO).await.unwrap());
        assert_eq!(admission.status().running, 2);
        assert_eq!(admission.enter(AppId(Uuid::from_u128(3))).await.unwrap_err(), Full);
    }
}
