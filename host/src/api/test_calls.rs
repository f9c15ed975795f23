//! A script tried by somebody who works on it: run as a public request would run it, with all that there is to know of the run.
//!
//! The answer is told, not given: it has no power over this origin, whatever it says. What is sent is all that the script sees:
//! nothing of the request that asks for the run reaches it.

use std::collections::BTreeMap;

use axum::Extension;
use axum::Json;
use axum::extract::State;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::error::Answer;
use super::executions::LineJson;
use super::gate::{self, Caller, OfStanding, Whence};
use super::query::Path;
use super::{Api, body, execute};
use crate::error::{Error, Kind, Result};
use crate::id::{ExecutionId, RequestId, ScriptId};
use crate::invoke::Which;
use crate::limits;
use crate::model::access::Scope;
use crate::model::execution::{Failure, Outcome, Usage};
use crate::model::invocation::{Call, Ended, HostCall, InvocationType, Request};
use crate::model::script::Script;
use crate::model::text;
use crate::service;

/// The request that a script is to answer; what is left out is empty.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "NewTestCall", example = new_example())]
pub(super) struct Create {
    /// Left out: `GET`, with a body `POST`.
    method: Option<String>,
    /// As it stands in a URL; left out: `/`.
    path: Option<String>,
    /// As it stands in a URL, without `?`.
    query: Option<String>,
    /// By name, in any case.
    headers: Option<BTreeMap<String, String>>,
    /// What a route's `:name` segments would be.
    params: Option<BTreeMap<String, String>>,
    /// What a prefix route (`/files/*`) would leave over.
    rest: Option<String>,
    /// A body that is text.
    body: Option<String>,
    /// Any other body, in base64.
    body_base64: Option<String>,
    /// Number of a stored version, which runs with the modules of now; left out: the active one.
    #[schemars(range(min = 1))]
    version: Option<i32>,
}

fn new_example() -> Value {
    json!({
        "method": "POST",
        "path": "/orders",
        "query": "dry=1",
        "headers": { "content-type": "application/json" },
        "body": "{\"item\": 17}"
    })
}

/// A run of a script, as somebody sees it who watches.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "TestCall", example = example())]
pub(super) struct TestCallJson {
    /// Its record is at `/api/v1/executions/{execution_id}`.
    execution_id: ExecutionId,
    /// Number of the version that ran.
    version: i32,
    outcome: Outcome,
    /// Of the answer, as over HTTP.
    status: u16,
    /// Names and values as the script gave them.
    headers: Vec<(String, String)>,
    /// The answer's body, where that is text.
    body: Option<String>,
    /// The same in base64, where it is not.
    body_base64: Option<String>,
    /// Null when it answered.
    failure: Option<Failure>,
    usage: Usage,
    logs: Vec<LineJson>,
    /// Lines that were too many.
    logs_dropped: u32,
    /// What it asked of the host, in order; of a script that it called, the call.
    calls: Vec<HostCallJson>,
    /// Calls that were too many to be told.
    calls_dropped: u32,
}

/// One call from a script to the host.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "HostCall")]
struct HostCallJson {
    interface: String,
    function: String,
    /// Since the run began, µs.
    began_us: u64,
    took_us: u64,
    /// What it brought in.
    bytes_in: u64,
    /// What it took out.
    bytes_out: u64,
    /// The code of what it failed with; null where it did not.
    error: Option<&'static str>,
}

fn example() -> Value {
    json!({
        "execution_id": "01990a70-1111-7a10-8f3c-5e2d1c0b9a88",
        "version": 3,
        "outcome": "responded",
        "status": 201,
        "headers": [["content-type", "application/json"]],
        "body": "{\"order\":17}",
        "body_base64": null,
        "failure": null,
        "usage": {
            "fuel": 41_873,
            "memory_peak_bytes": 2_621_440,
            "host_calls": 1,
            "bytes_in": 17,
            "bytes_out": 25,
            "wall_us": 1_412
        },
        "logs": [{ "at": "2026-01-02T03:04:05.678999Z", "level": "info", "message": "hello", "data": { "n": 1 } }],
        "logs_dropped": 0,
        "calls": [
            {
                "interface": "kv",
                "function": "set",
                "began_us": 310,
                "took_us": 902,
                "bytes_in": 0,
                "bytes_out": 13,
                "error": null
            }
        ],
        "calls_dropped": 0
    })
}

impl From<HostCall> for HostCallJson {
    fn from(call: HostCall) -> Self {
        let HostCall { interface, function, began_us, took_us, bytes_in, bytes_out, error } = call;
        // As everywhere else, and in scripts.
        let name = |name: &str| name.replace('-', "_");
        Self { interface: name(interface), function: name(function), began_us, took_us, bytes_in, bytes_out, error }
    }
}

impl TestCallJson {
    fn of(execution_id: ExecutionId, version: i32, ended: Ended) -> Self {
        let Ended { outcome, result, usage, logs, logs_dropped, trace, retry_after: _ } = ended;
        let trace = trace.unwrap_or_default();
        let told = Self {
            execution_id,
            version,
            outcome,
            status: 0,
            headers: Vec::new(),
            body: None,
            body_base64: None,
            failure: None,
            usage,
            logs: logs.into_iter().map(LineJson::from).collect(),
            logs_dropped,
            calls: trace.calls.into_iter().map(HostCallJson::from).collect(),
            calls_dropped: trace.dropped,
        };
        match result {
            Ok(answer) => {
                let (body, body_base64) = body_of(answer.body);
                Self { status: answer.status, headers: answer.headers, body, body_base64, ..told }
            }
            Err(failure) => Self { status: failure.code.status(), failure: Some(failure), ..told },
        }
    }
}

/// As text where it is some, else as base64: control characters make text of bytes far longer than that.
fn body_of(body: Vec<u8>) -> (Option<String>, Option<String>) {
    match String::from_utf8(body) {
        Ok(text) if !text.contains(|c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r')) => (Some(text), None),
        Ok(text) => (None, Some(BASE64.encode(text))),
        Err(bytes) => (None, Some(BASE64.encode(bytes.into_bytes()))),
    }
}

pub(super) async fn create(
    State(api): State<Api>,
    Path(script_id): Path<ScriptId>,
    Caller(by): Caller,
    OfStanding(standing): OfStanding,
    Whence(origin): Whence,
    Extension(request_id): Extension<RequestId>,
    body::Json(asked): body::Json<Create>,
) -> Answer<Json<TestCallJson>> {
    // What comes back is what the log holds, and more.
    by.decide_on(standing, Scope::LogRead).map_err(|_| service::access::forbidden(Scope::LogRead))?;
    let (script, which) = script_at(&api, script_id, asked.version).await?;
    let quota = api.services.quota(script.app_id);
    let script = execute::deployed(script, &quota)?;
    let remote_addr = origin.address.map(|address| address.to_string()).unwrap_or_default();
    let request = asked.request(script.limits.request_body_bytes as usize, remote_addr)?;
    let (execution_id, version) = (ExecutionId::at(api.services.clock.now()), script.version);
    let call = Call { execution_id, request_id, script, invocation_type: InvocationType::Http, request, delivered: None };
    let ended = api.invoker.run_watched(call, which).await;
    match &ended.result {
        // It was not called.
        Err(failure) if ended.outcome == Outcome::Denied => Err(execute::failed(failure.clone(), true, ended.retry_after)),
        _ => Ok(Json(TestCallJson::of(execution_id, version, ended))),
    }
}

/// The script as the database has it now, or as it would be with that version active: 404 for that, 422 where what the version
/// imports is not there any more.
async fn script_at(api: &Api, id: ScriptId, version: Option<i32>) -> Result<(Script, Which)> {
    let script = service::scripts::get(&api.services, id).await?;
    let Some(number) = version.filter(|number| *number != script.active.number) else { return Ok((script, Which::Active)) };
    let version = service::scripts::version(&api.services, id, number).await?;
    let graph = service::imports::graph(&api.services, script.app_id).await?;
    graph.closure_of_names(&script.name, &version.imports)?;
    Ok((Script { active: version, ..script }, Which::Stored))
}

impl Create {
    /// The request as `ctx.request`.
    fn request(self, body_bytes_max: usize, remote_addr: String) -> Result<Request> {
        let Self { method, path, query, headers, params, rest, body, body_base64, version: _ } = self;
        let body = body_from(body, body_base64, body_bytes_max)?;
        let usual = if body.is_empty() { "GET" } else { "POST" };
        let method = method.unwrap_or_else(|| usual.to_owned());
        if method.len() > limits::ROUTE_METHOD_CHARS_MAX || Method::from_bytes(method.as_bytes()).is_err() {
            return Err(Error::invalid("method", "method is not a method of HTTP"));
        }
        let (path, query) = (path.unwrap_or_else(|| "/".to_owned()), query.unwrap_or_default());
        check_target(&path, &query)?;
        let headers = headers_from(headers.unwrap_or_default())?;
        let params: Vec<_> = params.unwrap_or_default().into_iter().collect();
        check_match(&params, rest.as_deref().unwrap_or_default())?;
        Ok(Request { method, path, params, rest, query, headers, body, remote_addr })
    }
}

fn body_from(text: Option<String>, base64: Option<String>, bytes_max: usize) -> Result<Vec<u8>> {
    let body = match (text, base64) {
        (Some(_), Some(_)) => {
            return Err(Error::invalid("body_base64", "body and body_base64 are two ways to give one body: give one of them"));
        }
        (Some(text), None) => text.into_bytes(),
        (None, Some(base64)) => {
            let decoded = BASE64.decode(base64);
            decoded.map_err(|_| Error::invalid("body_base64", "body_base64 is not base64 (RFC 4648 §4)"))?
        }
        (None, None) => Vec::new(),
    };
    if body.len() > bytes_max {
        let message = format!("the body may be {bytes_max} bytes long at most (the script's limit `request_body_bytes`)");
        return Err(Error::new(Kind::TooLarge, "request_too_large", message).with_details(json!({ "bytes_max": bytes_max })));
    }
    Ok(body)
}

/// Path and query as they stand in a URL, as long as they may be on the data plane.
fn check_target(path: &str, query: &str) -> Result<()> {
    let (asked, allowed) = (path.len() + query.len(), limits::REQUEST_TARGET_BYTES_MAX);
    if asked > allowed {
        return Err(text::too_long("path", asked, allowed, "bytes, its query counted"));
    }
    let read = |text: String| PathAndQuery::try_from(text).ok();
    if !path.starts_with('/') || read(path.to_owned()).is_none_or(|read| read.as_str() != path || read.query().is_some()) {
        let message = "path is as it stands in a URL: from the first / on, without ? and #, and percent-encoded";
        return Err(Error::invalid("path", message));
    }
    if read(format!("/?{query}")).is_none_or(|read| read.query() != Some(query)) {
        let message = "query is as it stands in a URL: what comes behind the ?, without #, and percent-encoded";
        return Err(Error::invalid("query", message));
    }
    Ok(())
}

/// What a route would make of a path is no more than a path may be.
fn check_match(params: &[(String, String)], rest: &str) -> Result<()> {
    if params.len() > limits::ROUTE_SEGMENTS_MAX {
        return Err(text::too_long("params", params.len(), limits::ROUTE_SEGMENTS_MAX, "names"));
    }
    let bytes = params.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() + rest.len();
    if bytes > limits::REQUEST_TARGET_BYTES_MAX {
        return Err(text::too_long("params", bytes, limits::REQUEST_TARGET_BYTES_MAX, "bytes, rest counted"));
    }
    Ok(())
}

/// In lower case. 422 for what is no header, and for what no script gets to see of a public request.
fn headers_from(given: BTreeMap<String, String>) -> Result<Vec<(String, String)>> {
    let bytes = given.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
    for (asked, allowed, unit) in
        [(given.len(), limits::REQUEST_HEADERS_MAX, "headers"), (bytes, limits::REQUEST_HEADER_BYTES_MAX, "bytes")]
    {
        if asked > allowed {
            return Err(text::too_long("headers", asked, allowed, unit));
        }
    }
    let mut seen = BTreeMap::new();
    for (name, value) in given {
        let refused = |why: &str| {
            let quoted = text::cut(&name, limits::API_ERROR_FIELD_BYTES_MAX);
            Error::invalid(&format!("headers.{quoted}"), format!("the header `{quoted}` {why}"))
        };
        let read = HeaderName::from_bytes(name.as_bytes()).ok().zip(HeaderValue::from_str(&value).ok());
        let (read_name, read_value) = read.ok_or_else(|| refused("is none that HTTP has"))?;
        if Request::is_of_connection(read_name.as_str()) {
            return Err(refused("is of the connection, which no script sees"));
        }
        if read_name.as_str().starts_with("picloud-") {
            return Err(refused("is the platform's own"));
        }
        if holds_a_credential(&read_name, &read_value) {
            return Err(refused("holds a credential of the platform, which no script sees"));
        }
        if seen.insert(read_name.as_str().to_owned(), value).is_some() {
            return Err(refused("is there twice; join the values with a comma"));
        }
    }
    Ok(seen.into_iter().collect())
}

/// A token or a cookie of ours.
fn holds_a_credential(name: &HeaderName, value: &HeaderValue) -> bool {
    if name == header::COOKIE {
        let count = |cookies: &str| cookies.split(';').filter(|pair| !pair.trim().is_empty()).count();
        // What cannot be read cannot be judged.
        let Ok(all) = value.to_str() else { return true };
        let headers = HeaderMap::from_iter([(header::COOKIE, value.clone())]);
        return gate::foreign_cookies(&headers).as_deref().map_or(0, count) < count(all);
    }
    let value = String::from_utf8_lossy(value.as_bytes());
    let mut words = value.split(|c: char| c.is_ascii_whitespace() || matches!(c, ',' | '=' | '"'));
    name == header::AUTHORIZATION && words.any(|word| word.starts_with("pic_") || word.starts_with("pics_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(asked: Value) -> Result<Request> {
        serde_json::from_value::<Create>(asked).unwrap().request(100, "10.0.0.7".to_owned())
    }

    fn refused(asked: Value) -> String {
        let error = read(asked.clone()).expect_err(&asked.to_string());
        error.details.unwrap()["field"].as_str().unwrap().to_owned()
    }

    #[test]
    fn a_request_is_as_it_was_given() {
        let plain = read(json!({})).unwrap();
        let expected = Request { method: "GET".into(), path: "/".into(), remote_addr: "10.0.0.7".into(), ..Request::default() };
        assert_eq!(plain, expected);
        let whole = read(json!({
            "method": "PUT",
            "path": "/a%20b/c",
            "query": "x=1&x=2",
            "headers": { "X-A": "1", "cookie": "a=1; b=2", "authorization": "Bearer abc", "Content-Length": "3" },
            "params": { "id": "a b" },
            "rest": "c",
            "body_base64": "AP8Q",
        }));
        let whole = whole.unwrap();
        assert_eq!((whole.method.as_str(), whole.path.as_str(), whole.query.as_str()), ("PUT", "/a%20b/c", "x=1&x=2"));
        let names: Vec<_> = whole.headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["authorization", "content-length", "cookie", "x-a"]);
        assert_eq!((whole.params, whole.rest), (vec![("id".to_owned(), "a b".to_owned())], Some("c".to_owned())));
        assert_eq!(whole.body, [0, 255, 16]);
        assert_eq!(read(json!({ "body": "hi" })).unwrap().method, "POST");
    }

    #[test]
    fn what_no_public_request_could_be_is_refused() {
        for (asked, field) in [
            (json!({ "method": "" }), "method"),
            (json!({ "method": "GE T" }), "method"),
            (json!({ "method": "M".repeat(limits::ROUTE_METHOD_CHARS_MAX + 1) }), "method"),
            (json!({ "path": "" }), "path"),
            (json!({ "path": "a" }), "path"),
            (json!({ "path": "/a?b" }), "path"),
            (json!({ "path": "/a#b" }), "path"),
            (json!({ "path": "/a b" }), "path"),
            (json!({ "path": "*" }), "path"),
            (json!({ "query": "a#b" }), "query"),
            (json!({ "query": "a b" }), "query"),
            (json!({ "body": "a", "body_base64": "YQ==" }), "body_base64"),
            (json!({ "body_base64": "Y" }), "body_base64"),
            (json!({ "headers": { "a b": "1" } }), "headers.a b"),
            (json!({ "headers": { "": "1" } }), "headers."),
            (json!({ "headers": { "a": "1\n2" } }), "headers.a"),
            (json!({ "headers": { "X-A": "1", "x-a": "2" } }), "headers.x-a"),
        ] {
            assert_eq!(refused(asked.clone()), field, "{asked}");
        }
    }

    #[test]
    fn headers_that_no_script_sees_are_refused() {
        for (name, value) in [
            ("Connection", "close"),
            ("transfer-encoding", "chunked"),
            ("Picloud-Fuel-Used", "1"),
            ("Authorization", "Bearer pics_a"),
            ("authorization", "Token token=\"pic_a\""),
            ("cookie", "picloud_session=x"),
            ("cookie", "a=1; __Host-picloud_session=x"),
            ("cookie", "a=é"),
        ] {
            assert_eq!(refused(json!({ "headers": { name: value } })), format!("headers.{name}"), "{value}");
        }
    }

    #[test]
    fn a_request_is_as_large_as_a_public_one_and_no_larger() {
        assert!(read(json!({ "body": "x".repeat(100) })).is_ok());
        let large = read(json!({ "body": "x".repeat(101) })).unwrap_err();
        assert_eq!((large.kind, large.details.unwrap()), (Kind::TooLarge, json!({ "bytes_max": 100 })));
        let path = |more: usize| format!("/{}", "x".repeat(limits::REQUEST_TARGET_BYTES_MAX - 2 + more));
        let target = |more: usize| json!({ "path": path(more), "query": "q" });
        assert!(read(target(0)).is_ok());
        assert_eq!(refused(target(1)), "path");
        let headers = |count: usize| {
            let headers: BTreeMap<_, _> = (0..count).map(|n| (format!("x-{n}"), "1")).collect();
            json!({ "headers": headers })
        };
        assert!(read(headers(limits::REQUEST_HEADERS_MAX)).is_ok());
        assert_eq!(refused(headers(limits::REQUEST_HEADERS_MAX + 1)), "headers");
        let header = |more: usize| json!({ "headers": { "a": "x".repeat(limits::REQUEST_HEADER_BYTES_MAX - 1 + more) } });
        assert!(read(header(0)).is_ok());
        assert_eq!(refused(header(1)), "headers");
        let params = |count: usize| {
            let params: BTreeMap<_, _> = (0..count).map(|n| (format!("p{n}"), "1")).collect();
            json!({ "params": params })
        };
        assert!(read(params(limits::ROUTE_SEGMENTS_MAX)).is_ok());
        assert_eq!(refused(params(limits::ROUTE_SEGMENTS_MAX + 1)), "params");
        let rest = |more: usize| json!({ "rest": "x".repeat(limits::REQUEST_TARGET_BYTES_MAX + more) });
        assert!(read(rest(0)).is_ok());
        assert_eq!(refused(rest(1)), "params");
    }

    #[test]
    fn a_body_is_text_where_it_is_some() {
        let text = |body: &[u8]| (Some(String::from_utf8(body.to_vec()).unwrap()), None);
        for plain in [&b""[..], b"hi", "é\t\r\n".as_bytes()] {
            assert_eq!(body_of(plain.to_vec()), text(plain));
        }
        assert_eq!(body_of(vec![0, 255, 16]), (None, Some("AP8Q".to_owned())));
        assert_eq!(body_of(b"\0".to_vec()), (None, Some("AA==".to_owned())));
    }

    #[test]
    fn calls_have_the_names_that_scripts_know() {
        let call = HostCall {
            interface: "dead-letters",
            function: "get-entry",
            began_us: 1,
            took_us: 2,
            bytes_in: 3,
            bytes_out: 4,
            error: Some("denied"),
        };
        let told = serde_json::to_value(HostCallJson::from(call)).unwrap();
        let expected = json!({
            "interface": "dead_letters", "function": "get_entry", "began_us": 1, "took_us": 2, "bytes_in": 3, "bytes_out": 4,
            "error": "denied",
        });
        assert_eq!(told, expected);
    }
}
