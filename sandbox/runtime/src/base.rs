//! The engine, compiled, with its JavaScript context already set up: what every instance starts from.

use std::num::NonZeroUsize;

use sha2::{Digest as _, Sha256};
use wasmtime::{
    Config, Enabled, Engine, Instance, InstanceAllocationStrategy, InstancePre, Linker, Module, ModuleExport,
    OptLevel, PoolingAllocationConfig, Store, Val,
};

use crate::bake::bake;
use crate::fair::{Share, Turns};
use crate::guest::{GuestLimits, index};
use crate::meter::{Lane, Meter};
use crate::state::State;
use crate::{Limits, SandboxConfig, SandboxError, cache, imports};

/// The compiled base module and what is worth knowing about it.
pub(crate) struct Base {
    engine: Engine,
    pre: InstancePre<State>,
    exports: Exports,
    /// Linear memory of a fresh instance.
    image: Box<[u8]>,
    /// Address of the I/O block.
    io: usize,
    digest: String,
}

/// Exports needed for every call, found once.
#[derive(Clone, Copy)]
pub(crate) struct Exports {
    pub(crate) memory: ModuleExport,
    pub(crate) stack_pointer: ModuleExport,
    pub(crate) call: ModuleExport,
    pub(crate) settle: ModuleExport,
}

impl Base {
    pub(crate) fn new(config: &SandboxConfig) -> Result<Self, SandboxError> {
        let engine = Engine::new(&engine_config(config)).map_err(SandboxError::engine)?;
        let module = cache::module(&engine, config.cache_dir.as_deref(), GUEST, || initialised(GUEST))?;
        Self::of_module(engine, &module, hex::encode(Sha256::digest(GUEST)))
    }

    /// A base of any module with the guest's exports.
    pub(crate) fn of_module(engine: Engine, module: &Module, digest: String) -> Result<Self, SandboxError> {
        let mut linker = Linker::new(&engine);
        imports::add(&mut linker).map_err(SandboxError::engine)?;
        let export =
            |name: &'static str| module.get_export_index(name).ok_or(SandboxError::Guest(name.into()));
        let exports = Exports {
            memory: export("memory")?,
            stack_pointer: export("__stack_pointer")?,
            call: export("alk_call")?,
            settle: export("alk_settle")?,
        };
        let pre = linker.instantiate_pre(module).map_err(SandboxError::engine)?;
        let (image, io) = look_into(&engine, &pre)?;
        Ok(Self { engine, pre, exports, image, io, digest })
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(crate) fn instantiate(&self, store: &mut Store<State>) -> wasmtime::Result<Instance> {
        self.pre.instantiate(store)
    }

    pub(crate) fn exports(&self) -> &Exports {
        &self.exports
    }

    pub(crate) fn image(&self) -> &[u8] {
        &self.image
    }

    pub(crate) fn io(&self) -> usize {
        self.io
    }

    pub(crate) fn digest(&self) -> &str {
        &self.digest
    }
}

impl std::fmt::Debug for Base {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Base").field("digest", &self.digest).finish_non_exhaustive()
    }
}

fn engine_config(config: &SandboxConfig) -> Config {
    let scripts = config.instances_max.max(1);
    let components = config.components_max.max(1);
    let (instances, parts) = (scripts.saturating_add(components), components.saturating_mul(COMPONENT_PARTS));
    let mut pool = PoolingAllocationConfig::new();
    pool.total_core_instances(scripts.saturating_add(parts))
        .total_component_instances(components)
        .total_memories(instances)
        .total_tables(scripts.saturating_add(parts))
        .total_stacks(instances)
        .max_core_instances_per_component(COMPONENT_PARTS)
        .max_memories_per_component(1)
        .max_tables_per_component(COMPONENT_PARTS)
        .max_memory_size(MEMORY_BYTES_MAX)
        .table_elements(TABLE_ELEMENTS)
        .linear_memory_keep_resident(KEEP_RESIDENT_BYTES)
        .table_keep_resident(TABLE_KEEP_RESIDENT_BYTES)
        .pagemap_scan(Enabled::Auto);
    // JavaScript frames take about sixteen times their size on the native stack.
    let wasm_stack = config.stack_bytes_max.max(MIN_STACK_BYTES).saturating_mul(16);
    let mut engine = common_config();
    engine
        .memory_init_cow(true)
        .epoch_interruption(true)
        .max_wasm_stack(wasm_stack)
        .async_stack_size(wasm_stack.saturating_add(HOST_STACK_BYTES))
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    engine
}

fn common_config() -> Config {
    let mut config = Config::new();
    config
        .wasm_backtrace_max_frames(NonZeroUsize::new(BACKTRACE_FRAMES))
        .wasm_memory64(false)
        .wasm_relaxed_simd(false);
    config
}

/// The guest module with its JavaScript context set up. Runs it once, on an engine made for that.
fn initialised(wasm: &[u8]) -> Result<Vec<u8>, SandboxError> {
    let mut config = common_config();
    config.cranelift_opt_level(OptLevel::None);
    let engine = Engine::new(&config).map_err(SandboxError::engine)?;
    let module = Module::new(&engine, wasm).map_err(SandboxError::engine)?;
    let mut linker = Linker::new(&engine);
    imports::add(&mut linker).map_err(SandboxError::engine)?;
    let mut store = Store::new(&engine, idle_state());
    let instance = linker.instantiate(&mut store, &module).map_err(SandboxError::engine)?;
    let init = instance.get_typed_func::<u32, i32>(&mut store, "alk_init").map_err(SandboxError::engine)?;
    if init.call(&mut store, INIT_STACK_BYTES).map_err(SandboxError::engine)? != 0 {
        return Err(SandboxError::Guest("alk_init failed".into()));
    }
    let memory = instance.get_memory(&mut store, "memory");
    let pointer = instance.get_global(&mut store, "__stack_pointer").map(|global| global.get(&mut store));
    let (Some(memory), Some(Val::I32(pointer))) = (memory, pointer) else {
        return Err(SandboxError::Guest("memory or __stack_pointer".into()));
    };
    bake(wasm, memory.data(&store), pointer).map_err(SandboxError::Guest)
}

/// Memory of a fresh instance, and where its I/O block is.
fn look_into(engine: &Engine, pre: &InstancePre<State>) -> Result<(Box<[u8]>, usize), SandboxError> {
    let mut store = Store::new(engine, idle_state());
    store.set_epoch_deadline(u64::from(u32::MAX));
    let instance = pre.instantiate(&mut store).map_err(SandboxError::engine)?;
    let memory = instance.get_memory(&mut store, "memory").ok_or(SandboxError::Guest("memory".into()))?;
    let image = memory.data(&store).into();
    let io = instance.get_typed_func::<(), u32>(&mut store, "alk_io").map_err(SandboxError::engine)?;
    let io = io.call(&mut store, ()).map_err(SandboxError::engine)?;
    Ok((image, index(io)))
}

/// State for running the guest's own code only, before any tool is there.
fn idle_state() -> State {
    let bounds = GuestLimits { limits: Limits::default(), stack_bytes: INIT_STACK_BYTES };
    let lane = Lane { processors: Turns::new(1, 0), share: Share::fresh() };
    State::new(&bounds, std::sync::Arc::new(Meter::new(bounds.limits.cpu, lane)))
}

/// Frames of a component's trap that are looked for.
const BACKTRACE_FRAMES: usize = 16;

/// The JavaScript engine, built from `sandbox/quickjs`.
pub(crate) const GUEST: &[u8] = include_bytes!("../../quickjs/quickjs.wasm");

/// The guest module's own maximum.
pub(crate) const MEMORY_BYTES_MAX: usize = 256 << 20;
pub(crate) const MIN_STACK_BYTES: usize = 16 << 10;
const INIT_STACK_BYTES: u32 = 128 << 10;
const HOST_STACK_BYTES: usize = 1 << 20;
pub(crate) const TABLE_ELEMENTS: usize = 8192;
/// Core instances, and tables, of one component: its modules and those that join them to the host.
const COMPONENT_PARTS: u32 = 8;
const KEEP_RESIDENT_BYTES: usize = 2 << 20;
const TABLE_KEEP_RESIDENT_BYTES: usize = 64 << 10;
