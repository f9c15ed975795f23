//! The world's imports without a node: what a script asks for is answered from a [`World`] in memory.
//!
//! It serves whoever tries a script, or tests one, on a machine of their own. A file for each interface, of the name that the
//! node's has; `world` is what they share, `events` what waits to be delivered, `answers` what a test has scripted, and
//! `control` what a test file asks of its world. Clocks, chance, waits and the log are those of the node, which know of a world.
//!
//! Invariants: every call goes through the same door as on a node, at the same price in fuel, and its arguments are judged by
//! the same rules of `model`. Nothing leaves but by `egress`, and only where the world was given a way out. Nothing outlives
//! the world, and nothing of one is seen in another. With a clock that stands still and a seed, two worlds that are asked the
//! same answer the same, ids and all.

mod answers;
mod control;
mod dead_letters;
mod docs;
mod email;
mod events;
mod files;
mod http;
mod invoke;
mod kv;
mod queue;
mod secrets;
#[cfg(test)]
mod tests;
mod world;

use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::component::Linker;

pub(super) use self::answers::Called;
pub use self::events::Listener;
pub(super) use self::files::Transfers;
pub use self::invoke::{Ask, Ran, Scripts};
pub use self::world::{Purpose, Settings, WayOut, World};
use super::guest::Guest;
use super::{clocks, log, random, retry};
use crate::error::Result;
use crate::id::RequestId;
use crate::model::event::Origin;

/// One invocation in a world.
#[derive(Debug, Clone)]
pub struct Here {
    pub world: Arc<World>,
    pub request_id: RequestId,
    /// Scripts that called each other to get here.
    pub depth: u32,
    /// Hops of the chain of events that led here.
    pub event_depth: u32,
    /// When it ends at the latest.
    pub deadline: Instant,
    pub role: Role,
}

/// What the script is to its world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// One of the app's: it may what the app grants.
    Script,
    /// The file of a test: it prepares the world, looks at it, and runs scripts in it.
    Test,
}

impl Here {
    /// Of an invocation from outside, which may take so long.
    pub fn first(world: &Arc<World>, role: Role, timeout_ms: u32) -> Self {
        let deadline = Instant::now() + Duration::from_millis(timeout_ms.into());
        Self { world: world.clone(), request_id: world.request_id(), depth: 0, event_depth: 0, deadline, role }
    }

    /// Of one that begins because of this one.
    fn next(&self, depth: u32, event_depth: u32) -> Self {
        Self { depth, event_depth, role: Role::Script, ..self.clone() }
    }

    /// What events that it causes come of.
    fn origin(&self) -> Origin {
        Origin { depth: self.event_depth, ..Origin::of(self.request_id) }
    }

    /// Lets a call in: noted, granted, and not one that a test has scripted to fail.
    pub(super) fn admit(&self, called: &Called) -> Result<()> {
        self.world.note(called);
        if self.role == Role::Script
            && let Some(need) = called.need()
        {
            self.world.require(need)?;
        }
        self.world.scripted_failure(called)
    }
}

/// Links every import of the world, as the node's own `link`.
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
    queue::link(linker)?;
    random::link(linker)?;
    retry::link(linker)?;
    secrets::link(linker)
}
