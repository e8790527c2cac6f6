//! The writing half of a stream, shared by the calls that answer on it.
//!
//! A frame is written by whoever has it, at once, when the transport takes it whole: no task is woken for it. What
//! the transport does not take, and everything after that, goes through a bounded queue to the stream's writer,
//! which gathers many frames in one write.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use alknet_core::SendStream;
use futures_util::AsyncWrite as _;
use tokio::sync::mpsc;

use super::pending::undelivered;
use super::serving::StreamId;
use crate::CallError;

/// Frames the writer takes from the queue at once.
const BATCH_FRAMES: usize = 64;
/// Bytes the writer gathers before a write.
const BATCH_BYTES: usize = 64 << 10;

/// The way to write frames on one stream. Writing ends when the last sender is gone.
#[derive(Clone)]
pub(super) struct FrameSender {
    frames: mpsc::Sender<Vec<u8>>,
    shared: Arc<Shared>,
}

/// A [`FrameSender`] that does not keep the stream open.
#[derive(Clone)]
pub(super) struct WeakFrameSender {
    frames: mpsc::WeakSender<Vec<u8>>,
    shared: Arc<Shared>,
}

/// Writes what is queued.
pub(super) struct Writer {
    queue: mpsc::Receiver<Vec<u8>>,
    shared: Arc<Shared>,
    timeout: Duration,
}

struct Shared {
    stream: StreamId,
    out: Mutex<Out>,
    /// The peer has finished the stream: no answer will come on it.
    ended: AtomicBool,
}

/// Every frame is queued, and every byte written, under this lock: frames never interleave.
struct Out {
    send: SendStream,
    /// Frames in the queue or in the writer's hands. While there are any, nobody writes past them.
    queued: usize,
}

/// What became of a frame that was written at once.
enum Direct {
    Written,
    Queued,
    /// Frames before it wait; it has to wait as well.
    Behind(Vec<u8>),
}

/// The two ends of a stream's writing half.
pub(super) fn pair(
    stream: StreamId,
    send: SendStream,
    queue_max: usize,
    timeout: Duration,
) -> (FrameSender, Writer) {
    let (frames, queue) = mpsc::channel(queue_max);
    let out = Mutex::new(Out { send, queued: 0 });
    let shared = Arc::new(Shared { stream, out, ended: AtomicBool::new(false) });
    (FrameSender { frames, shared: Arc::clone(&shared) }, Writer { queue, shared, timeout })
}

impl FrameSender {
    /// The stream it writes on.
    pub(super) fn stream(&self) -> StreamId {
        self.shared.stream
    }

    /// Writes a frame, or queues it; waits while the queue is full, which stalls only the call that answers.
    pub(super) async fn send(&self, frame: Vec<u8>) -> Result<(), CallError> {
        let frame = match self.direct(frame)? {
            Direct::Written | Direct::Queued => return Ok(()),
            Direct::Behind(frame) => frame,
        };
        let place = self.frames.reserve().await.map_err(|_| undelivered())?;
        let mut out = self.shared.lock();
        out.queued += 1;
        place.send(frame);
        Ok(())
    }

    /// Writes or queues a frame if there is room.
    pub(super) fn try_send(&self, frame: Vec<u8>) {
        let Ok(Direct::Behind(frame)) = self.direct(frame) else { return };
        let mut out = self.shared.lock();
        match self.frames.try_send(frame) {
            Ok(()) => out.queued += 1,
            Err(_) => tracing::debug!("a frame was dropped: the stream is full or gone"),
        }
    }

    /// Marks that the peer will answer no more on this stream.
    pub(super) fn end(&self) {
        self.shared.ended.store(true, Ordering::SeqCst);
    }

    /// Whether a call sent now could not be answered.
    pub(super) fn is_over(&self) -> bool {
        self.frames.is_closed() || self.shared.ended.load(Ordering::SeqCst)
    }

    pub(super) fn downgrade(&self) -> WeakFrameSender {
        WeakFrameSender { frames: self.frames.downgrade(), shared: Arc::clone(&self.shared) }
    }

    /// Writes as much as the transport takes without waiting, and queues the rest before anybody else can write.
    fn direct(&self, mut frame: Vec<u8>) -> Result<Direct, CallError> {
        let mut out = self.shared.lock();
        if self.frames.is_closed() {
            return Err(undelivered());
        }
        if out.queued > 0 {
            return Ok(Direct::Behind(frame));
        }
        let mut context = Context::from_waker(Waker::noop());
        let mut written = 0;
        while let Some(rest) = frame.get(written..).filter(|rest| !rest.is_empty()) {
            match Pin::new(&mut out.send).poll_write(&mut context, rest) {
                Poll::Ready(Ok(0) | Err(_)) => return Err(undelivered()),
                Poll::Ready(Ok(count)) => written += count,
                Poll::Pending => break,
            }
        }
        let flushed = Pin::new(&mut out.send).poll_flush(&mut context).is_ready();
        if written == frame.len() && flushed {
            return Ok(Direct::Written);
        }
        // The queue is empty, so there is a place; an empty rest makes the writer flush.
        frame.drain(..written);
        out.queued += 1;
        self.frames.try_send(frame).map_err(|_| undelivered())?;
        Ok(Direct::Queued)
    }
}

impl WeakFrameSender {
    pub(super) fn upgrade(&self) -> Option<FrameSender> {
        Some(FrameSender { frames: self.frames.upgrade()?, shared: Arc::clone(&self.shared) })
    }
}

impl Writer {
    /// Writes until every sender is gone, then closes the stream and waits until the peer has everything.
    pub(super) async fn run(mut self) -> io::Result<()> {
        let mut batch = Vec::with_capacity(BATCH_FRAMES);
        let mut gathered = Vec::new();
        while self.queue.recv_many(&mut batch, BATCH_FRAMES).await > 0 {
            let count = batch.len();
            for frame in batch.drain(..) {
                gathered.extend_from_slice(&frame);
                if gathered.len() >= BATCH_BYTES {
                    self.write(&mut gathered).await?;
                }
            }
            self.write(&mut gathered).await?;
            self.within(|send, context| send.poll_flush(context)).await?;
            self.shared.lock().queued -= count;
        }
        self.within(|send, context| send.poll_close(context)).await
    }

    async fn write(&self, bytes: &mut Vec<u8>) -> io::Result<()> {
        let mut written = 0;
        self.within(|mut send, context| {
            while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
                match send.as_mut().poll_write(context, rest) {
                    Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    Poll::Ready(Ok(count)) => written += count,
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => return Poll::Pending,
                }
            }
            Poll::Ready(Ok(()))
        })
        .await?;
        bytes.clear();
        Ok(())
    }

    /// Drives the stream under the lock, one poll at a time, within the write timeout.
    async fn within(
        &self,
        mut poll: impl FnMut(Pin<&mut SendStream>, &mut Context<'_>) -> Poll<io::Result<()>>,
    ) -> io::Result<()> {
        let driven = std::future::poll_fn(|context| poll(Pin::new(&mut self.shared.lock().send), context));
        tokio::time::timeout(self.timeout, driven).await.map_err(|_| io::ErrorKind::TimedOut)?
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Out> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
