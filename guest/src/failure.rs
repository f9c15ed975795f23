//! Rhai's errors as the contract's: message, place, call chain.

use rhai::{Dynamic, EvalAltResult, ParseError, Position};

use crate::limits::{CALL_LEVELS_MAX, QUOTED_BYTES_MAX};
use crate::picloud::sandbox::program::{FailureCode, Frame, Position as At};
use crate::{Diagnostic, Failure, answer, json};

pub(crate) fn failure(code: FailureCode, message: String) -> Failure {
    Failure { code, message, script: None, at: None, calls: Vec::new() }
}

/// The response that a script threw, `throw #{ statusCode: 403, … }`, from however deep.
pub(crate) fn thrown_response(error: &EvalAltResult) -> Option<&Dynamic> {
    match error {
        EvalAltResult::ErrorInFunctionCall(_, _, inner, _) => thrown_response(inner),
        EvalAltResult::ErrorRuntime(value, _) if answer::is_response(value) => Some(value),
        _ => None,
    }
}

/// The innermost error with the calls that led to it, innermost first.
pub(crate) fn of_error(error: &EvalAltResult, script: Option<&str>) -> Failure {
    let mut calls = Vec::new();
    let mut innermost = error;
    let mut script = script;
    while let EvalAltResult::ErrorInFunctionCall(function, source, inner, at) = innermost {
        if !source.is_empty() {
            script = Some(source);
        }
        let function = if function.starts_with("anon$") { "closure" } else { function };
        calls.push(Frame { function: function.to_owned(), at: position(*at) });
        innermost = inner;
    }
    calls.reverse();
    Failure {
        code: FailureCode::ScriptError,
        message: message(innermost),
        script: script.map(str::to_owned),
        at: position(innermost.position()),
        calls,
    }
}

pub(crate) fn diagnostic(error: &ParseError) -> Diagnostic {
    Diagnostic { message: error.err_type().to_string(), at: position(error.position()) }
}

pub(crate) fn position(at: Position) -> Option<At> {
    let line = u32::try_from(at.line()?).ok()?;
    Some(At { line, column: at.position().and_then(|column| u32::try_from(column).ok()).unwrap_or(0) })
}

fn message(error: &EvalAltResult) -> String {
    match error {
        EvalAltResult::ErrorRuntime(value, _) => thrown(value),
        EvalAltResult::ErrorStackOverflow(_) => format!("functions call each other deeper than {CALL_LEVELS_MAX} levels"),
        other => without_position(other),
    }
}

/// A thrown string is the message; an error map is `code: message`; anything else is quoted as JSON.
fn thrown(value: &Dynamic) -> String {
    if value.is_unit() {
        return "the script threw ()".to_owned();
    }
    if let Ok(text) = value.as_immutable_string_ref() {
        return cut(text.to_string());
    }
    if let Ok(map) = value.as_map_ref()
        && let (Some(code), Some(message)) = (map.get("code"), map.get("message"))
    {
        return cut(format!("{code}: {message}"));
    }
    match json::encode(value, QUOTED_BYTES_MAX) {
        Ok(text) => String::from_utf8_lossy(&text).into_owned(),
        Err(_) => format!("the script threw a value of type {}", value.type_name()),
    }
}

/// Rhai ends its messages with the place; ours is a field of its own.
fn without_position(error: &EvalAltResult) -> String {
    let text = error.to_string();
    let at = error.position();
    if at.is_none() {
        return cut(text);
    }
    let suffix = format!(" ({at})");
    cut(text.strip_suffix(&suffix).map(str::to_owned).unwrap_or(text))
}

fn cut(mut text: String) -> String {
    if text.len() > QUOTED_BYTES_MAX {
        let end = (0..=QUOTED_BYTES_MAX).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}
