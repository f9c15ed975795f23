//! `json`: text to values and back.

use rhai::{Dynamic, Engine, ImmutableString, Module};

use super::{Result, function, invalid};
use crate::json::{self, EncodeError};
use crate::limits::JSON_BYTES_MAX;

pub(crate) fn register(engine: &mut Engine) {
    let mut module = Module::new();
    function(&mut module, "parse", |text: &str| parse(text));
    function(&mut module, "stringify", |value: Dynamic| stringify(&value));
    function(&mut module, "stringify_pretty", |value: Dynamic| stringify_pretty(&value));
    engine.register_static_module("json", module.into());
}

fn parse(text: &str) -> Result<Dynamic> {
    json::decode(text.as_bytes()).map_err(|error| invalid(format!("not JSON: {error}")))
}

fn stringify(value: &Dynamic) -> Result<ImmutableString> {
    text(json::encode(value, JSON_BYTES_MAX))
}

fn stringify_pretty(value: &Dynamic) -> Result<ImmutableString> {
    let compact = stringify(value)?;
    let value: serde_json::Value = serde_json::from_str(&compact).map_err(|error| invalid(format!("not JSON: {error}")))?;
    serde_json::to_string_pretty(&value).map(Into::into).map_err(|error| invalid(format!("not JSON: {error}")))
}

fn text(encoded: std::result::Result<Vec<u8>, EncodeError>) -> Result<ImmutableString> {
    match encoded {
        Ok(bytes) => String::from_utf8(bytes).map(Into::into).map_err(|_| invalid("not UTF-8".to_owned())),
        Err(EncodeError::TooLarge) => Err(invalid(format!("the value is larger than {JSON_BYTES_MAX} bytes as JSON"))),
        Err(EncodeError::NotJson(message)) => Err(invalid(message)),
    }
}
