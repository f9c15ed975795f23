//! `time`: the host's clock and RFC 3339 texts. Instants are integers, milliseconds since 1970-01-01T00:00:00Z.

use std::fmt::Write;

use chrono::format::{Item, StrftimeItems};
use chrono::{DateTime, SecondsFormat, Utc};
use rhai::{Engine, INT, ImmutableString, Module};

use super::{Result, function, invalid};
use crate::wasi::clocks::wall_clock;

pub(crate) fn register(engine: &mut Engine) {
    let mut module = Module::new();
    function(&mut module, "now", || -> Result<ImmutableString> { text(instant(now_ms())?) });
    function(&mut module, "now_ms", now_ms);
    function(&mut module, "parse", |text: &str| parse(text));
    function(&mut module, "format", |ms: INT| -> Result<ImmutableString> { text(instant(ms)?) });
    function(&mut module, "format", |ms: INT, pattern: &str| format(ms, pattern));
    engine.register_static_module("time", module.into());
}

fn now_ms() -> INT {
    let now = wall_clock::now();
    INT::try_from(now.seconds).unwrap_or(INT::MAX / 1000).saturating_mul(1000) + INT::from(now.nanoseconds / 1_000_000)
}

fn parse(text: &str) -> Result<INT> {
    DateTime::parse_from_rfc3339(text)
        .map(|time| time.timestamp_millis())
        .map_err(|error| invalid(format!("`{text}` is not an RFC 3339 time such as 2024-05-01T12:00:00Z: {error}")))
}

fn format(ms: INT, pattern: &str) -> Result<ImmutableString> {
    let items: Vec<Item<'_>> = StrftimeItems::new(pattern).collect();
    if items.contains(&Item::Error) {
        return Err(invalid(format!("`{pattern}` is not a strftime pattern such as %Y-%m-%d")));
    }
    let mut out = String::new();
    write!(out, "{}", instant(ms)?.format_with_items(items.iter()))
        .map_err(|_| invalid(format!("`{pattern}` asks for what a time does not have")))?;
    Ok(out.into())
}

fn text(time: DateTime<Utc>) -> Result<ImmutableString> {
    Ok(time.to_rfc3339_opts(SecondsFormat::Millis, true).into())
}

fn instant(ms: INT) -> Result<DateTime<Utc>> {
    DateTime::from_timestamp_millis(ms).ok_or_else(|| invalid(format!("{ms} ms is outside the years that can be written")))
}
