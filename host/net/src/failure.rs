//! What a failed handshake means to the one who dialed.

use std::io;
use std::time::Duration;

use alknet_core::{Connection, Fingerprint};

use crate::DialError;

/// Why a transport could not connect.
#[derive(Debug)]
pub(crate) enum Failure {
    Timeout,
    Refused,
    NoCommonAlpn,
    /// The server has another key; which one, where the transport tells.
    WrongKey(Option<Fingerprint>),
    #[cfg_attr(not(feature = "iroh"), expect(dead_code, reason = "only iroh parses these"))]
    InvalidKey,
    #[cfg_attr(not(feature = "iroh"), expect(dead_code, reason = "only iroh parses these"))]
    InvalidRelay(String),
    Other(io::Error),
}

/// `CONNECTION_REFUSED` and `APPLICATION_ERROR` (RFC 9000 section 20.1); an application that closes during the
/// handshake is announced as the latter.
const REFUSED: [u64; 2] = [0x2, 0xc];
/// TLS alert 120, `no_application_protocol` (RFC 7301), as a QUIC error code (RFC 9001 section 4.8).
const NO_APPLICATION_PROTOCOL: u64 = 0x100 + 120;
/// TLS alert 48, `unknown_ca`: this side's verdict on a key that is not the expected one.
const UNKNOWN_CA: u64 = 0x100 + 48;

impl Failure {
    /// From the QUIC error code with which the peer ended the handshake.
    pub(crate) fn from_peer(code: u64, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        match code {
            code if REFUSED.contains(&code) => Self::Refused,
            NO_APPLICATION_PROTOCOL => Self::NoCommonAlpn,
            _ => Self::Other(io::Error::other(error)),
        }
    }

    /// From the QUIC error code with which this side ended the handshake.
    pub(crate) fn from_own(code: u64, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        match code {
            UNKNOWN_CA => Self::WrongKey(None),
            NO_APPLICATION_PROTOCOL => Self::NoCommonAlpn,
            _ => Self::Other(io::Error::other(error)),
        }
    }
}

/// Whom a dial was meant for, for its error.
pub(crate) struct Dialed<'a> {
    /// The address, or the fingerprint where there are many addresses.
    pub(crate) peer: String,
    pub(crate) pin: Fingerprint,
    pub(crate) alpn: &'a [u8],
}

impl Dialed<'_> {
    /// Drives a dial for at most `limit`.
    pub(crate) async fn outcome(
        self,
        dial: impl Future<Output = Result<Connection, Failure>>,
        limit: Duration,
    ) -> Result<Connection, DialError> {
        let outcome = tokio::time::timeout(limit, dial).await.unwrap_or(Err(Failure::Timeout));
        outcome.map_err(|failure| self.error(failure, limit))
    }

    fn error(self, failure: Failure, after: Duration) -> DialError {
        let Self { peer, pin, alpn } = self;
        match failure {
            Failure::Timeout => DialError::Timeout { peer, after },
            Failure::Refused => DialError::Refused { peer },
            Failure::NoCommonAlpn => {
                DialError::NoCommonAlpn { peer, alpn: String::from_utf8_lossy(alpn).into_owned() }
            }
            Failure::WrongKey(shown) => DialError::WrongServerKey { expected: pin, shown },
            Failure::InvalidKey => DialError::InvalidKey,
            Failure::InvalidRelay(url) => DialError::InvalidRelay(url),
            Failure::Other(error) => DialError::Transport(error),
        }
    }
}
