//! What happens past capacity: calls come by a clock, up to three times as many as the node can answer, and go on coming.
//!
//!     cargo bench -- overload           # all; about eight minutes
//!     cargo bench -- overload --quick   # about three minutes; noisier
//!     cargo bench -- overload hello     # this one alone: hello, kv, burn, or apps
//!
//! Needs `wrk`, the PostgreSQL binaries and two cores. Each script has a node of its own, and then two apps share one. Callers are this
//! program in a process of its own (`generator`). They and the database have half of the cores, the node the others.

mod answer;
mod apps;
mod generator;
mod order;
mod stage;
mod subject;
mod tell;

use self::stage::Scale;
use self::subject::SUBJECTS;
use crate::support::Failure;
use crate::support::asked::Asked;
use crate::support::figures::Findings;
use crate::support::ground::Ground;
use crate::support::machine::Halves;

pub(crate) use self::generator::generate;
pub(crate) use self::order::MODE;

/// The part that is no script.
const APPS: &str = "apps";

pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let parts: Vec<&str> = SUBJECTS.iter().map(|(name, _)| *name).chain([APPS]).collect();
    let asked = Asked::of_parts(arguments, &parts)?;
    // Before the runtime has threads.
    let halves = Halves::part()?;
    tokio::runtime::Runtime::new()?.block_on(bench(&asked, halves))
}

async fn bench(asked: &Asked<'_>, halves: Halves) -> Result<(), Failure> {
    let scale = Scale::of(asked.is_quick);
    let ground = Ground::of_halves(halves).await?;
    let mut reports = Vec::new();
    for subject in SUBJECTS.into_iter().filter(|(name, _)| asked.has(name)) {
        reports.push(subject::measure(&ground, scale, subject).await?);
    }
    let mut sections = Vec::new();
    if !reports.is_empty() {
        sections.push(tell::section(scale, &reports));
    }
    if asked.has(APPS) {
        sections.push(apps::measure(&ground, scale).await?);
    }
    ground.close().await;
    Findings::tell("overload", asked, sections)
}
