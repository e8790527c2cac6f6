//! Byte-stream transports (a pipe, a Unix socket, TCP with TLS) as connections with one stream.

use std::net::SocketAddr;
use std::sync::Mutex;

use async_trait::async_trait;

use crate::{BidiSource, Connection, RecvStream, SendStream, StreamError};

struct SingleStream {
    stream: Mutex<Option<(SendStream, RecvStream)>>,
    addr: Option<SocketAddr>,
}

impl Connection {
    /// A connection over one byte stream: the first [`Connection::accept_bi`] yields it, there is no other.
    #[must_use]
    pub fn from_stream(send: SendStream, recv: RecvStream, alpn: Vec<u8>, addr: Option<SocketAddr>) -> Self {
        Self::new(SingleStream { stream: Mutex::new(Some((send, recv))), addr }, alpn)
    }
}

#[async_trait]
impl BidiSource for SingleStream {
    async fn accept_bi(&self) -> Result<(SendStream, RecvStream), StreamError> {
        let mut stream = self.stream.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        stream.take().ok_or(StreamError::ConnectionClosed)
    }

    async fn open_bi(&self) -> Result<(SendStream, RecvStream), StreamError> {
        Err(StreamError::StreamClosed)
    }

    fn remote_addr(&self) -> Option<SocketAddr> {
        self.addr
    }

    fn close(&self, _code: u32, _reason: &str) {}
}
