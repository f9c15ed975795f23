//! `invoke`: other scripts of the app.

use rhai::{Dynamic, Engine, Map, Module};

use super::options::{int_option, known_options};
use super::{Result, error, function, invalid, thrown};
use crate::json::{self, EncodeError};
use crate::limits::INVOKE_ARGUMENTS_BYTES_MAX;
use crate::picloud::sandbox::invoke;

pub(crate) fn register(engine: &mut Engine) {
    let mut module = Module::new();
    function(&mut module, "call", |script: &str, arguments: Dynamic| call(script, &arguments, None));
    function(&mut module, "call", |script: &str, arguments: Dynamic, options: Map| {
        call(script, &arguments, timeout_ms(&options)?)
    });
    function(&mut module, "start", |script: &str, arguments: Dynamic| -> Result<String> {
        invoke::start(script, &encode(&arguments)?).map_err(thrown)
    });
    engine.register_static_module("invoke", module.into());
}

fn call(script: &str, arguments: &Dynamic, timeout_ms: Option<u32>) -> Result<Dynamic> {
    match invoke::call(script, &encode(arguments)?, timeout_ms).map_err(thrown)? {
        Ok(value) => json::decode(&value).map_err(|wrong| error("internal", format!("the answer is not JSON: {wrong}"))),
        Err(failure) => Err(error(&failure.code, failure.message)),
    }
}

fn encode(arguments: &Dynamic) -> Result<Vec<u8>> {
    json::encode(arguments, INVOKE_ARGUMENTS_BYTES_MAX).map_err(|wrong| match wrong {
        EncodeError::TooLarge => invalid(format!("the arguments are larger than {INVOKE_ARGUMENTS_BYTES_MAX} bytes as JSON")),
        EncodeError::NotJson(message) => invalid(format!("the arguments cannot be handed over: {message}")),
    })
}

fn timeout_ms(options: &Map) -> Result<Option<u32>> {
    known_options(options, &["timeout_ms"])?;
    let Some(asked) = int_option(options, "timeout_ms")? else { return Ok(None) };
    let refused = || invalid(format!("`timeout_ms` is {asked}: it must be 1 or more"));
    u32::try_from(asked).ok().filter(|asked| *asked > 0).map(Some).ok_or_else(refused)
}
