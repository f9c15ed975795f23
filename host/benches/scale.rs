//! What grows with what a node has: with its apps and scripts, and with the records of executions.
//!
//!     cargo bench -- scale           # all; about a quarter of an hour
//!     cargo bench -- scale --quick   # four minutes; up to 100 apps and 100 000 records; noisier
//!     cargo bench -- scale apps      # this one alone: apps, or records
//!
//! Needs `wrk` and the PostgreSQL binaries. Each has a database of its own; clients, node and database share the machine.

mod apps;
mod deployed;
mod load;
mod records;
mod retention;

use self::load::Scale;
use crate::support::Failure;
use crate::support::asked::Asked;
use crate::support::figures::Findings;

const PARTS: [&str; 2] = ["apps", "records"];

pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let asked = Asked::of_parts(arguments, &PARTS)?;
    tokio::runtime::Runtime::new()?.block_on(bench(&asked))
}

async fn bench(asked: &Asked<'_>) -> Result<(), Failure> {
    let scale = Scale::of(asked.is_quick);
    let mut sections = Vec::new();
    if asked.has("apps") {
        sections.push(apps::measure(scale).await?);
    }
    if asked.has("records") {
        sections.extend(records::measure(scale).await?);
    }
    Findings::tell("scale", asked, sections)
}
