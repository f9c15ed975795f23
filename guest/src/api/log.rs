//! `log`: the execution's own log.

use rhai::{Dynamic, Engine, Module};

use super::function;
use crate::json::{self, EncodeError};
use crate::limits::LOG_DATA_BYTES_MAX;
use crate::picloud::sandbox::log::{Level, write};

pub(crate) fn register(engine: &mut Engine) {
    let mut module = Module::new();
    for (name, level) in [("trace", Level::Trace), ("info", Level::Info), ("warn", Level::Warn), ("error", Level::Error)] {
        function(&mut module, name, move |message: Dynamic| line(level, &message, None));
        function(&mut module, name, move |message: Dynamic, data: Dynamic| line(level, &message, Some(&data)));
    }
    engine.register_static_module("log", module.into());
}

/// Logging never fails a script: data without a JSON form is written as text.
fn line(level: Level, message: &Dynamic, data: Option<&Dynamic>) {
    let data = data.map(|data| match json::encode(data, LOG_DATA_BYTES_MAX) {
        Ok(text) => String::from_utf8_lossy(&text).into_owned(),
        Err(EncodeError::TooLarge) => format!("\"data larger than {LOG_DATA_BYTES_MAX} bytes\""),
        Err(EncodeError::NotJson(_)) => serde_json::Value::from(data.to_string()).to_string(),
    });
    match message.as_immutable_string_ref() {
        Ok(message) => write(level, &message, data.as_deref()),
        Err(_) => write(level, &message.to_string(), data.as_deref()),
    }
}
