//! `picloud:sandbox/invoke`, in a world. Scripts are run by whoever made the world; [`Scripts`] is how a call gets there. A name
//! that begins with `test/` is none of a script: so a test file speaks to its world.

use std::future::Future;
use std::pin::Pin;

use wasmtime::component::Linker;

use super::answers::{Called, Outcome};
use super::{Here, Role, control};
use crate::error::Result;
use crate::hostcall::door::{self, Given};
use crate::hostcall::guest::Guest;
use crate::hostcall::invoke::{check_arguments, check_depth, failure_to_guest};
use crate::id::ExecutionId;
use crate::model::execution::{Failure, LogLine, Usage};
use crate::model::grant::{Capability, Need};
use crate::model::invocation::{Answer, Delivered, InvocationType, Request};
use crate::model::script::missing;
use crate::wit::invoke as wit;

/// One more script that is to run in a world.
#[derive(Debug, Clone)]
pub struct Ask {
    pub script: String,
    pub invocation_type: InvocationType,
    pub request: Request,
    /// What the pipeline of events knows of it; none where somebody waits.
    pub delivered: Option<Delivered>,
    pub execution_id: ExecutionId,
    /// At most so long, beside the script's own bound and what is left of the deadline of `here`.
    pub timeout_ms: Option<u32>,
    /// The invocation that it will be, but for its deadline.
    pub here: Here,
}

/// What it came to.
#[derive(Debug)]
pub struct Ran {
    pub result: Result<Answer, Failure>,
    pub usage: Usage,
    pub logs: Vec<LogLine>,
    pub logs_dropped: u32,
}

type Running = Pin<Box<dyn Future<Output = Result<Ran>> + Send>>;

type Looking = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// Scripts by name: 404 for one that is not there, 422 for a module and for a source that is refused.
pub struct Scripts {
    run: Box<dyn Fn(Ask) -> Running + Send + Sync>,
    find: Box<dyn Fn(String) -> Looking + Send + Sync>,
}

impl Scripts {
    /// What runs one, and what says whether it could.
    pub fn new(
        run: impl Fn(Ask) -> Running + Send + Sync + 'static,
        find: impl Fn(String) -> Looking + Send + Sync + 'static,
    ) -> Self {
        Self { run: Box::new(run), find: Box::new(find) }
    }

    /// Where there are no others.
    pub fn none() -> Self {
        Self::new(
            |ask| Box::pin(async move { Err(missing(&ask.script)) }),
            |script| Box::pin(async move { Err(missing(&script)) }),
        )
    }

    pub(super) fn run(&self, ask: Ask) -> Running {
        (self.run)(ask)
    }
}

pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut instance = linker.instance("picloud:sandbox/invoke@0.1.0")?;
    instance.func_wrap_async("call", |store, (script, arguments, timeout_ms): (String, Vec<u8>, Option<u32>)| {
        let bytes_out = script.len() + arguments.len();
        let is_control = store.data().here.as_ref().is_some_and(|here| here.role == Role::Test) && control::is_one(&script);
        let called = if is_control {
            Called::control(&script)
        } else {
            called("invoke.call", &script, &arguments).with("timeout_ms", timeout_ms.map(i64::from))
        };
        Box::new(door::world_waiting(store, called, bytes_out, async move |here: Here| {
            check_arguments(&arguments)?;
            if is_control {
                let value = control::ask(&here, &script, &arguments).await?;
                return Ok(Given { bytes: value.len(), value: Ok(value) });
            }
            Ok(match call(&here, script, arguments, timeout_ms).await? {
                Ok(value) => Given { bytes: value.len(), value: Ok(value) },
                Err(failure) => Given { bytes: failure.message.len(), value: Err(failure) },
            })
        }))
    })?;
    instance.func_wrap_async("start", |store, (script, arguments): (String, Vec<u8>)| {
        let bytes_out = script.len() + arguments.len();
        Box::new(door::world_waiting(store, called("invoke.start", &script, &arguments), bytes_out, async move |here: Here| {
            check_arguments(&arguments)?;
            (here.world.scripts.find)(script.clone()).await?;
            let id = here.world.start(here.origin(), &script, arguments)?.to_string();
            Ok(Given { bytes: id.len(), value: id })
        }))
    })
}

/// The value of the other script as JSON text, or how it failed.
async fn call(here: &Here, script: String, arguments: Vec<u8>, timeout_ms: Option<u32>) -> Result<Result<Vec<u8>, wit::Failure>> {
    let depth = here.depth + 1;
    check_depth(depth)?;
    match here.world.scripted_answer(&format!("invoke.call {script}")) {
        Some(Outcome::Answer(value)) => return Ok(Ok(value.to_string().into_bytes())),
        Some(Outcome::Fail(code, message)) => return Ok(Err(wit::Failure { code, message })),
        None => {}
    }
    let ask = Ask {
        script,
        invocation_type: InvocationType::Function,
        request: Request::of_arguments(arguments),
        delivered: None,
        execution_id: here.world.execution_id(),
        timeout_ms,
        here: here.next(depth, here.event_depth),
    };
    let ran = here.world.scripts.run(ask).await?;
    Ok(ran.result.map(|answer| answer.body).map_err(|failure| failure_to_guest(&failure)))
}

fn called(function: &str, script: &str, arguments: &[u8]) -> Called {
    Called::new(function, Need::new(Capability::Invoke, script), &[("script", script)]).with("arguments", arguments)
}
