//! One attempt of a delivery: may it run, what does it run, what came of it.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::id::{ExecutionId, RequestId};
use crate::invoke::{EventPlace, Invoker};
use crate::limits;
use crate::model::access;
use crate::model::delivery::{Attempt, AttemptLine, Claim, DeadReason, End, Settlement, To};
use crate::model::event::Source;
use crate::model::execution::{Failure, FailureCode, LogLine, Outcome};
use crate::model::invocation::{Call, Delivered, Deployed, Ended, InvocationType, Request};
use crate::model::script::Kind as ScriptKind;
use crate::service::{self, Services};
use crate::shutdown::Shutdown;

/// Attempts the delivery; never fails. One that has no place yet when the node drains is given back.
pub(super) async fn run(services: Arc<Services>, invoker: Arc<Invoker>, shutdown: Shutdown, mut claim: Claim) -> Settlement {
    let script = match admit(&services, &claim).await {
        Admitted::Runs(script) => script,
        Admitted::Ends(end) => return Settlement { claim, end },
    };
    let place = tokio::select! {
        biased;
        () = shutdown.draining() => return Settlement { claim, end: End::Released },
        place = invoker.place_for_event(&script) => place,
    };
    let end = match complete(&services, &mut claim).await {
        Some(end) => end,
        None => attempted(&services, &invoker, place, &claim, script).await,
    };
    // What was told is not needed to settle, and a settlement may wait.
    claim.event.about = Vec::new();
    Settlement { claim, end }
}

/// Reads what the event tells, where the claim does not say. Its end, if it has none to run.
async fn complete(services: &Services, claim: &mut Claim) -> Option<End> {
    if claim.is_whole {
        return None;
    }
    match service::deliveries::about(services, claim).await {
        Ok(Some(about)) => {
            claim.event.about = about.into_bytes();
            None
        }
        Ok(None) => Some(End::Dropped),
        Err(error) => {
            tracing::warn!(delivery.id = %claim.id, %error, cause = ?error.source, "an event could not be read; its delivery is given back");
            pause().await;
            Some(End::Released)
        }
    }
}

/// What the database has just refused would be refused at once again.
async fn pause() {
    tokio::time::sleep(Duration::from_millis(limits::DELIVERY_REFUSED_MS)).await;
}

enum Admitted {
    Runs(Arc<Deployed>),
    Ends(End),
}

/// Whether anything is run for it.
async fn admit(services: &Services, claim: &Claim) -> Admitted {
    let script_id = match &claim.to {
        // A message of a queue goes to the next consumer; anything else was for that trigger alone.
        To::Nowhere if claim.event.source == Source::Queue => return Admitted::Ends(End::Held),
        To::Nowhere => return Admitted::Ends(End::Dropped),
        To::Trigger { is_active: false, .. } => return Admitted::Ends(End::Held),
        To::Trigger { trigger_id, script_id, principal, .. } => {
            if !principal.as_ref().is_some_and(access::may_run_triggers) {
                let seen = principal.as_ref().map(|principal| principal.user_id);
                if let Err(error) = service::triggers::stop(services, claim.app_id, *trigger_id, seen).await {
                    tracing::warn!(trigger.id = %trigger_id, %error, cause = ?error.source, "a trigger that must stop could not be stopped");
                    pause().await;
                }
                return Admitted::Ends(End::Held);
            }
            *script_id
        }
        To::Script { script_id } => *script_id,
    };
    if claim.lost > limits::DELIVERY_LOST_MAX {
        let message = format!("it was begun {} times, and each time its node ended before it did", claim.lost);
        let attempt = unattempted(claim, services.now(), Failure::new(FailureCode::Internal, message), Outcome::HostFault);
        return Admitted::Ends(End::Dead { reason: DeadReason::Abandoned, attempt });
    }
    match find(services, script_id).await {
        Some(script) if script.app_id == claim.app_id && script.kind == ScriptKind::Endpoint => Admitted::Runs(script),
        _ => {
            let failure = Failure::new(FailureCode::Internal, "the script is gone");
            let attempt = unattempted(claim, services.now(), failure, Outcome::Denied);
            Admitted::Ends(End::Dead { reason: DeadReason::ScriptGone, attempt })
        }
    }
}

/// The script as this node knows it; one that it does not know may just have been made by another node.
async fn find(services: &Services, id: crate::id::ScriptId) -> Option<Arc<Deployed>> {
    let known = || services.routing.current().script(id).cloned();
    if let Some(script) = known() {
        return Some(script);
    }
    if let Err(error) = services.routing.reload(&services.db, &services.apps_domain).await {
        tracing::warn!(%error, cause = ?error.source, "the directory could not be reloaded for a delivery");
    }
    known()
}

async fn attempted(services: &Services, invoker: &Invoker, place: EventPlace, claim: &Claim, script: Arc<Deployed>) -> End {
    let started_at = services.now();
    let execution_id = claim.execution_id.unwrap_or_else(|| ExecutionId::at(started_at));
    let version = script.version;
    let call = match call(claim, execution_id, script) {
        Ok(call) => call,
        Err(failure) => {
            let attempt = unattempted(claim, started_at, failure, Outcome::HostFault);
            return End::Dead { reason: DeadReason::AttemptsExhausted, attempt };
        }
    };
    let ended = invoker.deliver(place, call).await;
    let Ended { result, outcome, usage, logs, .. } = ended;
    let Err(error) = result else { return End::Succeeded };
    let attempt = Attempt {
        number: claim.event.attempt,
        execution_id: Some(execution_id),
        version: Some(version),
        outcome,
        error,
        logs: kept(logs),
        started_at,
        wall_us: usage.wall_us,
    };
    match claim.retry().wait(claim.event.attempt, chance()) {
        Some(wait) => End::Again { at: services.now() + wait, attempt },
        None => End::Dead { reason: DeadReason::AttemptsExhausted, attempt },
    }
}

/// What is run: for a call that nobody waits for the request as it came, else an event beside an empty one.
fn call(claim: &Claim, execution_id: ExecutionId, script: Arc<Deployed>) -> Result<Call, Failure> {
    let request_id: RequestId = claim.request_id;
    let stored = || {
        serde_json::from_slice::<Request>(&claim.event.about)
            .map_err(|_| Failure::new(FailureCode::Internal, "the stored request cannot be read"))
    };
    let (invocation_type, request, event) = match claim.event.source {
        Source::Http => (InvocationType::Http, stored()?, None),
        Source::Invoke => (InvocationType::Function, stored()?, None),
        _ => (InvocationType::Event, Request::default(), Some(claim.event.clone())),
    };
    let delivered = Delivered {
        event_id: claim.event.id,
        trigger_id: claim.trigger_id(),
        attempt: claim.event.attempt,
        depth: claim.event.depth,
        trace: claim.trace,
        event,
    };
    Ok(Call { execution_id, request_id, script, invocation_type, request, delivered: Some(delivered) })
}

/// An attempt of which nothing ran.
fn unattempted(claim: &Claim, now: DateTime<Utc>, error: Failure, outcome: Outcome) -> Attempt {
    Attempt {
        number: claim.event.attempt,
        execution_id: None,
        version: None,
        outcome,
        error,
        logs: Vec::new(),
        started_at: now,
        wall_us: 0,
    }
}

/// The last lines, as far as they fit: they are the ones that led to the failure.
fn kept(logs: Vec<LogLine>) -> Vec<AttemptLine> {
    let mut bytes = 0;
    let mut lines: Vec<_> = logs
        .into_iter()
        .rev()
        .take_while(|line| {
            bytes += line.message.len() + line.data.as_ref().map_or(0, String::len) + limits::LOG_LINE_COST_MIN;
            bytes <= limits::ATTEMPT_LOG_BYTES_MAX
        })
        .map(|line| AttemptLine { at: line.at, level: line.level, message: line.message, data: line.data })
        .collect();
    lines.reverse();
    lines
}

/// Chance, 0..1. Not part of any contract: it only spreads retries.
#[allow(clippy::disallowed_methods, reason = "a home of randomness")]
fn chance() -> f64 {
    use rand::RngExt as _;
    rand::rng().random()
}
