//! The only caller of the sandbox: who may run now, where, with the programs it holds ready, and the record of what was run.
//!
//! `backlog` turns calls away while the threads are behind, `deploy` puts an app into another state, `lanes` is where long work goes on,
//! `nested` runs scripts for scripts, `refused` says why one was not let in, `programs`
//! holds prepared scripts, `publish` prepares new ones, `record` writes what happened behind the answers, `snapshots` has
//! deployments ready beside the one that runs. Places and memory are shared by `crate::fair`, rates of requests and fuel are
//! `service::allowances`.
//!
//! Invariants: [`Invoker::run`] never fails (a failure is data) and records every call, those that are refused a place too; what
//! an app's allowance refuses is counted only. An invocation runs to its own end even when its caller hangs up: what a script
//! does must not hang on a stranger's patience. All instances together never need more memory than the pool has for them.
//! A crash loses records that were not yet written, never an acknowledged write of a script.

mod backlog;
pub mod deploy;
mod import;
mod lanes;
mod nested;
mod programs;
mod publish;
mod record;
mod refused;
mod snapshots;
mod spans;

use std::sync::Arc;
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::Serialize;
use tokio::time::error::Elapsed;
use tokio::time::timeout;

use self::backlog::Backlog;
use self::lanes::{Class, Lanes, Owner};
use self::programs::Programs;
use self::publish::Turns;
use self::record::Recorder;
use self::refused::Refused;
use self::snapshots::Snapshots;
use crate::error::{Error, Kind as ErrorKind};
use crate::fair::{Ask, Fair, Full, Place, Size, Status};
use crate::hostcall::{Caller, Reach, Scripts};
use crate::id::AppId;
use crate::limits::{self, ADMISSION_WAIT_MS};
use crate::model::execution::{Failure, FailureCode, Outcome, Usage};
use crate::model::invocation::{Call, Deployed, Ended, Identity, InvocationType};
use crate::model::quota::Quota;
use crate::model::script::Limits;
use crate::model::trace::Trace;
use crate::sandbox::probe::Pool;
use crate::sandbox::{Program, Sandbox};
use crate::service::Services;

pub use self::publish::Verdict;
pub use self::record::RecorderStatus;
pub use self::snapshots::Snapshot;

/// Classes of places: of requests, of scripts that other scripts wait for, of what the pipeline of events runs.
const REQUESTS: usize = 0;
const NESTED: usize = 1;
const EVENTS: usize = 2;

/// Runs scripts; one for each process.
pub struct Invoker {
    inner: Arc<Inner>,
}

struct Inner {
    services: Arc<Services>,
    sandbox: Arc<Sandbox>,
    places: Fair,
    /// Places of what is prepared.
    preparations: Fair,
    lanes: Lanes,
    backlog: Backlog,
    scripts: Arc<Scripts>,
    programs: Programs,
    snapshots: Snapshots,
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
    /// What instances may come to need together, bytes.
    pub memory_bytes: u64,
    /// What those that run may come to need.
    pub memory_held_bytes: u64,
    /// Prepared scripts held in memory.
    pub programs: usize,
    pub recorder: RecorderStatus,
}

/// Who waits on this node, and how long they have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queues {
    /// Of requests, of scripts that other scripts wait for, of events.
    pub places: [Status; 3],
    pub lanes: usize,
    /// What is ready to go on in a lane: for somebody who waits, and for nobody.
    pub lanes_waiting: [usize; 2],
}

/// What an app does on this node now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AppStatus {
    /// Requests that run, and that wait for a place.
    pub requests_running: usize,
    pub requests_waiting: usize,
    /// Handlers of events that run, and that wait for a place.
    pub events_running: usize,
    pub events_waiting: usize,
    /// What may be burnt at once; below nothing: what has to be waited off before anything begins.
    pub fuel_left: i64,
}

impl Invoker {
    /// An invoker whose recorder runs on the current runtime until [`Invoker::close`].
    ///
    /// # Errors
    /// When the system gives no thread for a lane.
    pub fn new(services: Arc<Services>, sandbox: Arc<Sandbox>) -> Result<Self, Error> {
        let pool = sandbox.pool();
        let places = Fair::new(&pool.sizes(), pool.memory_bytes);
        let preparations = Fair::new(&[Size { places: pool.preparations, kept_bytes: 0 }], 0);
        let lanes = Lanes::start(pool.lanes).map_err(Error::internal)?;
        let backlog = Backlog::start().map_err(Error::internal)?;
        let recorder = Recorder::start(services.clone(), pool.log_queue_bytes);
        let inner = Arc::new_cyclic(|inner| {
            let scripts = Arc::new(nested::scripts(inner));
            let (programs, snapshots, turns) = (Programs::new(pool.programs_bytes), Snapshots::new(), Turns::default());
            let sandbox = sandbox.clone();
            Inner { services, sandbox, places, preparations, lanes, backlog, scripts, programs, snapshots, turns, recorder }
        });
        Ok(Self { inner })
    }

    /// Whether calls may be turned away by [`Invoker::let_in`] now.
    pub fn is_behind(&self) -> bool {
        let inner = &self.inner;
        inner.backlog.is_strict() || inner.places.is_full() || inner.lanes.is_full()
    }

    /// Turns a call of an app with that quota away, and records that, while the node is too far behind to begin it, or where it would come
    /// to a full queue. Nothing was done for it. What is stored rather than run (`is_async`) comes to no queue.
    ///
    /// # Errors
    /// It is turned away; when another may be let in.
    pub fn let_in(&self, call: Identity, quota: &Quota, is_async: bool) -> Result<(), Full> {
        let inner = &self.inner;
        let app = call.script.app_id;
        let soon = Full { retry_after: Duration::from_secs(1) };
        let of_places = || inner.places.turn_away(&inner.ask(REQUESTS, &call.script, quota));
        let of_queues = || of_places().or_else(|| inner.lanes.turn_away(app).then_some(soon));
        let of_threads = || (!inner.backlog.admit(app, quota.weight)).then_some(soon);
        let full = if is_async { of_threads() } else { of_queues().or_else(of_threads) };
        let Some(full) = full else { return Ok(()) };
        let refused = Refused::Full(full).ended(false);
        inner.services.counts.call(InvocationType::Http, refused.outcome, Some(FailureCode::Overloaded), &refused.usage);
        inner.recorder.record(call.recorded(inner.services.clock.now(), &refused));
        Err(full)
    }

    /// Runs a script once and records it. The caller may stop waiting; the invocation goes on.
    pub async fn run(&self, call: Call) -> Ended {
        self.run_by(call, Way::Outside(None)).await.0
    }

    /// The same, of a deployment beside the one that runs if the script is one's; its place is the caller's until the answer is
    /// out of the way: what waits to be given is memory, too.
    pub async fn run_and_keep(&self, call: Call, of: Option<Arc<Snapshot>>) -> (Ended, Option<Place>) {
        self.run_by(call, Way::Outside(of)).await
    }

    /// The same for somebody who watches: what it asks of the host is noted.
    pub async fn run_watched(&self, call: Call, which: Which) -> Ended {
        self.run_by(call, Way::Watched(which)).await.0
    }

    /// A place for a delivery to that script, among its app's and beside those of callers, and fuel of its app, however long that
    /// takes. Whoever waits may stop.
    pub async fn place_for_event(&self, script: &Deployed) -> EventPlace {
        let inner = &self.inner;
        loop {
            let quota = inner.services.quota(script.app_id);
            match inner.services.allowances.may_burn(script.app_id, &quota, inner.services.clock.now()) {
                Ok(()) => return EventPlace(inner.places.enter_patiently(inner.ask(EVENTS, script, &quota)).await),
                // Not for long at a time: the quota may be raised meanwhile.
                Err(spent) => tokio::time::sleep(spent.retry_after.min(Duration::from_secs(1))).await,
            }
        }
    }

    /// Runs a delivery once in its place, and records it.
    pub async fn deliver(&self, place: EventPlace, call: Call) -> Ended {
        self.run_by(call, Way::Event(place)).await.0
    }

    async fn run_by(&self, call: Call, way: Way) -> (Ended, Option<Place>) {
        let completed = call.invocation_type == InvocationType::Event;
        self.inner.clone().pace(call, way).await.unwrap_or_else(|| {
            tracing::error!("an invocation panicked");
            (ended(Err(Failure::new(FailureCode::Internal, "the invocation failed")), completed), None)
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
        let (admission, events) = (inner.places.status(REQUESTS), inner.places.status(EVENTS));
        NodeStatus {
            component: inner.sandbox.component().to_owned(),
            places: admission.places,
            places_per_app: admission.places_per_app,
            running: admission.running,
            waiting: admission.waiting,
            refused: admission.refused + inner.lanes.turned_away() + inner.backlog.refused(),
            event_places: events.places,
            events_running: events.running,
            events_waiting: events.waiting,
            memory_bytes: inner.sandbox.pool().memory_bytes,
            memory_held_bytes: inner.places.bytes_held(),
            programs: inner.programs.len(),
            recorder: inner.recorder.status(),
        }
    }

    pub fn queues(&self) -> Queues {
        let places = [REQUESTS, NESTED, EVENTS].map(|class| self.inner.places.status(class));
        Queues { places, lanes: self.pool().lanes, lanes_waiting: self.inner.lanes.waiting() }
    }

    pub fn app_status(&self, app: AppId) -> AppStatus {
        let (inner, quota) = (&self.inner, self.inner.services.quota(app));
        let (requests_running, requests_waiting) = inner.places.of_app(REQUESTS, app);
        let (events_running, events_waiting) = inner.places.of_app(EVENTS, app);
        let fuel_left = inner.services.allowances.fuel_left(app, &quota, inner.services.clock.now());
        AppStatus { requests_running, requests_waiting, events_running, events_waiting, fuel_left }
    }

    /// What this node was made for.
    pub fn pool(&self) -> &Pool {
        self.inner.sandbox.pool()
    }
}

/// How an invocation comes to its place.
enum Way {
    /// For a caller from outside, who waits.
    Outside(Option<Arc<Snapshot>>),
    /// The same for one who wants to know what it does.
    Watched(Which),
    /// For a script that waits for it.
    Nested(Caller, Option<Arc<Snapshot>>),
    /// For an event: nobody waits.
    Event(EventPlace),
}

impl Way {
    fn of(&self) -> Of {
        match self {
            Self::Outside(of) | Self::Nested(_, of) => of.clone().map_or(Of::Active, Of::Deployment),
            Self::Watched(Which::Stored) => Of::Stored,
            Self::Watched(Which::Active) | Self::Event(_) => Of::Active,
        }
    }
}

/// Which version of a script somebody watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    Active,
    /// One that does not run.
    Stored,
}

/// What a script is of.
enum Of {
    /// What runs.
    Active,
    /// The versions beside it, with the modules that run.
    Stored,
    /// Another deployment.
    Deployment(Arc<Snapshot>),
}

/// Held by a delivery while it runs.
pub struct EventPlace(Place);

impl Inner {
    /// Runs a script to its end, in the common threads or in a lane; nothing when it panicked.
    async fn pace(self: Arc<Self>, call: Call, way: Way) -> Option<(Ended, Option<Place>)> {
        let class = match &way {
            Way::Event(_) => Class::Background,
            Way::Nested(caller, _) if caller.is_background => Class::Background,
            Way::Nested(..) | Way::Outside(_) | Way::Watched(_) => Class::Request,
        };
        let quota = self.services.quota(call.script.app_id);
        let owner = Owner { app: call.script.app_id, class, weight: quota.weight };
        let inner = self.clone();
        self.lanes.pace(owner, async move { inner.run(call, &quota, way).await }).await
    }

    /// What an instance of the script needs to be let in.
    fn ask(&self, class: usize, script: &Deployed, quota: &Quota) -> Ask {
        let memory_mb = script.limits.memory_mb.min(self.sandbox.pool().memory_mb_max);
        Ask {
            app: script.app_id,
            class,
            bytes: Pool::instance_bytes(memory_mb),
            held_max: quota.concurrency as usize,
            weight: quota.weight,
        }
    }

    async fn enter(&self, script: &Deployed, quota: &Quota, way: Way) -> (Option<Caller>, Result<Place, Refused>) {
        let wait = Duration::from_millis(ADMISSION_WAIT_MS);
        match way {
            Way::Outside(_) | Way::Watched(_) => {
                let let_in = self.services.allowances.enter(script.app_id, quota, self.services.clock.now());
                let place = match let_in {
                    Ok(()) => self.places.enter(self.ask(REQUESTS, script, quota), wait).await.map_err(Refused::Full),
                    Err(spent) => Err(Refused::Spent(spent)),
                };
                (None, place)
            }
            Way::Nested(caller, _) => {
                (Some(caller), self.places.enter(self.ask(NESTED, script, quota), wait).await.map_err(Refused::Full))
            }
            Way::Event(EventPlace(place)) => (None, Ok(place)),
        }
    }

    async fn run(&self, call: Call, quota: &Quota, way: Way) -> (Ended, Option<Place>) {
        let (of, is_watched) = (way.of(), matches!(way, Way::Watched(_)));
        let trace = self.trace(&call, &way);
        let (caller, place) = self.enter(&call.script, quota, way).await;
        let started_at = self.services.clock.now();
        let (kind, script) = (call.invocation_type, call.script.clone());
        let is_event = kind == InvocationType::Event;
        let identity = Identity { trace, ..call.identity() };
        let (ended, place) = match place {
            Ok(place) => (self.admitted(call, caller, of, trace, is_watched.then(Instant::now)).await, Some(place)),
            Err(refused) => (refused.ended(is_event), None),
        };
        if ended.usage.fuel > 0 {
            self.services.allowances.burn(identity.script.app_id, quota, self.services.clock.now(), ended.usage.fuel);
        }
        let failed = ended.result.as_ref().err().map(|failure| failure.code);
        self.services.counts.call(kind, ended.outcome, failed, &ended.usage);
        let execution = identity.recorded(started_at, &ended);
        if let (Some(exporter), true) = (self.services.exporter.get(), place.is_some()) {
            spans::tell(exporter, &execution, kind, &script.name, trace);
        }
        self.recorder.record(execution);
        (ended, place)
    }

    async fn program(&self, script: &Deployed, of: &Of, within: Duration) -> Result<Result<Arc<Program>, Error>, Elapsed> {
        if let Of::Active = of
            && let Some(program) = self.programs.held(script)
        {
            return Ok(Ok(program));
        }
        // In a box of its own: whatever a future may come to hold, every call moves about.
        Box::pin(timeout(within, self.load(script, of))).await
    }

    async fn load(&self, script: &Deployed, of: &Of) -> Result<Arc<Program>, Error> {
        match of {
            Of::Active => self.programs.get(&self.services, &self.sandbox, script).await,
            Of::Stored => self.programs.get_stored(&self.services, &self.sandbox, script).await,
            Of::Deployment(of) => of.program(self, script).await,
        }
    }

    /// `by` is the script that waits for it, if one does.
    async fn admitted(
        &self,
        mut call: Call,
        by: Option<Caller>,
        of: Of,
        trace: Option<Trace>,
        watched_since: Option<Instant>,
    ) -> Ended {
        let started = Instant::now();
        let memory_mb_max = self.sandbox.pool().memory_mb_max;
        if call.script.limits.memory_mb > memory_mb_max {
            // Published on a larger board.
            let limits = Limits { memory_mb: memory_mb_max, ..call.script.limits };
            call.script = Arc::new(Deployed { limits, ..Deployed::clone(&call.script) });
        }
        let script = call.script.clone();
        let is_event = call.invocation_type == InvocationType::Event;
        // A database that does not answer must not hold a place longer than the script itself may.
        let time = Duration::from_millis(script.limits.timeout_ms.into());
        // That of what does not run is made at its first call, which may take longer than the script may.
        let loading = match of {
            Of::Active => time,
            Of::Stored | Of::Deployment(_) => time.max(Duration::from_millis(limits::SNAPSHOT_WAIT_MS)),
        };
        let program = match self.program(&script, &of, loading).await {
            Ok(Ok(program)) => program,
            Ok(Err(error)) if error.kind == ErrorKind::Overloaded => {
                let failure = Failure::new(FailureCode::Overloaded, "the script is still being made ready");
                return ended(Err(failure), is_event);
            }
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
        let is_background = by.map_or(call.delivered.is_some(), |by| by.is_background);
        let (depth, event_depth) = by.map_or((0, event_depth), |by| (by.depth, by.event_depth));
        let (request_id, deadline) = (call.request_id, Instant::now() + time);
        let trace = trace.map(|trace| trace.under(call.execution_id));
        let script_id = script.script_id;
        let caller = Caller { script_id, request_id, depth, event_depth, deadline, is_background, trace };
        let scripts = match &of {
            Of::Active | Of::Stored => self.scripts.clone(),
            Of::Deployment(of) => of.calls.clone(),
        };
        let app_id = script.app_id;
        let reach = Reach { app_id, services: self.services.clone(), caller, scripts, watched_since };
        let mut run = self.sandbox.run(&program, call, reach).await;
        if run.image_refused {
            match &of {
                Of::Active => self.programs.forget(&script),
                Of::Stored => self.programs.forget_stored(&script, &program),
                Of::Deployment(of) => of.forget_program(self, &script),
            }
        }
        run.usage.wall_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        Ended {
            outcome: outcome(&run.result, is_event),
            result: run.result,
            usage: run.usage,
            logs: run.logs,
            logs_dropped: run.logs_dropped,
            trace: run.trace,
            retry_after: None,
        }
    }
}

fn ended(result: Result<crate::model::invocation::Answer, Failure>, is_event: bool) -> Ended {
    let (outcome, usage) = (outcome(&result, is_event), Usage::default());
    Ended { outcome, result, usage, logs: Vec::new(), logs_dropped: 0, trace: None, retry_after: None }
}

/// An event has no answer: its handler came to its end.
fn outcome<T>(result: &Result<T, Failure>, is_event: bool) -> Outcome {
    match result {
        Ok(_) if is_event => Outcome::Completed,
        Ok(_) => Outcome::Responded,
        Err(failure) => failure.code.outcome(),
    }
}
