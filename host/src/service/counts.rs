//! What happened on this node since it started: counted where it happens, by one addition each, and read when somebody asks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::limits::CALL_TIMES_US;
use crate::model::delivery::End;
use crate::model::execution::{FailureCode, Outcome, Usage};
use crate::model::invocation::InvocationType;

/// Of one process.
#[derive(Debug, Default)]
pub struct Counts {
    calls: [[AtomicU64; Outcome::ALL.len()]; InvocationType::ALL.len()],
    refused: [AtomicU64; 2],
    fuel: AtomicU64,
    times: [Times; InvocationType::ALL.len()],
    deliveries: [AtomicU64; Settled::ALL.len()],
    /// Connections of clients that are open: of the data plane, of the control plane.
    pub connections: [Arc<AtomicUsize>; 2],
}

/// Why a call was not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Every place was taken.
    Overloaded,
    /// The app's allowance was spent.
    RateLimited,
}

impl Refused {
    pub const ALL: [Self; 2] = [Self::Overloaded, Self::RateLimited];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Overloaded => FailureCode::Overloaded.as_str(),
            Self::RateLimited => FailureCode::RateLimited.as_str(),
        }
    }
}

/// What became of an attempt of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    Succeeded,
    /// It is attempted again.
    Failed,
    Dead,
    /// Nothing was attempted: its trigger is not active, or this node was ending.
    Returned,
    /// Its trigger is gone.
    Dropped,
}

impl Settled {
    pub const ALL: [Self; 5] = [Self::Succeeded, Self::Failed, Self::Dead, Self::Returned, Self::Dropped];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Dead => "dead",
            Self::Returned => "returned",
            Self::Dropped => "dropped",
        }
    }
}

impl From<&End> for Settled {
    fn from(end: &End) -> Self {
        match end {
            End::Succeeded => Self::Succeeded,
            End::Again { .. } => Self::Failed,
            End::Dead { .. } => Self::Dead,
            End::Held | End::Released => Self::Returned,
            End::Dropped => Self::Dropped,
        }
    }
}

/// How long calls took.
#[derive(Debug, Default)]
struct Times {
    /// Of each bound that of the calls that took no longer, and longer than the bound before; the last those that took longer than all.
    buckets: [AtomicU64; CALL_TIMES_US.len() + 1],
    sum_us: AtomicU64,
}

/// Times as they were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimesRead {
    /// As many as bounds, and one.
    pub buckets: Vec<u64>,
    pub sum_us: u64,
}

impl Counts {
    /// A call has ended, or was not let in: then it took no time that counts.
    pub fn call(&self, kind: InvocationType, outcome: Outcome, failed: Option<FailureCode>, usage: &Usage) {
        if let Some(count) = self.calls.get(kind as usize).and_then(|calls| calls.get(outcome as usize)) {
            add(count, 1);
        }
        let refused = match failed {
            Some(FailureCode::Overloaded) => Some(Refused::Overloaded),
            Some(FailureCode::RateLimited) => Some(Refused::RateLimited),
            _ => None,
        };
        if let Some(refused) = refused {
            self.refused.get(refused as usize).into_iter().for_each(|count| add(count, 1));
        } else if let Some(times) = self.times.get(kind as usize) {
            add(&self.fuel, usage.fuel);
            add(&times.sum_us, usage.wall_us);
            let bucket = CALL_TIMES_US.partition_point(|bound| *bound < usage.wall_us);
            times.buckets.get(bucket).into_iter().for_each(|count| add(count, 1));
        }
    }

    /// A claim was settled.
    pub fn settled(&self, end: &End) {
        self.deliveries.get(Settled::from(end) as usize).into_iter().for_each(|count| add(count, 1));
    }

    pub fn calls(&self, kind: InvocationType, outcome: Outcome) -> u64 {
        self.calls.get(kind as usize).and_then(|calls| calls.get(outcome as usize)).map_or(0, read)
    }

    pub fn refused(&self, why: Refused) -> u64 {
        self.refused.get(why as usize).map_or(0, read)
    }

    pub fn fuel(&self) -> u64 {
        read(&self.fuel)
    }

    pub fn times(&self, kind: InvocationType) -> TimesRead {
        let times = self.times.get(kind as usize);
        let buckets = times.map_or_else(Vec::new, |times| times.buckets.iter().map(read).collect());
        TimesRead { buckets, sum_us: times.map_or(0, |times| read(&times.sum_us)) }
    }

    pub fn deliveries(&self, settled: Settled) -> u64 {
        self.deliveries.get(settled as usize).map_or(0, read)
    }
}

/// One of the connections that are open, until it is dropped.
#[derive(Debug)]
pub struct Open(Arc<AtomicUsize>);

impl Open {
    pub fn one(of: &Arc<AtomicUsize>) -> Self {
        of.fetch_add(1, Ordering::Relaxed);
        Self(of.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn add(count: &AtomicU64, more: u64) {
    count.fetch_add(more, Ordering::Relaxed);
}

fn read(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_counts_once_by_kind_and_outcome() {
        let counts = Counts::default();
        let usage = Usage { fuel: 7, wall_us: 300, ..Usage::default() };
        counts.call(InvocationType::Http, Outcome::Responded, None, &usage);
        counts.call(InvocationType::Event, Outcome::ScriptFailed, Some(FailureCode::ScriptError), &usage);
        assert_eq!((counts.calls(InvocationType::Http, Outcome::Responded), counts.fuel()), (1, 14));
        let all = InvocationType::ALL.into_iter().flat_map(|kind| Outcome::ALL.map(|outcome| counts.calls(kind, outcome)));
        assert_eq!(all.sum::<u64>(), 2);
        assert_eq!(counts.times(InvocationType::Http).sum_us, 300);
    }

    #[test]
    fn a_time_is_in_the_bucket_of_the_first_bound_that_it_does_not_pass() {
        for (at, bound) in CALL_TIMES_US.into_iter().enumerate() {
            for (wall_us, bucket) in [(bound, at), (bound + 1, at + 1)] {
                let counts = Counts::default();
                let usage = Usage { wall_us, ..Usage::default() };
                counts.call(InvocationType::Direct, Outcome::Responded, None, &usage);
                let read = counts.times(InvocationType::Direct).buckets;
                assert_eq!((read.iter().sum::<u64>(), read[bucket]), (1, 1), "{wall_us}");
            }
        }
    }

    #[test]
    fn who_was_not_let_in_took_no_time() {
        let counts = Counts::default();
        for code in [FailureCode::Overloaded, FailureCode::RateLimited] {
            counts.call(InvocationType::Http, Outcome::Denied, Some(code), &Usage::default());
        }
        assert_eq!(counts.calls(InvocationType::Http, Outcome::Denied), 2);
        assert_eq!(Refused::ALL.map(|why| counts.refused(why)), [1, 1]);
        assert_eq!(counts.times(InvocationType::Http).buckets.iter().sum::<u64>(), 0);
    }

    #[test]
    fn what_is_read_as_a_place_in_a_list_has_that_place_in_its_own() {
        assert!(Outcome::ALL.iter().enumerate().all(|(at, outcome)| *outcome as usize == at));
        assert!(InvocationType::ALL.iter().enumerate().all(|(at, kind)| *kind as usize == at));
        assert!(Settled::ALL.iter().enumerate().all(|(at, settled)| *settled as usize == at));
        assert!(Refused::ALL.iter().enumerate().all(|(at, refused)| *refused as usize == at));
    }
}
