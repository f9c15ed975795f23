//! The one place where host calls enter: bounded, charged, counted.

use std::future::Future;

use wasmtime::{StoreContextMut, Trap};

use super::error;
use super::guest::{Guest, Reach};
use super::local::{Called, Here};
use crate::error::{Error, Kind};
use crate::limits::{FUEL_YIELD_INTERVAL, HOST_CALL_FUEL_BASE, HOST_CALL_FUEL_PER_BYTE};
use crate::model::grant::Need;
use crate::unstoppable::Unstoppable;
use crate::wit;

/// What a call answers.
pub(super) type Answer<T> = wasmtime::Result<(Result<T, wit::Error>,)>;

/// What a call handed back, with its size.
pub(super) struct Given<T> {
    pub value: T,
    pub bytes: usize,
}

/// Only scripts that run may call the host: what a module's constants are must not depend on when it was published.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("a host call outside an invocation")]
pub struct NotRunning;

/// Lets a call out to the network, the disk or another script. `need` is what the app must grant for it, `bytes_out` what the
/// script hands over.
///
/// Fuel for the base and the bytes is taken before the work is done; bytes that come back are charged before the script
/// sees them. A call past the script's limit `host_calls` does nothing and is `limit-exceeded`; one that is not granted
/// does nothing and is `denied`, whoever called the script.
pub(super) async fn outward<T>(
    mut store: StoreContextMut<'_, Guest>,
    need: Need,
    bytes_out: usize,
    work: impl AsyncFnOnce(Reach) -> Result<Given<T>, Error>,
) -> Answer<T> {
    let reach = match admit(&mut store, &need, bytes_out).await? {
        Ok(reach) => reach,
        Err(refused) => return Ok((Err(refused),)),
    };
    let done = work(reach).await;
    answer(&mut store, done)
}

/// The same to the database, where an app has its share of the connections: who finds none of it free waits, in the invocation's
/// time. What was begun there comes to its end, and holds its place until then, even when the invocation ends meanwhile:
/// a statement that is dropped keeps its connection busy all the same.
pub(super) async fn database<T, F>(
    mut store: StoreContextMut<'_, Guest>,
    need: Need,
    bytes_out: usize,
    work: impl FnOnce(Reach) -> F,
) -> Answer<T>
where
    T: Send + 'static,
    F: Future<Output = Result<Given<T>, Error>> + Send + 'static,
{
    let reach = match admit(&mut store, &need, bytes_out).await? {
        Ok(reach) => reach,
        Err(refused) => return Ok((Err(refused),)),
    };
    let done = match reach.statement().await {
        Ok(place) => {
            let work = Box::pin(work(reach));
            let done = Unstoppable::new(async move {
                let done = work.await;
                drop(place);
                done
            });
            done.await.unwrap_or_else(|| Err(Error::internal("a host call panicked")))
        }
        Err(busy) => Err(busy),
    };
    answer(&mut store, done)
}

/// Lets a call into a world in memory: bounded, charged, counted and granted as [`outward`].
pub(super) async fn world<T>(
    mut store: StoreContextMut<'_, Guest>,
    called: Called,
    bytes_out: usize,
    work: impl FnOnce(&Here) -> Result<Given<T>, Error>,
) -> Answer<T> {
    let here = match admit_here(&mut store, &called, bytes_out).await? {
        Ok(here) => here,
        Err(refused) => return Ok((Err(refused),)),
    };
    let done = work(&here);
    answer(&mut store, done)
}

/// The same where the world has to wait: for another script, for the network.
pub(super) async fn world_waiting<T>(
    mut store: StoreContextMut<'_, Guest>,
    called: Called,
    bytes_out: usize,
    work: impl AsyncFnOnce(Here) -> Result<Given<T>, Error>,
) -> Answer<T> {
    let here = match admit_here(&mut store, &called, bytes_out).await? {
        Ok(here) => here,
        Err(refused) => return Ok((Err(refused),)),
    };
    let done = work(here).await;
    answer(&mut store, done)
}

/// Lets a call in that waits for something and reaches nothing: it needs no grant, and counts as one that does.
pub(super) async fn waiting(mut store: StoreContextMut<'_, Guest>, work: impl Future<Output = Result<(), Error>>) -> Answer<()> {
    enter(&mut store, 0).await?;
    if let Err(spent) = count(store.data_mut()) {
        return Ok((Err(spent),));
    }
    let done = work.await;
    Ok((done.map_err(|failed| error::to_guest(failed, store.data_mut())),))
}

/// Turns away a call whose arguments do not even say what it would need: charged as any other, nothing is done.
pub(super) async fn refused<T>(mut store: StoreContextMut<'_, Guest>, bytes_out: usize, refusal: Error) -> Answer<T> {
    enter(&mut store, bytes_out).await?;
    Ok((Err(error::to_guest(refusal, store.data_mut())),))
}

/// Lets a call in that is answered inside the process and cannot fail.
pub(super) async fn local<T>(
    mut store: StoreContextMut<'_, Guest>,
    bytes_out: usize,
    work: impl FnOnce(&mut Guest) -> Given<T>,
) -> wasmtime::Result<T> {
    enter(&mut store, bytes_out).await?;
    let given = work(store.data_mut());
    leave(&mut store, given.bytes)?;
    Ok(given.value)
}

/// One more of the calls that are bounded in number.
fn count(guest: &mut Guest) -> Result<(), wit::Error> {
    let allowed = guest.limits.host_calls;
    if guest.outward_calls >= allowed {
        let message = format!("an invocation of this script may make {allowed} host calls (its limit `host_calls`)");
        return Err(error::to_guest(Error::new(Kind::RateLimited, "limit_exceeded", message), guest));
    }
    guest.outward_calls += 1;
    Ok(())
}

/// Counted and granted.
async fn admit(
    store: &mut StoreContextMut<'_, Guest>,
    need: &Need,
    bytes_out: usize,
) -> wasmtime::Result<Result<Reach, wit::Error>> {
    enter(store, bytes_out).await?;
    if let Err(spent) = count(store.data_mut()) {
        return Ok(Err(spent));
    }
    let reach = store.data().reach.clone().ok_or(NotRunning)?;
    match reach.require(need) {
        Ok(()) => Ok(Ok(reach)),
        Err(denied) => Ok(Err(error::to_guest(denied, store.data_mut()))),
    }
}

/// Counted, granted, and known to the world, which may have a scripted failure for it.
async fn admit_here(
    store: &mut StoreContextMut<'_, Guest>,
    called: &Called,
    bytes_out: usize,
) -> wasmtime::Result<Result<Here, wit::Error>> {
    enter(store, bytes_out).await?;
    if let Err(spent) = count(store.data_mut()) {
        return Ok(Err(spent));
    }
    let here = store.data().here.clone().ok_or(NotRunning)?;
    match here.admit(called) {
        Ok(()) => Ok(Ok(here)),
        Err(refused) => Ok(Err(error::to_guest(refused, store.data_mut()))),
    }
}

fn answer<T>(store: &mut StoreContextMut<'_, Guest>, done: Result<Given<T>, Error>) -> Answer<T> {
    match done {
        Ok(given) => {
            leave(store, given.bytes)?;
            Ok((Ok(given.value),))
        }
        Err(failed) => Ok((Err(error::to_guest(failed, store.data_mut())),)),
    }
}

async fn enter(store: &mut StoreContextMut<'_, Guest>, bytes_out: usize) -> wasmtime::Result<()> {
    if store.data().reach.is_none() && store.data().here.is_none() {
        return Err(wasmtime::Error::new(NotRunning));
    }
    charge(store, HOST_CALL_FUEL_BASE + fee(bytes_out))?;
    give_way(store).await?;
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

/// Every charge begins the guest's yield interval anew, so a guest that makes one call after the other would never come to its
/// end: here it gives way instead.
async fn give_way(store: &mut StoreContextMut<'_, Guest>) -> wasmtime::Result<()> {
    let left = store.get_fuel()?;
    let since = *store.data_mut().yielded_at.get_or_insert(left);
    if since.saturating_sub(left) < FUEL_YIELD_INTERVAL {
        return Ok(());
    }
    store.data_mut().yielded_at = Some(left);
    tokio::task::yield_now().await;
    Ok(())
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
