//! Frames: a length in four bytes, big-endian, then a body of 1 byte to 64 MiB (call.md section 1).

use std::io;
use std::time::Duration;

use futures_util::{AsyncRead, AsyncReadExt as _};
use tokio::time::Instant;

use crate::Limits;

pub(crate) const HEADER_BYTES: usize = 4;
/// Room asked of the transport at once: that of a stream on which little arrives, that of a busy one, and that for the
/// rest of a large frame. The buffer grows with what arrives, not with what was announced.
const READ_BYTES: usize = 512;
const READ_BYTES_BUSY: usize = 64 << 10;
const READ_BYTES_MAX: usize = 256 << 10;
/// By how much the room grows when it was filled, and how much larger than the room an empty buffer may stay.
const GROWTH: usize = 4;

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

/// Cuts a byte stream into frame bodies, which are read in place.
pub(crate) struct FrameReader<R> {
    recv: R,
    buffer: Vec<u8>,
    /// The bytes that arrived and were not consumed.
    begin: usize,
    end: usize,
    /// Room for the next read, by what the last ones brought.
    room: usize,
    timeout: Duration,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    pub(crate) fn new(recv: R, timeout: Duration) -> Self {
        Self { recv, buffer: Vec::new(), begin: 0, end: 0, room: READ_BYTES, timeout }
    }

    /// Whether a whole frame has arrived and was not taken.
    pub(crate) fn has_next(&self) -> bool {
        let arrived = self.end - self.begin;
        self.length().is_some_and(|body| arrived >= HEADER_BYTES.saturating_add(body))
    }

    /// The next body; `None` at a clean end. `fits` says whether the peer may send a body of so many bytes. Not cancel
    /// safe: whoever drops the future drops the reader too.
    pub(crate) async fn next(&mut self, fits: impl Fn(usize) -> bool) -> Result<Option<&[u8]>, FrameFault> {
        let mut deadline = None;
        loop {
            let arrived = self.end - self.begin;
            let frame = match self.announced(&fits)? {
                Some(body) if arrived >= HEADER_BYTES + body => {
                    let body_begin = self.begin + HEADER_BYTES;
                    self.begin = body_begin + body;
                    return Ok(self.buffer.get(body_begin..self.begin));
                }
                Some(body) => HEADER_BYTES + body,
                None => HEADER_BYTES,
            };
            if arrived == 0 {
                if self.fill(frame).await? == 0 {
                    return Ok(None);
                }
                continue;
            }
            let until = *deadline.get_or_insert_with(|| Instant::now() + self.timeout);
            let filled = tokio::time::timeout_at(until, self.fill(frame)).await;
            if filled.map_err(|_| FrameFault::Slow)?? == 0 {
                return Err(FrameFault::Truncated);
            }
        }
    }

    /// Reads to the end and keeps nothing.
    pub(crate) async fn discard(&mut self) {
        let mut buffer = [0; 256];
        while matches!(self.recv.read(&mut buffer).await, Ok(1..)) {}
    }

    /// The body length the header announces, once there is a header.
    fn length(&self) -> Option<usize> {
        let arrived = self.buffer.get(self.begin..self.end).unwrap_or_default();
        let header = arrived.first_chunk::<HEADER_BYTES>()?;
        Some(usize::try_from(u32::from_be_bytes(*header)).unwrap_or(usize::MAX))
    }

    /// The body length the header announces, where the peer may send so much.
    fn announced(&self, fits: impl Fn(usize) -> bool) -> Result<Option<usize>, FrameFault> {
        match self.length() {
            Some(length) if length == 0 || length > Limits::FRAME_BYTES_LEGAL || !fits(length) => {
                Err(FrameFault::Length(length))
            }
            length => Ok(length),
        }
    }

    /// Reads once, with room for some of a frame of `frame` bytes.
    async fn fill(&mut self, frame: usize) -> Result<usize, FrameFault> {
        self.make_room(frame);
        let room = self.buffer.get_mut(self.end..).unwrap_or_default();
        let room_bytes = room.len();
        let read = self.recv.read(room).await.map_err(FrameFault::Transport)?.min(room_bytes);
        self.end += read;
        if read == room_bytes {
            self.room = (self.room * GROWTH).min(READ_BYTES_BUSY);
        } else if read < self.room / GROWTH {
            self.room = (self.room / 2).max(READ_BYTES);
        }
        Ok(read)
    }

    fn make_room(&mut self, frame: usize) {
        self.buffer.copy_within(self.begin..self.end, 0);
        self.end -= self.begin;
        self.begin = 0;
        let missing = frame.saturating_sub(self.end).clamp(self.room, READ_BYTES_MAX);
        let wanted = self.end + missing;
        if self.end == 0 && self.buffer.len() > wanted * GROWTH {
            self.buffer.truncate(wanted);
            self.buffer.shrink_to(wanted);
        }
        if self.buffer.len() - self.end < missing.min(frame) || self.buffer.len() < self.room {
            self.buffer.resize(wanted, 0);
        }
    }
}
