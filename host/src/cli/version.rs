//! `picloud version`.

use serde::Serialize;

use super::terminal::{print, print_json, table};
use crate::{sandbox, store};

#[derive(Debug, Serialize)]
struct Version {
    product: &'static str,
    version: &'static str,
    target: String,
    /// Number of the newest migration.
    schema: i64,
    /// Hex hash of the guest as it was built.
    guest: String,
}

pub(super) fn run(json: bool) {
    let version = Version {
        product: "PiCloud",
        version: env!("CARGO_PKG_VERSION"),
        target: format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
        schema: store::schema_version(),
        guest: blake3::hash(sandbox::COMPONENT).to_hex().to_string(),
    };
    if json {
        return print_json(&version);
    }
    let rows = [("target", version.target), ("schema", version.schema.to_string()), ("guest", version.guest)];
    print(&format!("{} {}\n{}", version.product, version.version, table(&rows)));
}
