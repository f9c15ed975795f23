//! `picloud:sandbox/secrets`, in a world.

use std::ops::Bound;

use wasmtime::component::Linker;

use super::Role;
use super::answers::Called;
use super::world::World;
use crate::error::{Error, Kind, Result};
use crate::hostcall::door::{self, Given};
use crate::hostcall::guest::Guest;
use crate::hostcall::secrets::need;
use crate::limits;
use crate::model::grant::{Capability, Need};
use crate::model::secret::{Secret, check_name, check_page};
use crate::wit::secrets::Page;

pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut instance = linker.instance("picloud:sandbox/secrets@0.1.0")?;
    instance.func_wrap_async("get", |store, (name,): (String,)| {
        Box::new(door::world(store, called("secrets.get", &name), name.len(), move |here| {
            check_name(&name)?;
            let value = here.world.lock().secrets.get(&name).cloned();
            let bytes = value.as_ref().map_or(0, String::len);
            Ok(Given { value, bytes })
        }))
    })?;
    instance.func_wrap_async("set", |store, (name, value): (String, String)| {
        let called = called("secrets.set", &name).with("value", value.as_str());
        Box::new(door::world(store, called, name.len() + value.len(), move |here| {
            set(&here.world, &name, value)?;
            Ok(Given { value: (), bytes: 0 })
        }))
    })?;
    instance.func_wrap_async("delete", |store, (name,): (String,)| {
        Box::new(door::world(store, called("secrets.delete", &name), name.len(), move |here| {
            check_name(&name)?;
            Ok(Given { value: here.world.lock().secrets.remove(&name).is_some(), bytes: 1 })
        }))
    })?;
    instance.func_wrap_async("list", |store, (after, limit): (Option<String>, u32)| {
        let after = after.unwrap_or_default();
        let called = Called::new("secrets.list", Need::any(Capability::Secrets), &[]);
        let called = called.with("cursor", after.as_str()).with("limit", i64::from(limit));
        Box::new(door::world(store, called, after.len(), move |here| {
            let (mut names, more) = names(&here.world, &after, limit)?;
            let cursor = names.last().filter(|_| more).cloned();
            // A name that the script may not read is none of its business.
            names.retain(|name| here.role == Role::Test || here.world.require(&need(name)).is_ok());
            let bytes = names.iter().map(String::len).sum();
            Ok(Given { value: Page { names, cursor }, bytes })
        }))
    })
}

fn set(world: &World, name: &str, value: String) -> Result<()> {
    check_name(name)?;
    let secret = Secret::new(value);
    secret.check()?;
    let (mut state, allowed) = (world.lock(), limits::SECRETS_PER_APP_MAX);
    let count = i64::try_from(state.secrets.len()).unwrap_or(i64::MAX);
    if count >= allowed && !state.secrets.contains_key(name) {
        let message = format!("the app {} has {allowed} secrets, which is all it may have; delete one first", world.slug);
        return Err(Error::new(Kind::Invalid, "limit_reached", message));
    }
    state.secrets.insert(name.to_owned(), secret.expose().to_owned());
    Ok(())
}

fn names(world: &World, after: &str, limit: u32) -> Result<(Vec<String>, bool)> {
    check_page(after, limit)?;
    let state = world.lock();
    let mut rest = state.secrets.range::<str, _>((Bound::Excluded(after), Bound::Unbounded)).map(|(name, _)| name.clone());
    let names = rest.by_ref().take(usize::try_from(limit).unwrap_or(usize::MAX)).collect();
    Ok((names, rest.next().is_some()))
}

fn called(function: &str, name: &str) -> Called {
    Called::new(function, need(name), &[("name", name)])
}
