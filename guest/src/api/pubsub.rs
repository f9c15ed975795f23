//! `pubsub`: messages for everyone who listens.

use rhai::{Dynamic, Engine, Module};

use super::options::message;
use super::{Result, function, thrown};
use crate::picloud::sandbox::pubsub;

pub(crate) fn register(engine: &mut Engine) {
    let mut module = Module::new();
    function(&mut module, "publish", |topic: &str, message: Dynamic| publish(topic, &message));
    // The name that scripts of the old platform use.
    function(&mut module, "publish_durable", |topic: &str, message: Dynamic| publish(topic, &message));
    engine.register_static_module("pubsub", module.into());
}

fn publish(topic: &str, value: &Dynamic) -> Result<String> {
    pubsub::publish(topic, &message(value)?).map_err(thrown)
}
