//! The vocabulary every other crate of the host speaks.
//!
//! Connections and streams over any transport, the [`ProtocolHandler`] trait and its registry, identities and
//! how they are resolved, outbound [`Capabilities`], the [`Clock`], and the drain signal.
//!
//! **Goals.** One set of types for every transport and every protocol; nothing here can be built in a state
//! that the security rules forbid (an [`Identity`] is known or absent, a [`Secret`] never prints itself).
//!
//! **Non-goals.** No sockets, no files, no TLS, no storage: those live in the crates that depend on this one.
//! The public API names no type of an async runtime or a QUIC library.
//!
//! ```
//! use alknet_core::{Grants, Identity, IdentityId, Scope};
//!
//! let grants = Grants::default().with_scope(Scope::parse("fs:read")?);
//! let alice = Identity::new(IdentityId::parse("alice")?, grants);
//! assert!(alice.grants().has_scope("fs:read"));
//! # Ok::<(), alknet_core::InvalidName>(())
//! ```

mod auth;
mod capabilities;
mod clock;
mod connection;
mod directory;
mod drain;
mod error;
mod fingerprint;
mod grants;
mod handler;
mod identity;
mod key;
mod name;
mod rates;
mod scrub;
mod single;
mod store;
mod token;

pub use auth::AuthContext;
pub use capabilities::{Capabilities, CapabilitySource, Secret};
pub use clock::{Clock, ManualClock, SystemClock};
pub use connection::{BiStream, BidiSource, Connection, RecvStream, SendStream, WatchedWrite};
pub use directory::{ApiKeyEntry, AuthPolicy, ConfigIdentityProvider, Directory, DirectoryError, PeerEntry};
pub use drain::{Drain, DrainSignal};
pub use error::{HandlerError, IdentityAlreadySet, StreamError};
pub use fingerprint::{Fingerprint, InvalidFingerprint};
pub use grants::Grants;
pub use handler::{HandlerRegistry, HandlerRegistryBuilder, ProtocolHandler, RegistryError};
pub use identity::{Identity, IdentityProvider};
pub use key::{Ed25519SecretKey, PublicKey};
pub use name::{IdentityId, InvalidName, Scope};
pub use rates::RateLimits;
pub use scrub::{LiveSecrets, REDACTED, SECRET_BYTES_MIN, Scrubbed, Scrubber};
pub use store::{CredentialStore, EncryptedData, IdentityStore, InMemoryCredentialStore, StoreError};
pub use token::{AuthToken, NewApiKey, TokenHash};

/// ALPN of the call protocol (ADR-006).
pub const ALPN_CALL: &[u8] = b"alknet/call";
/// Alias of [`ALPN_CALL`], spoken by published `alkcall` clients; the framing is the same.
pub const ALPN_CALL_ALIAS: &[u8] = b"alk/call";
