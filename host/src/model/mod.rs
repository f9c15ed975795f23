//! What the platform is about, as plain data and pure rules: no async, no IO, no SQL.

pub mod access;
pub mod app;
pub mod dead_letter;
pub mod delivery;
pub mod docs;
pub mod email;
pub mod event;
pub mod execution;
pub mod files;
pub mod grant;
pub mod http;
pub mod import;
pub mod invocation;
pub mod kv;
pub mod listing;
pub mod page;
pub mod queue;
pub mod retry;
pub mod route;
pub mod schedule;
pub mod script;
pub mod secret;
pub mod text;
pub mod trigger;
pub mod user;
