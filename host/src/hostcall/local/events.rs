//! Events of a world: what was sent, and what waits until a test has it delivered. Nothing is delivered by itself.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde_json::{Value, json};

use super::answers::json_of;
use super::invoke::Ask;
use super::world::{State, World};
use super::{Here, Role};
use crate::error::{Error, Kind, Result};
use crate::id::{EventId, ExecutionId, RequestId};
use crate::limits;
use crate::model::event::{Event, Op, Origin, Source};
use crate::model::execution::Failure;
use crate::model::invocation::{Delivered, InvocationType, Request};
use crate::model::retry::Retry;
use crate::model::trigger::Rule;

/// A trigger: which script handles what.
#[derive(Debug, Clone)]
pub struct Listener {
    pub script: String,
    pub rule: Rule,
    pub retry: Retry,
}

/// What the scripts of a world sent, and what of it waits.
#[derive(Debug, Default)]
pub(super) struct Events {
    waiting: Vec<Pending>,
    sent: Vec<Sent>,
    /// Deduplication keys of queues: who has one, and until when.
    keys: Vec<(String, String, EventId, DateTime<Utc>)>,
}

/// What somebody sent, for a test to look at.
#[derive(Debug)]
struct Sent {
    /// `queue`, `topic` or `start`.
    kind: &'static str,
    name: String,
    told: Value,
}

/// One event for one handler, or for the consumer of its queue.
#[derive(Debug, Clone)]
struct Pending {
    id: EventId,
    source: Source,
    op: &'static str,
    at: DateTime<Utc>,
    depth: u32,
    request_id: RequestId,
    /// JSON text.
    about: String,
    name: String,
    due_at: DateTime<Utc>,
    /// Attempts that failed.
    failed: u32,
    to: To,
    /// A handler has it.
    is_claimed: bool,
}

#[derive(Debug, Clone)]
enum To {
    /// The listener of this place.
    Listener(usize),
    /// Whoever consumes the queue.
    Queue,
    Script {
        name: String,
        execution_id: ExecutionId,
        request: Box<Request>,
    },
}

/// A message on its way.
pub(super) struct Message<'a> {
    pub source: Source,
    pub op: &'static str,
    pub name: &'a str,
    /// JSON text: what its handler sees.
    pub about: String,
    /// JSON text.
    pub body: &'a str,
    pub delay_s: i64,
}

/// What one attempt came to.
struct Attempted {
    pending: Pending,
    script: String,
    failure: Option<Failure>,
}

impl Events {
    /// What was sent of that kind.
    pub(super) fn sent(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.sent.iter().filter(move |sent| sent.kind == kind).map(|sent| &sent.told)
    }

    /// The same under that name.
    pub(super) fn sent_to(&self, kind: &str, name: &str) -> Value {
        self.sent.iter().filter(|sent| sent.kind == kind && sent.name == name).map(|sent| sent.told.clone()).collect()
    }

    /// Messages of a queue that are not settled.
    pub(super) fn queued(&self, queue: &str) -> u64 {
        let queued = self.waiting.iter().filter(|pending| pending.source == Source::Queue && pending.name == queue);
        u64::try_from(queued.count()).unwrap_or(u64::MAX)
    }

    /// Who has a deduplication key at that time.
    pub(super) fn holder(&self, queue: &str, key: &str, now: DateTime<Utc>) -> Option<EventId> {
        let held = self.keys.iter().find(|(of, held, _, until)| of == queue && held == key && *until > now);
        held.map(|(_, _, id, _)| *id)
    }

    /// Gives a key to an event, for as long as keys are held.
    pub(super) fn hold(&mut self, queue: &str, key: String, id: EventId, now: DateTime<Utc>) {
        self.keys.retain(|(_, _, _, until)| *until > now);
        self.keys.push((queue.to_owned(), key, id, now + TimeDelta::seconds(limits::QUEUE_KEY_WINDOW_S)));
    }

    fn add(&mut self, pending: Pending) -> Result<()> {
        if self.waiting.len() >= limits::LOCAL_EVENTS_MAX {
            let message = format!("{} events wait, which is all that a world keeps", limits::LOCAL_EVENTS_MAX);
            return Err(Error::new(Kind::Overloaded, "overloaded", message));
        }
        self.waiting.push(pending);
        Ok(())
    }

    fn keep(&mut self, kind: &'static str, name: &str, told: Value) {
        if self.sent.len() < limits::LOCAL_EVENTS_MAX {
            self.sent.push(Sent { kind, name: name.to_owned(), told });
        }
    }
}

impl Listener {
    /// Whether it is for an event of that source, op and name.
    fn is_for(&self, source: Source, op: &str, name: &str) -> bool {
        match &self.rule {
            Rule::Changes { of, collection, ops } => {
                *of == source && ops.iter().any(|known| known.as_str() == op) && covers(collection, name)
            }
            Rule::Pubsub { topic } => source == Source::Pubsub && covers(topic, name),
            Rule::Queue { queue } => source == Source::Queue && queue == name,
            Rule::Cron { .. } | Rule::Email { .. } | Rule::DeadLetter(_) => false,
        }
    }
}

/// As triggers are matched: `*`, the name itself, or what begins like a pattern that ends in `*`.
fn covers(pattern: &str, name: &str) -> bool {
    pattern == name || pattern.strip_suffix('*').is_some_and(|stem| name.starts_with(stem))
}

impl World {
    /// Tells those who listen of a write to a collection.
    pub(super) fn tell<T: Serialize>(
        &self,
        state: &mut State,
        origin: Origin,
        (source, op, collection): (Source, Op, &str),
        about: impl FnOnce() -> T,
    ) -> Result<()> {
        if !self.listeners.iter().any(|listener| listener.is_for(source, op.as_str(), collection)) {
            return Ok(());
        }
        let about = text(&about())?;
        let message = Message { source, op: op.as_str(), name: collection, about, body: "null", delay_s: 0 };
        self.queue_up(state, origin, &message).map(drop)
    }

    /// Takes a message in; its id.
    pub(super) fn send(&self, state: &mut State, origin: Origin, message: &Message<'_>) -> Result<EventId> {
        let id = self.queue_up(state, origin, message)?;
        let kind = if message.source == Source::Queue { "queue" } else { "topic" };
        let told = json!({
            "id": id,
            "name": message.name,
            "message": json_of(message.body.as_bytes()).unwrap_or_else(|| message.body.into()),
            "delay_s": message.delay_s,
            "at": self.now(),
        });
        state.events.keep(kind, message.name, told);
        Ok(id)
    }

    fn queue_up(&self, state: &mut State, origin: Origin, message: &Message<'_>) -> Result<EventId> {
        let now = self.now();
        let id = state.event_id(now);
        let pending = Pending {
            id,
            source: message.source,
            op: message.op,
            at: now,
            depth: origin.depth.saturating_add(1),
            request_id: origin.request_id,
            about: message.about.clone(),
            name: message.name.to_owned(),
            due_at: now + TimeDelta::seconds(message.delay_s),
            failed: 0,
            to: To::Queue,
            is_claimed: false,
        };
        if message.source == Source::Queue {
            state.events.add(pending)?;
            return Ok(id);
        }
        let listeners = self.listeners.iter().enumerate();
        for (place, _) in listeners.filter(|(_, listener)| listener.is_for(message.source, message.op, message.name)) {
            state.events.add(Pending { to: To::Listener(place), ..pending.clone() })?;
        }
        Ok(id)
    }

    /// Takes in a call that nobody waits for; the id of its first attempt.
    pub(super) fn start(&self, origin: Origin, script: &str, arguments: Vec<u8>) -> Result<ExecutionId> {
        let now = self.now();
        let mut state = self.lock();
        let (id, execution_id) = (state.event_id(now), ExecutionId(state.id(now)));
        let told = json!({
            "id": execution_id,
            "name": script,
            "arguments": json_of(&arguments).unwrap_or_default(),
            "at": now,
        });
        let pending = Pending {
            id,
            source: Source::Invoke,
            op: "call",
            at: now,
            depth: origin.depth.saturating_add(1),
            request_id: origin.request_id,
            about: String::new(),
            name: script.to_owned(),
            due_at: now,
            failed: 0,
            to: To::Script { name: script.to_owned(), execution_id, request: Box::new(Request::of_arguments(arguments)) },
            is_claimed: false,
        };
        state.events.add(pending)?;
        state.events.keep("start", script, told);
        Ok(execution_id)
    }

    /// Has everything handled that is due, and what comes of it, until nothing is: `{ran, failed}`. Each attempt that fails is
    /// told; another one is due after the wait of its trigger, while there are any left.
    pub(super) async fn deliver(&self, here: &Here) -> Result<Value> {
        let (mut ran, mut failed) = (0_usize, Vec::new());
        while let Some(attempted) = self.attempt(here).await? {
            ran += 1;
            if let Some(failure) = &attempted.failure {
                failed.push(json!({
                    "script": attempted.script,
                    "source": attempted.pending.source,
                    "attempt": attempted.pending.failed + 1,
                    "code": failure.code,
                    "message": failure.message,
                    "line": failure.line,
                    "column": failure.column,
                }));
            }
            self.settle(attempted);
            if ran == limits::LOCAL_DELIVERIES_MAX {
                let message = format!("{ran} deliveries were made and more are due: do handlers send to each other in a circle?");
                return Err(Error::new(Kind::RateLimited, "limit_exceeded", message));
            }
        }
        Ok(json!({ "ran": ran, "failed": failed }))
    }

    /// Has the next one handled; none when nothing is due that anybody is there for.
    async fn attempt(&self, here: &Here) -> Result<Option<Attempted>> {
        let Some((pending, script)) = self.claim() else { return Ok(None) };
        let (execution_id, attempt) = (self.execution_id(), pending.failed + 1);
        let event = |id, about: &str| Event {
            id,
            source: pending.source,
            op: pending.op.to_owned(),
            at: pending.at,
            attempt,
            depth: pending.depth,
            about: about.as_bytes().to_vec(),
        };
        let (execution_id, invocation_type, request, event) = match &pending.to {
            To::Script { execution_id: promised, request, .. } => {
                let execution_id = if pending.failed == 0 { *promised } else { execution_id };
                (execution_id, InvocationType::Function, Request::clone(request), None)
            }
            _ => (execution_id, InvocationType::Event, Request::default(), Some(event(pending.id, &pending.about))),
        };
        let delivered = Delivered { event_id: pending.id, trigger_id: None, attempt, depth: pending.depth, trace: None, event };
        let next =
            Here { request_id: pending.request_id, role: Role::Script, depth: 0, event_depth: pending.depth, ..here.clone() };
        let delivered = Some(delivered);
        let ask = Ask { script: script.clone(), invocation_type, request, delivered, execution_id, timeout_ms: None, here: next };
        let failure = match self.scripts.run(ask).await {
            Ok(ran) => ran.result.err(),
            Err(error) => {
                self.settle(Attempted { pending, script, failure: None });
                return Err(error);
            }
        };
        Ok(Some(Attempted { pending, script, failure }))
    }

    /// The next event that is due, and the script that handles it. What is too deep is dropped, as on a node it is not attempted.
    fn claim(&self) -> Option<(Pending, String)> {
        let (mut state, now) = (self.lock(), self.now());
        state.events.waiting.retain(|pending| pending.depth <= limits::EVENT_DEPTH_MAX);
        let script_of = |pending: &Pending| match &pending.to {
            To::Script { name, .. } => Some(name.clone()),
            To::Listener(place) => self.listeners.get(*place).map(|listener| listener.script.clone()),
            To::Queue => self.consumer(&pending.name).map(|listener| listener.script.clone()),
        };
        let due = state.events.waiting.iter_mut().filter(|pending| !pending.is_claimed && pending.due_at <= now);
        let mut due: Vec<_> = due.filter_map(|pending| Some((script_of(&*pending)?, pending))).collect();
        // The one that was due first; of those, the one that came first.
        due.sort_by_key(|(_, pending)| pending.due_at);
        let (script, pending) = due.into_iter().next()?;
        pending.is_claimed = true;
        Some((pending.clone(), script))
    }

    fn consumer(&self, queue: &str) -> Option<&Listener> {
        self.listeners.iter().find(|listener| listener.is_for(Source::Queue, "send", queue))
    }

    /// What was handled is done with; what failed is due again, while an attempt is left.
    fn settle(&self, attempted: Attempted) {
        let Attempted { pending, failure, .. } = attempted;
        let listener = match &pending.to {
            To::Listener(place) => self.listeners.get(*place),
            To::Queue => self.consumer(&pending.name),
            To::Script { .. } => None,
        };
        // Chance only spreads attempts: here they are when a test can foretell them.
        let retry = Retry { jitter: false, ..listener.map_or_else(Retry::default, |listener| listener.retry) };
        let failed = pending.failed + 1;
        let wait = failure.and_then(|_| retry.wait(failed, 1.0));
        let (mut state, now) = (self.lock(), self.now());
        let is_it = |other: &Pending| other.is_claimed && other.id == pending.id && is_same(&other.to, &pending.to);
        match wait {
            None => state.events.waiting.retain(|other| !is_it(other)),
            Some(wait) => {
                for other in state.events.waiting.iter_mut().filter(|other| is_it(other)) {
                    (other.is_claimed, other.failed, other.due_at) = (false, failed, now + wait);
                }
            }
        }
    }
}

fn is_same(one: &To, other: &To) -> bool {
    match (one, other) {
        (To::Listener(one), To::Listener(other)) => one == other,
        (To::Queue, To::Queue) | (To::Script { .. }, To::Script { .. }) => true,
        _ => false,
    }
}

/// JSON text of what a handler sees.
pub(super) fn text(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn triggers_are_matched_as_on_a_node() {
        for (pattern, name, fits) in [
            ("*", "orders", true),
            ("orders", "orders", true),
            ("orders", "orders-eu", false),
            ("orders-*", "orders-eu", true),
            ("orders-*", "orders", false),
            ("orders.*", "orders.paid", true),
            ("orders.*", "orders", false),
        ] {
            assert_eq!(covers(pattern, name), fits, "{pattern} {name}");
        }
        let listener = |rule| Listener { script: "a".to_owned(), rule, retry: Retry::default() };
        let changes = listener(Rule::Changes { of: Source::Kv, collection: "*".to_owned(), ops: vec![Op::Insert] });
        assert!(changes.is_for(Source::Kv, "insert", "c"));
        assert!(!changes.is_for(Source::Kv, "update", "c") && !changes.is_for(Source::Docs, "insert", "c"));
        let queue = listener(Rule::Queue { queue: "mails".to_owned() });
        assert!(queue.is_for(Source::Queue, "send", "mails") && !queue.is_for(Source::Queue, "send", "other"));
    }

    /// A world whose scripts fail so often before they succeed.
    fn handled(failures: u32) -> (std::sync::Arc<World>, Here) {
        use std::pin::Pin;
        use std::sync::atomic::{AtomicU32, Ordering};

        use crate::hostcall::local::tests::settings;
        use crate::hostcall::local::{Ran, Scripts};
        use crate::model::execution::{FailureCode, Usage};
        use crate::model::invocation::Answer;

        let left = std::sync::Arc::new(AtomicU32::new(failures));
        let run = move |_| -> Pin<Box<dyn Future<Output = Result<Ran>> + Send>> {
            let failed = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
            let result = if failed {
                Err(Failure::new(FailureCode::ScriptError, "no"))
            } else {
                Ok(Answer { status: 200, headers: Vec::new(), body: Vec::new() })
            };
            Box::pin(async move { Ok(Ran { result, usage: Usage::default(), logs: Vec::new(), logs_dropped: 0 }) })
        };
        let scripts = Scripts::new(run, |_| Box::pin(async { Ok(()) }));
        let rule = Rule::Queue { queue: "q".to_owned() };
        let listener = Listener { script: "work".to_owned(), rule, retry: Retry::default() };
        let world = World::new(settings(0, vec![listener], scripts));
        let here = Here::first(&world, Role::Test, 1_000);
        (world, here)
    }

    fn send(world: &World, queue: &str, delay_s: i64) {
        let message = Message { source: Source::Queue, op: "send", name: queue, about: "{}".to_owned(), body: "1", delay_s };
        let origin = world.beginning();
        world.send(&mut world.lock(), origin, &message).unwrap();
    }

    #[tokio::test]
    async fn what_is_due_is_handled_once_and_what_nobody_consumes_waits() {
        let (world, here) = handled(0);
        send(&world, "q", 0);
        send(&world, "q", 60);
        send(&world, "other", 0);
        assert_eq!(world.deliver(&here).await.unwrap(), json!({ "ran": 1, "failed": [] }));
        assert_eq!(world.lock().events.queued("q"), 1);
        assert_eq!(world.lock().events.queued("other"), 1);
        world.clock().advance(TimeDelta::seconds(60));
        assert_eq!(world.deliver(&here).await.unwrap()["ran"], 1);
        assert_eq!(world.lock().events.sent_to("queue", "q").as_array().unwrap().len(), 2);
    }

    #[tokio::test]
    async fn an_attempt_that_fails_is_made_again_after_its_wait_and_not_after_the_last() {
        let (world, here) = handled(3);
        send(&world, "q", 0);
        let first = world.deliver(&here).await.unwrap();
        assert_eq!((&first["ran"], &first["failed"][0]["attempt"]), (&json!(1), &json!(1)));
        assert_eq!(world.deliver(&here).await.unwrap()["ran"], 0);
        world.clock().advance(TimeDelta::milliseconds(1_000));
        assert_eq!(world.deliver(&here).await.unwrap()["failed"][0]["attempt"], 2);
        world.clock().advance(TimeDelta::milliseconds(2_000));
        assert_eq!(world.deliver(&here).await.unwrap()["failed"][0]["attempt"], 3);
        world.clock().advance(TimeDelta::days(1));
        assert_eq!(world.deliver(&here).await.unwrap()["ran"], 0);
        assert_eq!(world.lock().events.queued("q"), 0);
    }
}
