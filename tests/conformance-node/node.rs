//! The fixture host on a network.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use alknet_call::{CallAdapter, Dispatcher, Limits};
use alknet_core::{
    Ed25519SecretKey, Fingerprint, HandlerRegistry, IdentityProvider, PublicKey, RateLimits, RegistryError,
};
use alknet_net::{Endpoint, EndpointConfig, EndpointError, IrohConfig, QuicConfig, SharedRates};
use serde_json::{Value, json};

use crate::{FixtureError, Identities, IdentitiesError, PeerOption, dispatcher};

/// How a node is run.
#[derive(Debug, Clone)]
pub struct NodeOptions {
    /// The UDP address of direct QUIC; port 0 takes any free one.
    pub listen: SocketAddr,
    /// Longest a call may take.
    pub call_timeout: Duration,
    /// Peers known by their keys.
    pub peers: Vec<PeerOption>,
    /// Whether iroh is served as well, on loopback and without relays.
    pub iroh: bool,
}

/// A node that serves.
#[derive(Debug)]
pub struct Node {
    endpoint: Endpoint,
    dispatcher: Dispatcher,
    key: PublicKey,
    iroh: bool,
}

/// Why a node cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// No key could be made.
    #[error("no randomness for a key: {0}")]
    Key(#[source] std::io::Error),
    /// The peers make no sense.
    #[error(transparent)]
    Identities(#[from] IdentitiesError),
    /// A defect of this crate.
    #[error(transparent)]
    Fixture(#[from] FixtureError),
    /// A defect of this crate.
    #[error(transparent)]
    Handlers(#[from] RegistryError),
    /// The address cannot be bound.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
}

impl Node {
    /// Starts a node with a fresh key. Must be called on a tokio runtime.
    ///
    /// # Errors
    /// [`NodeError`]; nothing stays bound then.
    pub async fn start(options: &NodeOptions) -> Result<Self, NodeError> {
        let limits = Limits { call_timeout: options.call_timeout, ..Limits::default() };
        let identities = Arc::new(Identities::new(&options.peers)?);
        Self::serving(dispatcher(limits, Vec::new())?, identities, options).await
    }

    /// Starts a node that serves another dispatcher, to others. Must be called on a tokio runtime.
    ///
    /// # Errors
    /// [`NodeError`]; nothing stays bound then.
    pub async fn serving(
        dispatcher: Dispatcher,
        identities: Arc<dyn IdentityProvider>,
        options: &NodeOptions,
    ) -> Result<Self, NodeError> {
        let adapter = CallAdapter::new(dispatcher.clone(), Arc::clone(&identities));
        let handlers = adapter.register(HandlerRegistry::builder())?.build();
        let secret = Ed25519SecretKey::generate().map_err(NodeError::Key)?;
        let key = secret.public();
        let mut config = EndpointConfig::new(secret, handlers, identities);
        config.quic = Some(QuicConfig { listen: options.listen });
        // All its peers are on one machine.
        config.rates = SharedRates::new(RateLimits { connections_per_ip_max: u32::MAX });
        if options.iroh {
            let bind = SocketAddr::new(options.listen.ip(), 0);
            config.iroh = Some(IrohConfig { bind, relay: None });
        }
        let endpoint = Endpoint::bind(config).await?;
        Ok(Self { endpoint, dispatcher, key, iroh: options.iroh })
    }

    /// The address of direct QUIC.
    #[must_use]
    pub fn addr(&self) -> Option<SocketAddr> {
        self.endpoint.quic_addr()
    }

    /// The addresses of iroh; empty without it.
    #[must_use]
    pub fn iroh_addrs(&self) -> &[SocketAddr] {
        self.endpoint.iroh_addrs()
    }

    /// The node's key: its iroh node id.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        self.key
    }

    /// The node's fingerprint.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::from(&self.key)
    }

    /// Where the node is reached, as its one line of standard output says it.
    #[must_use]
    pub fn announcement(&self) -> Value {
        json!({
            "listen": self.addr(),
            "fingerprint": self.fingerprint().to_string(),
            "iroh_node_id": self.iroh.then(|| hex::encode(self.key.as_bytes())),
        })
    }

    /// Answers what runs, refuses the rest, closes the sockets.
    pub async fn stop(&self) {
        self.endpoint.shutdown().await;
        self.dispatcher.stop().await;
    }
}
