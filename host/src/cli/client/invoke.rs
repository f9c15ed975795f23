//! `picloud invoke`: runs a script now. Standard output has what it answered, and nothing else.

use std::io::{self, IsTerminal as _, Write as _};

use hyper::header::{CONTENT_TYPE, HeaderName};
use serde_json::Value;

use super::api::{Ask, Reply};
use super::args::InApp;
use super::input;
use super::names;
use super::output::{cell, clean};
use super::refusal::Refusal;
use super::session::Session;
use crate::cli::failure::{Exit, Failure, Result};
use crate::cli::terminal::say;

pub(super) const EXAMPLES: &str = example!(app:
    "picloud invoke hello --app shop",
    "picloud invoke hello --data '{\"name\": \"Ada\"}' -v",
    "picloud invoke import --data @orders.csv --content-type text/csv",
    "echo '{}' | picloud invoke hello --data -",
    "picloud invoke hello --query 'page=2' --query 'sort=name'");

const EXECUTION: &str = "picloud-execution-id";

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Invoke {
    #[command(flatten)]
    place: InApp,
    /// Id or name of the script.
    script: String,
    /// Body of the request: as it is, `@FILE`, or `-` for standard input.
    #[arg(long, short, value_name = "DATA")]
    data: Option<String>,
    /// What the body is [default: application/json where it is JSON, else text/plain or application/octet-stream].
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,
    /// A header of the request, as `Name: value`.
    #[arg(long = "header", short = 'H', value_name = "HEADER")]
    headers: Vec<String>,
    /// A parameter of the request, as `name=value`.
    #[arg(long, value_name = "NAME=VALUE")]
    query: Vec<String>,
    /// Status, headers and what the call used, on standard error.
    #[arg(long, short)]
    verbose: bool,
}

pub(super) async fn run(invoke: Invoke) -> Result<()> {
    let session = Session::open(&invoke.place.at)?;
    let script = names::script(&session, &invoke.place, &invoke.script).await?;
    let reply = session.api.send(ask(&invoke, &script.id)?).await?;
    if invoke.verbose {
        head(&reply);
    }
    if let Some(refusal) = of_the_platform(&reply) {
        let place = place_of(&refusal.details);
        let failure = refusal.into_failure(&session.api.origin);
        return Err(match place {
            Some(place) => Failure::new(failure.exit(), format!("{} ({place})", failure.into_line())),
            None => failure,
        });
    }
    body(&reply.body);
    match Refusal::of(&reply) {
        Some(refusal) => Err(Failure::new(refusal.exit(), format!("the script answered {}", reply.status.as_u16()))),
        None => Ok(()),
    }
}

fn ask(invoke: &Invoke, script: &str) -> Result<Ask> {
    let wrong = |what: &str, given: &str| Failure::new(Exit::Usage, format!("`{}` is no {what}", cell(given)));
    let mut ask = Ask::post(&["execute", script]).running_a_script();
    for parameter in &invoke.query {
        let (name, value) = parameter.split_once('=').ok_or_else(|| wrong("parameter: NAME=VALUE", parameter))?;
        ask = ask.query(name, value);
    }
    for header in &invoke.headers {
        let no_header = || wrong("header: `Name: value`", header);
        let (name, value) = header.split_once(':').ok_or_else(no_header)?;
        ask = ask.header(HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| no_header())?, value.trim())?;
    }
    let Some(data) = &invoke.data else { return Ok(ask) };
    let data = input::data(data)?;
    let told = invoke.headers.iter().any(|header| header.to_ascii_lowercase().starts_with("content-type"));
    if let Some(kind) = invoke.content_type.as_deref().or((!told).then(|| kind_of(&data))) {
        ask = ask.header(CONTENT_TYPE, kind)?;
    }
    Ok(ask.bytes(data))
}

pub(in crate::cli) fn kind_of(data: &[u8]) -> &'static str {
    match std::str::from_utf8(data) {
        Ok(text) if serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() => "application/json",
        Ok(_) => "text/plain; charset=utf-8",
        Err(_) => "application/octet-stream",
    }
}

/// A refusal that is not the script's own answer: the platform's envelope, with the id of this request.
fn of_the_platform(reply: &Reply) -> Option<Refusal> {
    let refusal = Refusal::of(reply)?;
    if reply.header(EXECUTION).is_none() {
        return Some(refusal);
    }
    let envelope: Value = serde_json::from_slice(&reply.body).ok()?;
    let id = envelope.pointer("/error/request_id")?.as_str()?;
    (reply.header("x-request-id") == Some(id)).then_some(refusal)
}

/// `in hello, line 3, column 5`.
fn place_of(details: &Value) -> Option<String> {
    let line = details.get("line")?.as_u64()?;
    let script = details.get("script").and_then(Value::as_str).map(|script| format!("in {}, ", cell(script))).unwrap_or_default();
    let column = details.get("column").and_then(Value::as_u64).map(|column| format!(", column {column}")).unwrap_or_default();
    Some(format!("{script}line {line}{column}"))
}

/// On standard error, so that standard output is the body alone.
fn head(reply: &Reply) {
    say(&format!("{}", reply.status));
    for (name, value) in &reply.headers {
        say(&format!("{name}: {}", cell(&String::from_utf8_lossy(value.as_bytes()))));
    }
}

/// Byte for byte, but on a terminal without what steers it.
fn body(body: &[u8]) {
    let mut out = io::stdout().lock();
    let written = if out.is_terminal() {
        let text = clean(&String::from_utf8_lossy(body));
        let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        out.write_all(format!("{text}{end}").as_bytes())
    } else {
        out.write_all(body)
    };
    // A reader that went away is no failure of ours.
    let _ = written.and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use hyper::{HeaderMap, StatusCode};
    use serde_json::json;

    use super::*;

    fn reply(status: u16, headers: &[(&'static str, &'static str)], body: Value) -> Reply {
        let mut all = HeaderMap::new();
        for (name, value) in headers {
            all.insert(*name, value.parse().unwrap());
        }
        Reply { status: StatusCode::from_u16(status).unwrap(), headers: all, body: Bytes::from(body.to_string()) }
    }

    #[test]
    fn what_the_script_answers_is_told_from_what_the_platform_answers() {
        let ours = json!({ "error": { "code": "script_error", "message": "no", "request_id": "r1" } });
        let ran = [(EXECUTION, "e1"), ("x-request-id", "r1")];
        assert!(of_the_platform(&reply(422, &ran, ours.clone())).is_some());
        assert!(of_the_platform(&reply(401, &[("x-request-id", "r1")], ours.clone())).is_some());
        assert!(of_the_platform(&reply(404, &ran, json!({ "error": "no such order" }))).is_none());
        assert!(of_the_platform(&reply(422, &[(EXECUTION, "e1"), ("x-request-id", "r2")], ours)).is_none());
        assert!(of_the_platform(&reply(200, &ran, json!(1))).is_none());
    }

    #[test]
    fn a_body_says_what_it_is() {
        assert_eq!(kind_of(b"{\"a\": 1}"), "application/json");
        assert_eq!(kind_of(b"a,b\n1,2"), "text/plain; charset=utf-8");
        assert_eq!(kind_of(&[0xff]), "application/octet-stream");
    }

    #[test]
    fn a_failure_has_its_place() {
        assert_eq!(place_of(&json!({ "script": "a", "line": 3, "column": 5 })).as_deref(), Some("in a, line 3, column 5"));
        assert_eq!(place_of(&json!({ "script": null, "line": 3, "column": null })).as_deref(), Some("line 3"));
        assert_eq!(place_of(&Value::Null), None);
    }
}
