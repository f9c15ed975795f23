//! `picloud:sandbox/dead-letters`, in a world: there are none but those that a test has scripted.

use serde_json::Value;
use wasmtime::component::Linker;

use super::Here;
use super::answers::{Called, Outcome};
use crate::error::{Error, Result};
use crate::hostcall::door::{self, Given};
use crate::hostcall::guest::Guest;
use crate::limits;
use crate::model::grant::{Capability, Need};
use crate::model::page::check_limit;
use crate::wit::dead_letters::{ListOptions, Page};

pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut instance = linker.instance("picloud:sandbox/dead-letters@0.1.0")?;
    instance.func_wrap_async("list", |store, (options,): (ListOptions,)| {
        let bytes_out = options.after.as_ref().map_or(0, String::len);
        let called = called("dead_letters.list", &[]).with("limit", i64::from(options.limit));
        Box::new(door::world(store, called, bytes_out, move |here| {
            check_limit(options.limit, limits::DEAD_LETTER_PAGE_ITEMS_MAX)?;
            let letters = match scripted(here, "dead_letters.list") {
                Some(Value::Array(letters)) => letters,
                _ => Vec::new(),
            };
            let items: Vec<Vec<u8>> = letters.iter().map(|letter| letter.to_string().into_bytes()).collect();
            let bytes = items.iter().map(Vec::len).sum();
            Ok(Given { value: Page { items, cursor: None }, bytes })
        }))
    })?;
    instance.func_wrap_async("get", |store, (id,): (String,)| {
        Box::new(door::world(store, called("dead_letters.get", &[("id", id.as_str())]), id.len(), move |here| {
            let letter = scripted(here, &format!("dead_letters.get {id}")).filter(|letter| !letter.is_null());
            let value = letter.map(|letter| letter.to_string().into_bytes());
            let bytes = value.as_ref().map_or(0, Vec::len);
            Ok(Given { value, bytes })
        }))
    })?;
    instance.func_wrap_async("replay", |store, (id,): (String,)| {
        Box::new(door::world(store, called("dead_letters.replay", &[("id", id.as_str())]), id.len(), move |here| {
            let delivery = known(here, "replay", &id)?.as_str().map_or_else(|| id.clone(), str::to_owned);
            Ok(Given { bytes: delivery.len(), value: delivery })
        }))
    })?;
    instance.func_wrap_async("resolve", |store, (id, reason): (String, String)| {
        let called = called("dead_letters.resolve", &[("id", id.as_str())]).with("reason", reason.as_str());
        Box::new(door::world(store, called, id.len() + reason.len(), move |here| {
            Ok(Given { value: known(here, "resolve", &id)?.as_bool().unwrap_or(true), bytes: 1 })
        }))
    })
}

fn scripted(here: &Here, what: &str) -> Option<Value> {
    match here.world.scripted_answer(what) {
        Some(Outcome::Answer(value)) => Some(value),
        _ => None,
    }
}

/// What was scripted for a letter; 404 where nothing was.
fn known(here: &Here, function: &str, id: &str) -> Result<Value> {
    scripted(here, &format!("dead_letters.{function} {id}")).ok_or_else(|| Error::not_found("dead letter"))
}

fn called(function: &str, names: &[(&'static str, &str)]) -> Called {
    Called::new(function, Need::any(Capability::DeadLetters), names)
}
