//! `picloud:sandbox/dead-letters`.

use wasmtime::component::Linker;

use super::door::{self, Given};
use super::guest::Guest;
use super::trace;
use crate::model::dead_letter::LetterQuery;
use crate::model::grant::{Capability, Need};
use crate::service;
use crate::wit::dead_letters::{ListOptions, Page};

pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut instance = trace::interface(linker, "picloud:sandbox/dead-letters@0.1.0")?;
    instance.func_wrap_async("list", |store, (options,): (ListOptions,)| {
        let bytes_out = options.after.as_ref().map_or(0, String::len);
        Box::new(door::database(store, need(), bytes_out, move |reach| async move {
            let query = query_from_guest(options);
            let page = service::dead_letters::list_json(&reach.services, reach.app_id, query).await?;
            let bytes = page.items.iter().map(Vec::len).sum();
            Ok(Given { value: Page { items: page.items, cursor: page.cursor }, bytes })
        }))
    })?;
    instance.func_wrap_async("get", |store, (id,): (String,)| {
        Box::new(door::database(store, need(), id.len(), move |reach| async move {
            let letter = service::dead_letters::get_json(&reach.services, reach.app_id, &id).await?;
            let bytes = letter.as_ref().map_or(0, Vec::len);
            Ok(Given { value: letter, bytes })
        }))
    })?;
    instance.func_wrap_async("replay", |store, (id,): (String,)| {
        Box::new(door::database(store, need(), id.len(), move |reach| async move {
            let origin = reach.origin();
            let delivery = service::dead_letters::replay_by_script(&reach.services, reach.app_id, origin, &id).await?.to_string();
            Ok(Given { bytes: delivery.len(), value: delivery })
        }))
    })?;
    instance.func_wrap_async("resolve", |store, (id, reason): (String, String)| {
        Box::new(door::database(store, need(), id.len() + reason.len(), move |reach| async move {
            let resolved = service::dead_letters::resolve_by_script(&reach.services, reach.app_id, &id, &reason).await?;
            Ok(Given { value: resolved, bytes: 1 })
        }))
    })
}

/// Letters have no names that could be granted.
fn need() -> Need {
    Need::any(Capability::DeadLetters)
}

fn query_from_guest(options: ListOptions) -> LetterQuery {
    LetterQuery { after: options.after, limit: options.limit, unresolved: options.unresolved }
}
