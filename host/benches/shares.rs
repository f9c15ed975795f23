//! What apps can do to each other on one node: calls of a neighbour beside an app that takes all it can get.
//!
//!     cargo bench -- shares              # all figures; about half an hour
//!     cargo bench -- shares --quick   # about seven minutes; noisier
//!     cargo bench -- shares a d       # these figures alone
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
//! Figures that were named are told and not kept.

mod burn;
mod ground;
mod group;
mod load;
mod memory;
mod storage;
mod waits;

use crate::support::Failure;
use crate::support::figures::{Findings, Section};
use ground::{Ground, Scale};

const FIGURES: [&str; 7] = ["a", "b", "c", "d", "e", "f", "g"];

const TEXT: &str = "\
Each figure has a node of its own. A neighbour is called alone and beside the attack by turns, on 1 and on 8 connections; \
medians of the rounds, and the ratio of the p99 is that of the medians, in brackets the least and the most of the rounds. \
`with` is beside the attack; `failed` are calls of the neighbour that were not answered 200, alone or beside; `attack/s` \
are answers to the attack, whatever they say. Clients are threads of one process on the same two cores as the node: those \
that measure go before (niceness -10), those that attack do not.\n\n\
Goals: beside an app that burns CPU (a) a neighbour's p99 is at most three times what it is alone; beside everything known \
as an attack (c) all its calls succeed. The other figures have no goal: they say what is not held back, mostly work of \
PostgreSQL, which no lane divides.";

pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let (options, named): (Vec<&str>, Vec<&str>) = arguments.iter().map(String::as_str).partition(|word| word.starts_with("--"));
    if let Some(strange) = named.iter().find(|name| !FIGURES.contains(name)) {
        return Err(format!("there is no figure {strange}; there are {FIGURES:?}").into());
    }
    let scale = Scale::of(options.contains(&"--quick"));
    let asked = if named.is_empty() { FIGURES.to_vec() } else { named };
    tokio::runtime::Runtime::new()?.block_on(bench(scale, &asked))
}

async fn bench(scale: Scale, asked: &[&str]) -> Result<(), Failure> {
    let mut section = Section::new(100, "Apps against each other", TEXT);
    section.text += &format!("\n\n{} round(s) of {} s.", scale.rounds, scale.time.as_secs());
    let mut ground = None;
    for figure in asked {
        eprintln!("figure {figure}");
        if *figure == "b" {
            memory::bombs(scale, &mut section).await?;
            continue;
        }
        if ground.is_none() {
            ground = Some(Ground::open(scale).await?);
        }
        let Some(ground) = &ground else { continue };
        match *figure {
            "a" => burn::figure(ground, &mut section).await?,
            "c" => memory::hostile(ground, &mut section).await?,
            "d" => waits::hosts(ground, &mut section).await?,
            "e" => storage::logs(ground, &mut section).await?,
            "f" => storage::documents(ground, &mut section).await?,
            _ => waits::connections(ground, &mut section).await?,
        }
    }
    if let Some(ground) = ground {
        ground.close().await;
    }
    if FIGURES.iter().all(|figure| asked.contains(figure)) {
        return Findings::keep("shares", scale.is_quick, vec![section]);
    }
    Findings::show(&[section]);
    Ok(())
}
