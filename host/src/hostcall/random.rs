//! `wasi:random/random`.

use rand::{Rng, RngExt};
use wasmtime::component::Linker;

use super::door::{self, Given};
use super::guest::Guest;
use crate::limits::RANDOM_BYTES_MAX;

#[allow(clippy::disallowed_methods, reason = "the home of scripts' randomness")]
pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut random = linker.instance("wasi:random/random@0.2.6")?;
    random.func_wrap_async("get-random-bytes", |store, (len,): (u64,)| {
        Box::new(async move {
            // The interface has no error: asking for more than the bound ends the invocation.
            let len = usize::try_from(len.min(RANDOM_BYTES_MAX + 1)).unwrap_or(0);
            if len as u64 > RANDOM_BYTES_MAX {
                return Err(wasmtime::Error::msg("more random bytes than one call may ask for"));
            }
            let random = |_: &mut Guest| {
                let mut bytes = vec![0; len];
                rand::rng().fill_bytes(&mut bytes);
                Given { value: (bytes,), bytes: len }
            };
            door::local(store, 0, random).await
        })
    })?;
    random.func_wrap_async("get-random-u64", |store, (): ()| {
        Box::new(door::local(store, 0, |_| Given { value: (rand::rng().random::<u64>(),), bytes: size_of::<u64>() }))
    })
}
