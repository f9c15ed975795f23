//! Running untrusted code: one fresh instance for each invocation, with fuel, memory and a deadline.
//!
//! `probe` sizes the pool, `engine` configures wasmtime, `artifact` warms and compiles the guest once, `image` is what a
//! prepared script leaves in memory, `placement` how that gets into an instance, `outcome` says how a run ended. [`Sandbox`] lives as long as the process and is
//! shared; the store with its [`Guest`] lives for one run.
//!
//! Invariants: tenant source is parsed inside an instance only. An instance serves one run and is dropped. An image is
//! placed only in an instance of the component it was made with, before the script's fuel is counted; if it does not
//! fit, the run starts over in another fresh instance that parses the source. A dropped run (deadline, shutdown) frees
//! its instance at once.

mod artifact;
mod engine;
mod exports;
#[cfg(fuzzing)]
pub mod fuzzing;
pub mod image;
mod outcome;
mod placement;
pub mod probe;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{timeout, timeout_at};
use wasmtime::component::{Instance, Linker};
use wasmtime::{Engine, Store};

pub use self::artifact::{COMPONENT, directory as artifact_directory, state as artifact_state};
use self::exports::{Exports, invocation};
use self::image::{MemoryImage, WASM_PAGE_BYTES};
use self::placement::Blank;
pub use self::placement::Placement;
use self::probe::Pool;
use crate::clock::Clock;
use crate::error::{self, Error};
use crate::hostcall::local::Here;
use crate::hostcall::{self, Ground, Guest, Reach};
use crate::limits::{
    FUEL_YIELD_INTERVAL, GUEST_TRANSFER_BYTES_MAX, GUEST_TRANSFER_SPARE_BYTES, MEMORY_MB_CEILING, MIB, PREPARATION_WAIT_MS,
    PREPARATIONS_WAITING_MAX, PREPARE_FUEL, PREPARE_MEMORY_MB, PREPARE_TIMEOUT_MS, RESIDENT_FUEL_MAX, RESIDENT_RUNS,
};
use crate::model::execution::{Failure, FailureCode, LogLine, Usage};
use crate::model::import::Import;
use crate::model::invocation::{Answer, Call, Trace};
use crate::model::script::{Code, Diagnostic, Image, Kind, Limits, Module};
use crate::wit::picloud::sandbox::preparation::Layout;
use crate::wit::program::{self, Invocation};
use crate::wit::{Script, ScriptPre};

/// The compiled component with its pool of places.
pub struct Sandbox {
    engine: Engine,
    pre: ScriptPre<Guest>,
    exports: Exports,
    layout: Layout,
    blank: Blank,
    /// Hex hash of the warm component.
    component: String,
    clock: Clock,
    pool: Pool,
    was_built: bool,
    preparing: Semaphore,
    preparations_waiting: Semaphore,
}

/// A script as the sandbox runs it.
#[derive(Debug, Clone)]
pub struct Program {
    pub code: Code,
    pub image: Option<Placement>,
}

/// What one run came to.
#[derive(Debug)]
pub struct Run {
    pub result: Result<Answer, Failure>,
    pub usage: Usage,
    pub logs: Vec<LogLine>,
    pub logs_dropped: u32,
    /// Its host calls, where somebody watched.
    pub trace: Option<Trace>,
    /// The program's image did not fit and should be made anew.
    pub image_refused: bool,
}

/// A checked source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// Interfaces that the source can reach, sorted.
    pub capabilities: Vec<String>,
    /// What it imports by itself.
    pub imports: Vec<Import>,
}

impl Sandbox {
    /// Opens the sandbox with its artifact under `data_dir`, building that first where there is none to trust (seconds).
    /// `progress` gets a line for each step of such a build.
    pub async fn open(data_dir: &Path, pool: Pool, clock: Clock, progress: &(dyn Fn(&str) + Send + Sync)) -> Result<Self, Error> {
        Self::build(data_dir, pool, clock, progress, hostcall::link).await.map_err(not_opened)
    }

    /// The same for scripts that run without a node: their host calls reach the world of their run, and nothing else.
    pub async fn open_local(data_dir: &Path, pool: Pool, progress: &(dyn Fn(&str) + Send + Sync)) -> Result<Self, Error> {
        Self::build(data_dir, pool, Clock::system(), progress, hostcall::local::link).await.map_err(not_opened)
    }

    async fn build(
        data_dir: &Path,
        pool: Pool,
        clock: Clock,
        progress: &(dyn Fn(&str) + Send + Sync),
        link: fn(&mut Linker<Guest>) -> wasmtime::Result<()>,
    ) -> wasmtime::Result<Self> {
        let engine = engine::pooled(&pool)?;
        let artifact = artifact::open(&engine, &artifact::directory(data_dir), progress).await?;
        let mut linker = Linker::new(&engine);
        link(&mut linker)?;
        let pre = ScriptPre::new(linker.instantiate_pre(&artifact.component)?)?;
        let guest = Guest::new(None, clock.clone(), preparing_limits());
        let mut store = new_store(&engine, guest, PREPARE_FUEL)?;
        let instance = pre.instance_pre().instantiate_async(&mut store).await?;
        let script = Script::new(&mut store, &instance)?;
        let exports = Exports::of(&artifact.component, &script)?;
        let layout = script.call_layout(&mut store).await?;
        // The dump of a whole memory is the host's own wish, not a guest's.
        store.set_hostcall_fuel(sandbox_memory_bytes());
        let untouched = exports.dump(&mut store, &instance).await?;
        let blank = Blank::of(&untouched, layout.control_end as usize, rustix::param::page_size());
        drop(store);
        Ok(Self {
            engine,
            pre,
            exports,
            layout,
            blank,
            component: artifact.warm,
            clock,
            was_built: artifact.built,
            preparing: Semaphore::new(pool.preparations),
            pool,
            preparations_waiting: Semaphore::new(PREPARATIONS_WAITING_MAX),
        })
    }

    /// Hex hash of the warm component: what images belong to.
    pub fn component(&self) -> &str {
        &self.component
    }

    /// Whether opening it had to warm and compile the guest first.
    pub fn was_built(&self) -> bool {
        self.was_built
    }

    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// The layout that images are held against.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Parses `source` in a fresh instance and derives what it can reach.
    pub async fn check(&self, kind: Kind, name: &str, source: &str) -> Result<Result<Checked, Diagnostic>, Error> {
        let kind = match kind {
            Kind::Endpoint => program::Kind::Endpoint,
            Kind::Module => program::Kind::Module,
        };
        let checked =
            self.preparing(async |store, instance| self.exports.check(store, instance, kind, name, source).await).await?;
        Ok(checked.map(|checked| Checked {
            capabilities: checked.capabilities,
            imports: checked.imports.into_iter().map(import).collect(),
        }))
    }

    /// Whether these modules can be made ready, in this order: their constants are evaluated.
    pub async fn try_modules(&self, modules: &[Module]) -> Result<Result<(), Diagnostic>, Error> {
        self.preparing(async |store, instance| self.exports.provide(store, instance, modules).await).await
    }

    /// The memory of a fresh instance in which nothing has run: what every instance begins as, whatever ran in its place before.
    #[doc(hidden)]
    pub async fn fresh_memory(&self) -> Result<Vec<u8>, Error> {
        let untouched = self.preparing(async |store, instance| self.exports.dump(store, instance).await.map(Ok)).await?;
        untouched.map_err(|found: Diagnostic| Error::internal(found.message))
    }

    /// The sealed image of a checked source, made twice and kept only if both are the same. None when the source leaves
    /// more in memory than an image may hold.
    pub async fn image(&self, code: &Code) -> Result<Option<Image>, Error> {
        let untouched = self.preparing(async |store, instance| self.exports.dump(store, instance).await.map(Ok)).await?;
        let Ok(untouched) = untouched else { return Ok(None) };
        let Some(first) = self.memory_image(&untouched, code).await? else { return Ok(None) };
        if self.memory_image(&untouched, code).await?.as_ref() != Some(&first) {
            tracing::error!(script.name = code.name, "two preparations of one source differ; it will be prepared at each call");
            return Ok(None);
        }
        let sealed = first.seal(&self.key(code)).map_err(Error::internal)?;
        Ok(Some(Image { component: self.component.clone(), sealed }))
    }

    /// The program for a stored version. An image that cannot be trusted is left out, and said so.
    pub fn program(&self, code: Code, image: Option<&Image>) -> (Program, bool) {
        let opened =
            image.map(|image| MemoryImage::open(&image.sealed, &self.key(&code), &self.layout, memory_bytes(MEMORY_MB_CEILING)));
        let (image, refused) = match opened {
            None => (None, false),
            Some(Ok(image)) => (Some(self.placement(image)), false),
            Some(Err(refused)) => {
                tracing::warn!(script.name = code.name, reason = %refused, "a stored memory image was refused");
                (None, true)
            }
        };
        (Program { code, image }, refused)
    }

    /// How runs take `image` in. That it may be trusted is the caller's knowledge.
    pub fn placement(&self, image: MemoryImage) -> Placement {
        Placement::new(image, &self.blank)
    }

    /// Runs `program` once, in a fresh instance. Never fails: whatever happens is in the answer.
    pub async fn run(&self, program: &Program, call: Call, reach: Reach) -> Run {
        self.run_on(program, call, Ground::Node(reach)).await
    }

    /// The same in a world in memory, where the sandbox was opened for that ([`Sandbox::open_local`]).
    pub async fn run_local(&self, program: &Program, call: Call, here: Here) -> Run {
        self.run_on(program, call, Ground::World(here)).await
    }

    async fn run_on(&self, program: &Program, call: Call, ground: Ground) -> Run {
        let started = Instant::now();
        let limits = call.script.limits;
        let deadline = started + Duration::from_millis(limits.timeout_ms.into());
        // The last bits of an id are random.
        let leaves_nothing = call.execution_id.0.as_u128().is_multiple_of(RESIDENT_RUNS);
        let bounds = Bounds { limits, deadline, leaves_nothing };
        let event_bytes =
            call.delivered.as_ref().and_then(|delivered| delivered.event.as_ref()).map_or(0, |event| event.about.len());
        let request_bytes = (call.request.body.len() + event_bytes) as u64;
        let invocation = invocation(call);
        let mut image_refused = false;
        if let Some(image) = &program.image {
            // Parsing would not fit either: the script cannot run within what it asked for.
            if image.pages as usize * WASM_PAGE_BYTES > memory_bytes(limits.memory_mb) {
                let run = not_begun(outcome::of_memory(limits.memory_mb));
                return finish(run, started, request_bytes, false);
            }
            match self.attempt(Some(image), program, &invocation, ground.clone(), &bounds).await {
                Attempt::Ran(run) => return finish(run, started, request_bytes, false),
                Attempt::NotPlaced(error) => {
                    tracing::warn!(
                        script.name = program.code.name,
                        error = format!("{error:#}"),
                        "a memory image could not be placed"
                    );
                    image_refused = true;
                }
            }
        }
        match self.attempt(None, program, &invocation, ground, &bounds).await {
            Attempt::Ran(run) => finish(run, started, request_bytes, image_refused),
            Attempt::NotPlaced(error) => {
                let run = not_begun(outcome::of_trap(&error, limits.fuel));
                finish(run, started, request_bytes, image_refused)
            }
        }
    }

    async fn attempt(
        &self,
        image: Option<&Placement>,
        program: &Program,
        invocation: &Invocation,
        ground: Ground,
        bounds: &Bounds,
    ) -> Attempt {
        let Bounds { limits, deadline, leaves_nothing } = *bounds;
        let guest = Guest::of(ground, self.clock.clone(), limits);
        let mut store = match new_store(&self.engine, guest, PREPARE_FUEL) {
            Ok(store) => store,
            Err(error) => return Attempt::NotPlaced(error),
        };
        let instance = match self.pre.instance_pre().instantiate_async(&mut store).await {
            Ok(instance) => instance,
            Err(error) => return Attempt::NotPlaced(error),
        };
        let placed = async {
            match image {
                Some(image) => {
                    // What `place` gives back is seen, not copied, but counts.
                    store.set_hostcall_fuel(image.pages as usize * WASM_PAGE_BYTES);
                    let memory = self.exports.place(&mut store, &instance, image.pages, &image.copied).await?;
                    // SAFETY: what is blank at first is private to this instance, whose memory is reserved in full and
                    // does not move. `store` is dropped after what this gives.
                    Ok(Ok(Some(unsafe { image.map(memory) }?)))
                }
                None => Ok(self.exports.prepare(&mut store, &instance, &program.code).await?.map(|()| None)),
            }
        };
        let placed = match timeout_at(deadline.into(), placed).await {
            Ok(Ok(Ok(mapped))) => Ok(mapped),
            // It was checked at upload, so this is another interpreter than then.
            Ok(Ok(Err(found))) => {
                let failure = Failure::new(FailureCode::ScriptError, found.message);
                Err(Failure { line: found.at.map(|at| at.line), column: found.at.map(|at| at.column), ..failure })
            }
            Ok(Err(error)) if image.is_some() => return Attempt::NotPlaced(error),
            Ok(Err(error)) => Err(outcome::of_trap(&error, PREPARE_FUEL)),
            Err(_) => Err(outcome::of_deadline(limits.timeout_ms)),
        };
        let mut mapped = match placed {
            Ok(mapped) => mapped,
            Err(failure) => return Attempt::Ran(ended(&mut store, Err(failure), 0)),
        };
        let answer_bytes = limits.response_body_bytes as usize;
        store.set_hostcall_fuel(GUEST_TRANSFER_BYTES_MAX.max(answer_bytes + GUEST_TRANSFER_SPARE_BYTES));
        if let Err(error) = store.set_fuel(limits.fuel) {
            return Attempt::NotPlaced(error);
        }
        let result = match timeout_at(deadline.into(), self.exports.handle(&mut store, &instance, invocation)).await {
            Ok(Ok(Ok(answer))) => outcome::of_answer(answer, limits.response_body_bytes as usize),
            Ok(Ok(Err(failure))) => Err(outcome::of_failure(failure, store.data().faulted)),
            Ok(Err(error)) => Err(outcome::of_trap(&error, limits.fuel)),
            Err(_) => Err(outcome::of_deadline(limits.timeout_ms)),
        };
        let fuel = limits.fuel.saturating_sub(store.get_fuel().unwrap_or(0));
        if let Some(mapped) = &mut mapped
            && (leaves_nothing || fuel > RESIDENT_FUEL_MAX)
        {
            mapped.leave_nothing(store.data().memory_peak_bytes);
        }
        Attempt::Ran(ended(&mut store, result, fuel))
    }

    /// What preparing `code` makes of the `untouched` memory. None when it cannot be prepared or leaves too much.
    async fn memory_image(&self, untouched: &[u8], code: &Code) -> Result<Option<MemoryImage>, Error> {
        let prepared = self
            .preparing(async |store, instance| match self.exports.prepare(store, instance, code).await? {
                Ok(()) => self.exports.dump(store, instance).await.map(Ok),
                Err(found) => Ok(Err(found)),
            })
            .await?;
        Ok(prepared.ok().and_then(|prepared| MemoryImage::between(untouched, &prepared, &self.layout)))
    }

    /// Runs `work` in a fresh instance with the bounds of preparation. What the source did to end it is a diagnostic.
    async fn preparing<T>(
        &self,
        work: impl AsyncFnOnce(&mut Store<Guest>, &Instance) -> wasmtime::Result<Result<T, program::Diagnostic>>,
    ) -> Result<Result<T, Diagnostic>, Error> {
        let _place = self.preparation().await?;
        let memory = sandbox_memory_bytes();
        let (mut store, instance) = self.instance(PREPARE_FUEL).await.map_err(|error| Error::internal(format!("{error:#}")))?;
        // The dump of a whole memory is the host's own wish, not a guest's.
        store.set_hostcall_fuel(memory + GUEST_TRANSFER_BYTES_MAX);
        let deadline = Instant::now() + Duration::from_millis(PREPARE_TIMEOUT_MS.into());
        let failure = match timeout_at(deadline.into(), work(&mut store, &instance)).await {
            Ok(Ok(answer)) => return Ok(answer.map_err(diagnostic)),
            Ok(Err(error)) => outcome::of_trap(&error, PREPARE_FUEL),
            Err(_) => outcome::of_deadline(PREPARE_TIMEOUT_MS),
        };
        if failure.code == FailureCode::Internal {
            return Err(Error::internal("preparing a script failed"));
        }
        Ok(Err(Diagnostic { message: format!("the source cannot be prepared: {}", failure.message), line: None, column: None }))
    }

    /// A place to prepare in, after a bounded wait among few.
    async fn preparation(&self) -> Result<SemaphorePermit<'_>, Error> {
        let overloaded = || {
            Error::new(error::Kind::Overloaded, "overloaded", "too many scripts are being prepared just now; try again shortly")
        };
        let _queued = self.preparations_waiting.try_acquire().map_err(|_| overloaded())?;
        let wait = Duration::from_millis(PREPARATION_WAIT_MS);
        timeout(wait, self.preparing.acquire()).await.map_err(|_| overloaded())?.map_err(Error::internal)
    }

    async fn instance(&self, fuel: u64) -> wasmtime::Result<(Store<Guest>, Instance)> {
        let mut store = new_store(&self.engine, Guest::new(None, self.clock.clone(), preparing_limits()), fuel)?;
        let instance = self.pre.instance_pre().instantiate_async(&mut store).await?;
        Ok((store, instance))
    }

    fn key(&self, code: &Code) -> [u8; 32] {
        image::key(&self.component, &self.layout, code)
    }
}

fn not_opened(error: wasmtime::Error) -> Error {
    Error::internal(format!("the sandbox cannot be opened: {error:#}"))
}

/// What a run must keep within, and whether its pages go with it.
struct Bounds {
    limits: Limits,
    deadline: Instant,
    leaves_nothing: bool,
}

enum Attempt {
    Ran(Run),
    /// The instance or its image is at fault, not the script; nothing of the script has run.
    NotPlaced(wasmtime::Error),
}

/// A store with every bound set: what runs in it cannot outgrow them.
fn new_store(engine: &Engine, guest: Guest, fuel: u64) -> wasmtime::Result<Store<Guest>> {
    let mut store = Store::new(engine, guest);
    store.limiter(|guest| guest);
    store.set_fuel(fuel)?;
    store.fuel_async_yield_interval(Some(FUEL_YIELD_INTERVAL))?;
    store.set_hostcall_fuel(GUEST_TRANSFER_BYTES_MAX);
    Ok(store)
}

/// A run of which nothing of the script has run.
fn not_begun(failure: Failure) -> Run {
    Run { result: Err(failure), usage: Usage::default(), logs: Vec::new(), logs_dropped: 0, trace: None, image_refused: false }
}

fn ended(store: &mut Store<Guest>, result: Result<Answer, Failure>, fuel: u64) -> Run {
    let guest = store.data_mut();
    let usage = Usage {
        fuel,
        memory_peak_bytes: guest.memory_peak_bytes as u64,
        host_calls: guest.host_calls,
        bytes_in: guest.bytes_in,
        bytes_out: guest.bytes_out,
        wall_us: 0,
    };
    let trace = guest.take_trace(result.as_ref().err().map(|failure| failure.code));
    Run { result, usage, logs: std::mem::take(&mut guest.logs), logs_dropped: guest.logs_dropped, trace, image_refused: false }
}

fn finish(mut run: Run, started: Instant, request_bytes: u64, image_refused: bool) -> Run {
    run.usage.bytes_in += request_bytes;
    if let Ok(answer) = &run.result {
        run.usage.bytes_out += answer.body.len() as u64;
    }
    run.usage.wall_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    run.image_refused = image_refused;
    run
}

fn import(found: program::Dependency) -> Import {
    Import { name: found.name, line: found.at.map(|at| at.line), column: found.at.map(|at| at.column) }
}

fn diagnostic(found: program::Diagnostic) -> Diagnostic {
    Diagnostic { message: found.message, line: found.at.map(|at| at.line), column: found.at.map(|at| at.column) }
}

fn memory_bytes(mib: u32) -> usize {
    usize::try_from(u64::from(mib) * MIB).unwrap_or(usize::MAX)
}

/// What a source is parsed and prepared within.
fn preparing_limits() -> Limits {
    Limits { memory_mb: PREPARE_MEMORY_MB, ..Limits::default() }
}

fn sandbox_memory_bytes() -> usize {
    memory_bytes(PREPARE_MEMORY_MB)
}
