//! The Rhai interpreter as a WebAssembly component: the only code that ever reads a tenant's source.
//!
//! One instance serves one invocation. `control` is the memory protocol with the host (snapshot, images), `heap` the
//! allocator under it, `program` the exports, `engine` the interpreter with the script library in `api`, and `context`,
//! `answer`, `failure`, `json` the conversions at the edge.
//!
//! Invariants: nothing here reads time, randomness or a hash seed but through a host call; `warm` leaves every
//! instance bit-identical; what `prepare` leaves in memory depends on the source alone.

mod answer;
mod api;
mod capability;
mod context;
mod control;
mod engine;
mod failure;
mod heap;
mod import;
mod json;
mod limits;
mod module;
mod program;

wit_bindgen::generate!({
    world: "script",
    path: "../wit",
    generate_all,
    // Exports that receive or show raw memory are written by hand in `control`.
    skip: ["layout", "dump", "place"],
});

struct Script;

impl Guest for Script {
    fn warm() {
        program::warm();
        control::arm();
    }

    fn check(kind: Kind, name: String, source: String) -> Result<Checked, Diagnostic> {
        control::prepare([name, source], |name, source| program::check(kind, name, source))
    }

    fn provide(name: String, source: String) -> Result<(), Diagnostic> {
        control::provide([name, source], program::provide)
    }

    fn prepare(name: String, source: String) -> Result<(), Diagnostic> {
        control::prepare([name, source], program::prepare)
    }

    fn handle(invocation: Invocation) -> Result<Answer, Failure> {
        program::handle(invocation)
    }
}

export!(Script);
