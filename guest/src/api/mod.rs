//! The script library: one file per module, of the same name; `options` reads what scripts pass. What leaves the instance goes through the world's imports.

pub(crate) mod base64;
pub(crate) mod crypto;
pub(crate) mod dead_letters;
pub(crate) mod docs;
pub(crate) mod email;
pub(crate) mod files;
pub(crate) mod hex;
pub(crate) mod http;
pub(crate) mod invoke;
pub(crate) mod json;
pub(crate) mod kv;
pub(crate) mod log;
mod options;
pub(crate) mod pubsub;
pub(crate) mod queue;
pub(crate) mod random;
pub(crate) mod regex;
pub(crate) mod retry;
pub(crate) mod secrets;
pub(crate) mod time;
pub(crate) mod url;

use chrono::{DateTime, SecondsFormat};
use rhai::{
    Array, Dynamic, Engine, EvalAltResult, FuncRegistration, Map, Module, NativeCallContext, Position, RhaiFunc, RhaiNativeFunc,
    Shared,
};

use crate::picloud::sandbox::types::Error;

/// What a library function answers.
pub(crate) type Result<T> = std::result::Result<T, Box<EvalAltResult>>;

pub(crate) fn register(engine: &mut Engine) {
    base64::register(engine);
    crypto::register(engine);
    dead_letters::register(engine);
    docs::register(engine);
    email::register(engine);
    files::register(engine);
    hex::register(engine);
    invoke::register(engine);
    http::register(engine);
    json::register(engine);
    kv::register(engine);
    log::register(engine);
    pubsub::register(engine);
    queue::register(engine);
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
        Error::NotConfigured(message) => ("not_configured", message),
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

/// A page of a list: `#{ items, cursor }`.
fn page(items: Array, cursor: Option<String>) -> Map {
    let mut map = Map::new();
    map.insert("items".into(), Dynamic::from_array(items));
    map.insert("cursor".into(), cursor.map_or(Dynamic::UNIT, Dynamic::from));
    map
}

/// Milliseconds since 1970 as RFC 3339 text, as `time::now` gives it.
pub(crate) fn instant(ms: i64) -> Dynamic {
    DateTime::from_timestamp_millis(ms).map_or(Dynamic::UNIT, |at| at.to_rfc3339_opts(SecondsFormat::Millis, true).into())
}
