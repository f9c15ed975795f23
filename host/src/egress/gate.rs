//! How many calls or messages may leave at once for one app, and how many requests one invocation may send.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::{Error, Kind, Result};
use crate::id::AppId;

/// What is under way, by app. Apps without anything hold nothing here for long.
#[derive(Debug)]
pub(super) struct Gate {
    places_each: usize,
    apps: Mutex<HashMap<AppId, Weak<Semaphore>>>,
}

/// One of an app's places; given back when its last holder is dropped.
#[derive(Debug, Clone)]
pub(super) struct Place {
    _permit: Arc<OwnedSemaphorePermit>,
}

impl Gate {
    pub(super) fn new(places_each: usize) -> Self {
        Self { places_each, apps: Mutex::default() }
    }

    /// Waits for one of the app's places, in order of coming.
    pub(super) async fn enter(&self, app: AppId) -> Result<Place> {
        let permit = self.places(app).acquire_owned().await.map_err(Error::internal)?;
        Ok(Place { _permit: Arc::new(permit) })
    }

    fn places(&self, app: AppId) -> Arc<Semaphore> {
        let mut apps = self.apps.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(places) = apps.get(&app).and_then(Weak::upgrade) {
            return places;
        }
        apps.retain(|_, places| places.strong_count() > 0);
        let places = Arc::new(Semaphore::new(self.places_each));
        apps.insert(app, Arc::downgrade(&places));
        places
    }
}

/// The requests that one invocation may still send, mail among them.
#[derive(Debug, Clone)]
pub struct Allowance {
    allowed: u32,
    taken: Arc<AtomicU32>,
}

impl Allowance {
    /// So many.
    pub fn of(allowed: u32) -> Self {
        Self { allowed, taken: Arc::default() }
    }

    /// 429 `limit_exceeded` past them.
    pub fn take(&self) -> Result<()> {
        let allowed = self.allowed;
        if self.taken.fetch_add(1, Ordering::Relaxed) < allowed {
            return Ok(());
        }
        self.taken.store(allowed, Ordering::Relaxed);
        let message = format!("an invocation may send {allowed} requests, mail and each redirect that is followed counted");
        Err(Error::new(Kind::RateLimited, "limit_exceeded", message))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use uuid::Uuid;

    use super::*;
    use crate::limits;

    #[tokio::test]
    async fn an_app_has_its_places_and_no_others() {
        let gate = Gate::new(limits::HTTP_CALLS_PER_APP_MAX);
        let (one, two) = (AppId(Uuid::from_u128(1)), AppId(Uuid::from_u128(2)));
        let mut held = Vec::new();
        for _ in 0..limits::HTTP_CALLS_PER_APP_MAX {
            held.push(gate.enter(one).await.unwrap());
        }
        assert!(gate.enter(one).now_or_never().is_none());
        assert!(gate.enter(two).now_or_never().is_some());
        let lookup = held[0].clone();
        held.remove(0);
        assert!(gate.enter(one).now_or_never().is_none(), "a lookup that goes on holds the place of its call");
        drop(lookup);
        assert!(gate.enter(one).now_or_never().is_some());
    }

    #[tokio::test]
    async fn apps_that_are_done_are_forgotten() {
        let gate = Gate::new(limits::HTTP_CALLS_PER_APP_MAX);
        for n in 0..100 {
            drop(gate.enter(AppId(Uuid::from_u128(n))).await.unwrap());
        }
        assert!(gate.apps.lock().unwrap().len() <= 2);
    }

    #[test]
    fn an_invocation_sends_so_many_requests() {
        let allowance = Allowance::of(limits::HTTP_REQUESTS_PER_INVOCATION_MAX);
        let clone = allowance.clone();
        for _ in 0..limits::HTTP_REQUESTS_PER_INVOCATION_MAX {
            clone.take().unwrap();
        }
        assert_eq!(allowance.take().unwrap_err().kind, Kind::RateLimited);
        assert_eq!(allowance.take().unwrap_err().code, "limit_exceeded");
    }
}
