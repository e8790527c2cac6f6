//! One handler per ALPN: the ALPN negotiated in the handshake picks who owns the connection (ADR-001, ADR-002).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::{AuthContext, Connection, DrainSignal, HandlerError};

/// A protocol: owns whole connections of its ALPN and its own framing on them.
#[async_trait]
pub trait ProtocolHandler: Send + Sync + 'static {
    /// The ALPN this handler serves.
    fn alpn(&self) -> &'static [u8];

    /// Serves one connection until it ends or draining is finished.
    async fn handle(
        &self,
        connection: Connection,
        auth: &AuthContext,
        drain: DrainSignal,
    ) -> Result<(), HandlerError>;
}

/// The handlers by ALPN; immutable, so that the advertised list and the dispatch can never differ.
#[derive(Clone, Default)]
pub struct HandlerRegistry(Arc<BTreeMap<&'static [u8], Arc<dyn ProtocolHandler>>>);

/// Collects handlers.
#[derive(Default)]
pub struct HandlerRegistryBuilder(BTreeMap<&'static [u8], Arc<dyn ProtocolHandler>>);

/// Why a registry could not be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// Two handlers for one ALPN.
    #[error("the ALPN `{0}` has two handlers")]
    DuplicateAlpn(String),
}

impl HandlerRegistry {
    /// Starts an empty registry.
    #[must_use]
    pub fn builder() -> HandlerRegistryBuilder {
        HandlerRegistryBuilder::default()
    }

    /// The handler of an ALPN.
    #[must_use]
    pub fn get(&self, alpn: &[u8]) -> Option<Arc<dyn ProtocolHandler>> {
        self.0.get(alpn).cloned()
    }

    /// The ALPNs to advertise.
    #[must_use]
    pub fn alpn_strings(&self) -> Vec<Vec<u8>> {
        self.0.keys().map(|alpn| alpn.to_vec()).collect()
    }
}

impl HandlerRegistryBuilder {
    /// Adds a handler under its ALPN.
    ///
    /// # Errors
    /// [`RegistryError::DuplicateAlpn`] when the ALPN is taken.
    pub fn register(mut self, handler: Arc<dyn ProtocolHandler>) -> Result<Self, RegistryError> {
        let alpn = handler.alpn();
        if self.0.insert(alpn, handler).is_some() {
            return Err(RegistryError::DuplicateAlpn(String::from_utf8_lossy(alpn).into_owned()));
        }
        Ok(self)
    }

    /// Freezes the registry.
    #[must_use]
    pub fn build(self) -> HandlerRegistry {
        HandlerRegistry(Arc::new(self.0))
    }
}

impl fmt::Debug for HandlerRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let alpns = self.0.keys().map(|alpn| String::from_utf8_lossy(alpn));
        f.debug_set().entries(alpns).finish()
    }
}

impl fmt::Debug for HandlerRegistryBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandlerRegistryBuilder").field("handlers", &self.0.len()).finish()
    }
}
