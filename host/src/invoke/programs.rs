//! Prepared scripts held ready, by version and generation, or by what they are made of: immutable, so nothing here is ever stale.
//! Bounded by the bytes they hold.

use std::collections::hash_map::RandomState;
use std::hash::Hash;
use std::sync::Arc;

use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{OptionsBuilder, Weighter};
use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::id::{AppId, ScriptId};
use crate::limits::PROGRAM_CACHE_ITEMS;
use crate::model::invocation::Deployed;
use crate::model::script::{Code, Executable};
use crate::sandbox::{Placement, Program, Sandbox};
use crate::service::{self, Services};

/// SHA-256 of what a program is made of.
pub(super) type Content = [u8; 32];

/// What a program is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    /// What runs: script, version, generation.
    Active(ScriptId, i32, i32),
    /// What another deployment of the app has, or a version that does not run.
    Content(AppId, Content),
}

pub(super) struct Programs {
    cache: Cache<Key, Arc<Program>, ByBytes, RandomState>,
}

#[derive(Clone)]
struct ByBytes;

impl Weighter<Key, Arc<Program>> for ByBytes {
    fn weight(&self, _: &Key, program: &Arc<Program>) -> u64 {
        let image = program.image.as_ref().map_or(0, Placement::bytes);
        (program.code.bytes() + image + size_of::<Program>()) as u64
    }
}

impl Programs {
    /// Holds so many bytes.
    pub(super) fn new(bytes: u64) -> Self {
        Self { cache: cache(PROGRAM_CACHE_ITEMS, bytes, ByBytes) }
    }

    pub(super) fn len(&self) -> usize {
        self.cache.len()
    }

    /// The version's program, if it is held.
    pub(super) fn held(&self, script: &Deployed) -> Option<Arc<Program>> {
        self.cache.get(&key(script))
    }

    /// The version's program; loaded once however many ask at a time. A stored image that is missing or refused (the
    /// component changed, the row is damaged) is made anew and stored; failing that, the program runs without one.
    pub(super) async fn get(&self, services: &Services, sandbox: &Sandbox, script: &Deployed) -> Result<Arc<Program>, Error> {
        let key = key(script);
        self.cache.get_or_insert_async(&key, load(services, sandbox, script)).await
    }

    /// The program of that content; made once however many ask at a time.
    pub(super) async fn get_content(
        &self,
        app: AppId,
        content: Content,
        make: impl Future<Output = Result<Arc<Program>, Error>>,
    ) -> Result<Arc<Program>, Error> {
        self.cache.get_or_insert_async(&Key::Content(app, content), make).await
    }

    /// The program of a version that does not run, with the modules that do. Nothing tells when those change, so it is read each
    /// time, and held by what was read.
    pub(super) async fn get_stored(
        &self,
        services: &Services,
        sandbox: &Sandbox,
        script: &Deployed,
    ) -> Result<Arc<Program>, Error> {
        let stored = read(services, sandbox, script).await?;
        self.get_content(script.app_id, content(&stored.code), prepare(services, sandbox, script, stored)).await
    }

    /// Drops what is held, so that the next call loads it anew.
    pub(super) fn forget(&self, script: &Deployed) {
        self.cache.remove(&key(script));
    }

    /// The same of the program of a version that does not run.
    pub(super) fn forget_stored(&self, script: &Deployed, program: &Program) {
        self.forget_content(script.app_id, content(&program.code));
    }

    /// The same of that content.
    pub(super) fn forget_content(&self, app: AppId, content: Content) {
        self.cache.remove(&Key::Content(app, content));
    }
}

fn key(script: &Deployed) -> Key {
    Key::Active(script.script_id, script.version, script.generation)
}

async fn load(services: &Services, sandbox: &Sandbox, script: &Deployed) -> Result<Arc<Program>, Error> {
    prepare(services, sandbox, script, read(services, sandbox, script).await?).await
}

async fn read(services: &Services, sandbox: &Sandbox, script: &Deployed) -> Result<Executable, Error> {
    let stored = service::scripts::executable(services, script.script_id, script.version, sandbox.component()).await?;
    stored.ok_or_else(|| Error::internal("the version is not stored"))
}

async fn prepare(services: &Services, sandbox: &Sandbox, script: &Deployed, stored: Executable) -> Result<Arc<Program>, Error> {
    let (id, version) = (script.script_id, script.version);
    let (mut program, _) = sandbox.program(stored.code, stored.image.as_ref());
    if program.image.is_none()
        && let Some(image) = sandbox.image(&program.code).await?
    {
        (program, _) = sandbox.program(program.code, Some(&image));
        if let Err(error) = service::scripts::store_image(services, id, version, &image).await {
            tracing::warn!(script.id = %id, script.version = version, cause = ?error.source, "a new memory image could not be stored");
        }
    }
    Ok(Arc::new(program))
}

/// Holds so many bytes, as `weighter` counts them, in one piece: of many, none would hold a large item.
pub(super) fn cache<K: Eq + Hash, V: Clone, W: Weighter<K, V> + Clone>(
    items: usize,
    bytes: u64,
    weighter: W,
) -> Cache<K, V, W, RandomState> {
    let options = OptionsBuilder::new().shards(1).estimated_items_capacity(items).weight_capacity(bytes).build();
    match options {
        Ok(options) => Cache::with_options(options, weighter, RandomState::default(), DefaultLifecycle::default()),
        Err(_) => Cache::with(items, bytes, weighter, RandomState::default(), DefaultLifecycle::default()),
    }
}

/// Of sources.
fn content(code: &Code) -> Content {
    let modules = code.modules.iter().flat_map(|module| [&module.name, &module.source]);
    content_of(b"sources", [&code.name, &code.source].into_iter().chain(modules))
}

/// What is made of these parts; `kind` says what they are.
pub(super) fn content_of<'a>(kind: &[u8], parts: impl IntoIterator<Item = &'a String>) -> Content {
    let mut hash = Sha256::new();
    hash.update(kind);
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::script::Module;

    #[test]
    fn what_is_read_is_named_by_every_source_of_it() {
        let module = |source: &str| Module { name: "m".to_owned(), source: source.to_owned() };
        let code = |modules: Vec<Module>| Code { modules, ..Code::alone("a", "1") };
        assert_eq!(content(&code(vec![module("2")])), content(&code(vec![module("2")])));
        let all = [code(vec![]), code(vec![module("2")]), code(vec![module("3")]), Code::alone("a", "2"), Code::alone("a1", "")];
        for (place, one) in all.iter().enumerate() {
            assert!(all.iter().skip(place + 1).all(|other| content(one) != content(other)), "{place}");
        }
    }
}
