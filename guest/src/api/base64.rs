//! `base64`: RFC 4648, standard and URL-safe.

use base64::Engine as _;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rhai::{Dynamic, Engine, ImmutableString, Module};

use super::options::bytes;
use super::{Result, function, invalid};

pub(crate) fn register(engine: &mut Engine) {
    let mut module = Module::new();
    function(&mut module, "encode", |value: Dynamic| encode(&STANDARD, &value));
    function(&mut module, "encode_url", |value: Dynamic| encode(&URL_SAFE_NO_PAD, &value));
    function(&mut module, "decode", |text: &str| decode(&STANDARD, text));
    function(&mut module, "decode_url", |text: &str| decode(&URL_SAFE_NO_PAD, text.trim_end_matches('=')));
    engine.register_static_module("base64", module.into());
}

fn encode(alphabet: &GeneralPurpose, value: &Dynamic) -> Result<ImmutableString> {
    Ok(alphabet.encode(bytes("value", value)?).into())
}

fn decode(alphabet: &GeneralPurpose, text: &str) -> Result<Dynamic> {
    alphabet.decode(text).map(Dynamic::from_blob).map_err(|error| invalid(format!("not base64: {error}")))
}
