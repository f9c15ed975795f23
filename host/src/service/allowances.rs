//! What apps may do for each second: requests that are let in, fuel, requests out.
//!
//! Each allowance is a bucket that fills at its rate up to its size (a token bucket). Requests take one before they begin.
//! Fuel is taken when it is known, at the end of an invocation: a bucket may go below nothing, and what was burnt beyond it is
//! waited off before anything else of the app begins. Buckets belong to one node and live in memory: a restart fills them.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::error::{Error, Result};
use crate::id::AppId;
use crate::limits::{ALLOWANCES_SWEEP, RETRY_AFTER_S_MAX};
use crate::model::quota::Quota;

/// Not now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent {
    /// Name of the quota that is used up.
    pub quota: &'static str,
    pub bound: u64,
    /// When there is some again.
    pub retry_after: Duration,
}

/// The buckets of every app that did something lately.
#[derive(Debug, Default)]
pub struct Allowances {
    apps: Mutex<HashMap<AppId, Buckets>>,
}

#[derive(Debug)]
struct Buckets {
    requests: Bucket,
    fuel: Bucket,
    outbound: Bucket,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    /// Below nothing: owed.
    level: f64,
    at: DateTime<Utc>,
}

impl Allowances {
    /// Lets a request of the app in, or says when the next may come: when there is a request's worth in the bucket, and fuel.
    pub fn enter(&self, app: AppId, quota: &Quota, now: DateTime<Utc>) -> Result<(), Spent> {
        self.of(app, quota, now, |buckets| {
            buckets.may_burn(quota)?;
            let rate = u64::from(quota.requests_per_s);
            buckets.requests.take(1.0, rate).map_err(|retry_after| Spent { quota: "requests_per_s", bound: rate, retry_after })
        })
    }

    /// Whether there is fuel for what nobody waits for.
    pub fn may_burn(&self, app: AppId, quota: &Quota, now: DateTime<Utc>) -> Result<(), Spent> {
        self.of(app, quota, now, |buckets| buckets.may_burn(quota))
    }

    /// Takes what an invocation has burnt.
    pub fn burn(&self, app: AppId, quota: &Quota, now: DateTime<Utc>, fuel: u64) {
        self.of(app, quota, now, |buckets| buckets.fuel.level -= fuel as f64);
    }

    /// Lets a request of a script out; 429 `rate_limited`.
    pub fn go_out(&self, app: AppId, quota: &Quota, now: DateTime<Utc>) -> Result<()> {
        let rate = u64::from(quota.outbound_per_s);
        let taken = self.of(app, quota, now, |buckets| buckets.outbound.take(1.0, rate));
        taken.map_err(|wait| {
            let message = format!("the app sends more than {rate} outbound requests a second (its quota `outbound_per_s`)");
            Error::rate("outbound_per_s", rate, wait, message)
        })
    }

    /// What is left in the bucket of fuel; owed where it is below nothing.
    pub fn fuel_left(&self, app: AppId, quota: &Quota, now: DateTime<Utc>) -> i64 {
        self.of(app, quota, now, |buckets| buckets.fuel.level as i64)
    }

    fn of<T>(&self, app: AppId, quota: &Quota, now: DateTime<Utc>, work: impl FnOnce(&mut Buckets) -> T) -> T {
        let mut apps = self.lock();
        if apps.len() >= ALLOWANCES_SWEEP && !apps.contains_key(&app) {
            // A bucket that has had the time to fill is as good as a new one.
            apps.retain(|_, buckets| now - buckets.requests.at < chrono::Duration::seconds(RETRY_AFTER_S_MAX as i64));
        }
        let buckets = apps.entry(app).or_insert_with(|| Buckets::full(quota, now));
        buckets.fill(quota, now);
        work(buckets)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AppId, Buckets>> {
        self.apps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Buckets {
    fn full(quota: &Quota, now: DateTime<Utc>) -> Self {
        let full = |level: f64| Bucket { level, at: now };
        Self {
            requests: full(f64::from(quota.requests_per_s)),
            fuel: full(quota.fuel_burst as f64),
            outbound: full(f64::from(quota.outbound_per_s)),
        }
    }

    fn fill(&mut self, quota: &Quota, now: DateTime<Utc>) {
        self.requests.fill(f64::from(quota.requests_per_s), f64::from(quota.requests_per_s), now);
        self.fuel.fill(quota.fuel_per_s as f64, quota.fuel_burst as f64, now);
        self.outbound.fill(f64::from(quota.outbound_per_s), f64::from(quota.outbound_per_s), now);
    }

    fn may_burn(&self, quota: &Quota) -> Result<(), Spent> {
        if self.fuel.level > 0.0 {
            return Ok(());
        }
        let rate = quota.fuel_per_s;
        Err(Spent { quota: "fuel_per_s", bound: rate, retry_after: wait(1.0 - self.fuel.level, rate) })
    }
}

impl Bucket {
    /// A clock that was set back stops the filling for a moment, and takes nothing.
    fn fill(&mut self, per_s: f64, size: f64, now: DateTime<Utc>) {
        let passed = (now - self.at).num_microseconds().map_or(0.0, |us| us.max(0) as f64 / 1e6);
        self.level = (self.level + passed * per_s).min(size);
        self.at = now;
    }

    /// Takes all or nothing; how long until there is enough.
    fn take(&mut self, amount: f64, per_s: u64) -> Result<(), Duration> {
        if self.level < amount {
            return Err(wait(amount - self.level, per_s));
        }
        self.level -= amount;
        Ok(())
    }
}

fn wait(missing: f64, per_s: u64) -> Duration {
    let most = Duration::from_secs(RETRY_AFTER_S_MAX);
    Duration::try_from_secs_f64(missing / per_s as f64).map_or(most, |wait| wait.min(most))
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const APP: AppId = AppId(Uuid::from_u128(1));
    const OTHER: AppId = AppId(Uuid::from_u128(2));

    fn at(ms: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(1_800_000_000_000 + ms).unwrap()
    }

    #[test]
    fn a_seconds_worth_of_requests_may_come_at_once_and_no_more() {
        let (allowances, quota) = (Allowances::default(), Quota { requests_per_s: 5, ..Quota::default() });
        for _ in 0..5 {
            assert_eq!(allowances.enter(APP, &quota, at(0)), Ok(()));
        }
        let spent = allowances.enter(APP, &quota, at(0)).unwrap_err();
        assert_eq!(spent, Spent { quota: "requests_per_s", bound: 5, retry_after: Duration::from_millis(200) });
        assert_eq!(allowances.enter(OTHER, &quota, at(0)), Ok(()));
        assert!(allowances.enter(APP, &quota, at(199)).is_err());
        assert!(allowances.enter(APP, &quota, at(200)).is_ok());
        assert!(allowances.enter(APP, &quota, at(200)).is_err());
        // A rest of an hour is worth no more than a second.
        let admitted = (0..10).filter(|_| allowances.enter(APP, &quota, at(3_600_000)).is_ok());
        assert_eq!(admitted.count(), 5);
    }

    #[test]
    fn fuel_that_was_burnt_beyond_the_burst_is_waited_off() {
        let quota = Quota { fuel_per_s: 1_000_000, fuel_burst: 10_000_000, ..Quota::default() };
        let allowances = Allowances::default();
        allowances.burn(APP, &quota, at(0), 9_999_999);
        assert_eq!(allowances.enter(APP, &quota, at(0)), Ok(()));
        allowances.burn(APP, &quota, at(0), 4_000_001);
        let spent = allowances.enter(APP, &quota, at(0)).unwrap_err();
        assert_eq!((spent.quota, spent.retry_after.as_secs()), ("fuel_per_s", 4));
        assert_eq!(allowances.may_burn(APP, &quota, at(0)), Err(spent));
        assert!(allowances.may_burn(APP, &quota, at(4_000)).is_err());
        assert!(allowances.may_burn(APP, &quota, at(4_001)).is_ok());
        assert_eq!(allowances.fuel_left(APP, &quota, at(4_001)), 1_000);
    }

    #[test]
    fn an_app_that_may_send_nothing_sends_nothing() {
        let allowances = Allowances::default();
        let refused = |bound, n| {
            let quota = Quota { outbound_per_s: bound, ..Quota::default() };
            (0..n).filter(|_| allowances.go_out(APP, &quota, at(0)).is_err()).count()
        };
        assert_eq!((refused(0, 3), refused(3, 2)), (3, 2));
        let quota = Quota { outbound_per_s: 3, ..Quota::default() };
        assert!((0..3).all(|_| allowances.go_out(OTHER, &quota, at(0)).is_ok()));
        assert_eq!(allowances.go_out(OTHER, &quota, at(0)).unwrap_err().code, "rate_limited");
    }

    #[test]
    fn a_clock_that_is_set_back_takes_nothing() {
        let (allowances, quota) = (Allowances::default(), Quota { requests_per_s: 2, ..Quota::default() });
        assert!(allowances.enter(APP, &quota, at(0)).is_ok());
        assert!(allowances.enter(APP, &quota, at(-3_600_000)).is_ok());
        assert!(allowances.enter(APP, &quota, at(-3_600_000)).is_err());
        assert!(allowances.enter(APP, &quota, at(-3_599_500)).is_ok());
    }

    #[test]
    fn apps_that_rested_are_forgotten() {
        let (allowances, quota) = (Allowances::default(), Quota::default());
        for n in 0..ALLOWANCES_SWEEP as u128 {
            allowances.enter(AppId(Uuid::from_u128(n)), &quota, at(0)).unwrap();
        }
        allowances.enter(AppId(Uuid::from_u128(u128::MAX)), &quota, at(4_000_000)).unwrap();
        assert_eq!(allowances.lock().len(), 1);
    }
}
