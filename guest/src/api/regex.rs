//! `regex`: the syntax of the Rust `regex` crate (linear time; no look-around, no back-references).

use std::cell::RefCell;

use regex::{Captures, Regex, RegexBuilder};
use rhai::{Array, Dynamic, Engine, ImmutableString, Map, Module};

use super::{Result, function, invalid};
use crate::limits::{REGEX_BYTES_MAX, REGEX_CACHE_MAX};

thread_local! {
    /// Patterns of this invocation, oldest first: a loop compiles its pattern once.
    static COMPILED: RefCell<Vec<(String, Regex)>> = const { RefCell::new(Vec::new()) };
}

pub(crate) fn register(engine: &mut Engine) {
    let mut module = Module::new();
    function(&mut module, "is_match", |pattern: &str, text: &str| -> Result<bool> { Ok(compile(pattern)?.is_match(text)) });
    function(&mut module, "find", |pattern: &str, text: &str| -> Result<Dynamic> {
        Ok(compile(pattern)?.find(text).map_or(Dynamic::UNIT, |found| found.as_str().into()))
    });
    function(&mut module, "find_all", |pattern: &str, text: &str| -> Result<Array> {
        Ok(compile(pattern)?.find_iter(text).map(|found| found.as_str().into()).collect())
    });
    function(&mut module, "captures", |pattern: &str, text: &str| -> Result<Dynamic> {
        let regex = compile(pattern)?;
        Ok(regex.captures(text).map_or(Dynamic::UNIT, |found| groups(&regex, &found)))
    });
    function(&mut module, "captures_all", |pattern: &str, text: &str| -> Result<Array> {
        let regex = compile(pattern)?;
        Ok(regex.captures_iter(text).map(|found| groups(&regex, &found)).collect())
    });
    function(&mut module, "replace", |pattern: &str, text: &str, with: &str| -> Result<ImmutableString> {
        Ok(compile(pattern)?.replace(text, with).into_owned().into())
    });
    function(&mut module, "replace_all", |pattern: &str, text: &str, with: &str| -> Result<ImmutableString> {
        Ok(compile(pattern)?.replace_all(text, with).into_owned().into())
    });
    function(&mut module, "split", |pattern: &str, text: &str| -> Result<Array> {
        Ok(compile(pattern)?.split(text).map(|part| part.into()).collect())
    });
    function(&mut module, "escape", |text: &str| -> ImmutableString { regex::escape(text).into() });
    engine.register_static_module("regex", module.into());
}

/// Groups by number (`"0"` is the whole match) and by name; one that took no part is unit.
fn groups(regex: &Regex, found: &Captures<'_>) -> Dynamic {
    let mut map = Map::new();
    for (number, name) in regex.capture_names().enumerate() {
        let value = found.get(number).map_or(Dynamic::UNIT, |group| group.as_str().into());
        if let Some(name) = name {
            map.insert(name.into(), value.clone());
        }
        map.insert(number.to_string().into(), value);
    }
    Dynamic::from_map(map)
}

fn compile(pattern: &str) -> Result<Regex> {
    COMPILED.with_borrow_mut(|compiled| {
        if let Some((_, regex)) = compiled.iter().find(|(known, _)| known == pattern) {
            return Ok(regex.clone());
        }
        let regex = RegexBuilder::new(pattern)
            .size_limit(REGEX_BYTES_MAX)
            .dfa_size_limit(REGEX_BYTES_MAX)
            .build()
            .map_err(|error| invalid(format!("not a regular expression: {error}")))?;
        if compiled.len() == REGEX_CACHE_MAX {
            compiled.remove(0);
        }
        compiled.push((pattern.to_owned(), regex.clone()));
        Ok(regex)
    })
}
