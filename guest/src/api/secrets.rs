//! `secrets`: values of the app that nobody but its scripts reads. No error here quotes a name or a value.

use rhai::{Dynamic, Engine, Map, Module};

use super::options::{known_options, text_option, u32_option};
use super::{Result, function, invalid, page, thrown};
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
    let limit = u32_option(options, "limit")?.unwrap_or(SECRETS_PAGE_ITEMS_DEFAULT);
    let found = secrets::list(cursor.as_deref(), limit).map_err(thrown)?;
    Ok(page(found.names.into_iter().map(Dynamic::from).collect(), found.cursor))
}
