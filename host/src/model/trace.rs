//! Traces: what one request led to, over every script, event and node, and how others are told of it (W3C trace context, level 1).
//!
//! A trace that nobody else began has the id of its request, so it costs nothing to have one. The span of an execution is the last half
//! of its id. `tracestate` is not passed on.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::id::{ExecutionId, RequestId};

/// The header by which one is told, in lower case.
pub const TRACEPARENT: &str = "traceparent";
/// A version of the header that is none.
const VERSION_NONE: &str = "ff";
/// The flag by which whoever asks says that it keeps what it knows of the trace.
const SAMPLED: u8 = 1;

/// A place in a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trace {
    pub id: TraceId,
    /// The span that what is done here comes of; 0 for nothing.
    pub span: u64,
    /// Whether it is to be told of.
    pub sampled: bool,
}

/// 32 hex digits, not all 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceId(pub Uuid);

impl std::fmt::Display for TraceId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.simple().fmt(f)
    }
}

impl Trace {
    /// The beginning of one that nobody else began.
    pub fn of_request(request: RequestId, sampled: bool) -> Self {
        Self { id: TraceId(request.0), span: 0, sampled }
    }

    /// What a request's headers say (names in lower case).
    pub fn of_headers(headers: &[(String, String)]) -> Option<Self> {
        headers.iter().find(|(name, _)| name == TRACEPARENT).and_then(|(_, value)| Self::read(value))
    }

    /// Reads a header's value; anything that is not exactly one is nothing.
    pub fn read(value: &str) -> Option<Self> {
        let mut parts = value.trim_matches([' ', '\t']).split('-');
        let (version, id, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let is_hex = |part: &str, digits: usize| {
            part.len() == digits && part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        };
        if !(is_hex(version, 2) && is_hex(id, 32) && is_hex(span, 16) && is_hex(flags, 2)) || version == VERSION_NONE {
            return None;
        }
        // Later versions may have more behind it.
        if version == "00" && parts.next().is_some() {
            return None;
        }
        let (id, span) = (Uuid::parse_str(id).ok()?, u64::from_str_radix(span, 16).ok()?);
        let flags = u8::from_str_radix(flags, 16).ok()?;
        (!id.is_nil() && span != 0).then_some(Self { id: TraceId(id), span, sampled: flags & SAMPLED != 0 })
    }

    /// As a header's value.
    pub fn header(self) -> String {
        format!("00-{}-{:016x}-{:02x}", self.id, self.span, u8::from(self.sampled))
    }

    /// The same trace, for what comes of that execution.
    pub fn under(self, execution: ExecutionId) -> Self {
        Self { span: span_of(execution), ..self }
    }

    /// The same trace, for what comes of a span that begins now.
    pub fn under_new(self, now: DateTime<Utc>) -> Self {
        self.under(ExecutionId::at(now))
    }

    /// As it is stored.
    pub fn bytes(self) -> [u8; 25] {
        let mut bytes = [0; 25];
        let (id, rest) = bytes.split_at_mut(16);
        id.copy_from_slice(self.id.0.as_bytes());
        let (span, flags) = rest.split_at_mut(8);
        span.copy_from_slice(&self.span.to_be_bytes());
        flags.fill(u8::from(self.sampled));
        bytes
    }

    /// Of what is stored.
    pub fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let (id, rest) = bytes.split_at_checked(16)?;
        let (span, flags) = rest.split_at_checked(8)?;
        let id = Uuid::from_slice(id).ok()?;
        let (span, flags) = (u64::from_be_bytes(span.try_into().ok()?), *flags.first()?);
        (!id.is_nil()).then_some(Self { id: TraceId(id), span, sampled: flags & SAMPLED != 0 })
    }
}

/// The span that an execution is. Never 0: the upper bits of that half say what kind of id it is.
pub fn span_of(execution: ExecutionId) -> u64 {
    execution.0.as_u64_pair().1
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_header_is_read_and_written() {
        let trace = Trace::read(HEADER).unwrap();
        assert_eq!((trace.id.to_string().as_str(), trace.span), ("4bf92f3577b34da6a3ce929d0e0e4736", 0x00f0_67aa_0ba9_02b7));
        assert!(trace.sampled);
        assert_eq!(trace.header(), HEADER);
        assert_eq!(Trace::of_bytes(&trace.bytes()), Some(trace));
        assert_eq!(Trace::read(&format!(" {HEADER}\t")), Some(trace));
        assert!(!Trace::read(&HEADER.replace("-01", "-02")).unwrap().sampled, "other flags say nothing of that");
        assert!(Trace::read(&HEADER.replace("-01", "-ff")).unwrap().sampled);
    }

    #[test]
    fn a_later_version_may_say_more() {
        let later = HEADER.replacen("00-", "01-", 1);
        assert_eq!(Trace::read(&later), Trace::read(HEADER));
        assert_eq!(Trace::read(&format!("{later}-what-else")), Trace::read(HEADER));
        assert_eq!(Trace::read(&format!("{HEADER}-what")), None);
    }

    #[test]
    fn what_is_no_header_is_nothing() {
        for wrong in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0x",
            "+0-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(Trace::read(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn an_execution_is_a_span_of_its_own() {
        let at = DateTime::UNIX_EPOCH;
        let (one, other) = (ExecutionId::at(at), ExecutionId::at(at));
        let trace = Trace::of_request(RequestId::at(at), true);
        assert_ne!(span_of(one), span_of(other));
        assert!(span_of(one) != 0 && span_of(ExecutionId(Uuid::max())) != 0);
        assert_eq!((trace.under(one).id, trace.under(one).span), (trace.id, span_of(one)));
        let shown = trace.id.to_string();
        assert_eq!((shown.len(), shown.contains('-')), (32, false));
    }

    #[test]
    fn what_is_stored_otherwise_is_nothing() {
        for wrong in [&[][..], &[0; 24], &[0; 25]] {
            assert_eq!(Trace::of_bytes(wrong), None);
        }
    }
}
