//! Subscribing to a topic of an app: a stream of events (`text/event-stream`), at a path that no script answers.
//!
//! | event | id | data |
//! |---|---|---|
//! | `message` | its number | `{"topic", "seq", "message", "published_at"}` on one line |
//! | `gap` | the last number that is missing | `{"from", "to"}`: messages that are not kept any more |
//! | `reset` | the last number there is | `{"seq"}`: the number that was asked for was never given out here |
//!
//! A stream begins with an id, so that a client which loses it before the first message misses none. Who may is said by the topic and
//! by the token (`service::realtime`); a topic that is for triggers alone is answered as a path that is not there.

use std::borrow::Cow;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::response::Response;
use futures_util::{StreamExt as _, stream};
use percent_encoding::percent_decode_str;
use serde_json::json;
use url::form_urlencoded;

use super::refusal::Refusal;
use super::{Decision, Ingress, cors, options};
use crate::error::{Kind, Result};
use crate::id::RequestId;
use crate::limits;
use crate::model::execution::FailureCode;
use crate::model::route::AppTable;
use crate::model::topic::{check_registered, event};
use crate::service::realtime::{Asked, Ending, Full, Refused, Subscriber, Told, subscribe};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const METHODS: [&str; 3] = ["GET", "HEAD", "OPTIONS"];

/// What is to be done with a request for a path of the platform's.
pub(super) fn decide(app: &Arc<AppTable>, asked: Asked<'_>, parts: &Parts) -> Decision {
    let app = app.clone();
    let topic = match asked {
        Asked::Topic(topic) => percent_decode_str(topic).decode_utf8().ok().map(Cow::into_owned),
        Asked::Nothing => None,
    };
    // What cannot be registered is not looked for.
    let Some(topic) = topic.filter(|topic| check_registered(topic).is_ok()) else {
        return Decision::Refuse { app: Some(app), refusal: Refusal::NOT_FOUND };
    };
    if cors::asked_method(&app.cors_origins, parts).is_some() {
        let response = cors::preflight(&app.cors_origins, parts, Some(&METHODS));
        return Decision::Answer { app: Some(app), response };
    }
    match parts.method {
        Method::GET | Method::HEAD => Decision::Subscribe { app, topic },
        Method::OPTIONS => Decision::Answer { app: Some(app), response: options(&METHODS) },
        _ => Decision::Refuse { app: Some(app), refusal: Refusal::method_not_allowed(&METHODS) },
    }
}

impl Ingress {
    /// The stream, or why there is none.
    pub(super) async fn subscribe(&self, request_id: RequestId, app: &AppTable, topic: &str, parts: &Parts) -> Response {
        match self.subscriber(request_id, app, topic, parts).await {
            Ok(subscriber) => stream(subscriber),
            Err(refusal) => refusal.answer(request_id),
        }
    }

    async fn subscriber(&self, request_id: RequestId, app: &AppTable, topic: &str, parts: &Parts) -> Result<Subscriber, Refusal> {
        // One of the app's requests, and while it is judged one of its statements.
        let _statement = self.let_in_to_store(app).await?;
        let after = last_event_id(parts)?;
        let token = token(parts);
        let places = (self.invoker.pool().connections / limits::SUBSCRIBERS_CONNECTIONS_PART).clamp(1, limits::SUBSCRIBERS_MAX);
        let subscribed = subscribe(&self.services, app.app_id, topic, token.as_deref(), after, places).await;
        subscribed.map_err(|refused| refusal(request_id, refused))
    }
}

fn refusal(request_id: RequestId, refused: Refused) -> Refusal {
    match refused {
        Refused::NotFound => Refusal::NOT_FOUND,
        Refused::Unauthenticated => Refusal::NOT_A_SUBSCRIBER,
        Refused::Forbidden => Refusal::OTHER_TOPICS,
        Refused::Full(full) => {
            let wait = if full == Full::Stopping { 1 } else { limits::SUBSCRIBER_RETRY_AFTER_S };
            Refusal::of(FailureCode::Overloaded).after(Some(Duration::from_secs(wait)))
        }
        Refused::Failed(error) if error.kind == Kind::Overloaded => Refusal::of(FailureCode::Overloaded),
        Refused::Failed(error) => {
            tracing::error!(request.id = %request_id, %error, cause = ?error.source, "a topic could not be subscribed to");
            Refusal::of(FailureCode::Internal)
        }
    }
}

/// What a subscriber shows: a bearer, or, because a browser's `EventSource` sends no headers, a parameter.
fn token(parts: &Parts) -> Option<String> {
    bearer(&parts.headers).or_else(|| parameter(parts, "token"))
}

fn bearer(headers: &HeaderMap) -> Option<String> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
}

/// The last number that a client has; what its browser remembers goes before what its address says.
fn last_event_id(parts: &Parts) -> Result<Option<u64>, Refusal> {
    let seen = match parts.headers.get(LAST_EVENT_ID).filter(|seen| !seen.is_empty()) {
        Some(seen) => Some(seen.to_str().unwrap_or("?").to_owned()),
        None => parameter(parts, "last_event_id").filter(|seen| !seen.is_empty()),
    };
    seen.map(|seen| number(&seen).ok_or(Refusal::NO_EVENT_ID)).transpose()
}

/// Digits alone, of a number that a topic can have.
fn number(text: &str) -> Option<u64> {
    let is_decimal = text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|number| is_decimal && i64::try_from(*number).is_ok())
}

fn parameter(parts: &Parts, name: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
    pairs.find(|(given, _)| given == name).map(|(_, value)| value.into_owned())
}

/// How far a stream has come.
enum Streaming {
    Begins(Box<Subscriber>),
    GoesOn(Box<Subscriber>),
    Over,
}

fn stream(subscriber: Subscriber) -> Response {
    // The next page is read once the connection has taken the last of this one.
    let pages = stream::unfold(Streaming::Begins(Box::new(subscriber)), |streaming| async move {
        let (page, next) = match streaming {
            Streaming::Begins(subscriber) => {
                let begun = format!("retry: {}\nid: {}\n\n", limits::SUBSCRIBE_RETRY_MS, subscriber.after());
                (vec![begun.into()], Streaming::GoesOn(subscriber))
            }
            Streaming::GoesOn(mut subscriber) => {
                let (page, is_last) = page(subscriber.next().await);
                (page, if is_last { Streaming::Over } else { Streaming::GoesOn(subscriber) })
            }
            Streaming::Over => return None,
        };
        Some((page, next))
    });
    let pieces = pages.flat_map(|page| stream::iter(page.into_iter().map(Ok::<_, Infallible>)));
    let mut response = Response::new(Body::from_stream(pieces));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // A proxy that gathers answers would hold events back.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

/// What is sent for it, and whether it is the last.
fn page(told: Result<Told>) -> (Vec<Bytes>, bool) {
    let one = |text: String| (vec![text.into()], false);
    let last_words = match told {
        Ok(Told::Messages(messages)) => return (messages.into_iter().map(|message| message.text).collect(), false),
        Ok(Told::Gap { from, to }) => return one(event("gap", to, &json!({ "from": from, "to": to }).to_string())),
        Ok(Told::Reset(seq)) => return one(event("reset", seq, &json!({ "seq": seq }).to_string())),
        Ok(Told::Quiet) => return one(":\n\n".to_owned()),
        Ok(Told::Ended(Ending::Stopping)) => "this node is stopping; go on from the last id",
        Ok(Told::Ended(Ending::Away)) => "this node cannot work just now; go on from the last id",
        Ok(Told::Ended(Ending::Long)) => "this stream ends now; go on from the last id",
        Ok(Told::Ended(Ending::Refused)) => "this topic is not yours to subscribe to any more",
        Err(error) => {
            tracing::debug!(%error, cause = ?error.source, "a topic that is subscribed to could not be read");
            "the topic cannot be read just now; go on from the last id"
        }
    };
    (vec![format!(": {last_words}\n\n").into()], true)
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;
    use crate::error::Error;
    use crate::model::topic::Message;

    fn parts(uri: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    /// What is sent, and whether it is the last.
    fn sent(told: Result<Told>) -> (String, bool) {
        let (page, is_last) = page(told);
        (String::from_utf8(page.concat()).unwrap(), is_last)
    }

    #[test]
    fn an_event_says_its_number_and_is_one_line_of_data() {
        let messages = [3, 4].map(|seq| Message::new(seq, &format!("{{\"seq\":{seq}}}")));
        let text = "event: message\nid: 3\ndata: {\"seq\":3}\n\nevent: message\nid: 4\ndata: {\"seq\":4}\n\n";
        assert_eq!(sent(Ok(Told::Messages(messages.to_vec()))), (text.to_owned(), false));
        assert_eq!(sent(Ok(Told::Gap { from: 2, to: 5 })), ("event: gap\nid: 5\ndata: {\"from\":2,\"to\":5}\n\n".into(), false));
        assert_eq!(sent(Ok(Told::Reset(0))), ("event: reset\nid: 0\ndata: {\"seq\":0}\n\n".into(), false));
        assert_eq!(sent(Ok(Told::Quiet)), (":\n\n".into(), false));
    }

    #[test]
    fn whoever_is_told_of_a_message_holds_the_same_bytes() {
        let message = Message::new(1, "{}");
        let given = [(); 2].map(|()| page(Ok(Told::Messages(vec![message.clone()]))).0.remove(0));
        assert!(given.iter().all(|text| text.as_ptr() == message.text.as_ptr()));
    }

    #[test]
    fn last_words_are_a_comment() {
        let over = [Ending::Stopping, Ending::Away, Ending::Long, Ending::Refused].map(|ending| Ok(Told::Ended(ending)));
        for told in over.into_iter().chain([Err(Error::internal("the database is away"))]) {
            let (text, is_last) = sent(told);
            assert!(is_last && text.starts_with(": ") && text.ends_with("\n\n") && !text.contains("database"), "{text}");
        }
    }

    #[test]
    fn a_header_goes_before_the_address() {
        let both = parts("/x?token=b&last_event_id=1", &[("authorization", "bearer  a"), ("last-event-id", "2")]);
        assert_eq!((token(&both), last_event_id(&both)), (Some("a".into()), Ok(Some(2))));
        let address = parts("/x?last_event_id=1&token=b", &[("authorization", "Basic a"), ("last-event-id", "")]);
        assert_eq!((token(&address), last_event_id(&address)), (Some("b".into()), Ok(Some(1))));
        let neither = parts("/x?last_event_id=", &[]);
        assert_eq!((token(&neither), last_event_id(&neither)), (None, Ok(None)));
    }

    #[test]
    fn an_id_is_a_number_of_a_topic() {
        assert_eq!(number("0"), Some(0));
        assert_eq!(number(&i64::MAX.to_string()), Some(i64::MAX.unsigned_abs()));
        for bad in ["", "-1", "+1", " 1", "1.0", "x", "9223372036854775808", "18446744073709551616"] {
            assert_eq!(number(bad), None, "{bad}");
        }
    }
}
