//! Scripts on this machine, in the same sandbox, without a node: `picloud run` and `picloud test`.
//!
//! `project` is which scripts there are, `stage` the sandbox that they run in; what they act on is a world in memory
//! (`hostcall::local`). `run` runs one file, `suite` finds and runs tests (`scan` finds them in a source), `report` tells of
//! both. Beside them is `test.rhai`, which test files import.
//!
//! Nothing leaves the machine but requests of `run` to hosts that `--allow-http` names. Nothing is written but the compiled
//! sandbox, in the cache.

mod project;
mod report;
mod run;
mod scan;
mod stage;
mod suite;

use std::path::PathBuf;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use clap::Subcommand;

use super::failure::{Exit, Failure, Result};

/// Where the compiled sandbox is kept, below the user's cache.
const CACHE: &str = "picloud";

#[derive(Debug, Subcommand)]
pub(super) enum Local {
    /// Run a script of this machine, in the same sandbox, without a node.
    #[command(after_help = run::EXAMPLES)]
    Run(Box<run::Run>),
    /// Run the tests of a project, *_test.rhai: without a node, with a clock that stands still and chance of a seed.
    #[command(after_help = suite::EXAMPLES)]
    Test(suite::Test),
}

/// What both take.
#[derive(Debug, clap::Args)]
struct Common {
    /// Where the compiled sandbox is kept [default: picloud in $XDG_CACHE_HOME, or in ~/.cache].
    #[arg(long, env = "PICLOUD_CACHE_DIR", hide_env_values = true, value_name = "DIR")]
    cache_dir: Option<PathBuf>,
    /// The result as one JSON document.
    #[arg(long)]
    json: bool,
}

/// A time on the command line: `2026-01-02T03:04:05Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct At(DateTime<Utc>);

impl FromStr for At {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let wrong = |e| format!("this is not an RFC 3339 time such as 2026-01-01T12:00:00Z: {e}");
        DateTime::parse_from_rfc3339(text).map(|at| Self(at.to_utc())).map_err(wrong)
    }
}

/// On a runtime of its own.
pub(super) fn main(local: Local) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("picloud").build();
    let runtime = runtime.map_err(|e| Failure::new(Exit::Other, format!("no runtime: {e}")))?;
    let done = runtime.block_on(async move {
        match local {
            Local::Run(run) => run::run(*run).await,
            Local::Test(test) => suite::run(test).await,
        }
    });
    runtime.shutdown_background();
    done
}

/// The directory of the compiled sandbox.
fn cache(given: Option<PathBuf>) -> Result<PathBuf> {
    let of = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let usual = || of("XDG_CACHE_HOME").or_else(|| of("HOME").map(|home| home.join(".cache"))).map(|cache| cache.join(CACHE));
    given.or_else(usual).ok_or_else(|| {
        Failure::new(Exit::Usage, "there is no home to keep the compiled sandbox in")
            .hinting("--cache-dir DIR, or PICLOUD_CACHE_DIR")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_rfc_3339() {
        assert_eq!("2026-01-01T01:00:00+01:00".parse::<At>(), "2026-01-01T00:00:00Z".parse::<At>());
        assert!("yesterday".parse::<At>().is_err());
    }
}
