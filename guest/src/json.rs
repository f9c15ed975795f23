//! Script values as JSON (RFC 8259) and back.
//!
//! unit ↔ null; integers are 64-bit, a larger JSON integer becomes a float; a float stays one (`1.0`); a character is a
//! string; a blob is written as a base64 string (and reads back as that string). A function or a handle has no JSON form.

use std::io::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rhai::{Array, Dynamic, INT, Map};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::limits::{JSON_DEPTH_MAX, JSON_WRAPPING_MAX};

#[derive(Debug)]
pub(crate) enum EncodeError {
    TooLarge,
    NotJson(String),
}

/// At most `bytes_max` bytes of JSON text; map keys in order.
pub(crate) fn encode(value: &Dynamic, bytes_max: usize) -> Result<Vec<u8>, EncodeError> {
    let mut encoder = Encoder { out: Vec::with_capacity(256), bytes_max, depth: 0 };
    encoder.value(value)?;
    if encoder.out.len() > bytes_max { Err(EncodeError::TooLarge) } else { Ok(encoder.out) }
}

/// Reads one JSON text, nested at most `JSON_DEPTH_MAX` deep.
pub(crate) fn decode(text: &[u8]) -> Result<Dynamic, serde_json::Error> {
    decode_within(text, JSON_DEPTH_MAX)
}

/// The same of what the platform has wrapped around a value.
pub(crate) fn decode_wrapped(text: &[u8]) -> Result<Dynamic, serde_json::Error> {
    decode_within(text, JSON_DEPTH_MAX + JSON_WRAPPING_MAX)
}

fn decode_within(text: &[u8], depth: usize) -> Result<Dynamic, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    // The bound is ours: it is the one of writing.
    deserializer.disable_recursion_limit();
    let value = Value { depth }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

struct Encoder {
    out: Vec<u8>,
    bytes_max: usize,
    depth: usize,
}

impl Encoder {
    fn value(&mut self, value: &Dynamic) -> Result<(), EncodeError> {
        if self.out.len() > self.bytes_max {
            return Err(EncodeError::TooLarge);
        }
        if value.is_shared() {
            return self.value(&value.flatten_clone());
        }
        if let Ok(text) = value.as_immutable_string_ref() {
            self.string(&text);
        } else if let Ok(number) = value.as_int() {
            let _ = write!(self.out, "{number}");
        } else if let Ok(map) = value.as_map_ref() {
            self.map(&map)?;
        } else if let Ok(array) = value.as_array_ref() {
            self.array(&array)?;
        } else if value.is_unit() {
            self.out.extend_from_slice(b"null");
        } else if let Ok(truth) = value.as_bool() {
            self.out.extend_from_slice(if truth { b"true" } else { b"false" });
        } else if let Ok(number) = value.as_float() {
            if !number.is_finite() {
                return Err(EncodeError::NotJson(format!("{number} is not a JSON number")));
            }
            let _ = serde_json::to_writer(&mut self.out, &number);
        } else if let Ok(character) = value.as_char() {
            self.string(character.encode_utf8(&mut [0; 4]));
        } else if let Ok(blob) = value.as_blob_ref() {
            self.string(&STANDARD.encode(&*blob));
        } else {
            return Err(EncodeError::NotJson(format!("a value of type {} has no JSON form", value.type_name())));
        }
        Ok(())
    }

    fn map(&mut self, map: &Map) -> Result<(), EncodeError> {
        self.deeper()?;
        self.out.push(b'{');
        for (index, (key, value)) in map.iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            self.string(key);
            self.out.push(b':');
            self.value(value)?;
        }
        self.out.push(b'}');
        self.depth -= 1;
        Ok(())
    }

    fn array(&mut self, array: &Array) -> Result<(), EncodeError> {
        self.deeper()?;
        self.out.push(b'[');
        for (index, value) in array.iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            self.value(value)?;
        }
        self.out.push(b']');
        self.depth -= 1;
        Ok(())
    }

    fn string(&mut self, text: &str) {
        // Writing to a vector does not fail.
        let _ = serde_json::to_writer(&mut self.out, text);
    }

    fn deeper(&mut self) -> Result<(), EncodeError> {
        self.depth += 1;
        if self.depth > JSON_DEPTH_MAX {
            Err(EncodeError::NotJson(format!("nested deeper than {JSON_DEPTH_MAX}")))
        } else {
            Ok(())
        }
    }
}

/// A value that may hold `depth` more levels.
#[derive(Clone, Copy)]
struct Value {
    depth: usize,
}

impl Value {
    fn inner<E: Error>(self) -> Result<Self, E> {
        let depth = self.depth.checked_sub(1).ok_or_else(|| E::custom("nested too deep"))?;
        Ok(Self { depth })
    }
}

impl<'de> DeserializeSeed<'de> for Value {
    type Value = Dynamic;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Dynamic, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value {
    type Value = Dynamic;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_unit<E: Error>(self) -> Result<Dynamic, E> {
        Ok(Dynamic::UNIT)
    }
    fn visit_bool<E: Error>(self, truth: bool) -> Result<Dynamic, E> {
        Ok(truth.into())
    }
    fn visit_i64<E: Error>(self, number: i64) -> Result<Dynamic, E> {
        Ok(number.into())
    }
    fn visit_u64<E: Error>(self, number: u64) -> Result<Dynamic, E> {
        Ok(INT::try_from(number).map_or_else(|_| (number as f64).into(), Dynamic::from))
    }
    fn visit_f64<E: Error>(self, number: f64) -> Result<Dynamic, E> {
        Ok(number.into())
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Dynamic, E> {
        Ok(text.into())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Dynamic, A::Error> {
        let (inner, mut array) = (self.inner()?, Array::new());
        while let Some(value) = access.next_element_seed(inner)? {
            array.push(value);
        }
        Ok(Dynamic::from_array(array))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Dynamic, A::Error> {
        let (inner, mut map) = (self.inner()?, Map::new());
        while let Some(key) = access.next_key::<std::borrow::Cow<'_, str>>()? {
            map.insert(key.as_ref().into(), access.next_value_seed(inner)?);
        }
        Ok(Dynamic::from_map(map))
    }
}
