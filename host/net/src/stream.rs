//! QUIC streams as the byte streams of the vocabulary, alike over every QUIC library.
//!
//! Writing halves end in one of two ways. Closing one sends the end of the stream and waits until the peer
//! has acknowledged all of it, so a reply that was closed is never lost to a connection that closes next.
//! Dropping one that was not closed resets it, so a reply that was cut short never looks complete.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use alknet_core::WatchedWrite;
use futures_io::{AsyncRead, AsyncWrite};
use futures_util::future::BoxFuture;

/// The writing half of a QUIC library.
pub(crate) trait RawSend: Send + Unpin + 'static {
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>>;
    /// Sends the end of the stream.
    fn finish(&mut self);
    /// Resolves when the peer has acknowledged everything, or has stopped reading.
    fn delivered(&self) -> BoxFuture<'static, io::Result<()>>;
    /// Abandons the stream, with this code.
    fn reset(&mut self, code: u32);
}

/// The reading half of a QUIC library. Dropping it asks the peer to stop sending, with code 0.
pub(crate) trait RawRecv: Send + Unpin + 'static {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>>;
}

pub(crate) struct Sending<S: RawSend> {
    raw: S,
    state: State,
    /// Made when it is first asked for; `None` again once it is over.
    watch: Option<BoxFuture<'static, io::Result<()>>>,
    stopped: bool,
}

enum State {
    Open,
    /// The end is sent. The stream is not reset any more: that would take back what the peer may still get.
    Closing(BoxFuture<'static, io::Result<()>>),
    Closed(Result<(), io::ErrorKind>),
}

impl<S: RawSend> Sending<S> {
    pub(crate) fn new(raw: S) -> Self {
        Self { raw, state: State::Open, watch: None, stopped: false }
    }
}

impl<S: RawSend> WatchedWrite for Sending<S> {
    fn poll_stopped(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if !this.stopped {
            // Before the end is sent, the stream can only be over because the peer or the connection ended it.
            let watch = this.watch.get_or_insert_with(|| this.raw.delivered());
            drop(ready!(watch.as_mut().poll(cx)));
            (this.watch, this.stopped) = (None, true);
        }
        Poll::Ready(())
    }
}

impl<S: RawSend> AsyncWrite for Sending<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.state {
            State::Open => self.raw.poll_write(cx, buf),
            State::Closing(_) | State::Closed(_) => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match &mut self.state {
                State::Open => {
                    self.raw.finish();
                    self.state = State::Closing(self.raw.delivered());
                }
                State::Closing(delivered) => {
                    let outcome = ready!(delivered.as_mut().poll(cx));
                    self.state = State::Closed(outcome.as_ref().copied().map_err(io::Error::kind));
                    return Poll::Ready(outcome);
                }
                State::Closed(outcome) => return Poll::Ready(outcome.map_err(io::Error::from)),
            }
        }
    }
}

impl<S: RawSend> Drop for Sending<S> {
    fn drop(&mut self) {
        if matches!(self.state, State::Open) {
            self.raw.reset(crate::close::STREAM_ABANDONED);
        }
    }
}

pub(crate) struct Receiving<R: RawRecv>(pub(crate) R);

impl<R: RawRecv> AsyncRead for Receiving<R> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.0.poll_read(cx, buf)
    }
}

/// Both libraries have the same calls under different paths; `$lib` is a module that exports them.
macro_rules! quic_library {
    ($lib:path) => {
        mod raw {
            use std::io;
            use std::pin::Pin;
            use std::task::{Context, Poll};

            use alknet_core::{RecvStream, SendStream, StreamError};
            use futures_util::future::BoxFuture;
            use $lib as lib;

            use crate::stream::{RawRecv, RawSend, Receiving, Sending};

            impl RawSend for lib::SendStream {
                fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
                    Self::poll_write(Pin::new(self), cx, buf).map_err(io::Error::from)
                }

                fn finish(&mut self) {
                    // Fails only when the stream has ended in another way, which `delivered` tells.
                    drop(Self::finish(self));
                }

                fn delivered(&self) -> BoxFuture<'static, io::Result<()>> {
                    let stopped = self.stopped();
                    Box::pin(async move {
                        match stopped.await? {
                            None => Ok(()),
                            Some(_) => Err(io::ErrorKind::ConnectionReset.into()),
                        }
                    })
                }

                fn reset(&mut self, code: u32) {
                    // Fails only when the stream has ended already.
                    drop(Self::reset(self, lib::VarInt::from_u32(code)));
                }
            }

            impl RawRecv for lib::RecvStream {
                fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
                    Self::poll_read(self, cx, buf).map_err(io::Error::from)
                }
            }

            pub(super) fn streams(
                opened: Result<(lib::SendStream, lib::RecvStream), lib::ConnectionError>,
            ) -> Result<(SendStream, RecvStream), StreamError> {
                let (send, recv) = opened.map_err(stream_error)?;
                Ok((SendStream::watched(Sending::new(send)), RecvStream::new(Receiving(recv))))
            }

            fn stream_error(error: lib::ConnectionError) -> StreamError {
                use lib::ConnectionError as Lost;
                match error {
                    Lost::TimedOut => StreamError::Timeout,
                    Lost::ConnectionClosed(_)
                    | Lost::ApplicationClosed(_)
                    | Lost::Reset
                    | Lost::LocallyClosed => StreamError::ConnectionClosed,
                    // Raised on this side, it means that the endpoint under the connection is closed.
                    Lost::TransportError(ref own) if own.code == lib::TransportErrorCode::INTERNAL_ERROR => {
                        StreamError::ConnectionClosed
                    }
                    Lost::VersionMismatch | Lost::TransportError(_) | Lost::CidsExhausted => {
                        StreamError::Internal(io::Error::other(error))
                    }
                }
            }

            pub(super) fn failure(error: lib::ConnectionError) -> crate::failure::Failure {
                use lib::ConnectionError as Lost;

                use crate::failure::Failure;
                match error {
                    Lost::TimedOut => Failure::Timeout,
                    Lost::ApplicationClosed(_) | Lost::Reset => Failure::Refused,
                    Lost::ConnectionClosed(ref frame) => {
                        Failure::from_peer(u64::from(frame.error_code), error)
                    }
                    Lost::TransportError(ref own) => Failure::from_own(u64::from(own.code.clone()), error),
                    Lost::VersionMismatch | Lost::LocallyClosed | Lost::CidsExhausted => {
                        Failure::Other(io::Error::other(error))
                    }
                }
            }
        }
    };
}
pub(crate) use quic_library;
