//! `ctx`: what a script knows of its invocation.

use rhai::{Dynamic, Map};

use crate::api::instant;
use crate::api::url::pairs;
use crate::failure::failure;
use crate::picloud::sandbox::program::{Event, FailureCode, Invocation, InvocationType, Request};
use crate::{Failure, json};

/// The contract's version: changes when the shape of `ctx`, an answer or a library function changes.
const SDK_VERSION: &str = "2.0";

/// Fails for an event that cannot be read: one of the app's own values in it is nested too deep.
pub(crate) fn build(invocation: Invocation) -> Result<Map, Failure> {
    let mut ctx = Map::new();
    ctx.insert("sdk_version".into(), SDK_VERSION.into());
    ctx.insert("execution_id".into(), invocation.execution_id.into());
    ctx.insert("request_id".into(), invocation.request_id.into());
    ctx.insert("script_id".into(), invocation.script_id.into());
    ctx.insert("script_name".into(), invocation.script_name.into());
    let invocation_type = match invocation.invocation_type {
        InvocationType::Http => "http",
        InvocationType::Direct => "direct",
        InvocationType::Function => "function",
        InvocationType::Event => "event",
    };
    ctx.insert("invocation_type".into(), invocation_type.into());
    ctx.insert("request".into(), Dynamic::from_map(request(invocation.request)));
    if let Some(event) = invocation.event {
        ctx.insert("event".into(), Dynamic::from_map(self::event(event)?));
    }
    Ok(ctx)
}

fn event(event: Event) -> Result<Map, Failure> {
    let about = json::decode_wrapped(&event.about)
        .map_err(|wrong| failure(FailureCode::ScriptError, format!("the event cannot be read: {wrong}")))?;
    let mut map = Map::new();
    map.insert("id".into(), event.id.into());
    map.insert("op".into(), event.op.into());
    map.insert("time".into(), instant(event.time_ms));
    map.insert("attempt".into(), i64::from(event.attempt).into());
    map.insert("depth".into(), i64::from(event.depth).into());
    map.insert(event.source.as_str().into(), about);
    map.insert("source".into(), event.source.into());
    Ok(map)
}

fn request(request: Request) -> Map {
    let content_type = media_type(header(&request.headers, "content-type").unwrap_or_default());
    let cookies = header(&request.headers, "cookie").map(cookies).unwrap_or_default();
    let form = if content_type == "application/x-www-form-urlencoded" { pairs(&request.body) } else { Map::new() };

    let mut map = Map::new();
    map.insert("method".into(), request.method.into());
    map.insert("path".into(), request.path.into());
    map.insert("params".into(), Dynamic::from_map(strings(request.params)));
    map.insert("rest".into(), request.rest.map_or(Dynamic::UNIT, Dynamic::from));
    map.insert("query".into(), Dynamic::from_map(pairs(request.query.as_bytes())));
    map.insert("cookies".into(), Dynamic::from_map(cookies));
    map.insert("form".into(), Dynamic::from_map(form));
    map.insert("body".into(), body_of(&content_type, request.body));
    map.insert("headers".into(), Dynamic::from_map(strings(request.headers)));
    map.insert("remote_addr".into(), request.remote_addr.into());
    map
}

/// A body as scripts see it, by the header `content-type` that came with it.
pub(crate) fn body_value(content_type: &str, bytes: Vec<u8>) -> Dynamic {
    body_of(&media_type(content_type), bytes)
}

/// In lower case, without parameters.
fn media_type(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// JSON is parsed; text is a string; anything else is a blob; nothing is unit. JSON that does not parse stays text,
/// so that the script can answer it in its own words. Without a content type, UTF-8 is text.
fn body_of(content_type: &str, bytes: Vec<u8>) -> Dynamic {
    if bytes.is_empty() {
        return Dynamic::UNIT;
    }
    let is_json = content_type == "application/json" || content_type.ends_with("+json");
    if is_json && let Ok(value) = json::decode(&bytes) {
        return value;
    }
    let is_text = is_json
        || content_type.is_empty()
        || content_type.starts_with("text/")
        || content_type.ends_with("+xml")
        || matches!(content_type, "application/x-www-form-urlencoded" | "application/xml" | "application/javascript");
    if !is_text {
        return Dynamic::from_blob(bytes);
    }
    match String::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(error) => Dynamic::from_blob(error.into_bytes()),
    }
}

/// RFC 6265 §4.2: `name=value` pairs apart by `; `. The first of a name counts: user agents send the most specific first.
fn cookies(header: &str) -> Map {
    let mut map = Map::new();
    for pair in header.split(';') {
        let Some((name, value)) = pair.split_once('=') else { continue };
        let value = value.trim();
        let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
        map.entry(name.trim().into()).or_insert_with(|| value.into());
    }
    map
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
}

fn strings(pairs: Vec<(String, String)>) -> Map {
    pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect()
}
