//! What apps can do to each other on one node: calls of a neighbour beside an app that takes all it can get.
//!
//!     cargo bench --bench shares              # all figures; about half an hour
//!     cargo bench --bench shares -- --quick   # about seven minutes; noisier
//!     cargo bench --bench shares -- a d       # these figures alone
//!
//! | | the attack |
//! |---|---|
//! | a | scripts that burn CPU, and handlers that do; and deliveries beside requests that take all they can |
//! | b | memory bombs of four apps, node and database in a control group of 512 MB |
//! | c | ten thousand invocations of everything in `tests/it/scripts/hostile` |
//! | d | requests to a host that never answers |
//! | e | log lines without end |
//! | f | searches through a million documents without an index |
//! | g | thousands of connections that say nothing, or one byte now and then |
//!
//! Needs the PostgreSQL binaries; `b` needs root and a memory controller, `d` an address of a private network. Each figure has
//! a node of its own. A neighbour alone and beside the attack are measured by turns, and the medians of the rounds compared.
//! Clients are threads of this process, on the same cores as the node: those that measure go before, those that attack do not.
//!
//! A line that begins with `figure` is for programs: its letter, then JSON.

mod support;

#[path = "shares/burn.rs"]
mod burn;
#[path = "shares/ground.rs"]
mod ground;
#[path = "shares/group.rs"]
mod group;
#[path = "shares/load.rs"]
mod load;
#[path = "shares/memory.rs"]
mod memory;
#[path = "shares/storage.rs"]
mod storage;
#[path = "shares/waits.rs"]
mod waits;

use ground::{Ground, Scale};
use support::Failure;

const FIGURES: [&str; 7] = ["a", "b", "c", "d", "e", "f", "g"];

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (options, named): (Vec<&str>, Vec<&str>) = arguments.iter().map(String::as_str).partition(|word| word.starts_with("--"));
    if let Some(strange) = named.iter().find(|name| !FIGURES.contains(name)) {
        return Err(format!("there is no figure {strange}; there are {FIGURES:?}").into());
    }
    let scale = Scale::of(options.contains(&"--quick"));
    let asked = if named.is_empty() { FIGURES.to_vec() } else { named };
    tokio::runtime::Runtime::new()?.block_on(bench(scale, &asked))
}

async fn bench(scale: Scale, asked: &[&str]) -> Result<(), Failure> {
    let cores = std::thread::available_parallelism()?;
    println!("{cores} cores, {} round(s) of {} s, kernel {}", scale.rounds, scale.time.as_secs(), kernel()?);
    let mut ground = None;
    for figure in asked {
        println!();
        if *figure == "b" {
            memory::bombs(scale).await?;
            continue;
        }
        if ground.is_none() {
            ground = Some(Ground::open(scale).await?);
        }
        let Some(ground) = &ground else { continue };
        match *figure {
            "a" => burn::figure(ground).await?,
            "c" => memory::hostile(ground).await?,
            "d" => waits::hosts(ground).await?,
            "e" => storage::logs(ground).await?,
            "f" => storage::documents(ground).await?,
            _ => waits::connections(ground).await?,
        }
    }
    if let Some(ground) = ground {
        ground.close().await;
    }
    Ok(())
}

fn kernel() -> Result<String, Failure> {
    Ok(std::fs::read_to_string("/proc/sys/kernel/osrelease")?.trim().to_owned())
}
