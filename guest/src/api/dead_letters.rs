//! `dead_letters`: deliveries that failed for the last time.

use rhai::{Dynamic, Engine, Map, Module};

use super::options::{bool_option, known_options, text_option, u32_option};
use super::{Result, error, function, page, thrown};
use crate::json;
use crate::limits::DEAD_LETTERS_PAGE_ITEMS_DEFAULT;
use crate::picloud::sandbox::dead_letters::{self, ListOptions};

pub(crate) fn register(engine: &mut Engine) {
    let mut module = Module::new();
    function(&mut module, "list", || list(&Map::new()));
    function(&mut module, "list", |options: Map| list(&options));
    function(&mut module, "get", |id: &str| -> Result<Dynamic> {
        dead_letters::get(id).map_err(thrown)?.map_or(Ok(Dynamic::UNIT), |letter| decode(&letter))
    });
    function(&mut module, "replay", |id: &str| dead_letters::replay(id).map_err(thrown));
    function(&mut module, "resolve", |id: &str, reason: &str| dead_letters::resolve(id, reason).map_err(thrown));
    engine.register_static_module("dead_letters", module.into());
}

fn list(options: &Map) -> Result<Map> {
    known_options(options, &["limit", "cursor", "unresolved"])?;
    let asked = ListOptions {
        after: text_option(options, "cursor")?,
        limit: u32_option(options, "limit")?.unwrap_or(DEAD_LETTERS_PAGE_ITEMS_DEFAULT),
        unresolved: bool_option(options, "unresolved")?.unwrap_or(true),
    };
    let found = dead_letters::list(&asked).map_err(thrown)?;
    Ok(page(found.items.iter().map(|letter| decode(letter)).collect::<Result<_>>()?, found.cursor))
}

fn decode(letter: &[u8]) -> Result<Dynamic> {
    json::decode_wrapped(letter).map_err(|wrong| error("internal", format!("the dead letter is not JSON: {wrong}")))
}
