//! The writing half of a stream, shared by the calls that answer on it.
//!
//! A frame that comes alone is written by whoever has it, at once, when the transport takes it whole: no task is woken
//! for it. Frames that come in quick succession are gathered, up to a bound, and written together: by the reader of the
//! stream, for the answers to what arrived at once, or by the stream's writer. What the transport does not take, and
//! everything after that, goes through a bounded queue to the writer.
//!
//! Before an answer leaves, or is queued, the log flushes the record of the call. Where it cannot, the answer is dropped
//! with those that were to be written with it, and the stream is ended.

use std::io;
use std::mem;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use alknet_core::SendStream;
use futures_util::AsyncWrite as _;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::backlog::{Backlog, Part};
use super::pending::undelivered;
use super::serving::StreamId;
use crate::dispatch::unrecorded;
use crate::{AuditSink, CallError};

/// Frames the writer takes from the queue at once.
const BATCH_FRAMES: usize = 64;
/// Bytes gathered before a write.
const BATCH_BYTES: usize = 64 << 10;
/// Bytes that wait on a stream while an item of a subscription may still join them.
const ITEM_BYTES: usize = 128 << 10;
/// Frames that follow the last write within this time are gathered for the writer. Shorter than any peer takes to
/// answer: calls that are made one after the other never wait for it.
const QUICK: Duration = Duration::from_micros(10);

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
    audit: Arc<dyn AuditSink>,
    out: Mutex<Out>,
    /// Of the connection.
    backlog: Arc<Backlog>,
    /// Wakes the writer for what was gathered.
    gathered: Notify,
    /// Wakes those who wait for what is before them to be written.
    written: Notify,
    /// The peer has finished the stream: no answer will come on it.
    ended: AtomicBool,
    /// Ends the reading of the stream, as the end of the link does; with the last call on it, the writing ends too.
    closing: CancellationToken,
    /// This side has closed a stream that the peer had opened, without being asked to.
    given_up: AtomicBool,
    /// Calls of the peer that came in on it and run.
    calls: AtomicU32,
    /// When the last of them ended, in calls of the link; zero while there was none.
    idle_since: AtomicU64,
}

/// A call that answers on a stream, which is not idle meanwhile.
pub(super) struct Busy(FrameSender);

/// Every frame is queued, and every byte written, under this lock: frames never interleave.
struct Out {
    send: SendStream,
    /// Frames in the queue or in the writer's hands. While there are any, nobody writes past them.
    queued: usize,
    /// Whole frames that were not written yet, in their order. Nothing is queued while there are any.
    gathered: Vec<u8>,
    /// Of frames that are gathered, in the queue or in the writer's hands.
    unread: Part,
    /// What the log must have flushed through before they leave; zero for nothing.
    through: u64,
    /// The reader gathers what is answered, and writes it.
    held: bool,
    /// When somebody wrote last.
    written: Instant,
}

/// What became of a frame.
enum Direct {
    /// It was written, queued or gathered.
    Taken,
    /// Frames before it wait; it has to wait as well.
    Behind(Vec<u8>),
    /// Nobody wants it any more.
    Unwanted,
}

/// What bounds a stream's writing half.
pub(super) struct Bounds {
    /// Frames in the queue.
    pub(super) queue_max: usize,
    /// Longest that the transport takes nothing.
    pub(super) timeout: Duration,
    /// Of the connection.
    pub(super) backlog: Arc<Backlog>,
}

/// The two ends of a stream's writing half.
pub(super) fn pair(
    stream: StreamId,
    send: SendStream,
    Bounds { queue_max, timeout, backlog }: Bounds,
    audit: Arc<dyn AuditSink>,
    closing: CancellationToken,
) -> (FrameSender, Writer) {
    let (frames, queue) = mpsc::channel(queue_max);
    let long_ago = Instant::now().checked_sub(QUICK).unwrap_or_else(Instant::now);
    let out = Out {
        send,
        queued: 0,
        gathered: Vec::new(),
        unread: backlog.part(0),
        through: 0,
        held: false,
        written: long_ago,
    };
    let shared = Arc::new(Shared {
        stream,
        audit,
        out: Mutex::new(out),
        backlog,
        gathered: Notify::new(),
        written: Notify::new(),
        ended: AtomicBool::new(false),
        closing,
        given_up: AtomicBool::new(false),
        calls: AtomicU32::new(0),
        idle_since: AtomicU64::new(0),
    });
    (FrameSender { frames, shared: Arc::clone(&shared) }, Writer { queue, shared, timeout })
}

impl FrameSender {
    /// The stream it writes on.
    pub(super) fn stream(&self) -> StreamId {
        self.shared.stream
    }

    /// Writes a frame, or queues it; waits while the queue is full, which stalls only the call that answers.
    pub(super) async fn send(&self, frame: Vec<u8>) -> Result<(), CallError> {
        self.send_if(frame, 0, || true).await
    }

    /// Writes a frame, or queues it, if it is still wanted when its turn comes. `wanted` is asked once, under the lock
    /// under which frames get their order: no frame that comes after it changed its answer is overtaken. The log
    /// flushes `through` first.
    pub(super) async fn send_if(
        &self,
        frame: Vec<u8>,
        through: u64,
        mut wanted: impl FnMut() -> bool,
    ) -> Result<(), CallError> {
        let frame = match self.direct(frame, through, &mut wanted)? {
            Direct::Taken | Direct::Unwanted => return Ok(()),
            Direct::Behind(frame) => frame,
        };
        let waiting = self.shared.backlog.part(frame.len());
        let place = self.frames.reserve().await.map_err(|_| undelivered())?;
        drop(waiting);
        self.shared.flush_log(through)?;
        let mut out = self.shared.lock();
        if wanted() {
            out.queued += 1;
            out.unread.add(frame.len());
            place.send(frame);
        }
        Ok(())
    }

    /// Whether so many more bytes may wait for the peer.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        self.shared.backlog.has_room(bytes)
    }

    /// Waits until little waits on the stream, or until nothing is written on it any more.
    pub(super) async fn room_for_item(&self) {
        loop {
            let mut written = std::pin::pin!(self.shared.written.notified());
            written.as_mut().enable();
            if self.frames.is_closed() || self.shared.lock().unread.bytes() < ITEM_BYTES {
                return;
            }
            written.await;
        }
    }

    /// Writes or queues a frame if there is room; gives it back where there is none.
    pub(super) fn try_send(&self, frame: Vec<u8>) -> Result<(), Vec<u8>> {
        let Ok(Direct::Behind(frame)) = self.direct(frame, 0, &mut || true) else { return Ok(()) };
        let mut out = self.shared.lock();
        let bytes = frame.len();
        match self.frames.try_send(frame) {
            Ok(()) => {
                out.queued += 1;
                out.unread.add(bytes);
                Ok(())
            }
            Err(mpsc::error::TrySendError::Full(frame)) => Err(frame),
            Err(mpsc::error::TrySendError::Closed(_)) => Ok(()),
        }
    }

    /// Ends the reading of the stream. What runs on it is still answered.
    pub(super) fn close(&self) {
        self.shared.closing.cancel();
    }

    /// Whether the peer had opened the stream and this side has given it up.
    pub(super) fn is_given_up(&self) -> bool {
        self.shared.given_up.load(Ordering::SeqCst)
    }

    /// Waits until the reading is to end.
    pub(super) fn closing(&self) -> CancellationToken {
        self.shared.closing.clone()
    }

    /// Marks the stream as busy until the result is dropped.
    pub(super) fn busy(&self) -> Busy {
        self.shared.calls.fetch_add(1, Ordering::SeqCst);
        Busy(self.clone())
    }

    /// Whether a call of the peer runs, or ran, on the stream.
    pub(super) fn has_served(&self) -> bool {
        self.shared.calls.load(Ordering::SeqCst) > 0 || self.shared.idle_since.load(Ordering::SeqCst) > 0
    }

    /// Whether more than one call of the peer runs on the stream.
    pub(super) fn is_shared(&self) -> bool {
        self.shared.calls.load(Ordering::SeqCst) > 1
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

    /// Gathers frames from now on until [`FrameSender::release`].
    pub(super) fn hold(&self) {
        self.shared.lock().held = true;
    }

    /// Writes what was gathered.
    pub(super) fn release(&self) -> Result<(), CallError> {
        let mut out = self.shared.lock();
        out.held = false;
        self.flush(&mut out)
    }

    /// Gathers or writes a frame, unless frames wait in the queue.
    fn direct(
        &self,
        frame: Vec<u8>,
        through: u64,
        wanted: &mut impl FnMut() -> bool,
    ) -> Result<Direct, CallError> {
        let mut out = self.shared.lock();
        if self.frames.is_closed() {
            return Err(undelivered());
        }
        if out.queued > 0 {
            return Ok(Direct::Behind(frame));
        }
        if !wanted() {
            return Ok(Direct::Unwanted);
        }
        let is_first = out.gathered.is_empty();
        out.unread.add(frame.len());
        if is_first {
            out.gathered = frame;
        } else {
            out.gathered.extend_from_slice(&frame);
        }
        out.through = out.through.max(through);
        let has_room = out.gathered.len() < BATCH_BYTES;
        if out.held && has_room {
            return Ok(Direct::Taken);
        }
        let now = Instant::now();
        if has_room && now.duration_since(out.written) < QUICK {
            // Where there were frames before, the writer or the reader knows of them.
            if is_first {
                self.shared.gathered.notify_one();
            }
            return Ok(Direct::Taken);
        }
        out.written = now;
        self.flush(&mut out).map(|()| Direct::Taken)
    }

    /// Writes as much of what was gathered as the transport takes without waiting, and queues the rest before anybody
    /// else can write.
    fn flush(&self, out: &mut Out) -> Result<(), CallError> {
        let mut frames = self.shared.take_gathered(out)?;
        if frames.is_empty() {
            return Ok(());
        }
        let mut context = Context::from_waker(Waker::noop());
        let mut written = 0;
        while let Some(rest) = frames.get(written..).filter(|rest| !rest.is_empty()) {
            match Pin::new(&mut out.send).poll_write(&mut context, rest) {
                Poll::Ready(Ok(0) | Err(_)) => return Err(undelivered()),
                Poll::Ready(Ok(count)) => written += count,
                Poll::Pending => break,
            }
        }
        out.unread.take(written);
        let flushed = Pin::new(&mut out.send).poll_flush(&mut context).is_ready();
        if written == frames.len() && flushed {
            return Ok(());
        }
        // The queue is empty, so there is a place; an empty rest makes the writer flush.
        frames.drain(..written);
        out.queued += 1;
        self.frames.try_send(frames).map_err(|_| undelivered())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        static ENDED: AtomicU64 = AtomicU64::new(1);
        let shared = &self.0.shared;
        shared.idle_since.store(ENDED.fetch_add(1, Ordering::Relaxed), Ordering::SeqCst);
        shared.calls.fetch_sub(1, Ordering::SeqCst);
    }
}

impl WeakFrameSender {
    /// Since when no call has run on the stream; the smaller, the longer. `None` where one runs, none ever ran, or the
    /// stream is over.
    pub(super) fn idle_since(&self) -> Option<u64> {
        let idle = self.shared.calls.load(Ordering::SeqCst) == 0 && !self.is_over();
        let since = self.shared.idle_since.load(Ordering::SeqCst);
        (idle && since > 0).then_some(since)
    }

    /// Whether the reading of the stream has ended or is about to.
    pub(super) fn is_over(&self) -> bool {
        self.shared.closing.is_cancelled()
            || self.shared.ended.load(Ordering::SeqCst)
            || self.frames.strong_count() == 0
    }

    /// Ends the reading of a stream that the peer had opened and left idle.
    pub(super) fn give_up(&self) {
        self.shared.given_up.store(true, Ordering::SeqCst);
        self.shared.closing.cancel();
    }

    pub(super) fn upgrade(&self) -> Option<FrameSender> {
        Some(FrameSender { frames: self.frames.upgrade()?, shared: Arc::clone(&self.shared) })
    }
}

impl Writer {
    /// Writes until every sender is gone, then closes the stream and waits until the peer has everything. Where that
    /// fails, the stream is reset, and its reading ends too, unless the peer only wants no more of what is written: what
    /// it has sent before that is still read.
    pub(super) async fn run(mut self) -> io::Result<()> {
        let written = self.write_all().await;
        if let Err(error) = &written {
            // Senders that are still about find the queue closed; a stream that is dropped before its end is reset.
            self.queue.close();
            self.shared.lock().reset();
            if error.kind() != io::ErrorKind::ConnectionReset {
                self.shared.closing.cancel();
            }
            self.shared.written.notify_waiters();
        }
        written
    }

    async fn write_all(&mut self) -> io::Result<()> {
        let mut batch = Vec::new();
        let mut gathered = Vec::new();
        while self.next(&mut batch).await? > 0 {
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

    /// Takes what is queued or gathered, nothing once every sender is gone; fails once the peer does not read the
    /// stream any more.
    async fn next(&mut self, batch: &mut Vec<Vec<u8>>) -> io::Result<usize> {
        let shared = Arc::clone(&self.shared);
        loop {
            let stopped = std::future::poll_fn(|context| shared.lock().send.poll_stopped(context));
            tokio::select! {
                biased;
                count = self.queue.recv_many(batch, BATCH_FRAMES) => {
                    return if count > 0 { Ok(count) } else { shared.take_batch(batch) };
                }
                () = shared.gathered.notified() => {
                    // Whoever is about to write as well may do so first.
                    tokio::task::yield_now().await;
                    if shared.take_batch(batch)? > 0 {
                        return Ok(1);
                    }
                }
                () = stopped => return Err(io::ErrorKind::ConnectionReset.into()),
            }
        }
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
        self.shared.lock().unread.take(bytes.len());
        self.shared.written.notify_waiters();
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

impl Out {
    /// Drops the stream, and what was to be written on it.
    fn reset(&mut self) {
        self.send = SendStream::new(futures_util::io::sink());
        self.gathered = Vec::new();
        self.unread.take(self.unread.bytes());
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Out> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the log write what it gathered. Fail closed: where it cannot, nothing more is answered on the stream.
    fn flush_log(&self, through: u64) -> Result<(), CallError> {
        if through == 0 {
            return Ok(());
        }
        self.audit.flush(through).map_err(|_| {
            tracing::error!("calls that could not be recorded are not answered: their stream is ended");
            self.closing.cancel();
            unrecorded()
        })
    }

    /// Takes what was gathered, to be written or queued before any other frame.
    fn take_gathered(&self, out: &mut Out) -> Result<Vec<u8>, CallError> {
        let (frames, through) = (mem::take(&mut out.gathered), mem::take(&mut out.through));
        self.flush_log(through)?;
        Ok(frames)
    }

    /// Puts what was gathered into the writer's hands, as if it were one frame.
    fn take_batch(&self, batch: &mut Vec<Vec<u8>>) -> io::Result<usize> {
        let mut out = self.lock();
        let frames = self.take_gathered(&mut out).map_err(io::Error::other)?;
        if frames.is_empty() {
            return Ok(0);
        }
        out.queued += 1;
        batch.push(frames);
        Ok(1)
    }
}

#[cfg(test)]
mod tests;
