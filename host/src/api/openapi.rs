//! The description of this API, OpenAPI 3.1, made of the rows of `endpoints` and of what their handlers' types say (`describe`).
//!
//! `schemas` names what is sent and answered, `operation` puts one row together, `parts` holds what operations share. The
//! document is made once, when it is first asked for. `host/openapi.json` is the same text, so that a change of the API shows in
//! review; `tests/it/openapi.rs` holds one against the other.

mod operation;
mod parts;
pub(super) mod schemas;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use self::schemas::Schemas;
use super::describe::{Content, Operation, Output};
use super::{endpoints, error};
use crate::model::text;

const ABOUT: &str = "The control plane of PiCloud. What holds for every operation is written in `host/API.md`; in short:\n\n\
    Bodies are JSON objects, read strictly: a field or query parameter that nobody knows is refused and named. \
    Every failure has the shape of `Error`; its `code` is stable, its `request_id` is that of the header. \
    Lists answer `{items, cursor}`: pass `cursor` on for the next page, it is null on the last one. \
    What has an `ETag` is changed with `If-Match`, which refuses a write that is meant for another state (412). \
    Every POST takes an `Idempotency-Key`, but an import and those whose bodies hold passwords, so that a request which is sent again is done once. \
    Times are RFC 3339 in UTC, ids are UUIDs that sort by time. \
    What belongs to an app that is not the caller's looks absent (404). \
    `x-access` says which right an operation takes: a scope on the app that the path names (`app`), on the app that the body or \
    the query names or on any app at all (`some_app`), on the instance (`instance`), any credential (`signed_in`), a login \
    (`logged_in`), none (`public`).";

/// As it is served, and as it is checked in.
struct Document {
    text: String,
    tag: String,
}

static DOCUMENT: LazyLock<Document> = LazyLock::new(|| {
    let text = serde_json::to_string_pretty(&sorted(whole())).unwrap_or_default() + "\n";
    let tag = format!("\"{}\"", text::hex(Sha256::digest(&text).get(..16).unwrap_or_default()));
    Document { text, tag }
});

/// The document, or word that the caller has it.
#[derive(Debug)]
pub(super) enum Served {
    Whole,
    Unchanged,
}

pub(super) async fn serve(headers: HeaderMap) -> Served {
    let asked = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    if asked.is_some_and(|asked| asked.contains(&DOCUMENT.tag)) { Served::Unchanged } else { Served::Whole }
}

impl IntoResponse for Served {
    fn into_response(self) -> Response {
        let document: &'static Document = &DOCUMENT;
        let mut response = match self {
            Self::Whole => ([(header::CONTENT_TYPE, "application/json")], Body::from(document.text.as_str())).into_response(),
            Self::Unchanged => StatusCode::NOT_MODIFIED.into_response(),
        };
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        if let Ok(tag) = HeaderValue::try_from(&document.tag) {
            headers.insert(header::ETAG, tag);
        }
        response
    }
}

impl Output for Served {
    fn describe(operation: &mut Operation, _: &mut Schemas) {
        let example = json!({ "openapi": "3.1.0", "info": { "title": "PiCloud", "version": "1.0.0" }, "paths": {} });
        let schema = json!({ "type": "object", "required": ["openapi", "info", "paths"] });
        let content = Content { media_type: "application/json", schema, example: Some(example) };
        operation.answers("200", "This document.", Some(content)).headers.push("ETag");
        operation.answers("304", "What `If-None-Match` names is still the document.", None).headers.push("ETag");
    }
}

fn whole() -> Value {
    document().0
}

/// The document, and the names in it that stand for two different schemas.
fn document() -> (Value, Vec<String>) {
    let mut schemas = Schemas::new();
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for endpoint in endpoints::table() {
        let described = (endpoint.describe)(&mut schemas);
        let method = endpoint.method.as_str().to_ascii_lowercase();
        paths.entry(endpoint.path).or_default().insert(method, operation::of(&endpoint, described));
    }
    let envelope = error::described(&mut schemas);
    let (schemas, ambiguous) = schemas.finish();
    let tags: Vec<_> = parts::TAGS.iter().map(|(name, about)| json!({ "name": name, "description": about })).collect();
    let document = json!({
        "openapi": "3.1.0",
        "info": { "title": "PiCloud", "version": env!("CARGO_PKG_VERSION"), "description": ABOUT },
        "servers": [{ "url": "/" }],
        "tags": tags,
        "paths": paths,
        "components": parts::components(schemas, &envelope),
    });
    (document, ambiguous)
}

/// The same with the fields of every object in the order of their names, whatever order the map keeps.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields: BTreeMap<_, _> = fields.into_iter().map(|(name, value)| (name, sorted(value))).collect();
            Value::Object(fields.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        plain => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operations(document: &Value) -> impl Iterator<Item = (String, &Value)> {
        let paths = document["paths"].as_object().unwrap().iter();
        paths.flat_map(|(path, methods)| {
            methods.as_object().unwrap().iter().map(move |(method, operation)| (format!("{method} {path}"), operation))
        })
    }

    #[test]
    fn a_name_stands_for_one_schema() {
        let (document, ambiguous) = document();
        assert!(ambiguous.is_empty(), "in requests and in answers: {ambiguous:?}");
        for name in document["components"]["schemas"].as_object().unwrap().keys() {
            // The generator numbers the second type of a name.
            assert!(!name.ends_with(|c: char| c.is_ascii_digit()), "two types are called {name}");
        }
    }

    #[test]
    fn every_noun_is_explained() {
        let mut nouns: Vec<_> = endpoints::table().into_iter().map(|endpoint| operation::module(endpoint.handler)).collect();
        nouns.sort_unstable();
        nouns.dedup();
        assert_eq!(nouns, parts::TAGS.map(|(name, _)| name));
    }

    #[test]
    fn what_operations_refer_to_is_there() {
        let document = whole();
        let text = document.to_string();
        for reference in text.split("\"$ref\":\"#").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(document.pointer(reference).is_some(), "{reference}");
        }
    }

    #[test]
    fn every_failure_has_a_component() {
        let mut schemas = Schemas::new();
        for endpoint in endpoints::table() {
            let described = (endpoint.describe)(&mut schemas);
            for status in described.failures.iter().chain(endpoint.failures) {
                assert!(parts::Failure::of(*status).is_some(), "{} {}: {status}", endpoint.method, endpoint.path);
            }
        }
    }

    #[test]
    fn bodies_and_successes_have_an_example() {
        let document = whole();
        for (name, operation) in operations(&document) {
            let contents = operation["responses"].as_object().unwrap().iter().filter(|(status, _)| status.starts_with('2'));
            let contents = contents.map(|(_, response)| &response["content"]).chain([&operation["requestBody"]["content"]]);
            for content in contents.filter_map(Value::as_object) {
                for (media_type, body) in content {
                    assert!(body.get("example").is_some(), "{name}: {media_type} has no example: {}", body["schema"]);
                }
            }
        }
    }

    #[test]
    fn fields_are_in_the_order_of_their_names() {
        let text = sorted(json!({ "b": { "d": 1, "c": [{ "f": 1, "e": 2 }] }, "a": 0 })).to_string();
        assert_eq!(text, r#"{"a":0,"b":{"c":[{"e":2,"f":1}],"d":1}}"#);
    }

    #[tokio::test]
    async fn who_has_the_document_is_not_sent_it_again() {
        let served = serve(HeaderMap::new()).await.into_response();
        assert_eq!((served.status().as_u16(), &served.headers()["cache-control"]), (200, &HeaderValue::from_static("no-cache")));
        let tag = served.headers()["etag"].clone();
        let again = serve(HeaderMap::from_iter([(header::IF_NONE_MATCH, tag.clone())])).await.into_response();
        assert_eq!((again.status().as_u16(), &again.headers()["etag"]), (304, &tag));
    }
}
