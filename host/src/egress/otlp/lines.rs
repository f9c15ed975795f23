//! Spans and log lines as OTLP's JSON has them.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::limits;
use crate::model::execution::LogLevel;
use crate::model::trace::Trace;
use crate::telemetry::{Level, Line};

/// Who tells: what is said of the node with every request.
#[derive(Debug, Clone, Default)]
pub struct Resource(pub Vec<(&'static str, String)>);

/// What a span is, to whom it comes of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanKind {
    Internal = 1,
    /// It answers a request.
    Server = 2,
    /// It sends one.
    Client = 3,
    /// It handles an event.
    Consumer = 5,
}

/// Something that took a while.
#[derive(Debug, Clone)]
pub struct Span {
    /// Where it comes of.
    pub parent: Trace,
    /// Its own id.
    pub id: u64,
    pub name: String,
    pub kind: SpanKind,
    pub began_at: DateTime<Utc>,
    pub took_us: u64,
    pub attributes: Vec<(&'static str, String)>,
    pub status: Option<u16>,
    /// Why it failed, if it did.
    pub failed: Option<&'static str>,
}

/// Something that was said.
#[derive(Debug, Clone)]
pub struct Log {
    pub at: DateTime<Utc>,
    pub level: Level,
    pub text: String,
    pub attributes: Vec<(String, String)>,
    /// The span that said it.
    pub of: Option<Trace>,
}

impl Span {
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.name.len() + self.attributes.iter().map(|(_, value)| value.len()).sum::<usize>()
    }

    fn json(&self) -> Value {
        let took = TimeDelta::microseconds(i64::try_from(self.took_us).unwrap_or(i64::MAX));
        let ended_at = self.began_at.checked_add_signed(took).unwrap_or(self.began_at);
        let mut attributes: Vec<Value> = self.attributes.iter().map(|(name, value)| attribute(name, value)).collect();
        if let Some(status) = self.status {
            attributes.push(json!({ "key": "http.response.status_code", "value": { "intValue": status.to_string() } }));
        }
        let mut span = json!({
            "traceId": self.parent.id.to_string(),
            "spanId": span_id(self.id),
            "name": self.name,
            "kind": self.kind as u8,
            "startTimeUnixNano": nanoseconds(self.began_at),
            "endTimeUnixNano": nanoseconds(ended_at),
            "attributes": attributes,
            "status": {},
        });
        if let Some(fields) = span.as_object_mut() {
            if self.parent.span != 0 {
                fields.insert("parentSpanId".to_owned(), span_id(self.parent.span).into());
            }
            if let Some(why) = self.failed {
                fields.insert("status".to_owned(), json!({ "code": 2, "message": why }));
            }
        }
        span
    }
}

impl Log {
    /// A line of the node's own log.
    pub(super) fn of_node(at: DateTime<Utc>, line: Line) -> Self {
        let fields = line.fields.into_iter().map(|(name, value)| (name.to_owned(), cut(value)));
        let attributes = std::iter::once(("log.target".to_owned(), line.target.to_owned())).chain(fields).collect();
        Self { at, level: line.level, text: cut(line.message), attributes, of: None }
    }

    pub(super) fn bytes(&self) -> usize {
        let attributes = self.attributes.iter().map(|(name, value)| name.len() + value.len());
        size_of::<Self>() + self.text.len() + attributes.sum::<usize>()
    }

    fn json(&self) -> Value {
        let (number, word) = severity(self.level);
        let attributes: Vec<Value> = self.attributes.iter().map(|(name, value)| attribute(name, value)).collect();
        let mut log = json!({
            "timeUnixNano": nanoseconds(self.at),
            "severityNumber": number,
            "severityText": word,
            "body": { "stringValue": self.text },
            "attributes": attributes,
        });
        if let (Some(of), Some(fields)) = (self.of, log.as_object_mut()) {
            fields.insert("traceId".to_owned(), of.id.to_string().into());
            fields.insert("spanId".to_owned(), span_id(of.span).into());
        }
        log
    }
}

impl From<LogLevel> for Level {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Trace => Self::Trace,
            LogLevel::Debug => Self::Debug,
            LogLevel::Info => Self::Info,
            LogLevel::Warn => Self::Warn,
            LogLevel::Error => Self::Error,
        }
    }
}

/// The body of a request that tells of spans.
pub(super) fn traces(resource: &Resource, spans: &[Span]) -> Vec<u8> {
    let spans: Vec<Value> = spans.iter().map(Span::json).collect();
    let scopes = json!([{ "scope": scope(), "spans": spans }]);
    written(&json!({ "resourceSpans": [{ "resource": resource.json(), "scopeSpans": scopes }] }))
}

/// The body of a request that tells of log lines.
pub(super) fn logs(resource: &Resource, logs: &[Log]) -> Vec<u8> {
    let logs: Vec<Value> = logs.iter().map(Log::json).collect();
    let scopes = json!([{ "scope": scope(), "logRecords": logs }]);
    written(&json!({ "resourceLogs": [{ "resource": resource.json(), "scopeLogs": scopes }] }))
}

impl Resource {
    fn json(&self) -> Value {
        let attributes: Vec<Value> = self.0.iter().map(|(name, value)| attribute(name, value)).collect();
        json!({ "attributes": attributes })
    }
}

fn scope() -> Value {
    json!({ "name": "picloud", "version": env!("CARGO_PKG_VERSION") })
}

fn attribute(name: &str, value: &str) -> Value {
    json!({ "key": name, "value": { "stringValue": value } })
}

fn span_id(id: u64) -> String {
    format!("{id:016x}")
}

fn nanoseconds(at: DateTime<Utc>) -> String {
    at.timestamp_nanos_opt().unwrap_or_default().to_string()
}

fn severity(level: Level) -> (u8, &'static str) {
    match level {
        Level::Trace => (1, "TRACE"),
        Level::Debug => (5, "DEBUG"),
        Level::Info => (9, "INFO"),
        Level::Warn => (13, "WARN"),
        Level::Error => (17, "ERROR"),
    }
}

/// As much as is sent of a text.
pub(super) fn cut(mut text: String) -> String {
    if text.len() > limits::OTLP_TEXT_BYTES_MAX {
        text.truncate(text.floor_char_boundary(limits::OTLP_TEXT_BYTES_MAX));
    }
    text
}

fn written(value: &Value) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_written_as_the_protocol_has_it() {
        let parent = Trace::read("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").unwrap();
        let span = Span {
            parent,
            id: 0xab,
            name: "hello".to_owned(),
            kind: SpanKind::Server,
            began_at: DateTime::from_timestamp_nanos(1_700_000_000_000_001_000),
            took_us: 2,
            attributes: vec![("script.name", "hello".to_owned())],
            status: Some(422),
            failed: Some("script_error"),
        };
        let body: Value =
            serde_json::from_slice(&traces(&Resource(vec![("service.name", "picloud".to_owned())]), &[span])).unwrap();
        let resource = &body["resourceSpans"][0];
        assert_eq!(
            resource["resource"]["attributes"][0],
            json!({ "key": "service.name", "value": { "stringValue": "picloud" } })
        );
        let expected = json!({
            "traceId": "4bf92f3577b34da6a3ce929d0e0e4736",
            "spanId": "00000000000000ab",
            "parentSpanId": "00f067aa0ba902b7",
            "name": "hello",
            "kind": 2,
            "startTimeUnixNano": "1700000000000001000",
            "endTimeUnixNano": "1700000000000003000",
            "attributes": [
                { "key": "script.name", "value": { "stringValue": "hello" } },
                { "key": "http.response.status_code", "value": { "intValue": "422" } },
            ],
            "status": { "code": 2, "message": "script_error" },
        });
        assert_eq!(resource["scopeSpans"][0]["spans"], json!([expected]));
    }

    #[test]
    fn a_root_has_no_parent_and_a_line_has_its_span() {
        let root = Trace {
            id: Trace::read("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").unwrap().id,
            span: 0,
            sampled: true,
        };
        let span = Span {
            parent: root,
            id: 1,
            name: String::new(),
            kind: SpanKind::Internal,
            began_at: DateTime::UNIX_EPOCH,
            took_us: 0,
            attributes: Vec::new(),
            status: None,
            failed: None,
        };
        assert!(span.json().get("parentSpanId").is_none() && span.json()["status"] == json!({}));
        let log =
            Log { at: DateTime::UNIX_EPOCH, level: Level::Warn, text: "hm".to_owned(), attributes: Vec::new(), of: Some(root) };
        assert_eq!((&log.json()["severityNumber"], &log.json()["spanId"]), (&json!(13), &json!("0000000000000000")));
        assert!(Log { of: None, ..log }.json().get("traceId").is_none());
    }

    #[test]
    fn a_long_text_is_cut_between_its_characters() {
        let (fits, long) = ("x".repeat(limits::OTLP_TEXT_BYTES_MAX), "x".repeat(limits::OTLP_TEXT_BYTES_MAX + 1));
        assert_eq!((cut(fits.clone()).len(), cut(long).len()), (fits.len(), fits.len()));
        assert_eq!(cut(format!("{}ä", "x".repeat(limits::OTLP_TEXT_BYTES_MAX - 1))).len(), limits::OTLP_TEXT_BYTES_MAX - 1);
    }
}
