//! `picloud:sandbox/log`.

use wasmtime::StoreContextMut;
use wasmtime::component::Linker;

use super::door::{self, Given};
use super::guest::Guest;
use super::trace;
use crate::model::execution::{LogLevel, LogLine};
use crate::wit::log::Level;

pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    trace::interface(linker, "picloud:sandbox/log@0.1.0")?.func_wrap_async("write", |store, line| Box::new(write(store, line)))
}

async fn write(
    store: StoreContextMut<'_, Guest>,
    (level, message, data): (Level, String, Option<String>),
) -> wasmtime::Result<()> {
    let bytes = message.len() + data.as_ref().map_or(0, String::len);
    door::local(store, bytes, |guest| {
        let line = LogLine { at: guest.clock.now(), level: level_of(level), message, data };
        guest.log(line);
        Given { value: (), bytes: 0 }
    })
    .await
}

pub(super) fn level_of(level: Level) -> LogLevel {
    match level {
        Level::Trace => LogLevel::Trace,
        Level::Debug => LogLevel::Debug,
        Level::Info => LogLevel::Info,
        Level::Warn => LogLevel::Warn,
        Level::Error => LogLevel::Error,
    }
}
