//! One authenticated link to a peer, over any transport.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use async_trait::async_trait;
use futures_io::{AsyncRead, AsyncWrite};

use crate::{Identity, IdentityAlreadySet, StreamError};

/// A bidirectional byte stream, for transports that have only one.
pub trait BiStream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> BiStream for T {}

/// What a transport gives: streams in both directions, an address, and a way to close.
#[async_trait]
pub trait BidiSource: Send + Sync + 'static {
    /// The next stream the peer opened.
    async fn accept_bi(&self) -> Result<(SendStream, RecvStream), StreamError>;
    /// Opens a stream towards the peer.
    async fn open_bi(&self) -> Result<(SendStream, RecvStream), StreamError>;
    /// The peer's address, where there is one.
    fn remote_addr(&self) -> Option<SocketAddr>;
    /// Closes the connection; transports without close codes ignore them.
    fn close(&self, code: u32, reason: &str);
    /// A stream that the peer had opened was given up on this side while the peer may still hold its end: it may open
    /// another one, where the transport counts streams.
    fn stream_given_up(&self) {}
}

/// The writing half of a stream of a transport that tells when the peer stops reading.
pub trait WatchedWrite: AsyncWrite {
    /// Ready once the peer does not read this stream any more.
    fn poll_stopped(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()>;
}

/// The writing half of a stream. Closing it waits until the peer has everything, where the transport can tell.
pub struct SendStream(Pin<Box<dyn WatchedWrite + Send>>);

/// The reading half of a stream.
pub struct RecvStream(Pin<Box<dyn AsyncRead + Send>>);

impl SendStream {
    /// Wraps a transport's writing half.
    #[must_use]
    pub fn new(inner: impl AsyncWrite + Send + 'static) -> Self {
        Self(Box::pin(Unwatched(Box::pin(inner))))
    }

    /// Wraps the writing half of a transport that tells when the peer stops reading.
    #[must_use]
    pub fn watched(inner: impl WatchedWrite + Send + 'static) -> Self {
        Self(Box::pin(inner))
    }

    /// Ready once the peer does not read this stream any more; never, where the transport cannot tell.
    pub fn poll_stopped(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll_stopped(cx)
    }
}

/// A writing half whose transport cannot tell when the peer stops reading.
struct Unwatched(Pin<Box<dyn AsyncWrite + Send>>);

impl WatchedWrite for Unwatched {
    fn poll_stopped(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

impl AsyncWrite for Unwatched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.0.as_mut().poll_write(cx, buf)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_flush(cx)
    }
    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_close(cx)
    }
}

impl RecvStream {
    /// Wraps a transport's reading half.
    #[must_use]
    pub fn new(inner: impl AsyncRead + Send + 'static) -> Self {
        Self(Box::pin(inner))
    }
}

impl AsyncWrite for SendStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.0.as_mut().poll_write(cx, buf)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_flush(cx)
    }
    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_close(cx)
    }
}

impl AsyncRead for RecvStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.0.as_mut().poll_read(cx, buf)
    }
}

/// An authenticated link to a peer. Cheap to clone; every clone is the same link.
#[derive(Clone)]
pub struct Connection(Arc<Inner>);

struct Inner {
    source: Box<dyn BidiSource>,
    alpn: Vec<u8>,
    identity: OnceLock<Identity>,
}

impl Connection {
    /// A connection over a transport with many streams.
    pub fn new(source: impl BidiSource, alpn: Vec<u8>) -> Self {
        Self(Arc::new(Inner { source: Box::new(source), alpn, identity: OnceLock::new() }))
    }

    /// The next stream the peer opened.
    ///
    /// # Errors
    /// [`StreamError::ConnectionClosed`] once there will be no more.
    pub async fn accept_bi(&self) -> Result<(SendStream, RecvStream), StreamError> {
        self.0.source.accept_bi().await
    }

    /// Opens a stream towards the peer.
    ///
    /// # Errors
    /// [`StreamError::ConnectionClosed`] when the connection is gone, [`StreamError::StreamClosed`] on a
    /// transport that has a single stream.
    pub async fn open_bi(&self) -> Result<(SendStream, RecvStream), StreamError> {
        self.0.source.open_bi().await
    }

    /// The negotiated ALPN.
    #[must_use]
    pub fn remote_alpn(&self) -> &[u8] {
        &self.0.alpn
    }

    /// The peer's address, where the transport has one. Informational.
    #[must_use]
    pub fn remote_addr(&self) -> Option<SocketAddr> {
        self.0.source.remote_addr()
    }

    /// Closes the connection with an application code.
    pub fn close(&self, code: u32, reason: &str) {
        self.0.source.close(code, reason);
    }

    /// Lets the peer open one more stream, for one that was given up on this side while the peer may still hold its
    /// end. Bounded by the transport.
    pub fn stream_given_up(&self) {
        self.0.source.stream_given_up();
    }

    /// Notes who the peer turned out to be, for logs. Access control never reads it.
    ///
    /// # Errors
    /// [`IdentityAlreadySet`] on the second call.
    pub fn set_identity(&self, identity: Identity) -> Result<(), IdentityAlreadySet> {
        self.0.identity.set(identity).map_err(|_| IdentityAlreadySet)
    }

    /// Who the peer turned out to be, for logs.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        self.0.identity.get()
    }
}

impl fmt::Debug for SendStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SendStream")
    }
}

impl fmt::Debug for RecvStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecvStream")
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("alpn", &String::from_utf8_lossy(&self.0.alpn))
            .field("remote_addr", &self.remote_addr())
            .field("identity", &self.identity().map(Identity::id))
            .finish()
    }
}
