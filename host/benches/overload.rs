//! What happens past capacity: calls come by a clock, up to three times as many as the node can answer, and go on coming.
//!
//!     cargo bench -- overload              # all; about eight minutes
//!     cargo bench -- overload --quick   # about three minutes; noisier
//!     cargo bench -- overload hello     # this one alone: hello, kv, burn, or apps
//!
//! Needs `wrk` and the PostgreSQL binaries. Each script has a node of its own, and then two apps share one. Callers are this
//! program in a process of its own (`generator`), on the same cores as the node and before it in the kernel's eyes.

pub(crate) use generator::generate;
pub(crate) use order::MODE;

mod answer;
mod apps;
mod generator;
mod order;
mod stage;
mod subject;
mod tell;

use crate::support::Failure;
use crate::support::figures::Findings;
use stage::Scale;
use subject::SUBJECTS;

/// The filter that is no script.
const APPS: &str = "apps";

pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let words = arguments.iter().map(String::as_str);
    let (options, named): (Vec<&str>, Vec<&str>) = words.partition(|word| word.starts_with("--"));
    let known: Vec<&str> = SUBJECTS.iter().map(|(name, _)| *name).chain([APPS]).collect();
    if let Some(strange) = named.iter().find(|name| !known.contains(name)) {
        return Err(format!("there is no {strange}; there are {known:?}").into());
    }
    let asked = if named.is_empty() { known } else { named };
    tokio::runtime::Runtime::new()?.block_on(bench(Scale::of(options.contains(&"--quick")), &asked))
}

async fn bench(scale: Scale, asked: &[&str]) -> Result<(), Failure> {
    let dir = tempfile::Builder::new().prefix("picloud-bench").tempdir()?;
    let (postgres, url) = crate::support::postgres(dir.path()).await?;
    let mut reports = Vec::new();
    for subject in SUBJECTS.into_iter().filter(|(name, _)| asked.contains(name)) {
        reports.push(subject::measure(dir.path(), &url, scale, subject).await?);
    }
    let mut sections = Vec::new();
    if !reports.is_empty() {
        sections.push(tell::section(scale, &reports));
    }
    if asked.contains(&APPS) {
        sections.push(apps::measure(dir.path(), &url, scale).await?);
    }
    postgres.stop().await;
    if asked.len() <= SUBJECTS.len() {
        // What a whole run found stays as it is.
        Findings::show(&sections);
        return Ok(());
    }
    Findings::keep("overload", scale.is_quick, sections)
}
