//! The exports that an invocation calls, typed once for the component rather than for each of its instances.
//!
//! The generated `Script` checks the types of every export whenever it is made: a tenth of a short invocation. Here they
//! are checked when the sandbox opens; afterwards the same component's exports cannot have others.

use std::ptr::NonNull;

use wasmtime::component::{Component, ComponentExportIndex, Func, Instance, TypedFunc, WasmList};
use wasmtime::{Error, Store};

use super::placement;
use crate::hostcall::Guest;
use crate::model::invocation::{Call, InvocationType};
use crate::model::script::{Code, Module};
use crate::wit::program::{self, Answer, Checked, Diagnostic, Failure, Invocation, Kind};
use crate::wit::{Extent, Script};

type Check<'a> = TypedFunc<(Kind, &'a str, &'a str), (Result<Checked, Diagnostic>,)>;
type Dump = TypedFunc<(), (WasmList<u8>,)>;
type Place<'a> = TypedFunc<(u32, &'a [Extent]), (WasmList<u8>,)>;
/// Of `prepare` and of `provide`.
type Prepare<'a> = TypedFunc<(&'a str, &'a str), (Result<(), Diagnostic>,)>;
type Handle<'a> = TypedFunc<(&'a Invocation,), (Result<Answer, Failure>,)>;

/// Where a component has them. Made by [`Exports::of`] alone, which has seen their types.
pub(super) struct Exports {
    check: ComponentExportIndex,
    dump: ComponentExportIndex,
    place: ComponentExportIndex,
    provide: ComponentExportIndex,
    prepare: ComponentExportIndex,
    handle: ComponentExportIndex,
}

impl Exports {
    /// `_checked` is an instance of this very component: that it could be made is the proof of the types.
    pub(super) fn of(component: &Component, _checked: &Script) -> wasmtime::Result<Self> {
        let find = |name: &str| {
            component.get_export_index(None, name).ok_or_else(|| Error::msg(format!("the component has no `{name}`")))
        };
        Ok(Self {
            check: find("check")?,
            dump: find("dump")?,
            place: find("place")?,
            provide: find("provide")?,
            prepare: find("prepare")?,
            handle: find("handle")?,
        })
    }

    pub(super) async fn check(
        &self,
        store: &mut Store<Guest>,
        instance: &Instance,
        kind: Kind,
        name: &str,
        source: &str,
    ) -> wasmtime::Result<Result<Checked, Diagnostic>> {
        let function = function(store, instance, &self.check)?;
        // SAFETY: the type that `Script` gave this export of the same component.
        let (checked,) = unsafe { Check::new_unchecked(function) }.call_async(store, (kind, name, source)).await?;
        Ok(checked)
    }

    /// A copy of the instance's whole memory: seen as it lies there, not lifted byte for byte. It is the last thing that the
    /// instance does: its memory is as at first afterwards, so that what it prepared leaves no page to those that run later.
    pub(super) async fn dump(&self, store: &mut Store<Guest>, instance: &Instance) -> wasmtime::Result<Vec<u8>> {
        let function = function(store, instance, &self.dump)?;
        // SAFETY: the type that `Script` gave this export of the same component.
        let (memory,) = unsafe { Dump::new_unchecked(function) }.call_async(&mut *store, ()).await?;
        let memory = memory.as_le_slice(&*store);
        let copy = memory.to_vec();
        // SAFETY: nothing runs in the instance any more.
        unsafe { placement::blank(NonNull::from(memory)) };
        Ok(copy)
    }

    /// Gives the instance's whole memory.
    pub(super) async fn place(
        &self,
        store: &mut Store<Guest>,
        instance: &Instance,
        pages: u32,
        extents: &[Extent],
    ) -> wasmtime::Result<NonNull<[u8]>> {
        let function = function(store, instance, &self.place)?;
        // SAFETY: the type that `Script` gave this export of the same component.
        let place = unsafe { Place::new_unchecked(function) };
        let (memory,) = place.call_async(&mut *store, (pages, extents)).await?;
        Ok(NonNull::from(memory.as_le_slice(&*store)))
    }

    /// Makes modules ready, in this order. The first that cannot be is named.
    pub(super) async fn provide(
        &self,
        store: &mut Store<Guest>,
        instance: &Instance,
        modules: &[Module],
    ) -> wasmtime::Result<Result<(), Diagnostic>> {
        for module in modules {
            let function = function(store, instance, &self.provide)?;
            // SAFETY: the type that `Script` gave this export of the same component.
            let provide = unsafe { Prepare::new_unchecked(function) };
            if let (Err(found),) = provide.call_async(&mut *store, (&module.name, &module.source)).await? {
                return Ok(Err(Diagnostic { message: format!("module `{}`: {}", module.name, found.message), ..found }));
            }
        }
        Ok(Ok(()))
    }

    /// Makes a script ready, its modules first.
    pub(super) async fn prepare(
        &self,
        store: &mut Store<Guest>,
        instance: &Instance,
        code: &Code,
    ) -> wasmtime::Result<Result<(), Diagnostic>> {
        if let Err(found) = self.provide(store, instance, &code.modules).await? {
            return Ok(Err(found));
        }
        let function = function(store, instance, &self.prepare)?;
        // SAFETY: the type that `Script` gave this export of the same component.
        let (prepared,) = unsafe { Prepare::new_unchecked(function) }.call_async(store, (&code.name, &code.source)).await?;
        Ok(prepared)
    }

    pub(super) async fn handle(
        &self,
        store: &mut Store<Guest>,
        instance: &Instance,
        invocation: &Invocation,
    ) -> wasmtime::Result<Result<Answer, Failure>> {
        let function = function(store, instance, &self.handle)?;
        // SAFETY: the type that `Script` gave this export of the same component.
        let (answered,) = unsafe { Handle::new_unchecked(function) }.call_async(store, (invocation,)).await?;
        Ok(answered)
    }
}

fn function(store: &mut Store<Guest>, instance: &Instance, index: &ComponentExportIndex) -> wasmtime::Result<Func> {
    instance.get_func(store, index).ok_or_else(|| Error::msg("an export is missing"))
}

/// The call as the guest is given it.
pub(super) fn invocation(call: Call) -> Invocation {
    let request = call.request;
    Invocation {
        execution_id: call.execution_id.to_string(),
        request_id: call.request_id.to_string(),
        script_id: call.script.script_id.to_string(),
        script_name: call.script.name.clone(),
        invocation_type: match call.invocation_type {
            InvocationType::Http => program::InvocationType::Http,
            InvocationType::Direct => program::InvocationType::Direct,
            InvocationType::Function => program::InvocationType::Function,
            InvocationType::Event => program::InvocationType::Event,
        },
        request: program::Request {
            method: request.method,
            path: request.path,
            params: request.params,
            rest: request.rest,
            query: request.query,
            headers: request.headers,
            body: request.body,
            remote_addr: request.remote_addr,
        },
        event: call.delivered.and_then(|delivered| delivered.event).map(|event| program::Event {
            id: event.id.to_string(),
            source: event.source.as_str().to_owned(),
            op: event.op,
            time_ms: event.at.timestamp_millis(),
            attempt: event.attempt,
            depth: event.depth,
            about: event.about,
        }),
        response_body_bytes_max: call.script.limits.response_body_bytes,
    }
}
