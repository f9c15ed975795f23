//! `wasi:random/random`: the system's, or that of the world that the script runs in.

use rand::Rng;
use wasmtime::component::Linker;

use super::door::{self, Given};
use super::guest::Guest;
use super::trace;
use crate::limits::RANDOM_BYTES_MAX;

pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut random = trace::interface(linker, "wasi:random/random@0.2.6")?;
    random.func_wrap_async("get-random-bytes", |store, (len,): (u64,)| {
        Box::new(async move {
            // The interface has no error: asking for more than the bound ends the invocation.
            let len = usize::try_from(len.min(RANDOM_BYTES_MAX + 1)).unwrap_or(0);
            if len as u64 > RANDOM_BYTES_MAX {
                return Err(wasmtime::Error::msg("more random bytes than one call may ask for"));
            }
            let random = |guest: &mut Guest| {
                let mut bytes = vec![0; len];
                fill(guest, &mut bytes);
                Given { value: (bytes,), bytes: len }
            };
            door::local(store, 0, random).await
        })
    })?;
    random.func_wrap_async("get-random-u64", |store, (): ()| {
        Box::new(door::local(store, 0, |guest| {
            let mut bytes = [0; size_of::<u64>()];
            fill(guest, &mut bytes);
            Given { value: (u64::from_le_bytes(bytes),), bytes: size_of::<u64>() }
        }))
    })
}

#[allow(clippy::disallowed_methods, reason = "the home of scripts' randomness")]
fn fill(guest: &Guest, bytes: &mut [u8]) {
    match &guest.here {
        Some(here) => here.world.fill(bytes),
        None => rand::rng().fill_bytes(bytes),
    }
}
