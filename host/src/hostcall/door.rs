//! The one place where host calls enter: bounded, charged, counted.

use wasmtime::{StoreContextMut, Trap};

use super::error;
use super::guest::{Guest, Reach};
use crate::error::Error;
use crate::limits::{HOST_CALL_FUEL_BASE, HOST_CALL_FUEL_PER_BYTE, HOST_CALLS_PER_INVOCATION_MAX};
use crate::model::grant::Need;
use crate::wit;

/// What a call handed back, with its size.
pub(super) struct Given<T> {
    pub value: T,
    pub bytes: usize,
}

/// Only scripts that run may call the host: what a module's constants are must not depend on when it was published.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("a host call outside an invocation")]
pub struct NotRunning;

/// Lets a call out to the database or the network. `need` is what the app must grant for it, `bytes_out` what the script
/// hands over.
///
/// Fuel for the base and the bytes is taken before the work is done; bytes that come back are charged before the script
/// sees them. A call past [`HOST_CALLS_PER_INVOCATION_MAX`] does nothing and is `limit-exceeded`; one that is not granted
/// does nothing and is `denied`, whoever called the script.
pub(super) async fn outward<T>(
    mut store: StoreContextMut<'_, Guest>,
    need: Need,
    bytes_out: usize,
    work: impl AsyncFnOnce(Reach) -> Result<Given<T>, Error>,
) -> wasmtime::Result<(Result<T, wit::Error>,)> {
    enter(&mut store, bytes_out)?;
    if let Err(spent) = count(store.data_mut()) {
        return Ok((Err(spent),));
    }
    let reach = store.data().reach.clone().ok_or(NotRunning)?;
    if let Err(denied) = reach.require(&need) {
        return Ok((Err(error::to_guest(denied, store.data_mut())),));
    }
    match work(reach).await {
        Ok(given) => {
            leave(&mut store, given.bytes)?;
            Ok((Ok(given.value),))
        }
        Err(failed) => Ok((Err(error::to_guest(failed, store.data_mut())),)),
    }
}

/// Lets a call in that waits for something and reaches nothing: it needs no grant, and counts as one that does.
pub(super) async fn waiting(
    mut store: StoreContextMut<'_, Guest>,
    work: impl Future<Output = Result<(), Error>>,
) -> wasmtime::Result<(Result<(), wit::Error>,)> {
    enter(&mut store, 0)?;
    if let Err(spent) = count(store.data_mut()) {
        return Ok((Err(spent),));
    }
    let done = work.await;
    Ok((done.map_err(|failed| error::to_guest(failed, store.data_mut())),))
}

/// Turns away a call whose arguments do not even say what it would need: charged as any other, nothing is done.
pub(super) fn refused<T>(
    mut store: StoreContextMut<'_, Guest>,
    bytes_out: usize,
    refusal: Error,
) -> wasmtime::Result<(Result<T, wit::Error>,)> {
    enter(&mut store, bytes_out)?;
    Ok((Err(error::to_guest(refusal, store.data_mut())),))
}

/// Lets a call in that is answered inside the process and cannot fail.
pub(super) fn local<T>(
    mut store: StoreContextMut<'_, Guest>,
    bytes_out: usize,
    work: impl FnOnce(&mut Guest) -> Given<T>,
) -> wasmtime::Result<T> {
    enter(&mut store, bytes_out)?;
    let given = work(store.data_mut());
    leave(&mut store, given.bytes)?;
    Ok(given.value)
}

/// One more of the calls that are bounded in number.
fn count(guest: &mut Guest) -> Result<(), wit::Error> {
    if guest.outward_calls >= HOST_CALLS_PER_INVOCATION_MAX {
        let message = format!("an invocation may make {HOST_CALLS_PER_INVOCATION_MAX} host calls");
        return Err(wit::Error::LimitExceeded(message));
    }
    guest.outward_calls += 1;
    Ok(())
}

fn enter(store: &mut StoreContextMut<'_, Guest>, bytes_out: usize) -> wasmtime::Result<()> {
    if store.data().reach.is_none() {
        return Err(wasmtime::Error::new(NotRunning));
    }
    charge(store, HOST_CALL_FUEL_BASE + fee(bytes_out))?;
    let guest = store.data_mut();
    guest.host_calls = guest.host_calls.saturating_add(1);
    guest.bytes_out = guest.bytes_out.saturating_add(bytes_out as u64);
    Ok(())
}

fn leave(store: &mut StoreContextMut<'_, Guest>, bytes_in: usize) -> wasmtime::Result<()> {
    let guest = store.data_mut();
    guest.bytes_in = guest.bytes_in.saturating_add(bytes_in as u64);
    charge(store, fee(bytes_in))
}

fn fee(bytes: usize) -> u64 {
    (bytes as u64).saturating_mul(HOST_CALL_FUEL_PER_BYTE)
}

/// Takes fuel; an invocation that cannot pay ends as any other that ran out.
fn charge(store: &mut StoreContextMut<'_, Guest>, fuel: u64) -> wasmtime::Result<()> {
    if fuel == 0 {
        return Ok(());
    }
    let left = store.get_fuel()?;
    store.set_fuel(left.saturating_sub(fuel))?;
    if left < fuel { Err(Trap::OutOfFuel.into()) } else { Ok(()) }
}
