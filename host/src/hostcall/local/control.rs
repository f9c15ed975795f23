//! What a test file asks of its world. It calls `invoke::call("test/…", arguments)`, which the module `test` wraps; no script
//! can have such a name, and to any other caller there is none.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use url::form_urlencoded;

use super::answers::{Outcome, Times, codes, covers, error_of, json_of};
use super::invoke::{Ask, Ran};
use super::{Here, Role, World};
use crate::error::{Error, Result};
use crate::model::event::{Event, Source};
use crate::model::execution::{Failure, LogLine};
use crate::model::invocation::{Answer, Delivered, InvocationType, Request};
use crate::model::script::missing;

/// What the names of what is asked begin with.
const PREFIX: &str = "test/";
/// Functions that can be scripted and looked at.
#[rustfmt::skip]
const FUNCTIONS: &[&str] = &[
    "dead_letters.get", "dead_letters.list", "dead_letters.replay", "dead_letters.resolve", "docs.count",
    "docs.create", "docs.delete", "docs.find", "docs.find_one", "docs.get", "docs.list", "docs.patch", "docs.update",
    "email.send", "files.append", "files.create", "files.delete", "files.get", "files.head", "files.list",
    "files.read", "files.update", "http", "invoke.call", "invoke.start", "kv.delete", "kv.get", "kv.get_entry",
    "kv.has", "kv.increment", "kv.list", "kv.set", "pubsub.publish", "pubsub.subscriber_token", "queue.send", "queue.size", "secrets.delete",
    "secrets.get", "secrets.list", "secrets.set",
];
/// Those whose answers can be scripted: the others answer from the world.
const ANSWERED: [&str; 6] =
    ["http", "invoke.call", "dead_letters.get", "dead_letters.list", "dead_letters.replay", "dead_letters.resolve"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ForScript<T> {
    script: String,
    given: T,
}

/// A request as a test writes it; what is left out is empty.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Asked {
    method: Option<String>,
    path: Option<String>,
    /// A map, or as it stands in a URL.
    query: Value,
    headers: Map<String, Value>,
    params: Map<String, Value>,
    rest: Option<String>,
    body: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scripting {
    what: String,
    #[serde(default)]
    answer: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Failing {
    what: String,
    code: String,
    message: String,
    times: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named<T> {
    name: String,
    value: T,
}

/// Whether a script of that name would be none.
pub(super) fn is_one(script: &str) -> bool {
    script.starts_with(PREFIX)
}

/// Does what is asked; JSON text of what it gives.
pub(super) async fn ask(here: &Here, what: &str, arguments: &[u8]) -> Result<Vec<u8>> {
    let world = &here.world;
    let value = match what.strip_prefix(PREFIX).unwrap_or_default() {
        "request" => request(here, read(arguments)?).await?,
        "event" => event(here, read(arguments)?).await?,
        "deliver" => world.deliver(here).await?,
        "at" => at(here, &read::<String>(arguments)?)?,
        "advance" => {
            world.clock().advance(TimeDelta::try_milliseconds(read(arguments)?).unwrap_or_default());
            Value::Null
        }
        "done" => {
            world.note_done();
            Value::Null
        }
        "seed" => {
            world.reseed(read::<i64>(arguments)?.cast_unsigned());
            Value::Null
        }
        "secret" => {
            let Named { name, value } = read(arguments)?;
            world.put_secret(&name, value)?;
            Value::Null
        }
        "answer" => answer(here, read(arguments)?)?,
        "fail" => fail(here, read(arguments)?)?,
        "calls" => {
            let pattern: String = read(arguments)?;
            check_what(&pattern)?;
            world.calls(&pattern)
        }
        "sent" => {
            let Named { name: kind, value: name } = read::<Named<String>>(arguments)?;
            if !["queue", "topic", "start"].contains(&kind.as_str()) {
                return Err(Error::invalid(
                    "kind",
                    format!("`{kind}` is nothing that is sent: there are queue, topic and start"),
                ));
            }
            world.lock().events.sent_to(&kind, &name)
        }
        "mails" => mails(here),
        _ => return Err(missing(what)),
    };
    Ok(value.to_string().into_bytes())
}

fn read<T: DeserializeOwned>(arguments: &[u8]) -> Result<T> {
    serde_json::from_slice(arguments).map_err(|error| Error::invalid("arguments", format!("this is not understood: {error}")))
}

/// Runs a script as a route does: in an instance of its own, under its own limits.
async fn request(here: &Here, asked: ForScript<Asked>) -> Result<Value> {
    let ForScript { script, given } = asked;
    let request = given.request()?;
    let ran = run(here, script, InvocationType::Http, request, None).await?;
    let (status, headers, body, failure) = match ran.result {
        Ok(answer) => (answer.status, headers_of(&answer), body_of(&answer), Value::Null),
        Err(failure) => {
            let body = json!({ "error": { "code": failure.code } });
            (failure.code.status(), json!({}), body, told_of(&failure))
        }
    };
    let (logs, fuel) = (lines(&ran.logs), ran.usage.fuel);
    Ok(json!({ "status": status, "headers": headers, "body": body, "logs": logs, "failure": failure, "fuel": fuel }))
}

/// Runs a script as a trigger does.
async fn event(here: &Here, asked: ForScript<Map<String, Value>>) -> Result<Value> {
    let ForScript { script, given } = asked;
    let event = here.world.event(&given)?;
    let delivered = Delivered {
        event_id: event.id,
        trigger_id: None,
        attempt: event.attempt,
        depth: event.depth,
        trace: None,
        event: Some(event),
    };
    let ran = run(here, script, InvocationType::Event, Request::default(), Some(delivered)).await?;
    let failure = ran.result.err().as_ref().map_or(Value::Null, told_of);
    Ok(json!({ "logs": lines(&ran.logs), "failure": failure, "fuel": ran.usage.fuel }))
}

async fn run(
    here: &Here,
    script: String,
    invocation_type: InvocationType,
    request: Request,
    delivered: Option<Delivered>,
) -> Result<Ran> {
    let event_depth = delivered.as_ref().map_or(0, |delivered| delivered.depth);
    let next = Here { request_id: here.world.request_id(), depth: 0, event_depth, role: Role::Script, ..here.clone() };
    let execution_id = here.world.execution_id();
    let ask = Ask { script, invocation_type, request, delivered, execution_id, timeout_ms: None, here: next };
    here.world.scripts.run(ask).await
}

impl Asked {
    fn request(self) -> Result<Request> {
        let path = self.path.unwrap_or_else(|| "/".to_owned());
        let (path, in_path) = path.split_once('?').map_or((path.as_str(), ""), |(path, query)| (path, query));
        let query = match &self.query {
            Value::Null => in_path.to_owned(),
            Value::String(text) => text.clone(),
            Value::Object(map) => query_of(map),
            _ => return Err(Error::invalid("query", "`query` is a map, or a string")),
        };
        let mut headers: Vec<(String, String)> =
            self.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), joined(value))).collect();
        let (body, kind) = match &self.body {
            Value::Null => (Vec::new(), None),
            Value::String(text) => (text.as_bytes().to_vec(), None),
            value => (value.to_string().into_bytes(), Some("application/json")),
        };
        if let Some(kind) = kind.filter(|_| !headers.iter().any(|(name, _)| name == "content-type")) {
            headers.push(("content-type".to_owned(), kind.to_owned()));
        }
        let usual = if body.is_empty() { "GET" } else { "POST" };
        Ok(Request {
            method: self.method.map_or_else(|| usual.to_owned(), |method| method.to_ascii_uppercase()),
            path: path.to_owned(),
            params: self.params.iter().map(|(name, value)| (name.clone(), text_of(value))).collect(),
            rest: self.rest,
            query,
            headers,
            body,
            remote_addr: "127.0.0.1".to_owned(),
        })
    }
}

fn query_of(map: &Map<String, Value>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in map {
        match value {
            Value::Null => {}
            Value::Array(values) => {
                for value in values {
                    query.append_pair(name, &text_of(value));
                }
            }
            value => {
                query.append_pair(name, &text_of(value));
            }
        }
    }
    query.finish()
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn joined(value: &Value) -> String {
    match value {
        Value::Array(values) => values.iter().map(text_of).collect::<Vec<_>>().join(", "),
        value => text_of(value),
    }
}

/// By lower-case name; of one that comes more than once, an array.
fn headers_of(answer: &Answer) -> Value {
    let mut headers: Map<String, Value> = Map::new();
    for (name, value) in &answer.headers {
        let name = name.to_ascii_lowercase();
        match headers.get_mut(&name) {
            None => drop(headers.insert(name, value.as_str().into())),
            Some(Value::Array(values)) => values.push(value.as_str().into()),
            Some(one) => *one = json!([one.clone(), value]),
        }
    }
    Value::Object(headers)
}

/// Parsed where it is JSON, else its text; bytes that are no text as base64.
fn body_of(answer: &Answer) -> Value {
    let kind = answer.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let kind = kind.map_or("", |(_, value)| value.split(';').next().unwrap_or_default().trim());
    let is_json = kind.eq_ignore_ascii_case("application/json") || kind.ends_with("+json");
    if answer.body.is_empty() {
        return Value::Null;
    }
    if let Some(value) = json_of(&answer.body).filter(|_| is_json) {
        return value;
    }
    std::str::from_utf8(&answer.body).map_or_else(|_| STANDARD.encode(&answer.body).into(), Value::from)
}

fn told_of(failure: &Failure) -> Value {
    json!({
        "code": failure.code,
        "message": failure.message,
        "script": failure.script,
        "line": failure.line,
        "column": failure.column,
    })
}

fn lines(logs: &[LogLine]) -> Value {
    let data = |line: &LogLine| line.data.as_deref().map(|data| json_of(data.as_bytes()).unwrap_or_else(|| data.into()));
    logs.iter().map(|line| json!({ "level": line.level, "message": line.message, "data": data(line) })).collect()
}

impl World {
    /// An event as a person writes it: `#{ source, op, kv: #{ … } }`. What is left out is as it mostly is.
    pub fn event(&self, given: &Map<String, Value>) -> Result<Event> {
        let wrong = |what: String| Error::invalid("event", what);
        let word = given.get("source").and_then(Value::as_str).unwrap_or_default();
        let source = Source::from_word(word).filter(|source| !matches!(source, Source::Http | Source::Invoke));
        let source = source.ok_or_else(|| {
            wrong("an event has a `source`: kv, docs, files, cron, pubsub, queue, email or dead_letter".to_owned())
        })?;
        let known = ["source", "op", "id", "time", "attempt", "depth", word];
        if let Some(other) = given.keys().find(|key| !known.contains(&key.as_str())) {
            return Err(wrong(format!("an event has no `{other}`: known are {}", known.join(", "))));
        }
        let usual = match source {
            Source::Cron => "tick",
            Source::Pubsub => "publish",
            Source::Queue => "send",
            Source::Email => "receive",
            Source::DeadLetter => "dead",
            _ => "update",
        };
        let number = |name: &str| match given.get(name) {
            None => Ok(1),
            Some(value) => {
                let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
                number.ok_or_else(|| wrong(format!("`{name}` of an event is a number")))
            }
        };
        let now = self.now();
        let id = match given.get("id").and_then(Value::as_str) {
            Some(id) => id.parse().map_err(|_| wrong("`id` of an event is a UUID".to_owned()))?,
            None => self.lock().event_id(now),
        };
        Ok(Event {
            id,
            source,
            op: given.get("op").and_then(Value::as_str).unwrap_or(usual).to_owned(),
            at: given.get("time").and_then(Value::as_str).map_or(Ok(now), time_of)?,
            attempt: number("attempt")?,
            depth: number("depth")?,
            about: given.get(word).cloned().unwrap_or_else(|| json!({})).to_string().into_bytes(),
        })
    }
}

fn at(here: &Here, text: &str) -> Result<Value> {
    here.world.clock().advance(time_of(text)? - here.world.now());
    Ok(Value::Null)
}

fn time_of(text: &str) -> Result<DateTime<Utc>> {
    let time = DateTime::parse_from_rfc3339(text).map(|time| time.to_utc());
    time.map_err(|error| {
        Error::invalid("time", format!("`{text}` is not an RFC 3339 time such as 2026-01-01T12:00:00Z: {error}"))
    })
}

fn answer(here: &Here, scripting: Scripting) -> Result<Value> {
    let function = check_what(&scripting.what)?;
    if !ANSWERED.contains(&function) {
        let message = format!(
            "`{function}` answers from the world: write to it first, or have it fail; answers are scripted for {}",
            ANSWERED.join(", ")
        );
        return Err(Error::invalid("what", message));
    }
    here.world.script(&scripting.what, Outcome::Answer(scripting.answer), Times::UntilNext)?;
    Ok(Value::Null)
}

fn fail(here: &Here, failing: Failing) -> Result<Value> {
    let Failing { what, code, message, times } = failing;
    let function = check_what(&what)?;
    // Another script fails with a code of its own.
    if error_of(&code).is_none() && function != "invoke.call" {
        return Err(Error::invalid("code", format!("there is no error `{code}`: there are {}", codes())));
    }
    let times = match times {
        Some(0) => return Err(Error::invalid("times", "`times` is 0: it must be 1 or more")),
        Some(times) => Times::Left(times),
        None => Times::UntilNext,
    };
    here.world.script(&what, Outcome::Fail(code, message), times)?;
    Ok(Value::Null)
}

/// The function that a pattern of calls begins with; 422 where none is like it.
fn check_what(what: &str) -> Result<&str> {
    let function = what.split(' ').next().unwrap_or_default();
    if FUNCTIONS.iter().any(|known| covers(function, known)) {
        return Ok(function);
    }
    let known = FUNCTIONS.join(", ");
    Err(Error::invalid("what", format!("there is no function `{function}`, as in `kv.get orders/17`: there are {known}")))
}

fn mails(here: &Here) -> Value {
    let state = here.world.lock();
    let mails = state.mails.iter().map(|mail| {
        json!({
            "from": mail.from,
            "to": mail.to,
            "cc": mail.cc,
            "bcc": mail.bcc,
            "reply_to": mail.reply_to,
            "subject": mail.subject,
            "text": mail.text,
            "html": mail.html,
        })
    });
    mails.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_what_a_route_would_give() {
        let asked = |value: Value| serde_json::from_value::<Asked>(value).unwrap().request().unwrap();
        let plain = asked(json!({}));
        assert_eq!((plain.method.as_str(), plain.path.as_str(), plain.query.as_str()), ("GET", "/", ""));
        let full = asked(json!({
            "path": "/a?x=1", "headers": { "X-A": ["1", "2"] }, "params": { "id": 17 }, "body": { "n": 1 },
        }));
        assert_eq!((full.method.as_str(), full.path.as_str(), full.query.as_str()), ("POST", "/a", "x=1"));
        assert_eq!(full.params, [("id".to_owned(), "17".to_owned())]);
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(full.headers, [header("x-a", "1, 2"), header("content-type", "application/json")]);
        assert_eq!(full.body, br#"{"n":1}"#);
        assert_eq!(asked(json!({ "query": { "q": "a b", "tag": ["x", "y"], "none": null } })).query, "q=a+b&tag=x&tag=y");
        assert!(serde_json::from_value::<Asked>(json!({ "methd": "GET" })).is_err());
    }

    #[test]
    fn functions_are_known_by_their_names() {
        for known in ["kv.get orders/17", "http GET https://a.example/*", "kv.*", "email.send", "*"] {
            assert!(check_what(known).is_ok(), "{known}");
        }
        for unknown in ["", "kv.fetch a", "orders/17", "https GET x"] {
            assert!(check_what(unknown).is_err(), "{unknown}");
        }
        assert!(ANSWERED.iter().all(|name| FUNCTIONS.contains(name)));
    }

    #[test]
    fn a_body_is_parsed_where_it_is_json() {
        let body = |kind: &str, body: &[u8]| {
            body_of(&Answer { status: 200, headers: vec![("Content-Type".to_owned(), kind.to_owned())], body: body.to_vec() })
        };
        assert_eq!(body("application/json; charset=utf-8", b"{\"a\":1}"), json!({ "a": 1 }));
        assert_eq!(body("application/problem+json", b"[1]"), json!([1]));
        assert_eq!(body("text/plain", b"1"), json!("1"));
        assert_eq!(body("application/json", b"{"), json!("{"));
        assert_eq!(body("image/png", &[0xff]), json!("/w=="));
        assert_eq!(body("text/plain", b""), Value::Null);
    }

    #[test]
    fn headers_that_come_more_than_once_are_arrays() {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let headers = vec![header("Set-Cookie", "a"), header("set-cookie", "b"), header("SET-COOKIE", "c"), header("x", "1")];
        let told = headers_of(&Answer { status: 200, headers, body: Vec::new() });
        assert_eq!(told, json!({ "set-cookie": ["a", "b", "c"], "x": "1" }));
    }
}
