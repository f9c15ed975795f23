//! What scripts pass: maps of options, and values of a wanted type. Anything else is `invalid_argument`, by name.

use rhai::{Dynamic, INT, Map};

use super::{Result, invalid};
use crate::json::{self, EncodeError};
use crate::limits::MESSAGE_BYTES_MAX;

/// Refuses option keys that the function does not know: a misspelt option would otherwise do nothing, silently.
pub(super) fn known_options(options: &Map, known: &[&str]) -> Result<()> {
    match options.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(invalid(format!("unknown option `{key}`: known are {}", known.join(", ")))),
        None => Ok(()),
    }
}

/// An option; `()` is as good as none.
pub(super) fn option<'a>(options: &'a Map, name: &str) -> Option<&'a Dynamic> {
    options.get(name).filter(|value| !value.is_unit())
}

pub(super) fn text_option(options: &Map, name: &str) -> Result<Option<String>> {
    option(options, name).map(|value| text(name, value)).transpose()
}

pub(super) fn int_option(options: &Map, name: &str) -> Result<Option<INT>> {
    option(options, name).map(|value| integer(name, value)).transpose()
}

pub(super) fn bool_option(options: &Map, name: &str) -> Result<Option<bool>> {
    let refused = |kind| invalid(format!("`{name}` is {kind}: it must be a boolean"));
    option(options, name).map(|value| value.as_bool().map_err(refused)).transpose()
}

/// What does not fit becomes the host's to refuse, with its own bound.
pub(super) fn u32_option(options: &Map, name: &str) -> Result<Option<u32>> {
    Ok(int_option(options, name)?.map(|value| u32::try_from(value.max(0)).unwrap_or(u32::MAX)))
}

pub(super) fn text(name: &str, value: &Dynamic) -> Result<String> {
    match value.as_immutable_string_ref() {
        Ok(text) => Ok(text.to_string()),
        Err(_) => Err(invalid(format!("`{name}` is {}: it must be a string", value.type_name()))),
    }
}

pub(super) fn integer(name: &str, value: &Dynamic) -> Result<INT> {
    value.as_int().map_err(|kind| invalid(format!("`{name}` is {kind}: it must be an integer")))
}

/// The bytes of a string or a blob.
pub(super) fn bytes(name: &str, value: &Dynamic) -> Result<Vec<u8>> {
    if let Ok(text) = value.as_immutable_string_ref() {
        return Ok(text.as_bytes().to_vec());
    }
    match value.as_blob_ref() {
        Ok(blob) => Ok(blob.to_vec()),
        Err(_) => Err(invalid(format!("`{name}` is {}: it must be a string or a blob", value.type_name()))),
    }
}

/// What is sent to a queue or a topic, as JSON text.
pub(super) fn message(value: &Dynamic) -> Result<Vec<u8>> {
    json::encode(value, MESSAGE_BYTES_MAX).map_err(|wrong| match wrong {
        EncodeError::TooLarge => invalid(format!("the message is larger than {MESSAGE_BYTES_MAX} bytes as JSON")),
        EncodeError::NotJson(message) => invalid(format!("the message cannot be sent: {message}")),
    })
}
