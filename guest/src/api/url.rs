//! `url`: percent-encoding and parts of URIs (RFC 3986), query strings (WHATWG URL, application/x-www-form-urlencoded).

use fluent_uri::{Uri, UriRef};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use rhai::{Dynamic, Engine, ImmutableString, Map, Module};

use super::{Result, function, invalid};

/// Everything but RFC 3986's unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

pub(crate) fn register(engine: &mut Engine) {
    let mut module = Module::new();
    function(&mut module, "encode", |text: &str| -> ImmutableString { utf8_percent_encode(text, RESERVED).to_string().into() });
    function(&mut module, "decode", |text: &str| decode(text));
    function(&mut module, "encode_query", |query: Map| encode_query(&query));
    function(&mut module, "decode_query", |text: &str| pairs(text.strip_prefix('?').unwrap_or(text).as_bytes()));
    function(&mut module, "parse", |text: &str| parse(text));
    function(&mut module, "join", |base: &str, reference: &str| join(base, reference));
    engine.register_static_module("url", module.into());
}

/// Decoded pairs of a query string or form; of a name that comes more than once, the last value counts.
pub(crate) fn pairs(text: &[u8]) -> Map {
    form_urlencoded::parse(text).map(|(name, value)| (name.as_ref().into(), value.as_ref().into())).collect()
}

fn decode(text: &str) -> Result<ImmutableString> {
    match percent_decode_str(text).decode_utf8() {
        Ok(text) => Ok(text.as_ref().into()),
        Err(_) => Err(invalid(format!("`{text}` is not UTF-8 when decoded"))),
    }
}

/// Values are strings, numbers, booleans or arrays of them; unit is left out.
pub(crate) fn encode_query(query: &Map) -> Result<ImmutableString> {
    let mut serializer = form_urlencoded::Serializer::new(String::new());
    for (name, value) in query {
        if let Ok(values) = value.as_array_ref() {
            for value in values.iter() {
                serializer.append_pair(name, &scalar(name, value)?);
            }
        } else if !value.is_unit() {
            serializer.append_pair(name, &scalar(name, value)?);
        }
    }
    Ok(serializer.finish().into())
}

fn scalar(name: &str, value: &Dynamic) -> Result<String> {
    if value.is_map() || value.is_array() || value.is_blob() || value.is_unit() || value.is_fnptr() {
        return Err(invalid(format!("`{name}` is {}: a query value must be a string, a number or a boolean", value.type_name())));
    }
    Ok(value.to_string())
}

/// The parts as they stand (not decoded); a part that is not there is unit. `port` is an integer.
fn parse(text: &str) -> Result<Map> {
    let uri = Uri::parse(text).map_err(|error| invalid(format!("`{text}` is not an absolute URL: {error}")))?;
    let mut map = Map::new();
    let authority = uri.authority();
    let userinfo = authority.and_then(|authority| authority.userinfo());
    let port = authority.and_then(|authority| authority.port()).and_then(|port| port.as_str().parse::<u16>().ok());
    map.insert("scheme".into(), uri.scheme().as_str().into());
    map.insert("userinfo".into(), userinfo.map_or(Dynamic::UNIT, |part| part.as_str().into()));
    map.insert("host".into(), authority.map_or(Dynamic::UNIT, |authority| authority.host().into()));
    map.insert("port".into(), port.map_or(Dynamic::UNIT, |port| i64::from(port).into()));
    map.insert("path".into(), uri.path().as_str().into());
    map.insert("query".into(), uri.query().map_or(Dynamic::UNIT, |part| part.as_str().into()));
    map.insert("fragment".into(), uri.fragment().map_or(Dynamic::UNIT, |part| part.as_str().into()));
    Ok(map)
}

/// `reference` as seen from `base` (RFC 3986 §5).
fn join(base: &str, reference: &str) -> Result<ImmutableString> {
    let base_uri = Uri::parse(base).map_err(|error| invalid(format!("`{base}` is not an absolute URL: {error}")))?;
    let reference_uri =
        UriRef::parse(reference).map_err(|error| invalid(format!("`{reference}` is not a URL reference: {error}")))?;
    let joined =
        reference_uri.resolve_against(&base_uri).map_err(|error| invalid(format!("cannot join to `{base}`: {error}")))?;
    Ok(joined.as_str().into())
}
