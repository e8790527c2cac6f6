//! What the endpoint knows about a peer when it hands over the connection.

use std::net::SocketAddr;

use crate::{Fingerprint, Identity};

/// The peer of a connection, as the transport proved it. Handlers never change it (ADR-011).
#[derive(Debug, Clone, Default)]
pub struct AuthContext {
    /// The identity behind the proven key; `None` when no key was shown or nobody is known by it.
    pub identity: Option<Identity>,
    /// The negotiated ALPN.
    pub alpn: Vec<u8>,
    /// The peer's address, where the transport has one. Informational.
    pub remote_addr: Option<SocketAddr>,
    /// The proven key's fingerprint, kept when unknown so that it can be logged and re-resolved.
    pub fingerprint: Option<Fingerprint>,
}
