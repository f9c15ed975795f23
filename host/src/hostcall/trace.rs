//! Host calls as somebody sees them who watches a run: which, in their order, when and for how long, how many bytes, and what
//! refused them.
//!
//! [`interface`] stands around every function of the world that is linked. A run that nobody watches pays for it with a branch.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::component::{ComponentNamedList, Lift, Linker, LinkerInstance, Lower};
use wasmtime::{AsContextMut as _, StoreContextMut};

use super::guest::Guest;
use crate::limits;
use crate::model::execution::FailureCode;
use crate::model::invocation::{HostCall, Trace};

/// An interface of the world that is being linked, whose functions can be watched.
pub(super) struct Interface<'l> {
    linker: LinkerInstance<'l, Guest>,
    name: &'static str,
}

/// The interface of that name (`picloud:sandbox/kv@0.1.0`, of which calls tell `kv`).
pub(super) fn interface<'l>(linker: &'l mut Linker<Guest>, name: &'static str) -> wasmtime::Result<Interface<'l>> {
    let versioned = name.rsplit_once('/').map_or(name, |(_, versioned)| versioned);
    let short = versioned.split_once('@').map_or(versioned, |(short, _)| short);
    Ok(Interface { linker: linker.instance(name)?, name: short })
}

impl Interface<'_> {
    /// As [`LinkerInstance::func_wrap_async`].
    pub(super) fn func_wrap_async<Params, Return, F>(&mut self, name: &'static str, f: F) -> wasmtime::Result<()>
    where
        F: Fn(StoreContextMut<'_, Guest>, Params) -> Box<dyn Future<Output = wasmtime::Result<Return>> + Send + '_>
            + Send
            + Sync
            + 'static,
        Params: ComponentNamedList + Lift + Send + 'static,
        Return: ComponentNamedList + Lower + 'static,
    {
        let (interface, f) = (self.name, Arc::new(f));
        self.linker.func_wrap_async(name, move |mut store: StoreContextMut<'_, Guest>, params: Params| {
            if store.data().tracer.is_none() {
                return f(store, params);
            }
            let f = f.clone();
            Box::new(async move {
                store.data_mut().call_begins(interface, name);
                let answer = Box::into_pin(f(store.as_context_mut(), params)).await;
                // One that ends the run is ended by that.
                if answer.is_ok() {
                    store.data_mut().call_ends();
                }
                answer
            })
        })
    }
}

/// Notes the host calls of one run.
#[derive(Debug)]
pub(super) struct Tracer {
    /// When the run began.
    since: Instant,
    noted: Trace,
    /// The call that is under way: a guest makes one at a time.
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    at: Instant,
    interface: &'static str,
    function: &'static str,
    /// What had passed before it, in and out.
    passed: Passed,
    error: Option<&'static str>,
}

/// Bytes of all host calls of a run so far.
#[derive(Debug, Clone, Copy)]
struct Passed {
    bytes_in: u64,
    bytes_out: u64,
}

impl Tracer {
    pub(super) fn since(since: Instant) -> Self {
        Self { since, noted: Trace::default(), open: None }
    }

    fn begin(&mut self, at: Instant, interface: &'static str, function: &'static str, passed: Passed) {
        if self.noted.calls.len() >= limits::HOST_CALLS_TRACED_MAX {
            self.noted.dropped = self.noted.dropped.saturating_add(1);
            return;
        }
        self.open = Some(Open { at, interface, function, passed, error: None });
    }

    fn fail(&mut self, code: &'static str) {
        if let Some(open) = &mut self.open {
            open.error = Some(code);
        }
    }

    fn end(&mut self, at: Instant, passed: Passed) {
        let Some(Open { at: began, interface, function, passed: before, error }) = self.open.take() else { return };
        self.noted.calls.push(HostCall {
            interface,
            function,
            began_us: micros(began.saturating_duration_since(self.since)),
            took_us: micros(at.saturating_duration_since(began)),
            bytes_in: passed.bytes_in.saturating_sub(before.bytes_in),
            bytes_out: passed.bytes_out.saturating_sub(before.bytes_out),
            error,
        });
    }
}

impl Guest {
    /// Notes that the call under way was answered with an error.
    pub(super) fn call_fails(&mut self, code: &'static str) {
        if let Some(tracer) = &mut self.tracer {
            tracer.fail(code);
        }
    }

    /// What was noted, where somebody watches. A call that did not come back ends with the run, by what ended that.
    pub fn take_trace(&mut self, ended_by: Option<FailureCode>) -> Option<Trace> {
        let passed = self.passed();
        let mut tracer = self.tracer.take()?;
        if let Some(code) = ended_by {
            tracer.fail(code.as_str());
        }
        tracer.end(Instant::now(), passed);
        Some(tracer.noted)
    }

    fn call_begins(&mut self, interface: &'static str, function: &'static str) {
        let passed = self.passed();
        if let Some(tracer) = &mut self.tracer {
            tracer.begin(Instant::now(), interface, function, passed);
        }
    }

    fn call_ends(&mut self) {
        let passed = self.passed();
        if let Some(tracer) = &mut self.tracer {
            tracer.end(Instant::now(), passed);
        }
    }

    fn passed(&self) -> Passed {
        Passed { bytes_in: self.bytes_in, bytes_out: self.bytes_out }
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::model::quota::Limits;

    const NOTHING: Passed = Passed { bytes_in: 0, bytes_out: 0 };

    fn watched() -> Guest {
        let mut guest = Guest::new(None, Clock::system(), Limits::default());
        guest.tracer = Some(Tracer::since(Instant::now()));
        guest
    }

    #[test]
    fn a_call_tells_when_it_began_how_long_it_took_and_what_passed() {
        let start = Instant::now();
        let at = |us: u64| start + Duration::from_micros(us);
        let mut tracer = Tracer::since(start);
        tracer.begin(at(5), "kv", "set", Passed { bytes_in: 1, bytes_out: 10 });
        tracer.end(at(12), Passed { bytes_in: 4, bytes_out: 30 });
        tracer.begin(at(20), "queue", "send", Passed { bytes_in: 4, bytes_out: 30 });
        tracer.fail("denied");
        tracer.end(at(20), Passed { bytes_in: 4, bytes_out: 30 });
        let set = HostCall { interface: "kv", function: "set", began_us: 5, took_us: 7, bytes_in: 3, bytes_out: 20, error: None };
        let send = HostCall {
            interface: "queue",
            function: "send",
            began_us: 20,
            took_us: 0,
            bytes_in: 0,
            bytes_out: 0,
            error: Some("denied"),
        };
        assert_eq!(tracer.noted, Trace { calls: vec![set, send], dropped: 0 });
    }

    #[test]
    fn so_many_calls_are_noted_and_the_others_counted() {
        let (now, most) = (Instant::now(), limits::HOST_CALLS_TRACED_MAX);
        let mut tracer = Tracer::since(now);
        for (calls, dropped) in [(most, 0), (1, 1), (2, 3)] {
            for _ in 0..calls {
                tracer.begin(now, "log", "write", NOTHING);
                tracer.end(now, NOTHING);
            }
            assert_eq!((tracer.noted.calls.len(), tracer.noted.dropped), (most, dropped));
        }
        tracer.begin(now, "kv", "set", NOTHING);
        tracer.fail("denied");
        tracer.end(now, NOTHING);
        assert!(tracer.noted.calls.iter().all(|call| call.error.is_none()), "what is not noted changes nothing that is");
    }

    #[test]
    fn a_call_that_does_not_come_back_ends_with_the_run() {
        let mut guest = watched();
        guest.call_begins("kv", "get");
        guest.call_ends();
        guest.call_begins("http", "send");
        let trace = guest.take_trace(Some(FailureCode::DeadlineExceeded)).unwrap();
        let told: Vec<_> = trace.calls.iter().map(|call| (call.function, call.error)).collect();
        assert_eq!(told, [("get", None), ("send", Some("deadline_exceeded"))]);
        assert!(guest.take_trace(None).is_none(), "it is told once");
    }

    #[test]
    fn a_run_that_nobody_watches_leaves_nothing() {
        let mut guest = Guest::new(None, Clock::system(), Limits::default());
        guest.call_begins("kv", "get");
        guest.call_fails("denied");
        guest.call_ends();
        assert!(guest.take_trace(None).is_none());
    }
}
