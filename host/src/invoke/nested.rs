//! Scripts that are run for scripts of the same app: waited for, or started and left to themselves.
//!
//! Whoever waits for a script holds a place of its own and does not run, so scripts that are waited for have places beside
//! those of callers from outside; otherwise callers alone could fill all places, each waiting for one. What is started
//! waits its turn for an ordinary place, a few at a time. It is kept in memory alone: a node that ends takes along what
//! has not run.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use super::unstoppable::Unstoppable;
use super::{Inner, Way};
use crate::error::{Error, Kind};
use crate::hostcall::{Nested, Scripts};
use crate::id::{AppId, ExecutionId};
use crate::limits::{ADMISSION_WAIT_MS, NESTED_GRACE_MS, STARTS_WAITING_MAX, STARTS_WAITING_PER_APP_MAX};
use crate::model::execution::Failure;
use crate::model::invocation::{Call, Deployed, InvocationType, Request};
use crate::model::script::{Kind as ScriptKind, Limits};
use crate::shutdown;

/// Started scripts that have not begun.
#[derive(Debug)]
pub(super) struct Starts {
    waiting: Arc<Mutex<HashMap<AppId, usize>>>,
    /// How many of them run at once.
    lanes: Arc<Semaphore>,
}

impl Starts {
    /// A quarter of the places is for them.
    pub(super) fn new(places: usize) -> Self {
        Self { waiting: Arc::default(), lanes: Arc::new(Semaphore::new((places / 4).max(1))) }
    }

    /// One more of the app, unless too many wait already.
    fn enter(&self, app: AppId) -> Result<Waiting, Error> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = waiting.values().sum();
        let own = waiting.get(&app).copied().unwrap_or_default();
        if all >= STARTS_WAITING_MAX || own >= STARTS_WAITING_PER_APP_MAX {
            return Err(Error::new(Kind::Overloaded, "unavailable", "too many started scripts wait to run; try again shortly"));
        }
        waiting.insert(app, own + 1);
        Ok(Waiting { app, waiting: self.waiting.clone() })
    }
}

/// Held until the script begins.
struct Waiting {
    app: AppId,
    waiting: Arc<Mutex<HashMap<AppId, usize>>>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = waiting.get_mut(&self.app) {
            *own -= 1;
            if *own == 0 {
                waiting.remove(&self.app);
            }
        }
    }
}

/// The way from host calls to `inner`. A node that is gone has no scripts.
pub(super) fn scripts(inner: &Weak<Inner>) -> Scripts {
    let (call, start) = (inner.clone(), inner.clone());
    let gone = || Error::new(Kind::Overloaded, "unavailable", "the node is ending");
    Scripts {
        call: Box::new(move |nested| {
            let inner = call.upgrade();
            Box::pin(async move { inner.ok_or_else(gone)?.call(nested).await })
        }),
        start: Box::new(move |nested| {
            let inner = start.upgrade();
            Box::pin(async move { inner.ok_or_else(gone)?.start(nested) })
        }),
    }
}

impl Inner {
    /// A caller whose time is over is gone before its callee, which ends a moment later and is recorded.
    async fn call(self: Arc<Self>, nested: Nested) -> Result<Result<Vec<u8>, Failure>, Error> {
        let script = self.find(&nested)?;
        let left = nested.caller.deadline.saturating_duration_since(Instant::now());
        let left_ms = u32::try_from(left.as_millis()).unwrap_or(u32::MAX).saturating_add(NESTED_GRACE_MS);
        let timeout_ms = script.limits.timeout_ms.min(left_ms).min(nested.timeout_ms.unwrap_or(u32::MAX));
        let limits = Limits { timeout_ms, ..script.limits };
        let script = if limits == script.limits { script } else { Arc::new(Deployed { limits, ..Deployed::clone(&script) }) };
        let depth = nested.caller.depth;
        let call = self.function(script, nested);
        let running = async move { self.run(call, Way::Nested { depth }).await };
        let ended = Unstoppable::new(running).await.ok_or_else(|| Error::internal("an invocation panicked"))?;
        Ok(ended.result.map(|answer| answer.body))
    }

    fn start(self: Arc<Self>, nested: Nested) -> Result<ExecutionId, Error> {
        let script = self.find(&nested)?;
        let waiting = self.starts.enter(nested.app_id)?;
        let (app, depth) = (nested.app_id, nested.caller.depth);
        let call = self.function(script, nested);
        let id = call.execution_id;
        shutdown::spawn("started script", async move {
            let Ok(_lane) = self.starts.lanes.clone().acquire_owned().await else { return };
            let place = loop {
                match self.admission.enter(app).await {
                    Ok(place) => break place,
                    // Refused at once when the queue is full.
                    Err(_) => tokio::time::sleep(Duration::from_millis(ADMISSION_WAIT_MS)).await,
                }
            };
            drop(waiting);
            self.run(call, Way::Started { place, depth }).await;
        });
        Ok(id)
    }

    fn find(&self, nested: &Nested) -> Result<Arc<Deployed>, Error> {
        let name = &nested.script;
        let script = self.services.routing.current().script_of(nested.app_id, name).cloned();
        let missing = || Error::new(Kind::NotFound, "not_found", format!("the app has no script `{name}`"));
        let script = script.ok_or_else(missing)?;
        match script.kind {
            ScriptKind::Endpoint => Ok(script),
            ScriptKind::Module => Err(Error::invalid("script", format!("`{name}` is a module: import it instead"))),
        }
    }

    /// The call of a script with arguments: they are the body of a request from nowhere.
    fn function(&self, script: Arc<Deployed>, nested: Nested) -> Call {
        let request = Request {
            method: "POST".to_owned(),
            path: "/".to_owned(),
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: nested.arguments,
            ..Request::default()
        };
        let execution_id = ExecutionId::at(self.services.clock.now());
        let (request_id, invocation_type) = (nested.caller.request_id, InvocationType::Function);
        Call { execution_id, request_id, script, invocation_type, request }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn what_waits_to_run_is_bounded_for_each_app_and_in_all() {
        let starts = Starts::new(8);
        let app = |number| AppId(Uuid::from_u128(number));
        let own: Vec<_> = (0..STARTS_WAITING_PER_APP_MAX).map(|_| starts.enter(app(1)).unwrap()).collect();
        assert_eq!(starts.enter(app(1)).err().unwrap().kind, Kind::Overloaded);
        let others: Vec<_> = (own.len()..STARTS_WAITING_MAX).map(|n| starts.enter(app(2 + n as u128 / 100)).unwrap()).collect();
        assert_eq!(starts.enter(app(9_999)).err().unwrap().kind, Kind::Overloaded);
        drop((own, others));
        assert!(starts.enter(app(1)).is_ok());
        assert!(starts.waiting.lock().unwrap().is_empty());
    }
}
