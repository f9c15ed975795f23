//! `picloud:sandbox/secrets`.

use wasmtime::component::Linker;

use super::door::{self, Given};
use super::guest::Guest;
use super::trace;
use crate::model::grant::{Capability, Need};
use crate::model::secret::{Secret, check_name};
use crate::service;
use crate::wit::secrets::Page;

pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut instance = trace::interface(linker, "picloud:sandbox/secrets@0.1.0")?;
    instance.func_wrap_async("get", |store, (name,): (String,)| {
        Box::new(door::database(store, need(&name), name.len(), move |reach| async move {
            let secret = service::secrets::get(&reach.services, reach.app_id, &name).await?;
            let value = secret.map(|secret| secret.expose().to_owned());
            let bytes = value.as_ref().map_or(0, String::len);
            Ok(Given { value, bytes })
        }))
    })?;
    instance.func_wrap_async("set", |store, (name, value): (String, String)| {
        Box::new(door::database(store, need(&name), name.len() + value.len(), move |reach| async move {
            service::secrets::set(&reach.services, reach.app_id, &name, &Secret::new(value)).await?;
            Ok(Given { value: (), bytes: 0 })
        }))
    })?;
    instance.func_wrap_async("delete", |store, (name,): (String,)| {
        Box::new(door::database(store, need(&name), name.len(), move |reach| async move {
            let found = service::secrets::delete(&reach.services, reach.app_id, &name).await?;
            Ok(Given { value: found, bytes: 1 })
        }))
    })?;
    instance.func_wrap_async("list", |store, (after, limit): (Option<String>, u32)| {
        let after = after.unwrap_or_default();
        Box::new(door::database(store, Need::any(Capability::Secrets), after.len(), move |reach| async move {
            let (mut names, more) = service::secrets::names(&reach.services, reach.app_id, &after, limit).await?;
            let cursor = names.last().filter(|_| more).cloned();
            // A name that the script may not read is none of its business.
            names.retain(|name| reach.require(&need(name)).is_ok());
            let bytes = names.iter().map(String::len).sum();
            Ok(Given { value: Page { names, cursor }, bytes })
        }))
    })
}

/// A refusal quotes the name: what cannot be one may be a value in its place, and is judged by the service.
pub(super) fn need(name: &str) -> Need {
    match check_name(name) {
        Ok(()) => Need::new(Capability::Secrets, name),
        Err(_) => Need::any(Capability::Secrets),
    }
}
