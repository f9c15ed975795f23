//! Everything that needs a database, the sandbox, HTTP or the binary, as one test binary. `tests/README.md` is its manual.
#![allow(clippy::disallowed_methods, reason = "tests spawn their own tasks and read the system's clock")]

mod support;

// The contract of scripts.
mod answers;
mod ctx;
mod docs;
mod docs_bounds;
mod docs_filters;
mod docs_memory;
mod docs_plans;
mod email;
mod failures;
mod files;
mod files_on_disk;
mod guide;
mod http;
mod invoke;
mod kv;
mod kv_expiry;
mod local;
mod log;
mod modules;
mod restrictions;
mod retry;
mod secrets;
mod sending;
mod shortener;
mod stdlib;
// Events.
mod chains;
mod cluster;
mod cut_off;
mod dead_letters;
mod event_shapes;
mod events_bounds;
mod events_crash;
mod events_kept;
mod leases;
mod mail_in;
mod nodes;
mod passed_over;
mod previews;
mod queues;
mod replays;
mod ticks;
mod traces;
mod triggers;
// The planes.
mod archive;
mod backup;
mod bad_input;
mod bounds;
mod browse;
mod cors;
mod deployments;
mod domains;
mod files_bounds;
mod follow;
mod grants;
mod health;
mod metrics;
mod openapi;
mod quota;
mod recording;
mod routing;
mod script_db;
mod scripts;
mod test_calls;
mod usage;
mod versions;
// Who may do what.
mod api_keys;
mod audit;
mod idempotency;
mod logins;
mod members;
mod rights;
mod slugs;
mod splits;
mod users;
// What must not happen.
mod apart;
mod attacks;
mod canary;
mod crash;
mod egress;
mod files_crash;
mod hostile;
mod images;
mod shares;
mod storage;
mod walls;
mod wire;
// The process.
mod binary;
mod boards;
mod caddy;
mod cli;
mod determinism;
mod install;
mod operator;
mod rotation;
// The code base.
mod tidy;
mod world;
