//! Why an endpoint could not start, or a peer could not be reached.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use alknet_core::Fingerprint;

/// Why an endpoint could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// The socket could not be had.
    #[error("cannot listen on {addr}")]
    BindFailed {
        /// The address that was asked for.
        addr: SocketAddr,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The Unix socket could not be had.
    #[error("cannot listen on {}", path.display())]
    SocketFailed {
        /// The file that was asked for.
        path: std::path::PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The TLS or transport configuration was refused by its library.
    #[error("the TLS configuration is not usable")]
    TlsConfig(#[source] io::Error),
    /// A source was configured that this build leaves out.
    #[error("this build has no `{feature}` support")]
    Unsupported {
        /// The missing cargo feature.
        feature: &'static str,
    },
    /// No source was configured: the endpoint would serve nobody.
    #[error("neither QUIC nor iroh nor a socket is configured")]
    NoSource,
    /// The registry is empty: every handshake would fail.
    #[error("there is no protocol handler to serve")]
    NoHandlers,
    /// The relay is not a URL.
    #[error("`{0}` is not a relay URL")]
    InvalidRelay(String),
}

/// Why a dial failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DialError {
    /// Nothing answered at any of the addresses.
    #[error("no answer from {peer} within {after:?}")]
    Timeout {
        /// The address, or the fingerprint where there are many addresses.
        peer: String,
        /// How long was waited.
        after: Duration,
    },
    /// The peer has another key than the one expected (RFC 7250 pinning); nothing was sent to it.
    #[error("wrong server key: expected {expected}, the server showed {}", describe(.shown.as_ref()))]
    WrongServerKey {
        /// The pin.
        expected: Fingerprint,
        /// What was shown instead, where the transport tells. Nobody proved to hold it.
        shown: Option<Fingerprint>,
    },
    /// The peer is there and wants no connection: limits, or it is shutting down.
    #[error("{peer} refused the connection")]
    Refused {
        /// The address, or the fingerprint where there are many addresses.
        peer: String,
    },
    /// The peer does not speak the protocol (TLS alert 120, `no_application_protocol`).
    #[error("{peer} does not speak `{alpn}`")]
    NoCommonAlpn {
        /// The address, or the fingerprint where there are many addresses.
        peer: String,
        /// What was offered.
        alpn: String,
    },
    /// The pin is not an Ed25519 fingerprint, the only kind a raw-key server can match.
    #[error("a peer is dialed by an `ed25519:` fingerprint, not by {0}")]
    UnsupportedPin(Fingerprint),
    /// The public key is not a point of the curve.
    #[error("the public key is not valid")]
    InvalidKey,
    /// The relay is not a URL.
    #[error("`{0}` is not a relay URL")]
    InvalidRelay(String),
    /// This build leaves the source out.
    #[error("this build has no `{feature}` support")]
    Unsupported {
        /// The missing cargo feature.
        feature: &'static str,
    },
    /// Anything else: no local socket, or a handshake that failed for another reason.
    #[error("cannot connect")]
    Transport(#[source] io::Error),
}

fn describe(fingerprint: Option<&Fingerprint>) -> String {
    fingerprint.map_or_else(|| "another".to_owned(), Fingerprint::to_string)
}
