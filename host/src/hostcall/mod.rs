//! What a script can do: one file per WIT interface, of the same name.
//!
//! Every call enters through [`door`] (or, where nothing leaves the process, [`door::local`]): there it is bounded,
//! charged in fuel, and counted. The app always comes from [`Guest`], never from an argument. A call that ends in an
//! error has done nothing; a call whose invocation is dropped while it waits (deadline) either committed or did not,
//! as its one transaction decides.
//!
//! What somebody watches is noted around the calls by [`trace`].
//!
//! [`local`] has the same imports over a world in memory, for scripts that run on the machine of who writes them.

mod clocks;
mod dead_letters;
mod docs;
mod door;
mod email;
mod error;
mod files;
#[cfg(fuzzing)]
pub mod fuzzing;
mod guest;
mod http;
mod invoke;
mod kv;
pub mod local;
mod log;
mod pubsub;
mod queue;
mod random;
mod retry;
mod secrets;
mod trace;

use wasmtime::component::Linker;

pub use self::door::NotRunning;
pub use self::error::FAULT_MESSAGE;
pub use self::guest::{Caller, Ground, Guest, MemoryExceeded, Reach};
pub use self::invoke::{Nested, Scripts};

/// Links every import of the world, and nothing else.
pub fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    clocks::link(linker)?;
    dead_letters::link(linker)?;
    docs::link(linker)?;
    email::link(linker)?;
    files::link(linker)?;
    invoke::link(linker)?;
    http::link(linker)?;
    kv::link(linker)?;
    log::link(linker)?;
    pubsub::link(linker)?;
    queue::link(linker)?;
    random::link(linker)?;
    retry::link(linker)?;
    secrets::link(linker)
}
