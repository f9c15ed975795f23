//! `queue`: messages for one consumer.

use rhai::{Dynamic, Engine, INT, Map, Module};

use super::options::{int_option, known_options, message, text_option};
use super::{Result, function, thrown};
use crate::picloud::sandbox::queue::{self, SendOptions};

pub(crate) fn register(engine: &mut Engine) {
    let mut module = Module::new();
    function(&mut module, "send", |name: &str, message: Dynamic| send(name, &message, &Map::new()));
    function(&mut module, "send", |name: &str, message: Dynamic, options: Map| send(name, &message, &options));
    function(&mut module, "size", |name: &str| -> Result<INT> {
        Ok(INT::try_from(queue::size(name).map_err(thrown)?).unwrap_or(INT::MAX))
    });
    engine.register_static_module("queue", module.into());
}

fn send(name: &str, value: &Dynamic, options: &Map) -> Result<String> {
    known_options(options, &["delay_s", "dedup_key"])?;
    let options = SendOptions { delay_s: int_option(options, "delay_s")?, dedup_key: text_option(options, "dedup_key")? };
    queue::send(name, &message(value)?, &options).map_err(thrown)
}
