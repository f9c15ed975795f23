//! `docs`: maps of the app that can be found by what is in them.

use rhai::{Dynamic, Engine, ImmutableString, Map, Module};

use super::options::{int_option, known_options, text_option, u32_option};
use super::{Result, function, instant, invalid, page, thrown};
use crate::json::{self, EncodeError};
use crate::limits::{DOCS_DATA_BYTES_MAX, DOCS_FILTER_BYTES_MAX, DOCS_PAGE_ITEMS_DEFAULT};
use crate::picloud::sandbox::docs::{self, Document, Page};

/// A handle on one collection; making it asks nothing of the host.
#[derive(Clone)]
struct Collection {
    name: ImmutableString,
}

pub(crate) fn register(engine: &mut Engine) {
    let mut module = Module::new();
    function(&mut module, "collection", |name: ImmutableString| Collection { name });
    engine.register_static_module("docs", module.into());
    engine
        .register_type_with_name::<Collection>("docs collection")
        .register_fn("create", |c: &mut Collection, data: Map| create(c, data, &Map::new()))
        .register_fn("create", |c: &mut Collection, data: Map, options: Map| create(c, data, &options))
        .register_fn("get", |c: &mut Collection, id: &str| get(c, id))
        .register_fn("update", |c: &mut Collection, id: &str, data: Map| update(c, id, data, &Map::new()))
        .register_fn("update", |c: &mut Collection, id: &str, data: Map, options: Map| update(c, id, data, &options))
        .register_fn("patch", |c: &mut Collection, id: &str, patch: Map| self::patch(c, id, patch, &Map::new()))
        .register_fn("patch", |c: &mut Collection, id: &str, patch: Map, options: Map| self::patch(c, id, patch, &options))
        .register_fn("delete", |c: &mut Collection, id: &str| delete(c, id, &Map::new()))
        .register_fn("delete", |c: &mut Collection, id: &str, options: Map| delete(c, id, &options))
        .register_fn("find", |c: &mut Collection, filter: Map| find(c, filter, &Map::new()))
        .register_fn("find", |c: &mut Collection, filter: Map, options: Map| find(c, filter, &options))
        .register_fn("find_one", |c: &mut Collection, filter: Map| find_one(c, filter))
        .register_fn("count", |c: &mut Collection| count(c, Map::new()))
        .register_fn("count", |c: &mut Collection, filter: Map| count(c, filter))
        .register_fn("list", |c: &mut Collection| list(c, &Map::new()))
        .register_fn("list", |c: &mut Collection, options: Map| list(c, &options));
}

fn create(collection: &Collection, data: Map, options: &Map) -> Result<String> {
    known_options(options, &["id"])?;
    let id = text_option(options, "id")?;
    docs::create(&collection.name, id.as_deref(), &encode("data", data, DOCS_DATA_BYTES_MAX)?).map_err(thrown)
}

fn get(collection: &Collection, id: &str) -> Result<Dynamic> {
    document_or_unit(docs::get(&collection.name, id).map_err(thrown)?)
}

fn update(collection: &Collection, id: &str, data: Map, options: &Map) -> Result<Dynamic> {
    let if_revision = if_revision(options)?;
    let data = encode("data", data, DOCS_DATA_BYTES_MAX)?;
    Ok(revision_or_unit(docs::update(&collection.name, id, &data, if_revision).map_err(thrown)?))
}

fn patch(collection: &Collection, id: &str, patch: Map, options: &Map) -> Result<Dynamic> {
    let if_revision = if_revision(options)?;
    let patch = encode("patch", patch, DOCS_DATA_BYTES_MAX)?;
    Ok(revision_or_unit(docs::patch(&collection.name, id, &patch, if_revision).map_err(thrown)?))
}

fn delete(collection: &Collection, id: &str, options: &Map) -> Result<bool> {
    docs::delete(&collection.name, id, if_revision(options)?).map_err(thrown)
}

fn find(collection: &Collection, filter: Map, options: &Map) -> Result<Map> {
    known_options(options, &["cursor", "limit"])?;
    let cursor = text_option(options, "cursor")?;
    let limit = u32_option(options, "limit")?;
    let filter = encode("filter", filter, DOCS_FILTER_BYTES_MAX)?;
    page_map(docs::find(&collection.name, &filter, cursor.as_deref(), limit).map_err(thrown)?)
}

fn find_one(collection: &Collection, filter: Map) -> Result<Dynamic> {
    let filter = encode("filter", filter, DOCS_FILTER_BYTES_MAX)?;
    document_or_unit(docs::find_one(&collection.name, &filter).map_err(thrown)?)
}

fn count(collection: &Collection, filter: Map) -> Result<i64> {
    let filter = encode("filter", filter, DOCS_FILTER_BYTES_MAX)?;
    let count = docs::count(&collection.name, &filter).map_err(thrown)?;
    Ok(i64::try_from(count).unwrap_or(i64::MAX))
}

fn list(collection: &Collection, options: &Map) -> Result<Map> {
    known_options(options, &["cursor", "limit"])?;
    let cursor = text_option(options, "cursor")?;
    let limit = u32_option(options, "limit")?.unwrap_or(DOCS_PAGE_ITEMS_DEFAULT);
    page_map(docs::list(&collection.name, cursor.as_deref(), limit).map_err(thrown)?)
}

fn page_map(found: Page) -> Result<Map> {
    Ok(page(found.items.into_iter().map(document_map).collect::<Result<_>>()?, found.cursor))
}

fn document_or_unit(document: Option<Document>) -> Result<Dynamic> {
    document.map_or(Ok(Dynamic::UNIT), document_map)
}

fn document_map(document: Document) -> Result<Dynamic> {
    let data = json::decode(&document.data)
        .map_err(|error| super::error("internal", format!("the stored document is not JSON: {error}")))?;
    let mut map = Map::new();
    map.insert("id".into(), document.id.into());
    map.insert("data".into(), data);
    map.insert("revision".into(), document.revision.into());
    map.insert("created_at".into(), instant(document.created_at_ms));
    map.insert("updated_at".into(), instant(document.updated_at_ms));
    Ok(Dynamic::from_map(map))
}

fn revision_or_unit(revision: Option<i64>) -> Dynamic {
    revision.map_or(Dynamic::UNIT, Dynamic::from)
}

fn encode(name: &str, map: Map, bytes_max: usize) -> Result<Vec<u8>> {
    json::encode(&Dynamic::from_map(map), bytes_max).map_err(|error| match error {
        EncodeError::TooLarge => invalid(format!("{name} is larger than {bytes_max} bytes as JSON")),
        EncodeError::NotJson(message) => invalid(format!("{name} cannot be sent: {message}")),
    })
}

fn if_revision(options: &Map) -> Result<Option<i64>> {
    known_options(options, &["if_revision"])?;
    int_option(options, "if_revision")
}
