//! What apps can do to each other on one node: calls of a neighbour beside an app that takes all it can get.
//!
//!     cargo bench -- shares           # all figures; about half an hour
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
mod group;
mod load;
mod memory;
mod scene;
mod storage;
mod waits;

use self::scene::Scale;
use crate::support::Failure;
use crate::support::asked::Asked;
use crate::support::figures::{Findings, Section};
use crate::support::ground::Ground;

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
    let asked = Asked::of_parts(arguments, &FIGURES)?;
    tokio::runtime::Runtime::new()?.block_on(bench(&asked))
}

async fn bench(asked: &Asked<'_>) -> Result<(), Failure> {
    let scale = Scale::of(asked.is_quick);
    let mut section = Section::new(100, "Apps against each other", TEXT);
    section.text += &format!("\n\n{} round(s) of {} s.", scale.rounds, scale.time.as_secs());
    let mut ground = None;
    for figure in FIGURES.into_iter().filter(|figure| asked.has(figure)) {
        eprintln!("figure {figure}");
        if figure == "b" {
            memory::bombs(scale, &mut section).await?;
            continue;
        }
        if ground.is_none() {
            ground = Some(Ground::open().await?);
        }
        let Some(ground) = &ground else { continue };
        match figure {
            "a" => burn::figure(ground, scale, &mut section).await?,
            "c" => memory::hostile(ground, scale, &mut section).await?,
            "d" => waits::hosts(ground, scale, &mut section).await?,
            "e" => storage::logs(ground, scale, &mut section).await?,
            "f" => storage::documents(ground, scale, &mut section).await?,
            _ => waits::connections(ground, scale, &mut section).await?,
        }
    }
    if let Some(ground) = ground {
        ground.close().await;
    }
    Findings::tell("shares", asked, vec![section])
}
