//! QUIC between peers by public key, by iroh: the same key and the same handlers as over direct QUIC.
//!
//! Nothing outside is contacted unless a relay is configured: no discovery, no DNS records, no default relays.

use std::io;
use std::net::SocketAddr;

use ::iroh as lib;
use alknet_core::{
    BidiSource, Connection, Ed25519SecretKey, Fingerprint, PublicKey, RecvStream, SendStream, StreamError,
};
use async_trait::async_trait;
use lib::endpoint::{
    BindError, ConnectError, ConnectWithOptsError, ConnectingError, IncomingAddr, QuicTransportConfig,
    VarInt, presets,
};
use lib::{EndpointAddr, RelayMode, RelayUrl, SecretKey};
use tokio::sync::Mutex;

use crate::allowance::Allowance;
use crate::failure::Failure;
use crate::gate::Origin;
use crate::source::{Attempt, Established, Listen};
use crate::{EndpointError, IrohConfig, NetLimits};

crate::stream::quic_library!(iroh::endpoint);

/// The listening side.
pub(crate) struct Listener {
    endpoint: lib::Endpoint,
    limits: NetLimits,
}

impl Listener {
    pub(crate) async fn bind(
        config: &IrohConfig,
        key: &Ed25519SecretKey,
        alpns: Vec<Vec<u8>>,
        limits: NetLimits,
    ) -> Result<Self, EndpointError> {
        let relay = config.relay.as_deref().map(relay_url).transpose();
        let relay = relay.map_err(EndpointError::InvalidRelay)?;
        let failed = |source| EndpointError::BindFailed { addr: config.bind, source };
        let endpoint = endpoint(Some(key), Some(config.bind), relay, alpns, &limits).await.map_err(failed)?;
        Ok(Self { endpoint, limits })
    }

    pub(crate) fn addrs(&self) -> Vec<SocketAddr> {
        self.endpoint.bound_sockets()
    }
}

impl Listen for Listener {
    type Attempt = Incoming;

    async fn accept(&self) -> Option<Incoming> {
        Some(Incoming { attempt: self.endpoint.accept().await?, limits: self.limits })
    }

    async fn close(&self) {
        close(&self.endpoint, &self.limits).await;
    }
}

/// A connection attempt before its handshake.
pub(crate) struct Incoming {
    attempt: lib::endpoint::Incoming,
    limits: NetLimits,
}

impl Attempt for Incoming {
    fn origin(&self) -> Origin {
        match self.attempt.remote_addr() {
            IncomingAddr::Ip(addr) => addr.ip().into(),
            IncomingAddr::Relay { endpoint_id, .. } => Origin::Relayed(*endpoint_id.as_bytes()),
            // No custom transport is ever added; whatever came over one shares a single allowance.
            _ => Origin::Relayed([0; 32]),
        }
    }

    fn validated(&self) -> bool {
        self.attempt.remote_addr_validated()
    }

    fn challenge(self) {
        if let Err(refused) = self.attempt.retry() {
            refused.into_incoming().refuse();
        }
    }

    fn refuse(self) {
        self.attempt.refuse();
    }

    async fn handshake(self) -> Result<Established, io::Error> {
        // Awaiting the whole handshake keeps replayed early data out: a replay never completes it.
        let accepting = self.attempt.accept().map_err(io::Error::other)?;
        let connection = accepting.await.map_err(io::Error::other)?;
        let fingerprint = Fingerprint::Ed25519(*connection.remote_id().as_bytes());
        let alpn = connection.alpn().to_vec();
        let source = Iroh { connection, allowance: Allowance::new(&self.limits), _endpoint: None };
        Ok(Established { connection: Connection::new(source, alpn), fingerprint: Some(fingerprint) })
    }
}

/// The dialing side: one endpoint per relay setting, bound when first needed.
#[derive(Debug, Default)]
pub(crate) struct Dials(Mutex<Vec<(Option<RelayUrl>, lib::Endpoint)>>);

/// Whom to dial, and where it may be found.
pub(crate) struct Target<'a> {
    pub(crate) node: &'a PublicKey,
    pub(crate) addrs: &'a [SocketAddr],
    pub(crate) relay: Option<&'a str>,
}

impl Dials {
    /// Dials, without a time limit. iroh always shows a key.
    pub(crate) async fn dial(
        &self,
        target: &Target<'_>,
        key: Option<&Ed25519SecretKey>,
        alpn: &[u8],
        limits: &NetLimits,
    ) -> Result<Connection, Failure> {
        let node = lib::PublicKey::from_bytes(target.node.as_bytes()).map_err(|_| Failure::InvalidKey)?;
        let relay = target.relay.map(relay_url).transpose().map_err(Failure::InvalidRelay)?;
        let mut addr = EndpointAddr::new(node);
        for ip in target.addrs {
            addr = addr.with_ip_addr(*ip);
        }
        if let Some(url) = &relay {
            addr = addr.with_relay_url(url.clone());
        }
        let endpoint = self.endpoint(relay, key, limits).await.map_err(Failure::Other)?;
        match endpoint.connect(addr, alpn).await {
            Ok(connection) => {
                let source =
                    Iroh { connection, allowance: Allowance::new(limits), _endpoint: Some(endpoint) };
                Ok(Connection::new(source, alpn.to_vec()))
            }
            Err(error) => Err(failure(error)),
        }
    }

    async fn endpoint(
        &self,
        relay: Option<RelayUrl>,
        key: Option<&Ed25519SecretKey>,
        limits: &NetLimits,
    ) -> io::Result<lib::Endpoint> {
        let mut bound = self.0.lock().await;
        if let Some((_, endpoint)) = bound.iter().find(|(for_relay, _)| *for_relay == relay) {
            return Ok(endpoint.clone());
        }
        let endpoint = endpoint(key, None, relay.clone(), Vec::new(), limits).await?;
        bound.push((relay, endpoint.clone()));
        Ok(endpoint)
    }

    pub(crate) async fn close(&self, limits: &NetLimits) {
        let bound = std::mem::take(&mut *self.0.lock().await);
        for (_, endpoint) in bound {
            close(&endpoint, limits).await;
        }
    }
}

fn failure(error: ConnectError) -> Failure {
    match error {
        ConnectError::Connecting { source: ConnectingError::ConnectionError { source, .. }, .. }
        | ConnectError::Connection { source, .. } => raw::failure(source),
        ConnectError::Connect { source: ConnectWithOptsError::NoAddress { .. }, .. } => Failure::Timeout,
        other => Failure::Other(io::Error::other(other)),
    }
}

fn relay_url(url: &str) -> Result<RelayUrl, String> {
    url.parse().map_err(|_| url.to_owned())
}

/// Binds `addr`, or any port of every address family for an endpoint that only dials. Without a key iroh makes
/// a fresh one.
async fn endpoint(
    key: Option<&Ed25519SecretKey>,
    addr: Option<SocketAddr>,
    relay: Option<RelayUrl>,
    alpns: Vec<Vec<u8>>,
    limits: &NetLimits,
) -> io::Result<lib::Endpoint> {
    let relays = relay.map_or(RelayMode::Disabled, |url| RelayMode::custom([url]));
    let mut builder = lib::Endpoint::builder(presets::Minimal);
    if let Some(addr) = addr {
        builder = builder.clear_ip_transports().bind_addr(addr).map_err(io::Error::other)?;
    }
    if let Some(key) = key {
        builder = builder.secret_key(SecretKey::from_bytes(&key.to_bytes()));
    }
    builder
        .relay_mode(relays)
        .clear_address_lookup()
        .transport_config(transport(limits))
        .max_tls_tickets(0)
        .alpns(alpns)
        .bind()
        .await
        .map_err(|error| match error {
            BindError::Sockets { source, .. } | BindError::CreateQuicEndpoint { source, .. } => source,
            other => io::Error::other(other),
        })
}

/// Closes every connection of the endpoint and lets the close packets leave.
async fn close(endpoint: &lib::Endpoint, limits: &NetLimits) {
    if tokio::time::timeout(limits.close_wait, endpoint.close()).await.is_err() {
        tracing::trace!("peers may still be acknowledging the close");
    }
}

fn transport(limits: &NetLimits) -> QuicTransportConfig {
    let idle_millis = u32::try_from(limits.idle_timeout.as_millis()).unwrap_or(u32::MAX);
    QuicTransportConfig::builder()
        .max_concurrent_bidi_streams(VarInt::from_u32(limits.streams_per_connection_max))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(None)
        .datagram_send_buffer_size(0)
        .stream_receive_window(VarInt::from_u32(limits.stream_receive_bytes_max))
        .receive_window(VarInt::from_u32(limits.connection_receive_bytes_max))
        .send_window(limits.connection_send_bytes_max.into())
        .max_idle_timeout(Some(VarInt::from_u32(idle_millis).into()))
        .keep_alive_interval(limits.keep_alive_interval)
        .build()
}

/// An iroh connection. When the last clone of it and of its streams drops, it closes with code 0.
struct Iroh {
    connection: lib::endpoint::Connection,
    allowance: Allowance,
    /// A dialed connection keeps its endpoint alive.
    _endpoint: Option<lib::Endpoint>,
}

#[async_trait]
impl BidiSource for Iroh {
    async fn accept_bi(&self) -> Result<(SendStream, RecvStream), StreamError> {
        raw::streams(self.connection.accept_bi().await)
    }

    async fn open_bi(&self) -> Result<(SendStream, RecvStream), StreamError> {
        raw::streams(self.connection.open_bi().await)
    }

    /// Paths come and go under an iroh connection, so there is no one address.
    fn remote_addr(&self) -> Option<SocketAddr> {
        None
    }

    fn close(&self, code: u32, reason: &str) {
        self.connection.close(VarInt::from_u32(code), reason.as_bytes());
    }

    fn stream_given_up(&self) {
        if let Some(allowed) = self.allowance.give_up_stream() {
            self.connection.set_max_concurrent_bi_streams(VarInt::from_u32(allowed));
        }
    }
}
