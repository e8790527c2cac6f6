//! Reaching a peer whose key is known.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use alknet_core::{Connection, Ed25519SecretKey, Fingerprint, PublicKey};

#[cfg(any(feature = "quinn", feature = "iroh"))]
use crate::failure::Dialed;
use crate::{DialError, NetLimits};

/// Dials peers by their public key, over direct QUIC or iroh.
///
/// There is no way to dial without a pin. A dialed connection closes with code 0 when its last clone and its
/// last stream are dropped; [`Dialer::close`] closes them all and lets the peers know before a program ends.
/// Cheap to clone; clones share their sockets, which are bound when first needed. Must be used on a tokio
/// runtime.
#[derive(Debug, Clone)]
pub struct Dialer(Arc<Inner>);

struct Inner {
    key: Option<Ed25519SecretKey>,
    limits: NetLimits,
    #[cfg(feature = "quinn")]
    quic: crate::quic::Dials,
    #[cfg(feature = "iroh")]
    iroh: crate::iroh::Dials,
}

impl Dialer {
    /// A dialer that shows `key`, or none: an anonymous client.
    #[must_use]
    pub fn new(key: Option<Ed25519SecretKey>) -> Self {
        Self::with_limits(key, NetLimits::default())
    }

    /// A dialer with other limits than the default ones.
    #[must_use]
    pub fn with_limits(key: Option<Ed25519SecretKey>, limits: NetLimits) -> Self {
        Self(Arc::new(Inner {
            key,
            limits,
            #[cfg(feature = "quinn")]
            quic: crate::quic::Dials::default(),
            #[cfg(feature = "iroh")]
            iroh: crate::iroh::Dials::default(),
        }))
    }

    /// Dials a QUIC address and accepts only the server that holds the pinned key (RFC 7250 raw public key).
    ///
    /// # Errors
    /// [`DialError`]; [`DialError::UnsupportedPin`] for a pin that is not `ed25519:`.
    pub async fn dial_quic(
        &self,
        addr: SocketAddr,
        pin: &Fingerprint,
        alpn: &[u8],
    ) -> Result<Connection, DialError> {
        let Fingerprint::Ed25519(key) = *pin else {
            return Err(DialError::UnsupportedPin(*pin));
        };
        self.0.quic(addr, key, alpn).await
    }

    /// Dials a peer by its public key, at these addresses or through this relay (a URL).
    ///
    /// iroh has no anonymous clients: a dialer without a key makes a fresh one, known to
    /// nobody. Nothing but the addresses and the relay given here is contacted.
    ///
    /// # Errors
    /// [`DialError`].
    pub async fn dial_iroh(
        &self,
        node: &PublicKey,
        addrs: &[SocketAddr],
        relay: Option<&str>,
        alpn: &[u8],
    ) -> Result<Connection, DialError> {
        self.0.iroh(node, addrs, relay, alpn).await
    }

    /// Closes every dialed connection with code 0 and waits, for a short bounded time, until the peers were
    /// told. The dialer can be used again.
    pub async fn close(&self) {
        #[cfg(feature = "quinn")]
        self.0.quic.close(&self.0.limits).await;
        #[cfg(feature = "iroh")]
        self.0.iroh.close(&self.0.limits).await;
        #[cfg(not(any(feature = "quinn", feature = "iroh")))]
        std::future::ready(()).await;
    }
}

impl Inner {
    #[cfg(feature = "quinn")]
    async fn quic(&self, addr: SocketAddr, pin: [u8; 32], alpn: &[u8]) -> Result<Connection, DialError> {
        let target = crate::quic::Target { addr, pin };
        let dial = self.quic.dial(target, self.key.as_ref(), alpn, &self.limits);
        let dialed = Dialed { peer: addr.to_string(), pin: Fingerprint::Ed25519(pin), alpn };
        dialed.outcome(dial, self.limits.dial_timeout).await
    }

    #[cfg(not(feature = "quinn"))]
    async fn quic(&self, _: SocketAddr, _: [u8; 32], _: &[u8]) -> Result<Connection, DialError> {
        std::future::ready(Err(DialError::Unsupported { feature: "quinn" })).await
    }

    #[cfg(feature = "iroh")]
    async fn iroh(
        &self,
        node: &PublicKey,
        addrs: &[SocketAddr],
        relay: Option<&str>,
        alpn: &[u8],
    ) -> Result<Connection, DialError> {
        let target = crate::iroh::Target { node, addrs, relay };
        let dial = self.iroh.dial(&target, self.key.as_ref(), alpn, &self.limits);
        let pin = Fingerprint::from(node);
        let dialed = Dialed { peer: pin.to_string(), pin, alpn };
        dialed.outcome(Box::pin(dial), self.limits.dial_timeout).await
    }

    #[cfg(not(feature = "iroh"))]
    async fn iroh(
        &self,
        _: &PublicKey,
        _: &[SocketAddr],
        _: Option<&str>,
        _: &[u8],
    ) -> Result<Connection, DialError> {
        std::future::ready(Err(DialError::Unsupported { feature: "iroh" })).await
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let public = self.key.as_ref().map(|key| Fingerprint::from(&key.public()));
        f.debug_struct("Dialer").field("key", &public).finish_non_exhaustive()
    }
}
