//! `wasi:clocks/wall-clock`.

use wasmtime::component::Linker;

use super::door::{self, Given};
use super::guest::Guest;
use super::trace;
use crate::wit::wasi::clocks::wall_clock::Datetime;

/// What the clock tells apart: milliseconds, so that timing other tenants is no finer than that.
const RESOLUTION: Datetime = Datetime { seconds: 0, nanoseconds: 1_000_000 };

pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut clock = trace::interface(linker, "wasi:clocks/wall-clock@0.2.6")?;
    clock.func_wrap_async("now", |store, (): ()| {
        Box::new(door::local(store, 0, |guest| Given { value: (now(guest),), bytes: size_of::<Datetime>() }))
    })?;
    clock.func_wrap_async("resolution", |store, (): ()| {
        Box::new(door::local(store, 0, |_| Given { value: (RESOLUTION,), bytes: size_of::<Datetime>() }))
    })
}

fn now(guest: &Guest) -> Datetime {
    let millis = guest.clock.now().timestamp_millis().max(0).unsigned_abs();
    Datetime { seconds: millis / 1000, nanoseconds: u32::try_from(millis % 1000).unwrap_or(0) * RESOLUTION.nanoseconds }
}
