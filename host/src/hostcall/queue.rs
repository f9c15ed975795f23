//! `picloud:sandbox/queue`.

use wasmtime::component::Linker;

use super::door::{self, Given};
use super::guest::Guest;
use super::trace;
use crate::model::event;
use crate::model::grant::{Capability, Need};
use crate::service;
use crate::wit::queue::SendOptions;

pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut instance = trace::interface(linker, "picloud:sandbox/queue@0.1.0")?;
    instance.func_wrap_async("send", |store, (name, message, options): (String, Vec<u8>, SendOptions)| {
        let bytes_out = name.len() + message.len() + options.dedup_key.as_ref().map_or(0, String::len);
        Box::new(door::database(store, need(&name), bytes_out, move |reach| async move {
            let options = options_from_guest(options);
            let id = service::queues::send(&reach.services, None, reach.app_id, reach.origin(), &name, message, options).await?;
            let id = id.to_string();
            Ok(Given { bytes: id.len(), value: id })
        }))
    })?;
    instance.func_wrap_async("size", |store, (name,): (String,)| {
        Box::new(door::database(store, need(&name), name.len(), move |reach| async move {
            let size = service::queues::size(&reach.services, reach.app_id, &name).await?;
            Ok(Given { value: size, bytes: size_of::<u64>() })
        }))
    })
}

fn need(name: &str) -> Need {
    Need::new(Capability::Queue, name)
}

pub(super) fn options_from_guest(options: SendOptions) -> event::SendOptions {
    event::SendOptions { delay_s: options.delay_s, dedup_key: options.dedup_key }
}
