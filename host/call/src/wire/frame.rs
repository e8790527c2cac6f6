//! Frames: a length in four bytes, big-endian, then a body of 1 byte to 64 MiB (call.md section 1).

use std::io;
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use futures_util::{AsyncRead, AsyncReadExt as _};
use tokio::time::Instant;

use crate::Limits;

pub(crate) const HEADER_BYTES: usize = 4;
/// Bytes asked of the transport at once; the buffer grows with what arrives, not with what was announced.
const READ_BYTES: usize = 16 << 10;

/// Why a stream cannot be read on. There is no error frame: the stream is dropped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FrameFault {
    #[error("a frame of {0} bytes")]
    Length(usize),
    #[error("a frame took too long")]
    Slow,
    #[error("the stream ended inside a frame")]
    Truncated,
    #[error("a frame is no envelope: {0}")]
    Envelope(&'static str),
    #[error("the transport failed")]
    Transport(#[source] io::Error),
}

/// Cuts a byte stream into frame bodies.
pub(crate) struct FrameReader<R> {
    recv: R,
    buffer: BytesMut,
    body_bytes_max: usize,
    timeout: Duration,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    pub(crate) fn new(recv: R, body_bytes_max: usize, timeout: Duration) -> Self {
        let body_bytes_max = body_bytes_max.min(Limits::FRAME_BYTES_LEGAL);
        Self {
            recv,
            buffer: BytesMut::new(),
            body_bytes_max,
            timeout,
        }
    }

    /// The next body; `None` at a clean end. Not cancel safe: whoever drops the future drops the reader too.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, FrameFault> {
        let mut deadline = None;
        loop {
            let missing = match self.announced()? {
                Some(body) if self.buffer.len() >= HEADER_BYTES + body => {
                    self.buffer.advance(HEADER_BYTES);
                    return Ok(Some(self.buffer.split_to(body).freeze()));
                }
                Some(body) => HEADER_BYTES + body - self.buffer.len(),
                None => HEADER_BYTES,
            };
            if self.buffer.is_empty() {
                if self.fill(missing).await? == 0 {
                    return Ok(None);
                }
                continue;
            }
            let until = *deadline.get_or_insert_with(|| Instant::now() + self.timeout);
            let filled = tokio::time::timeout_at(until, self.fill(missing)).await;
            if filled.map_err(|_| FrameFault::Slow)?? == 0 {
                return Err(FrameFault::Truncated);
            }
        }
    }

    /// The body length the header announces, once there is a header.
    fn announced(&self) -> Result<Option<usize>, FrameFault> {
        let Some(header) = self.buffer.first_chunk::<HEADER_BYTES>() else {
            return Ok(None);
        };
        let length = usize::try_from(u32::from_be_bytes(*header)).unwrap_or(usize::MAX);
        if length == 0 || length > self.body_bytes_max {
            return Err(FrameFault::Length(length));
        }
        Ok(Some(length))
    }

    async fn fill(&mut self, missing: usize) -> Result<usize, FrameFault> {
        let begin = self.buffer.len();
        let room = missing.clamp(READ_BYTES, READ_BYTES * 16);
        self.buffer.resize(begin + room, 0);
        let read = match self.buffer.get_mut(begin..) {
            Some(space) => self.recv.read(space).await,
            None => Ok(0),
        };
        self.buffer
            .truncate(begin + read.as_ref().map_or(0, |n| (*n).min(room)));
        read.map_err(FrameFault::Transport)
    }
}
