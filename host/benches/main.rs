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
mod scale;
mod shares;
mod support;

use support::Failure;

fn main() -> Result<(), Failure> {
    // Cargo says so of itself.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let Some((name, rest)) = arguments.split_first() else { return Err(usage().into()) };
    match (name.as_str(), rest) {
        ("invocation", _) => invocation::run(rest),
        ("node", _) => node::run(rest),
        ("peers", _) => peers::run(rest),
        ("events", _) => events::run(rest),
        ("deploy", _) => deploy::run(rest),
        ("prepare", _) => prepare::run(rest),
        ("scale", _) => scale::run(rest),
        ("overload", _) => overload::run(rest),
        ("shares", _) => shares::run(rest),
        ("report", []) => report::run(),
        (node::MODE, [address, url, app]) => node::serve(address, url, app),
        (overload::MODE, [order]) => overload::generate(order),
        (peers::AXUM_MODE | peers::NATIVE_MODE, [address]) => peers::serve(name, address),
        _ => Err(usage().into()),
    }
}

fn usage() -> String {
    let names = report::BENCHES.map(|(name, _)| name).join(", ");
    format!("which bench? cargo bench -- NAME [--quick]; there are: {names}; and report, which makes host/benches/README.md")
}
