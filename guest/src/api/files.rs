//! `files`: bytes under names, of the app.

use rhai::{Blob, Dynamic, Engine, INT, ImmutableString, Map, Module};

use super::options::{int_option, known_options, text_option, u32_option};
use super::{Result, error, function, instant, invalid, page, thrown};
use crate::limits::{FILE_BYTES_MAX, FILE_PAGE_ENTRIES_DEFAULT, FILE_PIECE_BYTES};
use crate::picloud::sandbox::files::{self, Metadata, Opened, Range};

/// A handle on one collection; making it asks nothing of the host.
#[derive(Clone)]
struct Collection {
    name: ImmutableString,
}

pub(crate) fn register(engine: &mut Engine) {
    let mut module = Module::new();
    function(&mut module, "collection", |name: ImmutableString| Collection { name });
    engine.register_static_module("files", module.into());
    engine
        .register_type_with_name::<Collection>("files collection")
        .register_fn("create", |files: &mut Collection, name: &str, content: Dynamic| create(files, name, &content, &Map::new()))
        .register_fn("create", |files: &mut Collection, name: &str, content: Dynamic, options: Map| {
            create(files, name, &content, &options)
        })
        .register_fn("update", |files: &mut Collection, name: &str, content: Dynamic| update(files, name, &content, &Map::new()))
        .register_fn("update", |files: &mut Collection, name: &str, content: Dynamic, options: Map| {
            update(files, name, &content, &options)
        })
        .register_fn("head", |files: &mut Collection, name: &str| head(files, name))
        .register_fn("get", |files: &mut Collection, name: &str| get(files, name))
        .register_fn("get_range", |files: &mut Collection, name: &str, start: INT, len: INT| get_range(files, name, start, len))
        .register_fn("delete", |files: &mut Collection, name: &str| files::delete(&files.name, name).map_err(thrown))
        .register_fn("list", |files: &mut Collection| list(files, &Map::new()))
        .register_fn("list", |files: &mut Collection, options: Map| list(files, &options));
}

fn create(collection: &Collection, name: &str, content: &Dynamic, options: &Map) -> Result<Map> {
    known_options(options, &["content_type"])?;
    let content_type = match text_option(options, "content_type")? {
        Some(content_type) => content_type,
        None if content.is_string() => "text/plain; charset=utf-8".to_owned(),
        None => "application/octet-stream".to_owned(),
    };
    send(collection, content, |upload, last| files::create(&collection.name, name, &content_type, upload, last))
}

fn update(collection: &Collection, name: &str, content: &Dynamic, options: &Map) -> Result<Map> {
    known_options(options, &["content_type", "if_revision"])?;
    let content_type = text_option(options, "content_type")?;
    let if_revision = int_option(options, "if_revision")?;
    send(collection, content, |upload, last| {
        files::update(&collection.name, name, content_type.as_deref(), if_revision, upload, last)
    })
}

fn head(collection: &Collection, name: &str) -> Result<Dynamic> {
    let found = files::head(&collection.name, name).map_err(thrown)?;
    Ok(found.map_or(Dynamic::UNIT, |metadata| Dynamic::from_map(metadata_map(metadata))))
}

fn get(collection: &Collection, name: &str) -> Result<Dynamic> {
    let Some(opened) = files::get(&collection.name, name, None).map_err(thrown)? else { return Ok(Dynamic::UNIT) };
    let size_bytes = opened.metadata.size_bytes;
    let (metadata, content) = receive(collection, opened, size_bytes)?;
    let mut map = metadata_map(metadata);
    map.insert("content".into(), Dynamic::from_blob(content));
    Ok(Dynamic::from_map(map))
}

fn get_range(collection: &Collection, name: &str, start: INT, len: INT) -> Result<Dynamic> {
    let natural = |name: &str, value: INT| {
        u64::try_from(value).map_err(|_| invalid(format!("`{name}` is {value}: it must not be negative")))
    };
    let range = Range { start: natural("start", start)?, len: natural("len", len)? };
    let Some(opened) = files::get(&collection.name, name, Some(range)).map_err(thrown)? else { return Ok(Dynamic::UNIT) };
    let size_bytes = opened.metadata.size_bytes.saturating_sub(range.start).min(range.len);
    let (_, content) = receive(collection, opened, size_bytes)?;
    Ok(Dynamic::from_blob(content))
}

fn list(collection: &Collection, options: &Map) -> Result<Map> {
    known_options(options, &["prefix", "cursor", "limit"])?;
    let prefix = text_option(options, "prefix")?.unwrap_or_default();
    let cursor = text_option(options, "cursor")?;
    let limit = u32_option(options, "limit")?.unwrap_or(FILE_PAGE_ENTRIES_DEFAULT);
    let found = files::list(&collection.name, &prefix, cursor.as_deref(), limit).map_err(thrown)?;
    let items = found.items.into_iter().map(|metadata| Dynamic::from_map(metadata_map(metadata))).collect();
    Ok(page(items, found.cursor))
}

/// Hands content over in pieces; the last goes with the call that makes a file of them.
fn send(
    collection: &Collection,
    content: &Dynamic,
    finish: impl FnOnce(Option<u32>, &[u8]) -> std::result::Result<Metadata, crate::picloud::sandbox::types::Error>,
) -> Result<Map> {
    let (text, blob);
    let mut rest: &[u8] = if content.is_string() {
        text = content.as_immutable_string_ref();
        text.as_ref().map_or(&[], |text| text.as_bytes())
    } else {
        blob = content.as_blob_ref();
        match &blob {
            Ok(blob) => blob,
            Err(_) => {
                return Err(invalid(format!(
                    "`content` is {}: it must be a string or a blob; `json::stringify` makes text of other values",
                    content.type_name()
                )));
            }
        }
    };
    if rest.len() > FILE_BYTES_MAX {
        return Err(invalid(format!("content is {} bytes long; at most {FILE_BYTES_MAX} are allowed", rest.len())));
    }
    let mut upload = None;
    while rest.len() > FILE_PIECE_BYTES {
        let (piece, more) = rest.split_at(FILE_PIECE_BYTES);
        upload = Some(files::append(&collection.name, upload, piece).map_err(thrown)?);
        rest = more;
    }
    finish(upload, rest).map(metadata_map).map_err(thrown)
}

/// The bytes of what was opened, all of them.
fn receive(collection: &Collection, opened: Opened, size_bytes: u64) -> Result<(Metadata, Blob)> {
    let Opened { metadata, piece, download } = opened;
    let Some(download) = download else { return Ok((metadata, piece)) };
    let size_bytes = usize::try_from(size_bytes).unwrap_or(usize::MAX);
    let mut content = Blob::with_capacity(size_bytes);
    content.extend_from_slice(&piece);
    drop(piece);
    while content.len() < size_bytes {
        let piece = files::read(&collection.name, download).map_err(thrown)?;
        if piece.is_empty() {
            return Err(error("internal", "a file ended before its size".to_owned()));
        }
        content.extend_from_slice(&piece);
    }
    Ok((metadata, content))
}

fn metadata_map(metadata: Metadata) -> Map {
    let mut map = Map::new();
    map.insert("id".into(), metadata.id.into());
    map.insert("name".into(), metadata.name.into());
    map.insert("content_type".into(), metadata.content_type.into());
    map.insert("size".into(), INT::try_from(metadata.size_bytes).unwrap_or(INT::MAX).into());
    map.insert("sha256".into(), metadata.sha256.into());
    map.insert("revision".into(), metadata.revision.into());
    map.insert("created_at".into(), instant(metadata.created_at_ms));
    map.insert("updated_at".into(), instant(metadata.updated_at_ms));
    map
}
