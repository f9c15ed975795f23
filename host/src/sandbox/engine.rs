//! The wasmtime engine: one configuration for compiling, one pool for running.

use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use super::probe::Pool;
use crate::limits::{GUEST_STACK_BYTES, MEMORY_MB_CEILING, MIB};

/// An engine that runs instances from `pool`.
pub(super) fn pooled(pool: &Pool) -> wasmtime::Result<Engine> {
    let places = u32::try_from(pool.places + pool.nested_places + pool.event_places + pool.preparations).unwrap_or(u32::MAX);
    let mut pooling = PoolingAllocationConfig::new();
    pooling
        .total_component_instances(places)
        .total_core_instances(places.saturating_mul(CORE_INSTANCES))
        .total_memories(places)
        .total_tables(places.saturating_mul(CORE_INSTANCES))
        .total_stacks(places)
        .max_core_instances_per_component(CORE_INSTANCES)
        .max_memories_per_component(1)
        .max_tables_per_component(CORE_INSTANCES)
        .max_memory_size(usize::try_from(u64::from(MEMORY_MB_CEILING) * MIB).unwrap_or(usize::MAX))
        .max_unused_warm_slots(u32::try_from(pool.warm_places).unwrap_or(u32::MAX))
        .linear_memory_keep_resident(pool.keep_resident_bytes)
        .table_keep_resident(pool.keep_resident_bytes)
        .pagemap_scan(if pool.pagemap_scan { Enabled::Yes } else { Enabled::No });
    let mut config = compiling(pool);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pooling));
    Engine::new(&config)
}

/// An engine that compiles just what [`pooled`] runs, without holding a pool.
pub(super) fn compiler(pool: &Pool) -> wasmtime::Result<Engine> {
    Engine::new(&compiling(pool))
}

/// An engine that instantiates without a pool: for the one run of `warm`. Its code is never kept.
pub(super) fn warming() -> wasmtime::Result<Engine> {
    let mut config = Config::new();
    config.wasm_component_model(true).concurrency_support(false);
    Engine::new(&config)
}

/// The encoder makes one core instance of the guest and three small ones of its adapters.
const CORE_INSTANCES: u32 = 8;

/// Everything that decides what compiled code looks like.
fn compiling(pool: &Pool) -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .concurrency_support(false)
        .consume_fuel(true)
        .memory_init_cow(true)
        .memory_reservation(pool.reservation_bytes)
        .memory_may_move(false)
        .max_wasm_stack(GUEST_STACK_BYTES)
        .async_stack_size(pool.stack_bytes)
        .wasm_backtrace_max_frames(None)
        .generate_address_map(false)
        .wasm_relaxed_simd(false)
        .wasm_tail_call(false)
        .wasm_multi_memory(false)
        .wasm_memory64(false)
        .wasm_wide_arithmetic(false)
        .wasm_custom_page_sizes(false);
    config
}
