//! `pubsub`: messages for everyone who listens.

use rhai::{Array, Dynamic, Engine, INT, Map, Module};

use super::options::{int_option, known_options, message, text};
use super::{Result, function, thrown};
use crate::picloud::sandbox::pubsub;

pub(crate) fn register(engine: &mut Engine) {
    let mut module = Module::new();
    function(&mut module, "publish", |topic: &str, message: Dynamic| publish(topic, &message));
    // The name that scripts of the old platform use.
    function(&mut module, "publish_durable", |topic: &str, message: Dynamic| publish(topic, &message));
    function(&mut module, "subscriber_token", |topic: &str| subscriber_token(&[topic.into()], None));
    function(&mut module, "subscriber_token", |topic: &str, ttl_s: INT| subscriber_token(&[topic.into()], Some(ttl_s)));
    function(&mut module, "subscriber_token", |topic: &str, options: Map| subscriber_token(&[topic.into()], life(&options)?));
    function(&mut module, "subscriber_token", |topics: Array| subscriber_token(&topics, None));
    function(&mut module, "subscriber_token", |topics: Array, ttl_s: INT| subscriber_token(&topics, Some(ttl_s)));
    function(&mut module, "subscriber_token", |topics: Array, options: Map| subscriber_token(&topics, life(&options)?));
    engine.register_static_module("pubsub", module.into());
}

fn publish(topic: &str, value: &Dynamic) -> Result<String> {
    pubsub::publish(topic, &message(value)?).map_err(thrown)
}

fn subscriber_token(topics: &[Dynamic], ttl_s: Option<INT>) -> Result<String> {
    let topics = topics.iter().map(|topic| text("topics", topic)).collect::<Result<Vec<_>>>()?;
    pubsub::subscriber_token(&topics, ttl_s).map_err(thrown)
}

fn life(options: &Map) -> Result<Option<INT>> {
    known_options(options, &["ttl_s"])?;
    int_option(options, "ttl_s")
}
