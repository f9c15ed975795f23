//! `http`: requests that leave the node.

use rhai::{Array, Dynamic, Engine, Map, Module};

use super::options::{bool_option, known_options, option, text, u32_option};
use super::url::encode_query;
use super::{Result, function, invalid, thrown};
use crate::context::body_value;
use crate::json::{self, EncodeError};
use crate::limits::HTTP_REQUEST_BODY_BYTES_MAX;
use crate::picloud::sandbox::http::{self, Redirects, Request, Response};

const OPTIONS: [&str; 4] = ["headers", "timeout_ms", "query", "redirect"];

pub(crate) fn register(engine: &mut Engine) {
    let mut module = Module::new();
    function(&mut module, "get", |url: &str| send("GET", url, None, &Map::new()));
    function(&mut module, "get", |url: &str, options: Map| send("GET", url, None, &options));
    function(&mut module, "head", |url: &str| send("HEAD", url, None, &Map::new()));
    function(&mut module, "head", |url: &str, options: Map| send("HEAD", url, None, &options));
    function(&mut module, "delete", |url: &str| send("DELETE", url, None, &Map::new()));
    function(&mut module, "delete", |url: &str, options: Map| send("DELETE", url, None, &options));
    function(&mut module, "post", |url: &str, body: Dynamic| send("POST", url, encode(&body)?, &Map::new()));
    function(&mut module, "post", |url: &str, body: Dynamic, options: Map| send("POST", url, encode(&body)?, &options));
    function(&mut module, "put", |url: &str, body: Dynamic| send("PUT", url, encode(&body)?, &Map::new()));
    function(&mut module, "put", |url: &str, body: Dynamic, options: Map| send("PUT", url, encode(&body)?, &options));
    function(&mut module, "patch", |url: &str, body: Dynamic| send("PATCH", url, encode(&body)?, &Map::new()));
    function(&mut module, "patch", |url: &str, body: Dynamic, options: Map| send("PATCH", url, encode(&body)?, &options));
    function(&mut module, "post_form", |url: &str, form: Map| send("POST", url, encode_form(&form)?, &Map::new()));
    function(&mut module, "post_form", |url: &str, form: Map, options: Map| send("POST", url, encode_form(&form)?, &options));
    function(&mut module, "request", |options: Map| request(options));
    engine.register_static_module("http", module.into());
}

/// A body as it is sent, with the content type that it has unless the script names another.
struct Encoded {
    content_type: &'static str,
    bytes: Vec<u8>,
}

fn request(mut options: Map) -> Result<Map> {
    known_options(&options, &["method", "url", "body", "headers", "timeout_ms", "query", "redirect"])?;
    let method = options.remove("method").filter(|method| !method.is_unit()).unwrap_or_else(|| "GET".into());
    let url = options.remove("url").ok_or_else(|| invalid("`url` is missing".to_owned()))?;
    let body = options.remove("body").unwrap_or(Dynamic::UNIT);
    send(&text("method", &method)?, &text("url", &url)?, encode(&body)?, &options)
}

fn send(method: &str, url: &str, body: Option<Encoded>, options: &Map) -> Result<Map> {
    known_options(options, &OPTIONS)?;
    let mut headers = headers(options)?;
    if let Some(body) = &body
        && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"))
    {
        headers.push(("content-type".to_owned(), body.content_type.to_owned()));
    }
    let request = Request {
        method: method.to_owned(),
        url: with_query(url, options)?,
        headers,
        body: body.map(|body| body.bytes),
        redirects: redirects(options)?,
        timeout_ms: u32_option(options, "timeout_ms")?,
    };
    http::send(&request).map_err(thrown).map(response)
}

/// `()` is no body; a string and a blob are sent as they are; anything else as JSON.
fn encode(body: &Dynamic) -> Result<Option<Encoded>> {
    if body.is_unit() {
        return Ok(None);
    }
    if let Ok(text) = body.as_immutable_string_ref() {
        return bounded("text/plain; charset=utf-8", text.as_bytes());
    }
    if let Ok(blob) = body.as_blob_ref() {
        return bounded("application/octet-stream", &blob);
    }
    match json::encode(body, HTTP_REQUEST_BODY_BYTES_MAX) {
        Ok(bytes) => Ok(Some(Encoded { content_type: "application/json", bytes })),
        Err(EncodeError::TooLarge) => Err(too_large()),
        Err(EncodeError::NotJson(message)) => Err(invalid(format!("the body cannot be sent: {message}"))),
    }
}

fn encode_form(form: &Map) -> Result<Option<Encoded>> {
    bounded("application/x-www-form-urlencoded", encode_query(form)?.as_bytes())
}

fn bounded(content_type: &'static str, bytes: &[u8]) -> Result<Option<Encoded>> {
    if bytes.len() > HTTP_REQUEST_BODY_BYTES_MAX {
        return Err(too_large());
    }
    Ok(Some(Encoded { content_type, bytes: bytes.to_vec() }))
}

fn too_large() -> Box<rhai::EvalAltResult> {
    invalid(format!("the body is larger than {HTTP_REQUEST_BODY_BYTES_MAX} bytes"))
}

/// An array sends the header once for each item; unit leaves it out.
fn headers(options: &Map) -> Result<Vec<(String, String)>> {
    let Some(given) = option(options, "headers") else { return Ok(Vec::new()) };
    let given = given.as_map_ref().map_err(|kind| invalid(format!("`headers` is {kind}: it must be a map")))?;
    let mut headers = Vec::with_capacity(given.len());
    for (name, value) in given.iter() {
        if let Ok(values) = value.as_array_ref() {
            for value in values.iter() {
                headers.push((name.to_string(), header_value(name, value)?));
            }
        } else if !value.is_unit() {
            headers.push((name.to_string(), header_value(name, value)?));
        }
    }
    Ok(headers)
}

fn header_value(name: &str, value: &Dynamic) -> Result<String> {
    if value.is_string() || value.is_int() || value.is_float() || value.is_bool() || value.is_char() {
        return Ok(value.to_string());
    }
    Err(invalid(format!(
        "header `{name}` is {}: it must be a string, a number, a boolean or an array of them",
        value.type_name()
    )))
}

/// The URL with the option's pairs behind those that it has.
fn with_query(url: &str, options: &Map) -> Result<String> {
    let Some(query) = option(options, "query") else { return Ok(url.to_owned()) };
    let query = query.as_map_ref().map_err(|kind| invalid(format!("`query` is {kind}: it must be a map")))?;
    let query = encode_query(&query)?;
    if query.is_empty() {
        return Ok(url.to_owned());
    }
    let (url, fragment) = url.split_at(url.find('#').unwrap_or(url.len()));
    let between = match url.split_once('?') {
        None => "?",
        Some((_, present)) if present.is_empty() || present.ends_with('&') => "",
        Some(_) => "&",
    };
    Ok(format!("{url}{between}{query}{fragment}"))
}

fn redirects(options: &Map) -> Result<Redirects> {
    let follow = bool_option(options, "redirect")?.unwrap_or(true);
    Ok(if follow { Redirects::Follow } else { Redirects::Answer })
}

fn response(response: Response) -> Map {
    let content_type = response.headers.iter().find(|(name, _)| name == "content-type").map_or("", |(_, value)| value);
    let body = body_value(content_type, response.body.clone());
    let mut map = Map::new();
    map.insert("status".into(), i64::from(response.status).into());
    map.insert("body".into(), body);
    map.insert("body_raw".into(), Dynamic::from_blob(response.body));
    map.insert("headers".into(), Dynamic::from_map(joined(response.headers)));
    map
}

/// Values of one name are joined by `, `, but for cookies, which hold commas themselves: they are an array, also a single one.
fn joined(headers: Vec<(String, String)>) -> Map {
    let mut map = Map::new();
    for (name, value) in headers {
        let cookie = name == "set-cookie";
        let entry = map.entry(name.into()).or_insert_with(|| if cookie { Array::new().into() } else { Dynamic::UNIT });
        if let Ok(mut values) = entry.as_array_mut() {
            values.push(value.into());
        } else if entry.is_unit() {
            *entry = value.into();
        } else {
            *entry = format!("{entry}, {value}").into();
        }
    }
    map
}
