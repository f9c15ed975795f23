//! The script library: one file per module, of the same name. What leaves the instance goes through the world's imports.

pub(crate) mod base64;
pub(crate) mod crypto;
pub(crate) mod docs;
pub(crate) mod files;
pub(crate) mod hex;
pub(crate) mod http;
pub(crate) mod invoke;
pub(crate) mod json;
pub(crate) mod kv;
pub(crate) mod log;
pub(crate) mod random;
pub(crate) mod regex;
pub(crate) mod retry;
pub(crate) mod secrets;
pub(crate) mod time;
pub(crate) mod url;

use chrono::{DateTime, SecondsFormat};
use rhai::{
    Dynamic, Engine, EvalAltResult, FuncRegistration, INT, Map, Module, NativeCallContext, Position, RhaiFunc, RhaiNativeFunc,
    Shared,
};

use crate::picloud::sandbox::types::Error;

/// What a library function answers.
pub(crate) type Result<T> = std::result::Result<T, Box<EvalAltResult>>;

pub(crate) fn register(engine: &mut Engine) {
    base64::register(engine);
    crypto::register(engine);
    docs::register(engine);
    files::register(engine);
    hex::register(engine);
    invoke::register(engine);
    http::register(engine);
    json::register(engine);
    kv::register(engine);
    log::register(engine);
    random::register(engine);
    regex::register(engine);
    retry::register(engine);
    secrets::register(engine);
    time::register(engine);
    url::register(engine);
}

/// The error map `#{ code, message }` that `catch` reads.
pub(crate) fn error(code: &str, message: String) -> Box<EvalAltResult> {
    let mut map = Map::new();
    map.insert("code".into(), code.into());
    map.insert("message".into(), message.into());
    Box::new(EvalAltResult::ErrorRuntime(Dynamic::from_map(map), Position::NONE))
}

/// An argument outside what the function documents.
pub(crate) fn invalid(message: String) -> Box<EvalAltResult> {
    error("invalid_argument", message)
}

/// A host call's error as the script's.
pub(crate) fn thrown(error: Error) -> Box<EvalAltResult> {
    let (code, message) = match error {
        Error::InvalidArgument(message) => ("invalid_argument", message),
        Error::Denied(message) => ("denied", message),
        Error::NotFound(message) => ("not_found", message),
        Error::TimedOut(message) => ("timed_out", message),
        Error::Conflict(message) => ("conflict", message),
        Error::LimitExceeded(message) => ("limit_exceeded", message),
        Error::Corrupt(message) => ("corrupt", message),
        Error::Unavailable(message) => ("unavailable", message),
        Error::Internal(message) => ("internal", message),
    };
    self::error(code, message)
}

/// Adds a function to a module. Rhai gives errors of `module::function` calls no place: this one does.
fn function<A: 'static, const N: usize, const X: bool, R, const F: bool, FUNC>(module: &mut Module, name: &str, function: FUNC)
where
    R: rhai::Variant + Clone,
    FUNC: RhaiNativeFunc<A, N, X, R, F> + 'static,
{
    let function = match function.into_rhai_function(true, false) {
        RhaiFunc::Pure { func, is_pure, is_volatile, .. } => {
            RhaiFunc::Pure { func: placed(func), has_context: true, is_pure, is_volatile }
        }
        RhaiFunc::Method { func, is_pure, is_volatile, .. } => {
            RhaiFunc::Method { func: placed(func), has_context: true, is_pure, is_volatile }
        }
        other => other,
    };
    FuncRegistration::new(name).set_into_module_raw(module, FUNC::param_types(), function);
}

/// A native function as Rhai holds it.
type Native = dyn Fn(Option<NativeCallContext<'_>>, &mut [&mut Dynamic]) -> Result<Dynamic>;

fn placed(function: Shared<Native>) -> Shared<Native> {
    Shared::new(move |context: Option<NativeCallContext<'_>>, arguments: &mut [&mut Dynamic]| {
        let at = context.as_ref().map_or(Position::NONE, NativeCallContext::call_position);
        function(context, arguments).map_err(|mut error| {
            if error.position().is_none() {
                error.set_position(at);
            }
            error
        })
    })
}

/// The bytes of a string or a blob.
fn bytes(name: &str, value: &Dynamic) -> Result<Vec<u8>> {
    if let Ok(text) = value.as_immutable_string_ref() {
        return Ok(text.as_bytes().to_vec());
    }
    match value.as_blob_ref() {
        Ok(blob) => Ok(blob.to_vec()),
        Err(_) => Err(invalid(format!("`{name}` is {}: it must be a string or a blob", value.type_name()))),
    }
}

/// Refuses option keys that the function does not know: a misspelt option would otherwise do nothing, silently.
fn known_options(options: &Map, known: &[&str]) -> Result<()> {
    match options.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(invalid(format!("unknown option `{key}`: known are {}", known.join(", ")))),
        None => Ok(()),
    }
}

/// A string among the options; `()` is as good as none.
fn text_option(options: &Map, name: &str) -> Result<Option<String>> {
    match options.get(name) {
        None => Ok(None),
        Some(value) if value.is_unit() => Ok(None),
        Some(value) => match value.as_immutable_string_ref() {
            Ok(text) => Ok(Some(text.to_string())),
            Err(_) => Err(invalid(format!("`{name}` is {}: it must be a string", value.type_name()))),
        },
    }
}

/// An integer among the options; `()` is as good as none.
fn int_option(options: &Map, name: &str) -> Result<Option<INT>> {
    match options.get(name) {
        None => Ok(None),
        Some(value) if value.is_unit() => Ok(None),
        Some(value) => integer(name, value).map(Some),
    }
}

fn integer(name: &str, value: &Dynamic) -> Result<INT> {
    value.as_int().map_err(|kind| invalid(format!("`{name}` is {kind}: it must be an integer")))
}

/// Milliseconds since 1970 as RFC 3339 text, as `time::now` gives it.
fn instant(ms: i64) -> Dynamic {
    DateTime::from_timestamp_millis(ms).map_or(Dynamic::UNIT, |at| at.to_rfc3339_opts(SecondsFormat::Millis, true).into())
}
