//! `hex`: lower-case base 16 (RFC 4648 §8); reads both cases.

use rhai::{Dynamic, Engine, ImmutableString, Module};

use super::options::bytes;
use super::{Result, function, invalid};

pub(crate) fn register(engine: &mut Engine) {
    let mut module = Module::new();
    function(&mut module, "encode", |value: Dynamic| -> Result<ImmutableString> {
        Ok(hex::encode(bytes("value", &value)?).into())
    });
    function(&mut module, "decode", |text: &str| {
        hex::decode(text).map(Dynamic::from_blob).map_err(|error| invalid(format!("not hex: {error}")))
    });
    engine.register_static_module("hex", module.into());
}
