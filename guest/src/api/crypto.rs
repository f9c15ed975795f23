//! `crypto`: SHA-256 (FIPS 180-4), HMAC (RFC 2104), comparison in constant time, random ids (RFC 9562 v4).

use hmac::{Hmac, KeyInit, Mac};
use rhai::{Dynamic, Engine, ImmutableString, Module};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::options::bytes;
use super::{Result, function, invalid, random};

pub(crate) fn register(engine: &mut Engine) {
    let mut module = Module::new();
    function(&mut module, "sha256", |value: Dynamic| sha256(&value));
    function(&mut module, "hmac_sha256", |key: Dynamic, value: Dynamic| hmac_sha256(&key, &value));
    function(&mut module, "equal", |a: Dynamic, b: Dynamic| equal(&a, &b));
    function(&mut module, "uuid", random::uuid);
    engine.register_static_module("crypto", module.into());
}

fn sha256(value: &Dynamic) -> Result<ImmutableString> {
    Ok(hex::encode(Sha256::digest(bytes("value", value)?)).into())
}

fn hmac_sha256(key: &Dynamic, value: &Dynamic) -> Result<ImmutableString> {
    let mut mac = Hmac::<Sha256>::new_from_slice(&bytes("key", key)?).map_err(|_| invalid("`key` cannot be used".to_owned()))?;
    mac.update(&bytes("value", value)?);
    Ok(hex::encode(mac.finalize().into_bytes()).into())
}

/// Takes as long for equal as for different values of one length.
fn equal(a: &Dynamic, b: &Dynamic) -> Result<bool> {
    Ok(bytes("a", a)?.ct_eq(&bytes("b", b)?).into())
}
