//! Builds the guest for `wasm32-unknown-unknown` with a nested cargo and encodes it as a component, so that
//! `cargo build` of the host is all there is. `GUEST_COMPONENT=<file>` takes one built elsewhere instead: a component, or the
//! module that becomes one.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

const TARGET: &str = "wasm32-unknown-unknown";
/// How a core module begins: magic, version, layer. A component differs in the last two.
const MODULE: &[u8] = b"\0asm\x01\0\0\0";

fn main() -> Result<(), Box<dyn Error>> {
    let out_dir = PathBuf::from(env::var("OUT_DIR")?);
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("..");
    for input in ["guest", "wit", "Cargo.lock", "Cargo.toml", "migrations"] {
        println!("cargo::rerun-if-changed={}", root.join(input).display());
    }
    println!("cargo::rerun-if-env-changed=GUEST_COMPONENT");
    let component = match env::var_os("GUEST_COMPONENT") {
        Some(given) => {
            println!("cargo::rerun-if-changed={}", Path::new(&given).display());
            let read = fs::read(&given).map_err(|error| format!("GUEST_COMPONENT {}: {error}", Path::new(&given).display()))?;
            if read.starts_with(MODULE) { encode(&read)? } else { read }
        }
        None => encode(&fs::read(build(&root, &out_dir)?)?)?,
    };
    fs::write(out_dir.join("guest.component.wasm"), component)?;
    Ok(())
}

/// Runs the nested cargo in a target directory of its own (cargo holds the lock of the outer one) that all profiles share.
fn build(root: &Path, out_dir: &Path) -> Result<PathBuf, Box<dyn Error>> {
    // <target>/<profile>/build/<package>/out
    let target_dir = out_dir.ancestors().nth(4).ok_or("OUT_DIR is not inside a target directory")?.join("guest");
    let mut cargo = Command::new(env::var("CARGO")?);
    cargo
        .current_dir(root)
        .args(["build", "--package", "picloud-guest", "--profile", "guest", "--target", TARGET, "--locked", "--target-dir"])
        .arg(&target_dir);
    // What the outer cargo set for the host's compilation does not hold for the guest's.
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_CFG_")
            || text.starts_with("CARGO_FEATURE_")
            || text.starts_with("RUSTC_")
            || text == "CARGO_ENCODED_RUSTFLAGS"
            || text == "RUSTFLAGS"
            || text == "TARGET"
            || text == "HOST"
            || text == "RUSTC"
        {
            cargo.env_remove(name);
        }
    }
    let status = cargo.status()?;
    if !status.success() {
        return Err(format!("building the guest failed ({status}); is the target installed? `rustup target add {TARGET}`").into());
    }
    Ok(target_dir.join(TARGET).join("guest").join("picloud_guest.wasm"))
}

fn encode(module: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    Ok(wit_component::ComponentEncoder::default().validate(true).module(module)?.encode()?)
}
