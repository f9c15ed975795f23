//! `retry`: a function run again when it throws.

use rhai::{Dynamic, Engine, EvalAltResult, FnPtr, Map, Module, NativeCallContext};

use super::options::{int_option, known_options};
use super::{Result, function, invalid, thrown};
use crate::failure::thrown_response;
use crate::limits::{RETRY_ATTEMPTS_DEFAULT, RETRY_ATTEMPTS_MAX, RETRY_BASE_MS_DEFAULT, RETRY_PAUSE_MS_MAX};
use crate::picloud::sandbox::retry;

pub(crate) fn register(engine: &mut Engine) {
    let mut module = Module::new();
    function(&mut module, "run", |context: NativeCallContext, work: FnPtr| run(&context, &work, &Map::new()));
    function(&mut module, "run", |context: NativeCallContext, work: FnPtr, options: Map| run(&context, &work, &options));
    engine.register_static_module("retry", module.into());
}

fn run(context: &NativeCallContext, work: &FnPtr, options: &Map) -> Result<Dynamic> {
    known_options(options, &["attempts", "base_ms"])?;
    let attempts = bounded(options, "attempts", RETRY_ATTEMPTS_DEFAULT, 1, RETRY_ATTEMPTS_MAX)?;
    let mut pause_ms = bounded(options, "base_ms", RETRY_BASE_MS_DEFAULT, 0, RETRY_PAUSE_MS_MAX)?;
    for _ in 1..attempts {
        match work.call_within_context(context, ()) {
            Err(error) if may_pass(&error) => {}
            done => return done,
        }
        retry::pause(pause_ms).map_err(thrown)?;
        pause_ms = (pause_ms * 2).min(RETRY_PAUSE_MS_MAX);
    }
    work.call_within_context(context, ())
}

/// A response that was thrown is meant, and what a repeat cannot mend is not repeated.
fn may_pass(error: &EvalAltResult) -> bool {
    match error {
        EvalAltResult::ErrorInFunctionCall(_, _, inner, _) => may_pass(inner),
        EvalAltResult::ErrorRuntime(value, _) => {
            let code = value.as_map_ref().ok().and_then(|map| map.get("code")?.clone().into_immutable_string().ok());
            let lasting = ["invalid_argument", "denied", "limit_exceeded", "not_configured"];
            let lasting = code.is_some_and(|code| lasting.contains(&code.as_str()));
            !lasting && thrown_response(error).is_none()
        }
        // The script's own mistake.
        _ => false,
    }
}

fn bounded(options: &Map, name: &str, default: u32, low: u32, high: u32) -> Result<u32> {
    let Some(asked) = int_option(options, name)? else { return Ok(default) };
    u32::try_from(asked)
        .ok()
        .filter(|asked| (low..=high).contains(asked))
        .ok_or_else(|| invalid(format!("`{name}` is {asked}: {low} to {high} are allowed")))
}
