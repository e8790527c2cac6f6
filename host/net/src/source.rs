//! What the accept loop needs from a transport.

use std::io;

use alknet_core::{Connection, Fingerprint};

use crate::gate::Origin;

/// A bound socket that connection attempts arrive at.
pub(crate) trait Listen: Send + Sync + 'static {
    type Attempt: Attempt;

    /// The next attempt; `None` once the socket is closed.
    fn accept(&self) -> impl Future<Output = Option<Self::Attempt>> + Send;

    /// Closes what is left and waits until the peers were told, for a bounded time.
    fn close(&self) -> impl Future<Output = ()> + Send;
}

/// A connection attempt before its handshake.
pub(crate) trait Attempt: Send + Sized + 'static {
    fn origin(&self) -> Origin;

    /// Whether the client has shown that it receives at its address.
    fn validated(&self) -> bool;

    /// Asks the client to show it.
    fn challenge(self);

    fn refuse(self);

    fn handshake(self) -> impl Future<Output = Result<Established, io::Error>> + Send;
}

/// A connection after its handshake.
pub(crate) struct Established {
    pub(crate) connection: Connection,
    /// The key the client proved to hold, if it showed one.
    pub(crate) fingerprint: Option<Fingerprint>,
}
