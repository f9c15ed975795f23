//! Key-value entries of an app, for people: browsed, set, deleted. Scripts reach the same ones as `kv`.

use axum::Extension;
use axum::Json;
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, Utc};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};

use super::answer::{NoContent, Stored, Tagged};
use super::error::Answer;
use super::etag::IfMatch;
use super::gate::Caller;
use super::query::{Given, OfApp, Parameter, Parameters, Path, Query};
use super::{Api, List, body};
use crate::error::{Error, Result};
use crate::id::RequestId;
use crate::limits;
use crate::model::collection::{Aim, Collection};
use crate::model::event::Origin;
use crate::model::page::{Page, PageQuery, text_cursor};
use crate::model::{kv, listing};
use crate::service;

/// What of a name stands in a part of a path as it is.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A collection, by what it holds.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Collection", example = json!({ "name": "carts", "count": 12, "bytes": 3_400 }))]
pub(super) struct CollectionJson {
    name: String,
    /// Entries, documents or files.
    count: u64,
    /// Their values, data or content, together.
    bytes: u64,
}

/// An entry.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "KvEntry", example = example())]
pub(super) struct EntryJson {
    key: String,
    /// Any JSON value; of a blob its bytes, in base64.
    #[schemars(with = "serde_json::Value")]
    value: Box<RawValue>,
    encoding: Encoding,
    /// Grows by one with every write.
    revision: i64,
    /// Null: it stays.
    expires_at: Option<DateTime<Utc>>,
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "KvEncoding")]
pub(super) enum Encoding {
    Json,
    Blob,
}

/// A value for an entry.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "NewKvEntry", example = json!({ "value": { "items": 3 }, "ttl_s": 3_600 }))]
pub(super) struct Put {
    /// Any JSON value; of a blob its bytes, in base64.
    #[schemars(with = "serde_json::Value")]
    value: Box<RawValue>,
    /// Left out: `json`.
    encoding: Option<Encoding>,
    /// It expires so many seconds from now; left out: it stays.
    #[schemars(range(min = 1, max = limits::KV_TTL_S_MAX))]
    ttl_s: Option<i64>,
}

/// A page of things in the order of their names.
#[derive(Debug)]
pub(super) struct Names {
    prefix: String,
    page: PageQuery,
}

fn example() -> serde_json::Value {
    json!({
        "key": "cart/17",
        "value": { "items": 3 },
        "encoding": "json",
        "revision": 1_767_323_045_678_901_i64,
        "expires_at": "2026-01-02T04:04:05.678901Z"
    })
}

impl From<Collection> for CollectionJson {
    fn from(collection: Collection) -> Self {
        let Collection { name, count, bytes } = collection;
        Self { name, count, bytes }
    }
}

impl EntryJson {
    fn of(key: String, stored: kv::Stored) -> Result<Self> {
        let kv::Stored { value: kv::Value { encoding, bytes }, revision, expires_at } = stored;
        // Scripts' JSON is stored unread: what is none is shown as the bytes that it is.
        let json = if encoding == kv::Encoding::Json { json_of(&bytes) } else { None };
        let (value, encoding) = match json {
            Some(json) => (json, Encoding::Json),
            None => (to_raw_value(&BASE64.encode(&bytes)).map_err(Error::internal)?, Encoding::Blob),
        };
        Ok(Self { key, value, encoding, revision, expires_at })
    }
}

fn json_of(bytes: &[u8]) -> Option<Box<RawValue>> {
    RawValue::from_string(std::str::from_utf8(bytes).ok()?.to_owned()).ok()
}

impl Put {
    fn value(&self) -> Result<kv::Value> {
        if self.encoding != Some(Encoding::Blob) {
            return Ok(kv::Value { encoding: kv::Encoding::Json, bytes: self.value.get().as_bytes().to_vec() });
        }
        let text: Option<String> = serde_json::from_str(self.value.get()).ok();
        let bytes = text.and_then(|text| BASE64.decode(text).ok());
        let bytes = bytes.ok_or_else(|| Error::invalid("value", "the value of a blob is a string: its bytes in base64"))?;
        Ok(kv::Value { encoding: kv::Encoding::Blob, bytes })
    }
}

/// `prefix`, `limit` and `cursor`.
impl Parameters for Names {
    fn describe() -> Vec<Parameter> {
        let mut known = PageQuery::describe();
        known.push(Parameter::text("prefix", "Only those whose names begin so."));
        known
    }

    fn read(given: &mut Given) -> Result<Self> {
        Ok(Self { prefix: given.take("prefix", "text")?.unwrap_or_default(), page: PageQuery::read(given)? })
    }
}

impl Names {
    pub(super) fn query(self) -> Result<listing::Query> {
        let after = self.page.after_text()?;
        Ok(listing::Query { prefix: self.prefix, after, limit: self.page.limit })
    }
}

/// The page as JSON; its cursor is a name, which may be any text.
pub(super) fn listed<U, T>(page: Page<U>, shape: impl FnMut(U) -> Result<T>) -> Answer<Json<List<T>>> {
    let cursor = page.cursor.as_deref().map(text_cursor);
    let items = page.items.into_iter().map(shape).collect::<Result<Vec<_>>>()?;
    Ok(List::of(Page { items, cursor }, |item| item))
}

/// A name as a part of a path.
pub(super) fn segment(name: &str) -> PercentEncode<'_> {
    utf8_percent_encode(name, SEGMENT)
}

pub(super) async fn collections(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Query(page): Query<PageQuery>,
) -> Answer<Json<List<CollectionJson>>> {
    Ok(List::of(service::kv::collections(&api.services, app.id, &page).await?, CollectionJson::from))
}

pub(super) async fn list(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Path((_, collection)): Path<(String, String)>,
    Query(names): Query<Names>,
) -> Answer<Json<List<EntryJson>>> {
    let page = service::kv::browse(&api.services, app.id, &collection, names.query()?).await?;
    listed(page, |(key, stored)| EntryJson::of(key, stored))
}

pub(super) async fn get(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Path((_, collection, key)): Path<(String, String, String)>,
) -> Answer<Tagged<EntryJson>> {
    let stored = service::kv::get(&api.services, app.id, &collection, &key).await?;
    let stored = stored.ok_or_else(|| Error::not_found("entry"))?;
    Ok(Tagged { tag: stored.revision.to_string(), body: EntryJson::of(key, stored)? })
}

pub(super) async fn put(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Path((_, collection, key)): Path<(String, String, String)>,
    Caller(by): Caller,
    Extension(request_id): Extension<RequestId>,
    if_match: IfMatch,
    body::Json(put): body::Json<Put>,
) -> Answer<Stored<EntryJson>> {
    let origin = Origin::of(request_id);
    let (aim, value) = (Aim { collection: &collection, name: &key, if_match: if_match.tag() }, put.value()?);
    let (stored, new) = service::kv::set_by_user(&api.services, &by, app.id, origin, aim, value, put.ttl_s).await?;
    let entry = EntryJson::of(key, stored)?;
    Ok(if new { Stored::New(entry) } else { Stored::Changed(entry) })
}

pub(super) async fn delete(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Path((_, collection, key)): Path<(String, String, String)>,
    Caller(by): Caller,
    Extension(request_id): Extension<RequestId>,
    if_match: IfMatch,
) -> Answer<NoContent> {
    let origin = Origin::of(request_id);
    let aim = Aim { collection: &collection, name: &key, if_match: if_match.tag() };
    service::kv::delete_by_user(&api.services, &by, app.id, origin, aim).await?;
    Ok(NoContent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(encoding: kv::Encoding, bytes: &[u8]) -> serde_json::Value {
        let stored = kv::Stored { value: kv::Value { encoding, bytes: bytes.to_vec() }, revision: 7, expires_at: None };
        serde_json::to_value(EntryJson::of("k".to_owned(), stored).unwrap()).unwrap()
    }

    fn put(body: &str) -> Result<kv::Value> {
        serde_json::from_str::<Put>(body).unwrap().value()
    }

    #[test]
    fn json_is_shown_as_it_is_and_a_blob_in_base64() {
        let json = shown(kv::Encoding::Json, b"{\"a\": [1, null]}");
        assert_eq!((&json["value"], &json["encoding"]), (&json!({ "a": [1, null] }), &json!("json")));
        let blob = shown(kv::Encoding::Blob, b"\x00\xff\x10");
        assert_eq!((&blob["value"], &blob["encoding"]), (&json!("AP8Q"), &json!("blob")));
    }

    #[test]
    fn what_is_called_json_and_is_none_is_shown_as_a_blob() {
        for none in [&b"{"[..], b"", b"\xff", b"1 2"] {
            let shown = shown(kv::Encoding::Json, none);
            assert_eq!((&shown["value"], &shown["encoding"]), (&json!(BASE64.encode(none)), &json!("blob")));
        }
    }

    #[test]
    fn a_value_is_stored_as_it_was_written() {
        let json = put(r#"{ "value": { "b": 1.0,  "a": 1e3 } }"#).unwrap();
        assert_eq!(json, kv::Value { encoding: kv::Encoding::Json, bytes: br#"{ "b": 1.0,  "a": 1e3 }"#.to_vec() });
        let nothing = put(r#"{ "value": null, "encoding": null }"#).unwrap();
        assert_eq!(nothing, kv::Value { encoding: kv::Encoding::Json, bytes: b"null".to_vec() });
        let blob = put(r#"{ "value": "AP8Q", "encoding": "blob" }"#).unwrap();
        assert_eq!(blob, kv::Value { encoding: kv::Encoding::Blob, bytes: vec![0, 255, 16] });
        for bad in ["7", "null", "\"AP8\"", "\"A P\"", "{}"] {
            let refused = put(&format!(r#"{{ "value": {bad}, "encoding": "blob" }}"#)).unwrap_err();
            assert_eq!(refused.details.unwrap()["field"], "value", "{bad}");
        }
    }

    #[test]
    fn a_name_is_one_part_of_a_path() {
        assert_eq!(segment("a/b c?#%é-._~").to_string(), "a%2Fb%20c%3F%23%25%C3%A9-._~");
    }
}
