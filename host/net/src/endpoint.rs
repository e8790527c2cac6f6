//! The node's endpoint: sources, accept loops, dispatch by ALPN, and the drain.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use alknet_core::{Drain, Ed25519SecretKey, HandlerRegistry, IdentityProvider, PublicKey};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::accept::Shared;
use crate::gate::Gate;
use crate::{EndpointError, NetLimits, SharedRates, limits};

/// Where to listen for direct QUIC.
#[derive(Debug, Clone)]
pub struct QuicConfig {
    /// The UDP address; port 0 takes any free one.
    pub listen: SocketAddr,
}

/// Where to listen for iroh.
#[derive(Debug, Clone)]
pub struct IrohConfig {
    /// The UDP address; port 0 takes any free one. No other address is bound.
    pub bind: SocketAddr,
    /// The URL of a relay; without one, relays are not used.
    pub relay: Option<String>,
}

/// Where to listen for programs on the same machine (Unix only).
#[derive(Debug, Clone)]
pub struct UnixConfig {
    /// The socket's file; made with mode 0600, in a folder that should be private too.
    pub path: std::path::PathBuf,
    /// The ALPN of the one protocol that is spoken on it.
    pub alpn: Vec<u8>,
}

/// What an endpoint is made of. At least one source must be given.
#[derive(Clone)]
pub struct EndpointConfig {
    /// Direct QUIC, if wanted.
    pub quic: Option<QuicConfig>,
    /// iroh, if wanted.
    pub iroh: Option<IrohConfig>,
    /// A Unix socket, if wanted.
    pub unix: Option<UnixConfig>,
    /// The host's key: one identity on every source.
    pub key: Ed25519SecretKey,
    /// The protocols; their ALPNs are what the endpoint advertises.
    pub handlers: HandlerRegistry,
    /// Who a proven key belongs to; asked once for each connection.
    pub identities: Arc<dyn IdentityProvider>,
    /// Limits that may change while the endpoint runs.
    pub rates: SharedRates,
    /// Limits that may not.
    pub limits: NetLimits,
    /// How long handlers may take to finish once a shutdown begins.
    pub drain_timeout: Duration,
}

impl EndpointConfig {
    /// A configuration without sources and with default limits: 2 seconds to drain.
    #[must_use]
    pub fn new(
        key: Ed25519SecretKey,
        handlers: HandlerRegistry,
        identities: Arc<dyn IdentityProvider>,
    ) -> Self {
        Self {
            quic: None,
            iroh: None,
            unix: None,
            key,
            handlers,
            identities,
            rates: SharedRates::default(),
            limits: NetLimits::default(),
            drain_timeout: limits::DRAIN_TIMEOUT,
        }
    }
}

/// A running endpoint: one node, one registry of protocols, up to three sources (ADR-010).
///
/// Cheap to clone. It accepts connections from the moment it is bound until [`Endpoint::shutdown`]; when the
/// last clone is dropped without one, every connection is cut.
#[derive(Debug, Clone)]
pub struct Endpoint(Arc<Running>);

/// The tasks of an endpoint end with it.
struct Running {
    shared: Arc<Shared>,
    loops: TaskTracker,
    stop: CancellationToken,
    done: CancellationToken,
    drain_timeout: Duration,
    public: PublicKey,
    quic_addr: Option<SocketAddr>,
    iroh_addrs: Vec<SocketAddr>,
}

impl Endpoint {
    /// Binds the configured sources and starts accepting. Must be called on a tokio runtime.
    ///
    /// # Errors
    /// [`EndpointError`]; nothing stays bound then.
    pub async fn bind(config: EndpointConfig) -> Result<Self, EndpointError> {
        if config.quic.is_none() && config.iroh.is_none() && config.unix.is_none() {
            return Err(EndpointError::NoSource);
        }
        if config.handlers.alpn_strings().is_empty() {
            return Err(EndpointError::NoHandlers);
        }
        let shared = Shared {
            handlers: config.handlers.clone(),
            identities: Arc::clone(&config.identities),
            gate: Gate::new(config.rates.clone(), config.limits),
            limits: config.limits,
            drain: Drain::new(),
            cut: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        let mut running = Running {
            shared: Arc::new(shared),
            loops: TaskTracker::new(),
            stop: CancellationToken::new(),
            done: CancellationToken::new(),
            drain_timeout: config.drain_timeout,
            public: config.key.public(),
            quic_addr: None,
            iroh_addrs: Vec::new(),
        };
        if let Some(quic) = &config.quic {
            running.start_quic(quic, &config)?;
        }
        if let Some(iroh) = &config.iroh {
            running.start_iroh(iroh, &config).await?;
        }
        if let Some(unix) = &config.unix {
            running.start_unix(unix)?;
        }
        Ok(Self(Arc::new(running)))
    }

    /// The address direct QUIC listens on.
    #[must_use]
    pub fn quic_addr(&self) -> Option<SocketAddr> {
        self.0.quic_addr
    }

    /// The addresses iroh listens on; empty without iroh.
    #[must_use]
    pub fn iroh_addrs(&self) -> &[SocketAddr] {
        &self.0.iroh_addrs
    }

    /// The endpoint's public key: its raw TLS key and its iroh node id.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        self.0.public
    }

    /// Waits until a shutdown has finished.
    pub async fn closed(&self) {
        self.0.done.cancelled().await;
    }

    /// Shuts down: refuses new connections, asks handlers to finish, waits for them no longer than the drain
    /// timeout, cuts what is left with [`CloseCode::Shutdown`](crate::CloseCode::Shutdown), closes the sockets.
    ///
    /// Returns early when nothing is under way. Calling it again, at the same time or later, is harmless; all
    /// calls return when the shutdown is finished.
    pub async fn shutdown(&self) {
        let Running { shared, loops, stop, done, drain_timeout, .. } = &*self.0;
        // 1. New attempts are refused from here on, handshakes under way are dropped, handlers are told.
        shared.drain.start();
        // 2. Connections end by themselves, or run out of time, or are cut by `shutdown_now`.
        shared.tasks.close();
        tokio::select! {
            () = shared.tasks.wait() => {}
            () = shared.cut.cancelled() => {}
            () = tokio::time::sleep(*drain_timeout) => {
                tracing::warn!(connections = shared.tasks.len(), "drain timed out, cutting connections");
            }
        }
        // 3. The rest is cut. A handler that does not yield cannot be stopped, only left behind.
        shared.cut.cancel();
        if tokio::time::timeout(shared.limits.close_wait, shared.tasks.wait()).await.is_err() {
            tracing::error!(connections = shared.tasks.len(), "a handler does not yield; left behind");
        }
        // 4. The accept loops close their sockets.
        stop.cancel();
        loops.close();
        loops.wait().await;
        done.cancel();
    }

    /// Shuts down without waiting for anything: the second interrupt signal. A [`Endpoint::shutdown`] under
    /// way returns at once.
    pub fn shutdown_now(&self) {
        self.0.shared.drain.start();
        self.0.shared.cut.cancel();
    }
}

impl Running {
    #[cfg(feature = "quinn")]
    fn start_quic(&mut self, quic: &QuicConfig, config: &EndpointConfig) -> Result<(), EndpointError> {
        let alpns = config.handlers.alpn_strings();
        let listener = crate::quic::Listener::bind(quic.listen, &config.key, alpns, config.limits)?;
        self.quic_addr = listener.addr();
        self.listen(listener);
        Ok(())
    }

    #[cfg(not(feature = "quinn"))]
    fn start_quic(&mut self, _: &QuicConfig, _: &EndpointConfig) -> Result<(), EndpointError> {
        Err(EndpointError::Unsupported { feature: "quinn" })
    }

    #[cfg(feature = "iroh")]
    async fn start_iroh(&mut self, iroh: &IrohConfig, config: &EndpointConfig) -> Result<(), EndpointError> {
        let alpns = config.handlers.alpn_strings();
        let listener = crate::iroh::Listener::bind(iroh, &config.key, alpns, config.limits).await?;
        self.iroh_addrs = listener.addrs();
        self.listen(listener);
        Ok(())
    }

    #[cfg(not(feature = "iroh"))]
    async fn start_iroh(&mut self, _: &IrohConfig, _: &EndpointConfig) -> Result<(), EndpointError> {
        std::future::ready(Err(EndpointError::Unsupported { feature: "iroh" })).await
    }

    #[cfg(unix)]
    fn start_unix(&self, unix: &UnixConfig) -> Result<(), EndpointError> {
        self.listen(crate::unix::Listener::bind(unix)?);
        Ok(())
    }

    #[cfg(not(unix))]
    fn start_unix(&self, _: &UnixConfig) -> Result<(), EndpointError> {
        Err(EndpointError::Unsupported { feature: "unix" })
    }

    #[cfg(any(feature = "quinn", feature = "iroh", unix))]
    fn listen(&self, listener: impl crate::source::Listen) {
        self.loops.spawn(Arc::clone(&self.shared).accept(listener, self.stop.clone()));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shared.drain.start();
        self.shared.cut.cancel();
        self.stop.cancel();
    }
}

impl fmt::Debug for EndpointConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointConfig")
            .field("quic", &self.quic)
            .field("iroh", &self.iroh)
            .field("unix", &self.unix)
            .field("handlers", &self.handlers)
            .field("rates", &self.rates)
            .field("limits", &self.limits)
            .field("drain_timeout", &self.drain_timeout)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("quic_addr", &self.quic_addr)
            .field("iroh_addrs", &self.iroh_addrs)
            .field("connections", &self.shared.tasks.len())
            .finish_non_exhaustive()
    }
}
