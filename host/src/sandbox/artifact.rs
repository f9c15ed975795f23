//! The compiled component on disk.
//!
//! The guest is warmed (its engine built, then snapshot into the component) and compiled at first start, then mapped.
//! `artifacts/<key>.cwasm` with `<key>.json` beside it; the key covers the guest, wasmtime's version and settings, and
//! the CPU's features, so another machine's or version's file is simply another file. The manifest holds the hash of the
//! compiled bytes: what does not match is rebuilt, never mapped. Both are written to a temporary name and renamed, the
//! manifest last; a kill in between leaves a file without a manifest, which is rebuilt.

use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, Store};
use wasmtime_wizer::Wizer;

use super::engine;
use super::probe::Pool;
use crate::clock::Clock;
use crate::hostcall::{self, Guest};

/// The guest as it was built, before warm-up.
pub const COMPONENT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/guest.component.wasm"));

/// What lies beside the compiled bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Manifest {
    key: String,
    /// Hash of the warm component: the name that memory images carry.
    warm: String,
    compiled: String,
    compiled_bytes: u64,
}

/// A component ready to be instantiated.
pub(super) struct Artifact {
    pub component: Component,
    /// Hex hash of the warm component.
    pub warm: String,
    /// Whether it was built by this call.
    pub built: bool,
}

/// Maps the artifact in `dir`, building it when there is none that can be trusted.
pub(super) async fn open(engine: &Engine, dir: &Path, progress: &(dyn Fn(&str) + Send + Sync)) -> wasmtime::Result<Artifact> {
    let key = key(engine);
    let (code_path, manifest_path) = (dir.join(format!("{key}.cwasm")), dir.join(format!("{key}.json")));
    match trusted(&code_path, &manifest_path, &key) {
        Ok(manifest) => {
            // SAFETY: the bytes are the ones this program compiled with this very key: their hash was just checked, in a
            // directory that only this user may write to.
            match unsafe { Component::deserialize_file(engine, &code_path) } {
                Ok(component) => return Ok(Artifact { component, warm: manifest.warm, built: false }),
                Err(error) => progress(&format!("the compiled sandbox cannot be used ({error}); building it again")),
            }
        }
        Err(Distrust::Absent) => progress("first start: preparing the sandbox (seconds; on a small board up to a minute)"),
        Err(Distrust::Because(why)) => progress(&format!("the compiled sandbox is not trusted ({why}); building it again")),
    }
    progress("warming the interpreter");
    let warm = warm(COMPONENT).await?;
    progress("compiling it for this CPU");
    let compiling = engine.clone();
    let (warm, code) = tokio::task::spawn_blocking(move || {
        let code = compiling.precompile_component(&warm)?;
        wasmtime::Result::<_>::Ok((warm, code))
    })
    .await??;
    let manifest = Manifest {
        warm: blake3::hash(&warm).to_hex().to_string(),
        compiled: blake3::hash(&code).to_hex().to_string(),
        compiled_bytes: code.len() as u64,
        key,
    };
    fs::create_dir_all(dir)?;
    write(&code_path, &code)?;
    write(&manifest_path, &serde_json::to_vec_pretty(&manifest)?)?;
    // SAFETY: the bytes that `precompile_component` just gave.
    let component = unsafe { Component::deserialize_file(engine, &code_path)? };
    progress("the sandbox is ready");
    Ok(Artifact { component, warm: manifest.warm, built: true })
}

/// Whether the compiled sandbox of a data directory can be mapped as it is; if not, why.
pub fn state(pool: &Pool, data_dir: &Path) -> wasmtime::Result<Result<PathBuf, String>> {
    let key = key(&engine::compiler(pool)?);
    let dir = directory(data_dir);
    let code_path = dir.join(format!("{key}.cwasm"));
    Ok(match trusted(&code_path, &dir.join(format!("{key}.json")), &key) {
        Ok(_) => Ok(code_path),
        Err(Distrust::Absent) => Err("not built yet".to_owned()),
        Err(Distrust::Because(why)) => Err(why),
    })
}

/// Where artifacts of a data directory lie.
pub fn directory(data_dir: &Path) -> PathBuf {
    data_dir.join("artifacts")
}

enum Distrust {
    Absent,
    Because(String),
}

fn trusted(code_path: &Path, manifest_path: &Path, key: &str) -> Result<Manifest, Distrust> {
    let text = fs::read(manifest_path).map_err(|_| Distrust::Absent)?;
    let manifest: Manifest =
        serde_json::from_slice(&text).map_err(|error| Distrust::Because(format!("its manifest: {error}")))?;
    if manifest.key != key {
        return Err(Distrust::Because("it belongs to another build or machine".to_owned()));
    }
    let code = fs::read(code_path).map_err(|error| Distrust::Because(error.to_string()))?;
    if code.len() as u64 != manifest.compiled_bytes || blake3::hash(&code).to_hex().as_str() != manifest.compiled {
        return Err(Distrust::Because("it is damaged".to_owned()));
    }
    Ok(manifest)
}

/// Everything that compiled code depends on.
fn key(engine: &Engine) -> String {
    struct Digest(blake3::Hasher);
    impl Hasher for Digest {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
        fn finish(&self) -> u64 {
            0
        }
    }
    let mut digest = Digest(blake3::Hasher::new());
    digest.write(COMPONENT);
    // Wasmtime's version, target, compiler settings and detected CPU features.
    engine.precompile_compatibility_hash().hash(&mut digest);
    digest.write(cpu().as_bytes());
    let hex = digest.0.finalize().to_hex();
    hex.as_str().get(..32).unwrap_or_default().to_owned()
}

/// The CPU's own word on what it can do: code compiled for more than that would die on it.
fn cpu() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let flags = info.lines().find(|line| line.starts_with("flags") || line.starts_with("Features"));
    flags.unwrap_or(std::env::consts::ARCH).to_owned()
}

/// Runs `warm` once and writes the memory it leaves into the component.
async fn warm(component: &[u8]) -> wasmtime::Result<Vec<u8>> {
    let engine = engine::warming()?;
    let mut linker = Linker::<Guest>::new(&engine);
    hostcall::link(&mut linker)?;
    let mut store = Store::new(&engine, Guest::new(None, Clock::system(), super::preparing_limits()));
    let mut wizer = Wizer::new();
    wizer.init_func("warm()").keep_init_func(true);
    let (warm, _) = wizer
        .run_component(&mut store, component, async |store: &mut Store<Guest>, component: &Component| {
            linker.instantiate_async(store, component).await
        })
        .await?;
    Ok(warm)
}

fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    let temporary = path.with_extension(format!("tmp{}", std::process::id()));
    let mut file = fs::File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path)
}
