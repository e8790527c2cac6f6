//! A host, assembled from the other crates: log, sandbox, operations, identities, endpoint.
//!
//! Nothing here decides what a call may do. The order of a start is the order of what must not happen without
//! the other: no listener without operations, no operation without a log.

mod access;
mod error;
mod private;
mod registry;
mod reload;
mod remotes;
mod status;
mod stored;

use std::collections::BTreeSet;
use std::fs::DirBuilder;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use alknet_agent::Sessions;
use alknet_audit::event::{
    Change, ConfigLoaded, ConfigOutcome, CredentialLoaded, Event, HostStarted, KeyChanged,
};
use alknet_audit::{AuditLog, Hash, Options};
use alknet_call::{CallAdapter, Dispatcher, OperationSpec, Visibility};
use alknet_core::{
    ALPN_CALL, Clock, ConfigIdentityProvider, Directory, Fingerprint, HandlerRegistry, PublicKey, SystemClock,
};
use alknet_net::{Endpoint, EndpointConfig, IrohConfig, QuicConfig, SharedRates, UnixConfig};
use alknet_sandbox::{Sandbox, SandboxConfig};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::config::{Config, Settings};
use crate::failure::CommandResult;
use crate::project::Layout;
use crate::vault::HostKeys;
use remotes::Remotes;

pub(crate) use error::StartError;
pub(crate) use reload::merged;
pub(crate) use stored::Refreshed;
use stored::Stored;

/// A running host.
pub(crate) struct Host {
    endpoint: Endpoint,
    dispatcher: Dispatcher,
    remotes: Remotes,
    log: AuditLog,
    identities: Arc<ConfigIdentityProvider>,
    rates: SharedRates,
    sessions: Sessions,
    config: Mutex<Config>,
    stored: Stored,
    sweeper: Sweeper,
}

/// Whose key a host runs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lifetime {
    /// A host whose keys are worth stealing: no file root may show them.
    Kept,
    /// A host whose data folder goes with it.
    Ephemeral,
}

/// What an assembly is made with.
struct Parts<'a> {
    config: &'a Config,
    keys: HostKeys,
    clock: Arc<dyn Clock>,
}

impl Host {
    /// Starts a host. The data folder is made where it is missing; keys are not read from it.
    ///
    /// # Errors
    /// [`StartError`]; nothing listens then.
    pub(crate) async fn start(
        config: &Config,
        keys: HostKeys,
        lifetime: Lifetime,
    ) -> Result<Self, StartError> {
        if lifetime == Lifetime::Kept {
            private::check(config)?;
        }
        let parts = Parts { config, keys, clock: Arc::new(SystemClock) };
        // 1. The log: without it nothing may happen. Its lock keeps a second host out.
        let log = parts.open_log().await?;
        if log.size() == 0 {
            parts.record_keys(&log).await?;
        }
        let hash = config.digest();
        log.append_async(&Event::ConfigLoaded(ConfigLoaded {
            config: hash,
            outcome: ConfigOutcome::Accepted,
        }))
        .await?;
        match Box::pin(parts.assemble(&log, hash)).await {
            Ok(host) => Ok(host),
            Err(error) => {
                close(log)
                    .await
                    .unwrap_or_else(|error| tracing::error!(%error, "the log was not closed in order"));
                Err(error)
            }
        }
    }

    /// The address of direct QUIC.
    pub(crate) fn quic_addr(&self) -> Option<SocketAddr> {
        self.endpoint.quic_addr()
    }

    /// The addresses of iroh; empty without iroh.
    pub(crate) fn iroh_addrs(&self) -> &[SocketAddr] {
        self.endpoint.iroh_addrs()
    }

    /// The host's public key.
    pub(crate) fn public_key(&self) -> PublicKey {
        self.endpoint.public_key()
    }

    /// The fingerprint that clients pin.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        Fingerprint::from(&self.public_key())
    }

    /// The audit log.
    pub(crate) fn log(&self) -> &AuditLog {
        &self.log
    }

    /// Ends the host in order: calls may finish, sessions end, the log is closed with its last checkpoint.
    ///
    /// # Errors
    /// [`StartError::Record`] when the end could not be recorded; the host is stopped all the same.
    pub(crate) async fn shutdown(&self) -> Result<(), StartError> {
        self.endpoint.shutdown().await;
        self.remotes.stop().await;
        self.dispatcher.stop().await;
        self.sweeper.stop().await;
        let sessions = self.sessions.clone();
        blocking(move || sessions.close_all()).await?;
        close(self.log.clone()).await
    }

    /// Cuts a shutdown short: nothing is waited for any more.
    pub(crate) fn shutdown_now(&self) {
        self.endpoint.shutdown_now();
    }

    fn config(&self) -> std::sync::MutexGuard<'_, Config> {
        self.config.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The operations that a host with this configuration offers, without one that runs. What they need is made in the
/// data folder.
///
/// # Errors
/// [`StartError`], as for a host.
pub(crate) async fn offered(config: &Config, keys: HostKeys) -> Result<Vec<OperationSpec>, StartError> {
    let parts = Parts { config, keys, clock: Arc::new(SystemClock) };
    let log = parts.open_log().await?;
    let builtins = parts.builtins(&parts.stored(&log)?)?;
    let sandbox = blocking(|| Sandbox::new(SandboxConfig::default())).await??;
    let (registry, _sessions) = parts.operations(&log, sandbox, builtins)?;
    let offered = registry
        .iter()
        .map(|registration| registration.spec().clone())
        .filter(|spec| spec.visibility() == Visibility::External)
        .collect();
    close(log).await?;
    Ok(offered)
}

/// Makes a change of the host's keys that is on record before. No host runs meanwhile: the log is locked. A log without
/// records begins with the keys that its host starts with.
///
/// # Errors
/// [`StartError`], as for a host, or what the change answers.
pub(crate) async fn while_recorded(
    config: &Config,
    keys: HostKeys,
    event: KeyChanged,
    change: impl FnOnce() -> CommandResult,
) -> CommandResult {
    let parts = Parts { config, keys, clock: Arc::new(SystemClock) };
    let log = parts.open_log().await?;
    if log.size() > 0 {
        log.append_async(&Event::KeyChanged(event)).await.map_err(StartError::from)?;
    }
    let changed = change();
    close(log).await?;
    changed
}

impl Parts<'_> {
    fn settings(&self) -> &Settings {
        &self.config.settings
    }

    async fn open_log(&self) -> Result<AuditLog, StartError> {
        let layout = Layout::new(self.settings().data_dir.clone());
        let mut options = Options::new(self.keys.audit.clone(), Arc::clone(&self.clock));
        options.digest_key = self.keys.digests.clone();
        options.durability = self.settings().durability;
        blocking(move || {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(layout.data_dir());
            made.map_err(|source| StartError::DataDir { dir: layout.data_dir().to_owned(), source })?;
            Ok(AuditLog::open(&layout.audit_dir(), options)?)
        })
        .await?
    }

    /// 2. The operations and what they run on, 3. who may call them, 4. the door.
    async fn assemble(&self, log: &AuditLog, hash: Hash) -> Result<Host, StartError> {
        let settings = self.settings();
        let stored = self.stored(log)?;
        let builtins = self.builtins(&stored)?;
        let sandbox_config = SandboxConfig {
            cache_dir: Some(Layout::new(settings.data_dir.clone()).cache_dir()),
            ..settings.sandbox.clone()
        };
        let sandbox = blocking(move || Sandbox::new(sandbox_config)).await??;
        let (registry, sessions) = self.operations(log, sandbox, builtins)?;
        let limits = settings.call_limits.clone();
        let dispatcher = Dispatcher::new(registry, Arc::new(log.clone()), limits, Arc::clone(&self.clock))
            .with_screen(Arc::new(stored.guard.clone()))
            .with_rates(stored.rates.clone());
        let directory = Directory::new(stored.policy())?;
        let identities = Arc::new(ConfigIdentityProvider::new(directory, Arc::clone(&self.clock)));
        let rates = SharedRates::new(self.config.access.rates);
        let adapter = CallAdapter::new(dispatcher.clone(), identities.clone());
        let handlers = adapter.register(HandlerRegistry::builder())?.build();
        // Before the first connection, so that every record of a call comes after it.
        let key = Fingerprint::from(&self.keys.identity.public()).to_string();
        let log_key = Fingerprint::from(&log.public_key()).to_string();
        let version = env!("CARGO_PKG_VERSION").to_owned();
        self.record_credentials(log).await?;
        log.append_async(&Event::HostStarted(HostStarted { version, config: hash, key, log_key })).await?;
        let endpoint = self.listen(handlers, &identities, &rates).await?;
        let remotes = Remotes::start(
            &settings.remotes,
            self.keys.identity.clone(),
            &dispatcher,
            identities.clone(),
            stored.guard.live(),
        )?;
        let (log, config) = (log.clone(), Mutex::new(self.config.clone()));
        let sweeper = Sweeper::start(sessions.clone());
        Ok(Host { endpoint, dispatcher, remotes, log, identities, rates, sessions, config, stored, sweeper })
    }

    /// Records which credentials operations may use, by name.
    async fn record_credentials(&self, log: &AuditLog) -> Result<(), StartError> {
        let targets = self.settings().http_targets.iter();
        let names: BTreeSet<&String> =
            targets.filter_map(|target| target.target.credential.as_ref()).collect();
        for credential in names {
            let (credential, used_by) = (credential.clone(), "http/fetch".to_owned());
            log.append_async(&Event::CredentialLoaded(CredentialLoaded { credential, used_by })).await?;
        }
        Ok(())
    }

    /// Records the keys that a new log begins with.
    async fn record_keys(&self, log: &AuditLog) -> Result<(), StartError> {
        for (purpose, key) in [("host", self.keys.identity.public()), ("audit", log.public_key())] {
            let fingerprint = Fingerprint::from(&key).to_string();
            let event = KeyChanged { fingerprint, purpose: purpose.to_owned(), change: Change::Added };
            log.append_async(&Event::KeyChanged(event)).await?;
        }
        Ok(())
    }

    async fn listen(
        &self,
        handlers: HandlerRegistry,
        identities: &Arc<ConfigIdentityProvider>,
        rates: &SharedRates,
    ) -> Result<Endpoint, StartError> {
        let settings = self.settings();
        let mut endpoint = EndpointConfig::new(self.keys.identity.clone(), handlers, identities.clone());
        endpoint.quic = settings.quic.map(|listen| QuicConfig { listen });
        let iroh = settings.iroh.clone();
        endpoint.iroh = iroh.map(|iroh| IrohConfig { bind: iroh.bind, relay: iroh.relay });
        let socket = Layout::new(settings.data_dir.clone()).socket();
        endpoint.unix = settings.socket.then(|| UnixConfig { path: socket, alpn: ALPN_CALL.to_vec() });
        endpoint.rates = rates.clone();
        endpoint.limits = settings.net_limits;
        endpoint.drain_timeout = settings.drain_timeout;
        Endpoint::bind(endpoint).await.map_err(|error| error::listen(self.config, error))
    }
}

/// Ends sessions whose time is over also when nobody calls. Its task ends when this is dropped.
struct Sweeper {
    tasks: TaskTracker,
    stop: DropGuard,
}

impl Sweeper {
    fn start(sessions: Sessions) -> Self {
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let stopped = stop.clone();
        tasks.spawn(async move {
            while stopped.run_until_cancelled(tokio::time::sleep(SWEEP_INTERVAL)).await.is_some() {
                let sessions = sessions.clone();
                // The records of the ends may wait for the disk.
                if blocking(move || sessions.sweep()).await.is_err() {
                    return;
                }
            }
        });
        tasks.close();
        Self { tasks, stop: stop.drop_guard() }
    }

    async fn stop(&self) {
        self.stop.token().cancel();
        self.tasks.wait().await;
    }
}

async fn close(log: AuditLog) -> Result<(), StartError> {
    Ok(blocking(move || log.close()).await??)
}

/// Runs work that blocks on the disk or the processor beside the runtime.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, StartError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| StartError::Broken)
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

const SWEEP_INTERVAL: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests;
