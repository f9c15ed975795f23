//! `picloud:sandbox/invoke`.
//!
//! Scripts are run one layer above; [`Scripts`] is how a host call gets there.

use std::future::Future;
use std::pin::Pin;

use wasmtime::component::Linker;
use wasmtime::{AsContextMut as _, StoreContextMut};

use super::door::{self, Given};
use super::guest::{Caller, Guest, Reach};
use super::trace;
use crate::error::Error;
use crate::id::AppId;
use crate::limits::{INVOKE_ARGUMENTS_BYTES_MAX, INVOKE_DEPTH_MAX};
use crate::model::execution::Failure;
use crate::model::grant::{Capability, Need};
use crate::model::text;
use crate::service;
use crate::wit::invoke as wit;

/// One script's wish that another of its app runs.
#[derive(Debug, Clone)]
pub struct Nested {
    pub app_id: AppId,
    pub script: String,
    /// JSON text.
    pub arguments: Vec<u8>,
    pub timeout_ms: Option<u32>,
    pub caller: Caller,
}

type Answer<T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send>>;
type Way<T> = Box<dyn Fn(Nested) -> Answer<T> + Send + Sync>;

/// Runs scripts for scripts.
pub struct Scripts {
    /// Waits for the script's value, as JSON text.
    pub call: Way<Result<Vec<u8>, Failure>>,
}

impl Scripts {
    /// Where there are no others.
    pub fn none() -> Self {
        Self { call: Box::new(|_| Box::pin(async { Err(Error::not_found("script")) })) }
    }
}

impl std::fmt::Debug for Scripts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scripts").finish_non_exhaustive()
    }
}

pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut instance = trace::interface(linker, "picloud:sandbox/invoke@0.1.0")?;
    instance.func_wrap_async("call", |store, arguments| Box::new(call(store, arguments)))?;
    instance.func_wrap_async("start", |store, (script, arguments): (String, Vec<u8>)| {
        let bytes_out = script.len() + arguments.len();
        Box::new(door::database(store, need(&script), bytes_out, move |reach| async move {
            check_arguments(&arguments)?;
            let id = service::invocations::start(&reach.services, reach.app_id, reach.origin(), &script, arguments).await?;
            let id = id.to_string();
            Ok(Given { bytes: id.len(), value: id })
        }))
    })
}

async fn call(
    mut store: StoreContextMut<'_, Guest>,
    (script, arguments, timeout_ms): (String, Vec<u8>, Option<u32>),
) -> door::Answer<Result<Vec<u8>, wit::Failure>> {
    let bytes_out = script.len() + arguments.len();
    let mut failed = None;
    let note = &mut failed;
    let (answer,) = door::outward(store.as_context_mut(), need(&script), bytes_out, async move |reach| {
        let answered = (reach.scripts.call)(nested(&reach, script, arguments, timeout_ms)?).await?;
        Ok(match answered {
            Ok(value) => Given { bytes: value.len(), value: Ok(value) },
            Err(failure) => {
                *note = Some(failure.code.as_str());
                let failure = failure_to_guest(&failure);
                Given { bytes: failure.message.len(), value: Err(failure) }
            }
        })
    })
    .await?;
    if let Some(code) = failed {
        store.data_mut().call_fails(code);
    }
    Ok((answer,))
}

fn need(script: &str) -> Need {
    Need::new(Capability::Invoke, script)
}

fn nested(reach: &Reach, script: String, arguments: Vec<u8>, timeout_ms: Option<u32>) -> Result<Nested, Error> {
    check_arguments(&arguments)?;
    let caller = Caller { depth: reach.caller.depth + 1, ..reach.caller };
    check_depth(caller.depth)?;
    Ok(Nested { app_id: reach.app_id, script, arguments, timeout_ms, caller })
}

pub(super) fn check_depth(depth: u32) -> Result<(), Error> {
    if depth > INVOKE_DEPTH_MAX {
        let message = format!("scripts call each other deeper than {INVOKE_DEPTH_MAX} levels");
        return Err(Error::new(crate::error::Kind::RateLimited, "limit_exceeded", message));
    }
    Ok(())
}

pub(super) fn check_arguments(arguments: &[u8]) -> Result<(), Error> {
    if arguments.len() > INVOKE_ARGUMENTS_BYTES_MAX {
        return Err(text::too_long("arguments", arguments.len(), INVOKE_ARGUMENTS_BYTES_MAX, "bytes"));
    }
    Ok(())
}

/// The author of both scripts is the same app, so the caller may read what the other one's log says.
pub(super) fn failure_to_guest(failure: &Failure) -> wit::Failure {
    let place = match (&failure.script, failure.line) {
        (Some(script), Some(line)) => format!("{script}, line {line}: "),
        (Some(script), None) => format!("{script}: "),
        _ => String::new(),
    };
    wit::Failure { code: failure.code.as_str().to_owned(), message: format!("{place}{}", failure.message) }
}
