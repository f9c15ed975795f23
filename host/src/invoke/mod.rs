//! The only caller of the sandbox: admission, the programs it holds ready, and the record of what was run.
//!
//! `admission` gives out places, `nested` runs scripts for scripts, `programs` holds prepared scripts, `publish` prepares new ones, `record` writes what happened
//! behind the answers; `crate::unstoppable` keeps a call going.
//!
//! Invariants: [`Invoker::run`] never fails (a failure is data) and records every call, refused ones too. An invocation
//! runs to its own end even when its caller hangs up: what a script does must not hang on a stranger's patience.
//! A crash loses records that were not yet written, never an acknowledged write of a script.

mod admission;
mod import;
mod nested;
mod programs;
mod publish;
mod record;

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::time::timeout;

use self::admission::{Admission, Full, Place};
use self::programs::Programs;
use self::publish::Turns;
use self::record::Recorder;
use crate::hostcall::{Caller, Reach, Scripts};
use crate::id::AppId;
use crate::model::execution::{Execution, Failure, FailureCode, Outcome, Usage};
use crate::model::invocation::{Call, Ended, InvocationType};
use crate::sandbox::Sandbox;
use crate::service::Services;
use crate::unstoppable::Unstoppable;

pub use self::publish::Verdict;
pub use self::record::RecorderStatus;

/// Runs scripts; one for each process.
pub struct Invoker {
    inner: Arc<Inner>,
}

struct Inner {
    services: Arc<Services>,
    sandbox: Arc<Sandbox>,
    admission: Admission,
    /// Places of scripts that other scripts wait for.
    nested: Admission,
    /// Places of what the pipeline of events runs.
    events: Admission,
    scripts: Arc<Scripts>,
    programs: Programs,
    turns: Turns,
    recorder: Recorder,
}

/// What this node does now and what it has dropped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NodeStatus {
    /// Hex hash of the warm component.
    pub component: String,
    /// Invocations that may run at once, on the node and for one app.
    pub places: usize,
    pub places_per_app: usize,
    pub running: usize,
    pub waiting: usize,
    /// Calls answered 503 `overloaded` since the start.
    pub refused: u64,
    /// The same of handlers of events, which have places of their own and wait for them.
    pub event_places: usize,
    pub events_running: usize,
    pub events_waiting: usize,
    /// Prepared scripts held in memory.
    pub programs: usize,
    pub recorder: RecorderStatus,
}

impl Invoker {
    /// An invoker whose recorder runs on the current runtime until [`Invoker::close`].
    pub fn new(services: Arc<Services>, sandbox: Arc<Sandbox>) -> Self {
        let admission = Admission::new(sandbox.pool().places);
        let nested = Admission::new(sandbox.pool().nested_places);
        let events = Admission::new(sandbox.pool().event_places);
        let recorder = Recorder::start(services.clone());
        let inner = Arc::new_cyclic(|inner| {
            let scripts = Arc::new(nested::scripts(inner));
            Inner {
                services,
                sandbox,
                admission,
                nested,
                events,
                scripts,
                programs: Programs::new(),
                turns: Turns::default(),
                recorder,
            }
        });
        Self { inner }
    }

    /// Runs a script once and records it. The caller may stop waiting; the invocation goes on.
    pub async fn run(&self, call: Call) -> Ended {
        self.run_by(call, Way::Outside).await
    }

    /// A place for a delivery, among its app's and beside those of callers, however long that takes. Whoever waits may stop.
    pub async fn place_for_event(&self, app: AppId) -> EventPlace {
        EventPlace(self.inner.events.enter_patiently(app).await)
    }

    /// Runs a delivery once in its place, and records it.
    pub async fn deliver(&self, place: EventPlace, call: Call) -> Ended {
        self.run_by(call, Way::Event(place)).await
    }

    async fn run_by(&self, call: Call, way: Way) -> Ended {
        let inner = self.inner.clone();
        let completed = call.invocation_type == InvocationType::Event;
        let running = async move { inner.run(call, way).await };
        Unstoppable::new(running).await.unwrap_or_else(|| {
            tracing::error!("an invocation panicked");
            ended(Err(Failure::new(FailureCode::Internal, "the invocation failed")), completed)
        })
    }

    /// Waits until every record handed over so far is written (or dropped): for reading one's own executions.
    pub async fn flush_records(&self) {
        self.inner.recorder.flush().await;
    }

    /// Writes what is left and ends the recorder. Calls after it are answered but not recorded.
    pub async fn close(&self) {
        self.inner.recorder.close().await;
        self.inner.services.script_db.close().await;
    }

    pub fn status(&self) -> NodeStatus {
        let inner = &self.inner;
        let (admission, events) = (inner.admission.status(), inner.events.status());
        NodeStatus {
            component: inner.sandbox.component().to_owned(),
            places: admission.places,
            places_per_app: admission.places_per_app,
            running: admission.running,
            waiting: admission.waiting,
            refused: admission.refused,
            event_places: events.places,
            events_running: events.running,
            events_waiting: events.waiting,
            programs: inner.programs.len(),
            recorder: inner.recorder.status(),
        }
    }
}

/// How an invocation comes to its place.
enum Way {
    /// For a caller from outside, who waits.
    Outside,
    /// For a script that waits for it.
    Nested(Caller),
    /// For an event: nobody waits.
    Event(EventPlace),
}

/// Held by a delivery while it runs.
pub struct EventPlace(Place);

impl Inner {
    async fn run(&self, call: Call, way: Way) -> Ended {
        let app = call.script.app_id;
        let (caller, place) = match way {
            Way::Outside => (None, self.admission.enter(app).await),
            Way::Nested(caller) => (Some(caller), self.nested.enter(app).await),
            Way::Event(EventPlace(place)) => (None, Ok(place)),
        };
        let started_at = self.services.clock.now();
        let is_event = call.invocation_type == InvocationType::Event;
        let (execution_id, request_id, script, delivered) =
            (call.execution_id, call.request_id, call.script.clone(), call.delivered.clone());
        let ended = match place {
            Ok(_place) => self.admitted(call, caller).await,
            Err(Full) => ended(Err(Failure::new(FailureCode::Overloaded, "every place is taken; try again shortly")), is_event),
        };
        self.recorder.record(Execution {
            id: execution_id,
            app_id: script.app_id,
            script_id: script.script_id,
            version: script.version,
            request_id,
            event_id: delivered.as_ref().map(|delivered| delivered.event_id),
            trigger_id: delivered.as_ref().and_then(|delivered| delivered.trigger_id),
            attempt: delivered.as_ref().map(|delivered| delivered.attempt),
            outcome: ended.outcome,
            status: match &ended.result {
                Ok(answer) => answer.status,
                Err(failure) => failure.code.status(),
            },
            usage: ended.usage,
            error: ended.result.as_ref().err().cloned(),
            started_at,
            logs: ended.logs.clone(),
            logs_dropped: ended.logs_dropped,
        });
        ended
    }

    /// `by` is the script that waits for it, if one does.
    async fn admitted(&self, call: Call, by: Option<Caller>) -> Ended {
        let started = Instant::now();
        let script = call.script.clone();
        let is_event = call.invocation_type == InvocationType::Event;
        // A database that does not answer must not hold a place longer than the script itself may.
        let time = Duration::from_millis(script.limits.timeout_ms.into());
        let program = match timeout(time, self.programs.get(&self.services, &self.sandbox, &script)).await {
            Ok(Ok(program)) => program,
            Err(_) => {
                let failure = Failure::new(FailureCode::DeadlineExceeded, "the script could not be loaded in its time");
                return ended(Err(failure), is_event);
            }
            Ok(Err(error)) => {
                tracing::error!(script.id = %script.script_id, script.version = script.version, cause = ?error.source, "a script could not be loaded");
                return ended(Err(Failure::new(FailureCode::Internal, "the script could not be loaded")), is_event);
            }
        };
        let event_depth = call.delivered.as_ref().map_or(0, |delivered| delivered.depth);
        let (depth, event_depth) = by.map_or((0, event_depth), |by| (by.depth, by.event_depth));
        let caller = Caller { request_id: call.request_id, depth, event_depth, deadline: Instant::now() + time };
        let (app_id, scripts) = (script.app_id, self.scripts.clone());
        let reach = Reach { app_id, services: self.services.clone(), caller, scripts };
        let mut run = self.sandbox.run(&program, call, reach).await;
        if run.image_refused {
            self.programs.forget(&script);
        }
        run.usage.wall_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        Ended {
            outcome: outcome(&run.result, is_event),
            result: run.result,
            usage: run.usage,
            logs: run.logs,
            logs_dropped: run.logs_dropped,
        }
    }
}

fn ended(result: Result<crate::model::invocation::Answer, Failure>, is_event: bool) -> Ended {
    Ended { outcome: outcome(&result, is_event), result, usage: Usage::default(), logs: Vec::new(), logs_dropped: 0 }
}

/// An event has no answer: its handler came to its end.
fn outcome<T>(result: &Result<T, Failure>, is_event: bool) -> Outcome {
    match result {
        Ok(_) if is_event => Outcome::Completed,
        Ok(_) => Outcome::Responded,
        Err(failure) => failure.code.outcome(),
    }
}
