//! What a generator is asked to do, and what it tells when it is done: both cross from one process to another as JSON.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use serde::{Deserialize, Serialize};

use crate::support::Failure;

/// The first argument of this program where it is to be a generator; the order is the second.
pub(crate) const MODE: &str = "generate";

/// Calls that come by a clock.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) address: SocketAddr,
    pub(crate) host: String,
    pub(crate) path: String,
    /// Calls that are due, on average.
    pub(crate) per_second: f64,
    pub(crate) seconds: f64,
    /// Open before the clock starts.
    pub(crate) connections: usize,
    /// The same moments come of the same seed.
    pub(crate) seed: u64,
}

/// What came of them.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// Calls that were due.
    pub(crate) due: u64,
    pub(crate) seconds: f64,
    /// How often which status came.
    pub(crate) answers: BTreeMap<u16, u64>,
    /// Answers 200 that came before the clock ended.
    pub(crate) good_in_time: u64,
    /// Answers 429 and 503 that do not say when to come again.
    pub(crate) without_retry_after: u64,
    /// Connections that ended before the answer.
    pub(crate) broken: u64,
    /// Sent and not answered in time; and never sent, because no connection came free in time.
    pub(crate) unanswered: u64,
    pub(crate) unsent: u64,
    /// Connections that were in use at once, at most.
    pub(crate) connections: usize,
    /// From the moment when they were due to the answer: of answers 200 half and 99 in a hundred, of refusals half.
    pub(crate) good_p50_ms: Option<f64>,
    pub(crate) good_p99_ms: Option<f64>,
    pub(crate) refused_p50_ms: Option<f64>,
    /// From the moment when calls were due to the moment when the clock's thread took them up, 99 in a hundred.
    pub(crate) late_p99_ms: f64,
    /// Processors that the generator itself used.
    pub(crate) cores: f64,
}

impl Outcome {
    pub(crate) fn count(&self, status: u16) -> u64 {
        self.answers.get(&status).copied().unwrap_or(0)
    }

    /// Answers that are neither a 200 nor a refusal.
    pub(crate) fn other(&self) -> u64 {
        self.answers.iter().filter(|(status, _)| !matches!(**status, 200 | 429 | 503)).map(|(_, count)| count).sum()
    }

    pub(crate) fn offered_per_second(&self) -> f64 {
        self.due as f64 / self.seconds
    }

    pub(crate) fn good_per_second(&self) -> f64 {
        self.good_in_time as f64 / self.seconds
    }
}

/// A generator at work.
pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn begin(order: &Order) -> Result<Self, Failure> {
        let order = serde_json::to_string(order)?;
        Ok(Self(Command::new(std::env::current_exe()?).args([MODE, &order]).stdout(Stdio::piped()).spawn()?))
    }

    pub(crate) fn is_over(&mut self) -> Result<bool, Failure> {
        Ok(self.0.try_wait()?.is_some())
    }

    /// Waits for its end.
    pub(crate) fn outcome(self) -> Result<Outcome, Failure> {
        let output = self.0.wait_with_output()?;
        if !output.status.success() {
            return Err(format!("the generator ended with {}", output.status).into());
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }
}
