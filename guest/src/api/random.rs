//! `random`: one ChaCha12 stream per invocation, seeded by 32 bytes from the host; so a run can be replayed from its journal.

use std::cell::RefCell;

use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;
use rhai::{Array, Dynamic, Engine, INT, ImmutableString, Module};

use super::{Result, function, invalid};
use crate::limits::RANDOM_LEN_MAX;
use crate::wasi::random::random::get_random_bytes;

const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

thread_local! {
    /// Seeded at first use, never before an image is taken.
    static STREAM: RefCell<Option<ChaCha12Rng>> = const { RefCell::new(None) };
}

pub(crate) fn register(engine: &mut Engine) {
    let mut module = Module::new();
    function(&mut module, "int", int);
    function(&mut module, "float", || with(|stream| stream.random::<f64>()));
    function(&mut module, "bool", || with(|stream| stream.random::<bool>()));
    function(&mut module, "bytes", |len: INT| -> Result<Dynamic> {
        let mut bytes = vec![0; length(len)?];
        with(|stream| stream.fill_bytes(&mut bytes));
        Ok(Dynamic::from_blob(bytes))
    });
    function(&mut module, "string", |len: INT| -> Result<ImmutableString> {
        let len = length(len)?;
        Ok(with(|stream| (0..len).filter_map(|_| LETTERS.choose(stream)).map(|letter| char::from(*letter)).collect::<String>())
            .into())
    });
    function(&mut module, "choice", |items: Array| with(|stream| items.choose(stream).cloned().unwrap_or(Dynamic::UNIT)));
    function(&mut module, "shuffle", |mut items: Array| {
        with(|stream| items.shuffle(stream));
        items
    });
    function(&mut module, "uuid", uuid);
    engine.register_static_module("random", module.into());
}

/// A random UUID, version 4 (RFC 9562 §5.4).
pub(crate) fn uuid() -> ImmutableString {
    let mut bytes = with(|stream| stream.random::<[u8; 16]>());
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits = hex::encode(bytes);
    format!("{}-{}-{}-{}-{}", &digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]).into()
}

/// Both ends are included.
fn int(low: INT, high: INT) -> Result<INT> {
    if low > high {
        return Err(invalid(format!("`low` is {low} and `high` is {high}: low must not be above high")));
    }
    Ok(with(|stream| stream.random_range(low..=high)))
}

fn length(len: INT) -> Result<usize> {
    usize::try_from(len)
        .ok()
        .filter(|len| *len <= RANDOM_LEN_MAX)
        .ok_or_else(|| invalid(format!("length is {len}: it must be from 0 to {RANDOM_LEN_MAX}")))
}

fn with<R>(draw: impl FnOnce(&mut ChaCha12Rng) -> R) -> R {
    STREAM.with_borrow_mut(|stream| {
        draw(stream.get_or_insert_with(|| {
            let mut seed = [0; 32];
            let given = get_random_bytes(32);
            seed.copy_from_slice(&given);
            ChaCha12Rng::from_seed(seed)
        }))
    })
}
