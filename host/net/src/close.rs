//! The codes with which this host ends connections and streams.

/// Why an endpoint closed a connection: the QUIC application error code, with a reason text for people.
///
/// An attempt that is refused before the handshake (limits, draining) gets the transport error
/// `CONNECTION_REFUSED` (RFC 9000 section 20.1) and none of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseCode {
    /// 0: the handler is finished, or the dialing side is.
    Done,
    /// 0: no handler for the ALPN; the code is fixed by the protocol, the reason `no handler` tells it apart.
    NoHandler,
    /// 1: the endpoint is shutting down.
    Shutdown,
    /// 2: every way to authenticate was exhausted.
    AuthRequired,
    /// 3: the handler failed.
    HandlerFailed,
}

impl CloseCode {
    /// The number on the wire.
    #[must_use]
    pub fn code(self) -> u32 {
        match self {
            Self::Done | Self::NoHandler => 0,
            Self::Shutdown => 1,
            Self::AuthRequired => 2,
            Self::HandlerFailed => 3,
        }
    }

    /// The reason text on the wire.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::NoHandler => "no handler",
            Self::Shutdown => "shutdown",
            Self::AuthRequired => "authentication required",
            Self::HandlerFailed => "handler failed",
        }
    }
}

/// The code with which a stream is reset whose writer was dropped before it was closed.
pub(crate) const STREAM_ABANDONED: u32 = 1;
