//! The sandbox itself: one engine, one pool, and the way from source to tool.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::available_parallelism;

use tokio::time::timeout;
use wasmtime::component::Linker;

use crate::base::{Base, MEMORY_BYTES_MAX, MIN_STACK_BYTES};
use crate::component::{self, Binary, ComponentState};
use crate::failure::load_failure;
use crate::fair::{Share, Turn, Turns};
use crate::guest::{Guest, GuestLimits, Loaded};
use crate::lower::lower;
use crate::meter::{Lane, Meter};
use crate::suspended::Room;
use crate::ticker::Ticker;
use crate::tool::Script;
use crate::{Limit, Limits, RegisterError, Source, Tool};

/// Engine, instance pool and interrupt thread. Cloning is cheap and shares them.
///
/// The thread ends when the last clone, and the last [`Tool`] made with it, are gone.
#[derive(Debug, Clone)]
pub struct Sandbox {
    shared: Arc<Shared>,
    share: Share,
}

/// What a process provides for all its tools together.
#[derive(Debug, Clone)]
pub struct SandboxConfig {
    /// Where the compiled engine is kept between starts. It must belong to this user alone (mode 0700), and is
    /// created so. Without it, or when it must not be used, every start compiles for about a second.
    pub cache_dir: Option<PathBuf>,
    /// Scripts that run at the same time. A call that waits for long does not count, see [`Limits::suspend_after`].
    /// Each reserves about 4 GiB of address space.
    pub instances_max: u32,
    /// Components that run at the same time, also those that wait for a host call. Each reserves as much.
    pub components_max: u32,
    /// Memory that scripts which wait for long may take together, in bytes; those beyond keep their instances.
    pub suspended_bytes_max: usize,
    /// Calls that wait for an instance at the same time; those beyond are turned away at once.
    pub waiting_max: usize,
    /// Largest [`Limits::stack_bytes_max`], in bytes; every instance reserves sixteen times as much.
    pub stack_bytes_max: usize,
}

impl Default for SandboxConfig {
    fn default() -> Self {
        Self {
            cache_dir: None,
            instances_max: 256,
            components_max: 64,
            suspended_bytes_max: 1 << 30,
            waiting_max: 16_384,
            stack_bytes_max: 128 * 1024,
        }
    }
}

/// Why there is no sandbox.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// The WebAssembly engine refused its configuration or the guest.
    #[error("the WebAssembly engine failed: {0}")]
    Engine(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The guest module is not what this crate was built for; says which part.
    #[error("the guest module is unexpected: {0}")]
    Guest(String),
    /// The interrupt thread could not be started.
    #[error("cannot start the interrupt thread")]
    Thread(#[source] std::io::Error),
}

impl SandboxError {
    pub(crate) fn engine(error: wasmtime::Error) -> Self {
        Self::Engine(error.into())
    }
}

/// What every clone and every tool share.
#[derive(Debug)]
pub(crate) struct Shared {
    ticker: Ticker,
    base: Arc<Base>,
    linker: ComponentLinker,
    instances: Arc<Turns>,
    components: Arc<Turns>,
    /// Turns of the compilers, so that hostile sources take neither all threads nor all memory.
    compilers: Arc<Turns>,
    /// Turns of those who compute for long.
    processors: Arc<Turns>,
    suspended: Arc<Room>,
    stack_bytes_max: usize,
}

/// The linker of components.
struct ComponentLinker(Linker<ComponentState>);

impl Sandbox {
    /// Makes the engine ready: milliseconds with a filled cache, about a second without.
    pub fn new(config: SandboxConfig) -> Result<Self, SandboxError> {
        let base = Base::new(&config)?;
        let linker = component::linker(base.engine()).map_err(SandboxError::engine)?;
        let ticker = Ticker::start(base.engine()).map_err(SandboxError::Thread)?;
        let turns = |count: u32| Turns::new(usize::try_from(count).unwrap_or(usize::MAX), config.waiting_max);
        let processors = available_parallelism().map_or(1, usize::from);
        let shared = Shared {
            ticker,
            base: Arc::new(base),
            linker: ComponentLinker(linker),
            instances: turns(config.instances_max),
            components: turns(config.components_max),
            compilers: turns(COMPILERS_MAX),
            // Whoever waits here holds an instance: they are few enough.
            processors: Turns::new(processors, usize::MAX),
            suspended: Room::new(config.suspended_bytes_max),
            stack_bytes_max: config.stack_bytes_max.max(MIN_STACK_BYTES),
        };
        Ok(Self { shared: Arc::new(shared), share: Share::fresh() })
    }

    /// The same sandbox for another party, such as another agent's session. While there are too few instances or
    /// processors for everybody, all parties get as much as each other, however many calls they make.
    #[must_use]
    pub fn for_another_party(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), share: Share::fresh() }
    }

    /// SHA-256 of the guest module, in lower-case hexadecimal: with a tool's digest it says what ran.
    pub fn guest_digest(&self) -> &str {
        self.shared.base.digest()
    }

    /// Compiles `source`, evaluates its top level once, and keeps what that left in memory.
    ///
    /// `env` names the operations the tool will find in its second argument: `fs/read` as `env.fs.read`. That is
    /// a convenience, not a permission: the tool can ask the host for any name with `env.invoke`.
    /// At the top level there is no `env`, `Date` stands at 0 and `Math.random` repeats itself.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with time enabled.
    pub async fn register(
        &self,
        source: Source<'_>,
        env: &[String],
        limits: &Limits,
    ) -> Result<Tool, RegisterError> {
        if source.bytes() > limits.source_bytes_max {
            return Err(RegisterError::Limit(Limit::Source(limits.source_bytes_max)));
        }
        let meter = Arc::new(Meter::new(limits.cpu, self.shared.lane(self.share)));
        let mut started = false;
        match timeout(limits.wall, self.load(source, env, (limits, &meter), &mut started)).await {
            Ok(result) => result,
            Err(_) if started => Err(RegisterError::Limit(Limit::Wall(limits.wall))),
            Err(_) => Err(RegisterError::Unavailable),
        }
    }

    /// Compiles a component, which is called by `name`: see `schemas/wit/tool.wit`.
    ///
    /// Nothing of it runs before it is called. `limits` bounds its size and the time this takes.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with time enabled.
    pub async fn register_component(
        &self,
        name: &str,
        binary: Binary<'_>,
        limits: &Limits,
    ) -> Result<Tool, RegisterError> {
        let (bytes, limit) = match binary {
            Binary::Text(text) => (text.len(), Limit::Source(limits.source_bytes_max)),
            Binary::Bytes(bytes) => (bytes.len(), Limit::Component(limits.component_bytes_max)),
        };
        if u64::try_from(bytes).is_ok_and(|bytes| bytes > limit.max()) {
            return Err(RegisterError::Limit(limit));
        }
        let mut started = false;
        let compile = async {
            let turn = self.shared.compilers.take(self.share).await.ok_or(RegisterError::Unavailable)?;
            started = true;
            let compiled = component::compile(&self.shared.linker.0, binary, limits, turn).await;
            compiled.map_err(RegisterError::Rejected)
        };
        match timeout(limits.wall, compile).await {
            Ok(component) => {
                let tool = (component?, name.to_owned());
                let shared = Arc::clone(&self.shared);
                Ok(Tool::component(shared, self.share, tool, component::digest(binary)))
            }
            Err(_) if started => Err(RegisterError::Limit(Limit::Wall(limits.wall))),
            Err(_) => Err(RegisterError::Unavailable),
        }
    }

    async fn load(
        &self,
        source: Source<'_>,
        env: &[String],
        (limits, meter): (&Limits, &Arc<Meter>),
        started: &mut bool,
    ) -> Result<Tool, RegisterError> {
        let names = sorted_names(env)?;
        let shared = &self.shared;
        let turn = shared.compilers.take(self.share).await.ok_or(RegisterError::Unavailable)?;
        let lowered = lower(&source, turn).await.map_err(RegisterError::Rejected)?;
        let turn = shared.instance(self.share).await.ok_or(RegisterError::Unavailable)?;
        *started = true;
        let _ticking = shared.ticker().hold();
        let mut guest = Guest::new(shared.base(), &shared.bounds(limits), meter, turn)?;
        let shape = match meter.charge(&|| 0, guest.load(&lowered.modules, &names)).await? {
            Loaded::Tool(shape) => shape,
            Loaded::Stopped(status) => return Err(load_failure(&guest, status, &lowered.map)),
        };
        let script = Script { snapshot: guest.snapshot()?, map: lowered.map, shape };
        Ok(Tool::script(Arc::clone(shared), self.share, script, source.digest()))
    }
}

impl Shared {
    pub(crate) fn ticker(&self) -> &Ticker {
        &self.ticker
    }

    pub(crate) fn base(&self) -> &Arc<Base> {
        &self.base
    }

    /// Waits for a free instance; `None` when too many wait already.
    pub(crate) async fn instance(&self, share: Share) -> Option<Turn> {
        self.instances.take(share).await
    }

    pub(crate) fn instances_are_wanted(&self) -> bool {
        self.instances.are_wanted()
    }

    /// Waits for a component's place; `None` when too many wait already.
    pub(crate) async fn component(&self, share: Share) -> Option<Turn> {
        self.components.take(share).await
    }

    pub(crate) fn lane(&self, share: Share) -> Lane {
        Lane { processors: Arc::clone(&self.processors), share }
    }

    pub(crate) fn suspended(&self) -> &Arc<Room> {
        &self.suspended
    }

    /// `limits`, no larger than what this sandbox provides.
    pub(crate) fn bounds(&self, limits: &Limits) -> GuestLimits {
        let mut limits = limits.clone();
        limits.memory_bytes_max = limits.memory_bytes_max.min(MEMORY_BYTES_MAX);
        limits.stack_bytes_max = limits.stack_bytes_max.clamp(MIN_STACK_BYTES, self.stack_bytes_max);
        let stack_bytes = u32::try_from(limits.stack_bytes_max).unwrap_or(u32::MAX);
        GuestLimits { limits, stack_bytes }
    }
}

impl std::fmt::Debug for ComponentLinker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ComponentLinker")
    }
}

/// Each name once, a prefix before what hangs below it.
fn sorted_names(env: &[String]) -> Result<Vec<&str>, RegisterError> {
    if env.iter().any(|name| name.contains('\0')) {
        return Err(RegisterError::Internal("an operation name contains NUL".into()));
    }
    let mut names: Vec<&str> = env.iter().map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

/// Sources compiled at once.
const COMPILERS_MAX: u32 = 4;
