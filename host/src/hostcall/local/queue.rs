//! `picloud:sandbox/queue` and `picloud:sandbox/pubsub`, in a world: messages are kept, in order.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::value::RawValue;
use wasmtime::component::Linker;

use super::Role;
use super::answers::Called;
use super::events::{Message, text};
use super::world::World;
use crate::error::Result;
use crate::hostcall::door::{self, Given};
use crate::hostcall::guest::Guest;
use crate::hostcall::queue::options_from_guest;
use crate::id::EventId;
use crate::model::event::{Origin, SendOptions, Source};
use crate::model::grant::{Capability, Need};
use crate::model::queue::{check_delay, check_key, message_text};
use crate::model::text::hex;
use crate::model::topic::NewSubscriberToken;
use crate::model::trigger::{check_queue, check_topic};
use crate::wit::queue as wit;

pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut instance = linker.instance("picloud:sandbox/queue@0.1.0")?;
    instance.func_wrap_async("send", |store, (name, message, options): (String, Vec<u8>, wit::SendOptions)| {
        let bytes_out = name.len() + message.len() + options.dedup_key.as_ref().map_or(0, String::len);
        let called = Called::new("queue.send", need(&name), &[("name", name.as_str())])
            .with("message", message.as_slice())
            .with("delay_s", options.delay_s)
            .with("dedup_key", options.dedup_key.as_deref());
        Box::new(door::world(store, called, bytes_out, move |here| {
            let id = send(&here.world, here.origin(), &name, message, options_from_guest(options))?.to_string();
            Ok(Given { bytes: id.len(), value: id })
        }))
    })?;
    instance.func_wrap_async("size", |store, (name,): (String,)| {
        let called = Called::new("queue.size", need(&name), &[("name", name.as_str())]);
        Box::new(door::world(store, called, name.len(), move |here| {
            check_queue(&name)?;
            Ok(Given { value: here.world.lock().events.queued(&name), bytes: size_of::<u64>() })
        }))
    })?;
    let mut instance = linker.instance("picloud:sandbox/pubsub@0.1.0")?;
    instance.func_wrap_async("publish", |store, (topic, message): (String, Vec<u8>)| {
        let called = Called::new("pubsub.publish", need_topic(&topic), &[("topic", topic.as_str())]);
        let called = called.with("message", message.as_slice());
        Box::new(door::world(store, called, topic.len() + message.len(), move |here| {
            let id = publish(&here.world, here.origin(), &topic, message)?.to_string();
            Ok(Given { bytes: id.len(), value: id })
        }))
    })?;
    instance.func_wrap_async("subscriber-token", |store, (topics, ttl_s): (Vec<String>, Option<i64>)| {
        let first = topics.first().map_or_else(|| Need::any(Capability::Pubsub), |topic| need_topic(topic));
        let called = Called::about("pubsub.subscriber_token", first, &topics.join(" "));
        let called = called.with("topics", topics.as_slice()).with("ttl_s", ttl_s);
        let bytes_out = topics.iter().map(String::len).sum();
        Box::new(door::world(store, called, bytes_out, move |here| {
            if here.role != Role::Test {
                topics.iter().try_for_each(|topic| here.world.require(&need_topic(topic)))?;
            }
            NewSubscriberToken { topics, ttl_s }.check(here.world.now())?;
            // Nobody subscribes to a world: it is a token by its looks.
            let mut secret = [0; 32];
            here.world.fill(&mut secret);
            let token = format!("picr_{}", hex(&secret));
            Ok(Given { bytes: token.len(), value: token })
        }))
    })
}

fn need_topic(topics: &str) -> Need {
    Need::new(Capability::Pubsub, topics)
}

/// What a handler sees of a message of a queue.
#[derive(Serialize)]
struct Queued<'a> {
    name: &'a str,
    message: &'a RawValue,
    enqueued_at: DateTime<Utc>,
}

/// The same of a topic.
#[derive(Serialize)]
struct Published<'a> {
    topic: &'a str,
    message: &'a RawValue,
    published_at: DateTime<Utc>,
}

fn send(world: &World, origin: Origin, name: &str, message: Vec<u8>, options: SendOptions) -> Result<EventId> {
    check_queue(name)?;
    let body = message_text(message)?;
    let delay_s = options.delay_s.unwrap_or(0);
    check_delay(delay_s)?;
    options.dedup_key.as_deref().map_or(Ok(()), check_key)?;
    let now = world.now();
    let mut state = world.lock();
    if let Some(holder) = options.dedup_key.as_deref().and_then(|key| state.events.holder(name, key, now)) {
        return Ok(holder);
    }
    let about = text(&Queued { name, message: &body, enqueued_at: now })?;
    let message = Message { source: Source::Queue, op: "send", name, about, body: body.get(), delay_s };
    let id = world.send(&mut state, origin, &message)?;
    if let Some(key) = options.dedup_key {
        state.events.hold(name, key, id, now);
    }
    Ok(id)
}

fn publish(world: &World, origin: Origin, topic: &str, message: Vec<u8>) -> Result<EventId> {
    check_topic(topic)?;
    let body = message_text(message)?;
    let about = text(&Published { topic, message: &body, published_at: world.now() })?;
    let message = Message { source: Source::Pubsub, op: "publish", name: topic, about, body: body.get(), delay_s: 0 };
    world.send(&mut world.lock(), origin, &message)
}

fn need(name: &str) -> Need {
    Need::new(Capability::Queue, name)
}
