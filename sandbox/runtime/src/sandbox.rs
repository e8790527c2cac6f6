//! The sandbox itself: one engine, one pool, and the way from source to tool.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::base::{Base, MEMORY_BYTES_MAX, MIN_STACK_BYTES};
use crate::failure::load_failure;
use crate::guest::{Guest, GuestLimits, Loaded};
use crate::lower::lower;
use crate::meter::Meter;
use crate::ticker::Ticker;
use crate::{Limit, Limits, RegisterError, Source, Tool};

/// Engine, instance pool and interrupt thread. Cloning is cheap and shares them.
///
/// The thread ends when the last clone, and the last [`Tool`] made with it, are gone.
#[derive(Debug, Clone)]
pub struct Sandbox {
    shared: Arc<Shared>,
}

/// What a process provides for all its tools together.
#[derive(Debug, Clone)]
pub struct SandboxConfig {
    /// Where the compiled engine is kept between starts. It must belong to this user alone (mode 0700), and is
    /// created so. Without it, or when it must not be used, every start compiles for about a second.
    pub cache_dir: Option<PathBuf>,
    /// Instances alive at the same time. A call holds one from its start to its end, also while it waits for a
    /// host call. Each reserves about 4 GiB of address space.
    pub instances_max: u32,
    /// Largest [`Limits::stack_bytes_max`], in bytes; every instance reserves sixteen times as much.
    pub stack_bytes_max: usize,
}

impl Default for SandboxConfig {
    fn default() -> Self {
        Self { cache_dir: None, instances_max: 256, stack_bytes_max: 128 * 1024 }
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
    instances: Arc<Semaphore>,
    /// Turns of the compiler, so that hostile sources take neither all threads nor all memory.
    compilers: Arc<Semaphore>,
    stack_bytes_max: usize,
}

impl Sandbox {
    /// Makes the engine ready: milliseconds with a filled cache, about a second without.
    pub fn new(config: SandboxConfig) -> Result<Self, SandboxError> {
        let base = Base::new(&config)?;
        let ticker = Ticker::start(base.engine()).map_err(SandboxError::Thread)?;
        let instances = usize::try_from(config.instances_max.max(1)).unwrap_or(Semaphore::MAX_PERMITS);
        let shared = Shared {
            ticker,
            base: Arc::new(base),
            instances: Arc::new(Semaphore::new(instances.min(Semaphore::MAX_PERMITS))),
            compilers: Arc::new(Semaphore::new(COMPILERS_MAX)),
            stack_bytes_max: config.stack_bytes_max.max(MIN_STACK_BYTES),
        };
        Ok(Self { shared: Arc::new(shared) })
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
        let meter = Arc::new(Meter::new(limits.cpu));
        let mut started = false;
        match timeout(limits.wall, self.load(source, env, (limits, &meter), &mut started)).await {
            Ok(result) => result,
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
        let turn = Arc::clone(&shared.compilers).acquire_owned().await;
        let turn = turn.map_err(|_| RegisterError::Unavailable)?;
        let lowered = lower(&source, turn).await.map_err(RegisterError::Rejected)?;
        let permit = shared.permit().await.ok_or(RegisterError::Unavailable)?;
        *started = true;
        let _ticking = shared.ticker().hold();
        let mut guest = Guest::new(shared.base(), &shared.bounds(limits), meter, permit)?;
        let shape = match meter.charge(&|| 0, guest.load(&lowered.modules, &names)).await? {
            Loaded::Tool(shape) => shape,
            Loaded::Stopped(status) => return Err(load_failure(&guest, status, &lowered.map)),
        };
        let snapshot = guest.snapshot()?;
        Ok(Tool::new(Arc::clone(shared), snapshot, lowered.map, source.digest(), shape))
    }
}

impl Shared {
    pub(crate) fn ticker(&self) -> &Ticker {
        &self.ticker
    }

    pub(crate) fn base(&self) -> &Arc<Base> {
        &self.base
    }

    /// Waits for a free instance.
    pub(crate) async fn permit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.instances).acquire_owned().await.ok()
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
const COMPILERS_MAX: usize = 4;
