//! `picloud:sandbox/pubsub`.

use wasmtime::component::Linker;

use super::door::{self, Given};
use super::guest::Guest;
use super::trace;
use crate::model::grant::{Capability, Need};
use crate::service;

pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut instance = trace::interface(linker, "picloud:sandbox/pubsub@0.1.0")?;
    instance.func_wrap_async("publish", |store, (topic, message): (String, Vec<u8>)| {
        let need = Need::new(Capability::Pubsub, &topic);
        Box::new(door::database(store, need, topic.len() + message.len(), move |reach| async move {
            let id = service::topics::publish(&reach.services, None, reach.app_id, reach.origin(), &topic, message).await?;
            let id = id.to_string();
            Ok(Given { bytes: id.len(), value: id })
        }))
    })
}
