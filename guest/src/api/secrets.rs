//! `secrets`: values of the app that nobody but its scripts reads. No error here quotes a name or a value.

use rhai::{Array, Dynamic, Engine, Map, Module};

use super::{Result, function, int_option, invalid, known_options, text_option, thrown};
use crate::limits::{SECRET_VALUE_BYTES_MAX, SECRETS_PAGE_ITEMS_DEFAULT};
use crate::picloud::sandbox::secrets;

pub(crate) fn register(engine: &mut Engine) {
    let mut module = Module::new();
    function(&mut module, "get", |name: &str| -> Result<Dynamic> {
        Ok(secrets::get(name).map_err(thrown)?.map_or(Dynamic::UNIT, Dynamic::from))
    });
    function(&mut module, "set", |name: &str, value: Dynamic| set(name, &value));
    function(&mut module, "delete", |name: &str| secrets::delete(name).map_err(thrown));
    function(&mut module, "list", || list(&Map::new()));
    function(&mut module, "list", |options: Map| list(&options));
    engine.register_static_module("secrets", module.into());
}

fn set(name: &str, value: &Dynamic) -> Result<()> {
    let Ok(value) = value.as_immutable_string_ref() else {
        return Err(invalid(format!("the value of a secret is {}: it must be a string", value.type_name())));
    };
    if value.len() > SECRET_VALUE_BYTES_MAX {
        return Err(invalid(format!("the value is {} bytes long; at most {SECRET_VALUE_BYTES_MAX} are allowed", value.len())));
    }
    secrets::set(name, &value).map_err(thrown)
}

fn list(options: &Map) -> Result<Map> {
    known_options(options, &["cursor", "limit"])?;
    let cursor = text_option(options, "cursor")?;
    // What does not fit becomes the host's to refuse, with its own bound.
    let limit = int_option(options, "limit")?.map(|limit| u32::try_from(limit.max(0)).unwrap_or(u32::MAX));
    let page = secrets::list(cursor.as_deref(), limit.unwrap_or(SECRETS_PAGE_ITEMS_DEFAULT)).map_err(thrown)?;
    let mut map = Map::new();
    map.insert("items".into(), Dynamic::from_array(page.names.into_iter().map(Dynamic::from).collect::<Array>()));
    map.insert("cursor".into(), page.cursor.map_or(Dynamic::UNIT, Dynamic::from));
    Ok(map)
}
