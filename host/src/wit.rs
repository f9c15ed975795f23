//! The contract in `wit/` as Rust types, and the typed calls of the component's exports.
//!
//! Imports are linked by hand in `hostcall`, where every call passes one door; the generated import traits stay unused.

#![allow(
    unreachable_pub,
    unused_qualifications,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "generated code"
)]

wasmtime::component::bindgen!({
    world: "script",
    path: "../wit",
    exports: { default: async },
});

pub use self::picloud::sandbox::program;
pub use self::picloud::sandbox::types::Error;
pub use self::picloud::sandbox::{dead_letters, docs, email, files, http, invoke, kv, log, pubsub, queue, secrets};
