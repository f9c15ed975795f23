//! What PiCloud costs. One program for all benches, so that everything is built once: `cargo bench -- NAME`, or `make bench` for
//! all of them and the report. Started with a mode (`serve-axum`, …) it is what the benches compare with, or what calls.

mod deploy;
mod events;
mod invocation;
mod node;
mod overload;
mod peers;
mod prepare;
mod report;
mod routes;
mod scale;
mod shares;
mod support;

use self::support::Failure;

/// Its name, what runs it, and what it measures.
type Bench = (&'static str, fn(&[String]) -> Result<(), Failure>, &'static str);

/// In the order in which they run. `.ci/bench` reads the names here, so each has a line of its own.
pub(crate) const BENCHES: [Bench; 10] = [
    ("invocation", invocation::run, "one invocation, in process; functions for those with this in their name"),
    ("node", node::run, "one `kv` call; start, memory, an idle minute"),
    ("peers", peers::run, "beside other servers; workerd deno for some"),
    ("events", events::run, "the way of an event"),
    ("deploy", deploy::run, "what a change of an app costs"),
    ("prepare", prepare::run, "one script, from one function to hundreds"),
    ("routes", routes::run, "a request's way to its script"),
    ("scale", scale::run, "thousands of scripts, a million records"),
    ("overload", overload::run, "what happens past capacity"),
    ("shares", shares::run, "apps against each other; a d for some"),
];

fn main() -> Result<(), Failure> {
    // Cargo says so of itself.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let Some((name, rest)) = arguments.split_first() else { return Err(usage().into()) };
    if let Some((_, run, _)) = BENCHES.iter().find(|(bench, ..)| *bench == name.as_str()) {
        return run(rest);
    }
    match (name.as_str(), rest) {
        ("report", []) => report::run(),
        (node::MODE, [address, url, app]) => node::serve(address, url, app),
        (overload::MODE, [order]) => overload::generate(order),
        (peers::AXUM_MODE | peers::NATIVE_MODE, [address]) => peers::serve(name, address),
        _ => Err(usage().into()),
    }
}

fn usage() -> String {
    let names = BENCHES.map(|(name, ..)| name).join(", ");
    format!("which bench? cargo bench -- NAME [--quick]; there are: {names}; and report, which makes host/benches/README.md")
}
