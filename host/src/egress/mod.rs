//! The way out: script traffic leaves through [`Client::send`], mail through [`smtp::Relay::send`], what the node tells of itself
//! through [`otlp::Exporter`], and nothing elsewhere.
//!
//! `policy` judges addresses and is pure, `redirect` says what a redirect makes of a request, `network` looks names up and
//! connects, `dns` asks name servers for TXT records, `tls` holds the certificate authorities, `exchange` is one request and its
//! answer on one connection, `gate` counts. `smtp` speaks to the one mail relay that the owner of the node has named,
//! `otlp` to the one collector of traces and logs.
//! [`Client::txt`] and [`Client::probe`] look for proofs of domains: on behalf of an app too, with no grant and to public
//! addresses only.
//!
//! Invariants, for each hop of a call of `http`:
//! - The host is granted; its name is looked up once; every address is judged; the connection goes to one of exactly those.
//! - Nothing is read from the environment: no proxy, no credentials.
//! - A connection serves one request. A pool would carry one app's grant, or its place in an answer, to another app.
//! - Time, bytes, redirects, and calls at once are bounded; unpacking is bounded as what came packed is.
//! - No error holds an address: it names the class. No log line holds an address, a path or a query.
//!
//! A crash, or a deadline that drops the call, closes the connection; what the other side did by then, it did.

mod client;
mod dns;
mod exchange;
mod gate;
mod network;
pub mod otlp;
mod policy;
mod redirect;
pub mod smtp;
mod tls;

pub use self::client::{Client, Settings, Traveller};
pub use self::gate::Allowance;
pub use self::network::{Network, Table};
pub use self::policy::Own;
