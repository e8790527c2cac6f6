//! Errors of streams and handlers.

use std::error::Error;
use std::io;

/// Why a stream or a connection could not go on.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The whole connection is gone.
    #[error("the connection is closed")]
    ConnectionClosed,
    /// This stream is gone; the connection may live on.
    #[error("the stream is closed")]
    StreamClosed,
    /// The peer stayed silent for too long.
    #[error("timed out")]
    Timeout,
    /// Anything else the transport reported.
    #[error("transport error")]
    Internal(#[source] io::Error),
}

/// Why a protocol handler ended a connection; each is logged and closes that connection only.
#[derive(Debug, thiserror::Error)]
pub enum HandlerError {
    /// The connection is gone: a clean end.
    #[error("the connection is closed")]
    ConnectionClosed,
    /// A stream failed.
    #[error("stream error")]
    StreamError(#[source] io::Error),
    /// Every way to authenticate was exhausted.
    #[error("authentication required")]
    AuthRequired,
    /// A defect in the handler.
    #[error("handler failed")]
    Internal(#[source] Box<dyn Error + Send + Sync>),
}

impl From<StreamError> for HandlerError {
    fn from(error: StreamError) -> Self {
        match error {
            StreamError::ConnectionClosed => Self::ConnectionClosed,
            StreamError::StreamClosed => Self::StreamError(io::ErrorKind::ConnectionReset.into()),
            StreamError::Timeout => Self::StreamError(io::ErrorKind::TimedOut.into()),
            StreamError::Internal(error) => Self::StreamError(error),
        }
    }
}

/// A connection's identity is written once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the identity of this connection is already set")]
pub struct IdentityAlreadySet;
