//! Documents of an app, for people: found, made, changed, deleted. Scripts reach the same ones as `docs`.

use axum::Extension;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;

use super::answer::{Created, NoContent, Tagged};
use super::error::Answer;
use super::etag::IfMatch;
use super::gate::Caller;
use super::kv::{CollectionJson, segment};
use super::query::{Given, OfApp, Parameter, Parameters, Path, Query};
use super::{Api, List, body};
use crate::error::{Error, Result};
use crate::id::RequestId;
use crate::limits;
use crate::model::collection::Aim;
use crate::model::docs::Document;
use crate::model::event::Origin;
use crate::model::page::{Page, PageQuery};
use crate::service;

/// A document.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Document", example = example())]
pub(super) struct DocumentJson {
    id: String,
    /// Any map.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    data: Box<RawValue>,
    /// Grows by one with every write.
    revision: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// A document to make.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "NewDocument", example = json!({ "id": "order-17", "data": { "total": 41.5, "paid": false } }))]
pub(super) struct Create {
    /// Left out: a new UUID.
    id: Option<String>,
    /// Any map.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    data: Box<RawValue>,
}

/// What a document is to be.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "DocumentData", example = json!({ "data": { "total": 41.5, "paid": true } }))]
pub(super) struct Put {
    /// Any map, in place of what is there.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    data: Box<RawValue>,
}

/// What of a document changes.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "DocumentChange", example = json!({ "data": { "paid": true, "note": null } }))]
pub(super) struct Patch {
    /// Is merged into what is there (RFC 7396): maps are merged, null takes away, anything else replaces.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    data: Box<RawValue>,
}

/// Which documents, and which page of them.
#[derive(Debug)]
pub(super) struct Search {
    filter: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
}

fn example() -> serde_json::Value {
    json!({
        "id": "order-17",
        "data": { "total": 41.5, "paid": false },
        "revision": 1_767_323_045_678_901_i64,
        "created_at": "2026-01-02T03:04:05.678901Z",
        "updated_at": "2026-01-02T03:04:05.678901Z"
    })
}

impl DocumentJson {
    fn of(document: Document) -> Result<Self> {
        let Document { id, data, revision, created_at, updated_at } = document;
        let data = RawValue::from_string(data).map_err(Error::internal)?;
        Ok(Self { id, data, revision, created_at, updated_at })
    }

    fn tagged(document: Document) -> Answer<Tagged<Self>> {
        Ok(Tagged { tag: document.revision.to_string(), body: Self::of(document)? })
    }
}

/// `filter`, `limit` and `cursor`.
impl Parameters for Search {
    fn describe() -> Vec<Parameter> {
        let about = "A filter as scripts write it, in JSON: `{\"paid\": false, \"$sort\": \"-total\"}`. Left out: all, by id.";
        let limit = json!({
            "type": "integer",
            "minimum": 1,
            "maximum": limits::API_PAGE_ITEMS_MAX,
            "default": limits::API_PAGE_ITEMS_DEFAULT,
        });
        vec![
            Parameter::text("cursor", "The `cursor` of the page before; left out: the first page."),
            Parameter::text("filter", about),
            Parameter::new("limit", "How many items the page has at most; or `$limit` in the filter.", limit),
        ]
    }

    fn read(given: &mut Given) -> Result<Self> {
        Ok(Self {
            filter: given.take("filter", "JSON text")?,
            limit: given.take("limit", "a number")?,
            cursor: given.take("cursor", "text")?,
        })
    }
}

pub(super) async fn collections(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Query(page): Query<PageQuery>,
) -> Answer<Json<List<CollectionJson>>> {
    Ok(List::of(service::docs::collections(&api.services, app.id, &page).await?, CollectionJson::from))
}

pub(super) async fn find(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Path((_, collection)): Path<(String, String)>,
    Query(search): Query<Search>,
) -> Answer<Json<List<DocumentJson>>> {
    let Search { filter, limit, cursor } = search;
    let filter = filter.as_deref().unwrap_or("{}").as_bytes();
    let Page { items, cursor } =
        service::docs::search(&api.services, app.id, &collection, filter, cursor.as_deref(), limit).await?;
    let items = items.into_iter().map(DocumentJson::of).collect::<Result<Vec<_>>>()?;
    Ok(List::of(Page { items, cursor }, |document| document))
}

pub(super) async fn create(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Path((_, collection)): Path<(String, String)>,
    Caller(by): Caller,
    Extension(request_id): Extension<RequestId>,
    body::Json(new): body::Json<Create>,
) -> Answer<Created<DocumentJson>> {
    let (origin, data) = (Origin::of(request_id), new.data.get().as_bytes());
    let document = service::docs::create_by_user(&api.services, &by, app.id, origin, &collection, new.id, data).await?;
    let location = format!("/api/v1/admin/apps/{}/docs/{}/{}", app.id, segment(&collection), segment(&document.id));
    Ok(Created { location, tag: Some(document.revision.to_string()), body: DocumentJson::of(document)? })
}

pub(super) async fn get(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Path((_, collection, id)): Path<(String, String, String)>,
) -> Answer<Tagged<DocumentJson>> {
    let document = service::docs::get(&api.services.script_db, app.id, &collection, &id).await?;
    DocumentJson::tagged(document.ok_or_else(|| Error::not_found("document"))?)
}

pub(super) async fn update(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Path((_, collection, id)): Path<(String, String, String)>,
    Caller(by): Caller,
    Extension(request_id): Extension<RequestId>,
    if_match: IfMatch,
    body::Json(put): body::Json<Put>,
) -> Answer<Tagged<DocumentJson>> {
    let (origin, data) = (Origin::of(request_id), put.data.get().as_bytes());
    let aim = Aim { collection: &collection, name: &id, if_match: if_match.tag() };
    DocumentJson::tagged(service::docs::update_by_user(&api.services, &by, app.id, origin, aim, data).await?)
}

pub(super) async fn patch(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Path((_, collection, id)): Path<(String, String, String)>,
    Caller(by): Caller,
    Extension(request_id): Extension<RequestId>,
    if_match: IfMatch,
    body::Json(patch): body::Json<Patch>,
) -> Answer<Tagged<DocumentJson>> {
    let (origin, data) = (Origin::of(request_id), patch.data.get().as_bytes());
    let aim = Aim { collection: &collection, name: &id, if_match: if_match.tag() };
    DocumentJson::tagged(service::docs::patch_by_user(&api.services, &by, app.id, origin, aim, data).await?)
}

pub(super) async fn delete(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Path((_, collection, id)): Path<(String, String, String)>,
    Caller(by): Caller,
    Extension(request_id): Extension<RequestId>,
    if_match: IfMatch,
) -> Answer<NoContent> {
    let origin = Origin::of(request_id);
    let aim = Aim { collection: &collection, name: &id, if_match: if_match.tag() };
    service::docs::delete_by_user(&api.services, &by, app.id, origin, aim).await?;
    Ok(NoContent)
}
