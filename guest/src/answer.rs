//! A script's last value as an HTTP answer.

use rhai::{Dynamic, Map};

use crate::failure::failure;
use crate::json::{self, EncodeError};
use crate::picloud::sandbox::program::FailureCode;
use crate::{Answer, Failure};

/// The key that makes a map a structured response.
pub(crate) const STATUS_KEY: &str = "statusCode";

/// Whether `value` speaks for itself as a response.
pub(crate) fn is_response(value: &Dynamic) -> bool {
    value.as_map_ref().is_ok_and(|map| map.contains_key(STATUS_KEY))
}

/// A map with `statusCode` is a structured response; anything else is 200 with the value as JSON.
///
/// Status, header names and header values are judged by the host, which owns HTTP.
pub(crate) fn of_value(value: &Dynamic, body_bytes_max: usize) -> Result<Answer, Failure> {
    if let Ok(map) = value.as_map_ref()
        && map.contains_key(STATUS_KEY)
    {
        return structured(&map, body_bytes_max);
    }
    Ok(Answer { status: 200, headers: vec![content_type("application/json")], body: encode(value, body_bytes_max)? })
}

/// The value itself as JSON, for the script that called: a structured response is a map like any other.
pub(crate) fn of_function(value: &Dynamic, body_bytes_max: usize) -> Result<Answer, Failure> {
    Ok(Answer { status: 200, headers: Vec::new(), body: encode(value, body_bytes_max)? })
}

/// What ends an invocation that nobody waits for.
pub(crate) fn none() -> Answer {
    Answer { status: 200, headers: Vec::new(), body: Vec::new() }
}

fn structured(map: &Map, body_bytes_max: usize) -> Result<Answer, Failure> {
    let status = map.get(STATUS_KEY).map_or(Err("()"), Dynamic::as_int);
    let status = status.map_err(|kind| invalid(format!("`statusCode` is {kind}: it must be an integer from 200 to 599")))?;
    let status = u16::try_from(status).ok().filter(|status| (200..=599).contains(status));
    let status =
        status.ok_or_else(|| invalid(format!("`statusCode` is {}: it must be an integer from 200 to 599", map[STATUS_KEY])))?;
    let mut headers = match map.get("headers") {
        Some(given) => headers(given)?,
        None => Vec::new(),
    };
    let (body, default_type) = match map.get("body") {
        None => (Vec::new(), None),
        Some(body) if body.is_unit() => (Vec::new(), None),
        Some(body) if body.is_string() => {
            let text = body.as_immutable_string_ref().map_err(|_| invalid("`body` is not readable".to_owned()))?;
            (bounded(text.as_bytes(), body_bytes_max)?, Some("text/plain; charset=utf-8"))
        }
        Some(body) if body.is_blob() => {
            let blob = body.as_blob_ref().map_err(|_| invalid("`body` is not readable".to_owned()))?;
            (bounded(&blob, body_bytes_max)?, Some("application/octet-stream"))
        }
        Some(body) => (encode(body, body_bytes_max)?, Some("application/json")),
    };
    if let Some(default_type) = default_type
        && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"))
    {
        headers.push(content_type(default_type));
    }
    Ok(Answer { status, headers, body })
}

/// Values are strings, numbers or booleans; an array sends the header once for each of its items.
fn headers(given: &Dynamic) -> Result<Vec<(String, String)>, Failure> {
    if given.is_unit() {
        return Ok(Vec::new());
    }
    let map = given.as_map_ref().map_err(|kind| invalid(format!("`headers` is {kind}: it must be a map")))?;
    let mut headers = Vec::with_capacity(map.len() + 1);
    for (name, value) in map.iter() {
        if let Ok(values) = value.as_array_ref() {
            for value in values.iter() {
                headers.push((name.to_string(), header_value(name, value)?));
            }
        } else {
            headers.push((name.to_string(), header_value(name, value)?));
        }
    }
    Ok(headers)
}

fn header_value(name: &str, value: &Dynamic) -> Result<String, Failure> {
    if value.is_string() || value.is_int() || value.is_float() || value.is_bool() || value.is_char() {
        Ok(value.to_string())
    } else {
        Err(invalid(format!(
            "header `{name}` is {}: it must be a string, a number, a boolean or an array of them",
            value.type_name()
        )))
    }
}

fn encode(value: &Dynamic, bytes_max: usize) -> Result<Vec<u8>, Failure> {
    json::encode(value, bytes_max).map_err(|error| match error {
        EncodeError::TooLarge => too_large(bytes_max),
        EncodeError::NotJson(message) => invalid(format!("the answer cannot be written as JSON: {message}")),
    })
}

fn bounded(bytes: &[u8], bytes_max: usize) -> Result<Vec<u8>, Failure> {
    if bytes.len() > bytes_max { Err(too_large(bytes_max)) } else { Ok(bytes.to_vec()) }
}

fn content_type(value: &str) -> (String, String) {
    ("content-type".to_owned(), value.to_owned())
}

fn too_large(bytes_max: usize) -> Failure {
    failure(FailureCode::ResponseTooLarge, format!("the answer's body is larger than {bytes_max} bytes"))
}

fn invalid(message: String) -> Failure {
    failure(FailureCode::InvalidResponse, message)
}
