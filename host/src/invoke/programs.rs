//! Prepared scripts held ready, by version and generation, or by what they are made of: immutable, so nothing here is ever stale.
//! Bounded by the bytes they hold.

use std::collections::hash_map::RandomState;
use std::sync::Arc;

use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{OptionsBuilder, Weighter};

use crate::error::Error;
use crate::id::{AppId, ScriptId};
use crate::limits::PROGRAM_CACHE_ITEMS;
use crate::model::invocation::Deployed;
use crate::sandbox::{Placement, Program, Sandbox};
use crate::service::{self, Services};

/// SHA-256 of what a program is made of.
pub(super) type Content = [u8; 32];

/// What a program is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    /// What runs: script, version, generation.
    Active(ScriptId, i32, i32),
    /// What another deployment of the app has.
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
        // In one piece: of many, none would hold a large program.
        let options =
            OptionsBuilder::new().shards(1).estimated_items_capacity(PROGRAM_CACHE_ITEMS).weight_capacity(bytes).build();
        let cache = match options {
            Ok(options) => Cache::with_options(options, ByBytes, RandomState::default(), DefaultLifecycle::default()),
            Err(_) => Cache::with(PROGRAM_CACHE_ITEMS, bytes, ByBytes, RandomState::default(), DefaultLifecycle::default()),
        };
        Self { cache }
    }

    pub(super) fn len(&self) -> usize {
        self.cache.len()
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

    /// Drops what is held, so that the next call loads it anew.
    pub(super) fn forget(&self, script: &Deployed) {
        self.cache.remove(&key(script));
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
    let (id, version) = (script.script_id, script.version);
    let stored = service::scripts::executable(services, id, version, sandbox.component())
        .await?
        .ok_or_else(|| Error::internal("the version is not stored"))?;
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
