//! Calls that are turned away by their heads alone, while the node is too far behind to begin them.
//!
//! The answer is the one that `exchange` would give, in bytes: who is turned away here costs a node a fraction of what going on would.

use axum::http::request::Parts;
use axum::http::{Method, header};
use axum::response::Response;
use bytes::Bytes;

use super::refusal::Refusal;
use super::{Decision, EXECUTION_ID, Ingress, REQUEST_ID, Step, Target, cors, decide, insert_id};
use crate::id::{ExecutionId, RequestId};
use crate::model::execution::FailureCode;
use crate::model::invocation::Identity;
use crate::model::route::DispatchMode;

/// What becomes of a request, by its head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// That is not for the head alone to say.
    Unknown,
    /// It is a call of a script, and was let in: nobody is to ask again.
    LetIn,
    /// It is one that is not begun, which was counted; the whole answer, after which the connection stays.
    TurnedAway(Bytes),
}

/// An extension of a request for which that was said.
#[derive(Debug, Clone, Copy)]
pub struct LetIn;

impl Ingress {
    /// Whether calls are turned away at all now.
    pub fn is_behind(&self) -> bool {
        self.invoker.is_behind()
    }

    /// Judges a request that is nothing but its head.
    pub fn judge(&self, head: &Parts) -> Verdict {
        let Step::Decided(Decision::Run(target)) = decide(&self.services.routing.current(), head) else {
            return Verdict::Unknown;
        };
        let now = self.services.clock.now();
        let (request_id, execution_id) = (RequestId::at(now), ExecutionId::at(now));
        match self.turn_away(request_id, execution_id, &target) {
            None => Verdict::LetIn,
            Some(mut refused) => {
                let headers = refused.headers_mut();
                cors::apply(&target.app.cors_origins, head.headers.get(header::ORIGIN), headers);
                insert_id(headers, REQUEST_ID, &request_id.0);
                Verdict::TurnedAway(on_the_wire(&refused, head.method != Method::HEAD))
            }
        }
    }

    /// What is answered to a call that the node is too far behind to begin.
    pub(super) fn turn_away(
        &self,
        request_id: RequestId,
        execution_id: ExecutionId,
        target: &Target,
    ) -> Option<Response<Vec<u8>>> {
        let call = Identity::of_request(execution_id, request_id, target.script.clone());
        let full = self.invoker.let_in(call, &target.app.quota, target.dispatch_mode == DispatchMode::Async).err()?;
        let mut refused = Refusal::of(FailureCode::Overloaded).after(Some(full.retry_after)).written(request_id);
        insert_id(refused.headers_mut(), EXECUTION_ID, &execution_id.0);
        Some(refused)
    }
}

/// An answer as it goes over the wire (RFC 9112). It needs no date: it is of the node's own failing (RFC 9110, 6.6.1).
fn on_the_wire(answer: &Response<Vec<u8>>, with_body: bool) -> Bytes {
    let (status, body) = (answer.status(), answer.body());
    let head_bytes: usize = answer.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    let mut bytes = Vec::with_capacity(head_bytes + body.len() + 128);
    let mut put = |parts: &[&[u8]]| parts.iter().for_each(|part| bytes.extend_from_slice(part));
    put(&[b"HTTP/1.1 ", status.as_str().as_bytes(), b" ", status.canonical_reason().unwrap_or_default().as_bytes(), b"\r\n"]);
    for (name, value) in answer.headers() {
        put(&[name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"]);
    }
    put(&[b"content-length: ", body.len().to_string().as_bytes(), b"\r\n\r\n"]);
    if with_body {
        put(&[body]);
    }
    bytes.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    #[test]
    fn an_answer_says_how_long_its_body_is_and_has_it_but_for_head() {
        let refused = Refusal::of(FailureCode::Overloaded).written(RequestId::at(Clock::system().now()));
        let text = |with_body| String::from_utf8(on_the_wire(&refused, with_body).to_vec()).unwrap();
        let (head, body) = (text(false), String::from_utf8(refused.body().clone()).unwrap());
        assert!(head.starts_with("HTTP/1.1 503 Service Unavailable\r\n") && head.ends_with("\r\n\r\n"), "{head}");
        assert!(
            head.contains("\r\nretry-after: 1\r\n") && head.contains(&format!("\r\ncontent-length: {}\r\n", body.len())),
            "{head}"
        );
        assert_eq!(text(true), format!("{head}{body}"));
    }
}
