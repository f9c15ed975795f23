//! PiCloud: serverless on hardware people already own. The layers, bottom up, are in `host/README.md`;
//! `tests/it/tidy.rs` enforces them.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

// L0
pub mod clock;
pub mod config;
pub mod error;
pub mod id;
pub mod limits;
pub mod shutdown;
pub mod telemetry;
pub mod unstoppable;
pub mod walls;
// L1
pub mod model;
// L2
pub mod auth;
pub mod blobs;
pub mod egress;
pub mod fair;
pub mod postgres;
pub mod repository;
pub mod store;
pub mod vault;
pub mod wit;
// L3
pub mod service;
// L4
pub mod hostcall;
// L5
pub mod sandbox;
// L6
pub mod invoke;
// L7
pub mod api;
pub mod ingress;
pub mod trigger;
// L8
pub mod cli;
