//! What people call a thing, and its id.

use serde_json::Value;
use uuid::Uuid;

use super::api::Ask;
use super::args::InApp;
use super::output::cell;
use super::session::Session;
use crate::cli::failure::{Exit, Failure, Result};

/// A script of a command line.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) id: String,
    /// As it was named.
    pub(super) named: String,
}

/// Whether a word is an id rather than a name.
pub(super) fn is_id(word: &str) -> bool {
    word.len() == 36 && Uuid::try_parse(word).is_ok()
}

/// By id, or by name in the app that is meant.
pub(super) async fn script(session: &Session, place: &InApp, named: &str) -> Result<Script> {
    if is_id(named) {
        return Ok(Script { id: named.to_owned(), named: named.to_owned() });
    }
    let app = place.app()?;
    match script_in(session, &app, named).await? {
        Some(found) => Ok(Script { id: id_of(&found), named: named.to_owned() }),
        None => Err(no_such("script", named, &format!("in the app {}", cell(&app)))),
    }
}

/// The script of that name in an app, as a list has it.
pub(super) async fn script_in(session: &Session, app: &str, name: &str) -> Result<Option<Value>> {
    session.find(&|| Ask::get(&["admin", "scripts"]).query("app", app), |script| has(script, "name", name)).await
}

/// By id, or by what the list calls it under `field`.
pub(super) async fn in_list(session: &Session, noun: &str, ask: &dyn Fn() -> Ask, field: &str, named: &str) -> Result<String> {
    if is_id(named) {
        return Ok(named.to_owned());
    }
    let found = session.find(ask, |item| has(item, field, named)).await?;
    let found = found.ok_or_else(|| no_such(noun, named, "in the list"))?;
    // A member is called by its person.
    let id = found.get("user_id").or_else(|| found.get("id"));
    Ok(id.and_then(Value::as_str).unwrap_or_default().to_owned())
}

pub(super) fn id_of(value: &Value) -> String {
    value.get("id").and_then(Value::as_str).unwrap_or_default().to_owned()
}

pub(super) fn has(item: &Value, field: &str, text: &str) -> bool {
    item.get(field).and_then(Value::as_str) == Some(text)
}

fn no_such(noun: &str, named: &str, place: &str) -> Failure {
    Failure::new(Exit::NotFound, format!("no {noun} `{}` {place}", cell(named)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_told_from_a_name() {
        assert!(is_id("01990a6e-7777-7a10-8f3c-5e2d1c0b9a88"));
        for name in ["visits", "01990a6e77777a108f3c5e2d1c0b9a88", "{01990a6e-7777-7a10-8f3c-5e2d1c0b9a8}", ""] {
            assert!(!is_id(name), "{name}");
        }
    }
}
