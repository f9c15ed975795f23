//! `picloud:sandbox/pubsub`.

use wasmtime::component::Linker;

use super::door::{self, Given};
use super::guest::Guest;
use super::trace;
use crate::model::grant::{Capability, Need};
use crate::model::topic::NewSubscriberToken;
use crate::service;

pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut instance = trace::interface(linker, "picloud:sandbox/pubsub@0.1.0")?;
    instance.func_wrap_async("publish", |store, (topic, message): (String, Vec<u8>)| {
        Box::new(door::database(store, need(&topic), topic.len() + message.len(), move |reach| async move {
            let id = service::topics::publish(&reach.services, None, reach.app_id, reach.origin(), &topic, message).await?;
            let id = id.to_string();
            Ok(Given { bytes: id.len(), value: id })
        }))
    })?;
    instance.func_wrap_async("subscriber-token", |store, (topics, ttl_s): (Vec<String>, Option<i64>)| {
        let first = topics.first().map_or_else(|| Need::any(Capability::Pubsub), |topic| need(topic));
        let bytes_out = topics.iter().map(String::len).sum();
        Box::new(door::database(store, first, bytes_out, move |reach| async move {
            // A pattern needs a grant for all that it covers: no name of a topic has the `*` that it ends in.
            topics.iter().try_for_each(|topic| reach.require(&need(topic)))?;
            let new = NewSubscriberToken { topics, ttl_s };
            let made = service::subscriber_tokens::create_for(&reach.services, reach.caller.script_id, reach.app_id, new).await;
            let token = made?;
            Ok(Given { bytes: token.len(), value: token })
        }))
    })
}

fn need(topics: &str) -> Need {
    Need::new(Capability::Pubsub, topics)
}
