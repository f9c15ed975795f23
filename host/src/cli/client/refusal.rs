//! How a node refuses, as a line and an exit code.

use hyper::StatusCode;
use serde_json::Value;

use super::api::Reply;
use super::origin::Origin;
use super::output::cell;
use crate::cli::failure::{Exit, Failure};

/// An answer that is no success.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) code: String,
    /// As it can be shown.
    message: String,
    pub(super) details: Value,
    retry_after: Option<String>,
}

impl Refusal {
    /// Of an answer that is none of 2xx.
    pub(super) fn of(reply: &Reply) -> Option<Self> {
        if reply.status.is_success() { None } else { Some(Self::read(reply)) }
    }

    fn read(reply: &Reply) -> Self {
        let envelope: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let text = |pointer: &str| envelope.pointer(pointer).and_then(Value::as_str);
        let number = reply.status.as_u16();
        let message = match (text("/error/message"), reply.header("location")) {
            (Some(message), _) => cell(message),
            (None, Some(location)) if reply.status.is_redirection() => {
                format!("it sends elsewhere, to {}: if that is the node, name it with --url", cell(location))
            }
            (None, _) => format!("it answers {number}, and not as a PiCloud node would: is the URL that of its control plane?"),
        };
        Self {
            status: reply.status,
            code: text("/error/code").unwrap_or_default().to_owned(),
            message,
            details: envelope.pointer("/error/details").cloned().unwrap_or_default(),
            retry_after: reply.header("retry-after").map(cell),
        }
    }

    /// The exit code of a status.
    pub(super) fn exit(&self) -> Exit {
        match self.status.as_u16() {
            401 | 403 => Exit::Denied,
            404 => Exit::NotFound,
            400 | 413 | 415 | 422 => Exit::Refused,
            409 | 412 => Exit::Conflict,
            429 | 503 | 507 => Exit::Busy,
            _ => Exit::Other,
        }
    }

    pub(super) fn into_failure(self, origin: &Origin) -> Failure {
        let exit = self.exit();
        let hint = self.hint(origin);
        let failure = Failure::new(exit, self.message);
        match hint {
            Some(hint) => failure.hinting(hint),
            None => failure,
        }
    }

    /// What to do about it, where that is known.
    fn hint(&self, origin: &Origin) -> Option<String> {
        let detail = |name: &str| self.details.get(name).and_then(Value::as_str).map(cell);
        match (self.status.as_u16(), self.code.as_str()) {
            (401, "unauthenticated") => Some(format!("picloud login --url {}", origin.as_str())),
            (403, "login_needed") => {
                Some("an API key does not do this: log in with `picloud login`, and unset PICLOUD_TOKEN".to_owned())
            }
            (422, "not_granted") => self.grant(),
            (429 | 503, _) => self.retry_after.as_ref().map(|seconds| format!("again in {seconds} s")),
            (507, "quota_exceeded") => Some("picloud quota get".to_owned()),
            _ => detail("hint"),
        }
    }

    /// The command that grants what is missing.
    fn grant(&self) -> Option<String> {
        let capability = cell(self.details.get("capability")?.as_str()?);
        let patterns = self.details.pointer(&format!("/grant/body/{capability}"))?.as_array()?;
        let patterns: Vec<String> =
            patterns.iter().filter_map(Value::as_str).map(|pattern| format!("'{}'", cell(pattern))).collect();
        Some(format!("picloud grants set {capability} {}", patterns.join(" ")))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use hyper::HeaderMap;
    use hyper::header::{HeaderValue, LOCATION, RETRY_AFTER};
    use serde_json::json;

    use super::*;

    fn refusal(status: u16, body: &Value) -> Refusal {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_static("7"));
        headers.insert(LOCATION, HeaderValue::from_static("https://elsewhere.example"));
        let body = Bytes::from(body.to_string());
        Refusal::of(&Reply { status: StatusCode::from_u16(status).unwrap(), headers, body }).unwrap()
    }

    fn told(status: u16, error: Value) -> (Exit, String) {
        let failure = refusal(status, &json!({ "error": error })).into_failure(&Origin::parse("http://127.0.0.1:8081").unwrap());
        (failure.exit(), failure.told())
    }

    #[test]
    fn every_class_of_refusal_has_its_exit_code() {
        for (status, exit) in [
            (400, Exit::Refused),
            (401, Exit::Denied),
            (403, Exit::Denied),
            (404, Exit::NotFound),
            (409, Exit::Conflict),
            (412, Exit::Conflict),
            (413, Exit::Refused),
            (422, Exit::Refused),
            (429, Exit::Busy),
            (503, Exit::Busy),
            (507, Exit::Busy),
            (500, Exit::Other),
            (301, Exit::Other),
        ] {
            assert_eq!(refusal(status, &json!({})).exit(), exit, "{status}");
        }
    }

    #[test]
    fn a_refusal_says_how_to_mend_it() {
        let (_, text) = told(401, json!({ "code": "unauthenticated", "message": "who are you?" }));
        assert_eq!(text, "picloud: who are you?\n  hint: picloud login --url http://127.0.0.1:8081\n");
        let details = json!({ "capability": "http", "grant": { "body": { "http": ["a.example", "b.example"] } } });
        let (exit, text) = told(422, json!({ "code": "not_granted", "message": "no", "details": details }));
        assert_eq!(exit, Exit::Refused);
        assert_eq!(text, "picloud: no\n  hint: picloud grants set http 'a.example' 'b.example'\n");
        let (_, text) = told(429, json!({ "code": "rate_limited", "message": "slowly" }));
        assert_eq!(text, "picloud: slowly\n  hint: again in 7 s\n");
    }

    #[test]
    fn what_is_no_envelope_is_told_and_a_redirect_is_not_followed() {
        let origin = Origin::parse("http://127.0.0.1:8081").unwrap();
        let line = refusal(502, &json!("<html>")).into_failure(&origin).into_line();
        assert!(line.contains("502") && line.contains("control plane"), "{line}");
        let line = refusal(302, &json!(null)).into_failure(&origin).into_line();
        assert!(line.contains("https://elsewhere.example") && line.contains("--url"), "{line}");
    }

    #[test]
    fn a_message_steers_no_terminal() {
        let (_, text) = told(422, json!({ "code": "invalid", "message": "a\u{1b}[2Jb\r\u{202e}c" }));
        assert_eq!(text, "picloud: abc\n");
    }
}
