//! The state of one invocation, held by its store.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::ResourceLimiter;

use super::files::{Downloads, Uploads};
use super::invoke::Scripts;
use super::local::{Here, Transfers};
use super::trace::Tracer;
use crate::clock::Clock;
use crate::egress::Allowance;
use crate::error::{Error, Kind};
use crate::fair::Place;
use crate::id::{AppId, RequestId, ScriptId};
use crate::limits::{DATABASE_ACQUIRE_MS, LOG_LINE_COST_MIN, MIB};
use crate::model::event::Origin;
use crate::model::execution::LogLine;
use crate::model::grant::Need;
use crate::model::quota::Limits;
use crate::model::trace::Trace;
use crate::service::Services;
use crate::store::ScriptDb;

/// What the invocation's host calls act on.
#[derive(Debug, Clone)]
pub struct Reach {
    pub app_id: AppId,
    pub services: Arc<Services>,
    pub caller: Caller,
    pub scripts: Arc<Scripts>,
    /// Where somebody watches the invocation: when it began. Its host calls are noted.
    pub watched_since: Option<Instant>,
}

/// The invocation that the host calls are of.
#[derive(Debug, Clone, Copy)]
pub struct Caller {
    pub script_id: ScriptId,
    pub request_id: RequestId,
    /// Scripts that called each other to get here; 0 for one that was called from outside.
    pub depth: u32,
    /// Hops of the chain of events that led here; 0 when no event did.
    pub event_depth: u32,
    /// When it ends at the latest.
    pub deadline: Instant,
    /// Whether nobody waits for it.
    pub is_background: bool,
    /// Where it stands in a trace that somebody is told of: what it does comes of it.
    pub trace: Option<Trace>,
}

impl Reach {
    /// Of an invocation that no other script called and that can call none.
    pub fn alone(app_id: AppId, services: Arc<Services>) -> Self {
        let (script_id, request_id, deadline) = (ScriptId(uuid::Uuid::nil()), RequestId(uuid::Uuid::nil()), Instant::now());
        let caller = Caller { script_id, request_id, depth: 0, event_depth: 0, deadline, is_background: false, trace: None };
        Self { app_id, services, caller, scripts: Arc::new(Scripts::none()), watched_since: None }
    }

    /// What events that it causes come of.
    pub fn origin(&self) -> Origin {
        let Caller { request_id, event_depth, trace, .. } = self.caller;
        Origin { request_id, depth: event_depth, trace }
    }

    /// The database as scripts reach it: through connections of their own, with statements bounded in time.
    pub fn script_db(&self) -> &ScriptDb {
        &self.services.script_db
    }

    /// One of the app's places at the database; 503 when there is none for long.
    pub async fn statement(&self) -> Result<Place, Error> {
        let wait = Duration::from_millis(DATABASE_ACQUIRE_MS);
        self.services.statement(self.app_id, self.caller.is_background, wait).await.map_err(|_| {
            let message = "the app's other statements take all of its share of the database; try again shortly";
            Error::new(Kind::Overloaded, "unavailable", message)
        })
    }

    /// 403 `denied` unless the app grants it at this moment: what is taken back ends for those that run, too.
    pub fn require(&self, need: &Need) -> Result<(), Error> {
        let directory = self.services.routing.current();
        match directory.app_by_id(self.app_id) {
            Some(app) => app.grants.require(need, &app.slug),
            None => Err(Error::not_found("app")),
        }
    }
}

/// Where an invocation runs.
#[derive(Debug, Clone)]
pub enum Ground {
    Node(Reach),
    /// In memory, without a node.
    World(Here),
}

/// Per invocation; dies with its instance.
#[derive(Debug)]
pub struct Guest {
    /// None while a script is only checked or prepared: nothing runs then. None too where it runs without a node.
    pub reach: Option<Reach>,
    /// What its host calls act on without a node: a world in memory.
    pub here: Option<Here>,
    pub clock: Clock,
    pub host_calls: u32,
    /// Host calls that reached the database or the network: the bounded ones.
    pub outward_calls: u32,
    /// Requests that it may still send.
    pub outbound: Allowance,
    /// A host call failed by a fault of ours.
    pub faulted: bool,
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub memory_peak_bytes: usize,
    pub logs: Vec<LogLine>,
    pub logs_dropped: u32,
    pub(super) uploads: Uploads,
    pub(super) downloads: Downloads,
    /// The same in a world.
    pub(super) transfers: Transfers,
    /// Notes its host calls, where somebody watches.
    pub(super) tracer: Option<Tracer>,
    pub(super) limits: Limits,
    /// What was left of its fuel when it last gave way to others; none before the first host call.
    pub(super) yielded_at: Option<u64>,
    log_bytes: usize,
}

/// The instance asked for more linear memory than it may have: it ends there.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("more than {bytes_max} bytes of memory")]
pub struct MemoryExceeded {
    pub bytes_max: usize,
}

impl Guest {
    pub fn new(reach: Option<Reach>, clock: Clock, limits: Limits) -> Self {
        Self {
            reach,
            here: None,
            clock,
            host_calls: 0,
            outward_calls: 0,
            outbound: Allowance::of(limits.outbound_requests),
            faulted: false,
            bytes_in: 0,
            bytes_out: 0,
            memory_peak_bytes: 0,
            logs: Vec::new(),
            logs_dropped: 0,
            uploads: Uploads::default(),
            downloads: Downloads::default(),
            transfers: Transfers::default(),
            tracer: None,
            limits,
            yielded_at: None,
            log_bytes: 0,
        }
    }

    /// Of an invocation, wherever it runs. In a world the clock is the world's.
    pub fn of(ground: Ground, clock: Clock, limits: Limits) -> Self {
        match ground {
            Ground::Node(reach) => {
                let tracer = reach.watched_since.map(Tracer::since);
                Self { tracer, ..Self::new(Some(reach), clock, limits) }
            }
            Ground::World(here) => {
                let clock = here.world.clock().clone();
                Self { here: Some(here), ..Self::new(None, clock, limits) }
            }
        }
    }

    fn memory_bytes_max(&self) -> usize {
        usize::try_from(u64::from(self.limits.memory_mb) * MIB).unwrap_or(usize::MAX)
    }

    /// Keeps the line, cut to its bound; or counts it, when the invocation's bound is spent.
    pub(super) fn log(&mut self, mut line: LogLine) {
        let data_bytes = line.data.as_ref().map_or(0, String::len);
        let line_bytes = self.limits.log_line_bytes as usize;
        if line.message.len() + data_bytes > line_bytes {
            if data_bytes > line_bytes / 2 {
                line.data = Some(format!("\"{data_bytes} bytes of data left out\""));
            }
            let room = line_bytes.saturating_sub(line.data.as_ref().map_or(0, String::len));
            cut(&mut line.message, room);
        }
        let bytes = line.message.len() + line.data.as_ref().map_or(0, String::len);
        // An empty line costs too: what is kept of it is more than its text.
        let cost = bytes.max(LOG_LINE_COST_MIN);
        if self.log_bytes + cost > self.limits.log_bytes as usize {
            self.logs_dropped = self.logs_dropped.saturating_add(1);
            return;
        }
        self.log_bytes += cost;
        self.logs.push(line);
    }
}

impl ResourceLimiter for Guest {
    fn memory_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let bytes_max = self.memory_bytes_max();
        if desired > bytes_max {
            return Err(wasmtime::Error::new(MemoryExceeded { bytes_max }));
        }
        self.memory_peak_bytes = self.memory_peak_bytes.max(desired);
        Ok(true)
    }

    fn table_growing(&mut self, _current: usize, _desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(true)
    }
}

/// Cuts at a character boundary at or below `bytes_max` and marks the cut.
fn cut(text: &mut String, bytes_max: usize) {
    const MARK: &str = "…";
    if text.len() <= bytes_max {
        return;
    }
    let end = text.floor_char_boundary(bytes_max.saturating_sub(MARK.len()));
    text.truncate(end);
    text.push_str(MARK);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{LOG_BYTES_PER_INVOCATION_MAX, LOG_LINE_BYTES_MAX};
    use crate::model::execution::LogLevel;

    fn line(message: &str, data: Option<String>) -> LogLine {
        LogLine { at: chrono::DateTime::UNIX_EPOCH, level: LogLevel::Info, message: message.to_owned(), data }
    }

    fn guest() -> Guest {
        Guest::new(None, Clock::system(), Limits { memory_mb: 1, ..Limits::default() })
    }

    #[test]
    fn a_line_is_cut_at_its_bound_and_not_before() {
        let mut guest = guest();
        guest.log(line(&"a".repeat(LOG_LINE_BYTES_MAX), None));
        guest.log(line(&"a".repeat(LOG_LINE_BYTES_MAX + 1), None));
        guest.log(line(&"é".repeat(LOG_LINE_BYTES_MAX), None));
        assert_eq!(guest.logs[0].message, "a".repeat(LOG_LINE_BYTES_MAX));
        assert!(guest.logs[1].message.ends_with("a…") && guest.logs[1].message.len() == LOG_LINE_BYTES_MAX);
        assert!(guest.logs[2].message.ends_with("é…") && guest.logs[2].message.len() <= LOG_LINE_BYTES_MAX);
    }

    #[test]
    fn lines_past_the_invocation_bound_are_counted() {
        let mut guest = guest();
        let fitting = LOG_BYTES_PER_INVOCATION_MAX / LOG_LINE_BYTES_MAX;
        for _ in 0..fitting + 3 {
            guest.log(line(&"a".repeat(LOG_LINE_BYTES_MAX), None));
        }
        assert_eq!((guest.logs.len(), guest.logs_dropped), (fitting, 3));
    }

    #[test]
    fn empty_lines_are_bounded_too() {
        let mut guest = guest();
        for _ in 0..LOG_BYTES_PER_INVOCATION_MAX {
            guest.log(line("", None));
        }
        assert_eq!(guest.logs.len(), LOG_BYTES_PER_INVOCATION_MAX / LOG_LINE_COST_MIN);
    }

    #[test]
    fn memory_is_granted_up_to_its_bound() {
        let mut guest = guest();
        assert!(guest.memory_growing(0, 1 << 20, None).is_ok());
        assert!(guest.memory_growing(0, (1 << 20) + 1, None).is_err());
        assert_eq!(guest.memory_peak_bytes, 1 << 20);
    }
}
