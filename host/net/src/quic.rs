//! Direct QUIC over UDP, by quinn.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use alknet_core::{
    BidiSource, Connection, Ed25519SecretKey, Fingerprint, RecvStream, SendStream, StreamError,
};
use async_trait::async_trait;
use quinn::crypto::rustls::HandshakeData;
use quinn::{IdleTimeout, TransportConfig, VarInt};
use rustls::pki_types::CertificateDer;

use crate::allowance::Allowance;
use crate::close::CloseCode;
use crate::failure::Failure;
use crate::gate::Origin;
use crate::source::{Attempt, Established, Listen};
use crate::{EndpointError, NetLimits, tls};

crate::stream::quic_library!(quinn);

/// The listening side.
pub(crate) struct Listener {
    endpoint: quinn::Endpoint,
    limits: NetLimits,
}

impl Listener {
    /// Binds the socket; must be called on a runtime.
    pub(crate) fn bind(
        addr: SocketAddr,
        key: &Ed25519SecretKey,
        alpns: Vec<Vec<u8>>,
        limits: NetLimits,
    ) -> Result<Self, EndpointError> {
        let tls = tls::server(key, alpns).map_err(EndpointError::TlsConfig)?;
        let mut config = quinn::ServerConfig::with_crypto(Arc::new(tls));
        config.transport_config(Arc::new(transport(&limits)));
        config.max_incoming(usize::try_from(limits.handshakes_max).unwrap_or(usize::MAX));
        config.incoming_buffer_size(limits.attempt_bytes_max.into());
        config.incoming_buffer_size_total(
            u64::from(limits.attempt_bytes_max).saturating_mul(limits.handshakes_max.into()),
        );
        let endpoint = quinn::Endpoint::server(config, addr)
            .map_err(|source| EndpointError::BindFailed { addr, source })?;
        Ok(Self { endpoint, limits })
    }

    pub(crate) fn addr(&self) -> Option<SocketAddr> {
        self.endpoint.local_addr().ok()
    }
}

impl Listen for Listener {
    type Attempt = Incoming;

    async fn accept(&self) -> Option<Incoming> {
        let (attempt, limits) = (self.endpoint.accept().await?, self.limits);
        Some(Incoming { attempt, limits })
    }

    async fn close(&self) {
        close(&self.endpoint, CloseCode::Shutdown, &self.limits).await;
    }
}

/// A connection attempt over UDP.
pub(crate) struct Incoming {
    attempt: quinn::Incoming,
    limits: NetLimits,
}

impl Attempt for Incoming {
    fn origin(&self) -> Origin {
        self.attempt.remote_address().ip().into()
    }

    fn validated(&self) -> bool {
        self.attempt.remote_address_validated()
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
        let connection = self.attempt.accept().map_err(io::Error::other)?.await.map_err(io::Error::other)?;
        let alpn = connection
            .handshake_data()
            .and_then(|data| data.downcast::<HandshakeData>().ok())
            .and_then(|data| data.protocol)
            .ok_or_else(|| io::Error::other("no ALPN was negotiated"))?;
        let fingerprint = client_key(&connection)?;
        let source = Quic::new(connection, &self.limits);
        Ok(Established { connection: Connection::new(source, alpn), fingerprint })
    }
}

/// The key the client proved to hold; `None` for a client that showed none.
fn client_key(connection: &quinn::Connection) -> io::Result<Option<Fingerprint>> {
    let Some(shown) = connection.peer_identity() else {
        return Ok(None);
    };
    let chain = shown.downcast::<Vec<CertificateDer<'static>>>().ok();
    let key = chain.and_then(|chain| tls::raw_key(chain.first()?));
    let key = key.ok_or_else(|| io::Error::other("the client's key is not a raw Ed25519 key"))?;
    Ok(Some(Fingerprint::from(&key)))
}

/// The dialing side: one socket per address family, bound when first needed.
#[derive(Debug, Default)]
pub(crate) struct Dials {
    v4: Mutex<Option<quinn::Endpoint>>,
    v6: Mutex<Option<quinn::Endpoint>>,
}

/// Where to dial, and whom to expect there.
pub(crate) struct Target {
    pub(crate) addr: SocketAddr,
    pub(crate) pin: [u8; 32],
}

impl Dials {
    /// Dials, without a time limit.
    pub(crate) async fn dial(
        &self,
        Target { addr, pin }: Target,
        key: Option<&Ed25519SecretKey>,
        alpn: &[u8],
        limits: &NetLimits,
    ) -> Result<Connection, Failure> {
        let (tls, shown) = tls::client(pin, key, alpn).map_err(Failure::Other)?;
        let mut transport = transport(limits);
        transport.keep_alive_interval(Some(limits.keep_alive_interval));
        let mut config = quinn::ClientConfig::new(Arc::new(tls));
        config.transport_config(Arc::new(transport));
        let endpoint = self.endpoint(addr).map_err(Failure::Other)?;
        let connecting = endpoint
            .connect_with(config, addr, tls::SERVER_NAME)
            .map_err(|error| Failure::Other(io::Error::other(error)))?;
        match connecting.await {
            Ok(connection) => Ok(Connection::new(Quic::new(connection, limits), alpn.to_vec())),
            Err(error) => match shown.get() {
                Some(shown) => Err(Failure::WrongKey(Some(*shown))),
                None => Err(raw::failure(error)),
            },
        }
    }

    fn endpoint(&self, towards: SocketAddr) -> io::Result<quinn::Endpoint> {
        let (cell, any) = match towards {
            SocketAddr::V4(_) => (&self.v4, SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))),
            SocketAddr::V6(_) => (&self.v6, SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0))),
        };
        let mut cell = cell.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(endpoint) = &*cell {
            return Ok(endpoint.clone());
        }
        let endpoint = quinn::Endpoint::client(any)?;
        Ok(cell.insert(endpoint).clone())
    }

    pub(crate) async fn close(&self, limits: &NetLimits) {
        for cell in [&self.v4, &self.v6] {
            let endpoint = cell.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(endpoint) = endpoint {
                close(&endpoint, CloseCode::Done, limits).await;
            }
        }
    }
}

/// Closes every connection of the endpoint and lets the close packets leave.
async fn close(endpoint: &quinn::Endpoint, code: CloseCode, limits: &NetLimits) {
    endpoint.close(VarInt::from_u32(code.code()), code.reason().as_bytes());
    if tokio::time::timeout(limits.close_wait, endpoint.wait_idle()).await.is_err() {
        tracing::trace!("peers may still be acknowledging the close");
    }
}

fn transport(limits: &NetLimits) -> TransportConfig {
    let mut config = TransportConfig::default();
    let idle_millis = u32::try_from(limits.idle_timeout.as_millis()).unwrap_or(u32::MAX);
    config
        .max_concurrent_bidi_streams(VarInt::from_u32(limits.streams_per_connection_max))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(None)
        .datagram_send_buffer_size(0)
        .stream_receive_window(VarInt::from_u32(limits.stream_receive_bytes_max))
        .receive_window(VarInt::from_u32(limits.connection_receive_bytes_max))
        .send_window(limits.connection_send_bytes_max.into())
        .max_idle_timeout(Some(IdleTimeout::from(VarInt::from_u32(idle_millis))));
    config
}

/// A quinn connection. When the last clone of it and of its streams drops, it closes with code 0.
struct Quic {
    connection: quinn::Connection,
    allowance: Allowance,
}

impl Quic {
    fn new(connection: quinn::Connection, limits: &NetLimits) -> Self {
        Self { connection, allowance: Allowance::new(limits) }
    }
}

#[async_trait]
impl BidiSource for Quic {
    async fn accept_bi(&self) -> Result<(SendStream, RecvStream), StreamError> {
        raw::streams(self.connection.accept_bi().await)
    }

    async fn open_bi(&self) -> Result<(SendStream, RecvStream), StreamError> {
        raw::streams(self.connection.open_bi().await)
    }

    fn remote_addr(&self) -> Option<SocketAddr> {
        Some(self.connection.remote_address())
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
