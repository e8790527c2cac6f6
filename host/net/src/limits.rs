//! Every number of this crate.

use std::sync::Arc;
use std::time::Duration;

use alknet_core::RateLimits;
use arc_swap::ArcSwap;

/// Bounds on what strangers and peers may make this host hold. Fixed when an endpoint or a dialer is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NetLimits {
    /// Live connections of one endpoint over all sources, handshakes included; further ones are refused.
    pub connections_max: u32,
    /// Handshakes under way at once; further ones are refused.
    pub handshakes_max: u32,
    /// Handshakes under way from which on a client must first prove that it receives at its address
    /// (QUIC Retry, RFC 9000 section 8.1.2).
    pub handshakes_unvalidated_max: u32,
    /// Time for a handshake on the accepting side.
    pub handshake_timeout: Duration,
    /// Time for a dial, from the first packet to the end of the handshake.
    pub dial_timeout: Duration,
    /// Bidirectional streams the peer may have open on one connection. The transport reserves memory for each
    /// of them in advance, in tables that hold those of both sides and double beyond 112 and 224: 5 KiB, then 11 KiB.
    pub streams_per_connection_max: u32,
    /// Streams that a peer may leave open over the life of one QUIC or iroh connection after this side has given them up;
    /// each costs as much memory as an allowed one.
    pub streams_given_up_max: u32,
    /// Bytes a peer may send on one stream before they are read.
    pub stream_receive_bytes_max: u32,
    /// Bytes a peer may send on all streams of a connection before they are read.
    pub connection_receive_bytes_max: u32,
    /// Bytes written on a connection and not yet acknowledged.
    pub connection_send_bytes_max: u32,
    /// Bytes buffered for a connection attempt that is not accepted yet.
    pub attempt_bytes_max: u32,
    /// Silence after which a connection counts as lost.
    pub idle_timeout: Duration,
    /// How often the dialing side shows that it is alive.
    pub keep_alive_interval: Duration,
    /// How long closing waits for the close packets to leave.
    pub close_wait: Duration,
}

impl Default for NetLimits {
    fn default() -> Self {
        Self {
            connections_max: 4096,
            handshakes_max: 1024,
            handshakes_unvalidated_max: 128,
            handshake_timeout: Duration::from_secs(10),
            dial_timeout: Duration::from_secs(10),
            streams_per_connection_max: 100,
            streams_given_up_max: 16_384,
            stream_receive_bytes_max: 1 << 20,
            connection_receive_bytes_max: 8 << 20,
            connection_send_bytes_max: 8 << 20,
            attempt_bytes_max: 64 << 10,
            idle_timeout: Duration::from_secs(30),
            keep_alive_interval: Duration::from_secs(10),
            close_wait: Duration::from_millis(20),
        }
    }
}

/// Time that handlers have to finish after a shutdown begins (core specification, section 6).
pub(crate) const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// The rate limits in force; every clone sees a change at once.
#[derive(Debug, Clone, Default)]
pub struct SharedRates(Arc<ArcSwap<RateLimits>>);

impl SharedRates {
    /// Starts with these limits.
    #[must_use]
    pub fn new(rates: RateLimits) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(rates)))
    }

    /// The limits in force.
    #[must_use]
    pub fn get(&self) -> RateLimits {
        **self.0.load()
    }

    /// Replaces the limits. Connections that are already open stay open.
    pub fn set(&self, rates: RateLimits) {
        self.0.store(Arc::new(rates));
    }
}
