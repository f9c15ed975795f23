//! How much of everything there is, and how scripts are called.

use std::time::{Duration, Instant};

use crate::support::figures::Spread;
use crate::support::wrk::{Load, wrk};
use crate::support::{Failure, Node};

/// Connections of a load that takes all that there is.
pub(crate) const ALL_OUT: u32 = 32;
/// How often it is looked whether a node has come to rest.
pub(crate) const LOOK: Duration = Duration::from_millis(100);

/// How much of everything, and how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    pub(crate) apps: &'static [usize],
    pub(crate) records: &'static [u64],
    /// Starts of a node at each size.
    pub(crate) starts: usize,
    /// Of a load, each of so many seconds.
    pub(crate) rounds: usize,
    pub(crate) round_s: u32,
    /// How often something is read by the API.
    pub(crate) reads: usize,
}

impl Scale {
    pub(crate) fn of(is_quick: bool) -> Self {
        if is_quick {
            let (apps, records): (&[usize], &[u64]) = (&[10, 100], &[10_000, 100_000]);
            Self { apps, records, starts: 3, rounds: 1, round_s: 2, reads: 20 }
        } else {
            let (apps, records): (&[usize], &[u64]) = (&[10, 100, 1_000], &[10_000, 100_000, 300_000, 1_000_000]);
            Self { apps, records, starts: 5, rounds: 3, round_s: 5, reads: 100 }
        }
    }
}

/// A script that answers GET.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) app: String,
    pub(crate) path: String,
}

impl Target {
    /// Calls it for so many seconds. What is no success is told.
    pub(crate) fn load(&self, node: &Node, connections: u32, seconds: u32) -> Result<Load, Failure> {
        self.load_at(&node.data, connections, seconds)
    }

    /// The same where the node answers.
    pub(crate) fn load_at(&self, url: &str, connections: u32, seconds: u32) -> Result<Load, Failure> {
        let host = format!("{}.localhost", self.app);
        let load = wrk(&format!("{url}{}", self.path), Some(&host), 1, connections, seconds)?;
        if load.failed > 0 {
            eprintln!("{host}{}: {} calls failed", self.path, load.failed);
        }
        Ok(load)
    }
}

/// How long that takes, ms.
pub(crate) async fn timed<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<f64, Failure> {
    let began = Instant::now();
    work.await?;
    Ok(began.elapsed().as_secs_f64() * 1e3)
}

/// A figure of several rounds.
pub(crate) fn over(loads: &[Load], value: fn(&Load) -> f64) -> Spread {
    Spread::of(loads.iter().map(value))
}

pub(crate) fn mib(bytes: i64) -> f64 {
    bytes as f64 / 1_048_576.0
}
