//! The call protocol as a protocol handler of the endpoint.

use std::fmt;
use std::sync::Arc;

use alknet_core::{
    ALPN_CALL, ALPN_CALL_ALIAS, AuthContext, Connection, DrainSignal, HandlerError, HandlerRegistryBuilder,
    IdentityProvider, ProtocolHandler, RegistryError,
};
use async_trait::async_trait;

use crate::{Dispatcher, Link};

/// Serves the call protocol on every connection the endpoint hands over.
#[derive(Clone)]
pub struct CallAdapter {
    alpn: &'static [u8],
    dispatcher: Dispatcher,
    identities: Arc<dyn IdentityProvider>,
}

impl CallAdapter {
    /// An adapter for `alknet/call`.
    pub fn new(dispatcher: Dispatcher, identities: Arc<dyn IdentityProvider>) -> Self {
        Self { alpn: ALPN_CALL, dispatcher, identities }
    }

    /// Registers the protocol under its ALPN and under the alias `alk/call`.
    ///
    /// # Errors
    /// [`RegistryError::DuplicateAlpn`] when either is taken.
    pub fn register(self, registry: HandlerRegistryBuilder) -> Result<HandlerRegistryBuilder, RegistryError> {
        let alias = Self { alpn: ALPN_CALL_ALIAS, ..self.clone() };
        registry.register(Arc::new(self))?.register(Arc::new(alias))
    }
}

#[async_trait]
impl ProtocolHandler for CallAdapter {
    fn alpn(&self) -> &'static [u8] {
        self.alpn
    }

    async fn handle(
        &self,
        connection: Connection,
        auth: &AuthContext,
        drain: DrainSignal,
    ) -> Result<(), HandlerError> {
        let identities = Arc::clone(&self.identities);
        Link::accepted(connection, auth.clone(), self.dispatcher.clone(), identities).run(drain).await
    }
}

impl fmt::Debug for CallAdapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallAdapter")
            .field("alpn", &String::from_utf8_lossy(self.alpn))
            .finish_non_exhaustive()
    }
}
