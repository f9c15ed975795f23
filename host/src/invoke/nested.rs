//! Scripts that scripts of the same app wait for. What is started and not waited for is an event (`service::invocations::accept`).
//!
//! Whoever waits for a script holds a place of its own and does not run, so scripts that are waited for have places beside
//! those of callers from outside; otherwise callers alone could fill all places, each waiting for one.
//!
//! Whom a script of a deployment that does not run calls is that deployment's own.

use std::sync::{Arc, Weak};
use std::time::Instant;

use super::snapshots::Snapshot;
use super::{Inner, Way};
use crate::error::{Error, Kind};
use crate::hostcall::{Nested, Scripts};
use crate::id::ExecutionId;
use crate::limits::NESTED_GRACE_MS;
use crate::model::execution::Failure;
use crate::model::invocation::{Call, Deployed, InvocationType, Request};
use crate::model::script::Limits;
use crate::service;

/// The way from host calls to `inner`. A node that is gone has no scripts.
pub(super) fn scripts(inner: &Weak<Inner>) -> Scripts {
    way(inner.clone(), None)
}

/// The same among the scripts of a deployment, which is held by whoever runs one of them.
pub(super) fn scripts_of(inner: Weak<Inner>, snapshot: Weak<Snapshot>) -> Scripts {
    way(inner, Some(snapshot))
}

fn way(inner: Weak<Inner>, of: Option<Weak<Snapshot>>) -> Scripts {
    let gone = || Error::new(Kind::Overloaded, "unavailable", "the node is ending");
    Scripts {
        call: Box::new(move |nested| {
            let (inner, of) = (inner.upgrade(), of.as_ref().map(Weak::upgrade));
            Box::pin(async move {
                let of = of.map(|of| of.ok_or_else(gone)).transpose()?;
                inner.ok_or_else(gone)?.call(nested, of).await
            })
        }),
    }
}

impl Inner {
    /// A caller whose time is over is gone before its callee, which ends a moment later and is recorded.
    async fn call(self: Arc<Self>, nested: Nested, of: Option<Arc<Snapshot>>) -> Result<Result<Vec<u8>, Failure>, Error> {
        let script = match &of {
            None => service::invocations::find(&self.services, nested.app_id, &nested.script)?,
            Some(of) => service::invocations::callable(of.script(&nested.script).cloned(), &nested.script)?,
        };
        let left = nested.caller.deadline.saturating_duration_since(Instant::now());
        let left_ms = u32::try_from(left.as_millis()).unwrap_or(u32::MAX).saturating_add(NESTED_GRACE_MS);
        let timeout_ms = script.limits.timeout_ms.min(left_ms).min(nested.timeout_ms.unwrap_or(u32::MAX));
        let limits = Limits { timeout_ms, ..script.limits };
        let script = if limits == script.limits { script } else { Arc::new(Deployed { limits, ..Deployed::clone(&script) }) };
        let caller = nested.caller;
        let call = self.function(script, nested);
        let (ended, _) =
            self.pace(call, Way::Nested(caller, of)).await.ok_or_else(|| Error::internal("an invocation panicked"))?;
        Ok(ended.result.map(|answer| answer.body))
    }

    /// The call of a script with arguments.
    fn function(&self, script: Arc<Deployed>, nested: Nested) -> Call {
        let execution_id = ExecutionId::at(self.services.clock.now());
        let (request_id, request) = (nested.caller.request_id, Request::of_arguments(nested.arguments));
        Call { execution_id, request_id, script, invocation_type: InvocationType::Function, request, delivered: None }
    }
}
