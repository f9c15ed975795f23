//! The door of the fuzz targets (`host/fuzz`) to what is this module's own. No other build has it.

use chrono::DateTime;

use super::guest::Guest;
use super::{docs, email, http, kv, log, queue};
use crate::clock::Clock;
use crate::model::execution::LogLine;
use crate::model::quota::Limits;
use crate::{model, wit};

/// A line as a guest writes it.
pub type Written = (wit::log::Level, String, Option<String>);

pub fn kv_value(value: wit::kv::Value) -> model::kv::Value {
    kv::value_from_guest(value)
}

pub fn kv_stored(stored: model::kv::Stored) -> wit::kv::Stored {
    kv::stored_to_guest(stored)
}

pub fn kv_options(options: wit::kv::SetOptions) -> model::kv::SetOptions {
    kv::options_from_guest(options)
}

pub fn document(document: model::docs::Document) -> wit::docs::Document {
    docs::to_guest(document)
}

pub fn http_request(request: wit::http::Request) -> model::http::Asked {
    http::from_guest(request)
}

pub fn email_message(message: wit::email::Message) -> model::email::Message {
    email::from_guest(message)
}

pub fn queue_options(options: wit::queue::SendOptions) -> model::event::SendOptions {
    queue::options_from_guest(options)
}

/// What an invocation under `limits` keeps of its log, and how many lines it drops.
pub fn logged(limits: Limits, lines: Vec<Written>) -> (Vec<LogLine>, u32) {
    let mut guest = Guest::new(None, Clock::manual(DateTime::UNIX_EPOCH), limits);
    for (level, message, data) in lines {
        let line = LogLine { at: guest.clock.now(), level: log::level_of(level), message, data };
        guest.log(line);
    }
    (guest.logs, guest.logs_dropped)
}
