//! The host's network: endpoints that accept peers, and the dialer that reaches them.
//!
//! An [`Endpoint`] listens on up to two sources, direct QUIC (`quinn`) and iroh (`iroh`), and hands every
//! connection to the handler its ALPN names. A [`Dialer`] opens such connections. Both speak TLS 1.3 with raw
//! Ed25519 public keys (RFC 7250): a fingerprint is all two hosts need to know of each other.
//!
//! **Goals.** Whoever shows a key proves to hold it, on both sides. A server is never accepted without a pin.
//! Nothing a stranger does is without a bound, and nothing one connection does disturbs another. A shutdown
//! loses no reply that was closed.
//!
//! **Non-goals.** No certificates and no authorities; web clients need a listener of their own. No access
//! control: handlers decide what an identity may do. No session resumption and no early data, which could be
//! replayed. The public API names no type of a QUIC or TLS library.
//!
//! ```
//! use std::sync::Arc;
//!
//! use alknet_core::*;
//! use alknet_net::{Dialer, Endpoint, EndpointConfig, QuicConfig};
//! use futures_util::{AsyncReadExt as _, AsyncWriteExt as _};
//!
//! /// Sends every stream back.
//! struct Echo;
//!
//! #[async_trait::async_trait]
//! impl ProtocolHandler for Echo {
//!     fn alpn(&self) -> &'static [u8] {
//!         b"example/echo"
//!     }
//!
//!     async fn handle(&self, peer: Connection, _: &AuthContext, _: DrainSignal) -> Result<(), HandlerError> {
//!         loop {
//!             let (mut send, recv) = peer.accept_bi().await?;
//!             futures_util::io::copy(recv, &mut send).await.map_err(HandlerError::StreamError)?;
//!             send.close().await.map_err(HandlerError::StreamError)?;
//!         }
//!     }
//! }
//!
//! /// Knows nobody.
//! struct Strangers;
//!
//! impl IdentityProvider for Strangers {
//!     fn resolve_from_fingerprint(&self, _: &Fingerprint) -> Option<Identity> {
//!         None
//!     }
//!     fn resolve_from_token(&self, _: &AuthToken) -> Option<Identity> {
//!         None
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let handlers = HandlerRegistry::builder().register(Arc::new(Echo))?.build();
//! let mut config = EndpointConfig::new(Ed25519SecretKey::generate()?, handlers, Arc::new(Strangers));
//! config.quic = Some(QuicConfig { listen: "127.0.0.1:0".parse()? });
//! let endpoint = Endpoint::bind(config).await?;
//!
//! let dialer = Dialer::new(None);
//! let pin = Fingerprint::from(&endpoint.public_key());
//! let addr = endpoint.quic_addr().ok_or("no address")?;
//! let connection = dialer.dial_quic(addr, &pin, b"example/echo").await?;
//! let (mut send, mut recv) = connection.open_bi().await?;
//! send.write_all(b"hello").await?;
//! send.close().await?;
//! let mut reply = String::new();
//! recv.read_to_string(&mut reply).await?;
//! assert_eq!(reply, "hello");
//!
//! dialer.close().await;
//! endpoint.shutdown().await;
//! # Ok(())
//! # }
//! ```

#![cfg_attr(
    not(any(feature = "quinn", feature = "iroh")),
    expect(dead_code, reason = "without a source there is nothing to accept")
)]

mod accept;
#[cfg(any(feature = "quinn", feature = "iroh"))]
mod allowance;
mod close;
mod dial;
mod endpoint;
mod error;
#[cfg(any(feature = "quinn", feature = "iroh"))]
mod failure;
mod gate;
#[cfg(feature = "iroh")]
mod iroh;
mod limits;
#[cfg(feature = "quinn")]
mod quic;
mod source;
#[cfg(any(feature = "quinn", feature = "iroh"))]
mod stream;
#[cfg(feature = "quinn")]
mod tls;
#[cfg(unix)]
mod unix;

pub use close::CloseCode;
pub use dial::Dialer;
pub use endpoint::{Endpoint, EndpointConfig, IrohConfig, QuicConfig, UnixConfig};
pub use error::{DialError, EndpointError};
pub use limits::{NetLimits, SharedRates};
#[cfg(unix)]
pub use unix::{dial_unix, over_unix};
