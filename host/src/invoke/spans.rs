//! Where invocations stand in traces, and what a collector is told of them.

use super::{Inner, Way};
use crate::egress::otlp::{Exporter, Log, Span, SpanKind};
use crate::model::execution::{Execution, LogLine};
use crate::model::invocation::{Call, InvocationType};
use crate::model::trace::{Trace, span_of};

impl Inner {
    /// What the invocation comes of: as the script that waits for it, its event or its request says; else a trace of its own, where
    /// there is somebody to be told.
    pub(super) fn trace(&self, call: &Call, way: &Way) -> Option<Trace> {
        let came = match (way, &call.delivered) {
            (Way::Nested(caller, _), _) => caller.trace,
            (_, Some(delivered)) => delivered.trace.or_else(|| Trace::of_headers(&call.request.headers)),
            (_, None) => Trace::of_headers(&call.request.headers),
        };
        came.or_else(|| self.services.exporter.get().map(|exporter| exporter.begins(call.request_id)))
    }
}

/// Tells of an invocation that was let in: of its span if its trace is told of, of what it logged in any case.
pub(super) fn tell(exporter: &Exporter, execution: &Execution, kind: InvocationType, script: &str, trace: Option<Trace>) {
    let Some(trace) = trace else { return };
    let own = trace.under(execution.id);
    for line in &execution.logs {
        exporter.log(log(execution, script, own, line));
    }
    if !trace.sampled {
        return;
    }
    let mut attributes = vec![
        ("app.id", execution.app_id.to_string()),
        ("script.id", execution.script_id.to_string()),
        ("script.name", script.to_owned()),
        ("script.version", execution.version.to_string()),
        ("execution.id", execution.id.to_string()),
        ("request.id", execution.request_id.to_string()),
        ("invocation.type", kind.as_str().to_owned()),
        ("outcome", execution.outcome.as_str().to_owned()),
        ("fuel", execution.usage.fuel.to_string()),
    ];
    attributes.extend(execution.event_id.map(|id| ("event.id", id.to_string())));
    attributes.extend(execution.trigger_id.map(|id| ("trigger.id", id.to_string())));
    attributes.extend(execution.attempt.map(|attempt| ("event.attempt", attempt.to_string())));
    exporter.span(Span {
        parent: trace,
        id: span_of(execution.id),
        name: script.to_owned(),
        kind: match kind {
            InvocationType::Http | InvocationType::Direct => SpanKind::Server,
            InvocationType::Function => SpanKind::Internal,
            InvocationType::Event => SpanKind::Consumer,
        },
        began_at: execution.started_at,
        took_us: execution.usage.wall_us,
        attributes,
        status: Some(execution.status),
        failed: execution.error.as_ref().map(|failure| failure.code.as_str()),
    });
}

fn log(execution: &Execution, script: &str, own: Trace, line: &LogLine) -> Log {
    let mut attributes = vec![
        ("app.id".to_owned(), execution.app_id.to_string()),
        ("script.name".to_owned(), script.to_owned()),
        ("execution.id".to_owned(), execution.id.to_string()),
    ];
    attributes.extend(line.data.as_ref().map(|data| ("data".to_owned(), data.clone())));
    Log { at: line.at, level: line.level.into(), text: line.message.clone(), attributes, of: Some(own) }
}
