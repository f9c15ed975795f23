//! What grows with what a node has: with its apps and scripts, and with the records of executions.
//!
//!     cargo bench -- scale              # all; about a quarter of an hour
//!     cargo bench -- scale --quick   # four minutes; up to 100 apps and 100 000 records; noisier
//!     cargo bench -- scale apps      # this one alone: apps, or records
//!
//! Needs `wrk` and the PostgreSQL binaries. Each has a database of its own; clients, node and database share the machine.

mod apps;
mod deployed;
mod ground;
mod records;
mod retention;

use crate::support::Failure;
use crate::support::figures::Findings;
use ground::Scale;

/// The filters.
const PARTS: [&str; 2] = ["apps", "records"];

pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let words = arguments.iter().map(String::as_str);
    let (options, named): (Vec<&str>, Vec<&str>) = words.partition(|word| word.starts_with("--"));
    if let Some(strange) = named.iter().find(|name| !PARTS.contains(name)) {
        return Err(format!("there is no {strange}; there are {PARTS:?}").into());
    }
    let asked = |part: &str| named.is_empty() || named.contains(&part);
    let scale = Scale::of(options.contains(&"--quick"));
    let sections = tokio::runtime::Runtime::new()?.block_on(async {
        let mut sections = Vec::new();
        if asked("apps") {
            sections.push(apps::measure(scale).await?);
        }
        if asked("records") {
            sections.extend(records::measure(scale).await?);
        }
        Ok::<_, Failure>(sections)
    })?;
    if named.is_empty() {
        return Findings::keep("scale", scale.is_quick, sections);
    }
    Findings::show(&sections);
    Ok(())
}
