//! What is overloaded: three scripts, each on a node of its own, from well below what it can take to well above.

use std::time::Duration;

use super::order::Outcome;
use super::stage::{LOOK, Scale, Stage, Watched};
use crate::support::Failure;
use crate::support::figures::Spread;
use crate::support::ground::Ground;

/// What each is called by, and how it is told.
pub(crate) type Subject = (&'static str, &'static str);

pub(crate) const SUBJECTS: [Subject; 3] = [("hello", "hello"), ("kv", "`kv get`"), ("burn", "3 ms of computing")];
/// What comes, of what can be taken.
const FACTORS: [f64; 6] = [0.5, 0.8, 1.0, 1.5, 2.0, 3.0];
/// The same before all of that, and after it.
pub(crate) const CALM: f64 = 0.3;
/// How long after it.
pub(crate) const REST: Duration = Duration::from_secs(5);
/// Connections that callers have: half of what a large node has for all of its callers.
pub(crate) const CONNECTIONS: usize = 4_096;
/// Rounds of the closed loop.
pub(crate) const CLOSED_ROUNDS: usize = 3;

/// What came of one script.
pub(crate) struct Report {
    pub(crate) title: &'static str,
    /// Invocations at once, on the node and of one app.
    pub(crate) places: u64,
    pub(crate) places_per_app: u64,
    pub(crate) capacity: Spread,
    /// When all was over.
    pub(crate) capacity_again: Spread,
    pub(crate) before: Outcome,
    pub(crate) steps: Vec<Step>,
    pub(crate) after: Outcome,
    pub(crate) resident_before_mib: f64,
    pub(crate) resident_after_mib: f64,
    /// Records of executions that were not written.
    pub(crate) records_lost: u64,
}

/// What came of one load.
pub(crate) struct Step {
    pub(crate) factor: f64,
    pub(crate) outcome: Outcome,
    pub(crate) watched: Watched,
}

impl Report {
    /// Loads that are more than what can be taken.
    pub(crate) fn past_capacity(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| step.factor > 1.0)
    }
}

pub(crate) async fn measure(ground: &Ground, scale: Scale, (name, title): Subject) -> Result<Report, Failure> {
    let stage = Stage::open(ground, scale).await?;
    let slug = format!("overload-{name}");
    let target = match name {
        "hello" => stage.hello(&slug).await?,
        "kv" => stage.kv_get(&slug).await?,
        _ => stage.burn(&slug).await?,
    };
    eprintln!("{title}: {CLOSED_ROUNDS} rounds of the closed loop");
    let capacity = stage.capacity(&target, CLOSED_ROUNDS)?;
    let order = |factor: f64| stage.order(&target, factor * capacity.median, scale.open_s, CONNECTIONS);

    stage.client.settled(LOOK).await?;
    eprintln!("{title}: {CALM} × of {:.0} a second", capacity.median);
    let (before, _) = stage.load(&order(CALM)?).await?;
    stage.client.settled(LOOK).await?;
    let resident_before_mib = stage.node.resident_mib()?;
    let mut steps = Vec::new();
    for factor in FACTORS {
        if !steps.is_empty() {
            stage.client.settled(LOOK).await?;
        }
        eprintln!("{title}: {factor} ×");
        let (outcome, watched) = stage.load(&order(factor)?).await?;
        steps.push(Step { factor, outcome, watched });
    }
    tokio::time::sleep(REST).await;
    eprintln!("{title}: {CALM} × again, then the closed loop");
    let (after, _) = stage.load(&order(CALM)?).await?;
    stage.client.settled(LOOK).await?;
    let resident_after_mib = stage.node.resident_mib()?;
    let capacity_again = stage.capacity(&target, 1)?;
    let status = stage.client.settled(LOOK).await?;
    let number = |name: &str| status[name].as_u64().unwrap_or(0);
    let (places, places_per_app) = (number("places"), number("places_per_app"));
    let records = &status["recorder"];
    let records_lost: u64 = ["dropped", "records_over_quota"].iter().filter_map(|name| records[*name].as_u64()).sum();
    stage.node.stop().await?;
    Ok(Report {
        title,
        places,
        places_per_app,
        capacity,
        capacity_again,
        before,
        steps,
        after,
        resident_before_mib,
        resident_after_mib,
        records_lost,
    })
}
